//! The reader: checks first, then releases bytes. Everything hangs on the seal: its `index_hmac` vouches for the root, the
//! root for the segments, the segments for the members.

mod chain;
mod check;
mod content;
mod copy;
mod feed;
mod gather;
mod kept;
mod lookup;
mod open;
mod part;
pub(crate) mod range;
mod verify;
mod walk;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use backup_core::receipt::Codec;
use backup_core::{ArchiveSeal, PipelineError};

use crate::cipher::Cover;
use crate::codec::Decoder;
use crate::error::{another_archive, damaged};
use crate::index::{Member, Root, Segment};
use crate::sink::ByteSource;
use crate::{ArchiveKey, Keyring};

use chain::{Chain, Tables};

pub use lookup::{Amount, FileContent};
pub use part::PartStream;
pub(crate) use part::Records;

/// Bytes of index segments that are kept in memory.
const CACHE: usize = 8 << 20;

/// Reads one archive. Opening it checks size, key, trailer and the index's root; every later read checks what it reads
/// before it releases a byte.
pub struct ArchiveReader {
    pub(crate) archive: Arc<Archive>,
    parts: Vec<String>,
    /// In the order of the root's table; empty until they are attached.
    bases: Vec<Arc<Archive>>,
    tables: Arc<Tables>,
}

/// Which archive another one builds on: exactly this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseName {
    /// Its archive id.
    pub archive_id: [u8; 16],
    /// The `index_hmac` of its seal.
    pub index_hmac: String,
}

impl ArchiveReader {
    /// Opens the archive that `seal` describes, by two short reads at its end. Errors are
    /// [`PipelineError::Integrity`] and say which: truncated, damaged, another archive, unknown version; or
    /// [`PipelineError::WrongKey`] where the key is not at hand.
    pub fn open(
        source: Arc<dyn ByteSource>,
        keys: &Keyring,
        seal: &ArchiveSeal,
        archive_id: [u8; 16],
    ) -> Result<Self, PipelineError> {
        let archive = open::open(source, keys, seal, archive_id)?;
        let parts = archive.root.parts.iter().map(|part| part.name.clone()).collect();
        Ok(Self {
            archive: Arc::new(archive),
            parts,
            bases: Vec::new(),
            tables: Arc::default(),
        })
    }

    /// The archives without which the content of this one cannot be read, the one that it was built on first. Its index,
    /// which lists every entry, needs none of them.
    pub fn bases(&self) -> Vec<BaseName> {
        let rows = self.archive.root.bases.iter();
        rows.map(|base| BaseName {
            archive_id: *base.archive_id,
            index_hmac: hex::encode(*base.index_hmac),
        })
        .collect()
    }

    /// Hands it the archives that [`Self::bases`] names, in that order, each opened by itself.
    ///
    /// # Errors
    /// `Integrity` where one is not the archive that was built on, or one is missing.
    pub fn attach(mut self, bases: &[Self]) -> Result<Self, PipelineError> {
        let wanted = self.bases();
        if wanted.len() != bases.len() {
            return Err(damaged(format!(
                "it builds on {} archives, and {} are at hand",
                wanted.len(),
                bases.len()
            )));
        }
        for (name, base) in wanted.iter().zip(bases) {
            let root = &base.archive.root;
            if *root.archive_id != name.archive_id || base.archive.seal.index_hmac != name.index_hmac {
                return Err(another_archive(&root.archive_id, &name.archive_id));
            }
        }
        self.bases = bases.iter().map(|base| base.archive.clone()).collect();
        self.tables = Arc::default();
        Ok(self)
    }

    /// This archive and those that were attached.
    fn archives(&self) -> Chain {
        Chain::new(self.archive.clone(), &self.bases, self.tables.clone())
    }

    /// The parts, in the order in which they were written.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// Reads a part from its first entry to its last, ahead and on several threads.
    pub fn part(&self, name: &str) -> Result<PartStream, PipelineError> {
        PartStream::new(&self.archives(), self.part_number(name)?)
    }

    /// The records of a part.
    pub(crate) fn records(&self, part: &str) -> Result<Records, PipelineError> {
        let segments = self.archive.segments_of(self.part_number(part)?);
        Ok(Records::new(self.archive.clone(), segments))
    }

    fn part_number(&self, name: &str) -> Result<usize, PipelineError> {
        self.parts.iter().position(|part| part == name).ok_or_else(|| {
            PipelineError::not_found(
                format!("the archive has no part '{name}'"),
                format!("Its parts are: {}.", self.parts.join(", ")),
            )
        })
    }
}

impl fmt::Debug for ArchiveReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveReader")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

