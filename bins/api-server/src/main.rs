//! The server: HTTP API and console.

mod args;
mod catalog;
mod error;
mod server;
mod storage;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use backup_core::SystemClock;
use backup_engine::{Action, end_logging, init_logging};
use clap::Parser;

use args::Args;
use error::ServerError;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = init_logging(&args.log, "api-server", Arc::new(SystemClock)) {
        clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{error}\n")).exit();
    }
    let code = match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(action = %Action::ServiceStopped, "{error}");
            ExitCode::from(error.exit_code())
        }
    };
    end_logging();
    code
}

fn start(args: Args) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServerError::Io)?;
    let result = runtime.block_on(server::run(args));
    // Whatever a stopped job's threads still do must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}
