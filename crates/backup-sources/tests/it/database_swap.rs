//! A database is replaced by a restored one, and comes back when that is taken back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use backup_core::restore::ReplacedDatabase;
use backup_core::{PipelineError, Target};
use backup_sources::{
    DatabaseSettings, DatabaseSource, DatabaseSwap, DatabaseSwapState, DatabaseTarget, DatabaseTargetOptions,
};
use backup_tests::postgres::{Database, Postgres, quoted};
use backup_tests::unique;

use crate::database::{exists, settings};
use crate::database_plan::{codes, new_id};
use crate::job;
use crate::recorder::{Archive, back_up};

pub(crate) const READY: DatabaseSwapState = DatabaseSwapState::Beside {
    live_exists: true,
    beside_exists: true,
};
pub(crate) const BEFORE: DatabaseSwapState = DatabaseSwapState::Beside {
    live_exists: true,
    beside_exists: false,
};
pub(crate) const SWAPPED: DatabaseSwapState = DatabaseSwapState::Swapped { has_old: true };
const WHOLE: &str = "SELECT DISTINCT state FROM t UNION ALL SELECT count(*)::text FROM t";

/// A database in use, one that stands for the restored one beside it, and the exchange of the two.
pub(crate) struct Case {
    pub(crate) live: Database,
    pub(crate) beside: Database,
    pub(crate) old: Database,
    pub(crate) names: ReplacedDatabase,
}

impl Case {
    /// With the names of a restore, and nothing there yet.
    pub(crate) fn named(name: &str) -> Self {
        let server = Postgres::shared();
        let names = ReplacedDatabase::of(name, new_id());
        Self {
            live: server.database(&names.live),
            beside: server.database(&names.beside),
            old: server.database(&names.old),
            names,
        }
    }

    /// With a database in use whose rows say `old`, and one beside it whose rows say `new`.
    pub(crate) fn ready() -> Self {
        let case = Self::named(&format!("swap_{}", unique()));
        make(&case.live, "old");
        make(&case.beside, "new");
        case.identified()
    }

    pub(crate) fn identified(mut self) -> Self {
        self.names = self.swap().identify(&job()).unwrap();
        self
    }

    pub(crate) fn swap(&self) -> DatabaseSwap {
        DatabaseSwap::new(settings(&self.live), self.names.clone())
    }

    pub(crate) fn swap_as(&self, role: &str, password: &str) -> DatabaseSwap {
        let settings = DatabaseSettings {
            user: Some(role.to_owned()),
            password: Some(password.to_owned().into()),
            ..settings(&self.live)
        };
        DatabaseSwap::new(settings, self.names.clone())
    }

    pub(crate) fn state(&self) -> DatabaseSwapState {
        self.swap().state(&job()).unwrap()
    }
}

/// A database all of whose rows say `state`.
pub(crate) fn make(database: &Database, state: &str) {
    Postgres::shared().psql(
        "postgres",
        &format!("CREATE DATABASE {} TEMPLATE template0", quoted(&database.name)),
    );
    database.psql(&format!(
        "CREATE TABLE t AS SELECT '{state}' AS state FROM generate_series(1, 1000)"
    ));
}

/// `new` or `old`, whichever all rows say.
pub(crate) fn answer(database: &Database) -> String {
    let answer = database.psql(WHOLE);
    let (state, count) = answer.split_once('\n').unwrap();
    assert_eq!(count, "1000", "{answer}");
    state.to_owned()
}

