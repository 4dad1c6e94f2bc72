//! A running system: a database and a folder worth backing up, a catalog, a storage, a key of its own, and our programs
//! around them as processes of their own, driven from outside by HTTP and by `backupctl`.

pub mod blobs;
pub mod http;
pub mod points;
pub mod restores;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

pub use blobs::{Blobs, account_sas};
pub use http::{Answer, Client, Events};
pub use points::Point;

use crate::azurite::Azurite;
use crate::postgres::{Database, Postgres};
use crate::process::{Finished, Program, Running};
use crate::tree::{self, Scratch};
use crate::{free_port, poll, tools, unique};

/// The first administrator's e-mail address.
pub const ADMIN: &str = "admin@example.org";

/// How long a server may take to be ready.
const START: Duration = Duration::from_mins(2);

/// How long a backup of a test may take.
const BACKUP: Duration = Duration::from_mins(4);

/// Where the catalog is.
#[derive(Debug, Clone, Copy)]
pub enum Catalog<'a> {
    /// In a file.
    Sqlite,
    /// In a database of this cluster.
    Postgres(&'a Postgres),
}

/// Where the backups are stored.
#[derive(Debug, Clone, Copy)]
pub enum Storage<'a> {
    /// In a folder.
    Folder,
    /// In a container of this emulator.
    Azurite(&'a Azurite),
}

/// A system. Dropped, its processes end and its data goes.
#[derive(Debug)]
pub struct System {
    server: Option<Running>,
    api: Option<Client>,
    /// The database that is backed up, empty at first.
    pub database: Database,
    /// The catalog's database, where it is one.
    pub catalog: Option<Database>,
    /// What is in the storage.
    pub blobs: Blobs,
    env: BTreeMap<String, String>,
    folder: Scratch,
    port: u16,
}

impl System {
    /// The embedded defaults: catalog in SQLite, storage in a folder. Nothing is started yet.
    pub fn embedded() -> Self {
        Self::with(Postgres::shared(), Catalog::Sqlite, Storage::Folder)
    }

    /// For several hosts: catalog in PostgreSQL, storage in Azure. Nothing is started yet.
    pub fn services() -> Self {
        let postgres = Postgres::shared();
        Self::with(
            postgres,
            Catalog::Postgres(postgres),
            Storage::Azurite(Azurite::shared()),
        )
    }

    /// A system that backs up a new database of this cluster. Nothing is started yet.
    pub fn with(postgres: &Postgres, catalog: Catalog<'_>, storage: Storage<'_>) -> Self {
        let folder = Scratch::new();
        let database = postgres.create_database("app");
        let catalog = match catalog {
            Catalog::Sqlite => None,
            Catalog::Postgres(cluster) => Some(cluster.create_database("catalog")),
        };
        let uploads = folder.path().join("uploads");
        fs::create_dir(&uploads).expect("a folder");
        let port = free_port();
        let path = std::env::var("PATH").unwrap_or_default();
        let text = |path: PathBuf| path.display().to_string();
        let mut system = Self {
            server: None,
            api: None,
            catalog,
            blobs: Blobs::Folder(folder.path().join("data/storage")),
            env: BTreeMap::new(),
            port,
            folder,
            database,
        };
        let settings = [
            ("PATH", format!("{}:{path}", postgres.bin_dir().display())),
            ("BACKUP_ENCRYPTION_KEY", format!("passphrase-{}", unique())),
            ("BACKUP_DATA_DIR", text(system.folder.path().join("data"))),
            ("DATABASE_HOST", system.database.host.clone()),
            ("DATABASE_PORT", system.database.port.to_string()),
            ("DATABASE_NAME", system.database.name.clone()),
            ("DATABASE_USER", system.database.user.clone()),
            ("DATABASE_PASSWORD", system.database.password.clone()),
            ("UPLOAD_DIR", text(uploads)),
            ("BACKUP_ADMIN_EMAIL", ADMIN.to_owned()),
            ("BACKUP_ADMIN_PASSWORD", format!("password-{}", unique())),
            ("LISTEN_ADDR", format!("127.0.0.1:{port}")),
        ];
        for (name, value) in settings {
            system.set(name, &value);
        }
        if let Some(url) = system.catalog.as_ref().map(Database::url) {
            system.set("CATALOG_URL", &url);
        }
        if let Storage::Azurite(azurite) = storage {
            let container = azurite.new_container();
            system.blobs = Blobs::container(azurite, &container);
            system.set("AZURE_STORAGE_CONNECTION_STRING", &azurite.connection_string());
            system.set("BACKUP_CONTAINER_NAME", &container);
        }
        system
    }

    /// Sets a variable for every process that is started from now on.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes a variable back.
    pub fn unset(&mut self, name: &str) -> &mut Self {
        self.env.remove(name);
        self
    }

