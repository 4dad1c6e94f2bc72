//! Configurations on the wire: what holds now, the environment's where the catalog does not say, and changes to it.

mod change;

use backup_core::Language;
use backup_core::config::{BackupConfig, ConfigPart, DEFAULT_CONFIG_KEY, QuotaPolicy, is_config_key};
use backup_core::receipt::Codec;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

pub(crate) use self::change::ConfigChange;
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Fields, FromFields};
use crate::http::params::{FromParams, Params};
use crate::openapi::types;
use crate::wire::webhook::WebhookBody;

/// What stands for a secret that is set.
pub(crate) const HIDDEN: &str = "***";

/// A configuration as it holds now. Secrets are shown as `***`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupConfig)]
pub(crate) struct ConfigBody {
    /// Its name; the one called `default` always is.
    pub(crate) key: String,
    /// What the storage is called.
    pub(crate) storage: String,
    pub(crate) storage_url: Option<String>,
    pub(crate) storage_connection_string: Option<&'static str>,
    pub(crate) container_name: Option<String>,
    pub(crate) database_host: String,
    pub(crate) database_port: u16,
    pub(crate) database_name: Option<String>,
    pub(crate) database_user: Option<String>,
    pub(crate) database_password: Option<&'static str>,
    pub(crate) upload_dir: String,
    pub(crate) compression_enabled: bool,
    #[schema(value_type = types::Codec)]
    pub(crate) compression_algorithm: Codec,
    pub(crate) encryption_enabled: bool,
    pub(crate) encryption_key: &'static str,
    /// Names the key of new archives; null where its passphrase is sealed with another one than the environment's.
    pub(crate) key_fingerprint: Option<String>,
    pub(crate) notify_on_success: bool,
    pub(crate) notify_on_failure: bool,
    pub(crate) notification_emails: Vec<String>,
    /// Web addresses that are told too.
    pub(crate) webhooks: Vec<WebhookBody>,
    /// The language of what is told.
    #[schema(value_type = types::MessageLanguage)]
    pub(crate) notification_language: Language,
    /// Percents of the quota from which an alert is raised, ascending; the last one is critical where there are several.
    pub(crate) usage_alert_percents: Vec<u32>,
    /// Days within which a backup is to be verified, else an alert is raised; null: never.
    pub(crate) verify_within_days: Option<u32>,
    /// Quota in GiB.
    pub(crate) quota_gigabytes: Option<u64>,
    #[schema(value_type = types::QuotaPolicy)]
    pub(crate) quota_policy: QuotaPolicy,
    /// Jobs of it that may run at once, restores apart; null: as many as there are workers.
    pub(crate) max_concurrent_jobs: Option<u32>,
    /// Bytes that its good backups take up.
    pub(crate) total_size_bytes: u64,
    /// How many good backups it has.
    pub(crate) backup_count: u64,
    /// The fields that the catalog says; the others are as the environment says.
    pub(crate) overrides: Vec<&'static str>,
    /// When it was last changed; null where the catalog says nothing.
    pub(crate) updated_at: Option<DateTime<Utc>>,
}

/// One configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigAnswer {
    pub(crate) config: ConfigBody,
}

/// Every configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigList {
    pub(crate) configs: Vec<ConfigBody>,
}

/// Which configuration.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConfigQuery {
    /// Its name: lower-case letters, digits, `-` and `_`.
    #[param(value_type = Option<String>, pattern = "^[a-z0-9_-]{1,50}$", default = "default")]
    pub(crate) key: String,
}

impl FromParams for ConfigQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        let key = params.text("key", 50)?.unwrap_or_else(|| DEFAULT_CONFIG_KEY.to_owned());
        if is_config_key(&key) {
            return Ok(Self { key });
        }
        Err(ApiError::field(
            "parameter_invalid",
            "key",
            "it must be 1 to 50 lower-case letters, digits, hyphens and underscores",
        ))
    }
}

/// What is to be tried.
#[derive(Debug, ToSchema)]
pub(crate) struct TestConfig {
    #[schema(value_type = types::ConfigPart)]
    pub(crate) what: ConfigPart,
    /// Changes to try without keeping them.
    #[schema(value_type = Option<ConfigChange>)]
    pub(crate) config: ConfigChange,
}

impl FromFields for TestConfig {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        Ok(Self {
            what: fields.require("what", "field_invalid")?,
            config: fields.object("config")?.unwrap_or_default(),
        })
    }
}

/// What a try found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TestResult {
    #[schema(value_type = types::ConfigPart)]
    pub(crate) what: ConfigPart,
    /// Whether it works.
    pub(crate) ok: bool,
    /// In the caller's language.
    pub(crate) message: String,
    /// What was reached, or what is wrong and what to do.
    pub(crate) detail: String,
    /// The database server's version.
    pub(crate) server_version: Option<String>,
    /// Version of the `pg_dump` that would read it.
    pub(crate) dump_version: Option<String>,
    /// Bytes that a dump is expected to have.
    pub(crate) estimated_bytes: Option<u64>,
}

/// The fields that a configuration of the catalog says.
pub(crate) fn overrides(config: &BackupConfig) -> Vec<&'static str> {
    let defaults = BackupConfig::defaults(&config.key, config.updated_at);
    let all = [
        (config.storage_url.is_some(), "storageUrl"),
        (config.storage_connection_string.is_some(), "storageConnectionString"),
        (config.container_name.is_some(), "containerName"),
        (config.database_host.is_some(), "databaseHost"),
        (config.database_port.is_some(), "databasePort"),
        (config.database_name.is_some(), "databaseName"),
        (config.database_user.is_some(), "databaseUser"),
        (config.database_password.is_some(), "databasePassword"),
        (config.upload_dir.is_some(), "uploadDir"),
        (
            config.compression_enabled != defaults.compression_enabled,
            "compressionEnabled",
        ),
        (config.compression_algorithm.is_some(), "compressionAlgorithm"),
        (
            config.encryption_enabled != defaults.encryption_enabled,
            "encryptionEnabled",
        ),
        (config.encryption_key.is_some(), "encryptionKey"),
        (
            config.notify_on_success != defaults.notify_on_success,
            "notifyOnSuccess",
        ),
        (
            config.notify_on_failure != defaults.notify_on_failure,
            "notifyOnFailure",
        ),
        (!config.notification_emails.is_empty(), "notificationEmails"),
        (!config.webhooks.is_empty(), "webhooks"),
        (
            config.notification_language != defaults.notification_language,
            "notificationLanguage",
        ),
        (
            config.usage_alert_percents != defaults.usage_alert_percents,
            "usageAlertPercents",
        ),
        (
            config.verify_within_days != defaults.verify_within_days,
            "verifyWithinDays",
        ),
        (config.quota_gigabytes.is_some(), "quotaGigabytes"),
        (config.quota_policy != defaults.quota_policy, "quotaPolicy"),
        (config.max_concurrent_jobs.is_some(), "maxConcurrentJobs"),
    ];
    all.into_iter()
        .filter(|(says, _)| *says)
        .map(|(_, name)| name)
        .collect()
}
