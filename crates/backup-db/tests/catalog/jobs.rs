//! A job is done by one worker at a time, and by nobody twice.

use std::collections::HashSet;
use std::time::Duration;

use backup_core::contents::{BackupContents, FilesContents, Warning, WarningCode};
use backup_core::restore::{RestoreMode, RestoreOptions};
use backup_core::{
    BackupId, BackupType, JobLog, JobStatus, LogLevel, LogLine, RestoreId, Step, StepStart, VerificationId, VerifyLevel,
};
use backup_db::{
    BackupOutcome, CancelResult, CompletedBackup, Error, Finished, Job, JobKind, JobPosition, NewRestore,
    NewVerification, RestoreListOptions, RestoreOutcome, Store, VerificationOutcome,
};

use crate::fixture::{Catalog, LEASE, MAX_ATTEMPTS, at_once, backup_of, on_both};

on_both!(
    workers_at_once_take_each_job_once,
    who_waits_for_a_job_is_told_of_each_kind,
    restores_go_before_checks_before_backups_and_older_before_newer,
    a_backup_goes_from_asked_for_to_done,
    progress_and_the_wish_to_stop_travel_by_heartbeat,
    the_steps_of_the_last_attempt_are_kept,
    the_log_goes_on_through_all_attempts_and_only_the_owner_writes_it,
    an_expired_lease_is_taken_over_and_the_old_worker_can_write_nothing,
    a_live_lease_is_nobody_elses,
    a_job_that_was_tried_too_often_is_handed_out_to_be_ended,
    giving_back_does_not_count_as_a_try_and_retrying_does,
    what_waits_is_cancelled_at_once,
    cancelling_and_finishing_at_once_leaves_one_truth,
    ending_twice_is_no_error_and_ending_otherwise_is,
    a_check_is_written_on_its_backup,
    a_restore_ends_as_its_worker_says,
    only_what_is_whole_can_be_restored_checked_or_built_upon,
    jobs_of_every_kind_are_cancelled_by_kind,
    restores_are_listed_newest_first_and_filtered,
    who_cannot_work_fails_only_what_nobody_takes_up,
);

fn everything() -> RestoreOptions {
    RestoreOptions {
        restore_database: true,
        restore_files: true,
        restore_config: false,
        target_database: Some("new".to_owned()),
        target_dir: None,
        mode: RestoreMode::New,
        paths: vec!["a/ä".to_owned()],
        tables: vec!["public.t".to_owned()],
        safety_backup: true,
        skip_owner: false,
        skip_tablespaces: false,
        keep_old_hours: 72,
    }
}

async fn restore(catalog: &Catalog, backup_id: BackupId) -> RestoreId {
    let new = NewRestore {
        id: catalog.id(),
        backup_id,
        options: everything(),
        created_by: None,
    };
    catalog.store.create_restore(new).await.unwrap().id
}

async fn check(catalog: &Catalog, backup_id: BackupId) -> VerificationId {
    let new = NewVerification {
        id: catalog.id(),
        backup_id,
        level: VerifyLevel::Content,
        created_by: None,
    };
    catalog.store.create_verification(new).await.unwrap().id
}

async fn workers_at_once_take_each_job_once(catalog: Catalog) {
    let mut expected = HashSet::new();
    for _ in 0..200 {
        expected.insert(catalog.pending().await.id.to_string());
    }
    let other = catalog.another().await;
    let taken = at_once(8, |worker| {
        // Half of the workers are in another process.
        let store: Store = if worker % 2 == 0 {
            catalog.store.clone()
        } else {
            other.clone()
        };
        async move {
            let mut mine = Vec::new();
            while let Some(claimed) = store
                .claim_job(&format!("worker-{worker}"), LEASE, MAX_ATTEMPTS, None)
                .await
                .unwrap()
            {
                assert!(!claimed.taken_over);
                mine.push(claimed.lease.id);
            }
            mine
        }
    })
    .await;
    let taken: Vec<String> = taken.into_iter().flatten().collect();
    assert_eq!(taken.len(), 200, "one job was taken twice or never");
    assert_eq!(taken.into_iter().collect::<HashSet<_>>(), expected);
    assert_eq!(catalog.store.queue_length(JobKind::Backup).await.unwrap(), (0, 200));
}

