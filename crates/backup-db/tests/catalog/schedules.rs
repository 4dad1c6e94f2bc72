//! A schedule says when it fires next, and a change of it neither loses nor repeats an instant.

use backup_core::config::BackupConfig;
use backup_core::schedule::{Retention, Schedule};
use backup_core::{AlertKind, ScheduleId};
use backup_db::{Error, ScheduleListOptions};
use chrono::{DateTime, TimeDelta, Utc};

use crate::fixture::{Catalog, on_both, start};

on_both!(
    a_schedule_is_kept_as_given_and_its_next_instant_is_reckoned,
    a_change_of_anything_else_does_not_move_the_next_instant,
    what_went_by_while_it_was_disabled_is_not_caught_up_with,
    a_change_of_its_times_never_brings_back_what_has_fired,
    of_two_who_change_one_at_once_the_second_is_refused,
    what_cannot_be_read_is_refused_and_changes_nothing,
    a_deleted_schedule_leaves_its_backups_and_no_alerts,
    schedules_are_listed_in_pages,
);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn nightly(catalog: &Catalog) -> Schedule {
    Schedule {
        name: "每晚".to_owned(),
        description: Some("every night".to_owned()),
        cron_expression: "30 2 * * *".to_owned(),
        timezone: "Asia/Taipei".to_owned(),
        retention: Retention {
            retention_days: 90,
            max_backups: 33,
            keep_hourly: Some(24),
            keep_daily: Some(7),
            keep_weekly: Some(4),
            keep_monthly: Some(12),
            keep_yearly: None,
        },
        ..catalog.new_schedule()
    }
}

async fn a_schedule_is_kept_as_given_and_its_next_instant_is_reckoned(catalog: Catalog) {
    // It is ten in the morning in Taipei. What is given is not believed.
    let given = Schedule {
        next_run_at: Some(start()),
        ..nightly(&catalog)
    };
    let made = catalog.store.create_schedule(given.clone()).await.unwrap();
    let expected = Schedule {
        next_run_at: Some(at("2026-11-23T18:30:00Z")),
        ..given.clone()
    };
    assert_eq!(made, expected);
    assert_eq!(catalog.schedule(given.id).await, made);
    assert!(matches!(
        catalog.store.create_schedule(given).await,
        Err(Error::AlreadyExists { .. })
    ));
    catalog.advance(1);
    let wanted = Schedule {
        description: None,
        retention: Retention::default(),
        timezone: "Europe/London".to_owned(),
        next_run_at: None,
        created_at: start() + TimeDelta::days(9),
        ..made.clone()
    };
    let changed = catalog.store.update_schedule(&made, wanted.clone()).await.unwrap();
    let expected = Schedule {
        next_run_at: Some(at("2026-11-23T02:30:00Z")),
        created_at: made.created_at,
        updated_at: start() + TimeDelta::seconds(1),
        ..wanted
    };
    assert_eq!(changed, expected);
    assert_eq!(catalog.schedule(made.id).await, changed);
    let off = Schedule {
        is_enabled: false,
        ..nightly(&catalog)
    };
    let off = catalog.store.create_schedule(off).await.unwrap();
    assert_eq!(off.next_run_at, None);
    assert_eq!(
        catalog.store.next_firing_at().await.unwrap(),
        changed.next_run_at,
        "whoever fires wakes up for the earliest"
    );
}

async fn a_change_of_anything_else_does_not_move_the_next_instant(catalog: Catalog) {
    let made = catalog.hourly().await;
    // It is overdue, since nobody was there to fire it; then somebody changes its name.
    catalog.advance(3_700);
    let renamed = Schedule {
        name: "renamed".to_owned(),
        ..made.clone()
    };
    let renamed = catalog.store.update_schedule(&made, renamed).await.unwrap();
    assert_eq!(renamed.next_run_at, made.next_run_at);
    let fired = catalog.fire().await.unwrap();
    assert_eq!(
        Some(fired.firing.scheduled_at),
        made.next_run_at,
        "the backup is not lost"
    );
}

