//! A worker that dies at any checkpoint leaves a true catalog, and the next worker brings the backup to its end.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use crate::exchanged::{ask_restore, restore_ended};
use crate::kit::{Place, ask, backup, ended, process, row, start, stored, until};
use crate::plans::options;
use backup_core::config::BackupConfig;
use backup_core::restore::{RestoreMode, RestoreOptions};
use backup_core::{BackupId, BackupSource, JobStatus, PipelineError, VerifyLevel};
use backup_engine::{Checkpoint, Checkpoints, Engine, MAX_ATTEMPTS};
use backup_tests::postgres::Postgres;
use chrono::TimeDelta;

/// Checkpoints that tell when `at` is reached and then stand still until the returned gate is opened.
fn park_at(at: Checkpoint) -> (Checkpoints, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (tell, reached) = mpsc::channel();
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let checkpoints: Checkpoints = Arc::new(move |checkpoint| {
        if checkpoint == at {
            tell.send(()).ok();
            // Ends when the gate is opened, or the test is over.
            let _ = gate.lock().unwrap().recv();
        }
        Ok(())
    });
    (checkpoints, reached, open)
}

/// Runs a worker until it reaches `at`, and kills it there with everything it has. What is returned keeps its thread
/// parked.
fn die_at(place: &Place, at: Checkpoint, ask_for: Option<BackupSource>) -> (Option<BackupId>, mpsc::Sender<()>) {
    let process = process();
    let (checkpoints, reached, gate) = park_at(at);
    let id = process.block_on(async {
        let engine = place.engine().await.with_checkpoints(checkpoints);
        let id = match ask_for {
            Some(source) => Some(ask(&engine, source).await),
            None => None,
        };
        std::mem::forget(start(&engine));
        id
    });
    reached
        .recv_timeout(Duration::from_mins(1))
        .unwrap_or_else(|_| panic!("{at} was never reached"));
    process.shutdown_background();
    (id, gate)
}

async fn assert_only_this_good(engine: &Engine, id: BackupId) {
    let (receipts, blobs) = stored(engine).await;
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    assert_eq!(blobs.len(), 1, "{blobs:?}");
    let repository = engine.repository();
    let receipt = repository.find(id).await.unwrap();
    let job = backup_core::JobControl::new(Duration::from_secs(20));
    repository.verify(&receipt, VerifyLevel::Content, &job).await.unwrap();
    let row = row(engine, id).await;
    assert_eq!(row.status, JobStatus::Completed, "{:?}", row.error_message);
    assert_eq!(row.checksum.as_deref(), Some(receipt.checksum.as_str()));
    assert_eq!(row.size_bytes, Some(receipt.size_bytes));
}

fn the_next_worker_finishes(at: Checkpoint) {
    let place = Place::with_database();
    let (id, gate) = die_at(&place, at, Some(BackupSource::FullSystem));
    let id = id.unwrap();
    let checksum = process().block_on(async {
        let engine = place.engine().await;
        let listed = stored(&engine).await.0;
        assert_eq!(row(&engine, id).await.status, JobStatus::InProgress);
        if !matches!(at, Checkpoint::ReceiptPut | Checkpoint::BeforeRow) {
            assert!(listed.is_empty(), "killed {at}, and listed already: {listed:?}");
            return None;
        }
        Some(engine.repository().find(id).await.unwrap().checksum)
    });
    place.clock.advance(TimeDelta::minutes(2));
    process().block_on(async {
        let engine = place.engine().await;
        let worker = start(&engine);
        let row = ended(&engine, id).await;
        worker.stop().await;
        assert_eq!(row.attempts, 2);
        if let Some(checksum) = checksum {
            assert_eq!(
                row.checksum,
                Some(checksum),
                "a whole backup is adopted, not made again"
            );
        }
        assert_only_this_good(&engine, id).await;
    });
    drop(gate);
}

macro_rules! at_each_checkpoint {
    ($($name:ident: $at:ident,)+) => {$(
        #[test]
        fn $name() {
            the_next_worker_finishes(Checkpoint::$at);
        }
    )+};
}

at_each_checkpoint! {
    killed_before_the_first_byte: BeforeFirstByte,
    killed_in_the_database: InDatabase,
    killed_in_the_files: InFiles,
    killed_in_the_configuration: InConfig,
    killed_before_the_commit: BeforeCommit,
    killed_between_commit_and_receipt: BeforeReceipt,
    killed_just_before_the_receipt: ReceiptConfirmed,
    killed_just_after_the_receipt: ReceiptPut,
    killed_between_receipt_and_row: BeforeRow,
}

#[test]
fn a_backup_whose_workers_all_die_fails_and_leaves_nothing() {
    let place = Place::new();
    let mut gates = Vec::new();
    let mut id = None;
    for attempt in 0..MAX_ATTEMPTS {
        let source = (attempt == 0).then_some(BackupSource::Files);
        let (asked, gate) = die_at(&place, Checkpoint::BeforeReceipt, source);
        id = id.or(asked);
        gates.push(gate);
        place.clock.advance(TimeDelta::minutes(2));
    }
    process().block_on(async {
        let engine = place.engine().await;
        let worker = start(&engine);
        let row = ended(&engine, id.unwrap()).await;
        worker.stop().await;
        assert_eq!(row.status, JobStatus::Failed);
        let message = row.error_message.unwrap();
        assert!(message.contains("3 attempts"), "{message}");
        assert_eq!(stored(&engine).await, (vec![], vec![]));
    });
}

