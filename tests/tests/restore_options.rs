//! A restore does what it was told to do otherwise: by several connections, without tablespaces, only some paths.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use backup_tests::postgres::Postgres;
use backup_tests::system::{System, assert_same_databases};
use backup_tests::unique;
use serde_json::{Value, json};

#[test]
fn several_connections_restore_a_large_database_as_it_was() {
    let mut system = System::embedded();
    // More than the 256 MiB from which on a dump is put down, of which the storage sees little.
    system.database.psql(
        "CREATE TABLE large (id int PRIMARY KEY, text text); CREATE TABLE small AS SELECT 1 AS one;
         INSERT INTO large SELECT i, repeat(md5(i::text), 3000) FROM generate_series(1, 3000) i",
    );
    let (programs, staging) = (system.folder().join("programs"), system.folder().join("staging"));
    let told = system.folder().join("told");
    let script = format!("echo \"$@\" >>{}\nexec REAL \"$@\"", told.display());
    Postgres::shared().programs_with(&programs, "pg_restore", &script);
    fs::create_dir(&staging).unwrap();
    system.set("DATABASE_PROGRAMS", programs.to_str().unwrap());
    system.start();
    let backup = system.back_up("DATABASE");
    let restore = |jobs: &str| {
        let copy = system.new_database();
        let (id, url, staging) = (backup["id"].as_str().unwrap(), copy.url(), staging.to_str().unwrap());
        let arguments = [
            "restore",
            id,
            "--to-database",
            &url,
            "--staging",
            staging,
            "--jobs",
            jobs,
        ];
        fs::write(&told, "").unwrap();
        let done = system.backupctl(&arguments).expect(0);
        assert!(!done.stderr.contains("warning"), "{}", done.stderr);
        assert_same_databases(&system.database, &copy);
        fs::read_to_string(&told).unwrap()
    };
    assert!(restore("3").contains("--jobs=3"));
    assert!(
        !restore("1").contains("--jobs"),
        "one connection needs no dump on the disk"
    );
    assert_eq!(
        fs::read_dir(&staging).unwrap().count(),
        0,
        "the dump is left in plain text"
    );
}

#[test]
fn what_lay_in_a_tablespace_comes_back_on_a_server_without_it() {
    let mut system = System::embedded();
    let name = format!("space_{}", unique());
    system.database.psql(&format!(
        "SET allow_in_place_tablespaces = on; CREATE TABLESPACE {name} LOCATION ''"
    ));
    system.database.psql(&format!(
        "CREATE TABLE elsewhere TABLESPACE {name} AS SELECT i FROM generate_series(1, 1000) i;
         CREATE INDEX elsewhere_i ON elsewhere (i) TABLESPACE {name}"
    ));
    system.start();
    let backup = system.back_up("DATABASE");
    let id = backup["id"].as_str().unwrap();
    system
        .database
        .psql("ALTER INDEX elsewhere_i SET TABLESPACE pg_default");
    system.database.psql("ALTER TABLE elsewhere SET TABLESPACE pg_default");
    system.database.psql(&format!("DROP TABLESPACE {name}"));

    let copy = system.new_database();
    let restore = |skip: bool| json!({ "mode": "NEW", "targetDatabase": copy.name, "skipTablespaces": skip });
    let refused = system.wait_for_restore(&system.restore(id, &restore(false)));
    assert_eq!(refused["status"], "FAILED", "{refused:#}");
    let message = refused["errorMessage"].as_str().unwrap();
    assert!(
        message.contains(&name) && message.contains("skipTablespaces"),
        "{message}"
    );
    let restored = system.restored(&system.restore(id, &restore(true)));
    assert_eq!(restored["options"]["skipTablespaces"], true, "{restored:#}");
    assert_same_databases(&system.database, &copy);

    let copy = system.new_database();
    let url = copy.url();
    let restore = ["restore", id, "--to-database", &url];
    let refused = system.backupctl(&restore).expect(1);
    assert!(refused.stderr.contains("--skip-tablespaces"), "{}", refused.stderr);
    let restore = [&restore[..], &["--skip-tablespaces"]].concat();
    let _done = system.backupctl(&restore).expect(0);
    assert_same_databases(&system.database, &copy);
}

#[test]
fn a_plan_names_every_archive_and_each_path_that_is_not_there() {
    let mut system = System::embedded();
    let odd = OsStr::from_bytes(b"odd\\\xff\n");
    fs::create_dir(system.uploads().join("folder")).unwrap();
    fs::write(system.uploads().join("folder").join(odd), "odd").unwrap();
    system.start();
    let full = system.back_up("FILES");
    fs::write(system.uploads().join("new"), "new").unwrap();
    let last = system.back_up_as("INCREMENTAL", "FILES");
    let id = last["id"].as_str().unwrap();
    let target = system.folder().join("restored");
    let restore = |paths: &[&str]| json!({ "mode": "NEW", "targetDir": target, "paths": paths });

    let plan = |paths: &[&str]| {
        let path = format!("/api/admin/backup/{id}/restore/plan");
        system.api().post(&path, &restore(paths)).expect(200)["plan"].clone()
    };
    // As the contents show it.
    let shown = r"files/folder/odd\\\xff\x0a";
    let made = plan(&[shown, "new"]);
    let archives: Vec<&Value> = made["archives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["backupId"])
        .collect();
    assert_eq!(archives, [&last["id"], &full["id"]], "{made:#}");
    assert_eq!(made["refusals"], json!([]), "{made:#}");
    let made = plan(&["files/nowhere", "folder", "folder/odd"]);
    let refusals = made["refusals"].as_array().unwrap();
    let found: Vec<(&str, bool)> = refusals
        .iter()
        .map(|one| {
            (
                one["code"].as_str().unwrap(),
                one["message"].as_str().unwrap().contains("'nowhere'"),
            )
        })
        .collect();
    assert_eq!(found, [("NOT_IN_BACKUP", true), ("NOT_IN_BACKUP", false)], "{made:#}");
    for (refusal, near) in refusals.iter().zip(["'files/new'", shown]) {
        assert!(refusal["hint"].as_str().unwrap().contains(near), "{refusal:#}");
    }
    assert!(!target.exists());

    let _done = system.restored(&system.restore(id, &restore(&[shown])));
    assert_eq!(fs::read(target.join("folder").join(odd)).unwrap(), b"odd");
    assert!(!target.join("new").exists());
}
