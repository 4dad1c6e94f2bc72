//! Messages to people and machines about what happened: written down with what happened, delivered afterwards.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::alert::{AlertDetails, AlertKind, AlertSeverity};
use crate::config::SealedSecret;
use crate::{BackupId, BackupSource, BackupType, NotificationId, text_enum};

text_enum! {
    /// By which way.
    pub enum Channel {
        /// An e-mail; the target is an address.
        Email => "EMAIL",
        /// A request to a web address; the target is the name of a [`Webhook`].
        Webhook => "WEBHOOK",
    }
}

text_enum! {
    /// Which program a webhook's request is made for.
    pub enum WebhookPreset {
        /// Our own JSON, or that of the webhook's template.
        Generic => "GENERIC",
        /// Slack's incoming webhooks.
        Slack => "SLACK",
        /// Microsoft Teams' workflows (an adaptive card).
        Teams => "TEAMS",
        /// Discord's webhooks.
        Discord => "DISCORD",
        /// A dead man's switch such as healthchecks: the address for a success, the address with `/fail` behind for anything
        /// bad.
        Ping => "PING",
    }
}

/// A web address that is told what happened. Part of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its name, unique in the configuration.
    pub name: String,
    /// Which program it is for.
    pub preset: WebhookPreset,
    /// The address, sealed: for most programs it is the only credential.
    pub url: SealedSecret,
    /// The JSON of the request, for [`WebhookPreset::Generic`]: `{name}` in its strings stands for a value.
    pub template: Option<String>,
    /// Tell of good backups.
    pub on_success: bool,
    /// Tell of failed backups and of alerts.
    pub on_failure: bool,
}

/// How a backup ended, as a message says it: with names instead of identifiers, since what they name may be gone by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// The backup.
    pub id: BackupId,
    /// Its name.
    pub name: String,
    /// How much it stores.
    pub backup_type: BackupType,
    /// What it saved.
    pub source: BackupSource,
    /// Whether it is good.
    pub is_good: bool,
    /// Bytes stored.
    pub size_bytes: Option<u64>,
    /// Bytes read.
    pub source_bytes: Option<u64>,
    /// When a worker took it up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: DateTime<Utc>,
    /// What went wrong, with what to do.
    pub error: Option<String>,
    /// It is no good since it was cancelled; `error` says so too.
    #[serde(default)]
    pub is_cancelled: bool,
    /// Who cancelled it, where that is known.
    #[serde(default)]
    pub cancelled_by: Option<String>,
    /// How many remarks were made.
    pub warnings: u32,
    /// The schedule that fired.
    pub schedule: Option<String>,
    /// When that schedule fires next.
    pub next_run_at: Option<DateTime<Utc>>,
}

/// An alert, as a message says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertReport {
    /// What is wrong.
    pub kind: AlertKind,
    /// With what.
    pub subject: String,
    /// How bad.
    pub severity: AlertSeverity,
    /// One line in English.
    pub message: String,
    /// The same as values.
    pub details: AlertDetails,
    /// When it was raised.
    pub raised_at: DateTime<Utc>,
    /// When it was over; `None`: it is not.
    pub resolved_at: Option<DateTime<Utc>>,
}

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "UPPERCASE")]
pub enum Report {
    /// The end of a backup.
    Backup(BackupReport),
    /// An alert that was raised, or is over.
    Alert(AlertReport),
}

impl Report {
    /// Whether it is good news.
    pub fn is_good(&self) -> bool {
        match self {
            Self::Backup(report) => report.is_good,
            Self::Alert(report) => report.resolved_at.is_some(),
        }
    }
}

text_enum! {
    /// Where a message stands.
    pub enum NotificationStatus {
        /// It is to be delivered.
        Pending => "PENDING",
        /// It was taken.
        Sent => "SENT",
        /// It is no longer tried.
        Failed => "FAILED",
    }
}

/// A message to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Its identifier, by which a receiver can tell one that comes twice.
    pub id: NotificationId,
    /// Whose people are told.
    pub config_key: String,
    /// By which way.
    pub channel: Channel,
    /// Whom: see [`Channel`].
    pub target: String,
    /// What is told.
    pub report: Report,
    /// Where it stands.
    pub status: NotificationStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it was written down.
    pub created_at: DateTime<Utc>,
    /// When it was taken.
    pub sent_at: Option<DateTime<Utc>>,
}

impl Notification {
    /// What its way is called: see [`way`].
    pub fn way(&self) -> String {
        way(&self.config_key, self.channel, &self.target)
    }
}

/// What a way to somebody is called where an alert is about it.
pub fn way(config_key: &str, channel: Channel, target: &str) -> String {
    format!("{config_key} {channel} {target}")
}
