//! Messages through a real mail server: what arrives, and what is said where nothing does.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod faults;
mod messages;
#[path = "../kit/reports.rs"]
mod reports;
mod told;

use std::sync::Arc;
use std::time::Duration;

use backup_core::{ManualClock, OsRandom};
use backup_notify::smtp::{Mailer, SmtpSettings, Timeouts};
use backup_notify::{Error, Language, Message, templates};
use backup_tests::smtp::SmtpServer;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

const USER: &str = "back@up";
const PASSWORD: &str = "p/w:密碼 hunter2";
/// [`USER`] and [`PASSWORD`] as they stand in a URL.
const LOG_IN: &str = "back%40up:p%2Fw%3A%E5%AF%86%E7%A2%BC%20hunter2@";

fn now() -> DateTime<Utc> {
    "2026-11-26T06:07:08Z".parse().unwrap()
}

/// `url` with `PORT` in it.
fn settings(url: &str, port: u16) -> SmtpSettings {
    let url = SecretString::from(url.replace("PORT", &port.to_string()));
    SmtpSettings::parse(&url, "備份系統 <backup@example.org>", None).unwrap()
}

/// Settings that trust the server's authority.
fn trusting(url: &str, server: &SmtpServer) -> SmtpSettings {
    SmtpSettings {
        ca_file: Some(server.ca_file()),
        ..settings(url, server.port())
    }
}

fn mailer(settings: SmtpSettings) -> Mailer {
    Mailer::new(settings, Arc::new(ManualClock::new(now())), Arc::new(OsRandom)).unwrap()
}

fn impatient(settings: SmtpSettings) -> Mailer {
    mailer(settings).with_timeouts(Timeouts {
        send: Duration::from_millis(500),
        ..Timeouts::default()
    })
}

fn message() -> Message {
    templates::test(Language::ZhTw, Some("https://backup.example/"), now())
}

fn to(addresses: &[&str]) -> Vec<String> {
    addresses.iter().map(|address| (*address).to_owned()).collect()
}

/// The error of a message to one good recipient; it holds no secret, in no form.
async fn error_of(mailer: &Mailer) -> Error {
    let error = mailer.send(&to(&["ops@example.org"]), &message()).await.unwrap_err();
    let shown = format!("{error} {error:?} {mailer:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(!error.hint().is_empty(), "{shown}");
    error
}
