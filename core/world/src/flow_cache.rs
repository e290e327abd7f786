//! The flow cache as a data structure: ways through the world by what their packets have in common.
//!
//! Four places for each hash; memory grows with use up to [`WAYS_MAX`] ways, then a newcomer takes the
//! place of another. Nothing reads the cache in order, and what a frame meets does not depend on it.

use std::net::IpAddr;

use skybridge_base::Instant;
use skybridge_nodes::{Like, PortIndex, Ticket};
use skybridge_wire::gso::Packets;
use skybridge_wire::{EtherType, Fragment, Frame, PacketInfo, ethernet, flow, gso, ipv4, protocol};

use crate::link::LinkIndex;
use crate::slot::NodeIndex;

/// Ways that a world remembers at most.
pub const WAYS_MAX: usize = 1 << 16;

/// Places for one hash.
const PLACES: usize = 4;
/// Hashes of packets that came once, by which those that come again are known.
const SEEN: usize = 1 << 12;

/// How the flow cache fares.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FlowCacheStats {
    /// Frames that went a remembered way.
    pub hits: u64,
    /// Frames of a kind that could, for which there was no way, or one that no longer stood.
    pub misses: u64,
    /// Ways remembered so far.
    pub recorded: u64,
    /// Ways held.
    pub held: usize,
}

/// Everything that packets of one way have in common: every field that a node on it may read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    /// Where it starts, protocol, DSCP.
    place: u64,
    /// Destination station and ethertype.
    dst: u64,
    /// Source station, ICMP type and code.
    src: u64,
    /// Both tags with priorities, as on the wire.
    tags: u64,
    ends: [u128; 2],
    ports: u32,
}

/// A packet of which the cache may know a way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) key: Key,
    pub(crate) info: PacketInfo,
    pub(crate) wire: Packets,
    pub(crate) l3_at: usize,
    pub(crate) is_padded: bool,
}

impl Packet {
    /// Reads a frame that comes in on a port. `None` for what nodes look at more closely than at these
    /// fields: traced packets, fragments, options, ICMP but for echoes, what is damaged.
    pub(crate) fn read(node: NodeIndex, port: PortIndex, frame: &Frame) -> Option<Self> {
        if frame.meta.trace != 0 {
            return None;
        }
        let view = ethernet::parse(frame.bytes()).ok()?;
        let (is_v4, header_len) = match view.ethertype() {
            EtherType::IPV4 => (true, ipv4::HEADER_LEN),
            EtherType::IPV6 => (false, skybridge_wire::ipv6::HEADER_LEN),
            _ => return None,
        };
        let packet = view.payload();
        let info = flow::parse(packet).ok()?;
        let is_plain = info.fragment == Fragment::Whole
            && info.l4_offset == header_len
            && info.src.is_ipv4() == is_v4
            && (!is_v4 || ipv4::is_header_checksum_valid(packet));
        let icmp = match (info.protocol, info.icmp) {
            (protocol::ICMP, Some((kind @ (0 | 8), code)))
            | (protocol::ICMPV6, Some((kind @ (128 | 129), code))) => {
                u64::from(kind) << 8 | u64::from(code)
            }
            (protocol::ICMP | protocol::ICMPV6, _) => return None,
            (_, _) => 0,
        };
        let gso_size = frame.meta.gso_size;
        if !is_plain || (gso_size > 0 && !gso::is_train(frame)) {
            return None;
        }
        let bits = |address: IpAddr| match address {
            IpAddr::V4(a) => u128::from(a.to_bits()),
            IpAddr::V6(a) => a.to_bits(),
        };
        let place = u64::from(node.0) << 32
            | u64::from(port.0) << 16
            | u64::from(info.protocol) << 8
            | u64::from(info.dscp);
        let key = Key {
            place,
            dst: mac_bits(view.dst().0) | u64::from(view.ethertype().0),
            src: mac_bits(view.src().0) | icmp,
            tags: tag_bits(frame.bytes(), view.payload_offset()),
            ends: [bits(info.src), bits(info.dst)],
            ports: u32::from(info.src_port) << 16 | u32::from(info.dst_port),
        };
        Some(Self {
            key,
            wire: gso::packets(packet, &info, gso_size),
            l3_at: view.payload_offset(),
            is_padded: packet.len() > info.total_len,
            info,
        })
    }

    /// What nodes are asked about it, and charge.
    pub(crate) const fn like(&self) -> Like<'_> {
        Like {
            info: &self.info,
            packets: self.wire.count,
            bytes: self.wire.octets,
        }
    }
}

