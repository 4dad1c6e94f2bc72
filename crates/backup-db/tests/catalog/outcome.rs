//! Whoever is to hear how a backup or a verification ended hears it, once.

use std::collections::HashSet;
use std::time::Duration;

use backup_core::config::{BackupConfig, SealedSecret};
use backup_core::list::BackupListOptions;
use backup_core::notification::{BackupReport, Report, Webhook, WebhookPreset};
use backup_core::user::Role;
use backup_core::{AlertKind, AlertSeverity, BackupId, BackupType, NotificationId, UserId, VerifyLevel};
use backup_db::{
    BACKUP_CANCEL, BackupOutcome, CancelResult, Finished, NewAuditEntry, NewUser, NewVerification, VerificationOutcome,
};
use chrono::TimeDelta;

use crate::fixture::{Catalog, backup_of, on_both, start};

on_both!(
    a_failure_is_an_alert_and_told_until_a_good_one_comes,
    the_flags_say_who_hears_what,
    saying_the_end_twice_tells_nothing_twice,
    who_cancels_is_told_nothing,
    who_cancels_what_a_schedule_asked_for_is_told_of,
    what_fails_unasked_by_a_schedule_is_its_configurations,
    what_nobody_took_up_is_told_too,
    a_verification_that_finds_something_is_an_alert_until_one_passes,
    nothing_is_wrong_any_more_with_a_backup_that_is_gone,
    a_receipt_that_turns_up_is_a_success_too,
    a_backup_is_named_and_found_by_the_type_that_it_was_made,
);

const HOUR: i64 = 3_600;

fn hook(name: &str, on_success: bool, on_failure: bool) -> Webhook {
    Webhook {
        name: name.to_owned(),
        preset: WebhookPreset::Generic,
        url: SealedSecret("sealed".to_owned()),
        template: None,
        on_success,
        on_failure,
    }
}

/// By e-mail of failures alone, by one webhook each of good and of bad things.
fn told() -> BackupConfig {
    BackupConfig {
        notify_on_success: false,
        notify_on_failure: true,
        notification_emails: vec!["a@example.org".to_owned(), "b@example.org".to_owned()],
        webhooks: vec![hook("good", true, false), hook("bad", false, true)],
        ..BackupConfig::defaults("default", start())
    }
}

const BAD: [&str; 3] = ["EMAIL a@example.org", "EMAIL b@example.org", "WEBHOOK bad"];
const GOOD: [&str; 1] = ["WEBHOOK good"];

/// The messages that were looked at.
type Seen = HashSet<NotificationId>;

/// Whom the messages go to that came since this was last asked, and what they tell.
async fn messages(catalog: &Catalog, seen: &mut Seen) -> (Vec<String>, Vec<Report>) {
    let mut new = catalog.store.list_notifications(1_000).await.unwrap();
    new.retain(|one| seen.insert(one.id));
    let mut targets: Vec<String> = new
        .iter()
        .map(|one| format!("{} {}", one.channel, one.target))
        .collect();
    targets.sort();
    (targets, new.into_iter().map(|one| one.report).collect())
}

fn backup_report(report: &Report) -> &BackupReport {
    match report {
        Report::Backup(report) => report,
        other @ Report::Alert(_) => panic!("{other:?}"),
    }
}

async fn a_failure_is_an_alert_and_told_until_a_good_one_comes(catalog: Catalog) {
    catalog.store.put_config(&told()).await.unwrap();
    let mut seen = Seen::new();
    let schedule = catalog.hourly().await;
    catalog.advance(HOUR);
    catalog.fire().await.unwrap();
    let id = catalog.end_next(Some("the disk is full")).await;
    let alert = catalog.open_alert(AlertKind::BackupFailed).await.unwrap();
    assert_eq!(
        (alert.subject.as_str(), alert.severity),
        (schedule.id.to_string().as_str(), AlertSeverity::Critical)
    );
    assert_eq!(
        (alert.details["schedule"].as_str(), alert.details["error"].as_str()),
        ("每小時", "the disk is full")
    );
    let (targets, reports) = messages(&catalog, &mut seen).await;
    assert_eq!(targets, BAD, "and the alert is no second message");
    let report = backup_report(&reports[0]);
    assert_eq!((report.id, report.is_good), (id, false));
    assert_eq!(report.error.as_deref(), Some("the disk is full"));
    assert_eq!(
        (report.schedule.as_deref(), report.next_run_at),
        (Some("每小時"), Some(start() + TimeDelta::hours(2)))
    );
    // It fails again: one alert, another message.
    catalog.advance(HOUR);
    catalog.fire().await.unwrap();
    catalog.end_next(Some("no")).await;
    assert_eq!(catalog.open_alert(AlertKind::BackupFailed).await.unwrap().id, alert.id);
    assert_eq!(messages(&catalog, &mut seen).await.0, BAD);
    assert_eq!(catalog.schedule(schedule.id).await.last_success_at, None);
    // A good one ends it.
    catalog.advance(HOUR);
    catalog.fire().await.unwrap();
    catalog.advance(60);
    let good = catalog.end_next(None).await;
    assert_eq!(catalog.open_alert(AlertKind::BackupFailed).await, None);
    let (targets, reports) = messages(&catalog, &mut seen).await;
    assert_eq!(targets, GOOD);
    let report = backup_report(&reports[0]);
    assert_eq!(
        (report.id, report.is_good, report.size_bytes),
        (good, true, Some(1_000))
    );
    let ended = start() + TimeDelta::seconds(3 * HOUR + 60);
    assert_eq!(catalog.schedule(schedule.id).await.last_success_at, Some(ended));
    assert_eq!(
        catalog.backup(good).await.expires_at,
        Some(start() + TimeDelta::seconds(3 * HOUR) + TimeDelta::days(30))
    );
    assert_eq!(catalog.backup(id).await.expires_at, None, "a failed one is no backup");
}

