//! The index: what stands where. Segments describe members and entries as the stream goes by; the root at the end
//! describes the segments. All of it is CBOR (RFC 8949) with integer keys; readers skip keys they do not know.

pub(crate) mod record;
pub(crate) mod root;
pub(crate) mod segment;

pub(crate) use record::{EntryRecord, Extent};
pub(crate) use record::{FILE_BLOCKS, STREAM_BLOCKS};
pub(crate) use root::{AnchorRow, Base, PartRow, Root, SegmentRow, SignatureRow};
pub(crate) use segment::{Member, Segment, SegmentDraft};

/// The longest member of the tar stream that a reader accepts, inflated.
pub(crate) const MAX_MEMBER: u64 = 16 << 20;
/// The longest index member that a reader accepts, inflated.
pub(crate) const MAX_INDEX_MEMBER: u64 = 64 << 20;
/// The longest index member that a reader accepts, as it is stored: what does not compress gets a little longer.
pub(crate) const MAX_INDEX_STORED: u64 = MAX_INDEX_MEMBER + MAX_INDEX_MEMBER / 16;
/// The longest record of an entry that the writer makes.
pub(crate) const MAX_RECORD: usize = 32 << 20;

/// Whether a number need not be written, since readers take what is missing for zero.
pub(crate) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
