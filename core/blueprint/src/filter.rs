//! Packet filters: network security groups, security lists, as one shape.

use std::ops::RangeInclusive;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::VrfName;

/// What a packet meets at an interface in one direction: every rule set in turn, all must allow.
///
/// Azure: inbound subnet NSG then NIC NSG, outbound NIC then subnet (two ordered sets). OCI: one union
/// set of all security lists and NSGs of the VNIC.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Filter {
    /// The sets, in the order they are met.
    pub sets: Vec<RuleSet>,
}

/// A named group of rules.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RuleSet {
    /// For people: the resource it came from.
    pub name: String,
    /// How the rules combine.
    pub mode: RuleSetMode,
    /// The rules; for [`RuleSetMode::FirstMatch`] in ascending priority.
    pub rules: Vec<Rule>,
}

/// How the rules of a set combine. What no rule matches is denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleSetMode {
    /// The first matching rule decides (Azure NSG).
    FirstMatch,
    /// Any matching allow rule allows; a matching stateless rule wins over stateful ones (OCI).
    UnionOfAllows,
}

/// Allow or deny.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Let it pass.
    Allow,
    /// Drop it.
    Deny,
}

/// Whether an allowed packet opens a flow whose replies pass unasked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tracking {
    /// Replies pass without a rule.
    Stateful,
    /// Each direction is judged alone.
    Stateless,
}

/// An inclusive range of ports or ICMP types.
pub type PortRange = RangeInclusive<u16>;

/// Which packets by protocol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Every protocol.
    Any,
    /// This IP protocol number, whatever its ports.
    Number(u8),
    /// TCP, UDP or SCTP by number with ports; an empty list is every port.
    Ports {
        /// The IP protocol number.
        number: u8,
        /// Source ports.
        source: Vec<PortRange>,
        /// Destination ports.
        destination: Vec<PortRange>,
    },
    /// ICMP (v4 or v6 by number) of a type and perhaps a code.
    Icmp {
        /// 1 or 58.
        number: u8,
        /// The ICMP type.
        icmp_type: u8,
        /// The ICMP code; `None` is every code.
        code: Option<u8>,
    },
}

/// A set of addresses: listed prefixes, and perhaps whatever a table has learned by BGP.
///
/// The second half is Azure's `VirtualNetwork` tag: a prefix that is withdrawn falls out of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AddressSet {
    /// Addresses in one of these prefixes belong to the set.
    pub prefixes: Vec<IpNet>,
    /// Addresses covered by a BGP route of this table belong to the set too.
    pub learned_in: Option<VrfName>,
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// For people: the rule's name, or its place in the resource.
    pub name: String,
    /// Allow or deny.
    pub access: Access,
    /// Whether it tracks.
    pub tracking: Tracking,
    /// Which protocol and ports. Several entries are alternatives; an empty list matches nothing.
    pub protocols: Vec<Protocol>,
    /// Source addresses.
    pub sources: AddressSet,
    /// Destination addresses.
    pub destinations: AddressSet,
    /// The rule rests on a value that nobody knows (a placeholder). It never matches on the wire. Its
    /// fields hold everything that the value could be; a verdict on a packet that they match, and that the
    /// rule could have changed, is unknown.
    pub unknown: bool,
}
