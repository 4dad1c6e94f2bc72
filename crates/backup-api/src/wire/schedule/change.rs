//! What makes and changes a schedule.

use backup_core::config::DEFAULT_CONFIG_KEY;
use backup_core::retention::Retention;
use backup_core::schedule::{Schedule, StartWindow, VerifyPolicy, VerifyWhen, WindowError};
use backup_core::{BackupSource, BackupType, ScheduleId, UserId, VerifyLevel};
use chrono::{DateTime, Utc};
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};
use crate::http::body::{Change, Fields, FromFields, number_within};
use crate::openapi::types;
use crate::wire::cron::{take_cron, take_zone, zone_or_default};
use crate::wire::retention::{take_days, take_keep, take_max};

fn set<T>(change: Option<T>, to: &mut T) {
    if let Some(value) = change {
        *to = value;
    }
}

/// Takes `consolidateEvery`.
fn take_every(fields: &mut Fields) -> ApiResult<Option<u32>> {
    fields.number("consolidateEvery", number_within(&Schedule::CONSOLIDATE_EVERY))
}

/// The longest name, in characters.
const MAX_NAME: usize = 100;
/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 500;

/// A schedule to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct CreateSchedule {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(max_length = 500)]
    description: Option<String>,
    #[schema(value_type = types::BackupType)]
    backup_type: BackupType,
    #[schema(value_type = types::BackupSource)]
    backup_source: BackupSource,
    /// Five fields: minute, hour, day of the month, month, day of the week; or `@daily` and the like.
    #[schema(schema_with = types::cron)]
    cron_expression: String,
    /// The IANA name of the time zone that the expression is read in.
    #[schema(schema_with = types::zone, required = false)]
    timezone: String,
    /// The hours in which its backups may start, in that zone: from the first time on, until before the second; over midnight
    /// where it is the later one. A backup that comes outside waits until they begin. Absent: all hours.
    #[schema(value_type = Option<String>, pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")]
    start_window: Option<StartWindow>,
    /// How many days a backup is kept.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650, default = 30)]
    retention_days: u32,
    /// How many backups are kept.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 10)]
    max_backups: u32,
    /// Of how many hours the newest backup is kept, however old it is.
    #[schema(minimum = 0, maximum = 1000)]
    keep_hourly: Option<u32>,
    /// The same of days in the schedule's time zone.
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
    /// Which of its new backups are verified by themselves.
    #[schema(value_type = Option<types::VerifyWhen>, default = "NEVER")]
    verify_when: VerifyWhen,
    /// How thoroughly.
    #[schema(value_type = Option<types::VerifyLevel>, default = "RESTORE")]
    verify_level: VerifyLevel,
    /// How many of a hundred, where SAMPLED.
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 100, default = 10)]
    verify_percent: u8,
    /// How many backups may build on each other before a full one is made of the newest, from the storage alone.
    #[schema(minimum = 1, maximum = 200)]
    consolidate_every: Option<u32>,
    /// Whether it fires.
    #[schema(value_type = Option<bool>, default = true)]
    is_enabled: bool,
    /// The configuration that its backups are made by.
    #[schema(value_type = Option<String>, max_length = 50, default = "default")]
    config_key: String,
}

impl FromFields for CreateSchedule {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        let missing = |name| move || ApiError::field("field_missing", name, "it is required");
        let standard = Retention::default();
        let verification = VerifyPolicy::default();
        Ok(Self {
            name: fields.text("name", MAX_NAME)?.ok_or_else(missing("name"))?,
            description: fields.text("description", MAX_DESCRIPTION)?,
            backup_type: fields.require("backupType", "invalid_backup_type")?,
            backup_source: fields.require("backupSource", "invalid_backup_source")?,
            cron_expression: take_cron(fields)?.ok_or_else(missing("cronExpression"))?.to_string(),
            timezone: zone_or_default(take_zone(fields)?)?.to_string(),
            start_window: take_window(fields)?,
            retention_days: take_days(fields)?.unwrap_or(standard.retention_days),
            max_backups: take_max(fields)?.unwrap_or(standard.max_backups),
            keep_hourly: take_keep(fields, "keepHourly")?,
            keep_daily: take_keep(fields, "keepDaily")?,
            keep_weekly: take_keep(fields, "keepWeekly")?,
            keep_monthly: take_keep(fields, "keepMonthly")?,
            keep_yearly: take_keep(fields, "keepYearly")?,
            verify_when: fields.take("verifyWhen", "field_invalid")?.unwrap_or(verification.when),
            verify_level: fields
                .take("verifyLevel", "invalid_verify_level")?
                .unwrap_or(verification.level),
            verify_percent: fields.number("verifyPercent", 1..=100)?.unwrap_or(verification.percent),
            consolidate_every: take_every(fields)?,
            is_enabled: fields.flag("isEnabled", true)?,
            config_key: fields
                .text("configKey", 50)?
                .unwrap_or_else(|| DEFAULT_CONFIG_KEY.to_owned()),
        })
    }
}

