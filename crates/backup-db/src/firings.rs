//! Firing schedules: each instant once, however many schedulers there are, whatever their clocks do.
//!
//! The schedule's row says which instant is next. Firing asks for the backup, records the instant and moves the row on to
//! the next one, in one transaction. So an instant that has been fired is never the next one again, and one that has not
//! been is still there after a crash.

mod instant;

use backup_core::alert::AlertKind;
use backup_core::schedule::Schedule;
use backup_core::{Backup, BackupId, BackupTrigger, NewBackup, ScheduleId, UserId, text_enum};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use self::instant::{fire, standing};
use crate::alerts::resolve;
use crate::error::{TxError, TxResult};
use crate::events::{EventKind, append_all};
use crate::schedules::{ScheduleRow, find};
use crate::schema::{backup_schedules, backups, schedule_firings};
use crate::store::Tx;
use crate::types::{Time, Word, count, time, word};
use crate::{Error, Store};

/// As the index of the few that wait or run says it.
pub(crate) const ACTIVE: &str = "status IN ('PENDING', 'IN_PROGRESS')";

/// How long firings are kept to be looked at.
const KEPT: TimeDelta = TimeDelta::days(100);

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
    /// How many instants before this one, and behind the firing before, went by without anybody being there: this firing
    /// stands for them too.
    pub missed: u32,
}

/// A schedule that has just fired.
#[derive(Debug, Clone, PartialEq)]
pub struct Fired {
    /// The schedule, as it stands then.
    pub schedule: Schedule,
    /// The instant, and what came of it.
    pub firing: Firing,
    /// The backup that was asked for.
    pub backup: Option<Backup>,
}

impl Store {
    /// Fires the schedules whose next instant has come, the most overdue first, at most `limit`. Of several instants that
    /// went by, the last one is fired and stands for all. While a schedule's backup waits or runs, the instant is passed
    /// over, and recorded so. Instants that were missed, and those passed over, are alerts. While the system is paused nothing
    /// fires; afterwards the last instant of each schedule stands for those of the pause, and none of them counts as missed.
    pub async fn fire_due_schedules(&self, limit: u32) -> Result<Vec<Fired>, Error> {
        // Most asks find nothing: those should not queue up with the writers.
        let nothing = |tx: &mut Tx<'_>| Ok(crate::pause::is_on(tx)? || due(tx, 1)?.is_empty());
        if self.read("find_due_schedules", nothing).await? {
            return Ok(Vec::new());
        }
        self.write("fire_due_schedules", move |tx| {
            if crate::pause::is_on(tx)? {
                return Ok(Vec::new());
            }
            let schedules: Vec<Schedule> = due(tx, limit)?.into_iter().map(Into::into).collect();
            let standing = standing(tx, &schedules)?;
            let mut fired = Vec::with_capacity(schedules.len());
            let mut changed = Vec::with_capacity(2 * schedules.len());
            for schedule in schedules {
                changed.push((EventKind::Schedule, schedule.id.to_string()));
                let Some(one) = fire(tx, schedule, &standing)? else {
                    continue;
                };
                changed.extend(
                    one.backup
                        .iter()
                        .map(|backup| (EventKind::Backup, backup.id.to_string())),
                );
                fired.push(one);
            }
            append_all(tx, &changed)?;
            Ok(fired)
        })
        .await
    }

    /// When the next schedule is due; the past where one is already.
    pub async fn next_firing_at(&self) -> Result<Option<DateTime<Utc>>, Error> {
        self.read("next_firing_at", next_firing_at).await
    }

    /// Asks for a backup of a schedule now, beside its instants.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::StillRunning`] where one of its backups waits or runs.
    pub async fn trigger_schedule(&self, id: ScheduleId, created_by: Option<UserId>) -> Result<Backup, Error> {
        self.write("trigger_schedule", move |tx| {
            let row = find(tx, id)?.ok_or_else(|| Error::not_found("schedule", &id))?;
            if let Some(backup) = running(tx, id)? {
                return Err(Error::StillRunning { schedule: id, backup }.into());
            }
            let new = new_backup(tx, &row.into(), BackupTrigger::Manual, created_by)?;
            crate::backups::insert(tx, &new)
        })
        .await
    }

