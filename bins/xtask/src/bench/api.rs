//! Scenario `api`: a whole api-server on a million backups, asked over HTTP, on SQLite and on PostgreSQL. The load comes
//! from the same processors.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use backup_tests::tools;

use super::load::{Load, load};
use super::served::Served;
use super::{Args, data, table};
use crate::cargo;
use crate::setup::Installed;

/// What an answer may take in 99 of 100 cases, milliseconds.
const LIMIT: f64 = 50.0;

/// Lists a second that are wanted.
const RATE: f64 = 2_000.0;

/// Memory that the load may add, bytes: what the connections and their answers take.
const GROWTH: u64 = 64 << 20;

/// How long each question is asked.
const SHORT: Duration = Duration::from_secs(3);

/// How long the server is asked for all it can give.
const LONG: Duration = Duration::from_secs(15);

/// Connections meanwhile.
const CONNECTIONS: u32 = 16;

const LIST: &str = "/api/admin/backup";

/// Filters; each is asked in every order. Chinese text is percent-encoded.
const FILTERS: &[(&str, &str)] = &[
    ("all", ""),
    ("200 a page", "limit=200"),
    ("offset 500,000", "offset=500000"),
    ("status COMPLETED", "status=COMPLETED"),
    ("status FAILED", "status=FAILED"),
    ("status CANCELLED", "status=CANCELLED"),
    ("type FULL, source CONFIG", "type=FULL&source=CONFIG"),
    ("trigger MANUAL", "trigger=MANUAL"),
    ("trigger MANUAL, FAILED (none)", "trigger=MANUAL&status=FAILED"),
    ("one schedule", "scheduleId=00000000-0000-7000-8000-000000000001"),
    ("one month", "dateFrom=2025-06-01T05:00:00Z&dateTo=2025-07-01T05:00:00Z"),
    (
        "18 months, FAILED",
        "dateFrom=2025-02-01&dateTo=2026-07-31&status=FAILED",
    ),
    ("q, in all", "q=backup-"),
    ("q, in all, offset 180", "q=backup-&offset=180"),
    ("q, one letter in all", "q=a"),
    ("q, in a quarter", "q=full_system"),
    ("q, in 1 of 100, two letters", "q=%E5%82%99%E4%BB%BD"),
    ("q, in 1 of 1000, two letters", "q=%E5%8D%87%E7%B4%9A"),
    ("q, a day", "q=2026-03-04"),
    ("q, a kind in some days", "q=full_system-full-2026-01-0"),
    ("q, one hit", "q=%E5%8D%87%E7%B4%9A%20777501"),
    ("q, an id", "q=00000000-0000-7000-8000-000000777777"),
    ("q, none", "q=no%20such%20thing"),
    ("q, none, two letters", "q=qx"),
    ("q, in a quarter, MANUAL", "q=full_system&trigger=MANUAL"),
    ("q, in 1 of 100, FAILED (none)", "q=%E5%82%99%E4%BB%BD&status=FAILED"),
];

