//! Backups that build on each other: every point of a chain comes back as it was, whatever happened around it, and nothing
//! passes for restorable whose base is gone.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod bases;
mod faults;
mod points;
mod unread;

use std::fs;
use std::time::Duration;

use backup_tests::system::System;
use backup_tests::system::restores::State;
use serde_json::Value;

/// How long after a crash the truth may take: the lease, and the work itself on a busy machine.
const TRUTH: Duration = Duration::from_mins(1);

/// A backup, and what it is to bring back.
struct Point {
    backup: Value,
    state: State,
}

/// Makes a backup and remembers what it is of.
fn point(system: &System, backup_type: &str) -> Point {
    Point {
        state: system.state(),
        backup: system.back_up_as(backup_type, "FULL_SYSTEM"),
    }
}

impl Point {
    fn id(&self) -> &str {
        text(&self.backup, "id")
    }

    /// Restores backup `id` and compares it bit for bit with this point.
    fn assert_is(&self, system: &System, id: &str) {
        let differences = system.restored_differences(id, "FULL_SYSTEM", &self.state);
        assert_eq!(differences, Vec::<String>::new(), "{}", self.id());
    }
}

/// Changes a little of the database and of the files.
fn change(system: &System, step: u32) {
    system.database.psql(&format!(
        "UPDATE app.orders SET note = md5(note) WHERE id % 50 = {step}; \
         INSERT INTO app.orders SELECT i, md5(i::text || '{step}') FROM generate_series({step}00001, {step}00020) i; \
         CREATE TABLE app.new_{step} AS SELECT i FROM generate_series(1, 10) i"
    ));
    let uploads = system.uploads();
    let noise = vec![u8::try_from(step).unwrap(); 100_000];
    fs::write(uploads.join(format!("new {step}")), &noise).unwrap();
    let mut content = fs::read(uploads.join("folder/file 9")).unwrap();
    content.splice(70_000..70_000, noise[..1000].iter().copied());
    fs::write(uploads.join("folder/file 9"), content).unwrap();
    fs::rename(
        uploads.join(format!("folder/file {}", 10 + step)),
        uploads.join(format!("moved {step}")),
    )
    .unwrap();
    let _linked = fs::hard_link(uploads.join("folder/file 2"), uploads.join(format!("link {step}")));
    let _gone = fs::remove_file(uploads.join(format!("folder/file {}", 3 + step)));
}

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
