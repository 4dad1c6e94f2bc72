//! What an administrator wants to see first.

use backup_core::JobStatus;
use backup_core::list::BackupSummary;
use backup_core::usage::{ConfigUsage, StatusOverview, StorageUsage};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable};

use crate::backups::summaries;
use crate::error::TxResult;
use crate::schema::{backup_counts, backup_schedules, backups};
use crate::store::Tx;
use crate::types::{Time, count, time};
use crate::verbatim::verbatim;
use crate::{Error, Store};

impl Store {
    /// The newest good and the newest failed backup, the next firing, what runs, what is in use, and whether the
    /// system is paused.
    pub async fn overview(&self) -> Result<StatusOverview, Error> {
        self.read("overview", |tx| {
            let enabled: Option<String> = backup_schedules::table
                .filter(backup_schedules::is_enabled.eq(true))
                .select(backup_schedules::id)
                .first(tx.db)
                .optional()?;
            Ok(StatusOverview {
                last_successful: newest(tx, JobStatus::Completed)?,
                last_failed: newest(tx, JobStatus::Failed)?,
                is_auto_backup_enabled: enabled.is_some(),
                next_scheduled: crate::firings::next_firing_at(tx)?,
                active_backups: totals(tx, JobStatus::InProgress)?.0,
                queued_backups: totals(tx, JobStatus::Pending)?.0,
                usage: usage(tx)?,
                pause: crate::pause::current(tx)?,
            })
        })
        .await
    }

    /// What the good backups take up.
    pub async fn usage(&self) -> Result<StorageUsage, Error> {
        self.read("usage", usage).await
    }

    /// What the good backups of each configuration take up, by key; one without any is left out.
    pub async fn usage_by_config(&self) -> Result<Vec<ConfigUsage>, Error> {
        self.read("usage_by_config", |tx| {
            let rows: Vec<(String, Option<i64>, Option<i64>)> = backup_counts::table
                .filter(backup_counts::status.eq(JobStatus::Completed.as_str()))
                .filter(backup_counts::backups.gt(0))
                .group_by(backup_counts::config_key)
                .order(backup_counts::config_key.asc())
                .select((
                    backup_counts::config_key,
                    verbatim::<Nullable<BigInt>>("CAST(SUM(backups) AS BIGINT)"),
                    verbatim::<Nullable<BigInt>>("CAST(SUM(size_bytes) AS BIGINT)"),
                ))
                .load(tx.db)?;
            Ok(rows
                .into_iter()
                .map(|(config_key, backups, bytes)| ConfigUsage {
                    config_key,
                    total_size_bytes: count(bytes.unwrap_or(0)),
                    backup_count: count(backups.unwrap_or(0)),
                })
                .collect())
        })
        .await
    }
}

/// The backup that ended last in this way. One that is made of another holds nothing newer than that one, by whose time it
/// counts where that one is gone.
fn newest(tx: &mut Tx<'_>, status: JobStatus) -> TxResult<Option<BackupSummary>> {
    let ended: Option<(String, Option<Time>)> = backups::table
        .filter(backups::status.eq(status.as_str()))
        .filter(backups::completed_at.is_not_null())
        .filter(verbatim::<Bool>("NOT deleting AND consolidated_from IS NULL"))
        .order((backups::completed_at.desc(), backups::id.desc()))
        .select((backups::id, backups::completed_at))
        .first(tx.db)
        .optional()?;
    let made: Option<(String, Time)> = backups::table
        .filter(backups::status.eq(status.as_str()))
        .filter(verbatim::<Bool>("NOT deleting AND consolidated_from IS NOT NULL"))
        .order((backups::created_at.desc(), backups::id.desc()))
        .select((backups::id, backups::created_at))
        .first(tx.db)
        .optional()?;
    let (ended, at) = ended.unzip();
    let id = match made {
        Some((id, of)) if at.flatten().is_none_or(|at| at.0 < of.0) => Some(id),
        _ => ended,
    };
    let Some(id) = id else { return Ok(None) };
    Ok(summaries(tx, &[id])?.pop())
}

/// How many backups of this state there are, and how many bytes they store.
fn totals(tx: &mut Tx<'_>, status: JobStatus) -> TxResult<(u64, u64)> {
    let (backups, bytes): (Option<i64>, Option<i64>) = backup_counts::table
        .filter(backup_counts::status.eq(status.as_str()))
        .select((
            verbatim::<Nullable<BigInt>>("CAST(SUM(backups) AS BIGINT)"),
            verbatim::<Nullable<BigInt>>("CAST(SUM(size_bytes) AS BIGINT)"),
        ))
        .get_result(tx.db)?;
    Ok((count(backups.unwrap_or(0)), count(bytes.unwrap_or(0))))
}

pub(crate) fn usage(tx: &mut Tx<'_>) -> TxResult<StorageUsage> {
    let (backup_count, total_size_bytes) = totals(tx, JobStatus::Completed)?;
    let good = || {
        backups::table
            .filter(backups::status.eq(JobStatus::Completed.as_str()))
            .filter(backups::deleting.eq(false))
            .select(backups::created_at)
    };
    let oldest: Option<Time> = good()
        .order((backups::created_at.asc(), backups::id.asc()))
        .first(tx.db)
        .optional()?;
    let newest: Option<Time> = good()
        .order((backups::created_at.desc(), backups::id.desc()))
        .first(tx.db)
        .optional()?;
    Ok(StorageUsage {
        total_size_bytes,
        backup_count,
        oldest_backup: time(oldest),
        newest_backup: time(newest),
    })
}
