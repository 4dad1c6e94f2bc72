//! The list of backups: filters, order, page, total.
//!
//! The total is summed from the counts of each kind, with dates from the daily totals, wherever the filters allow it; only
//! the two days at the ends of a range of dates are counted row by row. A page far behind is found by passing over whole days of these totals. The page's
//! identifiers are found in an index alone, so that rare filters do not read the rows before them. Where a text is looked
//! for, `search` finds both.

use backup_core::list::{BackupListOptions, BackupPage, SortBy, SortOrder};
use chrono::{DateTime, Days, NaiveDateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Untyped};

use crate::backups::summaries;
use crate::error::TxResult;
use crate::pool::Db;
use crate::schema::{backup_counts, backup_totals, backups};
use crate::search::search;
use crate::store::Tx;
use crate::types::{big, count};
use crate::{Error, Store};

type Backend = <Db as diesel::connection::Connection>::Backend;
pub(crate) type Boxed<'a, SqlType> = backups::BoxedQuery<'a, Backend, SqlType>;

impl Store {
    /// One page of backups, and how many there are on all. Backups that are being deleted are not shown.
    pub async fn list_backups(&self, options: &BackupListOptions) -> Result<BackupPage, Error> {
        let options = options.clone();
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
}

/// Where a page begins: after `offset` more rows on this side of a day's first instant.
struct Start {
    offset: u64,
    bound: Option<Bound>,
}

#[derive(Clone, Copy)]
enum Bound {
    NotBefore(NaiveDateTime),
    Before(NaiveDateTime),
}

/// From this many rows on, passing over days is cheaper than passing over rows.
const FAR: u64 = 50;

/// Passes over the days whose backups all lie before the page, where the daily totals can say so.
fn start(tx: &mut Tx<'_>, options: &BackupListOptions) -> TxResult<Start> {
    let plain = Start {
        offset: options.offset,
        bound: None,
    };
    let Some((from, to)) = days_in_range(options) else {
        return Ok(plain);
    };
    if options.sort_by != SortBy::CreatedAt || options.offset < FAR {
        return Ok(plain);
    }
    let ascending = options.sort_order == SortOrder::Asc;
    let mut passed = if ascending {
        before_whole_days(tx, options, &from)?
    } else {
        after_whole_days(tx, options, &to)?
    };
    if options.offset < passed {
        return Ok(plain);
    }
    let mut days = daily(tx, options, &from, &to)?;
    if !ascending {
        days.reverse();
    }
    // Where what was passed over so far ends; no bound at an open end of the range.
    let mut bound = if ascending {
        midnight(&from).map(Bound::NotBefore)
    } else {
        midnight(&to).map(Bound::Before)
    };
    for (day, backups) in days {
        let Some(begin) = midnight(&day) else { return Ok(plain) };
        let end = begin + Days::new(1);
        if passed + backups > options.offset {
            let bound = Some(if ascending {
                Bound::NotBefore(begin)
            } else {
                Bound::Before(end)
            });
            return Ok(Start {
                offset: options.offset - passed,
                bound,
            });
        }
        passed += backups;
        bound = Some(if ascending {
            Bound::NotBefore(end)
        } else {
            Bound::Before(begin)
        });
    }
    // The page begins in the day at the far end of the range, which is not whole.
    Ok(Start {
        offset: options.offset - passed,
        bound,
    })
}

fn page(tx: &mut Tx<'_>, options: &BackupListOptions, total: u64) -> TxResult<Vec<String>> {
    let Start { offset, bound } = start(tx, options)?;
    let left = total.saturating_sub(options.offset);
    let limit = u64::from(options.limit.clamp(1, BackupListOptions::MAX_LIMIT)).min(left);
    // Whatever lies behind the page is fewer rows to pass over than what lies before it: from the other end then.
    let from_end = bound.is_none() && left - limit < offset;
    let query = filtered(backups::table.select(backups::id).into_boxed(), options);
    let query = match bound {
        None => query,
        Some(Bound::NotBefore(at)) => query.filter(backups::created_at.ge(at)),
        Some(Bound::Before(at)) => query.filter(backups::created_at.lt(at)),
    };
    let (query, offset) = if from_end {
        (backwards(query, options), left - limit)
    } else {
        (ordered(query, options), offset)
    };
    let mut ids: Vec<String> = query.limit(big(limit)).offset(big(offset)).load(tx.db)?;
    if from_end {
        ids.reverse();
    }
    Ok(ids)
}

/// The order names its columns the way the indexes do; the databases disagree on where nulls stand otherwise.
pub(crate) fn ordered<'a, SqlType: 'a>(query: Boxed<'a, SqlType>, options: &BackupListOptions) -> Boxed<'a, SqlType> {
    match (options.sort_by, options.sort_order) {
        (SortBy::CreatedAt, SortOrder::Asc) => query.order((backups::created_at.asc(), backups::id.asc())),
        (SortBy::CreatedAt, SortOrder::Desc) => query.order((backups::created_at.desc(), backups::id.desc())),
        (SortBy::CompletedAt, SortOrder::Asc) => query.order(sql::<Untyped>("completed_at ASC NULLS LAST, id ASC")),
        (SortBy::CompletedAt, SortOrder::Desc) => query.order(sql::<Untyped>("completed_at DESC NULLS LAST, id DESC")),
        (SortBy::SizeBytes, SortOrder::Asc) => query.order(sql::<Untyped>("size_bytes ASC NULLS LAST, id ASC")),
        (SortBy::SizeBytes, SortOrder::Desc) => query.order(sql::<Untyped>("size_bytes DESC NULLS LAST, id DESC")),
    }
}

/// The same order from its other end.
fn backwards<'a, SqlType: 'a>(query: Boxed<'a, SqlType>, options: &BackupListOptions) -> Boxed<'a, SqlType> {
    match (options.sort_by, options.sort_order) {
        (SortBy::CreatedAt, SortOrder::Asc) => query.order((backups::created_at.desc(), backups::id.desc())),
        (SortBy::CreatedAt, SortOrder::Desc) => query.order((backups::created_at.asc(), backups::id.asc())),
        (SortBy::CompletedAt, SortOrder::Asc) => query.order(sql::<Untyped>("completed_at DESC NULLS FIRST, id DESC")),
        (SortBy::CompletedAt, SortOrder::Desc) => query.order(sql::<Untyped>("completed_at ASC NULLS FIRST, id ASC")),
        (SortBy::SizeBytes, SortOrder::Asc) => query.order(sql::<Untyped>("size_bytes DESC NULLS FIRST, id DESC")),
        (SortBy::SizeBytes, SortOrder::Desc) => query.order(sql::<Untyped>("size_bytes ASC NULLS FIRST, id ASC")),
    }
}

/// All filters but the text.
pub(crate) fn filtered<'a, SqlType>(
    mut query: Boxed<'a, SqlType>,
    options: &'a BackupListOptions,
) -> Boxed<'a, SqlType> {
    query = query.filter(backups::deleting.eq(false));
    if let Some(status) = options.status {
        query = query.filter(backups::status.eq(status.as_str()));
    }
    if let Some(backup_type) = options.backup_type {
        query = query.filter(backups::backup_type.eq(backup_type.as_str()));
    }
    if let Some(source) = options.source {
        query = query.filter(backups::source.eq(source.as_str()));
    }
    if let Some(trigger) = options.trigger {
        query = query.filter(backups::trigger.eq(trigger.as_str()));
    }
    if let Some(config_key) = &options.config_key {
        query = query.filter(backups::config_key.eq(config_key));
    }
    if let Some(schedule_id) = options.schedule_id {
        query = query.filter(backups::schedule_id.eq(schedule_id.to_string()));
    }
    if let Some(from) = options.date_from {
        query = query.filter(backups::created_at.ge(from.naive_utc()));
    }
    if let Some(to) = options.date_to {
        query = query.filter(backups::created_at.le(to.naive_utc()));
    }
    query
}

/// How many the filters leave, whatever their text.
pub(crate) fn count_filtered(tx: &mut Tx<'_>, options: &BackupListOptions) -> TxResult<u64> {
    if options.schedule_id.is_none() && options.date_from.is_none() && options.date_to.is_none() {
        return undated(tx, options);
    }
    let Some((from, to)) = days_in_range(options) else {
        return exact(tx, options);
    };
    let whole: u64 = daily(tx, options, &from, &to)?.iter().map(|(_, backups)| backups).sum();
    Ok(before_whole_days(tx, options, &from)? + whole + after_whole_days(tx, options, &to)?)
}

/// How many there are of any date.
fn undated(tx: &mut Tx<'_>, options: &BackupListOptions) -> TxResult<u64> {
    let mut query = backup_counts::table
        .select(sql::<Nullable<BigInt>>("CAST(SUM(backups) AS BIGINT)"))
        .into_boxed();
    if let Some(status) = options.status {
        query = query.filter(backup_counts::status.eq(status.as_str()));
    }
    if let Some(backup_type) = options.backup_type {
        query = query.filter(backup_counts::backup_type.eq(backup_type.as_str()));
    }
    if let Some(source) = options.source {
        query = query.filter(backup_counts::source.eq(source.as_str()));
    }
    if let Some(trigger) = options.trigger {
        query = query.filter(backup_counts::trigger.eq(trigger.as_str()));
    }
    if let Some(config_key) = &options.config_key {
        query = query.filter(backup_counts::config_key.eq(config_key));
    }
    let sum: Option<i64> = query.get_result(tx.db)?;
    Ok(count(sum.unwrap_or(0)))
}

/// The whole days of the range, the second one excluded; `None` where the daily totals cannot answer these options.
fn days_in_range(options: &BackupListOptions) -> Option<(String, String)> {
    if options.schedule_id.is_some() {
        return None;
    }
    let (from, to) = (first_whole_day(options.date_from)?, day_of_end(options.date_to)?);
    (from < to).then_some((from, to))
}

/// Backups of the range that lie before its first whole day.
fn before_whole_days(tx: &mut Tx<'_>, options: &BackupListOptions, first: &str) -> TxResult<u64> {
    match options.date_from {
        None => Ok(0),
        Some(from) => between(tx, options, Some(from.naive_utc()), midnight(first), false),
    }
}

/// Backups of the range that lie in its last day, which is not whole.
fn after_whole_days(tx: &mut Tx<'_>, options: &BackupListOptions, last: &str) -> TxResult<u64> {
    match options.date_to {
        None => Ok(0),
        Some(to) => between(tx, options, midnight(last), Some(to.naive_utc()), true),
    }
}

/// The first day that lies in the range from its first instant on; the smallest text where there is no beginning.
fn first_whole_day(from: Option<DateTime<Utc>>) -> Option<String> {
    match from {
        None => Some(String::new()),
        Some(from) => from
            .date_naive()
            .checked_add_days(Days::new(1))
            .and_then(|day| text(day.and_hms_opt(0, 0, 0)?)),
    }
}

/// The day in which the range ends, which is no longer whole; a text after every day where there is no end.
fn day_of_end(to: Option<DateTime<Utc>>) -> Option<String> {
    match to {
        None => Some("~".to_owned()),
        Some(to) => text(to.naive_utc()),
    }
}

/// A day as the totals name it, where it has four digits of year as theirs have.
fn text(at: NaiveDateTime) -> Option<String> {
    let day = at.format("%Y-%m-%d").to_string();
    (day.len() == 10).then_some(day)
}

fn midnight(day: &str) -> Option<NaiveDateTime> {
    day.parse::<chrono::NaiveDate>().ok()?.and_hms_opt(0, 0, 0)
}

/// The backups of each of these days, the earliest first; days without any are left out.
fn daily(tx: &mut Tx<'_>, options: &BackupListOptions, from: &str, to: &str) -> TxResult<Vec<(String, u64)>> {
    let mut query = backup_totals::table
        .filter(backup_totals::day.ge(from))
        .filter(backup_totals::day.lt(to))
        .group_by(backup_totals::day)
        .order(backup_totals::day.asc())
        .select((
            backup_totals::day,
            sql::<Nullable<BigInt>>("CAST(SUM(backups) AS BIGINT)"),
        ))
        .into_boxed();
    if let Some(status) = options.status {
        query = query.filter(backup_totals::status.eq(status.as_str()));
    }
    if let Some(backup_type) = options.backup_type {
        query = query.filter(backup_totals::backup_type.eq(backup_type.as_str()));
    }
    if let Some(source) = options.source {
        query = query.filter(backup_totals::source.eq(source.as_str()));
    }
    if let Some(trigger) = options.trigger {
        query = query.filter(backup_totals::trigger.eq(trigger.as_str()));
    }
    if let Some(config_key) = &options.config_key {
        query = query.filter(backup_totals::config_key.eq(config_key));
    }
    let rows: Vec<(String, Option<i64>)> = query.load(tx.db)?;
    Ok(rows
        .into_iter()
        .map(|(day, sum)| (day, count(sum.unwrap_or(0))))
        .collect())
}

fn between(
    tx: &mut Tx<'_>,
    options: &BackupListOptions,
    from: Option<NaiveDateTime>,
    to: Option<NaiveDateTime>,
    closed: bool,
) -> TxResult<u64> {
    let undated = BackupListOptions {
        date_from: None,
        date_to: None,
        ..options.clone()
    };
    let mut query = filtered(backups::table.select(diesel::dsl::count_star()).into_boxed(), &undated);
    if let Some(from) = from {
        query = query.filter(backups::created_at.ge(from));
    }
    if let Some(to) = to {
        query = if closed {
            query.filter(backups::created_at.le(to))
        } else {
            query.filter(backups::created_at.lt(to))
        };
    }
    Ok(count(query.get_result(tx.db)?))
}

fn exact(tx: &mut Tx<'_>, options: &BackupListOptions) -> TxResult<u64> {
    between(
        tx,
        options,
        options.date_from.map(|at| at.naive_utc()),
        options.date_to.map(|at| at.naive_utc()),
        true,
    )
}
