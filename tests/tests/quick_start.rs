//! `docs/quick-start.md`, executed as it stands but for the containers: what Compose would start is started here, with the
//! settings of `packaging/docker`.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::process::Command;

use backup_tests::azurite::Azurite;
use backup_tests::postgres::{Postgres, SUPERUSER};
use backup_tests::system::{Catalog, Storage, System};
use backup_tests::tree::Scratch;
use backup_tests::{process, tools};

const DOCUMENT: &str = include_str!("../../docs/quick-start.md");

/// `docker compose exec [-T] SERVICE PROGRAM ARGUMENT…` runs the program.
const DOCKER: &str = r#"docker() {
  [ "$1 $2" = "compose exec" ]; shift 2
  if [ "$1" = -T ]; then shift; fi
  shift; "$@"
}
"#;

/// The commands, block by block.
fn blocks() -> Vec<&'static str> {
    let parts: Vec<&str> = DOCUMENT.split("```").collect();
    assert_eq!(parts.len() % 2, 1, "a block has no end");
    let code = parts.iter().skip(1).step_by(2);
    code.map(|block| block.strip_prefix("sh\n").expect("commands of a shell"))
        .collect()
}

/// What PostgreSQL's container does when its data folder is made.
fn fill(cluster: &Postgres) {
    let mut script = Command::new(tools::workspace().join("packaging/docker/postgres.sh"));
    script
        .env("PATH", path(cluster))
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", cluster.port().to_string())
        .env("PGPASSWORD", cluster.password())
        .env("POSTGRES_USER", SUPERUSER)
        .env("APP_PASSWORD", "app")
        .env("CATALOG_PASSWORD", "catalog");
    tools::run(&mut script).unwrap();
}

/// With our programs, PostgreSQL's, and `jq`.
fn path(cluster: &Postgres) -> String {
    let jq = tools::debian::program("jq").unwrap();
    let ours = process::built("backupctl");
    let folders = [ours.parent().unwrap(), cluster.bin_dir(), jq.parent().unwrap()];
    let folders = folders.map(|folder| format!("{}:", folder.display())).concat();
    folders + &std::env::var("PATH").unwrap()
}

#[test]
fn a_new_reader_gets_to_a_verified_backup_a_schedule_and_a_restore() {
    let cluster = Postgres::start();
    fill(&cluster);
    let mut system = System::with(&cluster, Catalog::Sqlite, Storage::Azurite(Azurite::shared()));
    let port = cluster.port();
    let uploads = tools::workspace().join("packaging/docker/uploads");
    let app = format!("postgres://app:app@127.0.0.1:{port}/app");
    let settings = [
        (
            "CATALOG_URL",
            format!("postgres://catalog:catalog@127.0.0.1:{port}/catalog"),
        ),
        ("DATABASE_NAME", "app".to_owned()),
        ("DATABASE_USER", "app".to_owned()),
        ("DATABASE_PASSWORD", "app".to_owned()),
        ("UPLOAD_DIR", uploads.display().to_string()),
        ("BACKUP_DRILL_SERVER_URL", app),
        ("BACKUP_WORKERS", "0".to_owned()),
    ];
    for (name, value) in settings {
        system.set(name, &value);
    }
    system.start();
    let _scheduler = system.worker(&[]);

    let blocks = blocks();
    // The first block starts what runs already.
    assert!(blocks[0].contains("docker compose up"));
    let commands = blocks[1..]
        .concat()
        .replace("localhost:8080", &format!("127.0.0.1:{}", system.port()));
    let folder = Scratch::new();
    let mut bash = Command::new("bash");
    bash.arg("-c")
        .arg(format!("set -euo pipefail\n{DOCKER}{commands}"))
        .current_dir(folder.path())
        .env("PATH", path(&cluster))
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", port.to_string())
        .env("PGPASSWORD", "app");
    for name in [
        "AZURE_STORAGE_CONNECTION_STRING",
        "BACKUP_ADMIN_PASSWORD",
        "BACKUP_CONTAINER_NAME",
        "BACKUP_DATA_DIR",
        "BACKUP_ENCRYPTION_KEY",
    ] {
        bash.env(name, system.setting(name));
    }
    let output = tools::run(&mut bash).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for promised in [
        "\"status\": \"COMPLETED\"",
        "files/hello.txt",
        "\"verifyLevel\": \"RESTORE\",\n  \"verifyError\": null",
        "\"cronDescription\": \"Every day at 2:00\"",
        "DELETE 1000",
        " 1000\n(1 row)",
        "A file of the application.",
    ] {
        assert!(said.contains(promised), "not seen: {promised}\n{said}");
    }
}
