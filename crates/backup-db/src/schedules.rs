//! Schedules. When each fires next is reckoned here and in `firings`, and given by nobody.

use std::collections::{HashMap, HashSet};

use backup_core::retention::Retention;
use backup_core::schedule::{Schedule, StartWindow, VerifyPolicy, VerifyWhen};
use backup_core::{AlertKind, BackupSource, BackupType, ScheduleId, UserId, VerifyLevel};
use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, max};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::schema::{backup_schedules, backups, users};
use crate::store::Tx;
use crate::types::{Time, Word, big, count, small, time, word};
use crate::{Error, Store, firings};

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
    created_by: Option<Word<UserId>>,
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

/// A schedule and how many backups it has made that still are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSummary {
    /// The schedule.
    pub schedule: Schedule,
    /// How many backups.
    pub backups: u64,
    /// When the newest of them was asked for, whether it fired or somebody asked.
    pub last_backup_at: Option<DateTime<Utc>>,
    /// What the person is called who made the schedule.
    pub created_by_name: Option<String>,
}

/// Which schedules, oldest first unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScheduleListOptions {
    /// Only this configuration's.
    pub config_key: Option<String>,
    /// How many at the most.
    pub limit: u32,
    /// How many to pass over.
    pub offset: u64,
    /// The newest first: for people. To go through all of them oldest first misses none that is made meanwhile.
    pub newest_first: bool,
}

/// One page of the schedules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulePage {
    /// The page.
    pub schedules: Vec<ScheduleSummary>,
    /// How many there are on all pages.
    pub total: u64,
}

impl Store {
    /// Makes a schedule. Its times of making and change are set to now, and its next instant is reckoned.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] where the identifier is taken, [`Error::NotFound`] where its configuration is not there,
    /// [`Error::Cron`].
    pub async fn create_schedule(&self, schedule: Schedule) -> Result<Schedule, Error> {
        self.write("create_schedule", move |tx| {
            if find(tx, schedule.id)?.is_some() {
                return Err(Error::AlreadyExists {
                    what: "schedule",
                    name: schedule.id.to_string(),
                }
                .into());
            }
            if !crate::configs::exists(tx, &schedule.config_key)? {
                return Err(Error::not_found("configuration", &schedule.config_key).into());
            }
            insert(tx, &schedule)
        })
        .await
    }

    /// Changes a schedule that still is as `from` to what is given; who made it and when stays, and so does its next instant
    /// unless its expression, its zone or whether it is enabled changes. No instant that has been fired comes again.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Changed`] where it is another by now; [`Error::Cron`].
    pub async fn update_schedule(&self, from: &Schedule, schedule: Schedule) -> Result<Schedule, Error> {
        let from = from.clone();
        self.write("update_schedule", move |tx| {
            let row = find(tx, schedule.id)?.ok_or_else(|| Error::not_found("schedule", &schedule.id))?;
            let now_is = Schedule::from(row);
            if editable(&now_is) != editable(&from) {
                return Err(Error::Changed {
                    what: "schedule",
                    id: schedule.id.to_string(),
                }
                .into());
            }
            if now_is.config_key != schedule.config_key && !crate::configs::exists(tx, &schedule.config_key)? {
                return Err(Error::not_found("configuration", &schedule.config_key).into());
            }
            let stands_still = now_is.is_enabled && now_is.next_run_at.is_none();
            let keeps_time = !stands_still
                && now_is.is_enabled == schedule.is_enabled
                && now_is.cron_expression == schedule.cron_expression
                && now_is.timezone == schedule.timezone;
            let next_run_at = if keeps_time {
                now_is.next_run_at
            } else {
                let (cron, zone) = schedule.timing().map_err(Error::from)?;
                if !schedule.is_enabled {
                    None
                } else if now_is.last_run_at.is_some_and(|last| last > tx.now) {
                    firings::next_unfired(tx, &schedule, tx.now)?
                } else {
                    cron.next_after(tx.now, zone)
                }
            };
            diesel::update(backup_schedules::table.filter(backup_schedules::id.eq(schedule.id.to_string())))
                .set((
                    columns(&schedule, tx.now),
                    backup_schedules::next_run_at.eq(next_run_at.map(|at| at.naive_utc())),
                ))
                .execute(tx.db)?;
            if !schedule.is_enabled {
                firings::forget(tx, schedule.id)?;
            }
            if now_is.start_window != schedule.start_window || now_is.timezone != schedule.timezone {
                crate::claims::forget_put_off(tx, schedule.id)?;
            }
            changed(tx, schedule.id)
        })
        .await
    }

