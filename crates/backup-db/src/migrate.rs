//! Bringing the catalog's tables up to this program's version.

use std::time::Duration;

use diesel::backend::Backend;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tracing::info;

use crate::dialect::{lock_migrations, unlock_migrations};
use crate::pool::Db;

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// How long another process is waited for that seems to be at it, while nothing gets done; beside what the database waits.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(100);

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Runs the migrations that the catalog lacks. A process that finds none to run takes no lock; of several that start at
/// once on one server, one runs them and the others wait.
pub(crate) fn migrate(db: &mut Db) -> Result<(), Cause> {
    // Of several processes that ask an empty server at once, all but one may be told an error: the table of migrations is
    // just being made. Under the lock it is there, or the error is a real one.
    if let Ok(false) = pending(db) {
        return Ok(());
    }
    lock_migrations(db)?;
    let done = run_all(db);
    unlock_migrations(db)?;
    done
}

/// Runs them. On SQLite there is no lock that is held from one to the next: another process may be at it too, and then each
/// of them meets what the other has done, until nothing is left to do.
fn run_all(db: &mut Db) -> Result<(), Cause> {
    let mut patience = PATIENCE;
    loop {
        let before = applied(db).unwrap_or(0);
        let done = match db {
            Db::Pg(connection) => return run(connection, POSTGRES),
            Db::Sqlite(connection) => run(connection, SQLITE),
        };
        let Err(error) = done else { return Ok(()) };
        if let Ok(false) = pending(db) {
            return Ok(());
        }
        if applied(db).is_ok_and(|now| now > before) {
            patience = PATIENCE;
        } else if patience.is_zero() {
            return Err(error);
        }
        std::thread::sleep(PAUSE);
        patience = patience.saturating_sub(PAUSE);
    }
}

fn applied(db: &mut Db) -> Result<usize, Cause> {
    Ok(match db {
        Db::Pg(connection) => connection.applied_migrations()?.len(),
        Db::Sqlite(connection) => connection.applied_migrations()?.len(),
    })
}

fn pending(db: &mut Db) -> Result<bool, Cause> {
    match db {
        Db::Pg(connection) => connection.has_pending_migration(POSTGRES),
        Db::Sqlite(connection) => connection.has_pending_migration(SQLITE),
    }
}

fn run<DB: Backend>(connection: &mut impl MigrationHarness<DB>, source: EmbeddedMigrations) -> Result<(), Cause> {
    for version in connection.run_pending_migrations(source)? {
        info!(action = "catalog_migrated", %version, "the catalog was brought up to date");
    }
    Ok(())
}
