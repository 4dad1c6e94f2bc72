//! The writer: entries go in, the stored file comes out in order, compressed on several threads on its way.

mod chain;
mod content;
mod emitter;
mod lane;
mod matcher;
mod part;
mod signatures;
mod tape;

use std::fmt;

use backup_core::receipt::Codec;
use backup_core::{ArchiveSeal, PipelineError, Random};

use crate::blocks::BlockCutter;
use crate::error::failed_before;
use crate::index::{FILE_BLOCKS, PartRow, STREAM_BLOCKS, SegmentDraft, SegmentRow};
use crate::sink::ByteSink;
use crate::tar;
use crate::trailer::VERSION;
use crate::{ArchiveKey, ArchiveReader};

pub use part::PartWriter;

/// How an archive is made.
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// How the tar stream is compressed.
    pub codec: Codec,
    /// Whether the file is encrypted with the archive key.
    pub encrypt: bool,
    /// What the archive is called inside: its backup's id.
    pub archive_id: [u8; 16],
    /// How many threads compress (at least one; of very many only some are used, so that memory stays bounded).
    pub workers: usize,
    /// Time stamp of what the archive adds itself, in seconds since 1970.
    pub created_at_secs: i64,
}

/// Where the tar stream is cut, and other bounds. The default is what every archive uses; tests use smaller pieces.
#[derive(Debug, Clone, Copy)]
pub struct Cuts {
    /// Plain bytes of a member, at most 8 MiB.
    pub member_bytes: usize,
    /// Encoded bytes of an index segment after which it is written.
    pub segment_bytes: usize,
    /// Bytes of one entry after which its members double in length, up to 8 MiB, so that their table stays short.
    pub doubling_bytes: u64,
    /// Bytes of the first numbered file of a stream; later ones have up to eight times as many, as have files of changes.
    pub file_bytes: u64,
    /// Blocks of files are about two to the power of this long, and
    pub file_blocks: u8,
    /// those of streams.
    pub stream_blocks: u8,
    /// Blocks of a page of signatures.
    pub page_blocks: usize,
    /// Rows of a piece of the table of anchors.
    pub anchor_rows: usize,
    /// Bytes ahead of the last match in which the next one is sought, and behind it.
    pub window_bytes: u64,
    /// Extents of one entry behind which nothing more of it is sought in other archives, so that its record stays within
    /// its limit.
    pub extents: usize,
    /// Pages of signatures that may be fetched in each part for the sake of content that has moved. Beyond these, each mebibyte of
    /// content that is sought pays for one: what was dealt out anew in small pieces is stored again sooner than sought for
    /// days, and a restore would have to read as far and wide for it.
    pub jumps: u64,
}

impl Cuts {
    /// What every archive uses.
    pub const USUAL: Self = Self {
        member_bytes: 1 << 20,
        segment_bytes: 512 << 10,
        doubling_bytes: 64 << 30,
        file_bytes: 1 << 20,
        file_blocks: FILE_BLOCKS,
        stream_blocks: STREAM_BLOCKS,
        page_blocks: 8192,
        anchor_rows: 1 << 16,
        window_bytes: 16 << 20,
        extents: 1_800_000,
        jumps: 256,
    };
}

impl Default for Cuts {
    fn default() -> Self {
        Self::USUAL
    }
}

/// Writes one archive. Entries are appended part by part; compressing, hashing and encrypting happen on threads of its
/// own. Dropped before [`Self::finish`], it stops and joins them and writes nothing more.
pub struct ArchiveWriter {
    tape: tape::Tape,
    cuts: Cuts,
    created_at: i64,
    parts: Vec<PartRow>,
    open: Option<OpenPart>,
    segments: u64,
    signatures: signatures::SignatureBook,
    cutter: BlockCutter,
    /// What it builds on.
    base: Option<Box<matcher::Matcher>>,
    /// How many files of changes there are.
    deltas: u64,
    /// An error came up in the middle of something: nothing can follow.
    failed: bool,
}

