//! Retention lets go of what its plan says, and of nothing that somebody still needs.

use std::collections::HashSet;
use std::time::Duration;

use backup_core::restore::{RestoreMode, RestoreOptions};
use backup_core::retention::{Retention, Rule, Verdict};
use backup_core::schedule::{Schedule, Zone};
use backup_core::{
    AlertKind, Backup, BackupId, BackupSource, BackupType, NewAlert, NewBackup, ScheduleId, VerifyLevel,
};
use backup_db::{
    AuditListOptions, BackupOutcome, CompletedBackup, Error, Lease, NewRestore, NewVerification, RetentionScope,
    VerificationOutcome,
};
use chrono::TimeDelta;

use crate::fixture::{Catalog, on_both};

on_both!(
    it_lets_go_of_what_the_preview_says_and_writes_it_down,
    what_a_kept_one_builds_on_stays,
    what_one_outside_builds_on_stays_whether_it_waits_runs_or_is_good,
    what_is_in_use_stays_and_so_does_what_it_builds_on,
    many_go_in_turns_and_none_loses_its_base,
    the_day_on_which_one_expires_follows_the_schedule,
    a_schedule_lets_go_of_its_own_backups_alone,
    what_is_believed_to_be_lost_does_not_go_for_it,
);

const DAY: i64 = 24 * 3_600;

/// A schedule that does not fire.
async fn keeping(catalog: &Catalog, retention_days: u32, max_backups: u32) -> ScheduleId {
    let schedule = Schedule {
        is_enabled: false,
        retention: Retention {
            retention_days,
            max_backups,
            ..Retention::default()
        },
        ..catalog.new_schedule()
    };
    catalog.store.create_schedule(schedule).await.unwrap().id
}

async fn begun(catalog: &Catalog, schedule_id: Option<ScheduleId>, base: Option<BackupId>) -> (BackupId, Lease) {
    let new = NewBackup {
        schedule_id,
        source: BackupSource::Database,
        ..catalog.new_backup()
    };
    let id = catalog.store.create_backup(new).await.unwrap().id;
    let lease = catalog.claim().await.unwrap().lease;
    assert_eq!(lease.id, id.to_string());
    if base.is_some() {
        let kind = BackupType::Incremental;
        catalog.store.set_base(&lease, kind, base).await.unwrap();
    }
    (id, lease)
}

/// A good backup of a schedule, made now.
pub(crate) async fn made(catalog: &Catalog, schedule_id: Option<ScheduleId>, base_id: Option<BackupId>) -> BackupId {
    let (id, lease) = begun(catalog, schedule_id, base_id).await;
    let done = CompletedBackup {
        backup_type: base_id.map_or(BackupType::Full, |_| BackupType::Incremental),
        base_id,
        ..catalog.results(1_000)
    };
    let done = BackupOutcome::Completed(Box::new(done));
    catalog.store.finish_backup(&lease, done).await.unwrap();
    id
}

fn ids(backups: &[Backup]) -> Vec<BackupId> {
    backups.iter().map(|backup| backup.id).collect()
}

async fn expire(catalog: &Catalog, schedule: ScheduleId) -> Vec<BackupId> {
    let gone = catalog.store.expire_backups(schedule).await.unwrap();
    assert!(gone.iter().all(|backup| backup.deleting));
    ids(&gone)
}

async fn verify(catalog: &Catalog, backup_id: BackupId) -> Lease {
    let new = NewVerification {
        id: catalog.id(),
        backup_id,
        level: VerifyLevel::Content,
        created_by: None,
    };
    catalog.store.create_verification(new).await.unwrap();
    catalog.claim().await.unwrap().lease
}

/// Every backup that is there has what it builds on.
async fn nothing_lost_its_base(catalog: &Catalog, all: &[BackupId]) {
    let gone: HashSet<BackupId> = ids(&catalog.store.deleting().await.unwrap()).into_iter().collect();
    for id in all.iter().filter(|id| !gone.contains(id)) {
        let base = catalog.backup(*id).await.base_id;
        assert!(base.is_none_or(|base| !gone.contains(&base)), "{id} lost its base");
    }
}

