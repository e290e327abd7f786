//! Connections between gateways and circuits.

use skybridge_catalogue::{Catalogue, catalogue, same_name};
use skybridge_estate::{Estate, Phase, Refusal, Resource};

use super::put::{Outcome, Request};
use crate::doc::Doc;
use crate::kinds;
use crate::model::ProviderState;
use crate::read::{provider_state, tier};
use crate::rules::refuse;

const GATEWAY: &str = "/properties/virtualNetworkGateway1/id";
const CIRCUIT: &str = "/properties/peer/id";

pub(super) fn connection(request: &Request<'_>) -> Result<Outcome, Refusal> {
    let doc = &request.doc;
    let ty = "/properties/connectionType";
    request.require(ty)?;
    if let Some(text) = doc.text(ty)
        && !text.eq_ignore_ascii_case("ExpressRoute")
    {
        let message = format!("connections of type {text} are not modelled");
        return Err(refuse("azure.connection-type", ty, message));
    }
    request.require(GATEWAY)?;
    request.require(CIRCUIT)?;
    check_weight(request)?;
    let gateway = request.reference(GATEWAY, kinds::GATEWAY)?;
    let circuit = request.reference(CIRCUIT, kinds::CIRCUIT)?;
    if let Some(gateway) = gateway {
        check_gateway(request, gateway)?;
    }
    if let Some(circuit) = circuit {
        check_circuit(circuit, CIRCUIT)?;
    }
    if let (Some(gateway), Some(circuit), None) = (gateway, circuit, request.existing) {
        check_limits(request, gateway, circuit)?;
    }
    Ok(Outcome::default())
}

fn check_gateway(request: &Request<'_>, gateway: &Resource) -> Result<(), Refusal> {
    if !matches!(gateway.phase, Phase::Ready | Phase::Updating) {
        let message = format!("gateway {} is {:?}", gateway.name, gateway.phase);
        return Err(Refusal {
            retryable: gateway.phase == Phase::Creating,
            ..refuse("azure.connection-gateway-not-ready", GATEWAY, message)
        });
    }
    let pointer = "/properties/expressRouteGatewayBypass";
    let sku = Doc::of(gateway)
        .text("/properties/sku/name")
        .unwrap_or_default();
    let row = catalogue().gateway_sku("expressroute", sku);
    if request.doc.flag(pointer) == Some(true) && row.is_some_and(|r| r.fastpath == Some(false)) {
        let message = format!("gateway {} is {sku}, which has no FastPath", gateway.name);
        return Err(refuse("azure.connection-fastpath-sku", pointer, message));
    }
    Ok(())
}

pub(super) fn check_weight(request: &Request<'_>) -> Result<(), Refusal> {
    let pointer = "/properties/routingWeight";
    let weight_max = catalogue().limit_in(request.estate, "azure", "connection_weight_max", "");
    if let (Some(weight), Some(weight_max)) = (request.doc.number(pointer), weight_max)
        && weight > weight_max
    {
        let message = format!("weight {weight} is above {weight_max}");
        return Err(refuse("azure.connection-weight", pointer, message));
    }
    Ok(())
}

/// The circuit that `pointer` leads to is provisioned.
pub(super) fn check_circuit(circuit: &Resource, pointer: &str) -> Result<(), Refusal> {
    if provider_state(&Doc::of(circuit)) == ProviderState::Provisioned {
        return Ok(());
    }
    let state = circuit.text("/properties/serviceProviderProvisioningState");
    let message = format!(
        "circuit {} is {}",
        circuit.name,
        state.unwrap_or("NotProvisioned")
    );
    Err(Refusal {
        retryable: true,
        ..refuse("azure.connection-circuit-not-provisioned", pointer, message)
    })
}