#[test]
fn a_restored_database_takes_the_place_of_the_one_in_use_and_gives_it_back() {
    let long = format!("資料庫 \"the 'shop'\" = {}", unique());
    let long = format!("{long}{}", "é".repeat((63 - long.len()) / 2));
    assert!((62..=63).contains(&long.len()));
    let case = Case::named(&long);
    make(&case.live, "kept");
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&case.live)), &mut archive, &job()).unwrap();
    case.live
        .psql("UPDATE t SET state = 'lost'; CREATE TABLE later AS SELECT 1");
    let before = case.live.dump();

    let about = archive.content("about.json");
    let plan = case
        .swap()
        .plan(about, 1, DatabaseTargetOptions::default(), "an id", &job())
        .unwrap();
    assert_eq!(codes(&plan), []);
    let replaced = plan.part.replaces.unwrap();
    assert!(replaced.size_bytes.unwrap() > 1_000_000 && replaced.sessions == 0);
    assert!(plan.part.target.contains(&long));
    assert_eq!(case.state(), BEFORE);

    // An earlier attempt left something, which counts for nothing.
    make(&case.beside, "half");
    let plan = case
        .swap()
        .plan(about, 1, DatabaseTargetOptions::default(), "an id", &job())
        .unwrap();
    assert_eq!(codes(&plan), []);
    for _ in 0..2 {
        case.swap().clear_beside(&job()).unwrap();
        assert!(!exists(&case.beside) && exists(&case.live));
    }
    let error = case.swap().swap(&job()).unwrap_err();
    assert!(error.to_string().contains("is not there"), "{error}");

    DatabaseTarget::new(case.swap().beside(), backup_sources::DatabaseTargetOptions::default())
        .restore(&mut archive.replay(), &job())
        .unwrap();
    assert_eq!(case.state(), READY);
    let case = case.identified();
    assert_eq!(case.state(), READY);
    for _ in 0..2 {
        case.swap().swap(&job()).unwrap();
        assert_eq!(case.state(), SWAPPED);
        assert_eq!(answer(&case.live), "kept");
    }
    assert_eq!(case.swap().identify(&job()).unwrap(), case.names);
    assert!(case.old.dump() == before);

    for _ in 0..2 {
        case.swap().roll_back(&job()).unwrap();
        assert_eq!(case.state(), BEFORE);
        assert!(case.live.dump() == before);
        assert!(!exists(&case.beside) && !exists(&case.old));
    }
    case.swap().discard_old(&job()).unwrap();
    assert!(case.live.dump() == before);
}

#[test]
fn the_one_before_goes_when_it_is_discarded_and_cannot_come_back() {
    let case = Case::ready();
    case.swap().swap(&job()).unwrap();
    for _ in 0..2 {
        case.swap().discard_old(&job()).unwrap();
        assert_eq!(case.state(), DatabaseSwapState::Swapped { has_old: false });
    }
    let error = case.swap().roll_back(&job()).unwrap_err();
    assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
    case.swap().swap(&job()).unwrap();
    assert_eq!(answer(&case.live), "new");
}

#[test]
fn a_rollback_that_was_interrupted_goes_on_and_the_names_alone_tell_what_happened() {
    let mut case = Case::ready();
    case.names.restored = None;
    assert_eq!(case.state(), READY);
    case.swap().swap(&job()).unwrap();
    assert_eq!((case.state(), answer(&case.live)), (SWAPPED, "new".to_owned()));
    // As after the renames of a rollback, before it dropped the restored one.
    let (live, beside, old) = (
        quoted(&case.live.name),
        quoted(&case.beside.name),
        quoted(&case.old.name),
    );
    Postgres::shared().psql(
        "postgres",
        &format!("ALTER DATABASE {live} RENAME TO {beside}; ALTER DATABASE {old} RENAME TO {live}"),
    );
    for _ in 0..2 {
        case.swap().roll_back(&job()).unwrap();
        assert_eq!((case.state(), answer(&case.live)), (BEFORE, "old".to_owned()));
    }
    let error = case.swap().swap(&job()).unwrap_err();
    assert!(error.to_string().contains("is not there"), "{error}");
}

#[test]
fn where_there_was_no_database_there_is_one_and_then_none_again() {
    let case = Case::named(&format!("swap_{}", unique()));
    let (_original, archive) = crate::database::small(3);
    let options = DatabaseTargetOptions::default();
    let plan = case.swap().plan(archive.content("about.json"), 1, options, "x", &job());
    assert_eq!(plan.unwrap().part.replaces, None);
    make(&case.beside, "new");
    let case = case.identified();
    assert!(!case.names.had_live);
    for _ in 0..2 {
        case.swap().swap(&job()).unwrap();
        assert_eq!(case.state(), DatabaseSwapState::Swapped { has_old: false });
        assert_eq!(answer(&case.live), "new");
    }
    for _ in 0..2 {
        case.swap().roll_back(&job()).unwrap();
        assert!(![&case.live, &case.beside, &case.old].into_iter().any(exists));
    }
}

