//! Reads a PostgreSQL database.

use std::io::Read;

use backup_core::contents::{BackupContents, DatabaseContents};
use backup_core::{ArchiveSink, Entry, EntryPath, JobControl, LogLevel, PipelineError, Source, Step, WarningCode};

use super::about::{About, estimate};
use super::count::{Table, Tables};
use super::psql::Session;
use super::{ABOUT, DatabaseSettings, GLOBALS, PART, TABLES, shown};
use crate::Error;
use crate::child::Exit;

mod begin;
mod dump;
mod hidden;

use begin::Begun;

/// The most that is read of the globals, in bytes. They are kept in memory for a moment.
const MAX_GLOBALS: u64 = 64 * 1024 * 1024;
/// A PostgreSQL database as something that is backed up.
#[derive(Debug)]
pub struct DatabaseSource {
    pub(super) settings: DatabaseSettings,
}

impl DatabaseSource {
    /// The database that `settings` name. Nothing is contacted before [`Source::prepare`].
    pub fn new(settings: DatabaseSettings) -> Self {
        Self { settings }
    }

    pub(super) fn check_and_estimate(&self, job: &JobControl) -> Result<u64, Error> {
        let (version, major) = self.settings.program_version("pg_dump", job)?;
        self.settings.program("pg_dumpall")?;
        let mut session = Session::open(&self.settings, &self.settings.name, job)?;
        let server: u32 = session.query_one("SELECT current_setting('server_version_num')")?;
        if server / 10_000 > major {
            return Err(Error::refused(
                format!(
                    "the server of {} has PostgreSQL {}, which is newer than pg_dump {version}",
                    self.settings.describe(),
                    server / 10_000
                ),
                format!(
                    "Install the PostgreSQL client programs of version {} or newer.",
                    server / 10_000
                ),
            ));
        }
        // The major and the minor one, from version 10 on.
        let (of_server, minor) = (server / 10_000, server % 10_000);
        let database = self.settings.describe();
        let text = format!("{database} has PostgreSQL {of_server}.{minor}; it is dumped by pg_dump {version}");
        job.log(LogLevel::Info, text);
        estimate(&mut session)
    }

    fn save(&self, sink: &mut dyn ArchiveSink, job: &JobControl) -> Result<DatabaseContents, Error> {
        // Cancelled by us when the dump fails, so that nobody waits for the counting.
        let counting = JobControl::new(job.stall_timeout());
        let Begun { about, session, dump } = self.begin(&counting, job)?;
        append_json(sink, job, ABOUT, &about)?;
        let (size_bytes, tables) = self.dump_and_count(dump, session, &counting, sink, job)?;
        warn_of_unlogged(&about, job);
        self.globals(&about.encoding, sink, job)?;
        append_json(sink, job, TABLES, &tables)?;
        Ok(contents(size_bytes, &tables, about.server_version))
    }

    /// Saves roles and the like, as far as this user may read them.
    fn globals(&self, encoding: &str, sink: &mut dyn ArchiveSink, job: &JobControl) -> Result<(), Error> {
        let mut said = String::new();
        for passwords in [true, false] {
            let (text, exit) = self.run_pg_dumpall(passwords, encoding, job)?;
            if let Some(error) = self.settings.lost(&exit) {
                return Err(error);
            }
            if exit.code() != Some(0) {
                said = exit.stderr;
                continue;
            }
            if !passwords {
                job.warn(
                    WarningCode::GlobalsUnreadable,
                    None,
                    "the passwords of the roles cannot be read with this user's rights: globals.sql holds the roles without",
                );
            }
            return append(sink, job, GLOBALS, &text);
        }
        job.warn(
            WarningCode::GlobalsUnreadable,
            None,
            format!("the roles and other globals cannot be read with this user's rights: {said}"),
        );
        Ok(())
    }

    fn run_pg_dumpall(&self, passwords: bool, encoding: &str, job: &JobControl) -> Result<(Vec<u8>, Exit), Error> {
        let mut program = self.settings.program("pg_dumpall")?;
        program.command.args(["--globals-only", "--no-password"]);
        program.command.arg(format!("--encoding={encoding}"));
        if !passwords {
            program.command.arg("--no-role-passwords");
        }
        program
            .command
            .arg(format!("--dbname={}", self.settings.conninfo(&self.settings.name)));
        program.command.arg(format!("--database={}", self.settings.name));
        let mut child = self.settings.spawn(program, job)?;
        child.close_stdin();
        let mut text = Vec::new();
        (&mut child)
            .take(MAX_GLOBALS + 1)
            .read_to_end(&mut text)
            .map_err(|error| Error::content("pg_dumpall", error))?;
        if text.len() as u64 > MAX_GLOBALS {
            return Err(Error::refused(
                format!("the roles and other globals are more than {MAX_GLOBALS} bytes"),
                "Remove roles that nobody needs.",
            ));
        }
        Ok((text, child.finish()?))
    }
}

impl Source for DatabaseSource {
    fn part(&self) -> &'static str {
        PART
    }

    fn step(&self) -> Step {
        Step::Database
    }

    fn prepare(&self, job: &JobControl) -> Result<u64, PipelineError> {
        Ok(self.check_and_estimate(job)?)
    }

    fn backup(
        &self,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
        contents: &mut BackupContents,
    ) -> Result<(), PipelineError> {
        contents.database = Some(self.save(sink, job)?);
        Ok(())
    }
}

fn contents(size_bytes: u64, tables: &Tables, server_version: String) -> DatabaseContents {
    let plain = || tables.tables.iter().filter(|table| table.kind == "r");
    let mut names: Vec<String> = plain().map(Table::full_name).collect();
    names.sort();
    DatabaseContents {
        size_bytes,
        tables: names,
        row_count: plain().filter_map(|table| table.rows).sum(),
        server_version,
    }
}

fn warn_of_unlogged(about: &About, job: &JobControl) {
    if !about.unlogged.is_empty() {
        let text = format!(
            "the server is a standby, which has no rows of unlogged tables: {} come back empty",
            shown(&about.unlogged)
        );
        job.warn(WarningCode::Other, None, text);
    }
}

fn append_json(
    sink: &mut dyn ArchiveSink,
    job: &JobControl,
    name: &str,
    value: &impl serde::Serialize,
) -> Result<(), Error> {
    let text =
        serde_json::to_vec_pretty(value).map_err(|error| Error::failed(format!("cannot write {name}: {error}"), ""))?;
    append(sink, job, name, &text)
}

fn append(sink: &mut dyn ArchiveSink, job: &JobControl, name: &str, mut content: &[u8]) -> Result<(), Error> {
    let size = content.len() as u64;
    sink.append(&Entry::plain_file(path(name)?, size, 0), &mut content)?;
    job.advance(size);
    Ok(())
}

fn path(name: &str) -> Result<EntryPath, Error> {
    EntryPath::new(name).map_err(|error| Error::failed(error.to_string(), ""))
}
