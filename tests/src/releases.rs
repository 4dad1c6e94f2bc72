//! What each release left behind, for all later ones to open: `tests/fixtures/releases/VERSION/CATALOG`, with a storage, a
//! catalog, and what they hold (`expected.json`), as that release itself told it. Made once by [`make`], never changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::postgres::{Database, Postgres};
use crate::system::{Catalog, Storage, System, sha256};
use crate::tools;

/// Opens the archives of all fixtures.
const PASSPHRASE: &str = "what fixtures are closed with";

/// The administrator's in all of them.
const PASSWORD: &str = "what fixtures are entered with";

/// The fields that no release may tell otherwise. Later ones may tell more.
const OF_A_BACKUP: [&str; 10] = [
    "id",
    "name",
    "type",
    "source",
    "status",
    "sizeBytes",
    "checksum",
    "storagePath",
    "baseId",
    "protected",
];
const OF_A_SCHEDULE: [&str; 7] = [
    "id",
    "name",
    "isEnabled",
    "cronExpression",
    "timezone",
    "retentionDays",
    "keepMonthly",
];
const OF_THE_SETTINGS: [&str; 2] = ["compressionAlgorithm", "quotaGigabytes"];

/// What one release left with one kind of catalog.
#[derive(Debug)]
pub struct Left {
    folder: PathBuf,
    /// `told`: what the API said of backups, schedules and settings; `backups`: what each of them is restored to.
    pub expected: Value,
}

/// What every release left with a catalog of this kind, `sqlite` or `postgres`.
pub fn all(kind: &str) -> Vec<Left> {
    let releases = fs::read_dir(root()).expect("the fixtures of releases");
    let mut folders: Vec<PathBuf> = releases.map(|one| one.expect("a fixture").path().join(kind)).collect();
    folders.sort();
    let read = |folder: PathBuf| {
        let expected = fs::read(folder.join("expected.json")).expect("a fixture's expected.json");
        Left {
            expected: serde_json::from_slice(&expected).expect("JSON"),
            folder,
        }
    };
    folders.into_iter().map(read).collect()
}

impl Left {
    /// A system with this storage and this catalog. Nothing is started yet.
    pub fn system(&self) -> System {
        let in_a_file = self.folder.ends_with("sqlite");
        let system = new_system(if in_a_file {
            Catalog::Sqlite
        } else {
            Catalog::Postgres(Postgres::shared())
        });
        let data = system.folder().join("data");
        fs::create_dir(&data).expect("a folder");
        let storage = self.folder.join("storage");
        tools::run(Command::new("cp").arg("-r").arg(storage).arg(&data)).expect("a copy");
        let packed = self.folder.join("catalog.gz");
        let unpacked = tools::run(Command::new("gzip").arg("-dc").arg(packed)).expect("gzip");
        match &system.catalog {
            None => fs::write(data.join("catalog.db"), unpacked.stdout).expect("a file"),
            Some(database) => {
                database.psql(&String::from_utf8(unpacked.stdout).expect("SQL in UTF-8"));
            }
        }
        system
    }
}

/// Makes what the release `version` leaves, with the programs that [`crate::process::built`] finds. What was made for it
/// before is replaced. Panics where anything is not as it should be.
pub fn make(version: &str) -> io::Result<PathBuf> {
    let folder = root().join(version);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    for (name, catalog) in [
        ("sqlite", Catalog::Sqlite),
        ("postgres", Catalog::Postgres(Postgres::shared())),
    ] {
        let place = folder.join(name);
        fs::create_dir_all(&place)?;
        leave(new_system(catalog), &place)?;
    }
    Ok(folder)
}

