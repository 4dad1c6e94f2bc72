//! What a segment says of one entry.

use backup_core::{Entry, EntryKind, EntryPath, FileIdentity};
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use super::is_zero;

/// A piece of an entry's content: `length` bytes at `offset` of the tar stream of archive `archive`, where 0 is the
/// archive itself and `n` is row `n - 1` of the root's table of bases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Extent {
    #[n(0)]
    pub(crate) archive: u32,
    #[n(1)]
    pub(crate) offset: u64,
    #[n(2)]
    pub(crate) length: u64,
}

/// An entry with its place.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct EntryRecord {
    #[n(0)]
    path: ByteVec,
    #[n(1)]
    kind: u8,
    #[cbor(n(2), skip_if = "is_zero")]
    size: u64,
    #[n(3)]
    mode: u32,
    #[cbor(n(4), skip_if = "is_zero")]
    uid: u32,
    #[cbor(n(5), skip_if = "is_zero")]
    gid: u32,
    #[n(6)]
    user: Option<String>,
    #[n(7)]
    group: Option<String>,
    #[n(8)]
    modified_secs: i64,
    #[cbor(n(9), skip_if = "is_zero")]
    modified_nanos: u32,
    #[cbor(n(10), skip_if = "Vec::is_empty")]
    xattrs: Vec<(ByteVec, ByteVec)>,
    #[n(11)]
    target: Option<ByteVec>,
    #[n(12)]
    data: Option<Vec<(u64, u64)>>,
    #[n(13)]
    device: Option<(u32, u32)>,
    #[cbor(n(14), skip_if = "Vec::is_empty")]
    pub(crate) extents: Vec<Extent>,
    /// Change time, its nanoseconds, number in the file system.
    #[n(15)]
    identity: Option<(i64, u32, u64)>,
    /// SHA-256 of the content, where that was put together from blocks of several places.
    #[n(16)]
    pub(crate) digest: Option<ByteArray<32>>,
    /// Blocks are about two to the power of this long; `None`: as [`FILE_BLOCKS`] says.
    #[n(17)]
    pub(crate) blocks: Option<u8>,
}

/// What [`EntryRecord::blocks`] is where the record does not say it.
pub(crate) const FILE_BLOCKS: u8 = 13;
/// What it is of a stream.
pub(crate) const STREAM_BLOCKS: u8 = 10;

const FILE: u8 = 0;
const DIRECTORY: u8 = 1;
const SYMLINK: u8 = 2;
const HARD_LINK: u8 = 3;
const FIFO: u8 = 4;
const CHAR_DEVICE: u8 = 5;
const BLOCK_DEVICE: u8 = 6;

impl EntryRecord {
    pub(crate) fn new(entry: &Entry, extents: Vec<Extent>) -> Self {
        let (mut target, mut data, mut device) = (None, None, None);
        let kind = match &entry.kind {
            EntryKind::File { data: ranges } => {
                data.clone_from(ranges);
                FILE
            }
            EntryKind::Directory => DIRECTORY,
            EntryKind::Symlink { target: bytes } => {
                target = Some(bytes.clone().into());
                SYMLINK
            }
            EntryKind::HardLink { target: path } => {
                target = Some(path.as_bytes().to_vec().into());
                HARD_LINK
            }
            EntryKind::Fifo => FIFO,
            EntryKind::CharDevice { major, minor } => {
                device = Some((*major, *minor));
                CHAR_DEVICE
            }
            EntryKind::BlockDevice { major, minor } => {
                device = Some((*major, *minor));
                BLOCK_DEVICE
            }
        };
        let xattrs = entry.xattrs.iter();
        Self {
            path: entry.path.as_bytes().to_vec().into(),
            kind,
            size: entry.size,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            user: entry.user.clone(),
            group: entry.group.clone(),
            modified_secs: entry.modified_secs,
            modified_nanos: entry.modified_nanos,
            xattrs: xattrs
                .map(|(name, value)| (name.clone().into(), value.clone().into()))
                .collect(),
            target,
            data,
            device,
            extents,
            identity: entry
                .identity
                .map(|identity| (identity.changed_secs, identity.changed_nanos, identity.inode)),
            digest: None,
            blocks: None,
        }
    }

