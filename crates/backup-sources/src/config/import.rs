//! `config.json`, read back: what brings the settings of a lost catalog back. Of another version, what it does not hold is
//! as if it had never been set, and what cannot be understood is named and left out.

use backup_core::config::{BackupConfig, DEFAULT_CONFIG_KEY, QuotaPolicy, SystemConfig};
use backup_core::receipt::Codec;
use backup_core::retention::Retention;
use backup_core::schedule::{Schedule, VerifyPolicy, VerifyWhen};
use backup_core::user::{Role, User};
use backup_core::{BackupId, BackupSource, BackupType, Language, PipelineError, ScheduleId, UserId, VerifyLevel};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{EXPORT, PART};

/// What a CONFIG backup saved of this system itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigExport {
    /// When the export was made.
    pub exported_at: DateTime<Utc>,
    /// Settings of the backed-up application, without those that were marked encrypted.
    pub system_configs: Vec<SystemConfig>,
    /// The schedules, with the identifiers that they had. They have no next instant yet.
    pub schedules: Vec<Schedule>,
    /// The configurations, without their secrets and without their webhooks.
    pub configs: Vec<BackupConfig>,
    /// The people who could log in: none of them is active.
    pub users: Vec<User>,
    /// The backups that were protected.
    pub protected: Vec<BackupId>,
    /// What was set and is not in the export, for people: each has to be set again.
    pub set_again: Vec<String>,
    /// The keys of the configurations whose storage needs a connection string that is not in the export.
    pub without_connection: Vec<String>,
    /// What could not be understood, and why.
    pub unread: Vec<String>,
}

impl ConfigExport {
    /// The part of an archive that holds the export.
    pub const PART: &str = PART;
    /// Its file in that part.
    pub const FILE: &str = EXPORT;

    /// Reads the content of the file.
    ///
    /// # Errors
    /// `Failed` where it is no export at all.
    pub fn read(json: &[u8]) -> Result<Self, PipelineError> {
        let export: Whole = serde_json::from_slice(json).map_err(|error| {
            PipelineError::failed(
                format!("{EXPORT} cannot be understood"),
                "It may be of a newer version: use the newest programs.",
            )
            .because(error)
        })?;
        let at = export.exported_at;
        let mut unread = Vec::new();
        let configs = items::<Config>("configuration", "key", export.backup_configs, &mut unread);
        let mut set_again = Vec::new();
        let mut without_connection = Vec::new();
        for config in &configs {
            config.lacks(&mut set_again);
            if config.has_secret("storageConnectionString") {
                without_connection.push(config.key.clone());
            }
        }
        let mut schedules: Vec<Schedule> = items::<ScheduleItem>("schedule", "name", export.schedules, &mut unread)
            .into_iter()
            .map(|item| item.schedule(at))
            .collect();
        schedules.retain(|schedule| match schedule.timing() {
            Ok(_) => true,
            Err(error) => {
                unread.push(format!("schedule {}: {error}", schedule.name));
                false
            }
        });
        let users = items::<UserItem>("user", "email", export.users, &mut unread);
        let system_configs = items::<Setting>("setting", "key", export.system_configs, &mut unread);
        Ok(Self {
            exported_at: at,
            system_configs: system_configs.into_iter().map(Setting::system_config).collect(),
            schedules,
            configs: configs.into_iter().map(|config| config.config(at)).collect(),
            users: users.into_iter().map(|user| user.user(at)).collect(),
            protected: export.protected_backups,
            set_again,
            without_connection,
            unread,
        })
    }

    /// Whether it holds nothing that anybody has set, apart from people: so does one of a server that was started on an empty
    /// catalog.
    pub fn is_blank(&self) -> bool {
        let is_untouched = |config: &BackupConfig| {
            config.key == DEFAULT_CONFIG_KEY && *config == BackupConfig::defaults(&config.key, config.updated_at)
        };
        self.schedules.is_empty()
            && self.protected.is_empty()
            && self.system_configs.is_empty()
            && self.set_again.is_empty()
            && self.unread.is_empty()
            && self.configs.iter().all(is_untouched)
    }
}

