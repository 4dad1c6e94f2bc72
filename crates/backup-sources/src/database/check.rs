//! Checks a dump without a server.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use backup_core::{JobControl, PipelineError};

use super::DUMP;
use super::server::{client, hint_for};
use crate::Error;
use crate::child::{Child, Exit};

/// Bytes that are handed on at once.
const BLOCK: usize = 256 * 1024;

/// Lets `pg_restore` read the dump's table of contents; needs no server. `programs` is the folder of `pg_restore`.
///
/// # Errors
/// `Integrity` where `pg_restore` cannot read it, `Refused` where there is no `pg_restore` or one that is too old, `Failed` where
/// it was ended by a signal; errors of reading the dump keep their kind.
pub fn check_dump(programs: Option<&Path>, dump: &mut dyn Read, job: &JobControl) -> Result<(), PipelineError> {
    let mut command = client(programs, "pg_restore")?;
    command.args(["--list", "--file=/dev/null"]);
    let mut child = Child::spawn("pg_restore", command, None, job)?;
    child.close_stdout();
    let mut buffer = vec![0; BLOCK];
    loop {
        job.check()?;
        let length = match dump.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::content(DUMP, error).into()),
        };
        if length == 0 {
            break;
        }
        match child.write_all(&buffer[..length]) {
            Ok(()) => {}
            // It has read what it wanted, or cannot go on: its exit tells which.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            Err(error) => return Err(Error::content("pg_restore", error).into()),
        }
    }
    Ok(judge(child.finish()?)?)
}

/// What the end of `pg_restore` says of the dump.
fn judge(exit: Exit) -> Result<(), Error> {
    match exit.code() {
        Some(0) => Ok(()),
        // Nothing: the system, or somebody, ended it.
        None => exit
            .check("Try again; see the system's log for who ended it, such as for want of memory.")
            .map(|_| ()),
        Some(_) if exit.stderr.contains("unsupported version") => Err(Error::refused(
            format!("this pg_restore is too old for the dump: {}", exit.stderr),
            hint_for(&exit.stderr),
        )),
        Some(_) => Err(Error::mismatch(
            format!("pg_restore cannot read the dump: {}", exit.stderr),
            "Restore another backup.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_no_dump_is_refused() {
        let job = JobControl::new(Duration::from_secs(20));
        let error = check_dump(None, &mut &b"no dump at all".repeat(100)[..], &job).unwrap_err();
        assert!(matches!(error, PipelineError::Integrity { .. }), "{error}");
        assert!(error.to_string().contains("pg_restore"), "{error}");
    }

    #[test]
    fn a_program_that_was_ended_or_is_too_old_condemns_no_dump() {
        let job = JobControl::new(Duration::from_secs(20));
        let ended = |script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            let child = Child::spawn("pg_restore", command, None, &job).unwrap();
            judge(child.finish().unwrap()).map_err(PipelineError::from)
        };
        assert!(ended("exit 0").is_ok());
        let error = ended("kill -9 $$").unwrap_err();
        assert!(matches!(error, PipelineError::Failed { .. }), "{error:?}");
        assert!(error.to_string().contains("SIGKILL"), "{error}");
        let error =
            ended("echo 'pg_restore: error: unsupported version (1.16) in file header' >&2; exit 1").unwrap_err();
        assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains("Install"), "{error}");
        let error =
            ended("echo 'pg_restore: error: could not read from input file: end of file' >&2; exit 1").unwrap_err();
        assert!(matches!(error, PipelineError::Integrity { .. }), "{error:?}");
    }
}