    /// Where it stands in its part, or what is wrong with that.
    pub(crate) fn path(&self) -> Result<EntryPath, String> {
        EntryPath::new(self.path.to_vec()).map_err(|error| error.to_string())
    }

    /// About how long its blocks are: two to the power of this.
    pub(crate) fn level(&self) -> u8 {
        self.blocks.unwrap_or(FILE_BLOCKS)
    }

    /// Whether `entry` is the same file with the same content, which was last touched before `settled` (seconds since
    /// 1970).
    pub(crate) fn is_unchanged(&self, entry: &Entry, settled: i64) -> bool {
        let identity = |identity: FileIdentity| (identity.changed_secs, identity.changed_nanos, identity.inode);
        self.kind == FILE
            && matches!(entry.kind, EntryKind::File { .. })
            && self.size == entry.size
            && (self.modified_secs, self.modified_nanos) == (entry.modified_secs, entry.modified_nanos)
            && self.identity.is_some()
            && self.identity == entry.identity.map(identity)
            && self.modified_secs < settled
            && self.identity.is_some_and(|(changed_secs, ..)| changed_secs < settled)
    }

    /// The record for another archive, where the content stands in `extents`. The names of user and group are those of
    /// `entry`: they may change without the file.
    pub(crate) fn carried(&self, entry: &Entry, extents: Vec<Extent>) -> Self {
        Self {
            user: entry.user.clone(),
            group: entry.group.clone(),
            extents,
            ..self.clone()
        }
    }

    /// The entry, or what is wrong with the record.
    pub(crate) fn entry(&self) -> Result<Entry, String> {
        let path = EntryPath::new(self.path.to_vec()).map_err(|error| error.to_string())?;
        let wrong = |what: &str| format!("the record of '{path}' {what}");
        let target = || self.target.as_ref().ok_or_else(|| wrong("has no target"));
        let device = || self.device.ok_or_else(|| wrong("has no device number"));
        let kind = match self.kind {
            FILE => EntryKind::File {
                data: self.data.clone(),
            },
            DIRECTORY => EntryKind::Directory,
            SYMLINK => EntryKind::Symlink {
                target: target()?.to_vec(),
            },
            HARD_LINK => EntryKind::HardLink {
                target: EntryPath::new(target()?.to_vec()).map_err(|error| error.to_string())?,
            },
            FIFO => EntryKind::Fifo,
            CHAR_DEVICE => device().map(|(major, minor)| EntryKind::CharDevice { major, minor })?,
            BLOCK_DEVICE => device().map(|(major, minor)| EntryKind::BlockDevice { major, minor })?,
            other => return Err(wrong(&format!("is of unknown kind {other}"))),
        };
        if self.modified_nanos >= 1_000_000_000 {
            return Err(wrong("has no valid time"));
        }
        let xattrs = self.xattrs.iter();
        let entry = Entry {
            path: path.clone(),
            kind,
            size: self.size,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            user: self.user.clone(),
            group: self.group.clone(),
            modified_secs: self.modified_secs,
            modified_nanos: self.modified_nanos,
            xattrs: xattrs.map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
            identity: self.identity.map(|(changed_secs, changed_nanos, inode)| FileIdentity {
                inode,
                changed_secs,
                changed_nanos,
            }),
        };
        check_data(&entry).map_err(wrong)?;
        let length = self
            .extents
            .iter()
            .try_fold(0u64, |sum, extent| sum.checked_add(extent.length));
        if length != Some(entry.stored_bytes()) {
            return Err(wrong("names another length than its extents have"));
        }
        Ok(entry)
    }
}

/// Whether the data ranges of a sparse file ascend and lie in the file.
pub(crate) fn check_data(entry: &Entry) -> Result<(), &'static str> {
    let EntryKind::File { data: Some(ranges) } = &entry.kind else {
        return Ok(());
    };
    let mut end = 0;
    for (index, (offset, length)) in ranges.iter().enumerate() {
        let next = offset.checked_add(*length).ok_or("has a data range out of bounds")?;
        if *length == 0 || next > entry.size || *offset < end || (index > 0 && *offset == end) {
            return Err("has data ranges that overlap, touch, are empty or lie outside of it");
        }
        end = next;
    }
    Ok(())
}
