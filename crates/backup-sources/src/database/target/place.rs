//! The database that is restored to, apart from its content: whether it may be filled, making it, taking it away again.

use std::time::Duration;

use backup_core::{JobControl, WarningCode};

use super::DatabaseTarget;
use super::empty::{Kept, count_objects, drop_objects, drop_subscriptions};
use crate::Error;
use crate::database::about::{About, read_about};
use crate::database::psql::{Session, identifier, literal};
use crate::database::shown;

/// How long removing a half-restored database may take.
const CLEANUP: Duration = Duration::from_mins(1);

/// What there is at the place that is restored to.
#[derive(Debug)]
pub(in crate::database) enum Place {
    Missing,
    /// A database in which nobody has made anything, except for schemas where only tables are restored.
    Empty {
        found: Box<About>,
        kept: Kept,
    },
}

impl DatabaseTarget {
    /// A session with the server that needs no database of ours.
    pub(in crate::database) fn maintenance(&self, job: &JobControl) -> Result<Session, Error> {
        Session::open(&self.settings, "postgres", job).or_else(|error| match error {
            Error::Refused { ref message, .. } if message.contains("does not exist") => {
                Session::open(&self.settings, "template1", job)
            }
            error => Err(error),
        })
    }

    pub(in crate::database) fn look(&self, job: &JobControl) -> Result<Place, Error> {
        let exists: bool = self.maintenance(job)?.query_one(&format!(
            "SELECT to_json(EXISTS (SELECT FROM pg_database WHERE datname = {}))",
            literal(&self.settings.name)
        ))?;
        if !exists {
            return Ok(Place::Missing);
        }
        let mut session = Session::open(&self.settings, &self.settings.name, job)?;
        let objects = count_objects(&mut session, self.options.tables.is_empty())?;
        if objects > 0 {
            return Err(Error::refused(
                format!("{} is not empty: it holds {objects} objects", self.settings.describe()),
                "Name a database that does not exist yet, or drop this one first.",
            ));
        }
        Ok(Place::Empty {
            found: Box::new(read_about(&mut session)?),
            kept: Kept::found(&mut session)?,
        })
    }

