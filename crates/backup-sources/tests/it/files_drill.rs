//! A drill says yes to what is restored as it was saved, no to everything else, and leaves nothing behind.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use backup_core::{Entry, EntryKind, EntryPath, PartReader, PipelineError, Target as _};
use backup_sources::FilesDrill;
use backup_tests::tools::is_root;
use backup_tests::tree::{self, Scratch};

use crate::files::{as_plain_user, save};
use crate::job;
use crate::recorder::{Archive, Replay};

fn drill(part: &mut dyn PartReader, folder: &Path) -> Result<(), PipelineError> {
    let job = job();
    let mut drill = FilesDrill::new(folder, "1");
    drill.prepare(&job)?;
    let result = drill.restore(part, &job);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "something was left");
    result
}

fn everything_passes() {
    let (source, scratch) = (Scratch::new(), Scratch::new());
    tree::everything(source.path());
    let mut archive = Archive::default();
    save(source.path(), &mut archive);
    drill(&mut archive.replay(), &scratch.path().join("drills")).unwrap();
}

#[test]
fn a_tree_with_everything_passes() {
    everything_passes();
}

#[test]
fn a_tree_with_everything_passes_for_a_plain_user() {
    as_plain_user("files_drill::plain_everything_passes");
}

#[test]
#[ignore = "run by the test above as a plain user"]
fn plain_everything_passes() {
    everything_passes();
}

fn entry(path: &str, kind: EntryKind) -> (Entry, Vec<u8>) {
    let mut entry = Entry::plain_file(EntryPath::new(path).unwrap(), 0, 1_700_000_000);
    (entry.kind, entry.mode, entry.modified_nanos) = (kind, 0o700, 5);
    (entry, Vec::new())
}

/// What root may have saved, and others can restore in part.
fn of_root() -> Vec<(Entry, Vec<u8>)> {
    let mut entries = vec![
        entry("", EntryKind::Directory),
        entry("device", EntryKind::CharDevice { major: 1, minor: 3 }),
        entry("owned", EntryKind::Directory),
        entry("owned/locked", EntryKind::File { data: None }),
        entry("owned/pipe", EntryKind::Fifo),
        entry("program", EntryKind::File { data: None }),
        entry("strange", EntryKind::File { data: None }),
    ];
    (entries[2].0.uid, entries[2].0.gid, entries[2].0.mode) = (1234, 4321, 0o2050);
    (entries[3].0.size, entries[3].0.mode) = (7, 0);
    entries[3].1 = b"content".to_vec();
    (entries[5].0.uid, entries[5].0.mode) = (1234, 0o6755);
    // Later and earlier than some file systems can tell, with attributes that not everybody can have.
    entries[6].0.modified_secs = 1 << 40;
    entries[6].0.xattrs = [
        ("nosuch.space", "x"),
        ("security.selinux", "label"),
        ("trusted.a", "1"),
        ("user.b", "2"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .to_vec();
    entries
}

#[test]
fn what_cannot_be_had_here_is_no_false_alarm() {
    let scratch = Scratch::new();
    drill(&mut Replay::of(of_root()), &scratch.path().join("drills")).unwrap();
    as_plain_user("files_drill::plain_what_cannot_be_had_here");
}

#[test]
#[ignore = "run by the test above as a plain user"]
fn plain_what_cannot_be_had_here() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("drills");
    drill(&mut Replay::of(of_root()), &folder).unwrap();
}

/// Yields one thing to the digests and lets another come to the disk: what a damaged disk or a wrong restore does.
struct Meddler<'a> {
    inner: Replay,
    folder: &'a Path,
    meddle: Box<dyn FnMut(&Path) + 'a>,
}

impl PartReader for Meddler<'_> {
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError> {
        let next = self.inner.next_entry()?;
        if next.is_none() {
            (self.meddle)(&self.folder.join("drill-1/files"));
        }
        Ok(next)
    }

    fn content(&mut self) -> &mut dyn Read {
        self.inner.content()
    }
}

/// A name, and what is done to the restored tree.
type Change<'a> = (&'a str, &'a dyn Fn(&Path));

#[test]
fn every_difference_is_found_and_its_place_is_named() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("drills");
    let file = |name: &str| {
        let (mut file, _) = entry(name, EntryKind::File { data: None });
        file.size = 3;
        (file, b"abc".to_vec())
    };
    let mut entries = vec![entry("", EntryKind::Directory), file("f")];
    for number in 0..9000 {
        let name = format!("f{number:04}");
        let target = EntryPath::new("f").unwrap();
        entries.push(match number {
            5000 => file(&name),
            _ => entry(&name, EntryKind::HardLink { target }),
        });
    }
    let keep_time = |path: &Path, change: &dyn Fn(&Path)| {
        let time = fs::metadata(path).unwrap().modified().unwrap();
        change(path);
        fs::File::open(path).unwrap().set_modified(time).unwrap();
    };
    let changes: [Change<'_>; 8] = [
        ("nothing", &|_| {}),
        ("content", &|root| {
            keep_time(&root.join("f5000"), &|file| fs::write(file, "abd").unwrap());
        }),
        ("time", &|root| fs::write(root.join("f5000"), "abc").unwrap()),
        ("mode", &|root| {
            fs::set_permissions(root.join("f5000"), fs::Permissions::from_mode(0o701)).unwrap();
        }),
        ("length", &|root| {
            keep_time(&root.join("f5000"), &|file| fs::write(file, "abc\0").unwrap());
        }),
        ("missing", &|root| fs::remove_file(root.join("f5000")).unwrap()),
        ("added", &|root| fs::write(root.join("f5000a"), "").unwrap()),
        ("owner", &|root| {
            if is_root() {
                std::os::unix::fs::chown(root.join("f5000"), Some(1), None).unwrap();
            } else {
                fs::remove_file(root.join("f5000")).unwrap();
            }
        }),
    ];
    for (what, change) in changes {
        let mut meddler = Meddler {
            inner: Replay::of(entries.clone()),
            folder: &folder,
            meddle: Box::new(change),
        };
        let result = drill(&mut meddler, &folder);
        if what == "nothing" {
            result.unwrap();
            continue;
        }
        let error = result.expect_err(what);
        assert!(matches!(error, PipelineError::Integrity { .. }), "{what}: {error:?}");
        let text = error.to_string();
        assert!(text.contains("from 'f4094' to before 'f8190'"), "{what}: {text}");
    }
}

#[test]
fn a_damaged_archive_fails_the_drill_and_what_an_attempt_left_is_no_hindrance() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("drills");
    let left = folder.join("drill-1/files/shut");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("file"), "left").unwrap();
    fs::set_permissions(&left, fs::Permissions::from_mode(0o500)).unwrap();
    let error = drill(&mut Replay::damaged(of_root()), &folder).unwrap_err();
    assert!(matches!(error, PipelineError::Integrity { .. }), "{error:?}");

    let job = job();
    job.cancel();
    let error = FilesDrill::new(&folder, "1")
        .restore(&mut Replay::of(of_root()), &job)
        .unwrap_err();
    assert!(matches!(error, PipelineError::Cancelled), "{error:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}
