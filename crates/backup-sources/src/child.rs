//! A child process that is read from or written to, watched all the while.
//!
//! One thread does everything: while we wait for the child, its standard error is drained, cancellation is looked at and
//! its silence is measured. While we are the slow side nothing is measured, and the pipe holds the child back.
//!
//! Should this process be killed outright, nothing can be done for the child, but its pipes close: `pg_dump` ends with its
//! next write, `pg_restore` and `psql` at the end of the statement that runs. A `pg_restore` that reads a file goes on to its
//! end, or until its database is dropped, which ends its sessions.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use backup_core::{JobControl, PipelineError, counted};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::SecretString;

use crate::Error;

mod said;

use said::Said;

/// How often a wait looks up to see whether the job was cancelled.
const TICK: Duration = Duration::from_millis(100);
/// How long a child may take to obey SIGTERM.
const PATIENCE: Duration = Duration::from_secs(2);
/// Size of the pipes, in bytes: fewer switches between the child and us.
const PIPE: usize = 1024 * 1024;

/// Tells whether a silent child is at work nevertheless, since the server is at work for it.
pub(crate) type Alive = Box<dyn FnMut() -> bool + Send>;

/// Why we ended a child.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Cancelled,
    Silent(Duration),
}

/// A running child process. Dropped, it is ended with its whole process group.
pub(crate) struct Child {
    name: String,
    process: std::process::Child,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    said: Said,
    secret: Option<SecretString>,
    job: JobControl,
    stall: Duration,
    alive: Option<Alive>,
    fault: Option<Fault>,
    status: Option<ExitStatus>,
}

/// How a child ended, and what it said on standard error.
pub(crate) struct Exit {
    name: String,
    status: ExitStatus,
    /// Standard error, bounded, without the password.
    pub(crate) stderr: String,
}

impl Exit {
    /// The exit code; `None` after a signal.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// An error unless the child said that all is well.
    pub(crate) fn check(self, hint: &str) -> Result<Self, Error> {
        if self.status.success() {
            return Ok(self);
        }
        let how = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("failed with exit code {code}"),
            (None, Some(signal)) => format!("was ended by {}", signal_name(signal)),
            (None, None) => "ended in an unknown way".to_owned(),
        };
        let words = if self.stderr.is_empty() {
            String::new()
        } else {
            format!(": {}", self.stderr)
        };
        Err(Error::failed(format!("{} {how}{words}", self.name), hint))
    }
}

impl Child {
    /// Starts `command` in a process group of its own with all three standard streams as pipes. `secret` is taken out of
    /// everything it says.
    pub(crate) fn spawn(
        name: &str,
        mut command: Command,
        secret: Option<SecretString>,
        job: &JobControl,
    ) -> Result<Self, Error> {
        job.check()?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut process = command.spawn().map_err(|error| {
            Error::refused(
                format!("cannot start {}: {error}", command.get_program().display()),
                "Install the PostgreSQL client programs, or name the folder that holds them.",
            )
        })?;
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let child = Self {
            name: name.to_owned(),
            process,
            stdin,
            stdout,
            stderr,
            said: Said::default(),
            secret,
            job: job.clone(),
            stall: job.stall_timeout(),
            alive: None,
            fault: None,
            status: None,
        };
        for pipe in [
            child.stdin.as_ref().map(AsFd::as_fd),
            child.stdout.as_ref().map(AsFd::as_fd),
            child.stderr.as_ref().map(AsFd::as_fd),
        ]
        .into_iter()
        .flatten()
        {
            prepare_pipe(pipe).map_err(|error| Error::io("set up the pipe of", name, error))?;
        }
        Ok(child)
    }

    /// Asks `alive` before the child is ended for its silence.
    pub(crate) fn ask_before_ending(&mut self, alive: Alive) {
        self.alive = Some(alive);
    }

    /// The process group that it makes with its children.
    pub(crate) fn group(&self) -> Option<Pid> {
        i32::try_from(self.process.id()).ok().and_then(Pid::from_raw)
    }

    /// Says that nothing more will be written to the child.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Says that nothing more will be read from the child.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Why we ended the child, where we did: it outranks whatever error came of that.
    pub(crate) fn fault(&self) -> Option<PipelineError> {
        self.fault.map(|fault| self.describe(fault))
    }

