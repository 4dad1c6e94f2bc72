//! The list gives what a plain reading of its options gives, whatever the filters, the order and the page.

use std::cmp::Ordering;
use std::time::Duration;

use backup_core::config::BackupConfig;
use backup_core::list::{BackupListOptions, SortBy, SortOrder};
use backup_core::{Backup, BackupId, BackupSource, BackupTrigger, BackupType, JobStatus, NewBackup};
use backup_db::{BackupOutcome, CompletedBackup};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::fixture::{Catalog, on_both, start};

on_both!(
    any_options_give_what_a_plain_reading_gives,
    a_search_finds_what_a_plain_reading_finds,
    a_search_finds_what_is_rare_among_many,
);

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

pub(crate) fn reading<'a>(all: &'a [Backup], options: &BackupListOptions) -> (Vec<&'a Backup>, u64) {
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
    let claimed = catalog.store.claim_job("w", century, 1, None).await.unwrap().unwrap();
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

/// Texts of few kinds of letters and dates, so that parts of one stand in another: what patterns, quotations and grams trip over.
fn text() -> impl Strategy<Value = String> {
    let letters = [
        'a', 'B', 'b', '0', '%', '_', '\\', '\'', '"', '*', ':', '&', ' ', '-', '備', '份', 'Ä', '😀', 'é', 'ß',
    ];
    let dates = ["1724-0", "1724-03-07", "-0", "3-07", "1724-13", "1724", "-", "7", "b"];
    prop_oneof![
        3 => vec(select(letters.to_vec()), 1..9).prop_map(String::from_iter),
        1 => vec(select(dates.to_vec()), 1..4).prop_map(|parts| parts.concat()),
    ]
}

async fn described(catalog: &Catalog, description: &str) -> BackupId {
    let new = NewBackup {
        description: Some(description.to_owned()),
        ..catalog.new_backup()
    };
    catalog.store.create_backup(new).await.unwrap().id
}

/// Enough others, made by SQL, that a search does not read them all one by one.
const OTHERS: u32 = 6_000;

/// Copies `id` so often, with this description. The copies are older, and so in most orders behind.
fn copy(catalog: &Catalog, id: BackupId, description: &str, prefix: &str, count: u32) {
    let (numbers, pad) = match &catalog.url {
        url if url.starts_with("sqlite") => (
            format!(
                "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s)"
            ),
            format!("printf('{prefix}0000-0000-7000-8000-%012d', n)"),
        ),
        _ => (
            format!("generate_series(1, {count}) AS n"),
            format!("'{prefix}0000-0000-7000-8000-' || lpad(n::text, 12, '0')"),
        ),
    };
    let description = description.replace('\'', "''");
    catalog
        .sql(&format!(
            "INSERT INTO backups (id, config_key, name, description, backup_type, source, \"trigger\", status, progress, \
             current_step, created_at, attempts, cancel_requested, warnings, protected, deleting, search_text) \
             SELECT {pad}, config_key, name, '{description}', backup_type, source, \"trigger\", status, progress, \
             current_step, '2026-01-01 00:00:00', attempts, cancel_requested, warnings, protected, deleting, \
             lower(name || '\n' || {pad} || '\n') || '{}' FROM backups, {numbers} WHERE id = '{id}'",
            description.to_lowercase()
        ))
        .unwrap();
}

async fn found(catalog: &Catalog, options: BackupListOptions) -> (Vec<BackupId>, u64, bool) {
    let page = catalog.store.list_backups(&options).await.unwrap();
    let ids = page.backups.iter().map(|summary| summary.backup.id).collect();
    (ids, page.total, page.total_is_exact)
}

fn searching(text: &str) -> BackupListOptions {
    BackupListOptions {
        query: Some(text.to_owned()),
        limit: 200,
        ..BackupListOptions::default()
    }
}

async fn a_search_finds_what_a_plain_reading_finds(catalog: Catalog) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut draw = || text().new_tree(&mut runner).unwrap().current();
    let mut described_so: Vec<(BackupId, String)> = Vec::new();
    // Older than the others, so that reading on in the list's order does not come to them.
    catalog.clock.set("2025-01-01T00:00:00Z".parse().unwrap());
    for _ in 0..120 {
        let text = draw();
        described_so.push((described(&catalog, &text).await, text));
    }
    catalog.clock.set(start());
    let other = described(&catalog, "zzz").await;
    copy(&catalog, other, "zzz", "0000", OTHERS);
    let name = catalog.backup(described_so[0].0).await.name;
    let name_of_others = catalog.backup(other).await.name;
    // Its own identifier may hold what is looked for too.
    let copies = (1..=OTHERS).map(|number| format!("00000000-0000-7000-8000-{number:012}\n"));
    let of_others = format!("{name_of_others}\n{other}\nzzz\n").to_lowercase() + &copies.collect::<String>();
    let common = |id: BackupId| format!("{name}\n{id}\n").to_lowercase();
    for case in 0..250 {
        let mut query = draw();
        if case % 3 == 0 {
            // A part of one of them, in the other case.
            let (_, text) = &described_so[case % described_so.len()];
            query = text.chars().skip(case % 4).take(1 + case % 12).collect::<String>();
            query = if case % 2 == 0 { query.to_uppercase() } else { query };
        }
        let wanted = query.to_lowercase();
        if wanted.is_empty() || of_others.contains(&wanted) {
            continue;
        }
        let mut expected: Vec<BackupId> = described_so
            .iter()
            .filter(|(id, text)| text.to_lowercase().contains(&wanted) || common(*id).contains(&wanted))
            .map(|(id, _)| *id)
            .collect();
        expected.sort_by(|one, other| other.cmp(one));
        let (mut ids, total, exact) = found(&catalog, searching(&query)).await;
        ids.sort_by(|one, other| other.cmp(one));
        assert_eq!(
            (ids, total, exact),
            (expected.clone(), expected.len() as u64, true),
            "{query:?}"
        );
    }
}

