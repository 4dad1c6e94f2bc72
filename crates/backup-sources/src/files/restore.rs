//! Restores a tree of files from an archive that is not trusted to be well-meaning.
//!
//! Paths must come in ascending order, so each is made once and never through anything but folders that were made here.

use std::ffi::{CStr, CString};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use backup_core::{Entry, EntryKind, EntryPath, JobControl, PartReader, PipelineError, WarningCode};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chmodat, chownat,
    fchmod, fchown, fsetxattr, fstat, ftruncate, futimens, linkat, lsetxattr, makedev, mkdirat, mknodat, openat,
    statat, symlinkat, syncfs, utimensat,
};
use rustix::io::{Errno, pwrite};

use super::dirs::{Dirs, open_dir};
use super::metadata::name_under_proc;
use super::owners::Owners;
use crate::Error;

/// Bytes that are written at once.
const BLOCK: usize = 256 * 1024;
/// Bits that give the rights of the owner to whoever runs the file.
const SET_ID: u32 = 0o6000;

/// Restores the entries of `part` that `wanted` names (empty: all) into the empty folder `dir`. On an error what was made
/// stands there still; the caller removes it.
pub(crate) fn restore_tree(
    dir: &Path,
    wanted: &[EntryPath],
    part: &mut dyn PartReader,
    job: &JobControl,
) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, dir, flags, Mode::empty()).map_err(|error| Error::io("open", dir, error))?;
    let mut restorer = Restorer {
        dirs: Dirs::new(root).map_err(|error| Error::io("open", dir, error))?,
        open: vec![Open {
            name: Vec::new(),
            entry: None,
        }],
        job,
        owners: Owners::default(),
        is_root: rustix::process::geteuid().is_root(),
        told_owner: false,
        buffer: vec![0; BLOCK],
    };
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
    owners: Owners,
    is_root: bool,
    told_owner: bool,
    buffer: Vec<u8>,
}

struct Open {
    name: Vec<u8>,
    entry: Option<Entry>,
}

