//! Backups: list, create, look at, protect, delete.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::list::{BackupListOptions, BackupSummary, SortBy, SortOrder};
use backup_core::{Backup, BackupId, BackupTrigger, NewBackup};
use backup_engine::Action;
use serde_json::json;

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::body::Body;
use crate::http::params::{Params, path_id};
use crate::language::Language;
use crate::wire::MessageBody;
use crate::wire::backup::{BackupBody, BackupDetails, BackupListBody, CreateBackup, Protect};
use crate::wire::restore::RestoreBody;

/// Restores that a backup is shown with.
const RESTORES: u32 = 5;

/// The backup of the request's path.
pub(crate) async fn find_backup(api: &Api, request: &HttpRequest) -> ApiResult<BackupSummary> {
    let id: BackupId = path_id(request)?;
    api.store
        .get_backup(id)
        .await?
        .ok_or_else(|| ApiError::not_found("backup_not_found"))
}

/// A page of backups.
pub(crate) async fn list_backups(api: web::Data<Api>, request: HttpRequest, language: Language) -> ApiResult {
    let options = list_options(&request)?;
    let page = api.store.list_backups(&options).await?;
    Ok(HttpResponse::Ok().json(BackupListBody::new(page, &options, language)))
}

fn list_options(request: &HttpRequest) -> ApiResult<BackupListOptions> {
    let mut params = Params::of(request)?;
    let options = BackupListOptions {
        status: params.take("status")?,
        backup_type: params.take_or("type", "invalid_backup_type")?,
        source: params.take_or("source", "invalid_backup_source")?,
        trigger: params.take("trigger")?,
        config_key: params.text("configKey", 50)?.filter(|text| !text.is_empty()),
        schedule_id: params.take_or("scheduleId", "invalid_id")?,
        date_from: params.moment("dateFrom", false)?,
        date_to: params.moment("dateTo", true)?,
        query: params.text("q", 200)?.filter(|text| !text.is_empty()),
        limit: params.number("limit", 1, BackupListOptions::MAX_LIMIT.into(), 20)? as u32,
        offset: params.number("offset", 0, i64::MAX as u64, 0)?,
        sort_by: params.take("sortBy")?.unwrap_or(SortBy::CreatedAt),
        sort_order: params.take("sortOrder")?.unwrap_or(SortOrder::Desc),
    };
    params.end()?;
    Ok(options)
}

/// Writes the job and answers at once; a worker takes it up.
pub(crate) async fn create_backup(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    body: Body<CreateBackup>,
) -> ApiResult {
    let new = NewBackup {
        id: api.ids.next()?,
        config_key: body.0.config_key,
        backup_type: body.0.backup_type,
        source: body.0.source,
        trigger: BackupTrigger::Manual,
        description: body.0.description,
        created_by: caller.user_id(),
        schedule_id: None,
    };
    let id = new.id;
    let backup = api.store.create_backup(new).await?;
    audit::record(&api, &request, &caller, audit::create(&backup)).await?;
    tracing::info!(action = %Action::BackupRequested, backup_id = %id, "backup {} was asked for", backup.name);
    let summary = api
        .store
        .get_backup(id)
        .await?
        .ok_or_else(|| ApiError::not_found("backup_not_found"))?;
    Ok(HttpResponse::Accepted().json(json!({
        "backup": BackupBody::new(summary, language),
        "message": language.say("backup_started", &[]),
    })))
}

/// One backup with its newest restores, its base and its dependents.
pub(crate) async fn get_backup(api: web::Data<Api>, language: Language, request: HttpRequest) -> ApiResult {
    Params::of(&request)?.end()?;
    let summary = find_backup(&api, &request).await?;
    let id = summary.backup.id;
    let base = match summary.backup.base_id {
        Some(base) => api.store.get_backup(base).await?,
        None => None,
    };
    let restores = api.store.restores_of(id, RESTORES).await?;
    let mut dependents = Vec::new();
    for dependent in api.store.dependents(id).await? {
        dependents.extend(api.store.get_backup(dependent.id).await?);
    }
    let say = |summary| BackupBody::new(summary, language);
    let backup = BackupDetails {
        backup: say(summary),
        restores: restores
            .into_iter()
            .map(|restore| RestoreBody::new(restore, language))
            .collect(),
        base: base.map(say),
        dependents: dependents.into_iter().map(say).collect(),
    };
    Ok(HttpResponse::Ok().json(json!({ "backup": backup })))
}

/// Deletes the stored files and the record; `?cascade=true`: those of its dependents first.
pub(crate) async fn delete_backup(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
) -> ApiResult {
    let mut params = Params::of(&request)?;
    let cascade = params.flag("cascade")?;
    params.end()?;
    let backup = find_backup(&api, &request).await?.backup;
    let id = backup.id;
    let doomed = if cascade {
        with_dependents(&api, backup).await?
    } else {
        vec![backup]
    };
    let result = api.engine()?.delete_backup(id, cascade).await;
    // Where the storage failed half-way the deletion is decided nevertheless, and finished later.
    if !matches!(result, Err(backup_engine::Error::Catalog(_))) {
        for backup in &doomed {
            audit::record(&api, &request, &caller, audit::delete(backup)).await?;
        }
    }
    result?;
    Ok(HttpResponse::Ok().json(MessageBody::new(language, "backup_deleted")))
}

/// A backup and all that build on it.
async fn with_dependents(api: &Api, backup: Backup) -> ApiResult<Vec<Backup>> {
    let mut all = vec![backup];
    let mut next = 0;
    while let Some(backup) = all.get(next) {
        all.extend(api.store.dependents(backup.id).await?);
        next += 1;
    }
    Ok(all)
}

/// Protects a backup from deletion and expiry, or no longer.
pub(crate) async fn protect_backup(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    body: Body<Protect>,
) -> ApiResult {
    let summary = find_backup(&api, &request).await?;
    let id = summary.backup.id;
    api.store.set_protected(id, body.0.protected).await?;
    audit::record(
        &api,
        &request,
        &caller,
        audit::protect(&summary.backup, body.0.protected),
    )
    .await?;
    let summary = api
        .store
        .get_backup(id)
        .await?
        .ok_or_else(|| ApiError::not_found("backup_not_found"))?;
    Ok(HttpResponse::Ok().json(json!({ "backup": BackupBody::new(summary, language) })))
}
