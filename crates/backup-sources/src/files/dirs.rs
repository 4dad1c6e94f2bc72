//! A chain of open folders, from a tree's root down to where we are.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, fstat, openat};
use rustix::io::Errno;

/// How many folders of the chain are kept open. Those above are opened again on the way back, so that a tree may be as deep
/// as it likes.
const OPEN: usize = 100;

/// A chain of folders; at least the root is in it.
pub(super) struct Dirs {
    chain: Vec<Dir>,
}

struct Dir {
    fd: Option<OwnedFd>,
    id: (u64, u64),
}

/// Opens the folder `name` in `parent` without following a link.
pub(super) fn open_dir(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(
        parent,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// The folder `name` in `parent` as a place to go through only, which needs no right to list it.
pub(super) fn open_place(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(
        parent,
        name,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

impl Dirs {
    /// The chain of `root` alone.
    pub(super) fn new(root: OwnedFd) -> Result<Self, Errno> {
        let mut dirs = Self { chain: Vec::new() };
        dirs.push(root)?;
        Ok(dirs)
    }

    /// The lowest folder.
    pub(super) fn last(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.chain
            .last()
            .and_then(|dir| dir.fd.as_ref())
            .map(AsFd::as_fd)
            .ok_or(Errno::NOENT)
    }

    /// Device and number of the lowest folder.
    pub(super) fn last_id(&self) -> Option<(u64, u64)> {
        self.chain.last().map(|dir| dir.id)
    }

    /// The root.
    pub(super) fn root(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.chain
            .first()
            .and_then(|dir| dir.fd.as_ref())
            .map(AsFd::as_fd)
            .ok_or(Errno::NOENT)
    }

    /// Steps down into `fd`.
    pub(super) fn push(&mut self, fd: OwnedFd) -> Result<(), Errno> {
        let stat = fstat(&fd)?;
        self.chain.push(Dir {
            fd: Some(fd),
            id: (stat.st_dev, stat.st_ino),
        });
        // The root stays open: hard links are looked up from it.
        if let Some(far) = self.chain.len().checked_sub(OPEN).filter(|far| *far > 0) {
            self.chain[far].fd = None;
        }
        Ok(())
    }

    /// Steps up. An error where the folder above is no longer the one that we came from; then [`Self::last`] fails, and the
    /// next step up too unless that folder is still open.
    pub(super) fn pop(&mut self) -> Result<(), Errno> {
        let Some(left) = self.chain.pop() else { return Ok(()) };
        let Some(above) = self.chain.last_mut().filter(|above| above.fd.is_none()) else {
            return Ok(());
        };
        let from = left.fd.ok_or(Errno::NOENT)?;
        let fd = open_dir(from.as_fd(), c"..")?;
        let stat = fstat(&fd)?;
        if (stat.st_dev, stat.st_ino) != above.id {
            return Err(Errno::NOENT);
        }
        above.fd = Some(fd);
        Ok(())
    }
}
