//! Each instant of a schedule fires once, however many schedulers there are and whatever their clocks do; and what did not
//! happen is told.

use std::collections::HashSet;
use std::sync::Arc;

use backup_core::schedule::Schedule;
use backup_core::{AlertKind, AlertSeverity, BackupSource, BackupTrigger, BackupType, JobStatus, ManualClock};
use backup_db::{Error, EventKind, FiringOutcome, Store};
use chrono::TimeDelta;

use crate::fixture::{Catalog, at_once, on_both, start};

on_both!(
    on_time_a_backup_is_asked_for,
    after_an_hour_away_one_catches_up_for_all_and_says_so,
    a_little_late_counts_as_caught_up,
    while_the_last_one_runs_an_instant_is_passed_over_and_told,
    schedulers_at_once_fire_each_instant_once,
    the_most_overdue_go_first,
    a_clock_that_was_put_back_fires_nothing_twice,
    a_clock_that_went_ahead_loses_nothing_unsaid,
    an_instant_that_has_fired_is_not_fired_though_it_is_next,
    one_that_cannot_be_read_stands_still_and_keeps_nobody_waiting,
    by_hand_one_at_a_time,
    firings_are_kept_a_while,
);

const HOUR: i64 = 3_600;

async fn on_time_a_backup_is_asked_for(catalog: Catalog) {
    let schedule = Schedule {
        backup_type: BackupType::Differential,
        backup_source: BackupSource::Files,
        ..catalog.new_schedule()
    };
    let schedule = catalog.store.create_schedule(schedule).await.unwrap();
    catalog.advance(HOUR - 1);
    assert_eq!(catalog.fire().await, None, "not before its time");
    catalog.advance(1 + 59);
    let seq = catalog.store.last_event_seq().await.unwrap();
    let fired = catalog.fire().await.unwrap();
    let instant = start() + TimeDelta::hours(1);
    assert_eq!(
        (fired.firing.outcome, fired.firing.scheduled_at, fired.firing.missed),
        (FiringOutcome::Started, instant, 0)
    );
    let backup = fired.backup.unwrap();
    assert_eq!(
        (backup.status, backup.backup_type, backup.source, backup.trigger),
        (
            JobStatus::Pending,
            BackupType::Differential,
            BackupSource::Files,
            BackupTrigger::Scheduled
        )
    );
    assert_eq!(
        (backup.config_key.as_str(), backup.description.as_deref()),
        ("default", Some("排程備份: 每小時"))
    );
    assert_eq!((backup.schedule_id, backup.created_by), (Some(schedule.id), None));
    assert_eq!(fired.firing.backup_id, Some(backup.id));
    let found = catalog.schedule(schedule.id).await;
    assert_eq!(found, fired.schedule);
    assert_eq!(
        (found.last_run_at, found.next_run_at),
        (Some(instant), Some(instant + TimeDelta::hours(1)))
    );
    assert_eq!(catalog.firings(schedule.id).await, [fired.firing]);
    assert_eq!(catalog.fire().await, None);
    assert_eq!(catalog.end_next(None).await, backup.id, "a worker takes it up");
    let events = catalog.store.events_after(seq, 9).await.unwrap();
    let kinds: HashSet<(EventKind, String)> = events.into_iter().map(|event| (event.kind, event.id)).collect();
    assert!(kinds.contains(&(EventKind::Schedule, schedule.id.to_string())));
    assert!(kinds.contains(&(EventKind::Backup, backup.id.to_string())));
}

async fn after_an_hour_away_one_catches_up_for_all_and_says_so(catalog: Catalog) {
    let schedule = catalog.hourly().await;
    // Nobody was there at 3, 4 and 5; at half past five somebody is.
    catalog.advance(3 * HOUR + HOUR / 2);
    let fired = catalog.fire().await.unwrap();
    assert_eq!(
        (fired.firing.outcome, fired.firing.scheduled_at, fired.firing.missed),
        (FiringOutcome::CaughtUp, start() + TimeDelta::hours(3), 2)
    );
    assert_eq!(
        catalog.store.get_schedule(schedule.id).await.unwrap().unwrap().backups,
        1
    );
    assert_eq!(catalog.fire().await, None, "one catches up for all");
    let alert = catalog.open_alert(AlertKind::ScheduleMissed).await.unwrap();
    assert_eq!(alert.subject, schedule.id.to_string());
    assert_eq!(alert.details["missed"], "3");
    assert_eq!(alert.details["since"], "2026-11-23T03:00:00Z");
    assert_eq!(alert.details["config"], "default");
    // It is over when it fires on time again, and not before.
    catalog.end_next(None).await;
    catalog.advance(HOUR / 2);
    let fired = catalog.fire().await.unwrap();
    assert_eq!((fired.firing.outcome, fired.firing.missed), (FiringOutcome::Started, 0));
    assert_eq!(catalog.open_alert(AlertKind::ScheduleMissed).await, None);
}

