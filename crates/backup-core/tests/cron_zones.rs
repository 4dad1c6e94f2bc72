//! What is due on the days on which a zone's clock is put forward or back, written out. A nightly backup is neither lost
//! nor doubled, and an hourly one goes on every hour.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use backup_core::schedule::{CronExpression, Zone};
use chrono::{DateTime, Utc};

/// Checks the instants from `after` on: as many as are listed, in UTC.
#[track_caller]
fn due(zone: &str, expression: &str, after: &str, expected: &[&str]) {
    let zone: Zone = zone.parse().unwrap();
    let at = |text: &str| format!("{text}:00Z").parse::<DateTime<Utc>>().unwrap();
    let runs: Vec<_> = CronExpression::parse(expression)
        .unwrap()
        .upcoming(at(after), zone)
        .take(expected.len())
        .collect();
    let expected: Vec<_> = expected.iter().map(|text| at(text)).collect();
    let local = |runs: &[DateTime<Utc>]| runs.iter().map(|at| zone.local(*at)).collect::<Vec<_>>();
    assert_eq!(
        runs,
        expected,
        "{expression} in {zone}: local {:?}, expected {:?}",
        local(&runs),
        local(&expected)
    );
}

/// Taipei put its clock forward on 1 April 1974, 1 April 1975 and 1 July 1979 from 0:00 to 1:00, and back on 1 October
/// from 0:00 to 23:00 of the day before.
#[test]
fn taipei_in_1974_1975_and_1979() {
    for (year, forward, june) in [
        (1974, "03-31", "04-01"),
        (1975, "03-31", "04-01"),
        (1979, "06-30", "07-01"),
    ] {
        let day = |day: &str, time: &str| format!("{year}-{day}T{time}");
        // At 0:30, which is skipped: once, at 1:00, which is 16:00 UTC of the day before.
        let (skipped, next) = (day(forward, "16:00"), day(june, "15:30"));
        due("Asia/Taipei", "30 0 * * *", &day(forward, "00:00"), &[&skipped, &next]);
        // Hourly: 23:00 is followed by 1:00, one hour later.
        let hours = ["14:00", "15:00", "16:00", "17:00"].map(|time| day(forward, time));
        due(
            "Asia/Taipei",
            "0 * * * *",
            &day(forward, "13:00"),
            &hours.each_ref().map(String::as_str),
        );
        // At 23:30, which comes twice: once, the first time.
        let (first, next) = (day("09-30", "14:30"), day("10-01", "15:30"));
        due("Asia/Taipei", "30 23 * * *", &day("09-30", "00:00"), &[&first, &next]);
        due("Asia/Taipei", "30 23 * * *", &day("09-30", "14:45"), &[&next]);
        let hours = ["14:00", "15:00", "16:00", "17:00"].map(|time| day("09-30", time));
        due(
            "Asia/Taipei",
            "0 * * * *",
            &day("09-30", "13:00"),
            &hours.each_ref().map(String::as_str),
        );
    }
}

/// New York, 8 March 2026: 2:00 to 3:00 is skipped at 7:00 UTC. 1 November: 1:00 to 2:00 comes twice, from 5:00 UTC.
#[test]
fn new_york() {
    let due = |expression, after, expected: &[&str]| due("America/New_York", expression, after, expected);
    due(
        "30 2 * * *",
        "2026-03-07T00:00",
        &["2026-03-07T07:30", "2026-03-08T07:00", "2026-03-09T06:30"],
    );
    // The hour before and the hour behind are not moved.
    due(
        "30 1 * * *",
        "2026-03-08T00:00",
        &["2026-03-08T06:30", "2026-03-09T05:30"],
    );
    due(
        "0 3 * * *",
        "2026-03-08T00:00",
        &["2026-03-08T07:00", "2026-03-09T07:00"],
    );
    // What is skipped several times, or meets what is due anyway, is due once.
    due(
        "*/15 2 * * *",
        "2026-03-08T00:00",
        &["2026-03-08T07:00", "2026-03-09T06:00"],
    );
    due(
        "30 2,3 * * *",
        "2026-03-08T00:00",
        &["2026-03-08T07:00", "2026-03-08T07:30", "2026-03-09T06:30"],
    );
    due(
        "0 2,3 * * *",
        "2026-03-08T00:00",
        &["2026-03-08T07:00", "2026-03-09T06:00"],
    );
    // On its day of the week or month alone.
    due("30 2 * * 1", "2026-03-03T00:00", &["2026-03-09T06:30"]);
    due(
        "30 2 * * SUN",
        "2026-03-03T00:00",
        &["2026-03-08T07:00", "2026-03-15T06:30"],
    );
    due(
        "30 2 8 3 *",
        "2026-01-01T00:00",
        &["2026-03-08T07:00", "2027-03-08T07:30"],
    );
    due(
        "0 * * * *",
        "2026-03-08T05:00",
        &["2026-03-08T06:00", "2026-03-08T07:00", "2026-03-08T08:00"],
    );
    due(
        "*/30 * * * *",
        "2026-03-08T06:00",
        &["2026-03-08T06:30", "2026-03-08T07:00", "2026-03-08T07:30"],
    );

    due(
        "30 1 * * *",
        "2026-10-31T00:00",
        &["2026-10-31T05:30", "2026-11-01T05:30", "2026-11-02T06:30"],
    );
    for after in [
        "2026-11-01T05:30",
        "2026-11-01T05:45",
        "2026-11-01T06:00",
        "2026-11-01T06:30",
    ] {
        due("30 1 * * *", after, &["2026-11-02T06:30"]);
    }
    due(
        "*/30 1 * * *",
        "2026-11-01T00:00",
        &["2026-11-01T05:00", "2026-11-01T05:30", "2026-11-02T06:00"],
    );
    due(
        "0 2 * * *",
        "2026-11-01T00:00",
        &["2026-11-01T07:00", "2026-11-02T07:00"],
    );
    due(
        "0 * * * *",
        "2026-11-01T04:00",
        &[
            "2026-11-01T05:00",
            "2026-11-01T06:00",
            "2026-11-01T07:00",
            "2026-11-01T08:00",
        ],
    );
    // From within the first of the two hours, what the clock shows once more is still to come.
    due(
        "*/15 * * * *",
        "2026-11-01T05:30",
        &[
            "2026-11-01T05:45",
            "2026-11-01T06:00",
            "2026-11-01T06:15",
            "2026-11-01T06:30",
        ],
    );
    due(
        "10 * * * *",
        "2026-11-01T05:50",
        &["2026-11-01T06:10", "2026-11-01T07:10"],
    );
    due(
        "10 * 1 11 *",
        "2026-11-01T05:50",
        &["2026-11-01T06:10", "2026-11-01T07:10"],
    );
}

