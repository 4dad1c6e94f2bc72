//! The folder of one drill, and what killed drills left.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use backup_core::{JobControl, PipelineError};
use backup_sources::{FilesDrill, ScratchServer};

/// What tells whether the process that made a folder is still there: it holds a lock on this file.
const LOCK: &str = "lock";
/// The folder of the throw-away server.
const SERVER: &str = "server";

/// A folder of our own. Dropped, it goes with all that is in it.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes `name` in `above`, which is made where it is missing. What killed drills left there is removed.
    pub(super) fn make(above: &Path, name: &str, job: &JobControl) -> Result<Self, PipelineError> {
        // Others may pass through, as the server's user must, and see nothing.
        let made = DirBuilder::new().recursive(true).mode(0o711).create(above);
        made.map_err(|error| failed("make", above, error))?;
        only_ours(above)?;
        let folder = above.join(name);
        clear(above, job)?;
        let made = DirBuilder::new().mode(0o711).create(&folder);
        made.map_err(|error| failed("make", &folder, error))?;
        let lock = lock_file(&folder).map_err(|error| failed("lock", &folder, error))?;
        lock.try_lock()
            .map_err(|error| failed("lock", &folder, io::Error::other(error.to_string())))?;
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Where a throw-away server may be.
    pub(super) fn server(&self) -> PathBuf {
        self.folder.join(SERVER)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The job may be cancelled; this has to happen nevertheless.
        let job = JobControl::new(std::time::Duration::from_mins(1));
        if let Err(error) = empty(&self.folder, &job) {
            tracing::warn!(error = %error.full_text(), "what a drill made could not be removed yet");
        }
    }
}

/// In a folder that somebody else may change, everything could be exchanged behind our back.
fn only_ours(above: &Path) -> Result<(), PipelineError> {
    let found = above
        .symlink_metadata()
        .map_err(|error| failed("look at", above, error))?;
    let is_ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0;
    if is_ours {
        return Ok(());
    }
    let reason = "it belongs to somebody else, or others may write to it";
    Err(failed("use", above, io::Error::other(reason)))
}

/// Removes what killed processes left in `above`. Those that are at work keep theirs.
pub(super) fn clear(above: &Path, job: &JobControl) -> Result<(), PipelineError> {
    let entries = match std::fs::read_dir(above) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look into", above, error)),
    };
    only_ours(above)?;
    for entry in entries {
        let folder = entry.map_err(|error| failed("look into", above, error))?.path();
        if let Some(_lock) = left(&folder) {
            empty(&folder, job)?;
        }
    }
    Ok(())
}

/// The lock of a folder in which nobody is at work.
fn left(folder: &Path) -> Option<File> {
    // Without a lock it is somebody's who is just making it, or not ours at all.
    let lock = OpenOptions::new().read(true).open(folder.join(LOCK)).ok()?;
    lock.try_lock().is_ok().then_some(lock)
}

fn empty(folder: &Path, job: &JobControl) -> Result<(), PipelineError> {
    ScratchServer::clear(&folder.join(SERVER), job)?;
    FilesDrill::new(folder, "files").clear(job)?;
    std::fs::remove_dir_all(folder).map_err(|error| failed("remove", folder, error))
}

fn lock_file(folder: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
}

fn failed(verb: &str, folder: &Path, error: io::Error) -> PipelineError {
    PipelineError::refused(
        format!(
            "cannot {verb} the folder {} of restore drills: {error}",
            folder.display()
        ),
        "Give the user that this program runs as the rights to it, or name another folder by BACKUP_DRILL_DIR.",
    )
    .because(error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_a_killed_drill_left_goes_and_what_is_at_work_stays() {
        let above = tempfile::tempdir().unwrap();
        let job = JobControl::new(Duration::from_secs(20));
        let at_work = Scratch::make(above.path(), "one", &job).unwrap();
        // A killed process holds no lock any more.
        let left = above.path().join("two");
        std::fs::create_dir_all(left.join("config/deep")).unwrap();
        std::fs::write(left.join(LOCK), "").unwrap();
        std::fs::create_dir(above.path().join("not ours")).unwrap();
        clear(above.path(), &job).unwrap();
        assert!(at_work.path().exists() && !left.exists());
        assert!(above.path().join("not ours").exists());
        let path = at_work.path().to_owned();
        drop(at_work);
        assert!(!path.exists());
    }
}
