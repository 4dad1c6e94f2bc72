//! What can be done to a backup's job, and to a good backup: cancel, verify, consolidate.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::BackupType;
use backup_db::NewVerification;
use backup_engine::Action;

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Body, NoBody};
use crate::http::params::Query;
use crate::language::Language;
use crate::routes::backups::{find_backup, refuse_without_room};
use crate::wire::backup::{BackupAccepted, BackupBody, Verify};
use crate::wire::restore::{VerificationAccepted, VerificationBody};

/// Asks a waiting or running backup to stop: a waiting one is CANCELLED at once, a running one by its worker.
#[utoipa::path(
    post,
    path = "/api/admin/backup/{id}/cancel",
    responses((status = 200, body = BackupAccepted), (status = 409, description = "`job_finished`: it has ended already."))
)]
pub(crate) async fn cancel_backup(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let summary = find_backup(&api, &request).await?;
    let id = summary.backup.id;
    let entry = audit::entry(&api, &request, &caller, audit::cancel(&summary.backup));
    api.store
        .cancel_backup_as(id, entry)
        .await
        .map_err(ApiError::in_state("job_finished"))?;
    let summary = api
        .store
        .get_backup(id)
        .await?
        .ok_or_else(|| ApiError::not_found("backup_not_found"))?;
    Ok(HttpResponse::Ok().json(BackupAccepted {
        backup: BackupBody::new(summary, language),
        message: language.say("cancel_requested", &[]),
    }))
}

/// Asks for a verification; its result goes to the backup.
#[utoipa::path(
    post,
    path = "/api/admin/backup/{id}/verify",
    request_body = Verify,
    responses(
        (status = 202, body = VerificationAccepted),
        (status = 409, description = "`backup_unavailable`: it is not a good backup."),
    )
)]
pub(crate) async fn verify_backup(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    body: Body<Verify>,
    _: Query<()>,
) -> ApiResult {
    let backup = find_backup(&api, &request).await?.backup;
    let new = NewVerification {
        id: api.ids.next()?,
        backup_id: backup.id,
        level: body.0.level,
        created_by: caller.user_id(),
    };
    let record = api
        .store
        .create_verification(new)
        .await
        .map_err(ApiError::in_state("backup_unavailable"))?;
    audit::record(&api, &request, &caller, audit::verify(&backup)).await?;
    Ok(HttpResponse::Accepted().json(VerificationAccepted {
        verification: VerificationBody::from(record),
        message: language.say("verify_started", &[]),
    }))
}

/// Asks for a full backup that is made of one which builds on others, from the storage alone: of the same point in time, and
/// with nothing that it builds on. The backup itself stays as it is.
#[utoipa::path(
    post,
    path = "/api/admin/backup/{id}/consolidate",
    responses(
        (status = 202, body = BackupAccepted),
        (status = 409, description = "`backup_stands_alone`: it builds on no other. `backup_unavailable`: it is not a good backup. \
            `backup_damaged`: it, or one that it builds on, cannot be restored; `details` says why. `backup_consolidating`: that \
            has been asked for already. `quota_exceeded`: the configuration refuses what its quota has no room for."),
    )
)]
pub(crate) async fn consolidate_backup(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let origin = find_backup(&api, &request).await?.backup;
    refuse_without_room(&api, &origin.config_key, origin.source, BackupType::Full).await?;
    let backup = api
        .store
        .consolidate_backup(origin.id, api.ids.next()?, caller.user_id())
        .await
        .map_err(ApiError::in_state("backup_unavailable"))?;
    audit::record(&api, &request, &caller, audit::consolidate(&origin)).await?;
    tracing::info!(
        action = %Action::BackupRequested, backup_id = %backup.id,
        "backup {}, which is made of {}, was asked for", backup.name, origin.id
    );
    let summary = api
        .store
        .get_backup(backup.id)
        .await?
        .ok_or_else(|| ApiError::not_found("backup_not_found"))?;
    Ok(HttpResponse::Accepted().json(BackupAccepted {
        backup: BackupBody::new(summary, language),
        message: language.say("consolidation_started", &[]),
    }))
}
