//! Which backups a policy keeps: examples, and laws that hold for all policies and backups.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};

use backup_core::retention::{Candidate, Decision, Retention, Rule, Verdict, plan};
use backup_core::schedule::Zone;
use backup_core::{BackupId, BackupSource};
use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    at("2026-11-26T12:00:00Z")
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn id(number: usize) -> BackupId {
    BackupId::from_bytes((number as u128).to_be_bytes())
}

fn backup(number: usize, created_at: DateTime<Utc>) -> Candidate {
    Candidate {
        id: id(number),
        source: BackupSource::FullSystem,
        created_at,
        protected: false,
        base_id: None,
        consolidated_from: None,
        is_good: true,
        has_outside_dependents: false,
    }
}

/// One backup a day at noon, number 0 now, number n so many days ago.
fn daily(count: usize) -> Vec<Candidate> {
    (0..count)
        .map(|day| backup(day, now() - TimeDelta::days(day as i64)))
        .collect()
}

fn policy(retention_days: u32, max_backups: u32) -> Retention {
    Retention {
        retention_days,
        max_backups,
        ..Retention::default()
    }
}

fn rules(decisions: &[Decision], number: usize) -> (Verdict, &[Rule]) {
    let decision = decisions
        .iter()
        .find(|decision| decision.backup_id == id(number))
        .unwrap();
    (decision.verdict, &decision.rules)
}

fn kept(decisions: &[Decision]) -> Vec<BackupId> {
    let kept = decisions.iter().filter(|decision| decision.verdict == Verdict::Keep);
    kept.map(|decision| decision.backup_id).collect()
}

#[test]
fn age_and_number() {
    let decisions = plan(&policy(7, 3), Zone::UTC, &daily(10), now());
    assert_eq!(kept(&decisions), [id(0), id(1), id(2)]);
    let by_both = [Rule::RetentionDays, Rule::MaxBackups];
    assert_eq!(rules(&decisions, 1), (Verdict::Keep, &by_both[..]));
    assert_eq!(rules(&decisions, 3), (Verdict::Expire, &[Rule::MaxBackups][..]));
    // A backup of seven days to the second is not too old.
    assert_eq!(rules(&decisions, 7), (Verdict::Expire, &[Rule::MaxBackups][..]));
    assert_eq!(rules(&decisions, 8), (Verdict::Expire, &by_both[..]));
    let decisions = plan(&policy(4, 100), Zone::UTC, &daily(10), now());
    assert_eq!(kept(&decisions).len(), 5);
    assert_eq!(rules(&decisions, 5), (Verdict::Expire, &[Rule::RetentionDays][..]));
}

#[test]
fn the_last_good_backup_of_each_source_outlives_every_policy() {
    let mut backups = daily(4);
    for backup in &mut backups {
        backup.created_at -= TimeDelta::days(400);
    }
    backups[0].is_good = false;
    backups[3].source = BackupSource::Database;
    let decisions = plan(&policy(1, 1), Zone::UTC, &backups, now());
    // The newest would be the last good one if it were good, and is not removed for a belief.
    assert_eq!(kept(&decisions), [id(0), id(1), id(3)]);
    for number in [0, 1] {
        assert_eq!(rules(&decisions, number), (Verdict::Keep, &[Rule::LastGood][..]));
    }
    let by_both = [Rule::RetentionDays, Rule::MaxBackups];
    assert_eq!(rules(&decisions, 2), (Verdict::Expire, &by_both[..]));
}

/// A storage that is away for a while makes every backup look lost.
#[test]
fn what_the_policy_would_keep_does_not_expire_for_being_believed_bad() {
    let keep = Retention {
        keep_weekly: Some(4),
        keep_monthly: Some(6),
        ..policy(7, 3)
    };
    let good = daily(200);
    let expected = kept(&plan(&keep, Zone::UTC, &good, now()));
    let mut lost = good.clone();
    for backup in &mut lost {
        backup.is_good = false;
    }
    let decisions = plan(&keep, Zone::UTC, &lost, now());
    let is_kept: HashSet<_> = kept(&decisions).into_iter().collect();
    assert!(expected.iter().all(|id| is_kept.contains(id)), "{decisions:?}");
    // Beyond that, what is young stays, since what is bad takes no place; and nothing else does.
    assert_eq!(is_kept.len(), expected.len() + 4, "{decisions:?}");
    // The newest of its week is kept beside the newest good one, whichever it is in truth.
    let mut backups = good;
    backups[11].is_good = false;
    let decisions = plan(&keep, Zone::UTC, &backups, now());
    assert_eq!(rules(&decisions, 11), (Verdict::Keep, &[Rule::KeepWeekly][..]));
    assert_eq!(rules(&decisions, 12), (Verdict::Keep, &[Rule::KeepWeekly][..]));
}

