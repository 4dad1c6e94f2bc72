//! What is wrong is said once, to those who are to hear it, and taken back when it is over.

use backup_core::alert::CONFIG_DETAIL;
use backup_core::config::BackupConfig;
use backup_core::notification::Report;
use backup_core::{Alert, AlertKind, AlertSeverity, AlertState, NewAlert};
use backup_db::Error;
use chrono::TimeDelta;

use crate::fixture::{Catalog, on_both, start};

on_both!(
    an_alert_is_open_once,
    those_of_its_configuration_are_told_that_it_is_and_that_it_is_over,
    worse_is_told_again_and_better_is_not,
    what_is_only_worth_knowing_is_told_to_nobody,
    settling_raises_what_is_and_resolves_what_is_over,
    a_kind_of_a_newer_version_hides_no_other_alert,
);

fn usage(subject: &str, severity: AlertSeverity) -> NewAlert {
    NewAlert::new(AlertKind::StorageUsage, subject, format!("{subject} is {severity}"))
        .severity(severity)
        .with(CONFIG_DETAIL, subject)
        .with("percent", 80)
}

async fn told(catalog: &Catalog) -> BackupConfig {
    let config = |key: &str| BackupConfig {
        notification_emails: vec![format!("{key}@example.org")],
        ..BackupConfig::defaults(key, start())
    };
    catalog.store.put_config(&config("shop")).await.unwrap();
    catalog.store.put_config(&config("default")).await.unwrap()
}

/// To whom, and whether it is over; oldest first where the clock went on in between.
async fn messages(catalog: &Catalog) -> Vec<(String, bool)> {
    let mut all = catalog.store.list_notifications(100).await.unwrap();
    all.reverse();
    all.into_iter().map(|one| (one.target, one.report.is_good())).collect()
}

async fn open(catalog: &Catalog) -> Vec<Alert> {
    catalog.store.list_alerts(false, 10).await.unwrap()
}

async fn an_alert_is_open_once(catalog: Catalog) {
    let store = &catalog.store;
    let given = usage("default", AlertSeverity::Warning);
    let first = store.raise_alert(given.clone()).await.unwrap();
    assert!(first.is_new);
    assert_eq!(first.alert.details, given.details);
    catalog.advance(1);
    let before = store.last_event_seq().await.unwrap();
    let same = store.raise_alert(given).await.unwrap();
    assert_eq!((same.alert, same.is_new), (first.alert.clone(), false));
    assert_eq!(store.last_event_seq().await.unwrap(), before, "no news");
    let worse = usage("default", AlertSeverity::Critical).with("percent", 95);
    let again = store.raise_alert(worse.clone()).await.unwrap();
    assert!(!again.is_new);
    let expected = Alert {
        severity: worse.severity,
        message: worse.message,
        details: worse.details,
        ..first.alert.clone()
    };
    assert_eq!(again.alert, expected, "it says how things are now, and since when");
    assert_eq!(open(&catalog).await, [expected]);

    let other = NewAlert::new(AlertKind::KeyMissing, "default", "gone");
    let other = store.raise_alert(other).await.unwrap().alert.id;
    catalog.advance(1);
    let acknowledged = store.acknowledge_alert(first.alert.id).await.unwrap();
    assert_eq!(acknowledged.acknowledged_at, Some(start() + TimeDelta::seconds(2)));
    assert_eq!(
        store.get_alert(first.alert.id).await.unwrap(),
        Some(acknowledged.clone())
    );
    catalog.advance(1);
    assert_eq!(store.acknowledge_alert(first.alert.id).await.unwrap(), acknowledged);
    let resolved = store.resolve_alert(AlertKind::StorageUsage, "default").await.unwrap();
    assert_eq!(resolved.unwrap().resolved_at, Some(start() + TimeDelta::seconds(3)));
    let resolved = store.resolve_alert(AlertKind::StorageUsage, "default").await.unwrap();
    assert_eq!(resolved, None);
    let ids: Vec<_> = open(&catalog).await.iter().map(|alert| alert.id).collect();
    assert_eq!(ids, [other]);
    assert_eq!(store.list_alerts(true, 10).await.unwrap().len(), 2);
    let page = async |state, offset| {
        let (alerts, total) = store.alert_page(state, 1, offset).await.unwrap();
        (alerts.len(), total)
    };
    assert_eq!(page(AlertState::All, 1).await, (1, 2));
    assert_eq!(page(AlertState::All, 2).await, (0, 2));
    assert_eq!(page(AlertState::Open, 0).await, (1, 1));
    let anew = store
        .raise_alert(usage("default", AlertSeverity::Warning))
        .await
        .unwrap();
    assert!(anew.is_new);
    assert_eq!(anew.alert.acknowledged_at, None);
    assert!(matches!(
        store.acknowledge_alert(catalog.id()).await,
        Err(Error::NotFound { .. })
    ));
}