/// A worker stands still at `at` until its job is another's and done, then goes on, with an error where `fails`.
fn wakes_up_too_late(at: Checkpoint, fails: bool) {
    let place = Place::new();
    // Its tasks run only while somebody waits for them: between two waits the whole worker is as if paused.
    let sleeper = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (parked, reached, gate) = park_at(at);
    let checkpoints: Checkpoints = Arc::new(move |checkpoint| {
        parked(checkpoint)?;
        if fails && checkpoint == at {
            return Err(PipelineError::failed("the connection is gone", ""));
        }
        Ok(())
    });
    let (engine, id, running) = sleeper.block_on(async {
        let engine = place.engine().await.with_checkpoints(checkpoints);
        let id = ask(&engine, BackupSource::Files).await;
        let running = start(&engine);
        until("the checkpoint", async || reached.try_recv().ok()).await;
        (engine, id, running)
    });
    place.clock.advance(TimeDelta::minutes(2));
    let second = process();
    let checksum = second.block_on(async {
        let engine = place.engine().await;
        let worker = start(&engine);
        let row = ended(&engine, id).await;
        worker.stop().await;
        assert_eq!(row.attempts, 2);
        row.checksum
    });
    drop(gate);
    sleeper.block_on(async {
        running.stop().await;
        assert_only_this_good(&engine, id).await;
        assert_eq!(row(&engine, id).await.checksum, checksum, "{at}");
    });
}

#[test]
fn a_worker_that_wakes_up_too_late_touches_nothing() {
    for at in [
        Checkpoint::InFiles,
        Checkpoint::BeforeCommit,
        Checkpoint::BeforeReceipt,
        Checkpoint::ReceiptConfirmed,
        Checkpoint::ReceiptPut,
        Checkpoint::BeforeRow,
    ] {
        wakes_up_too_late(at, false);
        wakes_up_too_late(at, true);
    }
}

/// One that falls asleep between the two exchanges of a restore, and finds that its own cannot go on once its successor has
/// finished.
#[test]
fn a_worker_that_wakes_up_too_late_takes_back_no_exchange_of_its_successors() {
    let place = Place::with_database();
    let database = place.source.as_ref().unwrap();
    let sleeper = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let at = Checkpoint::RestoreDatabaseSwapped;
    let (parked, reached, gate) = park_at(at);
    let checkpoints: Checkpoints = Arc::new(move |checkpoint| {
        parked(checkpoint)?;
        if checkpoint == at {
            return Err(PipelineError::failed("the disk is gone", ""));
        }
        Ok(())
    });
    let (id, running) = sleeper.block_on(async {
        let engine = place.engine().await;
        let made = backup(&engine, BackupSource::FullSystem).await;
        database.psql("UPDATE notes SET text = 'lost'");
        std::fs::remove_file(place.uploads().join("readme.txt")).unwrap();
        let options = RestoreOptions {
            restore_database: true,
            restore_files: true,
            mode: RestoreMode::Replace,
            ..options()
        };
        let id = ask_restore(&engine, &made, options).await;
        let running = start(&engine.with_checkpoints(checkpoints));
        until("the checkpoint", async || reached.try_recv().ok()).await;
        (id, running)
    });
    place.clock.advance(TimeDelta::minutes(2));
    let record = process().block_on(async { restore_ended(&place.engine().await, id).await });
    assert_eq!(
        (record.status, record.attempts),
        (JobStatus::Completed, 2),
        "{record:?}"
    );
    let old = record.replacement.unwrap().database.unwrap().old;
    let _dropped_with_the_test = Postgres::shared().database(&old);
    drop(gate);
    sleeper.block_on(running.stop());
    assert_eq!(database.psql("SELECT count(*) FROM notes WHERE text = 'lost'"), "0");
    assert!(place.uploads().join("readme.txt").exists());
}

/// What a dead worker left is about to be removed by one that falls asleep, and whose successor makes the backup meanwhile, at
/// the same paths.
#[test]
fn a_worker_that_wakes_up_too_late_removes_nothing_of_its_successors() {
    let place = Place::new();
    let (id, dead) = die_at(&place, Checkpoint::BeforeReceipt, Some(BackupSource::Files));
    let id = id.unwrap();
    place.clock.advance(TimeDelta::minutes(2));
    let sleeper = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (checkpoints, reached, gate) = park_at(Checkpoint::BeforeRemoval);
    let (engine, running) = sleeper.block_on(async {
        let engine = place.engine().await.with_checkpoints(checkpoints);
        let running = start(&engine);
        until("the removal", async || reached.try_recv().ok()).await;
        (engine, running)
    });
    place.clock.advance(TimeDelta::minutes(2));
    let checksum = process().block_on(async {
        let engine = place.engine().await;
        let worker = start(&engine);
        let row = ended(&engine, id).await;
        worker.stop().await;
        assert_eq!((row.status, row.attempts), (JobStatus::Completed, 3));
        row.checksum
    });
    drop(gate);
    sleeper.block_on(async {
        running.stop().await;
        assert_only_this_good(&engine, id).await;
        assert_eq!(row(&engine, id).await.checksum, checksum);
    });
    drop(dead);
}