#[test]
fn a_bad_backup_takes_no_good_ones_place() {
    let mut backups = daily(5);
    backups[0].is_good = false;
    let keep_daily = Retention {
        keep_daily: Some(1),
        ..policy(3, 2)
    };
    let decisions = plan(&keep_daily, Zone::UTC, &backups, now());
    assert_eq!(rules(&decisions, 0), (Verdict::Keep, &[Rule::RetentionDays][..]));
    assert!(rules(&decisions, 1).1.contains(&Rule::KeepDaily));
    assert_eq!(kept(&decisions), [id(0), id(1), id(2)]);
}

#[test]
fn a_protected_backup_takes_no_other_ones_place() {
    let mut backups = daily(5);
    backups[1].protected = true;
    backups[4].protected = true;
    let decisions = plan(&policy(3, 2), Zone::UTC, &backups, now());
    assert_eq!(kept(&decisions), [id(0), id(1), id(2), id(4)]);
    assert_eq!(rules(&decisions, 1), (Verdict::Keep, &[Rule::Protected][..]));
}

/// Backup `number`, made of backup `of`.
fn made_of(backups: &[Candidate], number: usize, of: usize) -> Candidate {
    Candidate {
        consolidated_from: Some(id(of)),
        ..backup(number, backups[of].created_at)
    }
}

#[test]
fn what_is_made_of_another_takes_no_place_and_is_judged_by_that_ones() {
    let mut backups = daily(4);
    for of in [0, 1, 2] {
        backups.push(made_of(&backups, 10 + of, of));
    }
    let decisions = plan(&policy(30, 2), Zone::UTC, &backups, now());
    assert_eq!(kept(&decisions), [10, 0, 11, 1].map(id), "two points in time");
    let by_both = [Rule::RetentionDays, Rule::MaxBackups];
    assert_eq!(rules(&decisions, 11), (Verdict::Keep, &by_both[..]));
    for number in [12, 2, 3] {
        assert_eq!(
            rules(&decisions, number),
            (Verdict::Expire, &[Rule::MaxBackups][..]),
            "{number}"
        );
    }
    // Somebody protects what it is made of, which needs no place then; nor does the other take one.
    backups[0].protected = true;
    let decisions = plan(&policy(30, 2), Zone::UTC, &backups, now());
    assert_eq!(kept(&decisions), [10, 0, 11, 1, 12, 2].map(id));
    // What it is made of is damaged: it is the good one of its point in time.
    let mut backups = daily(3);
    backups[0].is_good = false;
    backups.push(made_of(&backups, 10, 0));
    let decisions = plan(&policy(30, 1), Zone::UTC, &backups, now());
    assert_eq!(kept(&decisions), [10, 0].map(id));
    // Or gone.
    let decisions = plan(&policy(30, 1), Zone::UTC, &backups[1..], now());
    assert_eq!(kept(&decisions), [id(10)]);
}

#[test]
fn what_a_kept_backup_builds_on_is_kept_all_the_way_down() {
    let mut backups = daily(9);
    for number in [0, 1, 2] {
        backups[number].base_id = Some(id(number + 1));
    }
    backups[3].is_good = false;
    backups[5].base_id = Some(id(6));
    backups[5].has_outside_dependents = true;
    // A base that is not there, and a circle, which no backup makes.
    backups[4].base_id = Some(id(99));
    (backups[7].base_id, backups[8].base_id) = (Some(id(8)), Some(id(7)));
    backups[8].protected = true;
    let decisions = plan(&policy(1, 1), Zone::UTC, &backups, now());
    // What builds on the bad one is not good either, so the newest good one is the fourth.
    assert_eq!(kept(&decisions), [0, 1, 2, 3, 4, 5, 6, 7, 8].map(id));
    assert_eq!(rules(&decisions, 3), (Verdict::Keep, &[Rule::Chain][..]));
    assert_eq!(rules(&decisions, 6), (Verdict::Keep, &[Rule::Chain][..]));
    assert_eq!(rules(&decisions, 4), (Verdict::Keep, &[Rule::LastGood][..]));
}

