//! A segment: the members and entries since the segment before.

use backup_core::PipelineError;
use minicbor::Decoder;

use super::{EntryRecord, MAX_MEMBER, SegmentRow};
use crate::error::damaged;
use crate::tar;

/// Bytes of a member's row: compressed length, inflated length (both big-endian), SHA-256 of the inflated bytes.
pub(crate) const MEMBER_ROW: usize = 4 + 4 + 32;

/// A member of the tar stream and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Where it begins in the plain file.
    pub(crate) offset: u64,
    /// Its compressed length.
    pub(crate) stored: u64,
    /// Where it begins in the tar stream.
    pub(crate) tar_offset: u64,
    /// Its inflated length.
    pub(crate) plain: u64,
    /// SHA-256 of the inflated bytes.
    pub(crate) sha256: [u8; 32],
}

impl Member {
    pub(crate) fn tar_end(&self) -> u64 {
        self.tar_offset + self.plain
    }
}

/// A segment in the making: the bytes of its tar entry, with the rows of its members still blank, since they are being
/// compressed at this moment.
pub(crate) struct SegmentDraft {
    /// Header, content and padding.
    pub(crate) bytes: Vec<u8>,
    /// Where in `bytes` the rows stand.
    pub(crate) rows_at: usize,
    /// Its row in the root, as far as it is known.
    pub(crate) row: SegmentRow,
}

impl SegmentDraft {
    /// Encodes a segment of `row.members` blank rows and `row.entries` records, which are encoded in `records`.
    pub(crate) fn new(number: u64, mut row: SegmentRow, records: &[u8], modified: i64) -> Self {
        let rows = row.members as usize * MEMBER_ROW;
        let mut content = Vec::with_capacity(rows + records.len() + 64);
        cbor_head(&mut content, MAP, 3);
        cbor_head(&mut content, UINT, PART);
        match row.part {
            Some(part) => cbor_head(&mut content, UINT, u64::from(part)),
            None => content.push(NULL),
        }
        cbor_head(&mut content, UINT, ENTRIES);
        cbor_head(&mut content, ARRAY, row.entries);
        content.extend_from_slice(records);
        cbor_head(&mut content, UINT, MEMBERS);
        cbor_head(&mut content, BYTES, rows as u64);
        content.resize(content.len() + rows, 0);
        row.length = content.len() as u64;
        let mut bytes = tar::plain_file(format!(".backup/index/{number:06}").as_bytes(), row.length, modified);
        bytes.extend_from_slice(&content);
        let rows_at = bytes.len() - rows;
        bytes.resize(bytes.len() + tar::padding(row.length), 0);
        row.plain = bytes.len() as u64;
        Self { bytes, rows_at, row }
    }

    /// Fills in the rows of the members.
    pub(crate) fn fill(&mut self, members: &[Member]) -> Result<(), PipelineError> {
        let rows = &mut self.bytes[self.rows_at..];
        if members.len() as u64 != self.row.members || rows.len() < members.len() * MEMBER_ROW {
            return Err(PipelineError::failed(
                "a segment of the index counts its members wrong",
                "",
            ));
        }
        for (row, member) in rows.chunks_exact_mut(MEMBER_ROW).zip(members) {
            row[..4].copy_from_slice(&(member.stored as u32).to_be_bytes());
            row[4..8].copy_from_slice(&(member.plain as u32).to_be_bytes());
            row[8..].copy_from_slice(&member.sha256);
        }
        Ok(())
    }
}

const PART: u64 = 0;
const MEMBERS: u64 = 1;
const ENTRIES: u64 = 2;

const UINT: u8 = 0;
const BYTES: u8 = 2;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const NULL: u8 = 0xf6;