async fn those_of_its_configuration_are_told_that_it_is_and_that_it_is_over(catalog: Catalog) {
    told(&catalog).await;
    let store = &catalog.store;
    let alert = store
        .raise_alert(usage("shop", AlertSeverity::Warning))
        .await
        .unwrap()
        .alert;
    for _ in 0..3 {
        catalog.advance(60);
        store.raise_alert(usage("shop", AlertSeverity::Warning)).await.unwrap();
    }
    store.resolve_alert(AlertKind::StorageUsage, "shop").await.unwrap();
    let shop = |over| ("shop@example.org".to_owned(), over);
    assert_eq!(messages(&catalog).await, [shop(false), shop(true)]);
    let newest = catalog.store.list_notifications(1).await.unwrap().remove(0);
    let Report::Alert(report) = newest.report else {
        panic!("{:?}", newest.report);
    };
    assert_eq!(
        (
            report.kind,
            report.subject.as_str(),
            report.raised_at,
            report.resolved_at
        ),
        (
            AlertKind::StorageUsage,
            "shop",
            alert.raised_at,
            Some(start() + TimeDelta::seconds(180))
        )
    );
    assert_eq!(report.details["percent"], "80");
    // What belongs to no configuration is told to the people of all.
    catalog.advance(60);
    let catalog_away = NewAlert::new(AlertKind::CatalogUnreachable, "", "away");
    store.raise_alert(catalog_away).await.unwrap();
    let default = ("default@example.org".to_owned(), false);
    assert_eq!(messages(&catalog).await[2..], [default, shop(false)]);
    // Who does not want to hear of bad things does not.
    let quiet = BackupConfig {
        notify_on_failure: false,
        notify_on_success: true,
        ..told(&catalog).await
    };
    store.put_config(&quiet).await.unwrap();
    store.resolve_alert(AlertKind::CatalogUnreachable, "").await.unwrap();
    assert_eq!(messages(&catalog).await[4..], [shop(true)]);
}

async fn worse_is_told_again_and_better_is_not(catalog: Catalog) {
    told(&catalog).await;
    let mut counts = Vec::new();
    for severity in [
        AlertSeverity::Warning,
        AlertSeverity::Critical,
        AlertSeverity::Warning,
        AlertSeverity::Warning,
        AlertSeverity::Critical,
    ] {
        let alert = usage("default", severity);
        catalog.store.raise_alert(alert).await.unwrap();
        counts.push(messages(&catalog).await.len());
    }
    assert_eq!(counts, [1, 2, 2, 2, 3]);
}

async fn what_is_only_worth_knowing_is_told_to_nobody(catalog: Catalog) {
    told(&catalog).await;
    let alert = usage("default", AlertSeverity::Info);
    catalog.store.raise_alert(alert).await.unwrap();
    assert_eq!(open(&catalog).await.len(), 1, "it can be seen");
    catalog
        .store
        .resolve_alert(AlertKind::StorageUsage, "default")
        .await
        .unwrap();
    assert_eq!(messages(&catalog).await, []);
}

async fn settling_raises_what_is_and_resolves_what_is_over(catalog: Catalog) {
    told(&catalog).await;
    let store = &catalog.store;
    let warn = |subject| usage(subject, AlertSeverity::Warning);
    let other = NewAlert::new(AlertKind::OrphansFound, "a", "of another kind");
    store.raise_alert(other).await.unwrap();
    let settle = async |now: &'static [&'static str], judged: &'static [&'static str]| {
        let now = now.iter().map(|subject| warn(subject)).collect();
        let judged = move |alert: &Alert| judged.contains(&alert.subject.as_str());
        store.settle_alerts(AlertKind::StorageUsage, now, judged).await.unwrap();
        let mut subjects: Vec<String> = store
            .open_alerts(AlertKind::StorageUsage)
            .await
            .unwrap()
            .into_iter()
            .map(|alert| alert.subject)
            .collect();
        subjects.sort();
        subjects
    };
    assert_eq!(settle(&["a", "b", "c"], &["a", "b", "c"]).await, ["a", "b", "c"]);
    let events = store.last_event_seq().await.unwrap();
    assert_eq!(settle(&["a", "b", "c"], &["a", "b", "c"]).await, ["a", "b", "c"]);
    assert_eq!(store.last_event_seq().await.unwrap(), events, "no news");
    // Of b nothing is known at the moment: what was wrong with it still is.
    assert_eq!(settle(&["a"], &["a", "c"]).await, ["a", "b"]);
    assert_eq!(settle(&[], &["a", "b", "c"]).await, Vec::<String>::new());
    assert_eq!(store.open_alerts(AlertKind::OrphansFound).await.unwrap().len(), 1);
}

async fn a_kind_of_a_newer_version_hides_no_other_alert(catalog: Catalog) {
    let store = &catalog.store;
    let warn = |subject| usage(subject, AlertSeverity::Warning);
    let known = store.raise_alert(warn("a")).await.unwrap().alert;
    catalog.advance(1);
    let newer = store.raise_alert(warn("b")).await.unwrap().alert.id;
    // As a newer version wrote it, before this one was brought back.
    catalog
        .sql(&format!("UPDATE alerts SET kind = 'MOON_FULL' WHERE id = '{newer}'"))
        .unwrap();
    assert_eq!(open(&catalog).await, std::slice::from_ref(&known));
    for state in [AlertState::Open, AlertState::All] {
        let page = store.alert_page(state, 1, 0).await.unwrap();
        assert_eq!(page, (vec![known.clone()], 1), "{state}");
    }
    assert_eq!(store.monitor().await.unwrap().open_alerts, 1, "as many as are listed");
    assert_eq!(store.get_alert(newer).await.unwrap(), None);
    let acknowledged = store.acknowledge_alert(newer).await;
    assert!(matches!(acknowledged, Err(Error::NotFound { .. })), "{acknowledged:?}");
    // The newer version may come again: the row stays.
    catalog
        .sql(&format!(
            "UPDATE alerts SET kind = 'STORAGE_USAGE' WHERE id = '{newer}'"
        ))
        .unwrap();
    assert_eq!(open(&catalog).await.len(), 2);
}
