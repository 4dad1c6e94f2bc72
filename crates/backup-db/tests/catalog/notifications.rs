//! A message is delivered by one at a time, and is not lost whoever dies.

use std::collections::HashSet;
use std::time::Duration;

use backup_core::config::{BackupConfig, SealedSecret};
use backup_core::notification::{Channel, Notification, NotificationStatus, Report, Webhook, WebhookPreset};
use backup_core::{AlertKind, NewAlert, NotificationId};
use backup_db::{ClaimedNotification, Delivery, Store};
use chrono::TimeDelta;

use crate::fixture::{Catalog, at_once, on_both, start};

on_both!(
    deliverers_at_once_take_each_message_once,
    a_message_whose_holder_died_comes_up_again,
    what_did_not_work_is_tried_later_and_in_its_turn,
    what_is_given_up_is_an_alert_until_it_works,
    what_nobody_wants_is_dropped_quietly,
    who_cannot_mail_leaves_mail_to_others_for_a_while,
    no_message_is_lost_with_the_process,
    old_messages_are_forgotten_and_waiting_ones_are_not,
    a_target_that_does_not_take_one_keeps_no_other_target_waiting,
    one_that_cannot_be_read_keeps_no_other_waiting,
    a_refused_one_is_tried_again_and_keeps_no_other_waiting,
    that_one_cannot_be_told_is_told_to_the_others_and_no_further,
    what_waits_for_too_long_is_known_and_told_to_those_who_get_theirs,
    what_concerns_the_whole_system_is_told_to_the_people_of_every_configuration,
);

const HOLD: Duration = Duration::from_mins(1);
const PATIENCE: TimeDelta = TimeDelta::hours(1);

fn text(text: &str) -> String {
    text.to_owned()
}

/// Writes down one message for each of these.
async fn tell(catalog: &Catalog, emails: usize, hooks: usize) {
    let config = BackupConfig {
        notification_emails: (0..emails).map(|number| format!("{number}@example.org")).collect(),
        webhooks: (0..hooks)
            .map(|number| Webhook {
                name: number.to_string(),
                preset: WebhookPreset::Generic,
                url: SealedSecret(text("sealed")),
                template: None,
                on_success: false,
                on_failure: true,
            })
            .collect(),
        ..BackupConfig::defaults("default", start())
    };
    catalog.store.put_config(&config).await.unwrap();
    let alert = NewAlert::new(AlertKind::StorageUnreachable, catalog.id::<NotificationId>(), "away");
    catalog.store.raise_alert(alert).await.unwrap();
}

async fn take(store: &Store) -> Option<ClaimedNotification> {
    store.claim_notification(HOLD, true, PATIENCE).await.unwrap()
}

async fn end(catalog: &Catalog, claimed: &ClaimedNotification, delivery: Delivery) -> bool {
    catalog.store.finish_notification(claimed, delivery).await.unwrap()
}

async fn all(catalog: &Catalog) -> Vec<Notification> {
    catalog.store.list_notifications(1_000).await.unwrap()
}