/// Else each job waits for its worker to look again.
async fn who_waits_for_a_job_is_told_of_each_kind(catalog: Catalog) {
    let told = |store: Store| async move {
        tokio::time::timeout(Duration::from_mins(1), store.job_added())
            .await
            .expect("nobody was told of the job");
    };
    let waiter = tokio::spawn(told(catalog.store.clone()));
    let backup = catalog.completed(None).await;
    waiter.await.unwrap();
    restore(&catalog, backup).await;
    told(catalog.store.clone()).await;
    check(&catalog, backup).await;
    told(catalog.store.clone()).await;
    // What does not happen is not told, and nothing is told twice.
    let unknown = NewVerification {
        id: catalog.id(),
        backup_id: catalog.id(),
        level: VerifyLevel::Content,
        created_by: None,
    };
    assert!(catalog.store.create_verification(unknown).await.is_err());
    let more = tokio::time::timeout(Duration::ZERO, catalog.store.job_added());
    assert!(more.await.is_err(), "there is no other job");
}

async fn restores_go_before_checks_before_backups_and_older_before_newer(catalog: Catalog) {
    let good = catalog.completed(None).await;
    let first = catalog.pending().await.id;
    catalog.advance(1);
    let second = catalog.pending().await.id;
    catalog.advance(1);
    let check = check(&catalog, good).await;
    catalog.advance(1);
    let restore = restore(&catalog, good).await;
    let mut order = Vec::new();
    while let Some(claimed) = catalog.claim().await {
        order.push(claimed.lease.id);
    }
    let expected = [
        restore.to_string(),
        check.to_string(),
        first.to_string(),
        second.to_string(),
    ];
    assert_eq!(order, expected);
}

async fn a_backup_goes_from_asked_for_to_done(catalog: Catalog) {
    let asked = catalog.pending().await;
    assert_eq!(asked.status, JobStatus::Pending);
    assert_eq!(asked.name, "backup-full_system-full-2026-11-23T02-00-00");
    catalog.advance(5);
    let claimed = catalog.claim().await.unwrap();
    let backup = backup_of(&claimed.job);
    assert_eq!((backup.status, backup.attempts), (JobStatus::InProgress, 1));
    assert_eq!(
        backup.started_at,
        Some(asked.created_at + chrono::TimeDelta::seconds(5))
    );
    catalog
        .store
        .set_storage_path(&claimed.lease, "2026/11-23/a.tar.gz.enc", "key")
        .await
        .unwrap();
    let begun = catalog.backup(asked.id).await;
    assert_eq!(
        (begun.storage_path.as_deref(), begun.key_fingerprint.as_deref()),
        (Some("2026/11-23/a.tar.gz.enc"), Some("key"))
    );
    catalog.advance(10);
    let done = CompletedBackup {
        contents: BackupContents {
            files: Some(FilesContents {
                size_bytes: 7,
                file_count: 2,
                entry_count: 3,
            }),
            ..BackupContents::default()
        },
        warnings: vec![Warning {
            code: WarningCode::FileChanged,
            path: Some("x".to_owned()),
            message: "changed".to_owned(),
        }],
        ..catalog.results(5_000_000_000)
    };
    catalog
        .store
        .finish_backup(&claimed.lease, BackupOutcome::Completed(Box::new(done.clone())))
        .await
        .unwrap();
    let row = catalog.backup(asked.id).await;
    assert_eq!(
        (row.status, row.progress, row.current_step),
        (JobStatus::Completed, 100, Step::Finished)
    );
    assert_eq!(row.size_bytes, Some(5_000_000_000));
    assert_eq!(row.source_bytes, Some(15_000_000_000));
    assert_eq!(row.contents.as_ref(), Some(&done.contents));
    assert_eq!(row.warnings, done.warnings);
    assert_eq!(row.completed_at, Some(done.completed_at));
    let usage = catalog.store.usage().await.unwrap();
    assert_eq!((usage.backup_count, usage.total_size_bytes), (1, 5_000_000_000));
}

