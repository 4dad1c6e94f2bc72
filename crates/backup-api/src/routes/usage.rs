//! How much the backups took up over time.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::app::Api;
use crate::error::ApiResult;
use crate::http::params::Params;
use crate::wire::status::UsageBody;

/// Samples of one answer at the most.
const MAX_SAMPLES: u64 = 1000;

/// The newest samples of a span of time, oldest first.
pub(crate) async fn list_usage(api: web::Data<Api>, request: HttpRequest) -> ApiResult {
    let mut params = Params::of(&request)?;
    let (from, to) = params.span("from", "to")?;
    let limit = params.number("limit", 1, MAX_SAMPLES, MAX_SAMPLES)?;
    params.end()?;
    let samples: Vec<UsageBody> = api
        .store
        .list_usage(from, to, limit as u32)
        .await?
        .into_iter()
        .map(UsageBody::from)
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "samples": samples })))
}
