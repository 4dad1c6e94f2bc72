//! Archives that build on others, made from extents that are given: right ones and wrong ones.

use backup_core::{ArchiveSeal, Entry, PipelineError};
use openssl::sha::sha256;
use openssl::symm::Mode;

use super::seal;
use crate::cipher::{BLOCK, Cbc};
use crate::codec::{Content, Encoder};
use crate::index::record::STREAM_BLOCKS;
use crate::index::root::Base;
use crate::index::{EntryRecord, Extent, Member, PartRow, Root, SegmentDraft, SegmentRow};
use crate::trailer::{Trailer, VERSION};
use crate::{ArchiveKey, ArchiveReader, WriterOptions, tar};

/// Where a piece of content stands: number of the archive, tar offset, length.
pub type Place = (u32, u64, u64);

/// The entries of a part and where their content stands.
pub fn places(archive: &ArchiveReader, part: &str) -> Result<Vec<(Entry, Vec<Place>)>, PipelineError> {
    let mut records = archive.records(part)?;
    let mut places = Vec::new();
    while let Some((entry, record)) = records.next()? {
        let extents = record.extents.iter();
        let extents = extents.map(|extent| (extent.archive, extent.offset, extent.length));
        places.push((entry, extents.collect()));
    }
    Ok(places)
}

/// Puts together one archive, in memory.
pub struct Linked {
    key: ArchiveKey,
    options: WriterOptions,
    /// Tar bytes of a member, and encoded records of a segment.
    cuts: (usize, usize),
    encoder: Encoder,
    /// The plain file so far, and the tar stream behind its last member.
    file: Vec<u8>,
    tar: Vec<u8>,
    offset: u64,
    members: Vec<Member>,
    records: Vec<u8>,
    entries: u64,
    first: Option<Vec<u8>>,
    deltas: u64,
    root: Root,
}

impl Linked {
    /// An archive on top of `base`, whose members have `member` bytes and whose segments about `segment`.
    pub fn new(
        key: &ArchiveKey,
        options: &WriterOptions,
        base: &ArchiveReader,
        (member, segment): (usize, usize),
    ) -> Result<Self, PipelineError> {
        let mut index_hmac = [0; 32];
        if hex::decode_to_slice(&base.archive.seal.index_hmac, &mut index_hmac).is_err() {
            return Err(PipelineError::failed("the base has no seal", ""));
        }
        let own = Base {
            archive_id: base.archive.root.archive_id,
            index_hmac: index_hmac.into(),
        };
        let mut bases = vec![own];
        bases.extend(base.archive.root.bases.iter().cloned());
        Ok(Self {
            key: key.clone(),
            options: *options,
            cuts: (member, segment),
            encoder: Encoder::new(options.codec)?,
            file: Vec::new(),
            tar: Vec::new(),
            offset: 0,
            members: Vec::new(),
            records: Vec::new(),
            entries: 0,
            first: None,
            deltas: 0,
            root: Root {
                version: VERSION,
                archive_id: options.archive_id.into(),
                created_at: options.created_at_secs,
                parts: Vec::new(),
                segments: Vec::new(),
                bases,
                signatures: Vec::new(),
                anchors: Vec::new(),
            },
        })
    }

    /// Begins the next part.
    pub fn part(&mut self, name: &str) -> Result<(), PipelineError> {
        self.segment()?;
        self.root.parts.push(PartRow {
            name: name.to_owned(),
            entries: 0,
            content: 0,
        });
        Ok(())
    }

    /// Stores content in a file of pieces, and says where.
    pub fn store(&mut self, content: &[u8]) -> Result<Place, PipelineError> {
        let name = format!(".backup/delta/{:09}", self.deltas);
        self.deltas += 1;
        let length = content.len() as u64;
        self.write(&tar::plain_file(name.as_bytes(), length, 0))?;
        let place = (0, self.offset, length);
        self.write(content)?;
        self.write(&[0; tar::BLOCK][..tar::padding(length)])?;
        Ok(place)
    }

    /// Writes an entry with its content as a full archive does.
    pub fn whole(&mut self, entry: &Entry, content: &[u8]) -> Result<(), PipelineError> {
        let name = self.root.parts.last().map(|part| part.name.clone()).unwrap_or_default();
        self.write(&tar::entry_headers(&name, entry))?;
        let place = (0, self.offset, content.len() as u64);
        self.write(content)?;
        self.write(&[0; tar::BLOCK][..tar::padding(content.len() as u64)])?;
        let places = if content.is_empty() { &[][..] } else { &[place][..] };
        self.entry(entry, places, None)
    }

    /// Notes an entry whose content stands at these places, and the SHA-256 that it has or has not.
    pub fn entry(&mut self, entry: &Entry, places: &[Place], digest: Option<[u8; 32]>) -> Result<(), PipelineError> {
        self.record(entry, places, digest, None)
    }

