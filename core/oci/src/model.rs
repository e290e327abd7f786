//! OCI's resources as the compiler and the rules read them: typed, complete, in the order of their ids.
//!
//! A model is read from an estate and never written back. What cannot be read (a placeholder, a value
//! that no rule accepts) is left out and named in [`OciModel::gaps`].

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_base::{Asn, VlanId};
use skybridge_estate::{Phase, ResourceId};

/// Everything of OCI in an estate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OciModel {
    /// Virtual cloud networks with their subnets.
    pub vcns: Vec<Vcn>,
    /// Route tables of VCNs.
    pub route_tables: Vec<RouteTable>,
    /// Security lists.
    pub security_lists: Vec<SecurityList>,
    /// Network security groups.
    pub security_groups: Vec<SecurityGroup>,
    /// Virtual network interface cards of running instances.
    pub vnics: Vec<Vnic>,
    /// Dynamic routing gateways with tables and attachments.
    pub drgs: Vec<Drg>,
    /// FastConnect virtual circuits.
    pub virtual_circuits: Vec<VirtualCircuit>,
    /// Local peering gateways: VCN to VCN.
    pub local_peerings: Vec<LocalPeering>,
    /// Remote peering connections: DRG to DRG.
    pub remote_peerings: Vec<RemotePeering>,
    /// Tunnels of IPsec connections: what takes them is not modelled.
    pub tunnels: Vec<Tunnel>,
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

/// A virtual cloud network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vcn {
    /// OCID.
    pub id: ResourceId,
    /// Display name, or the front door's name for it.
    pub name: String,
    /// Region, such as `us-ashburn-1`.
    pub region: String,
    /// CIDR blocks.
    pub cidr_blocks: Vec<IpNet>,
    /// Subnets by id.
    pub subnets: Vec<Subnet>,
}

/// A subnet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subnet {
    /// OCID.
    pub id: ResourceId,
    /// Display name, or the front door's name for it.
    pub name: String,
    /// CIDR block.
    pub cidr_block: IpNet,
    /// Its route table (the VCN's default table when none was named).
    pub route_table: ResourceId,
    /// Its security lists (the VCN's default list when none was named).
    pub security_lists: Vec<ResourceId>,
}

/// A route table of a VCN.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteTable {
    /// OCID.
    pub id: ResourceId,
    /// Display name.
    pub name: String,
    /// Rules for addresses.
    pub rules: Vec<RouteRule>,
    /// Service gateways that rules for Oracle's services lead to.
    pub services: Vec<ResourceId>,
}

/// One route rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteRule {
    /// Destination.
    pub destination: IpNet,
    /// Target.
    pub target: RouteTarget,
}

/// What a route rule points at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RouteTarget {
    /// A DRG; dead unless attached to this VCN.
    Drg(ResourceId),
    /// An internet or NAT gateway.
    Internet(ResourceId),
    /// A local peering gateway of this VCN.
    LocalPeering(ResourceId),
    /// A private IP as next hop.
    PrivateIp(IpAddr),
    /// Something not modelled.
    NotModelled(ResourceId),
    /// A resource that does not exist.
    Missing(ResourceId),
}

/// A security list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecurityList {
    /// OCID.
    pub id: ResourceId,
    /// Display name.
    pub name: String,
    /// Rules of both directions.
    pub rules: Vec<SecurityRule>,
}

/// A network security group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecurityGroup {
    /// OCID.
    pub id: ResourceId,
    /// Display name.
    pub name: String,
    /// Rules of both directions.
    pub rules: Vec<SecurityRule>,
}

/// One allow rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecurityRule {
    /// For people: its place, such as `ingress_security_rules[0]`.
    pub name: String,
    /// Ingress, else egress.
    pub ingress: bool,
    /// Stateless.
    pub stateless: bool,
    /// IP protocol number; `None` is all.
    pub protocol: Option<u8>,
    /// TCP/UDP source ports; `None` is any.
    pub source_ports: Option<(u16, u16)>,
    /// TCP/UDP destination ports; `None` is any.
    pub destination_ports: Option<(u16, u16)>,
    /// ICMP type and perhaps code; `None` is any.
    pub icmp: Option<(u8, Option<u8>)>,
    /// Source (ingress) or destination (egress).
    pub peer: RulePeer,
    /// Rests on a placeholder.
    pub unknown: bool,
}

/// The other end of a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RulePeer {
    /// A CIDR block.
    Cidr(IpNet),
    /// A network security group of the same VCN.
    Group(ResourceId),
    /// An Oracle service label.
    Service(String),
}

/// A VNIC of a running instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vnic {
    /// OCID.
    pub id: ResourceId,
    /// The instance's OCID.
    pub instance: ResourceId,
    /// The instance's display name, or the front door's name for it.
    pub name: String,
    /// What attaches a secondary VNIC, and what it is called; `None` for the primary one.
    pub attachment: Option<(ResourceId, String)>,
    /// Its subnet.
    pub subnet: ResourceId,
    /// Primary private address.
    pub address: IpAddr,
    /// Secondary private IPs.
    pub secondary: Vec<(ResourceId, IpAddr)>,
    /// A route table of its own in the place of the subnet's.
    pub route_table: Option<ResourceId>,
    /// Network security groups.
    pub security_groups: Vec<ResourceId>,
    /// `skipSourceDestCheck`.
    pub skip_source_check: bool,
}

