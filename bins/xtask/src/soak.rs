//! `cargo xtask soak`: the fault and fuzz tests again and again, each round with a new seed.

use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use backup_tests::azurite::Azurite;
use backup_tests::postgres::{Options, Postgres};
use backup_tests::unique;

use crate::cargo::{self, cargo};
use crate::setup;

/// How many times the cases of a bounded property test a round runs (`BACKUP_SOAK`, and proptest's own `PROPTEST_CASES`).
const CASES: &str = "2000";

/// Runs rounds until `minutes` have passed. A failure ends it and shows the seed that brings it back.
///
/// Which tests belong to it: those that are `#[ignore]`d with a reason that begins with `soak`, and the property tests
/// called `any_…`. Both read their seed from `BACKUP_SOAK_SEED`, where it is set.
pub(crate) fn run(minutes: u64) -> io::Result<()> {
    let installed = setup::run()?;
    let programs = cargo::build_programs(false)?;
    let end = Instant::now() + Duration::from_mins(minutes);
    let mut round = 0;
    while round == 0 || Instant::now() < end {
        round += 1;
        let seed = std::env::var("BACKUP_SOAK_SEED").unwrap_or_else(|_| unique());
        println!("== round {round}, BACKUP_SOAK_SEED={seed}");
        let postgres = Postgres::start_with(Options::default())?;
        let azurite = Azurite::try_start()?;
        for filter in [&["soak", "--", "--include-ignored"][..], &["any_"]] {
            let mut command = cargo(&[&["test", "--workspace", "--locked", "--quiet"], filter].concat());
            command
                .env("BACKUP_SOAK_SEED", &seed)
                .env("PROPTEST_CASES", CASES)
                .env(
                    "PROPTEST_RNG_SEED",
                    u64::from_str_radix(&seed, 16).unwrap_or(round).to_string(),
                )
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
