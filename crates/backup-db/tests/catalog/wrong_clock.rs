//! A clock that was wrong costs no backup, and nothing waits for a future that will not come.

use std::time::Duration;

use backup_core::alert::{AlertKind, NewAlert};
use backup_core::config::BackupConfig;
use backup_core::retention::Retention;
use backup_core::schedule::Schedule;
use backup_core::{BackupId, JobStatus, ScheduleId, VerifyLevel};
use backup_db::{BackupOutcome, Delivery, FiringOutcome, JobKind, LoginLimits, NewRestore, NewVerification};
use chrono::TimeDelta;

use crate::fixture::{Catalog, LEASE, on_both, start};
use crate::replaced::replace;
use crate::retention::made;

on_both!(
    a_leap_makes_no_backup_old,
    a_long_pause_is_caught_up_with,
    a_schedule_that_ran_in_the_future_runs_again_once_the_clock_is_right,
    a_schedule_that_was_made_or_enabled_in_the_future_runs_once_the_clock_is_right,
    what_is_due_stays_due_where_a_schedule_was_renamed_in_the_future,
    a_schedule_that_stood_still_runs_again_once_it_can_be_read,
    a_job_and_a_message_do_not_wait_for_years,
    who_read_in_the_future_keeps_nothing,
    what_a_clock_of_another_zone_put_off_is_taken_up_once_it_is_right,
    a_schedule_does_not_look_healthy_for_years,
    what_failed_in_the_future_is_over_with_the_next_good_backup,
    who_failed_to_log_in_in_the_future_is_not_kept_out_until_then,
    backups_of_another_configuration_are_not_let_go,
    what_the_storage_has_lost_pushes_out_nothing,
    one_process_at_a_time_has_its_turn,
);

const DAY: i64 = 24 * 3_600;
const YEARS: i64 = 3_653 * DAY;
const HOLD: Duration = Duration::from_mins(1);

async fn keeping(catalog: &Catalog, max_backups: u32) -> Schedule {
    let schedule = Schedule {
        is_enabled: false,
        retention: Retention {
            max_backups,
            ..Retention::default()
        },
        ..catalog.new_schedule()
    };
    catalog.store.create_schedule(schedule).await.unwrap()
}

async fn expired(catalog: &Catalog, schedule: ScheduleId) -> Vec<BackupId> {
    let gone = catalog.store.expire_backups(schedule).await.unwrap();
    gone.iter().map(|backup| backup.id).collect()
}

async fn a_leap_makes_no_backup_old(catalog: Catalog) {
    let schedule = keeping(&catalog, 10).await.id;
    for _ in 0..5 {
        made(&catalog, Some(schedule), None).await;
        catalog.advance(DAY);
        assert_eq!(catalog.store.move_retention_clock().await.unwrap(), None);
    }
    let right = catalog.clock_now();
    catalog.advance(YEARS);
    let leap = catalog.store.move_retention_clock().await.unwrap().unwrap();
    assert_eq!(leap.shown - right, TimeDelta::seconds(YEARS));
    // The schedule was caught up with, too: that backup is dated in the future, and pushes out nothing.
    made(&catalog, Some(schedule), None).await;
    assert_eq!(expired(&catalog, schedule).await, []);
    catalog.clock.set(right);
    assert_eq!(catalog.store.move_retention_clock().await.unwrap(), None);
    let newest = made(&catalog, Some(schedule), None).await;
    assert_eq!(expired(&catalog, schedule).await, []);
    assert_eq!(catalog.backup(newest).await.status, JobStatus::Completed);
}

async fn a_long_pause_is_caught_up_with(catalog: Catalog) {
    let schedule = keeping(&catalog, 10).await.id;
    let old = made(&catalog, Some(schedule), None).await;
    made(&catalog, Some(schedule), None).await;
    catalog.store.move_retention_clock().await.unwrap();
    // The machine was off for forty days: what is too old goes, only later.
    catalog.advance(40 * DAY);
    assert_eq!(expired(&catalog, schedule).await, []);
    for _ in 0..48 {
        catalog.store.move_retention_clock().await.unwrap();
        catalog.advance(3_600);
    }
    assert_eq!(catalog.store.move_retention_clock().await.unwrap(), None);
    assert_eq!(expired(&catalog, schedule).await, [old]);
}

