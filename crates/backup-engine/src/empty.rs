//! A storage that holds no backup at all, though the catalog knows some in it: behind a folder there may be a disk that is not
//! mounted today. What is not there is then neither lost nor deleted.

use backup_core::{PipelineError, counted};
use backup_storage::BlobStore;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;

use crate::engine::Engine;
use crate::error::Error;
use crate::reconcile::blob_id;

impl Engine {
    /// Makes sure that what a configuration's storage does not have may be taken for gone.
    ///
    /// # Errors
    /// `Pipeline` (`Unavailable`) where the storage is empty and should not be; as the storage and the catalog fail.
    pub(crate) async fn refuse_empty(&self, storage: &BlobStore, config_key: &str) -> Result<(), Error> {
        let began = self.clock.now();
        if holds_any(storage).await? {
            return Ok(());
        }
        let mut config_keys = self.sharing(storage).await?;
        if !config_keys.iter().any(|key| key == config_key) {
            config_keys.push(config_key.to_owned());
        }
        match self.why_not_empty(storage, &config_keys, began).await? {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Why a storage of these configurations, which was empty at that time, is not believed; `None`: it may well be empty.
    pub(crate) async fn why_not_empty(
        &self,
        storage: &BlobStore,
        config_keys: &[String],
        at: DateTime<Utc>,
    ) -> Result<Option<PipelineError>, Error> {
        // What is being deleted does not count: the last backup may go.
        let known = self.store.count_completed(config_keys, at).await?;
        Ok((known > 0).then(|| {
            PipelineError::unavailable(
                format!(
                    "{} is empty, and the catalog knows {} in it",
                    storage.describe(),
                    counted(known, "backup", "backups")
                ),
                "Is it mounted? Mount it, or correct the storage's URL. Where the backups are really gone, make a new one: then \
                 the others are told as lost, and can be deleted.",
            )
        }))
    }
}

/// Whether the storage has a receipt or an archive of any backup.
async fn holds_any(storage: &BlobStore) -> Result<bool, PipelineError> {
    if storage.receipts().try_next().await?.is_some() {
        return Ok(true);
    }
    let mut blobs = storage.blobs();
    while let Some(blob) = blobs.try_next().await? {
        if !blob.partial && blob_id(&blob).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