async fn what_went_by_while_it_was_disabled_is_not_caught_up_with(catalog: Catalog) {
    let made = catalog.hourly().await;
    let off = Schedule {
        is_enabled: false,
        ..made.clone()
    };
    let off = catalog.store.update_schedule(&made, off).await.unwrap();
    assert_eq!((off.next_run_at, off.is_enabled), (None, false));
    catalog.advance(3_600 * 5 + 60);
    assert_eq!(catalog.fire().await, None);
    let on = Schedule {
        is_enabled: true,
        ..off.clone()
    };
    let on = catalog.store.update_schedule(&off, on).await.unwrap();
    assert_eq!(on.next_run_at, Some(at("2026-11-23T08:00:00Z")));
    assert_eq!(catalog.fire().await, None);
    catalog.advance(3_540);
    let firing = catalog.fire().await.unwrap().firing;
    assert_eq!(firing.missed, 0, "nobody had missed what was not wanted");
    assert_eq!(catalog.open_alert(AlertKind::ScheduleMissed).await, None);
}

async fn a_change_of_its_times_never_brings_back_what_has_fired(catalog: Catalog) {
    let made = catalog.hourly().await;
    // A scheduler whose clock is five minutes ahead.
    catalog.advance(3_600);
    let fired = catalog.fire().await.unwrap();
    catalog.end_next(None).await;
    catalog.advance(-300);
    let same_again = Schedule {
        cron_expression: "0 0-23 * * *".to_owned(),
        ..fired.schedule.clone()
    };
    let changed = catalog
        .store
        .update_schedule(&fired.schedule, same_again)
        .await
        .unwrap();
    assert_eq!(changed.next_run_at, Some(at("2026-11-23T04:00:00Z")));
    catalog.advance(300);
    assert_eq!(catalog.fire().await, None);
    assert_eq!(catalog.firings(made.id).await.len(), 1);
}

async fn of_two_who_change_one_at_once_the_second_is_refused(catalog: Catalog) {
    let seen = catalog.hourly().await;
    catalog.advance(3_600);
    catalog.fire().await.unwrap();
    // That it has fired meanwhile is no change of what people set.
    let first = Schedule {
        name: "first".to_owned(),
        ..seen.clone()
    };
    let first = catalog.store.update_schedule(&seen, first).await.unwrap();
    assert_eq!(first.last_run_at, seen.next_run_at, "what has fired stays so");
    let second = Schedule {
        is_enabled: false,
        ..seen.clone()
    };
    let refused = catalog.store.update_schedule(&seen, second).await;
    assert!(matches!(refused, Err(Error::Changed { .. })), "{refused:?}");
    assert_eq!(catalog.schedule(seen.id).await, first);
}

