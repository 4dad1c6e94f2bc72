//! Chains: which backup a new incremental or differential one builds on. It decides by what the catalog knows; whether the
//! base is really there, and whole, is for whoever reads the storage.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};

use crate::{BackupId, BackupSource, BackupType, text_enum};

/// How far a chain may grow before a new one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainLimits {
    /// How many backups may build on each other behind the FULL one; 0: none builds on another.
    pub max_length: u32,
    /// How many bytes they may take up together, in percent of the FULL one's.
    pub max_weight: u32,
}

impl ChainLimits {
    /// What `max_length` may be.
    pub const LENGTH: RangeInclusive<u32> = 0..=200;
    /// What `max_weight` may be.
    pub const WEIGHT: RangeInclusive<u32> = 1..=10_000;
}

impl Default for ChainLimits {
    fn default() -> Self {
        Self {
            max_length: 30,
            max_weight: 100,
        }
    }
}

/// A COMPLETED backup of the configuration, as a base for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its identifier.
    pub id: BackupId,
    /// How much it stores itself.
    pub backup_type: BackupType,
    /// What it saves.
    pub source: BackupSource,
    /// The point in time that it is of: see [`crate::Backup::created_at`].
    pub created_at: DateTime<Utc>,
    /// The backup it builds on.
    pub base_id: Option<BackupId>,
    /// Bytes stored.
    pub size_bytes: u64,
    /// Which key opens it; `None`: it is not encrypted.
    pub key_fingerprint: Option<String>,
    /// Nothing is known to be wrong with it itself: its last verification found nothing, or there was none yet, and the
    /// storage has it.
    pub is_good: bool,
}

/// The backup that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedBackup<'a> {
    /// The type that was asked for.
    pub backup_type: BackupType,
    /// What it saves.
    pub source: BackupSource,
    /// The key that it will be encrypted with; `None`: it will not be encrypted.
    pub key_fingerprint: Option<&'a str>,
}

text_enum! {
    /// Why a backup is made FULL.
    pub enum WhyFull {
        /// It was asked for so.
        Asked => "ASKED",
        /// The configuration has no backup that it could build on.
        NoBase => "NO_BASE",
        /// It has backups of other sources only.
        OtherSource => "OTHER_SOURCE",
        /// Each of them, or something that it builds on, was found missing or damaged.
        BaseBroken => "BASE_BROKEN",
        /// It is there, but the storage does not let it be read.
        BaseUnreadable => "BASE_UNREADABLE",
        /// Enough backups build on the last FULL one.
        ChainTooLong => "CHAIN_TOO_LONG",
        /// What builds on the last FULL one takes up as much as may be.
        ChainTooHeavy => "CHAIN_TOO_HEAVY",
        /// The base was made with another key.
        KeyChanged => "KEY_CHANGED",
        /// The base is encrypted and the new one would not be, or the other way round.
        EncryptionChanged => "ENCRYPTION_CHANGED",
    }
}

impl WhyFull {
    /// The reason for people, to follow "made FULL, since".
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Asked => "it was asked for",
            Self::NoBase => "there is no base to build on",
            Self::OtherSource => "there are backups of other sources only",
            Self::BaseBroken => "what it would build on is missing or damaged",
            Self::BaseUnreadable => "the storage does not let be read what it would build on",
            Self::ChainTooLong => "the chain is as long as it may get",
            Self::ChainTooHeavy => "the chain is as heavy as it may get",
            Self::KeyChanged => "the encryption key is another one",
            Self::EncryptionChanged => "encryption was switched on or off",
        }
    }
}

/// What the new backup builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainPlan {
    /// This one.
    On(BackupId),
    /// Nothing: it is made FULL.
    Full(WhyFull),
}

