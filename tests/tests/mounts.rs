//! A disk that is not mounted when the programs start, and is later: nobody loses a backup for it.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use backup_tests::poll;
use backup_tests::system::System;
use serde_json::Value;

/// How long the truth may take after a start.
const TRUTH: Duration = Duration::from_mins(1);

fn path(backup: &Value) -> String {
    format!("/api/admin/backup/{}", backup["id"].as_str().unwrap())
}

fn open_alerts(system: &System, kind: &str) -> Vec<Value> {
    let alerts = system.api().get("/api/admin/backup/alerts?state=OPEN").expect(200);
    let all = alerts["alerts"].as_array().unwrap().iter();
    all.filter(|alert| alert["kind"] == kind).cloned().collect()
}

/// Where the storage is, and where its disk is meanwhile.
fn places(system: &System) -> (PathBuf, PathBuf) {
    (system.folder().join("data/storage"), system.folder().join("the disk"))
}

#[test]
fn a_disk_that_is_not_mounted_for_a_while_costs_no_backup() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    let full = system.back_up("FULL_SYSTEM");
    let on_it = system.back_up_as("INCREMENTAL", "FULL_SYSTEM");
    let unwanted = system.back_up("CONFIG");
    let _stopped = system.take_server().terminate();
    let (storage, disk) = places(&system);
    fs::rename(&storage, &disk).unwrap();
    fs::create_dir(&storage).unwrap();
    system.start();
    let told = poll(TRUTH, || open_alerts(&system, "STORAGE_UNREACHABLE").pop());
    let told = told.unwrap_or_else(|| panic!("nobody is told: {}", system.server().stderr()));
    assert!(told["message"].as_str().unwrap().contains("mounted"), "{told:#}");
    assert_eq!(open_alerts(&system, "BACKUP_LOST"), Vec::<Value>::new());
    for backup in [&full, &on_it, &unwanted] {
        let shown = system.backup(backup["id"].as_str().unwrap());
        assert_eq!(shown["verifyError"], Value::Null, "{shown:#}");
    }
    let refused = system.api().delete(&path(&unwanted));
    assert_eq!(refused.status, 503, "{}", refused.text());
    let _stopped = system.take_server().terminate();

    fs::remove_dir(&storage).unwrap();
    fs::rename(&disk, &storage).unwrap();
    system.start();
    let gone = poll(TRUTH, || {
        (system.api().get(&path(&unwanted)).status == 404).then_some(())
    });
    assert!(gone.is_some(), "{}", system.server().stderr());
    let calm = poll(TRUTH, || {
        open_alerts(&system, "STORAGE_UNREACHABLE").is_empty().then_some(())
    });
    assert!(calm.is_some(), "{}", system.server().stderr());
    system.assert_stored(&[&full, &on_it]);
    let _clean = system.backupctl(&["verify", "--all"]).expect(0);
    system.assert_restores(on_it["id"].as_str().unwrap());
}
