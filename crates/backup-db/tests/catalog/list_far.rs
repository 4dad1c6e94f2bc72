//! Pages far behind, in a catalog that is large enough for whole days and sizes to be passed over, after rows have come,
//! changed and gone.

use backup_core::list::{BackupListOptions, SortBy, SortOrder};
use backup_core::{Backup, BackupType, JobStatus};
use chrono::TimeDelta;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::fixture::{Catalog, on_both, start};
use crate::list::reading;

on_both!(a_list_far_behind_is_what_a_plain_reading_gives);

const ROWS: u32 = 14_000;

/// Rows of every kind: an hour apart and at midnight too, some that have not ended, some that store nothing, sizes of one
/// digit to nine and many of one size.
fn fill(catalog: &Catalog) {
    let sqlite = catalog.url.starts_with("sqlite");
    let (numbers, pad) = if sqlite {
        (
            format!(
                "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) SELECT n FROM s)"
            ),
            "printf('00000000-0000-7000-8000-%012d', n)",
        )
    } else {
        (
            format!("generate_series(1, {ROWS}) AS n"),
            "'00000000-0000-7000-8000-' || lpad(n::text, 12, '0')",
        )
    };
    let at = |seconds: &str| {
        if sqlite {
            format!("strftime('%Y-%m-%d %H:%M:%S', 1767225600 + {seconds}, 'unixepoch')")
        } else {
            format!("to_timestamp(1767225600 + {seconds}) AT TIME ZONE 'UTC'")
        }
    };
    let no = if sqlite { "0" } else { "FALSE" };
    catalog
        .sql(&format!(
            "INSERT INTO backups (id, config_key, name, backup_type, source, \"trigger\", status, progress, current_step, \
             created_at, completed_at, size_bytes, attempts, cancel_requested, warnings, protected, deleting, search_text, \
             storage_path, checksum) \
             SELECT {pad}, CASE WHEN n % 3 = 0 THEN 'shop' ELSE 'default' END, 'n', \
             CASE WHEN n % 5 = 0 THEN 'FULL' ELSE 'INCREMENTAL' END, 'FILES', 'MANUAL', \
             CASE WHEN n % 11 = 0 THEN 'PENDING' WHEN n % 7 = 0 THEN 'FAILED' ELSE 'COMPLETED' END, 0, 'QUEUED', \
             {}, CASE WHEN n % 11 = 0 THEN NULL ELSE {} END, \
             CASE WHEN n % 11 = 0 OR n % 7 = 0 THEN NULL WHEN n % 4 = 0 THEN 4711 WHEN n % 13 = 0 THEN n % 120 \
             ELSE (n * 7919) % 1000003 * (n % 900) END, \
             0, {no}, '[]', {no}, {no}, 'n', 'p', 'c' FROM {numbers}",
            at("n * 3600"),
            at("n * 3600 + (n * 31) % 100000"),
        ))
        .unwrap();
    for change in [
        "UPDATE backups SET size_bytes = size_bytes * 3 + 1 WHERE size_bytes % 17 = 0",
        "UPDATE backups SET completed_at = created_at WHERE id LIKE '%00' AND completed_at IS NOT NULL",
        "UPDATE backups SET status = 'CANCELLED', size_bytes = NULL WHERE id LIKE '%9'",
        "UPDATE backups SET deleting = NOT deleting WHERE id LIKE '%23'",
        "DELETE FROM backups WHERE id LIKE '%45'",
    ] {
        catalog.sql(change).unwrap();
    }
}

fn options() -> impl Strategy<Value = BackupListOptions> {
    let date = || {
        weighted(
            0.3,
            (0..14_000i64, 0..3i64)
                .prop_map(|(hour, more)| start() + TimeDelta::hours(hour) + TimeDelta::minutes(more)),
        )
    };
    (
        (of(select(JobStatus::ALL)), weighted(0.3, select(BackupType::ALL))),
        weighted(0.3, select(vec!["default", "shop"])),
        (date(), date()),
        (1..60u32, prop_oneof![0..14_000u64, 11_000..13_500u64]),
        (select(SortBy::ALL), select(SortOrder::ALL)),
    )
        .prop_map(
            |((status, backup_type), config, dates, (limit, offset), sort)| BackupListOptions {
                status,
                backup_type,
                config_key: config.map(ToOwned::to_owned),
                date_from: dates.0,
                date_to: dates.1,
                limit,
                offset,
                sort_by: sort.0,
                sort_order: sort.1,
                ..BackupListOptions::default()
            },
        )
}

async fn a_list_far_behind_is_what_a_plain_reading_gives(catalog: Catalog) {
    fill(&catalog);
    let mut all: Vec<Backup> = Vec::new();
    loop {
        let page = BackupListOptions {
            limit: 200,
            offset: all.len() as u64,
            ..BackupListOptions::default()
        };
        let page = catalog.store.list_backups(&page).await.unwrap();
        if page.backups.is_empty() {
            assert_eq!(page.total, all.len() as u64);
            break;
        }
        all.extend(page.backups.into_iter().map(|summary| summary.backup));
    }
    let left = u64::from(ROWS) - u64::from(ROWS / 100) * 2;
    assert_eq!(all.len() as u64, left, "140 are being deleted, 140 are gone");

    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = options();
    for case in 0..300 {
        let mut options = strategy.new_tree(&mut runner).unwrap().current();
        let (_, total) = reading(&all, &options);
        if total > 0 && case % 3 != 0 {
            options.offset %= total;
        }
        let (expected, total) = reading(&all, &options);
        let page = catalog.store.list_backups(&options).await.unwrap();
        assert_eq!(page.total, total, "case {case}: {options:?}");
        let found: Vec<_> = page.backups.iter().map(|summary| summary.backup.id).collect();
        let expected: Vec<_> = expected.into_iter().map(|backup| backup.id).collect();
        assert_eq!(found, expected, "case {case}: {options:?}");
    }
}