/// Decides what a new backup builds on: a DIFFERENTIAL one on the newest good FULL one of its source, an INCREMENTAL one on
/// the newest good one. Good is what nothing is wrong with, all the way down to the FULL one that it builds on; all of
/// that must be among `links`. Where what is found cannot be built on (see [`WhyFull`]), an older one is not tried: the new
/// backup is FULL. But where it is only that the chain may not grow any more, the newest good FULL one that is newer than the
/// chain's own is built on: it was made of the chain while that went on.
pub fn plan(wanted: &WantedBackup<'_>, links: &[Link], limits: ChainLimits) -> ChainPlan {
    if wanted.backup_type == BackupType::Full {
        return ChainPlan::Full(WhyFull::Asked);
    }
    let by_id: HashMap<BackupId, &Link> = links.iter().map(|link| (link.id, link)).collect();
    let mut candidates: Vec<&Link> = links.iter().filter(|link| link.source == wanted.source).collect();
    if candidates.is_empty() {
        return ChainPlan::Full(if links.is_empty() {
            WhyFull::NoBase
        } else {
            WhyFull::OtherSource
        });
    }
    candidates.sort_by_key(|link| std::cmp::Reverse(age(link)));
    if wanted.backup_type == BackupType::Differential {
        candidates.retain(|link| link.backup_type == BackupType::Full);
    }
    let is_none_full = candidates.is_empty();
    let Some((base, chain)) = candidates.iter().find_map(|link| Some((*link, chain(link, &by_id)?))) else {
        return ChainPlan::Full(if is_none_full {
            WhyFull::NoBase
        } else {
            WhyFull::BaseBroken
        });
    };
    let refuses = |base: &Link, chain: &[&Link]| refusal(wanted, base, chain, links, limits);
    let Some(why) = refuses(base, &chain) else {
        return ChainPlan::On(base.id);
    };
    let is_grown = matches!(why, WhyFull::ChainTooLong | WhyFull::ChainTooHeavy);
    let newer = candidates.iter().copied().find(|link| {
        let is_newer = chain.last().is_some_and(|full| age(link) > age(full));
        link.backup_type == BackupType::Full && link.is_good && is_newer
    });
    match newer.filter(|full| is_grown && refuses(full, &[*full]).is_none()) {
        Some(full) => ChainPlan::On(full.id),
        None => ChainPlan::Full(why),
    }
}

/// Whether it is time to make a FULL backup of `newest`, which has just been made: it builds on another, and so do `every`
/// or more since the newest good FULL one of its source, itself included.
pub fn is_consolidation_due(newest: BackupId, links: &[Link], every: u32) -> bool {
    let Some(newest) = links.iter().find(|link| link.id == newest && link.base_id.is_some()) else {
        return false;
    };
    let of_source = || links.iter().filter(|link| link.source == newest.source);
    let full = of_source()
        .filter(|link| link.is_good && link.backup_type == BackupType::Full)
        .map(age)
        .max();
    let since = of_source().filter(|link| link.base_id.is_some() && Some(age(link)) > full);
    since.count() >= every as usize
}

/// What backups are put in order by, the newest last. What was made of a chain is of the time of its last backup, and is built on
/// before that one.
fn age(link: &Link) -> (DateTime<Utc>, bool, BackupId) {
    (link.created_at, link.base_id.is_none(), link.id)
}

/// The link, what it builds on, and so on down to the FULL one, which comes last; `None` where one of them is not good.
fn chain<'a>(link: &'a Link, by_id: &HashMap<BackupId, &'a Link>) -> Option<Vec<&'a Link>> {
    let mut chain = Vec::new();
    // A circle cannot be, but must not hang anybody either.
    let mut seen = HashSet::new();
    let mut next = link;
    loop {
        if !next.is_good || next.source != link.source || !seen.insert(next.id) {
            return None;
        }
        chain.push(next);
        match next.base_id {
            Some(base) => next = by_id.get(&base)?,
            None => return (next.backup_type == BackupType::Full).then_some(chain),
        }
    }
}

