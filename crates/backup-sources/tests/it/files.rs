//! Trees of files: everything comes back, nothing is lost silently.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use backup_core::{EntryKind, EntryPath, PipelineError, Source, Target, WarningCode};
use backup_sources::{ConfigSource, FilesSource, FilesTarget, FilesTargetOptions};
use backup_tests::tools::{self, is_root};
use backup_tests::tree::{self, Scratch};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat};

use crate::config::inputs;
use crate::job;
use crate::recorder::{Archive, Replay, When, back_up, warned};

pub(crate) fn save(root: &Path, archive: &mut Archive<'_>) -> backup_core::JobControl {
    let job = job();
    back_up(&FilesSource::new(root.to_owned()), archive, &job).unwrap();
    job
}

pub(crate) fn restore(archive: &Archive<'_>, dir: &Path) -> Result<backup_core::JobControl, PipelineError> {
    restore_only(archive, dir, &[])
}

fn restore_only(archive: &Archive<'_>, dir: &Path, paths: &[&str]) -> Result<backup_core::JobControl, PipelineError> {
    let job = job();
    let paths = paths.iter().map(|path| EntryPath::new(*path).unwrap()).collect();
    let mut target = FilesTarget::new(dir.to_owned(), FilesTargetOptions { paths });
    target.prepare(&job)?;
    target.restore(&mut archive.replay(), &job)?;
    Ok(job)
}

fn tree_with_everything_comes_back() {
    let (source, parent) = (Scratch::new(), Scratch::new());
    tree::everything(source.path());
    fs::set_permissions(source.path(), fs::Permissions::from_mode(0o750)).unwrap();
    let copy = parent.path().join("new/folder");
    let mut archive = Archive::default();
    save(source.path(), &mut archive);
    let restored = restore(&archive, &copy).unwrap();
    assert_eq!(tree::compare(source.path(), &copy), Vec::<String>::new());
    assert_eq!(restored.warnings(), []);
}

#[test]
fn everything_comes_back() {
    tree_with_everything_comes_back();
}

#[test]
fn the_contents_say_what_was_saved() {
    let source = Scratch::new();
    let file = |name: &str, size: usize| fs::write(source.path().join(name), vec![b'x'; size]).unwrap();
    file("a", 10);
    fs::create_dir(source.path().join("d")).unwrap();
    file("d/b", 300_000);
    fs::hard_link(source.path().join("a"), source.path().join("d/a")).unwrap();
    File::create(source.path().join("sparse"))
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    symlink("a", source.path().join("link")).unwrap();

    let job = job();
    let source = FilesSource::new(source.path().to_owned());
    let estimate = source.prepare(&job).unwrap();
    let mut archive = Archive::default();
    let contents = back_up(&source, &mut archive, &job).unwrap().files.unwrap();
    assert_eq!(contents.size_bytes, 300_010);
    assert_eq!(contents.file_count, 4);
    assert_eq!(contents.entry_count, 7);
    assert_eq!(archive.paths(), ["", "a", "d", "d/a", "d/b", "link", "sparse"]);
    assert_eq!(job.bytes_read(), 300_010);
    assert!((300_010..310_030).contains(&estimate), "{estimate}");
    assert_eq!(
        archive.find("d/a").unwrap().0.kind,
        EntryKind::HardLink {
            target: EntryPath::new("a").unwrap()
        }
    );
}

