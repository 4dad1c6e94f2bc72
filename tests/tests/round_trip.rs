//! What is backed up comes back as it was: everything a database and a folder can hold, on both catalogs and both kinds of
//! storage, with every codec, encrypted or not; and everybody who shows the backup shows the same.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use backup_tests::system::{System, sha256, stored_paths};
use backup_tests::{sample_db, tree};
use serde_json::{Value, json};

/// The rows of the largest table, on the embedded defaults.
const ROWS: u64 = 1_000_000;

#[test]
fn everything_comes_back_on_the_embedded_defaults() {
    let mut system = System::embedded();
    sample_db::fill(&system.database, ROWS);
    tree::everything(&system.uploads());
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    check_contents(&system, &backup);
    check_shown(&system, &backup);
    let id = backup["id"].as_str().unwrap();
    let _verified = system.backupctl(&["verify", id]).expect(0);
    system.assert_restores(id);
    system.assert_stored(&[&backup]);
    assert_eq!(system.server().temporary_files(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn everything_comes_back_from_postgresql_and_azure() {
    let mut system = System::services();
    let listed = system.folder().join("app.conf");
    fs::write(&listed, "listed = true\n").unwrap();
    system
        .set("BACKUP_COMPRESSION", "zstd")
        .set("NODE_ENV", "production")
        .set("APP_NAME", "訂單 \"orders\"")
        .set("SECRET_OF_THE_ENVIRONMENT", "environment-hunter2")
        .set("BACKUP_CONFIG_PATHS", listed.to_str().unwrap());
    sample_db::fill(&system.database, 20_000);
    tree::everything(&system.uploads());
    system.start();
    let catalog = system.catalog.as_ref().unwrap();
    catalog.psql(
        "INSERT INTO system_configs (key, value, category, value_type, name, is_encrypted) VALUES \
         ('site.title', '備份', 'GENERAL', 'STRING', 'Title', false), ('smtp.password', 'setting-hunter2', 'EMAIL', 'STRING', 'Password', true)",
    );
    let mut events = system.api().events("/api/admin/backup/events");
    let id = system.create("FULL_SYSTEM");
    let mut progress = 0;
    let end = loop {
        let (name, data) = events.next().expect("an event");
        if name != "backup" || data["id"] != id.as_str() {
            continue;
        }
        let now = data["progress"].as_u64().unwrap();
        assert!(now >= progress, "progress went back from {progress} to {now}");
        progress = now;
        if data["status"] != "PENDING" && data["status"] != "IN_PROGRESS" {
            break data;
        }
    };
    assert_eq!(end["status"], "COMPLETED", "{end:#}");
    assert_eq!(end["progress"], 100);
    let backup = system.completed(&id);
    check_contents(&system, &backup);
    check_shown(&system, &backup);
    check_config(&system, &id);
    let _verified = system.backupctl(&["verify", &id]).expect(0);
    system.assert_restores(&id);
    system.assert_stored(&[&backup]);
}

#[test]
fn every_codec_comes_back_with_and_without_encryption() {
    let mut system = System::services();
    system.fill_a_little();
    system.start();
    let mut made = Vec::new();
    for (codec, encrypted, extension) in [
        ("gzip", true, ".tar.gz.enc"),
        ("zstd", true, ".tar.zst.enc"),
        ("none", true, ".tar.gz.enc"),
        ("gzip", false, ".tar.gz"),
        ("zstd", false, ".tar.zst"),
        ("none", false, ".tar.gz"),
    ] {
        let change = json!({ "compressionAlgorithm": codec, "encryptionEnabled": encrypted });
        let changed = system.api().send("PATCH", "/api/admin/backup/config", Some(&change));
        assert_eq!(changed.status, 200, "{}", changed.text());
        let backup = system.back_up("FULL_SYSTEM");
        let path = backup["storagePath"].as_str().unwrap();
        let id = backup["id"].as_str().unwrap();
        assert!(
            path.ends_with(&format!("{id}{extension}")),
            "{codec} {encrypted}: {path}"
        );
        let plain = system
            .api()
            .get(&format!("/api/admin/backup/{id}/download?decrypt=true"));
        assert_eq!(plain.status, 200, "{}", plain.text());
        if !encrypted {
            assert!(
                plain.body == system.blobs.read(path),
                "{codec}: the plain archive is the stored file"
            );
        }
        system.assert_restores(id);
        made.push(backup);
    }
    system.assert_stored(&made.iter().collect::<Vec<_>>());
}

#[test]
fn parts_come_back_alone() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    for (source, part) in [("DATABASE", "database"), ("FILES", "files"), ("CONFIG", "config")] {
        let backup = system.back_up(source);
        let parts: Vec<&String> = backup["contents"].as_object().unwrap().keys().collect();
        assert_eq!(parts, [part], "{source}");
    }
    let backup = system.back_up("FULL_SYSTEM");
    let id = backup["id"].as_str().unwrap();
    let original = fs::read(system.uploads().join("folder/file 7")).unwrap();
    let out = system.folder().join("one");
    let extract = ["extract", id, "files/folder/file 7", "-o", out.to_str().unwrap()];
    let _done = system.backupctl(&extract).expect(0);
    assert!(fs::read(&out).unwrap() == original);
    let some = system.folder().join("some");
    let restore = [
        "restore",
        id,
        "--to-files",
        some.to_str().unwrap(),
        "--path",
        "folder/file 7",
    ];
    let _done = system.backupctl(&restore).expect(0);
    assert!(fs::read(some.join("folder/file 7")).unwrap() == original);
    assert!(!some.join("folder/file 8").exists());
    let copy = system.new_database();
    let restore = ["restore", id, "--to-database", &copy.url(), "--table", "app.orders"];
    let _done = system.backupctl(&restore).expect(0);
    assert_eq!(
        copy.psql("SELECT count(*), min(note) FROM app.orders"),
        system.database.psql("SELECT count(*), min(note) FROM app.orders")
    );
    let missing = system.backupctl(&["extract", id, "files/no such file"]);
    assert_eq!(missing.code, Some(3), "{}", missing.stderr);
    // A folder with something in it is nobody's to overwrite.
    let taken = ["restore", id, "--to-files", some.to_str().unwrap()];
    let refused = system.backupctl(&taken).expect(1);
    assert!(refused.stderr.contains("empty"), "{}", refused.stderr);
    let same = ["restore", id, "--to-database", &system.database.url()];
    let refused = system.backupctl(&same).expect(1);
    assert!(refused.stderr.contains(&system.database.name), "{}", refused.stderr);
    assert_eq!(system.database.psql("SELECT count(*) FROM app.orders"), "5000");
}

#[test]
fn contents_are_listed_from_the_storage_alone_as_the_server_shows_them() {
    let mut system = System::embedded();
    system.fill_a_little();
    let uploads = system.uploads();
    fs::write(uploads.join("back\\slash"), "backslash").unwrap();
    symlink("folder/file 7", uploads.join("link")).unwrap();
    fs::create_dir(uploads.join("many")).unwrap();
    for number in 0..2000_u16 {
        fs::write(uploads.join(format!("many/{number:04}")), "").unwrap();
    }
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let id = backup["id"].as_str().unwrap();
    let places = ["", "files", "files/folder", "files/many", "database", "config"];
    let shown: Vec<Vec<Value>> = places.iter().map(|place| shown_contents(&system, id, place)).collect();
    drop(system.take_server());
    let listed = |args: &[&str]| -> Vec<Value> {
        let mut line = vec!["contents", "--json", id];
        line.extend(args);
        serde_json::from_str(&system.backupctl(&line).expect(0).stdout).expect("an array")
    };
    assert!(listed(&[]) == shown[0], "{:#?}", listed(&[]));
    for (&place, shown) in places.iter().zip(&shown).skip(1) {
        assert!(!shown.is_empty() && listed(&[place]) == *shown, "{place}");
        let with_slash = format!("{place}/");
        assert!(listed(&[with_slash.as_str()]) == *shown, "{with_slash}");
    }
    let tree = listed(&["files", "--recursive"]);
    let folder = tree.iter().position(|entry| entry["path"] == "files/many").unwrap();
    assert!(
        tree[folder + 1..=folder + 2000] == shown[3],
        "a folder, then what it holds"
    );
    assert_eq!(tree.len(), shown[1].len() + shown[2].len() + shown[3].len());
    let parts = [listed(&["database", "-r"]), tree, listed(&["config", "-r"])];
    assert_eq!(listed(&["-r"]).len(), 3 + parts.concat().len());

    // What is shown can be asked for.
    let mut paths = shown[1].iter().map(|entry| entry["path"].as_str().unwrap());
    let slash = paths.find(|path| path.contains("slash")).unwrap();
    assert_eq!(system.backupctl(&["extract", id, slash]).expect(0).stdout, "backslash");
    let line = system.backupctl(&["contents", id, slash]).expect(0).stdout;
    assert!(line.starts_with("FILE ") && line.trim_end().ends_with(slash), "{line}");
    let line = system.backupctl(&["contents", id, "files/link"]).expect(0).stdout;
    assert!(line.ends_with("files/link -> folder/file 7\n"), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");

    for missing in ["files/none", "files/folder/file 7/x", "none", "none/x"] {
        let missing = system.backupctl(&["contents", "--json", id, missing]).expect(3);
        assert_eq!(missing.stdout, "", "no list");
    }
    let with = |name: &str, value: &str| {
        system
            .program("backupctl")
            .env(name, value)
            .args(["contents", id])
            .run()
    };
    let wrong = with("BACKUP_ENCRYPTION_KEY", "another passphrase, which opens nothing").expect(4);
    assert_eq!(wrong.stdout, "", "{}", wrong.stderr);
    let away = system.folder().join("elsewhere");
    let _away = with("BACKUP_STORAGE_URL", &format!("file://{}", away.display())).expect(5);
}

/// What stands in a place of the backup, by all pages of the API, without the names, in which the paths end.
fn shown_contents(system: &System, id: &str, place: &str) -> Vec<Value> {
    let mut shown = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = format!("/api/admin/backup/{id}/contents?path={place}&limit=1000{cursor}");
        let mut page = system.api().get(&page).expect(200);
        for mut entry in page["entries"].as_array_mut().unwrap().drain(..) {
            entry.as_object_mut().unwrap().remove("name");
            shown.push(entry);
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return shown,
        }
    }
}

#[test]
fn files_that_change_while_they_are_read_are_reported_and_nothing_else_is_lost() {
    let mut system = System::embedded();
    let uploads = system.uploads();
    let growing = uploads.join("growing");
    fs::write(&growing, vec![7_u8; 8 << 20]).unwrap();
    fs::write(uploads.join("still"), "still").unwrap();
    system.start();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let id = std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::Write as _;
            let mut file = fs::File::options().append(true).open(&growing).unwrap();
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                file.write_all(b"more").unwrap();
            }
        });
        let id = system.create("FILES");
        let backup = system.wait(&id);
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(backup["status"], "COMPLETED", "{backup:#}");
        let warnings = backup["warnings"].as_array().unwrap();
        assert!(
            warnings
                .iter()
                .any(|warning| warning["code"] == "FILE_CHANGED" && warning["path"] == "growing"),
            "{warnings:#?}"
        );
        id
    });
    let copy = system.folder().join("copy");
    let _done = system
        .backupctl(&["restore", &id, "--to-files", copy.to_str().unwrap()])
        .expect(0);
    assert_eq!(fs::read(copy.join("still")).unwrap(), b"still");
    assert!(
        fs::read(copy.join("growing"))
            .unwrap()
            .starts_with(&vec![7_u8; 8 << 20])
    );
}