/// The head of a CBOR item: major type and argument.
fn cbor_head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    match value {
        0..24 => out.push(major | value as u8),
        24..0x100 => out.extend_from_slice(&[major | 0x18, value as u8]),
        0x100..0x1_0000 => {
            out.push(major | 0x19);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 0x1a);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// A segment as it was read: the members, and the records still encoded, since most readers want few of them.
pub(crate) struct Segment {
    pub(crate) members: Vec<Member>,
    content: Vec<u8>,
    records_at: usize,
    entries: u64,
}

impl Segment {
    /// Reads a segment from its inflated member. Its members begin at `start`: (plain file, tar stream).
    pub(crate) fn parse(
        number: usize,
        row: &SegmentRow,
        plain: &[u8],
        start: (u64, u64),
    ) -> Result<Self, PipelineError> {
        let wrong = |what: &str| damaged(format!("index segment {number}: {what}"));
        let end = (row.length as usize).saturating_add(tar::BLOCK);
        let content = plain
            .get(tar::BLOCK..end)
            .ok_or_else(|| wrong("it is too short"))?
            .to_vec();
        let (part, rows, records_at, entries) =
            decode(&content).map_err(|error| wrong(&format!("it is not valid CBOR: {error}")))?;
        if part != row.part || entries != row.entries {
            return Err(wrong("it is not what the root says"));
        }
        let rows = &content[rows];
        if (rows.len() / MEMBER_ROW) as u64 != row.members || !rows.len().is_multiple_of(MEMBER_ROW) {
            return Err(wrong("its table of members has another length than the root says"));
        }
        let (mut offset, mut tar_offset) = start;
        let mut members = Vec::with_capacity(rows.len() / MEMBER_ROW);
        for bytes in rows.chunks_exact(MEMBER_ROW) {
            let number = |at: usize| {
                let field = bytes[at..].first_chunk::<4>().copied().unwrap_or_default();
                u64::from(u32::from_be_bytes(field))
            };
            let member = Member {
                offset,
                stored: number(0),
                tar_offset,
                plain: number(4),
                sha256: bytes[8..].first_chunk().copied().unwrap_or_default(),
            };
            if member.plain == 0 || member.plain > MAX_MEMBER || member.stored > 2 * MAX_MEMBER {
                return Err(wrong("it names a member of an impossible length"));
            }
            let ends = offset
                .checked_add(member.stored)
                .zip(tar_offset.checked_add(member.plain));
            (offset, tar_offset) = ends.ok_or_else(|| wrong("it names a place outside of the file"))?;
            members.push(member);
        }
        if (offset, tar_offset) != (row.offset, row.tar_offset) {
            return Err(wrong("its members do not fill the place before it"));
        }
        Ok(Self {
            members,
            content,
            records_at,
            entries,
        })
    }

    /// The record that begins at `cursor`, and where the next one begins. The first begins at [`Self::first`].
    pub(crate) fn record(&self, cursor: Cursor) -> Result<Option<(EntryRecord, Cursor)>, String> {
        if cursor.index >= self.entries {
            return Ok(None);
        }
        let mut decoder = Decoder::new(&self.content);
        decoder.set_position(cursor.at);
        let record: EntryRecord = decoder.decode().map_err(|error| error.to_string())?;
        let next = Cursor {
            index: cursor.index + 1,
            at: decoder.position(),
        };
        Ok(Some((record, next)))
    }

    /// Where the first record begins.
    pub(crate) fn first(&self) -> Cursor {
        Cursor {
            index: 0,
            at: self.records_at,
        }
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        self.content.len() + self.members.len() * size_of::<Member>()
    }
}

/// A place between two records of a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor {
    index: u64,
    at: usize,
}

impl Cursor {
    /// How many records stand before it.
    pub(crate) fn index(self) -> u64 {
        self.index
    }
}

type Decoded = (Option<u32>, std::ops::Range<usize>, usize, u64);

/// Part, where the members' rows are, where the records begin, and how many there are.
fn decode(content: &[u8]) -> Result<Decoded, minicbor::decode::Error> {
    let missing = || minicbor::decode::Error::message("a key is missing");
    let mut decoder = Decoder::new(content);
    let (mut part, mut rows, mut records) = (None, None, None);
    let keys = decoder
        .map()?
        .ok_or_else(|| minicbor::decode::Error::message("a map of no length"))?;
    for _ in 0..keys {
        match decoder.u64()? {
            PART => part = Some(decoder.decode::<Option<u32>>()?),
            MEMBERS => {
                let length = decoder.bytes()?.len();
                rows = Some(decoder.position() - length..decoder.position());
            }
            ENTRIES => {
                let position = decoder.position();
                let count = decoder.array()?.ok_or_else(missing)?;
                records = Some((decoder.position(), count));
                decoder.set_position(position);
                decoder.skip()?;
            }
            _ => decoder.skip()?,
        }
    }
    let (records_at, count) = records.ok_or_else(missing)?;
    Ok((part.ok_or_else(missing)?, rows.ok_or_else(missing)?, records_at, count))
}