fn leave(mut system: System, place: &Path) -> io::Result<()> {
    system.start();
    system
        .api()
        .post(
            "/api/admin/backup/schedule",
            &json!({ "name": "每月", "backupType": "FULL", "backupSource": "FULL_SYSTEM", "cronExpression": "0 2 1 * *",
            "timezone": "Asia/Taipei", "retentionDays": 90, "maxBackups": 50, "keepMonthly": 12, "isEnabled": false }),
        )
        .expect(201);
    // A secret that the catalog holds sealed.
    set(&system, "shop", &json!({ "databasePassword": "of another database" }));
    system.database.psql(
        "CREATE SCHEMA app; CREATE TABLE app.orders (id int PRIMARY KEY, note text NOT NULL); \
         INSERT INTO app.orders SELECT i, '訂單 ' || md5(i::text) FROM generate_series(1, 40) i; \
         CREATE TABLE app.empty (id int)",
    );
    fs::create_dir(system.uploads().join("資料夾"))?;
    fs::write(
        system.uploads().join("資料夾/kept"),
        "the same in every backup\n".repeat(500),
    )?;
    let mut backups = Vec::new();
    for compression in ["gzip", "zstd"] {
        set(
            &system,
            "default",
            &json!({ "compressionAlgorithm": compression, "quotaGigabytes": 7 }),
        );
        for backup_type in ["FULL", "INCREMENTAL"] {
            let number = backups.len();
            system.database.psql(&format!(
                "UPDATE app.orders SET note = 'changed {number}' WHERE id = {number} + 1"
            ));
            fs::write(
                system.uploads().join(format!("new {number}")),
                format!("new in {number}"),
            )?;
            let backup = system.back_up_as(backup_type, "FULL_SYSTEM");
            assert_eq!(backup["type"], backup_type, "{backup:#}");
            backups.push(
                json!({ "id": backup["id"], "tables": tables(&system.database), "files": files(&system.uploads()) }),
            );
        }
    }
    let first = backups[0]["id"].as_str().expect("an id");
    let protect = format!("/api/admin/backup/{first}/protect");
    system.api().post(&protect, &json!({ "protected": true })).expect(200);
    let expected = json!({ "told": told(&system), "backups": backups });
    fs::write(place.join("expected.json"), format!("{expected:#}\n"))?;
    let _stopped = system.take_server().terminate();
    let data = system.folder().join("data");
    tools::run(Command::new("cp").arg("-r").arg(data.join("storage")).arg(place))?;
    let plain = place.join("catalog");
    match &system.catalog {
        None => {
            assert!(!data.join("catalog.db-wal").exists(), "the catalog is not one file");
            fs::copy(data.join("catalog.db"), &plain)?;
        }
        Some(database) => fs::write(&plain, database.dump())?,
    }
    tools::run(Command::new("gzip").args(["-9", "--no-name"]).arg(plain))?;
    Ok(())
}

/// What a running system tells of its backups, schedules and settings.
pub fn told(system: &System) -> Value {
    let api = system.api();
    let list = |path: &str, name: &str, fields: &[&str]| -> Vec<Value> {
        let mut answer = api.get(path).expect(200);
        let mut all: Vec<Value> = answer[name]
            .as_array_mut()
            .expect("a list")
            .iter()
            .map(|one| picked(one, fields))
            .collect();
        all.sort_by_key(|one| one["id"].to_string());
        all
    };
    json!({
        "backups": list("/api/admin/backup?limit=200", "backups", &OF_A_BACKUP),
        "schedules": list("/api/admin/backup/schedule?limit=200", "schedules", &OF_A_SCHEDULE),
        "config": picked(&api.get("/api/admin/backup/config").expect(200)["config"], &OF_THE_SETTINGS),
    })
}

/// How many rows each table has, and a digest of them that every version of PostgreSQL gives.
pub fn tables(database: &Database) -> Value {
    let digest = |(table, rows): (String, u64)| {
        let digest = database.psql(&format!(
            "SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE \"C\")) FROM ONLY {table} t"
        ));
        (table, json!({ "rows": rows, "md5": digest }))
    };
    database.row_counts().into_iter().map(digest).collect()
}

/// The digest of every file below a folder, by its path.
pub fn files(folder: &Path) -> Value {
    let list = tools::run(Command::new("find").args([".", "-type", "f"]).current_dir(folder)).expect("find");
    let list = String::from_utf8(list.stdout).expect("names in UTF-8");
    let digest = |path: &str| {
        (
            path.to_owned(),
            Value::from(sha256(&fs::read(folder.join(path)).expect("a file"))),
        )
    };
    list.lines().map(digest).collect()
}

fn root() -> PathBuf {
    tools::workspace().join("tests/fixtures/releases")
}

fn new_system(catalog: Catalog<'_>) -> System {
    let mut system = System::with(Postgres::shared(), catalog, Storage::Folder);
    system
        .set("BACKUP_ENCRYPTION_KEY", PASSPHRASE)
        .set("BACKUP_ADMIN_PASSWORD", PASSWORD);
    system
}

fn set(system: &System, key: &str, settings: &Value) {
    let path = format!("/api/admin/backup/config?key={key}");
    let answer = system.api().send("PATCH", &path, Some(settings));
    assert!(answer.status < 300, "{}", answer.text());
}

fn picked(value: &Value, fields: &[&str]) -> Value {
    fields
        .iter()
        .map(|field| ((*field).to_owned(), value[field].clone()))
        .collect()
}
