//! What the programs are made of: crates, and the packages of the console.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use backup_tests::tools;
use serde_json::Value;

use super::package::PROGRAMS;
use super::text;
use crate::cargo::cargo;
use crate::failed;

/// Where a component comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Registry {
    Cargo,
    Npm,
}

/// One crate or package of somebody else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Component {
    pub(super) registry: Registry,
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) licence: String,
    /// Its sources.
    pub(super) folder: PathBuf,
    /// Of a crate: the SHA-256 of what was downloaded.
    pub(super) checksum: Option<String>,
}

impl Component {
    /// Its package URL, by which other tools know it.
    pub(super) fn purl(&self) -> String {
        let kind = match self.registry {
            Registry::Cargo => "cargo",
            Registry::Npm => "npm",
        };
        let escape = |text: &str| text.replace('@', "%40").replace('+', "%2B");
        format!("pkg:{kind}/{}@{}", escape(&self.name), escape(&self.version))
    }
}

/// All of them, in order. Crates that only build others are among them, as some bring the sources of a C library; macros
/// are not.
pub(super) fn of_programs() -> io::Result<Vec<Component>> {
    let mut all = crates()?;
    all.extend(packages()?);
    all.sort();
    all.dedup();
    Ok(all)
}

fn crates() -> io::Result<Vec<Component>> {
    let used = used()?;
    let checksums = checksums(&fs::read_to_string(tools::workspace().join("Cargo.lock"))?);
    let metadata = text(&mut cargo(&[
        "metadata",
        "--locked",
        "--all-features",
        "--format-version=1",
    ]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| !package["source"].is_null())
        .filter_map(|package| {
            let word = |field: &str| package[field].as_str().unwrap_or_default().to_owned();
            let key = (word("name"), word("version"));
            used.contains(&key).then(|| {
                Ok(Component {
                    registry: Registry::Cargo,
                    licence: licence(&key.0, &word("license"))?,
                    folder: PathBuf::from(word("manifest_path"))
                        .parent()
                        .map(PathBuf::from)
                        .unwrap_or_default(),
                    checksum: checksums.get(&key).cloned(),
                    name: key.0,
                    version: key.1,
                })
            })
        })
        .collect()
}

/// Name and version of every crate that goes into the programs with their features, on this kind of machine.
fn used() -> io::Result<BTreeSet<(String, String)>> {
    let mut tree = cargo(&[
        "tree",
        "--locked",
        "--prefix=none",
        "--edges=normal,build,no-proc-macro",
        "--format={p}",
    ]);
    for program in PROGRAMS {
        tree.args(["--package", program]);
    }
    let listed = text(&mut tree)?;
    let pair = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    };
    Ok(listed.lines().filter_map(pair).collect())
}

/// The packages that the console's own build does not need for itself alone.
fn packages() -> io::Result<Vec<Component>> {
    let ui = tools::workspace().join("crates/backup-console/ui");
    let lock: Value = serde_json::from_slice(&fs::read(ui.join("package-lock.json"))?)?;
    let all = lock["packages"].as_object().into_iter().flatten();
    all.filter(|(path, package)| !path.is_empty() && package["dev"] != true)
        .map(|(path, package)| {
            let name = path.rsplit("node_modules/").next().unwrap_or(path).to_owned();
            Ok(Component {
                registry: Registry::Npm,
                version: package["version"].as_str().unwrap_or_default().to_owned(),
                licence: licence(&name, package["license"].as_str().unwrap_or_default())?,
                folder: ui.join(path),
                checksum: None,
                name,
            })
        })
        .collect()
}

/// The expression as SPDX writes it today.
fn licence(name: &str, text: &str) -> io::Result<String> {
    if text.is_empty() {
        return Err(failed(format!("{name} names no licence")));
    }
    Ok(text.replace(" / ", " OR ").replace('/', " OR "))
}

fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let field = |block: &str, name: &str| {
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
        line.map(|value| value.trim_end_matches('"').to_owned())
    };
    let blocks = lock.split("[[package]]").filter_map(|block| {
        let key = (field(block, "name")?, field(block, "version")?);
        Some((key, field(block, "checksum")?))
    });
    blocks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inventory_holds_what_is_in_the_programs_and_no_tools_of_ours() {
        let all = of_programs().unwrap();
        let found = |registry, name: &str| all.iter().find(|one| one.registry == registry && one.name == name);
        for name in [
            "tokio",
            "libsqlite3-sys",
            "openssl-src",
            "pq-src",
            "opentelemetry-otlp",
            "clap",
        ] {
            let one = found(Registry::Cargo, name).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(one.checksum.as_ref().unwrap().len(), 64, "{name}");
        }
        for name in ["react", "@mantine/core"] {
            assert!(found(Registry::Npm, name).is_some(), "{name} is missing");
        }
        assert!(found(Registry::Npm, "vite").is_none() && found(Registry::Cargo, "proptest").is_none());
        assert!(found(Registry::Cargo, "backup-core").is_none());
        let mantine = found(Registry::Npm, "@mantine/core").unwrap();
        assert_eq!(mantine.purl(), format!("pkg:npm/%40mantine/core@{}", mantine.version));
    }
}
