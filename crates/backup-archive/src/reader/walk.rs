//! The tar stream read as `tar` would read it, to check that it holds what the index says.

use backup_core::{JobControl, PipelineError};

use super::feed::{Feed, Piece};
use crate::error::damaged;
use crate::tar::{BLOCK, padding};

/// Pax headers longer than this are not ours.
const MAX_PAX: u64 = 64 << 20;

/// A file, folder or the like as the tar stream has it.
pub(super) struct TarEntry {
    pub(super) name: Vec<u8>,
    /// Where its content begins in the tar stream.
    pub(super) offset: u64,
    /// Length of its content.
    pub(super) size: u64,
}

/// Walks over the headers of a tar stream.
pub(super) struct Walk<'a> {
    feed: Feed,
    piece: Option<Piece>,
    position: u64,
    end: u64,
    job: &'a JobControl,
}

impl<'a> Walk<'a> {
    /// Walks from the head of the tar stream to `end`.
    pub(super) fn new(feed: Feed, end: u64, job: &'a JobControl) -> Self {
        Self {
            feed,
            piece: None,
            position: 0,
            end,
            job,
        }
    }

    /// The next entry, or `None` at the end. Its content is skipped, and checked as every byte is.
    pub(super) fn next(&mut self) -> Result<Option<TarEntry>, PipelineError> {
        let mut pax = Vec::new();
        loop {
            if self.position == self.end {
                // Index segments have members of their own, so nothing is left over.
                return if pax.is_empty() { Ok(None) } else { Err(self.wrong()) };
            }
            let block = self.take(BLOCK as u64)?;
            let size = header_size(&block).ok_or_else(|| self.wrong())?;
            if block[156] == b'x' {
                if size > MAX_PAX || !pax.is_empty() {
                    return Err(self.wrong());
                }
                pax = self.take(size)?;
                self.skip(padding(size) as u64)?;
                continue;
            }
            let field = block[..100].split(|byte| *byte == 0).next().unwrap_or_default();
            let (mut name, mut size) = (field.to_vec(), size);
            for (key, value) in pax_records(&pax).ok_or_else(|| self.wrong())? {
                match key {
                    b"path" | b"GNU.sparse.name" => name = value.to_vec(),
                    b"size" => size = decimal(value).ok_or_else(|| self.wrong())?,
                    _ => {}
                }
            }
            let offset = self.position;
            self.skip(size)?;
            self.skip(padding(size) as u64)?;
            return Ok(Some(TarEntry { name, offset, size }));
        }
    }

    fn wrong(&self) -> PipelineError {
        damaged(format!("its tar stream is not valid near {}", self.position))
    }

    fn take(&mut self, length: u64) -> Result<Vec<u8>, PipelineError> {
        let mut bytes = Vec::new();
        self.pass(length, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> Result<(), PipelineError> {
        self.pass(length, |_| ())
    }

    fn pass(&mut self, length: u64, mut take: impl FnMut(&[u8])) -> Result<(), PipelineError> {
        let mut rest = length;
        while rest > 0 {
            if let Some(piece) = &self.piece
                && piece.tar_offset <= self.position
                && self.position < piece.end()
            {
                let from = (self.position - piece.tar_offset) as usize;
                let length = rest.min(piece.end() - self.position);
                take(&piece.bytes[from..from + length as usize]);
                self.position += length;
                rest -= length;
                continue;
            }
            self.job.check()?;
            self.piece = self.feed.next()?;
            match &self.piece {
                // What the index describes itself was checked when it was read.
                Some(piece) if piece.tar_offset > self.position => return Err(self.wrong()),
                Some(piece) => self.job.advance(piece.bytes.len() as u64),
                None => return Err(self.wrong()),
            }
        }
        Ok(())
    }

    /// Goes on behind an index segment, whose member is not part of the feed.
    pub(super) fn jump(&mut self, position: u64) {
        self.position = position;
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }
}

/// The size in a header block, where its checksum is right.
fn header_size(block: &[u8]) -> Option<u64> {
    let sum: u64 = block.iter().enumerate().fold(0, |sum, (at, byte)| {
        sum + u64::from(if (148..156).contains(&at) { b' ' } else { *byte })
    });
    (octal(&block[148..154])? == sum).then_some(())?;
    octal(&block[124..135])
}

fn octal(field: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(field).ok()?, 8).ok()
}

fn decimal(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// `LENGTH KEY=VALUE\n` again and again.
fn pax_records(mut bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
        let (record, rest) = bytes.split_at_checked(length)?;
        let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        records.push((&record[..equals], &record[equals + 1..]));
        bytes = rest;
    }
    Some(records)
}