#[test]
fn one_of_each_hour_day_week_month_and_year() {
    let keep = |rule| {
        let mut keep = policy(1, 1);
        match rule {
            Rule::KeepHourly => keep.keep_hourly = Some(3),
            Rule::KeepDaily => keep.keep_daily = Some(3),
            Rule::KeepWeekly => keep.keep_weekly = Some(3),
            Rule::KeepMonthly => keep.keep_monthly = Some(3),
            _ => keep.keep_yearly = Some(3),
        }
        keep
    };
    // Every six hours for three years; now is a Thursday at 20:00 in Taipei.
    let backups: Vec<_> = (0..4400)
        .map(|n| backup(n, now() - TimeDelta::hours(6 * n as i64)))
        .collect();
    let expected = [
        (
            Rule::KeepHourly,
            ["2026-11-26T12:00:00Z", "2026-11-26T06:00:00Z", "2026-11-26T00:00:00Z"],
        ),
        (
            Rule::KeepDaily,
            ["2026-11-26T12:00:00Z", "2026-11-25T12:00:00Z", "2026-11-24T12:00:00Z"],
        ),
        (
            Rule::KeepWeekly,
            ["2026-11-26T12:00:00Z", "2026-11-22T12:00:00Z", "2026-11-15T12:00:00Z"],
        ),
        (
            Rule::KeepMonthly,
            ["2026-11-26T12:00:00Z", "2026-10-31T12:00:00Z", "2026-09-30T12:00:00Z"],
        ),
        (
            Rule::KeepYearly,
            ["2026-11-26T12:00:00Z", "2025-12-31T12:00:00Z", "2024-12-31T12:00:00Z"],
        ),
    ];
    for (rule, instants) in expected {
        let decisions = plan(&keep(rule), zone("Asia/Taipei"), &backups, now());
        let by_rule = decisions.iter().filter(|decision| decision.rules.contains(&rule));
        let by_rule: Vec<_> = by_rule.map(|decision| decision.backup_id).collect();
        let instants = instants.map(|text| backups.iter().find(|backup| backup.created_at == at(text)).unwrap().id);
        assert_eq!(by_rule, instants, "{rule}");
    }
}

#[test]
fn days_and_hours_are_those_of_the_zone() {
    // 15:30 and 16:30 UTC are two days in Taipei; at 5:30 and 6:30 it is 1:30 twice in New York, in two hours.
    let two = |first: &str, second: &str| [backup(0, at(second)), backup(1, at(first))];
    let keep = Retention {
        keep_hourly: Some(2),
        keep_daily: Some(2),
        ..policy(1, 1)
    };
    let days = two("2026-10-05T15:30:00Z", "2026-10-05T16:30:00Z");
    assert!(
        rules(&plan(&keep, zone("Asia/Taipei"), &days, now()), 1)
            .1
            .contains(&Rule::KeepDaily)
    );
    assert!(
        !rules(&plan(&keep, Zone::UTC, &days, now()), 1)
            .1
            .contains(&Rule::KeepDaily)
    );
    let hours = two("2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z");
    assert_eq!(
        rules(&plan(&keep, zone("America/New_York"), &hours, now()), 1),
        (Verdict::Keep, &[Rule::KeepHourly][..])
    );
    // The week of a year's end belongs to one year.
    let week = two("2025-12-31T12:00:00Z", "2026-01-02T12:00:00Z");
    let keep_weekly = Retention {
        keep_weekly: Some(2),
        ..policy(1, 1)
    };
    assert_eq!(kept(&plan(&keep_weekly, Zone::UTC, &week, now())), [id(0)]);
}

#[test]
fn what_is_dated_in_the_future_is_not_old() {
    let mut backups = daily(3);
    for backup in &mut backups {
        backup.created_at += TimeDelta::days(1000);
    }
    assert_eq!(kept(&plan(&policy(1, 10), Zone::UTC, &backups, now())).len(), 3);
}

