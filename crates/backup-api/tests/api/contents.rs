//! Browsing a backup, and fetching one file of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use backup_core::{Backup, BackupSource, BackupTrigger, EntryPath};
use serde_json::{Value, json};

use crate::support::{Client, TestApp, key, noise, on_both_catalogs};

on_both_catalogs!(
    every_page_size_gives_the_same_list,
    a_folder_of_thousands_is_listed_page_by_page,
    everything_shown_can_be_asked_for,
    entries_say_what_they_are,
    a_file_is_read_without_the_rest,
    no_path_leads_out,
    only_a_good_backup_is_browsed,
    another_receipt_than_the_catalog_knows_opens_nothing,
);

/// The tree that is backed up, with everything a tree can hold.
fn build(uploads: &Path) {
    let write = |name: &[u8], content: &[u8]| fs::write(uploads.join(OsStr::from_bytes(name)), content).unwrap();
    for folder in ["empty", "sub/deeper", "sub.d", "照片 一"] {
        fs::create_dir_all(uploads.join(folder)).unwrap();
    }
    write(b"a.txt", &b"content of a".repeat(1000));
    write(b"bad\xff\xfename.txt", b"not UTF-8");
    write(b"back\\slash\\x41", b"backslashes");
    write(b"new\nline \x1b[31m", b"control characters");
    write("照片 一/名稱;\"1\".txt".as_bytes(), "內容".as_bytes());
    write(b"sub/deeper/c", b"c");
    write(b"sub/b", b"b");
    write(b"sub.d/x", b"");
    write(b"sub-", b"sorts between");
    write(b"+&= %2e#?", b"what a query would take apart");
    fs::hard_link(uploads.join("a.txt"), uploads.join("z-hard")).unwrap();
    symlink("sub/b", uploads.join("link")).unwrap();
    symlink(OsStr::from_bytes(b"../../etc/\xff"), uploads.join("dangling")).unwrap();
    fs::set_permissions(uploads.join("a.txt"), fs::Permissions::from_mode(0o640)).unwrap();
    let fifo = Command::new("mkfifo").arg(uploads.join("pipe")).status().unwrap();
    assert!(fifo.success());
    // Holes before, between and behind its data.
    let sparse = fs::File::create(uploads.join("sparse")).unwrap();
    sparse.set_len(12 << 20).unwrap();
    sparse.write_all_at(&noise(5000), 4 << 20).unwrap();
    sparse.write_all_at(&noise(70_000), 8 << 20).unwrap();
}

async fn browsable(app: &TestApp) -> (Client, Backup) {
    fs::create_dir_all(app.uploads()).unwrap();
    build(&app.uploads());
    (app.as_admin().await, app.back_up_uploads().await)
}

fn encode(text: &str) -> String {
    text.bytes()
        .flat_map(|byte| format!("%{byte:02x}").into_bytes())
        .map(char::from)
        .collect()
}

fn contents(backup: &Backup, path: &str) -> String {
    format!("/api/admin/backup/{}/contents?path={}", backup.id, encode(path))
}

fn file(backup: &Backup, path: &str) -> String {
    format!("/api/admin/backup/{}/contents/file?path={}", backup.id, encode(path))
}

/// All pages of a folder, one after the other.
async fn list(client: &Client, backup: &Backup, path: &str, limit: usize) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let url = format!("{}&limit={limit}{cursor}", contents(backup, path));
        let page = client.get(&url).await.expect(200).json();
        let entries = page["entries"].as_array().unwrap();
        assert!(entries.len() <= limit);
        all.extend(entries.clone());
        match page["nextCursor"].as_str() {
            None => return all,
            Some(next) => {
                assert_eq!(entries.len(), limit, "a page that is not the last is full");
                cursor = format!("&cursor={}", encode(next));
            }
        }
    }
}

async fn every_page_size_gives_the_same_list(app: TestApp) {
    let (admin, backup) = browsable(&app).await;
    for folder in ["", "files", "files/sub", "files/empty"] {
        let whole = list(&admin, &backup, folder, 1000).await;
        for limit in 1..=whole.len() + 1 {
            assert!(
                list(&admin, &backup, folder, limit).await == whole,
                "'{folder}' by {limit}"
            );
        }
    }
    assert!(list(&admin, &backup, "files/empty", 1).await.is_empty());
    assert_eq!(
        list(&admin, &backup, "files/", 1000).await,
        list(&admin, &backup, "files", 1000).await
    );
}

