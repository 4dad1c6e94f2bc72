//! What is told, as the JSON of our own and as the values of a template.

use backup_core::notification::{AlertReport, BackupReport, Report};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::{Language, Message, templates};

/// The names that a template may use. Those that say nothing in a message are `null` there.
pub const TEMPLATE_NAMES: [&str; 26] = [
    "event",
    "id",
    "installation",
    "isGood",
    "title",
    "text",
    "backupId",
    "name",
    "type",
    "source",
    "sizeBytes",
    "sourceBytes",
    "startedAt",
    "completedAt",
    "durationSeconds",
    "error",
    "warnings",
    "schedule",
    "nextRunAt",
    "kind",
    "subject",
    "severity",
    "message",
    "details",
    "raisedAt",
    "resolvedAt",
];

/// One message, before it has the form of a program.
pub(super) struct Told<'a> {
    pub(super) id: &'a str,
    pub(super) language: Language,
    pub(super) installation: Option<&'a str>,
    pub(super) message: Message,
    report: Option<&'a Report>,
}

impl<'a> Told<'a> {
    pub(super) fn report(id: &'a str, language: Language, installation: Option<&'a str>, report: &'a Report) -> Self {
        Self {
            id,
            language,
            installation,
            message: templates::report(language, installation, report),
            report: Some(report),
        }
    }

    pub(super) fn test(id: &'a str, language: Language, installation: Option<&'a str>, at: DateTime<Utc>) -> Self {
        Self {
            id,
            language,
            installation,
            message: templates::test_webhook(language, installation, at),
            report: None,
        }
    }

    /// Whether it is good news; a test is.
    pub(super) fn is_good(&self) -> bool {
        self.report.is_none_or(Report::is_good)
    }

    fn event(&self) -> &'static str {
        match self.report {
            None => "test",
            Some(Report::Backup(backup)) if backup.is_good => "backup.completed",
            Some(Report::Backup(_)) => "backup.failed",
            Some(Report::Alert(alert)) if alert.resolved_at.is_some() => "alert.resolved",
            Some(Report::Alert(_)) => "alert.raised",
        }
    }

    /// The JSON of our own: what every message has, and `backup` or `alert`.
    pub(super) fn json(&self) -> Value {
        let mut json = json!({
            "event": self.event(),
            "id": self.id,
            "installation": self.installation,
            "isGood": self.is_good(),
            "title": self.message.subject,
            "text": self.message.text,
        });
        match self.report {
            None => {}
            Some(Report::Backup(report)) => json["backup"] = backup(report),
            Some(Report::Alert(report)) => json["alert"] = alert(report),
        }
        json
    }

    /// The value of each of [`TEMPLATE_NAMES`].
    pub(super) fn values(&self) -> Map<String, Value> {
        let mut values: Map<String, Value> = TEMPLATE_NAMES
            .map(|name| (name.to_owned(), Value::Null))
            .into_iter()
            .collect();
        let Value::Object(json) = self.json() else {
            return values;
        };
        for (name, value) in json {
            match (name.as_str(), value) {
                ("backup" | "alert", Value::Object(report)) => {
                    let named = report.into_iter().map(|(name, value)| match name.as_str() {
                        "id" => ("backupId".to_owned(), value),
                        _ => (name, value),
                    });
                    values.extend(named);
                }
                (_, value) => {
                    values.insert(name, value);
                }
            }
        }
        values
    }
}

fn backup(report: &BackupReport) -> Value {
    let seconds = report
        .started_at
        .map(|from| (report.completed_at - from).num_seconds().max(0));
    json!({
        "id": report.id.to_string(),
        "name": report.name,
        "type": report.backup_type,
        "source": report.source,
        "sizeBytes": report.size_bytes,
        "sourceBytes": report.source_bytes,
        "startedAt": report.started_at,
        "completedAt": report.completed_at,
        "durationSeconds": seconds,
        "error": report.error,
        "warnings": report.warnings,
        "schedule": report.schedule,
        "nextRunAt": report.next_run_at,
    })
}

fn alert(report: &AlertReport) -> Value {
    json!({
        "kind": report.kind,
        "subject": report.subject,
        "severity": report.severity,
        "message": report.message,
        "details": report.details,
        "raisedAt": report.raised_at,
        "resolvedAt": report.resolved_at,
    })
}
