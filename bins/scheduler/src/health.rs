//! `/healthz`, `/readyz` and `/metrics`.

use std::net::TcpListener;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use backup_core::JobStatus;
use backup_core::list::BackupListOptions;
use backup_engine::{Engine, Error};
use tokio::time::timeout;

/// How long catalog and storage have to answer a probe.
const PROBE: Duration = Duration::from_secs(5);

/// What the probes ask.
#[derive(Default)]
pub(crate) struct Health(OnceLock<Engine>);

impl Health {
    /// Catalog and storage have been opened.
    pub(crate) fn ready(&self, engine: Engine) {
        // A second engine would be the same one again.
        let _ = self.0.set(engine);
    }
}

/// The server of the probes; runs when awaited, stops by its handle.
pub(crate) fn serve(health: Arc<Health>, listener: TcpListener) -> std::io::Result<Server> {
    let data = web::Data::from(health);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .route("/healthz", web::get().to(healthz))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(metrics))
    });
    Ok(server
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?
        .run())
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().body("ok\n")
}

/// Whether jobs can be run: catalog and storage answer.
async fn readyz(health: web::Data<Health>) -> HttpResponse {
    let Some(engine) = health.0.get() else {
        return HttpResponse::ServiceUnavailable().body("starting\n");
    };
    match timeout(PROBE, engine.ping()).await {
        Ok(Ok(())) => HttpResponse::Ok().body("ok\n"),
        // Details are in the log: whoever asks here need not know hosts and paths.
        Ok(Err(Error::Catalog(_))) => HttpResponse::ServiceUnavailable().body("the catalog does not answer\n"),
        Ok(Err(Error::Pipeline(_))) => HttpResponse::ServiceUnavailable().body("the storage does not answer\n"),
        Err(_) => HttpResponse::ServiceUnavailable().body("no answer in time\n"),
    }
}

async fn metrics(health: web::Data<Health>) -> HttpResponse {
    let Some(engine) = health.0.get() else {
        return HttpResponse::ServiceUnavailable().finish();
    };
    match counts(engine).await {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}

async fn counts(engine: &Engine) -> Result<String, Error> {
    let mut counts = Vec::new();
    for status in JobStatus::ALL {
        let options = BackupListOptions {
            status: Some(*status),
            limit: 1,
            ..BackupListOptions::default()
        };
        counts.push((*status, engine.store.list_backups(&options).await?.total));
    }
    let of = |wanted: JobStatus| {
        counts
            .iter()
            .find(|(status, _)| *status == wanted)
            .map_or(0, |(_, count)| *count)
    };
    let (good, failed) = (of(JobStatus::Completed), of(JobStatus::Failed));
    Ok(format!(
        "# HELP backup_total Backups that ended, in the catalog.\n# TYPE backup_total gauge\nbackup_total {}\n\
         # HELP backup_success Good backups in the catalog.\n# TYPE backup_success gauge\nbackup_success {good}\n\
         # HELP backup_failed Failed backups in the catalog.\n# TYPE backup_failed gauge\nbackup_failed {failed}\n\
         # HELP backup_queue_length Backups that wait for a worker.\n# TYPE backup_queue_length gauge\nbackup_queue_length {}\n",
        good + failed + of(JobStatus::Cancelled),
        of(JobStatus::Pending)
    ))
}
