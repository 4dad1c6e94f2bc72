//! What a call to the catalog can end in. The variants say what the caller can do: try again later, tell the person what
//! is in the way, stop working on a lost job. No message holds a password.

use backup_core::schedule::CronError;
use backup_core::{BackupId, JobStatus, Outage, PipelineError, RestoreId, ScheduleId};

use crate::JobKind;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a call to the catalog gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The catalog cannot be reached, or is too busy: nothing was changed, or the change can be asked for again.
    #[error("the catalog {catalog} cannot be used now: {reason}")]
    Unavailable {
        /// Which catalog, without its password.
        catalog: String,
        /// What the database or the system said.
        reason: String,
        /// What lies beneath.
        #[source]
        source: Option<Cause>,
    },
    /// The catalog cannot be opened as it is set up: a person has to act.
    #[error("the catalog {catalog} cannot be opened: {reason} (HINT: {hint})")]
    Refused {
        /// Which catalog, without its password.
        catalog: String,
        /// What is wrong.
        reason: String,
        /// What to do, a sentence.
        hint: String,
        /// What lies beneath.
        #[source]
        source: Option<Cause>,
    },
    /// Another worker has the job now, or it has ended: stop, and write nothing more about it.
    #[error("the lease of {kind} {id} is lost: another worker has taken it over, or it has ended")]
    LeaseLost {
        /// Which kind of job.
        kind: JobKind,
        /// Which job.
        id: String,
    },
    /// There is no such row.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What was looked for, in the singular.
        what: &'static str,
        /// Which one.
        id: String,
    },
    /// The state does not allow it.
    #[error("{what} {id} is {status}, which does not allow it")]
    WrongState {
        /// What it is, in the singular.
        what: &'static str,
        /// Which one.
        id: String,
        /// Where it stands.
        status: JobStatus,
    },
    /// A backup that waits or runs is not deleted.
    #[error("backup {0} is running (HINT: Cancel it first.)")]
    Running(BackupId),
    /// A protected backup is not deleted.
    #[error("backup {0} is protected (HINT: Lift the protection first.)")]
    Protected(BackupId),
    /// A backup that a restore, a verification, a consolidation or a download reads is not deleted.
    #[error("backup {id} is in use by {}", .jobs.join(", "))]
    InUse {
        /// The backup.
        id: BackupId,
        /// The jobs that read it, as `restore ID`, `verification ID`, `consolidation ID` or `download ID`.
        jobs: Vec<String>,
    },
    /// A restore whose replacement cannot be ended.
    #[error("restore {0} keeps nothing that it replaced, or that is being put back or removed already")]
    NothingKept(RestoreId),
    /// One restore at a time replaces a place, until what it replaced is ended.
    #[error(
        "restore {0} replaces the same place, or keeps what it replaced there (HINT: Wait for its end, then roll it back or confirm it.)"
    )]
    PlaceTaken(RestoreId),
    /// A schedule runs one backup at a time.
    #[error("backup {backup} of schedule {schedule} still waits or runs (HINT: Wait for its end, or cancel it.)")]
    StillRunning {
        /// The schedule.
        schedule: ScheduleId,
        /// Its backup.
        backup: BackupId,
    },
    /// A schedule's expression or time zone cannot be read.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// A backup that others build on is not deleted without them.
    #[error("other backups build on backup {id}: {} (HINT: Delete those too.)", join(.dependents))]
    HasDependents {
        /// The backup.
        id: BackupId,
        /// Every backup that cannot be restored without it, the ones to delete first first.
        dependents: Vec<BackupId>,
    },
    /// A backup that builds on nothing is FULL already.
    #[error("backup {0} builds on no other (HINT: Only what builds on another can be made into a full one.)")]
    StandsAlone(BackupId),
    /// A backup that cannot be restored is no good to make another of.
    #[error("backup {id} cannot be restored: {problem} (HINT: Use another one.)")]
    Damaged {
        /// The backup.
        id: BackupId,
        /// What is wrong with it, or with what it builds on.
        problem: String,
    },
    /// One FULL backup at a time is made of a backup.
    #[error("backup {by} is being made of backup {id} already (HINT: Wait for its end, or cancel it.)")]
    BeingConsolidated {
        /// The backup.
        id: BackupId,
        /// The one that is made of it.
        by: BackupId,
    },
    /// There is one already, with the same unique name.
    #[error("there is already a {what} {name}")]
    AlreadyExists {
        /// What it is, in the singular.
        what: &'static str,
        /// The name that is taken.
        name: String,
    },
    /// The system is paused only once.
    #[error("the system is paused already")]
    PausedAlready,
    /// There is no pause that could be ended.
    #[error("the system is not paused")]
    NotPaused,
    /// It is another by now than the one that was looked at.
    #[error("{what} {id} has been changed in the meantime (HINT: Look at it again, then change it again.)")]
    Changed {
        /// What it is, in the singular.
        what: &'static str,
        /// Which one.
        id: String,
    },
    /// A configuration that backups or schedules belong to is neither removed nor moved to another storage.
    #[error(
        "backups or schedules belong to the configuration {key} (HINT: Delete them first, or make another configuration.)"
    )]
    ConfigInUse {
        /// Its key.
        key: String,
    },
    /// Only an empty catalog is rebuilt.
    #[error(
        "the catalog {catalog} is not empty: it holds {holds} (HINT: Name another by CATALOG_URL or --catalog-url, which is \
         made where it does not exist.)"
    )]
    NotEmpty {
        /// Which catalog, without its password.
        catalog: String,
        /// What it holds, in the plural.
        holds: &'static str,
    },
    /// The last administrator who can log in stays one.
    #[error("the last administrator cannot be removed, deactivated or made a viewer")]
    LastAdmin,
    /// Anything else: a fault in the program or in the database's files.
    #[error("the catalog failed in {action}: {reason}")]
    Failed {
        /// Which transaction.
        action: &'static str,
        /// What the database said.
        reason: String,
        /// What lies beneath.
        #[source]
        source: Option<Cause>,
    },
}

