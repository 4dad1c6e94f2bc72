//! The worker is killed at every step of a backup: afterwards the catalog is true, nothing half-made is listed or left, and
//! the next backup is good.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::time::Duration;

use backup_tests::azurite::Azurite;
use backup_tests::poll;
use backup_tests::postgres::Postgres;
use backup_tests::proxy::Proxy;
use backup_tests::system::{Catalog, Storage, System, stored_paths};
use serde_json::Value;

/// The shortest lease there is, for whoever is to die. Where attempts are counted, whoever comes after it has the usual
/// one, which a slow machine does not let run out.
const LEASE: &str = "4";

/// How long after a crash the truth may take: the lease, and the work itself on a busy machine.
const TRUTH: Duration = Duration::from_mins(2);

/// Where the worker dies, and whether its backup stood in the storage by then.
const CHECKPOINTS: [(&str, bool); 7] = [
    ("before-first-byte", false),
    ("in-database", false),
    ("in-files", false),
    ("in-config", false),
    ("before-commit", false),
    ("before-receipt", false),
    ("before-row", true),
];

#[test]
fn a_worker_killed_anywhere_leaves_a_true_catalog_with_sqlite_and_a_folder() {
    for (checkpoint, whole) in CHECKPOINTS {
        survives(System::embedded(), checkpoint, whole);
    }
}

#[test]
fn a_worker_killed_anywhere_leaves_a_true_catalog_with_postgresql_and_azure() {
    for (checkpoint, whole) in CHECKPOINTS {
        survives(System::services(), checkpoint, whole);
    }
}

fn survives(mut system: System, checkpoint: &str, whole: bool) {
    system.set("BACKUP_WORKERS", "0");
    system.fill_a_little();
    system.start();
    let id = system.create("FULL_SYSTEM");
    let died = system
        .worker(&[("BACKUP_FAULT_AT", checkpoint), ("BACKUP_LEASE_SECONDS", LEASE)])
        .wait();
    assert_eq!(
        died.code, None,
        "{checkpoint}: the worker did not die there\n{}{}",
        died.stdout, died.stderr
    );
    let left = system.backup(&id);
    assert_eq!(left["status"], "IN_PROGRESS", "{checkpoint}: {left:#}");
    let listed: Value = serde_json::from_str(&system.backupctl(&["list", "--json"]).expect(0).stdout).expect("JSON");
    assert_eq!(
        listed.as_array().unwrap().len(),
        usize::from(whole),
        "{checkpoint}: what is listed after the crash"
    );
    let before = whole.then(|| system.blobs.read(&stored_paths(&listed[0])[1]));

    let worker = system.worker(&[]);
    let backup = system.wait_until(&id, TRUTH, |backup| {
        backup["status"] != "IN_PROGRESS" && backup["status"] != "PENDING"
    });
    let log = worker.stderr();
    assert_eq!(backup["status"], "COMPLETED", "{checkpoint}: {backup:#}\n{log}");
    assert_eq!(backup["attempts"], 2, "{checkpoint}: {backup:#}");
    assert_eq!(log.contains("backup_adopted"), whole, "{checkpoint}: {log}");
    check_log(&backup, checkpoint, whole);
    system.assert_stored(&[&backup]);
    if let Some(receipt) = before {
        assert!(
            receipt == system.blobs.read(&stored_paths(&backup)[1]),
            "a whole backup is adopted, not made again"
        );
    }
    let next = system.back_up("FULL_SYSTEM");
    system.assert_stored(&[&backup, &next]);
    let _verified = system.backupctl(&["verify", &id]).expect(0);
    system.assert_restores(next["id"].as_str().unwrap());
    assert_eq!(worker.temporary_files(), Vec::<std::path::PathBuf>::new());
}

/// What both workers did, as a person reads it: the dead one's lines up to its last heartbeat, which is at the latest when it
/// makes sure that the job is its own, and behind them the next one's.
fn check_log(backup: &Value, checkpoint: &str, whole: bool) {
    let texts = texts(backup);
    let has = |expected: &str| texts.iter().any(|text| text.contains(expected));
    if ["before-receipt", "before-row"].contains(&checkpoint) {
        assert!(texts[0].contains("attempt 1"), "{checkpoint}: {texts:#?}");
    }
    assert!(
        has("attempt 2") && has("its lease has run out"),
        "{checkpoint}: {texts:#?}"
    );
    assert_eq!(has("made it whole"), whole, "{checkpoint}: {texts:#?}");
    assert!(
        texts.last().unwrap().starts_with("COMPLETED"),
        "{checkpoint}: {texts:#?}"
    );
}