async fn the_only(catalog: &Catalog) -> Notification {
    let mut all = all(catalog).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

async fn deliverers_at_once_take_each_message_once(catalog: Catalog) {
    tell(&catalog, 20, 20).await;
    let other = catalog.another().await;
    let taken = at_once(8, |index| {
        let store = if index % 2 == 0 { &catalog.store } else { &other }.clone();
        async move {
            let mut mine = Vec::new();
            while let Some(claimed) = take(&store).await {
                assert_eq!(claimed.notification.attempts, 1);
                mine.push(claimed.notification.id);
            }
            mine
        }
    })
    .await;
    let taken: Vec<_> = taken.into_iter().flatten().collect();
    assert_eq!(taken.len(), 40, "one was sent twice or never");
    let expected: HashSet<_> = all(&catalog).await.into_iter().map(|one| one.id).collect();
    assert_eq!(taken.into_iter().collect::<HashSet<_>>(), expected);
}

async fn a_message_whose_holder_died_comes_up_again(catalog: Catalog) {
    tell(&catalog, 0, 1).await;
    let dead = take(&catalog.store).await.unwrap();
    catalog.advance(59);
    assert!(take(&catalog.store).await.is_none());
    catalog.advance(1);
    let second = take(&catalog.store).await.unwrap();
    assert_eq!(second.notification.attempts, 2);
    assert_eq!(
        second.notification.id, dead.notification.id,
        "a receiver can tell that it comes twice"
    );
    // The first was only slow: what it says does not count any more.
    for delivery in [
        Delivery::Sent,
        Delivery::GivenUp { error: text("x") },
        Delivery::Later {
            error: text("x"),
            pause: HOLD,
        },
    ] {
        assert!(!end(&catalog, &dead, delivery).await);
    }
    let waiting = the_only(&catalog).await;
    assert_eq!(
        (waiting.status, waiting.last_error),
        (NotificationStatus::Pending, None)
    );
    assert_eq!(catalog.open_alert(AlertKind::NotificationFailed).await, None);
    assert!(end(&catalog, &second, Delivery::Sent).await);
    assert!(!end(&catalog, &second, Delivery::Dropped { reason: text("x") }).await);
    let sent = the_only(&catalog).await;
    assert_eq!(
        (sent.status, sent.sent_at, sent.last_error),
        (NotificationStatus::Sent, Some(start() + TimeDelta::seconds(60)), None)
    );
    catalog.advance(3_600);
    assert!(take(&catalog.store).await.is_none());
}

async fn what_did_not_work_is_tried_later_and_in_its_turn(catalog: Catalog) {
    tell(&catalog, 0, 2).await;
    let first = take(&catalog.store).await.unwrap();
    let later = Delivery::Later {
        error: "ä".repeat(3_000),
        pause: Duration::from_secs(30),
    };
    assert!(end(&catalog, &first, later).await);
    let second = take(&catalog.store).await.unwrap();
    assert_ne!(
        second.notification.id, first.notification.id,
        "one does not hold up the others"
    );
    assert!(end(&catalog, &second, Delivery::Sent).await);
    catalog.advance(29);
    assert!(take(&catalog.store).await.is_none());
    catalog.advance(1);
    let again = take(&catalog.store).await.unwrap().notification;
    assert_eq!((again.id, again.attempts), (first.notification.id, 2));
    assert_eq!(again.last_error, Some("ä".repeat(1_000)), "a long error is no burden");
}

async fn what_is_given_up_is_an_alert_until_it_works(catalog: Catalog) {
    tell(&catalog, 1, 0).await;
    let claimed = take(&catalog.store).await.unwrap();
    let given_up = Delivery::GivenUp {
        error: text("no such mailbox"),
    };
    assert!(end(&catalog, &claimed, given_up).await);
    let failed = the_only(&catalog).await;
    assert_eq!(
        (failed.status, failed.last_error.as_deref()),
        (NotificationStatus::Failed, Some("no such mailbox"))
    );
    let alert = catalog.open_alert(AlertKind::NotificationFailed).await.unwrap();
    assert_eq!(alert.subject, "default EMAIL 0@example.org");
    assert_eq!(
        all(&catalog).await.len(),
        1,
        "that a way does not work is not told by that way"
    );
    catalog.advance(3_600);
    assert!(take(&catalog.store).await.is_none(), "it is no longer tried");
    tell(&catalog, 1, 0).await;
    let next = take(&catalog.store).await.unwrap();
    assert!(end(&catalog, &next, Delivery::Sent).await);
    assert_eq!(catalog.open_alert(AlertKind::NotificationFailed).await, None);
}

async fn what_nobody_wants_is_dropped_quietly(catalog: Catalog) {
    tell(&catalog, 0, 1).await;
    let claimed = take(&catalog.store).await.unwrap();
    let dropped = Delivery::Dropped {
        reason: text("its webhook is gone"),
    };
    assert!(end(&catalog, &claimed, dropped).await);
    let failed = the_only(&catalog).await;
    assert_eq!(
        (failed.status, failed.last_error.as_deref()),
        (NotificationStatus::Failed, Some("its webhook is gone"))
    );
    assert_eq!(catalog.open_alert(AlertKind::NotificationFailed).await, None);
}

async fn who_cannot_mail_leaves_mail_to_others_for_a_while(catalog: Catalog) {
    tell(&catalog, 1, 1).await;
    let without = async || {
        let claimed = catalog.store.claim_notification(HOLD, false, PATIENCE).await.unwrap();
        claimed.map(|claimed| claimed.notification.channel)
    };
    assert_eq!(without().await, Some(Channel::Webhook));
    assert_eq!(without().await, None);
    catalog.advance(2 * 3_600 - 1);
    assert_eq!(without().await, Some(Channel::Webhook), "its hold ran out");
    assert_eq!(without().await, None);
    catalog.advance(1);
    assert_eq!(without().await, Some(Channel::Email), "now it is there to be given up");
    assert_eq!(without().await, None);
}

async fn no_message_is_lost_with_the_process(catalog: Catalog) {
    tell(&catalog, 1, 1).await;
    let before = all(&catalog).await;
    take(&catalog.store).await.unwrap();
    catalog.store.close().await.unwrap();
    // Another process, once the hold of the first one has run out.
    let other = catalog.another().await;
    catalog.advance(60);
    let mut taken = HashSet::new();
    while let Some(claimed) = take(&other).await {
        let given = before.iter().find(|one| one.id == claimed.notification.id).unwrap();
        assert_eq!(claimed.notification.report, given.report);
        taken.insert(claimed.notification.id);
    }
    assert_eq!(taken.len(), 2);
}

async fn old_messages_are_forgotten_and_waiting_ones_are_not(catalog: Catalog) {
    tell(&catalog, 0, 3).await;
    for delivery in [Delivery::Sent, Delivery::Dropped { reason: text("x") }] {
        let claimed = take(&catalog.store).await.unwrap();
        assert!(end(&catalog, &claimed, delivery).await);
    }
    let waiting = take(&catalog.store).await.unwrap().notification.id;
    catalog.advance(30 * 24 * 3_600 + 1);
    tell(&catalog, 1, 0).await;
    let ids = async || all(&catalog).await.into_iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids().await.len(), 4);
    let new = ids().await[0];
    catalog.advance(60);
    loop {
        let claimed = take(&catalog.store).await.unwrap();
        if claimed.notification.id == new {
            assert!(end(&catalog, &claimed, Delivery::Sent).await);
            break;
        }
    }
    assert_eq!(ids().await, [new, waiting]);
}

