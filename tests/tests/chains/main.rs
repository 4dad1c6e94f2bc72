//! Backups that build on each other: every point of a chain comes back as it was, whatever happened around it, and nothing
//! passes for restorable whose base is gone.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod bases;
mod faults;
mod points;
mod unread;

use std::time::Duration;

use backup_tests::system::System;
use serde_json::Value;

/// How long after a crash the truth may take: the lease, and the work itself on a busy machine.
const TRUTH: Duration = Duration::from_mins(1);

fn text<'a>(backup: &'a Value, name: &str) -> &'a str {
    backup[name].as_str().unwrap_or_default()
}

fn size(backup: &Value) -> u64 {
    backup["sizeBytes"].as_u64().unwrap()
}

/// Whether the backup was made FULL for this reason, and says so.
fn assert_promoted(backup: &Value, why: &str) {
    assert_eq!(backup["type"], "FULL", "{backup:#}");
    assert_eq!(backup["baseId"], Value::Null, "{backup:#}");
    let warnings = backup["warnings"].as_array().unwrap();
    assert!(
        warnings
            .iter()
            .any(|warning| warning["code"] == "PROMOTED_TO_FULL" && warning["message"].as_str().unwrap().contains(why)),
        "{warnings:#?}"
    );
}

fn assert_on(backup: &Value, base: &Value, backup_type: &str) {
    assert_eq!(backup["type"], backup_type, "{backup:#}");
    assert_eq!(backup["baseId"], base["id"], "{backup:#}");
}

/// Restores the files of a backup and compares them with what they are now.
fn assert_restores_files(system: &System, backup: &Value) {
    let differences = system.restored_differences(text(backup, "id"), "FILES", &system.state());
    assert_eq!(differences, Vec::<String>::new(), "{backup:#}");
}

fn assert_all_good(system: &System) {
    let _verified = system.backupctl(&["verify", "--all"]).expect(0);
}