/// A dynamic routing gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drg {
    /// OCID.
    pub id: ResourceId,
    /// Display name, or the front door's name for it.
    pub name: String,
    /// Region.
    pub region: String,
    /// Route tables, the generated ones included.
    pub tables: Vec<DrgTable>,
    /// Attachments, those made automatically for virtual circuits included.
    pub attachments: Vec<DrgAttachment>,
}

/// A DRG route table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DrgTable {
    /// OCID.
    pub id: ResourceId,
    /// Display name.
    pub name: String,
    /// ECMP over up to 8 equal routes.
    pub ecmp: bool,
    /// Which attachments' routes it imports, in priority order; empty imports nothing.
    pub imports: Vec<ImportStatement>,
    /// Static rules: destination and the attachment.
    pub static_rules: Vec<(IpNet, ResourceId)>,
}

/// A statement of an import route distribution.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AttachmentType {
    /// A VCN.
    Vcn,
    /// A FastConnect virtual circuit.
    VirtualCircuit,
    /// An IPsec tunnel.
    IpsecTunnel,
    /// A remote peering connection.
    RemotePeeringConnection,
}

/// What a statement matches (the action is always ACCEPT).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportStatement {
    /// Everything.
    MatchAll,
    /// Attachments of a type.
    Type(AttachmentType),
    /// One attachment.
    Attachment(ResourceId),
}

/// A DRG attachment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DrgAttachment {
    /// OCID.
    pub id: ResourceId,
    /// Display name.
    pub name: String,
    /// Its type.
    pub kind: AttachmentType,
    /// The VCN or virtual circuit.
    pub network: ResourceId,
    /// The DRG route table in which packets from it are looked up.
    pub table: ResourceId,
    /// VCN attachments: the VCN route table for traffic from the DRG, when one was named.
    pub vcn_route_table: Option<ResourceId>,
    /// VCN attachments: announce the VCN's CIDR blocks and not its subnets'.
    pub announces_vcn_cidrs: bool,
}

/// What a peering leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeeringEnd {
    /// Nothing: neither end names the other.
    Nowhere,
    /// The other end, which is in this estate.
    Here(ResourceId),
    /// Another tenancy, or something that rests on a placeholder.
    Elsewhere,
}

/// A local peering gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalPeering {
    /// OCID.
    pub id: ResourceId,
    /// Display name.
    pub name: String,
    /// Its VCN.
    pub vcn: ResourceId,
    /// The gateway at the other end.
    pub end: PeeringEnd,
    /// The VCN route table for traffic that comes in by it, when one was named.
    pub route_table: Option<ResourceId>,
}

/// A remote peering connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemotePeering {
    /// OCID.
    pub id: ResourceId,
    /// Display name.
    pub name: String,
    /// Its DRG.
    pub drg: ResourceId,
    /// The connection at the other end.
    pub end: PeeringEnd,
}

/// A tunnel of an IPsec connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tunnel {
    /// OCID.
    pub id: ResourceId,
    /// The static routes of its connection; `None` while it learns its routes by BGP.
    pub static_routes: Option<Vec<IpNet>>,
}

/// A FastConnect virtual circuit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualCircuit {
    /// OCID.
    pub id: ResourceId,
    /// Display name, or the front door's name for it.
    pub name: String,
    /// Region.
    pub region: String,
    /// Private (needs a DRG), else public (reported as a gap).
    pub private: bool,
    /// The DRG.
    pub drg: Option<ResourceId>,
    /// `lifecycleState`, such as `PROVISIONED`.
    pub lifecycle_state: String,
    /// The provider's name; `None` over an own cross-connect.
    pub provider: Option<String>,
    /// The provider hands frames on as they are (layer 2), or there is none.
    pub is_layer2: bool,
    /// The other provider's key: the ExpressRoute service key.
    pub service_key: Option<String>,
    /// Bandwidth, Mbit/s.
    pub bandwidth_mbps: u32,
    /// Cross-connect mappings: primary, then secondary.
    pub mappings: Vec<Mapping>,
    /// The customer's (Azure's) AS number.
    pub customer_asn: Asn,
    /// Oracle's AS number.
    pub oracle_asn: Asn,
    /// BFD enabled.
    pub bfd: bool,
    /// `ipMtu`: 1500 or 9000.
    pub mtu: u16,
    /// `bgpAdminState` is `ENABLED`.
    pub bgp_enabled: bool,
    /// Where it is in its life.
    pub phase: Phase,
}

/// One leg of a virtual circuit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// Oracle's address with its prefix.
    pub oracle: IpNet,
    /// The customer's (Azure's) address with its prefix.
    pub customer: IpNet,
    /// VLAN, when set.
    pub vlan: Option<VlanId>,
    /// MD5 key.
    pub md5: Option<String>,
}
