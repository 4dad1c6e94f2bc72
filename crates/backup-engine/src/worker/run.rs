use std::time::Duration;

use backup_core::restore::{RestoreRecord, VerificationRecord};
use backup_core::{Backup, BackupId, LogLevel, PipelineError, counted};
use backup_db::{BackupOutcome, ClaimedJob, Error as CatalogError, Job, RestoreOutcome, VerificationOutcome};

use tracing::Instrument as _;

use crate::engine::{Engine, MAX_ATTEMPTS};
use crate::job::JobError;
use crate::lease::{HeldLease, StopReason};
use crate::logging::Action;
use crate::verify::Problem;
use crate::{backup, restore, verify};

/// How long a job waits before it is tried again, times the attempt.
const BACK_OFF: Duration = Duration::from_secs(3);
/// The attempt from which on it waits no longer than before: what is tried until it is finished waits a minute at most.
const LONGEST_AT: u32 = 20;

/// The last line of a job that was asked to stop.
const CANCELLED: &str = "CANCELLED on request";

/// How a job ended.
enum End<T> {
    Done(T),
    Failed(PipelineError),
    Cancelled,
    /// To be tried again.
    Again(PipelineError),
    /// To be taken up again: this worker stops.
    Release,
    /// It waits for another job, and the catalog knows.
    Waits,
    /// Another worker's now.
    Lost,
}

/// Runs a claimed job to its end and tells the catalog.
pub(super) async fn run(engine: &Engine, held: &std::sync::Arc<HeldLease>, claimed: ClaimedJob) {
    let _heart = held.keep();
    if claimed.taken_over {
        tracing::warn!(
            action = %Action::JobTakenOver, job_id = %claimed.lease.id, attempt = u64::from(claimed.lease.attempts),
            "job {} is taken over from a worker that is gone", claimed.lease.id
        );
        held.job()
            .log(LogLevel::Warning, "the worker before is gone: its lease has run out");
    }
    if claimed.exhausted {
        tracing::warn!(action = %Action::JobTakenOver, job_id = %claimed.lease.id, "job {} has no attempts left", claimed.lease.id);
        held.job().log(LogLevel::Warning, "it has no attempts left");
    }
    let row_cancelled = match &claimed.job {
        Job::Backup(row) => row.cancel_requested,
        Job::Restore(row) => row.cancel_requested,
        Job::Verification(row) => row.cancel_requested,
    };
    if row_cancelled {
        held.stop(StopReason::Cancelled);
    }
    let (exhausted, attempt) = (claimed.exhausted, u64::from(claimed.lease.attempts));
    match claimed.job {
        Job::Backup(row) => {
            let span = tracing::info_span!("backup", backup_id = %row.id, attempt);
            run_backup(engine, held, &row, exhausted).instrument(span).await;
        }
        Job::Restore(row) => {
            let span = tracing::info_span!("restore", restore_id = %row.id, backup_id = %row.backup_id, attempt);
            run_restore(engine, held, &row, exhausted).instrument(span).await;
        }
        Job::Verification(row) => {
            let span = tracing::info_span!("verification", backup_id = %row.backup_id, level = %row.level, attempt);
            run_verification(engine, held, &row, exhausted).instrument(span).await;
        }
    }
}

async fn run_backup(engine: &Engine, held: &HeldLease, row: &Backup, exhausted: bool) {
    let began = engine.clock.now();
    tracing::info!(action = %Action::BackupStarted, backup_id = %row.id, "backup {} started", row.name);
    let outcome = match settle(held, backup::run(engine, held, row, exhausted).await) {
        End::Done(outcome) => outcome,
        End::Failed(error) => BackupOutcome::Failed {
            message: error.full_text(),
        },
        End::Cancelled => BackupOutcome::Cancelled,
        other => return give_back(engine, held, other).await,
    };
    match &outcome {
        BackupOutcome::Completed(done) => {
            let (size, read) = (done.size_bytes, done.source_bytes);
            let warnings = counted(done.warnings.len(), "warning", "warnings");
            let text = format!("COMPLETED: {size} bytes stored of {read} that were read; {warnings}");
            held.note(LogLevel::Info, text).await;
        }
        BackupOutcome::Failed { message } => note_failed(held, message).await,
        BackupOutcome::Cancelled => held.note(LogLevel::Info, CANCELLED).await,
    }
    let told = held
        .tell(|| engine.store.finish_backup(held.lease(), outcome.clone()))
        .await;
    if !was_told(held, told) {
        return;
    }
    let duration = millis(engine, began);
    if matches!(outcome, BackupOutcome::Completed(_)) {
        engine.sample_usage().await;
    }
    match &outcome {
        BackupOutcome::Completed(done) => tracing::info!(
            action = %Action::BackupCompleted, backup_id = %row.id, duration, size_bytes = done.size_bytes,
            "backup {} completed", row.name
        ),
        BackupOutcome::Failed { message } => tracing::error!(
            action = %Action::BackupFailed, backup_id = %row.id, duration, error = message,
            "backup {} failed: {message}", row.name
        ),
        BackupOutcome::Cancelled => tracing::info!(
            action = %Action::BackupCancelled, backup_id = %row.id, duration, "backup {} cancelled", row.name
        ),
    }
    if let (BackupOutcome::Completed(_), Some(schedule)) = (&outcome, row.schedule_id) {
        engine.expire_and_log(schedule).await;
    }
}

