//! What should be there, by the rules that people are told and not by the code that follows them.

use std::collections::BTreeSet;
use std::rc::Rc;

use backup_tests::system::restores::State;
use serde_json::Value;

/// A backup, and what was there when it was made.
pub(crate) struct Point {
    /// As the API shows it.
    pub(crate) backup: Value,
    pub(crate) state: Rc<State>,
    pub(crate) protected: bool,
}

impl Point {
    pub(crate) fn id(&self) -> &str {
        self.backup["id"].as_str().unwrap()
    }

    pub(crate) fn source(&self) -> &str {
        self.backup["source"].as_str().unwrap()
    }

    pub(crate) fn base(&self) -> Option<&str> {
        self.backup["baseId"].as_str()
    }

    fn is_full(&self) -> bool {
        self.backup["type"] == "FULL"
    }

    /// Whether no schedule lets it go: it is protected, or was made of another, which here is always done by hand.
    fn stays(&self) -> bool {
        self.protected || self.backup["consolidatedFrom"].is_string()
    }

    fn is_of(&self, schedule: &str) -> bool {
        self.backup["scheduleId"] == schedule
    }
}

/// What the next backup builds on, the newest that it may; identifiers ascend with time.
pub(crate) fn base<'a>(points: &'a [Point], backup_type: &str, source: &str) -> Option<&'a str> {
    let fits = |point: &&Point| match backup_type {
        "FULL" => false,
        "DIFFERENTIAL" => point.is_full() && point.source() == source,
        _ => point.source() == source,
    };
    points.iter().filter(fits).map(Point::id).max()
}

/// How far a chain may grow.
pub(crate) struct Limits {
    /// So many may build on the FULL one.
    pub(crate) length: usize,
    /// Whether they may become too heavy.
    pub(crate) weigh: bool,
}

/// What is built on instead of `base` where its chain may not grow any more: a FULL one that is newer than that chain's own.
pub(crate) fn newer_full<'a>(points: &'a [Point], base: &str, limits: &Limits) -> Option<&'a str> {
    let find = |id: &str| points.iter().find(|point| point.id() == id);
    let (mut full, mut length) = (find(base)?, 1);
    while let Some(base) = full.base() {
        (full, length) = (find(base)?, length + 1);
    }
    if length <= limits.length && !limits.weigh {
        return None;
    }
    let is_newer = |point: &&Point| point.is_full() && point.source() == full.source() && point.id() > full.id();
    points.iter().filter(is_newer).map(Point::id).max()
}

/// All that cannot be restored without this one.
pub(crate) fn dependents(points: &[Point], id: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::from([id.to_owned()]);
    loop {
        let more = points
            .iter()
            .filter(|point| point.base().is_some_and(|base| found.contains(base)));
        let more: Vec<String> = more.map(|point| point.id().to_owned()).collect();
        let before = found.len();
        found.extend(more);
        if found.len() == before {
            break;
        }
    }
    found.remove(id);
    found
}

/// What is still there once a schedule's retention has let go what it may: of its own all but the newest `most`, unless it
/// is protected or made of another by hand, the newest of its source, or something that stays builds on it.
pub(crate) fn retained(points: &[Point], schedule: &str, most: usize) -> BTreeSet<String> {
    let mut own: Vec<&Point> = points.iter().filter(|point| point.is_of(schedule)).collect();
    own.sort_by_key(|point| std::cmp::Reverse(point.id().to_owned()));
    let (mut places, mut sources) = (most, BTreeSet::new());
    let mut stay: BTreeSet<String> = points
        .iter()
        .filter(|point| !point.is_of(schedule))
        .map(|point| point.id().to_owned())
        .collect();
    for point in own {
        let newest = sources.insert(point.source());
        let has_place = !point.stays() && places > 0;
        places -= usize::from(has_place);
        if newest || has_place || point.stays() {
            stay.insert(point.id().to_owned());
        }
    }
    loop {
        let needed = points
            .iter()
            .filter(|point| stay.contains(point.id()))
            .filter_map(Point::base);
        let needed: Vec<String> = needed.map(str::to_owned).collect();
        let before = stay.len();
        stay.extend(needed);
        if stay.len() == before {
            return stay;
        }
    }
}
