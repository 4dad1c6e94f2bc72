//! What can be done to a backup's job, and to a good backup: cancel, verify.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_db::NewVerification;

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Body, NoBody};
use crate::http::params::Query;
use crate::language::Language;
use crate::routes::backups::find_backup;
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
    api.store
        .cancel_backup(id)
        .await
        .map_err(ApiError::in_state("job_finished"))?;
    audit::record(&api, &request, &caller, audit::cancel(&summary.backup)).await?;
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