    /// Removes a schedule; its backups stay. `false`: there was none.
    pub async fn delete_schedule(&self, id: ScheduleId) -> Result<bool, Error> {
        self.write("delete_schedule", move |tx| {
            // Without it nothing lets its backups go any more.
            diesel::update(backups::table.filter(backups::schedule_id.eq(id.to_string())))
                .set(backups::expires_at.eq(None::<chrono::NaiveDateTime>))
                .execute(tx.db)?;
            let rows = diesel::delete(backup_schedules::table.filter(backup_schedules::id.eq(id.to_string())))
                .execute(tx.db)?;
            if rows > 0 {
                firings::forget(tx, id)?;
                for kind in [AlertKind::BackupFailed, AlertKind::ConsolidationFailed] {
                    crate::alerts::resolve(tx, kind, &id.to_string())?;
                }
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
            Ok(summaries(tx, vec![row])?.pop())
        })
        .await
    }

    /// One page of the schedules.
    pub async fn list_schedules(&self, options: &ScheduleListOptions) -> Result<SchedulePage, Error> {
        let options = options.clone();
        self.read("list_schedules", move |tx| {
            let mut all = backup_schedules::table.select(count_star()).into_boxed();
            let mut page = backup_schedules::table
                .limit(i64::from(options.limit))
                .offset(big(options.offset))
                .select(ScheduleRow::as_select())
                .into_boxed();
            page = if options.newest_first {
                page.order((backup_schedules::created_at.desc(), backup_schedules::id.desc()))
            } else {
                page.order((backup_schedules::created_at, backup_schedules::id))
            };
            if let Some(key) = &options.config_key {
                all = all.filter(backup_schedules::config_key.eq(key));
                page = page.filter(backup_schedules::config_key.eq(key));
            }
            let total: i64 = all.get_result(tx.db)?;
            let rows: Vec<ScheduleRow> = page.load(tx.db)?;
            Ok(SchedulePage {
                schedules: summaries(tx, rows)?,
                total: count(total),
            })
        })
        .await
    }

    /// The enabled schedules whose backups are verified by themselves, oldest first, at most `limit`.
    pub async fn drilled_schedules(&self, limit: u32) -> Result<Vec<Schedule>, Error> {
        self.read("drilled_schedules", move |tx| {
            let rows: Vec<ScheduleRow> = backup_schedules::table
                .filter(backup_schedules::is_enabled.eq(true))
                .filter(backup_schedules::verify_when.ne(VerifyWhen::Never.as_str()))
                .order((backup_schedules::created_at, backup_schedules::id))
                .limit(i64::from(limit))
                .select(ScheduleRow::as_select())
                .load(tx.db)?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
        .await
    }

    /// The identifiers of the schedules behind `after`, in their order, at most `limit`: to go through all of them.
    pub async fn schedule_ids(&self, after: Option<ScheduleId>, limit: u32) -> Result<Vec<ScheduleId>, Error> {
        self.read("schedule_ids", move |tx| {
            let rows: Vec<Word<ScheduleId>> = backup_schedules::table
                .filter(backup_schedules::id.gt(after.map_or_else(String::new, |id| id.to_string())))
                .order(backup_schedules::id)
                .limit(i64::from(limit))
                .select(backup_schedules::id)
                .load(tx.db)?;
            Ok(rows.into_iter().map(|id| id.0).collect())
        })
        .await
    }
}

/// The first instant after `after`; none for one that is disabled.
fn first_run(schedule: &Schedule, after: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
    let (cron, zone) = schedule.timing()?;
    Ok(cron.next_after(after, zone).filter(|_| schedule.is_enabled))
}

/// What of a schedule people change.
fn editable(schedule: &Schedule) -> Schedule {
    Schedule {
        next_run_at: None,
        last_run_at: None,
        last_success_at: None,
        last_verify_passed_at: None,
        ..schedule.clone()
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
    updated_at: chrono::NaiveDateTime,
    keep_hourly: Option<i64>,
    verify_when: &'static str,
    verify_level: &'static str,
    verify_percent: i32,
    consolidate_every: Option<i64>,
    start_window: Option<String>,
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
        updated_at: now.naive_utc(),
        keep_hourly: keep.keep_hourly.map(Into::into),
        verify_when: schedule.verification.when.as_str(),
        verify_level: schedule.verification.level.as_str(),
        verify_percent: i32::from(schedule.verification.percent),
        consolidate_every: schedule.consolidate_every.map(Into::into),
        start_window: schedule.start_window.map(|window| window.to_string()),
    }
}

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

fn changed(tx: &mut Tx<'_>, id: ScheduleId) -> TxResult<Schedule> {
    append(tx, EventKind::Schedule, &id)?;
    let row = find(tx, id)?.ok_or_else(|| Error::not_found("schedule", &id))?;
    Ok(row.into())
}

fn summaries(tx: &mut Tx<'_>, rows: Vec<ScheduleRow>) -> TxResult<Vec<ScheduleSummary>> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.0.to_string()).collect();
    let made: Vec<(Option<String>, i64, Option<Time>)> = backups::table
        .filter(backups::schedule_id.eq_any(ids))
        .filter(backups::deleting.eq(false))
        .group_by(backups::schedule_id)
        .select((backups::schedule_id, count_star(), max(backups::created_at)))
        .load(tx.db)?;
    let made: HashMap<String, (i64, Option<Time>)> = made
        .into_iter()
        .filter_map(|(id, count, newest)| Some((id?, (count, newest))))
        .collect();
    let makers: HashSet<String> = rows.iter().filter_map(made_by).collect();
    let names: Vec<(String, String)> = users::table
        .filter(users::id.eq_any(makers))
        .select((users::id, users::display_name))
        .load(tx.db)?;
    let names: HashMap<String, String> = names.into_iter().collect();
    Ok(rows
        .into_iter()
        .map(|row| {
            let (backups, newest) = made.get(&row.id.0.to_string()).copied().unwrap_or_default();
            ScheduleSummary {
                backups: count(backups),
                last_backup_at: time(newest),
                created_by_name: made_by(&row).and_then(|id| names.get(&id).cloned()),
                schedule: row.into(),
            }
        })
        .collect())
}

fn made_by(row: &ScheduleRow) -> Option<String> {
    row.created_by.map(|id| id.0.to_string())
}