async fn a_folder_of_thousands_is_listed_page_by_page(app: TestApp) {
    let many = app.uploads().join("many");
    let mut names: Vec<String> = (0..3210).map(|number| format!("files/many/{number:x}")).collect();
    fs::create_dir_all(&many).unwrap();
    for name in &names {
        fs::write(many.join(&name["files/many/".len()..]), name).unwrap();
    }
    fs::write(app.uploads().join("many.txt"), "").unwrap();
    let backup = app.back_up_uploads().await;
    let viewer = app.as_viewer().await;
    names.sort();
    for limit in [1000, 999, 107] {
        let listed = list(&viewer, &backup, "files/many", limit).await;
        let listed: Vec<&str> = listed.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
        assert!(listed == names, "pages of {limit} are not the folder");
    }
    let default = viewer.get(&contents(&backup, "files/many")).await.json();
    assert_eq!(default["entries"].as_array().unwrap().len(), 100);
}

/// Every path of a folder on disk, and below it.
fn walk(folder: &Path, below: &[u8], found: &mut BTreeMap<Vec<u8>, fs::Metadata>) {
    for entry in fs::read_dir(folder.join(OsStr::from_bytes(below))).unwrap() {
        let entry = entry.unwrap();
        let mut path = below.to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(entry.file_name().as_bytes());
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            walk(folder, &path, found);
        }
        found.insert(path, metadata);
    }
}

async fn everything_shown_can_be_asked_for(app: TestApp) {
    let (admin, backup) = browsable(&app).await;
    let mut shown = BTreeMap::new();
    let mut folders = vec!["files".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in list(&admin, &backup, &folder, 7).await {
            let path = entry["path"].as_str().unwrap();
            if entry["kind"] == "DIRECTORY" {
                folders.push(path.to_owned());
            }
            let inner = EntryPath::from_shown(path.strip_prefix("files/").unwrap()).unwrap();
            shown.insert(inner.as_bytes().to_vec(), entry.clone());
        }
    }
    let mut there = BTreeMap::new();
    walk(&app.uploads(), b"", &mut there);
    assert!(
        shown.keys().eq(there.keys()),
        "{:?}",
        shown.keys().map(|path| EntryPath::show(path))
    );

    for (path, entry) in &shown {
        let on_disk = app.uploads().join(OsStr::from_bytes(path));
        let url = file(&backup, entry["path"].as_str().unwrap());
        if there[path].is_file() {
            let response = admin.get(&url).await.expect(200);
            let content = fs::read(on_disk).unwrap();
            assert!(response.complete && response.body == content, "{entry}");
            assert_eq!(
                response.header("content-length"),
                Some(content.len().to_string().as_str())
            );
            let head = admin.send("HEAD", &url, "").await.expect(200);
            assert_eq!(
                (head.header("content-length"), head.header("content-disposition")),
                (
                    response.header("content-length"),
                    response.header("content-disposition")
                )
            );
            assert!(head.body.is_empty());
        } else {
            admin.get(&url).await.refused(409, "entry_no_file");
        }
    }
    let files = there.values().filter(|metadata| metadata.is_file()).count();
    assert_eq!(
        app.descriptions("BACKUP_FILE_DOWNLOAD").await.len(),
        files,
        "a HEAD reveals no content"
    );
}

