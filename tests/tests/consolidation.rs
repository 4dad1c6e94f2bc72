//! The server makes a full backup of a chain from the storage alone: it brings back bit for bit what the chain did, whoever
//! dies meanwhile, and the chain may go then.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::time::Duration;

use backup_tests::poll;
use backup_tests::system::{Answer, Point, System};
use serde_json::{Value, json};

/// How long after a crash the truth may take: the lease, and the work itself on a busy machine.
const TRUTH: Duration = Duration::from_mins(1);

/// A full backup and so many that build on each other.
fn chain(system: &System, length: u8) -> Vec<Point> {
    let mut points = vec![system.point("FULL")];
    for step in 1..=length {
        system.change_a_little(step);
        let made = system.point("INCREMENTAL");
        assert_eq!(made.backup["baseId"], json!(points.last().unwrap().id()));
        points.push(made);
    }
    points
}

fn consolidate(system: &System, id: &str) -> Answer {
    let path = format!("/api/admin/backup/{id}/consolidate");
    system.api().send("POST", &path, None)
}

fn asked(answer: &Answer) -> String {
    answer.expect(202)["backup"]["id"].as_str().unwrap().to_owned()
}

fn delete_all(system: &System, first: &str) -> Answer {
    system.api().delete(&format!("/api/admin/backup/{first}?cascade=true"))
}

fn code(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["code"].clone())
}

#[test]
fn a_chain_is_made_full_and_may_go_with_sqlite_and_a_folder() {
    made_full(System::embedded());
}

#[test]
fn a_chain_is_made_full_and_may_go_with_postgresql_and_azure() {
    made_full(System::services());
}

