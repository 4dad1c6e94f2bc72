//! What is logged and how long it takes reaches a collector. With the feature `otlp` only, which the programs have by default.
#![cfg(feature = "otlp")]
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use backup_core::SystemClock;
use backup_engine::settings::{LogArgs, LogFormat};
use backup_engine::{Action, end_logging, init_logging};

/// A collector that takes everything: the path and the body of each request.
fn collector() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = Vec::new();
            let mut piece = vec![0; 65_536];
            let (head, body) = loop {
                let count = stream.read(&mut piece).unwrap();
                bytes.extend_from_slice(&piece[..count]);
                let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                    continue;
                };
                let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                let length = head.split("content-length: ").nth(1).unwrap();
                let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
                if bytes.len() >= end + 4 + length {
                    break (head, bytes[end + 4..].to_vec());
                }
            };
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            if sender.send((path, body)).is_err() {
                return;
            }
        }
    });
    (address, received)
}

#[test]
fn log_and_traces_reach_the_collector() {
    let (endpoint, received) = collector();
    let args = LogArgs {
        filter: "info".to_owned(),
        format: LogFormat::Json,
        otlp_endpoint: Some(endpoint),
    };
    init_logging(&args, "test-service", Arc::new(SystemClock)).unwrap();
    let span = tracing::info_span!("backup", backup_id = "the-backup");
    span.in_scope(|| tracing::info!(action = %Action::BackupStarted, "a line of the log"));
    drop(span);
    end_logging();
    let mut paths = Vec::new();
    while let Ok((path, body)) = received.recv_timeout(Duration::from_secs(20)) {
        let has = |text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(has("test-service"), "{path}");
        match path.as_str() {
            "/v1/traces" => assert!(has("the-backup")),
            "/v1/logs" => assert!(has("a line of the log") && has("backup_started")),
            other => panic!("{other}"),
        }
        paths.push(path);
        if paths.len() == 2 {
            break;
        }
    }
    paths.sort();
    assert_eq!(paths, ["/v1/logs", "/v1/traces"]);
}
