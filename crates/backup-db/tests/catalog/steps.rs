//! Whatever happens to a schedule, in whatever order, what is always true stays true.

use std::collections::HashSet;

use backup_core::schedule::Schedule;
use backup_core::{BackupId, ScheduleId};
use backup_db::{FiringOutcome, Store};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::fixture::{Catalog, on_both, start};

on_both!(whatever_happens_each_instant_has_one_firing_and_each_firing_its_backup);

const EXPRESSIONS: [&str; 5] = ["0 * * * *", "*/7 * * * *", "30 2 * * *", "15 1,13 * * *", "0 0 29 2 *"];
const ZONES: [&str; 3] = ["UTC", "Australia/Lord_Howe", "America/New_York"];

/// What may happen to a schedule.
#[derive(Debug, Clone)]
enum Step {
    /// Time goes by, or the clock is put back: minutes.
    Clock(i64),
    Fire,
    /// So many schedulers at once.
    FireAtOnce(usize),
    Times(&'static str, &'static str),
    Rename,
    Enable(bool),
    /// Its backup ends.
    Complete,
    Fail,
    Cancel,
    ByHand,
    /// The process dies and another one opens the catalog.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1i64..200).prop_map(Step::Clock),
        1 => (-30i64..0).prop_map(Step::Clock),
        1 => (1_000i64..6_000).prop_map(Step::Clock),
        6 => Just(Step::Fire),
        1 => (2usize..4).prop_map(Step::FireAtOnce),
        2 => (select(&EXPRESSIONS[..]), select(&ZONES[..])).prop_map(|(cron, zone)| Step::Times(cron, zone)),
        1 => Just(Step::Rename),
        1 => any::<bool>().prop_map(Step::Enable),
        3 => Just(Step::Complete),
        1 => Just(Step::Fail),
        2 => Just(Step::Cancel),
        1 => Just(Step::ByHand),
        1 => Just(Step::Reopen),
    ]
}

async fn whatever_happens_each_instant_has_one_firing_and_each_firing_its_backup(catalog: Catalog) {
    let config = Config {
        cases: if catalog.url.starts_with("sqlite") { 60 } else { 15 },
        failure_persistence: None,
        ..Config::default()
    };
    // The same steps in every run.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let tried = block_in_place(|| {
        runner.run(&vec(step(), 1..40), |steps| {
            Handle::current().block_on(try_out(&catalog, steps));
            Ok(())
        })
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
}

async fn try_out(catalog: &Catalog, steps: Vec<Step>) {
    catalog.clock.set(start());
    let id = catalog.hourly().await.id;
    let mut store = catalog.store.clone();
    let mut by_hand = 0;
    for step in steps {
        let before = catalog.schedule(id).await;
        let fires = matches!(step, Step::Fire | Step::FireAtOnce(_));
        match step {
            Step::Clock(minutes) => catalog.clock.advance(TimeDelta::minutes(minutes)),
            Step::Fire => {
                store.fire_due_schedules(10).await.unwrap();
            }
            Step::FireAtOnce(count) => {
                let fired = crate::fixture::at_once(count, |_| {
                    let store = store.clone();
                    async move { store.fire_due_schedules(10).await.unwrap().len() }
                });
                assert!(fired.await.into_iter().sum::<usize>() <= 1);
            }
            Step::Times(cron, zone) => {
                let schedule = Schedule {
                    cron_expression: cron.to_owned(),
                    timezone: zone.to_owned(),
                    ..before.clone()
                };
                store.update_schedule(&before, schedule).await.unwrap();
            }
            Step::Rename => {
                let schedule = Schedule {
                    name: before.name.clone() + "!",
                    ..before.clone()
                };
                let renamed = store.update_schedule(&before, schedule).await.unwrap();
                assert_eq!(renamed.next_run_at, before.next_run_at);
            }
            Step::Enable(is_enabled) => {
                let schedule = Schedule {
                    is_enabled,
                    ..before.clone()
                };
                store.update_schedule(&before, schedule).await.unwrap();
            }
            Step::Complete => end(catalog, &store, None).await,
            Step::Fail => end(catalog, &store, Some("no")).await,
            Step::Cancel => {
                if let Some(backup) = waiting(catalog, id).await {
                    store.cancel_backup(backup).await.unwrap();
                }
            }
            Step::ByHand => by_hand += u64::from(store.trigger_schedule(id, None).await.is_ok()),
            Step::Reopen => store = catalog.another().await,
        }
        check(catalog, &before, fires, by_hand).await;
    }
    catalog.store.delete_schedule(id).await.unwrap();
    catalog.sql("DELETE FROM backups").unwrap();
}

async fn end(catalog: &Catalog, store: &Store, failure: Option<&str>) {
    if store.queue_length(backup_db::JobKind::Backup).await.unwrap().0 > 0 {
        catalog.end_next(failure).await;
    }
}

/// The schedule's backup that waits.
async fn waiting(catalog: &Catalog, id: ScheduleId) -> Option<BackupId> {
    let options = backup_core::list::BackupListOptions {
        status: Some(backup_core::JobStatus::Pending),
        schedule_id: Some(id),
        ..backup_core::list::BackupListOptions::default()
    };
    let mut page = catalog.store.list_backups(&options).await.unwrap();
    assert!(page.backups.len() < 2, "one at a time");
    page.backups.pop().map(|found| found.backup.id)
}

/// What is always true.
async fn check(catalog: &Catalog, before: &Schedule, fires: bool, by_hand: u64) {
    let summary = catalog.store.get_schedule(before.id).await.unwrap().unwrap();
    let (now_is, firings) = (summary.schedule, catalog.firings(before.id).await);
    assert!(fires || now_is.last_run_at == before.last_run_at);
    assert_eq!(now_is.next_run_at.is_some(), now_is.is_enabled, "{now_is:?}");
    let is_at = |at: DateTime<Utc>| firings.iter().any(|firing| firing.scheduled_at == at);
    if let Some(next) = now_is.next_run_at {
        assert!(!is_at(next), "what has fired is next again: {now_is:?}");
    }
    // Behind a clock that was put back, there is what was fired by it before.
    if before.last_run_at <= Some(catalog.clock_now()) {
        assert!(now_is.last_run_at >= before.last_run_at, "{before:?} {now_is:?}");
    }
    assert_eq!(now_is.last_run_at.is_some(), !firings.is_empty());
    assert!(now_is.last_run_at.is_none_or(is_at), "{now_is:?}");
    assert!(
        firings.is_sorted_by(|one, next| one.scheduled_at < next.scheduled_at),
        "{firings:?}"
    );
    let mut backups = HashSet::new();
    for firing in &firings {
        assert_eq!(
            firing.backup_id.is_none(),
            firing.outcome == FiringOutcome::Skipped,
            "{firing:?}"
        );
        if let Some(id) = firing.backup_id {
            assert!(backups.insert(id), "{firings:?}");
            assert_eq!(catalog.backup(id).await.schedule_id, Some(before.id));
        }
    }
    assert_eq!(
        summary.backups,
        backups.len() as u64 + by_hand,
        "a backup that nothing asked for"
    );
    waiting(catalog, before.id).await;
}
