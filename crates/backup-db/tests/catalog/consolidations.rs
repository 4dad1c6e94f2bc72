//! A FULL backup that is made of a chain stands for the same point in time, holds the chain while it is made, and makes nobody
//! believe that something new was saved.

use std::time::Duration;

use backup_core::chain::{ChainLimits, ChainPlan, WantedBackup, plan};
use backup_core::schedule::{Retention, Schedule};
use backup_core::{
    AlertKind, Backup, BackupId, BackupSource, BackupTrigger, BackupType, JobStatus, NewAlert, ScheduleId, Step,
};
use backup_db::{BackupOutcome, CompletedBackup, Error, FiringOutcome, JobPosition};

use crate::deletion::receipt;
use crate::fixture::{Catalog, backup_of, on_both};
use crate::retention::made;

on_both!(
    it_is_dated_as_the_backup_that_it_is_made_of_and_belongs_to_its_schedule,
    what_cannot_be_made_into_a_full_one_is_refused,
    the_chain_is_held_until_it_has_ended,
    nothing_looks_newer_for_it,
    one_that_somebody_asked_for_stays_and_takes_no_place,
    one_that_a_schedule_asked_for_goes_with_the_one_that_it_is_made_of,
    a_failure_is_told_until_a_full_backup_is_made,
    a_schedule_asks_for_one_after_so_many_and_goes_on_meanwhile,
    it_waits_since_it_was_asked_for,
    what_saves_something_new_goes_before_it,
    a_receipt_brings_it_back,
);

/// A schedule that fires each hour, and has a full one made after `every`.
async fn every(catalog: &Catalog, every: Option<u32>) -> ScheduleId {
    let schedule = Schedule {
        consolidate_every: every,
        ..catalog.new_schedule()
    };
    catalog.store.create_schedule(schedule).await.unwrap().id
}

/// A good backup of this schedule, a little after the one before.
async fn next(catalog: &Catalog, schedule: Option<ScheduleId>, base: Option<BackupId>) -> BackupId {
    catalog.advance(10);
    made(catalog, schedule, base).await
}

async fn ask(catalog: &Catalog, of: BackupId) -> Result<Backup, Error> {
    catalog.store.consolidate_backup(of, catalog.id(), None).await
}

/// Brings the next job, which is a consolidation, to its end.
async fn finish(catalog: &Catalog, good: bool) -> BackupId {
    let claimed = catalog.claim().await.unwrap();
    let row = backup_of(&claimed.job);
    assert!(row.consolidated_from.is_some(), "{row:?}");
    let outcome = if good {
        BackupOutcome::Completed(Box::new(CompletedBackup {
            consolidated_from: row.consolidated_from,
            ..catalog.results(1_000)
        }))
    } else {
        BackupOutcome::Failed {
            message: "the storage is full".to_owned(),
        }
    };
    catalog.store.finish_backup(&claimed.lease, outcome).await.unwrap();
    row.id
}

/// What the next incremental backup of the database would build on.
async fn base(catalog: &Catalog) -> ChainPlan {
    let links = catalog
        .store
        .chain_links("default", BackupSource::Database)
        .await
        .unwrap();
    let wanted = WantedBackup {
        backup_type: BackupType::Incremental,
        source: BackupSource::Database,
        key_fingerprint: None,
    };
    let limits = ChainLimits {
        max_weight: 1000,
        ..ChainLimits::default()
    };
    plan(&wanted, &links, limits)
}

async fn it_is_dated_as_the_backup_that_it_is_made_of_and_belongs_to_its_schedule(catalog: Catalog) {
    let schedule = every(&catalog, None).await;
    let full = next(&catalog, Some(schedule), None).await;
    let first = next(&catalog, Some(schedule), Some(full)).await;
    let second = next(&catalog, Some(schedule), Some(first)).await;
    catalog.advance(3_600);
    let asked = ask(&catalog, first).await.unwrap();
    let origin = catalog.backup(first).await;
    assert_eq!(asked.status, JobStatus::Pending);
    assert_eq!(
        (asked.backup_type, asked.trigger),
        (BackupType::Full, BackupTrigger::Manual)
    );
    assert_eq!(
        (
            asked.created_at,
            asked.schedule_id,
            asked.source,
            asked.consolidated_from
        ),
        (origin.created_at, Some(schedule), origin.source, Some(first))
    );
    assert_eq!(finish(&catalog, true).await, asked.id);
    let done = catalog.backup(asked.id).await;
    assert_eq!((done.status, done.base_id), (JobStatus::Completed, None));
    assert_eq!(done.created_at, origin.created_at);
    assert!(done.started_at > Some(origin.created_at), "when the job ran");
    assert_eq!(done.expires_at, None, "somebody asked for it");
    assert_eq!(base(&catalog).await, ChainPlan::On(second), "what is newer is built on");
    // Of what is of the same time, the one that needs no other is built on.
    ask(&catalog, second).await.unwrap();
    let made = finish(&catalog, true).await;
    assert_eq!(base(&catalog).await, ChainPlan::On(made));
}

