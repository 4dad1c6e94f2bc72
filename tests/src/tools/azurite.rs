//! Azurite, Microsoft's Azure Storage emulator, from npm.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::{find_on_path, locked, run, workspace};

/// The script that `node` runs, installed where it is missing: exactly the versions of `tests/tools/package-lock.json`.
pub fn install() -> io::Result<PathBuf> {
    if find_on_path("node").is_none() || find_on_path("npm").is_none() {
        return Err(io::Error::other(
            "node and npm are not on the PATH (HINT: Install Node.js 20 or newer.)",
        ));
    }
    let wanted = workspace().join("tests/tools");
    locked("azurite", |folder| {
        let script = folder.join("node_modules/azurite/dist/src/blob/main.js");
        let lock = fs::read(wanted.join("package-lock.json"))?;
        let installed = folder.join("installed-lock.json");
        if script.is_file() && fs::read(&installed).is_ok_and(|have| have == lock) {
            return Ok(script);
        }
        crate::note("installing Azurite");
        fs::copy(wanted.join("package.json"), folder.join("package.json"))?;
        fs::write(folder.join("package-lock.json"), &lock)?;
        run(Command::new("npm")
            .args(["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(folder))?;
        fs::write(installed, lock)?;
        Ok(script)
    })
}
