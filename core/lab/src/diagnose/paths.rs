//! Which neighbours lie between two hosts, as documents have it: whatever runs at present.

use std::collections::BTreeMap;

use skybridge_blueprint::{
    Endpoint, InterfaceName, LinkName, Node, NodeKind, NodeName, PortName, Role, Router, VrfName,
};

use crate::lab::Lab;

/// An interface of a router, or a host's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Attached {
    pub(super) node: NodeName,
    pub(super) port: PortName,
    /// None at a host.
    pub(super) interface: Option<InterfaceName>,
}

/// Links with their ports, in the order in which they are passed.
pub(super) type Chain = Vec<(LinkName, [Endpoint; 2])>;

/// Two neighbours, the one towards the asking host first, and the links between them with their ports.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Wire {
    pub(super) ends: [Attached; 2],
    pub(super) links: Chain,
}

impl Wire {
    fn turned(mut self) -> Self {
        self.ends.reverse();
        self.links.reverse();
        for (_, ends) in &mut self.links {
            ends.reverse();
        }
        self
    }
}

/// A place in the graph: a router, or the part of an edge router that serves one circuit.
type Vertex = (NodeName, Option<VrfName>);

/// Devices that a chain of links may pass at most.
const CHAIN_MAX: usize = 8;

/// A router as it is described: one of the user's own as documents mean it to be.
pub(super) fn router<'a>(lab: &'a Lab, name: &NodeName) -> Option<&'a Router> {
    let compiled = &lab.network.compiled;
    let node = compiled.blueprint.nodes.get(name)?;
    node.as_router().or_else(|| {
        let mut routers = compiled
            .index
            .sites
            .values()
            .flat_map(|s| s.routers.values());
        let found = routers.find(|router| router.attached && router.node == *name)?;
        Some(&*found.spec)
    })
}

/// The neighbours on every shortest way from a host to each of the ends.
pub(super) fn to_ends(lab: &Lab, from: &NodeName, ends: &[NodeName]) -> Vec<Wire> {
    let mut found: Vec<Wire> = Vec::new();
    for end in ends {
        for wire in between(lab, from, end) {
            if !found.contains(&wire) {
                found.push(wire);
            }
        }
    }
    found
}

/// The neighbours on every shortest way between two ends. Redundant ways are equally long in what is
/// compiled. Where no way is left, everything that each end can reach.
fn between(lab: &Lab, from: &NodeName, to: &NodeName) -> Vec<Wire> {
    let wires = wires(lab, from, to);
    let from_here = distances(lab, &wires, from);
    let to_there = distances(lab, &wires, to);
    let whole = from_here.get(&(to.clone(), None)).copied();
    let mut found: Vec<(u32, Wire)> = Vec::new();
    for wire in wires {
        let [a, b] = vertices(lab, &wire);
        let length = weight(lab, &wire);
        let known = |map: &BTreeMap<Vertex, u32>, v: &Vertex| map.get(v).copied();
        if let Some(whole) = whole {
            let on_way = |x: &Vertex, y: &Vertex| match (known(&from_here, x), known(&to_there, y))
            {
                (Some(before), Some(after)) => before + length + after == whole,
                (None, _) | (_, None) => false,
            };
            if on_way(&a, &b) {
                found.push((from_here[&a], wire));
            } else if on_way(&b, &a) {
                found.push((from_here[&b], wire.turned()));
            }
            continue;
        }
        if let (Some(near), Some(far)) = (known(&from_here, &a), known(&from_here, &b)) {
            found.push(if near <= far {
                (near, wire)
            } else {
                (far, wire.turned())
            });
        } else if let (Some(near), Some(far)) = (known(&to_there, &a), known(&to_there, &b)) {
            let order = u32::MAX - near.max(far);
            found.push(if near >= far {
                (order, wire)
            } else {
                (order, wire.turned())
            });
        }
    }
    found.sort();
    found.into_iter().map(|(_, wire)| wire).collect()
}