/// The part that is being written, and what the next segment will say.
struct OpenPart {
    records: Vec<u8>,
    entries: u64,
    first: Option<Vec<u8>>,
    last: Option<backup_core::Entry>,
}

impl ArchiveWriter {
    /// Starts an archive that goes to `sink`. The first bytes are written from a thread of its own.
    pub fn create(
        sink: Box<dyn ByteSink>,
        key: &ArchiveKey,
        options: WriterOptions,
        random: &dyn Random,
    ) -> Result<Self, PipelineError> {
        Self::with_cuts(sink, key, &options, random, Cuts::default())
    }

    /// As [`Self::create`], with other cuts.
    pub fn with_cuts(
        sink: Box<dyn ByteSink>,
        key: &ArchiveKey,
        options: &WriterOptions,
        random: &dyn Random,
        cuts: Cuts,
    ) -> Result<Self, PipelineError> {
        Self::start(None, sink, key, options, random, cuts)
    }

    /// Starts an archive that builds on another one, of the same or another key: it stores what that one and those that
    /// it builds on itself do not hold, and its index names where the rest stands. It is of use only as long as all of
    /// them are there. `base` has its own bases attached ([`ArchiveReader::attach`]); of it are read its index, once and
    /// in order, and its signatures. A base without signatures works too: what changed is then stored whole.
    ///
    /// # Errors
    /// Also `Integrity` where the base is damaged, at any time later too.
    pub fn create_on(
        base: &ArchiveReader,
        sink: Box<dyn ByteSink>,
        key: &ArchiveKey,
        options: WriterOptions,
        random: &dyn Random,
    ) -> Result<Self, PipelineError> {
        Self::start(Some(base), sink, key, &options, random, Cuts::default())
    }

    /// As [`Self::create_on`], with other cuts.
    pub fn create_on_with_cuts(
        base: &ArchiveReader,
        sink: Box<dyn ByteSink>,
        key: &ArchiveKey,
        options: &WriterOptions,
        random: &dyn Random,
        cuts: Cuts,
    ) -> Result<Self, PipelineError> {
        Self::start(Some(base), sink, key, options, random, cuts)
    }

    fn start(
        base: Option<&ArchiveReader>,
        sink: Box<dyn ByteSink>,
        key: &ArchiveKey,
        options: &WriterOptions,
        random: &dyn Random,
        cuts: Cuts,
    ) -> Result<Self, PipelineError> {
        let base = base.map(|base| matcher::Matcher::new(base, &cuts).map(Box::new));
        let base = base.transpose()?;
        let emitter = emitter::Emitter::new(sink, key, options, random)?;
        let mut tape = tape::Tape::new(emitter, options, cuts)?;
        let about = about(options, base.is_some());
        let header = tar::plain_file(b".backup/format.json", about.len() as u64, options.created_at_secs);
        tape.write(&header)?;
        tape.write(about.as_bytes())?;
        tape.pad(about.len() as u64)?;
        Ok(Self {
            tape,
            cuts,
            created_at: options.created_at_secs,
            parts: Vec::new(),
            open: None,
            segments: 0,
            signatures: signatures::SignatureBook::new(&cuts),
            cutter: BlockCutter::new(),
            base,
            deltas: 0,
            failed: false,
        })
    }

