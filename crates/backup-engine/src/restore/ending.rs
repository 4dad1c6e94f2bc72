//! The end of what a restore replaced: put back, or removed for good. And of what one that failed left beside.

use backup_core::config::BackupConfig;
use backup_core::restore::{ReplacementStage, RestoreAction, RestoreRecord};
use backup_core::{JobControl, LogLevel, PipelineError};

use super::Done;
use super::swap::{self, Pair};
use crate::engine::Engine;
use crate::error::Error;
use crate::job::JobError;
use crate::lease::HeldLease;

/// Ends it. Killed anywhere, the next attempt goes on.
pub(super) async fn run(
    engine: &Engine,
    held: &HeldLease,
    config: Option<&BackupConfig>,
    record: &RestoreRecord,
) -> Result<Done, JobError> {
    let Some(replacement) = &record.replacement else {
        return Err(JobError::Failed(PipelineError::failed(
            "the record does not say what was replaced",
            "",
        )));
    };
    let pair = Pair::of(engine, config, replacement)?;
    let job = held.job();
    held.owned().await?;
    let ended = if record.action == RestoreAction::RollBack {
        job.log(LogLevel::Info, "puts back what the restore had replaced");
        // A worker that is told to stop does not leave half of it.
        match pair.put_back(&JobControl::new(engine.settings.stall_timeout)).await {
            Ok(()) => pair.roll_back(job).await,
            Err(error) => Err(error),
        }
    } else if replacement.stage == ReplacementStage::Beside {
        job.log(LogLevel::Info, "removes what the restore had made beside");
        swap::clear(engine, config, replacement).await
    } else {
        job.log(LogLevel::Info, "removes what the restore had replaced");
        pair.discard(job).await
    };
    ended.map_err(JobError::storage)?;
    Ok(Done {
        replacement: None,
        warnings: job.warnings(),
    })
}

impl Engine {
    /// Asks for the removal of what restores have kept for long enough, and of what those that failed left beside.
    pub(crate) async fn discard_expired(&self) -> Result<(), Error> {
        for id in self.store.discard_expired().await? {
            tracing::info!(
                action = %crate::logging::Action::RestoreStarted, restore_id = %id,
                "what restore {id} replaced and has kept for long enough, or made beside and left, is removed"
            );
        }
        Ok(())
    }
}
