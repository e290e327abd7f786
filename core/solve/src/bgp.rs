//! BGP by rounds: in each, every router announces its best paths to every peer at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_blueprint::{
    BgpInstance, BgpPeer, Blueprint, MaxPrefixes, NextHop, NextHopRule, NodeName, Router, VrfName,
};

use crate::path::{LOCAL_PREF, Path, PathFrom};
use crate::policy;
use crate::sessions::{Partners, SessionId, SessionVerdict};

/// Rounds after which the solver gives up.
pub const ROUNDS_MAX: usize = 1_000;

/// Must not be advertised to another AS (RFC 1997).
const NO_EXPORT: u32 = 0xffff_ff01;
/// Must not be advertised at all (RFC 1997).
const NO_ADVERTISE: u32 = 0xffff_ff02;
/// Must not be advertised to another AS, confederations not being modelled (RFC 1997).
const NO_EXPORT_SUBCONFED: u32 = 0xffff_ff03;

/// What each end has received, as announced: before every check.
type Received = BTreeMap<SessionId, BTreeMap<IpNet, Announced>>;

/// A route on the wire.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Announced {
    as_path: Vec<skybridge_base::Asn>,
    next_hop: IpAddr,
    local_pref: Option<u32>,
    communities: Vec<u32>,
}

/// Paths per prefix, best first.
pub(crate) type LocRib = BTreeMap<IpNet, Vec<Path>>;

/// What the rounds end in.
pub(crate) struct Outcome {
    /// Per router, instance and table.
    pub(crate) ribs: BTreeMap<(NodeName, String, VrfName), LocRib>,
    pub(crate) converged: bool,
}

/// Runs rounds until nothing changes. Sessions that break a prefix limit are taken out of
/// `partners` in the first round in which one does, since what is behind it never hears of its
/// routes; then everything starts over without them.
pub(crate) fn run(
    blueprint: &Blueprint,
    verdicts: &mut BTreeMap<SessionId, SessionVerdict>,
    partners: &mut Partners,
) -> Outcome {
    loop {
        let broken = match settle(blueprint, partners) {
            Settled::Stable(received) => {
                return Outcome {
                    ribs: ribs(blueprint, partners, &received),
                    converged: true,
                };
            }
            Settled::Circling(received) => {
                return Outcome {
                    ribs: ribs(blueprint, partners, &received),
                    converged: false,
                };
            }
            Settled::OverLimit(broken) => broken,
        };
        for id in broken {
            if let Some(other) = partners.remove(&id) {
                partners.remove(&other);
                verdicts.insert(other, SessionVerdict::MaxPrefixes);
            }
            verdicts.insert(id, SessionVerdict::MaxPrefixes);
        }
    }
}

enum Settled {
    Stable(Received),
    Circling(Received),
    /// These ends received more than they accept.
    OverLimit(Vec<SessionId>),
}

fn settle(blueprint: &Blueprint, partners: &Partners) -> Settled {
    let mut received = Received::new();
    let mut seen = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let next = announce_all(blueprint, partners, &received);
        let broken = over_limit(blueprint, &next);
        if !broken.is_empty() {
            return Settled::OverLimit(broken);
        }
        if next == received {
            return Settled::Stable(received);
        }
        // A state that comes back will come back for ever.
        if !seen.insert(next.clone()) {
            return Settled::Circling(next);
        }
        received = next;
    }
    Settled::Circling(received)
}

fn router_of<'a>(blueprint: &'a Blueprint, node: &NodeName) -> Option<&'a Router> {
    blueprint.nodes.get(node)?.as_router()
}

fn peer_of<'a>(blueprint: &'a Blueprint, id: &SessionId) -> Option<(&'a BgpInstance, &'a BgpPeer)> {
    let bgp = router_of(blueprint, &id.node)?.bgp.get(&id.instance)?;
    Some((bgp, bgp.peers.get(&id.peer)?))
}

