//! Restores a tree of files into a folder of its own.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backup_core::{EntryPath, JobControl, PartReader, PipelineError, Step, Target};

use super::remove::{empty_folder, remove_tree};
use super::{PART, restore_tree};
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
/// fails, what it made is removed; killed outright, it leaves a folder that the next one refuses as not empty.
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
        Ok(into_folder(&self.dir, |dir| {
            restore_tree(dir, &self.options.paths, part, job)
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
pub(crate) fn into_folder(dir: &Path, fill: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let existed = check_target(dir)?;
    let missing: Vec<&Path> = dir.ancestors().skip(1).take_while(|above| is_missing(above)).collect();
    let result = prepare(dir, existed).and_then(|()| fill(dir));
    if result.is_err()
        && let Err(error) = remove(dir, existed, &missing)
    {
        tracing::error!(%error, dir = %dir.display(), "cannot remove the half-restored files");
    }
    result
}

/// What was never made needs no removing.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            Ok(())
        } else {
            Err(error)
        }
    })
}

fn is_missing(dir: &Path) -> bool {
    !dir.as_os_str().is_empty()
        && std::fs::symlink_metadata(dir).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn prepare(dir: &Path, existed: bool) -> Result<(), Error> {
    if existed {
        return Ok(());
    }
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|error| Error::io("create the folder", parent, error))?;
    }
    // Nobody else can look in before the restored modes stand.
    let made = std::fs::DirBuilder::new().mode(0o700).create(dir);
    made.map_err(|error| Error::io("create the folder", dir, error))
}

/// Removes what a failed restore made. That it was cancelled must not keep it from this, so it goes by no job's control.
fn remove(dir: &Path, keep_folder: bool, above: &[&Path]) -> Result<(), Error> {
    let unstoppable = JobControl::new(Duration::MAX);
    if keep_folder {
        return empty_folder(dir, &unstoppable);
    }
    remove_tree(dir, &unstoppable)?;
    let removed = above.iter().try_for_each(|above| gone(std::fs::remove_dir(above)));
    removed.map_err(|error| Error::io("remove the folders above", dir, error))
}