    /// The value of a variable; panics where none is set.
    pub fn setting(&self, name: &str) -> &str {
        &self.env[name]
    }

    /// A folder for whatever the test needs; it goes with the system.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The tree of uploaded files, empty at first.
    pub fn uploads(&self) -> PathBuf {
        self.folder().join("uploads")
    }

    /// Fills database and folder with a little of their own.
    pub fn fill_a_little(&self) {
        self.database.psql(
            "CREATE SCHEMA app; CREATE TABLE app.orders (id int PRIMARY KEY, note text NOT NULL); \
             INSERT INTO app.orders SELECT i, md5(i::text) FROM generate_series(1, 5000) i; \
             CREATE TABLE app.empty (id int)",
        );
        let uploads = self.uploads();
        fs::create_dir(uploads.join("folder")).expect("a folder");
        for number in 0..20_u8 {
            let content = [number].repeat(20_000 * usize::from(number));
            fs::write(uploads.join(format!("folder/file {number}")), content).expect("a file");
        }
    }

    /// Fills database and folder with so much that a backup takes its time: about `megabytes` of each that do not compress.
    pub fn fill_much(&self, megabytes: u64) {
        self.fill_database(megabytes);
        let mut noise = fs::File::open("/dev/urandom").expect("the kernel's randomness");
        for number in 0..megabytes.div_ceil(8) {
            let mut file = fs::File::create(self.uploads().join(format!("noise {number:04}"))).expect("a file");
            std::io::copy(&mut noise.by_ref().take(8 << 20), &mut file).expect("a file");
        }
    }

    /// Fills the database with a table of about `megabytes` that do not compress.
    pub fn fill_database(&self, megabytes: u64) {
        self.database.psql(&format!(
            "CREATE EXTENSION pgcrypto; CREATE TABLE much (id int, noise bytea); \
             ALTER TABLE much ALTER noise SET STORAGE EXTERNAL; \
             INSERT INTO much SELECT i, (SELECT string_agg(gen_random_bytes(1024), '') FROM generate_series(1, 256 + i * 0)) \
             FROM generate_series(1, {}) i",
            megabytes * 4
        ));
    }

    /// One of our programs with the system's environment.
    pub fn program(&self, name: &str) -> Program {
        self.with_environment(Program::new(name))
    }

    /// This program with the system's settings as environment.
    pub fn with_environment(&self, program: Program) -> Program {
        self.env
            .iter()
            .fold(program, |program, (name, value)| program.env(name, value))
    }

    /// Starts the api-server, waits until it is ready, and logs in.
    pub fn start(&mut self) -> &mut Self {
        let server = self.program("api-server").spawn();
        server.wait_for_http(self.port, "/readyz", START);
        self.server = Some(server);
        self.api = Some(self.log_in());
        self
    }

    /// Starts the api-server without waiting for catalog and storage, and logs in.
    pub fn start_unready(&mut self) -> &mut Self {
        self.start_unready_with(&[])
    }

    /// The same with these arguments.
    pub fn start_unready_with(&mut self, args: &[&str]) -> &mut Self {
        let server = self.program("api-server").args(args).spawn();
        server.wait_for_http(self.port, "/healthz", START);
        self.server = Some(server);
        self.api = Some(self.log_in());
        self
    }

    fn log_in(&self) -> Client {
        let client = Client::new(self.port);
        let login = json!({ "email": ADMIN, "password": self.setting("BACKUP_ADMIN_PASSWORD") });
        let answer = client.post("/api/auth/login", &login);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = answer.header("set-cookie").expect("a session cookie");
        let pair = cookie.split(';').next().expect("a cookie's name and value");
        client.with("Cookie", pair).with("Accept-Language", "en")
    }

    /// The running api-server.
    pub fn server(&self) -> &Running {
        self.server.as_ref().expect("a started server")
    }

    /// The api-server's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The API as the administrator.
    pub fn api(&self) -> &Client {
        self.api.as_ref().expect("a started server")
    }

    /// Takes the api-server out of the system, to end it in some way.
    pub fn take_server(&mut self) -> Running {
        self.server.take().expect("a started server")
    }

    /// Starts a worker, that is a scheduler, with these further variables.
    pub fn worker(&self, env: &[(&str, &str)]) -> Running {
        let address = format!("127.0.0.1:{}", free_port());
        let program = self
            .program("scheduler")
            .env("METRICS_ADDR", address)
            .env("BACKUP_WORKERS", "1");
        env.iter()
            .fold(program, |program, (name, value)| program.env(name, value))
            .spawn()
    }

    /// Asks for a FULL backup and gives its id.
    pub fn create(&self, source: &str) -> String {
        self.create_as("FULL", source)
    }

