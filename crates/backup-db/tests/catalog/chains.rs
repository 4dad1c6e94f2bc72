//! What builds on what: nothing is offered as a base that cannot be restored, and nothing that builds on a broken one looks
//! as if it could be.

use std::collections::HashSet;

use backup_core::chain::{ChainLimits, ChainPlan, WantedBackup, WhyFull, plan};
use backup_core::config::BackupConfig;
use backup_core::{AlertKind, BackupId, BackupSource, BackupType, NewAlert, NewBackup, VerifyLevel};
use backup_db::{BackupOutcome, CompletedBackup, NewVerification, VerificationOutcome};

use crate::fixture::{Catalog, on_both};

on_both!(
    the_newest_good_chain_is_offered,
    a_rare_source_finds_its_base,
    a_broken_base_condemns_all_that_builds_on_it_until_the_next_good_backup,
    of_each_source_it_is_told_and_over_by_itself,
    what_an_earlier_version_told_of_all_sources_ends_with_the_one_that_it_is_of,
    what_was_being_made_of_a_base_is_no_better_than_that,
    what_a_verification_finds_in_a_base_is_told_of_both,
    what_is_missing_is_good_again_once_all_of_it_is_there,
    what_is_missing_breaks_a_chain_only_where_there_is_one,
    what_a_verification_found_is_not_taken_back,
    what_an_earlier_version_called_missing_is_good_again_too,
    how_many_backups_should_be_in_a_storage,
);

/// What the catalog would have the next incremental build on.
async fn base(catalog: &Catalog) -> ChainPlan {
    let source = catalog.new_backup().source;
    let links = catalog.store.chain_links("default", source).await.unwrap();
    let wanted = WantedBackup {
        backup_type: BackupType::Incremental,
        source,
        key_fingerprint: links.first().and_then(|link| link.key_fingerprint.as_deref()),
    };
    // Every backup of the fixture is of the same size.
    let limits = ChainLimits {
        max_weight: 1000,
        ..ChainLimits::default()
    };
    plan(&wanted, &links, limits)
}

async fn next(catalog: &Catalog, base: Option<BackupId>) -> BackupId {
    catalog.advance(1);
    catalog.completed(base).await
}

async fn the_newest_good_chain_is_offered(catalog: Catalog) {
    assert_eq!(base(&catalog).await, ChainPlan::Full(WhyFull::NoBase));
    let full = next(&catalog, None).await;
    let first = next(&catalog, Some(full)).await;
    let second = next(&catalog, Some(first)).await;
    assert_eq!(base(&catalog).await, ChainPlan::On(second));
    catalog.store.begin_delete(second, false).await.unwrap();
    assert_eq!(base(&catalog).await, ChainPlan::On(first));
    let source = catalog.new_backup().source;
    assert_eq!(catalog.store.chain_links("another", source).await.unwrap(), []);
}

/// However many there are of another source meanwhile.
async fn a_rare_source_finds_its_base(catalog: Catalog) {
    let files = next(&catalog, None).await;
    let source = catalog.new_backup().source;
    let links = async |source| catalog.store.chain_links("default", source).await.unwrap();
    let ids = async |source| links(source).await.iter().map(|link| link.id).collect::<Vec<_>>();
    assert_eq!(ids(source).await, [files]);
    // Of those that it has none of, one of another source says that there are such.
    assert_eq!(ids(BackupSource::Config).await, [files]);
    let mut newest = Vec::new();
    for _ in 0..501 {
        catalog.advance(1);
        let new = NewBackup {
            source: BackupSource::Database,
            ..catalog.new_backup()
        };
        newest.push(catalog.store.create_backup(new).await.unwrap().id);
        let lease = catalog.claim().await.unwrap().lease;
        let done = BackupOutcome::Completed(Box::new(catalog.results(1_000)));
        catalog.store.finish_backup(&lease, done).await.unwrap();
    }
    assert_eq!(ids(source).await, [files]);
    assert_eq!(ids(BackupSource::Database).await.len(), 500);
    assert_eq!(ids(BackupSource::Config).await, newest[500..]);
}

