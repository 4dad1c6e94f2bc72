//! What a release does, as data: shown as it is, then executed.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use super::package::{self, Place};
use super::version::{self, HOLDERS, Version};
use super::{changelog, text};
use crate::failed;

const CHANGELOG: &str = "CHANGELOG.md";

/// All that a release does.
#[derive(Debug)]
pub(super) struct Plan {
    version: Version,
    /// Files of the repository and what they will hold.
    edits: Vec<(&'static str, String)>,
}

impl Plan {
    /// Looks through everything and plans the release of `root` on this day; changes nothing.
    ///
    /// # Errors
    /// A version that is no newer than what is released, or older than the workspace's; nothing under the changelog's
    /// unreleased heading; a file that has no place for the version.
    pub(super) fn new(root: &Path, version: &str, day: &str) -> io::Result<Self> {
        let version: Version = version.parse()?;
        let read = |path: &str| {
            fs::read_to_string(root.join(path)).map_err(|error| failed(format!("{path} cannot be read: {error}")))
        };
        let log = read(CHANGELOG)?;
        if let Some(newest) = changelog::newest(&log).filter(|newest| *newest >= version) {
            return Err(failed(format!(
                "{version} is not newer than {newest}, which is released"
            )));
        }
        let ours = version::of_workspace(&read("Cargo.toml")?)?;
        if version < ours {
            return Err(failed(format!("{version} is older than {ours}, which this is")));
        }
        let mut edits = vec![(CHANGELOG, changelog::released(&log, version, day)?)];
        for holder in HOLDERS {
            let before = read(holder.path)?;
            let after = (holder.set)(&before, version).map_err(|error| failed(format!("{}: {error}", holder.path)))?;
            if before != after {
                edits.push((holder.path, after));
            }
        }
        Ok(Self { version, edits })
    }

    /// Does it, and says what is left to people.
    pub(super) fn execute(&self, root: &Path) -> io::Result<()> {
        for (path, content) in &self.edits {
            fs::write(root.join(path), content)?;
        }
        let place = Place::new(&self.version)?;
        for step in package::STEPS {
            println!("== {}", step.name);
            (step.run)(&place)?;
        }
        println!("== fixture");
        let mut fixture = Command::new(std::env::current_exe()?);
        fixture
            .args(["fixture", &self.version.to_string()])
            .env("BACKUP_BIN_DIR", &place.programs);
        println!("{}", text(&mut fixture)?);
        println!("{}", place.folder.display());
        println!("What is left to do:\n{}", self.left());
        Ok(())
    }

    fn left(&self) -> String {
        let version = self.version;
        format!(
            "  git add --all && git commit --message 'Release {version}'\n  git tag --annotate v{version} --message 'Release {version}'"
        )
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Release {}:", self.version)?;
        for (path, _) in &self.edits {
            writeln!(f, "  change {path}")?;
        }
        for step in package::STEPS {
            writeln!(f, "  {}: {}", step.name, step.what)?;
        }
        writeln!(
            f,
            "  fixture: tests/fixtures/releases/{}, for later releases to open",
            self.version
        )?;
        write!(f, "Left to you:\n{}", self.left())
    }
}

#[cfg(test)]
mod tests {
    use backup_tests::tools;

    use super::*;

    /// A copy of the files that a release reads, with this changelog.
    fn scratch(log: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in HOLDERS.map(|holder| holder.path) {
            let copy = folder.path().join(path);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(tools::workspace().join(path), copy).unwrap();
        }
        fs::write(folder.path().join(CHANGELOG), log).unwrap();
        folder
    }

    #[test]
    fn a_plan_names_what_changes_and_changes_nothing() {
        let folder = scratch("## [Unreleased]\n\n- Much.\n");
        let plan = Plan::new(folder.path(), "97.0.0", "2026-03-04").unwrap();
        let shown = plan.to_string();
        for path in HOLDERS.iter().map(|holder| holder.path).chain([CHANGELOG]) {
            assert!(shown.contains(path), "{path}: {shown}");
        }
        assert!(shown.contains("git tag --annotate v97.0.0"), "{shown}");
        for path in HOLDERS.map(|holder| holder.path) {
            let (before, after) = (tools::workspace().join(path), folder.path().join(path));
            assert_eq!(fs::read(before).unwrap(), fs::read(after).unwrap(), "{path}");
        }
    }

    #[test]
    fn what_is_not_newer_or_changes_nothing_is_refused() {
        let refused = |log: &str, version: &str| {
            Plan::new(scratch(log).path(), version, "2026-03-04")
                .unwrap_err()
                .to_string()
        };
        let log = "## [Unreleased]\n\n- Much.\n\n## [98.0.0] - 2026-03-04\n";
        assert!(refused(log, "97.0.0").contains("not newer than 98.0.0"));
        assert!(refused(log, "98.0.0").contains("not newer than 98.0.0"));
        assert!(refused("## [Unreleased]\n\n- Much.\n", "0.0.1").contains("older than"));
        assert!(refused("## [Unreleased]\n\n## [98.0.0]\n\n- Much.\n", "99.0.0").contains("Unreleased"));
    }
}
