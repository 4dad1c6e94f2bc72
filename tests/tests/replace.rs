//! A restore in mode REPLACE: what it replaces is exchanged whole, kept, and comes back exactly; killed anywhere, there is old
//! or new and never a mixture; what cannot work is refused before anything changes.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backup_tests::note;
use backup_tests::postgres::{Postgres, quoted};
use backup_tests::system::{System, stored_paths};
use serde_json::{Value, json};

/// Where the worker dies, and whether everything was exchanged by then.
const CHECKPOINTS: [&str; 5] = [
    "restore-begun",
    "restore-whole",
    "restore-swapping",
    "restore-database-swapped",
    "restore-swapped",
];

/// The shortest lease, for whoever is to die. Where attempts are counted, whoever comes after it has the usual one,
/// which a slow machine does not let run out.
const SHORTEST: (&str, &str) = ("BACKUP_LEASE_SECONDS", "4");

fn id(record: &Value) -> &str {
    record["id"].as_str().unwrap()
}

#[test]
fn a_backup_takes_the_place_of_what_is_there_which_comes_back_exactly() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let then = system.state();
    system.change();
    let now = system.state();
    assert_eq!(system.differences(&then).last().unwrap(), "the database");

    let path = format!("/api/admin/backup/{}/restore/plan", id(&backup));
    let plan = system.api().post(&path, &json!({ "mode": "REPLACE" })).expect(200);
    let plan = &plan["plan"];
    assert_eq!(plan["refusals"], json!([]), "{plan:#}");
    assert_eq!(
        (&plan["makesSafetyBackup"], &plan["keepsOldHours"]),
        (&json!(true), &json!(72))
    );
    assert_eq!(plan["archives"][0]["sizeBytes"], backup["sizeBytes"]);
    assert!(
        plan["parts"][0]["replaces"]["sizeBytes"].as_u64().unwrap() > 0,
        "{plan:#}"
    );
    assert!(system.differences(&now).is_empty(), "a plan changes nothing");

    let record = system.replace(id(&backup));
    assert_eq!(system.differences(&then), Vec::<String>::new());
    assert_eq!(record["replacement"]["stage"], "KEPT", "{record:#}");
    check_log(&record);
    let safety = system.completed(record["safetyBackupId"].as_str().unwrap());
    assert_eq!(
        (&safety["trigger"], &safety["source"]),
        (&json!("PRE_RESTORE"), &json!("FULL_SYSTEM"))
    );
    assert!(safety["expiresAt"].is_string(), "it goes by itself: {safety:#}");
    assert_eq!(
        backup["expiresAt"],
        Value::Null,
        "and what was asked for by hand does not"
    );
    assert_eq!(system.leftovers().len(), 2, "{:?}", system.leftovers());
    // What is written after the exchange goes to what is in use, not to what is kept.
    system.database.psql("INSERT INTO app.empty VALUES (1)");
    std::fs::write(system.uploads().join("after"), "after").unwrap();

    let _ended = system.end_replacement(id(&record), "rollback");
    assert_eq!(
        system.differences(&now),
        Vec::<String>::new(),
        "rolled back is what was there before"
    );
    assert_eq!(system.leftovers(), Vec::<String>::new());
    let record = system.restore_record(id(&record));
    assert_eq!(
        (&record["replacement"]["stage"], &record["replacement"]["keptUntil"]),
        (&json!("ROLLED_BACK"), &Value::Null)
    );
    let again = system
        .api()
        .send("POST", &format!("/api/admin/restore/{}/confirm", id(&record)), None);
    assert_eq!(
        (again.status, again.json()["code"].clone()),
        (409, json!("restore_keeps_nothing"))
    );

    // The safety backup is the state before as well.
    let record = system.replace(id(&backup));
    assert_eq!(system.differences(&then), Vec::<String>::new());
    let _ended = system.end_replacement(id(&record), "confirm");
    assert_eq!(
        system.differences(&then),
        Vec::<String>::new(),
        "confirmed is what was restored"
    );
    assert_eq!(system.leftovers(), Vec::<String>::new());
    let _record = system.replace(id(&safety));
    assert_eq!(system.differences(&now), Vec::<String>::new());
}

