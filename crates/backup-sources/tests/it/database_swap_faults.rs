//! Whoever is killed in the middle of an exchange: the old database or the new one is there, whole.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use backup_core::restore::ReplacedDatabase;
use backup_core::{JobControl, OsRandom, PipelineError};
use backup_sources::{ConnectionOptions, DatabaseSettings, DatabaseSwap, NamedBy};
use backup_tests::postgres::{Database, Postgres, quoted};

use crate::database_swap::{BEFORE, Case, READY, SWAPPED, answer};
use crate::job;

/// What holds a database so that a rename of it waits, from outside of it, until dropped.
struct Hold {
    outside: Database,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Hold {
    fn of(database: &Database) -> Self {
        let server = Postgres::shared();
        let outside = server.create_database("holder");
        let holder = server.database(&outside.name);
        let sql = format!(
            "BEGIN; COMMENT ON DATABASE {} IS 'held'; SELECT pg_sleep(600)",
            quoted(&database.name)
        );
        let thread = std::thread::spawn(move || {
            let _ended = holder.try_psql(&sql);
        });
        let held = format!(
            "SELECT count(*) FROM pg_locks WHERE mode = 'ShareUpdateExclusiveLock' AND granted AND locktype = 'object'
             AND objid = (SELECT oid FROM pg_database WHERE datname = '{}')",
            database.name
        );
        wait_for(&held);
        Self {
            outside,
            thread: Some(thread),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.outside.name
        );
        Postgres::shared().psql("postgres", &sql);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Until this query gives `1`.
fn wait_for(query: &str) {
    let found = backup_tests::poll(Duration::from_secs(30), || {
        (Postgres::shared().psql("postgres", query) == "1").then_some(())
    });
    assert!(found.is_some(), "never came: {query}");
}

/// The rename that waits, as a condition on `pg_stat_activity`.
fn waits(case: &Case) -> String {
    format!(
        "wait_event_type = 'Lock' AND query LIKE 'ALTER DATABASE%' AND strpos(query, '{}') > 0",
        case.names.live
    )
}

fn until_it_waits(case: &Case) {
    wait_for(&format!("SELECT count(*) FROM pg_stat_activity WHERE {}", waits(case)));
}

/// Until the server has noticed that whoever renamed is gone.
fn until_nobody_renames(case: &Case) {
    wait_for(&format!(
        "SELECT (count(*) = 0)::int FROM pg_stat_activity WHERE query LIKE 'ALTER DATABASE%' AND strpos(query, '{}') > 0",
        case.names.live
    ));
}

/// Another process that exchanges, to be killed.
fn swapping_process(case: &Case) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "database_swap_faults::swaps", "--ignored"])
        .env("SWAP_PORT", case.live.port.to_string())
        .env("SWAP_PASSWORD", &case.live.password)
        .env("SWAP_NAMES", serde_json::to_string(&case.names).unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    while !line.contains("swapping") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "it ended before it began");
    }
    child.stdout = Some(output.into_inner());
    child
}

#[test]
#[ignore = "run by the tests below, to be killed"]
fn swaps() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let settings = DatabaseSettings {
        host: "127.0.0.1".to_owned(),
        port: variable("SWAP_PORT").parse().unwrap(),
        name: "any".to_owned(),
        user: Some("postgres".to_owned()),
        password: Some(variable("SWAP_PASSWORD").into()),
        options: ConnectionOptions::default(),
        named_by: NamedBy::Settings,
        programs: Some(backup_tests::tools::postgres::install().unwrap()),
        random: Arc::new(OsRandom),
    };
    let names: ReplacedDatabase = serde_json::from_str(&variable("SWAP_NAMES")).unwrap();
    // Past the capture of the test's output.
    std::io::Write::write_all(&mut std::io::stdout(), b"swapping\n").unwrap();
    DatabaseSwap::new(settings, names).swap(&job()).unwrap();
}

