//! Removes trees of any depth and size.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use backup_core::{EntryPath, JobControl};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, StatxAttributes, StatxFlags, open, openat, statat, statx, unlink,
    unlinkat,
};
use rustix::io::Errno;

use super::dirs::{Dirs, open_dir, open_place};
use super::mode::set_mode;
use crate::Error;

/// Bytes of folder entries that the system hands over at once.
const LISTING: usize = 32 * 1024;
/// How many folders of one listing are remembered.
const REMEMBERED: usize = 256;

/// Removes what stands at `path`, a folder with all that it holds or anything else; nothing where nothing is there. Never
/// follows a link and never enters what is mounted inside, which is an error. Cancelled or killed, it leaves a part, and
/// removes the rest when it is called again. Only the upper part of `path` may lead through links.
pub(super) fn remove_tree(path: &Path, job: &JobControl) -> Result<(), Error> {
    let failed = |error: Errno| Error::io("remove", path, error);
    match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {}
        Ok(_) => return unlink(path).map_err(failed),
    }
    empty_folder(path, job)?;
    match unlinkat(CWD, path, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) | Ok(()) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// The same for those of `names` that stand in the folder `path`, which is no link. What else is in it stays.
pub(super) fn remove_names<'a>(
    path: &Path,
    names: impl Iterator<Item = &'a CStr>,
    job: &JobControl,
) -> Result<(), Error> {
    let root = enter_root(path)?;
    for name in names {
        let full = path.join(OsStr::from_bytes(name.to_bytes()));
        match unlinkat(&root, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => remove_tree(&full, job)?,
            Err(error) => return Err(Error::io("remove", full, error)),
        }
    }
    Ok(())
}

/// The same for all that the folder `path`, which is no link, holds.
fn empty_folder(path: &Path, job: &JobControl) -> Result<(), Error> {
    let failed = |error: Errno| Error::io("remove", path, error);
    let root = enter_root(path)?;
    let mut walk = Removal {
        root: path,
        dirs: Dirs::new(root).map_err(failed)?,
        levels: vec![Level::default()],
        job,
        listing: vec![MaybeUninit::uninit(); LISTING],
    };
    walk.run()
}

fn enter_root(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let entered = open(path, flags, Mode::empty()).and_then(|place| enter(&place));
    entered.map_err(|error| Error::io("remove", path, error))
}

struct Removal<'a> {
    root: &'a Path,
    dirs: Dirs,
    /// For each folder of `dirs` what is known of it.
    levels: Vec<Level>,
    job: &'a JobControl,
    listing: Vec<MaybeUninit<u8>>,
}

#[derive(Default)]
struct Level {
    name: CString,
    /// Some of the folders in it.
    folders: Vec<CString>,
}

impl Removal<'_> {
    fn run(&mut self) -> Result<(), Error> {
        while let Some(level) = self.levels.last_mut() {
            self.job.check()?;
            if let Some(name) = level.folders.pop() {
                self.step_down(&name)?;
                self.levels.push(Level {
                    name,
                    folders: Vec::new(),
                });
            } else if !self.remove_files()? {
                self.leave()?;
            }
        }
        Ok(())
    }

    fn step_down(&mut self, name: &CStr) -> Result<(), Error> {
        let place = self.dirs.last().and_then(|dir| open_place(dir, name));
        let place = place.map_err(|error| self.failed(name, error))?;
        self.check_mount(&place, name)?;
        let entered = enter(&place).and_then(|fd| self.dirs.push(fd));
        entered.map_err(|error| self.failed(name, error))
    }

    /// Removes what stands in the current folder and is no folder, and remembers folders. `false`: it is empty.
    fn remove_files(&mut self) -> Result<bool, Error> {
        let mut folders: Vec<CString> = Vec::new();
        let mut wrong: Option<(CString, Errno)> = None;
        let dir = self.dirs.last().map_err(|error| self.failed(c".", error))?;
        let anew = openat(
            dir,
            c".",
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let anew = anew.map_err(|error| self.failed(c".", error))?;
        let mut listing = RawDir::new(&anew, &mut self.listing);
        while let Some(entry) = listing.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    wrong = Some((c".".to_owned(), error));
                    break;
                }
            };
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if entry.file_type() == FileType::Directory {
                folders.push(name.to_owned());
            } else {
                match unlinkat(dir, name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    // The listing need not say what it is.
                    Err(Errno::ISDIR) => folders.push(name.to_owned()),
                    Err(error) => {
                        wrong = Some((name.to_owned(), error));
                        break;
                    }
                }
            }
            if folders.len() == REMEMBERED {
                break;
            }
            self.job.check()?;
        }
        if let Some((name, error)) = wrong {
            return Err(self.failed(&name, error));
        }
        let found = !folders.is_empty();
        if let Some(level) = self.levels.last_mut() {
            level.folders = folders;
        }
        Ok(found)
    }

    /// Leaves the current folder, which is empty, and removes it; the root stays.
    fn leave(&mut self) -> Result<(), Error> {
        let Some(left) = self.levels.pop() else { return Ok(()) };
        if self.levels.is_empty() {
            return Ok(());
        }
        let removed = self
            .dirs
            .pop()
            .and_then(|()| unlinkat(self.dirs.last()?, &left.name, AtFlags::REMOVEDIR));
        match removed {
            // Something came into it meanwhile: the folder is looked through again.
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            removed => removed.map_err(|error| self.failed(&left.name, error)),
        }
    }

    /// What is mounted there is not what was there when the tree was made.
    fn check_mount(&self, fd: &OwnedFd, name: &CStr) -> Result<(), Error> {
        let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
        let found = statx(fd, c"", flags, StatxFlags::TYPE).map_err(|error| self.failed(name, error))?;
        if found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
            return Err(Error::refused(
                format!(
                    "{} cannot be removed: something is mounted there",
                    self.path(name).display()
                ),
                "Unmount it, then try again.",
            ));
        }
        Ok(())
    }

    fn path(&self, name: &CStr) -> PathBuf {
        let mut path = self.root.to_owned();
        let above = self.levels.iter().skip(1).map(|level| level.name.as_c_str());
        // Of a path that is very long, the beginning says enough.
        path.extend(
            above
                .take(20)
                .chain([name])
                .map(|name| EntryPath::show(name.to_bytes())),
        );
        path
    }

    fn failed(&self, name: &CStr, error: impl Into<io::Error>) -> Error {
        Error::io("remove", self.path(name), error)
    }
}

/// Opens the folder that `place` is, and lets its owner do everything in it: restored modes may forbid their owner to
/// remove what is inside.
fn enter(place: &OwnedFd) -> Result<OwnedFd, Errno> {
    let fd = match open_dir(place.as_fd(), c".") {
        Err(Errno::ACCESS) => {
            set_mode(place.as_fd(), Mode::RWXU)?;
            return open_dir(place.as_fd(), c".");
        }
        opened => opened?,
    };
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        // Whoever is not the owner may have the rights all the same.
        let _ = set_mode(fd.as_fd(), Mode::RWXU);
    }
    Ok(fd)
}