/// Every pair of neighbours that could lie between the hosts: no other host, no other cloud network.
fn wires(lab: &Lab, from: &NodeName, to: &NodeName) -> Vec<Wire> {
    let blueprint = &lab.network.compiled.blueprint;
    let routers: Vec<&NodeName> = (blueprint.links.values())
        .filter_map(|link| {
            let ends = [(&link.a.node, &link.b.node), (&link.b.node, &link.a.node)];
            (ends.into_iter())
                .find(|(end, _)| *end == from || *end == to)
                .map(|(_, other)| other)
        })
        .collect();
    let is_allowed = |name: &NodeName, node: &Node| match node.role {
        Role::Host => name == from || name == to,
        Role::VnetRouter | Role::VcnRouter | Role::SiteLan => routers.contains(&name),
        Role::Msee
        | Role::FastConnectEdge
        | Role::GatewayInstance
        | Role::Drg
        | Role::CustomerEdge
        | Role::ProviderEdge
        | Role::Firewall
        | Role::Appliance => true,
    };
    let mut wires = Vec::new();
    for (name, node) in &blueprint.nodes {
        if !is_allowed(name, node) || passes(node) {
            continue;
        }
        for port in ports(node) {
            for (far, links) in chains(lab, name, port) {
                let Some(other) = blueprint.nodes.get(&far.node) else {
                    continue;
                };
                // Each pair once.
                if is_allowed(&far.node, other) && (name, port) < (&far.node, &far.port) {
                    pair(lab, &mut wires, (name, port), &far, &links);
                }
            }
        }
    }
    wires
}

/// True for what passes frames on without being anybody's neighbour.
const fn passes(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Router(_) | NodeKind::Host(_) | NodeKind::External(_) => false,
        NodeKind::Switch(_) => true,
    }
}

fn ports(node: &Node) -> Vec<&PortName> {
    match &node.kind {
        NodeKind::Router(router) => router.ports.keys().collect(),
        NodeKind::Host(host) => vec![&host.port],
        NodeKind::External(external) => vec![external.port()],
        NodeKind::Switch(switch) => switch.ports.keys().collect(),
    }
}

/// The ports of neighbours that frames of a port can reach, with the links passed.
fn chains(lab: &Lab, node: &NodeName, port: &PortName) -> Vec<(Endpoint, Chain)> {
    let blueprint = &lab.network.compiled.blueprint;
    let mut found = Vec::new();
    let start = Endpoint {
        node: node.clone(),
        port: port.clone(),
    };
    let mut open = vec![(start, Vec::new())];
    while let Some((here, links)) = open.pop() {
        let link = (blueprint.links.iter()).find(|(_, link)| link.a == here || link.b == here);
        let Some((name, link)) = link else { continue };
        let far = if link.a == here { &link.b } else { &link.a };
        let mut links = links;
        links.push((name.clone(), [here, far.clone()]));
        let Some(other) = blueprint.nodes.get(&far.node) else {
            continue;
        };
        if !passes(other) {
            found.push((far.clone(), links));
        } else if links.len() < CHAIN_MAX {
            for port in ports(other).into_iter().filter(|p| **p != far.port) {
                let next = Endpoint {
                    node: far.node.clone(),
                    port: port.clone(),
                };
                open.push((next, links.clone()));
            }
        }
    }
    found
}