#[test]
fn an_empty_system_is_backed_up_within_seconds() {
    let mut system = System::embedded();
    system.start();
    let began = std::time::Instant::now();
    let backup = system.back_up("FULL_SYSTEM");
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    system.assert_restores(backup["id"].as_str().unwrap());
}

/// The recorded contents against the sources themselves.
fn check_contents(system: &System, backup: &Value) {
    let database = &backup["contents"]["database"];
    let views = system
        .database
        .psql("SET search_path = pg_catalog; SELECT oid::regclass FROM pg_class WHERE relkind = 'm'");
    let counts = system.database.row_counts();
    let rows: u64 = counts
        .iter()
        .filter(|(name, _)| !views.lines().any(|view| view == name))
        .map(|(_, rows)| rows)
        .sum();
    assert_eq!(database["rowCount"], rows, "{database:#}");
    let tables = database["tables"].as_array().unwrap();
    assert!(tables.iter().any(|table| table == "public.large_table"), "{tables:?}");
    let walk = std::process::Command::new("find")
        .arg(system.uploads())
        .args(["-type", "f"])
        .arg("-printf")
        .arg(".")
        .output();
    let files = walk.unwrap().stdout.len();
    assert_eq!(backup["contents"]["files"]["fileCount"], files);
    for part in ["database", "files", "config"] {
        assert!(backup["contents"][part]["sizeBytes"].as_u64().unwrap() > 0, "{part}");
    }
    let read: u64 = ["database", "files", "config"]
        .iter()
        .map(|part| backup["contents"][part]["sizeBytes"].as_u64().unwrap())
        .sum();
    assert!(backup["sourceBytes"].as_u64().unwrap() >= read, "{backup:#}");
}

