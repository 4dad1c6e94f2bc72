//! One process at a time opens the embedded catalog: none meets a file, a journal or tables that another is just making.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use tracing::{debug, info};

/// How long others are waited for: as long as on a server. Mostly they take milliseconds, with a large catalog or a slow disk
/// much longer; one that is stopped must not keep this one from starting for ever.
const PATIENCE: Duration = Duration::from_mins(10);
const PAUSE: Duration = Duration::from_millis(20);

/// The turn of this process. It ends when it is dropped, and with the process however that ends.
pub(crate) struct Opening {
    _folder: Option<File>,
}

impl Opening {
    /// Waits for the turn to open the catalog at `path`. The lock is on its folder: one on the file itself would take those
    /// of SQLite with it when it goes, and one of its own would be left behind. Where there are no such locks, or the others
    /// take too long, the database's own waiting has to do.
    pub(crate) fn take(path: &Path) -> Self {
        let folder = path.parent().and_then(|folder| {
            lock(folder)
                .inspect_err(|error| debug!(%error, "the embedded catalog is opened without a turn"))
                .ok()
        });
        Self { _folder: folder }
    }
}

fn lock(folder: &Path) -> Result<File, TryLockError> {
    let folder = File::open(folder).map_err(TryLockError::Error)?;
    let begun = Instant::now();
    let mut waits = false;
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(folder),
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                if !std::mem::replace(&mut waits, true) {
                    info!(
                        action = "catalog_waits",
                        "another process is just opening the embedded catalog"
                    );
                }
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}
