//! The list of backups: filters, order, page, total.
//!
//! The page's identifiers are found in an index alone, which is chosen by how many backups the filters leave (`totals`): many
//! are met soon in the index of the list's order, few are collected and sorted. A page far behind is found by passing over
//! whole days or sizes (`skip`). Where a text is looked for, `search` finds both.

use backup_core::list::{BackupListOptions, BackupPage, SortBy, SortOrder};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Untyped};

use crate::backups::summaries;
use crate::error::TxResult;
use crate::filter::{Boxed, Way, filtered, has_kinds};
use crate::kinds::collected;
use crate::schema::backups;
use crate::search::search;
use crate::skip::{Part, far};
use crate::store::Tx;
use crate::totals::{TOTAL, count_filtered, of_kinds};
use crate::types::{big, count};
use crate::verbatim::verbatim;
use crate::{Error, Store};

/// So many backups are collected and sorted at the most, where to read on in the list's order may take longer still.
const MANY: u64 = 60_000;

/// From so many rows to be passed over on, whole days or sizes are passed over instead.
const FAR: u64 = 5_000;

impl Store {
    /// One page of backups, and how many there are on all. Backups that are being deleted are not shown.
    pub async fn list_backups(&self, options: &BackupListOptions) -> Result<BackupPage, Error> {
        let options = options.clone();
        if is_head(&options)
            && let Some(page) = self.head(options.clone()).await?
        {
            return Ok(page);
        }
        self.read("list_backups", move |tx| {
            let text = options.query.as_deref().filter(|text| !text.is_empty());
            let (ids, total, total_is_exact) = if let Some(text) = text {
                search(tx, &options, text)?
            } else {
                let total = count_filtered(tx, &options)?;
                let ids = if options.offset < total {
                    page(tx, &options, total)?
                } else {
                    Vec::new()
                };
                (ids, total, true)
            };
            Ok(BackupPage {
                backups: summaries(tx, &ids)?,
                total,
                total_is_exact,
            })
        })
        .await
    }

    /// A page near the beginning of all backups, which is what is asked for most: in two words instead of five, since they
    /// need not see the same state. What is deleted between them is left out. `None` where the page is empty.
    async fn head(&self, options: BackupListOptions) -> Result<Option<BackupPage>, Error> {
        self.glance("list_backups", move |tx| {
            let query = backups::table
                .select((backups::id, verbatim::<Nullable<BigInt>>(TOTAL)))
                .into_boxed();
            let query = ordered(filtered(tx.db, query, &options, Way::Order), &options);
            let query = query.limit(big(options.limit.into())).offset(big(options.offset));
            let rows: Vec<(String, Option<i64>)> = query.load(tx.db)?;
            let Some(total) = rows.first().map(|(_, total)| count(total.unwrap_or(0))) else {
                return Ok(None);
            };
            let ids: Vec<String> = rows.into_iter().map(|(id, _)| id).collect();
            Ok(Some(BackupPage {
                backups: summaries(tx, &ids)?,
                total,
                total_is_exact: true,
            }))
        })
        .await
    }
}

/// Whether a page of all backups lies so near their beginning that it is read in their order.
fn is_head(options: &BackupListOptions) -> bool {
    let is_all = options.query.as_deref().is_none_or(str::is_empty) && collecting(options).is_none();
    is_all && (1..=BackupListOptions::MAX_LIMIT).contains(&options.limit) && options.offset < FAR
}

fn page(tx: &mut Tx<'_>, options: &BackupListOptions, total: u64) -> TxResult<Vec<String>> {
    let left = total.saturating_sub(options.offset);
    let limit = u64::from(options.limit.clamp(1, BackupListOptions::MAX_LIMIT)).min(left);
    let (way, passed) = way(tx, options, total, limit)?;
    if way == Way::Kinds {
        return collected(tx, options, None, big(limit), big(options.offset));
    }
    if way != Way::Order {
        let query = filtered(tx.db, backups::table.select(backups::id).into_boxed(), options, way);
        let query = sorted(query, options).limit(big(limit)).offset(big(options.offset));
        return Ok(query.load(tx.db)?);
    }
    if passed > FAR
        && let Some(parts) = far(tx, options, limit)?
    {
        let mut ids = Vec::new();
        for part in parts {
            ids.extend(read_on(tx, options, part)?);
        }
        return Ok(ids);
    }
    // Whatever lies behind the page is fewer rows to pass over than what lies before it: from the other end then.
    let behind = left - limit;
    let query = filtered(tx.db, backups::table.select(backups::id).into_boxed(), options, way);
    let (query, offset) = if behind < options.offset {
        (backwards(query, options), behind)
    } else {
        (ordered(query, options), options.offset)
    };
    let mut ids: Vec<String> = query.limit(big(limit)).offset(big(offset)).load(tx.db)?;
    if behind < options.offset {
        ids.reverse();
    }
    Ok(ids)
}

/// A part of a page, within the bounds that it was found to lie in.
fn read_on(tx: &mut Tx<'_>, options: &BackupListOptions, part: Part) -> TxResult<Vec<String>> {
    let query = filtered(
        tx.db,
        backups::table.select(backups::id).into_boxed(),
        options,
        Way::Order,
    );
    let query = ordered(part.bound.keep(query, options.sort_by), options);
    Ok(query.limit(big(part.limit)).offset(big(part.offset)).load(tx.db)?)
}

