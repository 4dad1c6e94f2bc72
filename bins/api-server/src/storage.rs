//! The storage that the server starts with. It may be away; one that refuses (wrong settings, no rights) is tried until it no
//! longer does. What needs it is refused meanwhile, and `/readyz` says so.

use std::time::Duration;

use backup_db::Store;
use backup_engine::{Action, storage_at_start};
use backup_storage::{BlobStore, StorageSettings};
use tokio::time::sleep;

/// The pause between two tries: jobs that come in are to fail within seconds.
const PAUSE: Duration = Duration::from_secs(2);

/// How long another process has to take a job up, before this one fails it for want of a storage.
const FOR_OTHERS: Duration = Duration::from_secs(4);

/// The storage, once its settings can work. While they cannot, waiting helps nobody: then each job that nobody else takes up
/// fails with the reason, if `runs_jobs`.
pub(crate) async fn open(settings: &StorageSettings, store: &Store, runs_jobs: bool) -> BlobStore {
    loop {
        let error = match storage_at_start(settings).await {
            Ok(storage) => return storage,
            Err(error) => error,
        };
        tracing::error!(
            action = %Action::StorageUnavailable,
            "the storage cannot be opened and is tried again: {}", error.full_text()
        );
        if runs_jobs && let Err(error) = store.fail_waiting(&error.full_text(), FOR_OTHERS).await {
            tracing::warn!(action = %Action::CatalogUnavailable, "waiting jobs could not be ended: {error}");
        }
        sleep(PAUSE).await;
    }
}
