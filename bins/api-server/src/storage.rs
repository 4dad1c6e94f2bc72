//! Opening the storage, which may be away when the server starts: it is tried until it is there. What needs it is refused
//! meanwhile, and `/readyz` says so.

use std::time::Duration;

use backup_core::PipelineError;
use backup_db::Store;
use backup_engine::Action;
use backup_storage::{BlobStore, StorageSettings};
use tokio::time::sleep;

/// The pauses between two tries: this, doubled each time.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// How long another process has to take a job up, before this one fails it for want of a storage.
const FOR_OTHERS: Duration = Duration::from_secs(4);

/// Opens the storage, however long that takes. Where it refuses (wrong settings, no rights) waiting helps nobody: then each
/// job that nobody else takes up fails with the reason, if `runs_jobs`.
pub(crate) async fn open(settings: &StorageSettings, store: &Store, runs_jobs: bool) -> BlobStore {
    let mut pause = PAUSE;
    loop {
        let error = match BlobStore::open(settings).await.map_err(PipelineError::from) {
            Ok(storage) => return storage,
            Err(error) => error,
        };
        tracing::error!(
            action = %Action::StorageUnavailable,
            "the storage cannot be opened and is tried again: {}", error.full_text()
        );
        let refused = !matches!(error, PipelineError::Unavailable { .. });
        if refused
            && runs_jobs
            && let Err(error) = store.fail_waiting(&error.full_text(), FOR_OTHERS).await
        {
            tracing::warn!(action = %Action::CatalogUnavailable, "waiting jobs could not be ended: {error}");
        }
        sleep(pause).await;
        // Jobs that come in are to fail within seconds.
        pause = if refused { PAUSE * 2 } else { (pause * 2).min(MAX_PAUSE) };
    }
}
