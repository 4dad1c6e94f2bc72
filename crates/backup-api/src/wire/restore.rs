//! Restores and verifications on the wire.

use backup_core::restore::{
    KEEP_OLD_HOURS, RestoreAction, RestoreMode, RestoreOptions, RestoreRecord, VerificationRecord,
};
use backup_core::{BackupId, JobStatus, RestoreId, UserId, VerificationId, VerifyLevel};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, ApiResult};
use crate::http::body::{Fields, FromFields};
use crate::http::params::{FromParams, Params};
use crate::language::Language;
use crate::openapi::types;
use crate::wire::backup::UserName;
use crate::wire::contents::WarningBody;
use crate::wire::log::LogLineBody;
use crate::wire::step::{StepBody, step_text};

mod plan;

use plan::ReplacementBody;
pub(crate) use plan::RestorePlanAnswer;

/// A restore.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Restore)]
pub(crate) struct RestoreBody {
    #[schema(value_type = types::Id)]
    id: RestoreId,
    #[schema(value_type = types::Id)]
    backup_id: BackupId,
    #[schema(value_type = types::RestoreAction)]
    action: RestoreAction,
    /// The restore whose replacement it ends, where it does not restore.
    #[schema(value_type = Option<types::Id>)]
    of_restore_id: Option<RestoreId>,
    /// The PRE_RESTORE backup that was made for it.
    #[schema(value_type = Option<types::Id>)]
    safety_backup_id: Option<BackupId>,
    /// What it made beside what was in use, and what it keeps; null: nothing.
    replacement: Option<ReplacementBody>,
    /// Remarks made while it ran.
    warnings: Vec<WarningBody>,
    #[schema(value_type = types::JobStatus)]
    status: JobStatus,
    /// Percent.
    #[schema(maximum = 100)]
    progress: u8,
    /// What it is doing, or how it ended, in the caller's language.
    current_step: String,
    /// Why it failed, with what to do.
    error_message: Option<String>,
    /// As in the options.
    restore_database: bool,
    /// As in the options.
    restore_files: bool,
    /// As in the options.
    restore_config: bool,
    options: RestoreOptionsBody,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// The user who asked for it.
    #[schema(value_type = Option<types::Id>)]
    created_by: Option<UserId>,
    created_by_user: Option<UserName>,
    /// How often a worker has taken it up.
    attempts: u32,
    /// Somebody asked for it to stop.
    cancel_requested: bool,
}

/// What was asked for when the restore was created.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RestoreOptions)]
struct RestoreOptionsBody {
    restore_database: bool,
    restore_files: bool,
    restore_config: bool,
    /// The database that is restored into.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_database: Option<String>,
    /// The folder that is restored into.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_dir: Option<String>,
    #[schema(value_type = types::RestoreMode)]
    mode: RestoreMode,
    /// Only these paths of the files, as the contents show them; empty: all.
    paths: Vec<String>,
    /// Only these tables of the database; empty: all.
    tables: Vec<String>,
    /// Make a PRE_RESTORE backup first where something is replaced.
    safety_backup: bool,
    /// Restore the database without owners and grants.
    skip_owner: bool,
    /// Restore everything into the database's own tablespace.
    skip_tablespaces: bool,
    /// For how many hours what gives way in mode REPLACE is kept.
    keep_old_hours: u32,
}

impl From<RestoreOptions> for RestoreOptionsBody {
    fn from(options: RestoreOptions) -> Self {
        Self {
            restore_database: options.restore_database,
            restore_files: options.restore_files,
            restore_config: options.restore_config,
            target_database: options.target_database,
            target_dir: options.target_dir,
            mode: options.mode,
            paths: options.paths,
            tables: options.tables,
            safety_backup: options.safety_backup,
            skip_owner: options.skip_owner,
            skip_tablespaces: options.skip_tablespaces,
            keep_old_hours: options.keep_old_hours,
        }
    }
}

impl RestoreBody {
    pub(crate) fn new(restore: RestoreRecord, language: Language) -> Self {
        Self {
            current_step: step_text(language, "restore_step", restore.status, restore.current_step),
            id: restore.id,
            backup_id: restore.backup_id,
            action: restore.action,
            of_restore_id: restore.of_restore_id,
            safety_backup_id: restore.safety_backup_id,
            replacement: restore.replacement.map(Into::into),
            warnings: restore.warnings.into_iter().map(Into::into).collect(),
            status: restore.status,
            progress: restore.progress,
            error_message: restore.error_message,
            restore_database: restore.options.restore_database,
            restore_files: restore.options.restore_files,
            restore_config: restore.options.restore_config,
            options: restore.options.into(),
            started_at: restore.started_at,
            completed_at: restore.completed_at,
            created_at: restore.created_at,
            created_by: restore.created_by,
            created_by_user: restore.created_by_name.map(UserName::new),
            attempts: restore.attempts,
            cancel_requested: restore.cancel_requested,
        }
    }
}

/// One restore.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestoreAnswer {
    pub(crate) restore: RestoreDetails,
}

/// One restore with what it did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestoreDetails {
    #[serde(flatten)]
    pub(crate) restore: RestoreBody,
    /// What its last attempt did, one after the other.
    pub(crate) steps: Vec<StepBody>,
    /// What its attempts did, line by line; of very many lines the middle is left out, which a line says.
    pub(crate) log: Vec<LogLineBody>,
}

/// A restore that was asked for, or asked to stop.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestoreAccepted {
    pub(crate) restore: RestoreBody,
    /// In the caller's language.
    pub(crate) message: String,
}

