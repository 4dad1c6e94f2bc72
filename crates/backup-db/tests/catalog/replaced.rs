//! A restore waits for its safety backup, its worker's successor knows what stands where, and what was replaced ends once.

use backup_core::restore::{
    ReplacedDatabase, Replacement, ReplacementStage, RestoreAction, RestoreMode, RestoreOptions, RestoreRecord,
};
use backup_core::{BackupSource, BackupTrigger, JobStatus, Receipt, RestoreId};
use backup_db::{BackupOutcome, ClaimedJob, Error, Job, NewRestore, RestoreOutcome};
use chrono::TimeDelta;

use crate::deletion::receipt;
use crate::fixture::{Catalog, on_both};

on_both!(
    a_restore_waits_for_the_end_of_its_safety_backup,
    a_restore_whose_safety_backup_fails_is_handed_out_too,
    a_successor_knows_what_stands_where,
    who_was_asked_to_stop_does_not_begin_to_swap,
    what_was_replaced_is_put_back_or_removed_but_not_both,
    what_could_not_be_put_back_is_still_kept,
    what_was_kept_for_long_enough_is_removed_and_a_failure_tried_again_later,
    a_clock_that_leaps_removes_nothing_that_is_kept,
    what_a_failed_restore_left_beside_is_removed,
    a_restore_that_replaced_nothing_has_nothing_to_end,
    what_has_begun_to_swap_is_finished_and_not_cancelled,
    what_was_removed_in_part_is_no_state_to_go_back_to,
    what_somebody_tried_to_put_back_is_not_removed_by_time,
    one_restore_at_a_time_has_a_place,
    a_safety_backup_stays_while_its_restore_can_be_taken_back,
);

pub(crate) fn replace() -> RestoreOptions {
    RestoreOptions {
        restore_database: true,
        restore_files: true,
        restore_config: true,
        target_database: None,
        target_dir: None,
        mode: RestoreMode::Replace,
        paths: Vec::new(),
        tables: Vec::new(),
        safety_backup: true,
        skip_owner: true,
        skip_tablespaces: true,
        keep_old_hours: 5,
    }
}

async fn asked(catalog: &Catalog) -> RestoreRecord {
    let new = NewRestore {
        id: catalog.id(),
        backup_id: catalog.completed(None).await,
        options: replace(),
        created_by: None,
    };
    catalog.store.create_restore(new).await.unwrap()
}

fn restore_of(claimed: &ClaimedJob) -> &RestoreRecord {
    match &claimed.job {
        Job::Restore(record) => record,
        other => panic!("{other:?}"),
    }
}

async fn get(catalog: &Catalog, id: RestoreId) -> RestoreRecord {
    catalog.store.get_restore(id).await.unwrap().unwrap()
}

fn replacement(catalog: &Catalog, id: RestoreId, stage: ReplacementStage) -> Replacement {
    Replacement {
        stage,
        database: Some(ReplacedDatabase::of("shop", id)),
        files: None,
        kept_until: (stage == ReplacementStage::Kept).then(|| catalog.clock_now() + TimeDelta::hours(5)),
    }
}

/// A restore that has replaced something, and keeps it for five hours.
async fn kept(catalog: &Catalog) -> RestoreId {
    let id = asked(catalog).await.id;
    let claimed = catalog.claim().await.unwrap();
    let outcome = RestoreOutcome::Completed {
        replacement: Some(replacement(catalog, id, ReplacementStage::Kept)),
        warnings: Vec::new(),
    };
    catalog.store.finish_restore(&claimed.lease, outcome).await.unwrap();
    id
}

async fn wait_for_safety(catalog: &Catalog) -> RestoreId {
    let id = asked(catalog).await.id;
    let claimed = catalog.claim().await.unwrap();
    let mut new = catalog.new_backup();
    new.trigger = BackupTrigger::PreRestore;
    catalog.store.wait_for_safety_backup(&claimed.lease, new).await.unwrap();
    id
}

