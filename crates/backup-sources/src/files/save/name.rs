//! What stands under one name: looked at, opened and saved, or carried over from the base.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use backup_core::{EntryKind, EntryPath};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::Saver;
use super::fate::why_unread;
use crate::Error;
use crate::files::links::Identity;
use crate::files::look::{look, look_again, open_in_time};
use crate::files::metadata::{Xattrs, entry};
use crate::files::walk::{Walk, is_gone};

/// How often a name that is one thing when listed and another when opened is looked at again.
const ATTEMPTS: usize = 4;

impl Saver<'_> {
    /// Saves what stands under `name`; a folder is only opened and handed back.
    pub(super) fn save_name(
        &mut self,
        walk: &Walk,
        name: &CStr,
        listed: FileType,
        path: &EntryPath,
    ) -> Result<Option<(OwnedFd, Stat)>, Error> {
        let mut file_type = listed;
        let mut unread = None;
        if self.carries_unchanged && listed == FileType::RegularFile && self.carry_over(walk, name, path)? {
            return Ok(None);
        }
        for _ in 0..ATTEMPTS {
            let looked = match file_type {
                FileType::RegularFile | FileType::Directory => open_in_time(walk, name, file_type, self.job)?,
                _ => look(walk, name).map(|stat| (None, stat)),
            };
            let (fd, stat) = match looked {
                Ok(looked) => looked,
                Err(error) if is_gone(error) => {
                    unread = why_unread(error, || look_again(walk, name));
                    if unread.is_none() {
                        self.vanished(path);
                        return Ok(None);
                    }
                    // Somebody may have made it anew.
                    continue;
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
                    self.save_file(&fd, &stat, path.clone(), || look_again(walk, name))?;
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
        match unread {
            Some(why) => self.cannot_read(path, why),
            None => self.vanished(path),
        }
        Ok(None)
    }

    /// Lets the sink carry the file over from the base without opening it. `false`: it is to be read.
    fn carry_over(&mut self, walk: &Walk, name: &CStr, path: &EntryPath) -> Result<bool, Error> {
        // Whatever is in the way is told where it is opened.
        let Ok(stat) = look(walk, name) else { return Ok(false) };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(false);
        }
        let identity = match walk.dir() {
            Ok(dir) if stat.st_nlink > 1 => Some(Identity::of(&stat, dir, Some(name))),
            Ok(_) => None,
            Err(_) => return Ok(false),
        };
        // Another name of what is in the archive already becomes a link.
        if identity.as_ref().is_some_and(|identity| self.links.knows(identity)) {
            return Ok(false);
        }
        let entry = entry(
            path.clone(),
            EntryKind::File { data: None },
            &stat,
            Xattrs::default(),
            &self.owners,
        );
        // What it takes up on the disk says little: the file system may compress it.
        let Some(stored) = self.sink.append_unchanged(&entry)? else {
            return Ok(false);
        };
        self.job.pass_over(stored);
        self.saved.file_count += 1;
        self.saved.entry_count += 1;
        self.saved.size_bytes += stored;
        self.remember(identity, &stat, path);
        Ok(true)
    }
}
