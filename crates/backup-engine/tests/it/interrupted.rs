//! Jobs that are cancelled, drained, or lose the catalog or the storage for a while.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::exchanged::{ask_restore, restore_ended};
use crate::kit::{Place, ask, ask_as, backup, ended, pseudo_random, row, start, stored, until};
use crate::plans::options;
use backup_core::receipt::receipt_path;
use backup_core::restore::RestoreOptions;
use backup_core::{
    ArchiveSink, BackupContents, BackupId, BackupSource, BackupTrigger, BackupType, Entry, EntryPath, JobControl,
    JobStatus, NewBackup, PipelineError, Source, Step, WarningCode,
};
use backup_engine::{Checkpoint, Checkpoints, Engine};
use backup_storage::StorageSettings;
use backup_tests::azurite::Azurite;
use backup_tests::postgres::Postgres;

/// A source that stands still in the middle of its part until it is let go or its job is cancelled.
#[derive(Clone, Default)]
struct Gate {
    reached: Arc<AtomicBool>,
    open: Arc<AtomicBool>,
}

impl Gate {
    async fn reached(&self) {
        until("the source to stand still", async || {
            self.reached.load(Ordering::SeqCst).then_some(())
        })
        .await;
    }

    fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

impl Source for Gate {
    fn part(&self) -> &'static str {
        "gate"
    }

    fn step(&self) -> Step {
        Step::Config
    }

    fn prepare(&self, _job: &JobControl) -> Result<u64, PipelineError> {
        Ok(0)
    }

    fn backup(
        &self,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
        _: &mut BackupContents,
    ) -> Result<(), PipelineError> {
        let data = pseudo_random(24 << 20);
        let entry = |name: &str| Entry::plain_file(EntryPath::new(name).unwrap(), data.len() as u64, 0);
        sink.append(&entry("a"), &mut (&data[..] as &[u8]) as &mut dyn Read)?;
        self.reached.store(true, Ordering::SeqCst);
        while !self.open.load(Ordering::SeqCst) {
            job.check()?;
            std::thread::sleep(Duration::from_millis(10));
        }
        sink.append(&entry("b"), &mut (&data[..] as &[u8]) as &mut dyn Read)?;
        Ok(())
    }
}

