//! What people are told of backups and alerts: it arrives, by mail and by webhook, whatever dies in between, and once it
//! cannot arrive they see that.

use crate::kit::{Place, fire, nightly};
use backup_core::alert::{AlertKind, NewAlert};
use backup_core::config::BackupConfig;
use backup_core::notification::{Channel, NotificationStatus, Webhook, WebhookPreset};
use backup_core::{JobStatus, Language};
use backup_engine::{Engine, Mailer};
use backup_notify::smtp::SmtpSettings;
use backup_tests::http_sink::{HttpSink, Reply};
use backup_tests::smtp::{SmtpServer, Tls};
use chrono::TimeDelta;

pub(crate) async fn configure(engine: &Engine, change: impl FnOnce(&mut BackupConfig)) {
    let mut config = BackupConfig::defaults("default", engine.clock.now());
    change(&mut config);
    engine.store.put_config(&config).await.unwrap();
}

pub(crate) fn hook(engine: &Engine, sink: &HttpSink) -> Webhook {
    Webhook {
        name: "hook".into(),
        preset: WebhookPreset::Generic,
        url: engine.seal(&sink.url("/secret-path")).unwrap(),
        template: None,
        on_success: true,
        on_failure: true,
    }
}

pub(crate) fn mailing(engine: Engine, server: &SmtpServer) -> Engine {
    let url = format!("smtp://localhost:{}", server.port());
    let settings = SmtpSettings::parse(
        &url.as_str().into(),
        "Backup <backup@example.org>",
        Some(server.ca_file()),
    )
    .unwrap();
    let mailer = Mailer::new(settings, engine.clock.clone(), engine.random.clone()).unwrap();
    engine
        .with_mailer(Some(mailer))
        .with_installation(Some("https://backup.example.org/".into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_told_by_mail_and_webhook_with_its_size_and_what_comes_next() {
    let (place, server, sink) = (Place::new(), SmtpServer::start(Tls::StartTls, None), HttpSink::start());
    let engine = mailing(place.engine().await, &server);
    let webhook = hook(&engine, &sink);
    configure(&engine, |config| {
        config.notify_on_success = true;
        config.notification_emails = vec!["ops@example.org".into()];
        config.notification_language = Language::En;
        config.webhooks = vec![webhook];
    })
    .await;
    nightly(&engine, |schedule| schedule.name = "every night".into()).await;
    let backup = fire(&place, &engine).await;
    assert_eq!(backup.status, JobStatus::Completed);
    engine.deliver_notifications().await.unwrap();

    let mail = server.received().pop().unwrap();
    assert_eq!(mail.recipients, ["ops@example.org"]);
    let outbox = engine.store.list_notifications(10).await.unwrap();
    let written = outbox.iter().find(|one| one.channel == Channel::Email).unwrap();
    assert_eq!(mail.headers["message-id"], format!("<{}@example.org>", written.id));
    for expected in [
        &backup.name,
        "every night",
        "MiB",
        "2026-11-20 02:00",
        "https://backup.example.org/",
    ] {
        assert!(mail.text.contains(expected), "{expected}: {}", mail.text);
        assert!(mail.html.contains(expected), "{expected}: {}", mail.html);
    }
    let told = sink.requests().pop().unwrap().json();
    assert_eq!(told["event"], "backup.completed", "{told:#}");
    assert_eq!(told["backup"]["id"], backup.id.to_string(), "{told:#}");
    assert_eq!(told["backup"]["sizeBytes"], backup.size_bytes.unwrap(), "{told:#}");
    // What was delivered is not delivered again.
    assert_eq!(engine.deliver_notifications().await.unwrap(), 0);
    assert_eq!((server.received().len(), sink.requests().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_taken_is_tried_again_by_whoever_comes_after() {
    let (place, sink) = (Place::new(), HttpSink::start());
    let engine = place.engine().await;
    let webhook = hook(&engine, &sink);
    configure(&engine, |config| config.webhooks = vec![webhook]).await;
    std::fs::remove_dir_all(place.uploads()).unwrap();
    nightly(&engine, |_| ()).await;
    sink.reply(Reply::status(503));
    assert_eq!(fire(&place, &engine).await.status, JobStatus::Failed);
    engine.deliver_notifications().await.unwrap();
    drop(engine);

    let later = place.engine().await;
    assert_eq!(
        later.deliver_notifications().await.unwrap(),
        0,
        "not before its pause is over"
    );
    place.clock.advance(TimeDelta::minutes(2));
    sink.reply(Reply::status(204));
    assert_eq!(later.deliver_notifications().await.unwrap(), 1);
    let tries = sink.requests();
    let key = |index: usize| tries[index].headers["idempotency-key"].clone();
    assert_eq!(
        key(0),
        key(tries.len() - 1),
        "a receiver can tell that it is the same message"
    );
    let told = tries.last().unwrap().json();
    assert_eq!(told["event"], "backup.failed", "{told:#}");
    assert!(
        told["backup"]["error"].as_str().unwrap().contains("uploads"),
        "{told:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_does_not_work_is_an_alert_until_it_works() {
    let (place, sink) = (Place::new(), HttpSink::start());
    let engine = place.engine().await;
    let webhook = hook(&engine, &sink);
    configure(&engine, |config| config.webhooks = vec![webhook]).await;
    sink.reply(Reply::status(404));
    let alert = |subject: &str| NewAlert::new(AlertKind::OrphansFound, subject, "something");
    engine.store.raise_alert(alert("one")).await.unwrap();
    for _ in 0..10 {
        engine.deliver_notifications().await.unwrap();
        place.clock.advance(TimeDelta::hours(1));
    }
    assert_eq!(
        sink.requests().len(),
        7,
        "it is tried for an hour, with pauses that grow"
    );
    let open = engine.store.open_alerts(AlertKind::NotificationFailed).await.unwrap();
    assert_eq!(open.len(), 1, "{open:#?}");
    assert!(
        !format!("{open:?}").contains("secret-path"),
        "an address is a credential: {open:?}"
    );
    let failed = engine.store.list_notifications(10).await.unwrap();
    assert_eq!(
        (failed[0].status, failed[0].channel),
        (NotificationStatus::Failed, Channel::Webhook)
    );

    sink.reply(Reply::status(200));
    engine.store.raise_alert(alert("two")).await.unwrap();
    engine.deliver_notifications().await.unwrap();
    assert_eq!(
        engine.store.open_alerts(AlertKind::NotificationFailed).await.unwrap(),
        []
    );
    let told = sink.requests().pop().unwrap().json();
    assert_eq!(told["event"], "alert.resolved", "who missed one hears of it: {told:#}");
    assert_eq!(told["alert"]["kind"], "NOTIFICATION_FAILED", "{told:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_by_a_receiver_that_refused_it_for_a_while() {
    let (place, sink) = (Place::new(), HttpSink::start());
    let engine = place.engine().await;
    let webhook = hook(&engine, &sink);
    configure(&engine, |config| config.webhooks = vec![webhook]).await;
    std::fs::remove_dir_all(place.uploads()).unwrap();
    nightly(&engine, |_| ()).await;
    sink.reply(Reply::status(404));
    assert_eq!(fire(&place, &engine).await.status, JobStatus::Failed);
    engine.deliver_notifications().await.unwrap();
    // As after a restart of what stands before the receiver.
    place.clock.advance(TimeDelta::minutes(2));
    sink.reply(Reply::status(200));
    assert_eq!(engine.deliver_notifications().await.unwrap(), 1);
    let told = sink.requests().pop().unwrap().json();
    assert_eq!(told["event"], "backup.failed", "{told:#}");
    assert_eq!(
        engine.store.open_alerts(AlertKind::NotificationFailed).await.unwrap(),
        []
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_given_up_after_a_day_and_mail_without_a_server_too() {
    let (place, sink) = (Place::new(), HttpSink::start());
    let engine = place.engine().await;
    let webhook = hook(&engine, &sink);
    configure(&engine, |config| {
        config.webhooks = vec![webhook];
        config.notification_emails = vec!["ops@example.org".into()];
    })
    .await;
    sink.reply(Reply::status(500));
    let alert = NewAlert::new(AlertKind::OrphansFound, "one", "something");
    engine.store.raise_alert(alert).await.unwrap();
    // That the e-mail is given up after two days, the webhook does not take for a day either.
    for _ in 0..80 {
        engine.deliver_notifications().await.unwrap();
        place.clock.advance(TimeDelta::hours(1));
    }
    let all = engine.store.list_notifications(10).await.unwrap();
    assert!(
        all.iter().all(|one| one.status == NotificationStatus::Failed),
        "{all:#?}"
    );
    let requests = sink.requests();
    let tries = requests
        .iter()
        .filter(|one| one.text().contains("ORPHANS_FOUND"))
        .count();
    assert!((25..=40).contains(&tries), "{tries} tries in a day");
    assert_eq!(
        engine
            .store
            .open_alerts(AlertKind::NotificationFailed)
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_longer_to_be_told_is_not_told() {
    let (place, sink) = (Place::new(), HttpSink::start());
    let engine = place.engine().await;
    let webhook = hook(&engine, &sink);
    configure(&engine, |config| config.webhooks = vec![webhook]).await;
    let alert = NewAlert::new(AlertKind::OrphansFound, "one", "something");
    engine.store.raise_alert(alert).await.unwrap();
    configure(&engine, |_| ()).await;
    engine.deliver_notifications().await.unwrap();
    assert_eq!(sink.requests().len(), 0);
    assert_eq!(
        engine.store.open_alerts(AlertKind::NotificationFailed).await.unwrap(),
        []
    );
}
