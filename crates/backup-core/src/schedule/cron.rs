//! Cron expressions: five fields, read strictly, and the instants at which they are due in a zone.

pub(super) mod error;
pub(super) mod field;
mod walk;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;

pub use self::error::{CronError, CronField, CronReason};
use self::field::Values;
use super::zone::Zone;
use crate::Language;

/// A cron expression of five fields: minute, hour, day of the month, month, day of the week. Each is `*` or a list of
/// values, ranges and steps; months and days of the week may be named, `L` is the last day of the month, `5L` its last
/// Friday, `5#2` its second, and `?` is `*` in the fields of days. Where both fields of days are restricted, a day matches
/// that matches either. `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually` are known too.
#[derive(Clone, PartialEq, Eq)]
pub struct CronExpression {
    text: String,
    pub(super) fields: Fields,
    cron: Cron,
}

/// The five fields as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) minute: Values,
    pub(super) hour: Values,
    pub(super) day: Values,
    pub(super) month: Values,
    pub(super) weekday: Values,
}

/// What of a schedule is due in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The latest instant that is due.
    pub latest: DateTime<Utc>,
    /// How many instants are due, [`CronExpression::MAX_COUNT`] for as many or more.
    pub count: u32,
}

impl CronExpression {
    /// How many characters an expression may have.
    pub const MAX_LENGTH: usize = 200;
    /// How far [`Self::due`] counts.
    pub const MAX_COUNT: u32 = 10_000;

    /// Reads an expression. White space around and between the fields does not matter.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        // Bounded before it is looked at; white space counts.
        if text.len() > Self::MAX_LENGTH {
            return Err(CronError::TooLong { max: Self::MAX_LENGTH });
        }
        let given: Vec<&str> = text.split_whitespace().collect();
        let expanded = match given[..] {
            [name] if name.starts_with('@') => named(name)?.split(' ').collect(),
            _ => given.clone(),
        };
        let [minute, hour, day, month, weekday] = expanded[..] else {
            return Err(CronError::FieldCount { found: expanded.len() });
        };
        let fields = Fields {
            minute: Values::parse(CronField::Minute, minute)?,
            hour: Values::parse(CronField::Hour, hour)?,
            day: Values::parse(CronField::Day, day)?,
            month: Values::parse(CronField::Month, month)?,
            weekday: Values::parse(CronField::Weekday, weekday)?,
        };
        if !fields.has_a_day() {
            return Err(CronError::Never);
        }
        // croner gets every value written out, so it finds nothing to refuse.
        let cron = fields.canonical().parse().map_err(|_| CronError::Never)?;
        Ok(Self {
            text: given.join(" "),
            fields,
            cron,
        })
    }

    /// The expression as it was given, with single spaces.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first instant after `after` (and not at it) at which it is due; `None` where there is none before the year
    /// 5000. Due is, on the days on which the zone's clock is put forward or back, what `walk.rs` says.
    pub fn next_after(&self, after: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
        walk::next(&self.cron, self.is_interval(), after, zone)
    }

    /// All instants after `after` at which it is due, rising.
    pub fn upcoming(&self, after: DateTime<Utc>, zone: Zone) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.next_after(after, zone), move |at| self.next_after(*at, zone))
    }

    /// What is due from `from`, which is itself an instant that is due, to `until` inclusive; `None` where `until` is
    /// before `from`. Costs little however long the span is.
    pub fn due(&self, from: DateTime<Utc>, until: DateTime<Utc>, zone: Zone) -> Option<Due> {
        if until < from {
            return None;
        }
        let mut due = Due { latest: from, count: 1 };
        for at in self.upcoming(from, zone).take_while(|at| *at <= until) {
            due.latest = at;
            due.count += 1;
            if due.count == Self::MAX_COUNT {
                due.latest = self.latest(at, until, zone);
                break;
            }
        }
        Some(due)
    }

    /// The latest due instant up to `until`, where `known` is one.
    fn latest(&self, known: DateTime<Utc>, until: DateTime<Utc>, zone: Zone) -> DateTime<Utc> {
        let in_time = |after| self.next_after(after, zone).filter(|at| *at <= until);
        // Backwards in windows that double, until one holds something; then halving what is left.
        let mut latest = known;
        let mut nothing_after = until;
        let mut window = TimeDelta::minutes(1);
        while let Some(start) = until.checked_sub_signed(window).filter(|start| *start > known) {
            if let Some(at) = in_time(start) {
                latest = at;
                break;
            }
            nothing_after = start;
            window = window + window;
        }
        while latest < nothing_after {
            let middle = latest + (nothing_after - latest) / 2;
            match in_time(middle) {
                Some(at) => latest = at,
                None => nothing_after = middle,
            }
            if nothing_after - latest < TimeDelta::seconds(1) {
                break;
            }
        }
        latest
    }

    /// A sentence that says when it is due, for people.
    pub fn describe(&self, language: Language) -> String {
        super::describe::sentence(self, language)
    }

    /// Whether it is due in every hour of its days, rather than at times of the day.
    fn is_interval(&self) -> bool {
        self.fields.hour.plain().len() == 24
    }
}

impl Fields {
    fn canonical(&self) -> String {
        let fields = [&self.minute, &self.hour, &self.day, &self.month, &self.weekday];
        fields.map(Values::canonical).join(" ")
    }

    /// Whether any year has a day that matches.
    fn has_a_day(&self) -> bool {
        // Every weekday comes in every month, if need be a fifth time, in February on the 29th.
        let by_date = |month: u8| {
            let days = match month {
                2 => 29,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            self.day.last || self.day.plain().iter().any(|day| *day <= days)
        };
        !self.weekday.any || self.month.plain().into_iter().any(by_date)
    }
}

/// The five fields that a name stands for.
fn named(name: &str) -> Result<&'static str, CronError> {
    match name.to_ascii_lowercase().as_str() {
        "@hourly" => Ok("0 * * * *"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@monthly" => Ok("0 0 1 * *"),
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        _ => Err(CronError::UnknownName {
            name: error::excerpt(name),
        }),
    }
}

impl fmt::Display for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CronExpression({})", self.text)
    }
}
