//! Retention on the wire: policies, and what they keep.

use backup_core::retention::{Decision, Retention, Rule, Verdict};
use backup_core::schedule::Zone;
use backup_core::{BackupId, ScheduleId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};
use crate::http::body::{Fields, FromFields, number_within};
use crate::openapi::types;
use crate::wire::cron::take_zone;

/// Takes `retentionDays`.
pub(crate) fn take_days(fields: &mut Fields) -> ApiResult<Option<u32>> {
    fields.number("retentionDays", number_within(&Retention::RETENTION_DAYS))
}

/// Takes `maxBackups`.
pub(crate) fn take_max(fields: &mut Fields) -> ApiResult<Option<u32>> {
    fields.number("maxBackups", number_within(&Retention::MAX_BACKUPS))
}

/// Takes one of the `keep…`.
pub(crate) fn take_keep(fields: &mut Fields, name: &'static str) -> ApiResult<Option<u32>> {
    fields.number(name, number_within(&Retention::KEEP))
}

/// How long backups are kept.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct RetentionPolicy {
    /// How many days a backup is kept.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650, default = 30)]
    retention_days: u32,
    /// How many backups are kept.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 10)]
    max_backups: u32,
    /// Of how many hours the newest backup is kept, however old it is.
    #[schema(minimum = 0, maximum = 1000)]
    keep_hourly: Option<u32>,
    /// The same of days in the time zone.
    #[schema(minimum = 0, maximum = 1000)]
    keep_daily: Option<u32>,
    /// The same of ISO weeks.
    #[schema(minimum = 0, maximum = 1000)]
    keep_weekly: Option<u32>,
    /// The same of months.
    #[schema(minimum = 0, maximum = 1000)]
    keep_monthly: Option<u32>,
    /// The same of years.
    #[schema(minimum = 0, maximum = 1000)]
    keep_yearly: Option<u32>,
}

impl FromFields for RetentionPolicy {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        let standard = Retention::default();
        Ok(Self {
            retention_days: take_days(fields)?.unwrap_or(standard.retention_days),
            max_backups: take_max(fields)?.unwrap_or(standard.max_backups),
            keep_hourly: take_keep(fields, "keepHourly")?,
            keep_daily: take_keep(fields, "keepDaily")?,
            keep_weekly: take_keep(fields, "keepWeekly")?,
            keep_monthly: take_keep(fields, "keepMonthly")?,
            keep_yearly: take_keep(fields, "keepYearly")?,
        })
    }
}

impl From<RetentionPolicy> for Retention {
    fn from(policy: RetentionPolicy) -> Self {
        Self {
            retention_days: policy.retention_days,
            max_backups: policy.max_backups,
            keep_hourly: policy.keep_hourly,
            keep_daily: policy.keep_daily,
            keep_weekly: policy.keep_weekly,
            keep_monthly: policy.keep_monthly,
            keep_yearly: policy.keep_yearly,
        }
    }
}

/// Whose backups are to be judged, and by what: `scheduleId`, `policy`, or both.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct RetentionPreview {
    /// The backups of this schedule; without a `policy` by its own.
    #[schema(value_type = Option<types::Id>)]
    pub(crate) schedule_id: Option<ScheduleId>,
    #[schema(value_type = Option<RetentionPolicy>)]
    pub(crate) policy: Option<RetentionPolicy>,
    /// The IANA name of the zone whose hours, days and weeks count; with `scheduleId` it is the schedule's.
    #[schema(schema_with = types::zone, required = false)]
    pub(crate) timezone: Option<Zone>,
    /// Without `scheduleId`: all good backups of this configuration, as if one schedule had made them; `default` where
    /// nothing is said.
    #[schema(max_length = 50)]
    pub(crate) config_key: Option<String>,
}

impl FromFields for RetentionPreview {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        let preview = Self {
            schedule_id: fields.take("scheduleId", "invalid_id")?,
            policy: fields.object("policy")?,
            timezone: take_zone(fields)?,
            config_key: fields.text("configKey", 50)?,
        };
        if preview.schedule_id.is_none() && preview.policy.is_none() {
            return Err(ApiError::field(
                "field_missing",
                "scheduleId",
                "it or policy is required",
            ));
        }
        Ok(preview)
    }
}

/// What becomes of a backup, and why.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RetentionDecision)]
pub(crate) struct DecisionBody {
    #[schema(value_type = types::Id)]
    backup_id: BackupId,
    #[schema(value_type = types::RetentionVerdict)]
    decision: Verdict,
    /// What keeps it, or what lets it expire.
    #[schema(value_type = Vec<types::RetentionRule>)]
    rules: Vec<Rule>,
}

/// What retention would do, newest backup first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RetentionPlan)]
pub(crate) struct PlanBody {
    decisions: Vec<DecisionBody>,
}

impl From<Vec<Decision>> for PlanBody {
    fn from(decisions: Vec<Decision>) -> Self {
        let body = |decision: Decision| DecisionBody {
            backup_id: decision.backup_id,
            decision: decision.verdict,
            rules: decision.rules,
        };
        Self {
            decisions: decisions.into_iter().map(body).collect(),
        }
    }
}
