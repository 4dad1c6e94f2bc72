//! What is shipped beside the programs says what they say.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeSet;

use backup_tests::process::Program;

/// Settings that Debian's packages ship.
const SETTINGS: &str = include_str!("../../packaging/debian/backup.env");
const RULES: &str = include_str!("../../packaging/prometheus/backup.rules.yml");
const DASHBOARD: &str = include_str!("../../packaging/prometheus/backup.dashboard.json");
const METRICS: &str = include_str!("../../crates/backup-api/src/metrics.rs");

/// Variables that only some builds know.
const SOMETIMES: [&str; 2] = ["BACKUP_FAULT_AT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

#[test]
fn the_settings_file_names_every_variable_and_no_other() {
    let mut known = BTreeSet::new();
    for program in ["api-server", "scheduler", "backupctl"] {
        let help = Program::new(program).args(["--help"]).run().expect(0).stdout;
        let variables = help.split("[env: ").skip(1);
        known.extend(variables.map(|after| after.split(['=', ']']).next().unwrap().to_owned()));
    }
    let mut named: BTreeSet<String> = SETTINGS
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    for name in SOMETIMES {
        known.remove(name);
        named.remove(name);
    }
    assert_eq!(named, known);
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_there_are() {
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'))
            .filter(|word| word.starts_with("backup_") || word.starts_with("storage_"))
            .map(str::to_owned)
            .collect()
    };
    // What a rule records is named job…:backup_….
    let recorded: BTreeSet<String> = RULES
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .filter_map(|name| Some(name.split(':').nth(1)?.to_owned()))
        .collect();
    assert!(recorded.len() >= 4, "{recorded:?}");
    let told = words(METRICS);
    let asked = &words(RULES) | &words(DASHBOARD);
    let unknown: Vec<&String> = asked
        .difference(&told)
        .filter(|name| !recorded.contains(*name) && !told.contains(of_histogram(name)))
        .collect();
    assert!(asked.len() > 12, "{asked:?}");
    assert_eq!(unknown, Vec::<&String>::new());
}

/// The histogram that a series of this name is a part of.
fn of_histogram(series: &str) -> &str {
    let mut parts = ["_bucket", "_sum", "_count"].into_iter();
    parts.find_map(|part| series.strip_suffix(part)).unwrap_or(series)
}
