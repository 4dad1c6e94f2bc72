//! Lists of backups: filters, order, page.

use chrono::{DateTime, Utc};

use crate::{Backup, BackupSource, BackupTrigger, BackupType, JobStatus, ScheduleId, text_enum};

text_enum! {
    /// What a list of backups is ordered by.
    pub enum SortBy {
        /// When it was asked for.
        CreatedAt => "createdAt",
        /// When it ended; the ones that have not come last.
        CompletedAt => "completedAt",
        /// Bytes stored; the ones that store none come last.
        SizeBytes => "sizeBytes",
    }
}

text_enum! {
    /// Which end comes first.
    pub enum SortOrder {
        /// Smallest or oldest first.
        Asc => "asc",
        /// Largest or newest first.
        Desc => "desc",
    }
}

/// Which backups, in which order, how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupListOptions {
    /// Only this state.
    pub status: Option<JobStatus>,
    /// Only this type.
    pub backup_type: Option<BackupType>,
    /// Only this source.
    pub source: Option<BackupSource>,
    /// Only this trigger.
    pub trigger: Option<BackupTrigger>,
    /// Only this configuration's.
    pub config_key: Option<String>,
    /// Only this schedule's.
    pub schedule_id: Option<ScheduleId>,
    /// Asked for at or after.
    pub date_from: Option<DateTime<Utc>>,
    /// Asked for at or before.
    pub date_to: Option<DateTime<Utc>>,
    /// Name, description or id contains this, whatever its case. Such a list shows its first [`Self::MAX_HITS`] hits.
    pub query: Option<String>,
    /// How many, 1 to [`Self::MAX_LIMIT`].
    pub limit: u32,
    /// How many to pass over.
    pub offset: u64,
    /// Ordered by.
    pub sort_by: SortBy,
    /// Which end first.
    pub sort_order: SortOrder,
}

impl BackupListOptions {
    /// How many a page holds at the most.
    pub const MAX_LIMIT: u32 = 200;

    /// How many hits a search counts and shows; who needs those behind them narrows the search.
    pub const MAX_HITS: u64 = 200;
}

impl Default for BackupListOptions {
    fn default() -> Self {
        Self {
            status: None,
            backup_type: None,
            source: None,
            trigger: None,
            config_key: None,
            schedule_id: None,
            date_from: None,
            date_to: None,
            query: None,
            limit: 20,
            offset: 0,
            sort_by: SortBy::CreatedAt,
            sort_order: SortOrder::Desc,
        }
    }
}

/// A backup with the names of what it refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupSummary {
    /// The backup.
    pub backup: Backup,
    /// Display name of who asked for it.
    pub created_by_name: Option<String>,
    /// Name of the schedule that fired.
    pub schedule_name: Option<String>,
}

/// One page of backups.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupPage {
    /// The page.
    pub backups: Vec<BackupSummary>,
    /// How many there are on all pages.
    pub total: u64,
    /// `false`: a search has more hits than `total`, and shows only those.
    pub total_is_exact: bool,
}
