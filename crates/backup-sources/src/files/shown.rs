//! Paths as people see them.

use backup_core::EntryPath;
use backup_core::entry::InvalidPath;

use super::PART;

/// A path of the files, as the contents of a backup show it (`files/a/b`); a part of its own at the front may be left out
/// where the path does not begin with `files` itself.
///
/// # Errors
/// [`InvalidPath`] where no backup can show it so.
pub fn shown_path(text: &str) -> Result<EntryPath, InvalidPath> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let inner = match text.strip_prefix(PART) {
        Some("") => "",
        Some(rest) => rest.strip_prefix('/').unwrap_or(text),
        None => text,
    };
    EntryPath::from_shown(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_they_are_shown_and_without_their_part() {
        for (text, inner) in [
            ("files/a/b", "a/b"),
            ("files/a/", "a"),
            ("a/b", "a/b"),
            ("files/files/a", "files/a"),
            ("filesystem", "filesystem"),
            ("files", ""),
            ("files/", ""),
        ] {
            assert_eq!(
                shown_path(text).map(|path| path.to_string()),
                Ok(inner.to_owned()),
                "{text}"
            );
        }
        assert!(shown_path("files/../etc").is_err() && shown_path("/etc").is_err());
    }
}
