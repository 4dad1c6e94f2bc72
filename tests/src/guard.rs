//! A server that cannot outlive the process that started it.
//!
//! Between the two stands a small shell, which waits for a word on a pipe. The pipe's end, for whatever reason (drop,
//! panic, `kill -9`, Ctrl-C), ends the server and removes its folder. No signal handler and no thread is needed for it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// `$1` log, `$2` signal, `$3` folder, the rest is the server's command line.
const SHELL: &str = r#"
log=$1 signal=$2 folder=$3
shift 3
"$@" </dev/null >>"$log" 2>&1 &
pid=$!
echo "$pid"
read -r word || word=end
kill "-$signal" "$pid" 2>/dev/null
wait "$pid"
[ "$word" = keep ] && exit 0
for _ in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$folder" 2>/dev/null && exit 0
    sleep 0.2
done
"#;

/// A running server and the shell that watches over it. Dropped, both end and the folder is removed.
#[derive(Debug)]
pub struct Guarded {
    shell: Child,
    server: Pid,
}

impl Guarded {
    /// Starts `command` (of which program, arguments and added variables count), its output going to the end of `log`. It
    /// ends by `signal` (`QUIT`, `KILL`…) when this value is dropped or its process ends; then `folder` is removed.
    pub fn spawn(command: &Command, log: &Path, signal: &str, folder: &Path) -> io::Result<Self> {
        File::options().create(true).append(true).open(log)?;
        let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut shell = Command::new("sh")
            .args(["-c", SHELL, "guard"])
            .args([log.as_os_str(), signal.as_ref(), folder.as_os_str()])
            .arg(command.get_program())
            .args(command.get_args())
            .envs(variables)
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = shell.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let server = line.trim().parse().ok().and_then(Pid::from_raw);
        let server = server.ok_or_else(|| io::Error::other(format!("cannot start {command:?}")))?;
        Ok(Self { shell, server })
    }

    /// The server's process id. Programs that only change the user or the environment keep it over their `exec`.
    pub fn pid(&self) -> u32 {
        self.server.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether the server still runs.
    pub fn is_running(&self) -> bool {
        state_of(self.pid()).is_some_and(|state| state != 'Z')
    }

    /// Sends a signal to the server.
    pub fn signal(&self, signal: Signal) {
        let _gone_already = kill_process(self.server, signal);
    }

    /// Ends the server by its signal and keeps its folder, for another start.
    pub fn end_and_keep(mut self) {
        if let Some(mut word) = self.shell.stdin.take() {
            let _guard_gone = word.write_all(b"keep\n");
        }
        let _ended = self.shell.wait();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ended = self.shell.wait();
    }
}

/// The state letter of a process in `/proc` (`Z`: ended and not yet collected), or `None` when there is no such process.
pub fn state_of(pid: u32) -> Option<char> {
    stat_fields(pid)?.first()?.chars().next()
}

/// The processes that the threads of `pid` have started and that still run.
pub fn children_of(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|child| child.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

/// The fields of `/proc/PID/stat` after the program's name: the state, the parent and so on.
pub(crate) fn stat_fields(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}
