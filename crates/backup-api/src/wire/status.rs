//! The overview and the probes on the wire.

use backup_core::Alert;
use backup_core::usage::{StatusOverview, StorageUsage, UsageSample};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiResult;
use crate::http::params::{FromParams, Params};
use crate::language::Language;
use crate::openapi::types;
use crate::wire::alert::AlertBody;
use crate::wire::backup::BackupBody;
use crate::wire::pause::PauseBody;

/// What an administrator wants to see first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Status)]
pub(crate) struct StatusBody {
    /// The good backup that ended last.
    last_successful: Option<BackupBody>,
    /// The failed backup that ended last.
    last_failed: Option<BackupBody>,
    /// When the next schedule fires.
    next_scheduled: Option<DateTime<Utc>>,
    /// Whether any schedule is enabled.
    is_auto_backup_enabled: bool,
    /// Backups that run.
    active_backups: u64,
    /// Backups that wait.
    queued_backups: u64,
    storage: StorageBody,
    /// The pause of the whole system, while there is one.
    pause: Option<PauseBody>,
    /// The open alerts, at most 100.
    alerts: Vec<AlertBody>,
}

/// What the good backups take up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StorageUsage)]
struct StorageBody {
    total_size_bytes: u64,
    backup_count: u64,
    /// What they may take up; `null`: as much as there is.
    quota_bytes: Option<u64>,
    /// Of the quota; may exceed 100.
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
            queued_backups: overview.queued_backups,
            pause: overview.pause.map(PauseBody::from),
            alerts: alerts
                .into_iter()
                .map(|alert| AlertBody::new(alert, language))
                .collect(),
        }
    }
}

/// How much the backups took up at one time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UsageSample)]
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

/// The usage over time, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageHistory)]
pub(crate) struct UsageListBody {
    pub(crate) samples: Vec<UsageBody>,
}

/// Which samples.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// Taken at or after this time, or on or after this day (UTC).
    #[param(schema_with = types::moment)]
    pub(crate) from: Option<DateTime<Utc>>,
    /// Taken at or before this time, or on or before this day (UTC).
    #[param(schema_with = types::moment)]
    pub(crate) to: Option<DateTime<Utc>>,
    /// How many at the most; the newest, where there are more.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 1000)]
    pub(crate) limit: u32,
}

impl FromParams for UsageQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        let (from, to) = params.span("from", "to")?;
        Ok(Self {
            from,
            to,
            limit: params.number("limit", 1, 1000, 1000)? as u32,
        })
    }
}

/// Whether something answers.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    Ok,
    Unavailable,
}

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    pub(crate) status: Answer,
}

/// What the process can reach.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// All of it.
    pub(crate) status: Answer,
    pub(crate) catalog: Answer,
    pub(crate) storage: Answer,
    /// What is away, and how: a sentence in English for each.
    pub(crate) problems: Vec<String>,
}
