//! A backup that is not what was written is refused before a byte of it reaches a database or a folder.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::time::Duration;

use backup_tests::postgres::Postgres;
use backup_tests::system::{System, stored_paths};
use serde_json::Value;

/// A system with two completed backups, its server stopped.
fn two_backups(mut system: System) -> (System, Value, Value) {
    system.fill_a_little();
    system.start();
    let first = system.back_up("FULL_SYSTEM");
    let second = system.back_up("FULL_SYSTEM");
    let _stopped = system.take_server().terminate();
    (system, first, second)
}

/// Every command that reads the backup refuses it with `code` and a message with one of `words`, and makes nothing.
fn assert_refused(system: &System, backup: &Value, code: i32, words: &[&str], what: &str) {
    let id = backup["id"].as_str().unwrap();
    let copy = system.new_database();
    let files = system.folder().join("refused");
    let shown = files.display().to_string();
    let url = copy.url();
    let commands: [&[&str]; 3] = [
        &["verify", id, "--level", "CHECKSUM"],
        &["verify", id, "--level", "CONTENT"],
        &["restore", id, "--to-database", &url, "--to-files", &shown],
    ];
    for command in commands {
        let done = system.backupctl(command);
        let said = format!("{what}: {command:?}: {:?}\n{}", done.code, done.stderr);
        assert_eq!(done.code, Some(code), "{said}");
        let named = words.is_empty() || words.iter().any(|word| done.stderr.contains(word));
        assert!(named, "{said}");
    }
    let made = Postgres::shared().psql(
        "postgres",
        &format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", copy.name),
    );
    assert_eq!(made, "0", "{what}: the database was made");
    assert!(
        fs::read_dir(&files).is_ok_and(|mut found| found.next().is_none()) || !files.exists(),
        "{what}: files were made"
    );
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let (system, backup, _) = two_backups(System::embedded());
    let [path, _] = stored_paths(&backup);
    let good = system.blobs.read(&path);
    let size = good.len();
    let inside = [
        ("the IV", 3),
        ("the first block", 16),
        ("the first member", 1000),
        ("a quarter", size / 4),
        ("the middle", size / 2),
        ("three quarters", size / 4 * 3),
        ("the index", size - 2500),
        ("the index's root", size - 1200),
        ("the end of the tar", size - 400),
        ("the trailer", size - 60),
        ("the padding", size - 1),
    ];
    for (region, at) in inside {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        system.blobs.write(&path, &bad);
        assert_refused(&system, &backup, 4, &["damaged"], region);
    }
    system.blobs.write(&path, &good);
    system.assert_restores(backup["id"].as_str().unwrap());
}

#[test]
fn a_truncation_or_an_addition_is_found() {
    let (system, backup, _) = two_backups(System::embedded());
    let [path, _] = stored_paths(&backup);
    let good = system.blobs.read(&path);
    let half = good.len() / 2;
    for length in [
        0,
        1,
        16,
        half,
        half / 16 * 16,
        good.len() - 96,
        good.len() - 16,
        good.len() - 1,
    ] {
        system.blobs.write(&path, &good[..length]);
        assert_refused(
            &system,
            &backup,
            4,
            &["truncated"],
            &format!("cut to {length} of {}", good.len()),
        );
    }
    for more in [&b"x"[..], &[0; 16], &good] {
        system.blobs.write(&path, &[&good[..], more].concat());
        assert_refused(&system, &backup, 4, &["bytes"], &format!("{} bytes more", more.len()));
    }
    system.blobs.remove(&path);
    assert_refused(&system, &backup, 4, &["lost"], "the file is gone");
}

#[test]
fn a_wrong_key_is_named_as_such_and_an_older_one_still_opens() {
    let (mut system, backup, _) = two_backups(System::embedded());
    let passphrase = system.setting("BACKUP_ENCRYPTION_KEY").to_owned();
    system.set("BACKUP_ENCRYPTION_KEY", "another passphrase");
    assert_refused(&system, &backup, 4, &["key", "passphrase"], "another passphrase");
    let checked = system.backupctl(&["key", "check"]).expect(4);
    assert!(!checked.stderr.contains("another passphrase"));
    // A page with a passphrase that opens nothing would be found out on the worst day.
    let sheet = |system: &System| system.backupctl(&["key", "sheet", "--language", "en"]).expect(0);
    let printed = sheet(&system);
    for text in [&printed.stderr, &printed.stdout] {
        assert!(text.contains("opens the newest backup"), "{text}");
    }
    let rotated = format!("older still,{passphrase}");
    system.set("BACKUP_ENCRYPTION_KEY_PREVIOUS", &rotated);
    system.assert_restores(backup["id"].as_str().unwrap());
    let _checked = system.backupctl(&["key", "check"]).expect(0);
    let printed = sheet(&system);
    assert!(!printed.stdout.contains("opens the newest backup") && printed.stderr.is_empty());
}

