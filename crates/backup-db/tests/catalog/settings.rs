//! Configurations and usage.

use backup_core::config::{BackupConfig, QuotaPolicy, SealedSecret, SystemConfig};
use backup_core::notification::{Webhook, WebhookPreset};
use backup_core::receipt::Codec;
use backup_core::schedule::Schedule;
use backup_core::{BackupSource, BackupType, Language, NewBackup, Receipt};
use backup_db::{BackupOutcome, Error};
use chrono::TimeDelta;

use crate::deletion::receipt;
use crate::fixture::{Catalog, at_once, on_both, start};

on_both!(
    a_configuration_is_kept_as_given,
    two_who_change_a_configuration_at_once_do_not_undo_each_other,
    a_configuration_with_backups_stays_where_it_is,
    a_lost_connection_string_is_set_anew_though_backups_have_failed,
    settings_of_the_application_are_kept_as_given,
    usage_is_sampled,
    usage_is_sampled_once_in_a_while,
    newest_completed_is_what_the_next_one_builds_on,
    the_overview_says_what_matters,
    the_last_backup_is_the_one_that_ended_last,
);

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
        webhooks: vec![Webhook {
            name: "值班".to_owned(),
            preset: WebhookPreset::Generic,
            url: SealedSecret("address".to_owned()),
            template: Some("{\"a\":\"{name}\"}".to_owned()),
            on_success: true,
            on_failure: false,
        }],
        notification_language: Language::En,
        usage_alert_percents: vec![50, 99],
        verify_within_days: None,
        quota_gigabytes: Some(u32::MAX),
        quota_policy: QuotaPolicy::Refuse,
        max_concurrent_jobs: Some(3),
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
        ..catalog.new_schedule()
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

async fn a_lost_connection_string_is_set_anew_though_backups_have_failed(catalog: Catalog) {
    let store = &catalog.store;
    let mut config = BackupConfig::defaults("shop", start());
    config.storage_connection_string = Some(SealedSecret::lost());
    let lost = store.put_config(&config).await.unwrap();
    assert!(store.get_config("shop").await.unwrap().unwrap().has_lost_connection());
    // One that came to nothing, and one whose record cannot go before the storage can be asked.
    for is_deleted in [false, true] {
        let new = NewBackup {
            config_key: "shop".to_owned(),
            ..catalog.new_backup()
        };
        let id = store.create_backup(new).await.unwrap().id;
        store.cancel_backup(id).await.unwrap();
        if is_deleted {
            store.begin_delete(id, false).await.unwrap();
        }
    }
    config.storage_connection_string = Some(SealedSecret("sealed".to_owned()));
    let mended = store.replace_config(Some(&lost), &config, true).await.unwrap();
    let moved = store.replace_config(Some(&mended), &lost, true).await;
    assert!(matches!(moved, Err(Error::ConfigInUse { .. })), "{moved:?}");

    let lost = store.put_config(&lost).await.unwrap();
    let found = Receipt {
        config_key: "shop".to_owned(),
        ..receipt(&catalog, catalog.id(), None)
    };
    store.adopt_backup(&found).await.unwrap();
    let moved = store.replace_config(Some(&lost), &config, true).await;
    assert!(matches!(moved, Err(Error::ConfigInUse { .. })), "{moved:?}");
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
    let failed = BackupOutcome::Failed {
        message: "no".to_owned(),
    };
    catalog.store.finish_backup(&lease, failed).await.unwrap();
    catalog.pending().await;
    catalog.running_too().await;
    let off = Schedule {
        is_enabled: false,
        ..catalog.new_schedule()
    };
    catalog.store.create_schedule(off).await.unwrap();
    let on = catalog.store.create_schedule(catalog.new_schedule()).await.unwrap();
    let overview = catalog.store.overview().await.unwrap();
    assert_eq!(overview.last_successful.unwrap().backup.id, good);
    assert_eq!(overview.last_failed.unwrap().backup.id, bad);
    assert_eq!(overview.next_scheduled, on.next_run_at);
    assert!(overview.is_auto_backup_enabled);
    assert_eq!((overview.active_backups, overview.queued_backups), (1, 1));
    assert_eq!(overview.usage.total_size_bytes, 1_000);
}

async fn the_last_backup_is_the_one_that_ended_last(catalog: Catalog) {
    let (slow, lease) = catalog.running().await;
    catalog.advance(1);
    let quick = catalog.completed(None).await;
    let newest = async || {
        catalog
            .store
            .overview()
            .await
            .unwrap()
            .last_successful
            .unwrap()
            .backup
            .id
    };
    assert_eq!(newest().await, quick);
    catalog.advance(1);
    let done = BackupOutcome::Completed(Box::new(catalog.results(1_000)));
    catalog.store.finish_backup(&lease, done).await.unwrap();
    assert_eq!(newest().await, slow, "though it was asked for before");
}

impl Catalog {
    /// One more that waits, of which one is taken up.
    async fn running_too(&self) {
        self.pending().await;
        self.claim().await.unwrap();
    }
}
