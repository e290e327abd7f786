//! What the speaker shows: peers, routes and why, counters.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use skybridge_base::{Asn, Instant};

use super::config::{PeerId, TableId};
use super::{Speaker, seconds};
use crate::attr::Attributes;
use crate::fsm::{Negotiated, Reason, StateKind};
use crate::message::{Message, Notification};
use crate::rib::{LOCAL, LostBy};
use crate::types::Family;

/// Who announced a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// Originated here.
    Local,
    /// Learned from a peer.
    Peer(PeerId),
}

impl Source {
    pub(super) const fn from_raw(peer: u16) -> Self {
        if peer == LOCAL {
            Self::Local
        } else {
            Self::Peer(PeerId(peer))
        }
    }
}

/// Why a received route is not used.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RejectReason {
    /// Our own AS is in the path (RFC 4271 §9.1.2).
    AsLoop,
    /// Our own identifier is the ORIGINATOR_ID (RFC 4456 §8).
    OriginatorLoop,
    /// The next hop is our own address (RFC 4271 §6.3).
    NextHopIsSelf,
    /// The import policy refused it, for this reason.
    Policy(Arc<str>),
}

/// What became of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RouteStatus {
    /// The best one.
    Best,
    /// Not the best, but in the forwarding set with it.
    Multipath,
    /// Lost the decision at this step.
    Lost(LostBy),
    /// Not eligible.
    Rejected(RejectReason),
}

/// A path of a prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathView {
    /// Who announced it.
    pub source: Source,
    /// What became of it.
    pub status: RouteStatus,
    /// Attributes after the import policy; as received when that refused it.
    pub attributes: Attributes,
    /// Source tag.
    pub tag: u32,
    /// Local weight.
    pub weight: u32,
    /// Since when it is as it is, whole seconds.
    pub age: Duration,
}

/// A prefix of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteView {
    /// The prefix.
    pub net: IpNet,
    /// Its paths: best, multipath, losers, rejected; each group by source.
    pub paths: Vec<PathView>,
}

/// Per-family counts of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FamilyCount {
    /// Prefixes that it announces, refused ones included.
    pub prefixes_received: u32,
    /// Prefixes of it that import accepted into the first table.
    pub prefixes_accepted: u32,
    /// Prefixes that it has been sent.
    pub prefixes_sent: u32,
    /// Its End-of-RIB came (RFC 4724 §2).
    pub end_of_rib: bool,
}

/// Counts of a peer since it was added; those per family since the session came up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Messages received.
    pub messages_in: u64,
    /// Of these UPDATEs.
    pub updates_in: u64,
    /// Messages sent, UPDATEs aside.
    pub others_out: u64,
    /// UPDATEs sent.
    pub updates_out: u64,
    /// Attribute faults that did not reset the session (RFC 7606).
    pub attribute_faults: u64,
    /// UPDATEs treated as withdrawals (RFC 7606 §2).
    pub treated_as_withdraw: u64,
    /// Times that an Established session was lost.
    pub resets: u64,
    /// IPv4.
    pub v4: FamilyCount,
    /// IPv6.
    pub v6: FamilyCount,
}

impl Counters {
    /// The counts of a family.
    #[must_use]
    pub const fn family(&self, family: Family) -> &FamilyCount {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    pub(super) const fn family_mut(&mut self, family: Family) -> &mut FamilyCount {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    /// Messages sent in all.
    #[must_use]
    pub const fn messages_out(&self) -> u64 {
        self.others_out + self.updates_out
    }

    pub(super) const fn received(&mut self, message: &Message) {
        self.messages_in += 1;
        if matches!(message, Message::Update(_)) {
            self.updates_in += 1;
        }
    }

    pub(super) const fn sent(&mut self, message: &Message) {
        if matches!(message, Message::Update(_)) {
            self.updates_out += 1;
        } else {
            self.others_out += 1;
        }
    }

    pub(super) fn on_down(&mut self) {
        self.resets += 1;
        self.v4 = FamilyCount::default();
        self.v6 = FamilyCount::default();
    }
}

/// A peer as shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerView {
    /// Its number.
    pub id: PeerId,
    /// Our address.
    pub local_address: IpAddr,
    /// Its address.
    pub remote_address: IpAddr,
    /// Its configured AS.
    pub remote_asn: Asn,
    /// State of the further of its sessions.
    pub state: StateKind,
    /// Shut down by the operator.
    pub admin_down: bool,
    /// The driver reported its transport full: what it has lags behind [`Speaker::adj_rib_out`].
    pub blocked: bool,
    /// Since when it is Established, or since when it is not.
    pub since: Instant,
    /// What was agreed on, while Established.
    pub negotiated: Option<Negotiated>,
    /// Why it last fell back.
    pub last_reset: Option<Reason>,
    /// The last NOTIFICATION sent.
    pub last_sent: Option<Notification>,
    /// The last NOTIFICATION received.
    pub last_received: Option<Notification>,
    /// Counts.
    pub counters: Counters,
}

impl Speaker {
    /// Every peer, by number.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerView> {
        let ids = (0..=u16::MAX).map(PeerId).take(self.peers.len());
        ids.filter_map(|id| self.peer_view(id)).collect()
    }

