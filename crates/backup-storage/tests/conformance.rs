//! What every store must do, run against every store that is at hand: a folder, a real Azurite, and an S3 server where
//! `BACKUP_TEST_S3` names one that takes any key and has a bucket `backups`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use backup_storage::{BlobStore, Error, StorageSettings};
use backup_tests::azurite::Azurite;
use bytes::Bytes;
use common::{MIB, azure, brisk, everything, pattern, read_and_check, upload};
use futures_util::{TryStreamExt as _, future};

const ID: &str = "019ab000-0000-7000-8000-000000000001";

/// A store that is empty and nobody else's, with what must live as long as it does.
struct Fresh {
    store: BlobStore,
    _folder: Option<tempfile::TempDir>,
}

async fn in_folder() -> Option<Fresh> {
    let folder = tempfile::tempdir().unwrap();
    let store = common::folder(&folder.path().join("made/when/missing")).await;
    Some(Fresh {
        store,
        _folder: Some(folder),
    })
}

async fn in_azure() -> Option<Fresh> {
    let azurite = Azurite::shared();
    let store = BlobStore::open(&azure(azurite, &azurite.new_container()))
        .await
        .unwrap();
    Some(Fresh { store, _folder: None })
}

// The same container for two stores, each below its own prefix.
async fn in_azure_prefix() -> Option<Fresh> {
    let azurite = Azurite::shared();
    let url = format!("az://prefixes/{}/deep", backup_tests::unique());
    let settings = StorageSettings {
        url,
        ..azure(azurite, "ignored")
    };
    Some(Fresh {
        store: BlobStore::open(&settings).await.unwrap(),
        _folder: None,
    })
}

async fn in_s3() -> Option<Fresh> {
    let Ok(endpoint) = std::env::var("BACKUP_TEST_S3") else {
        backup_tests::note("skipped: BACKUP_TEST_S3 names no S3 server");
        return None;
    };
    let options = [
        ("aws_endpoint", endpoint.as_str()),
        ("aws_access_key_id", "test"),
        ("aws_secret_access_key", "test-secret"),
        ("aws_region", "us-east-1"),
    ];
    let settings = StorageSettings {
        options: options.map(|(name, value)| (name.to_owned(), value.into())).into(),
        ..brisk(&format!("s3://backups/{}", backup_tests::unique()))
    };
    Some(Fresh {
        store: BlobStore::open(&settings).await.unwrap(),
        _folder: None,
    })
}

macro_rules! conformance {
    ($($test:ident,)+) => {
        mod folder { conformance!(@ in_folder: $($test,)+); }
        mod azurite { conformance!(@ in_azure: $($test,)+); }
        mod azurite_prefix { conformance!(@ in_azure_prefix: $($test,)+); }
        mod s3 { conformance!(@ in_s3: $($test,)+); }
    };
    (@ $fresh:ident: $($test:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            if let Some(fresh) = super::$fresh().await {
                super::$test(&fresh.store).await;
            }
        }
    )+};
}

conformance! {
    every_size_comes_back,
    ranges_are_exact,
    a_receipt_is_written_once,
    a_receipt_is_found_by_its_identifier,
    listings_tell_receipts_from_blobs,
    deleting_twice_is_deleting,
    what_is_not_finished_is_not_there,
    an_archive_is_never_replaced,
    uploads_side_by_side_do_not_mix,
    a_killed_upload_is_cleaned_up,
    paths_stay_inside,
    a_probe_leaves_nothing,
    names_in_any_script_are_kept,
}

async fn every_size_comes_back(store: &BlobStore) {
    for (size, piece) in [
        (0, 1),
        (1, 1),
        (100_000, 333),
        (4 * MIB - 1, MIB),
        (4 * MIB, 4 * MIB),
        (4 * MIB + 1, 3 * MIB),
        (70 * MIB + 13, 5 * MIB + 7),
    ] {
        let path = format!("2026/11-23/{size}.tar.gz.enc");
        assert_eq!(upload(store, &path, size, piece).await.unwrap(), size);
        assert_eq!(store.size(&path).await.unwrap(), Some(size));
        assert_eq!(read_and_check(store, &path, 0..u64::MAX).await, size);
    }
}

