//! The Debian packages, by cargo-deb and what each program's Cargo.toml says of it.

use std::io;
use std::process::Command;

use backup_tests::tools;

use super::package::{PROGRAMS, Place};
use crate::cargo;

/// Makes them of the programs as they are built.
pub(super) fn packages(place: &Place) -> io::Result<()> {
    let program = tools::cargo_deb::install()?;
    for name in PROGRAMS {
        let mut deb = Command::new(&program);
        deb.args(["--no-build", "--locked", "--strip", "--package", name, "--output"])
            .arg(&place.folder)
            .current_dir(tools::workspace());
        cargo::run(&mut deb)?;
    }
    Ok(())
}
