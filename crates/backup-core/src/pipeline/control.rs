//! The control of a running job.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::log::{JobLog, LogLevel, LogLine};
use crate::contents::{Warning, WarningCode};
use crate::{Clock, PipelineError, Step, StepStart};

/// How many warnings a job keeps; the rest is counted.
pub const MAX_WARNINGS: usize = 1000;
/// Of how many steps a job notes when they began.
const MAX_STEPS: usize = 64;

/// The line between a running job and who watches over it: cancellation one way, progress, warnings and a log the other.
/// Cheap to clone; all clones are the same job.
#[derive(Clone)]
pub struct JobControl(Arc<Shared>);

struct Shared {
    cancelled: AtomicBool,
    stall_timeout: Duration,
    /// Tells when something happens; without it neither steps nor a log are noted.
    clock: Option<Arc<dyn Clock>>,
    done: AtomicU64,
    total: AtomicU64,
    read: AtomicU64,
    step: Mutex<Steps>,
    warnings: Mutex<Warnings>,
    log: Mutex<JobLog>,
}

struct Steps {
    now: Step,
    begun: Vec<StepStart>,
}

impl Steps {
    /// Says whether it is another step than the one before.
    fn begin(&mut self, step: Step, clock: Option<&dyn Clock>) -> bool {
        let is_new = self.now != step;
        self.now = step;
        if let Some(clock) = clock
            && self.begun.len() < MAX_STEPS
            && self.begun.last().is_none_or(|last| last.step != step)
        {
            self.begun.push(StepStart { step, at: clock.now() });
        }
        is_new
    }
}

#[derive(Debug, Default)]
struct Warnings {
    kept: Vec<Warning>,
    dropped: u64,
}

impl JobControl {
    /// The control of a new job. `stall_timeout` is how long a child process or a transfer may be silent.
    pub fn new(stall_timeout: Duration) -> Self {
        Self::with_clock(stall_timeout, None, JobLog::default())
    }

    /// The control of a new attempt that notes by `clock` when each step begins, and goes on with the log of those before it.
    pub fn timed(stall_timeout: Duration, clock: Arc<dyn Clock>, log: JobLog) -> Self {
        Self::with_clock(stall_timeout, Some(clock), log)
    }

    fn with_clock(stall_timeout: Duration, clock: Option<Arc<dyn Clock>>, log: JobLog) -> Self {
        let mut steps = Steps {
            now: Step::Preparing,
            begun: Vec::new(),
        };
        steps.begin(Step::Preparing, clock.as_deref());
        Self(Arc::new(Shared {
            cancelled: AtomicBool::new(false),
            stall_timeout,
            clock,
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            read: AtomicU64::new(0),
            step: Mutex::new(steps),
            warnings: Mutex::default(),
            log: Mutex::new(log),
        }))
    }