#[test]
fn a_passphrase_with_a_line_break_at_its_end_is_told_of_and_outlives_its_rotation() {
    let mut system = System::embedded();
    // As a Secret of Kubernetes has it that was made of a file.
    let typed = system.setting("BACKUP_ENCRYPTION_KEY").to_owned();
    let passphrase = format!("{typed}\n");
    system.set("BACKUP_ENCRYPTION_KEY", &passphrase);
    system.start();
    let _backup = system.back_up("CONFIG");
    let scheduler = system.worker(&[]);
    let warns = |line: &str| line.contains("BACKUP_ENCRYPTION_KEY begins or ends with white space");
    for program in [system.server(), &scheduler] {
        let line = program.wait_for_line(Duration::from_mins(1), warns);
        assert!(line.contains("\"level\":\"warn\"") && !line.contains(&typed), "{line}");
    }
    let checked = system.backupctl(&["key", "check"]).expect(0);
    assert!(warns(&checked.stderr), "{}", checked.stderr);
    let args = ["key", "sheet", "--language", "en", "--with-passphrases"];
    let sheet = system.backupctl(&args).expect(0);
    assert!(
        sheet.stdout.contains(&format!("{typed}<mark>⏎</mark>")),
        "{}",
        sheet.stdout
    );
    assert!(sheet.stdout.contains("a line break"), "{}", sheet.stdout);

    system.set("BACKUP_ENCRYPTION_KEY", "a newer passphrase");
    for previous in [passphrase.clone(), format!("older still,{passphrase}")] {
        system.set("BACKUP_ENCRYPTION_KEY_PREVIOUS", &previous);
        let checked = system.backupctl(&["key", "check", "--json"]).expect(0);
        let found: Value = serde_json::from_str(&checked.stdout).unwrap();
        assert_eq!(found["openedByPrevious"], 1, "{previous:?}: {found}");
        assert!(
            checked.stderr.contains("BACKUP_ENCRYPTION_KEY_PREVIOUS"),
            "{}",
            checked.stderr
        );
    }
}

#[test]
fn a_mistyped_passphrase_is_told_of_at_the_start_which_it_does_not_prevent() {
    let mut system = System::embedded();
    system.start();
    let backup = system.back_up("CONFIG");
    let _stopped = system.take_server().terminate();
    let passphrase = system.setting("BACKUP_ENCRYPTION_KEY").to_owned();
    system.set("BACKUP_ENCRYPTION_KEY", "a mistyped passphrase");
    system.start();
    let scheduler = system.worker(&[]);
    for program in [system.server(), &scheduler] {
        let line = program.wait_for_line(Duration::from_mins(1), |line| {
            line.contains("\"action\":\"key_missing\"")
        });
        for word in [
            "\"level\":\"error\"",
            "\"backups\":1",
            "HINT: Correct BACKUP_ENCRYPTION_KEY",
            "BACKUP_ENCRYPTION_KEY_PREVIOUS",
        ] {
            assert!(line.contains(word), "no {word} in {line}");
        }
        assert!(
            !line.contains("mistyped passphrase") && !line.contains(&passphrase),
            "{line}"
        );
    }
    let next = system.back_up("CONFIG");
    system.assert_stored(&[&backup, &next]);
}

