//! From the calendar to instants. croner tells at which times of the clock on the wall an expression matches; here it is
//! decided at which instant each of them is due, on the days too on which the clock is put forward or back:
//!
//! - A **time of day** (the hours are restricted: a nightly job) is due at the first instant at which the clock shows its
//!   time or a later one. So one that is skipped is due when the clock has been put forward, and one that comes twice is
//!   due the first time. A day that the zone left out as a whole, when it changed sides of the date line, had no times.
//! - An **interval** (every hour matches) is due whenever the clock shows its time, so that it goes on in the repeated
//!   hour and has nothing to catch up with behind a skipped one.
//!
//! croner has rules of its own for these days. They are not used: it searches in local times without a zone. Its rules
//! give up behind a gap of more than two hours, lose a time that is skipped from one day into the next, and take every
//! expression of more than one time a day for an interval.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Utc};
use croner::Cron;

use crate::schedule::zone::{Shown, Zone};

/// A skipped span of this length is a day that the zone left out, not a clock put forward.
const WHOLE_DAY: TimeDelta = TimeDelta::hours(24);
const SECOND: TimeDelta = TimeDelta::seconds(1);
/// Behind this year croner finds nothing.
const LAST_YEAR: i32 = 4999;

/// The first instant behind `after` at which the expression is due.
pub(super) fn next(cron: &Cron, is_interval: bool, after: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
    if !(1..LAST_YEAR).contains(&after.year()) {
        return None;
    }
    if !is_interval {
        return ahead(cron, false, after, zone);
    }
    let ahead = ahead(cron, true, after, zone);
    let again = again(cron, after, zone);
    // `None` is less than any instant.
    if again.is_some() && (ahead.is_none() || again < ahead) {
        again
    } else {
        ahead
    }
}

/// The next time of the calendar behind a local time.
pub(super) fn slot(cron: &Cron, behind: NaiveDateTime) -> Option<NaiveDateTime> {
    cron.find_next_occurrence(&behind, false).ok()
}

/// The first due instant behind `after` whose local time is later than that of `after`.
fn ahead(cron: &Cron, is_interval: bool, after: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
    let mut local = zone.local(after);
    loop {
        local = slot(cron, local)?;
        let due = match zone.shown(local)? {
            Shown::Once(at) => at,
            Shown::Twice(first, second) if is_interval && first <= after => second,
            Shown::Twice(first, _) => first,
            Shown::Never { from, to, at } => {
                // What else was skipped is due together with this, or not at all.
                local = to - SECOND;
                if is_interval || to - from >= WHOLE_DAY {
                    continue;
                }
                at
            }
        };
        if due > after {
            return Some(due);
        }
    }
}

/// The first due instant behind `after` in a span that the clock, put back, will show once more and that `after` has
/// behind it on the clock.
fn again(cron: &Cron, after: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
    let local = zone.local(after);
    let Some(Shown::Twice(first, second)) = zone.shown(local) else {
        return None;
    };
    if after >= second {
        return None;
    }
    // Between the two, the clock is put back at one instant: the first with the second's offset.
    let offset = zone.offset(second);
    let (mut before, mut behind) = (first.timestamp(), second.timestamp());
    while behind - before > 1 {
        let middle = before + (behind - before) / 2;
        if zone.offset(DateTime::from_timestamp(middle, 0)?) == offset {
            behind = middle;
        } else {
            before = middle;
        }
    }
    let put_back = DateTime::from_timestamp(behind, 0)?;
    let slot = slot(cron, zone.local(put_back) - SECOND).filter(|slot| *slot <= local)?;
    Some(slot.checked_sub_signed(offset)?.and_utc())
}
