//! A schedule's new backups are handed over to be verified as its policy says, and what came of it is remembered.

use std::time::Duration;

use backup_core::VerifyLevel;
use backup_core::alert::AlertKind;
use backup_core::schedule::{Schedule, VerifyPolicy, VerifyWhen};
use backup_db::{JobKind, NewVerification, VerificationOutcome};

use crate::fixture::{Catalog, on_both};
use crate::people::admin;

on_both!(
    each_new_backup_is_verified_where_the_schedule_says_so,
    a_weekly_drill_takes_one_backup_a_week,
    a_drill_that_could_not_run_is_made_up_for,
    a_drill_that_nobody_could_take_up_is_made_up_for,
    a_passed_drill_is_remembered_on_the_schedule,
    what_a_drill_found_is_not_refuted_by_less,
    all_drilled_schedules_are_gone_through,
    a_verification_in_the_future_is_none,
);

const HOUR: i64 = 3600;

async fn schedule(catalog: &Catalog, when: VerifyWhen) -> Schedule {
    let mut schedule = catalog.new_schedule();
    schedule.verification = VerifyPolicy {
        when,
        level: VerifyLevel::Content,
        percent: 50,
    };
    let made = catalog.store.create_schedule(schedule.clone()).await.unwrap();
    assert_eq!(made.verification, schedule.verification);
    made
}

async fn waiting(catalog: &Catalog) -> u64 {
    catalog.store.queue_length(JobKind::Verification).await.unwrap().0
}

/// Fires the schedule and makes its backup.
async fn made(catalog: &Catalog) -> backup_core::BackupId {
    catalog.advance(HOUR);
    catalog.fire().await.unwrap();
    catalog.end_next(None).await
}

async fn verify(catalog: &Catalog, outcome: VerificationOutcome) {
    let claimed = catalog.claim().await.unwrap();
    assert_eq!(claimed.lease.kind, JobKind::Verification);
    catalog
        .store
        .finish_verification(&claimed.lease, outcome)
        .await
        .unwrap();
}

async fn each_new_backup_is_verified_where_the_schedule_says_so(catalog: Catalog) {
    schedule(&catalog, VerifyWhen::Each).await;
    let good = made(&catalog).await;
    let asked = catalog.store.verifications_of(good, 10).await.unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].level, asked[0].created_by), (VerifyLevel::Content, None));
    verify(&catalog, VerificationOutcome::Passed).await;
    catalog.advance(HOUR);
    catalog.fire().await.unwrap();
    catalog.end_next(Some("no")).await;
    assert_eq!(waiting(&catalog).await, 0, "a failed backup is verified");
}

async fn a_weekly_drill_takes_one_backup_a_week(catalog: Catalog) {
    schedule(&catalog, VerifyWhen::Weekly).await;
    let mut drills = 0;
    for _ in 0..2 * 7 * 24 {
        made(&catalog).await;
        if waiting(&catalog).await > 0 {
            drills += 1;
            verify(&catalog, VerificationOutcome::Passed).await;
        }
    }
    assert!((2..=3).contains(&drills), "{drills} in two weeks");
}

async fn a_drill_that_could_not_run_is_made_up_for(catalog: Catalog) {
    schedule(&catalog, VerifyWhen::Monthly).await;
    made(&catalog).await;
    let away = || VerificationOutcome::Failed {
        message: "the server is recovering".to_owned(),
    };
    verify(&catalog, away()).await;
    let second = made(&catalog).await;
    assert_eq!(waiting(&catalog).await, 1, "the next one in a month");
    verify(&catalog, VerificationOutcome::Passed).await;
    // What somebody asked for by hand is not the schedule's.
    let new = NewVerification {
        id: catalog.id(),
        backup_id: second,
        level: VerifyLevel::Content,
        created_by: Some(admin(&catalog, "someone@example.org").await),
    };
    catalog.store.create_verification(new).await.unwrap();
    verify(&catalog, away()).await;
    made(&catalog).await;
    assert_eq!(waiting(&catalog).await, 0);
}

async fn a_drill_that_nobody_could_take_up_is_made_up_for(catalog: Catalog) {
    schedule(&catalog, VerifyWhen::Monthly).await;
    made(&catalog).await;
    assert_eq!(waiting(&catalog).await, 1);
    let failed = catalog.store.fail_waiting("no key", Duration::ZERO).await.unwrap();
    assert_eq!((failed, waiting(&catalog).await), (1, 0));
    made(&catalog).await;
    assert_eq!(waiting(&catalog).await, 1, "the next one in a month");
}

