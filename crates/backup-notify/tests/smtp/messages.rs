use backup_notify::{Error, Language, templates};
use backup_tests::smtp::{SmtpServer, Tls};

use crate::{LOG_IN, PASSWORD, USER, mailer, message, now, settings, to, trusting};

#[tokio::test]
async fn what_arrives_is_what_was_sent() {
    let server = SmtpServer::start(Tls::None, None);
    let mailer = mailer(settings("smtp://127.0.0.1:PORT", server.port()));
    let recipients = to(&["值班人員 <ops@example.org>", "second@example.net"]);
    for language in Language::ALL {
        let sent = templates::test(*language, Some("https://backup.example/"), now());
        mailer.send(&recipients, &sent).await.unwrap();
        let received = server.received().pop().unwrap();
        assert_eq!(received.headers["subject"], sent.subject);
        assert_eq!(received.text, sent.text);
        assert_eq!(received.html, sent.html);
        assert_eq!(received.sender, "backup@example.org");
        assert_eq!(received.recipients, ["ops@example.org", "second@example.net"]);
        assert_eq!(received.headers["from"], "備份系統 <backup@example.org>");
        assert_eq!(received.headers["to"], "值班人員 <ops@example.org>, second@example.net");
        assert_eq!(received.headers["date"], "Thu, 26 Nov 2026 06:07:08 +0000");
        assert_eq!(received.headers["auto-submitted"], "auto-generated");
        assert!(
            received.headers["message-id"].ends_with("@example.org>"),
            "{received:?}"
        );
        assert!(
            received.ascii && !received.encrypted && !received.logged_in,
            "{received:?}"
        );
    }
    let received = server.received();
    assert_eq!(received.len(), 2);
    assert!(
        received[0].text.contains("備份系統「https://backup.example/」"),
        "{received:?}"
    );
    assert_ne!(received[0].headers["message-id"], received[1].headers["message-id"]);
}

#[tokio::test]
async fn one_that_is_sent_again_has_the_same_identifier() {
    let server = SmtpServer::start(Tls::None, None);
    let mailer = mailer(settings("smtp://127.0.0.1:PORT", server.port()));
    let id = "0198c1d2-1111-7000-8000-000000000000";
    for _ in 0..2 {
        mailer.send_as(id, &to(&["ops@example.org"]), &message()).await.unwrap();
    }
    let received = server.received();
    assert_eq!(received.len(), 2);
    for one in received {
        assert_eq!(one.headers["message-id"], format!("<{id}@example.org>"));
        assert_eq!(one.text, message().text);
    }
}

#[tokio::test]
async fn it_logs_in_encrypted_where_it_can() {
    for (tls, scheme) in [(Tls::StartTls, "smtp"), (Tls::Implicit, "smtps")] {
        let server = SmtpServer::start(tls, Some((USER, PASSWORD)));
        let mailer = mailer(trusting(&format!("{scheme}://{LOG_IN}localhost:PORT"), &server));
        mailer.send(&to(&["ops@example.org"]), &message()).await.unwrap();
        let received = server.received();
        assert!(
            received.len() == 1 && received[0].encrypted && received[0].logged_in,
            "{received:?}"
        );
        assert_eq!(received[0].headers["subject"], message().subject);
    }
}

#[tokio::test]
async fn without_encryption_it_logs_in_on_this_machine_alone() {
    let server = SmtpServer::start(Tls::None, Some((USER, PASSWORD)));
    let mailer = mailer(settings(&format!("smtp://{LOG_IN}127.0.0.1:PORT"), server.port()));
    mailer.send(&to(&["ops@example.org"]), &message()).await.unwrap();
    let received = server.received();
    assert!(
        received.len() == 1 && received[0].logged_in && !received[0].encrypted,
        "{received:?}"
    );
}

#[tokio::test]
async fn whom_the_server_refuses_costs_the_others_nothing() {
    let server = SmtpServer::start(Tls::None, None);
    let mailer = mailer(settings("smtp://127.0.0.1:PORT", server.port()));
    let recipients = to(&["refused@example.org", "no address", "good@example.org"]);
    let error = mailer.send(&recipients, &message()).await.unwrap_err();
    assert!(matches!(error, Error::Rejected(_)), "{error}");
    assert_eq!(error.undelivered(), ["no address", "refused@example.org"]);
    assert!(
        error.message().contains("refused@example.org: 550 5.1.1 no such user"),
        "{error}"
    );
    assert_eq!(server.received().pop().unwrap().recipients, ["good@example.org"]);

    let recipients = to(&["busy@example.org", "good@example.org"]);
    let error = mailer.send(&recipients, &message()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert_eq!(error.undelivered(), ["busy@example.org"]);
    assert_eq!(server.received().len(), 2);

    for nobody in [&["refused@example.org"][..], &["no address"], &[]] {
        let error = mailer.send(&to(nobody), &message()).await.unwrap_err();
        assert!(matches!(error, Error::Rejected(_) | Error::Refused(_)), "{error}");
    }
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn an_address_may_be_written_in_chinese() {
    let server = SmtpServer::start(Tls::None, None);
    let mailer = mailer(settings("smtp://127.0.0.1:PORT", server.port()));
    mailer.send(&to(&["值班@example.org"]), &message()).await.unwrap();
    assert_eq!(server.received().pop().unwrap().recipients, ["值班@example.org"]);
}
