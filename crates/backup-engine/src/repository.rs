//! The backups as the storage alone knows them: no catalog is asked. Everything read is authenticated with the passphrase.

mod all;
mod chain;
mod contents;
mod file;
mod full;
mod listing;
mod read;
mod restore;
mod verify;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backup_archive::{ArchiveReader, Keyring};
use backup_core::{JobControl, PipelineError, Receipt};
use backup_storage::BlobStore;

pub use all::Checked;
pub(crate) use chain::{Chain, Fault};
pub use contents::{Contents, Depth};
pub use file::ArchivedFile;
pub use full::FullOptions;
pub use listing::ListedReceipt;

/// The backups in a storage. Cheap to clone.
#[derive(Clone)]
pub struct Repository {
    storage: BlobStore,
    keys: Keyring,
    programs: Option<PathBuf>,
}

impl Repository {
    /// The backups in `storage` that `keys` can open. `programs` is the folder of `pg_restore`; `None`: it is searched in
    /// `PATH`.
    pub fn new(storage: BlobStore, keys: Keyring, programs: Option<PathBuf>) -> Self {
        Self {
            storage,
            keys,
            programs,
        }
    }

    /// The same keys and programs, and another storage.
    pub(crate) fn at(&self, storage: BlobStore) -> Self {
        Self {
            storage,
            ..self.clone()
        }
    }

    /// The same for whoever waits for an answer: a storage that is away is told of within seconds, as
    /// [`BlobStore::impatient`] does. Nothing long is read by it.
    pub fn impatient(&self) -> Self {
        self.at(self.storage.impatient())
    }

    /// The storage itself.
    pub fn storage(&self) -> &BlobStore {
        &self.storage
    }

    /// The keys.
    pub fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// Opens the archive of a receipt, and all that it builds on, for random access. Size, key, trailer and index of each are
    /// authenticated; its content is as it is read. Reading ends when `job` is cancelled. To be used from blocking threads.
    ///
    /// # Errors
    /// `Integrity` where the file is gone or not the one that was written, or where that is so of a backup that it builds on,
    /// which is named; `WrongKey`, `Unavailable`.
    pub async fn open(&self, receipt: &Receipt, job: &JobControl) -> Result<Arc<ArchiveReader>, PipelineError> {
        Ok(self.open_chain(receipt, job).await?.archive)
    }
}

fn unknown(storage: &BlobStore, id: &str) -> PipelineError {
    PipelineError::not_found(
        format!("{} has no backup {id}", storage.describe()),
        "'backupctl list' shows which backups there are.",
    )
}

/// The control of short work that nobody watches over.
fn unwatched() -> JobControl {
    JobControl::new(Duration::from_mins(1))
}
