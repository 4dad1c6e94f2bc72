//! A real PostgreSQL: a throw-away cluster on a free loopback port.

mod change;
mod database;

pub use change::change;
pub use database::{Database, quoted};

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::guard::{Guarded, children_of, state_of};
use crate::{free_port, poll, tools, unique};

/// The superuser of every cluster.
pub const SUPERUSER: &str = "postgres";

/// How clients are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// By password (SCRAM). A missing or wrong password is refused.
    Scram,
    /// Anybody, without a password.
    Trust,
}

/// What a cluster is made with.
#[derive(Debug, Clone)]
pub struct Options {
    /// How clients are let in; by password unless said otherwise.
    pub auth: Auth,
    /// Further lines of `postgresql.conf`, such as `wal_level = logical`.
    pub settings: Vec<String>,
    /// The folder of the programs of a certain version; else the one that [`tools::postgres::install`] gives.
    pub programs: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            auth: Auth::Scram,
            settings: Vec::new(),
            programs: None,
        }
    }
}

/// A cluster of its own, or one that `cargo xtask` started for all test programs. Dropped, an own one ends and leaves
/// nothing behind.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    port: u16,
    password: String,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    /// Before the folder: it is dropped first.
    server: Mutex<Option<Guarded>>,
    folder: TempDir,
    /// The user that runs the server; `None`: ours. PostgreSQL refuses to run as root.
    user: Option<&'static str>,
}

impl Postgres {
    /// Starts a cluster with the defaults.
    pub fn start() -> Self {
        Self::start_with(Options::default()).expect("a PostgreSQL server for the tests")
    }

    /// Starts a cluster. The programs are installed first where they are missing.
    pub fn start_with(options: Options) -> io::Result<Self> {
        let bin = match options.programs {
            Some(bin) => bin,
            None => tools::postgres::install()?,
        };
        let folder = tempfile::Builder::new().prefix("backup-pg-").tempdir()?;
        let user = tools::is_root().then(service_user);
        let port = free_port();
        let password = unique();
        let this = Self {
            bin,
            port,
            password,
            own: Some(Own {
                folder,
                user,
                server: Mutex::new(None),
            }),
        };
        this.initialise(options.auth, &options.settings)?;
        this.try_resume()?;
        Ok(this)
    }

