//! What whoever runs jobs does beside them: reconciling, retention, watching, delivering messages. Any number of processes
//! may do it at once, and each may be killed at any time.

use std::time::Duration;

use backup_core::PipelineError;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::engine::Engine;
use crate::error::Error;
use crate::logging::Action;
use crate::watch::Watch;

/// How often leftovers are looked for.
const RECONCILE_EVERY: Duration = Duration::from_mins(15);
/// How often retention is carried out for all schedules.
const RETENTION_EVERY: Duration = Duration::from_hours(1);
/// How often the alerts are brought up to date.
const WATCH_EVERY: Duration = Duration::from_mins(1);
/// How often messages are looked for.
const DELIVER_EVERY: Duration = Duration::from_secs(2);

/// Starts all of it. Each has a task of its own, so that a storage or a mail server that does not answer holds up nothing
/// else; all end when the set is dropped.
pub(crate) fn start(engine: &Engine) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(every(RECONCILE_EVERY, engine.clone(), async |engine: &Engine| {
        engine.sample_usage_if_due().await;
        engine.reconcile_and_log().await;
        Ok(())
    }));
    tasks.spawn(every(RETENTION_EVERY, engine.clone(), async |engine: &Engine| {
        engine.expire_all().await
    }));
    tasks.spawn(every(DELIVER_EVERY, engine.clone(), async |engine: &Engine| {
        engine.deliver_notifications().await.map(|_| ())
    }));
    tasks.spawn(watch(engine.clone()));
    tasks
}

async fn every(period: Duration, engine: Engine, work: impl AsyncFn(&Engine) -> Result<(), Error>) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = work(&engine).await {
            tracing::warn!(
                action = %Action::CatalogUnavailable, error = %text(error),
                "what is done from time to time could not be done"
            );
        }
    }
}

async fn watch(engine: Engine) {
    let mut watch = Watch::new(engine);
    let mut ticks = interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = watch.look().await {
            tracing::warn!(action = %Action::WatchFailed, error = %text(error), "the alerts could not be brought up to date");
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
