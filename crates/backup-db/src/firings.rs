//! Firing schedules: each instant once, however many schedulers there are, whatever their clocks do.
//!
//! The schedule's row says which instant is next. Firing asks for the backup, records the instant and moves the row on to
//! the next one, in one transaction. So an instant that has been fired is never the next one again, and one that has not
//! been is still there after a crash.

use std::collections::HashSet;

use backup_core::alert::{AlertKind, CONFIG_DETAIL, NewAlert};
use backup_core::schedule::Schedule;
use backup_core::{Backup, BackupId, BackupTrigger, NewBackup, ScheduleId, UserId, text_enum};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::alerts::{raise, resolve};
use crate::error::{TxError, TxResult};
use crate::events::{EventKind, append_all};
use crate::schedules::{ScheduleRow, find};
use crate::schema::{alerts, backup_schedules, backups, schedule_firings};
use crate::store::Tx;
use crate::types::{Time, Word, count, time, word};
use crate::{Error, Store};

/// How late a firing may be and still be on time.
const ON_TIME: TimeDelta = TimeDelta::seconds(60);

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

/// Fires one schedule. Nothing where it had fired this instant before, which a clock that was put back can bring about.
fn fire(tx: &mut Tx<'_>, mut schedule: Schedule, standing: &Standing) -> TxResult<Option<Fired>> {
    let Some(planned) = schedule.next_run_at else {
        return Ok(None);
    };
    let (cron, zone) = match schedule.timing() {
        Ok(timing) => timing,
        Err(error) => return stand_still(tx, &schedule, &error.to_string()).map(|()| None),
    };
    // The rules of a zone may have changed since the instant was reckoned: then it is fired as it stands.
    let due = cron.due(planned, tx.now, zone);
    let (scheduled_at, instants) = due.map_or((planned, 1), |due| (due.latest.max(planned), due.count.max(1)));
    let id = schedule.id;
    let next_run_at = if schedule.last_run_at.is_some_and(|last| last > scheduled_at) {
        next_unfired(tx, &schedule, scheduled_at.max(tx.now))?
    } else {
        cron.next_after(scheduled_at.max(tx.now), zone)
    };
    diesel::update(backup_schedules::table.filter(backup_schedules::id.eq(id.to_string())))
        .set((
            backup_schedules::last_run_at.eq(scheduled_at.naive_utc()),
            backup_schedules::next_run_at.eq(next_run_at.map(|at| at.naive_utc())),
        ))
        .execute(tx.db)?;
    schedule.last_run_at = Some(scheduled_at);
    schedule.next_run_at = next_run_at;
    if has_fired(tx, id, scheduled_at)? {
        return Ok(None);
    }
    let was_paused = standing.was_paused(planned, tx.now);
    let missed = if was_paused { 0 } else { instants - 1 };
    let outcome = if standing.running.contains(&id.to_string()) {
        FiringOutcome::Skipped
    } else if missed == 0 && tx.now - scheduled_at <= ON_TIME {
        FiringOutcome::Started
    } else {
        FiringOutcome::CaughtUp
    };
    let backup = if outcome == FiringOutcome::Skipped {
        None
    } else {
        let new = new_backup(tx, &schedule, BackupTrigger::Scheduled, None)?;
        Some(crate::backups::insert_untold(tx, &new)?)
    };
    let firing = Firing {
        schedule_id: id,
        scheduled_at,
        outcome,
        backup_id: backup.as_ref().map(|backup| backup.id),
        recorded_at: tx.now,
        missed,
    };
    diesel::insert_into(schedule_firings::table)
        .values((
            schedule_firings::schedule_id.eq(id.to_string()),
            schedule_firings::scheduled_at.eq(scheduled_at.naive_utc()),
            schedule_firings::outcome.eq(outcome.as_str()),
            schedule_firings::backup_id.eq(firing.backup_id.map(|id| id.to_string())),
            schedule_firings::recorded_at.eq(tx.now.naive_utc()),
            schedule_firings::missed.eq(i64::from(missed)),
        ))
        .execute(tx.db)?;
    tell(tx, &schedule, &firing, planned, standing, was_paused)?;
    Ok(Some(Fired {
        schedule,
        firing,
        backup,
    }))
}

