//! Virtual networks, route tables, network interfaces.

use ipnet::IpNet;
use skybridge_catalogue::region_name;
use skybridge_estate::{Estate, Resource, ResourceId};

use super::{exists, gap};
use crate::doc::{Doc, prefix, subnet_prefixes};
use crate::kinds;
use crate::model::{
    Gap, Machine, NetworkInterface, NetworkPeering, PeeringState, RouteTable, Subnet, UserNextHop,
    UserRoute, VirtualNetwork,
};

pub(super) fn vnets(estate: &Estate, gaps: &mut Vec<Gap>) -> Vec<VirtualNetwork> {
    let mut out = Vec::new();
    for resource in estate.of_kind(kinds::VNET).filter(|r| exists(r)) {
        let doc = Doc::of(resource);
        let space = "/properties/addressSpace/addressPrefixes";
        out.push(VirtualNetwork {
            id: resource.id.clone(),
            name: resource.name.clone(),
            location: region_name(doc.text("/location").unwrap_or_default()),
            address_space: prefixes(resource, &doc.texts(space), doc.has_unknown(space), gaps),
            subnets: subnets(estate, resource, gaps),
            is_open: is_open(estate, resource),
            hub: None,
            peerings: network_peerings(estate, resource, gaps),
        });
    }
    out
}

/// True when a network has a VPN gateway.
fn is_open(estate: &Estate, vnet: &Resource) -> bool {
    let gateways = estate.of_kind(kinds::GATEWAY).filter(|g| exists(g));
    let mut vpn = gateways.filter(|g| !super::is_expressroute(&Doc::of(g)));
    let at = "/properties/ipConfigurations/0/properties/subnet/id";
    vpn.any(|g| {
        let subnet = Doc::of(g).reference(at).and_then(|id| estate.resource(&id));
        subnet.is_some_and(|s| s.parent.as_ref() == Some(&vnet.id))
    })
}

/// The peerings of a network.
fn peerings<'a>(
    estate: &'a Estate,
    vnet: &'a Resource,
) -> impl Iterator<Item = &'a Resource> + use<'a> {
    let children = estate.children(&vnet.id);
    children.filter(|p| p.kind.as_str() == kinds::VNET_PEERING && exists(p))
}

const REMOTE: &str = "/properties/remoteVirtualNetwork/id";

/// A flag of a peering; `allowVirtualNetworkAccess` alone is on unless said otherwise.
fn peering_flag(peering: &Resource, name: &str) -> bool {
    let usual = name == "allowVirtualNetworkAccess";
    let flag = Doc::of(peering).flag(&format!("/properties/{name}"));
    flag.unwrap_or(usual)
}

/// A network's side of its peerings.
fn network_peerings(estate: &Estate, vnet: &Resource, gaps: &mut Vec<Gap>) -> Vec<NetworkPeering> {
    let mut out = Vec::new();
    for peering in peerings(estate, vnet) {
        let doc = Doc::of(peering);
        let Some(remote) = doc.reference(REMOTE) else {
            gap(gaps, peering, "the network at its other end is not known");
            continue;
        };
        let found = estate.resource(&remote);
        let back = found.and_then(|far| {
            let mut all = peerings(estate, far);
            all.find(|p| {
                let id = Doc::of(p).reference(REMOTE);
                id.is_some_and(|id| kinds::same_id(&id, &vnet.id))
            })
        });
        let unknown = |p: &Resource| Doc::of(p).has_unknown("/properties");
        let state = match (found, back) {
            (None, _) => PeeringState::Elsewhere,
            _ if unknown(peering) || back.is_some_and(unknown) => PeeringState::Elsewhere,
            (Some(_), None) => PeeringState::Initiated,
            (Some(_), Some(_)) => PeeringState::Connected,
        };
        if state == PeeringState::Elsewhere {
            gap(
                gaps,
                peering,
                "the network at its other end, or one of its settings, is not known here",
            );
        }
        let has = |p: Option<&Resource>, name: &str| p.is_some_and(|p| peering_flag(p, name));
        let access = "allowVirtualNetworkAccess";
        let has_access = has(Some(peering), access) && has(back, access);
        if state == PeeringState::Connected && !has_access {
            gap(
                gaps,
                peering,
                "without virtual network access on both sides: what a security rule lets pass is not known",
            );
        }
        let ranges = found.map_or_else(Vec::new, |far| {
            let doc = Doc::of(far);
            let space = doc.texts("/properties/addressSpace/addressPrefixes");
            space.iter().filter_map(|(_, text)| prefix(text)).collect()
        });
        let wants_gateway = has(Some(peering), "useRemoteGateways");
        let connected = state == PeeringState::Connected;
        out.push(NetworkPeering {
            id: peering.id.clone(),
            remote: found.map_or(remote, |far| far.id.clone()),
            state,
            ranges,
            transit: Vec::new(),
            open_transit: Vec::new(),
            has_access,
            takes_forwarded: has(Some(peering), "allowForwardedTraffic"),
            wants_gateway,
            borrows_gateway: connected && wants_gateway && has(back, "allowGatewayTransit"),
            lends_gateway: connected
                && has(back, "useRemoteGateways")
                && has(Some(peering), "allowGatewayTransit"),
        });
    }
    out
}

