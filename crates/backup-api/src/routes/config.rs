//! Configurations: what is backed up, where to, with which key and within which quota.

mod change;

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::PipelineError;
use backup_core::config::{BackupConfig, ConfigPart, DEFAULT_CONFIG_KEY};
use backup_core::usage::ConfigUsage;
use backup_engine::Environment;

use self::change::changed;
use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Body, NoBody};
use crate::http::params::Query;
use crate::language::Language;
use crate::wire::MessageBody;
use crate::wire::config::{
    ConfigAnswer, ConfigBody, ConfigChange, ConfigList, ConfigQuery, HIDDEN, TestConfig, TestResult, overrides,
};
use crate::wire::webhook::WebhookBody;

/// Every configuration, the default one first.
#[utoipa::path(get, path = "/api/admin/backup/configs", responses((status = 200, body = ConfigList)))]
pub(crate) async fn list_configs(api: web::Data<Api>, _: Query<()>) -> ApiResult {
    let environment = api.environment()?;
    let configs = api.store.list_configs().await?;
    let usage = api.store.usage_by_config().await?;
    let mut keys = vec![DEFAULT_CONFIG_KEY];
    keys.extend(
        configs
            .iter()
            .map(|config| config.key.as_str())
            .filter(|key| *key != DEFAULT_CONFIG_KEY),
    );
    let mut bodies = Vec::new();
    for key in keys {
        bodies.push(describe(environment, key, &configs, &usage).await);
    }
    Ok(HttpResponse::Ok().json(ConfigList { configs: bodies }))
}

/// One configuration as it holds now.
#[utoipa::path(
    get,
    path = "/api/admin/backup/config",
    params(ConfigQuery),
    responses((status = 200, body = ConfigAnswer), (status = 404, description = "`config_not_found`"))
)]
pub(crate) async fn get_config(api: web::Data<Api>, query: Query<ConfigQuery>) -> ApiResult {
    let config = find(&api, &query.0.key).await?;
    Ok(HttpResponse::Ok().json(ConfigAnswer { config }))
}

async fn find(api: &Api, key: &str) -> ApiResult<ConfigBody> {
    let environment = api.environment()?;
    let configs = api.store.list_configs().await?;
    if key != DEFAULT_CONFIG_KEY && configs.iter().all(|config| config.key != key) {
        return Err(ApiError::not_found("config_not_found"));
    }
    let usage = api.store.usage_by_config().await?;
    Ok(describe(environment, key, &configs, &usage).await)
}

/// Changes a configuration, or makes one of this name. What is changed holds from the next backup on.
#[utoipa::path(
    patch,
    path = "/api/admin/backup/config",
    params(ConfigQuery),
    request_body = ConfigChange,
    responses(
        (status = 200, body = ConfigAnswer),
        (status = 409, description = "`config_in_use`: it has backups, which would no longer be found in another storage. \
            `changed_meanwhile`: somebody else has just changed it."),
    )
)]
pub(crate) async fn change_config(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    query: Query<ConfigQuery>,
    body: Body<ConfigChange>,
) -> ApiResult {
    let environment = api.environment()?;
    let key = query.0.key;
    let before = api.store.get_config(&key).await?;
    let given = body.0.given.clone();
    let after = changed(environment, before.as_ref(), &key, body.0)?;
    let given = described(&given, &after);
    let moves = !is_same_storage(environment, before.as_ref(), &after)?;
    api.store.replace_config(before.as_ref(), &after, moves).await?;
    let act = audit::change_config(&key, before.is_none() && key != DEFAULT_CONFIG_KEY, &given);
    audit::record(&api, &request, &caller, act).await?;
    let config = find(&api, &key).await?;
    Ok(HttpResponse::Ok().json(ConfigAnswer { config }))
}

/// Removes a configuration that neither backups nor schedules belong to; the default one is then as the environment says.
#[utoipa::path(
    delete,
    path = "/api/admin/backup/config",
    params(ConfigQuery),
    responses(
        (status = 200, body = MessageBody),
        (status = 404, description = "`config_not_found`"),
        (status = 409, description = "`config_in_use`"),
    )
)]
pub(crate) async fn delete_config(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    query: Query<ConfigQuery>,
    _: NoBody,
) -> ApiResult {
    api.store.delete_config(&query.0.key).await?;
    audit::record(&api, &request, &caller, audit::delete_config(&query.0.key)).await?;
    Ok(HttpResponse::Ok().json(MessageBody::new(language, "config_deleted")))
}

