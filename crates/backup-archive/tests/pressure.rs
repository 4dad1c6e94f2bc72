//! The writer under pressure: slow and failing sinks, early ends, very many entries.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use backup_archive::{ArchiveWriter, ByteSink, Cuts, WriterOptions};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSink, PartReader, PipelineError};
use bytes::Bytes;
use kit::{Fixed, KEY, alone, file, high_water, job, open, options, path, write};

/// Takes some bytes, then fails.
struct Full(u64);

impl ByteSink for Full {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        self.0 = self
            .0
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| PipelineError::unavailable("the disk is full", ""))?;
        Ok(())
    }
}

/// Noise without end that counts what was taken.
struct Endless(Arc<AtomicU64>);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let number = self.0.fetch_add(buffer.len() as u64, Ordering::SeqCst);
        buffer.copy_from_slice(&kit::noise(number, buffer.len()));
        Ok(buffer.len())
    }
}

#[test]
fn a_failing_sink_ends_the_append_soon_and_the_writer_for_good() {
    for room in [0, 1 << 20, 5 << 20] {
        let mut writer = ArchiveWriter::create(Box::new(Full(room)), &KEY, options(Codec::Gzip, true), &Fixed).unwrap();
        let taken = Arc::new(AtomicU64::new(0));
        let mut part = writer.part("p").unwrap();
        let error = part.append_stream(&path("s"), &mut Endless(taken.clone())).unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
        let behind = taken.load(Ordering::SeqCst) - room;
        assert!(behind < 40 << 20, "read {behind} bytes that nobody could take");
        assert!(writer.finish().is_err());
    }
}

#[test]
fn an_error_of_the_content_comes_out_as_it_is() {
    struct Lost;
    impl Read for Lost {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other(PipelineError::Cancelled))
        }
    }
    let sink = kit::Memory::default();
    let mut writer = ArchiveWriter::create(Box::new(sink), &KEY, options(Codec::Zstd, true), &Fixed).unwrap();
    let mut part = writer.part("p").unwrap();
    assert!(matches!(
        part.append(&file(b"a", 10), &mut Lost),
        Err(PipelineError::Cancelled)
    ));
    // The entry stands half-written in the tar: nothing more may follow it.
    assert!(part.append(&file(b"b", 0), &mut std::io::empty()).is_err());
    assert!(writer.finish().is_err());
}

/// Blocks in every write until it is let go, and tells when it is gone.
struct Gate {
    open: mpsc::Receiver<()>,
    taken: Arc<AtomicU64>,
    gone: mpsc::Sender<()>,
}

impl ByteSink for Gate {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        self.taken.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        // Closed for good means open.
        let _closed = self.open.recv();
        Ok(())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _test_over = self.gone.send(());
    }
}

#[test]
fn a_slow_sink_holds_up_the_source_and_a_dropped_writer_leaves_nothing() {
    let (open_gate, open) = mpsc::channel();
    let (gone, is_gone) = mpsc::channel();
    let (written, taken) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let gate = Gate {
        open,
        taken: written.clone(),
        gone,
    };
    let mut writer = ArchiveWriter::create(Box::new(gate), &KEY, options(Codec::None, true), &Fixed).unwrap();
    let (done, is_done) = mpsc::channel();
    let source = taken.clone();
    let thread = std::thread::spawn(move || {
        let mut part = writer.part("p").unwrap();
        let result = part.append_stream(&path("s"), &mut Endless(source).take(200 << 20));
        done.send(result.is_ok()).unwrap();
        drop(writer);
    });
    // Only one write is let through at a time, so the source can be ahead by what is in flight only.
    for _ in 0..30 {
        open_gate.send(()).unwrap();
    }
    while written.load(Ordering::SeqCst) < 31 << 20 {
        std::thread::yield_now();
    }
    let ahead = taken
        .load(Ordering::SeqCst)
        .saturating_sub(written.load(Ordering::SeqCst));
    assert!(ahead < 48 << 20, "{ahead} bytes in flight");
    drop(open_gate);
    assert!(is_done.recv().unwrap());
    thread.join().unwrap();
    is_gone.recv().unwrap();
}

/// Takes its first bytes only when the source is far ahead, or has had the time to be; remembers how far it got.
struct Late {
    taken: Arc<AtomicU64>,
    written: u64,
    most: Arc<AtomicU64>,
}

impl ByteSink for Late {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        let patience = std::time::Instant::now();
        let ahead = || self.taken.load(Ordering::SeqCst) - self.written.min(self.taken.load(Ordering::SeqCst));
        while self.written == 0 && ahead() < 200 << 20 && patience.elapsed() < Duration::from_secs(3) {
            std::thread::yield_now();
        }
        self.most.fetch_max(ahead(), Ordering::SeqCst);
        self.written += bytes.len() as u64;
        Ok(())
    }
}

