//! BGP instances, peers and policies; BFD.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use skybridge_base::Asn;

use crate::{InterfaceName, VrfName};

/// A mark on routes by where they were learned, such as an attachment type; 0 is none.
pub type SourceTag = u32;

/// One BGP process of a router.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BgpInstance {
    /// Its AS number.
    pub asn: Asn,
    /// BGP identifier (RFC 4271 §4.2).
    pub router_id: Ipv4Addr,
    /// The routing tables it feeds. Each has a Loc-RIB of its own under the same name.
    pub tables: Vec<VrfName>,
    /// Routes it originates, per table.
    pub originated: Vec<Originated>,
    /// Its peers by name.
    pub peers: BTreeMap<String, BgpPeer>,
}

/// A route that a BGP instance brings into its table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Originated {
    /// Into this table.
    pub table: VrfName,
    /// The prefix.
    pub prefix: IpNet,
    /// Standard communities (RFC 1997).
    pub communities: Vec<u32>,
    /// Its source mark.
    pub source_tag: SourceTag,
}

/// One BGP neighbour. It is always directly connected on `interface`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BgpPeer {
    /// The interface whose network holds both addresses.
    pub interface: InterfaceName,
    /// Our end.
    pub local: IpAddr,
    /// Their end.
    pub remote: IpAddr,
    /// Their AS; equal to ours for iBGP.
    pub remote_asn: Asn,
    /// Our AS towards this peer, in the place of the instance's (what routers call local-as, replacing).
    #[serde(default)]
    pub local_asn: Option<Asn>,
    /// TCP MD5 key (RFC 2385).
    pub md5: Option<Secret>,
    /// Hold time offered, seconds (RFC 4271 §4.2).
    pub hold_time_s: u16,
    /// Keepalive interval, seconds; at most a third of the negotiated hold time is used.
    pub keepalive_s: u16,
    /// ConnectRetryTime (RFC 4271 §8.2.1) once a session has been up before.
    pub connect_retry: Duration,
    /// Never opens the connection itself.
    pub passive: bool,
    /// Administratively up.
    pub enabled: bool,
    /// BFD for this session.
    pub bfd: Option<BfdParameters>,
    /// Tables that receive what this peer announces, each under its policy.
    pub import: Vec<ImportTo>,
    /// What is announced to this peer; `None` is nothing.
    pub export: Option<ExportPolicy>,
    /// The NEXT_HOP that is announced.
    pub next_hop: NextHopRule,
    /// Stamped on every route learned here.
    pub source_tag: SourceTag,
    /// Ceilings on received prefixes.
    pub limits: MaxPrefixes,
    /// What the session is part of, for people.
    pub role: PathRole,
}

impl BgpPeer {
    /// Our AS towards this peer, where `own` is the instance's.
    #[must_use]
    pub fn asn_towards(&self, own: Asn) -> Asn {
        self.local_asn.unwrap_or(own)
    }
}

/// What a session is part of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PathRole {
    /// The peering or attachment in the user's terms, such as `er-circuit/AzurePrivatePeering`.
    pub peering: String,
    /// `primary`, `secondary`, or empty for sessions inside a cloud.
    pub path: String,
    /// False for sessions inside a cloud that its API does not show.
    pub customer_visible: bool,
}

/// Import into one table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ImportTo {
    /// The table.
    pub table: VrfName,
    /// What is let in.
    pub policy: RoutePolicy,
}

/// Export from one table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExportPolicy {
    /// The table.
    pub table: VrfName,
    /// What is let out.
    pub policy: RoutePolicy,
}

/// Rules in order; the first that matches decides.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoutePolicy {
    /// The rules.
    pub rules: Vec<PolicyRule>,
    /// Accept what no rule matched.
    pub default_accept: bool,
}

impl RoutePolicy {
    /// Lets everything pass.
    pub const ACCEPT_ALL: Self = Self {
        rules: Vec::new(),
        default_accept: true,
    };
}

/// One policy rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PolicyRule {
    /// Which routes; all conditions given must hold.
    pub matches: PolicyMatch,
    /// What happens to them.
    pub action: PolicyAction,
}

/// Conditions on a route; an empty list is no condition.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PolicyMatch {
    /// One of these prefixes.
    pub prefixes: Vec<PrefixMatch>,
    /// Carries one of these marks.
    pub source_tags: Vec<SourceTag>,
}

/// A prefix and the lengths under it that match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PrefixMatch {
    /// The covering prefix.
    pub net: IpNet,
    /// Least length.
    pub len_min: u8,
    /// Greatest length.
    pub len_max: u8,
}

/// What a policy rule does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyAction {
    /// Takes the route, changed so.
    Accept {
        /// LOCAL_PREF to set.
        local_pref: Option<u32>,
        /// How often the own AS is prepended.
        prepend: u8,
        /// Communities added.
        add_communities: Vec<u32>,
    },
    /// Refuses the route; the reason is shown to people.
    Reject {
        /// In the cloud's terms.
        reason: String,
    },
}

/// Which NEXT_HOP is announced (RFC 4271 §5.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextHopRule {
    /// The own address of the session.
    SelfAddress,
    /// As received.
    Unchanged,
}

/// Ceilings on what a peer may announce; past them the session is dropped (RFC 4486 subcode 1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MaxPrefixes {
    /// IPv4 unicast.
    pub v4: Option<u32>,
    /// IPv6 unicast.
    pub v6: Option<u32>,
}

/// BFD asynchronous mode (RFC 5880 §6.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BfdParameters {
    /// Desired Min TX and Required Min RX Interval.
    pub interval: Duration,
    /// Detect Mult.
    pub multiplier: u8,
}

/// A key: never printed, compared in constant time by whoever checks it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a key.
    #[must_use]
    pub const fn new(key: String) -> Self {
        Self(key)
    }

    /// The octets, for the one place that signs with them.
    #[must_use]
    pub const fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
