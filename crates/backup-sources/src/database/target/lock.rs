//! One restore at a time into a database: a second one would find it empty as long as the first is not committed, and whichever
//! fails could not tell what is its own.

use backup_core::JobControl;
use openssl::sha::sha256;

use super::DatabaseTarget;
use super::place::CLEANUP;
use crate::Error;
use crate::database::psql::Session;

/// Keeps other restores out of a database, wherever they run, until it is dropped. Where this process is killed outright, its
/// session with the server ends, and the lock with that.
pub(super) struct RestoreLock {
    session: Session,
    key: i64,
}

impl DatabaseTarget {
    /// Locks the database, be it there already or not; refused where another restore is at work.
    pub(super) fn lock(&self, job: &JobControl) -> Result<RestoreLock, Error> {
        job.check()?;
        // A restore that is cancelled holds it until it is taken back.
        let mut session = self.maintenance(&JobControl::new(CLEANUP))?;
        let key = key_of(&self.settings.name);
        if session.query_one(&format!("SELECT to_json(pg_try_advisory_lock('{key}'::bigint))"))? {
            return Ok(RestoreLock { session, key });
        }
        Err(Error::refused(
            format!("another restore into {} is at work", self.settings.describe()),
            "Wait until it has ended, or name another database.",
        ))
    }
}

impl Drop for RestoreLock {
    fn drop(&mut self) {
        let unlock = format!("SELECT pg_advisory_unlock('{}'::bigint)", self.key);
        if let Err(error) = self.session.execute(&unlock) {
            // The end of the session, which is next, does it as well.
            tracing::debug!(%error, "the lock on a restored database was not given back");
        }
    }
}

/// The lock's number: the server has 64 bits for it, and a database that does not exist yet has no number of its own.
fn key_of(database: &str) -> i64 {
    let hash = sha256(format!("backup restore {database}").as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(bytes)
}
