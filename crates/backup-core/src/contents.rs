//! What a backup holds, and what was worth a remark while it was made.

use serde::{Deserialize, Serialize};

use crate::text_enum;

/// The parts of a backup, as the list and the receipt show them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupContents {
    /// The database, where it is part of the backup.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub database: Option<DatabaseContents>,
    /// The uploaded files, where they are part of the backup.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub files: Option<FilesContents>,
    /// The configuration, where it is part of the backup.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub config: Option<ConfigContents>,
    /// Parts that a linking service brought, by their name in the archive.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty", default)]
    pub other: std::collections::BTreeMap<String, OtherContents>,
}

impl BackupContents {
    /// Bytes of all parts before compression.
    pub fn size_bytes(&self) -> u64 {
        let parts = [
            self.database.as_ref().map(|part| part.size_bytes),
            self.files.as_ref().map(|part| part.size_bytes),
            self.config.as_ref().map(|part| part.size_bytes),
        ];
        let other = self.other.values().map(|part| part.size_bytes);
        parts.into_iter().flatten().chain(other).sum()
    }
}

/// The database of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseContents {
    /// Bytes of the dump before compression.
    pub size_bytes: u64,
    /// Every table that holds rows, as `schema.name`, sorted; taken in the dump's own snapshot.
    pub tables: Vec<String>,
    /// Rows of all of them together, counted in the dump's own snapshot.
    pub row_count: u64,
    /// The server's version, as it calls itself.
    #[serde(default)]
    pub server_version: String,
}

/// The files of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilesContents {
    /// Bytes of all regular files, holes not counted.
    pub size_bytes: u64,
    /// How many regular files (hard links count as files).
    pub file_count: u64,
    /// How many entries of every kind, folders included.
    #[serde(default)]
    pub entry_count: u64,
}

/// The configuration of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigContents {
    /// Bytes of the export and of every listed file.
    pub size_bytes: u64,
    /// How many system configurations and listed files.
    pub config_count: u64,
}

/// A part that a linking service brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherContents {
    /// Bytes before compression.
    pub size_bytes: u64,
    /// How many entries.
    pub entry_count: u64,
}

text_enum! {
    /// Kinds of remarks on a backup that is good nevertheless.
    pub enum WarningCode {
        /// The file's size or time changed while it was read; what was read is in the backup.
        FileChanged => "FILE_CHANGED",
        /// The file or folder was listed and gone before it could be read.
        FileVanished => "FILE_VANISHED",
        /// A socket: it has no content to save.
        SocketSkipped => "SOCKET_SKIPPED",
        /// Another file system is mounted there or the like: not entered.
        NotEntered => "NOT_ENTERED",
        /// Two names of one file are stored as two files, since too many were open to remember.
        HardLinkSplit => "HARD_LINK_SPLIT",
        /// Extended attributes could not be read; the file's content is in the backup.
        AttributesUnreadable => "ATTRIBUTES_UNREADABLE",
        /// The server's roles and other globals could not be read with this user's rights.
        GlobalsUnreadable => "GLOBALS_UNREADABLE",
        /// More remarks were made than are kept.
        MoreWarnings => "MORE_WARNINGS",
        /// Another type was asked for, and the backup was made FULL, since it could not build on another one.
        PromotedToFull => "PROMOTED_TO_FULL",
        /// The quota has no room for it, or none for the next one.
        QuotaExceeded => "QUOTA_EXCEEDED",
        /// Anything else.
        Other => "OTHER",
    }
}

/// A remark on a backup that is good nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// What kind of remark.
    pub code: WarningCode,
    /// What it is about, where it is about one file; what is not UTF-8, controls the terminal or is a backslash is escaped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    /// One line for people.
    pub message: String,
}
