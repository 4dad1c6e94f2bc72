//! cargo-deb, which makes Debian packages of programs.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::{find_on_path, locked, run};

/// The one that is compiled where there is none.
const VERSION: &str = "3.8.0";

/// The program: the one on the `PATH`, else one that is compiled, which takes minutes the first time.
pub fn install() -> io::Result<PathBuf> {
    if let Some(found) = find_on_path("cargo-deb") {
        return Ok(found);
    }
    locked("cargo-deb", |folder| {
        let program = folder.join("bin/cargo-deb");
        if !program.is_file() {
            crate::note("installing cargo-deb");
            let mut install = Command::new("cargo");
            install.args(["install", "--quiet", "--locked", "--version", VERSION, "--root"]);
            run(install.arg(folder).args(["--features", "static-lzma", "cargo-deb"]))?;
        }
        Ok(program)
    })
}
