//! The overview.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::Api;
use crate::error::ApiResult;
use crate::http::params::Params;
use crate::language::Language;
use crate::wire::status::StatusBody;

/// Open alerts that are shown.
const ALERTS: u32 = 100;

/// What an administrator wants to see first.
pub(crate) async fn get_status(api: web::Data<Api>, language: Language, request: HttpRequest) -> ApiResult {
    Params::of(&request)?.end()?;
    let overview = api.store.overview().await?;
    let alerts = api.store.list_alerts(false, ALERTS).await?;
    Ok(HttpResponse::Ok().json(StatusBody::new(overview, alerts, api.settings.quota_bytes, language)))
}
