//! Finding entries through the index, without reading the rest.

use std::io::Read;
use std::ops::Range;

use backup_core::{Entry, EntryKind, EntryPath, PipelineError};

use super::ArchiveReader;
use super::check::Checked;
use super::part::Records;
use crate::error::damaged;
use crate::index::EntryRecord;

/// The content of one file, each byte checked. A damaged archive is an I/O error that holds a [`PipelineError`].
pub type FileContent = Box<dyn Read + Send>;

/// How much stands somewhere in a part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Entries of every kind.
    pub entries: u64,
    /// Bytes of their content, holes not counted.
    pub stored_bytes: u64,
}

impl ArchiveReader {
    /// The entry at `path` of a part, or `None`.
    pub fn find(&self, part: &str, path: &EntryPath) -> Result<Option<Entry>, PipelineError> {
        Ok(self.locate(part, path)?.map(|(entry, _)| entry))
    }

    /// The entry at `path` with its content ([`Entry::stored_bytes`] bytes: of a sparse file its data only), or `None`.
    /// Reads only the members that hold it; every byte is checked.
    ///
    /// # Errors
    /// `Refused` where the content stands in an archive that is not attached.
    pub fn open_file(&self, part: &str, path: &EntryPath) -> Result<Option<(Entry, FileContent)>, PipelineError> {
        let Some((entry, record)) = self.locate(part, path)? else {
            return Ok(None);
        };
        let content = Checked::of(&self.archives(), path, record)?;
        Ok(Some((entry, Box::new(content))))
    }

    /// What stands directly in `folder` of a part, in order, behind `after` (a path in that folder), at most `limit`
    /// entries. Folders that have no entry of their own but hold something are shown too.
    pub fn list(
        &self,
        part: &str,
        folder: &EntryPath,
        after: Option<&EntryPath>,
        limit: usize,
    ) -> Result<Vec<Entry>, PipelineError> {
        let part = self.part_number(part)?;
        let depth = folder.components().count();
        let mut found: Vec<Entry> = Vec::new();
        let mut behind = Behind {
            path: after.unwrap_or(folder).clone(),
            whole_tree: after.is_some(),
        };
        let mut records = self.seek(part, |path| behind.is_before(path))?;
        while found.len() < limit {
            let Some((entry, _)) = records.next()? else { break };
            if behind.is_before(entry.path.as_bytes()) {
                // The rest of this segment is skipped by reading on, whole segments through the index.
                if records.begins_segment() {
                    records.skip_to(self.seek_segment(part, |path| behind.is_before(path))?);
                }
                continue;
            }
            if !entry.path.is_under(folder) {
                break;
            }
            let child = child_of(&entry.path, depth)?;
            behind = Behind {
                path: child.clone(),
                whole_tree: true,
            };
            found.push(if child == entry.path {
                entry
            } else {
                implied(child, &entry)
            });
        }
        Ok(found)
    }

    /// All that stands under `folder` of a part, in order, behind `after` (a path under it), at most `limit` entries. A folder
    /// comes directly before what it holds; one that has no entry of its own is not shown.
    pub fn list_all(
        &self,
        part: &str,
        folder: &EntryPath,
        after: Option<&EntryPath>,
        limit: usize,
    ) -> Result<Vec<Entry>, PipelineError> {
        let part = self.part_number(part)?;
        let after = after.unwrap_or(folder);
        let mut found: Vec<Entry> = Vec::new();
        let mut records = self.seek(part, |path| compare(path, after).is_le())?;
        while found.len() < limit {
            let Some((entry, _)) = records.next()? else { break };
            if entry.path <= *after {
                continue;
            }
            if !entry.path.is_under(folder) {
                break;
            }
            found.push(entry);
        }
        Ok(found)
    }

    /// How much stands at `path` of a part and under it, counted through the index and no further than to `limit` entries:
    /// where it is as many, there may be more.
    pub fn amount(&self, part: &str, path: &EntryPath, limit: u64) -> Result<Amount, PipelineError> {
        let part = self.part_number(part)?;
        let mut amount = Amount::default();
        let mut records = self.seek(part, |before| compare(before, path).is_lt())?;
        while amount.entries < limit {
            let Some((entry, _)) = records.next()? else { break };
            if entry.path < *path {
                continue;
            }
            if !entry.path.is_under(path) {
                break;
            }
            amount.entries += 1;
            amount.stored_bytes = amount.stored_bytes.saturating_add(entry.stored_bytes());
        }
        Ok(amount)
    }

    fn locate(&self, part: &str, path: &EntryPath) -> Result<Option<(Entry, EntryRecord)>, PipelineError> {
        let part = self.part_number(part)?;
        let mut records = self.seek(part, |before| compare(before, path).is_lt())?;
        while let Some((entry, record)) = records.next()? {
            match entry.path.cmp(path) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(Some((entry, record))),
                std::cmp::Ordering::Greater => break,
            }
        }
        Ok(None)
    }

    /// Records of a part from the last segment on whose first path is still before what is sought.
    fn seek(&self, part: usize, is_before: impl Fn(&[u8]) -> bool) -> Result<Records, PipelineError> {
        let from = self.seek_segment(part, is_before)?;
        Ok(Records::new(
            self.archive.clone(),
            from..self.archive.segments_of(part).end,
        ))
    }

    fn seek_segment(&self, part: usize, is_before: impl Fn(&[u8]) -> bool) -> Result<usize, PipelineError> {
        let Range { start, end } = self.archive.segments_of(part);
        let with_entries: Vec<usize> = (start..end)
            .filter(|number| self.archive.root.segments[*number].entries > 0)
            .collect();
        let mut missing = false;
        let at = with_entries.partition_point(|number| {
            let first = self.archive.root.segments[*number].first.as_ref();
            missing |= first.is_none();
            first.is_some_and(|first| is_before(first))
        });
        if missing {
            return Err(damaged(
                "the root of its index names a segment of entries without its first path",
            ));
        }
        Ok(with_entries.get(at.saturating_sub(1)).copied().unwrap_or(end))
    }
}

/// Everything up to `path`, and with `whole_tree` what stands under it.
struct Behind {
    path: EntryPath,
    whole_tree: bool,
}

impl Behind {
    fn is_before(&self, path: &[u8]) -> bool {
        let order = compare(path, &self.path);
        let under = path
            .strip_prefix(self.path.as_bytes())
            .is_some_and(|rest| rest.starts_with(b"/"));
        order.is_le() || (self.whole_tree && under)
    }
}

/// The order of raw paths, which is that of [`EntryPath`].
fn compare(left: &[u8], right: &EntryPath) -> std::cmp::Ordering {
    left.split(|byte| *byte == b'/')
        .filter(|component| !component.is_empty())
        .cmp(right.components())
}

/// The first `depth + 1` components of a path.
fn child_of(path: &EntryPath, depth: usize) -> Result<EntryPath, PipelineError> {
    let components: Vec<&[u8]> = path.components().take(depth + 1).collect();
    EntryPath::new(components.join(&b'/')).map_err(|error| damaged(error.to_string()))
}

/// A folder that has no entry of its own.
fn implied(path: EntryPath, inside: &Entry) -> Entry {
    Entry {
        kind: EntryKind::Directory,
        mode: 0o700,
        ..Entry::plain_file(path, 0, inside.modified_secs)
    }
}
