//! A restore: bringing a backup, or parts of it, back.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{BackupId, JobStatus, RestoreId, Step, UserId, VerificationId, VerifyLevel, Warning, text_enum};

mod plan;
mod replacement;

pub use plan::{PlannedArchive, PlannedPart, Refusal, RefusalCode, Replaced, RestorePart, RestorePlan, TargetPlan};
pub use replacement::{FolderIdentity, ReplacedDatabase, ReplacedFolder, Replacement, ReplacementStage};

/// For how many hours what gives way in mode REPLACE is kept, where nobody says.
pub const KEEP_OLD_HOURS: u32 = 72;

text_enum! {
    /// What happens to what is there.
    pub enum RestoreMode {
        /// The target is new or empty; nothing is replaced.
        New => "NEW",
        /// The target is replaced once the restored state stands whole beside it.
        Replace => "REPLACE",
    }
}

text_enum! {
    /// What a restore's job does.
    pub enum RestoreAction {
        /// Restores.
        Restore => "RESTORE",
        /// Puts back what an earlier restore replaced.
        RollBack => "ROLL_BACK",
        /// Removes what an earlier restore replaced.
        Discard => "DISCARD",
    }
}

/// What is asked for when a restore is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreOptions {
    /// Restore the database.
    pub restore_database: bool,
    /// Restore the uploaded files.
    pub restore_files: bool,
    /// Restore the configuration.
    pub restore_config: bool,
    /// Database to restore into.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target_database: Option<String>,
    /// Folder to restore into.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target_dir: Option<String>,
    /// What happens to what is there.
    pub mode: RestoreMode,
    /// Only these paths of the files, as the contents show them; empty: all.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Only these tables of the database; empty: all.
    #[serde(default)]
    pub tables: Vec<String>,
    /// Make a PRE_RESTORE backup first where something is replaced.
    pub safety_backup: bool,
    /// Restore the database without owners and grants.
    #[serde(default)]
    pub skip_owner: bool,
    /// Restore everything into the database's own tablespace.
    #[serde(default)]
    pub skip_tablespaces: bool,
    /// For how many hours what gives way in mode REPLACE is kept: at least 1.
    #[serde(default = "keep_old_hours")]
    pub keep_old_hours: u32,
}

fn keep_old_hours() -> u32 {
    KEEP_OLD_HOURS
}

/// A restore as the catalog knows it. The row is also the job.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoreRecord {
    /// Its identifier.
    pub id: RestoreId,
    /// The backup that is restored.
    pub backup_id: BackupId,
    /// What the job does.
    pub action: RestoreAction,
    /// The restore whose replacement it ends, where it does not restore.
    pub of_restore_id: Option<RestoreId>,
    /// The named configuration of the backup; empty for restores from before this was recorded.
    pub config_key: String,
    /// The PRE_RESTORE backup that was made for it.
    pub safety_backup_id: Option<BackupId>,
    /// What it puts where, once that is known; `None` where nothing is made beside what is there.
    pub replacement: Option<Replacement>,
    /// Remarks made while it ran.
    pub warnings: Vec<Warning>,
    /// Where the job stands.
    pub status: JobStatus,
    /// Percent, 0 to 100.
    pub progress: u8,
    /// What the job is doing.
    pub current_step: Step,
    /// Why it failed, with what to do.
    pub error_message: Option<String>,
    /// What was asked for.
    pub options: RestoreOptions,
    /// When a worker first took it up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Who asked for it.
    pub created_by: Option<UserId>,
    /// What that person is called.
    pub created_by_name: Option<String>,
    /// How often a worker has taken it up.
    pub attempts: u32,
    /// Somebody asked for it to stop.
    pub cancel_requested: bool,
}

/// A verification as the catalog knows it. The row is also the job; its result goes to the backup.
#[derive(Debug, Clone, PartialEq)]
pub struct VerificationRecord {
    /// Its identifier.
    pub id: VerificationId,
    /// The backup that is checked.
    pub backup_id: BackupId,
    /// How thoroughly.
    pub level: VerifyLevel,
    /// Where the job stands. COMPLETED: the check ran to its end, whatever it found.
    pub status: JobStatus,
    /// Percent, 0 to 100.
    pub progress: u8,
    /// What the job is doing.
    pub current_step: Step,
    /// What was found wrong, or why it could not run to its end.
    pub error_message: Option<String>,
    /// When a worker first took it up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Who asked for it.
    pub created_by: Option<UserId>,
    /// How often a worker has taken it up.
    pub attempts: u32,
    /// Somebody asked for it to stop.
    pub cancel_requested: bool,
}
