//! What catalog and storage do not have in common: reported, and settled one by one as a person decides.

use std::collections::{BTreeSet, HashSet};

use backup_core::{Backup, BackupId, IdGenerator, PipelineError, VerificationId, VerifyLevel, counted, text_enum};
use backup_db::NewVerification;
use futures_util::TryStreamExt;

use super::stored::{beside, blob_id};
use super::{Page, Reconciled, Shelf, Stored, Trouble};
use crate::backup::remove_all;
use crate::engine::Engine;
use crate::error::Error;
use crate::repository::Repository;

/// So many backups are named at the most.
const SHOWN: usize = 5;

/// Identifiers that the catalog is asked for at once.
const BATCH: usize = 500;

text_enum! {
    /// Which side lacks something.
    pub enum OrphanKind {
        /// A whole backup in the storage that the catalog does not hold: it can be adopted, or removed.
        Unlisted => "UNLISTED",
        /// A receipt that is damaged, or that none of the keys at hand made. What another key made is never removed.
        Unreadable => "UNREADABLE",
        /// An archive without a receipt, which nobody is working on: it can be removed, and is by itself after a while.
        Unreceipted => "UNRECEIPTED",
        /// The catalog calls it good, and its receipt is not in the storage: deleting the backup removes the record.
        Lost => "LOST",
        /// The catalog calls it good, and its archive is gone or has another length.
        Damaged => "DAMAGED",
    }
}

/// Something that only one side has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Which side lacks something.
    pub kind: OrphanKind,
    /// The backup that it is, or would be.
    pub backup_id: BackupId,
    /// What its storage is called.
    pub storage: String,
    /// Where it stands in the storage.
    pub path: Option<String>,
    /// Bytes of its archive.
    pub size_bytes: Option<u64>,
    /// What is wrong with it, for people.
    pub problem: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orphans {
    /// At most as many as were asked for.
    pub found: Vec<Orphan>,
    /// Whether there are more.
    pub more: bool,
    /// Configurations whose storage could not be looked at, and why.
    pub unreachable: Vec<(String, String)>,
}

impl Engine {
    /// Compares catalog and storages, and changes nothing. Every storage is listed once.
    ///
    /// # Errors
    /// Where the catalog does not answer, or a storage that could be opened no longer does.
    pub async fn orphans(&self, limit: usize) -> Result<Orphans, Error> {
        let mut orphans = Orphans::default();
        let (shelves, unreachable) = self.shelves().await?;
        for (config_key, error) in unreachable {
            orphans.unreachable.push((config_key, error.full_text()));
        }
        for mut shelf in shelves {
            // Somebody waits for the answer.
            shelf.place.storage = shelf.place.storage.impatient();
            let began = self.clock.now();
            let stored = self.look_around(&shelf.place.storage, began).await?;
            if let Some(error) = self.doubt(&shelf, &stored, began).await? {
                let text = error.full_text();
                let told = shelf.config_keys.into_iter().map(|key| (key, text.clone()));
                orphans.unreachable.extend(told);
                continue;
            }
            self.unlisted(&shelf, &stored, limit, &mut orphans).await?;
            for blob in &stored.suspects {
                if let Some(id) = blob_id(blob).filter(|_| !blob.partial)
                    && self.is_orphan(&shelf.place.storage, blob).await?
                {
                    let orphan = Orphan {
                        size_bytes: Some(blob.size),
                        path: Some(blob.path.clone()),
                        ..shelf.orphan(OrphanKind::Unreceipted, id)
                    };
                    orphans.add(limit, orphan);
                }
            }
            let mut missing = Reconciled::default();
            for config_key in &shelf.config_keys {
                let good = Page::of(config_key, backup_core::JobStatus::Completed);
                let mut trouble = Trouble::default();
                self.compare(good, &shelf, &stored, &mut missing, &mut HashSet::new(), &mut trouble)
                    .await?;
                trouble.unless(())?;
            }
            for (ids, kind) in [(missing.lost, OrphanKind::Lost), (missing.damaged, OrphanKind::Damaged)] {
                for id in ids {
                    let orphan = Orphan {
                        problem: missing.astray.get(&id).cloned(),
                        ..shelf.orphan(kind, id)
                    };
                    orphans.add(limit, orphan);
                }
            }
        }
        Ok(orphans)
    }

