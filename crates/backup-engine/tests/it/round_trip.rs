//! A backup of everything comes back, from the catalog's side and from the storage alone.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::kit::{Place, ask, backup, ended, row, start, until};
use backup_core::restore::{RestoreMode, RestoreOptions};
use backup_core::{
    BackupSource, EntryPath, IdGenerator, JobControl, JobStatus, OsRandom, PipelineError, RestoreId, VerificationId,
    VerifyLevel,
};
use backup_db::{NewRestore, NewVerification};
use backup_engine::{Engine, RestoreInto};
use backup_sources::{ConnectionOptions, DatabaseSettings, NamedBy};
use backup_tests::postgres::{Database, Postgres};
use backup_tests::tree;

fn job() -> JobControl {
    JobControl::new(Duration::from_secs(20))
}

fn settings(database: &Database) -> DatabaseSettings {
    DatabaseSettings {
        host: database.host.clone(),
        port: database.port,
        name: database.name.clone(),
        user: Some(database.user.clone()),
        password: Some(database.password.as_str().into()),
        options: ConnectionOptions::default(),
        named_by: NamedBy::Settings,
        programs: None,
        random: Arc::new(OsRandom),
    }
}

fn ids(engine: &Engine) -> IdGenerator {
    IdGenerator::new(engine.clock.clone(), Arc::new(OsRandom))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_the_storage_alone() {
    let server = Postgres::shared();
    let database = server.create_database("engine");
    database.psql("CREATE TABLE t (id int PRIMARY KEY, text text); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 10000) i");
    let mut place = Place::new();
    place.database = settings(&database);
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::FullSystem).await;

    let contents = made.contents.clone().unwrap();
    assert_eq!(contents.database.unwrap().row_count, 10_000);
    assert_eq!(contents.files.unwrap().file_count, 2);
    assert!(contents.config.is_some());
    assert_eq!(made.progress, 100);
    assert!(made.source_bytes.unwrap() > 3 << 20);

    let repository = engine.repository();
    let receipt = repository.find_prefix(&made.id.to_string()[..30]).await.unwrap();
    assert_eq!(Some(receipt.checksum.clone()), made.checksum);
    for level in [VerifyLevel::Checksum, VerifyLevel::Content] {
        repository.verify(&receipt, level, &job()).await.unwrap();
    }

    let target = server.create_database("restored");
    let into = RestoreInto {
        database: Some(settings(&target)),
        files: Some(place.path("restored/files")),
        config: Some(place.path("restored/config")),
        ..RestoreInto::default()
    };
    repository.restore(&receipt, into.targets(), &job()).await.unwrap();
    assert_eq!(target.dump(), database.dump());
    let differences = tree::compare(&place.uploads(), &place.path("restored/files"));
    assert!(differences.is_empty(), "{differences:?}");
    let config = fs::read_to_string(place.path("restored/config/config.json")).unwrap();
    assert!(config.contains("APP_NAME"), "{config}");

    let path = EntryPath::new("photos/one.bin").unwrap();
    let out = place.path("one.bin");
    repository
        .extract(&receipt, "files", &path, File::create(&out).unwrap(), &job())
        .await
        .unwrap();
    assert_eq!(
        fs::read(&out).unwrap(),
        fs::read(place.uploads().join("photos/one.bin")).unwrap()
    );

    let plain = place.path("plain.tar.zst");
    repository
        .decrypt(&receipt, File::create(&plain).unwrap(), &job())
        .await
        .unwrap();
    let listed = std::process::Command::new("tar")
        .arg("--zstd")
        .arg("-tf")
        .arg(&plain)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("files/readme.txt"), "{listed}");

    let missing = EntryPath::new("photos/none").unwrap();
    let error = repository.entry(&receipt, "files", &missing).await.unwrap_err();
    assert!(matches!(error, PipelineError::NotFound { .. }), "{error}");
}

fn restore_options(target_dir: &Path) -> RestoreOptions {
    RestoreOptions {
        restore_database: true,
        restore_files: true,
        restore_config: true,
        target_database: None,
        target_dir: Some(target_dir.display().to_string()),
        mode: RestoreMode::New,
        paths: Vec::new(),
        tables: Vec::new(),
        safety_backup: true,
        skip_owner: false,
        skip_tablespaces: false,
        keep_old_hours: 72,
    }
}

