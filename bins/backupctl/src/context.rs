use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use backup_archive::Keyring;
use backup_core::{JobControl, OsRandom, PipelineError, SystemClock};
use backup_db::Store;
use backup_engine::{FullOptions, Repository, open_storage};
use backup_storage::StorageSettings;
use secrecy::ExposeSecret;

use crate::cli::Settings;
use crate::exit::Failure;
use crate::output;

/// Opens the storage and derives the keys.
pub(crate) async fn repository(settings: &Settings) -> Result<Repository, Failure> {
    let keys = keyring(settings).await?;
    let storage = storage_settings(settings)?;
    if let Some(warning) = settings.storage.warning() {
        output::message(&format!("warning: {warning}"));
    }
    let storage = open_storage(&storage).await?;
    Ok(Repository::new(storage, keys, settings.database.programs()))
}

/// Opens the catalog; an embedded one is made where it is missing.
pub(crate) async fn catalog(settings: &Settings) -> Result<Store, Failure> {
    let url = settings.catalog.url(&settings.data)?;
    Ok(Store::open(url.expose_secret(), Arc::new(SystemClock)).await?)
}

/// Opens the catalog, where there is one: an embedded one is not made.
pub(crate) async fn catalog_if_there(settings: &Settings) -> Result<Option<Store>, Failure> {
    let url = settings.catalog.url(&settings.data)?;
    let file = url.expose_secret().strip_prefix("sqlite://").map(ToOwned::to_owned);
    // Where it cannot be seen, opening it says why.
    if file.is_some_and(|file| matches!(Path::new(&file).try_exists(), Ok(false))) {
        return Ok(None);
    }
    catalog(settings).await.map(Some)
}

/// Opens the catalog, which must be there: what is done to one that was just made would be done to nobody's.
pub(crate) async fn existing_catalog(settings: &Settings) -> Result<Store, Failure> {
    if let Some(store) = catalog_if_there(settings).await? {
        return Ok(store);
    }
    let url = settings.catalog.url(&settings.data)?;
    Err(PipelineError::not_found(
        format!("the catalog {} is not there", url.expose_secret()),
        "Name the services' catalog by CATALOG_URL or BACKUP_DATA_DIR. A new one is made by api-server when it first starts.",
    )
    .into())
}

/// Where the backups are, by the settings.
pub(crate) fn storage_settings(settings: &Settings) -> Result<StorageSettings, Failure> {
    Ok(settings.storage.settings(&settings.data, stall_timeout(settings))?)
}

/// Derives the keys.
pub(crate) async fn keyring(settings: &Settings) -> Result<Keyring, Failure> {
    settings.keys.check()?;
    let keys = settings.keys.clone();
    let keys = tokio::task::spawn_blocking(move || keys.keyring());
    Ok(keys
        .await
        .map_err(|error| PipelineError::failed("the keys could not be derived", "").because(error))??)
}

/// What making an archive needs.
pub(crate) fn full_options(settings: &Settings) -> FullOptions {
    FullOptions {
        compressors: available_parallelism().map_or(1, usize::from),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
        checkpoints: settings.fault.checkpoints(),
    }
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