    /// Begins the next part: a top folder of the tar. Names are ASCII letters, digits, `-` and `_`, each used once. The
    /// part ends with the next one or with the archive.
    pub fn part(&mut self, name: &str) -> Result<PartWriter<'_>, PipelineError> {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(valid) {
            return Err(PipelineError::failed(
                format!("'{name}' cannot be the name of a part"),
                "Use at most 64 ASCII letters, digits, '-' and '_'.",
            ));
        }
        if self.parts.iter().any(|part| part.name == name) {
            return Err(PipelineError::failed(
                format!("the archive already has a part '{name}'"),
                "",
            ));
        }
        self.attempt(Self::end_part)?;
        if let Some(base) = &mut self.base {
            base.begin_part(name)?;
        }
        self.parts.push(PartRow {
            name: name.to_owned(),
            entries: 0,
            content: 0,
        });
        self.open = Some(OpenPart {
            records: Vec::new(),
            entries: 0,
            first: None,
            last: None,
        });
        Ok(PartWriter::new(self))
    }

    /// Writes the index and the trailer and waits until the sink has taken the last byte. Only now the archive is whole.
    pub fn finish(mut self) -> Result<ArchiveSeal, PipelineError> {
        self.attempt(|writer| {
            writer.end_part()?;
            writer.write_segment()
        })?;
        self.tape.finish(emitter::End {
            parts: std::mem::take(&mut self.parts),
            bases: self.base.map_or(Ok(Vec::new()), |base| base.rows())?,
            signatures: self.signatures.pages,
            anchors: self.signatures.tables,
            tar_offset: 0,
        })
    }

    /// Does a step after which, where it fails, nothing more is taken.
    fn attempt<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, PipelineError>) -> Result<T, PipelineError> {
        if self.failed {
            return Err(failed_before("writer"));
        }
        let done = step(self);
        self.failed = done.is_err();
        done
    }

    fn end_part(&mut self) -> Result<(), PipelineError> {
        if self.open.is_some() {
            self.end_pages()?;
            self.write_segment()?;
            self.open = None;
        }
        Ok(())
    }

    /// Writes a segment where enough has gathered.
    fn segment_if_full(&mut self) -> Result<(), PipelineError> {
        // Many segments make a long root, so they grow with their number.
        let growth = 1 << (self.segments / 1024).min(2);
        let gathered = self.open.as_ref().map_or(0, |open| open.records.len());
        if gathered + self.tape.members() as usize * 40 >= self.cuts.segment_bytes * growth {
            self.write_segment()?;
        }
        Ok(())
    }

    fn write_segment(&mut self) -> Result<(), PipelineError> {
        self.tape.cut()?;
        let part = self
            .open
            .as_ref()
            .and_then(|_| u32::try_from(self.parts.len() - 1).ok());
        let (records, entries, first, last) = match &mut self.open {
            None => (Vec::new(), 0, None, None),
            Some(open) => {
                let last = open.last.as_ref().filter(|_| open.entries > 0);
                let last = last.and_then(|entry| SegmentRow::last_path(entry.path.as_bytes()));
                (
                    std::mem::take(&mut open.records),
                    std::mem::take(&mut open.entries),
                    open.first.take().map(Into::into),
                    last,
                )
            }
        };
        if self.tape.members() == 0 && entries == 0 {
            return Ok(());
        }
        let row = SegmentRow {
            part,
            offset: 0,
            stored: 0,
            plain: 0,
            sha256: [0; 32].into(),
            length: 0,
            tar_offset: self.tape.offset(),
            members: self.tape.members(),
            entries,
            first,
            last,
        };
        let draft = SegmentDraft::new(self.segments, row, &records, self.created_at);
        self.segments += 1;
        self.tape.segment(draft)
    }
}

impl fmt::Debug for ArchiveWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveWriter")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

/// The first entry: tells a person who finds the file what it is.
fn about(options: &WriterOptions, dependent: bool) -> String {
    let note = if dependent {
        "A tar archive of what has changed: .backup holds the index and, where only a piece of a file is new, that piece; \
         what did not change stands in the archives that this one builds on. The program puts them together."
    } else {
        "A tar archive: every top folder but .backup is a part of the backup; .backup holds the index."
    };
    format!(
        "{{\n  \"format\": \"backup-archive\",\n  \"version\": {VERSION},\n  \"archiveId\": \"{}\",\n  \
         \"createdAtSeconds\": {},\n  \"codec\": \"{}\",\n  \"encrypted\": {},\n  \
         \"note\": \"{note}\"\n}}\n",
        hex::encode(options.archive_id),
        options.created_at_secs,
        options.codec.as_str(),
        options.encrypt,
    )
}
