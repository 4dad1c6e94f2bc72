//! Deleting backups in two phases: a tombstone in the catalog, then receipt, blob, row. Each step can be repeated, and an
//! interrupted deletion is finished by the next reconciliation.

use backup_core::receipt::receipt_path;
use backup_core::{Backup, BackupId, PipelineError};
use backup_storage::BlobStore;

use crate::Checkpoint;
use crate::engine::Engine;
use crate::error::Error;
use crate::logging::Action;

impl Engine {
    /// Deletes a backup, and with `cascade` the ones that build on it, those first. Returns which were deleted.
    ///
    /// # Errors
    /// `Catalog` where it may not be deleted (running, protected, others depend on it) or is not there: nothing has
    /// happened. `Pipeline` where the storage failed: the rows stay marked, and deleting again goes on from there.
    pub async fn delete_backup(&self, id: BackupId, cascade: bool) -> Result<Vec<BackupId>, Error> {
        let plan = self.store.begin_delete(id, cascade).await?;
        self.checkpoint(Checkpoint::DeleteMarked).await?;
        let mut deleted = Vec::new();
        for backup in plan {
            if let Err(error) = self.remove_marked(&backup).await {
                self.tell_undeleted(&backup, &error).await;
                return Err(error);
            }
            deleted.push(backup.id);
        }
        Ok(deleted)
    }

    /// Shows on the row why it is still there.
    pub(crate) async fn tell_undeleted(&self, backup: &Backup, error: &Error) {
        let message = match error {
            Error::Catalog(error) => error.to_string(),
            Error::Pipeline(error) => error.full_text(),
        };
        tracing::error!(
            action = %Action::DeleteFailed, backup_id = %backup.id, error = message,
            "backup {} could not be deleted yet", backup.name
        );
        if let Err(error) = self.store.delete_failed(backup.id, &message).await {
            tracing::warn!(
                action = %Action::CatalogUnavailable, backup_id = %backup.id, error = %error,
                "why backup {} is still there could not be written", backup.name
            );
        }
    }

    /// Removes what a marked row has in the storage, then the row.
    pub(crate) async fn remove_marked(&self, backup: &Backup) -> Result<(), Error> {
        if let Some(path) = &backup.storage_path {
            let receipt = receipt_path(backup.id, backup.started_at.unwrap_or(backup.created_at));
            let storage = self.place(&backup.config_key).await?.storage;
            if !has_any(&storage, [receipt.as_str(), path.as_str()]).await? {
                // It may have gone in an attempt before. Or a disk is not mounted, and comes back with the backup on it.
                self.refuse_empty(&storage, &backup.config_key).await?;
            }
            storage.delete(&receipt).await.map_err(PipelineError::from)?;
            self.checkpoint(Checkpoint::DeleteReceiptGone).await?;
            crate::backup::remove_all(&storage, path, &receipt).await?;
            self.checkpoint(Checkpoint::DeleteBlobGone).await?;
        }
        self.store.finish_delete(backup.id).await?;
        self.sample_usage().await;
        tracing::info!(action = %Action::BackupDeleted, backup_id = %backup.id, "backup {} deleted", backup.name);
        Ok(())
    }
}

/// Whether the storage has a file at any of these paths.
async fn has_any(storage: &BlobStore, paths: [&str; 2]) -> Result<bool, PipelineError> {
    for path in paths {
        if storage.size(path).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