/// An opened archive: what all ways of reading share.
pub(crate) struct Archive {
    source: Arc<dyn ByteSource>,
    key: ArchiveKey,
    pub(crate) seal: ArchiveSeal,
    cover: Cover,
    pub(crate) root: Root,
    segments: Mutex<Vec<(usize, Arc<Segment>)>>,
}

impl Archive {
    fn codec(&self) -> Codec {
        self.seal.codec
    }

    /// Bytes of the plain file's `range`.
    fn read_plain(&self, range: &Range<u64>) -> Result<Vec<u8>, PipelineError> {
        read_plain(self.source.as_ref(), &self.cover, range)
    }

    /// Where the members that segment `number` describes begin: in the plain file, and in the tar stream.
    fn segment_start(&self, number: usize) -> (u64, u64) {
        match number.checked_sub(1).and_then(|before| self.root.segments.get(before)) {
            None => (0, 0),
            Some(row) => (row.offset + row.stored, row.tar_offset + row.plain),
        }
    }

    /// Segment `number`, checked; kept for a while.
    fn segment(&self, number: usize) -> Result<Arc<Segment>, PipelineError> {
        let lock = || self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, segment)) = lock().iter().find(|(kept, _)| *kept == number) {
            return Ok(segment.clone());
        }
        let segment = Arc::new(self.load_segment(number)?);
        let mut kept = lock();
        kept.push((number, segment.clone()));
        shorten(&mut kept, CACHE);
        Ok(segment)
    }

    /// Lets go of all segments but as many as take `most` bytes.
    fn let_go(&self, most: usize) {
        shorten(&mut self.segments.lock().unwrap_or_else(PoisonError::into_inner), most);
    }

    /// Segment `number`, read and checked.
    fn load_segment(&self, number: usize) -> Result<Segment, PipelineError> {
        let row = self
            .root
            .segments
            .get(number)
            .ok_or_else(|| damaged("the index ends early"))?;
        let stored = self.read_plain(&(row.offset..row.offset + row.stored))?;
        let plain = Decoder::new(self.codec())?.decode(&stored, row.plain as usize);
        let plain = plain
            .filter(|plain| openssl::sha::sha256(plain) == *row.sha256)
            .ok_or_else(|| {
                damaged(format!(
                    "index segment {number} at offset {} is not what was written",
                    row.offset
                ))
            })?;
        Segment::parse(number, row, &plain, self.segment_start(number))
    }

    /// Where the tar stream's part that segments describe ends: no content stands behind it.
    fn content_end(&self) -> u64 {
        self.root.segments.last().map_or(0, |row| row.tar_offset)
    }

    /// The segments of a part, and of no part where `part` is `None`.
    fn segments_of(&self, part: usize) -> Range<usize> {
        let part = u32::try_from(part).ok();
        let rows = &self.root.segments;
        let start = rows.iter().position(|row| row.part == part).unwrap_or(rows.len());
        let count = rows[start..].iter().take_while(|row| row.part == part).count();
        start..start + count
    }

    /// The member's tar bytes, from the stored bytes of its span.
    fn decode(&self, decoder: &mut Decoder, member: &Member, stored: &[u8]) -> Result<Vec<u8>, PipelineError> {
        self.decode_into(decoder, member, stored, Vec::new())
    }

    /// The same, in memory that is not needed any more.
    fn decode_into(
        &self,
        decoder: &mut Decoder,
        member: &Member,
        stored: &[u8],
        memory: Vec<u8>,
    ) -> Result<Vec<u8>, PipelineError> {
        let range = member.offset..member.offset + member.stored;
        let stored = self.cover.uncover(stored, &range)?;
        decoder
            .decode_into(&stored, member.plain as usize, memory)
            .filter(|plain| openssl::sha::sha256(plain) == member.sha256)
            .ok_or_else(|| {
                damaged(format!(
                    "the member at offset {} is not what was written",
                    member.offset
                ))
            })
    }
}

/// Takes the oldest away, until no more than `most` bytes are kept.
fn shorten(kept: &mut Vec<(usize, Arc<Segment>)>, most: usize) {
    while kept.iter().map(|(_, segment)| segment.weight()).sum::<usize>() > most {
        kept.remove(0);
    }
}

fn read_plain(source: &dyn ByteSource, cover: &Cover, range: &Range<u64>) -> Result<Vec<u8>, PipelineError> {
    let span = cover.span(range);
    let length = (span.end - span.start) as usize;
    let stored = source.read_at(span.start, length)?;
    if stored.len() != length {
        return Err(PipelineError::failed("a read of the archive came back short", ""));
    }
    cover.uncover(&stored, range)
}