/// The API's list, overview and download, the receipt, and `backupctl` say the same.
fn check_shown(system: &System, backup: &Value) {
    let id = backup["id"].as_str().unwrap();
    let [path, receipt_path] = stored_paths(backup);
    let stored = system.blobs.read(&path);
    assert_eq!(backup["sizeBytes"], stored.len());
    assert_eq!(backup["checksum"], sha256(&stored));
    assert_eq!(
        backup["createdByUser"]["displayName"].as_str().map(str::is_empty),
        Some(false)
    );
    let date = date_of(backup["startedAt"].as_str().unwrap());
    assert!(path.starts_with(&format!("{date}/{id}.tar.")), "{path}");

    let download = system.api().get(&format!("/api/admin/backup/{id}/download"));
    assert_eq!(download.status, 200, "{}", download.text());
    assert!(download.body == stored, "the download is the stored file");
    let length = stored.len().to_string();
    assert_eq!(download.header("content-length"), Some(length.as_str()));
    let tail = system
        .api()
        .with("Range", "bytes=-100")
        .get(&format!("/api/admin/backup/{id}/download"));
    assert_eq!(tail.status, 206);
    assert!(tail.body == stored[stored.len() - 100..]);

    let list = system
        .api()
        .get("/api/admin/backup?status=COMPLETED&limit=200")
        .expect(200);
    let listed = list["backups"]
        .as_array()
        .unwrap()
        .iter()
        .find(|other| other["id"] == id)
        .expect("it is listed");
    assert_eq!(listed["checksum"], backup["checksum"]);
    let status = system.api().get("/api/admin/backup/status").expect(200);
    assert_eq!(status["lastSuccessful"]["id"], id);
    assert_eq!(status["storage"]["totalSizeBytes"], stored.len());
    assert_eq!(status["storage"]["backupCount"], 1);
    assert_eq!(
        (&status["activeBackups"], &status["queuedBackups"]),
        (&0.into(), &0.into())
    );
    check_steps(system, id);
    check_log(system, id);

    let receipt: Value = serde_json::from_slice(&system.blobs.read(&receipt_path)).expect("a receipt in JSON");
    let same = [
        "id",
        "name",
        "type",
        "source",
        "trigger",
        "status",
        "sizeBytes",
        "sourceBytes",
        "checksum",
        "startedAt",
        "completedAt",
        "storagePath",
        "baseId",
        "contents",
        "warnings",
    ];
    let listed: Value =
        serde_json::from_str(&system.backupctl(&["list", "--json"]).expect(0).stdout).expect("a list in JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed:#}");
    let shown: Value = serde_json::from_str(&system.backupctl(&["show", id, "--json"]).expect(0).stdout).expect("JSON");
    for field in same {
        assert_eq!(receipt[field], backup[field], "{field} of the receipt");
        assert_eq!(listed[0][field], backup[field], "{field} of the list");
        assert_eq!(shown[field], backup[field], "{field} of show");
    }
}