    /// Asks the job to stop.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
    }

    /// Whether the job was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// [`PipelineError::Cancelled`] once the job was asked to stop.
    pub fn check(&self) -> Result<(), PipelineError> {
        if self.is_cancelled() {
            Err(PipelineError::Cancelled)
        } else {
            Ok(())
        }
    }

    /// How long a child process or a transfer may be silent before the job fails.
    pub fn stall_timeout(&self) -> Duration {
        self.0.stall_timeout
    }

    /// Begins a step of about `total` bytes.
    pub fn begin(&self, step: Step, total: u64) {
        let is_new = self.steps_mut().begin(step, self.0.clock.as_deref());
        self.0.done.store(0, Ordering::Relaxed);
        self.0.total.store(total, Ordering::Relaxed);
        if is_new {
            let text = match total {
                0 => format!("{step} begins"),
                total => format!("{step} begins: about {total} bytes"),
            };
            self.log(LogLevel::Info, text);
        }
    }

    /// Says that `bytes` more of the current step are through.
    pub fn advance(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
        self.0.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says that `bytes` more of the current step are through without having been read.
    pub fn pass_over(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The current step, and the bytes done and expected in it.
    pub fn position(&self) -> (Step, u64, u64) {
        (
            self.steps_mut().now,
            self.0.done.load(Ordering::Relaxed),
            self.0.total.load(Ordering::Relaxed),
        )
    }

    /// When each step so far began, the first ones first; none where the job has no clock.
    pub fn steps(&self) -> Vec<StepStart> {
        self.steps_mut().begun.clone()
    }

    fn steps_mut(&self) -> MutexGuard<'_, Steps> {
        self.0.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All bytes said to be through in all steps: a backup's `sourceBytes`.
    pub fn bytes_read(&self) -> u64 {
        self.0.read.load(Ordering::Relaxed)
    }

    /// Makes a remark that does not fail the job. Of very many, the first [`MAX_WARNINGS`] are kept; they stand in the log too.
    pub fn warn(&self, code: WarningCode, path: Option<String>, message: impl Into<String>) {
        let mut warnings = self.0.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.kept.len() < MAX_WARNINGS {
            let message = message.into();
            match &path {
                Some(path) => self.log(LogLevel::Warning, format!("{path}: {message}")),
                None => self.log(LogLevel::Warning, &message),
            }
            warnings.kept.push(Warning { code, path, message });
        } else {
            warnings.dropped += 1;
        }
    }

    /// Adds a line to the job's log, which people read to understand what it did: see [`JobLog`]. `text` is one line without a
    /// secret, and cut where it is too long. Nothing is noted where the job has no clock.
    pub fn log(&self, level: LogLevel, text: impl AsRef<str>) {
        if let Some(clock) = &self.0.clock {
            let line = LogLine::new(clock.now(), level, text.as_ref());
            self.log_mut().add(line);
        }
    }

    /// The log, where it has more lines than `count` by now.
    pub fn log_beyond(&self, count: u64) -> Option<JobLog> {
        let log = self.log_mut();
        (log.count() > count).then(|| log.clone())
    }

    fn log_mut(&self) -> MutexGuard<'_, JobLog> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The remarks so far; where some were not kept, the last one says how many.
    pub fn warnings(&self) -> Vec<Warning> {
        let warnings = self.0.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = warnings.kept.clone();
        if warnings.dropped > 0 {
            all.push(Warning {
                code: WarningCode::MoreWarnings,
                path: None,
                message: format!("{} more warnings were not kept", warnings.dropped),
            });
        }
        all
    }
}

impl std::fmt::Debug for JobControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (step, done, total) = self.position();
        write!(
            f,
            "JobControl({step}, {done} of {total}, cancelled: {})",
            self.is_cancelled()
        )
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::ManualClock;

    #[test]
    fn steps_are_noted_when_they_begin_each_once() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let job = JobControl::timed(Duration::from_secs(1), clock.clone(), JobLog::default());
        for step in [Step::Database, Step::Database, Step::Files] {
            clock.advance(TimeDelta::seconds(5));
            job.begin(step, 10);
        }
        let seconds: Vec<_> = job
            .steps()
            .iter()
            .map(|noted| (noted.step, (noted.at - start).num_seconds()))
            .collect();
        assert_eq!(seconds, [(Step::Preparing, 0), (Step::Database, 5), (Step::Files, 15)]);
        assert!(JobControl::new(Duration::from_secs(1)).steps().is_empty());
        for _ in 0..2 * MAX_STEPS {
            job.begin(Step::Files, 1);
            job.begin(Step::Config, 1);
        }
        assert_eq!(job.steps().len(), MAX_STEPS);
    }

    #[test]
    fn the_log_has_steps_and_warnings_and_goes_on_after_an_earlier_attempt() {
        let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(1_700_000_000, 0).unwrap()));
        let first = JobControl::timed(Duration::from_secs(1), clock.clone(), JobLog::default());
        assert_eq!(first.log_beyond(0), None);
        first.begin(Step::Preparing, 0);
        first.begin(Step::Files, 10);
        first.begin(Step::Files, 20);
        let earlier = first.log_beyond(0).unwrap();
        assert_eq!(first.log_beyond(earlier.count()), None);

        let second = JobControl::timed(Duration::from_secs(1), clock, earlier);
        second.log(LogLevel::Info, "once more");
        for i in 0..MAX_WARNINGS + 7 {
            second.warn(WarningCode::FileChanged, Some(i.to_string()), "changed");
        }
        let log = second.log_beyond(1).unwrap();
        assert_eq!(
            log.count(),
            2 + MAX_WARNINGS as u64,
            "what is counted only does not fill it"
        );
        let lines = log.into_lines();
        let texts: Vec<_> = lines.iter().take(3).map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["FILES begins: about 10 bytes", "once more", "0: changed"]);
        assert_eq!(lines[2].level, LogLevel::Warning);
        let silent = JobControl::new(Duration::from_secs(1));
        silent.log(LogLevel::Error, "nobody asked");
        assert_eq!(silent.log_beyond(0), None);
    }

    #[test]
    fn a_cancelled_job_says_so_to_every_clone() {
        let job = JobControl::new(Duration::from_secs(1));
        let clone = job.clone();
        assert!(clone.check().is_ok());
        job.cancel();
        assert!(matches!(clone.check(), Err(PipelineError::Cancelled)));
    }

    #[test]
    fn warnings_are_bounded_and_counted() {
        let job = JobControl::new(Duration::from_secs(1));
        for i in 0..MAX_WARNINGS + 7 {
            job.warn(WarningCode::FileChanged, Some(i.to_string()), "changed");
        }
        let warnings = job.warnings();
        assert_eq!(warnings.len(), MAX_WARNINGS + 1);
        assert_eq!(warnings[MAX_WARNINGS].code, WarningCode::MoreWarnings);
        assert!(warnings[MAX_WARNINGS].message.starts_with("7 "));
    }
}
