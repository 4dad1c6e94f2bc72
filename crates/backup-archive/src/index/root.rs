//! The root: the table of segments.

use backup_core::EntryPath;
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

/// Paths longer than this are left out of the root or shortened, so that it stays short.
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
    /// Where the signatures of this archive's content stand, ascending.
    #[cbor(n(6), skip_if = "Vec::is_empty")]
    pub(crate) signatures: Vec<SignatureRow>,
    /// Where the anchors stand.
    #[cbor(n(7), skip_if = "Vec::is_empty")]
    pub(crate) anchors: Vec<AnchorRow>,
}

/// A page of signatures: the content of a tar entry in members of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct SignatureRow {
    /// Where the page begins in the tar stream.
    #[n(0)]
    pub(crate) offset: u64,
    /// Its length.
    #[n(1)]
    pub(crate) length: u64,
    /// The content that it describes lies from here on in the tar stream,
    #[n(2)]
    pub(crate) from: u64,
    /// and ends before here. Pages do not overlap.
    #[n(3)]
    pub(crate) to: u64,
}

/// A piece of the table of anchors: the content of a tar entry in members of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct AnchorRow {
    /// Where it begins in the tar stream.
    #[n(0)]
    pub(crate) offset: u64,
    /// Its length.
    #[n(1)]
    pub(crate) length: u64,
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
    /// Path of its first entry, or the beginning of it: not behind it, and behind the last entry before.
    #[n(9)]
    pub(crate) first: Option<ByteVec>,
    /// Path of its last entry; left out where it is long.
    #[n(10)]
    pub(crate) last: Option<ByteVec>,
}

impl SegmentRow {
    /// What stands in the root for a first path behind the path `before`: so much of it that both are told apart.
    pub(crate) fn first_path(before: Option<&EntryPath>, path: &EntryPath) -> Vec<u8> {
        let bytes = path.as_bytes();
        let shared = before.map_or(0, |before| {
            let pairs = bytes.iter().zip(before.as_bytes());
            pairs.take_while(|(one, other)| one == other).count()
        });
        // One byte is not enough where it is the slash behind the path before.
        bytes[..bytes.len().min(LONG_PATH.max(shared + 2))].to_vec()
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_first_path_still_tells_two_segments_apart() {
        let long = "l".repeat(300);
        let pairs = [
            (String::new(), "a".to_owned()),
            ("a".to_owned(), long.clone()),
            (long.clone(), format!("{long}/below")),
            (format!("{long}a"), format!("{long}b/below")),
            (format!("{long}/x"), format!("{long}0/y")),
            (format!("{long}/x/y"), format!("{long}/y")),
            (format!("{long}/{long}/a"), format!("{long}/{long}/{long}")),
        ];
        for (before, path) in pairs {
            let (before, path) = (EntryPath::new(before).unwrap(), EntryPath::new(path).unwrap());
            assert!(before < path);
            let first = SegmentRow::first_path(Some(&before), &path);
            assert!(path.as_bytes().starts_with(&first) && first.len() <= 610, "{path}");
            // As a reader compares: empty components do not count.
            let parts = first.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
            assert!(parts.gt(before.components()), "{before} {path}");
        }
        assert_eq!(
            SegmentRow::first_path(None, &EntryPath::new(long).unwrap()).len(),
            LONG_PATH
        );
    }
}
