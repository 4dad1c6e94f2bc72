//! One field of a cron expression: from its text to the values it holds.

use super::error::{CronError, CronField, CronReason, excerpt};

/// What a field matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::schedule) struct Values {
    /// Everything: the field is `*`, `?` or `*/1`. Only then is a day not restricted.
    pub(in crate::schedule) any: bool,
    /// Bit n: the value n. Sunday is 0.
    set: u64,
    /// The last day of the month.
    pub(in crate::schedule) last: bool,
    /// Bit n: the last weekday n of the month.
    last_of: u8,
    /// At k, bit n: the weekday n for the (k + 1)th time in the month.
    nth: [u8; 5],
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The field's least and greatest value as written.
const fn bounds(field: CronField) -> (u8, u8) {
    match field {
        CronField::Minute => (0, 59),
        CronField::Hour => (0, 23),
        CronField::Day => (1, 31),
        CronField::Month => (1, 12),
        CronField::Weekday => (0, 7),
    }
}

impl Values {
    pub(super) fn parse(field: CronField, text: &str) -> Result<Self, CronError> {
        let mut values = Self {
            any: false,
            set: 0,
            last: false,
            last_of: 0,
            nth: [0; 5],
        };
        let is_day = matches!(field, CronField::Day | CronField::Weekday);
        if text == "*" || text == "*/1" || (text == "?" && is_day) {
            values.any = true;
            values.add(field, whole(field), 1);
            return Ok(values);
        }
        for part in text.split(',') {
            values.read(field, part).map_err(|reason| CronError::Field {
                field,
                value: excerpt(part),
                reason,
            })?;
        }
        Ok(values)
    }

    /// Reads one part of the list.
    fn read(&mut self, field: CronField, part: &str) -> Result<(), CronReason> {
        if part.is_empty() {
            return Err(CronReason::Empty);
        }
        let upper = part.to_ascii_uppercase();
        match upper.as_str() {
            "*" => return Err(CronReason::NotAlone),
            "?" if matches!(field, CronField::Day | CronField::Weekday) => return Err(CronReason::NotAlone),
            "L" if field == CronField::Day => {
                self.last = true;
                return Ok(());
            }
            _ => {}
        }
        if field == CronField::Weekday {
            if let Some((day, nth)) = upper.split_once('#') {
                let day = value(field, day)? % 7;
                let nth = number(nth).ok_or(CronReason::Occurrence)?;
                let nth = usize::from(nth).checked_sub(1).ok_or(CronReason::Occurrence)?;
                *self.nth.get_mut(nth).ok_or(CronReason::Occurrence)? |= 1 << day;
                return Ok(());
            }
            if let Some(day) = upper.strip_suffix('L').filter(|day| !day.is_empty()) {
                self.last_of |= 1 << (value(field, day)? % 7);
                return Ok(());
            }
        }
        let (range, step) = match upper.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (upper.as_str(), None),
        };
        let (first, last) = if range == "*" {
            whole(field)
        } else if let Some((first, last)) = range.split_once('-') {
            let first = value(field, first)?;
            // A week may end on its Sunday.
            if field == CronField::Weekday && first > 0 && last == "SUN" {
                (first, 7)
            } else {
                (first, value(field, last)?)
            }
        } else {
            let only = value(field, range)?;
            if step.is_some() {
                return Err(CronReason::StepWithoutRange);
            }
            (only, only)
        };
        if first > last {
            return Err(CronReason::Backwards);
        }
        let step = match step {
            Some(text) => number(text)
                .filter(|step| (1..=last - first + 1).contains(step))
                .ok_or(CronReason::Step)?,
            None => 1,
        };
        self.add(field, (first, last), step);
        Ok(())
    }

    fn add(&mut self, field: CronField, (first, last): (u8, u8), step: u8) {
        for value in (first..=last).step_by(step.into()) {
            // 7 is Sunday too.
            let value = if field == CronField::Weekday { value % 7 } else { value };
            self.set |= 1 << value;
        }
    }

    /// The plain values, rising.
    pub(in crate::schedule) fn plain(&self) -> Vec<u8> {
        (0..=59).filter(|value| self.set >> value & 1 == 1).collect()
    }

    /// The weekdays of which the last in the month is meant, rising.
    pub(in crate::schedule) fn last_of(&self) -> Vec<u8> {
        (0..7).filter(|day| self.last_of >> day & 1 == 1).collect()
    }

    /// Weekdays with which occurrence in the month is meant, from 1 on.
    pub(in crate::schedule) fn nth(&self) -> Vec<(u8, u8)> {
        let nth = (1..).zip(self.nth);
        nth.flat_map(|(nth, days)| {
            (0..7)
                .filter(move |day| days >> day & 1 == 1)
                .map(move |day| (day, nth))
        })
        .collect()
    }

    /// The field as croner reads it: every value written out, so that nothing is left to its own reading.
    pub(super) fn canonical(&self) -> String {
        if self.any {
            return "*".to_owned();
        }
        let mut parts: Vec<String> = self.plain().iter().map(u8::to_string).collect();
        parts.extend(self.last.then(|| "L".to_owned()));
        parts.extend(self.last_of().iter().map(|day| format!("{day}L")));
        parts.extend(self.nth().iter().map(|(day, nth)| format!("{day}#{nth}")));
        parts.join(",")
    }
}

/// All values of a field, each once.
const fn whole(field: CronField) -> (u8, u8) {
    match field {
        CronField::Weekday => (0, 6),
        _ => bounds(field),
    }
}

/// A number of one or two digits.
fn number(text: &str) -> Option<u8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// A value by its number or, where the field has names, by its name in capitals.
fn value(field: CronField, text: &str) -> Result<u8, CronReason> {
    let (least, greatest) = bounds(field);
    let (names, first): (&[&str], u8) = match field {
        CronField::Month => (&MONTHS, 1),
        CronField::Weekday => (&WEEKDAYS, 0),
        _ => (&[], 0),
    };
    if let Some(at) = names.iter().position(|name| *name == text) {
        return Ok(first + at as u8);
    }
    if text.is_empty() {
        return Err(CronReason::Empty);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        let sign = text.contains(['?', '#', '*']) || text == "L" || text == "W" || is_nearest(text);
        return Err(if sign {
            CronReason::NotHere
        } else {
            CronReason::NotAValue
        });
    }
    number(text)
        .filter(|value| (least..=greatest).contains(value))
        .ok_or(CronReason::OutOfRange)
}

/// Quartz's `15W` and `LW`, the working day nearest to one, and `5L` where no weekday is meant.
fn is_nearest(text: &str) -> bool {
    let rest = text.strip_suffix(['W', 'L']);
    rest.is_some_and(|rest| rest == "L" || rest.bytes().all(|b| b.is_ascii_digit()))
}
