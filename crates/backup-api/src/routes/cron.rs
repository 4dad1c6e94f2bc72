//! Cron expressions: when they are due, and common ones.

use actix_web::{HttpResponse, web};

use crate::app::Api;
use crate::error::ApiResult;
use crate::http::body::Body;
use crate::http::params::Query;
use crate::language::Language;
use crate::wire::cron::{CronPreview, CronRuns, PresetListBody};

/// When an expression is due next, or which field of it is wrong, and why.
#[utoipa::path(
    post,
    path = "/api/admin/backup/schedule/preview",
    request_body = CronPreview,
    responses(
        (status = 200, body = CronRuns),
        (status = 400, description = "`cron_invalid`: `details` says which field of the expression, and why. \
            `timezone_unknown`. Or another field is wrong, missing or unknown."),
    )
)]
pub(crate) async fn preview_cron(
    api: web::Data<Api>,
    language: Language,
    body: Body<CronPreview>,
    _: Query<()>,
) -> ApiResult {
    Ok(HttpResponse::Ok().json(CronRuns::new(&body.0, api.clock.now(), language)))
}

/// Common schedules to choose from.
#[utoipa::path(get, path = "/api/admin/backup/schedule/presets", responses((status = 200, body = PresetListBody)))]
pub(crate) async fn list_presets(language: Language, _: Query<()>) -> ApiResult {
    Ok(HttpResponse::Ok().json(PresetListBody::new(language)))
}
