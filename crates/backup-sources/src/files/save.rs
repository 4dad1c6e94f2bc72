//! Saves trees of files into an archive.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use backup_core::contents::FilesContents;
use backup_core::{ArchiveSink, EntryKind, EntryPath, JobControl, WarningCode};
use rustix::fs::{
    Advice, AtFlags, CWD, FileType, Mode, OFlags, Stat, fadvise, fstat, fstatfs, major, minor, openat, readlinkat,
    statat,
};
use rustix::io::Errno;

use super::content::{Content, data_ranges};
use super::dirs::open_dir;
use super::links::Links;
use super::metadata::{Xattrs, entry, xattrs_of_name, xattrs_of_open};
use super::owners::Owners;
use super::walk::{Found, Walk};
use crate::Error;

/// How many unreadable files an error shows.
const SHOWN: usize = 20;
/// How often a name that is one thing when listed and another when opened is looked at again.
const ATTEMPTS: usize = 4;
/// From this size on the system is told that the file is read from one end to the other, in bytes.
const LARGE: i64 = 256 * 1024;

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

/// Saves one or several trees; what they have in common (hard links, unreadable files, numbers) is kept here.
pub(crate) struct Saver<'a> {
    sink: &'a mut dyn ArchiveSink,
    job: &'a JobControl,
    links: Links,
    owners: Owners,
    saved: FilesContents,
    unreadable: Vec<String>,
    unreadable_count: u64,
}

impl<'a> Saver<'a> {
    pub(crate) fn new(sink: &'a mut dyn ArchiveSink, job: &'a JobControl) -> Self {
        Self {
            sink,
            job,
            links: Links::default(),
            owners: Owners::default(),
            saved: FilesContents::default(),
            unreadable: Vec::new(),
            unreadable_count: 0,
        }
    }

    /// What was saved; an error that lists the files which could not be read, if there were any.
    pub(crate) fn finish(self) -> Result<FilesContents, Error> {
        if self.unreadable_count == 0 {
            return Ok(self.saved);
        }
        let mut list = self.unreadable.join(", ");
        if self.unreadable_count > SHOWN as u64 {
            let _ = write!(list, " and {} more", self.unreadable_count - SHOWN as u64);
        }
        Err(Error::refused(
            format!("{} files or folders cannot be read: {list}", self.unreadable_count),
            "Give the user that the backup runs as the right to read them, repair the disk, or move them elsewhere.",
        ))
    }

    /// Saves the folder `root` alone, without what it holds, as `path`.
    pub(crate) fn save_folder_itself(&mut self, root: &Path, path: EntryPath) -> Result<(), Error> {
        let fd = open_root(root, OFlags::DIRECTORY)?;
        let stat = fstat(&fd).map_err(|error| Error::io("look at", root, error))?;
        self.append_folder(fd.as_fd(), &stat, path)
    }

