use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use backup_core::{OsRandom, SystemClock};
use backup_notify::Error;
use backup_notify::smtp::{Encryption, Mailer, SmtpSettings, Timeouts};
use backup_tests::free_port;
use backup_tests::smtp::{SmtpServer, Tls};

use crate::{LOG_IN, PASSWORD, USER, error_of, impatient, mailer, message, settings, to, trusting};

#[tokio::test]
async fn a_wrong_password_is_named() {
    let server = SmtpServer::start(Tls::StartTls, Some((USER, "another")));
    let mailer = mailer(trusting(&format!("smtp://{LOG_IN}localhost:PORT"), &server));
    let error = error_of(&mailer).await;
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(
        error.message().contains("refused the user or the password: 535"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_wants_a_log_in_says_so() {
    let server = SmtpServer::start(Tls::None, Some((USER, PASSWORD)));
    let error = error_of(&mailer(settings("smtp://127.0.0.1:PORT", server.port()))).await;
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(error.message().contains("wants a log-in"), "{error}");
}

#[tokio::test]
async fn a_server_without_log_in_gets_no_password() {
    let server = SmtpServer::start(Tls::None, None);
    let error = error_of(&mailer(settings(
        &format!("smtp://{LOG_IN}127.0.0.1:PORT"),
        server.port(),
    )))
    .await;
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(error.message().contains("offers no log-in"), "{error}");
}

#[tokio::test]
async fn a_password_is_not_sent_in_the_clear() {
    let server = SmtpServer::start(Tls::None, Some((USER, PASSWORD)));
    let settings = SmtpSettings {
        encryption: Encryption::Required,
        ..settings(&format!("smtp://{LOG_IN}127.0.0.1:PORT"), server.port())
    };
    let error = error_of(&mailer(settings)).await;
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(error.message().contains("offers no encryption"), "{error}");
}

#[tokio::test]
async fn a_stranger_is_not_believed() {
    for (tls, scheme) in [(Tls::StartTls, "smtp"), (Tls::Implicit, "smtps")] {
        let server = SmtpServer::start(tls, Some((USER, PASSWORD)));
        let url = format!("{scheme}://{LOG_IN}localhost:PORT");
        let error = error_of(&mailer(settings(&url, server.port()))).await;
        assert!(matches!(error, Error::Refused(_)), "{error}");
        assert!(error.message().contains("certificate"), "{error}");
        assert!(error.hint().contains("SMTP_CA_FILE"), "{error}");
        assert!(server.received().is_empty());
    }
}

#[tokio::test]
async fn a_sender_that_the_server_refuses_is_named() {
    let server = SmtpServer::start(Tls::None, None);
    let mut settings = settings("smtp://127.0.0.1:PORT", server.port());
    settings.from = "forbidden@example.org".parse().unwrap();
    let error = error_of(&mailer(settings)).await;
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(
        error
            .message()
            .contains("refused the sender forbidden@example.org: 553"),
        "{error}"
    );
}

#[tokio::test]
async fn a_closed_port_is_reported() {
    for scheme in ["smtp", "smtps"] {
        let settings = settings(&format!("{scheme}://{LOG_IN}127.0.0.1:PORT"), free_port());
        let error = error_of(&mailer(settings)).await;
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert!(error.message().contains("cannot be reached"), "{error}");
    }
}

#[tokio::test]
async fn a_name_that_is_nobodys_is_reported() {
    let error = error_of(&mailer(settings(&format!("smtp://{LOG_IN}mail.invalid:PORT"), 25))).await;
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    // The system takes the connection; nobody ever answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    for scheme in ["smtp", "smtps"] {
        let error = error_of(&impatient(settings(
            &format!("{scheme}://{LOG_IN}127.0.0.1:PORT"),
            port,
        )))
        .await;
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert!(error.message().contains("did not answer within 0.5 s"), "{error}");
    }
}

#[tokio::test]
async fn the_wrong_scheme_for_a_port_is_explained() {
    let plain = SmtpServer::start(Tls::StartTls, None);
    let error = error_of(&mailer(trusting("smtps://localhost:PORT", &plain))).await;
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(error.hint().contains("smtp://"), "{error}");

    let encrypted = SmtpServer::start(Tls::Implicit, None);
    let error = error_of(&impatient(trusting("smtp://localhost:PORT", &encrypted))).await;
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(error.hint().contains("smtps://"), "{error}");
}

#[test]
fn a_useless_file_of_certificates_is_refused_at_once() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for file in [file, "/nonexistent/ca.pem"] {
        let settings = SmtpSettings {
            ca_file: Some(file.into()),
            ..settings("smtps://localhost:PORT", 465)
        };
        let error = Mailer::new(settings, Arc::new(SystemClock), Arc::new(OsRandom)).unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error}");
        assert!(error.message().contains(file), "{error}");
    }
}

/// Some servers repeat what they do not understand.
#[tokio::test]
async fn what_a_server_repeats_is_not_passed_on() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut line, mut said) = (listener.accept().unwrap().0, String::new());
        let mut lines = BufReader::new(line.try_clone().unwrap());
        line.write_all(b"220 here\r\n").unwrap();
        lines.read_line(&mut said).unwrap();
        line.write_all(b"250-here\r\n250 AUTH PLAIN\r\n").unwrap();
        said.clear();
        lines.read_line(&mut said).unwrap();
        line.write_all(format!("500 what is {said}").as_bytes()).unwrap();
        said
    });
    let error = error_of(&mailer(settings(&format!("smtp://{LOG_IN}127.0.0.1:PORT"), port))).await;
    let said = server.join().unwrap();
    let token = said.trim().strip_prefix("AUTH PLAIN ").unwrap();
    assert!(
        token.len() > 30 && !format!("{error} {error:?}").contains(token),
        "{error}"
    );
    assert!(error.message().contains("500"), "{error}");
}

/// The port of a server that takes one message once it has looked through it.
fn scanner(look_through: impl FnOnce() + Send + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut line = listener.accept().unwrap().0;
        let mut lines = BufReader::new(line.try_clone().unwrap()).lines();
        line.write_all(b"220 here\r\n").unwrap();
        for answer in ["250 here", "250 the sender", "250 the recipient", "354 go on"] {
            lines.next().unwrap().unwrap();
            line.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
        }
        while lines.next().unwrap().unwrap() != "." {}
        look_through();
        let _nobody_may_listen = line.write_all(b"250 kept\r\n");
    });
    port
}

#[tokio::test]
async fn a_server_that_looks_through_a_message_has_time_for_it() {
    let (ops, id) = (to(&["ops@example.org"]), "0198c1d2-1111-7000-8000-000000000000");
    // Longer than it has for all before.
    let port = scanner(|| std::thread::sleep(Duration::from_secs(1)));
    let patient = impatient(settings("smtp://127.0.0.1:PORT", port));
    patient.send_as(id, &ops, &message()).await.unwrap();

    let (over, waits) = std::sync::mpsc::channel::<()>();
    let port = scanner(move || {
        let _test_is_over = waits.recv();
    });
    let mailer = mailer(settings("smtp://127.0.0.1:PORT", port)).with_timeouts(Timeouts {
        answer: Duration::from_millis(500),
        ..Timeouts::default()
    });
    let error = mailer.send_as(id, &ops, &message()).await.unwrap_err();
    drop(over);
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(error.message().contains("did not say within 0.5 s"), "{error}");
}
