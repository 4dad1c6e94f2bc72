//! Puts a restored folder in the place of the one in use, at one stroke, and takes it back.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use backup_core::restore::{FolderIdentity, ReplacedFolder};
use backup_core::{JobControl, PipelineError};
use rustix::fs::{AtFlags, CWD, FileType, RenameFlags, StatxFlags, fsync, makedev, renameat, renameat_with, statx};
use rustix::io::Errno;

use super::remove::remove_tree;
use crate::Error;

mod lock;

/// What replaces the folder in use stands beside it, so that both are on one file system.
///
/// The order of things: [`Self::clear_beside`], restore into [`Self::beside`] (as a [`crate::FilesTarget`] does),
/// [`Self::identify`], write [`Self::names`] down, [`Self::swap`], and later either [`Self::discard_old`] or
/// [`Self::roll_back`]. Each can be repeated, also after a crash at any moment: where things stand is found out from which
/// folder is where, for which nothing but the names that were written down is needed. At every moment the path in use
/// leads to the whole state before or to the whole restored one.
///
/// Only what stands at `beside` is ever removed, and only the two names are ever exchanged; nothing in the folder in use
/// is touched.
#[derive(Debug, Clone)]
pub struct FolderSwap {
    names: ReplacedFolder,
}

/// Where the restored folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderSwapState {
    /// No folder was identified as restored: what stands beside, if anything, is a part of one.
    NotRestored,
    /// Whole, beside the one in use: the exchange has not happened, or was taken back.
    Beside,
    /// In use, and the state before stands beside.
    Swapped,
    /// In use, and nothing stands beside: there was nothing before, or it was discarded.
    Alone,
    /// At neither place: it was removed when it was rolled back, or somebody moved it.
    Gone,
}

/// What is at one of the two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nothing,
    Restored,
    Other,
}

impl FolderSwap {
    /// With these names, as [`ReplacedFolder::of`] makes them from a path of [`Self::resolve`], or as they were written
    /// down. `restored` must be `None` as long as the restore into `beside` may still begin anew.
    pub fn new(names: ReplacedFolder) -> Self {
        Self { names }
    }

