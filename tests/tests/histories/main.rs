//! Random histories: a database and a tree change in every way, backups of all types and sources build on each other, are
//! made by hand, by schedules, two at once and by workers that are killed, and go by retention and by hand. What is left is
//! exactly what should be, and each of it brings back what was there at its time.
//!
//! A failure shows what happened. `BACKUP_SOAK_SEED` brings it back, `BACKUP_HISTORY_STEPS=12` ends it earlier or later, and
//! `BACKUP_HISTORY_SKIP=3,7` leaves steps out: each rolls dice of its own. `BACKUP_HISTORY_MINUTES` goes on for so long with
//! ever new histories.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod history;
mod model;

use std::time::{Duration, Instant};

use backup_tests::dice;
use backup_tests::system::System;

use crate::history::History;

/// Steps of a history that is not asked to be longer.
const STEPS: u64 = 16;

#[test]
fn every_point_of_a_random_history_comes_back_with_sqlite_and_a_folder() {
    histories(System::embedded, 0);
}

#[test]
fn every_point_of_a_random_history_comes_back_with_postgresql_and_azure() {
    histories(System::services, u64::MAX);
}

/// `salt` makes other histories of the same seed.
fn histories(system: fn() -> System, salt: u64) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let steps = number("BACKUP_HISTORY_STEPS").unwrap_or(STEPS);
    let end = Instant::now() + Duration::from_mins(number("BACKUP_HISTORY_MINUTES").unwrap_or(0));
    let skipped = std::env::var("BACKUP_HISTORY_SKIP").unwrap_or_default();
    let mut seed = dice::seed();
    loop {
        let mut history = History::begin(system(), seed ^ salt);
        for step in (1..=steps).filter(|step| !skipped.split(',').any(|skipped| skipped == step.to_string())) {
            history.step(step);
        }
        history.end();
        if Instant::now() >= end {
            break;
        }
        seed = seed.wrapping_add(1);
        backup_tests::note(format!("the next one: BACKUP_SOAK_SEED={seed:x}"));
    }
}