/// What it did, as a person reads it: before the safety backup, for which it waits without a worker, and behind it.
fn check_log(record: &Value) {
    let lines = record["log"].as_array().unwrap();
    let texts: Vec<&str> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    let mut left = texts.iter();
    for expected in [
        "takes the job up",
        "waits for backup",
        "takes the job up",
        "is there",
        "VERIFY begins",
        "database: restored",
        "files: restored",
        "has taken its place",
        "COMPLETED",
    ] {
        assert!(left.any(|text| text.contains(expected)), "{expected}: {texts:#?}");
    }
}

#[test]
fn a_database_whose_content_depends_on_what_it_is_set_to_is_replaced() {
    let mut system = System::embedded();
    system.fill_a_little();
    let name = quoted(&system.database.name);
    system
        .database
        .psql(&format!("ALTER DATABASE {name} SET app.tenant = 'one'"));
    system.database.psql(
        "CREATE TABLE app.of_tenant (tenant text CHECK (tenant = current_setting('app.tenant'))); \
         INSERT INTO app.of_tenant VALUES ('one'); \
         CREATE MATERIALIZED VIEW app.tenants AS SELECT current_setting('app.tenant') AS tenant",
    );
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let then = system.state();
    system.change();
    let _record = system.replace(id(&backup));
    assert_eq!(system.differences(&then), Vec::<String>::new());
    let both = "SELECT tenant, current_setting('app.tenant') FROM app.tenants";
    assert_eq!(system.database.psql(both), "one|one");
}

#[test]
fn killed_anywhere_there_is_old_or_new_and_the_next_worker_finishes() {
    let mut system = System::services();
    system.set("BACKUP_WORKERS", "0");
    system.fill_a_little();
    system.start();
    let worker = system.worker(&[]);
    let backup = system.back_up("FULL_SYSTEM");
    let _ended = worker.terminate().expect(0);
    let new = system.state();
    system.change();
    let old = system.state();
    for checkpoint in CHECKPOINTS {
        let restore = system.restore(id(&backup), &json!({ "mode": "REPLACE", "safetyBackup": false }));
        let died = system.worker(&[("BACKUP_FAULT_AT", checkpoint), SHORTEST]).wait();
        assert_eq!(
            died.code, None,
            "{checkpoint}: the worker did not die there\n{}",
            died.stderr
        );
        assert_eq!(system.restore_record(&restore)["status"], "IN_PROGRESS", "{checkpoint}");
        let database = |state| !system.differences(state).contains(&"the database".to_owned());
        let files = |state| system.differences(state).iter().all(|found| found == "the database");
        assert!(database(&old) || database(&new), "{checkpoint}: a mixture");
        assert!(files(&old) || files(&new), "{checkpoint}: a mixture");
        let exchanged = checkpoint == "restore-swapped";
        assert_eq!(database(&new) && files(&new), exchanged, "{checkpoint}");
        let worker = system.worker(&[]);
        let record = system.restored(&restore);
        assert_eq!(record["attempts"], 2, "{checkpoint}: {record:#}");
        assert_eq!(system.differences(&new), Vec::<String>::new(), "{checkpoint}");
        assert_eq!(system.leftovers().len(), 2, "{checkpoint}: {:?}", system.leftovers());
        let _ended = system.end_replacement(&restore, "rollback");
        assert_eq!(
            system.differences(&old),
            Vec::<String>::new(),
            "{checkpoint}: rolled back"
        );
        assert_eq!(system.leftovers(), Vec::<String>::new(), "{checkpoint}");
        let _ended = worker.terminate().expect(0);
    }
}

