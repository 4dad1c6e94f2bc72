use std::collections::HashSet;

use backup_core::schedule::{CronExpression, Due, Zone};
use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};
use proptest::prelude::*;

use super::any;

/// Instants around which clocks are put forward or back, in zones of [`any::ZONES`].
const CHANGES: [(&str, &str); 10] = [
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Europe/London", "2026-10-25T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("America/St_Johns", "2006-10-29T02:31:00Z"),
    ("Asia/Taipei", "1979-06-30T16:00:00Z"),
];

/// A zone and an instant, half of them within two days of a change of its clock.
fn moment() -> impl Strategy<Value = (Zone, DateTime<Utc>)> {
    let near = (prop::sample::select(CHANGES.to_vec()), -172_800_000..172_800_000_i64);
    let near = near.prop_map(|((zone, change), millis)| {
        let change: DateTime<Utc> = change.parse().unwrap();
        (zone.parse().unwrap(), change + TimeDelta::milliseconds(millis))
    });
    prop_oneof![(any::zone(), any::instant()), near]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    /// Instants rise, and between two of them there is no other: from wherever one asks, the same ones come.
    #[test]
    fn instants_rise_and_do_not_depend_on_where_one_asks(
        expression in any::expression(),
        (zone, after) in moment(),
        share in 0.0..1.0_f64,
    ) {
        let runs: Vec<_> = expression.upcoming(after, zone).take(12).collect();
        prop_assert_eq!(runs.len(), 12);
        prop_assert!(runs[0] > after);
        for pair in runs.windows(2) {
            prop_assert!(pair[0] < pair[1]);
            let between = (pair[1] - pair[0]).num_milliseconds() as f64 * share;
            let between = pair[0] + TimeDelta::milliseconds(between as i64);
            prop_assert_eq!(expression.next_after(between, zone), Some(pair[1]));
            prop_assert_eq!(expression.next_after(pair[1] - TimeDelta::nanoseconds(1), zone), Some(pair[1]));
        }
    }

    /// An interval is due at all instants at which the clock shows one of its times, and at no others; a time of day at
    /// the first at which the clock shows it or a later one.
    #[test]
    fn instants_are_those_of_a_clock_that_is_watched(expression in any::expression(), (zone, after) in moment()) {
        let is_interval = {
            let day: DateTime<Utc> = "2024-02-01T00:00:00Z".parse().unwrap();
            let first = expression.next_after(day, Zone::UTC).unwrap();
            let day = first.date_naive().and_time(NaiveTime::MIN).and_utc();
            let hours = expression.upcoming(day - TimeDelta::seconds(1), Zone::UTC);
            let hours = hours.take_while(|at| at.date_naive() == day.date_naive()).map(|at| at.hour());
            hours.collect::<HashSet<_>>().len() == 24
        };
        // Minutes of UTC are minutes of every zone in these years.
        let start = after.with_second(0).and_then(|at| at.with_nanosecond(0)).unwrap();
        // In UTC the calendar alone decides which times there are.
        let first = zone.local(start).and_utc() - TimeDelta::days(5);
        let times = expression.upcoming(first, Zone::UTC);
        let times: HashSet<_> = times.take_while(|at| *at < first + TimeDelta::days(10)).collect();
        let in_utc = |local: NaiveDateTime| times.contains(&local.and_utc());
        // The highest that the clock has shown, from long enough before.
        let mut shown = zone.local(start - TimeDelta::days(2));
        let mut expected = Vec::new();
        for minute in -2880..2880 {
            let at = start + TimeDelta::minutes(minute);
            let local = zone.local(at);
            let is_due = if is_interval || local - shown >= TimeDelta::hours(24) {
                in_utc(local)
            } else {
                // All times since the highest one, this one included.
                let mut time = shown + TimeDelta::minutes(1);
                let mut any = false;
                while time <= local {
                    any = any || in_utc(time);
                    time += TimeDelta::minutes(1);
                }
                any
            };
            shown = shown.max(local);
            if is_due && at > after {
                expected.push(at);
            }
        }
        let until = start + TimeDelta::minutes(2879);
        let runs: Vec<_> = expression.upcoming(after, zone).take_while(|at| *at <= until).collect();
        prop_assert_eq!(runs, expected);
    }

    /// What is due is what a walk of all instants finds.
    #[test]
    fn due_agrees_with_a_walk(expression in any::expression(), (zone, after) in moment(), days in 0..40_i64) {
        let from = expression.next_after(after, zone).unwrap();
        let until = from + TimeDelta::days(days);
        let mut walk = vec![from];
        walk.extend(expression.upcoming(from, zone).take_while(|at| *at <= until));
        let due = expression.due(from, until, zone).unwrap();
        prop_assert_eq!(due.latest, *walk.last().unwrap());
        prop_assert_eq!(due.count, (walk.len() as u32).min(CronExpression::MAX_COUNT));
    }

    /// No text makes the reader panic, and what it reads it reads again.
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,60}", signs in "[0-9*/,\\-?L#A-Z @]{0,40}") {
        for text in [text, signs] {
            match CronExpression::parse(&text) {
                Ok(expression) => prop_assert_eq!(CronExpression::parse(expression.as_str()).unwrap(), expression),
                Err(error) => prop_assert!(error.to_string().chars().count() < 110),
            }
        }
    }
}

#[test]
fn a_schedule_that_was_down_for_years_costs_little() {
    let zone: Zone = "America/New_York".parse().unwrap();
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let (from, until) = (at("2006-01-01T00:00:00Z"), at("2026-11-26T12:34:56Z"));
    for (text, latest) in [
        ("* * * * *", "2026-11-26T12:34:00Z"),
        ("*/5 * * * *", "2026-11-26T12:30:00Z"),
        ("* * * 1 *", "2026-02-01T04:59:00Z"),
        ("* 2 29 2 *", "2024-02-29T07:59:00Z"),
    ] {
        let expression = CronExpression::parse(text).unwrap();
        let due = expression.due(from, until, zone).unwrap();
        assert_eq!(due.latest, at(latest), "{text}");
        assert!(due.count == 10_000 || text == "* 2 29 2 *", "{text}: {}", due.count);
    }
    let expression = CronExpression::parse("@daily").unwrap();
    assert_eq!(expression.due(until, from, zone), None);
    assert_eq!(expression.due(from, from, zone), Some(Due { latest: from, count: 1 }));
}
