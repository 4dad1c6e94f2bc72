//! A throw-away PostgreSQL server of our own, to try restores in.
//!
//! It listens on a socket in a folder that only its user may enter, on no network, and keeps nothing: what it writes is not
//! even flushed. PostgreSQL refuses to run as root, so for root it runs as the system's user `postgres`, else `nobody`.

use std::fmt;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use backup_core::{JobControl, PipelineError, Random};

use super::{ConnectionOptions, DatabaseSettings, NamedBy};
use crate::Error;
use crate::child::Child;

mod clear;
mod find;
mod place;

use find::{Found, User};
use place::Place;

/// The server's superuser.
const SUPERUSER: &str = "postgres";
/// Only names the socket.
const PORT: u16 = 5432;
/// The most of its log that an error shows, in bytes.
const MAX_LOG: u64 = 4096;

/// Nothing here outlives a drill, so nothing is flushed; and a dump locks every table of a database at once. Shared memory
/// in files, since a container has little of the other kind. What `initdb` found to be right comes first.
const SETTINGS: &str = "include 'data/postgresql.conf'
listen_addresses = ''
unix_socket_permissions = 0700
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 1GB
shared_buffers = 64MB
maintenance_work_mem = 128MB
dynamic_shared_memory_type = mmap
max_connections = 40
max_locks_per_transaction = 2048
max_logical_replication_workers = 0
jit = off
";

/// A running server. Dropped, it ends and its folder goes. What a killed process leaves, [`Self::clear`] takes away.
pub struct ScratchServer {
    place: Place,
    major: u32,
    /// The folder of the programs that talk to it.
    programs: Option<PathBuf>,
    random: Arc<dyn Random>,
}

impl fmt::Debug for ScratchServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScratchServer")
            .field("place", &self.place)
            .field("major", &self.major)
            .field("programs", &self.programs)
            .finish_non_exhaustive()
    }
}

impl ScratchServer {
    /// Starts a server of version `major` or newer, of what is installed the oldest that will do, in `folder`, which this
    /// makes; its parent must be there, and let the user through that the server runs as. What a killed process left in
    /// `folder` is cleared first. `programs` is the folder that is looked in first, before the `PATH` and Debian's folders; `random`
    /// is for who connects to it.
    ///
    /// # Errors
    /// `Refused` where no such programs are installed, where `folder` holds something else, or where the server does not
    /// start, in its own words.
    pub fn start(
        folder: &Path,
        major: u32,
        programs: Option<&Path>,
        random: Arc<dyn Random>,
        job: &JobControl,
    ) -> Result<Self, PipelineError> {
        Ok(Self::try_start(folder, major, programs, random, job)?)
    }

    /// Ends the server that a killed process left in `folder`, and removes the folder, where there is one.
    ///
    /// # Errors
    /// `Refused` where `folder` holds something else, or cannot be removed.
    pub fn clear(folder: &Path, job: &JobControl) -> Result<(), PipelineError> {
        Ok(Place::new(folder)?.clear(job)?)
    }

    /// How to reach `database` on it, as its superuser.
    pub fn settings(&self, database: &str) -> DatabaseSettings {
        DatabaseSettings {
            host: self.place.socket.display().to_string(),
            port: PORT,
            name: database.to_owned(),
            user: Some(SUPERUSER.to_owned()),
            password: None,
            options: ConnectionOptions::default(),
            named_by: NamedBy::Settings,
            programs: self.programs.clone(),
            random: self.random.clone(),
        }
    }

