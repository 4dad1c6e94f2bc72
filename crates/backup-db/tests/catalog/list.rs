//! The list gives what a plain reading of its options gives, whatever the filters, the order and the page.

use std::cmp::Ordering;
use std::time::Duration;

use backup_core::config::BackupConfig;
use backup_core::list::{BackupListOptions, SortBy, SortOrder};
use backup_core::{Backup, BackupSource, BackupTrigger, BackupType, JobStatus, NewBackup};
use backup_db::{BackupOutcome, CompletedBackup};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::fixture::{Catalog, on_both, start};

on_both!(any_options_give_what_a_plain_reading_gives);

const DESCRIPTIONS: [&str; 5] = ["", "before the 50% MOVE_1", "每晚備份", "Äpfel\\Birnen", "it's"];
const QUERIES: [&str; 9] = [
    "",
    "full",
    "MOVE_",
    "50%",
    "%",
    "備份",
    "äPFEL\\b",
    "it's",
    "no such thing",
];

const CONFIGS: [&str; 2] = ["default", "shop"];

/// How a backup of the test's catalog came to be.
#[derive(Debug, Clone)]
struct Made {
    status: JobStatus,
    backup_type: BackupType,
    source: BackupSource,
    trigger: BackupTrigger,
    description: &'static str,
    at: i64,
    took: i64,
    size: u64,
    deleting: bool,
}

/// Seconds from the start: many at the same second and exactly at midnight.
fn instant() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..800_000i64,
        (0..9i64).prop_map(|day| day * 86_400 - 7_200),
        Just(1_000)
    ]
}

fn made() -> impl Strategy<Value = Made> {
    (
        select(JobStatus::ALL),
        select(BackupType::ALL),
        select(BackupSource::ALL),
        select(BackupTrigger::ALL),
        select(DESCRIPTIONS.to_vec()),
        (instant(), 0..100_000i64, 0..20u64),
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(status, backup_type, source, trigger, description, (at, took, size), deleting)| Made {
                status,
                backup_type,
                source,
                trigger,
                description,
                at,
                took,
                size,
                deleting,
            },
        )
}

fn options() -> impl Strategy<Value = (BackupListOptions, Option<Index>)> {
    // Half a second beside an instant that is taken, and the instants themselves.
    let date =
        || of((instant(), -1..=1i64).prop_map(|(at, half)| start() + TimeDelta::milliseconds(at * 1_000 + half * 500)));
    (
        of(select(JobStatus::ALL)),
        of(select(BackupType::ALL)),
        prop::option::weighted(0.2, select(BackupSource::ALL)),
        (
            prop::option::weighted(0.2, select(BackupTrigger::ALL)),
            prop::option::weighted(0.3, select(CONFIGS.to_vec())),
        ),
        (date(), date()),
        prop::option::weighted(0.3, select(QUERIES.to_vec())),
        prop_oneof![1..30u32, Just(200)],
        prop_oneof![Just(0u64), 0..100u64],
        (select(SortBy::ALL), select(SortOrder::ALL)),
        prop::option::weighted(0.05, any::<Index>()),
    )
        .prop_map(
            |(status, backup_type, source, (trigger, config), dates, query, limit, offset, sort, id)| {
                let options = BackupListOptions {
                    status,
                    backup_type,
                    source,
                    trigger,
                    config_key: config.map(ToOwned::to_owned),
                    schedule_id: None,
                    date_from: dates.0,
                    date_to: dates.1,
                    query: query.map(ToOwned::to_owned),
                    limit,
                    offset,
                    sort_by: sort.0,
                    sort_order: sort.1,
                };
                (options, id)
            },
        )
}

fn reading<'a>(all: &'a [Backup], options: &BackupListOptions) -> (Vec<&'a Backup>, u64) {
    let is = |wanted: bool| wanted;
    let contains = |backup: &Backup, text: &str| {
        let text = text.to_lowercase();
        let has = |field: &str| field.to_lowercase().contains(&text);
        has(&backup.name) || has(&backup.id.to_string()) || backup.description.as_deref().is_some_and(has)
    };
    let mut found: Vec<&Backup> = all
        .iter()
        .filter(|backup| {
            is(!backup.deleting)
                && options.status.is_none_or(|status| backup.status == status)
                && options.backup_type.is_none_or(|kind| backup.backup_type == kind)
                && options.source.is_none_or(|source| backup.source == source)
                && options.trigger.is_none_or(|trigger| backup.trigger == trigger)
                && options.config_key.as_ref().is_none_or(|key| backup.config_key == *key)
                && options.date_from.is_none_or(|from| backup.created_at >= from)
                && options.date_to.is_none_or(|to| backup.created_at <= to)
                && options.query.as_deref().is_none_or(|text| contains(backup, text))
        })
        .collect();
    let total = found.len() as u64;
    found.sort_by(|left, right| order(left, right, options));
    let page = found
        .into_iter()
        .skip(options.offset as usize)
        .take(options.limit as usize)
        .collect();
    (page, total)
}

