//! The ordered end of the writer: members become the stored file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};

use backup_core::{ArchiveSeal, PipelineError, Random};
use bytes::Bytes;
use openssl::sha::{Sha256, sha256};
use openssl::symm::Mode;

use super::WriterOptions;
use crate::cipher::{BLOCK, Cbc};
use crate::codec::{Content, Encoder};
use crate::hash::Hmac;
use crate::index::{AnchorRow, Base, MAX_INDEX_MEMBER, Member, PartRow, Root, SegmentDraft, SegmentRow, SignatureRow};
use crate::pool::Ticket;
use crate::sink::ByteSink;
use crate::trailer::{Trailer, VERSION};
use crate::{ArchiveKey, Error, tar};

/// Bytes handed to the sink at once.
const CHUNK: usize = 1 << 20;

/// A member when it comes from a compressing thread.
pub(super) struct Compressed {
    pub(super) stored: Vec<u8>,
    pub(super) plain: u64,
    pub(super) sha256: [u8; 32],
}

/// A piece of the tar stream that the sink has taken.
pub(super) struct Arrived {
    /// Its length in the tar stream.
    pub(super) length: usize,
    /// The memory that it was in.
    pub(super) memory: Vec<u8>,
}

/// What the root says beside the segments.
pub(super) struct End {
    pub(super) parts: Vec<PartRow>,
    pub(super) bases: Vec<Base>,
    pub(super) signatures: Vec<SignatureRow>,
    pub(super) anchors: Vec<AnchorRow>,
    /// Length of the tar stream so far.
    pub(super) tar_offset: u64,
}

/// What comes next in the file.
pub(super) enum Next {
    Member(Ticket<Result<Compressed, PipelineError>>),
    Segment(Box<SegmentDraft>),
    End(Box<End>),
}

/// Encrypts, hashes and writes members in order, and keeps the index's books.
pub(super) struct Emitter {
    sink: Box<dyn ByteSink>,
    key: ArchiveKey,
    options: WriterOptions,
    encoder: Encoder,
    cipher: Option<Cbc>,
    pending: Vec<u8>,
    sha256: Sha256,
    hmac: Hmac,
    size: u64,
    /// Where the next member begins in the plain file.
    offset: u64,
    members: Vec<Member>,
    segments: Vec<SegmentRow>,
    stop: Arc<AtomicBool>,
}

impl Emitter {
    pub(super) fn new(
        sink: Box<dyn ByteSink>,
        key: &ArchiveKey,
        options: &WriterOptions,
        random: &dyn Random,
    ) -> Result<Self, PipelineError> {
        let mut pending = Vec::with_capacity(CHUNK + 2 * BLOCK);
        let mut cipher = None;
        if options.encrypt {
            pending.resize(BLOCK, 0);
            random.fill(&mut pending).map_err(Error::Random)?;
            cipher = Some(Cbc::new(Mode::Encrypt, key, &pending)?);
        }
        Ok(Self {
            sink,
            key: key.clone(),
            options: *options,
            encoder: Encoder::new(options.codec)?,
            cipher,
            pending,
            sha256: Sha256::new(),
            hmac: key.file_hmac(),
            size: 0,
            offset: 0,
            members: Vec::new(),
            segments: Vec::new(),
            stop: Arc::default(),
        })
    }

