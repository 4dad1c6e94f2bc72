//! What fuzzing and the hostile corpus call. Mostly bytes that an attacker who holds the key could have written: sealed and
//! hashed rightly, encrypted or not, so that they get past the authentication and reach every parser behind it. And bytes
//! as they are, under a seal that is not theirs: what anybody who can write to the storage can put there.

pub mod linked;

use std::io::Read;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use backup_core::receipt::Codec;
use backup_core::{ArchiveSeal, ArchiveSink, Entry, EntryPath, JobControl, OsRandom, PartReader, PipelineError};
use bytes::Bytes;
use openssl::sha::sha256;
use openssl::symm::Mode;

use crate::cipher::{BLOCK, Cbc};
use crate::codec::{Content, Decoder, Encoder};
use crate::index::{
    AnchorRow, EntryRecord, Extent, MAX_INDEX_MEMBER, Member, PartRow, Root, Segment, SegmentDraft, SegmentRow,
    SignatureRow,
};
use crate::sink::{ByteSink, ByteSource};
use crate::trailer::{Trailer, VERSION};
use crate::{ArchiveKey, ArchiveReader, ArchiveWriter, Error, Keyring, WriterOptions, tar};

mod places;

pub use places::{Place, gather, places};

static KEY: LazyLock<Result<ArchiveKey, Error>> = LazyLock::new(|| ArchiveKey::from_passphrase(&"fuzzing".into()));

/// Reads at most so much of what hostile bytes inflate to.
const MOST: u64 = 64 << 20;

struct Stored(Vec<u8>);

impl ByteSource for Stored {
    fn len(&self) -> Result<u64, PipelineError> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
        let end = offset.checked_add(len as u64).filter(|end| *end <= self.0.len() as u64);
        let end = end.ok_or_else(|| PipelineError::failed("a read behind the end", ""))?;
        Ok(Bytes::copy_from_slice(&self.0[offset as usize..end as usize]))
    }

    fn stream(&self, offset: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        Ok(Box::new(std::io::Cursor::new(rest.to_vec())))
    }
}

/// Hands `data` to a parser that its first byte chooses. It must neither panic nor run or allocate without bounds;
/// whatever it returns is right.
pub fn reader(data: &[u8]) -> Result<(), PipelineError> {
    let Some((choice, data)) = data.split_first() else {
        return Ok(());
    };
    match choice % 10 {
        0 => {
            let codec = if data.starts_with(&[0x1f]) {
                Codec::Gzip
            } else {
                Codec::Zstd
            };
            read_all(data.to_vec(), codec, false)
        }
        1 => read_all(build(&[0; 4096], data, None)?, Codec::Gzip, false),
        2 => read_all(build(&[0; 4096], &[], Some(data))?, Codec::Gzip, false),
        3 => read_all(build(data, &[], None)?, Codec::Gzip, false),
        4 => {
            for codec in [Codec::Gzip, Codec::Zstd] {
                let _decoded = Decoder::new(codec)?.decode(data, 1 << 20);
            }
            Ok(())
        }
        5 => segment(data, (0, 0), 0),
        6 => {
            let Some((head, data)) = data.split_first_chunk::<17>() else {
                return Ok(());
            };
            let number = |at: usize| {
                let field = head[at..].first_chunk::<8>().copied().unwrap_or_default();
                u64::from_be_bytes(field)
            };
            segment(data, (number(0), number(8)), u64::from(head[16]))
        }
        7 => {
            let codec = if data.starts_with(&[0x28]) {
                Codec::Zstd
            } else {
                Codec::Gzip
            };
            read_all(encrypted(data, codec)?, codec, true)
        }
        9 => signed(data),
        _ => {
            let Some((how, data)) = data.split_first() else {
                return Ok(());
            };
            let codec = if how & 1 == 0 { Codec::Gzip } else { Codec::Zstd };
            let Ok(key) = &*KEY else { return Ok(()) };
            let seal = seal(data, codec, how & 2 == 0, key, [0; 32]);
            read(data.to_vec(), &seal, [0; 16], key)
        }
    }
}

/// Writes on an archive whose content is a page of signatures and a table of anchors: lengths of the page and of what it
/// describes (16 bits each), the page, the table.
fn signed(data: &[u8]) -> Result<(), PipelineError> {
    let (Some((head, content)), Ok(key)) = (data.split_first_chunk::<4>(), &*KEY) else {
        return Ok(());
    };
    let number = |at: usize| u64::from(u16::from_be_bytes([head[at], head[at + 1]]));
    let (page, length) = (number(0), content.len() as u64);
    let signatures = SignatureRow {
        offset: 0,
        length: page,
        from: 0,
        to: number(2),
    };
    let anchors = AnchorRow {
        offset: page,
        length: length.saturating_sub(page),
    };
    let extent = Extent {
        archive: 0,
        offset: 0,
        length,
    };
    let path = EntryPath::new("s").map_err(crate::error::damaged)?;
    let record = EntryRecord::new(&Entry::plain_file(path, length, 0), vec![extent]);
    let record = minicbor::to_vec(record).map_err(|error| PipelineError::failed("cannot encode", "").because(error))?;
    let file = build_signed(content, &record, None, vec![signatures], vec![anchors])?;
    let Some((seal, id)) = forge(&file, Codec::Gzip, false, key) else {
        return Ok(());
    };
    let keys = Keyring::new(key.clone(), Vec::new());
    let archive = ArchiveReader::open(Arc::new(Stored(file)), &keys, &seal, id)?;
    write_on(&archive, key)
}