#[test]
fn what_is_dated_in_the_future_takes_the_place_of_nothing() {
    let mut backups = daily(4);
    // Made by a clock that was a year ahead.
    let wrong = backups.len() - 1;
    backups[wrong].created_at = now() + TimeDelta::days(365);
    let wrong = backups[wrong].id;
    let keep = kept(&plan(&policy(30, 1), Zone::UTC, &backups, now()));
    let newest = backups
        .iter()
        .filter(|backup| backup.id != wrong)
        .max_by_key(|backup| backup.created_at)
        .unwrap();
    assert!(keep.contains(&newest.id), "the newest one that can be trusted stays");
    assert!(keep.contains(&wrong), "it is not old either");
    assert_eq!(keep.len(), 2);
}

#[test]
fn what_builds_on_a_bad_backup_pushes_out_no_good_one() {
    let mut backups = daily(6);
    backups.sort_by_key(|backup| backup.created_at);
    // The full one in the middle is bad; three build on it, one on the other.
    backups[2].is_good = false;
    for place in 3..6 {
        backups[place].base_id = Some(backups[place - 1].id);
    }
    let decisions = plan(&policy(30, 2), Zone::UTC, &backups, now());
    let keep = kept(&decisions);
    assert!(
        keep.contains(&backups[0].id) && keep.contains(&backups[1].id),
        "{decisions:?}"
    );
}

#[test]
fn a_policy_is_checked() {
    assert_eq!(Retention::default().check(), Ok(()));
    for (wrong, rule) in [
        (policy(0, 10), Rule::RetentionDays),
        (policy(3651, 10), Rule::RetentionDays),
        (policy(30, 0), Rule::MaxBackups),
        (policy(30, 1001), Rule::MaxBackups),
        (
            Retention {
                keep_hourly: Some(1001),
                ..policy(30, 10)
            },
            Rule::KeepHourly,
        ),
    ] {
        assert_eq!(wrong.check().unwrap_err().rule, rule);
    }
    let message = policy(30, 0).check().unwrap_err().to_string();
    assert_eq!(message, "maxBackups must be from 1 to 1000, and is 0");
}

fn any_policy() -> impl Strategy<Value = Retention> {
    let keep = || prop::option::of(0..6_u32);
    (1..60_u32, 1..12_u32, keep(), keep(), keep(), keep(), keep()).prop_map(
        |(days, max, hours, keep, weeks, months, years)| Retention {
            keep_hourly: hours,
            keep_daily: keep,
            keep_weekly: weeks,
            keep_monthly: months,
            keep_yearly: years,
            ..policy(days, max)
        },
    )
}

/// Backups of two years, some of them at once, some in the future; each may build on any other, and be made of one that is not
/// made of another: then it is of the same time.
fn any_backups() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (
        prop_oneof![-40..40_i64, -60..17_000_i64],
        0..4_usize,
        prop::bool::weighted(0.1),
        prop::option::weighted(0.4, 0..40_usize),
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.05),
        prop::option::weighted(0.2, 0..40_usize),
    );
    prop::collection::vec(one, 0..40).prop_map(|all| {
        let origins: Vec<Option<usize>> = all.iter().map(|one| one.6).collect();
        let backups = all.into_iter().enumerate();
        let backups = backups.map(
            |(number, (hours, source, protected, base, is_good, outside, _))| Candidate {
                source: BackupSource::ALL[source],
                protected,
                base_id: base.map(id),
                is_good,
                has_outside_dependents: outside,
                ..backup(number, now() - TimeDelta::hours(hours))
            },
        );
        let mut backups: Vec<Candidate> = backups.collect();
        for (number, origin) in origins.iter().enumerate() {
            let Some(origin) = *origin else { continue };
            match origins.get(origin) {
                Some(Some(_)) => {}
                Some(None) => {
                    backups[number].consolidated_from = Some(id(origin));
                    backups[number].created_at = backups[origin].created_at;
                }
                None => backups[number].consolidated_from = Some(id(origin)),
            }
        }
        backups
    })
}

fn any_zone() -> impl Strategy<Value = Zone> {
    prop::sample::select(vec!["UTC", "Asia/Taipei", "America/New_York", "Australia/Lord_Howe"]).prop_map(zone)
}

type Numbers = [fn(&mut Retention) -> &mut Option<u32>; 5];
const KEEP: Numbers = [
    |policy| &mut policy.keep_hourly,
    |policy| &mut policy.keep_daily,
    |policy| &mut policy.keep_weekly,
    |policy| &mut policy.keep_monthly,
    |policy| &mut policy.keep_yearly,
];