/// One round: what everybody receives when everybody announces what follows from `received`.
fn announce_all(blueprint: &Blueprint, partners: &Partners, received: &Received) -> Received {
    let ribs = ribs(blueprint, partners, received);
    let mut next = Received::new();
    for (from, to) in partners {
        let Some((bgp, peer)) = peer_of(blueprint, from) else {
            continue;
        };
        let mut announced = BTreeMap::new();
        if let Some(export) = &peer.export {
            let key = (
                from.node.clone(),
                from.instance.clone(),
                export.table.clone(),
            );
            for (prefix, paths) in ribs.get(&key).into_iter().flatten() {
                let Some(best) = paths.first() else {
                    continue;
                };
                if let Some(route) = announcement(bgp, from, peer, *prefix, best) {
                    announced.insert(*prefix, route);
                }
            }
        }
        next.insert(to.clone(), announced);
    }
    next
}

/// What `best` looks like on the wire to `peer`; `None` when it is not announced there.
fn announcement(
    bgp: &BgpInstance,
    id: &SessionId,
    peer: &BgpPeer,
    prefix: IpNet,
    best: &Path,
) -> Option<Announced> {
    let asn = peer.asn_towards(bgp.asn);
    let external = peer.remote_asn != asn;
    // A session carries the family of its addresses: its NEXT_HOP is one of them.
    if prefix.addr().is_ipv4() != peer.local.is_ipv4() {
        return None;
    }
    if let PathFrom::Peer { peer: source, .. } = &best.from {
        // Not back to whoever it came from, and not from one internal peer to another
        // (RFC 4271 §9.2).
        if *source == id.peer || (!best.is_external() && !external) {
            return None;
        }
    }
    let keeps = |community: &u32| match *community {
        NO_ADVERTISE => true,
        NO_EXPORT | NO_EXPORT_SUBCONFED => external,
        _ => false,
    };
    if best.communities.iter().any(keeps) {
        return None;
    }
    let export = peer.export.as_ref()?;
    let changes = policy::judge(&export.policy, prefix, best.source_tag)?;
    // RFC 4271 §5.1.2: the own AS is put in front towards another AS, and only there.
    let times = if external {
        1 + usize::from(changes.prepend)
    } else {
        0
    };
    let mut as_path = vec![asn; times];
    as_path.extend(&best.as_path);
    let next_hop = match peer.next_hop {
        NextHopRule::SelfAddress => peer.local,
        NextHopRule::Unchanged => best.next_hop.unwrap_or(peer.local),
    };
    Some(Announced {
        as_path,
        next_hop,
        // RFC 4271 §5.1.5: only between internal peers.
        local_pref: (!external).then(|| changes.local_pref.unwrap_or(best.local_pref)),
        communities: with_communities(&best.communities, &changes.add_communities),
    })
}

fn with_communities(have: &[u32], add: &[u32]) -> Vec<u32> {
    let all: BTreeSet<u32> = have.iter().chain(add).copied().collect();
    all.into_iter().collect()
}

/// The local tables that follow from what was received.
fn ribs(
    blueprint: &Blueprint,
    partners: &Partners,
    received: &Received,
) -> BTreeMap<(NodeName, String, VrfName), LocRib> {
    let mut ribs: BTreeMap<_, LocRib> = BTreeMap::new();
    for (node, description) in &blueprint.nodes {
        for (instance, bgp) in description.as_router().into_iter().flat_map(|r| &r.bgp) {
            for table in &bgp.tables {
                ribs.entry((node.clone(), instance.clone(), table.clone()))
                    .or_default();
            }
            for route in &bgp.originated {
                let path = Path {
                    from: PathFrom::Here,
                    as_path: Vec::new(),
                    next_hop: None,
                    local_pref: LOCAL_PREF,
                    communities: with_communities(&route.communities, &[]),
                    source_tag: route.source_tag,
                };
                ribs.entry((node.clone(), instance.clone(), route.table.clone()))
                    .or_default()
                    .entry(route.prefix.trunc())
                    .or_default()
                    .push(path);
            }
        }
    }
    for (id, routes) in received {
        let (Some((bgp, peer)), Some((far, _))) = (
            peer_of(blueprint, id),
            partners.get(id).and_then(|far| peer_of(blueprint, far)),
        ) else {
            continue;
        };
        for (prefix, route) in routes {
            for import in &peer.import {
                let Some(path) = imported(bgp, id, peer, far, *prefix, route, &import.policy)
                else {
                    continue;
                };
                let key = (id.node.clone(), id.instance.clone(), import.table.clone());
                let known = router_of(blueprint, &id.node)
                    .is_some_and(|router| resolves(router, &import.table, peer, route.next_hop));
                if known {
                    let rib = ribs.entry(key).or_default();
                    rib.entry(*prefix).or_default().push(path);
                }
            }
        }
    }
    for rib in ribs.values_mut() {
        for paths in rib.values_mut() {
            paths.sort_by(Path::decide);
        }
    }
    ribs
}