async fn a_schedule_that_ran_in_the_future_runs_again_once_the_clock_is_right(catalog: Catalog) {
    let schedule = catalog.hourly().await;
    catalog.advance(YEARS);
    catalog.fire().await.unwrap();
    catalog.end_next(None).await;
    catalog.clock.set(start() + TimeDelta::minutes(30));
    assert_eq!(catalog.store.mend_times(LEASE).await.unwrap(), [schedule.id]);
    catalog.clock.set(start() + TimeDelta::hours(1));
    let fired = catalog.fire().await.unwrap();
    assert_eq!(fired.firing.outcome, FiringOutcome::Started);
    assert_eq!(fired.firing.scheduled_at, start() + TimeDelta::hours(1));
    // In order: nothing more to put right.
    assert_eq!(catalog.store.mend_times(LEASE).await.unwrap(), []);
}

async fn a_schedule_that_was_made_or_enabled_in_the_future_runs_once_the_clock_is_right(catalog: Catalog) {
    let disabled = keeping(&catalog, 10).await;
    catalog.advance(YEARS);
    let made = catalog.hourly().await.id;
    let enabled = Schedule {
        is_enabled: true,
        ..disabled.clone()
    };
    let enabled = catalog.store.update_schedule(&disabled, enabled).await.unwrap().id;
    catalog.clock.set(start() + TimeDelta::minutes(30));
    let mended = catalog.store.mend_times(LEASE).await.unwrap();
    assert_eq!(mended.len(), 2);
    for id in [made, enabled] {
        assert!(mended.contains(&id));
        let schedule = catalog.schedule(id).await;
        assert_eq!(schedule.next_run_at, Some(start() + TimeDelta::hours(1)));
        assert_eq!(schedule.updated_at, catalog.clock_now());
    }
    catalog.clock.set(start() + TimeDelta::hours(1));
    assert_eq!(catalog.store.fire_due_schedules(10).await.unwrap().len(), 2);
    assert_eq!(catalog.store.mend_times(LEASE).await.unwrap(), []);
}

async fn what_is_due_stays_due_where_a_schedule_was_renamed_in_the_future(catalog: Catalog) {
    let schedule = catalog.hourly().await;
    catalog.advance(YEARS);
    let renamed = Schedule {
        name: "renamed".to_owned(),
        ..schedule.clone()
    };
    catalog.store.update_schedule(&schedule, renamed).await.unwrap();
    catalog.clock.set(start() + TimeDelta::hours(1));
    assert_eq!(catalog.store.mend_times(LEASE).await.unwrap(), [schedule.id]);
    let fired = catalog.fire().await.unwrap();
    assert_eq!(fired.firing.outcome, FiringOutcome::Started);
    assert_eq!(fired.firing.scheduled_at, start() + TimeDelta::hours(1));
}

async fn a_schedule_that_stood_still_runs_again_once_it_can_be_read(catalog: Catalog) {
    let schedule = catalog.hourly().await;
    let zone = schedule.timezone.clone();
    catalog
        .sql("UPDATE backup_schedules SET timezone = 'Mars/Olympus'")
        .unwrap();
    catalog.advance(3_600);
    assert_eq!(catalog.fire().await, None);
    assert_eq!(
        catalog.store.mend_times(LEASE).await.unwrap(),
        [],
        "it still cannot be read"
    );
    catalog
        .sql(&format!("UPDATE backup_schedules SET timezone = '{zone}'"))
        .unwrap();
    assert_eq!(catalog.store.mend_times(LEASE).await.unwrap(), [schedule.id]);
    catalog.advance(3_600);
    assert!(catalog.fire().await.is_some());
}