impl CreateSchedule {
    /// The schedule, which the catalog dates.
    pub(crate) fn schedule(self, id: ScheduleId, by: Option<UserId>, now: DateTime<Utc>) -> Schedule {
        Schedule {
            id,
            config_key: self.config_key,
            name: self.name,
            description: self.description,
            is_enabled: self.is_enabled,
            backup_type: self.backup_type,
            backup_source: self.backup_source,
            cron_expression: self.cron_expression,
            timezone: self.timezone,
            retention: Retention {
                retention_days: self.retention_days,
                max_backups: self.max_backups,
                keep_hourly: self.keep_hourly,
                keep_daily: self.keep_daily,
                keep_weekly: self.keep_weekly,
                keep_monthly: self.keep_monthly,
                keep_yearly: self.keep_yearly,
            },
            next_run_at: None,
            last_run_at: None,
            last_success_at: None,
            last_verify_passed_at: None,
            start_window: self.start_window,
            verification: VerifyPolicy {
                when: self.verify_when,
                level: self.verify_level,
                percent: self.verify_percent,
            },
            consolidate_every: self.consolidate_every,
            created_at: now,
            updated_at: now,
            created_by: by,
        }
    }
}

fn take_window(fields: &mut Fields) -> ApiResult<Option<StartWindow>> {
    let text = fields.take::<String>("startWindow", "field_invalid")?;
    let window = text.map(|text| text.parse()).transpose();
    window.map_err(|error: WindowError| ApiError::field("field_invalid", "startWindow", error.to_string()))
}

/// Changes to a schedule; what is absent stays. `null` takes away the description, the hours, each `keep…` and
/// `consolidateEvery`, and is the same as absent for the others.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct UpdateSchedule {
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(value_type = Option<String>, max_length = 500)]
    description: Change<String>,
    #[schema(value_type = Option<types::BackupType>)]
    backup_type: Option<BackupType>,
    #[schema(value_type = Option<types::BackupSource>)]
    backup_source: Option<BackupSource>,
    /// From the change on it fires at the new instants alone.
    #[schema(schema_with = types::optional_cron, required = false)]
    cron_expression: Option<String>,
    #[schema(schema_with = types::optional_zone, required = false)]
    timezone: Option<String>,
    #[schema(value_type = Option<String>, pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")]
    start_window: Change<StartWindow>,
    #[schema(minimum = 1, maximum = 3650)]
    retention_days: Option<u32>,
    #[schema(minimum = 1, maximum = 1000)]
    max_backups: Option<u32>,
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1000)]
    keep_hourly: Change<u32>,
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1000)]
    keep_daily: Change<u32>,
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1000)]
    keep_weekly: Change<u32>,
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1000)]
    keep_monthly: Change<u32>,
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1000)]
    keep_yearly: Change<u32>,
    #[schema(value_type = Option<types::VerifyWhen>)]
    verify_when: Option<VerifyWhen>,
    #[schema(value_type = Option<types::VerifyLevel>)]
    verify_level: Option<VerifyLevel>,
    #[schema(minimum = 1, maximum = 100)]
    verify_percent: Option<u8>,
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 200)]
    consolidate_every: Change<u32>,
    is_enabled: Option<bool>,
    /// Its backups so far stay with the configuration that made them.
    #[schema(min_length = 1, max_length = 50)]
    config_key: Option<String>,
}

