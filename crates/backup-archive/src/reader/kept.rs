//! A bounded memory of what may be needed again.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// Values up to a total weight in bytes. What was used longest ago goes first.
pub(super) struct Kept<K, V> {
    limit: usize,
    weight: usize,
    values: HashMap<K, (V, usize, u64)>,
    order: BTreeSet<(u64, K)>,
}

impl<K: Copy + Ord + Hash, V: Clone> Kept<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            weight: 0,
            values: HashMap::new(),
            order: BTreeSet::new(),
        }
    }

    /// The value, which is used at `now`.
    pub(super) fn get(&mut self, key: K, now: u64) -> Option<V> {
        let (value, _, used) = self.values.get_mut(&key)?;
        if *used < now {
            self.order.remove(&(*used, key));
            self.order.insert((now, key));
            *used = now;
        }
        Some(value.clone())
    }

    /// Keeps a value that is used at `now`, unless all that would have to go for it was used as late. So of more than
    /// fits, used round and round, a part stays and is found, where otherwise each would drive out the next. Returns what
    /// has gone.
    pub(super) fn put(&mut self, key: K, value: V, weight: usize, now: u64) -> Vec<V> {
        let mut gone = Vec::new();
        if self.values.contains_key(&key) || weight > self.limit {
            return gone;
        }
        while self.weight + weight > self.limit {
            match self.order.first().copied() {
                Some((used, oldest)) if used < now => {
                    self.order.pop_first();
                    if let Some((value, weight, _)) = self.values.remove(&oldest) {
                        self.weight -= weight;
                        gone.push(value);
                    }
                }
                _ => return gone,
            }
        }
        self.weight += weight;
        self.values.insert(key, (value, weight, now));
        self.order.insert((now, key));
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_round_and_round_stays_in_part() {
        let mut kept = Kept::new(6);
        let mut found = 0;
        for now in 0..10 {
            let missing: Vec<u32> = (0..10).filter(|key| kept.get(*key, now).is_none()).collect();
            found += 10 - missing.len();
            for key in missing {
                kept.put(key, (), 1, now);
            }
        }
        assert_eq!((found, kept.weight, kept.values.len()), (54, 6, 6));
        // What nobody uses any more makes room.
        for key in 20..26 {
            kept.put(key, (), 1, 10);
        }
        assert!((20..26).all(|key| kept.get(key, 10).is_some()) && kept.weight == 6 && kept.order.len() == 6);
        kept.put(30, (), 7, 11);
        assert!(kept.get(30, 11).is_none());
    }
}
