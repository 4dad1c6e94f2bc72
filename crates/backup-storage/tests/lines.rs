//! What a line does to transfers, and what a store that is not to be trusted does to uploads.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backup_storage::{BlobStore, Error, StorageSettings};
use backup_tests::azurite::{ACCOUNT, ACCOUNT_KEY, Azurite};
use backup_tests::proxy::Proxy;
use common::{MIB, azure, brisk, pattern, read_and_check, upload};
use futures_util::TryStreamExt as _;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};

const PATH: &str = "2026/11-23/a.tar.gz.enc";

fn at_port(port: u16, container: &str) -> StorageSettings {
    let endpoint = format!("http://127.0.0.1:{port}/{ACCOUNT}");
    StorageSettings {
        connection_string: Some(
            format!("AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={endpoint}").into(),
        ),
        container: container.to_owned(),
        ..brisk("./unused")
    }
}

/// A port that leads to `server` by one line of `rate` bytes a second, which all connections share.
async fn shared_line(server: u16, rate: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let line = Arc::new(Mutex::new(()));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            let (mut from, mut back_to) = client.into_split();
            let (mut back_from, mut to) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut back_from, &mut back_to).await });
            let line = Arc::clone(&line);
            tokio::spawn(async move {
                let mut buffer = vec![0; 256 << 10];
                while let Ok(read @ 1..) = from.read(&mut buffer).await {
                    // Locks are given in the order in which they were asked for: every connection has its turn.
                    let turn = line.lock().await;
                    tokio::time::sleep(Duration::from_secs_f64(read as f64 / rate as f64)).await;
                    drop(turn);
                    if to.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_line_is_no_silent_one() {
    let azurite = Azurite::shared();
    // One part goes through in less than half of the limit; all that memory allows would take three times the limit.
    let port = shared_line(azurite.port(), 3 * MIB).await;
    let settings = StorageSettings {
        stall_timeout: Duration::from_secs(3),
        ..at_port(port, &azurite.new_container())
    };
    let store = BlobStore::open(&settings).await.unwrap();
    assert_eq!(upload(&store, PATH, 25 * MIB, MIB).await.unwrap(), 25 * MIB);
    assert_eq!(read_and_check(&store, PATH, 0..u64::MAX).await, 25 * MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_pauses_is_no_silent_store() {
    let azurite = Azurite::shared();
    let settings = StorageSettings {
        stall_timeout: Duration::from_secs(6),
        ..azure(azurite, &azurite.new_container())
    };
    let store = BlobStore::open(&settings).await.unwrap();
    upload(&store, PATH, 40 * MIB, MIB).await.unwrap();
    let mut stream = store.stream(PATH, 0..40 * MIB);
    let mut at = 0;
    while let Some(bytes) = stream.try_next().await.unwrap() {
        let end = at + bytes.len() as u64;
        assert!(bytes == pattern(at..end));
        if at == 0 {
            // Not to wait for something: the pause itself is what is tested.
            tokio::time::sleep(settings.stall_timeout + Duration::from_secs(1)).await;
        }
        at = end;
    }
    assert_eq!(at, 40 * MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_an_answer_is_told_of_an_outage_that_a_job_outlives() {
    let azurite = Azurite::shared();
    let proxy = Proxy::to(azurite.port());
    // The job has to outlast three that give up one after the other.
    let settings = StorageSettings {
        stall_timeout: Duration::from_mins(1),
        ..at_port(proxy.port(), &azurite.new_container())
    };
    let store = BlobStore::open(&settings).await.unwrap();
    upload(&store, PATH, MIB, MIB).await.unwrap();
    let impatient = store.impatient();
    assert_eq!(read_and_check(&impatient, PATH, 0..u64::MAX).await, MIB);
    proxy.cut();
    let job = tokio::spawn({
        let store = store.clone();
        async move { read_and_check(&store, PATH, 0..MIB).await }
    });
    for error in [
        impatient.get(PATH, 0..MIB).await.unwrap_err(),
        impatient.size(PATH).await.unwrap_err(),
        impatient.receipts().try_next().await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
    }
    assert!(!job.is_finished(), "the job has given up too");
    proxy.mend();
    assert_eq!(job.await.unwrap(), MIB);
    assert_eq!(impatient.size(PATH).await.unwrap(), Some(MIB));
}

/// A service that says yes to every write, and then of a blob what `told` says: its size, or that there is none.
async fn liar(told: Option<u64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(lie(connection, told));
        }
    });
    port
}

/// The next request of a connection up to its body, and how long that is.
async fn next_head(connection: &mut (impl AsyncBufRead + Unpin)) -> Option<(String, u64)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        head.push_str(&line);
        match line.to_ascii_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap(),
            _ if line == "\r\n" => return Some((head, length)),
            _ => {}
        }
    }
}

async fn lie(connection: TcpStream, told: Option<u64>) -> Option<()> {
    const OF_A_BLOB: &str = "ETag: \"1\"\r\nLast-Modified: Mon, 23 Nov 2026 10:00:00 GMT\r\n";
    let mut connection = BufReader::new(connection);
    loop {
        let (head, length) = next_head(&mut connection).await?;
        connection.read_exact(&mut vec![0; length as usize]).await.ok()?;
        let answer = match (head.split(' ').next().unwrap_or_default(), told) {
            ("PUT", _) => format!("201 Created\r\n{OF_A_BLOB}Content-Length: 0\r\n"),
            ("HEAD", Some(size)) => format!("200 OK\r\n{OF_A_BLOB}Content-Length: {size}\r\n"),
            ("HEAD", None) => "404 Not Found\r\nContent-Length: 0\r\n".to_owned(),
            _ => "200 OK\r\nContent-Length: 0\r\n".to_owned(),
        };
        let answer = format!("HTTP/1.1 {answer}\r\n");
        connection.write_all(answer.as_bytes()).await.ok()?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_as_large_as_the_store_says() {
    for (told, word) in [(Some(7), "7 bytes"), (None, "does not have it")] {
        let settings = at_port(liar(told).await, "liar");
        let store = BlobStore::open(&settings).await.unwrap();
        let error = upload(&store, PATH, 10, 10).await.unwrap_err();
        assert!(matches!(error, Error::Failed(_)), "{error}");
        let text = error.to_string();
        for word in [word, "10 bytes", PATH, "Azure container liar"] {
            assert!(text.contains(word), "no {word:?} in: {text}");
        }
    }
    // In parts the blob would be seen before the commit, were it always there.
    let store = BlobStore::open(&at_port(liar(None).await, "liar")).await.unwrap();
    let error = upload(&store, PATH, 9 * MIB, MIB).await.unwrap_err();
    assert!(error.to_string().contains("does not have it"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_replaces_what_is_there_is_refused() {
    let store = BlobStore::open(&at_port(liar(None).await, "liar")).await.unwrap();
    let error = store.probe().await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(
        error.to_string().contains("replaces what it should only create"),
        "{error}"
    );
    assert!(error.hint().contains("If-None-Match"), "{error}");
}

/// A port that leads to `server` by a gateway which has no patience once: the first request with `word` in its first line
/// is done, and called failed.
async fn hasty_gateway(server: u16, word: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let done = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            tokio::spawn(pass_on(client, server, word, Arc::clone(&done)));
        }
    });
    port
}

async fn pass_on(client: TcpStream, server: TcpStream, word: &str, done: Arc<AtomicBool>) -> Option<()> {
    const FAILED: &[u8] = b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (from, mut back_to) = client.into_split();
    let (mut back_from, mut to) = server.into_split();
    let losing = Arc::new(AtomicBool::new(false));
    let is_lost = Arc::clone(&losing);
    tokio::spawn(async move {
        let mut buffer = vec![0; 32 << 10];
        while let Ok(read @ 1..) = back_from.read(&mut buffer).await {
            let lost = is_lost.load(Ordering::SeqCst);
            let answer = if lost { FAILED } else { &buffer[..read] };
            if back_to.write_all(answer).await.is_err() || lost {
                return;
            }
        }
    });
    let mut from = BufReader::new(from);
    loop {
        let (head, length) = next_head(&mut from).await?;
        if head.lines().next().is_some_and(|first| first.contains(word)) && !done.swap(true, Ordering::SeqCst) {
            losing.store(true, Ordering::SeqCst);
        }
        to.write_all(head.as_bytes()).await.ok()?;
        tokio::io::copy(&mut (&mut from).take(length), &mut to).await.ok()?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_a_commit() {
    let azurite = Azurite::shared();
    for (size, word) in [(MIB, "PUT /"), (9 * MIB, "comp=blocklist")] {
        let container = azurite.new_container();
        BlobStore::open(&azure(azurite, &container)).await.unwrap();
        let port = hasty_gateway(azurite.port(), word).await;
        let store = BlobStore::open_existing(&at_port(port, &container)).await.unwrap();
        assert_eq!(upload(&store, PATH, size, MIB).await.unwrap(), size);
        assert_eq!(read_and_check(&store, PATH, 0..u64::MAX).await, size);
        // Another upload is still another.
        let error = upload(&store, PATH, size, MIB).await.unwrap_err();
        assert!(matches!(error, Error::AlreadyExists(_)), "{error}");
    }
}

/// An S3 server that takes every part of one upload, and tells of the uploads that are aborted.
async fn s3_of_parts() -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, aborted) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(take_parts(connection, told.clone()));
        }
    });
    (port, aborted)
}

