//! Restores: ask for one, list, look at, cancel.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::restore::{ReplacementStage, RestoreAction, RestoreMode, RestoreOptions, RestoreRecord};
use backup_core::{BackupSource, PipelineError, RestoreId};
use backup_db::{JobKind, NewRestore, RestoreListOptions};

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Body, NoBody};
use crate::http::params::{Query, path_id};
use crate::language::Language;
use crate::routes::backups::find_backup;
use crate::wire::log::LogLineBody;
use crate::wire::restore::{
    CreateRestore, Page, RestoreAccepted, RestoreAnswer, RestoreBody, RestoreDetails, RestoreListBody,
    RestorePlanAnswer,
};
use crate::wire::step::StepBody;
use serde_json::json;

/// Asks for a restore: writes the job and answers at once; a worker takes it up.
#[utoipa::path(
    post,
    path = "/api/admin/backup/{id}/restore",
    request_body = CreateRestore,
    responses(
        (status = 202, body = RestoreAccepted),
        (status = 409, description = "`backup_unavailable`: it is not a good backup."),
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

/// Shows what a restore would do, and every reason why it would be refused: what will be read, how much, what will be
/// replaced, the space, and what the target lacks. Changes nothing.
#[utoipa::path(
    post,
    path = "/api/admin/backup/{id}/restore/plan",
    request_body = CreateRestore,
    responses(
        (status = 200, body = RestorePlanAnswer),
        (
            status = 409,
            description = "`backup_unavailable`: it is not a good backup. `archive_damaged`. `restore_impossible`: the backup holds nothing of what was asked for.",
        ),
    )
)]
pub(crate) async fn plan_restore(
    api: web::Data<Api>,
    request: HttpRequest,
    body: Body<CreateRestore>,
    _: Query<()>,
) -> ApiResult {
    let backup = find_backup(&api, &request).await?.backup;
    if backup.status != backup_core::JobStatus::Completed || backup.deleting {
        return Err(ApiError::conflict("backup_unavailable").details(json!({ "status": backup.status })));
    }
    let options = RestoreOptions::from(body.0);
    check_targets(&options, backup.source)?;
    let plan = api
        .engine()?
        .plan_restore(&backup, &options)
        .await
        .map_err(|error| match error {
            backup_engine::Error::Pipeline(error @ PipelineError::Refused { .. }) => {
                ApiError::conflict("restore_impossible").details(json!({ "reason": error.full_text() }))
            }
            error => error.into(),
        })?;
    Ok(HttpResponse::Ok().json(RestorePlanAnswer { plan: plan.into() }))
}

/// What cannot work is refused at once. Mode NEW names where what the backup holds is to go; mode REPLACE replaces all.
fn check_targets(options: &RestoreOptions, source: BackupSource) -> ApiResult<()> {
    let replaces = options.mode == RestoreMode::Replace;
    for (name, selection) in [("paths", &options.paths), ("tables", &options.tables)] {
        if replaces && !selection.is_empty() {
            return Err(ApiError::field(
                "field_invalid",
                name,
                "mode REPLACE replaces the whole: restore a selection in mode NEW",
            ));
        }
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
    if replaces {
        return Ok(());
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
    let restore = find_restore(&api, path_id(&request, "restore_not_found")?).await?;
    let steps = api.store.steps_of(JobKind::Restore, &restore.id.to_string()).await?;
    let log = api.store.log_of(JobKind::Restore, &restore.id.to_string()).await?;
    let restore = RestoreDetails {
        steps: StepBody::all(&steps, restore.completed_at),
        log: LogLineBody::all(log),
        restore: RestoreBody::new(restore, language),
    };
    Ok(HttpResponse::Ok().json(RestoreAnswer { restore }))
}

/// Asks a waiting or running restore to stop.
#[utoipa::path(
    post,
    path = "/api/admin/restore/{id}/cancel",
    responses((status = 200, body = RestoreAccepted), (status = 409, description = "`job_finished`: it has ended already. `restore_not_cancellable`: it has begun to exchange, or ends what another one replaced."))
)]
pub(crate) async fn cancel_restore(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let restore = find_restore(&api, path_id(&request, "restore_not_found")?).await?;
    let swaps = restore
        .replacement
        .as_ref()
        .is_some_and(|replacement| replacement.stage == ReplacementStage::Swapping);
    if !restore.status.is_final() && (swaps || restore.action != RestoreAction::Restore) {
        return Err(ApiError::conflict("restore_not_cancellable"));
    }
    let id = restore.id;
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

/// Puts back what a restore in mode REPLACE replaced, exactly as it was, and removes what was restored with all that was
/// written to it since. A job with a record of its own.
#[utoipa::path(
    post,
    path = "/api/admin/restore/{id}/rollback",
    responses(
        (status = 202, body = RestoreAccepted),
        (status = 409, description = "`restore_keeps_nothing`: nothing was replaced, or it is no longer kept."),
    )
)]
pub(crate) async fn roll_back_restore(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    end_replacement(&api, &caller, language, &request, RestoreAction::RollBack).await
}

/// Confirms a restore in mode REPLACE: what it replaced is removed for good, before its time is over. A job with a record
/// of its own.
#[utoipa::path(
    post,
    path = "/api/admin/restore/{id}/confirm",
    responses(
        (status = 202, body = RestoreAccepted),
        (status = 409, description = "`restore_keeps_nothing`: nothing was replaced, or it is no longer kept."),
    )
)]
pub(crate) async fn confirm_restore(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    end_replacement(&api, &caller, language, &request, RestoreAction::Discard).await
}

async fn end_replacement(
    api: &web::Data<Api>,
    caller: &Caller,
    language: Language,
    request: &HttpRequest,
    action: RestoreAction,
) -> ApiResult {
    let of = find_restore(api, path_id(request, "restore_not_found")?).await?.id;
    let restore = api.store.end_replacement(of, action, caller.user_id()).await?;
    let (act, message) = match action {
        RestoreAction::RollBack => (audit::roll_back_restore(of), "restore_rolling_back"),
        _ => (audit::confirm_restore(of), "restore_confirmed"),
    };
    audit::record(api, request, caller, act).await?;
    Ok(HttpResponse::Accepted().json(RestoreAccepted {
        restore: RestoreBody::new(restore, language),
        message: language.say(message, &[]),
    }))
}
