//! Backups that build on each other: every point of a chain comes back as it was, whatever happened around it, and nothing
//! passes for restorable whose base is gone.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use backup_tests::system::{Point, System, stored_paths};
use backup_tests::tree::Scratch;
use backup_tests::{poll, tools, tree};
use serde_json::{Value, json};

/// The key as the contract derives it from the passphrase, by the openssl program.
const KEY: &str = "KEY=$(openssl kdf -keylen 32 -kdfopt pass:\"$PASSPHRASE\" -kdfopt salt:backup-salt-v1 -kdfopt n:16384 \
                   -kdfopt r:8 -kdfopt p:1 -kdfopt maxmem_bytes:67108864 SCRYPT | tr -d ':\\n')";
const LINE: &str =
    "tail -c +17 \"$F\" | openssl enc -d -aes-256-cbc -K $KEY -iv $(head -c 16 \"$F\" | xxd -p) | tar xzf -";

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
    let into = Scratch::new();
    let files = into.path().join("files");
    let shown = files.display().to_string();
    let _done = system
        .backupctl(&["restore", text(backup, "id"), "--to-files", &shown])
        .expect(0);
    assert_eq!(tree::compare(&system.uploads(), &files), Vec::<String>::new());
}

fn assert_all_good(system: &System) {
    let _verified = system.backupctl(&["verify", "--all"]).expect(0);
}

#[test]
fn every_point_of_a_chain_comes_back() {
    let mut system = System::embedded();
    system.fill_a_little();
    let noise = Command::new("bash")
        .args(["-c", "head -c 3000000 /dev/urandom > noise && ln noise 'noise again'"])
        .current_dir(system.uploads())
        .status()
        .unwrap();
    assert!(noise.success());
    system.start();
    let mut points = vec![system.point("INCREMENTAL")];
    assert_promoted(&points[0].backup, "no base");
    for (step, backup_type) in [
        (1, "INCREMENTAL"),
        (2, "INCREMENTAL"),
        (3, "DIFFERENTIAL"),
        (4, "INCREMENTAL"),
    ] {
        system.change_a_little(step);
        let made = system.point(backup_type);
        let base = if backup_type == "DIFFERENTIAL" {
            &points[0].backup
        } else {
            &points.last().unwrap().backup
        };
        assert_on(&made.backup, base, backup_type);
        assert!(size(&made.backup) * 2 < size(&points[0].backup), "{:#}", made.backup);
        points.push(made);
    }
    for point in &points {
        point.assert_is(&system, point.id());
        let _verified = system.backupctl(&["verify", point.id()]).expect(0);
        let _verified = system
            .backupctl(&["verify", point.id(), "--level", "checksum"])
            .expect(0);
    }
    assert_all_good(&system);

    // One file, by the command and by the server, and what hangs together.
    let last = points.last().unwrap();
    let out = system.folder().join("one");
    let _done = system
        .backupctl(&["extract", last.id(), "files/folder/file 9", "-o", out.to_str().unwrap()])
        .expect(0);
    assert!(fs::read(&out).unwrap() == fs::read(last.files.path().join("tree/folder/file 9")).unwrap());
    let path = format!(
        "/api/admin/backup/{}/contents/file?path=files/folder/file%209",
        last.id()
    );
    let served = system.api().get(&path);
    assert_eq!(served.status, 200, "{}", served.text());
    assert!(served.body == fs::read(&out).unwrap());
    let shown = system.backup(points[0].id());
    assert_eq!(shown["dependents"].as_array().unwrap().len(), 2, "{shown:#}");
    let shown = system.backupctl(&["show", points[1].id()]).expect(0).stdout;
    assert!(
        shown.contains(points[0].id()) && shown.contains(points[2].id()),
        "{shown}"
    );

    // A restore by the server, and one that is tried.
    let verify = json!({ "level": "RESTORE" });
    let path = format!("/api/admin/backup/{}/verify", last.id());
    let _asked = system.api().post(&path, &verify).expect(202);
    let verified = system.wait_until(last.id(), Duration::from_mins(2), |backup| {
        backup["verifiedAt"].is_string()
    });
    assert_eq!(verified["verifyError"], Value::Null, "{verified:#}");

    standalone_archives_open(&system, last);
    consolidated_survives_its_chain(&mut system, &points);
}

