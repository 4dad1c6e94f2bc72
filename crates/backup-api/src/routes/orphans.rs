//! What catalog and storage do not have in common: report it, adopt it, remove it.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::{BackupId, PipelineError};
use backup_engine::Error;

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::body::NoBody;
use crate::http::params::{Query, path_id};
use crate::language::Language;
use crate::wire::MessageBody;
use crate::wire::backup::{BackupAnswer, BackupBody};
use crate::wire::orphan::{OrphanListBody, OrphanQuery};

/// Compares the catalog with what the storages really hold, and changes nothing. Lists every storage, which takes a while
/// where there are many backups.
#[utoipa::path(get, path = "/api/admin/backup/orphans", params(OrphanQuery), responses((status = 200, body = OrphanListBody)))]
pub(crate) async fn list_orphans(api: web::Data<Api>, query: Query<OrphanQuery>) -> ApiResult {
    let orphans = api.engine()?.orphans(query.0.limit).await?;
    Ok(HttpResponse::Ok().json(OrphanListBody::from(orphans)))
}

/// Brings a backup that only the storage has into the catalog, and asks for a verification of it.
#[utoipa::path(
    post,
    path = "/api/admin/backup/orphans/{id}/adopt",
    responses(
        (status = 200, body = BackupAnswer),
        (status = 409, description = "`archive_damaged`: its receipt or archive is not whole, or another key's. \
            `orphan_refused`: it belongs to a configuration that is not there."),
    )
)]
pub(crate) async fn adopt_orphan(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let id: BackupId = path_id(&request, "backup_not_found")?;
    let backup = api.engine()?.adopt_orphan(id).await.map_err(refusal)?;
    audit::record(&api, &request, &caller, audit::adopt(&backup)).await?;
    let summary = api
        .store
        .get_backup(id)
        .await?
        .ok_or_else(|| ApiError::not_found("backup_not_found"))?;
    Ok(HttpResponse::Ok().json(BackupAnswer {
        backup: BackupBody::new(summary, language),
    }))
}

/// Removes from the storage what the catalog does not know. What another key made stays: it may be somebody else's.
#[utoipa::path(
    delete,
    path = "/api/admin/backup/orphans/{id}",
    responses(
        (status = 200, body = MessageBody),
        (status = 409, description = "`orphan_refused`: the catalog knows it, or what builds on it. \
            `archive_damaged`: another key made it."),
    )
)]
pub(crate) async fn remove_orphan(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let id: BackupId = path_id(&request, "backup_not_found")?;
    api.engine()?.remove_orphan(id).await.map_err(refusal)?;
    audit::record(&api, &request, &caller, audit::remove_orphan(id)).await?;
    Ok(HttpResponse::Ok().json(MessageBody::new(language, "orphan_removed")))
}

fn refusal(error: Error) -> ApiError {
    match error {
        Error::Pipeline(PipelineError::NotFound { .. }) => ApiError::not_found("backup_not_found"),
        Error::Pipeline(error @ PipelineError::Refused { .. }) => {
            ApiError::conflict("orphan_refused").details(error.full_text().into())
        }
        error => error.into(),
    }
}
