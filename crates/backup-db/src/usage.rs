//! How much the backups took up over time.

use std::time::Duration;

use backup_core::UsageId;
use backup_core::usage::{StorageUsage, UsageSample};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::overview::usage;
use crate::schema::backup_storage_usage;
use crate::store::Tx;
use crate::types::{Time, big, count, time};
use crate::{Error, Store};

impl Store {
    /// Takes a sample of the usage now and keeps it.
    pub async fn record_usage(&self, quota_bytes: Option<u64>) -> Result<UsageSample, Error> {
        self.write("record_usage", move |tx| record(tx, quota_bytes)).await
    }

    /// The same, unless the newest sample is younger than `every`; of several processes that ask at once, one takes it.
    pub async fn record_usage_if_due(
        &self,
        quota_bytes: Option<u64>,
        every: Duration,
    ) -> Result<Option<UsageSample>, Error> {
        let every = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
        self.write("record_usage_if_due", move |tx| {
            // Samples of the future are those of a clock which has been put right since.
            let newest: Option<Time> = backup_storage_usage::table
                .filter(backup_storage_usage::recorded_at.le(tx.now.naive_utc()))
                .order(backup_storage_usage::recorded_at.desc())
                .select(backup_storage_usage::recorded_at)
                .first(tx.db)
                .optional()?;
            let due = newest.is_none_or(|at| tx.now - at.0 >= every);
            if due {
                record(tx, quota_bytes).map(Some)
            } else {
                Ok(None)
            }
        })
        .await
    }

    /// The newest samples of this span of time, oldest first, at most `limit`.
    pub async fn list_usage(
        &self,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<Vec<UsageSample>, Error> {
        type Row = (Time, i64, i64, Option<Time>, Option<Time>, Option<i64>);
        self.read("list_usage", move |tx| {
            let mut query = backup_storage_usage::table
                .order((
                    backup_storage_usage::recorded_at.desc(),
                    backup_storage_usage::id.desc(),
                ))
                .limit(i64::from(limit))
                .select((
                    backup_storage_usage::recorded_at,
                    backup_storage_usage::total_size_bytes,
                    backup_storage_usage::backup_count,
                    backup_storage_usage::oldest_backup_at,
                    backup_storage_usage::newest_backup_at,
                    backup_storage_usage::quota_bytes,
                ))
                .into_boxed();
            if let Some(from) = from {
                query = query.filter(backup_storage_usage::recorded_at.ge(from.naive_utc()));
            }
            if let Some(to) = to {
                query = query.filter(backup_storage_usage::recorded_at.le(to.naive_utc()));
            }
            let rows: Vec<Row> = query.load(tx.db)?;
            Ok(rows
                .into_iter()
                .rev()
                .map(|(recorded_at, bytes, backups, oldest, newest, quota)| UsageSample {
                    recorded_at: recorded_at.0,
                    usage: StorageUsage {
                        total_size_bytes: count(bytes),
                        backup_count: count(backups),
                        oldest_backup: time(oldest),
                        newest_backup: time(newest),
                    },
                    quota_bytes: quota.map(count),
                })
                .collect())
        })
        .await
    }
}

fn record(tx: &mut Tx<'_>, quota_bytes: Option<u64>) -> TxResult<UsageSample> {
    let usage = usage(tx)?;
    let id: UsageId = tx.id()?;
    diesel::insert_into(backup_storage_usage::table)
        .values((
            backup_storage_usage::id.eq(id.to_string()),
            backup_storage_usage::recorded_at.eq(tx.now.naive_utc()),
            backup_storage_usage::total_size_bytes.eq(big(usage.total_size_bytes)),
            backup_storage_usage::backup_count.eq(big(usage.backup_count)),
            backup_storage_usage::oldest_backup_at.eq(usage.oldest_backup.map(|at| at.naive_utc())),
            backup_storage_usage::newest_backup_at.eq(usage.newest_backup.map(|at| at.naive_utc())),
            backup_storage_usage::quota_bytes.eq(quota_bytes.map(big)),
            backup_storage_usage::usage_percent.eq(usage.percent_of(quota_bytes)),
        ))
        .execute(tx.db)?;
    Ok(UsageSample {
        recorded_at: tx.now,
        usage,
        quota_bytes,
    })
}
