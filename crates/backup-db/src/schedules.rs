//! Schedules and their firings.

use backup_core::schedule::{Retention, Schedule};
use backup_core::{Backup, BackupId, BackupSource, BackupType, NewBackup, ScheduleId, UserId, text_enum};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::schema::{backup_schedules, backups, schedule_firings};
use crate::store::Tx;
use crate::types::{Time, Word, count, small, time, word};
use crate::{Error, Store};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = backup_schedules)]
struct ScheduleRow {
    id: Word<ScheduleId>,
    config_key: String,
    name: String,
    description: Option<String>,
    is_enabled: bool,
    backup_type: Word<BackupType>,
    backup_source: Word<BackupSource>,
    cron_expression: String,
    timezone: String,
    retention_days: i64,
    max_backups: i64,
    keep_daily: Option<i64>,
    keep_weekly: Option<i64>,
    keep_monthly: Option<i64>,
    keep_yearly: Option<i64>,
    next_run_at: Option<Time>,
    last_run_at: Option<Time>,
    created_at: Time,
    updated_at: Time,
    created_by: Option<Word<UserId>>,
}

impl From<ScheduleRow> for Schedule {
    fn from(row: ScheduleRow) -> Self {
        Self {
            id: row.id.0,
            config_key: row.config_key,
            name: row.name,
            description: row.description,
            is_enabled: row.is_enabled,
            backup_type: row.backup_type.0,
            backup_source: row.backup_source.0,
            cron_expression: row.cron_expression,
            timezone: row.timezone,
            retention: Retention {
                retention_days: small(row.retention_days),
                max_backups: small(row.max_backups),
                keep_hourly: None,
                keep_daily: row.keep_daily.map(small),
                keep_weekly: row.keep_weekly.map(small),
                keep_monthly: row.keep_monthly.map(small),
                keep_yearly: row.keep_yearly.map(small),
            },
            next_run_at: time(row.next_run_at),
            last_run_at: time(row.last_run_at),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            created_by: word(row.created_by),
        }
    }
}

/// A schedule and how many backups it has made that still are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSummary {
    /// The schedule.
    pub schedule: Schedule,
    /// How many backups.
    pub backups: u64,
}

text_enum! {
    /// What came of a schedule's instant.
    pub enum FiringOutcome {
        /// A backup was asked for on time.
        Started => "STARTED",
        /// A backup was asked for late, since nobody was there on time.
        CaughtUp => "CAUGHT_UP",
        /// None was asked for: the one before still ran.
        Skipped => "SKIPPED",
    }
}

/// A schedule's instant and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// The instant that its expression names.
    pub scheduled_at: DateTime<Utc>,
    /// What came of it.
    pub outcome: FiringOutcome,
    /// The backup that was asked for.
    pub backup_id: Option<BackupId>,
    /// When that was.
    pub recorded_at: DateTime<Utc>,
}

impl Store {
    /// Makes a schedule. Its times of making and change are set to now.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] where the identifier is taken.
    pub async fn create_schedule(&self, schedule: Schedule) -> Result<Schedule, Error> {
        self.write("create_schedule", move |tx| {
            if find(tx, schedule.id)?.is_some() {
                return Err(Error::AlreadyExists {
                    what: "schedule",
                    name: schedule.id.to_string(),
                }
                .into());
            }
            diesel::insert_into(backup_schedules::table)
                .values((
                    backup_schedules::id.eq(schedule.id.to_string()),
                    backup_schedules::created_at.eq(tx.now.naive_utc()),
                    backup_schedules::created_by.eq(schedule.created_by.map(|id| id.to_string())),
                    columns(&schedule, tx.now),
                ))
                .execute(tx.db)?;
            changed(tx, schedule.id)
        })
        .await
    }

    /// Changes a schedule to what is given; who made it and when stays.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none.
    pub async fn update_schedule(&self, schedule: Schedule) -> Result<Schedule, Error> {
        self.write("update_schedule", move |tx| {
            let rows = diesel::update(backup_schedules::table.filter(backup_schedules::id.eq(schedule.id.to_string())))
                .set(columns(&schedule, tx.now))
                .execute(tx.db)?;
            if rows == 0 {
                return Err(Error::not_found("schedule", &schedule.id).into());
            }
            changed(tx, schedule.id)
        })
        .await
    }

    /// Removes a schedule; its backups stay. `false`: there was none.
    pub async fn delete_schedule(&self, id: ScheduleId) -> Result<bool, Error> {
        self.write("delete_schedule", move |tx| {
            let rows = diesel::delete(backup_schedules::table.filter(backup_schedules::id.eq(id.to_string())))
                .execute(tx.db)?;
            if rows > 0 {
                append(tx, EventKind::Schedule, &id)?;
            }
            Ok(rows > 0)
        })
        .await
    }

    /// A schedule.
    pub async fn get_schedule(&self, id: ScheduleId) -> Result<Option<ScheduleSummary>, Error> {
        self.read("get_schedule", move |tx| {
            let Some(row) = find(tx, id)? else { return Ok(None) };
            Ok(Some(summary(tx, row)?))
        })
        .await
    }

    /// Every schedule, oldest first.
    pub async fn list_schedules(&self) -> Result<Vec<ScheduleSummary>, Error> {
        self.read("list_schedules", |tx| {
            let rows: Vec<ScheduleRow> = backup_schedules::table
                .order((backup_schedules::created_at, backup_schedules::id))
                .select(ScheduleRow::as_select())
                .load(tx.db)?;
            rows.into_iter().map(|row| summary(tx, row)).collect()
        })
        .await
    }

