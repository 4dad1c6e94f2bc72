//! What a restore has made, so that it takes away that and nothing else when it fails: others may use the folder too.

use std::ffi::CStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backup_core::JobControl;

use super::remove::remove_names;
use crate::Error;

/// The folders that a restore made down to its target, and the names that it made right in the target.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// The outermost first.
    folders: Vec<PathBuf>,
    /// One behind the other, each with its NUL: a million names of 20 bytes take 21 MB.
    names: Vec<u8>,
}

impl Made {
    /// Makes the folder `dir`, which only its owner may enter, and those above it that are missing.
    pub(super) fn make_folder(&mut self, dir: &Path) -> Result<(), Error> {
        let missing: Vec<&Path> = dir.ancestors().skip(1).take_while(|above| is_missing(above)).collect();
        for above in missing.into_iter().rev() {
            match fs::create_dir(above) {
                Ok(()) => self.folders.push(above.to_owned()),
                // Somebody else made it in this moment.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create the folder", above, error)),
            }
        }
        // Nobody else can look in before the restored modes stand.
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Ok(()) => {
                self.folders.push(dir.to_owned());
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Error::refused(
                format!("the folder {} has come to be in the meantime", dir.display()),
                "Name a folder that does not exist yet or is empty.",
            )),
            Err(error) => Err(Error::io("create the folder", dir, error)),
        }
    }

    /// Notes that `name` was made in the target.
    pub(super) fn note(&mut self, name: &CStr) {
        self.names.extend_from_slice(name.to_bytes_with_nul());
    }

    /// Whether `name` was made in the target. Looks at every name.
    pub(super) fn has(&self, name: &CStr) -> bool {
        self.names().any(|made| made == name)
    }

    /// Takes away from the target `dir`, and above it, what was made. A folder in which others have put something stays, with
    /// that. That the restore was cancelled must not keep it from this, so it goes by no job's control.
    pub(super) fn take_away(&self, dir: &Path) -> Result<(), Error> {
        if !self.names.is_empty() && !is_missing(dir) {
            remove_names(dir, self.names(), &JobControl::new(Duration::MAX))?;
        }
        for folder in self.folders.iter().rev() {
            match fs::remove_dir(folder) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => return Ok(()),
                Err(error) => return Err(Error::io("remove the folder", folder, error)),
            }
        }
        Ok(())
    }

    fn names(&self) -> impl Iterator<Item = &CStr> {
        let names = self.names.split_inclusive(|byte| *byte == 0);
        names.filter_map(|name| CStr::from_bytes_with_nul(name).ok())
    }
}

fn is_missing(dir: &Path) -> bool {
    !dir.as_os_str().is_empty() && fs::symlink_metadata(dir).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_made_in_the_meantime_is_not_taken_away() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("above/target");
        // They were faster.
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("theirs"), "theirs").unwrap();
        let mut made = Made::default();
        let error = made.make_folder(&dir).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        made.take_away(&dir).unwrap();
        assert!(dir.join("theirs").exists());
    }

    #[test]
    fn only_what_was_made_is_taken_away() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("above/target");
        let mut made = Made::default();
        made.make_folder(&dir).unwrap();
        fs::create_dir_all(dir.join("folder/deep")).unwrap();
        fs::write(dir.join("file"), "").unwrap();
        for name in [c"file", c"folder", c"gone already"] {
            made.note(name);
        }
        assert!(made.has(c"file") && !made.has(c"fil"));
        let theirs = parent.path().join("above/theirs");
        fs::write(&theirs, "theirs").unwrap();
        for _ in 0..2 {
            made.take_away(&dir).unwrap();
            assert!(!dir.exists() && theirs.exists());
        }
    }
}
