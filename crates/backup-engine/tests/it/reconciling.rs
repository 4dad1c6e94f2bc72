//! What a reconciliation makes of files that stand elsewhere than where they belong.

use std::fs;

use crate::kit::{Place, backup, row};
use crate::storage_alone::receipt_file;
use backup_core::{BackupSource, PipelineError};
use backup_engine::{Error, OrphanKind, Reconciled};
use chrono::TimeDelta;

/// A restore of it looks nowhere but where it belongs.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_to_another_day_is_missed_until_it_is_back() {
    let place = Place::new();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Files).await;
    place.clock.advance(TimeDelta::minutes(1));
    let archive = place.path("storage").join(made.storage_path.as_deref().unwrap());
    let elsewhere = place.path("storage").join("2001/01-02");
    fs::create_dir_all(&elsewhere).unwrap();
    let receipt = receipt_file(&place, &made);
    for (file, kind) in [(archive, OrphanKind::Damaged), (receipt, OrphanKind::Lost)] {
        let moved = elsewhere.join(file.file_name().unwrap());
        fs::copy(&file, &moved).unwrap();
        assert_eq!(engine.reconcile().await.unwrap(), Reconciled::default(), "a copy");

        fs::remove_file(&file).unwrap();
        let found = engine.reconcile().await.unwrap();
        assert_eq!([found.damaged, found.lost].concat(), [made.id]);
        assert!(moved.exists(), "it may be moved back");
        let problem = row(&engine, made.id).await.verify_error.unwrap();
        let orphans = engine.orphans(10).await.unwrap().found;
        assert_eq!((orphans.len(), orphans[0].kind), (1, kind));
        let own = file.strip_prefix(place.path("storage")).unwrap().to_str().unwrap();
        for text in [&problem, orphans[0].problem.as_ref().unwrap()] {
            assert!(text.contains("'2001/01-02/") && text.contains(own), "{text}");
        }

        fs::rename(&moved, &file).unwrap();
        assert_eq!(engine.reconcile().await.unwrap().found_again, [made.id]);
        assert_eq!(row(&engine, made.id).await.verify_error, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_storage_has_is_adopted_once_its_archive_is_where_it_belongs() {
    let place = Place::new();
    let made = backup(&place.engine().await, BackupSource::Files).await;
    let place = Place {
        catalog: format!("sqlite://{}", place.path("new.db").display()),
        ..place
    };
    let engine = place.engine().await;
    let own = made.storage_path.as_deref().unwrap();
    let archive = place.path("storage").join(own);
    let moved = place
        .path("storage")
        .join("2001/01-02")
        .join(archive.file_name().unwrap());
    fs::create_dir_all(moved.parent().unwrap()).unwrap();
    fs::rename(&archive, &moved).unwrap();
    let orphans = engine.orphans(10).await.unwrap().found;
    assert_eq!((orphans[0].kind, orphans[0].size_bytes), (OrphanKind::Unlisted, None));
    let error = engine.adopt_orphan(made.id).await.unwrap_err();
    assert!(
        matches!(&error, Error::Pipeline(error @ PipelineError::Integrity { .. }) if error.full_text().contains(own)),
        "{error:?}"
    );
    assert!(engine.reconcile().await.unwrap().orphans.is_empty() && moved.exists());
    fs::rename(&moved, &archive).unwrap();
    assert_eq!(engine.adopt_orphan(made.id).await.unwrap().size_bytes, made.size_bytes);
}
