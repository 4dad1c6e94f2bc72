use backup_core::schedule::{CRON_PRESETS, CronError, CronExpression, CronField, CronReason, Zone};
use chrono::{DateTime, Datelike, Utc};

use CronField::{Day, Hour, Minute, Month, Weekday};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The first instants from the beginning of 2026 on, in UTC.
fn runs(expression: &str, count: usize) -> Vec<String> {
    let expression = CronExpression::parse(expression).unwrap();
    let runs = expression.upcoming(at("2025-12-31T23:59:59Z"), Zone::UTC);
    runs.take(count)
        .map(|at| at.format("%m-%d %H:%M").to_string())
        .collect()
}

#[test]
fn presets_can_be_read() {
    for preset in CRON_PRESETS {
        assert_eq!(
            CronExpression::parse(preset.expression).unwrap().as_str(),
            preset.expression
        );
    }
}

#[test]
fn names_steps_lists_and_ranges() {
    let same = [
        ("0 0 * JAN,mar MON", "0 0 * 1,3 1"),
        ("0 0 * * Mon-FRI", "0 0 * * 1-5"),
        ("0 0 * * FRI-7", "0 0 * * 5,6,0"),
        ("0 0 * * sat-SUN", "0 0 * * 0,6"),
        ("0 0 * * SUN-SUN", "0 0 * * 0"),
        ("0 0 * * 7", "0 0 * * SUN"),
        ("0 0 ? * ?", "@daily"),
        ("0 0 * * *", "@midnight"),
        ("0 * * * *", "@HOURLY"),
        ("0 0 * * 0", "@weekly"),
        ("0 0 1 * *", "@monthly"),
        ("@yearly", "@annually"),
        ("0 0 1 1 *", "@yearly"),
        ("*/1 * * * *", "* * * * *"),
        ("5-59/15 * * * *", "5,20,35,50 * * * *"),
        ("0 0-23/6 * * *", "0 0,6,12,18 * * *"),
        ("00 02 01 01 *", "0 2 1 1 *"),
        ("0 0 * * 7L", "0 0 * * SUNl"),
        ("0 0 * * 7#2", "0 0 * * sun#2"),
        // Both restricted: either. One that is said to be everything restricts nothing.
        ("0 0 */1 * 1", "0 0 * * 1"),
    ];
    for (text, other) in same {
        assert_eq!(runs(text, 60), runs(other, 60), "{text} and {other}");
    }
    assert_eq!(
        runs("0 0 13 * 5", 4),
        ["01-02 00:00", "01-09 00:00", "01-13 00:00", "01-16 00:00"]
    );
    assert_eq!(runs("0 0 L * *", 3), ["01-31 00:00", "02-28 00:00", "03-31 00:00"]);
    assert_eq!(runs("0 0 L,15 2 *", 2), ["02-15 00:00", "02-28 00:00"]);
    assert_eq!(runs("0 0 * * 5L", 2), ["01-30 00:00", "02-27 00:00"]);
    assert_eq!(
        runs("0 0 * * 5#2,1#1", 3),
        ["01-05 00:00", "01-09 00:00", "02-02 00:00"]
    );
    assert_eq!(runs("0 0 1-31 * 1", 2), ["01-01 00:00", "01-02 00:00"]);
}

#[test]
fn what_comes_rarely_is_found() {
    let first = |text| {
        let expression = CronExpression::parse(text).unwrap();
        expression.next_after(at("2026-01-01T00:00:00Z"), Zone::UTC).unwrap()
    };
    assert_eq!(first("0 0 29 2 *"), at("2028-02-29T00:00:00Z"));
    assert_eq!(first("0 0 * 2 1#5"), at("2044-02-29T00:00:00Z"));
    // 2100 is no leap year.
    let expression = CronExpression::parse("0 0 29 2 *").unwrap();
    assert_eq!(
        expression
            .next_after(at("2096-03-01T00:00:00Z"), Zone::UTC)
            .unwrap()
            .year(),
        2104
    );
    // The ends of what can be told.
    for end in [
        DateTime::<Utc>::MIN_UTC,
        DateTime::<Utc>::MAX_UTC,
        at("4999-12-31T00:00:00Z"),
    ] {
        assert_eq!(expression.next_after(end, "Pacific/Apia".parse().unwrap()), None);
    }
    assert!(expression.next_after(at("4990-01-01T00:00:00Z"), Zone::UTC).is_some());
}

#[test]
fn white_space_is_normalised_and_the_text_kept() {
    let expression = CronExpression::parse(" \t0  2\n* Jan\u{3000}mon ").unwrap();
    assert_eq!(expression.as_str(), "0 2 * Jan mon");
    assert_eq!(expression.to_string(), "0 2 * Jan mon");
    assert_eq!(format!("{expression:?}"), "CronExpression(0 2 * Jan mon)");
    assert_eq!(CronExpression::parse(" @Daily ").unwrap().as_str(), "@Daily");
}