async fn take_parts(connection: TcpStream, told: mpsc::UnboundedSender<String>) -> Option<()> {
    let mut connection = BufReader::new(connection);
    loop {
        let (head, length) = next_head(&mut connection).await?;
        connection.read_exact(&mut vec![0; length as usize]).await.ok()?;
        let body = match head.split(' ').next().unwrap_or_default() {
            "GET" => "<ListBucketResult></ListBucketResult>",
            "POST" => "<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>",
            "DELETE" => {
                told.send(head.lines().next()?.to_owned()).ok()?;
                ""
            }
            _ => "",
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(answer.as_bytes()).await.ok()?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_upload_leaves_no_parts() {
    let (port, mut aborted) = s3_of_parts().await;
    let endpoint = format!("http://127.0.0.1:{port}");
    let options = [
        ("aws_endpoint", endpoint.as_str()),
        ("aws_access_key_id", "test"),
        ("aws_secret_access_key", "test-secret"),
        ("aws_region", "us-east-1"),
    ];
    let settings = StorageSettings {
        options: options.map(|(name, value)| (name.to_owned(), value.into())).into(),
        ..brisk("s3://backups")
    };
    let store = BlobStore::open(&settings).await.unwrap();
    let mut dropped = store.upload(PATH).await.unwrap();
    dropped.write(pattern(0..12 * MIB)).await.unwrap();
    drop(dropped);
    let told = tokio::time::timeout(Duration::from_secs(10), aborted.recv()).await;
    let told = told.expect("it is aborted").unwrap();
    assert!(told.contains(PATH) && told.contains("uploadId=one"), "{told}");
}
