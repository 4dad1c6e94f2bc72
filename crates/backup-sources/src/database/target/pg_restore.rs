//! Running `pg_restore`, and what its end means.

use std::io::{ErrorKind, Write as _};

use backup_core::{JobControl, PartReader};

use super::DatabaseTarget;
use super::place::{Made, Place};
use super::selection::Selection;
use crate::Error;
use crate::child::Exit;
use crate::database::DUMP;
use crate::database::about::About;
use crate::database::psql::{Session, identifier};
use crate::database::server::{Program, hint_for};

/// Bytes that are handed on at once.
pub(in crate::database) const BLOCK: usize = 256 * 1024;

/// A role, or a database that was there, may be set to what would hinder the restore.
const UNHINDERED: &str = "-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 \
    -c idle_in_transaction_session_timeout=0";

/// For many small transactions, which need not each be on the disk before the next begins: the one that sets the new database
/// up afterwards waits for all before it.
pub(super) const LAZY: &str = "-c synchronous_commit=off";

/// What is said where the server, or who runs the restore, lacks something that is no part of the dump, or one of the two ended
/// it. Amounts of money are read by the server's locale.
const NOT_THE_DUMP: [&str; 30] = [
    "No space left",
    "can only create extension in database",
    "canceling statement",
    "connection to server",
    "could not access file",
    "could not connect",
    "could not extend file",
    "could not load library",
    "could not open extension control file",
    "could not set default_tablespace",
    "during recovery",
    "for type money",
    "has no installation script",
    "in a read-only transaction",
    "is not loaded",
    "must be loaded via",
    "must be member",
    "must be owner",
    "must be superuser",
    "out of memory",
    "out of shared memory",
    "permission denied",
    "remaining connection slots",
    "requires the server to be built with",
    "server closed the connection",
    "supported in this build",
    "terminated by user",
    "terminating connection",
    "too many clients",
    "unrecognized configuration parameter",
];

/// `pg_restore` into the database; where it reads from is still to be said.
pub(super) struct Restorer {
    pub(super) program: Program,
    /// Whether it sets what the server does not know, which has to be let pass.
    pub(super) passes_over_timeout: bool,
}

impl DatabaseTarget {
    pub(super) fn restorer(&self, about: &About, job: &JobControl) -> Result<Restorer, Error> {
        let passes_over_timeout = self.must_pass_over_timeout(job)?;
        let mut program = self.settings.program("pg_restore")?;
        program.command.arg("--no-password");
        program.set(UNHINDERED);
        if !passes_over_timeout {
            program.command.arg("--exit-on-error");
        }
        program
            .command
            .arg(format!("--dbname={}", self.settings.conninfo(&self.settings.name)));
        if self.options.skip_owner {
            program.command.args(["--no-owner", "--no-acl"]);
        }
        if self.options.skip_tablespaces {
            program.command.arg("--no-tablespaces");
        }
        self.read_money(about, &mut program, job)?;
        Ok(Restorer {
            program,
            passes_over_timeout,
        })
    }

    /// Restores the dump while it comes out of the archive. Into a database that was there in one transaction, but for
    /// schemas, which are noted in `made`.
    pub(super) fn restore_on_the_way(
        &self,
        place: &Place,
        selection: &Selection,
        restorer: Restorer,
        part: &mut dyn PartReader,
        made: &mut Made,
        job: &JobControl,
    ) -> Result<(), Error> {
        let Restorer {
            mut program,
            passes_over_timeout,
        } = restorer;
        if matches!(place, Place::Empty { .. }) {
            if passes_over_timeout {
                return Err(Error::refused(
                    "this pg_restore cannot fill a database that exists on a server older than PostgreSQL 17",
                    "Restore into a database that does not exist yet.",
                ));
            }
            program.command.arg("--single-transaction");
        }
        if !selection.is_everything() {
            let mut session = Session::open(&self.settings, &self.settings.name, job)?;
            let there: Vec<String> = session.query("SELECT to_json(nspname) FROM pg_namespace")?;
            for schema in selection.schemas() {
                if !there.iter().any(|name| name == schema) {
                    session.execute(&format!("CREATE SCHEMA {}", identifier(schema)))?;
                    made.schemas.push(schema.to_owned());
                }
                program.command.arg(format!("--schema={schema}"));
            }
            program
                .command
                .args(selection.names().map(|name| format!("--table={name}")));
        }
        let mut child = self.settings.spawn(program, job)?;
        child.close_stdout();
        each_block(part, job, &mut |bytes| match child.write_all(bytes) {
            Ok(()) => Ok(true),
            // It has ended before the end of the dump: how, its exit says.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::content("pg_restore", error)),
        })?;
        self.judge(child.finish()?, passes_over_timeout)
    }