#[test]
fn an_exchange_without_a_way_to_the_server_is_tried_again_and_not_taken_back() {
    let mut system = System::services();
    system.set("BACKUP_WORKERS", "0");
    system.fill_a_little();
    system.start();
    let worker = system.worker(&[]);
    let backup = system.back_up("FULL_SYSTEM");
    let _ended = worker.terminate().expect(0);
    let new = system.state();
    system.change();
    let old = system.state();
    let restore = system.restore(id(&backup), &json!({ "mode": "REPLACE", "safetyBackup": false }));
    let died = system
        .worker(&[("BACKUP_FAULT_AT", "restore-swapping"), SHORTEST])
        .wait();
    assert_eq!(died.code, None, "{}", died.stderr);
    // The password was changed, and one host does not know it yet.
    let worker = system.worker(&[("DATABASE_PASSWORD", "of yesterday")]);
    let told = backup_tests::poll(Duration::from_mins(1), || {
        let record = system.restore_record(&restore);
        assert_ne!(record["status"], "FAILED", "{record:#}");
        let message = record["errorMessage"].as_str()?;
        message.contains("password authentication failed").then_some(())
    });
    assert!(told.is_some(), "{:#}", system.restore_record(&restore));
    let _ended = worker.terminate().expect(0);
    assert_eq!(system.differences(&old), Vec::<String>::new());
    assert_eq!(system.leftovers().len(), 2, "{:?}", system.leftovers());
    let _worker = system.worker(&[]);
    let _record = system.restored(&restore);
    assert_eq!(system.differences(&new), Vec::<String>::new());
}

#[test]
fn an_exchange_that_is_taken_back_drops_no_database_that_was_in_use() {
    let mut system = System::services();
    system.set("BACKUP_WORKERS", "0");
    system.fill_a_little();
    system.start();
    let worker = system.worker(&[]);
    let backup = system.back_up("FULL_SYSTEM");
    let _ended = worker.terminate().expect(0);
    system.change();
    let old = system.state();
    let restore = system.restore(id(&backup), &json!({ "mode": "REPLACE", "safetyBackup": false }));
    let died = system
        .worker(&[("BACKUP_FAULT_AT", "restore-database-swapped"), SHORTEST])
        .wait();
    assert_eq!(died.code, None, "{}", died.stderr);
    // Applications go on with what they find, and somebody makes room on the disk.
    system
        .database
        .psql("CREATE TABLE app.meanwhile AS SELECT 'an order' AS what");
    let left = system.leftovers();
    let beside = left.iter().find(|name| name.starts_with(".uploads")).unwrap();
    std::fs::remove_dir_all(system.folder().join(beside)).unwrap();

    let _worker = system.worker(&[]);
    let ended = system.wait_for_restore(&restore);
    assert_eq!(ended["status"], "FAILED", "{ended:#}");
    assert_eq!(system.differences(&old), Vec::<String>::new());
    let left = system.leftovers();
    let [kept] = left.as_slice() else { panic!("{left:?}") };
    assert!(ended["errorMessage"].as_str().unwrap().contains(kept), "{ended:#}");
    let kept = Postgres::shared().database(kept);
    assert_eq!(kept.psql("SELECT what FROM app.meanwhile"), "an order");
}

