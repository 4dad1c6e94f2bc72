//! Replaces a database: the restored one stands beside it, and takes over its name in one transaction.
//!
//! Two renames in one transaction leave either both names as they were or both changed, whoever is killed when. The
//! numbers (oids) of the databases tell which it is, since no rename changes them; where the restored one's number was not
//! written down, the names alone have to.

use backup_core::restore::ReplacedDatabase;
use backup_core::{JobControl, PipelineError};
use serde::Deserialize;

use super::DatabaseSettings;
use super::psql::{Session, literal};
use super::target::{drop_database, drop_subscriptions};
use crate::Error;

mod exchange;
mod plan;

/// How often an exchange is tried: between two tries somebody else may have got in.
const ATTEMPTS: u32 = 3;

/// How far the exchange of a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseSwapState {
    /// The restored database is not in use: not yet, or no more.
    Beside {
        /// Whether there is a database in use.
        live_exists: bool,
        /// Whether there is one beside it, whole or not.
        beside_exists: bool,
    },
    /// The restored database is in use.
    Swapped {
        /// Whether the one before is still there.
        has_old: bool,
    },
}

/// The exchange of a database for a restored one on the same server, in steps that may each be repeated after an
/// interruption at any point. It drops nothing but what the names call `beside` and `old`.
#[derive(Debug, Clone)]
pub struct DatabaseSwap {
    settings: DatabaseSettings,
    names: ReplacedDatabase,
}

/// The numbers of the databases of these names.
#[derive(Debug, Deserialize)]
struct Numbers {
    live: Option<u32>,
    beside: Option<u32>,
    old: Option<u32>,
}

impl DatabaseSwap {
    /// The exchange on the server of `settings`, whose own database name does not matter.
    pub fn new(settings: DatabaseSettings, names: ReplacedDatabase) -> Self {
        Self { settings, names }
    }

    /// Where the state to come is restored into.
    pub fn beside(&self) -> DatabaseSettings {
        DatabaseSettings {
            name: self.names.beside.clone(),
            ..self.settings.clone()
        }
    }

    /// How far the exchange is. Without the restored database's number in the names, what is called `old` and nothing
    /// called `beside` means exchanged; the exchange where there was none before is then told as not begun.
    ///
    /// # Errors
    /// `Unavailable` or `Refused` where the server cannot be asked.
    pub fn state(&self, job: &JobControl) -> Result<DatabaseSwapState, PipelineError> {
        Ok(self.state_by(&self.numbers(&mut self.server(job)?)?))
    }

    /// The names with what has to be written down when the restored database is whole, before [`Self::swap`]: its number,
    /// and whether there is one in use. Where they hold it already, as they are.
    ///
    /// # Errors
    /// `Failed` where nothing stands beside; `Unavailable` or `Refused` where the server cannot be asked.
    pub fn identify(&self, job: &JobControl) -> Result<ReplacedDatabase, PipelineError> {
        if self.names.restored.is_some() {
            return Ok(self.names.clone());
        }
        let numbers = self.numbers(&mut self.server(job)?)?;
        Ok(ReplacedDatabase {
            restored: Some(numbers.beside.ok_or_else(|| self.nothing_beside())?),
            had_live: numbers.live.is_some(),
            former: numbers.live,
            ..self.names.clone()
        })
    }

    /// Drops what an earlier attempt left beside. Nothing there: nothing happens.
    ///
    /// # Errors
    /// `Failed` where the server refuses it; `Unavailable` or `Refused` where it cannot be asked.
    pub fn clear_beside(&self, job: &JobControl) -> Result<(), PipelineError> {
        Ok(self.drop_beside(job)?)
    }

    /// Puts the restored database in the place of the one in use, which is kept as `old`. Sessions with either are ended,
    /// and new ones wait for the moment that it takes. Interrupted at any point, all of it is done or none; repeated, it
    /// goes on; done already, nothing happens.
    ///
    /// # Errors
    /// `Failed` where nothing stands beside, or the server lets nobody rename after several attempts; `Unavailable` or
    /// `Refused` where it cannot be asked. The one in use stays then as it is.
    pub fn swap(&self, job: &JobControl) -> Result<(), PipelineError> {
        let names = &self.names;
        Ok(self.exchange(job, |numbers| {
            if matches!(self.state_by(numbers), DatabaseSwapState::Swapped { .. }) {
                return Ok(Vec::new());
            }
            if numbers.beside.is_none_or(|beside| self.is_other(beside)) {
                return Err(self.nothing_beside());
            }
            if names.restored.is_some() && !names.had_live && numbers.live.is_some() {
                return Err(Error::refused(
                    format!("{} has come to be in the meantime", self.describe_live()),
                    "Restore to another name, or replace it.",
                ));
            }
            let away = numbers.live.map(|_| (names.live.as_str(), names.old.as_str()));
            Ok(away
                .into_iter()
                .chain([(names.beside.as_str(), names.live.as_str())])
                .collect())
        })?)
    }

    /// The first half of [`Self::roll_back`]: the database before is in its place again, the restored one beside it.
    ///
    /// # Errors
    /// As [`Self::roll_back`].
    pub fn put_back(&self, job: &JobControl) -> Result<(), PipelineError> {
        Ok(self.exchange(job, |numbers| self.renames_back(numbers))?)
    }

