//! Whoever watches is told what is: which keys are needed, what was verified when, and which schedules nobody fires.

use backup_core::config::BackupConfig;
use backup_core::schedule::Schedule;
use backup_core::{AlertKind, BackupId, NewAlert, VerifyLevel};
use backup_db::{BackupOutcome, CompletedBackup, KeyUse, NewVerification, VerificationAge, VerificationOutcome};
use chrono::TimeDelta;

use crate::fixture::{Catalog, on_both, start};

on_both!(
    the_keys_that_kept_backups_need_are_known,
    a_key_that_was_not_written_down_is_noted_afterwards,
    it_is_known_since_when_nothing_was_verified,
    schedules_that_nobody_fires_are_found,
    the_monitor_says_how_each_schedule_is_doing,
    schedules_are_gone_through_page_by_page,
);

async fn sealed_with(catalog: &Catalog, config_key: &str, fingerprint: Option<&str>) -> BackupId {
    let mut new = catalog.new_backup();
    new.config_key = config_key.to_owned();
    let id = catalog.store.create_backup(new).await.unwrap().id;
    let lease = catalog.claim().await.unwrap().lease;
    let done = CompletedBackup {
        key_fingerprint: fingerprint.map(ToOwned::to_owned),
        ..catalog.results(1)
    };
    let done = BackupOutcome::Completed(Box::new(done));
    catalog.store.finish_backup(&lease, done).await.unwrap();
    id
}

async fn the_keys_that_kept_backups_need_are_known(catalog: Catalog) {
    let shop = BackupConfig::defaults("shop", start());
    catalog.store.put_config(&shop).await.unwrap();
    assert_eq!(catalog.store.keys_in_use().await.unwrap(), []);
    sealed_with(&catalog, "default", Some("old")).await;
    let last_of_new = sealed_with(&catalog, "default", Some("new")).await;
    sealed_with(&catalog, "shop", Some("old")).await;
    sealed_with(&catalog, "shop", Some("old")).await;
    sealed_with(&catalog, "default", None).await;
    let known = async || {
        let mut keys = catalog.store.keys_in_use().await.unwrap();
        keys.sort_by_key(|key| (key.fingerprint.clone(), key.config_key.clone()));
        keys
    };
    let key = |config_key: &str, fingerprint: &str, backups| KeyUse {
        config_key: config_key.to_owned(),
        fingerprint: fingerprint.to_owned(),
        backups,
    };
    assert_eq!(
        known().await,
        [
            key("default", "new", 1),
            key("default", "old", 1),
            key("shop", "old", 2)
        ]
    );
    let newest = async |config_key| catalog.store.newest_key(config_key).await.unwrap();
    assert_eq!(
        newest("default").await.as_deref(),
        Some("new"),
        "not the one that needs none"
    );
    assert_eq!(newest("shop").await.as_deref(), Some("old"));
    assert_eq!(newest("nobody").await, None);
    catalog.store.begin_delete(last_of_new, false).await.unwrap();
    assert_eq!(newest("default").await.as_deref(), Some("old"));
    assert_eq!(
        known().await,
        [key("default", "old", 1), key("shop", "old", 2)],
        "a key that nothing needs may go"
    );
}

async fn a_key_that_was_not_written_down_is_noted_afterwards(catalog: Catalog) {
    let store = &catalog.store;
    let known = sealed_with(&catalog, "default", Some("old")).await;
    let first = sealed_with(&catalog, "default", None).await;
    catalog.advance(1);
    let second = sealed_with(&catalog, "default", None).await;
    let path = catalog.results(1).storage_path;
    let page = async |after| store.without_key("default", after, 1).await.unwrap();
    assert_eq!(page(None).await, [(first, path.clone())]);
    assert_eq!(page(Some(first)).await, [(second, path)]);
    assert!(page(Some(second)).await.is_empty());
    assert!(store.without_key("shop", None, 10).await.unwrap().is_empty());
    let noted = [first, known].map(|id| (id, "new".to_owned()));
    store.note_keys(noted.into()).await.unwrap();
    let mut keys = Vec::new();
    for id in [known, first, second] {
        keys.push(catalog.backup(id).await.key_fingerprint);
    }
    assert_eq!(keys, [Some("old".to_owned()), Some("new".to_owned()), None]);
}

async fn verify(catalog: &Catalog, backup_id: BackupId, outcome: VerificationOutcome) {
    let new = NewVerification {
        id: catalog.id(),
        backup_id,
        level: VerifyLevel::Content,
        created_by: None,
    };
    catalog.store.create_verification(new).await.unwrap();
    let lease = catalog.claim().await.unwrap().lease;
    catalog.store.finish_verification(&lease, outcome).await.unwrap();
}