    /// Waits for the child to end by itself and says how it did. The pipes to it are closed first.
    pub(crate) fn finish(mut self) -> Result<Exit, Error> {
        self.stdin = None;
        self.stdout = None;
        let status = loop {
            if let Some(status) = self.ended()? {
                break status;
            }
            self.wait(None).map_err(|error| Error::content(&self.name, error))?;
        };
        self.drain_stderr();
        Ok(Exit {
            name: std::mem::take(&mut self.name),
            status,
            stderr: self.said.text(self.secret.as_ref()),
        })
    }

    /// Waits until the pipe can be read or written (`None`: for no pipe), or the child has ended. `Ok(false)`: it ended and
    /// the pipe has nothing left.
    fn wait(&mut self, direction: Option<PollFlags>) -> io::Result<bool> {
        let mut since = Instant::now();
        let mut ended = false;
        loop {
            if self.job.is_cancelled() {
                return Err(self.end_for(Fault::Cancelled));
            }
            let (ready, stderr_ready) = self.poll(direction, if ended { Duration::ZERO } else { TICK })?;
            if stderr_ready {
                self.drain_stderr();
                since = Instant::now();
            }
            if ready {
                return Ok(true);
            }
            if ended {
                return Ok(false);
            }
            // A grandchild may hold the pipe open, so that its end never comes.
            ended = self.ended().map_err(io::Error::other)?.is_some();
            if !ended && since.elapsed() >= self.stall {
                if self.alive.as_mut().is_some_and(|alive| alive()) {
                    since = Instant::now();
                } else {
                    // Asking took its time, in which the job may have been cancelled.
                    let cancelled = self.job.is_cancelled();
                    return Err(self.end_for(if cancelled {
                        Fault::Cancelled
                    } else {
                        Fault::Silent(self.stall)
                    }));
                }
            }
        }
    }

    fn poll(&self, direction: Option<PollFlags>, timeout: Duration) -> io::Result<(bool, bool)> {
        let pipe = match direction {
            Some(PollFlags::OUT) => self.stdin.as_ref().map(AsFd::as_fd),
            Some(_) => self.stdout.as_ref().map(AsFd::as_fd),
            None => None,
        };
        let mut fds = Vec::with_capacity(2);
        if let (Some(pipe), Some(direction)) = (pipe, direction) {
            fds.push(PollFd::from_borrowed_fd(pipe, direction));
        }
        let main = fds.len();
        if let Some(stderr) = &self.stderr {
            fds.push(PollFd::from_borrowed_fd(stderr.as_fd(), PollFlags::IN));
        }
        // With no pipe to tell of its end, the end is looked for often.
        let timeout = if fds.is_empty() {
            timeout.min(Duration::from_millis(5))
        } else {
            timeout
        };
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: timeout.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |fd: Option<&PollFd<'_>>| fd.is_some_and(|fd| !fd.revents().is_empty());
        Ok((main == 1 && ready(fds.first()), ready(fds.get(main))))
    }

