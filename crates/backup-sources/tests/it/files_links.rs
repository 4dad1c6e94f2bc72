//! A file with more names than the target's file system takes of one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use backup_core::{EntryKind, PipelineError, Target, WarningCode};
use backup_sources::{FilesDrill, FilesTarget, FilesTargetOptions};
use backup_tests::tree::Scratch;

use crate::hostile::{Entries, entry, file, hard_link};
use crate::job;
use crate::recorder::{Replay, warned};

/// Further names of the file: ext4 takes 65,000 of one, and btrfs 65,535 in one folder.
const NAMES: usize = 70_000;

fn entries() -> Entries {
    let mut root = entry("", EntryKind::Directory);
    root.0.mode = 0o700;
    let mut first = file("a");
    (first.0.mode, first.0.modified_secs) = (0o640, 1_000_000_000);
    let mut folder = entry("l", EntryKind::Directory);
    folder.0.mode = 0o700;
    let mut entries = vec![root, first, folder];
    entries.extend((0..NAMES).map(|number| hard_link(&format!("l/{number:05}"), "a")));
    entries
}

#[test]
fn names_that_the_file_system_does_not_take_become_copies() {
    let parent = Scratch::new();
    let dir = parent.path().join("copy");
    let job = job();
    let mut target = FilesTarget::new(dir.clone(), FilesTargetOptions::default());
    target.restore(&mut Replay::of(entries()), &job).unwrap();

    let mut names: BTreeMap<u64, usize> = BTreeMap::new();
    let further = fs::read_dir(dir.join("l")).unwrap().map(|name| name.unwrap().path());
    for path in further.chain([dir.join("a")]) {
        let found = fs::symlink_metadata(&path).unwrap();
        assert_eq!(
            (found.mode(), found.mtime(), found.size()),
            (0o100_640, 1_000_000_000, 4)
        );
        let count = names.entry(found.ino()).or_default();
        *count += 1;
        if *count == 1 {
            assert_eq!(fs::read(&path).unwrap(), b"evil");
        }
    }
    assert_eq!(names.values().sum::<usize>(), NAMES + 1);
    let mut told = warned(&job, WarningCode::Other);
    told.retain(|text| text.contains("further name"));
    let copies = names.len() - 1;
    if copies == 0 {
        eprintln!("this file system takes {NAMES} names of one file: there is nothing to see");
        assert_eq!(told, Vec::<String>::new());
        return;
    }
    // Those that follow are names of the copy.
    assert!(copies < NAMES / 100, "{copies}");
    assert!(
        told.len() == 1 && told[0].starts_with(&format!("{copies} further name")),
        "{told:?}"
    );

    // The tree would not be the backup's, which is not the backup's fault.
    let mut drill = FilesDrill::new(parent.path(), "links");
    let error = drill.restore(&mut Replay::of(entries()), &self::job()).unwrap_err();
    assert!(
        matches!(error, PipelineError::Refused { .. }) && error.to_string().contains("another name of a"),
        "{error:?}"
    );
}
