//! A job that this worker holds: the heartbeat that keeps it, and the reasons why it may have to stop.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backup_core::{Clock, JobControl, JobLog, LogLevel, PipelineError};
use backup_db::{Error as CatalogError, JobPosition, Lease, Store};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinHandle;

use crate::logging::Action;
use crate::progress::{Course, percent};

/// How long the end of a job is told to a catalog that does not answer, in leases. After that another worker finds the
/// receipt, or the lack of it, and says the same.
const PATIENCE: u32 = 10;
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// A beat a second: progress is live, and a request to cancel is obeyed within a second or two.
const BEAT: Duration = Duration::from_secs(1);
/// How often whoever waits for the loss of a job looks.
const LOOK: Duration = Duration::from_millis(200);
/// A catalog that takes longer for a heartbeat does not answer.
const BEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a held job was told to stop. The order is that of weight: a heavier reason replaces a lighter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum StopReason {
    /// It was not.
    None,
    /// The worker stops.
    Stopping,
    /// Somebody asked for it.
    Cancelled,
    /// The job is another worker's now: nothing of it may be touched any more.
    Lost,
}

/// The lease of a job, kept alive by [`HeldLease::keep`].
pub(crate) struct HeldLease {
    store: Store,
    clock: Arc<dyn Clock>,
    lease: Lease,
    course: Course,
    length: Duration,
    job: JobControl,
    expires_at: Mutex<DateTime<Utc>>,
    reason: AtomicU8,
    /// How many lines of the job's log the catalog has.
    logged: AtomicU64,
}

impl HeldLease {
    pub(crate) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        lease: Lease,
        course: Course,
        length: Duration,
        job: JobControl,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            clock,
            expires_at: Mutex::new(lease.expires_at),
            lease,
            course,
            length,
            job,
            reason: AtomicU8::new(StopReason::None as u8),
            logged: AtomicU64::new(0),
        })
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(crate) fn job(&self) -> &JobControl {
        &self.job
    }

    /// Why the job was told to stop.
    pub(crate) fn reason(&self) -> StopReason {
        const REASONS: [StopReason; 4] = [
            StopReason::None,
            StopReason::Stopping,
            StopReason::Cancelled,
            StopReason::Lost,
        ];
        REASONS[usize::from(self.reason.load(Ordering::SeqCst)).min(3)]
    }

    /// Tells the job to stop.
    pub(crate) fn stop(&self, reason: StopReason) {
        let before = self.reason.fetch_max(reason as u8, Ordering::SeqCst);
        if before < reason as u8 {
            match reason {
                StopReason::Cancelled => self.job.log(LogLevel::Info, "somebody has asked for it to stop"),
                StopReason::Stopping => self.job.log(LogLevel::Info, "its worker was told to stop"),
                // The log is another worker's too.
                StopReason::Lost | StopReason::None => {}
            }
        }
        self.job.cancel();
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.reason() == StopReason::Lost
    }

    fn lost(&self) {
        self.stop(StopReason::Lost);
    }

    /// Starts the heartbeat, which ends when the returned guard is dropped or the lease is lost.
    pub(crate) fn keep(self: &Arc<Self>) -> Heart {
        let held = self.clone();
        Heart(tokio::spawn(async move {
            while !held.is_lost() {
                tokio::time::sleep(BEAT).await;
                held.beat().await;
            }
        }))
    }

    /// A heartbeat where the lease has run out by the clock: the clock may have been set forward, or the machine have
    /// slept, and then nobody else need have noticed.
    pub(crate) async fn refresh(&self) {
        if self.expired() && !self.is_lost() {
            self.beat().await;
        }
    }

    /// Notes a line in the job's log and tells the catalog how far the job came, since it may end before the next heartbeat:
    /// nobody writes the log of a job that has ended. So a worker that dies behind its last line, and before the row knows,
    /// leaves lines of another attempt behind it.
    pub(crate) async fn note(&self, level: LogLevel, text: impl AsRef<str>) {
        self.job.log(level, text);
        self.beat().await;
    }

    /// One heartbeat. A catalog that does not answer loses the lease only once it has expired: until then nobody else can
    /// have taken the job.
    async fn beat(&self) {
        let (step, done, total) = self.job.position();
        let progress = percent(self.course, step, done, total);
        let at = JobPosition {
            progress,
            step,
            steps: self.job.steps(),
            log: self.job.log_beyond(self.logged.load(Ordering::SeqCst)),
        };
        let lines = at.log.as_ref().map_or(0, JobLog::count);
        let beat = self.store.heartbeat(&self.lease, at, self.length);
        let problem = match tokio::time::timeout(BEAT_TIMEOUT, beat).await {
            Ok(Ok(heartbeat)) => {
                *self.expires_at.lock().unwrap_or_else(PoisonError::into_inner) = heartbeat.expires_at;
                self.logged.fetch_max(lines, Ordering::SeqCst);
                if heartbeat.cancel_requested {
                    self.stop(StopReason::Cancelled);
                }
                return;
            }
            Ok(Err(CatalogError::LeaseLost { .. })) => return self.lost(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        tracing::warn!(
            action = %Action::CatalogUnavailable, job_id = %self.lease.id, error = %problem,
            "the heartbeat of job {} did not reach the catalog", self.lease.id
        );
        if self.expired() {
            self.stop(StopReason::Lost);
        }
    }

    fn expired(&self) -> bool {
        self.clock.now() >= *self.expires_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that the job is still ours, by asking the catalog: before another worker's work could be harmed. Where
    /// the catalog does not answer the lease decides.
    ///
    /// # Errors
    /// `Cancelled` where it is not; [`Self::reason`] says so.
    pub(crate) async fn owned(&self) -> Result<(), PipelineError> {
        self.beat().await;
        if self.expired() {
            self.stop(StopReason::Lost);
        }
        if self.is_lost() {
            Err(PipelineError::Cancelled)
        } else {
            Ok(())
        }
    }

    /// Ends once the job is another worker's, or may be.
    pub(crate) async fn until_lost(&self) {
        while !self.is_lost() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Makes sure that the job is still ours and wanted: before what cannot be undone.
    ///
    /// # Errors
    /// `Cancelled`; [`Self::reason`] says why.
    pub(crate) async fn confirm(&self) -> Result<(), PipelineError> {
        self.owned().await?;
        self.job.check()
    }

    /// Tells the catalog something about the job, again and again while it does not answer.
    ///
    /// # Errors
    /// `LeaseLost` where the job is another's, any other error that trying again does not help, and `Unavailable` after
    /// very long.
    pub(crate) async fn tell<T, F>(&self, mut write: impl FnMut() -> F) -> Result<T, CatalogError>
    where
        F: Future<Output = Result<T, CatalogError>>,
    {
        let patience = TimeDelta::from_std(self.length * PATIENCE).unwrap_or(TimeDelta::MAX);
        let until = self.clock.now() + patience;
        loop {
            match write().await {
                Err(error @ CatalogError::Unavailable { .. }) if self.clock.now() < until => {
                    tracing::warn!(
                        action = %Action::CatalogUnavailable, job_id = %self.lease.id, error = %error,
                        "the state of job {} did not reach the catalog", self.lease.id
                    );
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(error @ CatalogError::LeaseLost { .. }) => {
                    self.lost();
                    return Err(error);
                }
                answer => return answer,
            }
        }
    }
}

/// A running heartbeat; dropped, it stops.
pub(crate) struct Heart(JoinHandle<()>);

impl Drop for Heart {
    fn drop(&mut self) {
        self.0.abort();
    }
}
