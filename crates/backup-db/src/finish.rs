//! The end of a job, and what its worker records on the way there.

use backup_core::restore::Replacement;
use backup_core::{Backup, BackupContents, BackupId, BackupType, Receipt, Transition, Warning};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::jobs::{JobKind, Lease, lost};
use crate::leases::{Ending, backup_jobs, restore_jobs, verification_jobs};
use crate::schema::{backups, restore_records};
use crate::store::Tx;
use crate::types::{big, json};
use crate::{Error, Store};

/// How a backup ended.
#[derive(Debug, Clone, PartialEq)]
pub enum BackupOutcome {
    /// Its receipt is in storage.
    Completed(Box<CompletedBackup>),
    /// It cannot be made.
    Failed {
        /// Why, with what to do.
        message: String,
    },
    /// It stopped on request; nothing of it is left in storage.
    Cancelled,
}

/// What is known of a backup once its receipt is in storage.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletedBackup {
    /// How much of the data it stores itself, which may be more than was asked for.
    pub backup_type: BackupType,
    /// The backup it builds on.
    pub base_id: Option<BackupId>,
    /// The backup that it is made of.
    pub consolidated_from: Option<BackupId>,
    /// Where the archive is.
    pub storage_path: String,
    /// Bytes stored.
    pub size_bytes: u64,
    /// Bytes read from the sources.
    pub source_bytes: u64,
    /// SHA-256 of the stored file, lower-case hex.
    pub checksum: String,
    /// What it holds.
    pub contents: BackupContents,
    /// Remarks made while it was taken.
    pub warnings: Vec<Warning>,
    /// When the archive was committed.
    pub completed_at: DateTime<Utc>,
    /// Which key opens it; `None`: none is needed.
    pub key_fingerprint: Option<String>,
}

impl From<&Receipt> for CompletedBackup {
    fn from(receipt: &Receipt) -> Self {
        Self {
            backup_type: receipt.backup_type,
            base_id: receipt.base_id,
            consolidated_from: receipt.consolidated_from,
            storage_path: receipt.storage_path.clone(),
            size_bytes: receipt.size_bytes,
            source_bytes: receipt.source_bytes,
            checksum: receipt.checksum.clone(),
            contents: receipt.contents.clone(),
            warnings: receipt.warnings.clone(),
            completed_at: receipt.completed_at,
            key_fingerprint: receipt
                .archive
                .encrypted
                .then(|| receipt.archive.key_fingerprint.clone()),
        }
    }
}

/// How a restore ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each restore")]
pub enum RestoreOutcome {
    /// What was asked for is done.
    Completed {
        /// What it put where, and what it keeps; `None` where nothing was made beside what was there.
        replacement: Option<Replacement>,
        /// Remarks made while it ran.
        warnings: Vec<Warning>,
    },
    /// It cannot be done.
    Failed {
        /// Why, with what to do.
        message: String,
    },
    /// It stopped on request.
    Cancelled,
}

/// How a verification ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerificationOutcome {
    /// It ran to its end and found nothing wrong; so it says on the backup.
    Passed,
    /// It ran to its end and found something wrong; so it says on the backup.
    Found {
        /// What is wrong, with what to do.
        problem: String,
        /// The backup that is at fault, where it is not the verified one but one that it builds on: nothing that builds on
        /// it can be restored.
        in_base: Option<BackupId>,
    },
    /// It ran to its end and found that the storage does not have what it was to read; so it says on that backup and on all
    /// that build on it, until it is there again.
    Missing {
        /// What is not there, with what to do.
        problem: String,
        /// The backup that is not there: the verified one, or one that it builds on.
        at: BackupId,
    },
    /// It could not run to its end; the backup says nothing of it.
    Failed {
        /// Why, with what to do.
        message: String,
    },
    /// It stopped on request.
    Cancelled,
}

/// What came of ending a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// It has ended now.
    Now,
    /// This worker had already ended it so: an answer was lost on the way.
    Before,
}

impl Finished {
    fn new(now: bool) -> Self {
        if now { Self::Now } else { Self::Before }
    }
}

impl Store {
    /// Records where the archive will be, and which key it is made with: what is not encrypted is authenticated by one all the
    /// same, which [`Self::finish_backup`] forgets again. To be called before its first byte is written, so that whoever takes
    /// the job over knows where to look, and whose work it is.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] where the job is no longer this worker's: nothing may be written then.
    pub async fn set_storage_path(&self, lease: &Lease, path: &str, key: &str) -> Result<(), Error> {
        let (lease, path, key) = (lease.clone(), path.to_owned(), key.to_owned());
        self.write("set_storage_path", move |tx| {
            let row = held(tx, &lease)?;
            diesel::update(backups::table.filter(backups::id.eq(&lease.id)))
                .set((backups::storage_path.eq(&path), backups::key_fingerprint.eq(&key)))
                .execute(tx.db)?;
            backup_jobs::announce(tx, &row)
        })
        .await
    }

