//! The newest configuration export of a storage.

use std::collections::BTreeSet;

use backup_core::{BackupId, EntryPath, JobControl, PipelineError, Receipt};
use backup_sources::ConfigExport;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::repository::Repository;

/// Paths of receipts that are held at once: the newest of those that have not been looked at.
const HELD: usize = 50_000;

/// Receipts that are fetched at once.
const FETCHES: usize = 16;

/// Bytes of the largest export that is read.
const MAX_EXPORT: u64 = 64 << 20;

/// What was found.
pub(super) struct Found {
    /// The newest export that can be read, and the backup that it is from.
    pub(super) export: Option<(BackupId, ConfigExport)>,
    /// How many receipts the storage holds.
    pub(super) receipts: u64,
}

/// Looks through the backups from the newest on. An export that cannot be read is told of, and the one before is taken.
/// Receipts that are not whole are passed over: they are told of when all are read.
pub(super) async fn newest(
    repository: &Repository,
    job: &JobControl,
    tell: &(dyn Fn(&PipelineError) + Sync),
) -> Result<Found, PipelineError> {
    let (mut paths, receipts) = before(repository, None).await?;
    // The newest of those that are made of others: their paths tell when that was done, not of which time they are.
    let mut made: Option<Receipt> = None;
    loop {
        let mut fetched = stream::iter(paths.iter().rev())
            .map(async |path| repository.receipt_at(path).await)
            .buffered(FETCHES);
        while let Some(fetched) = fetched.next().await {
            job.check()?;
            let receipt = match fetched {
                Ok(Some(receipt)) if receipt.contents.config.is_some() => receipt,
                Err(error @ (PipelineError::Unavailable { .. } | PipelineError::Cancelled)) => return Err(error),
                Ok(_) | Err(_) => continue,
            };
            if receipt.consolidated_from.is_some() {
                if made.as_ref().is_none_or(|made| made.created_at < receipt.created_at) {
                    made = Some(receipt);
                }
                continue;
            }
            let newer = made.take_if(|made| made.created_at > receipt.created_at);
            for receipt in newer.iter().chain([&receipt]) {
                if let Some(export) = try_read(repository, receipt, job, tell).await? {
                    let export = Some(export);
                    return Ok(Found { export, receipts });
                }
            }
        }
        drop(fetched);
        let Some(oldest) = paths.first().filter(|_| paths.len() == HELD).cloned() else {
            let export = match &made {
                Some(receipt) => try_read(repository, receipt, job, tell).await?,
                None => None,
            };
            return Ok(Found { export, receipts });
        };
        (paths, _) = before(repository, Some(&oldest)).await?;
    }
}

/// The export of a backup, and which one that is; `None` where it cannot be read, which is told of.
async fn try_read(
    repository: &Repository,
    receipt: &Receipt,
    job: &JobControl,
    tell: &(dyn Fn(&PipelineError) + Sync),
) -> Result<Option<(BackupId, ConfigExport)>, PipelineError> {
    match read(repository, receipt, job).await {
        Ok(export) => Ok(Some((receipt.id, export))),
        Err(error @ (PipelineError::Unavailable { .. } | PipelineError::Cancelled)) => Err(error),
        Err(error) => {
            tell(&error);
            Ok(None)
        }
    }
}

/// The newest paths of receipts that are older than `limit`, and how many receipts there are in all. A path begins with the
/// day, and its name with the time.
async fn before(repository: &Repository, limit: Option<&str>) -> Result<(BTreeSet<String>, u64), PipelineError> {
    let mut newest = BTreeSet::new();
    let mut count = 0;
    let mut paths = repository.storage().receipts();
    while let Some(path) = paths.try_next().await? {
        count += 1;
        if limit.is_none_or(|limit| path.as_str() < limit) {
            newest.insert(path);
            if newest.len() > HELD {
                newest.pop_first();
            }
        }
    }
    Ok((newest, count))
}

/// Reads the one file out of the archive, which is not read otherwise.
async fn read(repository: &Repository, receipt: &Receipt, job: &JobControl) -> Result<ConfigExport, PipelineError> {
    let path = EntryPath::new(ConfigExport::FILE).map_err(|error| PipelineError::failed(error.to_string(), ""))?;
    let file = repository.file(receipt, ConfigExport::PART, &path, job).await?;
    ConfigExport::read(&file.read(MAX_EXPORT).await?)
}
