//! The stored file, as it is and decrypted.

use std::fs;
use std::process::Command;
use std::time::Duration;

use backup_api::ApiSettings;
use backup_core::receipt::Codec;
use backup_core::{BackupSource, BackupTrigger};
use backup_tests::azurite::Azurite;
use serde_json::json;

use crate::support::{Catalog, Client, TestApp, noise, on_both_catalogs};

on_both_catalogs!(
    the_stored_file_comes_bit_for_bit,
    ranges_come_bit_for_bit,
    a_decrypted_archive_opens_with_tar,
    a_damaged_file_is_refused_before_its_first_byte,
    what_is_not_there_is_not_sent,
    slow_readers_hold_up_nobody_and_leave_nothing_open,
    what_is_being_read_is_not_deleted,
    what_is_read_from_azure_is_not_deleted,
    what_is_being_deleted_is_not_read,
);

/// A real backup of a few files: the path to download it, its name, and the stored file.
async fn real_backup(app: &TestApp) -> (String, String, std::path::PathBuf) {
    backup_of(app, 3_000_000).await
}

/// The same of so many bytes that do not compress.
async fn backup_of(app: &TestApp, bytes: usize) -> (String, String, std::path::PathBuf) {
    fs::create_dir_all(app.uploads().join("照片")).unwrap();
    fs::write(app.uploads().join("照片/a.txt"), "content of a".repeat(10_000)).unwrap();
    fs::write(app.uploads().join("noise.bin"), noise(bytes)).unwrap();
    let backup = app.back_up_uploads().await;
    let file = app.stored_file(&backup);
    (format!("/api/admin/backup/{}/download", backup.id), backup.name, file)
}

async fn the_stored_file_comes_bit_for_bit(app: TestApp) {
    let (path, name, file) = real_backup(&app).await;
    let admin = app.as_admin().await;
    let stored = fs::read(file).unwrap();
    let response = admin.get(&path).await.expect(200);
    assert!(response.body == stored && response.complete);
    let disposition = format!("attachment; filename=\"{name}.{}\"", Codec::Gzip.extension(true));
    assert_eq!(response.header("content-disposition"), Some(disposition.as_str()));
    assert_eq!(
        response.header("content-length"),
        Some(stored.len().to_string().as_str())
    );
    assert_eq!(response.header("accept-ranges"), Some("bytes"));
    let checksum = app
        .store
        .get_backup(path.split('/').nth(4).unwrap().parse().unwrap())
        .await
        .unwrap()
        .unwrap()
        .backup
        .checksum;
    assert_eq!(
        response.header("etag"),
        Some(format!("\"{}\"", checksum.unwrap()).as_str())
    );

    let head = admin.send("HEAD", &path, "").await.expect(200);
    assert_eq!(
        (head.header("content-length"), head.body.len()),
        (Some(stored.len().to_string().as_str()), 0)
    );
    let part = admin
        .with("Range", "bytes=0-0")
        .send("HEAD", &path, "")
        .await
        .expect(200);
    assert_eq!(
        part.header("content-length"),
        head.header("content-length"),
        "ranges are for GET alone"
    );
    assert_eq!(app.audited().await, ["LOGIN", "BACKUP_DOWNLOAD"]);
}

async fn ranges_come_bit_for_bit(app: TestApp) {
    let (path, _, file) = real_backup(&app).await;
    let admin = app.as_admin().await;
    let stored = fs::read(file).unwrap();
    let size = stored.len();
    let etag = admin.send("HEAD", &path, "").await.header("etag").unwrap().to_owned();
    for (range, from, to) in [
        ("bytes=0-0".to_owned(), 0, 1),
        ("bytes=1000000-1999999".to_owned(), 1_000_000, 2_000_000),
        (format!("bytes={}-", size - 7), size - 7, size),
        ("bytes=-100".to_owned(), size - 100, size),
        (format!("bytes=5-{}", size + 100), 5, size),
    ] {
        let part = admin
            .with("Range", &range)
            .with("If-Range", &etag)
            .get(&path)
            .await
            .expect(206);
        assert!(part.body == stored[from..to], "{range}");
        assert_eq!(
            part.header("content-range"),
            Some(format!("bytes {from}-{}/{size}", to - 1).as_str()),
            "{range}"
        );
    }
    // Another file than the caller has the beginning of: all of it.
    let whole = admin
        .with("Range", "bytes=5-")
        .with("If-Range", "\"other\"")
        .get(&path)
        .await
        .expect(200);
    assert!(whole.body == stored);
    let beyond = admin
        .with("Range", format!("bytes={size}-"))
        .get(&path)
        .await
        .refused(416, "range_not_satisfiable");
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{size}").as_str()));
    // Whoever fetches all but the first byte has fetched it as well.
    let downloads = app
        .audited()
        .await
        .iter()
        .filter(|action| *action == "BACKUP_DOWNLOAD")
        .count();
    assert_eq!(downloads, 6, "each range, and the whole file");
}

