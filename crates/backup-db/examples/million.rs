//! How fast the catalog answers with a million backups in it: fills an empty one and measures what the console asks for.
//!
//! `cargo run --release -p backup-db --example million -- sqlite:///tmp/million.db` (or an empty PostgreSQL database);
//! with the word `fill` behind it only fills
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an example that measures and prints"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::list::{BackupListOptions, SortBy, SortOrder};
use backup_core::schedule::{Retention, Schedule};
use backup_core::{
    BackupId, BackupSource, BackupTrigger, BackupType, Clock, IdGenerator, JobStatus, ManualClock, NewBackup, OsRandom,
    ScheduleId, Step, SystemClock,
};
use backup_db::{JobPosition, ScheduleListOptions, Store};
use backup_tests::sample_catalog;
use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

const ROWS: u32 = 1_000_000;
const ROUNDS: u32 = 7;

/// Rounds of what writes: one in many pays for a checkpoint.
const WRITES: u32 = 300;

fn seed(url: &str) {
    if let Some(path) = url.strip_prefix("sqlite://") {
        let mut connection = SqliteConnection::establish(path).unwrap();
        connection
            .batch_execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000")
            .unwrap();
        connection
            .batch_execute(&format!("BEGIN; {}; COMMIT; ANALYZE", sample_catalog::sqlite(ROWS)))
            .unwrap();
        // Else whoever writes next moves the whole of it from the write-ahead file to the catalog's.
        connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        std::fs::File::open(path).unwrap().sync_all().unwrap();
    } else {
        let mut connection = PgConnection::establish(url).unwrap();
        connection
            .batch_execute(&format!("BEGIN; {}; COMMIT", sample_catalog::postgres(ROWS)))
            .unwrap();
        connection.batch_execute("VACUUM ANALYZE").unwrap();
    }
}

async fn measure<T, F: Future<Output = Result<T, backup_db::Error>>>(what: &str, work: impl Fn() -> F) {
    measure_often(what, ROUNDS, work).await;
}

async fn measure_often<T, F>(what: &str, rounds: u32, work: impl Fn() -> F)
where
    F: Future<Output = Result<T, backup_db::Error>>,
{
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        work().await.unwrap();
        times.push(begun.elapsed());
    }
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    println!(
        "{what:<58} {:>8.1} ms  (worst {:.1})",
        milliseconds(times[times.len() / 2]),
        milliseconds(times[times.len() - 1])
    );
}

/// In each round a hundred schedules that have not fired before are due at once.
async fn fire_a_hundred(url: &str) {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let store = Store::open(url, clock.clone()).await.unwrap();
    let ids = IdGenerator::new(clock.clone(), Arc::new(OsRandom));
    let mut made = Vec::new();
    for number in 0..ROUNDS * 100 {
        let schedule = Schedule {
            id: ids.next().unwrap(),
            config_key: "default".to_owned(),
            name: "hourly".to_owned(),
            description: None,
            is_enabled: true,
            backup_type: BackupType::Full,
            backup_source: BackupSource::Files,
            cron_expression: format!("{} * * * *", number / 100),
            timezone: "UTC".to_owned(),
            retention: Retention::default(),
            next_run_at: None,
            last_run_at: None,
            last_success_at: None,
            last_verify_passed_at: None,
            start_window: None,
            verification: backup_core::schedule::VerifyPolicy::default(),
            consolidate_every: None,
            created_at: clock.now(),
            updated_at: clock.now(),
            created_by: None,
        };
        made.push(store.create_schedule(schedule).await.unwrap().id);
    }
    measure("fire a hundred schedules that are due", || async {
        clock.set(store.next_firing_at().await?.unwrap());
        let fired = store.fire_due_schedules(100).await?;
        assert!(fired.iter().filter(|one| one.backup.is_some()).count() == 100);
        Ok(fired)
    })
    .await;
    // Nothing is left for the claims.
    store.fail_waiting("measured", Duration::ZERO).await.unwrap();
    for id in made {
        store.delete_schedule(id).await.unwrap();
    }
}

