//! An engine on real parts: an embedded catalog, a folder as storage, a tree of files and, where asked for, a database.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backup_archive::{ArchiveKey, Keyring};
use backup_core::receipt::Codec;
use backup_core::retention::Retention;
use backup_core::schedule::Schedule;
use backup_core::{
    Backup, BackupId, BackupSource, BackupTrigger, BackupType, Clock, IdGenerator, JobStatus, ManualClock, NewBackup,
    OsRandom, SystemClock,
};
use backup_db::Store;
use backup_engine::{Engine, JobSettings, Worker, storage_at_start};
use backup_sources::{ConnectionOptions, DatabaseSettings, NamedBy};
use backup_storage::{BlobStore, StorageSettings};
use backup_tests::postgres::{Database, Postgres};
use chrono::DateTime;
use futures_util::TryStreamExt;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A place for one system: catalog, storage, data.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) database: DatabaseSettings,
    pub(crate) catalog: String,
    pub(crate) storage: StorageSettings,
    pub(crate) lease: Duration,
    pub(crate) passphrase: &'static str,
    /// Passphrases of former times.
    pub(crate) previous: Vec<&'static str>,
    pub(crate) quota_bytes: Option<u64>,
    /// Dropped with the place.
    pub(crate) source: Option<Database>,
}

impl Place {
    /// A place with a few files and no database.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let uploads = folder.path().join("uploads");
        std::fs::create_dir_all(uploads.join("photos")).unwrap();
        std::fs::write(uploads.join("photos/one.bin"), pseudo_random(3 << 20)).unwrap();
        std::fs::write(uploads.join("readme.txt"), "hello\n".repeat(1000)).unwrap();
        let catalog = format!("sqlite://{}", folder.path().join("catalog.db").display());
        let storage = StorageSettings::new(format!("file://{}", folder.path().join("storage").display()));
        Self {
            clock: Arc::new(ManualClock::new(DateTime::from_timestamp(1_795_000_000, 0).unwrap())),
            database: DatabaseSettings {
                host: "localhost".into(),
                port: 1,
                name: String::new(),
                user: None,
                password: None,
                options: ConnectionOptions::default(),
                named_by: NamedBy::Settings,
                programs: None,
                random: Arc::new(OsRandom),
            },
            catalog,
            storage,
            lease: Duration::from_mins(1),
            passphrase: "correct horse battery staple",
            previous: Vec::new(),
            quota_bytes: None,
            source: None,
            folder,
        }
    }

    /// The same with a small database, which a FULL_SYSTEM backup needs.
    pub(crate) fn with_database() -> Self {
        let database = Postgres::shared().create_database("source");
        database.psql("CREATE TABLE notes AS SELECT n, 'note ' || n AS text FROM generate_series(1, 100) n");
        let mut place = Self::new();
        place.database.host.clone_from(&database.host);
        place.database.port = database.port;
        place.database.name.clone_from(&database.name);
        place.database.user = Some(database.user.clone());
        place.database.password = Some(database.password.as_str().into());
        place.source = Some(database);
        place
    }

    pub(crate) fn uploads(&self) -> PathBuf {
        self.folder.path().join("uploads")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new engine, as a new process would have it.
    pub(crate) async fn engine(&self) -> Engine {
        self.engine_with(self.clock.clone()).await
    }

    /// An engine whose time passes by itself.
    pub(crate) async fn live_engine(&self) -> Engine {
        self.engine_with(Arc::new(SystemClock)).await
    }

    /// An engine whose storage may be away when it starts.
    pub(crate) async fn engine_at_start(&self) -> Engine {
        let storage = storage_at_start(&self.storage).await.unwrap();
        self.engine_on(storage, self.clock.clone()).await
    }

    async fn engine_with(&self, clock: Arc<dyn Clock>) -> Engine {
        let storage = BlobStore::open(&self.storage).await.unwrap();
        self.engine_on(storage, clock).await
    }

    async fn engine_on(&self, storage: BlobStore, clock: Arc<dyn Clock>) -> Engine {
        let store = Store::open(&self.catalog, clock.clone()).await.unwrap();
        let key = |passphrase: &'static str| ArchiveKey::from_passphrase(&passphrase.into()).unwrap();
        let previous = self.previous.iter().map(|&passphrase| key(passphrase)).collect();
        let keys = Keyring::new(key(self.passphrase), previous);
        let settings = JobSettings {
            storage: self.storage.clone(),
            quota_bytes: self.quota_bytes,
            database: self.database.clone(),
            upload_dir: self.uploads(),
            environment: vec![("APP_NAME".into(), "kit".into())],
            config_paths: Vec::new(),
            drill: backup_engine::DrillSettings {
                server: None,
                folder: self.path("drills"),
            },
            data_dir: self.path("data"),
            read_all_files: false,
            chain: backup_core::chain::ChainLimits::default(),
            codec: Codec::Zstd,
            compressors: 2,
            workers: 1,
            storage_max_jobs: None,
            upload_bytes_per_second: None,
            lease: self.lease,
            stall_timeout: Duration::from_secs(20),
            drain: Duration::ZERO,
        };
        Engine::new(store, storage, keys, settings, clock, Arc::new(OsRandom))
    }
}