async fn it_is_known_since_when_nothing_was_verified(catalog: Catalog) {
    let age = async || catalog.store.verification_age("default").await.unwrap();
    assert_eq!(age().await, VerificationAge::default());
    let first = catalog.completed(None).await;
    catalog.advance(60);
    let second = catalog.completed(None).await;
    catalog.advance(60);
    let failed = VerificationOutcome::Failed {
        message: "the storage is away".to_owned(),
    };
    verify(&catalog, first, failed).await;
    assert_eq!(
        age().await,
        VerificationAge {
            oldest_backup: Some(start()),
            newest_verification: None
        },
        "one that could not be done is none"
    );
    verify(&catalog, first, VerificationOutcome::Passed).await;
    catalog.store.begin_delete(first, false).await.unwrap();
    catalog.advance(60);
    assert_eq!(
        age().await,
        VerificationAge {
            oldest_backup: Some(start() + TimeDelta::seconds(60)),
            newest_verification: Some(start() + TimeDelta::seconds(120))
        }
    );
    let found = VerificationOutcome::Found {
        problem: "damaged".to_owned(),
        in_base: None,
    };
    verify(&catalog, second, found).await;
    let newest = age().await.newest_verification;
    assert_eq!(newest, Some(start() + TimeDelta::seconds(180)), "whatever it finds");
    assert_eq!(
        catalog.store.verification_age("shop").await.unwrap(),
        VerificationAge::default()
    );
}

async fn schedules_that_nobody_fires_are_found(catalog: Catalog) {
    let mut ids = Vec::new();
    for minute in [10, 20, 30] {
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
    let overdue = async |limit| {
        let patience = TimeDelta::minutes(5);
        let (found, total) = catalog.store.overdue_schedules(patience, limit).await.unwrap();
        (found.iter().map(|one| one.id).collect::<Vec<_>>(), total)
    };
    catalog.advance(15 * 60);
    assert_eq!(overdue(9).await, (vec![], 0), "it may still come");
    catalog.advance(1);
    assert_eq!(overdue(9).await, (vec![ids[0]], 1));
    catalog.advance(30 * 60);
    assert_eq!(overdue(2).await, (vec![ids[0], ids[1]], 3));
    catalog.store.fire_due_schedules(100).await.unwrap();
    assert_eq!(overdue(9).await, (vec![], 0));
}

async fn the_monitor_says_how_each_schedule_is_doing(catalog: Catalog) {
    let made = catalog.hourly().await;
    let weekly = Schedule {
        name: "weekly".to_owned(),
        is_enabled: false,
        cron_expression: "0 3 * * 0".to_owned(),
        ..catalog.new_schedule()
    };
    catalog.advance(1);
    catalog.store.create_schedule(weekly).await.unwrap();
    catalog.advance(3_599);
    catalog.fire().await.unwrap();
    let backup = catalog.end_next(None).await;
    let found = VerificationOutcome::Found {
        problem: "damaged".to_owned(),
        in_base: None,
    };
    verify(&catalog, backup, found).await;
    let orphans = NewAlert::new(AlertKind::OrphansFound, "default", "some");
    catalog.store.raise_alert(orphans).await.unwrap();
    let now = start() + TimeDelta::hours(1);
    let monitor = catalog.store.monitor().await.unwrap();
    assert_eq!(
        (
            monitor.enabled_schedules,
            monitor.verify_failed,
            monitor.last_verified_at,
            monitor.open_alerts
        ),
        (1, 1, Some(now), 2)
    );
    let schedules = catalog.store.schedule_health(None, 10).await.unwrap();
    let [hourly, weekly] = &schedules[..] else {
        panic!("{schedules:?}");
    };
    assert_eq!((hourly.id, hourly.is_enabled), (made.id, true));
    assert_eq!(
        (hourly.last_success_at, hourly.next_run_at, hourly.interval),
        (Some(now), Some(now + TimeDelta::hours(1)), Some(TimeDelta::hours(1)))
    );
    assert_eq!((weekly.name.as_str(), weekly.is_enabled), ("weekly", false));
    assert_eq!(
        (weekly.last_success_at, weekly.next_run_at, weekly.interval),
        (None, None, None)
    );
    // What is wrong with a backup that goes is no longer counted.
    catalog.store.begin_delete(backup, false).await.unwrap();
    assert_eq!(catalog.store.monitor().await.unwrap().verify_failed, 0);
}

async fn schedules_are_gone_through_page_by_page(catalog: Catalog) {
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(catalog.hourly().await.id);
    }
    made.sort();
    let mut seen = Vec::new();
    loop {
        let page = catalog.store.schedule_health(seen.last().copied(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        seen.extend(page.iter().map(|schedule| schedule.id));
    }
    assert_eq!(seen, made, "each of them, and once");
}
