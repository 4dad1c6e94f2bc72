use std::time::Duration;

use backup_core::{JobControl, PipelineError};
use backup_engine::Repository;
use backup_storage::BlobStore;

use crate::cli::Settings;
use crate::exit::Failure;

/// Opens the storage and derives the keys.
pub(crate) async fn repository(settings: &Settings) -> Result<Repository, Failure> {
    settings.keys.check()?;
    let storage = settings.storage.settings(&settings.data, stall_timeout(settings))?;
    let keys = settings.keys.clone();
    let keys = tokio::task::spawn_blocking(move || keys.keyring())
        .await
        .map_err(|error| PipelineError::failed("the keys could not be derived", "").because(error))??;
    let storage = BlobStore::open_existing(&storage).await?;
    let programs = settings.database.settings().programs;
    Ok(Repository::new(storage, keys, programs))
}

/// The control of the command's work: Ctrl-C and SIGTERM cancel it, so that targets clean up.
pub(crate) fn job(settings: &Settings) -> Result<JobControl, Failure> {
    let job = JobControl::new(stall_timeout(settings));
    let mut stop = backup_engine::stop_on_signal()
        .map_err(|error| Failure::failed(format!("the signals cannot be listened to: {error}")))?;
    let watched = job.clone();
    tokio::spawn(async move {
        if stop.changed().await.is_ok() {
            watched.cancel();
        }
    });
    Ok(job)
}

fn stall_timeout(settings: &Settings) -> Duration {
    Duration::from_secs(settings.stall_seconds.max(1))
}
