//! What whoever runs jobs does beside them: reconciling, retention, watching, delivering messages. Any number of processes
//! may do it at once, and each may be killed at any time.

use std::sync::Arc;
use std::time::Duration;

use backup_core::PipelineError;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::engine::Engine;
use crate::error::Error;
use crate::logging::Action;
use crate::watch::{TURN_NAME as WATCH, Watch};

/// How often leftovers are looked for.
const RECONCILE_EVERY: Duration = Duration::from_mins(15);
/// How often retention is carried out for all schedules.
const RETENTION_EVERY: Duration = Duration::from_hours(1);
/// How often the alerts are brought up to date.
const WATCH_EVERY: Duration = Duration::from_mins(1);
/// How often messages are looked for.
const DELIVER_EVERY: Duration = Duration::from_secs(2);
/// How long a task that ended in a fault of the program is left alone.
const FAULT_PAUSE: Duration = Duration::from_mins(1);

/// How long the end of a turn may take to be said.
const GOOD_BYE: Duration = Duration::from_secs(2);

/// All of it at work. Dropped, it ends.
pub(crate) struct Housekeeping {
    engine: Engine,
    name: String,
    tasks: JoinSet<()>,
}

impl Housekeeping {
    /// Ends it, and lets another process watch at once.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
        // That of retention is kept until it runs out: its clock moves by up to a day in each, however often one starts anew.
        let ended = timeout(GOOD_BYE, self.engine.store.end_turn(WATCH, &self.name)).await;
        if !matches!(ended, Ok(Ok(()))) {
            // Otherwise it runs out.
            tracing::debug!(turn = WATCH, "the end of a turn could not be said");
        }
    }
}

/// Starts all of it; `name` tells this process from others. Each has a task of its own, so that a storage or a mail server
/// that does not answer holds up nothing else.
pub(crate) fn start(engine: &Engine, name: &str) -> Housekeeping {
    let mut tasks = JoinSet::new();
    tasks.spawn(every(RECONCILE_EVERY, engine.clone(), |engine| async move {
        engine.sample_usage_if_due().await;
        engine.reconcile_and_log().await;
        engine.clear_drills().await
    }));
    let owner = name.to_owned();
    tasks.spawn(every(RETENTION_EVERY, engine.clone(), move |engine| {
        let owner = owner.clone();
        async move { engine.expire_all(&owner).await }
    }));
    tasks.spawn(every(DELIVER_EVERY, engine.clone(), |engine| async move {
        engine.deliver_notifications().await.map(|_| ())
    }));
    tasks.spawn(every(WATCH_EVERY, engine.clone(), |engine| async move {
        engine.discard_expired().await
    }));
    let watch = Arc::new(Mutex::new(Watch::new(engine.clone(), name)));
    tasks.spawn(every(WATCH_EVERY, engine.clone(), move |_| {
        let watch = watch.clone();
        async move { watch.lock().await.look().await }
    }));
    Housekeeping {
        engine: engine.clone(),
        name: name.to_owned(),
        tasks,
    }
}

async fn every<F>(period: Duration, engine: Engine, work: impl Fn(Engine) -> F)
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A task of its own, so that a fault of the program ends this time and not all times to come.
        let mut task = JoinSet::new();
        task.spawn(work(engine.clone()));
        match task.join_next().await {
            Some(Ok(Ok(()))) | None => {}
            Some(Ok(Err(error))) => tracing::warn!(
                action = %Action::HousekeepingFailed, error = %text(error),
                "what is done from time to time could not be done"
            ),
            Some(Err(fault)) => {
                tracing::error!(
                    action = %Action::HousekeepingFailed, error = %fault,
                    "what is done from time to time ended in a fault of the program"
                );
                sleep(FAULT_PAUSE).await;
            }
        }
    }
}

/// An error for the log.
pub(crate) fn text(error: Error) -> String {
    match error {
        Error::Catalog(error) => PipelineError::from(error).full_text(),
        Error::Pipeline(error) => error.full_text(),
    }
}
