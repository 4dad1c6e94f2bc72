//! Bounds that need archives much larger than any test makes, tried with limits much smaller than those in use.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use backup_core::receipt::Codec;
use backup_core::{Entry, EntryPath, OsRandom};
use bytes::Bytes;

use super::*;
use crate::fuzzing::linked::{Linked, places};
use crate::sink::{ByteSink, ByteSource};
use crate::{ArchiveKey, ArchiveReader, ArchiveWriter, Keyring, WriterOptions};

/// Bytes of a member, and of a piece of content.
const MEMBER: usize = 16 << 10;
const PIECE: usize = 1 << 10;

/// As in use, sixty-four times smaller, as the members are.
const SMALL: Limits = Limits {
    first_batch: 16 << 10,
    batch: 256 << 10,
    members: 4 << 20,
    store: 1 << 20,
    read: 64 << 10,
    gap: 1 << 10,
};

struct Memory(Arc<Mutex<Vec<u8>>>);

impl ByteSink for Memory {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        self.0.lock().unwrap().extend_from_slice(&bytes);
        Ok(())
    }
}

struct Counted(Vec<u8>, Arc<AtomicU64>);

impl ByteSource for Counted {
    fn len(&self) -> Result<u64, PipelineError> {
        Ok(self.0.len() as u64)
    }
    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
        self.1.fetch_add(len as u64, Ordering::SeqCst);
        Ok(Bytes::copy_from_slice(&self.0[offset as usize..][..len]))
    }
    fn stream(&self, _: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
        Ok(Box::new(std::io::empty()))
    }
}

/// A chain of `count` archives, each with one file of `length` bytes; where those stand as the last archive says it; and
/// how many bytes are read of all of them.
struct Made {
    chain: Chain,
    extents: Vec<Extent>,
    read: Arc<AtomicU64>,
}

fn content(archive: usize, length: usize) -> Vec<u8> {
    let number = |at: usize| ((archive * 31) ^ (at >> 8) ^ (at * 7)) as u8;
    (0..length).map(number).collect()
}

fn make(count: usize, length: usize) -> Made {
    let key = ArchiveKey::from_passphrase(&"test".into()).unwrap();
    let ring = Keyring::new(key.clone(), Vec::new());
    let read = Arc::<AtomicU64>::default();
    let mut readers: Vec<ArchiveReader> = Vec::new();
    let entry = Entry::plain_file(EntryPath::new("f").unwrap(), length as u64, 0);
    for number in 0..count {
        let options = WriterOptions {
            codec: Codec::None,
            encrypt: true,
            archive_id: [number as u8; 16],
            workers: 1,
            created_at_secs: 0,
        };
        let (bytes, seal) = if let Some(base) = readers.last() {
            let mut linked = Linked::new(&key, &options, base, (MEMBER, 1 << 20)).unwrap();
            linked.part("p").unwrap();
            linked.whole(&entry, &content(number, length)).unwrap();
            linked.finish().unwrap()
        } else {
            let sink = Arc::<Mutex<Vec<u8>>>::default();
            let mut writer = ArchiveWriter::create(Box::new(Memory(sink.clone())), &key, options, &OsRandom).unwrap();
            writer.part("p").unwrap();
            let seal = writer.finish().unwrap();
            let bytes = sink.lock().unwrap().clone();
            (bytes, seal)
        };
        let source = Arc::new(Counted(bytes, read.clone()));
        readers.push(ArchiveReader::open(source, &ring, &seal, options.archive_id).unwrap());
    }
    let extents = readers[1..].iter().rev().enumerate();
    let extents = extents.map(|(number, reader)| Extent {
        archive: number as u32,
        offset: places(reader, "p").unwrap()[0].1[0].1,
        length: length as u64,
    });
    let extents = extents.collect();
    let last = readers.pop().unwrap();
    readers.reverse();
    let chain = last.attach(&readers).unwrap().archives();
    read.store(0, Ordering::SeqCst);
    Made { chain, extents, read }
}

/// Reads a piece of each archive in turn, again and again, and says how many times of what they hold was read.
fn round_and_round(count: usize, length: usize) -> f64 {
    let made = make(count + 1, length);
    let pieces = (0..length).step_by(PIECE).flat_map(|at| {
        made.extents.iter().map(move |extent| Extent {
            offset: extent.offset + at as u64,
            length: PIECE as u64,
            ..*extent
        })
    });
    let mut gather = Gather::new(made.chain.clone(), SMALL, std::iter::once(Ok(pieces.collect()))).unwrap();
    let files: Vec<_> = (1..=count).rev().map(|number| content(number, length)).collect();
    let mut piece = vec![0; PIECE];
    for at in (0..length).step_by(PIECE) {
        for file in &files {
            let mut filled = 0;
            while filled < PIECE {
                filled += gather.read(&mut piece[filled..]).unwrap();
            }
            assert!(piece == file[at..at + PIECE], "{at}");
        }
    }
    assert!(gather.read(&mut piece).is_err());
    made.read.load(Ordering::SeqCst) as f64 / (count * length) as f64
}

#[test]
fn members_that_are_needed_round_and_round_are_decoded_once_while_they_fit() {
    let times = round_and_round(50, 64 << 10);
    println!("{times:.2} times");
    assert!(times < 1.1, "{times}");
}

#[test]
fn a_chain_that_is_too_long_for_the_memory_gets_slower_by_degrees() {
    // Each batch needs twice as much as is kept. What drives out the next one would cost eight times, whichever thread comes
    // first; that decides a little, so the best of three counts.
    let times = (0..3).map(|_| round_and_round(127, 64 << 10)).fold(f64::MAX, f64::min);
    println!("{times:.2} times");
    assert!((2.0..5.0).contains(&times), "{times}");
}

#[test]
fn very_scattered_pieces_make_batches_shrink() {
    let made = make(21, 256 << 10);
    // A byte of each member of each archive, in an order that comes back to none soon.
    let mut pieces = Vec::new();
    for at in (0..256 << 10).step_by(MEMBER) {
        pieces.extend(made.extents.iter().map(|extent| Extent {
            offset: extent.offset + at,
            length: 1,
            ..*extent
        }));
    }
    let count = pieces.len() as u64;
    let limits = Limits {
        members: 128 << 10,
        first_batch: 256 << 10,
        ..SMALL
    };
    let mut gather = Gather::new(made.chain.clone(), limits, std::iter::once(Ok(pieces))).unwrap();
    let mut batches = Vec::new();
    let mut read = 0;
    while read < count {
        let length = gather.read(&mut [0; 1 << 10]).unwrap();
        batches.push(length);
        read += length as u64;
    }
    assert!(batches[0] == 256 && *batches.last().unwrap() <= 64, "{batches:?}");
}