async fn what_cannot_be_made_into_a_full_one_is_refused(catalog: Catalog) {
    let full = next(&catalog, None, None).await;
    let first = next(&catalog, None, Some(full)).await;
    let second = next(&catalog, None, Some(first)).await;
    assert!(matches!(ask(&catalog, full).await, Err(Error::StandsAlone(id)) if id == full));
    assert!(matches!(ask(&catalog, catalog.id()).await, Err(Error::NotFound { .. })));
    let waiting = ask(&catalog, second).await.unwrap().id;
    assert!(matches!(ask(&catalog, waiting).await, Err(Error::WrongState { .. })));
    let again = ask(&catalog, second).await;
    assert!(matches!(again, Err(Error::BeingConsolidated { id, by }) if (id, by) == (second, waiting)));
    ask(&catalog, first).await.unwrap();
    catalog.store.cancel_backup(waiting).await.unwrap();
    ask(&catalog, second).await.unwrap();
    for _ in 0..2 {
        finish(&catalog, true).await;
    }
    // The storage was found to lack one that it builds on.
    let lost = NewAlert::new(AlertKind::BackupLost, full, "gone");
    catalog.store.raise_alert(lost).await.unwrap();
    let refused = ask(&catalog, second).await;
    assert!(matches!(&refused, Err(Error::Damaged { problem, .. }) if problem.contains(&full.to_string())));
    let subject = full.to_string();
    catalog
        .store
        .resolve_alert(AlertKind::BackupLost, &subject)
        .await
        .unwrap();
    catalog.store.condemn_backup(first, "bits flipped").await.unwrap();
    let refused = ask(&catalog, second).await;
    assert!(matches!(&refused, Err(Error::Damaged { problem, .. }) if problem.contains("bits flipped")));
}

async fn the_chain_is_held_until_it_has_ended(catalog: Catalog) {
    let schedule = every(&catalog, None).await;
    let full = next(&catalog, Some(schedule), None).await;
    let first = next(&catalog, Some(schedule), Some(full)).await;
    let last = next(&catalog, Some(schedule), Some(first)).await;
    let in_use = async |id, cascade| match catalog.store.begin_delete(id, cascade).await {
        Err(Error::InUse { id, jobs }) => (id, jobs),
        other => panic!("{other:?}"),
    };
    let asked = ask(&catalog, last).await.unwrap().id;
    let claimed = catalog.claim().await.unwrap();
    for (id, cascade) in [(last, false), (last, true), (first, true), (full, true)] {
        assert_eq!(
            in_use(id, cascade).await,
            (last, vec![format!("consolidation {asked}")])
        );
    }
    assert!(matches!(
        catalog.store.begin_delete(asked, true).await,
        Err(Error::Running(_))
    ));
    let long = Duration::from_hours(300 * 24);
    catalog
        .store
        .heartbeat(&claimed.lease, JobPosition::new(10, Step::Verify), long)
        .await
        .unwrap();
    catalog.advance(100 * 24 * 3_600);
    made(&catalog, Some(schedule), None).await;
    for _ in 0..100 {
        catalog.advance(24 * 3_600);
        catalog.store.move_retention_clock().await.unwrap();
    }
    assert_eq!(catalog.store.expire_backups(schedule).await.unwrap(), []);
    let done = BackupOutcome::Completed(Box::new(CompletedBackup {
        consolidated_from: Some(last),
        ..catalog.results(1_000)
    }));
    catalog.store.finish_backup(&claimed.lease, done).await.unwrap();
    let gone = catalog.store.begin_delete(full, true).await.unwrap();
    let gone: Vec<BackupId> = gone.iter().map(|backup| backup.id).collect();
    assert_eq!(gone, [last, first, full]);
    let left = catalog.backup(asked).await;
    assert_eq!((left.status, left.deleting), (JobStatus::Completed, false));
}