fn mac_bits([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u64::from_be_bytes([a, b, c, d, e, f, 0, 0])
}

/// The bytes between the stations and the ethertype.
fn tag_bits(frame: &[u8], l3_at: usize) -> u64 {
    let mut bits = [0; 8];
    let len = l3_at.saturating_sub(ethernet::HEADER_LEN).min(bits.len());
    if let (Some(to), Some(from)) = (bits.get_mut(..len), frame.get(12..12 + len)) {
        to.copy_from_slice(from);
    }
    u64::from_be_bytes(bits)
}

/// An Ethernet header as a frame has it after a node, with what the node did to the TTL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    bytes: [u8; 22],
    len: u8,
    l3_offset: u16,
}

impl Header {
    /// That of `frame`; `None` when it has no header as routers and switches write them.
    pub(crate) fn of(frame: &Frame) -> Option<Self> {
        let len = ethernet::parse(frame.bytes()).ok()?.payload_offset();
        let mut bytes = [0; 22];
        bytes
            .get_mut(..len)?
            .copy_from_slice(frame.bytes().get(..len)?);
        Some(Self {
            bytes,
            len: u8::try_from(len).ok()?,
            l3_offset: frame.meta.l3_offset,
        })
    }

    pub(crate) const fn len(&self) -> u8 {
        self.len
    }

    /// Gives the header to a frame in the place of its own, which ends at `meta.l3_offset`, and lowers
    /// the packet's TTL.
    pub(crate) fn dress(&self, frame: &mut Frame, lowered: u8) {
        let len = usize::from(self.len);
        if lowered > 0 {
            let packet = frame.l3_mut();
            // The way was taken only if the TTL suffices.
            let _ = match packet.first().map(|byte| byte >> 4) {
                Some(4) => ipv4::lower_ttl(packet, lowered),
                _ => skybridge_wire::ipv6::lower_hop_limit(packet, lowered),
            };
        }
        frame.pop_front(usize::from(frame.meta.l3_offset));
        frame.push_front(len).copy_from_slice(&self.bytes[..len]);
        frame.meta.l3_offset = self.l3_offset;
    }
}

/// One node of a way.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    pub(crate) ticket: Ticket,
    pub(crate) node: NodeIndex,
    /// The link to the next node; `None` at the last.
    pub(crate) onto: Option<(LinkIndex, u8)>,
    pub(crate) lowers_ttl: bool,
    /// Octets in front of the packet on that link.
    pub(crate) header_len: u8,
}

/// A way from a port through nodes up to the first link, host or outside where a frame may wait.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) key: Key,
    /// The wiring that it was recorded under.
    pub(crate) wiring: u64,
    /// It stands before this time.
    pub(crate) until: Instant,
    pub(crate) packet_len_max: usize,
    /// The first node cuts off what is behind a packet.
    pub(crate) cuts_padding: bool,
    /// By how much the TTL is lowered.
    pub(crate) lowered: u8,
    /// The last node, and the port by which frames leave it.
    pub(crate) exit: (NodeIndex, PortIndex),
    pub(crate) hops: Vec<Hop>,
    /// The headers after each hop: the last for the frame as it leaves, those before for whoever watches
    /// frames on their way.
    pub(crate) headers: Vec<Header>,
}

