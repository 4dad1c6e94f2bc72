//! The overview.

use actix_web::{HttpResponse, web};
use backup_core::config::total_quota;

use crate::app::Api;
use crate::error::ApiResult;
use crate::http::params::Query;
use crate::language::Language;
use crate::wire::status::StatusBody;

/// Open alerts that are shown.
const ALERTS: u32 = 100;

/// What an administrator wants to see first.
#[utoipa::path(get, path = "/api/admin/backup/status", responses((status = 200, body = StatusBody)))]
pub(crate) async fn get_status(api: web::Data<Api>, language: Language, _: Query<()>) -> ApiResult {
    let overview = api.store.overview().await?;
    let alerts = api.store.list_alerts(false, ALERTS).await?;
    let quota = total_quota(&api.store.list_configs().await?, api.settings.quota_bytes);
    Ok(HttpResponse::Ok().json(StatusBody::new(overview, alerts, quota, language)))
}
