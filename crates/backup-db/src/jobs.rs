//! Jobs: claiming, the heartbeat, giving back, asking to stop. Backups, restores and verifications are jobs alike; the row
//! is the job.
//!
//! A worker holds a job by a lease: a token that every later write about the job has to show. A lease that ran out may be
//! taken over; from then on the old token opens nothing, so the worker that lost it cannot overwrite the new one's result.

use std::time::Duration;

use backup_core::restore::{RestoreRecord, VerificationRecord};
use backup_core::{Backup, BackupId, JobLog, JobStatus, RestoreId, Step, StepStart, VerificationId, text_enum};
use chrono::{DateTime, TimeDelta, Utc};

use crate::audit::{self, NewAuditEntry};
use crate::error::{TxError, TxResult};
use crate::leases::{backup_jobs, restore_jobs, verification_jobs};
use crate::store::Tx;
use crate::{Error, Store};

text_enum! {
    /// What a job does.
    pub enum JobKind {
        /// Makes a backup.
        Backup => "backup",
        /// Brings one back.
        Restore => "restore",
        /// Checks one.
        Verification => "verification",
    }
}

/// A worker's hold on a job.
#[derive(Clone, PartialEq, Eq)]
pub struct Lease {
    /// What the job does.
    pub kind: JobKind,
    /// The row's identifier.
    pub id: String,
    /// Proves that the job is this worker's; made anew for each claim.
    pub token: String,
    /// When another worker may take the job over, unless a heartbeat comes before.
    pub expires_at: DateTime<Utc>,
    /// How often the job has been taken up, this time included.
    pub attempts: u32,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// A job that a worker has taken up.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// The worker's hold on it.
    pub lease: Lease,
    /// The job, as it stands after the claim.
    pub job: Job,
    /// Another worker's lease on it had run out: what that one left behind has to be looked for first.
    pub taken_over: bool,
    /// It has been taken up more often than is allowed: only adopt what is in storage, or end it as failed.
    pub exhausted: bool,
    /// What the attempts before this one noted: this one goes on with it.
    pub log: JobLog,
}

/// A job of one of the three kinds.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Make this backup.
    Backup(Backup),
    /// Do this restore.
    Restore(RestoreRecord),
    /// Do this check.
    Verification(VerificationRecord),
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPosition {
    /// Percent, 0 to 100.
    pub progress: u8,
    /// What it is doing.
    pub step: Step,
    /// When each of its steps began, this one included; empty where nobody notes it.
    pub steps: Vec<StepStart>,
    /// Its log; `None`: nothing is new in it. Of two that come at once, the one with more lines stays.
    pub log: Option<JobLog>,
}

impl JobPosition {
    /// The position of a job of which nobody notes more.
    pub fn new(progress: u8, step: Step) -> Self {
        Self {
            progress,
            step,
            steps: Vec::new(),
            log: None,
        }
    }
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Somebody asked for the job to stop.
    pub cancel_requested: bool,
    /// When the lease runs out now.
    pub expires_at: DateTime<Utc>,
}

/// What came of the wish to stop a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelResult {
    /// It waited, and is cancelled.
    Cancelled,
    /// It runs; its worker is told at the next heartbeat.
    Requested,
}

/// Runs `$body` with `$jobs` standing for the functions of the job table of `$kind`.
macro_rules! for_kind {
    ($kind:expr, $jobs:ident => $body:expr) => {
        match $kind {
            JobKind::Backup => {
                use crate::leases::backup_jobs as $jobs;
                $body
            }
            JobKind::Restore => {
                use crate::leases::restore_jobs as $jobs;
                $body
            }
            JobKind::Verification => {
                use crate::leases::verification_jobs as $jobs;
                $body
            }
        }
    };
}
pub(crate) use for_kind;

impl Store {
    /// Says that the worker is alive: extends the lease by `lease_for` from now, records how far the job is, and
    /// brings back whether it should stop.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] where the job is no longer this worker's.
    pub async fn heartbeat(&self, lease: &Lease, at: JobPosition, lease_for: Duration) -> Result<Heartbeat, Error> {
        let lease = lease.clone();
        self.write(
            "heartbeat",
            move |tx| for_kind!(lease.kind, jobs => jobs::heartbeat(tx, &lease, &at, lease_for)),
        )
        .await
    }

    /// When each step of a job's last attempt began, as its worker noted; none where there is no such job.
    pub async fn steps_of(&self, kind: JobKind, id: &str) -> Result<Vec<StepStart>, Error> {
        let id = id.to_owned();
        self.read("steps_of", move |tx| for_kind!(kind, jobs => jobs::steps(tx, &id)))
            .await
    }

    /// What a job's attempts did, as their workers noted: up to the last heartbeat where a worker died. Empty where there is no
    /// such job. It goes with the job's row.
    pub async fn log_of(&self, kind: JobKind, id: &str) -> Result<JobLog, Error> {
        let id = id.to_owned();
        self.read("log_of", move |tx| for_kind!(kind, jobs => jobs::log(tx, &id)))
            .await
    }

    /// Gives a job back because the worker stops: it waits again, and the attempt does not count.
    pub async fn release(&self, lease: &Lease) -> Result<(), Error> {
        let lease = lease.clone();
        self.write(
            "release",
            move |tx| for_kind!(lease.kind, jobs => jobs::put_back(tx, &lease, None, None)),
        )
        .await
    }