#[derive(Debug, Default)]
struct Place {
    hash: u64,
    way: Option<Box<Way>>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct FlowCache {
    pub(crate) is_on: bool,
    seed: u64,
    places: Vec<Place>,
    next_victim: usize,
    seen: Vec<u32>,
    first_comings: u64,
    /// Grows with every change of what is joined to what, or how.
    pub(crate) wiring: u64,
    pub(crate) stats: FlowCacheStats,
}

impl FlowCache {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            is_on: true,
            seed,
            places: Vec::new(),
            next_victim: 0,
            seen: Vec::new(),
            first_comings: 0,
            wiring: 0,
            stats: FlowCacheStats {
                hits: 0,
                misses: 0,
                recorded: 0,
                held: 0,
            },
        }
    }

    /// Forgets every way.
    pub(crate) fn clear(&mut self) {
        self.places = Vec::new();
        self.seen = Vec::new();
        self.stats.held = 0;
    }

    pub(crate) fn hash(&self, key: &Key) -> u64 {
        let low = |wide: u128| u64::try_from(wide & u128::from(u64::MAX)).unwrap_or(0);
        let [src, dst] = key.ends;
        let mut hash = mix(self.seed ^ key.place, key.tags ^ u64::from(key.ports) << 32);
        hash = mix(hash ^ low(src), low(dst) ^ key.src.rotate_left(7));
        hash = mix(hash ^ key.dst, u64::from(key.ports));
        if src >> 64 | dst >> 64 != 0 {
            hash = mix(hash ^ low(src >> 64), low(dst >> 64));
        }
        hash
    }

    /// The place of a way.
    pub(crate) fn find(&self, hash: u64, key: &Key) -> Option<usize> {
        let first = self.first(hash)?;
        let places = self.places.get(first..first + PLACES)?;
        let fits = |place: &Place| {
            place.hash == hash && place.way.as_ref().is_some_and(|way| way.key == *key)
        };
        places.iter().position(fits).map(|at| first + at)
    }

    /// Takes a way out of its place, to be put back.
    pub(crate) fn take(&mut self, at: usize) -> Option<Box<Way>> {
        self.places.get_mut(at)?.way.take()
    }

    pub(crate) fn put_back(&mut self, at: usize, way: Box<Way>) {
        if let Some(place) = self.places.get_mut(at) {
            place.way = Some(way);
        }
    }

    /// Whether the way of a packet of this hash is worth remembering: it has come before, for all we
    /// know. One in eight is remembered at its first coming, since two that come in turn may hide each
    /// other's coming.
    pub(crate) fn comes_again(&mut self, hash: u64) -> bool {
        if self.seen.is_empty() {
            self.seen.resize(SEEN, 0);
        }
        let at = usize::try_from(hash).unwrap_or(0) & (SEEN - 1);
        let mark = u32::try_from(hash >> 32).unwrap_or(0) | 1;
        let Some(seen) = self.seen.get_mut(at) else {
            return false;
        };
        let again = std::mem::replace(seen, mark) == mark;
        self.first_comings += u64::from(!again);
        again || self.first_comings.is_multiple_of(8)
    }

    /// Takes a way out for good.
    pub(crate) fn forget(&mut self, at: usize) -> Option<Box<Way>> {
        let way = self.take(at);
        self.stats.held = self.stats.held.saturating_sub(usize::from(way.is_some()));
        way
    }

    /// Remembers a way.
    pub(crate) fn insert(&mut self, way: Box<Way>) {
        let hash = self.hash(&way.key);
        self.stats.recorded += 1;
        let at = match self.find(hash, &way.key) {
            Some(at) => at,
            None => self.make_room(hash),
        };
        if let Some(place) = self.places.get_mut(at) {
            if place.way.is_none() {
                self.stats.held += 1;
            }
            *place = Place {
                hash,
                way: Some(way),
            };
        }
    }

    /// A place for a new way: a free one, one whose way no longer stands, or another's.
    fn make_room(&mut self, hash: u64) -> usize {
        loop {
            let first = self.first(hash).unwrap_or(0);
            let wiring = self.wiring;
            let stands = |place: &Place| place.way.as_ref().is_some_and(|w| w.wiring == wiring);
            let places = self.places.get(first..first + PLACES).unwrap_or(&[]);
            if let Some(at) = places.iter().position(|place| !stands(place)) {
                return first + at;
            }
            // Four of one hash in a table that is nearly empty will be four in a larger one, too.
            let room = self.places.len();
            if room >= WAYS_MAX || (room > 0 && self.stats.held * 8 < room) {
                self.next_victim = (self.next_victim + 1) % PLACES;
                return first + self.next_victim;
            }
            self.grow();
        }
    }

    fn grow(&mut self) {
        let room = (self.places.len() * 2).max(16 * PLACES);
        let old = std::mem::take(&mut self.places);
        self.places.resize_with(room, Place::default);
        self.stats.held = 0;
        for moved in old {
            let Some(first) = self.first(moved.hash).filter(|_| moved.way.is_some()) else {
                continue;
            };
            // Who finds no place in the larger table is forgotten.
            let places = self.places.get_mut(first..first + PLACES).into_iter();
            if let Some(place) = places.flatten().find(|place| place.way.is_none()) {
                *place = moved;
                self.stats.held += 1;
            }
        }
    }

    /// The first of the places for a hash.
    fn first(&self, hash: u64) -> Option<usize> {
        let sets = self.places.len() / PLACES;
        let mask = u64::try_from(sets.checked_sub(1)?).ok()?;
        usize::try_from((hash & mask) * PLACES as u64).ok()
    }
}

/// Multiply and fold, as wyhash does.
fn mix(a: u64, b: u64) -> u64 {
    let wide =
        u128::from(a ^ 0xa076_1d64_78bd_642f).wrapping_mul(u128::from(b ^ 0xe703_7ed1_a0b4_28db));
    let low = u64::try_from(wide & u128::from(u64::MAX)).unwrap_or(0);
    low ^ u64::try_from(wide >> 64).unwrap_or(0)
}