async fn progress_and_the_wish_to_stop_travel_by_heartbeat(catalog: Catalog) {
    let (id, lease) = catalog.running().await;
    catalog.advance(10);
    let beat = catalog
        .store
        .heartbeat(&lease, JobPosition::new(42, Step::Files), LEASE)
        .await
        .unwrap();
    assert!(!beat.cancel_requested);
    assert_eq!(beat.expires_at, lease.expires_at + chrono::TimeDelta::seconds(10));
    let row = catalog.backup(id).await;
    assert_eq!((row.progress, row.current_step), (42, Step::Files));
    assert_eq!(catalog.store.cancel_backup(id).await.unwrap(), CancelResult::Requested);
    assert!(
        catalog
            .store
            .heartbeat(&lease, JobPosition::new(43, Step::Files), LEASE)
            .await
            .unwrap()
            .cancel_requested
    );
    catalog
        .store
        .finish_backup(&lease, BackupOutcome::Cancelled)
        .await
        .unwrap();
    assert_eq!(catalog.backup(id).await.status, JobStatus::Cancelled);
}

async fn the_steps_of_the_last_attempt_are_kept(catalog: Catalog) {
    let (id, lease) = catalog.running().await;
    let steps_of = async || catalog.store.steps_of(JobKind::Backup, &id.to_string()).await.unwrap();
    let noted = |steps: &[Step]| -> Vec<StepStart> {
        let at = catalog.clock_now();
        steps.iter().map(|step| StepStart { step: *step, at }).collect()
    };
    assert!(steps_of().await.is_empty());
    let first = noted(&[Step::Preparing, Step::Database]);
    let at = JobPosition {
        steps: first.clone(),
        ..JobPosition::new(20, Step::Database)
    };
    catalog.store.heartbeat(&lease, at, LEASE).await.unwrap();
    assert_eq!(steps_of().await, first);

    // Another worker begins anew.
    catalog.advance(61);
    let taken = catalog.claim().await.unwrap();
    assert!(taken.taken_over && steps_of().await.is_empty());
    let second = noted(&[Step::Preparing]);
    let at = JobPosition {
        steps: second.clone(),
        ..JobPosition::new(5, Step::Preparing)
    };
    catalog.store.heartbeat(&taken.lease, at, LEASE).await.unwrap();
    let failed = BackupOutcome::Failed {
        message: "no".to_owned(),
    };
    catalog.store.finish_backup(&taken.lease, failed).await.unwrap();
    assert_eq!(steps_of().await, second, "they outlast the job");
}

