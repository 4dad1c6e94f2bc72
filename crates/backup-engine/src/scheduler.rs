//! The scheduler: fires what is due. Any number of them share a catalog; each instant is fired once.

use std::time::Duration;

use backup_core::PipelineError;
use backup_db::{Fired, FiringOutcome};
use chrono::TimeDelta;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::engine::Engine;
use crate::housekeeping;
use crate::logging::Action;
use crate::signals::see_through;
use crate::worker::Worker;

/// How often the catalog is asked when the next instant is: a change takes effect within this time.
const POLL: Duration = Duration::from_millis(500);
/// How long the scheduler waits at least after something has fired, though more is due.
const BREATH: Duration = Duration::from_millis(20);
/// How long the scheduler waits after the catalog did not answer.
const CATALOG_PAUSE: Duration = Duration::from_secs(2);
/// How long what is being fired has to end when the scheduler is told to stop.
const FIRING: Duration = Duration::from_secs(5);
/// Schedules that are fired in one transaction: others may write in between.
const AT_ONCE: u32 = 100;

/// Fires schedules until it is told to stop. It keeps nothing: which instant is next stands in the catalog, so it may be
/// killed at any time, and memory does not grow with the number of schedules.
pub struct Scheduler {
    engine: Engine,
    name: String,
}

impl Scheduler {
    /// A scheduler that goes by the name of the worker of the same process.
    pub fn new(engine: Engine, worker: &Worker) -> Self {
        Self {
            engine,
            name: worker.name().to_owned(),
        }
    }

    /// Fires what is due, when it is due, until `stop` becomes true or its sender is gone. Where this process runs no jobs,
    /// it keeps house as a worker would.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let housekeeping = (self.engine.settings.workers == 0).then(|| housekeeping::start(&self.engine, &self.name));
        while !*stop.borrow() {
            let Some(pause) = see_through(self.turn(), &mut stop, FIRING).await else {
                break;
            };
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                () = sleep(pause) => {}
            }
        }
        if let Some(housekeeping) = housekeeping {
            housekeeping.stop().await;
        }
    }

    /// Fires what is due now. Returns how long to wait.
    async fn turn(&self) -> Duration {
        match self.fire().await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(
                    action = %Action::CatalogUnavailable, error = %PipelineError::from(error).full_text(),
                    "the catalog cannot be asked for schedules"
                );
                CATALOG_PAUSE
            }
        }
    }

    async fn fire(&self) -> Result<Duration, backup_db::Error> {
        let fired = self.engine.store.fire_due_schedules(AT_ONCE).await?;
        for fired in &fired {
            tell(fired);
        }
        let next = self.engine.store.next_firing_at().await?;
        Ok(pause_after(fired.len(), next.map(|at| at - self.engine.clock.now())))
    }
}

/// How long to wait where so many have just fired, and the next instant comes in `next_in`, or is past.
fn pause_after(fired: usize, next_in: Option<TimeDelta>) -> Duration {
    let next_in = next_in.map_or(POLL, |time| time.to_std().unwrap_or_default());
    match fired {
        // What is due and does not fire, such as while the system is paused, is not hurried by being asked for.
        0 if next_in.is_zero() => POLL,
        1.. if fired < AT_ONCE as usize => next_in.clamp(BREATH, POLL),
        // There may be more than one transaction's worth.
        _ => next_in.min(POLL),
    }
}

fn tell(fired: &Fired) {
    let (schedule, firing) = (&fired.schedule, &fired.firing);
    let backup_id = firing.backup_id.map(|id| id.to_string()).unwrap_or_default();
    let missed = u64::from(firing.missed);
    match firing.outcome {
        FiringOutcome::Started => tracing::info!(
            action = %Action::ScheduleFired, schedule_id = %schedule.id, backup_id, at = %firing.scheduled_at,
            "schedule {} fired", schedule.name
        ),
        FiringOutcome::CaughtUp => tracing::warn!(
            action = %Action::ScheduleFired, schedule_id = %schedule.id, backup_id, at = %firing.scheduled_at, missed,
            "schedule {} fired late", schedule.name
        ),
        FiringOutcome::Skipped => tracing::warn!(
            action = %Action::ScheduleSkipped, schedule_id = %schedule.id, at = %firing.scheduled_at,
            "schedule {} was passed over: its backup before still runs", schedule.name
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_after_as_many_as_fit_into_one_transaction_there_is_no_pause() {
        let milliseconds = |time| Some(TimeDelta::milliseconds(time));
        let (past, soon, later) = (milliseconds(-1), milliseconds(7), milliseconds(60_000));
        let (none, full) = (0, AT_ONCE as usize);
        let soon_is = Duration::from_millis(7);
        for (fired, next_in, expected) in [
            (none, None, POLL),
            (none, later, POLL),
            (none, soon, soon_is),
            // Paused, or another scheduler is at it.
            (none, past, POLL),
            (none, Some(TimeDelta::zero()), POLL),
            (1, None, POLL),
            (1, later, POLL),
            (1, soon, BREATH),
            (full - 1, past, BREATH),
            (full, past, Duration::ZERO),
            (full, soon, soon_is),
            (full, None, POLL),
        ] {
            assert_eq!(pause_after(fired, next_in), expected, "{fired} fired, {next_in:?}");
        }
    }
}
