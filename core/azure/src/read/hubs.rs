//! Hubs of virtual WANs: networks of Azure's own that lead from any of their networks to any other.
//!
//! What is known of them (virtual-wan-global-transit-network-architecture): a hub's router leads between all
//! networks connected to it, and between the hubs of one WAN; an ExpressRoute gateway in the hub announces
//! the hub's prefix and those of the networks, and is everyone's gateway. With route tables of its own,
//! routing intent or another gateway, where packets go is not known.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use skybridge_base::Asn;
use skybridge_catalogue::region_name;
use skybridge_estate::{Estate, Resource, ResourceId};

use super::networks::canonical;
use super::{exists, gap};
use crate::doc::{Doc, prefix};
use crate::kinds;
use crate::model::{
    AzureModel, Gap, Gateway, NetworkPeering, PeeringState, Subnet, VirtualHub, VirtualNetwork,
};

/// Gateways of hubs are AS 65515, which cannot be changed.
const GATEWAY_ASN: Asn = Asn(65515);
/// A scale unit in `gateway-skus.csv`.
const SCALE_UNIT: &str = "ScaleUnit";

const SPACE: &str = "/properties/addressSpace/addressPrefixes";
const REMOTE: &str = "/properties/remoteVirtualNetwork/id";

/// One hub with what the others need of it.
struct Hub<'a> {
    resource: &'a Resource,
    prefix: Ipv4Net,
    wan: Option<ResourceId>,
    has_gateway: bool,
    spokes: Vec<Spoke<'a>>,
}

/// A network that is connected to a hub.
struct Spoke<'a> {
    connection: &'a Resource,
    vnet: &'a Resource,
    ranges: Vec<IpNet>,
    /// It is associated with the default table and propagates there.
    is_usual: bool,
}

/// Adds hubs, their gateways and connections to a model with its virtual networks.
pub(super) fn add(estate: &Estate, model: &mut AzureModel, gaps: &mut Vec<Gap>) {
    let hubs: Vec<Hub<'_>> = (estate.of_kind(kinds::HUB).filter(|r| exists(r)))
        .filter_map(|resource| hub(estate, resource, gaps))
        .collect();
    for hub in &hubs {
        let network = network(hub, &hubs);
        for spoke in &hub.spokes {
            let side = side_of_spoke(hub, spoke, &hubs);
            if let Some(vnet) = model.vnets.iter_mut().find(|v| v.id == spoke.vnet.id) {
                vnet.is_open |= network.is_open;
                vnet.peerings.push(side);
            }
        }
        model.vnets.push(network);
    }
    model.vnets.sort_by(|a, b| a.id.cmp(&b.id));
    gateways(estate, &hubs, model, gaps);
    connections(estate, model, gaps);
}

fn hub<'a>(estate: &'a Estate, resource: &'a Resource, gaps: &mut Vec<Gap>) -> Option<Hub<'a>> {
    let doc = Doc::of(resource);
    let Some(own) = hub_prefix(resource) else {
        gap(gaps, resource, "its address prefix is not known");
        return None;
    };
    let of_hub = estate.children(&resource.id);
    let of_hub = of_hub.filter(|r| r.kind.as_str() == kinds::HUB_CONNECTION && exists(r));
    // Routes of the hub's own lead past its connections.
    let has_routes = !doc.items("/properties/routeTable/routes").is_empty();
    let mut spokes = Vec::new();
    for connection in of_hub {
        let found = Doc::of(connection).reference(REMOTE);
        let Some(vnet) = found.and_then(|id| estate.resource(&id)) else {
            gap(
                gaps,
                connection,
                "the network at its other end is not known",
            );
            continue;
        };
        let is_usual = !has_routes && is_usual(connection, resource);
        if !is_usual {
            let why = "with route tables of its own: what leads to and from it is not known";
            gap(gaps, connection, why);
        }
        let space = Doc::of(vnet);
        let space = space.texts(SPACE);
        spokes.push(Spoke {
            connection,
            vnet,
            ranges: space.iter().filter_map(|(_, text)| prefix(text)).collect(),
            is_usual,
        });
    }
    Some(Hub {
        resource,
        prefix: own,
        wan: canonical(estate, doc.reference("/properties/virtualWan/id")),
        has_gateway: gateway_of(estate, resource).is_some(),
        spokes,
    })
}

