//! A restore's plan, and what a restore replaced, on the wire.

use backup_core::BackupId;
use backup_core::restore::{
    PlannedArchive, PlannedPart, Refusal, RefusalCode, Replacement, ReplacementStage, RestoreMode, RestorePart,
    RestorePlan,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::types;

/// What a restore would do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RestorePlan)]
pub(crate) struct RestorePlanBody {
    #[schema(value_type = types::Id)]
    backup_id: BackupId,
    #[schema(value_type = types::RestoreMode)]
    mode: RestoreMode,
    /// The archives that are read.
    archives: Vec<PlannedArchiveBody>,
    /// Bytes that are read from the storage, at most.
    read_bytes: u64,
    /// What is written, in this order.
    parts: Vec<PlannedPartBody>,
    /// Whether a PRE_RESTORE backup is made first.
    makes_safety_backup: bool,
    /// For how many hours what gives way is kept; null: nothing gives way.
    keeps_old_hours: Option<u32>,
    /// What a person should know, one line each.
    warnings: Vec<String>,
    /// Every reason why it would be refused; empty: it can be carried out.
    refusals: Vec<RefusalBody>,
}

/// An archive that a restore reads.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PlannedArchive)]
struct PlannedArchiveBody {
    #[schema(value_type = types::Id)]
    backup_id: BackupId,
    storage_path: String,
    size_bytes: u64,
}

/// What happens to one part.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PlannedPart)]
struct PlannedPartBody {
    #[schema(value_type = types::RestorePart)]
    part: RestorePart,
    /// Where to, for people.
    target: String,
    /// What is there and gives way; null: nothing.
    replaces: Option<ReplacedBody>,
    /// About how many bytes are written.
    needed_bytes: u64,
    /// Bytes that are free there; null: it cannot be seen from here.
    free_bytes: Option<u64>,
}

/// What gives way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Replaced)]
struct ReplacedBody {
    /// Bytes that it takes up; null: not known without reading it whole.
    size_bytes: Option<u64>,
    /// Sessions with the database that will be ended.
    sessions: u32,
}

/// One reason against a restore.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RestoreRefusal)]
struct RefusalBody {
    #[schema(value_type = types::RefusalCode)]
    code: RefusalCode,
    /// What was found.
    message: String,
    /// What to do.
    hint: String,
}

/// A restore's plan.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestorePlanAnswer {
    pub(crate) plan: RestorePlanBody,
}

impl From<RestorePlan> for RestorePlanBody {
    fn from(plan: RestorePlan) -> Self {
        Self {
            backup_id: plan.backup_id,
            mode: plan.mode,
            archives: plan.archives.into_iter().map(Into::into).collect(),
            read_bytes: plan.read_bytes,
            parts: plan.parts.into_iter().map(Into::into).collect(),
            makes_safety_backup: plan.makes_safety_backup,
            keeps_old_hours: plan.keeps_old_hours,
            warnings: plan.warnings,
            refusals: plan.refusals.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<PlannedArchive> for PlannedArchiveBody {
    fn from(archive: PlannedArchive) -> Self {
        Self {
            backup_id: archive.backup_id,
            storage_path: archive.storage_path,
            size_bytes: archive.size_bytes,
        }
    }
}

impl From<PlannedPart> for PlannedPartBody {
    fn from(part: PlannedPart) -> Self {
        Self {
            part: part.part,
            target: part.target,
            replaces: part.replaces.map(|replaced| ReplacedBody {
                size_bytes: replaced.size_bytes,
                sessions: replaced.sessions,
            }),
            needed_bytes: part.needed_bytes,
            free_bytes: part.free_bytes,
        }
    }
}

impl From<Refusal> for RefusalBody {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.code,
            message: refusal.message,
            hint: refusal.hint,
        }
    }
}

/// What a restore made beside what was in use, and what it keeps.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Replacement)]
pub(crate) struct ReplacementBody {
    #[schema(value_type = types::ReplacementStage)]
    stage: ReplacementStage,
    /// What the database that was replaced is called.
    old_database: Option<String>,
    /// Where the folder that was replaced is.
    old_dir: Option<String>,
    /// Until when both are kept; null: they are not.
    kept_until: Option<DateTime<Utc>>,
}

impl From<Replacement> for ReplacementBody {
    fn from(replacement: Replacement) -> Self {
        let keeps = replacement.kept_until.is_some();
        let database = replacement.database.filter(|names| keeps && names.had_live);
        let files = replacement.files.filter(|names| keeps && names.had_live);
        Self {
            stage: replacement.stage,
            old_database: database.map(|names| names.old),
            old_dir: files.map(|names| names.beside),
            kept_until: replacement.kept_until,
        }
    }
}