async fn a_little_late_counts_as_caught_up(catalog: Catalog) {
    catalog.hourly().await;
    catalog.advance(HOUR + 61);
    let fired = catalog.fire().await.unwrap();
    assert_eq!(
        (fired.firing.outcome, fired.firing.missed),
        (FiringOutcome::CaughtUp, 0)
    );
    assert!(catalog.open_alert(AlertKind::ScheduleMissed).await.is_some());
    catalog.end_next(None).await;
    catalog.advance(HOUR - 1);
    let fired = catalog.fire().await.unwrap();
    assert_eq!(fired.firing.outcome, FiringOutcome::Started, "a minute is no delay");
    assert_eq!(catalog.open_alert(AlertKind::ScheduleMissed).await, None);
}

async fn while_the_last_one_runs_an_instant_is_passed_over_and_told(catalog: Catalog) {
    let schedule = catalog.hourly().await;
    catalog.advance(HOUR);
    let first = catalog.fire().await.unwrap().backup.unwrap();
    for hour in 2..4 {
        catalog.advance(HOUR);
        let fired = catalog.fire().await.unwrap();
        assert_eq!(
            (fired.firing.outcome, fired.firing.backup_id, fired.backup),
            (FiringOutcome::Skipped, None, None)
        );
        let alert = catalog.open_alert(AlertKind::ScheduleSkipped).await.unwrap();
        assert_eq!(alert.subject, schedule.id.to_string());
        assert_eq!(alert.details["at"], format!("2026-11-23T0{}:00:00Z", 2 + hour));
    }
    assert_eq!(
        catalog.store.get_schedule(schedule.id).await.unwrap().unwrap().backups,
        1
    );
    assert_eq!(catalog.end_next(None).await, first.id);
    catalog.advance(HOUR);
    assert_eq!(catalog.fire().await.unwrap().firing.outcome, FiringOutcome::Started);
    assert_eq!(catalog.open_alert(AlertKind::ScheduleSkipped).await, None);
    let outcomes: Vec<_> = catalog
        .firings(schedule.id)
        .await
        .iter()
        .map(|firing| firing.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [
            FiringOutcome::Started,
            FiringOutcome::Skipped,
            FiringOutcome::Skipped,
            FiringOutcome::Started
        ]
    );
}

async fn schedulers_at_once_fire_each_instant_once(catalog: Catalog) {
    let mut ids = HashSet::new();
    for _ in 0..25 {
        ids.insert(catalog.hourly().await.id);
    }
    let other = catalog.another().await;
    for _ in 0..3 {
        catalog.advance(HOUR);
        let fired = at_once(10, |index| {
            let store = if index % 2 == 0 { &catalog.store } else { &other }.clone();
            async move {
                let mut mine = Vec::new();
                loop {
                    let fired = store.fire_due_schedules(3).await.unwrap();
                    if fired.is_empty() {
                        return mine;
                    }
                    mine.extend(fired);
                }
            }
        })
        .await;
        let fired: Vec<_> = fired.into_iter().flatten().map(|fired| fired.schedule.id).collect();
        assert_eq!(fired.len(), 25, "one fired twice or never");
        assert_eq!(fired.into_iter().collect::<HashSet<_>>(), ids);
        catalog.sql("UPDATE backups SET status = 'CANCELLED'").unwrap();
    }
    for id in ids {
        let firings = catalog.firings(id).await;
        assert_eq!(firings.len(), 3);
        assert!(firings.iter().all(|firing| firing.outcome == FiringOutcome::Started));
        assert_eq!(catalog.store.get_schedule(id).await.unwrap().unwrap().backups, 3);
    }
}

async fn the_most_overdue_go_first(catalog: Catalog) {
    let mut ids = Vec::new();
    for minute in [20, 10, 30, 5] {
        let schedule = Schedule {
            cron_expression: format!("{minute} * * * *"),
            ..catalog.new_schedule()
        };
        ids.push(catalog.store.create_schedule(schedule).await.unwrap().id);
    }
    let off = Schedule {
        is_enabled: false,
        ..catalog.new_schedule()
    };
    catalog.store.create_schedule(off).await.unwrap();
    assert_eq!(
        catalog.store.next_firing_at().await.unwrap(),
        Some(start() + TimeDelta::minutes(5))
    );
    catalog.advance(25 * 60);
    let mut order = Vec::new();
    for _ in 0..2 {
        order.extend(catalog.store.fire_due_schedules(2).await.unwrap());
    }
    let order: Vec<_> = order.iter().map(|fired| fired.schedule.id).collect();
    assert_eq!(order, [ids[3], ids[1], ids[0]]);
}

async fn a_clock_that_was_put_back_fires_nothing_twice(catalog: Catalog) {
    let schedule = catalog.hourly().await;
    catalog.advance(HOUR);
    catalog.fire().await.unwrap();
    catalog.end_next(None).await;
    for step in [-300, 200, 120, -HOUR * 2, HOUR * 2] {
        catalog.advance(step);
        assert_eq!(catalog.fire().await, None, "{step}");
    }
    // The true time goes on: the next instant is the next one.
    catalog.clock.set(start() + TimeDelta::hours(2));
    let fired = catalog.fire().await.unwrap();
    assert_eq!((fired.firing.outcome, fired.firing.missed), (FiringOutcome::Started, 0));
    assert_eq!(catalog.firings(schedule.id).await.len(), 2);
}

