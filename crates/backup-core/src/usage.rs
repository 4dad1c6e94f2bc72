//! How much the backups take up.

use chrono::{DateTime, TimeDelta, Utc};

use crate::ScheduleId;
use crate::list::BackupSummary;
use crate::pause::SystemPause;

/// What the good backups take up now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StorageUsage {
    /// Bytes of all of them.
    pub total_size_bytes: u64,
    /// How many there are.
    pub backup_count: u64,
    /// When the oldest was asked for.
    pub oldest_backup: Option<DateTime<Utc>>,
    /// When the newest was asked for.
    pub newest_backup: Option<DateTime<Utc>>,
}

impl StorageUsage {
    /// Percent of the quota in use; `None` without a quota.
    pub fn percent_of(&self, quota_bytes: Option<u64>) -> Option<f64> {
        quota_bytes
            .filter(|quota| *quota > 0)
            .map(|quota| self.total_size_bytes as f64 / quota as f64 * 100.0)
    }
}

/// What the good backups of one configuration take up now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigUsage {
    /// The configuration.
    pub config_key: String,
    /// Bytes of its good backups.
    pub total_size_bytes: u64,
    /// How many there are.
    pub backup_count: u64,
}

/// How a schedule is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleHealth {
    /// The schedule.
    pub id: ScheduleId,
    /// Its name.
    pub name: String,
    /// Whether it fires.
    pub is_enabled: bool,
    /// When its newest good backup ended.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When it fires next.
    pub next_run_at: Option<DateTime<Utc>>,
    /// How long it is from its next firing to the one behind.
    pub interval: Option<TimeDelta>,
}

/// What a machine that watches wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// How many schedules are enabled.
    pub enabled_schedules: u64,
    /// Backups whose last verification found something wrong, or that the storage was found to lack.
    pub verify_failed: u64,
    /// When a backup was last verified.
    pub last_verified_at: Option<DateTime<Utc>>,
    /// Alerts that are open.
    pub open_alerts: u64,
}

/// A sample of the usage, kept as history.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageSample {
    /// When it was taken.
    pub recorded_at: DateTime<Utc>,
    /// What was in use.
    pub usage: StorageUsage,
    /// The quota then.
    pub quota_bytes: Option<u64>,
}

/// What an administrator wants to see first.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusOverview {
    /// The good backup that ended last.
    pub last_successful: Option<BackupSummary>,
    /// The failed one that ended last.
    pub last_failed: Option<BackupSummary>,
    /// When the next schedule fires.
    pub next_scheduled: Option<DateTime<Utc>>,
    /// Whether any schedule is enabled.
    pub is_auto_backup_enabled: bool,
    /// How many backups run.
    pub active_backups: u64,
    /// How many wait.
    pub queued_backups: u64,
    /// What the good ones take up.
    pub usage: StorageUsage,
    /// The pause of the whole system, while there is one.
    pub pause: Option<SystemPause>,
}