async fn who_read_in_the_future_keeps_nothing(catalog: Catalog) {
    let id = catalog.completed(None).await;
    catalog.advance(YEARS);
    // Its process dies.
    catalog.store.begin_reading(id, HOLD).await.unwrap();
    catalog.clock.set(start() + TimeDelta::minutes(30));
    assert!(catalog.store.begin_delete(id, false).await.is_err());
    catalog.store.mend_times(LEASE).await.unwrap();
    catalog.advance(600);
    catalog.store.begin_delete(id, false).await.unwrap();
}

/// A machine whose clock was set to local time, and was put right once it had a network.
async fn what_a_clock_of_another_zone_put_off_is_taken_up_once_it_is_right(catalog: Catalog) {
    catalog.advance(8 * 3_600);
    let (tried, lease) = catalog.running().await;
    catalog.store.retry_later(&lease, "away", HOLD).await.unwrap();
    let (left, _dead) = catalog.running().await;
    catalog.clock.set(start() + TimeDelta::minutes(1));
    assert!(catalog.claim().await.is_none());
    catalog.store.mend_times(LEASE).await.unwrap();
    let claimed = catalog.claim().await.unwrap();
    assert_eq!(claimed.lease.id, tried.to_string());
    let done = BackupOutcome::Completed(Box::new(catalog.results(1_000)));
    catalog.store.finish_backup(&claimed.lease, done).await.unwrap();
    catalog.advance(61);
    let claimed = catalog.claim().await.unwrap();
    assert_eq!(claimed.lease.id, left.to_string());
}

async fn a_job_and_a_message_do_not_wait_for_years(catalog: Catalog) {
    let config = BackupConfig {
        notification_emails: vec!["ops@example.org".to_owned()],
        ..BackupConfig::defaults("default", start())
    };
    let good = catalog.completed(None).await;
    catalog.store.put_config(&config).await.unwrap();
    catalog.advance(YEARS);
    let (id, _dead) = catalog.running().await;
    let restore = NewRestore {
        id: catalog.id(),
        backup_id: good,
        options: replace(),
        created_by: None,
    };
    let check = NewVerification {
        id: catalog.id(),
        backup_id: good,
        level: VerifyLevel::Content,
        created_by: None,
    };
    catalog.store.create_restore(restore.clone()).await.unwrap();
    catalog.store.create_verification(check).await.unwrap();
    for kind in [JobKind::Restore, JobKind::Verification] {
        let claimed = catalog.claim().await.unwrap();
        assert_eq!(claimed.lease.kind, kind);
        catalog.store.retry_later(&claimed.lease, "away", HOLD).await.unwrap();
    }
    let alert = NewAlert::new(AlertKind::StorageUnreachable, "x", "away");
    catalog.store.raise_alert(alert).await.unwrap();
    let patience = TimeDelta::days(1);
    let claimed = catalog
        .store
        .claim_notification(HOLD, true, patience)
        .await
        .unwrap()
        .unwrap();
    let later = Delivery::Later {
        error: "busy".to_owned(),
        pause: HOLD,
    };
    catalog.store.finish_notification(&claimed, later).await.unwrap();
    catalog.clock.set(start());
    assert!(catalog.claim().await.is_none());
    catalog.store.mend_times(LEASE).await.unwrap();
    catalog.advance(120);
    for (id, taken_over) in [
        (restore.id.to_string(), false),
        (check.id.to_string(), false),
        (id.to_string(), true),
    ] {
        let claimed = catalog.claim().await.unwrap();
        assert_eq!((claimed.lease.id, claimed.taken_over), (id, taken_over));
    }
    assert!(
        catalog
            .store
            .claim_notification(HOLD, true, patience)
            .await
            .unwrap()
            .is_some()
    );
}

async fn a_schedule_does_not_look_healthy_for_years(catalog: Catalog) {
    let schedule = keeping(&catalog, 10).await.id;
    catalog.advance(YEARS);
    made(&catalog, Some(schedule), None).await;
    catalog.clock.set(start());
    made(&catalog, Some(schedule), None).await;
    let found = catalog.store.get_schedule(schedule).await.unwrap().unwrap().schedule;
    assert_eq!(found.last_success_at, Some(start()));
}

