//! PRE_RESTORE backups go by themselves, thirty days after they ended, and never while somebody needs one.

use std::time::Duration;

use backup_core::{AlertKind, BackupId, BackupSource, BackupTrigger, NewAlert, NewBackup, Receipt};
use backup_db::{AuditListOptions, BackupOutcome};
use chrono::TimeDelta;

use crate::deletion::receipt;
use crate::fixture::{Catalog, on_both};

on_both!(
    one_goes_thirty_days_after_it_ended_and_none_that_was_asked_for_by_hand,
    one_stays_while_it_is_protected_read_or_built_on,
    the_newest_good_one_of_what_it_holds_stays,
    a_leap_of_the_clock_makes_none_old,
    one_that_bears_no_date_gets_one_from_now_on,
    one_that_comes_back_is_kept_anew,
    none_goes_while_the_system_is_paused,
);

const DAY: i64 = 24 * 3_600;

/// A good backup that belongs to no schedule, a second after the one before.
async fn made(catalog: &Catalog, trigger: BackupTrigger, source: BackupSource) -> BackupId {
    catalog.advance(1);
    let new = NewBackup {
        trigger,
        source,
        ..catalog.new_backup()
    };
    let id = catalog.store.create_backup(new).await.unwrap().id;
    let lease = catalog.claim().await.unwrap().lease;
    assert_eq!(lease.id, id.to_string());
    let done = BackupOutcome::Completed(Box::new(catalog.results(1_000)));
    catalog.store.finish_backup(&lease, done).await.unwrap();
    id
}

async fn safety(catalog: &Catalog) -> BackupId {
    made(catalog, BackupTrigger::PreRestore, BackupSource::FullSystem).await
}

async fn by_hand(catalog: &Catalog) -> BackupId {
    made(catalog, BackupTrigger::Manual, BackupSource::FullSystem).await
}

async fn expired(catalog: &Catalog) -> Vec<BackupId> {
    let gone = catalog.store.expire_safety_backups().await.unwrap();
    assert!(gone.iter().all(|backup| backup.deleting));
    gone.iter().map(|backup| backup.id).collect()
}

async fn one_goes_thirty_days_after_it_ended_and_none_that_was_asked_for_by_hand(catalog: Catalog) {
    let old = by_hand(&catalog).await;
    let safety = safety(&catalog).await;
    let over = catalog.clock_now() + TimeDelta::days(30);
    assert_eq!(catalog.backup(safety).await.expires_at, Some(over));
    assert_eq!(catalog.backup(old).await.expires_at, None);
    by_hand(&catalog).await;
    catalog.clock.set(over - TimeDelta::seconds(1));
    assert_eq!(expired(&catalog).await, []);
    catalog.advance(1);
    assert_eq!(expired(&catalog).await, [safety]);
    let options = AuditListOptions {
        resource_id: Some(safety.to_string()),
        limit: 9,
        ..AuditListOptions::default()
    };
    let page = catalog.store.list_audit(&options).await.unwrap();
    assert_eq!(page.total, 1);
    let entry = &page.entries[0];
    assert_eq!((entry.action.as_str(), entry.user_id), ("BACKUP_EXPIRE", None));
    assert!(
        entry.description.starts_with("刪除過期備份: ") && entry.description.contains("恢復前"),
        "{}",
        entry.description
    );
    catalog.store.finish_delete(safety).await.unwrap();
    catalog.advance(3_650 * DAY);
    assert_eq!(expired(&catalog).await, []);
    assert!(!catalog.backup(old).await.deleting);
}

