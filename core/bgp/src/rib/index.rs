//! A hash index from keys that live elsewhere to their ids: 4 to 8 bytes an entry, no iteration.

const FREE: u32 = u32::MAX;

/// Open addressing over ids; the owner supplies hash and equality.
#[derive(Clone, Debug, Default)]
pub(super) struct IdIndex {
    slots: Vec<u32>,
    len: usize,
}

impl IdIndex {
    fn mask(&self) -> usize {
        self.slots.len() - 1
    }

    fn home(&self, hash: u64) -> usize {
        usize::try_from(hash & self.mask() as u64).unwrap_or(0)
    }

    pub(super) fn find(&self, hash: u64, eq: impl Fn(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mut at = self.home(hash);
        while self.slots[at] != FREE {
            if eq(self.slots[at]) {
                return Some(self.slots[at]);
            }
            at = (at + 1) & self.mask();
        }
        None
    }

    /// `id` must not be present.
    pub(super) fn insert(&mut self, id: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.len + 1) * 4 > self.slots.len() * 3 {
            let size = (self.slots.len() * 2).max(16);
            let old = std::mem::replace(&mut self.slots, vec![FREE; size]);
            for id in old.into_iter().filter(|i| *i != FREE) {
                self.place(id, hash_of(id));
            }
        }
        self.place(id, hash_of(id));
        self.len += 1;
    }

    fn place(&mut self, id: u32, hash: u64) {
        let mut at = self.home(hash);
        while self.slots[at] != FREE {
            at = (at + 1) & self.mask();
        }
        self.slots[at] = id;
    }

    /// Removes `id`; backward-shift deletion keeps probe chains whole.
    pub(super) fn remove(&mut self, id: u32, hash_of: impl Fn(u32) -> u64) {
        if self.slots.is_empty() {
            return;
        }
        let mask = self.mask();
        let mut hole = self.home(hash_of(id));
        while self.slots[hole] != id {
            if self.slots[hole] == FREE {
                return;
            }
            hole = (hole + 1) & mask;
        }
        self.slots[hole] = FREE;
        self.len -= 1;
        let mut next = (hole + 1) & mask;
        while self.slots[next] != FREE {
            let home = self.home(hash_of(self.slots[next]));
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.slots.swap(hole, next);
                hole = next;
            }
            next = (next + 1) & mask;
        }
    }
}
