//! Our programs as processes of their own: started, watched, killed, measured.

mod measure;
mod running;

pub use measure::{Usage, Watched, cpu_time};
pub use running::{Finished, Running, http_status};

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// One of our programs with its arguments and environment. Nothing of the test's own environment reaches it but `PATH`,
/// `HOME` and what the tools need; its temporary folder is its own, so that a test can see that it stays empty.
#[derive(Debug)]
pub struct Program {
    command: Command,
    folder: TempDir,
}

impl Program {
    /// The program of this name (`backupctl`, `api-server`, `scheduler`), as it was built last.
    pub fn new(name: &str) -> Self {
        Self::at(&built(name))
    }

    /// Any program.
    pub fn at(path: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("backup-run-")
            .tempdir()
            .expect("a temporary folder");
        let temp = folder.path().join("tmp");
        std::fs::create_dir(&temp).expect("a temporary folder");
        let mut command = Command::new(path);
        command.env_clear().env("TMPDIR", temp).current_dir(folder.path());
        for name in ["PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        Self { command, folder }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it. Its output is collected in files; see [`Running`].
    pub fn spawn(mut self) -> Running {
        let log = |name: &str| File::create(self.folder.path().join(name)).expect("a file for the output");
        self.command
            .stdin(Stdio::null())
            .stdout(log("stdout"))
            .stderr(log("stderr"));
        let shown = format!("{}", self.command.get_program().display());
        let child = self
            .command
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {shown}: {e}"));
        Running::new(shown, child, self.folder)
    }

    /// Runs it to its end.
    pub fn run(self) -> Finished {
        self.spawn().wait()
    }
}

/// Where a program of ours was built: `$BACKUP_BIN_DIR`, else beside the test programs.
pub fn built(name: &str) -> PathBuf {
    let folder = std::env::var_os("BACKUP_BIN_DIR").map_or_else(
        || {
            let this = std::env::current_exe().expect("the path of this program");
            let folder = this.parent().expect("its folder");
            if folder.ends_with("deps") {
                folder.join("..")
            } else {
                folder.to_owned()
            }
        },
        PathBuf::from,
    );
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is not there: build it first (cargo build --bins)",
        path.display()
    );
    path.canonicalize().expect("the path of a program")
}
