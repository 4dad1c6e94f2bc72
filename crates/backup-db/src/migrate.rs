//! Bringing the catalog's tables up to this program's version.

use std::collections::BTreeSet;
use std::time::Duration;

use diesel::backend::Backend;
use diesel::migration::{MigrationSource, MigrationVersion};
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

/// Why the tables are not as this program needs them.
pub(crate) enum Failure {
    /// A newer program has migrated them: this is a migration that this one does not know. Nothing was changed.
    Newer(String),
    /// A migration did not run, or the database does not answer.
    Failed(Cause),
}

impl<E: Into<Cause>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// How the tables stand to this program.
enum State {
    Behind,
    UpToDate,
    /// They have this migration, which this program does not know.
    Ahead(String),
}

/// Runs the migrations that the catalog lacks; none where it has one that is unknown. A process that finds none to run
/// takes no lock; of several that start at once on one server, one runs them and the others wait.
pub(crate) fn migrate(db: &mut Db) -> Result<(), Failure> {
    // Of several processes that ask an empty server at once, all but one may be told an error: the table of migrations is
    // just being made. Under the lock it is there, or the error is a real one.
    match state(db) {
        Ok(State::UpToDate) => return Ok(()),
        Ok(State::Ahead(version)) => return Err(Failure::Newer(version)),
        Ok(State::Behind) | Err(_) => {}
    }
    lock_migrations(db)?;
    let done = run_all(db);
    unlock_migrations(db)?;
    done?;
    // A newer program may have been the faster one.
    match state(db)? {
        State::Ahead(version) => Err(Failure::Newer(version)),
        State::Behind | State::UpToDate => Ok(()),
    }
}

/// Runs them. On SQLite nothing of the database's is held from one to the next: where the turn could not be had, another
/// process may be at it too, and then each of them meets what the other has done, until nothing is left to do.
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
    Ok(matches!(state(db)?, State::Behind))
}

fn state(db: &mut Db) -> Result<State, Cause> {
    match db {
        Db::Pg(connection) => compare(connection, &POSTGRES),
        Db::Sqlite(connection) => compare(connection, &SQLITE),
    }
}

fn compare<DB: Backend>(
    connection: &mut impl MigrationHarness<DB>,
    source: &EmbeddedMigrations,
) -> Result<State, Cause> {
    let migrations = MigrationSource::<DB>::migrations(source)?;
    let known: BTreeSet<MigrationVersion<'_>> = migrations.iter().map(|one| one.name().version()).collect();
    // The newest first.
    let applied = connection.applied_migrations()?;
    if let Some(unknown) = applied.iter().find(|version| !known.contains(version)) {
        return Ok(State::Ahead(unknown.to_string()));
    }
    Ok(if applied.len() < known.len() {
        State::Behind
    } else {
        State::UpToDate
    })
}

fn run<DB: Backend>(connection: &mut impl MigrationHarness<DB>, source: EmbeddedMigrations) -> Result<(), Cause> {
    for version in connection.run_pending_migrations(source)? {
        info!(action = "catalog_migrated", %version, "the catalog was brought up to date");
    }
    Ok(())
}
