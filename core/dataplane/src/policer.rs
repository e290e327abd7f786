//! Token bucket policers, exact in virtual time.

use std::time::Duration;

use skybridge_base::Instant;
use skybridge_blueprint as blueprint;

/// One octet costs this many units: a bit at one bit per second takes a second of nanoseconds, so
/// that `elapsed_ns * rate_bps` is a whole number of units and nothing is ever rounded.
const UNITS_PER_BYTE: u128 = 8_000_000_000;
/// The same for packets: `elapsed_ns * rate_pps` against this cost.
const UNITS_PER_PACKET: u128 = 1_000_000_000;

/// A token bucket that starts full and counts layer 3 octets, and packets where the blueprint
/// limits them.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    spec: blueprint::Policer,
    bytes: Level,
    packets: Option<Level>,
    updated: Instant,
    passed: (u64, u64),
    dropped: (u64, u64),
}

#[derive(Clone, Copy, Debug)]
struct Level {
    rate: u64,
    units: u128,
    units_max: u128,
}

impl Level {
    const fn full(rate: u64, units_max: u128) -> Self {
        Self {
            rate,
            units: units_max,
            units_max,
        }
    }

    fn fill(&mut self, elapsed: Duration) {
        let more = elapsed.as_nanos().saturating_mul(u128::from(self.rate));
        self.units = self.units.saturating_add(more).min(self.units_max);
    }
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn new(spec: blueprint::Policer, now: Instant) -> Self {
        let bytes_max = u128::from(spec.burst_bytes).saturating_mul(UNITS_PER_BYTE);
        let packets = spec.rate_pps.map(|rate| {
            // A bucket without room for one packet would stop everything.
            Level::full(rate, cost_of_packets(spec.burst_packets.max(1)))
        });
        Self {
            spec,
            bytes: Level::full(spec.rate_bps, bytes_max),
            packets,
            updated: now,
            passed: (0, 0),
            dropped: (0, 0),
        }
    }

    /// Takes over other figures; what is in the bucket stays, up to the new size.
    pub fn respecify(&mut self, spec: blueprint::Policer, now: Instant) {
        self.fill(now);
        let fresh = Self::new(spec, now);
        self.bytes = Level {
            units: self.bytes.units.min(fresh.bytes.units_max),
            ..fresh.bytes
        };
        self.packets = match (self.packets, fresh.packets) {
            (Some(old), Some(new)) => Some(Level {
                units: old.units.min(new.units_max),
                ..new
            }),
            (_, new) => new,
        };
        self.spec = spec;
    }

    /// True, and the tokens are taken, when `packets` of `bytes` octets together may pass.
    pub fn take(&mut self, now: Instant, packets: u64, bytes: usize) -> bool {
        self.fill(now);
        let cost = cost_of_bytes(bytes);
        let packet_cost = cost_of_packets(packets);
        let enough =
            cost <= self.bytes.units && self.packets.is_none_or(|level| packet_cost <= level.units);
        let count = if enough {
            self.bytes.units = self.bytes.units.saturating_sub(cost);
            if let Some(level) = &mut self.packets {
                level.units = level.units.saturating_sub(packet_cost);
            }
            &mut self.passed
        } else {
            &mut self.dropped
        };
        count.0 = count.0.wrapping_add(packets);
        count.1 = count.1.wrapping_add(bytes as u64);
        enough
    }

    /// Whether [`TokenBucket::take`] would be true now; takes nothing.
    #[must_use]
    pub fn allows(&self, now: Instant, packets: u64, bytes: usize) -> bool {
        let elapsed = now.since(self.updated);
        let has = |level: &Level, cost: u128| {
            let mut level = *level;
            level.fill(elapsed);
            cost <= level.units
        };
        has(&self.bytes, cost_of_bytes(bytes))
            && self
                .packets
                .is_none_or(|level| has(&level, cost_of_packets(packets)))
    }

    /// The figures it works with.
    #[must_use]
    pub const fn spec(&self) -> blueprint::Policer {
        self.spec
    }

