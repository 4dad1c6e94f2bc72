//! The rows of schedules: how they are read and written.

use backup_core::retention::Retention;
use backup_core::schedule::{Schedule, StartWindow, VerifyPolicy, VerifyWhen};
use backup_core::{BackupSource, BackupType, ScheduleId, UserId, VerifyLevel};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::Error;
use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::schema::backup_schedules;
use crate::store::Tx;
use crate::types::{Time, Word, small, time, word};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = backup_schedules)]
pub(crate) struct ScheduleRow {
    pub(crate) id: Word<ScheduleId>,
    config_key: String,
    pub(crate) name: String,
    description: Option<String>,
    is_enabled: bool,
    backup_type: Word<BackupType>,
    backup_source: Word<BackupSource>,
    cron_expression: String,
    timezone: String,
    pub(crate) retention_days: i64,
    max_backups: i64,
    keep_daily: Option<i64>,
    keep_weekly: Option<i64>,
    keep_monthly: Option<i64>,
    keep_yearly: Option<i64>,
    pub(crate) next_run_at: Option<Time>,
    last_run_at: Option<Time>,
    created_at: Time,
    updated_at: Time,
    pub(super) created_by: Option<Word<UserId>>,
    keep_hourly: Option<i64>,
    last_success_at: Option<Time>,
    verify_when: Word<VerifyWhen>,
    verify_level: Word<VerifyLevel>,
    verify_percent: i32,
    pub(crate) last_verify_asked_at: Option<Time>,
    last_verify_passed_at: Option<Time>,
    pub(crate) consolidate_every: Option<i64>,
    start_window: Option<Word<StartWindow>>,
}

impl ScheduleRow {
    pub(crate) fn verification(&self) -> VerifyPolicy {
        VerifyPolicy {
            when: self.verify_when.0,
            level: self.verify_level.0,
            percent: u8::try_from(self.verify_percent).unwrap_or(100),
        }
    }
}

impl From<ScheduleRow> for Schedule {
    fn from(row: ScheduleRow) -> Self {
        Self {
            verification: row.verification(),
            id: row.id.0,
            config_key: row.config_key,
            name: row.name,
            description: row.description,
            is_enabled: row.is_enabled,
            backup_type: row.backup_type.0,
            backup_source: row.backup_source.0,
            cron_expression: row.cron_expression,
            timezone: row.timezone,
            start_window: word(row.start_window),
            retention: Retention {
                retention_days: small(row.retention_days),
                max_backups: small(row.max_backups),
                keep_hourly: row.keep_hourly.map(small),
                keep_daily: row.keep_daily.map(small),
                keep_weekly: row.keep_weekly.map(small),
                keep_monthly: row.keep_monthly.map(small),
                keep_yearly: row.keep_yearly.map(small),
            },
            next_run_at: time(row.next_run_at),
            last_run_at: time(row.last_run_at),
            last_success_at: time(row.last_success_at),
            last_verify_passed_at: time(row.last_verify_passed_at),
            consolidate_every: row.consolidate_every.map(small),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            created_by: word(row.created_by),
        }
    }
}

#[derive(AsChangeset, Insertable)]
#[diesel(table_name = backup_schedules, treat_none_as_null = true)]
pub(super) struct Columns {
    config_key: String,
    name: String,
    description: Option<String>,
    is_enabled: bool,
    backup_type: &'static str,
    backup_source: &'static str,
    cron_expression: String,
    timezone: String,
    retention_days: i64,
    max_backups: i64,
    keep_daily: Option<i64>,
    keep_weekly: Option<i64>,
    keep_monthly: Option<i64>,
    keep_yearly: Option<i64>,
    updated_at: chrono::NaiveDateTime,
    keep_hourly: Option<i64>,
    verify_when: &'static str,
    verify_level: &'static str,
    verify_percent: i32,
    consolidate_every: Option<i64>,
    start_window: Option<String>,
}

/// What of a schedule is written whenever it is made or changed.
pub(super) fn columns(schedule: &Schedule, now: DateTime<Utc>) -> Columns {
    let keep = schedule.retention;
    Columns {
        config_key: schedule.config_key.clone(),
        name: schedule.name.clone(),
        description: schedule.description.clone(),
        is_enabled: schedule.is_enabled,
        backup_type: schedule.backup_type.as_str(),
        backup_source: schedule.backup_source.as_str(),
        cron_expression: schedule.cron_expression.clone(),
        timezone: schedule.timezone.clone(),
        retention_days: keep.retention_days.into(),
        max_backups: keep.max_backups.into(),
        keep_daily: keep.keep_daily.map(Into::into),
        keep_weekly: keep.keep_weekly.map(Into::into),
        keep_monthly: keep.keep_monthly.map(Into::into),
        keep_yearly: keep.keep_yearly.map(Into::into),
        updated_at: now.naive_utc(),
        keep_hourly: keep.keep_hourly.map(Into::into),
        verify_when: schedule.verification.when.as_str(),
        verify_level: schedule.verification.level.as_str(),
        verify_percent: i32::from(schedule.verification.percent),
        consolidate_every: schedule.consolidate_every.map(Into::into),
        start_window: schedule.start_window.map(|window| window.to_string()),
    }
}

/// Makes its row; its next instant is the first one from now on.
pub(crate) fn insert(tx: &mut Tx<'_>, schedule: &Schedule) -> TxResult<Schedule> {
    diesel::insert_into(backup_schedules::table)
        .values((
            backup_schedules::id.eq(schedule.id.to_string()),
            backup_schedules::created_at.eq(tx.now.naive_utc()),
            backup_schedules::created_by.eq(schedule.created_by.map(|id| id.to_string())),
            backup_schedules::next_run_at.eq(first_run(schedule, tx.now)?.map(|at| at.naive_utc())),
            columns(schedule, tx.now),
        ))
        .execute(tx.db)?;
    changed(tx, schedule.id)
}

pub(crate) fn find(tx: &mut Tx<'_>, id: ScheduleId) -> TxResult<Option<ScheduleRow>> {
    Ok(backup_schedules::table
        .filter(backup_schedules::id.eq(id.to_string()))
        .select(ScheduleRow::as_select())
        .first(tx.db)
        .optional()?)
}

/// The schedule as it stands now that it was changed, which an event tells.
pub(super) fn changed(tx: &mut Tx<'_>, id: ScheduleId) -> TxResult<Schedule> {
    append(tx, EventKind::Schedule, &id)?;
    let row = find(tx, id)?.ok_or_else(|| Error::not_found("schedule", &id))?;
    Ok(row.into())
}

/// The first instant after `after`; none for one that is disabled.
fn first_run(schedule: &Schedule, after: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
    let (cron, zone) = schedule.timing()?;
    Ok(cron.next_after(after, zone).filter(|_| schedule.is_enabled))
}