    /// Notes an entry that was appended as a stream.
    pub fn stream(&mut self, entry: &Entry, places: &[Place]) -> Result<(), PipelineError> {
        self.record(entry, places, None, Some(STREAM_BLOCKS))
    }

    fn record(
        &mut self,
        entry: &Entry,
        places: &[Place],
        digest: Option<[u8; 32]>,
        blocks: Option<u8>,
    ) -> Result<(), PipelineError> {
        let extents = places.iter().map(|(archive, offset, length)| Extent {
            archive: *archive,
            offset: *offset,
            length: *length,
        });
        let mut record = EntryRecord::new(entry, extents.collect());
        (record.digest, record.blocks) = (digest.map(Into::into), blocks);
        let record =
            minicbor::to_vec(record).map_err(|error| PipelineError::failed("cannot encode", "").because(error))?;
        self.records.extend_from_slice(&record);
        self.entries += 1;
        self.first.get_or_insert_with(|| entry.path.as_bytes().to_vec());
        if let Some(part) = self.root.parts.last_mut() {
            part.entries += 1;
            part.content += entry.stored_bytes();
        }
        if self.records.len() >= self.cuts.1 {
            self.segment()?;
        }
        Ok(())
    }

    /// The stored file and its seal.
    pub fn finish(mut self) -> Result<(Vec<u8>, ArchiveSeal), PipelineError> {
        self.segment()?;
        let root =
            minicbor::to_vec(&self.root).map_err(|error| PipelineError::failed("cannot encode", "").because(error))?;
        let mut plain = tar::plain_file(b".backup/index/root", root.len() as u64, 0);
        plain.extend_from_slice(&root);
        plain.resize(plain.len() + tar::padding(root.len() as u64), 0);
        plain.extend_from_slice(&tar::END);
        let index_hmac = self.key.index_hmac(&plain);
        let stored = self.encoder.encode(&plain, Content::Files)?;
        let trailer = Trailer {
            version: VERSION,
            archive_id: self.options.archive_id,
            root_offset: self.file.len() as u64,
            root_stored: stored.len() as u64,
            root_plain: plain.len() as u64,
            fingerprint: if self.options.encrypt {
                self.key.fingerprint_bytes()
            } else {
                [0; 16]
            },
        };
        self.file.extend_from_slice(&stored);
        self.file.extend_from_slice(&trailer.encode(self.options.codec));
        let mut file = self.file;
        if self.options.encrypt {
            let mut stored = vec![0x5a; BLOCK];
            let mut cipher = Cbc::new(Mode::Encrypt, &self.key, &[0x5a; BLOCK])?;
            cipher.update(&file, &mut stored)?;
            cipher.finish(&mut stored)?;
            file = stored;
        }
        let seal = seal(&file, self.options.codec, self.options.encrypt, &self.key, index_hmac);
        Ok((file, seal))
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), PipelineError> {
        self.offset += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.cuts.0 - self.tar.len()));
            self.tar.extend_from_slice(now);
            bytes = later;
            if self.tar.len() == self.cuts.0 {
                self.cut()?;
            }
        }
        Ok(())
    }

    fn cut(&mut self) -> Result<(), PipelineError> {
        if self.tar.is_empty() {
            return Ok(());
        }
        let stored = self.encoder.encode(&self.tar, Content::Files)?;
        self.members.push(Member {
            offset: self.file.len() as u64,
            stored: stored.len() as u64,
            tar_offset: 0,
            plain: self.tar.len() as u64,
            sha256: sha256(&self.tar),
        });
        self.file.extend_from_slice(&stored);
        self.tar.clear();
        Ok(())
    }

    fn segment(&mut self) -> Result<(), PipelineError> {
        self.cut()?;
        if self.members.is_empty() && self.entries == 0 {
            return Ok(());
        }
        let row = SegmentRow {
            part: self.root.parts.len().checked_sub(1).map(|part| part as u32),
            offset: self.file.len() as u64,
            stored: 0,
            plain: 0,
            sha256: [0; 32].into(),
            length: 0,
            tar_offset: self.offset,
            members: self.members.len() as u64,
            entries: self.entries,
            first: self.first.take().map(Into::into),
            last: None,
        };
        let records = std::mem::take(&mut self.records);
        let mut draft = SegmentDraft::new(self.root.segments.len() as u64, row, &records, 0);
        draft.fill(&std::mem::take(&mut self.members))?;
        let stored = self.encoder.encode(&draft.bytes, Content::Files)?;
        self.offset += draft.bytes.len() as u64;
        self.entries = 0;
        self.root.segments.push(SegmentRow {
            stored: stored.len() as u64,
            sha256: sha256(&draft.bytes).into(),
            ..draft.row
        });
        self.file.extend_from_slice(&stored);
        Ok(())
    }
}
