//! Schedules, alerts, configurations, usage.

use backup_core::config::{BackupConfig, QuotaPolicy, SealedSecret, SystemConfig};
use backup_core::receipt::Codec;
use backup_core::schedule::{Retention, Schedule};
use backup_core::user::AlertSeverity;
use backup_core::{BackupSource, BackupType, NewBackup, ScheduleId};
use backup_db::{Error, FiringOutcome};
use chrono::TimeDelta;

use crate::fixture::{Catalog, at_once, on_both, start};

on_both!(
    a_schedule_is_kept_as_given,
    an_instant_fires_once_however_many_try,
    due_schedules_are_the_enabled_ones_whose_time_has_come,
    an_alert_is_open_once,
    a_configuration_is_kept_as_given,
    two_who_change_a_configuration_at_once_do_not_undo_each_other,
    a_configuration_with_backups_stays_where_it_is,
    settings_of_the_application_are_kept_as_given,
    usage_is_sampled,
    usage_is_sampled_once_in_a_while,
    newest_completed_is_what_the_next_one_builds_on,
    the_overview_says_what_matters,
);

fn schedule(catalog: &Catalog) -> Schedule {
    Schedule {
        id: catalog.id(),
        config_key: "default".to_owned(),
        name: "每晚".to_owned(),
        description: Some("every night".to_owned()),
        is_enabled: true,
        backup_type: BackupType::Incremental,
        backup_source: BackupSource::Database,
        cron_expression: "0 2 * * *".to_owned(),
        timezone: "Asia/Taipei".to_owned(),
        retention: Retention {
            keep_monthly: Some(12),
            ..Retention::default()
        },
        next_run_at: Some(start() + TimeDelta::hours(16)),
        last_run_at: None,
        created_at: start(),
        updated_at: start(),
        created_by: None,
    }
}

async fn a_schedule_is_kept_as_given(catalog: Catalog) {
    let given = schedule(&catalog);
    assert_eq!(catalog.store.create_schedule(given.clone()).await.unwrap(), given);
    assert!(matches!(
        catalog.store.create_schedule(given.clone()).await,
        Err(Error::AlreadyExists { .. })
    ));
    catalog.advance(1);
    let changed = Schedule {
        description: None,
        next_run_at: None,
        is_enabled: false,
        retention: Retention::default(),
        ..given.clone()
    };
    let stored = catalog.store.update_schedule(changed.clone()).await.unwrap();
    assert_eq!(stored.updated_at, start() + TimeDelta::seconds(1));
    let found = catalog.store.get_schedule(given.id).await.unwrap().unwrap();
    assert_eq!(
        found.schedule,
        Schedule {
            updated_at: stored.updated_at,
            ..changed
        }
    );
    let mut new = catalog.new_backup();
    new.schedule_id = Some(given.id);
    let backup = catalog.store.create_backup(new).await.unwrap().id;
    assert_eq!(catalog.store.list_schedules().await.unwrap()[0].backups, 1);
    assert_eq!(
        catalog
            .store
            .get_backup(backup)
            .await
            .unwrap()
            .unwrap()
            .schedule_name
            .as_deref(),
        Some("每晚")
    );
    assert!(catalog.store.delete_schedule(given.id).await.unwrap());
    assert!(!catalog.store.delete_schedule(given.id).await.unwrap());
    assert_eq!(catalog.backup(backup).await.schedule_id, None, "the backup stays");
    assert!(matches!(
        catalog.store.update_schedule(given).await,
        Err(Error::NotFound { .. })
    ));
}

