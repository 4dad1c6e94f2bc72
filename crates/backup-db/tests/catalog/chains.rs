//! What builds on what: nothing is offered as a base that cannot be restored, and nothing that builds on a broken one looks
//! as if it could be.

use backup_core::chain::{ChainLimits, ChainPlan, WantedBackup, WhyFull, plan};
use backup_core::{AlertKind, BackupId, BackupType, VerifyLevel};
use backup_db::{NewVerification, VerificationOutcome};

use crate::fixture::{Catalog, on_both};

on_both!(
    the_newest_good_chain_is_offered,
    a_broken_base_condemns_all_that_builds_on_it_until_the_next_good_backup,
    what_a_verification_finds_in_a_base_is_told_of_both,
);

/// What the catalog would have the next incremental build on.
async fn base(catalog: &Catalog) -> ChainPlan {
    let links = catalog.store.chain_links("default").await.unwrap();
    let wanted = WantedBackup {
        backup_type: BackupType::Incremental,
        source: catalog.new_backup().source,
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
    assert_eq!(catalog.store.chain_links("another").await.unwrap(), []);
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
        ("default", "2")
    );
    // One that is gone is nobody's business.
    catalog.store.condemn_backup(catalog.id(), "gone").await.unwrap();
    let good = next(&catalog, Some(old)).await;
    assert_eq!(catalog.open_alert(AlertKind::ChainBroken).await, None);
    assert_eq!(base(&catalog).await, ChainPlan::On(good));
}

async fn what_a_verification_finds_in_a_base_is_told_of_both(catalog: Catalog) {
    let full = next(&catalog, None).await;
    let first = next(&catalog, Some(full)).await;
    let other = next(&catalog, Some(full)).await;
    let new = NewVerification {
        id: catalog.id(),
        backup_id: first,
        level: VerifyLevel::Content,
        created_by: None,
    };
    catalog.store.create_verification(new).await.unwrap();
    let lease = catalog.claim().await.unwrap().lease;
    let found = VerificationOutcome::Found {
        problem: "damaged".to_owned(),
        in_base: Some(full),
    };
    catalog.store.finish_verification(&lease, found).await.unwrap();
    for id in [full, first, other] {
        assert!(catalog.backup(id).await.verify_error.is_some());
    }
    assert!(catalog.open_alert(AlertKind::ChainBroken).await.is_some());
    assert!(catalog.open_alert(AlertKind::VerificationFailed).await.is_some());
    assert_eq!(base(&catalog).await, ChainPlan::Full(WhyFull::BaseBroken));
}
