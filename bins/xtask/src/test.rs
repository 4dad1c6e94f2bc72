//! `cargo xtask test`: every check, one after the other, and how long each took.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use backup_tests::azurite::Azurite;
use backup_tests::postgres::{Options, Postgres};
use backup_tests::tools;

use crate::cargo::{self, cargo};
use crate::{failed, setup};
use programs::TestProgram;

mod programs;

/// Runs every check; an error when one of them failed. All run, so that one sees all that is wrong.
pub(crate) fn run() -> io::Result<()> {
    let mut report = Report::default();
    let Some(installed) = report.step("setup", setup::run) else {
        return report.end();
    };
    report.cargo("fmt", cargo(&["fmt", "--all", "--check"]));
    report.cargo(
        "clippy",
        cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-Dwarnings"]),
    );
    let mut doc = cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ]);
    doc.env("RUSTDOCFLAGS", "-Dwarnings");
    report.cargo("doc", doc);
    report.step("deny", deny);
    // Programs and tests in one go: apart, the dependencies' features differ, and all would be built twice.
    let built = report.cargo("build", cargo(&["build", "--workspace", "--all-targets", "--locked"]));
    if built {
        report.step("console", console);
        report.step("tests", || tests(&installed.postgres));
    }
    report.end()
}

/// All Rust tests, with one PostgreSQL and one Azurite for all of them.
fn tests(postgres_programs: &Path) -> io::Result<()> {
    tools::chromium::install()?;
    let postgres = Postgres::start_with(Options::default())?;
    let azurite = Azurite::try_start()?;
    let environment = [
        ("BACKUP_TEST_POSTGRES", postgres.address()),
        ("BACKUP_TEST_AZURITE", azurite.port().to_string()),
        ("BACKUP_PG_BIN", postgres_programs.display().to_string()),
        ("BACKUP_BIN_DIR", cargo::programs()?.display().to_string()),
    ];
    programs::run_all(TestProgram::all()?, &environment)?;
    let mut examples = cargo(&["test", "--workspace", "--locked", "--doc"]);
    cargo::run(examples.envs(environment).stdin(Stdio::null()))
}

/// The console's types against the API's document, its lints and its unit tests. The build has installed what they need.
fn console() -> io::Result<()> {
    let ui = tools::workspace().join("crates/backup-console/ui");
    for script in ["check", "test"] {
        let status = Command::new("npm").args(["run", script]).current_dir(&ui).status()?;
        if !status.success() {
            return Err(failed(format!("npm run {script}: {status}")));
        }
    }
    Ok(())
}

/// Licences, sources, duplicates and forbidden crates.
fn deny() -> io::Result<()> {
    let program = tools::deny::install()?;
    let mut command = Command::new(program);
    command
        .args(["--locked", "check", "licenses", "bans", "sources"])
        .current_dir(tools::workspace());
    cargo::run(&mut command)
}

#[derive(Default)]
struct Report {
    steps: Vec<(&'static str, Duration, Option<String>)>,
}

impl Report {
    fn step<T>(&mut self, name: &'static str, work: impl FnOnce() -> io::Result<T>) -> Option<T> {
        println!("== {name}");
        let start = Instant::now();
        let outcome = work();
        let failure = outcome.as_ref().err().map(ToString::to_string);
        self.steps.push((name, start.elapsed(), failure));
        outcome.ok()
    }

    fn cargo(&mut self, name: &'static str, mut command: Command) -> bool {
        self.step(name, || cargo::run(&mut command)).is_some()
    }

    fn end(self) -> io::Result<()> {
        let mut bad = Vec::new();
        let mut line = Vec::new();
        for (name, took, failure) in &self.steps {
            let mark = if failure.is_some() { "FAILED" } else { "ok" };
            line.push(format!("{name} {mark} {:.0} s", took.as_secs_f64()));
            if let Some(text) = failure {
                bad.push(format!("{name}: {text}"));
            }
        }
        let total: Duration = self.steps.iter().map(|(_, took, _)| *took).sum();
        println!("xtask test: {}; total {:.0} s", line.join(", "), total.as_secs_f64());
        if bad.is_empty() {
            Ok(())
        } else {
            Err(failed(bad.join("\n")))
        }
    }
}