async fn restored(engine: &Engine, new: NewRestore) -> backup_core::restore::RestoreRecord {
    let id = engine.store.create_restore(new).await.unwrap().id;
    let worker = start(engine);
    let record = until("the end of the restore", async || {
        let record = engine.store.get_restore(id).await.unwrap().unwrap();
        record.status.is_final().then_some(record)
    })
    .await;
    worker.stop().await;
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_job_brings_the_files_back_and_replaces_only_what_it_is_told_to() {
    let place = Place::new();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Files).await;
    let new = |options| NewRestore {
        id: ids(&engine).next::<RestoreId>().unwrap(),
        backup_id: made.id,
        options,
        created_by: None,
    };
    let target = place.path("restored");
    let done = restored(&engine, new(restore_options(&target))).await;
    assert_eq!(done.status, JobStatus::Completed, "{:?}", done.error_message);
    let differences = tree::compare(&place.uploads(), &target);
    assert!(differences.is_empty(), "{differences:?}");

    fs::write(target.join("mine.txt"), "mine").unwrap();
    let again = restored(&engine, new(restore_options(&target))).await;
    assert_eq!(again.status, JobStatus::Failed);
    assert!(target.join("mine.txt").exists(), "what was there before is left alone");

    let replace = RestoreOptions {
        mode: RestoreMode::Replace,
        ..restore_options(&target)
    };
    let replaced = restored(&engine, new(replace)).await;
    assert_eq!(replaced.status, JobStatus::Completed, "{:?}", replaced.error_message);
    let differences = tree::compare(&place.uploads(), &target);
    assert!(differences.is_empty(), "{differences:?}");
    let kept = replaced.replacement.unwrap().files.unwrap();
    assert!(
        Path::new(&kept.beside).join("mine.txt").exists(),
        "what gave way is kept"
    );
    // It is not the configuration's own folder, of which alone a backup can be made first.
    assert_eq!(replaced.safety_backup_id, None);
    assert!(
        replaced
            .warnings
            .iter()
            .any(|warning| warning.message.contains("no backup of"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_job_tells_a_good_backup_from_a_damaged_one() {
    let place = Place::new();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Files).await;
    let blob = place.path("storage").join(made.storage_path.as_deref().unwrap());
    let mut bytes = fs::read(&blob).unwrap();
    for (damage, level) in [(false, VerifyLevel::Content), (true, VerifyLevel::Checksum)] {
        if damage {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&blob, &bytes).unwrap();
        }
        let new = NewVerification {
            id: ids(&engine).next::<VerificationId>().unwrap(),
            backup_id: made.id,
            level,
            created_by: None,
        };
        let id = engine.store.create_verification(new).await.unwrap().id;
        let worker = start(&engine);
        let record = until("the end of the verification", async || {
            let record = engine.store.get_verification(id).await.unwrap().unwrap();
            record.status.is_final().then_some(record)
        })
        .await;
        worker.stop().await;
        assert_eq!(record.status, JobStatus::Completed);
        let row = row(&engine, made.id).await;
        assert_eq!(row.verify_level, Some(level));
        assert_eq!(row.verify_error.is_some(), damage, "{:?}", row.verify_error);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_fails_at_once_and_stores_nothing() {
    let mut place = Place::new();
    place.database.name = "no_such_database".into();
    let engine = place.engine().await;
    for source in [BackupSource::Database, BackupSource::FullSystem] {
        let id = ask(&engine, source).await;
        let worker = start(&engine);
        let row = ended(&engine, id).await;
        worker.stop().await;
        assert_eq!(row.status, JobStatus::Failed);
        assert_eq!(row.attempts, 1, "a person has to act: it is not tried again");
        let message = row.error_message.unwrap();
        assert!(message.contains("localhost:1"), "{message}");
        assert_eq!(crate::kit::stored(&engine).await, (vec![], vec![]));
    }
}
