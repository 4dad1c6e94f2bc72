//! A verification by a restore proves what a checksum cannot: that the backup comes back. One that does not is found, and
//! people are told.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use backup_tests::postgres::Postgres;
use backup_tests::system::{Catalog, Storage, System};
use backup_tests::{poll, sample_db, tree};
use rustix::process::Signal;
use serde_json::{Value, json};

/// How long a drill may take on a busy machine.
const DRILL: Duration = Duration::from_mins(3);

fn id(record: &Value) -> &str {
    record["id"].as_str().unwrap()
}

/// The backup once a verification of it has ended.
fn verified(system: &System, backup: &str) -> Value {
    let found = poll(DRILL, || {
        let backup = system.backup(backup);
        (backup["verifiedAt"] != Value::Null).then_some(backup)
    });
    found.unwrap_or_else(|| panic!("{:#}\n{}", system.backup(backup), system.server().stderr()))
}

fn drill(system: &System, backup: &str) -> Value {
    let path = format!("/api/admin/backup/{backup}/verify");
    let _asked = system.api().post(&path, &json!({ "level": "RESTORE" })).expect(202);
    verified(system, backup)
}

fn open_alerts(system: &System, kind: &str) -> Vec<Value> {
    let alerts = system.api().get("/api/admin/backup/alerts?state=OPEN").expect(200);
    let all = alerts["alerts"].as_array().unwrap().iter();
    all.filter(|alert| alert["kind"] == kind).cloned().collect()
}

#[test]
fn everything_a_database_and_a_folder_can_hold_passes_a_drill_on_a_server_of_our_own() {
    // Nobody else makes databases there.
    let postgres = Postgres::start();
    let mut system = System::with(&postgres, Catalog::Sqlite, Storage::Folder);
    sample_db::fill(&system.database, 5_000);
    tree::everything(&system.uploads());
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let databases = "SELECT string_agg(datname, ', ' ORDER BY datname) FROM pg_database";
    let before = postgres.psql("postgres", databases);
    let drilled = drill(&system, id(&backup));
    assert_eq!(drilled["verifyError"], Value::Null, "{drilled:#}");
    assert_eq!(drilled["verifyLevel"], "RESTORE");
    let after = postgres.psql("postgres", databases);
    assert_eq!(after, before, "a drill on a server of its own leaves nothing on others");
    assert!(open_alerts(&system, "VERIFICATION_FAILED").is_empty());
    assert_eq!(system.server().temporary_files(), Vec::<PathBuf>::new());
}

#[test]
fn a_drill_on_a_configured_server_leaves_nothing_there() {
    let mut system = System::embedded();
    let server = system.database.url();
    system.set("BACKUP_DRILL_SERVER_URL", &server);
    system.fill_a_little();
    system.start();
    let backup = system.back_up("DATABASE");
    let drilled = drill(&system, id(&backup));
    assert_eq!(
        (&drilled["verifyError"], &drilled["verifyLevel"]),
        (&Value::Null, &json!("RESTORE")),
        "{drilled:#}"
    );
    let left = Postgres::shared().psql(
        "postgres",
        "SELECT datname FROM pg_database WHERE datname LIKE 'drill%'",
    );
    assert_eq!(left.trim(), "");
}

/// A folder with PostgreSQL's programs, in which `pg_dump` passes what it says through this sed script.
fn damaging_programs(system: &System, script: &str) -> PathBuf {
    let folder = system.folder().join(format!("programs-{}", backup_tests::unique()));
    let script = format!("set -o pipefail\nREAL \"$@\" | LC_ALL=C sed -e '{script}'");
    Postgres::shared().programs_with(&folder, "pg_dump", &script);
    folder
}

