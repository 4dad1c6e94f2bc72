//! Who builds on the same, lets go, or dies meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use backup_tests::poll;
use backup_tests::system::{System, stored_paths};
use serde_json::{Value, json};

use crate::{TRUTH, assert_all_good, assert_on, assert_promoted, text};

/// The steps of a deletion at which a process is killed.
const DELETING: [&str; 3] = ["delete-marked", "delete-receipt-gone", "delete-blob-gone"];

#[test]
fn two_at_once_build_on_one_base_and_retention_leaves_it() {
    let mut system = System::embedded();
    system.set("BACKUP_WORKERS", "2");
    system.fill_a_little();
    system.start();
    let schedule = schedule(&system, 2);
    let fire = || fire(&system, &schedule);
    let full = system.completed(&fire());
    assert_promoted(&full, "no base");
    system.change_a_little(1);
    let by_hand = || system.create_as("INCREMENTAL", "FULL_SYSTEM");
    let (one, other) = (by_hand(), fire());
    for id in [&one, &other] {
        let made = system.completed(id);
        assert_eq!(made["type"], "INCREMENTAL", "{made:#}");
        system.assert_restores(id);
    }
    let third = system.completed(&fire());
    assert_eq!(third["type"], "INCREMENTAL", "{third:#}");
    system.assert_restores(text(&third, "id"));
    // Only two may stay, but what they build on stays with them.
    assert_eq!(system.backup(text(&full, "id"))["status"], "COMPLETED");
    let preview = system.api().post(
        "/api/admin/backup/retention/preview",
        &json!({ "scheduleId": schedule }),
    );
    assert_eq!(preview.status, 200, "{}", preview.text());
    assert!(preview.text().contains("\"chain\""), "{}", preview.text());
    assert_all_good(&system);
}

/// A schedule of incremental backups of everything, which keeps so many.
fn schedule(system: &System, keeps: u64) -> String {
    let schedule = json!({
        "name": "nightly", "backupType": "INCREMENTAL", "backupSource": "FULL_SYSTEM", "cronExpression": "0 2 * * *",
        "timezone": "UTC", "retentionDays": 30, "maxBackups": keeps,
    });
    let made = system.api().post("/api/admin/backup/schedule", &schedule).expect(201);
    made["schedule"]["id"].as_str().unwrap().to_owned()
}

fn fire(system: &System, schedule: &str) -> String {
    let path = format!("/api/admin/backup/schedule/{schedule}/trigger");
    let fired = system.api().send("POST", &path, None).expect(202);
    fired["backup"]["id"].as_str().unwrap().to_owned()
}

/// Everything that the storage lists, by the command, which finds nothing wrong.
fn listed(system: &System) -> Vec<Value> {
    let listed = system.backupctl(&["list", "--json"]).expect(0);
    serde_json::from_str(&listed.stdout).unwrap()
}

#[test]
fn a_worker_killed_anywhere_in_an_incremental_leaves_a_true_catalog() {
    const CHECKPOINTS: [(&str, bool); 8] = [
        ("before-first-byte", false),
        ("in-database", false),
        ("in-files", false),
        ("in-config", false),
        ("before-commit", false),
        ("before-receipt", false),
        ("receipt-confirmed", false),
        ("before-row", true),
    ];
    let mut system = System::embedded();
    system
        .set("BACKUP_WORKERS", "0")
        .set("BACKUP_LEASE_SECONDS", "4")
        .set("BACKUP_CHAIN_MAX_WEIGHT", "10000");
    system.fill_a_little();
    system.start();
    let first = {
        let _worker = system.worker(&[]);
        system.back_up("FULL_SYSTEM")
    };
    let mut made = vec![first.clone()];
    for (step, (checkpoint, whole)) in (1..).zip(CHECKPOINTS) {
        let newest = made.last().unwrap();
        change_files(&system, step);
        let id = system.create_as("INCREMENTAL", "FULL_SYSTEM");
        let died = system.worker(&[("BACKUP_FAULT_AT", checkpoint)]).wait();
        assert_eq!(died.code, None, "{checkpoint}: {}{}", died.stdout, died.stderr);
        let left = system.backup(&id);
        assert_eq!(
            (&left["status"], &left["baseId"]),
            (&json!("IN_PROGRESS"), &newest["id"]),
            "{checkpoint}"
        );
        let base = format!("/api/admin/backup/{}", text(newest, "id"));
        assert_eq!(system.api().delete(&base).status, 409, "{checkpoint}: the base is held");
        assert_eq!(listed(&system).len(), step + usize::from(whole), "{checkpoint}");
        assert_all_good(&system);
        let worker = system.worker(&[]);
        let next = system.wait_until(&id, TRUTH, |backup| backup["status"] == "COMPLETED");
        assert_on(&next, newest, "INCREMENTAL");
        assert_eq!(worker.stderr().contains("backup_adopted"), whole, "{checkpoint}");
        system.assert_restores(&id);
        made.push(next);
        system.assert_stored(&made.iter().collect::<Vec<_>>());
    }
    assert_all_good(&system);
    let deleted = poll(TRUTH, || {
        let path = format!("/api/admin/backup/{}?cascade=true", text(&first, "id"));
        (system.api().delete(&path).status == 200).then_some(())
    });
    assert!(deleted.is_some());
    system.assert_stored(&[]);
}

