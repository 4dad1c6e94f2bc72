//! What an incremental backup builds on stays, whatever else goes on, and is what was written.

use std::sync::{Arc, Mutex};

use backup_core::{Backup, BackupSource, BackupType, JobStatus, PipelineError, VerifyLevel, WarningCode};
use backup_db::Error as CatalogError;
use backup_engine::{Checkpoint, Engine, Error};

use crate::kit::{Place, ask_as, backup, ended, row, start, stored};
use crate::storage_alone::in_azure;

async fn incremental(engine: &Engine) -> Backup {
    let id = ask_as(engine, "default", BackupType::Incremental, BackupSource::Files).await;
    let worker = start(engine);
    let made = ended(engine, id).await;
    worker.stop().await;
    assert_eq!(made.status, JobStatus::Completed, "{:?}", made.error_message);
    made
}

/// An engine that does `what` once in each backup, when some of the files are written.
fn while_it_runs<F>(engine: Engine, what: impl Fn(Engine) -> F + Send + Sync + 'static) -> Engine
where
    F: Future<Output = ()> + Send,
{
    let (other, runtime) = (engine.clone(), tokio::runtime::Handle::current());
    engine.with_checkpoints(Arc::new(move |at| {
        if at == Checkpoint::InFiles {
            runtime.block_on(what(other.clone()));
        }
        Ok(())
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_cannot_be_deleted_while_it_is_built_on() {
    let place = Place::new();
    let plain = place.engine().await;
    let full = backup(&plain, BackupSource::Files).await;
    let refused: Arc<Mutex<Vec<String>>> = Arc::default();
    let (heard, base) = (refused.clone(), full.id);
    let engine = while_it_runs(plain.clone(), move |engine| {
        let heard = heard.clone();
        async move {
            for cascade in [false, true] {
                let error = engine.delete_backup(base, cascade).await.unwrap_err();
                let known = matches!(
                    error,
                    Error::Catalog(CatalogError::HasDependents { .. } | CatalogError::Running(_))
                );
                assert!(known, "{error:?}");
                heard.lock().unwrap().push(format!("{error:?}"));
            }
        }
    });
    std::fs::write(place.uploads().join("new"), "new").unwrap();
    let made = incremental(&engine).await;
    assert_eq!(
        (made.backup_type, made.base_id),
        (BackupType::Incremental, Some(full.id))
    );
    assert_eq!(refused.lock().unwrap().len(), 2);
    plain.delete_backup(full.id, true).await.unwrap();
    assert_eq!(stored(&plain).await, (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_is_damaged_while_it_is_read_is_found_out() {
    let place = Place::new();
    let plain = place.engine().await;
    let full = backup(&plain, BackupSource::Files).await;
    let archive = place.path("storage").join(full.storage_path.as_ref().unwrap());
    let good = std::fs::read(&archive).unwrap();
    // All but what is read when it is opened.
    let mut bad = good.clone();
    let tail = bad.len().saturating_sub(64 << 10);
    for byte in &mut bad[16..tail] {
        *byte ^= 0x55;
    }
    std::fs::write(&archive, &bad).unwrap();
    std::fs::write(
        place.uploads().join("photos/one.bin"),
        crate::kit::pseudo_random((3 << 20) + 7),
    )
    .unwrap();
    let made = incremental(&plain).await;
    let repository = plain.repository();
    let receipt = repository.find(made.id).await.unwrap();
    let job = backup_core::JobControl::new(std::time::Duration::from_secs(20));
    let whole = repository.verify(&receipt, VerifyLevel::Content, &job).await;
    // Either it was noticed, and the backup builds on nothing, or a check says so, and names the one at fault.
    match made.base_id {
        None => {
            whole.unwrap();
            assert!(row(&plain, full.id).await.verify_error.is_some());
        }
        Some(base) => {
            let error = whole.unwrap_err().full_text();
            assert!(error.contains(&base.to_string()), "{error}");
        }
    }
}

/// A rule of the storage moves what is old to where it cannot be read for hours. That must not end the backups of every night.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_the_storage_does_not_let_be_read_begins_a_new_chain() {
    let (place, blobs) = in_azure();
    let engine = place.engine().await;
    let full = backup(&engine, BackupSource::Files).await;
    blobs.archive(full.storage_path.as_deref().unwrap());
    let made = incremental(&engine).await;
    assert_eq!((made.backup_type, made.base_id), (BackupType::Full, None));
    let warning = &made.warnings[0];
    assert_eq!(warning.code, WarningCode::PromotedToFull);
    assert!(warning.message.contains("does not let be read"), "{}", warning.message);
    // Nothing is known to be wrong with it: it may be brought back from there.
    assert_eq!(row(&engine, full.id).await.verify_error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_storage_has_is_not_removed_while_anything_builds_on_it() {
    let place = Place::new();
    let engine = place.engine().await;
    let full = backup(&engine, BackupSource::Files).await;
    std::fs::write(place.uploads().join("new"), "new").unwrap();
    let newest = incremental(&engine).await;

    // The catalog is lost.
    let place = Place {
        catalog: format!("sqlite://{}", place.path("new.db").display()),
        ..place
    };
    let engine = place.engine().await;
    let before = stored(&engine).await;
    let refused = engine.remove_orphan(full.id).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Pipeline(error @ PipelineError::Refused { .. })
            if error.full_text().contains(&newest.id.to_string())),
        "{refused:?}"
    );
    assert_eq!(stored(&engine).await, before);
    // Neither goes by itself, however old they are, before somebody says so.
    for backup in [&full, &newest] {
        assert!(engine.adopt_orphan(backup.id).await.unwrap().protected);
        assert!(row(&engine, backup.id).await.protected);
    }
}