async fn it_lets_go_of_what_the_preview_says_and_writes_it_down(catalog: Catalog) {
    let schedule = keeping(&catalog, 7, 3).await;
    let mut all = Vec::new();
    for _ in 0..10 {
        all.push(made(&catalog, Some(schedule), None).await);
        catalog.advance(DAY);
    }
    catalog.store.set_protected(all[0], true).await.unwrap();
    // The newest cannot be restored: it takes no other one's place.
    let lease = verify(&catalog, all[9]).await;
    let found = VerificationOutcome::Found {
        problem: "damaged".to_owned(),
        in_base: None,
    };
    catalog.store.finish_verification(&lease, found).await.unwrap();
    let scope = RetentionScope::Schedule(schedule);
    let preview = catalog.store.plan_retention(scope.clone(), None).await.unwrap();
    assert_eq!(preview.len(), 10);
    assert_eq!(catalog.store.deleting().await.unwrap(), [], "a preview changes nothing");
    let generous = Retention {
        max_backups: 1_000,
        retention_days: 1_000,
        ..Retention::default()
    };
    let other = catalog.store.plan_retention(scope, Some(generous)).await.unwrap();
    assert!(
        other.iter().all(|decision| decision.verdict == Verdict::Keep),
        "tried before it is set"
    );
    let everything = RetentionScope::Config("default".to_owned(), Zone::UTC);
    let of_config = catalog.store.plan_retention(everything, Some(generous)).await.unwrap();
    assert_eq!(of_config, other);

    let gone = expire(&catalog, schedule).await;
    let mut planned: Vec<BackupId> = preview
        .iter()
        .filter(|decision| decision.verdict == Verdict::Expire)
        .map(|decision| decision.backup_id)
        .collect();
    planned.reverse();
    assert_eq!(gone, planned);
    // Kept: the protected one, three good ones, and the young one that is not good.
    assert_eq!(gone, all[1..6]);
    let rules = &preview
        .iter()
        .find(|decision| decision.backup_id == all[8])
        .unwrap()
        .rules;
    assert!(rules.contains(&Rule::LastGood));
    for id in &gone {
        let options = AuditListOptions {
            resource_id: Some(id.to_string()),
            limit: 9,
            ..AuditListOptions::default()
        };
        let page = catalog.store.list_audit(&options).await.unwrap();
        assert_eq!(page.total, 1);
        let entry = &page.entries[0];
        assert_eq!((entry.action.as_str(), entry.user_id), ("BACKUP_EXPIRE", None));
        assert!(entry.description.contains("每小時"), "{}", entry.description);
    }
    assert_eq!(expire(&catalog, schedule).await, [], "once is enough");
    // The process dies here: another one finds what is to be removed.
    let other = catalog.another().await;
    assert_eq!(ids(&other.deleting().await.unwrap()), gone);
    assert_eq!(catalog.store.get_schedule(schedule).await.unwrap().unwrap().backups, 5);
    assert_eq!(
        catalog.store.expire_backups(catalog.id()).await.unwrap(),
        [],
        "no such schedule"
    );
}

async fn what_a_kept_one_builds_on_stays(catalog: Catalog) {
    let schedule = keeping(&catalog, 5, 1_000).await;
    let full = made(&catalog, Some(schedule), None).await;
    let first = made(&catalog, Some(schedule), Some(full)).await;
    let lone = made(&catalog, Some(schedule), Some(full)).await;
    catalog.advance(6 * DAY);
    let second = made(&catalog, Some(schedule), Some(first)).await;
    assert_eq!(expire(&catalog, schedule).await, [lone]);
    catalog.store.finish_delete(lone).await.unwrap();
    catalog.advance(6 * DAY);
    made(&catalog, Some(schedule), None).await;
    assert_eq!(
        expire(&catalog, schedule).await,
        [second, first, full],
        "dependents before their bases"
    );
}

