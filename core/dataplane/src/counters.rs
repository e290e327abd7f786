//! Plain counters.

use crate::DropReason;

const REASONS: usize = DropReason::ALL.len();

/// Drops by reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DropCounters([u64; REASONS]);

impl Default for DropCounters {
    fn default() -> Self {
        Self([0; REASONS])
    }
}

impl DropCounters {
    /// Counts one.
    pub fn add(&mut self, reason: DropReason) {
        self.add_many(reason, 1);
    }

    /// Counts `packets`.
    pub fn add_many(&mut self, reason: DropReason, packets: u64) {
        if let Some(count) = self.0.get_mut(reason.index()) {
            *count = count.wrapping_add(packets);
        }
    }

    /// How many so far.
    #[must_use]
    pub fn count(&self, reason: DropReason) -> u64 {
        self.0.get(reason.index()).copied().unwrap_or(0)
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, n| sum.wrapping_add(*n))
    }

    /// The reasons that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        let all = DropReason::ALL.iter().copied().zip(self.0);
        all.filter(|(_, count)| *count > 0)
    }
}

/// What went through an interface. Octets are layer 3.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct InterfaceCounters {
    /// Packets received, whatever became of them.
    pub in_packets: u64,
    /// Octets received.
    pub in_bytes: u64,
    /// Packets sent.
    pub out_packets: u64,
    /// Octets sent.
    pub out_bytes: u64,
}

impl InterfaceCounters {
    /// Counts `packets` of `bytes` octets together that came in.
    pub const fn count_in(&mut self, packets: u64, bytes: usize) {
        self.in_packets = self.in_packets.wrapping_add(packets);
        self.in_bytes = self.in_bytes.wrapping_add(bytes as u64);
    }

    /// Counts `packets` of `bytes` octets together that went out.
    pub const fn count_out(&mut self, packets: u64, bytes: usize) {
        self.out_packets = self.out_packets.wrapping_add(packets);
        self.out_bytes = self.out_bytes.wrapping_add(bytes as u64);
    }
}
