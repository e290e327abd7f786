//! BGP and BFD sessions.

use skybridge_blueprint::{Endpoint, NodeName};
use skybridge_nodes::{BgpPeerObservation, SessionState};

use crate::document::{BfdRow, SessionRow};
use crate::lab::Lab;

/// RFC 4271's words.
pub(crate) const fn state_words(state: SessionState) -> &'static str {
    match state {
        SessionState::Idle => "Idle",
        SessionState::Connect => "Connect",
        SessionState::Active => "Active",
        SessionState::OpenSent => "OpenSent",
        SessionState::OpenConfirm => "OpenConfirm",
        SessionState::Established => "Established",
        SessionState::Down => "down",
        SessionState::Up => "up",
    }
}

/// Every session end, by router and peer.
pub(crate) fn observations(lab: &Lab) -> Vec<(NodeName, BgpPeerObservation)> {
    let nodes = lab.network.compiled.blueprint.nodes.keys();
    nodes
        .filter_map(|name| Some((name, lab.network.world.router(name)?)))
        .flat_map(|(name, router)| router.bgp().into_iter().map(|p| (name.clone(), p)))
        .collect()
}

/// Sessions that the clouds show, or all.
pub(crate) fn rows(lab: &Lab, all: bool) -> Vec<SessionRow> {
    observations(lab)
        .into_iter()
        .filter(|(_, peer)| all || peer.role.customer_visible)
        .map(|(node, peer)| row(lab, &node, &peer))
        .collect()
}

fn row(lab: &Lab, node: &NodeName, peer: &BgpPeerObservation) -> SessionRow {
    let established = peer.state == SessionState::Established;
    SessionRow {
        local: format!("{node} {}", peer.local),
        remote: peer.remote.to_string(),
        asn: (peer.local_asn.0, peer.remote_asn.0),
        peering: peer.role.peering.clone(),
        path: peer.role.path.clone(),
        state: state_words(peer.state).to_owned(),
        uptime: established.then(|| lab.now.since(peer.since).as_secs_f64()),
        prefixes_received: peer.prefixes_received,
        prefixes_sent: peer.prefixes_sent,
        bfd: match peer.bfd {
            None => "off",
            Some(SessionState::Up) => "up",
            Some(_) => "down",
        }
        .to_owned(),
        hold_time_s: peer.hold_time_s,
        last_reset: peer.last_reset.clone(),
    }
}

/// True when nothing in this lab can be at the other end: no link, or the peer is switched off.
pub(crate) fn has_no_far_end(lab: &Lab, node: &NodeName, peer: &BgpPeerObservation) -> bool {
    let blueprint = &lab.network.compiled.blueprint;
    let Some(router) = blueprint.nodes.get(node).and_then(|n| n.as_router()) else {
        return true;
    };
    let enabled = router
        .bgp
        .get(&peer.instance)
        .and_then(|b| b.peers.get(&peer.peer))
        .is_some_and(|p| p.enabled);
    let Some(interface) = router.interfaces.get(&peer.interface) else {
        return true;
    };
    let end = Endpoint {
        node: node.clone(),
        port: interface.port.clone(),
    };
    !enabled || !blueprint.links.values().any(|l| l.a == end || l.b == end)
}

/// Every BFD session.
pub(crate) fn bfd(lab: &Lab) -> Vec<BfdRow> {
    let nodes = lab.network.compiled.blueprint.nodes.keys();
    nodes
        .filter_map(|name| Some((name, lab.network.world.router(name)?)))
        .flat_map(|(name, router)| {
            let rows = router.bgp().into_iter().filter(|p| p.bfd.is_some());
            rows.map(|peer| BfdRow {
                router: name.to_string(),
                local: peer.local.to_string(),
                remote: peer.remote.to_string(),
                peering: peer.role.peering.clone(),
                path: peer.role.path.clone(),
                state: peer.bfd.map_or("off", state_words).to_owned(),
                detection_ms: peer
                    .bfd_detection
                    .map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
                diagnostic: peer.bfd_diagnostic.clone().unwrap_or_default(),
            })
            .collect::<Vec<_>>()
        })
        .collect()
}
