//! Copies of what was restored already, where the file system takes no further name of it.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use backup_core::{Entry, EntryKind, EntryPath, WarningCode};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fchmod, fstat, major, minor, openat, readlinkat, statat};
use rustix::io::{Errno, pread};

use super::{BLOCK, Restorer, write_at};
use crate::Error;
use crate::files::content::data_ranges;
use crate::files::metadata::{Xattrs, entry, xattrs_of_name, xattrs_of_open};
use crate::files::mode::set_mode_of;

impl Restorer<'_> {
    /// Makes `name`, which is to stand at `path`, as a copy of what stands as `last` in `above`, with all that this was given.
    pub(super) fn copy_again(
        &mut self,
        path: &EntryPath,
        name: &CStr,
        above: BorrowedFd<'_>,
        last: &CStr,
    ) -> Result<(), Error> {
        let failed = |error: Errno| Error::io("copy", path.to_string(), error);
        let stat = statat(above, last, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => self.copy_file(path, name, above, last),
            FileType::Symlink => {
                let target = readlinkat(above, last, Vec::new()).map_err(failed)?.into_bytes();
                let kind = EntryKind::Symlink { target: target.clone() };
                let entry = self.found(path, kind, &stat, xattrs_of_name(above, last));
                self.symlink(&entry, name, &target)
            }
            file_type @ (FileType::Fifo | FileType::CharacterDevice | FileType::BlockDevice) => {
                // What gives it its metadata only asks whether it is a link.
                let entry = self.found(path, EntryKind::Fifo, &stat, xattrs_of_name(above, last));
                self.special(&entry, name, file_type, (major(stat.st_rdev), minor(stat.st_rdev)))
            }
            _ => Err(failed(Errno::INVAL)),
        }
    }

    fn copy_file(&mut self, path: &EntryPath, name: &CStr, above: BorrowedFd<'_>, last: &CStr) -> Result<(), Error> {
        let failed = |error: Errno| Error::io("copy", path.to_string(), error);
        let from = open_again(above, last).map_err(failed)?;
        let stat = fstat(&from).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(failed(Errno::INVAL));
        }
        let entry = self.found(
            path,
            EntryKind::File { data: None },
            &stat,
            xattrs_of_open(from.as_fd()),
        );
        let data = data_ranges(from.as_fd(), entry.size);
        let file = self.create_file(path, name)?;
        let whole = [(0, entry.size)];
        for (start, length) in data.as_deref().unwrap_or(&whole) {
            let (mut offset, end) = (*start, start + length);
            while offset < end {
                self.job.check()?;
                let wanted = BLOCK.min(usize::try_from(end - offset).unwrap_or(BLOCK));
                match pread(&from, &mut self.buffer[..wanted], offset) {
                    Ok(0) => {
                        return Err(Error::refused(
                            format!("'{path}' cannot be copied: its other name was cut short while it was restored"),
                            "Keep others out of the folder meanwhile, or name another one.",
                        ));
                    }
                    Ok(read) => {
                        write_at(&file, &self.buffer[..read], offset).map_err(failed)?;
                        offset += read as u64;
                    }
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        self.end_file(&entry, &file, data.is_some())
    }

    /// The entry of what was restored, as a backup would find it.
    fn found(&self, path: &EntryPath, kind: EntryKind, stat: &Stat, xattrs: Xattrs) -> Entry {
        if let Some(unread) = &xattrs.unread {
            self.job
                .warn(WarningCode::Other, Some(path.to_string()), unread.as_str());
        }
        entry(path.clone(), kind, stat, xattrs, &self.owners)
    }
}

/// Opens a restored file to read it, which its mode may forbid to a plain user who owns it.
fn open_again(above: BorrowedFd<'_>, last: &CStr) -> Result<OwnedFd, Errno> {
    let open = || {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(above, last, flags, Mode::empty())
    };
    let opened = open();
    if !matches!(opened, Err(Errno::ACCESS)) {
        return opened;
    }
    let stat = statat(above, last, AtFlags::SYMLINK_NOFOLLOW)?;
    let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
    set_mode_of(above, last, mode | Mode::RUSR, |kind| kind == FileType::RegularFile)?;
    let file = open()?;
    fchmod(&file, mode)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink};
    use std::time::Duration;

    use backup_core::JobControl;
    use rustix::fs::{CWD, Timespec, Timestamps, chmodat, mknodat, utimensat};

    use super::*;
    use crate::files::Made;

    #[test]
    fn a_copy_has_kind_content_holes_and_metadata_of_the_first_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let size = 4 << 20;
        let file = File::create(at("file")).unwrap();
        file.set_len(size).unwrap();
        file.write_all_at(b"data", size / 2).unwrap();
        symlink("nowhere", at("link")).unwrap();
        mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // One that a plain user may not open.
        for (name, mode) in [("file", 0o060), ("pipe", 0o640)] {
            chmodat(CWD, at(name), Mode::from_raw_mode(mode), AtFlags::empty()).unwrap();
        }
        let time = |tv_sec: i64, tv_nsec: i64| Timespec { tv_sec, tv_nsec };
        let times = Timestamps {
            last_access: time(1, 0),
            last_modification: time(1_000_000_000, 5),
        };
        let (mut made, job) = (Made::default(), JobControl::new(Duration::from_secs(20)));
        let mut restorer = Restorer::new(folder.path(), true, &mut made, &job).unwrap();
        let root = File::open(folder.path()).unwrap();
        for (name, copy, other) in [
            (c"file", c"file again", "file again"),
            (c"link", c"link again", "link again"),
            (c"pipe", c"pipe again", "pipe again"),
        ] {
            utimensat(&root, name, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
            let path = EntryPath::new(other).unwrap();
            restorer.copy_again(&path, copy, root.as_fd(), name).unwrap();
            let (first, again) = (
                fs::symlink_metadata(at(name.to_str().unwrap())).unwrap(),
                fs::symlink_metadata(at(other)).unwrap(),
            );
            let told = |found: &fs::Metadata| {
                let owner = (found.uid(), found.gid());
                (found.mode(), owner, found.mtime(), found.mtime_nsec(), found.size())
            };
            assert_eq!(told(&first), told(&again), "{other}");
            assert_ne!(first.ino(), again.ino(), "{other}");
        }
        assert!(fs::metadata(at("file again")).unwrap().blocks() * 512 < size / 2);
        assert_eq!(fs::read_link(at("link again")).unwrap().to_str(), Some("nowhere"));
        for name in ["file", "file again"] {
            chmodat(CWD, at(name), Mode::RUSR, AtFlags::empty()).unwrap();
        }
        assert_eq!(fs::read(at("file")).unwrap(), fs::read(at("file again")).unwrap());
        assert_eq!(job.warnings(), []);
    }

    #[test]
    fn a_link_that_somebody_puts_in_the_place_of_a_pipe_opens_nothing() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (pipe, secret) = (folder.path().join("pipe"), outside.path().join("secret"));
        fs::write(&secret, "").unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        fs::set_permissions(&pipe, Permissions::from_mode(0o666)).unwrap();
        let root = File::open(folder.path()).unwrap();
        let (mut made, job) = (Made::default(), JobControl::new(Duration::from_secs(20)));
        let mut restorer = Restorer::new(folder.path(), true, &mut made, &job).unwrap();
        let stat = statat(&root, c"pipe", AtFlags::SYMLINK_NOFOLLOW).unwrap();
        let path = EntryPath::new("pipe").unwrap();
        let entry = restorer.found(&path, EntryKind::Fifo, &stat, xattrs_of_name(root.as_fd(), c"pipe"));
        restorer.finish_name(&entry, c"pipe").unwrap();
        fs::remove_file(&pipe).unwrap();
        symlink(&secret, &pipe).unwrap();
        restorer.finish_name(&entry, c"pipe").unwrap_err();
        assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o777, 0o600);
    }
}
