//! For machines that watch: liveness, readiness, metrics.

use std::time::{Duration, Instant};

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, web};
use backup_core::JobStatus;
use backup_core::list::BackupListOptions;
use backup_engine::Action;
use serde_json::json;

use crate::app::Api;
use crate::error::ApiResult;

/// How long catalog and storage have to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the storage's answer is good for.
const FRESH: Duration = Duration::from_secs(5);

/// The process answers.
pub(crate) async fn get_health() -> ApiResult {
    Ok(HttpResponse::Ok().json(json!({ "status": "ok" })))
}

/// Catalog and storage can be reached; 503 names which cannot. The reason goes to the log: anybody may ask this.
pub(crate) async fn get_readiness(api: web::Data<Api>) -> ApiResult {
    let (catalog, storage) = tokio::join!(catalog_answers(&api), storage_answers(&api));
    let word = |ready| if ready { "ok" } else { "unavailable" };
    let ready = catalog && storage;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok(HttpResponse::build(status).json(json!({
        "status": word(ready),
        "catalog": word(catalog),
        "storage": word(storage),
    })))
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
    let mut last = api.storage_health.lock().await;
    if let Some((at, ready)) = *last
        && at.elapsed() < FRESH
    {
        return ready;
    }
    let ready = probe_storage(api).await;
    *last = Some((Instant::now(), ready));
    ready
}

async fn probe_storage(api: &Api) -> bool {
    let Ok(repository) = api.repository() else { return false };
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
pub(crate) async fn get_metrics(api: web::Data<Api>) -> ApiResult {
    let overview = api.store.overview().await?;
    let count = async |status| {
        let options = BackupListOptions {
            status: Some(status),
            limit: 1,
            ..BackupListOptions::default()
        };
        api.store.list_backups(&options).await.map(|page| page.total as f64)
    };
    let (good, failed) = (count(JobStatus::Completed).await?, count(JobStatus::Failed).await?);
    let (pending, running) = (count(JobStatus::Pending).await?, count(JobStatus::InProgress).await?);

    let mut page = Metrics(String::new());
    page.add("backup_total", "Backups that ended, well or not.", good + failed);
    page.add("backup_success", "Good backups.", good);
    page.add("backup_failed", "Failed backups.", failed);
    page.add("backup_queue_length", "Backups that wait for a worker.", pending);
    page.add("backup_running", "Backups that run.", running);
    if let Some(last) = overview.last_successful.map(|summary| summary.backup) {
        if let (Some(from), Some(to)) = (last.started_at, last.completed_at) {
            let seconds = (to - from).num_milliseconds() as f64 / 1000.0;
            page.add(
                "backup_duration_seconds",
                "How long the newest good backup took.",
                seconds,
            );
            let at = to.timestamp() as f64;
            page.add(
                "backup_last_success_timestamp_seconds",
                "When the newest good backup ended.",
                at,
            );
        }
        if let Some(size) = last.size_bytes {
            page.add(
                "backup_size_bytes",
                "Bytes that the newest good backup stores.",
                size as f64,
            );
        }
    }
    page.add(
        "backup_stored_bytes",
        "Bytes that all good backups store.",
        overview.usage.total_size_bytes as f64,
    );
    if let Some(percent) = overview.usage.percent_of(api.settings.quota_bytes) {
        page.add("storage_usage_percent", "Percent of the quota in use.", percent);
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(page.0))
}

/// Lines of Prometheus' text format. All are gauges: a deleted backup is no longer counted.
struct Metrics(String);

impl Metrics {
    fn add(&mut self, name: &str, help: &str, value: f64) {
        self.0
            .push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"));
    }
}
