//! Putting right what a wrong clock has left: times in the future that keep things from being done, now that the clock is
//! right again. Nothing is done twice for it: what was fired stays recorded.

use backup_core::schedule::Schedule;
use backup_core::{JobStatus, ScheduleId};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::firings::next_unfired;
use crate::schedules::ScheduleRow;
use crate::schema::{backup_readings, backup_schedules, backups, notifications, restore_records, verifications};
use crate::store::Tx;
use crate::{Error, Store};

/// How far in the future the last run or change of a schedule may lie: small steps of a clock are waited for.
const TOLERANCE: TimeDelta = TimeDelta::minutes(10);

/// Longer than any lease and any pause between two tries can be.
const LONGEST_HOLD: TimeDelta = TimeDelta::hours(25);

/// Longer than any reader says at once that it goes on.
const LONGEST_READING: TimeDelta = TimeDelta::hours(1);

/// Schedules that are put right in one transaction.
const AT_ONCE: i64 = 500;

impl Store {
    /// Gives a new next instant to the enabled schedules that have run or were changed in the future, or that stood still and
    /// can be read again, and lets leases and pauses that end in a far future end now. Returns which schedules it was.
    pub async fn mend_times(&self) -> Result<Vec<ScheduleId>, Error> {
        // Most asks find nothing: those should not queue up with the writers.
        if self
            .read(
                "find_wrong_times",
                |tx| Ok(wrong(tx)?.is_empty() && !has_far_holds(tx)?),
            )
            .await?
        {
            return Ok(Vec::new());
        }
        self.write("mend_times", |tx| {
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
            end_far_holds(tx)?;
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

fn far(tx: &Tx<'_>) -> DateTime<Utc> {
    tx.now + LONGEST_HOLD
}

macro_rules! leased {
    ($jobs:ident, $far:expr) => {
        $jobs::table
            .filter($jobs::status.eq(JobStatus::InProgress.as_str()))
            .filter($jobs::lease_expires_at.gt($far))
    };
}

macro_rules! put_off {
    ($jobs:ident, $far:expr) => {
        $jobs::table
            .filter($jobs::status.eq(JobStatus::Pending.as_str()))
            .filter($jobs::run_after.gt($far))
    };
}

fn has_far_holds(tx: &mut Tx<'_>) -> TxResult<bool> {
    let far = far(tx).naive_utc();
    let waiting: i64 = notifications::table
        .filter(notifications::status.eq("PENDING"))
        .filter(notifications::run_after.gt(far))
        .count()
        .get_result(tx.db)?;
    let backups: i64 = leased!(backups, far).count().get_result(tx.db)?;
    let restores: i64 = leased!(restore_records, far).count().get_result(tx.db)?;
    let checks: i64 = leased!(verifications, far).count().get_result(tx.db)?;
    let backups_to_come: i64 = put_off!(backups, far).count().get_result(tx.db)?;
    let restores_to_come: i64 = put_off!(restore_records, far).count().get_result(tx.db)?;
    let checks_to_come: i64 = put_off!(verifications, far).count().get_result(tx.db)?;
    let put_off = backups_to_come + restores_to_come + checks_to_come;
    let readings: i64 = backup_readings::table
        .filter(backup_readings::expires_at.gt((tx.now + LONGEST_READING).naive_utc()))
        .count()
        .get_result(tx.db)?;
    Ok(waiting + backups + restores + checks + put_off + readings > 0)
}

/// A worker that is alive takes its lease anew within a second, and a reader goes on within less than a minute.
fn end_far_holds(tx: &mut Tx<'_>) -> TxResult<()> {
    let far = far(tx).naive_utc();
    let soon = (tx.now + TimeDelta::minutes(1)).naive_utc();
    diesel::update(
        notifications::table
            .filter(notifications::status.eq("PENDING"))
            .filter(notifications::run_after.gt(far)),
    )
    .set(notifications::run_after.eq(soon))
    .execute(tx.db)?;
    // What has to wait is put off anew when it is to be taken up.
    let at_once = None::<chrono::NaiveDateTime>;
    diesel::update(put_off!(backups, far))
        .set(backups::run_after.eq(at_once))
        .execute(tx.db)?;
    diesel::update(put_off!(restore_records, far))
        .set(restore_records::run_after.eq(at_once))
        .execute(tx.db)?;
    diesel::update(put_off!(verifications, far))
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
    let far_reading = (tx.now + LONGEST_READING).naive_utc();
    diesel::update(backup_readings::table.filter(backup_readings::expires_at.gt(far_reading)))
        .set(backup_readings::expires_at.eq(soon))
        .execute(tx.db)?;
    Ok(())
}
