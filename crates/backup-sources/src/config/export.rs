//! The form of `config.json`. It has no field that could hold a secret.

use std::collections::BTreeMap;

use backup_core::config::{BackupConfig, SystemConfig};
use backup_core::notification::Webhook;
use backup_core::schedule::Schedule;
use backup_core::user::User;
use serde::Serialize;

use super::ConfigInputs;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Export<'a> {
    exported_at: String,
    version: &'a str,
    system_configs: Vec<ExportedSetting<'a>>,
    environment_configs: BTreeMap<&'a str, &'a str>,
    schedules: Vec<ExportedSchedule<'a>>,
    backup_configs: Vec<ExportedConfig<'a>>,
    users: Vec<ExportedUser<'a>>,
    protected_backups: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExportedSetting<'a> {
    key: &'a str,
    value: &'a str,
    category: &'a str,
    value_type: &'a str,
    name: &'a str,
    description: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExportedSchedule<'a> {
    id: String,
    config_key: &'a str,
    name: &'a str,
    description: Option<&'a str>,
    is_enabled: bool,
    backup_type: &'a str,
    backup_source: &'a str,
    cron_expression: &'a str,
    timezone: &'a str,
    retention_days: u32,
    max_backups: u32,
    keep_hourly: Option<u32>,
    keep_daily: Option<u32>,
    keep_weekly: Option<u32>,
    keep_monthly: Option<u32>,
    keep_yearly: Option<u32>,
    verify_when: &'a str,
    verify_level: &'a str,
    verify_percent: u8,
    consolidate_every: Option<u32>,
    start_window: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExportedConfig<'a> {
    key: &'a str,
    storage_url: Option<&'a str>,
    container_name: Option<&'a str>,
    database_host: Option<&'a str>,
    database_port: Option<u16>,
    database_name: Option<&'a str>,
    database_user: Option<&'a str>,
    upload_dir: Option<&'a str>,
    compression_enabled: bool,
    compression_algorithm: Option<String>,
    encryption_enabled: bool,
    notify_on_success: bool,
    notify_on_failure: bool,
    notification_emails: &'a [String],
    webhooks: Vec<ExportedWebhook<'a>>,
    notification_language: &'a str,
    usage_alert_percents: &'a [u32],
    verify_within_days: Option<u32>,
    quota_gigabytes: Option<u32>,
    quota_policy: &'a str,
    max_concurrent_jobs: Option<u32>,
    /// The names of the secrets that are set, to be set again by whoever rebuilds a lost catalog.
    secrets: Vec<&'static str>,
}

/// Without its address, which is a secret, and its template, which may hold one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExportedWebhook<'a> {
    name: &'a str,
    preset: &'a str,
    on_success: bool,
    on_failure: bool,
}

/// Without password and without the subject of an OpenID Connect provider: who may log in again is decided anew.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExportedUser<'a> {
    id: String,
    email: &'a str,
    display_name: &'a str,
    role: &'a str,
}

impl<'a> Export<'a> {
    pub(super) fn of(inputs: &'a ConfigInputs) -> Self {
        Self {
            exported_at: inputs.exported_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            version: &inputs.version,
            system_configs: inputs
                .system_configs
                .iter()
                .filter(|config| !config.is_encrypted)
                .map(setting)
                .collect(),
            environment_configs: inputs
                .environment
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
            schedules: inputs.schedules.iter().map(schedule).collect(),
            backup_configs: inputs.configs.iter().map(config).collect(),
            users: inputs.users.iter().map(user).collect(),
            protected_backups: inputs.protected.iter().map(ToString::to_string).collect(),
        }
    }
}

fn setting(config: &SystemConfig) -> ExportedSetting<'_> {
    ExportedSetting {
        key: &config.key,
        value: &config.value,
        category: &config.category,
        value_type: &config.value_type,
        name: &config.name,
        description: config.description.as_deref(),
    }
}

fn schedule(schedule: &Schedule) -> ExportedSchedule<'_> {
    ExportedSchedule {
        id: schedule.id.to_string(),
        config_key: &schedule.config_key,
        name: &schedule.name,
        description: schedule.description.as_deref(),
        is_enabled: schedule.is_enabled,
        backup_type: schedule.backup_type.as_str(),
        backup_source: schedule.backup_source.as_str(),
        cron_expression: &schedule.cron_expression,
        timezone: &schedule.timezone,
        retention_days: schedule.retention.retention_days,
        max_backups: schedule.retention.max_backups,
        keep_hourly: schedule.retention.keep_hourly,
        keep_daily: schedule.retention.keep_daily,
        keep_weekly: schedule.retention.keep_weekly,
        keep_monthly: schedule.retention.keep_monthly,
        keep_yearly: schedule.retention.keep_yearly,
        verify_when: schedule.verification.when.as_str(),
        verify_level: schedule.verification.level.as_str(),
        verify_percent: schedule.verification.percent,
        consolidate_every: schedule.consolidate_every,
        start_window: schedule.start_window.map(|window| window.to_string()),
    }
}

fn config(config: &BackupConfig) -> ExportedConfig<'_> {
    ExportedConfig {
        key: &config.key,
        storage_url: config.storage_url.as_deref(),
        container_name: config.container_name.as_deref(),
        database_host: config.database_host.as_deref(),
        database_port: config.database_port,
        database_name: config.database_name.as_deref(),
        database_user: config.database_user.as_deref(),
        upload_dir: config.upload_dir.as_deref(),
        compression_enabled: config.compression_enabled,
        compression_algorithm: config.compression_algorithm.map(|codec| codec.to_string()),
        encryption_enabled: config.encryption_enabled,
        notify_on_success: config.notify_on_success,
        notify_on_failure: config.notify_on_failure,
        notification_emails: &config.notification_emails,
        webhooks: config.webhooks.iter().map(webhook).collect(),
        notification_language: config.notification_language.as_str(),
        usage_alert_percents: &config.usage_alert_percents,
        verify_within_days: config.verify_within_days,
        quota_gigabytes: config.quota_gigabytes,
        quota_policy: config.quota_policy.as_str(),
        max_concurrent_jobs: config.max_concurrent_jobs,
        secrets: secrets(config),
    }
}

fn secrets(config: &BackupConfig) -> Vec<&'static str> {
    [
        ("storageConnectionString", config.storage_connection_string.is_some()),
        ("databasePassword", config.database_password.is_some()),
        ("encryptionKey", config.encryption_key.is_some()),
        ("previousEncryptionKeys", !config.previous_encryption_keys.is_empty()),
    ]
    .into_iter()
    .filter_map(|(name, is_set)| is_set.then_some(name))
    .collect()
}

fn user(user: &User) -> ExportedUser<'_> {
    ExportedUser {
        id: user.id.to_string(),
        email: &user.email,
        display_name: &user.display_name,
        role: user.role.as_str(),
    }
}

fn webhook(webhook: &Webhook) -> ExportedWebhook<'_> {
    ExportedWebhook {
        name: &webhook.name,
        preset: webhook.preset.as_str(),
        on_success: webhook.on_success,
        on_failure: webhook.on_failure,
    }
}
