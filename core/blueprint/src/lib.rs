//! What a world is built from, as data: nodes, ports, links, sessions, filters and tables.
//!
//! A blueprint is produced by `compile` from the estate and consumed by `world`, `solve` and `verify`.
//! It is complete (nothing is allocated after it), ordered (two equal estates give equal blueprints)
//! and named: every part has a stable name, so that two blueprints can be compared part by part
//! ([`diff`]) and a person can be told about `msee-1` and not about node 17.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod check;
mod diff;
mod external;
mod filter;
mod host;
mod link;
mod name;
mod router;
mod session;
mod switch;

pub use check::{Fault, check};
pub use diff::{Change, ChangeClass, diff};
pub use external::{Attached, Device, External, Machine, PortMode};
pub use filter::{
    Access, AddressSet, Filter, PortRange, Protocol, Rule, RuleSet, RuleSetMode, Tracking,
};
pub use host::{Host, Service, ServiceKind};
pub use link::{Endpoint, Link, LinkClass};
pub use name::{CrossConnectName, InterfaceName, LinkName, NodeName, PortName, VrfName};
pub use router::{
    DropKind, HopVisibility, Interface, NextHop, Policer, Port, RouteSource, Router, StaticRoute,
    Tagging, Vrf, Zone,
};
pub use session::{
    BfdParameters, BgpInstance, BgpPeer, ExportPolicy, ImportTo, MaxPrefixes, NextHopRule,
    Originated, PathRole, PolicyAction, PolicyMatch, PolicyRule, PrefixMatch, RoutePolicy, Secret,
    SourceTag,
};

pub use switch::{CarrierFault, CrossConnect, CrossConnectEnd, ServicePoint, Switch, SwitchPort};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A whole network, ready to run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Blueprint {
    /// Every node by its name.
    pub nodes: BTreeMap<NodeName, Node>,
    /// Every link by its name. A port is joined by at most one link.
    pub links: BTreeMap<LinkName, Link>,
}

/// One node and what a person should know about it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Who would be called when it breaks.
    pub owner: Owner,
    /// What it is in the field's terms, such as "MSEE" or "DRG".
    pub role: Role,
    /// Where it stands, such as an ExpressRoute location or a region; only for people.
    pub location: String,
    /// The tenant (circuit or virtual network) whose traffic it alone carries; shared nodes have none.
    pub tenant: Option<String>,
    /// The machine itself.
    pub kind: NodeKind,
}

/// The machine a node is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NodeKind {
    /// Forwards between interfaces.
    Router(Box<Router>),
    /// Ends traffic.
    Host(Box<Host>),
    /// Its other side is outside the world.
    External(Box<External>),
    /// Carries frames between its ports by their tags.
    Switch(Box<Switch>),
}

/// Who operates a part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The user's own side.
    Customer,
    /// A connectivity provider.
    Provider,
    /// Microsoft.
    Azure,
    /// Oracle.
    Oracle,
}

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Microsoft Enterprise Edge router of an ExpressRoute location.
    Msee,
    /// FastConnect edge router.
    FastConnectEdge,
    /// One instance of a virtual network gateway.
    GatewayInstance,
    /// The distributed router of an Azure virtual network.
    VnetRouter,
    /// The distributed router of an OCI virtual cloud network.
    VcnRouter,
    /// Dynamic routing gateway.
    Drg,
    /// A virtual machine, instance or synthetic probe.
    Host,
    /// Customer edge router of a site.
    CustomerEdge,
    /// Everything inside a site, as one router.
    SiteLan,
    /// Provider edge router or switch of a carrier.
    ProviderEdge,
    /// A cloud's own firewall, run redundantly by the cloud.
    Firewall,
    /// What a virtual machine or instance does that forwards for others.
    Appliance,
}

impl Role {
    /// The name the field uses.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Msee => "MSEE",
            Self::FastConnectEdge => "FastConnect edge",
            Self::GatewayInstance => "gateway instance",
            Self::VnetRouter => "VNet router",
            Self::VcnRouter => "VCN router",
            Self::Drg => "DRG",
            Self::Host => "host",
            Self::CustomerEdge => "customer edge",
            Self::SiteLan => "site LAN",
            Self::ProviderEdge => "provider edge",
            Self::Firewall => "firewall",
            Self::Appliance => "appliance",
        }
    }
}

impl Node {
    /// The router inside, when it is one.
    #[must_use]
    pub fn as_router(&self) -> Option<&Router> {
        match &self.kind {
            NodeKind::Router(router) => Some(router),
            NodeKind::Host(_) | NodeKind::External(_) | NodeKind::Switch(_) => None,
        }
    }

    /// The host inside, when it is one: in the world, or a network namespace.
    #[must_use]
    pub fn as_host(&self) -> Option<&Host> {
        match &self.kind {
            NodeKind::Host(host) => Some(host),
            NodeKind::External(external) => match &**external {
                External::Namespace(host) => Some(host),
                External::Attached(_) => None,
            },
            NodeKind::Router(_) | NodeKind::Switch(_) => None,
        }
    }

    /// The switch inside, when it is one.
    #[must_use]
    pub fn as_switch(&self) -> Option<&Switch> {
        match &self.kind {
            NodeKind::Switch(switch) => Some(switch),
            NodeKind::Router(_) | NodeKind::Host(_) | NodeKind::External(_) => None,
        }
    }
}