/// Bytes that do not compress, the same each time.
pub(crate) fn pseudo_random(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// A runtime of its own: dropped in the background, everything in it dies as with its process.
pub(crate) fn process() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Asks for a backup.
pub(crate) async fn ask(engine: &Engine, source: BackupSource) -> BackupId {
    ask_for(engine, "default", source).await
}

/// Asks for a backup of a configuration.
pub(crate) async fn ask_for(engine: &Engine, config_key: &str, source: BackupSource) -> BackupId {
    ask_as(engine, config_key, BackupType::Full, source).await
}

/// Asks for a backup of this type.
pub(crate) async fn ask_as(
    engine: &Engine,
    config_key: &str,
    backup_type: BackupType,
    source: BackupSource,
) -> BackupId {
    let ids = IdGenerator::new(engine.clock.clone(), Arc::new(OsRandom));
    let new = NewBackup {
        id: ids.next().unwrap(),
        config_key: config_key.into(),
        backup_type,
        source,
        trigger: BackupTrigger::Manual,
        description: Some("by a test".into()),
        created_by: None,
        schedule_id: None,
    };
    engine.store.create_backup(new).await.unwrap().id
}

pub(crate) async fn row(engine: &Engine, id: BackupId) -> Backup {
    engine.store.get_backup(id).await.unwrap().unwrap().backup
}

/// A schedule of files, each night at two, and what is changed of it.
pub(crate) async fn nightly(engine: &Engine, change: impl FnOnce(&mut Schedule)) -> Schedule {
    let ids = IdGenerator::new(engine.clock.clone(), Arc::new(OsRandom));
    let now = engine.clock.now();
    let mut schedule = Schedule {
        id: ids.next().unwrap(),
        config_key: "default".into(),
        name: "nightly".into(),
        description: None,
        is_enabled: true,
        backup_type: BackupType::Full,
        backup_source: BackupSource::Files,
        cron_expression: "0 2 * * *".into(),
        timezone: "UTC".into(),
        retention: Retention::default(),
        next_run_at: None,
        last_run_at: None,
        last_success_at: None,
        last_verify_passed_at: None,
        start_window: None,
        verification: backup_core::schedule::VerifyPolicy::default(),
        consolidate_every: None,
        created_at: now,
        updated_at: now,
        created_by: None,
    };
    change(&mut schedule);
    engine.store.create_schedule(schedule).await.unwrap()
}

/// Lets time pass to the next firing, fires, and runs the backup to its end.
pub(crate) async fn fire(place: &Place, engine: &Engine) -> Backup {
    place.clock.set(engine.store.next_firing_at().await.unwrap().unwrap());
    let fired = engine.store.fire_due_schedules(10).await.unwrap();
    let id = fired[0].backup.as_ref().unwrap().id;
    let worker = start(engine);
    let row = ended(engine, id).await;
    worker.stop().await;
    row
}

/// A worker that runs until it is stopped.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

pub(crate) fn start(engine: &Engine) -> Running {
    let worker = Worker::new(engine.clone()).unwrap();
    let (stop, told) = watch::channel(false);
    Running {
        stop,
        task: tokio::spawn(async move { worker.run(told).await }),
    }
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

/// Waits until `look` gives something; the test fails after a minute.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let patience = Duration::from_mins(1);
    let wait = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(patience, wait)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Waits until the backup has ended, and returns its row.
pub(crate) async fn ended(engine: &Engine, id: BackupId) -> Backup {
    until("the end of the backup", async || {
        let row = row(engine, id).await;
        row.status.is_final().then_some(row)
    })
    .await
}

/// Makes a backup with a worker of its own.
pub(crate) async fn backup(engine: &Engine, source: BackupSource) -> Backup {
    let id = ask(engine, source).await;
    let worker = start(engine);
    let row = ended(engine, id).await;
    worker.stop().await;
    assert_eq!(row.status, JobStatus::Completed, "{:?}", row.error_message);
    row
}

/// Everything in the storage: receipts, then blobs and leftovers.
pub(crate) async fn stored(engine: &Engine) -> (Vec<String>, Vec<String>) {
    let receipts = engine.storage.receipts().try_collect().await.unwrap();
    let blobs: Vec<_> = engine.storage.blobs().try_collect().await.unwrap();
    (receipts, blobs.into_iter().map(|blob| blob.path).collect())
}
