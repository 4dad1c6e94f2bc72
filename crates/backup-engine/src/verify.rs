//! The verification job.

use backup_core::restore::VerificationRecord;
use backup_core::{BackupId, JobControl, PipelineError, VerifyLevel};

use crate::backup::{is_missing, place};
use crate::bridge::blocking;
use crate::engine::Engine;
use crate::error::Error;
use crate::job::{JobError, given_up};
use crate::lease::HeldLease;
use crate::repository::Fault;

mod drill;
mod scratch;

use drill::Attempt;

pub use drill::DrillSettings;

/// What is wrong with a backup.
#[derive(Debug)]
pub(crate) struct Problem {
    /// What was found, with what to do.
    pub(crate) text: String,
    /// The backup that is at fault: the checked one, or one that it builds on.
    pub(crate) at: BackupId,
    /// Whether the storage does not have that one, which it may have again.
    pub(crate) is_missing: bool,
}

/// Checks the backup. `Some`: it is not what was written, and this is what was found. An error: it could not be checked.
pub(crate) async fn run(
    engine: &Engine,
    held: &HeldLease,
    record: &VerificationRecord,
    exhausted: bool,
) -> Result<Option<Problem>, JobError> {
    let attempt = Attempt {
        id: record.id,
        number: held.lease().attempts,
    };
    if exhausted {
        if record.level == VerifyLevel::Restore
            && let Err(error) = drill::clear(engine, attempt, held.job()).await
        {
            // That it is given up matters more.
            tracing::warn!(error = %error.full_text(), "what a drill made could not be removed");
        }
        return Err(JobError::Failed(given_up()));
    }
    let backup = held
        .tell(|| engine.store.get_backup(record.backup_id))
        .await
        .map_err(JobError::catalog)?;
    let backup = backup.map(|summary| summary.backup);
    let config_key = backup
        .as_ref()
        .map_or_else(String::new, |backup| backup.config_key.clone());
    let place = place(engine, held, &config_key).await?;
    let repository = place.repository(engine);
    let itself = |error| Fault {
        of: record.backup_id,
        at: record.backup_id,
        error,
    };
    let found = match &backup {
        Some(backup) => repository.find_known(backup).await,
        // Deleted since it was asked for; the storage says so.
        None => repository.find(record.backup_id).await,
    };
    let checked = match found {
        Ok(receipt) if record.level == VerifyLevel::Restore => {
            let drilled = drill::run(engine, &repository, &receipt, attempt, held.job()).await;
            match drilled {
                // Which of its chain is at fault is told by their stored bytes.
                Err(PipelineError::Integrity { .. }) if receipt.base_id.is_some() => {
                    let stored = repository
                        .verify_chain(&receipt, VerifyLevel::Checksum, held.job())
                        .await;
                    stored.and(drilled.map_err(itself))
                }
                drilled => drilled.map_err(itself),
            }
        }
        Ok(receipt) => repository.verify_chain(&receipt, record.level, held.job()).await,
        Err(error) => Err(itself(error)),
    };
    match checked {
        Ok(()) => Ok(None),
        Err(fault) if fault.is_broken() => {
            if matches!(fault.error, PipelineError::NotFound { .. }) {
                engine.refuse_empty(&place.storage, &config_key).await?;
            }
            let is_missing = is_missing(engine, held, &repository, &fault).await?;
            let at = fault.at;
            let text = PipelineError::from(fault).full_text();
            Ok(Some(Problem { text, at, is_missing }))
        }
        Err(fault) => Err(JobError::storage(fault.error)),
    }
}

impl Engine {
    /// Removes what killed drills left on this machine.
    pub(crate) async fn clear_drills(&self) -> Result<(), Error> {
        let (folder, job) = (
            self.settings.drill.folder.clone(),
            JobControl::new(self.settings.stall_timeout),
        );
        Ok(blocking(move || scratch::clear(&folder, &job)).await?)
    }
}
