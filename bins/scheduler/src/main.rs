//! The scheduler: fires schedules, runs the jobs of the catalog, keeps house, and tells how it is at `METRICS_ADDR`.
//!
//! Any number of schedulers share one catalog. Each consists of services that run until the process is told to stop.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use backup_api::Probes;
use backup_core::{Clock, OsRandom, PipelineError, SystemClock};
use backup_engine::settings::{EngineArgs, LogArgs};
use backup_engine::{Action, Engine, Scheduler, StartError, Worker, end_logging, init_logging, stop_on_signal};
use clap::Parser;
use tokio::sync::watch;

/// How long a catalog that does not answer is left alone before it is tried again.
const START_PAUSE: Duration = Duration::from_secs(3);

/// Fires schedules; runs backups, restores and verifications; lets old backups go; raises alerts and delivers messages.
#[derive(Debug, Parser)]
#[command(name = "scheduler", version)]
struct Cli {
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    log: LogArgs,
    /// Address of /healthz, /readyz and /metrics
    #[arg(
        long = "metrics-addr",
        env = "METRICS_ADDR",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9464",
        help_heading = "Health"
    )]
    metrics_addr: SocketAddr,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let started = init_logging(&cli.log, "scheduler", clock.clone()).and_then(|()| cli.engine.keys.check());
    let result = started.map_err(StartError::from).and_then(|()| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| PipelineError::failed("the program's threads cannot be started", "").because(error))?;
        let result = runtime.block_on(run(cli, clock));
        // Whatever a stopped job's threads still do must not hold up the end.
        runtime.shutdown_timeout(Duration::from_secs(1));
        result
    });
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(action = %Action::ServiceStopped, "scheduler cannot run: {error}");
            ExitCode::from(match error {
                StartError::Settings(_) => 2,
                StartError::Pipeline(PipelineError::Unavailable { .. }) => 5,
                StartError::Pipeline(_) => 1,
            })
        }
    };
    end_logging();
    code
}

async fn run(cli: Cli, clock: Arc<dyn Clock>) -> Result<(), StartError> {
    let mut stop = stop_on_signal()
        .map_err(|error| PipelineError::failed("the signals cannot be listened to", "").because(error))?;
    // No wrong setting, after which the unit does not try again: what has the port now may soon be gone.
    let listener = TcpListener::bind(cli.metrics_addr).map_err(|error| {
        PipelineError::failed(
            format!("METRICS_ADDR {} cannot be listened on: {error}", cli.metrics_addr),
            "Choose an address of this machine and a free port.",
        )
    })?;
    let probes = Probes::new(Some(cli.engine.worker.quota_gb << 30));
    let served = probes
        .clone()
        .serve(listener)
        .map_err(|error| PipelineError::failed("the health server cannot be started", "").because(error))?;
    let server = served.handle();
    let serving = tokio::spawn(served);
    tracing::info!(
        action = %Action::ServiceStarted, address = %cli.metrics_addr,
        "scheduler started, health on {}", cli.metrics_addr
    );
    for warning in cli.engine.warnings() {
        tracing::warn!(action = %Action::ServiceStarted, "{warning}");
    }
    let worked = match open(&cli.engine, clock, &mut stop).await {
        Ok(Some(engine)) => work(engine, &probes, stop).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    server.stop(true).await;
    // Stopped just above; a panic inside has been logged.
    let _ = serving.await;
    worked?;
    tracing::info!(action = %Action::ServiceStopped, "scheduler stopped");
    Ok(())
}

/// Opens catalog and storage; while the catalog does not answer, again and again. `None`: told to stop before it did.
async fn open(
    args: &EngineArgs,
    clock: Arc<dyn Clock>,
    stop: &mut watch::Receiver<bool>,
) -> Result<Option<Engine>, StartError> {
    loop {
        match Engine::open(args, clock.clone(), Arc::new(OsRandom)).await {
            Ok(engine) => return Ok(Some(engine)),
            Err(StartError::Pipeline(error @ PipelineError::Unavailable { .. })) => {
                tracing::warn!(
                    action = %Action::CatalogUnavailable, error = %error.full_text(),
                    "the catalog does not answer yet"
                );
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            _ = stop.changed() => return Ok(None),
            () = tokio::time::sleep(START_PAUSE) => {}
        }
    }
}

/// Runs the services until the process is told to stop.
async fn work(engine: Engine, probes: &Probes, stop: watch::Receiver<bool>) -> Result<(), StartError> {
    probes.set_engine(engine.clone());
    engine.look_at_keys(&engine.store);
    let worker = Worker::new(engine.clone())?;
    let scheduler = Scheduler::new(engine.clone(), &worker);
    let mut told = stop.clone();
    tokio::join!(worker.run(stop.clone()), scheduler.run(stop), async move {
        // An error means that nobody can tell any more, which the worker notices too.
        let _ = told.wait_for(|stop| *stop).await;
        tracing::info!(action = %Action::ServiceStopping, "scheduler is stopping");
    });
    engine.store.close().await.map_err(PipelineError::from)?;
    Ok(())
}
