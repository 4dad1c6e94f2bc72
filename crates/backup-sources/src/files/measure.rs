//! How much there is to save.

use std::os::fd::AsFd;
use std::path::Path;

use backup_core::{EntryPath, JobControl};
use rustix::fs::{Access, AtFlags, FileType, OFlags, Stat, accessat, fstat, statat};
use rustix::io::Errno;

use super::dirs::open_dir;
use super::look::{is_pseudo, open_root};
use super::walk::{Found, Walk};
use crate::Error;

/// About how many bytes `Saver::save_tree` will read of `root`. What cannot be read is passed over here.
pub(crate) fn measure(root: &Path, job: &JobControl) -> Result<u64, Error> {
    measure_tree(root, job, false)
}

/// The same for a few files, each of which is looked at: what cannot be read is an error.
pub(crate) fn measure_readable(root: &Path, job: &JobControl) -> Result<u64, Error> {
    measure_tree(root, job, true)
}

fn measure_tree(root: &Path, job: &JobControl, must_be_readable: bool) -> Result<u64, Error> {
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
        let mut readable = Ok(());
        match file_type {
            FileType::Directory | FileType::Unknown => match open_dir(dir, &name) {
                Ok(fd) if is_pseudo(fd.as_fd()) => {}
                // What goes away meanwhile is told when it is saved.
                Ok(fd) => readable = walk.enter(fd).map(drop),
                Err(error) => {
                    if let Ok(stat) = statat(dir, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW) {
                        total += stored(&stat);
                    }
                    readable = Err(error);
                }
            },
            FileType::RegularFile => {
                if let Ok(stat) = statat(dir, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW) {
                    total += stored(&stat);
                }
                if must_be_readable {
                    readable = accessat(dir, name.as_c_str(), Access::READ_OK, AtFlags::EACCESS);
                }
            }
            _ => {}
        }
        if let (Err(error @ (Errno::ACCESS | Errno::PERM)), true) = (readable, must_be_readable) {
            let path = root.join(EntryPath::show(walk.path()));
            return Err(Error::io("read", path, error));
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
