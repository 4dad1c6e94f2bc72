//! A FULL backup that is made of a chain holds bit for bit what the chain held, whoever dies or interferes while it is made.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use backup_core::backup::backup_name;
use backup_core::config::{BackupConfig, QuotaPolicy};
use backup_core::{
    AlertKind, Backup, BackupId, BackupSource, BackupTrigger, BackupType, IdGenerator, JobControl, JobStatus, OsRandom,
    PipelineError, Receipt, VerifyLevel,
};
use backup_db::Error as CatalogError;
use backup_engine::{Checkpoint, Checkpoints, Engine, Error, FullOptions, RestoreInto};
use chrono::TimeDelta;

use crate::kit::{Place, ask_as, backup, ended, process, row, start, stored, until};

fn job() -> JobControl {
    JobControl::new(Duration::from_secs(20))
}

/// What stands in the uploads, by its path.
type Tree = BTreeMap<String, Vec<u8>>;

fn tree(folder: &Path) -> Tree {
    let mut found = Tree::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Five incremental backups on a full one, the last of which is given with what it is of.
async fn chain(place: &Place, engine: &Engine) -> (Vec<Backup>, Tree) {
    let mut backups = vec![backup(engine, BackupSource::Files).await];
    for step in 1..=5u8 {
        place.clock.advance(TimeDelta::minutes(1));
        let uploads = place.uploads();
        std::fs::write(uploads.join(format!("new {step}")), vec![step; 10_000]).unwrap();
        let mut photo = std::fs::read(uploads.join("photos/one.bin")).unwrap();
        photo.splice(100_000..100_000, vec![step; 1000]);
        std::fs::write(uploads.join("photos/one.bin"), photo).unwrap();
        let id = ask_as(engine, "default", BackupType::Incremental, BackupSource::Files).await;
        let worker = start(engine);
        let made = ended(engine, id).await;
        worker.stop().await;
        assert_eq!(
            (made.status, made.base_id),
            (JobStatus::Completed, backups.last().map(|base| base.id))
        );
        backups.push(made);
    }
    (backups, tree(&place.uploads()))
}

async fn ask(engine: &Engine, of: BackupId) -> Backup {
    let id = IdGenerator::new(engine.clock.clone(), Arc::new(OsRandom))
        .next()
        .unwrap();
    engine.store.consolidate_backup(of, id, None).await.unwrap()
}

async fn finish(engine: &Engine, id: BackupId) -> Backup {
    let worker = start(engine);
    let row = ended(engine, id).await;
    worker.stop().await;
    row
}

/// Deletes the chain, after which the backup is all there is, and brings back what the chain held.
async fn assert_stands_for(place: &Place, engine: &Engine, made: &Backup, chain: &[Backup], was: &Tree) {
    let origin = chain
        .iter()
        .find(|backup| Some(backup.id) == made.consolidated_from)
        .unwrap();
    assert_eq!((made.backup_type, made.base_id), (BackupType::Full, None));
    assert_eq!((made.created_at, &made.contents), (origin.created_at, &origin.contents));
    let name = backup_name(origin.source, BackupType::Full, origin.created_at);
    assert_eq!(made.name, name);
    engine.delete_backup(chain[0].id, true).await.unwrap();
    let (receipts, blobs) = stored(engine).await;
    assert_eq!((receipts.len(), blobs.len()), (1, 1), "{receipts:?} {blobs:?}");
    let repository = engine.repository();
    let receipt = repository.find(made.id).await.unwrap();
    repository.verify(&receipt, VerifyLevel::Content, &job()).await.unwrap();
    let into = place.path(&format!("restored {}", made.id));
    let target = RestoreInto {
        files: Some(into.clone()),
        ..RestoreInto::default()
    };
    repository.restore(&receipt, target.targets(), &job()).await.unwrap();
    assert!(tree(&into) == *was, "another tree than the one that was saved");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_holds_what_the_chain_held_and_the_next_one_builds_on_it() {
    let place = Place::new();
    let engine = place.engine().await;
    let (backups, was) = chain(&place, &engine).await;
    place.clock.advance(TimeDelta::days(1));
    let asked = ask(&engine, backups[5].id).await;
    let made = finish(&engine, asked.id).await;
    assert_eq!(made.status, JobStatus::Completed, "{:?}", made.error_message);
    assert!(made.started_at > Some(backups[5].created_at));
    let worker = start(&engine);
    let next = ask_as(&engine, "default", BackupType::Incremental, BackupSource::Files).await;
    let next = ended(&engine, next).await;
    worker.stop().await;
    assert_eq!((next.base_id, &next.contents), (Some(made.id), &backups[5].contents));
    engine.delete_backup(next.id, false).await.unwrap();
    // In the middle of the chain too.
    let middle = ask(&engine, backups[3].id).await;
    let middle = finish(&engine, middle.id).await;
    assert_eq!(middle.status, JobStatus::Completed, "{:?}", middle.error_message);
    assert_eq!(middle.contents, backups[3].contents);
    engine.delete_backup(middle.id, false).await.unwrap();
    assert_stands_for(&place, &engine, &made, &backups, &was).await;
}

/// Whoever switched encryption off did so for new backups. What was kept from the storage's keeper is not shown to him by a copy.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_encrypted_stays_so() {
    let place = Place::new();
    let engine = place.engine().await;
    let (backups, was) = chain(&place, &engine).await;
    let plain = BackupConfig {
        encryption_enabled: false,
        ..BackupConfig::defaults("default", engine.clock.now())
    };
    engine.store.put_config(&plain).await.unwrap();
    let asked = ask(&engine, backups[5].id).await;
    let made = finish(&engine, asked.id).await;
    assert_eq!(made.status, JobStatus::Completed, "{:?}", made.error_message);
    assert_eq!(made.key_fingerprint, backups[5].key_fingerprint);
    let path = Path::new(made.storage_path.as_deref().unwrap());
    assert_eq!(
        path.extension().and_then(|ending| ending.to_str()),
        Some("enc"),
        "{made:?}"
    );
    assert_stands_for(&place, &engine, &made, &backups, &was).await;
}

/// An engine that does `what` when some of the archive is written.
fn while_it_runs<F>(engine: Engine, what: impl Fn(Engine) -> F + Send + Sync + 'static) -> Engine
where
    F: Future<Output = ()> + Send,
{
    let (other, runtime) = (engine.clone(), tokio::runtime::Handle::current());
    engine.with_checkpoints(Arc::new(move |at| {
        if at == Checkpoint::InChain {
            runtime.block_on(what(other.clone()));
        }
        Ok(())
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn its_chain_cannot_be_deleted_meanwhile_and_another_one_may_be_made_of_it() {
    let place = Place::new();
    let plain = place.engine().await;
    let (backups, was) = chain(&place, &plain).await;
    let refused: Arc<Mutex<u32>> = Arc::default();
    let (count, ids) = (refused.clone(), [backups[0].id, backups[4].id]);
    let engine = while_it_runs(plain.clone(), move |engine| {
        let count = count.clone();
        async move {
            for id in ids {
                let error = engine.delete_backup(id, true).await.unwrap_err();
                assert!(matches!(error, Error::Catalog(CatalogError::InUse { .. })), "{error:?}");
                *count.lock().unwrap() += 1;
            }
        }
    });
    // Two of one chain, by two workers.
    let (one, other) = (ask(&plain, backups[5].id).await, ask(&plain, backups[4].id).await);
    let workers = [start(&engine), start(&engine)];
    let (made, middle) = (ended(&engine, one.id).await, ended(&engine, other.id).await);
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(*refused.lock().unwrap(), 4);
    for row in [&made, &middle] {
        assert_eq!(row.status, JobStatus::Completed, "{:?}", row.error_message);
    }
    plain.delete_backup(middle.id, false).await.unwrap();
    assert_stands_for(&place, &plain, &made, &backups, &was).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_leaves_the_chain_and_nothing_else() {
    let place = Place::new();
    let plain = place.engine().await;
    let (backups, _) = chain(&place, &plain).await;
    let before = stored(&plain).await;
    let asked = ask(&plain, backups[5].id).await;
    let id = asked.id;
    let engine = while_it_runs(plain.clone(), move |engine| async move {
        engine.store.cancel_backup(id).await.unwrap();
    });
    let row = finish(&engine, id).await;
    assert_eq!(row.status, JobStatus::Cancelled);
    assert_eq!(stored(&plain).await, before);
    // What is not held any more may go.
    plain.delete_backup(backups[0].id, true).await.unwrap();
}

/// Changes all of a stored file but its beginning and what is read when it is opened.
fn damage(place: &Place, backup: &Backup) {
    let path = place.path("storage").join(backup.storage_path.as_ref().unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    let tail = bytes.len().saturating_sub(64 << 10);
    for byte in &mut bytes[16..tail] {
        *byte ^= 0x55;
    }
    std::fs::write(&path, bytes).unwrap();
}

async fn assert_condemned(engine: &Engine, failed: &Backup, backups: &[Backup]) {
    assert_eq!(failed.status, JobStatus::Failed);
    let message = failed.error_message.as_deref().unwrap();
    assert!(message.contains(&backups[0].id.to_string()), "{message}");
    for backup in backups {
        assert!(row(engine, backup.id).await.verify_error.is_some(), "{}", backup.id);
    }
    for kind in [AlertKind::ChainBroken, AlertKind::ConsolidationFailed] {
        assert_eq!(engine.store.open_alerts(kind).await.unwrap().len(), 1, "{kind}");
    }
    let (receipts, _) = stored(engine).await;
    assert_eq!(receipts.len(), backups.len(), "nothing of it is listed: {receipts:?}");
    let id = IdGenerator::new(engine.clock.clone(), Arc::new(OsRandom))
        .next()
        .unwrap();
    let again = engine.store.consolidate_backup(backups[5].id, id, None).await;
    assert!(matches!(again, Err(CatalogError::Damaged { .. })), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_base_fails_it_and_condemns_all_that_builds_on_it() {
    for gone in [false, true] {
        let place = Place::new();
        let engine = place.engine().await;
        let (backups, _) = chain(&place, &engine).await;
        if gone {
            std::fs::remove_file(place.path("storage").join(backups[0].storage_path.as_ref().unwrap())).unwrap();
        } else {
            damage(&place, &backups[0]);
        }
        let asked = ask(&engine, backups[5].id).await;
        let failed = finish(&engine, asked.id).await;
        assert_condemned(&engine, &failed, &backups).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_is_damaged_after_it_was_checked_is_found_out() {
    let place = Place::new();
    // What is tried again waits a moment.
    let plain = place.live_engine().await;
    let (backups, _) = chain(&place, &plain).await;
    let asked = ask(&plain, backups[5].id).await;
    let place = Arc::new(place);
    let (at, base) = (place.clone(), backups[0].clone());
    let engine = while_it_runs(plain.clone(), move |_| {
        damage(&at, &base);
        async {}
    });
    let ended = finish(&engine, asked.id).await;
    // Either all of it had been read, and what was made is whole, or it was noticed.
    if ended.status == JobStatus::Completed {
        let repository = plain.repository();
        let receipt = repository.find(ended.id).await.unwrap();
        repository.verify(&receipt, VerifyLevel::Content, &job()).await.unwrap();
    } else {
        assert_condemned(&plain, &ended, &backups).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_refuses_it() {
    let place = Place::new();
    let engine = place.engine().await;
    let (backups, _) = chain(&place, &engine).await;
    let before = stored(&engine).await;
    let now = engine.clock.now();
    let quota = |gigabytes| BackupConfig {
        quota_gigabytes: Some(gigabytes),
        quota_policy: QuotaPolicy::Refuse,
        ..BackupConfig::defaults("default", now)
    };
    engine.store.put_config(&quota(0)).await.unwrap();
    let asked = ask(&engine, backups[5].id).await;
    let failed = finish(&engine, asked.id).await;
    assert_eq!(failed.status, JobStatus::Failed);
    assert!(failed.error_message.unwrap().contains("quota"));
    assert_eq!(stored(&engine).await, before);
    engine.store.put_config(&quota(1)).await.unwrap();
    let asked = ask(&engine, backups[5].id).await;
    assert_eq!(finish(&engine, asked.id).await.status, JobStatus::Completed);
}

/// Checkpoints that tell when `at` is reached and then stand still until the test is over.
fn park_at(at: Checkpoint) -> (Checkpoints, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (tell, reached) = mpsc::channel();
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let checkpoints: Checkpoints = Arc::new(move |checkpoint| {
        if checkpoint == at {
            tell.send(()).ok();
            let _ = gate.lock().unwrap().recv();
        }
        Ok::<(), PipelineError>(())
    });
    (checkpoints, reached, open)
}

fn the_next_worker_finishes(at: Checkpoint) {
    let place = Place::new();
    let first = process();
    let (checkpoints, reached, gate) = park_at(at);
    let (backups, was, id) = first.block_on(async {
        let plain = place.engine().await;
        let (backups, was) = chain(&place, &plain).await;
        let id = ask(&plain, backups[5].id).await.id;
        std::mem::forget(start(&plain.with_checkpoints(checkpoints)));
        (backups, was, id)
    });
    reached
        .recv_timeout(Duration::from_mins(1))
        .unwrap_or_else(|_| panic!("{at} was never reached"));
    first.shutdown_background();
    place.clock.advance(TimeDelta::minutes(2));
    process().block_on(async {
        let engine = place.engine().await;
        assert_eq!(row(&engine, id).await.status, JobStatus::InProgress);
        let listed = stored(&engine).await.0.len();
        assert_eq!(listed, 6 + usize::from(at == Checkpoint::BeforeRow), "{at}");
        let error = engine.delete_backup(backups[0].id, true).await.unwrap_err();
        assert!(
            matches!(error, Error::Catalog(CatalogError::InUse { .. })),
            "{at}: {error:?}"
        );
        let made = finish(&engine, id).await;
        assert_eq!(
            (made.status, made.attempts),
            (JobStatus::Completed, 2),
            "{at}: {:?}",
            made.error_message
        );
        assert_stands_for(&place, &engine, &made, &backups, &was).await;
    });
    drop(gate);
}

#[test]
fn killed_anywhere_the_next_worker_finishes() {
    for at in [
        Checkpoint::BeforeFirstByte,
        Checkpoint::InChain,
        Checkpoint::BeforeCommit,
        Checkpoint::BeforeReceipt,
        Checkpoint::ReceiptConfirmed,
        Checkpoint::BeforeRow,
    ] {
        the_next_worker_finishes(at);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_made_from_the_storage_alone_says_so_too() {
    let place = Place::new();
    let engine = place.engine().await;
    let (backups, was) = chain(&place, &engine).await;
    let repository = engine.repository();
    let origin = Receipt {
        trigger: BackupTrigger::Scheduled,
        ..repository.find(backups[5].id).await.unwrap()
    };
    let options = FullOptions {
        compressors: 1,
        clock: engine.clock.clone(),
        random: Arc::new(OsRandom),
        checkpoints: engine.checkpoints.clone(),
    };
    let made = repository.consolidate(&origin, &options, &job()).await.unwrap();
    assert_eq!(made.trigger, BackupTrigger::Manual, "no schedule lets it go");
    assert!(made.id > origin.id, "it is built on before the one that it is made of");
    let named = |backup_type| backup_name(origin.source, backup_type, origin.created_at);
    assert_eq!(origin.name, named(BackupType::Incremental));
    let adopted = engine.store.adopt_backup(&made).await.unwrap();
    assert_eq!(adopted.name, named(BackupType::Full));
    assert_eq!(adopted.consolidated_from, Some(origin.id));
    assert_stands_for(&place, &engine, &adopted, &backups, &was).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stands_still_before_its_receipt_is_left_alone_for_a_day_and_no_success_afterwards() {
    let place = Place::new();
    let engine = place.engine().await;
    let (backups, _) = chain(&place, &engine).await;
    let before = stored(&engine).await;
    let repository = engine.repository();
    let origin = repository.find(backups[5].id).await.unwrap();
    let (checkpoints, reached, gate) = park_at(Checkpoint::BeforeReceipt);
    let options = FullOptions {
        compressors: 1,
        clock: engine.clock.clone(),
        random: Arc::new(OsRandom),
        checkpoints,
    };
    let job = job();
    let meanwhile = async {
        until("the checkpoint", async || reached.try_recv().ok()).await;
        let (_, blobs) = stored(&engine).await;
        let new = blobs.into_iter().find(|path| !before.1.contains(path)).unwrap();
        let archive = place.path("storage").join(&new);
        let written_before = |hours| {
            let file = std::fs::File::options().write(true).open(&archive).unwrap();
            let then = engine.clock.now() - TimeDelta::hours(hours);
            file.set_modified(then.into()).unwrap();
        };
        written_before(23);
        assert_eq!(engine.reconcile().await.unwrap().orphans, Vec::<String>::new());
        written_before(25);
        assert_eq!(engine.reconcile().await.unwrap().orphans, [new]);
        drop(gate);
    };
    let (made, ()) = tokio::join!(repository.consolidate(&origin, &options, &job), meanwhile);
    assert!(matches!(made, Err(PipelineError::Integrity { .. })), "{made:?}");
    assert_eq!(stored(&engine).await, before, "nothing of it is listed");
}