/// Those of the values that can be read; the others are named by their field `name`.
fn items<T: DeserializeOwned>(what: &str, name: &str, values: Vec<Value>, unread: &mut Vec<String>) -> Vec<T> {
    let mut read = Vec::with_capacity(values.len());
    for value in values {
        let named = value.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
        match serde_json::from_value(value) {
            Ok(item) => read.push(item),
            Err(error) => unread.push(format!("{what} {named}: {error}")),
        }
    }
    read
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    exported_at: DateTime<Utc>,
    #[serde(default)]
    system_configs: Vec<Value>,
    #[serde(default)]
    schedules: Vec<Value>,
    #[serde(default)]
    backup_configs: Vec<Value>,
    #[serde(default)]
    users: Vec<Value>,
    #[serde(default)]
    protected_backups: Vec<BackupId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Setting {
    key: String,
    value: String,
    category: String,
    value_type: String,
    name: String,
    description: Option<String>,
}

impl Setting {
    fn system_config(self) -> SystemConfig {
        SystemConfig {
            key: self.key,
            value: self.value,
            category: self.category,
            value_type: self.value_type,
            name: self.name,
            description: self.description,
            is_encrypted: false,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScheduleItem {
    id: ScheduleId,
    config_key: String,
    name: String,
    description: Option<String>,
    is_enabled: bool,
    backup_type: BackupType,
    backup_source: BackupSource,
    cron_expression: String,
    timezone: String,
    retention_days: u32,
    max_backups: u32,
    keep_hourly: Option<u32>,
    keep_daily: Option<u32>,
    keep_weekly: Option<u32>,
    keep_monthly: Option<u32>,
    keep_yearly: Option<u32>,
    // Exports did not always say how backups are verified.
    verify_when: Option<VerifyWhen>,
    verify_level: Option<VerifyLevel>,
    verify_percent: Option<u8>,
    consolidate_every: Option<u32>,
    start_window: Option<String>,
}

impl ScheduleItem {
    fn schedule(self, at: DateTime<Utc>) -> Schedule {
        let standard = VerifyPolicy::default();
        Schedule {
            verification: VerifyPolicy {
                when: self.verify_when.unwrap_or(standard.when),
                level: self.verify_level.unwrap_or(standard.level),
                percent: self.verify_percent.unwrap_or(standard.percent),
            },
            consolidate_every: self.consolidate_every,
            id: self.id,
            config_key: self.config_key,
            name: self.name,
            description: self.description,
            is_enabled: self.is_enabled,
            backup_type: self.backup_type,
            backup_source: self.backup_source,
            cron_expression: self.cron_expression,
            timezone: self.timezone,
            retention: Retention {
                retention_days: self.retention_days,
                max_backups: self.max_backups,
                keep_hourly: self.keep_hourly,
                keep_daily: self.keep_daily,
                keep_weekly: self.keep_weekly,
                keep_monthly: self.keep_monthly,
                keep_yearly: self.keep_yearly,
            },
            next_run_at: None,
            last_run_at: None,
            last_success_at: None,
            last_verify_passed_at: None,
            start_window: self.start_window.and_then(|window| window.parse().ok()),
            created_at: at,
            updated_at: at,
            created_by: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    key: String,
    storage_url: Option<String>,
    container_name: Option<String>,
    database_host: Option<String>,
    database_port: Option<u16>,
    database_name: Option<String>,
    database_user: Option<String>,
    upload_dir: Option<String>,
    compression_enabled: bool,
    compression_algorithm: Option<Codec>,
    encryption_enabled: bool,
    notify_on_success: bool,
    notify_on_failure: bool,
    notification_emails: Vec<String>,
    #[serde(default)]
    webhooks: Vec<WebhookItem>,
    notification_language: Language,
    usage_alert_percents: Vec<u32>,
    verify_within_days: Option<u32>,
    quota_gigabytes: Option<u32>,
    quota_policy: QuotaPolicy,
    max_concurrent_jobs: Option<u32>,
    /// `None`: an export that does not say which were set.
    secrets: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct WebhookItem {
    name: String,
}

impl Config {
    fn has_secret(&self, name: &str) -> bool {
        self.secrets.iter().flatten().any(|secret| secret == name)
    }

    fn lacks(&self, set_again: &mut Vec<String>) {
        let key = &self.key;
        match &self.secrets {
            Some(secrets) => set_again.extend(
                secrets
                    .iter()
                    .map(|secret| format!("{secret} of the configuration '{key}'")),
            ),
            None => set_again.push(format!(
                "storageConnectionString, databasePassword and encryptionKey of the configuration '{key}', where it had any"
            )),
        }
        set_again.extend(
            self.webhooks
                .iter()
                .map(|webhook| format!("the webhook '{}' of the configuration '{key}'", webhook.name)),
        );
    }

    fn config(self, at: DateTime<Utc>) -> BackupConfig {
        BackupConfig {
            key: self.key,
            storage_url: self.storage_url,
            storage_connection_string: None,
            container_name: self.container_name,
            database_host: self.database_host,
            database_port: self.database_port,
            database_name: self.database_name,
            database_user: self.database_user,
            database_password: None,
            upload_dir: self.upload_dir,
            compression_enabled: self.compression_enabled,
            compression_algorithm: self.compression_algorithm,
            encryption_enabled: self.encryption_enabled,
            encryption_key: None,
            previous_encryption_keys: Vec::new(),
            notify_on_success: self.notify_on_success,
            notify_on_failure: self.notify_on_failure,
            notification_emails: self.notification_emails,
            webhooks: Vec::new(),
            notification_language: self.notification_language,
            usage_alert_percents: self.usage_alert_percents,
            verify_within_days: self.verify_within_days,
            quota_gigabytes: self.quota_gigabytes,
            quota_policy: self.quota_policy,
            max_concurrent_jobs: self.max_concurrent_jobs,
            updated_at: at,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserItem {
    id: UserId,
    email: String,
    display_name: String,
    role: Role,
}

impl UserItem {
    fn user(self, at: DateTime<Utc>) -> User {
        User {
            id: self.id,
            email: self.email,
            display_name: self.display_name,
            role: self.role,
            is_active: false,
            created_at: at,
            last_login_at: None,
        }
    }
}