async fn the_log_goes_on_through_all_attempts_and_only_the_owner_writes_it(catalog: Catalog) {
    let (id, lease) = catalog.running().await;
    let log_of = async || catalog.store.log_of(JobKind::Backup, &id.to_string()).await.unwrap();
    let add = |log: &JobLog, text: &str| {
        let mut log = log.clone();
        log.add(LogLine::new(catalog.clock_now(), LogLevel::Warning, text));
        log
    };
    let at = |log: &JobLog| JobPosition {
        log: Some(log.clone()),
        ..JobPosition::new(20, Step::Database)
    };
    let none = log_of().await;
    assert_eq!(none, JobLog::default());
    let one = add(&none, "'one' \"ä\"");
    let two = add(&one, "two");
    catalog.store.heartbeat(&lease, at(&two), LEASE).await.unwrap();
    // What set out before it comes late, and what has nothing new leaves it.
    catalog.store.heartbeat(&lease, at(&one), LEASE).await.unwrap();
    let silent = JobPosition::new(20, Step::Database);
    catalog.store.heartbeat(&lease, silent, LEASE).await.unwrap();
    assert_eq!(log_of().await, two);

    // A line more is a change for who watches, though nothing else is new.
    let seen = catalog.store.last_event_seq().await.unwrap();
    catalog.store.heartbeat(&lease, at(&two), LEASE).await.unwrap();
    assert_eq!(catalog.store.last_event_seq().await.unwrap(), seen);
    let three = add(&two, "three");
    catalog.store.heartbeat(&lease, at(&three), LEASE).await.unwrap();
    assert!(catalog.store.last_event_seq().await.unwrap() > seen);

    // Another worker goes on with it, and the old one cannot.
    catalog.advance(61);
    let taken = catalog.claim().await.unwrap();
    assert_eq!((taken.taken_over, &taken.log), (true, &three));
    let lost = catalog.store.heartbeat(&lease, at(&add(&three, "old")), LEASE).await;
    assert!(matches!(lost, Err(Error::LeaseLost { .. })), "{lost:?}");
    let four = add(&taken.log, "four");
    catalog.store.heartbeat(&taken.lease, at(&four), LEASE).await.unwrap();
    catalog
        .store
        .retry_later(&taken.lease, "no", Duration::ZERO)
        .await
        .unwrap();
    let again = catalog.claim().await.unwrap();
    assert_eq!(again.log, four);
    let failed = BackupOutcome::Failed {
        message: "no".to_owned(),
    };
    catalog.store.finish_backup(&again.lease, failed).await.unwrap();
    assert_eq!(log_of().await, four, "it outlasts the job");

    // The other kinds of jobs have theirs.
    let good = catalog.completed(None).await;
    let restored = restore(&catalog, good).await;
    let taken = catalog.claim().await.unwrap();
    catalog.store.heartbeat(&taken.lease, at(&one), LEASE).await.unwrap();
    let log = catalog.store.log_of(JobKind::Restore, &restored.to_string()).await;
    assert_eq!(log.unwrap(), one);
    let gone = catalog.store.log_of(JobKind::Verification, "none").await;
    assert_eq!(gone.unwrap(), JobLog::default());
}

async fn an_expired_lease_is_taken_over_and_the_old_worker_can_write_nothing(catalog: Catalog) {
    let (id, old) = catalog.running().await;
    catalog.advance(61);
    let taken = catalog.claim().await.unwrap();
    assert!(taken.taken_over && !taken.exhausted);
    assert_eq!(
        (taken.lease.id.as_str(), taken.lease.attempts),
        (id.to_string().as_str(), 2)
    );
    let done = || BackupOutcome::Completed(Box::new(catalog.results(666)));
    let store = &catalog.store;
    let lost = [
        store
            .heartbeat(&old, JobPosition::new(99, Step::Upload), LEASE)
            .await
            .map(|_| ()),
        store.set_storage_path(&old, "elsewhere", "key").await,
        store.set_base(&old, BackupType::Full, None).await,
        store.release(&old).await,
        store.retry_later(&old, "no", Duration::ZERO).await,
        store.finish_backup(&old, done()).await.map(|_| ()),
        store
            .finish_backup(
                &old,
                BackupOutcome::Failed {
                    message: "no".to_owned(),
                },
            )
            .await
            .map(|_| ()),
        store.finish_backup(&old, BackupOutcome::Cancelled).await.map(|_| ()),
    ];
    for result in lost {
        assert!(matches!(result, Err(Error::LeaseLost { .. })), "{result:?}");
    }
    let row = catalog.backup(id).await;
    assert_eq!(
        (row.status, row.size_bytes, row.storage_path),
        (JobStatus::InProgress, None, None)
    );
    catalog
        .store
        .finish_backup(&taken.lease, BackupOutcome::Completed(Box::new(catalog.results(5))))
        .await
        .unwrap();
    // Nor does the old worker undo what the new one has finished.
    let late = store
        .finish_backup(
            &old,
            BackupOutcome::Failed {
                message: "late".to_owned(),
            },
        )
        .await;
    assert!(matches!(late, Err(Error::LeaseLost { .. })));
    let row = catalog.backup(id).await;
    assert_eq!(
        (row.status, row.size_bytes, row.error_message),
        (JobStatus::Completed, Some(5), None)
    );
}

async fn a_live_lease_is_nobody_elses(catalog: Catalog) {
    let (_, lease) = catalog.running().await;
    catalog.advance(59);
    assert!(catalog.claim().await.is_none());
    catalog
        .store
        .heartbeat(&lease, JobPosition::new(1, Step::Preparing), LEASE)
        .await
        .unwrap();
    catalog.advance(59);
    assert!(catalog.claim().await.is_none(), "the heartbeat extends the lease");
    catalog.advance(1);
    assert!(catalog.claim().await.unwrap().taken_over);
}

