//! What is shipped beside the programs says what they say.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeSet;
use std::fs;

use backup_tests::process::Program;
use backup_tests::tools;
use serde_json::Value;

/// Settings that Debian's packages ship.
const SETTINGS: &str = include_str!("../../packaging/debian/backup.env");
const RULES: &str = include_str!("../../packaging/prometheus/backup.rules.yml");
const DASHBOARD: &str = include_str!("../../packaging/prometheus/backup.dashboard.json");
const METRICS: &str = include_str!("../../crates/backup-api/src/metrics.rs");
const DOCKERFILE: &str = include_str!("../../packaging/docker/Dockerfile");
const NOT_COPIED: &str = include_str!("../../packaging/docker/Dockerfile.dockerignore");
const COMPOSE: &str = include_str!("../../packaging/docker/compose.yaml");
const UNITS: [&str; 2] = [
    include_str!("../../packaging/debian/backup-api-server.service"),
    include_str!("../../packaging/debian/backup-scheduler.service"),
];
const POD: &str = include_str!("../../packaging/helm/backup/templates/_helpers.tpl");
const README: &str = include_str!("../../README.md");
const CONSOLE: &str = include_str!("../../crates/backup-console/ui/package.json");

const PROGRAMS: [&str; 3] = ["api-server", "scheduler", "backupctl"];

/// Variables that only some builds know.
const SOMETIMES: [&str; 2] = ["BACKUP_FAULT_AT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

#[test]
fn the_settings_file_names_every_variable_and_no_other() {
    let mut known = BTreeSet::new();
    for program in PROGRAMS {
        known.extend(variables(&help(program, &[])));
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
fn a_shell_reads_the_settings_file_as_systemd_does() {
    let lines = SETTINGS.lines().map(|line| line.trim_start_matches('#'));
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let values: Vec<&str> = lines
        .filter_map(|line| line.split_once('='))
        .filter_map(|(name, value)| is_name(name).then_some(value))
        .collect();
    assert!(values.len() > 30, "{values:?}");
    for value in values {
        // Only between single quotes do both take every character as it is.
        let inner = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
        assert!(inner.is_some_and(|inner| !inner.contains('\'')), "{value}");
    }
}

/// What a program, or one of its commands, says of itself.
fn help(program: &str, command: &[String]) -> String {
    let args = command.iter().map(String::as_str).chain(["--help"]);
    Program::new(program).args(args).run().expect(0).stdout
}

/// The variables that a help names.
fn variables(help: &str) -> BTreeSet<String> {
    let named = help.split("[env: ").skip(1);
    named
        .map(|after| after.split(['=', ']']).next().unwrap().to_owned())
        .collect()
}

/// The commands that a help lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = listed.lines().take_while(|line| !line.is_empty());
    lines
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_documents_name_every_variable_of_every_command() {
    let (mut known, mut asked) = (BTreeSet::new(), 0);
    for program in PROGRAMS {
        let mut open: Vec<Vec<String>> = vec![Vec::new()];
        while let Some(command) = open.pop() {
            let help = help(program, &command);
            known.extend(variables(&help));
            open.extend(commands(&help).into_iter().map(|name| [&command[..], &[name]].concat()));
            asked += 1;
        }
    }
    assert!(asked > 15, "commands were overlooked: {asked}");
    let mut text = README.to_owned();
    for page in fs::read_dir(tools::workspace().join("docs")).unwrap() {
        let page = page.unwrap().path();
        if page.extension().is_some_and(|extension| extension == "md") {
            text += &fs::read_to_string(page).unwrap();
        }
    }
    let words: BTreeSet<&str> = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).collect();
    let missing: Vec<&String> = known
        .iter()
        .filter(|name| !words.contains(name.as_str()) && !SOMETIMES.contains(&name.as_str()))
        .collect();
    assert_eq!(missing, Vec::<&String>::new());
}

#[test]
fn the_image_is_built_with_what_the_build_needs() {
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(DOCKERFILE.contains(&format!("\nFROM rust:{rust}-")), "not Rust {rust}");
    assert!(README.contains(&format!("Rust {rust} ")), "not Rust {rust}");
    let console: Value = serde_json::from_str(CONSOLE).unwrap();
    let node = console["engines"]["node"].as_str().unwrap().trim_start_matches(">=");
    assert!(README.contains(&format!("Node.js {node} ")), "not Node.js {node}");
    let major = |version: &str| version.split(['.', '-']).next().unwrap().parse::<u32>().unwrap();
    let image = DOCKERFILE
        .split("\nFROM node:")
        .nth(1)
        .expect("the console is built by node");
    assert!(major(image) > major(node), "not Node.js {node}");
    // The build calls npm, which is a link in node's image.
    assert!(DOCKERFILE.contains("/npm-cli.js /usr/local/bin/npm\n"));
}

#[test]
fn the_image_is_built_without_the_secrets_of_whoever_builds_it() {
    assert!(
        DOCKERFILE.contains("\nCOPY . .\n"),
        "all that is not excluded is copied"
    );
    for pattern in ["**/.env", "**/.env.*", "**/.git", "target", "data"] {
        assert!(NOT_COPIED.lines().any(|line| line == pattern), "{pattern}");
    }
}

#[test]
fn compose_hands_over_the_passphrases_before_a_change_too() {
    for name in ["BACKUP_ENCRYPTION_KEY", "BACKUP_ENCRYPTION_KEY_PREVIOUS"] {
        assert!(COMPOSE.contains(&format!("\n  {name}: ${{{name}:")), "{name}");
    }
}

#[test]
fn the_services_keep_little_of_what_they_have_freed() {
    for unit in UNITS {
        assert!(unit.contains("\nEnvironment=MALLOC_ARENA_MAX=2\n"), "{unit}");
    }
    let (_, environment) = DOCKERFILE.split_once("\nENV ").expect("the image's variables");
    let environment = environment.split("\nEXPOSE").next().unwrap();
    assert!(environment.contains("MALLOC_ARENA_MAX=2"), "{environment}");
}

#[test]
fn no_pod_of_the_chart_makes_a_catalog_of_its_own() {
    let (_, variable) = POD.split_once("- name: CATALOG_URL\n").expect("a variable");
    let variable = variable.split("- name: ").next().unwrap();
    assert!(
        variable.contains("secretKeyRef:") && variable.contains("key: CATALOG_URL\n"),
        "{variable}"
    );
    // Where it may be missing, it is: the program then falls back to a file in its own folder.
    assert!(!variable.contains("optional"), "{variable}");
}

#[test]
fn the_chart_gives_uploads_that_are_only_read_to_nobody() {
    // Where the mount alone is read-only, kubelet changes group and modes of the application's files all the same.
    let claim = "claimName: {{ . }}\n";
    let (_, volume) = POD.split_once(claim).expect("the claim of the uploads");
    let volume = volume.split("{{- end }}").next().unwrap();
    assert!(
        volume.contains("\n            readOnly: {{ $values.uploads.readOnly }}\n"),
        "{volume}"
    );
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
