//! What an administrator should act on.

use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::AlertId;
use backup_core::user::AlertState;
use serde_json::json;

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::http::body::NoBody;
use crate::http::params::{Params, path_id};
use crate::wire::status::{AlertBody, AlertListBody};

/// A page of alerts, newest first.
pub(crate) async fn list_alerts(api: web::Data<Api>, request: HttpRequest) -> ApiResult {
    let mut params = Params::of(&request)?;
    let state = params.take("state")?.unwrap_or(AlertState::Open);
    let (limit, offset) = params.page(50, 200)?;
    params.end()?;
    let (alerts, total) = api.store.alert_page(state, limit, offset).await?;
    Ok(HttpResponse::Ok().json(AlertListBody {
        alerts: alerts.into_iter().map(AlertBody::from).collect(),
        total,
        limit,
        offset,
    }))
}

/// Says that somebody knows of it; it stays open until it is over.
pub(crate) async fn acknowledge_alert(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    _: NoBody,
) -> ApiResult {
    let id: AlertId = path_id(&request)?;
    let alert = api.store.acknowledge_alert(id).await?;
    audit::record(&api, &request, &caller, audit::acknowledge_alert(&alert)).await?;
    Ok(HttpResponse::Ok().json(json!({ "alert": AlertBody::from(alert) })))
}
