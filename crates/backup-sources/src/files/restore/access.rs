//! Access lists that a new file takes over from its folder, and folders that would be closed to us too early.

use std::os::fd::{AsFd, BorrowedFd};

use backup_core::EntryPath;
use rustix::fs::{FileType, Mode, fgetxattr, fremovexattr};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::{Restorer, c_name, made};
use crate::Error;
use crate::files::dirs::open_place;
use crate::files::metadata::ACCESS_LIST;
use crate::files::mode::set_mode_of;

/// The attributes that hold access lists: of a file itself, and what a folder gives to new files in it.
pub(super) const ACCESS_LISTS: [&str; 2] = [ACCESS_LIST, "system.posix_acl_default"];
/// The most memory that folders waiting to be closed may take, in bytes.
const BUDGET: usize = 16 * 1024 * 1024;

/// Whether what is made in this folder takes over an access list from it.
pub(super) fn is_inherited(folder: BorrowedFd<'_>) -> bool {
    let found = fgetxattr(folder, ACCESS_LISTS[1], &mut [0; 1]);
    !matches!(found, Err(Errno::NODATA | Errno::NOTSUP))
}

/// Takes away the access lists of a new file or folder: those of the archive come later.
pub(super) fn take_away(file: BorrowedFd<'_>) {
    for list in ACCESS_LISTS {
        // Mostly there is none.
        let _ = fremovexattr(file, list);
    }
}

/// Folders that their owner may not go through. They are closed at the end, since hard links in other folders may lead
/// through them.
#[derive(Default)]
pub(super) struct ClosedFolders {
    waiting: Vec<(EntryPath, Mode)>,
    used: usize,
}

impl ClosedFolders {
    /// The mode that the folder has until the end.
    pub(super) fn keep_open(&mut self, path: &EntryPath, mode: Mode) -> Mode {
        let cost = path.as_bytes().len() + size_of::<(EntryPath, Mode)>();
        if path.is_root() || mode.contains(Mode::XUSR) || self.used + cost > BUDGET {
            return mode;
        }
        self.used += cost;
        self.waiting.push((path.clone(), mode));
        mode | Mode::XUSR
    }
}

impl Restorer<'_> {
    /// Gives the folders that were kept open the modes that they had.
    pub(super) fn close_folders(&mut self) -> Result<(), Error> {
        // The inner ones were left before the outer ones, which may not be gone through once they are closed.
        for (path, mode) in std::mem::take(&mut self.closed.waiting) {
            let parts: Vec<&[u8]> = path.components().collect();
            let Some((last, parents)) = parts.split_last() else {
                continue;
            };
            let root = self.dirs.root().and_then(|root| fcntl_dupfd_cloexec(root, 0));
            let mut above = root.map_err(|error| made(&path, error))?;
            for part in parents {
                above = open_place(above.as_fd(), &c_name(part, &path)?).map_err(|error| made(&path, error))?;
            }
            let is_folder = |kind: FileType| kind == FileType::Directory;
            set_mode_of(above.as_fd(), &c_name(last, &path)?, mode, is_folder)
                .map_err(|error| Error::io("set the mode of", path.to_string(), error))?;
        }
        Ok(())
    }
}
