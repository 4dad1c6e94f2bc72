//! Reading a part from its first entry to its last.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use backup_core::{Entry, EntryPath, PartReader, PipelineError};

use super::Archive;
use super::feed::{Feed, Piece};
use crate::error::damaged;
use crate::index::segment::Cursor;
use crate::index::{Extent, Segment};

/// The entries of a part in order, with their content. Reads ahead on threads of its own, within bounds; dropped, it
/// stops them.
pub struct PartStream {
    records: Records,
    content: Content,
}

impl PartStream {
    pub(super) fn new(archive: Arc<Archive>, part: usize) -> Result<Self, PipelineError> {
        let segments = archive.segments_of(part);
        let start = archive.segment_start(segments.start).1;
        let end = match segments.clone().next_back() {
            Some(last) => archive.root.segments[last].tar_offset,
            None => start,
        };
        Ok(Self {
            content: Content::new(&archive, start..end, Vec::new())?,
            records: Records::new(archive, segments),
        })
    }
}

impl PartReader for PartStream {
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError> {
        let Some((entry, extents)) = self.records.next()? else {
            self.content.extents = Vec::new().into_iter();
            return Ok(None);
        };
        self.content.start(extents)?;
        Ok(Some(entry))
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
pub(super) struct Records {
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

    /// The next entry and where its content is.
    pub(super) fn next(&mut self) -> Result<Option<(Entry, Vec<Extent>)>, PipelineError> {
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
            return Ok(Some((entry, record.extents)));
        }
    }
}

/// The content of entries, from pieces of the tar stream.
pub(super) struct Content {
    feed: Feed,
    range: Range<u64>,
    piece: Option<Piece>,
    extents: std::vec::IntoIter<Extent>,
    /// What is left of the current extent.
    rest: Range<u64>,
}

impl Content {
    /// Content in `range` of the tar stream: that of `extents`, which ascend.
    pub(super) fn new(archive: &Arc<Archive>, range: Range<u64>, extents: Vec<Extent>) -> Result<Self, PipelineError> {
        let mut content = Self {
            feed: Feed::new(archive, range.clone())?,
            rest: range.start..range.start,
            range,
            piece: None,
            extents: Vec::new().into_iter(),
        };
        content.start(extents)?;
        Ok(content)
    }

    /// Goes on with the content of the next entry.
    fn start(&mut self, extents: Vec<Extent>) -> Result<(), PipelineError> {
        // Nothing before this place of the tar is read again.
        let mut end = self
            .extents
            .as_slice()
            .last()
            .map_or(self.rest.end, |last| last.offset + last.length);
        for extent in &extents {
            if extent.archive != 0 {
                return Err(PipelineError::refused(
                    "the archive builds on another one, which this version of the program cannot follow",
                    "Use a newer version of the program.",
                ));
            }
            let next = extent.offset.checked_add(extent.length);
            match next {
                Some(next) if extent.offset >= end && next <= self.range.end => end = next,
                _ => {
                    return Err(damaged(format!(
                        "the index names an impossible place {}",
                        extent.offset
                    )));
                }
            }
        }
        self.extents = extents.into_iter();
        self.rest = self.rest.end..self.rest.end;
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, PipelineError> {
        while self.rest.is_empty() {
            let Some(extent) = self.extents.next() else {
                return Ok(0);
            };
            self.rest = extent.offset..extent.offset + extent.length;
        }
        loop {
            if let Some(piece) = &self.piece
                && piece.tar_offset <= self.rest.start
                && self.rest.start < piece.end()
            {
                let from = (self.rest.start - piece.tar_offset) as usize;
                let to = (self.rest.end.min(piece.end()) - piece.tar_offset) as usize;
                let length = (to - from).min(buffer.len());
                buffer[..length].copy_from_slice(&piece.bytes[from..from + length]);
                self.rest.start += length as u64;
                return Ok(length);
            }
            self.piece = self.feed.next()?;
            match &self.piece {
                Some(piece) if piece.tar_offset <= self.rest.start => {}
                _ => return Err(damaged("the index names content that no member holds")),
            }
        }
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.fill(buffer).map_err(io::Error::other)
    }
}