#[test]
fn what_cannot_be_read_is_said_at_its_field() {
    use CronReason::{Backwards, Empty, NotAValue, NotAlone, NotHere, Occurrence, OutOfRange, Step, StepWithoutRange};
    let cases = [
        ("60 * * * *", Minute, "60", OutOfRange),
        ("100 * * * *", Minute, "100", OutOfRange),
        ("-1 * * * *", Minute, "-1", Empty),
        ("+1 * * * *", Minute, "+1", NotAValue),
        ("1.5 * * * *", Minute, "1.5", NotAValue),
        ("１ * * * *", Minute, "１", NotAValue),
        ("0 24 * * *", Hour, "24", OutOfRange),
        ("0 22-2 * * *", Hour, "22-2", Backwards),
        ("0 8- * * *", Hour, "8-", Empty),
        ("0 1-2-3 * * *", Hour, "1-2-3", NotAValue),
        ("0 8,,9 * * *", Hour, "", Empty),
        ("0 8,9, * * *", Hour, "", Empty),
        ("0 *,9 * * *", Hour, "*", NotAlone),
        ("0 ? * * *", Hour, "?", NotHere),
        ("0 L * * *", Hour, "L", NotHere),
        ("5/15 * * * *", Minute, "5/15", StepWithoutRange),
        ("/15 * * * *", Minute, "/15", Empty),
        ("*/0 * * * *", Minute, "*/0", Step),
        ("*/61 * * * *", Minute, "*/61", Step),
        ("*/ * * * *", Minute, "*/", Step),
        ("*/5/5 * * * *", Minute, "*/5/5", Step),
        ("0 0-3/9 * * *", Hour, "0-3/9", Step),
        ("0 0 1 JAN-SUN *", Month, "JAN-SUN", NotAValue),
        ("0 0 * * 5-0", Weekday, "5-0", Backwards),
        ("0 0 0 * *", Day, "0", OutOfRange),
        ("0 0 32 * *", Day, "32", OutOfRange),
        ("0 0 15W * *", Day, "15W", NotHere),
        ("0 0 LW * *", Day, "LW", NotHere),
        ("0 0 5L * *", Day, "5L", NotHere),
        ("0 0 MON * *", Day, "MON", NotAValue),
        ("0 0 ?,1 * *", Day, "?", NotAlone),
        ("0 0 * 0 *", Month, "0", OutOfRange),
        ("0 0 * 13 *", Month, "13", OutOfRange),
        ("0 0 * JANUARY *", Month, "JANUARY", NotAValue),
        ("0 0 * ? *", Month, "?", NotHere),
        ("0 0 * * 8", Weekday, "8", OutOfRange),
        ("0 0 * * L", Weekday, "L", NotHere),
        ("0 0 * * 5#6", Weekday, "5#6", Occurrence),
        ("0 0 * * 5#0", Weekday, "5#0", Occurrence),
        ("0 0 * * 5#", Weekday, "5#", Occurrence),
        ("0 0 * * #2", Weekday, "#2", Empty),
        ("0 0 * * +5", Weekday, "+5", NotAValue),
        ("0 0 * * SUN-TUE,WED-MON", Weekday, "WED-MON", Backwards),
    ];
    for (text, field, value, reason) in cases {
        let error = CronExpression::parse(text).unwrap_err();
        let expected = CronError::Field {
            field,
            value: value.to_owned(),
            reason,
        };
        assert_eq!(error, expected, "{text}");
        assert!(
            error.hint().ends_with('.') && !error.to_string().ends_with('.'),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_expression_is_refused() {
    for (text, found) in [
        ("", 0),
        ("  ", 0),
        ("* * * *", 4),
        ("0 0 2 * * *", 6),
        ("0 0 2 * * * 2026", 7),
    ] {
        assert_eq!(
            CronExpression::parse(text),
            Err(CronError::FieldCount { found }),
            "{text}"
        );
    }
    for name in ["@reboot", "@every", "@", "@daily@daily"] {
        let error = CronError::UnknownName { name: name.to_owned() };
        assert_eq!(CronExpression::parse(name), Err(error));
    }
    assert_eq!(
        CronExpression::parse("@daily *"),
        Err(CronError::FieldCount { found: 2 })
    );
    for text in ["0 0 31 2 *", "0 0 30,31 2 *", "0 0 31 4,6,9,11 *", "0 0 30 FEB ?"] {
        assert_eq!(CronExpression::parse(text), Err(CronError::Never), "{text}");
    }
    for text in ["0 0 31 2 1", "0 0 30,L 2 *", "0 0 31 2,3 *", "0 0 29 2 *"] {
        assert!(CronExpression::parse(text).is_ok(), "{text}");
    }
    let long = format!("{} * * * *", "1,".repeat(100));
    assert_eq!(CronExpression::parse(&long), Err(CronError::TooLong { max: 200 }));
}

#[test]
fn messages_quote_little_and_nothing_that_acts() {
    let hostile = format!("\u{1b}[31m\u{202e}{}", "9".repeat(100));
    for text in [format!("{hostile} * * * *"), format!("@{hostile}")] {
        let message = CronExpression::parse(&text).unwrap_err().to_string();
        assert!(message.chars().count() < 110, "{message:?}");
        assert!(!message.contains(['\u{1b}', '\u{202e}']), "{message:?}");
    }
    let error = CronExpression::parse("0 0 32 * *").unwrap_err();
    assert_eq!(error.to_string(), "the day of month field: '32': it is out of range");
}
