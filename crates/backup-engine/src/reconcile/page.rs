//! The catalog's rows of one final state, page by page.

use backup_core::list::{BackupListOptions, SortBy, SortOrder};
use backup_core::{Backup, JobStatus};
use backup_db::Store;

use crate::error::Error;

/// How far they were gone through. Pages move when a backup gets a tombstone between two of them, so a row may be passed over.
pub(super) struct Page {
    options: BackupListOptions,
    was_last: bool,
}

impl Page {
    pub(super) fn of(config_key: &str, status: JobStatus) -> Self {
        Self {
            options: BackupListOptions {
                config_key: Some(config_key.to_owned()),
                status: Some(status),
                limit: BackupListOptions::MAX_LIMIT,
                sort_by: SortBy::CreatedAt,
                sort_order: SortOrder::Asc,
                ..BackupListOptions::default()
            },
            was_last: false,
        }
    }

    /// The next ones, the oldest first; `None` behind the last.
    pub(super) async fn next(&mut self, store: &Store) -> Result<Option<Vec<Backup>>, Error> {
        if self.was_last {
            return Ok(None);
        }
        let found = store.list_backups(&self.options).await?.backups;
        self.was_last = found.len() < self.options.limit as usize;
        self.options.offset += found.len() as u64;
        Ok(Some(found.into_iter().map(|summary| summary.backup).collect()))
    }
}
