//! Restores and verifications on the wire.

use backup_core::restore::{RestoreOptions, RestoreRecord, VerificationRecord};
use backup_core::{BackupId, JobStatus, RestoreId, UserId, VerificationId, VerifyLevel};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::error::{ApiError, ApiResult};
use crate::http::body::{Fields, FromFields};
use crate::language::Language;
use crate::wire::step_text;

/// A restore.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestoreBody {
    id: RestoreId,
    backup_id: BackupId,
    status: JobStatus,
    progress: u8,
    current_step: String,
    error_message: Option<String>,
    options: RestoreOptions,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    created_by: Option<UserId>,
    attempts: u32,
    cancel_requested: bool,
}

impl RestoreBody {
    pub(crate) fn new(restore: RestoreRecord, language: Language) -> Self {
        Self {
            current_step: step_text(language, "restore_step", restore.status, restore.current_step),
            id: restore.id,
            backup_id: restore.backup_id,
            status: restore.status,
            progress: restore.progress,
            error_message: restore.error_message,
            options: restore.options,
            started_at: restore.started_at,
            completed_at: restore.completed_at,
            created_at: restore.created_at,
            created_by: restore.created_by,
            attempts: restore.attempts,
            cancel_requested: restore.cancel_requested,
        }
    }
}

/// A page of the restores.
#[derive(Debug, Serialize)]
pub(crate) struct RestoreListBody {
    pub(crate) restores: Vec<RestoreBody>,
    pub(crate) total: u64,
    pub(crate) limit: u64,
    pub(crate) offset: u64,
}

/// A verification that was asked for; its result goes to the backup.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerificationBody {
    id: VerificationId,
    backup_id: BackupId,
    level: VerifyLevel,
    status: JobStatus,
    progress: u8,
    created_at: DateTime<Utc>,
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

/// What POST asks for.
#[derive(Debug)]
pub(crate) struct CreateRestore(pub(crate) RestoreOptions);

/// Bytes that Linux allows a path.
const MAX_PATH: usize = 4096;

/// Bytes that PostgreSQL allows a name.
const MAX_NAME: usize = 63;

impl FromFields for CreateRestore {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        let options = RestoreOptions {
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
        };
        if !(options.restore_database || options.restore_files || options.restore_config) {
            return Err(ApiError::bad_request("restore_nothing"));
        }
        Ok(Self(options))
    }
}
