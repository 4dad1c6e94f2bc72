//! Which backups a policy keeps.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};

use super::{Retention, Rule, Verdict};
use crate::schedule::Zone;
use crate::{BackupId, BackupSource};

/// A backup of which it is to be decided whether it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its identifier.
    pub id: BackupId,
    /// What it saves.
    pub source: BackupSource,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Whether somebody protected it, or asked for it by hand.
    pub protected: bool,
    /// The backup it builds on.
    pub base_id: Option<BackupId>,
    /// The backup that it is made of: both are of one point in time.
    pub consolidated_from: Option<BackupId>,
    /// Nothing is known to be wrong with it itself: its last verification found nothing, or there was none yet, and the
    /// storage has it.
    pub is_good: bool,
    /// A backup that is not among the candidates builds on it.
    pub has_outside_dependents: bool,
}

/// What becomes of a backup, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Which backup.
    pub backup_id: BackupId,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What keeps it, or what lets it expire; in the order of [`Rule::ALL`], never empty.
    pub rules: Vec<Rule>,
}

/// Decides about each candidate, newest first. A backup is kept
///
/// - by [`Rule::RetentionDays`] and [`Rule::MaxBackups`] together: it is not older than `retention_days`, and among the
///   newest `max_backups` that are good and not protected. What is made of another good one stands for the same point in
///   time: it takes no place, and is judged by that one's;
/// - by `KeepX`, n: it is the newest good one of its hour, day, ISO week, month or year in `zone`, and that is among the
///   newest n that have one;
/// - by [`Rule::Protected`]: somebody said so;
/// - by [`Rule::LastGood`]: it is the newest good one of its source, so that a policy alone never removes the last
///   backup that can be restored;
/// - by [`Rule::Chain`]: a kept backup, or one that is not among the candidates, builds on it.
///
/// Otherwise it expires by its age, its place, or both. A backup whose verification found a fault takes no good one's
/// place: age alone counts for it. But nothing expires for being believed bad: what the policy would keep if every backup were
/// good is kept as well, by the rules of that case. So a wrong belief, such as of a storage that was away for a while, costs no
/// backup.
///
/// Raising any number, and protecting a backup, never lets one expire that was kept. What builds on a backup that is not
/// good is not good either. What is dated in the future, by a clock that was wrong, is kept, and takes the place of nothing.
pub fn plan(policy: &Retention, zone: Zone, candidates: &[Candidate], now: DateTime<Utc>) -> Vec<Decision> {
    let sound = sound(candidates);
    let believed = decide(policy, zone, candidates, now, |candidate| sound.contains(&candidate.id));
    let trusted = decide(policy, zone, candidates, now, |_| true);
    // Both are of the same backups, in the same order.
    believed
        .into_iter()
        .zip(trusted)
        .map(|(believed, trusted)| match (believed.verdict, trusted.verdict) {
            (Verdict::Expire, Verdict::Keep) => trusted,
            _ => believed,
        })
        .collect()
}

/// Decides about each candidate, newest first, where those are good of which `is_good` says so.
fn decide(
    policy: &Retention,
    zone: Zone,
    candidates: &[Candidate],
    now: DateTime<Utc>,
    is_good: impl Fn(&Candidate) -> bool,
) -> Vec<Decision> {
    let mut newest: Vec<Candidate> = candidates.to_vec();
    for candidate in &mut newest {
        candidate.is_good = is_good(candidate) && candidate.created_at <= now;
    }
    newest.sort_by_key(|candidate| Reverse((candidate.created_at, candidate.id)));
    let mut kept_by: Vec<Vec<Rule>> = vec![Vec::new(); newest.len()];

    let refused = by_age_and_place(policy, &newest, now, &mut kept_by);
    for (rule, periods) in policy.keep() {
        newest_of_each_period(rule, periods, zone, &newest, &mut kept_by);
    }
    let mut sources = HashSet::new();
    for (candidate, rules) in newest.iter().zip(&mut kept_by) {
        if candidate.protected {
            rules.push(Rule::Protected);
        }
        if candidate.is_good && sources.insert(candidate.source) {
            rules.push(Rule::LastGood);
        }
    }
    bases(&newest, &mut kept_by);

    let conclude = |((candidate, mut kept_by), refused): ((&Candidate, Vec<Rule>), Vec<Rule>)| {
        kept_by.sort_unstable();
        let (verdict, rules) = if kept_by.is_empty() {
            (Verdict::Expire, refused)
        } else {
            (Verdict::Keep, kept_by)
        };
        Decision {
            backup_id: candidate.id,
            verdict,
            rules,
        }
    };
    newest.iter().zip(kept_by).zip(refused).map(conclude).collect()
}

