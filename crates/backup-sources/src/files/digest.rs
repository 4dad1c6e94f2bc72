//! A digest over trees, by which two of them are compared without keeping either.

use backup_core::{Entry, EntryKind, EntryPath};
use openssl::sha::Sha256;

/// Entries under one digest.
pub(super) const BLOCK_ENTRIES: u64 = 4096;
/// Bytes of content that are looked at for being all zeros.
const PAGE: usize = 4096;

/// What some entries in a row come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// The path of the first of them.
    pub(super) first: EntryPath,
    sha256: [u8; 32],
}

/// Folds entries in order into blocks: 32 bytes and a path for each [`BLOCK_ENTRIES`].
///
/// Of each entry there go in path, kind, size, mode, time, attributes, where links lead, numbers of devices, the SHA-256 of
/// the content and, where asked for, owner and group. Holes are zeros. Of a hard link nothing but path and target, since
/// the rest is the first name's.
pub(super) struct TreeDigest {
    with_owners: bool,
    block: Option<(EntryPath, Sha256)>,
    entries: u64,
    content: Option<ContentDigest>,
}

impl TreeDigest {
    pub(super) fn new(with_owners: bool) -> Self {
        Self {
            with_owners,
            block: None,
            entries: 0,
            content: None,
        }
    }

    /// Begins the next entry; its content follows. Returns the block that is complete with the entry before.
    pub(super) fn begin(&mut self, entry: &Entry) -> Option<Block> {
        self.end_content();
        let full = self.entries == BLOCK_ENTRIES;
        let done = if full { self.take() } else { None };
        let (_, sha) = self.block.get_or_insert_with(|| (entry.path.clone(), Sha256::new()));
        self.entries += 1;
        fold_entry(sha, entry, self.with_owners);
        if let EntryKind::File { data } = &entry.kind {
            self.content = Some(ContentDigest::new(data.as_deref(), entry.size));
        }
        done
    }

    /// More of the current entry's content, as it is stored: range after range.
    pub(super) fn content(&mut self, bytes: &[u8]) {
        if let Some(content) = &mut self.content {
            content.update(bytes);
        }
    }

    /// The last block.
    pub(super) fn finish(mut self) -> Option<Block> {
        self.end_content();
        self.take()
    }

    fn end_content(&mut self) {
        if let (Some(content), Some((_, sha))) = (self.content.take(), &mut self.block) {
            sha.update(&content.finish());
        }
    }

    fn take(&mut self) -> Option<Block> {
        self.entries = 0;
        let (first, sha) = self.block.take()?;
        Some(Block {
            first,
            sha256: sha.finish(),
        })
    }
}

fn fold_entry(sha: &mut Sha256, entry: &Entry, with_owners: bool) {
    let mut bytes = |bytes: &[u8]| {
        sha.update(&(bytes.len() as u64).to_le_bytes());
        sha.update(bytes);
    };
    bytes(entry.path.as_bytes());
    let (kind, device, mode) = match &entry.kind {
        EntryKind::HardLink { target } => {
            bytes(b"hard link");
            return bytes(target.as_bytes());
        }
        EntryKind::Symlink { target } => {
            bytes(target);
            // A link has no mode of its own.
            (b'l', (0, 0), 0)
        }
        EntryKind::File { .. } => (b'f', (0, 0), entry.mode),
        EntryKind::Directory => (b'd', (0, 0), entry.mode),
        EntryKind::Fifo => (b'p', (0, 0), entry.mode),
        EntryKind::CharDevice { major, minor } => (b'c', (*major, *minor), entry.mode),
        EntryKind::BlockDevice { major, minor } => (b'b', (*major, *minor), entry.mode),
    };
    let owner = if with_owners { (entry.uid, entry.gid) } else { (0, 0) };
    bytes(&[kind]);
    for number in [device.0, device.1, mode, owner.0, owner.1, entry.modified_nanos] {
        bytes(&number.to_le_bytes());
    }
    bytes(&entry.modified_secs.to_le_bytes());
    bytes(&entry.size.to_le_bytes());
    bytes(&(entry.xattrs.len() as u64).to_le_bytes());
    for (name, value) in &entry.xattrs {
        bytes(name);
        bytes(value);
    }
}

