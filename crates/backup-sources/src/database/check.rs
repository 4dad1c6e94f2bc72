//! Checks a dump without a server.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use backup_core::{JobControl, PipelineError};

use super::DUMP;
use super::server::client;
use crate::Error;
use crate::child::Child;

/// Bytes that are handed on at once.
const BLOCK: usize = 256 * 1024;

/// Lets `pg_restore` read the dump's table of contents; needs no server. `programs` is the folder of `pg_restore`.
///
/// # Errors
/// `Integrity` where `pg_restore` cannot read it, `Refused` where there is no `pg_restore`; errors of reading the dump keep
/// their kind.
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
    let exit = child.finish()?;
    if exit.code() == Some(0) {
        return Ok(());
    }
    Err(PipelineError::integrity(
        format!("pg_restore cannot read the dump: {}", exit.stderr),
        "Restore another backup; where pg_restore is older than the dump, install a newer one.",
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_no_dump_is_refused() {
        let job = JobControl::new(Duration::from_secs(20));
        let error = check_dump(None, &mut &b"no dump at all".repeat(100)[..], &job).unwrap_err();
        assert!(matches!(error, PipelineError::Integrity { .. }), "{error}");
        assert!(error.to_string().contains("pg_restore"), "{error}");
    }
}