fn change_files(system: &System, step: usize) {
    let file = system.uploads().join(format!("new {step}"));
    fs::write(file, vec![7; 10_000 * step]).unwrap();
    system
        .database
        .psql(&format!("INSERT INTO app.orders VALUES (1000000 + {step}, 'new')"));
}

#[test]
fn retention_that_is_killed_at_any_step_leaves_no_backup_without_its_base() {
    let mut system = System::embedded();
    system
        .set("BACKUP_WORKERS", "0")
        .set("BACKUP_LEASE_SECONDS", "4")
        .set("BACKUP_CHAIN_MAX_LENGTH", "1");
    system.fill_a_little();
    system.start();
    let schedule = schedule(&system, 1);
    let made_by = |worker: backup_tests::process::Running, id: &str| {
        let made = system.completed(id);
        drop(worker);
        made
    };
    let mut full = made_by(system.worker(&[]), &fire(&system, &schedule));
    for checkpoint in DELETING {
        change_files(&system, 1 + DELETING.iter().position(|at| *at == checkpoint).unwrap());
        let on_it = made_by(system.worker(&[]), &fire(&system, &schedule));
        assert_on(&on_it, &full, "INCREMENTAL");
        system.assert_stored(&[&full, &on_it]);
        // The next begins a new chain, and lets the old one go.
        let id = fire(&system, &schedule);
        let died = system.worker(&[("BACKUP_FAULT_AT", checkpoint)]).wait();
        assert_eq!(died.code, None, "{checkpoint}: {}{}", died.stdout, died.stderr);
        let next = system.backup(&id);
        assert_eq!(next["status"], "COMPLETED", "{checkpoint}: {next:#}");
        assert_promoted(&next, "long");
        let stored: BTreeSet<String> = listed(&system)
            .iter()
            .map(|backup| text(backup, "id").to_owned())
            .collect();
        assert!(
            stored.contains(text(&full, "id")) && stored.contains(&id),
            "{checkpoint}: {stored:?}"
        );
        assert_all_good(&system);
        let worker = system.worker(&[]);
        let gone = poll(TRUTH, || (system.blobs.list().len() == 2).then_some(()));
        assert!(gone.is_some(), "{checkpoint}: {}", worker.stderr());
        system.assert_stored(&[&next]);
        system.assert_restores(&id);
        assert_all_good(&system);
        full = next;
    }
}

