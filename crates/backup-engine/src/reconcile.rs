//! Finding and repairing what dead workers left: unfinished deletions, blobs without a receipt, receipts of backups that
//! the catalog calls failed, and completed backups that the storage has lost. Runs when a worker starts and from time to
//! time; any number of workers may do it at once, and each step may be broken off and repeated.

mod alert;
mod keys;
mod orphans;
mod page;
mod shelf;
mod stored;
mod trouble;
mod unowned;

pub use orphans::{Orphan, OrphanKind, Orphans};

use std::collections::{HashMap, HashSet};

use backup_core::{Backup, BackupId, JobControl, JobStatus, PipelineError};
use backup_db::Error as CatalogError;

use crate::backup::{attempt_key, remove_all, whole};
use crate::engine::Engine;
use crate::error::Error;
use crate::logging::Action;
use page::Page;
use shelf::Shelf;
pub(crate) use stored::blob_id;
use stored::{Stored, own_receipt};
use trouble::Trouble;
pub(crate) use trouble::Unsettled;

/// What a reconciliation found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Interrupted deletions that are finished now.
    pub deletions: Vec<BackupId>,
    /// Paths of blobs without a receipt that were removed.
    pub orphans: Vec<String>,
    /// Failed or cancelled backups whose leftover receipt and blob were removed.
    pub leftovers: Vec<BackupId>,
    /// Backups that were called failed, and whose receipt and archive are whole: COMPLETED now.
    pub adopted: Vec<BackupId>,
    /// Completed backups whose receipt is not in the storage: they cannot be restored.
    pub lost: Vec<BackupId>,
    /// Completed backups whose archive is missing or has another length than its receipt says: they cannot be restored.
    pub damaged: Vec<BackupId>,
    /// Where the receipt of one that is lost, or the archive of one that is damaged, stands in the storage instead of where it
    /// belongs, and what to do, for people.
    pub astray: HashMap<BackupId, String>,
    /// How many receipts of backups that the catalog does not know are in the storage of a configuration, of those where there
    /// are any. A storage that several share counts for the first of them.
    pub unknown: Vec<(String, u64)>,
    /// Backups that were missed, and are there again with all that they build on: they can be restored.
    pub found_again: Vec<BackupId>,
    /// Configurations whose storage is empty though the catalog knows backups in it, and what is said of each. None of them is
    /// judged.
    pub empty: Vec<(String, String)>,
}

impl Reconciled {
    /// What [`Self::astray`] has of a backup, as the end of a sentence.
    fn said_of(&self, id: BackupId) -> String {
        let astray = self.astray.get(&id);
        astray.map_or_else(String::new, |text| format!("; {text}"))
    }
}

impl Engine {
    /// Brings storage and catalog together. One backup that cannot be repaired does not keep the others from it, nor does a
    /// file that cannot be read or removed.
    ///
    /// # Errors
    /// The first thing that did not work; what was done stays done, and the next time goes on from there.
    pub async fn reconcile(&self) -> Result<Reconciled, Error> {
        let mut found = Reconciled::default();
        let mut there = HashSet::new();
        let mut trouble = Trouble::default();
        // Dependents come first: where one of them stays, so does what it builds on.
        let mut needed = HashSet::new();
        for backup in self.store.deleting().await? {
            if needed.contains(&backup.id) {
                needed.extend(backup.base_id);
                continue;
            }
            let removed = self.remove_marked(&backup).await;
            match trouble.of_one(&backup.config_key, &backup.name, removed) {
                Ok(Some(())) => found.deletions.push(backup.id),
                Ok(None) => needed.extend(backup.base_id),
                Err(error) => {
                    needed.extend(backup.base_id);
                    trouble.keep(error);
                }
            }
        }
        let (shelves, unreachable) = self.shelves().await?;
        for (config_key, error) in unreachable {
            trouble.leave_out(&config_key);
            trouble.keep(error);
        }
        let mut judged = Vec::new();
        for shelf in shelves {
            let done = self.reconcile_shelf(&shelf, &mut found, &mut there, &mut trouble).await;
            match done {
                Ok(()) => judged.extend(shelf.config_keys),
                Err(error) => self.keep_unjudged(&shelf, error, &mut trouble).await,
            }
        }
        alert::tell(self, &judged, &found, &there, trouble.unsettled()).await?;
        found.found_again = self.store.found_again(&judged, there).await?;
        trouble.unless(found)
    }

