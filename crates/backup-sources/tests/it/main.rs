//! Real databases and real trees through the sources into an archive in memory, and back through the targets.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod config;
mod database;
mod database_drill;
mod database_faults;
mod database_hostile;
mod database_locks;
mod database_meanwhile;
mod database_money;
mod database_place;
mod database_plan;
mod database_roles;
mod database_scratch;
mod database_selection;
mod database_staged;
mod database_swap;
mod database_swap_faults;
mod database_swap_rights;
mod files;
mod files_drill;
mod files_links;
mod files_moving;
mod files_plan;
mod files_rights;
mod files_swap;
mod hostile;
mod hostile_random;
mod hostile_sealed;
mod recorder;

use std::time::Duration;

use backup_core::JobControl;

/// A job whose child processes may be silent for long.
fn job() -> JobControl {
    JobControl::new(Duration::from_mins(2))
}
