//! What a file carries beside its content.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use backup_core::{Entry, EntryKind, EntryPath, FileIdentity};
use rustix::fs::{Stat, fgetxattr, flistxattr, getxattr, lgetxattr, listxattr, llistxattr};
use rustix::io::Errno;

use super::owners::Owners;

/// The largest list of names and the largest value that Linux allows, in bytes.
pub(super) const XATTR_MAX: usize = 64 * 1024;

/// Extended attributes: name and value, sorted by name.
pub(super) type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// The entry of what `stat` describes.
pub(super) fn entry(path: EntryPath, kind: EntryKind, stat: &Stat, xattrs: Xattrs, owners: &Owners) -> Entry {
    let is_file = matches!(kind, EntryKind::File { .. });
    let size = if is_file {
        u64::try_from(stat.st_size).unwrap_or(0)
    } else {
        0
    };
    Entry {
        path,
        kind,
        size,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        user: owners.user(stat.st_uid),
        group: owners.group(stat.st_gid),
        modified_secs: stat.st_mtime,
        modified_nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        xattrs,
        identity: is_file.then(|| FileIdentity {
            inode: stat.st_ino,
            changed_secs: stat.st_ctime,
            changed_nanos: u32::try_from(stat.st_ctime_nsec).unwrap_or(0),
        }),
    }
}

/// Attributes of an open file or folder.
pub(super) fn xattrs_of_open(file: BorrowedFd<'_>) -> Result<Xattrs, Errno> {
    read_xattrs(
        |list| flistxattr(file, list),
        |name, value| fgetxattr(file, name, value),
    )
}

/// Attributes of a folder that is open as a place only, which may neither be read nor have its attributes asked for.
pub(super) fn xattrs_of_path(folder: BorrowedFd<'_>) -> Result<Xattrs, Errno> {
    let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
    read_xattrs(
        |list| listxattr(path.as_str(), list),
        |name, value| getxattr(path.as_str(), name, value),
    )
}

/// Attributes of what cannot be opened (links, pipes, devices). They have no call of their own relative to a folder; the
/// folder's own name under `/proc` leads to exactly the folder that is open.
pub(super) fn xattrs_of_name(dir: BorrowedFd<'_>, name: &CStr) -> Result<Xattrs, Errno> {
    let path = name_under_proc(dir, name);
    read_xattrs(
        |list| llistxattr(path.as_slice(), list),
        |name, value| lgetxattr(path.as_slice(), name, value),
    )
}

/// A path to `name` in the open folder `dir` for calls that know no folders.
pub(super) fn name_under_proc(dir: BorrowedFd<'_>, name: &CStr) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    path
}

fn read_xattrs(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&[u8], &mut [u8]) -> Result<usize, Errno>,
) -> Result<Xattrs, Errno> {
    // Nearly every file has none or few.
    let mut small = [0; 512];
    let names = match list(&mut small) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Ok(length) => small[..length].to_vec(),
        Err(Errno::RANGE) => {
            let mut large = vec![0; XATTR_MAX];
            let length = list(&mut large)?;
            large.truncate(length);
            large
        }
        Err(error) => return Err(error),
    };
    let mut value = vec![0; XATTR_MAX];
    let mut xattrs = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        match get(name, &mut value) {
            Ok(length) => xattrs.push((name.to_vec(), value[..length].to_vec())),
            // Removed since it was listed.
            Err(Errno::NODATA) => {}
            Err(error) => return Err(error),
        }
    }
    xattrs.sort();
    Ok(xattrs)
}
