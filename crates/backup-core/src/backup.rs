//! A backup: one restore point of the database, the files and the configuration.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::contents::{BackupContents, Warning};
use crate::{BackupId, JobStatus, ScheduleId, Step, UserId, text_enum};

text_enum! {
    /// How much of the data a backup stores itself.
    pub enum BackupType {
        /// Everything; stands alone.
        Full => "FULL",
        /// What changed since the newest good backup.
        Incremental => "INCREMENTAL",
        /// What changed since the newest good full backup.
        Differential => "DIFFERENTIAL",
    }
}

text_enum! {
    /// What a backup saves.
    pub enum BackupSource {
        /// The database.
        Database => "DATABASE",
        /// The uploaded files.
        Files => "FILES",
        /// The configuration.
        Config => "CONFIG",
        /// All of them, as one restore point.
        FullSystem => "FULL_SYSTEM",
    }
}

impl BackupSource {
    /// Whether a backup of this source holds the database.
    pub const fn has_database(self) -> bool {
        matches!(self, Self::Database | Self::FullSystem)
    }

    /// Whether a backup of this source holds the uploaded files.
    pub const fn has_files(self) -> bool {
        matches!(self, Self::Files | Self::FullSystem)
    }

    /// Whether a backup of this source holds the configuration.
    pub const fn has_config(self) -> bool {
        matches!(self, Self::Config | Self::FullSystem)
    }
}

text_enum! {
    /// Why a backup was made.
    pub enum BackupTrigger {
        /// A schedule fired.
        Scheduled => "SCHEDULED",
        /// Somebody asked for it.
        Manual => "MANUAL",
        /// For safety, before a restore replaces something.
        PreRestore => "PRE_RESTORE",
    }
}

text_enum! {
    /// How thoroughly a backup is checked; each level includes the ones before.
    pub enum VerifyLevel {
        /// The stored bytes are the ones that were written.
        Checksum => "CHECKSUM",
        /// They decrypt and inflate, and every chunk is what was read from the source.
        Content => "CONTENT",
        /// A restore into a scratch place gives what the backup recorded.
        Restore => "RESTORE",
    }
}

/// A backup as the catalog knows it. The row is also the job that makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    /// Its identifier.
    pub id: BackupId,
    /// The named configuration it belongs to; `default` where there is one only.
    pub config_key: String,
    /// A generated name, `backup-SOURCE-TYPE-TIME`.
    pub name: String,
    /// What the person who made it says of it.
    pub description: Option<String>,
    /// How much of the data it stores itself.
    pub backup_type: BackupType,
    /// What it saves.
    pub source: BackupSource,
    /// Why it was made.
    pub trigger: BackupTrigger,
    /// Where the job stands.
    pub status: JobStatus,
    /// Percent, 0 to 100.
    pub progress: u8,
    /// What the job is doing.
    pub current_step: Step,
    /// Why it failed, with what to do.
    pub error_message: Option<String>,
    /// Path of the stored file, from the moment the job starts to write it.
    pub storage_path: Option<String>,
    /// Bytes stored.
    pub size_bytes: Option<u64>,
    /// Bytes read from the sources.
    pub source_bytes: Option<u64>,
    /// SHA-256 of the stored file, lower-case hex.
    pub checksum: Option<String>,
    /// Which key opens it; `None`: none is needed, or it is not known. As long as it is being made, and where that failed: which
    /// key it is made with.
    pub key_fingerprint: Option<String>,
    /// What it holds.
    pub contents: Option<BackupContents>,
    /// Remarks made while it was taken.
    pub warnings: Vec<Warning>,
    /// The backup it builds on; `None` for a full one.
    pub base_id: Option<BackupId>,
    /// The backup that it is made of, where it is a FULL one made of a chain: what it holds is of that one's point in time.
    /// That one may be gone by now.
    pub consolidated_from: Option<BackupId>,
    /// Never expired nor deleted while this is set.
    pub protected: bool,
    /// When it was last verified.
    pub verified_at: Option<DateTime<Utc>>,
    /// How thoroughly.
    pub verify_level: Option<VerifyLevel>,
    /// What the last verification found wrong, or the storage was found to lack, of it or of one that it builds on; `None`:
    /// nothing.
    pub verify_error: Option<String>,
    /// When a worker first took it up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, well or not.
    pub completed_at: Option<DateTime<Utc>>,
    /// When retention may remove it.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was asked for; of one that is made of another, when that one was: by it backups are ordered and grow old.
    pub created_at: DateTime<Utc>,
    /// Who asked for it; `None`: the system.
    pub created_by: Option<UserId>,
    /// The schedule that fired, where one did.
    pub schedule_id: Option<ScheduleId>,
    /// How often a worker has taken it up.
    pub attempts: u32,
    /// Somebody asked for it to stop and the worker has not yet obeyed.
    pub cancel_requested: bool,
    /// It is being deleted: storage first, then this row.
    pub deleting: bool,
}

/// What is asked for when a backup is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBackup {
    /// Its identifier.
    pub id: BackupId,
    /// The named configuration.
    pub config_key: String,
    /// How much to store.
    pub backup_type: BackupType,
    /// What to save.
    pub source: BackupSource,
    /// Why.
    pub trigger: BackupTrigger,
    /// What the person says of it.
    pub description: Option<String>,
    /// Who asks; `None`: the system.
    pub created_by: Option<UserId>,
    /// The schedule that fired.
    pub schedule_id: Option<ScheduleId>,
}

/// The generated name of a backup: `backup-full_system-full-2026-11-23T02-00-00` (UTC). One that is made FULL though another
/// type was asked for is named anew when it is made.
pub fn backup_name(source: BackupSource, backup_type: BackupType, created_at: DateTime<Utc>) -> String {
    format!(
        "backup-{}-{}-{}",
        source.as_str().to_ascii_lowercase(),
        backup_type.as_str().to_ascii_lowercase(),
        created_at.format("%Y-%m-%dT%H-%M-%S")
    )
}

/// The name of a FULL backup that is made of one of this name, source, type and time: a generated name says so, any other
/// stays.
pub fn full_name(name: &str, source: BackupSource, made_of: BackupType, created_at: DateTime<Utc>) -> String {
    if name == backup_name(source, made_of, created_at) {
        return backup_name(source, BackupType::Full, created_at);
    }
    name.to_owned()
}

/// The parts of a backup that a verification or a restore may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parts {
    /// The database.
    pub database: bool,
    /// The uploaded files.
    pub files: bool,
    /// The configuration.
    pub config: bool,
}

impl Parts {
    /// Every part.
    pub const ALL: Self = Self {
        database: true,
        files: true,
        config: true,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_full_is_named_so_and_keeps_a_name_of_its_own() {
        let at = DateTime::UNIX_EPOCH;
        let (source, made_of) = (BackupSource::Files, BackupType::Incremental);
        let name = backup_name(source, made_of, at);
        assert_eq!(name, "backup-files-incremental-1970-01-01T00-00-00");
        let full = full_name(&name, source, made_of, at);
        assert_eq!(full, "backup-files-full-1970-01-01T00-00-00");
        for own in ["before the incremental-import", &full] {
            assert_eq!(full_name(own, source, made_of, at), own);
        }
    }
}