    /// What would fail after hours is looked for before the first byte.
    pub(super) fn check_server(&self, about: &About, job: &JobControl) -> Result<(), Error> {
        let mut session = self.maintenance(job)?;
        self.check_versions(about, &mut session, job)?;
        let extensions = about.extensions.iter().map(|extension| extension.name.as_str());
        let missing: Vec<String> =
            session.query(&missing_of(extensions, "SELECT name FROM pg_available_extensions"))?;
        if !missing.is_empty() {
            return Err(Error::refused(
                format!(
                    "the server on {} lacks extensions of the backup: {}",
                    self.settings.address(),
                    missing.join(", ")
                ),
                "Install the packages of these extensions on the server.",
            ));
        }
        if self.options.skip_owner {
            return Ok(());
        }
        let roles = about.roles.iter().map(String::as_str);
        let missing: Vec<String> = session.query(&missing_of(roles, "SELECT rolname FROM pg_roles"))?;
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::refused(
            format!(
                "the server on {} lacks roles of the backup: {}",
                self.settings.address(),
                shown(&missing)
            ),
            "Create them (the backup's globals.sql does), or restore without owners and grants.",
        ))
    }

    /// PostgreSQL promises that what was dumped goes into the same version and newer ones.
    fn check_versions(&self, about: &About, session: &mut Session, job: &JobControl) -> Result<(), Error> {
        let server: u32 = session.query_one("SELECT current_setting('server_version_num')")?;
        if server / 10_000 < about.server_version_num / 10_000 {
            return Err(Error::refused(
                format!(
                    "the server on {} has PostgreSQL {}, the backup was made from a newer one, {}",
                    self.settings.address(),
                    server / 10_000,
                    about.server_version
                ),
                format!(
                    "Restore to a server of version {} or newer.",
                    about.server_version_num / 10_000
                ),
            ));
        }
        let (version, major) = self.settings.program_version("pg_restore", job)?;
        // Backups did not always tell it.
        let dumped: Option<u32> = about
            .dump_version
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|text| text.parse().ok());
        match dumped {
            Some(dumped) if major < dumped => Err(Error::refused(
                format!(
                    "pg_restore {version} is older than the pg_dump that made the backup, {}",
                    about.dump_version
                ),
                format!("Install the PostgreSQL client programs of version {dumped} or newer."),
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn create(&self, about: &About, job: &JobControl) -> Result<(), Error> {
        let mut session = self.maintenance(job)?;
        let version: u32 = session.query_one("SELECT current_setting('server_version_num')")?;
        let base = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {}",
            identifier(&self.settings.name),
            literal(&about.encoding)
        );
        let provider = match (&about.locale_provider, &about.locale, version) {
            (Some(provider), Some(locale), 150_000..) if provider == "i" => {
                let rules = about.icu_rules.as_ref().filter(|_| version >= 160_000);
                let rules = rules.map(|rules| format!(" ICU_RULES {}", literal(rules)));
                format!(
                    " LOCALE_PROVIDER icu ICU_LOCALE {}{}",
                    literal(locale),
                    rules.unwrap_or_default()
                )
            }
            (Some(provider), Some(locale), 170_000..) if provider == "b" => {
                format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(locale))
            }
            _ => String::new(),
        };
        let exact = format!(
            "{base} LC_COLLATE {} LC_CTYPE {}{provider}",
            literal(&about.collate),
            literal(&about.ctype)
        );
        let Err(error) = session.execute(&exact) else {
            return Ok(());
        };
        if !error.to_string().contains("locale") {
            return Err(error);
        }
        self.maintenance(job)?.execute(&base)?;
        job.warn(
            WarningCode::Other,
            None,
            format!(
                "the server does not know the locale {} of the backup: the database has the server's own, and texts sort by it",
                about.locale.as_ref().unwrap_or(&about.collate)
            ),
        );
        Ok(())
    }

    /// Takes away what a failed restore made: the database that it created, or the content of one that was empty.
    pub(super) fn take_back(&self, place: &Place, job: &JobControl) {
        // The job may be cancelled; this has to happen nevertheless.
        let cleanup = JobControl::new(CLEANUP);
        let done = match place {
            Place::Missing => self.drop_database(&cleanup),
            Place::Empty { kept, .. } => self.empty_again(kept, &cleanup),
        };
        if let Err(error) = done {
            tracing::error!(%error, database = self.settings.name, "cannot take back a half-restored database");
            job.warn(
                WarningCode::Other,
                None,
                format!(
                    "{} holds a half-finished restore that could not be taken back: drop it before the next attempt ({error})",
                    self.settings.describe()
                ),
            );
        }
    }

    /// Drops the database, whoever is connected to it, where it exists.
    pub(in crate::database) fn drop_database(&self, job: &JobControl) -> Result<(), Error> {
        match self.try_drop(job) {
            Err(error) if error.to_string().contains("subscription") => {
                drop_subscriptions(&mut Session::open(&self.settings, &self.settings.name, job)?)?;
                self.try_drop(job)
            }
            result => result,
        }
    }

    fn try_drop(&self, job: &JobControl) -> Result<(), Error> {
        let mut session = self.maintenance(job)?;
        let version: u32 = session.query_one("SELECT current_setting('server_version_num')")?;
        let force = if version >= 130_000 { " WITH (FORCE)" } else { "" };
        session.execute(&format!(
            "DROP DATABASE IF EXISTS {}{force}",
            identifier(&self.settings.name)
        ))
    }

    fn empty_again(&self, kept: &Kept, job: &JobControl) -> Result<(), Error> {
        let mut session = Session::open_for_long(&self.settings, &self.settings.name, job)?;
        drop_objects(&mut session, kept)?;
        match count_objects(&mut session, kept.schemas.is_empty())? {
            0 => Ok(()),
            left => Err(Error::failed(format!("{left} objects are left in it"), "")),
        }
    }
}

/// A query for those of `names` that `known` does not give.
pub(super) fn missing_of<'a>(names: impl Iterator<Item = &'a str>, known: &str) -> String {
    let names: Vec<String> = names.map(literal).collect();
    format!(
        "SELECT to_json(name) FROM unnest(ARRAY[{}]::text[]) AS wanted(name) WHERE name NOT IN ({known}) ORDER BY name",
        names.join(", ")
    )
}
