//! What a scratch server is made with: programs, and the user that runs them.

use std::fs;
use std::path::{Path, PathBuf};

use backup_core::JobControl;

use crate::Error;
use crate::database::server::version_of;

/// What a server needs.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];
/// What talks to it.
const CLIENTS: [&str; 3] = ["pg_dump", "pg_restore", "psql"];
/// Where Debian keeps the programs of each version in a folder of its own.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs of a server.
pub(super) struct Found {
    pub(super) programs: PathBuf,
    pub(super) major: u32,
}

/// A user of the system.
#[derive(Debug, Clone, Copy)]
pub(super) struct User {
    pub(super) id: u32,
    pub(super) group: u32,
}

/// The server's programs of version `major` or newer: the oldest of those, which is the most like the original.
pub(super) fn server(programs: Option<&Path>, major: u32, job: &JobControl) -> Result<Found, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let of_debian = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let folders = (programs.map(Path::to_owned).into_iter())
        .chain(of_path)
        .chain(of_debian.map(|version| version.path().join("bin")));
    let mut best: Option<Found> = None;
    for folder in folders.filter(|folder| has(folder, &PROGRAMS)) {
        let Ok(found) = version(Some(&folder), "postgres", job) else {
            job.check()?;
            continue;
        };
        if found >= major && best.as_ref().is_none_or(|best| found < best.major) {
            best = Some(Found {
                programs: folder,
                major: found,
            });
        }
    }
    best.ok_or_else(|| {
        Error::refused(
            format!("no PostgreSQL server of version {major} or newer is installed here to try the restore in"),
            format!("Install one (Debian: postgresql-{major}), or name a server for drills."),
        )
    })
}

impl Found {
    /// The folder of the programs that talk to this server: those that make the backups, where they are new enough for it,
    /// since they also read their own dumps; else the server's own.
    pub(super) fn clients(&self, programs: Option<&Path>, job: &JobControl) -> Option<PathBuf> {
        let is_fit = version(programs, "pg_dump", job).is_ok_and(|major| major >= self.major);
        if is_fit || !has(&self.programs, &CLIENTS) {
            programs.map(Path::to_owned)
        } else {
            Some(self.programs.clone())
        }
    }
}

fn has(folder: &Path, programs: &[&str]) -> bool {
    programs.iter().all(|program| folder.join(program).is_file())
}

fn version(programs: Option<&Path>, name: &'static str, job: &JobControl) -> Result<u32, Error> {
    version_of(programs, name, job).map(|(_, major)| major)
}

/// The user that the server runs as; `None`: ours.
pub(super) fn user() -> Result<Option<User>, Error> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = ["postgres", "nobody"].iter().find_map(|wanted| {
        let fields = known.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let line = fields.into_iter().find(|fields| fields.first() == Some(wanted))?;
        Some(User {
            id: line.get(2)?.parse().ok()?,
            group: line.get(3)?.parse().ok()?,
        })
    });
    user.map(Some).ok_or_else(|| {
        Error::refused(
            "PostgreSQL refuses to run as root, and the system has neither a user postgres nor nobody",
            "Make a user postgres, or name a server for drills.",
        )
    })
}
