//! Restores a tree of files from an archive that is not trusted to be well-meaning.
//!
//! Paths must come in ascending order, so each is made once and never through anything but folders that were made here.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use backup_core::{Entry, EntryKind, EntryPath, JobControl, PartReader, PipelineError, WarningCode};
use rustix::fs::{CWD, FileType, Mode, OFlags, fsync, ftruncate, mkdirat, openat, syncfs};
use rustix::io::{Errno, fcntl_dupfd_cloexec, pwrite};

use super::dirs::{Dirs, open_dir};
use super::owners::Owners;
use super::{MAX_DEPTH, Made};
use crate::Error;

mod access;
mod again;
mod finish;
mod links;
mod sync;
mod withheld;

use access::ClosedFolders;
use sync::must_sync_each;
use withheld::Withheld;

/// Bytes that are written at once.
const BLOCK: usize = 256 * 1024;

/// Restores the entries of `part` that `wanted` names (empty: all) into the empty folder `dir`, and notes in `made` what comes
/// to stand there. On an error that is there still; the caller removes it. Where the file system takes no further name of a
/// file, `may_copy` says whether a copy of it is put there, which is told, or the restore fails.
pub(crate) fn restore_tree(
    dir: &Path,
    wanted: &[EntryPath],
    may_copy: bool,
    part: &mut dyn PartReader,
    made: &mut Made,
    job: &JobControl,
) -> Result<(), Error> {
    let mut restorer = Restorer::new(dir, may_copy, made, job)?;
    let mut last: Option<EntryPath> = None;
    let mut found = vec![false; wanted.len()];
    while let Some(entry) = part.next_entry()? {
        job.check()?;
        if last.as_ref().is_some_and(|last| entry.path <= *last) {
            return Err(hostile(&entry.path, "it comes twice or out of order"));
        }
        last = Some(entry.path.clone());
        for (path, found) in wanted.iter().zip(&mut found) {
            *found |= entry.path.is_under(path);
        }
        if is_wanted(&entry, wanted) {
            restorer.restore(entry, wanted, part)?;
        }
    }
    if let Some((missing, _)) = wanted.iter().zip(&found).find(|(_, found)| !**found) {
        return Err(PipelineError::not_found(
            format!("the backup holds nothing at {missing}"),
            "Browse the backup's contents for the right path.",
        )
        .into());
    }
    restorer.finish(dir)
}

/// Whether it was asked for, lies in a folder that was asked for, or leads there.
fn is_wanted(entry: &Entry, wanted: &[EntryPath]) -> bool {
    wanted.is_empty()
        || wanted
            .iter()
            .any(|path| entry.path.is_under(path) || entry.kind == EntryKind::Directory && path.is_under(&entry.path))
}

struct Restorer<'a> {
    dirs: Dirs,
    /// For each folder of `dirs` its name, and the entry whose metadata it gets when it is left.
    open: Vec<Open>,
    job: &'a JobControl,
    made: &'a mut Made,
    owners: Owners,
    is_root: bool,
    /// Whether the target folder gives an access list to what is made in it.
    inherits: bool,
    /// Whether each file is written to the disk before it is closed, and not all of them at the end.
    syncs_each: bool,
    closed: ClosedFolders,
    withheld: Withheld,
    /// Devices that could not be made, so that no other name of theirs can be.
    left_out: BTreeSet<EntryPath>,
    may_copy: bool,
    /// Names that can have no further ones, and the copies of theirs that have them instead.
    copies: BTreeMap<EntryPath, EntryPath>,
    buffer: Vec<u8>,
}

struct Open {
    name: Box<[u8]>,
    /// Without its path: those of all folders down to a deep one would take more than the archive.
    entry: Option<Box<Entry>>,
}

impl Open {
    fn new(name: &[u8]) -> Self {
        Self {
            name: name.into(),
            entry: None,
        }
    }

    fn keep(&mut self, mut entry: Entry) {
        entry.path = EntryPath::root();
        self.entry = Some(Box::new(entry));
    }
}

impl<'a> Restorer<'a> {
    fn new(dir: &Path, may_copy: bool, made: &'a mut Made, job: &'a JobControl) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, dir, flags, Mode::empty()).map_err(|error| Error::io("open", dir, error))?;
        let inherits = access::is_inherited(root.as_fd());
        let syncs_each = must_sync_each(root.as_fd());
        Ok(Self {
            dirs: Dirs::new(root).map_err(|error| Error::io("open", dir, error))?,
            open: vec![Open::new(b"")],
            job,
            made,
            owners: Owners::default(),
            is_root: rustix::process::geteuid().is_root(),
            inherits,
            syncs_each,
            closed: ClosedFolders::default(),
            withheld: Withheld::default(),
            left_out: BTreeSet::new(),
            may_copy,
            copies: BTreeMap::new(),
            buffer: vec![0; BLOCK],
        })
    }
}

