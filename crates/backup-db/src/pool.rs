//! Connections: how one is opened, when one is still good, and how many there are at the most.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::{Connection, SimpleConnection};
use diesel::pg::PgConnection;
use diesel::r2d2::{ManageConnection, NopErrorHandler, Pool, R2D2Connection};
use diesel::sqlite::SqliteConnection;
use tracing::debug;

use crate::Error;
use crate::url::{PostgresUrl, Target};

/// One connection, to either database. Queries are written once, against this.
#[derive(diesel::MultiConnection)]
pub(crate) enum Db {
    Pg(PgConnection),
    Sqlite(SqliteConnection),
}

/// A connection and whether it may be used again.
pub(crate) struct Link {
    pub(crate) db: Db,
    /// Set while a transaction is open and after the server went away: such a connection is thrown away on return.
    pub(crate) broken: bool,
    /// When it was last seen to work.
    worked_at: Instant,
    /// Given out untested, since it had worked a moment ago: its first word may fail where another connection's would not.
    pub(crate) untested: bool,
}

impl Link {
    fn new(db: Db) -> Self {
        Self {
            db,
            broken: false,
            worked_at: Instant::now(),
            untested: false,
        }
    }

    /// Its transaction came to its end: it may go back.
    pub(crate) fn worked(&mut self) {
        self.broken = false;
        self.worked_at = Instant::now();
    }
}

/// Opens connections to the catalog.
pub(crate) struct Manager {
    target: Target,
}

/// How long a call waits for a connection before it says that the catalog is unavailable.
pub(crate) const WAIT: Duration = Duration::from_secs(4);

/// For so long a connection that worked is given out again without a question of its own to the server.
const TRUST: Duration = Duration::from_secs(1);

/// How long a writer waits for another process's writer.
const BUSY_MILLIS: u32 = 5_000;

pub(crate) fn pool(target: Target, size: u32) -> Pool<Manager> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(0))
        .connection_timeout(WAIT)
        .idle_timeout(Some(Duration::from_mins(10)))
        .error_handler(Box::new(NopErrorHandler))
        .build_unchecked(Manager::new(target))
}

impl Manager {
    pub(crate) fn new(target: Target) -> Self {
        Self { target }
    }
}

impl ManageConnection for Manager {
    type Connection = Link;
    type Error = Error;

    fn connect(&self) -> Result<Link, Error> {
        let db = match &self.target {
            Target::Sqlite(path) => Db::Sqlite(open_sqlite(path)?),
            Target::Postgres(url) => Db::Pg(open_postgres(url)?),
        };
        Ok(Link::new(db))
    }

    fn is_valid(&self, link: &mut Link) -> Result<(), Error> {
        match &mut link.db {
            // A file does not go away behind a connection's back the way a server does.
            Db::Sqlite(_) => Ok(()),
            Db::Pg(connection) => {
                link.untested = link.worked_at.elapsed() < TRUST;
                if link.untested {
                    return Ok(());
                }
                connection
                    .ping()
                    .map_err(|error| unavailable(&self.target, &error.to_string()))
            }
        }
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.broken
    }
}

const FOLDER_HINT: &str = "Check that the folder of the catalog exists and that this user may write to it.";

/// Makes the folder of the embedded catalog where it is missing, for this user alone.
pub(crate) fn make_folder(path: &Path) -> Result<(), Error> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| {
        let reason = format!("the folder {} cannot be made: {error}", folder.display());
        refused(path, reason, FOLDER_HINT)
    })
}

fn refused(path: &Path, reason: String, hint: &str) -> Error {
    Error::Refused {
        catalog: Target::Sqlite(path.to_owned()).to_string(),
        reason,
        hint: hint.to_owned(),
        source: None,
    }
}