#[test]
fn a_new_database_and_folder_are_there_whole_or_not_at_all() {
    let mut system = System::embedded();
    system.set("BACKUP_WORKERS", "0");
    system.fill_a_little();
    system.start();
    let worker = system.worker(&[]);
    let backup = system.back_up("FULL_SYSTEM");
    let _ended = worker.terminate().expect(0);
    let copy = system.new_database();
    let folder = system.folder().join("restored/deep");
    let options = json!({ "mode": "NEW", "targetDatabase": copy.name, "targetDir": folder });
    let restore = system.restore(id(&backup), &options);
    let died = system.worker(&[("BACKUP_FAULT_AT", "restore-whole"), SHORTEST]).wait();
    assert_eq!(died.code, None, "{}", died.stderr);
    assert!(!folder.exists(), "half a restore is seen");
    assert!(copy.try_psql("SELECT 1").is_err(), "half a restore is seen");
    let _worker = system.worker(&[]);
    let record = system.restored(&restore);
    assert_eq!(
        (&record["attempts"], &record["replacement"]),
        (&json!(2), &Value::Null),
        "{record:#}"
    );
    backup_tests::system::assert_same_databases(&system.database, &copy);
    assert_eq!(
        backup_tests::tree::compare(&system.uploads(), &folder),
        Vec::<String>::new()
    );
}