async fn a_broken_base_condemns_all_that_builds_on_it_until_the_next_good_backup(catalog: Catalog) {
    let old = next(&catalog, None).await;
    let full = next(&catalog, None).await;
    let first = next(&catalog, Some(full)).await;
    let second = next(&catalog, Some(first)).await;
    catalog.store.condemn_backup(full, "its archive is gone").await.unwrap();
    for id in [full, first, second] {
        let error = catalog.backup(id).await.verify_error.unwrap();
        assert!(error.contains("its archive is gone"), "{error}");
    }
    assert!(
        catalog
            .backup(second)
            .await
            .verify_error
            .unwrap()
            .contains(&full.to_string())
    );
    assert_eq!(catalog.backup(old).await.verify_error, None);
    assert_eq!(base(&catalog).await, ChainPlan::On(old));
    let alert = catalog.open_alert(AlertKind::ChainBroken).await.unwrap();
    assert_eq!(
        (alert.subject.as_str(), alert.details["dependents"].as_str()),
        ("default FULL_SYSTEM", "2")
    );
    // One that is gone is nobody's business.
    catalog.store.condemn_backup(catalog.id(), "gone").await.unwrap();
    let good = next(&catalog, Some(old)).await;
    assert_eq!(catalog.open_alert(AlertKind::ChainBroken).await, None);
    assert_eq!(base(&catalog).await, ChainPlan::On(good));
}

/// A COMPLETED backup of this source that builds on `base`.
async fn next_of(catalog: &Catalog, source: BackupSource, base: Option<BackupId>) -> BackupId {
    catalog.advance(1);
    let new = NewBackup {
        source,
        ..catalog.new_backup()
    };
    let id = catalog.store.create_backup(new).await.unwrap().id;
    let lease = catalog.claim().await.unwrap().lease;
    let backup_type = if base.is_some() {
        BackupType::Incremental
    } else {
        BackupType::Full
    };
    catalog.store.set_base(&lease, backup_type, base).await.unwrap();
    let done = CompletedBackup {
        backup_type,
        base_id: base,
        ..catalog.results(1_000)
    };
    let done = BackupOutcome::Completed(Box::new(done));
    catalog.store.finish_backup(&lease, done).await.unwrap();
    id
}

/// The subjects of the open alerts.
async fn broken(catalog: &Catalog) -> Vec<String> {
    let open = catalog.store.open_alerts(AlertKind::ChainBroken).await.unwrap();
    open.into_iter().map(|alert| alert.subject).collect()
}

async fn of_each_source_it_is_told_and_over_by_itself(catalog: Catalog) {
    let config = BackupConfig {
        notification_emails: vec!["ops@example.org".to_owned()],
        ..BackupConfig::defaults("default", catalog.clock_now())
    };
    catalog.store.put_config(&config).await.unwrap();
    let (database, files) = (BackupSource::Database, BackupSource::Files);
    let rows = next_of(&catalog, database, None).await;
    let photos = next_of(&catalog, files, None).await;
    for (source, base) in [(database, rows), (files, photos)] {
        next_of(&catalog, source, Some(base)).await;
    }
    catalog.advance(1);
    catalog.store.condemn_backup(rows, "bits flipped").await.unwrap();
    catalog.advance(1);
    catalog.store.miss_backup(photos, "its receipt is gone").await.unwrap();
    assert_eq!(broken(&catalog).await, ["default DATABASE", "default FILES"]);
    let told = catalog.store.list_notifications(100).await.unwrap();
    assert_eq!(told.len(), 2, "each is told: {told:?}");
    next_of(&catalog, database, None).await;
    assert_eq!(broken(&catalog).await, ["default FILES"]);
    catalog.store.condemn_backup(rows, "bits flipped").await.unwrap();
    assert_eq!(found_again(&catalog, "default", &[photos]).await, [photos]);
    assert_eq!(broken(&catalog).await, ["default DATABASE"]);
    next_of(&catalog, database, None).await;
    assert_eq!(broken(&catalog).await, Vec::<String>::new());
}

