//! What is told in these tests.

use std::collections::BTreeMap;

use backup_core::notification::{AlertReport, BackupReport, Report};
use backup_core::{AlertKind, AlertSeverity, BackupSource, BackupType};
use chrono::{DateTime, Utc};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A good backup of a schedule, with everything that can be said of it.
pub(crate) fn backup() -> BackupReport {
    BackupReport {
        id: "0198c1d2-0000-7000-8000-000000000000".parse().unwrap(),
        name: "nightly-20261126".to_owned(),
        backup_type: BackupType::Full,
        source: BackupSource::FullSystem,
        is_good: true,
        size_bytes: Some(5_368_709_120),
        source_bytes: Some(13_207_024_435),
        started_at: Some(at("2026-11-26T02:00:00Z")),
        completed_at: at("2026-11-26T03:02:05Z"),
        error: None,
        is_cancelled: false,
        cancelled_by: None,
        warnings: 2,
        schedule: Some("每日備份".to_owned()),
        next_run_at: Some(at("2026-11-27T02:00:00Z")),
    }
}

/// A backup that failed.
pub(crate) fn failed() -> BackupReport {
    BackupReport {
        is_good: false,
        size_bytes: None,
        warnings: 0,
        error: Some("the storage is full (HINT: Make room (or raise the quota).)".to_owned()),
        ..backup()
    }
}

/// An alert that is not over.
pub(crate) fn alert() -> AlertReport {
    let details = [("config", "shop"), ("percent", "91"), ("step", "90")];
    AlertReport {
        kind: AlertKind::StorageUsage,
        subject: "shop".to_owned(),
        severity: AlertSeverity::Critical,
        message: "the backups take up 91 % of the quota".to_owned(),
        details: BTreeMap::from(details.map(|(name, value)| (name.to_owned(), value.to_owned()))),
        raised_at: at("2026-11-26T06:07:08Z"),
        resolved_at: None,
    }
}

/// One report of each event.
pub(crate) fn each() -> [(&'static str, Report); 4] {
    let resolved = AlertReport {
        resolved_at: Some(at("2026-11-27T08:07:08Z")),
        ..alert()
    };
    [
        ("backup.completed", Report::Backup(backup())),
        ("backup.failed", Report::Backup(failed())),
        ("alert.raised", Report::Alert(alert())),
        ("alert.resolved", Report::Alert(resolved)),
    ]
}
