//! What a folder promises beyond every store: rights, durability's visible side, and what a killed program leaves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use backup_storage::{BlobStore, Error, StorageSettings};
use bytes::Bytes;
use common::{MIB, everything, folder, pattern, read_and_check, rights_bind, upload};
use futures_util::TryStreamExt as _;

const PATH: &str = "2026/11-23/a.tar.gz.enc";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn only_the_owner_may_look() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("storage");
    let store = folder(&root).await;
    upload(&store, PATH, 10, 10).await.unwrap();
    let receipt = "2026/11-23/019ab000-0000-7000-8000-000000000001.json";
    store.put_receipt(receipt, Bytes::from_static(b"{}")).await.unwrap();
    for inner in ["", "2026", "2026/11-23"] {
        assert_eq!(mode(&root.join(inner)), 0o700, "{inner}");
    }
    for file in [PATH, receipt] {
        assert_eq!(mode(&root.join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn what_root_makes_belongs_to_whoever_has_the_folder() {
    const NOBODY: u32 = 65_534;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("storage");
    fs::create_dir(&root).unwrap();
    if let Err(error) = chown(&root, Some(NOBODY), Some(NOBODY)) {
        backup_tests::note(format_args!("only root makes files for others: not tested ({error})"));
        return;
    }
    let store = folder(&root).await;
    upload(&store, PATH, 10, 10).await.unwrap();
    let receipt = "2026/11-23/019ab000-0000-7000-8000-000000000001.json";
    store.put_receipt(receipt, Bytes::from_static(b"{}")).await.unwrap();
    // In folders that are there already, too.
    let later = "2026/11-24/b.tar.gz.enc";
    upload(&store, later, 10, 10).await.unwrap();
    for made in ["2026", "2026/11-23", "2026/11-24", PATH, receipt, later] {
        let found = fs::symlink_metadata(root.join(made)).unwrap();
        assert_eq!((found.uid(), found.gid()), (NOBODY, NOBODY), "{made}");
    }
}

#[tokio::test]
async fn a_folder_that_is_gone_is_noticed_though_it_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("storage");
    let store = folder(&root).await;
    store.check().await.unwrap();
    // As when a disk is no longer mounted.
    fs::remove_dir(&root).unwrap();
    assert!(matches!(store.check().await, Err(Error::NotFound { .. })));
    // Nor is it made anew, on the disk below.
    let error = upload(&store, PATH, 10, 10).await.unwrap_err();
    assert!(error.to_string().contains("is its disk mounted"), "{error}");
    assert!(!root.exists());
}

#[tokio::test]
async fn a_folder_is_opened_by_its_first_use_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, root) = (dir.path().join("disk"), dir.path().join("disk/storage"));
    let store = BlobStore::open_lazily(&StorageSettings::new(root.display().to_string())).unwrap();
    assert_eq!(store.describe(), format!("folder {}", root.display()));
    assert!(!disk.exists(), "nothing was asked for yet");
    fs::write(&disk, "in the way").unwrap();
    let errors = [
        store.opened().await.unwrap_err(),
        store.check().await.unwrap_err(),
        store.size(PATH).await.unwrap_err(),
        store.receipts().try_next().await.unwrap_err(),
        store.stream(PATH, 0..1).try_next().await.unwrap_err(),
        upload(&store, PATH, 10, 10).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Refused(_)), "{error}");
    }
    fs::remove_file(&disk).unwrap();
    upload(&store, PATH, 10, 10).await.unwrap();
    assert_eq!(read_and_check(&store.impatient(), PATH, 0..u64::MAX).await, 10);
    // A disk that is no longer mounted: no use makes the folder anew.
    fs::remove_dir_all(&root).unwrap();
    store.check().await.unwrap_err();
    upload(&store, PATH, 10, 10).await.unwrap_err();
    assert!(!root.exists());
}

