//! Which BGP sessions come up.

use std::collections::BTreeMap;

use skybridge_blueprint::{
    BgpInstance, BgpPeer, Blueprint, Interface, InterfaceName, NodeName, Router,
};

use crate::failures::{Across, Apart, Failures, across};

/// One end of a session.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SessionId {
    /// The router.
    pub node: NodeName,
    /// Its BGP instance.
    pub instance: String,
    /// The peer.
    pub peer: String,
}

/// Whether a session is up, and if not, what keeps it down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SessionVerdict {
    /// Up.
    Up,
    /// Disabled here.
    Disabled,
    /// The router, its link or its far end is down.
    LinkDown,
    /// Frames vanish on the way.
    PathSilent,
    /// Nobody across uses these tags.
    TagMismatch,
    /// Nobody across has the address, or our own is not on the interface.
    AddressMismatch,
    /// The far end has no such peer.
    NoPeerAcross,
    /// The far end has it disabled.
    DisabledAcross,
    /// An AS number is not the one expected.
    AsnMismatch,
    /// The MD5 keys differ (RFC 2385 §4).
    Md5Mismatch,
    /// Neither end opens the connection.
    BothPassive,
    /// Both ends of an internal session have one identifier (RFC 6286 §2.1), or one is zero.
    RouterIdClash,
    /// One end announced more prefixes than the other accepts (RFC 4486 §3).
    MaxPrefixes,
}

/// The far end of each session that is up.
pub(crate) type Partners = BTreeMap<SessionId, SessionId>;

/// Every configured session with its verdict, and the partners of those that are up.
pub(crate) fn judge(
    blueprint: &Blueprint,
    failures: &Failures,
) -> (BTreeMap<SessionId, SessionVerdict>, Partners) {
    let mut verdicts = BTreeMap::new();
    let mut partners = Partners::new();
    for (node, description) in &blueprint.nodes {
        let Some(router) = description.as_router() else {
            continue;
        };
        for (instance, bgp) in &router.bgp {
            for (name, peer) in &bgp.peers {
                let id = SessionId {
                    node: node.clone(),
                    instance: instance.clone(),
                    peer: name.clone(),
                };
                let verdict = match partner(blueprint, failures, &id, router, bgp, peer) {
                    Ok(other) => {
                        partners.insert(id.clone(), other);
                        SessionVerdict::Up
                    }
                    Err(verdict) => verdict,
                };
                verdicts.insert(id, verdict);
            }
        }
    }
    (verdicts, partners)
}

fn partner(
    blueprint: &Blueprint,
    failures: &Failures,
    id: &SessionId,
    router: &Router,
    bgp: &BgpInstance,
    peer: &BgpPeer,
) -> Result<SessionId, SessionVerdict> {
    if !peer.enabled || failures.sessions.contains(id) {
        return Err(SessionVerdict::Disabled);
    }
    if !failures.runs(&id.node) {
        return Err(SessionVerdict::LinkDown);
    }
    let own = router
        .interfaces
        .get(&peer.interface)
        .ok_or(SessionVerdict::AddressMismatch)?;
    let (node, name, interface) =
        match across(blueprint, failures, &id.node, &own.port, own.tagging) {
            Ok(Across::Router(node, name, interface)) => (node, name, interface),
            Ok(Across::Host(..)) => return Err(SessionVerdict::NoPeerAcross),
            Err(Apart::Down) => return Err(SessionVerdict::LinkDown),
            Err(Apart::Silent) => return Err(SessionVerdict::PathSilent),
            Err(Apart::Tags) => return Err(SessionVerdict::TagMismatch),
        };
    if !reaches(own, peer) || !interface.addresses.iter().any(|n| n.addr() == peer.remote) {
        return Err(SessionVerdict::AddressMismatch);
    }
    let far = blueprint
        .nodes
        .get(node)
        .and_then(skybridge_blueprint::Node::as_router)
        .ok_or(SessionVerdict::NoPeerAcross)?;
    let (far_id, far_bgp, far_peer) =
        mirror(node, far, name, peer).ok_or(SessionVerdict::NoPeerAcross)?;
    if !far_peer.enabled || failures.sessions.contains(&far_id) {
        return Err(SessionVerdict::DisabledAcross);
    }
    if !reaches(interface, far_peer) {
        return Err(SessionVerdict::AddressMismatch);
    }
    if far_peer.md5 != peer.md5 {
        return Err(SessionVerdict::Md5Mismatch);
    }
    if peer.passive && far_peer.passive {
        return Err(SessionVerdict::BothPassive);
    }
    let (asn, far_asn) = (peer.asn_towards(bgp.asn), far_peer.asn_towards(far_bgp.asn));
    if peer.remote_asn != far_asn || far_peer.remote_asn != asn {
        return Err(SessionVerdict::AsnMismatch);
    }
    let same_id = bgp.router_id == far_bgp.router_id && asn == far_asn;
    if same_id || bgp.router_id.is_unspecified() || far_bgp.router_id.is_unspecified() {
        return Err(SessionVerdict::RouterIdClash);
    }
    Ok(far_id)
}

/// The own address is on the interface. Peers are neighbours on their link whether or not its network
/// holds both: tunnels inside the clouds have networks of one address.
fn reaches(interface: &Interface, peer: &BgpPeer) -> bool {
    interface
        .addresses
        .iter()
        .any(|net| net.addr() == peer.local)
}

/// The far end's peer for the same pair of addresses.
fn mirror<'a>(
    node: &NodeName,
    router: &'a Router,
    interface: &InterfaceName,
    peer: &BgpPeer,
) -> Option<(SessionId, &'a BgpInstance, &'a BgpPeer)> {
    router.bgp.iter().find_map(|(instance, bgp)| {
        bgp.peers.iter().find_map(|(name, far)| {
            let fits =
                far.interface == *interface && far.local == peer.remote && far.remote == peer.local;
            let id = || SessionId {
                node: node.clone(),
                instance: instance.clone(),
                peer: name.clone(),
            };
            fits.then(|| (id(), bgp, far))
        })
    })
}
