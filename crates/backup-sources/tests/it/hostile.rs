//! Archives made to do harm: nothing is written outside of the target, and nothing is left in it.

use std::fs;
use std::path::Path;

use backup_core::{Entry, EntryKind, EntryPath, PipelineError, Target};
use backup_sources::{FilesTarget, FilesTargetOptions};
use backup_tests::tree::Scratch;

use crate::job;
use crate::recorder::Replay;

type Entries = Vec<(Entry, Vec<u8>)>;

fn entry(path: &str, kind: EntryKind) -> (Entry, Vec<u8>) {
    let mut entry = Entry::plain_file(EntryPath::new(path).unwrap(), 0, 0);
    entry.kind = kind;
    (entry, Vec::new())
}

fn file(path: &str) -> (Entry, Vec<u8>) {
    (Entry::plain_file(EntryPath::new(path).unwrap(), 4, 0), b"evil".to_vec())
}

fn symlink(path: &str, target: &Path) -> (Entry, Vec<u8>) {
    let target = target.to_str().unwrap().as_bytes().to_vec();
    entry(path, EntryKind::Symlink { target })
}

fn hard_link(path: &str, target: &str) -> (Entry, Vec<u8>) {
    let target = EntryPath::new(target).unwrap();
    entry(path, EntryKind::HardLink { target })
}

#[test]
fn nothing_leads_out_of_the_target() {
    let outside = Scratch::new();
    let victim = outside.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    let data = |ranges: &[(u64, u64)], size: u64| {
        let (mut entry, content) = file("f");
        entry.size = size;
        entry.kind = EntryKind::File {
            data: Some(ranges.to_vec()),
        };
        (entry, content)
    };
    let cases: Vec<(&str, Entries)> = vec![
        (
            "a file through a link to a folder",
            vec![symlink("a", outside.path()), file("a/new")],
        ),
        ("a file over a link", vec![symlink("a", &victim), file("a")]),
        (
            "a folder through a link",
            vec![symlink("a", outside.path()), entry("a/dir", EntryKind::Directory)],
        ),
        (
            "a link through a link",
            vec![symlink("a", outside.path()), symlink("a/x", Path::new("/"))],
        ),
        (
            "a hard link through a link",
            vec![symlink("a", outside.path()), hard_link("b", "a/victim")],
        ),
        ("a hard link to what is not there", vec![hard_link("b", "a")]),
        (
            "a hard link to a folder",
            vec![entry("a", EntryKind::Directory), hard_link("b", "a")],
        ),
        ("a hard link to itself", vec![hard_link("b", "b")]),
        ("a hard link to the root", vec![hard_link("b", "")]),
        ("a path below a file", vec![file("a"), file("a/b")]),
        ("a path below a pipe", vec![entry("a", EntryKind::Fifo), file("a/b")]),
        ("the same path twice", vec![file("a"), file("a")]),
        (
            "a folder twice",
            vec![
                entry("a", EntryKind::Directory),
                file("a/b"),
                entry("a", EntryKind::Directory),
            ],
        ),
        (
            "a folder left and entered again",
            vec![file("a/x"), file("b"), file("a/y")],
        ),
        ("paths out of order", vec![file("b"), file("a")]),
        ("a root that is a link", vec![symlink("", outside.path()), file("a")]),
        ("data beyond the end", vec![data(&[(0, 2), (10, 2)], 11)]),
        ("data that overlaps", vec![data(&[(0, 2), (1, 2)], 11)]),
        ("data at the end of the world", vec![data(&[(u64::MAX, 4)], u64::MAX)]),
        ("content that is too short", vec![data(&[(0, 5)], 5)]),
    ];
    for (what, entries) in cases {
        let parent = Scratch::new();
        let dir = parent.path().join("target");
        let mut target = FilesTarget::new(dir.clone(), FilesTargetOptions::default());
        let error = target.restore(&mut Replay::of(entries), &job()).expect_err(what);
        assert!(matches!(error, PipelineError::Integrity { .. }), "{what}: {error:?}");
        assert!(!dir.exists(), "{what}: something was left");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine", "{what}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{what}");
    }
}

#[test]
fn links_that_point_out_are_restored_as_they_are_and_not_followed() {
    let (outside, parent) = (Scratch::new(), Scratch::new());
    let victim = outside.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    let before = fs::metadata(&victim).unwrap();
    let (mut link, _) = symlink("link", &victim);
    (link.uid, link.gid, link.mode, link.modified_secs) = (1, 1, 0o777, 12);
    let dir = parent.path().join("target");
    let mut target = FilesTarget::new(dir.clone(), FilesTargetOptions::default());
    target.restore(&mut Replay::of([(link, Vec::new())]), &job()).unwrap();
    assert_eq!(fs::read_link(dir.join("link")).unwrap(), victim);
    let after = fs::metadata(&victim).unwrap();
    assert_eq!(before.permissions(), after.permissions());
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
}
