//! What is out of order becomes an alert, once, and the alert goes when it is in order again.

use std::time::Duration;

use crate::deliveries::{configure, hook, mailing};
use crate::kit::{Place, ask_for, backup, ended, fire, nightly, row, start};
use backup_core::alert::{AlertKind, AlertSeverity, NewAlert};
use backup_core::config::BackupConfig;
use backup_core::schedule::{Schedule, VerifyPolicy, VerifyWhen};
use backup_core::{BackupSource, JobStatus, NewBackup};
use backup_db::{BackupOutcome, CompletedBackup};
use backup_engine::{Engine, MissingKeys, Watch};
use backup_storage::StorageSettings;
use backup_tests::azurite::Azurite;
use backup_tests::http_sink::HttpSink;
use backup_tests::postgres::Postgres;
use backup_tests::smtp::{SmtpServer, Tls};
use chrono::TimeDelta;

async fn open(engine: &Engine, kind: AlertKind) -> Vec<AlertSeverity> {
    let alerts = engine.store.open_alerts(kind).await.unwrap();
    alerts.into_iter().map(|alert| alert.severity).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_runs_out_is_an_alert_until_there_is_room_again() {
    let mut place = Place::new();
    place.quota_bytes = Some(4 << 20);
    let engine = place.engine().await;
    let mut watch = Watch::new(engine.clone(), "this process");
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::StorageUsage).await, []);
    // Three mebibytes that do not compress are more than 75 % of it, and two backups more than all.
    backup(&engine, BackupSource::Files).await;
    let second = backup(&engine, BackupSource::Files).await;
    watch.look().await.unwrap();
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::StorageUsage).await, [AlertSeverity::Critical]);
    engine.delete_backup(second.id, false).await.unwrap();
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::StorageUsage).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_does_not_answer_twice_is_an_alert_until_it_answers() {
    let place = Place::new();
    let engine = place.engine().await;
    let mut watch = Watch::new(engine.clone(), "this process");
    let (here, away) = (place.path("storage"), place.path("away"));
    watch.look().await.unwrap();
    std::fs::rename(&here, &away).unwrap();
    std::fs::write(&here, "no folder").unwrap();
    watch.look().await.unwrap();
    assert_eq!(
        open(&engine, AlertKind::StorageUnreachable).await,
        [],
        "once may be nothing"
    );
    watch.look().await.unwrap();
    assert_eq!(
        open(&engine, AlertKind::StorageUnreachable).await,
        [AlertSeverity::Critical]
    );
    std::fs::remove_file(&here).unwrap();
    std::fs::rename(&away, &here).unwrap();
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::StorageUnreachable).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_is_away_at_the_start_is_an_alert_and_holds_up_no_other() {
    let azurite = Azurite::start();
    azurite.kill9();
    let mut place = Place::new();
    place.storage = StorageSettings {
        connection_string: Some(azurite.connection_string().into()),
        container: azurite.new_container(),
        open_timeout: Duration::from_secs(4),
        ..StorageSettings::new("")
    };
    let engine = place.engine_at_start().await;
    let mut watch = Watch::new(engine.clone(), "this process");
    for _ in 0..2 {
        watch.look().await.unwrap();
    }
    let alerts = engine.store.open_alerts(AlertKind::StorageUnreachable).await.unwrap();
    let subjects: Vec<&str> = alerts.iter().map(|alert| alert.subject.as_str()).collect();
    assert_eq!(subjects, ["default"]);
    assert!(alerts[0].message.contains("refused"), "{}", alerts[0].message);
    let own = place.path("shop-storage");
    std::fs::create_dir(&own).unwrap();
    let mut shop = BackupConfig::defaults("shop", engine.clock.now());
    shop.storage_url = Some(format!("file://{}", own.display()));
    engine.store.put_config(&shop).await.unwrap();
    let made = ask_for(&engine, "shop", BackupSource::Files).await;
    let worker = start(&engine);
    assert_eq!(ended(&engine, made).await.status, JobStatus::Completed);
    worker.stop().await;

    azurite.restart();
    backup(&engine, BackupSource::Files).await;
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::StorageUnreachable).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_kept_backups_need_is_missed() {
    let mut place = Place::new();
    backup(&place.engine().await, BackupSource::Files).await;
    place.passphrase = "another passphrase by mistake";
    let engine = place.engine().await;
    Watch::new(engine.clone(), "this process").look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::KeyMissing).await, [AlertSeverity::Critical]);
    place.passphrase = "correct horse battery staple";
    let engine = place.engine().await;
    Watch::new(engine.clone(), "this process").look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::KeyMissing).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_keys_open_no_newest_backup_is_noticed() {
    let mut place = Place::new();
    let engine = place.engine().await;
    let missing = async |engine: &Engine| engine.missing_keys(&engine.store).await.unwrap();
    assert_eq!(missing(&engine).await, None, "there is nothing to be opened");
    let made = backup(&engine, BackupSource::Files).await;
    assert_eq!(missing(&engine).await, None);
    place.passphrase = "another passphrase by mistake";
    let needed = MissingKeys {
        backups: 1,
        fingerprints: vec![made.key_fingerprint.unwrap()],
    };
    assert_eq!(missing(&place.engine().await).await, Some(needed));
    place.previous = vec!["correct horse battery staple"];
    assert_eq!(missing(&place.engine().await).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_backups_are_missed_that_were_not_written_down_with_them() {
    let mut place = Place::new();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Files).await;
    let receipt = engine.repository().find(made.id).await.unwrap();
    // The same backup in a catalog of a version that wrote no keys down.
    place.catalog = format!("sqlite://{}", place.path("old.db").display());
    place.passphrase = "another passphrase by mistake";
    let engine = place.engine().await;
    let store = &engine.store;
    let asked = NewBackup {
        id: made.id,
        config_key: made.config_key,
        backup_type: made.backup_type,
        source: made.source,
        trigger: made.trigger,
        description: None,
        created_by: None,
        schedule_id: None,
    };
    store.create_backup(asked).await.unwrap();
    let claimed = store.claim_job("a worker", Duration::from_mins(1), 3, None).await;
    let done = CompletedBackup {
        key_fingerprint: None,
        ..CompletedBackup::from(&receipt)
    };
    store
        .finish_backup(
            &claimed.unwrap().unwrap().lease,
            BackupOutcome::Completed(Box::new(done)),
        )
        .await
        .unwrap();

    engine.reconcile().await.unwrap();
    Watch::new(engine.clone(), "this process").look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::KeyMissing).await, [AlertSeverity::Critical]);
    assert_eq!(
        row(&engine, made.id).await.key_fingerprint,
        Some(receipt.archive.key_fingerprint)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_that_nobody_verifies_are_an_alert_after_a_month() {
    let place = Place::new();
    let engine = place.engine().await;
    let mut watch = Watch::new(engine.clone(), "this process");
    backup(&engine, BackupSource::Files).await;
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::VerificationOverdue).await, []);
    place.clock.advance(TimeDelta::days(31));
    watch.look().await.unwrap();
    assert_eq!(
        open(&engine, AlertKind::VerificationOverdue).await,
        [AlertSeverity::Warning]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_drill_is_an_alert_whatever_the_schedule_is_called() {
    let place = Place::new();
    let engine = place.engine().await;
    let mut watch = Watch::new(engine.clone(), "this process");
    let schedule = nightly(&engine, |schedule| schedule.verification.when = VerifyWhen::Weekly).await;
    place.clock.advance(TimeDelta::days(11));
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::DrillOverdue).await, [AlertSeverity::Warning]);
    let renamed = Schedule {
        name: "renamed".to_owned(),
        ..schedule.clone()
    };
    let schedule = engine.store.update_schedule(&schedule, renamed).await.unwrap();
    place.clock.advance(TimeDelta::hours(2));
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::DrillOverdue).await, [AlertSeverity::Warning]);
    // Nobody is promised one any more.
    let undrilled = Schedule {
        verification: VerifyPolicy::default(),
        ..schedule.clone()
    };
    engine.store.update_schedule(&schedule, undrilled).await.unwrap();
    place.clock.advance(TimeDelta::hours(2));
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::DrillOverdue).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_nobody_fires_is_an_alert_until_it_fires_on_time() {
    let place = Place::new();
    let engine = place.engine().await;
    let mut watch = Watch::new(engine.clone(), "this process");
    let schedule = nightly(&engine, |_| ()).await;
    place.clock.set(schedule.next_run_at.unwrap() + TimeDelta::minutes(4));
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::ScheduleMissed).await, []);
    place.clock.advance(TimeDelta::minutes(2));
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::ScheduleMissed).await, [AlertSeverity::Warning]);
    // Late, it is caught up; the next night it is on time.
    let fired = engine.store.fire_due_schedules(10).await.unwrap();
    assert_eq!(fired.len(), 1);
    engine
        .store
        .cancel_backup(fired[0].backup.as_ref().unwrap().id)
        .await
        .unwrap();
    assert_eq!(open(&engine, AlertKind::ScheduleMissed).await.len(), 1);
    assert_eq!(fire(&place, &engine).await.status, JobStatus::Completed);
    assert_eq!(open(&engine, AlertKind::ScheduleMissed).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_catalog_is_told_also_where_it_goes_again_at_once() {
    let catalog = Postgres::shared().create_database("catalog");
    let mut place = Place::new();
    place.catalog = catalog.url();
    let engine = place.engine().await;
    let mut watch = Watch::new(engine.clone(), "this process");
    // What a catalog says that cannot be written to now.
    catalog.psql(
        "CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql \
         AS $$ BEGIN RAISE EXCEPTION 'No space left on device'; END $$",
    );
    let goes_away_for = |table: &str| {
        catalog.psql(&format!(
            "CREATE TRIGGER away BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION away()"
        ));
    };
    let comes_back_for = |table: &str| catalog.psql(&format!("DROP TRIGGER away ON {table}"));
    goes_away_for("turns");
    watch.look().await.unwrap_err();
    comes_back_for("turns");
    place.clock.advance(TimeDelta::minutes(1));
    goes_away_for("alerts");
    watch.look().await.unwrap_err();
    comes_back_for("alerts");
    watch.look().await.unwrap();
    watch.look().await.unwrap();
    let told = engine.store.list_alerts(true, 10).await.unwrap();
    let mut outages = told.iter().filter(|alert| alert.kind == AlertKind::CatalogUnreachable);
    assert!(
        outages.next().is_some_and(|alert| alert.resolved_at.is_some()),
        "{told:?}"
    );
    assert!(outages.next().is_none(), "it is told once: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_without_a_mail_server_are_an_alert_until_there_is_one() {
    let (place, server, sink) = (Place::new(), SmtpServer::start(Tls::StartTls, None), HttpSink::start());
    let engine = place.engine().await;
    let webhook = hook(&engine, &sink);
    configure(&engine, |config| {
        config.notification_emails = vec!["ops@example.org".into()];
        config.webhooks = vec![webhook];
    })
    .await;
    let mut watch = Watch::new(engine.clone(), "this process");
    let alert = NewAlert::new(AlertKind::OrphansFound, "default", "something");
    engine.store.raise_alert(alert).await.unwrap();
    assert_eq!(engine.deliver_notifications().await.unwrap(), 1, "the webhook's");
    for (minutes, expected) in [(14, vec![]), (1, vec![]), (1, vec![AlertSeverity::Warning])] {
        place.clock.advance(TimeDelta::minutes(minutes));
        watch.look().await.unwrap();
        assert_eq!(open(&engine, AlertKind::NotificationFailed).await, expected);
    }
    let alert = engine.store.open_alerts(AlertKind::NotificationFailed).await.unwrap();
    assert_eq!(alert[0].details["target"], "ops@example.org");
    assert!(alert[0].details["error"].contains("SMTP_URL"), "{alert:?}");
    let told = async |engine: &Engine, event: &str| {
        engine.deliver_notifications().await.unwrap();
        let told = sink.requests().pop().unwrap().json();
        assert_eq!(told["event"], event, "{told:#}");
        assert_eq!(told["alert"]["kind"], "NOTIFICATION_FAILED", "{told:#}");
    };
    told(&engine, "alert.raised").await;
    watch.look().await.unwrap();
    assert_eq!(engine.deliver_notifications().await.unwrap(), 0, "once");

    let engine = mailing(place.engine().await, &server);
    told(&engine, "alert.resolved").await;
    assert_eq!(server.received().len(), 1, "what waited, and nothing about it");
    watch.look().await.unwrap();
    assert_eq!(open(&engine, AlertKind::NotificationFailed).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_that_the_catalog_does_not_know_are_an_alert_until_it_does() {
    let mut place = Place::new();
    let made = backup(&place.engine().await, BackupSource::Files).await;
    // Another catalog on the same storage, as after the loss of the first.
    place.catalog = format!("sqlite://{}", place.path("other.db").display());
    let engine = place.engine().await;
    engine.reconcile().await.unwrap();
    assert_eq!(open(&engine, AlertKind::OrphansFound).await, [AlertSeverity::Warning]);
    engine.adopt_orphan(made.id).await.unwrap();
    engine.reconcile().await.unwrap();
    assert_eq!(open(&engine, AlertKind::OrphansFound).await, []);
}