    /// The real path of the folder in use, to be asked for once, before anything is written down: where `path` is a link to
    /// a folder, or leads through one, the folder itself is replaced and the link stays. What does not exist yet keeps its
    /// name.
    ///
    /// # Errors
    /// `Refused` for what can be no folder's name, for a link that leads nowhere, and for `/`.
    pub fn resolve(path: &Path) -> Result<String, PipelineError> {
        let absolute = std::path::absolute(path).map_err(|error| Error::io("find", path, error))?;
        let mut above = absolute.as_path();
        let mut missing = Vec::new();
        let real = loop {
            match std::fs::canonicalize(above) {
                Ok(real) => break real,
                Err(error) if error.kind() == ErrorKind::NotFound && above.symlink_metadata().is_err() => {}
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Err(unusable(path));
                }
                Err(error) => return Err(Error::io("find", above, error).into()),
            }
            match (above.components().next_back(), above.parent()) {
                (Some(Component::Normal(name)), Some(parent)) => {
                    missing.push(name.to_owned());
                    above = parent;
                }
                _ => return Err(unusable(path)),
            }
        };
        let real: PathBuf = std::iter::once(real.into_os_string())
            .chain(missing.into_iter().rev())
            .collect();
        match real.to_str() {
            Some(text) if text != "/" => Ok(text.to_owned()),
            _ => Err(unusable(path)),
        }
    }

    /// The names, with what [`Self::identify`] found: to be written down before [`Self::swap`].
    pub fn names(&self) -> &ReplacedFolder {
        &self.names
    }

    /// Where the restored state is made.
    pub fn beside(&self) -> PathBuf {
        PathBuf::from(&self.names.beside)
    }

    /// Where the restored folder is.
    ///
    /// # Errors
    /// Where the file system does not say.
    pub fn state(&self) -> Result<FolderSwapState, PipelineError> {
        let Some(restored) = self.names.restored else {
            return Ok(FolderSwapState::NotRestored);
        };
        Ok(
            match (look(&self.names.live, restored)?, look(&self.names.beside, restored)?) {
                (Place::Restored, Place::Nothing) => FolderSwapState::Alone,
                (Place::Restored, _) => FolderSwapState::Swapped,
                (_, Place::Restored) => FolderSwapState::Beside,
                _ => FolderSwapState::Gone,
            },
        )
    }

    /// Removes what an earlier attempt to restore left beside, and forgets what [`Self::identify`] found.
    ///
    /// # Errors
    /// `Refused` once the exchange has happened: what stands beside then is the state before. `Cancelled` leaves a part.
    pub fn clear_beside(&mut self, job: &JobControl) -> Result<(), PipelineError> {
        match self.state()? {
            FolderSwapState::NotRestored | FolderSwapState::Beside => {}
            FolderSwapState::Gone if look_any(&self.names.beside)?.is_none() => {}
            _ => return Err(self.not_here("the folders have been exchanged already")),
        }
        self.names.restored = None;
        Ok(remove_tree(&self.beside(), job)?)
    }

    /// Which folder was restored, and whether there is one in use. To be called once all of it is on the disk.
    ///
    /// # Errors
    /// `Failed` where no folder stands beside.
    pub fn identify(&mut self) -> Result<FolderIdentity, PipelineError> {
        let beside = look_any(&self.names.beside)?.filter(|(_, kind)| *kind == FileType::Directory);
        let Some((found, _)) = beside else {
            let message = format!("nothing was restored to {}", self.names.beside);
            return Err(PipelineError::failed(message, ""));
        };
        self.names.restored = Some(found);
        self.names.former = look_any(&self.names.live)?.map(|(former, _)| former);
        self.names.had_live = self.names.former.is_some();
        Ok(found)
    }

    /// Puts the restored folder in use and the one before beside; from then on this does nothing. On the disk when it
    /// returns.
    ///
    /// # Errors
    /// `Refused` where the file system cannot exchange folders, or where the restored one is at neither place; `Unavailable`
    /// where another program keeps the folder above locked. Nothing has changed then.
    pub fn swap(&self) -> Result<(), PipelineError> {
        let _lock = self.lock()?;
        match self.state()? {
            FolderSwapState::Beside => {}
            FolderSwapState::Swapped | FolderSwapState::Alone => return self.sync(),
            FolderSwapState::NotRestored | FolderSwapState::Gone => {
                return Err(self.not_here("there is no restored folder to put in use"));
            }
        }
        let (beside, live) = (&self.names.beside, &self.names.live);
        if !self.names.had_live && look_any(live)?.is_some() {
            return Err(self.not_here("it has come to be in the meantime"));
        }
        match exchange(beside, live) {
            // Nothing is in use.
            Err(Errno::NOENT) => move_to(beside, live),
            result => result,
        }
        .map_err(|error| self.cannot_exchange(error))?;
        self.sync()
    }

    /// Puts the state before in use again and removes the restored one; from then on this does nothing. Where nothing was
    /// in use before, nothing is afterwards. Killed or cancelled, the state before is in use, or nothing has changed.
    ///
    /// # Errors
    /// `Refused` where the state before was discarded, where somebody moved one of the folders, or where none of them is to be
    /// seen, such as on a volume that is not mounted.
    pub fn roll_back(&self, job: &JobControl) -> Result<(), PipelineError> {
        self.put_back()?;
        Ok(remove_tree(&self.beside(), job)?)
    }

    /// The first half of [`Self::roll_back`]: the state before is in use again, the restored one beside it.
    ///
    /// # Errors
    /// As [`Self::roll_back`].
    pub fn put_back(&self) -> Result<(), PipelineError> {
        let _lock = self.lock()?;
        let (live, beside) = (&self.names.live, &self.names.beside);
        match self.state()? {
            FolderSwapState::Swapped => {
                exchange(live, beside).map_err(|error| self.cannot_exchange(error))?;
                self.sync()?;
            }
            FolderSwapState::Alone if self.names.had_live => {
                return Err(self.not_here("the state before was removed"));
            }
            FolderSwapState::Alone => {
                move_to(live, beside).map_err(|error| self.cannot_exchange(error))?;
                self.sync()?;
            }
            FolderSwapState::Beside | FolderSwapState::NotRestored => {}
            FolderSwapState::Gone if look_any(beside)?.is_some() => {
                return Err(self.not_here("the restored folder is no longer in use, nor beside it"));
            }
            FolderSwapState::Gone => self.check_former()?,
        }
        Ok(())
    }

    /// Removes the state before, which stands beside, where the restored one is in use; from then on this does nothing.
    ///
    /// # Errors
    /// `Refused` where something else is in use: the state before may then be all there is, or be where nobody sees it.
    /// `Cancelled` leaves a part of the state before.
    pub fn discard_old(&self, job: &JobControl) -> Result<(), PipelineError> {
        match self.state()? {
            FolderSwapState::Swapped => Ok(remove_tree(&self.beside(), job)?),
            FolderSwapState::Alone => Ok(()),
            _ if look_any(&self.names.beside)?.is_some() => {
                Err(self.not_here("what is in use is not the restored folder"))
            }
            FolderSwapState::Gone if self.names.former.is_some() => self.check_former(),
            _ => Ok(()),
        }
    }

    /// Whether the state before is in use, where the restored folder is at neither place. A volume that is not mounted looks
    /// the same, but for which folder is in use.
    fn check_former(&self) -> Result<(), PipelineError> {
        let live = look_any(&self.names.live)?;
        let is_back = match self.names.former {
            Some(former) => live.is_some_and(|(found, _)| found.is(&former)),
            None => live.is_some() || !self.names.had_live,
        };
        if is_back {
            return Ok(());
        }
        Err(PipelineError::refused(
            format!(
                "neither the restored folder nor the one before is at {}, and nothing is at {}",
                self.names.live, self.names.beside
            ),
            "Mount the volume that they are on, where it is not mounted, and try again; else look for them by hand.",
        ))
    }

    /// Two workers, of which one has lost the job and does not know it yet, must not look and exchange in turns.
    fn lock(&self) -> Result<File, PipelineError> {
        lock::lock(self.parent(), lock::PATIENCE)
    }

    fn parent(&self) -> &Path {
        let parent = Path::new(&self.names.live).parent();
        parent
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
    }

    /// The exchange outlives a loss of power.
    fn sync(&self) -> Result<(), PipelineError> {
        let parent = self.parent();
        let synced = File::open(parent).and_then(|dir| Ok(fsync(&dir)?));
        Ok(synced.map_err(|error| Error::io("write to the disk", parent, error))?)
    }

    fn not_here(&self, why: &str) -> PipelineError {
        PipelineError::refused(
            format!("{} was left as it is: {why}", self.names.live),
            format!(
                "Look at it and at {}, and move or remove them by hand.",
                self.names.beside
            ),
        )
    }

    fn cannot_exchange(&self, error: Errno) -> PipelineError {
        let made = Error::io("exchange with the restored folder", &self.names.live, error);
        if is_unable(error) {
            return PipelineError::refused(
                format!(
                    "{} cannot be exchanged for the restored folder: {error}",
                    self.names.live
                ),
                "Restore into a new folder, and exchange the two by hand.",
            )
            .because(made);
        }
        made.into()
    }
}