#[test]
fn what_changes_while_it_is_read_is_told_and_does_not_fail_the_backup() {
    let source = Scratch::new();
    let at = |name: &str| source.path().join(name);
    for name in ["changes", "grows", "quiet", "shrinks", "vanishes", "z folder vanishes"] {
        if name.contains("folder") {
            fs::create_dir(at(name)).unwrap();
        } else {
            fs::write(at(name), vec![b'o'; 200_000]).unwrap();
        }
    }
    let done = Cell::new(false);
    let mut archive = Archive::with_hook(|when, path| {
        let file = |name: &str| File::options().write(true).open(at(name)).unwrap();
        match (when, path.to_string().as_str()) {
            (When::During, "changes") if !done.replace(true) => {
                let mut file = file("changes");
                file.write_all(b"new").unwrap();
                file.set_modified(std::time::UNIX_EPOCH).unwrap();
            }
            (When::Before, "grows") => file("grows").set_len(300_000).unwrap(),
            (When::Before, "shrinks") => file("shrinks").set_len(70_000).unwrap(),
            (When::After, "shrinks") => {
                fs::remove_file(at("vanishes")).unwrap();
                fs::remove_dir(at("z folder vanishes")).unwrap();
            }
            _ => {}
        }
    });
    let job = save(source.path(), &mut archive);
    assert_eq!(warned(&job, WarningCode::FileChanged), ["changes", "grows", "shrinks"]);
    assert_eq!(
        warned(&job, WarningCode::FileVanished),
        ["vanishes", "z folder vanishes"]
    );
    assert_eq!(archive.paths(), ["", "changes", "grows", "quiet", "shrinks"]);
    assert_eq!(archive.content("grows"), vec![b'o'; 200_000]);
    assert_eq!(archive.content("shrinks")[..70_000], vec![b'o'; 70_000]);
    assert_eq!(archive.content("shrinks")[70_000..], vec![0; 130_000]);
    // The next backup takes none of them for unchanged.
    let is_known = |name: &&str| archive.find(name).unwrap().0.identity.is_some();
    let known: Vec<&str> = ["changes", "grows", "quiet", "shrinks"]
        .into_iter()
        .filter(is_known)
        .collect();
    assert_eq!(known, ["quiet"]);
}

#[test]
fn a_file_that_ends_before_its_length_and_did_not_change_fails_the_backup() {
    // The kernel says that it has a page, and gives a few bytes.
    let file = Path::new("/sys/kernel/uevent_seqnum");
    if !fs::metadata(file).is_ok_and(|found| found.len() == 4096) {
        backup_tests::note("no file of this system ends early: it is not tested");
        return;
    }
    let source = ConfigSource::new(inputs(&[file]));
    // The kernel dates it anew when its attributes are first asked for: then it did change.
    let _first = back_up(&source, &mut Archive::default(), &job());
    let error = back_up(&source, &mut Archive::default(), &job()).unwrap_err();
    assert!(
        matches!(error, PipelineError::Refused { .. }) && error.to_string().contains("uevent_seqnum (it ended early)"),
        "{error:?}"
    );
}

#[test]
fn a_folder_that_becomes_a_link_does_not_lead_out() {
    let (source, outside) = (Scratch::new(), Scratch::new());
    fs::write(outside.path().join("secret"), "secret").unwrap();
    for folder in ["a", "b"] {
        fs::create_dir(source.path().join(folder)).unwrap();
        fs::write(source.path().join(folder).join("secret"), "harmless").unwrap();
    }
    fs::write(source.path().join("c"), "harmless").unwrap();
    let mut archive = Archive::with_hook(|when, path| {
        if when == When::After && path.to_string() == "a/secret" {
            fs::remove_dir_all(source.path().join("b")).unwrap();
            symlink(outside.path(), source.path().join("b")).unwrap();
            fs::remove_file(source.path().join("c")).unwrap();
            symlink(outside.path().join("secret"), source.path().join("c")).unwrap();
        }
    });
    save(source.path(), &mut archive);
    assert_eq!(archive.paths(), ["", "a", "a/secret", "b", "c"]);
    for name in ["b", "c"] {
        assert!(matches!(archive.find(name).unwrap().0.kind, EntryKind::Symlink { .. }));
    }
    assert!(archive.entries.iter().all(|(_, content)| content != b"secret"));
}

#[test]
fn a_socket_is_left_out_and_told() {
    let source = Scratch::new();
    let _socket = std::os::unix::net::UnixListener::bind(source.path().join("socket")).unwrap();
    let mut archive = Archive::default();
    let job = save(source.path(), &mut archive);
    assert_eq!(archive.paths(), [""]);
    assert_eq!(warned(&job, WarningCode::SocketSkipped), ["socket"]);
}

#[test]
fn a_missing_folder_is_refused_before_anything_is_read() {
    let parent = Scratch::new();
    fs::write(parent.path().join("file"), "").unwrap();
    for (name, reason) in [("missing", "does not exist"), ("file", "is not a folder")] {
        let path = parent.path().join(name);
        let error = FilesSource::new(path.clone()).prepare(&job()).unwrap_err();
        assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(path.to_str().unwrap()) && text.contains(reason) && text.contains("UPLOAD_DIR"),
            "{text}"
        );
    }
}