    /// One peer.
    #[must_use]
    pub fn peer_view(&self, id: PeerId) -> Option<PeerView> {
        let peer = self.peer(id)?;
        let mut counters = peer.counters;
        if let Some(import) = peer.config.import.first() {
            let table = &self.tables[usize::from(import.table.0)];
            for (net, path) in table.peer_paths(id.0) {
                if path.offer.reject == 0 {
                    let family = Family::of(&table.net(net));
                    counters.family_mut(family).prefixes_accepted += 1;
                }
            }
        }
        Some(PeerView {
            id,
            local_address: peer.config.local_address,
            remote_address: peer.config.remote_address,
            remote_asn: peer.config.remote_asn,
            state: peer.state(),
            admin_down: peer.config.admin_down,
            blocked: peer.blocked,
            since: peer.since,
            negotiated: peer.fsm.established().map(|(_, n)| n.clone()),
            last_reset: peer.fsm.last_reason().cloned(),
            last_sent: peer.last_sent.clone(),
            last_received: peer.last_received.clone(),
            counters,
        })
    }

    /// A peer's state; `None` when there is no such peer. Cheap.
    #[must_use]
    pub fn peer_state(&self, id: PeerId) -> Option<StateKind> {
        self.peer(id).map(super::peer::Peer::state)
    }

    /// A peer's configuration as in force.
    #[must_use]
    pub fn peer_config(&self, id: PeerId) -> Option<&super::PeerConfig> {
        self.peer(id).map(|p| &p.config)
    }

    /// Every prefix of a table with all its paths, ascending. Paths are explained as of this moment,
    /// whether or not changes still await their decision.
    #[must_use]
    pub fn routes(&self, table: TableId) -> Vec<RouteView> {
        let at = usize::from(table.0);
        let Some(target) = self.tables.get(at) else {
            return Vec::new();
        };
        let views = target.sorted_nets().into_iter().map(|n| self.view(at, n));
        views.filter(|v| !v.paths.is_empty()).collect()
    }

    /// One prefix of a table.
    #[must_use]
    pub fn route(&self, table: TableId, net: IpNet) -> Option<RouteView> {
        let at = usize::from(table.0);
        let slot = self.tables.get(at)?.find(&net.trunc())?;
        Some(self.view(at, slot)).filter(|v| !v.paths.is_empty())
    }

    /// Prefixes and paths of a table, and attribute sets of all tables. Cheap.
    #[must_use]
    pub fn table_size(&self, table: TableId) -> (usize, usize, usize) {
        let target = self.tables.get(usize::from(table.0));
        target.map_or((0, 0, 0), |t| {
            (t.net_count(), t.path_count(), self.store.len())
        })
    }

    fn view(&self, at: usize, net: u32) -> RouteView {
        let table = &self.tables[at];
        let mut candidates = Vec::new();
        let best = self.rank_net(at, net, &mut candidates);
        let now_s = seconds(self.now);
        let mut paths: Vec<PathView> = table
            .paths(net)
            .map(|path| {
                let rank = candidates.iter().position(|c| c.path == path.id);
                let status = match rank {
                    None => RouteStatus::Rejected(self.reasons.reason(path.offer.reject)),
                    Some(i) if best == Some(i) => RouteStatus::Best,
                    Some(i) if candidates[i].multipath => RouteStatus::Multipath,
                    Some(i) => RouteStatus::Lost(candidates[i].lost.unwrap_or(LostBy::PeerAddress)),
                };
                let route = self.store.route(path.offer.attrs);
                PathView {
                    source: Source::from_raw(path.offer.peer),
                    status,
                    attributes: route.attributes,
                    tag: route.tag,
                    weight: route.weight,
                    age: Duration::from_secs(now_s.saturating_sub(path.offer.learned_s).into()),
                }
            })
            .collect();
        paths.sort_by_key(|p| {
            let group = match p.status {
                RouteStatus::Best => 0,
                RouteStatus::Multipath => 1,
                RouteStatus::Lost(_) => 2,
                RouteStatus::Rejected(_) => 3,
            };
            (group, p.source)
        });
        RouteView {
            net: table.net(net),
            paths,
        }
    }
}
