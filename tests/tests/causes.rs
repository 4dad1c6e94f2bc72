//! What cannot work says so within seconds: what is wrong, what to do, and no secret.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use backup_tests::azurite::{ACCOUNT_KEY, Azurite};
use backup_tests::guard::children_of;
use backup_tests::postgres::Postgres;
use backup_tests::system::{System, account_sas};
use backup_tests::{free_port, note, poll, tools};
use serde_json::{Value, json};

/// "Within seconds", on a machine that also runs other tests.
const SECONDS: Duration = Duration::from_mins(1);

/// Starts the system and asks for a backup, which fails soon and with all of `words` in its message; no secret shows.
fn assert_fails(system: &mut System, source: &str, words: &[&str]) {
    system.start_unready();
    let began = Instant::now();
    let message = system.failed(&system.create(source));
    assert!(began.elapsed() < SECONDS, "{:?} for: {message}", began.elapsed());
    for word in words {
        assert!(message.contains(word), "'{word}' is not in: {message}");
    }
    assert!(message.contains("HINT: "), "it does not say what to do: {message}");
    assert_eq!(system.blobs.list(), Vec::<String>::new());
    assert_no_secret(system, &message);
    let server = system.take_server().terminate();
    assert_no_secret(system, &format!("{}{}", server.stdout, server.stderr));
}

/// No secret of the system's settings stands in this text.
fn assert_no_secret(system: &System, text: &str) {
    let mut secrets = vec![ACCOUNT_KEY.to_owned()];
    for name in ["BACKUP_ENCRYPTION_KEY", "DATABASE_PASSWORD", "BACKUP_ADMIN_PASSWORD"] {
        secrets.push(system.setting(name).to_owned());
    }
    for permissions in ["rl", "rwdlac"] {
        let sas = account_sas(permissions);
        let signature = sas.split("sig=").nth(1).unwrap();
        secrets.push(signature.to_owned());
        secrets.push(signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "="));
    }
    for secret in secrets {
        assert!(!text.contains(&secret), "'{secret}' is in: {text}");
    }
}

#[test]
fn a_wrong_password() {
    let mut system = System::embedded();
    system.set("DATABASE_PASSWORD", "a-wrong-hunter2");
    assert_fails(
        &mut system,
        "FULL_SYSTEM",
        &["password", "postgres", "DATABASE_PASSWORD"],
    );
}

#[test]
fn a_missing_database() {
    let mut system = System::embedded();
    system.set("DATABASE_NAME", "no such database");
    assert_fails(&mut system, "FULL_SYSTEM", &["no such database", "does not exist"]);
}

#[test]
fn no_database_named() {
    let mut system = System::embedded();
    system.set("DATABASE_NAME", "");
    assert_fails(&mut system, "FULL_SYSTEM", &["DATABASE_NAME"]);
}

#[test]
fn an_unreachable_host() {
    let mut system = System::embedded();
    let port = free_port().to_string();
    system.set("DATABASE_PORT", &port);
    assert_fails(&mut system, "FULL_SYSTEM", &[&port, "DATABASE_HOST"]);
    system.set("DATABASE_HOST", "no-such-host.invalid");
    assert_fails(&mut system, "FULL_SYSTEM", &["no-such-host.invalid"]);
}

#[test]
fn a_missing_pg_dump() {
    let mut system = System::embedded();
    let programs = system.folder().join("programs");
    fs::create_dir(&programs).unwrap();
    system.set("DATABASE_PROGRAMS", programs.to_str().unwrap());
    assert_fails(&mut system, "DATABASE", &["pg_dump", "nstall"]);
}

#[test]
fn a_server_newer_than_pg_dump() {
    let mut system = System::embedded();
    let programs = system.folder().join("programs");
    fs::create_dir(&programs).unwrap();
    let real = Postgres::shared().bin_dir();
    for program in ["psql", "pg_restore", "pg_dumpall"] {
        std::os::unix::fs::symlink(real.join(program), programs.join(program)).unwrap();
    }
    let fake = programs.join("pg_dump");
    fs::write(&fake, "#!/bin/sh\n[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 12.22' && exit 0\necho 'must not be run' >&2\nexit 9\n").unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    system.set("DATABASE_PROGRAMS", programs.to_str().unwrap());
    assert_fails(&mut system, "DATABASE", &["12.22", "newer", "nstall"]);
}

#[test]
fn a_missing_upload_folder() {
    let mut system = System::embedded();
    let folder = system.folder().join("not mounted");
    system.set("UPLOAD_DIR", folder.to_str().unwrap());
    assert_fails(&mut system, "FILES", &["not mounted", "does not exist", "UPLOAD_DIR"]);
}

