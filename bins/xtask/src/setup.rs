//! Installs what a fresh machine lacks.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use backup_tests::tools;

use crate::failed;

/// Where the installed programs are.
pub(crate) struct Installed {
    /// PostgreSQL's `pg_dump` and so on.
    pub(crate) postgres: PathBuf,
}

/// Finds or installs all that the tests need: what [`programs`] does, and Azurite.
pub(crate) fn run() -> io::Result<Installed> {
    let installed = programs()?;
    tools::azurite::install()?;
    Ok(installed)
}

/// Finds or installs what the build and the programs need: Perl, make, a C compiler, and PostgreSQL.
pub(crate) fn programs() -> io::Result<Installed> {
    build_tools()?;
    let postgres = tools::postgres::install()?;
    Ok(Installed { postgres })
}

fn build_tools() -> io::Result<()> {
    let mut packages = Vec::new();
    for (program, package) in [("make", "make"), ("cc", "gcc")] {
        if tools::find_on_path(program).is_none() {
            packages.push(package);
        }
    }
    // The build of OpenSSL needs more of Perl than the base system has.
    let mut perl = Command::new("perl");
    perl.args(["-MFindBin", "-MIPC::Cmd", "-MTime::Piece", "-e1"]);
    if !perl.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        packages.push("perl");
    }
    match packages.as_slice() {
        [] => Ok(()),
        missing if tools::is_root() => tools::apt_install(missing),
        missing => Err(failed(format!(
            "the build needs {0} (HINT: Ask root to run: apt-get install {0})",
            missing.join(" ")
        ))),
    }
}
