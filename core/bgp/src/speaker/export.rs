//! From a table's best paths to the peers. Nothing that was sent is stored but one bit per prefix and
//! peer: what a peer holds follows from the table and the peer's policy.
//!
//! Changed prefixes wait as bits per peer, are grouped by attribute set and deciding rule, and leave
//! in as few UPDATEs as hold them. Update groups, where peers of one policy share the encoded bytes,
//! would replace `export_peer` and keep everything else.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::config::{NextHopMode, PeerConfig, PeerId};
use super::observe::Source;
use super::peer::Peer;
use super::{EXPORTS_PER_CALL, Speaker, SpeakerConfig, send};
use crate::attr::Attributes;
use crate::message::{encode_end_of_rib, encode_reach, encode_unreach};
use crate::policy::{Accept, Verdict};
use crate::rib::{AttrId, Bits, LOCAL, LOCAL_PREF_DEFAULT, Route, Table};
use crate::types::{Community, Families, Family};

/// Why a peer is not sent a prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Withheld {
    /// The session is not Established.
    SessionDown,
    /// Nothing is exported to the peer.
    NoExport,
    /// The session does not carry the family.
    Family,
    /// The table has no usable path.
    NoPath,
    /// The best path came from this very peer.
    FromThisPeer,
    /// The best path came from an internal peer and this is one too (RFC 4271 §9.2).
    InternalToInternal,
    /// A well-known community forbids it (RFC 1997).
    Community(Community),
    /// The export policy refused it, for this reason.
    Policy(Arc<str>),
    /// The attributes do not fit into a message (RFC 4271 §9.2).
    TooLong,
}

/// A prefix as a peer is sent it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdvertisedRoute {
    /// The prefix.
    pub net: IpNet,
    /// The attributes as sent.
    pub attributes: Attributes,
    /// Where the path came from.
    pub source: Source,
}

/// What is known of a peer's copy.
#[derive(Debug, Default)]
pub(super) struct ExportState {
    /// Nets that the peer has.
    sent: Bits,
    /// Nets to look at.
    pub(super) pending: Bits,
    /// Families whose marker is to follow the prefixes.
    pub(super) end_of_rib: Families,
}

impl ExportState {
    pub(super) const fn has_work(&self) -> bool {
        !self.pending.is_empty() || !self.end_of_rib.is_empty()
    }

    /// Marks the nets in use for which `which` holds.
    pub(super) fn mark_all(&mut self, table: &Table, which: impl Fn(u32) -> bool) {
        let slots = u32::try_from(table.net_slots()).expect("net ids are below 2^32");
        for net in (0..slots).filter(|n| table.is_used(*n)) {
            if which(net) {
                self.pending.set(net);
            }
        }
    }

    /// Forgets what the peer had: its session is gone.
    pub(super) fn reset(&mut self, table: &mut Table) {
        for net in self.sent.iter() {
            table.count_sent(net, false);
            table.free_if_unused(net);
        }
        *self = Self::default();
    }

    /// The messages that withdraw everything; for a change of table.
    pub(super) fn withdraw_all(&mut self, table: &mut Table) -> Vec<u8> {
        let mut bytes = Vec::new();
        for family in Family::ALL {
            let all = self.sent.iter().map(|n| table.net(n));
            let nets: Vec<IpNet> = all.filter(|n| Family::of(n) == family).collect();
            encode_unreach(family, &nets, &mut bytes);
        }
        let end_of_rib = self.end_of_rib;
        self.reset(table);
        self.end_of_rib = end_of_rib;
        bytes
    }
}

/// Prefixes that leave with the same attributes.
type Group = (Family, AttrId, u16, usize);

impl Speaker {
    /// One step of the export, to as many of the peers with work as [`EXPORTS_PER_CALL`] allows.
    pub(super) fn export_some(&mut self) {
        let mut left = EXPORTS_PER_CALL;
        for at in 0..self.peers.len() {
            let ready = |p: &Peer| p.up.is_some() && !p.blocked && p.export.has_work();
            if left > 0 && self.peers[at].as_ref().is_some_and(ready) {
                self.export_peer(at, &mut left);
            }
        }
    }

    fn export_peer(&mut self, at: usize, left: &mut usize) {
        let Some(mut peer) = self.peers[at].take() else {
            return;
        };
        let mut bytes = Vec::new();
        let mut updates = 0;
        if let Some(table) = peer.config.export.as_ref().map(|e| usize::from(e.table.0)) {
            let id = PeerId(super::table_id(at).0);
            updates = self.export_table((id, &mut peer), table, left, &mut bytes);
        }
        if peer.export.pending.is_empty() {
            for family in std::mem::take(&mut peer.export.end_of_rib).iter() {
                encode_end_of_rib(family, &mut bytes);
                updates += 1;
            }
        }
        if let Some(conn) = peer.up.filter(|_| !bytes.is_empty()) {
            peer.counters.updates_out += updates as u64;
            if let Some(slot) = peer.fsm.slot_of(conn) {
                peer.fsm.on_sent(self.now, slot);
            }
            send(&mut self.outputs, conn, bytes);
        }
        self.peers[at] = Some(peer);
    }

