//! Whoever can write to the storage and has a key that was given up, or one of another configuration, can make a backup that
//! its receipt vouches for. It takes nobody's place.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::kit::{Place, ask_as, backup, ended, pseudo_random, row, start, until};
use backup_core::restore::{RestoreMode, RestoreOptions, RestoreRecord};
use backup_core::{
    Backup, BackupSource, BackupTrigger, BackupType, IdGenerator, JobControl, JobStatus, NewBackup, OsRandom,
    PipelineError, RestoreId, VerificationId, VerifyLevel,
};
use backup_db::{NewRestore, NewVerification};
use backup_engine::{Engine, Error};

const LEAKED: &str = "a passphrase that somebody else has";

/// Puts another receipt and another archive of the same identifier in their place, both of them whole, made with the
/// passphrase that leaked.
async fn exchange(place: &Place, made: &Backup) {
    let mut theirs = Place::new();
    theirs.passphrase = LEAKED;
    fs::write(theirs.uploads().join("readme.txt"), "something else").unwrap();
    let engine = theirs.engine().await;
    let new = NewBackup {
        id: made.id,
        config_key: made.config_key.clone(),
        backup_type: BackupType::Full,
        source: made.source,
        trigger: BackupTrigger::Manual,
        description: None,
        created_by: None,
        schedule_id: None,
    };
    engine.store.create_backup(new).await.unwrap();
    let worker = start(&engine);
    let forged = ended(&engine, made.id).await;
    worker.stop().await;
    assert_eq!(forged.status, JobStatus::Completed, "{:?}", forged.error_message);
    assert_eq!(forged.storage_path, made.storage_path);
    for name in [PathBuf::from(made.storage_path.as_deref().unwrap()), receipt(made)] {
        fs::copy(theirs.path("storage").join(&name), place.path("storage").join(&name)).unwrap();
    }
}

fn receipt(made: &Backup) -> PathBuf {
    Path::new(made.storage_path.as_deref().unwrap()).with_file_name(format!("{}.json", made.id))
}

fn ids(engine: &Engine) -> IdGenerator {
    IdGenerator::new(engine.clock.clone(), Arc::new(OsRandom))
}

fn is_told(text: &str) -> bool {
    text.contains("is not the one that the catalog knows")
}

async fn verified(engine: &Engine, made: &Backup, level: VerifyLevel) -> Backup {
    let new = NewVerification {
        id: ids(engine).next::<VerificationId>().unwrap(),
        backup_id: made.id,
        level,
        created_by: None,
    };
    let id = engine.store.create_verification(new).await.unwrap().id;
    let worker = start(engine);
    until("the end of the verification", async || {
        let record = engine.store.get_verification(id).await.unwrap().unwrap();
        record.status.is_final().then_some(())
    })
    .await;
    worker.stop().await;
    row(engine, made.id).await
}

/// Asks for a restore.
pub(crate) async fn ask_restore(engine: &Engine, made: &Backup, options: RestoreOptions) -> RestoreId {
    let new = NewRestore {
        id: ids(engine).next::<RestoreId>().unwrap(),
        backup_id: made.id,
        options,
        created_by: None,
    };
    engine.store.create_restore(new).await.unwrap().id
}

/// Carries a restore out with a worker of its own, and gives its record.
pub(crate) async fn restore_ended(engine: &Engine, id: RestoreId) -> RestoreRecord {
    let worker = start(engine);
    let record = until("the end of the restore", async || {
        let record = engine.store.get_restore(id).await.unwrap().unwrap();
        record.status.is_final().then_some(record)
    })
    .await;
    worker.stop().await;
    record
}

