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
