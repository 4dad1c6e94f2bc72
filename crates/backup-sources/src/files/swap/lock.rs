//! The lock under which folders are exchanged.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use backup_core::PipelineError;

use crate::Error;

/// For how long a lock is waited for. An exchange takes a moment; what holds the folder for longer is no exchange.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// Locks the folder, for as long as what is given back lives.
///
/// # Errors
/// `Unavailable` where it is held by somebody else for longer than `patience`.
pub(super) fn lock(folder: &Path, patience: Duration) -> Result<File, PipelineError> {
    let failed = |error: std::io::Error| PipelineError::from(Error::io("lock", folder, error));
    let file = File::open(folder).map_err(failed)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < patience => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(PipelineError::unavailable(
                    format!("another program holds a lock on {}", folder.display()),
                    "Find out which (lsof), and end it where it hangs.",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_somebody_keeps_locked_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path(), Duration::ZERO).unwrap();
        let error = lock(folder.path(), PAUSE).unwrap_err();
        assert!(matches!(error, PipelineError::Unavailable { .. }), "{error:?}");
        assert!(
            error.to_string().contains(&folder.path().display().to_string()),
            "{error}"
        );
        drop(held);
        lock(folder.path(), Duration::ZERO).unwrap();
    }
}