/// The alerts of a firing: what was missed, what was passed over, and what is over.
fn tell(
    tx: &mut Tx<'_>,
    schedule: &Schedule,
    firing: &Firing,
    planned: DateTime<Utc>,
    standing: &Standing,
    was_paused: bool,
) -> TxResult<()> {
    let subject = schedule.id.to_string();
    let is_late = firing.missed > 0 || tx.now - firing.scheduled_at > ON_TIME;
    if is_late && !was_paused {
        raise(tx, &NewAlert::schedule_missed(schedule, planned, firing.missed + 1))?;
    } else if standing.missed.contains(&subject) {
        resolve(tx, AlertKind::ScheduleMissed, &subject)?;
    }
    if firing.outcome == FiringOutcome::Skipped && schedule.opens_at(tx.now) > tx.now {
        // The one before waits for the hours in which it may start, as it is meant to.
    } else if firing.outcome == FiringOutcome::Skipped {
        let at = firing.scheduled_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let message = format!(
            "schedule {} was passed over at {at}: its backup before still ran",
            schedule.name
        );
        let alert = NewAlert::new(AlertKind::ScheduleSkipped, &subject, message)
            .with(CONFIG_DETAIL, &schedule.config_key)
            .with("schedule", &schedule.name)
            .with("at", at);
        raise(tx, &alert)?;
    } else if standing.skipped.contains(&subject) {
        resolve(tx, AlertKind::ScheduleSkipped, &subject)?;
    }
    Ok(())
}

/// What a firing has to know of its schedule, asked for all at once: by their identifiers.
struct Standing {
    /// Those of which a backup waits or runs.
    running: HashSet<String>,
    /// The subjects of the open alerts that a firing may put an end to.
    missed: HashSet<String>,
    skipped: HashSet<String>,
    /// The newest pause of the system.
    pause: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Standing {
    /// Whether what was planned is late because of the pause, and of nothing else.
    fn was_paused(&self, planned: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.pause
            .is_some_and(|(from, to)| planned >= from - ON_TIME && planned <= to && now - to <= ON_TIME)
    }
}

fn standing(tx: &mut Tx<'_>, schedules: &[Schedule]) -> TxResult<Standing> {
    let ids: Vec<String> = schedules.iter().map(|schedule| schedule.id.to_string()).collect();
    let running: Vec<Option<String>> = backups::table
        .filter(backups::schedule_id.eq_any(&ids))
        .filter(sql::<Bool>(ACTIVE))
        // What is made of another reads nothing that is backed up: it holds no instant up.
        .filter(backups::consolidated_from.is_null())
        .select(backups::schedule_id)
        .load(tx.db)?;
    let mut open = |kind: AlertKind| -> TxResult<HashSet<String>> {
        let subjects: Vec<String> = alerts::table
            .filter(alerts::kind.eq(kind.as_str()))
            .filter(alerts::subject.eq_any(&ids))
            .filter(alerts::resolved_at.is_null())
            .select(alerts::subject)
            .load(tx.db)?;
        Ok(subjects.into_iter().collect())
    };
    Ok(Standing {
        missed: open(AlertKind::ScheduleMissed)?,
        skipped: open(AlertKind::ScheduleSkipped)?,
        running: running.into_iter().flatten().collect(),
        pause: crate::pause::last(tx)?,
    })
}

/// A schedule that no longer fires has nothing to be worried about.
pub(crate) fn forget(tx: &mut Tx<'_>, id: ScheduleId) -> TxResult<()> {
    for kind in [AlertKind::ScheduleMissed, AlertKind::ScheduleSkipped] {
        resolve(tx, kind, &id.to_string())?;
    }
    Ok(())
}

/// What to do with a schedule that cannot be read: it must not be met again and again, and somebody has to know.
fn stand_still(tx: &mut Tx<'_>, schedule: &Schedule, reason: &str) -> TxResult<()> {
    diesel::update(backup_schedules::table.filter(backup_schedules::id.eq(schedule.id.to_string())))
        .set(backup_schedules::next_run_at.eq(None::<chrono::NaiveDateTime>))
        .execute(tx.db)?;
    let message = format!("schedule {} no longer runs: {reason}", schedule.name);
    let alert = NewAlert::new(AlertKind::ScheduleMissed, schedule.id, message)
        .severity(backup_core::AlertSeverity::Critical)
        .with(CONFIG_DETAIL, &schedule.config_key);
    raise(tx, &alert)?;
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