/// What speaks against building on `base`.
fn refusal(
    wanted: &WantedBackup<'_>,
    base: &Link,
    chain: &[&Link],
    links: &[Link],
    limits: ChainLimits,
) -> Option<WhyFull> {
    let key = base.key_fingerprint.as_deref();
    if key != wanted.key_fingerprint {
        let both = key.is_some() && wanted.key_fingerprint.is_some();
        return Some(if both {
            WhyFull::KeyChanged
        } else {
            WhyFull::EncryptionChanged
        });
    }
    // With the FULL one in place of the new one, as many.
    if chain.len() > limits.max_length as usize {
        return Some(WhyFull::ChainTooLong);
    }
    let full = chain.last()?;
    let heavy = match wanted.backup_type {
        // Each stands beside the others, so the last one tells what the next will be.
        BackupType::Differential => links
            .iter()
            .filter(|link| link.backup_type == BackupType::Differential && link.base_id == Some(full.id))
            .max_by_key(|link| (link.created_at, link.id))
            .map_or(0, |link| u128::from(link.size_bytes)),
        _ => chain[..chain.len() - 1]
            .iter()
            .map(|link| u128::from(link.size_bytes))
            .sum(),
    };
    let most = u128::from(full.size_bytes) * u128::from(limits.max_weight) / 100;
    (heavy > 0 && heavy >= most).then_some(WhyFull::ChainTooHeavy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "60eb8b89dc8302c7";

    fn id(number: u8) -> BackupId {
        BackupId::from_bytes([number; 16])
    }

    /// The `number`th backup of the files, which is of 10 bytes where it builds on another, and of 100 otherwise.
    fn link(number: u8, backup_type: BackupType, base: Option<u8>) -> Link {
        Link {
            id: id(number),
            backup_type,
            source: BackupSource::Files,
            created_at: DateTime::from_timestamp(i64::from(number), 0).unwrap(),
            base_id: base.map(id),
            size_bytes: if base.is_some() { 10 } else { 100 },
            key_fingerprint: Some(KEY.to_owned()),
            is_good: true,
        }
    }

    /// FULL, two incremental ones, one differential one, in this order.
    fn links() -> Vec<Link> {
        vec![
            link(1, BackupType::Full, None),
            link(2, BackupType::Incremental, Some(1)),
            link(3, BackupType::Incremental, Some(2)),
            link(4, BackupType::Differential, Some(1)),
        ]
    }

    fn plan_of(backup_type: BackupType, links: &[Link], limits: ChainLimits) -> ChainPlan {
        let wanted = WantedBackup {
            backup_type,
            source: BackupSource::Files,
            key_fingerprint: Some(KEY),
        };
        plan(&wanted, links, limits)
    }

    fn incremental(links: &[Link]) -> ChainPlan {
        plan_of(BackupType::Incremental, links, ChainLimits::default())
    }

    fn differential(links: &[Link]) -> ChainPlan {
        plan_of(BackupType::Differential, links, ChainLimits::default())
    }

    #[test]
    fn an_incremental_builds_on_the_newest_and_a_differential_on_the_newest_full() {
        let mut links = links();
        assert_eq!(incremental(&links), ChainPlan::On(id(4)));
        assert_eq!(differential(&links), ChainPlan::On(id(1)));
        links.reverse();
        links.push(link(5, BackupType::Full, None));
        assert_eq!(differential(&links), ChainPlan::On(id(5)));
        assert_eq!(
            plan_of(BackupType::Full, &links, ChainLimits::default()),
            ChainPlan::Full(WhyFull::Asked)
        );
    }

    #[test]
    fn what_is_not_good_all_the_way_down_is_passed_over() {
        let mut links = links();
        links[3].is_good = false;
        assert_eq!(incremental(&links), ChainPlan::On(id(3)));
        links[1].is_good = false;
        assert_eq!(incremental(&links), ChainPlan::On(id(1)), "3 builds on 2");
        links[0].is_good = false;
        assert_eq!(incremental(&links), ChainPlan::Full(WhyFull::BaseBroken));
        assert_eq!(differential(&links), ChainPlan::Full(WhyFull::BaseBroken));
        let without_full = &self::links()[1..];
        assert_eq!(incremental(without_full), ChainPlan::Full(WhyFull::BaseBroken));
        assert_eq!(differential(without_full), ChainPlan::Full(WhyFull::NoBase));
    }

    #[test]
    fn nothing_builds_on_another_source() {
        let mut links = links();
        for link in &mut links {
            link.source = BackupSource::FullSystem;
        }
        assert_eq!(incremental(&links), ChainPlan::Full(WhyFull::OtherSource));
        links.push(link(9, BackupType::Incremental, Some(1)));
        assert_eq!(incremental(&links), ChainPlan::Full(WhyFull::BaseBroken));
        assert_eq!(incremental(&[]), ChainPlan::Full(WhyFull::NoBase));
    }

    #[test]
    fn another_key_and_another_encryption_begin_a_new_chain() {
        let mut links = links();
        links[3].key_fingerprint = Some("another".to_owned());
        assert_eq!(incremental(&links), ChainPlan::Full(WhyFull::KeyChanged));
        assert_eq!(differential(&links), ChainPlan::On(id(1)));
        links[3].key_fingerprint = None;
        assert_eq!(incremental(&links), ChainPlan::Full(WhyFull::EncryptionChanged));
    }

    #[test]
    fn a_chain_ends_where_it_is_long_or_heavy_enough() {
        let chain = &links()[..3];
        let limits = |max_length, max_weight| ChainLimits { max_length, max_weight };
        let incremental = |limits| plan_of(BackupType::Incremental, chain, limits);
        assert_eq!(incremental(limits(3, 100)), ChainPlan::On(id(3)));
        assert_eq!(incremental(limits(2, 100)), ChainPlan::Full(WhyFull::ChainTooLong));
        assert_eq!(incremental(limits(30, 21)), ChainPlan::On(id(3)));
        assert_eq!(incremental(limits(30, 20)), ChainPlan::Full(WhyFull::ChainTooHeavy));
        let differential = |limits| plan_of(BackupType::Differential, &links(), limits);
        assert_eq!(differential(limits(1, 11)), ChainPlan::On(id(1)));
        assert_eq!(differential(limits(0, 11)), ChainPlan::Full(WhyFull::ChainTooLong));
        assert_eq!(differential(limits(1, 10)), ChainPlan::Full(WhyFull::ChainTooHeavy));
    }

    #[test]
    fn what_was_made_of_a_chain_is_built_on_until_something_newer_is_there() {
        let mut links = links();
        links.truncate(3);
        // Of the point in time of the third, and made later.
        let made = Link {
            created_at: links[2].created_at,
            ..link(9, BackupType::Full, None)
        };
        links.push(made);
        assert_eq!(incremental(&links), ChainPlan::On(id(9)));
        assert_eq!(differential(&links), ChainPlan::On(id(9)));
        // Whatever it is called.
        links[3].id = id(0);
        assert_eq!(incremental(&links), ChainPlan::On(id(0)));
        assert!(!is_consolidation_due(id(3), &links, 1));
        links[3].id = id(9);
        // The next one was begun while it was still made.
        links.push(link(4, BackupType::Incremental, Some(3)));
        assert_eq!(incremental(&links), ChainPlan::On(id(4)));
        assert_eq!(differential(&links), ChainPlan::On(id(9)));
        // And where the chain may not grow any more, what was made of it takes its place: nothing is read anew for it.
        let limits = |max_length, max_weight| ChainLimits { max_length, max_weight };
        let at_most = |links: &[Link], limits| plan_of(BackupType::Incremental, links, limits);
        assert_eq!(at_most(&links, limits(4, 100)), ChainPlan::On(id(4)));
        assert_eq!(at_most(&links, limits(3, 100)), ChainPlan::On(id(9)));
        assert_eq!(at_most(&links, limits(30, 20)), ChainPlan::On(id(9)));
        assert_eq!(at_most(&links, limits(0, 100)), ChainPlan::Full(WhyFull::ChainTooLong));
        links[3].key_fingerprint = Some("another".to_owned());
        assert_eq!(at_most(&links, limits(3, 100)), ChainPlan::Full(WhyFull::ChainTooLong));
    }

    #[test]
    fn a_full_one_is_made_of_a_chain_after_so_many() {
        let due = |newest, links: &[Link], every| is_consolidation_due(id(newest), links, every);
        let mut links = links();
        assert!(due(4, &links, 3) && due(4, &links, 1) && !due(4, &links, 4));
        assert!(!due(1, &links, 1), "a FULL one is one already");
        assert!(!due(7, &links, 1), "one that is gone");
        links.push(Link {
            created_at: links[3].created_at,
            ..link(9, BackupType::Full, None)
        });
        assert!(!due(4, &links, 1), "it has just been done");
        links.push(link(10, BackupType::Differential, Some(9)));
        assert!(due(10, &links, 1) && !due(10, &links, 2));
        links[4].is_good = false;
        assert!(due(10, &links, 4), "one that cannot be restored does not count");
        links.push(Link {
            source: BackupSource::Database,
            ..link(11, BackupType::Incremental, Some(1))
        });
        assert!(!due(10, &links, 5), "another source is another chain");
    }

    #[test]
    fn a_circle_ends() {
        let links = [
            link(1, BackupType::Incremental, Some(2)),
            link(2, BackupType::Incremental, Some(1)),
        ];
        assert_eq!(incremental(&links), ChainPlan::Full(WhyFull::BaseBroken));
    }
}
