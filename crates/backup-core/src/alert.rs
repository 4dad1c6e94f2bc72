//! Alerts: what an administrator should act on.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::notification::Notification;
use crate::schedule::Schedule;
use crate::{AlertId, counted, text_enum};

text_enum! {
    /// What is wrong.
    pub enum AlertKind {
        /// A backup failed, or one that a schedule had asked for was cancelled. Subject: the schedule, or the configuration
        /// where none fired. Over with its next good backup.
        BackupFailed => "BACKUP_FAILED",
        /// The storage no longer has a good backup. Subject: the backup.
        BackupLost => "BACKUP_LOST",
        /// A backup that others build on is missing or damaged, so that none of them can be restored. Subject: the
        /// configuration and the source. Over with its next good backup of the same source.
        ChainBroken => "CHAIN_BROKEN",
        /// No FULL backup could be made of a chain, which is as good as before. Subject: the schedule, or the configuration
        /// where none asked. Over with its next good FULL backup.
        ConsolidationFailed => "CONSOLIDATION_FAILED",
        /// The backups take up more of the quota than a step. Subject: the configuration.
        StorageUsage => "STORAGE_USAGE",
        /// A schedule did not run when it should have. Subject: the schedule. Over when it runs on time again.
        ScheduleMissed => "SCHEDULE_MISSED",
        /// A schedule passed over an instant, since its backup before still ran; or nobody took its backup up in the hours in
        /// which it may start. Subject: the schedule. Over when it runs again.
        ScheduleSkipped => "SCHEDULE_SKIPPED",
        /// A verification found something wrong. Subject: the backup.
        VerificationFailed => "VERIFICATION_FAILED",
        /// No backup has been verified for longer than the configuration says. Subject: the configuration.
        VerificationOverdue => "VERIFICATION_OVERDUE",
        /// No backup of a schedule has been found good for longer than its policy of verifications lets one expect. Subject:
        /// the schedule.
        DrillOverdue => "DRILL_OVERDUE",
        /// A storage does not answer, or is empty though it should not be. Subject: the configuration. Or single files in it can
        /// be neither judged nor removed. Subject: the configuration and `files`.
        StorageUnreachable => "STORAGE_UNREACHABLE",
        /// The catalog did not answer for a while; known afterwards only. Subject: empty.
        CatalogUnreachable => "CATALOG_UNREACHABLE",
        /// A storage holds what the catalog does not know, or the other way round. Subject: the configuration.
        OrphansFound => "ORPHANS_FOUND",
        /// Kept backups need a key that is not at hand. Subject: the key's fingerprint.
        KeyMissing => "KEY_MISSING",
        /// The clock is further ahead than retention believes, so backups do not grow old by it. Subject: empty.
        ClockLeapt => "CLOCK_LEAPT",
        /// Somebody has paused the system: no job is taken up, no schedule fires, no backup expires. Subject: empty. Over when it
        /// is resumed.
        SystemPaused => "SYSTEM_PAUSED",
        /// A message could not be delivered for a quarter of an hour, or is no longer tried. Subject: the configuration and
        /// the way.
        NotificationFailed => "NOTIFICATION_FAILED",
    }
}

text_enum! {
    /// How bad it is.
    pub enum AlertSeverity {
        /// Worth knowing.
        Info => "INFO",
        /// Act soon.
        Warning => "WARNING",
        /// Act now.
        Critical => "CRITICAL",
    }
}

/// What an alert says in the words of any language: names and their values, such as the `schedule` and since when.
pub type AlertDetails = BTreeMap<String, String>;

/// The name in [`AlertDetails`] of the configuration whose people are told. An alert without it concerns those of all.
pub const CONFIG_DETAIL: &str = "config";

/// The name in [`AlertDetails`] of the time since when it is so (RFC 3339).
pub const SINCE_DETAIL: &str = "since";