#[test]
fn a_receipt_of_another_backup_or_one_that_was_edited_is_found() {
    let (system, first, second) = two_backups(System::services());
    let [_, receipt] = stored_paths(&first);
    let [_, other] = stored_paths(&second);
    let (good, swapped) = (system.blobs.read(&receipt), system.blobs.read(&other));

    system.blobs.write(&receipt, &swapped);
    system.blobs.write(&other, &good);
    assert_refused(&system, &first, 4, &["exchanged with another"], "the other's receipt");
    assert_refused(&system, &second, 4, &["exchanged with another"], "the other's receipt");
    system.blobs.write(&other, &swapped);

    let text = String::from_utf8(good.clone()).unwrap();
    let edits: [(&str, &str, String); 3] = [
        (
            "a larger row count",
            "does not match its MAC",
            text.replace("\"rowCount\":5000", "\"rowCount\":5001")
                .replace("\"rowCount\": 5000", "\"rowCount\": 5001"),
        ),
        (
            "another checksum",
            "does not match its MAC",
            text.replace(first["checksum"].as_str().unwrap(), &"0".repeat(64)),
        ),
        ("no JSON", "is not JSON", text[..text.len() / 2].to_owned()),
    ];
    for (what, why, edited) in edits {
        assert_ne!(edited, text, "{what}");
        system.blobs.write(&receipt, edited.as_bytes());
        assert_refused(&system, &first, 4, &[why], what);
        // One bad receipt hides no good backup.
        let listed = system.backupctl(&["list", "--json"]).expect(4);
        let listed: Value = serde_json::from_str(&listed.stdout).expect("a list in JSON");
        assert_eq!(listed[0]["id"], second["id"], "{what}");
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{what}");
    }

    system.blobs.remove(&receipt);
    let gone = system.backupctl(&["verify", first["id"].as_str().unwrap()]).expect(3);
    assert!(gone.stderr.contains(first["id"].as_str().unwrap()), "{}", gone.stderr);
    system.assert_restores(second["id"].as_str().unwrap());
}

#[test]
fn a_file_that_cannot_be_read_hides_no_other_backup() {
    let mut system = System::services();
    system.start();
    let [good, shut, unread] = [(); 3].map(|()| system.back_up("CONFIG"));
    let _stopped = system.take_server().terminate();
    // The archive of one, and the receipt of another.
    let ([archive, _], [_, receipt]) = (stored_paths(&shut), stored_paths(&unread));
    system.blobs.archive(&archive);
    system.blobs.archive(&receipt);
    let run = |args: &[&str], code: i32, named: &[&str]| -> Value {
        let done = system.backupctl(&[args, &["--json"]].concat()).expect(code);
        for name in named {
            assert!(done.stderr.contains(name), "{args:?}: no {name} in: {}", done.stderr);
        }
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", done.stdout))
    };
    let listed = run(&["list"], 4, &[&receipt, "archive tier"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed:#}");
    let checked = run(&["key", "check"], 4, &[&receipt]);
    assert_eq!(checked["openedByCurrent"], 2, "{checked:#}");
    assert_eq!(checked["notOpened"], 1, "{checked:#}");
    // Nobody knows whether the one that cannot be read builds on it.
    let id = good["id"].as_str().unwrap();
    let shown = run(&["show", id], 1, &[&receipt]);
    assert_eq!((&shown["id"], &shown["dependents"]), (&good["id"], &Value::Null));
    let verified = run(&["verify", "--all"], 4, &[&receipt, &archive]);
    let verified = verified.as_array().unwrap();
    let whole: Vec<&Value> = verified.iter().filter(|one| one["ok"] == true).collect();
    assert_eq!((verified.len(), whole.len()), (3, 1), "{verified:#?}");
    assert_eq!(whole[0]["id"], good["id"]);
    let catalog = format!("sqlite://{}", system.folder().join("new.db").display());
    let rebuilt = run(&["catalog", "rebuild", "--catalog-url", &catalog], 4, &[&receipt]);
    assert_eq!(rebuilt["backups"], 2, "{rebuilt:#}");
    assert_eq!(rebuilt["bad"], 1, "{rebuilt:#}");
}

#[test]
fn two_backups_files_exchanged_are_found() {
    let (system, first, second) = two_backups(System::services());
    let ([one, _], [other, _]) = (stored_paths(&first), stored_paths(&second));
    let (a, b) = (system.blobs.read(&one), system.blobs.read(&other));
    system.blobs.write(&one, &b);
    system.blobs.write(&other, &a);
    assert_refused(&system, &first, 4, &["another archive"], "the other's file");
    assert_refused(&system, &second, 4, &["another archive"], "the other's file");
    system.blobs.write(&one, &a);
    system.blobs.write(&other, &b);
    // A truncated blob in Azure too.
    system.blobs.write(&one, &a[..a.len() - 16]);
    assert_refused(&system, &first, 4, &["truncated"], "cut at a block");
    system.assert_restores(second["id"].as_str().unwrap());
}
