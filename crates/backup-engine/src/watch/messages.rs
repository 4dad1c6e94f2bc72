//! Which alerts are to be open of messages that do not arrive: pure functions of what was looked at.

use backup_core::alert::{Alert, CONFIG_DETAIL, NewAlert, SINCE_DETAIL};
use backup_core::config::BackupConfig;
use backup_core::notification::{Channel, Notification};

/// What is said of an e-mail that nobody has tried to send.
const NO_MAILER: &str = "nobody who could has tried to send it (HINT: Set SMTP_URL and SMTP_FROM where jobs run; without \
                         them no e-mail is sent there.)";
/// What is said of a request that nobody has tried to make.
const NOBODY: &str = "nobody has tried to send it (HINT: Look for errors in the log of the processes that run jobs.)";

/// The subjects of the messages that could not be delivered to somebody who is no longer to be told.
pub(super) fn unwanted(failed: &[Alert], configs: &[BackupConfig]) -> Vec<String> {
    let detail = |alert: &Alert, name: &str| alert.details.get(name).cloned().unwrap_or_default();
    failed
        .iter()
        .filter(|alert| !is_wanted(configs, &detail(alert, CONFIG_DETAIL), &detail(alert, "target")))
        .map(|alert| alert.subject.clone())
        .collect()
}

/// The alerts of the ways by which the messages of `overdue` wait for too long. Those that do not at a second look went out
/// meanwhile, as after a time in which nothing ran: `before` has the ways of the look before. What is known to be lost
/// (`failed`: the open alerts) says more.
pub(super) fn stuck(
    overdue: &[Notification],
    before: &[String],
    failed: &[Alert],
    configs: &[BackupConfig],
) -> Vec<NewAlert> {
    let is_lost = |way: &String| {
        let mut lost = failed.iter().filter(|alert| !alert.details.contains_key(SINCE_DETAIL));
        lost.any(|alert| alert.subject == *way)
    };
    overdue
        .iter()
        .filter(|message| is_wanted(configs, &message.config_key, &message.target))
        .filter(|message| before.contains(&message.way()) && !is_lost(&message.way()))
        .map(|message| NewAlert::notification_overdue(message, reason(message)))
        .collect()
}

fn reason(message: &Notification) -> &str {
    let untried = match message.channel {
        Channel::Email => NO_MAILER,
        Channel::Webhook => NOBODY,
    };
    message.last_error.as_deref().unwrap_or(untried)
}

fn is_wanted(configs: &[BackupConfig], config_key: &str, target: &str) -> bool {
    let config = configs.iter().find(|config| config.key == config_key);
    config.is_some_and(|config| {
        config.notification_emails.iter().any(|address| address == target)
            || config.webhooks.iter().any(|hook| hook.name == target)
    })
}

#[cfg(test)]
mod tests {
    use backup_core::alert::{AlertKind, AlertSeverity};
    use backup_core::notification::{AlertReport, NotificationStatus, Report};
    use chrono::{DateTime, Utc};

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-26T12:00:00Z".parse().unwrap()
    }

    fn waiting() -> Notification {
        Notification {
            id: "0193a1de-0000-7000-8000-000000000001".parse().unwrap(),
            config_key: "default".to_owned(),
            channel: Channel::Email,
            target: "ops@example.org".to_owned(),
            report: Report::Alert(AlertReport {
                kind: AlertKind::OrphansFound,
                subject: "default".to_owned(),
                severity: AlertSeverity::Warning,
                message: "something".to_owned(),
                details: backup_core::alert::AlertDetails::new(),
                raised_at: now(),
                resolved_at: None,
            }),
            status: NotificationStatus::Pending,
            attempts: 0,
            last_error: None,
            created_at: now(),
            sent_at: None,
        }
    }

    /// As it stands once it was raised.
    fn raised(new: NewAlert) -> Alert {
        Alert {
            id: "0193a1de-0000-7000-8000-000000000002".parse().unwrap(),
            kind: new.kind,
            subject: new.subject,
            severity: new.severity,
            message: new.message,
            details: new.details,
            raised_at: now(),
            acknowledged_at: None,
            resolved_at: None,
        }
    }

    #[test]
    fn a_way_is_stuck_that_was_so_before_is_wanted_and_has_lost_nothing() {
        let mut config = BackupConfig::defaults("default", now());
        config.notification_emails = vec!["ops@example.org".to_owned()];
        let (configs, overdue) = ([config], [waiting()]);
        let before = [waiting().way()];
        let alerts = stuck(&overdue, &before, &[], &configs);
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert_eq!(alerts[0].subject, "default EMAIL ops@example.org");
        assert!(alerts[0].details["error"].contains("SMTP_URL"), "{alerts:?}");
        assert_eq!(stuck(&overdue, &[], &[], &configs), [], "it may go out this moment");
        assert_eq!(stuck(&overdue, &before, &[], &[]), []);
        assert_eq!(unwanted(&[raised(alerts[0].clone())], &configs), Vec::<String>::new());
        assert_eq!(unwanted(&[raised(alerts[0].clone())], &[]), [alerts[0].subject.clone()]);
        let same = [raised(alerts[0].clone())];
        assert_eq!(stuck(&overdue, &before, &same, &configs), alerts);
        let lost = [raised(NewAlert::notification_lost(&waiting(), "no such mailbox"))];
        assert_eq!(stuck(&overdue, &before, &lost, &configs), []);
        let tried = [Notification {
            last_error: Some("the server is busy".to_owned()),
            ..waiting()
        }];
        let alerts = stuck(&tried, &before, &[], &configs);
        assert_eq!(alerts[0].details["error"], "the server is busy");
    }
}
