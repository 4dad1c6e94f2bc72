//! Random expressions, zones and instants, and when croniter, an independent implementation, says that they are due.
//!
//! Half of the cases begin shortly before the zone's clock is put forward or back. The two must agree except
//!
//! - where a [`Difference`] explains it;
//! - where croniter gives up, after fifty years without an instant: what it found until then must agree.
//!
//! What is right on the days of such changes is also written out in `cron_zones.rs` and proved by a watched clock in
//! `cron/laws.rs`.
//!
//! Not generated, since croniter means something else by it, on purpose or not: a range of one value (`5-5` is all values),
//! `5L` and `5#2` beside a day of the month (both must match) or beside plain days of the week (refused), and `*/1`, or a
//! range of all values, in one field of days beside `*/2` in the other.
//!
//! `BACKUP_CRON_CASES` asks for more cases, `BACKUP_CRON_SEED` for others.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use backup_core::schedule::{CronError, CronExpression, Zone};
use backup_tests::tools::croniter;
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use serde_json::json;

const ZONES: [&str; 12] = [
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
/// How many instants of each case are compared.
const RUNS: usize = 10;

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` to `greatest`, both included.
    fn within(&mut self, least: u64, greatest: u64) -> u64 {
        least + self.next() % (greatest - least + 1)
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.within(0, all.len() as u64 - 1) as usize]
    }

    fn values(&mut self, least: u64, greatest: u64) -> String {
        let count = self.within(1, 3);
        let values: Vec<String> = (0..count).map(|_| self.within(least, greatest).to_string()).collect();
        values.join(",")
    }

    /// A range of at least two values and not of all.
    fn range(&mut self, least: u64, greatest: u64) -> String {
        loop {
            let (a, b) = (self.within(least, greatest), self.within(least, greatest));
            let (first, last) = (a.min(b), a.max(b));
            if first < last && last - first < greatest - least - 1 {
                return match self.within(0, 2) {
                    0 => format!("{first}-{last}/{}", self.within(1, last - first)),
                    _ => format!("{first}-{last}"),
                };
            }
        }
    }

    fn field(&mut self, least: u64, greatest: u64) -> String {
        match self.within(0, 9) {
            0..=2 => "*".to_owned(),
            3..=5 => self.within(least, greatest).to_string(),
            6 => format!("*/{}", self.within(2, (greatest - least).min(30))),
            7 => self.range(least, greatest),
            8 => format!("{},{}", self.values(least, greatest), self.range(least, greatest)),
            _ => self.values(least, greatest),
        }
    }

    /// The fields of an expression in our spelling and in croniter's.
    fn expression(&mut self) -> (String, String) {
        let (minute, hour, mut day) = (self.field(0, 59), self.field(0, 23), self.field(1, 31));
        if self.within(0, 9) == 0 {
            day = if day.starts_with('*') {
                "L".to_owned()
            } else {
                format!("{day},L")
            };
        }
        let month = match self.within(0, 5) {
            0 => self.field(1, 12),
            1 => self.of(&["JAN", "feb", "Mar-JUN", "apr,Nov", "DEC"]).to_owned(),
            _ => "*".to_owned(),
        };
        let mut weekday = match self.within(0, 3) {
            0 => self.field(0, 7),
            1 => self
                .of(&["SUN", "Mon-FRI", "sat-SUN", "tue,THU", "7", "FRI-7", "0"])
                .to_owned(),
            _ => "*".to_owned(),
        };
        if day.contains("*/") && weekday != "*" {
            weekday = self.values(0, 6);
        }
        if weekday.contains("*/") && day != "*" {
            day = self.values(1, 31);
        }
        let mut theirs = weekday.clone();
        if day == "*" && self.within(0, 5) == 0 {
            let (which, nth) = (self.within(0, 6), self.within(1, 5));
            (weekday, theirs) = match self.within(0, 1) {
                0 => (format!("{which}L"), format!("L{which}")),
                _ => (format!("{which}#{nth}"), format!("{which}#{nth}")),
            };
        }
        let most = format!("{minute} {hour} {day} {month}");
        (format!("{most} {weekday}"), format!("{most} {theirs}"))
    }
}

struct Case {
    expression: CronExpression,
    theirs: String,
    zone: Zone,
    after: DateTime<Utc>,
}

fn cases(count: usize, numbers: &mut Numbers) -> Vec<Case> {
    // From 1975 to 2035.
    let (first, last) = (157_766_400, 2_051_222_400);
    let mut cases = Vec::with_capacity(count);
    while cases.len() < count {
        let zone: Zone = numbers.of(&ZONES).parse().unwrap();
        let mut after = DateTime::from_timestamp(numbers.within(first, last) as i64, 0).unwrap();
        let (mut ours, mut theirs) = numbers.expression();
        if let Some(change) = next_change(zone, after).filter(|_| numbers.within(0, 1) == 0) {
            after = change - TimeDelta::minutes(numbers.within(0, 2000) as i64);
            if numbers.within(0, 1) == 0 {
                // Every day about the hour of the change.
                let hour = u64::from(zone.local(change).hour());
                let near = [(hour + 23) % 24, hour, (hour + 1) % 24, (hour + 2) % 24].map(|hour| hour.to_string());
                let hours = &near[numbers.within(0, 3) as usize..];
                let hours = hours[..numbers.within(1, hours.len() as u64) as usize].join(",");
                ours = format!("{} {hours} * * *", numbers.values(0, 59));
                theirs.clone_from(&ours);
            }
        }
        let expression = match CronExpression::parse(&ours) {
            Ok(expression) => expression,
            Err(CronError::Never) => continue,
            Err(error) => panic!("{ours}: {error}"),
        };
        cases.push(Case {
            expression,
            theirs,
            zone,
            after,
        });
    }
    cases
}

/// Why croniter may say something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// It is due again when the clock shows a time of the day for the second time, which would double a nightly backup.
    Doubled,
    /// It looks for what the clock, put back, shows again as far ahead as the clock is put back: in the half hour of Lord
    /// Howe it finds nothing of an interval there, if what it was due at last lies too far behind.
    Overlooked,
    /// It makes up at the date line for a day that the zone left out as well as being due on the next day.
    LeftOut,
}

impl Difference {
    /// What explains that only one of the two is due at an instant.
    fn of(zone: Zone, at: DateTime<Utc>, is_ours: bool) -> Option<Self> {
        let quarters = |quarters: i64| at - TimeDelta::minutes(15 * quarters);
        let was_shown_before = |most: i64| (1..=most).any(|q| zone.local(quarters(q)) == zone.local(at));
        let jump = zone.local(at) - zone.local(at - TimeDelta::seconds(1));
        if is_ours {
            was_shown_before(2).then_some(Self::Overlooked)
        } else if jump > TimeDelta::hours(24) {
            Some(Self::LeftOut)
        } else {
            was_shown_before(8).then_some(Self::Doubled)
        }
    }
}

/// The hour in which the zone's clock is next changed; `None` where it is not within ten years.
fn next_change(zone: Zone, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let changes = |at: &DateTime<Utc>, span| {
        let offset = |at: DateTime<Utc>| zone.local(at) - at.naive_utc();
        offset(*at) != offset(*at + span)
    };
    let mut days = (0..3650).map(|day| from + TimeDelta::days(day));
    let day = days.find(|at| changes(at, TimeDelta::days(1)))?;
    let mut hours = (0..24).map(|hour| day + TimeDelta::hours(hour));
    hours.find(|at| changes(at, TimeDelta::hours(1)))
}

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).map_or(default, |text| {
        text.parse().ok().unwrap_or_else(|| panic!("{name}: {text}"))
    })
}

#[test]
fn croniter_agrees() {
    let mut numbers = Numbers(setting("BACKUP_CRON_SEED", 1));
    let cases = cases(setting("BACKUP_CRON_CASES", 3000), &mut numbers);
    let mut questions = String::new();
    for case in &cases {
        let question = json!({
            "expression": case.theirs,
            "zone": case.zone.name(),
            "after": case.after.timestamp(),
            "count": RUNS,
        });
        writeln!(questions, "{question}").unwrap();
    }
    let answers = croniter::runs(&questions).unwrap();
    assert_eq!(answers.len(), cases.len());

    let (mut compared, mut gave_up, mut explained, mut wrong) = (0, 0, BTreeMap::new(), Vec::new());
    for (case, answer) in cases.iter().zip(&answers) {
        let theirs: Vec<i64> = serde_json::from_str(answer).unwrap();
        let theirs: Vec<_> = theirs
            .iter()
            .map(|at| DateTime::from_timestamp(*at, 0).unwrap())
            .collect();
        let ours: Vec<_> = case.expression.upcoming(case.after, case.zone).take(RUNS).collect();
        assert_eq!(ours.len(), RUNS, "{}", case.expression);
        gave_up += usize::from(theirs.len() < RUNS);
        let Some(end) = theirs.last() else { continue };
        let end = *ours.last().unwrap().min(end);
        let until = |runs: &[DateTime<Utc>]| runs.iter().copied().filter(|at| *at <= end).collect::<BTreeSet<_>>();
        let (ours, theirs) = (until(&ours), until(&theirs));
        compared += ours.len();
        for at in ours.symmetric_difference(&theirs) {
            let is_ours = ours.contains(at);
            if let Some(difference) = Difference::of(case.zone, *at, is_ours) {
                *explained.entry(difference).or_insert(0) += 1;
                continue;
            }
            let whose = if is_ours { "ours" } else { "croniter's" };
            let (text, zone) = (&case.expression, case.zone);
            wrong.push(format!("{text} in {zone} after {}: {at} is {whose} alone", case.after));
            break;
        }
    }
    println!(
        "{} cases, {compared} instants: {explained:?} are explained, {} cases differ, croniter gave up in {gave_up}",
        cases.len(),
        wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
}
