//! The overview and the alerts on the wire.

use backup_core::AlertId;
use backup_core::usage::{StatusOverview, StorageUsage, UsageSample};
use backup_core::user::{Alert, AlertSeverity};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::language::Language;
use crate::wire::backup::BackupBody;

/// What an administrator wants to see first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusBody {
    last_successful: Option<BackupBody>,
    last_failed: Option<BackupBody>,
    next_scheduled: Option<DateTime<Utc>>,
    is_auto_backup_enabled: bool,
    active_backups: u64,
    storage: StorageBody,
    alerts: Vec<AlertBody>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StorageBody {
    total_size_bytes: u64,
    backup_count: u64,
    quota_bytes: Option<u64>,
    usage_percent: Option<f64>,
    oldest_backup: Option<DateTime<Utc>>,
    newest_backup: Option<DateTime<Utc>>,
}

impl StorageBody {
    fn new(usage: &StorageUsage, quota_bytes: Option<u64>) -> Self {
        Self {
            total_size_bytes: usage.total_size_bytes,
            backup_count: usage.backup_count,
            quota_bytes,
            usage_percent: usage.percent_of(quota_bytes),
            oldest_backup: usage.oldest_backup,
            newest_backup: usage.newest_backup,
        }
    }
}

impl StatusBody {
    pub(crate) fn new(
        overview: StatusOverview,
        alerts: Vec<Alert>,
        quota_bytes: Option<u64>,
        language: Language,
    ) -> Self {
        Self {
            storage: StorageBody::new(&overview.usage, quota_bytes),
            last_successful: overview
                .last_successful
                .map(|summary| BackupBody::new(summary, language)),
            last_failed: overview.last_failed.map(|summary| BackupBody::new(summary, language)),
            next_scheduled: overview.next_scheduled,
            is_auto_backup_enabled: overview.is_auto_backup_enabled,
            active_backups: overview.active_backups,
            alerts: alerts.into_iter().map(AlertBody::from).collect(),
        }
    }
}

/// How much the backups took up at one time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsageBody {
    recorded_at: DateTime<Utc>,
    #[serde(flatten)]
    usage: StorageBody,
}

impl From<UsageSample> for UsageBody {
    fn from(sample: UsageSample) -> Self {
        Self {
            recorded_at: sample.recorded_at,
            usage: StorageBody::new(&sample.usage, sample.quota_bytes),
        }
    }
}

/// A page of alerts.
#[derive(Debug, Serialize)]
pub(crate) struct AlertListBody {
    pub(crate) alerts: Vec<AlertBody>,
    pub(crate) total: u64,
    pub(crate) limit: u32,
    pub(crate) offset: u64,
}

/// Something to act on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlertBody {
    id: AlertId,
    kind: String,
    subject: String,
    severity: AlertSeverity,
    message: String,
    raised_at: DateTime<Utc>,
    acknowledged_at: Option<DateTime<Utc>>,
    resolved_at: Option<DateTime<Utc>>,
}

impl From<Alert> for AlertBody {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id,
            kind: alert.kind,
            subject: alert.subject,
            severity: alert.severity,
            message: alert.message,
            raised_at: alert.raised_at,
            acknowledged_at: alert.acknowledged_at,
            resolved_at: alert.resolved_at,
        }
    }
}
