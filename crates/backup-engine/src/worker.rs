//! The worker: claims the catalog's jobs and runs them, as many at once as it is set to, and keeps house meanwhile.

mod run;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use backup_core::{JobControl, LogLevel, PipelineError};
use backup_db::ClaimedJob;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::engine::{Engine, MAX_ATTEMPTS};
use crate::housekeeping;
use crate::lease::{HeldLease, StopReason};
use crate::logging::Action;
use crate::signals::see_through;

/// How long an idle worker waits before it asks for jobs again: those of its own process it hears of at once.
const POLL: Duration = Duration::from_secs(1);
/// How often it looks whether another process has changed anything, which is one row by its key.
const GLANCE: Duration = Duration::from_millis(80);
/// How long a worker waits after the catalog did not answer.
const CATALOG_PAUSE: Duration = Duration::from_secs(2);
/// How long jobs that were told to stop have for it.
const STOPPING: Duration = Duration::from_secs(15);
/// How long a claim under way has to end when the worker is told to stop.
const CLAIMING: Duration = Duration::from_secs(5);

/// Claims jobs and runs them until it is told to stop.
pub struct Worker {
    engine: Engine,
    name: String,
    running: Mutex<Vec<Weak<HeldLease>>>,
}

impl Worker {
    /// A worker with a name of its own.
    ///
    /// # Errors
    /// When the randomness cannot be read.
    pub fn new(engine: Engine) -> Result<Self, PipelineError> {
        let mut random = [0; 8];
        engine
            .random
            .fill(&mut random)
            .map_err(|error| PipelineError::failed("the system's randomness cannot be read", "").because(error))?;
        Ok(Self {
            engine,
            name: format!("worker-{}-{:016x}", std::process::id(), u64::from_ne_bytes(random)),
            running: Mutex::default(),
        })
    }

    /// What it is called in the catalog.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Works until `stop` becomes true, then lets running jobs reach their end for the drain time, then stops them and
    /// gives them back to be taken up again. Returns at once where the settings say that this process runs no jobs.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let limit = self.engine.settings.workers;
        if limit == 0 {
            return;
        }
        let mut jobs = JoinSet::new();
        // Killed between any two steps, it goes on the next time.
        let housekeeping = housekeeping::start(&self.engine, &self.name);
        while !*stop.borrow() {
            let Some(pause) = self.claim_until(&mut stop, &mut jobs, limit).await else {
                break;
            };
            tokio::select! {
                // A sender that is gone cannot tell to stop any more: so does its end.
                changed = stop.changed() => if changed.is_err() { break },
                Some(_) = jobs.join_next() => {}
                () = self.engine.store.job_added(), if jobs.len() < limit => {}
                () = self.changed_elsewhere(), if jobs.len() < limit => {}
                () = sleep(pause) => {}
            }
        }
        housekeeping.stop().await;
        self.drain(jobs).await;
    }

    /// Ends once anybody has changed anything in the catalog: it may be a job that another process has added. A catalog that
    /// does not answer has not changed, and is heard of otherwise.
    async fn changed_elsewhere(&self) {
        let mut seen = None;
        loop {
            if let Ok(newest) = self.engine.store.last_event_seq().await {
                if seen.is_some_and(|seen| seen != newest) {
                    return;
                }
                seen = Some(newest);
            }
            sleep(GLANCE).await;
        }
    }

    /// [`Self::claim`]; `None` where the worker was told to stop meanwhile. A claim under way is seen to its end, lest a
    /// job be taken up and not run; but not for long, since a catalog may never answer.
    async fn claim_until(
        &self,
        stop: &mut watch::Receiver<bool>,
        jobs: &mut JoinSet<()>,
        limit: usize,
    ) -> Option<Duration> {
        see_through(self.claim(jobs, limit), stop, CLAIMING).await
    }

    /// Takes up jobs while there are free places. Returns how long to wait before the next time.
    async fn claim(&self, jobs: &mut JoinSet<()>, limit: usize) -> Duration {
        for held in self.held() {
            held.refresh().await;
        }
        let storage = self.engine.storage_limit();
        while jobs.len() < limit {
            let lease = self.engine.settings.lease;
            let claimed = self
                .engine
                .store
                .claim_job(&self.name, lease, MAX_ATTEMPTS, storage.as_ref());
            match claimed.await {
                Ok(Some(claimed)) => {
                    let (engine, held, claimed) = (self.engine.clone(), self.hold(&claimed), claimed);
                    jobs.spawn(async move { run::run(&engine, &held, claimed).await });
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(
                        action = %Action::CatalogUnavailable, error = %PipelineError::from(error).full_text(),
                        "the catalog cannot be asked for jobs"
                    );
                    return CATALOG_PAUSE;
                }
            }
        }
        POLL
    }

    fn hold(&self, claimed: &ClaimedJob) -> Arc<HeldLease> {
        let settings = &self.engine.settings;
        let job = JobControl::timed(settings.stall_timeout, self.engine.clock.clone(), claimed.log.clone());
        let attempt = claimed.lease.attempts;
        job.log(
            LogLevel::Info,
            format!("{} takes the job up, attempt {attempt}", self.name),
        );
        let held = HeldLease::new(
            self.engine.store.clone(),
            self.engine.clock.clone(),
            claimed.lease.clone(),
            (&claimed.job).into(),
            settings.lease,
            job,
        );
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|other| other.strong_count() > 0);
        running.push(Arc::downgrade(&held));
        held
    }

    /// The jobs that run.
    fn held(&self) -> Vec<Arc<HeldLease>> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().filter_map(Weak::upgrade).collect()
    }

    async fn drain(&self, mut jobs: JoinSet<()>) {
        let all = async |jobs: &mut JoinSet<()>| while jobs.join_next().await.is_some() {};
        if timeout(self.engine.settings.drain, all(&mut jobs)).await.is_ok() {
            return;
        }
        for held in self.held() {
            held.stop(StopReason::Stopping);
        }
        // What does not stop in time is taken over once its lease has run out.
        let _ = timeout(STOPPING, all(&mut jobs)).await;
    }
}
