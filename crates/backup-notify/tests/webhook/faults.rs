use std::time::Duration;

use backup_core::notification::WebhookPreset;
use backup_notify::Error;
use backup_notify::webhook::WebhookSettings;
use backup_tests::free_port;
use backup_tests::http_sink::{HttpSink, Reply};
use backup_tests::smtp::{SmtpServer, Tls};

use crate::{PATH, SECRET, at, error_of, error_within, webhook};

fn unavailable(error: &Error) -> bool {
    matches!(error, Error::Unavailable(_))
}

/// The error where the server answers so; it was asked once.
async fn answered(reply: Reply) -> Error {
    let sink = HttpSink::start();
    // Who never answers is waited for to the end; the request is to come nevertheless, on a busy machine too.
    let limit = if matches!(reply, Reply::Silence) {
        Duration::from_millis(2500)
    } else {
        Duration::from_secs(30)
    };
    sink.reply(reply);
    let error = error_within(limit, &webhook(&sink, WebhookPreset::Slack)).await;
    assert_eq!(sink.requests().len(), 1);
    error
}

#[tokio::test]
async fn the_status_says_whether_to_try_again() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let error = answered(Reply::status(status)).await;
        assert!(
            unavailable(&error) && error.message().contains(&status.to_string()),
            "{error}"
        );
        assert_eq!(error.retry_after(), None);
    }
    for status in [400, 401, 403, 404, 405, 410, 413, 422] {
        let error = answered(Reply::status(status)).await;
        assert!(matches!(error, Error::Rejected(_)), "{error}");
        assert!(error.message().contains(&status.to_string()), "{error}");
    }
}

#[tokio::test]
async fn who_wants_to_be_left_alone_is() {
    for (said, heard) in [
        ("7", Some(7)),
        ("0", Some(0)),
        ("999999999", Some(3600)),
        ("Thu, 26 Nov 2026 06:07:08 GMT", None),
        ("-1", None),
    ] {
        let error = answered(Reply::Answer(429, vec![format!("Retry-After: {said}")], String::new())).await;
        assert!(unavailable(&error), "{error}");
        assert_eq!(error.retry_after(), heard.map(Duration::from_secs), "{said}");
    }
}

#[tokio::test]
async fn nobody_is_followed_elsewhere() {
    let elsewhere = HttpSink::start();
    for status in [301, 302, 307, 308] {
        let location = format!("Location: {}", elsewhere.url(PATH));
        let error = answered(Reply::Answer(status, vec![location], String::new())).await;
        assert!(matches!(error, Error::Rejected(_)), "{error}");
        assert!(error.hint().contains("not followed"), "{error}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn what_the_receiver_says_is_passed_on_unless_it_repeats_the_address() {
    let says = |text: &str| answered(Reply::Answer(400, Vec::new(), text.to_owned()));
    let error = says("invalid_blocks\n").await;
    assert!(error.message().ends_with("status 400: invalid_blocks"), "{error}");
    assert!(says(&"a\u{1b}".repeat(1000)).await.message().len() < 400);
    for text in [
        format!("no route {PATH}"),
        SECRET.to_uppercase(),
        "<html>hunter2".to_owned(),
        format!("{}{SECRET}", " ".repeat(300)),
    ] {
        let error = says(&text).await;
        assert!(error.message().ends_with("status 400"), "{error}");
    }
}

#[tokio::test]
async fn lines_that_break_are_tried_again() {
    let error = answered(Reply::Cut).await;
    assert!(
        unavailable(&error) && error.message().contains("ended the connection"),
        "{error}"
    );
    let error = answered(Reply::Silence).await;
    assert!(
        unavailable(&error) && error.message().contains("did not answer within 2.5 s"),
        "{error}"
    );
    for preset in WebhookPreset::ALL {
        let error = error_of(&at(&format!("http://127.0.0.1:{}{PATH}", free_port()), *preset)).await;
        assert!(
            unavailable(&error) && error.message().contains("(127.0.0.1) cannot be reached: "),
            "{error}"
        );
    }
    let error = error_of(&at(&format!("https://hooks.invalid{PATH}"), WebhookPreset::Generic)).await;
    assert!(
        unavailable(&error) && error.message().contains("hooks.invalid"),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_the_end() {
    let error = answered(Reply::Endless(500)).await;
    assert!(unavailable(&error) && error.message().len() < 400, "{error}");
    let sink = HttpSink::start();
    sink.reply(Reply::Endless(200));
    let sender = backup_notify::webhook::WebhookSender::new().unwrap();
    let [(_, report), ..] = crate::reports::each();
    let to = webhook(&sink, WebhookPreset::Generic);
    let sent = sender
        .send(&to, crate::ID, backup_notify::Language::En, None, &report)
        .await;
    assert!(sent.is_ok(), "{sent:?}");
}

/// Any server with a certificate of an authority that nobody knows.
#[tokio::test]
async fn a_stranger_is_not_believed() {
    let server = SmtpServer::start(Tls::Implicit, None);
    let to = at(
        &format!("https://localhost:{}{PATH}", server.port()),
        WebhookPreset::Teams,
    );
    let error = error_of(&to).await;
    assert!(
        unavailable(&error) && error.message().contains("certificate"),
        "{error}"
    );
    assert!(error.hint().contains("authority"), "{error}");
}

#[tokio::test]
async fn a_template_that_is_none_is_said_before_anything_is_sent() {
    let sink = HttpSink::start();
    let to = WebhookSettings {
        template: Some("{".to_owned()),
        ..webhook(&sink, WebhookPreset::Generic)
    };
    let sender = backup_notify::webhook::WebhookSender::new().unwrap();
    let [(_, report), ..] = crate::reports::each();
    let error = sender
        .send(&to, crate::ID, backup_notify::Language::En, None, &report)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(sink.requests().is_empty());
}

#[tokio::test]
async fn a_password_in_the_address_is_used_and_never_shown() {
    let sink = HttpSink::start();
    sink.reply(Reply::status(401));
    let url = sink.url(PATH).replace("http://", "http://ops:hunter2hunter2@");
    let error = error_of(&at(&url, WebhookPreset::Generic)).await;
    assert!(matches!(error, Error::Rejected(_)), "{error}");
    assert!(sink.requests()[0].headers["authorization"].starts_with("Basic "));
}
