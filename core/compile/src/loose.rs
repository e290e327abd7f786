//! Networks that something joins to others and that nobody models, such as a VPN gateway: what becomes of
//! their packets that have no other route is unknown, not "no".

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_azure::model::{Circuit, NetworkPeering, PeeringState, Subnet, VirtualNetwork};
use skybridge_blueprint::{
    DropKind, NextHop, Node, NodeKind, NodeName, Role, RouteSource, Rule, StaticRoute, Vrf, VrfName,
};
use skybridge_estate::ResourceId;

use crate::builder::{Builder, everywhere};
use crate::{Inputs, drg, edge, hops, hubs, tags, vcn, vnet};

/// A network, and what joins it to something unknown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LooseEnd {
    /// A virtual network, VCN, DRG or circuit.
    pub network: ResourceId,
    /// The address of the resource that is not modelled.
    pub by: String,
}

/// Who brings routes that are not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    /// A gateway: subnets whose route tables turn propagation off have none of its routes
    /// (virtual-networks-udr-overview).
    Gateway,
    /// Anything, such as what makes peerings.
    Anything,
}

/// What of its own resources leaves a virtual network open: a VPN gateway or a virtual hub, its own or a peer's
/// whose gateway it borrows, or a peer that is not here.
fn own_loose_end(builder: &Builder<'_>, vnet: &VirtualNetwork) -> Option<Source> {
    let azure = builder.inputs.azure;
    let lender_is_open = |peering: &NetworkPeering| {
        let is_modelled = azure.gateways.iter().any(|g| g.vnet == peering.remote);
        let mut vnets = azure.vnets.iter();
        !is_modelled || vnets.any(|v| v.id == peering.remote && v.is_open)
    };
    let mut peerings = vnet.peerings.iter();
    if peerings.any(|p| p.state == PeeringState::Elsewhere) {
        return Some(Source::Anything);
    }
    let mut peerings = vnet.peerings.iter();
    let borrows = peerings.any(|p| p.borrows_gateway && lender_is_open(p));
    (vnet.is_open || borrows).then_some(Source::Gateway)
}

/// True when a virtual network has routes that nobody here knows.
pub(crate) fn has_unknown_routes(builder: &Builder<'_>, vnet: &VirtualNetwork) -> bool {
    let mut ends = builder.inputs.extras.loose_ends.iter();
    ends.any(|end| end.network == vnet.id) || own_loose_end(builder, vnet).is_some()
}

pub(crate) fn build(builder: &mut Builder<'_>) {
    for vnet in &builder.inputs.azure.vnets {
        // Why is said where the model is read.
        if let Some(source) = own_loose_end(builder, vnet) {
            open_vnet(builder, vnet, source);
        }
    }
    for end in &builder.inputs.extras.loose_ends {
        let found = open_azure(builder, &end.network) || open_oci(builder, &end.network);
        if found {
            let why = format!(
                "{} is not modelled; where packets without another route go is unknown",
                end.by
            );
            builder.gap(&end.network, why);
        }
    }
}

/// A circuit that leads to a DRG which nobody knows: it may be any of its region, and any network may be behind it.
pub(crate) fn open_unknown_gateways(builder: &mut Builder<'_>) {
    let Inputs { azure, oci, .. } = builder.inputs;
    let circuits = oci.virtual_circuits.iter();
    for vc in circuits.filter(|vc| vc.private && vc.drg.is_none()) {
        let key = vc.service_key.as_deref();
        let circuit = azure.circuits.iter().find(|c| key == Some(&c.service_key));
        if let Some(circuit) = circuit {
            open_circuit(builder, circuit);
            for network in served(builder, &circuit.id) {
                open_azure(builder, &network);
            }
        }
        for gateway in oci.drgs.iter().filter(|d| d.region == vc.region) {
            open_drg(builder, &drg::node_name(builder, gateway));
        }
    }
}