impl Restorer<'_> {
    fn restore(&mut self, entry: Entry, wanted: &[EntryPath], part: &mut dyn PartReader) -> Result<(), Error> {
        if entry.path.is_root() {
            if entry.kind != EntryKind::Directory {
                return Err(hostile(&entry.path, "its root is not a folder"));
            }
            self.open[0].entry = Some(entry);
            return Ok(());
        }
        let parts: Vec<&[u8]> = entry.path.components().collect();
        let (parents, name) = parts.split_at(parts.len() - 1);
        self.go_to(parents, &entry.path)?;
        let name = c_name(name[0], &entry.path)?;
        match &entry.kind {
            EntryKind::Directory => {
                self.step_down(&name, &entry.path)?;
                if let Some(open) = self.open.last_mut() {
                    open.entry = Some(entry);
                }
            }
            EntryKind::File { data } => self.file(&entry, &name, data.as_deref(), part)?,
            EntryKind::Symlink { target } => {
                let link = CString::new(target.as_slice()).map_err(|_| hostile(&entry.path, "its target holds NUL"))?;
                symlinkat(link.as_c_str(), self.dir(&entry.path)?, &name).map_err(|error| made(&entry.path, error))?;
                self.finish_name(&entry, &name)?;
            }
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
        if let Some(entry) = self.open[0].entry.take() {
            self.finish_folder(&entry)?;
        }
        let root = self.dirs.root().map_err(|error| Error::io("open", dir, error))?;
        syncfs(root).map_err(|error| Error::io("write to the disk what was restored into", dir, error))
    }

    /// Leaves and enters folders until we are in the one with these components.
    fn go_to(&mut self, parents: &[&[u8]], path: &EntryPath) -> Result<(), Error> {
        let common = self.open[1..]
            .iter()
            .zip(parents)
            .take_while(|(open, part)| open.name == **part)
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
        let dir = self.dir(path)?;
        mkdirat(dir, name, Mode::RWXU).map_err(|error| made(path, error))?;
        let fd = open_dir(dir, name).map_err(|error| made(path, error))?;
        self.dirs.push(fd).map_err(|error| made(path, error))?;
        self.open.push(Open {
            name: name.to_bytes().to_vec(),
            entry: None,
        });
        Ok(())
    }

    fn step_up(&mut self) -> Result<(), Error> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        // The folder above is opened through this one, whose new mode or owner might forbid that.
        let fd = self.dirs.last().and_then(|dir| rustix::io::fcntl_dupfd_cloexec(dir, 0));
        let fd = fd.map_err(|error| Error::io("open", String::from_utf8_lossy(&open.name).into_owned(), error))?;
        self.dirs
            .pop()
            .map_err(|error| Error::io("leave", String::from_utf8_lossy(&open.name).into_owned(), error))?;
        match &open.entry {
            Some(entry) => self.finish_open(entry, &fd),
            None => Ok(()),
        }
    }

    fn finish_folder(&mut self, entry: &Entry) -> Result<(), Error> {
        let dir = self.dir(&entry.path)?;
        let fd = rustix::io::fcntl_dupfd_cloexec(dir, 0).map_err(|error| made(&entry.path, error))?;
        self.finish_open(entry, &fd)
    }

    fn file(
        &mut self,
        entry: &Entry,
        name: &CStr,
        data: Option<&[(u64, u64)]>,
        part: &mut dyn PartReader,
    ) -> Result<(), Error> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = self.dir(&entry.path)?;
        let file = openat(dir, name, flags, Mode::RUSR | Mode::WUSR).map_err(|error| made(&entry.path, error))?;
        let whole = [(0, entry.size)];
        let mut end = 0;
        for (start, length) in data.unwrap_or(&whole) {
            let stop = start
                .checked_add(*length)
                .filter(|stop| *stop <= entry.size && *start >= end);
            end = stop.ok_or_else(|| hostile(&entry.path, "its ranges of data overlap or lie outside of it"))?;
            self.copy(entry, &file, *start, *length, part)?;
        }
        if data.is_some() {
            ftruncate(&file, entry.size).map_err(|error| Error::io("write", entry.path.to_string(), error))?;
        }
        self.finish_open(entry, &file)
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
            let mut bytes = &self.buffer[..length];
            while !bytes.is_empty() {
                match pwrite(file, bytes, offset) {
                    Ok(written) => {
                        bytes = &bytes[written..];
                        offset += written as u64;
                    }
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(Error::io("write", entry.path.to_string(), error)),
                }
            }
            left -= length as u64;
            self.job.advance(length as u64);
        }
        Ok(())
    }

    fn hard_link(&mut self, entry: &Entry, name: &CStr, target: &EntryPath, wanted: &[EntryPath]) -> Result<(), Error> {
        if *target >= entry.path {
            return Err(hostile(&entry.path, "it is a link to what does not come before it"));
        }
        if !wanted.is_empty() && !wanted.iter().any(|path| target.is_under(path)) {
            return Err(Error::refused(
                format!("{} is another name of {target}, which was not asked for", entry.path),
                format!("Restore {target} as well."),
            ));
        }
        let parts: Vec<&[u8]> = target.components().collect();
        let Some((last, parents)) = parts.split_last() else {
            return Err(hostile(&entry.path, "it is a link to the root"));
        };
        let root = self
            .dirs
            .root()
            .and_then(|root| rustix::io::fcntl_dupfd_cloexec(root, 0));
        let mut above = root.map_err(|error| made(&entry.path, error))?;
        for part in parents {
            above = open_dir(above.as_fd(), &c_name(part, target)?).map_err(|error| made(&entry.path, error))?;
        }
        let linked = linkat(
            &above,
            &c_name(last, target)?,
            self.dir(&entry.path)?,
            name,
            AtFlags::empty(),
        );
        linked.map_err(|error| match error {
            Errno::NOENT | Errno::PERM => hostile(&entry.path, "it is a link to what was not restored or is no file"),
            error => made(&entry.path, error),
        })
    }

    fn special(&mut self, entry: &Entry, name: &CStr, kind: FileType, device: (u32, u32)) -> Result<(), Error> {
        let dir = self.dir(&entry.path)?;
        match mknodat(dir, name, kind, Mode::RUSR | Mode::WUSR, makedev(device.0, device.1)) {
            Ok(()) => self.finish_name(entry, name),
            Err(Errno::PERM) if kind != FileType::Fifo => {
                self.warn(entry, "a device can only be made by root: it was left out");
                Ok(())
            }
            Err(error) => Err(made(&entry.path, error)),
        }
    }

    /// Gives an open file or folder its metadata. The mode comes after the owner, which clears bits of it, and after the
    /// attributes, which need the right to write; the time comes last.
    fn finish_open(&mut self, entry: &Entry, file: &OwnedFd) -> Result<(), Error> {
        let failed = |error: Errno| Error::io("set the metadata of", entry.path.to_string(), error);
        if self.is_root {
            let (uid, gid) = self.owner(entry);
            let result = fchown(file, Some(uid), Some(gid));
            self.check_owner(entry, result)?;
        }
        for (name, value) in &entry.xattrs {
            let result = fsetxattr(file, name.as_slice(), value, XattrFlags::empty());
            self.check_xattr(entry, name, result);
        }
        let stat = fstat(file).map_err(failed)?;
        fchmod(file, self.mode(entry, stat.st_uid, stat.st_gid)).map_err(failed)?;
        futimens(file, &times(entry)).map_err(failed)
    }

    /// The same for what cannot be opened.
    fn finish_name(&mut self, entry: &Entry, name: &CStr) -> Result<(), Error> {
        let failed = |error: Errno| Error::io("set the metadata of", entry.path.to_string(), error);
        if self.is_root {
            let (uid, gid) = self.owner(entry);
            let result = chownat(
                self.dir(&entry.path)?,
                name,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            );
            self.check_owner(entry, result)?;
        }
        for (attribute, value) in &entry.xattrs {
            let path = name_under_proc(self.dir(&entry.path)?, name);
            let result = lsetxattr(path.as_slice(), attribute.as_slice(), value, XattrFlags::empty());
            self.check_xattr(entry, attribute, result);
        }
        let dir = self.dir(&entry.path)?;
        // A link has no mode of its own.
        if !matches!(entry.kind, EntryKind::Symlink { .. }) {
            let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
            chmodat(dir, name, self.mode(entry, stat.st_uid, stat.st_gid), AtFlags::empty()).map_err(failed)?;
        }
        utimensat(dir, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW).map_err(failed)
    }

    fn owner(&self, entry: &Entry) -> (Uid, Gid) {
        (
            Uid::from_raw(self.owners.uid(entry.user.as_deref(), entry.uid)),
            Gid::from_raw(self.owners.gid(entry.group.as_deref(), entry.gid)),
        )
    }

    /// The mode, without set-id bits where they would hand out the rights of another than the recorded owner.
    fn mode(&self, entry: &Entry, uid: u32, gid: u32) -> Mode {
        let is_owner = self.owners.uid(entry.user.as_deref(), entry.uid) == uid
            && self.owners.gid(entry.group.as_deref(), entry.gid) == gid;
        let bits = entry.mode & 0o7777;
        Mode::from_raw_mode(if is_owner || entry.kind == EntryKind::Directory {
            bits
        } else {
            bits & !SET_ID
        })
    }

    fn check_owner(&mut self, entry: &Entry, result: Result<(), Errno>) -> Result<(), Error> {
        match result {
            Ok(()) => Ok(()),
            Err(Errno::PERM | Errno::INVAL) => {
                if !self.told_owner {
                    self.told_owner = true;
                    self.warn(
                        entry,
                        "its owner cannot be set here; of others with the same fate nothing more is said",
                    );
                }
                Ok(())
            }
            Err(error) => Err(Error::io("set the owner of", entry.path.to_string(), error)),
        }
    }

    fn check_xattr(&self, entry: &Entry, name: &[u8], result: Result<(), Errno>) {
        if let Err(error) = result {
            let name = String::from_utf8_lossy(name);
            self.warn(entry, &format!("its attribute {name} cannot be set here: {error}"));
        }
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

fn times(entry: &Entry) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: entry.modified_secs,
            tv_nsec: entry.modified_nanos.min(999_999_999).into(),
        },
    }
}

fn c_name(bytes: &[u8], path: &EntryPath) -> Result<CString, Error> {
    CString::new(bytes).map_err(|_| hostile(path, "its name holds NUL"))
}

/// What stands where nothing can be, since the target was empty and nothing comes twice, was put there by the archive.
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
