use clap::Args;

use crate::checkpoint::{self, Checkpoints};

/// Where the process kills itself, for the fault tests. A released program has no such setting.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Tests")]
pub struct FaultArgs {
    /// Checkpoint at which the process kills itself; not in a released program
    #[cfg(debug_assertions)]
    #[arg(long = "backup-fault-at", env = "BACKUP_FAULT_AT", value_name = "CHECKPOINT")]
    pub fault_at: Option<crate::Checkpoint>,
}

impl FaultArgs {
    /// What is called at each checkpoint.
    pub fn checkpoints(&self) -> Checkpoints {
        #[cfg(debug_assertions)]
        if let Some(at) = self.fault_at {
            return checkpoint::abort_at(at);
        }
        checkpoint::none()
    }
}
