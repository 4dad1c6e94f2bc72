//! How much memory and time a large archive takes on its way. One test, so that the process's peak is its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Instant;

use backup_storage::BlobStore;
use backup_tests::azurite::Azurite;
use bytes::Bytes;
use common::{MIB, azure, folder};
use futures_util::TryStreamExt as _;

const PATH: &str = "2026/11-23/a.tar.gz.enc";
const SIZE: u64 = 512 * MIB;

fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

async fn there_and_back(name: &str, store: &BlobStore) {
    let begun = Instant::now();
    let mut upload = store.upload(PATH).await.unwrap();
    for number in 0..SIZE / MIB {
        upload
            .write(Bytes::from(vec![number as u8; MIB as usize]))
            .await
            .unwrap();
    }
    assert_eq!(upload.finish().await.unwrap(), SIZE);
    let up = begun.elapsed();
    let begun = Instant::now();
    let (mut read, mut stream) = (0, store.stream(PATH, 0..SIZE));
    while let Some(bytes) = stream.try_next().await.unwrap() {
        read += bytes.len() as u64;
    }
    assert_eq!(read, SIZE);
    let rate = |time: std::time::Duration| (SIZE / MIB) as f64 / time.as_secs_f64();
    let (up, down) = (rate(up), rate(begun.elapsed()));
    backup_tests::note(format_args!(
        "{name}: {up:.0} MiB/s in, {down:.0} MiB/s out, peak {} MiB",
        peak_memory_mib()
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_archive_needs_little_memory() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    there_and_back("folder", &folder(dir.path()).await).await;
    let azurite = Azurite::shared();
    there_and_back(
        "Azurite",
        &BlobStore::open(&azure(azurite, &azurite.new_container()))
            .await
            .unwrap(),
    )
    .await;
    assert!(peak_memory_mib() < 100, "{} MiB", peak_memory_mib());
}