async fn the_flags_say_who_hears_what(catalog: Catalog) {
    let mut seen = Seen::new();
    for (on_success, on_failure, good, bad) in [
        (true, true, 2, 2),
        (true, false, 2, 0),
        (false, true, 0, 2),
        (false, false, 0, 0),
    ] {
        let config = BackupConfig {
            notify_on_success: on_success,
            notify_on_failure: on_failure,
            webhooks: vec![hook("both", on_success, on_failure)],
            notification_emails: vec!["a@example.org".to_owned()],
            ..told()
        };
        catalog.store.put_config(&config).await.unwrap();
        catalog.pending().await;
        catalog.end_next(None).await;
        assert_eq!(
            messages(&catalog, &mut seen).await.0.len(),
            good,
            "{on_success} {on_failure}"
        );
        catalog.pending().await;
        catalog.end_next(Some("no")).await;
        assert_eq!(
            messages(&catalog, &mut seen).await.0.len(),
            bad,
            "{on_success} {on_failure}"
        );
    }
}

async fn saying_the_end_twice_tells_nothing_twice(catalog: Catalog) {
    catalog.store.put_config(&told()).await.unwrap();
    let done = BackupOutcome::Completed(Box::new(catalog.results(1)));
    let failed = BackupOutcome::Failed {
        message: "no".to_owned(),
    };
    for (outcome, expected) in [(failed, BAD.len()), (done, GOOD.len())] {
        let mut seen = Seen::new();
        messages(&catalog, &mut seen).await;
        let (_, lease) = catalog.running().await;
        // The answer is lost on the way; the worker says it again, and so does it after a while.
        for finished in [Finished::Now, Finished::Before, Finished::Before] {
            assert_eq!(
                catalog.store.finish_backup(&lease, outcome.clone()).await.unwrap(),
                finished
            );
            catalog.advance(60);
        }
        assert_eq!(messages(&catalog, &mut seen).await.0.len(), expected);
    }
}

async fn who_cancels_is_told_nothing(catalog: Catalog) {
    catalog.store.put_config(&told()).await.unwrap();
    let waiting = catalog.pending().await.id;
    catalog.store.cancel_backup(waiting).await.unwrap();
    let (id, lease) = catalog.running().await;
    catalog.store.cancel_backup(id).await.unwrap();
    catalog
        .store
        .finish_backup(&lease, BackupOutcome::Cancelled)
        .await
        .unwrap();
    assert_eq!(messages(&catalog, &mut Seen::new()).await.0.len(), 0);
    assert_eq!(catalog.open_alert(AlertKind::BackupFailed).await, None);
}

async fn ann(catalog: &Catalog) -> UserId {
    let ann = NewUser {
        id: catalog.id(),
        email: "ann@example.org".to_owned(),
        display_name: "Ann".to_owned(),
        role: Role::Admin,
        password_hash: None,
        oidc_subject: None,
    };
    catalog.store.create_user(ann).await.unwrap().id
}

fn cancelling(id: BackupId, user_id: Option<UserId>) -> NewAuditEntry {
    NewAuditEntry {
        user_id,
        action: BACKUP_CANCEL.to_owned(),
        resource_type: "Backup".to_owned(),
        resource_id: Some(id.to_string()),
        description: "取消備份".to_owned(),
        address: None,
    }
}