#[test]
fn an_empty_database_that_was_filled_by_a_killed_attempt_is_told() {
    let mut system = System::services();
    system.set("BACKUP_WORKERS", "0");
    system.fill_a_little();
    system.start();
    let worker = system.worker(&[]);
    let backup = system.back_up("DATABASE");
    let _ended = worker.terminate().expect(0);
    let empty = Postgres::shared().create_database("empty");
    let options = json!({ "mode": "NEW", "targetDatabase": empty.name });
    let restore = system.restore(id(&backup), &options);
    let died = system.worker(&[("BACKUP_FAULT_AT", "restore-whole"), SHORTEST]).wait();
    assert_eq!(died.code, None, "{}", died.stderr);
    let _worker = system.worker(&[]);
    let ended = system.wait_for_restore(&restore);
    assert_eq!(ended["status"], "FAILED", "{ended:#}");
    let message = ended["errorMessage"].as_str().unwrap();
    for words in [empty.name.as_str(), "an attempt before", "make it empty"] {
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn what_cannot_work_is_refused_with_all_reasons_before_anything_changes() {
    let mut system = System::embedded();
    system.fill_a_little();
    let role = format!("owner {}", backup_tests::unique());
    system.database.psql(&format!(
        "CREATE ROLE {0}; CREATE TABLE app.owned (id int); ALTER TABLE app.owned OWNER TO {0}",
        quoted(&role)
    ));
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    system
        .database
        .psql(&format!("DROP TABLE app.owned; DROP ROLE {}", quoted(&role)));
    let now = system.state();
    let taken = system.folder().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("mine"), "mine").unwrap();
    let new = json!({ "mode": "NEW", "targetDatabase": system.database.name, "targetDir": taken });
    let path = format!("/api/admin/backup/{}/restore/plan", id(&backup));
    let plan = system.api().post(&path, &new).expect(200)["plan"].take();
    let codes: Vec<&str> = plan["refusals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["ROLES_MISSING", "TARGET_NOT_EMPTY", "TARGET_NOT_EMPTY"],
        "{plan:#}"
    );

    let refused = system.wait_for_restore(&system.restore(id(&backup), &json!({ "mode": "REPLACE" })));
    assert_eq!(refused["status"], "FAILED", "{refused:#}");
    let message = refused["errorMessage"].as_str().unwrap();
    assert!(message.contains(&role) && message.contains("HINT"), "{message}");
    assert_eq!(
        refused["safetyBackupId"],
        Value::Null,
        "a backup is made for what is refused anyway"
    );
    assert_eq!(system.differences(&now), Vec::<String>::new());
    assert_eq!(system.leftovers(), Vec::<String>::new());
    system.assert_stored(&[&backup]);
    // Without owners it can be restored.
    let options = json!({ "mode": "REPLACE", "skipOwner": true, "restoreFiles": false, "restoreConfig": false });
    let record = system.restored(&system.restore(id(&backup), &options));
    assert_eq!(system.database.psql("SELECT count(*) FROM app.owned").trim(), "0");
    assert_eq!(
        system.completed(record["safetyBackupId"].as_str().unwrap())["source"],
        "DATABASE"
    );
}

#[test]
fn this_systems_own_catalog_is_not_replaced() {
    let mut system = System::services();
    system.fill_a_little();
    let catalog = system.catalog.as_ref().unwrap().name.clone();
    system.start();
    let backup = system.back_up("DATABASE");
    let options = json!({ "mode": "REPLACE", "targetDatabase": catalog });
    let path = format!("/api/admin/backup/{}/restore/plan", id(&backup));
    let plan = system.api().post(&path, &options).expect(200)["plan"].take();
    assert_eq!(plan["refusals"][0]["code"], "HOLDS_THIS_SYSTEM", "{plan:#}");
    let refused = system.wait_for_restore(&system.restore(id(&backup), &options));
    assert_eq!(refused["status"], "FAILED", "{refused:#}");
}

#[test]
fn a_safety_backup_that_fails_ends_the_restore_and_nothing_is_replaced() {
    let mut system = System::embedded();
    system.set("BACKUP_WORKERS", "0").set("BACKUP_LEASE_SECONDS", "4");
    system.fill_a_little();
    system.start();
    let worker = system.worker(&[]);
    let backup = system.back_up("FULL_SYSTEM");
    let _ended = worker.terminate().expect(0);
    system.change();
    let now = system.state();
    let restore = system.restore(id(&backup), &json!({ "mode": "REPLACE" }));
    let _worker = system.worker(&[("BACKUP_FAULT_AT", "in-files")]);
    let safety = backup_tests::poll(Duration::from_mins(1), || {
        let record = system.restore_record(&restore);
        record["safetyBackupId"].as_str().map(str::to_owned)
    });
    let safety = safety.expect("a safety backup");
    let path = format!("/api/admin/backup/{safety}/cancel");
    let cancelled = system.api().send("POST", &path, None);
    assert_eq!(cancelled.status, 200, "{}", cancelled.text());
    let _second = system.worker(&[]);
    let ended = system.wait_for_restore(&restore);
    assert_eq!(ended["status"], "FAILED", "{ended:#}");
    assert!(ended["errorMessage"].as_str().unwrap().contains(&safety), "{ended:#}");
    assert_eq!(system.differences(&now), Vec::<String>::new());
    let [blob, _] = stored_paths(&backup);
    assert!(system.blobs.list().contains(&blob));
}

#[test]
fn what_cannot_be_rolled_back_whole_stays_as_it_was_restored() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let then = system.state();
    system.change();
    let options = json!({ "mode": "REPLACE", "safetyBackup": false });
    let record = system.restored(&system.restore(id(&backup), &options));
    let left = system.leftovers();
    let old = left.iter().find(|name| name.starts_with(".uploads")).unwrap();
    std::fs::rename(system.folder().join(old), system.folder().join("moved away")).unwrap();

    let path = format!("/api/admin/restore/{}/rollback", id(&record));
    let asked = system.api().send("POST", &path, None).expect(202);
    let ended = system.wait_for_restore(id(&asked["restore"]));
    assert_eq!(ended["status"], "FAILED", "{ended:#}");
    assert_eq!(system.differences(&then), Vec::<String>::new(), "a mixture");

    // Put where it was, it comes back.
    std::fs::rename(system.folder().join("moved away"), system.folder().join(old)).unwrap();
    let _ended = system.end_replacement(id(&record), "rollback");
    assert!(system.differences(&then).contains(&"the database".to_owned()));
    assert!(std::fs::exists(system.uploads().join("later")).unwrap());
    assert_eq!(system.leftovers(), Vec::<String>::new());
}