/// SHA-256 over the pages of a file that are not all zeros, each with its place: the same however many holes there are, and
/// no work for them.
struct ContentDigest {
    sha: Sha256,
    /// Ranges that are still to come, the next one last.
    ranges: Vec<(u64, u64)>,
    /// The page that is being filled, and which one it is.
    page: Box<[u8; PAGE]>,
    number: u64,
}

impl ContentDigest {
    fn new(data: Option<&[(u64, u64)]>, size: u64) -> Self {
        let whole = [(0, size)];
        Self {
            sha: Sha256::new(),
            ranges: data.unwrap_or(&whole).iter().rev().copied().collect(),
            page: Box::new([0; PAGE]),
            number: 0,
        }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some((offset, left)) = self.ranges.last_mut() else {
                return;
            };
            if *left == 0 {
                self.ranges.pop();
                continue;
            }
            let (number, at) = (*offset / PAGE as u64, (*offset % PAGE as u64) as usize);
            let length = bytes.len().min(PAGE - at).min(usize::try_from(*left).unwrap_or(PAGE));
            *offset += length as u64;
            *left -= length as u64;
            if number != self.number {
                self.end_page();
                self.number = number;
            }
            self.page[at..at + length].copy_from_slice(&bytes[..length]);
            bytes = &bytes[length..];
        }
    }

    fn end_page(&mut self) {
        if self.page.iter().any(|byte| *byte != 0) {
            self.sha.update(&self.number.to_le_bytes());
            self.sha.update(&self.page[..]);
            self.page.fill(0);
        }
    }

    fn finish(mut self) -> [u8; 32] {
        self.end_page();
        self.sha.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(data: Option<Vec<(u64, u64)>>, size: u64, pieces: &[&[u8]]) -> Block {
        let mut entry = Entry::plain_file(EntryPath::new("f").unwrap(), size, 0);
        entry.kind = EntryKind::File { data };
        let mut tree = TreeDigest::new(true);
        assert!(tree.begin(&entry).is_none());
        for piece in pieces {
            tree.content(piece);
        }
        tree.finish().unwrap()
    }

    #[test]
    fn holes_are_zeros_wherever_they_are_and_a_byte_is_a_byte() {
        let mut whole = vec![0; 20_000];
        whole[100] = 1;
        whole[9_000..9_100].fill(2);
        let full = digest(None, 20_000, &[&whole[..7], &whole[7..12_345], &whole[12_345..]]);
        let tight = digest(Some(vec![(100, 1), (9_000, 100)]), 20_000, &[&[1], &[2; 60], &[2; 40]]);
        let loose = digest(
            Some(vec![(50, 60), (4_000, 8_000)]),
            20_000,
            &[&whole[50..110], &whole[4_000..12_000]],
        );
        assert_eq!(full, tight);
        assert_eq!(full, loose);
        let moved = digest(Some(vec![(101, 1), (9_000, 100)]), 20_000, &[&[1], &[2; 100]]);
        assert_ne!(full, moved);
        assert_ne!(full, digest(None, 20_001, &[&whole[..]]));
    }

    #[test]
    fn every_block_names_its_first_entry() {
        let mut tree = TreeDigest::new(false);
        let mut blocks = Vec::new();
        for number in 0..=BLOCK_ENTRIES * 2 {
            let path = EntryPath::new(format!("{number:06}")).unwrap();
            blocks.extend(tree.begin(&Entry::plain_file(path, 0, 0)));
        }
        blocks.extend(tree.finish());
        let first: Vec<String> = blocks.iter().map(|block| block.first.to_string()).collect();
        assert_eq!(first, ["000000", "004096", "008192"]);
    }
}
