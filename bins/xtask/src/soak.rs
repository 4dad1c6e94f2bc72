//! `cargo xtask soak`: the fault and fuzz tests again and again, each round with a new seed.

use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use backup_tests::azurite::Azurite;
use backup_tests::postgres::{Options, Postgres};
use backup_tests::unique;

use crate::cargo::{self, cargo};
use crate::setup;

/// How many cases of each property test a round runs.
const CASES: &str = "2000";

/// How many requests of each kind a round makes of each operation of the API.
const REQUESTS: &str = "300";

/// What a round runs: the fault tests, which kill, cut and fill up at moments that differ each time, the property tests with
/// many more cases and a new seed, and the API against its own description likewise;
/// then some minutes of schedulers that are killed, some of random histories of backups, and ten thousand jobs of eight
/// workers that are killed.
const CAMPAIGNS: &[&[&str]] = &[
    &["--test", "crash", "--test", "faults"],
    &["--test", "it", "--", "crash::", "interrupted::"],
    &["--test", "chains"],
    &["any_"],
    &["--test", "api", "schemathesis"],
    &["--test", "schedulers"],
    &["--test", "histories"],
    &["--test", "workers"],
];

/// How many minutes of each round schedulers are killed for.
const SCHEDULER_MINUTES: &str = "3";

/// How many minutes of each round random histories take, and of how many steps they are.
const HISTORY_MINUTES: &str = "5";
const HISTORY_STEPS: &str = "60";
/// How many jobs a round has, and how many worker processes do them.
const JOBS: &str = "10000";
const WORKERS: &str = "8";

/// Runs rounds until `minutes` have passed. A failure ends it and shows the seed that brings it back, which
/// `BACKUP_SOAK_SEED` takes.
pub(crate) fn run(minutes: u64) -> io::Result<()> {
    let installed = setup::run()?;
    // All at once, as the tests are: apart, the dependencies' features differ, and all would be built twice.
    cargo::run(&mut cargo(&["build", "--workspace", "--all-targets", "--locked"]))?;
    let programs = cargo::programs()?;
    let end = Instant::now() + Duration::from_mins(minutes);
    let mut round = 0;
    while round == 0 || Instant::now() < end {
        round += 1;
        let seed = std::env::var("BACKUP_SOAK_SEED").unwrap_or_else(|_| unique());
        println!("== round {round}, BACKUP_SOAK_SEED={seed}");
        let number = u64::from_str_radix(&seed, 16).unwrap_or(round);
        let postgres = Postgres::start_with(Options::default())?;
        let azurite = Azurite::try_start()?;
        for campaign in CAMPAIGNS {
            let mut command = cargo(&[&["test", "--workspace", "--locked", "--quiet"], *campaign].concat());
            command
                .env("PROPTEST_CASES", CASES)
                .env("PROPTEST_RNG_SEED", number.to_string())
                .env("BACKUP_SCHEMATHESIS_EXAMPLES", REQUESTS)
                .env("BACKUP_SCHEMATHESIS_SEED", number.to_string())
                .env("BACKUP_SCHEDULER_MINUTES", SCHEDULER_MINUTES)
                .env("BACKUP_HISTORY_MINUTES", HISTORY_MINUTES)
                .env("BACKUP_HISTORY_STEPS", HISTORY_STEPS)
                .env("BACKUP_SOAK_SEED", &seed)
                .env("BACKUP_SOAK_JOBS", JOBS)
                .env("BACKUP_SOAK_WORKERS", WORKERS)
                .env("BACKUP_TEST_POSTGRES", postgres.address())
                .env("BACKUP_TEST_AZURITE", azurite.port().to_string())
                .env("BACKUP_PG_BIN", &installed.postgres)
                .env("BACKUP_BIN_DIR", &programs)
                .stdin(Stdio::null());
            cargo::run(&mut command)?;
        }
    }
    println!("soak: {round} rounds, no failure");
    Ok(())
}
