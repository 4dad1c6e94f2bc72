//! Further names of files, links, pipes and devices.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

use backup_core::{Entry, EntryPath};
use rustix::fs::{AtFlags, FileType, Mode, linkat, lremovexattr, makedev, mknodat, statat, symlinkat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::access::ACCESS_LISTS;
use super::{Restorer, c_name, hostile, made};
use crate::Error;
use crate::files::dirs::open_place;
use crate::files::metadata::name_under_proc;

/// So many devices are remembered at the most: no archive of ours has as many.
const MOST_LEFT_OUT: usize = 10_000;
/// So many names are remembered at the most that can have no further ones: a file system that is usual allows ten thousands of
/// each. Of more, each further name becomes a copy.
const MOST_COPIES: usize = 10_000;

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
        let copy = self.copies.get(target).cloned();
        let from = copy.as_ref().unwrap_or(target);
        let parts: Vec<&[u8]> = from.components().collect();
        let Some((last, parents)) = parts.split_last() else {
            return Err(hostile(&entry.path, "it is a link to the root"));
        };
        let root = self.dirs.root().and_then(|root| fcntl_dupfd_cloexec(root, 0));
        let mut above = root.map_err(|error| made(&entry.path, error))?;
        for part in parents {
            // The restored mode may allow to go through a folder and not to list it.
            above = open_place(above.as_fd(), &c_name(part, from)?).map_err(|error| made(&entry.path, error))?;
        }
        let last = c_name(last, from)?;
        let Err(error) = linkat(&above, &last, self.dir(&entry.path)?, name, AtFlags::empty()) else {
            self.note(name);
            return Ok(());
        };
        let is_folder = statat(&above, &last, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
        match error {
            Errno::NOENT => Err(hostile(&entry.path, "it is a link to what was not restored")),
            Errno::PERM if is_folder => Err(hostile(&entry.path, "it is a link to a folder")),
            error if !takes_no_name(error) => Err(self.cannot_make(&entry.path, name, error)),
            error if !self.may_copy => Err(Error::refused(
                format!(
                    "the file system does not take {} as another name of {target}: {error}",
                    entry.path
                ),
                "Choose a folder on another file system.",
            )),
            error => {
                self.copy_again(&entry.path, name, above.as_fd(), &last)?;
                self.withheld.names.add(|| entry.path.to_string());
                if error == Errno::MLINK && self.copies.len() < MOST_COPIES {
                    self.copies.insert(target.clone(), entry.path.clone());
                }
                Ok(())
            }
        }
    }

    pub(super) fn symlink(&mut self, entry: &Entry, name: &CStr, target: &[u8]) -> Result<(), Error> {
        let link = CString::new(target).map_err(|_| hostile(&entry.path, "its target holds NUL"))?;
        symlinkat(link.as_c_str(), self.dir(&entry.path)?, name)
            .map_err(|error| self.cannot_make(&entry.path, name, error))?;
        self.note(name);
        self.finish_name(entry, name)
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

/// Whether a file system that answers link(2) so takes no further name of the file, where another would: it has as many as it
/// can have, there are no hard links at all, or none from that folder into this one.
fn takes_no_name(error: Errno) -> bool {
    matches!(
        error,
        Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::XDEV
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_further_name_can_be_had_of_is_copied() {
        for error in [
            Errno::MLINK,
            Errno::PERM,
            Errno::NOTSUP,
            Errno::OPNOTSUPP,
            Errno::NOSYS,
            Errno::XDEV,
        ] {
            assert!(takes_no_name(error), "{error}");
        }
        for error in [
            Errno::NOENT,
            Errno::EXIST,
            Errno::ACCESS,
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::ROFS,
            Errno::IO,
        ] {
            assert!(!takes_no_name(error), "{error}");
        }
    }
}
