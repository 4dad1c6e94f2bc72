//! Which file was saved under which of its names, so that its other names become hard links.

use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use backup_core::EntryPath;
use rustix::fs::{AtFlags, Stat, StatxFlags, statx};

/// The most memory that names waiting for another name may take, in bytes.
const BUDGET: usize = 48 * 1024 * 1024;
/// What the table takes for each beside the path, in bytes.
const OVERHEAD: usize = 160;

/// Which file it is. A number is given to another file as soon as the last name of the first is gone, so the number alone
/// does not tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    number: (u64, u64),
    /// When it was made; `None` where the file system does not tell.
    birth: Option<(i64, u32)>,
    size: i64,
    modified: (i64, u64),
}

impl Identity {
    /// Of what `stat` describes, which is open as `file` or stands as `name` in the folder `file`.
    pub(super) fn of(stat: &Stat, file: BorrowedFd<'_>, name: Option<&CStr>) -> Self {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
        let birth = statx(file, name.unwrap_or_default(), flags, StatxFlags::BTIME)
            .ok()
            .filter(|found| found.stx_mask & StatxFlags::BTIME.bits() != 0)
            .map(|found| (found.stx_btime.tv_sec, found.stx_btime.tv_nsec));
        Self {
            number: (stat.st_dev, stat.st_ino),
            birth,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
        }
    }

    /// Whether both are the same file. Where the births are not known, a file that changed counts as another.
    fn is(&self, other: &Self) -> bool {
        match (self.birth, other.birth) {
            (Some(one), Some(two)) => one == two,
            _ => (self.size, self.modified) == (other.size, other.modified),
        }
    }
}

/// Files with several names of which some are still to come.
#[derive(Default)]
pub(super) struct Links {
    seen: HashMap<(u64, u64), First>,
    used: usize,
}

struct First {
    identity: Identity,
    path: EntryPath,
    to_come: u64,
}

impl Links {
    /// The name under which the file was saved first; `None` the first time.
    pub(super) fn first_name(&mut self, file: &Identity) -> Option<EntryPath> {
        let first = self.seen.get_mut(&file.number)?;
        if !first.identity.is(file) {
            // The one that was seen has no name any more.
            self.forget(file.number);
            return None;
        }
        first.to_come -= 1;
        if first.to_come > 0 {
            return Some(first.path.clone());
        }
        self.forget(file.number)
    }

    /// Whether a name of the file was saved, and others are still to come.
    pub(super) fn knows(&self, file: &Identity) -> bool {
        self.seen.get(&file.number).is_some_and(|first| first.identity.is(file))
    }

    /// Remembers the first of `names` names. `false`: there is no room to.
    pub(super) fn remember(&mut self, file: Identity, path: &EntryPath, names: u64) -> bool {
        let cost = path.as_bytes().len() + OVERHEAD;
        if self.used + cost > BUDGET {
            return false;
        }
        self.forget(file.number);
        self.used += cost;
        let first = First {
            identity: file,
            path: path.clone(),
            to_come: names.saturating_sub(1).max(1),
        };
        self.seen.insert(file.number, first);
        true
    }

    fn forget(&mut self, number: (u64, u64)) -> Option<EntryPath> {
        let first = self.seen.remove(&number)?;
        self.used -= first.path.as_bytes().len() + OVERHEAD;
        Some(first.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: u64, birth: Option<(i64, u32)>, size: i64) -> Identity {
        Identity {
            number: (1, number),
            birth,
            size,
            modified: (1_700_000_000, 0),
        }
    }

    #[test]
    fn every_name_but_the_first_is_a_link_and_then_all_is_forgotten() {
        let mut links = Links::default();
        let path = EntryPath::new("a").unwrap();
        let id = file(2, Some((5, 5)), 7);
        assert_eq!(links.first_name(&id), None);
        assert!(links.remember(id, &path, 3));
        assert_eq!(links.first_name(&id), Some(path.clone()));
        assert_eq!(links.first_name(&id), Some(path));
        assert_eq!(links.first_name(&id), None);
        assert_eq!(links.used, 0);
    }

    #[test]
    fn another_file_with_the_same_number_is_no_link() {
        let path = EntryPath::new("a").unwrap();
        let cases = [
            (file(2, Some((5, 5)), 7), file(2, Some((5, 6)), 7), false),
            (file(2, Some((5, 5)), 7), file(2, Some((5, 5)), 8), true),
            (file(2, None, 7), file(2, None, 8), false),
            (file(2, None, 7), file(2, Some((5, 5)), 8), false),
            (file(2, None, 7), file(2, None, 7), true),
        ];
        for (first, later, same) in cases {
            let mut links = Links::default();
            assert!(links.remember(first, &path, 2));
            assert_eq!(links.first_name(&later).is_some(), same, "{first:?} {later:?}");
            assert_eq!(links.used, 0);
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let mut links = Links::default();
        let path = EntryPath::new("x".repeat(4000)).unwrap();
        let kept = (0..100_000)
            .take_while(|number| links.remember(file(*number, None, 0), &path, 2))
            .count();
        assert!(kept < 100_000 && kept > 10_000);
        assert!(links.used <= BUDGET);
    }
}
