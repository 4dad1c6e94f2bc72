//! The content of entries: cut into blocks, sought in the chain, stored where it is new.

use std::io::{self, Read};

use backup_core::{EntryPath, PipelineError};
use openssl::sha::Sha256;

use super::ArchiveWriter;
use super::tape::Mark;
use crate::blocks::level_of;
use crate::codec::Content;
use crate::error::from_io;
use crate::index::Extent;
use crate::signatures::BlockRow;
use crate::tar;

/// Numbered files double in length up to this many times the first one's.
const LAST_FILE: u32 = 3;

/// How the blocks of an entry are cut.
#[derive(Clone, Copy)]
pub(super) enum Blocks {
    /// As is right for a file of so many bytes.
    File(u64),
    Stream,
}

/// Content that is being read. The writer's cutter holds its current block.
pub(super) struct Reading<'a> {
    content: &'a mut dyn Read,
    name: &'a EntryPath,
    kind: Content,
    /// Blocks are about two to the power of this long.
    pub(super) level: u8,
    /// Whether its blocks are to be sought in the chain.
    pub(super) sought: bool,
    /// Whether there is a current block.
    more: bool,
}

/// Where the content of an entry is now.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) extents: Vec<Extent>,
    pub(super) length: u64,
    /// SHA-256 of it, where not all of it stands in this archive.
    pub(super) digest: Option<[u8; 32]>,
}

impl Stored {
    /// Appends a place; neighbours become one.
    fn push(&mut self, place: Extent) {
        self.length += place.length;
        match self.extents.last_mut() {
            Some(last) if last.archive == place.archive && last.offset + last.length == place.offset => {
                last.length += place.length;
            }
            _ => self.extents.push(place),
        }
    }
}

/// A file of the archive whose length is not known yet.
struct OpenFile {
    mark: Mark,
    length: u64,
}

