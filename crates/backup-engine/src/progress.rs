//! Percent of a job from its position. A backup's ranges stand in [`Step`]; a restore reads everything once to check it and
//! once to restore it.

use backup_core::Step;
use backup_db::JobKind;

pub(crate) fn percent(kind: JobKind, step: Step, done: u64, total: u64) -> u8 {
    let (from, to) = match (kind, step) {
        (JobKind::Backup, _) => return step.percent(done, total),
        (_, Step::Queued | Step::Preparing) => (0, 5),
        (JobKind::Verification, _) => (5, 100),
        (JobKind::Restore, Step::Verify) => (5, 30),
        (JobKind::Restore, Step::Database) => (30, 65),
        (JobKind::Restore, Step::Files) => (65, 95),
        (JobKind::Restore, _) => (95, 100),
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
    fn a_restore_never_goes_back() {
        let mut last = 0;
        for step in [Step::Preparing, Step::Verify, Step::Database, Step::Files, Step::Config] {
            for done in [0, 50, 100, 500] {
                let now = percent(JobKind::Restore, step, done, 100);
                assert!(now >= last && now < 100, "{step} {done}: {now} after {last}");
                last = now;
            }
        }
    }
}
