//! Owners, modes and access lists, and users who may not set or read all of them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use backup_core::{Entry, EntryKind, EntryPath, JobControl, PipelineError, Source, Target, WarningCode};
use backup_sources::{ConfigSource, ConfigTarget, FilesDrill, FilesTarget, FilesTargetOptions};
use backup_tests::tree::{Scratch, compare};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lgetxattr, lsetxattr, mknodat};
use rustix::io::Errno;

use crate::config::inputs;
use crate::files::{OTHERS, as_plain_user, restore, save};
use crate::job;
use crate::recorder::{Archive, Replay, back_up, warned};

fn entry(path: &str, kind: EntryKind, mode: u32) -> (Entry, Vec<u8>) {
    let mut entry = Entry::plain_file(EntryPath::new(path).unwrap(), 0, 0);
    (entry.uid, entry.gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    (entry.kind, entry.mode) = (kind, mode);
    (entry, Vec::new())
}

fn restore_entries(entries: Vec<(Entry, Vec<u8>)>, dir: &Path) -> Result<JobControl, PipelineError> {
    let job = job();
    let mut target = FilesTarget::new(dir.to_owned(), FilesTargetOptions::default());
    target.restore(&mut Replay::of(entries), &job)?;
    Ok(job)
}

/// An access list as the kernel keeps it: the owner and user 4321 everything, the group and others nothing.
fn access_list() -> Vec<u8> {
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, rights, id) in [
        (1u16, 7u16, u32::MAX),
        (2, 7, 4321),
        (4, 0, u32::MAX),
        (16, 7, u32::MAX),
        (32, 0, u32::MAX),
    ] {
        list.extend_from_slice(&tag.to_le_bytes());
        list.extend_from_slice(&rights.to_le_bytes());
        list.extend_from_slice(&id.to_le_bytes());
    }
    list
}

fn set_list(path: &Path, name: &str) -> Result<(), Errno> {
    lsetxattr(path, name, &access_list(), XattrFlags::empty())
}

#[test]
fn nothing_takes_over_the_access_list_of_the_folder_it_is_restored_to() {
    let (source, parent) = (Scratch::new(), Scratch::new());
    let at = |name: &str| source.path().join(name);
    fs::create_dir_all(at("folder/inner")).unwrap();
    for name in ["file", "folder/file", "listed"] {
        fs::write(at(name), name).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o660)).unwrap();
    }
    mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR | Mode::RGRP, 0).unwrap();
    if set_list(&at("listed"), "system.posix_acl_access").is_err() {
        backup_tests::note("this file system has no access lists");
        return;
    }
    let mut archive = Archive::default();
    save(source.path(), &mut archive);
    let copy = parent.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["system.posix_acl_default", "system.posix_acl_access"] {
        set_list(&copy, name).unwrap();
    }
    restore(&archive, &copy).unwrap();
    assert_eq!(compare(source.path(), &copy), Vec::<String>::new());
    for (name, listed) in [
        ("", false),
        ("file", false),
        ("pipe", false),
        ("folder", false),
        ("folder/inner", false),
        ("folder/file", false),
        ("listed", true),
    ] {
        let access = lgetxattr(copy.join(name), "system.posix_acl_access", &mut [0; 256]);
        assert_eq!(access.is_ok(), listed, "{name}: {access:?}");
        let default = lgetxattr(copy.join(name), "system.posix_acl_default", &mut [0; 256]);
        assert!(default.is_err(), "{name}");
    }
}

#[test]
fn a_list_that_cannot_be_set_leaves_its_mask_to_nobody() {
    let parent = Scratch::new();
    let dir = parent.path().join("copy");
    let mut list = access_list();
    // Without its mask, which is the last but one, no file system takes it.
    list.drain(list.len() - 16..list.len() - 8);
    let entries = || {
        let mut entries = vec![
            entry("", EntryKind::Directory, 0o700),
            entry("file", EntryKind::File { data: None }, 0o674),
            entry("folder", EntryKind::Directory, 0o2770),
            entry("pipe", EntryKind::Fifo, 0o660),
            entry("without", EntryKind::File { data: None }, 0o660),
        ];
        for (listed, _) in &mut entries[1..4] {
            listed.xattrs = vec![(b"system.posix_acl_access".to_vec(), list.clone())];
        }
        entries
    };
    let job = restore_entries(entries(), &dir).unwrap();
    for (name, mode) in [("file", 0o604), ("folder", 0o2700), ("pipe", 0o600), ("without", 0o660)] {
        let found = fs::symlink_metadata(dir.join(name)).unwrap();
        assert_eq!(found.mode() & 0o7777, mode, "{name}");
    }
    let warnings = warned(&job, WarningCode::Other);
    let told = "3 files or folders were restored with fewer rights of the group";
    assert!(
        warnings
            .iter()
            .any(|text| text.starts_with(told) && text.ends_with(": file, folder, pipe")),
        "{warnings:?}"
    );
    let mut drill = FilesDrill::new(parent.path(), "lists");
    drill.restore(&mut Replay::of(entries()), &self::job()).unwrap();
}

