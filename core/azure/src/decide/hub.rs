//! Virtual WANs: hubs, the networks and gateways connected to them.

use ipnet::IpNet;
use serde_json::{Value as Json, json};
use skybridge_catalogue::catalogue;
use skybridge_estate::{Refusal, Resource, ResourceId};

use super::connection::{check_circuit, check_weight};
use super::gateway::sits_in;
use super::put::{Outcome, Request};
use crate::doc::{Doc, overlap, prefix};
use crate::kinds;
use crate::read::hub_prefix;
use crate::rules::refuse;

/// The longest prefix of a hub (virtual-wan-faq: "the minimum address space is /24").
const PREFIX_LEN_MAX: u8 = 24;
/// Scale units of an ExpressRoute gateway in a hub.
const SCALE_UNITS: std::ops::RangeInclusive<u64> = 1..=10;

const SPACE: &str = "/properties/addressSpace/addressPrefixes";
const REMOTE: &str = "/properties/remoteVirtualNetwork/id";
const CIRCUIT_PEERING: &str = "/properties/expressRouteCircuitPeering/id";

/// A hub: its router's AS number and addresses are the platform's.
pub(super) fn hub(request: &Request<'_>) -> Result<Outcome, Refusal> {
    let pointer = "/properties/addressPrefix";
    let mut outcome = Outcome::default();
    outcome
        .properties
        .insert("virtualRouterAsn".to_owned(), json!(65515));
    let Some(text) = request.doc.text(pointer) else {
        return Ok(outcome);
    };
    let Some(IpNet::V4(net)) = prefix(text) else {
        let message = format!("{text:?} is no IPv4 prefix");
        return Err(refuse("azure.prefix", pointer, message));
    };
    if net.prefix_len() > PREFIX_LEN_MAX {
        let message =
            format!("the hub's prefix is {net}; it must be a /{PREFIX_LEN_MAX} or larger");
        return Err(refuse("azure.hub-prefix-size", pointer, message));
    }
    let base = u32::from(net.network());
    let addresses = [68, 69].map(|offset| std::net::Ipv4Addr::from(base + offset).to_string());
    let ips = Json::from(addresses.to_vec());
    outcome
        .properties
        .insert("virtualRouterIps".to_owned(), ips);
    Ok(outcome)
}

/// A connection of a network to a hub.
pub(super) fn connection(request: &Request<'_>) -> Result<Outcome, Refusal> {
    request.require(REMOTE)?;
    let (Some(hub), Some(vnet)) = (request.parent, request.reference(REMOTE, kinds::VNET)?) else {
        return Ok(Outcome::default());
    };
    if let Some(other) = other_hub(request, vnet) {
        let message = format!("{} is connected to a hub already: {other}", vnet.name);
        return Err(refuse("azure.hub-connection-twice", REMOTE, message));
    }
    if let Some(gateway) = gateway_in(request, vnet) {
        let message = format!("{} has a gateway: {}", vnet.name, gateway.name);
        return Err(refuse("azure.hub-connection-gateway", REMOTE, message));
    }
    let doc = Doc::of(vnet);
    let space = doc.texts(SPACE);
    let mut ranges = space.iter().filter_map(|(_, text)| prefix(text));
    if let Some(net) = hub_prefix(hub)
        && let Some(range) = ranges.find(|r| overlap(*r, net.into()))
    {
        let message = format!("{range} of {} and {net} of {} overlap", vnet.name, hub.name);
        return Err(refuse("azure.hub-overlap", REMOTE, message));
    }
    Ok(Outcome::default())
}

fn other_hub(request: &Request<'_>, vnet: &Resource) -> Option<ResourceId> {
    let mut users = request.estate.naming(&vnet.id);
    let other = users.find(|r| {
        let leads = Doc::of(r).reference(REMOTE);
        r.kind.as_str() == kinds::HUB_CONNECTION
            && r.id != request.id
            && leads.is_some_and(|id| kinds::same_id(&id, &vnet.id))
    });
    other.and_then(|r| r.parent.clone())
}

fn gateway_in<'a>(request: &'a Request<'_>, vnet: &Resource) -> Option<&'a Resource> {
    let mut subnets = request.estate.children(&vnet.id);
    let subnet = subnets.find(|s| s.name.eq_ignore_ascii_case(super::gateway::SUBNET_NAME))?;
    let mut users = request.estate.naming(&subnet.id);
    users.find(|r| r.kind.as_str() == kinds::GATEWAY && sits_in(r, subnet))
}

/// The ExpressRoute gateway of a hub: one each.
pub(super) fn gateway(request: &Request<'_>) -> Result<Outcome, Refusal> {
    let at = "/properties/virtualHub/id";
    request.require(at)?;
    let pointer = "/properties/autoScaleConfiguration/bounds/min";
    if let Some(units) = request.doc.number(pointer)
        && !SCALE_UNITS.contains(&units)
    {
        let message = format!(
            "{units} scale units; a gateway has 1 to {}",
            SCALE_UNITS.end()
        );
        return Err(refuse("azure.hub-gateway-units", pointer, message));
    }
    let Some(hub) = request.reference(at, kinds::HUB)? else {
        return Ok(Outcome::default());
    };
    let mut users = request.estate.naming(&hub.id);
    let other = users.find(|r| r.kind.as_str() == kinds::HUB_GATEWAY && r.id != request.id);
    match other {
        Some(other) => {
            let message = format!("{} has an ExpressRoute gateway: {}", hub.name, other.name);
            Err(refuse("azure.hub-gateway-one", at, message))
        }
        None => Ok(Outcome::default()),
    }
}

/// A connection of a hub's gateway to the private peering of a circuit.
pub(super) fn gateway_connection(request: &Request<'_>) -> Result<Outcome, Refusal> {
    request.require(CIRCUIT_PEERING)?;
    check_weight(request)?;
    let Some(peering) = request.reference(CIRCUIT_PEERING, kinds::PEERING)? else {
        return Ok(Outcome::default());
    };
    let circuit = peering
        .parent
        .as_ref()
        .and_then(|id| request.estate.resource(id));
    if let Some(circuit) = circuit {
        check_circuit(circuit, CIRCUIT_PEERING)?;
    }
    let gateway = request.parent.map(|g| &g.id);
    let mut users = request.estate.naming(&peering.id);
    let twice = users.find(|r| {
        r.kind.as_str() == kinds::HUB_GATEWAY_CONNECTION
            && r.id != request.id
            && r.parent.as_ref() == gateway
    });
    if let Some(twice) = twice {
        let message = format!("{} already connects them", twice.name);
        return Err(refuse("azure.connection-twice", CIRCUIT_PEERING, message));
    }
    let held = gateway.map_or(0, |gateway| {
        let children = request.estate.children(gateway);
        children.filter(|r| r.id != request.id).count()
    });
    let most = catalogue().gateway_sku("expressroute-hub", "ScaleUnit");
    let most = most.and_then(|row| row.circuits_diff_locations_max);
    match most.filter(|most| held as u64 >= u64::from(*most)) {
        Some(most) => {
            let message = format!("{held} circuits are on this gateway; {most} fit");
            let pointer = CIRCUIT_PEERING;
            Err(refuse(
                "azure.connection-circuits-per-vnet",
                pointer,
                message,
            ))
        }
        None => Ok(Outcome::default()),
    }
}