async fn a_search_finds_what_is_rare_among_many(catalog: Catalog) {
    let first = described(&catalog, "每晚備份").await;
    copy(&catalog, first, "每晚備份", "0000", OTHERS);
    catalog.clock.set("2025-01-01T00:00:00Z".parse().unwrap());
    let rare = described(&catalog, "升級 42 之前").await;
    for text in [
        "升級 42 之前",
        "升級",
        "級",
        "42 之",
        "前",
        &rare.to_string()[9..],
        &rare.to_string(),
    ] {
        assert_eq!(found(&catalog, searching(text)).await, (vec![rare], 1, true), "{text}");
    }
    for text in ["降級", "升級 43", "備份備份"] {
        assert_eq!(found(&catalog, searching(text)).await, (vec![], 0, true), "{text}");
    }
    // What very many have is counted no further than it is shown.
    let (ids, total, exact) = found(&catalog, searching("備份")).await;
    assert_eq!(
        (ids.len(), ids[0], total, exact),
        (200, first, BackupListOptions::MAX_HITS, false)
    );
    let far = |offset| BackupListOptions {
        offset,
        ..searching("備份")
    };
    assert_eq!(
        found(&catalog, far(BackupListOptions::MAX_HITS - 100)).await.0.len(),
        100
    );
    assert_eq!(
        found(&catalog, far(BackupListOptions::MAX_HITS)).await,
        (vec![], BackupListOptions::MAX_HITS, false)
    );
    let waiting = BackupListOptions {
        status: Some(JobStatus::Failed),
        ..searching("備份")
    };
    assert_eq!(found(&catalog, waiting).await, (vec![], 0, true));
    // What is gone is found no more.
    catalog.store.cancel_backup(rare).await.unwrap();
    catalog.store.begin_delete(rare, false).await.unwrap();
    assert_eq!(found(&catalog, searching("升級")).await, (vec![], 0, true));
    catalog.store.finish_delete(rare).await.unwrap();
    assert_eq!(found(&catalog, searching("升級")).await, (vec![], 0, true));
    let all = BackupListOptions::default();
    assert_eq!(found(&catalog, all).await.1, u64::from(OTHERS) + 1);
}
