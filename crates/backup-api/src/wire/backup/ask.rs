//! What callers ask of backups: which ones, and what is to be done.

use backup_core::config::DEFAULT_CONFIG_KEY;
use backup_core::list::{BackupListOptions, SortBy, SortOrder};
use backup_core::{BackupSource, BackupTrigger, BackupType, JobStatus, ScheduleId, VerifyLevel};
use chrono::{DateTime, Utc};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiResult;
use crate::http::body::{Fields, FromFields};
use crate::http::params::{FromParams, Params};
use crate::openapi::types;

/// Which backups, in which order, how many.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct BackupQuery {
    /// Only those in this state.
    #[param(value_type = Option<types::JobStatus>)]
    status: Option<JobStatus>,
    /// Only those of this type.
    #[param(rename = "type", value_type = Option<types::BackupType>)]
    backup_type: Option<BackupType>,
    /// Only those of this source.
    #[param(value_type = Option<types::BackupSource>)]
    source: Option<BackupSource>,
    /// Only those made for this reason.
    #[param(value_type = Option<types::BackupTrigger>)]
    trigger: Option<BackupTrigger>,
    /// Only those of this configuration.
    #[param(max_length = 50)]
    config_key: Option<String>,
    /// Only those of this schedule.
    #[param(value_type = Option<types::Id>)]
    schedule_id: Option<ScheduleId>,
    /// Asked for at or after this time, or on or after this day (UTC).
    #[param(schema_with = types::moment)]
    date_from: Option<DateTime<Utc>>,
    /// Asked for at or before this time, or on or before this day (UTC).
    #[param(schema_with = types::moment)]
    date_to: Option<DateTime<Utc>>,
    /// Name, description or id contains this, whatever its case.
    #[param(max_length = 200)]
    q: Option<String>,
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 20)]
    limit: u32,
    /// How many to pass over.
    #[param(value_type = Option<u64>, maximum = 9_223_372_036_854_775_807_i64, default = 0)]
    offset: u64,
    /// What the list is ordered by.
    #[param(inline, value_type = Option<types::SortBy>, default = "createdAt")]
    sort_by: SortBy,
    /// Which end comes first.
    #[param(inline, value_type = Option<types::SortOrder>, default = "desc")]
    sort_order: SortOrder,
}

impl FromParams for BackupQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        let (date_from, date_to) = params.span("dateFrom", "dateTo")?;
        Ok(Self {
            status: params.take("status")?,
            backup_type: params.take_or("type", "invalid_backup_type")?,
            source: params.take_or("source", "invalid_backup_source")?,
            trigger: params.take("trigger")?,
            config_key: params.text("configKey", 50)?.filter(|text| !text.is_empty()),
            schedule_id: params.take_or("scheduleId", "invalid_id")?,
            date_from,
            date_to,
            q: params.text("q", 200)?.filter(|text| !text.is_empty()),
            limit: params.number("limit", 1, BackupListOptions::MAX_LIMIT.into(), 20)? as u32,
            offset: params.number("offset", 0, i64::MAX as u64, 0)?,
            sort_by: params.take("sortBy")?.unwrap_or(SortBy::CreatedAt),
            sort_order: params.take("sortOrder")?.unwrap_or(SortOrder::Desc),
        })
    }
}

impl From<BackupQuery> for BackupListOptions {
    fn from(query: BackupQuery) -> Self {
        Self {
            status: query.status,
            backup_type: query.backup_type,
            source: query.source,
            trigger: query.trigger,
            config_key: query.config_key,
            schedule_id: query.schedule_id,
            date_from: query.date_from,
            date_to: query.date_to,
            query: query.q,
            limit: query.limit,
            offset: query.offset,
            sort_by: query.sort_by,
            sort_order: query.sort_order,
        }
    }
}

/// What is deleted.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteQuery {
    /// Delete the backups that build on it too.
    #[param(value_type = Option<bool>, default = false)]
    pub(crate) cascade: bool,
}

impl FromParams for DeleteQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        Ok(Self {
            cascade: params.flag("cascade")?,
        })
    }
}

/// In which form the file comes.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DownloadQuery {
    /// The plain archive instead of the stored file.
    #[param(value_type = Option<bool>, default = false)]
    pub(crate) decrypt: bool,
    /// Of a backup that builds on others: one archive that stands alone, made as it is sent.
    #[param(value_type = Option<bool>, default = false)]
    pub(crate) full: bool,
}

impl FromParams for DownloadQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        Ok(Self {
            decrypt: params.flag("decrypt")?,
            full: params.flag("full")?,
        })
    }
}

/// A backup to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct CreateBackup {
    #[schema(rename = "type", value_type = Option<types::BackupType>, default = "FULL")]
    pub(crate) backup_type: BackupType,
    #[schema(value_type = Option<types::BackupSource>, default = "FULL_SYSTEM")]
    pub(crate) source: BackupSource,
    /// A remark for people.
    #[schema(max_length = 2000)]
    pub(crate) description: Option<String>,
    /// The configuration that says what is backed up, and where to.
    #[schema(value_type = Option<String>, max_length = 50, default = "default")]
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
#[derive(Debug, ToSchema)]
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
#[derive(Debug, ToSchema)]
pub(crate) struct Verify {
    #[schema(value_type = Option<types::VerifyLevel>, default = "CONTENT")]
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
