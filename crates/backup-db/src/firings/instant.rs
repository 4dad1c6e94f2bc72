//! One schedule's instant: what comes of it, and what is said about it.

use std::collections::{HashMap, HashSet};

use backup_core::alert::{AlertKind, CONFIG_DETAIL, NewAlert};
use backup_core::schedule::Schedule;
use backup_core::{BackupTrigger, JobStatus};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::{ACTIVE, Fired, Firing, FiringOutcome, has_fired, new_backup, next_unfired};
use crate::alerts::{raise, resolve};
use crate::error::TxResult;
use crate::schema::{alerts, backup_schedules, backups, schedule_firings};
use crate::store::Tx;
use crate::types::{Time, Word, time};

/// How late a firing may be and still be on time.
const ON_TIME: TimeDelta = TimeDelta::seconds(60);

/// Fires one schedule. Nothing where it had fired this instant before, which a clock that was put back can bring about.
pub(super) fn fire(tx: &mut Tx<'_>, mut schedule: Schedule, standing: &Standing) -> TxResult<Option<Fired>> {
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
    let outcome = if standing.running.contains_key(&id.to_string()) {
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
    let before = standing.running.get(&subject);
    if before.is_some_and(|backup| backup.waits_for_hours(schedule, tx.now)) {
        // As it is meant to.
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
pub(super) struct Standing {
    /// The backup that waits or runs, of those that have one.
    running: HashMap<String, Active>,
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

/// A schedule's backup that waits or runs.
struct Active {
    status: JobStatus,
    trigger: BackupTrigger,
    run_after: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl Active {
    /// Whether it waits for the hours in which it may start. One that runs does not, nor one that might have been taken up.
    fn waits_for_hours(&self, schedule: &Schedule, now: DateTime<Utc>) -> bool {
        // It is put off when a worker asks for it; until one does, the hours after it was made are those that it waits for.
        let begins_at = self.run_after.unwrap_or_else(|| schedule.opens_at(self.created_at));
        self.status == JobStatus::Pending
            && self.trigger == BackupTrigger::Scheduled
            && begins_at > now
            && schedule.opens_at(now) > now
    }
}

/// Asks for it.
pub(super) fn standing(tx: &mut Tx<'_>, schedules: &[Schedule]) -> TxResult<Standing> {
    type Row = (Option<String>, Word<JobStatus>, Word<BackupTrigger>, Option<Time>, Time);
    let ids: Vec<String> = schedules.iter().map(|schedule| schedule.id.to_string()).collect();
    let active: Vec<Row> = backups::table
        .filter(backups::schedule_id.eq_any(&ids))
        .filter(sql::<Bool>(ACTIVE))
        // What is made of another reads nothing that is backed up: it holds no instant up.
        .filter(backups::consolidated_from.is_null())
        .select((
            backups::schedule_id,
            backups::status,
            backups::trigger,
            backups::run_after,
            backups::created_at,
        ))
        .load(tx.db)?;
    let running = active
        .into_iter()
        .filter_map(|(schedule_id, status, trigger, run_after, created_at)| {
            let backup = Active {
                status: status.0,
                trigger: trigger.0,
                run_after: time(run_after),
                created_at: created_at.0,
            };
            Some((schedule_id?, backup))
        })
        .collect();
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
        running,
        pause: crate::pause::last(tx)?,
    })
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
