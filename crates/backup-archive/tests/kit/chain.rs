//! Chains of archives in memory.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use backup_archive::fuzzing::linked::{Linked, Place, places};
use backup_archive::{ArchiveReader, ByteSource, Cuts, WriterOptions};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSeal, Entry, PipelineError};
use bytes::Bytes;

use super::{Item, KEY, Stored, append, noise, options, ring, write};

/// A stored file that counts what is read of it.
pub struct Counted {
    inner: Stored,
    pub read: AtomicU64,
    pub reads: AtomicU64,
}

impl Counted {
    pub fn new(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            inner: Stored(bytes),
            read: AtomicU64::new(0),
            reads: AtomicU64::new(0),
        })
    }
}

impl ByteSource for Counted {
    fn len(&self) -> Result<u64, PipelineError> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
        self.read.fetch_add(len as u64, Ordering::SeqCst);
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.read_at(offset, len)
    }

    fn stream(&self, offset: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.read
            .fetch_add(self.inner.0.len() as u64 - offset, Ordering::SeqCst);
        self.inner.stream(offset)
    }
}

/// One archive of a chain.
#[derive(Clone)]
pub struct Link {
    pub bytes: Vec<u8>,
    pub seal: ArchiveSeal,
    pub id: [u8; 16],
}

impl Link {
    pub fn open(&self) -> Result<ArchiveReader, PipelineError> {
        self.open_from(Arc::new(Stored(self.bytes.clone())))
    }

    pub fn open_from(&self, source: Arc<dyn ByteSource>) -> Result<ArchiveReader, PipelineError> {
        ArchiveReader::open(source, &ring(), &self.seal, self.id)
    }
}

pub fn id(number: usize) -> [u8; 16] {
    *format!("archive {number:08}").as_bytes().first_chunk().unwrap()
}

pub fn options_of(number: usize, codec: Codec, encrypt: bool) -> WriterOptions {
    WriterOptions {
        archive_id: id(number),
        ..options(codec, encrypt)
    }
}

/// A full archive with one part, `files`.
pub fn full(codec: Codec, encrypt: bool, cuts: Cuts, items: &[Item]) -> Link {
    let (bytes, seal) = write(&options_of(0, codec, encrypt), cuts, |writer| {
        append(writer, "files", items)
    });
    Link { bytes, seal, id: id(0) }
}

/// An archive on top of a chain.
pub fn on_top(
    chain: &[Link],
    options: &WriterOptions,
    cuts: (usize, usize),
    fill: impl FnOnce(&mut Linked) -> Result<(), PipelineError>,
) -> Link {
    let base = chain.last().unwrap().open().unwrap();
    let mut linked = Linked::new(&KEY, options, &base, cuts).unwrap();
    fill(&mut linked).unwrap();
    let (bytes, seal) = linked.finish().unwrap();
    Link {
        bytes,
        seal,
        id: options.archive_id,
    }
}

/// The last archive of a chain with all others attached.
pub fn open(chain: &[Link]) -> Result<ArchiveReader, PipelineError> {
    let (last, bases) = chain.split_last().unwrap();
    let bases: Result<Vec<_>, _> = bases.iter().rev().map(Link::open).collect();
    last.open()?.attach(&bases?)
}

/// The same, and what is read of each archive.
pub fn open_counted(chain: &[Link]) -> (ArchiveReader, Vec<Arc<Counted>>) {
    let sources: Vec<_> = chain.iter().map(|link| Counted::new(link.bytes.clone())).collect();
    let mut readers: Vec<_> = chain
        .iter()
        .zip(&sources)
        .map(|(link, source)| link.open_from(source.clone()).unwrap())
        .collect();
    let last = readers.pop().unwrap();
    readers.reverse();
    let reader = last.attach(&readers).unwrap();
    for source in &sources {
        source.read.store(0, Ordering::SeqCst);
        source.reads.store(0, Ordering::SeqCst);
    }
    (reader, sources)
}

pub fn bytes_read(sources: &[Arc<Counted>]) -> u64 {
    sources.iter().map(|source| source.read.load(Ordering::SeqCst)).sum()
}

/// Where the content of the last archive's entries stands, as the next archive says it.
pub fn carried(chain: &[Link]) -> Vec<(Entry, Vec<Place>)> {
    let reader = chain.last().unwrap().open().unwrap();
    let mut entries = places(&reader, "files").unwrap();
    for (_, places) in &mut entries {
        for place in places {
            place.0 += 1;
        }
    }
    entries
}

/// The places of a piece of what stands at `places`.
pub fn cut(places: &[Place], mut from: u64, mut length: u64) -> Vec<Place> {
    let mut found = Vec::new();
    for (archive, offset, long) in places {
        if from >= *long {
            from -= long;
            continue;
        }
        let here = length.min(long - from);
        if here > 0 {
            found.push((*archive, offset + from, here));
        }
        length -= here;
        from = 0;
    }
    found
}

/// Small numbers that look random.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Less than `sides`, which is not 0.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 += 1;
        let bytes = noise(self.0.wrapping_mul(0x9e37_79b9), 8);
        u64::from_le_bytes(*bytes.first_chunk().unwrap()) % sides
    }
}