/// What it did, one after the other, up to its end.
fn check_steps(system: &System, id: &str) {
    let backup = system.api().get(&format!("/api/admin/backup/{id}")).expect(200)["backup"].clone();
    let steps = backup["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["PREPARING", "DATABASE", "FILES", "CONFIG", "ARCHIVE", "UPLOAD"],
        "{steps:#?}"
    );
    assert!(
        steps.iter().all(|step| step["durationMs"].is_u64()),
        "each has ended: {steps:#?}"
    );
}

/// What it did, as a person reads it.
fn check_log(system: &System, id: &str) {
    let backup = system.backup(id);
    let lines = backup["log"].as_array().unwrap();
    let texts: Vec<&str> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    let mut left = texts.iter();
    for expected in [
        "takes the job up, attempt 1",
        "made FULL",
        "it is dumped by pg_dump",
        "DATABASE begins",
        "database: ",
        "FILES begins",
        "files: ",
        "CONFIG begins",
        "config: ",
        "ARCHIVE begins",
        "UPLOAD begins",
        backup["storagePath"].as_str().unwrap(),
        "COMPLETED",
    ] {
        assert!(left.any(|text| text.contains(expected)), "{expected}: {texts:#?}");
    }
    assert_eq!(left.next(), None, "its end is the last line");
}

