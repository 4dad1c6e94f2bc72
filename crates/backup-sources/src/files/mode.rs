//! Modes of what is not opened to be read, set without following a link.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{FileType, Mode, OFlags, chmod, fstat, openat};
use rustix::io::Errno;

/// Sets the mode of what is open, though it be open as a place alone.
pub(super) fn set_mode(place: BorrowedFd<'_>, mode: Mode) -> Result<(), Errno> {
    chmod(format!("/proc/self/fd/{}", place.as_raw_fd()), mode)
}

/// Sets the mode of `name` in `parent`, which must be of a kind that `is_meant`: whoever else may write there could have put a
/// link to something of ours in its place, or a further name of it.
pub(super) fn set_mode_of(
    parent: BorrowedFd<'_>,
    name: &CStr,
    mode: Mode,
    is_meant: impl FnOnce(FileType) -> bool,
) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = openat(parent, name, flags, Mode::empty())?;
    let kind = FileType::from_raw_mode(fstat(&place)?.st_mode);
    if kind == FileType::Symlink || !is_meant(kind) {
        return Err(Errno::LOOP);
    }
    set_mode(place.as_fd(), mode)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn no_link_is_followed_and_what_is_meant_need_not_be_readable() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o7777;
        fs::write(at("file"), "").unwrap();
        fs::set_permissions(at("file"), Permissions::from_mode(0o000)).unwrap();
        fs::create_dir(at("folder")).unwrap();
        symlink("file", at("link")).unwrap();
        let parent = File::open(folder.path()).unwrap();
        let set = |name: &CStr, kind: FileType| {
            set_mode_of(parent.as_fd(), name, Mode::RUSR | Mode::XUSR, |found| found == kind)
        };
        for kind in [FileType::RegularFile, FileType::Symlink] {
            assert_eq!(set(c"link", kind), Err(Errno::LOOP));
        }
        assert_eq!(set(c"file", FileType::Directory), Err(Errno::LOOP));
        assert_eq!(mode("file"), 0);
        set(c"file", FileType::RegularFile).unwrap();
        set(c"folder", FileType::Directory).unwrap();
        assert_eq!((mode("file"), mode("folder")), (0o500, 0o500));
    }
}
