//! Restores a tree of files into a folder of its own.

use std::io;
use std::path::{Path, PathBuf};

use backup_core::{EntryPath, JobControl, PartReader, PipelineError, Step, Target};

use super::{Made, PART, restore_tree};
use crate::Error;

/// What of a tree is restored.
#[derive(Debug, Clone, Default)]
pub struct FilesTargetOptions {
    /// Only these files and folders with all they hold; empty: everything.
    pub paths: Vec<EntryPath>,
}

/// A new or empty folder that files are restored into.
///
/// Owners are restored where this runs as root (by name where the name is known here, else by number). When the restore
/// fails, what it made is removed, and what others put into the folder meanwhile stays; killed outright, it leaves a folder
/// that the next one refuses as not empty.
#[derive(Debug)]
pub struct FilesTarget {
    dir: PathBuf,
    options: FilesTargetOptions,
}

impl FilesTarget {
    /// The folder at `dir`, which must not exist or be empty; it is created where missing.
    pub fn new(dir: PathBuf, options: FilesTargetOptions) -> Self {
        Self { dir, options }
    }

    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Target for FilesTarget {
    fn part(&self) -> &'static str {
        PART
    }

    fn step(&self) -> Step {
        Step::Files
    }

    fn prepare(&mut self, _job: &JobControl) -> Result<(), PipelineError> {
        check_target(&self.dir)?;
        Ok(())
    }

    fn restore(&mut self, part: &mut dyn PartReader, job: &JobControl) -> Result<(), PipelineError> {
        Ok(into_folder(&self.dir, |dir, made| {
            restore_tree(dir, &self.options.paths, true, part, made, job)
        })?)
    }
}

/// Whether `dir` exists; an error unless it is missing or an empty folder.
pub(crate) fn check_target(dir: &Path) -> Result<bool, Error> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(true),
            Some(_) => Err(Error::refused(
                format!("the folder {} is not empty", dir.display()),
                "Name a folder that does not exist yet or is empty.",
            )),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(Error::refused(
            format!("{} is not a folder", dir.display()),
            "Name a folder that does not exist yet or is empty.",
        )),
        Err(error) => Err(Error::io("look into the folder", dir, error)),
    }
}

/// Makes `dir` where it is missing and lets `fill` restore into it. When that fails, all that was made is removed.
pub(crate) fn into_folder(dir: &Path, fill: impl FnOnce(&Path, &mut Made) -> Result<(), Error>) -> Result<(), Error> {
    let mut made = Made::default();
    let ready = if check_target(dir)? {
        Ok(())
    } else {
        made.make_folder(dir)
    };
    let result = ready.and_then(|()| fill(dir, &mut made));
    if result.is_err()
        && let Err(error) = made.take_away(dir)
    {
        tracing::error!(%error, dir = %dir.display(), "cannot remove the half-restored files");
    }
    result
}