/// Writes an archive that builds on this one.
fn write_on(archive: &ArchiveReader, key: &ArchiveKey) -> Result<(), PipelineError> {
    struct Nowhere;
    impl ByteSink for Nowhere {
        fn write(&mut self, _: Bytes) -> Result<(), PipelineError> {
            Ok(())
        }
    }
    let options = WriterOptions {
        codec: Codec::None,
        encrypt: false,
        archive_id: [1; 16],
        workers: 1,
        created_at_secs: 0,
    };
    let mut writer = ArchiveWriter::create_on(archive, Box::new(Nowhere), key, options, &OsRandom)?;
    let names: Vec<&str> = archive.parts().iter().take(4).map(String::as_str).collect();
    for name in names {
        let mut part = writer.part(name)?;
        for path in ["a", "s"] {
            let path = EntryPath::new(path).map_err(crate::error::damaged)?;
            part.append_unchanged(&Entry::plain_file(path.clone(), 1, 0))?;
            part.append_stream(&path, &mut &[0; 9000][..])?;
        }
    }
    writer.finish().map(drop)
}

/// A segment whose members begin at `start`: (plain file, tar stream).
fn segment(data: &[u8], start: (u64, u64), members: u64) -> Result<(), PipelineError> {
    let plain = [&[0; tar::BLOCK], data].concat();
    let mut row = row(&plain, data.len(), (0, 0));
    row.members = members;
    let segment = Segment::parse(0, &row, &plain, start)?;
    let mut cursor = segment.first();
    while let Ok(Some((record, next))) = segment.record(cursor) {
        let _checked = record.entry();
        cursor = next;
    }
    Ok(())
}

/// A plain file as it is stored, with the key's fingerprint in its trailer.
fn encrypted(plain: &[u8], codec: Codec) -> Result<Vec<u8>, PipelineError> {
    let Ok(key) = &*KEY else { return Ok(Vec::new()) };
    let mut plain = plain.to_vec();
    if let Some(at) = plain.len().checked_sub(Trailer::length(codec))
        && let Some(mut trailer) = Trailer::decode(codec, &plain[at..])
    {
        trailer.fingerprint = key.fingerprint_bytes();
        plain.truncate(at);
        plain.extend_from_slice(&trailer.encode(codec));
    }
    let mut stored = vec![0; BLOCK];
    let mut cipher = Cbc::new(Mode::Encrypt, key, &[0; BLOCK])?;
    cipher.update(&plain, &mut stored)?;
    cipher.finish(&mut stored)?;
    Ok(stored)
}

/// An archive of one member with `content` and one segment with these encoded records, or with this root.
pub fn build(content: &[u8], records: &[u8], root: Option<&[u8]>) -> Result<Vec<u8>, PipelineError> {
    build_signed(content, records, root, Vec::new(), Vec::new())
}

/// The same, with these places of signatures and anchors in its root.
fn build_signed(
    content: &[u8],
    records: &[u8],
    root: Option<&[u8]>,
    signatures: Vec<SignatureRow>,
    anchors: Vec<AnchorRow>,
) -> Result<Vec<u8>, PipelineError> {
    let mut encoder = Encoder::new(Codec::Gzip)?;
    let content = if content.is_empty() { &[0][..] } else { content };
    let mut file = encoder.encode(content, Content::Files)?;
    let member = Member {
        offset: 0,
        stored: file.len() as u64,
        tar_offset: 0,
        plain: content.len() as u64,
        sha256: sha256(content),
    };
    let mut blank = row(&[], 0, (0, content.len() as u64));
    (blank.members, blank.entries) = (1, count(records));
    let mut draft = SegmentDraft::new(0, blank, records, 0);
    draft.fill(&[member])?;
    let stored = encoder.encode(&draft.bytes, Content::Files)?;
    let row = SegmentRow {
        offset: file.len() as u64,
        stored: stored.len() as u64,
        sha256: sha256(&draft.bytes).into(),
        ..draft.row
    };
    file.extend_from_slice(&stored);
    let index = Root {
        version: VERSION,
        archive_id: [0; 16].into(),
        created_at: 0,
        parts: vec![PartRow {
            name: "p".to_owned(),
            entries: row.entries,
            content: 0,
        }],
        segments: vec![row],
        bases: Vec::new(),
        signatures,
        anchors,
    };
    let index = minicbor::to_vec(&index).map_err(|error| PipelineError::failed("cannot encode", "").because(error))?;
    let plain = [&[0; tar::BLOCK], root.unwrap_or(&index), &tar::END].concat();
    let stored = encoder.encode(&plain, Content::Files)?;
    let trailer = Trailer {
        version: VERSION,
        archive_id: [0; 16],
        root_offset: file.len() as u64,
        root_stored: stored.len() as u64,
        root_plain: plain.len() as u64,
        fingerprint: [0; 16],
    };
    file.extend_from_slice(&stored);
    file.extend_from_slice(&trailer.encode(Codec::Gzip));
    Ok(file)
}

