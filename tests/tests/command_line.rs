//! What people are told where they go wrong on the command line, and that `backupctl` gets on with pipes and files.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use backup_tests::azurite::ACCOUNT_KEY;
use backup_tests::process::built;
use backup_tests::system::{System, assert_same_databases};
use serde_json::Value;

/// A system with one backup of a little, and that one's id.
fn backed_up() -> (System, String) {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let id = backup["id"].as_str().unwrap().to_owned();
    (system, id)
}

/// `backupctl` with its output where the test wants it.
fn with_output(system: &System, args: &[&str], stdout: Stdio) -> Command {
    let mut command = Command::new(built("backupctl"));
    command.args(args).env_clear();
    for name in ["PATH", "BACKUP_ENCRYPTION_KEY", "BACKUP_DATA_DIR"] {
        command.env(name, system.setting(name));
    }
    command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    command
}

#[test]
fn a_command_whose_output_nobody_reads_ends_without_a_word() {
    let mut system = System::embedded();
    let mut noise = vec![0_u8; 4 << 20];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    fs::write(system.uploads().join("noise"), noise).unwrap();
    system.start();
    let (full, last) = (system.back_up("FILES"), system.back_up_as("INCREMENTAL", "FILES"));
    let (full, last) = (full["id"].as_str().unwrap(), last["id"].as_str().unwrap());

    for args in [
        &["list"][..],
        &["list", "--json"],
        &["show", full],
        &["verify", full],
        &["completions", "bash"],
        &["man"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let ended = with_output(&system, args, writer.into()).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*said), (Some(141), ""), "{args:?}");
    }
    // Of more than a pipe holds, the beginning is read.
    for args in [
        &["extract", full, "files/noise"][..],
        &["decrypt", full, "-o", "-"],
        &["decrypt", last, "--full", "-o", "-"],
    ] {
        let mut running = with_output(&system, args, Stdio::piped()).spawn().unwrap();
        let mut output = running.stdout.take().unwrap();
        output.read_exact(&mut [0]).unwrap();
        drop(output);
        let ended = running.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*said), (Some(141), ""), "{args:?}");
    }
}

#[test]
fn a_backup_that_builds_on_another_is_not_decrypted_without_a_word() {
    let mut system = System::embedded();
    fs::write(system.uploads().join("file"), "content").unwrap();
    system.start();
    let (full, last) = (system.back_up("FILES"), system.back_up_as("INCREMENTAL", "FILES"));
    assert_eq!(last["baseId"], full["id"]);
    let decrypt = |backup: &Value, more: &[&str], name: &str| {
        let (id, file) = (backup["id"].as_str().unwrap(), system.folder().join(name));
        let args = ["decrypt", id, "--json", "-o", file.to_str().unwrap()];
        let done = system.backupctl(&[&args[..], more].concat()).expect(0);
        (serde_json::from_str::<Value>(&done.stdout).unwrap(), done.stderr)
    };
    let (said, told) = decrypt(&last, &[], "a part");
    assert_eq!(said["buildsOn"], full["id"]);
    let base = full["id"].as_str().unwrap();
    assert!(
        told.contains(&format!("builds on {base}")) && told.contains("--full"),
        "{told}"
    );
    for (backup, more) in [(&last, &["--full"][..]), (&full, &[][..]), (&full, &["--full"][..])] {
        let (said, told) = decrypt(backup, more, &format!("{} {more:?}", backup["id"]));
        assert_eq!((&said["buildsOn"], &*told), (&Value::Null, ""), "{more:?}");
    }
}

