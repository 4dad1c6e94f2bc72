//! A schedule's backups start in its hours, and nothing else waits for them.

use backup_core::schedule::Schedule;
use backup_core::{AlertKind, ScheduleId};
use backup_db::{FiringOutcome, JobKind};
use chrono::TimeDelta;

use crate::fixture::{Catalog, LEASE, on_both, start};

on_both!(
    a_backup_outside_of_its_hours_waits_until_they_begin,
    an_instant_passed_over_for_a_backup_that_runs_past_its_hours_is_told,
    an_instant_passed_over_for_a_backup_that_was_not_taken_up_in_its_hours_is_told,
    hours_in_which_no_worker_was_free_are_told_until_it_runs_again,
    before_a_worker_asks_a_backup_waits_for_its_hours_too,
    one_that_was_asked_for_in_its_hours_and_not_begun_waits_for_the_next,
    who_asks_by_hand_does_not_wait,
    other_hours_hold_from_the_change_on,
    a_clock_that_was_wrong_puts_nothing_off_for_good,
);

/// Fires at each full hour, and starts between ten in the evening and six in the morning. It is two o'clock.
async fn nightly(catalog: &Catalog) -> ScheduleId {
    let schedule = Schedule {
        start_window: Some("22:00-06:00".parse().unwrap()),
        ..catalog.new_schedule()
    };
    catalog.store.create_schedule(schedule).await.unwrap().id
}

async fn a_backup_outside_of_its_hours_waits_until_they_begin(catalog: Catalog) {
    let id = nightly(&catalog).await;
    catalog.advance(3_600);
    catalog.fire().await.unwrap();
    catalog.end_next(None).await;
    // At seven.
    catalog.advance(4 * 3_600);
    let fired = catalog.fire().await.unwrap();
    assert_eq!(fired.firing.outcome, FiringOutcome::CaughtUp);
    assert!(catalog.claim().await.is_none());
    let other = catalog.pending().await.id;
    assert_eq!(catalog.end_next(None).await, other);
    // What comes while it waits is passed over, which is nobody's fault.
    catalog.advance(3_600);
    let skipped = catalog.fire().await.unwrap();
    assert_eq!(skipped.firing.outcome, FiringOutcome::Skipped);
    assert_eq!(catalog.open_alert(AlertKind::ScheduleSkipped).await, None);
    // Nor does it look like a queue that nobody works on.
    assert_eq!(catalog.store.queue_length(JobKind::Backup).await.unwrap(), (0, 0));
    catalog.advance(14 * 3_600 - 1);
    assert!(catalog.claim().await.is_none());
    catalog.advance(1);
    assert_eq!(catalog.store.queue_length(JobKind::Backup).await.unwrap(), (1, 0));
    assert_eq!(catalog.clock_now(), start() + TimeDelta::hours(20));
    let claimed = catalog.claim().await.unwrap();
    assert_eq!(claimed.lease.id, fired.backup.unwrap().id.to_string());
    assert_eq!(
        catalog.schedule(id).await.start_window.unwrap().to_string(),
        "22:00-06:00"
    );
}

/// Fires seven o'clock, outside of the hours, which is passed over.
async fn seven_is_passed_over(catalog: &Catalog) {
    let seven = start() + TimeDelta::hours(5);
    catalog.clock.set(seven);
    let skipped = catalog.fire().await.unwrap();
    assert_eq!(skipped.firing.outcome, FiringOutcome::Skipped);
    assert_eq!(skipped.firing.scheduled_at, seven);
}

async fn an_instant_passed_over_for_a_backup_that_runs_past_its_hours_is_told(catalog: Catalog) {
    let id = nightly(&catalog).await;
    catalog.advance(3_600);
    catalog.fire().await.unwrap();
    catalog.claim().await.unwrap();
    seven_is_passed_over(&catalog).await;
    let alert = catalog.open_alert(AlertKind::ScheduleSkipped).await.unwrap();
    assert_eq!(alert.subject, id.to_string());
    assert_eq!(alert.details["at"], "2026-11-23T07:00:00Z");
}

async fn an_instant_passed_over_for_a_backup_that_was_not_taken_up_in_its_hours_is_told(catalog: Catalog) {
    nightly(&catalog).await;
    catalog.advance(3_600);
    catalog.fire().await.unwrap();
    seven_is_passed_over(&catalog).await;
    assert!(catalog.open_alert(AlertKind::ScheduleSkipped).await.is_some());
}

