//! The receipt: the small readable file beside an archive that says the backup exists, whole, and how to open it.
//! With the passphrase and the receipts, and no catalog, everything can be listed, verified and restored.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::contents::{BackupContents, Warning};
use crate::{BackupId, BackupSource, BackupTrigger, BackupType, JobStatus, ScheduleId, text_enum};

text_enum! {
    /// How the tar stream is compressed.
    pub enum Codec {
        /// Gzip members (RFC 1952).
        Gzip => "gzip",
        /// Zstandard frames (RFC 8878).
        Zstd => "zstd",
        /// Gzip members of stored blocks: no compression, and the same tools open it.
        None => "none",
    }
}

impl Codec {
    /// The end of an archive's file name: the contract's `.tar.gz` or `.tar.zst`, and `.enc` where it is encrypted.
    pub const fn extension(self, encrypted: bool) -> &'static str {
        match (self, encrypted) {
            (Self::Zstd, true) => "tar.zst.enc",
            (Self::Zstd, false) => "tar.zst",
            (Self::Gzip | Self::None, true) => "tar.gz.enc",
            (Self::Gzip | Self::None, false) => "tar.gz",
        }
    }
}

/// What the archive's writer knows of the file when it is closed: all that a reader needs to trust it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveSeal {
    /// Version of the archive format.
    pub format_version: u32,
    /// How it is compressed.
    pub codec: Codec,
    /// Whether it is AES-256-CBC under the archive key.
    pub encrypted: bool,
    /// Which key: a fingerprint, which tells nothing of the key itself. Lower-case hex.
    pub key_fingerprint: String,
    /// Bytes of the stored file.
    pub size_bytes: u64,
    /// SHA-256 of the stored file, lower-case hex.
    pub sha256: String,
    /// HMAC-SHA256 of the stored file, lower-case hex.
    pub hmac: String,
    /// HMAC-SHA256 of the index's root, lower-case hex.
    pub index_hmac: String,
    /// Bytes of the tar stream inside.
    pub tar_bytes: u64,
}

/// The receipt of a backup. Its JSON is canonical enough to be authenticated: `mac` is over the same JSON with `mac`
/// empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Version of the receipt's form.
    pub version: u32,
    /// The backup.
    pub id: BackupId,
    /// Its name.
    pub name: String,
    /// What its maker said of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// The named configuration it belongs to.
    pub config_key: String,
    /// How much of the data it stores itself.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// What it saves.
    pub source: BackupSource,
    /// Why it was made.
    pub trigger: BackupTrigger,
    /// Always COMPLETED: a backup exists when its receipt does.
    pub status: JobStatus,
    /// Bytes stored.
    pub size_bytes: u64,
    /// Bytes read from the sources.
    pub source_bytes: u64,
    /// SHA-256 of the stored file, lower-case hex.
    pub checksum: String,
    /// When it was asked for; of one that is made of another, when that one was.
    pub created_at: DateTime<Utc>,
    /// When the worker took it up.
    pub started_at: DateTime<Utc>,
    /// When the archive was committed.
    pub completed_at: DateTime<Utc>,
    /// Path of the archive in the storage.
    pub storage_path: String,
    /// The backup it builds on.
    pub base_id: Option<BackupId>,
    /// The backup that it is made of, where it is a FULL one made of a chain.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consolidated_from: Option<BackupId>,
    /// The schedule that fired, where one did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub schedule_id: Option<ScheduleId>,
    /// What it holds.
    pub contents: BackupContents,
    /// Remarks made while it was taken.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// How to open and trust the archive.
    pub archive: ArchiveSeal,
    /// HMAC-SHA256 of this receipt with `mac` empty, lower-case hex.
    pub mac: String,
}

/// The receipt form that this version writes.
pub const RECEIPT_VERSION: u32 = 1;

/// Path of a backup's archive: `YYYY/MM-DD/ID.EXTENSION` by the UTC date of its start.
pub fn archive_path(id: BackupId, started_at: DateTime<Utc>, codec: Codec, encrypted: bool) -> String {
    format!("{}/{id}.{}", started_at.format("%Y/%m-%d"), codec.extension(encrypted))
}

/// Path of a backup's receipt, beside its archive.
pub fn receipt_path(id: BackupId, started_at: DateTime<Utc>) -> String {
    format!("{}/{id}.json", started_at.format("%Y/%m-%d"))
}
