//! The settings that all programs share: each environment variable of the contract is also a flag of the same name.
//!
//! Each group is a clap `Args` struct that a program flattens into its own arguments. Secrets are `SecretString`s: no
//! help text, no error and no `Debug` shows their value.

mod catalog;
mod database;
mod drill;
mod fault;
mod files;
mod keys;
mod log;
mod notify;
mod storage;
mod worker;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use secrecy::{ExposeSecret, SecretString};

pub use catalog::CatalogArgs;
pub use database::DatabaseArgs;
pub use drill::DrillArgs;
pub use fault::FaultArgs;
pub use files::{ConfigArgs, FilesArgs};
pub use keys::KeyArgs;
pub use log::{LogArgs, LogFormat};
pub use notify::NotifyArgs;
pub use storage::StorageArgs;
pub use worker::WorkerArgs;

/// The settings do not make sense: nothing was started. Programs end with exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (HINT: {hint})")]
pub struct SettingsError {
    message: String,
    hint: String,
}

impl SettingsError {
    /// What is wrong (lower case, no full stop) and what to do (a sentence). Neither may hold a secret.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

const DATA: &str = "./data";

/// Where everything local is kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// Everything local: embedded catalog, local storage, staging of restores
    #[arg(
        long = "backup-data-dir",
        env = "BACKUP_DATA_DIR",
        value_name = "DIR",
        default_value = DATA,
        value_parser = path_or(DATA)
    )]
    pub data_dir: PathBuf,
}

impl DataArgs {
    /// The folder as an absolute path, which is what URLs need. It need not exist.
    pub fn absolute(&self) -> Result<PathBuf, SettingsError> {
        std::path::absolute(&self.data_dir).map_err(|error| {
            SettingsError::new(
                format!("BACKUP_DATA_DIR '{}' is not a path: {error}", self.data_dir.display()),
                "Set it to a folder that this user may write.",
            )
        })
    }
}

/// What every process that runs jobs needs.
#[derive(Debug, Clone, Args)]
pub struct EngineArgs {
    /// Everything local.
    #[command(flatten)]
    pub data: DataArgs,
    /// The passphrases.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// The catalog.
    #[command(flatten)]
    pub catalog: CatalogArgs,
    /// The storage.
    #[command(flatten)]
    pub storage: StorageArgs,
    /// The database that is backed up.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Where restores are tried.
    #[command(flatten)]
    pub drill: DrillArgs,
    /// The files that are backed up.
    #[command(flatten)]
    pub files: FilesArgs,
    /// The configuration that is backed up.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How jobs are run.
    #[command(flatten)]
    pub worker: WorkerArgs,
    /// How people are told.
    #[command(flatten)]
    pub notify: NotifyArgs,
}

impl EngineArgs {
    /// What of the settings counts for nothing, or may not be what it seems: told when a process starts.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = self.keys.warnings();
        warnings.extend(self.storage.warning());
        warnings.extend(database::warning());
        warnings
    }
}

/// An environment variable that is set to nothing is not set.
fn given(value: Option<&SecretString>) -> Option<&SecretString> {
    value.filter(|secret| !secret.expose_secret().is_empty())
}

fn given_text(value: Option<&String>) -> Option<String> {
    value.filter(|text| !text.is_empty()).cloned()
}

fn given_path(value: Option<&PathBuf>) -> Option<PathBuf> {
    value.filter(|path| !path.as_os_str().is_empty()).cloned()
}

/// Reads a path, and takes nothing for `default`: clap's own parser refuses it, and with it a variable that is set to nothing.
fn path_or(default: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(move |text: OsString| {
        if text.is_empty() {
            PathBuf::from(default)
        } else {
            PathBuf::from(text)
        }
    })
}

/// Reads a path, which may be nothing: see [`given_path`].
fn path() -> impl TypedValueParser<Value = PathBuf> {
    path_or("")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backup_core::{OsRandom, Random};
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        engine: EngineArgs,
    }

    /// Every path that the settings lead to.
    fn paths(arguments: &[&str]) -> Vec<PathBuf> {
        let engine = Program::try_parse_from([&["x"], arguments].concat()).unwrap().engine;
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        let url = "postgres://u@h/d".into();
        let by_url = engine.database.settings_of_url(&url, random.clone()).unwrap();
        let drill = engine.drill.settings(&engine.data, &engine.database, random.clone());
        let mut paths = vec![
            engine.data.absolute().unwrap(),
            engine.files.upload_dir.clone(),
            drill.unwrap().folder,
        ];
        paths.extend(engine.config.listed_paths());
        paths.extend(engine.database.settings(random).programs);
        paths.extend(by_url.programs);
        paths
    }

    #[test]
    fn a_path_that_is_set_to_nothing_is_not_set() {
        let nothing = [
            "--backup-config-paths=",
            "--backup-data-dir=",
            "--backup-drill-dir=",
            "--database-programs=",
            "--smtp-ca-file=",
            "--upload-dir=",
        ];
        assert_eq!(paths(&nothing), paths(&[]));
        let set = paths(&[
            "--backup-config-paths=/a,/b",
            "--backup-data-dir=/data",
            "--backup-drill-dir=/drills",
            "--database-programs=/bin",
            "--upload-dir=/uploads",
        ]);
        let expected = ["/data", "/uploads", "/drills", "/a", "/b", "/bin", "/bin"];
        assert_eq!(set, expected.map(PathBuf::from));
    }
}
