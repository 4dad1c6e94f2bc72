//! What goes wrong with Azure, made to go wrong on a real Azurite and on a line that fails.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use backup_core::Outage;
use backup_storage::{BlobStore, Error, StorageSettings};
use backup_tests::azurite::{ACCOUNT, ACCOUNT_KEY, Azurite};
use backup_tests::proxy::Proxy;
use common::{MIB, azure, brisk, everything, pattern, read_and_check, upload};

// Signed with the emulator's published key, to the end of the century: the whole account with every right, and the
// container `signed` with every right in it, among which making it is not.
const WHOLE_ACCOUNT: &str = "sv=2021-12-02&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00%3A00%3A00Z&sig=tznf%2BUguWwNe%2B7oTyobyNUc7TDthIuY2m9EdDOYdBvE%3D";
const ONE_CONTAINER: &str =
    "sp=racwdl&se=2099-01-01T00%3A00%3A00Z&sv=2021-12-02&sr=c&sig=WSqKBYHWXNS1BLCSItz2L7VSyYlYqdaVSd0zkvaHYcc%3D";
// The same, but only to read and to list.
const READ_ONLY: &str =
    "sp=rl&se=2099-01-01T00%3A00%3A00Z&sv=2021-12-02&sr=c&sig=9otbVxkRjW%2B7oH0Fi7rmg7v9M6LSomJhafkTX9%2FDuqk%3D";
const PATH: &str = "2026/11-23/a.tar.gz.enc";

fn connected(text: String, container: &str) -> StorageSettings {
    StorageSettings {
        connection_string: Some(text.into()),
        container: container.to_owned(),
        ..brisk("./unused")
    }
}

fn through(proxy: &Proxy, container: &str) -> StorageSettings {
    let endpoint = format!("http://127.0.0.1:{}/{ACCOUNT}", proxy.port());
    let text = format!("AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={endpoint}");
    connected(text, container)
}

