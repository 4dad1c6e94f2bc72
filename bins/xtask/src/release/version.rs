//! A version, and the files that it stands in.

use std::fmt;
use std::io;
use std::str::FromStr;

use crate::failed;

/// Three numbers; what comes before a release (`-rc.1`) is not released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version([u64; 3]);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl FromStr for Version {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        let numbers: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
        numbers
            .ok()
            .and_then(|numbers| numbers.try_into().ok())
            .map(Self)
            .filter(|version| version.to_string() == text)
            .ok_or_else(|| failed(format!("{text:?} is no version (HINT: Three numbers, such as 1.2.3.)")))
    }
}

/// A file that holds the version, and how it is set there.
pub(super) struct Holder {
    pub(super) path: &'static str,
    pub(super) set: fn(&str, Version) -> io::Result<String>,
}

/// All of them.
pub(super) const HOLDERS: [Holder; 4] = [
    Holder {
        path: "Cargo.toml",
        set: |text, version| replaced(text, "[workspace.package]\nversion = \"", &version.to_string()),
    },
    Holder {
        path: "Cargo.lock",
        set: |text, version| Ok(in_lock(text, version)),
    },
    Holder {
        path: "packaging/helm/backup/Chart.yaml",
        set: |text, version| {
            let text = line_replaced(text, "version: ", &version.to_string())?;
            line_replaced(&text, "appVersion: ", &format!("\"{version}\""))
        },
    },
    Holder {
        path: "docs/openapi.json",
        set: |text, version| line_replaced(text, "    \"version\": ", &format!("\"{version}\"")),
    },
];

/// The version that the workspace has, by its Cargo.toml.
pub(super) fn of_workspace(manifest: &str) -> io::Result<Version> {
    let behind = manifest.split("[workspace.package]\nversion = \"").nth(1);
    behind
        .and_then(|rest| rest.split('"').next())
        .ok_or_else(|| failed("Cargo.toml gives the workspace no version"))?
        .parse()
}

/// The text with what stands between `before` and the next quotation mark replaced.
fn replaced(text: &str, before: &str, value: &str) -> io::Result<String> {
    let (start, rest) = text
        .split_once(before)
        .ok_or_else(|| failed(format!("{before:?} is nowhere")))?;
    let (_, end) = rest
        .split_once('"')
        .ok_or_else(|| failed(format!("nothing ends {before:?}")))?;
    Ok(format!("{start}{before}{value}\"{end}"))
}

/// The text with what follows `before` in the one line that begins so replaced.
fn line_replaced(text: &str, before: &str, value: &str) -> io::Result<String> {
    let mut found = 0;
    let lines = text.lines().map(|line| {
        if line.starts_with(before) {
            found += 1;
            format!("{before}{value}\n")
        } else {
            format!("{line}\n")
        }
    });
    let text = lines.collect();
    if found == 1 {
        Ok(text)
    } else {
        Err(failed(format!("{found} lines begin with {before:?}")))
    }
}

/// The packages of this workspace are those that come from nowhere else.
fn in_lock(text: &str, version: Version) -> String {
    let ours = |block: &str| block.starts_with("\nname = ") && !block.contains("\nsource = ");
    let blocks = text.split("[[package]]").map(|block| {
        let lines = block.split('\n').map(|line| {
            if ours(block) && line.starts_with("version = ") {
                format!("version = \"{version}\"")
            } else {
                line.to_owned()
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    blocks.collect::<Vec<_>>().join("[[package]]")
}

#[cfg(test)]
mod tests {
    use backup_tests::tools;

    use super::*;

    #[test]
    fn versions_are_three_numbers_in_their_order() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("0.10.0") > version("0.9.9"));
        for text in [
            "",
            "1.2",
            "1.2.3.4",
            "1.2.x",
            "v1.2.3",
            "1.2.3-rc.1",
            "01.2.3",
            "1.+2.3",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    /// On the files as they are: cargo itself says whether the lock file is still the right one.
    #[test]
    fn the_version_is_set_everywhere_and_nothing_else_changes() {
        let version: Version = "97.98.99".parse().unwrap();
        for holder in HOLDERS {
            let before = std::fs::read_to_string(tools::workspace().join(holder.path)).unwrap();
            let after = (holder.set)(&before, version).unwrap();
            let changed: Vec<(&str, &str)> = before.lines().zip(after.lines()).filter(|(a, b)| a != b).collect();
            assert_eq!(before.lines().count(), after.lines().count(), "{}", holder.path);
            assert!(!changed.is_empty(), "{}", holder.path);
            let ours = of_workspace(&std::fs::read_to_string(tools::workspace().join("Cargo.toml")).unwrap()).unwrap();
            for (old, new) in changed {
                assert_eq!(old.replace(&ours.to_string(), "97.98.99"), new, "{}", holder.path);
            }
            if holder.path == "Cargo.lock" {
                assert_eq!(
                    after.matches("\"97.98.99\"").count(),
                    after.matches("\nname = ").count() - after.matches("\nsource = ").count()
                );
            }
        }
    }
}