    /// Saves the file or the folder with all it holds at `root` as `path`. `root` itself may be a link.
    pub(crate) fn save_tree(&mut self, root: &Path, path: EntryPath) -> Result<(), Error> {
        let fd = open_root(root, OFlags::empty())?;
        let stat = fstat(&fd).map_err(|error| Error::io("look at", root, error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => return self.save_file(&fd, &stat, path),
            FileType::Directory => {}
            _ => {
                return Err(Error::refused(
                    format!("{} is neither a file nor a folder", root.display()),
                    "Name another.",
                ));
            }
        }
        self.append_folder(fd.as_fd(), &stat, path.clone())?;
        let mut device = vec![(path.as_bytes().to_vec(), stat.st_dev)];
        let mut walk = match Walk::new(fd, path.as_bytes().to_vec()) {
            Ok(walk) => walk,
            Err(error) => {
                self.cannot_read(&path, error);
                return Ok(());
            }
        };
        while let Some(found) = walk.next() {
            self.job.check()?;
            let (name, file_type) = match found {
                Found::Name(name, file_type) => (name, file_type),
                Found::Lost(folder, error) => {
                    self.cannot_read(&entry_path(&folder)?, error);
                    continue;
                }
            };
            let path = entry_path(walk.path())?;
            let Some((fd, stat)) = self.save_name(&walk, &name, file_type, &path)? else {
                continue;
            };
            self.append_folder(fd.as_fd(), &stat, path.clone())?;
            while device
                .last()
                .is_some_and(|(folder, _)| !is_under(path.as_bytes(), folder))
            {
                device.pop();
            }
            if device.last().is_some_and(|(_, device)| *device != stat.st_dev) {
                if is_pseudo(fd.as_fd()) {
                    self.job.warn(
                        WarningCode::NotEntered,
                        Some(path.to_string()),
                        "a file system of the kernel is mounted there, which holds no files",
                    );
                    continue;
                }
                device.push((path.as_bytes().to_vec(), stat.st_dev));
            }
            if let Err(error) = walk.enter(fd) {
                self.cannot_read(&path, error);
            }
        }
        Ok(())
    }

    /// Saves what stands under `name`; a folder is only opened and handed back.
    fn save_name(
        &mut self,
        walk: &Walk,
        name: &CStr,
        listed: FileType,
        path: &EntryPath,
    ) -> Result<Option<(OwnedFd, Stat)>, Error> {
        let mut file_type = listed;
        for _ in 0..ATTEMPTS {
            let looked = match file_type {
                FileType::RegularFile | FileType::Directory => open_and_look(walk, name, file_type),
                _ => look(walk, name).map(|stat| (None, stat)),
            };
            let (fd, stat) = match looked {
                Ok(looked) => looked,
                Err(Errno::NOENT) => {
                    self.vanished(path);
                    return Ok(None);
                }
                // A link or another kind of thing took its place.
                Err(Errno::LOOP | Errno::NOTDIR | Errno::NXIO | Errno::MLINK) if file_type != FileType::Unknown => {
                    file_type = FileType::Unknown;
                    continue;
                }
                Err(error) => {
                    self.cannot_read(path, error);
                    return Ok(None);
                }
            };
            let actual = FileType::from_raw_mode(stat.st_mode);
            match (actual, fd) {
                (FileType::Directory, Some(fd)) => return Ok(Some((fd, stat))),
                (FileType::RegularFile, Some(fd)) => {
                    self.save_file(&fd, &stat, path.clone())?;
                    return Ok(None);
                }
                (FileType::RegularFile | FileType::Directory, None) => file_type = actual,
                (_, Some(_)) => file_type = FileType::Unknown,
                (_, None) => {
                    self.save_special(walk, name, actual, &stat, path)?;
                    return Ok(None);
                }
            }
        }
        self.vanished(path);
        Ok(None)
    }

    fn save_file(&mut self, fd: &OwnedFd, stat: &Stat, path: EntryPath) -> Result<(), Error> {
        let xattrs = self.attributes(xattrs_of_open(fd.as_fd()), &path);
        self.saved.file_count += 1;
        if self.save_as_link(stat, &path, &xattrs)? {
            return Ok(());
        }
        if stat.st_size >= LARGE {
            // Advice that is not taken costs nothing but time.
            let _ = fadvise(fd, 0, None, Advice::Sequential);
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let sparse = stat.st_blocks * 512 < stat.st_size;
        let data = if sparse { data_ranges(fd.as_fd(), size) } else { None };
        let entry = entry(path, EntryKind::File { data }, stat, xattrs, &self.owners);
        let whole = [(0, size)];
        let mut content = Content {
            file: fd.as_fd(),
            ranges: match &entry.kind {
                EntryKind::File { data: Some(ranges) } => ranges,
                _ => &whole,
            },
            done: 0,
            job: self.job,
            error: None,
        };
        let appended = self.sink.append(&entry, &mut content);
        let error = content.error;
        // Whatever the sink makes of it.
        self.job.check()?;
        let read = appended?;
        self.saved.entry_count += 1;
        self.saved.size_bytes += entry.stored_bytes();
        self.remember(stat, &entry.path);
        if let Some(error) = error {
            self.cannot_read(&entry.path, error);
            return Ok(());
        }
        let after = fstat(fd).map_err(|error| Error::io("look at", entry.path.to_string(), error))?;
        let what = if after.st_size > stat.st_size {
            "it grew while it was read: the backup holds it up to the size it had at first"
        } else if after.st_size < stat.st_size || read < entry.stored_bytes() {
            "it shrank while it was read: the backup holds zeros in place of the rest"
        } else if (after.st_mtime, after.st_mtime_nsec) != (stat.st_mtime, stat.st_mtime_nsec) {
            "it changed while it was read: the backup may hold parts of both states"
        } else {
            return Ok(());
        };
        self.job
            .warn(WarningCode::FileChanged, Some(entry.path.to_string()), what);
        Ok(())
    }

    fn save_special(
        &mut self,
        walk: &Walk,
        name: &CStr,
        file_type: FileType,
        stat: &Stat,
        path: &EntryPath,
    ) -> Result<(), Error> {
        let Ok(dir) = walk.dir() else {
            {
                self.vanished(path);
                return Ok(());
            };
        };
        let device = || (major(stat.st_rdev), minor(stat.st_rdev));
        let kind = match file_type {
            FileType::Socket => {
                self.job.warn(
                    WarningCode::SocketSkipped,
                    Some(path.to_string()),
                    "a socket holds nothing that could be saved",
                );
                return Ok(());
            }
            FileType::Symlink => match readlinkat(dir, name, Vec::new()) {
                Ok(target) => EntryKind::Symlink {
                    target: target.into_bytes(),
                },
                Err(Errno::NOENT | Errno::INVAL) => {
                    self.vanished(path);
                    return Ok(());
                }
                Err(error) => {
                    self.cannot_read(path, error);
                    return Ok(());
                }
            },
            FileType::Fifo => EntryKind::Fifo,
            FileType::CharacterDevice => EntryKind::CharDevice {
                major: device().0,
                minor: device().1,
            },
            FileType::BlockDevice => EntryKind::BlockDevice {
                major: device().0,
                minor: device().1,
            },
            _ => {
                self.cannot_read(path, Errno::INVAL);
                return Ok(());
            }
        };
        let xattrs = self.attributes(xattrs_of_name(dir, name), path);
        if self.save_as_link(stat, path, &xattrs)? {
            return Ok(());
        }
        self.sink.append(
            &entry(path.clone(), kind, stat, xattrs, &self.owners),
            &mut std::io::empty(),
        )?;
        self.saved.entry_count += 1;
        self.remember(stat, path);
        Ok(())
    }

    /// Saves another name of a file that is in the archive already.
    fn save_as_link(&mut self, stat: &Stat, path: &EntryPath, xattrs: &Xattrs) -> Result<bool, Error> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        let Some(target) = self.links.first_name((stat.st_dev, stat.st_ino)) else {
            return Ok(false);
        };
        let kind = EntryKind::HardLink { target };
        let link = entry(path.clone(), kind, stat, xattrs.clone(), &self.owners);
        self.sink.append(&link, &mut std::io::empty())?;
        self.saved.entry_count += 1;
        Ok(true)
    }

    fn remember(&mut self, stat: &Stat, path: &EntryPath) {
        if stat.st_nlink > 1 && !self.links.remember((stat.st_dev, stat.st_ino), path, stat.st_nlink) {
            self.job.warn(
                WarningCode::HardLinkSplit,
                Some(path.to_string()),
                "too many files with several names: each further name of this one is saved as a file of its own",
            );
        }
    }

    fn append_folder(&mut self, fd: BorrowedFd<'_>, stat: &Stat, path: EntryPath) -> Result<(), Error> {
        let xattrs = self.attributes(xattrs_of_open(fd), &path);
        let folder = entry(path, EntryKind::Directory, stat, xattrs, &self.owners);
        self.sink.append(&folder, &mut std::io::empty())?;
        self.saved.entry_count += 1;
        Ok(())
    }

    fn attributes(&self, read: Result<Xattrs, Errno>, path: &EntryPath) -> Xattrs {
        read.unwrap_or_else(|error| {
            self.job.warn(
                WarningCode::AttributesUnreadable,
                Some(path.to_string()),
                format!("its extended attributes cannot be read: {error}"),
            );
            Vec::new()
        })
    }

    fn vanished(&self, path: &EntryPath) {
        self.job.warn(
            WarningCode::FileVanished,
            Some(path.to_string()),
            "it was there when its folder was listed and gone when it was to be read",
        );
    }

    fn cannot_read(&mut self, path: &EntryPath, error: Errno) {
        self.unreadable_count += 1;
        if self.unreadable.len() < SHOWN {
            let name = if path.is_root() {
                ".".to_owned()
            } else {
                path.to_string()
            };
            self.unreadable.push(format!("{name} ({error})"));
        }
    }
}

/// About how many bytes [`Saver::save_tree`] will read of `root`. What cannot be read is passed over here.
pub(crate) fn measure(root: &Path, job: &JobControl) -> Result<u64, Error> {
    let fd = open_root(root, OFlags::empty())?;
    let stat = fstat(&fd).map_err(|error| Error::io("look at", root, error))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Ok(stored(&stat));
    }
    let mut total = 0;
    let mut walk = Walk::new(fd, Vec::new()).map_err(|error| Error::io("list", root, error))?;
    while let Some(found) = walk.next() {
        job.check()?;
        let Found::Name(name, file_type) = found else { continue };
        let Ok(dir) = walk.dir() else { continue };
        match file_type {
            FileType::Directory | FileType::Unknown => {
                if let Ok(fd) = open_dir(dir, &name) {
                    if is_pseudo(fd.as_fd()) {
                        continue;
                    }
                    // Told when it is saved.
                    let _ = walk.enter(fd);
                } else if let Ok(stat) = statat(dir, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW) {
                    total += stored(&stat);
                }
            }
            FileType::RegularFile => {
                if let Ok(stat) = statat(dir, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW) {
                    total += stored(&stat);
                }
            }
            _ => {}
        }
    }
    Ok(total)
}

fn stored(stat: &Stat) -> u64 {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => u64::try_from(stat.st_size.min(stat.st_blocks * 512)).unwrap_or(0),
        _ => 0,
    }
}

fn open_root(root: &Path, flags: OFlags) -> Result<OwnedFd, Error> {
    let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    openat(CWD, root, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOENT | Errno::NOTDIR => Error::refused(
            format!("{} does not exist", root.display()),
            "Create it, mount it, or name the right one (UPLOAD_DIR, BACKUP_CONFIG_PATHS).",
        ),
        error => Error::io("open", root, error),
    })
}

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

fn look(walk: &Walk, name: &CStr) -> Result<Stat, Errno> {
    statat(walk.dir()?, name, AtFlags::SYMLINK_NOFOLLOW)
}

fn is_pseudo(dir: BorrowedFd<'_>) -> bool {
    fstatfs(dir).is_ok_and(|file_system| PSEUDO.contains(&(file_system.f_type as u32)))
}

fn is_under(path: &[u8], folder: &[u8]) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn entry_path(bytes: &[u8]) -> Result<EntryPath, Error> {
    EntryPath::new(bytes).map_err(|error| Error::failed(error.to_string(), ""))
}
