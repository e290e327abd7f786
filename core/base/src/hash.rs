//! A running hash of what happened, to compare two runs.

use crate::Instant;

/// FNV-1a over 64 bits with a final mix; not for untrusted keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceHash(u64);

impl Default for TraceHash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl TraceHash {
    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word) ^ (8 << 56));
        }
        if !rest.is_empty() {
            let mut word = [0_u8; 8];
            for (to, from) in word.iter_mut().zip(rest) {
                *to = *from;
            }
            self.word(u64::from_le_bytes(word) ^ ((rest.len() as u64) << 56));
        }
    }

    /// Adds a number.
    pub const fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 ^= self.0 >> 29;
    }

    /// Adds a time.
    pub const fn time(&mut self, at: Instant) {
        self.word(at.as_nanos());
    }

    /// The hash so far.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_content_matter() {
        let mut a = TraceHash::default();
        let mut b = TraceHash::default();
        a.bytes(b"one");
        a.bytes(b"two");
        b.bytes(b"two");
        b.bytes(b"one");
        assert_ne!(a, b);
    }
}