    /// The enabled schedules whose next instant has come, the most overdue first.
    pub async fn due_schedules(&self) -> Result<Vec<Schedule>, Error> {
        self.read("due_schedules", |tx| {
            let rows: Vec<ScheduleRow> = backup_schedules::table
                .filter(backup_schedules::is_enabled.eq(true))
                .filter(backup_schedules::next_run_at.le(tx.now.naive_utc()))
                .order((backup_schedules::next_run_at, backup_schedules::id))
                .select(ScheduleRow::as_select())
                .load(tx.db)?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
        .await
    }

    /// Fires a schedule for one of its instants: records what came of it, asks for the backup where one is given, and sets
    /// the next instant, all at once. `None`: somebody else has fired this instant already, and nothing was changed. However
    /// many schedulers try, there is one backup.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the schedule is gone.
    pub async fn fire_schedule(
        &self,
        id: ScheduleId,
        scheduled_at: DateTime<Utc>,
        outcome: FiringOutcome,
        backup: Option<NewBackup>,
        next_run_at: Option<DateTime<Utc>>,
    ) -> Result<Option<(Firing, Option<Backup>)>, Error> {
        self.write("fire_schedule", move |tx| {
            if find(tx, id)?.is_none() {
                return Err(Error::not_found("schedule", &id).into());
            }
            let fired: i64 = schedule_firings::table
                .filter(schedule_firings::schedule_id.eq(id.to_string()))
                .filter(schedule_firings::scheduled_at.eq(scheduled_at.naive_utc()))
                .count()
                .get_result(tx.db)?;
            if fired > 0 {
                return Ok(None);
            }
            let made = backup.as_ref().map(|new| crate::backups::insert(tx, new)).transpose()?;
            let firing = Firing {
                schedule_id: id,
                scheduled_at,
                outcome,
                backup_id: made.as_ref().map(|backup| backup.id),
                recorded_at: tx.now,
            };
            diesel::insert_into(schedule_firings::table)
                .values((
                    schedule_firings::schedule_id.eq(id.to_string()),
                    schedule_firings::scheduled_at.eq(scheduled_at.naive_utc()),
                    schedule_firings::outcome.eq(outcome.as_str()),
                    schedule_firings::backup_id.eq(firing.backup_id.map(|id| id.to_string())),
                    schedule_firings::recorded_at.eq(tx.now.naive_utc()),
                ))
                .execute(tx.db)?;
            diesel::update(backup_schedules::table.filter(backup_schedules::id.eq(id.to_string())))
                .set((
                    backup_schedules::last_run_at.eq(scheduled_at.naive_utc()),
                    backup_schedules::next_run_at.eq(next_run_at.map(|at| at.naive_utc())),
                ))
                .execute(tx.db)?;
            append(tx, EventKind::Schedule, &id)?;
            Ok(Some((firing, made)))
        })
        .await
    }

    /// A schedule's newest firings.
    pub async fn firings_of(&self, id: ScheduleId, limit: u32) -> Result<Vec<Firing>, Error> {
        type Row = (Time, Word<FiringOutcome>, Option<Word<BackupId>>, Time);
        self.read("firings_of", move |tx| {
            let rows: Vec<Row> = schedule_firings::table
                .filter(schedule_firings::schedule_id.eq(id.to_string()))
                .order(schedule_firings::scheduled_at.desc())
                .limit(i64::from(limit))
                .select((
                    schedule_firings::scheduled_at,
                    schedule_firings::outcome,
                    schedule_firings::backup_id,
                    schedule_firings::recorded_at,
                ))
                .load(tx.db)?;
            Ok(rows
                .into_iter()
                .map(|(scheduled_at, outcome, backup_id, recorded_at)| Firing {
                    schedule_id: id,
                    scheduled_at: scheduled_at.0,
                    outcome: outcome.0,
                    backup_id: word(backup_id),
                    recorded_at: recorded_at.0,
                })
                .collect())
        })
        .await
    }
}

#[derive(AsChangeset, Insertable)]
#[diesel(table_name = backup_schedules, treat_none_as_null = true)]
struct Columns {
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
    next_run_at: Option<chrono::NaiveDateTime>,
    last_run_at: Option<chrono::NaiveDateTime>,
    updated_at: chrono::NaiveDateTime,
}

fn columns(schedule: &Schedule, now: DateTime<Utc>) -> Columns {
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
        next_run_at: schedule.next_run_at.map(|at| at.naive_utc()),
        last_run_at: schedule.last_run_at.map(|at| at.naive_utc()),
        updated_at: now.naive_utc(),
    }
}

fn find(tx: &mut Tx<'_>, id: ScheduleId) -> TxResult<Option<ScheduleRow>> {
    Ok(backup_schedules::table
        .filter(backup_schedules::id.eq(id.to_string()))
        .select(ScheduleRow::as_select())
        .first(tx.db)
        .optional()?)
}

fn changed(tx: &mut Tx<'_>, id: ScheduleId) -> TxResult<Schedule> {
    append(tx, EventKind::Schedule, &id)?;
    let row = find(tx, id)?.ok_or_else(|| Error::not_found("schedule", &id))?;
    Ok(row.into())
}

fn summary(tx: &mut Tx<'_>, row: ScheduleRow) -> TxResult<ScheduleSummary> {
    let made: i64 = backups::table
        .filter(backups::schedule_id.eq(row.id.0.to_string()))
        .filter(backups::deleting.eq(false))
        .count()
        .get_result(tx.db)?;
    Ok(ScheduleSummary {
        schedule: row.into(),
        backups: count(made),
    })
}
