//! What a backup holds, on the wire.

use backup_core::{Entry, EntryKind, EntryPath};
use chrono::{DateTime, Datelike, Utc};
use serde::Serialize;

/// A page of what stands in a folder of a backup.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContentsBody {
    pub(crate) entries: Vec<EntryBody>,
    /// What asks for the next page; `None` on the last one.
    pub(crate) next_cursor: Option<String>,
}

/// One thing in a backup. Names are shown as [`EntryPath`] shows them, so that a `path` or a hard link's `target` can be
/// asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EntryBody {
    path: String,
    name: String,
    kind: &'static str,
    size_bytes: u64,
    modified_at: Option<DateTime<Utc>>,
    /// Permission bits, four octal digits.
    mode: Option<String>,
    /// Of a symbolic link the text it holds, of a hard link the path of the file it is another name of.
    target: Option<String>,
}

impl EntryBody {
    pub(crate) fn new(part: &str, entry: &Entry) -> Self {
        let (kind, target) = match &entry.kind {
            EntryKind::File { .. } => ("FILE", None),
            EntryKind::Directory => ("DIRECTORY", None),
            EntryKind::Symlink { target } => ("SYMLINK", Some(EntryPath::show(target))),
            EntryKind::HardLink { target } => ("HARD_LINK", Some(format!("{part}/{target}"))),
            EntryKind::Fifo => ("FIFO", None),
            EntryKind::CharDevice { .. } => ("CHAR_DEVICE", None),
            EntryKind::BlockDevice { .. } => ("BLOCK_DEVICE", None),
        };
        Self {
            path: format!("{part}/{}", entry.path),
            name: shown_name(&entry.path),
            kind,
            size_bytes: entry.size,
            modified_at: DateTime::from_timestamp(entry.modified_secs, entry.modified_nanos)
                // What RFC 3339 can say.
                .filter(|at| (0..=9999).contains(&at.year())),
            mode: Some(format!("{:04o}", entry.mode & 0o7777)),
            target,
        }
    }

    /// A part: the folder that its source's entries stand in.
    pub(crate) fn part(name: &str) -> Self {
        Self {
            path: name.to_owned(),
            name: name.to_owned(),
            kind: "DIRECTORY",
            size_bytes: 0,
            modified_at: None,
            mode: None,
            target: None,
        }
    }
}

/// The last component of a path as it is shown.
pub(crate) fn shown_name(path: &EntryPath) -> String {
    EntryPath::show(path.components().last().unwrap_or_default())
}