async fn what_failed_in_the_future_is_over_with_the_next_good_backup(catalog: Catalog) {
    catalog.advance(YEARS);
    catalog.pending().await;
    catalog.end_next(Some("the disk is full")).await;
    let broken = NewAlert::new(AlertKind::ChainBroken, "default FULL_SYSTEM", "it cannot be restored");
    catalog.store.raise_alert(broken).await.unwrap();
    catalog.clock.set(start());
    catalog.pending().await;
    catalog.end_next(None).await;
    for kind in [AlertKind::BackupFailed, AlertKind::ChainBroken] {
        assert_eq!(catalog.open_alert(kind).await, None);
    }
}

async fn who_failed_to_log_in_in_the_future_is_not_kept_out_until_then(catalog: Catalog) {
    let limits = LoginLimits {
        window: Duration::from_mins(15),
        per_account_and_address: 1,
        per_account: 1,
        per_address: 1,
    };
    let fail_in = async |seconds| {
        catalog.advance(seconds);
        catalog.store.record_login_failure("ann", "10.0.0.1").await.unwrap();
        catalog.clock.set(start());
        catalog.store.too_many_logins("ann", "10.0.0.1", limits).await.unwrap()
    };
    assert_eq!(fail_in(YEARS).await, None);
    // Clocks of two servers are never the same.
    assert_eq!(fail_in(60).await, Some(Duration::from_mins(16)));
}

async fn backups_of_another_configuration_are_not_let_go(catalog: Catalog) {
    let schedule = keeping(&catalog, 1).await;
    let old = made(&catalog, Some(schedule.id), None).await;
    catalog
        .store
        .put_config(&BackupConfig::defaults("staging", start()))
        .await
        .unwrap();
    let moved = Schedule {
        config_key: "staging".to_owned(),
        ..schedule.clone()
    };
    catalog.store.update_schedule(&schedule, moved).await.unwrap();
    for _ in 0..3 {
        catalog.advance(60 * DAY);
        made(&catalog, Some(schedule.id), None).await;
        catalog
            .sql("UPDATE backups SET config_key = 'staging' WHERE id <> (SELECT MIN(id) FROM backups)")
            .unwrap();
        expired(&catalog, schedule.id).await;
    }
    assert!(
        !catalog.backup(old).await.deleting,
        "the last backup of the other application"
    );
}

async fn what_the_storage_has_lost_pushes_out_nothing(catalog: Catalog) {
    let schedule = keeping(&catalog, 1).await.id;
    let there = made(&catalog, Some(schedule), None).await;
    catalog.advance(DAY);
    let lost = made(&catalog, Some(schedule), None).await;
    let alert = NewAlert::new(AlertKind::BackupLost, lost, "its archive is gone");
    catalog.store.raise_alert(alert).await.unwrap();
    assert_eq!(expired(&catalog, schedule).await, []);
    catalog.advance(60 * DAY);
    // The last one that can be restored, and the one that would be, were it only away for a while.
    assert_eq!(expired(&catalog, schedule).await, []);
    made(&catalog, Some(schedule), None).await;
    assert_eq!(expired(&catalog, schedule).await, [there, lost]);
}

async fn one_process_at_a_time_has_its_turn(catalog: Catalog) {
    let turn = async |owner: &str| catalog.store.take_turn("watch", owner, HOLD).await.unwrap();
    assert!(turn("one").await);
    assert!(!turn("other").await);
    catalog.advance(45);
    assert!(turn("one").await, "it goes on");
    catalog.advance(45);
    assert!(!turn("other").await);
    catalog.advance(16);
    assert!(turn("other").await, "the first one is no longer heard of");
    assert!(!turn("one").await);
    // Taken by a clock that was ahead.
    catalog.advance(YEARS);
    assert!(turn("one").await);
    catalog.clock.set(start());
    assert!(turn("other").await);
}
