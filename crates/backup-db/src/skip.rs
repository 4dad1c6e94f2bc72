//! Where a page far behind begins: whole steps of the list's order, which are days or sizes, are passed over by the counts
//! that the catalog keeps of them.

use backup_core::list::{BackupListOptions, SortBy, SortOrder};
use chrono::{Days, NaiveDateTime};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::filter::Boxed;
use crate::schema::backups;
use crate::store::Tx;
use crate::totals::{after_whole_days, before_whole_days, by_day, by_step, days_in_range, midnight};

/// Digits of a number of bytes that tell its step; `backup_steps` is kept by them.
const DIGITS: usize = 2;

/// A part of a page: so many rows behind `offset` others on this side of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) bound: Bound,
    pub(crate) offset: u64,
    pub(crate) limit: u64,
}

/// Where the rows lie in the list's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Anywhere.
    None,
    /// Here or above.
    From(Place),
    /// Below.
    Below(Place),
    /// At the end, where those are that have no place.
    Nowhere,
}

/// A value of what the list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Time(NaiveDateTime),
    Bytes(i64),
}

impl Bound {
    /// Keeps what lies within.
    pub(crate) fn keep<SqlType>(self, query: Boxed<'_, SqlType>, sort_by: SortBy) -> Boxed<'_, SqlType> {
        match (self, sort_by) {
            (Self::From(Place::Bytes(bytes)), _) => query.filter(backups::size_bytes.ge(bytes)),
            (Self::Below(Place::Bytes(bytes)), _) => query.filter(backups::size_bytes.lt(bytes)),
            (Self::From(Place::Time(at)), SortBy::CompletedAt) => query.filter(backups::completed_at.ge(at)),
            (Self::Below(Place::Time(at)), SortBy::CompletedAt) => query.filter(backups::completed_at.lt(at)),
            (Self::From(Place::Time(at)), _) => query.filter(backups::created_at.ge(at)),
            (Self::Below(Place::Time(at)), _) => query.filter(backups::created_at.lt(at)),
            (Self::Nowhere, SortBy::CompletedAt) => query.filter(backups::completed_at.is_null()),
            (Self::Nowhere, SortBy::SizeBytes) => query.filter(backups::size_bytes.is_null()),
            (Self::None, _) | (Self::Nowhere, SortBy::CreatedAt) => query,
        }
    }
}

/// Where `limit` rows lie behind the offset of `options`; `None` where no counts tell it.
pub(crate) fn far(tx: &mut Tx<'_>, options: &BackupListOptions, limit: u64) -> TxResult<Option<Vec<Part>>> {
    if options.sort_by == SortBy::CreatedAt {
        return Ok(by_creation(tx, options, limit)?.map(|part| vec![part]));
    }
    if options.schedule_id.is_some() || options.date_from.is_some() || options.date_to.is_some() {
        return Ok(None);
    }
    let steps = by_step(tx, options, options.sort_by)?;
    let offset = options.offset;
    let placed: u64 = steps.iter().map(|(_, backups)| backups).sum();
    let mut parts = Vec::new();
    if offset < placed {
        let Some((bound, passed)) = whole_steps(&steps, options, 0) else {
            return Ok(None);
        };
        parts.push(Part {
            bound,
            offset: offset - passed,
            limit: limit.min(placed - offset),
        });
    }
    if offset + limit > placed {
        let offset = offset.saturating_sub(placed);
        let limit = limit.min(options.offset + limit - placed);
        parts.push(Part {
            bound: Bound::Nowhere,
            offset,
            limit,
        });
    }
    Ok(Some(parts))
}

/// The same in the order of creation, where days tell it within a range of dates too.
fn by_creation(tx: &mut Tx<'_>, options: &BackupListOptions, limit: u64) -> TxResult<Option<Part>> {
    let Some((from, to)) = days_in_range(options) else {
        return Ok(None);
    };
    let ascending = options.sort_order == SortOrder::Asc;
    let before = if ascending {
        before_whole_days(tx, options, &from)?
    } else {
        after_whole_days(tx, options, &to)?
    };
    if options.offset < before {
        return Ok(None);
    }
    let days = by_day(tx, options, &from, &to)?;
    if let Some((bound, passed)) = whole_steps(&days, options, before) {
        let offset = options.offset - passed;
        return Ok(Some(Part { bound, offset, limit }));
    }
    // The page begins in the day at the far end of the range, which is not whole.
    let whole: u64 = days.iter().map(|(_, backups)| backups).sum();
    let bound = if ascending {
        midnight(&to).map(|at| Bound::From(Place::Time(at)))
    } else {
        midnight(&from).map(|at| Bound::Below(Place::Time(at)))
    };
    Ok(bound.map(|bound| Part {
        bound,
        offset: options.offset - before - whole,
        limit,
    }))
}

/// The near end of the step in which the page begins, and how many rows lie before that, of which `passed` before the first
/// step. `None`: in none of them.
fn whole_steps(steps: &[(String, u64)], options: &BackupListOptions, mut passed: u64) -> Option<(Bound, u64)> {
    let ascending = options.sort_order == SortOrder::Asc;
    let mut step = |(step, backups): &(String, u64)| {
        if passed + backups > options.offset {
            return Some(step.clone());
        }
        passed += backups;
        None
    };
    let found = if ascending {
        steps.iter().find_map(&mut step)
    } else {
        steps.iter().rev().find_map(&mut step)
    }?;
    let (begin, end) = ends(&found, options.sort_by)?;
    let bound = match (ascending, end) {
        (true, _) => Bound::From(begin),
        (false, Some(end)) => Bound::Below(end),
        (false, None) => Bound::None,
    };
    Some((bound, passed))
}

/// Where a step begins and where the next one may; `None`: the step reaches to the end.
fn ends(step: &str, sort_by: SortBy) -> Option<(Place, Option<Place>)> {
    if sort_by == SortBy::SizeBytes {
        let begin: i64 = step.parse().ok()?;
        let digits = begin.to_string().len().saturating_sub(DIGITS);
        let width = 10i64.checked_pow(u32::try_from(digits).ok()?)?;
        return Some((Place::Bytes(begin), begin.checked_add(width).map(Place::Bytes)));
    }
    let begin = midnight(step)?;
    let end = begin.checked_add_days(Days::new(1));
    Some((Place::Time(begin), end.map(Place::Time)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_sizes_ends_where_its_two_digits_do() {
        let of = |text: &str| ends(text, SortBy::SizeBytes).unwrap();
        let bytes = |from, to| (Place::Bytes(from), Some(Place::Bytes(to)));
        assert_eq!(of("0000000000000000000"), bytes(0, 1));
        assert_eq!(of("0000000000000000007"), bytes(7, 8));
        assert_eq!(of("0000000000000000099"), bytes(99, 100));
        assert_eq!(of("0000000000000000990"), bytes(990, 1_000));
        assert_eq!(of("0000000000012000000"), bytes(12_000_000, 13_000_000));
        assert_eq!(
            of("9200000000000000000"),
            (Place::Bytes(9_200_000_000_000_000_000), None)
        );
    }

    #[test]
    fn whole_steps_are_passed_over_from_either_end() {
        let steps: Vec<(String, u64)> = [("5", 3), ("30", 2), ("900", 4)]
            .map(|(step, backups)| (step.to_owned(), backups))
            .into();
        let found = |offset, sort_order| {
            let options = BackupListOptions {
                offset,
                sort_order,
                sort_by: SortBy::SizeBytes,
                ..BackupListOptions::default()
            };
            whole_steps(&steps, &options, 0)
        };
        let from = |bytes, passed| Some((Bound::From(Place::Bytes(bytes)), passed));
        let below = |bytes, passed| Some((Bound::Below(Place::Bytes(bytes)), passed));
        assert_eq!(found(2, SortOrder::Asc), from(5, 0));
        assert_eq!(found(3, SortOrder::Asc), from(30, 3));
        assert_eq!(found(8, SortOrder::Asc), from(900, 5));
        assert_eq!(found(9, SortOrder::Asc), None);
        assert_eq!(found(3, SortOrder::Desc), below(910, 0));
        assert_eq!(found(4, SortOrder::Desc), below(31, 4));
        assert_eq!(found(6, SortOrder::Desc), below(6, 6));
    }
}
