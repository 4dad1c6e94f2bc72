//! Whether a folder in use can be exchanged for another as a whole.

use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use backup_core::restore::{RefusalCode, ReplacedFolder, TargetPlan};
use backup_core::{EntryPath, JobControl};
use rustix::io::Errno;

use super::mounts::mount_points;
use super::{RIGHTS, is_sticky, refuse};
use crate::Error;
use crate::files::swap;

/// The most leftovers that are named.
const SHOWN: usize = 5;

/// A mount point cannot be renamed; what is mounted inside would go along to where the state before is kept, and be missing.
pub(super) fn look_at_mounts(plan: &mut TargetPlan, live: &Path) {
    for point in mount_points().iter().filter(|point| point.starts_with(live)) {
        let (message, hint) = if point == live {
            (
                format!("{} is a mount point, which cannot be exchanged", live.display()),
                "Restore into a new folder, or mount the folder above it.",
            )
        } else {
            (
                format!("{} is mounted inside of {}", point.display(), live.display()),
                "Unmount it for the restore, or restore into a new folder.",
            )
        };
        refuse(plan, RefusalCode::NotReplaceable, message, hint);
    }
}

/// This system's own folders must not be put aside under it.
pub(super) fn look_at_own_folders(plan: &mut TargetPlan, live: &Path, keep_out: &[PathBuf]) {
    for own in keep_out {
        let real = own.canonicalize().or_else(|_| std::path::absolute(own));
        if real.unwrap_or_else(|_| own.clone()).starts_with(live) {
            let message = format!("{} holds {}, which this system needs", live.display(), own.display());
            let hint = "Restore into a new folder, or move this system's data elsewhere.";
            refuse(plan, RefusalCode::HoldsThisSystem, message, hint);
        }
    }
}

/// In a folder like `/tmp` only its owner may rename what stands there.
pub(super) fn look_at_owner(plan: &mut TargetPlan, live: &Path, found: &Metadata) {
    let user = rustix::process::geteuid();
    let above = live.parent().and_then(|above| above.metadata().ok());
    let Some(above) = above.filter(is_sticky) else { return };
    if !user.is_root() && ![found.uid(), above.uid()].contains(&user.as_raw()) {
        let message = format!("only its owner may rename {}", live.display());
        refuse(plan, RefusalCode::NotPermitted, message, RIGHTS);
    }
}

/// What earlier restores kept or left beside. What this one left it removes itself.
pub(super) fn look_for_leftovers(plan: &mut TargetPlan, names: &ReplacedFolder, job: &JobControl) -> Result<(), Error> {
    let live = Path::new(&names.live);
    let (Some(above), Some(name)) = (live.parent(), live.file_name()) else {
        return Ok(());
    };
    let above = if above.as_os_str().is_empty() {
        Path::new(".")
    } else {
        above
    };
    let mut begin = OsString::from(".");
    begin.push(name);
    begin.push(".restore-");
    let own = Path::new(&names.beside).file_name().unwrap_or_default();
    let mut found = Vec::new();
    // Where it cannot be listed, it is told that it cannot be written, or there is nothing.
    for entry in std::fs::read_dir(above).into_iter().flatten().flatten() {
        job.check()?;
        let name = entry.file_name();
        let bytes = name.as_bytes();
        if bytes.starts_with(begin.as_bytes()) && !bytes.starts_with(own.as_bytes()) {
            found.push(EntryPath::show(above.join(name).as_os_str().as_bytes()));
        }
    }
    if !found.is_empty() {
        found.sort();
        let more = found.len().saturating_sub(SHOWN);
        found.truncate(SHOWN);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let message = format!("an earlier restore kept or left {}{more}", found.join(", "));
        let hint = "Confirm the earlier restore or roll it back; remove by hand what no restore knows any more.";
        refuse(plan, RefusalCode::InTheWay, message, hint);
    }
    Ok(())
}

/// Exchanges two empty folders, to see whether the file system can.
pub(super) fn try_out(plan: &mut TargetPlan, beside: &str) {
    // Not a name that passes for what a restore kept.
    let (above, id) = beside.rsplit_once(".restore-").unwrap_or((beside, ""));
    let names = ["one", "other"].map(|which| format!("{above}.try-{id}.{which}"));
    let clear = || {
        for name in &names {
            // Where a plan was killed, there are some of it.
            let _ = std::fs::remove_dir(name);
        }
    };
    clear();
    let made = names
        .iter()
        .try_for_each(|name| std::fs::DirBuilder::new().mode(0o700).create(name));
    let result = match made {
        Ok(()) => swap::exchange(&names[0], &names[1]),
        Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
    };
    clear();
    match result {
        Ok(()) => {}
        Err(error) if swap::is_unable(error) => {
            let message = format!("the file system of {} cannot exchange two folders", plan.part.target);
            let hint = "Restore into a new folder, and exchange the two by hand.";
            refuse(plan, RefusalCode::NotReplaceable, message, hint);
        }
        Err(error) => {
            let message = format!("no folder can be made beside {}: {error}", plan.part.target);
            refuse(plan, RefusalCode::NotPermitted, message, RIGHTS);
        }
    }
}
