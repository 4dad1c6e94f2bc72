//! For machines that watch: liveness, readiness, metrics.

use std::time::{Duration, Instant};

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, web};
use backup_engine::{Action, Engine, Repository};

use crate::app::Api;
use crate::error::ApiResult;
use crate::metrics;
use crate::wire::status::{Answer, Health, Readiness};

/// How long catalog and storage have to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the storage's answer is good for.
const FRESH: Duration = Duration::from_secs(5);

/// The process answers.
#[utoipa::path(get, path = "/healthz", responses((status = 200, body = Health)))]
pub(crate) async fn get_health() -> ApiResult {
    Ok(HttpResponse::Ok().json(Health { status: Answer::Ok }))
}

/// Catalog and storage can be reached; 503 names which cannot.
///
/// The reason goes to the log: anybody may ask this.
#[utoipa::path(
    get,
    path = "/readyz",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness))
)]
pub(crate) async fn get_readiness(api: web::Data<Api>) -> ApiResult {
    let (catalog, storage) = tokio::join!(catalog_answers(&api), storage_answers(&api));
    let word = |ready| if ready { Answer::Ok } else { Answer::Unavailable };
    let ready = catalog && storage;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok(HttpResponse::build(status).json(Readiness {
        status: word(ready),
        catalog: word(catalog),
        storage: word(storage),
    }))
}

async fn catalog_answers(api: &Api) -> bool {
    match tokio::time::timeout(PATIENCE, api.store.ping()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(action = %Action::CatalogUnavailable, %error, "not ready: {error}");
            false
        }
        Err(_) => {
            tracing::warn!(action = %Action::CatalogUnavailable, "not ready: the catalog is silent");
            false
        }
    }
}

/// The answer of the last few seconds, so that nobody can keep the storage busy by asking.
async fn storage_answers(api: &Api) -> bool {
    // Not yet opened is no answer of the storage, and over from one moment to the next.
    let Ok(repository) = api.engine().map(Engine::repository) else {
        return false;
    };
    let mut last = api.storage_health.lock().await;
    if let Some((at, ready)) = *last
        && at.elapsed() < FRESH
    {
        return ready;
    }
    let ready = probe_storage(&repository).await;
    *last = Some((Instant::now(), ready));
    ready
}

async fn probe_storage(repository: &Repository) -> bool {
    match tokio::time::timeout(PATIENCE, repository.storage().probe()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(action = %Action::StorageUnavailable, %error, "not ready: {error}");
            false
        }
        Err(_) => {
            tracing::warn!(action = %Action::StorageUnavailable, "not ready: the storage is silent");
            false
        }
    }
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
