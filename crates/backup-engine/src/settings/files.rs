use std::path::PathBuf;

use clap::Args;

use super::{path, path_or};

const UPLOADS: &str = "./uploads";

/// The uploaded files that are backed up.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Files that are backed up")]
pub struct FilesArgs {
    /// The tree of uploaded files
    #[arg(
        long = "upload-dir",
        env = "UPLOAD_DIR",
        value_name = "DIR",
        default_value = UPLOADS,
        value_parser = path_or(UPLOADS)
    )]
    pub upload_dir: PathBuf,

    /// Read every file for an incremental or differential backup too, also those whose size, times and number did not change
    #[arg(
        long = "backup-files-read-all",
        env = "BACKUP_FILES_READ_ALL",
        value_name = "BOOL",
        default_value_t = false,
        action = clap::ArgAction::Set
    )]
    pub read_all: bool,
}

/// The configuration that is backed up.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Configuration that is backed up")]
pub struct ConfigArgs {
    /// Environment variables that a CONFIG backup exports, comma-separated
    #[arg(
        long = "backup-config-env",
        env = "BACKUP_CONFIG_ENV",
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "NODE_ENV,APP_NAME,APP_VERSION,DATABASE_NAME,NEXT_PUBLIC_APP_URL"
    )]
    pub environment: Vec<String>,

    /// Further files or folders that a CONFIG backup includes, comma-separated
    #[arg(
        long = "backup-config-paths",
        env = "BACKUP_CONFIG_PATHS",
        value_name = "PATHS",
        value_delimiter = ',',
        value_parser = path()
    )]
    pub paths: Vec<PathBuf>,
}

impl ConfigArgs {
    /// The allow-listed variables that are set, in the list's order.
    pub fn exported_environment(&self) -> Vec<(String, String)> {
        self.environment
            .iter()
            .map(|name| name.trim())
            .filter(|name| !name.is_empty())
            .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
            .collect()
    }

    /// The listed files and folders.
    pub fn listed_paths(&self) -> Vec<PathBuf> {
        self.paths
            .iter()
            .filter(|path| !path.as_os_str().is_empty())
            .cloned()
            .collect()
    }
}
