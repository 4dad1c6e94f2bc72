//! Nothing that somebody needs is deleted, and what is half deleted is found again.

use backup_core::list::BackupListOptions;
use backup_core::receipt::Codec;
use backup_core::restore::{RestoreMode, RestoreOptions};
use backup_core::{
    ArchiveSeal, Backup, BackupContents, BackupId, BackupSource, BackupTrigger, BackupType, Clock, JobStatus, Receipt,
};
use backup_db::{BackupOutcome, Error, NewRestore};

use crate::fixture::{Catalog, on_both};

on_both!(
    a_tombstone_hides_a_backup_until_its_row_is_gone,
    what_runs_is_protected_or_is_in_use_stays,
    a_base_stays_unless_all_that_build_on_it_go_first,
    one_that_may_not_go_keeps_the_whole_plan_from_happening,
    a_base_cannot_be_deleted_while_a_running_backup_builds_on_it,
    an_error_of_the_storage_is_shown_and_the_tombstone_stays,
    receipts_bring_a_lost_catalog_back,
    a_receipt_does_not_overwrite_what_a_worker_holds,
);

fn ids(backups: &[Backup]) -> Vec<BackupId> {
    backups.iter().map(|backup| backup.id).collect()
}

async fn listed(catalog: &Catalog) -> Vec<BackupId> {
    let page = catalog.store.list_backups(&BackupListOptions::default()).await.unwrap();
    assert_eq!(page.total, page.backups.len() as u64);
    page.backups.iter().map(|summary| summary.backup.id).collect()
}

async fn a_tombstone_hides_a_backup_until_its_row_is_gone(catalog: Catalog) {
    let kept = catalog.completed(None).await;
    catalog.advance(1);
    let id = catalog.completed(None).await;
    assert_eq!(
        catalog
            .store
            .overview()
            .await
            .unwrap()
            .last_successful
            .unwrap()
            .backup
            .id,
        id
    );
    assert_eq!(ids(&catalog.store.begin_delete(id, false).await.unwrap()), [id]);
    assert_eq!(listed(&catalog).await, [kept]);
    let overview = catalog.store.overview().await.unwrap();
    assert_eq!(overview.last_successful.unwrap().backup.id, kept);
    assert_eq!(overview.usage.backup_count, 1);
    assert!(catalog.store.set_protected(id, true).await.is_err());
    // The process dies here; another one finds what is to be done, and may begin anew.
    let other = catalog.another().await;
    assert_eq!(ids(&other.deleting().await.unwrap()), [id]);
    assert_eq!(ids(&other.begin_delete(id, false).await.unwrap()), [id]);
    assert!(other.finish_delete(id).await.unwrap());
    assert!(!other.finish_delete(id).await.unwrap());
    assert!(other.get_backup(id).await.unwrap().is_none());
    assert!(
        !other.finish_delete(kept).await.unwrap(),
        "no row goes without a tombstone"
    );
    assert!(matches!(
        other.begin_delete(id, false).await,
        Err(Error::NotFound { .. })
    ));
}

async fn what_runs_is_protected_or_is_in_use_stays(catalog: Catalog) {
    let waiting = catalog.pending().await.id;
    assert!(matches!(catalog.store.begin_delete(waiting, true).await, Err(Error::Running(id)) if id == waiting));
    let claimed = catalog.claim().await.unwrap();
    assert!(matches!(
        catalog.store.begin_delete(waiting, true).await,
        Err(Error::Running(_))
    ));
    let done = BackupOutcome::Completed(Box::new(catalog.results(1)));
    catalog.store.finish_backup(&claimed.lease, done).await.unwrap();
    assert!(catalog.store.set_protected(waiting, true).await.unwrap().protected);
    assert!(matches!(
        catalog.store.begin_delete(waiting, true).await,
        Err(Error::Protected(_))
    ));
    catalog.store.set_protected(waiting, false).await.unwrap();
    let restore = NewRestore {
        id: catalog.id(),
        backup_id: waiting,
        options: RestoreOptions {
            restore_database: true,
            restore_files: true,
            restore_config: true,
            target_database: None,
            target_dir: None,
            mode: RestoreMode::New,
            paths: Vec::new(),
            tables: Vec::new(),
            safety_backup: false,
            skip_owner: false,
            skip_tablespaces: false,
            keep_old_hours: 72,
        },
        created_by: None,
    };
    let restore = catalog.store.create_restore(restore).await.unwrap().id;
    match catalog.store.begin_delete(waiting, true).await {
        Err(Error::InUse { jobs, .. }) => assert_eq!(jobs, [format!("restore {restore}")]),
        other => panic!("{other:?}"),
    }
    catalog.store.cancel_restore(restore).await.unwrap();
    catalog.store.begin_delete(waiting, false).await.unwrap();
    catalog.store.finish_delete(waiting).await.unwrap();
    assert!(
        catalog.store.get_restore(restore).await.unwrap().is_some(),
        "the record outlives the backup"
    );
}

