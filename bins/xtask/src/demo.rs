//! `cargo xtask demo`: a whole throw-away system, one FULL_SYSTEM backup, proven by restoring it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use backup_tests::guard::Guarded;
use backup_tests::postgres::{Database, Options, Postgres};
use backup_tests::{free_port, poll, process, sample_db, tools, tree, unique};
use serde_json::{Value, json};

use crate::http::Client;
use crate::{cargo, failed, setup};

const EMAIL: &str = "admin@example.org";
/// Rows of the sample database's large table.
const ROWS: u64 = 100_000;

/// Runs the demo; without `once`, stays until the process is ended. All it made ends and goes with it, by Ctrl-C too.
pub(crate) fn run(once: bool) -> io::Result<()> {
    say("installing what is missing, building the programs");
    let installed = setup::programs()?;
    let programs = cargo::build_programs(&["api-server", "backupctl"], false)?;

    say("starting PostgreSQL, filling a database and an upload folder");
    let postgres = Postgres::start_with(Options {
        programs: Some(installed.postgres),
        ..Options::default()
    })?;
    let database = postgres.create_database("demo");
    sample_db::fill(&database, ROWS);
    let demo = Demo::start(&programs, &database, &postgres)?;

    let mut client = Client::new(demo.port);
    client.log_in(EMAIL, &demo.password)?;
    let id = backup(&client)?;
    demo.verify_by_restoring(&id, &database, &postgres)?;

    say(format!("console and API: http://127.0.0.1:{}/", demo.port));
    say(format!("log-in:          {EMAIL}"));
    say(format!("password:        {}", demo.password));
    if once {
        return Ok(());
    }
    say("Ctrl-C ends it and removes everything");
    while demo.server.is_running() {
        std::thread::sleep(Duration::from_millis(500));
    }
    Err(failed("the server has ended"))
}

/// A running api-server with all that belongs to it in one folder.
struct Demo {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    password: String,
    key: String,
    server: Guarded,
}

impl Demo {
    fn start(programs: &Path, database: &Database, postgres: &Postgres) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("backup-demo-").tempdir()?.keep();
        let uploads = folder.join("uploads");
        fs::create_dir(&uploads)?;
        tree::everything(&uploads);
        let (port, password, key) = (port(), unique(), unique() + &unique() + &unique());
        let mut command = Command::new(programs.join("api-server"));
        command
            .envs(Self::environment(&folder, &key, postgres))
            .env("DATABASE_HOST", &database.host)
            .env("DATABASE_PORT", database.port.to_string())
            .env("DATABASE_NAME", &database.name)
            .env("DATABASE_USER", &database.user)
            .env("DATABASE_PASSWORD", &database.password)
            .env("UPLOAD_DIR", &uploads)
            .env("BACKUP_ADMIN_EMAIL", EMAIL)
            .env("BACKUP_ADMIN_PASSWORD", &password)
            .env("LISTEN_ADDR", format!("127.0.0.1:{port}"));
        let log = folder.join("api-server.log");
        let server = Guarded::spawn(&command, &log, "TERM", &folder)?;
        let ready = poll(Duration::from_mins(1), || {
            if !server.is_running() {
                return Some(false);
            }
            process::http_status(port, "/readyz")
                .filter(|status| *status == 200)
                .map(|_| true)
        });
        if ready != Some(true) {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(failed(format!("api-server does not start: {said}")));
        }
        Ok(Self {
            folder,
            programs: programs.to_owned(),
            port,
            password,
            key,
            server,
        })
    }

    /// What both programs are told: the key, and where everything is.
    fn environment(folder: &Path, key: &str, postgres: &Postgres) -> Vec<(&'static str, String)> {
        let path = std::env::var("PATH").unwrap_or_default();
        vec![
            ("BACKUP_ENCRYPTION_KEY", key.to_owned()),
            ("BACKUP_DATA_DIR", folder.join("data").display().to_string()),
            ("PATH", format!("{}:{path}", postgres.bin_dir().display())),
        ]
    }

    /// Restores the backup into a new database and a new folder and compares both with the originals.
    fn verify_by_restoring(&self, id: &str, original: &Database, postgres: &Postgres) -> io::Result<()> {
        say("restoring it into a new database and a new folder with backupctl");
        let restored = postgres.database(&format!("restored_{}", unique()));
        let files = self.folder.join("restored");
        tools::run(
            Command::new(self.programs.join("backupctl"))
                .envs(Self::environment(&self.folder, &self.key, postgres))
                .env("BACKUP_RESTORE_DATABASE", restored.url())
                .args(["restore", id, "--to-files"])
                .arg(&files)
                .current_dir(&self.folder),
        )?;
        say("comparing: pg_dump of both databases, row counts, both trees with all metadata");
        if original.dump() != restored.dump() {
            return Err(failed("the restored database is not the original"));
        }
        if original.row_counts() != restored.row_counts() {
            return Err(failed("the restored database has other row counts than the original"));
        }
        let differences = tree::compare(&self.folder.join("uploads"), &files);
        if !differences.is_empty() {
            return Err(failed(format!(
                "the restored files are not the original:\n{}",
                differences.join("\n")
            )));
        }
        say("verified: the restored database and files are identical to the originals");
        Ok(())
    }
}

/// Makes a FULL_SYSTEM backup and gives its id once it is COMPLETED.
fn backup(client: &Client) -> io::Result<String> {
    let wanted = json!({ "type": "FULL", "source": "FULL_SYSTEM", "description": "cargo xtask demo" });
    let made = client.post("/api/admin/backup", &wanted)?;
    let id = made["backup"]["id"]
        .as_str()
        .ok_or_else(|| failed(format!("no id in {made}")))?
        .to_owned();
    let mut shown = String::new();
    let end = poll(Duration::from_mins(10), || {
        let answer = match client.get(&format!("/api/admin/backup/{id}")) {
            Ok(answer) => answer,
            Err(error) => return Some(Err(error)),
        };
        let backup = answer["backup"].clone();
        let text = |name: &str| backup[name].as_str().unwrap_or_default().to_owned();
        let line = format!(
            "backup {}: {} % {}",
            text("status"),
            backup["progress"],
            text("currentStep")
        );
        if line != shown {
            say(&line);
            shown = line;
        }
        (!matches!(text("status").as_str(), "PENDING" | "IN_PROGRESS")).then_some(Ok(backup))
    });
    let backup: Value = end.ok_or_else(|| failed("the backup does not end"))??;
    if backup["status"] != "COMPLETED" {
        return Err(failed(format!(
            "the backup is {}: {}",
            backup["status"], backup["errorMessage"]
        )));
    }
    say(format!(
        "backup {id}: {} bytes stored of {} read",
        backup["sizeBytes"], backup["sourceBytes"]
    ));
    Ok(id)
}

/// The default port where it is free.
fn port() -> u16 {
    let usual = 8080;
    if std::net::TcpListener::bind(("127.0.0.1", usual)).is_ok() {
        usual
    } else {
        free_port()
    }
}

fn say(text: impl std::fmt::Display) {
    println!("demo: {text}");
    let _nobody_listens = io::stdout().flush();
}
