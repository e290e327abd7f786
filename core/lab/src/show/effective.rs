//! Effective routes of hosts and subnets, in the clouds' terms.

use skybridge_blueprint::{DropKind, InterfaceName, NextHop, Owner, RouteSource};
use skybridge_dataplane::RouteState;
use skybridge_nodes::RouteObservation;

use crate::document::{EffectiveRoute, EffectiveTable, ErrorDocument};
use crate::lab::Lab;
use crate::names;

/// The table of one host's subnet, or of every subnet.
pub(crate) fn tables(lab: &Lab, host: Option<&str>) -> Result<Vec<EffectiveTable>, ErrorDocument> {
    let index = &lab.network.compiled.index;
    if let Some(wanted) = host {
        let node = names::host(lab, wanted)?;
        let host = &index.hosts[&node];
        let at = skybridge_compile::SubnetIndex {
            router: host.router.clone(),
            vrf: host.vrf.clone(),
        };
        return Ok(vec![table(lab, &node.to_string(), &at)]);
    }
    Ok(index
        .subnets
        .iter()
        .map(|(id, subnet)| {
            let name = lab
                .control
                .estate
                .resource(id)
                .map_or_else(|| id.leaf().to_owned(), |resource| resource.name.clone());
            table(lab, &format!("subnet {name}"), subnet)
        })
        .collect())
}

fn table(lab: &Lab, title: &str, subnet: &skybridge_compile::SubnetIndex) -> EffectiveTable {
    let node = lab.network.compiled.blueprint.nodes.get(&subnet.router);
    let is_azure = node.is_some_and(|n| n.owner == Owner::Azure);
    let routes = lab
        .network
        .world
        .router(&subnet.router)
        .map(|router| router.routes(&subnet.vrf))
        .unwrap_or_default();
    EffectiveTable {
        host: title.to_owned(),
        routes: routes
            .iter()
            .filter(|route| route.source != RouteSource::Connected && route.prefix.addr().is_ipv4())
            .flat_map(|route| rows(route, is_azure))
            .collect(),
    }
}

fn rows(route: &RouteObservation, is_azure: bool) -> Vec<EffectiveRoute> {
    let row = |(next_hop_type, next_hop_ip): (String, String)| EffectiveRoute {
        source: source(route.source, is_azure).to_owned(),
        state: if route.state == RouteState::Active {
            "Active"
        } else {
            "Invalid"
        }
        .to_owned(),
        address_prefix: route.prefix.to_string(),
        next_hop_type,
        next_hop_ip,
    };
    route
        .next_hops
        .iter()
        .map(|hop| row(next_hop(hop, route.source, is_azure)))
        .collect()
}

const fn source(source: RouteSource, is_azure: bool) -> &'static str {
    match (source, is_azure) {
        (RouteSource::System | RouteSource::Connected, true) => "Default",
        (RouteSource::User, true) => "User",
        (RouteSource::Bgp, true) => "VirtualNetworkGateway",
        (RouteSource::System | RouteSource::Connected, false) => "Local",
        (RouteSource::User, false) => "Rule",
        (RouteSource::Bgp, false) => "Dynamic",
    }
}

/// What a rule of a VCN leads to, by the interface.
fn target(interface: &InterfaceName) -> &'static str {
    if interface.as_str().starts_with("forward/") {
        "Private IP"
    } else if interface.as_str().starts_with("lpg/") {
        "Local Peering Gateway"
    } else {
        "DRG"
    }
}

/// Next hop type and address (virtual-networks-udr-overview; OCI names the target).
fn next_hop(hop: &NextHop, source: RouteSource, is_azure: bool) -> (String, String) {
    let (kind, address) = match hop {
        // A load balancer's frontend has a table, called by its address.
        NextHop::Table { vrf } if vrf.as_str().starts_with("lb/") => {
            let address = vrf.as_str().strip_prefix("lb/").unwrap_or_default();
            ("VirtualAppliance", address.to_owned())
        }
        NextHop::Table { .. } if is_azure => ("VnetLocal", String::new()),
        NextHop::Table { .. } => ("VCN local", String::new()),
        NextHop::Via { address, .. } if source == RouteSource::Bgp => {
            ("VirtualNetworkGateway", address.to_string())
        }
        NextHop::Via { interface, .. } if !is_azure => (target(interface), String::new()),
        NextHop::Via { .. } if source == RouteSource::System => ("VNetPeering", String::new()),
        // A hop in a peered network has an interface of its own, called by its address.
        NextHop::Via { interface, address } => {
            let own = interface.as_str().strip_prefix("hop/");
            let named = own.and_then(|name| name.rsplit('/').next());
            let address = named.map_or_else(|| address.to_string(), str::to_owned);
            ("VirtualAppliance", address)
        }
        NextHop::Connected { .. } => ("Local", String::new()),
        NextHop::Drop(DropKind::None) => ("None", String::new()),
        NextHop::Drop(DropKind::Internet) => ("Internet", String::new()),
        NextHop::Drop(DropKind::Services) => ("Oracle services", String::new()),
        NextHop::Drop(DropKind::NotModelled) => ("not modelled", String::new()),
        NextHop::Drop(DropKind::DeadTarget) => ("target cannot take traffic", String::new()),
        NextHop::Drop(DropKind::NotForwarding) => ("IP forwarding is off there", String::new()),
    };
    (kind.to_owned(), address)
}