async fn run_restore(engine: &Engine, held: &HeldLease, row: &RestoreRecord, exhausted: bool) {
    let began = engine.clock.now();
    let (id, backup_id) = (row.id, row.backup_id);
    tracing::info!(action = %Action::RestoreStarted, %backup_id, restore_id = %id, "restore {id} started");
    let (outcome, action) = match settle(held, restore::run(engine, held, row, exhausted).await) {
        End::Done(done) => (
            RestoreOutcome::Completed {
                replacement: done.replacement,
                warnings: done.warnings,
            },
            Action::RestoreCompleted,
        ),
        End::Failed(error) => (
            RestoreOutcome::Failed {
                message: error.full_text(),
            },
            Action::RestoreFailed,
        ),
        End::Cancelled => (RestoreOutcome::Cancelled, Action::RestoreCancelled),
        other => return give_back(engine, held, other).await,
    };
    match &outcome {
        RestoreOutcome::Completed { warnings, .. } => {
            let text = format!("COMPLETED; {}", counted(warnings.len(), "warning", "warnings"));
            held.note(LogLevel::Info, text).await;
        }
        RestoreOutcome::Failed { message } => note_failed(held, message).await,
        RestoreOutcome::Cancelled => held.note(LogLevel::Info, CANCELLED).await,
    }
    let told = held
        .tell(|| engine.store.finish_restore(held.lease(), outcome.clone()))
        .await;
    if !was_told(held, told) {
        return;
    }
    let duration = millis(engine, began);
    match &outcome {
        RestoreOutcome::Completed { .. } => tracing::info!(
            %action, %backup_id, restore_id = %id, duration, "restore {id} completed"
        ),
        RestoreOutcome::Failed { message } => tracing::error!(
            %action, %backup_id, restore_id = %id, duration, error = message, "restore {id} failed: {message}"
        ),
        RestoreOutcome::Cancelled => tracing::info!(
            %action, %backup_id, restore_id = %id, duration, "restore {id} cancelled"
        ),
    }
}

async fn run_verification(engine: &Engine, held: &HeldLease, row: &VerificationRecord, exhausted: bool) {
    let began = engine.clock.now();
    let (id, backup_id) = (row.id, row.backup_id);
    tracing::info!(action = %Action::VerifyStarted, %backup_id, level = %row.level, "verification {id} started");
    let (outcome, action) = match settle(held, verify::run(engine, held, row, exhausted).await) {
        End::Done(None) => (VerificationOutcome::Passed, Action::VerifyCompleted),
        End::Done(Some(problem)) => (found(backup_id, problem), Action::VerifyCompleted),
        End::Failed(error) => (
            VerificationOutcome::Failed {
                message: error.full_text(),
            },
            Action::VerifyFailed,
        ),
        End::Cancelled => (VerificationOutcome::Cancelled, Action::VerifyCancelled),
        other => return give_back(engine, held, other).await,
    };
    match &outcome {
        VerificationOutcome::Passed => held.note(LogLevel::Info, "COMPLETED: it is what was written").await,
        VerificationOutcome::Found { problem, .. } | VerificationOutcome::Missing { problem, .. } => {
            let text = format!("COMPLETED: something is wrong with it: {problem}");
            held.note(LogLevel::Error, text).await;
        }
        VerificationOutcome::Failed { message } => note_failed(held, message).await,
        VerificationOutcome::Cancelled => held.note(LogLevel::Info, CANCELLED).await,
    }
    let told = held
        .tell(|| engine.store.finish_verification(held.lease(), outcome.clone()))
        .await;
    if !was_told(held, told) {
        return;
    }
    let duration = millis(engine, began);
    match &outcome {
        VerificationOutcome::Passed => tracing::info!(
            %action, %backup_id, duration, "verification {id}: the backup is what was written"
        ),
        VerificationOutcome::Found { problem, .. } | VerificationOutcome::Missing { problem, .. } => tracing::error!(
            %action, %backup_id, duration, error = problem,
            "verification {id}: something is wrong with the backup: {problem}"
        ),
        VerificationOutcome::Failed { message } => tracing::error!(
            %action, %backup_id, duration, error = message, "verification {id} failed: {message}"
        ),
        VerificationOutcome::Cancelled => tracing::info!(
            %action, %backup_id, duration, "verification {id} cancelled"
        ),
    }
}

