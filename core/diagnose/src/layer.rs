//! The layers of a path, in the order in which one rests on the other.

use serde::{Deserialize, Serialize};
use skybridge_blueprint::Owner;

/// A layer. The order is that of dependency: what is broken lower down breaks what is above.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The provider has provisioned the circuit.
    Provider,
    /// Routers and gateways on the way answer.
    Device,
    /// Ports are up and frames sent at one end arrive at the other.
    Link,
    /// They arrive with the tags that are expected.
    Tags,
    /// All of them arrive.
    Loss,
    /// Neighbours answer ARP.
    Arp,
    /// Sessions are established.
    Bgp,
    /// BFD is up where both ends run it.
    Bfd,
    /// Routes are announced, accepted and brought into the tables.
    Routes,
    /// Tables send the packet on, and in the right direction.
    Forwarding,
    /// Security groups and lists let it pass, both ways.
    Filters,
    /// Packets of full size pass.
    Mtu,
    /// Policers let it pass.
    Policers,
    /// The host runs and answers.
    Host,
    /// Something listens.
    Service,
}

impl Layer {
    /// Every layer, lowest first.
    pub const ALL: [Self; 15] = [
        Self::Provider,
        Self::Device,
        Self::Link,
        Self::Tags,
        Self::Loss,
        Self::Arp,
        Self::Bgp,
        Self::Bfd,
        Self::Routes,
        Self::Forwarding,
        Self::Filters,
        Self::Mtu,
        Self::Policers,
        Self::Host,
        Self::Service,
    ];

    /// As people and documents spell it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Device => "device",
            Self::Link => "link",
            Self::Tags => "tags",
            Self::Loss => "loss",
            Self::Arp => "arp",
            Self::Bgp => "bgp",
            Self::Bfd => "bfd",
            Self::Routes => "routes",
            Self::Forwarding => "forwarding",
            Self::Filters => "filters",
            Self::Mtu => "mtu",
            Self::Policers => "policers",
            Self::Host => "host",
            Self::Service => "service",
        }
    }
}

/// Who would be called.
#[must_use]
pub const fn owner_words(owner: Owner) -> &'static str {
    match owner {
        Owner::Customer => "you",
        Owner::Provider => "provider",
        Owner::Azure => "Azure",
        Owner::Oracle => "Oracle",
    }
}
