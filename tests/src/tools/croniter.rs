//! croniter, which reads cron expressions in Python, from PyPI.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::thread;

use super::{python, workspace};

/// What `tests/tools/cron_runs.py` answers to these lines, line by line. croniter is installed where it is missing.
pub fn runs(questions: &str) -> io::Result<Vec<String>> {
    let mut child = Command::new(python::environment("croniter")?.join("bin/python"))
        .arg(workspace().join("tests/tools/cron_runs.py"))
        // The zones of the environment, not of the system.
        .env("PYTHONTZPATH", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child
        .stdin
        .take()
        .ok_or_else(|| io::Error::other("no standard input"))?;
    let questions = questions.to_owned();
    // It answers while it reads: neither pipe may fill.
    let writer = thread::spawn(move || input.write_all(questions.as_bytes()));
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("croniter: {}", output.status)));
    }
    writer.join().map_err(|_| io::Error::other("the writer panicked"))??;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect())
}