#[test]
fn a_file_that_is_lent_to_another_program_is_waited_for() {
    let source = Scratch::new();
    let lent = source.path().join("lent");
    fs::write(&lent, "content").unwrap();
    // It gives the file back when it is asked to: the signal ends it.
    let script = "import fcntl, sys, time\n\
        file = open(sys.argv[1], 'r+b')\n\
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
        print('lent', flush=True)\n\
        time.sleep(600)\n";
    let mut holder = Command::new("python3")
        .args(["-c", script])
        .arg(&lent)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut word = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut word).unwrap();
    let mut archive = Archive::default();
    let saved = back_up(&FilesSource::new(source.path().to_owned()), &mut archive, &job());
    holder.kill().unwrap();
    holder.wait().unwrap();
    saved.unwrap();
    assert!(archive.find("lent").is_some());
}

#[test]
fn a_cancelled_walk_ends() {
    let source = Scratch::new();
    for i in 0..10 {
        fs::write(source.path().join(i.to_string()), "x").unwrap();
    }
    let job = job();
    let mut archive = Archive::with_hook(|_, path| {
        if path.to_string() == "3" {
            job.cancel();
        }
    });
    let result = back_up(&FilesSource::new(source.path().to_owned()), &mut archive, &job);
    assert!(matches!(result, Err(PipelineError::Cancelled)), "{result:?}");
    assert!(archive.entries.len() < 6);
}

/// Goes down `levels` folders called `folder`, doing something in each, and back up, doing something else.
fn down_and_up(root: &Path, levels: usize, down: impl Fn(&OwnedFd), up: impl Fn(&OwnedFd)) {
    let open =
        |dir: BorrowedFd<'_>, name: &str| openat(dir, name, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap();
    let mut dir = open(CWD, root.to_str().unwrap());
    for _ in 0..levels {
        down(&dir);
        dir = open(dir.as_fd(), "folder");
    }
    for _ in 0..levels {
        dir = open(dir.as_fd(), "..");
        up(&dir);
    }
}

#[test]
fn a_tree_deeper_than_any_path_can_name_comes_back() {
    let (source, copy) = (Scratch::new(), Scratch::new());
    let make = |dir: &OwnedFd| {
        // Something after each folder, so that the way back up is taken too.
        mkdirat(dir, "z", Mode::RWXU).unwrap();
        mkdirat(dir, "folder", Mode::RWXU).unwrap();
    };
    down_and_up(source.path(), 1500, make, |_| {});
    let mut archive = Archive::default();
    save(source.path(), &mut archive);
    let place = copy.path().join("copy");
    restore(&archive, &place).unwrap();
    let mut again = Archive::default();
    save(&place, &mut again);
    assert_eq!((archive.entries.len(), again.entries.len()), (3001, 3001));
    let differs = archive.entries.iter().zip(&again.entries).find(|(a, b)| a != b);
    assert!(differs.is_none(), "{differs:?}");
    // The standard library cannot remove what is this deep.
    for root in [source.path(), &place] {
        down_and_up(
            root,
            1500,
            |_| {},
            |dir| {
                unlinkat(dir, "folder", AtFlags::REMOVEDIR).unwrap();
                unlinkat(dir, "z", AtFlags::REMOVEDIR).unwrap();
            },
        );
    }
}

#[test]
fn only_what_was_asked_for_is_restored() {
    let (source, parent) = (Scratch::new(), Scratch::new());
    for folder in ["a", "a/b", "c"] {
        fs::create_dir(source.path().join(folder)).unwrap();
    }
    for file in ["a/b/one", "a/two", "a.txt", "c/three"] {
        fs::write(source.path().join(file), file).unwrap();
    }
    fs::hard_link(source.path().join("a/two"), source.path().join("c/two again")).unwrap();
    fs::set_permissions(source.path().join("a"), fs::Permissions::from_mode(0o711)).unwrap();
    let mut archive = Archive::default();
    save(source.path(), &mut archive);

    let copy = parent.path().join("copy");
    restore_only(&archive, &copy, &["a/b", "c/three"]).unwrap();
    let mut restored = Archive::default();
    save(&copy, &mut restored);
    assert_eq!(restored.paths(), ["", "a", "a/b", "a/b/one", "c", "c/three"]);
    assert_eq!(restored.find("a").unwrap().0.mode, 0o711);

    for (asked, reason) in [("nowhere", "holds nothing at nowhere"), ("c", "another name of a/two")] {
        let other = parent.path().join("other");
        let error = restore_only(&archive, &other, &[asked]).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!other.exists());
    }
}

