//! Many schedules: fills a catalog with them, and afterwards tells how late they were fired.
//!
//! `schedules URL fill 100000`, then `schedules URL report`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an example that measures and prints"
)]

use std::sync::Arc;

use backup_core::schedule::{CronExpression, Zone};
use backup_core::{Clock, SystemClock};
use backup_db::Store;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamp};

/// Rows of one statement.
const BATCH: u64 = 1000;

/// Most are nightly or weekly, as schedules are; some hourly, a few each quarter of an hour.
fn expression(number: u64) -> String {
    // Spread over the minutes, and always the same.
    let spread = number.wrapping_mul(2_654_435_761) >> 7;
    let (minute, hour, day) = (spread % 60, spread / 60 % 24, spread / 1440 % 7);
    match number % 100 {
        0..70 => format!("{minute} {hour} * * *"),
        70..90 => format!("{minute} {hour} * * {day}"),
        90..98 => format!("{minute} * * * *"),
        _ => format!("{}-59/15 * * * *", minute % 15),
    }
}

const ZONES: [&str; 4] = ["Asia/Taipei", "Europe/London", "America/New_York", "UTC"];

fn fill(url: &str, clock: &dyn Clock, schedules: u64) {
    let mut run: Box<dyn FnMut(&str)> = if let Some(path) = url.strip_prefix("sqlite://") {
        let mut connection = SqliteConnection::establish(path).unwrap();
        Box::new(move |sql| connection.batch_execute(sql).unwrap())
    } else {
        let mut connection = PgConnection::establish(url).unwrap();
        Box::new(move |sql| connection.batch_execute(sql).unwrap())
    };
    let now = clock.now();
    for first in (0..schedules).step_by(usize::try_from(BATCH).unwrap()) {
        let rows: Vec<String> = (first..schedules.min(first + BATCH))
            .map(|number| {
                let (cron, zone) = (expression(number), ZONES[(number % 4) as usize]);
                let next = CronExpression::parse(&cron)
                    .unwrap()
                    .next_after(now, zone.parse::<Zone>().unwrap())
                    .unwrap();
                format!(
                    "('00000000-0000-7000-8000-{number:012}', 'default', 's{number}', TRUE, 'FULL', 'CONFIG', '{cron}', \
                     '{zone}', 30, 10, '{}', '2026-01-01 00:00:00', '2026-01-01 00:00:00')",
                    next.format("%Y-%m-%d %H:%M:%S")
                )
            })
            .collect();
        run(&format!(
            "INSERT INTO backup_schedules (id, config_key, name, is_enabled, backup_type, backup_source, cron_expression, \
             timezone, retention_days, max_backups, next_run_at, created_at, updated_at) VALUES {}",
            rows.join(", ")
        ));
    }
}

#[derive(QueryableByName)]
struct Fired {
    #[diesel(sql_type = Timestamp)]
    scheduled_at: chrono::NaiveDateTime,
    #[diesel(sql_type = Timestamp)]
    recorded_at: chrono::NaiveDateTime,
    #[diesel(sql_type = BigInt)]
    missed: i64,
}

/// One line: how many fired, at how many instants, and how late (milliseconds): median, 99th percentile, latest.
fn report(url: &str) {
    let query = "SELECT scheduled_at, recorded_at, missed FROM schedule_firings";
    let fired: Vec<Fired> = if let Some(path) = url.strip_prefix("sqlite://") {
        diesel::sql_query(query)
            .load(&mut SqliteConnection::establish(path).unwrap())
            .unwrap()
    } else {
        diesel::sql_query(query)
            .load(&mut PgConnection::establish(url).unwrap())
            .unwrap()
    };
    let mut late: Vec<i64> = fired
        .iter()
        .map(|firing| (firing.recorded_at - firing.scheduled_at).num_milliseconds())
        .collect();
    late.sort_unstable();
    let mut instants: Vec<_> = fired.iter().map(|firing| firing.scheduled_at).collect();
    instants.sort_unstable();
    instants.dedup();
    let at = |share: usize| {
        late.get(late.len().saturating_sub(1) * share / 100)
            .copied()
            .unwrap_or(0)
    };
    let missed: i64 = fired.iter().map(|firing| firing.missed).sum();
    println!(
        "{} {} {} {} {} {missed}",
        late.len(),
        instants.len(),
        at(50),
        at(99),
        at(100)
    );
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, what, rest @ ..] = arguments.as_slice() else {
        panic!("expected a URL and 'fill' or 'report'");
    };
    let clock = Arc::new(SystemClock);
    // Makes the tables.
    Store::open(url, clock.clone()).await.unwrap().close().await.unwrap();
    let (url, what) = (url.clone(), what.clone());
    let schedules = rest.first().map_or(100_000, |text| text.parse().unwrap());
    tokio::task::spawn_blocking(move || match what.as_str() {
        "fill" => fill(&url, &*clock, schedules),
        _ => report(&url),
    })
    .await
    .unwrap();
}
