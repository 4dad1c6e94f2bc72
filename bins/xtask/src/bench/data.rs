//! The data that is backed up: a database in a throw-away PostgreSQL, and a tree of files. Both are made once and kept.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use backup_tests::postgres::{Database, Options, Postgres, quoted};
use backup_tests::{tools, unique};

use super::{Args, measure};
use crate::failed;
use crate::setup::Installed;

/// Data to back up.
pub(super) struct Data {
    /// The tree.
    pub(super) uploads: PathBuf,
    /// The database.
    pub(super) database: Database,
    /// Its server; after the database, which is dropped first.
    pub(super) postgres: Postgres,
}

/// A server for measuring, as a sensible administrator sets it up.
pub(super) fn server(installed: &Installed) -> io::Result<Postgres> {
    let settings = [
        "shared_buffers = 512MB",
        "maintenance_work_mem = 256MB",
        "max_wal_size = 4GB",
        "autovacuum = off",
    ];
    Postgres::start_with(Options {
        programs: Some(installed.postgres.clone()),
        settings: settings.map(str::to_owned).to_vec(),
        ..Options::default()
    })
}

impl Data {
    /// The data at this scale, made where it is missing.
    pub(super) fn ready(args: &Args, installed: &Installed) -> io::Result<Self> {
        let folder = args.keep()?.join(format!("scale-{}", args.scale));
        fs::create_dir_all(&folder)?;
        let scale = args.scale.to_string();
        let uploads = once(&folder.join("uploads"), |target| {
            println!("making the files");
            let output = tools::run(generator("python3", "make_files.py")?.arg(target).arg(&scale))?;
            print!("{}", String::from_utf8_lossy(&output.stdout));
            Ok(())
        })?;
        let postgres = server(installed)?;
        let dump = once(&folder.join("database"), |target| {
            println!("making the database");
            let made = postgres.create_database("making");
            tools::run(
                generator("bash", "make_database.sh")?
                    .arg(&scale)
                    .envs(environment(&postgres, &made)),
            )?;
            tools::run(
                client(&postgres, &made, "pg_dump")
                    .args(["-Fd", "-Z0", "-j2", "-f"])
                    .arg(target),
            )?;
            Ok(())
        })?;
        println!("filling the database");
        let database = postgres.create_database("bench");
        tools::run(
            client(&postgres, &database, "pg_restore")
                .args(["-j2", "-d", &database.name])
                .arg(dump),
        )?;
        database.try_psql("VACUUM ANALYZE; CHECKPOINT;")?;
        let data = Self {
            uploads,
            database,
            postgres,
        };
        println!("data: {}", data.about()?);
        Ok(data)
    }

    /// How libpq's programs find the database.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        environment(&self.postgres, &self.database)
    }

    /// The same of another database of the server.
    pub(super) fn environment_of(&self, database: &Database) -> Vec<(&'static str, String)> {
        environment(&self.postgres, database)
    }

    /// `PATH` with the server's programs first.
    pub(super) fn path(&self) -> String {
        path(&self.postgres)
    }

    /// A copy of the database, which may be changed.
    pub(super) fn copy(&self) -> Database {
        let copy = self.postgres.database(&format!("copy_{}", unique()));
        let (name, template) = (quoted(&copy.name), quoted(&self.database.name));
        self.postgres
            .psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        copy
    }

    /// What the server says a setting is.
    pub(super) fn setting(&self, name: &str) -> io::Result<String> {
        self.database.try_psql(&format!("SHOW {name}"))
    }

    fn about(&self) -> io::Result<String> {
        let bytes = self.database.try_psql("SELECT pg_database_size(current_database())")?;
        let bytes: u64 = bytes.parse().map_err(io::Error::other)?;
        Ok(format!(
            "database of {} MB, {} files of {} MB",
            bytes / 1_000_000,
            measure::count_in(&self.uploads),
            measure::size_of(&self.uploads) / 1_000_000,
        ))
    }
}

/// Makes a folder under another name first, so that it is there wholly or not at all.
fn once(target: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
    if !target.exists() {
        let unfinished = target.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        make(&unfinished)?;
        fs::rename(&unfinished, target)?;
    }
    Ok(target.to_owned())
}

/// Makes a file of about this many bytes that does not compress. Another seed gives another.
pub(super) fn make_noise(path: &Path, size: u64, seed: u64) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    // Not zero with any seed that counts something, since nothing would come of that.
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ seed;
    for _ in 0..size / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    file.flush()
}

/// A script of `tests/bench`.
pub(super) fn generator(interpreter: &str, script: &str) -> io::Result<Command> {
    if tools::find_on_path("python3").is_none() {
        if !tools::is_root() {
            return Err(failed(
                "python3 is missing (HINT: Ask root to run: apt-get install python3)",
            ));
        }
        tools::apt_install(&["python3"])?;
    }
    let mut command = Command::new(interpreter);
    command
        .arg(tools::workspace().join("tests/bench").join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

fn client(postgres: &Postgres, database: &Database, program: &str) -> Command {
    let mut command = Command::new(postgres.bin_dir().join(program));
    command.envs(environment(postgres, database));
    command
}

fn path(postgres: &Postgres) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", postgres.bin_dir().display())
}

fn environment(postgres: &Postgres, database: &Database) -> Vec<(&'static str, String)> {
    vec![
        ("PATH", path(postgres)),
        ("PGHOST", database.host.clone()),
        ("PGPORT", database.port.to_string()),
        ("PGUSER", database.user.clone()),
        ("PGPASSWORD", database.password.clone()),
        ("PGDATABASE", database.name.clone()),
    ]
}