fn check_limits(
    request: &Request<'_>,
    gateway: &Resource,
    circuit: &Resource,
) -> Result<(), Refusal> {
    let estate = request.estate;
    let of_gateway = linked(estate, GATEWAY, gateway);
    let of_circuit = linked(estate, CIRCUIT, circuit);
    if let Some(twice) = of_gateway
        .iter()
        .find(|c| of_circuit.iter().any(|o| o.id == c.id))
    {
        let message = format!("{} already connects them", twice.name);
        return Err(refuse("azure.connection-twice", CIRCUIT, message));
    }
    let doc = Doc::of(circuit);
    let mbps = doc.number("/properties/serviceProviderProperties/bandwidthInMbps");
    let mbps = mbps.and_then(|m| u32::try_from(m).ok()).unwrap_or(0);
    let qualifier = Catalogue::vnet_links_qualifier(tier(&doc).unwrap_or("Standard"), mbps);
    let links = catalogue().limit_in(estate, "azure", "vnet_links", &qualifier);
    if let Some(links) = links.filter(|links| of_circuit.len() as u64 >= *links) {
        let message = format!("{} connections; {links} fit", of_circuit.len());
        return Err(refuse("azure.connection-links", CIRCUIT, message));
    }
    let location = |c: &Resource| {
        let text = c.text("/properties/serviceProviderProperties/peeringLocation");
        text.unwrap_or_default().to_owned()
    };
    let ours = location(circuit);
    let circuits: Vec<String> = of_gateway
        .iter()
        .filter_map(|c| Doc::of(c).reference(CIRCUIT))
        .filter_map(|id| estate.resource(&id).map(location))
        .collect();
    let same = circuits.iter().filter(|l| same_name(l, &ours)).count();
    let sku = Doc::of(gateway)
        .text("/properties/sku/name")
        .unwrap_or_default();
    let row = catalogue().gateway_sku("expressroute", sku);
    let too_many = |held: usize, name: &str, of_sku: Option<u32>| {
        let limit = catalogue().limit_in(estate, "azure", name, sku);
        limit
            .or_else(|| of_sku.map(u64::from))
            .is_some_and(|most| held as u64 >= most)
    };
    let of_sku = row.and_then(|r| r.circuits_same_location_max);
    if too_many(same, "circuits_same_location_per_vnet", of_sku) {
        let message = format!("{same} circuits of {ours} are on this network");
        return Err(refuse(
            "azure.connection-circuits-per-vnet",
            GATEWAY,
            message,
        ));
    }
    let of_sku = row.and_then(|r| r.circuits_diff_locations_max);
    if too_many(circuits.len(), "circuits_diff_location_per_vnet", of_sku) {
        let message = format!("{} circuits are on this {sku} gateway", circuits.len());
        return Err(refuse(
            "azure.connection-circuits-per-vnet",
            GATEWAY,
            message,
        ));
    }
    Ok(())
}

/// The connections whose reference at `pointer` leads to `target`.
pub(super) fn linked<'a>(
    estate: &'a Estate,
    pointer: &str,
    target: &Resource,
) -> Vec<&'a Resource> {
    let leads = |c: &&Resource| {
        Doc::of(c)
            .reference(pointer)
            .is_some_and(|id| kinds::same_id(&id, &target.id))
    };
    let users = estate.naming(&target.id);
    users
        .filter(|r| r.kind.as_str() == kinds::CONNECTION)
        .filter(leads)
        .collect()
}

/// The connections of a gateway.
pub(super) fn of_gateway<'a>(estate: &'a Estate, gateway: &Resource) -> Vec<&'a Resource> {
    linked(estate, GATEWAY, gateway)
}

/// The connections of a circuit, those of hubs' gateways too.
pub(super) fn of_circuit<'a>(estate: &'a Estate, circuit: &Resource) -> Vec<&'a Resource> {
    let peerings = estate.children(&circuit.id);
    let of_hubs = peerings.flat_map(|peering| estate.naming(&peering.id));
    let of_hubs = of_hubs.filter(|r| r.kind.as_str() == kinds::HUB_GATEWAY_CONNECTION);
    linked(estate, CIRCUIT, circuit)
        .into_iter()
        .chain(of_hubs)
        .collect()
}
