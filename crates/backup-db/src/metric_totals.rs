//! What ever came of backups, by configuration: counts and histograms that never go down, whatever is deleted or expires.
//! They are raised in the transaction that ends a backup.
//!
//! A row says of one step of a measure how many backups lie in it and what they sum to. What is only counted has a single
//! step. A step is known by its largest number, so that rows stay true where other steps are chosen later.

use std::collections::BTreeMap;

use backup_core::config::DEFAULT_CONFIG_KEY;
use backup_core::{Backup, JobStatus};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::schema::{backup_configs, metric_totals};
use crate::store::Tx;
use crate::types::{big, count};
use crate::{Error, Store};

/// How long good backups took, in milliseconds. What is only counted goes by the text of its [`JobStatus`].
const DURATION: &str = "DURATION";
/// Bytes that good backups store.
const SIZE: &str = "SIZE";

/// From a second to eight hours. The migration that filled the table has the same steps.
const DURATION_BOUNDS: [i64; 11] = [
    1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000,
];
/// From a megabyte to a terabyte; likewise.
const SIZE_BOUNDS: [i64; 7] = [
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    100_000_000_000,
    1_000_000_000_000,
];
/// The bound of the step above all others.
const ENDLESS: i64 = i64::MAX;

/// What ever came of the backups of one configuration. No number is ever less than it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedBackups {
    /// The configuration.
    pub config_key: String,
    /// How many ended COMPLETED.
    pub completed: u64,
    /// How many ended FAILED.
    pub failed: u64,
    /// How many ended CANCELLED.
    pub cancelled: u64,
    /// How many milliseconds the COMPLETED ones took, from when they were first taken up.
    pub duration_millis: Histogram,
    /// How many bytes the COMPLETED ones store.
    pub size_bytes: Histogram,
}

/// Numbers, counted by how large they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Some bounds, the smallest first, each with how many numbers are not above it.
    pub buckets: Vec<(u64, u64)>,
    /// How many numbers there are.
    pub count: u64,
    /// What they sum to.
    pub sum: u64,
}

impl EndedBackups {
    fn none(config_key: String) -> Self {
        Self {
            config_key,
            completed: 0,
            failed: 0,
            cancelled: 0,
            duration_millis: Histogram::new(&DURATION_BOUNDS),
            size_bytes: Histogram::new(&SIZE_BOUNDS),
        }
    }

    fn add(&mut self, metric: &str, bound: i64, backups: i64, amount: i64) {
        let (bound, backups, amount) = (count(bound), count(backups), count(amount));
        match metric {
            DURATION => self.duration_millis.add(bound, backups, amount),
            SIZE => self.size_bytes.add(bound, backups, amount),
            _ if metric == JobStatus::Completed.as_str() => self.completed += backups,
            _ if metric == JobStatus::Failed.as_str() => self.failed += backups,
            // The schema knows no other.
            _ => self.cancelled += backups,
        }
    }
}

impl Histogram {
    fn new(bounds: &[i64]) -> Self {
        Self {
            buckets: bounds.iter().map(|bound| (count(*bound), 0)).collect(),
            count: 0,
            sum: 0,
        }
    }

    /// Adds so many numbers of the step up to `bound`, which sum to `sum`.
    fn add(&mut self, bound: u64, numbers: u64, sum: u64) {
        for (upper, below) in &mut self.buckets {
            if bound <= *upper {
                *below += numbers;
            }
        }
        self.count += numbers;
        self.sum = self.sum.saturating_add(sum);
    }
}

impl Store {
    /// What ever came of the backups of each configuration that there is or was, by key; of one that never had any, nothing
    /// but zeros.
    pub async fn ended_backups(&self) -> Result<Vec<EndedBackups>, Error> {
        self.read("ended_backups", |tx| {
            let mut keys: Vec<String> = backup_configs::table.select(backup_configs::key).load(tx.db)?;
            // It is always there, whether or not anybody has put it.
            keys.push(DEFAULT_CONFIG_KEY.to_owned());
            let mut all: BTreeMap<String, EndedBackups> = keys
                .into_iter()
                .map(|key| (key.clone(), EndedBackups::none(key)))
                .collect();
            let rows: Vec<(String, String, i64, i64, i64)> = metric_totals::table.load(tx.db)?;
            for (key, metric, bound, backups, amount) in rows {
                all.entry(key.clone())
                    .or_insert_with(|| EndedBackups::none(key))
                    .add(&metric, bound, backups, amount);
            }
            Ok(all.into_values().collect())
        })
        .await
    }
}

/// A backup has ended, and now is what it is given as. To be called once for each, in the transaction that ends it.
pub(crate) fn ended(tx: &mut Tx<'_>, backup: &Backup) -> TxResult<()> {
    let key = &backup.config_key;
    raise(tx, key, backup.status.as_str(), ENDLESS, 0)?;
    if backup.status != JobStatus::Completed {
        return Ok(());
    }
    if let (Some(from), Some(to)) = (backup.started_at, backup.completed_at) {
        // A clock may have been put back in between.
        let millis = (to - from).num_milliseconds().max(0);
        raise(tx, key, DURATION, step(&DURATION_BOUNDS, millis), millis)?;
    }
    if let Some(bytes) = backup.size_bytes.map(big) {
        raise(tx, key, SIZE, step(&SIZE_BOUNDS, bytes), bytes)?;
    }
    Ok(())
}

/// The step that a number lies in.
fn step(bounds: &[i64], number: i64) -> i64 {
    let mut steps = bounds.iter().copied();
    steps.find(|bound| number <= *bound).unwrap_or(ENDLESS)
}

/// One more backup in a step.
fn raise(tx: &mut Tx<'_>, config_key: &str, metric: &str, bound: i64, amount: i64) -> TxResult<()> {
    let row = metric_totals::table
        .filter(metric_totals::config_key.eq(config_key))
        .filter(metric_totals::metric.eq(metric))
        .filter(metric_totals::bound.eq(bound));
    let raised = diesel::update(row)
        .set((
            metric_totals::backups.eq(metric_totals::backups + 1i64),
            metric_totals::amount.eq(metric_totals::amount + amount),
        ))
        .execute(tx.db)?;
    if raised == 0 {
        diesel::insert_into(metric_totals::table)
            .values((
                metric_totals::config_key.eq(config_key),
                metric_totals::metric.eq(metric),
                metric_totals::bound.eq(bound),
                metric_totals::backups.eq(1i64),
                metric_totals::amount.eq(amount),
            ))
            .execute(tx.db)?;
    }
    Ok(())
}
