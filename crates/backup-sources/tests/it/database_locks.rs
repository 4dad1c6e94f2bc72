//! Counting rows beside a dump: it holds up nobody, and nobody holds it up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::{JobControl, PipelineError, WarningCode};
use backup_sources::{DatabaseSettings, DatabaseSource};
use backup_tests::postgres::{Database, Postgres, quoted};
use backup_tests::unique;

use crate::database::settings;
use crate::database_faults::{database, fake_pg_dump, with_programs};
use crate::job;
use crate::recorder::{Archive, When, back_up, warned};

/// A `pg_dump` that first runs this SQL in the database, and then this.
fn after(sql: &str, then: &str) -> String {
    format!(
        "for arg; do case \"$arg\" in --dbname=*) db=\"$arg\";; esac; done
         \"$(dirname \"$0\")/psql\" -XAtq \"$db\" -c \"{sql}\" >&2 || exit 1
         {then}"
    )
}

#[test]
fn an_application_may_change_a_table_until_the_dump_has_its_locks() {
    let database = database();
    // Where the counting had locked the table, this would wait for it and fail.
    let script = after(
        "SET lock_timeout = '3s'; ALTER TABLE t ADD COLUMN extra int",
        "exec REAL \"$@\"",
    );
    let programs = fake_pg_dump("99.0", &script);
    let mut archive = Archive::default();
    let contents = back_up(&with_programs(&database, programs.path()), &mut archive, &job()).unwrap();
    assert_eq!(contents.database.unwrap().row_count, 20_000);
}

/// Whoever reloads a table empties it by a statement that knows no snapshots.
const RELOAD: &str = "BEGIN; TRUNCATE t; INSERT INTO t VALUES (1, 'reloaded'); COMMIT";

/// A database whose tables are locked to be counted, and one that lacks the language for that.
fn with_and_without_plpgsql() -> [Database; 2] {
    let [with, without] = [database(), database()];
    without.psql("DROP EXTENSION plpgsql");
    [with, without]
}

#[test]
fn a_table_that_is_reloaded_while_the_dump_begins_is_dumped_as_it_is_afterwards() {
    for database in with_and_without_plpgsql() {
        let script = format!(
            "if mkdir \"$0.once\" 2> /dev/null; then\n{}\nfi\nexec REAL \"$@\"",
            after(RELOAD, "")
        );
        let programs = fake_pg_dump("99.0", &script);
        let (mut archive, job) = (Archive::default(), job());
        let contents = back_up(&with_programs(&database, programs.path()), &mut archive, &job).unwrap();
        assert_eq!((contents.database.unwrap().row_count, job.warnings()), (1, vec![]));
        let dump = archive.content("database.dump");
        assert!(dump.windows(8).any(|bytes| bytes == b"reloaded"));
    }
}

#[test]
fn a_table_that_is_reloaded_whenever_the_dump_begins_is_not_lost_unnoticed() {
    for database in with_and_without_plpgsql() {
        let script = after(RELOAD, "exec REAL \"$@\"");
        let programs = fake_pg_dump("99.0", &format!("echo >> \"$0.begun\"\n{script}"));
        let settings = with_programs(&database, programs.path());
        let job = job();
        let contents = back_up(&settings, &mut Archive::default(), &job).unwrap();
        let told = warned(&job, WarningCode::Other);
        assert!(
            told.iter()
                .any(|text| text.contains("emptied") && text.contains("public.t")),
            "{told:?}"
        );
        assert_eq!(contents.database.unwrap().row_count, 0);
        let begun = std::fs::read_to_string(programs.path().join("pg_dump.begun")).unwrap();
        assert_eq!(begun.lines().count(), 4);
        // Unless something does so, there is nothing to tell.
        let job = crate::job();
        let contents = back_up(
            &DatabaseSource::new(self::settings(&database)),
            &mut Archive::default(),
            &job,
        )
        .unwrap();
        assert_eq!(
            (contents.database.unwrap().row_count, warned(&job, WarningCode::Other)),
            (1, vec![])
        );
    }
}

/// Runs SQL that holds something until the database is dropped, and waits until `held` gives `1`.
fn hold(database: &Arc<Database>, sql: &str, held: &str) {
    let (holder, sql) = (database.clone(), format!("BEGIN; {sql}; SELECT pg_sleep(600)"));
    std::thread::spawn(move || holder.try_psql(&sql));
    backup_tests::poll(Duration::from_secs(30), || (database.psql(held) == "1").then_some(())).unwrap();
}

fn let_go(database: &Database) {
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
        database.name
    );
    Postgres::shared().psql("postgres", &sql);
}

#[test]
fn a_table_that_an_application_waits_for_is_dumped_and_not_counted() {
    let database = Arc::new(database());
    database.psql("CREATE TABLE u AS SELECT 1 AS x");
    // Stands for a dump that has its locks already, which the application waits for as long as it runs.
    let programs = fake_pg_dump("99.0", "printf x");
    let is_held = std::cell::Cell::new(false);
    let mut archive = Archive::with_hook(|when, _| {
        if when == When::Before && !is_held.replace(true) {
            hold(&database, "LOCK TABLE t IN ACCESS EXCLUSIVE MODE", &held("t"));
        }
    });
    let job = job();
    let begin = Instant::now();
    let contents = back_up(&with_programs(&database, programs.path()), &mut archive, &job);
    let_go(&database);
    let contents = contents.unwrap();
    assert_eq!(contents.database.unwrap().row_count, 1);
    let told = warned(&job, WarningCode::Other);
    assert!(told.len() == 1 && told[0].contains("public.t"), "{told:?}");
    assert!(begin.elapsed() < Duration::from_mins(1));
}

