//! Progress of a backup: the specification's ranges, exact to the byte inside each.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::text_enum;

text_enum! {
    /// What a job is doing. Stored as a code; the API says it in the caller's language.
    pub enum Step {
        /// Waits for a worker.
        Queued => "QUEUED",
        /// Reads what there is to do.
        Preparing => "PREPARING",
        /// Saves or restores the database (backup: 10 to 40 %).
        Database => "DATABASE",
        /// Saves or restores the files (backup: 40 to 70 %).
        Files => "FILES",
        /// Saves or restores the configuration (backup: 70 to 80 %).
        Config => "CONFIG",
        /// Closes the archive (80 %).
        Archive => "ARCHIVE",
        /// Waits for the storage to take the last bytes and commits (90 %).
        Upload => "UPLOAD",
        /// Reads an archive back to check it.
        Verify => "VERIFY",
        /// Done (100 %), or ended otherwise.
        Finished => "FINISHED",
    }
}

/// When a job began a step. It lasts until the next one begins, or until the job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepStart {
    /// The step.
    pub step: Step,
    /// When it began.
    pub at: DateTime<Utc>,
}

impl Step {
    /// The range of percent that the step covers in a backup: from its first to the next step's first.
    pub const fn range(self) -> (u8, u8) {
        match self {
            Self::Queued => (0, 0),
            Self::Preparing => (0, 10),
            Self::Database => (10, 40),
            Self::Files => (40, 70),
            Self::Config => (70, 80),
            Self::Archive => (80, 90),
            Self::Upload => (90, 100),
            Self::Verify => (0, 100),
            Self::Finished => (100, 100),
        }
    }

    /// Percent when `done` of `total` bytes of this step are through. It stays below the next step's first percent until
    /// that step begins, even where the total was an estimate and too small.
    pub fn percent(self, done: u64, total: u64) -> u8 {
        let (from, to) = self.range();
        if total == 0 || to == from {
            return from;
        }
        let width = u128::from(to - from);
        let share = width * u128::from(done.min(total)) / u128::from(total);
        from + u8::try_from(share.min(width - 1)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_stays_in_the_steps_range() {
        assert_eq!(Step::Database.percent(0, 100), 10);
        assert_eq!(Step::Database.percent(50, 100), 25);
        assert_eq!(Step::Database.percent(100, 100), 39);
        assert_eq!(Step::Database.percent(900, 100), 39);
        assert_eq!(Step::Files.percent(u64::MAX - 1, u64::MAX), 69);
        assert_eq!(Step::Config.percent(0, 0), 70);
    }
}
