//! What a restored file gets at the end: owner, attributes, mode, time.

use std::ffi::CStr;
use std::os::fd::{AsFd as _, OwnedFd};

use backup_core::{Entry, EntryKind, EntryPath};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chownat, fchmod, fchown,
    fsetxattr, fstat, futimens, lsetxattr, statat, utimensat,
};
use rustix::io::Errno;

use super::Restorer;
use crate::Error;
use crate::files::metadata::{ACCESS_LIST, mode_without_list, name_under_proc};
use crate::files::mode::set_mode_of;

/// Bits that give the rights of the owner to whoever runs the file.
const SET_ID: u32 = 0o6000;
/// The attribute that gives a program rights of root.
const CAPABILITIES: &[u8] = b"security.capability";

impl Restorer<'_> {
    /// Gives an open file or folder its metadata. The mode comes after the owner, which clears bits of it, and after the
    /// attributes, which need the right to write; the time comes last.
    pub(super) fn finish_open(&mut self, entry: &Entry, file: &OwnedFd) -> Result<(), Error> {
        let failed = |error: Errno| Error::io("set the metadata of", entry.path.to_string(), error);
        let stat = fstat(file).map_err(failed)?;
        let owner = self.give_owner(entry, (stat.st_uid, stat.st_gid), |uid, gid| fchown(file, uid, gid))?;
        let bits = self.give_attributes(entry, |name, value| fsetxattr(file, name, value, XattrFlags::empty()));
        let mut mode = self.mode(entry, bits, owner);
        if entry.kind == EntryKind::Directory {
            mode = self.closed.keep_open(&entry.path, mode);
        }
        match fchmod(file, mode) {
            // A folder that was there and is another's; its times are the owner's to set too.
            Err(Errno::PERM) => {
                self.withheld.rights.add(|| entry.path.to_string());
                return Ok(());
            }
            set => set.map_err(failed)?,
        }
        // The set-gid bit of a group that this user is not in is left out by the kernel, which says nothing.
        let set_id = mode.as_raw_mode() & SET_ID;
        if set_id != 0 && fstat(file).map_err(failed)?.st_mode & set_id != set_id {
            self.withheld.set_id.add(|| entry.path.to_string());
        }
        futimens(file, &times(entry)).map_err(failed)
    }

    /// The same for what cannot be opened.
    pub(super) fn finish_name(&mut self, entry: &Entry, name: &CStr) -> Result<(), Error> {
        let failed = |error: Errno| Error::io("set the metadata of", entry.path.to_string(), error);
        let dir = rustix::io::fcntl_dupfd_cloexec(self.dir(&entry.path)?, 0).map_err(failed)?;
        let stat = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        let owner = self.give_owner(entry, (stat.st_uid, stat.st_gid), |uid, gid| {
            chownat(&dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
        })?;
        let path = name_under_proc(dir.as_fd(), name);
        let bits = self.give_attributes(entry, |attribute, value| {
            lsetxattr(path.as_slice(), attribute, value, XattrFlags::empty())
        });
        // A link has no mode of its own.
        if !matches!(entry.kind, EntryKind::Symlink { .. }) {
            let mode = self.mode(entry, bits, owner);
            let is_special = |kind: FileType| !matches!(kind, FileType::RegularFile | FileType::Directory);
            set_mode_of(dir.as_fd(), name, mode, is_special).map_err(failed)?;
        }
        utimensat(&dir, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW).map_err(failed)
    }

    /// Gives it its recorded owner and group as far as that is allowed, and returns those that it has then. A plain user
    /// may give files to the groups that the user is in.
    fn give_owner(
        &mut self,
        entry: &Entry,
        has: (u32, u32),
        set: impl Fn(Option<Uid>, Option<Gid>) -> Result<(), Errno>,
    ) -> Result<(u32, u32), Error> {
        let uid = self.owners.uid(entry.user.as_deref(), entry.uid);
        let gid = self.owners.gid(entry.group.as_deref(), entry.gid);
        if has == (uid, gid) {
            return Ok(has);
        }
        let set_group = has.1 != gid;
        let result = if self.is_root {
            set(Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
        } else if set_group {
            set(None, Some(Gid::from_raw(gid)))
        } else {
            Ok(())
        };
        let owner = match result {
            Ok(()) if self.is_root => (uid, gid),
            Ok(()) => (has.0, gid),
            Err(Errno::PERM | Errno::INVAL) => has,
            Err(error) => return Err(Error::io("set the owner of", entry.path.to_string(), error)),
        };
        if owner != (uid, gid) {
            self.withheld.owners.add(|| entry.path.to_string());
        }
        Ok(owner)
    }

    /// Gives it its attributes as far as that is allowed, and returns the mode that goes with those that it has then.
    fn give_attributes(&mut self, entry: &Entry, set: impl Fn(&[u8], &[u8]) -> Result<(), Errno>) -> u32 {
        let mut mode = entry.mode;
        for (name, value) in &entry.xattrs {
            let Err(error) = set(name, value) else { continue };
            if name.as_slice() == ACCESS_LIST.as_bytes() {
                mode = mode_without_list(mode, value);
            }
            self.withhold_xattr(entry, name, error);
        }
        if mode != entry.mode {
            self.withheld.lists.add(|| entry.path.to_string());
        }
        mode
    }

    /// The mode of `bits`, without set-id bits where they would hand out the rights of another than the recorded owner.
    fn mode(&mut self, entry: &Entry, bits: u32, owner: (u32, u32)) -> Mode {
        let is_owner = self.owners.uid(entry.user.as_deref(), entry.uid) == owner.0
            && self.owners.gid(entry.group.as_deref(), entry.gid) == owner.1;
        let bits = bits & 0o7777;
        if is_owner || entry.kind == EntryKind::Directory || bits & SET_ID == 0 {
            return Mode::from_raw_mode(bits);
        }
        self.withheld.set_id.add(|| entry.path.to_string());
        Mode::from_raw_mode(bits & !SET_ID)
    }

    fn withhold_xattr(&mut self, entry: &Entry, name: &[u8], error: Errno) {
        if name == CAPABILITIES {
            self.withheld.capabilities.add(|| format!("{} ({error})", entry.path));
        } else {
            let shown = || format!("{} of {} ({error})", EntryPath::show(name), entry.path);
            self.withheld.attributes.add(shown);
        }
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
