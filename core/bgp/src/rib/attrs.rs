//! Attribute sets as canonical wire bytes in one arena, hash-consed and counted.

use std::net::{IpAddr, Ipv6Addr};

use skybridge_base::{Asn, TraceHash};

use super::index::IdIndex;
use crate::attr::{self, Attributes, DecodeContext};
use crate::types::{Community, Family, Origin};

/// LOCAL_PREF of a route that has none (RFC 4271 §9.1.1 leaves the value open; 100 is everyone's).
pub(crate) const LOCAL_PREF_DEFAULT: u32 = 100;

/// An interned route: attributes with tag and weight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct AttrId(pub(super) u32);

/// What is interned.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Route {
    pub(crate) attributes: Attributes,
    pub(crate) tag: u32,
    pub(crate) weight: u32,
}

/// The fields that the decision reads, kept decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hot {
    pub(crate) weight: u32,
    pub(crate) local_pref: u32,
    pub(crate) as_path_len: usize,
    pub(crate) origin: Origin,
    pub(crate) med: u32,
    pub(crate) first_as: Option<Asn>,
    pub(crate) next_hop: Option<IpAddr>,
    pub(crate) link_local: Option<Ipv6Addr>,
    pub(crate) originator_id: Option<std::net::Ipv4Addr>,
    pub(crate) tag: u32,
    /// The first well-known community of RFC 1997 that it carries.
    pub(super) stays: Option<Community>,
}

impl Hot {
    /// The community that forbids sending it to a peer of this kind (RFC 1997).
    pub(crate) fn forbids(&self, external: bool) -> Option<Community> {
        self.stays
            .filter(|c| external || *c == Community::NO_ADVERTISE)
    }
}

/// NO_ADVERTISE binds for every peer, so it is looked for first.
fn stays(communities: &[Community]) -> Option<Community> {
    [
        Community::NO_ADVERTISE,
        Community::NO_EXPORT,
        Community::NO_EXPORT_SUBCONFED,
    ]
    .into_iter()
    .find(|c| communities.contains(c))
}

#[derive(Clone, Debug)]
struct Entry {
    hash: u64,
    start: usize,
    len: usize,
    refs: u32,
    hot: Hot,
}

/// The arena. Bytes: tag, weight, then attributes as on the wire with 4-octet AS numbers; an IPv6 next
/// hop is an MP_REACH_NLRI without prefixes.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttrStore {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    index: IdIndex,
    dead_bytes: usize,
    scratch: Vec<u8>,
}

const CANONICAL: DecodeContext = DecodeContext {
    four_octet_as: true,
    external: false,
};

impl AttrStore {
    /// The id of `route`, counted once more.
    pub(crate) fn intern(&mut self, route: &Route) -> AttrId {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        encode(route, &mut scratch);
        let mut hash = TraceHash::default();
        hash.bytes(&scratch);
        let hash = spread(hash.value());
        let same = |id: u32| {
            let e = &self.entries[id as usize];
            e.hash == hash && self.bytes[e.start..e.start + e.len] == scratch[..]
        };
        let id = match self.index.find(hash, same) {
            Some(id) => {
                self.entries[id as usize].refs += 1;
                id
            }
            None => self.add(route, &scratch, hash),
        };
        self.scratch = scratch;
        AttrId(id)
    }

    fn add(&mut self, route: &Route, bytes: &[u8], hash: u64) -> u32 {
        if self.dead_bytes > 65_536 && self.dead_bytes > self.bytes.len() / 2 {
            self.compact();
        }
        let a = &route.attributes;
        let entry = Entry {
            hash,
            start: self.bytes.len(),
            len: bytes.len(),
            refs: 1,
            hot: Hot {
                weight: route.weight,
                local_pref: a.local_pref.unwrap_or(LOCAL_PREF_DEFAULT),
                as_path_len: a.as_path.len(),
                origin: a.origin,
                med: a.med.unwrap_or(0),
                first_as: a.as_path.first(),
                next_hop: a.next_hop,
                link_local: a.link_local,
                originator_id: a.originator_id,
                tag: route.tag,
                stays: stays(&a.communities),
            },
        };
        self.bytes.extend_from_slice(bytes);
        let id = if let Some(id) = self.free.pop() {
            self.entries[id as usize] = entry;
            id
        } else {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 attribute sets")
        };
        let entries = &self.entries;
        self.index.insert(id, |i| entries[i as usize].hash);
        id
    }