    /// Gives a job back because it did not work and may work later, in `delay` at the earliest. The attempt counts;
    /// `message` says why, until the next attempt ends.
    pub async fn retry_later(&self, lease: &Lease, message: &str, delay: Duration) -> Result<(), Error> {
        let (lease, message) = (lease.clone(), message.to_owned());
        self.write("retry_later", move |tx| {
            let after = add(tx.now, delay);
            for_kind!(lease.kind, jobs => jobs::put_back(tx, &lease, Some(&message), Some(after)))
        })
        .await
    }

    /// Asks for a backup to stop: at once where it waits, by its worker's next heartbeat where it runs.
    ///
    /// # Errors
    /// [`Error::WrongState`] where it has ended, [`Error::NotFound`] where there is none.
    pub async fn cancel_backup(&self, id: BackupId) -> Result<CancelResult, Error> {
        self.request_cancel(JobKind::Backup, &id.to_string()).await
    }

    /// [`Self::cancel_backup`], which writes with it that somebody does so: where it is a schedule's backup, people are told
    /// who.
    pub async fn cancel_backup_as(&self, id: BackupId, entry: NewAuditEntry) -> Result<CancelResult, Error> {
        let id = id.to_string();
        self.write("cancel_backup", move |tx| {
            cancel(tx, JobKind::Backup, &id, Some(&entry))
        })
        .await
    }

    /// Asks for a restore to stop, as [`Self::cancel_backup`] does for a backup. One that has begun to exchange is finished,
    /// and what ends another one's replacement too: [`Error::WrongState`].
    pub async fn cancel_restore(&self, id: RestoreId) -> Result<CancelResult, Error> {
        self.request_cancel(JobKind::Restore, &id.to_string()).await
    }

    /// Asks for a verification to stop, as [`Self::cancel_backup`] does for a backup.
    pub async fn cancel_verification(&self, id: VerificationId) -> Result<CancelResult, Error> {
        self.request_cancel(JobKind::Verification, &id.to_string()).await
    }

    /// Asks for a job of any kind to stop.
    ///
    /// # Errors
    /// As [`Self::cancel_backup`].
    pub async fn request_cancel(&self, kind: JobKind, id: &str) -> Result<CancelResult, Error> {
        let id = id.to_owned();
        self.write("request_cancel", move |tx| cancel(tx, kind, &id, None))
            .await
    }

    /// Fails the jobs that have waited for `patience` and that nobody has ever taken up, while no worker is at work at all
    /// and the system is not paused:
    /// for a process whose own settings keep it from running any, so that people hear of it. Where others work, the jobs
    /// wait for them. Returns how many it failed.
    pub async fn fail_waiting(&self, message: &str, patience: Duration) -> Result<u64, Error> {
        let message = message.to_owned();
        self.write("fail_waiting", move |tx| {
            if crate::pause::is_on(tx)?
                || backup_jobs::anybody_works(tx)?
                || restore_jobs::anybody_works(tx)?
                || verification_jobs::anybody_works(tx)?
            {
                return Ok(0);
            }
            let before = TimeDelta::from_std(patience)
                .ok()
                .and_then(|patience| tx.now.checked_sub_signed(patience))
                .unwrap_or(DateTime::<Utc>::MIN_UTC);
            let backups = backup_jobs::fail_waiting(tx, &message, before)?;
            for id in &backups {
                if let Some(row) = backup_jobs::row(tx, id)? {
                    crate::outcome::told(tx, &row.into())?;
                }
            }
            let restores = restore_jobs::fail_waiting(tx, &message, before)?;
            let verifications = verification_jobs::fail_waiting(tx, &message, before)?;
            for id in &verifications {
                if let Some(row) = verification_jobs::row(tx, id)? {
                    crate::outcome::not_verified(tx, &row)?;
                }
            }
            Ok((backups.len() + restores.len() + verifications.len()) as u64)
        })
        .await
    }

    /// How many jobs of `kind` wait for a worker, those that are put off left out, and how many run.
    pub async fn queue_length(&self, kind: JobKind) -> Result<(u64, u64), Error> {
        self.read("queue_length", move |tx| {
            for_kind!(kind, jobs => Ok((jobs::count(tx, JobStatus::Pending)?, jobs::count(tx, JobStatus::InProgress)?)))
        })
        .await
    }
}

fn cancel(tx: &mut Tx<'_>, kind: JobKind, id: &str, entry: Option<&NewAuditEntry>) -> TxResult<CancelResult> {
    if kind == JobKind::Restore {
        crate::restores::may_cancel(tx, id)?;
    }
    let result = for_kind!(kind, jobs => jobs::cancel(tx, id))?;
    if let Some(entry) = entry {
        audit::insert(tx, entry)?;
    }
    if kind == JobKind::Backup
        && result == CancelResult::Cancelled
        && let Some(row) = backup_jobs::row(tx, id)?
    {
        crate::outcome::told(tx, &row.into())?;
    }
    Ok(result)
}

/// `now` and `duration` later.
pub(crate) fn add(now: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|delta| now.checked_add_signed(delta))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

pub(crate) fn lost(lease: &Lease) -> TxError {
    TxError::Domain(Error::LeaseLost {
        kind: lease.kind,
        id: lease.id.clone(),
    })
}

/// A token that no other claim has.
pub(crate) fn new_token(tx: &Tx<'_>) -> TxResult<String> {
    Ok(tx.id::<uuid::Uuid>()?.to_string())
}
