//! Reads a tree of files.

use std::path::PathBuf;

use backup_core::contents::BackupContents;
use backup_core::{ArchiveSink, EntryPath, JobControl, PipelineError, Source, Step, counted};

use super::{PART, Saver, measure};
use crate::Error;

/// A folder as something that is backed up.
///
/// Files that change or vanish while they are read are told as warnings; a file or folder that cannot be read fails the
/// backup at the end of the part, with a list of all such.
#[derive(Debug)]
pub struct FilesSource {
    root: PathBuf,
    carries_unchanged: bool,
    /// How many files it held when it was last backed up.
    held: u64,
}

impl FilesSource {
    /// The folder at `root`, which may itself be a link to one. Nothing is read before [`Source::prepare`].
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            carries_unchanged: false,
            held: 0,
        }
    }

    /// The same folder, which held `files` files when it was last backed up. Where it is empty now, it is refused: mostly a
    /// disk is not mounted, and backups of nothing would push out those that hold something.
    #[must_use]
    pub fn that_held(mut self, files: u64) -> Self {
        self.held = files;
        self
    }

    /// The same folder, of which files that the base of the backup vouches for are not read: those whose size, times and
    /// number in the file system did not change.
    #[must_use]
    pub fn carrying_unchanged(mut self, carries: bool) -> Self {
        self.carries_unchanged = carries;
        self
    }

    /// Asks whether the folder is there and lets itself be read. What is in it is not looked at.
    ///
    /// # Errors
    /// Where it is not or does not, and what to do.
    pub fn check_access(&self) -> Result<(), PipelineError> {
        self.check()?;
        match std::fs::read_dir(&self.root) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::io("read the upload folder", &self.root, error).into()),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let hint = "Create the folder, mount it, or set UPLOAD_DIR to the right one.";
        match std::fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => self.check_not_emptied(),
            Ok(_) => Err(Error::refused(
                format!("the upload folder {} is not a folder", self.root.display()),
                hint,
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::refused(
                format!("the upload folder {} does not exist", self.root.display()),
                hint,
            )),
            Err(error) => Err(Error::io("read the upload folder", &self.root, error)),
        }
    }

    fn check_not_emptied(&self) -> Result<(), Error> {
        if self.held == 0 {
            return Ok(());
        }
        let listed = std::fs::read_dir(&self.root).and_then(|mut entries| entries.next().transpose());
        match listed {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Error::refused(
                format!(
                    "the upload folder {} is empty, while the last backup had {}: is it mounted?",
                    self.root.display(),
                    counted(self.held, "file", "files")
                ),
                "Mount it, or set UPLOAD_DIR to the right folder. One that is meant to be empty needs a file in it, such as \
                 .keep.",
            )),
            Err(error) => Err(Error::io("read the upload folder", &self.root, error)),
        }
    }
}

impl Source for FilesSource {
    fn part(&self) -> &'static str {
        PART
    }

    fn step(&self) -> Step {
        Step::Files
    }

    fn prepare(&self, job: &JobControl) -> Result<u64, PipelineError> {
        self.check()?;
        Ok(measure(&self.root, job)?)
    }

    fn backup(
        &self,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
        contents: &mut BackupContents,
    ) -> Result<(), PipelineError> {
        self.check()?;
        let mut saver = Saver::new(sink, job).carrying_unchanged(self.carries_unchanged);
        saver.save_tree(&self.root, EntryPath::root())?;
        contents.files = Some(saver.finish()?);
        Ok(())
    }
}