#[test]
fn a_whole_backup_of_another_key_is_nobodys_to_remove() {
    let mut place = Place::new();
    let (id, gate) = die_at(&place, Checkpoint::BeforeRow, Some(BackupSource::Files));
    let id = id.unwrap();
    place.clock.advance(TimeDelta::minutes(2));
    let right = std::mem::replace(&mut place.passphrase, "forgotten to hand on the previous one");
    process().block_on(async {
        let engine = place.engine().await;
        let worker = start(&engine);
        let row = ended(&engine, id).await;
        worker.stop().await;
        assert_eq!(row.status, JobStatus::Failed);
        let message = row.error_message.unwrap();
        assert!(message.contains("BACKUP_ENCRYPTION_KEY_PREVIOUS"), "{message}");
        engine.reconcile().await.unwrap();
        let (receipts, blobs) = stored(&engine).await;
        assert!(receipts.len() == 1 && blobs.len() == 1, "{receipts:?} {blobs:?}");
    });
    place.passphrase = right;
    process().block_on(async {
        let engine = place.engine().await;
        assert_eq!(engine.reconcile().await.unwrap().adopted, [id]);
        assert_only_this_good(&engine, id).await;
    });
    drop(gate);
}

#[test]
fn the_key_of_another_configuration_brings_no_backup_to_life() {
    let mut place = Place::new();
    let (id, gate) = die_at(&place, Checkpoint::BeforeRow, Some(BackupSource::Files));
    let id = id.unwrap();
    place.clock.advance(TimeDelta::minutes(2));
    let others = std::mem::replace(&mut place.passphrase, "the passphrase of the default configuration");
    process().block_on(async {
        let engine = place.engine().await;
        let mut shop = BackupConfig::defaults("shop", engine.clock.now());
        shop.change_encryption_key(Some(engine.seal(others).unwrap()));
        engine.store.put_config(&shop).await.unwrap();
        let worker = start(&engine);
        let ended = ended(&engine, id).await;
        worker.stop().await;
        assert_eq!(ended.status, JobStatus::Failed);
        let found = engine.reconcile().await.unwrap();
        assert_eq!((found.adopted, found.leftovers), (vec![], vec![]));
        assert_eq!(row(&engine, id).await.status, JobStatus::Failed);
        // To look at it, any key that is at hand will do.
        engine.repository_of("default").await.unwrap().find(id).await.unwrap();
    });
    drop(gate);
}

#[test]
fn one_that_is_not_encrypted_is_adopted_too_though_the_key_was_changed() {
    let mut place = Place::new();
    process().block_on(async {
        let engine = place.engine().await;
        let mut config = BackupConfig::defaults("default", engine.clock.now());
        config.encryption_enabled = false;
        engine.store.put_config(&config).await.unwrap();
    });
    let (id, gate) = die_at(&place, Checkpoint::BeforeRow, Some(BackupSource::Files));
    let id = id.unwrap();
    place.clock.advance(TimeDelta::minutes(2));
    let former = std::mem::replace(&mut place.passphrase, "the next passphrase");
    place.previous.push(former);
    process().block_on(async {
        let engine = place.engine().await;
        let written = engine.repository().find(id).await.unwrap();
        assert!(!written.archive.encrypted);
        let worker = start(&engine);
        let ended = ended(&engine, id).await;
        worker.stop().await;
        assert_eq!(ended.status, JobStatus::Completed, "{:?}", ended.error_message);
        assert_eq!(ended.completed_at, Some(written.completed_at), "it was not made again");
        assert_eq!(ended.key_fingerprint, None, "none is needed to open it");
        assert_only_this_good(&engine, id).await;
    });
    drop(gate);
}

#[test]
fn a_backup_from_just_before_the_key_was_changed_is_adopted() {
    let mut place = Place::new();
    let (id, gate) = die_at(&place, Checkpoint::BeforeRow, Some(BackupSource::Files));
    let id = id.unwrap();
    place.clock.advance(TimeDelta::minutes(2));
    let former = std::mem::replace(&mut place.passphrase, "the next passphrase");
    place.previous.push(former);
    process().block_on(async {
        let engine = place.engine().await;
        let former = row(&engine, id).await.key_fingerprint.unwrap();
        assert_ne!(former, engine.keys.current().fingerprint());
        let worker = start(&engine);
        let ended = ended(&engine, id).await;
        worker.stop().await;
        assert_eq!(ended.status, JobStatus::Completed, "{:?}", ended.error_message);
        assert_eq!(ended.key_fingerprint, Some(former), "it was not made again");
        assert_only_this_good(&engine, id).await;
    });
    drop(gate);
}
