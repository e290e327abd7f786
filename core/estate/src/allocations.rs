//! Numbers that are chosen once and kept: VLANs, addresses, labels.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Who holds which number of which pool.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "ByPool", into = "ByPool")]
pub(crate) struct Allocations {
    pools: BTreeMap<String, Pool>,
    /// The pools of which a key holds a number.
    held: BTreeMap<String, BTreeSet<String>>,
}

/// Pool, then key, then number.
type ByPool = BTreeMap<String, BTreeMap<String, u64>>;

#[derive(Clone, Debug, Default)]
struct Pool {
    by_key: BTreeMap<String, u64>,
    taken: Runs,
}

impl Allocations {
    pub(crate) const fn new() -> Self {
        Self {
            pools: BTreeMap::new(),
            held: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&self, pool: &str, key: &str) -> Option<u64> {
        self.pools.get(pool)?.by_key.get(key).copied()
    }

    /// The lowest number of `range` that nobody holds.
    pub(crate) fn lowest_free(&self, pool: &str, range: &RangeInclusive<u64>) -> Option<u64> {
        let first = *range.start();
        let pool = self.pools.get(pool);
        let free = pool.map_or(Some(first), |pool| pool.taken.lowest_free(first))?;
        range.contains(&free).then_some(free)
    }

    pub(crate) fn insert(&mut self, pool: String, key: String, value: u64) {
        let numbers = self.pools.entry(pool.clone()).or_default();
        if let Some(old) = numbers.by_key.insert(key.clone(), value) {
            numbers.taken.remove(old);
        }
        numbers.taken.insert(value);
        self.held.entry(key).or_default().insert(pool);
    }

    pub(crate) fn release(&mut self, key: &str) {
        for name in self.held.remove(key).unwrap_or_default() {
            let Some(pool) = self.pools.get_mut(&name) else {
                continue;
            };
            if let Some(value) = pool.by_key.remove(key) {
                pool.taken.remove(value);
            }
            if pool.by_key.is_empty() {
                self.pools.remove(&name);
            }
        }
    }
}

impl From<ByPool> for Allocations {
    fn from(pools: ByPool) -> Self {
        let mut allocations = Self::new();
        for (pool, numbers) in pools {
            for (key, value) in numbers {
                allocations.insert(pool.clone(), key, value);
            }
        }
        allocations
    }
}

impl From<Allocations> for ByPool {
    fn from(allocations: Allocations) -> Self {
        let pools = allocations.pools.into_iter();
        pools.map(|(name, pool)| (name, pool.by_key)).collect()
    }
}

/// A set of numbers as runs, first to last: most pools are taken from the bottom, without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Runs(BTreeMap<u64, u64>);

impl Runs {
    fn run_of(&self, value: u64) -> Option<(u64, u64)> {
        let (first, last) = self.0.range(..=value).next_back()?;
        (value <= *last).then_some((*first, *last))
    }

    fn lowest_free(&self, from: u64) -> Option<u64> {
        match self.run_of(from) {
            Some((_, last)) => last.checked_add(1),
            None => Some(from),
        }
    }

    fn insert(&mut self, value: u64) {
        if self.run_of(value).is_some() {
            return;
        }
        let below = value.checked_sub(1).and_then(|v| self.run_of(v));
        let above = value.checked_add(1).and_then(|v| self.run_of(v));
        let first = below.map_or(value, |(first, _)| first);
        let last = above.map_or(value, |(start, last)| {
            self.0.remove(&start);
            last
        });
        self.0.insert(first, last);
    }

    fn remove(&mut self, value: u64) {
        let Some((first, last)) = self.run_of(value) else {
            return;
        };
        self.0.remove(&first);
        if first < value {
            self.0.insert(first, value - 1);
        }
        if value < last {
            self.0.insert(value + 1, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_are_the_set_of_what_was_put_in_and_not_taken_out(
            steps in proptest::collection::vec((any::<bool>(), 0u64..24), 0..120)
        ) {
            let mut set = BTreeSet::new();
            let mut runs = Runs::default();
            for (put, value) in steps {
                if put {
                    set.insert(value);
                    runs.insert(value);
                } else {
                    set.remove(&value);
                    runs.remove(value);
                }
                for from in 0..26 {
                    let free = (from..).find(|v| !set.contains(v));
                    prop_assert_eq!(runs.lowest_free(from), free);
                }
                let apart = runs.0.iter().zip(runs.0.iter().skip(1));
                for ((_, last), (first, _)) in apart {
                    prop_assert!(last + 1 < *first, "runs that touch are one");
                }
            }
        }
    }

    #[test]
    fn the_last_number_of_all_is_followed_by_none() {
        let mut runs = Runs::default();
        runs.insert(u64::MAX);
        assert_eq!(runs.lowest_free(u64::MAX), None);
        runs.remove(u64::MAX);
        assert_eq!(runs.lowest_free(u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn what_is_written_down_is_read_back() {
        let mut all = Allocations::new();
        all.insert("p".into(), "a".into(), 3);
        all.insert("p".into(), "b".into(), 4);
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(text, r#"{"p":{"a":3,"b":4}}"#);
        let mut again: Allocations = serde_json::from_str(&text).unwrap();
        again.release("a");
        assert_eq!(again.lowest_free("p", &(3..=9)), Some(3));
        assert_eq!(again.lowest_free("p", &(4..=9)), Some(5));
    }
}
