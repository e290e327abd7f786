//! A growing set of small numbers, one bit each.

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
    /// No bit is set in a word below this.
    low: usize,
    count: usize,
}

impl Bits {
    fn split(at: u32) -> (usize, u64) {
        ((at >> 6) as usize, 1 << (at & 63))
    }

    /// True when it was not set.
    pub(crate) fn set(&mut self, at: u32) -> bool {
        let (word, bit) = Self::split(at);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.low = self.low.min(word);
        self.count += usize::from(fresh);
        fresh
    }

    /// True when it was set.
    pub(crate) fn clear(&mut self, at: u32) -> bool {
        let (word, bit) = Self::split(at);
        let Some(word) = self.words.get_mut(word).filter(|w| **w & bit != 0) else {
            return false;
        };
        *word &= !bit;
        self.count -= 1;
        true
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes the lowest.
    pub(crate) fn take_first(&mut self) -> Option<u32> {
        if self.count == 0 {
            return None;
        }
        while self.words[self.low] == 0 {
            self.low += 1;
        }
        let word = &mut self.words[self.low];
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        self.count -= 1;
        let base = u32::try_from(self.low << 6).expect("ids are below 2^32");
        Some(base + bit)
    }

    /// The members in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().zip(0_u32..).flat_map(|(word, at)| {
            (0..64)
                .filter(move |b| word >> b & 1 == 1)
                .map(move |b| at << 6 | b)
        })
    }
}
