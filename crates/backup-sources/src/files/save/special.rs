//! What has no content: links, pipes, devices, sockets.

use std::ffi::CStr;

use backup_core::{EntryKind, EntryPath, WarningCode};
use rustix::fs::{FileType, Stat, major, minor, readlinkat};
use rustix::io::Errno;

use super::Saver;
use crate::Error;
use crate::files::links::Identity;
use crate::files::look::look_again;
use crate::files::metadata::{entry, xattrs_of_name};
use crate::files::walk::Walk;

impl Saver<'_> {
    /// Saves what stands under `name` in the walk's folder.
    pub(super) fn save_special(
        &mut self,
        walk: &Walk,
        name: &CStr,
        file_type: FileType,
        stat: &Stat,
        path: &EntryPath,
    ) -> Result<(), Error> {
        let Ok(dir) = walk.dir() else {
            self.vanished(path);
            return Ok(());
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
                // Something else took its place.
                Err(Errno::INVAL) => {
                    self.vanished(path);
                    return Ok(());
                }
                Err(error) => {
                    self.missed(path, error, || look_again(walk, name));
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
        let identity = (stat.st_nlink > 1).then(|| Identity::of(stat, dir, Some(name)));
        if self.save_as_link(identity.as_ref(), stat, path, &xattrs)? {
            return Ok(());
        }
        self.sink.append(
            &entry(path.clone(), kind, stat, xattrs, &self.owners),
            &mut std::io::empty(),
        )?;
        self.saved.entry_count += 1;
        self.remember(identity, stat, path);
        Ok(())
    }
}
