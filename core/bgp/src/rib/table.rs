//! One table: nets with their path lists in index-linked arenas.
//!
//! Adj-RIB-In *is* the path list: a path stays listed with its reject code when import refused it.
//! Paths of one peer are linked as well, so that losing a session costs that peer's paths only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use skybridge_base::TraceHash;

use super::attrs::{AttrId, AttrStore};
use super::index::IdIndex;

/// No link.
const NONE: u32 = u32::MAX;
/// The source of paths originated here.
pub(crate) const LOCAL: u16 = u16::MAX;

const V6: u8 = 1;
const DIRTY: u8 = 2;
/// A path that was the best, or in the forwarding set, has left or changed since the last decision.
const BEST_GONE: u8 = 4;
const FIB_GONE: u8 = 8;
const USED: u8 = 16;

const IS_BEST: u16 = 0x8000;
const IN_FIB: u16 = 0x4000;
const REJECT_MASK: u16 = 0x3fff;

/// 12 octets. `address` is an IPv4 address, or where in the side arena the IPv6 one is.
#[derive(Clone, Copy, Debug)]
struct Net {
    address: u32,
    first: u32,
    /// Peers to which it was sent: it stays until the last withdrawal went out.
    sent: u16,
    len: u8,
    flags: u8,
}

/// 32 octets.
#[derive(Clone, Copy, Debug)]
struct Path {
    net: u32,
    next: u32,
    peer_next: u32,
    peer_prev: u32,
    /// As received, so that a new import policy needs nothing from the peer.
    raw: AttrId,
    attrs: AttrId,
    learned_s: u32,
    peer: u16,
    /// Reject code, 0 when accepted, under the two flags.
    state: u16,
}

const _: () = assert!(size_of::<Net>() == 12 && size_of::<Path>() == 32);

/// A path to be listed; the counts of both attribute sets pass to the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) peer: u16,
    pub(crate) raw: AttrId,
    pub(crate) attrs: AttrId,
    pub(crate) reject: u16,
    pub(crate) learned_s: u32,
}

/// A listed path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathView {
    pub(crate) id: u32,
    pub(crate) offer: Offer,
    pub(crate) best: bool,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    nets: Vec<Net>,
    free_nets: Vec<u32>,
    v6: Vec<u128>,
    free_v6: Vec<u32>,
    index: IdIndex,
    paths: Vec<Path>,
    free_paths: Vec<u32>,
    heads: Vec<u32>,
    local_head: u32,
    dirty: Vec<u32>,
    dirty_from: usize,
    path_count: usize,
}

fn index_of(len: usize) -> u32 {
    u32::try_from(len)
        .ok()
        .filter(|i| *i != NONE)
        .expect("fewer than 2^32 - 1 entries")
}

