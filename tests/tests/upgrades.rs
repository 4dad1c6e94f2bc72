//! What every release left behind is opened by the programs of today: the catalog is brought up to date, and everything in it
//! and in the storage is there.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeSet;

use backup_tests::releases::{self, Left, files, tables, told};
use backup_tests::system::System;
use serde_json::Value;

/// Runs `backupctl` and gives what it prints.
fn good(system: &System, args: &[&str]) -> String {
    system.backupctl(args).expect(0).stdout
}

/// Opens all and compares it with what the release told.
fn assert_lives_on(left: &Left) {
    let expected = &left.expected;
    let mut system = left.system();
    system.start();
    assert_eq!(told(&system), expected["told"]);

    let listed: Value = serde_json::from_str(&good(&system, &["list", "--json"])).unwrap();
    let ids = |list: &Value| -> BTreeSet<String> {
        let all = list.as_array().unwrap().iter();
        all.map(|backup| backup["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&listed), ids(&expected["backups"]));
    good(&system, &["key", "check"]);
    good(&system, &["verify", "--all"]);
    for backup in expected["backups"].as_array().unwrap() {
        let id = backup["id"].as_str().unwrap();
        let copy = system.new_database();
        let folder = system.folder().join(format!("restored {id}"));
        let shown = folder.display().to_string();
        good(
            &system,
            &["restore", id, "--to-database", &copy.url(), "--to-files", &shown],
        );
        assert_eq!(tables(&copy), backup["tables"], "{id}");
        assert_eq!(files(&folder), backup["files"], "{id}");
    }

    // It goes on, with files of its own: an empty folder would be taken for one that is not mounted.
    std::fs::write(system.uploads().join("new"), "new").unwrap();
    system.back_up("FILES");
    // What the catalog holds sealed is opened, and sealed anew.
    let _stopped = system.take_server().terminate();
    let old = system.setting("BACKUP_ENCRYPTION_KEY").to_owned();
    system.set("BACKUP_ENCRYPTION_KEY", "another passphrase for the catalog");
    system.set("BACKUP_ENCRYPTION_KEY_PREVIOUS", &old);
    good(&system, &["key", "rotate"]);
}

#[test]
fn what_releases_left_with_a_catalog_in_a_file_lives_on() {
    let all = releases::all("sqlite");
    assert!(!all.is_empty());
    all.iter().for_each(assert_lives_on);
}

#[test]
fn what_releases_left_with_a_catalog_on_a_server_lives_on() {
    let all = releases::all("postgres");
    assert!(!all.is_empty());
    all.iter().for_each(assert_lives_on);
}
