//! Files and folders that go away, or make room for others, while they are saved; and what others do to a folder while it is
//! restored into.

use std::cell::Cell;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;

use backup_core::{BackupContents, Entry, EntryKind, PartReader, PipelineError, Source, Target, WarningCode};
use backup_sources::{FilesSource, FilesTarget, FilesTargetOptions};
use backup_tests::tree::{self, Scratch};

use crate::files::save;
use crate::job;
use crate::recorder::{Archive, Replay, When, back_up, warned};

#[test]
fn a_folder_that_is_removed_between_opening_and_listing_has_vanished() {
    let source = Scratch::new();
    let at = |name: &str| source.path().join(name);
    for name in ["a folder", "b folder", "c folder"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("b folder/inside"), "x").unwrap();
    fs::write(at("d"), "still there").unwrap();
    // A folder is open when it is appended, and listed after that.
    let mut archive = Archive::with_hook(|when, path| match (when, path.to_string().as_str()) {
        (When::After, "a folder") => fs::remove_dir(at("a folder")).unwrap(),
        (When::Before, "b folder") => fs::remove_dir_all(at("b folder")).unwrap(),
        _ => {}
    });
    let job = save(source.path(), &mut archive);
    assert_eq!(warned(&job, WarningCode::FileVanished), ["a folder", "b folder"]);
    assert_eq!(archive.paths(), ["", "a folder", "b folder", "c folder", "d"]);
}

#[test]
fn a_tree_that_is_removed_as_a_whole_is_no_tree_whose_files_vanished() {
    let parent = Scratch::new();
    let root = parent.path().join("uploads");
    fs::create_dir(&root).unwrap();
    for name in ["a", "b", "c"] {
        fs::write(root.join(name), name).unwrap();
    }
    for removed_at in ["", "a"] {
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("a"), "a").unwrap();
        let mut archive = Archive::with_hook(|when, path| {
            if when == When::After && path.to_string() == removed_at {
                fs::remove_dir_all(&root).unwrap();
            }
        });
        let error = back_up(&FilesSource::new(root.clone()), &mut archive, &job()).unwrap_err();
        assert!(
            matches!(error, PipelineError::Refused { .. }) && error.to_string().contains("cannot be read: . ("),
            "{error:?}"
        );
    }
}

#[test]
fn a_tree_that_is_exchanged_while_it_is_read_is_not_what_was_backed_up() {
    for (is_exchanged, told) in [(true, "exchanged for another"), (false, "No such file")] {
        let parent = Scratch::new();
        let root = parent.path().join("uploads");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("a"), "old").unwrap();
        let mut archive = Archive::with_hook(|when, path| {
            if when == When::After && path.is_root() {
                fs::rename(&root, parent.path().join("before")).unwrap();
                if is_exchanged {
                    fs::create_dir(&root).unwrap();
                    fs::write(root.join("a"), "new").unwrap();
                }
            }
        });
        let error = back_up(&FilesSource::new(root.clone()), &mut archive, &job()).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, PipelineError::Refused { .. })
                && text.contains("cannot be read: . (")
                && text.contains(told),
            "{error:?}"
        );
    }
}

#[test]
fn a_new_file_with_the_number_of_one_that_is_gone_is_no_link_to_it() {
    let source = Scratch::new();
    let at = |name: &str| source.path().join(name);
    fs::write(at("a"), "old").unwrap();
    fs::hard_link(at("a"), at("b")).unwrap();
    let number = fs::metadata(at("a")).unwrap().ino();
    for name in ["a-later", "c", "d"] {
        fs::write(at(name), "").unwrap();
    }
    let reused = Cell::new(false);
    let mut archive = Archive::with_hook(|when, path| {
        if when == When::Before && path.to_string() == "a-later" {
            for name in ["a", "b", "c", "d"] {
                fs::remove_file(at(name)).unwrap();
            }
            // Most file systems give the number to one of the next files.
            for attempt in 0..100 {
                let name = at(&format!("n{attempt:02}"));
                fs::write(&name, "new").unwrap();
                if fs::metadata(&name).unwrap().ino() == number {
                    reused.set(true);
                    fs::rename(&name, at("c")).unwrap();
                    fs::hard_link(at("c"), at("d")).unwrap();
                    break;
                }
            }
        }
    });
    save(source.path(), &mut archive);
    if !reused.get() {
        backup_tests::note("this file system does not use numbers again");
        return;
    }
    assert_eq!(archive.content("c"), b"new");
    assert_eq!(archive.find("c").unwrap().0.kind, EntryKind::File { data: None });
    assert!(matches!(archive.find("d").unwrap().0.kind, EntryKind::HardLink { .. }));
}