/// A page of the restores.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RestoreList)]
pub(crate) struct RestoreListBody {
    pub(crate) restores: Vec<RestoreBody>,
    /// How many there are on all pages.
    pub(crate) total: u64,
    pub(crate) limit: u32,
    pub(crate) offset: u64,
}

/// Which page of a list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 20)]
    pub(crate) limit: u32,
    /// How many to pass over.
    #[param(value_type = Option<u64>, maximum = 9_223_372_036_854_775_807_i64, default = 0)]
    pub(crate) offset: u64,
}

impl FromParams for Page {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        Ok(Self {
            limit: params.number("limit", 1, 200, 20)? as u32,
            offset: params.number("offset", 0, i64::MAX as u64, 0)?,
        })
    }
}

/// A verification that was asked for; its result goes to the backup.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Verification)]
pub(crate) struct VerificationBody {
    #[schema(value_type = types::Id)]
    id: VerificationId,
    #[schema(value_type = types::Id)]
    backup_id: BackupId,
    #[schema(value_type = types::VerifyLevel)]
    level: VerifyLevel,
    #[schema(value_type = types::JobStatus)]
    status: JobStatus,
    /// Percent.
    #[schema(maximum = 100)]
    progress: u8,
    created_at: DateTime<Utc>,
}

/// A verification that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerificationAccepted {
    pub(crate) verification: VerificationBody,
    /// In the caller's language.
    pub(crate) message: String,
}

impl From<VerificationRecord> for VerificationBody {
    fn from(record: VerificationRecord) -> Self {
        Self {
            id: record.id,
            backup_id: record.backup_id,
            level: record.level,
            status: record.status,
            progress: record.progress,
            created_at: record.created_at,
        }
    }
}

/// A restore to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct CreateRestore {
    /// Restore the database, where the backup has it.
    #[schema(value_type = Option<bool>, default = true)]
    restore_database: bool,
    /// Restore the uploaded files, where the backup has them.
    #[schema(value_type = Option<bool>, default = true)]
    restore_files: bool,
    /// Restore the configuration, where the backup has it.
    #[schema(value_type = Option<bool>, default = true)]
    restore_config: bool,
    /// The database to restore into; needed in mode NEW. In mode REPLACE the configuration's, where it is not given.
    #[schema(max_length = 63)]
    target_database: Option<String>,
    /// The absolute path of the folder to restore into; needed in mode NEW. In mode REPLACE the configuration's, where it is
    /// not given.
    #[schema(max_length = 4096)]
    target_dir: Option<String>,
    #[schema(value_type = types::RestoreMode)]
    mode: RestoreMode,
    /// Only these paths of the files, as the contents show them (`files/a/b`), in mode NEW; none: all.
    #[schema(value_type = Option<Vec<String>>, max_items = 1000, min_length = 1, max_length = 4096)]
    paths: Vec<String>,
    /// Only these tables of the database, as `schema.name`, in mode NEW; none: all.
    #[schema(value_type = Option<Vec<String>>, max_items = 1000, min_length = 1, max_length = 127)]
    tables: Vec<String>,
    /// Make a PRE_RESTORE backup first where something is replaced.
    #[schema(value_type = Option<bool>, default = true)]
    safety_backup: bool,
    /// Restore the database without owners and grants, where the server lacks the roles.
    #[schema(value_type = Option<bool>, default = false)]
    skip_owner: bool,
    /// Restore everything into the database's own tablespace, where the server lacks the others.
    #[schema(value_type = Option<bool>, default = false)]
    skip_tablespaces: bool,
    /// For how many hours what gives way in mode REPLACE is kept, to be rolled back to.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 720, default = 72)]
    keep_old_hours: u32,
}

impl From<CreateRestore> for RestoreOptions {
    fn from(asked: CreateRestore) -> Self {
        Self {
            restore_database: asked.restore_database,
            restore_files: asked.restore_files,
            restore_config: asked.restore_config,
            target_database: asked.target_database,
            target_dir: asked.target_dir,
            mode: asked.mode,
            paths: asked.paths,
            tables: asked.tables,
            safety_backup: asked.safety_backup,
            skip_owner: asked.skip_owner,
            skip_tablespaces: asked.skip_tablespaces,
            keep_old_hours: asked.keep_old_hours,
        }
    }
}

/// Bytes that Linux allows a path.
const MAX_PATH: usize = 4096;

/// Bytes that PostgreSQL allows a name.
const MAX_NAME: usize = 63;

impl FromFields for CreateRestore {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        let asked = Self {
            restore_database: fields.flag("restoreDatabase", true)?,
            restore_files: fields.flag("restoreFiles", true)?,
            restore_config: fields.flag("restoreConfig", true)?,
            target_database: fields.text("targetDatabase", MAX_NAME)?,
            target_dir: fields.text("targetDir", MAX_PATH)?,
            mode: fields.require("mode", "invalid_restore_mode")?,
            paths: fields.texts("paths", MAX_PATH)?,
            // schema.name
            tables: fields.texts("tables", 2 * MAX_NAME + 1)?,
            safety_backup: fields.flag("safetyBackup", true)?,
            skip_owner: fields.flag("skipOwner", false)?,
            skip_tablespaces: fields.flag("skipTablespaces", false)?,
            keep_old_hours: fields.number("keepOldHours", 1..=720)?.unwrap_or(KEEP_OLD_HOURS),
        };
        if !(asked.restore_database || asked.restore_files || asked.restore_config) {
            return Err(ApiError::bad_request("restore_nothing"));
        }
        Ok(asked)
    }
}