async fn what_cannot_be_read_is_refused_and_changes_nothing(catalog: Catalog) {
    let good = catalog.hourly().await;
    let events = catalog.store.last_event_seq().await.unwrap();
    let bad_cron = |schedule: &Schedule| Schedule {
        cron_expression: "61 * * * *".to_owned(),
        ..schedule.clone()
    };
    let bad_zone = |schedule: &Schedule| Schedule {
        timezone: "Asia/Nowhere".to_owned(),
        // Not even one that does not fire is taken.
        is_enabled: false,
        ..schedule.clone()
    };
    let no_config = |schedule: &Schedule| Schedule {
        config_key: "nobody".to_owned(),
        ..schedule.clone()
    };
    let new = catalog.new_schedule();
    for schedule in [bad_cron(&new), bad_zone(&new)] {
        let refused = catalog.store.create_schedule(schedule).await;
        assert!(matches!(refused, Err(Error::Cron(_))), "{refused:?}");
    }
    for schedule in [bad_cron(&good), bad_zone(&good)] {
        let refused = catalog.store.update_schedule(&good, schedule).await;
        assert!(matches!(refused, Err(Error::Cron(_))), "{refused:?}");
    }
    let refused = catalog.store.create_schedule(no_config(&new)).await;
    assert!(
        matches!(
            refused,
            Err(Error::NotFound {
                what: "configuration",
                ..
            })
        ),
        "{refused:?}"
    );
    let refused = catalog.store.update_schedule(&good, no_config(&good)).await;
    assert!(
        matches!(
            refused,
            Err(Error::NotFound {
                what: "configuration",
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(catalog.schedule(good.id).await, good);
    assert!(catalog.store.get_schedule(new.id).await.unwrap().is_none());
    assert_eq!(catalog.store.last_event_seq().await.unwrap(), events);
}

async fn a_deleted_schedule_leaves_its_backups_and_no_alerts(catalog: Catalog) {
    let made = catalog.hourly().await;
    let good = catalog.store.trigger_schedule(made.id, None).await.unwrap().id;
    assert_eq!(catalog.end_next(None).await, good);
    assert!(catalog.backup(good).await.expires_at.is_some());
    // Caught up with, failed, and passed over: whatever a schedule can be told of.
    catalog.advance(3_600 * 3 + 300);
    catalog.fire().await.unwrap();
    let failed = catalog.end_next(Some("the disk is full")).await;
    let running = catalog.store.trigger_schedule(made.id, None).await.unwrap().id;
    catalog.advance(3_600);
    catalog.fire().await.unwrap();
    let kinds = [
        AlertKind::BackupFailed,
        AlertKind::ScheduleMissed,
        AlertKind::ScheduleSkipped,
    ];
    for kind in kinds {
        assert!(catalog.open_alert(kind).await.is_some(), "{kind}");
    }
    let summary = catalog.store.get_backup(failed).await.unwrap().unwrap();
    assert_eq!(summary.schedule_name.as_deref(), Some("每小時"));
    assert_eq!(catalog.store.get_schedule(made.id).await.unwrap().unwrap().backups, 3);
    assert!(catalog.store.delete_schedule(made.id).await.unwrap());
    assert!(!catalog.store.delete_schedule(made.id).await.unwrap());
    for kind in kinds {
        assert_eq!(catalog.open_alert(kind).await, None);
    }
    assert_eq!(
        catalog.backup(good).await.expires_at,
        None,
        "nothing lets it go any more"
    );
    for backup in [good, failed, running] {
        assert_eq!(catalog.backup(backup).await.schedule_id, None, "the backup stays");
    }
    assert_eq!(catalog.end_next(None).await, running, "and what was asked for is done");
    let gone = catalog.store.update_schedule(&made, made.clone()).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
    assert!(matches!(
        catalog.store.trigger_schedule(made.id, None).await,
        Err(Error::NotFound { .. })
    ));
}

async fn schedules_are_listed_in_pages(catalog: Catalog) {
    let shop = BackupConfig::defaults("shop", start());
    catalog.store.put_config(&shop).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..5 {
        let schedule = Schedule {
            config_key: if number % 2 == 0 { "shop" } else { "default" }.to_owned(),
            ..catalog.new_schedule()
        };
        ids.push(catalog.store.create_schedule(schedule).await.unwrap().id);
        catalog.advance(1);
    }
    catalog.store.trigger_schedule(ids[3], None).await.unwrap();
    let page = async |config_key: Option<&str>, limit, offset| {
        let options = ScheduleListOptions {
            config_key: config_key.map(ToOwned::to_owned),
            limit,
            offset,
            newest_first: false,
        };
        let page = catalog.store.list_schedules(&options).await.unwrap();
        let found: Vec<(ScheduleId, u64)> = page.schedules.iter().map(|s| (s.schedule.id, s.backups)).collect();
        (found, page.total)
    };
    assert_eq!(page(None, 2, 0).await, (vec![(ids[0], 0), (ids[1], 0)], 5));
    assert_eq!(page(None, 9, 3).await, (vec![(ids[3], 1), (ids[4], 0)], 5));
    assert_eq!(page(Some("shop"), 9, 1).await, (vec![(ids[2], 0), (ids[4], 0)], 3));
    assert_eq!(page(Some("nobody"), 9, 0).await, (vec![], 0));
    let newest_first = ScheduleListOptions {
        limit: 2,
        offset: 1,
        newest_first: true,
        ..ScheduleListOptions::default()
    };
    let shown = catalog.store.list_schedules(&newest_first).await.unwrap().schedules;
    let shown: Vec<_> = shown.iter().map(|s| (s.schedule.id, s.last_backup_at)).collect();
    assert_eq!(shown, [(ids[3], Some(catalog.clock_now())), (ids[2], None)]);
    // All, in batches, none twice.
    let mut walked = catalog.store.schedule_ids(None, 3).await.unwrap();
    walked.extend(catalog.store.schedule_ids(walked.last().copied(), 3).await.unwrap());
    ids.sort_by_key(ToString::to_string);
    assert_eq!(walked, ids);
}