/// London, 29 March 2026: 1:00 to 2:00 is skipped at 1:00 UTC. 25 October: 1:00 to 2:00 comes twice, from 0:00 UTC.
#[test]
fn london() {
    let due = |expression, after, expected: &[&str]| due("Europe/London", expression, after, expected);
    due(
        "15 1 * * *",
        "2026-03-28T12:00",
        &["2026-03-29T01:00", "2026-03-30T00:15"],
    );
    due(
        "15 1 * * *",
        "2026-10-24T12:00",
        &["2026-10-25T00:15", "2026-10-26T01:15"],
    );
    due("15 1 * * *", "2026-10-25T00:15", &["2026-10-26T01:15"]);
    due(
        "15 * * * *",
        "2026-03-28T23:15",
        &["2026-03-29T00:15", "2026-03-29T01:15", "2026-03-29T02:15"],
    );
    due(
        "15 * * * *",
        "2026-10-24T23:15",
        &["2026-10-25T00:15", "2026-10-25T01:15", "2026-10-25T02:15"],
    );
    // Every six hours are times of the day.
    due(
        "0 */6 * * *",
        "2026-10-24T23:00",
        &[
            "2026-10-25T06:00",
            "2026-10-25T12:00",
            "2026-10-25T18:00",
            "2026-10-26T00:00",
        ],
    );
}

/// Lord Howe's summer time is half an hour. 4 October 2026: 2:00 to 2:30 is skipped at 15:30 UTC of the 3rd. 5 April
/// 2026: 1:30 to 2:00 comes twice, from 14:30 UTC of the 4th.
#[test]
fn lord_howe() {
    let due = |expression, after, expected: &[&str]| due("Australia/Lord_Howe", expression, after, expected);
    due(
        "10 2 * * *",
        "2026-10-03T00:00",
        &["2026-10-03T15:30", "2026-10-04T15:10"],
    );
    due(
        "40 2 * * *",
        "2026-10-03T00:00",
        &["2026-10-03T15:40", "2026-10-04T15:40"],
    );
    due(
        "45 1 * * *",
        "2026-04-04T00:00",
        &["2026-04-04T14:45", "2026-04-05T15:15"],
    );
    due("45 1 * * *", "2026-04-04T14:45", &["2026-04-05T15:15"]);
    due(
        "*/15 * * * *",
        "2026-10-03T15:00",
        &[
            "2026-10-03T15:15",
            "2026-10-03T15:30",
            "2026-10-03T15:45",
            "2026-10-03T16:00",
        ],
    );
    due(
        "*/15 * * * *",
        "2026-04-04T14:15",
        &[
            "2026-04-04T14:30",
            "2026-04-04T14:45",
            "2026-04-04T15:00",
            "2026-04-04T15:15",
            "2026-04-04T15:30",
        ],
    );
    // Half an hour cannot be made up for: the clock shows a whole hour after an hour and a half.
    due(
        "0 * * * *",
        "2026-10-03T14:00",
        &["2026-10-03T14:30", "2026-10-03T16:00"],
    );
    due(
        "0 * * * *",
        "2026-04-04T13:00",
        &["2026-04-04T14:00", "2026-04-04T15:30"],
    );
}