    /// Whether `pg_restore` will set `transaction_timeout`, which it does since version 17 whatever the server, on a server
    /// that does not know it. Its dumps can be read by nothing older, so that has to be let pass.
    fn must_pass_over_timeout(&self, job: &JobControl) -> Result<bool, Error> {
        let (_, major) = self.settings.program_version("pg_restore", job)?;
        let server: u32 = (self.maintenance(job)?).query_one("SELECT current_setting('server_version_num')")?;
        Ok(major >= 17 && server < 170_000)
    }

    /// An error unless `pg_restore` said that all is well, or that all but the one setting is.
    pub(super) fn judge(&self, exit: Exit, passes_over_timeout: bool) -> Result<(), Error> {
        if passes_over_timeout && exit.code() == Some(1) && is_timeout_alone(&exit.stderr) {
            return Ok(());
        }
        if let Some(error) = self.settings.lost(&exit) {
            return Err(error);
        }
        let hint = hint_for(&exit.stderr);
        let has_said = exit.code().is_some();
        match exit.check(hint) {
            Ok(_) => Ok(()),
            Err(Error::Failed { message, hint }) if has_said && is_of_the_dump(&message) => {
                Err(Error::Unrestorable { message, hint })
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether every error that was said is that of the unknown setting: counted in three ways, so that no text in a row or a
/// name can hide another.
fn is_timeout_alone(said: &str) -> bool {
    let error = "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter \"transaction_timeout\"";
    let ignored = said
        .rsplit("errors ignored on restore: ")
        .next()
        .and_then(|count| count.trim().parse().ok());
    let found = said.matches(error).count();
    ignored == Some(found) && said.matches("pg_restore: error:").count() == found
}

fn is_of_the_dump(said: &str) -> bool {
    let lacks_role = said.contains("ERROR:  role \"") && said.contains("\" does not exist");
    // A worker that ends for the dump's sake says so first.
    let lost_worker =
        said.contains("a worker process died unexpectedly") && said.matches("pg_restore: error:").count() == 1;
    !lacks_role && !lost_worker && !NOT_THE_DUMP.iter().any(|words| said.contains(words))
}

/// Hands on the current entry's content, block by block, until `take` says that it is enough.
pub(super) fn each_block(
    part: &mut dyn PartReader,
    job: &JobControl,
    take: &mut dyn FnMut(&[u8]) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut buffer = vec![0; BLOCK];
    loop {
        job.check()?;
        let length = match part.content().read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::content(DUMP, error)),
        };
        if length == 0 || !take(&buffer[..length])? {
            return Ok(());
        }
        job.advance(length as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_restore_is_held_against_the_dump_only_where_it_lies_there() {
        assert!(NOT_THE_DUMP.is_sorted());
        let is_of_the_dump = |said: &str| is_of_the_dump(&format!("pg_restore failed with exit code 1: {said}"));
        let query = "pg_restore: error: could not execute query: ERROR:  ";
        let row =
            "pg_restore: error: COPY failed for table \"t\": ERROR:  invalid input syntax for type integer: \"x\"";
        let worker = "pg_restore: error: a worker process died unexpectedly";
        for said in [
            worker.to_owned(),
            "pg_restore: terminated by user".to_owned(),
            "pg_restore: error: could not connect to database \"d\": FATAL:  sorry, too many clients already"
                .to_owned(),
            "FATAL:  remaining connection slots are reserved for non-replication superuser connections".to_owned(),
            "pg_restore: error: connection to server on socket \"s\" failed: No such file or directory".to_owned(),
            "server closed the connection unexpectedly".to_owned(),
            "FATAL:  terminating connection due to administrator command".to_owned(),
            format!("{query}canceling statement due to user request"),
            format!("{query}can only create extension in database postgres"),
            format!("{query}cannot execute CREATE TABLE in a read-only transaction"),
            format!("{query}cannot execute CREATE TABLE during recovery"),
            format!("{query}role \"r\" does not exist"),
            "pg_restore: error: COPY failed for table \"t\": ERROR:  invalid input syntax for type money: \"NT$1\""
                .to_owned(),
        ] {
            assert!(!is_of_the_dump(&said), "{said}");
        }
        for said in [
            row.to_owned(),
            format!("{row}; {worker}"),
            format!("{query}could not create unique index \"t_pkey\"; {worker}"),
            "pg_restore: error: could not read from input file: end of file".to_owned(),
        ] {
            assert!(is_of_the_dump(&said), "{said}");
        }
    }
}
