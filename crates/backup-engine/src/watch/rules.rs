//! Which alerts are to be open: pure functions of what was looked at.

use std::collections::HashSet;

use backup_core::alert::{Alert, AlertKind, AlertSeverity, CONFIG_DETAIL, NewAlert};
use backup_core::config::{BackupConfig, DEFAULT_USAGE_ALERT_PERCENTS, DEFAULT_VERIFY_WITHIN_DAYS};
use backup_core::counted;
use backup_core::schedule::Schedule;
use backup_core::usage::ConfigUsage;
use backup_db::{KeyUse, Leap, VerificationAge};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::reconcile::Unsettled;

/// The configurations whose backups take up more than a step of their quota, by the highest step.
pub(super) fn usage(configs: &[BackupConfig], usage: &[ConfigUsage], environment: Option<u64>) -> Vec<NewAlert> {
    let mut alerts = Vec::new();
    for used in usage {
        let config = configs.iter().find(|config| config.key == used.config_key);
        let quota = config.map_or(environment, |config| config.quota_bytes(environment));
        let steps = config.map_or(&DEFAULT_USAGE_ALERT_PERCENTS[..], |config| {
            &config.usage_alert_percents[..]
        });
        let Some(quota) = quota.filter(|quota| *quota > 0) else {
            continue;
        };
        let percent = used.total_size_bytes as f64 / quota as f64 * 100.0;
        let Some(step) = steps.iter().rev().find(|step| percent > f64::from(**step)) else {
            continue;
        };
        let is_last = steps.len() > 1 && steps.last() == Some(step);
        let message = format!(
            "the backups of configuration {} take up more than {step} % of their quota",
            used.config_key
        );
        alerts.push(
            NewAlert::new(AlertKind::StorageUsage, &used.config_key, message)
                .severity(if is_last {
                    AlertSeverity::Critical
                } else {
                    AlertSeverity::Warning
                })
                .with(CONFIG_DETAIL, &used.config_key)
                .with("percent", format!("{percent:.0}"))
                .with("step", step),
        );
    }
    alerts
}

/// The configurations with a good backup older than their limit, none of whose backups has been verified within it.
pub(super) fn verifications(
    configs: &[BackupConfig],
    ages: &[(String, VerificationAge)],
    now: DateTime<Utc>,
) -> Vec<NewAlert> {
    let mut alerts = Vec::new();
    for (key, age) in ages {
        let config = configs.iter().find(|config| config.key == *key);
        let Some(days) = config.map_or(Some(DEFAULT_VERIFY_WITHIN_DAYS), |config| config.verify_within_days) else {
            continue;
        };
        let limit = now - TimeDelta::days(days.into());
        let is_old = age.oldest_backup.is_some_and(|at| at < limit);
        if is_old && age.newest_verification.is_none_or(|at| at < limit) {
            let so_long = counted(days, "day", "days");
            let message = format!("no backup of configuration {key} has been verified for {so_long}");
            alerts.push(
                NewAlert::new(AlertKind::VerificationOverdue, key, message)
                    .with(CONFIG_DETAIL, key)
                    .with("days", days),
            );
        }
    }
    alerts
}