/// What is to be raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// What is wrong.
    pub kind: AlertKind,
    /// With what: see [`AlertKind`].
    pub subject: String,
    /// How bad.
    pub severity: AlertSeverity,
    /// One line for people, in English.
    pub message: String,
    /// The same as values, for other languages.
    pub details: AlertDetails,
}

impl NewAlert {
    /// An alert that is a warning without details.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers and identifiers are given as they are"
    )]
    pub fn new(kind: AlertKind, subject: impl ToString, message: impl Into<String>) -> Self {
        Self {
            kind,
            subject: subject.to_string(),
            severity: AlertSeverity::Warning,
            message: message.into(),
            details: AlertDetails::new(),
        }
    }

    /// A schedule did not run when it should have, `instants` times from `since` on.
    pub fn schedule_missed(schedule: &Schedule, since: DateTime<Utc>, instants: u32) -> Self {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let name = &schedule.name;
        let times = counted(instants, "time", "times");
        let message = format!("schedule {name} did not run when it should have, {times} since {since}");
        Self::new(AlertKind::ScheduleMissed, schedule.id, message)
            .with(CONFIG_DETAIL, &schedule.config_key)
            .with("schedule", name)
            .with(SINCE_DETAIL, since)
            .with("missed", instants)
    }

    /// Nobody took up the backup that a schedule asked for at `asked_at` in the hours in which it may start.
    pub fn hours_missed(schedule: &Schedule, asked_at: DateTime<Utc>) -> Self {
        let at = asked_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let name = &schedule.name;
        let hours = schedule
            .start_window
            .map_or_else(String::new, |window| window.to_string());
        let message =
            format!("the backup of {at} of schedule {name} did not start in its hours, {hours}, and waits on");
        Self::new(AlertKind::ScheduleSkipped, schedule.id, message)
            .with(CONFIG_DETAIL, &schedule.config_key)
            .with("schedule", name)
            .with("at", at)
            .with("hours", hours)
    }

    /// A message was given up.
    pub fn notification_lost(lost: &Notification, error: &str) -> Self {
        let (channel, target) = (lost.channel, &lost.target);
        let message = format!("a message by {channel} to {target} could not be delivered: {error}");
        Self::notification_failed(lost, message, error)
    }

    /// A message waits for longer than it should: the same alert, with [`SINCE_DETAIL`].
    pub fn notification_overdue(waiting: &Notification, error: &str) -> Self {
        let (channel, target) = (waiting.channel, &waiting.target);
        let since = waiting.created_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let message = format!("a message by {channel} to {target} has waited since {since}: {error}");
        Self::notification_failed(waiting, message, error).with(SINCE_DETAIL, since)
    }

    fn notification_failed(notification: &Notification, message: String, error: &str) -> Self {
        Self::new(AlertKind::NotificationFailed, notification.way(), message)
            .with(CONFIG_DETAIL, &notification.config_key)
            .with("channel", notification.channel)
            .with("target", &notification.target)
            .with("error", error)
    }

    /// The same, as bad as this.
    pub fn severity(mut self, severity: AlertSeverity) -> Self {
        self.severity = severity;
        self
    }

    /// The same with one more detail.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers and identifiers are given as they are"
    )]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.details.insert(name.to_owned(), value.to_string());
        self
    }
}

/// Something an administrator should act on. Raised once for a `kind` and `subject`, kept open until it is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its identifier.
    pub id: AlertId,
    /// What is wrong.
    pub kind: AlertKind,
    /// With what: see [`AlertKind`].
    pub subject: String,
    /// How bad.
    pub severity: AlertSeverity,
    /// One line for people, in English.
    pub message: String,
    /// The same as values, for other languages.
    pub details: AlertDetails,
    /// When it was raised.
    pub raised_at: DateTime<Utc>,
    /// When somebody said that they know.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub resolved_at: Option<DateTime<Utc>>,
}

text_enum! {
    /// Which alerts are listed.
    pub enum AlertState {
        /// Those that are not over.
        Open => "OPEN",
        /// Those that are over too.
        All => "ALL",
    }
}
