//! The one way in: every call is a named transaction on a pooled connection, off the asynchronous threads.

mod turns;

use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::{Clock, IdGenerator, OsRandom};
use chrono::{DateTime, Utc};
use diesel::r2d2::{ManageConnection, Pool, R2D2Connection};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::dialect::{self, Verdict};
use crate::error::{Error, TxError, TxResult};
use crate::migrate::{Failure, migrate};
use crate::opening::Opening;
use crate::pool::{self, Db, Link, Manager, unavailable};
use crate::url::Target;
use turns::{Turns, take};

/// How often a transaction is tried that another one got in the way of.
const TRIES: u32 = 5;

/// How long a call waits for its transaction. Statements are short, and locks are waited for in less: what takes longer hangs,
/// though its machine may still answer for it.
const ANSWER: Duration = Duration::from_mins(1);

/// How long a writer waits for those of other processes. They are many, and each is quick.
const FOR_WRITERS: Duration = pool::WAIT.saturating_mul(3);

/// Connections of one process. Writers take turns, so more would only wait.
const CONNECTIONS: u32 = 8;

/// Connections that no writer takes: those that wait for another process's writer must not keep readers waiting too.
const FOR_READERS: u32 = 2;

/// The catalog. A clone is another handle of the same one. Every method is one transaction: it happens whole or not at
/// all, also where the process is killed in the middle. While the database is away each method ends in
/// [`Error::Unavailable`] within seconds, or a minute where it takes words and answers none, and works again as soon as the
/// database is back.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    pool: Pool<Manager>,
    target: Target,
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
    connections: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    new_jobs: Notify,
}

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One statement that reads: it sees one state anyway, and needs no word to begin and none to end.
    Glance,
    Read,
    Write,
}

/// An open transaction.
pub(crate) struct Tx<'a> {
    pub(crate) db: &'a mut Db,
    /// The time of the transaction, taken when it had its turn.
    pub(crate) now: DateTime<Utc>,
    /// It adds a job: who waits for one is told when it stands.
    pub(crate) adds_job: bool,
    ids: &'a IdGenerator,
}

impl Tx<'_> {
    /// A new identifier.
    pub(crate) fn id<Id: From<uuid::Uuid>>(&self) -> TxResult<Id> {
        self.ids.next().map_err(|error| {
            TxError::Domain(Error::Failed {
                action: "make_id",
                reason: "the system's randomness cannot be read".to_owned(),
                source: Some(error.into()),
            })
        })
    }
}

