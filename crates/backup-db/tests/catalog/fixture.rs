//! An empty catalog of either kind, and short ways to fill it.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backup_core::config::DEFAULT_CONFIG_KEY;
use backup_core::schedule::{Retention, Schedule};
use backup_core::{
    Alert, AlertKind, Backup, BackupContents, BackupId, BackupSource, BackupTrigger, BackupType, Clock, IdGenerator,
    ManualClock, NewBackup, OsRandom, ScheduleId,
};
use backup_db::{BackupOutcome, ClaimedJob, CompletedBackup, Fired, Firing, Job, Lease, Store};
use backup_tests::postgres::{Database, Postgres};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

pub(crate) const LEASE: Duration = Duration::from_mins(1);
pub(crate) const MAX_ATTEMPTS: u32 = 3;

pub(crate) struct Catalog {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) url: String,
    ids: IdGenerator,
    place: Place,
}

enum Place {
    Sqlite(tempfile::TempDir),
    Postgres(Database),
}

/// Declares each test twice: once on SQLite, once on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name($crate::fixture::Catalog::sqlite().await).await; })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name($crate::fixture::Catalog::postgres().await).await; })+
        }
    };
}
pub(crate) use on_both;

pub(crate) fn start() -> DateTime<Utc> {
    "2026-11-23T02:00:00Z".parse().unwrap()
}