/// What one catalog gave.
struct Measured {
    catalog: &'static str,
    /// Of each filter, and of the status.
    answers: Vec<(&'static str, Load)>,
    full: Load,
    /// Resident memory before, at the most, after.
    memory: [u64; 3],
}

/// Measures and prints.
pub(super) fn run(args: &Args, installed: &Installed) -> io::Result<()> {
    let wrk = tools::debian::program("wrk")?;
    let programs = cargo::build_programs(&["api-server"], true)?;
    let million = cargo::build_example("million")?;
    let folder = tempfile::Builder::new().prefix("api-").tempdir_in(args.keep()?)?;
    let sqlite = format!("sqlite://{}", folder.path().join("million.db").display());
    let tools = Tools { wrk, programs, million };
    let sqlite = measure("SQLite", &tools, &folder.path().join("sqlite"), &sqlite)?;
    let postgres = data::server(installed)?;
    let database = postgres.create_database("million");
    let postgresql = measure("PostgreSQL", &tools, &folder.path().join("postgres"), &database.url())?;
    print(&sqlite, &postgresql);
    for measured in [&sqlite, &postgresql] {
        measured.judge();
    }
    Ok(())
}

/// What is measured with.
struct Tools {
    wrk: PathBuf,
    /// The folder of our programs.
    programs: PathBuf,
    /// Fills a catalog.
    million: PathBuf,
}

fn measure(catalog: &'static str, tools: &Tools, folder: &Path, url: &str) -> io::Result<Measured> {
    let Tools { wrk, programs, million } = tools;
    println!("{catalog}: filling");
    tools::run(Command::new(million).args([url, "fill"]))?;
    let settings = [("CATALOG_URL", url.to_owned()), ("BACKUP_WORKERS", "0".to_owned())];
    let served = Served::start(programs, folder, &settings)?;
    println!("{catalog}: asking");
    let mut answers = Vec::new();
    for (name, filter) in FILTERS {
        let paths: Vec<String> = orders().map(|order| format!("{LIST}?{filter}&{order}")).collect();
        answers.push((*name, load(wrk, &served, &paths, 1, SHORT)?));
    }
    let status = [format!("{LIST}/status")];
    answers.push(("/status", load(wrk, &served, &status, 1, SHORT)?));
    let first = [LIST.to_owned()];
    // The memory of a server that has been at work for a while is what must not grow.
    load(wrk, &served, &first, CONNECTIONS, SHORT)?;
    let before = served.memory()?;
    served.forget_peak()?;
    let full = load(wrk, &served, &first, CONNECTIONS, LONG)?;
    let memory = [before, served.peak()?, served.memory()?];
    Ok(Measured {
        catalog,
        answers,
        full,
        memory,
    })
}

fn orders() -> impl Iterator<Item = String> {
    let by = ["createdAt", "completedAt", "sizeBytes"];
    by.into_iter()
        .flat_map(|by| ["desc", "asc"].map(|end| format!("sortBy={by}&sortOrder={end}")))
}

fn print(sqlite: &Measured, postgresql: &Measured) {
    println!("\nMilliseconds over HTTP with a million backups, in every order, one request at a time: median (p99).\n");
    let shown = |load: &Load| format!("{:.1} ({:.1})", load.median, load.p99);
    let rows: Vec<Vec<String>> = sqlite
        .answers
        .iter()
        .zip(&postgresql.answers)
        .map(|((name, one), (_, other))| vec![(*name).to_owned(), shown(one), shown(other)])
        .collect();
    table::print(&["", "SQLite", "PostgreSQL"], &rows);
    println!("\nThe first page, {CONNECTIONS} connections, {} s.\n", LONG.as_secs());
    let mebibytes = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    let rows: Vec<Vec<String>> = [sqlite, postgresql]
        .map(|measured| {
            let mut row = vec![
                measured.catalog.to_owned(),
                format!("{:.0}", measured.full.rate),
                format!("{:.1}", measured.full.median),
                format!("{:.1}", measured.full.p99),
            ];
            row.extend(measured.memory.map(mebibytes));
            row
        })
        .to_vec();
    table::print(
        &[
            "",
            "requests/s",
            "median ms",
            "p99 ms",
            "MiB before",
            "at the most",
            "after",
        ],
        &rows,
    );
    println!();
}

impl Measured {
    fn judge(&self) {
        let slowest = self
            .answers
            .iter()
            .max_by(|one, other| one.1.p99.total_cmp(&other.1.p99));
        if let Some((name, slowest)) = slowest {
            let aim = format!(
                "{}: the p99 of every list and of the status under {LIMIT} ms",
                self.catalog
            );
            table::verdict(slowest.p99 < LIMIT, &aim, &format!("{:.1} ms ({name})", slowest.p99));
        }
        let aim = format!("{}: over {RATE} lists a second", self.catalog);
        table::verdict(self.full.rate > RATE, &aim, &format!("{:.0}", self.full.rate));
        let [before, peak, _] = self.memory;
        let grown = peak.saturating_sub(before);
        let aim = format!("{}: the load adds less than {} MiB", self.catalog, GROWTH >> 20);
        table::verdict(
            grown < GROWTH,
            &aim,
            &format!("{:.1} MiB", grown as f64 / f64::from(1 << 20)),
        );
    }
}