async fn an_instant_fires_once_however_many_try(catalog: Catalog) {
    let id = catalog.store.create_schedule(schedule(&catalog)).await.unwrap().id;
    let other = catalog.another().await;
    let next = start() + TimeDelta::days(1);
    let new: Vec<_> = (0..8)
        .map(|_| {
            let mut new = catalog.new_backup();
            new.schedule_id = Some(id);
            new
        })
        .collect();
    let fired = at_once(8, |index| {
        let store = if index % 2 == 0 {
            catalog.store.clone()
        } else {
            other.clone()
        };
        let new = new[index].clone();
        async move {
            store
                .fire_schedule(id, start(), FiringOutcome::Started, Some(new), Some(next))
                .await
                .unwrap()
        }
    })
    .await;
    let fired: Vec<_> = fired.into_iter().flatten().collect();
    assert_eq!(fired.len(), 1, "one of eight schedulers makes the backup");
    let found = catalog.store.get_schedule(id).await.unwrap().unwrap();
    assert_eq!(found.backups, 1);
    assert_eq!(
        (found.schedule.last_run_at, found.schedule.next_run_at),
        (Some(start()), Some(next))
    );
    catalog
        .store
        .fire_schedule(id, next, FiringOutcome::Skipped, None, None)
        .await
        .unwrap()
        .unwrap();
    let firings = catalog.store.firings_of(id, 10).await.unwrap();
    let outcomes: Vec<_> = firings
        .iter()
        .map(|firing| (firing.outcome, firing.backup_id.is_some()))
        .collect();
    assert_eq!(
        outcomes,
        [(FiringOutcome::Skipped, false), (FiringOutcome::Started, true)]
    );
    let unknown: ScheduleId = catalog.id();
    let result = catalog
        .store
        .fire_schedule(unknown, next, FiringOutcome::Skipped, None, None)
        .await;
    assert!(matches!(result, Err(Error::NotFound { .. })));
}

async fn due_schedules_are_the_enabled_ones_whose_time_has_come(catalog: Catalog) {
    let mut ids = Vec::new();
    for (enabled, next) in [
        (true, Some(20)),
        (true, Some(10)),
        (false, Some(5)),
        (true, Some(30)),
        (true, None),
    ] {
        let made = Schedule {
            is_enabled: enabled,
            next_run_at: next.map(|seconds| start() + TimeDelta::seconds(seconds)),
            ..schedule(&catalog)
        };
        ids.push(catalog.store.create_schedule(made).await.unwrap().id);
    }
    catalog.advance(20);
    let due: Vec<_> = catalog
        .store
        .due_schedules()
        .await
        .unwrap()
        .iter()
        .map(|schedule| schedule.id)
        .collect();
    assert_eq!(due, [ids[1], ids[0]]);
}

async fn an_alert_is_open_once(catalog: Catalog) {
    let store = &catalog.store;
    let first = store
        .raise_alert("BACKUP_FAILED", "s1", AlertSeverity::Warning, "once")
        .await
        .unwrap();
    assert!(first.is_new);
    let again = store
        .raise_alert("BACKUP_FAILED", "s1", AlertSeverity::Critical, "twice")
        .await
        .unwrap();
    assert!(!again.is_new);
    assert_eq!(
        (again.alert.id, again.alert.message.as_str()),
        (first.alert.id, "twice")
    );
    catalog.advance(1);
    let other = store
        .raise_alert("QUOTA", "", AlertSeverity::Warning, "80 %")
        .await
        .unwrap()
        .alert
        .id;
    let acknowledged = store.acknowledge_alert(first.alert.id).await.unwrap();
    assert_eq!(acknowledged.acknowledged_at, Some(start() + TimeDelta::seconds(1)));
    assert_eq!(store.get_alert(first.alert.id).await.unwrap(), Some(acknowledged));
    let resolved = store.resolve_alert("BACKUP_FAILED", "s1").await.unwrap().unwrap();
    assert!(resolved.resolved_at.is_some());
    assert_eq!(store.resolve_alert("BACKUP_FAILED", "s1").await.unwrap(), None);
    let open: Vec<_> = store
        .list_alerts(false, 10)
        .await
        .unwrap()
        .iter()
        .map(|alert| alert.id)
        .collect();
    assert_eq!(open, [other]);
    assert_eq!(store.list_alerts(true, 10).await.unwrap().len(), 2);
    assert!(
        store
            .raise_alert("BACKUP_FAILED", "s1", AlertSeverity::Warning, "new")
            .await
            .unwrap()
            .is_new
    );
    assert!(matches!(
        store.acknowledge_alert(catalog.id()).await,
        Err(Error::NotFound { .. })
    ));
}

