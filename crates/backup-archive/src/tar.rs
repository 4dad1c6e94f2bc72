//! Tar headers (POSIX pax) as GNU tar writes and reads them.

use backup_core::{Entry, EntryKind, EntryPath};

/// Bytes of a tar block.
pub(crate) const BLOCK: usize = 512;
/// Two blocks of zeros end a tar.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Zero bytes that fill up the last block of `length` bytes of content.
pub(crate) fn padding(length: u64) -> usize {
    (length.next_multiple_of(BLOCK as u64) - length) as usize
}

/// The headers of `entry` in `part`, up to the first byte of its content; for a sparse file with its map.
pub(crate) fn entry_headers(part: &str, entry: &Entry) -> Vec<u8> {
    let mut path = full_path(part, &entry.path);
    let mut header = Header::new(Vec::new(), kind_flag(&entry.kind));
    header.mode = entry.mode;
    header.owner = (entry.uid, entry.gid);
    header.names = (
        entry.user.as_deref().unwrap_or(""),
        entry.group.as_deref().unwrap_or(""),
    );
    header.modified = (entry.modified_secs, entry.modified_nanos);
    header.xattrs = &entry.xattrs;
    header.size = entry.stored_bytes();
    let mut map = Vec::new();
    match &entry.kind {
        EntryKind::Directory => path.push(b'/'),
        EntryKind::Symlink { target } => header.link.clone_from(target),
        EntryKind::HardLink { target } => header.link = full_path(part, target),
        EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
            header.device = Some((*major, *minor));
        }
        EntryKind::File { data: Some(ranges) } => {
            map = sparse_map(ranges, entry.size);
            header.size += map.len() as u64;
            header.sparse_size = Some(entry.size);
        }
        EntryKind::File { data: None } | EntryKind::Fifo => {}
    }
    header.path = path;
    let mut bytes = header.bytes();
    bytes.extend_from_slice(&map);
    bytes
}

/// The header of a folder that the archive makes itself.
pub(crate) fn plain_folder(part: &str, path: &EntryPath, modified: i64) -> Vec<u8> {
    let mut name = full_path(part, path);
    name.push(b'/');
    let mut header = Header::new(name, b'5');
    header.mode = 0o700;
    header.modified = (modified, 0);
    header.bytes()
}

/// The header of a file that the archive makes itself: owner-readable, no owner's name.
pub(crate) fn plain_file(name: &[u8], size: u64, modified: i64) -> Vec<u8> {
    let mut header = Header::new(name.to_vec(), b'0');
    header.mode = 0o600;
    header.modified = (modified, 0);
    header.size = size;
    header.bytes()
}

/// The name in the tar of an entry of a part.
pub(crate) fn full_path(part: &str, path: &EntryPath) -> Vec<u8> {
    let mut bytes = part.as_bytes().to_vec();
    if !path.is_root() {
        bytes.push(b'/');
        bytes.extend_from_slice(path.as_bytes());
    }
    bytes
}

fn kind_flag(kind: &EntryKind) -> u8 {
    match kind {
        EntryKind::File { .. } => b'0',
        EntryKind::HardLink { .. } => b'1',
        EntryKind::Symlink { .. } => b'2',
        EntryKind::CharDevice { .. } => b'3',
        EntryKind::BlockDevice { .. } => b'4',
        EntryKind::Directory => b'5',
        EntryKind::Fifo => b'6',
    }
}

/// The map at the head of a GNU.sparse 1.0 file: how many ranges, then each one's offset and length, as decimal lines,
/// filled up to a block.
fn sparse_map(ranges: &[(u64, u64)], size: u64) -> Vec<u8> {
    // GNU tar learns the length of a file that ends in a hole from an empty range at its end.
    let ends_in_hole = ranges.last().is_none_or(|(offset, length)| offset + length < size);
    let end = ends_in_hole.then_some((size, 0));
    let mut map = format!("{}\n", ranges.len() + usize::from(ends_in_hole));
    for (offset, length) in ranges.iter().copied().chain(end) {
        for number in [offset, length] {
            map.push_str(&number.to_string());
            map.push('\n');
        }
    }
    let mut map = map.into_bytes();
    map.resize(map.len().next_multiple_of(BLOCK), 0);
    map
}

