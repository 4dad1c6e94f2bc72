use std::time::Duration;

use backup_storage::StorageSettings;
use clap::Args;
use secrecy::SecretString;

use super::{DataArgs, SettingsError, given, given_text};

/// Where the backups are stored.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storage")]
pub struct StorageArgs {
    /// file://PATH, az://CONTAINER/PREFIX, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX [default: file://$BACKUP_DATA_DIR/storage]
    #[arg(
        id = "storage_url",
        long = "backup-storage-url",
        env = "BACKUP_STORAGE_URL",
        value_name = "URL"
    )]
    pub url: Option<String>,

    /// When set, storage is Azure Blob, in the container of BACKUP_CONTAINER_NAME
    #[arg(
        long = "azure-storage-connection-string",
        env = "AZURE_STORAGE_CONNECTION_STRING",
        value_name = "TEXT",
        hide_env_values = true
    )]
    pub connection_string: Option<SecretString>,

    /// Azure container; created at start when missing
    #[arg(
        long = "backup-container-name",
        env = "BACKUP_CONTAINER_NAME",
        value_name = "NAME",
        default_value = "backups"
    )]
    pub container: String,
}

impl StorageArgs {
    /// What to open. `stall_timeout` is how long a transfer may be silent.
    pub fn settings(&self, data: &DataArgs, stall_timeout: Duration) -> Result<StorageSettings, SettingsError> {
        let url = match given_text(self.url.as_ref()) {
            Some(url) => url,
            None => format!("file://{}", data.absolute()?.join("storage").display()),
        };
        Ok(StorageSettings {
            connection_string: given(self.connection_string.as_ref()).cloned(),
            container: self.container.clone(),
            stall_timeout,
            ..StorageSettings::new(url)
        })
    }
}