/// How many CBOR items there are.
fn count(records: &[u8]) -> u64 {
    let mut decoder = minicbor::Decoder::new(records);
    let mut count = 0;
    while decoder.position() < records.len() && decoder.skip().is_ok() {
        count += 1;
    }
    count
}

fn row(plain: &[u8], length: usize, place: (u64, u64)) -> SegmentRow {
    SegmentRow {
        part: Some(0),
        offset: place.0,
        stored: 0,
        plain: plain.len() as u64,
        sha256: sha256(plain).into(),
        length: length as u64,
        tar_offset: place.1,
        members: 0,
        entries: 0,
        first: Some(Vec::new().into()),
        last: None,
    }
}

/// The seal that these bytes would have had. `None` where not even a root can be found in them.
fn forge(stored: &[u8], codec: Codec, encrypt: bool, key: &ArchiveKey) -> Option<(ArchiveSeal, [u8; 16])> {
    let mut plain = Vec::new();
    if encrypt {
        let (iv, text) = stored.split_at_checked(BLOCK)?;
        let mut cipher = Cbc::new(Mode::Decrypt, key, iv).ok()?;
        cipher.update(text, &mut plain).ok()?;
        cipher.finish(&mut plain).ok()?;
    }
    let file = if encrypt { plain.as_slice() } else { stored };
    let at = file.len().checked_sub(Trailer::length(codec))?;
    let trailer = Trailer::decode(codec, &file[at..])?;
    let root = file.get(trailer.root_offset as usize..at)?;
    if trailer.root_plain > MAX_INDEX_MEMBER {
        return None;
    }
    let root = Decoder::new(codec).ok()?.decode(root, trailer.root_plain as usize)?;
    let seal = seal(stored, codec, encrypt, key, key.index_hmac(&root));
    Some((seal, trailer.archive_id))
}

fn seal(stored: &[u8], codec: Codec, encrypted: bool, key: &ArchiveKey, index_hmac: [u8; 32]) -> ArchiveSeal {
    let mut hmac = key.file_hmac();
    hmac.update(stored);
    ArchiveSeal {
        format_version: VERSION,
        codec,
        encrypted,
        key_fingerprint: key.fingerprint(),
        size_bytes: stored.len() as u64,
        sha256: hex::encode(sha256(stored)),
        hmac: hex::encode(hmac.finish()),
        index_hmac: hex::encode(index_hmac),
        tar_bytes: 0,
    }
}

/// Reads an archive under the seal that it would have had.
fn read_all(file: Vec<u8>, codec: Codec, encrypt: bool) -> Result<(), PipelineError> {
    let Ok(key) = &*KEY else { return Ok(()) };
    let Some((seal, id)) = forge(&file, codec, encrypt, key) else {
        return Ok(());
    };
    read(file, &seal, id, key)
}

/// Reads an archive in every way there is.
fn read(file: Vec<u8>, seal: &ArchiveSeal, id: [u8; 16], key: &ArchiveKey) -> Result<(), PipelineError> {
    let keys = Keyring::new(key.clone(), Vec::new());
    let archive = ArchiveReader::open(Arc::new(Stored(file)), &keys, seal, id)?;
    let job = JobControl::new(Duration::from_secs(1));
    archive.verify_stored(&job)?;
    let whole = archive.verify_content(&job);
    // Refused or not, it only must not break.
    let _written = write_on(&archive, key);
    let names: Vec<String> = archive.parts().iter().take(4).cloned().collect();
    for name in &names {
        let mut rest = MOST;
        let mut read = || -> Result<(), PipelineError> {
            let mut stream = archive.part(name)?;
            let mut number = 0;
            while let Some(entry) = stream.next_entry()? {
                let copied = std::io::copy(&mut stream.content().take(rest), &mut std::io::sink()).unwrap_or(0);
                rest = rest.saturating_sub(copied);
                if number < 8
                    && let Some((_, file)) = archive.open_file(name, &entry.path)?
                {
                    // Its errors are the same as in sequence.
                    let _read = std::io::copy(&mut file.take(MOST), &mut std::io::sink());
                }
                number += 1;
            }
            Ok(())
        };
        // Where the sequence breaks off, the index can still be asked.
        let _sequence = read();
        let _found = archive.find(name, &EntryPath::root());
        let _listed = archive.list(name, &EntryPath::root(), None, 10);
        let _all = archive.list_all(name, &EntryPath::root(), None, 10);
        let _amount = archive.amount(name, &EntryPath::root(), 10);
    }
    whole
}
