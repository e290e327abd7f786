//! The blueprint under construction and the small things every part needs.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use skybridge_base::{MacAddr, TraceHash};
use skybridge_blueprint::{
    Blueprint, Endpoint, HopVisibility, Interface, InterfaceName, Link, LinkClass, LinkName,
    NextHop, Node, NodeKind, NodeName, Owner, Port, PortName, Role, RouteSource, Router,
    StaticRoute, Tagging, Vrf, VrfName,
};
use skybridge_catalogue::{Grade, catalogue};
use skybridge_estate::ResourceId;

use crate::{Compiled, Index, Inputs, label};

/// IP MTU of cloud backbones and of links inside a virtual network; interfaces set the real limits.
pub(crate) const BACKBONE_MTU: u16 = 9000;

pub(crate) struct Builder<'a> {
    pub(crate) inputs: Inputs<'a>,
    pub(crate) blueprint: Blueprint,
    pub(crate) index: Index,
    pub(crate) gaps: Vec<(ResourceId, String)>,
    /// Addresses of the hosts so far, with their network.
    pub(crate) hosts_at: BTreeSet<(IpAddr, ResourceId)>,
    /// Addresses of interface cards, whatever their network.
    pub(crate) cards_at: BTreeSet<IpAddr>,
    assumed: BTreeSet<&'static str>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(inputs: Inputs<'a>) -> Self {
        let gaps = (inputs.azure.gaps.iter().map(|g| (&g.resource, &g.what)))
            .chain(inputs.oci.gaps.iter().map(|g| (&g.resource, &g.what)))
            .map(|(id, what)| (id.clone(), what.clone()))
            .collect();
        let nics = inputs.azure.interfaces.iter().map(|nic| nic.address);
        let vnics = inputs.oci.vnics.iter().map(|vnic| vnic.address);
        Self {
            cards_at: nics.chain(vnics).collect(),
            hosts_at: BTreeSet::new(),
            inputs,
            blueprint: Blueprint::default(),
            index: Index::default(),
            gaps,
            assumed: BTreeSet::new(),
        }
    }

    pub(crate) fn finish(self) -> Compiled {
        Compiled {
            blueprint: self.blueprint,
            index: self.index,
            gaps: self.gaps,
            assumed: self.assumed.into_iter().collect(),
        }
    }

    /// A behaviour's value from the catalogue; an assumed one is noted.
    pub(crate) fn behaviour(&mut self, name: &'static str) -> u32 {
        let behaviour = catalogue()
            .behaviour(name)
            .expect("every behaviour asked for is in behaviours.csv; a test compiles them all");
        if behaviour.grade == Grade::Assumed {
            self.assumed.insert(name);
        }
        u32::try_from(behaviour.value).unwrap_or(u32::MAX)
    }

    /// A behaviour in milliseconds.
    pub(crate) fn behaviour_ms(&mut self, name: &'static str) -> Duration {
        Duration::from_millis(u64::from(self.behaviour(name)))
    }

    /// A behaviour in seconds, as a BGP timer.
    pub(crate) fn behaviour_s(&mut self, name: &'static str) -> u16 {
        u16::try_from(self.behaviour(name)).unwrap_or(u16::MAX)
    }

    /// A limit in force.
    pub(crate) fn limit(&self, cloud: &str, name: &str, qualifier: &str) -> Option<u32> {
        let value = catalogue().limit_in(self.inputs.estate, cloud, name, qualifier)?;
        Some(u32::try_from(value).unwrap_or(u32::MAX))
    }

    pub(crate) fn gap(&mut self, resource: &ResourceId, what: impl Into<String>) {
        self.gaps.push((resource.clone(), what.into()));
    }

    pub(crate) fn label(&self, name: &str, id: &ResourceId) -> String {
        label(self.inputs.estate, name, id)
    }

    /// The router called `name`, made when it is not there yet.
    pub(crate) fn router(&mut self, name: &NodeName, make: impl FnOnce() -> Node) -> &mut Router {
        let node = self
            .blueprint
            .nodes
            .entry(name.clone())
            .or_insert_with(make);
        match &mut node.kind {
            NodeKind::Router(router) => router,
            NodeKind::Host(_) | NodeKind::External(_) | NodeKind::Switch(_) => {
                unreachable!("hosts and routers never share a name")
            }
        }
    }

    /// The router called `name`, when it is there.
    pub(crate) fn router_mut(&mut self, name: &NodeName) -> Option<&mut Router> {
        match &mut self.blueprint.nodes.get_mut(name)?.kind {
            NodeKind::Router(router) => Some(router),
            NodeKind::Host(_) | NodeKind::External(_) | NodeKind::Switch(_) => None,
        }
    }

    /// Joins two ports by an ideal link, which the caller may change.
    pub(crate) fn link(
        &mut self,
        name: LinkName,
        a: (&NodeName, &PortName),
        b: (&NodeName, &PortName),
        class: LinkClass,
        owner: Owner,
    ) -> &mut Link {
        let end = |(node, port): (&NodeName, &PortName)| Endpoint {
            node: node.clone(),
            port: port.clone(),
        };
        self.blueprint.links.entry(name).or_insert_with(|| Link {
            a: end(a),
            b: end(b),
            class,
            owner,
            delay: None,
            jitter: Duration::ZERO,
            loss_ppm: 0,
            rate_bps: None,
            mtu: BACKBONE_MTU,
        })
    }
}