async fn nothing_looks_newer_for_it(catalog: Catalog) {
    let schedule = every(&catalog, None).await;
    let full = next(&catalog, Some(schedule), None).await;
    let last = next(&catalog, Some(schedule), Some(full)).await;
    let succeeded = catalog.schedule(schedule).await.last_success_at.unwrap();
    catalog.advance(3_600);
    let failed = catalog.fire().await.unwrap().backup.unwrap().id;
    assert_eq!(catalog.end_next(Some("no disk")).await, failed);
    catalog.store.condemn_backup(full, "bits flipped").await.unwrap();
    // It was asked for before.
    catalog.sql("UPDATE backups SET verify_error = NULL").unwrap();
    ask(&catalog, last).await.unwrap();
    let made = finish(&catalog, true).await;
    assert_eq!(catalog.schedule(schedule).await.last_success_at, Some(succeeded));
    assert!(catalog.open_alert(AlertKind::BackupFailed).await.is_some());
    assert!(catalog.open_alert(AlertKind::ChainBroken).await.is_some());
    let newest = async || {
        catalog
            .store
            .overview()
            .await
            .unwrap()
            .last_successful
            .unwrap()
            .backup
            .id
    };
    assert_eq!(newest().await, last);
    catalog.store.begin_delete(full, true).await.unwrap();
    assert_eq!(newest().await, made);
}

/// A schedule that keeps so many, and has a full one made after `every`.
async fn keeping(catalog: &Catalog, max_backups: u32, every: Option<u32>) -> ScheduleId {
    let schedule = Schedule {
        is_enabled: false,
        retention: Retention {
            max_backups,
            ..Retention::default()
        },
        consolidate_every: every,
        ..catalog.new_schedule()
    };
    catalog.store.create_schedule(schedule).await.unwrap().id
}

async fn expire(catalog: &Catalog, schedule: ScheduleId) -> Vec<BackupId> {
    let gone = catalog.store.expire_backups(schedule).await.unwrap();
    gone.iter().map(|backup| backup.id).collect()
}

async fn one_that_somebody_asked_for_stays_and_takes_no_place(catalog: Catalog) {
    let schedule = keeping(&catalog, 2, None).await;
    let full = next(&catalog, Some(schedule), None).await;
    let first = next(&catalog, Some(schedule), Some(full)).await;
    for _ in 0..2 {
        next(&catalog, Some(schedule), None).await;
    }
    ask(&catalog, first).await.unwrap();
    let by_hand = finish(&catalog, true).await;
    // By a program that asks no catalog, and back from its receipt.
    let receipt = backup_core::Receipt {
        trigger: BackupTrigger::Manual,
        source: BackupSource::Database,
        schedule_id: Some(schedule),
        created_at: catalog.backup(first).await.created_at,
        consolidated_from: Some(first),
        ..receipt(&catalog, catalog.id(), None)
    };
    let from_storage = catalog.store.adopt_backup(&receipt).await.unwrap();
    assert_eq!(
        (from_storage.schedule_id, from_storage.expires_at),
        (Some(schedule), None)
    );
    assert_eq!(expire(&catalog, schedule).await, [first, full], "of four that it made");
    catalog.advance(40 * 24 * 3_600);
    for _ in 0..40 {
        catalog.store.move_retention_clock().await.unwrap();
    }
    next(&catalog, Some(schedule), None).await;
    expire(&catalog, schedule).await;
    for id in [by_hand, from_storage.id] {
        let left = catalog.backup(id).await;
        assert_eq!((left.deleting, left.expires_at), (false, None));
    }
    // An earlier version said when they would go.
    catalog.sql("UPDATE backups SET expires_at = created_at").unwrap();
    expire(&catalog, schedule).await;
    assert_eq!(catalog.backup(by_hand).await.expires_at, None);
}

async fn one_that_a_schedule_asked_for_goes_with_the_one_that_it_is_made_of(catalog: Catalog) {
    let schedule = keeping(&catalog, 2, Some(1)).await;
    let full = next(&catalog, Some(schedule), None).await;
    let first = next(&catalog, Some(schedule), Some(full)).await;
    let of_first = finish(&catalog, true).await;
    let second = next(&catalog, Some(schedule), Some(of_first)).await;
    let of_second = finish(&catalog, true).await;
    assert!(catalog.backup(of_second).await.expires_at.is_some());
    assert_eq!(expire(&catalog, schedule).await, [], "two points in time are kept");
    let third = next(&catalog, Some(schedule), Some(of_second)).await;
    let of_third = finish(&catalog, true).await;
    assert_eq!(
        expire(&catalog, schedule).await,
        [first, full],
        "the one that was made of it is still built on"
    );
    for id in [of_first, second, of_second, third, of_third] {
        assert!(!catalog.backup(id).await.deleting);
    }
}

