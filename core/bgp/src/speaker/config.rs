//! What the caller configures: the speaker, its peers, originated routes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use skybridge_base::Asn;

use crate::fsm::Settings;
use crate::policy::Policy;
use crate::types::{Community, Families, Family, LargeCommunity};

/// One of the speaker's tables (Loc-RIBs), from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TableId(pub u16);

/// A peer, numbered by the speaker; a removed peer's number is given out again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub u16);

/// The speaker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpeakerConfig {
    /// Our AS.
    pub asn: Asn,
    /// Our BGP identifier.
    pub router_id: Ipv4Addr,
    /// Number of tables, at least 1.
    pub tables: u16,
    /// Most paths in one forwarding decision; 1 is no multipath.
    pub multipath_max: u8,
    /// Most paths held over all tables; a peer that exceeds it gets a cease 6/8.
    pub paths_max: usize,
    /// Seed of the timers' jitter.
    pub seed: u64,
}

impl SpeakerConfig {
    /// One table, no multipath, four million paths, seed 0.
    #[must_use]
    pub const fn new(asn: Asn, router_id: Ipv4Addr) -> Self {
        Self {
            asn,
            router_id,
            tables: 1,
            multipath_max: 1,
            paths_max: 4_000_000,
            seed: 0,
        }
    }
}

/// A table that a peer's routes enter, and under which policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// The table.
    pub table: TableId,
    /// Decides per route; refused routes stay visible with their reason.
    pub policy: Policy,
}

/// The table whose best routes a peer is sent, and under which policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// The table.
    pub table: TableId,
    /// Decides per route.
    pub policy: Policy,
}

/// The next hop that a peer is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NextHopMode {
    /// Our address of the session.
    #[default]
    SelfAddress,
    /// As learned; our address for routes originated without one.
    Unchanged,
    /// This one, for routes of its family; our address for others.
    Explicit(IpAddr),
}

/// Ceilings on the prefixes that a peer may announce (RFC 4271 §6.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaxPrefixes {
    /// IPv4 prefixes.
    pub v4: Option<u32>,
    /// IPv6 prefixes.
    pub v6: Option<u32>,
    /// How long the session stays down after it exceeded one; `None` until the operator acts.
    pub retry_after: Option<Duration>,
}

impl MaxPrefixes {
    /// No ceiling.
    pub const NONE: Self = Self {
        v4: None,
        v6: None,
        retry_after: Some(Duration::from_mins(1)),
    };

    pub(crate) const fn of(&self, family: Family) -> Option<u32> {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }
}

/// A peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerConfig {
    /// Our address of the session.
    pub local_address: IpAddr,
    /// Its address.
    pub remote_address: IpAddr,
    /// Its AS; ours makes it an internal peer.
    pub remote_asn: Asn,
    /// Our AS towards it, in the place of the speaker's: said in the OPEN, prepended, and a loop when it comes back.
    pub local_asn: Option<Asn>,
    /// Hold time to propose, seconds: 0 (none) or at least 3.
    pub hold_time_s: u16,
    /// Upper bound for the keepalive interval, seconds; a third of the hold time is one anyway.
    pub keepalive_s: Option<u16>,
    /// Wait between connection attempts; RFC 4271 §10 suggests 120 s.
    pub connect_retry: Duration,
    /// Never dial.
    pub passive: bool,
    /// Dial at once and every 200 ms until the session is first Established.
    pub fast_first: bool,
    /// Families to offer.
    pub families: Families,
    /// Offer route refresh (RFC 2918).
    pub route_refresh: bool,
    /// Offer 4-octet AS numbers (RFC 6793).
    pub four_octet_as: bool,
    /// Where its routes go.
    pub import: Vec<Import>,
    /// What it is sent; nothing when `None`.
    pub export: Option<Export>,
    /// The next hop that it is sent.
    pub next_hop: NextHopMode,
    /// Link-local address added to IPv6 next hops of ours on a shared link (RFC 2545 §3).
    pub link_local: Option<std::net::Ipv6Addr>,
    /// Stamped on every path learned from it.
    pub source_tag: u32,
    /// Prefix ceilings.
    pub limits: MaxPrefixes,
    /// Accept routes whose AS path holds our own AS.
    pub allow_own_as: bool,
    /// Strip private AS numbers from what it is sent (external peers).
    pub remove_private_as: bool,
    /// Start it shut down.
    pub admin_down: bool,
}

