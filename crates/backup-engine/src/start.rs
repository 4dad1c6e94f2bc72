//! From settings to an engine.

use std::sync::Arc;
use std::thread::available_parallelism;

use backup_core::{Clock, PipelineError, Random};
use backup_db::Store;
use backup_notify::smtp::Mailer;
use backup_storage::BlobStore;
use secrecy::ExposeSecret;

use crate::engine::{Engine, JobSettings};
use crate::settings::{EngineArgs, SettingsError};

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

impl Engine {
    /// Opens catalog and storage as the settings say, creating what is missing.
    ///
    /// # Errors
    /// `Settings` before anything is touched; `Pipeline` where catalog or storage cannot be opened.
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
        let storage = BlobStore::open(&settings.storage).await.map_err(PipelineError::from)?;
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