/// What is downloaded as a whole is one archive that the contract's line opens.
fn standalone_archives_open(system: &System, point: &Point) {
    let download = |query: &str| {
        let path = format!("/api/admin/backup/{}/download?full=true{query}", point.id());
        let answer = system.api().get(&path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.body
    };
    for (name, body, line) in [
        ("closed", download(""), LINE),
        ("plain", download("&decrypt=true"), "tar xzf \"$F\""),
    ] {
        let into = Scratch::new();
        let stored = into.path().join("stored");
        fs::write(&stored, body).unwrap();
        let mut command = Command::new("bash");
        command
            .args(["-c", &format!("set -euo pipefail\n{KEY}\n{line}")])
            .current_dir(into.path())
            .env("PASSPHRASE", system.setting("BACKUP_ENCRYPTION_KEY"))
            .env("F", &stored);
        tools::run(&mut command).unwrap();
        let original = point.files.path().join("tree/folder");
        let differences = tree::compare(&original, &into.path().join("files/folder"));
        assert_eq!(differences, Vec::<String>::new(), "{name}");
    }
    let ours = system.folder().join("whole.tar.gz");
    let _done = system
        .backupctl(&["decrypt", point.id(), "--full", "-o", ours.to_str().unwrap()])
        .expect(0);
    tools::run(Command::new("tar").arg("tzf").arg(&ours)).unwrap();
}

/// A full backup that was made of a chain is the same as the chain, and needs none of it.
fn consolidated_survives_its_chain(system: &mut System, points: &[Point]) {
    let last = points.last().unwrap();
    let made = system.backupctl(&["consolidate", last.id(), "--json"]).expect(0);
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let id = text(&made, "id").to_owned();
    assert_eq!((&made["type"], &made["baseId"]), (&json!("FULL"), &Value::Null));
    for same in ["name", "createdAt", "startedAt", "source", "contents"] {
        assert_eq!(made[same], last.backup[same], "{same}");
    }
    let refused = system.backupctl(&["consolidate", points[0].id()]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    let path = format!("/api/admin/backup/orphans/{id}/adopt");
    let adopted = system.api().send("POST", &path, None);
    assert!(adopted.status < 300, "{}", adopted.text());
    // Its verification holds it for a moment.
    system.wait_until(&id, TRUTH, |backup| backup["verifiedAt"].is_string());

    let first = format!("/api/admin/backup/{}", points[0].id());
    let refused = system.api().delete(&first);
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (409, &json!("backup_dependents"))
    );
    let deleted = system.api().delete(&format!("{first}?cascade=true"));
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    system.assert_stored(&[&system.backup(&id)]);
    last.assert_is(system, &id);
    assert_all_good(system);

    // Both files and database go on from there.
    system.change_a_little(5);
    let next = system.point("INCREMENTAL");
    assert_on(&next.backup, &made, "INCREMENTAL");
    next.assert_is(system, next.id());
    assert_all_good(system);
}

#[test]
fn a_base_that_is_gone_or_cut_is_found_and_a_new_chain_begins() {
    for cut in [false, true] {
        let mut system = System::embedded();
        system.fill_a_little();
        system.start();
        let full = system.back_up("FULL_SYSTEM");
        let on_it = system.back_up_as("INCREMENTAL", "FULL_SYSTEM");
        let further = system.back_up_as("INCREMENTAL", "FULL_SYSTEM");
        assert_on(&further, &on_it, "INCREMENTAL");
        let [archive, _] = stored_paths(&full);
        let bytes = system.blobs.read(&archive);
        system.blobs.remove(&archive);
        if cut {
            system.blobs.write(&archive, &bytes[..bytes.len() / 2]);
        }
        let next = system.back_up_as("INCREMENTAL", "FULL_SYSTEM");
        assert_promoted(&next, "missing or damaged");
        for backup in [&full, &on_it, &further] {
            let shown = system.backup(text(backup, "id"));
            assert!(shown["verifyError"].is_string(), "{shown:#}");
        }
        let alerts = system.api().get("/api/admin/backup/alerts?state=ALL").expect(200);
        let alerts = alerts["alerts"].as_array().unwrap();
        assert!(
            alerts
                .iter()
                .any(|alert| alert["kind"] == "CHAIN_BROKEN" && alert["resolvedAt"].is_string()),
            "{alerts:#?}"
        );
        let refused = system.backupctl(&["verify", text(&further, "id")]);
        assert_eq!(refused.code, Some(4), "{}", refused.stderr);
        assert!(refused.stderr.contains(text(&full, "id")), "{}", refused.stderr);
        let listed = system.backupctl(&["list"]);
        assert_eq!(listed.code, Some(4), "{}", listed.stderr);
        assert!(listed.stderr.contains(text(&further, "id")), "{}", listed.stderr);
        // What was made since is good, and is what the next builds on.
        let after = system.back_up_as("INCREMENTAL", "FULL_SYSTEM");
        assert_on(&after, &next, "INCREMENTAL");
        system.assert_restores(text(&after, "id"));
        // The others are good again as soon as a verification says so.
        if cut {
            system.blobs.remove(&archive);
        }
        system.blobs.write(&archive, &bytes);
        assert_all_good(&system);
    }
}

#[test]
fn a_new_chain_begins_with_another_key_and_where_one_is_long_or_heavy_enough() {
    let mut system = System::embedded();
    system.set("BACKUP_CHAIN_MAX_LENGTH", "2");
    system.fill_a_little();
    system.start();
    let full = system.back_up("FILES");
    let first = system.back_up_as("INCREMENTAL", "FILES");
    let second = system.back_up_as("INCREMENTAL", "FILES");
    assert_on(&first, &full, "INCREMENTAL");
    assert_on(&second, &first, "INCREMENTAL");
    let again = system.back_up_as("INCREMENTAL", "FILES");
    assert_promoted(&again, "long");
    // Nothing builds on a backup of another source.
    assert_promoted(&system.back_up_as("INCREMENTAL", "CONFIG"), "other sources");

    let old = system.setting("BACKUP_ENCRYPTION_KEY").to_owned();
    let _stopped = system.take_server().terminate();
    system
        .set("BACKUP_ENCRYPTION_KEY", "another passphrase")
        .set("BACKUP_ENCRYPTION_KEY_PREVIOUS", &old)
        .start();
    let rekeyed = system.back_up_as("DIFFERENTIAL", "FILES");
    assert_promoted(&rekeyed, "key");

    let _stopped = system.take_server().terminate();
    system
        .set("BACKUP_CHAIN_MAX_LENGTH", "30")
        .set("BACKUP_CHAIN_MAX_WEIGHT", "1")
        .start();
    tools::run(
        Command::new("bash")
            .args(["-c", "head -c 1000000 /dev/urandom > noise"])
            .current_dir(system.uploads()),
    )
    .unwrap();
    let heavy = system.back_up_as("INCREMENTAL", "FILES");
    assert_on(&heavy, &rekeyed, "INCREMENTAL");
    assert_promoted(&system.back_up_as("INCREMENTAL", "FILES"), "heavy");
    assert_all_good(&system);
}

#[test]
fn two_at_once_build_on_one_base_and_retention_leaves_it() {
    let mut system = System::embedded();
    system.set("BACKUP_WORKERS", "2");
    system.fill_a_little();
    system.start();
    let schedule = json!({
        "name": "nightly", "backupType": "INCREMENTAL", "backupSource": "FULL_SYSTEM", "cronExpression": "0 2 * * *",
        "timezone": "UTC", "retentionDays": 30, "maxBackups": 2,
    });
    let made = system.api().post("/api/admin/backup/schedule", &schedule);
    assert!(made.status < 300, "{}", made.text());
    let schedule = made.json()["schedule"]["id"].as_str().unwrap().to_owned();
    let fire = || {
        let path = format!("/api/admin/backup/schedule/{schedule}/trigger");
        let fired = system.api().send("POST", &path, None);
        assert!(fired.status < 300, "{}", fired.text());
        fired.json()["backup"]["id"].as_str().unwrap().to_owned()
    };
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

#[test]
fn a_worker_killed_anywhere_in_an_incremental_leaves_a_true_catalog() {
    const CHECKPOINTS: [(&str, bool); 7] = [
        ("before-first-byte", false),
        ("in-database", false),
        ("in-files", false),
        ("in-config", false),
        ("before-commit", false),
        ("before-receipt", false),
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
    let mut newest = first.clone();
    for (step, (checkpoint, whole)) in (1..).zip(CHECKPOINTS) {
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
        let base = format!("/api/admin/backup/{}", text(&newest, "id"));
        assert_eq!(system.api().delete(&base).status, 409, "{checkpoint}: the base is held");
        let worker = system.worker(&[]);
        let made = system.wait_until(&id, TRUTH, |backup| backup["status"] == "COMPLETED");
        assert_on(&made, &newest, "INCREMENTAL");
        assert_eq!(worker.stderr().contains("backup_adopted"), whole, "{checkpoint}");
        system.assert_restores(&id);
        newest = made;
    }
    let deleted = poll(TRUTH, || {
        let path = format!("/api/admin/backup/{}?cascade=true", text(&first, "id"));
        (system.api().delete(&path).status == 200).then_some(())
    });
    assert!(deleted.is_some());
    system.assert_stored(&[]);
}

fn change_files(system: &System, step: usize) {
    let file: PathBuf = system.uploads().join(format!("new {step}"));
    fs::write(file, vec![7; 10_000 * step]).unwrap();
    system
        .database
        .psql(&format!("INSERT INTO app.orders VALUES (1000000 + {step}, 'new')"));
}

/// How long a file must have rested when its base was made to be carried over unread, and a little more.
const REST: Duration = Duration::from_secs(12);

#[test]
fn what_did_not_change_is_not_read_again_unless_that_is_wanted() {
    let mut system = System::embedded();
    system.fill_a_little();
    let uploads = system.uploads();
    fs::hard_link(uploads.join("folder/file 8"), uploads.join("again")).unwrap();
    fs::hard_link(uploads.join("folder/file 8"), uploads.join("zuletzt")).unwrap();
    let changed = uploads.join("zuletzt");
    let rested = poll(TRUTH, || {
        use std::os::unix::fs::MetadataExt as _;
        let changed = std::time::UNIX_EPOCH + Duration::from_secs(fs::metadata(&changed).unwrap().ctime() as u64);
        (changed.elapsed().unwrap_or_default() > REST).then_some(())
    });
    assert!(rested.is_some());
    system.start();
    let full = system.back_up("FILES");
    let read = |backup: &Value| backup["sourceBytes"].as_u64().unwrap();
    // Another content of the same length and time: only its change time tells.
    let sly = uploads.join("folder/file 5");
    let modified = fs::metadata(&sly).unwrap().modified().unwrap();
    fs::write(&sly, vec![6; 100_000]).unwrap();
    fs::File::options()
        .write(true)
        .open(&sly)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let next = system.back_up_as("INCREMENTAL", "FILES");
    assert_on(&next, &full, "INCREMENTAL");
    assert_eq!(next["contents"], full["contents"]);
    assert_eq!(read(&next), 100_000, "{next:#}");
    assert_restores_files(&system, &next);

    let _stopped = system.take_server().terminate();
    system.set("BACKUP_FILES_READ_ALL", "true").start();
    let whole = system.back_up_as("INCREMENTAL", "FILES");
    assert_on(&whole, &next, "INCREMENTAL");
    assert_eq!(read(&whole), read(&full));
    assert_restores_files(&system, &whole);
    assert_all_good(&system);
}
