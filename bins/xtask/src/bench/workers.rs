//! Scenario `workers`: one, two, four and eight worker processes on one PostgreSQL catalog, with many small jobs: how many they
//! do, how long it takes to take a job up, and how soon an idle worker does.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use backup_tests::postgres::Database;
use backup_tests::process::{Program, Running};
use backup_tests::{free_port, poll};
use serde_json::{Value, json};

use super::served::Served;
use super::{Args, data, table};
use crate::cargo;
use crate::failed;
use crate::setup::Installed;

/// How many worker processes.
const WORKERS: [u32; 4] = [1, 2, 4, 8];

/// Small backups, of which the workers make as many as they can: about ten seconds of work for one.
const JOBS: u32 = 1_000;

/// Single ones, asked for while every worker is idle.
const SINGLE: u32 = 100;

/// How long all jobs may take.
const LIMIT: Duration = Duration::from_mins(10);

/// What it may take to take a job up, in milliseconds, of 99 in 100.
const CLAIM_LIMIT: f64 = 100.0;

const PASSPHRASE: &str = "a long enough passphrase";

struct Measured {
    jobs_per_second: f64,
    /// Share of all cores that were busy, percent.
    busy: f64,
    /// Milliseconds of the transaction that takes a job up, in ascending order.
    claims: Vec<f64>,
}

/// Measures and prints.
pub(super) fn run(args: &Args, installed: &Installed) -> io::Result<()> {
    let programs = cargo::build_programs(&["scheduler", "api-server"], true)?;
    let postgres = data::server(installed)?;
    let folder = tempfile::Builder::new().prefix("workers-").tempdir_in(args.keep()?)?;
    let mut rows = Vec::new();
    let mut all = Vec::new();
    for workers in WORKERS {
        let database = postgres.create_database("workers");
        let measured = many(&programs, &database, &folder.path().join(workers.to_string()), workers)?;
        rows.push(vec![
            workers.to_string(),
            format!("{:.1}", measured.jobs_per_second),
            format!("{:.0}", measured.busy),
            format!("{:.1}", share(&measured.claims, 50)),
            format!("{:.1}", share(&measured.claims, 99)),
        ]);
        all.push(measured);
    }
    println!("\n{JOBS} small jobs on one catalog.\n");
    table::print(&["workers", "jobs/s", "busy %", "taking up, ms", "p99"], &rows);
    let database = postgres.create_database("idle");
    let idle = single(&programs, &database, &folder.path().join("idle"))?;
    let idle_figure = format!("median {:.0} ms, p99 {:.0} ms", share(&idle, 50), share(&idle, 99));
    println!("\nfrom asked for to taken up, eight idle workers: {idle_figure}\n");
    for (workers, measured) in WORKERS.iter().zip(&all) {
        let p99 = share(&measured.claims, 99);
        table::verdict(
            p99 < CLAIM_LIMIT,
            &format!("{workers} workers: 99 of 100 jobs are taken up within {CLAIM_LIMIT} ms"),
            &format!("{p99:.1} ms"),
        );
    }
    let grows = all
        .windows(2)
        .all(|pair| pair[1].jobs_per_second > pair[0].jobs_per_second || pair[0].busy > 90.0);
    let figure: Vec<String> = all
        .iter()
        .map(|measured| format!("{:.1}", measured.jobs_per_second))
        .collect();
    table::verdict(
        grows,
        "more workers do more, until the cores are busy",
        &figure.join(", "),
    );
    table::verdict(
        share(&idle, 99) < CLAIM_LIMIT,
        &format!("an idle worker takes 99 of 100 jobs up within {CLAIM_LIMIT} ms"),
        &idle_figure,
    );
    Ok(())
}

