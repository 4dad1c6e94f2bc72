//! How a dump begins: with a snapshot, and with `pg_dump`'s locks on all tables of it.

use std::io::{Chain, Cursor, Read};

use backup_core::{JobControl, LogLevel, WarningCode};

use super::DatabaseSource;
use super::hidden::Hidden;
use crate::Error;
use crate::child::Child;
use crate::database::about::{About, read_about};
use crate::database::count::rewritten;
use crate::database::psql::Session;
use crate::database::shown;

/// How often a dump is begun again because tables were emptied or written anew meanwhile.
const MAX_AGAIN: u32 = 3;
/// The most that is read of a dump before the archive takes it, in bytes.
const FIRST: usize = 64 * 1024;

/// What `pg_dump` writes: what was read of it already, and the program for the rest.
pub(super) type Dump = Chain<Cursor<Vec<u8>>, Child>;

/// A dump that has all its locks, of which nothing is in the archive yet.
pub(super) struct Begun {
    /// What the database was at the time of the snapshot.
    pub(super) about: About,
    /// In the transaction whose snapshot is dumped.
    pub(super) session: Session,
    pub(super) dump: Dump,
}

impl DatabaseSource {
    /// Takes a snapshot and lets `pg_dump` begin. With its locks nobody can empty a table any more; where somebody did just
    /// before, all of it is done again with another snapshot, and told where that does not help either.
    pub(super) fn begin(&self, counting: &JobControl, job: &JobControl) -> Result<Begun, Error> {
        let dump_version = self.settings.program_version("pg_dump", job)?.0;
        let mut session = Session::open_for_long(&self.settings, &self.settings.name, counting)?;
        let mut again = 0;
        loop {
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
            let snapshot: String = session.query_one("SELECT to_json(pg_export_snapshot())")?;
            let mut about = read_about(&mut session)?;
            about.dump_version.clone_from(&dump_version);
            let hidden = Hidden::found(&mut session)?;
            let dump = self.start(&snapshot, &about.encoding, job)?;
            let rewritten = rewritten(&mut session)?;
            if rewritten.is_empty() || again == MAX_AGAIN {
                hidden.warn(job);
                warn_of_rewritten(&rewritten, job);
                return Ok(Begun { about, session, dump });
            }
            again += 1;
            job.log(
                LogLevel::Info,
                format!(
                    "the dump is begun again, since somebody emptied or wrote anew just when it began: {}",
                    shown(&rewritten)
                ),
            );
            drop(dump);
            // The same connection goes on: a role may have no more of them.
            session.execute("ROLLBACK")?;
        }
    }

    /// Starts `pg_dump` on the `snapshot` in the database's `encoding`, and waits until it writes: it does once it has its
    /// locks and the snapshot, and needs nothing of the session any more.
    fn start(&self, snapshot: &str, encoding: &str, job: &JobControl) -> Result<Dump, Error> {
        let mut program = self.settings.program("pg_dump")?;
        program
            .command
            .args(["--format=custom", "--compress=0", "--no-password"]);
        program.command.arg(format!("--snapshot={snapshot}"));
        // A role or the server may be set to another, which lacks some of the database's characters.
        program.command.arg(format!("--encoding={encoding}"));
        program.command.arg(format!(
            "--lock-wait-timeout={}",
            job.stall_timeout().as_millis().max(1)
        ));
        program
            .command
            .arg(format!("--dbname={}", self.settings.conninfo(&self.settings.name)));
        let mut child = self.settings.spawn(program, job)?;
        child.close_stdin();
        let mut first = vec![0; FIRST];
        let read = child.read(&mut first);
        if let Some(fault) = child.fault() {
            return Err(fault.into());
        }
        first.truncate(read.map_err(|error| Error::io("read from", "pg_dump", error))?);
        if first.is_empty() {
            self.judge(child.finish()?)?;
            return Err(Error::failed("pg_dump wrote nothing and said nothing", ""));
        }
        Ok(Cursor::new(first).chain(child))
    }
}

fn warn_of_rewritten(rewritten: &[String], job: &JobControl) {
    if !rewritten.is_empty() {
        let text = format!(
            "the dump may lack the rows of tables that somebody emptied or wrote anew just when it began, each time that it was \
             begun (let them not begin at the same time): {}",
            shown(rewritten)
        );
        job.warn(WarningCode::Other, None, text);
    }
}