/// What names the period of a rule, other than by the code under test.
fn period(rule: usize, zone: Zone, at: DateTime<Utc>) -> String {
    let local = zone.local(at);
    match rule {
        // Both hours that come twice: told apart by the hour of UTC.
        0 => format!("{} {} {}", local.date(), local.hour(), at.naive_utc() - local),
        1 => local.date().to_string(),
        2 => (local.date() - TimeDelta::days(local.weekday().num_days_from_monday().into())).to_string(),
        3 => local.format("%Y-%m").to_string(),
        _ => local.year().to_string(),
    }
}

/// The same backups, each as good as all that it builds on.
fn judged(backups: &[Candidate]) -> Vec<Candidate> {
    let by_id: HashMap<_, _> = backups.iter().map(|backup| (backup.id, backup)).collect();
    let is_sound = |backup: &Candidate| {
        let chain = std::iter::successors(Some(backup), |link| link.base_id.and_then(|id| by_id.get(&id).copied()));
        // Longer than all there are, it is a circle.
        chain.take(backups.len() + 1).all(|link| link.is_good)
    };
    let judge = |backup: &Candidate| Candidate {
        is_good: is_sound(backup) && backup.created_at <= now(),
        ..backup.clone()
    };
    backups.iter().map(judge).collect()
}

/// The good one that each good one is made of, where there is one, and else itself: by this one's place it is judged.
fn stands_at<'a>(judged: &'a [Candidate], backup: &'a Candidate) -> &'a Candidate {
    let is_origin = |other: &&Candidate| other.is_good && Some(other.id) == backup.consolidated_from;
    judged.iter().find(is_origin).unwrap_or(backup)
}