#[test]
#[ignore = "measures the memory of a process of its own: started by the test below"]
fn long_members_on_many_cores() {
    let (taken, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let sink = Late {
        taken: taken.clone(),
        written: 0,
        most: most.clone(),
    };
    let options = WriterOptions {
        workers: 64,
        ..options(Codec::Zstd, true)
    };
    // As after the first 192 GiB of one file.
    let cuts = Cuts {
        doubling_bytes: 1,
        ..Cuts::default()
    };
    let before = high_water();
    let mut writer = ArchiveWriter::with_cuts(Box::new(sink), &KEY, &options, &Fixed, cuts).unwrap();
    let mut part = writer.part("p").unwrap();
    let size = 400 << 20;
    part.append(&file(b"f", size), &mut Endless(taken)).unwrap();
    writer.finish().unwrap();
    let (grown, most) = (high_water() - before, most.load(Ordering::SeqCst));
    println!("grown {grown} KiB, {most} bytes in flight");
    assert!(most <= 48 << 20, "{most} bytes in flight");
    assert!(grown < 120 << 10, "the writer took {grown} KiB");
}

#[test]
fn long_members_on_many_cores_need_bounded_memory() {
    alone("long_members_on_many_cores");
}

#[test]
fn dropped_half_way_it_writes_no_end() {
    let sink = kit::Memory::default();
    let mut writer = ArchiveWriter::create(Box::new(sink.clone()), &KEY, options(Codec::Gzip, false), &Fixed).unwrap();
    let mut part = writer.part("p").unwrap();
    part.append(&file(b"a", 3_000_000), &mut kit::noise(1, 3_000_000).as_slice())
        .unwrap();
    drop(writer);
    let bytes = sink.bytes();
    assert!(bytes.len() < 3_000_000 && Arc::strong_count(&sink.0) == 1);
}

/// Only counts, so that the archive itself takes no memory.
struct Count(Arc<AtomicU64>);

impl ByteSink for Count {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        self.0.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
#[ignore = "measures the memory of a process of its own: started by the test below"]
fn a_million_entries() {
    let before = high_water();
    let stored = Arc::new(AtomicU64::new(0));
    let mut writer = ArchiveWriter::create(
        Box::new(Count(stored.clone())),
        &KEY,
        options(Codec::Zstd, true),
        &Fixed,
    )
    .unwrap();
    let mut part = writer.part("files").unwrap();
    for number in 0..1_000_000 {
        let entry = file(format!("folder-{:04}/file-{number:08}", number / 1000).as_bytes(), 20);
        part.append(&entry, &mut &b"twenty bytes of text"[..]).unwrap();
    }
    writer.finish().unwrap();
    let grown = high_water() - before;
    println!("grown {grown} KiB, stored {} bytes", stored.load(Ordering::SeqCst));
    assert!(grown < 48 << 10, "the writer took {grown} KiB");
}

#[test]
fn a_million_entries_need_little_memory() {
    alone("a_million_entries");
}

/// Very many segments with long paths, so that the root of the index would be longer than readers take.
fn many_segments(count: u32, length: usize) -> Result<(Vec<u8>, backup_core::ArchiveSeal), PipelineError> {
    let sink = kit::Memory::default();
    let cuts = Cuts {
        segment_bytes: 1,
        ..Cuts::default()
    };
    let mut writer =
        ArchiveWriter::with_cuts(Box::new(sink.clone()), &KEY, &options(Codec::None, false), &Fixed, cuts)?;
    let mut part = writer.part("p")?;
    for number in 0..count {
        let name = format!("{number:08}/{}", "x/".repeat(length / 2)) + "y";
        part.append(&file(name.as_bytes(), 0), &mut std::io::empty())?;
    }
    let seal = writer.finish()?;
    Ok((sink.bytes(), seal))
}

#[test]
fn the_paths_of_segments_do_not_make_the_root_long() {
    let (bytes, seal) = many_segments(3000, 3900).unwrap();
    // The trailer's last field but two: the root's inflated length.
    let root = bytes[bytes.len() - 34..].first_chunk().copied().unwrap();
    assert!(u32::from_be_bytes(root) < 3000 * 500, "{}", u32::from_be_bytes(root));
    let reader = open(&bytes, &seal).unwrap();
    let last = format!("00002999/{}", "x/".repeat(1950)) + "y";
    assert!(reader.find("p", &path(last)).unwrap().is_some());
    assert!(reader.find("p", &path("00002999/x/x/x")).unwrap().is_none());
    let page = reader.list("p", &path(""), Some(&path("00001233")), 2).unwrap();
    assert_eq!((page.len(), page[0].path.clone()), (2, path("00001234")));
}

#[test]
fn an_archive_that_no_reader_would_open_is_not_made() {
    let error = many_segments(125_000, 240).unwrap_err();
    assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("too many files"), "{error}");
}

#[test]
fn many_entries_are_read_back_through_many_segments() {
    let count = 60_000;
    let (bytes, seal) = write(&options(Codec::Gzip, true), backup_archive::Cuts::default(), |writer| {
        let mut part = writer.part("files")?;
        for number in 0..count {
            part.append(&file(format!("f{number:08}").as_bytes(), 3), &mut &b"abc"[..])?;
        }
        part.finish()
    });
    let reader = open(&bytes, &seal).unwrap();
    reader.verify_content(&job()).unwrap();
    let mut stream = reader.part("files").unwrap();
    let mut read = 0;
    while stream.next_entry().unwrap().is_some() {
        read += 1;
    }
    assert_eq!(read, count);
    let page = reader.list("files", &path(""), Some(&path("f00055554")), 2).unwrap();
    assert_eq!(page[0].path, path("f00055555"));
}
