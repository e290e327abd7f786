//! What the API accepts although traffic will not flow, or not as one would want.

use ipnet::IpNet;
use skybridge_catalogue::{AzureRegion, catalogue, same_name};
use skybridge_estate::{Estate, Finding, ResourceId, Subject};

use super::finding;
use crate::doc::{Doc, overlap};
use crate::model::{
    AzureModel, Circuit, Connection, Gateway, PeeringState, Subnet, UserNextHop, VirtualNetwork,
};

/// Ranges that Azure treats as private.
const PRIVATE_RANGES: [&str; 4] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
];

/// Every finding of Azure's own resources, in the order of the rules below and of resource ids. What the
/// API refuses is not here: it never gets into an estate.
#[must_use]
pub fn check(estate: &Estate, model: &AzureModel) -> Vec<Finding> {
    let mut out = Vec::new();
    for vnet in &model.vnets {
        public_ranges(vnet, &mut out);
        network_peerings(model, vnet, &mut out);
        for subnet in &vnet.subnets {
            route_table(estate, model, vnet, subnet, &mut out);
        }
    }
    for gateway in &model.gateways {
        basic_address(estate, gateway, &mut out);
    }
    for connection in &model.connections {
        let gateway = model.gateways.iter().find(|g| g.id == connection.gateway);
        let circuit = model.circuits.iter().find(|c| c.id == connection.circuit);
        let (Some(gateway), Some(circuit)) = (gateway, circuit) else {
            continue;
        };
        let Some(vnet) = model.vnets.iter().find(|v| v.id == gateway.vnet) else {
            continue;
        };
        let link = Link {
            connection,
            gateway,
            circuit,
            vnet,
        };
        link.private_peering(&mut out);
        link.peering_overlap(&mut out);
        link.speed(&mut out);
        link.reach(&mut out);
    }
    linked_vnets(model, &mut out);
    out
}

/// Peerings without another side, and gateways that nobody lends.
fn network_peerings(model: &AzureModel, vnet: &VirtualNetwork, out: &mut Vec<Finding>) {
    for peering in &vnet.peerings {
        let far = model.vnets.iter().find(|v| v.id == peering.remote);
        let far = far.map_or_else(|| peering.remote.leaf(), |v| v.name.as_str());
        let is_connected = peering.state == PeeringState::Connected;
        if peering.state == PeeringState::Initiated {
            let message = format!("network {far} has no peering back to {}", vnet.name);
            let pointer = "/properties/remoteVirtualNetwork/id";
            out.push(finding(
                "azure.peering-one-sided",
                &peering.id,
                pointer,
                message,
            ));
        }
        if is_connected && peering.wants_gateway && !peering.borrows_gateway {
            let message = format!("network {far} does not lend its gateway to {}", vnet.name);
            let pointer = "/properties/useRemoteGateways";
            out.push(finding(
                "azure.peering-no-transit",
                &peering.id,
                pointer,
                message,
            ));
        }
    }
}

fn public_ranges(vnet: &VirtualNetwork, out: &mut Vec<Finding>) {
    let private: Vec<IpNet> = PRIVATE_RANGES
        .iter()
        .filter_map(|r| r.parse().ok())
        .collect();
    for (i, net) in vnet.address_space.iter().enumerate() {
        let is_v4 = matches!(net, IpNet::V4(_));
        if is_v4 && !private.iter().any(|p| p.contains(net)) {
            let pointer = format!("/properties/addressSpace/addressPrefixes/{i}");
            let message = format!("{net} of network {} is not a private range", vnet.name);
            out.push(finding(
                "azure.vnet-public-range",
                &vnet.id,
                &pointer,
                message,
            ));
        }
    }
}

