//! What became of a file while it was read.

use rustix::fs::Stat;
use rustix::io::Errno;

use crate::files::walk::is_gone;

/// What the archive has of a file that was read.
#[derive(Debug)]
pub(super) enum Fate {
    /// One state of it.
    Whole,
    /// Not one state of it, since it moved meanwhile: in these words.
    Moved(&'static str),
    /// Not all of it, although it is there and did not change: why.
    Unread(String),
}

/// Whether the file is as it was before it was read, as far as its size and time tell.
pub(super) fn is_same(before: &Stat, now: &Stat) -> bool {
    let looks = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
    looks(before) == looks(now)
}

impl Fate {
    /// The fate of a file that was as `before` says. `is_short`: less of it was read than its size; `error`: what ended the
    /// reading early; `after`: what it was then; `again` looks at what stands under its name.
    pub(super) fn of(
        before: &Stat,
        is_short: bool,
        error: Option<Errno>,
        after: Result<Stat, Errno>,
        again: impl FnOnce() -> Result<Stat, Errno>,
    ) -> Self {
        let after = match (error, after) {
            (None, Ok(after)) => after,
            (Some(error), _) | (None, Err(error)) => {
                return if is_gone(error) && is_removed(before, again()) {
                    Self::Moved("it was removed while it was read: the backup may hold zeros in place of its end")
                } else {
                    Self::Unread(error.to_string())
                };
            }
        };
        if is_same(before, &after) {
            return if is_short {
                Self::Unread("it ended early".to_owned())
            } else {
                Self::Whole
            };
        }
        Self::Moved(if is_short || after.st_size < before.st_size {
            "it shrank while it was read: the backup holds zeros in place of the rest"
        } else if after.st_size > before.st_size {
            "it grew while it was read: the backup holds it up to the size it had at first"
        } else {
            "it changed while it was read: the backup may hold parts of both states"
        })
    }
}

/// Whether the file no longer stands under its name. An error of the server says as well that a file is gone which is not.
fn is_removed(before: &Stat, again: Result<Stat, Errno>) -> bool {
    match again {
        Ok(now) => (now.st_dev, now.st_ino) != (before.st_dev, before.st_ino),
        Err(error) => error == Errno::NOENT,
    }
}

/// Why what could not be opened or listed for `error` is unread; `None`: it was removed. `again` looks at what stands under its
/// name: a folder of a server that has gone away says as well that it is gone, while its name is there.
pub(super) fn why_unread(error: Errno, again: impl FnOnce() -> Result<Stat, Errno>) -> Option<Errno> {
    if !is_gone(error) {
        return Some(error);
    }
    match again() {
        Err(Errno::NOENT) => None,
        Err(now) => Some(now),
        Ok(_) => Some(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is at `/`, changed.
    fn with(change: impl FnOnce(&mut Stat)) -> Stat {
        let mut stat = rustix::fs::stat("/").unwrap();
        stat.st_size = 1000;
        change(&mut stat);
        stat
    }

    fn same() -> Stat {
        with(|_| {})
    }

    #[test]
    fn a_file_that_is_there_and_was_not_read_to_its_end_is_no_file_that_moved() {
        let unread = |is_short, error, after, again: fn() -> Result<Stat, Errno>| {
            matches!(Fate::of(&same(), is_short, error, after, again), Fate::Unread(_))
        };
        assert!(unread(true, None, Ok(same()), || Ok(same())));
        assert!(unread(true, Some(Errno::IO), Ok(same()), || Err(Errno::NOENT)));
        for gone in [Errno::STALE, Errno::NOENT] {
            assert!(unread(true, Some(gone), Ok(same()), || Ok(same())), "{gone}");
            assert!(unread(true, Some(gone), Err(gone), || Err(Errno::IO)), "{gone}");
            assert!(unread(true, Some(gone), Err(gone), || Err(Errno::STALE)), "{gone}");
            assert!(unread(false, None, Err(gone), || Ok(same())), "{gone}");
            assert!(!unread(true, Some(gone), Err(gone), || Err(Errno::NOENT)), "{gone}");
            let another: fn() -> Result<Stat, Errno> = || Ok(with(|stat| stat.st_ino += 1));
            assert!(!unread(true, Some(gone), Err(gone), another), "{gone}");
        }
    }

    #[test]
    fn only_a_name_that_is_not_there_any_more_was_removed() {
        let never = || -> Result<Stat, Errno> { panic!("what is no sign of a removal needs no other look") };
        assert_eq!(why_unread(Errno::IO, never), Some(Errno::IO));
        for gone in [Errno::STALE, Errno::NOENT] {
            assert_eq!(why_unread(gone, || Err(Errno::NOENT)), None, "{gone}");
            assert_eq!(why_unread(gone, || Ok(same())), Some(gone), "{gone}");
            for now in [Errno::STALE, Errno::IO, Errno::NOTCONN] {
                assert_eq!(why_unread(gone, || Err(now)), Some(now), "{gone}");
            }
        }
    }

    #[test]
    fn what_moved_is_told_by_what_is_in_the_archive() {
        let told = |is_short, after| match Fate::of(&same(), is_short, None, Ok(after), || Ok(same())) {
            Fate::Moved(told) => told.split_whitespace().nth(1).unwrap(),
            Fate::Whole => "whole",
            Fate::Unread(_) => "unread",
        };
        assert_eq!(told(false, same()), "whole");
        assert_eq!(told(false, with(|stat| stat.st_mtime += 1)), "changed");
        assert_eq!(told(false, with(|stat| stat.st_size += 1)), "grew");
        assert_eq!(told(false, with(|stat| stat.st_size -= 1)), "shrank");
        // Cut off, and written anew up to the same size or a larger one.
        assert_eq!(told(true, with(|stat| stat.st_mtime += 1)), "shrank");
        assert_eq!(told(true, with(|stat| stat.st_size += 1)), "shrank");
    }
}
