//! A catalog that is lost comes back from the storage and the passphrase, and nothing comes with it that cannot be trusted.

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use crate::kit::{Place, ask_for, backup, ended, fire, nightly, start, stored};
use crate::storage_alone::in_azure;
use backup_core::config::BackupConfig;
use backup_core::{
    Backup, BackupSource, BackupType, JobControl, JobStatus, OsRandom, PipelineError, Receipt, ScheduleId,
};
use backup_engine::{Engine, Error, Rebuild, Rebuilt, Resealed, reseal};

fn job() -> JobControl {
    JobControl::new(Duration::from_secs(20))
}

/// Rebuilds the engine's catalog, and gives what was told on the way.
async fn rebuild(engine: &Engine, job: &JobControl) -> (Result<Rebuilt, Error>, Vec<String>) {
    rebuild_from(engine, job, None).await
}

/// The same, with the settings of this backup.
async fn rebuild_from(
    engine: &Engine,
    job: &JobControl,
    settings_from: Option<&Receipt>,
) -> (Result<Rebuilt, Error>, Vec<String>) {
    let told = Mutex::new(Vec::new());
    let repository = engine.repository();
    let rebuild = Rebuild {
        store: &engine.store,
        repository: &repository,
        environment: &engine.settings.storage,
        settings_from,
        leaves_out: false,
        job,
        tell: &|error: &PipelineError| told.lock().unwrap().push(error.full_text()),
    };
    let rebuilt = rebuild.run().await;
    (rebuilt, told.into_inner().unwrap())
}

