//! `cargo xtask bench`: speed and memory, ours beside the peers.

mod api;
mod backup;
mod catalog;
mod chain;
mod contest;
mod data;
mod download;
mod incremental;
mod load;
mod measure;
mod ours;
mod peers;
mod restore;
mod scheduler;
mod served;
mod table;
mod workers;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::thread::available_parallelism;

use backup_tests::tools;
use clap::builder::PossibleValuesParser;

use crate::setup::{self, Installed};

/// Something that can be measured. To add one, write its module and name it here.
struct Scenario {
    name: &'static str,
    run: fn(&Args, &Installed) -> io::Result<()>,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "backup",
        run: backup::run,
    },
    Scenario {
        name: "restore",
        run: restore::run,
    },
    Scenario {
        name: "catalog",
        run: catalog::run,
    },
    Scenario {
        name: "api",
        run: api::run,
    },
    Scenario {
        name: "download",
        run: download::run,
    },
    Scenario {
        name: "incremental",
        run: incremental::run,
    },
    Scenario {
        name: "chain",
        run: chain::run,
    },
    Scenario {
        name: "scheduler",
        run: scheduler::run,
    },
    Scenario {
        name: "workers",
        run: workers::run,
    },
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure: `backup`, a whole backup beside the peers; `restore`, of the database, the files, and one file of
    /// 10 GB; `catalog`, lists with a million backups; `api`, the same over HTTP; `download`, of 5 GB; `incremental`,
    /// backups that build on others; `chain`, the restore of fifty of them; `scheduler`, with a hundred thousand schedules; `workers`, up to eight of them on one
    /// catalog. Default: all
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name)))]
    names: Vec<String>,

    /// Size of the data; 1 is about 1.5 GB of database and 1.5 GB of files
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    scale: f64,

    /// How often each is measured; medians are shown
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Measure only those whose name contains this, and the floor
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Where the data is kept for the next time [default: target/bench]
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

impl Args {
    /// The folder for data that is kept, and for what a contestant writes.
    fn keep(&self) -> io::Result<PathBuf> {
        let folder = match &self.keep {
            Some(folder) => std::path::absolute(folder)?,
            None => tools::workspace().join("target/bench"),
        };
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Measures what was asked for and prints the tables.
pub(crate) fn run(args: &Args) -> io::Result<()> {
    let installed = setup::run()?;
    println!("machine: {}", machine(&installed));
    for scenario in SCENARIOS {
        if args.names.is_empty() || args.names.iter().any(|name| name == scenario.name) {
            println!("\n== {}", scenario.name);
            (scenario.run)(args, &installed)?;
        }
    }
    Ok(())
}

/// What the figures depend on, in a line.
fn machine(installed: &Installed) -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let postgres = tools::run(Command::new(installed.postgres.join("postgres")).arg("--version"))
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{} cores, {}, {postgres}; load at the start {}",
        available_parallelism().map_or(1, usize::from),
        system.unwrap_or("unknown system").trim_matches('"'),
        load.split(' ').next().unwrap_or("unknown"),
    )
}