/// The prefix of a hub.
pub(crate) fn hub_prefix(hub: &Resource) -> Option<Ipv4Net> {
    match hub.prefixes().next() {
        Some(IpNet::V4(net)) => Some(net),
        Some(IpNet::V6(_)) | None => None,
    }
}

/// The usable ExpressRoute gateway of a hub.
fn gateway_of<'a>(estate: &'a Estate, hub: &Resource) -> Option<&'a Resource> {
    let mut users = estate.naming(&hub.id);
    users.find(|r| r.kind.as_str() == kinds::HUB_GATEWAY && exists(r))
}

/// True when a connection is associated with the hub's default table and propagates there alone.
fn is_usual(connection: &Resource, hub: &Resource) -> bool {
    let doc = Doc::of(connection);
    let at = "/properties/routingConfiguration";
    if doc.has_unknown(at) {
        return false;
    }
    let default = default_table(&hub.id);
    let is_default = |id: &ResourceId| id.as_str().eq_ignore_ascii_case(&default);
    let associated = doc.reference(&format!("{at}/associatedRouteTable/id"));
    let tables = doc.items(&format!("{at}/propagatedRouteTables/ids"));
    let mut tables = tables
        .iter()
        .filter_map(|p| doc.reference(&format!("{p}/id")));
    let labels = doc.texts(&format!("{at}/propagatedRouteTables/labels"));
    let routes = doc.items(&format!("{at}/vnetRoutes/staticRoutes"));
    let maps = ["inboundRouteMap", "outboundRouteMap"];
    associated.is_none_or(|id| is_default(&id))
        && tables.all(|id| is_default(&id))
        && labels
            .iter()
            .all(|(_, label)| label.eq_ignore_ascii_case("default"))
        && routes.is_empty()
        && !maps
            .iter()
            .any(|map| doc.is_given(&format!("{at}/{map}/id")))
}

/// The id of a hub's default route table.
pub(crate) fn default_table(hub: &ResourceId) -> String {
    format!("{hub}/hubRouteTables/defaultRouteTable")
}

fn others<'h, 'a>(hub: &'h Hub<'a>, all: &'h [Hub<'a>]) -> impl Iterator<Item = &'h Hub<'a>> {
    let in_wan = |other: &&Hub<'_>| hub.wan.is_some() && other.wan == hub.wan;
    let others = all.iter().filter(|h| h.resource.id != hub.resource.id);
    others.filter(in_wan)
}

/// The ranges of a hub's networks; those of networks with route tables of their own apart.
fn reach(hub: &Hub<'_>) -> (Vec<IpNet>, Vec<IpNet>) {
    let (mut known, mut open) = (Vec::new(), Vec::new());
    for spoke in &hub.spokes {
        let ranges = if spoke.is_usual {
            &mut known
        } else {
            &mut open
        };
        ranges.extend(spoke.ranges.iter().copied());
    }
    (known, open)
}

/// A hub as a network: its prefix, a place for its gateway, and a peering with each network and hub.
fn network(hub: &Hub<'_>, all: &[Hub<'_>]) -> VirtualNetwork {
    let id = &hub.resource.id;
    let doc = Doc::of(hub.resource);
    let to_spokes = hub.spokes.iter().map(|spoke| NetworkPeering {
        id: spoke.connection.id.clone(),
        remote: spoke.vnet.id.clone(),
        state: PeeringState::Connected,
        ranges: spoke.ranges.clone(),
        transit: Vec::new(),
        open_transit: Vec::new(),
        has_access: true,
        takes_forwarded: true,
        wants_gateway: false,
        borrows_gateway: false,
        lends_gateway: hub.has_gateway,
    });
    let to_hubs = others(hub, all).map(|other| {
        let (transit, open_transit) = reach(other);
        NetworkPeering {
            id: other.resource.id.clone(),
            remote: other.resource.id.clone(),
            state: PeeringState::Connected,
            ranges: vec![other.prefix.into()],
            transit,
            open_transit,
            has_access: true,
            takes_forwarded: true,
            wants_gateway: false,
            borrows_gateway: false,
            lends_gateway: false,
        }
    });
    let place = Ipv4Net::new(hub.prefix.network(), hub.prefix.prefix_len().max(26));
    VirtualNetwork {
        id: id.clone(),
        name: hub.resource.name.clone(),
        location: region_name(doc.text("/location").unwrap_or_default()),
        address_space: vec![hub.prefix.into()],
        subnets: vec![Subnet {
            id: kinds::child_id(id, kinds::SUBNET, "GatewaySubnet"),
            name: "GatewaySubnet".to_owned(),
            prefixes: place.into_iter().map(IpNet::V4).collect(),
            security_group: None,
            route_table: None,
        }],
        // What another hub's gateway has learned reaches this one, and is not followed.
        is_open: hub.wan.is_none() || others(hub, all).any(|other| other.has_gateway),
        hub: Some(VirtualHub {
            wan: hub.wan.clone(),
        }),
        peerings: to_spokes.chain(to_hubs).collect(),
    }
}

