//! Restores a PostgreSQL database.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};

use backup_core::{JobControl, PartReader, PipelineError, Step, Target};

use super::about::{About, Table, Tables, count_tables};
use super::psql::{Session, identifier};
use super::server::hint_for;
use super::{ABOUT, DUMP, DatabaseSettings, PART, TABLES};
use crate::Error;

mod place;

use place::Place;

/// Bytes that are handed on at once.
const BLOCK: usize = 256 * 1024;
/// The most that is read of a JSON entry, in bytes: tables by the million.
const MAX_JSON: u64 = 512 * 1024 * 1024;
/// How many differences or names a message shows.
const SHOWN: usize = 20;

/// What of a database is restored, and how.
#[derive(Debug, Clone, Default)]
pub struct DatabaseTargetOptions {
    /// Only these tables, as `schema.name` or `name` (then in `public`), with their rows, without indexes and constraints;
    /// types that they need must be there. All in one schema. Empty: everything.
    pub tables: Vec<String>,
    /// Restore without owners and grants, where the server does not have the roles.
    pub skip_owner: bool,
}

/// A new or empty PostgreSQL database that a backup is restored into.
///
/// A database that the restore created is dropped again when it fails; one that was there is filled in one transaction, so
/// that it is empty again. Killed outright, the restore leaves a database that the next one refuses as not empty.
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
        self.check_server(&about, job)?;
        let place = self.look(job)?;
        if place == Place::Missing {
            self.create(&about, job)?;
        }
        let result = self.fill(&about, place, part, job);
        if result.is_err() && place == Place::Missing {
            self.drop_database();
        }
        result
    }

    fn fill(&self, about: &About, place: Place, part: &mut dyn PartReader, job: &JobControl) -> Result<(), Error> {
        expect_entry(part, DUMP)?;
        self.pg_restore(place, part, job)?;
        let recorded: Tables = loop {
            match part.next_entry()? {
                Some(entry) if entry.path.as_bytes() == TABLES.as_bytes() => break parse_json(part, TABLES)?,
                Some(_) => {}
                None => return Err(lacks(TABLES)),
            }
        };
        self.compare(&recorded, job)?;
        if place == Place::Missing && self.options.tables.is_empty() {
            self.set_up(about, job)?;
        }
        Ok(())
    }

    fn pg_restore(&self, place: Place, part: &mut dyn PartReader, job: &JobControl) -> Result<(), Error> {
        let mut program = self.settings.program("pg_restore")?;
        program.command.args(["--exit-on-error", "--no-password"]);
        program
            .command
            .arg(format!("--dbname={}", self.settings.conninfo(&self.settings.name)));
        if self.options.skip_owner {
            program.command.args(["--no-owner", "--no-acl"]);
        }
        if place == Place::Empty {
            program.command.arg("--single-transaction");
        }
        if let Some((schema, tables)) = self.selected()? {
            Session::open(&self.settings, &self.settings.name, job)?
                .execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", identifier(&schema)))?;
            program.command.arg(format!("--schema={schema}"));
            program
                .command
                .args(tables.iter().map(|table| format!("--table={table}")));
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

    /// The one schema and the names in it of the tables that were asked for.
    fn selected(&self) -> Result<Option<(String, Vec<String>)>, Error> {
        let mut by_schema: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for table in &self.options.tables {
            let (schema, name) = table.split_once('.').unwrap_or(("public", table));
            by_schema.entry(schema.to_owned()).or_default().push(name.to_owned());
        }
        if by_schema.len() > 1 {
            return Err(Error::refused(
                "tables of several schemas cannot be restored at once",
                "Restore the tables of one schema at a time.",
            ));
        }
        Ok(by_schema.pop_first())
    }

    /// Every table must hold as many rows as were counted in the dump's snapshot.
    fn compare(&self, recorded: &Tables, job: &JobControl) -> Result<(), Error> {
        let mut session = Session::open_for_long(&self.settings, &self.settings.name, job)?;
        let restored = count_tables(&mut session)?;
        let found: BTreeMap<(&str, &str), Option<u64>> =
            restored.tables.iter().map(|table| (key(table), table.rows)).collect();
        let selected = self.selected()?;
        let wanted = |table: &Table| {
            selected
                .as_ref()
                .is_none_or(|(schema, tables)| *schema == table.schema && tables.contains(&table.name))
        };
        let mut differences = Vec::new();
        for table in recorded
            .tables
            .iter()
            .filter(|table| table.rows.is_some() && wanted(table))
        {
            let rows = found.get(&key(table)).copied().flatten();
            if rows != table.rows {
                differences.push(format!(
                    "{} ({} rows restored, {} in the backup)",
                    table.full_name(),
                    rows.map_or_else(|| "no".to_owned(), |rows| rows.to_string()),
                    table.rows.unwrap_or_default()
                ));
            }
        }
        if let Some((schema, tables)) = &selected {
            for name in tables {
                if !recorded
                    .tables
                    .iter()
                    .any(|table| table.schema == *schema && table.name == *name)
                {
                    return Err(PipelineError::not_found(
                        format!("the backup holds no table {schema}.{name}"),
                        "Look up the names in the backup's tables.json.",
                    )
                    .into());
                }
            }
        } else if restored.large_objects != recorded.large_objects {
            differences.push(format!(
                "large objects ({} restored, {} in the backup)",
                restored.large_objects, recorded.large_objects
            ));
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::mismatch(
            format!(
                "the restored database differs from what the backup recorded: {}",
                shown(&differences)
            ),
            "Do not use it: restore another backup, and report this one.",
        ))
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
        self.selected()?;
        self.look(job)?;
        Ok(())
    }

    fn restore(&mut self, part: &mut dyn PartReader, job: &JobControl) -> Result<(), PipelineError> {
        Ok(self.run(part, job)?)
    }
}

fn key(table: &Table) -> (&str, &str) {
    (&table.schema, &table.name)
}

/// The first of `items`, and how many more there are.
fn shown(items: &[String]) -> String {
    let first: Vec<&str> = items.iter().take(SHOWN).map(String::as_str).collect();
    match items.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
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
    serde_json::from_slice(&text).map_err(|error| {
        Error::mismatch(
            format!("cannot read {name} of the backup: {error}"),
            "Restore another backup, and report this one.",
        )
    })
}
