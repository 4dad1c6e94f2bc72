//! Programs from npm, installed together.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::{find_on_path, locked, run, workspace};

/// The folder that holds `node_modules`, installed where it is missing: exactly the versions of
/// `tests/tools/package-lock.json`.
pub fn install() -> io::Result<PathBuf> {
    if find_on_path("node").is_none() || find_on_path("npm").is_none() {
        return Err(io::Error::other(
            "node and npm are not on the PATH (HINT: Install Node.js 20 or newer.)",
        ));
    }
    let wanted = workspace().join("tests/tools");
    locked("npm", |folder| {
        let lock = fs::read(wanted.join("package-lock.json"))?;
        let installed = folder.join("installed-lock.json");
        if fs::read(&installed).is_ok_and(|have| have == lock) {
            return Ok(folder.to_owned());
        }
        crate::note("installing Azurite and oidc-provider");
        fs::copy(wanted.join("package.json"), folder.join("package.json"))?;
        fs::write(folder.join("package-lock.json"), &lock)?;
        run(Command::new("npm")
            .args(["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(folder))?;
        fs::write(installed, lock)?;
        Ok(folder.to_owned())
    })
}