async fn a_restore_waits_for_the_end_of_its_safety_backup(catalog: Catalog) {
    let id = wait_for_safety(&catalog).await;
    let backup = catalog.claim().await.unwrap();
    assert!(
        matches!(&backup.job, Job::Backup(row) if row.trigger == BackupTrigger::PreRestore),
        "{backup:?}"
    );
    assert!(
        catalog.claim().await.is_none(),
        "the restore runs beside its safety backup"
    );
    let done = BackupOutcome::Completed(Box::new(catalog.results(1_000)));
    catalog.store.finish_backup(&backup.lease, done).await.unwrap();
    let claimed = catalog.claim().await.unwrap();
    let record = restore_of(&claimed);
    assert_eq!((record.id, record.attempts), (id, 1), "waiting is no attempt");
    assert_eq!(record.safety_backup_id.unwrap().to_string(), backup.lease.id);
    assert_eq!(record.options, replace());
}

async fn a_restore_whose_safety_backup_fails_is_handed_out_too(catalog: Catalog) {
    let id = wait_for_safety(&catalog).await;
    catalog.end_next(Some("the disk is full")).await;
    assert_eq!(restore_of(&catalog.claim().await.unwrap()).id, id);
}

async fn a_successor_knows_what_stands_where(catalog: Catalog) {
    let id = asked(&catalog).await.id;
    let claimed = catalog.claim().await.unwrap();
    for stage in [ReplacementStage::Beside, ReplacementStage::Swapping] {
        let stands = replacement(&catalog, id, stage);
        assert!(catalog.store.set_replacement(&claimed.lease, &stands).await.unwrap());
    }
    catalog.advance(61);
    let successor = catalog.claim().await.unwrap();
    assert!(successor.taken_over);
    assert_eq!(
        restore_of(&successor).replacement,
        Some(replacement(&catalog, id, ReplacementStage::Swapping))
    );
    let late = replacement(&catalog, id, ReplacementStage::Beside);
    let refused = catalog.store.set_replacement(&claimed.lease, &late).await.unwrap_err();
    assert!(matches!(refused, Error::LeaseLost { .. }), "{refused}");
    assert_eq!(get(&catalog, id).await.replacement, restore_of(&successor).replacement);
}

async fn who_was_asked_to_stop_does_not_begin_to_swap(catalog: Catalog) {
    let id = asked(&catalog).await.id;
    let claimed = catalog.claim().await.unwrap();
    let beside = replacement(&catalog, id, ReplacementStage::Beside);
    catalog.store.set_replacement(&claimed.lease, &beside).await.unwrap();
    catalog.store.cancel_restore(id).await.unwrap();
    let swapping = replacement(&catalog, id, ReplacementStage::Swapping);
    assert!(!catalog.store.set_replacement(&claimed.lease, &swapping).await.unwrap());
    assert_eq!(get(&catalog, id).await.replacement, Some(beside));
}

async fn end(catalog: &Catalog, of: RestoreId, action: RestoreAction) -> Result<RestoreRecord, Error> {
    catalog.store.end_replacement(of, action, None).await
}

async fn what_was_replaced_is_put_back_or_removed_but_not_both(catalog: Catalog) {
    for (action, stage) in [
        (RestoreAction::RollBack, ReplacementStage::RolledBack),
        (RestoreAction::Discard, ReplacementStage::Discarded),
    ] {
        let id = kept(&catalog).await;
        // The end of it needs no backup: it may be gone by then.
        let ending = end(&catalog, id, action).await.unwrap();
        assert_eq!((ending.action, ending.of_restore_id), (action, Some(id)));
        let names = |replacement: Option<Replacement>| replacement.unwrap().database;
        assert_eq!(names(ending.replacement), names(get(&catalog, id).await.replacement));
        for other in [RestoreAction::RollBack, RestoreAction::Discard] {
            let refused = end(&catalog, id, other).await.unwrap_err();
            assert!(matches!(refused, Error::NothingKept(_)), "{refused}");
        }
        let claimed = catalog.claim().await.unwrap();
        assert_eq!(restore_of(&claimed).id, ending.id);
        let done = RestoreOutcome::Completed {
            replacement: None,
            warnings: Vec::new(),
        };
        catalog.store.finish_restore(&claimed.lease, done).await.unwrap();
        let ended = get(&catalog, id).await;
        assert_eq!(ended.status, JobStatus::Completed);
        let left = ended.replacement.unwrap();
        assert_eq!((left.stage, left.kept_until), (stage, None));
        let refused = end(&catalog, id, action).await.unwrap_err();
        assert!(matches!(refused, Error::NothingKept(_)), "{refused}");
    }
}

