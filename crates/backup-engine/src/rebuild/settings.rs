//! The configuration export that settings come back from.

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

/// Exports that hold nothing of which the newest is taken, and no older one looked for: there may never have been anything.
const BLANK: usize = 1_000;

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// The export, and the backup that it is from.
    pub(super) export: Option<(Receipt, ConfigExport)>,
    /// Newer backups whose export holds nothing.
    pub(super) passed_over: Vec<BackupId>,
    /// How many exports, of those that were looked at, cannot be read.
    pub(super) unread: u64,
    /// How many receipts the storage holds.
    pub(super) receipts: u64,
}

/// The export of this backup, whatever it holds.
///
/// # Errors
/// Where it has none, or it cannot be read.
pub(super) async fn of(repository: &Repository, receipt: &Receipt, job: &JobControl) -> Result<Found, PipelineError> {
    if receipt.contents.config.is_none() {
        return Err(PipelineError::refused(
            format!("backup {} holds no configuration export", receipt.id),
            "Name a backup of the whole system, or of the configuration.",
        ));
    }
    let export = read(repository, receipt, job).await?;
    let (_, receipts) = before(repository, None).await?;
    Ok(Found {
        export: Some((receipt.clone(), export)),
        receipts,
        ..Found::default()
    })
}

/// Looks through the backups from the newest on. An export that cannot be read is told of, and one that holds nothing is
/// remembered: the first that holds anything is taken. Receipts that are not whole are passed over: they are told of when
/// all are read.
pub(super) async fn newest(
    repository: &Repository,
    job: &JobControl,
    tell: &(dyn Fn(&PipelineError) + Sync),
) -> Result<Found, PipelineError> {
    let (mut paths, receipts) = before(repository, None).await?;
    let mut search = Search {
        repository,
        job,
        tell,
        found: Found {
            receipts,
            ..Found::default()
        },
        blank: None,
    };
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
                if search.look(receipt).await? {
                    return Ok(search.end());
                }
            }
        }
        drop(fetched);
        let Some(oldest) = paths.first().filter(|_| paths.len() == HELD).cloned() else {
            if let Some(receipt) = &made {
                search.look(receipt).await?;
            }
            return Ok(search.end());
        };
        (paths, _) = before(repository, Some(&oldest)).await?;
    }
}

/// A search that goes from export to export.
struct Search<'a> {
    repository: &'a Repository,
    job: &'a JobControl,
    tell: &'a (dyn Fn(&PipelineError) + Sync),
    found: Found,
    /// The newest export that holds nothing.
    blank: Option<(Receipt, ConfigExport)>,
}

impl Search<'_> {
    /// Looks at the export of a backup. `true`: no other need be looked at.
    async fn look(&mut self, receipt: &Receipt) -> Result<bool, PipelineError> {
        let export = match read(self.repository, receipt, self.job).await {
            Ok(export) => export,
            Err(error @ (PipelineError::Unavailable { .. } | PipelineError::Cancelled)) => return Err(error),
            Err(error) => {
                (self.tell)(&error);
                self.found.unread += 1;
                return Ok(false);
            }
        };
        if export.is_blank() {
            self.found.passed_over.push(receipt.id);
            self.blank.get_or_insert_with(|| (receipt.clone(), export));
            return Ok(self.found.passed_over.len() == BLANK);
        }
        self.found.export = Some((receipt.clone(), export));
        Ok(true)
    }

    fn end(mut self) -> Found {
        if self.found.export.is_none() {
            self.found.passed_over.clear();
            self.found.export = self.blank;
        }
        self.found
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