fn order(left: &Backup, right: &Backup, options: &BackupListOptions) -> Ordering {
    fn by<T: Ord>(left: Option<T>, right: Option<T>, descending: bool) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) if descending => right.cmp(&left),
            (Some(left), Some(right)) => left.cmp(&right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }
    let descending = options.sort_order == SortOrder::Desc;
    let first = match options.sort_by {
        SortBy::CreatedAt => by(Some(left.created_at), Some(right.created_at), descending),
        SortBy::CompletedAt => by(left.completed_at, right.completed_at, descending),
        SortBy::SizeBytes => by(left.size_bytes, right.size_bytes, descending),
    };
    first.then_with(|| by(Some(left.id), Some(right.id), descending))
}

/// Makes what was drawn, by the ways that there are: asked for, taken up, ended.
async fn make(catalog: &Catalog, made: &Made) {
    let at = |seconds: i64| -> DateTime<Utc> { start() + TimeDelta::seconds(seconds) };
    catalog.clock.set(at(made.at));
    let new = NewBackup {
        backup_type: made.backup_type,
        source: made.source,
        trigger: made.trigger,
        description: (!made.description.is_empty()).then(|| made.description.to_owned()),
        config_key: CONFIGS[made.at as usize % 2].to_owned(),
        ..catalog.new_backup()
    };
    let id = catalog.store.create_backup(new).await.unwrap().id;
    if made.status == JobStatus::Pending {
        return;
    }
    let century = Duration::from_hours(24 * 365 * 100);
    let claimed = catalog.store.claim_job("w", century, 1).await.unwrap().unwrap();
    assert_eq!(claimed.lease.id, id.to_string());
    catalog.clock.set(at(made.at + made.took));
    let outcome = match made.status {
        JobStatus::Completed => BackupOutcome::Completed(Box::new(CompletedBackup {
            backup_type: made.backup_type,
            ..catalog.results(made.size)
        })),
        JobStatus::Failed => BackupOutcome::Failed {
            message: "no".to_owned(),
        },
        JobStatus::Cancelled => BackupOutcome::Cancelled,
        JobStatus::Pending | JobStatus::InProgress => return,
    };
    catalog.store.finish_backup(&claimed.lease, outcome).await.unwrap();
    if made.deleting {
        catalog.store.begin_delete(id, false).await.unwrap();
    }
}

async fn any_options_give_what_a_plain_reading_gives(catalog: Catalog) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut drawn = vec(made(), 250).new_tree(&mut runner).unwrap().current();
    // Those that wait come last, so that every claim finds the one that was just made.
    drawn.sort_by_key(|made| made.status == JobStatus::Pending);
    let shop = BackupConfig::defaults("shop", start());
    catalog.store.put_config(&shop).await.unwrap();
    for made in &drawn {
        make(&catalog, made).await;
    }
    let everything = BackupListOptions {
        limit: 200,
        ..BackupListOptions::default()
    };
    let mut all = Vec::new();
    for offset in [0, 200] {
        let page = catalog
            .store
            .list_backups(&BackupListOptions {
                offset,
                ..everything.clone()
            })
            .await
            .unwrap();
        all.extend(page.backups.into_iter().map(|summary| summary.backup));
    }
    let deleting = catalog.store.deleting().await.unwrap();
    assert!(!deleting.is_empty());
    assert_eq!(all.len() + deleting.len(), drawn.len());
    all.extend(deleting);

    let strategy = options();
    for case in 0..400 {
        let (mut options, one) = strategy.new_tree(&mut runner).unwrap().current();
        if let Some(index) = one {
            options.query = Some(index.get(&all).id.to_string().to_uppercase());
        }
        let page = catalog.store.list_backups(&options).await.unwrap();
        let (expected, total) = reading(&all, &options);
        assert_eq!(page.total, total, "case {case}: {options:?}");
        let ids = |backups: Vec<&Backup>| -> Vec<_> { backups.into_iter().map(|backup| backup.id).collect() };
        let found = page.backups.iter().map(|summary| &summary.backup).collect();
        assert_eq!(ids(found), ids(expected), "case {case}: {options:?}");
    }
    let expected: u64 = all
        .iter()
        .filter(|backup| backup.status == JobStatus::Completed && !backup.deleting)
        .filter_map(|backup| backup.size_bytes)
        .sum();
    assert_eq!(catalog.store.usage().await.unwrap().total_size_bytes, expected);
    let by_config = catalog.store.usage_by_config().await.unwrap();
    assert_eq!(
        by_config.iter().map(|usage| usage.total_size_bytes).sum::<u64>(),
        expected
    );
    assert_eq!(
        by_config
            .iter()
            .map(|usage| usage.config_key.as_str())
            .collect::<Vec<_>>(),
        CONFIGS
    );
}
