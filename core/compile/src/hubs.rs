//! Hubs of virtual WANs: their routers lead from any network connected to them to any other, and to the other
//! hubs of the WAN (virtual-wan-global-transit-network-architecture). Each is a network with a router and peerings
//! like the others; what it leads on to are gateway routes of its networks.

use ipnet::IpNet;
use skybridge_azure::model::{AzureModel, NetworkPeering, VirtualNetwork};
use skybridge_blueprint::{DropKind, NextHop, StaticRoute};
use skybridge_estate::ResourceId;

use crate::builder::{Builder, system};
use crate::vnet_peering;

/// The routes beyond the other end of a peering.
pub(crate) fn transit(
    builder: &Builder<'_>,
    peering: &NetworkPeering,
    next_hop: &NextHop,
) -> Vec<StaticRoute> {
    let unknown = NextHop::Drop(DropKind::NotModelled);
    let known = if is_loose(builder, &peering.remote) {
        &unknown
    } else {
        next_hop
    };
    let routes = |ranges: &[IpNet], hop: &NextHop| -> Vec<StaticRoute> {
        ranges.iter().map(|r| system(*r, hop.clone())).collect()
    };
    let mut all = routes(&peering.transit, known);
    all.extend(routes(&peering.open_transit, &unknown));
    all
}

/// What the router of a hub does with packets that it is handed; nothing for other networks.
pub(crate) fn onward(builder: &Builder<'_>, network: &VirtualNetwork) -> Vec<StaticRoute> {
    let mut all = Vec::new();
    if network.hub.is_none() {
        return all;
    }
    for peering in &network.peerings {
        let next_hop = vnet_peering::onward(builder, network, peering);
        let ranges = peering.ranges.iter();
        all.extend(ranges.map(|r| system(*r, next_hop.clone())));
        all.extend(transit(builder, peering, &next_hop));
    }
    all
}

/// True when something that is not modelled routes in a hub, or in another one of its WAN.
fn is_loose(builder: &Builder<'_>, hub: &ResourceId) -> bool {
    let together = of_wan(builder.inputs.azure, hub);
    let mut ends = builder.inputs.extras.loose_ends.iter();
    ends.any(|end| together.iter().any(|n| n.id == end.network))
}

/// A hub with the others of its WAN.
fn of_wan<'a>(azure: &'a AzureModel, hub: &ResourceId) -> Vec<&'a VirtualNetwork> {
    let hubs = || (azure.vnets.iter()).filter_map(|n| Some((n, n.hub.as_ref()?)));
    let wan = hubs().find(|(n, _)| &n.id == hub);
    let wan = wan.and_then(|(_, hub)| hub.wan.as_ref());
    let is_of_it = |wan_of: &Option<ResourceId>| wan.is_some() && wan_of.as_ref() == wan;
    let together = hubs().filter(|(n, h)| &n.id == hub || is_of_it(&h.wan));
    together.map(|(n, _)| n).collect()
}

/// Everything that learns from a hub: itself, the others of its WAN, their networks, and the circuits at their
/// gateways.
pub(crate) fn around<'a>(
    azure: &'a AzureModel,
    hub: &ResourceId,
) -> (Vec<&'a VirtualNetwork>, Vec<ResourceId>) {
    let hubs = of_wan(azure, hub);
    let is_hub = |id: &ResourceId| hubs.iter().any(|n| &n.id == id);
    let joined = (azure.vnets.iter())
        .filter(|n| is_hub(&n.id) || n.peerings.iter().any(|p| is_hub(&p.remote)))
        .collect();
    let gateways = azure.gateways.iter().filter(|g| is_hub(&g.vnet));
    let connections = gateways.flat_map(|g| {
        let all = azure.connections.iter();
        all.filter(|c| c.gateway == g.id)
    });
    (joined, connections.map(|c| c.circuit.clone()).collect())
}
