//! Bringing the catalog's tables up to this program's version.

use diesel::backend::Backend;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tracing::info;

use crate::dialect::{lock_migrations, unlock_migrations};
use crate::pool::Db;

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

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
    let done = match db {
        Db::Pg(connection) => run(connection, POSTGRES),
        Db::Sqlite(connection) => run(connection, SQLITE),
    };
    unlock_migrations(db)?;
    match done {
        // On SQLite there is no such lock: another process may have been there first.
        Err(_) if !pending(db)? => Ok(()),
        done => done,
    }
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
