//! Configurations on the wire: what holds now, the environment's where the catalog does not say, and changes to it.

use backup_core::config::{BackupConfig, ConfigPart, DEFAULT_CONFIG_KEY, QuotaPolicy, is_config_key};
use backup_core::receipt::Codec;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::auth::account::check_email;
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Change, Fields, FromFields, check_text};
use crate::http::params::{FromParams, Params};
use crate::openapi::types;

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
    /// Quota in GiB.
    pub(crate) quota_gigabytes: Option<u64>,
    #[schema(value_type = types::QuotaPolicy)]
    pub(crate) quota_policy: QuotaPolicy,
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

/// Changes to a configuration. What is absent stays; `null` takes a field back to what the environment or the default says.
#[derive(Debug, Default, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct ConfigChange {
    /// `file:///PATH`, `az://CONTAINER/PREFIX`, `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`.
    #[schema(value_type = Option<String>, max_length = 2000, pattern = r"^(file:///|az://|s3://|gs://)[^\u0000]*$")]
    pub(crate) storage_url: Change<String>,
    /// An Azure connection string. `***` leaves the one that is there.
    #[schema(value_type = Option<String>, format = Password, max_length = 4000, write_only)]
    pub(crate) storage_connection_string: Change<SecretString>,
    /// Azure container where the URL names none.
    #[schema(value_type = Option<String>, max_length = 63)]
    pub(crate) container_name: Change<String>,
    #[schema(value_type = Option<String>, max_length = 255)]
    pub(crate) database_host: Change<String>,
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 65535)]
    pub(crate) database_port: Change<u16>,
    #[schema(value_type = Option<String>, max_length = 63)]
    pub(crate) database_name: Change<String>,
    #[schema(value_type = Option<String>, max_length = 63)]
    pub(crate) database_user: Change<String>,
    /// `***` leaves the one that is there.
    #[schema(value_type = Option<String>, format = Password, max_length = 1000, write_only)]
    pub(crate) database_password: Change<SecretString>,
    /// The tree of uploaded files, an absolute path.
    #[schema(value_type = Option<String>, max_length = 4096, pattern = r"^/[^\u0000]*$")]
    pub(crate) upload_dir: Change<String>,
    #[schema(value_type = Option<bool>)]
    pub(crate) compression_enabled: Change<bool>,
    #[schema(value_type = Option<types::Codec>)]
    pub(crate) compression_algorithm: Change<Codec>,
    #[schema(value_type = Option<bool>)]
    pub(crate) encryption_enabled: Change<bool>,
    /// Passphrase of new archives. The one before still opens its own. `***` leaves the one that is there.
    #[schema(value_type = Option<String>, format = Password, max_length = 1000, write_only)]
    pub(crate) encryption_key: Change<SecretString>,
    #[schema(value_type = Option<bool>)]
    pub(crate) notify_on_success: Change<bool>,
    #[schema(value_type = Option<bool>)]
    pub(crate) notify_on_failure: Change<bool>,
    #[schema(value_type = Option<Vec<String>>, max_items = 1000, max_length = 254, pattern = r"^[^@\s\u0000-\u001f\u007f-\u009f]+@[^@\s\u0000-\u001f\u007f-\u009f]+$")]
    pub(crate) notification_emails: Change<Vec<String>>,
    /// Quota in GiB.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_073_741_824)]
    pub(crate) quota_gigabytes: Change<u32>,
    /// What becomes of a backup that the quota has no room for.
    #[schema(value_type = Option<types::QuotaPolicy>)]
    pub(crate) quota_policy: Change<QuotaPolicy>,
    /// The names of the fields that are given.
    #[schema(ignore)]
    pub(crate) given: Vec<&'static str>,
}

