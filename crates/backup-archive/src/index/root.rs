//! The root: the table of segments.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

/// Paths longer than this are left out of the root where that does no harm.
const LONG_PATH: usize = 256;

/// The last thing in the tar stream.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Root {
    #[n(0)]
    pub(crate) version: u32,
    #[n(1)]
    pub(crate) archive_id: ByteArray<16>,
    #[n(2)]
    pub(crate) created_at: i64,
    #[n(3)]
    pub(crate) parts: Vec<PartRow>,
    #[n(4)]
    pub(crate) segments: Vec<SegmentRow>,
    /// Archives that extents may point to.
    #[cbor(n(5), skip_if = "Vec::is_empty")]
    pub(crate) bases: Vec<Base>,
}

/// A part, in the order in which they stand in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct PartRow {
    #[n(0)]
    pub(crate) name: String,
    /// How many entries.
    #[n(1)]
    pub(crate) entries: u64,
    /// Bytes of content of all of them.
    #[n(2)]
    pub(crate) content: u64,
}

/// A segment: its own member, and what it describes. The members it describes stand directly before it, up to the
/// segment before or the head of the file.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct SegmentRow {
    /// Row of its part; `None` where it describes no part's bytes.
    #[n(0)]
    pub(crate) part: Option<u32>,
    /// Where its member begins in the plain file: behind the members it describes.
    #[n(1)]
    pub(crate) offset: u64,
    /// Compressed length of its member.
    #[n(2)]
    pub(crate) stored: u64,
    /// Inflated length of its member.
    #[n(3)]
    pub(crate) plain: u64,
    /// SHA-256 of the inflated member.
    #[n(4)]
    pub(crate) sha256: ByteArray<32>,
    /// Length of the segment itself; it begins 512 bytes into the inflated member.
    #[n(5)]
    pub(crate) length: u64,
    /// Where its member begins in the tar stream.
    #[n(6)]
    pub(crate) tar_offset: u64,
    /// How many members it describes.
    #[n(7)]
    pub(crate) members: u64,
    /// How many entries it describes.
    #[n(8)]
    pub(crate) entries: u64,
    /// Path of its first entry.
    #[n(9)]
    pub(crate) first: Option<ByteVec>,
    /// Path of its last entry; left out where it is long.
    #[n(10)]
    pub(crate) last: Option<ByteVec>,
}

impl SegmentRow {
    /// What stands in the root for a last path.
    pub(crate) fn last_path(path: &[u8]) -> Option<ByteVec> {
        (path.len() <= LONG_PATH).then(|| path.to_vec().into())
    }
}

/// An archive that extents point to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Base {
    #[n(0)]
    pub(crate) archive_id: ByteArray<16>,
    /// The base's `index_hmac`, so that exactly this archive is meant.
    #[n(1)]
    pub(crate) index_hmac: ByteArray<32>,
}