/// How many newer ones have taken a place before this one: good ones that are neither protected nor made of a good one.
fn taken(judged: &[Candidate], backup: &Candidate) -> usize {
    let at = stands_at(judged, backup);
    let takes = |other: &&Candidate| other.is_good && !other.protected && stands_at(judged, other).id == other.id;
    let newer = judged.iter().filter(takes);
    newer
        .filter(|other| (other.created_at, other.id) > (at.created_at, at.id))
        .count()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    /// Each backup is decided once, newest first, for a reason; and what every rule promises is kept.
    #[test]
    fn every_rule_keeps_what_it_promises(policy in any_policy(), zone in any_zone(), backups in any_backups()) {
        let decisions = plan(&policy, zone, &backups, now());
        let backups = judged(&backups);
        let by_id: HashMap<_, _> = backups.iter().map(|backup| (backup.id, backup)).collect();
        let ids: HashSet<_> = decisions.iter().map(|decision| decision.backup_id).collect();
        prop_assert_eq!((decisions.len(), ids.len()), (backups.len(), backups.len()));
        let newest: Vec<_> = decisions.iter().map(|decision| by_id[&decision.backup_id]).collect();
        prop_assert!(newest.is_sorted_by_key(|backup| std::cmp::Reverse(backup.created_at)));

        let kept: HashSet<_> = kept(&decisions).into_iter().collect();
        for decision in &decisions {
            prop_assert!(!decision.rules.is_empty() && decision.rules.is_sorted());
            let backup = by_id[&decision.backup_id];
            let is_kept = kept.contains(&backup.id);
            prop_assert!(is_kept || !(backup.protected || backup.has_outside_dependents));
            if let Some(base) = backup.base_id.filter(|base| is_kept && by_id.contains_key(base)) {
                prop_assert!(kept.contains(&base), "the base of a kept backup expires");
            }
        }
        for source in BackupSource::ALL {
            let good = newest.iter().find(|backup| backup.source == *source && backup.is_good);
            prop_assert!(good.is_none_or(|good| kept.contains(&good.id)));
        }
        let is_young = |backup: &Candidate| now() - backup.created_at <= TimeDelta::days(policy.retention_days.into());
        let needs_place = newest.iter().filter(|backup| backup.is_good && !backup.protected);
        for backup in needs_place.filter(|backup| is_young(backup)) {
            prop_assert!(taken(&backups, backup) >= policy.max_backups as usize || kept.contains(&backup.id));
        }
        for backup in newest.iter().filter(|backup| !backup.is_good && is_young(backup)) {
            prop_assert!(kept.contains(&backup.id));
        }
        for (rule, number) in KEEP.iter().enumerate() {
            let number = number(&mut policy.clone()).unwrap_or(0) as usize;
            let mut seen = HashSet::new();
            for backup in newest.iter().filter(|backup| backup.is_good) {
                if seen.insert(period(rule, zone, backup.created_at)) && seen.len() <= number {
                    prop_assert!(kept.contains(&backup.id));
                }
            }
        }
    }

    /// What expires is too old or has no place, and nothing else speaks for it.
    #[test]
    fn what_expires_was_turned_down(policy in any_policy(), zone in any_zone(), backups in any_backups()) {
        let decisions = plan(&policy, zone, &backups, now());
        let backups = judged(&backups);
        for decision in decisions.iter().filter(|decision| decision.verdict == Verdict::Expire) {
            let backup = backups.iter().find(|backup| backup.id == decision.backup_id).unwrap();
            let is_old = now() - backup.created_at > TimeDelta::days(policy.retention_days.into());
            prop_assert_eq!(decision.rules.contains(&Rule::RetentionDays), is_old);
            let has_no_place = backup.is_good && taken(&backups, backup) >= policy.max_backups as usize;
            prop_assert_eq!(decision.rules.contains(&Rule::MaxBackups), has_no_place);
            prop_assert!(is_old || has_no_place);
        }
    }

    /// Raising a number or protecting a backup never lets one expire that was kept.
    #[test]
    fn more_is_never_less(
        policy in any_policy(),
        zone in any_zone(),
        backups in any_backups(),
        which in 0..8_usize,
        by in 1..20_u32,
        protect in any::<prop::sample::Index>(),
    ) {
        let before: HashSet<_> = kept(&plan(&policy, zone, &backups, now())).into_iter().collect();
        let (mut raised, mut backups) = (policy, backups);
        match which {
            0 => raised.retention_days += by,
            1 => raised.max_backups += by,
            2 if !backups.is_empty() => {
                let at = protect.index(backups.len());
                backups[at].protected = true;
            }
            2 => {}
            keep => {
                let number = KEEP[keep - 3](&mut raised);
                *number = Some(number.unwrap_or(0) + by);
            }
        }
        let after: HashSet<_> = kept(&plan(&raised, zone, &backups, now())).into_iter().collect();
        prop_assert!(before.is_subset(&after));
    }

    /// What is believed to be bad goes only where it would go if everything were good, and costs no good one its place.
    #[test]
    fn no_belief_costs_a_backup(policy in any_policy(), zone in any_zone(), backups in any_backups()) {
        let is_kept: HashSet<_> = kept(&plan(&policy, zone, &backups, now())).into_iter().collect();
        let trusted: Vec<_> = backups.iter().map(|backup| Candidate { is_good: true, ..backup.clone() }).collect();
        for id in kept(&plan(&policy, zone, &trusted, now())) {
            prop_assert!(is_kept.contains(&id), "it would be kept if it were good");
        }
        let good: Vec<_> = judged(&backups).into_iter().filter(|backup| backup.is_good).collect();
        for id in kept(&plan(&policy, zone, &good, now())) {
            prop_assert!(is_kept.contains(&id), "it would be kept if there were good ones alone");
        }
    }

    /// What is made of another costs nothing its place.
    #[test]
    fn what_is_made_of_another_pushes_nothing_out(policy in any_policy(), zone in any_zone(), backups in any_backups()) {
        let believed = judged(&backups);
        let good = believed.iter().filter(|backup| backup.is_good && !backup.protected);
        let beside = good.filter(|backup| stands_at(&believed, backup).id != backup.id);
        let beside: HashSet<BackupId> = beside.map(|backup| backup.id).collect();
        let others: Vec<_> = backups.iter().filter(|backup| !beside.contains(&backup.id)).cloned().collect();
        let is_kept: HashSet<_> = kept(&plan(&policy, zone, &backups, now())).into_iter().collect();
        for decision in plan(&policy, zone, &others, now()) {
            let by_place = decision.verdict == Verdict::Keep && decision.rules.contains(&Rule::MaxBackups);
            prop_assert!(!by_place || is_kept.contains(&decision.backup_id));
        }
    }

    /// The order in which backups are given does not matter.
    #[test]
    fn order_does_not_matter(
        policy in any_policy(),
        zone in any_zone(),
        (backups, shuffled) in any_backups().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        prop_assert_eq!(plan(&policy, zone, &backups, now()), plan(&policy, zone, &shuffled, now()));
    }
}
