//! What a file carries beside its content.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use backup_core::{Entry, EntryKind, EntryPath, FileIdentity};
use rustix::fs::{Stat, fgetxattr, flistxattr, getxattr, lgetxattr, listxattr, llistxattr};
use rustix::io::Errno;

use super::owners::Owners;

/// The largest list of names and the largest value that Linux allows, in bytes.
pub(super) const XATTR_MAX: usize = 64 * 1024;

/// The attribute that holds the access list of a file or folder.
pub(super) const ACCESS_LIST: &str = "system.posix_acl_access";

/// Extended attributes.
#[derive(Debug, Clone, Default)]
pub(super) struct Xattrs {
    /// Name and value, sorted by name.
    list: Vec<(Vec<u8>, Vec<u8>)>,
    /// What could not be read of them, and why.
    pub(super) unread: Option<String>,
    /// Whether it may be read another time: what nobody may read is no different tomorrow.
    may_pass: bool,
}

impl Xattrs {
    fn miss(&mut self, error: Errno, told: String) {
        self.unread = Some(told);
        self.may_pass |= !matches!(error, Errno::ACCESS | Errno::PERM | Errno::NOTSUP);
    }
}

/// The entry of what `stat` describes. Without its identity where attributes are missing that may be read another time, so that
/// the next backup does instead of taking over that there are none.
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
        xattrs: xattrs.list,
        identity: (is_file && !xattrs.may_pass).then(|| FileIdentity {
            inode: stat.st_ino,
            changed_secs: stat.st_ctime,
            changed_nanos: u32::try_from(stat.st_ctime_nsec).unwrap_or(0),
        }),
    }
}

/// Attributes of an open file or folder.
pub(super) fn xattrs_of_open(file: BorrowedFd<'_>) -> Xattrs {
    read_xattrs(
        |list| flistxattr(file, list),
        |name, value| fgetxattr(file, name, value),
    )
}

/// Attributes of a folder that is open as a place only, which may neither be read nor have its attributes asked for.
pub(super) fn xattrs_of_path(folder: BorrowedFd<'_>) -> Xattrs {
    let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
    read_xattrs(
        |list| listxattr(path.as_str(), list),
        |name, value| getxattr(path.as_str(), name, value),
    )
}

/// Attributes of what cannot be opened (links, pipes, devices). They have no call of their own relative to a folder; the
/// folder's own name under `/proc` leads to exactly the folder that is open.
pub(super) fn xattrs_of_name(dir: BorrowedFd<'_>, name: &CStr) -> Xattrs {
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

/// The mode of what cannot be given its access list. With a list, the bits of the group are the list's mask: the most that
/// anybody may have whom it names. What the group itself has stands in the list; where that does not say, it has nothing.
pub(super) fn mode_without_list(mode: u32, list: &[u8]) -> u32 {
    let group = rights_of_group(list).unwrap_or(0);
    mode & (!0o070 | (group << 3))
}

/// What a list gives to the group that owns the file (acl(5)). As the kernel keeps it: a version, and entries of what each is for,
/// its rights and its number.
fn rights_of_group(list: &[u8]) -> Option<u32> {
    let entries = list.strip_prefix(&2_u32.to_le_bytes())?;
    entries.as_chunks::<8>().0.iter().find_map(|entry| match entry {
        [4, 0, rights, ..] => Some(u32::from(*rights) & 7),
        _ => None,
    })
}

fn read_xattrs(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&[u8], &mut [u8]) -> Result<usize, Errno>,
) -> Xattrs {
    let mut xattrs = Xattrs::default();
    let names = match list_xattrs(list) {
        Ok(names) if names.is_empty() => return xattrs,
        Ok(names) => names,
        Err(error) => {
            xattrs.miss(error, format!("its extended attributes cannot be read: {error}"));
            return xattrs;
        }
    };
    let mut value = vec![0; XATTR_MAX];
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        match get(name, &mut value) {
            Ok(length) => xattrs.list.push((name.to_vec(), value[..length].to_vec())),
            // Removed since it was listed.
            Err(Errno::NODATA) => {}
            Err(error) => {
                let shown = EntryPath::show(name);
                xattrs.miss(error, format!("its extended attribute {shown} cannot be read: {error}"));
            }
        }
    }
    xattrs.list.sort();
    xattrs
}

