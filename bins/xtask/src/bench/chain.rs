//! Scenario `chain`: a chain of many links restores about as fast as a full backup.

use std::io;
use std::path::Path;
use std::time::Instant;

use backup_tests::tools;

use super::Args;
use super::data::Data;
use super::incremental::{Bed, middle};
use super::table;
use crate::cargo;
use crate::failed;
use crate::setup::Installed;

/// Backups that build on the full one.
const LINKS: u32 = 50;

/// The restore of the last link in restores of a full backup of the same state.
const OF_THE_FULL: f64 = 1.5;

/// Makes a chain, a full backup of the same state, and restores both in turn.
pub(super) fn run(args: &Args, installed: &Installed) -> io::Result<()> {
    let data = Data::ready(args, installed)?;
    let programs = cargo::build_programs(&["api-server", "backupctl"], true)?;
    println!("making a chain of {LINKS}, each after a change of 1 % of the rows");
    let bed = Bed::new(&data, &programs, &args.keep()?)?;
    bed.link("FULL")?;
    let mut last = String::new();
    for round in 1..=LINKS {
        bed.change_database(1, round)?;
        last = bed.link("INCREMENTAL")?;
    }
    let full = bed.link("FULL")?;
    let (mut of_chain, mut of_full) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        of_full.push(restore(&data, &programs, &bed, &full)?);
        of_chain.push(restore(&data, &programs, &bed, &last)?);
    }
    let (chain, full) = (middle(of_chain), middle(of_full));
    println!("a restore takes {full:.1} s of the full backup and {chain:.1} s of the chain\n");
    let reached = chain / full;
    let aim = format!("a chain of {LINKS} restores within {OF_THE_FULL} of the time of a full backup");
    table::verdict(reached <= OF_THE_FULL, &aim, &format!("{reached:.2}"));
    Ok(())
}

/// Restores a backup into a database that is dropped again; seconds.
fn restore(data: &Data, programs: &Path, bed: &Bed, id: &str) -> io::Result<f64> {
    let target = data.postgres.create_database("restored");
    let begun = Instant::now();
    let storage = bed.folder.path().join("data/storage");
    let output = tools::run(
        std::process::Command::new(programs.join("backupctl"))
            .args(["restore", id, "--to-database", &target.url()])
            .env("PATH", data.path())
            .env("BACKUP_ENCRYPTION_KEY", "a long enough passphrase")
            .env("BACKUP_STORAGE_URL", format!("file://{}", storage.display())),
    )?;
    let wall = begun.elapsed().as_secs_f64();
    let rows = target.try_psql("SELECT count(*) FROM orders")?;
    let expected = bed.database.try_psql("SELECT count(*) FROM orders")?;
    if rows != expected {
        return Err(failed(format!("{rows} orders restored of {expected}: {output:?}")));
    }
    Ok(wall)
}
