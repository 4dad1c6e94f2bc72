//! Further names of files, pipes and devices.

use std::ffi::CStr;
use std::os::fd::AsFd;

use backup_core::{Entry, EntryPath};
use rustix::fs::{AtFlags, FileType, Mode, linkat, lremovexattr, makedev, mknodat, statat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::access::ACCESS_LISTS;
use super::{Restorer, c_name, hostile, made};
use crate::Error;
use crate::files::dirs::open_place;
use crate::files::metadata::name_under_proc;

/// So many devices are remembered at the most: no archive of ours has as many.
const MOST_LEFT_OUT: usize = 10_000;

impl Restorer<'_> {
    pub(super) fn hard_link(
        &mut self,
        entry: &Entry,
        name: &CStr,
        target: &EntryPath,
        wanted: &[EntryPath],
    ) -> Result<(), Error> {
        if *target >= entry.path {
            return Err(hostile(&entry.path, "it is a link to what does not come before it"));
        }
        if self.left_out.contains(target) {
            self.leave_out(entry);
            return Ok(());
        }
        if !wanted.is_empty() && !wanted.iter().any(|path| target.is_under(path)) {
            return Err(Error::refused(
                format!("{} is another name of {target}, which was not asked for", entry.path),
                format!("Restore {target} as well."),
            ));
        }
        let parts: Vec<&[u8]> = target.components().collect();
        let Some((last, parents)) = parts.split_last() else {
            return Err(hostile(&entry.path, "it is a link to the root"));
        };
        let root = self.dirs.root().and_then(|root| fcntl_dupfd_cloexec(root, 0));
        let mut above = root.map_err(|error| made(&entry.path, error))?;
        for part in parents {
            // The restored mode may allow to go through a folder and not to list it.
            above = open_place(above.as_fd(), &c_name(part, target)?).map_err(|error| made(&entry.path, error))?;
        }
        let last = c_name(last, target)?;
        let linked = linkat(&above, &last, self.dir(&entry.path)?, name, AtFlags::empty());
        linked.map_err(|error| {
            let is_folder = statat(&above, &last, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
            match error {
                Errno::NOENT => hostile(&entry.path, "it is a link to what was not restored"),
                Errno::PERM if is_folder => hostile(&entry.path, "it is a link to a folder"),
                // As a file system without hard links says.
                error => self.cannot_make(&entry.path, name, error),
            }
        })?;
        self.note(name);
        Ok(())
    }

    pub(super) fn special(
        &mut self,
        entry: &Entry,
        name: &CStr,
        kind: FileType,
        device: (u32, u32),
    ) -> Result<(), Error> {
        let dir = self.dir(&entry.path)?;
        match mknodat(dir, name, kind, Mode::RUSR | Mode::WUSR, makedev(device.0, device.1)) {
            Ok(()) => {
                if self.inherits {
                    // Mostly there is none.
                    let _ = lremovexattr(name_under_proc(dir, name).as_slice(), ACCESS_LISTS[0]);
                }
                self.note(name);
                self.finish_name(entry, name)
            }
            Err(Errno::PERM) if kind != FileType::Fifo => {
                self.leave_out(entry);
                Ok(())
            }
            Err(error) => Err(self.cannot_make(&entry.path, name, error)),
        }
    }

    fn leave_out(&mut self, entry: &Entry) {
        self.warn(entry, "a device can only be made by root: it was left out");
        if self.left_out.len() < MOST_LEFT_OUT {
            self.left_out.insert(entry.path.clone());
        }
    }
}