    /// Keeps why a shelf was not judged. Where it answers all the same, such as one with a folder that cannot be listed, nobody
    /// else tells of it.
    async fn keep_unjudged(&self, shelf: &Shelf, error: Error, trouble: &mut Trouble) {
        match error {
            Error::Pipeline(error) => match shelf.place.repository(self).of_one_file(error).await {
                Ok(error) => trouble.keep_of(shelf.first_key(), &shelf.place.storage.describe(), error),
                Err(error) => trouble.keep(error),
            },
            Error::Catalog(error) => trouble.keep(error),
        }
    }

    /// Every storage that can be opened, with its configurations; and the configurations whose storage cannot, and why.
    async fn shelves(&self) -> Result<(Vec<Shelf>, Vec<(String, PipelineError)>), Error> {
        let (mut shelves, mut unreachable) = (Vec::new(), Vec::new());
        for (config_key, place) in self.places().await? {
            match place {
                Ok(place) => Shelf::put(&mut shelves, config_key, place),
                Err(error) => unreachable.push((config_key, error)),
            }
        }
        Ok((shelves, unreachable))
    }

    /// Adds to what is `there` the good backups that are in the storage as they were written.
    async fn reconcile_shelf(
        &self,
        shelf: &Shelf,
        found: &mut Reconciled,
        there: &mut HashSet<BackupId>,
        trouble: &mut Trouble,
    ) -> Result<(), Error> {
        let began = self.clock.now();
        let stored = self.look_around(&shelf.place.storage, began).await?;
        if let Some(error) = self.doubt(shelf, &stored, began).await? {
            // Nothing that is not there is called lost.
            let text = error.full_text();
            let told = shelf.config_keys.iter().map(|key| (key.clone(), text.clone()));
            found.empty.extend(told);
            return Err(error.into());
        }
        self.remove_orphans(shelf, &stored, found, trouble).await?;
        if let Some(first) = shelf.config_keys.first() {
            let unknown = self.count_unknown(&stored).await?;
            found.unknown.extend((unknown > 0).then(|| (first.clone(), unknown)));
        }
        for config_key in &shelf.config_keys {
            for status in [JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled] {
                let rows = Page::of(config_key, status);
                self.compare(rows, shelf, &stored, found, there, trouble).await?;
            }
        }
        self.note_keys(shelf, trouble).await
    }

    /// [`Self::reconcile`], with its outcome in the log.
    pub(crate) async fn reconcile_and_log(&self) {
        match self.reconcile().await {
            Ok(found) => {
                for (ids, what) in [(&found.lost, "receipt"), (&found.damaged, "archive")] {
                    for id in ids {
                        let astray = found.said_of(*id);
                        tracing::error!(
                            action = %Action::ReceiptMissing, backup_id = %id,
                            "backup {id} is completed in the catalog, and the storage no longer has its {what}{astray}"
                        );
                    }
                }
                if found != Reconciled::default() {
                    tracing::info!(
                        action = %Action::Reconciled,
                        deletions = found.deletions.len() as u64,
                        orphans = found.orphans.len() as u64,
                        leftovers = found.leftovers.len() as u64,
                        adopted = found.adopted.len() as u64,
                        lost = (found.lost.len() + found.damaged.len()) as u64,
                        found_again = found.found_again.len() as u64,
                        unknown = found.unknown.iter().map(|(_, count)| count).sum::<u64>(),
                        "catalog and storage were reconciled"
                    );
                }
            }
            Err(error) => {
                let error = match error {
                    Error::Catalog(error) => PipelineError::from(error),
                    Error::Pipeline(error) => error,
                };
                tracing::warn!(
                    action = %Action::StorageUnavailable, error = %error.full_text(),
                    "catalog and storage could not be reconciled"
                );
            }
        }
    }

