//! What restoring files would do, and every reason against it, found out without changing anything.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use backup_core::restore::{PlannedPart, Refusal, RefusalCode, Replaced, RestorePart, TargetPlan};
use backup_core::{JobControl, PipelineError};
use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags, accessat, statvfs};
use rustix::io::Errno;

use super::{FilesTarget, FolderSwap};
use crate::Error;

mod exchange;
mod mounts;

impl FilesTarget {
    /// What a restore of `entries` files and folders with `needed_bytes` of content would do, with every reason against it.
    /// Changes nothing. Folders above that are missing would be made.
    ///
    /// # Errors
    /// Where even looking is not possible, or `Cancelled`.
    pub fn plan(&self, needed_bytes: u64, entries: u64, job: &JobControl) -> Result<TargetPlan, PipelineError> {
        job.check()?;
        let mut plan = begin(self.dir(), needed_bytes);
        let hint = "Name a folder that does not exist yet or is empty.";
        match std::fs::read_dir(self.dir()) {
            Ok(mut found) => {
                if found.next().is_some() {
                    let message = format!("the folder {} is not empty", self.dir().display());
                    refuse(&mut plan, RefusalCode::TargetNotEmpty, message, hint);
                }
            }
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound => {}
                std::io::ErrorKind::NotADirectory => {
                    let message = format!("{} is not a folder", self.dir().display());
                    refuse(&mut plan, RefusalCode::TargetUnreachable, message, hint);
                    return Ok(plan);
                }
                _ => {
                    let message = format!("{} cannot be looked into: {error}", self.dir().display());
                    refuse(&mut plan, RefusalCode::TargetUnreachable, message, RIGHTS);
                    return Ok(plan);
                }
            },
        }
        look_at_place(&mut plan, self.dir(), entries)?;
        Ok(plan)
    }
}

impl FolderSwap {
    /// What replacing the folder in use by `entries` restored files and folders with `needed_bytes` of content would do,
    /// with every reason against it. `keep_out` are this system's own folders, which must not give way. Changes nothing,
    /// but for two empty folders that are made beside the folder in use, exchanged, and removed at once.
    ///
    /// # Errors
    /// Where even looking is not possible, or `Cancelled`.
    pub fn plan(
        &self,
        needed_bytes: u64,
        entries: u64,
        keep_out: &[PathBuf],
        job: &JobControl,
    ) -> Result<TargetPlan, PipelineError> {
        job.check()?;
        let live = Path::new(&self.names().live);
        let mut plan = begin(live, needed_bytes);
        match live.symlink_metadata() {
            Ok(found) if found.is_dir() => {
                plan.part.replaces = Some(Replaced {
                    size_bytes: None,
                    sessions: 0,
                });
                exchange::look_at_mounts(&mut plan, live);
                exchange::look_at_own_folders(&mut plan, live, keep_out);
                exchange::look_at_owner(&mut plan, live, &found);
            }
            Ok(_) => {
                let message = format!("{} is not a folder", live.display());
                let hint = "Name the folder itself, or one that does not exist yet.";
                refuse(&mut plan, RefusalCode::NotReplaceable, message, hint);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let message = format!("{} cannot be looked at: {error}", live.display());
                refuse(&mut plan, RefusalCode::TargetUnreachable, message, RIGHTS);
                return Ok(plan);
            }
        }
        exchange::look_for_leftovers(&mut plan, self.names(), job)?;
        if look_at_place(&mut plan, &self.beside(), entries)? && plan.part.replaces.is_some() {
            exchange::try_out(&mut plan, &self.names().beside);
        }
        Ok(plan)
    }
}

/// The most that one file is taken to lose in its last block, in bytes: half of what disks have as a block.
const MOST_LOST: u64 = 2 << 10;

const RIGHTS: &str = "Give the user that this program runs as the rights to it.";

fn begin(target: &Path, needed_bytes: u64) -> TargetPlan {
    TargetPlan {
        part: PlannedPart {
            part: RestorePart::Files,
            target: target.display().to_string(),
            replaces: None,
            needed_bytes,
            free_bytes: None,
        },
        warnings: Vec::new(),
        refusals: Vec::new(),
    }
}

