//! A hash table for hot paths: fixed capacity, seeded, without iteration.

use std::hash::{BuildHasher, Hash, Hasher};

/// Open addressing with linear probing. Keys that a stranger chooses are safe because the hash is
/// keyed by a seed; there is no iteration, so no run can depend on the order.
///
/// At capacity [`Table::insert`] refuses: the caller states what happens then.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    slots: Vec<Option<(K, V)>>,
    len: usize,
    len_max: usize,
    seed: u64,
}

impl<K: Hash + Eq + Clone, V> Table<K, V> {
    /// A table that holds at most `len_max` entries; memory grows with use.
    #[must_use]
    pub fn new(len_max: usize, seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            len: 0,
            len_max,
            seed,
        }
    }

    /// Entries held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when nothing is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let at = self.find(key)?;
        self.slots.get(at)?.as_ref().map(|(_, v)| v)
    }

    /// The value under `key`, to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(key)?;
        self.slots.get_mut(at)?.as_mut().map(|(_, v)| v)
    }

    /// Inserts or replaces.
    ///
    /// # Errors
    /// Gives the value back when the table is full and `key` is new.
    pub fn insert(&mut self, key: K, value: V) -> Result<Option<V>, V> {
        if let Some(old) = self.get_mut(&key) {
            return Ok(Some(std::mem::replace(old, value)));
        }
        if self.len >= self.len_max {
            return Err(value);
        }
        if (self.len + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.place(key, value);
        Ok(None)
    }

    /// Takes the entry under `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let mut hole = self.find(key)?;
        let taken = self.slots.get_mut(hole)?.take();
        self.len -= 1;
        // Backward-shift deletion keeps probe chains whole without tombstones.
        let mask = self.slots.len() - 1;
        let mut next = (hole + 1) & mask;
        while let Some(Some((k, _))) = self.slots.get(next) {
            let home = self.home(k);
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.slots.swap(hole, next);
                hole = next;
            }
            next = (next + 1) & mask;
        }
        taken.map(|(_, v)| v)
    }

    /// Keeps only the entries for which `keep` is true. `keep` must not depend on the order.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        let slots = std::mem::take(&mut self.slots);
        self.slots.resize_with(slots.len(), || None);
        self.len = 0;
        for (key, mut value) in slots.into_iter().flatten() {
            if keep(&key, &mut value) {
                self.place(key, value);
            }
        }
    }

    fn place(&mut self, key: K, value: V) {
        let mask = self.slots.len() - 1;
        let mut at = self.home(&key);
        while let Some(Some(_)) = self.slots.get(at) {
            at = (at + 1) & mask;
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some((key, value));
            self.len += 1;
        }
    }

    fn find(&self, key: &K) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = self.home(key);
        while let Some(Some((k, _))) = self.slots.get(at) {
            if k == key {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
        None
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        let old = std::mem::take(&mut self.slots);
        self.slots.resize_with(size, || None);
        self.len = 0;
        for (key, value) in old.into_iter().flatten() {
            self.place(key, value);
        }
    }

    fn home(&self, key: &K) -> usize {
        let hash = Seeded(self.seed).hash_one(key);
        usize::try_from(hash & (self.slots.len() as u64 - 1)).unwrap_or(0)
    }
}

struct Seeded(u64);

impl BuildHasher for Seeded {
    type Hasher = Mix;
    fn build_hasher(&self) -> Mix {
        Mix(self.0)
    }
}

/// Multiply-fold of each word under the seed, as wyhash does.
struct Mix(u64);

impl Mix {
    fn fold(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word ^ 0xa076_1d64_78bd_642f) * 0xe703_7ed1_a0b4_28db;
        self.0 = u64::try_from(wide & u128::from(u64::MAX)).unwrap_or(0)
            ^ u64::try_from(wide >> 64).unwrap_or(0);
    }
}

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0_u8; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.fold(u64::from_le_bytes(word).wrapping_add(chunk.len() as u64));
        }
    }
    fn write_u8(&mut self, i: u8) {
        self.fold(u64::from(i));
    }
    fn write_u16(&mut self, i: u16) {
        self.fold(u64::from(i));
    }
    fn write_u32(&mut self, i: u32) {
        self.fold(u64::from(i));
    }
    fn write_u64(&mut self, i: u64) {
        self.fold(i);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use std::collections::BTreeMap;

    #[test]
    fn behaves_like_an_ordered_map_under_random_operations() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let mut table = Table::new(200, seed);
            let mut model = BTreeMap::new();
            for step in 0..3000_u32 {
                let key = rng.below(300);
                match rng.below(3) {
                    0 | 1 if model.contains_key(&key) || model.len() < 200 => {
                        assert_eq!(table.insert(key, step), Ok(model.insert(key, step)));
                    }
                    0 | 1 => assert_eq!(table.insert(key, step), Err(step)),
                    _ => assert_eq!(table.remove(&key), model.remove(&key)),
                }
                assert_eq!(table.len(), model.len());
                let probe = rng.below(300);
                assert_eq!(table.get(&probe), model.get(&probe));
            }
            table.retain(|k, _| k % 2 == 0);
            model.retain(|k, _| k % 2 == 0);
            for key in 0..300 {
                assert_eq!(table.get(&key), model.get(&key));
            }
        }
    }
}
