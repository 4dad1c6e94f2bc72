//! From settings to an engine.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use backup_core::{Clock, PipelineError, Random};
use backup_db::Store;
use backup_notify::smtp::Mailer;
use backup_storage::{BlobStore, StorageSettings};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::engine::{Engine, JobSettings};
use crate::logging::Action;
use crate::settings::{EngineArgs, SettingsError};

/// How long a start waits for the storage's word: longer than one that is away is asked again and again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a program could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings do not make sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What they name cannot be reached or refuses.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// The environment's storage at the start of a process. One that is away, or does not answer within seconds, keeps the start
/// waiting no longer: it is opened by its first use, and what needs it meanwhile ends as where it goes away later.
///
/// # Errors
/// Where it answers that it cannot be used as it is set up.
pub async fn storage_at_start(settings: &StorageSettings) -> Result<BlobStore, PipelineError> {
    let storage = BlobStore::open_lazily(settings)?;
    let why = match timeout(PATIENCE, storage.impatient().opened()).await {
        Ok(Ok(())) => return Ok(storage),
        Ok(Err(error)) => match PipelineError::from(error) {
            error @ PipelineError::Unavailable { .. } => error.full_text(),
            error => return Err(error),
        },
        Err(_) => format!("{} does not answer within {} s", storage.describe(), PATIENCE.as_secs()),
    };
    tracing::error!(
        action = %Action::StorageUnavailable,
        "the storage is away; what needs it fails or is tried again until it is back: {why}"
    );
    Ok(storage)
}

impl Engine {
    /// Opens catalog and storage as the settings say, creating what is missing. The storage may be away: see
    /// [`storage_at_start`].
    ///
    /// # Errors
    /// `Settings` before anything is touched; `Pipeline` where the catalog cannot be opened, or the storage cannot be used as
    /// it is set up.
    pub async fn open(args: &EngineArgs, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, StartError> {
        args.keys.check()?;
        let url = args.catalog.url(&args.data)?;
        let settings = args.job_settings(&random)?;
        let mailer = args.mailer(clock.clone(), random.clone())?;
        let installation = args.notify.public_url()?.map(String::from);
        let keys = args.keys.clone();
        let keys = tokio::task::spawn_blocking(move || keys.keyring())
            .await
            .map_err(|error| PipelineError::failed("the keys could not be derived", "").because(error))??;
        let data = args.data.absolute()?;
        std::fs::create_dir_all(&data).map_err(|error| {
            PipelineError::refused(
                format!("the folder '{}' cannot be made", data.display()),
                "Set BACKUP_DATA_DIR to a folder that this user may write.",
            )
            .because(error)
        })?;
        let store = Store::open(url.expose_secret(), clock.clone())
            .await
            .map_err(PipelineError::from)?;
        let storage = storage_at_start(&settings.storage).await?;
        Ok(Self::new(store, storage, keys, settings, clock, random)
            .with_mailer(mailer)
            .with_installation(installation)
            .with_checkpoints(args.worker.fault.checkpoints()))
    }
}

impl EngineArgs {
    /// What sends e-mail; `None` where no mail server is set up, which is not spoken to yet.
    pub fn mailer(&self, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Option<Mailer>, SettingsError> {
        let Some(settings) = self.notify.smtp()? else {
            return Ok(None);
        };
        Mailer::new(settings, clock, random)
            .map(Some)
            .map_err(|error| SettingsError::new(error.message(), error.hint()))
    }

    /// What the jobs do, by the settings.
    pub fn job_settings(&self, random: &Arc<dyn Random>) -> Result<JobSettings, SettingsError> {
        Ok(JobSettings {
            storage: self.storage.settings(&self.data, self.worker.stall_timeout())?,
            quota_bytes: Some(self.worker.quota_gb << 30),
            database: self.database.settings(random.clone()),
            upload_dir: self.files.upload_dir.clone(),
            environment: self.config.exported_environment(),
            config_paths: self.config.listed_paths(),
            drill: self.drill.settings(&self.data, &self.database, random.clone())?,
            data_dir: self.data.absolute()?,
            read_all_files: self.files.read_all,
            chain: self.worker.chain(),
            codec: self.worker.compression,
            compressors: available_parallelism().map_or(1, usize::from),
            workers: self.worker.workers,
            storage_max_jobs: self.worker.storage_max_jobs,
            upload_bytes_per_second: self.worker.upload_limit_mib.map(|limit| limit << 20),
            lease: self.worker.lease(),
            stall_timeout: self.worker.stall_timeout(),
            drain: self.worker.drain(),
        })
    }
}
