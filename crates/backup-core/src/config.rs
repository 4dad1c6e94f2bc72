//! The settings of a backed-up application: the catalog's over the environment's.

use chrono::{DateTime, Utc};

use crate::receipt::Codec;

/// The key of the one configuration that always is.
pub const DEFAULT_CONFIG_KEY: &str = "default";

/// A named configuration. `None` means: as the environment says. Secrets are sealed bytes, which only the holder of the
/// passphrase can open; their `Debug` is safe for that reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupConfig {
    /// Its unique name.
    pub key: String,
    /// Connection string of the storage, sealed.
    pub storage_connection_string: Option<SealedSecret>,
    /// Container of the storage.
    pub container_name: String,
    /// Host of the database.
    pub database_host: Option<String>,
    /// Port of the database.
    pub database_port: u16,
    /// Name of the database.
    pub database_name: Option<String>,
    /// Whether archives are compressed at all.
    pub compression_enabled: bool,
    /// With what.
    pub compression_algorithm: Option<Codec>,
    /// Whether archives are encrypted.
    pub encryption_enabled: bool,
    /// Passphrase of the archives, sealed.
    pub encryption_key: Option<SealedSecret>,
    /// Send a message when a backup succeeded.
    pub notify_on_success: bool,
    /// Send a message when a backup failed.
    pub notify_on_failure: bool,
    /// To whom.
    pub notification_emails: Vec<String>,
    /// Quota in GiB; `None`: as the environment says.
    pub quota_gigabytes: Option<u32>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl BackupConfig {
    /// The configuration that changes nothing of what the environment says.
    pub fn defaults(key: &str, updated_at: DateTime<Utc>) -> Self {
        Self {
            key: key.to_owned(),
            storage_connection_string: None,
            container_name: "backups".to_owned(),
            database_host: None,
            database_port: 5432,
            database_name: None,
            compression_enabled: true,
            compression_algorithm: None,
            encryption_enabled: true,
            encryption_key: None,
            notify_on_success: false,
            notify_on_failure: true,
            notification_emails: Vec::new(),
            quota_gigabytes: None,
            updated_at,
        }
    }
}

/// A secret under the seal of the master passphrase. Shown to nobody as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(pub String);

impl std::fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedSecret(***)")
    }
}

/// A setting of the backed-up application, kept in the catalog and exported by a CONFIG backup unless it is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemConfig {
    /// Its unique key.
    pub key: String,
    /// Its value, as text.
    pub value: String,
    /// What it belongs to.
    pub category: String,
    /// How the text is to be read.
    pub value_type: String,
    /// A name for people.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// Never exported where this is set.
    pub is_encrypted: bool,
}
