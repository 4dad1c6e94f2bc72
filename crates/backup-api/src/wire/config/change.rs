//! Changes to a configuration.

use backup_core::Language;
use backup_core::config::QuotaPolicy;
use backup_core::receipt::Codec;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::account::check_email;
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Change, Fields, FromFields, check_text, whole};
use crate::openapi::types;
use crate::wire::webhook::{WebhookChange, take_webhooks};

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
    #[schema(value_type = Option<String>, format = Password, max_length = 1000, write_only, pattern = r"^([^,\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]([^,]*[^,\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000])?)?$")]
    pub(crate) encryption_key: Change<SecretString>,
    #[schema(value_type = Option<bool>)]
    pub(crate) notify_on_success: Change<bool>,
    #[schema(value_type = Option<bool>)]
    pub(crate) notify_on_failure: Change<bool>,
    #[schema(value_type = Option<Vec<String>>, max_items = 1000, max_length = 254, pattern = r"^[^@\s\u0000-\u001f\u007f-\u009f]+@[^@\s\u0000-\u001f\u007f-\u009f]+$")]
    pub(crate) notification_emails: Change<Vec<String>>,
    /// All of them: one that is not in the list goes.
    #[schema(value_type = Option<Vec<WebhookChange>>, max_items = 20)]
    pub(crate) webhooks: Change<Vec<WebhookChange>>,
    /// The language of what is told.
    #[schema(value_type = Option<types::MessageLanguage>)]
    pub(crate) notification_language: Change<Language>,
    /// Percents of the quota from which an alert is raised, ascending; empty: none is.
    #[schema(schema_with = types::percents, required = false)]
    pub(crate) usage_alert_percents: Change<Vec<u32>>,
    /// Days within which a backup is to be verified, else an alert is raised; `null`: never.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650)]
    pub(crate) verify_within_days: Change<u32>,
    /// Quota in GiB.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_073_741_824)]
    pub(crate) quota_gigabytes: Change<u32>,
    /// What becomes of a backup that the quota has no room for.
    #[schema(value_type = Option<types::QuotaPolicy>)]
    pub(crate) quota_policy: Change<QuotaPolicy>,
    /// Jobs of it that may run at once, restores apart; `null`: as many as there are workers.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub(crate) max_concurrent_jobs: Change<u32>,
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
            database_port: change!("databasePort", |fields| fields.number("databasePort", 1..=65_535)),
            database_name: change!("databaseName", text("databaseName", 63)),
            database_user: change!("databaseUser", text("databaseUser", 63)),
            database_password: change!("databasePassword", secret("databasePassword", 1000)),
            upload_dir: change!("uploadDir", starting("uploadDir", 4096, &["/"])),
            compression_enabled: change!("compressionEnabled", flag("compressionEnabled")),
            compression_algorithm: change!("compressionAlgorithm", |fields| fields
                .take("compressionAlgorithm", "field_invalid")),
            encryption_enabled: change!("encryptionEnabled", flag("encryptionEnabled")),
            encryption_key: change!("encryptionKey", passphrase),
            notify_on_success: change!("notifyOnSuccess", flag("notifyOnSuccess")),
            notify_on_failure: change!("notifyOnFailure", flag("notifyOnFailure")),
            notification_emails: change!("notificationEmails", emails),
            webhooks: change!("webhooks", take_webhooks),
            notification_language: change!("notificationLanguage", |fields| fields
                .take("notificationLanguage", "field_invalid")),
            usage_alert_percents: change!("usageAlertPercents", percents),
            verify_within_days: change!("verifyWithinDays", |fields| fields.number("verifyWithinDays", 1..=3650)),
            quota_gigabytes: change!("quotaGigabytes", |fields| fields.number("quotaGigabytes", 1..=1 << 30)),
            quota_policy: change!("quotaPolicy", |fields| fields.take("quotaPolicy", "field_invalid")),
            max_concurrent_jobs: change!("maxConcurrentJobs", |fields| fields
                .number("maxConcurrentJobs", 1..=1000)),
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
    let Some(emails) = fields.given_texts(NAME, 254)? else {
        return Ok(None);
    };
    match emails.iter().find(|email| check_email(email).is_err()) {
        None => Ok(Some(emails)),
        Some(wrong) => Err(ApiError::field(
            "field_invalid",
            NAME,
            format!("'{wrong}' is no e-mail address"),
        )),
    }
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

/// Reads a passphrase: one that can be written into `BACKUP_ENCRYPTION_KEY_PREVIOUS`, by which its archives are read without the
/// catalog, and that nobody types otherwise than it was meant.
fn passphrase(fields: &mut Fields) -> ApiResult<Option<SecretString>> {
    const NAME: &str = "encryptionKey";
    let given = secret(NAME, 1000)(fields)?;
    let fits = |given: &SecretString| {
        let text = given.expose_secret();
        text.trim() == text && !text.contains(',')
    };
    if given.as_ref().is_none_or(fits) {
        return Ok(given);
    }
    let problem = "it must neither begin nor end with white space, nor hold a comma";
    Err(ApiError::field("field_invalid", NAME, problem).sentence("field_invalid.PASSPHRASE"))
}

/// Reads the steps of the quota; whether they ascend is for whoever sees them all.
fn percents(fields: &mut Fields) -> ApiResult<Option<Vec<u32>>> {
    const NAME: &str = "usageAlertPercents";
    const MAX: usize = 10;
    let Some(list) = fields.take::<Vec<Value>>(NAME, "field_invalid")? else {
        return Ok(None);
    };
    let percent = |value: &Value| whole(value).filter(|percent| (1..=100).contains(percent));
    let percents: Option<Vec<u32>> = list
        .iter()
        .map(|value| percent(value).map(|percent| percent as u32))
        .collect();
    percents.filter(|list| list.len() <= MAX).map(Some).ok_or_else(|| {
        let problem = format!("it must be a list of at most {MAX} whole numbers from 1 to 100");
        ApiError::field("field_invalid", NAME, problem)
    })
}
