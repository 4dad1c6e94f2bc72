use std::collections::{HashMap, HashSet};

use backup_core::{BackupId, JobControl, PipelineError, Receipt, VerifyLevel};
use futures_util::TryStreamExt;

use super::{ListedReceipt, Repository};

/// What was found of one of all the backups.
#[derive(Debug)]
pub enum Checked {
    /// It is what was written.
    Good(BackupId),
    /// It is not, or builds on one that is not.
    Bad(BackupId, PipelineError),
    /// Its receipt cannot be trusted.
    BadReceipt(PipelineError),
}

impl Repository {
    /// Checks every backup of the storage as [`Self::verify`] does, each stored file once, the oldest first; `tell` learns of
    /// each. Gives back how many are not what was written.
    ///
    /// # Errors
    /// Where the storage does not answer, or the job is cancelled.
    pub async fn verify_all(
        &self,
        level: VerifyLevel,
        job: &JobControl,
        mut tell: impl FnMut(Checked),
    ) -> Result<u64, PipelineError> {
        let mut good: Vec<Receipt> = Vec::new();
        let mut bad: HashSet<BackupId> = HashSet::new();
        let mut unreadable = 0;
        let mut listed = self.receipts();
        while let Some(one) = listed.try_next().await? {
            match one {
                ListedReceipt::Good(receipt) => good.push(*receipt),
                ListedReceipt::Bad { error, .. } => {
                    unreadable += 1;
                    tell(Checked::BadReceipt(error));
                }
            }
        }
        drop(listed);
        for receipt in bases_first(good) {
            let id = receipt.id;
            job.check()?;
            let checked = match receipt.base_id.filter(|base| bad.contains(base)) {
                Some(base) => Err(builds_on(id, base)),
                None => self.verify_once(&receipt, level, job).await,
            };
            match checked {
                Ok(()) => tell(Checked::Good(id)),
                Err(
                    error @ (PipelineError::Integrity { .. }
                    | PipelineError::NotFound { .. }
                    | PipelineError::WrongKey { .. }),
                ) => {
                    bad.insert(id);
                    tell(Checked::Bad(id, error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(bad.len() as u64 + unreadable)
    }

    /// The backups that build directly on this one, the oldest first. Receipts that cannot be read are passed over.
    pub async fn dependents(&self, id: BackupId) -> Result<Vec<BackupId>, PipelineError> {
        let mut dependents = Vec::new();
        let mut listed = self.receipts();
        while let Some(one) = listed.try_next().await? {
            if let ListedReceipt::Good(receipt) = one
                && receipt.base_id == Some(id)
            {
                dependents.push((receipt.started_at, receipt.id));
            }
        }
        dependents.sort_unstable();
        Ok(dependents.into_iter().map(|(_, id)| id).collect())
    }

    /// Those of `receipts` that cannot be restored, and why, as far as one listing tells: their archive is not in the storage
    /// in its full length, or they build on such a one, or on one that is not among `receipts`.
    pub async fn unrestorable(&self, receipts: &[Receipt]) -> Result<Vec<(BackupId, PipelineError)>, PipelineError> {
        let missing = self.without_archive(receipts).await?;
        let mut bad: HashMap<BackupId, PipelineError> = missing
            .into_iter()
            .map(|receipt| {
                let error = PipelineError::integrity(
                    format!(
                        "backup {} has no archive of {} bytes at '{}': it cannot be restored",
                        receipt.id, receipt.size_bytes, receipt.storage_path
                    ),
                    "",
                );
                (receipt.id, error)
            })
            .collect();
        let known: HashSet<BackupId> = receipts.iter().map(|receipt| receipt.id).collect();
        for receipt in bases_first(receipts.to_vec()) {
            let torn = receipt
                .base_id
                .filter(|base| bad.contains_key(base) || !known.contains(base));
            if let Some(base) = torn {
                bad.entry(receipt.id).or_insert_with(|| builds_on(receipt.id, base));
            }
        }
        Ok(bad.into_iter().collect())
    }
}

fn builds_on(id: BackupId, base: BackupId) -> PipelineError {
    PipelineError::integrity(
        format!("backup {id} builds on backup {base}, which is gone or not what was written: it cannot be restored"),
        "",
    )
}

/// The same receipts, each behind the one that it builds on.
fn bases_first(mut receipts: Vec<Receipt>) -> Vec<Receipt> {
    let bases: HashMap<BackupId, Option<BackupId>> =
        receipts.iter().map(|receipt| (receipt.id, receipt.base_id)).collect();
    let depth = |id: BackupId| {
        let mut depth = 0;
        let mut next = bases.get(&id).copied().flatten();
        // A circle cannot be, but must not hang anybody either.
        while let Some(base) = next.filter(|_| depth <= bases.len()) {
            depth += 1;
            next = bases.get(&base).copied().flatten();
        }
        depth
    };
    receipts.sort_by_cached_key(|receipt| (depth(receipt.id), receipt.started_at, receipt.id));
    receipts
}