fn key_hash(v6: bool, address: u128, len: u8) -> u64 {
    let mut hash = TraceHash::default();
    let [low, high] = [address & u128::from(u64::MAX), address >> 64];
    hash.word(u64::try_from(low).unwrap_or(0));
    if v6 {
        hash.word(u64::try_from(high).unwrap_or(0));
    }
    hash.word(u64::from(len) << 1 | u64::from(v6));
    let x = hash.value();
    let x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

fn key_of(net: &IpNet) -> (bool, u128, u8) {
    match net.network() {
        IpAddr::V4(a) => (false, u128::from(u32::from(a)), net.prefix_len()),
        IpAddr::V6(a) => (true, u128::from(a), net.prefix_len()),
    }
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            local_head: NONE,
            ..Self::default()
        }
    }

    /// Number of slots, used or free: net ids are below it.
    pub(crate) const fn net_slots(&self) -> usize {
        self.nets.len()
    }

    pub(crate) const fn path_count(&self) -> usize {
        self.path_count
    }

    pub(crate) const fn net_count(&self) -> usize {
        self.nets.len() - self.free_nets.len()
    }

    fn key(&self, id: u32) -> (bool, u128, u8) {
        let net = &self.nets[id as usize];
        if net.flags & V6 == 0 {
            (false, net.address.into(), net.len)
        } else {
            (true, self.v6[net.address as usize], net.len)
        }
    }

    fn id_hash(&self, id: u32) -> u64 {
        let (v6, address, len) = self.key(id);
        key_hash(v6, address, len)
    }

    /// The prefix of a net in use.
    pub(crate) fn net(&self, id: u32) -> IpNet {
        let net = &self.nets[id as usize];
        let address = if net.flags & V6 == 0 {
            IpAddr::V4(Ipv4Addr::from(net.address))
        } else {
            IpAddr::V6(Ipv6Addr::from(self.v6[net.address as usize]))
        };
        IpNet::new(address, net.len).expect("the table holds valid prefixes")
    }

    pub(crate) fn find(&self, net: &IpNet) -> Option<u32> {
        let key @ (v6, address, len) = key_of(net);
        self.index
            .find(key_hash(v6, address, len), |id| self.key(id) == key)
    }

    fn find_or_add(&mut self, net: &IpNet) -> u32 {
        if let Some(id) = self.find(net) {
            return id;
        }
        let (v6, address, len) = key_of(net);
        let address = if v6 {
            if let Some(at) = self.free_v6.pop() {
                self.v6[at as usize] = address;
                at
            } else {
                self.v6.push(address);
                index_of(self.v6.len() - 1)
            }
        } else {
            u32::try_from(address).unwrap_or(0)
        };
        let entry = Net {
            address,
            first: NONE,
            sent: 0,
            len,
            flags: USED | if v6 { V6 } else { 0 },
        };
        let id = if let Some(id) = self.free_nets.pop() {
            self.nets[id as usize] = entry;
            id
        } else {
            self.nets.push(entry);
            index_of(self.nets.len() - 1)
        };
        let mut index = std::mem::take(&mut self.index);
        index.insert(id, |i| self.id_hash(i));
        self.index = index;
        id
    }

    /// Frees a net that has no path, was withdrawn from every peer and awaits no decision.
    pub(crate) fn free_if_unused(&mut self, id: u32) {
        let net = self.nets[id as usize];
        if net.flags & USED == 0 || net.first != NONE || net.sent > 0 || net.flags & DIRTY != 0 {
            return;
        }
        let mut index = std::mem::take(&mut self.index);
        index.remove(id, |i| self.id_hash(i));
        self.index = index;
        if net.flags & V6 != 0 {
            self.free_v6.push(net.address);
        }
        self.nets[id as usize].flags = 0;
        self.free_nets.push(id);
    }

    /// Lists or replaces a peer's path. True when the peer had none for this prefix.
    pub(crate) fn announce(&mut self, store: &mut AttrStore, net: &IpNet, offer: Offer) -> bool {
        let net_id = self.find_or_add(net);
        if let Some(id) = self.path_of(net_id, offer.peer) {
            let path = self.paths[id as usize];
            if path.attrs == offer.attrs && path.state & REJECT_MASK == offer.reject {
                // Nothing that anyone could see has changed, the age included.
                store.release(path.raw);
                store.release(offer.attrs);
                self.paths[id as usize].raw = offer.raw;
                return false;
            }
            store.release(path.raw);
            store.release(path.attrs);
            self.gone(net_id, path.state);
            let slot = &mut self.paths[id as usize];
            slot.raw = offer.raw;
            slot.attrs = offer.attrs;
            slot.learned_s = offer.learned_s;
            slot.state = offer.reject;
            self.mark_dirty(net_id);
            return false;
        }
        let head = self.head(offer.peer);
        let path = Path {
            net: net_id,
            next: self.nets[net_id as usize].first,
            peer_next: head,
            peer_prev: NONE,
            raw: offer.raw,
            attrs: offer.attrs,
            learned_s: offer.learned_s,
            peer: offer.peer,
            state: offer.reject,
        };
        let id = if let Some(id) = self.free_paths.pop() {
            self.paths[id as usize] = path;
            id
        } else {
            self.paths.push(path);
            index_of(self.paths.len() - 1)
        };
        if head != NONE {
            self.paths[head as usize].peer_prev = id;
        }
        self.set_head(offer.peer, id);
        self.nets[net_id as usize].first = id;
        self.path_count += 1;
        self.mark_dirty(net_id);
        true
    }

    /// Removes a peer's path. True when there was one.
    pub(crate) fn withdraw(&mut self, store: &mut AttrStore, net: &IpNet, peer: u16) -> bool {
        let Some(net_id) = self.find(net) else {
            return false;
        };
        let Some(id) = self.path_of(net_id, peer) else {
            return false;
        };
        self.remove(store, id);
        true
    }

    /// Removes every path of a peer; costs as many steps as it has paths.
    pub(crate) fn drop_peer(&mut self, store: &mut AttrStore, peer: u16) {
        while self.head(peer) != NONE {
            let id = self.head(peer);
            self.remove(store, id);
        }
    }

    fn remove(&mut self, store: &mut AttrStore, id: u32) {
        let path = self.paths[id as usize];
        store.release(path.raw);
        store.release(path.attrs);
        if path.peer_prev == NONE {
            self.set_head(path.peer, path.peer_next);
        } else {
            self.paths[path.peer_prev as usize].peer_next = path.peer_next;
        }
        if path.peer_next != NONE {
            self.paths[path.peer_next as usize].peer_prev = path.peer_prev;
        }
        let mut at = self.nets[path.net as usize].first;
        if at == id {
            self.nets[path.net as usize].first = path.next;
        } else {
            while self.paths[at as usize].next != id {
                at = self.paths[at as usize].next;
            }
            self.paths[at as usize].next = path.next;
        }
        self.gone(path.net, path.state);
        self.mark_dirty(path.net);
        self.free_paths.push(id);
        self.path_count -= 1;
    }

    fn gone(&mut self, net: u32, state: u16) {
        let flags = &mut self.nets[net as usize].flags;
        if state & IS_BEST != 0 {
            *flags |= BEST_GONE;
        }
        if state & IN_FIB != 0 {
            *flags |= FIB_GONE;
        }
    }

    fn head(&self, peer: u16) -> u32 {
        if peer == LOCAL {
            return self.local_head;
        }
        self.heads.get(usize::from(peer)).copied().unwrap_or(NONE)
    }

    fn set_head(&mut self, peer: u16, id: u32) {
        if peer == LOCAL {
            self.local_head = id;
            return;
        }
        let at = usize::from(peer);
        if self.heads.len() <= at {
            self.heads.resize(at + 1, NONE);
        }
        self.heads[at] = id;
    }

    fn path_of(&self, net: u32, peer: u16) -> Option<u32> {
        let mut at = self.nets[net as usize].first;
        while at != NONE {
            let path = &self.paths[at as usize];
            if path.peer == peer {
                return Some(at);
            }
            at = path.next;
        }
        None
    }

    fn view(&self, id: u32) -> PathView {
        let path = &self.paths[id as usize];
        PathView {
            id,
            offer: Offer {
                peer: path.peer,
                raw: path.raw,
                attrs: path.attrs,
                reject: path.state & REJECT_MASK,
                learned_s: path.learned_s,
            },
            best: path.state & IS_BEST != 0,
        }
    }

    /// The paths of a net.
    pub(crate) fn paths(&self, net: u32) -> impl Iterator<Item = PathView> + '_ {
        let first = self.nets[net as usize].first;
        std::iter::successors((first != NONE).then_some(first), |id| {
            let next = self.paths[*id as usize].next;
            (next != NONE).then_some(next)
        })
        .map(|id| self.view(id))
    }

    /// The path that the last decision chose.
    pub(crate) fn best(&self, net: u32) -> Option<PathView> {
        self.paths(net).find(|p| p.best)
    }

    /// The paths of a peer with their nets.
    pub(crate) fn peer_paths(&self, peer: u16) -> Vec<(u32, PathView)> {
        let mut out = Vec::new();
        let mut at = self.head(peer);
        while at != NONE {
            out.push((self.paths[at as usize].net, self.view(at)));
            at = self.paths[at as usize].peer_next;
        }
        out
    }

    /// Ids of nets in use, in the order of their prefixes.
    pub(crate) fn sorted_nets(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = (0..index_of(self.nets.len()))
            .filter(|id| self.nets[*id as usize].flags & USED != 0)
            .collect();
        ids.sort_by_key(|id| self.key(*id));
        ids
    }

    /// True for an id whose slot is in use.
    pub(crate) fn is_used(&self, net: u32) -> bool {
        self.nets
            .get(net as usize)
            .is_some_and(|n| n.flags & USED != 0)
    }

    /// Puts a net on the list of those to decide about.
    pub(crate) fn mark_dirty(&mut self, net: u32) {
        let flags = &mut self.nets[net as usize].flags;
        if *flags & DIRTY == 0 {
            *flags |= DIRTY;
            self.dirty.push(net);
        }
    }

    /// Every net is decided about again.
    pub(crate) fn mark_all_dirty(&mut self) {
        let slots = u32::try_from(self.net_slots()).expect("net ids are below 2^32");
        for net in (0..slots).filter(|n| self.is_used(*n)).collect::<Vec<_>>() {
            self.mark_dirty(net);
        }
    }

    /// The next net to decide about, in the order of marking.
    pub(crate) fn take_dirty(&mut self) -> Option<u32> {
        let id = self.dirty.get(self.dirty_from).copied();
        if let Some(id) = id {
            self.dirty_from += 1;
            self.nets[id as usize].flags &= !DIRTY;
        } else {
            self.dirty.clear();
            self.dirty_from = 0;
        }
        id
    }

    pub(crate) const fn has_dirty(&self) -> bool {
        self.dirty_from < self.dirty.len()
    }

    /// Stores a decision; tells whether the best path and the forwarding set changed.
    pub(crate) fn settle(&mut self, net: u32, best: Option<u32>, fib: &[u32]) -> (bool, bool) {
        let flags = self.nets[net as usize].flags;
        let mut best_changed = flags & BEST_GONE != 0;
        let mut fib_changed = flags & FIB_GONE != 0;
        self.nets[net as usize].flags &= !(BEST_GONE | FIB_GONE);
        let mut at = self.nets[net as usize].first;
        while at != NONE {
            let path = &mut self.paths[at as usize];
            let mut state = path.state & REJECT_MASK;
            if best == Some(at) {
                state |= IS_BEST;
            }
            if fib.contains(&at) {
                state |= IN_FIB;
            }
            best_changed |= (state ^ path.state) & IS_BEST != 0;
            fib_changed |= (state ^ path.state) & IN_FIB != 0;
            path.state = state;
            at = path.next;
        }
        (best_changed, fib_changed)
    }

    /// Counts one more, or one fewer, peer to which the net was sent.
    pub(crate) fn count_sent(&mut self, net: u32, more: bool) {
        let entry = &mut self.nets[net as usize];
        if more {
            entry.sent += 1;
        } else {
            assert!(entry.sent > 0, "a net is withdrawn once per peer");
            entry.sent -= 1;
        }
    }
}
