//! Backups on the wire.

use backup_core::config::DEFAULT_CONFIG_KEY;
use backup_core::list::{BackupListOptions, BackupPage, BackupSummary};
use backup_core::{
    BackupContents, BackupId, BackupSource, BackupTrigger, BackupType, JobStatus, ScheduleId, UserId, VerifyLevel,
    Warning,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::error::ApiResult;
use crate::http::body::{Fields, FromFields};
use crate::language::Language;
use crate::wire::restore::RestoreBody;
use crate::wire::step_text;

/// A backup.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupBody {
    id: BackupId,
    config_key: String,
    name: String,
    description: Option<String>,
    #[serde(rename = "type")]
    backup_type: BackupType,
    source: BackupSource,
    trigger: BackupTrigger,
    status: JobStatus,
    progress: u8,
    current_step: String,
    error_message: Option<String>,
    storage_path: Option<String>,
    size_bytes: Option<u64>,
    source_bytes: Option<u64>,
    checksum: Option<String>,
    contents: Option<BackupContents>,
    warnings: Vec<Warning>,
    base_id: Option<BackupId>,
    protected: bool,
    verified_at: Option<DateTime<Utc>>,
    verify_level: Option<VerifyLevel>,
    verify_error: Option<String>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    created_by: Option<UserId>,
    created_by_user: Option<UserName>,
    schedule_id: Option<ScheduleId>,
    schedule: Option<ScheduleName>,
    attempts: u32,
    cancel_requested: bool,
    deleting: bool,
}

/// Who asked for it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserName {
    display_name: String,
}

/// The schedule that fired.
#[derive(Debug, Serialize)]
struct ScheduleName {
    name: String,
}

impl BackupBody {
    pub(crate) fn new(summary: BackupSummary, language: Language) -> Self {
        let BackupSummary {
            backup,
            created_by_name,
            schedule_name,
        } = summary;
        Self {
            current_step: step_text(language, "step", backup.status, backup.current_step),
            id: backup.id,
            config_key: backup.config_key,
            name: backup.name,
            description: backup.description,
            backup_type: backup.backup_type,
            source: backup.source,
            trigger: backup.trigger,
            status: backup.status,
            progress: backup.progress,
            error_message: backup.error_message,
            storage_path: backup.storage_path,
            size_bytes: backup.size_bytes,
            source_bytes: backup.source_bytes,
            checksum: backup.checksum,
            contents: backup.contents,
            warnings: backup.warnings,
            base_id: backup.base_id,
            protected: backup.protected,
            verified_at: backup.verified_at,
            verify_level: backup.verify_level,
            verify_error: backup.verify_error,
            started_at: backup.started_at,
            completed_at: backup.completed_at,
            expires_at: backup.expires_at,
            created_at: backup.created_at,
            created_by: backup.created_by,
            created_by_user: created_by_name.map(|display_name| UserName { display_name }),
            schedule_id: backup.schedule_id,
            schedule: schedule_name.map(|name| ScheduleName { name }),
            attempts: backup.attempts,
            cancel_requested: backup.cancel_requested,
            deleting: backup.deleting,
        }
    }
}

/// One backup with what hangs together with it.
#[derive(Debug, Serialize)]
pub(crate) struct BackupDetails {
    #[serde(flatten)]
    pub(crate) backup: BackupBody,
    /// The newest restores of it.
    pub(crate) restores: Vec<RestoreBody>,
    /// The backup it builds on.
    pub(crate) base: Option<BackupBody>,
    /// The backups that build on it.
    pub(crate) dependents: Vec<BackupBody>,
}

/// A page of the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupListBody {
    backups: Vec<BackupBody>,
    total: u64,
    /// `false`: the search has more hits than it counts and shows.
    total_is_exact: bool,
    limit: u32,
    offset: u64,
}

impl BackupListBody {
    pub(crate) fn new(page: BackupPage, options: &BackupListOptions, language: Language) -> Self {
        Self {
            backups: page
                .backups
                .into_iter()
                .map(|summary| BackupBody::new(summary, language))
                .collect(),
            total: page.total,
            total_is_exact: page.total_is_exact,
            limit: options.limit,
            offset: options.offset,
        }
    }
}

/// What POST asks for.
#[derive(Debug)]
pub(crate) struct CreateBackup {
    pub(crate) backup_type: BackupType,
    pub(crate) source: BackupSource,
    pub(crate) description: Option<String>,
    pub(crate) config_key: String,
}

impl FromFields for CreateBackup {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        Ok(Self {
            backup_type: fields.take("type", "invalid_backup_type")?.unwrap_or(BackupType::Full),
            source: fields
                .take("source", "invalid_backup_source")?
                .unwrap_or(BackupSource::FullSystem),
            description: fields.text("description", 2000)?,
            config_key: fields
                .text("configKey", 50)?
                .unwrap_or_else(|| DEFAULT_CONFIG_KEY.to_owned()),
        })
    }
}

/// Whether the backup is to be protected.
#[derive(Debug)]
pub(crate) struct Protect {
    pub(crate) protected: bool,
}

impl FromFields for Protect {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        Ok(Self {
            protected: fields.require("protected", "field_invalid")?,
        })
    }
}

/// How thoroughly the backup is to be verified.
#[derive(Debug)]
pub(crate) struct Verify {
    pub(crate) level: VerifyLevel,
}

impl FromFields for Verify {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        Ok(Self {
            level: fields
                .take("level", "invalid_verify_level")?
                .unwrap_or(VerifyLevel::Content),
        })
    }
}