    /// Asks for a backup of this type and gives its id.
    pub fn create_as(&self, backup_type: &str, source: &str) -> String {
        let body = json!({ "type": backup_type, "source": source, "description": "made by a test" });
        let answer = self.api().post("/api/admin/backup", &body).expect(202);
        answer["backup"]["id"].as_str().expect("an id").to_owned()
    }

    /// The backup as the API shows it.
    pub fn backup(&self, id: &str) -> Value {
        self.api().get(&format!("/api/admin/backup/{id}")).expect(200)["backup"].take()
    }

    /// Waits until the backup is as `wanted`.
    pub fn wait_until(&self, id: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = poll(limit, || {
            last = self.backup(id);
            wanted(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("waited {limit:?} in vain; the backup is {last:#}{}", self.story()))
    }

    /// Waits until the backup has ended, well or not.
    pub fn wait(&self, id: &str) -> Value {
        self.wait_until(id, BACKUP, |backup| {
            ["COMPLETED", "FAILED", "CANCELLED"]
                .iter()
                .any(|end| backup["status"] == *end)
        })
    }

    /// Makes a FULL backup; panics where it does not complete.
    pub fn back_up(&self, source: &str) -> Value {
        self.completed(&self.create(source))
    }

    /// Makes a backup for which this type is asked; panics where it does not complete.
    pub fn back_up_as(&self, backup_type: &str, source: &str) -> Value {
        self.completed(&self.create_as(backup_type, source))
    }

    /// Waits until the backup has completed; panics where it ends otherwise.
    pub fn completed(&self, id: &str) -> Value {
        let backup = self.wait(id);
        assert_eq!(backup["status"], "COMPLETED", "{backup:#}{}", self.story());
        backup
    }

    /// Waits until the backup has failed and gives its message; panics where it ends otherwise.
    pub fn failed(&self, id: &str) -> String {
        let backup = self.wait(id);
        assert_eq!(backup["status"], "FAILED", "{backup:#}{}", self.story());
        backup["errorMessage"].as_str().expect("a message").to_owned()
    }

    fn story(&self) -> String {
        self.server.as_ref().map_or_else(String::new, |server| {
            format!("\napi-server's log: {}{}", server.stdout(), server.stderr())
        })
    }

    /// Runs `backupctl` with the system's environment.
    pub fn backupctl(&self, args: &[&str]) -> Finished {
        self.program("backupctl").args(args).run()
    }

    /// The way to a database that a restore will create.
    pub fn new_database(&self) -> Database {
        Postgres::shared().database(&format!("restored_{}", unique()))
    }

    /// Restores the backup by `backupctl` into a new database and a new folder, and asserts that both are what the
    /// originals are now.
    pub fn assert_restores(&self, id: &str) {
        let copy = self.new_database();
        let files = self.folder().join(format!("restored-{}", unique()));
        let shown = files.display().to_string();
        let restore = ["restore", id, "--to-database", &copy.url(), "--to-files", &shown];
        let done = self.backupctl(&restore).expect(0);
        assert_eq!(done.temporary_files, Vec::<PathBuf>::new());
        assert_same_databases(&self.database, &copy);
        assert_eq!(tree::compare(&self.uploads(), &files), Vec::<String>::new());
    }

    /// Asserts that the storage holds these backups, each with its receipt, and nothing else at all.
    pub fn assert_stored(&self, backups: &[&Value]) {
        let mut expected: Vec<String> = backups.iter().flat_map(|backup| stored_paths(backup)).collect();
        expected.sort();
        assert_eq!(self.blobs.list(), expected, "{}", self.story());
    }
}

/// The paths of a completed backup: its file and its receipt.
pub fn stored_paths(backup: &Value) -> [String; 2] {
    let path = backup["storagePath"].as_str().expect("a path");
    let (folder, _) = path.rsplit_once('/').expect("a folder");
    let id = backup["id"].as_str().expect("an id");
    [path.to_owned(), format!("{folder}/{id}.json")]
}

/// Asserts that two databases are the same: dump and row counts.
pub fn assert_same_databases(original: &Database, copy: &Database) {
    assert_eq!(original.row_counts(), copy.row_counts());
    let (ours, theirs) = (original.dump(), copy.dump());
    if let Some((line, other)) = ours.lines().zip(theirs.lines()).find(|(a, b)| a != b) {
        panic!("the dumps differ:\n{line}\n{other}");
    }
    assert_eq!(ours.len(), theirs.len(), "one dump is the beginning of the other");
}

/// SHA-256 of these bytes, lower-case hex, by the system's own tool.
pub fn sha256(bytes: &[u8]) -> String {
    use std::io::Write as _;

    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a temporary file");
    let output = tools::run(Command::new("sha256sum").arg(file.path())).expect("sha256sum");
    String::from_utf8_lossy(&output.stdout[..64]).into_owned()
}
