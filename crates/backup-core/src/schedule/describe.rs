//! When a cron expression is due, as a sentence: here is found what is to be said, and each language's own file says it.

mod en;
mod zh_tw;

use super::cron::{CronExpression, Fields};
use crate::Language;

/// First and last of neighbouring values; the same twice for one that stands alone.
type Run = (u8, u8);

/// What a sentence has to say.
struct Meaning {
    times: Times,
    /// The days that match, each kind by itself; one of them is enough.
    days: Vec<Days>,
    /// The months; empty for all.
    months: Vec<Run>,
}

enum Times {
    /// At these times of the day, hour and minute.
    At(Vec<(u8, u8)>),
    /// Every so many hours, at one minute, from the first time of the day to the last.
    EveryHours { step: u8, first: u8, last: u8, minute: u8 },
    /// At these minutes of these hours; no hours for all.
    Within { minutes: Minutes, hours: Vec<Run> },
}

enum Minutes {
    /// Every so many minutes of the hour and so of the day: the number divides 60.
    Every(u8),
    /// At one minute of the hour.
    On(u8),
    /// Every so many minutes from the first to the last of each hour.
    Stepped { step: u8, first: u8, last: u8 },
    /// At these.
    Listed(Vec<Run>),
}

enum Days {
    /// All of them.
    Every,
    /// Days of the month, and whether the last one too.
    Dates { runs: Vec<Run>, last: bool },
    /// Days of the week, 1 for Monday to 7 for Sunday.
    Weekdays(Vec<u8>),
    /// Days of the week by which one in the month is meant: 1 to 5, or the last where there is no number.
    Occurrences(Vec<(u8, Option<u8>)>),
}

/// From how many values on a step is said instead of the values.
const STEPS: usize = 4;
/// Up to how many times of the day are said one by one, where they are not of the same minute.
const FEW: usize = 6;

pub(super) fn sentence(expression: &CronExpression, language: Language) -> String {
    let meaning = Meaning::of(&expression.fields);
    match language {
        Language::ZhTw => zh_tw::sentence(&meaning),
        Language::En => en::sentence(&meaning),
    }
}

impl Meaning {
    fn of(fields: &Fields) -> Self {
        let months = fields.month.plain();
        Self {
            times: Times::of(&fields.minute.plain(), &fields.hour.plain()),
            days: Days::of(fields),
            months: if months.len() == 12 {
                Vec::new()
            } else {
                runs(&months, 3)
            },
        }
    }

    /// Whether nothing has to be said of days and months.
    fn is_daily(&self) -> bool {
        self.months.is_empty() && matches!(self.days[..], [Days::Every])
    }
}

impl Times {
    fn of(minutes: &[u8], hours: &[u8]) -> Self {
        if hours.len() == 24 {
            return Self::Within {
                minutes: Minutes::of(minutes),
                hours: Vec::new(),
            };
        }
        if let ([minute], Some((step, first, last))) = (minutes, steps(hours)) {
            return Self::EveryHours {
                step,
                first,
                last,
                minute: *minute,
            };
        }
        if minutes.len() == 1 || minutes.len() * hours.len() <= FEW {
            let times = hours
                .iter()
                .flat_map(|hour| minutes.iter().map(|minute| (*hour, *minute)));
            return Self::At(times.collect());
        }
        Self::Within {
            minutes: Minutes::of(minutes),
            hours: runs(hours, 1),
        }
    }
}

impl Minutes {
    fn of(minutes: &[u8]) -> Self {
        match *minutes {
            [minute] => Self::On(minute),
            [0, step, ..] if 60 % step == 0 && minutes.len() == usize::from(60 / step) && is_stepped(minutes) => {
                Self::Every(step)
            }
            _ => match steps(minutes) {
                Some((step, first, last)) if step > 1 => Self::Stepped { step, first, last },
                _ => Self::Listed(runs(minutes, 3)),
            },
        }
    }
}

impl Days {
    fn of(fields: &Fields) -> Vec<Self> {
        let dates = fields.day.plain();
        let mut weekdays: Vec<u8> = fields.weekday.plain().iter().map(|day| monday_first(*day)).collect();
        weekdays.sort_unstable();
        // Where both are restricted, either is enough; where one is not, it says nothing.
        let says_dates = !fields.day.any;
        let says_weekdays = !fields.weekday.any;
        if (says_dates && dates.len() == 31) || (says_weekdays && weekdays.len() == 7) || !(says_dates || says_weekdays)
        {
            return vec![Self::Every];
        }
        let mut days = Vec::new();
        if says_dates {
            days.push(Self::Dates {
                runs: runs(&dates, 3),
                last: fields.day.last,
            });
        }
        if says_weekdays && !weekdays.is_empty() {
            days.push(Self::Weekdays(weekdays));
        }
        let nth = fields
            .weekday
            .nth()
            .into_iter()
            .map(|(day, nth)| (monday_first(day), Some(nth)));
        let last = fields
            .weekday
            .last_of()
            .into_iter()
            .map(|day| (monday_first(day), None));
        let occurrences: Vec<_> = nth.chain(last).collect();
        if !occurrences.is_empty() {
            days.push(Self::Occurrences(occurrences));
        }
        days
    }
}

/// 1 for Monday to 7 for Sunday, of 0 for Sunday to 6 for Saturday.
const fn monday_first(day: u8) -> u8 {
    if day == 0 { 7 } else { day }
}

/// Rising values as runs of neighbours; those of fewer than `least` stand alone.
fn runs(values: &[u8], least: usize) -> Vec<Run> {
    let chunks = values.chunk_by(|a, b| a + 1 == *b);
    let split = chunks.flat_map(|run| match run {
        [first, .., last] if run.len() >= least => vec![(*first, *last)],
        _ => run.iter().map(|value| (*value, *value)).collect(),
    });
    split.collect()
}

/// Whether each value is as far from the one before.
fn is_stepped(values: &[u8]) -> bool {
    values
        .windows(3)
        .all(|three| three[1] - three[0] == three[2] - three[1])
}

/// The step, the first and the last of enough values that are each as far from the one before.
fn steps(values: &[u8]) -> Option<(u8, u8, u8)> {
    match *values {
        [first, second, .., last] if values.len() >= STEPS && is_stepped(values) => Some((second - first, first, last)),
        _ => None,
    }
}