impl Store {
    /// Opens the catalog at `url`, `sqlite://PATH` or `postgres://…`, and brings its tables up to date. The file and its
    /// folder are made when missing, for this user alone.
    ///
    /// # Errors
    /// [`Error::Refused`] where a person has to act (an unknown URL, a wrong password, no rights, a catalog that a newer
    /// version has migrated, which is left as it is), [`Error::Unavailable`] where the database does not answer.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let target = Target::parse(url)?;
        let pool = pool::pool(target.clone(), CONNECTIONS);
        let writers = match target {
            // In turn within the process; SQLite itself lets the waiting guess when to try again.
            Target::Sqlite(_) => 1,
            Target::Postgres(_) => (CONNECTIONS - FOR_READERS) as usize,
        };
        let store = Self(Arc::new(Inner {
            pool,
            target,
            ids: IdGenerator::new(clock.clone(), Arc::new(OsRandom)),
            clock,
            connections: Arc::new(Semaphore::new(CONNECTIONS as usize)),
            writers: Arc::new(Semaphore::new(writers)),
            new_jobs: Notify::new(),
        }));
        let inner = store.0.clone();
        blocking("open", move || inner.prepare()).await?;
        Ok(store)
    }

    /// Whether the catalog answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read("ping", |tx| crate::events::last_seq(tx).map(|_| ())).await
    }

    /// What catalog this is, for people: its URL without the password.
    pub fn describe(&self) -> String {
        self.0.target.to_string()
    }

    /// What kind of database it is, without where.
    pub fn kind(&self) -> &'static str {
        match self.0.target {
            Target::Sqlite(_) => "SQLite",
            Target::Postgres(_) => "PostgreSQL",
        }
    }

    /// Leaves the embedded catalog as one file, with nothing in its write-ahead file. The store still works afterwards.
    pub async fn close(&self) -> Result<(), Error> {
        let inner = self.0.clone();
        blocking("close", move || {
            let mut link = inner.connection()?;
            dialect::checkpoint(&mut link.db).map_err(|error| failed("close", error))
        })
        .await
    }

    /// Waits until somebody has added a job by this store or a clone of it; one that was added while nobody waited counts.
    /// For one waiter: whoever waits beside it may miss a job, as those of another process do.
    pub async fn job_added(&self) {
        self.0.new_jobs.notified().await;
    }

    /// The catalog's clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    /// A transaction that only reads, and sees one state throughout.
    pub(crate) async fn read<T, F>(&self, action: &'static str, body: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> TxResult<T> + Send + 'static,
    {
        self.run(action, Kind::Read, body).await
    }

    /// The same of `body` that runs one statement, or two that need not see one state: without the words that begin and end
    /// a transaction, half the way to a distant database. For what every request asks.
    pub(crate) async fn glance<T, F>(&self, action: &'static str, body: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> TxResult<T> + Send + 'static,
    {
        self.run(action, Kind::Glance, body).await
    }

    /// A transaction that may write. `body` runs again where another transaction got in the way, so it must have no
    /// effect outside the transaction.
    pub(crate) async fn write<T, F>(&self, action: &'static str, body: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> TxResult<T> + Send + 'static,
    {
        self.run(action, Kind::Write, body).await
    }

    async fn run<T, F>(&self, action: &'static str, kind: Kind, body: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> TxResult<T> + Send + 'static,
    {
        self.run_within(ANSWER, action, kind, body).await
    }

    async fn run_within<T, F>(
        &self,
        patience: Duration,
        action: &'static str,
        kind: Kind,
        mut body: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> TxResult<T> + Send + 'static,
    {
        let inner = self.0.clone();
        let asked = Instant::now();
        let turn = if kind == Kind::Write {
            inner.turn(&inner.writers).await?
        } else {
            None
        };
        let connection = inner.turn(&inner.connections).await?;
        let turns = Turns::new(turn, connection);
        let taken = turns.0.clone();
        let done = blocking(action, move || {
            // Held to the end of the transaction, even where the caller no longer waits for it.
            let Some(_held) = take(&taken) else {
                return Err(Error::Failed {
                    action,
                    reason: "nobody waits for it any more".to_owned(),
                    source: None,
                });
            };
            let result = inner.transaction(action, kind, &mut body);
            // With the time that it waited for its turn.
            debug!(
                transaction = action,
                micros = asked.elapsed().as_micros() as u64,
                "the catalog was asked"
            );
            result
        });
        // Its thread waits on with its connection and its turns, so that what hangs does not grow. What it was about to commit
        // is as unknown as where a connection broke.
        timeout(patience, done).await.unwrap_or_else(|_| {
            let reason = format!("timed out: there was no answer within {} s", patience.as_secs());
            Err(unavailable(&self.0.target, &reason))
        })
    }
}

impl Inner {
    fn connection(&self) -> Result<diesel::r2d2::PooledConnection<Manager>, Error> {
        self.pool
            .get()
            .map_err(|error| unavailable(&self.target, &error.to_string().replace(&self.unavailable_prefix(), "")))
    }

    /// What the manager's own error begins with, not to be said twice.
    fn unavailable_prefix(&self) -> String {
        format!("the catalog {} cannot be used now: ", self.target)
    }

    /// The first connection is made outside the pool, which would hide why it cannot be made.
    fn prepare(&self) -> Result<(), Error> {
        let _turn = match &self.target {
            Target::Sqlite(path) => {
                pool::make_folder(path)?;
                Some(Opening::take(path))
            }
            // Its migrations have a lock of their own.
            Target::Postgres(_) => None,
        };
        let manager = Manager::new(self.target.clone());
        let Link { mut db, .. } = manager.connect()?;
        let catalog = self.target.to_string();
        migrate(&mut db).map_err(|failure| match failure {
            Failure::Newer(version) => Error::Refused {
                catalog,
                reason: format!(
                    "a newer version of this program has used it (migration {version} is unknown to this one)"
                ),
                hint: "Start that version or a newer one, or name the copy of the catalog from before the upgrade."
                    .to_owned(),
                source: None,
            },
            Failure::Failed(error) => {
                let reason = error.to_string();
                if db.ping().is_err() {
                    return unavailable(&self.target, &reason);
                }
                Error::Refused {
                    catalog,
                    reason: format!("its tables cannot be brought up to date: {reason}"),
                    hint: "Check that the user may create tables.".to_owned(),
                    source: Some(error),
                }
            }
        })
    }

    fn transaction<T>(
        &self,
        action: &'static str,
        kind: Kind,
        body: &mut (dyn FnMut(&mut Tx<'_>) -> TxResult<T> + Send),
    ) -> Result<T, Error> {
        let mut tries = 0;
        let begun = Instant::now();
        loop {
            let mut link = self.connection()?;
            // Stays set where the body panics, so that no half-open transaction goes back to the pool.
            link.broken = true;
            let begun_so = match kind {
                Kind::Glance => Ok(()),
                Kind::Read => dialect::begin_read(&mut link.db),
                Kind::Write => dialect::begin_write(&mut link.db),
            };
            // The server may have gone and come back since: then the next connection is asked, until one is a new one.
            if begun_so.is_err() && link.untested && dialect::is_gone(&mut link.db) {
                continue;
            }
            let is_open = begun_so.is_ok();
            let done = begun_so
                .map_err(TxError::from)
                .and_then(|()| self.attempt(&mut link.db, kind, body));
            let error = match done {
                Ok(value) => {
                    link.worked();
                    return Ok(value);
                }
                Err(error) => error,
            };
            let first_word = kind == Kind::Glance && matches!(error, TxError::Database(_));
            if first_word && link.untested && dialect::is_gone(&mut link.db) {
                continue;
            }
            let undone = kind == Kind::Glance || dialect::rollback(&mut link.db).is_ok();
            let error = match error {
                TxError::Domain(error) => {
                    link.broken = !undone;
                    return Err(error);
                }
                TxError::Database(error) => error,
            };
            let verdict = if is_open {
                dialect::judge(&mut link.db, &error)
            } else {
                dialect::judge_begin(&mut link.db, &error)
            };
            let patience = if is_open { pool::WAIT } else { FOR_WRITERS };
            match verdict {
                Verdict::Retry if tries < TRIES && begun.elapsed() < patience => {
                    link.broken = !undone;
                    tries += 1;
                    warn!(action, tries, %error, "another transaction got in the way, trying again");
                    std::thread::sleep(Duration::from_millis(5 << tries));
                }
                Verdict::Retry => {
                    link.broken = !undone;
                    return Err(unavailable(&self.target, &error.to_string()));
                }
                Verdict::Unavailable => return Err(unavailable(&self.target, &error.to_string())),
                Verdict::Fatal => {
                    link.broken = !undone;
                    return Err(failed(action, error));
                }
            }
        }
    }

    fn attempt<T>(
        &self,
        db: &mut Db,
        kind: Kind,
        body: &mut (dyn FnMut(&mut Tx<'_>) -> TxResult<T> + Send),
    ) -> TxResult<T> {
        let mut tx = Tx {
            db,
            now: self.clock.now(),
            adds_job: false,
            ids: &self.ids,
        };
        let value = body(&mut tx)?;
        if kind != Kind::Glance {
            dialect::commit(tx.db)?;
        }
        if tx.adds_job {
            self.new_jobs.notify_one();
        }
        Ok(value)
    }
}

fn failed(action: &'static str, error: diesel::result::Error) -> Error {
    Error::Failed {
        action,
        reason: error.to_string(),
        source: Some(error.into()),
    }
}

async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(Error::Failed {
                action,
                reason: "the program is shutting down".to_owned(),
                source: Some(error.into()),
            }),
        },
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.describe()).finish()
    }
}