#[test]
fn a_failed_restore_leaves_what_was_there() {
    let (source, parent) = (Scratch::new(), Scratch::new());
    tree::everything(source.path());
    let mut archive = Archive::default();
    save(source.path(), &mut archive);
    let half = archive.entries.len() / 2;

    let fail = |dir: &Path| {
        let mut target = FilesTarget::new(dir.to_owned(), FilesTargetOptions::default());
        let error = target
            .restore(&mut Replay::damaged(archive.entries[..half].to_vec()), &job())
            .unwrap_err();
        assert!(matches!(error, PipelineError::Integrity { .. }), "{error:?}");
    };
    let (new, empty, full) = (
        parent.path().join("not/yet/there"),
        parent.path().join("empty"),
        parent.path().join("full"),
    );
    fail(&new);
    assert!(!parent.path().join("not").exists());
    fs::create_dir(&empty).unwrap();
    fail(&empty);
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);

    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine"), "mine").unwrap();
    let error = restore(&archive, &full).map(|_| ()).unwrap_err();
    assert!(
        matches!(error, PipelineError::Refused { .. }) && error.to_string().contains("not empty"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(full.join("mine")).unwrap(), "mine");
}

/// A folder in the current one of [`as_plain_user`], of another user where there is one, in which everybody may write.
pub(crate) const OTHERS: &str = "others";

/// Runs one of the tests below (ignored otherwise) as a user without rights.
pub(crate) fn as_plain_user(test: &str) {
    let folder = Scratch::new();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    // Where the tests were built, a plain user may not be able to go. Copied by another process: a program that any
    // process holds open for writing cannot be started.
    let program: PathBuf = folder.path().join("tests");
    let mut copy = Command::new("cp");
    copy.arg("--preserve=mode")
        .arg(std::env::current_exe().unwrap())
        .arg(&program);
    tools::run(&mut copy).unwrap();
    let others = folder.path().join(OTHERS);
    fs::create_dir(&others).unwrap();
    fs::set_permissions(&others, fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--groups=65533",
                "--inh-caps=-all",
                "--",
            ])
            .arg(&program);
        command
    } else {
        Command::new(&program)
    };
    let output = command
        .args(["--exact", test, "--ignored"])
        .env("TMPDIR", folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_cannot_be_read_fails_the_backup() {
    as_plain_user("files::plain_what_cannot_be_read_fails_the_backup");
}

#[test]
#[ignore = "run by the test of the same name as a plain user"]
fn plain_what_cannot_be_read_fails_the_backup() {
    let source = Scratch::new();
    for name in ["a", "b", "c"] {
        fs::write(source.path().join(name), name).unwrap();
    }
    fs::create_dir(source.path().join("locked")).unwrap();
    fs::write(source.path().join("locked/inside"), "").unwrap();
    for name in ["b", "locked"] {
        fs::set_permissions(source.path().join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let mut archive = Archive::default();
    let error = back_up(&FilesSource::new(source.path().to_owned()), &mut archive, &job()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
    assert!(
        text.starts_with("2 files or folders cannot be read: b (") && text.contains("locked ("),
        "{text}"
    );
    assert!(archive.find("c").is_some(), "the rest is read before the list is told");
}

#[test]
fn everything_comes_back_to_a_plain_user() {
    as_plain_user("files::plain_everything_comes_back");
}

#[test]
#[ignore = "run by the test of the same name as a plain user"]
fn plain_everything_comes_back() {
    tree_with_everything_comes_back();
}

#[test]
fn the_owners_of_others_are_kept_in_the_archive_and_told_to_a_plain_user() {
    as_plain_user("files::plain_set_id_bits_are_not_handed_out");
}

#[test]
#[ignore = "run by the test above as a plain user"]
fn plain_set_id_bits_are_not_handed_out() {
    let parent = Scratch::new();
    let mut entry = backup_core::Entry::plain_file(EntryPath::new("program").unwrap(), 1, 0);
    entry.mode = 0o4755;
    let mut target = FilesTarget::new(parent.path().join("copy"), FilesTargetOptions::default());
    target
        .restore(&mut Replay::of([(entry, b"x".to_vec())]), &job())
        .unwrap();
    let mode = fs::metadata(parent.path().join("copy/program"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o755);
}