/// Whether somebody holds this table or index for himself alone, as [`hold`] asks it.
fn held(relation: &str) -> String {
    format!(
        "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = '{relation}'::regclass"
    )
}

/// How many wait for a lock.
const WAITS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND wait_event_type = 'Lock'";

#[test]
fn counting_keeps_no_index_locked_and_does_not_wait_until_one_is_made_anew() {
    let database = Arc::new(database());
    database.psql("CREATE INDEX t_i ON t (i); CREATE TABLE u AS SELECT 1 AS x; CREATE INDEX u_x ON u (x)");
    hold(&database, "REINDEX INDEX u_x", &held("u_x"));
    let programs = fake_pg_dump("99.0", "printf x");
    let watched = database.clone();
    // While the counting waits for an index of the second table, that of the first is anybody's.
    let thread = std::thread::spawn(move || {
        backup_tests::poll(Duration::from_secs(30), || (watched.psql(WAITS) == "1").then_some(())).unwrap();
        watched.try_psql("SET lock_timeout = '3s'; REINDEX INDEX t_i")
    });
    let job = job();
    let begin = Instant::now();
    let contents = back_up(
        &with_programs(&database, programs.path()),
        &mut Archive::default(),
        &job,
    );
    let made_anew = thread.join();
    let_go(&database);
    made_anew.unwrap().unwrap();
    assert_eq!(contents.unwrap().database.unwrap().row_count, 20_000);
    let told = warned(&job, WarningCode::Other);
    assert!(told.len() == 1 && told[0].contains("public.u"), "{told:?}");
    assert!(begin.elapsed() < Duration::from_mins(1), "{:?}", begin.elapsed());
}

#[test]
fn a_database_without_a_language_for_locks_is_counted_all_the_same() {
    let database = Arc::new(database());
    database.psql(
        "DROP EXTENSION plpgsql; CREATE INDEX t_i ON t (i); CREATE TABLE u AS SELECT 1 AS x; CREATE INDEX u_x ON u (x);
         CREATE VIEW v AS SELECT 1 AS x",
    );
    hold(&database, "REINDEX INDEX u_x", &held("u_x"));
    let programs = fake_pg_dump("99.0", "printf x");
    let watched = database.clone();
    let thread = std::thread::spawn(move || {
        backup_tests::poll(Duration::from_secs(30), || (watched.psql(WAITS) == "1").then_some(())).unwrap();
        let made_anew = watched.try_psql("SET lock_timeout = '3s'; REINDEX INDEX t_i");
        // Only who holds the index is ended.
        watched.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()",
        );
        made_anew
    });
    let job = job();
    let contents = back_up(
        &with_programs(&database, programs.path()),
        &mut Archive::default(),
        &job,
    );
    thread.join().unwrap().unwrap();
    assert_eq!(contents.unwrap().database.unwrap().row_count, 20_001);
    assert_eq!(job.warnings(), []);
}

#[test]
fn a_cancelled_backup_does_not_wait_for_the_counting() {
    let database = Arc::new(database());
    let of_all = |sql: &str| -> String {
        let each = |number: u32| sql.replace('#', &number.to_string());
        (0..10).map(each).collect()
    };
    database.psql(&of_all("CREATE TABLE u# (i int); CREATE INDEX u#_i ON u# (i);"));
    // Counting needs the indexes too, which this holds; the tables themselves are free. It would give up one after the other,
    // and be done with them later than this test allows.
    let all = of_all("REINDEX INDEX u#_i;");
    hold(&database, all.trim_end_matches(';'), &held("u9_i"));
    let programs = fake_pg_dump("99.0", "printf x");
    let job = JobControl::new(Duration::from_mins(5));
    let (canceller, watched) = (job.clone(), database.clone());
    let thread = std::thread::spawn(move || {
        let waits = backup_tests::poll(Duration::from_secs(30), || (watched.psql(WAITS) == "1").then_some(()));
        canceller.cancel();
        waits.is_some()
    });
    let begin = Instant::now();
    let result = back_up(
        &with_programs(&database, programs.path()),
        &mut Archive::default(),
        &job,
    );
    let_go(&database);
    assert!(thread.join().unwrap(), "the counting did not wait for the index");
    assert!(matches!(result, Err(PipelineError::Cancelled)), "{result:?}");
    assert!(begin.elapsed() < Duration::from_secs(80), "{:?}", begin.elapsed());
}

#[test]
fn a_dump_whose_rows_cannot_be_counted_is_ended() {
    let database = database();
    let role = format!("app_{}", unique());
    database.psql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'app'; GRANT CONNECT ON DATABASE {} TO {role}",
        quoted(&database.name)
    ));
    // A dump of hours: it ends by itself after three minutes.
    let programs = fake_pg_dump("99.0", "for i in $(seq 1800); do echo $i; sleep 0.1; done");
    let source = DatabaseSource::new(DatabaseSettings {
        user: Some(role.clone()),
        password: Some("app".to_owned().into()),
        programs: Some(programs.path().to_owned()),
        ..settings(&database)
    });
    let begin = Instant::now();
    let error = back_up(&source, &mut Archive::default(), &job()).unwrap_err();
    assert!(error.to_string().contains("permission denied for table t"), "{error}");
    assert!(begin.elapsed() < Duration::from_mins(1), "{:?}", begin.elapsed());
    drop(database);
    Postgres::shared().psql("postgres", &format!("DROP ROLE {role}"));
}

#[test]
fn a_dump_of_nothing_is_an_error() {
    let database = database();
    let programs = fake_pg_dump("99.0", "exit 0");
    let error = back_up(
        &with_programs(&database, programs.path()),
        &mut Archive::default(),
        &job(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("pg_dump wrote nothing"), "{error}");
}
