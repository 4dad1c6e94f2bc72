//! What an administrator should act on.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::AlertId;

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::http::body::NoBody;
use crate::http::params::{Query, path_id};
use crate::language::Language;
use crate::wire::alert::{AlertAnswer, AlertBody, AlertListBody, AlertQuery};

/// A page of alerts, newest first.
#[utoipa::path(
    get,
    path = "/api/admin/backup/alerts",
    params(AlertQuery),
    responses((status = 200, body = AlertListBody))
)]
pub(crate) async fn list_alerts(api: web::Data<Api>, language: Language, query: Query<AlertQuery>) -> ApiResult {
    let AlertQuery { state, limit, offset } = query.0;
    let (alerts, total) = api.store.alert_page(state, limit, offset).await?;
    Ok(HttpResponse::Ok().json(AlertListBody {
        alerts: alerts
            .into_iter()
            .map(|alert| AlertBody::new(alert, language))
            .collect(),
        total,
        limit,
        offset,
    }))
}

/// Says that somebody knows of it; it stays open until it is over.
#[utoipa::path(post, path = "/api/admin/backup/alerts/{id}/acknowledge", responses((status = 200, body = AlertAnswer)))]
pub(crate) async fn acknowledge_alert(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    let id: AlertId = path_id(&request, "alert_not_found")?;
    let alert = api.store.acknowledge_alert(id).await?;
    audit::record(&api, &request, &caller, audit::acknowledge_alert(&alert)).await?;
    Ok(HttpResponse::Ok().json(AlertAnswer {
        alert: AlertBody::new(alert, language),
    }))
}
