//! Letting go of what the schedules' retention no longer keeps, after each backup of a schedule and each hour for all; and of
//! PRE_RESTORE backups whose time is over.

use std::time::Duration;

use backup_core::{AlertKind, Backup, BackupId, ScheduleId};

use crate::Checkpoint;
use crate::engine::Engine;
use crate::error::Error;
use crate::housekeeping::text;
use crate::logging::Action;
use crate::watch::clock_leapt;

/// Schedules that are asked for at once.
const PAGE: u32 = 500;
/// What the hourly retention is called, as one process's turn.
pub(crate) const TURN_NAME: &str = "retention";
/// How long it is one process's turn: nearly as long as until the next round.
const TURN: Duration = Duration::from_mins(50);

impl Engine {
    /// Deletes the backups of a schedule that its retention lets go. Returns which were deleted. One that the storage does
    /// not let go of stays marked and shows why; it and the others that were marked are tried again by the reconciliation.
    ///
    /// # Errors
    /// The first thing that did not work; what was done stays done.
    pub async fn expire_backups(&self, schedule: ScheduleId) -> Result<Vec<BackupId>, Error> {
        let mut deleted = Vec::new();
        loop {
            let marked = self.store.expire_backups(schedule).await?;
            if marked.is_empty() {
                return Ok(deleted);
            }
            for backup in &marked {
                tracing::info!(
                    action = %Action::BackupExpired, backup_id = %backup.id, schedule_id = %schedule,
                    "backup {} is no longer kept", backup.name
                );
            }
            self.remove_expired(marked, &mut deleted).await?;
        }
    }

    /// Deletes the PRE_RESTORE backups whose time is over, as [`Self::expire_backups`] does those of a schedule.
    ///
    /// # Errors
    /// The first thing that did not work; what was done stays done.
    pub async fn expire_safety_backups(&self) -> Result<Vec<BackupId>, Error> {
        let mut deleted = Vec::new();
        loop {
            let marked = self.store.expire_safety_backups().await?;
            if marked.is_empty() {
                return Ok(deleted);
            }
            for backup in &marked {
                tracing::info!(
                    action = %Action::BackupExpired, backup_id = %backup.id,
                    "backup {}, which was made before a restore, is no longer kept", backup.name
                );
            }
            self.remove_expired(marked, &mut deleted).await?;
        }
    }

    async fn remove_expired(&self, marked: Vec<Backup>, deleted: &mut Vec<BackupId>) -> Result<(), Error> {
        self.checkpoint(Checkpoint::DeleteMarked).await?;
        for backup in marked {
            if let Err(error) = self.remove_marked(&backup).await {
                self.tell_undeleted(&backup, &error).await;
                return Err(error);
            }
            deleted.push(backup.id);
        }
        Ok(())
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

    /// The retention of every schedule, and what else grows old: by one process at a time, which `owner` names.
    ///
    /// # Errors
    /// Where the catalog cannot be read.
    pub(crate) async fn expire_all(&self, owner: &str) -> Result<(), Error> {
        if !self.store.take_turn(TURN_NAME, owner, TURN).await? {
            return Ok(());
        }
        self.believe_clock().await?;
        let mut after = None;
        loop {
            let ids = self.store.schedule_ids(after, PAGE).await?;
            let Some(last) = ids.last().copied() else { break };
            for id in ids {
                self.expire_and_log(id).await;
            }
            after = Some(last);
        }
        if let Err(error) = self.expire_safety_backups().await {
            tracing::warn!(
                action = %Action::DeleteFailed, error = %text(error),
                "the backups that were made before restores could not all be let go"
            );
        }
        self.store.trim_firings().await?;
        Ok(())
    }

    /// Moves the time that retention goes by, and tells where the clock is too far ahead of it.
    ///
    /// # Errors
    /// Where the catalog does not answer.
    pub async fn believe_clock(&self) -> Result<(), Error> {
        let leap = self.store.move_retention_clock().await?;
        let alerts = leap.iter().map(clock_leapt).collect();
        Ok(self
            .store
            .settle_alerts(AlertKind::ClockLeapt, alerts, |_| true)
            .await?)
    }
}
