//! What is said of an alert in one sentence.

use backup_core::AlertKind;
use backup_core::alert::AlertDetails;
use chrono::{DateTime, Utc};

use super::fill::fill;
use super::one_line;
use super::quantity::time;
use super::words::{alert_sentences, known};
use crate::Language;

/// An alert in one sentence, from its `details`; `message`, its line in English, where the details do not suffice. These are
/// used (the others are left alone):
///
/// | kind | details |
/// | --- | --- |
/// | `BACKUP_FAILED` | `backup` (its name), `error`, `schedule` where one fired; without `error` it was cancelled, by `by` where that is known |
/// | `BACKUP_LOST` | `backup` (its identifier), `missing` (`receipt` or `archive`) |
/// | `CHAIN_BROKEN` | `config`, `backup` (its name), `dependents` (how many), `error` |
/// | `CONSOLIDATION_FAILED` | `config`, `backup` (its name), `error`, `schedule` where one asked |
/// | `STORAGE_USAGE` | `config`, `percent`, `step` |
/// | `SCHEDULE_MISSED` | `schedule` (its name), `since` (RFC 3339), `missed` (how many runs) |
/// | `SCHEDULE_SKIPPED` | `schedule`, `at` (RFC 3339); `hours` where nobody took its backup up in them |
/// | `VERIFICATION_FAILED` | `backup`, `error` |
/// | `VERIFICATION_OVERDUE` | `config`, `days` |
/// | `DRILL_OVERDUE` | `schedule` (its name), `since` (RFC 3339) |
/// | `STORAGE_UNREACHABLE` | `config`, `error`; where it answers, `count` (how many files in it are the matter) and `first` (a name) |
/// | `CATALOG_UNREACHABLE` | `since`, `until` (RFC 3339) |
/// | `CLOCK_LEAPT` | `since`, `until` (RFC 3339) |
/// | `SYSTEM_PAUSED` | `by`, `since` (RFC 3339), `reason` |
/// | `ORPHANS_FOUND` | `config`, `count` |
/// | `KEY_MISSING` | `fingerprint`, `count` |
/// | `NOTIFICATION_FAILED` | `config`, `channel` (`EMAIL` or `WEBHOOK`), `target`, `error`, `since` (RFC 3339) where it still waits |
pub fn alert_sentence(language: Language, kind: AlertKind, details: &AlertDetails, message: &str) -> String {
    let whole = |sentence: &String| {
        let mut missing = false;
        let filled = fill(sentence, |name| {
            let value = details.get(name);
            missing |= value.is_none();
            value.map(|value| shown(language, name, value))
        });
        (!missing).then_some(filled)
    };
    let sentences = alert_sentences(language, kind).iter();
    sentences
        .into_iter()
        .find_map(whole)
        .unwrap_or_else(|| message.to_owned())
}

