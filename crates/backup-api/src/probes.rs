//! `/healthz`, `/readyz` and `/metrics` alone, for a process that serves nothing else.

use std::net::TcpListener;
use std::sync::{Arc, OnceLock};

use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use backup_engine::{Engine, StorageProbe, catalog_answers};

use crate::metrics;

/// What the probes ask.
#[derive(Default)]
pub struct Probes {
    engine: OnceLock<Engine>,
    storage: StorageProbe,
    quota_bytes: Option<u64>,
}

impl Probes {
    /// Probes of a process that has no engine yet. `quota_bytes` is what the backups may take up.
    pub fn new(quota_bytes: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            engine: OnceLock::new(),
            storage: StorageProbe::default(),
            quota_bytes,
        })
    }

    /// The catalog has been opened, and the storage is open or away.
    pub fn set_engine(&self, engine: Engine) {
        // A second one would be the same catalog and storage again.
        let _ = self.engine.set(engine);
    }

    /// The server of the probes on a listening socket; runs when awaited, stops by its handle.
    ///
    /// # Errors
    /// When the socket cannot be served.
    pub fn serve(self: Arc<Self>, listener: TcpListener) -> std::io::Result<Server> {
        let data = web::Data::from(self);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/healthz", web::get().to(get_health))
                .route("/readyz", web::get().to(get_readiness))
                .route("/metrics", web::get().to(get_metrics))
        });
        Ok(server
            .workers(1)
            .disable_signals()
            .shutdown_timeout(1)
            .listen(listener)?
            .run())
    }
}

async fn get_health() -> HttpResponse {
    HttpResponse::Ok().body("ok\n")
}

/// Whether jobs can be run: catalog and storage answer. Which does not, and how it is away, is said; the rest is in the log:
/// whoever asks here need not know hosts and paths.
async fn get_readiness(probes: web::Data<Probes>) -> HttpResponse {
    let Some(engine) = probes.engine.get() else {
        return HttpResponse::ServiceUnavailable()
            .body("starting: catalog and storage are not open yet, the log says why\n");
    };
    let (catalog, storage) = tokio::join!(catalog_answers(&engine.store), probes.storage.answers(&engine.storage));
    let problems: Vec<String> = [catalog, storage]
        .into_iter()
        .filter_map(Result::err)
        .map(|away| format!("{away}\n"))
        .collect();
    if problems.is_empty() {
        HttpResponse::Ok().body("ok\n")
    } else {
        HttpResponse::ServiceUnavailable().body(problems.concat())
    }
}

async fn get_metrics(probes: web::Data<Probes>) -> HttpResponse {
    let Some(engine) = probes.engine.get() else {
        return HttpResponse::ServiceUnavailable().finish();
    };
    match metrics::page(&engine.store, probes.quota_bytes).await {
        Ok(page) => HttpResponse::Ok().content_type(metrics::CONTENT_TYPE).body(page),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}
