//! The sentences in English.

use super::{Days, Meaning, Minutes, Run, Times};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const ORDINALS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

pub(super) fn sentence(meaning: &Meaning) -> String {
    let days = days(meaning);
    let text = match &meaning.times {
        Times::At(times) => {
            let times: Vec<String> = times.iter().map(|(hour, minute)| clock(*hour, *minute)).collect();
            // "and also" opened an aside, which the comma closes.
            let comma = if meaning.days.len() > 1 { "," } else { "" };
            return capital(&format!("{days}{comma} at {}", list(&times)));
        }
        Times::EveryHours {
            step,
            first,
            last,
            minute,
        } => {
            let (first, last) = (clock(*first, *minute), clock(*last, *minute));
            format!("{} from {first} to {last}", every(*step, "hour"))
        }
        Times::Within { minutes, hours } if hours.is_empty() => {
            let text = every_hour(minutes);
            if meaning.is_daily() {
                return capital(&text);
            }
            text
        }
        Times::Within { minutes, hours } => {
            let spans: Vec<String> = hours.iter().map(|run| span(*run)).collect();
            format!("{} {}", every_hour(minutes), list(&spans))
        }
    };
    capital(&format!("{text}, {days}"))
}

fn every_hour(minutes: &Minutes) -> String {
    match minutes {
        Minutes::Every(step) => every(*step, "minute"),
        Minutes::On(0) => "every hour, on the hour".to_owned(),
        Minutes::On(minute) => format!("every hour, at minute {minute}"),
        Minutes::Stepped { step, first, last } => {
            format!(
                "{} from minute {first} to minute {last} of every hour",
                every(*step, "minute")
            )
        }
        Minutes::Listed(runs) => {
            let minutes: Vec<String> = runs
                .iter()
                .map(|run| through(*run, |minute| minute.to_string()))
                .collect();
            format!("at minutes {} of every hour", list(&minutes))
        }
    }
}

fn days(meaning: &Meaning) -> String {
    let months: Vec<String> = meaning.months.iter().map(|run| through(*run, month)).collect();
    let (of, within) = if months.is_empty() {
        (" of every month".to_owned(), String::new())
    } else {
        (format!(" of {}", list(&months)), format!(" in {}", list(&months)))
    };
    let kinds = meaning.days.iter().map(|days| match days {
        Days::Every => format!("every day{within}"),
        Days::Dates { runs, last } => {
            let mut dates: Vec<String> = runs.iter().map(|run| through(*run, date)).collect();
            dates.extend(last.then(|| "the last day".to_owned()));
            format!("on {}{of}", list(&dates))
        }
        Days::Weekdays(days) => format!("{}{within}", weekdays(days)),
        Days::Occurrences(days) => {
            let which = days.iter().map(|(day, nth)| match nth {
                Some(nth) => format!("the {} {}", ORDINALS[usize::from(*nth) - 1], weekday(*day)),
                None => format!("the last {}", weekday(*day)),
            });
            format!("on {}{of}", list(&which.collect::<Vec<_>>()))
        }
    });
    kinds.collect::<Vec<_>>().join(", and also ")
}

fn weekdays(days: &[u8]) -> String {
    match days {
        [first, .., last] if days.len() > 2 && usize::from(last - first) + 1 == days.len() => {
            format!("{} to {}", weekday(*first), weekday(*last))
        }
        _ => {
            let names: Vec<String> = days.iter().map(|day| weekday(*day).to_owned()).collect();
            format!("every {}", list(&names))
        }
    }
}

fn weekday(day: u8) -> &'static str {
    WEEKDAYS[usize::from(day) - 1]
}

fn month(month: u8) -> String {
    MONTHS[usize::from(month) - 1].to_owned()
}

fn date(day: u8) -> String {
    let ending = match day {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    };
    format!("the {day}{ending}")
}

fn every(step: u8, what: &str) -> String {
    if step == 1 {
        format!("every {what}")
    } else {
        format!("every {step} {what}s")
    }
}

fn clock(hour: u8, minute: u8) -> String {
    format!("{hour}:{minute:02}")
}

/// The whole of these hours.
fn span((first, last): Run) -> String {
    format!("from {first}:00 to {last}:59")
}

fn through((first, last): Run, name: impl Fn(u8) -> String) -> String {
    if first == last {
        name(first)
    } else {
        format!("{} to {}", name(first), name(last))
    }
}

fn list(parts: &[String]) -> String {
    match parts {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => parts.concat(),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(chars)
        .collect()
}
