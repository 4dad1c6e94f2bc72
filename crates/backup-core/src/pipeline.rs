//! The traits between what is backed up and the archive: what a linking service implements ([`Source`], [`Target`]) and
//! what it is driven with ([`ArchiveSink`], [`PartReader`], [`JobControl`]).
//!
//! All of it is synchronous and streams: a source pushes entries into the sink, which blocks while the archive or the
//! storage is behind, so memory stays bounded whatever the amount of data.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::contents::{BackupContents, Warning, WarningCode};
use crate::{Entry, EntryPath, PipelineError, Step};

/// Something that is backed up: the database, the uploaded files, the configuration, or what a linking service brings.
pub trait Source: Send + Sync {
    /// The part's name: the top folder in the archive. ASCII letters, digits, `-` and `_`; unique in one backup.
    fn part(&self) -> &str;

    /// The step that is shown while this source is read.
    fn step(&self) -> Step;

    /// Checks that it can be backed up at all (reachable, right versions, readable) and says about how many bytes it
    /// will read. Called for every source before the first byte is stored, so that what cannot work fails in seconds.
    fn prepare(&self, job: &JobControl) -> Result<u64, PipelineError>;

    /// Writes everything into `sink`, in ascending order of paths, and says in `contents` what it was. Calls
    /// [`JobControl::advance`] for the bytes it read and [`JobControl::check`] often. What is in the sink when this
    /// returns an error is thrown away.
    fn backup(
        &self,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
        contents: &mut BackupContents,
    ) -> Result<(), PipelineError>;
}

/// Where a part of a backup is restored to.
pub trait Target: Send {
    /// The part it restores: the top folder in the archive.
    fn part(&self) -> &str;

    /// The step that is shown while it works.
    fn step(&self) -> Step;

    /// Checks that the target is there and fit, and changes nothing.
    fn prepare(&mut self, job: &JobControl) -> Result<(), PipelineError>;

    /// Restores the part. Every byte that `part` yields has been authenticated. On an error the target removes what it
    /// had made, as far as it can, and leaves what was there before as it was.
    fn restore(&mut self, part: &mut dyn PartReader, job: &JobControl) -> Result<(), PipelineError>;
}

/// Takes the entries of one part of an archive.
pub trait ArchiveSink {
    /// Appends an entry. For a regular file, `content` yields its data (for a sparse file: the data ranges one after the
    /// other, without the holes); exactly [`Entry::stored_bytes`] are taken. Where `content` ends early, the rest is
    /// filled with zero bytes, since the length stands in the archive already. Returns how many bytes were really read.
    fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<u64, PipelineError>;

    /// Appends a regular file as the backup that this one builds on has it, without reading it, where that backup vouches
    /// that it is the same: by path, size, modification time and identity, and the file was not touched while that backup
    /// was made. Says whether it did; where not, the file is to be appended with its content. What `entry` need not know
    /// are extended attributes and ranges of data, which did not change either. Without a base: never.
    fn append_unchanged(&mut self, entry: &Entry) -> Result<bool, PipelineError> {
        let _ = entry;
        Ok(false)
    }

    /// Appends a stream whose length nobody knows, to its end. Restored, it is one entry of kind file at `path`; in the
    /// tar it is a folder of numbered files that concatenate to it. Returns its length in bytes.
    fn append_stream(&mut self, path: &EntryPath, content: &mut dyn Read) -> Result<u64, PipelineError>;
}

/// Yields the entries of one part of an archive, in the order in which they were appended.
pub trait PartReader {
    /// The next entry, or `None` after the last. What was left of the content before is skipped.
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError>;

    /// The current entry's content: [`Entry::stored_bytes`] bytes, for a sparse file its data ranges one after the other.
    /// Every byte it yields has been checked. A damaged archive is an [`std::io::Error`] that holds a [`PipelineError`].
    fn content(&mut self) -> &mut dyn Read;
}

/// How many warnings a job keeps; the rest is counted.
pub const MAX_WARNINGS: usize = 1000;

/// The line between a running job and who watches over it: cancellation one way, progress and warnings the other.
/// Cheap to clone; all clones are the same job.
#[derive(Debug, Clone)]
pub struct JobControl(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    cancelled: AtomicBool,
    stall_timeout: Duration,
    done: AtomicU64,
    total: AtomicU64,
    read: AtomicU64,
    step: Mutex<Step>,
    warnings: Mutex<Warnings>,
}

#[derive(Debug, Default)]
struct Warnings {
    kept: Vec<Warning>,
    dropped: u64,
}

impl JobControl {
    /// The control of a new job. `stall_timeout` is how long a child process or a transfer may be silent.
    pub fn new(stall_timeout: Duration) -> Self {
        Self(Arc::new(Shared {
            cancelled: AtomicBool::new(false),
            stall_timeout,
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            read: AtomicU64::new(0),
            step: Mutex::new(Step::Preparing),
            warnings: Mutex::default(),
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
        *self.0.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
        self.0.done.store(0, Ordering::Relaxed);
        self.0.total.store(total, Ordering::Relaxed);
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
        let step = *self.0.step.lock().unwrap_or_else(PoisonError::into_inner);
        (
            step,
            self.0.done.load(Ordering::Relaxed),
            self.0.total.load(Ordering::Relaxed),
        )
    }

    /// All bytes said to be through in all steps: a backup's `sourceBytes`.
    pub fn bytes_read(&self) -> u64 {
        self.0.read.load(Ordering::Relaxed)
    }

    /// Makes a remark that does not fail the job. Of very many, the first [`MAX_WARNINGS`] are kept.
    pub fn warn(&self, code: WarningCode, path: Option<String>, message: impl Into<String>) {
        let mut warnings = self.0.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.kept.len() < MAX_WARNINGS {
            warnings.kept.push(Warning {
                code,
                path,
                message: message.into(),
            });
        } else {
            warnings.dropped += 1;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
