//! What restored files could not be given here, mostly since this is not root. It is told at the end, once for each kind of it:
//! how many, and which first.

use backup_core::{JobControl, WarningCode, counted};

/// How many of each kind are named.
const NAMED: usize = 5;

/// What was left out.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    pub(super) owners: Items,
    pub(super) rights: Items,
    pub(super) set_id: Items,
    pub(super) capabilities: Items,
    pub(super) lists: Items,
    pub(super) attributes: Items,
    /// Further names of files that became copies.
    pub(super) names: Items,
}

/// Some, of which the first ones are known.
#[derive(Debug, Default)]
pub(super) struct Items {
    named: Vec<String>,
    count: u64,
}

impl Withheld {
    /// Warns of everything that was left out.
    pub(super) fn tell(&self, job: &JobControl) {
        let (entry, entries) = ("file or folder was", "files or folders were");
        let kinds = [
            (
                &self.owners,
                entry,
                entries,
                "restored without the recorded owner or group, which this user may not set",
            ),
            (
                &self.rights,
                entry,
                entries,
                "left with its own rights and times, which only its owner may set",
            ),
            (
                &self.set_id,
                entry,
                entries,
                "restored without the set-uid or set-gid bits, which would hand out the rights of another owner or group than \
                 the recorded one, or which this user may not set",
            ),
            (
                &self.capabilities,
                "file was",
                "files were",
                "restored without the capabilities, which only root may set",
            ),
            (
                &self.lists,
                entry,
                entries,
                "restored with fewer rights of the group: the recorded ones are those of an access list, which cannot be set here",
            ),
            (
                &self.attributes,
                "extended attribute was",
                "extended attributes were",
                "left out, which cannot be set here",
            ),
            (
                &self.names,
                "further name of a file was",
                "further names of files were",
                "restored as a copy, which takes its own room: the file system takes no more names of one file",
            ),
        ];
        for (items, one, other, what) in kinds {
            if items.count > 0 {
                let message = format!("{} {what}: {}", counted(items.count, one, other), items.shown());
                job.warn(WarningCode::Other, None, message);
            }
        }
    }
}

impl Items {
    /// Counts one more, which is only asked for its name where it is among the first.
    pub(super) fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(name());
        }
    }

    fn shown(&self) -> String {
        let first = self.named.join(", ");
        match self.count - self.named.len() as u64 {
            0 => first,
            more => format!("{first} and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_kind_is_told_once_with_its_number_and_the_first_few() {
        let mut withheld = Withheld::default();
        for number in 0..NAMED + 2 {
            withheld.set_id.add(|| format!("bin/{number}"));
        }
        withheld.capabilities.add(|| "bin/ping (no)".to_owned());
        let job = JobControl::new(Duration::from_secs(1));
        withheld.tell(&job);
        let told: Vec<String> = job.warnings().into_iter().map(|warning| warning.message).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].starts_with("7 files or folders were restored without the set-uid"),
            "{told:?}"
        );
        assert!(
            told[0].ends_with("bin/0, bin/1, bin/2, bin/3, bin/4 and 2 more"),
            "{told:?}"
        );
        assert!(
            told[1].starts_with("1 file was restored without the capabilities"),
            "{told:?}"
        );
        assert!(told[1].ends_with(": bin/ping (no)"), "{told:?}");
    }
}
