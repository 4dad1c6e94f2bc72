use std::sync::Arc;

use backup_archive::ArchiveReader;
use backup_core::{Entry, EntryKind, EntryPath, PipelineError, Receipt};

use super::file::{holds_under, no_entry};
use super::{Repository, unwatched};
use crate::bridge::blocking;

/// What a backup holds, found through its index: neither its content nor what it builds on is read.
#[derive(Debug, Clone)]
pub struct Contents {
    archive: Arc<ArchiveReader>,
}

/// How far down a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What stands directly in the folder, also folders that have no entry of their own.
    Folder,
    /// All that stands under it; a folder comes directly before what it holds.
    Tree,
}

impl Repository {
    /// Opens the index of a backup, to look around in it.
    ///
    /// # Errors
    /// `Integrity` where the archive is gone or not the one that was written, `WrongKey`, `Unavailable`.
    pub async fn browse(&self, receipt: &Receipt) -> Result<Contents, PipelineError> {
        let archive = self.open_alone(receipt, &unwatched()).await?;
        Ok(Contents {
            archive: Arc::new(archive),
        })
    }
}

impl Contents {
    /// The names of the parts, in the order in which they were written.
    pub fn parts(&self) -> &[String] {
        self.archive.parts()
    }

    /// One entry of a part; `None` where it has none.
    ///
    /// # Errors
    /// `NotFound` where the backup has no such part, `Integrity`, `Unavailable`.
    pub async fn entry(&self, part: &str, path: &EntryPath) -> Result<Option<Entry>, PipelineError> {
        let archive = self.archive.clone();
        let (part, path) = (part.to_owned(), path.clone());
        blocking(move || archive.find(&part, &path)).await
    }

    /// A page of what stands in `folder` of a part, in order, from after `after` (a path that a page before gave), `limit`
    /// entries at the most.
    ///
    /// # Errors
    /// `NotFound` where the backup has no such folder, `Integrity`, `Unavailable`.
    pub async fn page(
        &self,
        part: &str,
        folder: EntryPath,
        after: Option<EntryPath>,
        limit: usize,
        depth: Depth,
    ) -> Result<Vec<Entry>, PipelineError> {
        let archive = self.archive.clone();
        let part = part.to_owned();
        blocking(move || {
            let found = match depth {
                Depth::Folder => archive.list(&part, &folder, after.as_ref(), limit)?,
                Depth::Tree => archive.list_all(&part, &folder, after.as_ref(), limit)?,
            };
            // What holds something is a folder, entry or not; and so is the root.
            if found.is_empty() && !folder.is_root() {
                match archive.find(&part, &folder)? {
                    Some(entry) if entry.kind == EntryKind::Directory => {}
                    // Behind the last entry of a folder that has none of its own.
                    None if holds_under(&archive, &part, &folder)? => {}
                    _ => return Err(no_entry(&archive, &part, &folder)),
                }
            }
            Ok(found)
        })
        .await
    }
}