    /// Receipts of which the catalog knows nothing.
    async fn unlisted(&self, shelf: &Shelf, stored: &Stored, limit: usize, orphans: &mut Orphans) -> Result<(), Error> {
        let repository = shelf.place.repository(self);
        let mut ids = stored.receipts.keys().copied();
        loop {
            let batch: Vec<BackupId> = ids.by_ref().take(BATCH).collect();
            if batch.is_empty() || orphans.more {
                return Ok(());
            }
            for id in self.store.unknown_backups(&batch).await? {
                let archive = stored.archives.get(&id);
                let orphan = match repository.find(id).await {
                    Ok(receipt) => Orphan {
                        size_bytes: archive
                            .filter(|(path, _)| *path == receipt.storage_path)
                            .map(|(_, size)| *size),
                        path: Some(receipt.storage_path),
                        ..shelf.orphan(OrphanKind::Unlisted, id)
                    },
                    Err(error @ (PipelineError::Integrity { .. } | PipelineError::WrongKey { .. })) => Orphan {
                        size_bytes: archive.map(|(_, size)| *size),
                        problem: Some(error.full_text()),
                        ..shelf.orphan(OrphanKind::Unreadable, id)
                    },
                    // Deleted since it was listed.
                    Err(PipelineError::NotFound { .. }) => continue,
                    Err(error) => return Err(error.into()),
                };
                orphans.add(limit, orphan);
            }
        }
    }

    /// Brings a backup that only the storage has into the catalog, protected, and asks for a verification of it.
    ///
    /// # Errors
    /// `NotFound` where no storage has it; `Integrity` or `WrongKey` where its receipt is not ours or its archive not whole;
    /// `Refused` where the configuration that it belongs to is not there, or stores elsewhere.
    pub async fn adopt_orphan(&self, id: BackupId) -> Result<Backup, Error> {
        let shelf = self.shelf_of(id).await?;
        let repository = shelf.place.repository(self);
        let receipt = repository.find(id).await?;
        if !shelf.config_keys.contains(&receipt.config_key) {
            return Err(PipelineError::refused(
                format!(
                    "backup {id} belongs to the configuration '{}', which does not store in {}",
                    receipt.config_key,
                    shelf.place.storage.describe()
                ),
                "Make a configuration of this name with this storage first.",
            )
            .into());
        }
        repository.check_length(&receipt).await?;
        if let Some(base) = receipt.base_id
            && self.store.get_backup(base).await?.is_none()
        {
            return Err(PipelineError::refused(
                format!("backup {id} builds on backup {base}, which the catalog does not know"),
                format!("Adopt {base} first."),
            )
            .into());
        }
        let backup = self.store.adopt_orphan(&receipt).await?;
        // Nothing is trusted for its receipt alone.
        let verification = NewVerification {
            id: self.verification_id()?,
            backup_id: id,
            level: VerifyLevel::Checksum,
            created_by: None,
        };
        self.store.create_verification(verification).await?;
        self.sample_usage().await;
        Ok(backup)
    }