async fn a_configuration_is_kept_as_given(catalog: Catalog) {
    let secret = |text: &str| Some(SealedSecret(text.to_owned()));
    assert_eq!(catalog.store.get_config("default").await.unwrap(), None);
    let mut config = BackupConfig::defaults("default", start());
    assert_eq!(catalog.store.put_config(&config).await.unwrap(), config);
    config = BackupConfig {
        storage_url: Some("s3://bucket/prefix".to_owned()),
        storage_connection_string: secret("sealed"),
        container_name: Some("container".to_owned()),
        database_host: Some("db".to_owned()),
        database_port: Some(6543),
        database_name: Some("app".to_owned()),
        database_user: Some("someone".to_owned()),
        database_password: secret("password"),
        upload_dir: Some("/srv/上傳".to_owned()),
        compression_enabled: false,
        compression_algorithm: Some(Codec::Zstd),
        encryption_enabled: false,
        encryption_key: secret("key"),
        previous_encryption_keys: vec![SealedSecret("older".to_owned()), SealedSecret("oldest".to_owned())],
        notify_on_success: true,
        notify_on_failure: false,
        notification_emails: vec!["a@example.org".to_owned()],
        quota_gigabytes: Some(u32::MAX),
        quota_policy: QuotaPolicy::Refuse,
        ..config
    };
    catalog.store.put_config(&config).await.unwrap();
    assert_eq!(catalog.store.get_config("default").await.unwrap(), Some(config.clone()));
    let nothing = BackupConfig::defaults("default", start());
    catalog.store.put_config(&nothing).await.unwrap();
    assert_eq!(
        catalog.store.list_configs().await.unwrap(),
        [nothing],
        "what is taken away is gone"
    );
}

async fn two_who_change_a_configuration_at_once_do_not_undo_each_other(catalog: Catalog) {
    let store = &catalog.store;
    let mut wanted = BackupConfig::defaults("shop", start());
    let made = store.replace_config(None, &wanted, true).await.unwrap();
    assert!(matches!(
        store.replace_config(None, &wanted, true).await,
        Err(Error::Changed { .. })
    ));
    wanted.quota_gigabytes = Some(7);
    let changed = store.replace_config(Some(&made), &wanted, false).await.unwrap();
    assert_eq!(store.get_config("shop").await.unwrap(), Some(changed));
    wanted.quota_gigabytes = Some(8);
    let stale = store.replace_config(Some(&made), &wanted, false).await;
    assert!(matches!(stale, Err(Error::Changed { .. })), "{stale:?}");
}

async fn a_configuration_with_backups_stays_where_it_is(catalog: Catalog) {
    let store = &catalog.store;
    let new = |key: &str| NewBackup {
        config_key: key.to_owned(),
        ..catalog.new_backup()
    };
    assert!(
        matches!(store.create_backup(new("shop")).await, Err(Error::NotFound { .. })),
        "there is no such configuration"
    );
    let config = store
        .replace_config(None, &BackupConfig::defaults("shop", start()), true)
        .await
        .unwrap();
    let backup = store.create_backup(new("shop")).await.unwrap();
    let moved = store.replace_config(Some(&config), &config, true).await;
    assert!(matches!(moved, Err(Error::ConfigInUse { .. })), "{moved:?}");
    store.replace_config(Some(&config), &config, false).await.unwrap();
    assert!(matches!(
        store.delete_config("shop").await,
        Err(Error::ConfigInUse { .. })
    ));
    store.cancel_backup(backup.id).await.unwrap();
    store.begin_delete(backup.id, false).await.unwrap();
    assert!(
        matches!(store.delete_config("shop").await, Err(Error::ConfigInUse { .. })),
        "its files are still being removed"
    );
    store.finish_delete(backup.id).await.unwrap();
    let schedule = Schedule {
        config_key: "shop".to_owned(),
        ..schedule(&catalog)
    };
    store.create_schedule(schedule.clone()).await.unwrap();
    assert!(matches!(
        store.delete_config("shop").await,
        Err(Error::ConfigInUse { .. })
    ));
    store.delete_schedule(schedule.id).await.unwrap();
    store.delete_config("shop").await.unwrap();
    assert!(matches!(store.delete_config("shop").await, Err(Error::NotFound { .. })));
}

async fn usage_is_sampled_once_in_a_while(catalog: Catalog) {
    let other = catalog.another().await;
    let hour = std::time::Duration::from_hours(1);
    let taken = async || {
        let taken = at_once(6, |index| {
            let store = if index % 2 == 0 { &catalog.store } else { &other }.clone();
            async move { store.record_usage_if_due(Some(1), hour).await.unwrap() }
        });
        taken.await.into_iter().flatten().count()
    };
    assert_eq!(taken().await, 1, "of six that ask at once one takes it");
    catalog.advance(3_599);
    assert_eq!(taken().await, 0);
    catalog.advance(1);
    assert_eq!(taken().await, 1);
    catalog.advance(-7_200);
    assert_eq!(taken().await, 1, "a clock that was put back does not stop it");
}

