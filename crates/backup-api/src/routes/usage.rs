//! How much the backups took up over time.

use actix_web::{HttpResponse, web};

use crate::app::Api;
use crate::error::ApiResult;
use crate::http::params::Query;
use crate::wire::status::{UsageBody, UsageListBody, UsageQuery};

/// The newest samples of a span of time, oldest first.
#[utoipa::path(
    get,
    path = "/api/admin/backup/usage",
    params(UsageQuery),
    responses((status = 200, body = UsageListBody))
)]
pub(crate) async fn list_usage(api: web::Data<Api>, query: Query<UsageQuery>) -> ApiResult {
    let UsageQuery { from, to, limit } = query.0;
    let samples = api.store.list_usage(from, to, limit).await?;
    Ok(HttpResponse::Ok().json(UsageListBody {
        samples: samples.into_iter().map(UsageBody::from).collect(),
    }))
}