/// Those that are good, and so is everything they build on.
fn sound(candidates: &[Candidate]) -> HashSet<BackupId> {
    let by_id: HashMap<BackupId, &Candidate> = candidates.iter().map(|candidate| (candidate.id, candidate)).collect();
    let mut sound = HashSet::new();
    for candidate in candidates {
        let mut chain = HashSet::new();
        let mut next = Some(candidate);
        // What is known to be sound need not be walked again, and a circle ends.
        while let Some(link) = next.filter(|link| link.is_good && !sound.contains(&link.id) && chain.insert(link.id)) {
            next = link.base_id.and_then(|id| by_id.get(&id).copied());
        }
        if next.is_none_or(|link| link.is_good) {
            sound.extend(chain);
        }
    }
    sound
}

/// Keeps what is young enough and, where it is good, not pushed out by newer ones. Returns what speaks against each.
fn by_age_and_place(
    policy: &Retention,
    newest: &[Candidate],
    now: DateTime<Utc>,
    kept_by: &mut [Vec<Rule>],
) -> Vec<Vec<Rule>> {
    let age = TimeDelta::days(policy.retention_days.into());
    let mut against = Vec::with_capacity(newest.len());
    for ((candidate, kept_by), taken) in newest.iter().zip(kept_by).zip(taken_by_newer(newest)) {
        let mut refused = Vec::new();
        if now - candidate.created_at > age {
            refused.push(Rule::RetentionDays);
        }
        let needs_place = candidate.is_good && !candidate.protected;
        if needs_place && taken >= policy.max_backups as usize {
            refused.push(Rule::MaxBackups);
        }
        // What is good and protected has no place to keep.
        if refused.is_empty() && (needs_place || !candidate.is_good) {
            kept_by.push(Rule::RetentionDays);
            kept_by.extend(needs_place.then_some(Rule::MaxBackups));
        }
        against.push(refused);
    }
    against
}

/// How many places newer ones have taken before each; before what is made of another good one, as many as before that one.
fn taken_by_newer(newest: &[Candidate]) -> Vec<usize> {
    let good = newest.iter().enumerate().filter(|(_, candidate)| candidate.is_good);
    let good: HashMap<BackupId, usize> = good.map(|(at, candidate)| (candidate.id, at)).collect();
    let origin = |candidate: &Candidate| candidate.consolidated_from.and_then(|id| good.get(&id).copied());
    let mut before = Vec::with_capacity(newest.len());
    let mut taken = 0;
    for candidate in newest {
        before.push(taken);
        taken += usize::from(candidate.is_good && !candidate.protected && origin(candidate).is_none());
    }
    let of = |(at, candidate): (usize, &Candidate)| before[origin(candidate).unwrap_or(at)];
    newest.iter().enumerate().map(of).collect()
}

/// Keeps the newest good one of each of the newest periods that have one.
fn newest_of_each_period(rule: Rule, periods: u32, zone: Zone, newest: &[Candidate], kept_by: &mut [Vec<Rule>]) {
    let mut seen = HashSet::new();
    for (candidate, kept_by) in newest.iter().zip(kept_by) {
        if seen.len() >= periods as usize {
            break;
        }
        if candidate.is_good && seen.insert(period(rule, zone, candidate.created_at)) {
            kept_by.push(rule);
        }
    }
}

/// What tells the hour, day, week, month or year of an instant from every other one.
fn period(rule: Rule, zone: Zone, at: DateTime<Utc>) -> (i32, u32, i64) {
    let local = zone.local(at);
    match rule {
        // The hour that comes twice when the clock is put back is two hours.
        Rule::KeepHourly => (local.num_days_from_ce(), local.hour(), zone.offset(at).num_seconds()),
        Rule::KeepDaily => (local.num_days_from_ce(), 0, 0),
        Rule::KeepWeekly => (local.iso_week().year(), local.iso_week().week(), 0),
        Rule::KeepMonthly => (local.year(), local.month(), 0),
        _ => (local.year(), 0, 0),
    }
}

/// Keeps, all the way down, what a kept backup or an outside one builds on.
fn bases(newest: &[Candidate], kept_by: &mut [Vec<Rule>]) {
    let places: HashMap<BackupId, usize> = newest.iter().map(|c| c.id).zip(0..).collect();
    let mut kept: Vec<usize> = (0..newest.len()).filter(|at| !kept_by[*at].is_empty()).collect();
    for (at, candidate) in newest.iter().enumerate() {
        if candidate.has_outside_dependents {
            kept_by[at].push(Rule::Chain);
            kept.push(at);
        }
    }
    // Each is looked at when it is first kept and when a dependent is found; a second time ends at once, so that not
    // even a circle goes on for ever.
    while let Some(at) = kept.pop() {
        let base = newest[at].base_id.and_then(|id| places.get(&id));
        if let Some(base) = base.filter(|base| !kept_by[**base].contains(&Rule::Chain)) {
            kept_by[*base].push(Rule::Chain);
            kept.push(*base);
        }
    }
}