async fn what_an_earlier_version_told_of_all_sources_ends_with_the_one_that_it_is_of(catalog: Catalog) {
    let (database, files) = (BackupSource::Database, BackupSource::Files);
    let rows = next_of(&catalog, database, None).await;
    let photos = next_of(&catalog, files, None).await;
    for (source, base) in [(database, rows), (files, photos)] {
        next_of(&catalog, source, Some(base)).await;
    }
    let told = NewAlert::new(AlertKind::ChainBroken, "default", "it cannot be restored").with("source", files);
    catalog.store.raise_alert(told).await.unwrap();
    catalog.store.condemn_backup(photos, "bits flipped").await.unwrap();
    assert_eq!(broken(&catalog).await, ["default"], "it is told already");
    catalog.advance(1);
    catalog.store.condemn_backup(rows, "bits flipped").await.unwrap();
    assert_eq!(broken(&catalog).await, ["default", "default DATABASE"]);
    next_of(&catalog, database, None).await;
    assert_eq!(broken(&catalog).await, ["default"]);
    next_of(&catalog, files, None).await;
    assert_eq!(broken(&catalog).await, Vec::<String>::new());
}

/// What was found of the base meanwhile could not be said of a backup that was not there yet.
async fn what_was_being_made_of_a_base_is_no_better_than_that(catalog: Catalog) {
    let full = next(&catalog, None).await;
    let kind = BackupType::Incremental;
    let begin = async || {
        catalog.advance(1);
        let (id, lease) = catalog.running().await;
        catalog.store.set_base(&lease, kind, Some(full)).await.unwrap();
        (id, lease)
    };
    let end = async |lease| {
        catalog.advance(1);
        let done = CompletedBackup {
            backup_type: kind,
            base_id: Some(full),
            ..catalog.results(1_000)
        };
        let done = BackupOutcome::Completed(Box::new(done));
        catalog.store.finish_backup(&lease, done).await.unwrap();
    };
    let (first, lease) = begin().await;
    catalog.store.condemn_backup(full, "bits flipped").await.unwrap();
    end(lease).await;
    let error = catalog.backup(first).await.verify_error.unwrap();
    assert!(
        error.contains("bits flipped") && error.contains(&full.to_string()),
        "{error}"
    );
    let alert = catalog.open_alert(AlertKind::ChainBroken).await;
    assert!(alert.is_some(), "nothing that can be restored has come to be");
    assert_eq!(base(&catalog).await, ChainPlan::Full(WhyFull::BaseBroken));

    // The same of a base that is missing, for as long as it is.
    verify(&catalog, full, VerificationOutcome::Passed).await;
    next(&catalog, None).await;
    assert_eq!(catalog.open_alert(AlertKind::ChainBroken).await, None);
    let (second, lease) = begin().await;
    catalog.store.miss_backup(full, "its receipt is gone").await.unwrap();
    end(lease).await;
    assert!(catalog.backup(second).await.verify_error.is_some());
    assert!(catalog.open_alert(AlertKind::ChainBroken).await.is_some());
    let all = [full, second];
    assert_eq!(found_again(&catalog, "default", &all).await, all);
    assert_eq!(catalog.backup(second).await.verify_error, None);
}

/// A verification of this backup comes to this end.
async fn verify(catalog: &Catalog, backup_id: BackupId, outcome: VerificationOutcome) {
    let new = NewVerification {
        id: catalog.id(),
        backup_id,
        level: VerifyLevel::Content,
        created_by: None,
    };
    catalog.store.create_verification(new).await.unwrap();
    let lease = catalog.claim().await.unwrap().lease;
    catalog.store.finish_verification(&lease, outcome).await.unwrap();
}

fn damaged(in_base: Option<BackupId>) -> VerificationOutcome {
    VerificationOutcome::Found {
        problem: "damaged".to_owned(),
        in_base,
    }
}

