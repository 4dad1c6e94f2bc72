use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backup_archive::Keyring;
use backup_core::chain::ChainLimits;
use backup_core::receipt::Codec;
use backup_core::{Clock, PipelineError, Random, Source};
use backup_db::Store;
use backup_notify::smtp::Mailer;
use backup_sources::DatabaseSettings;
use backup_storage::{BlobStore, StorageSettings};

use crate::bridge::{Throttle, blocking};
use crate::checkpoint::{self, Checkpoint, Checkpoints};
use crate::environment::Environment;
use crate::repository::Repository;
use crate::verify::DrillSettings;

/// How often a job is taken up before it is given up.
pub const MAX_ATTEMPTS: u32 = 3;

/// What the jobs do, apart from what the catalog says.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// The storage, where a configuration names no other.
    pub storage: StorageSettings,
    /// Bytes that the backups of one configuration may take up, where it does not say; `None`: no limit.
    pub quota_bytes: Option<u64>,
    /// The database that is backed up, where a configuration names no other; its server is also the one that databases are
    /// restored to. Without a name, backups of a database are refused.
    pub database: DatabaseSettings,
    /// The tree of uploaded files, where a configuration names no other.
    pub upload_dir: PathBuf,
    /// The environment that a CONFIG backup exports.
    pub environment: Vec<(String, String)>,
    /// Further files and folders that a CONFIG backup includes.
    pub config_paths: Vec<PathBuf>,
    /// Where restores are tried.
    pub drill: DrillSettings,
    /// Everything local; configuration is restored below it.
    pub data_dir: PathBuf,
    /// Whether an incremental or differential backup reads files too whose size, times and number are those of its base.
    pub read_all_files: bool,
    /// How far a chain of backups may grow.
    pub chain: ChainLimits,
    /// How archives are compressed where the catalog's configuration does not say.
    pub codec: Codec,
    /// Threads that compress one archive.
    pub compressors: usize,
    /// Jobs that a worker runs at once.
    pub workers: usize,
    /// Jobs that may run at once on one storage, of all processes together; `None`: as many as there are workers.
    pub storage_max_jobs: Option<u32>,
    /// Bytes of backups that the process uploads in a second; `None`: as fast as the storage takes them.
    pub upload_bytes_per_second: Option<u64>,
    /// How long a job stays its worker's without a heartbeat.
    pub lease: Duration,
    /// How long a child process or a transfer may be silent.
    pub stall_timeout: Duration,
    /// How long running jobs have to reach their end when the worker is told to stop.
    pub drain: Duration,
}

/// Everything a job needs. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Engine(Arc<Parts>);

/// What an engine is made of.
#[derive(Clone)]
pub struct Parts {
    /// The catalog.
    pub store: Store,
    /// The environment's storage: that of every configuration which names no other. It may be away.
    pub storage: BlobStore,
    /// Everything else that the environment says.
    pub environment: Environment,
    /// What a linking service brings; part of every FULL_SYSTEM backup, after the three parts of our own.
    pub sources: Vec<Arc<dyn Source>>,
    /// Called at each checkpoint.
    pub checkpoints: Checkpoints,
    /// What all uploads of the process share.
    pub(crate) throttle: Option<Arc<Throttle>>,
}

impl std::ops::Deref for Parts {
    type Target = Environment;

    fn deref(&self) -> &Environment {
        &self.environment
    }
}

impl std::ops::Deref for Engine {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Engine {
    /// An engine of these parts, with no sources but our own.
    pub fn new(
        store: Store,
        storage: BlobStore,
        keys: Keyring,
        settings: JobSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self::on(store, storage, Environment::new(keys, settings, clock, random))
    }

    /// The engine of an environment and its storage.
    pub fn on(store: Store, storage: BlobStore, environment: Environment) -> Self {
        let throttle = environment.settings.upload_bytes_per_second.map(Throttle::new);
        Self(Arc::new(Parts {
            throttle: throttle.map(Arc::new),
            store,
            storage,
            environment,
            sources: Vec::new(),
            checkpoints: checkpoint::none(),
        }))
    }

    /// The same engine with one more source in every FULL_SYSTEM backup.
    pub fn with_source(self, source: Arc<dyn Source>) -> Self {
        self.changed(|parts| parts.sources.push(source))
    }

    /// The same engine, which sends e-mail.
    pub fn with_mailer(self, mailer: Option<Mailer>) -> Self {
        self.changed(|parts| parts.environment.mailer = mailer.map(Arc::new))
    }

    /// The same engine, whose messages name the address that people use.
    pub fn with_installation(self, installation: Option<String>) -> Self {
        self.changed(|parts| parts.environment.installation = installation)
    }

    /// The same engine, which calls `checkpoints` between the steps of its jobs: for tests of what a crash leaves.
    pub fn with_checkpoints(self, checkpoints: Checkpoints) -> Self {
        self.changed(|parts| parts.checkpoints = checkpoints)
    }

    fn changed(self, change: impl FnOnce(&mut Parts)) -> Self {
        let mut parts = Parts::clone(&self.0);
        change(&mut parts);
        Self(Arc::new(parts))
    }

    /// The backups in the environment's storage, as it alone knows them.
    pub fn repository(&self) -> Repository {
        Repository::new(
            self.storage.clone(),
            self.keys.clone(),
            self.settings.database.programs.clone(),
        )
    }

    pub(crate) async fn checkpoint(&self, reached: Checkpoint) -> Result<(), PipelineError> {
        let checkpoints = self.checkpoints.clone();
        blocking(move || checkpoints(reached)).await
    }
}