async fn entries_say_what_they_are(app: TestApp) {
    let (admin, backup) = browsable(&app).await;
    let parts = list(&admin, &backup, "", 100).await;
    assert_eq!(
        (&parts[0]["path"], &parts[0]["kind"]),
        (&json!("files"), &json!("DIRECTORY"))
    );
    let entries = list(&admin, &backup, "files", 100).await;
    let entry = |path: &str| {
        let found = entries.iter().find(|entry| entry["path"] == path);
        found
            .unwrap_or_else(|| panic!("{path} is not listed: {entries:?}"))
            .clone()
    };
    let what = |path: &str| (entry(path)["kind"].clone(), entry(path)["target"].clone());
    assert_eq!(what("files/link"), (json!("SYMLINK"), json!("sub/b")));
    assert_eq!(what("files/dangling"), (json!("SYMLINK"), json!("../../etc/\\xff")));
    assert_eq!(what("files/z-hard"), (json!("HARD_LINK"), json!("files/a.txt")));
    assert_eq!(what("files/pipe"), (json!("FIFO"), json!(null)));
    assert_eq!(what("files/empty"), (json!("DIRECTORY"), json!(null)));
    assert!(
        fs::symlink_metadata(app.uploads().join("pipe"))
            .unwrap()
            .file_type()
            .is_fifo()
    );
    let a = entry("files/a.txt");
    assert_eq!(
        (&a["name"], &a["sizeBytes"], &a["mode"], &a["kind"]),
        (&json!("a.txt"), &json!(12_000), &json!("0640"), &json!("FILE"))
    );
    let modified: std::time::SystemTime = a["modifiedAt"]
        .as_str()
        .unwrap()
        .parse::<chrono::DateTime<chrono::Utc>>()
        .unwrap()
        .into();
    assert_eq!(
        modified,
        fs::metadata(app.uploads().join("a.txt")).unwrap().modified().unwrap()
    );
    assert_eq!(entry("files/sparse")["sizeBytes"], 12 << 20);
    assert_eq!(entry("files/bad\\xff\\xfename.txt")["name"], "bad\\xff\\xfename.txt");
}

