//! Percent of a job from its position. A backup's ranges stand in [`Step`]; a restore reads everything once to check it and
//! once to restore it, and a consolidation once to check it and once to write it anew.

use backup_core::Step;
use backup_db::Job;

/// What a job is, as far as its steps tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    Backup,
    /// A backup that is made of another.
    Consolidation,
    Restore,
    Verification,
}

impl From<&Job> for Course {
    fn from(job: &Job) -> Self {
        match job {
            Job::Backup(row) if row.consolidated_from.is_some() => Self::Consolidation,
            Job::Backup(_) => Self::Backup,
            Job::Restore(_) => Self::Restore,
            Job::Verification(_) => Self::Verification,
        }
    }
}

pub(crate) fn percent(course: Course, step: Step, done: u64, total: u64) -> u8 {
    let (from, to) = match (course, step) {
        (Course::Backup, _) => return step.percent(done, total),
        (_, Step::Queued | Step::Preparing) => (0, 5),
        (Course::Verification, _) => (5, 100),
        (Course::Consolidation, Step::Verify) => (5, 40),
        (Course::Consolidation, Step::Archive) => (40, 90),
        (Course::Consolidation, _) => (90, 100),
        (Course::Restore, Step::Verify) => (5, 30),
        (Course::Restore, Step::Database) => (30, 65),
        (Course::Restore, Step::Files) => (65, 95),
        (Course::Restore, _) => (95, 100),
    };
    let width: u64 = to - from;
    let share = u128::from(width) * u128::from(done.min(total)) / u128::from(total.max(1));
    // Below the next step's first percent until that step begins.
    (from + u64::try_from(share).unwrap_or(0).min(width - 1)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_job_ever_goes_back() {
        let restore = [Step::Preparing, Step::Verify, Step::Database, Step::Files, Step::Config];
        let consolidation = [Step::Preparing, Step::Verify, Step::Archive, Step::Upload];
        for (course, steps) in [
            (Course::Restore, &restore[..]),
            (Course::Consolidation, &consolidation[..]),
        ] {
            let mut last = 0;
            for step in steps {
                for done in [0, 50, 100, 500] {
                    let now = percent(course, *step, done, 100);
                    assert!(now >= last && now < 100, "{step} {done}: {now} after {last}");
                    last = now;
                }
            }
        }
    }
}