    /// Its major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    fn try_start(
        folder: &Path,
        major: u32,
        programs: Option<&Path>,
        random: Arc<dyn Random>,
        job: &JobControl,
    ) -> Result<Self, Error> {
        let found = find::server(programs, major, job)?;
        let user = find::user()?;
        let place = Place::new(folder)?;
        place.clear(job)?;
        // From here on dropping it takes away what there is.
        let server = Self {
            place,
            major: found.major,
            programs: found.clients(programs, job),
            random,
        };
        server.make_folders(user)?;
        server.initialise(&found, user, job)?;
        let mut command = command(&found, "pg_ctl", user);
        command.args(["start", "--wait", "--timeout=60", "--pgdata"]);
        command.arg(server.place.data()).arg("--log").arg(server.place.log());
        // A shell reads the options, so the name of the file is told without its folder.
        command.current_dir(&server.place.folder);
        command.arg(format!("--options=-c config_file={}", place::SETTINGS));
        run("pg_ctl", command, job).map_err(|error| server.with_log(error))?;
        Ok(server)
    }

    fn make_folders(&self, user: Option<User>) -> Result<(), Error> {
        for folder in self.place.folders() {
            let made = DirBuilder::new().mode(0o700).create(folder);
            made.map_err(|error| Error::io("make the folder", folder, error))?;
        }
        self.place.mark()?;
        self.write_settings()?;
        // From here on the server's user may put links in place of anything in there: nothing more is written.
        for folder in self.place.folders() {
            if let Some(user) = user {
                chown(folder, Some(user.id), Some(user.group))
                    .map_err(|error| Error::io("give to the server's user the folder", folder, error))?;
            }
        }
        Ok(())
    }

    fn initialise(&self, found: &Found, user: Option<User>, job: &JobControl) -> Result<(), Error> {
        let data = self.place.data();
        let initdb = |locale: &str| {
            let mut command = command(found, "initdb", user);
            command.args(["--username", SUPERUSER, "--encoding=UTF8", "--auth=trust", "--no-sync"]);
            command.arg(format!("--locale={locale}")).arg("--pgdata").arg(&data);
            run("initdb", command, job)
        };
        initdb("C.UTF-8").or_else(|error| {
            // Not every system has it.
            if error.to_string().contains("invalid locale") {
                initdb("C")
            } else {
                Err(error)
            }
        })
    }

    fn write_settings(&self) -> Result<(), Error> {
        let path = self.place.folder.join(place::SETTINGS);
        let socket = self.place.socket.display().to_string().replace('\'', "''");
        let text = format!("{SETTINGS}port = {PORT}\nunix_socket_directories = '{socket}'\n");
        // The server's user reads it, whatever files of ours are like by themselves.
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o644)))
            .map_err(|error| Error::io("write", &path, error))
    }

    fn with_log(&self, error: Error) -> Error {
        let Error::Refused { message, hint } = error else {
            return error;
        };
        // Without a log its words are missing, no more.
        let log = self.place.read(&self.place.log(), MAX_LOG).unwrap_or_default();
        let lines: Vec<&str> = std::str::from_utf8(&log)
            .unwrap_or_default()
            .lines()
            .map(str::trim)
            .collect();
        Error::refused(format!("{message}; {}", lines.join("; ")), hint)
    }
}

impl Drop for ScratchServer {
    fn drop(&mut self) {
        if let Err(error) = self.place.clear(&JobControl::new(clear::PATIENCE)) {
            tracing::error!(%error, folder = %self.place.folder.display(), "cannot take away a scratch server");
        }
    }
}

/// A program of the server, as the user that may run it, knowing nothing of ours.
fn command(found: &Found, name: &str, user: Option<User>) -> Command {
    let mut command = Command::new(found.programs.join(name));
    command.env_clear().current_dir("/").env("LC_ALL", "C");
    for variable in ["PATH", "LD_LIBRARY_PATH", "TZ"] {
        if let Some(value) = std::env::var_os(variable) {
            command.env(variable, value);
        }
    }
    if let Some(user) = user {
        command.uid(user.id).gid(user.group);
    }
    command
}

/// Runs a program of the server to its end.
fn run(name: &'static str, command: Command, job: &JobControl) -> Result<(), Error> {
    let mut child = Child::spawn(name, command, None, job)?;
    child.close_stdin();
    // What it prints shows that it is at work.
    let read = io::copy(&mut child, &mut io::sink());
    if let Some(fault) = child.fault() {
        return Err(fault.into());
    }
    read.map_err(|error| Error::content(name, error))?;
    child.finish()?.check("").map(|_| ()).map_err(|error| match error {
        Error::Failed { message, .. } => Error::refused(
            format!("a PostgreSQL server to try the restore in cannot be made: {message}"),
            "Choose a folder that has room and that the user postgres can reach, or name a server for drills.",
        ),
        error => error,
    })
}