fn refuse(plan: &mut TargetPlan, code: RefusalCode, message: impl Into<String>, hint: &str) {
    plan.refusals.push(Refusal::new(code, message, hint));
}

/// Looks at where `dir` is or would be made: rights and room. `false`: nothing can be made there.
fn look_at_place(plan: &mut TargetPlan, dir: &Path, entries: u64) -> Result<bool, Error> {
    let absolute = std::path::absolute(dir).map_err(|error| Error::io("find", dir, error))?;
    let mut there = absolute.as_path();
    // The nearest that is there.
    while let Err(error) = there.metadata() {
        match (error.kind(), there.parent()) {
            (std::io::ErrorKind::NotFound, Some(parent)) if there.symlink_metadata().is_err() => there = parent,
            (kind, _) => {
                let message = format!("{} cannot be reached: {kind}", there.display());
                refuse(plan, RefusalCode::TargetUnreachable, message, RIGHTS);
                return Ok(false);
            }
        }
    }
    let missing = absolute.parent().filter(|above| *above != there && absolute != there);
    if let Some(missing) = missing {
        let missing = missing.display();
        plan.warnings
            .push(format!("the folder {missing} does not exist and would be made"));
    }
    if !rustix::process::geteuid().is_root() {
        plan.warnings.push(
            "this program does not run as root: owners are not restored, nor devices, nor programs that run with the \
             rights of another"
                .to_owned(),
        );
    }
    let can_write = look_at_rights(plan, there);
    look_at_room(plan, there, entries)?;
    Ok(can_write)
}

fn look_at_rights(plan: &mut TargetPlan, there: &Path) -> bool {
    if !there.is_dir() {
        let message = format!("{} is not a folder", there.display());
        let hint = "Name another place.";
        refuse(plan, RefusalCode::TargetUnreachable, message, hint);
        return false;
    }
    let (why, hint) = match accessat(CWD, there, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => return true,
        Err(Errno::ROFS) => (
            "is on a file system that is read-only",
            "Choose a place that can be written.",
        ),
        Err(_) => ("cannot be written by this program's user", RIGHTS),
    };
    let message = format!("the folder {} {why}", there.display());
    refuse(plan, RefusalCode::NotPermitted, message, hint);
    false
}

fn look_at_room(plan: &mut TargetPlan, there: &Path, entries: u64) -> Result<(), Error> {
    let found = statvfs(there).map_err(|error| Error::io("look at the free space of", there, error))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    plan.part.free_bytes = Some(free);
    let lost = lost_bytes(entries, found.f_frsize);
    let needed = plan.part.needed_bytes.saturating_add(lost);
    let hint = "Make room on the disk, or restore to another.";
    if needed > free {
        let message = format!(
            "about {needed} bytes are needed for the files at {}, and {free} are free",
            there.display()
        );
        refuse(plan, RefusalCode::NoSpace, message, hint);
    }
    // A file system without a fixed number of files says that it has none.
    if found.f_files > 0 && entries > found.f_favail && !found.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let message = format!(
            "{entries} files and folders are needed at {}, and its file system has room for {}",
            there.display(),
            found.f_favail
        );
        refuse(plan, RefusalCode::NoSpace, message, hint);
    }
    Ok(())
}

/// What is lost in the last blocks: on average half of each. A network's file system calls a block what it sends at once,
/// often a mebibyte, which no file takes up.
fn lost_bytes(entries: u64, block: u64) -> u64 {
    entries.saturating_mul((block / 2).min(MOST_LOST))
}

/// Whether only the owner of what is in this folder may rename it.
fn is_sticky(folder: &std::fs::Metadata) -> bool {
    folder.mode() & 0o1000 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_loses_no_more_than_half_a_block_of_a_disk() {
        assert_eq!(lost_bytes(1_000_000, 512), 256_000_000);
        assert_eq!(lost_bytes(1_000_000, 4 << 10), 2_048_000_000);
        assert_eq!(lost_bytes(1_000_000, 1 << 20), 2_048_000_000);
        assert_eq!(lost_bytes(u64::MAX, 1 << 20), u64::MAX);
    }
}
