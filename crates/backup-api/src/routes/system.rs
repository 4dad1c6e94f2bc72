//! The whole system: paused, and at work again.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::http::body::{Body, NoBody};
use crate::http::params::Query;
use crate::language::Language;
use crate::wire::pause::{PauseAnswer, PauseSystem};

/// Pauses the system: no job is taken up, no schedule fires, and no backup expires, until it is resumed. What runs goes on to
/// its end, and what is asked for waits.
#[utoipa::path(
    post,
    path = "/api/admin/system/pause",
    request_body = PauseSystem,
    responses(
        (status = 200, body = PauseAnswer),
        (status = 409, description = "`already_paused`"),
    )
)]
pub(crate) async fn pause_system(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    body: Body<PauseSystem>,
    _: Query<()>,
) -> ApiResult {
    let pause = api.store.pause_system(&body.0.reason, caller.user_id()).await?;
    audit::record(&api, &request, &caller, audit::pause_system(&pause.reason)).await?;
    Ok(HttpResponse::Ok().json(PauseAnswer {
        pause: pause.into(),
        message: language.say("system_paused", &[]),
    }))
}

/// Ends the pause: jobs are taken up again, and each schedule that would have fired meanwhile fires once.
#[utoipa::path(
    post,
    path = "/api/admin/system/resume",
    responses(
        (status = 200, body = PauseAnswer, description = "The pause that is over."),
        (status = 409, description = "`not_paused`"),
    )
)]
pub(crate) async fn resume_system(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let pause = api.store.resume_system().await?;
    audit::record(&api, &request, &caller, audit::resume_system(&pause.reason)).await?;
    Ok(HttpResponse::Ok().json(PauseAnswer {
        pause: pause.into(),
        message: language.say("system_resumed", &[]),
    }))
}
