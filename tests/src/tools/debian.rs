//! Debian's packages without root: fetched with package lists of our own, and unpacked.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{find_on_path, is_root, locked, run};

/// A program of the Debian package of the same name: the one on the `PATH`, else installed by root, unpacked by anybody
/// else.
pub fn program(name: &'static str) -> io::Result<PathBuf> {
    if let Some(found) = find_on_path(name) {
        return Ok(found);
    }
    locked(name, |folder| {
        let script = folder.join(name);
        if script.is_file() {
            return Ok(script);
        }
        crate::note(format!("installing {name}"));
        if is_root() {
            super::apt_install(&[name])?;
            return find_on_path(name)
                .ok_or_else(|| io::Error::other(format!("{name} is not there after its installation")));
        }
        let root = unpack(&[name], folder)?;
        wrap(&root.join("usr/bin").join(name), &root, &script)?;
        Ok(script)
    })
}

/// Fetches these packages, and those they need that the system lacks, and unpacks them into a folder below `folder`,
/// which it names.
pub(super) fn unpack(packages: &[&str], folder: &Path) -> io::Result<PathBuf> {
    let (lists, state, archives, root) = (
        folder.join("lists"),
        folder.join("state"),
        folder.join("archives"),
        folder.join("root"),
    );
    for dir in [&lists, &state, &archives, &root] {
        fs::create_dir_all(dir.join("partial"))?;
    }
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        for (option, value) in [
            ("Dir::State", state.as_path()),
            ("Dir::State::lists", &lists),
            ("Dir::Cache", folder),
            ("Dir::Cache::archives", &archives),
        ] {
            command.arg("-o").arg(format!("{option}={}", value.display()));
        }
        command
            .args([
                "-o",
                "Dir::State::status=/var/lib/dpkg/status",
                "-o",
                "Debug::NoLocking=true",
            ])
            .args(["-o", "APT::Sandbox::User=", "-qq", "-y"])
            .args(args);
        run(&mut command)
    };
    apt(&["update"])?;
    let install = ["--no-install-recommends", "--download-only", "install"];
    apt(&[install.as_slice(), packages].concat())?;
    for archive in fs::read_dir(&archives)? {
        let archive = archive?.path();
        if archive.extension().is_some_and(|end| end == "deb") {
            run(Command::new("dpkg-deb").arg("-x").arg(archive).arg(&root))?;
        }
    }
    Ok(root)
}

/// Writes a script that runs an unpacked program with the libraries that were unpacked with it.
pub(super) fn wrap(program: &Path, root: &Path, script: &Path) -> io::Result<()> {
    if let Some(folder) = script.parent() {
        fs::create_dir_all(folder)?;
    }
    let libraries: Vec<String> = fs::read_dir(root.join("usr/lib"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with("-linux-gnu"))
        .map(|path| path.display().to_string())
        .collect();
    let text = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n",
        libraries.join(":"),
        program.display()
    );
    fs::write(script, text)?;
    fs::set_permissions(script, fs::Permissions::from_mode(0o755))
}