/// The names, with NUL behind each.
fn list_xattrs(list: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    // Nearly every file has none or few.
    let mut small = [0; 512];
    match list(&mut small) {
        Ok(length) => Ok(small[..length].to_vec()),
        Err(Errno::NOTSUP) => Ok(Vec::new()),
        Err(Errno::RANGE) => {
            let mut large = vec![0; XATTR_MAX];
            let length = list(&mut large)?;
            large.truncate(length);
            Ok(large)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_its_list_a_file_gives_its_group_no_more_than_the_list_does() {
        let list = |version: u32, entries: &[(u16, u16)]| {
            let mut bytes = version.to_le_bytes().to_vec();
            for (tag, rights) in entries {
                bytes.extend_from_slice(&tag.to_le_bytes());
                bytes.extend_from_slice(&rights.to_le_bytes());
                bytes.extend_from_slice(&u32::MAX.to_le_bytes());
            }
            bytes
        };
        // The owner, a user, the group, the mask, others.
        let with_group = |group: u16| list(2, &[(1, 7), (2, 7), (4, group), (16, 7), (32, 5)]);
        assert_eq!(mode_without_list(0o675, &with_group(0)), 0o605);
        assert_eq!(mode_without_list(0o675, &with_group(5)), 0o655);
        assert_eq!(mode_without_list(0o2770, &with_group(7)), 0o2770);
        // The mask may be less than what the list gives.
        assert_eq!(mode_without_list(0o640, &with_group(7)), 0o640);
        for broken in [
            Vec::new(),
            list(2, &[]),
            list(2, &[(1, 7), (16, 7)]),
            list(3, &[(4, 7)]),
            list(2, &[(4, 7)])[..7].to_vec(),
        ] {
            assert_eq!(mode_without_list(0o1777, &broken), 0o1707, "{broken:?}");
        }
    }

    const TWO: &[u8] = b"user.b\0user.a\0";

    /// The entry of a file whose attributes are listed as `names`, and of which `get` yields the values.
    fn entry_with(names: Result<&[u8], Errno>, get: impl Fn(&[u8], &mut [u8]) -> Result<usize, Errno>) -> Entry {
        let xattrs = read_xattrs(
            |list| {
                let names = names?;
                list[..names.len()].copy_from_slice(names);
                Ok(names.len())
            },
            get,
        );
        let stat = rustix::fs::stat("/").unwrap();
        let (path, kind) = (EntryPath::new("f").unwrap(), EntryKind::File { data: None });
        entry(path, kind, &stat, xattrs, &Owners::default())
    }

    #[test]
    fn a_file_whose_attributes_were_not_all_read_is_read_again_by_the_next_backup() {
        let letter = |name: &[u8], value: &mut [u8]| -> Result<usize, Errno> {
            value[0] = name[5];
            Ok(1)
        };
        let [a, b] = ["a", "b"].map(|letter| (format!("user.{letter}").into_bytes(), letter.as_bytes().to_vec()));
        let whole = entry_with(Ok(TWO), letter);
        assert_eq!(whole.xattrs, [a, b.clone()]);
        assert!(whole.identity.is_some());

        let none = entry_with(Err(Errno::IO), letter);
        assert_eq!((none.xattrs, none.identity), (Vec::new(), None));

        // What may never be read is no reason to read the file each time.
        let never = entry_with(Ok(TWO), |_, _| Err(Errno::PERM));
        assert!(never.xattrs.is_empty() && never.identity.is_some());

        // The others are kept.
        let some = entry_with(Ok(TWO), |name, value| match name {
            b"user.a" => Err(Errno::IO),
            _ => letter(name, value),
        });
        assert_eq!((some.xattrs, some.identity), (vec![b], None));
    }

    #[test]
    fn without_attributes_nothing_is_missing() {
        for names in [Ok(&b""[..]), Err(Errno::NOTSUP)] {
            let entry = entry_with(names, |_, _| Err(Errno::IO));
            assert!(entry.xattrs.is_empty() && entry.identity.is_some(), "{names:?}");
        }
        // Removed between listing and reading.
        let entry = entry_with(Ok(TWO), |_, _| Err(Errno::NODATA));
        assert!(entry.xattrs.is_empty() && entry.identity.is_some());
    }
}