fn subnets(estate: &Estate, vnet: &Resource, gaps: &mut Vec<Gap>) -> Vec<Subnet> {
    let mut out = Vec::new();
    for resource in estate.children(&vnet.id) {
        if resource.kind.as_str() != kinds::SUBNET || !exists(resource) {
            continue;
        }
        let doc = Doc::of(resource);
        let unknown = doc.has_unknown("/properties/addressPrefixes")
            || doc.has_unknown("/properties/addressPrefix");
        for (pointer, what) in [
            ("/properties/networkSecurityGroup", "network security group"),
            ("/properties/routeTable", "route table"),
        ] {
            if doc.has_unknown(pointer) {
                gap(gaps, resource, format!("its {what} is not known"));
            }
        }
        for pointer in ["/properties/natGateway", "/properties/serviceEndpoints"] {
            if doc.is_given(pointer) && doc.field(pointer).is_none_or(|j| !is_empty(j)) {
                let name = pointer.trim_start_matches("/properties/");
                gap(gaps, resource, format!("{name} is not modelled"));
            }
        }
        out.push(Subnet {
            id: resource.id.clone(),
            name: resource.name.clone(),
            prefixes: prefixes(resource, &subnet_prefixes(&doc, ""), unknown, gaps),
            security_group: canonical(estate, doc.reference("/properties/networkSecurityGroup/id")),
            route_table: canonical(estate, doc.reference("/properties/routeTable/id")),
        });
    }
    out
}

fn is_empty(json: &serde_json::Value) -> bool {
    json.as_array().is_some_and(Vec::is_empty) || json.as_object().is_some_and(|o| o.is_empty())
}

fn prefixes(
    resource: &Resource,
    texts: &[(String, &str)],
    unknown: bool,
    gaps: &mut Vec<Gap>,
) -> Vec<IpNet> {
    if unknown {
        gap(gaps, resource, "part of its address space is not known");
    }
    let mut out = Vec::new();
    for (_, text) in texts {
        match prefix(text) {
            Some(net) => out.push(net),
            None => gap(gaps, resource, format!("{text:?} is not a prefix")),
        }
    }
    out
}

/// The id as the estate spells it.
pub(super) fn canonical(estate: &Estate, id: Option<ResourceId>) -> Option<ResourceId> {
    let id = id?;
    Some(estate.resource(&id).map_or(id, |r| r.id.clone()))
}

pub(super) fn route_tables(estate: &Estate, gaps: &mut Vec<Gap>) -> Vec<RouteTable> {
    let mut out = Vec::new();
    for resource in estate.of_kind(kinds::ROUTE_TABLE).filter(|r| exists(r)) {
        let doc = Doc::of(resource);
        let mut routes = Vec::new();
        for item in doc.items("/properties/routes") {
            routes.extend(route(resource, &doc, &item, gaps));
        }
        for child in estate.children(&resource.id).filter(|c| exists(c)) {
            routes.extend(route(child, &Doc::of(child), "", gaps));
        }
        let propagation = "/properties/disableBgpRoutePropagation";
        if doc.is_unknown(propagation) {
            gap(
                gaps,
                resource,
                "whether it takes gateway routes is not known",
            );
        }
        out.push(RouteTable {
            id: resource.id.clone(),
            name: resource.name.clone(),
            propagate_gateway_routes: doc.flag(propagation) != Some(true),
            routes,
        });
    }
    out
}