#[test]
fn a_sheet_that_lacks_the_catalog_says_so() {
    let mut system = System::embedded();
    let sheet = |system: &System, language: &str| {
        let printed = system.backupctl(&["key", "sheet", "--language", language]).expect(0);
        (printed.stdout, printed.stderr)
    };
    let remarks = [
        ("en", "The catalog could not be looked at"),
        ("zh-TW", "無法讀取目錄資料庫"),
    ];
    for (language, remark) in remarks {
        let (page, told) = sheet(&system, language);
        assert!(page.contains(remark), "{page}");
        assert!(
            told.contains("not on the page") && told.contains("catalog.db"),
            "{told}"
        );
    }
    system.start();
    for (language, remark) in remarks {
        let (page, told) = sheet(&system, language);
        assert!(!page.contains(remark), "{page}");
        assert_eq!(told, "");
    }
}

#[test]
fn what_works_on_a_catalog_makes_none_and_says_which_it_was() {
    let mut system = System::embedded();
    let catalog = Path::new(system.setting("BACKUP_DATA_DIR")).join("catalog.db");
    let shown = catalog.display().to_string();
    let commands = [
        &["key", "rotate"][..],
        &["token", "create", "a token"],
        &["user", "add", "anna@example.org"],
    ];
    let run = |system: &System, args: &[&str]| {
        let program = system.program("backupctl").args(args);
        program.env("BACKUP_USER_PASSWORD", "a long password").run()
    };
    for args in commands {
        let refused = run(&system, args).expect(3);
        for word in [&*shown, "is not there", "HINT: ", "CATALOG_URL"] {
            assert!(refused.stderr.contains(word), "'{word}' is not in: {}", refused.stderr);
        }
        assert!(!catalog.exists(), "{args:?} made it");
    }
    system.start();
    for args in commands {
        let done = run(&system, args).expect(0);
        let told = format!("{}{}", done.stdout, done.stderr);
        assert!(told.contains(&shown), "{args:?}: {told}");
    }
    let rotated = run(&system, &["key", "rotate", "--json"]).expect(0);
    let said: Value = serde_json::from_str(&rotated.stdout).unwrap();
    assert!(said["catalog"].as_str().unwrap().contains(&shown), "{said}");
}

#[test]
fn a_file_that_is_there_already_is_not_written_over() {
    let (system, id) = backed_up();
    let there = system.folder().join("there");
    fs::write(&there, "mine").unwrap();
    let file = there.to_str().unwrap();
    for args in [
        &["extract", &id, "files/folder/file 1", "-o", file][..],
        &["decrypt", &id, "-o", file],
        &["key", "sheet", "-o", file],
    ] {
        let refused = system.backupctl(args).expect(1);
        assert!(refused.stderr.contains("is there already"), "{}", refused.stderr);
        assert!(refused.stderr.contains("HINT: "), "{}", refused.stderr);
        assert_eq!(fs::read_to_string(&there).unwrap(), "mine");
    }
}

#[test]
fn a_path_that_is_not_in_the_backup_is_refused_before_anything_is_made() {
    let (system, id) = backed_up();
    let (copy, files) = (system.new_database(), system.folder().join("restored"));
    let (url, folder) = (copy.url(), files.to_str().unwrap());
    let restore = |path: &str| {
        let places = ["--to-database", &url, "--to-files", folder, "--path", path];
        system.backupctl(&[&["restore", &id][..], &places].concat())
    };
    for (path, near) in [
        ("folder/nowhere/x", "'files/folder/file 0'"),
        ("file 1", "'files/folder'"),
    ] {
        let refused = restore(path).expect(3);
        for word in [&*format!("'{path}'"), near, "backupctl contents"] {
            assert!(refused.stderr.contains(word), "'{word}' is not in: {}", refused.stderr);
        }
        assert!(!files.exists() && copy.try_psql("SELECT 1").is_err(), "{path}");
    }
    let refused = restore("/folder").expect(2);
    assert!(refused.stderr.contains("files/a/b"), "{}", refused.stderr);
    let refused = system.backupctl(&["extract", &id, "files/file 1"]).expect(3);
    assert!(refused.stderr.contains("'files/folder'"), "{}", refused.stderr);
}