#[test]
fn an_empty_folder_that_held_files_is_refused_whenever_it_is_looked_at() {
    let folder = Scratch::new();
    let source = FilesSource::new(folder.path().to_owned()).that_held(3);
    let mut archive = Archive::default();
    let first = source.prepare(&job()).map(|_| ()).unwrap_err();
    // It may be unmounted while the database is saved.
    let later = source
        .backup(&mut archive, &job(), &mut BackupContents::default())
        .unwrap_err();
    for error in [first, later] {
        let text = error.to_string();
        assert!(
            matches!(error, PipelineError::Refused { .. }) && text.contains("3 files") && text.contains(".keep"),
            "{error:?}"
        );
    }
    assert_eq!(archive.paths(), Vec::<String>::new());
    fs::write(folder.path().join(".keep"), "").unwrap();
    back_up(&source, &mut archive, &job()).unwrap();
    assert_eq!(archive.paths(), ["", ".keep"]);
}

/// An archive with which somebody else does something before one of its entries is asked for.
struct Meanwhile<'a> {
    archive: Replay,
    /// How many entries come before.
    left: usize,
    then: &'a dyn Fn(),
}

impl PartReader for Meanwhile<'_> {
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError> {
        if self.left == 0 {
            (self.then)();
        }
        self.left = self.left.wrapping_sub(1);
        self.archive.next_entry()
    }

    fn content(&mut self) -> &mut dyn Read {
        self.archive.content()
    }
}

#[test]
fn what_others_put_into_a_folder_stays_when_a_restore_into_it_fails() {
    let source = Scratch::new();
    tree::everything(source.path());
    let mut archive = Archive::default();
    save(source.path(), &mut archive);
    for was_there in [true, false] {
        let parent = Scratch::new();
        let dir = parent.path().join("above/target");
        if was_there {
            fs::create_dir_all(&dir).unwrap();
        }
        let theirs = || {
            fs::create_dir(dir.join("0 theirs")).unwrap();
            fs::write(dir.join("0 theirs/file"), "theirs").unwrap();
            fs::write(dir.join("zz theirs"), "theirs").unwrap();
        };
        let mut part = Meanwhile {
            archive: Replay::damaged(archive.entries.clone()),
            left: archive.entries.len() / 2,
            then: &theirs,
        };
        let mut target = FilesTarget::new(dir.clone(), FilesTargetOptions::default());
        let error = target.restore(&mut part, &job()).unwrap_err();
        assert!(matches!(error, PipelineError::Integrity { .. }), "{error:?}");
        let mut left: Vec<_> = fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["0 theirs", "zz theirs"], "{was_there}");
        assert_eq!(fs::read_to_string(dir.join("0 theirs/file")).unwrap(), "theirs");
    }
}

#[test]
fn a_name_that_somebody_else_takes_meanwhile_is_no_fault_of_the_archive() {
    let (source, target) = (Scratch::new(), Scratch::new());
    for name in ["a", "b"] {
        fs::write(source.path().join(name), name).unwrap();
    }
    let mut archive = Archive::default();
    save(source.path(), &mut archive);
    assert_eq!(archive.paths(), ["", "a", "b"]);
    let mut part = Meanwhile {
        archive: archive.replay(),
        left: 2,
        then: &|| fs::write(target.path().join("b"), "theirs").unwrap(),
    };
    let error = FilesTarget::new(target.path().to_owned(), FilesTargetOptions::default())
        .restore(&mut part, &job())
        .unwrap_err();
    assert!(
        matches!(error, PipelineError::Refused { .. }) && error.to_string().contains("'b' has come to be"),
        "{error:?}"
    );
    assert!(!target.path().join("a").exists());
    assert_eq!(fs::read_to_string(target.path().join("b")).unwrap(), "theirs");
}
