//! Scenario `scheduler`: a scheduler with a hundred thousand enabled schedules: how soon it is there, how late it fires, how
//! much memory it takes, on SQLite and on PostgreSQL. It only asks for the backups; to make them is another scenario.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use backup_tests::process::{Program, Running};
use backup_tests::{free_port, tools};

use super::{Args, data, table};
use crate::cargo;
use crate::failed;
use crate::setup::Installed;

const SCHEDULES: u32 = 100_000;

/// How long the schedulers run: some instants, and enough to see memory grow.
const WATCHED: Duration = Duration::from_mins(4);
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The aims: milliseconds, and bytes.
const START_LIMIT: Duration = Duration::from_secs(5);
const LATE_LIMIT: i64 = 1000;
const GROWTH_LIMIT: u64 = 16 << 20;

struct Measured {
    start: Duration,
    /// Resident memory when it was ready, and the most since.
    memory: (u64, u64),
    /// Firings, instants, and lateness in milliseconds: median, 99th percentile, latest; and instants missed.
    fired: [i64; 6],
}

/// Measures and prints.
pub(super) fn run(args: &Args, installed: &Installed) -> io::Result<()> {
    let programs = cargo::build_programs(&["scheduler"], true)?;
    let example = cargo::build_example("schedules")?;
    let folder = tempfile::Builder::new().prefix("scheduler-").tempdir_in(args.keep()?)?;
    let sqlite = format!("sqlite://{}", folder.path().join("schedules.db").display());
    let on_sqlite = measure(&programs, &example, &sqlite, &folder.path().join("one"))?;
    let postgres = data::server(installed)?;
    let database = postgres.create_database("schedules");
    let on_postgres = measure(&programs, &example, &database.url(), &folder.path().join("two"))?;

    println!("\n{SCHEDULES} enabled schedules, {} minutes.\n", WATCHED.as_secs() / 60);
    let rows: Vec<Vec<String>> = [("SQLite", &on_sqlite), ("PostgreSQL", &on_postgres)]
        .map(|(name, measured)| measured.row(name))
        .to_vec();
    let head = [
        "",
        "ready s",
        "memory MiB",
        "at the peak",
        "fired",
        "instants",
        "late ms",
        "p99",
        "latest",
        "missed",
    ];
    table::print(&head, &rows);
    println!();
    for (name, measured) in [("SQLite", &on_sqlite), ("PostgreSQL", &on_postgres)] {
        measured.judge(name);
    }
    Ok(())
}

impl Measured {
    fn row(&self, name: &str) -> Vec<String> {
        let mebibytes = |bytes: u64| format!("{}", bytes >> 20);
        let mut row = vec![
            name.to_owned(),
            format!("{:.2}", self.start.as_secs_f64()),
            mebibytes(self.memory.0),
            mebibytes(self.memory.1),
        ];
        row.extend(self.fired.iter().map(ToString::to_string));
        row
    }

    fn judge(&self, name: &str) {
        let [fired, _, _, _, latest, missed] = self.fired;
        let start = format!("{:.2} s", self.start.as_secs_f64());
        table::verdict(
            self.start < START_LIMIT,
            &format!("{name}: ready in less than five seconds"),
            &start,
        );
        let late = format!("{fired} fired, the latest after {latest} ms, {missed} missed");
        let is_punctual = fired > 0 && latest <= LATE_LIMIT && missed == 0;
        table::verdict(
            is_punctual,
            &format!("{name}: every firing within a second of its instant"),
            &late,
        );
        let growth = self.memory.1.saturating_sub(self.memory.0);
        let grown = format!("+{} MiB", growth >> 20);
        table::verdict(growth < GROWTH_LIMIT, &format!("{name}: flat memory"), &grown);
    }
}

fn measure(programs: &Path, example: &Path, url: &str, data: &Path) -> io::Result<Measured> {
    tools::run(Command::new(example).args([url, "fill", &SCHEDULES.to_string()]))?;
    fs::create_dir_all(data.join("uploads"))?;
    let port = free_port();
    let began = Instant::now();
    let scheduler = Program::at(&programs.join("scheduler"))
        .env("CATALOG_URL", url)
        .env("BACKUP_DATA_DIR", data.join("data"))
        .env("UPLOAD_DIR", data.join("uploads"))
        .env("BACKUP_ENCRYPTION_KEY", "a long enough passphrase")
        .env("BACKUP_WORKERS", "0")
        .env("METRICS_ADDR", format!("127.0.0.1:{port}"))
        .spawn();
    scheduler.wait_for_http(port, "/readyz", Duration::from_mins(1));
    let start = began.elapsed();
    let first = memory(&scheduler)?;
    let mut most = first;
    while began.elapsed() < WATCHED {
        std::thread::sleep(LOOK_EVERY);
        most = most.max(memory(&scheduler)?);
    }
    scheduler.terminate();
    let output = tools::run(Command::new(example).args([url, "report"]))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<i64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let fired = figures
        .try_into()
        .map_err(|_| failed(format!("the report is not understood: {said}")))?;
    Ok(Measured {
        start,
        memory: (first, most),
        fired,
    })
}

fn memory(program: &Running) -> io::Result<u64> {
    super::served::figure(program.pid(), "VmRSS:")
}
