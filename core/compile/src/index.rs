//! Where resources are in a blueprint; how windows find what to show.

use std::collections::BTreeMap;
use std::net::IpAddr;

use skybridge_blueprint::{CrossConnectName, InterfaceName, LinkName, NodeName, Router, VrfName};
use skybridge_estate::ResourceId;

use crate::{HostRef, Leg};

/// Where resources are in a blueprint.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Index {
    /// Hosts by node.
    pub hosts: BTreeMap<NodeName, HostIndex>,
    /// Circuits by id.
    pub circuits: BTreeMap<ResourceId, CircuitIndex>,
    /// Gateways by id.
    pub gateways: BTreeMap<ResourceId, GatewayIndex>,
    /// Subnets of both clouds by id.
    pub subnets: BTreeMap<ResourceId, SubnetIndex>,
    /// DRGs by id: their node.
    pub drgs: BTreeMap<ResourceId, NodeName>,
    /// Virtual circuits by id: the legs' FastConnect edges.
    pub virtual_circuits: BTreeMap<ResourceId, Vec<LegIndex>>,
    /// Sites by name.
    pub sites: BTreeMap<String, SiteIndex>,
}

/// A host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostIndex {
    /// What it came from.
    pub origin: HostRef,
    /// Its address.
    pub address: IpAddr,
    /// Its further addresses, and what each came from.
    pub also: Vec<(ResourceId, IpAddr)>,
    /// Its network: the virtual network or VCN.
    pub network: ResourceId,
    /// Its subnet.
    pub subnet: ResourceId,
    /// The distributed router it is on.
    pub router: NodeName,
    /// That router's interface towards it.
    pub interface: InterfaceName,
    /// The table in which its packets are looked up: its subnet's, or its own.
    pub vrf: VrfName,
    /// Made to have something to probe from.
    pub synthetic: bool,
}

impl HostIndex {
    /// The address by which it is what `wanted` says: its own, or the one that a resource put on it.
    #[must_use]
    pub fn address_as(&self, wanted: &HostRef) -> Option<IpAddr> {
        if self.origin == *wanted {
            return Some(self.address);
        }
        let further = |id: &ResourceId| self.also.iter().find(|(also, _)| also == id);
        match wanted {
            HostRef::Resource(id) => further(id).map(|(_, address)| *address),
            HostRef::Lab(_) | HostRef::SiteNetwork(..) => None,
        }
    }

    /// True for each of its addresses.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.address == address || self.also.iter().any(|(_, also)| *also == address)
    }
}

/// A subnet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubnetIndex {
    /// The distributed router.
    pub router: NodeName,
    /// The table of this subnet.
    pub vrf: VrfName,
}

/// A circuit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CircuitIndex {
    /// Name in the blueprint.
    pub label: String,
    /// Legs of the private peering: primary, secondary.
    pub legs: Vec<LegIndex>,
    /// What carries its paths to a site.
    pub carried: Vec<CarriedLeg>,
}

/// One end of one leg.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LegIndex {
    /// The MSEE or FastConnect edge.
    pub node: NodeName,
    /// Its table for this circuit.
    pub vrf: VrfName,
    /// Its BGP instance.
    pub instance: String,
    /// The peer at the other end of the cross-connect.
    pub peer: String,
    /// Its sub-interface.
    pub interface: InterfaceName,
    /// The cross-connect, when there is one.
    pub link: Option<LinkName>,
}

/// A path of a circuit through a carrier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CarriedLeg {
    /// The path.
    pub path: Leg,
    /// The carrier's name.
    pub carrier: String,
    /// Its switch.
    pub switch: NodeName,
    /// The cross-connect on it.
    pub cross_connect: CrossConnectName,
}

/// A site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteIndex {
    /// The router that stands for its LAN; a site whose routers are all the user's own has none.
    pub lan: Option<NodeName>,
    /// Edge routers by name.
    pub routers: BTreeMap<String, SiteRouterIndex>,
}

/// A customer edge router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteRouterIndex {
    /// Its node.
    pub node: NodeName,
    /// It is the user's own.
    pub attached: bool,
    /// What it runs, or is meant to run.
    pub spec: Box<Router>,
    /// Its ends of circuits.
    pub legs: Vec<SiteLegIndex>,
}

/// A customer edge's end of one path of a circuit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteLegIndex {
    /// The circuit.
    pub circuit: ResourceId,
    /// The path.
    pub path: Leg,
    /// Its (sub-)interface.
    pub interface: InterfaceName,
    /// Its table.
    pub vrf: VrfName,
    /// Its BGP instance.
    pub instance: String,
    /// The peer that is the MSEE.
    pub peer: String,
    /// The carrier's name.
    pub carrier: String,
    /// The carrier's switch.
    pub switch: NodeName,
    /// The access line.
    pub access: LinkName,
    /// The cross-connect; absent while the circuit has no leg at the MSEE.
    pub cross_connect: Option<CrossConnectName>,
}

/// A gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatewayIndex {
    /// Its two instances.
    pub instances: Vec<NodeName>,
    /// Their BGP instance.
    pub bgp: String,
}