/// full <- first <- second, full <- third
async fn chain(catalog: &Catalog) -> [BackupId; 4] {
    let full = catalog.completed(None).await;
    catalog.advance(1);
    let first = catalog.completed(Some(full)).await;
    catalog.advance(1);
    let second = catalog.completed(Some(first)).await;
    catalog.advance(1);
    let third = catalog.completed(Some(full)).await;
    [full, first, second, third]
}

async fn a_base_stays_unless_all_that_build_on_it_go_first(catalog: Catalog) {
    let [full, first, second, third] = chain(&catalog).await;
    assert_eq!(ids(&catalog.store.dependents(full).await.unwrap()), [first, third]);
    assert_eq!(ids(&catalog.store.bases(second).await.unwrap()), [first, full]);
    assert_eq!(ids(&catalog.store.bases(full).await.unwrap()), []);
    match catalog.store.begin_delete(full, false).await {
        Err(Error::HasDependents { id, dependents }) => {
            assert_eq!(id, full);
            assert_eq!(dependents.len(), 3);
            for dependent in [first, second, third] {
                assert!(dependents.contains(&dependent));
            }
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(listed(&catalog).await.len(), 4, "a refusal changes nothing");
    let plan = catalog.store.begin_delete(full, true).await.unwrap();
    assert!(plan.iter().all(|backup| backup.deleting));
    let order = ids(&plan);
    let place = |id| order.iter().position(|other| *other == id).unwrap();
    assert_eq!(place(full), 3);
    assert!(place(second) < place(first));
    let found = ids(&catalog.store.deleting().await.unwrap());
    let place = |id| found.iter().position(|other| *other == id).unwrap();
    assert!(place(second) < place(first) && place(first) < place(full) && place(third) < place(full));
    assert!(listed(&catalog).await.is_empty());
}

async fn one_that_may_not_go_keeps_the_whole_plan_from_happening(catalog: Catalog) {
    let [full, first, second, _] = chain(&catalog).await;
    catalog.store.set_protected(second, true).await.unwrap();
    assert!(matches!(catalog.store.begin_delete(full, true).await, Err(Error::Protected(id)) if id == second));
    assert!(catalog.store.deleting().await.unwrap().is_empty());
    assert!(matches!(catalog.store.begin_delete(first, true).await, Err(Error::Protected(id)) if id == second));
    assert_eq!(listed(&catalog).await.len(), 4);
}

async fn a_base_cannot_be_deleted_while_a_running_backup_builds_on_it(catalog: Catalog) {
    let full = catalog.completed(None).await;
    let (running, lease) = catalog.running().await;
    catalog
        .store
        .set_base(&lease, BackupType::Incremental, Some(full))
        .await
        .unwrap();
    match catalog.store.begin_delete(full, false).await {
        Err(Error::HasDependents { dependents, .. }) => assert_eq!(dependents, [running]),
        other => panic!("{other:?}"),
    }
    assert!(matches!(catalog.store.begin_delete(full, true).await, Err(Error::Running(id)) if id == running));
    let failed = BackupOutcome::Failed {
        message: "no".to_owned(),
    };
    catalog.store.finish_backup(&lease, failed).await.unwrap();
    assert_eq!(
        ids(&catalog.store.begin_delete(full, false).await.unwrap()),
        [full],
        "a failed one needs no base"
    );
    let (_, lease) = catalog.running().await;
    let late = catalog
        .store
        .set_base(&lease, BackupType::Incremental, Some(full))
        .await;
    assert!(
        matches!(late, Err(Error::NotFound { .. })),
        "nothing builds on what is being deleted: {late:?}"
    );
}

async fn an_error_of_the_storage_is_shown_and_the_tombstone_stays(catalog: Catalog) {
    let id = catalog.completed(None).await;
    catalog.store.begin_delete(id, false).await.unwrap();
    catalog.store.delete_failed(id, "the storage is away").await.unwrap();
    let tombstones = catalog.store.deleting().await.unwrap();
    assert_eq!(tombstones[0].error_message.as_deref(), Some("the storage is away"));
}

pub(crate) fn receipt(catalog: &Catalog, id: BackupId, base_id: Option<BackupId>) -> Receipt {
    let at = catalog.clock.now();
    Receipt {
        version: 1,
        id,
        name: "from storage".to_owned(),
        description: Some("Nachtsicherung".to_owned()),
        config_key: "default".to_owned(),
        backup_type: BackupType::Full,
        source: BackupSource::Files,
        trigger: BackupTrigger::Scheduled,
        status: JobStatus::Completed,
        size_bytes: 77,
        source_bytes: 99,
        checksum: "cd".repeat(32),
        created_at: at,
        started_at: at,
        completed_at: at,
        storage_path: "2026/11-23/y.tar.gz.enc".to_owned(),
        base_id,
        consolidated_from: None,
        schedule_id: Some(catalog.id()),
        contents: BackupContents::default(),
        warnings: Vec::new(),
        archive: ArchiveSeal {
            format_version: 1,
            codec: Codec::Gzip,
            encrypted: true,
            key_fingerprint: "00".to_owned(),
            size_bytes: 77,
            sha256: "cd".repeat(32),
            hmac: String::new(),
            index_hmac: String::new(),
            tar_bytes: 99,
        },
        mac: String::new(),
    }
}

async fn receipts_bring_a_lost_catalog_back(catalog: Catalog) {
    let (base, newer): (BackupId, BackupId) = (catalog.id(), catalog.id());
    let early = catalog.store.adopt_backup(&receipt(&catalog, newer, Some(base))).await;
    assert!(
        matches!(early, Err(Error::NotFound { .. })),
        "without its base it is none"
    );
    for (id, base_id) in [(base, None), (newer, Some(base))] {
        let row = catalog
            .store
            .adopt_backup(&receipt(&catalog, id, base_id))
            .await
            .unwrap();
        assert_eq!(
            (row.status, row.size_bytes, row.base_id),
            (JobStatus::Completed, Some(77), base_id)
        );
        assert_eq!(row.description.as_deref(), Some("Nachtsicherung"));
        assert_eq!(row.schedule_id, None, "a schedule that is not there is not referred to");
    }
    let before = catalog.store.last_event_seq().await.unwrap();
    catalog
        .store
        .adopt_backup(&receipt(&catalog, base, None))
        .await
        .unwrap();
    assert_eq!(catalog.store.last_event_seq().await.unwrap(), before, "once is enough");
    assert!(matches!(
        catalog.store.begin_delete(base, false).await,
        Err(Error::HasDependents { .. })
    ));
}

async fn a_receipt_does_not_overwrite_what_a_worker_holds(catalog: Catalog) {
    let (id, lease) = catalog.running().await;
    let row = catalog.store.adopt_backup(&receipt(&catalog, id, None)).await.unwrap();
    assert_eq!(row.status, JobStatus::InProgress);
    catalog.advance(60);
    let row = catalog.store.adopt_backup(&receipt(&catalog, id, None)).await.unwrap();
    assert_eq!(
        (row.status, row.checksum),
        (JobStatus::Completed, Some("cd".repeat(32)))
    );
    let late = BackupOutcome::Failed {
        message: "late".to_owned(),
    };
    assert!(matches!(
        catalog.store.finish_backup(&lease, late).await,
        Err(Error::LeaseLost { .. })
    ));
    // A job that was given up on is good after all when its receipt turns up.
    let (id, lease) = catalog.running().await;
    let failed = BackupOutcome::Failed {
        message: "gave up".to_owned(),
    };
    catalog.store.finish_backup(&lease, failed).await.unwrap();
    let row = catalog.store.adopt_backup(&receipt(&catalog, id, None)).await.unwrap();
    assert_eq!((row.status, row.error_message), (JobStatus::Completed, None));
}
