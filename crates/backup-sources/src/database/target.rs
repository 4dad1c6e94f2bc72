//! Restores a PostgreSQL database.

use std::io::{ErrorKind, Read, Write};

use backup_core::{JobControl, PartReader, PipelineError, Step, Target};

use super::about::About;
use super::count::Tables;
use super::psql::{Session, identifier};
use super::server::hint_for;
use super::{ABOUT, DUMP, DatabaseSettings, PART, TABLES};
use crate::Error;

mod compare;
mod empty;
mod place;
mod plan;
mod refusals;
mod selection;
mod set_up;

pub(super) use empty::drop_subscriptions;
use place::Place;
pub(super) use place::drop_database;
pub(super) use plan::unreachable;
use selection::Selection;

/// Bytes that are handed on at once.
const BLOCK: usize = 256 * 1024;
/// The most that is read of a JSON entry, in bytes: tables by the million.
const MAX_JSON: u64 = 512 * 1024 * 1024;
/// What of a database is restored, and how.
#[derive(Debug, Clone, Default)]
pub struct DatabaseTargetOptions {
    /// Only these tables, as `schema.name` or `name` (then in `public`), with their rows, and with all their partitions and
    /// the tables that inherit from them; without indexes and constraints. Types that they need must be there. All in one
    /// schema. Empty: everything.
    pub tables: Vec<String>,
    /// Restore without owners and grants, where the server does not have the roles.
    pub skip_owner: bool,
}

/// A new or empty PostgreSQL database that a backup is restored into.
///
/// A database that the restore created is dropped again when it fails; one that was there is filled in one transaction, and
/// emptied again when the restore fails after that. What cannot be set in one that was there (its owner, grants, settings)
/// is told. Killed outright, the restore leaves a database that the next one refuses as not empty.
#[derive(Debug)]
pub struct DatabaseTarget {
    settings: DatabaseSettings,
    options: DatabaseTargetOptions,
}

impl DatabaseTarget {
    /// The database that `settings` name, which must not exist or be empty; it is created where missing.
    pub fn new(settings: DatabaseSettings, options: DatabaseTargetOptions) -> Self {
        Self { settings, options }
    }

    fn run(&self, part: &mut dyn PartReader, job: &JobControl) -> Result<(), Error> {
        let about: About = read_json(part, ABOUT)?;
        let selection = Selection::of(&self.options.tables, about.children.as_deref())?;
        self.check_server(&about, job)?;
        let place = self.look(job)?;
        match &place {
            Place::Missing => self.create(&about, job)?,
            Place::Empty { found, .. } => self.tell_differences(&about, found, job),
        }
        let result = self.fill(&about, &place, &selection, part, job);
        if result.is_err() {
            self.take_back(&place, job);
        }
        result
    }

    fn fill(
        &self,
        about: &About,
        place: &Place,
        selection: &Selection,
        part: &mut dyn PartReader,
        job: &JobControl,
    ) -> Result<(), Error> {
        expect_entry(part, DUMP)?;
        self.pg_restore(place, selection, part, job)?;
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
        if matches!(place, Place::Missing) && selection.is_everything() {
            self.set_up(about, job)?;
        }
        Ok(())
    }

    fn pg_restore(
        &self,
        place: &Place,
        selection: &Selection,
        part: &mut dyn PartReader,
        job: &JobControl,
    ) -> Result<(), Error> {
        let mut program = self.settings.program("pg_restore")?;
        program.command.args(["--exit-on-error", "--no-password"]);
        program
            .command
            .arg(format!("--dbname={}", self.settings.conninfo(&self.settings.name)));
        if self.options.skip_owner {
            program.command.args(["--no-owner", "--no-acl"]);
        }
        if matches!(place, Place::Empty { .. }) {
            program.command.arg("--single-transaction");
        }
        if !selection.is_everything() {
            let mut session = Session::open(&self.settings, &self.settings.name, job)?;
            for schema in selection.schemas() {
                session.execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", identifier(schema)))?;
                program.command.arg(format!("--schema={schema}"));
            }
            program
                .command
                .args(selection.names().map(|name| format!("--table={name}")));
        }
        let mut child = self.settings.spawn(program, job)?;
        child.close_stdout();
        let mut buffer = vec![0; BLOCK];
        loop {
            job.check()?;
            let length = match part.content().read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::content(DUMP, error)),
            };
            if length == 0 {
                break;
            }
            match child.write_all(&buffer[..length]) {
                Ok(()) => job.advance(length as u64),
                // It has ended before the end of the dump: how, its exit says.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                Err(error) => return Err(Error::content("pg_restore", error)),
            }
        }
        let exit = child.finish()?;
        let hint = hint_for(&exit.stderr);
        exit.check(hint).map(|_| ())
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
        Ok(self.run(part, job)?)
    }
}

fn expect_entry(part: &mut dyn PartReader, name: &str) -> Result<(), Error> {
    match part.next_entry()? {
        Some(entry) if entry.path.as_bytes() == name.as_bytes() => Ok(()),
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
