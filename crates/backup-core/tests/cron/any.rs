//! Any expression, for properties.

use backup_core::schedule::{CronExpression, Zone};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::sample::select;

/// Zones with every kind of change of the clock.
pub(crate) const ZONES: [&str; 12] = [
    "Asia/Taipei",
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "UTC",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Africa/Casablanca",
    "Asia/Tehran",
    "Antarctica/Troll",
];

fn item(least: u8, greatest: u8) -> impl Strategy<Value = String> {
    let value = || least..=greatest;
    prop_oneof![
        5 => value().prop_map(|v| v.to_string()),
        2 => (value(), value()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        2 => (1..=(greatest - least).min(30)).prop_map(|step| format!("*/{step}")),
        1 => (value(), value(), 1..=4_u8).prop_map(|(a, b, step)| {
            let (first, last) = (a.min(b), a.max(b));
            format!("{first}-{last}/{}", step.min(last - first + 1))
        }),
    ]
}

fn field(least: u8, greatest: u8, special: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let list = |item: BoxedStrategy<String>| prop::collection::vec(item, 1..4).prop_map(|items| items.join(","));
    prop_oneof![
        4 => Just("*".to_owned()),
        5 => item(least, greatest),
        2 => list(item(least, greatest).boxed()),
        1 => list(prop_oneof![item(least, greatest), special].boxed()),
    ]
}

/// The text of an expression that can be read, though it may never fire.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let none = || Just("0".to_owned()).boxed();
    let weekday = prop_oneof![
        (0..=7_u8).prop_map(|day| format!("{day}L")),
        (0..=7_u8, 1..=5_u8).prop_map(|(day, nth)| format!("{day}#{nth}")),
        select(vec!["SUN", "mon", "Fri"]).prop_map(str::to_owned),
    ];
    let month = select(vec!["JAN", "feb", "Dec"]).prop_map(str::to_owned);
    let fields = (
        field(0, 59, none()),
        field(0, 23, none()),
        field(1, 31, Just("L".to_owned()).boxed()),
        field(1, 12, month.boxed()),
        field(0, 7, weekday.boxed()),
    );
    fields
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
        .prop_filter(
            "never ends in an item such as */31 in a smaller field",
            |text| !matches!(CronExpression::parse(text), Err(error) if error.to_string().contains("the step")),
        )
}

/// An expression that fires.
pub(crate) fn expression() -> impl Strategy<Value = CronExpression> {
    text().prop_filter_map("never fires", |text| CronExpression::parse(&text).ok())
}

pub(crate) fn zone() -> impl Strategy<Value = Zone> {
    select(ZONES.to_vec()).prop_map(|name| name.parse().unwrap())
}

/// An instant from 1970 to 2040, on any second.
pub(crate) fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (0..2_208_988_800_i64).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
}
