//! The files of a release, made of programs that are built: each step is run again without harm.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use backup_tests::tools;

use super::inventory;
use super::version::Version;
use super::{debian, licences, sbom, text};
use crate::cargo::{self, cargo};
use crate::failed;

/// What is released.
pub(super) const PROGRAMS: [&str; 3] = ["api-server", "scheduler", "backupctl"];

/// Shells, and how the file is called by which each finds completions.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "backupctl.bash"),
    ("zsh", "_backupctl"),
    ("fish", "backupctl.fish"),
];

/// Where the files of a release come from and go to.
pub(super) struct Place {
    pub(super) version: Version,
    /// `target/release`: the programs as they are built.
    pub(super) programs: PathBuf,
    /// `target/release/extra`: what `backupctl` prints about itself, and the licences; the packages take it from there.
    pub(super) extra: PathBuf,
    /// `target/release-VERSION`.
    pub(super) folder: PathBuf,
}

impl Place {
    pub(super) fn new(version: &Version) -> io::Result<Self> {
        let ours = cargo::programs()?;
        let target = ours.parent().ok_or_else(|| failed("there is no target folder"))?;
        Ok(Self {
            version: *version,
            programs: target.join("release"),
            extra: target.join("release/extra"),
            folder: target.join(format!("release-{version}")),
        })
    }

    /// `backup-VERSION-x86_64-linux`.
    fn name(&self) -> String {
        format!("backup-{}-{}-linux", self.version, std::env::consts::ARCH)
    }
}

/// One thing that is done.
pub(super) struct Step {
    pub(super) name: &'static str,
    /// What it makes, for people.
    pub(super) what: &'static str,
    pub(super) run: fn(&Place) -> io::Result<()>,
}

/// In this order.
pub(super) const STEPS: [Step; 6] = [
    Step {
        name: "build",
        what: "api-server, scheduler and backupctl, with the console and OpenTelemetry",
        run: build,
    },
    Step {
        name: "describe",
        what: "manual pages, and completions for bash, zsh and fish",
        run: describe,
    },
    Step {
        name: "components",
        what: "THIRD-PARTY.txt (licences) and sbom.cdx.json (CycloneDX) of all crates and npm packages",
        run: components,
    },
    Step {
        name: "tarball",
        what: "backup-VERSION-ARCHITECTURE-linux.tar.gz",
        run: tarball,
    },
    Step {
        name: "packages",
        what: "backupctl, backup-api-server and backup-scheduler as .deb",
        run: debian::packages,
    },
    Step {
        name: "checksums",
        what: "SHA256SUMS",
        run: checksums,
    },
];

fn build(place: &Place) -> io::Result<()> {
    let mut build = cargo(&["build", "--release", "--locked", "--workspace"]);
    for program in PROGRAMS {
        build.args(["--bin", program]);
    }
    cargo::run(&mut build)?;
    if place.folder.exists() {
        fs::remove_dir_all(&place.folder)?;
    }
    fs::create_dir_all(&place.folder)
}

fn describe(place: &Place) -> io::Result<()> {
    let backupctl = place.programs.join("backupctl");
    let pages = place.extra.join("man");
    if pages.exists() {
        fs::remove_dir_all(&pages)?;
    }
    tools::run(Command::new(&backupctl).args(["man", "--output"]).arg(&pages))?;
    for (shell, file) in SHELLS {
        let script = tools::run(Command::new(&backupctl).args(["completions", shell]))?;
        fs::write(place.extra.join(file), script.stdout)?;
    }
    Ok(())
}

fn components(place: &Place) -> io::Result<()> {
    let all = inventory::of_programs()?;
    let licences = licences::file(&all)?;
    fs::write(place.extra.join("THIRD-PARTY.txt"), &licences)?;
    fs::write(place.folder.join("THIRD-PARTY.txt"), licences)?;
    let time = git(&["log", "-1", "--format=%cd", "--date=format-local:%FT%TZ"])?;
    let document = sbom::document(place.version, &time, &all);
    fs::write(place.folder.join("sbom.cdx.json"), format!("{document:#}\n"))
}