/// Interfaces of two ports that belong together: by the addresses of their sessions, else by their tags,
/// else because there is only one.
fn pair(
    lab: &Lab,
    wires: &mut Vec<Wire>,
    (name, port): (&NodeName, &PortName),
    far: &Endpoint,
    links: &[(LinkName, [Endpoint; 2])],
) {
    let near_end = |interface: Option<&InterfaceName>| Attached {
        node: name.clone(),
        port: port.clone(),
        interface: interface.cloned(),
    };
    let far_end = |interface: Option<&InterfaceName>| Attached {
        node: far.node.clone(),
        port: far.port.clone(),
        interface: interface.cloned(),
    };
    let (a, b) = match (router(lab, name), router(lab, &far.node)) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => {
            let first = |router: Option<&Router>, port: &PortName| {
                router.and_then(|r| on_port(r, port).next().cloned())
            };
            let ends = [
                near_end(first(a, port).as_ref()),
                far_end(first(b, &far.port).as_ref()),
            ];
            wires.push(Wire {
                ends,
                links: links.to_vec(),
            });
            return;
        }
    };
    let theirs: Vec<&InterfaceName> = on_port(b, &far.port).collect();
    let ours: Vec<&InterfaceName> = on_port(a, port).collect();
    for mine in &ours {
        let by_session = theirs
            .iter()
            .find(|j| speaks(a, mine, b, j) || speaks(b, j, a, mine));
        let by_tags = || {
            let tagging = a.interfaces.get(*mine).map(|i| i.tagging);
            theirs
                .iter()
                .find(|j| b.interfaces.get(**j).map(|i| i.tagging) == tagging)
        };
        let only = || {
            theirs
                .first()
                .filter(|_| theirs.len() == 1 && ours.len() == 1)
        };
        if let Some(partner) = by_session.or_else(by_tags).or_else(only) {
            let ends = [near_end(Some(mine)), far_end(Some(partner))];
            wires.push(Wire {
                ends,
                links: links.to_vec(),
            });
        }
    }
}

fn on_port<'a>(router: &'a Router, port: &'a PortName) -> impl Iterator<Item = &'a InterfaceName> {
    (router.interfaces.iter())
        .filter(move |(_, i)| i.port == *port)
        .map(|(name, _)| name)
}

/// A session on `mine` is with an address of `theirs`.
fn speaks(a: &Router, mine: &InterfaceName, b: &Router, theirs: &InterfaceName) -> bool {
    let Some(other) = b.interfaces.get(theirs) else {
        return false;
    };
    (a.bgp.values().flat_map(|bgp| bgp.peers.values())).any(|peer| {
        peer.interface == *mine && other.addresses.iter().any(|net| net.addr() == peer.remote)
    })
}

fn vertices(lab: &Lab, wire: &Wire) -> [Vertex; 2] {
    let blueprint = &lab.network.compiled.blueprint;
    wire.ends.clone().map(|end| {
        let node = blueprint.nodes.get(&end.node);
        let is_edge = node.is_some_and(|n| matches!(n.role, Role::Msee | Role::FastConnectEdge));
        let interface = end.interface.as_ref();
        let vrf = (node.and_then(Node::as_router))
            .and_then(|router| router.interfaces.get(interface?))
            .map(|interface| interface.vrf.clone());
        (end.node, vrf.filter(|_| is_edge))
    })
}

/// The way from a network's router straight to an MSEE counts as that by the gateway: both are one way.
fn weight(lab: &Lab, wire: &Wire) -> u32 {
    let blueprint = &lab.network.compiled.blueprint;
    let roles = wire
        .ends
        .clone()
        .map(|end| blueprint.nodes.get(&end.node).map(|n| n.role));
    match roles {
        [Some(Role::VnetRouter), Some(Role::Msee)] | [Some(Role::Msee), Some(Role::VnetRouter)] => {
            2
        }
        _ => 1,
    }
}

fn distances(lab: &Lab, wires: &[Wire], from: &NodeName) -> BTreeMap<Vertex, u32> {
    let mut found: BTreeMap<Vertex, u32> = [((from.clone(), None), 0)].into();
    loop {
        let mut moved = false;
        for wire in wires {
            let [a, b] = vertices(lab, wire);
            let length = weight(lab, wire);
            for (x, y) in [(&a, &b), (&b, &a)] {
                // Hosts are ends: nothing goes through them.
                let node = lab.network.compiled.blueprint.nodes.get(&x.0);
                let is_end = node.is_some_and(|n| n.role == Role::Host);
                let Some(near) = found.get(x).copied() else {
                    continue;
                };
                if is_end && x.0 != *from {
                    continue;
                }
                let far = near + length;
                if found.get(y).is_none_or(|known| *known > far) {
                    found.insert(y.clone(), far);
                    moved = true;
                }
            }
        }
        if !moved {
            return found;
        }
    }
}