/// One user defined route: at `at` in the document of its table, or a resource of its own.
fn route(resource: &Resource, doc: &Doc<'_>, at: &str, gaps: &mut Vec<Gap>) -> Option<UserRoute> {
    let name = doc
        .text(&format!("{at}/name"))
        .unwrap_or(&resource.name)
        .to_owned();
    let field = |f: &str| format!("{at}/properties/{f}");
    let hop_unknown =
        doc.has_unknown(&field("nextHopType")) || doc.has_unknown(&field("nextHopIpAddress"));
    let prefix_unknown = doc.has_unknown(&field("addressPrefix"));
    if prefix_unknown || hop_unknown {
        gap(
            gaps,
            resource,
            format!("route {name} rests on an unknown value"),
        );
    }
    if prefix_unknown {
        return None;
    }
    let text = doc.text(&field("addressPrefix"))?;
    let Some(prefix) = prefix(text) else {
        let what = format!("route {name}: {text} is a service tag, which is not modelled");
        gap(gaps, resource, what);
        return None;
    };
    if hop_unknown {
        let next_hop = UserNextHop::Unknown;
        return Some(UserRoute {
            name,
            prefix,
            next_hop,
        });
    }
    let kind = doc.text(&field("nextHopType"))?;
    let next_hop = match kind.to_ascii_lowercase().as_str() {
        "virtualnetworkgateway" => UserNextHop::VirtualNetworkGateway,
        "vnetlocal" => UserNextHop::VnetLocal,
        "internet" => UserNextHop::Internet,
        "none" => UserNextHop::None,
        "virtualappliance" => UserNextHop::VirtualAppliance(doc.parse(&field("nextHopIpAddress"))?),
        _ => {
            gap(gaps, resource, format!("route {name}: next hop {kind:?}"));
            return None;
        }
    };
    Some(UserRoute {
        name,
        prefix,
        next_hop,
    })
}

pub(super) fn interfaces(estate: &Estate, gaps: &mut Vec<Gap>) -> Vec<NetworkInterface> {
    let mut out = Vec::new();
    for resource in estate.of_kind(kinds::NIC).filter(|r| exists(r)) {
        let doc = Doc::of(resource);
        let configs = doc.items("/properties/ipConfigurations");
        let primary = |at: &&String| doc.flag(&format!("{at}/properties/primary")) == Some(true);
        let Some(at) = configs.iter().find(primary).or_else(|| configs.first()) else {
            gap(gaps, resource, "it has no IP configuration");
            continue;
        };
        if configs.len() > 1 {
            gap(
                gaps,
                resource,
                "only its primary IP configuration is modelled",
            );
        }
        let subnet = doc.reference(&format!("{at}/properties/subnet/id"));
        let address = doc.parse(&format!("{at}/properties/privateIPAddress"));
        let (Some(subnet), Some(address)) = (canonical(estate, subnet), address) else {
            gap(gaps, resource, "its subnet or address is not known");
            continue;
        };
        if doc.has_unknown("/properties/networkSecurityGroup") {
            gap(gaps, resource, "its network security group is not known");
        }
        let groups = doc.items(&format!("{at}/properties/applicationSecurityGroups"));
        out.push(NetworkInterface {
            id: resource.id.clone(),
            name: resource.name.clone(),
            subnet,
            address,
            security_group: canonical(estate, doc.reference("/properties/networkSecurityGroup/id")),
            application_groups: groups
                .iter()
                .filter_map(|g| doc.reference(&format!("{g}/id")))
                .chain(associated_groups(resource))
                .filter_map(|id| canonical(estate, Some(id)))
                .collect(),
            ip_forwarding: doc.flag("/properties/enableIPForwarding") == Some(true),
            machine: machine(estate, &resource.id),
        });
    }
    out
}

/// The groups that associations put an interface into.
fn associated_groups(interface: &Resource) -> impl Iterator<Item = ResourceId> + use<> {
    let groups = interface.doc.pointer("/properties/applicationGroups");
    let groups = groups.and_then(serde_json::Value::as_object).cloned();
    let entries = groups.into_iter().flatten();
    entries.filter_map(|(_, entry)| Some(entry.get("id")?.as_str()?.into()))
}

/// The running machine that has a network interface.
fn machine(estate: &Estate, nic: &ResourceId) -> Option<Machine> {
    machine_of(estate, nic)
        .filter(|m| m.is_usable())
        .map(|m| Machine {
            id: m.id.clone(),
            name: m.name.clone(),
            is_first: is_first(m, nic),
        })
}

/// True when an interface is the first that its machine names.
fn is_first(machine: &Resource, nic: &ResourceId) -> bool {
    let at = "/properties/networkProfile/networkInterfaces/0/id";
    let first = Doc::of(machine).reference(at);
    first.is_none_or(|id| kinds::same_id(&id, nic))
}

/// The machine that has a network interface.
pub(crate) fn machine_of<'a>(estate: &'a Estate, nic: &ResourceId) -> Option<&'a Resource> {
    let mut users = estate.naming(nic);
    users.find(|m| m.kind.as_str() == kinds::MACHINE && machine_has(m, nic))
}

/// True when a machine's document names the network interface.
pub(crate) fn machine_has(machine: &Resource, nic: &ResourceId) -> bool {
    let doc = Doc::of(machine);
    doc.items("/properties/networkProfile/networkInterfaces")
        .iter()
        .filter_map(|at| doc.reference(&format!("{at}/id")))
        .any(|id| kinds::same_id(&id, nic))
}
