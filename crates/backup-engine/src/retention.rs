//! Letting go of what the schedules' retention no longer keeps: after each backup of a schedule, and each hour for all.

use backup_core::{BackupId, ScheduleId};

use crate::Checkpoint;
use crate::engine::Engine;
use crate::error::Error;
use crate::housekeeping::text;
use crate::logging::Action;

/// Schedules that are asked for at once.
const PAGE: u32 = 500;

impl Engine {
    /// Deletes the backups of a schedule that its retention lets go. Returns which were deleted. One that the storage does
    /// not let go of does not keep the others from it: it stays marked, shows why, and the next reconciliation tries again.
    ///
    /// # Errors
    /// The first thing that did not work; what was done stays done.
    pub async fn expire_backups(&self, schedule: ScheduleId) -> Result<Vec<BackupId>, Error> {
        let (mut deleted, mut first_error) = (Vec::new(), None);
        loop {
            let marked = self.store.expire_backups(schedule).await?;
            if marked.is_empty() {
                break;
            }
            self.checkpoint(Checkpoint::DeleteMarked).await?;
            for backup in marked {
                tracing::info!(
                    action = %Action::BackupExpired, backup_id = %backup.id, schedule_id = %schedule,
                    "backup {} is no longer kept", backup.name
                );
                match self.remove_marked(&backup).await {
                    Ok(()) => deleted.push(backup.id),
                    Err(error) => {
                        self.tell_undeleted(&backup, &error).await;
                        first_error.get_or_insert(error);
                    }
                }
            }
        }
        first_error.map_or(Ok(deleted), Err)
    }

    /// [`Self::expire_backups`], with what fails in the log: the next hour tries again.
    pub(crate) async fn expire_and_log(&self, schedule: ScheduleId) {
        if let Err(error) = self.expire_backups(schedule).await {
            tracing::warn!(
                action = %Action::DeleteFailed, schedule_id = %schedule, error = %text(error),
                "the backups of a schedule could not all be let go"
            );
        }
    }

    /// The retention of every schedule, and what else grows old.
    ///
    /// # Errors
    /// Where the catalog cannot be read.
    pub(crate) async fn expire_all(&self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let ids = self.store.schedule_ids(after, PAGE).await?;
            let Some(last) = ids.last().copied() else { break };
            for id in ids {
                self.expire_and_log(id).await;
            }
            after = Some(last);
        }
        self.store.trim_firings().await?;
        Ok(())
    }
}