    /// Compares the catalog's rows of one final state with the storage.
    async fn compare(
        &self,
        mut rows: Page,
        shelf: &Shelf,
        stored: &Stored,
        found: &mut Reconciled,
        there: &mut HashSet<BackupId>,
        trouble: &mut Trouble,
    ) -> Result<(), Error> {
        while let Some(backups) = rows.next(&self.store).await? {
            for backup in backups {
                let one = self.compare_one(&backup, shelf, stored, found).await;
                if trouble.of_one(&backup.config_key, &backup.name, one)? == Some(true) {
                    there.insert(backup.id);
                }
            }
        }
        Ok(())
    }

    /// Compares a row of a final state with the storage: whether it is a good backup that is there as it was written.
    async fn compare_one(
        &self,
        backup: &Backup,
        shelf: &Shelf,
        stored: &Stored,
        found: &mut Reconciled,
    ) -> Result<bool, Error> {
        if backup.status == JobStatus::Completed {
            return Ok(backup.completed_at.is_some_and(|at| at < stored.at)
                && self.check_completed(backup, shelf, stored, found).await?);
        }
        if stored.receipts.contains_key(&backup.id) {
            self.settle_leftover(backup, shelf, found).await?;
        }
        Ok(false)
    }

    /// Whether a completed backup is in the storage, receipt and archive, each at its own path. What seems to be missing is asked
    /// for again: the backup may have been deleted, or written, since the storage was listed.
    async fn check_completed(
        &self,
        backup: &Backup,
        shelf: &Shelf,
        stored: &Stored,
        found: &mut Reconciled,
    ) -> Result<bool, Error> {
        let storage = &shelf.place.storage;
        if stored.holds(backup) {
            return Ok(true);
        }
        let now = self.store.get_backup(backup.id).await?;
        if now.is_none_or(|summary| summary.backup.deleting) {
            return Ok(false);
        }
        let own = own_receipt(backup);
        let receipt = storage.get_receipt(&own).await;
        if receipt.map_err(PipelineError::from)?.is_none() {
            found.lost.push(backup.id);
            let astray = stored.receipt_astray(backup.id, &own);
            found.astray.extend(astray.map(|text| (backup.id, text)));
            return Ok(false);
        }
        let size = match &backup.storage_path {
            Some(path) => storage.size(path).await.map_err(PipelineError::from)?,
            None => None,
        };
        let is_there = size.is_some() && size == backup.size_bytes;
        if !is_there {
            found.damaged.push(backup.id);
            let astray = stored.archive_astray(backup);
            found.astray.extend(astray.map(|text| (backup.id, text)));
        }
        Ok(is_there)
    }

    /// The receipt of a backup that the catalog calls failed or cancelled. One that failed, and is whole all the same, is
    /// good; anything else the catalog has told everybody not to exist, so it must not come back in a list of the storage.
    async fn settle_leftover(&self, backup: &Backup, shelf: &Shelf, found: &mut Reconciled) -> Result<(), Error> {
        let Some(path) = &backup.storage_path else {
            return Ok(());
        };
        let receipt_path = own_receipt(backup);
        if backup.status == JobStatus::Failed {
            let job = JobControl::new(self.settings.stall_timeout);
            let key = attempt_key(shelf.own_keys(&backup.config_key), backup);
            let repository = shelf.place.repository_with(&key, self);
            match whole(&repository, path, &receipt_path, &job).await {
                Ok(Some(receipt)) => match self.store.adopt_backup(&receipt).await {
                    Ok(_) => {
                        found.adopted.push(backup.id);
                        return Ok(());
                    }
                    // What it builds on is being deleted, or gone.
                    Err(CatalogError::NotFound { .. } | CatalogError::WrongState { .. }) => {}
                    Err(error) => return Err(error.into()),
                },
                Ok(None) => {}
                // Whoever has the key may call it good.
                Err(PipelineError::WrongKey { .. }) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        remove_all(&shelf.place.storage, path, &receipt_path).await?;
        found.leftovers.push(backup.id);
        Ok(())
    }
}
