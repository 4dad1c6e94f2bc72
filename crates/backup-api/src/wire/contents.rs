//! What a backup holds, on the wire.

use std::collections::BTreeMap;

use backup_core::contents::{ConfigContents, DatabaseContents, FilesContents, OtherContents};
use backup_core::{BackupContents, Warning, WarningCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::types;

/// The parts of a backup.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contents)]
pub(crate) struct ContentsBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<DatabaseBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<FilesBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<ConfigBody>,
    /// Parts that a linking service brought, by their name in the archive.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    other: BTreeMap<String, OtherBody>,
}

/// The database of a backup.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DatabaseContents)]
struct DatabaseBody {
    /// Bytes of the dump before compression.
    size_bytes: u64,
    /// Every table that holds rows, as `schema.name`, sorted.
    tables: Vec<String>,
    /// Rows of all of them together.
    row_count: u64,
    server_version: String,
}

/// The files of a backup.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FilesContents)]
struct FilesBody {
    /// Bytes of all regular files, holes not counted.
    size_bytes: u64,
    /// How many regular files.
    file_count: u64,
    /// How many entries of every kind, folders included.
    entry_count: u64,
}

/// The configuration of a backup.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConfigContents)]
struct ConfigBody {
    /// Bytes of the export and of every listed file.
    size_bytes: u64,
    /// How many system configurations and listed files.
    config_count: u64,
}

/// A part that a linking service brought.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OtherContents)]
struct OtherBody {
    /// Bytes before compression.
    size_bytes: u64,
    entry_count: u64,
}

/// A remark on a backup that is good nevertheless.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Warning)]
pub(crate) struct WarningBody {
    #[schema(value_type = types::WarningCode)]
    code: WarningCode,
    /// What it is about, where it is about one file.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// One line for people.
    message: String,
}

impl From<BackupContents> for ContentsBody {
    fn from(contents: BackupContents) -> Self {
        let other = contents.other.into_iter();
        Self {
            database: contents.database.map(DatabaseBody::from),
            files: contents.files.map(FilesBody::from),
            config: contents.config.map(ConfigBody::from),
            other: other.map(|(name, part)| (name, part.into())).collect(),
        }
    }
}

impl From<DatabaseContents> for DatabaseBody {
    fn from(part: DatabaseContents) -> Self {
        Self {
            size_bytes: part.size_bytes,
            tables: part.tables,
            row_count: part.row_count,
            server_version: part.server_version,
        }
    }
}

impl From<FilesContents> for FilesBody {
    fn from(part: FilesContents) -> Self {
        Self {
            size_bytes: part.size_bytes,
            file_count: part.file_count,
            entry_count: part.entry_count,
        }
    }
}

impl From<ConfigContents> for ConfigBody {
    fn from(part: ConfigContents) -> Self {
        Self {
            size_bytes: part.size_bytes,
            config_count: part.config_count,
        }
    }
}

impl From<OtherContents> for OtherBody {
    fn from(part: OtherContents) -> Self {
        Self {
            size_bytes: part.size_bytes,
            entry_count: part.entry_count,
        }
    }
}

impl From<Warning> for WarningBody {
    fn from(warning: Warning) -> Self {
        Self {
            code: warning.code,
            path: warning.path,
            message: warning.message,
        }
    }
}
