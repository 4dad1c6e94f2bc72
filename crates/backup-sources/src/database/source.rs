//! Reads a PostgreSQL database.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use backup_core::contents::{BackupContents, DatabaseContents};
use backup_core::{ArchiveSink, Entry, EntryPath, JobControl, PipelineError, Source, Step, WarningCode};

use super::about::{About, estimate, read_about};
use super::count::{Table, Tables, count_beside_dump};
use super::psql::{Session, connection_error};
use super::server::hint_for;
use super::{ABOUT, DUMP, DatabaseSettings, GLOBALS, PART, TABLES, shown};
use crate::Error;
use crate::child::{Child, Exit};

/// The most that is read of the globals, in bytes. They are kept in memory for a moment.
const MAX_GLOBALS: u64 = 64 * 1024 * 1024;
/// How often the wait for the counting looks up to see whether the job was cancelled.
const TICK: Duration = Duration::from_millis(100);

/// A PostgreSQL database as something that is backed up.
#[derive(Debug)]
pub struct DatabaseSource {
    settings: DatabaseSettings,
}

impl DatabaseSource {
    /// The database that `settings` name. Nothing is contacted before [`Source::prepare`].
    pub fn new(settings: DatabaseSettings) -> Self {
        Self { settings }
    }

    fn check_and_estimate(&self, job: &JobControl) -> Result<u64, Error> {
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
        estimate(&mut session)
    }

    fn save(&self, sink: &mut dyn ArchiveSink, job: &JobControl) -> Result<DatabaseContents, Error> {
        // Cancelled by us when the dump fails, so that nobody waits for the counting.
        let counting = JobControl::new(job.stall_timeout());
        let mut session = Session::open_for_long(&self.settings, &self.settings.name, &counting)?;
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let snapshot: String = session.query_one("SELECT to_json(pg_export_snapshot())")?;
        let mut about = read_about(&mut session)?;
        about.dump_version = self.settings.program_version("pg_dump", job)?.0;
        append_json(sink, job, ABOUT, &about)?;

        let (size_bytes, tables) = self.dump_and_count(&snapshot, session, &counting, sink, job)?;
        warn_of_unlogged(&about, job);
        self.globals(sink, job)?;
        append_json(sink, job, TABLES, &tables)?;
        Ok(contents(size_bytes, &tables, about.server_version))
    }

    /// Dumps the snapshot of `session` and counts its rows there. The counting begins with the dump's first byte: from then
    /// on the dump has all its locks and the snapshot, and needs nothing of the session any more.
    fn dump_and_count(
        &self,
        snapshot: &str,
        mut session: Session,
        counting: &JobControl,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
    ) -> Result<(u64, Tables), Error> {
        let (begun, begin) = channel();
        let (give, counted) = channel();
        let failed = AtomicBool::new(false);
        thread::scope(|scope| {
            let failed = &failed;
            scope.spawn(move || {
                let begun = begin.recv().map_err(|_| PipelineError::Cancelled.into());
                let result = begun.and_then(|()| count_beside_dump(&mut session));
                failed.store(result.is_err(), Ordering::SeqCst);
                // Whoever waits for it waits until it comes.
                let _heard = give.send(result);
            });
            let dumped = self.dump(snapshot, sink, job, begun, failed);
            if dumped.is_err() {
                counting.cancel();
            }
            let counted = loop {
                if job.is_cancelled() {
                    counting.cancel();
                }
                match counted.recv_timeout(TICK) {
                    Ok(counted) => break counted,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        break Err(Error::failed(
                            "counting the tables' rows ended in an unforeseen way",
                            "",
                        ));
                    }
                }
            };
            job.check()?;
            match (dumped, counted) {
                (Ok(size), Ok((tables, missed))) => {
                    warn_of_missed(&missed, job);
                    Ok((size, tables))
                }
                // The dump was ended because the counting had failed.
                (_, Err(error)) if !matches!(error, Error::Pipeline(PipelineError::Cancelled)) => Err(error),
                (Err(error), _) | (_, Err(error)) => Err(error),
            }
        })
    }

    fn dump(
        &self,
        snapshot: &str,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
        begun: Sender<()>,
        ended: &AtomicBool,
    ) -> Result<u64, Error> {
        let mut program = self.settings.program("pg_dump")?;
        program
            .command
            .args(["--format=custom", "--compress=0", "--no-password"]);
        program.command.arg(format!("--snapshot={snapshot}"));
        program.command.arg(format!(
            "--lock-wait-timeout={}",
            job.stall_timeout().as_millis().max(1)
        ));
        program
            .command
            .arg(format!("--dbname={}", self.settings.conninfo(&self.settings.name)));
        let mut reader = Counted {
            child: self.settings.spawn(program, job)?,
            job,
            begun: Some(begun),
            ended,
        };
        reader.child.close_stdin();
        let appended = sink.append_stream(&path(DUMP)?, &mut reader);
        if let Some(fault) = reader.child.fault() {
            return Err(fault.into());
        }
        let size = appended?;
        let exit = reader.child.finish()?;
        self.judge(exit)?;
        if size == 0 {
            return Err(Error::failed("pg_dump wrote nothing and said nothing", ""));
        }
        Ok(size)
    }

    fn judge(&self, exit: Exit) -> Result<(), Error> {
        if let Some(error) = self.lost(&exit) {
            return Err(error);
        }
        let hint = hint_for(&exit.stderr);
        exit.check(hint).map(|_| ())
    }

    /// The error of a program that could not reach the server or lost it.
    fn lost(&self, exit: &Exit) -> Option<Error> {
        let words = [
            "connection to server",
            "server closed the connection",
            "terminating connection",
        ];
        let lost = exit.code().is_some_and(|code| code != 0) && words.iter().any(|word| exit.stderr.contains(word));
        lost.then(|| connection_error(&self.settings, &self.settings.name, &exit.stderr))
    }

    /// Saves roles and the like, as far as this user may read them.
    fn globals(&self, sink: &mut dyn ArchiveSink, job: &JobControl) -> Result<(), Error> {
        let mut said = String::new();
        for passwords in [true, false] {
            let (text, exit) = self.run_pg_dumpall(passwords, job)?;
            if let Some(error) = self.lost(&exit) {
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

    fn run_pg_dumpall(&self, passwords: bool, job: &JobControl) -> Result<(Vec<u8>, Exit), Error> {
        let mut program = self.settings.program("pg_dumpall")?;
        program.command.args(["--globals-only", "--no-password"]);
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

fn warn_of_missed(missed: &[String], job: &JobControl) {
    if !missed.is_empty() {
        let text = format!(
            "the rows of tables that an application was about to change are in the dump, and were not counted: {}",
            shown(missed)
        );
        job.warn(WarningCode::Other, None, text);
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

/// Says how far the dump is, and that it has begun.
struct Counted<'a> {
    child: Child,
    job: &'a JobControl,
    begun: Option<Sender<()>>,
    /// The dump is of no use any more.
    ended: &'a AtomicBool,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended.load(Ordering::SeqCst) {
            return Err(io::Error::other(PipelineError::Cancelled));
        }
        let length = self.child.read(buffer)?;
        if length > 0
            && let Some(begun) = self.begun.take()
        {
            // Where nobody listens the counting has failed, which is seen with the next read.
            let _heard = begun.send(());
        }
        self.job.advance(length as u64);
        Ok(length)
    }
}
