//! Many real workers on one PostgreSQL catalog, killed at random: each job is done exactly once, as the catalog, the storage
//! and the workers' own logs say, and no limit is passed meanwhile.
//!
//! `BACKUP_SOAK_JOBS` and `BACKUP_SOAK_WORKERS` make it long; `BACKUP_SOAK_SEED` repeats a run.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::config::{BackupConfig, DEFAULT_CONFIG_KEY};
use backup_core::list::BackupListOptions;
use backup_core::{
    Backup, BackupId, BackupSource, BackupTrigger, BackupType, Clock, IdGenerator, JobStatus, NewBackup, OsRandom,
    SystemClock,
};
use backup_db::Store;
use backup_tests::dice::Dice;
use backup_tests::postgres::Postgres;
use backup_tests::process::Running;
use backup_tests::system::{Catalog, Storage, System, stored_paths};
use backup_tests::{note, poll};
use serde_json::json;

/// The configuration of which only so many jobs may run at once.
const LIMITED: &str = "limited";
const LIMIT: u32 = 2;

/// The longest pause between two deaths, in milliseconds.
const BETWEEN: u64 = 1_500;

/// How long nothing may happen before the test gives up: a lease runs out in four seconds.
const PATIENCE: Duration = Duration::from_mins(3);

/// How long a worker that has just started is given to look around.
const LOOK: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_killed_do_each_job_exactly_once() {
    let (jobs, workers) = (number("BACKUP_SOAK_JOBS", 300), number("BACKUP_SOAK_WORKERS", 4));
    let mut dice = Dice::from_environment();
    let postgres = Postgres::shared();
    let mut system = System::with(postgres, Catalog::Postgres(postgres), Storage::Folder);
    system.set("BACKUP_LEASE_SECONDS", "4");
    let clock = Arc::new(SystemClock);
    let store = Store::open(system.setting("CATALOG_URL"), clock.clone()).await.unwrap();
    let asked = ask(&store, clock, jobs).await;

    let mut running: Vec<Running> = (0..workers).map(|_| system.worker(&[])).collect();
    let mut logs = Vec::new();
    let mut left = jobs;
    let mut moved = Instant::now();
    loop {
        // Not to wait for anything: the moment of death is what differs from round to round.
        tokio::time::sleep(Duration::from_millis(dice.below(BETWEEN))).await;
        assert!(of_limited(&system) <= LIMIT, "more jobs run than may");
        let overview = store.overview().await.unwrap();
        let active = overview.active_backups + overview.queued_backups;
        if active < left {
            (left, moved) = (active, Instant::now());
        }
        if left == 0 {
            break;
        }
        assert!(
            moved.elapsed() < PATIENCE,
            "{left} jobs are not done\n{}",
            running[0].stderr()
        );
        let victim = usize::try_from(dice.below(workers)).unwrap();
        if !is_last_chance(&system, &running[victim]) {
            logs.push(running.swap_remove(victim).kill9().stderr);
            running.push(system.worker(&[]));
        }
    }
    note(format_args!("{} workers were killed", logs.len()));
    logs.extend(running.into_iter().map(|worker| worker.terminate().stderr));

    let backups = all(&store).await;
    assert_eq!(backups.len(), asked.len());
    let done = completions(&logs);
    for id in &asked {
        let backup = &backups[id];
        assert_eq!(backup.status, JobStatus::Completed, "{backup:#?}");
        let told = done.get(&id.to_string()).copied().unwrap_or(0);
        assert!(told <= 1, "backup {id} was completed {told} times");
    }
    let mut expected: Vec<String> = backups.values().flat_map(paths).collect();
    expected.sort();
    // What a killed worker left is removed by whoever comes after it and begins with a look around; what is younger than a few
    // leases may be somebody's work, and is passed over.
    let is_tidy = poll(PATIENCE, || {
        let _tidying = system.worker(&[("BACKUP_WORKERS", "1")]);
        poll(LOOK, || (system.blobs.list() == expected).then_some(()))
    });
    if is_tidy.is_none() {
        let found = system.blobs.list();
        let strange: Vec<_> = found.iter().filter(|path| !expected.contains(path)).collect();
        let missing: Vec<_> = expected.iter().filter(|path| !found.contains(path)).collect();
        panic!("the storage holds {strange:?}, which the catalog does not know, and lacks {missing:?}");
    }
    let _verified = system.backupctl(&["verify", "--all", "--level", "CHECKSUM"]).expect(0);
}

/// Asks for so many small backups, of two configurations in turn.
async fn ask(store: &Store, clock: Arc<SystemClock>, jobs: u64) -> Vec<BackupId> {
    let config = BackupConfig {
        max_concurrent_jobs: Some(LIMIT),
        ..BackupConfig::defaults(LIMITED, clock.now())
    };
    store.put_config(&config).await.unwrap();
    let ids = IdGenerator::new(clock, Arc::new(OsRandom));
    let mut asked = Vec::new();
    for number in 0..jobs {
        let key = if number % 4 == 0 { LIMITED } else { DEFAULT_CONFIG_KEY };
        let new = NewBackup {
            id: ids.next().unwrap(),
            config_key: key.to_owned(),
            backup_type: BackupType::Full,
            source: BackupSource::Config,
            trigger: BackupTrigger::Manual,
            description: None,
            created_by: None,
            schedule_id: None,
        };
        asked.push(store.create_backup(new).await.unwrap().id);
    }
    asked
}

fn of_limited(system: &System) -> u32 {
    let sql = format!("SELECT count(*) FROM backups WHERE status = 'IN_PROGRESS' AND config_key = '{LIMITED}'");
    system.catalog.as_ref().unwrap().psql(&sql).trim().parse().unwrap()
}

/// Whether a worker's death would be the third of its job, which would then be given up.
fn is_last_chance(system: &System, worker: &Running) -> bool {
    let sql = "SELECT lease_owner FROM backups WHERE status = 'IN_PROGRESS' AND attempts >= 2";
    let owners = system.catalog.as_ref().unwrap().psql(sql);
    owners.contains(&format!("worker-{}-", worker.pid()))
}

async fn all(store: &Store) -> HashMap<BackupId, Backup> {
    let mut options = BackupListOptions {
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
        all.extend(page.into_iter().map(|summary| (summary.backup.id, summary.backup)));
    }
}

/// How often the workers say that they have completed each backup.
fn completions(logs: &[String]) -> HashMap<String, u32> {
    let mut done = HashMap::new();
    for line in logs.iter().flat_map(|log| log.lines()) {
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        if line["action"] == "backup_completed" {
            *done.entry(line["backupId"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
    }
    done
}

fn paths(backup: &Backup) -> [String; 2] {
    stored_paths(&json!({ "id": backup.id, "storagePath": backup.storage_path }))
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}
