//! `docs/recovery.md`, executed as it stands: with the passphrase and the container alone everything comes back, by our own
//! command line and by openssl, tar, curl and pg_restore.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use backup_tests::azurite::{ACCOUNT, ACCOUNT_KEY, Azurite};
use backup_tests::postgres::{Database, Postgres, SUPERUSER, quoted};
use backup_tests::system::{Catalog, Storage, System};
use backup_tests::tree::Scratch;
use backup_tests::{process, sample_db, tools, tree};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../docs/recovery.md");
const SHEET: &str = include_str!("../../bins/backupctl/templates/sheet.en.html");

type Environment = BTreeMap<String, String>;

/// What is left of a system that burned, and what a test compares with.
struct Lost {
    /// Only its storage and its passphrase are alive.
    system: System,
    dump: String,
    rows: Vec<(String, u64)>,
}

impl Lost {
    fn new() -> Self {
        let cluster = Postgres::start();
        let mut system = System::with(&cluster, Catalog::Sqlite, Storage::Azurite(Azurite::shared()));
        sample_db::fill(&system.database, 20_000);
        tree::everything(&system.uploads());
        system.start();
        system.back_up("FULL_SYSTEM");
        let old = system.back_up_as("INCREMENTAL", "FULL_SYSTEM");
        system.database.psql("CREATE TABLE later AS SELECT 1 AS one");
        system.back_up("FULL_SYSTEM");
        // Newer, and not what the document looks for: the one holds something else, the other an older point in time.
        system.back_up("CONFIG");
        let path = format!("/api/admin/backup/{}/consolidate", old["id"].as_str().unwrap());
        let asked = system.api().send("POST", &path, None).expect(202);
        system.completed(asked["backup"]["id"].as_str().unwrap());
        let _stopped = system.take_server().terminate();
        Self {
            dump: system.database.dump(),
            rows: system.database.row_counts(),
            system,
        }
    }

    fn assert_same(&self, database: &Database, files: &Path) {
        assert_eq!(self.rows, database.row_counts());
        let dump = database.dump();
        if let Some((line, other)) = self.dump.lines().zip(dump.lines()).find(|(a, b)| a != b) {
            panic!("the dumps differ:\n{line}\n{other}");
        }
        assert_eq!(self.dump.len(), dump.len());
        assert_eq!(tree::compare(&self.system.uploads(), files), Vec::<String>::new());
    }
}

/// The commands of the document whose blocks `wanted` picks by the words behind the language, in order.
fn commands(wanted: impl Fn(&[&str]) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(bool, String)> = None;
    for line in DOCUMENT.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(info), None) => {
                let words: Vec<&str> = info.split(' ').collect();
                open = Some((words[0] == "bash" && wanted(&words[1..]), String::new()));
            }
            (Some(_), Some((true, block))) => found.push(block),
            (Some(_), Some(_)) | (None, None) => {}
            (None, Some((is_wanted, block))) => open = Some((is_wanted, block + line + "\n")),
        }
    }
    assert!(open.is_none(), "a block has no end");
    found
}

/// Runs commands in an empty folder, with no variable but these.
fn run(commands: &[String], environment: &Environment) -> Scratch {
    let folder = Scratch::new();
    let script = format!("set -euo pipefail\n{}", commands.join("\n"));
    let mut bash = Command::new("bash");
    bash.args(["-c", &script])
        .current_dir(folder.path())
        .env_clear()
        .envs(environment);
    tools::run(&mut bash).unwrap_or_else(|error| panic!("{script}\n{error}"));
    folder
}

