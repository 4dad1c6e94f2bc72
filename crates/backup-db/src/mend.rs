//! Putting right what a wrong clock has left: times in the future that keep things from being done, now that the clock is
//! right again. Nothing is done twice for it: what was fired stays recorded.

use std::time::Duration;

use backup_core::schedule::Schedule;
use backup_core::{BackupTrigger, JobStatus, ScheduleId};
use chrono::{NaiveDateTime, TimeDelta};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::firings::next_unfired;
use crate::jobs::add;
use crate::schedules::ScheduleRow;
use crate::schema::{backup_readings, backup_schedules, backups, notifications, restore_records, verifications};
use crate::store::Tx;
use crate::{Error, Store};

/// How far in the future the last run or change of a schedule may lie: small steps of a clock are waited for.
const TOLERANCE: TimeDelta = TimeDelta::minutes(10);

/// Longer than any pause between two tries of a message, and than any wait for a schedule's hours, can be.
const LONGEST_HOLD: TimeDelta = TimeDelta::hours(25);

/// Longer than any pause between two attempts at a job.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(10);

/// Further apart than the clocks of two machines are by themselves.
const CLOCKS_APART: Duration = Duration::from_hours(1);

/// Longer than any reader says at once that it goes on.
const LONGEST_READING: TimeDelta = TimeDelta::hours(1);

/// Schedules that are put right in one transaction.
const AT_ONCE: i64 = 500;

impl Store {
    /// Gives a new next instant to the enabled schedules that have run or were changed in the future, or that stood still and
    /// can be read again, and lets leases and pauses that end in a far future end now: leases, which take
    /// the time of `lease`, in more than twice that and an hour. Returns which schedules it was.
    pub async fn mend_times(&self, lease: Duration) -> Result<Vec<ScheduleId>, Error> {
        // Most asks find nothing: those should not queue up with the writers.
        if self
            .read("find_wrong_times", move |tx| {
                Ok(wrong(tx)?.is_empty() && !has_far_holds(tx, lease)?)
            })
            .await?
        {
            return Ok(Vec::new());
        }
        self.write("mend_times", move |tx| {
            let mut mended = Vec::new();
            for schedule in wrong(tx)? {
                let next = next_unfired(tx, &schedule, tx.now)?;
                // One that is due by now stays due: a change that left the times alone may be all that was in the future.
                let next = [schedule.next_run_at, next].into_iter().flatten().min();
                diesel::update(backup_schedules::table.filter(backup_schedules::id.eq(schedule.id.to_string())))
                    .set((
                        backup_schedules::next_run_at.eq(next.map(|at| at.naive_utc())),
                        backup_schedules::last_run_at.eq(schedule.last_run_at.map(|at| at.min(tx.now).naive_utc())),
                        backup_schedules::updated_at.eq(schedule.updated_at.min(tx.now).naive_utc()),
                    ))
                    .execute(tx.db)?;
                append(tx, EventKind::Schedule, &schedule.id)?;
                mended.push(schedule.id);
            }
            end_far_holds(tx, lease)?;
            Ok(mended)
        })
        .await
    }
}

/// The enabled schedules that ran in the future or were changed there, which reckons their next instant from then on, or have
/// no next instant though their expression can be read and has one.
fn wrong(tx: &mut Tx<'_>) -> TxResult<Vec<Schedule>> {
    let future = (tx.now + TOLERANCE).naive_utc();
    let rows: Vec<ScheduleRow> = backup_schedules::table
        .filter(backup_schedules::is_enabled.eq(true))
        .filter(
            backup_schedules::last_run_at
                .gt(future)
                .or(backup_schedules::updated_at.gt(future))
                .or(backup_schedules::next_run_at.is_null()),
        )
        .order(backup_schedules::id)
        .limit(AT_ONCE)
        .select(ScheduleRow::as_select())
        .load(tx.db)?;
    let now = tx.now;
    Ok(rows
        .into_iter()
        .map(Schedule::from)
        .filter(|schedule| {
            let timing = schedule.timing().ok();
            timing.is_some_and(|(cron, zone)| cron.next_after(now, zone).is_some())
        })
        .collect())
}

/// From when on a time is too far away to be meant.
struct Far {
    hold: NaiveDateTime,
    lease: NaiveDateTime,
    pause: NaiveDateTime,
    reading: NaiveDateTime,
}

