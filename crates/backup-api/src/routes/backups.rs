//! Backups: list, create, look at, protect, delete.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::list::{BackupListOptions, BackupSummary};
use backup_core::{Backup, BackupId, BackupSource, BackupTrigger, BackupType, NewBackup};
use backup_db::JobKind;
use backup_engine::{Action, Room};
use serde_json::json;

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Body, NoBody};
use crate::http::params::{Query, path_id};
use crate::language::Language;
use crate::wire::MessageBody;
use crate::wire::backup::{
    BackupAccepted, BackupAnswer, BackupBody, BackupDetails, BackupDetailsAnswer, BackupListBody, BackupQuery,
    CreateBackup, DeleteQuery, Protect,
};
use crate::wire::log::LogLineBody;
use crate::wire::restore::RestoreBody;
use crate::wire::step::StepBody;

/// Restores that a backup is shown with.
const RESTORES: u32 = 5;

/// The backup of the request's path.
pub(crate) async fn find_backup(api: &Api, request: &HttpRequest) -> ApiResult<BackupSummary> {
    let id: BackupId = path_id(request, "backup_not_found")?;
    api.store
        .get_backup(id)
        .await?
        .ok_or_else(|| ApiError::not_found("backup_not_found"))
}

/// A page of backups.
#[utoipa::path(get, path = "/api/admin/backup", params(BackupQuery), responses((status = 200, body = BackupListBody)))]
pub(crate) async fn list_backups(api: web::Data<Api>, language: Language, query: Query<BackupQuery>) -> ApiResult {
    let options = BackupListOptions::from(query.0);
    let page = api.store.list_backups(&options).await?;
    Ok(HttpResponse::Ok().json(BackupListBody::new(page, &options, language)))
}

/// Asks for a backup: writes the job and answers at once; a worker takes it up.
#[utoipa::path(
    post,
    path = "/api/admin/backup",
    request_body = CreateBackup,
    responses(
        (status = 202, body = BackupAccepted),
        (status = 404, description = "`config_not_found`"),
        (status = 409, description = "`quota_exceeded`: the configuration refuses what its quota has no room for."),
    )
)]
pub(crate) async fn create_backup(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    body: Body<CreateBackup>,
    _: Query<()>,
) -> ApiResult {
    let config_key = body.0.config_key;
    refuse_without_room(&api, &config_key, body.0.source, body.0.backup_type).await?;
    let new = NewBackup {
        id: api.ids.next()?,
        config_key,
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
    Ok(HttpResponse::Accepted().json(BackupAccepted {
        backup: BackupBody::new(summary, language),
        message: language.say("backup_started", &[]),
    }))
}

/// Refuses a backup that the configuration's quota has no room for, where the configuration says so.
pub(crate) async fn refuse_without_room(
    api: &Api,
    config_key: &str,
    source: BackupSource,
    backup_type: BackupType,
) -> ApiResult<()> {
    let quota = api.settings.quota_bytes;
    let room = Room::of(&api.store, quota, config_key, source, backup_type).await?;
    if !room.refuses() || room.fits() {
        return Ok(());
    }
    Err(ApiError::conflict("quota_exceeded").details(json!({
        "quotaBytes": room.quota_bytes,
        "usedBytes": room.used_bytes,
        "expectedBytes": room.expected_bytes,
    })))
}

/// One backup with its newest restores, all that it builds on, its dependents, its steps and its log.
#[utoipa::path(get, path = "/api/admin/backup/{id}", responses((status = 200, body = BackupDetailsAnswer)))]
pub(crate) async fn get_backup(
    api: web::Data<Api>,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
) -> ApiResult {
    let summary = find_backup(&api, &request).await?;
    let id = summary.backup.id;
    let mut bases = Vec::new();
    for base in api.store.bases(id).await? {
        bases.extend(api.store.get_backup(base.id).await?);
    }
    let restores = api.store.restores_of(id, RESTORES).await?;
    let mut dependents = Vec::new();
    for dependent in api.store.dependents(id).await? {
        dependents.extend(api.store.get_backup(dependent.id).await?);
    }
    let steps = api.store.steps_of(JobKind::Backup, &id.to_string()).await?;
    let log = api.store.log_of(JobKind::Backup, &id.to_string()).await?;
    let say = |summary| BackupBody::new(summary, language);
    let backup = BackupDetails {
        steps: StepBody::all(&steps, summary.backup.completed_at),
        log: LogLineBody::all(log),
        backup: say(summary),
        restores: restores
            .into_iter()
            .map(|restore| RestoreBody::new(restore, language))
            .collect(),
        base: bases.first().cloned().map(say),
        bases: bases.into_iter().map(say).collect(),
        dependents: dependents.into_iter().map(say).collect(),
    };
    Ok(HttpResponse::Ok().json(BackupDetailsAnswer { backup }))
}

/// Deletes the stored files and the record; `?cascade=true`: those of its dependents first.
#[utoipa::path(
    delete,
    path = "/api/admin/backup/{id}",
    params(DeleteQuery),
    responses(
        (status = 200, body = MessageBody),
        (status = 409, description = "`backup_running`, `backup_protected`, `backup_in_use`: a restore, verification, consolidation or download reads it, \
            `backup_dependents`: others build on it."),
    )
)]
pub(crate) async fn delete_backup(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    query: Query<DeleteQuery>,
    _: NoBody,
) -> ApiResult {
    let cascade = query.0.cascade;
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
#[utoipa::path(
    post,
    path = "/api/admin/backup/{id}/protect",
    request_body = Protect,
    responses((status = 200, body = BackupAnswer))
)]
pub(crate) async fn protect_backup(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    body: Body<Protect>,
    _: Query<()>,
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
    Ok(HttpResponse::Ok().json(BackupAnswer {
        backup: BackupBody::new(summary, language),
    }))
}
