//! Which of a schedule's backups are verified by themselves.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{BackupId, VerifyLevel, text_enum};

text_enum! {
    /// Which new backups of a schedule are verified.
    pub enum VerifyWhen {
        /// None.
        Never => "NEVER",
        /// Each.
        Each => "EACH",
        /// The first of each 24 hours.
        Daily => "DAILY",
        /// The first of each seven days.
        Weekly => "WEEKLY",
        /// The first of each thirty days.
        Monthly => "MONTHLY",
        /// Some, chosen by chance.
        Sampled => "SAMPLED",
    }
}

/// How often, and how thoroughly, a schedule's new backups are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyPolicy {
    /// Which.
    pub when: VerifyWhen,
    /// How thoroughly.
    pub level: VerifyLevel,
    /// How many of a hundred, where [`VerifyWhen::Sampled`]: 1 to 100.
    pub percent: u8,
}

impl Default for VerifyPolicy {
    fn default() -> Self {
        Self {
            when: VerifyWhen::Never,
            level: VerifyLevel::Restore,
            percent: 10,
        }
    }
}

impl VerifyPolicy {
    /// Whether a backup that has just come to be is to be verified, when the last one was handed over at `last`. The same
    /// backup always gives the same answer where chance decides.
    pub fn takes(self, backup: BackupId, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        match self.when {
            VerifyWhen::Never => false,
            VerifyWhen::Each => true,
            VerifyWhen::Sampled => {
                // The last bytes of a version 7 UUID are random.
                let random = backup.as_bytes()[8..]
                    .iter()
                    .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
                random % 100 < u64::from(self.percent)
            }
            VerifyWhen::Daily | VerifyWhen::Weekly | VerifyWhen::Monthly => {
                // A last time in the future was a wrong clock's.
                last.is_none_or(|last| last > now || now - last >= self.rest())
            }
        }
    }

    /// How long it may be since a backup was found good, where the schedule makes one in that time; `None`: the policy promises
    /// nothing.
    pub fn allowed_age(self) -> Option<TimeDelta> {
        match self.when {
            VerifyWhen::Never | VerifyWhen::Sampled => None,
            // What is verified with each backup is late when the next ones are, which other alerts tell.
            VerifyWhen::Each => Some(TimeDelta::days(2)),
            _ => self.interval().map(|interval| interval * 3 / 2),
        }
    }

    /// How long after one verification was handed over no other is. A little less than the interval: the backup whose turn it is
    /// may end earlier than the last one did, or come after the 28 days of a February.
    pub(super) fn rest(self) -> TimeDelta {
        let interval = self.interval().unwrap_or_default();
        interval - interval / SLACK
    }

    fn interval(self) -> Option<TimeDelta> {
        match self.when {
            VerifyWhen::Daily => Some(TimeDelta::days(1)),
            VerifyWhen::Weekly => Some(TimeDelta::days(7)),
            VerifyWhen::Monthly => Some(TimeDelta::days(30)),
            VerifyWhen::Never | VerifyWhen::Each | VerifyWhen::Sampled => None,
        }
    }
}

/// Which part of the interval it is less.
const SLACK: i32 = 8;

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(last: u64) -> BackupId {
        BackupId::from(Uuid::from_u64_pair(0x0193_a1de_0000_7000, last))
    }

    #[test]
    fn a_weekly_drill_takes_the_first_backup_of_each_week() {
        let policy = VerifyPolicy {
            when: VerifyWhen::Weekly,
            ..VerifyPolicy::default()
        };
        let monday: DateTime<Utc> = "2026-11-02T03:00:00Z".parse().unwrap();
        let mut last = None;
        let mut taken = Vec::new();
        for day in 0..21 {
            // Each night's backup ends some minutes earlier than the one before.
            let now = monday + TimeDelta::days(day) - TimeDelta::minutes(day);
            if policy.takes(id(1), last, now) {
                last = Some(now);
                taken.push(day);
            }
        }
        assert_eq!(taken, [0, 7, 14]);
        assert!(
            policy.takes(id(1), Some(monday + TimeDelta::days(900)), monday),
            "a wrong clock"
        );
        assert_eq!(VerifyPolicy::default().allowed_age(), None);
        assert_eq!(policy.allowed_age(), Some(TimeDelta::hours(252)));
    }

    #[test]
    fn what_comes_a_little_early_is_taken_and_what_comes_before_its_turn_is_not() {
        let now: DateTime<Utc> = "2026-03-01T03:00:00Z".parse().unwrap();
        for (when, hours, is_taken) in [
            (VerifyWhen::Monthly, 28 * 24, true),
            (VerifyWhen::Monthly, 26 * 24, false),
            (VerifyWhen::Weekly, 6 * 24 + 22, true),
            (VerifyWhen::Weekly, 6 * 24, false),
            (VerifyWhen::Daily, 22, true),
            (VerifyWhen::Daily, 20, false),
        ] {
            let policy = VerifyPolicy {
                when,
                ..VerifyPolicy::default()
            };
            let last = Some(now - TimeDelta::hours(hours));
            assert_eq!(policy.takes(id(1), last, now), is_taken, "{when} after {hours} hours");
        }
    }

    #[test]
    fn a_sample_takes_about_its_share() {
        let policy = VerifyPolicy {
            when: VerifyWhen::Sampled,
            percent: 20,
            ..VerifyPolicy::default()
        };
        let now = DateTime::UNIX_EPOCH;
        let taken = (0..10_000_u64)
            .filter(|n| policy.takes(id(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)), None, now))
            .count();
        assert!((1_700..2_300).contains(&taken), "{taken}");
        let all = VerifyPolicy { percent: 100, ..policy };
        assert!((0..100).all(|n| all.takes(id(n), None, now)));
    }
}