/// What a subnet's route table does to traffic over ExpressRoute.
fn route_table(
    estate: &Estate,
    model: &AzureModel,
    vnet: &VirtualNetwork,
    subnet: &Subnet,
    out: &mut Vec<Finding>,
) {
    let table = subnet.route_table.as_ref();
    let table = table.and_then(|id| model.route_tables.iter().find(|t| t.id == *id));
    let gateway = model.gateways.iter().find(|g| g.vnet == vnet.id);
    let (Some(table), Some(gateway)) = (table, gateway) else {
        return;
    };
    for route in &table.routes {
        if route.next_hop == UserNextHop::VirtualNetworkGateway {
            let message = format!(
                "route {} sends {} of subnet {} to a virtual network gateway, and {} is ExpressRoute",
                route.name, route.prefix, subnet.name, gateway.name
            );
            let (at, pointer) = place_of(estate, &table.id, &route.name);
            let mut found = finding("azure.route-to-expressroute", &at, &pointer, message);
            found.related.push(Subject::whole(subnet.id.clone()));
            found.related.push(Subject::whole(gateway.id.clone()));
            out.push(found);
        }
    }
    if table.propagate_gateway_routes {
        return;
    }
    let pointer = "/properties/disableBgpRoutePropagation";
    if subnet.id == gateway.subnet {
        let message = format!(
            "route table {} on GatewaySubnet takes no gateway routes",
            table.name
        );
        let mut found = finding(
            "azure.gateway-subnet-propagation",
            &table.id,
            pointer,
            message,
        );
        found.related.push(Subject::whole(subnet.id.clone()));
        out.push(found);
        return;
    }
    let has_hosts = model.interfaces.iter().any(|n| n.subnet == subnet.id);
    let steered =
        (table.routes.iter()).any(|r| matches!(r.next_hop, UserNextHop::VirtualAppliance(_)));
    let linked = model.connections.iter().any(|c| c.gateway == gateway.id);
    if has_hosts && linked && !steered {
        let message = format!(
            "subnet {} takes no gateway routes: what arrives over {} is not answered",
            subnet.name, gateway.name
        );
        let mut found = finding("azure.subnet-without-return", &table.id, pointer, message);
        found.related.push(Subject::whole(subnet.id.clone()));
        out.push(found);
    }
}

/// The resource and pointer of a route's next hop: in its table's document, or a resource of its own.
fn place_of(estate: &Estate, table: &ResourceId, route: &str) -> (ResourceId, String) {
    let pointer = "/properties/nextHopType";
    if let Some(resource) = estate.resource(table) {
        let doc = Doc::of(resource);
        for at in doc.items("/properties/routes") {
            if doc.text(&format!("{at}/name")) == Some(route) {
                return (table.clone(), format!("{at}{pointer}"));
            }
        }
    }
    let own = estate.children(table).find(|c| c.name == route);
    own.map_or_else(
        || (table.clone(), String::new()),
        |own| (own.id.clone(), pointer.to_owned()),
    )
}

fn basic_address(estate: &Estate, gateway: &Gateway, out: &mut Vec<Finding>) {
    let Some(resource) = estate.resource(&gateway.id) else {
        return;
    };
    let doc = Doc::of(resource);
    for at in doc.items("/properties/ipConfigurations") {
        let pointer = format!("{at}/properties/publicIPAddress/id");
        let address = doc.reference(&pointer);
        let Some(address) = address.and_then(|id| estate.resource(&id)) else {
            continue;
        };
        let address_doc = Doc::of(address);
        // A dynamic address is Basic; without either field the API's version decides, and nobody knows.
        let says = |pointer: &str, what: &str| {
            let found = address_doc.text(pointer);
            found.is_some_and(|t| t.eq_ignore_ascii_case(what))
        };
        if says("/sku/name", "Basic") || says("/properties/publicIPAllocationMethod", "Dynamic") {
            let message = format!(
                "public address {} of {} is Basic",
                address.name, gateway.name
            );
            let rule = "azure.gateway-basic-public-ip";
            let mut found = finding(rule, &gateway.id, &pointer, message);
            found.related.push(Subject::whole(address.id.clone()));
            out.push(found);
        }
    }
}

/// A connection with both its ends.
struct Link<'a> {
    connection: &'a Connection,
    gateway: &'a Gateway,
    circuit: &'a Circuit,
    vnet: &'a VirtualNetwork,
}