/// Sao Paulo, 4 November 2018: 0:00 to 1:00 is skipped at 3:00 UTC. 18 February 2018: 23:00 to 24:00 of the 17th comes
/// twice, from 1:00 UTC.
#[test]
fn sao_paulo() {
    let due = |expression, after, expected: &[&str]| due("America/Sao_Paulo", expression, after, expected);
    due(
        "0 0 * * *",
        "2018-11-03T00:00",
        &["2018-11-03T03:00", "2018-11-04T03:00", "2018-11-05T02:00"],
    );
    due("@daily", "2018-11-04T03:00", &["2018-11-05T02:00"]);
    due("@weekly", "2018-11-01T00:00", &["2018-11-04T03:00", "2018-11-11T02:00"]);
    due(
        "0 0 4 * *",
        "2018-11-01T00:00",
        &["2018-11-04T03:00", "2018-12-04T02:00"],
    );
    due(
        "0 0 3 * *",
        "2018-11-01T00:00",
        &["2018-11-03T03:00", "2018-12-03T02:00"],
    );
    due(
        "30 23 * * *",
        "2018-02-17T12:00",
        &["2018-02-18T01:30", "2018-02-19T02:30"],
    );
    due(
        "30 23 17 * *",
        "2018-02-17T12:00",
        &["2018-02-18T01:30", "2018-03-18T02:30"],
    );
    due(
        "30 * 17 2 *",
        "2018-02-18T01:15",
        &["2018-02-18T01:30", "2018-02-18T02:30", "2019-02-17T03:30"],
    );
    due(
        "15 * 17 2 *",
        "2018-02-18T01:45",
        &["2018-02-18T02:15", "2019-02-17T03:15"],
    );
    due(
        "0 0 * * *",
        "2018-02-17T12:00",
        &["2018-02-18T03:00", "2018-02-19T03:00"],
    );
}

/// Apia left out 30 December 2011: from the end of the 29th, at 10:00 UTC of the 30th, to the 31st.
#[test]
fn apia_without_a_friday() {
    let due = |expression, after, expected: &[&str]| due("Pacific/Apia", expression, after, expected);
    due(
        "0 2 * * *",
        "2011-12-28T13:00",
        &["2011-12-29T12:00", "2011-12-30T12:00", "2011-12-31T12:00"],
    );
    due(
        "@daily",
        "2011-12-29T09:00",
        &["2011-12-29T10:00", "2011-12-30T10:00", "2011-12-31T10:00"],
    );
    due(
        "0 * * * *",
        "2011-12-30T08:00",
        &["2011-12-30T09:00", "2011-12-30T10:00", "2011-12-30T11:00"],
    );
    // A day that never was is like the 31st of a month of thirty.
    due("0 2 30 * *", "2011-12-01T00:00", &["2012-01-29T12:00"]);
    due("0 2 * * FRI", "2011-12-28T00:00", &["2012-01-05T12:00"]);
    due(
        "0 2 L * *",
        "2011-12-28T00:00",
        &["2011-12-30T12:00", "2012-01-30T12:00"],
    );
}

/// Toronto, 30 March 1919: 23:30 is followed by 0:30 of the next day, at 4:30 UTC of the 31st. What is skipped belongs to a
/// day that is already over.
#[test]
fn toronto_from_one_day_into_the_next() {
    let due = |expression, after, expected: &[&str]| due("America/Toronto", expression, after, expected);
    due(
        "45 23 * * *",
        "1919-03-30T12:00",
        &["1919-03-31T04:30", "1919-04-01T03:45"],
    );
    due(
        "45 23 30 3 *",
        "1919-03-30T12:00",
        &["1919-03-31T04:30", "1920-03-31T04:45"],
    );
    due(
        "15 0 31 3 *",
        "1919-03-30T12:00",
        &["1919-03-31T04:30", "1920-03-31T05:15"],
    );
}

#[test]
fn zones_are_read_by_their_exact_names() {
    for name in ["Asia/Taipei", "UTC", "America/Argentina/Buenos_Aires", "Asia/Kathmandu"] {
        assert_eq!(name.parse::<Zone>().unwrap().to_string(), name);
    }
    for name in [
        "",
        " Asia/Taipei",
        "Asia/Taipei ",
        "asia/taipei",
        "Asia/Taipeh",
        "+08:00",
        "CST",
    ] {
        let error = name.parse::<Zone>().unwrap_err();
        assert!(error.to_string().contains("is not a time zone"), "{error}");
    }
    let hostile = format!("\u{1b}[2J\n\u{202e}{}", "x".repeat(1000));
    let message = hostile.parse::<Zone>().unwrap_err().to_string();
    assert!(
        message.chars().count() < 70 && !message.contains(['\u{1b}', '\n', '\u{202e}']),
        "{message:?}"
    );
}