fn made_full(mut system: System) {
    system.set("BACKUP_WORKERS", "0");
    system.fill_a_little();
    // Each step changes much of so little.
    system.set("BACKUP_CHAIN_MAX_WEIGHT", "1000");
    system.start();
    let worker = system.worker(&[]);
    let points = chain(&system, 5);
    let (first, last) = (&points[0], &points[5]);
    let _stopped = worker.terminate();

    assert_eq!(
        code(&consolidate(&system, first.id())),
        (409, json!("backup_stands_alone"))
    );
    let id = asked(&consolidate(&system, last.id()));
    assert_eq!(
        code(&consolidate(&system, last.id())),
        (409, json!("backup_consolidating"))
    );
    let middle = asked(&consolidate(&system, points[2].id()));
    assert_eq!(code(&delete_all(&system, first.id())), (409, json!("backup_in_use")));
    let worker = system.worker(&[]);
    let made = system.completed(&id);
    let also = system.completed(&middle);
    for (made, of) in [(&made, last), (&also, &points[2])] {
        assert_eq!((&made["type"], &made["baseId"]), (&json!("FULL"), &Value::Null));
        assert_eq!(made["consolidatedFrom"], json!(of.id()));
        for same in ["createdAt", "source", "contents", "description"] {
            assert_eq!(made[same], of.backup[same], "{same}");
        }
    }
    let deleted = delete_all(&system, first.id());
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    system.assert_stored(&[&made, &also]);
    last.assert_is(&system, &id);
    points[2].assert_is(&system, &middle);
    let _verified = system.backupctl(&["verify", "--all"]).expect(0);
    let shown = system.backupctl(&["show", &id]).expect(0).stdout;
    assert!(shown.contains(last.id()), "{shown}");

    // Of both it is the one of the newer time that is built on.
    system.change_a_little(6);
    let next = system.point("INCREMENTAL");
    assert_eq!(next.backup["baseId"], json!(id));
    next.assert_is(&system, next.id());
    assert_eq!(worker.temporary_files(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_worker_killed_anywhere_leaves_a_true_catalog() {
    const CHECKPOINTS: [(&str, bool); 6] = [
        ("before-first-byte", false),
        ("in-chain", false),
        ("before-commit", false),
        ("before-receipt", false),
        ("receipt-confirmed", false),
        ("before-row", true),
    ];
    let mut system = System::embedded();
    system.set("BACKUP_WORKERS", "0");
    system.fill_a_little();
    // Each step changes much of so little.
    system.set("BACKUP_CHAIN_MAX_WEIGHT", "1000");
    system.start();
    let points = {
        let _worker = system.worker(&[]);
        chain(&system, 2)
    };
    let (first, last) = (&points[0], &points[2]);
    let mut stored: Vec<Value> = points.iter().map(|point| point.backup.clone()).collect();
    for (checkpoint, whole) in CHECKPOINTS {
        let id = asked(&consolidate(&system, last.id()));
        // Only whoever is to die has the shortest lease: the next one's is not to run out on a slow machine, since
        // attempts are counted.
        let died = system
            .worker(&[("BACKUP_FAULT_AT", checkpoint), ("BACKUP_LEASE_SECONDS", "4")])
            .wait();
        assert_eq!(died.code, None, "{checkpoint}: {}{}", died.stdout, died.stderr);
        assert_eq!(system.backup(&id)["status"], "IN_PROGRESS", "{checkpoint}");
        assert_eq!(
            delete_all(&system, first.id()).status,
            409,
            "{checkpoint}: the chain is held"
        );
        let listed: Value = serde_json::from_str(&system.backupctl(&["list", "--json"]).expect(0).stdout).unwrap();
        let expected = stored.len() + usize::from(whole);
        assert_eq!(
            listed.as_array().unwrap().len(),
            expected,
            "{checkpoint}: what is listed"
        );
        let worker = system.worker(&[]);
        let made = system.wait_until(&id, TRUTH, |backup| backup["status"] == "COMPLETED");
        assert_eq!(made["attempts"], 2, "{checkpoint}");
        assert_eq!(worker.stderr().contains("backup_adopted"), whole, "{checkpoint}");
        last.assert_is(&system, &id);
        stored.push(made);
        system.assert_stored(&stored.iter().collect::<Vec<_>>());
    }
    let _worker = system.worker(&[]);
    let deleted = poll(TRUTH, || (delete_all(&system, first.id()).status == 200).then_some(()));
    assert!(deleted.is_some());
    let left: Vec<&Value> = stored[3..].iter().collect();
    system.assert_stored(&left);
    let _verified = system.backupctl(&["verify", "--all"]).expect(0);
}

#[test]
fn a_schedule_has_one_made_and_retention_lets_the_old_chain_go() {
    let mut system = System::embedded();
    system.fill_a_little();
    // Each step changes much of so little.
    system.set("BACKUP_CHAIN_MAX_WEIGHT", "1000");
    system.start();
    let schedule = json!({
        "name": "nightly", "backupType": "INCREMENTAL", "backupSource": "FULL_SYSTEM", "cronExpression": "0 2 * * *",
        "timezone": "UTC", "retentionDays": 30, "maxBackups": 1, "consolidateEvery": 2,
    });
    let made = system.api().post("/api/admin/backup/schedule", &schedule).expect(201);
    assert_eq!(made["schedule"]["consolidateEvery"], 2);
    let schedule = made["schedule"]["id"].as_str().unwrap().to_owned();
    let fire = || {
        let path = format!("/api/admin/backup/schedule/{schedule}/trigger");
        let fired = system.api().send("POST", &path, None).expect(202);
        system.completed(fired["backup"]["id"].as_str().unwrap())
    };
    let mut old = vec![fire()];
    for step in 1..=2 {
        system.change_a_little(step);
        old.push(fire());
    }
    let list = || {
        let path = format!("/api/admin/backup?scheduleId={schedule}");
        system.api().get(&path).expect(200)["backups"]
            .as_array()
            .unwrap()
            .clone()
    };
    let full = poll(TRUTH, || {
        list()
            .into_iter()
            .find(|backup| backup["consolidatedFrom"] == old[2]["id"] && backup["status"] == "COMPLETED")
    });
    let full = full.unwrap_or_else(|| panic!("{:#?}", list()));
    assert_eq!(full["trigger"], "SCHEDULED");
    system.assert_restores(full["id"].as_str().unwrap());
    system.change_a_little(3);
    let next = fire();
    assert_eq!(next["baseId"], full["id"]);
    // One may stay with what it builds on, and neither needs the old chain.
    let gone = poll(TRUTH, || {
        let ids: Vec<Value> = list().iter().map(|backup| backup["id"].clone()).collect();
        (ids == [next["id"].clone(), full["id"].clone()]).then_some(())
    });
    assert!(gone.is_some(), "{:#?}", list());
    let stored = poll(TRUTH, || (system.blobs.list().len() == 4).then_some(()));
    assert!(stored.is_some(), "{:?}", system.blobs.list());
    system.assert_restores(next["id"].as_str().unwrap());
}
