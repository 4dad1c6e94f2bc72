//! Paths in the store: relative, without tricks, and the shape of a receipt's.

use std::io;

use backup_core::{BackupId, Random};
use chrono::{DateTime, Days, NaiveDate};

use crate::error::{At, Error};

/// The end of a name that no finished blob has.
pub(crate) const PARTIAL_SUFFIX: &str = ".partial";
/// The beginning of the name of what [`crate::BlobStore::probe`] writes.
pub(crate) const PROBE_PREFIX: &str = ".probe-";

/// How many days around an identifier's own time its receipt is looked for before everything is listed: a backup's
/// folder is the day on which a worker took it up, which may be later than the day on which it was asked for.
const DAYS_NEAR: u64 = 7;

/// Refuses a path that is not plainly inside the store.
pub(crate) fn check<'a>(at: At<'a>, path: &'a str) -> Result<&'a str, Error> {
    let reason = if path.is_empty() {
        "the path is empty"
    } else if path.len() > 900 {
        "the path is longer than 900 bytes"
    } else if path
        .split('/')
        .any(|name| name.is_empty() || name == "." || name == "..")
    {
        "the path is not relative and plain"
    } else if path.split('/').any(|name| name.len() > 200) {
        "a name in the path is longer than 200 bytes"
    } else if path.chars().any(|c| c.is_control() || c == '\\') {
        "the path holds a control character or a backslash"
    } else {
        return Ok(path);
    };
    Err(at.refused(reason, "Give a path like 2026/11-23/NAME, relative to the storage."))
}

/// Whether the path is that of a folder in which ours are: `YYYY` or `YYYY/MM-DD`.
pub(crate) fn is_date(path: &str) -> bool {
    let is_year = path.bytes().take(4).all(|byte| byte.is_ascii_digit());
    match path.len() {
        4 => is_year,
        10 => is_year && NaiveDate::parse_from_str(path, "%Y/%m-%d").is_ok(),
        _ => false,
    }
}

/// Whether the path is a file's that a listing tells: in the store itself, in `YYYY` or in `YYYY/MM-DD`.
pub(crate) fn is_listed(path: &str) -> bool {
    path.rsplit_once('/').is_none_or(|(folder, _)| is_date(folder))
}

/// Whether the path is a file's in `YYYY/MM-DD`, where archives and receipts are.
pub(crate) fn is_in_day(path: &str) -> bool {
    path.rsplit_once('/')
        .is_some_and(|(folder, _)| folder.len() == 10 && is_date(folder))
}

/// Whether the path is `YYYY/MM-DD/ID.json`.
pub(crate) fn is_receipt(path: &str) -> bool {
    is_in_day(path)
        && name_of(path)
            .strip_suffix(".json")
            .is_some_and(|id| id.parse::<BackupId>().is_ok())
}

/// Whether the path is what an upload or a probe that was killed left behind.
pub(crate) fn is_partial(path: &str) -> bool {
    let name = name_of(path);
    name.starts_with(PROBE_PREFIX) || (name.starts_with('.') && name.ends_with(PARTIAL_SUFFIX))
}

/// A name that nothing else has, not even on another machine or in another container.
pub(crate) fn unique(random: &dyn Random) -> io::Result<String> {
    let mut unique = [0; 16];
    random.fill(&mut unique)?;
    Ok(format!("{:032x}", u128::from_be_bytes(unique)))
}

/// Where a probe writes: where no other one does.
pub(crate) fn probe(random: &dyn Random) -> io::Result<String> {
    Ok(format!("{PROBE_PREFIX}{}", unique(random)?))
}

/// The last part of the path.
pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The receipt that would stand beside this archive.
pub(crate) fn receipt_beside(path: &str) -> String {
    let (folder, name) = path
        .rsplit_once('/')
        .map_or(("", path), |(folder, name)| (folder, name));
    let id = name.split('.').next().unwrap_or(name);
    if folder.is_empty() {
        format!("{id}.json")
    } else {
        format!("{folder}/{id}.json")
    }
}