    /// Removes from the storage what the catalog does not know.
    ///
    /// # Errors
    /// `NotFound` where no storage has it; `Refused` where the catalog knows it, or what builds on it; `WrongKey` where another
    /// key made it, since it may be the only copy of somebody else's work; `Unavailable` where that cannot be seen now.
    pub async fn remove_orphan(&self, id: BackupId) -> Result<(), Error> {
        if self.store.get_backup(id).await?.is_some() {
            return Err(
                PipelineError::refused(format!("the catalog knows backup {id}"), "Delete the backup instead.").into(),
            );
        }
        let (shelves, unreachable) = self.shelves().await?;
        for shelf in shelves {
            let storage = &shelf.place.storage;
            let receipt = storage
                .find_receipt(&id.to_string())
                .await
                .map_err(PipelineError::from)?;
            let repository = shelf.place.repository(self);
            if let Some(path) = &receipt {
                match repository.receipt_at(path).await {
                    // A damaged one is nobody's.
                    Ok(_) | Err(PipelineError::Integrity { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let mut blobs = storage.blobs();
            let mut archive = None;
            while let Some(blob) = blobs.try_next().await.map_err(PipelineError::from)? {
                if !blob.partial && blob_id(&blob) == Some(id) {
                    archive = Some(blob.path);
                }
            }
            drop(blobs);
            let archive = match (archive, &receipt) {
                (Some(archive), _) => archive,
                // Only the receipt is left: removed, it is no more.
                (None, Some(receipt)) => receipt.clone(),
                (None, None) => continue,
            };
            self.check_that_nothing_builds_on(&repository, id).await?;
            let receipt = receipt.unwrap_or_else(|| beside(&archive, id));
            return Ok(remove_all(storage, &archive, &receipt).await?);
        }
        Err(not_found(id, unreachable).into())
    }

    /// Neither what the catalog knows nor what else the storage holds may be lost with the backup.
    async fn check_that_nothing_builds_on(&self, repository: &Repository, id: BackupId) -> Result<(), Error> {
        let known = self.store.dependents(id).await?;
        let mut dependents: BTreeSet<BackupId> = known.into_iter().map(|backup| backup.id).collect();
        dependents.extend(repository.dependents(id).await?);
        if dependents.is_empty() {
            return Ok(());
        }
        let first: Vec<String> = dependents.iter().take(SHOWN).map(ToString::to_string).collect();
        Err(PipelineError::refused(
            format!(
                "{} backup {id}, and cannot be restored without it: {}{}",
                counted(dependents.len(), "backup builds on", "backups build on"),
                first.join(", "),
                if dependents.len() > SHOWN { ", …" } else { "" }
            ),
            "Keep it; or delete or remove those first.",
        )
        .into())
    }

    /// The storage that has the receipt.
    async fn shelf_of(&self, id: BackupId) -> Result<Shelf, Error> {
        let (shelves, unreachable) = self.shelves().await?;
        for shelf in shelves {
            let found = shelf.place.storage.find_receipt(&id.to_string()).await;
            if found.map_err(PipelineError::from)?.is_some() {
                return Ok(shelf);
            }
        }
        Err(not_found(id, unreachable).into())
    }

    fn verification_id(&self) -> Result<VerificationId, Error> {
        let ids = IdGenerator::new(self.clock.clone(), self.random.clone());
        ids.next().map_err(|error| {
            PipelineError::failed("the system's randomness cannot be read", "")
                .because(error)
                .into()
        })
    }
}

/// Not there; or perhaps in a storage that could not be looked at.
fn not_found(id: BackupId, unreachable: Vec<(String, PipelineError)>) -> PipelineError {
    if let Some((_, error)) = unreachable.into_iter().next() {
        return error;
    }
    PipelineError::not_found(format!("no storage has a backup {id}"), "List the orphans again.")
}

impl Shelf {
    fn orphan(&self, kind: OrphanKind, backup_id: BackupId) -> Orphan {
        Orphan {
            kind,
            backup_id,
            storage: self.place.storage.describe(),
            path: None,
            size_bytes: None,
            problem: None,
        }
    }
}

impl Orphans {
    fn add(&mut self, limit: usize, orphan: Orphan) {
        if self.found.len() < limit {
            self.found.push(orphan);
        } else {
            self.more = true;
        }
    }
}