#[tokio::test]
async fn plain_and_relative_paths_are_folders_too() {
    let dir = tempfile::tempdir().unwrap();
    let plain = BlobStore::open(&StorageSettings::new(dir.path().display().to_string()))
        .await
        .unwrap();
    upload(&plain, PATH, 10, 10).await.unwrap();
    assert_eq!(plain.describe(), format!("folder {}", dir.path().display()));
    assert_eq!(folder(dir.path()).await.size(PATH).await.unwrap(), Some(10));
}

#[tokio::test]
async fn the_date_s_folders_go_with_its_last_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = folder(dir.path()).await;
    upload(&store, PATH, 10, 10).await.unwrap();
    upload(&store, "2026/11-24/b.tar.gz.enc", 10, 10).await.unwrap();
    store.delete(PATH).await.unwrap();
    assert!(!dir.path().join("2026/11-23").exists());
    assert!(dir.path().join("2026/11-24/b.tar.gz.enc").exists());
    store.delete("2026/11-24/b.tar.gz.enc").await.unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(dir.path().exists());
}

#[tokio::test]
async fn what_stands_in_the_way_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "x").unwrap();
    let settings = StorageSettings::new(dir.path().join("file/storage").display().to_string());
    let error = BlobStore::open(&settings).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(
        error.to_string().contains("file/storage") && !error.hint().is_empty(),
        "{error}"
    );
}

// Started anew by the test below, and killed by it.
#[tokio::test]
#[ignore = "the other half of a_killed_program_leaves_only_what_is_hidden"]
async fn writes_until_it_is_killed() {
    let root = std::env::var("STORAGE_TEST_ROOT").unwrap();
    let store = folder(Path::new(&root)).await;
    let mut upload = store.upload(PATH).await.unwrap();
    for _ in 0..1_000_000 {
        upload.write(pattern(0..MIB)).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_killed_program_leaves_only_what_is_hidden() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "writes_until_it_is_killed"])
        .env("STORAGE_TEST_ROOT", dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let date = dir.path().join("2026/11-23");
    let grown = backup_tests::poll(std::time::Duration::from_secs(30), || {
        let mut entries = fs::read_dir(&date).ok()?;
        let entry = entries.next()?.ok()?;
        (entry.metadata().ok()?.len() > 3 * MIB).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    grown.expect("the child writes");

    let store = folder(dir.path()).await;
    assert_eq!(store.size(PATH).await.unwrap(), None);
    assert_eq!(
        store.receipts().try_collect::<Vec<_>>().await.unwrap(),
        Vec::<String>::new()
    );
    let blobs: Vec<_> = store.blobs().try_collect().await.unwrap();
    assert_eq!(blobs.len(), 1);
    assert!(blobs[0].partial && blobs[0].size > 3 * MIB, "{blobs:?}");
    // A new upload is not disturbed by it, nor disturbs it.
    upload(&store, "2026/11-23/b.tar.gz.enc", 10, 10).await.unwrap();
    assert_eq!(everything(&store).await.len(), 2);
    store.discard_partial(PATH).await.unwrap();
    assert_eq!(everything(&store).await, ["2026/11-23/b.tar.gz.enc"]);
}

#[tokio::test]
async fn a_partial_file_can_be_deleted_by_its_listed_path() {
    let dir = tempfile::tempdir().unwrap();
    let store = folder(dir.path()).await;
    fs::create_dir_all(dir.path().join("2026/11-23")).unwrap();
    fs::write(dir.path().join("2026/11-23/.a.tar.gz.enc.Xy12zW.partial"), "left").unwrap();
    let blobs: Vec<_> = store.blobs().try_collect().await.unwrap();
    assert!(blobs[0].partial);
    store.delete(&blobs[0].path).await.unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_upload_whose_file_was_cleaned_away_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = folder(dir.path()).await;
    let mut zombie = store.upload(PATH).await.unwrap();
    zombie.write(pattern(0..3 * MIB)).await.unwrap();
    store.discard_partial(PATH).await.unwrap();
    upload(&store, PATH, 2 * MIB, MIB).await.unwrap();
    let error = zombie.finish().await.unwrap_err();
    assert!(
        matches!(error, Error::UploadLost(_) | Error::AlreadyExists(_)),
        "{error}"
    );
    assert_eq!(read_and_check(&store, PATH, 0..u64::MAX).await, 2 * MIB);
    assert_eq!(everything(&store).await, [PATH]);
}

#[tokio::test]
async fn a_folder_that_must_be_there_is_not_made_and_not_written_to() {
    if !rights_bind("a_folder_that_must_be_there_is_not_made_and_not_written_to") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("storage");
    let settings = StorageSettings::new(root.display().to_string());
    let error = BlobStore::open_existing(&settings).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error}");
    assert!(error.hint().contains(&settings.url), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    upload(&folder(&root).await, PATH, 10, 10).await.unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o500)).unwrap();
    BlobStore::open(&settings).await.unwrap_err();
    let store = BlobStore::open_existing(&settings).await.unwrap();
    assert_eq!(everything(&store).await, [PATH]);
    assert_eq!(read_and_check(&store, PATH, 0..10).await, 10);
    fs::set_permissions(&root, fs::Permissions::from_mode(0o000)).unwrap();
    let error = BlobStore::open_existing(&settings).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_dir_all(&root).unwrap();
    fs::write(&root, "x").unwrap();
    let error = BlobStore::open_existing(&settings).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
}