impl Restorer<'_> {
    fn restore(&mut self, entry: Entry, wanted: &[EntryPath], part: &mut dyn PartReader) -> Result<(), Error> {
        if entry.path.is_root() {
            if entry.kind != EntryKind::Directory {
                return Err(hostile(&entry.path, "its root is not a folder"));
            }
            self.open[0].keep(entry);
            return Ok(());
        }
        let parts: Vec<&[u8]> = entry.path.components().collect();
        if parts.len() > MAX_DEPTH {
            return Err(hostile(&entry.path, "it lies too deep"));
        }
        let (parents, name) = parts.split_at(parts.len() - 1);
        self.go_to(parents, &entry.path)?;
        let name = c_name(name[0], &entry.path)?;
        match &entry.kind {
            EntryKind::Directory => {
                self.step_down(&name, &entry.path)?;
                if let Some(open) = self.open.last_mut() {
                    open.keep(entry);
                }
            }
            EntryKind::File { data } => self.file(&entry, &name, data.as_deref(), part)?,
            EntryKind::Symlink { target } => self.symlink(&entry, &name, target)?,
            EntryKind::HardLink { target } => self.hard_link(&entry, &name, target, wanted)?,
            EntryKind::Fifo => self.special(&entry, &name, FileType::Fifo, (0, 0))?,
            EntryKind::CharDevice { major, minor } => {
                self.special(&entry, &name, FileType::CharacterDevice, (*major, *minor))?;
            }
            EntryKind::BlockDevice { major, minor } => {
                self.special(&entry, &name, FileType::BlockDevice, (*major, *minor))?;
            }
        }
        Ok(())
    }

    fn finish(mut self, dir: &Path) -> Result<(), Error> {
        while self.open.len() > 1 {
            self.step_up()?;
        }
        self.close_folders()?;
        if let Some(entry) = self.open[0].entry.take() {
            let root = self.dir(&entry.path)?;
            access::take_away(root);
            let root = fcntl_dupfd_cloexec(root, 0).map_err(|error| made(&entry.path, error))?;
            self.finish_open(&entry, &root)?;
        }
        self.withheld.tell(self.job);
        let root = self.dirs.root().map_err(|error| Error::io("open", dir, error))?;
        syncfs(root).map_err(|error| Error::io("write to the disk what was restored into", dir, error))
    }

    /// Leaves and enters folders until we are in the one with these components.
    fn go_to(&mut self, parents: &[&[u8]], path: &EntryPath) -> Result<(), Error> {
        let common = self.open[1..]
            .iter()
            .zip(parents)
            .take_while(|(open, part)| *open.name == ***part)
            .count();
        while self.open.len() - 1 > common {
            self.step_up()?;
        }
        for part in &parents[common..] {
            self.step_down(&c_name(part, path)?, path)?;
        }
        Ok(())
    }

    /// Makes a folder that only we can enter, and enters it.
    fn step_down(&mut self, name: &CStr, path: &EntryPath) -> Result<(), Error> {
        mkdirat(self.dir(path)?, name, Mode::RWXU).map_err(|error| self.cannot_make(path, name, error))?;
        self.note(name);
        let fd = open_dir(self.dir(path)?, name).map_err(|error| made(path, error))?;
        if self.inherits {
            access::take_away(fd.as_fd());
        }
        self.dirs.push(fd).map_err(|error| made(path, error))?;
        self.open.push(Open::new(name.to_bytes()));
        Ok(())
    }

    fn step_up(&mut self) -> Result<(), Error> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        if let Some(entry) = &mut open.entry {
            let above = self.open.iter().skip(1).map(|above| &*above.name);
            let path: Vec<&[u8]> = above.chain([&*open.name]).collect();
            entry.path = EntryPath::new(path.join(&b'/')).map_err(|error| Error::failed(error.to_string(), ""))?;
        }
        // The folder above is opened through this one, whose new mode or owner might forbid that.
        let fd = self.dirs.last().and_then(|dir| fcntl_dupfd_cloexec(dir, 0));
        let fd = fd.map_err(|error| Error::io("open", String::from_utf8_lossy(&open.name).into_owned(), error))?;
        self.dirs
            .pop()
            .map_err(|error| Error::io("leave", String::from_utf8_lossy(&open.name).into_owned(), error))?;
        match &open.entry {
            Some(entry) => self.finish_open(entry, &fd),
            None => Ok(()),
        }
    }

    fn file(
        &mut self,
        entry: &Entry,
        name: &CStr,
        data: Option<&[(u64, u64)]>,
        part: &mut dyn PartReader,
    ) -> Result<(), Error> {
        let file = self.create_file(&entry.path, name)?;
        let whole = [(0, entry.size)];
        let mut end = 0;
        for (start, length) in data.unwrap_or(&whole) {
            let stop = start
                .checked_add(*length)
                .filter(|stop| *stop <= entry.size && *start >= end);
            end = stop.ok_or_else(|| hostile(&entry.path, "its ranges of data overlap or lie outside of it"))?;
            self.copy(entry, &file, *start, *length, part)?;
        }
        self.end_file(entry, &file, data.is_some())
    }

    /// Makes an empty file that only we can open.
    fn create_file(&mut self, path: &EntryPath, name: &CStr) -> Result<OwnedFd, Error> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(self.dir(path)?, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| self.cannot_make(path, name, error))?;
        self.note(name);
        if self.inherits {
            access::take_away(file.as_fd());
        }
        Ok(file)
    }

    /// Gives a file that has its data its size and its metadata.
    fn end_file(&mut self, entry: &Entry, file: &OwnedFd, has_holes: bool) -> Result<(), Error> {
        if has_holes {
            ftruncate(file, entry.size).map_err(|error| Error::io("write", entry.path.to_string(), error))?;
        }
        self.finish_open(entry, file)?;
        if self.syncs_each {
            fsync(file).map_err(|error| Error::io("write", entry.path.to_string(), error))?;
        }
        Ok(())
    }

    fn copy(
        &mut self,
        entry: &Entry,
        file: &OwnedFd,
        mut offset: u64,
        mut left: u64,
        part: &mut dyn PartReader,
    ) -> Result<(), Error> {
        while left > 0 {
            self.job.check()?;
            let wanted = BLOCK.min(usize::try_from(left).unwrap_or(BLOCK));
            let length = match part.content().read(&mut self.buffer[..wanted]) {
                Ok(0) => return Err(hostile(&entry.path, "its content is shorter than the archive says")),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::content(entry.path.to_string(), error)),
            };
            write_at(file, &self.buffer[..length], offset)
                .map_err(|error| Error::io("write", entry.path.to_string(), error))?;
            offset += length as u64;
            left -= length as u64;
            self.job.advance(length as u64);
        }
        Ok(())
    }

    /// Notes that `name` was made in the current folder, where that is the target.
    fn note(&mut self, name: &CStr) {
        if self.open.len() == 1 {
            self.made.note(name);
        }
    }

    /// Why `name` cannot be made in the current folder. In the target somebody else may have put it there.
    fn cannot_make(&self, path: &EntryPath, name: &CStr, error: Errno) -> Error {
        if error == Errno::EXIST && self.open.len() == 1 && !self.made.has(name) {
            return Error::refused(
                format!("'{path}' has come to be in the folder while it was restored into"),
                "Keep others out of the folder meanwhile, or name another one.",
            );
        }
        made(path, error)
    }

    fn warn(&self, entry: &Entry, message: &str) {
        self.job.warn(WarningCode::Other, Some(entry.path.to_string()), message);
    }

    fn dir(&self, path: &EntryPath) -> Result<BorrowedFd<'_>, Error> {
        self.dirs
            .last()
            .map_err(|error| Error::io("open the folder of", path.to_string(), error))
    }
}

fn write_at(file: &OwnedFd, mut bytes: &[u8], mut offset: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match pwrite(file, bytes, offset) {
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn c_name(bytes: &[u8], path: &EntryPath) -> Result<CString, Error> {
    CString::new(bytes).map_err(|_| hostile(path, "its name holds NUL"))
}

/// What stands where nothing can be, in a folder that was made here and as nothing comes twice, was put there by the archive.
fn made(path: &EntryPath, error: Errno) -> Error {
    match error {
        Errno::EXIST | Errno::NOTDIR | Errno::LOOP => hostile(path, "something else stands in its way"),
        error => Error::io("restore", path.to_string(), error),
    }
}

fn hostile(path: &EntryPath, why: &str) -> Error {
    Error::mismatch(
        format!("the archive's entry '{path}' cannot be restored: {why}"),
        "Do not trust this archive: restore another backup, and find out who made this one.",
    )
}
