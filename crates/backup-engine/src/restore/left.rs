//! What a restore into a database or folder that was there may have left in it: it is not removed, but told.

use backup_core::PipelineError;
use backup_core::restore::{Refusal, RefusalCode, RestorePlan};

use crate::job::JobError;

/// The plan's reasons. A place that was empty when the restore was asked for may have been filled by an attempt before, whose
/// worker died.
pub(super) fn check(plan: &RestorePlan, attempts: u32) -> Result<(), PipelineError> {
    let is_filled = |refusal: &Refusal| refusal.code == RefusalCode::TargetNotEmpty;
    plan.check().map_err(|error| {
        if attempts < 2 || !plan.refusals.iter().any(is_filled) {
            return error;
        }
        PipelineError::refused(
            format!("{error}; an attempt before, which was interrupted, may have filled it"),
            "Look at what it holds; drop it or make it empty, then ask for the restore again.",
        )
        .because(error)
    })
}

/// Why it ended, with the places that may hold what was restored into them.
pub(super) fn told(error: JobError, left: &[String]) -> JobError {
    if left.is_empty() {
        return error;
    }
    let error = match error {
        JobError::Unfinished(error) | JobError::Again(error) | JobError::Failed(error) | JobError::Left(error) => error,
        JobError::LeaseLost | JobError::Stopped | JobError::Waits => PipelineError::Cancelled,
    };
    JobError::Left(
        PipelineError::failed(
            format!(
                "{error}; what was restored into {} may be there still, whole or in part",
                left.join(" and ")
            ),
            "Look at what it holds; drop it or make it empty before you ask for the restore again.",
        )
        .because(error),
    )
}

#[cfg(test)]
mod tests {
    use backup_core::restore::RestoreMode;

    use super::*;

    fn plan(code: RefusalCode) -> RestorePlan {
        RestorePlan {
            backup_id: "0193a1de-0000-7000-8000-000000000001".parse().unwrap(),
            mode: RestoreMode::New,
            archives: Vec::new(),
            read_bytes: 0,
            parts: Vec::new(),
            makes_safety_backup: false,
            keeps_old_hours: None,
            warnings: Vec::new(),
            refusals: vec![Refusal::new(code, "database \"copy\" is not empty", "Name another.")],
        }
    }

    #[test]
    fn who_tries_again_is_told_that_an_attempt_before_may_have_filled_the_place() {
        let reasons = |attempts, code| check(&plan(code), attempts).unwrap_err().to_string();
        let again = reasons(2, RefusalCode::TargetNotEmpty);
        assert!(
            again.contains("\"copy\"") && again.contains("an attempt before") && again.contains("make it empty"),
            "{again}"
        );
        for (attempts, code) in [(1, RefusalCode::TargetNotEmpty), (2, RefusalCode::NoSpace)] {
            let other = reasons(attempts, code);
            assert!(!other.contains("an attempt before"), "{other}");
        }
    }

    #[test]
    fn whatever_ended_it_what_stands_filled_is_told() {
        let left = ["database \"copy\"".to_owned()];
        for (error, why) in [
            (JobError::Stopped, "cancelled"),
            (
                JobError::Failed(PipelineError::failed("the disk is full", "")),
                "the disk",
            ),
        ] {
            let JobError::Left(error) = told(error, &left) else {
                panic!("{why} is all that is told")
            };
            let text = error.full_text();
            assert!(
                text.contains(why) && text.contains("\"copy\"") && text.contains("drop it"),
                "{text}"
            );
        }
        assert!(matches!(told(JobError::Stopped, &[]), JobError::Stopped));
    }
}