    /// Takes marked nets while some are `left`; gives the number of UPDATEs written.
    fn export_table(
        &mut self,
        (id, peer): (PeerId, &mut Peer),
        at: usize,
        left: &mut usize,
        bytes: &mut Vec<u8>,
    ) -> usize {
        let mut groups: BTreeMap<Group, Vec<u32>> = BTreeMap::new();
        let mut gone: Vec<u32> = Vec::new();
        while *left > 0
            && let Some(net) = peer.export.pending.take_first()
        {
            *left -= 1;
            if !self.tables[at].is_used(net) {
                continue;
            }
            match self.select(id, peer, at, net) {
                Ok(group) => groups.entry(group).or_default().push(net),
                Err(_) => gone.push(net),
            }
        }
        let mut reach = Vec::new();
        let mut updates = 0;
        for ((family, attrs, source, rule), ids) in groups {
            let table = &mut self.tables[at];
            let nets: Vec<IpNet> = ids.iter().map(|n| table.net(*n)).collect();
            let route = self.store.route(attrs);
            let attributes = outgoing(peer, &self.config, route, source, rule, family);
            let four = peer.fsm.established().is_none_or(|(_, n)| n.four_octet_as);
            let Some(count) = encode_reach(family, &nets, &attributes, four, &mut reach) else {
                gone.extend(ids);
                continue;
            };
            updates += count;
            for net in ids {
                if peer.export.sent.set(net) {
                    table.count_sent(net, true);
                    peer.counters.family_mut(family).prefixes_sent += 1;
                }
            }
        }
        updates += self.withdraw_from(peer, at, &gone, bytes);
        bytes.append(&mut reach);
        updates
    }

    fn withdraw_from(
        &mut self,
        peer: &mut Peer,
        at: usize,
        gone: &[u32],
        bytes: &mut Vec<u8>,
    ) -> usize {
        let table = &mut self.tables[at];
        let mut unreach: [Vec<IpNet>; 2] = Default::default();
        for net in gone {
            if peer.export.sent.clear(*net) {
                let prefix = table.net(*net);
                let family = Family::of(&prefix);
                peer.counters.family_mut(family).prefixes_sent -= 1;
                unreach[family.index()].push(prefix);
                table.count_sent(*net, false);
            }
            table.free_if_unused(*net);
        }
        let write = |f: Family| encode_unreach(f, &unreach[f.index()], bytes);
        Family::ALL.into_iter().map(write).sum()
    }

    /// Whether a peer is sent a net, and in which group.
    fn select(&self, id: PeerId, peer: &Peer, at: usize, net: u32) -> Result<Group, Withheld> {
        let export = peer.config.export.as_ref().ok_or(Withheld::NoExport)?;
        let prefix = self.tables[at].net(net);
        let family = Family::of(&prefix);
        if !peer.families().contains(family) {
            return Err(Withheld::Family);
        }
        let best = self.tables[at].best(net).ok_or(Withheld::NoPath)?.offer;
        if best.peer == id.0 {
            return Err(Withheld::FromThisPeer);
        }
        let external = peer.is_external();
        let learned_inside = best.peer != LOCAL
            && self
                .peers
                .get(usize::from(best.peer))
                .and_then(Option::as_ref)
                .is_some_and(|p| !p.is_external());
        // RFC 4271 §9.2: no route reflection here.
        if learned_inside && !external {
            return Err(Withheld::InternalToInternal);
        }
        let hot = self.store.hot(best.attrs);
        if let Some(community) = hot.forbids(external) {
            return Err(Withheld::Community(community));
        }
        let rule = if export.policy.rules.is_empty() {
            0
        } else {
            let route = self.store.route(best.attrs);
            export.policy.find(&prefix, route.tag, &route.attributes)
        };
        match export.policy.verdict(rule) {
            Verdict::Reject { reason } => Err(Withheld::Policy(Arc::clone(reason))),
            Verdict::Accept(_) => Ok((family, best.attrs, best.peer, rule)),
        }
    }

