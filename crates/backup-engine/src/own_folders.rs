//! Folders that nobody names by a configuration or for a restore: this system's own, and those of the operating system that
//! hold secrets or no files at all. What the environment names is the operator's to answer for.
//!
//! A path is looked at with its links followed as they are now, so it is looked at again each time that it is used.

use std::path::{Component, Path, PathBuf};

use backup_core::PipelineError;
use backup_core::config::BackupConfig;

use crate::environment::Environment;

/// Where the settings of these programs, other processes, devices and sockets are.
const CLOSED: [&str; 5] = ["/etc/backup", "/proc", "/sys", "/dev", "/run"];

/// Where restored folders may stand in the data folder.
const RESTORES: &str = "restores";

impl Environment {
    /// Whether files may be saved from the folder that a configuration names.
    ///
    /// # Errors
    /// `Refused` where it holds this system's own folders or closed ones, or lies in them.
    pub fn check_upload_dir(&self, config: Option<&BackupConfig>) -> Result<(), PipelineError> {
        let Some(folder) = config.and_then(|config| config.upload_dir.as_ref()).map(Path::new) else {
            return Ok(());
        };
        if folder == self.settings.upload_dir {
            return Ok(());
        }
        let folder = real(folder)?;
        for own in closed().chain(self.own(config)) {
            let own = real(&own)?;
            if own.starts_with(&folder) || folder.starts_with(&own) {
                return Err(refused(&folder, &own));
            }
        }
        Ok(())
    }

    /// Whether backups may be kept in the folder that a configuration names, where it is one. It may lie in the data folder.
    ///
    /// # Errors
    /// `Refused` where it holds this system's data folder or closed ones, or lies in closed ones.
    pub fn check_storage_folder(&self, config: &BackupConfig) -> Result<(), PipelineError> {
        let Some(folder) = storage_folder(config) else {
            return Ok(());
        };
        if config.storage_url.as_ref() == Some(&self.settings.storage.url) {
            return Ok(());
        }
        let (folder, data) = (real(&folder)?, real(&self.settings.data_dir)?);
        for own in closed() {
            let own = real(&own)?;
            if own.starts_with(&folder) || folder.starts_with(&own) {
                return Err(refused(&folder, &own));
            }
        }
        if data.starts_with(&folder) {
            return Err(refused(&folder, &data));
        }
        Ok(())
    }

    /// Whether files may be restored into this folder. In the data folder they may stand below `restores`.
    ///
    /// # Errors
    /// `Refused` where it holds this system's own folders or closed ones, or lies in them.
    pub(crate) fn check_target(&self, folder: &Path, config: Option<&BackupConfig>) -> Result<(), PipelineError> {
        let folder = real(folder)?;
        let restores = real(&self.settings.data_dir)?.join(RESTORES);
        for own in closed().chain(self.own(config)) {
            let own = real(&own)?;
            let is_room = folder != restores && folder.starts_with(&restores) && restores.starts_with(&own);
            if own.starts_with(&folder) || (folder.starts_with(&own) && !is_room) {
                return Err(refused(&folder, &own));
            }
        }
        Ok(())
    }

    /// The data folder, and the storages that are folders.
    fn own(&self, config: Option<&BackupConfig>) -> impl Iterator<Item = PathBuf> {
        let storage = self.settings.storage.folder();
        let configured = config.and_then(storage_folder);
        [Some(self.settings.data_dir.clone()), storage, configured]
            .into_iter()
            .flatten()
    }
}

fn closed() -> impl Iterator<Item = PathBuf> {
    CLOSED.into_iter().map(PathBuf::from)
}

fn storage_folder(config: &BackupConfig) -> Option<PathBuf> {
    let folder = config.storage_url.as_ref()?.strip_prefix("file://")?;
    Some(PathBuf::from(folder))
}

fn refused(folder: &Path, own: &Path) -> PipelineError {
    PipelineError::refused(
        format!(
            "{} and {}, which this system keeps to itself, stand one in the other",
            folder.display(),
            own.display()
        ),
        "Name another folder.",
    )
}

/// The folder without links, as far as it is there.
fn real(folder: &Path) -> Result<PathBuf, PipelineError> {
    let unfit = || {
        PipelineError::refused(
            format!("'{}' is no path that leads to one place", folder.display()),
            "Name an absolute path without '..'.",
        )
    };
    if folder.components().any(|part| part == Component::ParentDir) {
        return Err(unfit());
    }
    let absolute = std::path::absolute(folder).map_err(|error| unfit().because(error))?;
    // The nearest folder that is there, and what is missing below it.
    for there in absolute.ancestors() {
        if let (Ok(real), Ok(missing)) = (there.canonicalize(), absolute.strip_prefix(there)) {
            // Nothing, joined, would add a slash.
            return Ok(if missing.as_os_str().is_empty() {
                real
            } else {
                real.join(missing)
            });
        }
    }
    Ok(absolute)
}