impl PeerConfig {
    /// A dialling peer of its address family that fills and is sent table 0: hold time 90 s, retry 120 s.
    #[must_use]
    pub fn new(local_address: IpAddr, remote_address: IpAddr, remote_asn: Asn) -> Self {
        let families = match remote_address {
            IpAddr::V4(_) => Families::V4,
            IpAddr::V6(_) => Families::V6,
        };
        Self {
            local_address,
            remote_address,
            remote_asn,
            local_asn: None,
            hold_time_s: 90,
            keepalive_s: None,
            connect_retry: Duration::from_mins(2),
            passive: false,
            fast_first: false,
            families,
            route_refresh: true,
            four_octet_as: true,
            import: vec![Import {
                table: TableId(0),
                policy: Policy::accept_all(),
            }],
            export: Some(Export {
                table: TableId(0),
                policy: Policy::accept_all(),
            }),
            next_hop: NextHopMode::SelfAddress,
            link_local: None,
            source_tag: 0,
            limits: MaxPrefixes::NONE,
            allow_own_as: false,
            remove_private_as: false,
            admin_down: false,
        }
    }

    /// Our AS towards this peer.
    pub(crate) fn asn_towards(&self, speaker: &SpeakerConfig) -> Asn {
        self.local_asn.unwrap_or(speaker.asn)
    }

    pub(crate) fn settings(&self, speaker: &SpeakerConfig) -> Settings {
        Settings {
            local_asn: self.asn_towards(speaker),
            local_router_id: speaker.router_id,
            remote_asn: self.remote_asn,
            hold_time_s: self.hold_time_s,
            keepalive_s: self.keepalive_s,
            connect_retry: self.connect_retry,
            passive: self.passive,
            fast_first: self.fast_first,
            families: self.families,
            route_refresh: self.route_refresh,
            four_octet_as: self.four_octet_as,
        }
    }

    pub(crate) fn check(&self, speaker: &SpeakerConfig) -> Result<(), ConfigError> {
        if self.local_address.is_ipv4() != self.remote_address.is_ipv4() {
            return Err(ConfigError::AddressFamilies);
        }
        // RFC 4271 §4.2.
        if self.hold_time_s == 1 || self.hold_time_s == 2 {
            return Err(ConfigError::HoldTime);
        }
        if self.remote_asn == Asn(0) {
            return Err(ConfigError::RemoteAsn);
        }
        if self.families.is_empty() {
            return Err(ConfigError::NoFamily);
        }
        let mut tables: Vec<TableId> = self.import.iter().map(|i| i.table).collect();
        tables.sort_unstable();
        let once = tables.windows(2).all(|w| w[0] != w[1]);
        tables.extend(self.export.iter().map(|e| e.table));
        if !once || tables.iter().any(|t| t.0 >= speaker.tables) {
            return Err(ConfigError::Table);
        }
        Ok(())
    }

    /// True when changing to `new` needs no new session.
    pub(crate) fn is_soft_change(&self, new: &Self) -> bool {
        let hard = |c: &Self| {
            (
                (c.local_address, c.remote_address),
                (c.remote_asn, c.local_asn),
                (c.hold_time_s, c.keepalive_s, c.families),
                (c.route_refresh, c.four_octet_as),
            )
        };
        hard(self) == hard(new)
    }
}

/// Why a call was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    /// The two addresses are of different families.
    #[error("the addresses of a session are of different families")]
    AddressFamilies,
    /// Hold times of 1 and 2 s are not allowed (RFC 4271 §4.2).
    #[error("a hold time is 0 or at least 3 seconds")]
    HoldTime,
    /// AS 0 is not allowed (RFC 7607).
    #[error("AS 0 is not a peer's AS")]
    RemoteAsn,
    /// A peer needs a family.
    #[error("a peer needs at least one address family")]
    NoFamily,
    /// A table does not exist, or is imported into twice.
    #[error("a table does not exist or is named twice")]
    Table,
    /// No such peer.
    #[error("no such peer")]
    UnknownPeer,
    /// 65,535 peers exist.
    #[error("there are too many peers")]
    TooManyPeers,
    /// The change needs a new session: remove the peer and add it again.
    #[error("the change needs the session to be reset")]
    RequiresReset,
}

/// A route originated here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Originate {
    /// Its next hop, for the forwarding feed and for internal peers; `None` is this router.
    pub next_hop: Option<IpAddr>,
    /// Communities.
    pub communities: Vec<Community>,
    /// Large communities.
    pub large_communities: Vec<LargeCommunity>,
    /// Source tag, as [`PeerConfig::source_tag`].
    pub tag: u32,
    /// MED; sent to external peers as well.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// Weight; 32768 when `None`, so that it beats what peers announce.
    pub weight: Option<u32>,
    /// AS path to begin with, for routes that stand for somebody else's; our AS is prepended on export.
    pub as_path: Vec<Asn>,
}