/// Backups of a configuration were looked for just now, and these are there.
async fn found_again(catalog: &Catalog, config_key: &str, there: &[BackupId]) -> Vec<BackupId> {
    let there: HashSet<BackupId> = there.iter().copied().collect();
    catalog
        .store
        .found_again(&[config_key.to_owned()], there)
        .await
        .unwrap()
}

async fn what_a_verification_finds_in_a_base_is_told_of_both(catalog: Catalog) {
    let full = next(&catalog, None).await;
    let first = next(&catalog, Some(full)).await;
    let other = next(&catalog, Some(full)).await;
    verify(&catalog, first, damaged(Some(full))).await;
    for id in [full, first, other] {
        assert!(catalog.backup(id).await.verify_error.is_some());
    }
    assert!(catalog.open_alert(AlertKind::ChainBroken).await.is_some());
    assert!(catalog.open_alert(AlertKind::VerificationFailed).await.is_some());
    assert_eq!(base(&catalog).await, ChainPlan::Full(WhyFull::BaseBroken));
}

async fn what_is_missing_is_good_again_once_all_of_it_is_there(catalog: Catalog) {
    let full = next(&catalog, None).await;
    let first = next(&catalog, Some(full)).await;
    let second = next(&catalog, Some(first)).await;
    verify(&catalog, second, VerificationOutcome::Passed).await;
    let before = catalog.backup(second).await;
    catalog.advance(1);
    catalog.store.miss_backup(full, "its receipt is gone").await.unwrap();
    for id in [full, first, second] {
        let error = catalog.backup(id).await.verify_error.unwrap();
        assert!(error.contains("its receipt is gone"), "{error}");
    }
    assert_eq!(base(&catalog).await, ChainPlan::Full(WhyFull::BaseBroken));
    assert!(catalog.open_alert(AlertKind::ChainBroken).await.is_some());
    assert_eq!(catalog.store.monitor().await.unwrap().verify_failed, 3);

    // Nothing is taken back of what is still missing, of what nobody looked for, and of what builds on such a one.
    assert_eq!(found_again(&catalog, "default", &[first, second]).await, []);
    assert_eq!(found_again(&catalog, "another", &[full, first, second]).await, []);
    assert_eq!(found_again(&catalog, "default", &[]).await, []);
    assert!(catalog.backup(full).await.verify_error.is_some());
    assert!(catalog.open_alert(AlertKind::ChainBroken).await.is_some());

    // The full one is back, and one that builds on it is not, or was passed over.
    assert_eq!(found_again(&catalog, "default", &[full, second]).await, [full]);
    assert_eq!(base(&catalog).await, ChainPlan::On(full));
    assert_eq!(catalog.open_alert(AlertKind::ChainBroken).await, None);
    assert!(catalog.backup(second).await.verify_error.is_some());
    let all = [full, first, second];
    assert_eq!(found_again(&catalog, "default", &all).await, [first, second]);
    assert_eq!(
        catalog.backup(second).await,
        before,
        "what its last verification found holds again"
    );
    assert_eq!(base(&catalog).await, ChainPlan::On(second));
    assert_eq!(found_again(&catalog, "default", &all).await, [], "once is enough");
}

async fn what_is_missing_breaks_a_chain_only_where_there_is_one(catalog: Catalog) {
    let full = next(&catalog, None).await;
    catalog.store.miss_backup(full, "its archive is gone").await.unwrap();
    let error = catalog.backup(full).await.verify_error;
    assert_eq!(error.as_deref(), Some("its archive is gone"));
    assert_eq!(catalog.store.monitor().await.unwrap().verify_failed, 1);
    assert_eq!(base(&catalog).await, ChainPlan::Full(WhyFull::BaseBroken));
    assert_eq!(catalog.open_alert(AlertKind::ChainBroken).await, None);

    // What was being made of it meanwhile is there by now.
    let on_it = next(&catalog, Some(full)).await;
    catalog.store.miss_backup(full, "its archive is gone").await.unwrap();
    assert!(catalog.backup(on_it).await.verify_error.is_some());
    let alert = catalog.open_alert(AlertKind::ChainBroken).await.unwrap();
    assert_eq!(alert.details["dependents"], "1");
    assert_eq!(found_again(&catalog, "default", &[full, on_it]).await, [full, on_it]);
    assert_eq!(catalog.open_alert(AlertKind::ChainBroken).await, None);

    // Of damage nothing else tells.
    catalog.store.condemn_backup(on_it, "bits flipped").await.unwrap();
    assert!(catalog.open_alert(AlertKind::ChainBroken).await.is_some());
}