async fn a_job_that_was_tried_too_often_is_handed_out_to_be_ended(catalog: Catalog) {
    let id = catalog.pending().await.id;
    for attempt in 1..=MAX_ATTEMPTS {
        let claimed = catalog.claim().await.unwrap();
        assert_eq!((claimed.lease.attempts, claimed.exhausted), (attempt, false));
        catalog.advance(60);
    }
    let last = catalog.claim().await.unwrap();
    assert!(last.taken_over && last.exhausted);
    let outcome = BackupOutcome::Failed {
        message: "three workers died of it".to_owned(),
    };
    catalog.store.finish_backup(&last.lease, outcome).await.unwrap();
    assert!(catalog.claim().await.is_none());
    let row = catalog.backup(id).await;
    assert_eq!(row.status, JobStatus::Failed);
    assert_eq!(row.error_message.as_deref(), Some("three workers died of it"));
}

async fn giving_back_does_not_count_as_a_try_and_retrying_does(catalog: Catalog) {
    let (id, lease) = catalog.running().await;
    catalog.store.release(&lease).await.unwrap();
    let row = catalog.backup(id).await;
    assert_eq!((row.status, row.attempts), (JobStatus::Pending, 0));
    let again = catalog.claim().await.unwrap();
    assert_eq!((again.lease.attempts, again.taken_over), (1, false));
    catalog
        .store
        .retry_later(&again.lease, "storage away", Duration::from_secs(30))
        .await
        .unwrap();
    assert!(catalog.claim().await.is_none(), "it is not due yet");
    assert_eq!(catalog.backup(id).await.error_message.as_deref(), Some("storage away"));
    catalog.advance(30);
    assert_eq!(catalog.claim().await.unwrap().lease.attempts, 2);
}

async fn what_waits_is_cancelled_at_once(catalog: Catalog) {
    let id = catalog.pending().await.id;
    assert_eq!(catalog.store.cancel_backup(id).await.unwrap(), CancelResult::Cancelled);
    assert!(catalog.claim().await.is_none());
    let row = catalog.backup(id).await;
    assert_eq!(
        (row.status, row.completed_at),
        (JobStatus::Cancelled, Some(row.created_at))
    );
    let again = catalog.store.cancel_backup(id).await;
    assert!(
        matches!(
            again,
            Err(Error::WrongState {
                status: JobStatus::Cancelled,
                ..
            })
        ),
        "{again:?}"
    );
    let unknown = catalog.store.cancel_backup(catalog.id()).await;
    assert!(matches!(unknown, Err(Error::NotFound { .. })), "{unknown:?}");
}

async fn cancelling_and_finishing_at_once_leaves_one_truth(catalog: Catalog) {
    for _ in 0..10 {
        let (id, lease) = catalog.running().await;
        let done = BackupOutcome::Completed(Box::new(catalog.results(9)));
        let (cancelled, finished) = tokio::join!(
            catalog.store.cancel_backup(id),
            catalog.store.finish_backup(&lease, done)
        );
        assert_eq!(finished.unwrap(), Finished::Now);
        let row = catalog.backup(id).await;
        assert_eq!(
            row.status,
            JobStatus::Completed,
            "its receipt is in storage, so it is done"
        );
        match cancelled {
            Ok(CancelResult::Requested) => assert!(row.cancel_requested),
            Err(Error::WrongState {
                status: JobStatus::Completed,
                ..
            }) => assert!(!row.cancel_requested),
            other => panic!("{other:?}"),
        }
    }
}

