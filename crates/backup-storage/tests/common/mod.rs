//! What the tests of the stores share.
#![allow(dead_code, clippy::unwrap_used, reason = "each test program uses its own part of it")]

use std::fs;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use backup_storage::{BlobStore, Error, StorageSettings};
use backup_tests::azurite::Azurite;
use bytes::Bytes;
use futures_util::TryStreamExt as _;

pub(crate) const MIB: u64 = 1 << 20;

/// Bytes that differ at every place, so that no piece can stand for another.
pub(crate) fn pattern(range: Range<u64>) -> Bytes {
    let word = |at: u64| {
        (at / 8)
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_le_bytes()
    };
    let first = range.start / 8 * 8;
    let words = (first..range.end).step_by(8).flat_map(word).collect::<Vec<u8>>();
    let skip = (range.start - first) as usize;
    Bytes::from(words).slice(skip..skip + (range.end - range.start) as usize)
}

/// Uploads `size` bytes of the pattern in pieces of `piece`.
pub(crate) async fn upload(store: &BlobStore, path: &str, size: u64, piece: u64) -> Result<u64, Error> {
    let mut upload = store.upload(path).await?;
    let mut at = 0;
    while at < size {
        let end = size.min(at + piece);
        upload.write(pattern(at..end)).await?;
        at = end;
    }
    upload.finish().await
}

/// Everything that the stream yields, checked against the pattern from `start` on; returns where it ended.
pub(crate) async fn read_and_check(store: &BlobStore, path: &str, range: Range<u64>) -> u64 {
    let mut at = range.start;
    let mut stream = store.stream(path, range);
    while let Some(bytes) = stream.try_next().await.unwrap() {
        let end = at + bytes.len() as u64;
        assert!(bytes == pattern(at..end), "bytes {at}..{end} are not what was written");
        at = end;
    }
    at
}

/// All paths in the store, receipts and others.
pub(crate) async fn everything(store: &BlobStore) -> Vec<String> {
    let mut all: Vec<String> = store.receipts().try_collect().await.unwrap();
    all.extend(
        store
            .blobs()
            .map_ok(|info| info.path)
            .try_collect::<Vec<_>>()
            .await
            .unwrap(),
    );
    all.sort();
    all
}

pub(crate) async fn folder(root: &Path) -> BlobStore {
    BlobStore::open(&StorageSettings::new(format!("file://{}", root.display())))
        .await
        .unwrap()
}

/// Settings for a container of its own in an emulator, with a patience that suits a test.
pub(crate) fn azure(azurite: &Azurite, container: &str) -> StorageSettings {
    StorageSettings {
        connection_string: Some(azurite.connection_string().into()),
        container: container.to_owned(),
        ..brisk("file://./unused")
    }
}

/// Settings whose patience suits a test.
pub(crate) fn brisk(url: &str) -> StorageSettings {
    StorageSettings {
        stall_timeout: Duration::from_secs(20),
        open_timeout: Duration::from_secs(10),
        ..StorageSettings::new(url)
    }
}

/// Whether the rights of files bind this process. Root passes them all, so under root the test named `test` is run again
/// as a user whom they bind, and nothing is left to do here.
pub(crate) fn rights_bind(test: &str) -> bool {
    const NOBODY: u32 = 65_534;
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return true;
    }
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .uid(NOBODY)
        .gid(NOBODY)
        .output();
    match again {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => backup_tests::note(format_args!("skipped {test}: no other user can run it ({error})")),
    }
    false
}
