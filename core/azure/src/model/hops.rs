//! What forwards for others: firewalls and their rules.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_estate::ResourceId;

use super::RuleAddress;

/// `Microsoft.Network/azureFirewalls` in a virtual network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Firewall {
    /// Id.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// Its `AzureFirewallSubnet`.
    pub subnet: ResourceId,
    /// Its private address, the next hop of user routes.
    pub address: IpAddr,
    /// What it judges by: a name for people, that of the policy or of the firewall itself.
    pub rules_of: String,
    /// Network rules in the order in which they are asked, then application rules.
    pub rules: Vec<FirewallRule>,
    /// Destinations whose packets keep their source.
    pub private_ranges: PrivateRanges,
}

/// `Microsoft.Network/loadBalancers` with frontends in virtual networks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadBalancer {
    /// Id.
    pub id: ResourceId,
    /// Name.
    pub name: String,
    /// Frontends with private addresses.
    pub frontends: Vec<Frontend>,
    /// Its rules.
    pub rules: Vec<BalancingRule>,
}

/// A private frontend of a load balancer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frontend {
    /// Name.
    pub name: String,
    /// Its subnet.
    pub subnet: ResourceId,
    /// Its address.
    pub address: IpAddr,
}

/// A rule of a load balancer (`loadBalancingRules`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BalancingRule {
    /// Name.
    pub name: String,
    /// The frontend.
    pub frontend: String,
    /// IP protocol number; `None` is all: an HA ports rule, whose ports are 0.
    pub protocol: Option<u8>,
    /// Port at the frontend.
    pub frontend_port: u16,
    /// Port at the machines.
    pub backend_port: u16,
    /// Addresses of the machines.
    pub members: Vec<IpAddr>,
    /// Rests on what is not known: a member's address, or a field.
    pub unknown: bool,
}

/// One rule of a firewall.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FirewallRule {
    /// Collection and rule, for people.
    pub name: String,
    /// Allow, else deny.
    pub allow: bool,
    /// IP protocol numbers; `None` is any.
    pub protocols: Vec<Option<u8>>,
    /// Destination port ranges; empty is any.
    pub destination_ports: Vec<(u16, u16)>,
    /// Sources.
    pub sources: Vec<RuleAddress>,
    /// Destinations.
    pub destinations: Vec<RuleAddress>,
    /// Rests on what is not known: a placeholder, a name that DNS resolves, a service's addresses, what a
    /// client says inside its connection.
    pub unknown: bool,
}

/// Where a firewall does not translate sources (`privateRanges`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PrivateRanges {
    /// These; `0.0.0.0/0` translates nothing.
    Known(Vec<IpNet>),
    /// They rest on a placeholder.
    Unknown,
}
