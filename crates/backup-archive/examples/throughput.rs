//! Measures the writer and the reader on a file: `throughput FILE [gzip|zstd|none] [WORKERS] [files]`. The
//! file's bytes are streamed into an encrypted archive as a dump is, or with `files` appended as files of 64 KiB, and read
//! back from memory. Then the same is written once more, on that archive.
#![allow(clippy::print_stdout, reason = "an example prints what it measures")]

use std::error::Error;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backup_archive::{ArchiveKey, ArchiveReader, ArchiveWriter, ByteSink, ByteSource, Keyring, WriterOptions};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSeal, ArchiveSink, Entry, EntryPath, JobControl, OsRandom, PartReader, PipelineError};
use bytes::Bytes;

/// The stored file, in the pieces in which it came.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<Bytes>>>);

impl ByteSink for Memory {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        Ok(())
    }
}

struct Stored(Bytes);

impl ByteSource for Stored {
    fn len(&self) -> Result<u64, PipelineError> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
        Ok(self.0.slice(offset as usize..offset as usize + len))
    }

    fn stream(&self, offset: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
        Ok(Box::new(std::io::Cursor::new(self.0.slice(offset as usize..))))
    }
}

/// CPU seconds of this process.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.split_whitespace().skip(13).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn fill(mut writer: ArchiveWriter, content: &[u8], files: bool) -> Result<ArchiveSeal, Box<dyn Error>> {
    let mut part = writer.part("file")?;
    if files {
        for (number, piece) in content.chunks(64 << 10).enumerate() {
            let path = EntryPath::new(format!("{number:09}"))?;
            part.append(&Entry::plain_file(path, piece.len() as u64, 0), &mut &*piece)?;
        }
    } else {
        part.append_stream(&EntryPath::new("content")?, &mut &*content)?;
    }
    Ok(writer.finish()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("usage: throughput FILE [gzip|zstd|none] [WORKERS]")?;
    let codecs = match args.next() {
        Some(name) => vec![name.parse::<Codec>()?],
        None => Codec::ALL.to_vec(),
    };
    let workers = args.next().map_or(Ok(2), |number| number.parse())?;
    let files = args.next().is_some();
    let key = ArchiveKey::from_passphrase(&"throughput".to_owned().into())?;
    let content = std::fs::read(&file)?;
    let speed = |time: Duration| content.len() as f64 / 1e6 / time.as_secs_f64();
    for codec in codecs {
        let sink = Memory::default();
        let options = WriterOptions {
            codec,
            encrypt: true,
            archive_id: [1; 16],
            workers,
            created_at_secs: 0,
        };
        let (start, busy) = (Instant::now(), cpu());
        let writer = ArchiveWriter::create(Box::new(sink.clone()), &key, options, &OsRandom)?;
        let seal = fill(writer, &content, files)?;
        let (wrote, busy) = (start.elapsed(), cpu() - busy);
        let stored = sink.0.lock().unwrap_or_else(PoisonError::into_inner).concat();
        let source = Arc::new(Stored(stored.into()));
        let start = Instant::now();
        let reader = ArchiveReader::open(source, &Keyring::new(key.clone(), Vec::new()), &seal, [1; 16])?;
        let mut part = reader.part("file")?;
        while part.next_entry()?.is_some() {
            std::io::copy(part.content(), &mut std::io::sink())?;
        }
        let read = start.elapsed();
        let start = Instant::now();
        reader.verify_stored(&JobControl::new(Duration::from_mins(1)))?;
        println!(
            "{codec}: write {:.0} MB/s ({:.0} MB per CPU second), {:.2} % stored, read {:.0} MB/s, verify {:.0} MB/s stored",
            speed(wrote),
            content.len() as f64 / 1e6 / busy,
            seal.size_bytes as f64 * 100.0 / content.len() as f64,
            speed(read),
            seal.size_bytes as f64 / 1e6 / start.elapsed().as_secs_f64(),
        );
        let (start, busy, sink) = (Instant::now(), cpu(), Memory::default());
        let options = WriterOptions {
            archive_id: [2; 16],
            ..options
        };
        let writer = ArchiveWriter::create_on(&reader, Box::new(sink), &key, options, &OsRandom)?;
        let again = fill(writer, &content, files)?;
        println!(
            "{codec}: the same again on that: {:.0} MB/s ({:.0} MB per CPU second), {:.3} % stored",
            speed(start.elapsed()),
            content.len() as f64 / 1e6 / (cpu() - busy),
            again.size_bytes as f64 * 100.0 / content.len() as f64,
        );
    }
    Ok(())
}
