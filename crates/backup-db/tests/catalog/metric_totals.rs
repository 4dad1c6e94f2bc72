//! What ever came of backups is counted once for each, and nothing that is deleted takes it back.

use std::time::Duration;

use backup_core::config::BackupConfig;
use backup_core::{BackupId, JobStatus};
use backup_db::{BackupOutcome, CancelResult, CompletedBackup, EndedBackups, Finished, Histogram, Lease};
use chrono::TimeDelta;

use crate::deletion::receipt;
use crate::fixture::{Catalog, on_both, start};

on_both!(
    a_configuration_has_zeros_before_its_first_backup,
    every_end_of_a_backup_counts_once,
    nothing_that_is_deleted_takes_anything_back,
    the_buckets_hold_all_that_is_not_above_them,
    a_receipt_counts_where_it_ends_a_backup,
    a_rebuilt_catalog_counts_what_it_makes_itself,
    an_old_catalog_goes_on_from_what_it_has,
);

const MIGRATION: &str = "2026-11-27-050000_metric_totals";

/// What came of the backups of a configuration that is there.
async fn ended(catalog: &Catalog, key: &str) -> EndedBackups {
    let all = catalog.store.ended_backups().await.unwrap();
    all.into_iter().find(|one| one.config_key == key).unwrap()
}

/// How many ended COMPLETED, FAILED and CANCELLED.
async fn counts(catalog: &Catalog) -> (u64, u64, u64) {
    let all = ended(catalog, "default").await;
    (all.completed, all.failed, all.cancelled)
}

fn failed() -> BackupOutcome {
    BackupOutcome::Failed {
        message: "no".to_owned(),
    }
}

async fn finish(catalog: &Catalog, lease: &Lease, outcome: BackupOutcome) -> Finished {
    catalog.store.finish_backup(lease, outcome).await.unwrap()
}

/// A good backup that takes so long and stores so much.
async fn good(catalog: &Catalog, took: TimeDelta, size_bytes: u64) -> BackupId {
    let (id, lease) = catalog.running().await;
    catalog.clock.advance(took);
    let done = BackupOutcome::Completed(Box::new(catalog.results(size_bytes)));
    assert_eq!(finish(catalog, &lease, done).await, Finished::Now);
    id
}

/// How many of the histogram are not above this bound.
fn up_to(histogram: &Histogram, bound: u64) -> u64 {
    let bucket = histogram.buckets.iter().find(|(upper, _)| *upper == bound);
    bucket.unwrap().1
}

async fn a_configuration_has_zeros_before_its_first_backup(catalog: Catalog) {
    let keys = async || -> Vec<String> {
        let all = catalog.store.ended_backups().await.unwrap();
        for one in &all {
            assert_eq!((one.completed, one.failed, one.cancelled), (0, 0, 0));
            for histogram in [&one.duration_millis, &one.size_bytes] {
                assert_eq!((histogram.count, histogram.sum), (0, 0));
                assert!(histogram.buckets.iter().all(|(_, numbers)| *numbers == 0));
            }
        }
        all.into_iter().map(|one| one.config_key).collect()
    };
    assert_eq!(keys().await, ["default"]);
    for key in ["shop", "default"] {
        let config = BackupConfig::defaults(key, start());
        catalog.store.put_config(&config).await.unwrap();
    }
    assert_eq!(keys().await, ["default", "shop"]);
}