async fn one_stays_while_it_is_protected_read_or_built_on(catalog: Catalog) {
    let safety = safety(&catalog).await;
    catalog.advance(1);
    let on_it = catalog.completed(Some(safety)).await;
    by_hand(&catalog).await;
    catalog.advance(31 * DAY);
    assert_eq!(expired(&catalog).await, [], "another one builds on it");
    catalog.store.begin_delete(on_it, false).await.unwrap();
    assert_eq!(expired(&catalog).await, [], "whose file is still there");
    catalog.store.finish_delete(on_it).await.unwrap();
    catalog.store.set_protected(safety, true).await.unwrap();
    assert_eq!(expired(&catalog).await, [], "it is protected");
    catalog.store.set_protected(safety, false).await.unwrap();
    let hold = Duration::from_mins(1);
    let reading = catalog.store.begin_reading(safety, hold).await.unwrap();
    assert_eq!(expired(&catalog).await, [], "somebody downloads it");
    catalog.store.end_reading(reading).await.unwrap();
    assert_eq!(expired(&catalog).await, [safety]);
}

async fn the_newest_good_one_of_what_it_holds_stays(catalog: Catalog) {
    by_hand(&catalog).await;
    let database = made(&catalog, BackupTrigger::PreRestore, BackupSource::Database).await;
    let all = safety(&catalog).await;
    made(&catalog, BackupTrigger::Manual, BackupSource::Files).await;
    catalog.advance(31 * DAY);
    // A newer one of everything holds the database too.
    assert_eq!(expired(&catalog).await, [database]);
    let damaged = by_hand(&catalog).await;
    catalog.store.condemn_backup(damaged, "bits flipped").await.unwrap();
    let missing = by_hand(&catalog).await;
    catalog.store.miss_backup(missing, "its receipt is gone").await.unwrap();
    let lost = by_hand(&catalog).await;
    let alert = NewAlert::new(AlertKind::BackupLost, lost, "its archive is gone");
    catalog.store.raise_alert(alert).await.unwrap();
    assert_eq!(expired(&catalog).await, [], "none of them can be restored");
    by_hand(&catalog).await;
    assert_eq!(expired(&catalog).await, [all]);
}

async fn a_leap_of_the_clock_makes_none_old(catalog: Catalog) {
    catalog.store.move_retention_clock().await.unwrap();
    let safety = safety(&catalog).await;
    by_hand(&catalog).await;
    let right = catalog.clock_now();
    catalog.advance(3_650 * DAY);
    assert_eq!(expired(&catalog).await, []);
    catalog.clock.set(right + TimeDelta::days(31));
    for _ in 0..29 {
        catalog.store.move_retention_clock().await.unwrap();
    }
    assert_eq!(expired(&catalog).await, []);
    for _ in 0..2 {
        catalog.store.move_retention_clock().await.unwrap();
    }
    assert_eq!(expired(&catalog).await, [safety]);
}

async fn one_that_bears_no_date_gets_one_from_now_on(catalog: Catalog) {
    let safety = safety(&catalog).await;
    let by_hand = by_hand(&catalog).await;
    // Made by a version that gave it none.
    catalog.sql("UPDATE backups SET expires_at = NULL").unwrap();
    catalog.advance(90 * DAY);
    assert_eq!(expired(&catalog).await, [], "nobody could know");
    let over = catalog.clock_now() + TimeDelta::days(30);
    assert_eq!(catalog.backup(safety).await.expires_at, Some(over));
    assert_eq!(catalog.backup(by_hand).await.expires_at, None);
    catalog.clock.set(over);
    assert_eq!(expired(&catalog).await, [safety]);
}

async fn one_that_comes_back_is_kept_anew(catalog: Catalog) {
    let found = Receipt {
        trigger: BackupTrigger::PreRestore,
        ..receipt(&catalog, catalog.id(), None)
    };
    catalog.advance(90 * DAY);
    let adopted = catalog.store.adopt_backup(&found).await.unwrap();
    assert_eq!(adopted.expires_at, Some(catalog.clock_now() + TimeDelta::days(30)));
    assert_eq!(expired(&catalog).await, []);
}

async fn none_goes_while_the_system_is_paused(catalog: Catalog) {
    let safety = safety(&catalog).await;
    by_hand(&catalog).await;
    catalog.advance(31 * DAY);
    catalog.store.pause_system("the storage is moved", None).await.unwrap();
    assert_eq!(expired(&catalog).await, []);
    catalog.store.resume_system().await.unwrap();
    assert_eq!(expired(&catalog).await, [safety]);
}
