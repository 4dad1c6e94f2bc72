//! Programs from PyPI, each in an environment of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{find_on_path, is_root, locked, run, workspace};

/// The folder of an environment with exactly what `tests/tools/NAME.txt` lists, hashes included; made where it is missing or
/// of another list.
pub(super) fn environment(name: &str) -> io::Result<PathBuf> {
    let wanted = workspace().join("tests/tools").join(format!("{name}.txt"));
    locked(name, |folder| {
        let list = fs::read(&wanted)?;
        let installed = folder.join("installed.txt");
        if fs::read(&installed).is_ok_and(|have| have == list) {
            return Ok(folder.to_owned());
        }
        crate::note(format_args!("installing {name}"));
        let mut pip = make(folder)?;
        pip.args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
        ]);
        run(pip.arg("-r").arg(&wanted))?;
        fs::write(installed, list)?;
        Ok(folder.to_owned())
    })
}

/// Makes an environment in `folder`; returns its pip. Debian ships Python without it: root installs the package that brings it,
/// anybody else unpacks it.
fn make(folder: &Path) -> io::Result<Command> {
    if !has_pip() && is_root() {
        super::apt_install(&["python3-venv"])?;
    }
    if find_on_path("python3").is_none() {
        return Err(io::Error::other(
            "python3 is not on the PATH (HINT: Install Python 3.11 or newer.)",
        ));
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(folder);
    let mut pip = Command::new(folder.join("bin/python"));
    if !has_pip() {
        venv.arg("--without-pip");
        let root = super::debian::unpack(&["python3-pip-whl"], &folder.join("debian"))?;
        let wheels = fs::read_dir(root.join("usr/share/python-wheels"))?.flatten();
        let wheel = wheels
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().contains("/pip-"))
            .ok_or_else(|| io::Error::other("pip is not in its package"))?;
        pip.env("PYTHONPATH", wheel);
    }
    run(&mut venv)?;
    pip.args(["-m", "pip"]);
    Ok(pip)
}

/// Whether a new environment gets its pip.
fn has_pip() -> bool {
    let probe = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .stderr(Stdio::null())
        .status();
    probe.is_ok_and(|status| status.success())
}
