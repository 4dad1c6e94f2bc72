//! Archives made to do harm: nothing is written outside of the target, and nothing is left in it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use backup_core::{Entry, EntryKind, EntryPath, PipelineError, Target};
use backup_sources::{FilesTarget, FilesTargetOptions};
use backup_tests::tree::Scratch;

use crate::job;
use crate::recorder::Replay;

pub(crate) type Entries = Vec<(Entry, Vec<u8>)>;

pub(crate) fn entry(path: &str, kind: EntryKind) -> (Entry, Vec<u8>) {
    let mut entry = Entry::plain_file(EntryPath::new(path).unwrap(), 0, 0);
    entry.kind = kind;
    (entry, Vec::new())
}

pub(crate) fn file(path: &str) -> (Entry, Vec<u8>) {
    (Entry::plain_file(EntryPath::new(path).unwrap(), 4, 0), b"evil".to_vec())
}

pub(crate) fn symlink(path: &str, target: &Path) -> (Entry, Vec<u8>) {
    let target = target.to_str().unwrap().as_bytes().to_vec();
    entry(path, EntryKind::Symlink { target })
}

pub(crate) fn hard_link(path: &str, target: &str) -> (Entry, Vec<u8>) {
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
        (
            "a link that is no text",
            vec![entry(
                "a",
                EntryKind::Symlink {
                    target: b"a\0b".to_vec(),
                },
            )],
        ),
        (
            "a device over a link",
            vec![
                symlink("a", &victim),
                entry("a", EntryKind::BlockDevice { major: 8, minor: 0 }),
            ],
        ),
        (
            "a pipe through a link",
            vec![symlink("a", outside.path()), entry("a/pipe", EntryKind::Fifo)],
        ),
        (
            "a folder where a link is",
            vec![symlink("a", outside.path()), entry("a", EntryKind::Directory)],
        ),
        (
            "a link to a link that leads out, and through both",
            vec![
                symlink("a", outside.path()),
                symlink("b", Path::new("a")),
                file("b/new"),
            ],
        ),
        (
            "a hard link to a link that leads out, and through it",
            vec![symlink("a", outside.path()), hard_link("b", "a"), file("b/new")],
        ),
        (
            "a folder on the way that a file is",
            vec![file("a"), entry("a/b", EntryKind::Directory), file("a/b/c")],
        ),
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

/// Restores into a new folder; where that fails, nothing may be left.
fn restore(what: &str, entries: Entries) -> Result<Scratch, PipelineError> {
    let parent = Scratch::new();
    let dir = parent.path().join("target");
    let result = FilesTarget::new(dir.clone(), FilesTargetOptions::default()).restore(&mut Replay::of(entries), &job());
    assert_eq!(result.is_ok(), dir.exists(), "{what}: {result:?}");
    result.map(|()| parent)
}

#[test]
fn what_the_file_system_cannot_hold_is_refused_and_nothing_is_left() {
    let sized = |size: u64, content: &[u8]| {
        let (mut entry, _) = file("z");
        entry.size = size;
        (entry, content.to_vec())
    };
    let sparse = |size: u64| {
        let (mut entry, _) = file("z");
        (entry.size, entry.kind) = (
            size,
            EntryKind::File {
                data: Some(vec![(0, 4)]),
            },
        );
        (entry, b"evil".to_vec())
    };
    let long = "n".repeat(300);
    let cases: Vec<(&str, (Entry, Vec<u8>))> = vec![
        ("a long name", file(&long)),
        ("a long name of a folder", entry(&format!("{long}/x"), EntryKind::Fifo)),
        ("a long name of a link", symlink(&long, Path::new("/"))),
        ("a link to a long name", hard_link("z", &long)),
        ("a link that is too long", symlink("z", Path::new(&"x".repeat(5000)))),
        ("a size that is a lie", sized(u64::MAX - 1, b"evil")),
        ("a size that is almost true", sized(5, b"evil")),
        ("a file as large as the world", sparse(u64::MAX)),
        ("a file that no file system holds", sparse(i64::MAX as u64)),
        ("a million nested folders", file(&vec!["d"; 1_000_000].join("/"))),
    ];
    for (what, last) in cases {
        let error = restore(what, vec![file("a"), last]).map(drop).expect_err(what);
        assert!(!matches!(error, PipelineError::Cancelled), "{what}: {error:?}");
    }
}

#[test]
fn very_many_nested_folders_are_removed_when_the_restore_fails() {
    let parent = Scratch::new();
    let dir = parent.path().join("target");
    let deep = file(&vec!["d"; 20_000].join("/"));
    let mut target = FilesTarget::new(dir.clone(), FilesTargetOptions::default());
    let error = target.restore(&mut Replay::damaged([deep]), &job()).unwrap_err();
    assert!(matches!(error, PipelineError::Integrity { .. }), "{error:?}");
    assert!(!dir.exists());
}

#[test]
fn a_file_that_claims_to_be_huge_takes_no_room_and_no_device_is_made_by_a_plain_user() {
    crate::files::as_plain_user("hostile::plain_huge_files_and_devices");
}

#[test]
#[ignore = "run by the test above as a plain user"]
fn plain_huge_files_and_devices() {
    let (mut huge, content) = file("huge");
    (huge.size, huge.kind) = (
        1 << 40,
        EntryKind::File {
            data: Some(vec![(0, 4)]),
        },
    );
    let device = |path: &str, kind| entry(path, kind);
    let entries = vec![
        device("block", EntryKind::BlockDevice { major: 8, minor: 0 }),
        device("character", EntryKind::CharDevice { major: 1, minor: 1 }),
        (huge, content),
    ];
    let parent = restore("devices", entries).unwrap();
    let names: Vec<_> = fs::read_dir(parent.path().join("target")).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let found = names[0].metadata().unwrap();
    assert!(found.len() == 1 << 40 && found.blocks() < 1000, "{found:?}");
}
