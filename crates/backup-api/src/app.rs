//! The application: its settings, its state, and the server that it runs in.

use std::net::TcpListener;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use backup_archive::ArchiveKey;
use backup_core::{Backup, Clock, IdGenerator, JobStatus, Random};
use backup_db::Store;
use backup_engine::{Away, Engine, Environment, Repository, StorageProbe};
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::auth::Passwords;
use crate::auth::network::Network;
use crate::error::{ApiError, ApiResult};
use crate::events::EventHub;
use crate::http::middleware::surround;
use crate::oidc::{OidcSettings, Provider};
use crate::openapi::Documentation;
use crate::routes;

/// Connections that each thread serves at once; others wait.
const MAX_CONNECTIONS: usize = 512;

/// Threads of each of these threads for what blocks: far more than downloads may hold, so that the catalog always finds one.
/// A call that has its turn there and waits for a thread would keep the jobs from theirs.
const BLOCKING_THREADS: usize = 256;

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Path prefix that every route stands under; empty or beginning, and not ending, with a slash.
    pub base_path: String,
    /// The address that people use, where that is not ours: behind a reverse proxy. Its scheme says whether cookies are
    /// `Secure`, and its presence that `X-Forwarded-For` of a proxy on this machine is believed.
    pub public_url: Option<Url>,
    /// Proxies elsewhere whose `X-Forwarded-For` is believed too.
    pub trusted_proxies: Vec<Network>,
    /// Bytes that the backups may take up; `None`: no limit is shown.
    pub quota_bytes: Option<u64>,
    /// How long a log-in lasts.
    pub session_lifetime: Duration,
    /// How often the catalog is asked for new events.
    pub event_interval: Duration,
    /// How often a silent stream of events says that it is alive, and whether its caller still may listen.
    pub keep_alive: Duration,
    /// How long the body of a request may take to come.
    pub body_timeout: Duration,
    /// How long a caller may take in nothing of its answer before the connection ends. Whoever takes in some, however
    /// slowly, is let be.
    pub stall_timeout: Duration,
    /// Downloads at once that are made as they are sent, each of which holds a thread until its end.
    pub downloads_at_once: usize,
    /// Log-in through OpenID Connect; `None`: there is none.
    pub oidc: Option<OidcSettings>,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            base_path: String::new(),
            public_url: None,
            trusted_proxies: Vec::new(),
            quota_bytes: None,
            session_lifetime: Duration::from_hours(12),
            event_interval: Duration::from_millis(500),
            keep_alive: Duration::from_secs(15),
            body_timeout: Duration::from_secs(10),
            // A full receiver says again that it has room once a sixteenth is free: of six megabytes, at a kilobyte a
            // second, after six and a half minutes.
            stall_timeout: Duration::from_mins(10),
            downloads_at_once: 64,
            oidc: None,
        }
    }
}

impl ApiSettings {
    /// `BACKUP_BASE_PATH` as the routes need it: `/` and nothing become empty, `x/y/` becomes `/x/y`.
    pub fn normal_base_path(text: &str) -> String {
        let inner = text.trim_matches('/');
        if inner.is_empty() {
            String::new()
        } else {
            format!("/{inner}")
        }
    }
}

/// The state that all requests share.
pub struct Api {
    pub(crate) settings: ApiSettings,
    pub(crate) store: Store,
    environment: OnceLock<Environment>,
    engine: OnceLock<Engine>,
    /// Seals what browsers keep for us. All processes have the same one.
    pub(crate) key: ArchiveKey,
    pub(crate) oidc: Option<Provider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) ids: IdGenerator,
    pub(crate) passwords: Passwords,
    pub(crate) events: EventHub,
    downloads: Arc<Semaphore>,
    /// When the storage was last asked whether it answers, and whether it did.
    pub(crate) storage_health: tokio::sync::Mutex<Option<(Instant, Result<(), Away>)>>,
    pub(crate) storage_probe: StorageProbe,
    documentation: OnceLock<Documentation>,
}