fn join(ids: &[BackupId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Error {
    /// How the catalog is away, where that is what this tells.
    pub fn outage(&self) -> Outage {
        let (Self::Unavailable { reason, .. } | Self::Refused { reason, .. }) = self else {
            return Outage::Failed;
        };
        // libpq says what happened in words alone; a call that waited for a connection says why there was none behind it.
        let says = |words: &str| reason.contains(words);
        if says("Connection refused") {
            Outage::Refused
        } else if says("could not translate host name") || says("No such file or directory") {
            Outage::NotFound
        } else if says("timed out") || says("timeout expired") {
            Outage::Silent
        } else {
            Outage::Failed
        }
    }

    pub(crate) fn not_found(what: &'static str, id: &impl ToString) -> Self {
        Self::NotFound {
            what,
            id: id.to_string(),
        }
    }
}

impl From<Error> for PipelineError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let pipeline = match &error {
            Error::Unavailable { .. } => {
                Self::unavailable(message, "Check that the catalog's database runs and can be reached.")
            }
            Error::NotFound { .. } => Self::not_found(message, ""),
            Error::Failed { .. } => Self::failed(message, ""),
            _ => Self::refused(message, ""),
        };
        pipeline.because(error)
    }
}

/// What ends a transaction: the database's own error, which may be worth another try, or ours, which is not.
#[derive(Debug)]
pub(crate) enum TxError {
    Database(diesel::result::Error),
    Domain(Error),
}

impl From<diesel::result::Error> for TxError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for TxError {
    fn from(error: Error) -> Self {
        Self::Domain(error)
    }
}

/// The result of a step inside a transaction.
pub(crate) type TxResult<T> = Result<T, TxError>;
