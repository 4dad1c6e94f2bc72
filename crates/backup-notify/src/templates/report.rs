//! What a report fills into its template.

use backup_core::AlertKind;
use backup_core::alert::CONFIG_DETAIL;
use backup_core::notification::{AlertReport, BackupReport};

use super::alert::alert_sentence;
use super::fill::Values;
use super::quantity::{size, span, time};
use super::words::word;
use super::{link, one_line};
use crate::Language;

/// The values of the end of a backup.
pub(super) fn backup(language: Language, report: &BackupReport) -> Values {
    // That it was cancelled, the template says in its own language.
    let error = report.error.as_deref().filter(|_| !report.is_cancelled);
    let (error, hint) = split_hint(error.unwrap_or_default());
    let cancelled = if report.is_cancelled { "yes" } else { "" };
    let lasted = report.started_at.map(|from| span(language, from, report.completed_at));
    vec![
        ("name", one_line(&report.name)),
        ("type", word(language, &format!("type.{}", report.backup_type))),
        ("source", word(language, &format!("source.{}", report.source))),
        ("size", report.size_bytes.map(size).unwrap_or_default()),
        ("sourceSize", report.source_bytes.map(size).unwrap_or_default()),
        ("startedAt", report.started_at.map(time).unwrap_or_default()),
        ("completedAt", time(report.completed_at)),
        ("duration", lasted.unwrap_or_default()),
        ("error", many_lines(error)),
        ("hint", many_lines(hint)),
        ("cancelled", cancelled.to_owned()),
        (
            "cancelledBy",
            one_line(report.cancelled_by.as_deref().unwrap_or_default()),
        ),
        (
            "warnings",
            if report.warnings > 0 {
                report.warnings.to_string()
            } else {
                String::new()
            },
        ),
        ("schedule", one_line(report.schedule.as_deref().unwrap_or_default())),
        ("nextRun", report.next_run_at.map(time).unwrap_or_default()),
    ]
}

/// The values of an alert.
pub(super) fn alert(language: Language, report: &AlertReport) -> Values {
    let detail = |name: &str| report.details.get(name).map_or("", String::as_str);
    let sentence = alert_sentence(language, report.kind, &report.details, &report.message);
    let lasted = report.resolved_at.map(|to| span(language, report.raised_at, to));
    vec![
        ("kind", word(language, &format!("kind.{}", report.kind))),
        ("about", one_line(about(report))),
        ("severity", word(language, &format!("severity.{}", report.severity))),
        ("sentence", many_lines(&sentence)),
        ("config", one_line(detail(CONFIG_DETAIL))),
        ("raisedAt", time(report.raised_at)),
        ("resolvedAt", report.resolved_at.map(time).unwrap_or_default()),
        ("lasted", lasted.unwrap_or_default()),
    ]
}

/// The values of the installation, which every message has.
pub(super) fn installation(installation: Option<&str>) -> Values {
    vec![
        ("installation", one_line(installation.unwrap_or_default())),
        ("link", link(installation).unwrap_or_default().to_owned()),
    ]
}

/// What the alert is about, by the name that people know it by: its subject may be an identifier.
fn about(report: &AlertReport) -> &str {
    let name = match report.kind {
        AlertKind::BackupFailed
        | AlertKind::BackupLost
        | AlertKind::ChainBroken
        | AlertKind::ConsolidationFailed
        | AlertKind::VerificationFailed => "backup",
        AlertKind::ScheduleMissed | AlertKind::ScheduleSkipped | AlertKind::DrillOverdue => "schedule",
        AlertKind::KeyMissing => "fingerprint",
        AlertKind::StorageUsage
        | AlertKind::VerificationOverdue
        | AlertKind::StorageUnreachable
        | AlertKind::CatalogUnreachable
        | AlertKind::ClockLeapt
        | AlertKind::SystemPaused
        | AlertKind::OrphansFound
        | AlertKind::NotificationFailed => CONFIG_DETAIL,
    };
    report.details.get(name).unwrap_or(&report.subject)
}

/// The text of an error, and what to do about it.
fn split_hint(error: &str) -> (&str, &str) {
    error
        .strip_suffix(')')
        .and_then(|error| error.rsplit_once(" (HINT: "))
        .unwrap_or((error, ""))
}

/// A value of several lines, without characters that would make programs do something.
fn many_lines(value: &str) -> String {
    let value = value.replace("\r\n", "\n");
    value.replace(|c: char| c.is_control() && c != '\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_stands_apart() {
        for (error, parts) in [
            ("a (HINT: Do b (c).)", ("a", "Do b (c).")),
            ("a (b)", ("a (b)", "")),
            ("a (HINT: b): c", ("a (HINT: b): c", "")),
            ("", ("", "")),
        ] {
            assert_eq!(split_hint(error), parts);
        }
    }
}
