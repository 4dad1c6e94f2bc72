//! What a restore would do, and why it would be refused: made before anything changes, and shown.

use serde::{Deserialize, Serialize};

use super::RestoreMode;
use crate::{BackupId, PipelineError, text_enum};

text_enum! {
    /// A part of a backup.
    pub enum RestorePart {
        /// The database.
        Database => "DATABASE",
        /// The uploaded files.
        Files => "FILES",
        /// The configuration.
        Config => "CONFIG",
    }
}

text_enum! {
    /// Why a restore is refused, for programs.
    pub enum RefusalCode {
        /// The backup holds nothing of what was asked for.
        NotInBackup => "NOT_IN_BACKUP",
        /// The place is not empty, and is not to be replaced.
        TargetNotEmpty => "TARGET_NOT_EMPTY",
        /// The place cannot be reached or looked at.
        TargetUnreachable => "TARGET_UNREACHABLE",
        /// The user has not the rights.
        NotPermitted => "NOT_PERMITTED",
        /// The server is older than the one the backup was made from.
        ServerOlder => "SERVER_OLDER",
        /// A program is missing, or older than the one that made the backup.
        ProgramOlder => "PROGRAM_OLDER",
        /// The server lacks extensions.
        ExtensionsMissing => "EXTENSIONS_MISSING",
        /// The server lacks roles.
        RolesMissing => "ROLES_MISSING",
        /// The server lacks a locale by which values are read.
        LocaleMissing => "LOCALE_MISSING",
        /// There is not enough room.
        NoSpace => "NO_SPACE",
        /// The place cannot be exchanged as a whole.
        NotReplaceable => "NOT_REPLACEABLE",
        /// What is to be replaced holds this system's own catalog or storage.
        HoldsThisSystem => "HOLDS_THIS_SYSTEM",
        /// What an earlier restore kept or left stands in the way.
        InTheWay => "IN_THE_WAY",
        /// The archive or one that it needs cannot be read.
        ArchiveUnreadable => "ARCHIVE_UNREADABLE",
    }
}

/// One reason against a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// For programs.
    pub code: RefusalCode,
    /// What was found.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Refusal {
    /// A reason.
    pub fn new(code: RefusalCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }
}

/// What is at the place of a part, and gives way to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replaced {
    /// Bytes that it takes up; `None`: not known without reading it whole.
    pub size_bytes: Option<u64>,
    /// Sessions with a database that will be ended.
    pub sessions: u32,
}

/// What happens to one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedPart {
    /// Which.
    pub part: RestorePart,
    /// Where to, for people.
    pub target: String,
    /// What gives way; `None`: nothing is there.
    pub replaces: Option<Replaced>,
    /// About how many bytes are written.
    pub needed_bytes: u64,
    /// Bytes that are free there; `None`: it cannot be seen from here.
    pub free_bytes: Option<u64>,
}

/// What looking at the place of one part found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPlan {
    /// What would happen.
    pub part: PlannedPart,
    /// What a person should know, one line each.
    pub warnings: Vec<String>,
    /// Why not; empty: it can be restored.
    pub refusals: Vec<Refusal>,
}

/// An archive that is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedArchive {
    /// Its backup.
    pub backup_id: BackupId,
    /// Where it stands in the storage.
    pub storage_path: String,
    /// Its bytes.
    pub size_bytes: u64,
}

/// What a restore would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestorePlan {
    /// Of which backup.
    pub backup_id: BackupId,
    /// In which mode.
    pub mode: RestoreMode,
    /// What is read.
    pub archives: Vec<PlannedArchive>,
    /// Bytes that are read from the storage, at most.
    pub read_bytes: u64,
    /// What is written, in this order.
    pub parts: Vec<PlannedPart>,
    /// Whether a PRE_RESTORE backup is made first.
    pub makes_safety_backup: bool,
    /// For how many hours what gives way is kept; `None`: nothing gives way.
    pub keeps_old_hours: Option<u32>,
    /// What a person should know, one line each.
    pub warnings: Vec<String>,
    /// Why not, all reasons; empty: it can be carried out.
    pub refusals: Vec<Refusal>,
}

impl RestorePlan {
    /// Nothing where it can be carried out.
    ///
    /// # Errors
    /// `Refused`, with all reasons.
    pub fn check(&self) -> Result<(), PipelineError> {
        let Some(first) = self.refusals.first() else {
            return Ok(());
        };
        let all: Vec<&str> = self.refusals.iter().map(|refusal| refusal.message.as_str()).collect();
        let mut hints: Vec<&str> = self.refusals.iter().map(|refusal| refusal.hint.as_str()).collect();
        hints.dedup();
        let hint = if hints.is_empty() {
            first.hint.clone()
        } else {
            hints.join(" ")
        };
        Err(PipelineError::refused(all.join("; "), hint))
    }
}
