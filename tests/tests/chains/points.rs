//! Points of chains: restored, looked into, downloaded, consolidated.

use std::fs;
use std::process::Command;
use std::time::Duration;

use backup_tests::system::{Point, System};
use backup_tests::tree::Scratch;
use backup_tests::{tools, tree};
use serde_json::{Value, json};

use crate::{TRUTH, assert_all_good, assert_on, assert_promoted, size, text};

/// The key as the contract derives it from the passphrase, by the openssl program.
const KEY: &str = "KEY=$(openssl kdf -keylen 32 -kdfopt pass:\"$PASSPHRASE\" -kdfopt salt:backup-salt-v1 -kdfopt n:16384 \
                   -kdfopt r:8 -kdfopt p:1 -kdfopt maxmem_bytes:67108864 SCRYPT | tr -d ':\\n')";
const LINE: &str =
    "tail -c +17 \"$F\" | openssl enc -d -aes-256-cbc -K $KEY -iv $(head -c 16 \"$F\" | xxd -p) | tar xzf -";

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
    assert!(fs::read(&out).unwrap() == fs::read(last.state.tree().join("folder/file 9")).unwrap());
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
        let disposition = answer.header("content-disposition").unwrap();
        assert!(
            disposition.contains("-full-") && !disposition.contains("incremental"),
            "{disposition}"
        );
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
        let original = point.state.tree().join("folder");
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
    for same in ["createdAt", "startedAt", "source", "contents"] {
        assert_eq!(made[same], last.backup[same], "{same}");
    }
    let of_type = format!("-{}-", text(&last.backup, "type").to_lowercase());
    assert_eq!(made["name"], text(&last.backup, "name").replace(&of_type, "-full-"));
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
