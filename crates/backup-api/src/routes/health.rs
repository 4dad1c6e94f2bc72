//! For machines that watch: liveness, readiness, metrics.

use std::time::{Duration, Instant};

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, web};
use backup_engine::{Engine, catalog_answers};

use crate::app::Api;
use crate::error::ApiResult;
use crate::metrics;
use crate::wire::status::{Answer, Health, Readiness};

/// How long the storage's answer is good for.
const FRESH: Duration = Duration::from_secs(5);

/// The process answers.
#[utoipa::path(get, path = "/healthz", responses((status = 200, body = Health)))]
pub(crate) async fn get_health() -> ApiResult {
    Ok(HttpResponse::Ok().json(Health { status: Answer::Ok }))
}

/// Catalog and storage can be reached; 503 names which cannot, and how it is away.
///
/// Its host and path go to the log: anybody may ask this.
#[utoipa::path(
    get,
    path = "/readyz",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness))
)]
pub(crate) async fn get_readiness(api: web::Data<Api>) -> ApiResult {
    let (catalog, storage) = tokio::join!(catalog_answer(&api), storage_answer(&api));
    let word = |ready| if ready { Answer::Ok } else { Answer::Unavailable };
    let ready = catalog.is_ok() && storage.is_ok();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok(HttpResponse::build(status).json(Readiness {
        status: word(ready),
        catalog: word(catalog.is_ok()),
        storage: word(storage.is_ok()),
        problems: [catalog, storage].into_iter().filter_map(Result::err).collect(),
    }))
}

async fn catalog_answer(api: &Api) -> Result<(), String> {
    let answered = catalog_answers(&api.store).await;
    answered.map_err(|away| away.to_string())
}

/// The answer of the last few seconds, so that nobody can keep the storage busy by asking.
async fn storage_answer(api: &Api) -> Result<(), String> {
    // Not yet opened is no answer of the storage, and over from one moment to the next.
    let Ok(repository) = api.engine().map(Engine::repository) else {
        return Err("the storage is not open yet, the log says why".to_owned());
    };
    let mut last = api.storage_health.lock().await;
    let answered = match &*last {
        Some((at, answered)) if at.elapsed() < FRESH => answered.clone(),
        _ => {
            let answered = api.storage_probe.works(repository.storage()).await;
            *last = Some((Instant::now(), answered.clone()));
            answered
        }
    };
    answered.map_err(|away| away.to_string())
}

/// Prometheus' text format, from the catalog.
#[utoipa::path(
    get,
    path = "/metrics",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 503, description = "`catalog_unavailable`."),
    )
)]
pub(crate) async fn get_metrics(api: web::Data<Api>) -> ApiResult {
    let page = metrics::page(&api.store, api.settings.quota_bytes).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, metrics::CONTENT_TYPE))
        .body(page))
}
