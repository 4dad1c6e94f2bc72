//! The configuration of a backup: `config.json` and the listed files under `paths/`.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use backup_core::config::{BackupConfig, SystemConfig};
use backup_core::contents::{BackupContents, ConfigContents};
use backup_core::schedule::Schedule;
use backup_core::user::User;
use backup_core::{
    ArchiveSink, BackupId, Entry, EntryPath, JobControl, PartReader, PipelineError, Source, Step, Target,
};
use chrono::{DateTime, Utc};

use crate::Error;
use crate::files::{Saver, check_target, into_folder, look_at_folder, measure_readable, restore_tree};

mod export;
mod import;

pub use import::ConfigExport;

/// The part's name in the archive.
const PART: &str = "config";
const EXPORT: &str = "config.json";
const PATHS: &str = "paths";

/// What a CONFIG backup saves.
#[derive(Debug, Clone)]
pub struct ConfigInputs {
    /// When the export is made.
    pub exported_at: DateTime<Utc>,
    /// The application's version.
    pub version: String,
    /// Settings of the application; those marked encrypted are left out.
    pub system_configs: Vec<SystemConfig>,
    /// This system's schedules.
    pub schedules: Vec<Schedule>,
    /// This system's settings; their secrets are left out.
    pub configs: Vec<BackupConfig>,
    /// The people who may log in; never what they log in with.
    pub users: Vec<User>,
    /// The backups that are protected: their receipts do not say so.
    pub protected: Vec<BackupId>,
    /// The allow-listed environment variables that are set.
    pub environment: Vec<(String, String)>,
    /// Further files and folders, absolute.
    pub paths: Vec<PathBuf>,
}

/// The configuration as something that is backed up.
#[derive(Debug)]
pub struct ConfigSource {
    inputs: ConfigInputs,
}

impl ConfigSource {
    /// The configuration that `inputs` hold and name.
    pub fn new(inputs: ConfigInputs) -> Self {
        Self { inputs }
    }

    /// The listed paths and where each stands in the archive, in the archive's order. What lies in a listed folder is saved
    /// with that folder.
    fn listed(&self) -> Result<Vec<(EntryPath, &Path)>, Error> {
        let mut listed = Vec::new();
        for path in &self.inputs.paths {
            let bytes = path.as_os_str().as_bytes();
            let hint = "Write it in full, from / on and without '.' or '..' (BACKUP_CONFIG_PATHS).";
            let refuse = |why: &str| Error::refused(format!("the configuration path {} {why}", path.display()), hint);
            let below = bytes.strip_prefix(b"/").ok_or_else(|| refuse("is not absolute"))?;
            let below = below.strip_suffix(b"/").unwrap_or(below);
            let inside = EntryPath::new(PATHS).and_then(|paths| paths.join(below));
            listed.push((
                inside.map_err(|_| refuse("cannot be saved under its own name"))?,
                path.as_path(),
            ));
        }
        listed.sort();
        let mut kept: Vec<(EntryPath, &Path)> = Vec::new();
        for (inside, path) in listed {
            if !kept.last().is_some_and(|(above, _)| inside.is_under(above)) {
                kept.push((inside, path));
            }
        }
        Ok(kept)
    }

    fn export(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec_pretty(&export::Export::of(&self.inputs))
            .map_err(|error| Error::failed(format!("cannot write {EXPORT}: {error}"), ""))
    }

    fn measure(&self, job: &JobControl) -> Result<u64, Error> {
        let mut total = self.export()?.len() as u64;
        for (_, path) in self.listed()? {
            for above in path.ancestors().skip(1) {
                look_at_folder(above)?;
            }
            total += measure_readable(path, job)?;
        }
        Ok(total)
    }

    fn save(&self, sink: &mut dyn ArchiveSink, job: &JobControl) -> Result<ConfigContents, Error> {
        let text = self.export()?;
        let exported_at = self.inputs.exported_at.timestamp();
        sink.append(
            &Entry::plain_file(entry_path(EXPORT)?, text.len() as u64, exported_at),
            &mut text.as_slice(),
        )?;
        job.advance(text.len() as u64);

        let mut saver = Saver::new(sink, job);
        let mut folders: Vec<EntryPath> = Vec::new();
        for (inside, path) in self.listed()? {
            // The folders above it, each once, with the modes that they have.
            let depth = inside.components().count();
            for (above, folder) in path
                .ancestors()
                .skip(1)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .enumerate()
            {
                let parts: Vec<&[u8]> = inside.components().take((above + 1).min(depth - 1)).collect();
                let folder_inside = entry_path(parts.join(&b'/'))?;
                if !folders.contains(&folder_inside) {
                    saver.save_folder_itself(folder, folder_inside.clone())?;
                    folders.push(folder_inside);
                }
            }
            saver.save_tree(path, inside)?;
        }
        let files = saver.finish()?;
        let configs = self
            .inputs
            .system_configs
            .iter()
            .filter(|config| !config.is_encrypted)
            .count() as u64;
        Ok(ConfigContents {
            size_bytes: text.len() as u64 + files.size_bytes,
            config_count: configs + files.file_count,
        })
    }
}

impl Source for ConfigSource {
    fn part(&self) -> &'static str {
        PART
    }

    fn step(&self) -> Step {
        Step::Config
    }

    fn prepare(&self, job: &JobControl) -> Result<u64, PipelineError> {
        Ok(self.measure(job)?)
    }

    fn backup(
        &self,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
        contents: &mut BackupContents,
    ) -> Result<(), PipelineError> {
        contents.config = Some(self.save(sink, job)?);
        Ok(())
    }
}

/// A new or empty folder that a configuration is restored into: `config.json`, and the listed files under `paths/`.
#[derive(Debug)]
pub struct ConfigTarget {
    dir: PathBuf,
}

impl ConfigTarget {
    /// The folder at `dir`, which must not exist or be empty; it is created where missing.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }
}

impl Target for ConfigTarget {
    fn part(&self) -> &'static str {
        PART
    }

    fn step(&self) -> Step {
        Step::Config
    }

    fn prepare(&mut self, _job: &JobControl) -> Result<(), PipelineError> {
        check_target(&self.dir)?;
        Ok(())
    }

    fn restore(&mut self, part: &mut dyn PartReader, job: &JobControl) -> Result<(), PipelineError> {
        Ok(into_folder(&self.dir, |dir, made| {
            restore_tree(dir, &[], true, part, made, job)
        })?)
    }
}

fn entry_path(bytes: impl Into<Vec<u8>>) -> Result<EntryPath, Error> {
    EntryPath::new(bytes).map_err(|error| Error::failed(error.to_string(), ""))
}