async fn what_could_not_be_put_back_is_still_kept(catalog: Catalog) {
    let id = kept(&catalog).await;
    end(&catalog, id, RestoreAction::RollBack).await.unwrap();
    let claimed = catalog.claim().await.unwrap();
    let failed = RestoreOutcome::Failed {
        message: "the server is away".to_owned(),
    };
    catalog.store.finish_restore(&claimed.lease, failed).await.unwrap();
    assert_eq!(
        get(&catalog, id).await.replacement.unwrap().stage,
        ReplacementStage::Kept
    );
    end(&catalog, id, RestoreAction::RollBack).await.unwrap();
}

async fn what_was_kept_for_long_enough_is_removed_and_a_failure_tried_again_later(catalog: Catalog) {
    let id = kept(&catalog).await;
    catalog.advance(5 * 3600 - 1);
    assert!(catalog.store.discard_expired().await.unwrap().is_empty());
    catalog.advance(1);
    assert_eq!(catalog.store.discard_expired().await.unwrap(), [id]);
    assert!(
        catalog.store.discard_expired().await.unwrap().is_empty(),
        "asked for twice"
    );
    let claimed = catalog.claim().await.unwrap();
    assert_eq!(restore_of(&claimed).action, RestoreAction::Discard);
    let failed = RestoreOutcome::Failed {
        message: "the server is away".to_owned(),
    };
    catalog.store.finish_restore(&claimed.lease, failed).await.unwrap();
    assert!(
        catalog.store.discard_expired().await.unwrap().is_empty(),
        "no rest after a failure"
    );
    catalog.advance(3601);
    assert_eq!(catalog.store.discard_expired().await.unwrap(), [id]);
}

async fn a_clock_that_leaps_removes_nothing_that_is_kept(catalog: Catalog) {
    let id = asked(&catalog).await.id;
    let until = catalog.clock_now() + TimeDelta::days(3);
    let replacement = Some(Replacement {
        kept_until: Some(until),
        ..replacement(&catalog, id, ReplacementStage::Kept)
    });
    let kept = RestoreOutcome::Completed {
        replacement,
        warnings: Vec::new(),
    };
    finish(&catalog, kept).await;
    catalog.store.move_retention_clock().await.unwrap();
    catalog.advance(3_650 * 24 * 3_600);
    // Retention believes such a clock a day more each time, which is soon longer than anything is kept.
    for _ in 0..10 {
        assert!(catalog.store.discard_expired().await.unwrap().is_empty());
        catalog.store.move_retention_clock().await.unwrap();
    }
    catalog.clock.set(until - TimeDelta::seconds(1));
    assert!(catalog.store.discard_expired().await.unwrap().is_empty());
    catalog.advance(1);
    assert_eq!(catalog.store.discard_expired().await.unwrap(), [id]);
}