impl Catalog {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/made/catalog.db", folder.path().display());
        Self::open(url, Place::Sqlite(folder)).await
    }

    pub(crate) async fn postgres() -> Self {
        let database = tokio::task::spawn_blocking(|| Postgres::shared().create_sorting_database("catalog"))
            .await
            .unwrap();
        Self::open(database.url(), Place::Postgres(database)).await
    }

    async fn open(url: String, place: Place) -> Self {
        let clock = Arc::new(ManualClock::new(start()));
        Self {
            store: Store::open(&url, clock.clone()).await.unwrap(),
            ids: IdGenerator::new(clock.clone(), Arc::new(OsRandom)),
            clock,
            url,
            place,
        }
    }

    pub(crate) fn clock_now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A second process on the same catalog, as far as the catalog can tell.
    pub(crate) async fn another(&self) -> Store {
        Store::open(&self.url, self.clock.clone()).await.unwrap()
    }

    /// Runs SQL behind the program's back.
    pub(crate) fn sql(&self, sql: &str) -> Result<(), String> {
        match &self.place {
            Place::Sqlite(folder) => {
                let path = folder.path().join("made/catalog.db");
                let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                connection.batch_execute(sql).map_err(|error| error.to_string())
            }
            Place::Postgres(database) => database.try_psql(sql).map(|_| ()).map_err(|error| error.to_string()),
        }
    }

    /// Undoes a migration and does it again, as on a catalog from before it.
    pub(crate) fn redo_migration(&self, name: &str) {
        let database = match &self.place {
            Place::Sqlite(_) => "sqlite",
            Place::Postgres(_) => "postgres",
        };
        let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
        let folder = migrations.join(database).join(name);
        for file in ["down.sql", "up.sql"] {
            self.sql(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap();
        }
    }

    pub(crate) fn id<Id: From<uuid::Uuid>>(&self) -> Id {
        self.ids.next().unwrap()
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    pub(crate) fn new_backup(&self) -> NewBackup {
        NewBackup {
            id: self.id(),
            config_key: DEFAULT_CONFIG_KEY.to_owned(),
            backup_type: BackupType::Full,
            source: BackupSource::FullSystem,
            trigger: BackupTrigger::Manual,
            description: None,
            created_by: None,
            schedule_id: None,
        }
    }

    /// One that is enabled and fires at each full hour, UTC.
    pub(crate) fn new_schedule(&self) -> Schedule {
        Schedule {
            id: self.id(),
            config_key: DEFAULT_CONFIG_KEY.to_owned(),
            name: "每小時".to_owned(),
            description: None,
            is_enabled: true,
            backup_type: BackupType::Incremental,
            backup_source: BackupSource::Database,
            cron_expression: "0 * * * *".to_owned(),
            timezone: "UTC".to_owned(),
            retention: Retention::default(),
            next_run_at: None,
            last_run_at: None,
            last_success_at: None,
            last_verify_passed_at: None,
            start_window: None,
            verification: backup_core::schedule::VerifyPolicy::default(),
            consolidate_every: None,
            created_at: start(),
            updated_at: start(),
            created_by: None,
        }
    }

    pub(crate) async fn hourly(&self) -> Schedule {
        self.store.create_schedule(self.new_schedule()).await.unwrap()
    }

    pub(crate) async fn schedule(&self, id: ScheduleId) -> Schedule {
        self.store.get_schedule(id).await.unwrap().unwrap().schedule
    }

    /// Fires what is due, of which there is at most one.
    pub(crate) async fn fire(&self) -> Option<Fired> {
        let mut fired = self.store.fire_due_schedules(100).await.unwrap();
        assert!(fired.len() < 2, "{fired:?}");
        fired.pop()
    }

    /// The firings of a schedule, oldest first.
    pub(crate) async fn firings(&self, id: ScheduleId) -> Vec<Firing> {
        let mut firings = self.store.firings_of(id, 1_000_000).await.unwrap();
        firings.reverse();
        firings
    }

    /// The open alert of a kind, of which there is at most one.
    pub(crate) async fn open_alert(&self, kind: AlertKind) -> Option<Alert> {
        let mut open = self.store.open_alerts(kind).await.unwrap();
        assert!(open.len() < 2, "{open:?}");
        open.pop()
    }

    /// Ends the job that is next, a backup: without a message it is good.
    pub(crate) async fn end_next(&self, failure: Option<&str>) -> BackupId {
        let claimed = self.claim().await.unwrap();
        let id = backup_of(&claimed.job).id;
        let outcome = match failure {
            None => BackupOutcome::Completed(Box::new(self.results(1_000))),
            Some(message) => BackupOutcome::Failed {
                message: message.to_owned(),
            },
        };
        self.store.finish_backup(&claimed.lease, outcome).await.unwrap();
        id
    }

    pub(crate) async fn pending(&self) -> Backup {
        self.store.create_backup(self.new_backup()).await.unwrap()
    }

    pub(crate) async fn claim(&self) -> Option<ClaimedJob> {
        self.store
            .claim_job("worker-1", LEASE, MAX_ATTEMPTS, None)
            .await
            .unwrap()
    }

    /// A backup that `claim` took up, where nothing else waits.
    pub(crate) async fn running(&self) -> (BackupId, Lease) {
        let id = self.pending().await.id;
        let claimed = self.claim().await.unwrap();
        assert_eq!(claimed.lease.id, id.to_string());
        (id, claimed.lease)
    }

    /// A COMPLETED backup that builds on `base`.
    pub(crate) async fn completed(&self, base: Option<BackupId>) -> BackupId {
        let (id, lease) = self.running().await;
        let kind = if base.is_some() {
            BackupType::Incremental
        } else {
            BackupType::Full
        };
        self.store.set_base(&lease, kind, base).await.unwrap();
        let done = CompletedBackup {
            backup_type: kind,
            base_id: base,
            ..self.results(1_000)
        };
        self.store
            .finish_backup(&lease, BackupOutcome::Completed(Box::new(done)))
            .await
            .unwrap();
        id
    }

    pub(crate) fn results(&self, size_bytes: u64) -> CompletedBackup {
        CompletedBackup {
            backup_type: BackupType::Full,
            base_id: None,
            consolidated_from: None,
            storage_path: "2026/11-23/x.tar.gz.enc".to_owned(),
            size_bytes,
            source_bytes: size_bytes * 3,
            checksum: "ab".repeat(32),
            contents: BackupContents::default(),
            warnings: Vec::new(),
            completed_at: self.clock.now(),
            key_fingerprint: None,
        }
    }

    pub(crate) async fn backup(&self, id: BackupId) -> Backup {
        self.store.get_backup(id).await.unwrap().unwrap().backup
    }
}

pub(crate) fn backup_of(job: &Job) -> &Backup {
    match job {
        Job::Backup(backup) => backup,
        other => panic!("not a backup: {other:?}"),
    }
}

/// Runs `work` in `count` tasks at once and gives what each gave.
pub(crate) async fn at_once<T, F>(count: usize, work: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|index| tokio::spawn(work(index))).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}
