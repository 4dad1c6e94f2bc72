//! The database goes away and comes back: calls say so in time, and work again by themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::{JobStatus, ManualClock, Outage, Step};
use backup_db::{BackupOutcome, Error, Finished, JobPosition, Store};
use backup_tests::postgres::Postgres;
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};

use crate::fixture::{Catalog, LEASE, at_once, start};

/// Within what time a call has to say that the catalog is away.
const PATIENCE: Duration = Duration::from_secs(30);

async fn away<T: std::fmt::Debug>(call: impl Future<Output = Result<T, Error>>) {
    let before = Instant::now();
    let result = call.await;
    assert!(matches!(result, Err(Error::Unavailable { .. })), "{result:?}");
    assert!(before.elapsed() < PATIENCE, "{:?}", before.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_and_comes_back() {
    let (server, database) = tokio::task::spawn_blocking(|| {
        let server = Postgres::start();
        let database = server.create_database("outage");
        (Arc::new(server), database)
    })
    .await
    .unwrap();
    let clock = Arc::new(ManualClock::new(start()));
    let store = Store::open(&database.url(), clock.clone()).await.unwrap();
    let ids = backup_core::IdGenerator::new(clock, Arc::new(backup_core::OsRandom));
    let new = || backup_core::NewBackup {
        id: ids.next().unwrap(),
        config_key: "default".to_owned(),
        backup_type: backup_core::BackupType::Full,
        source: backup_core::BackupSource::Files,
        trigger: backup_core::BackupTrigger::Manual,
        description: None,
        created_by: None,
        schedule_id: None,
    };
    let on_server = |work: fn(&Postgres)| {
        let server = server.clone();
        tokio::task::spawn_blocking(move || work(&server))
    };
    for stop in [Postgres::stop as fn(&Postgres), Postgres::kill9] {
        let backup = store.create_backup(new()).await.unwrap();
        let lease = store.claim_job("w", LEASE, 3, None).await.unwrap().unwrap().lease;
        // Every connection of the pool is in use once, so that all of them are cut off.
        at_once(8, |_| {
            let store = store.clone();
            async move { store.overview().await.unwrap() }
        })
        .await;
        on_server(stop).await.unwrap();
        away(store.ping()).await;
        assert_eq!(store.ping().await.unwrap_err().outage(), Outage::Refused);
        away(store.heartbeat(&lease, JobPosition::new(10, Step::Files), LEASE)).await;
        away(store.list_backups(&backup_core::list::BackupListOptions::default())).await;
        away(store.claim_job("w", LEASE, 3, None)).await;
        let lost = at_once(20, |_| {
            let store = store.clone();
            async move { store.overview().await.map(|_| ()) }
        })
        .await;
        assert!(
            lost.iter()
                .all(|result| matches!(result, Err(Error::Unavailable { .. }))),
            "{lost:?}"
        );
        on_server(Postgres::resume).await.unwrap();
        // The very next call may still meet the pool's pause between two tries; it is short.
        let back = Instant::now();
        while store.ping().await.is_err() {
            assert!(back.elapsed() < PATIENCE);
        }
        let beat = store
            .heartbeat(&lease, JobPosition::new(20, Step::Files), LEASE)
            .await
            .unwrap();
        assert!(!beat.cancel_requested);
        let failed = BackupOutcome::Failed {
            message: "done with".to_owned(),
        };
        assert_eq!(store.finish_backup(&lease, failed).await.unwrap(), Finished::Now);
        assert_eq!(
            store.get_backup(backup.id).await.unwrap().unwrap().backup.status,
            JobStatus::Failed
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_cut_off_are_replaced_unnoticed() {
    let catalog = Catalog::postgres().await;
    for _ in 0..3 {
        at_once(8, |_| {
            let store = catalog.store.clone();
            async move { store.overview().await.unwrap() }
        })
        .await;
        catalog
            .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'backup-catalog' AND datname = current_database()")
            .unwrap();
        catalog.pending().await;
    }
    // What asks one thing alone has no word to begin with, by which it would notice first.
    for _ in 0..3 {
        at_once(8, |_| {
            let store = catalog.store.clone();
            async move { store.overview().await.unwrap() }
        })
        .await;
        catalog
            .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'backup-catalog' AND datname = current_database()")
            .unwrap();
        assert!(catalog.store.find_session("none").await.unwrap().is_none());
        assert!(catalog.store.use_token("none").await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_process_holds_is_unavailable_and_then_works() {
    let catalog = Catalog::sqlite().await;
    let path = catalog.url.strip_prefix("sqlite://").unwrap();
    let mut other = SqliteConnection::establish(path).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    catalog.store.overview().await.unwrap();
    let before = Instant::now();
    let result = catalog.store.create_backup(catalog.new_backup()).await;
    assert!(matches!(result, Err(Error::Unavailable { .. })), "{result:?}");
    assert!(before.elapsed() < PATIENCE, "{:?}", before.elapsed());
    other.batch_execute("ROLLBACK").unwrap();
    catalog.pending().await;
}

/// What writers queue for on PostgreSQL.
const WRITER_LOCK: i64 = 0x6261_636b_7570_0001;

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_waits_in_vain_is_unavailable_whatever_the_server_says_of_it() {
    let catalog = Catalog::postgres().await;
    // Other words than those of the lock's own time-out, as another language has them too.
    catalog
        .sql("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 2000', current_database()); END $$")
        .unwrap();
    let store = catalog.another().await;
    let mut other = PgConnection::establish(&catalog.url).unwrap();
    other
        .batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({WRITER_LOCK})"))
        .unwrap();
    away(store.create_backup(catalog.new_backup())).await;
    other.batch_execute("ROLLBACK").unwrap();
    store.create_backup(catalog.new_backup()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_wait_for_another_process_keep_no_reader_waiting() {
    let catalog = Catalog::postgres().await;
    let mut other = PgConnection::establish(&catalog.url).unwrap();
    other
        .batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({WRITER_LOCK})"))
        .unwrap();
    let writers: Vec<_> = (0..20)
        .map(|_| {
            let (store, new) = (catalog.store.clone(), catalog.new_backup());
            tokio::spawn(async move { store.create_backup(new).await })
        })
        .collect();
    let begun = Instant::now();
    let several_wait = "DO $$ BEGIN IF (SELECT count(*) FROM pg_stat_activity \
                        WHERE datname = current_database() AND wait_event = 'advisory') < 6 \
                        THEN RAISE EXCEPTION 'not yet'; END IF; END $$";
    while catalog.sql(several_wait).is_err() {
        assert!(begun.elapsed() < PATIENCE, "writers do not wait");
    }
    let asked = Instant::now();
    for _ in 0..50 {
        catalog.store.overview().await.unwrap();
    }
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    other.batch_execute("ROLLBACK").unwrap();
    for writer in writers {
        // On a slow machine one may have waited for too long.
        let _ = writer.await.unwrap();
    }
    catalog.pending().await;
}

#[test]
fn a_call_that_is_given_up_while_it_waits_for_a_thread_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("catalog.db").display());
    let runtime = |threads| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(threads)
            .build()
            .unwrap()
    };
    let (crowded, other) = (runtime(1), runtime(8));
    let clock = Arc::new(ManualClock::new(start()));
    let store = crowded.block_on(Store::open(&url, clock)).unwrap();
    // As long as a disk hangs.
    let (back, hangs) = std::sync::mpsc::channel::<()>();
    drop(crowded.spawn_blocking(move || hangs.recv()));
    crowded.block_on(async {
        for _ in 0..20 {
            let given_up = tokio::time::timeout(Duration::from_millis(10), store.ping()).await;
            assert!(given_up.is_err(), "{given_up:?}");
        }
    });
    let answer = other.block_on(store.ping());
    drop(back);
    answer.unwrap();
    crowded.block_on(store.ping()).unwrap();
}
