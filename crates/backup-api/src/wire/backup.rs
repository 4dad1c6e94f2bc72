//! Backups on the wire.

mod ask;

use backup_core::list::{BackupListOptions, BackupPage, BackupSummary};
use backup_core::{BackupId, BackupSource, BackupTrigger, BackupType, JobStatus, ScheduleId, UserId, VerifyLevel};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use self::ask::{BackupQuery, CreateBackup, DeleteQuery, DownloadQuery, Protect, Verify};
use crate::language::Language;
use crate::openapi::types;
use crate::wire::contents::{ContentsBody, WarningBody};
use crate::wire::log::LogLineBody;
use crate::wire::restore::RestoreBody;
use crate::wire::step::{StepBody, step_text};

/// A backup.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Backup)]
pub(crate) struct BackupBody {
    #[schema(value_type = types::Id)]
    id: BackupId,
    /// The configuration that it was made by.
    config_key: String,
    name: String,
    description: Option<String>,
    #[serde(rename = "type")]
    #[schema(value_type = types::BackupType)]
    backup_type: BackupType,
    #[schema(value_type = types::BackupSource)]
    source: BackupSource,
    #[schema(value_type = types::BackupTrigger)]
    trigger: BackupTrigger,
    #[schema(value_type = types::JobStatus)]
    status: JobStatus,
    /// Percent.
    #[schema(maximum = 100)]
    progress: u8,
    /// What it is doing, or how it ended, in the caller's language.
    current_step: String,
    /// Why it failed, with what to do.
    error_message: Option<String>,
    /// Where the stored file is in the storage.
    storage_path: Option<String>,
    /// Bytes of the stored file.
    size_bytes: Option<u64>,
    /// Bytes that were read from the sources.
    source_bytes: Option<u64>,
    /// SHA-256 of the stored file, in hexadecimal digits.
    checksum: Option<String>,
    contents: Option<ContentsBody>,
    warnings: Vec<WarningBody>,
    /// The backup it builds on.
    #[schema(value_type = Option<types::Id>)]
    base_id: Option<BackupId>,
    /// The backup that it is made of, where it is a full one made of a chain; that one may be gone by now.
    #[schema(value_type = Option<types::Id>)]
    consolidated_from: Option<BackupId>,
    /// It is never expired nor deleted.
    protected: bool,
    /// When it was last verified.
    verified_at: Option<DateTime<Utc>>,
    #[schema(value_type = Option<types::VerifyLevel>)]
    verify_level: Option<VerifyLevel>,
    /// What the last verification found wrong, or the storage was found to lack.
    verify_error: Option<String>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    /// When it was asked for; of one that is made of another, when that one was: the time that it is of.
    created_at: DateTime<Utc>,
    /// The user who asked for it.
    #[schema(value_type = Option<types::Id>)]
    created_by: Option<UserId>,
    created_by_user: Option<UserName>,
    /// The schedule that fired.
    #[schema(value_type = Option<types::Id>)]
    schedule_id: Option<ScheduleId>,
    schedule: Option<ScheduleName>,
    /// How often a worker has taken it up.
    attempts: u32,
    /// Somebody asked for it to stop.
    cancel_requested: bool,
    /// It is being deleted.
    deleting: bool,
}

/// Who asked for it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserName {
    display_name: String,
}

impl UserName {
    pub(crate) fn new(display_name: String) -> Self {
        Self { display_name }
    }
}

/// The schedule that fired.
#[derive(Debug, Serialize, ToSchema)]
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
            contents: backup.contents.map(ContentsBody::from),
            warnings: backup.warnings.into_iter().map(WarningBody::from).collect(),
            base_id: backup.base_id,
            consolidated_from: backup.consolidated_from,
            protected: backup.protected,
            verified_at: backup.verified_at,
            verify_level: backup.verify_level,
            verify_error: backup.verify_error,
            started_at: backup.started_at,
            completed_at: backup.completed_at,
            expires_at: backup.expires_at,
            created_at: backup.created_at,
            created_by: backup.created_by,
            created_by_user: created_by_name.map(UserName::new),
            schedule_id: backup.schedule_id,
            schedule: schedule_name.map(|name| ScheduleName { name }),
            attempts: backup.attempts,
            cancel_requested: backup.cancel_requested,
            deleting: backup.deleting,
        }
    }
}

/// One backup.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupAnswer {
    pub(crate) backup: BackupBody,
}

/// A backup that was asked for, or asked to stop.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupAccepted {
    pub(crate) backup: BackupBody,
    /// In the caller's language.
    pub(crate) message: String,
}

/// One backup with what hangs together with it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupDetailsAnswer {
    pub(crate) backup: BackupDetails,
}

/// One backup with what hangs together with it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupDetails {
    #[serde(flatten)]
    pub(crate) backup: BackupBody,
    /// The newest restores of it, at most five.
    pub(crate) restores: Vec<RestoreBody>,
    /// The backup it builds on.
    pub(crate) base: Option<BackupBody>,
    /// All that it builds on and needs to be restored: its base first, the full backup last.
    pub(crate) bases: Vec<BackupBody>,
    /// The backups that build on it.
    pub(crate) dependents: Vec<BackupBody>,
    /// What its last attempt did, one after the other.
    pub(crate) steps: Vec<StepBody>,
    /// What its attempts did, line by line; of very many lines the middle is left out, which a line says.
    pub(crate) log: Vec<LogLineBody>,
}

/// A page of the list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupList)]
pub(crate) struct BackupListBody {
    backups: Vec<BackupBody>,
    /// How many there are on all pages.
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
