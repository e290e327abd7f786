//! Routers: ports, tagged sub-interfaces, VRFs and static routes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use skybridge_base::{MacAddr, VlanId};

use crate::{BgpInstance, Filter, InterfaceName, PortName, VrfName};

/// A router: everything from a provider edge to a cloud's distributed virtual router.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Router {
    /// Physical ports.
    pub ports: BTreeMap<PortName, Port>,
    /// (Sub-)interfaces on those ports. A tag stack is unique on its port.
    pub interfaces: BTreeMap<InterfaceName, Interface>,
    /// Routing tables.
    pub vrfs: BTreeMap<VrfName, Vrf>,
    /// BGP instances, by name; an instance may feed several VRFs.
    pub bgp: BTreeMap<String, BgpInstance>,
    /// What a traceroute sees of it.
    pub visibility: HopVisibility,
    /// Policers by name; interfaces refer to them, so several may share one.
    pub policers: BTreeMap<String, Policer>,
    /// Pairs of zones between which nothing is forwarded (OCI's hard propagation rule).
    pub forbidden_transit: Vec<(Zone, Zone)>,
    /// What a firewall judges the packets by that it forwards, whichever way they come and go. Replies to what
    /// was allowed pass unasked; what belongs to no connection that it has seen open does not pass. It says
    /// nothing about packets for the router itself.
    pub inspection: Option<Filter>,
}

/// What a traceroute sees of a router.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopVisibility {
    /// Decrements TTL and answers with ICMP errors.
    #[default]
    Visible,
    /// Decrements TTL, but says nothing: a `*`.
    Silent,
    /// Part of a layer 3 overlay: does not decrement TTL. Still sends "fragmentation needed".
    Transparent,
}

/// A physical port.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Port {
    /// Its MAC address; sub-interfaces share it.
    pub mac: MacAddr,
}

/// The tags of a sub-interface's frames.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tagging {
    /// No tag.
    Untagged,
    /// One IEEE 802.1Q tag.
    Dot1q(VlanId),
    /// An IEEE 802.1ad service tag outside, an 802.1Q customer tag inside.
    QinQ {
        /// Outer tag: the circuit.
        s_tag: VlanId,
        /// Inner tag: the peering.
        c_tag: VlanId,
    },
}

/// The kind of attachment an interface belongs to, for transit rules.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    /// A virtual cloud network.
    Vcn,
    /// A FastConnect virtual circuit.
    VirtualCircuit,
    /// An IPsec tunnel.
    IpsecTunnel,
    /// Another DRG.
    RemotePeering,
}

/// A layer 3 (sub-)interface.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Interface {
    /// The port it is on.
    pub port: PortName,
    /// Its tags.
    pub tagging: Tagging,
    /// The table in which packets *entering* here are looked up.
    pub vrf: VrfName,
    /// Its addresses with prefix length. Connected routes are installed in `vrf` when
    /// `connected_routes`.
    pub addresses: Vec<IpNet>,
    /// Whether the prefixes of `addresses` become connected routes.
    pub connected_routes: bool,
    /// Greatest IP packet in octets.
    pub mtu: u16,
    /// Answers ARP and ND for any address that the router would not forward back out of this
    /// interface (the clouds' virtual networks do).
    pub proxy_arp: bool,
    /// Judged on packets entering here, before the lookup. Absent: everything passes.
    pub filter_in: Option<Filter>,
    /// Judged on packets leaving here, after the lookup. Absent: everything passes.
    pub filter_out: Option<Filter>,
    /// Name of the policer for packets entering here.
    pub policer_in: Option<String>,
    /// Name of the policer for packets leaving here.
    pub policer_out: Option<String>,
    /// For transit rules.
    pub zone: Option<Zone>,
    /// Packets entering here whose source is not in these prefixes are dropped (source check of a
    /// cloud's interface card). `None`: no check.
    pub source_check: Option<Vec<IpNet>>,
    /// The tenant whose frames alone may appear here; checked by the simulator.
    pub tenant: Option<String>,
}

/// A token bucket: `rate_bps` sustained, `burst_bytes` at once. Counts layer 3 octets, and packets where they are
/// limited too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Policer {
    /// Bits per second.
    pub rate_bps: u64,
    /// Bucket size in octets.
    pub burst_bytes: u64,
    /// Packets per second, when that is limited too.
    pub rate_pps: Option<u64>,
    /// Bucket size in packets; of no meaning without `rate_pps`.
    pub burst_packets: u64,
}

/// A routing table.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Vrf {
    /// Routes that are there from the start.
    pub routes: Vec<StaticRoute>,
    /// Greatest number of equal next hops used together; 1 is no multipath.
    pub ecmp_max: u8,
    /// Both directions of a flow choose the same of several next hops.
    pub symmetric: bool,
    /// For people: what the table is called where it comes from.
    pub label: String,
}

/// A configured route.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StaticRoute {
    /// Destination.
    pub prefix: IpNet,
    /// Where to.
    pub next_hop: NextHop,
    /// Lower wins among equal prefixes; BGP routes have 20 (external) or 200 (internal).
    pub preference: u8,
    /// Where it comes from, in the cloud's terms.
    pub source: RouteSource,
}

/// Where a route leads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextHop {
    /// To a neighbour with this address on this interface.
    Via {
        /// Outgoing interface.
        interface: InterfaceName,
        /// The neighbour.
        address: IpAddr,
    },
    /// Directly on this interface: the destination itself is the neighbour.
    Connected {
        /// Outgoing interface.
        interface: InterfaceName,
    },
    /// Looked up again in another table of this router.
    Table {
        /// The other table.
        vrf: VrfName,
    },
    /// Dropped, for a reason.
    Drop(DropKind),
}

/// Why a configured route drops.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropKind {
    /// Next hop "None".
    None,
    /// Towards the internet, which is not modelled.
    Internet,
    /// Towards the cloud's own services, which are no hosts of this network.
    Services,
    /// Towards a target that is not modelled; a verdict that meets it is unknown.
    NotModelled,
    /// The target exists but cannot take traffic (no gateway, detached DRG, black hole).
    DeadTarget,
    /// The target is an interface card that is not allowed to forward for others.
    NotForwarding,
}

/// Where a route comes from, in the clouds' terms.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteSource {
    /// An interface's own network.
    Connected,
    /// The cloud's default (system) route.
    System,
    /// Configured by the user.
    User,
    /// Learned by BGP.
    Bgp,
}
