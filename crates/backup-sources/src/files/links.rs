//! Which file was saved under which of its names, so that its other names become hard links.

use std::collections::HashMap;

use backup_core::EntryPath;

/// The most memory that names waiting for another name may take, in bytes.
const BUDGET: usize = 48 * 1024 * 1024;
/// What the table takes for each beside the path, in bytes.
const OVERHEAD: usize = 96;

/// Files with several names of which some are still to come.
#[derive(Default)]
pub(super) struct Links {
    seen: HashMap<(u64, u64), First>,
    used: usize,
}

struct First {
    path: EntryPath,
    to_come: u64,
}

impl Links {
    /// The name under which the file was saved first; `None` the first time.
    pub(super) fn first_name(&mut self, id: (u64, u64)) -> Option<EntryPath> {
        let first = self.seen.get_mut(&id)?;
        first.to_come -= 1;
        if first.to_come > 0 {
            return Some(first.path.clone());
        }
        let first = self.seen.remove(&id)?;
        self.used -= first.path.as_bytes().len() + OVERHEAD;
        Some(first.path)
    }

    /// Remembers the first of `names` names. `false`: there is no room to.
    pub(super) fn remember(&mut self, id: (u64, u64), path: &EntryPath, names: u64) -> bool {
        let cost = path.as_bytes().len() + OVERHEAD;
        if self.used + cost > BUDGET {
            return false;
        }
        self.used += cost;
        let first = First {
            path: path.clone(),
            to_come: names.saturating_sub(1).max(1),
        };
        self.seen.insert(id, first);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_but_the_first_is_a_link_and_then_all_is_forgotten() {
        let mut links = Links::default();
        let path = EntryPath::new("a").unwrap();
        assert_eq!(links.first_name((1, 2)), None);
        assert!(links.remember((1, 2), &path, 3));
        assert_eq!(links.first_name((1, 2)), Some(path.clone()));
        assert_eq!(links.first_name((1, 2)), Some(path));
        assert_eq!(links.first_name((1, 2)), None);
        assert_eq!(links.used, 0);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut links = Links::default();
        let path = EntryPath::new("x".repeat(4000)).unwrap();
        let kept = (0..100_000)
            .take_while(|ino| links.remember((1, *ino), &path, 2))
            .count();
        assert!(kept < 100_000 && kept > 10_000);
        assert!(links.used <= BUDGET);
    }
}