/// The lines of a backup's log.
fn texts(backup: &Value) -> Vec<String> {
    let lines = backup["log"].as_array().unwrap().iter();
    lines.map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_backup_that_kills_every_worker_is_given_up_and_leaves_nothing() {
    let mut system = System::services();
    system.set("BACKUP_WORKERS", "0").set("BACKUP_LEASE_SECONDS", LEASE);
    system.fill_a_little();
    system.start();
    let id = system.create("FULL_SYSTEM");
    for _ in 0..3 {
        let died = system.worker(&[("BACKUP_FAULT_AT", "before-receipt")]).wait();
        assert_eq!(died.code, None, "{}{}", died.stdout, died.stderr);
    }
    let worker = system.worker(&[]);
    let message = system.failed(&id);
    assert!(message.contains("3 attempts"), "{message}");
    let texts = texts(&system.backup(&id));
    assert!(texts[0].contains("attempt 1"), "{texts:#?}");
    assert_eq!(texts.last(), Some(&format!("FAILED: {message}")));
    let empty = poll(TRUTH, || system.blobs.list().is_empty().then_some(()));
    assert!(empty.is_some(), "{:?}\n{}", system.blobs.list(), worker.stderr());
    let next = system.back_up("FULL_SYSTEM");
    system.assert_stored(&[&next]);
}

#[test]
fn a_blob_without_a_receipt_is_never_listed_and_goes() {
    let mut system = System::embedded();
    system.set("BACKUP_LEASE_SECONDS", LEASE);
    system.fill_a_little();
    system.start();
    let backup = system.back_up("FILES");
    let [path, receipt] = stored_paths(&backup);
    // The receipt of a completed backup is lost: the blob stays for people to look at, but it is no backup any more.
    let kept = system.blobs.read(&receipt);
    system.blobs.remove(&receipt);
    // A blob that no row knows, as old as a crash long ago.
    let stray = "2020/01-01/01900000-0000-7000-8000-000000000000.tar.gz.enc";
    system.blobs.write(stray, b"half a backup");
    let file = system.folder().join("data/storage").join(stray);
    std::fs::File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH + Duration::from_hours(400_000))
        .unwrap();
    let listed = system.backupctl(&["list", "--json"]).expect(0);
    assert_eq!(listed.stdout.trim(), "[]");
    let _stopped = system.take_server().terminate();
    system.start();
    let gone = poll(TRUTH, || (system.blobs.list() == [path.clone()]).then_some(()));
    assert!(
        gone.is_some(),
        "{:?}\n{}",
        system.blobs.list(),
        system.server().stderr()
    );
    system.blobs.write(&receipt, &kept);
    let _verified = system.backupctl(&["verify", backup["id"].as_str().unwrap()]).expect(0);
}

#[test]
fn a_deletion_that_is_cut_short_is_finished() {
    let azurite = Azurite::shared();
    let proxy = Proxy::to(azurite.port());
    let postgres = Postgres::shared();
    let mut system = System::with(postgres, Catalog::Sqlite, Storage::Azurite(azurite));
    let direct = azurite.connection_string();
    system.set(
        "AZURE_STORAGE_CONNECTION_STRING",
        &direct.replace(&azurite.port().to_string(), &proxy.port().to_string()),
    );
    system.fill_a_little();
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let id = backup["id"].as_str().unwrap();
    proxy.stall();
    let path = format!("/api/admin/backup/{id}");
    let api = system.api().clone();
    let deleting = std::thread::spawn(move || api.try_send("DELETE", &path, None));
    let marked = poll(TRUTH, || (system.backup(id)["deleting"] == true).then_some(()));
    assert!(marked.is_some(), "{:#}", system.backup(id));
    let _killed = system.take_server().kill9();
    assert!(deleting.join().unwrap().is_err());
    system.assert_stored(&[&backup]);
    proxy.mend();
    system.start();
    let gone = poll(TRUTH, || {
        (system.api().get(&format!("/api/admin/backup/{id}")).status == 404).then_some(())
    });
    assert!(gone.is_some(), "{:#}\n{}", system.backup(id), system.server().stderr());
    system.assert_stored(&[]);
}
