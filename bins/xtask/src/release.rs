//! `cargo xtask release VERSION`: looked through, planned, then done; and `cargo xtask package`, its second half.

mod changelog;
mod debian;
mod inventory;
mod licences;
mod package;
mod plan;
mod sbom;
mod version;

use std::io;
use std::path::Path;
use std::process::Command;

use backup_tests::{releases, tools};

use crate::failed;
use package::Place;
use plan::Plan;

/// What is released, and whether it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version, such as 1.2.3
    version: String,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Makes a release of the present commit: sets the version everywhere, builds, and packs. It commits and pushes nothing.
/// Broken off, it is run again after `git restore .`.
pub(crate) fn run(args: &Args) -> io::Result<()> {
    let root = tools::workspace();
    refuse_changes(root)?;
    let today = text(Command::new("date").args(["--utc", "+%F"]))?;
    let plan = Plan::new(root, &args.version, &today)?;
    println!("{plan}");
    if args.dry_run {
        return Ok(());
    }
    plan.execute(root)
}

/// Packs the present version as it stands, committed or not.
pub(crate) fn package() -> io::Result<()> {
    let manifest = std::fs::read_to_string(tools::workspace().join("Cargo.toml"))?;
    let place = Place::new(&version::of_workspace(&manifest)?)?;
    for step in package::STEPS {
        println!("== {}", step.name);
        (step.run)(&place)?;
    }
    println!("{}", place.folder.display());
    Ok(())
}

/// Makes what a release leaves for later ones to open.
pub(crate) fn fixture(version: &str) -> io::Result<()> {
    println!("{}", releases::make(version)?.display());
    Ok(())
}

fn refuse_changes(root: &Path) -> io::Result<()> {
    let changed = text(Command::new("git").args(["status", "--porcelain"]).current_dir(root))?;
    if changed.is_empty() {
        return Ok(());
    }
    Err(failed(format!(
        "there are changes that are not committed (HINT: Commit them, or take them back by git restore.)\n{changed}"
    )))
}

/// What a command prints, without the end of its last line.
fn text(command: &mut Command) -> io::Result<String> {
    let output = tools::run(command)?;
    let text = String::from_utf8(output.stdout).map_err(io::Error::other)?;
    Ok(text.trim_end().to_owned())
}
