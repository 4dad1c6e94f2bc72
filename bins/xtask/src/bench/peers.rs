//! The peers: other ways to make a backup, as shell scripts in `tests/bench/peers`.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use backup_tests::azurite::Azurite;
use backup_tests::tools;

use super::contest::Work;
use super::data::Data;
use super::measure::{self, Sample, size_of};
use crate::failed;

/// A peer.
pub(super) struct Peer {
    /// What the table calls it.
    pub(super) name: &'static str,
    /// What one must know to compare it.
    pub(super) remark: &'static str,
    /// Measured in the first round alone, since it takes so long.
    pub(super) once: bool,
    /// Its script, and what the script is told.
    script: &'static str,
    argument: &'static str,
    /// The program that it needs, which is also the name of Debian's package.
    program: &'static str,
    azure: bool,
}

/// The names that the aims speak of.
pub(super) const FLOOR: &str = "floor: pg_dump -Fc -Z0, tar";
pub(super) const SPEC: &str = "the specification's pipeline to Azurite";
pub(super) const PIPE: &str = "pg_dump and tar, zstd -3 -T2, openssl";
pub(super) const RESTIC: &str = "restic (zstd)";

/// The floor first.
pub(super) const PEERS: &[Peer] = &[
    Peer::new(FLOOR, "floor", ""),
    Peer {
        once: true,
        azure: true,
        remark: "one round",
        ..Peer::new(SPEC, "spec", "node")
    },
    Peer::new(PIPE, "pipe", "zstd"),
    Peer::new(RESTIC, "restic", "restic"),
    Peer {
        argument: "zst",
        remark: "database only",
        ..Peer::new("pgBackRest, zstd, AES", "pgbackrest", "pgbackrest")
    },
    Peer {
        argument: "gz",
        remark: "database only",
        ..Peer::new("pgBackRest, gzip, AES", "pgbackrest", "pgbackrest")
    },
];

impl Peer {
    const fn new(name: &'static str, script: &'static str, program: &'static str) -> Self {
        Self {
            name,
            script,
            program,
            remark: "",
            argument: "",
            once: false,
            azure: false,
        }
    }

    /// Whether it can run here; by root, its program is installed where it is missing.
    pub(super) fn is_there(&self) -> bool {
        let found = || self.program.is_empty() || tools::find_on_path(self.program).is_some();
        found() || (tools::is_root() && tools::apt_install(&[self.program]).is_ok() && found())
    }

    /// Makes one backup.
    pub(super) fn back_up(&self, data: &Data, work: &Work) -> io::Result<Sample> {
        let azurite = self.azure.then(Azurite::try_start).transpose()?;
        let mut settings = data.environment();
        settings.extend([
            ("PGDATA", data.setting("data_directory")?),
            ("PGSOCKET", data.setting("unix_socket_directories")?),
            ("UPLOADS", data.uploads.display().to_string()),
            ("WORK", work.folder().display().to_string()),
            ("STORE", work.store().display().to_string()),
            ("TMPDIR", work.temporary().display().to_string()),
            ("PASSPHRASE", "a passphrase".to_owned()),
        ]);
        if let Some(azurite) = &azurite {
            settings.push(("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string()));
            settings.push(("NODE_PACKAGES", node_packages()?.display().to_string()));
        }
        tools::run(self.command("prepare").envs(settings.clone()))?;
        let mut command = self.command("backup");
        command.arg(self.argument).envs(settings);
        let (mut sample, said) =
            measure::run(&mut command, work).map_err(|error| failed(format!("{}: {error}", self.name)))?;
        sample.stored = if azurite.is_some() {
            said.trim().parse().map_err(io::Error::other)?
        } else {
            size_of(&work.store())
        };
        Ok(sample)
    }

    fn command(&self, step: &str) -> Command {
        let mut command = Command::new("bash");
        command
            .arg(tools::workspace().join("tests/bench/peers/run.sh"))
            .args([self.script, step]);
        command
    }
}

/// The folder with Azure's client for Node and the script that uses it.
fn node_packages() -> io::Result<PathBuf> {
    let (wanted, folder) = (tools::workspace().join("tests/bench"), tools::cache().join("bench"));
    let (lock, installed) = (
        fs::read(wanted.join("package-lock.json"))?,
        folder.join("installed-lock.json"),
    );
    fs::create_dir_all(&folder)?;
    fs::copy(wanted.join("peers/spec-pipeline.mjs"), folder.join("spec-pipeline.mjs"))?;
    if fs::read(&installed).is_ok_and(|have| have == lock) {
        return Ok(folder);
    }
    fs::copy(wanted.join("package.json"), folder.join("package.json"))?;
    fs::write(folder.join("package-lock.json"), &lock)?;
    tools::run(
        Command::new("npm")
            .args(["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder),
    )?;
    fs::write(installed, lock)?;
    Ok(folder)
}