async fn who_cancels_what_a_schedule_asked_for_is_told_of(catalog: Catalog) {
    catalog.store.put_config(&told()).await.unwrap();
    let mut seen = Seen::new();
    let schedule = catalog.hourly().await;
    let ann = ann(&catalog).await;
    let asked = async || {
        catalog.advance(HOUR);
        catalog.fire().await.unwrap().backup.unwrap().id
    };
    // While it waits, by nobody that is known.
    let id = asked().await;
    let result = catalog.store.cancel_backup_as(id, cancelling(id, None)).await.unwrap();
    assert_eq!(result, CancelResult::Cancelled);
    let alert = catalog.open_alert(AlertKind::BackupFailed).await.unwrap();
    assert_eq!(
        (alert.subject.as_str(), alert.severity),
        (schedule.id.to_string().as_str(), AlertSeverity::Warning)
    );
    assert_eq!(alert.details["schedule"], "每小時");
    assert!(
        !alert.details.contains_key("error") && !alert.details.contains_key("by"),
        "{alert:?}"
    );
    let (targets, reports) = messages(&catalog, &mut seen).await;
    assert_eq!(targets, BAD);
    let report = backup_report(&reports[0]);
    assert_eq!((report.id, report.is_good, report.is_cancelled), (id, false, true));
    assert_eq!(
        (report.error.as_deref(), report.cancelled_by.as_deref()),
        (Some("it was cancelled"), None)
    );
    // While it runs, by a person: told once its worker has stopped.
    let id = asked().await;
    let lease = catalog.claim().await.unwrap().lease;
    let result = catalog.store.cancel_backup_as(id, cancelling(id, Some(ann))).await;
    assert_eq!(result.unwrap(), CancelResult::Requested);
    assert_eq!(messages(&catalog, &mut seen).await.0.len(), 0);
    for _ in 0..2 {
        catalog
            .store
            .finish_backup(&lease, BackupOutcome::Cancelled)
            .await
            .unwrap();
    }
    let (targets, reports) = messages(&catalog, &mut seen).await;
    assert_eq!(targets, BAD);
    let report = backup_report(&reports[0]);
    assert_eq!(
        (report.error.as_deref(), report.cancelled_by.as_deref()),
        (Some("it was cancelled by Ann"), Some("Ann"))
    );
    let still = catalog.open_alert(AlertKind::BackupFailed).await.unwrap();
    assert_eq!((still.id, still.details["by"].as_str()), (alert.id, "Ann"));
    // A failure is worse, and no cancelling makes it better.
    asked().await;
    catalog.end_next(Some("the disk is full")).await;
    let id = asked().await;
    catalog
        .store
        .cancel_backup_as(id, cancelling(id, Some(ann)))
        .await
        .unwrap();
    let still = catalog.open_alert(AlertKind::BackupFailed).await.unwrap();
    assert_eq!((still.id, still.severity), (alert.id, AlertSeverity::Critical));
    assert!(still.message.ends_with("was cancelled by Ann"), "{still:?}");
    // A good one ends it.
    asked().await;
    catalog.end_next(None).await;
    assert_eq!(catalog.open_alert(AlertKind::BackupFailed).await, None);
}

async fn what_fails_unasked_by_a_schedule_is_its_configurations(catalog: Catalog) {
    let shop = BackupConfig {
        key: "shop".to_owned(),
        notification_emails: vec!["shop@example.org".to_owned()],
        webhooks: Vec::new(),
        ..told()
    };
    catalog.store.put_config(&told()).await.unwrap();
    catalog.store.put_config(&shop).await.unwrap();
    for key in ["shop", "default"] {
        let mut new = catalog.new_backup();
        new.config_key = key.to_owned();
        catalog.store.create_backup(new).await.unwrap();
        catalog.advance(1);
    }
    catalog.end_next(Some("no")).await;
    let alert = catalog.open_alert(AlertKind::BackupFailed).await.unwrap();
    assert_eq!(
        (alert.subject.as_str(), alert.details["config"].as_str()),
        ("shop", "shop")
    );
    assert_eq!(messages(&catalog, &mut Seen::new()).await.0, ["EMAIL shop@example.org"]);
    catalog.end_next(None).await;
    assert!(
        catalog.open_alert(AlertKind::BackupFailed).await.is_some(),
        "a good one of another configuration ends nothing"
    );
}

async fn what_nobody_took_up_is_told_too(catalog: Catalog) {
    catalog.store.put_config(&told()).await.unwrap();
    let schedule = catalog.hourly().await;
    catalog.advance(HOUR);
    catalog.fire().await.unwrap();
    catalog.advance(60);
    let failed = catalog
        .store
        .fail_waiting("no key", Duration::from_mins(1))
        .await
        .unwrap();
    assert_eq!(failed, 1);
    let alert = catalog.open_alert(AlertKind::BackupFailed).await.unwrap();
    assert_eq!(
        (alert.subject, alert.details["error"].as_str()),
        (schedule.id.to_string(), "no key")
    );
    let (targets, reports) = messages(&catalog, &mut Seen::new()).await;
    assert_eq!(targets, BAD);
    assert_eq!(backup_report(&reports[0]).error.as_deref(), Some("no key"));
}

