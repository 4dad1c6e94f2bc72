//! Several real schedulers on one catalog, killed at random: every instant that was due has exactly one backup, whoever
//! asked for it and whoever made it.
//!
//! `BACKUP_SCHEDULER_MINUTES` lets them run for so long; `BACKUP_SOAK_SEED` repeats a run.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::list::BackupListOptions;
use backup_core::retention::Retention;
use backup_core::schedule::{Schedule, Zone};
use backup_core::{
    Backup, BackupSource, BackupTrigger, BackupType, IdGenerator, JobStatus, ManualClock, OsRandom, ScheduleId,
    SystemClock,
};
use backup_db::{Firing, FiringOutcome, Store};
use backup_tests::dice::Dice;
use backup_tests::postgres::Postgres;
use backup_tests::process::Running;
use backup_tests::system::{Catalog, Storage, System};
use chrono::{DateTime, TimeDelta, Utc};

/// How often schedulers are killed, and how many schedules come due each time.
const ROUNDS: u32 = 8;
const AT_ONCE: u32 = 8;

/// Schedules that fire each minute while the schedulers are killed.
const MINUTELY: u32 = 5;

/// How long the last backups may take: leases run out first.
const END: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread")]
async fn three_schedulers_that_are_killed_fire_each_instant_once_on_postgresql() {
    let postgres = Postgres::shared();
    let system = System::with(postgres, Catalog::Postgres(postgres), Storage::Folder);
    let url = system.setting("CATALOG_URL").to_owned();
    survive(system, &url, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_that_are_killed_fire_each_instant_once_on_sqlite() {
    let system = System::embedded();
    std::fs::create_dir_all(system.folder().join("data")).unwrap();
    let url = format!("sqlite://{}", system.folder().join("data/catalog.db").display());
    survive(system, &url, 2).await;
}

async fn survive(mut system: System, url: &str, schedulers: usize) {
    system.set("BACKUP_LEASE_SECONDS", "4");
    let mut dice = Dice::from_environment();
    let clock = Arc::new(SystemClock);
    let store = Store::open(url, clock.clone()).await.unwrap();
    // Its clock stands at a time that is long past, so that what it reckons as next is due at once.
    let past = Arc::new(ManualClock::new("2025-12-31T00:00:00Z".parse().unwrap()));
    let overdue = Store::open(url, past).await.unwrap();
    let ids = IdGenerator::new(clock, Arc::new(OsRandom));

    let mut schedules: Vec<Schedule> = Vec::new();
    for number in 0..MINUTELY {
        let schedule = schedule(&ids, "* * * * *", &format!("each minute {number}"));
        schedules.push(store.create_schedule(schedule).await.unwrap());
    }
    let mut running: Vec<Running> = (0..schedulers).map(|_| start(&system)).collect();
    let until = Instant::now() + minutes();
    let mut round = 0;
    while round < ROUNDS || Instant::now() < until {
        for number in 0..AT_ONCE {
            let schedule = schedule(&ids, "0 0 1 1 *", &format!("once {round}.{number}"));
            schedules.push(overdue.create_schedule(schedule).await.unwrap());
        }
        // Not to wait for anything: the moment of death is what differs from round to round.
        tokio::time::sleep(Duration::from_millis(dice.below(2500))).await;
        until_no_last_chance(&store).await;
        let victim = usize::try_from(dice.below(schedulers as u64)).unwrap();
        running.swap_remove(victim).kill9();
        running.push(start(&system));
        round += 1;
    }
    let disabled_at = settle(&store, &mut schedules).await;
    drop(running);
    for schedule in &schedules {
        check(&store, schedule, disabled_at).await;
    }
}

/// One scheduler that also makes the backups.
fn start(system: &System) -> Running {
    system.worker(&[("BACKUP_WORKERS", "2")])
}

/// A backup whose workers were all killed is given up, rightly: so nobody is killed while one is made that has lost a
/// worker already.
async fn until_no_last_chance(store: &Store) {
    let end = Instant::now() + END;
    let running = BackupListOptions {
        status: Some(JobStatus::InProgress),
        limit: BackupListOptions::MAX_LIMIT,
        ..BackupListOptions::default()
    };
    loop {
        let backups = store.list_backups(&running).await.unwrap().backups;
        let Some(again) = backups.iter().find(|summary| summary.backup.attempts >= 2) else {
            return;
        };
        assert!(Instant::now() < end, "it does not end: {:#?}", again.backup);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Lets the minutely schedules fire no more, and waits until everything that is due has fired and every backup has ended.
async fn settle(store: &Store, schedules: &mut [Schedule]) -> DateTime<Utc> {
    let end = Instant::now() + END;
    for schedule in &mut *schedules {
        if schedule.cron_expression == "* * * * *" {
            let now = store.get_schedule(schedule.id).await.unwrap().unwrap().schedule;
            let changed = Schedule {
                is_enabled: false,
                ..now.clone()
            };
            *schedule = store.update_schedule(&now, changed).await.unwrap();
        }
    }
    let disabled_at = store.clock().now();
    loop {
        let next = store.next_firing_at().await.unwrap();
        let all_fired = next.is_none_or(|at| at > store.clock().now());
        let overview = store.overview().await.unwrap();
        let active = overview.active_backups + overview.queued_backups;
        if all_fired && active == 0 {
            return disabled_at;
        }
        assert!(Instant::now() < end, "{active} backups have not ended; next {next:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn check(store: &Store, schedule: &Schedule, disabled_at: DateTime<Utc>) {
    let mut firings = store.firings_of(schedule.id, 10_000).await.unwrap();
    firings.reverse();
    let made = backups_of(store, schedule.id).await;
    let name = &schedule.name;
    let asked: Vec<&Firing> = firings
        .iter()
        .filter(|firing| firing.outcome != FiringOutcome::Skipped)
        .collect();
    assert_eq!(
        asked.len(),
        made.len(),
        "{name}: as many backups as instants: {firings:#?}"
    );
    for firing in &firings {
        let Some(id) = firing.backup_id else {
            assert_eq!(firing.outcome, FiringOutcome::Skipped, "{name}: {firing:?}");
            continue;
        };
        let backup = made
            .get(&id.to_string())
            .unwrap_or_else(|| panic!("{name}: {firing:?} has no backup"));
        assert_eq!(backup.status, JobStatus::Completed, "{name}: {backup:#?}");
        assert_eq!(backup.trigger, BackupTrigger::Scheduled, "{name}");
    }
    // No instant between the first and the last is missing, and none has come twice.
    let (cron, zone) = schedule.timing().unwrap();
    let mut expected = schedule.created_at.min(first_of(&firings));
    if schedule.cron_expression == "0 0 1 1 *" {
        assert_eq!(firings.len(), 1, "{name}: {firings:#?}");
        return;
    }
    expected -= TimeDelta::seconds(1);
    for firing in &firings {
        for _ in 0..=firing.missed {
            expected = cron.next_after(expected, zone).unwrap();
        }
        assert_eq!(firing.scheduled_at, expected, "{name}: {firings:#?}");
    }
    let next = cron.next_after(expected, zone).unwrap();
    assert!(
        next >= disabled_at - TimeDelta::minutes(1),
        "{name}: nothing fired at {next}"
    );
}

fn first_of(firings: &[Firing]) -> DateTime<Utc> {
    firings
        .first()
        .map_or(DateTime::<Utc>::MAX_UTC, |firing| firing.scheduled_at)
}

async fn backups_of(store: &Store, schedule: ScheduleId) -> HashMap<String, Backup> {
    let mut options = BackupListOptions {
        schedule_id: Some(schedule),
        limit: BackupListOptions::MAX_LIMIT,
        ..BackupListOptions::default()
    };
    let mut all = HashMap::new();
    loop {
        let page = store.list_backups(&options).await.unwrap().backups;
        if page.is_empty() {
            return all;
        }
        options.offset += page.len() as u64;
        all.extend(
            page.into_iter()
                .map(|summary| (summary.backup.id.to_string(), summary.backup)),
        );
    }
}

fn schedule(ids: &IdGenerator, cron: &str, name: &str) -> Schedule {
    let now = DateTime::UNIX_EPOCH;
    Schedule {
        id: ids.next().unwrap(),
        config_key: "default".to_owned(),
        name: name.to_owned(),
        description: None,
        is_enabled: true,
        backup_type: BackupType::Full,
        backup_source: BackupSource::Config,
        cron_expression: cron.to_owned(),
        timezone: Zone::UTC.name().to_owned(),
        retention: Retention {
            max_backups: 1000,
            ..Retention::default()
        },
        next_run_at: None,
        last_run_at: None,
        last_success_at: None,
        last_verify_passed_at: None,
        start_window: None,
        verification: backup_core::schedule::VerifyPolicy::default(),
        consolidate_every: None,
        created_at: now,
        updated_at: now,
        created_by: None,
    }
}

fn minutes() -> Duration {
    let text = std::env::var("BACKUP_SCHEDULER_MINUTES").unwrap_or_default();
    Duration::from_mins(text.parse().unwrap_or(0))
}