/// A node that is a router.
pub(crate) fn router_node(
    owner: Owner,
    role: Role,
    location: &str,
    visibility: HopVisibility,
) -> Node {
    Node {
        owner,
        role,
        location: location.to_owned(),
        tenant: None,
        kind: NodeKind::Router(Box::new(Router {
            visibility,
            ..Router::default()
        })),
    }
}

/// Adds a port with its MAC address.
pub(crate) fn add_port(router: &mut Router, node: &NodeName, port: &PortName) {
    router.ports.insert(
        port.clone(),
        Port {
            mac: mac(node, port),
        },
    );
}

/// A locally administered address from the names: 40 bits of a hash, so that no allocation is needed.
pub(crate) fn mac(node: &NodeName, port: &PortName) -> MacAddr {
    let mut hash = TraceHash::default();
    hash.bytes(node.as_str().as_bytes());
    hash.bytes(b"/");
    hash.bytes(port.as_str().as_bytes());
    let value = hash.value();
    MacAddr::local(value ^ (value >> 24))
}

/// An interface that passes everything.
pub(crate) fn plain_interface(port: &PortName, vrf: &VrfName, addresses: Vec<IpNet>) -> Interface {
    Interface {
        port: port.clone(),
        tagging: Tagging::Untagged,
        vrf: vrf.clone(),
        addresses,
        connected_routes: false,
        mtu: BACKBONE_MTU,
        proxy_arp: false,
        filter_in: None,
        filter_out: None,
        policer_in: None,
        policer_out: None,
        zone: None,
        source_check: None,
        tenant: None,
    }
}

/// An empty table.
pub(crate) fn table(label: &str, ecmp_max: u8) -> Vrf {
    Vrf {
        routes: Vec::new(),
        ecmp_max,
        symmetric: false,
        label: label.to_owned(),
    }
}

/// A system route.
pub(crate) fn system(prefix: IpNet, next_hop: NextHop) -> StaticRoute {
    StaticRoute {
        prefix,
        next_hop,
        preference: crate::tags::SYSTEM,
        source: RouteSource::System,
    }
}

/// The route to one neighbour on an interface.
pub(crate) fn neighbour(address: IpAddr, interface: &InterfaceName) -> StaticRoute {
    StaticRoute {
        prefix: host_prefix(address),
        next_hop: NextHop::Connected {
            interface: interface.clone(),
        },
        preference: 0,
        source: RouteSource::Connected,
    }
}

/// The prefix that holds one address.
pub(crate) fn host_prefix(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

/// Everything, of both families.
pub(crate) fn everywhere() -> Vec<IpNet> {
    vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())]
}