/// So many workers and a queue.
fn many(programs: &Path, database: &Database, folder: &Path, workers: u32) -> io::Result<Measured> {
    // It makes the tables.
    start(programs, database, folder, 0)?.terminate();
    database.psql(&format!(
        "INSERT INTO backups (id, config_key, name, backup_type, source, \"trigger\", status, progress, current_step, created_at, \
         attempts, cancel_requested, warnings, protected, deleting, search_text) \
         SELECT '00000000-0000-7000-8000-' || lpad(n::text, 12, '0'), 'default', 'job-' || n, 'FULL', 'CONFIG', 'MANUAL', \
         'PENDING', 0, 'QUEUED', now() AT TIME ZONE 'UTC', 0, FALSE, '[]', FALSE, FALSE, '' FROM generate_series(1, {JOBS}) n"
    ));
    let running: Vec<Running> = (0..workers)
        .map(|_| start(programs, database, folder, 1))
        .collect::<io::Result<_>>()?;
    let before = (
        Instant::now(),
        idle_time()?,
        number(database, "SELECT count(*) FROM backups WHERE status = 'COMPLETED'"),
    );
    let left = "SELECT count(*) FROM backups WHERE status IN ('PENDING', 'IN_PROGRESS')";
    // While all of them work: at the end some have nothing left to do.
    let tail = f64::from(workers);
    let done = poll(LIMIT, || (number(database, left) <= tail).then_some(()));
    let took = before.0.elapsed().as_secs_f64();
    let idle = idle_time()? - before.1;
    let completed = number(database, "SELECT count(*) FROM backups WHERE status = 'COMPLETED'") - before.2;
    if done.is_none() {
        return Err(failed(format!(
            "{workers} workers: the jobs were not done in time\n{}",
            running[0].stderr()
        )));
    }
    let ended = poll(LIMIT, || (number(database, left) == 0.0).then_some(()));
    let good = number(
        database,
        "SELECT count(*) FROM backups WHERE status = 'COMPLETED' AND attempts = 1",
    );
    if ended.is_none() || good < f64::from(JOBS) {
        return Err(failed(format!(
            "{workers} workers: {good} of {JOBS} jobs were done at once"
        )));
    }
    let mut claims: Vec<f64> = running
        .into_iter()
        .flat_map(|worker| claims(&worker.terminate().stderr))
        .collect();
    claims.sort_by(f64::total_cmp);
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    Ok(Measured {
        jobs_per_second: completed / took,
        busy: 100.0 * (1.0 - idle / took / cores),
        claims,
    })
}

/// Milliseconds from asked for to taken up, of single jobs while eight workers are idle; ascending.
fn single(programs: &Path, database: &Database, folder: &Path) -> io::Result<Vec<f64>> {
    let settings = [("CATALOG_URL", database.url()), ("BACKUP_WORKERS", "0".to_owned())];
    fs::create_dir_all(folder.join("uploads"))?;
    let served = Served::start(programs, folder, &settings)?;
    let _workers: Vec<Running> = (0..8)
        .map(|_| start(programs, database, folder, 1))
        .collect::<io::Result<_>>()?;
    for number in 0..SINGLE {
        served
            .client
            .post("/api/admin/backup", &json!({ "source": "CONFIG" }))?;
        // Not in step with the workers' own asking.
        std::thread::sleep(Duration::from_millis(300 + u64::from(number * 7 % 100)));
    }
    let text = database.psql(
        "SELECT extract(epoch FROM started_at - created_at) * 1000 FROM backups WHERE started_at IS NOT NULL ORDER BY 1",
    );
    let waits: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    if waits.len() < SINGLE as usize / 2 {
        return Err(failed(format!("only {} of {SINGLE} jobs were taken up", waits.len())));
    }
    Ok(waits)
}

/// One scheduler, which is ready.
fn start(programs: &Path, database: &Database, folder: &Path, workers: u32) -> io::Result<Running> {
    fs::create_dir_all(folder.join("uploads"))?;
    let port = free_port();
    let scheduler = Program::at(&programs.join("scheduler"))
        .env("CATALOG_URL", database.url())
        .env("BACKUP_DATA_DIR", folder.join("data"))
        .env("UPLOAD_DIR", folder.join("uploads"))
        .env("BACKUP_ENCRYPTION_KEY", PASSPHRASE)
        .env("BACKUP_WORKERS", workers.to_string())
        .env("METRICS_ADDR", format!("127.0.0.1:{port}"))
        .env("RUST_LOG", "info,backup_db=debug")
        .spawn();
    scheduler.wait_for_http(port, "/readyz", Duration::from_mins(1));
    Ok(scheduler)
}

/// Milliseconds of each transaction that took a job up, from a worker's log.
fn claims(log: &str) -> Vec<f64> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["transaction"] == "claim_job")
        .filter_map(|line| Some(line["micros"].as_f64()? / 1000.0))
        .collect()
}

/// Seconds that the cores have been idle since the machine was started, all together.
fn idle_time() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/uptime")?;
    let idle = text.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    idle.ok_or_else(|| failed("the kernel does not tell how long it was idle"))
}

fn number(database: &Database, sql: &str) -> f64 {
    database.psql(sql).trim().parse().unwrap_or(f64::NAN)
}

/// The value below which so many in a hundred lie.
fn share(ascending: &[f64], percent: usize) -> f64 {
    let at = ascending.len().saturating_sub(1) * percent / 100;
    ascending.get(at).copied().unwrap_or(f64::NAN)
}
