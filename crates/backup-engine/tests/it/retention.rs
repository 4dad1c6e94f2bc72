//! What retention lets go is gone from catalog and storage alike, whatever fails on the way, and nothing else is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::kit::{Place, ask_as, backup, ended, fire, nightly, row, start, stored, until};
use backup_core::retention::Verdict;
use backup_core::{BackupSource, BackupType, JobStatus, PipelineError};
use backup_db::RetentionScope;
use backup_engine::Checkpoint;

#[tokio::test(flavor = "multi_thread")]
async fn each_backup_lets_the_oldest_go_and_the_preview_said_so() {
    let place = Place::new();
    let engine = place.engine().await;
    let schedule = nightly(&engine, |schedule| schedule.retention.max_backups = 2).await;
    let mut kept = Vec::new();
    for _ in 0..4 {
        kept.push(fire(&place, &engine).await.id);
    }
    let oldest = kept.drain(..2).collect::<Vec<_>>();
    for id in oldest {
        assert_eq!(engine.store.get_backup(id).await.unwrap(), None);
    }
    let (receipts, blobs) = stored(&engine).await;
    assert_eq!((receipts.len(), blobs.len()), (2, 2), "{receipts:?} {blobs:?}");
    for id in &kept {
        assert_eq!(row(&engine, *id).await.status, JobStatus::Completed);
    }
    let decisions = engine
        .store
        .plan_retention(RetentionScope::Schedule(schedule.id), None)
        .await
        .unwrap();
    assert!(
        decisions.iter().all(|decision| decision.verdict == Verdict::Keep),
        "{decisions:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_fails_at_any_step_loses_no_record_and_leaves_nothing_for_good() {
    for step in [
        Checkpoint::DeleteMarked,
        Checkpoint::DeleteReceiptGone,
        Checkpoint::DeleteBlobGone,
    ] {
        let place = Place::new();
        let engine = place.engine().await;
        let schedule = nightly(&engine, |schedule| schedule.retention.max_backups = 1).await;
        let fails = Arc::new(AtomicBool::new(true));
        let failing = {
            let fails = fails.clone();
            engine.clone().with_checkpoints(Arc::new(move |reached| {
                if reached == step && fails.load(Ordering::SeqCst) {
                    Err(PipelineError::unavailable("the storage is away", ""))
                } else {
                    Ok(())
                }
            }))
        };
        let first = fire(&place, &failing).await;
        let second = fire(&place, &failing).await;
        assert_eq!(second.status, JobStatus::Completed, "{step:?}");
        let left = row(&engine, first.id).await;
        assert!(
            left.deleting,
            "{step:?}: the record stays until its files are gone: {left:#?}"
        );

        fails.store(false, Ordering::SeqCst);
        engine.reconcile().await.unwrap();
        assert_eq!(engine.store.get_backup(first.id).await.unwrap(), None, "{step:?}");
        let (receipts, blobs) = stored(&engine).await;
        assert_eq!(
            (receipts.len(), blobs.len()),
            (1, 1),
            "{step:?}: {receipts:?} {blobs:?}"
        );
        assert_eq!(engine.expire_backups(schedule.id).await.unwrap(), [], "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_stays_while_the_storage_does_not_let_go_of_what_builds_on_it() {
    let place = Place::new();
    let engine = place.engine().await;
    let full = backup(&engine, BackupSource::Files).await;
    std::fs::write(place.uploads().join("new"), "new").unwrap();
    let id = ask_as(&engine, "default", BackupType::Incremental, BackupSource::Files).await;
    let worker = start(&engine);
    let on_it = ended(&engine, id).await;
    worker.stop().await;
    assert_eq!(on_it.base_id, Some(full.id));
    // A folder that is not empty stands in the place of its archive.
    let archive = place.path("storage").join(on_it.storage_path.as_ref().unwrap());
    std::fs::remove_file(&archive).unwrap();
    std::fs::create_dir(&archive).unwrap();
    std::fs::write(archive.join("in the way"), "").unwrap();

    engine.delete_backup(full.id, true).await.unwrap_err();
    engine.reconcile().await.unwrap_err();
    assert!(row(&engine, on_it.id).await.deleting);
    assert!(row(&engine, full.id).await.deleting);
    assert!(place.path("storage").join(full.storage_path.unwrap()).is_file());

    std::fs::remove_dir_all(&archive).unwrap();
    assert_eq!(engine.reconcile().await.unwrap().deletions, [on_it.id, full.id]);
    assert_eq!(stored(&engine).await, (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_being_read_stays_until_it_has_been_read() {
    let place = Place::new();
    let engine = place.engine().await;
    let schedule = nightly(&engine, |schedule| schedule.retention.max_backups = 1).await;
    let first = fire(&place, &engine).await;
    let reading = engine.begin_reading(first.id).await.unwrap();
    let refused = engine.delete_backup(first.id, false).await;
    assert!(
        matches!(
            refused,
            Err(backup_engine::Error::Catalog(backup_db::Error::InUse { .. }))
        ),
        "{refused:?}"
    );
    // The reader's hold is renewed by time that passes by itself; this clock jumps a day.
    engine
        .store
        .begin_reading(first.id, std::time::Duration::from_hours(48))
        .await
        .unwrap();
    fire(&place, &engine).await;
    assert!(!row(&engine, first.id).await.deleting, "it is read");
    assert!(engine.begin_reading(first.id).await.is_ok());

    drop(reading);
    place.clock.advance(chrono::TimeDelta::hours(48));
    assert_eq!(engine.expire_backups(schedule.id).await.unwrap(), [first.id]);
    assert!(
        engine.begin_reading(first.id).await.is_err(),
        "what is gone cannot be read"
    );
}

/// Each turn moves retention's own clock by up to a day: starts and stops must not make everything old where the clock is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn who_stops_does_not_hand_on_the_turn_to_move_retention_s_clock() {
    let place = Place::new();
    let engine = place.engine().await;
    let schedule = nightly(&engine, |_| {}).await.id;
    let (old, _) = (fire(&place, &engine).await, fire(&place, &engine).await);
    let seen = engine.store.get_schedule(schedule).await.unwrap().unwrap().schedule;
    let mut fewer = seen.clone();
    fewer.retention.max_backups = 1;
    engine.store.update_schedule(&seen, fewer).await.unwrap();
    place.clock.advance(chrono::TimeDelta::hours(1));
    let worker = start(&engine);
    until("retention", async || {
        let row = engine.store.get_backup(old.id).await.unwrap();
        row.is_none().then_some(())
    })
    .await;
    worker.stop().await;
    let hold = std::time::Duration::from_mins(30);
    assert!(!engine.store.take_turn("retention", "another", hold).await.unwrap());
}