impl FromFields for UpdateSchedule {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        let keep = |fields: &mut Fields, name| fields.change(name, |fields| take_keep(fields, name));
        Ok(Self {
            name: fields.given("name", |fields| fields.text("name", MAX_NAME))?,
            description: fields.change("description", |fields| fields.text("description", MAX_DESCRIPTION))?,
            backup_type: fields.take("backupType", "invalid_backup_type")?,
            backup_source: fields.take("backupSource", "invalid_backup_source")?,
            cron_expression: take_cron(fields)?.map(|cron| cron.to_string()),
            timezone: take_zone(fields)?.map(|zone| zone.to_string()),
            start_window: fields.change("startWindow", take_window)?,
            retention_days: take_days(fields)?,
            max_backups: take_max(fields)?,
            keep_hourly: keep(fields, "keepHourly")?,
            keep_daily: keep(fields, "keepDaily")?,
            keep_weekly: keep(fields, "keepWeekly")?,
            keep_monthly: keep(fields, "keepMonthly")?,
            keep_yearly: keep(fields, "keepYearly")?,
            verify_when: fields.take("verifyWhen", "field_invalid")?,
            verify_level: fields.take("verifyLevel", "invalid_verify_level")?,
            verify_percent: fields.number("verifyPercent", 1..=100)?,
            consolidate_every: fields.change("consolidateEvery", take_every)?,
            is_enabled: fields.take("isEnabled", "field_invalid")?,
            config_key: fields.given("configKey", |fields| fields.text("configKey", 50))?,
        })
    }
}

impl UpdateSchedule {
    /// The schedule with the changes.
    pub(crate) fn apply(self, to: &Schedule) -> Schedule {
        let mut schedule = to.clone();
        set(self.name, &mut schedule.name);
        self.description.apply(&mut schedule.description);
        set(self.backup_type, &mut schedule.backup_type);
        set(self.backup_source, &mut schedule.backup_source);
        set(self.cron_expression, &mut schedule.cron_expression);
        set(self.timezone, &mut schedule.timezone);
        self.start_window.apply(&mut schedule.start_window);
        set(self.is_enabled, &mut schedule.is_enabled);
        set(self.config_key, &mut schedule.config_key);
        self.consolidate_every.apply(&mut schedule.consolidate_every);
        let verification = &mut schedule.verification;
        set(self.verify_when, &mut verification.when);
        set(self.verify_level, &mut verification.level);
        set(self.verify_percent, &mut verification.percent);
        let retention = &mut schedule.retention;
        set(self.retention_days, &mut retention.retention_days);
        set(self.max_backups, &mut retention.max_backups);
        self.keep_hourly.apply(&mut retention.keep_hourly);
        self.keep_daily.apply(&mut retention.keep_daily);
        self.keep_weekly.apply(&mut retention.keep_weekly);
        self.keep_monthly.apply(&mut retention.keep_monthly);
        self.keep_yearly.apply(&mut retention.keep_yearly);
        schedule
    }

    /// The names of the fields that it gives, for the audit log.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let all = [
            (self.name.is_some(), "name"),
            (self.description.is_given(), "description"),
            (self.backup_type.is_some(), "backupType"),
            (self.backup_source.is_some(), "backupSource"),
            (self.cron_expression.is_some(), "cronExpression"),
            (self.timezone.is_some(), "timezone"),
            (self.start_window.is_given(), "startWindow"),
            (self.retention_days.is_some(), "retentionDays"),
            (self.max_backups.is_some(), "maxBackups"),
            (self.keep_hourly.is_given(), "keepHourly"),
            (self.keep_daily.is_given(), "keepDaily"),
            (self.keep_weekly.is_given(), "keepWeekly"),
            (self.keep_monthly.is_given(), "keepMonthly"),
            (self.keep_yearly.is_given(), "keepYearly"),
            (self.verify_when.is_some(), "verifyWhen"),
            (self.verify_level.is_some(), "verifyLevel"),
            (self.verify_percent.is_some(), "verifyPercent"),
            (self.consolidate_every.is_given(), "consolidateEvery"),
            (self.is_enabled.is_some(), "isEnabled"),
            (self.config_key.is_some(), "configKey"),
        ];
        let given = all.into_iter().filter(|(given, _)| *given);
        given.map(|(_, name)| name).collect()
    }
}