#[test]
fn a_url_without_a_password_names_what_gives_it_one() {
    let (system, id) = backed_up();
    let copy = system.new_database();
    let whole = copy.url();
    let with = |password: &str| whole.replace(&format!(":{}@", copy.password), password);
    let restore = |url: &str| system.program("backupctl").args(["restore", &id, "--to-database", url]);

    let refused = restore(&with("@")).run().expect(1);
    assert!(refused.stderr.contains("PGPASSWORD"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("DATABASE_PASSWORD"), "{}", refused.stderr);
    let refused = restore(&with(":hunter2@")).run().expect(1);
    assert!(
        refused.stderr.contains("password in the database's URL"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    let refused = restore(&with("@")).env("PGPASSWORD", "hunter2").run().expect(1);
    assert!(refused.stderr.contains("PGPASSWORD"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    let restored = restore(&with("@")).env("PGPASSWORD", &copy.password).run();
    let _done = restored.expect(0);
    assert_same_databases(&system.database, &copy);
}

#[test]
fn a_rebuild_whose_settings_cannot_be_read_does_not_call_itself_good() {
    let (system, _) = backed_up();
    let archive = system.blobs.list().into_iter().find(|path| path.contains(".tar."));
    let archive = archive.unwrap();
    let mut bytes = system.blobs.read(&archive);
    for byte in &mut bytes {
        *byte ^= 0xff;
    }
    system.blobs.write(&archive, &bytes);
    let catalog = system.folder().join("new.db");
    let url = format!("--catalog-url=sqlite://{}", catalog.display());

    let unknown = ["catalog", "rebuild", &url, "--settings-from", "no-backup"];
    let refused = system.backupctl(&unknown).expect(3);
    assert!(refused.stderr.contains("no-backup"), "{}", refused.stderr);
    assert!(!catalog.exists(), "nothing is made");
    let rebuilt = system.backupctl(&["catalog", "rebuild", &url]).expect(4);
    assert!(
        rebuilt.stdout.contains("no configuration export can be read"),
        "{}",
        rebuilt.stdout
    );
    assert!(
        rebuilt.stderr.contains("1 configuration export cannot be read") && rebuilt.stderr.contains("--settings-from"),
        "{}",
        rebuilt.stderr
    );
}

/// The warning of a storage URL that counts for nothing.
fn warns(line: &str) -> bool {
    line.contains("AZURE_STORAGE_CONNECTION_STRING and BACKUP_STORAGE_URL name two storages")
}

#[test]
fn a_storage_url_that_counts_for_nothing_is_told_of() {
    let mut system = System::services();
    let container = system.setting("BACKUP_CONTAINER_NAME").to_owned();
    let folder = system.folder().join("elsewhere");
    system.set("BACKUP_STORAGE_URL", &format!("file://{}", folder.display()));
    system.start();
    let scheduler = system.worker(&[]);
    let line = scheduler.wait_for_line(Duration::from_mins(2), warns);
    let _stopped = scheduler.terminate();
    let server = system.take_server().terminate();
    let told: Vec<&str> = server.stderr.lines().filter(|line| warns(line)).collect();
    assert_eq!(told.len(), 1, "{}", server.stderr);
    for line in [line.as_str(), told[0]] {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["level"], "warn", "{line}");
    }
    let listed = system.backupctl(&["list", "--json"]).expect(0);
    assert!(
        warns(&listed.stderr) && !listed.stderr.contains(ACCOUNT_KEY),
        "{}",
        listed.stderr
    );
    assert_eq!(
        serde_json::from_str::<Value>(&listed.stdout).unwrap(),
        Value::Array(Vec::new())
    );
    assert!(!folder.exists());

    // It names the container, and counts.
    system.set("BACKUP_STORAGE_URL", &format!("az://{container}"));
    let listed = system.backupctl(&["list"]).expect(0);
    assert!(!warns(&listed.stderr), "{}", listed.stderr);
}
