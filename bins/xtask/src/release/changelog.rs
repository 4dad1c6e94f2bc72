//! CHANGELOG.md: what was released, and the heading of what is to be.

use std::io;

use super::version::Version;
use crate::failed;

const UNRELEASED: &str = "## [Unreleased]";

/// The newest version that it says is released.
pub(super) fn newest(text: &str) -> Option<Version> {
    let headings = text.lines().filter_map(|line| line.strip_prefix("## ["));
    headings
        .filter_map(|heading| heading.split(']').next()?.parse().ok())
        .max()
}

/// The text with what was unreleased under the heading of this version and day, and nothing unreleased.
///
/// # Errors
/// Where nothing is unreleased.
pub(super) fn released(text: &str, version: Version, day: &str) -> io::Result<String> {
    let missing = || failed("CHANGELOG.md says nothing under [Unreleased] (HINT: Write down what changes for people.)");
    let (before, rest) = text.split_once(UNRELEASED).ok_or_else(missing)?;
    let changes = rest.split("\n## ").next().unwrap_or_default();
    if !changes.lines().any(|line| line.starts_with("- ")) {
        return Err(missing());
    }
    Ok(format!("{before}{UNRELEASED}\n\n## [{version}] - {day}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Much.\n\n## [0.9.0] - 2026-01-02\n\n- All.\n";

    #[test]
    fn the_unreleased_changes_get_a_heading_and_the_next_ones_a_place() {
        let text = released(TEXT, "0.10.0".parse().unwrap(), "2026-03-04").unwrap();
        let expected = "# Changelog\n\n## [Unreleased]\n\n## [0.10.0] - 2026-03-04\n\n### Added\n\n- Much.\n\n\
                        ## [0.9.0] - 2026-01-02\n\n- All.\n";
        assert_eq!(text, expected);
        assert_eq!(newest(&text), Some("0.10.0".parse().unwrap()));
        // A second release of nothing.
        assert!(released(&text, "0.11.0".parse().unwrap(), "2026-03-05").is_err());
        assert!(released("# Changelog\n", "0.11.0".parse().unwrap(), "2026-03-05").is_err());
    }
}
