//! What of an entry this user can have on this file system: the rest is no fault of a backup's.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use backup_core::{Entry, EntryKind};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lgetxattr, lsetxattr, makedev, mknodat, symlinkat,
    utimensat,
};

use crate::Error;
use crate::files::metadata::{ACCESS_LIST, XATTR_MAX, mode_without_list};
use crate::files::owners::Owners;

/// An owner that is nobody's: whoever may give files to it may give them to all.
const SOMEBODY: u32 = 54_321;
/// A time whose every digit would be missed.
const MOMENT: (i64, u32) = (1_234_567_890, 123_456_789);
const SET_ID: u32 = 0o6000;
const DIRECTORY_RIGHTS: u32 = 0o700;
const FILE_RIGHTS: u32 = 0o600;

/// Tries out on a sample what can be had.
pub(super) struct Possible {
    /// A folder for samples.
    folder: PathBuf,
    owners: Owners,
    is_root: bool,
    /// Whether owners can be set, and with them the rights that files give on.
    pub(super) sets_owners: bool,
    keeps_nanos: bool,
}

impl Possible {
    /// In the empty folder `folder`, on the file system that counts.
    pub(super) fn new(folder: PathBuf) -> Result<Self, Error> {
        let mut possible = Self {
            folder,
            owners: Owners::default(),
            is_root: rustix::process::geteuid().is_root(),
            sets_owners: false,
            keeps_nanos: false,
        };
        let sample = possible.sample(&EntryKind::File { data: None })?;
        possible.sets_owners = possible.is_root && chown(&sample, Some(SOMEBODY), Some(SOMEBODY)).is_ok();
        possible.keeps_nanos = set_time(&sample, MOMENT)? == MOMENT;
        remove(&sample)?;
        Ok(possible)
    }

    /// The entry as it can be; `None` for a device that cannot be made.
    pub(super) fn of(&self, mut entry: Entry) -> Result<Option<Entry>, Error> {
        if matches!(entry.kind, EntryKind::HardLink { .. }) {
            return Ok(Some(entry));
        }
        if self.sets_owners {
            entry.uid = self.owners.uid(entry.user.as_deref(), entry.uid);
            entry.gid = self.owners.gid(entry.group.as_deref(), entry.gid);
            (entry.user, entry.group) = (None, None);
        } else {
            entry.mode &= !SET_ID;
        }
        if !self.is_root {
            // What its owner may not read could not be looked at afterwards.
            entry.mode |= match entry.kind {
                EntryKind::Directory => DIRECTORY_RIGHTS,
                _ => FILE_RIGHTS,
            };
        }
        entry.mode &= 0o7777;
        entry.modified_nanos = entry.modified_nanos.min(999_999_999);
        let is_device = matches!(entry.kind, EntryKind::CharDevice { .. } | EntryKind::BlockDevice { .. });
        // From 1970 to 2038 every file system can tell.
        let has_usual_time = self.keeps_nanos && i32::try_from(entry.modified_secs).is_ok_and(|secs| secs >= 0);
        if !is_device && has_usual_time && entry.xattrs.is_empty() {
            return Ok(Some(entry));
        }
        let sample = match self.sample(&entry.kind) {
            Err(Error::Io { source, .. }) if is_device && source.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(None);
            }
            sample => sample?,
        };
        (entry.xattrs, entry.mode) = set_attributes(&sample, &entry);
        (entry.modified_secs, entry.modified_nanos) = set_time(&sample, (entry.modified_secs, entry.modified_nanos))?;
        remove(&sample)?;
        Ok(Some(entry))
    }

    /// What was found in the restored tree, in the same terms.
    pub(super) fn found(&self, entry: &Entry) -> Entry {
        let mut entry = entry.clone();
        entry.xattrs.retain(|(name, _)| is_compared(name));
        if !self.sets_owners {
            entry.mode &= !SET_ID;
        }
        entry
    }

    fn sample(&self, kind: &EntryKind) -> Result<PathBuf, Error> {
        let path = self.folder.join("sample");
        let node = |kind, (major, minor)| {
            let device = makedev(major, minor);
            mknodat(CWD, &path, kind, Mode::RUSR | Mode::WUSR, device).map_err(io::Error::from)
        };
        let made = match kind {
            EntryKind::Directory => fs::create_dir(&path),
            EntryKind::File { .. } | EntryKind::HardLink { .. } => File::create_new(&path).map(drop),
            EntryKind::Symlink { .. } => symlinkat(c"nowhere", CWD, &path).map_err(io::Error::from),
            EntryKind::Fifo => node(FileType::Fifo, (0, 0)),
            EntryKind::CharDevice { major, minor } => node(FileType::CharacterDevice, (*major, *minor)),
            EntryKind::BlockDevice { major, minor } => node(FileType::BlockDevice, (*major, *minor)),
        };
        made.map_err(|error| Error::io("make", &path, error))?;
        Ok(path)
    }
}

/// Sets a time, and returns what became of it.
fn set_time(path: &Path, (secs, nanos): (i64, u32)) -> Result<(i64, u32), Error> {
    let time = Timespec {
        tv_sec: secs,
        tv_nsec: nanos.into(),
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    let failed = |error: io::Error| Error::io("set the time of", path, error);
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| failed(error.into()))?;
    let found = fs::symlink_metadata(path).map_err(failed)?;
    Ok((found.mtime(), u32::try_from(found.mtime_nsec()).unwrap_or(0)))
}

fn remove(path: &Path) -> Result<(), Error> {
    let found = fs::symlink_metadata(path);
    let removed = if found.is_ok_and(|found| found.is_dir()) {
        fs::remove_dir(path)
    } else {
        fs::remove_file(path)
    };
    removed.map_err(|error| Error::io("remove", path, error))
}

/// Extended attributes, by name.
type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// Sets the attributes and the mode, and returns what became of the attributes, since a mode changes an access list, and the mode
/// that a restore gives with them.
fn set_attributes(sample: &Path, entry: &Entry) -> (Attributes, u32) {
    let mut mode = entry.mode;
    let mut names: Vec<&[u8]> = Vec::new();
    for (name, value) in entry.xattrs.iter().filter(|(name, _)| is_compared(name)) {
        if lsetxattr(sample, name.as_slice(), value, XattrFlags::empty()).is_ok() {
            names.push(name);
        } else if name.as_slice() == ACCESS_LIST.as_bytes() {
            mode = mode_without_list(mode, value);
        }
    }
    if !names.is_empty() && !matches!(entry.kind, EntryKind::Symlink { .. }) {
        // What of it could not be set does not matter here.
        let _ = fs::set_permissions(sample, fs::Permissions::from_mode(mode));
    }
    let get = |name: &[u8]| {
        let mut value = vec![0; XATTR_MAX];
        let length = lgetxattr(sample, name, &mut value).ok()?;
        value.truncate(length);
        Some((name.to_vec(), value))
    };
    let mut found: Vec<_> = names.into_iter().filter_map(get).collect();
    found.sort();
    (found, mode)
}

/// Attributes that are the file's own. Others a machine gives to its files by itself, such as labels.
fn is_compared(name: &[u8]) -> bool {
    name == b"security.capability"
        || [&b"user."[..], b"trusted.", b"system.posix_acl_"]
            .iter()
            .any(|space| name.starts_with(space))
}