impl Far {
    fn of(tx: &Tx<'_>, lease: Duration) -> Self {
        let from = |time: TimeDelta| (tx.now + time).naive_utc();
        Self {
            hold: from(LONGEST_HOLD),
            lease: add(tx.now, lease * 2 + CLOCKS_APART).naive_utc(),
            pause: from(LONGEST_PAUSE),
            reading: from(LONGEST_READING),
        }
    }
}

macro_rules! leased {
    ($jobs:ident, $far:expr) => {
        $jobs::table
            .filter($jobs::status.eq(JobStatus::InProgress.as_str()))
            .filter($jobs::lease_expires_at.gt($far.lease))
    };
}

macro_rules! put_off {
    ($jobs:ident, $far:expr, $waits_for_nothing_else:expr) => {
        $jobs::table
            .filter($jobs::status.eq(JobStatus::Pending.as_str()))
            // What has been tried waits for the next attempt.
            .filter(
                $jobs::run_after
                    .gt($far.hold)
                    .or($jobs::run_after.gt($far.pause).and($waits_for_nothing_else)),
            )
    };
}

/// Backups that have been tried. A schedule's may wait for its hours all the same.
macro_rules! tried_backups {
    () => {
        backups::attempts
            .gt(0)
            .and(backups::trigger.ne(BackupTrigger::Scheduled.as_str()))
    };
}

fn has_far_holds(tx: &mut Tx<'_>, lease: Duration) -> TxResult<bool> {
    let far = Far::of(tx, lease);
    let waiting: i64 = notifications::table
        .filter(notifications::status.eq("PENDING"))
        .filter(notifications::run_after.gt(far.hold))
        .count()
        .get_result(tx.db)?;
    let backups: i64 = leased!(backups, far).count().get_result(tx.db)?;
    let restores: i64 = leased!(restore_records, far).count().get_result(tx.db)?;
    let checks: i64 = leased!(verifications, far).count().get_result(tx.db)?;
    let backups_to_come: i64 = put_off!(backups, far, tried_backups!()).count().get_result(tx.db)?;
    let restores_to_come: i64 = put_off!(restore_records, far, restore_records::attempts.gt(0))
        .count()
        .get_result(tx.db)?;
    let checks_to_come: i64 = put_off!(verifications, far, verifications::attempts.gt(0))
        .count()
        .get_result(tx.db)?;
    let put_off = backups_to_come + restores_to_come + checks_to_come;
    let readings: i64 = backup_readings::table
        .filter(backup_readings::expires_at.gt(far.reading))
        .count()
        .get_result(tx.db)?;
    Ok(waiting + backups + restores + checks + put_off + readings > 0)
}

/// A worker that is alive takes its lease anew within a second, and a reader goes on within less than a minute.
fn end_far_holds(tx: &mut Tx<'_>, lease: Duration) -> TxResult<()> {
    let far = Far::of(tx, lease);
    let soon = (tx.now + TimeDelta::minutes(1)).naive_utc();
    diesel::update(
        notifications::table
            .filter(notifications::status.eq("PENDING"))
            .filter(notifications::run_after.gt(far.hold)),
    )
    .set(notifications::run_after.eq(soon))
    .execute(tx.db)?;
    // What has to wait is put off anew when it is to be taken up.
    let at_once = None::<chrono::NaiveDateTime>;
    diesel::update(put_off!(backups, far, tried_backups!()))
        .set(backups::run_after.eq(at_once))
        .execute(tx.db)?;
    diesel::update(put_off!(restore_records, far, restore_records::attempts.gt(0)))
        .set(restore_records::run_after.eq(at_once))
        .execute(tx.db)?;
    diesel::update(put_off!(verifications, far, verifications::attempts.gt(0)))
        .set(verifications::run_after.eq(at_once))
        .execute(tx.db)?;
    diesel::update(leased!(backups, far))
        .set(backups::lease_expires_at.eq(soon))
        .execute(tx.db)?;
    diesel::update(leased!(restore_records, far))
        .set(restore_records::lease_expires_at.eq(soon))
        .execute(tx.db)?;
    diesel::update(leased!(verifications, far))
        .set(verifications::lease_expires_at.eq(soon))
        .execute(tx.db)?;
    diesel::update(backup_readings::table.filter(backup_readings::expires_at.gt(far.reading)))
        .set(backup_readings::expires_at.eq(soon))
        .execute(tx.db)?;
    Ok(())
}