#[test]
fn an_upload_folder_that_is_empty_all_of_a_sudden() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    let good = system.back_up("FULL_SYSTEM");
    let then = system.state();
    let uploads = system.uploads();
    let unmount = |name: &str| {
        fs::rename(&uploads, system.folder().join(name)).unwrap();
        fs::create_dir(&uploads).unwrap();
    };
    let assert_refused = || {
        for source in ["FILES", "FULL_SYSTEM"] {
            let message = system.failed(&system.create(source));
            for word in ["is empty", "20 files", "is it mounted?", "HINT: ", ".keep"] {
                assert!(message.contains(word), "'{word}' is not in: {message}");
            }
        }
    };
    unmount("unmounted");
    assert_refused();
    system.assert_stored(&[&good]);
    let _database = system.back_up("DATABASE");

    // It may be what a restore is for. Its safety backup of nothing does not count afterwards.
    let _record = system.replace(good["id"].as_str().unwrap());
    assert_eq!(system.differences(&then), Vec::<String>::new());
    unmount("unmounted again");
    assert_refused();

    // Meant to be empty.
    fs::write(uploads.join(".keep"), "").unwrap();
    let kept = system.back_up("FILES");
    assert_eq!(kept["contents"]["files"]["fileCount"], 1);
}

#[test]
fn a_file_that_cannot_be_read_does_not_pass_silently() {
    let mut system = System::embedded();
    let uploads = system.uploads();
    fs::write(uploads.join("readable"), "x").unwrap();
    let unreadable = uploads.join("unreadable");
    let mut mounted = None;
    if tools::is_root() {
        // Root reads everything, but not what the disk does not give: reading a process's memory at 0 is such an error.
        fs::write(&unreadable, "").unwrap();
        mounted = tools::Mounted::at(&unreadable, &["--bind", "/proc/self/mem"]).ok();
        if mounted.is_none() {
            note("no unreadable file can be made for root: it is not tested");
            return;
        }
    } else {
        fs::write(&unreadable, "secret").unwrap();
        fs::set_permissions(&unreadable, fs::Permissions::from_mode(0o000)).unwrap();
    }
    assert_fails(&mut system, "FILES", &["unreadable"]);
    drop(mounted);
}

#[test]
fn a_signature_without_the_right_to_write() {
    let azurite = Azurite::shared();
    let mut system = System::services();
    let container = system.setting("BACKUP_CONTAINER_NAME").to_owned();
    system.start();
    let _stopped = system.take_server().terminate();
    // The container is there, and may be read and listed.
    let text = format!(
        "BlobEndpoint={};SharedAccessSignature={}",
        azurite.endpoint(),
        account_sas("rl")
    );
    for name in [text.clone(), format!("AccountName=devstoreaccount1;{text}")] {
        system.set("AZURE_STORAGE_CONNECTION_STRING", &name);
        assert_fails(&mut system, "CONFIG", &[&container]);
    }
}

#[test]
fn a_wrong_storage_key() {
    let mut system = System::services();
    let good = system.setting("AZURE_STORAGE_CONNECTION_STRING").to_owned();
    let wrong = good.replace(ACCOUNT_KEY, "d3JvbmcgaHVudGVyMg==");
    system.set("AZURE_STORAGE_CONNECTION_STRING", &wrong);
    assert_fails(&mut system, "CONFIG", &["AZURE_STORAGE_CONNECTION_STRING"]);
    assert!(!system.backupctl(&["list"]).stderr.contains("d3JvbmcgaHVudGVyMg=="));
}