async fn a_decrypted_archive_opens_with_tar(app: TestApp) {
    let (path, name, _) = real_backup(&app).await;
    let response = app
        .as_admin()
        .await
        .get(&format!("{path}?decrypt=true"))
        .await
        .expect(200);
    assert!(response.complete);
    let disposition = format!("attachment; filename=\"{name}.tar.gz\"");
    assert_eq!(response.header("content-disposition"), Some(disposition.as_str()));
    let archive = app.folder.path().join("plain.tar.gz");
    fs::write(&archive, &response.body).unwrap();
    let out = app.folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let tar = Command::new("tar")
        .args(["-xzf", archive.to_str().unwrap(), "-C", out.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(tar.success());
    let read = |folder: &std::path::Path| {
        (
            fs::read(folder.join("照片/a.txt")).unwrap(),
            fs::read(folder.join("noise.bin")).unwrap(),
        )
    };
    assert!(read(&out.join("files")) == read(&app.uploads()));
    assert_eq!(app.audited().await, ["LOGIN", "BACKUP_DOWNLOAD"]);
}

async fn a_damaged_file_is_refused_before_its_first_byte(app: TestApp) {
    let (path, _, file) = real_backup(&app).await;
    let admin = app.as_admin().await;
    let mut stored = fs::read(&file).unwrap();
    let middle = stored.len() / 2;
    stored[middle] ^= 1;
    fs::write(&file, &stored).unwrap();
    admin
        .get(&format!("{path}?decrypt=true"))
        .await
        .refused(409, "archive_damaged");
    fs::write(&file, &stored[..middle]).unwrap();
    admin.get(&path).await.refused(409, "archive_damaged");
    fs::remove_file(&file).unwrap();
    admin.get(&path).await.refused(409, "backup_unavailable");
    assert_eq!(app.audited().await, ["LOGIN"], "nothing was given out");
}

async fn what_is_not_there_is_not_sent(app: TestApp) {
    let admin = app.as_admin().await;
    let id = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    let path = format!("/api/admin/backup/{id}/download");
    admin.get(&path).await.refused(409, "backup_unavailable");
    app.complete(id, 1000).await;
    admin.get(&path).await.refused(503, "storage_unavailable");
    admin
        .get("/api/admin/backup/01890000-0000-7000-8000-000000000000/download")
        .await
        .refused(404, "backup_not_found");
}

/// More than the system takes in for a connection whose reader sleeps.
const MORE_THAN_BUFFERED: usize = 24_000_000;

async fn slow_readers_hold_up_nobody_and_leave_nothing_open(app: TestApp) {
    let (path, _, file) = backup_of(&app, MORE_THAN_BUFFERED).await;
    let decrypted = format!("{path}?decrypt=true");
    let admin = app.as_admin().await;
    let stored = fs::read(&file).unwrap();
    let mut slow = Vec::new();
    for index in 0..24 {
        slow.push(admin.begin(if index % 3 == 0 { &decrypted } else { &path }).await);
    }
    // None of them takes in more than the head; whoever comes after them gets all.
    let whole = admin.get(&path).await.expect(200);
    assert!(whole.body == stored);
    assert!(admin.get(&decrypted).await.expect(200).complete);
    admin.get("/api/admin/backup").await.expect(200);
    // One that goes on at last has missed nothing.
    let rest = slow.pop().unwrap().rest().await;
    assert!(rest == stored);

    let open = move || {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.filter(|target| *target == file).count()
    };
    assert!(open() > 0, "the slow downloads are under way");
    drop(slow);
    let closed =
        tokio::task::spawn_blocking(move || backup_tests::poll(Duration::from_mins(1), || (open() == 0).then_some(())));
    assert!(closed.await.unwrap().is_some(), "who went away still holds the file");
}

/// Deletes it as soon as nobody reads it any more; what is held up for longer than it takes to say so fails.
async fn delete_once_free(admin: &Client, one: &str) {
    for _ in 0..600 {
        let answer = admin.delete(one).await;
        if answer.status == 200 {
            return;
        }
        answer.refused(409, "backup_in_use");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is still said to be read");
}

/// Reads slowly in this way, tries to delete meanwhile, and finds what was read whole.
async fn held_while_read(app: &TestApp, path: &str, whole: &[u8]) {
    let admin = app.as_admin().await;
    let one = path.split(['?']).next().unwrap();
    let one = one
        .strip_suffix("/download")
        .or_else(|| one.strip_suffix("/contents/file"))
        .unwrap();
    let slow = admin.begin(path).await;
    let refused = admin.delete(one).await.refused(409, "backup_in_use");
    let jobs = refused.json()["details"]["jobs"].to_string();
    assert!(jobs.contains("download "), "{jobs}");
    assert!(slow.rest().await.ends_with(whole), "{path}: it came whole");
}

async fn what_is_being_read_is_not_deleted(app: TestApp) {
    let (path, _, file) = backup_of(&app, MORE_THAN_BUFFERED).await;
    let one = path.strip_suffix("/download").unwrap().to_owned();
    let stored = fs::read(file).unwrap();
    held_while_read(&app, &path, &stored).await;
    // Its end is chunked.
    held_while_read(&app, &format!("{path}?decrypt=true"), b"0\r\n\r\n").await;
    let inner = fs::read(app.uploads().join("noise.bin")).unwrap();
    held_while_read(&app, &format!("{one}/contents/file?path=files/noise.bin"), &inner).await;

    let admin = app.as_admin().await;
    admin.send("HEAD", &path, "").await.expect(200);
    let slow = admin.begin(&path).await;
    admin.delete(&one).await.refused(409, "backup_in_use");
    drop(slow);
    delete_once_free(&admin, &one).await;
    admin.get(&path).await.refused(404, "backup_not_found");

    // Whoever has all of it finds nothing in the way.
    let backup = app.back_up_uploads().await;
    let one = format!("/api/admin/backup/{}", backup.id);
    for way in [
        "download",
        "download?decrypt=true",
        "contents/file?path=files/noise.bin",
    ] {
        assert!(admin.get(&format!("{one}/{way}")).await.expect(200).complete);
    }
    admin.delete(&one).await.expect(200);
}

async fn what_is_read_from_azure_is_not_deleted(app: TestApp) {
    fs::create_dir_all(app.uploads()).unwrap();
    fs::write(app.uploads().join("noise.bin"), noise(MORE_THAN_BUFFERED)).unwrap();
    app.start_worker(app.open_storage().await);
    let admin = app.as_admin().await;
    let azurite = Azurite::shared();
    let change = json!({
        "storageConnectionString": azurite.connection_string(), "containerName": azurite.new_container(),
    });
    let config = "/api/admin/backup/config";
    let test = json!({ "what": "STORAGE", "config": change });
    admin.post(&format!("{config}/test"), test).await.expect(200);
    admin.patch(config, change).await.expect(200);
    let backup = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await;
    let ended = app.wait_for_end(backup.id).await;
    assert_eq!(ended.status.as_str(), "COMPLETED", "{:?}", ended.error_message);
    let one = format!("/api/admin/backup/{}", backup.id);
    let slow = admin.begin(&format!("{one}/download")).await;
    admin.delete(&one).await.refused(409, "backup_in_use");
    assert_eq!(slow.rest().await.len() as u64, ended.size_bytes.unwrap());
    let slow = admin.begin(&format!("{one}/download?decrypt=true")).await;
    admin.delete(&one).await.refused(409, "backup_in_use");
    drop(slow);
    delete_once_free(&admin, &one).await;
}

async fn what_is_being_deleted_is_not_read(app: TestApp) {
    let (path, _, _) = real_backup(&app).await;
    let id = path.split('/').nth(4).unwrap().parse().unwrap();
    app.store.begin_delete(id, false).await.unwrap();
    let admin = app.as_admin().await;
    let refused = admin.get(&path).await;
    assert!([404, 409].contains(&refused.status), "{}", refused.text());
    assert_eq!(app.audited().await, ["LOGIN"], "nothing was given out");
}

/// The ways to a download that is made as it is sent.
fn made_as_sent(path: &str) -> [String; 2] {
    let one = path.strip_suffix("/download").unwrap();
    [
        format!("{path}?decrypt=true"),
        format!("{one}/contents/file?path=files/noise.bin"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_downloads_hold_a_thread_than_may() {
    let settings = ApiSettings {
        downloads_at_once: 2,
        ..ApiSettings::default()
    };
    let app = TestApp::start_with(Catalog::Sqlite, settings).await;
    let (path, _, file) = backup_of(&app, MORE_THAN_BUFFERED).await;
    let ways = made_as_sent(&path);
    let admin = app.as_admin().await;
    let mut slow = Vec::new();
    for way in &ways {
        slow.push(admin.begin(way).await);
    }
    for way in &ways {
        let refused = admin.get(way).await.refused(503, "too_many_downloads");
        assert!(refused.header("retry-after").is_some());
        admin.send("HEAD", way, "").await.expect(200);
    }
    let whole = admin.get(&path).await.expect(200);
    assert!(whole.body == fs::read(file).unwrap(), "the stored file holds none");
    drop(slow);
    let next = async {
        loop {
            let answer = admin.get(&ways[1]).await;
            if answer.status == 200 {
                return answer;
            }
            answer.refused(503, "too_many_downloads");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(Duration::from_mins(1), next).await;
    assert!(answer.expect("who went away still holds a thread").complete);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_takes_in_holds_its_backup_no_longer() {
    let settings = ApiSettings {
        stall_timeout: Duration::from_secs(1),
        ..ApiSettings::default()
    };
    let app = TestApp::start_with(Catalog::Sqlite, settings).await;
    let (path, _, _) = backup_of(&app, MORE_THAN_BUFFERED).await;
    let admin = app.as_admin().await;
    // They stay open, and are not read.
    let mut stalled = vec![admin.begin(&path).await];
    for way in made_as_sent(&path) {
        stalled.push(admin.begin(&way).await);
    }
    delete_once_free(&admin, path.strip_suffix("/download").unwrap()).await;
    drop(stalled);
}
