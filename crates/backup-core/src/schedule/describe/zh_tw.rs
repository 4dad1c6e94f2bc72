//! The sentences in Traditional Chinese. Digits are set off from characters by a space, as in the specification's labels.

use super::{Days, Meaning, Minutes, Run, Times};

const WEEKDAYS: [&str; 7] = ["一", "二", "三", "四", "五", "六", "日"];
const ORDINALS: [&str; 5] = ["一", "二", "三", "四", "五"];

pub(super) fn sentence(meaning: &Meaning) -> String {
    let days = days(meaning);
    match &meaning.times {
        Times::At(times) => {
            let times: Vec<String> = times.iter().map(|(hour, minute)| time_of_day(*hour, *minute)).collect();
            let comma = if meaning.days.len() > 1 { "，" } else { "" };
            format!("{days}{comma}{}", times.join("、"))
        }
        Times::EveryHours {
            step,
            first,
            last,
            minute,
        } => {
            let every = if *step == 1 {
                "每小時".to_owned()
            } else {
                format!("每 {step} 小時")
            };
            format!("{days} {first}:{minute:02} 至 {last}:{minute:02}，{every}一次")
        }
        Times::Within { minutes, hours } if hours.is_empty() => {
            if meaning.is_daily() {
                every_hour(minutes)
            } else {
                format!("{days}，{}", every_hour(minutes))
            }
        }
        Times::Within { minutes, hours } => {
            let span = |(first, last): &Run| format!("{first}:00 至 {last}:59");
            let spans: Vec<String> = hours.iter().map(span).collect();
            format!("{days} {}，{}", spans.join("、"), every_hour(minutes))
        }
    }
}

fn every_hour(minutes: &Minutes) -> String {
    match minutes {
        Minutes::Every(1) => "每分鐘".to_owned(),
        Minutes::Every(step) => format!("每 {step} 分鐘"),
        Minutes::On(0) => "每小時整點".to_owned(),
        Minutes::On(minute) => format!("每小時第 {minute} 分"),
        Minutes::Stepped { step, first, last } => format!("每小時第 {first} 分至第 {last} 分，每 {step} 分鐘"),
        Minutes::Listed(runs) => {
            let through = |(first, last): &Run| {
                if first == last {
                    first.to_string()
                } else {
                    format!("{first} 至 {last}")
                }
            };
            let minutes: Vec<String> = runs.iter().map(through).collect();
            format!("每小時第 {} 分", minutes.join("、"))
        }
    }
}

fn days(meaning: &Meaning) -> String {
    let months: Vec<String> = meaning.months.iter().map(|run| through(*run, "月")).collect();
    // What a day of the month and what any other day belongs to.
    let (of, within) = match months.as_slice() {
        [] => ("每月".to_owned(), String::new()),
        [only] => (format!("每年 {only}"), format!("每年 {only}的")),
        _ => (
            format!("每年 {}的", months.join("、")),
            format!("每年 {}的", months.join("、")),
        ),
    };
    let kinds = meaning.days.iter().map(|days| match days {
        Days::Every if within.is_empty() => "每天".to_owned(),
        Days::Every => format!("{within}每一天"),
        Days::Dates { runs, last } => {
            let dates: Vec<String> = runs.iter().map(|run| through(*run, "號")).collect();
            let last = match (last, dates.is_empty()) {
                (false, _) => "",
                (true, true) => "最後一天",
                (true, false) => "及最後一天",
            };
            let space = if dates.is_empty() { "" } else { " " };
            format!("{of}{space}{}{last}", dates.join("、"))
        }
        Days::Weekdays(days) => format!("{within}{}", weekdays(days)),
        Days::Occurrences(days) => {
            let which = days.iter().map(|(day, nth)| match nth {
                Some(nth) => format!("第{}個週{}", ORDINALS[usize::from(*nth) - 1], weekday(*day)),
                None => format!("最後一個週{}", weekday(*day)),
            });
            format!("{of}{}", which.collect::<Vec<_>>().join("、"))
        }
    });
    kinds.collect::<Vec<_>>().join("，以及")
}

fn weekdays(days: &[u8]) -> String {
    match days {
        [first, .., last] if days.len() > 2 && usize::from(last - first) + 1 == days.len() => {
            format!("每週{}至週{}", weekday(*first), weekday(*last))
        }
        _ => {
            let names: Vec<&str> = days.iter().map(|day| weekday(*day)).collect();
            format!("每週{}", names.join("、"))
        }
    }
}

fn weekday(day: u8) -> &'static str {
    WEEKDAYS[usize::from(day) - 1]
}

fn through((first, last): Run, unit: &str) -> String {
    if first == last {
        format!("{first} {unit}")
    } else {
        format!("{first} {unit}至 {last} {unit}")
    }
}

/// A time on the twelve hours that people say, with the part of the day that tells them apart.
fn time_of_day(hour: u8, minute: u8) -> String {
    let (part, hour) = match hour {
        0..=5 => ("凌晨", hour),
        6..=11 => ("上午", hour),
        12 => ("中午", hour),
        13..=17 => ("下午", hour - 12),
        _ => ("晚上", hour - 12),
    };
    format!("{part} {hour}:{minute:02}")
}
