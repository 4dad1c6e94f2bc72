//! Restores a PostgreSQL database.

use std::io::Read as _;
use std::path::PathBuf;

use backup_core::{JobControl, PartReader, PipelineError, Step, Target, WarningCode};

use super::about::About;
use super::count::Tables;
use super::{ABOUT, DUMP, DatabaseSettings, PART, TABLES};
use crate::Error;

mod compare;
mod empty;
mod lock;
mod money;
mod pg_restore;
mod place;
mod plan;
mod refusals;
mod roles;
mod selection;
mod set_up;
mod staged;
mod tablespace;

pub(super) use empty::drop_subscriptions;
pub(super) use pg_restore::BLOCK;
use place::Made;
pub(super) use place::{Place, drop_database};
pub(super) use plan::unreachable;
use selection::{ALONE, Selection};

/// The most that is read of a JSON entry, in bytes: tables by the million.
const MAX_JSON: u64 = 512 * 1024 * 1024;
/// What of a database is restored, and how.
#[derive(Debug, Clone, Default)]
pub struct DatabaseTargetOptions {
    /// Only these tables, as `schema.name` or `name` (then in `public`), with their rows, and with all their partitions and
    /// the tables that inherit from them; without indexes and constraints. None with types that the database has made
    /// itself, or an extension. All in one schema. Empty: everything.
    pub tables: Vec<String>,
    /// Restore without owners and grants, where the server does not have the roles.
    pub skip_owner: bool,
    /// Restore everything into one tablespace, that of the database, where the server does not have the others; a new database
    /// goes where the server puts it.
    pub skip_tablespaces: bool,
    /// Folder in which a dump may be put down, so that several connections restore it at once: only a whole database into one
    /// that the restore creates, only with room for it there, only from [`Self::staged_from`] on, and not by a `pg_restore` of
    /// version 17 or newer on a server that is older. What is put down has no name, so that it is gone with this process and
    /// the programs that read it, however that ends. `None`: the dump goes from the archive to the server.
    pub staging: Option<PathBuf>,
    /// How many connections then restore it; fewer than two: as without [`Self::staging`].
    pub jobs: usize,
    /// Bytes from which on a dump is put down; `None`: 256 MiB. A smaller one is restored sooner on its way.
    pub staged_from: Option<u64>,
}

/// A new or empty PostgreSQL database that a backup is restored into.
///
/// A database that the restore created is dropped again when it fails; one that was there is filled in one transaction, and
/// emptied again when the restore fails after that. What cannot be set in one that was there (its owner, grants, settings)
/// is told. A second restore into the same database is refused meanwhile. Killed outright, the restore leaves a database that
/// the next one refuses as not empty.
#[derive(Debug)]
pub struct DatabaseTarget {
    pub(super) settings: DatabaseSettings,
    options: DatabaseTargetOptions,
    /// Whether roles that the server lacks are made.
    pub(super) makes_roles: bool,
    /// Whether the database goes again, so that it may be set to what the dump alone needs.
    pub(super) is_scratch: bool,
}

impl DatabaseTarget {
    /// The database that `settings` name, which must not exist or be empty; it is created where missing.
    pub fn new(settings: DatabaseSettings, options: DatabaseTargetOptions) -> Self {
        Self {
            settings,
            options,
            makes_roles: false,
            is_scratch: false,
        }
    }

    /// Restores the part, and says what the database was.
    pub(super) fn run(&self, part: &mut dyn PartReader, job: &JobControl) -> Result<About, Error> {
        let about: About = read_json(part, ABOUT)?;
        let selection = Selection::of(&self.options.tables, Some(&about))?;
        if self.makes_roles {
            self.make_roles(&about, job)?;
        }
        self.check_server(&about, job)?;
        let _lock = self.lock(job)?;
        let place = self.look(job)?;
        match &place {
            Place::Missing => self.create(&about, job)?,
            Place::Empty { found, .. } => self.tell_differences(&about, found, job),
        }
        let mut made = Made::default();
        let result = self.fill(&about, &place, &selection, part, &mut made, job);
        if result.is_err() {
            self.take_back(&place, &made, job);
        }
        result.map(|()| about)
    }

    fn fill(
        &self,
        about: &About,
        place: &Place,
        selection: &Selection,
        part: &mut dyn PartReader,
        made: &mut Made,
        job: &JobControl,
    ) -> Result<(), Error> {
        let is_new = matches!(place, Place::Missing);
        if is_new {
            self.set_up_first(about, job)?;
        }
        if !selection.is_everything() {
            job.warn(WarningCode::Other, None, ALONE);
        }
        let size = expect_entry(part, DUMP)?;
        let restorer = self.restorer(about, job)?;
        if self.is_staged(size, place, selection, restorer.passes_over_timeout, job) {
            self.restore_staged(restorer.program, part, job)?;
        } else {
            self.restore_on_the_way(place, selection, restorer, part, made, job)?;
        }
        made.is_filled = true;
        let recorded: Tables = loop {
            match part.next_entry()? {
                Some(entry) if entry.path.as_bytes() == TABLES.as_bytes() => break parse_json(part, TABLES)?,
                Some(_) => {}
                None => return Err(lacks(TABLES)),
            }
        };
        selection.check(&recorded)?;
        self.attach(selection, job)?;
        self.compare(&recorded, selection, job)?;
        if is_new && selection.is_everything() {
            self.set_up(about, job)?;
        }
        Ok(())
    }
}

impl Target for DatabaseTarget {
    fn part(&self) -> &'static str {
        PART
    }

    fn step(&self) -> Step {
        Step::Database
    }

    fn prepare(&mut self, job: &JobControl) -> Result<(), PipelineError> {
        self.settings.program("pg_restore")?;
        Selection::of(&self.options.tables, None)?;
        self.look(job)?;
        Ok(())
    }

    fn restore(&mut self, part: &mut dyn PartReader, job: &JobControl) -> Result<(), PipelineError> {
        self.run(part, job)?;
        Ok(())
    }
}

/// The size of the next entry, which must be this one.
fn expect_entry(part: &mut dyn PartReader, name: &str) -> Result<u64, Error> {
    match part.next_entry()? {
        Some(entry) if entry.path.as_bytes() == name.as_bytes() => Ok(entry.size),
        _ => Err(lacks(name)),
    }
}

fn lacks(name: &str) -> Error {
    Error::mismatch(
        format!("the database part of the backup lacks {name}"),
        "Restore another backup, and report this one.",
    )
}

fn read_json<T: serde::de::DeserializeOwned>(part: &mut dyn PartReader, name: &str) -> Result<T, Error> {
    expect_entry(part, name)?;
    parse_json(part, name)
}

fn parse_json<T: serde::de::DeserializeOwned>(part: &mut dyn PartReader, name: &str) -> Result<T, Error> {
    let mut text = Vec::new();
    part.content()
        .take(MAX_JSON)
        .read_to_end(&mut text)
        .map_err(|error| Error::content(name, error))?;
    parse_bytes(&text, name)
}

fn parse_bytes<T: serde::de::DeserializeOwned>(text: &[u8], name: &str) -> Result<T, Error> {
    serde_json::from_slice(text).map_err(|error| {
        Error::mismatch(
            format!("cannot read {name} of the backup: {error}"),
            "Restore another backup, and report this one.",
        )
    })
}