async fn ranges_are_exact(store: &BlobStore) {
    let (path, size) = ("2026/11-23/a.tar.gz.enc", 9 * MIB + 5);
    upload(store, path, size, 2 * MIB).await.unwrap();
    for range in [0..1, 0..size, size - 1..size, 4 * MIB - 1..4 * MIB + 1, 17..5 * MIB] {
        assert!(
            store.get(path, range.clone()).await.unwrap() == pattern(range.clone()),
            "{range:?}"
        );
        assert_eq!(read_and_check(store, path, range.clone()).await, range.end);
    }
    assert!(store.get(path, 5..5).await.unwrap().is_empty());
    // A range that is not there must never come back short: it would look like the end of the archive.
    assert!(store.get(path, size - 1..size + 1).await.is_err());
    assert!(store.get(path, size + 5..size + 6).await.is_err());
    assert!(
        store
            .stream(path, size - 1..size + 1)
            .try_collect::<Vec<_>>()
            .await
            .is_err()
    );
    assert!(matches!(
        store.get("2026/11-23/none", 0..1).await,
        Err(Error::NotFound(_))
    ));
    let missing = store
        .stream("2026/11-23/none", 0..u64::MAX)
        .try_collect::<Vec<_>>()
        .await;
    assert!(matches!(missing, Err(Error::NotFound(_))));
}

async fn a_receipt_is_written_once(store: &BlobStore) {
    let path = format!("2026/11-23/{ID}.json");
    assert_eq!(store.get_receipt(&path).await.unwrap(), None);
    let json = Bytes::from_static(b"{\"a\":1}");
    store.put_receipt(&path, json.clone()).await.unwrap();
    store
        .put_receipt(&path, json.clone())
        .await
        .expect("the same again is no conflict");
    let other = store.put_receipt(&path, Bytes::from_static(b"{\"b\":2}")).await;
    let error = other.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists(_)), "{error}");
    assert!(
        error.to_string().contains(&path) && error.to_string().contains(&store.describe()),
        "{error}"
    );
    assert_eq!(store.get_receipt(&path).await.unwrap(), Some(json));
}

async fn a_receipt_is_found_by_its_identifier(store: &BlobStore) {
    // 019ab000… was made on 2025-11-23; one started two days later, one so late that only a listing finds it.
    let near = "2025/11-25/019ab000-0000-7000-8000-000000000001.json";
    let far = "2027/01-31/019ab000-0000-7000-8000-000000000002.json";
    for path in [near, far] {
        store.put_receipt(path, Bytes::from_static(b"{}")).await.unwrap();
    }
    for path in [near, far] {
        let id = path.rsplit('/').next().unwrap().trim_end_matches(".json");
        assert_eq!(store.find_receipt(id).await.unwrap().as_deref(), Some(path));
    }
    assert_eq!(
        store
            .find_receipt("019ab000-0000-7000-8000-000000000003")
            .await
            .unwrap(),
        None
    );
    assert_eq!(store.find_receipt("../../etc/passwd").await.unwrap(), None);
}

