use std::collections::{HashMap, HashSet};

use backup_core::{BackupId, JobControl, PipelineError, Receipt, VerifyLevel};
use futures_util::TryStreamExt;

use super::{ListedReceipt, Repository};

/// What was found of one of all the backups.
#[derive(Debug)]
pub enum Checked {
    /// It is what was written.
    Good(BackupId),
    /// It is not, or cannot be read, or builds on one of which that is so.
    Bad(BackupId, PipelineError),
    /// Its receipt cannot be trusted, or not be read.
    BadReceipt(PipelineError),
}

impl Repository {
    /// Checks every backup of the storage as [`Self::verify`] does, each stored file once, the oldest first; `tell` learns of
    /// each. Gives back how many are not what was written, or cannot be read.
    ///
    /// # Errors
    /// Where the storage is away, or lets nothing be read; where `pg_restore` cannot be run; where the job is cancelled.
    pub async fn verify_all(
        &self,
        level: VerifyLevel,
        job: &JobControl,
        mut tell: impl FnMut(Checked),
    ) -> Result<u64, PipelineError> {
        let mut good: Vec<Receipt> = Vec::new();
        let mut bad: HashSet<BackupId> = HashSet::new();
        let mut bad_receipts = 0;
        let mut listed = self.receipts();
        while let Some(one) = listed.try_next().await? {
            match one {
                ListedReceipt::Good(receipt) => good.push(*receipt),
                ListedReceipt::Bad { error, .. } | ListedReceipt::Unreadable { error, .. } => {
                    bad_receipts += 1;
                    tell(Checked::BadReceipt(error));
                }
            }
        }
        drop(listed);
        for receipt in bases_first(good) {
            let id = receipt.id;
            job.check()?;
            let problem = match receipt.base_id.filter(|base| bad.contains(base)) {
                Some(base) => Some(builds_on(id, base)),
                None => self.problem(&receipt, level, job).await?,
            };
            tell(match problem {
                None => Checked::Good(id),
                Some(error) => {
                    bad.insert(id);
                    Checked::Bad(id, error)
                }
            });
        }
        Ok(bad.len() as u64 + bad_receipts)
    }

    /// What is wrong with a backup; what it builds on is not looked at.
    async fn problem(
        &self,
        receipt: &Receipt,
        level: VerifyLevel,
        job: &JobControl,
    ) -> Result<Option<PipelineError>, PipelineError> {
        let archive = match self.verify_file(receipt, level, job).await {
            Ok(archive) => archive,
            Err(error) => return self.of_one_file(error).await.map(Some),
        };
        match self.verify_inside(archive, level, job).await {
            Ok(()) => Ok(None),
            Err(
                error @ (PipelineError::Integrity { .. }
                | PipelineError::NotFound { .. }
                | PipelineError::WrongKey { .. }),
            ) => Ok(Some(error)),
            Err(error) => Err(error),
        }
    }

    /// The backups that build directly on this one, the oldest first. Receipts that cannot be trusted are passed over.
    ///
    /// # Errors
    /// Where the storage is away, or one receipt cannot be read, which may be that of another dependent.
    pub async fn dependents(&self, id: BackupId) -> Result<Vec<BackupId>, PipelineError> {
        let mut dependents = Vec::new();
        let mut listed = self.receipts();
        while let Some(one) = listed.try_next().await? {
            match one {
                ListedReceipt::Good(receipt) if receipt.base_id == Some(id) => {
                    dependents.push((receipt.started_at, receipt.id));
                }
                ListedReceipt::Good(_) | ListedReceipt::Bad { .. } => {}
                ListedReceipt::Unreadable { error, .. } => return Err(error),
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
        format!(
            "backup {id} builds on backup {base}, which is gone, not what was written or not readable: it cannot be restored"
        ),
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