    /// Puts the database before back in its place, and drops the restored one with all that was written to it since; where
    /// there was none before, there is none again. Interrupted at any point, it goes on when repeated; done already, nothing
    /// happens.
    ///
    /// # Errors
    /// `Refused` where the one before is gone, or the one in use is not the restored one; then nothing was changed. Else as
    /// [`Self::swap`].
    pub fn roll_back(&self, job: &JobControl) -> Result<(), PipelineError> {
        self.put_back(job)?;
        Ok(self.drop_beside(job)?)
    }

    /// Drops the database before. Nothing there: nothing happens.
    ///
    /// # Errors
    /// `Refused` where it is the only one, since none is in use; `Failed` where the server refuses it; `Unavailable` or
    /// `Refused` where it cannot be asked.
    pub fn discard_old(&self, job: &JobControl) -> Result<(), PipelineError> {
        let mut server = self.server(job)?;
        let numbers = self.numbers(&mut server)?;
        if numbers.old.is_some() && numbers.live.is_none() {
            return Err(PipelineError::refused(
                format!(
                    "there is no {}, and the one before it, \"{}\", is the only one left",
                    self.describe_live(),
                    self.names.old
                ),
                "Roll back, or drop it by hand.",
            ));
        }
        let is_swapped = matches!(self.state_by(&numbers), DatabaseSwapState::Swapped { .. });
        if self.names.restored.is_some() && numbers.old.is_some() && !is_swapped {
            return Err(PipelineError::refused(
                format!(
                    "{} is not the one that was restored, so \"{}\" is kept",
                    self.describe_live(),
                    self.names.old
                ),
                "Look at both, and drop the one that is not needed by hand.",
            ));
        }
        Ok(drop_database(&mut server, &self.names.old)?)
    }

    fn renames_back(&self, numbers: &Numbers) -> Result<Vec<(&str, &str)>, Error> {
        let names = &self.names;
        let (live, beside, old) = (names.live.as_str(), names.beside.as_str(), names.old.as_str());
        let is_swapped = matches!(self.state_by(numbers), DatabaseSwapState::Swapped { .. });
        match (is_swapped, numbers.live, numbers.old) {
            (true, Some(_), Some(_)) => Ok(vec![(live, beside), (old, live)]),
            // Somebody dropped the one in use.
            (_, None, Some(_)) => Ok(vec![(old, live)]),
            (true, _, None) if names.restored.is_some() && !names.had_live => Ok(vec![(live, beside)]),
            (true, _, None) => Err(Error::refused(
                format!("the database before {} is gone", self.describe_live()),
                "Restore a backup from before, such as the one that was made first.",
            )),
            (false, Some(_), Some(_)) if numbers.beside.is_none() => Err(Error::refused(
                format!("{} is not the one that was restored", self.describe_live()),
                format!(
                    "Somebody replaced it since: rename it, then rename \"{}\" by hand.",
                    names.old
                ),
            )),
            (false, live, None) if names.former.is_some_and(|former| live != Some(former)) => Err(Error::refused(
                format!("the database before {} is not on this server", self.describe_live()),
                "Somebody dropped it, or the configuration names another server than at the time of the restore.",
            )),
            (false, _, _) => Ok(Vec::new()),
        }
    }

    fn drop_beside(&self, job: &JobControl) -> Result<(), Error> {
        let mut server = self.server(job)?;
        // Whoever has a subscription in it cannot be dropped.
        let subscriptions: u64 = server.query_one(&format!(
            "SELECT count(*) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = {}",
            literal(&self.names.beside)
        ))?;
        if subscriptions > 0 {
            drop_subscriptions(&mut Session::open(&self.settings, &self.names.beside, job)?)?;
        }
        drop_database(&mut server, &self.names.beside)
    }

    fn state_by(&self, numbers: &Numbers) -> DatabaseSwapState {
        let is_swapped = match self.names.restored {
            Some(restored) => numbers.live == Some(restored),
            None => numbers.old.is_some() && numbers.beside.is_none(),
        };
        if is_swapped {
            DatabaseSwapState::Swapped {
                has_old: numbers.old.is_some(),
            }
        } else {
            DatabaseSwapState::Beside {
                live_exists: numbers.live.is_some(),
                beside_exists: numbers.beside.is_some(),
            }
        }
    }

    /// Whether this number is known not to be the restored database's.
    fn is_other(&self, number: u32) -> bool {
        self.names.restored.is_some_and(|restored| restored != number)
    }

    fn numbers(&self, server: &mut Session) -> Result<Numbers, Error> {
        let number = |name: &str| {
            format!(
                "(SELECT oid::bigint FROM pg_database WHERE datname = {})",
                literal(name)
            )
        };
        server.query_one(&format!(
            "SELECT json_build_object('live', {}, 'beside', {}, 'old', {})",
            number(&self.names.live),
            number(&self.names.beside),
            number(&self.names.old)
        ))
    }

    /// A session with none of the databases.
    fn server(&self, job: &JobControl) -> Result<Session, Error> {
        let names = &self.names;
        Session::open_maintenance(&self.settings, &[&names.live, &names.beside, &names.old], job)
    }

    fn live(&self) -> DatabaseSettings {
        DatabaseSettings {
            name: self.names.live.clone(),
            ..self.settings.clone()
        }
    }

    fn describe_live(&self) -> String {
        self.live().describe()
    }

    fn nothing_beside(&self) -> Error {
        Error::failed(
            format!("the restored {} is not there", self.beside().describe()),
            "Restore again.",
        )
    }
}
