//! Sizes, spans and times as people read them.

use chrono::{DateTime, Utc};

use super::fill::fill;
use super::words::word;
use crate::Language;

/// Bytes with a binary unit: `12.3 GiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut divisor = 1024_u128;
    let tenths = |divisor: u128| (u128::from(bytes) * 10 + divisor / 2) / divisor;
    let mut unit = 0;
    // What is rounded up to 1024 is one of the next unit.
    while tenths(divisor) >= 10_240 && unit + 1 < UNITS.len() {
        divisor *= 1024;
        unit += 1;
    }
    let tenths = tenths(divisor);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A span in its two largest units: `1 h 2 min`. Empty where the end is before the start, as after a change of the clock.
pub(super) fn span(language: Language, from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let Ok(seconds) = u64::try_from((to - from).num_seconds()) else {
        return String::new();
    };
    let units = [
        (seconds / 86_400, "duration.day"),
        (seconds / 3600 % 24, "duration.hour"),
        (seconds / 60 % 60, "duration.minute"),
        (seconds % 60, "duration.second"),
    ];
    let Some(first) = units.iter().position(|(count, _)| *count > 0) else {
        return word(language, "duration.instant");
    };
    let shown = units[first..].iter().take(2).filter(|(count, _)| *count > 0);
    let shown = shown.map(|(count, unit)| fill(&word(language, unit), |name| (name == "n").then(|| count.to_string())));
    shown.collect::<Vec<_>>().join(" ")
}

/// A time, with its zone.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn sizes_have_the_unit_that_people_expect() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
            ((1 << 30) - 1, "1.0 GiB"),
            (5_368_709_120, "5.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn spans_have_two_units_in_the_language() {
        let from: DateTime<Utc> = "2026-11-26T06:00:00Z".parse().unwrap();
        for (seconds, zh, en) in [
            (0, "不到 1 秒", "less than 1 s"),
            (59, "59 秒", "59 s"),
            (60, "1 分", "1 min"),
            (125, "2 分 5 秒", "2 min 5 s"),
            (3720, "1 小時 2 分", "1 h 2 min"),
            (3605, "1 小時", "1 h"),
            (90_000, "1 天 1 小時", "1 d 1 h"),
            (-1, "", ""),
        ] {
            let to = from + TimeDelta::seconds(seconds);
            assert_eq!(span(Language::ZhTw, from, to), zh);
            assert_eq!(span(Language::En, from, to), en);
        }
    }
}
