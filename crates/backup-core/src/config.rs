//! The settings of a backed-up application: the catalog's over the environment's.

use chrono::{DateTime, Utc};

use serde::{Deserialize, Serialize};

use crate::notification::Webhook;
use crate::receipt::Codec;
use crate::{Language, text_enum};

/// The key of the one configuration that always is.
pub const DEFAULT_CONFIG_KEY: &str = "default";

/// The steps of a configuration that says none: the specification's 80 %, and two more urgent ones.
pub const DEFAULT_USAGE_ALERT_PERCENTS: [u32; 3] = [80, 90, 95];

/// Days within which a backup is to be verified, where a configuration does not say.
pub const DEFAULT_VERIFY_WITHIN_DAYS: u32 = 30;

text_enum! {
    /// What becomes of a backup that the quota has no room for.
    pub enum QuotaPolicy {
        /// It is made, with a warning.
        Warn => "WARN",
        /// It is refused.
        Refuse => "REFUSE",
    }
}

text_enum! {
    /// What of a configuration is tried.
    pub enum ConfigPart {
        /// A small blob is written, read and deleted.
        Storage => "STORAGE",
        /// Log-in, versions, and the rights that a dump needs.
        Database => "DATABASE",
        /// The folder of uploaded files is there and can be read.
        Files => "FILES",
        /// A message is sent to every address.
        Notification => "NOTIFICATION",
    }
}

/// A named configuration: one application that is backed up. `None` means: as the environment says. Secrets are sealed
/// bytes, which only the holder of the passphrase can open; their `Debug` is safe for that reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupConfig {
    /// Its unique name, see [`is_config_key`].
    pub key: String,
    /// URL of the storage.
    pub storage_url: Option<String>,
    /// Connection string of the storage, sealed.
    pub storage_connection_string: Option<SealedSecret>,
    /// Container of the storage.
    pub container_name: Option<String>,
    /// Host of the database.
    pub database_host: Option<String>,
    /// Port of the database.
    pub database_port: Option<u16>,
    /// Name of the database.
    pub database_name: Option<String>,
    /// Who logs in to the database.
    pub database_user: Option<String>,
    /// With which password, sealed.
    pub database_password: Option<SealedSecret>,
    /// The tree of uploaded files, an absolute path.
    pub upload_dir: Option<String>,
    /// Whether archives are compressed at all.
    pub compression_enabled: bool,
    /// With what.
    pub compression_algorithm: Option<Codec>,
    /// Whether archives are encrypted.
    pub encryption_enabled: bool,
    /// Passphrase of the archives, sealed.
    pub encryption_key: Option<SealedSecret>,
    /// Passphrases that it had before, sealed: they still open what they closed.
    pub previous_encryption_keys: Vec<SealedSecret>,
    /// Send a message when a backup succeeded.
    pub notify_on_success: bool,
    /// Send a message when a backup failed.
    pub notify_on_failure: bool,
    /// To whom.
    pub notification_emails: Vec<String>,
    /// Which web addresses are told too; each says of what.
    pub webhooks: Vec<Webhook>,
    /// In which language.
    pub notification_language: Language,
    /// Percents of the quota from which an alert is raised, ascending; the last one is critical where there are several.
    pub usage_alert_percents: Vec<u32>,
    /// Days within which a backup is to be verified; `None`: never.
    pub verify_within_days: Option<u32>,
    /// Quota in GiB; `None`: as the environment says.
    pub quota_gigabytes: Option<u32>,
    /// What becomes of a backup that does not fit.
    pub quota_policy: QuotaPolicy,
    /// Jobs of it that may run at once, restores apart, which nothing holds back; `None`: as many as there are workers.
    pub max_concurrent_jobs: Option<u32>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl BackupConfig {
    /// The configuration that changes nothing of what the environment says.
    pub fn defaults(key: &str, updated_at: DateTime<Utc>) -> Self {
        Self {
            key: key.to_owned(),
            storage_url: None,
            storage_connection_string: None,
            container_name: None,
            database_host: None,
            database_port: None,
            database_name: None,
            database_user: None,
            database_password: None,
            upload_dir: None,
            compression_enabled: true,
            compression_algorithm: None,
            encryption_enabled: true,
            encryption_key: None,
            previous_encryption_keys: Vec::new(),
            notify_on_success: false,
            notify_on_failure: true,
            notification_emails: Vec::new(),
            webhooks: Vec::new(),
            notification_language: Language::ZhTw,
            usage_alert_percents: DEFAULT_USAGE_ALERT_PERCENTS.to_vec(),
            verify_within_days: Some(DEFAULT_VERIFY_WITHIN_DAYS),
            quota_gigabytes: None,
            quota_policy: QuotaPolicy::Warn,
            max_concurrent_jobs: None,
            updated_at,
        }
    }

    /// Whether the connection string of its storage is lost: where its backups are is not known until it is set anew.
    pub fn has_lost_connection(&self) -> bool {
        self.storage_connection_string
            .as_ref()
            .is_some_and(SealedSecret::is_lost)
    }

    /// Every secret that it holds, to be sealed anew.
    pub fn secrets_mut(&mut self) -> impl Iterator<Item = &mut SealedSecret> {
        self.storage_connection_string
            .iter_mut()
            .chain(&mut self.database_password)
            .chain(&mut self.encryption_key)
            .chain(&mut self.previous_encryption_keys)
            .chain(self.webhooks.iter_mut().map(|webhook| &mut webhook.url))
            .filter(|secret| !secret.is_lost())
    }

    /// Bytes that its backups may take up; `environment` where it does not say. `None`: no limit.
    pub fn quota_bytes(&self, environment: Option<u64>) -> Option<u64> {
        self.quota_gigabytes
            .map(|gigabytes| u64::from(gigabytes) << 30)
            .or(environment)
    }

    /// Makes `passphrase` the one of new archives; the one before stays able to open its own.
    pub fn change_encryption_key(&mut self, passphrase: Option<SealedSecret>) {
        self.previous_encryption_keys.extend(self.encryption_key.take());
        self.encryption_key = passphrase;
    }
}

/// Bytes that the backups of all configurations together may take up: each has its own quota, or the environment's. `None`:
/// no limit.
pub fn total_quota(configs: &[BackupConfig], environment: Option<u64>) -> Option<u64> {
    let unsaid = if configs.iter().any(|config| config.key == DEFAULT_CONFIG_KEY) {
        Some(0)
    } else {
        environment
    };
    configs
        .iter()
        .map(|config| config.quota_bytes(environment))
        .try_fold(unsaid?, |sum, quota| Some(sum.saturating_add(quota?)))
}

/// Whether `key` can name a configuration: 1 to 50 lower-case letters, digits, `-` and `_`.
pub fn is_config_key(key: &str) -> bool {
    (1..=50).contains(&key.len())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

/// A secret under the seal of the master passphrase. Shown to nobody as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedSecret(pub String);

impl SealedSecret {
    /// What stands for a secret that was set, and is in no backup: nothing opens it, so that nobody goes on as if there had
    /// been none.
    pub fn lost() -> Self {
        Self(String::new())
    }

    /// Whether it is one that [`Self::lost`] stands for.
    pub fn is_lost(&self) -> bool {
        self.0.is_empty()
    }
}

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
