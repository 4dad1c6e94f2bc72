//! The states of a job. Backups, restores and verifications are jobs alike: the catalog row is the job.

use crate::text_enum;

text_enum! {
    /// Where a job stands.
    pub enum JobStatus {
        /// Waits for a worker.
        Pending => "PENDING",
        /// A worker holds its lease.
        InProgress => "IN_PROGRESS",
        /// Done, and what it made is whole.
        Completed => "COMPLETED",
        /// Ended with an error; nothing half-made is left.
        Failed => "FAILED",
        /// Ended on request; nothing half-made is left.
        Cancelled => "CANCELLED",
    }
}

/// What may happen to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// A worker takes it up, for the first time or after another worker's lease ran out.
    Claim,
    /// Its lease ran out with attempts left: it waits again.
    Release,
    /// It reached its end.
    Complete,
    /// It cannot reach its end.
    Fail,
    /// Somebody asked for it to stop.
    Cancel,
}

impl JobStatus {
    /// The states that no transition leaves.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The states of a job that waits or runs.
    pub const fn is_active(self) -> bool {
        !self.is_final()
    }

    /// The state after `transition`, or `None` where that is not allowed from here.
    pub const fn after(self, transition: Transition) -> Option<Self> {
        match (self, transition) {
            (Self::Pending | Self::InProgress, Transition::Claim) => Some(Self::InProgress),
            (Self::InProgress, Transition::Release) => Some(Self::Pending),
            (Self::InProgress, Transition::Complete) => Some(Self::Completed),
            (Self::Pending | Self::InProgress, Transition::Fail) => Some(Self::Failed),
            (Self::Pending | Self::InProgress, Transition::Cancel) => Some(Self::Cancelled),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_state_is_final() {
        use Transition::{Cancel, Claim, Complete, Fail, Release};
        for status in JobStatus::ALL.iter().filter(|status| status.is_final()) {
            for transition in [Claim, Release, Complete, Fail, Cancel] {
                assert_eq!(status.after(transition), None, "{status} after {transition:?}");
            }
        }
    }

    #[test]
    fn nothing_completes_without_having_run() {
        assert_eq!(JobStatus::Pending.after(Transition::Complete), None);
        assert_eq!(
            JobStatus::InProgress.after(Transition::Complete),
            Some(JobStatus::Completed)
        );
    }
}
