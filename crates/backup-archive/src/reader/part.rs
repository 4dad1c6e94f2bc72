//! Reading a part from its first entry to its last.

use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use backup_core::{Entry, EntryPath, PartReader, PipelineError};

use super::Archive;
use super::chain::Chain;
use super::check::Checked;
use super::content::{Content, Gathered, Own};
use crate::error::damaged;
use crate::index::record::STREAM_BLOCKS;
use crate::index::segment::Cursor;
use crate::index::{EntryRecord, Segment};

/// The entries of a part in order, with their content. Reads ahead on threads of its own, within bounds; dropped, it
/// stops them.
pub struct PartStream {
    records: Records,
    content: Checked,
}

impl PartStream {
    pub(super) fn new(chain: &Chain, part: usize) -> Result<Self, PipelineError> {
        let archive = chain.own();
        let segments = archive.segments_of(part);
        let records = Records::new(archive.clone(), segments.clone());
        let content = if archive.root.bases.is_empty() {
            let start = archive.segment_start(segments.start).1;
            let end = segments
                .clone()
                .next_back()
                .map_or(start, |last| archive.root.segments[last].tar_offset);
            Content::Own(Own::new(archive, start..end)?)
        } else {
            Content::Chain(Gathered::of_records(chain, records.again(), |_| true)?)
        };
        let content = Checked::new(content);
        Ok(Self { records, content })
    }

    /// The next entry, and whether it was appended as a stream.
    pub(super) fn next(&mut self) -> Result<Option<(Entry, bool)>, PipelineError> {
        let Some((entry, record)) = self.records.next()? else {
            self.content.end()?;
            return Ok(None);
        };
        let is_stream = record.blocks == Some(STREAM_BLOCKS);
        self.content.start(&entry.path, record)?;
        Ok(Some((entry, is_stream)))
    }
}

impl PartReader for PartStream {
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError> {
        Ok(self.next()?.map(|(entry, _)| entry))
    }

    fn content(&mut self) -> &mut dyn Read {
        &mut self.content
    }
}

impl fmt::Debug for PartStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartStream")
    }
}

/// The records of some segments, in order, each checked.
pub(crate) struct Records {
    archive: Arc<Archive>,
    segments: Range<usize>,
    current: Option<(usize, Arc<Segment>, Cursor)>,
    last: Option<EntryPath>,
}

impl Records {
    pub(super) fn new(archive: Arc<Archive>, segments: Range<usize>) -> Self {
        Self {
            archive,
            segments,
            current: None,
            last: None,
        }
    }

    /// The same records, from the first of its segments on.
    pub(super) fn again(&self) -> Self {
        Self::new(self.archive.clone(), self.segments.clone())
    }

    /// Whether the last record was the first of its segment.
    pub(super) fn begins_segment(&self) -> bool {
        self.current.as_ref().is_some_and(|(_, _, cursor)| cursor.index() == 1)
    }

    /// Goes on with segment `number` where that lies ahead.
    pub(super) fn skip_to(&mut self, number: usize) {
        if self.current.as_ref().is_some_and(|(current, _, _)| *current < number) {
            self.current = None;
            self.segments.start = self.segments.start.max(number);
        }
    }

    /// The next entry and its record, which says where its content is.
    pub(crate) fn next(&mut self) -> Result<Option<(Entry, EntryRecord)>, PipelineError> {
        loop {
            let (number, segment, cursor) = if let Some(current) = &mut self.current {
                current
            } else {
                let Some(number) = self.segments.next() else {
                    return Ok(None);
                };
                if self.archive.root.segments[number].entries == 0 {
                    continue;
                }
                let segment = self.archive.segment(number)?;
                let first = segment.first();
                self.current.insert((number, segment, first))
            };
            let wrong = |what: String| damaged(format!("index segment {number}: {what}"));
            let Some((record, next)) = segment.record(*cursor).map_err(wrong)? else {
                self.current = None;
                continue;
            };
            *cursor = next;
            let entry = record.entry().map_err(wrong)?;
            if self.last.as_ref().is_some_and(|last| *last >= entry.path) {
                return Err(wrong(format!("'{}' stands out of order", entry.path)));
            }
            self.last = Some(entry.path.clone());
            let known = self.archive.root.bases.len() as u64;
            if record.extents.iter().any(|extent| u64::from(extent.archive) > known) {
                return Err(wrong(format!(
                    "'{}' points to an archive that is not in the table",
                    entry.path
                )));
            }
            return Ok(Some((entry, record)));
        }
    }
}