async fn a_failure_is_told_until_a_full_backup_is_made(catalog: Catalog) {
    let schedule = every(&catalog, None).await;
    let full = next(&catalog, Some(schedule), None).await;
    let last = next(&catalog, Some(schedule), Some(full)).await;
    catalog.advance(60);
    ask(&catalog, last).await.unwrap();
    finish(&catalog, false).await;
    assert_eq!(
        catalog.open_alert(AlertKind::BackupFailed).await,
        None,
        "nothing is lost"
    );
    let alert = catalog.open_alert(AlertKind::ConsolidationFailed).await.unwrap();
    assert_eq!(alert.subject, schedule.to_string());
    assert!(alert.message.contains("the storage is full"), "{}", alert.message);
    next(&catalog, Some(schedule), Some(last)).await;
    assert!(catalog.open_alert(AlertKind::ConsolidationFailed).await.is_some());
    ask(&catalog, last).await.unwrap();
    finish(&catalog, true).await;
    assert_eq!(catalog.open_alert(AlertKind::ConsolidationFailed).await, None);
}

async fn a_schedule_asks_for_one_after_so_many_and_goes_on_meanwhile(catalog: Catalog) {
    let schedule = every(&catalog, Some(2)).await;
    let full = next(&catalog, Some(schedule), None).await;
    let first = next(&catalog, Some(schedule), Some(full)).await;
    assert_eq!(catalog.claim().await, None, "one is not enough");
    let second = next(&catalog, Some(schedule), Some(first)).await;
    // While it is made, the schedule fires as ever, and what is made then builds on the chain.
    let taken = catalog.claim().await.unwrap();
    assert_eq!(backup_of(&taken.job).consolidated_from, Some(second));
    catalog.advance(3_600);
    let fired = catalog.fire().await.unwrap();
    assert_ne!(fired.firing.outcome, FiringOutcome::Skipped);
    let by_hand = catalog.store.trigger_schedule(schedule, None).await;
    assert!(
        matches!(by_hand, Err(Error::StillRunning { .. })),
        "of the one that was fired"
    );
    // An hour without a sign of life: it goes on with whoever takes it over.
    let made = finish(&catalog, true).await;
    let row = catalog.backup(made).await;
    assert_eq!(
        (row.consolidated_from, row.trigger),
        (Some(second), BackupTrigger::Scheduled)
    );
    assert_eq!(base(&catalog).await, ChainPlan::On(made));
    let claimed = catalog.claim().await.unwrap();
    catalog
        .store
        .set_base(&claimed.lease, BackupType::Incremental, Some(made))
        .await
        .unwrap();
    let done = CompletedBackup {
        backup_type: BackupType::Incremental,
        base_id: Some(made),
        ..catalog.results(1_000)
    };
    let done = BackupOutcome::Completed(Box::new(done));
    catalog.store.finish_backup(&claimed.lease, done).await.unwrap();
    assert_eq!(catalog.claim().await, None, "it begins to count anew");
    let third = backup_of(&claimed.job).id;
    let fourth = next(&catalog, Some(schedule), Some(third)).await;
    // What failed is tried again after the next one, and only one at a time.
    finish(&catalog, false).await;
    let fifth = next(&catalog, Some(schedule), Some(fourth)).await;
    let again = catalog.claim().await.unwrap();
    assert_eq!(backup_of(&again.job).consolidated_from, Some(fifth));
    next(&catalog, Some(schedule), Some(fifth)).await;
    assert_eq!(catalog.claim().await, None);
}

async fn it_waits_since_it_was_asked_for(catalog: Catalog) {
    let full = next(&catalog, None, None).await;
    let last = next(&catalog, None, Some(full)).await;
    catalog.advance(3_600);
    let asked = ask(&catalog, last).await.unwrap().id;
    let fail = async || {
        let patience = Duration::from_mins(1);
        catalog.store.fail_waiting("no key", patience).await.unwrap()
    };
    assert_eq!(fail().await, 0);
    catalog.advance(61);
    assert_eq!(fail().await, 1);
    assert_eq!(catalog.backup(asked).await.status, JobStatus::Failed);
}

async fn what_saves_something_new_goes_before_it(catalog: Catalog) {
    let full = next(&catalog, None, None).await;
    let last = next(&catalog, None, Some(full)).await;
    // Asked for first, and dated long before.
    let copy = ask(&catalog, last).await.unwrap().id;
    catalog.advance(3_600);
    let new = catalog.store.create_backup(catalog.new_backup()).await.unwrap().id;
    let mut taken = Vec::new();
    while let Some(claimed) = catalog.claim().await {
        taken.push(backup_of(&claimed.job).id);
    }
    assert_eq!(taken, [new, copy]);
}

async fn a_receipt_brings_it_back(catalog: Catalog) {
    let origin = catalog.id();
    let found = backup_core::Receipt {
        consolidated_from: Some(origin),
        ..receipt(&catalog, catalog.id(), None)
    };
    let adopted = catalog.store.adopt_backup(&found).await.unwrap();
    assert_eq!(adopted.consolidated_from, Some(origin));
}