/// The configuration that was saved, and the secrets that were not.
fn check_config(system: &System, id: &str) {
    let config: Value = serde_json::from_str(
        &system
            .backupctl(&["extract", id, "config/config.json"])
            .expect(0)
            .stdout,
    )
    .expect("JSON");
    let text = config.to_string();
    for there in ["site.title", "備份", "production", "訂單 \\\"orders\\\""] {
        assert!(text.contains(there), "{there}: {config:#}");
    }
    let secrets = [
        "setting-hunter2",
        "smtp.password",
        "environment-hunter2",
        "SECRET_OF_THE_ENVIRONMENT",
        system.setting("BACKUP_ENCRYPTION_KEY"),
        system.setting("DATABASE_PASSWORD"),
    ];
    for secret in secrets {
        assert!(!text.contains(secret), "a secret is in config.json: {config:#}");
    }
    let dir = system.folder().join("config");
    let _done = system
        .backupctl(&["restore", id, "--to-config", dir.to_str().unwrap()])
        .expect(0);
    let found = std::process::Command::new("grep")
        .args(["-rl", "listed = true"])
        .arg(&dir)
        .output()
        .unwrap();
    assert!(found.status.success(), "the listed file is not restored");
    assert_eq!(
        json!(config),
        serde_json::from_slice::<Value>(&fs::read(dir.join("config.json")).unwrap()).unwrap()
    );
}

/// `YYYY/MM-DD` of an RFC 3339 time.
fn date_of(time: &str) -> String {
    format!("{}/{}", &time[..4], &time[5..10])
}
