//! Schedules on the wire.

use backup_core::schedule::CronExpression;
use backup_core::{BackupSource, BackupType, ScheduleId, UserId};
use backup_db::ScheduleSummary;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::language::Language;
use crate::openapi::types;

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Schedule)]
pub(crate) struct ScheduleBody {
    #[schema(value_type = types::Id)]
    id: ScheduleId,
    /// The configuration that its backups are made by.
    config_key: String,
    name: String,
    description: Option<String>,
    is_enabled: bool,
    #[schema(value_type = types::BackupType)]
    backup_type: BackupType,
    #[schema(value_type = types::BackupSource)]
    backup_source: BackupSource,
    /// Five fields: minute, hour, day of the month, month, day of the week.
    cron_expression: String,
    /// The same in words, in the caller's language; null where it cannot be read.
    cron_description: Option<String>,
    /// The IANA name of the time zone that the expression is read in.
    timezone: String,
    /// How many days a backup is kept.
    retention_days: u32,
    /// How many backups are kept.
    max_backups: u32,
    /// Of how many hours, days, weeks, months and years the newest is kept beyond that.
    keep_hourly: Option<u32>,
    keep_daily: Option<u32>,
    keep_weekly: Option<u32>,
    keep_monthly: Option<u32>,
    keep_yearly: Option<u32>,
    next_run_at: Option<DateTime<Utc>>,
    last_run_at: Option<DateTime<Utc>>,
    /// When its newest good backup ended.
    last_success_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// The user who made it.
    #[schema(value_type = Option<types::Id>)]
    created_by: Option<UserId>,
    #[serde(rename = "_count")]
    count: Count,
}

/// How many records belong to it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScheduleCount)]
struct Count {
    backups: u64,
}

impl ScheduleBody {
    pub(crate) fn new(summary: ScheduleSummary, language: Language) -> Self {
        let ScheduleSummary { schedule, backups } = summary;
        let cron = CronExpression::parse(&schedule.cron_expression).ok();
        Self {
            id: schedule.id,
            config_key: schedule.config_key,
            name: schedule.name,
            description: schedule.description,
            is_enabled: schedule.is_enabled,
            backup_type: schedule.backup_type,
            backup_source: schedule.backup_source,
            cron_expression: schedule.cron_expression,
            cron_description: cron.map(|cron| cron.describe(language.of_messages())),
            timezone: schedule.timezone,
            retention_days: schedule.retention.retention_days,
            max_backups: schedule.retention.max_backups,
            keep_hourly: schedule.retention.keep_hourly,
            keep_daily: schedule.retention.keep_daily,
            keep_weekly: schedule.retention.keep_weekly,
            keep_monthly: schedule.retention.keep_monthly,
            keep_yearly: schedule.retention.keep_yearly,
            next_run_at: schedule.next_run_at,
            last_run_at: schedule.last_run_at,
            last_success_at: schedule.last_success_at,
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
            created_by: schedule.created_by,
            count: Count { backups },
        }
    }
}