impl ArchiveWriter {
    /// Reads the first block of an entry's content, and decides whether others may be found in the chain.
    pub(super) fn begin_content<'a>(
        &mut self,
        name: &'a EntryPath,
        blocks: Blocks,
        content: &'a mut dyn Read,
    ) -> Result<Reading<'a>, PipelineError> {
        let kept = match &mut self.base {
            Some(base) => base.begin_entry(name)?,
            None => None,
        };
        let (level, kind) = match blocks {
            Blocks::File(size) => {
                let level = level_of(size, self.cuts.file_blocks);
                // Other blocks than before would have nothing in common with them. What was a stream there is none any more.
                let kept = kept.filter(|kept| *kept != self.cuts.stream_blocks);
                (kept.unwrap_or(level), Content::Files)
            }
            Blocks::Stream => (self.cuts.stream_blocks, Content::Stream),
        };
        self.cutter.begin(level);
        let mut reading = Reading {
            content,
            name,
            kind,
            level,
            sought: false,
            more: false,
        };
        self.next_block(&mut reading)?;
        let (hash, length) = (self.cutter.hash(), self.cutter.block().len() as u64);
        if let Some(base) = self.base.as_mut().filter(|_| reading.more) {
            reading.sought = match blocks {
                // All of it is there, or nothing.
                Blocks::File(size) if size == length => base.find(&hash, length)?.is_some(),
                _ => kept.is_some() || base.may_hold(&hash),
            };
        }
        Ok(reading)
    }

    fn next_block(&mut self, reading: &mut Reading<'_>) -> Result<(), PipelineError> {
        let next = self.cutter.next(reading.content);
        reading.more = next.map_err(|error| from_io(error, format!("read the content of '{}'", reading.name)))?;
        Ok(())
    }

    /// Writes the content of a file whose header says that it has `length` bytes.
    pub(super) fn store_file(&mut self, reading: &mut Reading<'_>, length: u64) -> Result<Stored, PipelineError> {
        let mut stored = Stored::default();
        while reading.more {
            let done = stored.length;
            self.store_block(&mut stored, done)?;
            self.next_block(reading)?;
        }
        self.tape.pad(length)?;
        Ok(stored)
    }

    /// Writes a stream as a folder of numbered files. None begins within a block.
    pub(super) fn store_stream(&mut self, reading: &mut Reading<'_>) -> Result<Stored, PipelineError> {
        let part = self.part_name();
        self.tape
            .write(&tar::plain_folder(&part, reading.name, self.created_at))?;
        let mut stored = Stored::default();
        for number in 0u32.. {
            let mut name = tar::full_path(&part, reading.name);
            name.extend_from_slice(format!("/{number:09}").as_bytes());
            let mut file = self.open_file(&name, reading.kind)?;
            let limit = self.cuts.file_bytes << number.min(LAST_FILE);
            while reading.more && self.fits(&file, limit) {
                file.length += self.store_block(&mut stored, file.length)?;
                self.next_block(reading)?;
            }
            self.close_file(&file)?;
            if !reading.more {
                break;
            }
            // The index goes out in between, so that a stream of any length needs little memory.
            self.segment_if_full()?;
        }
        Ok(stored)
    }

    /// Seeks every block in the chain, and writes those that are not there to files of changes, which have no name that
    /// somebody could take for a whole file's.
    pub(super) fn store_changes(&mut self, reading: &mut Reading<'_>) -> Result<Stored, PipelineError> {
        let limit = self.cuts.file_bytes << LAST_FILE;
        let (mut stored, mut digest) = (Stored::default(), Sha256::new());
        let (mut open, mut found_any): (Option<OpenFile>, bool) = (None, false);
        while reading.more {
            let block = self.cutter.block();
            digest.update(block);
            let (hash, length) = (self.cutter.hash(), block.len() as u64);
            let found = match &mut self.base {
                Some(base) if stored.extents.len() < self.cuts.extents => base.find(&hash, length)?,
                _ => None,
            };
            if let Some(place) = found {
                stored.push(place);
                found_any = true;
            } else {
                if let Some(file) = open.take_if(|file| !self.fits(file, limit)) {
                    self.close_file(&file)?;
                    self.segment_if_full()?;
                }
                let file = if let Some(file) = &mut open {
                    file
                } else {
                    let name = format!(".backup/delta/{:09}", self.deltas);
                    self.deltas += 1;
                    open.insert(self.open_file(name.as_bytes(), reading.kind)?)
                };
                file.length += self.store_block(&mut stored, file.length)?;
            }
            self.next_block(reading)?;
        }
        if let Some(file) = open {
            self.close_file(&file)?;
        }
        stored.digest = found_any.then(|| digest.finish());
        Ok(stored)
    }

    /// Begins a file of the archive's own making. What is behind its header waits for its end.
    fn open_file(&mut self, name: &[u8], kind: Content) -> Result<OpenFile, PipelineError> {
        let mark = self.tape.hold(&tar::plain_file(name, 0, self.created_at), kind)?;
        Ok(OpenFile { mark, length: 0 })
    }

    /// Whether the current block has room in the file. One always has, however long it is.
    fn fits(&self, file: &OpenFile, limit: u64) -> bool {
        file.length == 0 || file.length + self.cutter.block().len() as u64 <= limit
    }

    fn close_file(&mut self, file: &OpenFile) -> Result<(), PipelineError> {
        self.tape.release(&file.mark, file.length)?;
        self.tape.pad(file.length)?;
        self.pages_if_full()
    }

    /// Writes the current block, before which `done` bytes of its file stand, and notes its signature.
    fn store_block(&mut self, stored: &mut Stored, done: u64) -> Result<u64, PipelineError> {
        let bytes = self.cutter.block();
        let block = BlockRow {
            offset: self.tape.offset(),
            length: bytes.len() as u32,
            hash: self.cutter.hash(),
        };
        self.tape.content(bytes, done)?;
        self.signatures.note(&block, stored.length == 0);
        let length = u64::from(block.length);
        stored.push(Extent {
            archive: 0,
            offset: block.offset,
            length,
        });
        Ok(length)
    }
}

/// Content of which exactly so many bytes are taken: where it ends early, zeros stand for the rest, since the length is in
/// the archive already.
pub(super) struct Filled<'a> {
    content: &'a mut dyn Read,
    left: u64,
    ended: bool,
    /// Bytes that were really there.
    pub(super) read: u64,
}

impl<'a> Filled<'a> {
    pub(super) fn new(content: &'a mut dyn Read, length: u64) -> Self {
        Self {
            content,
            left: length,
            ended: false,
            read: 0,
        }
    }
}

impl Read for Filled<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut length = 0;
        if !self.ended && wanted > 0 {
            length = self.content.read(&mut buffer[..wanted])?.min(wanted);
            self.read += length as u64;
            self.ended = length == 0;
        }
        if self.ended {
            buffer[..wanted].fill(0);
            length = wanted;
        }
        self.left -= length as u64;
        Ok(length)
    }
}