impl Link<'_> {
    fn private_peering(&self, out: &mut Vec<Finding>) {
        let usable = |p: &crate::model::Peering| {
            p.enabled && p.name.eq_ignore_ascii_case("AzurePrivatePeering")
        };
        if self.circuit.peerings.iter().any(usable) {
            return;
        }
        let message = format!(
            "circuit {} has no enabled private peering, so connection {} carries nothing",
            self.circuit.name, self.connection.name
        );
        let rule = "azure.connection-no-private-peering";
        let mut found = finding(rule, &self.connection.id, "/properties/peer/id", message);
        found.related.push(Subject::whole(self.circuit.id.clone()));
        out.push(found);
    }

    fn peering_overlap(&self, out: &mut Vec<Finding>) {
        for peering in &self.circuit.peerings {
            let networks = [
                (peering.primary, "/properties/primaryPeerAddressPrefix"),
                (peering.secondary, "/properties/secondaryPeerAddressPrefix"),
            ];
            for (net, pointer) in networks {
                let space = &self.vnet.address_space;
                let Some(range) = space.iter().find(|r| overlap(**r, net.into())) else {
                    continue;
                };
                let message = format!(
                    "{net} of {} overlaps {range} of network {}",
                    peering.name, self.vnet.name
                );
                let rule = "azure.peering-overlaps-vnet";
                let mut found = finding(rule, &peering.id, pointer, message);
                found.related.push(Subject::whole(self.vnet.id.clone()));
                out.push(found);
            }
        }
    }

    fn speed(&self, out: &mut Vec<Finding>) {
        let sku = catalogue().gateway_sku("expressroute", &self.gateway.sku);
        let Some(sku) = sku else {
            return;
        };
        // ErGwScale grows with its scale units; its row is for one unit.
        if same_name(&sku.sku, "ErGwScale") || self.connection.fast_path {
            return;
        }
        if sku.mbps < self.circuit.bandwidth_mbps {
            let message = format!(
                "gateway {} ({}) carries {} Mbit/s into the network; circuit {} has {}",
                self.gateway.name,
                self.gateway.sku,
                sku.mbps,
                self.circuit.name,
                self.circuit.bandwidth_mbps
            );
            let rule = "azure.gateway-slower-than-circuit";
            let mut found = finding(rule, &self.gateway.id, "/properties/sku/name", message);
            found.related.push(Subject::whole(self.circuit.id.clone()));
            out.push(found);
        }
    }

    fn reach(&self, out: &mut Vec<Finding>) {
        let region = catalogue().azure_region(&self.vnet.location);
        let location = catalogue().location(&self.circuit.location);
        let (Some(region), Some(location)) = (region, location) else {
            return;
        };
        let near = |r: &AzureRegion| match self.circuit.tier.as_str() {
            "Local" => location
                .local_azure_regions
                .iter()
                .any(|l| same_name(l, &r.display_name)),
            "Standard" => r.geopolitical_region == location.geopolitical_region,
            _ => true,
        };
        if near(region) {
            return;
        }
        let message = format!(
            "a {} circuit at {} ({}) does not reach {} ({})",
            self.circuit.tier,
            location.location,
            location.geopolitical_region,
            region.display_name,
            region.geopolitical_region
        );
        let rule = "azure.circuit-reach";
        let mut found = finding(rule, &self.connection.id, "/properties/peer/id", message);
        found.related.push(Subject::whole(self.circuit.id.clone()));
        found.grade = found.grade.max(region.grade).max(location.geo_grade);
        out.push(found);
    }
}

/// Networks that share a circuit see each other's prefixes at the far side, which cannot tell equal ones
/// apart.
fn linked_vnets(model: &AzureModel, out: &mut Vec<Finding>) {
    for circuit in &model.circuits {
        let vnets: Vec<&VirtualNetwork> = model
            .connections
            .iter()
            .filter(|c| c.circuit == circuit.id)
            .filter_map(|c| model.gateways.iter().find(|g| g.id == c.gateway))
            .filter_map(|g| model.vnets.iter().find(|v| v.id == g.vnet))
            .collect();
        for (i, a) in vnets.iter().enumerate() {
            for b in vnets.iter().skip(i + 1).filter(|b| b.id != a.id) {
                let pairs = (a.address_space.iter())
                    .flat_map(|x| b.address_space.iter().map(move |y| (*x, *y)));
                for (x, y) in pairs.filter(|(x, y)| overlap(*x, *y)) {
                    let message = format!(
                        "{x} of {} overlaps {y} of {}, both on circuit {}",
                        a.name, b.name, circuit.name
                    );
                    let pointer = "/properties/addressSpace/addressPrefixes";
                    let rule = "azure.linked-vnets-overlap";
                    let mut found = finding(rule, &a.id, pointer, message);
                    found.related.push(Subject::whole(b.id.clone()));
                    out.push(found);
                }
            }
        }
    }
}
