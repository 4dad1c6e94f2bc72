//! Schedules. When each fires next is reckoned here and in `firings`, and given by nobody.

use std::collections::{HashMap, HashSet};

use backup_core::schedule::{Schedule, VerifyWhen};
use backup_core::{AlertKind, ScheduleId};
use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, max};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::schema::{backup_schedules, backups, users};
use crate::store::Tx;
use crate::types::{Time, Word, big, count, time};
use crate::{Error, Store, firings};

mod rows;

pub(crate) use rows::{ScheduleRow, find, insert};
use rows::{changed, columns};

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

    /// The enabled schedules behind `after` whose backups are verified by themselves, in the order of their identifiers, at
    /// most `limit`: to go through all of them.
    pub async fn drilled_schedules(&self, after: Option<ScheduleId>, limit: u32) -> Result<Vec<Schedule>, Error> {
        self.read("drilled_schedules", move |tx| {
            let rows: Vec<ScheduleRow> = backup_schedules::table
                .filter(backup_schedules::id.gt(after.map_or_else(String::new, |id| id.to_string())))
                .filter(backup_schedules::is_enabled.eq(true))
                .filter(backup_schedules::verify_when.ne(VerifyWhen::Never.as_str()))
                .order(backup_schedules::id)
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
