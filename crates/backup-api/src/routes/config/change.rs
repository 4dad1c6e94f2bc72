//! A configuration as a change makes it.

use backup_core::PipelineError;
use backup_core::config::{BackupConfig, SealedSecret};
use backup_core::notification::{Webhook, WebhookPreset};
use backup_engine::{Environment, is_same_login};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{ApiError, ApiResult};
use crate::http::body::Change;
use crate::wire::config::{ConfigChange, HIDDEN};
use crate::wire::webhook::WebhookChange;

/// The configuration with the changes; refused where it cannot be meant.
pub(super) fn changed(
    environment: &Environment,
    before: Option<&BackupConfig>,
    key: &str,
    change: ConfigChange,
) -> ApiResult<BackupConfig> {
    let defaults = BackupConfig::defaults(key, environment.clock.now());
    let mut config = before.cloned().unwrap_or_else(|| defaults.clone());
    macro_rules! set {
        ($($field:ident),+) => {$(
            change.$field.apply(&mut config.$field);
        )+};
    }
    macro_rules! set_or_default {
        ($($field:ident),+) => {$(
            change.$field.apply_or(defaults.$field, &mut config.$field);
        )+};
    }
    set!(
        storage_url,
        container_name,
        database_host,
        database_port,
        database_name,
        database_user,
        upload_dir,
        compression_algorithm,
        quota_gigabytes,
        max_concurrent_jobs
    );
    set_or_default!(
        compression_enabled,
        encryption_enabled,
        notify_on_success,
        notify_on_failure,
        notification_emails,
        notification_language,
        usage_alert_percents,
        quota_policy
    );
    let refuse = |field| move |error: PipelineError| ApiError::field("field_invalid", field, error.full_text());
    if before.is_none_or(|before| before.upload_dir != config.upload_dir) {
        environment
            .check_upload_dir(Some(&config))
            .map_err(refuse("uploadDir"))?;
    }
    if before.is_none_or(|before| before.storage_url != config.storage_url) {
        environment
            .check_storage_folder(&config)
            .map_err(refuse("storageUrl"))?;
    }
    // Here nothing has a meaning of its own: never.
    change.verify_within_days.apply(&mut config.verify_within_days);
    ascending(&config.usage_alert_percents)?;
    match change.webhooks {
        Change::Keep => {}
        Change::Clear => config.webhooks.clear(),
        Change::Set(webhooks) => config.webhooks = sealed_webhooks(environment, &config.webhooks, webhooks)?,
    }
    sealed(environment, change.storage_connection_string)?.apply(&mut config.storage_connection_string);
    let password = sealed(environment, change.database_password)?;
    if !password.is_given() {
        keeps_login(environment, before, &config)?;
    }
    password.apply(&mut config.database_password);
    match sealed(environment, change.encryption_key)? {
        Change::Keep => {}
        Change::Clear => config.change_encryption_key(None),
        Change::Set(secret) => config.change_encryption_key(Some(secret)),
    }
    Ok(config)
}

/// A secret under seal. `***` is what a reader saw: it changes nothing.
fn sealed(environment: &Environment, change: Change<SecretString>) -> ApiResult<Change<SealedSecret>> {
    Ok(match change {
        Change::Set(secret) if secret.expose_secret() == HIDDEN => Change::Keep,
        Change::Set(secret) => Change::Set(environment.seal(secret.expose_secret())?),
        Change::Clear => Change::Clear,
        Change::Keep => Change::Keep,
    })
}

/// A password that is kept goes nowhere else than it went before: whoever may change the host must not read it so.
fn keeps_login(environment: &Environment, before: Option<&BackupConfig>, after: &BackupConfig) -> ApiResult<()> {
    let (from, to) = (
        environment.database_login(before),
        environment.database_login(Some(after)),
    );
    let has_password = after.database_password.is_some() || from.password.is_some();
    if !has_password || is_same_login(&from, &to) {
        return Ok(());
    }
    let problem =
        "the one that is set is for another host, port or user: give the password with them, or null for none";
    Err(ApiError::field("field_missing", "databasePassword", problem).sentence("field_missing.DATABASE_PASSWORD"))
}

fn ascending(percents: &[u32]) -> ApiResult<()> {
    if percents.is_sorted_by(|before, after| before < after) {
        return Ok(());
    }
    Err(ApiError::field("field_invalid", "usageAlertPercents", "it must ascend"))
}

/// Webhooks with their addresses under seal; those that are not given are those of the same name `before`.
fn sealed_webhooks(
    environment: &Environment,
    before: &[Webhook],
    given: Vec<WebhookChange>,
) -> ApiResult<Vec<Webhook>> {
    let mut webhooks: Vec<Webhook> = Vec::with_capacity(given.len());
    for (index, webhook) in given.into_iter().enumerate() {
        let refuse = |code, field: &str, problem: &str| {
            Err(ApiError::field(code, field, problem).within(&format!("webhooks[{index}]")))
        };
        if webhooks.iter().any(|other| other.name == webhook.name) {
            return refuse("field_invalid", "name", "another one has this name");
        }
        if webhook.template.is_some() && webhook.preset != WebhookPreset::Generic {
            return refuse("field_invalid", "template", "only GENERIC takes one");
        }
        let known = before.iter().find(|other| other.name == webhook.name);
        let url = match (webhook.url, known) {
            (Some(url), _) => environment.seal(url.expose_secret())?,
            (None, Some(known)) => known.url.clone(),
            (None, None) => return refuse("field_missing", "url", "a new webhook needs one"),
        };
        webhooks.push(Webhook {
            name: webhook.name,
            preset: webhook.preset,
            url,
            template: webhook.template,
            on_success: webhook.on_success,
            on_failure: webhook.on_failure,
        });
    }
    Ok(webhooks)
}
