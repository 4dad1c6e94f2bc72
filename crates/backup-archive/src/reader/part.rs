//! Reading a part from its first entry to its last.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use backup_core::{Entry, EntryPath, PartReader, PipelineError};

use super::Archive;
use super::chain::Chain;
use super::feed::{Feed, Piece};
use super::gather::{Gather, Limits};
use crate::error::{again, damaged};
use crate::index::record::STREAM_BLOCKS;
use crate::index::segment::Cursor;
use crate::index::{EntryRecord, Extent, Segment};

/// The entries of a part in order, with their content. Reads ahead on threads of its own, within bounds; dropped, it
/// stops them.
pub struct PartStream {
    records: Records,
    content: Content,
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
        Ok(Self { records, content })
    }

    /// The next entry, and whether it was appended as a stream.
    pub(super) fn next(&mut self) -> Result<Option<(Entry, bool)>, PipelineError> {
        let next = self.records.next()?;
        let is_stream = |record: &EntryRecord| record.blocks == Some(STREAM_BLOCKS);
        let next = next.map(|(entry, record)| (entry, is_stream(&record), record.extents));
        let (found, extents) = match next {
            Some((entry, stream, extents)) => (Some((entry, stream)), extents),
            None => (None, Vec::new()),
        };
        self.content.start(extents)?;
        Ok(found)
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

/// The content of the current entry.
pub(super) enum Content {
    /// All of it stands in the archive itself, in order: it is read through.
    Own(Own),
    /// It may stand in any archive of the chain.
    Chain(Gathered),
}

impl Content {
    /// That of one entry.
    pub(super) fn of(chain: &Chain, extents: Vec<Extent>) -> Result<Self, PipelineError> {
        if extents.iter().any(|extent| extent.archive > 0) {
            return Ok(Self::Chain(Gathered::of_entry(chain, extents)?));
        }
        let start = extents.first().map_or(0, |extent| extent.offset);
        let last = extents.last();
        let end = last.map_or(0, |extent| extent.offset.saturating_add(extent.length));
        let mut own = Own::new(chain.own(), start..end)?;
        own.start(extents)?;
        Ok(Self::Own(own))
    }

    /// Goes on with the content of the next entry.
    fn start(&mut self, extents: Vec<Extent>) -> Result<(), PipelineError> {
        match self {
            Self::Own(own) => own.start(extents),
            Self::Chain(gathered) => {
                gathered.start(&extents);
                Ok(())
            }
        }
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = match self {
            Self::Own(own) => own.fill(buffer),
            Self::Chain(gathered) => gathered.fill(buffer),
        };
        read.map_err(io::Error::other)
    }
}

/// Content that is put together from the archives of a chain.
pub(super) struct Gathered {
    gather: Gather,
    chain: Chain,
    /// What is left of the current entry.
    rest: u64,
    /// Why the current entry cannot be read.
    missing: Option<PipelineError>,
}

impl Gathered {
    /// That of all records of which `wanted` says so. Those whose archives are not at hand are left out.
    pub(super) fn of_records(
        chain: &Chain,
        mut records: Records,
        wanted: impl Fn(&EntryRecord) -> bool + Send + 'static,
    ) -> Result<Self, PipelineError> {
        let at_hand = chain.clone();
        let entries = std::iter::from_fn(move || {
            loop {
                match records.next().transpose()? {
                    Ok((_, record)) if !wanted(&record) || at_hand.missing(&record.extents).is_some() => {}
                    other => return Some(other.map(|(_, record)| record.extents)),
                }
            }
        });
        Ok(Self {
            gather: Gather::new(chain.clone(), Limits::default(), entries)?,
            chain: chain.clone(),
            rest: 0,
            missing: None,
        })
    }

    /// That of one entry, which is then the current one.
    fn of_entry(chain: &Chain, extents: Vec<Extent>) -> Result<Self, PipelineError> {
        if let Some(missing) = chain.missing(&extents) {
            return Err(missing);
        }
        let rest = extents.iter().map(|extent| extent.length).sum();
        Ok(Self {
            gather: Gather::new(chain.clone(), Limits::default(), std::iter::once(Ok(extents)))?,
            chain: chain.clone(),
            rest,
            missing: None,
        })
    }

    /// Goes on with the content of the next entry.
    pub(super) fn start(&mut self, extents: &[Extent]) {
        self.gather.skip(self.rest);
        self.missing = self.chain.missing(extents);
        self.rest = match &self.missing {
            None => extents.iter().map(|extent| extent.length).sum(),
            Some(_) => 0,
        };
    }

    /// Some of the current entry's next bytes; none where it ends.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, PipelineError> {
        if let Some(missing) = &self.missing {
            return Err(again(missing));
        }
        let length = buffer.len().min(usize::try_from(self.rest).unwrap_or(usize::MAX));
        if length == 0 {
            return Ok(0);
        }
        let read = self.gather.read(&mut buffer[..length])?;
        self.rest -= read as u64;
        Ok(read)
    }
}

/// The content of entries, from pieces of the tar stream.
pub(super) struct Own {
    feed: Feed,
    range: Range<u64>,
    piece: Option<Piece>,
    extents: std::vec::IntoIter<Extent>,
    /// What is left of the current extent.
    rest: Range<u64>,
}

impl Own {
    /// Content in `range` of the tar stream.
    fn new(archive: &Arc<Archive>, range: Range<u64>) -> Result<Self, PipelineError> {
        Ok(Self {
            feed: Feed::new(archive, range.clone())?,
            rest: range.start..range.start,
            range,
            piece: None,
            extents: Vec::new().into_iter(),
        })
    }

    /// Goes on with the content of the next entry: that of `extents`, which ascend.
    fn start(&mut self, extents: Vec<Extent>) -> Result<(), PipelineError> {
        // Nothing before this place of the tar is read again.
        let mut end = self
            .extents
            .as_slice()
            .last()
            .map_or(self.rest.end, |last| last.offset + last.length);
        for extent in &extents {
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