#[test]
fn nothing_is_dropped_that_is_not_ours_or_the_only_one() {
    let case = Case::ready();
    case.swap().swap(&job()).unwrap();
    // Somebody replaced it again since.
    let other = Postgres::shared().database(&format!("{}_other", case.live.name));
    let rename = |from: &Database, to: &Database| {
        let sql = format!("ALTER DATABASE {} RENAME TO {}", quoted(&from.name), quoted(&to.name));
        Postgres::shared().psql("postgres", &sql);
    };
    rename(&case.live, &other);
    make(&case.live, "theirs");
    let error = case.swap().roll_back(&job()).unwrap_err();
    assert!(error.to_string().contains("not the one that was restored"), "{error}");
    assert_eq!(
        (answer(&case.live).as_str(), answer(&case.old).as_str()),
        ("theirs", "old")
    );
    let theirs = Postgres::shared().database(&format!("{}_theirs", case.live.name));
    rename(&case.live, &theirs);

    let error = case.swap().discard_old(&job()).unwrap_err();
    assert!(error.to_string().contains("only one left"), "{error}");
    case.swap().roll_back(&job()).unwrap();
    assert_eq!((answer(&case.live).as_str(), answer(&other).as_str()), ("old", "new"));
}

#[test]
fn a_half_restored_database_goes_with_the_subscriptions_that_it_got() {
    let case = Case::ready();
    case.beside
        .psql("CREATE SUBSCRIPTION elsewhere CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)");
    case.swap().clear_beside(&job()).unwrap();
    assert!(!exists(&case.beside));
}

/// A long session of many short transactions that write.
const BUSY: &str = "DO $$ BEGIN LOOP PERFORM count(*) FROM t; UPDATE t SET state = 'old' WHERE ctid = '(0,1)'; COMMIT;
    END LOOP; END $$";

/// Asks short questions until told to stop, each on a connection of its own, and gives the answers of each state and the
/// longest time without one.
fn ask(live: &Database, until: &AtomicBool, new: &AtomicU32) -> (u32, u32, u32, Duration) {
    let (mut old, mut restored, mut refused) = (0, 0, 0);
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    while !until.load(Ordering::SeqCst) {
        match live.try_psql(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; {WHOLE}; {WHOLE}; COMMIT"
        )) {
            Ok(answer) if answer == "old\n1000\nold\n1000" => old += 1,
            Ok(answer) if answer == "new\n1000\nnew\n1000" => {
                restored += 1;
                new.fetch_add(1, Ordering::SeqCst);
            }
            Ok(answer) => panic!("a mixture: {answer}"),
            Err(_) => {
                refused += 1;
                continue;
            }
        }
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    (old, restored, refused, longest)
}

#[test]
fn busy_clients_see_the_old_or_the_new_and_come_back_by_themselves() {
    let case = Case::ready();
    let live = Arc::new(Postgres::shared().database(&case.live.name));
    let until = AtomicBool::new(false);
    let new = AtomicU32::new(0);
    let written = |database: &Database| database.psql("SELECT count(*) FROM pg_tables WHERE tablename = 'unfinished'");
    // One transaction that would go on for long, with something in it.
    let long = live.clone();
    let long = std::thread::spawn(move || long.try_psql("BEGIN; CREATE TABLE unfinished (); SELECT pg_sleep(600)"));
    let sleeps = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE '%pg_sleep(600)' AND state = 'active'",
        live.name
    );
    let begun = || (Postgres::shared().psql("postgres", &sleeps) == "1").then_some(());
    backup_tests::poll(Duration::from_secs(30), begun).unwrap();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&live, &until, &new))).collect();
        let busy: Vec<_> = (0..2).map(|_| scope.spawn(|| live.try_psql(BUSY))).collect();
        let is_busy = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE 'DO %'",
            live.name
        );
        let begun = || (Postgres::shared().psql("postgres", &is_busy) == "2").then_some(());
        backup_tests::poll(Duration::from_secs(30), begun).unwrap();

        let swapped = case.swap().swap(&job());
        let answered = backup_tests::poll(Duration::from_secs(30), || {
            (new.load(Ordering::SeqCst) > 20).then_some(())
        });
        until.store(true, Ordering::SeqCst);
        // Where it failed, they are still there, and would be waited for.
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            live.name
        );
        Postgres::shared().psql("postgres", &end);
        swapped.unwrap();
        assert!(answered.is_some(), "the clients did not come back");
        for client in clients {
            let (old, restored, refused, longest) = client.join().unwrap();
            backup_tests::note(format!(
                "answers: {old} old, {restored} new; {refused} refused; longest time without one {longest:?}"
            ));
        }
        for session in busy {
            assert!(session.join().unwrap().is_err());
        }
    });
    assert!(long.join().unwrap().is_err());
    assert_eq!(case.state(), SWAPPED);
    assert_eq!(
        (answer(&case.live).as_str(), answer(&case.old).as_str()),
        ("new", "old")
    );
    assert_eq!(
        (written(&case.live), written(&case.old)),
        ("0".to_owned(), "0".to_owned())
    );
}