#[test]
fn killed_before_either_rename_or_between_them_the_old_one_is_there() {
    for between in [false, true] {
        let case = Case::ready();
        let before = case.live.dump();
        let hold = Hold::of(if between { &case.beside } else { &case.live });
        let mut child = swapping_process(&case);
        until_it_waits(&case);
        child.kill().unwrap();
        child.wait().unwrap();
        until_nobody_renames(&case);
        assert_eq!(case.state(), READY);
        assert!(case.live.dump() == before);
        drop(hold);
        case.swap().swap(&job()).unwrap();
        assert_eq!((case.state(), answer(&case.live)), (SWAPPED, "new".to_owned()));
        assert!(case.old.dump() == before);
    }
}

#[test]
fn killed_at_any_moment_it_is_the_old_one_or_the_new_one() {
    let mut seen = Vec::new();
    // From before the connection until after the end, which depends on the machine.
    for delay in [0, 20, 40, 60, 80, 100, 130, 160, 200, 300] {
        let case = Case::ready();
        let mut child = swapping_process(&case);
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        until_nobody_renames(&case);
        let state = case.state();
        match state {
            READY => assert_eq!((answer(&case.live), answer(&case.beside)), ("old".into(), "new".into())),
            SWAPPED => assert_eq!((answer(&case.live), answer(&case.old)), ("new".into(), "old".into())),
            other => panic!("{other:?}"),
        }
        seen.push(state == SWAPPED);
        case.swap().swap(&job()).unwrap();
        assert_eq!((answer(&case.live), answer(&case.old)), ("new".into(), "old".into()));
        case.swap().roll_back(&job()).unwrap();
        assert_eq!((case.state(), answer(&case.live)), (BEFORE, "old".to_owned()));
    }
    backup_tests::note(format!("exchanged when killed: {seen:?}"));
}

/// Ends the session that renames. One that was seen to wait may have given up meanwhile: then it is the one after it.
fn end_renaming(case: &Case) {
    wait_for(&format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {}",
        waits(case)
    ));
}

#[test]
fn a_session_that_is_lost_is_tried_again_and_a_database_that_is_held_is_left_as_it_was() {
    let case = Case::ready();
    let before = case.live.dump();
    let hold = Hold::of(&case.beside);
    std::thread::scope(|scope| {
        let swap = scope.spawn(|| case.swap().swap(&job()));
        until_it_waits(&case);
        end_renaming(&case);
        let error = swap.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("lock timeout"), "{error}");
    });
    assert_eq!(case.state(), READY);
    assert!(case.live.dump() == before);

    std::thread::scope(|scope| {
        let swap = scope.spawn(|| case.swap().swap(&job()));
        until_it_waits(&case);
        end_renaming(&case);
        drop(hold);
        swap.join().unwrap().unwrap();
    });
    assert_eq!((case.state(), answer(&case.live)), (SWAPPED, "new".to_owned()));

    // The same on the way back: the one before is in use again, or the new one still.
    let hold = Hold::of(&case.old);
    let error = case.swap().roll_back(&job()).unwrap_err();
    assert!(error.to_string().contains("lock timeout"), "{error}");
    assert_eq!((case.state(), answer(&case.live)), (SWAPPED, "new".to_owned()));
    drop(hold);
    case.swap().roll_back(&job()).unwrap();
    assert!(case.live.dump() == before);
}

#[test]
fn a_cancelled_exchange_leaves_the_old_one() {
    let case = Case::ready();
    let _hold = Hold::of(&case.beside);
    let job = JobControl::new(Duration::from_mins(2));
    let error = std::thread::scope(|scope| {
        let swap = scope.spawn(|| case.swap().swap(&job));
        until_it_waits(&case);
        job.cancel();
        swap.join().unwrap().unwrap_err()
    });
    assert!(matches!(error, PipelineError::Cancelled), "{error:?}");
    until_nobody_renames(&case);
    assert_eq!((case.state(), answer(&case.live)), (READY, "old".to_owned()));
}
