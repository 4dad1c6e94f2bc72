//! The verification job.

use backup_core::PipelineError;
use backup_core::restore::VerificationRecord;

use crate::engine::Engine;
use crate::job::JobError;
use crate::lease::HeldLease;

/// Checks the backup. `Some`: it is not what was written, and this is what was found. An error: it could not be checked.
pub(crate) async fn run(
    engine: &Engine,
    held: &HeldLease,
    record: &VerificationRecord,
) -> Result<Option<String>, JobError> {
    let repository = engine.repository();
    let checked = match repository.find(record.backup_id).await {
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
