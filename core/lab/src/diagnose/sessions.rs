//! BGP and BFD as each end sees them.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_bgp::RouteStatus;
use skybridge_blueprint::NodeName;
use skybridge_dataplane::DropReason;
use skybridge_diagnose::SessionEnd;
use skybridge_nodes::{BgpPeerObservation, Router, SessionState};

use super::paths::Attached;
use crate::lab::Lab;
use crate::show::bgp_routes::status_words;
use crate::show::sessions::state_words;

/// The session on an interface, as its end sees it; what documents say of it when the end does not answer.
pub(super) fn at(lab: &Lab, end: &Attached, hosts: [IpAddr; 2]) -> Option<SessionEnd> {
    let spec = lab
        .network
        .compiled
        .blueprint
        .nodes
        .get(&end.node)?
        .as_router()?;
    let (instance, name, peer, own) = spec.bgp.iter().find_map(|(instance, bgp)| {
        let mut peers = bgp.peers.iter();
        let (name, peer) = peers.find(|(_, p)| Some(&p.interface) == end.interface.as_ref())?;
        Some((instance, name, peer, bgp.asn))
    })?;
    let running = lab.network.world.router(&end.node);
    let observed = running.and_then(|router| {
        let mut peers = router.bgp().into_iter();
        peers.find(|p| p.instance == *instance && p.peer == *name)
    });
    let mut session = SessionEnd {
        local: peer.local,
        remote: peer.remote,
        asn: (own.0, peer.remote_asn.0),
        state: "unknown".to_owned(),
        is_up: false,
        last_reset: String::new(),
        is_enabled: peer.enabled,
        is_visible: peer.role.customer_visible,
        md5_drops: 0,
        bfd: None,
        since_s: 0,
        sent: [None, None],
        heard: [Vec::new(), Vec::new()],
    };
    if let (Some(router), Some(observed)) = (running, observed) {
        observe(lab, &mut session, (&end.node, router), &observed, hosts);
    }
    Some(session)
}

fn observe(
    lab: &Lab,
    session: &mut SessionEnd,
    (node, router): (&NodeName, &Router),
    seen: &BgpPeerObservation,
    hosts: [IpAddr; 2],
) {
    session.asn = (seen.local_asn.0, seen.remote_asn.0);
    state_words(seen.state).clone_into(&mut session.state);
    session.is_up = seen.state == SessionState::Established;
    session.last_reset = seen.last_reset.clone().unwrap_or_default();
    session.md5_drops = router.counters().drops.count(DropReason::Md5);
    session.bfd = seen.bfd.map(|state| state == SessionState::Up);
    session.since_s = lab.now.since(seen.since).as_secs();
    let sent = router.bgp_sent(&seen.instance, &seen.peer);
    let longest = |address: IpAddr| {
        let covering = sent
            .iter()
            .map(|(net, _)| net)
            .filter(|net| net.contains(&address));
        covering
            .max_by_key(|net| net.prefix_len())
            .map(IpNet::to_string)
    };
    session.sent = hosts.map(longest);
    session.heard = hosts.map(|address| heard(lab, node, router, seen, address));
}

/// Prefixes heard from the peer that hold an address, in every table of the instance.
fn heard(
    lab: &Lab,
    node: &NodeName,
    router: &Router,
    seen: &BgpPeerObservation,
    address: IpAddr,
) -> Vec<(String, Option<String>)> {
    let spec = lab.network.compiled.blueprint.nodes.get(node);
    let tables = (spec.and_then(|n| n.as_router()))
        .and_then(|r| r.bgp.get(&seen.instance))
        .map(|bgp| bgp.tables.clone())
        .unwrap_or_default();
    let mut found = Vec::new();
    for table in &tables {
        for route in router.bgp_routes(&seen.instance, table) {
            if !route.prefix.contains(&address) {
                continue;
            }
            for path in route
                .paths
                .iter()
                .filter(|p| p.peer.as_ref() == Some(&seen.peer))
            {
                let refused = matches!(path.status, RouteStatus::Rejected(_));
                found.push((
                    route.prefix.to_string(),
                    refused.then(|| status_words(path)),
                ));
            }
        }
    }
    found
}
