//! Restores: ask for one, list, look at, cancel.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::restore::{RestoreMode, RestoreOptions, RestoreRecord};
use backup_core::{BackupSource, RestoreId};
use backup_db::{NewRestore, RestoreListOptions};

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Body, NoBody};
use crate::http::params::{Query, path_id};
use crate::language::Language;
use crate::routes::backups::find_backup;
use crate::wire::restore::{CreateRestore, Page, RestoreAccepted, RestoreAnswer, RestoreBody, RestoreListBody};

/// Asks for a restore: writes the job and answers at once; a worker takes it up.
#[utoipa::path(
    post,
    path = "/api/admin/backup/{id}/restore",
    request_body = CreateRestore,
    responses(
        (status = 202, body = RestoreAccepted),
        (status = 409, description = "`backup_unavailable`: it is not a good backup. `restore_mode_unavailable`."),
    )
)]
pub(crate) async fn create_restore(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    body: Body<CreateRestore>,
    _: Query<()>,
) -> ApiResult {
    let backup = find_backup(&api, &request).await?.backup;
    let options = RestoreOptions::from(body.0);
    check_targets(&options, backup.source)?;
    let new = NewRestore {
        id: api.ids.next()?,
        backup_id: backup.id,
        options,
        created_by: caller.user_id(),
    };
    let restore = api
        .store
        .create_restore(new)
        .await
        .map_err(ApiError::in_state("backup_unavailable"))?;
    audit::record(&api, &request, &caller, audit::restore(&backup)).await?;
    Ok(HttpResponse::Accepted().json(RestoreAccepted {
        restore: RestoreBody::new(restore, language),
        message: language.say("restore_started", &[]),
    }))
}

/// What cannot work is refused at once. Mode NEW names where what the backup holds is to go.
fn check_targets(options: &RestoreOptions, source: BackupSource) -> ApiResult<()> {
    if options.mode != RestoreMode::New {
        return Err(ApiError::conflict("restore_mode_unavailable"));
    }
    if options
        .target_dir
        .as_deref()
        .is_some_and(|folder| !folder.starts_with('/'))
    {
        return Err(ApiError::field(
            "field_invalid",
            "targetDir",
            "it must be an absolute path",
        ));
    }
    let missing = |name, what| {
        Err(ApiError::field(
            "field_missing",
            name,
            format!("mode NEW needs it to restore {what}"),
        ))
    };
    if options.restore_database && source.has_database() && options.target_database.is_none() {
        return missing("targetDatabase", "the database");
    }
    if options.restore_files && source.has_files() && options.target_dir.is_none() {
        return missing("targetDir", "the files");
    }
    Ok(())
}

/// A page of restores, newest first.
#[utoipa::path(get, path = "/api/admin/restore", params(Page), responses((status = 200, body = RestoreListBody)))]
pub(crate) async fn list_restores(api: web::Data<Api>, language: Language, page: Query<Page>) -> ApiResult {
    let Page { limit, offset } = page.0;
    let options = RestoreListOptions {
        limit,
        offset,
        ..RestoreListOptions::default()
    };
    let (restores, total) = api.store.list_restores(&options).await?;
    let restores = restores
        .into_iter()
        .map(|restore| RestoreBody::new(restore, language))
        .collect();
    Ok(HttpResponse::Ok().json(RestoreListBody {
        restores,
        total,
        limit,
        offset,
    }))
}

async fn find_restore(api: &Api, id: RestoreId) -> ApiResult<RestoreRecord> {
    api.store
        .get_restore(id)
        .await?
        .ok_or_else(|| ApiError::not_found("restore_not_found"))
}

/// One restore.
#[utoipa::path(get, path = "/api/admin/restore/{id}", responses((status = 200, body = RestoreAnswer)))]
pub(crate) async fn get_restore(
    api: web::Data<Api>,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
) -> ApiResult {
    let restore = find_restore(&api, path_id(&request)?).await?;
    Ok(HttpResponse::Ok().json(RestoreAnswer {
        restore: RestoreBody::new(restore, language),
    }))
}

/// Asks a waiting or running restore to stop.
#[utoipa::path(
    post,
    path = "/api/admin/restore/{id}/cancel",
    responses((status = 200, body = RestoreAccepted), (status = 409, description = "`job_finished`: it has ended already."))
)]
pub(crate) async fn cancel_restore(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let id = find_restore(&api, path_id(&request)?).await?.id;
    api.store
        .cancel_restore(id)
        .await
        .map_err(ApiError::in_state("job_finished"))?;
    audit::record(&api, &request, &caller, audit::cancel_restore(id)).await?;
    let restore = find_restore(&api, id).await?;
    Ok(HttpResponse::Ok().json(RestoreAccepted {
        restore: RestoreBody::new(restore, language),
        message: language.say("cancel_requested", &[]),
    }))
}
