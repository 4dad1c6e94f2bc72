//! Archives in memory, for all tests of this crate.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own share"
)]

pub mod backups;
pub mod chain;

use std::io::Read;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use backup_archive::{ArchiveKey, ArchiveReader, ArchiveWriter, ByteSink, ByteSource, Cuts, Keyring, WriterOptions};
use backup_core::receipt::Codec;
use backup_core::{
    ArchiveSeal, ArchiveSink, Entry, EntryKind, EntryPath, JobControl, PartReader, PipelineError, Random,
};
use bytes::Bytes;
use secrecy::SecretString;

pub const ID: [u8; 16] = *b"0123456789abcdef";
pub const PASSPHRASE: &str = "correct horse battery staple";

pub static KEY: LazyLock<ArchiveKey> = LazyLock::new(|| key(PASSPHRASE));

pub fn key(passphrase: &str) -> ArchiveKey {
    ArchiveKey::from_passphrase(&SecretString::from(passphrase)).unwrap()
}

pub fn ring() -> Keyring {
    Keyring::new(KEY.clone(), Vec::new())
}

pub fn job() -> JobControl {
    JobControl::new(Duration::from_secs(10))
}

/// The same "random" bytes each time.
pub struct Fixed;

impl Random for Fixed {
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        buffer.fill(0x5a);
        Ok(())
    }
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[derive(Clone, Default)]
pub struct Memory(pub Arc<Mutex<Vec<u8>>>);

impl Memory {
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl ByteSink for Memory {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        self.0.lock().unwrap().extend_from_slice(&bytes);
        Ok(())
    }
}

/// A stored file in memory.
pub struct Stored(pub Vec<u8>);

impl ByteSource for Stored {
    fn len(&self) -> Result<u64, PipelineError> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
        let end = offset.checked_add(len as u64).filter(|end| *end <= self.0.len() as u64);
        let end = end.ok_or_else(|| PipelineError::failed("read behind the end", ""))?;
        Ok(Bytes::copy_from_slice(&self.0[offset as usize..end as usize]))
    }

    fn stream(&self, offset: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
        let bytes = self.0.get(offset as usize..).unwrap_or_default().to_vec();
        Ok(Box::new(std::io::Cursor::new(bytes)))
    }
}

pub fn options(codec: Codec, encrypt: bool) -> WriterOptions {
    WriterOptions {
        codec,
        encrypt,
        archive_id: ID,
        workers: 2,
        created_at_secs: 1_750_000_000,
    }
}

/// Small cuts, so that a small archive has many members, segments and pages.
pub const SMALL: Cuts = Cuts {
    member_bytes: 4096,
    segment_bytes: 2048,
    doubling_bytes: 20_000,
    file_bytes: 8192,
    page_blocks: 16,
    anchor_rows: 8,
    window_bytes: 64 << 10,
    ..Cuts::USUAL
};

pub fn write(
    options: &WriterOptions,
    cuts: Cuts,
    fill: impl FnOnce(&mut ArchiveWriter) -> Result<(), PipelineError>,
) -> (Vec<u8>, ArchiveSeal) {
    let sink = Memory::default();
    let mut writer = ArchiveWriter::with_cuts(Box::new(sink.clone()), &KEY, options, &Fixed, cuts).unwrap();
    fill(&mut writer).unwrap();
    let seal = writer.finish().unwrap();
    assert_eq!(seal.size_bytes, sink.bytes().len() as u64);
    (sink.bytes(), seal)
}

pub fn open(bytes: &[u8], seal: &ArchiveSeal) -> Result<ArchiveReader, PipelineError> {
    ArchiveReader::open(Arc::new(Stored(bytes.to_vec())), &ring(), seal, ID)
}

pub fn path(text: impl Into<Vec<u8>>) -> EntryPath {
    EntryPath::new(text).unwrap()
}

pub fn entry(at: &[u8], kind: EntryKind, size: u64) -> Entry {
    // A folder that its owner may not enter, nobody but root could fill.
    let mode = if kind == EntryKind::Directory { 0o750 } else { 0o640 };
    Entry {
        kind,
        mode,
        ..Entry::plain_file(path(at), size, 1_700_000_000)
    }
}

pub fn file(at: &[u8], size: usize) -> Entry {
    entry(at, EntryKind::File { data: None }, size as u64)
}

/// An entry with its content.
pub type Item = (Entry, Vec<u8>);