/// Tries a configuration, with changes that are not kept: really connects. What does not work is an answer too.
#[utoipa::path(
    post,
    path = "/api/admin/backup/config/test",
    params(ConfigQuery),
    request_body = TestConfig,
    responses((status = 200, body = TestResult))
)]
pub(crate) async fn test_config(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    query: Query<ConfigQuery>,
    body: Body<TestConfig>,
) -> ApiResult {
    let environment = api.environment()?;
    let TestConfig { what, config } = body.0;
    let before = api.store.get_config(&query.0.key).await?;
    let config = changed(environment, before.as_ref(), &query.0.key, config)?;
    audit::record(&api, &request, &caller, audit::test_config(&query.0.key, what)).await?;
    let mut result = TestResult {
        what,
        ok: true,
        message: language.say("config_test_ok", &[]),
        detail: String::new(),
        server_version: None,
        dump_version: None,
        estimated_bytes: None,
    };
    let tried = match what {
        ConfigPart::Storage => environment.try_storage(&config).await.map(|name| result.detail = name),
        ConfigPart::Files => environment
            .try_files(&config)
            .await
            .map(|folder| result.detail = folder.display().to_string()),
        ConfigPart::Notification => {
            let installation = api.settings.public_url.as_ref().map(url::Url::as_str);
            let sent = environment.try_notification(&config, language.of_messages(), installation);
            sent.await.map(|told| result.detail = told.join(", "))
        }
        ConfigPart::Database => environment.try_database(&config).await.map(|found| {
            result.detail = format!("PostgreSQL {}", found.server_version);
            result.server_version = Some(found.server_version);
            result.dump_version = Some(found.dump_version);
            result.estimated_bytes = Some(found.estimated_bytes);
        }),
    };
    if let Err(error) = tried {
        result.ok = false;
        result.message = language.say("config_test_failed", &[]);
        result.detail = error.full_text();
        // The server needs no right to all files, and the jobs' processes may have it.
        if what == ConfigPart::Files && environment.settings.workers == 0 {
            result.detail += "; tried under the server's own account, which runs no jobs: a scheduler may read more";
        }
    }
    Ok(HttpResponse::Ok().json(result))
}

/// The fields that were given; with their values, where those are paths, which are no secrets.
fn described(given: &[&str], after: &BackupConfig) -> String {
    let told = given.iter().map(|name| {
        let path = match *name {
            "uploadDir" => after.upload_dir.as_deref(),
            "storageUrl" => after.storage_url.as_deref().filter(|url| url.starts_with("file://")),
            _ => None,
        };
        path.map_or_else(|| (*name).to_owned(), |path| format!("{name}={path}"))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Whether backups stay where they are found; a storage that cannot be meant is refused.
fn is_same_storage(environment: &Environment, before: Option<&BackupConfig>, after: &BackupConfig) -> ApiResult<bool> {
    let says = |config: &BackupConfig| {
        (
            config.storage_url.clone(),
            config.storage_connection_string.clone(),
            config.container_name.clone(),
        )
    };
    // What nobody changes need not be one that can work: everything else can be changed nevertheless.
    if before.map(says).unwrap_or_default() == says(after) {
        return Ok(true);
    }
    let refuse = |error: PipelineError| ApiError::field("field_invalid", "storageUrl", error.full_text());
    let now = environment.storage_name(Some(after)).map_err(refuse)?;
    // Of one whose connection string is lost, the catalog knows what was found where the rest of it leads.
    let mut before = before.cloned();
    if let Some(before) = before.as_mut().filter(|before| before.has_lost_connection()) {
        before.storage_connection_string = None;
    }
    // One that could not work has no backups that could be lost.
    Ok(environment.storage_name(before.as_ref()).is_ok_and(|name| name == now))
}

async fn describe(environment: &Environment, key: &str, all: &[BackupConfig], usage: &[ConfigUsage]) -> ConfigBody {
    let stored = all.iter().find(|config| config.key == key);
    let defaults = BackupConfig::defaults(key, environment.clock.now());
    let config = stored.unwrap_or(&defaults);
    let settings = &environment.settings;
    let usage = usage.iter().find(|usage| usage.config_key == key);
    let hidden = |is_set: bool| is_set.then_some(HIDDEN);
    let own_url = config.storage_url.is_some();
    let login = environment.database_login(stored);
    ConfigBody {
        key: key.to_owned(),
        storage: environment
            .storage_name(stored)
            .unwrap_or_else(|error| error.full_text()),
        storage_url: config
            .storage_url
            .clone()
            .or_else(|| Some(settings.storage.url.clone())),
        storage_connection_string: hidden(
            config.storage_connection_string.is_some() || (!own_url && settings.storage.connection_string.is_some()),
        ),
        container_name: config
            .container_name
            .clone()
            .or_else(|| Some(settings.storage.container.clone())),
        database_host: login.host,
        database_port: login.port,
        database_name: Some(login.name).filter(|name| !name.is_empty()),
        database_user: login.user,
        database_password: hidden(config.database_password.is_some() || login.password.is_some()),
        upload_dir: environment.upload_dir(stored).display().to_string(),
        compression_enabled: config.compression_enabled,
        compression_algorithm: config.compression_algorithm.unwrap_or(settings.codec),
        encryption_enabled: config.encryption_enabled,
        encryption_key: HIDDEN,
        key_fingerprint: environment
            .keys_of(stored, all)
            .await
            .ok()
            .map(|keys| keys.current().fingerprint()),
        notify_on_success: config.notify_on_success,
        notify_on_failure: config.notify_on_failure,
        notification_emails: config.notification_emails.clone(),
        webhooks: config.webhooks.iter().map(WebhookBody::from).collect(),
        notification_language: config.notification_language,
        usage_alert_percents: config.usage_alert_percents.clone(),
        verify_within_days: config.verify_within_days,
        quota_gigabytes: config.quota_bytes(settings.quota_bytes).map(|bytes| bytes >> 30),
        quota_policy: config.quota_policy,
        max_concurrent_jobs: config.max_concurrent_jobs,
        total_size_bytes: usage.map_or(0, |usage| usage.total_size_bytes),
        backup_count: usage.map_or(0, |usage| usage.backup_count),
        overrides: stored.map(overrides).unwrap_or_default(),
        updated_at: stored.map(|config| config.updated_at),
    }
}