struct Header<'a> {
    path: Vec<u8>,
    link: Vec<u8>,
    flag: u8,
    mode: u32,
    owner: (u32, u32),
    names: (&'a str, &'a str),
    size: u64,
    modified: (i64, u32),
    device: Option<(u32, u32)>,
    xattrs: &'a [(Vec<u8>, Vec<u8>)],
    sparse_size: Option<u64>,
}

impl Header<'_> {
    fn new(path: Vec<u8>, flag: u8) -> Self {
        Self {
            path,
            link: Vec::new(),
            flag,
            mode: 0,
            owner: (0, 0),
            names: ("", ""),
            size: 0,
            modified: (0, 0),
            device: None,
            xattrs: &[],
            sparse_size: None,
        }
    }

    /// The header block, after a pax header where something does not fit into it.
    fn bytes(&self) -> Vec<u8> {
        let mut pax = Pax::default();
        let mut block = [0; BLOCK];
        let mut path = self.path.clone();
        if let Some(size) = self.sparse_size {
            pax.add(b"GNU.sparse.major", b"1");
            pax.add(b"GNU.sparse.minor", b"0");
            pax.add(b"GNU.sparse.name", &self.path);
            pax.add(b"GNU.sparse.realsize", size.to_string().as_bytes());
            // Programs that do not know sparse files show this name instead of a wrong file.
            path = [b"GNUSparseFile.0/", self.path.as_slice()].concat();
            text(&mut block[0..100], &path);
        } else if !text(&mut block[0..100], &path) {
            pax.add(b"path", &path);
        }
        octal(&mut block[100..108], u64::from(self.mode));
        for (key, field, value) in [(b"uid", 108, self.owner.0), (b"gid", 116, self.owner.1)] {
            if !octal(&mut block[field..field + 8], u64::from(value)) {
                pax.add(key, value.to_string().as_bytes());
            }
        }
        if !octal(&mut block[124..136], self.size) {
            pax.add(b"size", self.size.to_string().as_bytes());
        }
        let (secs, nanos) = self.modified;
        if nanos != 0 || !u64::try_from(secs).is_ok_and(|secs| octal(&mut block[136..148], secs)) {
            octal(&mut block[136..148], u64::try_from(secs).unwrap_or(0));
            pax.add(b"mtime", seconds(secs, nanos).as_bytes());
        }
        block[156] = self.flag;
        if !text(&mut block[157..257], &self.link) {
            pax.add(b"linkpath", &self.link);
        }
        block[257..265].copy_from_slice(b"ustar\x0000");
        // A name takes at most 31 bytes and a NUL.
        for (key, field, name) in [(b"uname", 265, self.names.0), (b"gname", 297, self.names.1)] {
            if !text(&mut block[field..field + 31], name.as_bytes()) {
                pax.add(key, name.as_bytes());
            }
        }
        if let Some((major, minor)) = self.device {
            if !octal(&mut block[329..337], u64::from(major)) {
                pax.add(b"SCHILY.devmajor", major.to_string().as_bytes());
            }
            if !octal(&mut block[337..345], u64::from(minor)) {
                pax.add(b"SCHILY.devminor", minor.to_string().as_bytes());
            }
        }
        for (name, value) in self.xattrs {
            pax.add(&xattr_key(name), value);
        }
        checksum(&mut block);
        let mut bytes = pax.into_blocks();
        bytes.extend_from_slice(&block);
        bytes
    }
}