/// The virtual networks whose gateways a circuit is connected to, and those that borrow one.
fn served(builder: &Builder<'_>, circuit: &ResourceId) -> Vec<ResourceId> {
    let azure = builder.inputs.azure;
    let connected = azure.connections.iter().filter(|c| &c.circuit == circuit);
    let gateway = |id: &ResourceId| azure.gateways.iter().find(|g| &g.id == id);
    let homes: Vec<&ResourceId> = connected
        .filter_map(|c| gateway(&c.gateway).map(|g| &g.vnet))
        .collect();
    let borrows = |vnet: &&VirtualNetwork| {
        let mut peerings = vnet.peerings.iter();
        peerings.any(|p| p.borrows_gateway && homes.contains(&&p.remote))
    };
    let borrowers = azure.vnets.iter().filter(borrows).map(|v| &v.id);
    homes.iter().copied().chain(borrowers).cloned().collect()
}

fn open_azure(builder: &mut Builder<'_>, network: &ResourceId) -> bool {
    let azure = builder.inputs.azure;
    if let Some(vnet) = azure.vnets.iter().find(|v| &v.id == network) {
        let (networks, circuits) = match &vnet.hub {
            Some(_) => hubs::around(azure, network),
            None => (vec![vnet], Vec::new()),
        };
        for vnet in networks {
            open_vnet(builder, vnet, Source::Anything);
        }
        for circuit in azure.circuits.iter().filter(|c| circuits.contains(&c.id)) {
            open_circuit(builder, circuit);
        }
        return true;
    }
    let circuit = azure.circuits.iter().find(|c| &c.id == network);
    if let Some(circuit) = circuit {
        open_circuit(builder, circuit);
    }
    circuit.is_some()
}

fn open_vnet(builder: &mut Builder<'_>, vnet: &VirtualNetwork, source: Source) {
    let name = vnet::node_name(builder, vnet);
    let is_closed = |s: &&Subnet| source == Source::Gateway && !vnet::propagates(builder, s);
    let mut closed: Vec<VrfName> = (vnet.subnets.iter())
        .filter(is_closed)
        .map(vnet::subnet_vrf)
        .collect();
    closed.push(vnet::local_vrf());
    // A table that leads to a hop leads nowhere else.
    let is_open = |vrf: &str| !closed.iter().any(|c| c.as_str() == vrf) && !hops::is_lane(vrf);
    for table in tables(builder, &name, is_open) {
        open(table, &vnet::reserved());
    }
    doubt_learned(builder, &name);
}

/// What a network learns belongs to its `VirtualNetwork` tag: where that is not all known, so is what the rules with
/// the tag match.
fn doubt_learned(builder: &mut Builder<'_>, name: &NodeName) {
    let interfaces = builder.router_mut(name).into_iter();
    let interfaces = interfaces.flat_map(|router| router.interfaces.values_mut());
    for interface in interfaces {
        let filters = [&mut interface.filter_in, &mut interface.filter_out];
        for set in (filters.into_iter().flatten()).flat_map(|filter| &mut filter.sets) {
            let rules = std::mem::take(&mut set.rules);
            set.rules = rules.into_iter().flat_map(with_doubt).collect();
            // A network may be opened more than once.
            set.rules.dedup();
        }
    }
}

/// A rule as it is known, and what more it may match.
fn with_doubt(rule: Rule) -> Vec<Rule> {
    let sets = [&rule.sources, &rule.destinations];
    if sets.iter().all(|set| set.learned_in.is_none()) {
        return vec![rule];
    }
    let mut doubt = rule.clone();
    doubt.unknown = true;
    for set in [&mut doubt.sources, &mut doubt.destinations] {
        if set.learned_in.take().is_some() {
            set.prefixes = everywhere();
        }
    }
    vec![rule, doubt]
}

fn open_oci(builder: &mut Builder<'_>, network: &ResourceId) -> bool {
    let oci = builder.inputs.oci;
    if let Some(vcn) = oci.vcns.iter().find(|v| &v.id == network) {
        let name = vcn::node_name(builder, vcn);
        open_tables(builder, &name, &vcn::local_vrf(), &everywhere());
        return true;
    }
    let gateway = oci.drgs.iter().find(|d| &d.id == network);
    if let Some(gateway) = gateway {
        open_drg(builder, &drg::node_name(builder, gateway));
    }
    gateway.is_some()
}

fn open_drg(builder: &mut Builder<'_>, name: &NodeName) {
    for table in tables(builder, name, |vrf| vrf.starts_with("table/")) {
        open(table, &everywhere());
    }
}

/// Every table of a network's router but the one that leads to its own interfaces.
fn open_tables(builder: &mut Builder<'_>, name: &NodeName, local: &VrfName, prefixes: &[IpNet]) {
    for table in tables(builder, name, |vrf| vrf != local.as_str()) {
        open(table, prefixes);
    }
}