async fn restored(engine: &Engine, made: &Backup, options: RestoreOptions) -> RestoreRecord {
    let id = ask_restore(engine, made, options).await;
    restore_ended(engine, id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_backup_of_a_former_key_takes_nobodys_place() {
    // With the key of today, and with the one that leaked while it was in use.
    for made_with in ["correct horse battery staple", LEAKED] {
        let mut place = Place::new();
        let today = place.passphrase;
        place.passphrase = made_with;
        let made = backup(&place.engine().await, BackupSource::Files).await;
        (place.passphrase, place.previous) = (today, vec![LEAKED]);
        let engine = place.engine().await;
        assert_eq!(
            engine.repository().find_known(&made).await.unwrap().checksum,
            made.checksum.clone().unwrap()
        );
        exchange(&place, &made).await;
        // By itself it is beyond reproach.
        let forged = engine.repository().find(made.id).await.unwrap();
        let job = JobControl::new(Duration::from_secs(20));
        engine
            .repository()
            .verify(&forged, VerifyLevel::Content, &job)
            .await
            .unwrap();

        let error = engine.repository().find_known(&made).await.unwrap_err();
        assert!(
            matches!(error, PipelineError::Integrity { .. }) && is_told(&error.full_text()),
            "{error}"
        );
        let before = fs::read(place.uploads().join("readme.txt")).unwrap();
        let target = place.path("restored");
        for mode in [RestoreMode::New, RestoreMode::Replace] {
            let options = RestoreOptions {
                restore_database: false,
                restore_files: true,
                restore_config: false,
                target_database: None,
                target_dir: (mode == RestoreMode::New).then(|| target.display().to_string()),
                mode,
                paths: Vec::new(),
                tables: Vec::new(),
                safety_backup: false,
                skip_owner: false,
                skip_tablespaces: false,
                keep_old_hours: 1,
            };
            let error = engine.plan_restore(&made, &options).await.unwrap_err();
            let Error::Pipeline(error) = error else {
                panic!("{error:?}")
            };
            assert!(is_told(&error.full_text()), "{error}");
            let record = restored(&engine, &made, options).await;
            assert_eq!(record.status, JobStatus::Failed, "{mode}");
            assert!(is_told(&record.error_message.unwrap()), "{mode}");
        }
        assert!(!target.exists());
        assert_eq!(fs::read(place.uploads().join("readme.txt")).unwrap(), before);
        for level in [VerifyLevel::Checksum, VerifyLevel::Content, VerifyLevel::Restore] {
            let row = verified(&engine, &made, level).await;
            assert_eq!(row.verify_level, Some(level));
            assert!(row.verify_error.is_some_and(|error| is_told(&error)), "{level}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_built_on_an_exchanged_backup() {
    let mut place = Place::new();
    place.previous = vec![LEAKED];
    let engine = place.engine().await;
    let full = backup(&engine, BackupSource::Files).await;
    exchange(&place, &full).await;
    let id = ask_as(&engine, "default", BackupType::Incremental, BackupSource::Files).await;
    let worker = start(&engine);
    let made = ended(&engine, id).await;
    worker.stop().await;
    assert_eq!(
        (made.status, made.base_id),
        (JobStatus::Completed, None),
        "{:?}",
        made.error_message
    );
    assert!(
        row(&engine, full.id)
            .await
            .verify_error
            .is_some_and(|error| is_told(&error))
    );
}

/// An output at whose first bytes the last ones of the stored file change.
struct Changing {
    file: PathBuf,
    out: Arc<std::sync::Mutex<u64>>,
}

impl Write for Changing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.out.lock().unwrap();
        if *written == 0 {
            let file = fs::OpenOptions::new().write(true).open(&self.file)?;
            file.write_all_at(b"changed", file.metadata()?.len() - 100)?;
        }
        *written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_changes_after_its_check_is_not_decrypted_whole() {
    let place = Place::new();
    // More than is fetched ahead.
    fs::write(place.uploads().join("photos/one.bin"), pseudo_random(40 << 20)).unwrap();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Files).await;
    let repository = engine.repository();
    let receipt = repository.find_known(&made).await.unwrap();
    let out = Arc::new(std::sync::Mutex::new(0));
    let changing = Changing {
        file: place.path("storage").join(&receipt.storage_path),
        out: out.clone(),
    };
    let job = JobControl::new(Duration::from_secs(20));
    let error = repository.decrypt(&receipt, changing, &job).await.unwrap_err();
    assert!(matches!(error, PipelineError::Integrity { .. }), "{error}");
    // Without the IV and the padding there is less of it than is stored.
    assert!(*out.lock().unwrap() < receipt.size_bytes - 32);
}
