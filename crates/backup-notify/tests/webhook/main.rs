//! Messages to a real web server: what each program is told, and what is said where it does not take it.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod chats;
mod faults;
mod generic;
mod ping;
#[path = "../kit/reports.rs"]
mod reports;

use std::time::Duration;

use backup_core::notification::{Report, WebhookPreset};
use backup_notify::webhook::{WebhookSender, WebhookSettings};
use backup_notify::{Error, Language, Timeouts};
use backup_tests::http_sink::{HttpSink, Request};
use chrono::{DateTime, Utc};

/// What must never be seen.
const SECRET: &str = "hunter2hunter2";
/// A path such as chats have.
const PATH: &str = "/services/T000/hunter2hunter2?token=hunter2hunter2";
const ID: &str = "0198c1d2-1111-7000-8000-000000000000";
const HERE: Option<&str> = Some("https://backup.example/base");

fn now() -> DateTime<Utc> {
    "2026-11-26T06:07:08Z".parse().unwrap()
}

/// The webhook of a path of the server.
fn webhook(sink: &HttpSink, preset: WebhookPreset) -> WebhookSettings {
    at(&sink.url(PATH), preset)
}

fn at(url: &str, preset: WebhookPreset) -> WebhookSettings {
    WebhookSettings {
        name: "ops".to_owned(),
        url: url.into(),
        preset,
        template: None,
    }
}

/// What the server is told of this report.
async fn told(preset: WebhookPreset, language: Language, report: &Report) -> Request {
    let sink = HttpSink::start();
    let sender = WebhookSender::new().unwrap();
    sender
        .send(&webhook(&sink, preset), ID, language, HERE, report)
        .await
        .unwrap();
    let mut requests = sink.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests.remove(0)
}

/// The error of a message; it holds no secret, in no form.
async fn error_of(to: &WebhookSettings) -> Error {
    error_within(Duration::from_secs(30), to).await
}

/// The same, of a message that has so much time.
async fn error_within(send: Duration, to: &WebhookSettings) -> Error {
    let sender = WebhookSender::with_timeouts(Timeouts {
        send,
        ..Timeouts::default()
    });
    let sender = sender.unwrap();
    let report = Report::Backup(reports::failed());
    let error = sender.send(to, ID, Language::En, HERE, &report).await.unwrap_err();
    let shown = format!(
        "{error} {error:?} {to:?} {sender:?} {:?}",
        std::error::Error::source(&error)
    );
    assert!(!shown.contains(SECRET) && !shown.contains("T000"), "{shown}");
    assert!(error.message().contains("the webhook 'ops' ("), "{error}");
    assert!(!error.hint().is_empty(), "{error}");
    error
}