async fn listings_tell_receipts_from_blobs(store: &BlobStore) {
    assert_eq!(everything(store).await, Vec::<String>::new());
    let receipt = format!("2026/11-23/{ID}.json");
    let archive = format!("2026/11-23/{ID}.tar.gz.enc");
    upload(store, &archive, 12, 12).await.unwrap();
    upload(store, "notes.json", 3, 3).await.unwrap();
    // Copies that somebody keeps for himself.
    for folder in ["keep", "keep/2026/11-23", "2026/keep", "2026/11-23/keep"] {
        let copy = format!("{folder}/{ID}.tar.gz.enc");
        upload(store, &copy, 12, 12).await.unwrap();
    }
    store.put_receipt(&receipt, Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(store.receipts().try_collect::<Vec<_>>().await.unwrap(), [receipt]);
    let mut blobs: Vec<_> = store.blobs().try_collect().await.unwrap();
    blobs.sort_by(|a, b| a.path.cmp(&b.path));
    let told: Vec<_> = blobs
        .iter()
        .map(|info| (info.path.as_str(), info.size, info.partial))
        .collect();
    assert_eq!(told, [(archive.as_str(), 12, false), ("notes.json", 3, false)]);
    assert!(blobs[0].modified.timestamp() > 1_700_000_000, "{}", blobs[0].modified);
}

async fn deleting_twice_is_deleting(store: &BlobStore) {
    let path = "2026/11-23/a.tar.gz.enc";
    upload(store, path, 10, 10).await.unwrap();
    for _ in 0..2 {
        store.delete(path).await.unwrap();
        assert_eq!(store.size(path).await.unwrap(), None);
    }
    store.delete("2031/01-01/never.tar.gz.enc").await.unwrap();
    assert_eq!(everything(store).await, Vec::<String>::new());
}

async fn what_is_not_finished_is_not_there(store: &BlobStore) {
    let path = "2026/11-23/a.tar.gz.enc";
    for bytes in [10, 30 * MIB] {
        let mut upload = store.upload(path).await.unwrap();
        upload.write(pattern(0..bytes)).await.unwrap();
        assert_eq!(store.size(path).await.unwrap(), None, "visible before it was finished");
        let visible: Vec<_> = store
            .blobs()
            .try_filter(|info| future::ready(!info.partial))
            .try_collect()
            .await
            .unwrap();
        assert_eq!(visible, []);
        upload.abort().await.unwrap();
        assert_eq!(everything(store).await, Vec::<String>::new());
    }
    let mut upload = store.upload(path).await.unwrap();
    upload.write(pattern(0..30 * MIB)).await.unwrap();
    drop(upload);
    // A dropped upload is cleaned up by a thread or by the service, whose end nobody waits for.
    let mut left = everything(store).await;
    for _ in 0..200 {
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        left = everything(store).await;
    }
    assert_eq!(left, Vec::<String>::new());
}

async fn an_archive_is_never_replaced(store: &BlobStore) {
    for size in [10, 12 * MIB] {
        let path = format!("2026/11-23/{size}.tar.gz.enc");
        let mut late = store.upload(&path).await.unwrap();
        late.write(Bytes::from(vec![7; size as usize + 1])).await.unwrap();
        upload(store, &path, size, MIB).await.unwrap();
        // A worker that lost its lease comes to its end after the one that took over.
        let error = late.finish().await.unwrap_err();
        assert!(matches!(error, Error::AlreadyExists(_)), "{error}");
        assert_eq!(read_and_check(store, &path, 0..u64::MAX).await, size);
    }
    let left: Vec<_> = store
        .blobs()
        .try_filter(|info| future::ready(info.partial))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(left, []);
}

async fn uploads_side_by_side_do_not_mix(store: &BlobStore) {
    let uploads = (0..4_u64).map(|number| async move {
        let path = format!("2026/11-23/{number}.tar.gz.enc");
        let size = 11 * MIB + number;
        upload(store, &path, size, MIB + number).await.unwrap();
        (path, size)
    });
    for (path, size) in future::join_all(uploads).await {
        assert_eq!(read_and_check(store, &path, 0..u64::MAX).await, size);
    }
}

async fn a_killed_upload_is_cleaned_up(store: &BlobStore) {
    let (archive, receipt) = (format!("2026/11-23/{ID}.tar.gz.enc"), format!("2026/11-23/{ID}.json"));
    // Killed between the archive's end and its receipt.
    upload(store, &archive, 10, 10).await.unwrap();
    store.discard_partial(&archive).await.unwrap();
    assert_eq!(store.size(&archive).await.unwrap(), None);
    store
        .discard_partial(&archive)
        .await
        .expect("nothing to clean up is clean");
    // With its receipt it is a backup, and stays.
    upload(store, &archive, 10, 10).await.unwrap();
    store.put_receipt(&receipt, Bytes::from_static(b"{}")).await.unwrap();
    store.discard_partial(&archive).await.unwrap();
    assert_eq!(store.size(&archive).await.unwrap(), Some(10));
}

async fn paths_stay_inside(store: &BlobStore) {
    for path in ["../outside", "/etc/passwd", "a/../../b", "", "a//b"] {
        let results = [
            store.upload(path).await.err(),
            store.size(path).await.err(),
            store.get(path, 0..1).await.err(),
            store.delete(path).await.err(),
            store.put_receipt(path, Bytes::new()).await.err(),
            store.discard_partial(path).await.err(),
            store.stream(path, 0..1).try_next().await.err(),
        ];
        for error in results {
            assert!(matches!(error, Some(Error::Refused(_))), "{path:?}: {error:?}");
        }
    }
}

async fn a_probe_leaves_nothing(store: &BlobStore) {
    let probes = (0..3).map(|_| store.probe());
    for result in future::join_all(probes).await {
        result.unwrap();
    }
    store.check().await.unwrap();
    assert_eq!(everything(store).await, Vec::<String>::new());
}

async fn names_in_any_script_are_kept(store: &BlobStore) {
    let path = "2026/11-23/備份 ü+%20&=.tar.gz";
    upload(store, path, 10, 10).await.unwrap();
    assert_eq!(everything(store).await, [path]);
    assert_eq!(read_and_check(store, path, 0..10).await, 10);
    store.delete(path).await.unwrap();
    assert_eq!(everything(store).await, Vec::<String>::new());
}