async fn what_a_failed_restore_left_beside_is_removed(catalog: Catalog) {
    let failed = || RestoreOutcome::Failed {
        message: "the server is away".to_owned(),
    };
    let asked_for = async || catalog.store.discard_expired().await.unwrap();
    for is_cancelled in [false, true] {
        let id = asked(&catalog).await.id;
        let claimed = catalog.claim().await.unwrap();
        let beside = replacement(&catalog, id, ReplacementStage::Beside);
        catalog.store.set_replacement(&claimed.lease, &beside).await.unwrap();
        assert_eq!(asked_for().await, [], "it is at work");
        if is_cancelled {
            catalog.store.release(&claimed.lease).await.unwrap();
            catalog.store.cancel_restore(id).await.unwrap();
        } else {
            catalog.store.finish_restore(&claimed.lease, failed()).await.unwrap();
        }
        for pause in [3_601, 25 * 3_600] {
            assert_eq!(asked_for().await, [id]);
            assert_eq!(asked_for().await, [], "asked for twice");
            let claimed = catalog.claim().await.unwrap();
            let record = restore_of(&claimed);
            assert_eq!(
                (record.action, record.replacement.as_ref()),
                (RestoreAction::Discard, Some(&beside))
            );
            catalog.store.finish_restore(&claimed.lease, failed()).await.unwrap();
            assert_eq!(asked_for().await, [], "no rest after a failure");
            catalog.advance(pause);
        }
        // After a day it is tried once a day.
        assert_eq!(asked_for().await, [id]);
        finish(&catalog, failed()).await;
        catalog.advance(3_601);
        assert_eq!(asked_for().await, []);
        catalog.advance(23 * 3_600);
        assert_eq!(asked_for().await, [id]);
        let done = RestoreOutcome::Completed {
            replacement: None,
            warnings: Vec::new(),
        };
        finish(&catalog, done).await;
        assert_eq!(get(&catalog, id).await.replacement, None);
        catalog.advance(25 * 3_600);
        assert_eq!(asked_for().await, []);
    }
    // What it removed itself is not asked for.
    let id = asked(&catalog).await.id;
    let claimed = catalog.claim().await.unwrap();
    let beside = replacement(&catalog, id, ReplacementStage::Beside);
    catalog.store.set_replacement(&claimed.lease, &beside).await.unwrap();
    catalog.store.forget_replacement(&claimed.lease).await.unwrap();
    catalog.store.finish_restore(&claimed.lease, failed()).await.unwrap();
    assert_eq!(asked_for().await, []);
}

async fn a_restore_that_replaced_nothing_has_nothing_to_end(catalog: Catalog) {
    let id = asked(&catalog).await.id;
    let refused = end(&catalog, id, RestoreAction::RollBack).await.unwrap_err();
    assert!(matches!(refused, Error::NothingKept(_)), "{refused}");
    let unknown = end(&catalog, catalog.id(), RestoreAction::Discard).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound { .. }), "{unknown}");
}

async fn what_has_begun_to_swap_is_finished_and_not_cancelled(catalog: Catalog) {
    let id = asked(&catalog).await.id;
    let claimed = catalog.claim().await.unwrap();
    let swapping = replacement(&catalog, id, ReplacementStage::Swapping);
    catalog.store.set_replacement(&claimed.lease, &swapping).await.unwrap();
    let refused = catalog.store.cancel_restore(id).await.unwrap_err();
    assert!(matches!(refused, Error::WrongState { .. }), "{refused}");
    // Nor while it waits for the next attempt.
    catalog.store.release(&claimed.lease).await.unwrap();
    let refused = catalog.store.cancel_restore(id).await.unwrap_err();
    assert!(matches!(refused, Error::WrongState { .. }), "{refused}");
    assert_eq!(get(&catalog, id).await.status, JobStatus::Pending);
    // An exchange that could not be finished may be taken back by people.
    let claimed = catalog.claim().await.unwrap();
    let failed = RestoreOutcome::Failed {
        message: "the server is gone".to_owned(),
    };
    catalog.store.finish_restore(&claimed.lease, failed).await.unwrap();
    assert!(end(&catalog, id, RestoreAction::Discard).await.is_err());
    end(&catalog, id, RestoreAction::RollBack).await.unwrap();
}

