//! What stands in an archive: files of every kind a tree can hold, as bytes and metadata.

use std::fmt;

/// A path inside a part of an archive: raw bytes (names need not be UTF-8), components joined by `/`, relative, without
/// empty, `.` or `..` components and without NUL. The empty path is the part's own root folder.
///
/// Paths order component by component, so that a folder comes directly before what it holds.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntryPath(Vec<u8>);

/// The bytes cannot be a path inside an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{path}' cannot be a path in an archive: {reason}")]
pub struct InvalidPath {
    path: String,
    reason: &'static str,
}

impl EntryPath {
    /// The root of a part.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Takes bytes as a path, refusing every form that could lead out of a target folder.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, InvalidPath> {
        let bytes = bytes.into();
        let refuse = |reason| InvalidPath {
            path: String::from_utf8_lossy(&bytes).into_owned(),
            reason,
        };
        if bytes.contains(&0) {
            return Err(refuse("it holds a NUL byte"));
        }
        if !bytes.is_empty() {
            for component in bytes.split(|byte| *byte == b'/') {
                match component {
                    b"" => return Err(refuse("it is absolute or has an empty component")),
                    b"." | b".." => return Err(refuse("it has a '.' or '..' component")),
                    _ => {}
                }
            }
        }
        Ok(Self(bytes))
    }

    /// The path's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the part's root folder.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// This path with one more component or relative path under it.
    pub fn join(&self, below: &[u8]) -> Result<Self, InvalidPath> {
        if self.is_root() {
            return Self::new(below);
        }
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + below.len());
        bytes.extend_from_slice(&self.0);
        bytes.push(b'/');
        bytes.extend_from_slice(below);
        Self::new(bytes)
    }

    /// The components, outermost first.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0
            .split(|byte| *byte == b'/')
            .filter(|component| !component.is_empty())
    }

    /// Whether `self` is `other` or lies under it.
    pub fn is_under(&self, other: &Self) -> bool {
        other.is_root()
            || self
                .0
                .strip_prefix(other.0.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }
}

impl Ord for EntryPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.components().cmp(other.components())
    }
}

impl PartialOrd for EntryPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The path for people: bytes that are not UTF-8 as `\xNN`.
impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryPath({self})")
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file of [`Entry::size`] bytes. `data` names the ranges `(offset, length)` that hold data where the file
    /// is sparse, ascending and not touching; everything else is a hole. `None`: no holes.
    File {
        /// Ranges of data of a sparse file.
        data: Option<Vec<(u64, u64)>>,
    },
    /// A folder.
    Directory,
    /// A symbolic link to these bytes, kept as they are.
    Symlink {
        /// Where it points.
        target: Vec<u8>,
    },
    /// Another name of a file that came earlier in the same part.
    HardLink {
        /// The earlier entry.
        target: EntryPath,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// One thing in an archive, with its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands in its part.
    pub path: EntryPath,
    /// What it is.
    pub kind: EntryKind,
    /// Length in bytes of a regular file, holes included; 0 for every other kind.
    pub size: u64,
    /// Permission bits with setuid, setgid and sticky (`0o7777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Owner's name where it was known.
    pub user: Option<String>,
    /// Group's name where it was known.
    pub group: Option<String>,
    /// Last modification, whole seconds since 1970, may be negative.
    pub modified_secs: i64,
    /// Last modification, nanoseconds in the second (`0..1_000_000_000`).
    pub modified_nanos: u32,
    /// Extended attributes (name, value), ACLs among them, sorted by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// A plain file of `size` bytes, readable by its owner only: for what a source writes itself.
    pub fn plain_file(path: EntryPath, size: u64, modified_secs: i64) -> Self {
        Self {
            path,
            kind: EntryKind::File { data: None },
            size,
            mode: 0o600,
            uid: 0,
            gid: 0,
            user: None,
            group: None,
            modified_secs,
            modified_nanos: 0,
            xattrs: Vec::new(),
        }
    }

    /// How many bytes of content are stored for it: its size, or for a sparse file the sum of its data ranges.
    pub fn stored_bytes(&self) -> u64 {
        match &self.kind {
            EntryKind::File { data: Some(ranges) } => ranges.iter().map(|(_, length)| length).sum(),
            EntryKind::File { data: None } => self.size,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leads_out() {
        for bad in ["/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a/.", "a\0b"] {
            assert!(EntryPath::new(bad).is_err(), "{bad:?}");
        }
        for good in ["", "a", "a/b", "..a/b..", " ", "a\\b"] {
            assert!(EntryPath::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_folder_comes_directly_before_what_it_holds() {
        let mut paths: Vec<EntryPath> = ["a.b", "a/x", "a", "a-b", "", "a/x/y"]
            .iter()
            .map(|p| EntryPath::new(*p).unwrap())
            .collect();
        paths.sort();
        let order: Vec<String> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(order, ["", "a", "a/x", "a/x/y", "a-b", "a.b"]);
    }

    #[test]
    fn names_that_are_not_utf8_are_shown_escaped() {
        assert_eq!(EntryPath::new(b"a\xff/b".to_vec()).unwrap().to_string(), "a\\xff/b");
    }
}