/// One of everything, with all metadata, in order.
pub fn everything() -> Vec<Item> {
    let long = [b"l".repeat(90), b"/".to_vec(), b"o".repeat(250)].concat();
    let directory = || EntryKind::Directory;
    let text = b"some text that compresses well, some text that compresses well\n".repeat(500);
    let mut items: Vec<Item> = vec![
        (entry(b"", directory(), 0), vec![]),
        (entry(b"a folder", directory(), 0), vec![]),
        (file(b"a folder/empty", 0), vec![]),
        (file(b"a folder/text", text.len()), text),
        (file(b"big", 300_000), noise(1, 300_000)),
        (
            entry(b"dev-block", EntryKind::BlockDevice { major: 7, minor: 3 }, 0),
            vec![],
        ),
        (
            entry(
                b"dev-char",
                EntryKind::CharDevice {
                    major: 1,
                    minor: 0xf_ffff,
                },
                0,
            ),
            vec![],
        ),
        (entry(b"fifo", EntryKind::Fifo, 0), vec![]),
        (
            entry(
                b"hard",
                EntryKind::HardLink {
                    target: path("a folder/text"),
                },
                0,
            ),
            vec![],
        ),
        (entry(&b"l".repeat(90), directory(), 0), vec![]),
        (file(&long, 5), b"long\n".to_vec()),
        (file(b"line\nbreak = 100%", 3), b"odd".to_vec()),
        (file(b"owned", 1), b"o".to_vec()),
        (
            entry(b"sparse-all-hole", EntryKind::File { data: Some(vec![]) }, 1 << 20),
            vec![],
        ),
        (
            entry(
                b"sparse-end",
                EntryKind::File {
                    data: Some(vec![(8192, 4096)]),
                },
                1 << 20,
            ),
            noise(2, 4096),
        ),
        (
            entry(
                b"sparse-start",
                EntryKind::File {
                    data: Some(vec![(0, 4096), (65_536, 4096)]),
                },
                65_536 + 4096,
            ),
            noise(3, 8192),
        ),
        (
            entry(
                b"symlink",
                EntryKind::Symlink {
                    target: b"../no where/\xff".to_vec(),
                },
                0,
            ),
            vec![],
        ),
        (
            entry(
                b"symlink-long",
                EntryKind::Symlink {
                    target: b"t/".repeat(150),
                },
                0,
            ),
            vec![],
        ),
        (file("ünïcödé-檔案".as_bytes(), 2), b"hi".to_vec()),
        (file(b"\xff\xfe raw", 3), b"raw".to_vec()),
    ];
    items.sort_by(|(left, _), (right, _)| left.path.cmp(&right.path));
    for (entry, _) in &mut items {
        match entry.path.as_bytes() {
            b"owned" => {
                entry.uid = 3_000_000;
                entry.gid = u32::MAX - 1;
                entry.user = Some("a user with a name that is longer than a field".into());
                entry.group = Some("größe".into());
                entry.mode = 0o7755;
                entry.xattrs = vec![
                    (b"user.a=b%c".to_vec(), vec![0, 1, 2, b'\n', 255]),
                    (b"user.text".to_vec(), b"value".to_vec()),
                ];
            }
            b"big" => (entry.modified_secs, entry.modified_nanos) = (1_700_000_000, 123_456_789),
            b"a folder/empty" => (entry.modified_secs, entry.modified_nanos) = (-2, 750_000_000),
            _ => {}
        }
    }
    items
}

/// Appends items as a part.
pub fn append(writer: &mut ArchiveWriter, part: &str, items: &[Item]) -> Result<(), PipelineError> {
    let mut part = writer.part(part)?;
    for (entry, content) in items {
        let read = part.append(entry, &mut content.as_slice())?;
        assert_eq!(read, content.len() as u64);
    }
    part.finish()
}

/// Everything in a part, read in sequence.
pub fn read_part(reader: &ArchiveReader, part: &str) -> Result<Vec<Item>, PipelineError> {
    let mut stream = reader.part(part)?;
    let mut items = Vec::new();
    while let Some(entry) = stream.next_entry()? {
        let content = read_all(stream.content())?;
        items.push((entry, content));
    }
    Ok(items)
}

pub fn read_all(content: &mut dyn Read) -> Result<Vec<u8>, PipelineError> {
    let mut bytes = Vec::new();
    content
        .read_to_end(&mut bytes)
        .map_err(|error| error.downcast::<PipelineError>().unwrap())?;
    Ok(bytes)
}

/// A small archive with files, a stream and several segments.
pub fn sample(codec: Codec, encrypt: bool) -> (Vec<u8>, ArchiveSeal, Vec<Item>, Vec<u8>) {
    let items = everything();
    let dump = [noise(9, 20_000), b"row\n".repeat(10_000)].concat();
    let (bytes, seal) = write(&options(codec, encrypt), SMALL, |writer| {
        let mut part = writer.part("database")?;
        part.append_stream(&path("database.dump"), &mut dump.as_slice())?;
        append(writer, "files", &items)
    });
    (bytes, seal, items, dump)
}

/// The most memory that this process has had, in KiB.
pub fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Runs an ignored test in a process of its own.
pub fn alone(test: &str) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