async fn hours_in_which_no_worker_was_free_are_told_until_it_runs_again(catalog: Catalog) {
    let schedule = Schedule {
        cron_expression: "0 20 * * *".to_owned(),
        start_window: Some("22:00-06:00".parse().unwrap()),
        ..catalog.new_schedule()
    };
    let id = catalog.store.create_schedule(schedule).await.unwrap().id;
    let evening = start() + TimeDelta::hours(18);
    catalog.clock.set(evening);
    catalog.fire().await.unwrap();
    assert!(catalog.claim().await.is_none());
    assert_eq!(catalog.open_alert(AlertKind::ScheduleSkipped).await, None);
    // The only worker is busy with another job until seven.
    catalog.clock.set(evening + TimeDelta::hours(11));
    assert!(catalog.claim().await.is_none());
    let told = catalog.open_alert(AlertKind::ScheduleSkipped).await.unwrap();
    assert_eq!(told.subject, id.to_string());
    assert_eq!(told.details["at"], "2026-11-23T20:00:00Z");
    assert_eq!(told.details["hours"], "22:00-06:00");
    // The next instant passes over quietly, and does not end it.
    catalog.clock.set(evening + TimeDelta::days(1));
    assert_eq!(catalog.fire().await.unwrap().firing.outcome, FiringOutcome::Skipped);
    assert_eq!(catalog.open_alert(AlertKind::ScheduleSkipped).await, Some(told));
    catalog.advance(2 * 3_600);
    catalog.end_next(None).await;
    catalog.clock.set(evening + TimeDelta::days(2));
    assert_eq!(catalog.fire().await.unwrap().firing.outcome, FiringOutcome::Started);
    assert_eq!(catalog.open_alert(AlertKind::ScheduleSkipped).await, None);
}

async fn before_a_worker_asks_a_backup_waits_for_its_hours_too(catalog: Catalog) {
    nightly(&catalog).await;
    // At six, and no worker is free for an hour.
    catalog.advance(4 * 3_600);
    let fired = catalog.fire().await.unwrap();
    assert!(fired.backup.is_some());
    seven_is_passed_over(&catalog).await;
    assert_eq!(catalog.open_alert(AlertKind::ScheduleSkipped).await, None);
}

async fn one_that_was_asked_for_in_its_hours_and_not_begun_waits_for_the_next(catalog: Catalog) {
    nightly(&catalog).await;
    // At five, and no worker is free for two hours.
    catalog.advance(3 * 3_600);
    catalog.fire().await.unwrap();
    catalog.advance(2 * 3_600);
    assert!(catalog.claim().await.is_none());
    assert!(catalog.open_alert(AlertKind::ScheduleSkipped).await.is_some());
    catalog.advance(15 * 3_600);
    assert!(catalog.claim().await.is_some());
}

async fn who_asks_by_hand_does_not_wait(catalog: Catalog) {
    let id = nightly(&catalog).await;
    catalog.advance(5 * 3_600);
    let asked = catalog.store.trigger_schedule(id, None).await.unwrap();
    assert_eq!(catalog.claim().await.unwrap().lease.id, asked.id.to_string());
}

async fn other_hours_hold_from_the_change_on(catalog: Catalog) {
    let id = nightly(&catalog).await;
    catalog.advance(5 * 3_600);
    catalog.fire().await.unwrap();
    assert!(catalog.claim().await.is_none());
    let now = catalog.schedule(id).await;
    let changed = Schedule {
        start_window: None,
        ..now.clone()
    };
    catalog.store.update_schedule(&now, changed).await.unwrap();
    assert!(catalog.claim().await.is_some());
}

async fn a_clock_that_was_wrong_puts_nothing_off_for_good(catalog: Catalog) {
    nightly(&catalog).await;
    catalog.advance(3_600);
    let fired = catalog.fire().await.unwrap();
    // A worker whose clock is a month and some hours ahead.
    catalog.advance(30 * 86_400 + 5 * 3_600);
    assert!(catalog.claim().await.is_none());
    catalog.advance(-30 * 86_400 - 5 * 3_600);
    assert!(catalog.claim().await.is_none());
    catalog.store.mend_times(LEASE).await.unwrap();
    assert_eq!(
        catalog.claim().await.unwrap().lease.id,
        fired.backup.unwrap().id.to_string()
    );
}
