//! A running program, and what is left of it when it ended.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::measure::{Usage, Watched};
use crate::poll;

/// How long a program may take to end by itself.
const END_LIMIT: Duration = Duration::from_mins(10);

/// How long a program may take to stand still.
const PAUSE_LIMIT: Duration = Duration::from_mins(1);

/// A running program. Dropped, or when the test's own process ends, it is killed.
#[derive(Debug)]
pub struct Running {
    name: String,
    watched: Watched,
    folder: TempDir,
    /// Kills the program when the pipe closes without a word.
    watch_dog: Child,
    word: Option<ChildStdin>,
}

impl Running {
    pub(super) fn new(name: String, child: Child, folder: TempDir) -> Self {
        let mut watch_dog = Command::new("sh")
            .args([
                "-c",
                "read -r word || kill -9 \"$1\"",
                "watch-dog",
                &child.id().to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Self {
            name,
            watched: Watched::new(child),
            folder,
            word: watch_dog.stdin.take(),
            watch_dog,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.watched.pid()
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        self.output("stdout")
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.output("stderr")
    }

    fn output(&self, which: &str) -> String {
        let bytes = fs::read(self.folder.path().join(which)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until a whole line (of standard output or error) fulfils `wanted`, and gives it. Panics when the program
    /// ends or `limit` passes before.
    pub fn wait_for_line(&self, limit: Duration, wanted: impl Fn(&str) -> bool) -> String {
        let found = self.poll(limit, || {
            let all = [self.stdout(), self.stderr()];
            let mut whole = all
                .iter()
                .filter_map(|text| text.rsplit_once('\n'))
                .flat_map(|(text, _)| text.lines());
            whole.find(|line| wanted(line)).map(str::to_owned)
        });
        found.unwrap_or_else(|| panic!("{}: the line did not come; {}", self.name, self.story()))
    }

    /// Waits until `GET path` on this loopback port answers 200. Panics when the program ends or `limit` passes before.
    pub fn wait_for_http(&self, port: u16, path: &str, limit: Duration) {
        let answered = self.poll(limit, || http_status(port, path).filter(|status| *status == 200));
        assert!(
            answered.is_some(),
            "{}: no answer on {path}; {}",
            self.name,
            self.story()
        );
    }

    /// Waits until `probe` gives something. Panics when the program ends or `limit` passes before.
    pub fn wait_until<T>(&self, limit: Duration, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        self.poll(limit, probe)
            .unwrap_or_else(|| panic!("{}: waited for {what} in vain; {}", self.name, self.story()))
    }

    /// Polls while the program runs.
    fn poll<T>(&self, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
        let found = poll(limit, || match probe() {
            Some(found) => Some(Some(found)),
            None if self.watched.has_ended() => Some(None),
            None => None,
        });
        found.flatten()
    }

    fn story(&self) -> String {
        let state = if self.watched.has_ended() {
            "it has ended"
        } else {
            "it runs"
        };
        format!("{state}\nstdout: {}\nstderr: {}", self.stdout(), self.stderr())
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.watched.has_ended()
    }

    /// Peak resident memory so far, in bytes, of the program itself.
    pub fn peak_memory(&self) -> u64 {
        self.watched.peak_memory()
    }

    /// What it has left so far in its temporary folder.
    pub fn temporary_files(&self) -> Vec<PathBuf> {
        files_below(&self.folder.path().join("tmp"))
    }

    /// What its open file descriptors point to, deleted files (` (deleted)`) among them.
    pub fn open_files(&self) -> Vec<PathBuf> {
        let all = fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .into_iter()
            .flatten()
            .flatten();
        all.filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid().cast_signed()) {
            let _ended_already = kill_process(pid, signal);
        }
    }

    /// Stops it, until SIGCONT, where it holds no lock on an embedded catalog: for as long as it stood still with one, nobody
    /// else could write.
    pub fn pause(&self) {
        self.wait_until(PAUSE_LIMIT, "a moment without a lock", || {
            self.signal(Signal::STOP);
            let state = poll(PAUSE_LIMIT, || self.is_stopped().then_some(()));
            if state.is_some() && !self.holds_a_lock() {
                return Some(());
            }
            self.signal(Signal::CONT);
            None
        });
    }

    /// Whether a signal has stopped it. See proc_pid_stat(5).
    fn is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    /// Whether it keeps others from writing to a part of a file. See proc_locks(5).
    fn holds_a_lock(&self) -> bool {
        let locks = fs::read_to_string("/proc/locks").expect("/proc/locks");
        let pid = self.pid().to_string();
        locks.lines().any(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields.contains(&"POSIX") && fields.contains(&"WRITE") && fields.contains(&pid.as_str())
        })
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill9(self) -> Finished {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// SIGTERM, and waits until it has ended by itself.
    pub fn terminate(self) -> Finished {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits until it has ended by itself. Panics when it does not within ten minutes.
    pub fn wait(mut self) -> Finished {
        let ended = poll(END_LIMIT, || self.watched.has_ended().then_some(()));
        assert!(ended.is_some(), "{} does not end; {}", self.name, self.story());
        let (status, usage) = self.watched.collect();
        self.release();
        Finished {
            code: status.code(),
            stdout: self.stdout(),
            stderr: self.stderr(),
            temporary_files: self.temporary_files(),
            usage,
            name: self.name.clone(),
        }
    }

    /// Tells the watch-dog that there is nobody to kill any more.
    fn release(&mut self) {
        if let Some(mut word) = self.word.take() {
            let _watch_dog_gone = word.write_all(b"done\n");
        }
        let _ended = self.watch_dog.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.word.is_some() {
            self.signal(Signal::KILL);
            self.watched.collect();
            self.release();
        }
    }
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// What it left in its temporary folder.
    pub temporary_files: Vec<PathBuf>,
    /// What it took.
    pub usage: Usage,
    name: String,
}

impl Finished {
    /// Asserts the exit code; a failure shows all that the program said.
    #[must_use]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit code of {}\nstdout: {}\nstderr: {}",
            self.name,
            self.stdout,
            self.stderr
        );
        self
    }
}

fn files_below(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files_below(&entry.path()));
        }
        found.push(entry.path());
    }
    found
}

/// The status of `GET path` on a loopback port; `None` when nobody answers.
pub fn http_status(port: u16, path: &str) -> Option<u16> {
    let limit = Some(Duration::from_secs(5));
    let mut line = TcpStream::connect(("127.0.0.1", port)).ok()?;
    line.set_read_timeout(limit).ok()?;
    write!(
        line,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = Vec::new();
    line.take(1000).read_to_end(&mut answer).ok()?;
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}