async fn verify(catalog: &Catalog, backup_id: BackupId, outcome: VerificationOutcome) {
    let new = NewVerification {
        id: catalog.id(),
        backup_id,
        level: VerifyLevel::Content,
        created_by: None,
    };
    catalog.store.create_verification(new).await.unwrap();
    let lease = catalog.claim().await.unwrap().lease;
    for _ in 0..2 {
        catalog
            .store
            .finish_verification(&lease, outcome.clone())
            .await
            .unwrap();
    }
}

fn found() -> VerificationOutcome {
    VerificationOutcome::Found {
        problem: "a chunk is damaged".to_owned(),
        in_base: None,
    }
}

async fn a_verification_that_finds_something_is_an_alert_until_one_passes(catalog: Catalog) {
    catalog.store.put_config(&told()).await.unwrap();
    let id = catalog.completed(None).await;
    let mut seen = Seen::new();
    messages(&catalog, &mut seen).await;
    verify(&catalog, id, found()).await;
    let alert = catalog.open_alert(AlertKind::VerificationFailed).await.unwrap();
    assert_eq!(
        (alert.subject.as_str(), alert.severity),
        (id.to_string().as_str(), AlertSeverity::Critical)
    );
    assert_eq!(alert.details["error"], "a chunk is damaged");
    assert_eq!(messages(&catalog, &mut seen).await.0, BAD);
    // One that could not be done says nothing about the backup.
    let failed = VerificationOutcome::Failed {
        message: "the storage is away".to_owned(),
    };
    verify(&catalog, id, failed).await;
    assert_eq!(catalog.open_alert(AlertKind::VerificationFailed).await, Some(alert));
    verify(&catalog, id, VerificationOutcome::Passed).await;
    assert_eq!(catalog.open_alert(AlertKind::VerificationFailed).await, None);
    let (targets, reports) = messages(&catalog, &mut seen).await;
    assert_eq!(targets, BAD, "that it is over is told to those who heard of it");
    assert!(reports.iter().all(Report::is_good));
}

async fn nothing_is_wrong_any_more_with_a_backup_that_is_gone(catalog: Catalog) {
    let id = catalog.completed(None).await;
    verify(&catalog, id, found()).await;
    catalog.store.begin_delete(id, false).await.unwrap();
    catalog.store.finish_delete(id).await.unwrap();
    assert_eq!(catalog.open_alert(AlertKind::VerificationFailed).await, None);
}

async fn a_receipt_that_turns_up_is_a_success_too(catalog: Catalog) {
    let schedule = catalog.hourly().await;
    catalog.advance(HOUR);
    let asked = catalog.fire().await.unwrap().backup.unwrap();
    let claimed = catalog.claim().await.unwrap();
    assert_eq!(backup_of(&claimed.job).id, asked.id);
    let failed = BackupOutcome::Failed {
        message: "the answer did not come".to_owned(),
    };
    catalog.store.finish_backup(&claimed.lease, failed).await.unwrap();
    let receipt = crate::deletion::receipt(&catalog, asked.id, None);
    let adopted = catalog.store.adopt_backup(&receipt).await.unwrap();
    assert_eq!(adopted.expires_at, Some(asked.created_at + TimeDelta::days(30)));
    assert_eq!(adopted, catalog.backup(asked.id).await);
    assert_eq!(
        catalog.schedule(schedule.id).await.last_success_at,
        Some(receipt.completed_at)
    );
    assert_eq!(catalog.open_alert(AlertKind::BackupFailed).await, None);
}

async fn a_backup_is_named_and_found_by_the_type_that_it_was_made(catalog: Catalog) {
    let store = &catalog.store;
    let mut new = catalog.new_backup();
    new.backup_type = BackupType::Incremental;
    let asked = store.create_backup(new).await.unwrap();
    let found = async |text: &str| {
        let options = BackupListOptions {
            query: Some(text.to_owned()),
            ..BackupListOptions::default()
        };
        let page = store.list_backups(&options).await.unwrap();
        page.backups.len()
    };
    assert_eq!((found("-incremental-").await, found("-full-").await), (1, 0));
    let lease = catalog.claim().await.unwrap().lease;
    let made = BackupOutcome::Completed(Box::new(catalog.results(1)));
    store.finish_backup(&lease, made).await.unwrap();
    let made = catalog.backup(asked.id).await;
    assert_eq!(made.name, asked.name.replace("-incremental-", "-full-"));
    assert_ne!(made.name, asked.name);
    assert_eq!((found("-incremental-").await, found("-full-").await), (0, 1));
}