async fn what_a_verification_found_is_not_taken_back(catalog: Catalog) {
    let full = next(&catalog, None).await;
    let first = next(&catalog, Some(full)).await;
    catalog.advance(1);
    verify(&catalog, first, damaged(None)).await;
    catalog.store.miss_backup(full, "its receipt is gone").await.unwrap();
    assert_eq!(catalog.backup(first).await.verify_error.as_deref(), Some("damaged"));
    let all = [full, first];
    assert_eq!(found_again(&catalog, "default", &all).await, [full, first]);
    assert_eq!(catalog.backup(full).await.verify_error, None);
    assert_eq!(catalog.backup(first).await.verify_error.as_deref(), Some("damaged"));
    // Nor what was read of it when something was to build on it.
    catalog.store.condemn_backup(full, "bits flipped").await.unwrap();
    assert_eq!(found_again(&catalog, "default", &all).await, []);
    assert_eq!(catalog.backup(full).await.verify_error.as_deref(), Some("bits flipped"));
    // A verification that passes refutes both.
    catalog.store.miss_backup(full, "its receipt is gone").await.unwrap();
    verify(&catalog, full, VerificationOutcome::Passed).await;
    assert_eq!(catalog.backup(full).await.verify_error, None);
}

async fn what_an_earlier_version_called_missing_is_good_again_too(catalog: Catalog) {
    let full = next(&catalog, None).await;
    let first = next(&catalog, Some(full)).await;
    let other = next(&catalog, None).await;
    catalog.advance(1);
    let said = format!("backup {full} cannot be restored: its receipt is no longer in the storage as it was written");
    catalog.store.condemn_backup(full, &said).await.unwrap();
    catalog.store.condemn_backup(other, "bits flipped").await.unwrap();
    let up = include_str!("../../../../migrations/sqlite/2026-11-27-060000_missing/up.sql");
    catalog.sql(&up[up.find("UPDATE").unwrap()..]).unwrap();
    assert_eq!(catalog.backup(full).await.verify_error, Some(said));
    let all = [full, first, other];
    assert_eq!(found_again(&catalog, "default", &all).await, [full, first]);
    for id in [full, first] {
        let row = catalog.backup(id).await;
        assert_eq!(
            (row.verify_error, row.verified_at, row.verify_level),
            (None, None, None)
        );
    }
    assert_eq!(
        catalog.backup(other).await.verify_error.as_deref(),
        Some("bits flipped")
    );
}

async fn how_many_backups_should_be_in_a_storage(catalog: Catalog) {
    let count = async |key: &str, before| {
        let keys = [key.to_owned(), "another".to_owned()];
        catalog.store.count_completed(&keys, before).await.unwrap()
    };
    let first = next(&catalog, None).await;
    let then = catalog.clock_now();
    catalog.advance(1);
    next(&catalog, Some(first)).await;
    catalog.advance(1);
    let now = catalog.clock_now();
    assert_eq!(count("default", now).await, 2);
    assert_eq!(
        count("default", then).await,
        0,
        "what ended in the very moment is not counted"
    );
    assert_eq!(count("third", now).await, 0);
    catalog.store.begin_delete(first, true).await.unwrap();
    assert_eq!(count("default", now).await, 0, "what is being deleted may be gone");
}