/// The same commit gives the same file: names in order, owners and times set.
fn tarball(place: &Place) -> io::Result<()> {
    let scratch = tempfile::tempdir()?;
    let name = place.name();
    let root = scratch.path().join(&name);
    for program in PROGRAMS {
        let copy = root.join("bin").join(program);
        install(&place.programs.join(program), &copy, 0o755)?;
        tools::run(Command::new("strip").arg("--strip-unneeded").arg(&copy))?;
    }
    let of_ours = tools::workspace();
    for file in ["LICENSE", "README.md", "README.zh-TW.md", "CHANGELOG.md"] {
        install(&of_ours.join(file), &root.join(file), 0o644)?;
    }
    install(
        &place.extra.join("THIRD-PARTY.txt"),
        &root.join("THIRD-PARTY.txt"),
        0o644,
    )?;
    for (from, to) in [
        ("packaging/debian/backup.env", "etc/backup.env"),
        ("packaging/debian/backup.sysusers", "lib/sysusers.d/backup.conf"),
        ("packaging/debian/backup.tmpfiles", "lib/tmpfiles.d/backup.conf"),
        (
            "packaging/debian/backup-api-server.service",
            "lib/systemd/system/backup-api-server.service",
        ),
        (
            "packaging/debian/backup-scheduler.service",
            "lib/systemd/system/backup-scheduler.service",
        ),
        (
            "packaging/debian/examples/as-the-application.conf",
            "share/doc/examples/as-the-application.conf",
        ),
        (
            "packaging/debian/examples/files-of-others.conf",
            "share/doc/examples/files-of-others.conf",
        ),
        (
            "packaging/debian/examples/storage-elsewhere.conf",
            "share/doc/examples/storage-elsewhere.conf",
        ),
        (
            "packaging/prometheus/backup.rules.yml",
            "share/doc/prometheus/backup.rules.yml",
        ),
        (
            "packaging/prometheus/backup.dashboard.json",
            "share/doc/prometheus/backup.dashboard.json",
        ),
        ("docs/operations.md", "share/doc/operations.md"),
        ("docs/recovery.md", "share/doc/recovery.md"),
        ("docs/archive-format.md", "share/doc/archive-format.md"),
    ] {
        install(&of_ours.join(from), &root.join(to), 0o644)?;
    }
    for page in fs::read_dir(place.extra.join("man"))? {
        let page = page?;
        install(&page.path(), &root.join("share/man/man1").join(page.file_name()), 0o644)?;
    }
    for (_, file) in SHELLS {
        install(
            &place.extra.join(file),
            &root.join("share/completions").join(file),
            0o644,
        )?;
    }
    let time = git(&["log", "-1", "--format=%ct"])?;
    let plain = scratch.path().join("plain.tar");
    let mut tar = Command::new("tar");
    tar.args([
        "--create",
        "--format=ustar",
        "--sort=name",
        "--owner=root:0",
        "--group=root:0",
        "--mode=u=rwX,go=rX",
    ])
    .arg(format!("--mtime=@{time}"))
    .arg("--file")
    .arg(&plain)
    .arg("--directory")
    .arg(scratch.path())
    .arg(&name);
    tools::run(&mut tar)?;
    tools::run(Command::new("gzip").args(["-9", "--no-name"]).arg(&plain))?;
    fs::copy(
        scratch.path().join("plain.tar.gz"),
        place.folder.join(format!("{name}.tar.gz")),
    )
    .map(drop)
}

fn checksums(place: &Place) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(&place.folder)? {
        let name = entry?.file_name();
        if name != "SHA256SUMS" {
            names.push(name);
        }
    }
    names.sort();
    let sums = text(
        Command::new("sha256sum")
            .arg("--")
            .args(names)
            .current_dir(&place.folder),
    )?;
    fs::write(place.folder.join("SHA256SUMS"), sums + "\n")
}

fn install(from: &Path, to: &Path, mode: u32) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).map_err(|error| failed(format!("{} cannot be copied: {error}", from.display())))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))
}

fn git(args: &[&str]) -> io::Result<String> {
    text(
        Command::new("git")
            .args(args)
            .env("TZ", "UTC")
            .current_dir(tools::workspace()),
    )
}