async fn a_target_that_does_not_take_one_keeps_no_other_target_waiting(catalog: Catalog) {
    for _ in 0..3 {
        tell(&catalog, 1, 1).await;
    }
    let later = || Delivery::Later {
        error: text("busy"),
        pause: HOLD,
    };
    let mut taken = Vec::new();
    while let Some(claimed) = take(&catalog.store).await {
        let is_hook = claimed.notification.channel == Channel::Webhook;
        taken.push(claimed.notification.channel);
        let delivery = if is_hook { later() } else { Delivery::Sent };
        assert!(end(&catalog, &claimed, delivery).await);
    }
    let hooks = taken.iter().filter(|channel| **channel == Channel::Webhook).count();
    assert_eq!(
        (hooks, taken.len() - hooks),
        (1, 3),
        "the busy one is asked once, the others get all of theirs"
    );
}

async fn one_that_cannot_be_read_keeps_no_other_waiting(catalog: Catalog) {
    tell(&catalog, 1, 0).await;
    catalog
        .sql("UPDATE notifications SET report = '{\"about\":\"NEWS\"}'")
        .unwrap();
    catalog.advance(1);
    tell(&catalog, 1, 0).await;
    let claimed = take(&catalog.store).await.unwrap();
    assert!(end(&catalog, &claimed, Delivery::Sent).await);
    assert!(take(&catalog.store).await.is_none());
    assert_eq!(catalog.store.list_notifications(10).await.unwrap().len(), 1);
}