async fn what_was_removed_in_part_is_no_state_to_go_back_to(catalog: Catalog) {
    let id = kept(&catalog).await;
    end(&catalog, id, RestoreAction::Discard).await.unwrap();
    let claimed = catalog.claim().await.unwrap();
    let failed = RestoreOutcome::Failed {
        message: "a file cannot be removed".to_owned(),
    };
    catalog.store.finish_restore(&claimed.lease, failed).await.unwrap();
    let refused = end(&catalog, id, RestoreAction::RollBack).await.unwrap_err();
    assert!(matches!(refused, Error::NothingKept(_)), "{refused}");
    end(&catalog, id, RestoreAction::Discard).await.unwrap();
}

async fn what_somebody_tried_to_put_back_is_not_removed_by_time(catalog: Catalog) {
    let id = kept(&catalog).await;
    end(&catalog, id, RestoreAction::RollBack).await.unwrap();
    let claimed = catalog.claim().await.unwrap();
    let failed = RestoreOutcome::Failed {
        message: "a slot is in the way".to_owned(),
    };
    catalog.store.finish_restore(&claimed.lease, failed).await.unwrap();
    catalog.advance(30 * 24 * 3600);
    assert!(catalog.store.discard_expired().await.unwrap().is_empty());
}

async fn one_restore_at_a_time_has_a_place(catalog: Catalog) {
    let first = kept(&catalog).await;
    let second = asked(&catalog).await.id;
    let claimed = catalog.claim().await.unwrap();
    let beside = replacement(&catalog, second, ReplacementStage::Beside);
    let refused = catalog
        .store
        .set_replacement(&claimed.lease, &beside)
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::PlaceTaken(id) if id == first), "{refused}");
    let elsewhere = Replacement {
        database: Some(ReplacedDatabase::of("another", second)),
        ..beside.clone()
    };
    assert!(catalog.store.set_replacement(&claimed.lease, &elsewhere).await.unwrap());
}

/// Ends the job that is next, a restore.
async fn finish(catalog: &Catalog, outcome: RestoreOutcome) {
    let claimed = catalog.claim().await.unwrap();
    restore_of(&claimed);
    catalog.store.finish_restore(&claimed.lease, outcome).await.unwrap();
}

async fn a_safety_backup_stays_while_its_restore_can_be_taken_back(catalog: Catalog) {
    let done = || RestoreOutcome::Completed {
        replacement: None,
        warnings: Vec::new(),
    };
    let expired = async || {
        let gone = catalog.store.expire_safety_backups().await.unwrap();
        gone.iter().map(|backup| backup.id).collect::<Vec<_>>()
    };
    for fails in [false, true] {
        let id = wait_for_safety(&catalog).await;
        let safety = catalog.end_next(None).await;
        assert_eq!(get(&catalog, id).await.safety_backup_id, Some(safety));
        catalog.advance(1);
        // A newer one of the same, for which no worker is needed.
        let newer = Receipt {
            source: BackupSource::FullSystem,
            ..receipt(&catalog, catalog.id(), None)
        };
        catalog.store.adopt_backup(&newer).await.unwrap();
        catalog.advance(40 * 24 * 3_600);
        assert_eq!(expired().await, [], "its restore waits");
        if fails {
            // In the middle of the exchange, which people may take back.
            let claimed = catalog.claim().await.unwrap();
            let swapping = replacement(&catalog, id, ReplacementStage::Swapping);
            catalog.store.set_replacement(&claimed.lease, &swapping).await.unwrap();
            let failed = RestoreOutcome::Failed {
                message: "the server is gone".to_owned(),
            };
            catalog.store.finish_restore(&claimed.lease, failed).await.unwrap();
        } else {
            let kept = RestoreOutcome::Completed {
                replacement: Some(replacement(&catalog, id, ReplacementStage::Kept)),
                warnings: Vec::new(),
            };
            finish(&catalog, kept).await;
        }
        assert_eq!(expired().await, [], "what it replaced is kept");
        end(&catalog, id, RestoreAction::RollBack).await.unwrap();
        assert_eq!(expired().await, [], "not yet put back");
        finish(&catalog, done()).await;
        assert_eq!(expired().await, [safety]);
        catalog.store.finish_delete(safety).await.unwrap();
    }
}
