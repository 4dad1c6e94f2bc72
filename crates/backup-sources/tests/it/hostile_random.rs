//! Whatever entries come in whatever order, nothing outside of the target changes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use backup_core::{Entry, EntryKind, EntryPath, PipelineError, Target as _};
use backup_sources::{FilesDrill, FilesTarget, FilesTargetOptions};
use backup_tests::tree::Scratch;
use proptest::prelude::*;

use crate::hostile::Entries;
use crate::job;
use crate::recorder::Replay;

/// Places outside, as links may name them from inside of `target` or of a folder in it.
const OUT: [&str; 6] = ["..", "../..", "../outside", "../outside/file", "/", "OUTSIDE"];

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "file"]), 0..4).prop_map(|parts| parts.join("/"))
}

fn kind() -> impl Strategy<Value = EntryKind> {
    let out = prop::sample::select(OUT.to_vec()).prop_map(str::to_owned);
    let ranges = prop::collection::vec((0u64..40, 0u64..40), 0..3);
    prop_oneof![
        3 => Just(EntryKind::Directory),
        3 => prop::option::of(ranges).prop_map(|data| EntryKind::File { data }),
        3 => prop_oneof![out, path()].prop_map(|target| EntryKind::Symlink { target: target.into_bytes() }),
        2 => path().prop_map(|target| EntryKind::HardLink { target: EntryPath::new(target).unwrap() }),
        1 => Just(EntryKind::Fifo),
        1 => Just(EntryKind::CharDevice { major: 1, minor: 3 }),
    ]
}

fn entries() -> impl Strategy<Value = Entries> {
    let entry = (
        path(),
        kind(),
        0u64..60,
        prop::sample::select(vec![0o644, 0o6755, 0o000, 0o1777]),
        any::<bool>(),
    );
    let entry = entry.prop_map(|(path, kind, size, mode, is_short)| {
        let mut entry = Entry::plain_file(EntryPath::new(path).unwrap(), size, 1_600_000_000);
        (entry.kind, entry.mode) = (kind, mode);
        (entry.uid, entry.gid) = (12, 13);
        let is_file = matches!(entry.kind, EntryKind::File { .. });
        let stored = if is_file { entry.stored_bytes() } else { 0 };
        let content = vec![b'x'; usize::try_from(stored).unwrap() - usize::from(is_short && stored > 0)];
        (entry, content)
    });
    prop::collection::vec(entry, 0..12)
}

/// Everything about everything in a folder.
type Snapshot = BTreeMap<String, (u32, u32, u64, i64, i64, Vec<u8>)>;

fn snapshot(dir: &Path) -> Snapshot {
    let mut all = Snapshot::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(path) = waiting.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let content = if found.is_file() {
            fs::read(&path).unwrap()
        } else {
            Vec::new()
        };
        if found.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let about = (
            found.mode(),
            found.uid(),
            found.nlink(),
            found.mtime_nsec(),
            found.ctime_nsec(),
            content,
        );
        all.insert(path.to_str().unwrap().to_owned(), about);
    }
    all
}

fn point_out(entries: &mut Entries, outside: &Path) {
    for (entry, _) in entries {
        if let EntryKind::Symlink { target } = &mut entry.kind
            && target == b"OUTSIDE"
        {
            *target = outside.to_str().unwrap().into();
        }
    }
}

/// The same as an honest archive has them: in order, each once, each in a folder that is there.
fn put_in_order(entries: Entries) -> Entries {
    let folder = |path: &[u8]| {
        let mut entry = Entry::plain_file(EntryPath::new(path).unwrap(), 0, 1_500_000_000);
        (entry.kind, entry.mode) = (EntryKind::Directory, 0o755);
        (entry, Vec::new())
    };
    let mut all: BTreeMap<EntryPath, (Entry, Vec<u8>)> = BTreeMap::new();
    all.insert(EntryPath::root(), folder(b""));
    for (mut entry, content) in entries {
        if !matches!(entry.kind, EntryKind::File { .. }) {
            entry.size = 0;
        }
        let parts: Vec<Vec<u8>> = entry.path.components().map(<[u8]>::to_vec).collect();
        for length in 1..parts.len() {
            let above = folder(&parts[..length].join(&b'/'));
            let place = all.entry(above.0.path.clone()).or_insert_with(|| above.clone());
            if place.0.kind != EntryKind::Directory {
                *place = above;
            }
        }
        if !entry.path.is_root() && !all.keys().any(|path| path.is_under(&entry.path)) {
            all.insert(entry.path.clone(), (entry, content));
        }
    }
    // A backup names the first of a file's names.
    let kinds: BTreeMap<EntryPath, EntryKind> = all
        .iter()
        .map(|(path, (entry, _))| (path.clone(), entry.kind.clone()))
        .collect();
    all.retain(|_, (entry, _)| match &entry.kind {
        EntryKind::HardLink { target } => !matches!(kinds.get(target), Some(EntryKind::HardLink { .. })),
        _ => true,
    });
    all.into_values().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_outside_of_the_target_changes(mut entries in entries(), is_sorted in any::<bool>()) {
        let parent = Scratch::new();
        let (outside, dir) = (parent.path().join("outside"), parent.path().join("target"));
        fs::create_dir_all(outside.join("a/b")).unwrap();
        for name in ["file", "a/file", "a/b/file"] {
            fs::write(outside.join(name), "mine").unwrap();
        }
        fs::set_permissions(outside.join("file"), fs::Permissions::from_mode(0o600)).unwrap();
        point_out(&mut entries, &outside);
        if is_sorted {
            entries.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
            entries.dedup_by(|(one, _), (other, _)| one.path == other.path);
        }
        let before = snapshot(&outside);
        let mut target = FilesTarget::new(dir.clone(), FilesTargetOptions::default());
        let result = target.restore(&mut Replay::of(entries.clone()), &job());
        prop_assert_eq!(&before, &snapshot(&outside));
        prop_assert_eq!(result.is_ok(), dir.exists(), "{:?}", result);
        prop_assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1 + usize::from(dir.exists()));

        let drilled = FilesDrill::new(&parent.path().join("drills"), "1").restore(&mut Replay::of(entries), &job());
        prop_assert!(result.is_ok() || drilled.is_err());
        prop_assert_eq!(&before, &snapshot(&outside));
        prop_assert_eq!(fs::read_dir(parent.path().join("drills")).unwrap().count(), 0);
    }

    #[test]
    fn a_drill_passes_what_can_be_restored_and_only_that(entries in entries()) {
        let parent = Scratch::new();
        let mut entries = put_in_order(entries);
        point_out(&mut entries, parent.path());
        let mut target = FilesTarget::new(parent.path().join("target"), FilesTargetOptions::default());
        let restored = target.restore(&mut Replay::of(entries.clone()), &job());
        let drilled = FilesDrill::new(&parent.path().join("drills"), "1").restore(&mut Replay::of(entries), &job());
        let shown = |result: &Result<(), PipelineError>| result.as_ref().map_err(ToString::to_string).cloned();
        prop_assert_eq!(shown(&restored), shown(&drilled));
    }
}
