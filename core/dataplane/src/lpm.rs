//! Longest prefix match by hashing: one probe for each prefix length in use, longest first. Tables
//! here have a handful of lengths, so that a lookup is a handful of probes whatever their size.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_base::Table;

/// Prefixes held at most: more than any limit of the world above.
const PREFIXES_MAX: usize = 1 << 24;
/// The tables' hash is keyed only to be one; a peer that chose prefixes to collide would slow down the
/// simulation of its own attack.
const SEED: u64 = 0x5ca1_ab1e;

/// Values by prefix.
#[derive(Clone, Debug)]
pub(crate) struct Lpm {
    /// Network and length.
    v4: Table<u64, u32>,
    v6: Table<(u128, u8), u32>,
    /// Lengths in use with their number of prefixes, longest first.
    lengths_v4: Vec<(u8, u32)>,
    lengths_v6: Vec<(u8, u32)>,
}

impl Default for Lpm {
    fn default() -> Self {
        Self {
            v4: Table::new(PREFIXES_MAX, SEED),
            v6: Table::new(PREFIXES_MAX, SEED),
            lengths_v4: Vec::new(),
            lengths_v6: Vec::new(),
        }
    }
}

const fn key_v4(bits: u32, len: u8) -> u64 {
    let mask = match u32::MAX.checked_shl(32_u32.saturating_sub(len as u32)) {
        Some(mask) => mask,
        None => 0,
    };
    ((bits & mask) as u64) << 8 | len as u64
}

const fn key_v6(bits: u128, len: u8) -> (u128, u8) {
    let mask = match u128::MAX.checked_shl(128_u32.saturating_sub(len as u32)) {
        Some(mask) => mask,
        None => 0,
    };
    (bits & mask, len)
}

impl Lpm {
    /// Sets the value of a prefix. True when it had one.
    pub(crate) fn insert(&mut self, net: &IpNet, value: u32) -> bool {
        let len = net.prefix_len();
        let (new, lengths) = match net {
            IpNet::V4(net) => (
                self.v4.insert(key_v4(net.addr().to_bits(), len), value),
                &mut self.lengths_v4,
            ),
            IpNet::V6(net) => (
                self.v6.insert(key_v6(net.addr().to_bits(), len), value),
                &mut self.lengths_v6,
            ),
        };
        if new != Ok(None) {
            return new.is_ok();
        }
        match lengths.binary_search_by(|(other, _)| len.cmp(other)) {
            Ok(at) => {
                if let Some((_, count)) = lengths.get_mut(at) {
                    *count = count.saturating_add(1);
                }
            }
            Err(at) => lengths.insert(at, (len, 1)),
        }
        false
    }

    /// Forgets a prefix. True when it had a value.
    pub(crate) fn remove(&mut self, net: &IpNet) -> bool {
        let len = net.prefix_len();
        let (old, lengths) = match net {
            IpNet::V4(net) => (
                self.v4.remove(&key_v4(net.addr().to_bits(), len)),
                &mut self.lengths_v4,
            ),
            IpNet::V6(net) => (
                self.v6.remove(&key_v6(net.addr().to_bits(), len)),
                &mut self.lengths_v6,
            ),
        };
        if old.is_some()
            && let Ok(at) = lengths.binary_search_by(|(other, _)| len.cmp(other))
            && let Some((_, count)) = lengths.get_mut(at)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                lengths.remove(at);
            }
        }
        old.is_some()
    }

    /// The value of the longest prefix around `address`.
    pub(crate) fn lookup(&self, address: IpAddr) -> Option<u32> {
        match address {
            IpAddr::V4(a) => {
                let bits = a.to_bits();
                let probe = |(len, _): &(u8, u32)| self.v4.get(&key_v4(bits, *len)).copied();
                self.lengths_v4.iter().find_map(probe)
            }
            IpAddr::V6(a) => {
                let bits = a.to_bits();
                let probe = |(len, _): &(u8, u32)| self.v6.get(&key_v6(bits, *len)).copied();
                self.lengths_v6.iter().find_map(probe)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may")]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{Ipv4Addr, Ipv6Addr};

    use ipnet::{Ipv4Net, Ipv6Net};
    use skybridge_base::Rng;

    use super::*;

    #[test]
    fn it_finds_what_a_search_of_every_prefix_finds() {
        let mut rng = Rng::new(1);
        let mut lpm = Lpm::default();
        let mut model: BTreeMap<IpNet, u32> = BTreeMap::new();
        let mut small = |below: u64| u32::try_from(rng.below(below)).unwrap();
        for step in 0..4000_u32 {
            // Few bits differ, so that prefixes nest and repeat.
            let (high, low) = (small(4) << 30, small(8));
            let len = u8::try_from([0, 1, 2, 8, 29, 30, 31, 32][small(8) as usize]).unwrap();
            let is_v4 = small(2) == 0;
            let v4 = Ipv4Addr::from(high | low);
            let v6 = Ipv6Addr::from(u128::from(high) << 96 | u128::from(low));
            let net: IpNet = if is_v4 {
                Ipv4Net::new(v4, len).unwrap().trunc().into()
            } else {
                let len = if len > 8 { len + 96 } else { len };
                Ipv6Net::new(v6, len).unwrap().trunc().into()
            };
            if small(3) == 0 {
                lpm.remove(&net);
                model.remove(&net);
            } else {
                lpm.insert(&net, step);
                model.insert(net, step);
            }
            for address in [IpAddr::V4(v4), IpAddr::V6(v6)] {
                let around = model.iter().filter(|(net, _)| net.contains(&address));
                let longest = around.max_by_key(|(net, _)| net.prefix_len());
                assert_eq!(lpm.lookup(address), longest.map(|(_, value)| *value));
            }
        }
    }
}