async fn what_one_outside_builds_on_stays_whether_it_waits_runs_or_is_good(catalog: Catalog) {
    let schedule = keeping(&catalog, 1, 1_000).await;
    let full = made(&catalog, Some(schedule), None).await;
    // Asked for by hand.
    let (outside, lease) = begun(&catalog, None, Some(full)).await;
    catalog.advance(1);
    let newest = made(&catalog, Some(schedule), None).await;
    catalog.advance(2 * DAY);
    assert_eq!(expire(&catalog, schedule).await, [], "it runs");
    catalog.store.release(&lease).await.unwrap();
    assert_eq!(expire(&catalog, schedule).await, [], "it waits");
    let lease = catalog.claim().await.unwrap().lease;
    let done = CompletedBackup {
        backup_type: BackupType::Incremental,
        base_id: Some(full),
        ..catalog.results(1)
    };
    let done = BackupOutcome::Completed(Box::new(done));
    catalog.store.finish_backup(&lease, done).await.unwrap();
    assert_eq!(expire(&catalog, schedule).await, [], "it is good");
    catalog.store.begin_delete(outside, false).await.unwrap();
    assert_eq!(expire(&catalog, schedule).await, [], "its file is still there");
    catalog.store.finish_delete(outside).await.unwrap();
    assert_eq!(expire(&catalog, schedule).await, [full]);
    assert!(!catalog.backup(newest).await.deleting);
}

async fn what_is_in_use_stays_and_so_does_what_it_builds_on(catalog: Catalog) {
    let schedule = keeping(&catalog, 1, 1_000).await;
    let full = made(&catalog, Some(schedule), None).await;
    let first = made(&catalog, Some(schedule), Some(full)).await;
    let second = made(&catalog, Some(schedule), Some(first)).await;
    let alone = made(&catalog, Some(schedule), None).await;
    let all = [full, first, second, alone];
    catalog.advance(2 * DAY);
    made(&catalog, Some(schedule), None).await;
    let options = RestoreOptions {
        restore_database: true,
        restore_files: false,
        restore_config: false,
        target_database: Some("new".to_owned()),
        target_dir: None,
        mode: RestoreMode::New,
        paths: Vec::new(),
        tables: Vec::new(),
        safety_backup: false,
        skip_owner: false,
        skip_tablespaces: false,
        keep_old_hours: 72,
    };
    let restore = NewRestore {
        id: catalog.id(),
        backup_id: first,
        options,
        created_by: None,
    };
    let restore = catalog.store.create_restore(restore).await.unwrap().id;
    let reading = catalog
        .store
        .begin_reading(alone, Duration::from_mins(1))
        .await
        .unwrap();
    // Nobody needs the second; the first is being restored, which reads the full one too.
    assert_eq!(expire(&catalog, schedule).await, [second]);
    nothing_lost_its_base(&catalog, &all).await;
    catalog.store.finish_delete(second).await.unwrap();
    assert_eq!(expire(&catalog, schedule).await, []);
    catalog.store.cancel_restore(restore).await.unwrap();
    assert_eq!(expire(&catalog, schedule).await, [first, full]);
    catalog.store.end_reading(reading).await.unwrap();
    assert_eq!(expire(&catalog, schedule).await, [alone]);
}

async fn many_go_in_turns_and_none_loses_its_base(catalog: Catalog) {
    let schedule = keeping(&catalog, 1, 1_000).await;
    let full = made(&catalog, Some(schedule), None).await;
    let mut all = vec![full];
    for _ in 0..205 {
        all.push(made(&catalog, Some(schedule), Some(full)).await);
        catalog.advance(1);
    }
    catalog.advance(2 * DAY);
    made(&catalog, Some(schedule), None).await;
    let gone: HashSet<BackupId> = expire(&catalog, schedule).await.into_iter().collect();
    assert_eq!(gone.len(), 200);
    nothing_lost_its_base(&catalog, &all).await;
    // Somebody protects one of those that are left: it is still whole, and stays so.
    let left = *all[1..].iter().find(|id| !gone.contains(id)).unwrap();
    catalog.store.set_protected(left, true).await.unwrap();
    assert_eq!(expire(&catalog, schedule).await.len(), 4);
    assert_eq!(expire(&catalog, schedule).await, []);
    nothing_lost_its_base(&catalog, &all).await;
    assert!(!catalog.backup(full).await.deleting);
}

