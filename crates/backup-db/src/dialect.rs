//! Everything that the two databases do differently, in one place.

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::pool::Db;

/// Expands one written query for both concrete connections, for the few that the enum of both cannot express.
macro_rules! on_db {
    ($db:expr, |$connection:ident| $query:expr) => {
        match $db {
            $crate::pool::Db::Pg($connection) => $query,
            $crate::pool::Db::Sqlite($connection) => $query,
        }
    };
}
pub(crate) use on_db;

/// Any number that nothing else locks: writers of one catalog on PostgreSQL queue for it.
const WRITER_LOCK: i64 = 0x6261_636b_7570_0001;
const MIGRATION_LOCK: i64 = 0x6261_636b_7570_0002;

/// Begins a transaction that sees one state of the catalog throughout and writes nothing.
pub(crate) fn begin_read(db: &mut Db) -> QueryResult<()> {
    match db {
        Db::Pg(connection) => AnsiTransactionManager::begin_transaction_sql(
            connection,
            "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
        ),
        Db::Sqlite(connection) => AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN DEFERRED"),
    }
}

/// Begins a transaction that is the catalog's only writer until it ends. SQLite knows no other way; PostgreSQL would, but
/// every change appends to one ordered list of events and so waits for the others anyway. Waiting at the start instead
/// means that there are no races, no deadlocks and no serialisation failures, and that both databases behave alike.
pub(crate) fn begin_write(db: &mut Db) -> QueryResult<()> {
    match db {
        // In one word: a server may be far away. Where the second half of it fails, the connection is not used again.
        Db::Pg(connection) => AnsiTransactionManager::begin_transaction_sql(
            connection,
            &format!("BEGIN; SELECT pg_advisory_xact_lock({WRITER_LOCK})"),
        ),
        Db::Sqlite(connection) => AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE"),
    }
}

/// Makes the open transaction's changes durable.
pub(crate) fn commit(db: &mut Db) -> QueryResult<()> {
    <Db as Connection>::TransactionManager::commit_transaction(db)
}

/// Undoes the open transaction.
pub(crate) fn rollback(db: &mut Db) -> QueryResult<()> {
    <Db as Connection>::TransactionManager::rollback_transaction(db)
}

/// Holds off other migrations of the same catalog until the connection unlocks or closes.
pub(crate) fn lock_migrations(db: &mut Db) -> QueryResult<()> {
    match db {
        // Another node's migration may take longer than any other lock is waited for.
        Db::Pg(connection) => connection.batch_execute(&format!(
            "SET lock_timeout = '10min'; SELECT pg_advisory_lock({MIGRATION_LOCK}); SET lock_timeout = '5s'"
        )),
        Db::Sqlite(_) => Ok(()),
    }
}

/// Lets other migrations go on.
pub(crate) fn unlock_migrations(db: &mut Db) -> QueryResult<()> {
    match db {
        Db::Pg(connection) => connection.batch_execute(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})")),
        Db::Sqlite(_) => Ok(()),
    }
}

/// Moves what is in the write-ahead file into the catalog's file, so that the file alone is the catalog.
pub(crate) fn checkpoint(db: &mut Db) -> QueryResult<()> {
    match db {
        Db::Pg(_) => Ok(()),
        Db::Sqlite(connection) => connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)"),
    }
}

/// Whether the server does not answer on this connection any more. A transaction that failed takes no other word than this.
pub(crate) fn is_gone(db: &mut Db) -> bool {
    match db {
        Db::Pg(connection) => connection.batch_execute("ROLLBACK").is_err(),
        Db::Sqlite(_) => false,
    }
}

/// What an error of the database means for the transaction that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same transaction may succeed at once.
    Retry,
    /// The database is away or worn out: later.
    Unavailable,
    /// It will not succeed.
    Fatal,
}

/// Judges `error`, by which a transaction could not begin.
pub(crate) fn judge_begin(db: &mut Db, error: &DieselError) -> Verdict {
    if matches!(db, Db::Sqlite(_)) {
        judge(db, error)
    } else if is_gone(db) {
        Verdict::Unavailable
    } else {
        // Of these words only the wait for the other writers can fail, in whatever language the server says so.
        Verdict::Retry
    }
}

/// Judges `error`, which `db` has just met.
pub(crate) fn judge(db: &mut Db, error: &DieselError) -> Verdict {
    let DieselError::DatabaseError(kind, information) = error else {
        // A transaction manager that lost count belongs to a connection that went away in the middle.
        return match error {
            DieselError::BrokenTransactionManager | DieselError::RollbackErrorOnCommit { .. } => Verdict::Unavailable,
            _ => Verdict::Fatal,
        };
    };
    let message = information.message();
    match (kind, db) {
        (DatabaseErrorKind::SerializationFailure, _) => Verdict::Retry,
        // Read-only: the server has become a standby, and the next connection finds the new primary.
        (
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ReadOnlyTransaction,
            _,
        ) => Verdict::Unavailable,
        (_, Db::Sqlite(_)) if message.contains("locked") => Verdict::Retry,
        (_, Db::Sqlite(_)) if message.contains("disk is full") || message.contains("disk I/O error") => {
            Verdict::Unavailable
        }
        (_, Db::Pg(_)) if message.contains("deadlock detected") => Verdict::Retry,
        (_, Db::Pg(_)) if message.contains("lock timeout") || message.contains("No space left") => Verdict::Unavailable,
        (DatabaseErrorKind::Unknown, Db::Pg(connection)) => {
            // The text of what ends a connection depends on the server's language: ask the connection instead.
            let _ = connection.batch_execute("ROLLBACK");
            match connection.batch_execute("SELECT 1") {
                Ok(()) => Verdict::Fatal,
                Err(_) => Verdict::Unavailable,
            }
        }
        _ => Verdict::Fatal,
    }
}