#[test]
fn settings_that_make_no_sense_are_refused_at_the_start_or_by_the_job() {
    let system = System::embedded();
    let refused = [
        ("BACKUP_ENCRYPTION_KEY", "", "BACKUP_ENCRYPTION_KEY"),
        ("CATALOG_URL", "mysql://user:hunter2@host/x", "CATALOG_URL"),
        ("BACKUP_ADMIN_PASSWORD", "", "BACKUP_ADMIN_PASSWORD"),
        ("BACKUP_LEASE_SECONDS", "0", "lease"),
        ("BACKUP_COMPRESSION", "rar", "compression"),
        ("LISTEN_ADDR", "nowhere", "nowhere"),
    ];
    for (name, value, word) in refused {
        let ended = system.program("api-server").env(name, value).run();
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, Some(2), "{name}={value}: {said}");
        assert!(said.contains(word), "{name}={value}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_path_that_is_set_to_nothing_is_not_set() {
    let mut system = System::embedded();
    for name in [
        "BACKUP_CONFIG_PATHS",
        "BACKUP_DRILL_DIR",
        "DATABASE_PROGRAMS",
        "SMTP_CA_FILE",
    ] {
        system.set(name, "");
    }
    system.start();
    let _backup = system.back_up("FULL_SYSTEM");
    let _listed = system.backupctl(&["list"]).expect(0);
}

#[test]
fn a_bad_connection_string_is_named_without_being_repeated() {
    for bad in [
        "AccountKey=hunter2secret",
        "hunter2secret",
        "AccountName=a;AccountKey=not base64 hunter2secret;",
    ] {
        let mut system = System::embedded();
        system.set("AZURE_STORAGE_CONNECTION_STRING", bad);
        let listed = system.backupctl(&["list"]);
        assert!(
            [Some(1), Some(2)].contains(&listed.code),
            "{bad}: {:?} {}",
            listed.code,
            listed.stderr
        );
        assert!(
            listed.stderr.contains("AZURE_STORAGE_CONNECTION_STRING"),
            "{bad}: {}",
            listed.stderr
        );
        assert!(!listed.stderr.contains("hunter2secret"), "{}", listed.stderr);
        system.start_unready();
        let message = system.failed(&system.create("CONFIG"));
        assert!(message.contains("AZURE_STORAGE_CONNECTION_STRING"), "{bad}: {message}");
        let server = system.take_server().terminate();
        assert!(
            !format!("{message}{}{}", server.stdout, server.stderr).contains("hunter2secret"),
            "{bad}: {message}"
        );
    }
}

#[test]
fn an_unreachable_storage_or_catalog_has_an_exit_code_of_its_own() {
    let mut system = System::services();
    let port = free_port().to_string();
    let azurite = Azurite::shared().port().to_string();
    let away = system
        .setting("AZURE_STORAGE_CONNECTION_STRING")
        .replace(&azurite, &port);
    system
        .set("AZURE_STORAGE_CONNECTION_STRING", &away)
        .set("BACKUP_STALL_SECONDS", "3");
    let listed = system.backupctl(&["list"]);
    assert_eq!(listed.code, Some(5), "{}", listed.stderr);
    assert!(listed.stderr.contains(&port), "{}", listed.stderr);
    assert_no_secret(&system, &listed.stderr);
    let server = Postgres::shared().port().to_string();
    let catalog = system.setting("CATALOG_URL").replace(&server, &port);
    let token = ["token", "create", "x"];
    let ended = system
        .program("backupctl")
        .args(token)
        .env("CATALOG_URL", &catalog)
        .run();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert_no_secret(&system, &ended.stderr);
}

#[test]
fn an_address_that_is_taken_is_tried_again_by_the_units() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let system = System::embedded();
    for (program, variable) in [("api-server", "LISTEN_ADDR"), ("scheduler", "METRICS_ADDR")] {
        // After 2 they do not: RestartPreventExitStatus=2.
        let ended = system.program(program).env(variable, &address).run().expect(1);
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert!(told.contains(variable) && told.contains(&address), "{told}");
    }
}

#[test]
fn a_storage_or_a_server_that_is_not_there_is_no_backup_that_is_not_found() {
    // Nothing was started, so there is neither folder nor container.
    for system in [System::embedded(), System::services()] {
        for command in [&["list"][..], &["show", "0199"], &["verify", "--all"]] {
            let ended = system.backupctl(command);
            assert_eq!(ended.code, Some(5), "{command:?}: {}", ended.stderr);
            assert!(ended.stderr.contains("HINT: Correct"), "{}", ended.stderr);
        }
        assert_eq!(system.blobs.list(), Vec::<String>::new(), "it is not made");
    }
    let mut system = System::embedded();
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let nowhere = "postgres://user@no-such-host.invalid/copy";
    let restore = ["restore", backup["id"].as_str().unwrap(), "--to-database", nowhere];
    let ended = system.backupctl(&restore).expect(5);
    assert!(ended.stderr.contains("no-such-host.invalid"), "{}", ended.stderr);
    let _unknown = system.backupctl(&["show", "0199ffff"]).expect(3);
}

#[test]
fn no_secret_on_a_command_line_or_in_a_log() {
    let mut system = System::services();
    system.fill_much(48);
    system.set("RUST_LOG", "debug");
    system.start();
    let token = system
        .api()
        .post("/api/admin/tokens", &json!({ "name": "t", "scope": "ADMIN" }))
        .expect(201);
    let id = system.create("FULL_SYSTEM");
    let mut seen = Vec::new();
    let ended = poll(Duration::from_mins(2), || {
        let server = system.server().pid();
        for pid in children_of(server).into_iter().chain([server]) {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            assert_no_secret(&system, &line);
            seen.push(line);
        }
        let status = &system.backup(&id)["status"];
        (status != "PENDING" && status != "IN_PROGRESS").then_some(())
    });
    assert!(ended.is_some());
    let _completed: Value = system.completed(&id);
    assert!(
        seen.iter().any(|line| line.contains("pg_dump")),
        "the children were seen: {seen:?}"
    );
    let restored = system.folder().join("restored");
    let restore = ["restore", &id, "--to-files", restored.to_str().unwrap()];
    let done = system.backupctl(&restore).expect(0);
    assert_no_secret(&system, &format!("{}{}", done.stdout, done.stderr));
    let server = system.take_server().terminate();
    let log = format!("{}{}", server.stdout, server.stderr);
    assert_no_secret(&system, &log);
    assert!(!log.contains(token["secret"].as_str().unwrap()));
    for line in server.stdout.lines().filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for field in ["timestamp", "level", "service", "message"] {
            assert!(line[field].is_string(), "{field}: {line}");
        }
    }
    for action in ["backup_started", "backup_completed"] {
        assert!(log.contains(action), "{action}");
    }
}