    /// Records what the backup builds on and its type, before the base is read: from now on the base cannot be deleted.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the base is gone or being deleted, [`Error::WrongState`] where it is not COMPLETED,
    /// [`Error::LeaseLost`].
    pub async fn set_base(
        &self,
        lease: &Lease,
        backup_type: BackupType,
        base_id: Option<BackupId>,
    ) -> Result<(), Error> {
        let lease = lease.clone();
        self.write("set_base", move |tx| {
            let row = held(tx, &lease)?;
            if let Some(base) = base_id {
                crate::backups::completed(tx, base)?;
            }
            diesel::update(backups::table.filter(backups::id.eq(&lease.id)))
                .set((
                    backups::backup_type.eq(backup_type.as_str()),
                    backups::base_id.eq(base_id.map(|id| id.to_string())),
                ))
                .execute(tx.db)?;
            backup_jobs::announce(tx, &row)
        })
        .await
    }

    /// Ends a backup, raises or resolves the alert of its schedule, and writes down the messages of its configuration, all
    /// at once. Saying the same twice is no error: the first answer may have been lost.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] where the job is no longer this worker's; its row is then left as it is.
    pub async fn finish_backup(&self, lease: &Lease, outcome: BackupOutcome) -> Result<Finished, Error> {
        let lease = lease.clone();
        self.write("finish_backup", move |tx| {
            let (transition, error_message, at) = match &outcome {
                BackupOutcome::Completed(done) => {
                    // The schema wants the results before the state that promises them.
                    if !ended_by(tx, &lease)? {
                        write_results(tx, &lease.id, done)?;
                    }
                    (Transition::Complete, None, done.completed_at)
                }
                BackupOutcome::Failed { message } => (Transition::Fail, Some(message.as_str()), tx.now),
                BackupOutcome::Cancelled => (Transition::Cancel, None, tx.now),
            };
            let ending = Ending {
                transition,
                error_message,
                at,
            };
            let now = backup_jobs::end(tx, &lease, &ending)?;
            if now && let Some(row) = backup_jobs::row(tx, &lease.id)? {
                crate::outcome::told(tx, &row.into())?;
            }
            Ok(Finished::new(now))
        })
        .await
    }

    /// Ends a restore, as [`Self::finish_backup`] ends a backup.
    pub async fn finish_restore(&self, lease: &Lease, outcome: RestoreOutcome) -> Result<Finished, Error> {
        let lease = lease.clone();
        self.write("finish_restore", move |tx| {
            let (transition, error_message) = match &outcome {
                RestoreOutcome::Completed { .. } => (Transition::Complete, None),
                RestoreOutcome::Failed { message } => (Transition::Fail, Some(message.as_str())),
                RestoreOutcome::Cancelled => (Transition::Cancel, None),
            };
            let ending = Ending {
                transition,
                error_message,
                at: tx.now,
            };
            let now = restore_jobs::end(tx, &lease, &ending)?;
            if now
                && let RestoreOutcome::Completed { replacement, warnings } = &outcome
                && let Some(row) = restore_jobs::row(tx, &lease.id)?
            {
                diesel::update(restore_records::table.filter(restore_records::id.eq(&lease.id)))
                    .set(restore_records::warnings.eq(json(warnings)?))
                    .execute(tx.db)?;
                crate::restores::completed(tx, &row, replacement.as_ref())?;
            }
            Ok(Finished::new(now))
        })
        .await
    }

