//! A throw-away server comes up wherever it can, lets only us in, and leaves nothing, however we end.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use backup_core::{OsRandom, PipelineError, Source as _};
use backup_sources::{DatabaseSource, ScratchServer};
use backup_tests::tree::Scratch;

use crate::job;

/// A folder that the server's user can reach.
pub(crate) fn reachable() -> Scratch {
    let folder = Scratch::new();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn server_in(folder: &Path) -> PathBuf {
    let text = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    Path::new("/proc").join(text.lines().next().unwrap())
}

/// Not after its end, whether or not anybody has asked for its exit code yet.
fn runs(process: &Path) -> bool {
    fs::read_link(process.join("cwd")).is_ok()
}

#[test]
fn it_answers_on_its_socket_only_and_leaves_nothing() {
    let parent = reachable();
    let folder = parent.path().join("scratch");
    let server = ScratchServer::start(&folder, 12, None, Arc::new(OsRandom), &job()).unwrap();
    assert!(server.major() >= 12);
    let found = DatabaseSource::new(server.settings("postgres"))
        .check_access(&job())
        .unwrap();
    assert!(found.server_version.starts_with(&server.major().to_string()));
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    let process = server_in(&folder);
    let hexadecimal = format!(":{:04X} ", 5432);
    let listens = fs::read_to_string(process.join("net/tcp")).unwrap();
    let sockets: Vec<String> = (fs::read_dir(process.join("fd")).unwrap().flatten())
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .trim_end_matches(']')
                    .to_owned(),
            )
        })
        .collect();
    for line in listens.lines().filter(|line| line.contains(&hexadecimal)) {
        let inode = line.split_whitespace().nth(9).unwrap();
        assert!(
            !sockets.iter().any(|socket| socket == inode),
            "it listens on the network"
        );
    }
    drop(server);
    assert!(!folder.exists());
    assert!(!runs(&process));
}

#[test]
fn a_folder_with_a_long_path_will_do() {
    let parent = reachable();
    let folder = parent.path().join("a folder's name ".repeat(10));
    let server = ScratchServer::start(&folder, 12, None, Arc::new(OsRandom), &job()).unwrap();
    let settings = server.settings("postgres");
    assert!(settings.host.len() < 90, "{}", settings.host);
    DatabaseSource::new(settings.clone()).prepare(&job()).unwrap();
    drop(server);
    assert!(!folder.exists() && !Path::new(&settings.host).exists());
}

#[test]
fn what_a_killed_process_left_is_cleared() {
    let parent = reachable();
    let folder = parent.path().join("scratch");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "database_scratch::hangs_with_a_server", "--ignored"])
        .env("HANGING_FOLDER", &folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("hanging") {
        line.clear();
        assert!(
            output.read_line(&mut line).unwrap() > 0,
            "it ended before its server began"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let process = server_in(&folder);
    assert!(runs(&process));
    // The next one may be of the same name, and clears it too.
    let next = ScratchServer::start(&folder, 12, None, Arc::new(OsRandom), &job()).unwrap();
    assert!(!runs(&process));
    drop(next);
    ScratchServer::clear(&folder, &job()).unwrap();
    assert!(!folder.exists());
}

#[test]
#[ignore = "run by the test above, to be killed"]
fn hangs_with_a_server() {
    let folder = PathBuf::from(std::env::var_os("HANGING_FOLDER").unwrap());
    let _server = ScratchServer::start(&folder, 12, None, Arc::new(OsRandom), &job()).unwrap();
    // Past the capture of the test's output.
    std::io::Write::write_all(&mut std::io::stdout(), b"hanging\n").unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn neither_another_folder_nor_another_process_is_touched() {
    let parent = reachable();
    let folder = parent.path().join("theirs");
    fs::create_dir_all(folder.join("data")).unwrap();
    fs::write(folder.join("data/precious"), "").unwrap();
    for error in [
        ScratchServer::clear(&folder, &job()).unwrap_err(),
        ScratchServer::start(&folder, 12, None, Arc::new(OsRandom), &job()).unwrap_err(),
    ] {
        assert!(matches!(error, PipelineError::Refused { .. }), "{error}");
    }
    assert!(folder.join("data/precious").exists());
    // A number that was the server's, and after a restart of the machine is somebody else's.
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    let ours = parent.path().join("ours");
    fs::create_dir_all(ours.join("data")).unwrap();
    fs::write(ours.join("backup-scratch-server"), "").unwrap();
    fs::write(ours.join("data/postmaster.pid"), format!("{}\n", other.id())).unwrap();
    ScratchServer::clear(&ours, &job()).unwrap();
    assert!(!ours.exists());
    assert!(other.try_wait().unwrap().is_none(), "another process was ended");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn what_the_servers_user_puts_in_place_of_its_files_is_neither_followed_nor_believed() {
    let parent = reachable();
    let (ours, number) = (parent.path().join("ours"), parent.path().join("number"));
    let pid_file = ours.join("data/postmaster.pid");
    let make = || {
        fs::create_dir_all(ours.join("data")).unwrap();
        fs::write(ours.join("backup-scratch-server"), "").unwrap();
    };
    // A pipe that nobody writes to would be waited for.
    make();
    assert!(Command::new("mkfifo").arg(&pid_file).status().unwrap().success());
    ScratchServer::clear(&ours, &job()).unwrap();
    assert!(!ours.exists());

    make();
    let mut other = (Command::new("sleep").arg("1000"))
        .current_dir(ours.join("data"))
        .spawn()
        .unwrap();
    fs::write(&number, format!("{}\n", other.id())).unwrap();
    std::os::unix::fs::symlink(&number, &pid_file).unwrap();
    ScratchServer::clear(&ours, &job()).unwrap();
    assert!(other.try_wait().unwrap().is_none(), "a link was followed");
    other.kill().unwrap();
    other.wait().unwrap();

    // Root would end whatever process the server's user names.
    if rustix::process::geteuid().is_root() {
        make();
        let mut roots = (Command::new("sleep").arg("1000"))
            .current_dir(ours.join("data"))
            .spawn()
            .unwrap();
        fs::write(&pid_file, format!("{}\n", roots.id())).unwrap();
        for path in [&ours, &pid_file] {
            std::os::unix::fs::chown(path, Some(65_534), None).unwrap();
        }
        ScratchServer::clear(&ours, &job()).unwrap();
        assert!(roots.try_wait().unwrap().is_none(), "a process of root's was ended");
        roots.kill().unwrap();
        roots.wait().unwrap();
    }
    assert!(!ours.exists());
}

#[test]
fn what_is_missing_is_named() {
    let parent = reachable();
    let folder = parent.path().join("scratch");
    let error = ScratchServer::start(&folder, 99, None, Arc::new(OsRandom), &job()).unwrap_err();
    assert!(matches!(error, PipelineError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("postgresql-99"), "{error}");
    assert!(!folder.exists());
}