async fn a_file_is_read_without_the_rest(app: TestApp) {
    fs::create_dir_all(app.uploads()).unwrap();
    fs::write(app.uploads().join("a 照片.txt"), "first").unwrap();
    fs::write(app.uploads().join("noise"), noise(6 << 20)).unwrap();
    let backup = app.back_up_uploads().await;
    let admin = app.as_admin().await;
    let path = app.stored_file(&backup);
    let mut stored = fs::read(&path).unwrap();
    let (small, large) = (file(&backup, "files/a 照片.txt"), file(&backup, "files/noise"));

    // Damage in the middle of the large file: the small one does not suffer, the large one breaks off at the damage.
    let middle = stored.len() / 2;
    stored[middle] ^= 1;
    fs::write(&path, &stored).unwrap();
    let response = admin.get(&small).await.expect(200);
    assert_eq!(response.text(), "first");
    assert_eq!(
        response.header("content-disposition"),
        Some("attachment; filename=\"a___.txt\"; filename*=UTF-8''a%20%E7%85%A7%E7%89%87.txt")
    );
    assert_eq!(response.header("content-type"), Some("application/octet-stream"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    let broken = admin.get(&large).await.expect(200);
    let whole = noise(6 << 20);
    assert!(
        !broken.complete && whole.starts_with(&broken.body),
        "damaged bytes were given out"
    );

    // Damage before its first byte is an answer.
    let damaged = stored.len() / 100;
    for byte in &mut stored[damaged..middle] {
        *byte ^= 1;
    }
    fs::write(&path, &stored).unwrap();
    admin.get(&large).await.refused(409, "archive_damaged");
    let audited = app.descriptions("BACKUP_FILE_DOWNLOAD").await;
    assert_eq!(
        audited,
        [
            format!("下載備份中的檔案: {}: files/a 照片.txt", backup.name),
            format!("下載備份中的檔案: {}: files/noise", backup.name),
        ]
    );
}

async fn no_path_leads_out(app: TestApp) {
    let (admin, backup) = browsable(&app).await;
    fs::write(app.folder.path().join("secret"), "secret").unwrap();
    let long = format!("files/{}", "a".repeat(10 << 10));
    let deep = format!("files/{}", "a/".repeat(5 << 10));
    for path in [
        "..",
        "/",
        "/etc/passwd",
        "../secret",
        "files/..",
        "files/../secret",
        "files/../../secret",
        "files//a.txt",
        "files/./a.txt",
        "files/sub/",
        "files/a.txt/",
        "files/\0",
        "files/a.txt\0.png",
        "files\\..\\secret",
        "files/\\x2e\\x2e/secret",
        "files/\\x00",
        "files/nothing",
        "files/sub/nothing",
        "files/link/x",
        "database",
        "nothing/a",
        "FILES",
        &long,
        &deep,
    ] {
        for url in [contents(&backup, path), file(&backup, path)] {
            let response = admin.get(&url).await;
            let code = response.code();
            assert!(
                matches!(
                    (response.status, code.as_str()),
                    (400, "invalid_entry_path" | "parameter_invalid") | (404, "entry_not_found")
                ),
                "{path:?}: {} {}",
                response.status,
                response.text()
            );
        }
    }
    // A file is no folder.
    admin
        .get(&contents(&backup, "files/a.txt"))
        .await
        .refused(404, "entry_not_found");
    admin
        .get(&contents(&backup, "files/link"))
        .await
        .refused(404, "entry_not_found");
    admin.get(&file(&backup, "files")).await.refused(409, "entry_no_file");
    for cursor in ["a/b", "..", "", "\\", "files/a.txt"] {
        let url = format!("{}&cursor={}", contents(&backup, "files"), encode(cursor));
        admin.get(&url).await.refused(400, "parameter_invalid");
    }
    admin
        .get(&format!("{}&cursor=nothing", contents(&backup, "")))
        .await
        .refused(400, "parameter_invalid");
    for limit in ["0", "1001", "-1"] {
        let url = format!("{}&limit={limit}", contents(&backup, "files"));
        admin.get(&url).await.refused(400, "parameter_invalid");
    }
    let bare = format!("/api/admin/backup/{}/contents/file", backup.id);
    admin.get(&bare).await.refused(400, "parameter_invalid");
    assert!(app.descriptions("BACKUP_FILE_DOWNLOAD").await.is_empty());
}

async fn only_a_good_backup_is_browsed(app: TestApp) {
    let admin = app.as_admin().await;
    let waiting = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await;
    admin
        .get(&contents(&waiting, "files"))
        .await
        .refused(409, "backup_unavailable");
    admin
        .get(&file(&waiting, "files/a"))
        .await
        .refused(409, "backup_unavailable");
    app.complete(waiting.id, 1).await;
    admin
        .get(&contents(&waiting, ""))
        .await
        .refused(503, "storage_unavailable");
    app.open_storage().await;
    admin
        .get(&contents(&waiting, ""))
        .await
        .refused(409, "backup_unavailable");
    app.as_viewer()
        .await
        .get(&file(&waiting, "files/a"))
        .await
        .refused(403, "forbidden");
}

async fn another_receipt_than_the_catalog_knows_opens_nothing(app: TestApp) {
    let (admin, backup) = browsable(&app).await;
    admin.get(&file(&backup, "files/sub/b")).await.expect(200);
    let path = app.stored_file(&backup).with_file_name(format!("{}.json", backup.id));
    let mut receipt: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // Signed by a key that is at hand: only the catalog knows that it is another one.
    receipt["checksum"] = json!("0".repeat(64));
    receipt["archive"]["sha256"] = receipt["checksum"].clone();
    receipt["mac"] = json!("");
    receipt["mac"] = json!(key().mac("receipt", receipt.to_string().as_bytes()));
    fs::write(&path, receipt.to_string()).unwrap();
    let download = format!("/api/admin/backup/{}/download", backup.id);
    for path in [
        contents(&backup, ""),
        contents(&backup, "files"),
        file(&backup, "files/sub/b"),
        format!("{download}?decrypt=true"),
        format!("{download}?decrypt=true&full=true"),
    ] {
        admin.get(&path).await.refused(409, "archive_damaged");
    }
    let options = json!({ "restoreFiles": true, "mode": "NEW", "targetDir": app.uploads().join("new") });
    admin
        .post(&format!("/api/admin/backup/{}/restore/plan", backup.id), options)
        .await
        .refused(409, "archive_damaged");
    // Of a key that is not at hand it is said which one that is.
    let needed = "0123456789abcdef0123456789abcdef";
    receipt["archive"]["keyFingerprint"] = json!(needed);
    fs::write(&path, receipt.to_string()).unwrap();
    let answer = admin.english().get(&contents(&backup, "")).await;
    let refused = answer.refused(409, "archive_damaged").json();
    let problem = refused["details"]["problem"].as_str().unwrap();
    assert!(
        problem.contains(needed) && problem.contains(&key().fingerprint()),
        "{problem}"
    );
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("BACKUP_ENCRYPTION_KEY_PREVIOUS"), "{error}");
}