async fn a_clock_that_went_ahead_loses_nothing_unsaid(catalog: Catalog) {
    let schedule = catalog.hourly().await;
    let clock = Arc::new(ManualClock::new(start()));
    let ahead = Store::open(&catalog.url, clock.clone()).await.unwrap();
    clock.advance(TimeDelta::minutes(60 * 4 + 5));
    let fired = ahead.fire_due_schedules(9).await.unwrap();
    assert_eq!((fired.len(), fired[0].firing.missed), (1, 3));
    catalog.end_next(None).await;
    // Those with the true time wait until it is the next one's turn.
    for _ in 0..4 {
        catalog.advance(HOUR);
        assert_eq!(catalog.fire().await, None);
    }
    catalog.advance(HOUR);
    let fired = catalog.fire().await.unwrap();
    assert_eq!(
        (fired.firing.scheduled_at, fired.firing.missed),
        (start() + TimeDelta::hours(5), 0)
    );
    let stood_for: u32 = catalog
        .firings(schedule.id)
        .await
        .iter()
        .map(|firing| firing.missed + 1)
        .sum();
    assert_eq!(stood_for, 5);
}

async fn an_instant_that_has_fired_is_not_fired_though_it_is_next(catalog: Catalog) {
    let schedule = catalog.hourly().await;
    catalog.advance(HOUR);
    catalog.fire().await.unwrap();
    catalog.end_next(None).await;
    catalog
        .sql("UPDATE backup_schedules SET next_run_at = last_run_at")
        .unwrap();
    assert_eq!(catalog.fire().await, None);
    assert_eq!(catalog.firings(schedule.id).await.len(), 1);
    let found = catalog.schedule(schedule.id).await;
    assert_eq!(
        found.next_run_at,
        Some(start() + TimeDelta::hours(2)),
        "and it is not met for ever"
    );
    assert_eq!(
        catalog.store.get_schedule(schedule.id).await.unwrap().unwrap().backups,
        1
    );
}

async fn one_that_cannot_be_read_stands_still_and_keeps_nobody_waiting(catalog: Catalog) {
    let broken = catalog.hourly().await;
    catalog
        .sql("UPDATE backup_schedules SET cron_expression = 'every now and then'")
        .unwrap();
    let good = catalog.hourly().await;
    catalog.advance(HOUR);
    assert_eq!(catalog.fire().await.unwrap().schedule.id, good.id);
    assert_eq!(catalog.schedule(broken.id).await.next_run_at, None);
    let alert = catalog.open_alert(AlertKind::ScheduleMissed).await.unwrap();
    assert_eq!(
        (alert.subject, alert.severity),
        (broken.id.to_string(), AlertSeverity::Critical)
    );
    assert_eq!(catalog.fire().await, None);
    // Whoever mends it has it fire again, and the alert is over.
    let seen = catalog.schedule(broken.id).await;
    let mended = Schedule {
        cron_expression: "30 * * * *".to_owned(),
        ..seen.clone()
    };
    catalog.store.update_schedule(&seen, mended).await.unwrap();
    catalog.advance(HOUR / 2);
    assert_eq!(catalog.fire().await.unwrap().schedule.id, broken.id);
    assert_eq!(catalog.open_alert(AlertKind::ScheduleMissed).await, None);
}

async fn by_hand_one_at_a_time(catalog: Catalog) {
    let schedule = catalog.hourly().await;
    let backup = catalog.store.trigger_schedule(schedule.id, None).await.unwrap();
    assert_eq!(
        (backup.trigger, backup.schedule_id, backup.backup_type),
        (BackupTrigger::Manual, Some(schedule.id), BackupType::Incremental)
    );
    let other = catalog.another().await;
    let results = at_once(6, |index| {
        let store = if index % 2 == 0 { &catalog.store } else { &other }.clone();
        async move { store.trigger_schedule(schedule.id, None).await }
    })
    .await;
    for result in results {
        assert!(
            matches!(result, Err(Error::StillRunning { backup: id, .. }) if id == backup.id),
            "{result:?}"
        );
    }
    assert_eq!(
        catalog.schedule(schedule.id).await,
        schedule,
        "its instants stay as they are"
    );
    catalog.end_next(None).await;
    catalog.store.trigger_schedule(schedule.id, None).await.unwrap();
}

async fn firings_are_kept_a_while(catalog: Catalog) {
    let schedule = catalog.hourly().await;
    catalog.advance(HOUR);
    catalog.fire().await.unwrap();
    catalog.end_next(None).await;
    catalog.advance(100 * 24 * HOUR);
    catalog.fire().await.unwrap();
    assert_eq!(catalog.store.trim_firings().await.unwrap(), 0);
    catalog.advance(1);
    assert_eq!(catalog.store.trim_firings().await.unwrap(), 1);
    assert_eq!(catalog.firings(schedule.id).await.len(), 1);
}