#[test]
fn a_dump_that_does_not_come_back_is_found_and_raises_the_alert() {
    let mut system = System::embedded();
    system.fill_a_little();
    // Each is of the same length, so that the dump's own structure stays whole: what is stored is just what was dumped, and
    // only a restore shows that it does not work.
    for (damage, script) in [
        (
            "a statement that no server takes",
            "s/CREATE TABLE app.orders/CREATE TABEL app.orders/",
        ),
        ("a constraint that the rows break", "s/4000\\t/3999\\t/"),
    ] {
        let programs = damaging_programs(&system, script);
        system.set("DATABASE_PROGRAMS", programs.to_str().unwrap());
        system.start();
        let backup = system.back_up("DATABASE");
        let path = format!("/api/admin/backup/{}/verify", id(&backup));
        let _asked = system.api().post(&path, &json!({ "level": "CONTENT" })).expect(202);
        assert_eq!(
            verified(&system, id(&backup))["verifyError"],
            Value::Null,
            "{damage}: only a restore finds it"
        );
        let _asked = system.api().post(&path, &json!({ "level": "RESTORE" })).expect(202);
        let drilled = poll(DRILL, || {
            let backup = system.backup(id(&backup));
            (backup["verifyLevel"] == "RESTORE").then_some(backup)
        });
        let drilled = drilled.unwrap_or_else(|| panic!("{damage}: {}", system.server().stderr()));
        assert!(
            drilled["verifyError"].as_str().is_some_and(|error| !error.is_empty()),
            "{damage}: {drilled:#}"
        );
        let alerts = open_alerts(&system, "VERIFICATION_FAILED");
        assert!(
            alerts.iter().any(|alert| alert["subject"] == backup["id"]),
            "{damage}: {alerts:#?}"
        );
        let new = system.new_database();
        let options = json!({ "mode": "NEW", "targetDatabase": new.name });
        let restore = system.restore(id(&backup), &options);
        assert_eq!(
            system.wait_for_restore(&restore)["status"],
            "FAILED",
            "{damage}: a false success"
        );
        assert!(new.try_psql("SELECT 1").is_err(), "{damage}: half a restore is left");
        let _ended = system.take_server().terminate().expect(0);
    }
}

#[test]
fn a_schedule_has_its_backups_drilled_by_themselves() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    let schedule = json!({
        "name": "nightly", "backupType": "FULL", "backupSource": "FILES", "cronExpression": "0 3 * * *",
        "verifyWhen": "EACH", "verifyLevel": "RESTORE",
    });
    let made = system.api().post("/api/admin/backup/schedule", &schedule);
    let made = made.expect(201)["schedule"].take();
    assert_eq!(
        (&made["verifyWhen"], &made["verifyPercent"]),
        (&json!("EACH"), &json!(10))
    );
    let path = format!("/api/admin/backup/schedule/{}", id(&made));
    let fired = system.api().send("POST", &format!("{path}/trigger"), None).expect(202);
    let backup = fired["backup"]["id"].as_str().unwrap().to_owned();
    let drilled = verified(&system, &backup);
    assert_eq!(
        (&drilled["verifyLevel"], &drilled["verifyError"]),
        (&json!("RESTORE"), &Value::Null),
        "{drilled:#}"
    );
    let remembered = system.api().get(&path).expect(200);
    assert_ne!(remembered["schedule"]["lastVerifyPassedAt"], Value::Null);
}

#[test]
fn a_worker_that_wakes_up_late_leaves_its_successor_s_scratch_database_alone() {
    // Nobody else makes databases there.
    let postgres = Postgres::start();
    let mut system = System::with(&postgres, Catalog::Sqlite, Storage::Folder);
    let (gate, programs) = (system.folder().join("gate"), system.folder().join("programs"));
    let script = format!("until test -e {}; do sleep 0.1; done\nexec REAL \"$@\"", gate.display());
    postgres.programs_with(&programs, "pg_restore", &script);
    let server = system.database.url();
    system
        .set("BACKUP_DRILL_SERVER_URL", &server)
        .set("DATABASE_PROGRAMS", programs.to_str().unwrap())
        .set("BACKUP_WORKERS", "0")
        .set("BACKUP_LEASE_SECONDS", "4");
    system.fill_a_little();
    system.start();
    let backup = system.create("DATABASE");
    let late = system.worker(&[]);
    let backup = system.completed(&backup);
    let path = format!("/api/admin/backup/{}/verify", id(&backup));
    let _asked = system.api().post(&path, &json!({ "level": "RESTORE" })).expect(202);
    let scratch = || {
        let names = "SELECT datname FROM pg_database WHERE datname LIKE 'drill%' ORDER BY datname";
        postgres.psql("postgres", names)
    };
    let first = late.wait_until(DRILL, "a scratch database", || {
        Some(scratch()).filter(|name| !name.is_empty())
    });
    late.pause();

    let successor = system.worker(&[]);
    let second = successor.wait_until(DRILL, "another scratch database", || {
        Some(scratch()).filter(|name| !name.is_empty() && *name != first)
    });
    assert!(!second.contains(&first), "what the first made is removed: {second}");
    late.signal(Signal::CONT);
    late.wait_for_line(DRILL, |line| line.contains("is another worker's now"));
    assert_eq!(scratch(), second);

    fs::write(&gate, "").unwrap();
    let drilled = verified(&system, id(&backup));
    assert_eq!(
        drilled["verifyError"],
        Value::Null,
        "{drilled:#}\n{}",
        successor.stderr()
    );
    assert_eq!(scratch(), "");
}
