//! How long backups are kept, and which of them a policy keeps. It decides only; nothing is removed here.

mod plan;

use std::ops::RangeInclusive;

pub use self::plan::{Candidate, Decision, plan};
use crate::text_enum;

/// How long the backups of a schedule are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days, 1 to 3650.
    pub retention_days: u32,
    /// How many at the most, 1 to 1000.
    pub max_backups: u32,
    /// How many hours to keep one of each.
    pub keep_hourly: Option<u32>,
    /// How many days to keep one of each.
    pub keep_daily: Option<u32>,
    /// How many weeks to keep one of each.
    pub keep_weekly: Option<u32>,
    /// How many months to keep one of each.
    pub keep_monthly: Option<u32>,
    /// How many years to keep one of each.
    pub keep_yearly: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            retention_days: 30,
            max_backups: 10,
            keep_hourly: None,
            keep_daily: None,
            keep_weekly: None,
            keep_monthly: None,
            keep_yearly: None,
        }
    }
}

text_enum! {
    /// What becomes of a backup.
    pub enum Verdict {
        /// It stays.
        Keep => "KEEP",
        /// It may be removed.
        Expire => "EXPIRE",
    }
}

text_enum! {
    /// A reason to keep a backup; `retentionDays` and `maxBackups` are also the reasons to let it expire.
    pub enum Rule {
        /// How old it is.
        RetentionDays => "retentionDays",
        /// How many newer ones there are.
        MaxBackups => "maxBackups",
        /// It is the newest of its hour.
        KeepHourly => "keepHourly",
        /// It is the newest of its day.
        KeepDaily => "keepDaily",
        /// It is the newest of its week.
        KeepWeekly => "keepWeekly",
        /// It is the newest of its month.
        KeepMonthly => "keepMonthly",
        /// It is the newest of its year.
        KeepYearly => "keepYearly",
        /// Somebody protected it.
        Protected => "protected",
        /// A backup that is kept builds on it.
        Chain => "chain",
        /// It is the newest good backup of its source.
        LastGood => "lastGood",
    }
}

/// A number of a policy is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule} must be from {least} to {greatest}, and is {value}")]
pub struct RetentionError {
    /// The number, by the rule it belongs to.
    pub rule: Rule,
    /// What it is.
    pub value: u32,
    /// The least it may be.
    pub least: u32,
    /// The greatest it may be.
    pub greatest: u32,
}

impl Retention {
    /// What `retention_days` may be.
    pub const RETENTION_DAYS: RangeInclusive<u32> = 1..=3650;
    /// What `max_backups` may be.
    pub const MAX_BACKUPS: RangeInclusive<u32> = 1..=1000;
    /// What each `keep_…` may be; 0 is the same as none.
    pub const KEEP: RangeInclusive<u32> = 0..=1000;

    /// Whether every number is in its range.
    pub fn check(&self) -> Result<(), RetentionError> {
        let check = |rule, range: RangeInclusive<u32>, value| {
            if range.contains(&value) {
                return Ok(());
            }
            Err(RetentionError {
                rule,
                value,
                least: *range.start(),
                greatest: *range.end(),
            })
        };
        check(Rule::RetentionDays, Self::RETENTION_DAYS, self.retention_days)?;
        check(Rule::MaxBackups, Self::MAX_BACKUPS, self.max_backups)?;
        for (rule, value) in self.keep() {
            check(rule, Self::KEEP, value)?;
        }
        Ok(())
    }

    /// Of how many hours, days, weeks, months and years the newest is kept.
    fn keep(&self) -> [(Rule, u32); 5] {
        [
            (Rule::KeepHourly, self.keep_hourly),
            (Rule::KeepDaily, self.keep_daily),
            (Rule::KeepWeekly, self.keep_weekly),
            (Rule::KeepMonthly, self.keep_monthly),
            (Rule::KeepYearly, self.keep_yearly),
        ]
        .map(|(rule, value)| (rule, value.unwrap_or(0)))
    }
}
