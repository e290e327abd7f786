//! What can be asked about sessions and their routes.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use skybridge_base::{Asn, Instant};
use skybridge_bfd::{BfdState, Session};
use skybridge_bgp::{Attributes, RejectReason, RouteStatus, Source};
use skybridge_blueprint::{InterfaceName, PathRole, VrfName};

use super::session_state;
use crate::SessionState;
use crate::router::Router;

/// A BGP neighbour as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BgpPeerObservation {
    /// The instance's name.
    pub instance: String,
    /// The peer's name.
    pub peer: String,
    /// What it is part of.
    pub role: PathRole,
    /// Where it is.
    pub interface: InterfaceName,
    /// Our end.
    pub local: IpAddr,
    /// Their end.
    pub remote: IpAddr,
    /// Our AS.
    pub local_asn: Asn,
    /// Their AS as configured.
    pub remote_asn: Asn,
    /// The session's state.
    pub state: SessionState,
    /// Since when it is Established, or is not.
    pub since: Instant,
    /// Why it was last in Idle; `None` when it never fell.
    pub last_reset: Option<String>,
    /// Negotiated hold time in seconds, while Established.
    pub hold_time_s: Option<u16>,
    /// Keepalive interval in use, while Established.
    pub keepalive_s: Option<u16>,
    /// Prefixes that it announces, both families, refused ones included.
    pub prefixes_received: u32,
    /// Of these accepted into the first table.
    pub prefixes_accepted: u32,
    /// Prefixes that it has been sent.
    pub prefixes_sent: u32,
    /// BFD: `Up` or `Down`; `None` when it is not configured.
    pub bfd: Option<SessionState>,
    /// The BFD detection time in force, once the other end has spoken.
    pub bfd_detection: Option<Duration>,
    /// The BFD diagnostic (RFC 5880 §4.1) in words.
    pub bfd_diagnostic: Option<String>,
}

/// A prefix of a BGP table with every path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BgpRouteObservation {
    /// The prefix.
    pub prefix: IpNet,
    /// Best first, then multipath, losers, refused ones.
    pub paths: Vec<BgpPathObservation>,
}

/// A path of a prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BgpPathObservation {
    /// The peer it came from; `None` for one originated here.
    pub peer: Option<String>,
    /// Best, multipath, where it lost, or refused.
    pub status: RouteStatus,
    /// Why it was refused, in the cloud's terms.
    pub refused: Option<String>,
    /// Attributes after the import policy.
    pub attributes: Attributes,
    /// Its source mark.
    pub source_tag: u32,
    /// Since when.
    pub age: Duration,
}

impl Router {
    /// Every BGP neighbour, by instance and name.
    #[must_use]
    pub fn bgp(&self) -> Vec<BgpPeerObservation> {
        let mut all = Vec::new();
        for peer in self.control.peers.iter().flatten() {
            let Some(instance) = self.control.instances.get(&peer.instance) else {
                continue;
            };
            let Some(view) = instance.speaker.peer_view(peer.id) else {
                continue;
            };
            let (v4, v6) = (view.counters.v4, view.counters.v6);
            all.push(BgpPeerObservation {
                instance: peer.instance.clone(),
                peer: peer.name.clone(),
                role: peer.spec.role.clone(),
                interface: peer.spec.interface.clone(),
                local: peer.spec.local,
                remote: peer.spec.remote,
                local_asn: peer.spec.asn_towards(instance.speaker.config().asn),
                remote_asn: peer.spec.remote_asn,
                state: session_state(view.state),
                since: peer.since,
                last_reset: peer.last_reset.clone(),
                hold_time_s: view.negotiated.as_ref().map(|n| n.hold_time_s),
                keepalive_s: view.negotiated.as_ref().map(|n| n.keepalive_s),
                prefixes_received: v4.prefixes_received + v6.prefixes_received,
                prefixes_accepted: v4.prefixes_accepted + v6.prefixes_accepted,
                prefixes_sent: v4.prefixes_sent + v6.prefixes_sent,
                bfd: peer.bfd.as_ref().map(|session| match session.state() {
                    BfdState::Up => SessionState::Up,
                    BfdState::AdminDown | BfdState::Down | BfdState::Init => SessionState::Down,
                }),
                bfd_detection: peer.bfd.as_ref().and_then(Session::detection_time),
                bfd_diagnostic: peer.bfd.as_ref().map(|session| session.diag().to_string()),
            });
        }
        all.sort_by(|a, b| (&a.instance, &a.peer).cmp(&(&b.instance, &b.peer)));
        all
    }

    /// The Loc-RIB of a table of an instance, by prefix. Empty for unknown names.
    #[must_use]
    pub fn bgp_routes(&self, instance: &str, table: &VrfName) -> Vec<BgpRouteObservation> {
        let Some(instance) = self.control.instances.get(instance) else {
            return Vec::new();
        };
        let at = instance.tables.iter().position(|t| t == table);
        let Some(at) = at.and_then(|at| u16::try_from(at).ok()) else {
            return Vec::new();
        };
        let name = |source| match source {
            Source::Local => None,
            Source::Peer(id) => {
                let at = instance.by_id.get(&id)?;
                Some(self.control.peers[*at].as_ref()?.name.clone())
            }
        };
        let refused = |status: &RouteStatus| match status {
            RouteStatus::Rejected(reason) => Some(match reason {
                RejectReason::AsLoop => "own AS in the path".to_owned(),
                RejectReason::OriginatorLoop => "own identifier is the originator".to_owned(),
                RejectReason::NextHopIsSelf => "next hop is an own address".to_owned(),
                RejectReason::Policy(text) => text.to_string(),
            }),
            RouteStatus::Best | RouteStatus::Multipath | RouteStatus::Lost(_) => None,
        };
        let routes = instance.speaker.routes(skybridge_bgp::TableId(at));
        let paths = |paths: Vec<skybridge_bgp::PathView>| {
            let paths = paths.into_iter().map(|path| BgpPathObservation {
                peer: name(path.source),
                refused: refused(&path.status),
                status: path.status,
                attributes: path.attributes,
                source_tag: path.tag,
                age: path.age,
            });
            paths.collect()
        };
        routes
            .into_iter()
            .map(|route| BgpRouteObservation {
                prefix: route.net,
                paths: paths(route.paths),
            })
            .collect()
    }

    /// What a peer has been sent: prefixes and attributes, by prefix.
    #[must_use]
    pub fn bgp_sent(&self, instance: &str, peer: &str) -> Vec<(IpNet, Attributes)> {
        let mut peers = self.control.peers.iter().flatten();
        let found = peers.find(|p| p.instance == instance && p.name == peer);
        let (Some(peer), Some(instance)) = (found, self.control.instances.get(instance)) else {
            return Vec::new();
        };
        let sent = instance.speaker.adj_rib_out(peer.id);
        sent.into_iter().map(|r| (r.net, r.attributes)).collect()
    }
}