#[test]
fn what_a_failed_restore_could_not_remove_goes_later() {
    let mut system = System::services();
    system.set("BACKUP_WORKERS", "0").set("BACKUP_LEASE_SECONDS", "4");
    system.fill_a_little();
    system.start();
    let worker = system.worker(&[]);
    let backup = system.back_up("FULL_SYSTEM");
    let _ended = worker.terminate().expect(0);
    system.change();
    let now = system.state();
    let restore = system.restore(id(&backup), &json!({ "mode": "REPLACE", "safetyBackup": false }));
    let died = system.worker(&[("BACKUP_FAULT_AT", "restore-whole")]).wait();
    assert_eq!(died.code, None, "{}", died.stderr);
    assert_eq!(system.leftovers().len(), 2, "{:?}", system.leftovers());
    // As if the server had been away when the restore failed.
    system.catalog.as_ref().unwrap().psql(&format!(
        "UPDATE restore_records SET status = 'FAILED', completed_at = created_at, lease_expires_at = NULL \
         WHERE id = '{restore}'"
    ));
    let _worker = system.worker(&[]);
    let forgotten = backup_tests::poll(Duration::from_mins(2), || {
        system.restore_record(&restore)["replacement"].is_null().then_some(())
    });
    assert!(forgotten.is_some(), "{:#}", system.restore_record(&restore));
    assert_eq!(system.leftovers(), Vec::<String>::new());
    assert_eq!(system.differences(&now), Vec::<String>::new());
    assert_eq!(system.restore_record(&restore)["status"], "FAILED");
}

/// Who reads database and files the whole time gets old or new, whole, with a gap of no more than the exchange.
#[test]
fn under_load_every_answer_is_whole_old_or_new() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.database.psql(
        "CREATE TABLE app.counter (which text, n bigint); INSERT INTO app.counter SELECT 'backup', 0 FROM generate_series(1, 100)",
    );
    std::fs::write(system.uploads().join("which"), "backup").unwrap();
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    system.database.psql("UPDATE app.counter SET which = 'before'");
    std::fs::write(system.uploads().join("which"), "before").unwrap();
    let stop = AtomicBool::new(false);
    let (longest_database, longest_files) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    while !stop.load(Ordering::SeqCst) {
                        let _refused_during_the_exchange = system.database.try_psql("UPDATE app.counter SET n = n + 1");
                    }
                })
            })
            .collect();
        let database = scope.spawn(|| {
            gaps(&stop, || {
                let said = system
                    .database
                    .try_psql("SELECT which, count(*) FROM app.counter GROUP BY which")
                    .ok()?;
                Some(said.trim().to_owned())
            })
        });
        let files = scope.spawn(|| gaps(&stop, || std::fs::read_to_string(system.uploads().join("which")).ok()));
        let stopper = Stopper(&stop);
        let restore = system.restore(id(&backup), &json!({ "mode": "REPLACE" }));
        let record = system.restored(&restore);
        drop(stopper);
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(record["replacement"]["stage"], "KEPT");
        let (database, files) = (database.join().unwrap(), files.join().unwrap());
        assert_eq!(
            database.1,
            ["before|100", "backup|100"],
            "what the database said, in order"
        );
        assert_eq!(files.1, ["before", "backup"], "what the files said, in order");
        (database.0, files.0)
    });
    note(format!(
        "without an answer at most: database {} ms, files {} ms",
        longest_database.as_millis(),
        longest_files.as_millis()
    ));
}

/// Lets the others end, also where this test fails.
struct Stopper<'a>(&'a AtomicBool);

impl Drop for Stopper<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Asks again and again; gives the longest time without an answer, and the answers without repetitions.
fn gaps(stop: &AtomicBool, ask: impl Fn() -> Option<String>) -> (Duration, Vec<String>) {
    let mut answers: Vec<String> = Vec::new();
    let (mut longest, mut last) = (Duration::ZERO, Instant::now());
    let mut ends = false;
    while !ends {
        // Once more after the end.
        ends = stop.load(Ordering::SeqCst);
        if let Some(answer) = ask() {
            longest = longest.max(last.elapsed());
            last = Instant::now();
            if answers.last() != Some(&answer) {
                answers.push(answer);
            }
        }
    }
    (longest, answers)
}
