//! From start to stop.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::available_parallelism;

use backup_api::{Api, create_first_admin, serve};
use backup_archive::Keyring;
use backup_core::{Clock, IdGenerator, OsRandom, PipelineError, Random, SystemClock};
use backup_db::Store;
use backup_engine::{Action, Checkpoints, Engine, Environment, Scheduler, Worker, stop_on_signal};
use tokio::sync::watch;

use crate::args::Args;
use crate::error::ServerError;
use crate::{catalog, storage};

/// Threads that serve requests: they wait most of the time.
const MAX_THREADS: usize = 4;

/// Runs the server until it is told to stop. Then no new connection is taken, requests and jobs have the drain time to end,
/// and what has not ended is given back to other workers.
pub(crate) async fn run(args: Args) -> Result<(), ServerError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    // All settings first: what is wrong with them shows before anything is touched.
    args.engine.keys.check()?;
    let settings = args.api_settings()?;
    let jobs = args.engine.job_settings(&random)?;
    let admin = args.first_admin()?;
    let mailer = args.engine.mailer(clock.clone(), random.clone())?;
    let listener = listen(&args)?;
    for warning in args.engine.warnings() {
        tracing::warn!(action = %Action::ServiceStarted, "{warning}");
    }
    let stop = stop_on_signal().map_err(ServerError::Io)?;
    let keys = keyring(&args).await?;

    let store = catalog::open(&args.engine, clock.clone()).await?;
    if let Some(admin) = admin {
        let ids = IdGenerator::new(clock.clone(), random.clone());
        if create_first_admin(&store, &admin, &ids, &*random).await? {
            tracing::info!(action = %Action::ServiceStarted, "the first administrator {} was created", admin.email);
        }
    }

    let key = keys.current().clone();
    let installation = settings.public_url.as_ref().map(ToString::to_string);
    let environment = Environment::new(keys, jobs, clock.clone(), random.clone())
        .with_mailer(mailer)
        .with_installation(installation);
    environment.look_at_keys(&store);
    let api = Api::new(settings, store.clone(), key, clock, random);
    api.set_environment(environment.clone());
    let threads = available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let server = serve(api.clone(), listener, threads, environment.settings.drain).map_err(ServerError::Io)?;
    let handle = server.handle();
    let serving = tokio::spawn(server);
    tracing::info!(action = %Action::ServiceStarted, address = %args.listen_addr, "listening on http://{}", args.listen_addr);

    let parts = Parts {
        store: store.clone(),
        environment,
        with_scheduler: args.with_scheduler,
        checkpoints: args.engine.worker.fault.checkpoints(),
    };
    let working = tokio::spawn(parts.work(api.clone(), stop.clone()));
    wait_for(stop).await;
    tracing::info!(action = %Action::ServiceStopping, "stopping");
    api.close_streams();
    handle.stop(true).await;
    serving
        .await
        .map_err(std::io::Error::other)
        .and_then(|result| result)
        .map_err(ServerError::Io)?;
    working
        .await
        .map_err(std::io::Error::other)
        .map_err(ServerError::Io)??;
    store.close().await.map_err(PipelineError::from)?;
    tracing::info!(action = %Action::ServiceStopped, "stopped");
    Ok(())
}

fn listen(args: &Args) -> Result<TcpListener, ServerError> {
    let address = args.listen_addr;
    TcpListener::bind(address).map_err(|source| ServerError::Listen { address, source })
}

async fn keyring(args: &Args) -> Result<Keyring, ServerError> {
    let keys = args.engine.keys.clone();
    let keys = tokio::task::spawn_blocking(move || keys.keyring());
    Ok(keys
        .await
        .map_err(|error| PipelineError::failed("the keys could not be derived", "").because(error))??)
}

/// What an engine needs beside the storage.
struct Parts {
    store: Store,
    environment: Environment,
    with_scheduler: bool,
    checkpoints: Checkpoints,
}

impl Parts {
    /// Runs jobs until told to stop, from when on the storage's settings can work.
    async fn work(self, api: Arc<Api>, stop: watch::Receiver<bool>) -> Result<(), ServerError> {
        let settings = &self.environment.settings;
        let storage = tokio::select! {
            storage = storage::open(&settings.storage, &self.store, settings.workers > 0) => storage,
            () = wait_for(stop.clone()) => return Ok(()),
        };
        let engine = Engine::on(self.store, storage, self.environment).with_checkpoints(self.checkpoints);
        api.set_engine(engine.clone());
        let worker = Worker::new(engine.clone())?;
        if self.with_scheduler {
            let scheduler = Scheduler::new(engine, &worker);
            tokio::join!(worker.run(stop.clone()), scheduler.run(stop));
        } else {
            worker.run(stop).await;
        }
        Ok(())
    }
}

async fn wait_for(mut stop: watch::Receiver<bool>) {
    // A sender that is gone cannot tell to stop any more.
    let _ = stop.wait_for(|stop| *stop).await;
}