fn found(backup_id: BackupId, problem: Problem) -> VerificationOutcome {
    let Problem { text, at, is_missing } = problem;
    if is_missing {
        VerificationOutcome::Missing { problem: text, at }
    } else {
        VerificationOutcome::Found {
            problem: text,
            in_base: (at != backup_id).then_some(at),
        }
    }
}

async fn note_failed(held: &HeldLease, message: &str) {
    held.note(LogLevel::Error, format!("FAILED: {message}")).await;
}

/// What the end of a job means.
fn settle<T>(held: &HeldLease, result: Result<T, JobError>) -> End<T> {
    match result {
        Ok(done) => End::Done(done),
        Err(JobError::LeaseLost) => End::Lost,
        Err(JobError::Waits) => End::Waits,
        Err(JobError::Unfinished(error)) => End::Again(error),
        Err(JobError::Left(error)) => End::Failed(error),
        // A job that was told to stop may end with any error, such as that of a child which was ended.
        Err(_) if held.reason() != StopReason::None => stopped(held),
        Err(JobError::Stopped) => stopped(held),
        Err(JobError::Again(error)) if held.lease().attempts < MAX_ATTEMPTS => End::Again(error),
        Err(JobError::Again(error) | JobError::Failed(error)) => End::Failed(error),
    }
}

fn stopped<T>(held: &HeldLease) -> End<T> {
    match held.reason() {
        StopReason::Lost => End::Lost,
        StopReason::Stopping => End::Release,
        StopReason::Cancelled | StopReason::None => End::Cancelled,
    }
}

/// Gives a job back without a result.
async fn give_back<T>(engine: &Engine, held: &HeldLease, end: End<T>) {
    let id = &held.lease().id;
    let told = match end {
        End::Again(error) => {
            let message = error.full_text();
            tracing::warn!(action = %Action::JobReleased, job_id = %id, error = message, "job {id} is tried again");
            let delay = BACK_OFF * held.lease().attempts.min(LONGEST_AT);
            let seconds = counted(delay.as_secs(), "second", "seconds");
            let text = format!("tried again in {seconds}: {message}");
            held.note(LogLevel::Warning, text).await;
            held.tell(|| engine.store.retry_later(held.lease(), &message, delay))
                .await
        }
        End::Release => {
            tracing::info!(action = %Action::JobReleased, job_id = %id, "job {id} waits for another worker");
            held.note(LogLevel::Info, "given back, to be taken up again").await;
            held.tell(|| engine.store.release(held.lease())).await
        }
        End::Lost => {
            log_lost(held);
            return;
        }
        End::Waits => {
            tracing::info!(action = %Action::JobReleased, job_id = %id, "job {id} waits for another job to end");
            return;
        }
        End::Done(_) | End::Failed(_) | End::Cancelled => return,
    };
    was_told(held, told);
}

/// Whether the catalog knows. Where it does not, the next owner of the job finds out by itself.
fn was_told<T>(held: &HeldLease, told: Result<T, CatalogError>) -> bool {
    let id = &held.lease().id;
    match told {
        Ok(_) => true,
        Err(CatalogError::LeaseLost { .. }) => {
            log_lost(held);
            false
        }
        Err(error) => {
            tracing::error!(
                action = %Action::CatalogUnavailable, job_id = %id, error = %PipelineError::from(error).full_text(),
                "the end of job {id} could not be written"
            );
            false
        }
    }
}

fn log_lost(held: &HeldLease) {
    let id = &held.lease().id;
    tracing::warn!(action = %Action::LeaseLost, job_id = %id, "job {id} is another worker's now");
}

fn millis(engine: &Engine, began: chrono::DateTime<chrono::Utc>) -> u64 {
    u64::try_from((engine.clock.now() - began).num_milliseconds()).unwrap_or(0)
}
