//! The programs that the tests were built into, and running as many of them at once as there are cores: most wait for a
//! server, a browser or a worker half of their time.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::cargo::cargo;
use crate::failed;

/// One of the programs.
#[derive(Debug)]
pub(super) struct TestProgram {
    /// The crate's folder, in which it runs as `cargo test` would run it.
    folder: PathBuf,
    name: String,
    path: PathBuf,
    /// Whole programs are tried by it, which takes longer than what tries a single crate.
    is_end_to_end: bool,
}

impl TestProgram {
    /// All of the workspace, those that take long first. Builds what is not built.
    pub(super) fn all() -> io::Result<Vec<Self>> {
        let mut command = cargo(&[
            "test",
            "--workspace",
            "--locked",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ]);
        let output = command.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(failed(format!("cargo test --no-run: {}", output.status)));
        }
        let mut programs = Vec::new();
        for line in output.stdout.split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            let message: Value = serde_json::from_slice(line)?;
            if message["profile"]["test"] != true {
                continue;
            }
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let found = (
                text(&message["executable"]),
                text(&message["manifest_path"]),
                text(&message["target"]["name"]),
            );
            let (Some(path), Some(manifest), Some(name)) = found else {
                continue;
            };
            programs.push(Self {
                folder: Path::new(&manifest).parent().unwrap_or(Path::new("/")).to_owned(),
                is_end_to_end: message["target"]["kind"][0] == "test",
                name,
                path: path.into(),
            });
        }
        if programs.is_empty() {
            return Err(failed("cargo named no program of tests"));
        }
        programs.sort_by(|a, b| (b.is_end_to_end, &a.name).cmp(&(a.is_end_to_end, &b.name)));
        Ok(programs)
    }

    /// Runs it, its output going to the end of `output`.
    fn run(&self, environment: &[(&str, String)], output: &File) -> io::Result<bool> {
        let status = Command::new(&self.path)
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .status()?;
        Ok(status.success())
    }
}

/// Runs all of them, and prints what each wrote once it has ended. An error names those that failed.
pub(super) fn run_all(programs: Vec<TestProgram>, environment: &[(&str, String)]) -> io::Result<()> {
    let count = programs.len();
    let waiting = Mutex::new(programs.into_iter());
    let failures = Mutex::new(Vec::new());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || -> io::Result<()> {
        while let Some(program) = next() {
            println!("running {}", program.name);
            let begun = Instant::now();
            let mut output = tempfile::tempfile()?;
            let is_good = program.run(environment, &output)?;
            output.rewind()?;
            // Held, so that two do not print at once.
            let mut stdout = io::stdout().lock();
            io::copy(&mut output, &mut stdout)?;
            drop(stdout);
            let (end, took) = (if is_good { "ok" } else { "FAILED" }, begun.elapsed());
            println!("{}: {end}, {:.0} s\n", program.name, took.as_secs_f64());
            if !is_good {
                failures
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(program.name);
            }
        }
        Ok(())
    };
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err(failed("a thread that runs tests ended early")))
        })
    })?;
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failures.is_empty() {
        return Ok(());
    }
    Err(failed(format!(
        "{} of {count}: {}",
        failures.len(),
        failures.join(", ")
    )))
}
