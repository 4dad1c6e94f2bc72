//! Files and folders that go away, or make room for others, while they are saved.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use backup_core::{EntryKind, PipelineError, WarningCode};
use backup_sources::FilesSource;
use backup_tests::tree::Scratch;

use crate::files::save;
use crate::job;
use crate::recorder::{Archive, When, back_up, warned};

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
