//! Schedules on the wire.

mod change;

use backup_core::schedule::{CronExpression, VerifyWhen};
use backup_core::{BackupId, BackupSource, BackupType, ScheduleId, UserId, VerifyLevel};
use backup_db::{Firing, FiringOutcome, ScheduleListOptions, SchedulePage, ScheduleSummary};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

pub(crate) use self::change::{CreateSchedule, UpdateSchedule};
use crate::error::ApiResult;
use crate::http::params::{FromParams, Params};
use crate::language::Language;
use crate::openapi::types;
use crate::wire::backup::{BackupBody, UserName};

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
    /// Whether it fires.
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
    /// The hours in which its backups may start, in that zone, such as `22:00-06:00`; null: all.
    start_window: Option<String>,
    /// How many days a backup is kept.
    retention_days: u32,
    /// How many backups are kept.
    max_backups: u32,
    /// Of how many hours the newest backup is kept, however old it is.
    keep_hourly: Option<u32>,
    /// The same of days in the schedule's time zone.
    keep_daily: Option<u32>,
    /// The same of ISO weeks.
    keep_weekly: Option<u32>,
    /// The same of months.
    keep_monthly: Option<u32>,
    /// The same of years.
    keep_yearly: Option<u32>,
    /// Which of its new backups are verified by themselves.
    #[schema(value_type = types::VerifyWhen)]
    verify_when: VerifyWhen,
    /// How thoroughly.
    #[schema(value_type = types::VerifyLevel)]
    verify_level: VerifyLevel,
    /// How many of a hundred, where SAMPLED.
    verify_percent: u8,
    /// How many backups may build on each other before a full one is made of the newest; null: that is never done.
    consolidate_every: Option<u32>,
    /// When a backup of it was last found good that thoroughly.
    last_verify_passed_at: Option<DateTime<Utc>>,
    /// When it fires next; null where it is not enabled.
    next_run_at: Option<DateTime<Utc>>,
    /// The last instant that was fired, or when a backup of it was asked for since.
    last_run_at: Option<DateTime<Utc>>,
    /// When its newest good backup ended.
    last_success_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// The user who made it.
    #[schema(value_type = Option<types::Id>)]
    created_by: Option<UserId>,
    created_by_user: Option<UserName>,
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
        let ScheduleSummary {
            schedule,
            backups,
            last_backup_at,
            created_by_name,
        } = summary;
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
            start_window: schedule.start_window.map(|window| window.to_string()),
            retention_days: schedule.retention.retention_days,
            max_backups: schedule.retention.max_backups,
            keep_hourly: schedule.retention.keep_hourly,
            keep_daily: schedule.retention.keep_daily,
            keep_weekly: schedule.retention.keep_weekly,
            keep_monthly: schedule.retention.keep_monthly,
            keep_yearly: schedule.retention.keep_yearly,
            verify_when: schedule.verification.when,
            verify_level: schedule.verification.level,
            verify_percent: schedule.verification.percent,
            consolidate_every: schedule.consolidate_every,
            last_verify_passed_at: schedule.last_verify_passed_at,
            next_run_at: schedule.next_run_at,
            last_run_at: schedule.last_run_at.max(last_backup_at),
            last_success_at: schedule.last_success_at,
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
            created_by: schedule.created_by,
            created_by_user: created_by_name.map(UserName::new),
            count: Count { backups },
        }
    }
}

/// One schedule, and what was done to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScheduleAnswer {
    pub(crate) schedule: ScheduleBody,
    /// In the caller's language.
    pub(crate) message: String,
}

/// One schedule with what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScheduleDetailsAnswer {
    pub(crate) schedule: ScheduleDetails,
}

/// One schedule with what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScheduleDetails {
    #[serde(flatten)]
    pub(crate) schedule: ScheduleBody,
    /// Its newest backups, at most ten, newest first.
    pub(crate) backups: Vec<BackupBody>,
    /// Its newest firings, at most thirty, newest first.
    pub(crate) firings: Vec<FiringBody>,
}

/// An instant of a schedule, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Firing)]
pub(crate) struct FiringBody {
    /// The instant that the expression names.
    scheduled_at: DateTime<Utc>,
    #[schema(value_type = types::FiringOutcome)]
    outcome: FiringOutcome,
    /// The backup that was asked for; it may be gone by now.
    #[schema(value_type = Option<types::Id>)]
    backup_id: Option<BackupId>,
    /// When that was.
    recorded_at: DateTime<Utc>,
    /// Instants before this one that nobody was there for: this firing stands for them too.
    missed: u32,
}

impl From<Firing> for FiringBody {
    fn from(firing: Firing) -> Self {
        Self {
            scheduled_at: firing.scheduled_at,
            outcome: firing.outcome,
            backup_id: firing.backup_id,
            recorded_at: firing.recorded_at,
            missed: firing.missed,
        }
    }
}

/// A page of schedules.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScheduleList)]
pub(crate) struct ScheduleListBody {
    schedules: Vec<ScheduleBody>,
    /// How many there are on all pages.
    total: u64,
    limit: u32,
    offset: u64,
}

impl ScheduleListBody {
    pub(crate) fn new(page: SchedulePage, options: &ScheduleListOptions, language: Language) -> Self {
        let schedules = page.schedules.into_iter();
        Self {
            schedules: schedules.map(|summary| ScheduleBody::new(summary, language)).collect(),
            total: page.total,
            limit: options.limit,
            offset: options.offset,
        }
    }
}

/// Which schedules.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct ScheduleQuery {
    /// Only those of this configuration.
    #[param(max_length = 50)]
    config_key: Option<String>,
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: u32,
    /// How many to pass over.
    #[param(value_type = Option<u64>, maximum = 9_223_372_036_854_775_807_i64, default = 0)]
    offset: u64,
}

impl FromParams for ScheduleQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        let (limit, offset) = params.page(50, 200)?;
        Ok(Self {
            config_key: params.text("configKey", 50)?.filter(|text| !text.is_empty()),
            limit,
            offset,
        })
    }
}

impl From<ScheduleQuery> for ScheduleListOptions {
    fn from(query: ScheduleQuery) -> Self {
        Self {
            config_key: query.config_key,
            limit: query.limit,
            offset: query.offset,
            newest_first: true,
        }
    }
}