async fn at_the_gate(engine: Engine) -> (Engine, Gate, BackupId, crate::kit::Running) {
    let gate = Gate::default();
    let engine = engine.with_source(Arc::new(gate.clone()));
    let id = ask(&engine, BackupSource::FullSystem).await;
    let worker = start(&engine);
    tokio::select! {
        () = gate.reached() => {}
        row = ended(&engine, id) => panic!("ended early: {:?}", row.error_message),
    }
    (engine, gate, id, worker)
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_takes_a_moment_and_leaves_nothing() {
    let place = Place::with_database();
    let (engine, _gate, id, worker) = at_the_gate(place.live_engine().await).await;
    let asked = Instant::now();
    engine.store.cancel_backup(id).await.unwrap();
    let row = ended(&engine, id).await;
    assert_eq!(row.status, JobStatus::Cancelled);
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    assert_eq!(stored(&engine).await, (vec![], vec![]));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_stopped_behind_an_empty_database_says_that_it_is_filled() {
    let place = Place::with_database();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Database).await;
    let empty = Postgres::shared().create_database("empty");
    let options = RestoreOptions {
        restore_database: true,
        target_database: Some(empty.name.clone()),
        ..options()
    };
    let id = ask_restore(&engine, &made, options).await;
    let cancelled: Checkpoints = Arc::new(|at| match at {
        Checkpoint::RestoreWhole => Err(PipelineError::Cancelled),
        _ => Ok(()),
    });
    let record = restore_ended(&engine.with_checkpoints(cancelled), id).await;
    assert_eq!(record.status, JobStatus::Failed);
    let message = record.error_message.unwrap();
    for words in ["cancelled", empty.name.as_str(), "make it empty"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert_eq!(empty.psql("SELECT count(*) FROM notes"), "100");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_gives_its_job_back() {
    let place = Place::with_database();
    let (engine, gate, id, worker) = at_the_gate(place.live_engine().await).await;
    worker.stop().await;
    let waiting = row(&engine, id).await;
    assert_eq!((waiting.status, waiting.attempts), (JobStatus::Pending, 0));
    assert_eq!(stored(&engine).await, (vec![], vec![]));
    gate.open();
    let worker = start(&engine);
    let done = ended(&engine, id).await;
    worker.stop().await;
    assert_eq!(done.status, JobStatus::Completed, "{:?}", done.error_message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_is_away_for_ten_seconds_fails_no_backup() {
    let server = Postgres::start();
    let catalog = server.create_database("catalog");
    let mut place = Place::with_database();
    place.catalog = catalog.url();
    // Not to run out meanwhile, however long the catalog takes to come back: attempts are counted.
    place.lease = Duration::from_mins(5);
    let (engine, gate, id, worker) = at_the_gate(place.live_engine().await).await;
    server.kill9();
    gate.open();
    // The backup reaches its end meanwhile, and cannot tell anybody.
    until("the receipt", async || {
        let found = engine.storage.find_receipt(&id.to_string()).await.unwrap();
        found.is_some().then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    server.resume();
    let done = ended(&engine, id).await;
    worker.stop().await;
    assert_eq!(done.status, JobStatus::Completed, "{:?}", done.error_message);
    assert_eq!(done.attempts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_dies_and_comes_back_costs_an_attempt_and_no_backup() {
    let azurite = Azurite::start();
    let mut place = Place::with_database();
    place.storage = StorageSettings {
        connection_string: Some(azurite.connection_string().into()),
        container: azurite.new_container(),
        stall_timeout: Duration::from_secs(8),
        ..StorageSettings::new("")
    };
    let (engine, gate, id, worker) = at_the_gate(place.live_engine().await).await;
    azurite.wait_until_saved(&place.storage.container);
    azurite.kill9();
    gate.open();
    let failed = until("the first attempt to fail", async || {
        let row = row(&engine, id).await;
        (row.status != JobStatus::InProgress).then_some(row)
    })
    .await;
    assert_eq!(failed.status, JobStatus::Pending);
    azurite.restart();
    let done = ended(&engine, id).await;
    worker.stop().await;
    assert_eq!(done.status, JobStatus::Completed, "{:?}", done.error_message);
    let receipt = engine.repository().find(id).await.unwrap();
    let job = JobControl::new(Duration::from_secs(20));
    let content = backup_core::VerifyLevel::Content;
    engine.repository().verify(&receipt, content, &job).await.unwrap();
}

/// The upload of a small backup notices nothing of it: its first part is not full.
#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_dies_while_the_base_is_read_costs_an_attempt_and_no_backup() {
    let azurite = Arc::new(Azurite::start());
    let mut place = Place::new();
    place.storage = StorageSettings {
        connection_string: Some(azurite.connection_string().into()),
        container: azurite.new_container(),
        stall_timeout: Duration::from_secs(4),
        ..StorageSettings::new("")
    };
    let engine = place.live_engine().await;
    let full = backup(&engine, BackupSource::Files).await;
    azurite.wait_until_saved(&receipt_path(full.id, full.started_at.unwrap()));
    let file = place.uploads().join("photos/one.bin");
    let mut content = std::fs::read(&file).unwrap();
    content[1 << 20] ^= 1;
    std::fs::write(&file, content).unwrap();

    let (server, killed) = (azurite.clone(), AtomicBool::new(false));
    let checkpoints: Checkpoints = Arc::new(move |at| {
        if at == Checkpoint::InFiles && !killed.swap(true, Ordering::SeqCst) {
            server.kill9();
        }
        Ok(())
    });
    let engine = engine.with_checkpoints(checkpoints);
    let id = ask_as(&engine, "default", BackupType::Incremental, BackupSource::Files).await;
    let worker = start(&engine);
    let failed = until("the first attempt to fail", async || {
        let row = row(&engine, id).await;
        (row.attempts > 0 && row.status != JobStatus::InProgress).then_some(row)
    })
    .await;
    assert_eq!(failed.status, JobStatus::Pending, "{:?}", failed.error_message);
    azurite.restart();
    let done = ended(&engine, id).await;
    worker.stop().await;
    assert_eq!(done.status, JobStatus::Completed, "{:?}", done.error_message);
    assert_eq!(done.backup_type, BackupType::Incremental);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incremental_backup_without_a_base_is_made_full_and_says_so() {
    let place = Place::new();
    let engine = place.live_engine().await;
    let id = backup_core::IdGenerator::new(engine.clock.clone(), Arc::new(backup_core::OsRandom))
        .next()
        .unwrap();
    let new = NewBackup {
        id,
        config_key: "default".into(),
        backup_type: BackupType::Incremental,
        source: BackupSource::Files,
        trigger: BackupTrigger::Manual,
        description: None,
        created_by: None,
        schedule_id: None,
    };
    engine.store.create_backup(new).await.unwrap();
    let worker = start(&engine);
    let row = ended(&engine, id).await;
    worker.stop().await;
    assert_eq!((row.status, row.backup_type), (JobStatus::Completed, BackupType::Full));
    assert!(
        row.warnings
            .iter()
            .any(|warning| warning.code == WarningCode::PromotedToFull)
    );
    assert!(row.name.starts_with("backup-files-full-"), "{}", row.name);
    let receipt = engine.repository().find(id).await.unwrap();
    assert_eq!(receipt.name, row.name, "a catalog that is rebuilt says the same");
}