async fn every_end_of_a_backup_counts_once(catalog: Catalog) {
    // By its worker, whose answer is lost on the way: it says so again.
    for (outcome, expected) in [
        (BackupOutcome::Completed(Box::new(catalog.results(5))), (1, 0, 0)),
        (failed(), (1, 1, 0)),
        (BackupOutcome::Cancelled, (1, 1, 1)),
    ] {
        let (_, lease) = catalog.running().await;
        for finished in [Finished::Now, Finished::Before, Finished::Before] {
            assert_eq!(finish(&catalog, &lease, outcome.clone()).await, finished);
        }
        assert_eq!(counts(&catalog).await, expected);
    }
    // Asked to stop while it runs, it ends when its worker says so.
    let (id, lease) = catalog.running().await;
    assert_eq!(catalog.store.cancel_backup(id).await.unwrap(), CancelResult::Requested);
    assert_eq!(counts(&catalog).await, (1, 1, 1));
    finish(&catalog, &lease, BackupOutcome::Cancelled).await;
    assert_eq!(counts(&catalog).await, (1, 1, 2));
    // And those that no worker ends.
    let waiting = catalog.pending().await.id;
    assert_eq!(
        catalog.store.cancel_backup(waiting).await.unwrap(),
        CancelResult::Cancelled
    );
    catalog.store.cancel_backup(waiting).await.unwrap_err();
    assert_eq!(counts(&catalog).await, (1, 1, 3));
    catalog.pending().await;
    let fail = async || catalog.store.fail_waiting("no key", Duration::ZERO).await.unwrap();
    assert_eq!((fail().await, fail().await), (1, 0));
    assert_eq!(counts(&catalog).await, (1, 2, 3));
    // One that is given back has not ended.
    let (_, lease) = catalog.running().await;
    catalog
        .store
        .retry_later(&lease, "later", Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(counts(&catalog).await, (1, 2, 3));
}

async fn nothing_that_is_deleted_takes_anything_back(catalog: Catalog) {
    let shop = BackupConfig::defaults("shop", start());
    catalog.store.put_config(&shop).await.unwrap();
    let mut new = catalog.new_backup();
    "shop".clone_into(&mut new.config_key);
    let of_shop = catalog.store.create_backup(new).await.unwrap().id;
    catalog.end_next(None).await;
    let good = good(&catalog, TimeDelta::seconds(3), 2_000).await;
    catalog.pending().await;
    let bad = catalog.end_next(Some("no")).await;
    let before = catalog.store.ended_backups().await.unwrap();
    for id in [of_shop, good, bad] {
        catalog.store.begin_delete(id, false).await.unwrap();
        assert!(catalog.store.finish_delete(id).await.unwrap());
    }
    assert_eq!(catalog.store.ended_backups().await.unwrap(), before);
    catalog.store.delete_config("shop").await.unwrap();
    assert_eq!(catalog.store.ended_backups().await.unwrap(), before, "nor does this");
    assert_eq!(ended(&catalog, "shop").await.size_bytes.sum, 1_000);
}

async fn the_buckets_hold_all_that_is_not_above_them(catalog: Catalog) {
    good(&catalog, TimeDelta::seconds(1), 1_000_000).await;
    good(&catalog, TimeDelta::milliseconds(1_001), 1_000_001).await;
    good(&catalog, TimeDelta::hours(9), 3_000_000_000_000).await;
    // The clock was put back meanwhile.
    good(&catalog, TimeDelta::seconds(-60), 0).await;
    // What came to nothing has no size, and how long it took is nobody's measure.
    let (_, lease) = catalog.running().await;
    catalog.advance(60);
    finish(&catalog, &lease, failed()).await;
    let EndedBackups {
        duration_millis: took,
        size_bytes: size,
        ..
    } = ended(&catalog, "default").await;
    assert_eq!((took.count, took.sum), (4, 1_000 + 1_001 + 9 * 3_600_000));
    assert_eq!((size.count, size.sum), (4, 1_000_000 + 1_000_001 + 3_000_000_000_000));
    for (histogram, bound, expected) in [
        (&took, 1_000, 2),
        (&took, 5_000, 3),
        (&took, 28_800_000, 3),
        (&size, 1_000_000, 2),
        (&size, 10_000_000, 3),
        (&size, 1_000_000_000_000, 3),
    ] {
        assert_eq!(up_to(histogram, bound), expected, "{bound}");
    }
    for histogram in [&took, &size] {
        assert!(
            histogram
                .buckets
                .is_sorted_by(|(low, few), (high, many)| low < high && few <= many),
            "{histogram:?}"
        );
    }
}

async fn a_receipt_counts_where_it_ends_a_backup(catalog: Catalog) {
    let adopt = async |id: BackupId| {
        let found = receipt(&catalog, id, None);
        catalog.store.adopt_backup(&found).await.unwrap()
    };
    // Somebody else's: it ended elsewhere, or in a catalog that was lost.
    adopt(catalog.id()).await;
    assert_eq!(counts(&catalog).await, (0, 0, 0));
    // Its worker holds it; then it is gone, and nobody else will end it.
    let (id, lease) = catalog.running().await;
    assert_eq!(adopt(id).await.status, JobStatus::InProgress);
    assert_eq!(counts(&catalog).await, (0, 0, 0));
    catalog.advance(60);
    for _ in 0..2 {
        assert_eq!(adopt(id).await.status, JobStatus::Completed);
        assert_eq!(counts(&catalog).await, (1, 0, 0));
    }
    catalog.store.finish_backup(&lease, failed()).await.unwrap_err();
    assert_eq!(ended(&catalog, "default").await.size_bytes.sum, 77);
    // Good after all; but that it ended has been counted.
    let (id, lease) = catalog.running().await;
    finish(&catalog, &lease, failed()).await;
    assert_eq!(adopt(id).await.status, JobStatus::Completed);
    assert_eq!(counts(&catalog).await, (1, 1, 0));
    // A worker that takes the job over and finds it done ends it as any other.
    catalog.running().await;
    catalog.advance(60);
    let successor = catalog.claim().await.unwrap();
    assert!(successor.taken_over);
    let found = CompletedBackup::from(&receipt(&catalog, catalog.id(), None));
    finish(&catalog, &successor.lease, BackupOutcome::Completed(Box::new(found))).await;
    assert_eq!(counts(&catalog).await, (2, 1, 0));
}

async fn a_rebuilt_catalog_counts_what_it_makes_itself(catalog: Catalog) {
    catalog.store.begin_rebuild().await.unwrap();
    let receipts = (0..3).map(|_| receipt(&catalog, catalog.id(), None));
    assert_eq!(catalog.store.import_backups(receipts.collect()).await.unwrap(), 3);
    catalog.store.finish_rebuild("from a test", true).await.unwrap();
    assert_eq!(counts(&catalog).await, (0, 0, 0));
    good(&catalog, TimeDelta::seconds(1), 1).await;
    assert_eq!(counts(&catalog).await, (1, 0, 0));
}

async fn an_old_catalog_goes_on_from_what_it_has(catalog: Catalog) {
    let shop = BackupConfig::defaults("shop", start());
    catalog.store.put_config(&shop).await.unwrap();
    // In and at the end of every step of both histograms, and above.
    let minutes = [1, 5, 15, 30, 60, 120, 240, 480].map(|minutes| minutes * 60_000);
    let bounds = [1_000, 5_000, 15_000].into_iter().chain(minutes);
    for (power, bound) in bounds.enumerate() {
        let size = 10u64.pow(u32::try_from(power).unwrap() + 4);
        good(&catalog, TimeDelta::milliseconds(bound), size).await;
        good(&catalog, TimeDelta::milliseconds(bound + 1), size + 1).await;
    }
    good(&catalog, TimeDelta::seconds(-60), 0).await;
    let mut new = catalog.new_backup();
    "shop".clone_into(&mut new.config_key);
    catalog.store.create_backup(new).await.unwrap();
    catalog.end_next(None).await;
    catalog.pending().await;
    catalog.end_next(Some("no")).await;
    let waiting = catalog.pending().await.id;
    catalog.store.cancel_backup(waiting).await.unwrap();
    // One that is about to go has ended too; one that waits has not.
    let going = good(&catalog, TimeDelta::seconds(1), 1).await;
    catalog.store.begin_delete(going, false).await.unwrap();
    catalog.pending().await;
    let before = catalog.store.ended_backups().await.unwrap();
    catalog.redo_migration(MIGRATION);
    let store = catalog.another().await;
    assert_eq!(store.ended_backups().await.unwrap(), before);
    assert_eq!((before[0].completed, before[1].completed), (24, 1));
}
