//! Azure's resources as the compiler and the rules read them: typed, complete, in the order of their ids.
//!
//! A model is read from an estate and never written back. What cannot be read (a placeholder, a value
//! that no rule accepts) is left out and named in [`AzureModel::gaps`].

mod hops;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use skybridge_base::{Asn, VlanId};
use skybridge_estate::{Phase, ResourceId};

pub use hops::{BalancingRule, Firewall, FirewallRule, Frontend, LoadBalancer, PrivateRanges};

/// Everything of Azure in an estate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AzureModel {
    /// Virtual networks with their subnets.
    pub vnets: Vec<VirtualNetwork>,
    /// Network security groups.
    pub security_groups: Vec<SecurityGroup>,
    /// Route tables.
    pub route_tables: Vec<RouteTable>,
    /// Network interfaces.
    pub interfaces: Vec<NetworkInterface>,
    /// ExpressRoute virtual network gateways (VPN gateways are reported as not modelled).
    pub gateways: Vec<Gateway>,
    /// ExpressRoute circuits.
    pub circuits: Vec<Circuit>,
    /// Connections between gateways and circuits.
    pub connections: Vec<Connection>,
    /// Load balancers.
    pub balancers: Vec<LoadBalancer>,
    /// Firewalls in virtual networks.
    pub firewalls: Vec<Firewall>,
    /// What could not be read, for `not_modelled`.
    pub gaps: Vec<Gap>,
}

/// Something that the model leaves out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The resource.
    pub resource: ResourceId,
    /// What is left out and why.
    pub what: String,
}

/// `Microsoft.Network/virtualNetworks`, or a hub of a virtual WAN, which is a network of Azure's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualNetwork {
    /// Id.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// Azure region, normalised (`eastus`).
    pub location: String,
    /// `addressSpace.addressPrefixes`.
    pub address_space: Vec<IpNet>,
    /// Subnets by id.
    pub subnets: Vec<Subnet>,
    /// It has routes that are not modelled, such as those of a VPN gateway.
    pub is_open: bool,
    /// What it is a hub of, if it is one.
    pub hub: Option<VirtualHub>,
    /// Its side of peerings with other networks, by id.
    pub peerings: Vec<NetworkPeering>,
}

/// What a hub belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualHub {
    /// Its virtual WAN, when it is of this estate.
    pub wan: Option<ResourceId>,
}

/// How far a peering of virtual networks is (`peeringState`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeeringState {
    /// Both sides are there.
    Connected,
    /// The other network has no peering back: nothing is routed.
    Initiated,
    /// The other network is not in this estate, or a setting is not known.
    Elsewhere,
}

/// One side of a peering (`virtualNetworkPeerings`), or of a connection to a hub.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkPeering {
    /// Id.
    pub id: ResourceId,
    /// The other network.
    pub remote: ResourceId,
    /// How far it is.
    pub state: PeeringState,
    /// Ranges of the other network, as far as they are known.
    pub ranges: Vec<IpNet>,
    /// Ranges that a hub at the other end leads on to: gateway routes, as those that it learns.
    pub transit: Vec<IpNet>,
    /// Ranges of which nobody here knows whether the hub leads to them.
    pub open_transit: Vec<IpNet>,
    /// Both sides allow access (`allowVirtualNetworkAccess`).
    pub has_access: bool,
    /// Takes packets that do not come from the other network's own ranges (`allowForwardedTraffic`).
    pub takes_forwarded: bool,
    /// It wants the other network's gateway (`useRemoteGateways`).
    pub wants_gateway: bool,
    /// It has the other network's gateway: it wants it, and the other side lends (`allowGatewayTransit`).
    pub borrows_gateway: bool,
    /// It lends its gateway, and the other side uses it.
    pub lends_gateway: bool,
}

/// `Microsoft.Network/virtualNetworks/subnets`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subnet {
    /// Id.
    pub id: ResourceId,
    /// Name, such as `GatewaySubnet`.
    pub name: String,
    /// `addressPrefixes`.
    pub prefixes: Vec<IpNet>,
    /// The associated network security group.
    pub security_group: Option<ResourceId>,
    /// The associated route table.
    pub route_table: Option<ResourceId>,
}

/// `Microsoft.Network/networkSecurityGroups`; default rules included, priority ascending per direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecurityGroup {
    /// Id.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// Rules of both directions, the six default rules included.
    pub rules: Vec<SecurityRule>,
}

/// One security rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecurityRule {
    /// Name.
    pub name: String,
    /// 100–4096, or 65000 and up for default rules.
    pub priority: u16,
    /// Inbound, else outbound.
    pub inbound: bool,
    /// Allow, else deny.
    pub allow: bool,
    /// IP protocol number; `None` is any.
    pub protocol: Option<u8>,
    /// Source port ranges; empty is any.
    pub source_ports: Vec<(u16, u16)>,
    /// Destination port ranges; empty is any.
    pub destination_ports: Vec<(u16, u16)>,
    /// Sources.
    pub sources: Vec<RuleAddress>,
    /// Destinations.
    pub destinations: Vec<RuleAddress>,
    /// Rests on a placeholder.
    pub unknown: bool,
}

