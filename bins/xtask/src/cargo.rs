//! Runs cargo from within a program that cargo runs.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use backup_tests::tools;

use crate::failed;

/// A cargo command in the workspace, without what `cargo run` added to our environment: some build scripts would take it
/// for a change and build again.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|start| text.starts_with(start))
        {
            command.env_remove(name);
        }
    }
    command.args(args).current_dir(tools::workspace());
    command
}

/// Runs it, its output going to ours.
pub(crate) fn run(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    Err(failed(format!("cargo {}: {status}", args.join(" "))))
}

/// The folder of the programs that were built as this one was.
pub(crate) fn programs() -> io::Result<PathBuf> {
    let ours = std::env::current_exe()?;
    let folder = ours.parent();
    folder
        .map(Path::to_owned)
        .ok_or_else(|| failed("this program stands in no folder"))
}

/// Builds these programs and says in which folder they are. With the features that the whole workspace gives the
/// dependencies: apart, they would differ, and all would be built once more.
pub(crate) fn build_programs(names: &[&str], release: bool) -> io::Result<PathBuf> {
    build(names, &[], release)
}

/// The same for an example, and says where it is.
pub(crate) fn build_example(name: &str) -> io::Result<PathBuf> {
    Ok(build(&[], &[name], true)?.join("examples").join(name))
}

fn build(programs: &[&str], examples: &[&str], release: bool) -> io::Result<PathBuf> {
    let mut command = cargo(&["build", "--locked", "--workspace"]);
    for (kind, names) in [("--bin", programs), ("--example", examples)] {
        for name in names {
            command.args([kind, name]);
        }
    }
    if release {
        command.arg("--release");
    }
    run(&mut command)?;
    let profile = self::programs()?;
    if release {
        Ok(profile.parent().unwrap_or(Path::new("/")).join("release"))
    } else {
        Ok(profile)
    }
}