    /// A schedule's newest firings.
    pub async fn firings_of(&self, id: ScheduleId, limit: u32) -> Result<Vec<Firing>, Error> {
        type Row = (Time, Word<FiringOutcome>, Option<Word<BackupId>>, Time, i64);
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
                    schedule_firings::missed,
                ))
                .load(tx.db)?;
            Ok(rows
                .into_iter()
                .map(|(scheduled_at, outcome, backup_id, recorded_at, missed)| Firing {
                    schedule_id: id,
                    scheduled_at: scheduled_at.0,
                    outcome: outcome.0,
                    backup_id: word(backup_id),
                    recorded_at: recorded_at.0,
                    missed: u32::try_from(missed).unwrap_or(u32::MAX),
                })
                .collect())
        })
        .await
    }

    /// Forgets the firings that nobody looks at any more. Returns how many.
    pub async fn trim_firings(&self) -> Result<u64, Error> {
        self.write("trim_firings", |tx| {
            let rows = diesel::delete(
                schedule_firings::table.filter(schedule_firings::recorded_at.lt((tx.now - KEPT).naive_utc())),
            )
            .execute(tx.db)?;
            Ok(rows as u64)
        })
        .await
    }

    /// The schedules whose next instant went by more than `patience` ago, and how many there are: nobody fires them. None while
    /// the system is paused.
    pub async fn overdue_schedules(&self, patience: TimeDelta, limit: u32) -> Result<(Vec<Schedule>, u64), Error> {
        self.read("overdue_schedules", move |tx| {
            let before = (tx.now - patience).naive_utc();
            let overdue = || {
                backup_schedules::table
                    .filter(backup_schedules::next_run_at.lt(before))
                    .filter(backup_schedules::is_enabled.eq(true))
            };
            if crate::pause::is_on(tx)? {
                return Ok((Vec::new(), 0));
            }
            let total: i64 = overdue().count().get_result(tx.db)?;
            let rows: Vec<ScheduleRow> = overdue()
                .order((backup_schedules::next_run_at, backup_schedules::id))
                .limit(i64::from(limit))
                .select(ScheduleRow::as_select())
                .load(tx.db)?;
            Ok((rows.into_iter().map(Into::into).collect(), count(total)))
        })
        .await
    }
}

pub(crate) fn next_firing_at(tx: &mut Tx<'_>) -> TxResult<Option<DateTime<Utc>>> {
    let next: Option<Option<Time>> = backup_schedules::table
        .filter(backup_schedules::next_run_at.is_not_null())
        .filter(backup_schedules::is_enabled.eq(true))
        .order((backup_schedules::next_run_at, backup_schedules::id))
        .select(backup_schedules::next_run_at)
        .first(tx.db)
        .optional()?;
    Ok(time(next.flatten()))
}

fn due(tx: &mut Tx<'_>, limit: u32) -> TxResult<Vec<ScheduleRow>> {
    Ok(backup_schedules::table
        .filter(backup_schedules::next_run_at.le(tx.now.naive_utc()))
        .filter(backup_schedules::is_enabled.eq(true))
        .order((backup_schedules::next_run_at, backup_schedules::id))
        .limit(i64::from(limit))
        .select(ScheduleRow::as_select())
        .load(tx.db)?)
}

/// A schedule that no longer fires has nothing to be worried about.
pub(crate) fn forget(tx: &mut Tx<'_>, id: ScheduleId) -> TxResult<()> {
    for kind in [AlertKind::ScheduleMissed, AlertKind::ScheduleSkipped] {
        resolve(tx, kind, &id.to_string())?;
    }
    Ok(())
}

/// Instants that are passed over, because they have been fired, before one is taken as it is.
const PASSED_OVER: usize = 1_000;

/// The first instant after `after` that has not been fired: a clock that was put back has instants before it that have.
pub(crate) fn next_unfired(
    tx: &mut Tx<'_>,
    schedule: &Schedule,
    after: DateTime<Utc>,
) -> TxResult<Option<DateTime<Utc>>> {
    let (cron, zone) = schedule.timing().map_err(Error::from)?;
    let mut last = None;
    for at in cron.upcoming(after, zone).take(PASSED_OVER) {
        last = Some(at);
        if !has_fired(tx, schedule.id, at)? {
            break;
        }
    }
    Ok(last)
}

fn has_fired(tx: &mut Tx<'_>, id: ScheduleId, at: DateTime<Utc>) -> TxResult<bool> {
    let rows: i64 = schedule_firings::table
        .filter(schedule_firings::schedule_id.eq(id.to_string()))
        .filter(schedule_firings::scheduled_at.eq(at.naive_utc()))
        .count()
        .get_result(tx.db)?;
    Ok(rows > 0)
}

/// The schedule's backup that waits or runs.
fn running(tx: &mut Tx<'_>, id: ScheduleId) -> TxResult<Option<BackupId>> {
    let row: Option<Word<BackupId>> = backups::table
        .filter(backups::schedule_id.eq(id.to_string()))
        .filter(sql::<Bool>(ACTIVE))
        .filter(backups::consolidated_from.is_null())
        .select(backups::id)
        .first(tx.db)
        .optional()?;
    Ok(row.map(|id| id.0))
}

fn new_backup(
    tx: &Tx<'_>,
    schedule: &Schedule,
    trigger: BackupTrigger,
    created_by: Option<UserId>,
) -> Result<NewBackup, TxError> {
    Ok(NewBackup {
        id: tx.id()?,
        config_key: schedule.config_key.clone(),
        backup_type: schedule.backup_type,
        source: schedule.backup_source,
        trigger,
        description: Some(schedule.backup_description()),
        created_by,
        schedule_id: Some(schedule.id),
    })
}
