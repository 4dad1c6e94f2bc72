//! Several configurations in one installation: each stores where, with which key and within which quota it says.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::kit::{Place, ask_for, backup, ended, row, start, stored};
use crate::plans::options;
use backup_core::config::{BackupConfig, QuotaPolicy, SealedSecret};
use backup_core::restore::{RestoreMode, RestoreOptions};
use backup_core::{
    Backup, BackupId, BackupSource, JobControl, JobStatus, OsRandom, PipelineError, VerifyLevel, WarningCode,
};
use backup_engine::{Engine, Error, Mailer, MessageLanguage, OrphanKind, Orphans, Reconciled, Resealed, reseal};
use backup_notify::smtp::SmtpSettings;
use backup_storage::{BlobStore, StorageSettings};
use backup_tests::smtp::{SmtpServer, Tls};
use chrono::TimeDelta;
use futures_util::TryStreamExt;

const DEFAULT: &str = "default";

async fn put(engine: &Engine, change: impl FnOnce(&mut BackupConfig)) -> BackupConfig {
    let mut config = BackupConfig::defaults("shop", engine.clock.now());
    change(&mut config);
    engine.store.put_config(&config).await.unwrap()
}

async fn run(engine: &Engine, config_key: &str) -> Backup {
    let id = ask_for(engine, config_key, BackupSource::Files).await;
    let worker = start(engine);
    let row = ended(engine, id).await;
    worker.stop().await;
    row
}

async fn verify(engine: &Engine, backup: &Backup) -> Result<String, PipelineError> {
    let repository = engine.repository_of(&backup.config_key).await.unwrap();
    let receipt = repository.find(backup.id).await?;
    let job = JobControl::new(std::time::Duration::from_secs(20));
    repository.verify(&receipt, VerifyLevel::Content, &job).await?;
    Ok(receipt.archive.key_fingerprint)
}

