//! The entries of one part.

use std::fmt;
use std::io::Read;

use backup_core::{ArchiveSink, Entry, EntryKind, EntryPath, PipelineError};

use super::ArchiveWriter;
use crate::index::record::check_data;
use crate::index::{EntryRecord, Extent, MAX_RECORD, SegmentRow};
use crate::tar;

/// The first numbered file of a stream has this length; each next one is twice as long, up to [`LAST_FILE`].
const FIRST_FILE: u64 = 1 << 20;
const LAST_FILE: u64 = 8 << 20;

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
        self.0.attempt(|writer| writer.append(entry, content))
    }

    fn append_stream(&mut self, path: &EntryPath, content: &mut dyn Read) -> Result<u64, PipelineError> {
        self.0.attempt(|writer| writer.append_stream(path, content))
    }
}

impl ArchiveWriter {
    fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<u64, PipelineError> {
        self.check_order(&entry.path)?;
        let is_file = matches!(entry.kind, EntryKind::File { .. });
        if entry.modified_nanos >= 1_000_000_000 || (!is_file && entry.size != 0) {
            return Err(PipelineError::failed(
                format!("the entry '{}' contradicts itself", entry.path),
                "",
            ));
        }
        check_data(entry).map_err(|what| PipelineError::failed(format!("the entry '{}' {what}", entry.path), ""))?;
        let headers = tar::entry_headers(&self.part_name(), entry);
        let length = entry.stored_bytes();
        let tape = &mut self.tape;
        tape.write(&headers)?;
        let offset = tape.offset();
        let read = tape.read(content, length, &entry.path)?;
        tape.zeros(length - read)?;
        tape.pad(length)?;
        let extent = Extent {
            archive: 0,
            offset,
            length,
        };
        self.record(entry, if length > 0 { vec![extent] } else { Vec::new() })?;
        Ok(read)
    }

    fn append_stream(&mut self, path: &EntryPath, content: &mut dyn Read) -> Result<u64, PipelineError> {
        self.check_order(path)?;
        if path.is_root() {
            return Err(PipelineError::failed("a stream needs a path", ""));
        }
        let part = self.part_name();
        let modified = self.created_at;
        self.tape.write(&tar::plain_folder(&part, path, modified))?;
        let mut extents: Vec<Extent> = Vec::new();
        let mut total = 0;
        for number in 0u64.. {
            let limit = (FIRST_FILE << number.min(3)).min(LAST_FILE);
            let name = [&tar::full_path(&part, path)[..], format!("/{number:09}").as_bytes()].concat();
            let tape = &mut self.tape;
            let mark = tape.hold(&tar::plain_file(&name, 0, modified))?;
            let offset = tape.offset();
            let length = tape.read(content, limit, path)?;
            if length == 0 && number > 0 {
                tape.take_back(&mark);
                break;
            }
            tape.release(&mark, length)?;
            tape.pad(length)?;
            total += length;
            if length > 0 {
                extents.push(Extent {
                    archive: 0,
                    offset,
                    length,
                });
            }
            if length < limit {
                break;
            }
            // The index goes out in between, so that a stream of any length needs little memory.
            self.segment_if_full()?;
        }
        self.record(&Entry::plain_file(path.clone(), total, modified), extents)?;
        Ok(total)
    }

    fn part_name(&self) -> String {
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
    fn record(&mut self, entry: &Entry, extents: Vec<Extent>) -> Result<(), PipelineError> {
        let content: u64 = extents.iter().map(|extent| extent.length).sum();
        let record = minicbor::to_vec(EntryRecord::new(entry, extents))
            .map_err(|error| PipelineError::failed("cannot encode the index", "").because(error))?;
        if record.len() > MAX_RECORD {
            return Err(PipelineError::refused(
                format!("'{}' has too much metadata for the archive", entry.path),
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
            open.first
                .get_or_insert_with(|| SegmentRow::first_path(last, &entry.path));
            // Only the path and the kind are looked at again.
            open.last = Some(Entry {
                kind: entry.kind.clone(),
                ..Entry::plain_file(entry.path.clone(), 0, 0)
            });
        }
        self.segment_if_full()
    }
}

impl fmt::Debug for PartWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartWriter({})", self.0.part_name())
    }
}