/// Where the receipt of `id` most likely is, likeliest first; empty where the identifier tells no time.
pub(crate) fn likely_receipts(id: BackupId) -> Vec<String> {
    let bytes = id.as_bytes();
    if bytes[6] >> 4 != 7 {
        return Vec::new();
    }
    let millis = bytes[..6]
        .iter()
        .fold(0_i64, |value, byte| value << 8 | i64::from(*byte));
    let Some(made) = DateTime::from_timestamp_millis(millis).map(|time| time.date_naive()) else {
        return Vec::new();
    };
    let later = (0..=DAYS_NEAR).filter_map(|days| made.checked_add_days(Days::new(days)));
    // A clock that was put back between asking and starting.
    let before = made.checked_sub_days(Days::new(1));
    later
        .chain(before)
        .map(|day| format!("{}/{id}.json", day.format("%Y/%m-%d")))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use backup_core::OsRandom;

    use super::*;

    #[test]
    fn nothing_leads_out_of_the_store() {
        let at = At::whole("folder /x", "read");
        for path in [
            "",
            "/etc/passwd",
            "../a",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a/.",
            "a\\b",
            "a\nb",
            "a\0b",
        ] {
            assert!(matches!(check(at, path), Err(Error::Refused(_))), "{path:?}");
        }
        for path in ["a", "2026/11-23/x.tar.gz.enc", ".hidden", "目錄/檔案", "a b/..c"] {
            assert_eq!(check(at, path).unwrap(), path);
        }
    }

    #[test]
    fn only_receipts_are_receipts() {
        let id = "01936c1e-7a2b-7000-8000-000000000001";
        assert!(is_receipt(&format!("2026/11-23/{id}.json")));
        for path in [
            format!("{id}.json"),
            format!("2026/{id}.json"),
            format!("2026/13-01/{id}.json"),
            format!("2026/11-31/{id}.json"),
            format!("x/2026/11-23/{id}.json"),
            "2026/11-23/notes.json".to_owned(),
            format!("2026/11-23/{id}.tar.gz.enc"),
            format!("2026/11-23/.{id}.json.Ab3dE.partial"),
        ] {
            assert!(!is_receipt(&path), "{path}");
        }
    }

    #[test]
    fn only_folders_of_dates_are_looked_into() {
        for path in ["2026", "2026/11-23", "1999/02-28"] {
            assert!(is_date(path), "{path}");
        }
        for path in [
            "",
            "lost+found",
            ".snapshot",
            "20x6",
            "2026/13-01",
            "2026/1123",
            "2026/11-23/x",
            "+026/11-23",
        ] {
            assert!(!is_date(path), "{path}");
        }
    }

    #[test]
    fn probes_do_not_meet_and_are_known_for_what_they_are() {
        let probes: HashSet<String> = (0..100).map(|_| probe(&OsRandom).unwrap()).collect();
        assert_eq!(probes.len(), 100);
        let at = At::whole("folder /x", "write");
        assert!(probes.iter().all(|path| is_partial(path) && check(at, path).is_ok()));
    }

    #[test]
    fn an_identifier_leads_to_its_day_first() {
        // 2024-11-27T05:04:08Z.
        let id: BackupId = "01936c1e-7a2b-7000-8000-000000000001".parse().unwrap();
        let likely = likely_receipts(id);
        assert_eq!(likely[0], format!("2024/11-27/{id}.json"));
        assert_eq!(likely[1], format!("2024/11-28/{id}.json"));
        assert!(likely.contains(&format!("2024/11-26/{id}.json")));
        let random: BackupId = "a1936c1e-7a2b-4000-8000-000000000001".parse().unwrap();
        assert!(likely_receipts(random).is_empty());
    }

    #[test]
    fn the_receipt_stands_beside_its_archive() {
        assert_eq!(receipt_beside("2026/11-23/id.tar.gz.enc"), "2026/11-23/id.json");
        assert_eq!(receipt_beside("id.tar.zst"), "id.json");
    }
}