impl FromFields for ConfigChange {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        let mut given = Vec::new();
        let mut names = |name: &'static str, is_given: bool| {
            if is_given {
                given.push(name);
            }
        };
        macro_rules! change {
            ($name:literal, $read:expr) => {{
                let change = fields.change($name, $read)?;
                names($name, change.is_given());
                change
            }};
        }
        let text = |name: &'static str, max: usize| move |fields: &mut Fields| fields.text(name, max);
        let flag = |name: &'static str| move |fields: &mut Fields| fields.take(name, "field_invalid");
        let change = Self {
            storage_url: change!(
                "storageUrl",
                starting("storageUrl", 2000, &["file:///", "az://", "s3://", "gs://"])
            ),
            storage_connection_string: change!("storageConnectionString", secret("storageConnectionString", 4000)),
            container_name: change!("containerName", text("containerName", 63)),
            database_host: change!("databaseHost", text("databaseHost", 255)),
            database_port: change!("databasePort", |fields| number(fields, "databasePort", 65_535)),
            database_name: change!("databaseName", text("databaseName", 63)),
            database_user: change!("databaseUser", text("databaseUser", 63)),
            database_password: change!("databasePassword", secret("databasePassword", 1000)),
            upload_dir: change!("uploadDir", starting("uploadDir", 4096, &["/"])),
            compression_enabled: change!("compressionEnabled", flag("compressionEnabled")),
            compression_algorithm: change!("compressionAlgorithm", |fields| fields
                .take("compressionAlgorithm", "field_invalid")),
            encryption_enabled: change!("encryptionEnabled", flag("encryptionEnabled")),
            encryption_key: change!("encryptionKey", secret("encryptionKey", 1000)),
            notify_on_success: change!("notifyOnSuccess", flag("notifyOnSuccess")),
            notify_on_failure: change!("notifyOnFailure", flag("notifyOnFailure")),
            notification_emails: change!("notificationEmails", emails),
            quota_gigabytes: change!("quotaGigabytes", |fields| number(fields, "quotaGigabytes", 1 << 30)),
            quota_policy: change!("quotaPolicy", |fields| fields.take("quotaPolicy", "field_invalid")),
            given: Vec::new(),
        };
        Ok(Self { given, ..change })
    }
}

/// Reads a text as it is, which begins in one of these ways.
fn starting(
    name: &'static str,
    max: usize,
    starts: &'static [&'static str],
) -> impl Fn(&mut Fields) -> ApiResult<Option<String>> {
    move |fields| {
        let Some(text) = fields.take::<String>(name, "field_invalid")? else {
            return Ok(None);
        };
        let refuse = |problem| ApiError::field("field_invalid", name, problem);
        check_text(&text, max).map_err(refuse)?;
        if starts.iter().any(|start| text.starts_with(start)) {
            return Ok(Some(text));
        }
        Err(refuse(format!("it must begin with {}", starts.join(", "))))
    }
}

fn emails(fields: &mut Fields) -> ApiResult<Option<Vec<String>>> {
    const NAME: &str = "notificationEmails";
    let emails = fields.texts(NAME, 254)?;
    match emails.iter().find(|email| check_email(email).is_err()) {
        None => Ok(Some(emails)),
        Some(wrong) => Err(ApiError::field(
            "field_invalid",
            NAME,
            format!("'{wrong}' is no e-mail address"),
        )),
    }
}

/// Reads a whole number from 1 to `max`.
fn number<T: TryFrom<u64>>(fields: &mut Fields, name: &'static str, max: u64) -> ApiResult<Option<T>> {
    let Some(value) = fields.take::<Value>(name, "field_invalid")? else {
        return Ok(None);
    };
    value
        .as_u64()
        // JSON has one kind of number: 5.0 is 5.
        .or_else(|| {
            value
                .as_f64()
                .filter(|number| number.fract() == 0.0 && *number >= 0.0)
                .map(|number| number as u64)
        })
        .filter(|number| (1..=max).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .map(Some)
        .ok_or_else(|| {
            ApiError::field(
                "field_invalid",
                name,
                format!("it must be a whole number from 1 to {max}"),
            )
        })
}

/// Reads a secret, which no refusal quotes.
fn secret(name: &'static str, max: usize) -> impl Fn(&mut Fields) -> ApiResult<Option<SecretString>> {
    move |fields| match fields.take::<Value>(name, "field_invalid")? {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= max => Ok(Some(text.into())),
        Some(_) => Err(ApiError::field(
            "field_invalid",
            name,
            format!("it must be a text of at most {max} characters"),
        )),
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
        (config.quota_gigabytes.is_some(), "quotaGigabytes"),
        (config.quota_policy != defaults.quota_policy, "quotaPolicy"),
    ];
    all.into_iter()
        .filter(|(says, _)| *says)
        .map(|(_, name)| name)
        .collect()
}
