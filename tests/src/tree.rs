//! Folders with every kind of file a Linux tree can hold, and an unforgiving comparison of two of them.

mod build;
mod change;
mod compare;

pub use build::{everything, million};
pub use change::change;
pub use compare::compare;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use crate::{poll, tools};

/// How long a file must have rested when a base is made to be carried over unread, and a little more.
const REST: Duration = Duration::from_secs(62);

/// Waits until a file, the one that was changed last, has rested for so long that a backup which begins now knows it for
/// unchanged later.
pub fn rest(path: &Path) {
    let changed = UNIX_EPOCH + Duration::from_secs(fs::symlink_metadata(path).expect("a file").ctime() as u64);
    let has_rested = || (changed.elapsed().unwrap_or_default() > REST).then_some(());
    poll(2 * REST, has_rested).expect("the clock runs");
}

/// A temporary folder that is removed even where its folders are read-only.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// A new empty folder.
    pub fn new() -> Self {
        Self(
            tempfile::Builder::new()
                .prefix("backup-tree-")
                .tempdir()
                .expect("a temporary folder"),
        )
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        unlock(self.path());
    }
}

/// Copies what is in `from`, and its own metadata, to the folder `to`, as a second opinion on what a full copy is. GNU tar
/// keeps zeros that take room apart from holes; `cp` makes holes of them wherever a file has others.
pub fn copy(from: &Path, to: &Path) {
    // Whoever is not root can give attributes only to what may be written: what may not gets its mode back behind them.
    let script = "cd \"$1\" && tar -cS --mode=u+w --xattrs --xattrs-include='*' --acls --format=pax . \
         | tar -xp -C \"$2\" --xattrs --xattrs-include='*' --acls \
         && find . -depth ! -type l ! -perm -u=w -exec chmod --reference={} \"$2\"/{} ';'";
    let mut copy = Command::new("bash");
    copy.args(["-o", "pipefail", "-c", script, "copy"]).args([from, to]);
    tools::run(&mut copy).expect("a copy");
}

/// Lets the owner into every folder, so that the tree can be removed.
fn unlock(folder: &Path) {
    let _what_cannot_be_changed_is_removed_as_it_is = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            unlock(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, SeekFrom, Write as _};
    use std::os::unix::fs::FileExt as _;

    use rustix::fs::{XattrFlags, lsetxattr};

    #[test]
    fn a_true_copy_has_no_differences_and_every_change_is_found() {
        let (a, b) = (Scratch::new(), Scratch::new());
        everything(a.path());
        copy(a.path(), b.path());
        assert_eq!(compare(a.path(), b.path()), Vec::<String>::new());

        let file = b.path().join("content/text");
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        let mut open = fs::File::options().write(true).open(&file).unwrap();
        open.seek(SeekFrom::Start(3)).unwrap();
        open.write_all(b"!").unwrap();
        open.set_modified(before).unwrap();
        fs::remove_file(b.path().join("links/second name")).unwrap();
        fs::copy(&file, b.path().join("links/second name")).unwrap();
        fs::remove_dir(b.path().join("empty folder")).unwrap();
        fs::write(b.path().join("stray"), "").unwrap();
        let found = compare(a.path(), b.path()).join("\n");
        for expected in [
            "content/text: content",
            "links/second name: link",
            "empty folder: missing",
            "stray: not in the original",
        ] {
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }

    /// What is compared with a copy that lost them would take a faithful backup for a waste of room.
    #[test]
    fn zeros_that_take_room_take_it_in_a_copy_too() {
        let (a, b) = (Scratch::new(), Scratch::new());
        let file = fs::File::create(a.path().join("half")).unwrap();
        file.set_len(2 << 20).unwrap();
        file.write_all_at(&vec![0; 1 << 20], 0).unwrap();
        file.sync_all().unwrap();
        copy(a.path(), b.path());
        let blocks = |root: &Scratch| fs::metadata(root.path().join("half")).unwrap().blocks();
        assert!(blocks(&a) >= 2048, "{} blocks", blocks(&a));
        // A file system may round up otherwise the second time.
        assert!(
            blocks(&b).abs_diff(blocks(&a)) <= 64,
            "{} blocks became {}",
            blocks(&a),
            blocks(&b)
        );
    }

    #[test]
    fn what_may_not_be_written_keeps_mode_and_attributes_in_a_copy() {
        let (a, b) = (Scratch::new(), Scratch::new());
        let file = a.path().join("read-only");
        fs::write(&file, "content").unwrap();
        lsetxattr(&file, "user.x", b"kept", XattrFlags::empty()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        copy(a.path(), b.path());
        assert_eq!(compare(a.path(), b.path()), Vec::<String>::new());
    }

    #[test]
    fn many_files_are_as_many_as_asked_for() {
        let folder = Scratch::new();
        million(folder.path(), 2345);
        let count = |dir: &Path| fs::read_dir(dir).unwrap().count();
        let files: usize = fs::read_dir(folder.path())
            .unwrap()
            .map(|d| count(&d.unwrap().path()))
            .sum();
        assert_eq!(files, 2345);
    }
}
