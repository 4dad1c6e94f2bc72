//! Taking a scratch server away, whoever started it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use backup_core::JobControl;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::place::Place;
use crate::Error;

/// How long a server may take to end. It ends without writing anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The most that is read of the file with its number, in bytes. The number is the first line.
const MAX_PID: u64 = 64;

impl Place {
    /// Ends the server and removes its folders, where there are any.
    pub(super) fn clear(&self, job: &JobControl) -> Result<(), Error> {
        job.check()?;
        if self.folder.exists() {
            self.must_be_ours()?;
            self.stop()?;
        }
        for folder in self.folders() {
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::io("remove the folder", folder, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Ends the process that says that it serves the folder, if it does: its number may be another's by now. And none of
    /// another user's, whatever number the folder's user writes down.
    fn stop(&self) -> Result<(), Error> {
        // Without the file no server runs.
        let text = self
            .read(&self.data().join("postmaster.pid"), MAX_PID)
            .unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let number = text.lines().next().and_then(|line| line.trim().parse().ok());
        let Some(pid) = number.and_then(Pid::from_raw) else {
            return Ok(());
        };
        // What this refers to stays the same process from here on.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
            return Ok(());
        };
        let about = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
        let works_in = fs::read_link(about.join("cwd"));
        let runs_as = fs::metadata(&about).map(|about| about.uid());
        if works_in.ok() != fs::canonicalize(self.data()).ok() || runs_as.ok() != self.owner().ok() {
            return Ok(());
        }
        for signal in [Signal::QUIT, Signal::KILL] {
            let failed = |error| Error::io("end the server in", &self.folder, error);
            match pidfd_send_signal(&process, signal) {
                Err(rustix::io::Errno::SRCH) => return Ok(()),
                sent => sent.map_err(failed)?,
            }
            let patience = Timespec {
                tv_sec: PATIENCE.as_secs().cast_signed(),
                tv_nsec: 0,
            };
            let mut ended = [PollFd::new(&process, PollFlags::IN)];
            match poll(&mut ended, Some(&patience)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }
}
