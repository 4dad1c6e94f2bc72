use std::time::Duration;

use backup_storage::StorageSettings;
use clap::Args;
use secrecy::SecretString;

use super::{DataArgs, SettingsError, given, given_text};

/// Two storages are named: people may have meant the other one. Says no value, since a URL may hold what it should not.
const BOTH: &str = "AZURE_STORAGE_CONNECTION_STRING and BACKUP_STORAGE_URL name two storages: the Azure container of \
                    BACKUP_CONTAINER_NAME is used, the URL is ignored (HINT: Unset the one that is not meant.)";

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

    /// What a person should be told at the start: that the URL was given and counts for nothing. An `az://` URL names the
    /// container of the connection string's account; with another provider's nothing is opened at all.
    pub fn warning(&self) -> Option<&'static str> {
        given(self.connection_string.as_ref())?;
        let url = given_text(self.url.as_ref())?;
        let counts = ["az://", "s3://", "gs://"].iter().any(|scheme| url.starts_with(scheme));
        (!counts).then_some(BOTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_counts_for_nothing_is_told_of() {
        let warning = |url: &str, connection: &str| {
            let args = StorageArgs {
                url: Some(url.to_owned()),
                connection_string: Some(connection.into()),
                container: "backups".to_owned(),
            };
            args.warning()
        };
        for url in ["file:///mnt/backups", "/mnt/backups"] {
            assert_eq!(warning(url, "AccountName=a"), Some(BOTH), "{url}");
            assert_eq!(warning(url, ""), None, "{url}");
        }
        for url in ["", "az://container/prefix", "s3://bucket"] {
            assert_eq!(warning(url, "AccountName=a"), None, "{url}");
        }
    }
}
