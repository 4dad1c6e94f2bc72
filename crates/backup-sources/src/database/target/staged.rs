//! Restoring by several connections at once, from a dump that was put down in a file.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use backup_core::{JobControl, LogLevel, PartReader, WarningCode};

use super::DatabaseTarget;
use super::pg_restore::{LAZY, each_block};
use super::place::Place;
use super::plan::is_here;
use super::selection::Selection;
use crate::Error;
use crate::database::dump::Relay;
use crate::database::server::Program;

/// Bytes from which on a dump is put down, unless the options say otherwise.
const STAGED_FROM: u64 = 256 * 1024 * 1024;
/// Where the server is on this machine, perhaps on the same disk, there must be room for the dump so many times: the database
/// that it becomes, with its indexes and the log of their making, may be twice as large.
const BESIDE_SERVER: u64 = 3;
/// Bytes that stay free on the disk.
const SPARE: u64 = 64 * 1024 * 1024;

impl DatabaseTarget {
    /// Whether a dump of `size` bytes is put down before it is restored.
    pub(super) fn is_staged(
        &self,
        size: u64,
        place: &Place,
        selection: &Selection,
        passes_over_timeout: bool,
        job: &JobControl,
    ) -> bool {
        let Some(folder) = &self.options.staging else {
            return false;
        };
        // Several connections cannot share the one transaction in which a database that was there is filled.
        let may_be = self.options.jobs > 1 && matches!(place, Place::Missing) && selection.is_everything();
        if !may_be || size < self.options.staged_from.unwrap_or(STAGED_FROM) {
            return false;
        }
        if passes_over_timeout {
            // Every connection would meet the error that has to be let pass, and `pg_restore` counts those of the first alone:
            // nobody could tell whether there was another.
            let text = "the database is restored by one connection: pg_restore is newer than the server";
            job.log(LogLevel::Info, text);
            return false;
        }
        let times = if is_here(&self.settings) { BESIDE_SERVER } else { 1 };
        let needed = size.saturating_mul(times).saturating_add(SPARE);
        match free_bytes(folder) {
            Ok(free) if free >= needed => true,
            found => {
                let why = match found {
                    Ok(free) => {
                        format!(
                            "{free} bytes are free there, it has {size}, and with what the server may need there {needed}"
                        )
                    }
                    Err(error) => error.to_string(),
                };
                let text = format!(
                    "the database is restored by one connection, since its dump cannot be put down in {}: {why}",
                    folder.display()
                );
                job.warn(WarningCode::Other, None, text);
                false
            }
        }
    }

    /// Puts the dump down and lets several connections restore it.
    pub(super) fn restore_staged(
        &self,
        mut program: Program,
        part: &mut dyn PartReader,
        job: &JobControl,
    ) -> Result<(), Error> {
        let folder = self.options.staging.as_deref().unwrap_or(Path::new("."));
        let failed = |error| Error::io("put down the dump in", folder, error);
        // It never has a name, or none any more: whatever becomes of us, the system takes it away.
        let mut file = tempfile::tempfile_in(folder).map_err(failed)?;
        put_down(&mut file, part, job, &failed)?;
        program.set(LAZY);
        program.command.arg(format!("--jobs={}", self.options.jobs));
        // Each connection opens it again, which a descriptor of ours in place of a name allows.
        program
            .command
            .arg(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
        let mut child = self.settings.spawn(program, job)?;
        child.close_stdin();
        child.close_stdout();
        self.judge(child.finish()?, false)
    }
}

/// Writes the dump in pieces that are restored sooner, and into its table of contents where each table's rows begin: in a pipe
/// `pg_dump` could not go back to do it, and `pg_restore` would search the whole file for each.
fn put_down(
    file: &mut File,
    part: &mut dyn PartReader,
    job: &JobControl,
    failed: &dyn Fn(std::io::Error) -> Error,
) -> Result<(), Error> {
    let mut relay = Relay::new(file, failed);
    each_block(part, job, &mut |bytes| relay.push(bytes).map(|()| true))?;
    for offset in relay.finish()? {
        file.write_all_at(&offset.bytes, offset.at).map_err(failed)?;
    }
    Ok(())
}

fn free_bytes(folder: &Path) -> Result<u64, Error> {
    let found = rustix::fs::statvfs(folder).map_err(|error| Error::io("look at the space in", folder, error))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}
