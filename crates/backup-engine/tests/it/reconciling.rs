//! What a reconciliation makes of files that stand elsewhere than where they belong, and of those that it cannot deal with.

use std::fs;

use crate::kit::{Place, backup, row};
use crate::storage_alone::receipt_file;
use backup_core::{Alert, AlertKind, AlertSeverity, BackupSource, PipelineError};
use backup_engine::{Engine, Error, OrphanKind, Reconciled, Watch};
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

async fn told(engine: &Engine) -> Vec<Alert> {
    engine.store.open_alerts(AlertKind::StorageUnreachable).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_settled_is_one_alert_until_it_can_be() {
    let place = Place::new();
    let engine = place.engine().await;
    let mut strange = Vec::new();
    for _ in 0..2 {
        let made = backup(&engine, BackupSource::Config).await;
        place.clock.advance(TimeDelta::minutes(1));
        let receipt = fs::File::options()
            .write(true)
            .open(receipt_file(&place, &made))
            .unwrap();
        let length = receipt.metadata().unwrap().len();
        // Nobody reads a receipt of this length to say what is there.
        receipt.set_len(64 << 20).unwrap();
        fs::remove_file(place.path("storage").join(made.storage_path.as_deref().unwrap())).unwrap();
        strange.push((made.id, receipt, length));
    }
    let mut watch = Watch::new(engine.clone(), "this process");
    for _ in 0..2 {
        engine.reconcile().await.unwrap_err();
        let alerts = told(&engine).await;
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert_eq!(
            (alerts[0].severity, alerts[0].details["count"].as_str()),
            (AlertSeverity::Warning, "2")
        );
        assert!(
            alerts[0].message.contains(&strange[0].0.to_string()),
            "{}",
            alerts[0].message
        );
        // It answers, which says nothing.
        watch.look().await.unwrap();
    }
    for (_, receipt, length) in &strange {
        receipt.set_len(*length).unwrap();
    }
    assert_eq!(engine.reconcile().await.unwrap().damaged, [strange[0].0, strange[1].0]);
    assert_eq!(told(&engine).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_listed_is_told_though_the_storage_answers() {
    let place = Place::new();
    let engine = place.engine().await;
    backup(&engine, BackupSource::Config).await;
    place.clock.advance(TimeDelta::minutes(1));
    let circle = place.path("storage").join("2001");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    for _ in 0..2 {
        engine.reconcile().await.unwrap_err();
        let alerts = told(&engine).await;
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert!(alerts[0].message.contains("2001"), "{}", alerts[0].message);
    }
    fs::remove_file(&circle).unwrap();
    assert_eq!(engine.reconcile().await.unwrap(), Reconciled::default());
    assert_eq!(told(&engine).await, []);
}
