//! A schedule: which backup, when, and how long it is kept.

use chrono::{DateTime, Utc};

use crate::{BackupSource, BackupType, ScheduleId, UserId};

/// A schedule as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its identifier.
    pub id: ScheduleId,
    /// The named configuration it belongs to.
    pub config_key: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it fires.
    pub is_enabled: bool,
    /// How much each backup stores.
    pub backup_type: BackupType,
    /// What each backup saves.
    pub backup_source: BackupSource,
    /// When: five fields, minute hour day month weekday.
    pub cron_expression: String,
    /// In which IANA time zone.
    pub timezone: String,
    /// How long each is kept.
    pub retention: Retention,
    /// The next firing, recomputed from the zone.
    pub next_run_at: Option<DateTime<Utc>>,
    /// The last firing.
    pub last_run_at: Option<DateTime<Utc>>,
    /// When its newest good backup ended.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<UserId>,
}

/// How long the backups of a schedule are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days, 1 to 3650.
    pub retention_days: u32,
    /// How many at the most, 1 to 1000.
    pub max_backups: u32,
    /// How many days to keep one of each.
    pub keep_daily: Option<u32>,
    /// How many weeks to keep one of each.
    pub keep_weekly: Option<u32>,
    /// How many months to keep one of each.
    pub keep_monthly: Option<u32>,
    /// How many years to keep one of each.
    pub keep_yearly: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            retention_days: 30,
            max_backups: 10,
            keep_daily: None,
            keep_weekly: None,
            keep_monthly: None,
            keep_yearly: None,
        }
    }
}

/// The zone of a schedule that names none.
pub const DEFAULT_TIMEZONE: &str = "Asia/Taipei";

/// A common schedule to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CronPreset {
    /// Stable name.
    pub key: &'static str,
    /// The five fields.
    pub expression: &'static str,
    /// The label in Traditional Chinese, as specified.
    pub label_zh: &'static str,
    /// The label in English.
    pub label_en: &'static str,
}

/// The specification's presets.
pub const CRON_PRESETS: [CronPreset; 6] = [
    CronPreset {
        key: "DAILY_2AM",
        expression: "0 2 * * *",
        label_zh: "每天凌晨 2:00",
        label_en: "Every day at 2:00",
    },
    CronPreset {
        key: "DAILY_3AM",
        expression: "0 3 * * *",
        label_zh: "每天凌晨 3:00",
        label_en: "Every day at 3:00",
    },
    CronPreset {
        key: "WEEKLY_SUNDAY",
        expression: "0 3 * * 0",
        label_zh: "每週日凌晨 3:00",
        label_en: "Every Sunday at 3:00",
    },
    CronPreset {
        key: "WEEKLY_SATURDAY",
        expression: "0 3 * * 6",
        label_zh: "每週六凌晨 3:00",
        label_en: "Every Saturday at 3:00",
    },
    CronPreset {
        key: "MONTHLY_FIRST",
        expression: "0 2 1 * *",
        label_zh: "每月 1 號凌晨 2:00",
        label_en: "On the 1st of every month at 2:00",
    },
    CronPreset {
        key: "HOURLY",
        expression: "0 * * * *",
        label_zh: "每小時整點",
        label_en: "Every hour, on the hour",
    },
];
