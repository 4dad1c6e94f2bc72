//! What stands in an archive: files of every kind a tree can hold, as bytes and metadata.

mod shown;

use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use shown::Shown;

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
            path: Self::show(&bytes),
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

    /// Reads a path as `Display` shows it, so that every path that was shown can be asked for. Text without a backslash
    /// stands for itself.
    ///
    /// # Errors
    /// [`InvalidPath`] as [`Self::new`], and where a backslash begins none of the escapes.
    pub fn from_shown(text: &str) -> Result<Self, InvalidPath> {
        let bytes = shown::read(text).ok_or_else(|| InvalidPath {
            path: Self::show(text.as_bytes()),
            reason: "a backslash in it begins no escape (a backslash itself is written twice)",
        })?;
        Self::new(bytes)
    }

    /// The path as it is, where it is UTF-8. `Display` escapes; [`Self::from_shown`] reads that back.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Any name of a file, attribute or the like as text for people and logs, on one line, with nothing in it that a
    /// terminal obeys: see `Display`.
    pub fn show(name: &[u8]) -> String {
        Shown(name).to_string()
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

/// The path for people and logs, no two alike. What could forge a line or drive a terminal is escaped: a backslash as
/// `\\`, control characters and bytes that are not UTF-8 as `\xNN`, marks of line end and writing direction as
/// `\u{NNNN}`.
impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(&self.0).fmt(f)
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

impl EntryKind {
    /// Its name on the outside.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::File { .. } => "FILE",
            Self::Directory => "DIRECTORY",
            Self::Symlink { .. } => "SYMLINK",
            Self::HardLink { .. } => "HARD_LINK",
            Self::Fifo => "FIFO",
            Self::CharDevice { .. } => "CHAR_DEVICE",
            Self::BlockDevice { .. } => "BLOCK_DEVICE",
        }
    }
}

/// What changes whenever a file does, whatever is done to its modification time: by this, and by size and modification
/// time, a later backup knows without reading that a file is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    /// Its number in the file system.
    pub inode: u64,
    /// Last change of content or metadata (`ctime`), whole seconds since 1970.
    pub changed_secs: i64,
    /// Last change, nanoseconds in the second (`0..1_000_000_000`).
    pub changed_nanos: u32,
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
    /// Of a regular file that was read from a file system. It says nothing of a restored file.
    pub identity: Option<FileIdentity>,
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
            identity: None,
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

    /// Last modification; `None` where RFC 3339 cannot say it.
    pub fn modified_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.modified_secs, self.modified_nanos).filter(|at| (0..=9999).contains(&at.year()))
    }

    /// Where a link of `part` leads, as it is shown: of a symbolic link the text it holds, of a hard link the path of the
    /// file it is another name of. `None` for every other kind.
    pub fn shown_target(&self, part: &str) -> Option<String> {
        match &self.kind {
            EntryKind::Symlink { target } => Some(EntryPath::show(target)),
            EntryKind::HardLink { target } => Some(format!("{part}/{target}")),
            _ => None,
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

    #[test]
    fn a_name_forges_no_line_of_a_log_and_drives_no_terminal() {
        let cases = [
            ("a\nERROR b\r", "a\\x0aERROR b\\x0d"),
            ("\x1b[31mred\x7f\u{9b}0m", "\\x1b[31mred\\x7f\\u{009b}0m"),
            ("gpj.\u{202e}exe\u{2066}\u{2028}", "gpj.\\u{202e}exe\\u{2066}\\u{2028}"),
            ("a\\x0a", "a\\\\x0a"),
            ("größe 備份/ ~\"'", "größe 備份/ ~\"'"),
        ];
        for (name, shown) in cases {
            let path = EntryPath::new(name).unwrap();
            assert_eq!(path.to_string(), shown);
            assert_eq!(path.as_str(), Some(name));
            assert_eq!(EntryPath::show(name.as_bytes()), shown);
            let refused = EntryPath::new([name, "/.."].concat()).unwrap_err().to_string();
            assert!(refused.contains(shown), "{refused}");
        }
        assert_eq!(EntryPath::new(b"\xff".to_vec()).unwrap().as_str(), None);
    }

    #[test]
    fn what_is_shown_is_read_back() {
        let mut names: Vec<Vec<u8>> = (1..=255).map(|byte| vec![b'a', byte, b'b']).collect();
        names.extend([
            b"\\x41\\".to_vec(),
            b"\xe5\x82".to_vec(),
            "備份\u{9b}\u{202e}\u{2028}\\u{41}".into(),
            b"\xff\\\xfe/\n\\".to_vec(),
        ]);
        for name in names {
            let path = EntryPath::new(name).unwrap();
            assert_eq!(EntryPath::from_shown(&path.to_string()), Ok(path));
        }
        for wrong in [
            "\\",
            "a\\",
            "\\y",
            "\\x",
            "\\x4",
            "\\xg0",
            "\\x+1",
            "\\u{}",
            "\\u{d800}",
            "\\u{41",
            "\\u{+41}",
            // Whatever an escape stands for, it leads nowhere.
            "\\x00",
            "\\x2e\\x2e/a",
            "\\x2fa",
            "a\\x2f\\u{2e}\\u{2e}",
        ] {
            assert!(EntryPath::from_shown(wrong).is_err(), "{wrong}");
        }
    }
}