#[tokio::test]
async fn a_receipt_whose_name_may_be_lost_is_not_written() {
    if !rights_bind("a_receipt_whose_name_may_be_lost_is_not_written") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = folder(dir.path()).await;
    let date = dir.path().join("2026/11-23");
    fs::create_dir_all(&date).unwrap();
    // Names can be made in it, but it cannot be opened, so that nothing makes them last.
    fs::set_permissions(&date, fs::Permissions::from_mode(0o300)).unwrap();
    let receipt = "2026/11-23/019ab000-0000-7000-8000-000000000001.json";
    for attempt in 1..=3 {
        let result = store.put_receipt(receipt, Bytes::from_static(b"{}")).await;
        assert!(
            matches!(result, Err(Error::Refused(_))),
            "attempt {attempt}: {result:?}"
        );
    }
    fs::set_permissions(&date, fs::Permissions::from_mode(0o700)).unwrap();
    store.put_receipt(receipt, Bytes::from_static(b"{}")).await.unwrap();
}

#[tokio::test]
async fn folders_of_others_do_not_break_a_listing() {
    if !rights_bind("folders_of_others_do_not_break_a_listing") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = folder(dir.path()).await;
    let receipt = "2026/11-23/019ab000-0000-7000-8000-000000000001.json";
    upload(&store, PATH, 10, 10).await.unwrap();
    store.put_receipt(receipt, Bytes::from_static(b"{}")).await.unwrap();
    upload(&store, "notes.txt", 10, 10).await.unwrap();
    let (closed, snapshot) = (dir.path().join("lost+found"), dir.path().join(".snapshot/2026/11-23"));
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    symlink(closed.join("inside"), dir.path().join("link")).unwrap();
    symlink("circle", dir.path().join("circle")).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(snapshot.join("a.tar.gz.enc"), "old").unwrap();
    assert_eq!(everything(&store).await, [receipt, PATH, "notes.txt"]);
    // A date that cannot be read may hold backups: leaving them out would be a lie.
    let date = dir.path().join("2026/11-24");
    fs::create_dir(&date).unwrap();
    fs::set_permissions(&date, fs::Permissions::from_mode(0o000)).unwrap();
    let error = store.receipts().try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(error.to_string().contains("11-24"), "{error}");
    // A folder that is closed could not be removed.
    for closed in [closed, date] {
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[tokio::test]
async fn a_year_that_was_moved_and_linked_back_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let (root, other) = (dir.path().join("storage"), dir.path().join("other-disk"));
    let store = folder(&root).await;
    upload(&store, PATH, 10, 10).await.unwrap();
    fs::rename(root.join("2026"), &other).unwrap();
    symlink(&other, root.join("2026")).unwrap();
    symlink(dir.path().join("nowhere"), root.join("2025")).unwrap();
    // A link to what holds it leads in no circle.
    symlink(&root, root.join("2024")).unwrap();
    symlink(&root, other.join("11-24")).unwrap();
    assert_eq!(read_and_check(&store, PATH, 0..10).await, 10);
    assert_eq!(everything(&store).await, [PATH]);
}

#[tokio::test]
async fn a_file_that_never_answers_ends_the_stream() {
    let dir = tempfile::tempdir().unwrap();
    let settings = StorageSettings {
        stall_timeout: std::time::Duration::from_millis(300),
        ..StorageSettings::new(dir.path().display().to_string())
    };
    let store = BlobStore::open(&settings).await.unwrap();
    // Opening a pipe waits for its other end, as opening a file waits for a network share that is away.
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let read = store.stream("pipe", 0..10).try_collect::<Vec<_>>();
    let patience = std::time::Duration::from_secs(20);
    let result = tokio::time::timeout(patience, read).await;
    // Lets the waiting thread go.
    drop(fs::OpenOptions::new().write(true).open(&pipe).unwrap());
    let error = result.expect("silence has an end").unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("pipe"), "{error}");
}