/// A detail as it is read in this language.
fn shown(language: Language, name: &str, value: &str) -> String {
    let read = match name {
        "since" | "until" | "at" => DateTime::parse_from_rfc3339(value)
            .ok()
            .map(|at| time(at.with_timezone(&Utc))),
        "missing" | "channel" => known(language, name, value).map(str::to_owned),
        "error" => return value.to_owned(),
        _ => None,
    };
    read.unwrap_or_else(|| one_line(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that the first sentence of the kind names.
    fn details(kind: AlertKind) -> AlertDetails {
        details_of(&alert_sentences(Language::En, kind)[0])
    }

    fn details_of(sentence: &str) -> AlertDetails {
        let all = [
            ("backup", "nightly-1126"),
            ("schedule", "每日備份"),
            ("dependents", "4"),
            ("error", "the disk is full"),
            ("missing", "receipt"),
            ("config", "shop"),
            ("percent", "91"),
            ("step", "90"),
            ("since", "2026-11-26T06:07:08Z"),
            ("until", "2026-11-26T14:10:00+08:00"),
            ("at", "2026-11-26T06:07:08Z"),
            ("hours", "22:00-06:00"),
            ("missed", "3"),
            ("days", "30"),
            ("count", "2"),
            ("first", "2026/11-26/x.tar.zst.enc"),
            ("fingerprint", "ab12cd"),
            ("channel", "EMAIL"),
            ("target", "ops@example.org"),
            ("by", "Ann"),
            ("reason", "the storage is moved"),
        ];
        let used = all.iter().filter(|(name, _)| sentence.contains(&format!("{{{name}}}")));
        used.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn every_kind_is_said_in_every_language_with_all_its_details() {
        for language in Language::ALL {
            for kind in AlertKind::ALL {
                let sentences = alert_sentences(Language::En, *kind);
                assert_eq!(alert_sentences(*language, *kind).len(), sentences.len(), "{kind}");
                for sentence in sentences {
                    let details = details_of(sentence);
                    let said = alert_sentence(*language, *kind, &details, "fallback");
                    assert!(
                        said != "fallback" && !said.contains(['{', '}']),
                        "{language} {kind}: {said}"
                    );
                    for (name, value) in &details {
                        let value = shown(*language, name, value);
                        assert!(said.contains(&value), "{language} {kind} leaves out {name}: {said}");
                    }
                    for name in details.keys() {
                        let mut less = details.clone();
                        less.remove(name);
                        let less = alert_sentence(*language, *kind, &less, "fallback");
                        assert_ne!(less, said, "{language} {kind} without {name}");
                        assert!(sentences.len() > 1 || less == "fallback", "{language} {kind}: {less}");
                    }
                }
            }
        }
    }

    #[test]
    fn it_is_said_as_people_say_it() {
        let said = |language, kind| alert_sentence(language, kind, &details(kind), "");
        assert_eq!(
            said(Language::ZhTw, AlertKind::ScheduleMissed),
            "排程「每日備份」自 2026-11-26 06:07:08 UTC 起未執行，已錯過 3 次。"
        );
        assert_eq!(
            said(Language::En, AlertKind::CatalogUnreachable),
            "The catalog did not answer from 2026-11-26 06:07:08 UTC to 2026-11-26 06:10:00 UTC."
        );
        assert!(said(Language::ZhTw, AlertKind::BackupLost).contains("收據"));
        assert!(said(Language::En, AlertKind::NotificationFailed).contains("by e-mail to ops@example.org"));
    }

    #[test]
    fn a_failed_backup_without_a_schedule_has_a_sentence_too() {
        let mut details = details(AlertKind::BackupFailed);
        assert!(alert_sentence(Language::ZhTw, AlertKind::BackupFailed, &details, "").contains("每日備份"));
        details.remove("schedule");
        assert_eq!(
            alert_sentence(Language::En, AlertKind::BackupFailed, &details, ""),
            "The backup \"nightly-1126\" failed: the disk is full"
        );
    }

    #[test]
    fn a_cancelled_backup_has_not_failed() {
        let mut details = details(AlertKind::BackupFailed);
        details.remove("error");
        let said = |language, details: &AlertDetails| alert_sentence(language, AlertKind::BackupFailed, details, "");
        assert_eq!(
            said(Language::En, &details),
            "The backup \"nightly-1126\" of the schedule \"每日備份\" was cancelled."
        );
        details.insert("by".into(), "Ann".into());
        assert_eq!(
            said(Language::ZhTw, &details),
            "排程「每日備份」的備份「nightly-1126」已由 Ann 取消。"
        );
    }

    #[test]
    fn a_value_is_never_looked_at_again() {
        let mut details = details(AlertKind::BackupFailed);
        details.insert("error".into(), "{backup} {schedule".into());
        let said = alert_sentence(Language::En, AlertKind::BackupFailed, &details, "");
        assert!(said.ends_with("failed: {backup} {schedule"), "{said}");
    }
}
