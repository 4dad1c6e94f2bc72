//! The operator's command line: works against storage alone, with no catalog and no server.
//!
//! Data goes to stdout, messages to stderr. Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 integrity failure,
//! 5 storage or database unreachable.

mod cli;
mod commands;
mod context;
mod exit;
mod output;
mod password;
mod progress;

use std::process::ExitCode;

use cli::Cli;
use exit::Failure;

fn main() -> ExitCode {
    let cli = Cli::read();
    let result = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let result = runtime.block_on(commands::run(cli));
            // Threads that still wait for a transfer must not hold up the end.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::failed(format!(
            "the program's threads cannot be started: {error}"
        ))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::message(&failure.to_string());
            failure.code()
        }
    }
}