#[test]
fn hard_links_through_closed_folders_come_back_to_a_plain_user() {
    as_plain_user("files_rights::plain_hard_links_through_closed_folders");
}

#[test]
#[ignore = "run by the test above as a plain user"]
fn plain_hard_links_through_closed_folders() {
    let parent = Scratch::new();
    let dir = parent.path().join("copy");
    let link = |path: &str, target: &str| {
        let target = EntryPath::new(target).unwrap();
        entry(path, EntryKind::HardLink { target }, 0o600)
    };
    let modes = [("drop", 0o311), ("shut", 0o600), ("shut/inner", 0o000), ("z", 0o500)];
    let folder = |number: usize| entry(modes[number].0, EntryKind::Directory, modes[number].1);
    let file = |path: &str| entry(path, EntryKind::File { data: None }, 0o600);
    let entries = vec![
        entry("", EntryKind::Directory, 0o700),
        folder(0),
        file("drop/file"),
        folder(1),
        folder(2),
        file("shut/inner/file"),
        folder(3),
        link("z/one", "drop/file"),
        link("z/two", "shut/inner/file"),
    ];
    restore_entries(entries, &dir).unwrap();
    for name in ["z/one", "z/two"] {
        assert_eq!(fs::metadata(dir.join(name)).unwrap().nlink(), 2, "{name}");
    }
    // What is shut can only be looked into once the folder above it is open.
    for (name, mode) in modes {
        let found = fs::symlink_metadata(dir.join(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, mode, "{name}");
        assert_eq!(found.mtime(), 0, "{name}");
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn what_a_plain_user_cannot_set_is_told_once() {
    as_plain_user("files_rights::plain_owners_are_told");
}

#[test]
#[ignore = "run by the test above as a plain user"]
fn plain_owners_are_told() {
    let parent = Scratch::new();
    let dir = parent.path().join("copy");
    let mine = entry("", EntryKind::Directory, 0o700).0;
    let file = |path: &str, uid: u32, gid: u32, mode: u32| {
        let (mut entry, content) = entry(path, EntryKind::File { data: None }, mode);
        (entry.uid, entry.gid) = (uid, gid);
        (entry, content)
    };
    // A group that this user may give files to, where there is one.
    let groups = rustix::process::getgroups().unwrap();
    let mut groups = groups.iter().map(|group| group.as_raw());
    let other = groups.find(|group| *group != mine.gid).unwrap_or(mine.gid);
    let mut capable = file("e", mine.uid, mine.gid, 0o755);
    // cap_net_raw, as `ping` has it.
    let capability = [
        0x0200_0001_u32.to_le_bytes(),
        (1_u32 << 13).to_le_bytes(),
        [0; 4],
        [0; 4],
        [0; 4],
    ];
    capable.0.xattrs = vec![(b"security.capability".to_vec(), capability.concat())];
    let entries = vec![
        file("a", mine.uid, other, 0o2755),
        file("b", 12, mine.gid, 0o4755),
        file("c", mine.uid, 12, 0o2755),
        file("d", 12, 12, 0o644),
        capable,
    ];
    let job = restore_entries(entries, &dir).unwrap();
    let found = |name: &str| fs::metadata(dir.join(name)).unwrap();
    assert_eq!((found("a").gid(), found("a").mode() & 0o7777), (other, 0o2755));
    assert_eq!(found("b").mode() & 0o7777, 0o755);
    assert_eq!(found("c").mode() & 0o7777, 0o755);
    let warnings = warned(&job, WarningCode::Other);
    let expected = [
        ("3 files or folders were restored without the recorded owner", "b, c, d"),
        (
            "2 files or folders were restored without the set-uid or set-gid bits",
            "b, c",
        ),
        ("1 file was restored without the capabilities", "e ("),
    ];
    assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
    for (warning, (what, which)) in warnings.iter().zip(expected) {
        assert!(warning.contains(what) && warning.contains(which), "{warnings:?}");
    }
}

#[test]
fn a_listed_file_below_a_folder_that_cannot_be_listed_is_saved() {
    as_plain_user("files_rights::plain_listed_files_below_closed_folders");
}

#[test]
#[ignore = "run by the test above as a plain user"]
fn plain_listed_files_below_closed_folders() {
    let folder = Scratch::new();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("closed/conf.d")).unwrap();
    for name in ["closed/app.conf", "closed/conf.d/a.conf", "closed/conf.d/b.conf"] {
        fs::write(at(name), name).unwrap();
    }
    // For its owner like another user's folder of mode 0711.
    fs::set_permissions(at("closed"), fs::Permissions::from_mode(0o311)).unwrap();
    let source = |names: &[&str]| {
        let paths: Vec<_> = names.iter().map(|name| at(name)).collect();
        let paths: Vec<&Path> = paths.iter().map(std::path::PathBuf::as_path).collect();
        ConfigSource::new(inputs(&paths))
    };
    let mut archive = Archive::default();
    let job = job();
    back_up(&source(&["closed/app.conf", "closed/conf.d"]), &mut archive, &job).unwrap();
    assert_eq!(job.warnings(), []);
    let closed = archive
        .entries
        .iter()
        .find(|(entry, _)| entry.path.to_string().ends_with("/closed"));
    assert_eq!(closed.unwrap().0.mode, 0o311);
    let copy = folder.path().join("copy");
    ConfigTarget::new(copy.clone())
        .restore(&mut archive.replay(), &job)
        .unwrap();
    let restored = copy
        .join("paths")
        .join(at("closed/conf.d/b.conf").strip_prefix("/").unwrap());
    assert_eq!(fs::read_to_string(restored).unwrap(), "closed/conf.d/b.conf");

    // What cannot be read is found before anything is saved.
    fs::set_permissions(at("closed/conf.d/b.conf"), fs::Permissions::from_mode(0o200)).unwrap();
    for names in [["closed/conf.d"], ["closed/conf.d/b.conf"], ["closed"]] {
        let error = source(&names).prepare(&crate::job()).unwrap_err();
        assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains("closed"), "{error}");
    }
}

#[test]
fn a_folder_of_another_user_is_restored_into() {
    as_plain_user("files_rights::plain_folder_of_another");
}

#[test]
#[ignore = "run by the test above as a plain user"]
fn plain_folder_of_another() {
    let dir = std::env::current_dir().unwrap().join(OTHERS);
    if fs::metadata(&dir).unwrap().uid() == rustix::process::geteuid().as_raw() {
        backup_tests::note("there is no other user whose folder it could be");
        return;
    }
    let root = entry("", EntryKind::Directory, 0o750);
    let mut file = entry("a", EntryKind::File { data: None }, 0o600);
    file.1 = b"content".to_vec();
    file.0.size = 7;
    let job = restore_entries(vec![root, file], &dir).unwrap();
    assert_eq!(fs::read(dir.join("a")).unwrap(), b"content");
    let warnings = warned(&job, WarningCode::Other);
    assert!(
        warnings.iter().any(|text| text.contains("its own rights and times")),
        "{warnings:?}"
    );
}

#[test]
fn other_names_of_a_device_that_cannot_be_made_are_left_out_with_it() {
    as_plain_user("files_rights::plain_names_of_a_device");
}

#[test]
#[ignore = "run by the test above as a plain user"]
fn plain_names_of_a_device() {
    let parent = Scratch::new();
    let target = EntryPath::new("null").unwrap();
    let link = EntryKind::HardLink { target };
    let entries = || {
        vec![
            entry("", EntryKind::Directory, 0o700),
            entry("null", EntryKind::CharDevice { major: 1, minor: 3 }, 0o666),
            entry("same", link.clone(), 0o666),
        ]
    };
    let job = restore_entries(entries(), &parent.path().join("copy")).unwrap();
    let warnings = warned(&job, WarningCode::Other);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let mut drill = FilesDrill::new(parent.path(), "devices");
    drill.restore(&mut Replay::of(entries()), &self::job()).unwrap();
}