async fn ending_twice_is_no_error_and_ending_otherwise_is(catalog: Catalog) {
    let (id, lease) = catalog.running().await;
    let done = || BackupOutcome::Completed(Box::new(catalog.results(9)));
    assert_eq!(
        catalog.store.finish_backup(&lease, done()).await.unwrap(),
        Finished::Now
    );
    let before = catalog.store.last_event_seq().await.unwrap();
    assert_eq!(
        catalog.store.finish_backup(&lease, done()).await.unwrap(),
        Finished::Before
    );
    assert_eq!(catalog.store.last_event_seq().await.unwrap(), before, "nothing changed");
    let failed = BackupOutcome::Failed {
        message: "no".to_owned(),
    };
    assert!(matches!(
        catalog.store.finish_backup(&lease, failed).await,
        Err(Error::LeaseLost { .. })
    ));
    assert_eq!(catalog.backup(id).await.status, JobStatus::Completed);
}

async fn a_check_is_written_on_its_backup(catalog: Catalog) {
    let backup = catalog.completed(None).await;
    let outcomes = [
        (
            VerificationOutcome::Failed {
                message: "storage away".to_owned(),
            },
            JobStatus::Failed,
            None,
        ),
        (VerificationOutcome::Cancelled, JobStatus::Cancelled, None),
        (
            VerificationOutcome::Found {
                problem: "bit rot".to_owned(),
                in_base: None,
            },
            JobStatus::Completed,
            Some(Some("bit rot")),
        ),
        (VerificationOutcome::Passed, JobStatus::Completed, Some(None)),
    ];
    for (outcome, status, on_backup) in outcomes {
        let id = check(&catalog, backup).await;
        catalog.advance(1);
        let claimed = catalog.claim().await.unwrap();
        assert!(matches!(&claimed.job, Job::Verification(job) if job.id == id && job.level == VerifyLevel::Content));
        catalog
            .store
            .finish_verification(&claimed.lease, outcome)
            .await
            .unwrap();
        assert_eq!(
            catalog.store.get_verification(id).await.unwrap().unwrap().status,
            status
        );
        let row = catalog.backup(backup).await;
        match on_backup {
            None => assert_eq!(row.verified_at, None, "a check that did not end says nothing"),
            Some(problem) => {
                assert!(row.verified_at.is_some());
                assert_eq!(row.verify_level, Some(VerifyLevel::Content));
                assert_eq!(row.verify_error.as_deref(), problem);
            }
        }
    }
    assert_eq!(catalog.store.verifications_of(backup, 3).await.unwrap().len(), 3);
}

async fn a_restore_ends_as_its_worker_says(catalog: Catalog) {
    let backup = catalog.completed(None).await;
    let outcomes = [
        (
            RestoreOutcome::Completed {
                replacement: None,
                warnings: Vec::new(),
            },
            JobStatus::Completed,
        ),
        (
            RestoreOutcome::Failed {
                message: "no space".to_owned(),
            },
            JobStatus::Failed,
        ),
        (RestoreOutcome::Cancelled, JobStatus::Cancelled),
    ];
    for (outcome, status) in outcomes {
        let id = restore(&catalog, backup).await;
        catalog.advance(1);
        let claimed = catalog.claim().await.unwrap();
        assert!(matches!(&claimed.job, Job::Restore(job) if job.id == id && job.options == everything()));
        catalog
            .store
            .heartbeat(&claimed.lease, JobPosition::new(50, Step::Database), LEASE)
            .await
            .unwrap();
        assert_eq!(catalog.store.get_restore(id).await.unwrap().unwrap().progress, 50);
        catalog.store.finish_restore(&claimed.lease, outcome).await.unwrap();
        assert_eq!(catalog.store.get_restore(id).await.unwrap().unwrap().status, status);
    }
    let waiting = restore(&catalog, backup).await;
    assert_eq!(
        catalog.store.cancel_restore(waiting).await.unwrap(),
        CancelResult::Cancelled
    );
    let newest = catalog.store.restores_of(backup, 2).await.unwrap();
    assert_eq!(newest.len(), 2);
    assert_eq!(newest[0].id, waiting);
}