fn open_sqlite(path: &Path) -> Result<SqliteConnection, Error> {
    let target = Target::Sqlite(path.to_owned());
    // The write-ahead files take their mode from this one. It is not opened where it is there: closing it again would end
    // the locks that this process's other connections hold on it (fcntl(2)).
    let made = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    if let Err(error) = made
        && error.kind() != ErrorKind::AlreadyExists
    {
        return Err(refused(path, error.to_string(), FOLDER_HINT));
    }
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())
        .map_err(|error| refused(path, error.to_string(), FOLDER_HINT))?;
    // synchronous = FULL: a backup that was reported as done is still done after a power cut.
    connection
        .batch_execute(&format!(
            "PRAGMA busy_timeout = {BUSY_MILLIS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             PRAGMA foreign_keys = ON;"
        ))
        .map_err(|error| {
            let reason = error.to_string();
            if reason.contains("locked") {
                unavailable(&target, &reason)
            } else if reason.contains("readonly") {
                refused(path, reason, FOLDER_HINT)
            } else {
                refused(
                    path,
                    reason,
                    "Check that the file is a catalog of this program, and not damaged.",
                )
            }
        })?;
    // How rows are found best depends on how many there are, which SQLite counts (a sample, in milliseconds) only when told
    // to. Whoever finds another writing goes on without.
    if let Err(error) = connection.batch_execute("PRAGMA busy_timeout = 0; PRAGMA optimize = 0x10002") {
        debug!(%error, "the embedded catalog was not analysed");
    }
    connection
        .batch_execute(&format!("PRAGMA busy_timeout = {BUSY_MILLIS}"))
        .map_err(|error| unavailable(&target, &error.to_string()))?;
    Ok(connection)
}

fn open_postgres(url: &PostgresUrl) -> Result<PgConnection, Error> {
    let target = Target::Postgres(url.clone());
    let mut connection = PgConnection::establish(&url.for_libpq()).map_err(|error| {
        let reason = one_line(&url.redact(&error.to_string()));
        match hint_for(&reason) {
            Some(hint) => Error::Refused {
                catalog: target.to_string(),
                reason,
                hint: hint.to_owned(),
                source: None,
            },
            None => unavailable(&target, &reason),
        }
    })?;
    // Every writer waits for the one before it: none may keep the others waiting for ever. Statements are short: to compile
    // one, or to start helpers for it, takes longer than to run it.
    connection
        .batch_execute(
            "SET TIME ZONE 'UTC'; SET client_min_messages = warning; SET application_name = 'backup-catalog'; \
             SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'; \
             SET jit = off; SET max_parallel_workers_per_gather = 0;",
        )
        .map_err(|error| unavailable(&target, &one_line(&url.redact(&error.to_string()))))?;
    Ok(connection)
}

/// What to do about a connection that will not come of itself, or `None` where it may.
fn hint_for(reason: &str) -> Option<&'static str> {
    const HINTS: [(&str, &str); 8] = [
        (
            "authentication failed",
            "Check the user and the password in CATALOG_URL.",
        ),
        ("no password supplied", "Give the password in CATALOG_URL."),
        ("no pg_hba.conf entry", "Allow this host in the server's pg_hba.conf."),
        (
            "does not exist",
            "Create the role and the database that CATALOG_URL names.",
        ),
        (
            "permission denied",
            "Give the user of CATALOG_URL the right to connect.",
        ),
        (
            "invalid",
            "Check CATALOG_URL; percent-encode special characters of the password.",
        ),
        ("could not translate host name", "Check the host in CATALOG_URL."),
        (
            "unexpected",
            "Check CATALOG_URL; percent-encode special characters of the password.",
        ),
    ];
    // A server that answers "unexpectedly" may just be restarting.
    let reason = reason.replace("closed the connection unexpectedly", "");
    HINTS
        .iter()
        .find(|(text, _)| reason.contains(text))
        .map(|(_, hint)| *hint)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn unavailable(target: &Target, reason: &str) -> Error {
    Error::Unavailable {
        catalog: target.to_string(),
        reason: one_line(reason),
        source: None,
    }
}