/// The schedules none of whose backups has been found good for longer than their policy allows. `told` has the subjects of
/// the alerts that tell so already.
pub(super) fn drills(schedules: &[Schedule], told: &HashSet<String>, now: DateTime<Utc>) -> Vec<NewAlert> {
    let promising = schedules
        .iter()
        .filter(|schedule| schedule.is_enabled && schedule.verification.allowed_age().is_some());
    let overdue = promising.filter_map(|schedule| {
        // What is in the future was a wrong clock's.
        let passed = schedule.last_verify_passed_at.filter(|at| *at <= now);
        let made = schedule.created_at.min(schedule.updated_at).min(now);
        let from = if told.contains(&schedule.id.to_string()) {
            // Over once a backup passes, and not because somebody gives the schedule another name.
            passed
        } else {
            // A policy is given its time from when it was made or changed.
            let changed = Some(schedule.updated_at).filter(|at| *at <= now);
            passed.max(changed).or(Some(made))
        };
        let due_by = from.and_then(|from| schedule.drill_due_by(from));
        due_by.is_none_or(|due_by| now > due_by).then(|| {
            let since = passed.unwrap_or(made).to_rfc3339_opts(SecondsFormat::Secs, true);
            let message = format!(
                "no backup of the schedule {} has passed its verification since {since}",
                schedule.name
            );
            NewAlert::new(AlertKind::DrillOverdue, schedule.id, message)
                .with(CONFIG_DETAIL, &schedule.config_key)
                .with("schedule", &schedule.name)
                .with("since", since)
        })
    });
    overdue.collect()
}

/// The name of the detail of a storage that answers, and is empty though it should not be.
const EMPTY_DETAIL: &str = "empty";

/// A storage that does not answer.
pub(super) fn unreachable(config_key: &str, error: &str) -> NewAlert {
    NewAlert::new(
        AlertKind::StorageUnreachable,
        config_key,
        format!("the storage of configuration {config_key} cannot be used: {error}"),
    )
    .severity(AlertSeverity::Critical)
    .with(CONFIG_DETAIL, config_key)
    .with("error", error)
}

/// A storage that is empty, though it should not be.
pub(super) fn emptied(config_key: &str, error: &str) -> NewAlert {
    unreachable(config_key, error).with(EMPTY_DETAIL, true)
}

/// Whether an alert tells of a storage that was found empty: by whoever lists it, and not by whether it answers.
pub(super) fn tells_of_empty(alert: &Alert) -> bool {
    alert.details.contains_key(EMPTY_DETAIL)
}

/// The name of the detail of a storage that answers, and in which single files could not be settled: how many.
const UNSETTLED_DETAIL: &str = "count";

/// A storage that answers, and in which single files or backups could not be read, removed or repaired. Whether it answers is
/// another matter, which is told by itself.
pub(super) fn unsettled(config_key: &str, files: &Unsettled) -> NewAlert {
    let Unsettled { count, first, error } = files;
    let message = format!(
        "{} in the storage of configuration {config_key} could not be read, removed or repaired, the first is {first}: \
         {error}",
        counted(*count, "file or backup", "files or backups")
    );
    NewAlert::new(AlertKind::StorageUnreachable, format!("{config_key} files"), message)
        .with(CONFIG_DETAIL, config_key)
        .with(UNSETTLED_DETAIL, count)
        .with("first", first)
        .with("error", error)
}

/// Whether an alert tells of single files.
pub(super) fn tells_of_unsettled(alert: &Alert) -> bool {
    alert.details.contains_key(UNSETTLED_DETAIL)
}

/// The configuration that an alert is about.
pub(super) fn config_of(alert: &Alert) -> &String {
    alert.details.get(CONFIG_DETAIL).unwrap_or(&alert.subject)
}

/// Retention does not believe the clock.
pub(crate) fn clock_leapt(leap: &Leap) -> NewAlert {
    let moment = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let (since, until) = (moment(leap.believed), moment(leap.shown));
    let message = format!("the clock shows {until}, and retention goes by {since} until it has caught up");
    NewAlert::new(AlertKind::ClockLeapt, "", message)
        .with("since", since)
        .with("until", until)
}

