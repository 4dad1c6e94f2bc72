//! Development tasks: `cargo xtask demo | test | soak | bench | release`.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

mod bench;
mod cargo;
mod demo;
mod http;
mod release;
mod setup;
mod soak;
mod test;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development tasks. Each of them installs what it needs and is missing.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make, verify and restore a backup of a throw-away system, and leave it running until Ctrl-C
    Demo {
        /// End after the verified backup; 0 = good
        #[arg(long)]
        once: bool,
    },
    /// Run every check
    Test,
    /// Repeat the fault and fuzz tests with ever new seeds
    Soak {
        /// For how long
        #[arg(long, value_name = "N", default_value_t = 10)]
        minutes: u64,
    },
    /// Measure speed and memory beside the peers
    Bench(bench::Args),
    /// Make a release of the present commit; commits and pushes nothing
    Release(release::Args),
    /// Build and pack the present state as a release is: tarball, Debian packages, licences, bill of materials
    Package,
    /// Make what later releases have to open, in tests/fixtures/releases, by the programs in BACKUP_BIN_DIR
    Fixture {
        /// The version that leaves it
        version: String,
    },
    /// Install what is missing: PostgreSQL, Azurite, build tools
    Setup,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Demo { once } => demo::run(once),
        Task::Test => test::run(),
        Task::Soak { minutes } => soak::run(minutes),
        Task::Bench(args) => bench::run(&args),
        Task::Release(args) => release::run(&args),
        Task::Package => release::package(),
        Task::Fixture { version } => release::fixture(&version),
        Task::Setup => setup::run().map(drop),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// An error with this text.
fn failed(text: impl Into<String>) -> io::Error {
    io::Error::other(text.into())
}