    /// One cluster for all tests: the one in `$BACKUP_TEST_POSTGRES` (`postgres://postgres:PASSWORD@127.0.0.1:PORT`), as
    /// `cargo xtask test` sets it, else one of this process. It must not be stopped.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("BACKUP_TEST_POSTGRES") {
            Ok(url) => Self::connect(&url).expect("$BACKUP_TEST_POSTGRES"),
            Err(_) => Self::start(),
        })
    }

    fn connect(url: &str) -> io::Result<Self> {
        let wrong = || io::Error::other("not of the form postgres://postgres:PASSWORD@127.0.0.1:PORT");
        let rest = url.strip_prefix("postgres://postgres:").ok_or_else(wrong)?;
        let (password, port) = rest.split_once("@127.0.0.1:").ok_or_else(wrong)?;
        Ok(Self {
            bin: tools::postgres::install()?,
            port: port.parse().map_err(|_| wrong())?,
            password: password.to_owned(),
            own: None,
        })
    }

    /// What other test programs find this cluster by, in `$BACKUP_TEST_POSTGRES`.
    pub fn address(&self) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The folder of the programs (`pg_dump` and so on).
    pub fn bin_dir(&self) -> &Path {
        &self.bin
    }

    /// The server's process id; `None` for a shared cluster or a stopped server.
    pub fn pid(&self) -> Option<u32> {
        let own = self.own.as_ref()?;
        own.server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(Guarded::pid)
    }

    /// Makes `folder`, with the server's programs in it, of which this one is a shell script; `REAL` in it is the real one.
    /// Asked for its version, that answers.
    pub fn programs_with(&self, folder: &Path, name: &str, script: &str) {
        fs::create_dir(folder).expect("a folder");
        for program in fs::read_dir(&self.bin).expect("the programs") {
            let program = program.expect("a program");
            if program.file_name() != name {
                std::os::unix::fs::symlink(program.path(), folder.join(program.file_name())).expect("a link");
            }
        }
        let text = format!("#!/bin/bash\ncase \"$*\" in *--version*) exec REAL \"$@\";; esac\n{script}\n");
        let real = self.bin.join(name).display().to_string();
        let path = folder.join(name);
        fs::write(&path, text.replace("REAL", &real)).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    /// Creates an empty database with a name that begins with `prefix` and is unique. It is dropped with the value.
    pub fn create_database(&self, prefix: &str) -> Database {
        let database = self.database(&format!("{prefix}_{}", unique()));
        self.psql(
            "postgres",
            &format!("CREATE DATABASE {} TEMPLATE template0", quoted(&database.name)),
        );
        database
    }

    /// The same of a database that sorts texts by the rules of a language, as most in use do, and not by their bytes.
    pub fn create_sorting_database(&self, prefix: &str) -> Database {
        let database = self.database(&format!("{prefix}_{}", unique()));
        let sql = format!(
            "CREATE DATABASE {} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'",
            quoted(&database.name)
        );
        self.psql("postgres", &sql);
        database
    }

    /// The way to a database that something else creates. It is dropped with the value, where it exists.
    pub fn database(&self, name: &str) -> Database {
        Database {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            name: name.to_owned(),
            user: SUPERUSER.to_owned(),
            password: self.password.clone(),
            bin: self.bin.clone(),
        }
    }

    /// Runs SQL as the superuser and gives what it prints, unaligned, without headers. Panics on an error.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        database::psql(&self.bin, self.port, &self.password, database, sql)
            .unwrap_or_else(|e| panic!("SQL in database {database}: {e}"))
    }

    /// Stops the server in fast mode: clients are cut off, everything is written.
    pub fn stop(&self) {
        if let Some(server) = self.take_server() {
            server.signal(Signal::INT);
            let ended = poll(Duration::from_mins(1), || (!server.is_running()).then_some(()));
            server.end_and_keep();
            assert!(ended.is_some(), "PostgreSQL does not stop");
        }
    }

    /// Kills the server and all its processes with SIGKILL.
    pub fn kill9(&self) {
        if let Some(server) = self.take_server() {
            let children = children_of(server.pid());
            server.signal(Signal::KILL);
            for child in &children {
                if let Some(pid) = Pid::from_raw(child.cast_signed()) {
                    let _gone_already = kill_process(pid, Signal::KILL);
                }
            }
            // As long as one of them lives, the server does not start again.
            let is_gone = |child: &u32| state_of(*child).is_none_or(|state| state == 'Z');
            let _or_the_next_start_says_so =
                poll(Duration::from_secs(10), || children.iter().all(is_gone).then_some(()));
            server.end_and_keep();
        }
    }

    /// Starts the stopped or killed server again, on the same port and data.
    pub fn resume(&self) {
        self.try_resume().expect("PostgreSQL starts again");
    }

    fn own(&self) -> &Own {
        self.own
            .as_ref()
            .expect("a shared cluster is neither stopped nor started")
    }

    fn take_server(&self) -> Option<Guarded> {
        self.own().server.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn data(&self) -> PathBuf {
        self.own().folder.path().join("data")
    }

    /// A command that runs as the cluster's user.
    fn as_user(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let Some(user) = self.own().user else {
            return Command::new(program);
        };
        let group = if user == "nobody" { "nogroup" } else { user };
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", user, "--regid", group, "--clear-groups"])
            .arg(program);
        command
    }

    fn initialise(&self, auth: Auth, settings: &[String]) -> io::Result<()> {
        let folder = self.own().folder.path();
        let secret = folder.join("password");
        fs::write(&secret, &self.password)?;
        if let Some(user) = self.own().user {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
            tools::run(Command::new("chown").args(["-R", user]).arg(folder))?;
        }
        let method = if auth == Auth::Scram {
            "--auth=scram-sha-256"
        } else {
            "--auth=trust"
        };
        tools::run(
            self.as_user("initdb")
                .args(["-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", method])
                .arg(format!("--pwfile={}", secret.display()))
                .arg("-D")
                .arg(self.data())
                .current_dir("/"),
        )?;
        let mut config = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n\
             fsync = off\nfull_page_writes = off\n\
             max_connections = 200\nmax_locks_per_transaction = 256\nmax_wal_size = 2GB\n",
            self.port,
            folder.display(),
        );
        for line in settings {
            config.push_str(line);
            config.push('\n');
        }
        let file = self.data().join("postgresql.conf");
        let before = fs::read_to_string(&file)?;
        fs::write(&file, before + &config)
    }

    fn try_resume(&self) -> io::Result<()> {
        let own = self.own();
        let log = own.folder.path().join("server.log");
        let mut command = self.as_user("postgres");
        command.arg("-D").arg(self.data());
        let server = Guarded::spawn(&command, &log, "QUIT", own.folder.path())?;
        let ready = poll(Duration::from_mins(1), || {
            if !server.is_running() {
                return Some(false);
            }
            database::is_ready(&self.bin, self.port).then_some(true)
        });
        if ready != Some(true) {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(io::Error::other(format!("PostgreSQL does not start: {said}")));
        }
        *own.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(())
    }
}

/// The user that runs servers for root.
fn service_user() -> &'static str {
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    if known.lines().any(|line| line.starts_with("postgres:")) {
        "postgres"
    } else {
        "nobody"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_survives_kill_9_and_stop_and_lets_nobody_in_without_the_password() {
        let server = Postgres::start();
        let db = server.create_database("Größe \"1\"");
        db.psql("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
        server.stop();
        server.resume();
        assert_eq!(db.psql("SELECT a FROM t"), "1");
        db.psql("CHECKPOINT");
        server.kill9();
        server.resume();
        assert_eq!(db.psql("SELECT a FROM t"), "1");
        assert!(db.dump().contains("CREATE TABLE public.t"));
        let refused = database::psql(server.bin_dir(), server.port(), "wrong", "postgres", "SELECT 1");
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .contains("password authentication failed")
        );
    }

    #[test]
    fn dropped_nothing_is_left() {
        let server = Postgres::start();
        let (folder, pid) = (server.own().folder.path().to_owned(), server.pid().unwrap());
        drop(server);
        assert!(!folder.exists());
        assert_eq!(crate::guard::state_of(pid), None);
    }
}