/// The keys that kept backups need and that are not at hand. `is_at_hand` is `None` where that cannot be told.
pub(super) fn missing_keys(uses: &[KeyUse], is_at_hand: impl Fn(&str, &str) -> Option<bool>) -> Vec<NewAlert> {
    uses.iter()
        .filter(|key| is_at_hand(&key.config_key, &key.fingerprint) == Some(false))
        .map(|key| {
            let message = format!(
                "{} of configuration {} cannot be restored: the key {} is not at hand",
                counted(key.backups, "backup", "backups"),
                key.config_key,
                key.fingerprint
            );
            NewAlert::new(
                AlertKind::KeyMissing,
                format!("{} {}", key.config_key, key.fingerprint),
                message,
            )
            .severity(AlertSeverity::Critical)
            .with(CONFIG_DETAIL, &key.config_key)
            .with("fingerprint", &key.fingerprint)
            .with("count", key.backups)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use backup_core::retention::Retention;
    use backup_core::schedule::{VerifyPolicy, VerifyWhen};
    use backup_core::{BackupSource, BackupType};

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-26T12:00:00Z".parse().unwrap()
    }

    fn used(bytes: u64) -> ConfigUsage {
        ConfigUsage {
            config_key: "default".to_owned(),
            total_size_bytes: bytes,
            backup_count: 1,
        }
    }

    #[test]
    fn usage_is_an_alert_from_the_first_step_and_critical_from_the_last() {
        let of = |configs: &[BackupConfig], bytes| usage(configs, &[used(bytes)], Some(1000)).pop();
        assert_eq!(of(&[], 799), None);
        assert_eq!(of(&[], 800), None, "more than that, not as much");
        let warning = of(&[], 801).unwrap();
        assert_eq!(
            (warning.severity, warning.details["step"].as_str()),
            (AlertSeverity::Warning, "80")
        );
        assert_eq!(of(&[], 950).unwrap().details["step"], "90");
        assert_eq!(of(&[], 2000).unwrap().severity, AlertSeverity::Critical);
        let mut config = BackupConfig::defaults("default", now());
        config.usage_alert_percents = vec![50];
        assert_eq!(of(&[config.clone()], 501).unwrap().severity, AlertSeverity::Warning);
        config.usage_alert_percents = Vec::new();
        assert_eq!(of(&[config], 5000), None);
        assert_eq!(usage(&[], &[used(5000)], None), Vec::new());
    }

    fn days_ago(days: i64) -> DateTime<Utc> {
        now() - TimeDelta::days(days)
    }

    /// A nightly schedule that was made long ago. A backup of it passed, and somebody changed it, so many days ago.
    fn drilled(when: VerifyWhen, passed: Option<i64>, changed: i64) -> Schedule {
        Schedule {
            id: "0193a1de-0000-7000-8000-000000000001".parse().unwrap(),
            config_key: "default".to_owned(),
            name: "nightly".to_owned(),
            description: None,
            is_enabled: true,
            backup_type: BackupType::Full,
            backup_source: BackupSource::Files,
            cron_expression: "0 3 * * *".to_owned(),
            timezone: "UTC".to_owned(),
            retention: Retention::default(),
            verification: VerifyPolicy {
                when,
                ..VerifyPolicy::default()
            },
            consolidate_every: None,
            next_run_at: None,
            last_run_at: None,
            last_success_at: None,
            last_verify_passed_at: passed.map(days_ago),
            start_window: None,
            created_at: days_ago(900),
            updated_at: days_ago(changed),
            created_by: None,
        }
    }

    fn is_overdue(schedule: Schedule, is_told: bool) -> bool {
        let told: HashSet<String> = is_told.then(|| schedule.id.to_string()).into_iter().collect();
        !drills(&[schedule], &told, now()).is_empty()
    }

    #[test]
    fn a_drill_is_overdue_once_its_policy_has_had_time() {
        let overdue = |when, passed, changed| is_overdue(drilled(when, passed, changed), false);
        assert!(!overdue(VerifyWhen::Weekly, None, 10));
        assert!(overdue(VerifyWhen::Weekly, None, 11));
        assert!(!overdue(VerifyWhen::Weekly, Some(10), 100));
        assert!(overdue(VerifyWhen::Weekly, Some(11), 100));
        assert!(!overdue(VerifyWhen::Never, None, 100));
        let disabled = Schedule {
            is_enabled: false,
            ..drilled(VerifyWhen::Weekly, Some(11), 100)
        };
        assert!(!is_overdue(disabled, false));
        // By a clock that was ahead, it passed in a year, and was changed in a year.
        assert!(!overdue(VerifyWhen::Weekly, Some(-365), 10));
        assert!(overdue(VerifyWhen::Weekly, Some(-365), 11));
        assert!(!overdue(VerifyWhen::Weekly, Some(10), -365));
        assert!(overdue(VerifyWhen::Weekly, Some(-365), -365));
    }

    #[test]
    fn a_drill_is_not_overdue_before_there_is_a_backup_to_take() {
        let overdue = |cron: &str, when, passed| {
            let schedule = Schedule {
                cron_expression: cron.to_owned(),
                ..drilled(when, Some(passed), 100)
            };
            is_overdue(schedule, false)
        };
        // It is Thursday.
        assert!(overdue("0 3 * * *", VerifyWhen::Each, 3));
        assert!(!overdue("0 3 * * 0", VerifyWhen::Each, 3));
        assert!(!overdue("0 3 * * 0", VerifyWhen::Each, 4));
        assert!(overdue("0 3 * * 0", VerifyWhen::Each, 9));
        assert!(!overdue("0 3 1 * *", VerifyWhen::Weekly, 25));
        assert!(overdue("0 3 1 * *", VerifyWhen::Weekly, 40));
        // What cannot be read is held to what the policy says.
        assert!(overdue("never", VerifyWhen::Each, 3));
    }

    #[test]
    fn what_is_told_of_a_drill_is_over_once_one_passes_and_not_by_a_change() {
        let told = |when, passed, changed| is_overdue(drilled(when, passed, changed), true);
        assert!(!is_overdue(drilled(VerifyWhen::Weekly, Some(20), 0), false));
        assert!(told(VerifyWhen::Weekly, Some(20), 0));
        assert!(told(VerifyWhen::Weekly, None, 0));
        assert!(told(VerifyWhen::Weekly, Some(-365), 0), "by a clock that was ahead");
        assert!(!told(VerifyWhen::Weekly, Some(0), 100));
        assert!(!told(VerifyWhen::Never, None, 0));
        let disabled = Schedule {
            is_enabled: false,
            ..drilled(VerifyWhen::Weekly, Some(20), 0)
        };
        assert!(!is_overdue(disabled, true));
    }

    #[test]
    fn a_verification_is_overdue_once_there_is_a_backup_as_old_as_the_limit() {
        let days = |days| Some(now() - TimeDelta::days(days));
        let overdue = |oldest_backup, newest_verification| {
            let age = VerificationAge {
                oldest_backup,
                newest_verification,
            };
            !verifications(&[], &[("default".to_owned(), age)], now()).is_empty()
        };
        assert!(!overdue(None, None));
        assert!(!overdue(days(29), None));
        assert!(overdue(days(31), None));
        assert!(overdue(days(100), days(31)));
        assert!(!overdue(days(100), days(29)));
        let mut config = BackupConfig::defaults("default", now());
        config.verify_within_days = None;
        let age = VerificationAge {
            oldest_backup: days(500),
            newest_verification: None,
        };
        assert_eq!(
            verifications(&[config], &[("default".to_owned(), age)], now()),
            Vec::new()
        );
    }

    #[test]
    fn only_a_key_that_is_known_to_be_gone_is_missing() {
        let uses = [KeyUse {
            config_key: "default".to_owned(),
            fingerprint: "ab".to_owned(),
            backups: 3,
        }];
        assert_eq!(missing_keys(&uses, |_, _| Some(true)), Vec::new());
        assert_eq!(missing_keys(&uses, |_, _| None), Vec::new());
        let alert = missing_keys(&uses, |_, _| Some(false)).pop().unwrap();
        assert_eq!(
            (alert.severity, alert.details["count"].as_str()),
            (AlertSeverity::Critical, "3")
        );
    }
}
