//! The transaction that renames, and the ending of the sessions that are in its way.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use backup_core::JobControl;
use backup_core::restore::{Refusal, RefusalCode};

use super::{ATTEMPTS, DatabaseSwap, Numbers};
use crate::Error;
use crate::database::psql::{Session, identifier, literal};
use crate::database::shown;

/// How long a rename may wait for its lock: so long new sessions wait behind it.
const LOCK_TIMEOUT: &str = "2s";
/// How often the sessions that are in the way are looked for. The server looks every 100 ms whether they are gone.
const PAUSE: Duration = Duration::from_millis(20);

/// Which sessions this user may end, of `a`, a row of `pg_stat_activity`, as the server sees it.
const MAY_END: &str = "((SELECT rolsuper FROM pg_roles WHERE rolname = current_user) OR EXISTS (
    SELECT FROM pg_roles theirs WHERE theirs.oid = a.usesysid AND NOT theirs.rolsuper
    AND (pg_has_role(theirs.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))))";

impl DatabaseSwap {
    /// Carries out the renames that `wanted` names for the databases that are there, all in one transaction; none: nothing
    /// is left to do. What is there is looked at again before each attempt: a connection that was lost does not tell whether
    /// the transaction was committed.
    pub(super) fn exchange<'a>(
        &'a self,
        job: &JobControl,
        wanted: impl Fn(&Numbers) -> Result<Vec<(&'a str, &'a str)>, Error>,
    ) -> Result<(), Error> {
        let mut attempt = 0;
        loop {
            let mut server = self.server(job)?;
            let renames = wanted(&self.numbers(&mut server)?)?;
            if renames.is_empty() {
                return Ok(());
            }
            attempt += 1;
            match self.rename(server, &renames, job) {
                Ok(()) => return Ok(()),
                Err(error @ (Error::Failed { .. } | Error::Unavailable { .. })) if attempt < ATTEMPTS => {
                    tracing::warn!(%error, attempt, database = self.names.live, "cannot exchange the database yet");
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A session that nobody may end would hold up everybody else until the renames fail.
    fn check_sessions(&self, server: &mut Session, renames: &[(&str, &str)]) -> Result<(), Error> {
        let names: Vec<String> = renames.iter().map(|(from, _)| literal(from)).collect();
        let theirs = unendable(&format!("a.datname IN ({})", names.join(", ")));
        let users: Vec<String> =
            server.query(&format!("SELECT to_json(name) FROM ({theirs}) AS theirs ORDER BY name"))?;
        if users.is_empty() {
            return Ok(());
        }
        Err(self.may_not_end(&users).into())
    }

    pub(super) fn may_not_end(&self, users: &[String]) -> Refusal {
        Refusal::new(
            RefusalCode::NotPermitted,
            format!(
                "the user may not end the sessions with {} of: {}",
                self.describe_live(),
                shown(users)
            ),
            "Grant the user pg_signal_backend, end sessions of superusers by hand, or use a superuser.",
        )
    }

    /// Each rename first locks its database, so that new sessions wait, and then waits up to 5 seconds for those that are
    /// there to end; another session of ours ends them meanwhile. The locks stay until the transaction ends: a session that
    /// waited finds its database gone, and its client the new one when it tries again.
    fn rename(&self, mut server: Session, renames: &[(&str, &str)], job: &JobControl) -> Result<(), Error> {
        self.check_sessions(&mut server, renames)?;
        let backend: u32 = server.query_one("SELECT pg_backend_pid()")?;
        let ender = self.server(job)?;
        let (done, until) = channel();
        std::thread::scope(|scope| {
            scope.spawn(move || end_sessions(ender, backend, &until));
            let result = in_transaction(&mut server, renames);
            drop::<std::sync::mpsc::Sender<()>>(done);
            result
        })
    }
}

/// Users of the sessions, given by a condition on `a`, that this user may not end. Those of the server itself, without a
/// user, end when a rename wants them to.
pub(super) fn unendable(which: &str) -> String {
    format!(
        "SELECT DISTINCT coalesce(a.usename::text, a.usesysid::text) AS name FROM pg_stat_activity a
         WHERE {which} AND a.usesysid IS NOT NULL AND NOT {MAY_END}"
    )
}

/// Where this process is killed in between, `psql` ends with the statement that runs, and the server takes all of it back.
fn in_transaction(server: &mut Session, renames: &[(&str, &str)]) -> Result<(), Error> {
    server.execute("BEGIN")?;
    server.execute(&format!("SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))?;
    for (from, to) in renames {
        server.execute(&format!(
            "ALTER DATABASE {} RENAME TO {}",
            identifier(from),
            identifier(to)
        ))?;
    }
    server.execute("COMMIT")
}

/// Ends the sessions with the databases that `backend` has locked, until told to stop: nobody else, and nobody before the
/// lock is there, as they would only come back.
fn end_sessions(mut server: Session, backend: u32, until: &Receiver<()>) {
    let statement = format!(
        "SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a JOIN pg_locks l ON l.objid = a.datid
         WHERE l.pid = {backend} AND l.locktype = 'object' AND l.classid = 'pg_database'::regclass AND l.granted
         AND l.mode = 'AccessExclusiveLock' AND {MAY_END}"
    );
    while let Err(RecvTimeoutError::Timeout) = until.recv_timeout(PAUSE) {
        if let Err(error) = server.execute(&statement) {
            // The rename says which sessions are left.
            tracing::warn!(%error, "cannot end the sessions with a database that is exchanged");
            return;
        }
    }
}