/// A network's side of its connection to a hub.
fn side_of_spoke(hub: &Hub<'_>, spoke: &Spoke<'_>, all: &[Hub<'_>]) -> NetworkPeering {
    let (mut transit, mut open_transit) = (Vec::new(), Vec::new());
    for other in hub.spokes.iter().filter(|s| s.vnet.id != spoke.vnet.id) {
        let is_known = spoke.is_usual && other.is_usual;
        let ranges = if is_known {
            &mut transit
        } else {
            &mut open_transit
        };
        ranges.extend(other.ranges.iter().copied());
    }
    for other in others(hub, all) {
        let (mut known, open) = reach(other);
        known.push(other.prefix.into());
        let ranges = if spoke.is_usual {
            &mut transit
        } else {
            &mut open_transit
        };
        ranges.append(&mut known);
        open_transit.extend(open);
    }
    NetworkPeering {
        id: spoke.connection.id.clone(),
        remote: hub.resource.id.clone(),
        state: PeeringState::Connected,
        ranges: vec![hub.prefix.into()],
        transit,
        open_transit,
        has_access: true,
        takes_forwarded: true,
        wants_gateway: hub.has_gateway,
        borrows_gateway: hub.has_gateway,
        lends_gateway: false,
    }
}

fn gateways(estate: &Estate, hubs: &[Hub<'_>], model: &mut AzureModel, gaps: &mut Vec<Gap>) {
    for resource in estate.of_kind(kinds::HUB_GATEWAY) {
        let doc = Doc::of(resource);
        let named = doc.reference("/properties/virtualHub/id");
        let hub = named.and_then(|id| hubs.iter().find(|h| kinds::same_id(&h.resource.id, &id)));
        let Some(hub) = hub else {
            gap(gaps, resource, "its hub is not known");
            continue;
        };
        let base = u32::from(hub.prefix.network());
        let at = |offset: u32| Ipv4Addr::from(base + offset);
        let units = doc.number("/properties/autoScaleConfiguration/bounds/min");
        model.gateways.push(Gateway {
            id: resource.id.clone(),
            name: resource.name.clone(),
            vnet: hub.resource.id.clone(),
            subnet: kinds::child_id(&hub.resource.id, kinds::SUBNET, "GatewaySubnet"),
            sku: SCALE_UNIT.to_owned(),
            scale_units: units.and_then(|u| u32::try_from(u).ok()).unwrap_or(1),
            asn: GATEWAY_ASN,
            instance_addresses: [at(12), at(13)],
            msee_addresses: [at(4), at(5)],
            phase: resource.phase,
        });
    }
}

fn connections(estate: &Estate, model: &mut AzureModel, gaps: &mut Vec<Gap>) {
    for resource in estate.of_kind(kinds::HUB_GATEWAY_CONNECTION) {
        let doc = Doc::of(resource);
        let peering = doc.reference("/properties/expressRouteCircuitPeering/id");
        let peering = peering.and_then(|id| estate.resource(&id));
        let circuit = peering.and_then(|p| p.parent.clone());
        let (Some(gateway), Some(circuit)) = (resource.parent.clone(), circuit) else {
            gap(gaps, resource, "its circuit is not known");
            continue;
        };
        let connection = super::circuits::connection(resource, (gateway, circuit), gaps);
        model.connections.push(connection);
    }
}
