//! The operator's command line: works against storage alone, with no catalog and no server.
//!
//! Data goes to stdout, messages to stderr. Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 integrity failure,
//! 5 storage or database unreachable. Where the reader of a pipe is gone, the program ends without a word.

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

/// What a shell sees of a program that SIGPIPE has ended.
const READER_GONE: u8 = 141;

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
        Err(_) if output::is_reader_gone() => ExitCode::from(READER_GONE),
        Err(failure) => {
            output::message(&failure.to_string());
            failure.code()
        }
    }
}