/// What the receipt says of a backup, and nothing that only the lost catalog knew.
fn lasting(backup: &Backup) -> Backup {
    Backup {
        attempts: 0,
        created_by: None,
        verified_at: None,
        verify_level: None,
        ..backup.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_schedules_and_settings_come_back_from_the_storage() {
    let mut place = Place::new();
    let engine = place.engine().await;
    let shop_storage = place.path("shop-storage");
    fs::create_dir(&shop_storage).unwrap();
    let mut shop = BackupConfig::defaults("shop", engine.clock.now());
    shop.storage_url = Some(format!("file://{}", shop_storage.display()));
    engine.store.put_config(&shop).await.unwrap();
    let schedule = nightly(&engine, |schedule| schedule.retention.keep_daily = Some(3)).await;
    let fired = fire(&place, &engine).await;
    engine.store.set_protected(fired.id, true).await.unwrap();
    let old = backup(&engine, BackupSource::Config).await;
    let shops = ask_for(&engine, "shop", BackupSource::Files).await;
    let worker = start(&engine);
    let shops = ended(&engine, shops).await;
    worker.stop().await;
    place.clock.advance(chrono::TimeDelta::seconds(1));
    // Settings that only the newest export has.
    shop.quota_gigabytes = Some(11);
    engine.store.put_config(&shop).await.unwrap();
    let newest = backup(&engine, BackupSource::Config).await;
    let mut before = Vec::new();
    for id in [fired.id, old.id, shops.id, newest.id] {
        before.push(lasting(&crate::kit::row(&engine, id).await));
    }

    place.catalog = format!("sqlite://{}", place.path("new.db").display());
    let engine = place.engine().await;
    let (rebuilt, told) = rebuild(&engine, &job()).await;
    let rebuilt = rebuilt.unwrap();
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(
        (rebuilt.backups, rebuilt.bad, rebuilt.resumed),
        (4, 0, false),
        "{rebuilt:?}"
    );
    assert!(
        rebuilt.unreachable.is_empty() && rebuilt.unknown_configs.is_empty(),
        "{rebuilt:?}"
    );
    assert_eq!(rebuilt.settings.as_ref().unwrap().backup_id, newest.id);
    for backup in before {
        assert_eq!(lasting(&crate::kit::row(&engine, backup.id).await), backup);
    }
    let back = engine.store.get_schedule(schedule.id).await.unwrap().unwrap();
    assert_eq!((back.backups, back.schedule.retention), (1, schedule.retention));
    assert_eq!(
        engine.store.get_config("shop").await.unwrap().unwrap().quota_gigabytes,
        Some(11)
    );
    // Catalog and storages agree, and the schedule makes its next backup.
    assert_eq!(engine.reconcile().await.unwrap(), backup_engine::Reconciled::default());
    let next = fire(&place, &engine).await;
    assert_eq!(next.schedule_id, Some(schedule.id));
}

/// A full backup of a chain that is made last of all holds the settings of the time that it is of.
#[tokio::test(flavor = "multi_thread")]
async fn settings_are_those_of_the_newest_point_in_time() {
    let mut place = Place::new();
    let engine = place.engine().await;
    let first = backup(&engine, BackupSource::Config).await;
    place.clock.advance(chrono::TimeDelta::days(1));
    let id = crate::kit::ask_as(&engine, "default", BackupType::Incremental, BackupSource::Config).await;
    let worker = start(&engine);
    let old = ended(&engine, id).await;
    assert_eq!(old.base_id, Some(first.id));
    place.clock.advance(chrono::TimeDelta::days(1));
    let schedule = nightly(&engine, |_| {}).await.id;
    let newest = backup(&engine, BackupSource::Config).await;
    place.clock.advance(chrono::TimeDelta::days(1));
    let ids = backup_core::IdGenerator::new(engine.clock.clone(), std::sync::Arc::new(backup_core::OsRandom));
    let made = engine.store.consolidate_backup(old.id, ids.next().unwrap(), None).await;
    let made = ended(&engine, made.unwrap().id).await;
    worker.stop().await;
    assert_eq!(
        made.status,
        backup_core::JobStatus::Completed,
        "{:?}",
        made.error_message
    );

    for (number, expected) in [newest.id, made.id, first.id].into_iter().enumerate() {
        place.catalog = format!("sqlite://{}", place.path(&format!("new {number}.db")).display());
        let lost = place.engine().await;
        let rebuilt = rebuild(&lost, &job()).await.0.unwrap();
        assert_eq!(rebuilt.settings.unwrap().backup_id, expected);
        let has_schedule = lost.store.get_schedule(schedule).await.unwrap().is_some();
        assert_eq!(has_schedule, expected == newest.id);
        let row = crate::kit::row(&lost, expected).await;
        assert_eq!(row.created_at, crate::kit::row(&engine, expected).await.created_at);
        // With that one gone, the next in time: the chain's end is gone with the full one that was made of it.
        lost.delete_backup(expected, false).await.unwrap();
        if expected == newest.id {
            lost.delete_backup(old.id, false).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_trusted_is_named_and_the_rest_is_there() {
    let mut place = Place::new();
    let engine = place.engine().await;
    let good = backup(&engine, BackupSource::Files).await;
    let old = backup(&engine, BackupSource::Config).await;
    place.clock.advance(chrono::TimeDelta::seconds(1));
    let forged = backup(&engine, BackupSource::Files).await;
    let cut = backup(&engine, BackupSource::Files).await;
    let damaged = backup(&engine, BackupSource::Config).await;
    let at = |backup: &Backup| place.path("storage").join(backup.storage_path.as_deref().unwrap());
    let receipt = at(&forged).with_file_name(format!("{}.json", forged.id));
    let text = fs::read_to_string(&receipt).unwrap().replace("by a test", "by another");
    fs::write(&receipt, text).unwrap();
    fs::File::options()
        .write(true)
        .open(at(&cut))
        .unwrap()
        .set_len(100)
        .unwrap();
    // As long as it was, and not what it was: its export cannot be read, and the one before is taken.
    let damage = |path: std::path::PathBuf| {
        let mut bytes = fs::read(&path).unwrap();
        for byte in &mut bytes {
            *byte ^= 0xff;
        }
        fs::write(path, bytes).unwrap();
    };
    damage(at(&damaged));
    let old_archive = at(&old);

    place.catalog = format!("sqlite://{}", place.path("new.db").display());
    let engine = place.engine().await;
    let (rebuilt, told) = rebuild(&engine, &job()).await;
    let rebuilt = rebuilt.unwrap();
    assert_eq!((rebuilt.backups, rebuilt.bad), (3, 2), "{rebuilt:?}");
    assert_eq!(
        (rebuilt.settings.unwrap().backup_id, rebuilt.unread_exports),
        (old.id, 1)
    );
    let told = told.join("\n");
    for named in [
        format!("{}.json' does not match its MAC", forged.id),
        cut.id.to_string(),
    ] {
        assert!(told.contains(&named), "{named}: {told}");
    }
    assert!(engine.store.get_backup(good.id).await.unwrap().is_some());
    for backup in [forged, cut] {
        assert!(engine.store.get_backup(backup.id).await.unwrap().is_none());
    }

    damage(old_archive);
    place.catalog = format!("sqlite://{}", place.path("newer.db").display());
    let rebuilt = rebuild(&place.engine().await, &job()).await.0.unwrap();
    assert_eq!(
        (rebuilt.settings, rebuilt.unread_exports),
        (None, 2),
        "none can be read, though there are some"
    );
}

/// A rule of the storage has moved a receipt to where nobody reads it for hours.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_now_keeps_what_it_may_build_on() {
    let (mut place, blobs) = in_azure();
    let engine = place.engine().await;
    let good = backup(&engine, BackupSource::Config).await;
    let unread = backup(&engine, BackupSource::Files).await;
    let archive = unread.storage_path.as_deref().unwrap();
    blobs.archive(&format!("{}/{}.json", archive.rsplit_once('/').unwrap().0, unread.id));

    place.catalog = format!("sqlite://{}", place.path("new.db").display());
    let engine = place.engine().await;
    let rebuilt = rebuild(&engine, &job()).await.0.unwrap();
    assert_eq!(
        (rebuilt.backups, rebuilt.bad, rebuilt.unreadable),
        (1, 1, 1),
        "{rebuilt:?}"
    );
    assert!(engine.store.get_backup(good.id).await.unwrap().is_some());
    // It is not over: nothing expires, and it can be gone on with.
    let again = rebuild(&engine, &job()).await.0.unwrap();
    assert!(again.resumed, "{again:?}");
}

/// What a rebuild leaves out may come back by a later one, of an export that was made between the two.
#[tokio::test(flavor = "multi_thread")]
async fn a_protection_outlives_a_rebuild_that_lacks_a_passphrase() {
    let mut place = Place::new();
    let engine = place.engine().await;
    nightly(&engine, |_| {}).await;
    let kept = backup(&engine, BackupSource::Files).await;
    engine.store.set_protected(kept.id, true).await.unwrap();
    let old = std::mem::replace(&mut place.passphrase, "a newer passphrase");
    place.previous = vec![old];
    backup(&place.engine().await, BackupSource::Config).await;

    place.catalog = format!("sqlite://{}", place.path("new.db").display());
    place.previous.clear();
    let engine = place.engine().await;
    let rebuilt = rebuild(&engine, &job()).await.0.unwrap();
    assert_eq!((rebuilt.backups, rebuilt.bad), (1, 1), "{rebuilt:?}");
    place.clock.advance(chrono::TimeDelta::seconds(1));
    let newest = backup(&engine, BackupSource::Config).await;

    place.catalog = format!("sqlite://{}", place.path("newer.db").display());
    place.previous = vec![old];
    let engine = place.engine().await;
    let rebuilt = rebuild(&engine, &job()).await.0.unwrap();
    assert_eq!((rebuilt.backups, rebuilt.bad), (3, 0), "{rebuilt:?}");
    assert_eq!(rebuilt.settings.unwrap().backup_id, newest.id);
    assert!(crate::kit::row(&engine, kept.id).await.protected);
}

/// A server that finds its catalog gone begins a new one, which is empty; whoever then asks for a backup exports that.
#[tokio::test(flavor = "multi_thread")]
async fn the_export_of_an_empty_catalog_is_passed_over_unless_it_is_asked_for() {
    let mut place = Place::new();
    let engine = place.engine().await;
    let schedule = nightly(&engine, |_| {}).await.id;
    let real = backup(&engine, BackupSource::Config).await;

    place.catalog = format!("sqlite://{}", place.path("empty.db").display());
    let engine = place.engine().await;
    let untouched = BackupConfig::defaults("default", engine.clock.now());
    engine.store.put_config(&untouched).await.unwrap();
    let mut blank = Vec::new();
    for _ in 0..2 {
        place.clock.advance(chrono::TimeDelta::seconds(1));
        blank.insert(0, backup(&engine, BackupSource::Config).await.id);
    }
    let files = backup(&engine, BackupSource::Files).await;

    place.catalog = format!("sqlite://{}", place.path("new.db").display());
    let engine = place.engine().await;
    let rebuilt = rebuild(&engine, &job()).await.0.unwrap();
    assert_eq!(rebuilt.settings.as_ref().unwrap().backup_id, real.id, "{rebuilt:?}");
    assert_eq!(rebuilt.passed_over, blank);
    assert!(engine.store.get_schedule(schedule).await.unwrap().is_some());

    place.catalog = format!("sqlite://{}", place.path("newer.db").display());
    let engine = place.engine().await;
    let without = engine.repository().find(files.id).await.unwrap();
    let (refused, _) = rebuild_from(&engine, &job(), Some(&without)).await;
    assert!(
        matches!(refused, Err(Error::Pipeline(PipelineError::Refused { .. }))),
        "{refused:?}"
    );
    let named = engine.repository().find(blank[0]).await.unwrap();
    let rebuilt = rebuild_from(&engine, &job(), Some(&named)).await.0.unwrap();
    assert_eq!((rebuilt.backups, rebuilt.passed_over.len()), (4, 0), "{rebuilt:?}");
    assert_eq!(rebuilt.settings.unwrap().backup_id, blank[0]);
    assert!(engine.store.get_schedule(schedule).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_whose_connection_string_is_lost_is_named_and_writes_nowhere_else() {
    let mut place = Place::new();
    let engine = place.engine().await;
    for (key, container) in [("mail", Some("mail")), ("shop", None)] {
        let mut config = BackupConfig::defaults(key, engine.clock.now());
        config.storage_connection_string = Some(engine.seal("of its own").unwrap());
        config.container_name = container.map(str::to_owned);
        engine.store.put_config(&config).await.unwrap();
    }
    backup(&engine, BackupSource::Config).await;

    place.catalog = format!("sqlite://{}", place.path("new.db").display());
    let engine = place.engine().await;
    let rebuilt = rebuild(&engine, &job()).await.0.unwrap();
    let unreachable: Vec<&str> = rebuilt.unreachable.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(unreachable, ["mail", "shop"]);
    let before = stored(&engine).await;
    let worker = start(&engine);
    for key in ["mail", "shop"] {
        let id = ask_for(&engine, key, BackupSource::Files).await;
        let failed = ended(&engine, id).await;
        assert_eq!(failed.status, JobStatus::Failed);
        let message = failed.error_message.unwrap();
        assert!(
            message.contains("storage connection string") && message.contains("Set it anew"),
            "{message}"
        );
    }
    worker.stop().await;
    assert_eq!(stored(&engine).await, before);
    // A new passphrase has nothing to seal, and nothing to complain of.
    let resealed = reseal(&engine.store, &engine.keys, &OsRandom).await.unwrap();
    assert_eq!(resealed, Resealed::default());
    // What has failed does not keep it from being set.
    let lost = engine.store.get_config("shop").await.unwrap().unwrap();
    let mut mended = lost.clone();
    mended.storage_connection_string = Some(engine.seal("of its own").unwrap());
    engine.store.replace_config(Some(&lost), &mended, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_another_passphrase_nothing_comes_back_and_the_right_one_is_tried_again() {
    let mut place = Place::new();
    backup(&place.engine().await, BackupSource::Config).await;
    place.catalog = format!("sqlite://{}", place.path("new.db").display());
    let right = std::mem::replace(&mut place.passphrase, "something else");
    let (rebuilt, told) = rebuild(&place.engine().await, &job()).await;
    let rebuilt = rebuilt.unwrap();
    assert_eq!((rebuilt.backups, rebuilt.bad, rebuilt.settings), (0, 1, None));
    assert!(told[0].contains("another key"), "{told:?}");
    place.passphrase = right;
    let (rebuilt, _) = rebuild(&place.engine().await, &job()).await;
    assert_eq!(rebuilt.unwrap().backups, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_stopped_goes_on_and_one_that_ended_does_not_begin_again() {
    let mut place = Place::new();
    let engine = place.engine().await;
    let schedule: ScheduleId = nightly(&engine, |_| {}).await.id;
    for _ in 0..3 {
        backup(&engine, BackupSource::Config).await;
    }
    place.catalog = format!("sqlite://{}", place.path("new.db").display());
    let engine = place.engine().await;
    let stopped = job();
    stopped.cancel();
    let (rebuilt, _) = rebuild(&engine, &stopped).await;
    assert!(
        matches!(rebuilt, Err(Error::Pipeline(PipelineError::Cancelled))),
        "{rebuilt:?}"
    );
    let (rebuilt, _) = rebuild(&place.engine().await, &job()).await;
    let rebuilt = rebuilt.unwrap();
    assert_eq!((rebuilt.backups, rebuilt.resumed), (3, true));
    assert!(engine.store.get_schedule(schedule).await.unwrap().is_some());
    let (again, _) = rebuild(&engine, &job()).await;
    assert!(
        matches!(again, Err(Error::Catalog(backup_db::Error::NotEmpty { .. }))),
        "{again:?}"
    );
}

/// Who has a configuration name another's account must not have the environment's credentials sent there on the worst day.
#[tokio::test(flavor = "multi_thread")]
async fn the_environment_s_credentials_open_no_storage_of_another_account() {
    let mut place = Place::new();
    let engine = place.engine().await;
    let mut shop = BackupConfig::defaults("shop", engine.clock.now());
    shop.storage_url = Some("az://container?account=elsewhere".to_owned());
    engine.store.put_config(&shop).await.unwrap();
    backup(&engine, BackupSource::Config).await;

    place.catalog = format!("sqlite://{}", place.path("new.db").display());
    let (rebuilt, _) = rebuild(&place.engine().await, &job()).await;
    let unreachable = rebuilt.unwrap().unreachable;
    let [(key, problem)] = &unreachable[..] else {
        panic!("{unreachable:?}");
    };
    assert!(
        key == "shop" && problem.contains("than the environment names"),
        "{unreachable:?}"
    );
}