async fn only_what_is_whole_can_be_restored_checked_or_built_upon(catalog: Catalog) {
    let (running, lease) = catalog.running().await;
    let gone: BackupId = catalog.id();
    for id in [running, gone] {
        let new = NewRestore {
            id: catalog.id(),
            backup_id: id,
            options: everything(),
            created_by: None,
        };
        let restore = catalog.store.create_restore(new).await.map(|_| ());
        let new = NewVerification {
            id: catalog.id(),
            backup_id: id,
            level: VerifyLevel::Checksum,
            created_by: None,
        };
        let check = catalog.store.create_verification(new).await.map(|_| ());
        let base = catalog.store.set_base(&lease, BackupType::Incremental, Some(id)).await;
        for result in [restore, check, base] {
            match result {
                Err(Error::WrongState {
                    status: JobStatus::InProgress,
                    ..
                }) if id == running => {}
                Err(Error::NotFound { .. }) if id == gone => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn jobs_of_every_kind_are_cancelled_by_kind(catalog: Catalog) {
    let good = catalog.completed(None).await;
    let (restore, check, waiting) = (
        restore(&catalog, good).await,
        check(&catalog, good).await,
        catalog.pending().await.id,
    );
    let store = &catalog.store;
    assert_eq!(store.cancel_verification(check).await.unwrap(), CancelResult::Cancelled);
    assert_eq!(
        store.get_verification(check).await.unwrap().unwrap().status,
        JobStatus::Cancelled
    );
    let by_kind = [
        (JobKind::Restore, restore.to_string()),
        (JobKind::Backup, waiting.to_string()),
    ];
    for (kind, id) in by_kind {
        assert_eq!(
            store.request_cancel(kind, &id).await.unwrap(),
            CancelResult::Cancelled,
            "{kind}"
        );
    }
    assert!(catalog.claim().await.is_none());
    assert_eq!(
        store.get_restore(restore).await.unwrap().unwrap().status,
        JobStatus::Cancelled
    );
    // The identifier of another kind of job is unknown to this one.
    let other = store.request_cancel(JobKind::Backup, &check.to_string()).await;
    assert!(matches!(other, Err(Error::NotFound { .. })), "{other:?}");
}

async fn restores_are_listed_newest_first_and_filtered(catalog: Catalog) {
    let (first, second) = (catalog.completed(None).await, catalog.completed(None).await);
    let mut made = Vec::new();
    for backup in [first, second, first] {
        catalog.advance(1);
        made.push(restore(&catalog, backup).await);
    }
    catalog.store.cancel_restore(made[0]).await.unwrap();
    let list = async |options: RestoreListOptions| {
        let (restores, total) = catalog.store.list_restores(&options).await.unwrap();
        let ids: Vec<RestoreId> = restores.into_iter().map(|restore| restore.id).collect();
        (ids, total)
    };
    let all = RestoreListOptions {
        limit: 10,
        ..RestoreListOptions::default()
    };
    assert_eq!(list(all.clone()).await, (vec![made[2], made[1], made[0]], 3));
    let page = RestoreListOptions {
        limit: 1,
        offset: 1,
        ..all.clone()
    };
    assert_eq!(list(page).await, (vec![made[1]], 3));
    let of_first = RestoreListOptions {
        backup_id: Some(first),
        status: Some(JobStatus::Pending),
        ..all
    };
    assert_eq!(list(of_first).await, (vec![made[2]], 1));
}

async fn who_cannot_work_fails_only_what_nobody_takes_up(catalog: Catalog) {
    let patience = Duration::from_secs(4);
    let fail = async || catalog.store.fail_waiting("no rights", patience).await.unwrap();
    let (running, lease) = catalog.running().await;
    let waiting = catalog.pending().await.id;
    catalog.advance(5);
    assert_eq!(fail().await, 0, "a worker is there and will come to it");
    catalog
        .store
        .retry_later(&lease, "storage away", Duration::ZERO)
        .await
        .unwrap();
    let young = catalog.pending().await.id;
    assert_eq!(fail().await, 1);
    let row = catalog.backup(waiting).await;
    assert_eq!(
        (row.status, row.error_message.as_deref()),
        (JobStatus::Failed, Some("no rights"))
    );
    for other in [running, young] {
        // The first has been taken up once: what is left of it is for a worker to see to.
        assert_eq!(catalog.backup(other).await.status, JobStatus::Pending);
    }
}