/// What a circuit's gateways beyond what is modelled announce is not known at its MSEEs, nor to whoever learns
/// from them.
fn open_circuit(builder: &mut Builder<'_>, circuit: &Circuit) {
    let Some(index) = builder.index.circuits.get(&circuit.id) else {
        return;
    };
    let mut customers: Vec<IpAddr> = Vec::new();
    for leg in index.legs.clone() {
        if let Some(router) = builder.router_mut(&leg.node) {
            let peer = (router.bgp.get(&leg.instance)).and_then(|bgp| bgp.peers.get(&leg.peer));
            customers.extend(peer.map(|peer| peer.remote));
            if let Some(table) = router.vrfs.get_mut(&leg.vrf) {
                open(table, &everywhere());
            }
        }
    }
    let tenant = circuit.id.to_string();
    let mut far = Vec::new();
    for (name, node) in &builder.blueprint.nodes {
        for interface in node
            .as_router()
            .into_iter()
            .flat_map(|r| r.interfaces.values())
        {
            let is_customer = interface
                .addresses
                .iter()
                .any(|a| customers.contains(&a.addr()));
            // Circuits may use the same addresses; what carries a circuit's tags says whose it is.
            if is_customer && interface.tenant.as_ref().is_none_or(|t| *t == tenant) {
                far.push((name.clone(), interface.vrf.clone()));
            }
        }
    }
    for (name, vrf) in far {
        for table in tables(builder, &name, |name| name == vrf.as_str()) {
            open(table, &everywhere());
        }
        for name in site_of(builder, &name) {
            for table in tables(builder, &name, |_| true) {
                open(table, &everywhere());
            }
        }
    }
    let holder = edge::holder(builder, circuit).and_then(|vc| vc.drg.clone());
    let drgs = &builder.inputs.oci.drgs;
    if let Some(gateway) = holder.and_then(|id| drgs.iter().find(|d| d.id == id)) {
        open_drg(builder, &drg::node_name(builder, gateway));
    }
}

/// The routers of a site behind one of its edge routers, which learn from it.
fn site_of(builder: &Builder<'_>, edge: &NodeName) -> Vec<NodeName> {
    let nodes = &builder.blueprint.nodes;
    let is_site = |name: &NodeName| {
        nodes
            .get(name)
            .is_some_and(|node| node.role == Role::SiteLan)
    };
    let links = builder.blueprint.links.values();
    links
        .filter_map(|link| match (&link.a.node, &link.b.node) {
            (a, b) if a == edge => Some(b),
            (a, b) if b == edge => Some(a),
            _ => None,
        })
        .filter(|name| is_site(name))
        .cloned()
        .collect()
}

fn tables<'b>(
    builder: &'b mut Builder<'_>,
    name: &NodeName,
    which: impl Fn(&str) -> bool + 'b,
) -> impl Iterator<Item = &'b mut Vrf> + 'b {
    let router = match builder.blueprint.nodes.get_mut(name) {
        Some(Node {
            kind: NodeKind::Router(router),
            ..
        }) => Some(router),
        Some(_) | None => None,
    };
    let vrfs = router.into_iter().flat_map(|router| router.vrfs.iter_mut());
    vrfs.filter(move |(vrf, _)| which(vrf.as_str()))
        .map(|(_, table)| table)
}

/// Leaves open where `prefixes` lead as far as nothing else says so. What leads nowhere by the system's own
/// rules might lead somewhere.
pub(crate) fn open(table: &mut Vrf, prefixes: &[IpNet]) {
    let unknown = NextHop::Drop(DropKind::NotModelled);
    for route in &mut table.routes {
        let nowhere =
            route.next_hop == NextHop::Drop(DropKind::None) && route.source == RouteSource::System;
        let services = route.next_hop == NextHop::Drop(DropKind::Services);
        if nowhere || services {
            route.next_hop = unknown.clone();
        }
    }
    for prefix in prefixes {
        if !table.routes.iter().any(|r| r.prefix == *prefix) {
            table.routes.push(StaticRoute {
                prefix: *prefix,
                next_hop: unknown.clone(),
                preference: tags::LAST,
                source: RouteSource::System,
            });
        }
    }
}