    /// Tells the emitter to write nothing more.
    pub(super) fn stop_flag(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// Works until the end, an error, or until nobody sends any more. Tells `arrived` how much of the tar stream the sink
    /// has taken.
    pub(super) fn run(
        mut self,
        next: &Receiver<Next>,
        arrived: &Sender<Arrived>,
    ) -> Result<ArchiveSeal, PipelineError> {
        loop {
            let next = next.recv().map_err(|_| PipelineError::Cancelled)?;
            if self.stop.load(Ordering::SeqCst) {
                return Err(PipelineError::Cancelled);
            }
            let (length, memory) = match next {
                Next::Member(ticket) => {
                    let Compressed { stored, plain, sha256 } = ticket.wait()??;
                    self.members.push(Member {
                        offset: self.offset,
                        stored: stored.len() as u64,
                        tar_offset: 0,
                        plain,
                        sha256,
                    });
                    self.emit(&stored)?;
                    (plain as usize, stored)
                }
                Next::Segment(draft) => {
                    let length = draft.bytes.len();
                    self.segment(*draft)?;
                    (length, Vec::new())
                }
                Next::End(end) => return self.end(*end),
            };
            // Nobody counts any more when the writer is being dropped.
            let _dropped = arrived.send(Arrived { length, memory });
        }
    }

    fn segment(&mut self, mut draft: SegmentDraft) -> Result<(), PipelineError> {
        draft.fill(&std::mem::take(&mut self.members))?;
        if draft.row.plain > MAX_INDEX_MEMBER {
            return Err(PipelineError::refused(
                "an entry is too large for the index",
                "Split the file; single files are limited to about 10 TiB.",
            ));
        }
        let stored = self.encoder.encode(&draft.bytes, Content::Index)?;
        self.segments.push(SegmentRow {
            offset: self.offset,
            stored: stored.len() as u64,
            sha256: sha256(&draft.bytes).into(),
            ..draft.row
        });
        self.emit(&stored)
    }

    fn end(mut self, end: End) -> Result<ArchiveSeal, PipelineError> {
        let root = Root {
            version: VERSION,
            archive_id: self.options.archive_id.into(),
            created_at: self.options.created_at_secs,
            parts: end.parts,
            segments: std::mem::take(&mut self.segments),
            bases: end.bases,
            signatures: end.signatures,
            anchors: end.anchors,
        };
        let root = minicbor::to_vec(&root)
            .map_err(|error| PipelineError::failed("cannot encode the index", "").because(error))?;
        let length = root.len() as u64;
        let mut plain = tar::plain_file(b".backup/index/root", length, self.options.created_at_secs);
        plain.extend_from_slice(&root);
        plain.resize(plain.len() + tar::padding(length), 0);
        plain.extend_from_slice(&tar::END);
        if plain.len() as u64 > MAX_INDEX_MEMBER {
            return Err(PipelineError::refused(
                "there are too many files for one archive: the root of its index is longer than any reader takes",
                "Split the backup, so that each has fewer files.",
            ));
        }
        let stored = self.encoder.encode(&plain, Content::Index)?;
        let codec = self.options.codec;
        let trailer = Trailer {
            version: VERSION,
            archive_id: self.options.archive_id,
            root_offset: self.offset,
            root_stored: stored.len() as u64,
            root_plain: plain.len() as u64,
            fingerprint: if self.options.encrypt {
                self.key.fingerprint_bytes()
            } else {
                [0; 16]
            },
        };
        let index_hmac = self.key.index_hmac(&plain);
        self.emit(&stored)?;
        self.emit(&trailer.encode(codec))?;
        if let Some(cipher) = self.cipher.take() {
            cipher.finish(&mut self.pending)?;
        }
        self.flush()?;
        Ok(ArchiveSeal {
            format_version: VERSION,
            codec,
            encrypted: self.options.encrypt,
            key_fingerprint: self.key.fingerprint(),
            size_bytes: self.size,
            sha256: hex::encode(self.sha256.finish()),
            hmac: hex::encode(self.hmac.finish()),
            index_hmac: hex::encode(index_hmac),
            tar_bytes: end.tar_offset + plain.len() as u64,
        })
    }

    /// Appends bytes of the plain file.
    fn emit(&mut self, mut bytes: &[u8]) -> Result<(), PipelineError> {
        self.offset += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = (CHUNK - self.pending.len().min(CHUNK - 1)).min(bytes.len());
            match &mut self.cipher {
                Some(cipher) => cipher.update(&bytes[..room], &mut self.pending)?,
                None => self.pending.extend_from_slice(&bytes[..room]),
            }
            bytes = &bytes[room..];
            if self.pending.len() + BLOCK > CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Hands what is ready to the sink.
    fn flush(&mut self) -> Result<(), PipelineError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(&mut self.pending, Vec::with_capacity(CHUNK + 2 * BLOCK));
        self.sha256.update(&bytes);
        self.hmac.update(&bytes);
        self.size += bytes.len() as u64;
        if self.stop.load(Ordering::SeqCst) {
            return Err(PipelineError::Cancelled);
        }
        self.sink.write(Bytes::from(bytes))
    }
}
