//! Which of several equal next hops a packet takes.

use std::net::IpAddr;

use skybridge_wire::FiveTuple;

/// A hash over addresses, protocol and ports under a router's seed: one flow keeps one path, and two
/// routers in a row choose independently.
#[must_use]
pub fn hash(seed: u64, tuple: &FiveTuple) -> u64 {
    let ports = u64::from(tuple.src_port) << 32 | u64::from(tuple.dst_port);
    let mut h = mix(seed, ports << 8 ^ u64::from(tuple.protocol));
    for address in [tuple.src, tuple.dst] {
        h = match address {
            IpAddr::V4(a) => mix(h, u64::from(a.to_bits())),
            IpAddr::V6(a) => {
                let bits = a.to_bits();
                let low = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
                let high = u64::try_from(bits >> 64).unwrap_or(0);
                mix(mix(h, high), low)
            }
        };
    }
    mix(h, 0)
}

/// The tuple of a flow whichever way a packet of it goes: the lesser end as the source.
#[must_use]
pub fn either_way(tuple: FiveTuple) -> FiveTuple {
    if (tuple.src, tuple.src_port) <= (tuple.dst, tuple.dst_port) {
        return tuple;
    }
    FiveTuple {
        src: tuple.dst,
        dst: tuple.src,
        src_port: tuple.dst_port,
        dst_port: tuple.src_port,
        ..tuple
    }
}

/// `0..len` by `hash`; 0 when `len` is 0.
#[must_use]
pub fn choose(hash: u64, len: usize) -> usize {
    let wide = u128::from(hash).wrapping_mul(len as u128) >> 64;
    usize::try_from(wide).unwrap_or(0)
}

/// Multiply and fold, as wyhash does.
fn mix(state: u64, word: u64) -> u64 {
    let wide = u128::from(state ^ word ^ 0xa076_1d64_78bd_642f)
        .wrapping_mul(u128::from(word ^ 0xe703_7ed1_a0b4_28db));
    let low = u64::try_from(wide & u128::from(u64::MAX)).unwrap_or(0);
    low ^ u64::try_from(wide >> 64).unwrap_or(0)
}
