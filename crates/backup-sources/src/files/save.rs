//! Saves trees of files into an archive.

use std::fmt::{Display, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use backup_core::contents::FilesContents;
use backup_core::{ArchiveSink, EntryKind, EntryPath, JobControl, WarningCode, counted};
use rustix::fs::{Advice, FileType, OFlags, Stat, fadvise, fstat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::MAX_DEPTH;
use super::content::{Content, data_ranges};
use super::links::{Identity, Links};
use super::look::{is_pseudo, look_at_entered, look_at_folder, open_root};
use super::metadata::{Xattrs, entry, xattrs_of_open, xattrs_of_path};
use super::owners::Owners;
use super::walk::{Found, Walk};
use crate::Error;

mod fate;
mod name;
mod special;

use fate::{Fate, is_same, why_unread};

/// How many unreadable files an error shows.
const SHOWN: usize = 20;
/// From this size on the system is told that the file is read from one end to the other, in bytes.
const LARGE: i64 = 256 * 1024;

/// Saves one or several trees; what they have in common (hard links, unreadable files, numbers) is kept here.
pub(crate) struct Saver<'a> {
    sink: &'a mut dyn ArchiveSink,
    job: &'a JobControl,
    links: Links,
    owners: Owners,
    saved: FilesContents,
    unreadable: Vec<String>,
    unreadable_count: u64,
    carries_unchanged: bool,
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
            carries_unchanged: false,
        }
    }

    /// The same, which asks the sink to carry over what did not change, and reads only what it does not.
    pub(crate) fn carrying_unchanged(mut self, carries: bool) -> Self {
        self.carries_unchanged = carries;
        self
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
            format!(
                "{} cannot be read: {list}",
                counted(self.unreadable_count, "file or folder", "files or folders")
            ),
            "Give the user that the backup runs as the right to read them, repair the disk, or move them elsewhere.",
        ))
    }

    /// Saves the folder `root` alone, without what it holds, as `path`.
    pub(crate) fn save_folder_itself(&mut self, root: &Path, path: EntryPath) -> Result<(), Error> {
        let (fd, stat) = look_at_folder(root)?;
        let xattrs = self.attributes(xattrs_of_path(fd.as_fd()), &path);
        self.append_folder(&stat, path, xattrs)
    }

    /// Saves the file or the folder with all it holds at `root` as `path`. `root` itself may be a link.
    pub(crate) fn save_tree(&mut self, root: &Path, path: EntryPath) -> Result<(), Error> {
        let fd = open_root(root, OFlags::empty())?;
        let stat = fstat(&fd).map_err(|error| Error::io("look at", root, error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => return self.save_file(&fd, &stat, path, || rustix::fs::stat(root)),
            FileType::Directory => {}
            _ => {
                return Err(Error::refused(
                    format!("{} is neither a file nor a folder", root.display()),
                    "Name another.",
                ));
            }
        }
        let xattrs = self.attributes(xattrs_of_open(fd.as_fd()), &path);
        self.append_folder(&stat, path.clone(), xattrs)?;
        let root_fd = fcntl_dupfd_cloexec(&fd, 0).map_err(|error| Error::io("open", root, error))?;
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
            let xattrs = self.attributes(xattrs_of_open(fd.as_fd()), &path);
            self.append_folder(&stat, path.clone(), xattrs)?;
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
            if path.components().count() == MAX_DEPTH {
                self.cannot_read(&path, Errno::NAMETOOLONG);
                continue;
            }
            match walk.enter(fd) {
                Ok(None) => {}
                Ok(Some(error)) => self.missed(&path, error, || look_at_entered(&walk)),
                Err(error) => self.cannot_read(&path, error),
            }
        }
        // Where all of it went away, as with a server, all that is missing must not pass for files that vanished.
        if let Some(why) = why_lost(&root_fd, root) {
            self.cannot_read(&path, why);
        }
        Ok(())
    }

    /// Saves an open file; `again` looks at what stands under its name.
    fn save_file(
        &mut self,
        fd: &OwnedFd,
        stat: &Stat,
        path: EntryPath,
        again: impl FnOnce() -> Result<Stat, Errno>,
    ) -> Result<(), Error> {
        let xattrs = self.attributes(xattrs_of_open(fd.as_fd()), &path);
        self.saved.file_count += 1;
        let identity = (stat.st_nlink > 1).then(|| Identity::of(stat, fd.as_fd(), None));
        if self.save_as_link(identity.as_ref(), stat, &path, &xattrs)? {
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
        let mut still = || fstat(fd).is_ok_and(|now| is_same(stat, &now));
        let appended = self.sink.append_file(&entry, &mut content, &mut still);
        let error = content.error;
        // Whatever the sink makes of it.
        self.job.check()?;
        let read = appended?;
        self.saved.entry_count += 1;
        self.saved.size_bytes += entry.stored_bytes();
        self.remember(identity, stat, &entry.path);
        match Fate::of(stat, read < entry.stored_bytes(), error, fstat(fd), again) {
            Fate::Whole => {}
            Fate::Moved(what) => self
                .job
                .warn(WarningCode::FileChanged, Some(entry.path.to_string()), what),
            Fate::Unread(why) => self.cannot_read(&entry.path, why),
        }
        Ok(())
    }

    /// Saves another name of a file that is in the archive already.
    fn save_as_link(
        &mut self,
        identity: Option<&Identity>,
        stat: &Stat,
        path: &EntryPath,
        xattrs: &Xattrs,
    ) -> Result<bool, Error> {
        let Some(target) = identity.and_then(|identity| self.links.first_name(identity)) else {
            return Ok(false);
        };
        let kind = EntryKind::HardLink { target };
        let link = entry(path.clone(), kind, stat, xattrs.clone(), &self.owners);
        self.sink.append(&link, &mut std::io::empty())?;
        self.saved.entry_count += 1;
        Ok(true)
    }

    fn remember(&mut self, identity: Option<Identity>, stat: &Stat, path: &EntryPath) {
        if let Some(identity) = identity
            && !self.links.remember(identity, path, stat.st_nlink)
        {
            self.job.warn(
                WarningCode::HardLinkSplit,
                Some(path.to_string()),
                "too many files with several names: each further name of this one is saved as a file of its own",
            );
        }
    }

    fn append_folder(&mut self, stat: &Stat, path: EntryPath, xattrs: Xattrs) -> Result<(), Error> {
        let folder = entry(path, EntryKind::Directory, stat, xattrs, &self.owners);
        self.sink.append(&folder, &mut std::io::empty())?;
        self.saved.entry_count += 1;
        Ok(())
    }

    /// The attributes as they were read, after a warning of those that could not be.
    fn attributes(&self, read: Xattrs, path: &EntryPath) -> Xattrs {
        if let Some(unread) = &read.unread {
            self.job.warn(
                WarningCode::AttributesUnreadable,
                Some(path.to_string()),
                unread.as_str(),
            );
        }
        read
    }

    /// Tells of what could not be read for `error`, after another look at its name, which is `again`.
    fn missed(&mut self, path: &EntryPath, error: Errno, again: impl FnOnce() -> Result<Stat, Errno>) {
        match why_unread(error, again) {
            Some(why) => self.cannot_read(path, why),
            None => self.vanished(path),
        }
    }

    fn vanished(&self, path: &EntryPath) {
        self.job.warn(
            WarningCode::FileVanished,
            Some(path.to_string()),
            "it was there when its folder was listed and gone when it was to be read",
        );
    }

    fn cannot_read(&mut self, path: &EntryPath, why: impl Display) {
        self.unreadable_count += 1;
        if self.unreadable.len() < SHOWN {
            let name = if path.is_root() {
                ".".to_owned()
            } else {
                path.to_string()
            };
            self.unreadable.push(format!("{name} ({why})"));
        }
    }
}

/// Why what was read of the open folder `fd` is not what stands at `root` now; `None` where it is. A restore may have put another in
/// its place meanwhile.
fn why_lost(fd: &OwnedFd, root: &Path) -> Option<String> {
    let number = |stat: &Stat| (stat.st_dev, stat.st_ino);
    match (fstat(fd), rustix::fs::stat(root)) {
        (Err(error), _) | (_, Err(error)) => Some(error.to_string()),
        (Ok(read), _) if read.st_nlink == 0 => Some(Errno::NOENT.to_string()),
        (Ok(read), Ok(now)) if number(&read) != number(&now) => {
            Some("the folder was exchanged for another while it was read".to_owned())
        }
        _ => None,
    }
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