/// The keyword of an extended attribute; `=` and `%` are escaped as GNU tar does it, since `=` ends a keyword.
fn xattr_key(name: &[u8]) -> Vec<u8> {
    let mut key = b"SCHILY.xattr.".to_vec();
    for byte in name {
        match byte {
            b'%' => key.extend_from_slice(b"%25"),
            b'=' => key.extend_from_slice(b"%3D"),
            _ => key.push(*byte),
        }
    }
    key
}

/// A time as decimal seconds with a fraction.
fn seconds(secs: i64, nanos: u32) -> String {
    let (secs, nanos, sign) = match (secs, nanos) {
        (secs, 0) => return secs.to_string(),
        // -1.25 s is stored as -2 s and 750 ms.
        (secs, nanos) if secs < 0 => (-(secs + 1), 1_000_000_000 - nanos, "-"),
        (secs, nanos) => (secs, nanos, ""),
    };
    let text = format!("{sign}{secs}.{nanos:09}");
    text.trim_end_matches('0').to_owned()
}

/// Puts text into a field. `false` where it is too long or not ASCII: then what is there is for old programs only.
fn text(field: &mut [u8], bytes: &[u8]) -> bool {
    for (target, byte) in field.iter_mut().zip(bytes) {
        *target = if byte.is_ascii() { *byte } else { b'_' };
    }
    bytes.len() <= field.len() && bytes.is_ascii()
}

/// Puts a number into a field, in octal with a NUL. `false` where it does not fit: then the field says 0.
fn octal(field: &mut [u8], value: u64) -> bool {
    let digits = field.len() - 1;
    let fits = value >> (3 * digits).min(63) == 0;
    let text = format!("{:0digits$o}", if fits { value } else { 0 });
    field[..digits].copy_from_slice(text.as_bytes());
    fits
}

fn checksum(block: &mut [u8; BLOCK]) {
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    octal(&mut block[148..155], sum);
}

/// Sets the size field of the header block at the end of `headers`.
pub(crate) fn set_size(headers: &mut [u8], size: u64) {
    if let Some(block) = headers.last_chunk_mut::<BLOCK>() {
        octal(&mut block[124..136], size);
        checksum(block);
    }
}

/// The records of a pax extended header.
#[derive(Default)]
struct Pax(Vec<u8>);

impl Pax {
    /// `LENGTH KEY=VALUE\n`, where the length counts itself.
    fn add(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        self.0.extend_from_slice(length.to_string().as_bytes());
        self.0.push(b' ');
        self.0.extend_from_slice(key);
        self.0.push(b'=');
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }

    fn into_blocks(self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut header = Header::new(b"././@PaxHeader".to_vec(), b'x');
        header.mode = 0o644;
        header.size = self.0.len() as u64;
        let mut bytes = header.bytes();
        bytes.extend_from_slice(&self.0);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pax_records_length_counts_itself() {
        for length in [1, 80, 88, 89, 90, 91, 980, 990, 991, 992, 9980] {
            let mut pax = Pax::default();
            pax.add(b"path", &vec![b'x'; length]);
            let digits: String = pax
                .0
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .map(|b| *b as char)
                .collect();
            assert_eq!(digits.parse::<usize>().unwrap(), pax.0.len());
        }
    }

    #[test]
    fn times_are_decimal_seconds() {
        assert_eq!(seconds(5, 0), "5");
        assert_eq!(seconds(5, 120_000_000), "5.12");
        assert_eq!(seconds(-2, 750_000_000), "-1.25");
        assert_eq!(seconds(-1, 1), "-0.999999999");
        assert_eq!(seconds(-7, 0), "-7");
    }

    #[test]
    fn numbers_that_do_not_fit_are_reported() {
        let mut field = [0; 8];
        assert!(octal(&mut field, 0o7_777_777) && &field == b"7777777\0");
        assert!(!octal(&mut field, 0o10_000_000));
        let mut size = [0; 12];
        assert!(octal(&mut size, (8 << 30) - 1) && !octal(&mut size, 8 << 30));
    }
}
