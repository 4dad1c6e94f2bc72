//! How many backups a list's filters leave, from the counts that the catalog keeps: of each kind, of each day and kind, and
//! of each step of the other orders. Only the two days at the ends of a range of dates are counted row by row.

use backup_core::list::{BackupListOptions, SortBy};
use chrono::{DateTime, Days, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use crate::error::TxResult;
use crate::filter::{Way, filtered};
use crate::schema::{backup_counts, backup_steps, backup_totals, backups};
use crate::store::Tx;
use crate::types::count;
use crate::verbatim::verbatim;

/// `SUM(backups)` is a NUMERIC on PostgreSQL.
const SUM: &str = "CAST(SUM(backups) AS BIGINT)";

/// A text after every day, in whatever order the database sorts texts: by most languages, signs come before digits.
const AFTER_ALL: &str = "9999-99-99";

/// How many backups there are in all, as a column.
pub(crate) const TOTAL: &str = "(SELECT CAST(SUM(backups) AS BIGINT) FROM backup_counts)";

/// Keeps the rows of a table of counts whose kinds the filters leave.
macro_rules! of_kinds {
    ($table:ident, $query:expr, $options:expr) => {{
        let (mut query, options) = ($query, $options);
        if let Some(status) = options.status {
            query = query.filter($table::status.eq(status.as_str()));
        }
        if let Some(backup_type) = options.backup_type {
            query = query.filter($table::backup_type.eq(backup_type.as_str()));
        }
        if let Some(source) = options.source {
            query = query.filter($table::source.eq(source.as_str()));
        }
        if let Some(trigger) = options.trigger {
            query = query.filter($table::trigger.eq(trigger.as_str()));
        }
        if let Some(config_key) = &options.config_key {
            query = query.filter($table::config_key.eq(config_key));
        }
        query
    }};
}

/// How many the filters leave, whatever their text.
pub(crate) fn count_filtered(tx: &mut Tx<'_>, options: &BackupListOptions) -> TxResult<u64> {
    if options.schedule_id.is_none() && options.date_from.is_none() && options.date_to.is_none() {
        return of_kinds(tx, options);
    }
    let Some((from, to)) = days_in_range(options) else {
        let (from, to) = (options.date_from, options.date_to);
        return between(
            tx,
            options,
            from.map(|at| at.naive_utc()),
            to.map(|at| at.naive_utc()),
            true,
        );
    };
    let whole: u64 = by_day(tx, options, &from, &to)?
        .iter()
        .map(|(_, backups)| backups)
        .sum();
    Ok(before_whole_days(tx, options, &from)? + whole + after_whole_days(tx, options, &to)?)
}

/// How many there are of these kinds, of any date and schedule.
pub(crate) fn of_kinds(tx: &mut Tx<'_>, options: &BackupListOptions) -> TxResult<u64> {
    let query = backup_counts::table
        .select(verbatim::<Nullable<BigInt>>(SUM))
        .into_boxed();
    let sum: Option<i64> = of_kinds!(backup_counts, query, options).get_result(tx.db)?;
    Ok(count(sum.unwrap_or(0)))
}

/// The whole days of the range, the second one excluded; `None` where the daily totals cannot answer these options.
pub(crate) fn days_in_range(options: &BackupListOptions) -> Option<(String, String)> {
    if options.schedule_id.is_some() {
        return None;
    }
    let (from, to) = (first_whole_day(options.date_from)?, day_of_end(options.date_to)?);
    (from < to).then_some((from, to))
}

/// Backups of the range that lie before its first whole day.
pub(crate) fn before_whole_days(tx: &mut Tx<'_>, options: &BackupListOptions, first: &str) -> TxResult<u64> {
    match options.date_from {
        None => Ok(0),
        Some(from) => between(tx, options, Some(from.naive_utc()), midnight(first), false),
    }
}

/// Backups of the range that lie in its last day, which is not whole.
pub(crate) fn after_whole_days(tx: &mut Tx<'_>, options: &BackupListOptions, last: &str) -> TxResult<u64> {
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
        None => Some(AFTER_ALL.to_owned()),
        Some(to) => text(to.naive_utc()),
    }
}

/// A day as the totals name it, where it has four digits of year as theirs have.
fn text(at: NaiveDateTime) -> Option<String> {
    let day = at.format("%Y-%m-%d").to_string();
    (day.len() == 10).then_some(day)
}

/// The first instant of a day as the totals name it.
pub(crate) fn midnight(day: &str) -> Option<NaiveDateTime> {
    day.parse::<chrono::NaiveDate>().ok()?.and_hms_opt(0, 0, 0)
}

/// The backups of each of these days, the earliest first; days without any are left out.
pub(crate) fn by_day(
    tx: &mut Tx<'_>,
    options: &BackupListOptions,
    from: &str,
    to: &str,
) -> TxResult<Vec<(String, u64)>> {
    let query = backup_totals::table
        .filter(backup_totals::day.ge(from))
        .filter(backup_totals::day.lt(to))
        .group_by(backup_totals::day)
        .order(backup_totals::day.asc())
        .select((backup_totals::day, verbatim::<Nullable<BigInt>>(SUM)))
        .into_boxed();
    let rows: Vec<(String, Option<i64>)> = of_kinds!(backup_totals, query, options).load(tx.db)?;
    Ok(counted(rows))
}

/// The backups of each step of this order, the smallest first; steps without any are left out.
pub(crate) fn by_step(tx: &mut Tx<'_>, options: &BackupListOptions, sort_by: SortBy) -> TxResult<Vec<(String, u64)>> {
    let query = backup_steps::table
        .filter(backup_steps::sort_by.eq(sort_by.as_str()))
        .group_by(backup_steps::step)
        .order(backup_steps::step.asc())
        .select((backup_steps::step, verbatim::<Nullable<BigInt>>(SUM)))
        .into_boxed();
    let rows: Vec<(String, Option<i64>)> = of_kinds!(backup_steps, query, options).load(tx.db)?;
    Ok(counted(rows))
}

fn counted(rows: Vec<(String, Option<i64>)>) -> Vec<(String, u64)> {
    let sums = rows.into_iter().map(|(step, sum)| (step, count(sum.unwrap_or(0))));
    sums.filter(|(_, backups)| *backups > 0).collect()
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
    let way = if options.schedule_id.is_some() {
        Way::Schedule
    } else {
        Way::Dates
    };
    let query = backups::table.select(diesel::dsl::count_star()).into_boxed();
    let mut query = filtered(tx.db, query, &undated, way);
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
