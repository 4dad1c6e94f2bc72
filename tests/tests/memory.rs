//! Memory does not grow with what is backed up, and no temporary file is made. `BACKUP_TEST_FULL=1` measures a database of
//! a gigabyte and a million files, and an incremental backup of them; otherwise a share of it.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use backup_tests::system::{System, sha256};
use backup_tests::{note, poll, tree};
use serde_json::{Value, json};

/// What the worker may take at the most, whatever the size.
const LIMIT: u64 = 256 << 20;

/// Both tests measure: one after the other, so that each has the machine for itself.
static ALONE: Mutex<()> = Mutex::new(());

fn full() -> bool {
    std::env::var("BACKUP_TEST_FULL").is_ok_and(|value| value == "1")
}

/// Makes a backup by a worker of its own; gives it, and the peak of the worker's memory. No temporary file may be seen on
/// the way.
fn peak(system: &System, backup_type: &str, source: &str) -> (Value, u64) {
    let worker = system.worker(&[]);
    let id = system.create_as(backup_type, source);
    let mut temporary: BTreeSet<PathBuf> = BTreeSet::new();
    let ended = poll(Duration::from_mins(30), || {
        temporary.extend(worker.temporary_files());
        // A file that was unlinked as soon as it was open takes room all the same.
        temporary.extend(worker.open_files().into_iter().filter(|path| {
            let text = path.to_string_lossy();
            text.ends_with(" (deleted)") && !text.contains("/memfd:")
        }));
        let status = &system.backup(&id)["status"];
        (status != "PENDING" && status != "IN_PROGRESS").then_some(())
    });
    assert!(ended.is_some(), "{:#}", system.backup(&id));
    let backup = system.completed(&id);
    let peak = worker.peak_memory();
    let ended = worker.terminate().expect(0);
    temporary.extend(ended.temporary_files);
    assert_eq!(temporary, BTreeSet::new(), "temporary files of a backup");
    note(format!(
        "{backup_type} of {source}: {} read, {} stored, {} MiB of memory at the peak",
        backup["sourceBytes"],
        backup["sizeBytes"],
        peak >> 20
    ));
    (backup, peak)
}

#[test]
fn a_large_database_and_a_large_tree_stay_under_the_limit() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (files, megabytes) = if full() { (1_000_000, 1024) } else { (200_000, 300) };
    let mut system = System::embedded();
    system.set("BACKUP_WORKERS", "0");
    tree::million(&system.uploads(), files);
    system.fill_database(megabytes);
    system.start();
    // Two threads have written a half each: either may have been the last.
    let halves = [2000, 1000].map(|share| system.uploads().join(format!("{:06}", (files - 1) / share)));
    for folder in &halves {
        tree::rest(folder);
    }
    let [_, last] = halves;
    let (backup, peak) = peak(&system, "FULL", "FULL_SYSTEM");
    assert!(peak < LIMIT, "{} MiB", peak >> 20);
    assert_eq!(backup["contents"]["files"]["fileCount"], files);
    assert_eq!(
        backup["checksum"],
        sha256(&system.blobs.read(backup["storagePath"].as_str().unwrap()))
    );
    let verified = system.backupctl(&["verify", backup["id"].as_str().unwrap()]).expect(0);
    assert!(
        verified.usage.own_memory < LIMIT,
        "verify: {} MiB",
        verified.usage.own_memory >> 20
    );
    if full() {
        a_few_changes_are_all_that_is_read(&system, &backup, &last);
    }
    assert!(system.server().peak_memory() < LIMIT);
}

/// An incremental backup on a full one of a million files, after a few changes in the folder `changed`.
fn a_few_changes_are_all_that_is_read(system: &System, full: &Value, changed: &Path) {
    let mut files = fs::read_dir(changed).unwrap().map(|entry| entry.unwrap().path());
    fs::remove_file(files.next().unwrap()).unwrap();
    for file in files.take(5) {
        fs::write(file, "another content\n").unwrap();
    }
    fs::write(changed.join("new"), "a new file\n").unwrap();
    let (backup, peak) = peak(system, "INCREMENTAL", "FULL_SYSTEM");
    assert_eq!(
        (&backup["type"], &backup["baseId"]),
        (&json!("INCREMENTAL"), &full["id"]),
        "{backup:#}"
    );
    assert!(peak < LIMIT, "{} MiB", peak >> 20);
    assert_eq!(
        backup["contents"]["files"]["fileCount"],
        full["contents"]["files"]["fileCount"]
    );
    // The database and the configuration are read as a whole each time.
    let read = |backup: &Value| backup["sourceBytes"].as_u64().unwrap();
    let all_files = full["contents"]["files"]["sizeBytes"].as_u64().unwrap();
    let spared = read(full) - read(&backup);
    assert!(
        spared.abs_diff(all_files) < 10_000,
        "{spared} of {all_files} bytes were not read"
    );
    let verified = system.backupctl(&["verify", "--all"]).expect(0);
    assert!(
        verified.usage.own_memory < LIMIT,
        "verify: {} MiB",
        verified.usage.own_memory >> 20
    );
}

#[test]
fn four_times_the_files_take_no_more_memory() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let few = if full() { 250_000 } else { 25_000 };
    let mut system = System::embedded();
    system.set("BACKUP_WORKERS", "0");
    system.start();
    let mut peaks = Vec::new();
    for files in [few, 4 * few] {
        let folder = system.folder().join(format!("{files} files"));
        fs::create_dir(&folder).unwrap();
        tree::million(&folder, files);
        system.set("UPLOAD_DIR", folder.to_str().unwrap());
        peaks.push(peak(&system, "FULL", "FILES").1);
    }
    let growth = peaks[1].saturating_sub(peaks[0]);
    assert!(growth < 8 << 20, "{} MiB became {} MiB", peaks[0] >> 20, peaks[1] >> 20);
}
