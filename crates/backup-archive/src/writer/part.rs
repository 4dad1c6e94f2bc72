//! The entries of one part.

use std::fmt;
use std::io::Read;

use backup_core::{ArchiveSink, Entry, EntryKind, EntryPath, PipelineError};

use super::ArchiveWriter;
use super::content::{Blocks, Filled, Stored};
use crate::index::record::check_data;
use crate::index::{EntryRecord, FILE_BLOCKS, MAX_RECORD, SegmentRow};
use crate::tar;

/// Appends the entries of one part, in ascending order of paths. The part ends with the next one or with the archive.
pub struct PartWriter<'a>(&'a mut ArchiveWriter);

impl<'a> PartWriter<'a> {
    pub(super) fn new(writer: &'a mut ArchiveWriter) -> Self {
        Self(writer)
    }

    /// Ends the part, so that an error of its last bytes shows now and not with the next part.
    pub fn finish(self) -> Result<(), PipelineError> {
        self.0.attempt(ArchiveWriter::end_part)
    }
}

impl ArchiveSink for PartWriter<'_> {
    fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<u64, PipelineError> {
        self.0.attempt(|writer| writer.append(entry, content, &mut || true))
    }

    fn append_file(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
        is_same: &mut dyn FnMut() -> bool,
    ) -> Result<u64, PipelineError> {
        self.0.attempt(|writer| writer.append(entry, content, is_same))
    }

    fn append_unchanged(&mut self, entry: &Entry) -> Result<Option<u64>, PipelineError> {
        self.0.attempt(|writer| writer.append_unchanged(entry))
    }

    fn append_stream(&mut self, path: &EntryPath, content: &mut dyn Read) -> Result<u64, PipelineError> {
        self.0.attempt(|writer| writer.append_stream(path, content))
    }
}

impl ArchiveWriter {
    fn append(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
        is_same: &mut dyn FnMut() -> bool,
    ) -> Result<u64, PipelineError> {
        self.check_order(&entry.path)?;
        let is_file = matches!(entry.kind, EntryKind::File { .. });
        if entry.modified_nanos >= 1_000_000_000 || (!is_file && entry.size != 0) {
            return Err(PipelineError::failed(
                format!("the entry '{}' contradicts itself", entry.path),
                "",
            ));
        }
        check_data(entry).map_err(|what| PipelineError::failed(format!("the entry '{}' {what}", entry.path), ""))?;
        let length = entry.stored_bytes();
        let mut content = Filled::new(content, length);
        let mut reading = self.begin_content(&entry.path, Blocks::File(length), &mut content)?;
        let stored = if reading.sought {
            self.store_changes(&mut reading)?
        } else {
            self.tape.write(&tar::entry_headers(&self.part_name(), entry))?;
            self.store_file(&mut reading, length)?
        };
        let level = (stored.length > 0 && reading.level != FILE_BLOCKS).then_some(reading.level);
        if content.read == length && is_same() {
            self.record(entry, stored, level)?;
        } else {
            // Zeros in place of what was not read, or parts of two states, must never pass for the file.
            let unknown = Entry {
                identity: None,
                ..entry.clone()
            };
            self.record(&unknown, stored, level)?;
        }
        Ok(content.read)
    }

    fn append_unchanged(&mut self, entry: &Entry) -> Result<Option<u64>, PipelineError> {
        let Some(base) = &mut self.base else {
            return Ok(None);
        };
        let Some(record) = base.unchanged(entry)? else {
            return Ok(None);
        };
        self.check_order(&entry.path)?;
        self.note(&entry.path, &entry.kind, &record).map(Some)
    }

    fn append_stream(&mut self, path: &EntryPath, content: &mut dyn Read) -> Result<u64, PipelineError> {
        self.check_order(path)?;
        if path.is_root() {
            return Err(PipelineError::failed("a stream needs a path", ""));
        }
        let mut reading = self.begin_content(path, Blocks::Stream, content)?;
        let stored = if reading.sought {
            self.store_changes(&mut reading)?
        } else {
            self.store_stream(&mut reading)?
        };
        let total = stored.length;
        let level = Some(reading.level);
        self.record(&Entry::plain_file(path.clone(), total, self.created_at), stored, level)?;
        Ok(total)
    }

    pub(super) fn part_name(&self) -> String {
        self.parts.last().map(|part| part.name.clone()).unwrap_or_default()
    }

    /// Paths ascend, so that every one is there once and the index can be searched.
    fn check_order(&self, path: &EntryPath) -> Result<(), PipelineError> {
        let Some(last) = self.open.as_ref().and_then(|open| open.last.as_ref()) else {
            return Ok(());
        };
        if *path <= last.path {
            return Err(PipelineError::failed(
                format!("'{path}' cannot follow '{}' in an archive", last.path),
                "Append entries in ascending order of paths, each once.",
            ));
        }
        if last.kind != EntryKind::Directory && path.is_under(&last.path) {
            return Err(PipelineError::failed(
                format!("'{path}' cannot stand under '{}', which is no folder", last.path),
                "",
            ));
        }
        Ok(())
    }

    /// Notes an entry that has been written.
    fn record(&mut self, entry: &Entry, stored: Stored, level: Option<u8>) -> Result<(), PipelineError> {
        let mut record = EntryRecord::new(entry, stored.extents);
        record.digest = stored.digest.map(Into::into);
        record.blocks = level;
        self.note(&entry.path, &entry.kind, &record).map(drop)
    }

    /// Notes what the index says of an entry; returns how many bytes of content that has.
    fn note(&mut self, path: &EntryPath, kind: &EntryKind, record: &EntryRecord) -> Result<u64, PipelineError> {
        let content: u64 = record.extents.iter().map(|extent| extent.length).sum();
        let record = minicbor::to_vec(record)
            .map_err(|error| PipelineError::failed("cannot encode the index", "").because(error))?;
        if record.len() > MAX_RECORD {
            return Err(PipelineError::refused(
                format!("'{path}' has too much metadata for the archive"),
                "Reduce its extended attributes, or copy it so that it has fewer holes.",
            ));
        }
        if let Some(part) = self.parts.last_mut() {
            part.entries += 1;
            part.content += content;
        }
        if let Some(open) = &mut self.open {
            open.records.extend_from_slice(&record);
            open.entries += 1;
            let last = open.last.as_ref().map(|last| &last.path);
            open.first.get_or_insert_with(|| SegmentRow::first_path(last, path));
            // Only the path and the kind are looked at again.
            open.last = Some(Entry {
                kind: kind.clone(),
                ..Entry::plain_file(path.clone(), 0, 0)
            });
        }
        self.pages_if_full()?;
        self.segment_if_full()?;
        Ok(content)
    }
}

impl fmt::Debug for PartWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartWriter({})", self.0.part_name())
    }
}
