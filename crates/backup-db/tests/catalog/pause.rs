//! While the system is paused nothing new is begun, and nothing is lost for it.

use std::time::Duration;

use backup_core::retention::Retention;
use backup_core::schedule::Schedule;
use backup_core::{AlertKind, JobStatus, Step};
use backup_db::{BackupOutcome, Error, FiringOutcome, JobPosition};
use chrono::TimeDelta;

use crate::fixture::{Catalog, LEASE, on_both, start};

on_both!(
    nothing_is_taken_up_while_the_system_is_paused_and_what_runs_goes_on,
    a_schedule_fires_once_for_the_whole_pause_and_none_counts_as_missed,
    what_was_missed_before_or_after_the_pause_is_told,
    no_backup_expires_while_the_system_is_paused,
    a_pause_is_begun_and_ended_once_and_an_alert_is_open_meanwhile,
);

async fn nothing_is_taken_up_while_the_system_is_paused_and_what_runs_goes_on(catalog: Catalog) {
    let (id, lease) = catalog.running().await;
    let waits = catalog.pending().await.id;
    catalog.store.pause_system("the storage is moved", None).await.unwrap();
    assert!(catalog.claim().await.is_none());
    // Nobody is to blame for what waits.
    catalog.advance(30);
    let done = BackupOutcome::Completed(Box::new(catalog.results(1_000)));
    catalog
        .store
        .heartbeat(&lease, JobPosition::new(50, Step::Files), LEASE)
        .await
        .unwrap();
    catalog.store.finish_backup(&lease, done).await.unwrap();
    assert_eq!(catalog.backup(id).await.status, JobStatus::Completed);
    assert_eq!(catalog.store.fail_waiting("no key", Duration::ZERO).await.unwrap(), 0);
    assert!(
        catalog
            .another()
            .await
            .claim_job("w", LEASE, 3, None)
            .await
            .unwrap()
            .is_none()
    );
    catalog.store.resume_system().await.unwrap();
    assert_eq!(catalog.claim().await.unwrap().lease.id, waits.to_string());
}

async fn a_schedule_fires_once_for_the_whole_pause_and_none_counts_as_missed(catalog: Catalog) {
    let id = catalog.hourly().await.id;
    catalog.advance(1_800);
    catalog.store.pause_system("maintenance", None).await.unwrap();
    // 03:00, 04:00 and 05:00 go by.
    catalog.advance(9_600);
    assert_eq!(catalog.fire().await, None);
    let overdue = catalog
        .store
        .overdue_schedules(TimeDelta::minutes(5), 10)
        .await
        .unwrap();
    assert_eq!(overdue, (Vec::new(), 0));
    catalog.store.resume_system().await.unwrap();
    let fired = catalog.fire().await.unwrap();
    assert_eq!(fired.firing.outcome, FiringOutcome::CaughtUp);
    assert_eq!(
        (fired.firing.scheduled_at, fired.firing.missed),
        (start() + TimeDelta::hours(3), 0)
    );
    assert_eq!(catalog.open_alert(AlertKind::ScheduleMissed).await, None);
    assert_eq!(
        catalog.schedule(id).await.next_run_at,
        Some(start() + TimeDelta::hours(4))
    );
    assert_eq!(catalog.fire().await, None);
}

async fn what_was_missed_before_or_after_the_pause_is_told(catalog: Catalog) {
    catalog.hourly().await;
    // Nobody is there at 03:00; then it is paused for a while.
    catalog.advance(5_400);
    catalog.store.pause_system("maintenance", None).await.unwrap();
    catalog.advance(600);
    catalog.store.resume_system().await.unwrap();
    let fired = catalog.fire().await.unwrap();
    assert_eq!(fired.firing.scheduled_at, start() + TimeDelta::hours(1));
    assert!(catalog.open_alert(AlertKind::ScheduleMissed).await.is_some());
    catalog.end_next(None).await;
    catalog.advance(1_200);
    catalog.fire().await.unwrap();
    assert_eq!(catalog.open_alert(AlertKind::ScheduleMissed).await, None);
    catalog.end_next(None).await;
    // 05:00 falls into a pause, and nobody is there when that is over.
    catalog.advance(3_000);
    catalog.store.pause_system("maintenance", None).await.unwrap();
    catalog.advance(1_200);
    catalog.store.resume_system().await.unwrap();
    catalog.advance(600);
    catalog.fire().await.unwrap();
    assert!(catalog.open_alert(AlertKind::ScheduleMissed).await.is_some());
}

async fn no_backup_expires_while_the_system_is_paused(catalog: Catalog) {
    let schedule = Schedule {
        retention: Retention {
            retention_days: 3650,
            max_backups: 1,
            ..Retention::default()
        },
        ..catalog.new_schedule()
    };
    let id = catalog.store.create_schedule(schedule).await.unwrap().id;
    for _ in 0..2 {
        catalog.advance(3_600);
        catalog.fire().await.unwrap();
        catalog.end_next(None).await;
    }
    catalog.store.pause_system("incident", None).await.unwrap();
    assert_eq!(catalog.store.expire_backups(id).await.unwrap(), Vec::new());
    catalog.store.resume_system().await.unwrap();
    assert_eq!(catalog.store.expire_backups(id).await.unwrap().len(), 1);
}

async fn a_pause_is_begun_and_ended_once_and_an_alert_is_open_meanwhile(catalog: Catalog) {
    let store = &catalog.store;
    assert!(matches!(store.resume_system().await, Err(Error::NotPaused)));
    assert_eq!(store.system_pause().await.unwrap(), None);
    let pause = store.pause_system("first", None).await.unwrap();
    assert_eq!((pause.paused_at, pause.reason.as_str()), (start(), "first"));
    assert!(matches!(
        store.pause_system("second", None).await,
        Err(Error::PausedAlready)
    ));
    assert_eq!(store.overview().await.unwrap().pause, Some(pause.clone()));
    let alert = catalog.open_alert(AlertKind::SystemPaused).await.unwrap();
    assert_eq!(alert.details["reason"], "first");
    catalog.advance(60);
    assert_eq!(store.resume_system().await.unwrap(), pause);
    assert_eq!(store.overview().await.unwrap().pause, None);
    assert_eq!(catalog.open_alert(AlertKind::SystemPaused).await, None);
    assert!(matches!(store.resume_system().await, Err(Error::NotPaused)));
    assert_eq!(store.pause_system("third", None).await.unwrap().reason, "third");
}
