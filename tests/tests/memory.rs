//! Memory does not grow with what is backed up, and no temporary file is made. `BACKUP_TEST_FULL=1` measures a database of
//! a gigabyte and a million files; otherwise a share of it.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use backup_tests::system::{System, sha256};
use backup_tests::{note, poll, tree};

/// What the worker may take at the most, whatever the size.
const LIMIT: u64 = 256 << 20;

/// Both tests measure: one after the other, so that each has the machine for itself.
static ALONE: Mutex<()> = Mutex::new(());

fn full() -> bool {
    std::env::var("BACKUP_TEST_FULL").is_ok_and(|value| value == "1")
}

/// Backs the source up by a worker of its own; gives the peak of its memory. No temporary file may be seen on the way.
fn peak(system: &System, source: &str) -> u64 {
    let worker = system.worker(&[]);
    let id = system.create(source);
    let mut temporary: BTreeSet<PathBuf> = BTreeSet::new();
    let ended = poll(Duration::from_mins(15), || {
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
        "{source}: {} read, {} MiB of memory at the peak",
        backup["sourceBytes"],
        peak >> 20
    ));
    peak
}

#[test]
fn a_large_database_and_a_large_tree_stay_under_the_limit() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (files, megabytes) = if full() { (1_000_000, 1024) } else { (200_000, 300) };
    let mut system = System::embedded();
    system.set("BACKUP_WORKERS", "0");
    system.fill_database(megabytes);
    tree::million(&system.uploads(), files);
    system.start();
    let peak = peak(&system, "FULL_SYSTEM");
    assert!(peak < LIMIT, "{} MiB", peak >> 20);
    let backup = system.api().get("/api/admin/backup").expect(200)["backups"][0].take();
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
    assert!(system.server().peak_memory() < LIMIT);
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
        std::fs::create_dir(&folder).unwrap();
        tree::million(&folder, files);
        system.set("UPLOAD_DIR", folder.to_str().unwrap());
        peaks.push(peak(&system, "FILES"));
    }
    let growth = peaks[1].saturating_sub(peaks[0]);
    assert!(growth < 8 << 20, "{} MiB became {} MiB", peaks[0] >> 20, peaks[1] >> 20);
}