    fn drain_stderr(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(stderr) = &mut self.stderr {
            match stderr.read(&mut buffer) {
                Ok(length) if length > 0 => self.said.push(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Its end, or an error that leaves nothing to read.
                _ => self.stderr = None,
            }
        }
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        if self.status.is_none() {
            self.status = self
                .process
                .try_wait()
                .map_err(|error| Error::io("wait for", &self.name, error))?;
        }
        Ok(self.status)
    }

    fn end_for(&mut self, fault: Fault) -> io::Error {
        self.fault = Some(fault);
        self.end();
        io::Error::other(self.describe(fault))
    }

    fn describe(&self, fault: Fault) -> PipelineError {
        match fault {
            Fault::Cancelled => PipelineError::Cancelled,
            Fault::Silent(time) => PipelineError::failed(
                format!(
                    "{} was silent for {} and was ended",
                    self.name,
                    counted(time.as_secs_f32(), "second", "seconds")
                ),
                "See whether the server waits for a lock or is overloaded; BACKUP_STALL_SECONDS says how long to wait.",
            ),
        }
    }

    /// Ends the whole process group, first politely. Only while the child is not reaped, so that its number is still its.
    fn end(&mut self) {
        let Some(group) = self.group() else {
            return;
        };
        for (signal, patience) in [(Signal::TERM, PATIENCE), (Signal::KILL, PATIENCE)] {
            if !matches!(self.ended(), Ok(None)) {
                return;
            }
            if let Err(error) = kill_process_group(group, signal) {
                tracing::warn!(program = self.name, %error, "cannot end a child process");
            }
            let asked = Instant::now();
            while matches!(self.ended(), Ok(None)) && asked.elapsed() < patience {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

impl Read for Child {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(stdout) = &mut self.stdout else { return Ok(0) };
            match stdout.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.wait(Some(PollFlags::IN))? {
                        return Ok(0);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Write for Child {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let Some(stdin) = &mut self.stdin else {
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            match stdin.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.wait(Some(PollFlags::OUT))? {
                        return Err(io::ErrorKind::BrokenPipe.into());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Our end of a pipe must not block, or we could neither be cancelled nor see silence.
fn prepare_pipe(pipe: BorrowedFd<'_>) -> io::Result<()> {
    fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
    // A larger pipe is a matter of speed only, and a system may refuse it to plain users.
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE);
    Ok(())
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::said::KEEP;
    use super::*;

    fn job(stall: Duration) -> JobControl {
        JobControl::new(stall)
    }

    fn shell(script: &str, job: &JobControl) -> Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Child::spawn("sh", command, Some("s3cret".to_owned().into()), job).unwrap()
    }

    #[test]
    fn what_it_says_is_bounded_and_without_the_secret() {
        let job = job(Duration::from_mins(1));
        let mut child = shell(
            "echo the password is s3cret >&2; yes 0123456789 | head -n 100000 >&2; echo end >&2; exit 3",
            &job,
        );
        assert_eq!(child.read(&mut [0; 16]).unwrap(), 0);
        let exit = child.finish().unwrap();
        assert_eq!(exit.code(), Some(3));
        assert!(
            exit.stderr.starts_with("the password is ***;"),
            "{}",
            &exit.stderr[..40]
        );
        assert!(exit.stderr.ends_with("; end"));
        assert!(exit.stderr.len() < 3 * KEEP);
        let error = exit.check("").map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("exit code 3") && !error.contains("s3cret"));
    }

    #[test]
    fn a_child_ended_by_a_signal_is_an_error_that_names_it() {
        let job = job(Duration::from_mins(1));
        let mut child = shell("printf data; kill -9 $$", &job);
        let mut data = String::new();
        child.read_to_string(&mut data).unwrap();
        assert_eq!(data, "data");
        let error = child.finish().unwrap().check("").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("SIGKILL"), "{error}");
    }

    #[test]
    fn a_silent_child_is_ended_with_its_children() {
        let job = job(Duration::from_secs(2));
        // The grandchild ignores SIGTERM and holds the pipe.
        let mut child = shell("echo $$; sh -c 'trap \"\" TERM; sleep 1000; sleep 1000'", &job);
        let mut line = [0; 64];
        let length = child.read(&mut line).unwrap();
        let pid: i32 = std::str::from_utf8(&line[..length]).unwrap().trim().parse().unwrap();
        let error = child.read(&mut line).unwrap_err();
        assert!(error.to_string().contains("silent"), "{error}");
        assert!(child.fault().is_some());
        assert!(rustix::process::test_kill_process(Pid::from_raw(pid).unwrap()).is_err());
    }

    #[test]
    fn a_child_the_server_works_for_is_not_silent() {
        let job = job(Duration::from_millis(50));
        let mut child = shell("read line; echo $line", &job);
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = asked.clone();
        child.ask_before_ending(Box::new(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2
        }));
        let error = child.read(&mut [0; 8]).unwrap_err();
        assert!(error.to_string().contains("silent"));
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 3);
    }

    #[test]
    fn cancelling_ends_the_wait() {
        let job = job(Duration::from_mins(10));
        let mut child = shell("exec sleep 1000", &job);
        let other = job.clone();
        let thread = std::thread::spawn(move || other.cancel());
        let error = child.read(&mut [0; 8]).unwrap_err();
        thread.join().unwrap();
        assert!(matches!(
            error.downcast::<PipelineError>(),
            Ok(PipelineError::Cancelled)
        ));
    }

    #[test]
    fn much_data_passes_both_ways() {
        let job = job(Duration::from_mins(1));
        let mut child = shell("wc -c", &job);
        let block = vec![b'x'; 1 << 20];
        for _ in 0..16 {
            child.write_all(&block).unwrap();
        }
        child.close_stdin();
        let mut count = String::new();
        child.read_to_string(&mut count).unwrap();
        assert_eq!(count.trim(), (16 << 20).to_string());
        child.finish().unwrap().check("").map(|_| ()).unwrap();
    }
}