async fn receipts(folder: &std::path::Path) -> Vec<String> {
    let settings = StorageSettings::new(format!("file://{}", folder.display()));
    let storage = BlobStore::open(&settings).await.unwrap();
    storage.receipts().try_collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_configuration_has_its_own_place_and_key() {
    let place = Place::new();
    let engine = place.engine().await;
    let (storage, uploads) = (place.path("shop-storage"), place.path("shop-uploads"));
    fs::create_dir(&uploads).unwrap();
    fs::create_dir(&storage).unwrap();
    fs::write(uploads.join("only-in-the-shop.txt"), "of the shop").unwrap();
    let key = engine.seal("another passphrase").unwrap();
    put(&engine, |config| {
        config.storage_url = Some(format!("file://{}", storage.display()));
        config.upload_dir = Some(uploads.display().to_string());
        config.encryption_key = Some(key);
    })
    .await;
    let (ours, shops) = (run(&engine, DEFAULT).await, run(&engine, "shop").await);
    assert_eq!(
        (ours.status, shops.status),
        (JobStatus::Completed, JobStatus::Completed)
    );
    assert_eq!(stored(&engine).await.0.len(), 1);
    assert!(receipts(&storage).await[0].contains(&shops.id.to_string()));
    assert_eq!(shops.contents.as_ref().unwrap().files.as_ref().unwrap().file_count, 1);

    let (one, other) = (
        verify(&engine, &ours).await.unwrap(),
        verify(&engine, &shops).await.unwrap(),
    );
    assert_eq!(one, engine.keys.current().fingerprint());
    assert_ne!(one, other, "each has its own key");

    place.clock.advance(TimeDelta::seconds(1));
    assert_eq!(engine.reconcile().await.unwrap(), Reconciled::default());
    fs::remove_file(storage.join(shops.storage_path.as_deref().unwrap())).unwrap();
    let found = engine.reconcile().await.unwrap();
    assert_eq!((found.damaged, found.lost), (vec![shops.id], vec![]));
    engine.delete_backup(shops.id, false).await.unwrap();
    assert!(receipts(&storage).await.is_empty());
    verify(&engine, &ours).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_cannot_be_reached_judges_nobody() {
    let place = Place::new();
    let engine = place.engine().await;
    let storage = place.path("shop-storage");
    fs::create_dir(&storage).unwrap();
    put(&engine, |config| {
        config.storage_url = Some(format!("file://{}", storage.display()));
    })
    .await;
    let shops = run(&engine, "shop").await;
    fs::remove_file(storage.join(shops.storage_path.as_deref().unwrap())).unwrap();
    place.clock.advance(TimeDelta::seconds(1));
    engine.reconcile().await.unwrap();
    let open = async || engine.store.list_alerts(false, 10).await.unwrap().len();
    assert_eq!(open().await, 1);

    // Under the settings that it has now nothing can be opened, whoever may have changed them.
    fs::write(place.path("a-file"), "").unwrap();
    let nowhere = format!("file://{}", place.path("a-file").display());
    put(&engine, |config| config.storage_url = Some(nowhere)).await;
    engine.reconcile().await.unwrap_err();
    assert_eq!(open().await, 1, "what could not be looked at is not well again");
    let orphans = engine.orphans(10).await.unwrap();
    assert_eq!((orphans.found.len(), orphans.unreachable[0].0.as_str()), (0, "shop"));
    let own = run(&engine, DEFAULT).await;
    assert_eq!(own.status, JobStatus::Completed, "the others go on");
    let failed = run(&engine, "shop").await;
    assert_eq!(failed.status, JobStatus::Failed);
    assert!(failed.error_message.unwrap().contains("a-file"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_is_not_mounted_is_away_and_lacks_no_backup() {
    let place = Place::new();
    let engine = place.engine().await;
    let storage = place.path("shop-storage");
    fs::create_dir(&storage).unwrap();
    put(&engine, |config| {
        config.storage_url = Some(format!("file://{}", storage.display()));
    })
    .await;
    let shops = run(&engine, "shop").await;
    fs::rename(&storage, place.path("unmounted")).unwrap();
    // As a new process sees it, which has not opened it yet.
    let engine = place.engine().await;
    for looked in [
        engine.repository_of("shop").await.map(|_| ()),
        engine.delete_backup(shops.id, false).await.map(|_| ()),
    ] {
        let error = looked.unwrap_err();
        assert!(
            matches!(error, Error::Pipeline(PipelineError::Unavailable { .. }))
                && error.to_string().contains("no such folder"),
            "{error:?}"
        );
    }
    assert!(!storage.exists(), "it is not made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_changed_still_opens_what_it_closed() {
    let place = Place::new();
    let engine = place.engine().await;
    let mut fingerprints = Vec::new();
    let mut made = Vec::new();
    let mut config = put(&engine, |_| {}).await;
    for passphrase in ["the first passphrase", "the second passphrase"] {
        config.change_encryption_key(Some(engine.seal(passphrase).unwrap()));
        config = engine.store.put_config(&config).await.unwrap();
        made.push(run(&engine, "shop").await);
    }
    // As a new process sees it, with nothing in its caches.
    let engine = place.engine().await;
    for backup in &made {
        fingerprints.push(verify(&engine, backup).await.unwrap());
    }
    assert_ne!(fingerprints[0], fingerprints[1]);
    let sealed = config.encryption_key.clone().unwrap();
    assert!(!format!("{config:?}").contains("passphrase"));
    let other = Place {
        passphrase: "an operator's other passphrase",
        ..Place::new()
    };
    let error = other.engine().await.unseal(&sealed, "encryption key").unwrap_err();
    assert!(matches!(error, PipelineError::WrongKey { .. }), "{error:?}");
    assert!(
        error.full_text().contains("BACKUP_ENCRYPTION_KEY_PREVIOUS"),
        "{error:?}"
    );
}

/// A secret under a passphrase that nobody has any more.
async fn lost_secret() -> SealedSecret {
    let elsewhere = Place {
        passphrase: "a passphrase that is lost",
        ..Place::new()
    };
    elsewhere.engine().await.seal("the key of the shop").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_lost_keeps_no_new_backup_from_being_made() {
    let place = Place::new();
    let engine = place.engine().await;
    let lost = lost_secret().await;
    let mut config = put(&engine, |config| config.encryption_key = Some(lost)).await;
    let failed = run(&engine, "shop").await;
    assert_eq!(failed.status, JobStatus::Failed);
    let message = failed.error_message.unwrap();
    assert!(message.contains("set it anew in the configuration"), "{message}");
    config.change_encryption_key(Some(engine.seal("a new key").unwrap()));
    assert_eq!(config.previous_encryption_keys.len(), 1);
    engine.store.put_config(&config).await.unwrap();
    let made = run(&engine, "shop").await;
    assert_eq!(made.status, JobStatus::Completed, "{:?}", made.error_message);
    verify(&engine, &made).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_lost_keeps_no_other_one_under_the_old_seal() {
    let mut place = Place::new();
    let engine = place.engine().await;
    let (lost, password) = (lost_secret().await, engine.seal("of the database").unwrap());
    let before = put(&engine, |config| {
        config.encryption_key = Some(lost);
        config.database_password = Some(password);
    })
    .await;
    let former = std::mem::replace(&mut place.passphrase, "the next passphrase");
    place.previous = vec![former];
    let engine = place.engine().await;
    let done = reseal(&engine.store, &engine.keys, &OsRandom).await.unwrap();
    let expected = Resealed {
        secrets: 1,
        current: 0,
        unopened: vec!["shop".to_owned()],
    };
    assert_eq!(done, expected);
    // The former passphrase is not needed any more.
    place.previous.clear();
    let engine = place.engine().await;
    let config = engine.store.get_config("shop").await.unwrap().unwrap();
    engine
        .unseal(config.database_password.as_ref().unwrap(), "database password")
        .unwrap();
    assert_eq!(config.encryption_key, before.encryption_key, "left as it was");
    let again = reseal(&engine.store, &engine.keys, &OsRandom).await.unwrap();
    assert_eq!((again.secrets, again.current), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_warns_or_refuses_as_it_is_told() {
    let place = Place {
        // Room for one backup of some 3 MiB.
        quota_bytes: Some(5 << 20),
        ..Place::new()
    };
    let engine = place.engine().await;
    let mut config = put(&engine, |_| {}).await;
    let first = run(&engine, "shop").await;
    assert!(first.warnings.is_empty(), "{:?}", first.warnings);
    let second = run(&engine, "shop").await;
    assert_eq!(second.status, JobStatus::Completed);
    assert_eq!(second.warnings[0].code, WarningCode::QuotaExceeded);

    config.quota_policy = QuotaPolicy::Refuse;
    engine.store.put_config(&config).await.unwrap();
    let before = stored(&engine).await;
    let third = run(&engine, "shop").await;
    assert_eq!(third.status, JobStatus::Failed);
    assert!(third.error_message.unwrap().contains("quota"));
    assert_eq!(stored(&engine).await, before);
    let other = run(&engine, DEFAULT).await;
    assert_eq!(other.status, JobStatus::Completed, "each configuration has its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_outgrows_its_quota_is_ended_and_leaves_nothing() {
    let place = Place {
        quota_bytes: Some(2 << 20),
        ..Place::new()
    };
    let engine = place.engine().await;
    put(&engine, |config| config.quota_policy = QuotaPolicy::Refuse).await;
    let made = run(&engine, "shop").await;
    assert_eq!(made.status, JobStatus::Failed);
    assert!(made.error_message.as_deref().unwrap().contains("quota"), "{made:?}");
    assert_eq!(stored(&engine).await, (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usage_is_sampled_after_every_change() {
    let place = Place {
        quota_bytes: Some(1 << 30),
        ..Place::new()
    };
    let engine = place.engine().await;
    put(&engine, |config| config.quota_gigabytes = Some(2)).await;
    let made = backup(&engine, BackupSource::Files).await;
    engine.delete_backup(made.id, false).await.unwrap();
    let samples = engine.store.list_usage(None, None, 10).await.unwrap();
    let sizes: Vec<u64> = samples.iter().map(|sample| sample.usage.total_size_bytes).collect();
    assert!(sizes.contains(&made.size_bytes.unwrap()), "{sizes:?}");
    assert_eq!(*sizes.last().unwrap(), 0);
    assert_eq!(samples[0].quota_bytes, Some(3 << 30), "of all configurations");
}

fn kinds(orphans: &Orphans) -> Vec<(OrphanKind, BackupId)> {
    orphans
        .found
        .iter()
        .map(|orphan| (orphan.kind, orphan.backup_id))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_storage_has_is_adopted_or_removed() {
    let place = Place::new();
    let engine = place.engine().await;
    let kept = backup(&engine, BackupSource::Files).await;
    let unwanted = backup(&engine, BackupSource::Config).await;
    assert_eq!(engine.orphans(10).await.unwrap(), Orphans::default());

    // The catalog is lost.
    let place = Place {
        catalog: format!("sqlite://{}", place.path("new.db").display()),
        ..place
    };
    let engine = place.engine().await;
    let mut found = kinds(&engine.orphans(10).await.unwrap());
    let mut expected = vec![(OrphanKind::Unlisted, kept.id), (OrphanKind::Unlisted, unwanted.id)];
    found.sort_unstable_by_key(|(_, id)| *id);
    expected.sort_unstable_by_key(|(_, id)| *id);
    assert_eq!(found, expected);
    assert!(engine.orphans(1).await.unwrap().more);

    let adopted = engine.adopt_orphan(kept.id).await.unwrap();
    assert_eq!(
        (adopted.status, adopted.checksum),
        (JobStatus::Completed, kept.checksum)
    );
    engine.remove_orphan(unwanted.id).await.unwrap();
    assert_eq!(engine.orphans(10).await.unwrap(), Orphans::default());
    let refused = engine.remove_orphan(kept.id).await.unwrap_err();
    assert!(
        matches!(refused, Error::Pipeline(PipelineError::Refused { .. })),
        "{refused:?}"
    );
    for result in [
        engine.remove_orphan(unwanted.id).await,
        engine.adopt_orphan(unwanted.id).await.map(|_| ()),
    ] {
        assert!(matches!(result, Err(Error::Pipeline(PipelineError::NotFound { .. }))));
    }

    // Nothing is trusted for its receipt alone: the verification that was asked for runs.
    let worker = start(&engine);
    crate::kit::until("the verification", async || row(&engine, kept.id).await.verified_at).await;
    worker.stop().await;

    place.clock.advance(TimeDelta::seconds(1));
    let archive = place.path("storage").join(kept.storage_path.as_deref().unwrap());
    let aside = place.path("aside");
    fs::rename(&archive, &aside).unwrap();
    assert_eq!(
        kinds(&engine.orphans(10).await.unwrap()),
        [(OrphanKind::Damaged, kept.id)]
    );
    fs::rename(&aside, &archive).unwrap();
    fs::remove_file(archive.with_file_name(format!("{}.json", kept.id))).unwrap();
    assert_eq!(kinds(&engine.orphans(10).await.unwrap()), [(OrphanKind::Lost, kept.id)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_configuration_that_is_gone_takes_no_other_ones_place() {
    let place = Place::new();
    let engine = place.engine().await;
    put(&engine, |_| {}).await;
    let shops = run(&engine, "shop").await;
    // The catalog is lost, and the configuration with it.
    let place = Place {
        catalog: format!("sqlite://{}", place.path("new.db").display()),
        ..place
    };
    let engine = place.engine().await;
    let receipt = engine.repository().find(shops.id).await.unwrap();
    let adopted = engine.store.adopt_orphan(&receipt).await.unwrap();
    let mut wanted = RestoreOptions {
        restore_files: true,
        mode: RestoreMode::Replace,
        safety_backup: true,
        ..options()
    };
    let Err(Error::Pipeline(refused)) = engine.plan_restore(&adopted, &wanted).await else {
        panic!("the folder of another application would be replaced")
    };
    let told = refused.full_text();
    assert!(told.contains("'shop'") && told.contains("targetDir"), "{told}");

    // What somebody names is theirs to answer for, and no backup of `shop` can save it.
    wanted.target_dir = Some(place.uploads().display().to_string());
    let plan = engine.plan_restore(&adopted, &wanted).await.unwrap();
    assert_eq!((plan.refusals.as_slice(), plan.makes_safety_backup), (&[][..], false));
    assert!(
        plan.parts[0].replaces.is_some() && !plan.warnings.is_empty(),
        "{plan:?}"
    );

    put(&engine, |_| {}).await;
    wanted.target_dir = None;
    let plan = engine.plan_restore(&adopted, &wanted).await.unwrap();
    assert!(plan.makes_safety_backup, "{plan:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_kept_elsewhere_is_neither_the_archive_nor_removed() {
    let place = Place::new();
    let engine = place.live_engine().await;
    let made = backup(&engine, BackupSource::Files).await;
    let storage = place.path("storage");
    let archive = storage.join(made.storage_path.as_deref().unwrap());
    let name = archive.file_name().unwrap();
    let year = archive.parent().and_then(Path::parent).unwrap();
    let copies = [storage.join(name), year.join(name)];
    let old = SystemTime::now() - Duration::from_hours(25);
    for copy in &copies {
        fs::copy(&archive, copy).unwrap();
        let file = fs::File::options().write(true).open(copy).unwrap();
        file.set_modified(old).unwrap();
    }
    assert_eq!(engine.reconcile().await.unwrap(), Reconciled::default());
    fs::remove_file(&archive).unwrap();
    assert_eq!(engine.reconcile().await.unwrap().damaged, [made.id]);
    engine.delete_backup(made.id, false).await.unwrap();
    assert_eq!(engine.reconcile().await.unwrap().orphans, Vec::<String>::new());
    assert!(copies.iter().all(|copy| copy.exists()), "they are somebody's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_key_made_is_nobodys_to_remove() {
    let place = Place::new();
    let made = backup(&place.engine().await, BackupSource::Files).await;
    let place = Place {
        catalog: format!("sqlite://{}", place.path("new.db").display()),
        passphrase: "somebody else's passphrase",
        ..place
    };
    let engine = place.engine().await;
    let orphans = engine.orphans(10).await.unwrap();
    assert_eq!(kinds(&orphans), [(OrphanKind::Unreadable, made.id)]);
    assert!(orphans.found[0].problem.as_deref().unwrap().contains("another key"));
    let before = stored(&engine).await;
    for result in [
        engine.remove_orphan(made.id).await,
        engine.adopt_orphan(made.id).await.map(|_| ()),
    ] {
        assert!(matches!(result, Err(Error::Pipeline(PipelineError::WrongKey { .. }))));
    }
    assert_eq!(stored(&engine).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_is_tried_by_sending_one() {
    let place = Place::new();
    let engine = place.engine().await;
    let server = SmtpServer::start(Tls::None, None);
    let url = format!("smtp://127.0.0.1:{}", server.port());
    let settings = SmtpSettings::parse(&url.as_str().into(), "備份 <backup@example.org>", None).unwrap();
    let mailer = Mailer::new(settings, engine.clock.clone(), engine.random.clone()).unwrap();
    let mut config = put(&engine, |_| {}).await;
    let try_it = async |engine: &Engine, config: &BackupConfig| {
        engine
            .try_notification(config, MessageLanguage::ZhTw, Some("https://backup.example.org/"))
            .await
    };
    assert!(
        try_it(&engine, &config)
            .await
            .unwrap_err()
            .full_text()
            .contains("SMTP_URL")
    );
    let engine = engine.with_mailer(Some(mailer));
    assert!(
        try_it(&engine, &config)
            .await
            .unwrap_err()
            .full_text()
            .contains("notificationEmails")
    );
    config.notification_emails = vec!["ops@example.org".to_owned()];
    try_it(&engine, &config).await.unwrap();
    assert_eq!(server.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_s_credentials_go_nowhere_else() {
    let mut place = Place::new();
    place.database.user = Some("backup".into());
    place.database.password = Some("of the environment".into());
    let engine = place.engine().await;
    let password = |change: fn(&mut BackupConfig)| {
        let mut config = BackupConfig::defaults("shop", engine.clock.now());
        change(&mut config);
        engine.database_settings(Some(&config)).unwrap().password.is_some()
    };
    assert!(engine.database_settings(None).unwrap().password.is_some());
    assert!(password(|config| config.database_name = Some("shop".into())));
    assert!(password(|config| config.database_host = Some("localhost".into())));
    assert!(!password(|config| config.database_host = Some("elsewhere".into())));
    assert!(!password(|config| config.database_port = Some(2)));
    assert!(!password(|config| config.database_user = Some("somebody".into())));

    let mut config = BackupConfig::defaults("shop", engine.clock.now());
    for url in [
        "az://container/p?account=a&endpoint=https://elsewhere.example",
        "az://container/p?account=elsewhere",
    ] {
        config.storage_url = Some(url.into());
        let error = engine.storage_settings(&config).unwrap_err();
        assert!(matches!(error, PipelineError::Refused { .. }), "{url}: {error}");
    }
    config.storage_connection_string = Some(engine.seal("its own").unwrap());
    engine.storage_settings(&config).unwrap();
}