async fn the_day_on_which_one_expires_follows_the_schedule(catalog: Catalog) {
    let id = keeping(&catalog, 7, 1_000).await;
    let backup = made(&catalog, Some(id), None).await;
    let created_at = catalog.backup(backup).await.created_at;
    assert_eq!(
        catalog.backup(backup).await.expires_at,
        Some(created_at + TimeDelta::days(7))
    );
    let seen = catalog.schedule(id).await;
    let longer = Schedule {
        retention: Retention {
            retention_days: 90,
            ..seen.retention
        },
        ..seen.clone()
    };
    catalog.store.update_schedule(&seen, longer).await.unwrap();
    assert_eq!(expire(&catalog, id).await, []);
    assert_eq!(
        catalog.backup(backup).await.expires_at,
        Some(created_at + TimeDelta::days(90))
    );
}

async fn a_schedule_lets_go_of_its_own_backups_alone(catalog: Catalog) {
    let schedule = keeping(&catalog, 1, 1).await;
    let other = keeping(&catalog, 1, 1).await;
    let by_hand = made(&catalog, None, None).await;
    let others = made(&catalog, Some(other), None).await;
    let old = made(&catalog, Some(schedule), None).await;
    catalog.advance(9 * DAY);
    assert_eq!(
        expire(&catalog, schedule).await,
        [],
        "the newest good one stays, however old"
    );
    made(&catalog, Some(schedule), None).await;
    assert_eq!(expire(&catalog, schedule).await, [old]);
    for id in [by_hand, others] {
        assert!(!catalog.backup(id).await.deleting);
    }
    let unknown = catalog
        .store
        .plan_retention(RetentionScope::Schedule(catalog.id()), None)
        .await;
    assert!(matches!(unknown, Err(Error::NotFound { .. })), "{unknown:?}");
}

async fn what_is_believed_to_be_lost_does_not_go_for_it(catalog: Catalog) {
    let schedule = Schedule {
        is_enabled: false,
        retention: Retention {
            retention_days: 1,
            max_backups: 1,
            keep_daily: Some(9),
            ..Retention::default()
        },
        ..catalog.new_schedule()
    };
    let schedule = catalog.store.create_schedule(schedule).await.unwrap().id;
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(made(&catalog, Some(schedule), None).await);
        catalog.advance(DAY);
    }
    // The storage was away for a while, and a verification ran then.
    catalog.store.miss_backup(all[0], "its receipt is gone").await.unwrap();
    let lost = NewAlert::new(AlertKind::BackupLost, all[1], "its archive is gone");
    catalog.store.raise_alert(lost).await.unwrap();
    let lease = verify(&catalog, all[2]).await;
    let found = VerificationOutcome::Found {
        problem: "there is no such backup".to_owned(),
        in_base: None,
    };
    catalog.store.finish_verification(&lease, found).await.unwrap();
    assert_eq!(expire(&catalog, schedule).await, []);
    let preview = catalog
        .store
        .plan_retention(RetentionScope::Schedule(schedule), None)
        .await
        .unwrap();
    for decision in &preview[2..] {
        assert_eq!(decision.rules, [Rule::KeepDaily], "{decision:?}");
    }
    // Those that are too old for the policy, good or bad, go as ever.
    for _ in 0..7 {
        catalog.advance(DAY);
        made(&catalog, Some(schedule), None).await;
    }
    assert_eq!(expire(&catalog, schedule).await, all[..3]);
}