#[test]
fn a_chain_whose_deletion_is_killed_at_any_step_goes_as_a_whole() {
    for checkpoint in DELETING {
        let mut system = System::embedded();
        system.set("BACKUP_LEASE_SECONDS", "4");
        system.fill_a_little();
        system.start();
        let full = system.back_up("FILES");
        let on_it = system.back_up_as("INCREMENTAL", "FILES");
        let further = system.back_up_as("INCREMENTAL", "FILES");
        let other = system.back_up("FILES");
        let _stopped = system.take_server().terminate();
        system.set("BACKUP_FAULT_AT", checkpoint).start();
        let path = format!("/api/admin/backup/{}?cascade=true", text(&on_it, "id"));
        let answer = system.api().try_send("DELETE", &path, None);
        assert!(answer.is_err(), "{checkpoint}: {answer:?}");
        let died = system.take_server().wait();
        assert_eq!(died.code, None, "{checkpoint}: {}{}", died.stdout, died.stderr);
        assert!(
            listed(&system).iter().any(|backup| backup["id"] == on_it["id"]),
            "{checkpoint}"
        );
        assert_all_good(&system);
        system.unset("BACKUP_FAULT_AT").start();
        let gone = poll(TRUTH, || {
            let path = format!("/api/admin/backup/{}", text(&on_it, "id"));
            (system.api().get(&path).status == 404).then_some(())
        });
        assert!(gone.is_some(), "{checkpoint}: {}", system.server().stderr());
        system.assert_stored(&[&full, &other]);
        assert_eq!(
            system
                .api()
                .get(&format!("/api/admin/backup/{}", text(&further, "id")))
                .status,
            404
        );
        assert_all_good(&system);
    }
}

#[test]
fn a_consolidation_that_is_killed_leaves_nothing_half_made() {
    const CHECKPOINTS: [(&str, bool); 5] = [
        ("before-first-byte", false),
        ("in-chain", false),
        ("before-commit", false),
        ("before-receipt", false),
        ("before-row", true),
    ];
    let mut system = System::embedded();
    system.set("BACKUP_LEASE_SECONDS", "4");
    system.fill_a_little();
    system.start();
    let mut good = vec![system.back_up("FULL_SYSTEM")];
    system.change_a_little(1);
    let last = system.point("INCREMENTAL");
    good.push(last.backup.clone());
    let consolidate = |checkpoint: &str| {
        let killed = system.program("backupctl").env("BACKUP_FAULT_AT", checkpoint);
        killed.args(["consolidate", last.id()]).run()
    };
    for (checkpoint, whole) in CHECKPOINTS {
        let before = system.blobs.list();
        let died = consolidate(checkpoint);
        assert_eq!(died.code, None, "{checkpoint}: {}{}", died.stdout, died.stderr);
        if checkpoint == "before-first-byte" {
            // What stands still for long, such as while the chain is checked, a server takes for a dead one's.
            assert_eq!(system.blobs.list(), before);
        }
        let listed = listed(&system);
        assert_eq!(
            listed.len(),
            good.len() + usize::from(whole),
            "{checkpoint}: {listed:#?}"
        );
        good.extend(
            listed
                .into_iter()
                .filter(|new| good.iter().all(|known| known["id"] != new["id"]))
                .collect::<Vec<_>>(),
        );
        assert_all_good(&system);
    }
    let again = system.backupctl(&["consolidate", last.id(), "--json"]).expect(0);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    for made in [&again, &good[2]] {
        assert_eq!((&made["type"], &made["baseId"]), (&json!("FULL"), &Value::Null));
        last.assert_is(&system, text(made, "id"));
    }
    good.push(again);
    // What the dead ones left goes with the first reconciliation after a while.
    let known: Vec<String> = good.iter().flat_map(stored_paths).collect();
    let left: Vec<String> = system
        .blobs
        .list()
        .into_iter()
        .filter(|path| !known.contains(path))
        .collect();
    assert_eq!(left.len(), 3, "{left:?}");
    for path in &left {
        let file = fs::File::options()
            .write(true)
            .open(system.folder().join("data/storage").join(path));
        file.unwrap()
            .set_modified(UNIX_EPOCH + Duration::from_hours(400_000))
            .unwrap();
    }
    let _stopped = system.take_server().terminate();
    system.start();
    let gone = poll(TRUTH, || (system.blobs.list().len() == known.len()).then_some(()));
    assert!(
        gone.is_some(),
        "{:?}\n{}",
        system.blobs.list(),
        system.server().stderr()
    );
    system.assert_stored(&good.iter().collect::<Vec<_>>());
    assert_all_good(&system);
}