    /// Packets and octets that passed.
    #[must_use]
    pub const fn passed(&self) -> (u64, u64) {
        self.passed
    }

    /// Packets and octets that were dropped.
    #[must_use]
    pub const fn dropped(&self) -> (u64, u64) {
        self.dropped
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.since(self.updated);
        self.updated = self.updated.max(now);
        self.bytes.fill(elapsed);
        if let Some(level) = &mut self.packets {
            level.fill(elapsed);
        }
    }
}

const fn cost_of_bytes(bytes: usize) -> u128 {
    (bytes as u128).saturating_mul(UNITS_PER_BYTE)
}

const fn cost_of_packets(packets: u64) -> u128 {
    (packets as u128).saturating_mul(UNITS_PER_PACKET)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: blueprint::Policer = blueprint::Policer {
        rate_bps: 1_000_000,
        burst_bytes: 3000,
        rate_pps: None,
        burst_packets: 0,
    };

    #[test]
    fn a_bucket_gives_its_burst_and_then_exactly_its_rate() {
        let mut bucket = TokenBucket::new(SPEC, Instant::ZERO);
        assert!(bucket.take(Instant::ZERO, 1, 1500));
        assert!(bucket.take(Instant::ZERO, 1, 1500));
        assert!(!bucket.take(Instant::ZERO, 1, 1));
        // 1,000 octets at 1 Mbit/s take exactly 8 ms.
        assert!(!bucket.take(Instant::from_nanos(7_999_999), 1, 1000));
        assert!(bucket.take(Instant::from_nanos(8_000_000), 1, 1000));
        assert!(!bucket.take(Instant::from_nanos(8_000_000), 1, 1));
        assert_eq!(bucket.passed(), (3, 4000));
        assert_eq!(bucket.dropped(), (3, 1002));
    }

    #[test]
    fn over_a_long_time_not_one_octet_too_many_passes() {
        let spec = blueprint::Policer {
            rate_bps: 9_999_991,
            burst_bytes: 1500,
            rate_pps: None,
            burst_packets: 0,
        };
        let mut bucket = TokenBucket::new(spec, Instant::ZERO);
        let mut passed = 0_u64;
        let mut lean = bucket.clone();
        // Odd steps, so that fractions of octets occur at every fill.
        let mut at = 0;
        while at < 10_000_000_000 {
            let now = Instant::from_nanos(at);
            // Who asks first and is refused has not touched the bucket.
            if lean.allows(now, 1, 100) {
                assert!(lean.take(now, 1, 100));
            }
            if bucket.take(now, 1, 100) {
                passed += 100;
            }
            assert_eq!(lean.passed(), bucket.passed());
            at += 7_777;
        }
        let allowed = 1500 + 9_999_991 * 10 / 8;
        assert!(passed <= allowed, "{passed} of {allowed}");
        assert!(passed + 100 > allowed, "{passed} of {allowed}");
    }

    #[test]
    fn packets_can_be_limited_beside_octets() {
        let spec = blueprint::Policer {
            rate_bps: u64::MAX,
            burst_bytes: u64::MAX,
            rate_pps: Some(1000),
            burst_packets: 10,
        };
        let mut bucket = TokenBucket::new(spec, Instant::ZERO);
        let burst = (0..20)
            .filter(|_| bucket.take(Instant::ZERO, 1, 64))
            .count();
        assert_eq!(burst, 10);
        let second = (1..=1000)
            .filter(|ms| bucket.take(Instant::from_millis(*ms), 1, 64))
            .count();
        assert_eq!(second, 1000);
    }

    #[test]
    fn a_new_specification_does_not_refill_the_bucket() {
        let mut bucket = TokenBucket::new(SPEC, Instant::ZERO);
        assert!(bucket.take(Instant::ZERO, 1, 3000));
        bucket.respecify(
            blueprint::Policer {
                rate_bps: 2_000_000,
                ..SPEC
            },
            Instant::ZERO,
        );
        assert!(!bucket.take(Instant::ZERO, 1, 1));
        assert!(bucket.take(Instant::from_millis(4), 1, 1000));
    }
}
