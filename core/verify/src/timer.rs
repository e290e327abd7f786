//! Which timer noticed a failure.

use std::time::Duration;

use skybridge_base::Instant;
use skybridge_blueprint::{BgpPeer, Blueprint, Endpoint, NodeName};
use skybridge_nodes::{NodeEvent, SessionState};
use skybridge_solve::SessionId;
use skybridge_world::{WorldEvent, WorldEventKind};

use crate::twin::Twin;

/// How much a sign says about what noticed the failure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Weight {
    /// A session ended because another one, or its other end, had ended.
    Echo,
    /// A link was seen down.
    Link,
    /// A session ended by itself.
    Session,
}

#[derive(Clone, Debug)]
struct Sign {
    at: Instant,
    weight: Weight,
    text: String,
}

/// Collects the signs that something failed.
#[derive(Default, Debug)]
pub(crate) struct Watch {
    signs: Vec<Sign>,
}

impl Watch {
    pub(crate) fn follow(&mut self, twin: &Twin, event: &WorldEvent) {
        let sign = match (&event.kind, &event.node) {
            (WorldEventKind::Link { a_up, b_up, link }, _) if !a_up || !b_up => {
                Some((Weight::Link, format!("link down seen on {link}")))
            }
            (
                WorldEventKind::Node(NodeEvent::Bfd {
                    instance,
                    peer,
                    up: false,
                    reason,
                }),
                Some(node),
            ) => bfd_sign(twin, &session(node, instance, peer), reason),
            (
                WorldEventKind::Node(NodeEvent::Bgp {
                    instance,
                    peer,
                    from: SessionState::Established,
                    reason,
                    ..
                }),
                Some(node),
            ) => bgp_sign(twin, &session(node, instance, peer), reason),
            _ => None,
        };
        if let Some((weight, text)) = sign {
            let at = event.at;
            self.signs.push(Sign { at, weight, text });
        }
    }

    /// The last sign up to `until` that says the most.
    pub(crate) fn decided(&self, until: Instant) -> Option<&str> {
        let seen = self.signs.iter().filter(|sign| sign.at <= until);
        // A link that was seen down and the session that ended with it are one sign: the later of
        // equals wins, and a timer that fired after a link went down wins over the link.
        let heaviest = seen.max_by_key(|sign| {
            let is_own = sign.weight > Weight::Echo;
            (is_own, sign.at, sign.weight)
        });
        heaviest.map(|sign| sign.text.as_str())
    }
}

fn session(node: &NodeName, instance: &str, peer: &str) -> SessionId {
    SessionId {
        node: node.clone(),
        instance: instance.to_owned(),
        peer: peer.to_owned(),
    }
}

fn bfd_sign(twin: &Twin, id: &SessionId, reason: &str) -> Option<(Weight, String)> {
    if !reason.contains("detection time") {
        // The other end noticed, and has a sign of its own.
        return None;
    }
    let blueprint = twin.world.blueprint();
    let detection = detection_time(blueprint, id);
    let time = detection.map_or_else(String::new, |time| format!(" ({} ms)", time.as_millis()));
    let text = format!("BFD detection{time} on {}", describe(blueprint, id));
    Some((Weight::Session, text))
}

fn bgp_sign(twin: &Twin, id: &SessionId, reason: &str) -> Option<(Weight, String)> {
    let whom = describe(twin.world.blueprint(), id);
    let (weight, what) = match reason {
        // BFD's own sign came just before.
        "BFD down" => return None,
        "hold timer expired" => {
            let seconds = twin.hold_times_s.get(id);
            let time = seconds.map_or_else(String::new, |seconds| format!(" ({seconds} s)"));
            (Weight::Session, format!("BGP hold timer{time}"))
        }
        "link down" => (Weight::Session, "link down seen".to_owned()),
        other => (Weight::Echo, format!("BGP session down ({other})")),
    };
    Some((weight, format!("{what} on {whom}")))
}

/// The router and whom it lost.
fn describe(blueprint: &Blueprint, id: &SessionId) -> String {
    match peer_of(blueprint, id) {
        Some(peer) => format!("{} towards {}", id.node, peer.remote),
        None => format!("{} towards {}", id.node, id.peer),
    }
}

fn peer_of<'a>(blueprint: &'a Blueprint, id: &SessionId) -> Option<&'a BgpPeer> {
    let router = blueprint.nodes.get(&id.node)?.as_router()?;
    router.bgp.get(&id.instance)?.peers.get(&id.peer)
}

/// The far end's multiplier times the slower of its transmit and our receive interval
/// (RFC 5880 §6.8.4).
fn detection_time(blueprint: &Blueprint, id: &SessionId) -> Option<Duration> {
    let peer = peer_of(blueprint, id)?;
    let own = peer.bfd?;
    let far = far_end(blueprint, id, peer)?.bfd?;
    Some(own.interval.max(far.interval) * u32::from(far.multiplier))
}

/// The other end's description of a session.
fn far_end<'a>(blueprint: &'a Blueprint, id: &SessionId, peer: &BgpPeer) -> Option<&'a BgpPeer> {
    let router = blueprint.nodes.get(&id.node)?.as_router()?;
    let own = Endpoint {
        node: id.node.clone(),
        port: router.interfaces.get(&peer.interface)?.port.clone(),
    };
    let mut links = blueprint.links.values();
    let far = links.find_map(|link| match (link.a == own, link.b == own) {
        (true, _) => Some(&link.b),
        (_, true) => Some(&link.a),
        (false, false) => None,
    })?;
    let router = blueprint.nodes.get(&far.node)?.as_router()?;
    let mut peers = router.bgp.values().flat_map(|bgp| bgp.peers.values());
    peers.find(|other| other.local == peer.remote && other.remote == peer.local)
}