fn imported(
    bgp: &BgpInstance,
    id: &SessionId,
    peer: &BgpPeer,
    far: &BgpInstance,
    prefix: IpNet,
    route: &Announced,
    policy: &skybridge_blueprint::RoutePolicy,
) -> Option<Path> {
    // RFC 4271 §9.1.2: a path with our own AS in it is not considered; §5.1.3: nor one whose next
    // hop is our own address.
    let own = peer.asn_towards(bgp.asn);
    let is_loop = [bgp.asn, own].iter().any(|asn| route.as_path.contains(asn));
    if is_loop || route.next_hop == peer.local {
        return None;
    }
    let changes = policy::judge(policy, prefix, peer.source_tag)?;
    // Prepending on the way in repeats the neighbour, since our own AS would be a loop.
    let neighbour = route.as_path.first().copied();
    let mut as_path: Vec<_> = std::iter::repeat_n(neighbour, usize::from(changes.prepend))
        .flatten()
        .collect();
    as_path.extend(&route.as_path);
    Some(Path {
        from: PathFrom::Peer {
            peer: id.peer.clone(),
            external: peer.remote_asn != own,
            router_id: far.router_id,
            address: peer.remote,
        },
        as_path,
        next_hop: Some(route.next_hop),
        local_pref: changes
            .local_pref
            .or(route.local_pref)
            .unwrap_or(LOCAL_PREF),
        communities: with_communities(&route.communities, &changes.add_communities),
        source_tag: peer.source_tag,
    })
}

/// RFC 4271 §9.1.2.1: a path whose next hop cannot be reached is not considered.
fn resolves(router: &Router, table: &VrfName, peer: &BgpPeer, next_hop: IpAddr) -> bool {
    outgoing(router, table, peer, next_hop).is_some()
}

/// The way to a next hop: over the session's own interface for the peer itself and for what the
/// interface's network holds, else over an interface of the table.
pub(crate) fn outgoing(
    router: &Router,
    table: &VrfName,
    peer: &BgpPeer,
    next_hop: IpAddr,
) -> Option<skybridge_blueprint::InterfaceName> {
    let holds = |interface: &skybridge_blueprint::Interface| {
        interface.addresses.iter().any(|n| n.contains(&next_hop))
    };
    if next_hop == peer.remote || router.interfaces.get(&peer.interface).is_some_and(holds) {
        return Some(peer.interface.clone());
    }
    let by_network = router
        .interfaces
        .iter()
        .find(|(_, interface)| interface.vrf == *table && holds(interface))
        .map(|(name, _)| name.clone());
    by_network.or_else(|| {
        // A configured route may say on which interface a next hop is a neighbour.
        let vrf = &router.interfaces.get(&peer.interface)?.vrf;
        let routes = router.vrfs.get(vrf)?.routes.iter();
        let best = routes
            .filter(|route| route.prefix.contains(&next_hop))
            .max_by_key(|route| route.prefix.prefix_len())?;
        match &best.next_hop {
            NextHop::Connected { interface } => Some(interface.clone()),
            NextHop::Via { .. } | NextHop::Table { .. } | NextHop::Drop(_) => None,
        }
    })
}

/// The ends that received more than they accept.
fn over_limit(blueprint: &Blueprint, received: &Received) -> Vec<SessionId> {
    let exceeds = |limits: MaxPrefixes, routes: &BTreeMap<IpNet, Announced>| {
        let v4 = routes.keys().filter(|p| matches!(p, IpNet::V4(_))).count();
        let above = |limit: Option<u32>, count: usize| limit.is_some_and(|l| count > l as usize);
        above(limits.v4, v4) || above(limits.v6, routes.len() - v4)
    };
    received
        .iter()
        .filter(|(id, routes)| {
            peer_of(blueprint, id).is_some_and(|(_, peer)| exceeds(peer.limits, routes))
        })
        .map(|(id, _)| id.clone())
        .collect()
}