    /// Counts one use more.
    pub(crate) fn retain(&mut self, id: AttrId) {
        self.entries[id.0 as usize].refs += 1;
    }

    /// Counts one use less; the last one frees the entry.
    pub(crate) fn release(&mut self, id: AttrId) {
        let entry = &mut self.entries[id.0 as usize];
        assert!(entry.refs > 0, "an attribute set is released once per use");
        entry.refs -= 1;
        if entry.refs == 0 {
            self.dead_bytes += entry.len;
            let entries = &self.entries;
            self.index.remove(id.0, |i| entries[i as usize].hash);
            self.free.push(id.0);
        }
    }

    pub(crate) fn hot(&self, id: AttrId) -> &Hot {
        &self.entries[id.0 as usize].hot
    }

    /// Decodes the whole route.
    pub(crate) fn route(&self, id: AttrId) -> Route {
        let e = &self.entries[id.0 as usize];
        let (head, list) = self.bytes[e.start..e.start + e.len].split_at(8);
        let decoded = attr::decode(list, &CANONICAL);
        assert!(
            decoded.faults.is_empty(),
            "the arena holds only what we encoded"
        );
        let mut attributes = decoded.attributes;
        if let Some(reach) = decoded.mp_reach {
            attributes.next_hop = Some(reach.next_hop);
            attributes.link_local = reach.link_local;
        }
        let word =
            |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        Route {
            attributes,
            tag: word(0),
            weight: word(4),
        }
    }

    /// Attribute sets in use.
    pub(crate) const fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    fn compact(&mut self) {
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.dead_bytes);
        for entry in self.entries.iter_mut().filter(|e| e.refs > 0) {
            let start = bytes.len();
            bytes.extend_from_slice(&self.bytes[entry.start..entry.start + entry.len]);
            entry.start = start;
        }
        self.bytes = bytes;
        self.dead_bytes = 0;
    }
}

fn encode(route: &Route, out: &mut Vec<u8>) {
    out.extend_from_slice(&route.tag.to_be_bytes());
    out.extend_from_slice(&route.weight.to_be_bytes());
    let a = &route.attributes;
    if let Some(hop @ IpAddr::V6(_)) = a.next_hop {
        let head = attr::mp_reach_head(Family::V6, hop, a.link_local);
        let len = u8::try_from(head.len()).expect("37 octets at most");
        out.extend_from_slice(&[attr::flag::OPTIONAL, attr::code::MP_REACH_NLRI, len]);
        out.extend_from_slice(&head);
    }
    a.encode(true, out);
}

/// Final mix: the index takes the low bits.
const fn spread(hash: u64) -> u64 {
    let x = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::AsPath;

    fn route(n: u32) -> Route {
        Route {
            attributes: Attributes {
                as_path: AsPath::sequence(&[Asn(n)]),
                next_hop: Some(IpAddr::V6(Ipv6Addr::from(u128::from(n)))),
                ..Attributes::default()
            },
            tag: n,
            weight: 7,
        }
    }

    #[test]
    fn equal_routes_share_an_entry_and_decode_to_themselves() {
        let mut store = AttrStore::default();
        let a = store.intern(&route(1));
        let b = store.intern(&route(1));
        assert_eq!(a, b);
        assert_eq!(store.len(), 1);
        assert_eq!(store.route(a), route(1));
        store.release(a);
        store.release(b);
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn compaction_keeps_every_live_entry() {
        let mut store = AttrStore::default();
        let ids: Vec<AttrId> = (1..5000).map(|n| store.intern(&route(n))).collect();
        for id in ids.iter().skip(100) {
            store.release(*id);
        }
        let fresh = store.intern(&route(9999));
        assert!(
            store.bytes.len() < 10_000,
            "{} bytes are kept",
            store.bytes.len()
        );
        assert_eq!(store.route(fresh), route(9999));
        for (n, id) in (1..=100).zip(&ids) {
            assert_eq!(store.route(*id), route(n));
        }
    }
}
