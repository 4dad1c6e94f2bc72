//! The content of entries, wherever it stands.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use backup_core::PipelineError;

use super::Archive;
use super::chain::Chain;
use super::feed::{Feed, Piece};
use super::gather::{Gather, Limits};
use super::part::Records;
use crate::error::{again, damaged};
use crate::index::{EntryRecord, Extent};

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
    pub(super) fn start(&mut self, extents: Vec<Extent>) -> Result<(), PipelineError> {
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
    pub(super) fn new(archive: &Arc<Archive>, range: Range<u64>) -> Result<Self, PipelineError> {
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
