//! Opening what is saved and looking at it, without following a link, and without waiting for anybody but
//! those to whom a file is lent.

use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use backup_core::JobControl;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, fstatfs, openat, statat};
use rustix::io::Errno;

use super::dirs::open_dir;
use super::walk::Walk;
use crate::Error;

/// How often, and with what pause, a file is asked for again that is lent to another program: for a minute.
const LEASE_TRIES: u32 = 300;
const LEASE_PAUSE: Duration = Duration::from_millis(200);

/// File systems that hold no files of anybody: kernel interfaces, by `statfs` type.
const PSEUDO: [u32; 18] = [
    0x9fa0,
    0x6265_6572,
    0x1cd1,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0x6165_676c,
    0xcafe_4a11,
    0x6265_6570,
    0xde5e_81e4,
    0x1980_0202,
    0x9584_58f6,
    0x4249_4e4d,
    0xf97c_ff8c,
    0x6e73_6673,
    0x0187,
];

/// What the folder `root` is. Whoever may go through a folder may look at it, also without the right to list it.
pub(crate) fn look_at_folder(root: &Path) -> Result<(OwnedFd, Stat), Error> {
    let fd = open_root(root, OFlags::DIRECTORY | OFlags::PATH)?;
    let stat = fstat(&fd).map_err(|error| Error::io("look at", root, error))?;
    Ok((fd, stat))
}

/// Opens where a tree begins, which may itself be a link.
pub(super) fn open_root(root: &Path, flags: OFlags) -> Result<OwnedFd, Error> {
    let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    openat(CWD, root, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOENT | Errno::NOTDIR => Error::refused(
            format!("{} does not exist", root.display()),
            "Create it, mount it, or name the right one (UPLOAD_DIR, BACKUP_CONFIG_PATHS).",
        ),
        error => Error::io("open", root, error),
    })
}

/// The same as [`open_and_look`], once another program has given the file back that it was lent to alone, as file servers do for
/// their clients (fcntl(2), leases): the first try has the kernel ask for it, and take it within the time of `lease-break-time`,
/// by default 45 seconds.
pub(super) fn open_in_time(
    walk: &Walk,
    name: &CStr,
    file_type: FileType,
    job: &JobControl,
) -> Result<Result<(Option<OwnedFd>, Stat), Errno>, Error> {
    let mut tries = LEASE_TRIES;
    loop {
        match open_and_look(walk, name, file_type) {
            Err(Errno::AGAIN) if tries > 0 => tries -= 1,
            looked => return Ok(looked),
        }
        job.check()?;
        std::thread::sleep(LEASE_PAUSE);
    }
}

/// Opens what the listing says is a file or a folder; without its descriptor where it is something else by now.
fn open_and_look(walk: &Walk, name: &CStr, file_type: FileType) -> Result<(Option<OwnedFd>, Stat), Errno> {
    let dir = walk.dir()?;
    let fd = if file_type == FileType::Directory {
        open_dir(dir, name)?
    } else {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        openat(dir, name, flags, Mode::empty())?
    };
    let stat = fstat(&fd)?;
    // What took a file's place between listing and opening is looked at again.
    let same = FileType::from_raw_mode(stat.st_mode) == file_type;
    Ok((same.then_some(fd), stat))
}

/// Looks at what cannot be opened.
pub(super) fn look(walk: &Walk, name: &CStr) -> Result<Stat, Errno> {
    statat(walk.dir()?, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Looks once more at what could not be read: it was removed too where its folder was.
pub(super) fn look_again(walk: &Walk, name: &CStr) -> Result<Stat, Errno> {
    match look(walk, name) {
        Err(Errno::STALE) if walk.is_removed() => Err(Errno::NOENT),
        looked => looked,
    }
}

/// Looks whether the folder that the walk has stepped into is still there: a removed one has no links.
pub(super) fn look_at_entered(walk: &Walk) -> Result<Stat, Errno> {
    match fstat(walk.dir()?) {
        Ok(stat) if stat.st_nlink == 0 => Err(Errno::NOENT),
        _ if walk.is_removed() => Err(Errno::NOENT),
        looked => looked,
    }
}

/// Whether a file system of the kernel is mounted there.
pub(super) fn is_pseudo(dir: BorrowedFd<'_>) -> bool {
    fstatfs(dir).is_ok_and(|file_system| PSEUDO.contains(&(file_system.f_type as u32)))
}
