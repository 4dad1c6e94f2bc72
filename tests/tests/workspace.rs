//! The shape of the workspace: what may depend on what, and which crates alone may know what.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use backup_tests::tools;
use serde_json::Value;

/// For each of our crates, which of our crates it may be built from. `docs/architecture.md` shows the same as a picture.
const MAY_USE: &[(&str, &[&str])] = &[
    ("backup-core", &[]),
    ("backup-archive", &["backup-core"]),
    ("backup-sources", &["backup-core", "backup-archive"]),
    ("backup-storage", &["backup-core"]),
    ("backup-db", &["backup-core"]),
    ("backup-notify", &["backup-core"]),
    ("backup-console", &[]),
    (
        "backup-engine",
        &[
            "backup-core",
            "backup-archive",
            "backup-sources",
            "backup-storage",
            "backup-db",
            "backup-notify",
        ],
    ),
    (
        "backup-api",
        &[
            "backup-core",
            "backup-archive",
            "backup-sources",
            "backup-storage",
            "backup-db",
            "backup-notify",
            "backup-engine",
            "backup-console",
        ],
    ),
];

/// Crates from outside that one of ours alone may name.
const ONLY: &[(&str, &str)] = &[
    ("croner", "backup-core"),
    ("chrono-tz", "backup-core"),
    ("object_store", "backup-storage"),
    ("diesel", "backup-db"),
    ("diesel_migrations", "backup-db"),
    ("lettre", "backup-notify"),
    ("actix-web", "backup-api"),
    ("openidconnect", "backup-api"),
    ("utoipa", "backup-api"),
    ("libdeflater", "backup-archive"),
    ("zstd", "backup-archive"),
];

/// The dependencies of each package of the workspace that end up in a program; not those of tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = tools::run(
        Command::new(cargo)
            .args(["metadata", "--no-deps", "--offline", "--locked", "--format-version=1"])
            .current_dir(tools::workspace()),
    )
    .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let used = package["dependencies"].as_array().unwrap().iter();
            let used = used.filter(|dependency| dependency["kind"] != "dev");
            (
                text(&package["name"]),
                used.map(|dependency| text(&dependency["name"])).collect(),
            )
        })
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let dependencies = dependencies();
    let libraries: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    for (name, used) in &dependencies {
        let ours: BTreeSet<&str> = used
            .iter()
            .map(String::as_str)
            .filter(|other| other.starts_with("backup-"))
            .collect();
        match MAY_USE.iter().find(|(library, _)| library == name) {
            Some((_, allowed)) => {
                let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
                let wrong: Vec<_> = ours.difference(&allowed).collect();
                assert!(wrong.is_empty(), "{name} may not depend on {wrong:?}");
            }
            // The kit knows programs and servers, not crates, so that every crate's tests may use it.
            None if name == "backup-tests" => assert!(ours.is_empty(), "the test kit depends on {ours:?}"),
            None => assert!(
                ["api-server", "backupctl", "scheduler", "xtask"].contains(&name.as_str()),
                "{name} stands in no layer: add it to MAY_USE and to docs/architecture.md"
            ),
        }
        assert!(
            !libraries.contains(name.as_str()) || !used.contains("backup-tests"),
            "{name} would ship the test kit"
        );
    }
    for library in libraries {
        assert!(dependencies.contains_key(library), "{library} is no longer there");
    }
}

#[test]
fn what_only_one_crate_may_know() {
    for (name, used) in dependencies() {
        for (outside, owner) in ONLY {
            assert!(
                !used.contains(*outside) || name == *owner,
                "{name} names {outside}, which is for {owner} alone"
            );
        }
    }
}