fn day(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::main]
async fn main() {
    let url = std::env::args().nth(1).expect("the URL of an empty catalog");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open(&url, clock.clone()).await.unwrap();
    if store.usage().await.unwrap().backup_count == 0 {
        let (url, begun) = (url.clone(), Instant::now());
        tokio::task::spawn_blocking(move || seed(&url)).await.unwrap();
        println!("filled in {:.0?}", begun.elapsed());
    }
    if std::env::args().nth(2).is_some_and(|word| word == "fill") {
        return;
    }
    let base = BackupListOptions::default();
    let schedule: ScheduleId = sample_catalog::SCHEDULE.parse().unwrap();
    let lists = [
        ("the first page", base.clone()),
        (
            "200 of them",
            BackupListOptions {
                limit: 200,
                ..base.clone()
            },
        ),
        (
            "page 25,001",
            BackupListOptions {
                offset: 500_000,
                ..base.clone()
            },
        ),
        (
            "the last page",
            BackupListOptions {
                offset: 999_980,
                ..base.clone()
            },
        ),
        (
            "oldest first",
            BackupListOptions {
                sort_order: SortOrder::Asc,
                ..base.clone()
            },
        ),
        (
            "by size, largest first",
            BackupListOptions {
                sort_by: SortBy::SizeBytes,
                ..base.clone()
            },
        ),
        (
            "by size, smallest first",
            BackupListOptions {
                sort_by: SortBy::SizeBytes,
                sort_order: SortOrder::Asc,
                ..base.clone()
            },
        ),
        (
            "by completion, newest first",
            BackupListOptions {
                sort_by: SortBy::CompletedAt,
                ..base.clone()
            },
        ),
        (
            "status COMPLETED",
            BackupListOptions {
                status: Some(JobStatus::Completed),
                ..base.clone()
            },
        ),
        (
            "status FAILED",
            BackupListOptions {
                status: Some(JobStatus::Failed),
                ..base.clone()
            },
        ),
        (
            "status CANCELLED by size",
            BackupListOptions {
                status: Some(JobStatus::Cancelled),
                sort_by: SortBy::SizeBytes,
                ..base.clone()
            },
        ),
        (
            "status PENDING (none)",
            BackupListOptions {
                status: Some(JobStatus::Pending),
                ..base.clone()
            },
        ),
        (
            "type FULL, source CONFIG",
            BackupListOptions {
                backup_type: Some(BackupType::Full),
                source: Some(BackupSource::Config),
                ..base.clone()
            },
        ),
        (
            "trigger PRE_RESTORE (none)",
            BackupListOptions {
                trigger: Some(BackupTrigger::PreRestore),
                ..base.clone()
            },
        ),
        (
            "MANUAL and FAILED (none)",
            BackupListOptions {
                trigger: Some(BackupTrigger::Manual),
                status: Some(JobStatus::Failed),
                ..base.clone()
            },
        ),
        (
            "of one schedule",
            BackupListOptions {
                schedule_id: Some(schedule),
                ..base.clone()
            },
        ),
        (
            "one month",
            BackupListOptions {
                date_from: Some(day("2025-06-01T05:00:00Z")),
                date_to: Some(day("2025-07-01T05:00:00Z")),
                ..base.clone()
            },
        ),
        (
            "18 months, status FAILED, by size",
            BackupListOptions {
                date_from: Some(day("2025-02-01T00:00:00Z")),
                date_to: Some(day("2026-07-31T23:59:59Z")),
                status: Some(JobStatus::Failed),
                sort_by: SortBy::SizeBytes,
                ..base.clone()
            },
        ),
    ];
    for (what, options) in lists {
        measure(&format!("list: {what}"), || store.list_backups(&options)).await;
    }
    for (what, text) in [
        ("all", "backup-"),
        ("a quarter", "full_system"),
        ("one in a hundred, two letters", "備份"),
        ("one in a thousand, two letters", "升級"),
        ("one in five hundred", "03-04t"),
        ("a day", "2026-03-04"),
        ("a few hundred of one month", "full_system-full-2026-01-0"),
        ("one hit", "升級 777501"),
        ("an id", "00000000-0000-7000-8000-000000777777"),
        ("none", "no such thing"),
        ("none, two letters", "qx"),
    ] {
        for (order, sort_by) in [("newest", SortBy::CreatedAt), ("largest", SortBy::SizeBytes)] {
            let options = BackupListOptions {
                query: Some(text.to_owned()),
                sort_by,
                ..base.clone()
            };
            measure(&format!("list: search, {what}, {order} first"), || {
                store.list_backups(&options)
            })
            .await;
        }
    }
    let far = BackupListOptions {
        query: Some("backup-".to_owned()),
        offset: 480,
        ..base.clone()
    };
    measure("list: search, all, the last page", || store.list_backups(&far)).await;
    let failed = BackupListOptions {
        query: Some("備份".to_owned()),
        status: Some(JobStatus::Failed),
        ..base.clone()
    };
    measure("list: search, FAILED with 備份 (none)", || {
        store.list_backups(&failed)
    })
    .await;
    let manual = BackupListOptions {
        query: Some("full_system".to_owned()),
        trigger: Some(BackupTrigger::Manual),
        sort_by: SortBy::SizeBytes,
        ..base.clone()
    };
    measure("list: search, MANUAL by size", || store.list_backups(&manual)).await;
    measure("overview", || store.overview()).await;
    measure("usage", || store.usage()).await;
    let one: BackupId = "00000000-0000-7000-8000-000000500000".parse().unwrap();
    measure("one backup", || store.get_backup(one)).await;
    measure("newest completed FULL of FILES", || {
        store.newest_completed("default", BackupSource::Files, Some(BackupType::Full))
    })
    .await;
    measure("dependents", || store.dependents(one)).await;
    measure("tombstones", || store.deleting()).await;
    let page = ScheduleListOptions {
        limit: 100,
        ..ScheduleListOptions::default()
    };
    measure("schedules with their counts", || store.list_schedules(&page)).await;
    fire_a_hundred(&url).await;
    measure("claim, nothing to do", || {
        store.claim_job("w", Duration::from_mins(1), 3, None)
    })
    .await;
    let ids = IdGenerator::new(clock, Arc::new(OsRandom));
    let new = || NewBackup {
        id: ids.next().unwrap(),
        config_key: "default".to_owned(),
        backup_type: BackupType::Full,
        source: BackupSource::Files,
        trigger: BackupTrigger::Manual,
        description: None,
        created_by: None,
        schedule_id: None,
    };
    measure_often("create", WRITES, || store.create_backup(new())).await;
    let lease = store
        .claim_job("w", Duration::from_mins(1), 3, None)
        .await
        .unwrap()
        .unwrap()
        .lease;
    measure_often("claim", WRITES / 2, || {
        store.claim_job("w", Duration::from_mins(1), 3, None)
    })
    .await;
    measure_often("heartbeat", WRITES, || {
        store.heartbeat(&lease, JobPosition::new(10, Step::Files), Duration::from_mins(1))
    })
    .await;
    store.close().await.unwrap();
}
