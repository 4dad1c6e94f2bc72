//! The verification job.

use backup_core::restore::VerificationRecord;
use backup_core::{JobControl, PipelineError, VerifyLevel};

use crate::backup::place;
use crate::bridge::blocking;
use crate::engine::Engine;
use crate::error::Error;
use crate::job::{JobError, given_up};
use crate::lease::HeldLease;

mod drill;
mod scratch;

use drill::Attempt;

pub use drill::DrillSettings;

/// Checks the backup. `Some`: it is not what was written, and this is what was found. An error: it could not be checked.
pub(crate) async fn run(
    engine: &Engine,
    held: &HeldLease,
    record: &VerificationRecord,
    exhausted: bool,
) -> Result<Option<String>, JobError> {
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
    let config_key = backup.map_or_else(String::new, |summary| summary.backup.config_key);
    let repository = place(engine, held, &config_key).await?.repository(engine);
    let checked = match repository.find(record.backup_id).await {
        Ok(receipt) if record.level == VerifyLevel::Restore => {
            drill::run(engine, &repository, &receipt, attempt, held.job()).await
        }
        Ok(receipt) => repository.verify(&receipt, record.level, held.job()).await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => Ok(None),
        // A backup that is not there is as lost as a damaged one.
        Err(error @ (PipelineError::Integrity { .. } | PipelineError::NotFound { .. })) => Ok(Some(error.full_text())),
        Err(error) => Err(JobError::storage(error)),
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