#[tokio::test]
async fn who_is_patient_is_answered_when_the_disk_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let settings = StorageSettings {
        stall_timeout: std::time::Duration::from_millis(50),
        ..StorageSettings::new(dir.path().display().to_string())
    };
    let store = BlobStore::open(&settings).await.unwrap().patient();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut read = std::pin::pin!(store.get("pipe", 0..10));
    let silence = tokio::time::timeout(std::time::Duration::from_millis(300), &mut read).await;
    drop(fs::OpenOptions::new().write(true).open(&pipe).unwrap());
    assert!(silence.is_err(), "{silence:?}");
    assert!(read.await.is_err(), "a pipe has no place to read at");
}

/// A small file system of its own, which only root may have.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(dir.path())
            .status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self(dir));
        }
        backup_tests::note("skipped: a full disk needs the right to mount one");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone_with_the_namespace_otherwise = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_left_clean() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let root = disk.0.path().join("storage");
    let store = folder(&root).await;
    let error = upload(&store, PATH, 20 * MIB, MIB).await.unwrap_err();
    assert!(matches!(error, Error::NoSpace(_)), "{error}");
    assert!(
        error.to_string().contains(PATH) && error.hint().contains("Free some space"),
        "{error}"
    );
    assert_eq!(everything(&store).await, Vec::<String>::new());
    assert!(!root.join("2026").exists());
    // As the engine does: it gives up what has failed.
    let mut failing = store.upload(PATH).await.unwrap();
    while failing.write(pattern(0..MIB)).await.is_ok() {}
    failing.abort().await.expect("there is nothing left to give up");
    upload(&store, PATH, 6 * MIB, MIB)
        .await
        .expect("the space is free again");
    // Not even room for a receipt.
    let rest = fs::metadata(disk.0.path()).unwrap().dev();
    assert_eq!(rest, fs::metadata(&root).unwrap().dev());
    fs::write(disk.0.path().join("filler"), vec![1; 3 * MIB as usize]).unwrap_err();
    let receipt = "2026/11-23/019ab000-0000-7000-8000-000000000001.json";
    let error = store.put_receipt(receipt, Bytes::from_static(b"{}")).await.unwrap_err();
    assert!(matches!(error, Error::NoSpace(_)), "{error}");
    assert_eq!(store.get_receipt(receipt).await.unwrap(), None);
    assert_eq!(everything(&store).await, [PATH]);
}
