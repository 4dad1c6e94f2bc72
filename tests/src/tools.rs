//! The programs that tests need and a fresh machine lacks: found, or installed once.

pub mod aiosmtpd;
pub mod azurite;
pub mod cargo_deb;
pub mod chromium;
pub mod croniter;
pub mod debian;
pub mod deny;
pub mod npm;
pub mod postgres;
mod python;
pub mod schemathesis;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in the workspace")
}

/// Where installed programs are kept: `$BACKUP_TOOLS_DIR`, else `target/tools`.
pub fn cache() -> PathBuf {
    std::env::var_os("BACKUP_TOOLS_DIR").map_or_else(|| workspace().join("target/tools"), PathBuf::from)
}

/// Whether this process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The full path of a program on the `PATH`.
pub fn find_on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Runs a command to its end. A failure is an error that holds the command and what it said.
pub fn run(command: &mut Command) -> io::Result<Output> {
    let shown = format!("{command:?}");
    let output = command
        .output()
        .map_err(|e| io::Error::new(e.kind(), format!("cannot run {shown}: {e}")))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = if said.trim().is_empty() {
        String::from_utf8_lossy(&output.stdout)
    } else {
        said
    };
    Err(io::Error::other(format!("{shown}: {}: {}", output.status, said.trim())))
}

/// Something mounted, until this is dropped.
#[derive(Debug)]
pub struct Mounted(PathBuf);

impl Mounted {
    /// Mounts at `point` by `mount`'s own options; only root can, and not everywhere.
    pub fn at(point: &Path, options: &[&str]) -> io::Result<Self> {
        run(Command::new("mount").args(options).arg(point))?;
        Ok(Self(point.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _stays_mounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Installs Debian packages into the system; only root can.
pub fn apt_install(packages: &[&str]) -> io::Result<()> {
    let apt = |args: &[&str]| {
        run(Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-qq"])?;
    apt(&[&["install", "-y", "-qq", "--no-install-recommends"], packages].concat())?;
    Ok(())
}

/// Installs under a lock, so that of several processes one does it and the others find it done.
fn locked<T>(name: &str, install: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let folder = cache().join(name);
    fs::create_dir_all(&folder)?;
    let lock = File::create(cache().join(format!("{name}.lock")))?;
    lock.lock()?;
    install(&folder)
}