/// The variables that the document has people set.
fn environment(lost: &Lost, server: &Postgres) -> Environment {
    let system = &lost.system;
    let programs = process::built("backupctl");
    let path = format!(
        "{}:{}:{}",
        programs.parent().unwrap().display(),
        server.bin_dir().display(),
        std::env::var("PATH").unwrap()
    );
    let container = system.setting("BACKUP_CONTAINER_NAME");
    [
        ("PATH", path),
        ("LC_ALL", "C.UTF-8".to_owned()),
        (
            "BACKUP_ENCRYPTION_KEY",
            system.setting("BACKUP_ENCRYPTION_KEY").to_owned(),
        ),
        ("PGHOST", "127.0.0.1".to_owned()),
        ("PGPORT", server.port().to_string()),
        ("PGUSER", SUPERUSER.to_owned()),
        ("PGPASSWORD", server.password().to_owned()),
        ("ACCOUNT", ACCOUNT.to_owned()),
        ("ACCOUNT_KEY", ACCOUNT_KEY.to_owned()),
        ("CONTAINER_URL", format!("{}/{container}", Azurite::shared().endpoint())),
        (
            "AZURE_STORAGE_CONNECTION_STRING",
            system.setting("AZURE_STORAGE_CONNECTION_STRING").to_owned(),
        ),
        ("BACKUP_CONTAINER_NAME", container.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[test]
fn every_command_of_the_document_is_executed_or_an_example() {
    let all = commands(|_| true).len();
    let known = commands(|words| {
        matches!(
            words,
            ["example" | "by-us" | "by-hand"] | ["by-hand", "azure" | "folder"]
        )
    });
    assert_eq!(all, known.len());
    assert_eq!(
        DOCUMENT.matches("\n```bash").count(),
        all,
        "a block of another language"
    );
    assert!(commands(|words| words == ["by-us"]).len() >= 4);
    assert!(commands(|words| words.first() == Some(&"by-hand")).len() >= 8);
}

#[test]
fn the_sheet_brings_the_roles_back_as_the_document_does() {
    let (_, roles) = SHEET.split_once("{ printf").unwrap();
    let (roles, _) = roles.split_once("</pre>").unwrap();
    let document = commands(|words| words == ["by-us"]).concat().replace("\"$ID\"", "ID");
    assert!(
        roles.contains("database/globals.sql") && document.contains(roles),
        "{roles}"
    );
}

#[test]
fn backupctl_brings_everything_back() {
    let lost = Lost::new();
    let server = Postgres::start();
    let mut environment = environment(&lost, &server);
    let place = Scratch::new();
    let (files, config) = (place.path().join("files"), place.path().join("config"));
    let restored = server.database("restored");
    let catalog = place.path().join("catalog.db");
    for (name, value) in [
        ("CATALOG_URL", format!("sqlite://{}", catalog.display())),
        ("BACKUP_RESTORE_DATABASE", restored.url()),
        ("NEW_FILES", files.display().to_string()),
        ("NEW_CONFIG", config.display().to_string()),
    ] {
        environment.insert(name.to_owned(), value);
    }
    run(&commands(|words| words == ["by-us"]), &environment);
    lost.assert_same(&restored, &files);
    assert!(config.join("config.json").is_file());
    assert!(catalog.is_file());
}

#[test]
fn standard_tools_bring_everything_back_from_azure_and_from_a_folder() {
    let lost = Lost::new();
    let server = Postgres::start();
    let mut environment = environment(&lost, &server);
    // Ours is not needed, and not there.
    let path = format!("{}:{}", server.bin_dir().display(), std::env::var("PATH").unwrap());
    environment.insert("PATH".to_owned(), path);
    let copy = Scratch::new();
    for blob in lost.system.blobs.list() {
        let file = copy.path().join(&blob);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, lost.system.blobs.read(&blob)).unwrap();
    }
    environment.insert("BACKUPS".to_owned(), copy.path().display().to_string());
    for place in ["azure", "folder"] {
        let folder = run(
            &commands(|words| words == ["by-hand"] || words == ["by-hand", place]),
            &environment,
        );
        let restored = folder.path().join("restored");
        let about: Value = serde_json::from_slice(&fs::read(restored.join("database/about.json")).unwrap()).unwrap();
        let name = about["name"].as_str().unwrap();
        assert_eq!(name, lost.system.database.name);
        lost.assert_same(&server.database(name), &restored.join("files"));
        assert!(restored.join("config/config.json").is_file());
        server.psql("postgres", &format!("DROP DATABASE IF EXISTS {}", quoted(name)));
    }
}

#[test]
fn an_archive_that_somebody_changed_is_not_opened_by_hand() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let path = backup["storagePath"].as_str().unwrap();
    let mut stored = system.blobs.read(path);
    let middle = stored.len() / 2;
    stored[middle] ^= 1;
    system.blobs.write(path, &stored);
    // Whoever can write there can write a checksum too.
    let receipt_path = format!("{}.json", path.split('.').next().unwrap());
    let receipt = String::from_utf8(system.blobs.read(&receipt_path)).unwrap();
    let checksum = backup["checksum"].as_str().unwrap();
    let receipt = receipt.replace(checksum, &backup_tests::system::sha256(&stored));
    system.blobs.write(&receipt_path, receipt.as_bytes());
    let folder = Scratch::new();
    let commands = commands(|words| words == ["by-hand"] || words == ["by-hand", "folder"]);
    let script = format!("set -euo pipefail\n{}", commands.join("\n"));
    let done = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("BACKUPS", system.folder().join("data/storage"))
        .env("BACKUP_ENCRYPTION_KEY", system.setting("BACKUP_ENCRYPTION_KEY"))
        .output()
        .unwrap();
    assert!(!done.status.success());
    assert!(folder.path().join("F").exists());
    assert!(!folder.path().join("restored").exists(), "it was opened");
}