impl Api {
    /// The state on this catalog; `key` is the one that new archives are made with. To be called within a tokio runtime: it
    /// starts the one task that reads new events.
    pub fn new(
        settings: ApiSettings,
        store: Store,
        key: ArchiveKey,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Arc<Self> {
        Arc::new(Self {
            events: EventHub::start(store.clone(), settings.event_interval),
            oidc: settings
                .oidc
                .clone()
                .map(|settings| Provider::new(settings, clock.clone())),
            downloads: Arc::new(Semaphore::new(settings.downloads_at_once)),
            settings,
            store,
            environment: OnceLock::new(),
            engine: OnceLock::new(),
            key,
            ids: IdGenerator::new(clock.clone(), random.clone()),
            clock,
            random,
            passwords: Passwords::default(),
            storage_health: tokio::sync::Mutex::default(),
            storage_probe: StorageProbe::default(),
            documentation: OnceLock::new(),
        })
    }

    /// Gives it what the environment says, so that configurations can be seen, changed and tried while the storage that it
    /// names refuses: it may be the wrong one.
    pub fn set_environment(&self, environment: Environment) {
        // A second one would say the same.
        let _ = self.environment.set(environment);
    }

    /// Gives it the engine, once the storage's settings can work. Until then what needs it is answered with 503.
    pub fn set_engine(&self, engine: Engine) {
        self.set_environment(engine.environment.clone());
        // A second one would be the same storage again.
        let _ = self.engine.set(engine);
    }

    pub(crate) fn environment(&self) -> ApiResult<&Environment> {
        self.environment
            .get()
            .ok_or_else(|| ApiError::unavailable("storage_unavailable"))
    }

    pub(crate) fn engine(&self) -> ApiResult<&Engine> {
        self.engine
            .get()
            .ok_or_else(|| ApiError::unavailable("storage_unavailable"))
    }

    /// Where the files of this backup are; 409 for one that has none (yet, or any more).
    pub(crate) async fn repository_of(&self, backup: &Backup) -> ApiResult<Repository> {
        if backup.status != JobStatus::Completed || backup.deleting {
            return Err(ApiError::conflict("backup_unavailable"));
        }
        Ok(self.engine()?.repository_of(&backup.config_key).await?)
    }

    /// The right of a download to hold a thread while it is made; 503 where as many do as may.
    pub(crate) fn download_turn(&self) -> ApiResult<OwnedSemaphorePermit> {
        let turn = self.downloads.clone().try_acquire_owned();
        turn.map_err(|_| ApiError::unavailable("too_many_downloads"))
    }

    /// The description of the API, made when it is first asked for.
    pub(crate) fn documentation(&self) -> ApiResult<&Documentation> {
        if let Some(made) = self.documentation.get() {
            return Ok(made);
        }
        let made = Documentation::new(&self.settings.base_path)?;
        Ok(self.documentation.get_or_init(|| made))
    }

    /// Ends every stream of events, so that a graceful stop need not wait for listeners.
    pub fn close_streams(&self) {
        self.events.close();
    }
}

/// The server on a listening socket. It runs when awaited and stops by its handle; what is in flight then has
/// `drain` to end.
///
/// # Errors
/// When the socket cannot be served.
pub fn serve(api: Arc<Api>, listener: TcpListener, threads: usize, drain: Duration) -> std::io::Result<Server> {
    // Of a caller that does not read, actix notices nothing; the kernel knows whether anything is taken in. Each connection
    // has it from here.
    let stall = u32::try_from(api.settings.stall_timeout.as_millis()).map_err(std::io::Error::other)?;
    set_tcp_user_timeout(&listener, stall)?;
    let base = api.settings.base_path.clone();
    let data = web::Data::from(api);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .wrap(from_fn(surround))
            .service(web::scope(&base).configure(routes::configure))
            .default_service(web::to(routes::not_found))
    })
    .workers(threads)
    .max_connections(MAX_CONNECTIONS)
    .worker_max_blocking_threads(BLOCKING_THREADS)
    .disable_signals()
    .shutdown_timeout(drain.as_secs())
    .listen(listener)?
    .run();
    Ok(server)
}