/// Whether an error of an exchange says that it cannot be done there at all: a mount point, or a file system that cannot.
pub(super) fn is_unable(error: Errno) -> bool {
    matches!(
        error,
        Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::XDEV | Errno::BUSY
    )
}

/// Exchanges two names at one stroke.
pub(super) fn exchange(one: &str, other: &str) -> Result<(), Errno> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

/// Gives a folder a name at which nothing stands.
fn move_to(from: &str, to: &str) -> Result<(), Errno> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system knows how; a folder never takes the place of more than an empty one.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => renameat(CWD, from, CWD, to),
        result => result,
    }
}

fn look(path: &str, restored: FolderIdentity) -> Result<Place, Error> {
    Ok(match look_any(path)? {
        None => Place::Nothing,
        Some((found, FileType::Directory)) if found.is(&restored) => Place::Restored,
        Some(_) => Place::Other,
    })
}

fn look_any(path: &str) -> Result<Option<(FolderIdentity, FileType)>, Error> {
    let wanted = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::BTIME;
    match statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, wanted) {
        Ok(found) => {
            let has_born = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
            let identity = FolderIdentity {
                device: makedev(found.stx_dev_major, found.stx_dev_minor),
                inode: found.stx_ino,
                born: has_born.then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec)),
            };
            Ok(Some((identity, FileType::from_raw_mode(found.stx_mode.into()))))
        }
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

fn unusable(path: &Path) -> PipelineError {
    let shown = backup_core::EntryPath::show(path.as_os_str().as_bytes());
    PipelineError::refused(
        format!("{shown} cannot be replaced as a whole"),
        "Name a folder below `/`, or a link that leads to one, in UTF-8 and without `..`.",
    )
}