async fn a_refused_one_is_tried_again_and_keeps_no_other_waiting(catalog: Catalog) {
    tell(&catalog, 0, 1).await;
    catalog.advance(1);
    tell(&catalog, 0, 1).await;
    let refused = take(&catalog.store).await.unwrap();
    let delivery = Delivery::Refused {
        error: text("404"),
        pause: HOLD,
    };
    assert!(end(&catalog, &refused, delivery).await);
    assert_eq!(catalog.open_alert(AlertKind::NotificationFailed).await, None);
    let other = take(&catalog.store).await.unwrap();
    assert_ne!(other.notification.id, refused.notification.id);
    assert!(end(&catalog, &other, Delivery::Sent).await);
    assert!(take(&catalog.store).await.is_none());
    catalog.advance(60);
    let again = take(&catalog.store).await.unwrap().notification;
    assert_eq!((again.id, again.attempts), (refused.notification.id, 2));
    assert_eq!(again.last_error.as_deref(), Some("404"));
}

/// Ends what is due, by what `how` says of its way, and gives the ways.
async fn end_all(catalog: &Catalog, how: impl Fn(&str) -> Delivery) -> Vec<String> {
    let mut ways = Vec::new();
    while let Some(claimed) = take(&catalog.store).await {
        let way = claimed.notification.way();
        assert!(end(catalog, &claimed, how(&way)).await);
        ways.push(way);
    }
    ways.sort();
    ways
}

async fn failed_ways(catalog: &Catalog) -> Vec<String> {
    let open = catalog.store.open_alerts(AlertKind::NotificationFailed).await.unwrap();
    open.into_iter().map(|alert| alert.subject).collect()
}

const FIRST: &str = "default EMAIL 0@example.org";
const SECOND: &str = "default EMAIL 1@example.org";
const HOOK: &str = "default WEBHOOK 0";

async fn that_one_cannot_be_told_is_told_to_the_others_and_no_further(catalog: Catalog) {
    let given_up = || Delivery::GivenUp {
        error: text("no such mailbox"),
    };
    tell(&catalog, 2, 1).await;
    // The second one takes this message, and not the one about the first.
    let mut claims = Vec::new();
    while let Some(claimed) = take(&catalog.store).await {
        claims.push(claimed);
    }
    for claimed in &claims {
        let is_first = claimed.notification.way() == FIRST;
        let delivery = if is_first { given_up() } else { Delivery::Sent };
        assert!(end(&catalog, claimed, delivery).await);
    }
    let told = end_all(&catalog, |way| if way == SECOND { given_up() } else { Delivery::Sent }).await;
    assert_eq!(told, [SECOND, HOOK], "and not by the way that failed");
    assert_eq!(failed_ways(&catalog).await, [FIRST]);
    let all_of_them = all(&catalog).await;
    assert_eq!(all_of_them.len(), 5, "what could not be told is told no further");
    catalog.advance(60);
    tell(&catalog, 2, 1).await;
    let told = end_all(&catalog, |_| Delivery::Sent).await;
    assert_eq!(
        told,
        [FIRST, FIRST, SECOND, SECOND, HOOK, HOOK],
        "who heard of it hears that it is over, and who missed something that they did"
    );
    assert_eq!(failed_ways(&catalog).await, Vec::<String>::new());
    assert!(take(&catalog.store).await.is_none());
}