async fn a_passed_drill_is_remembered_on_the_schedule(catalog: Catalog) {
    let id = schedule(&catalog, VerifyWhen::Each).await.id;
    let good = made(&catalog).await;
    let problem = VerificationOutcome::Found {
        problem: "rows are missing".to_owned(),
        in_base: None,
    };
    verify(&catalog, problem).await;
    assert_eq!(catalog.schedule(id).await.last_verify_passed_at, None);
    let drilled = catalog.store.drilled_schedules(None, 10).await.unwrap();
    assert_eq!(drilled.iter().map(|schedule| schedule.id).collect::<Vec<_>>(), [id]);
    for (level, remembered) in [
        (VerifyLevel::Checksum, None),
        (VerifyLevel::Restore, Some(catalog.clock_now())),
    ] {
        let new = NewVerification {
            id: catalog.id(),
            backup_id: good,
            level,
            created_by: None,
        };
        catalog.store.create_verification(new).await.unwrap();
        verify(&catalog, VerificationOutcome::Passed).await;
        assert_eq!(catalog.schedule(id).await.last_verify_passed_at, remembered, "{level}");
    }
}

async fn what_a_drill_found_is_not_refuted_by_less(catalog: Catalog) {
    let good = catalog.completed(None).await;
    let check = async |level: VerifyLevel, problem: Option<&str>| {
        let new = NewVerification {
            id: catalog.id(),
            backup_id: good,
            level,
            created_by: None,
        };
        catalog.store.create_verification(new).await.unwrap();
        let outcome = problem.map_or(VerificationOutcome::Passed, |problem| VerificationOutcome::Found {
            problem: problem.to_owned(),
            in_base: None,
        });
        verify(&catalog, outcome).await;
        let row = catalog.backup(good).await;
        let is_told = catalog.open_alert(AlertKind::VerificationFailed).await.is_some();
        (row.verify_level.unwrap(), row.verify_error, is_told)
    };
    let (restore, found) = (VerifyLevel::Restore, Some("rows are missing"));
    let broken = (restore, found.map(str::to_owned), true);
    assert_eq!(check(restore, found).await, broken);
    // Its bytes are the ones that were written, and do not restore.
    assert_eq!(check(VerifyLevel::Checksum, None).await, broken);
    assert_eq!(check(VerifyLevel::Content, None).await, broken);
    // Nor does finding more with less make less enough.
    let worse = Some("a byte is wrong");
    let broken = (restore, worse.map(str::to_owned), true);
    assert_eq!(check(VerifyLevel::Checksum, worse).await, broken);
    assert_eq!(check(VerifyLevel::Content, None).await, broken);
    assert_eq!(check(restore, None).await, (restore, None, false));
    assert_eq!(
        check(VerifyLevel::Content, None).await,
        (VerifyLevel::Content, None, false)
    );
}

async fn all_drilled_schedules_are_gone_through(catalog: Catalog) {
    let mut made = Vec::new();
    for when in [
        VerifyWhen::Weekly,
        VerifyWhen::Never,
        VerifyWhen::Each,
        VerifyWhen::Monthly,
    ] {
        let id = schedule(&catalog, when).await.id;
        if when != VerifyWhen::Never {
            made.push(id);
        }
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = catalog.store.drilled_schedules(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        found.extend(page.iter().map(|schedule| schedule.id));
    }
    made.sort_by_key(ToString::to_string);
    assert_eq!(found, made);
}

async fn a_verification_in_the_future_is_none(catalog: Catalog) {
    let right = catalog.clock_now();
    let mut newest = Vec::new();
    for ahead in [0, 365 * 24 * HOUR] {
        let new = NewVerification {
            id: catalog.id(),
            backup_id: catalog.completed(None).await,
            level: VerifyLevel::Content,
            created_by: None,
        };
        catalog.advance(ahead);
        catalog.store.create_verification(new).await.unwrap();
        verify(&catalog, VerificationOutcome::Passed).await;
        let age = catalog.store.verification_age("default").await.unwrap();
        newest.push(age.newest_verification);
    }
    assert_eq!(newest, [Some(right), Some(catalog.clock_now())]);
    catalog.clock.set(right);
    let age = catalog.store.verification_age("default").await.unwrap();
    assert_eq!(age.newest_verification, Some(right), "of the clock that was ahead");
}