/// An address expression of a security rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RuleAddress {
    /// `*`.
    Any,
    /// Address or CIDR.
    Prefix(IpNet),
    /// Service tag, such as `VirtualNetwork`.
    Tag(String),
    /// Application security group.
    Group(ResourceId),
}

/// `Microsoft.Network/routeTables`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteTable {
    /// Id.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// Gateway routes reach subnets with this table (inverse of `disableBgpRoutePropagation`).
    pub propagate_gateway_routes: bool,
    /// User defined routes.
    pub routes: Vec<UserRoute>,
}

/// One user defined route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserRoute {
    /// Name.
    pub name: String,
    /// Destination.
    pub prefix: IpNet,
    /// Next hop.
    pub next_hop: UserNextHop,
}

/// Next hop types of a user defined route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UserNextHop {
    /// `VirtualNetworkGateway`: the VPN gateway; never selects ExpressRoute.
    VirtualNetworkGateway,
    /// `VnetLocal`.
    VnetLocal,
    /// `Internet`.
    Internet,
    /// `VirtualAppliance` with its address.
    VirtualAppliance(IpAddr),
    /// One that rests on a placeholder.
    Unknown,
    /// `None`.
    None,
}

/// `Microsoft.Network/networkInterfaces`, one IP configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkInterface {
    /// Id.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// Its subnet.
    pub subnet: ResourceId,
    /// Primary private address (allocated when dynamic).
    pub address: IpAddr,
    /// The associated network security group.
    pub security_group: Option<ResourceId>,
    /// Application security groups it belongs to.
    pub application_groups: Vec<ResourceId>,
    /// IP forwarding: no source check.
    pub ip_forwarding: bool,
    /// The running virtual machine it is attached to; without one nothing answers.
    pub machine: Option<Machine>,
}

/// The virtual machine behind a network interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// Id.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// The interface is its first, by which its own packets leave.
    pub is_first: bool,
}

/// `Microsoft.Network/virtualNetworkGateways` of type ExpressRoute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gateway {
    /// Id.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// The virtual network.
    pub vnet: ResourceId,
    /// Its `GatewaySubnet`.
    pub subnet: ResourceId,
    /// SKU name, such as `UltraPerformance`.
    pub sku: String,
    /// How many scale units a gateway of a hub has; else 1.
    pub scale_units: u32,
    /// `bgpSettings.asn`, 65515 unless changed.
    pub asn: Asn,
    /// Addresses of the two instances in the GatewaySubnet.
    pub instance_addresses: [Ipv4Addr; 2],
    /// Addresses of the MSEE tunnel endpoints in the GatewaySubnet.
    pub msee_addresses: [Ipv4Addr; 2],
    /// Where it is in its life.
    pub phase: Phase,
}

/// Provider status of a circuit (`serviceProviderProvisioningState`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ProviderState {
    /// The provider has not begun.
    NotProvisioned,
    /// The provider is at work.
    Provisioning,
    /// Ready for peerings and links.
    Provisioned,
    /// The provider is taking it down.
    Deprovisioning,
}

/// `Microsoft.Network/expressRouteCircuits`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Circuit {
    /// Id.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// Peering location as `peering-locations.csv` spells its id (`washington-dc`).
    pub location_id: String,
    /// Peering location as people spell it.
    pub location: String,
    /// Provider as `service-providers.csv` spells it.
    pub provider: String,
    /// Bandwidth, Mbit/s.
    pub bandwidth_mbps: u32,
    /// `Local`, `Standard` or `Premium`.
    pub tier: String,
    /// Service key.
    pub service_key: String,
    /// Provider status.
    pub provider_state: ProviderState,
    /// `circuitProvisioningState` is `Enabled`.
    pub enabled: bool,
    /// Service tag of the circuit on the provider-facing ports, allocated by the estate.
    pub s_tag: VlanId,
    /// Peerings.
    pub peerings: Vec<Peering>,
    /// Where it is in its life.
    pub phase: Phase,
}

/// `Microsoft.Network/expressRouteCircuits/peerings`, private or Microsoft.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peering {
    /// Id.
    pub id: ResourceId,
    /// `AzurePrivatePeering` or `MicrosoftPeering`.
    pub name: String,
    /// The other side's AS number.
    pub peer_asn: Asn,
    /// C-tag.
    pub vlan: VlanId,
    /// Primary network. First usable address: customer or provider, second: Microsoft.
    pub primary: Ipv4Net,
    /// Secondary network.
    pub secondary: Ipv4Net,
    /// MD5 key.
    pub shared_key: Option<String>,
    /// `state` is `Enabled`.
    pub enabled: bool,
}

/// `Microsoft.Network/connections` of type ExpressRoute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connection {
    /// Id.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// The gateway.
    pub gateway: ResourceId,
    /// The circuit.
    pub circuit: ResourceId,
    /// `routingWeight`, 0–32000.
    pub routing_weight: u16,
    /// `expressRouteGatewayBypass` (FastPath).
    pub fast_path: bool,
    /// Where it is in its life.
    pub phase: Phase,
}