/// How a page of `limit` of the `total` that the filters leave is found soonest, and how many rows of the order's index lie
/// before its end, where the ones that are left are scattered among all.
fn way(tx: &mut Tx<'_>, options: &BackupListOptions, total: u64, limit: u64) -> TxResult<(Way, u64)> {
    let wanted = options.offset + limit;
    let Some(way) = collecting(options) else {
        return Ok((Way::Order, wanted));
    };
    let dated = options.date_from.is_some() || options.date_to.is_some();
    // What is of one schedule or lies between two dates may lie anywhere in another order, and mostly lies together.
    if way == Way::Schedule || (dated && options.sort_by != SortBy::CreatedAt) {
        return Ok((if total <= MANY { way } else { Way::Order }, wanted));
    }
    let among = if dated {
        count_filtered(tx, &without_kinds(options))?
    } else {
        of_kinds(tx, &BackupListOptions::default())?
    };
    let scattered = |rows: u64| {
        let passed = u128::from(rows) * u128::from(among) / u128::from(total.max(1));
        u64::try_from(passed).unwrap_or(u64::MAX)
    };
    let passed = scattered(wanted);
    // Behind whole days or sizes, one of them and the page itself are left to be read.
    let read = passed.min(scattered(limit).saturating_add(FAR));
    Ok((if total < read { way } else { Way::Order }, passed))
}

/// The way to collect all that the filters leave, which looks at no other rows but those of one schedule. `None` where there
/// is no filter.
pub(crate) fn collecting(options: &BackupListOptions) -> Option<Way> {
    if options.schedule_id.is_some() {
        return Some(Way::Schedule);
    }
    let dated = options.date_from.is_some() || options.date_to.is_some();
    match (has_kinds(options), dated) {
        (true, _) => Some(Way::Kinds),
        (false, true) => Some(Way::Dates),
        (false, false) => None,
    }
}

fn without_kinds(options: &BackupListOptions) -> BackupListOptions {
    BackupListOptions {
        date_from: options.date_from,
        date_to: options.date_to,
        ..BackupListOptions::default()
    }
}

/// The order names its columns the way the indexes do; the databases disagree on where nulls stand otherwise.
pub(crate) fn ordered<'a, SqlType: 'a>(query: Boxed<'a, SqlType>, options: &BackupListOptions) -> Boxed<'a, SqlType> {
    by(
        query,
        match (options.sort_by, options.sort_order) {
            (SortBy::CreatedAt, SortOrder::Asc) => "created_at ASC, id ASC",
            (SortBy::CreatedAt, SortOrder::Desc) => "created_at DESC, id DESC",
            (SortBy::CompletedAt, SortOrder::Asc) => "completed_at ASC NULLS LAST, id ASC",
            (SortBy::CompletedAt, SortOrder::Desc) => "completed_at DESC NULLS LAST, id DESC",
            (SortBy::SizeBytes, SortOrder::Asc) => "size_bytes ASC NULLS LAST, id ASC",
            (SortBy::SizeBytes, SortOrder::Desc) => "size_bytes DESC NULLS LAST, id DESC",
        },
    )
}

/// The same order from its other end.
fn backwards<'a, SqlType: 'a>(query: Boxed<'a, SqlType>, options: &BackupListOptions) -> Boxed<'a, SqlType> {
    by(
        query,
        match (options.sort_by, options.sort_order) {
            (SortBy::CreatedAt, SortOrder::Asc) => "created_at DESC, id DESC",
            (SortBy::CreatedAt, SortOrder::Desc) => "created_at ASC, id ASC",
            (SortBy::CompletedAt, SortOrder::Asc) => "completed_at DESC NULLS FIRST, id DESC",
            (SortBy::CompletedAt, SortOrder::Desc) => "completed_at ASC NULLS FIRST, id ASC",
            (SortBy::SizeBytes, SortOrder::Asc) => "size_bytes DESC NULLS FIRST, id DESC",
            (SortBy::SizeBytes, SortOrder::Desc) => "size_bytes ASC NULLS FIRST, id ASC",
        },
    )
}

/// The same order, and never by reading an index in that order: few rows are to be sorted.
pub(crate) fn sorted<'a, SqlType: 'a>(query: Boxed<'a, SqlType>, options: &BackupListOptions) -> Boxed<'a, SqlType> {
    by(query, sorting(options))
}

/// What [`sorted`] sorts by.
pub(crate) fn sorting(options: &BackupListOptions) -> &'static str {
    match (options.sort_by, options.sort_order) {
        (SortBy::CreatedAt, SortOrder::Asc) => "coalesce(backups.created_at, backups.created_at) ASC, backups.id ASC",
        (SortBy::CreatedAt, SortOrder::Desc) => {
            "coalesce(backups.created_at, backups.created_at) DESC, backups.id DESC"
        }
        (SortBy::CompletedAt, SortOrder::Asc) => {
            "coalesce(backups.completed_at, backups.completed_at) ASC NULLS LAST, backups.id ASC"
        }
        (SortBy::CompletedAt, SortOrder::Desc) => {
            "coalesce(backups.completed_at, backups.completed_at) DESC NULLS LAST, backups.id DESC"
        }
        (SortBy::SizeBytes, SortOrder::Asc) => {
            "coalesce(backups.size_bytes, backups.size_bytes) ASC NULLS LAST, backups.id ASC"
        }
        (SortBy::SizeBytes, SortOrder::Desc) => {
            "coalesce(backups.size_bytes, backups.size_bytes) DESC NULLS LAST, backups.id DESC"
        }
    }
}

fn by<'a, SqlType: 'a>(query: Boxed<'a, SqlType>, order: &'static str) -> Boxed<'a, SqlType> {
    query.order(verbatim::<Untyped>(order))
}
