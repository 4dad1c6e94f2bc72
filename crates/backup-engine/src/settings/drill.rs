use std::path::PathBuf;
use std::sync::Arc;

use backup_core::Random;
use clap::Args;
use secrecy::SecretString;

use super::{DataArgs, DatabaseArgs, SettingsError, given, given_path, path};
use crate::DrillSettings;

/// Where drills are when this runs as root: PostgreSQL runs as another user then, which cannot get into a private folder.
const OF_ROOT: &str = "/var/tmp/backup-drills";

/// Where restores are tried (verify level RESTORE).
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Restore drills")]
pub struct DrillArgs {
    /// Server for scratch databases, as a `postgres://` URL [default: a throw-away server of our own]
    #[arg(
        long = "backup-drill-server-url",
        env = "BACKUP_DRILL_SERVER_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub server_url: Option<SecretString>,

    /// Folder for scratch trees and throw-away servers [default: drills in the data folder; for root /var/tmp/backup-drills]
    #[arg(long = "backup-drill-dir", env = "BACKUP_DRILL_DIR", value_name = "DIR", value_parser = path())]
    pub folder: Option<PathBuf>,
}

impl DrillArgs {
    /// Where restores are tried.
    ///
    /// # Errors
    /// Where the server's URL cannot be read.
    pub fn settings(
        &self,
        data: &DataArgs,
        database: &DatabaseArgs,
        random: Arc<dyn Random>,
    ) -> Result<DrillSettings, SettingsError> {
        let server = given(self.server_url.as_ref())
            .map(|url| database.settings_of_url(url, random))
            .transpose()?;
        let folder = match given_path(self.folder.as_ref()) {
            Some(folder) => std::path::absolute(folder)
                .map_err(|error| SettingsError::new(format!("BACKUP_DRILL_DIR: {error}"), "Name a folder."))?,
            None if rustix::process::geteuid().is_root() => PathBuf::from(OF_ROOT),
            None => data.absolute()?.join("drills"),
        };
        Ok(DrillSettings { server, folder })
    }
}
