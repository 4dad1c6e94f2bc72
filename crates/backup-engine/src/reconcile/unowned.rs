//! What no backup of the catalog owns: blobs that are removed, and receipts that are counted.

use backup_core::{BackupId, JobStatus, PipelineError};
use backup_storage::{BlobInfo, BlobStore};
use chrono::TimeDelta;

use super::stored::{beside, blob_id};
use super::{Reconciled, Shelf, Stored, Trouble};
use crate::engine::Engine;
use crate::error::Error;
use crate::logging::Action;

/// A whole archive of which the catalog knows nothing may belong to a program that asks no catalog, and stands still before it
/// writes the receipt.
const GRACE_UNKNOWN: TimeDelta = TimeDelta::days(1);

impl Engine {
    /// How many receipts are there of backups that the catalog does not know.
    pub(super) async fn count_unknown(&self, stored: &Stored) -> Result<u64, Error> {
        let ids: Vec<BackupId> = stored.receipts.keys().copied().collect();
        let mut unknown = 0;
        for ids in ids.chunks(500) {
            unknown += self.store.unknown_backups(ids).await?.len() as u64;
        }
        Ok(unknown)
    }

    /// Removes blobs that nobody lists and nobody is working on, and what killed uploads left.
    pub(super) async fn remove_orphans(
        &self,
        shelf: &Shelf,
        stored: &Stored,
        found: &mut Reconciled,
        trouble: &mut Trouble,
    ) -> Result<(), Error> {
        for blob in &stored.suspects {
            let removed = self.remove_if_orphan(&shelf.place.storage, blob).await;
            if trouble.of_one(shelf.first_key(), &blob.path, removed)? == Some(true) {
                found.orphans.push(blob.path.clone());
            }
        }
        Ok(())
    }

    async fn remove_if_orphan(&self, storage: &BlobStore, blob: &BlobInfo) -> Result<bool, Error> {
        if !self.is_orphan(storage, blob).await? {
            return Ok(false);
        }
        storage.delete(&blob.path).await.map_err(PipelineError::from)?;
        tracing::info!(
            action = %Action::OrphanRemoved, size_bytes = blob.size,
            "'{}' belonged to no backup and was removed", blob.path
        );
        Ok(true)
    }

    /// Asks the catalog, and the storage once more.
    pub(super) async fn is_orphan(&self, storage: &BlobStore, blob: &BlobInfo) -> Result<bool, Error> {
        let Some(id) = blob_id(blob) else {
            // What a probe left. Finished files of other names are not ours to judge.
            return Ok(blob.partial);
        };
        let status = self.store.get_backup(id).await?.map(|summary| summary.backup.status);
        if status.is_some_and(JobStatus::is_active) {
            return Ok(false);
        }
        if blob.partial {
            return Ok(true);
        }
        if status.is_none() && self.clock.now() - blob.modified < GRACE_UNKNOWN {
            return Ok(false);
        }
        // A completed row whose receipt is lost keeps its blob: somebody may want to look at it.
        let receipt = storage.get_receipt(&beside(&blob.path, id)).await;
        Ok(status != Some(JobStatus::Completed) && receipt.map_err(PipelineError::from)?.is_none())
    }
}