    /// Why a peer is not sent a prefix; what it is sent when it is.
    ///
    /// # Errors
    /// The reason.
    pub fn explain_export(&self, id: PeerId, net: IpNet) -> Result<AdvertisedRoute, Withheld> {
        let peer = self.peer(id).ok_or(Withheld::SessionDown)?;
        if peer.up.is_none() {
            return Err(Withheld::SessionDown);
        }
        let export = peer.config.export.as_ref().ok_or(Withheld::NoExport)?;
        let at = usize::from(export.table.0);
        let slot = self.tables[at].find(&net.trunc()).ok_or(Withheld::NoPath)?;
        self.advertised(id, peer, at, slot)
    }

    fn advertised(
        &self,
        id: PeerId,
        peer: &Peer,
        at: usize,
        net: u32,
    ) -> Result<AdvertisedRoute, Withheld> {
        let (family, attrs, source, rule) = self.select(id, peer, at, net)?;
        let route = self.store.route(attrs);
        let attributes = outgoing(peer, &self.config, route, source, rule, family);
        let prefix = self.tables[at].net(net);
        let four = peer.fsm.established().is_none_or(|(_, n)| n.four_octet_as);
        encode_reach(family, &[prefix], &attributes, four, &mut Vec::new())
            .ok_or(Withheld::TooLong)?;
        Ok(AdvertisedRoute {
            net: prefix,
            attributes,
            source: Source::from_raw(source),
        })
    }

    /// Adj-RIB-Out: what the peer has been sent, computed from its marks, ascending by prefix.
    #[must_use]
    pub fn adj_rib_out(&self, id: PeerId) -> Vec<AdvertisedRoute> {
        let Some(peer) = self.peer(id) else {
            return Vec::new();
        };
        let Some(export) = &peer.config.export else {
            return Vec::new();
        };
        let at = usize::from(export.table.0);
        let mut routes: Vec<AdvertisedRoute> = peer
            .export
            .sent
            .iter()
            .filter_map(|net| self.advertised(id, peer, at, net).ok())
            .collect();
        routes.sort_by_key(|r| r.net);
        routes
    }
}

/// The attributes that a peer is sent (RFC 4271 §5.1, §9.2).
fn outgoing(
    peer: &Peer,
    speaker: &SpeakerConfig,
    route: Route,
    source: u16,
    rule: usize,
    family: Family,
) -> Attributes {
    let config = &peer.config;
    let mut a = route.attributes;
    let external = peer.is_external();
    a.originator_id = None;
    a.cluster_list.clear();
    if external {
        // §5.1.5: LOCAL_PREF stays inside the AS.
        a.local_pref = None;
        // §5.1.4: a MED learned elsewhere goes no further.
        if source != LOCAL {
            a.med = None;
        }
        if config.remove_private_as {
            a.as_path.remove_private();
        }
    }
    set_next_hop(&mut a, config, family);
    let default = Accept::default();
    let policy = config.export.as_ref().map(|e| e.policy.verdict(rule));
    let accept = match policy {
        Some(Verdict::Accept(accept)) => accept,
        Some(Verdict::Reject { .. }) | None => &default,
    };
    // §5.1.2 a: towards internal peers the path stays as it is; with our own AS in it they would take
    // the route for a loop.
    let asn = config.asn_towards(speaker);
    accept.apply(&mut a, external.then_some(asn));
    if external {
        a.local_pref = None;
        a.as_path.prepend(asn, 1);
    } else {
        // §5.1.5: required towards internal peers.
        a.local_pref.get_or_insert(LOCAL_PREF_DEFAULT);
    }
    a
}

fn set_next_hop(a: &mut Attributes, config: &PeerConfig, family: Family) {
    let fits = |hop: &IpAddr| hop.is_ipv4() == (family == Family::V4);
    let chosen = match config.next_hop {
        NextHopMode::SelfAddress => None,
        NextHopMode::Unchanged => a.next_hop.filter(fits),
        NextHopMode::Explicit(hop) => Some(hop).filter(fits),
    };
    if let Some(hop) = chosen {
        // A learned link-local address means nothing on another link (RFC 2545 §2).
        a.link_local = None;
        a.next_hop = Some(hop);
        return;
    }
    a.link_local = config.link_local.filter(|_| family == Family::V6);
    a.next_hop = Some(match (family, config.local_address) {
        (Family::V4, IpAddr::V4(own)) => own.into(),
        (Family::V6, IpAddr::V6(own)) => own.into(),
        // An IPv6 prefix over an IPv4 session: the mapped form of our address.
        (Family::V6, IpAddr::V4(own)) => own.to_ipv6_mapped().into(),
        // An IPv4 prefix over an IPv6 session has no next hop of ours (RFC 8950 is not offered): it
        // needs an explicit one, and 0.0.0.0 makes the lack visible.
        (Family::V4, IpAddr::V6(_)) => std::net::Ipv4Addr::UNSPECIFIED.into(),
    });
}