async fn what_waits_for_too_long_is_known_and_told_to_those_who_get_theirs(catalog: Catalog) {
    let overdue = async || {
        let messages = catalog.store.overdue_notifications().await.unwrap();
        let mut ways: Vec<String> = messages.iter().map(Notification::way).collect();
        ways.sort();
        ways
    };
    let later = || Delivery::Later {
        error: text("busy"),
        pause: Duration::from_mins(20),
    };
    tell(&catalog, 2, 1).await;
    let busy = |way: &str| if way == HOOK { Delivery::Sent } else { later() };
    assert_eq!(end_all(&catalog, busy).await, [FIRST, SECOND, HOOK]);
    catalog.advance(15 * 60 - 1);
    assert_eq!(overdue().await, Vec::<String>::new());
    catalog.advance(1);
    assert_eq!(overdue().await, [FIRST, SECOND]);
    for message in catalog.store.overdue_notifications().await.unwrap() {
        let error = message.last_error.as_deref().unwrap();
        let alert = NewAlert::notification_overdue(&message, error);
        assert!(catalog.store.raise_alert(alert).await.unwrap().is_new);
    }
    let new = all(&catalog).await;
    let about = new
        .iter()
        .filter(|one| matches!(&one.report, Report::Alert(alert) if alert.kind == AlertKind::NotificationFailed));
    let about: Vec<String> = about.map(Notification::way).collect();
    assert_eq!(about, [HOOK, HOOK], "one mail server is the same for both addresses");
    // That those wait too makes no more of them.
    catalog.advance(4 * 60);
    let waits = |way: &str| if way == HOOK { later() } else { Delivery::Sent };
    assert_eq!(end_all(&catalog, waits).await, [HOOK]);
    catalog.advance(16 * 60);
    assert_eq!(overdue().await, [FIRST, SECOND], "messages about messages do not count");
    // While an older one waits, one that goes out is not the end of it.
    tell(&catalog, 2, 0).await;
    let mut claims = Vec::new();
    while let Some(claimed) = take(&catalog.store).await {
        if claimed.notification.channel == Channel::Email {
            claims.push(claimed);
        }
    }
    claims.sort_by_key(|claimed| std::cmp::Reverse(claimed.notification.created_at));
    for (index, claimed) in claims.iter().enumerate() {
        assert_eq!(failed_ways(&catalog).await.len(), if index < 3 { 2 } else { 1 });
        assert!(end(&catalog, claimed, Delivery::Sent).await);
    }
    assert_eq!(failed_ways(&catalog).await, Vec::<String>::new());
}

async fn what_concerns_the_whole_system_is_told_to_the_people_of_every_configuration(catalog: Catalog) {
    let configs = [
        ("apps", ["both@example.org", "apps@example.org"], true),
        ("default", ["ops@example.org", "both@example.org"], true),
        ("quiet", ["quiet@example.org", "both@example.org"], false),
    ];
    for (key, emails, is_told) in configs {
        let config = BackupConfig {
            notification_emails: emails.map(text).into(),
            notify_on_failure: is_told,
            webhooks: vec![Webhook {
                name: text("chat"),
                preset: WebhookPreset::Generic,
                url: SealedSecret(text("sealed")),
                template: None,
                on_success: false,
                on_failure: is_told,
            }],
            ..BackupConfig::defaults(key, start())
        };
        catalog.store.put_config(&config).await.unwrap();
    }
    let everybody = [
        "apps EMAIL apps@example.org",
        "apps WEBHOOK chat",
        "default EMAIL both@example.org",
        "default EMAIL ops@example.org",
        "default WEBHOOK chat",
    ];
    catalog.store.pause_system("the storage is moved", None).await.unwrap();
    assert_eq!(end_all(&catalog, |_| Delivery::Sent).await, everybody);
    catalog.advance(60);
    catalog.store.resume_system().await.unwrap();
    assert_eq!(
        end_all(&catalog, |_| Delivery::Sent).await,
        everybody,
        "that it is over too"
    );
}