    /// Ends a verification, as [`Self::finish_backup`] ends a backup, and writes what it found on the backup. What a more
    /// thorough one found there stays until one as thorough passes.
    pub async fn finish_verification(&self, lease: &Lease, outcome: VerificationOutcome) -> Result<Finished, Error> {
        let lease = lease.clone();
        self.write("finish_verification", move |tx| {
            let (transition, error_message) = match &outcome {
                VerificationOutcome::Passed => (Transition::Complete, None),
                VerificationOutcome::Found { problem, .. } | VerificationOutcome::Missing { problem, .. } => {
                    (Transition::Complete, Some(problem.as_str()))
                }
                VerificationOutcome::Failed { message } => (Transition::Fail, Some(message.as_str())),
                VerificationOutcome::Cancelled => (Transition::Cancel, None),
            };
            let row = verification_jobs::row(tx, &lease.id)?.ok_or_else(|| lost(&lease))?;
            let ending = Ending {
                transition,
                error_message,
                at: tx.now,
            };
            let now = verification_jobs::end(tx, &lease, &ending)?;
            match &outcome {
                _ if !now => {}
                VerificationOutcome::Passed => crate::outcome::verified(tx, &row)?,
                VerificationOutcome::Found { problem, in_base } => {
                    crate::outcome::found_broken(tx, &row, problem, *in_base)?;
                }
                VerificationOutcome::Missing { problem, at } => crate::outcome::found_missing(tx, &row, problem, *at)?,
                VerificationOutcome::Failed { .. } => crate::outcome::not_verified(tx, &row)?,
                VerificationOutcome::Cancelled => {}
            }
            Ok(Finished::new(now))
        })
        .await
    }

    /// Brings a receipt that was found in storage into the catalog, as a COMPLETED backup: for a catalog that was lost, and
    /// for a backup whose worker died between its receipt and its row. A backup that a worker still holds, that is being
    /// deleted, or that is COMPLETED already, is left as it is. Gives back the row as it stands then. In
    /// [`Self::ended_backups`] it is counted where it waited or ran until now: what had ended was counted then, and what the
    /// catalog did not know was not made in it.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the backup that it builds on is gone or being deleted, [`Error::WrongState`] where that one
    /// is not COMPLETED.
    pub async fn adopt_backup(&self, receipt: &Receipt) -> Result<Backup, Error> {
        let receipt = receipt.clone();
        self.write("adopt_backup", move |tx| adopt(tx, &receipt)).await
    }

    /// As [`Self::adopt_backup`], of a backup that only the storage had, which a person wants. It is protected: it may be older
    /// than its schedule keeps any, and what builds on it may not be adopted yet.
    ///
    /// # Errors
    /// As of [`Self::adopt_backup`].
    pub async fn adopt_orphan(&self, receipt: &Receipt) -> Result<Backup, Error> {
        let receipt = receipt.clone();
        self.write("adopt_orphan", move |tx| {
            let adopted = adopt(tx, &receipt)?;
            diesel::update(backups::table.filter(backups::id.eq(adopted.id.to_string())))
                .set(backups::protected.eq(true))
                .execute(tx.db)?;
            Ok(Backup {
                protected: true,
                ..adopted
            })
        })
        .await
    }
}

fn adopt(tx: &mut Tx<'_>, receipt: &Receipt) -> TxResult<Backup> {
    if let Some(base) = receipt.base_id {
        crate::backups::completed(tx, base)?;
    }
    crate::backups::adopt(tx, receipt)
}

fn held(tx: &mut Tx<'_>, lease: &Lease) -> TxResult<crate::backups::BackupRow> {
    if lease.kind != JobKind::Backup {
        return Err(lost(lease));
    }
    backup_jobs::held(tx, lease)
}

/// Whether the lease's worker has already ended the job; refuses a lease that is not the job's last one.
fn ended_by(tx: &mut Tx<'_>, lease: &Lease) -> TxResult<bool> {
    let row = backup_jobs::row(tx, &lease.id)?.filter(|row| row.lease_token.as_deref() == Some(lease.token.as_str()));
    row.map(|row| row.status.0.is_final()).ok_or_else(|| lost(lease))
}

/// Writes what a finished backup is, leaving its state as it is. Made of another type than was asked for, it is named anew.
pub(crate) fn write_results(tx: &mut Tx<'_>, id: &str, done: &CompletedBackup) -> TxResult<()> {
    if let Some(row) = backup_jobs::row(tx, id)?
        && row.backup_type.0 != done.backup_type
    {
        crate::backups::rename(tx, &row, done.backup_type)?;
    }
    diesel::update(backups::table.filter(backups::id.eq(id)))
        .set((
            backups::backup_type.eq(done.backup_type.as_str()),
            backups::base_id.eq(done.base_id.map(|id| id.to_string())),
            backups::consolidated_from.eq(done.consolidated_from.map(|id| id.to_string())),
            backups::storage_path.eq(&done.storage_path),
            backups::size_bytes.eq(big(done.size_bytes)),
            backups::source_bytes.eq(big(done.source_bytes)),
            backups::checksum.eq(&done.checksum),
            backups::contents.eq(json(&done.contents)?),
            backups::warnings.eq(json(&done.warnings)?),
            backups::key_fingerprint.eq(&done.key_fingerprint),
        ))
        .execute(tx.db)?;
    Ok(())
}