fn assert_names(error: &Error, words: &[&str]) {
    let text = format!("{error} / {error:?}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
    for secret in [ACCOUNT_KEY, "tznf", "WSqKBYHWXNS1"] {
        assert!(!text.contains(secret), "a secret in: {text}");
    }
}

#[tokio::test]
async fn the_container_is_made_when_missing_and_kept_when_there() {
    let azurite = Azurite::shared();
    let settings = azure(azurite, &azurite.new_container());
    let (first, second) = tokio::join!(BlobStore::open(&settings), BlobStore::open(&settings));
    let (first, second) = (first.unwrap(), second.unwrap());
    upload(&first, PATH, 10, 10).await.unwrap();
    assert_eq!(second.size(PATH).await.unwrap(), Some(10));
    let told = second.describe();
    assert_eq!(
        told,
        format!("Azure container {} at {}", settings.container, azurite.endpoint())
    );
}

#[tokio::test]
async fn a_container_that_must_be_there_is_not_made() {
    let azurite = Azurite::shared();
    let settings = azure(azurite, &azurite.new_container());
    for _ in 0..2 {
        let error = BlobStore::open_existing(&settings).await.unwrap_err();
        assert!(matches!(error, Error::NotFound(_)), "{error}");
        assert_names(&error, &[&settings.container, "BACKUP_CONTAINER_NAME"]);
    }
    upload(&BlobStore::open(&settings).await.unwrap(), PATH, 10, 10)
        .await
        .unwrap();
    let store = BlobStore::open_existing(&settings).await.unwrap();
    assert_eq!(read_and_check(&store, PATH, 0..10).await, 10);
}

#[tokio::test]
async fn a_url_with_an_account_and_a_key_of_the_environment_opens() {
    let azurite = Azurite::shared();
    let url = format!(
        "az://{}/sub?account={ACCOUNT}&endpoint={}",
        azurite.new_container(),
        azurite.endpoint()
    );
    let settings = StorageSettings {
        options: vec![("azure_storage_account_key".to_owned(), ACCOUNT_KEY.into())],
        ..brisk(&url)
    };
    let store = BlobStore::open(&settings).await.unwrap();
    upload(&store, PATH, 10, 10).await.unwrap();
    assert_eq!(read_and_check(&store, PATH, 0..10).await, 10);
    assert!(!format!("{settings:?}{store:?}").contains(ACCOUNT_KEY));
}

/// Puts an empty blob there, whose name may be one that no path of ours has.
fn put_of_others(azurite: &Azurite, container: &str, name: &str) {
    let mut line = TcpStream::connect(("127.0.0.1", azurite.port())).unwrap();
    let request = [
        format!("PUT /{ACCOUNT}/{container}/{name}?{WHOLE_ACCOUNT} HTTP/1.1"),
        format!("Host: 127.0.0.1:{}", azurite.port()),
        "x-ms-version: 2021-12-02\r\nx-ms-blob-type: BlockBlob\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            .to_owned(),
    ];
    line.write_all(request.join("\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[tokio::test]
async fn a_name_of_others_blinds_no_listing() {
    let azurite = Azurite::shared();
    for prefix in ["", "deep/"] {
        let container = azurite.new_container();
        let settings = StorageSettings {
            url: format!("az://{container}/{prefix}"),
            ..azure(azurite, "ignored")
        };
        let store = BlobStore::open(&settings).await.unwrap();
        upload(&store, PATH, 10, 10).await.unwrap();
        upload(&store, "notes.txt", 10, 10).await.unwrap();
        put_of_others(azurite, &container, &format!("{prefix}stray//b"));
        assert_eq!(everything(&store).await, [PATH, "notes.txt"]);
    }
}

#[tokio::test]
async fn a_signature_works_within_its_rights() {
    let azurite = Azurite::start();
    let with = |sas: &str| {
        format!(
            "BlobEndpoint={};AccountName={ACCOUNT};SharedAccessSignature={sas}",
            azurite.endpoint()
        )
    };
    let error = BlobStore::open(&connected(with(ONE_CONTAINER), "signed"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert_names(&error, &["signed", "Create the container yourself"]);

    BlobStore::open(&connected(with(WHOLE_ACCOUNT), "signed"))
        .await
        .expect("it may create containers");
    let store = BlobStore::open(&connected(with(ONE_CONTAINER), "signed"))
        .await
        .unwrap();
    upload(&store, PATH, 9 * MIB, MIB).await.unwrap();
    assert_eq!(read_and_check(&store, PATH, 0..u64::MAX).await, 9 * MIB);
    store.probe().await.unwrap();

    let reader = BlobStore::open_existing(&connected(with(READ_ONLY), "signed"))
        .await
        .expect("nothing is written on opening");
    assert_eq!(read_and_check(&reader, PATH, 0..u64::MAX).await, 9 * MIB);
    assert_eq!(everything(&reader).await, [PATH]);
    let error = reader.probe().await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");

    let forged = with(&ONE_CONTAINER.replace("WSqK", "tznf"));
    let error = BlobStore::open(&connected(forged, "signed")).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert_names(&error, &["403", "AZURE_STORAGE_CONNECTION_STRING"]);
}

#[tokio::test]
async fn what_cannot_work_is_refused_in_time_with_its_cause() {
    let azurite = Azurite::shared();
    let endpoint = azurite.endpoint();
    let begun = Instant::now();
    for (text, container, words) in [
        (
            format!("AccountName={ACCOUNT};AccountKey=d3Jvbmcta2V5;BlobEndpoint={endpoint}"),
            "fine",
            ["403", "key"],
        ),
        (
            format!("AccountName={ACCOUNT};AccountKey=%%%;BlobEndpoint={endpoint}"),
            "fine",
            ["AccountKey", "not base64"],
        ),
        (azurite.connection_string(), "Not_Fine", ["'Not_Fine'", "lower-case"]),
        (
            String::new(),
            "fine",
            ["neither AccountKey", "Copy AZURE_STORAGE_CONNECTION_STRING"],
        ),
    ] {
        let settings = connected(text, container);
        let lazily = async || BlobStore::open_lazily(&settings)?.opened().await;
        for error in [
            BlobStore::open(&settings).await.unwrap_err(),
            lazily().await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::Refused(_)), "{error}");
            assert_names(&error, &words);
        }
    }
    for (url, words) in [
        ("ftp://x/y", ["ftp://", "az://CONTAINER"]),
        ("az://fine/x?acount=a", ["parameter", "az://CONTAINER"]),
        ("az://user:secret@fine/x", ["user or a password", "by the environment"]),
        (
            "az://fine/a/%2e%2e/b//c",
            ["not relative and plain", "Give a path like"],
        ),
    ] {
        let error = BlobStore::open(&brisk(url)).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error}");
        assert_names(&error, &words);
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_service_that_is_not_there_fails_within_seconds() {
    let begun = Instant::now();
    let refused = format!("http://127.0.0.1:{}/{ACCOUNT}", backup_tests::free_port());
    for (endpoint, word, outage) in [
        (refused.as_str(), "refused", Outage::Refused),
        ("http://no-such-host.invalid", "cannot be resolved", Outage::NotFound),
    ] {
        let text = format!("AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={endpoint}");
        let settings = StorageSettings {
            open_timeout: Duration::from_secs(3),
            ..connected(text, "fine")
        };
        let error = BlobStore::open(&settings).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert_names(&error, &["Azure container fine at http", word]);
        assert_eq!(error.outage(), outage);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_away_at_first_is_opened_once_it_is_there() {
    let azurite = Azurite::start();
    azurite.kill9();
    let settings = StorageSettings {
        stall_timeout: Duration::from_mins(1),
        open_timeout: Duration::from_secs(4),
        ..azure(&azurite, "late")
    };
    let store = BlobStore::open_lazily(&settings).unwrap();
    let begun = Instant::now();
    let quick = store.impatient();
    let (first, second) = tokio::join!(quick.opened(), quick.size(PATH));
    for error in [
        first.unwrap_err(),
        second.unwrap_err(),
        store.check().await.unwrap_err(),
        store.probe().await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert_names(&error, &["Azure container late at http", "refused"]);
        assert_eq!(error.outage(), Outage::Refused, "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    // A job goes on until it is there, and makes the container.
    let uploading = tokio::spawn({
        let store = store.clone();
        async move { upload(&store, PATH, 10, 10).await }
    });
    azurite.restart();
    assert_eq!(uploading.await.unwrap().unwrap(), 10);
    store.probe().await.unwrap();
    assert_eq!(everything(&quick).await, [PATH]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_service_ends_the_upload_and_the_download() {
    let azurite = Azurite::shared();
    let proxy = Proxy::to(azurite.port());
    let patient = through(&proxy, &azurite.new_container());
    let settings = StorageSettings {
        stall_timeout: Duration::from_secs(2),
        ..patient.clone()
    };
    // While the service answers, a slow machine may be silent for longer.
    let patient = BlobStore::open(&patient).await.unwrap();
    let store = BlobStore::open(&settings).await.unwrap();
    upload(&patient, PATH, 20 * MIB, MIB).await.unwrap();
    let mut silent = store.upload("2026/11-23/b.tar.gz.enc").await.unwrap();
    silent.write(pattern(0..5 * MIB)).await.unwrap();
    proxy.stall();
    let begun = Instant::now();
    let result = async {
        for _ in 0..20 {
            silent.write(pattern(0..4 * MIB)).await?;
        }
        silent.finish().await
    };
    let error = result.await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert_names(&error, &["b.tar.gz.enc", "Azure container", "2 seconds"]);
    let error = store.get(PATH, 0..MIB).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert_eq!(error.outage(), Outage::Silent);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    proxy.mend();
    assert_eq!(read_and_check(&patient, PATH, 0..u64::MAX).await, 20 * MIB);
    assert_eq!(patient.size("2026/11-23/b.tar.gz.enc").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_breaks_for_a_moment_costs_nothing() {
    let azurite = Azurite::shared();
    let proxy = Proxy::to(azurite.port());
    let store = BlobStore::open(&through(&proxy, &azurite.new_container()))
        .await
        .unwrap();
    proxy.cut_after(9 * MIB);
    let uploading = tokio::spawn({
        let store = store.clone();
        async move { upload(&store, PATH, 40 * MIB, MIB).await }
    });
    while !proxy.is_cut() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    proxy.mend();
    assert_eq!(uploading.await.unwrap().unwrap(), 40 * MIB);
    assert_eq!(read_and_check(&store, PATH, 0..u64::MAX).await, 40 * MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_that_were_forgotten_ask_for_a_new_upload() {
    let azurite = Azurite::start();
    let settings = StorageSettings {
        stall_timeout: Duration::from_mins(1),
        ..azure(&azurite, "kept")
    };
    let store = BlobStore::open(&settings).await.unwrap();
    azurite.wait_until_saved("kept");
    let mut lost = store.upload(PATH).await.unwrap();
    lost.write(pattern(0..60 * MIB)).await.unwrap();
    azurite.kill9();
    azurite.restart();
    let error = match lost.write(pattern(60 * MIB..61 * MIB)).await {
        Ok(()) => lost.finish().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, Error::UploadLost(_)), "{error}");
    assert_names(&error, &[PATH, "Start the backup again"]);
    assert_eq!(store.size(PATH).await.unwrap(), None);
    store.discard_partial(PATH).await.unwrap();
    upload(&store, PATH, 60 * MIB, MIB).await.unwrap();
    assert_eq!(read_and_check(&store, PATH, 0..u64::MAX).await, 60 * MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_gone_ends_the_upload() {
    let azurite = Azurite::start();
    let settings = StorageSettings {
        stall_timeout: Duration::from_secs(6),
        ..azure(&azurite, "gone")
    };
    let store = BlobStore::open(&settings).await.unwrap();
    let mut upload = store.upload(PATH).await.unwrap();
    upload.write(pattern(0..6 * MIB)).await.unwrap();
    azurite.kill9();
    for error in [
        store.check().await.unwrap_err(),
        store.impatient().size(PATH).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert_eq!(error.outage(), Outage::Refused, "{error}");
    }
    let begun = Instant::now();
    let error = match upload.write(pattern(6 * MIB..40 * MIB)).await {
        Ok(()) => upload.finish().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert_names(&error, &[PATH, "Azure container gone at"]);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}