async fn settings_of_the_application_are_kept_as_given(catalog: Catalog) {
    let config = |key: &str, description: Option<&str>| SystemConfig {
        key: key.to_owned(),
        value: "1".to_owned(),
        category: "general".to_owned(),
        value_type: "number".to_owned(),
        name: key.to_uppercase(),
        description: description.map(ToOwned::to_owned),
        is_encrypted: key == "b",
    };
    for (key, description) in [("b", None), ("a", Some("x")), ("a", None)] {
        catalog.store.put_system_config(config(key, description)).await.unwrap();
    }
    assert_eq!(
        catalog.store.list_system_configs().await.unwrap(),
        [config("a", None), config("b", None)]
    );
    assert!(catalog.store.delete_system_config("a").await.unwrap());
    assert!(!catalog.store.delete_system_config("a").await.unwrap());
}

async fn usage_is_sampled(catalog: Catalog) {
    catalog.completed(None).await;
    let first = catalog.store.record_usage(Some(4_000)).await.unwrap();
    assert_eq!((first.usage.total_size_bytes, first.usage.backup_count), (1_000, 1));
    catalog.advance(3_600);
    catalog.completed(None).await;
    let second = catalog.store.record_usage(None).await.unwrap();
    assert_eq!(second.usage.oldest_backup, Some(start()));
    assert_eq!(second.usage.newest_backup, Some(start() + TimeDelta::hours(1)));
    let all = catalog.store.list_usage(None, None, 10).await.unwrap();
    assert_eq!(all, [first.clone(), second.clone()]);
    assert_eq!(
        catalog.store.list_usage(None, None, 1).await.unwrap(),
        [second],
        "the newest, where not all fit"
    );
    assert_eq!(
        catalog
            .store
            .list_usage(Some(start()), Some(start()), 10)
            .await
            .unwrap(),
        [first]
    );
}

async fn newest_completed_is_what_the_next_one_builds_on(catalog: Catalog) {
    let store = &catalog.store;
    let newest = |kind| store.newest_completed("default", BackupSource::FullSystem, kind);
    assert_eq!(newest(None).await.unwrap(), None);
    let full = catalog.completed(None).await;
    catalog.advance(1);
    let increment = catalog.completed(Some(full)).await;
    catalog.advance(1);
    catalog.pending().await;
    assert_eq!(newest(None).await.unwrap().unwrap().id, increment);
    assert_eq!(newest(Some(BackupType::Full)).await.unwrap().unwrap().id, full);
    assert_eq!(
        store
            .newest_completed("default", BackupSource::Files, None)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        store
            .newest_completed("other", BackupSource::FullSystem, None)
            .await
            .unwrap(),
        None
    );
    store.begin_delete(increment, false).await.unwrap();
    assert_eq!(newest(None).await.unwrap().unwrap().id, full);
}

async fn the_overview_says_what_matters(catalog: Catalog) {
    let empty = catalog.store.overview().await.unwrap();
    assert_eq!(
        (
            empty.last_successful,
            empty.next_scheduled,
            empty.is_auto_backup_enabled
        ),
        (None, None, false)
    );
    let good = catalog.completed(None).await;
    catalog.advance(1);
    let (bad, lease) = catalog.running().await;
    let failed = backup_db::BackupOutcome::Failed {
        message: "no".to_owned(),
    };
    catalog.store.finish_backup(&lease, failed).await.unwrap();
    catalog.pending().await;
    catalog.running_too().await;
    let off = Schedule {
        is_enabled: false,
        next_run_at: Some(start()),
        ..schedule(&catalog)
    };
    catalog.store.create_schedule(off).await.unwrap();
    let on = catalog.store.create_schedule(schedule(&catalog)).await.unwrap();
    let overview = catalog.store.overview().await.unwrap();
    assert_eq!(overview.last_successful.unwrap().backup.id, good);
    assert_eq!(overview.last_failed.unwrap().backup.id, bad);
    assert_eq!(overview.next_scheduled, on.next_run_at);
    assert!(overview.is_auto_backup_enabled);
    assert_eq!(overview.active_backups, 2);
    assert_eq!(overview.usage.total_size_bytes, 1_000);
}

impl Catalog {
    /// One more that waits, of which one is taken up.
    async fn running_too(&self) {
        self.pending().await;
        self.claim().await.unwrap();
    }
}
