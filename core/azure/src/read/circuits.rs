//! Gateways, circuits and their peerings, connections.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use skybridge_base::{Asn, VlanId};
use skybridge_catalogue::catalogue;
use skybridge_estate::{Estate, Resource, ResourceId};

use super::gap;
use super::networks::canonical;
use crate::doc::{Doc, prefix, subnet_prefixes};
use crate::kinds;
use crate::model::{Circuit, Connection, Gap, Gateway, Peering, ProviderState};

/// Gateways are AS 65515 unless `bgpSettings` says otherwise.
const GATEWAY_ASN: u32 = 65515;

pub(super) fn gateways(estate: &Estate, gaps: &mut Vec<Gap>) -> Vec<Gateway> {
    let mut out = Vec::new();
    for resource in estate.of_kind(kinds::GATEWAY) {
        let doc = Doc::of(resource);
        if !is_expressroute(&doc) {
            gap(gaps, resource, "VPN gateways are not modelled");
            continue;
        }
        if doc.is_unknown("/properties/bgpSettings/asn") {
            gap(gaps, resource, "its AS number is not known");
        }
        match gateway(estate, resource, &doc) {
            Some(gateway) => out.push(gateway),
            None => gap(gaps, resource, "its GatewaySubnet or SKU is not known"),
        }
    }
    out
}

pub(crate) fn is_expressroute(doc: &Doc<'_>) -> bool {
    doc.text("/properties/gatewayType")
        .is_some_and(|t| t.eq_ignore_ascii_case("ExpressRoute"))
}

fn gateway(estate: &Estate, resource: &Resource, doc: &Doc<'_>) -> Option<Gateway> {
    let subnet = doc.reference("/properties/ipConfigurations/0/properties/subnet/id")?;
    let subnet = estate.resource(&subnet)?;
    let [instances, msees] = gateway_addresses(subnet)?;
    let asn = doc.number("/properties/bgpSettings/asn");
    Some(Gateway {
        id: resource.id.clone(),
        name: resource.name.clone(),
        vnet: subnet.parent.clone()?,
        subnet: subnet.id.clone(),
        sku: doc.text("/properties/sku/name")?.to_owned(),
        scale_units: 1,
        asn: Asn(asn
            .and_then(|a| u32::try_from(a).ok())
            .unwrap_or(GATEWAY_ASN)),
        instance_addresses: instances,
        msee_addresses: msees,
        phase: resource.phase,
    })
}

/// Addresses of the two gateway instances and of the two MSEE endpoints in a GatewaySubnet: `.12`, `.13`
/// (chosen) and `.4`, `.5` (seen in gateway BGP peer lists). `None` when the subnet is not known or has
/// fewer than 16 addresses: a /29 has three that are not reserved, and four are needed.
pub(crate) fn gateway_addresses(subnet: &Resource) -> Option<[[Ipv4Addr; 2]; 2]> {
    let doc = Doc::of(subnet);
    let net = subnet_prefixes(&doc, "")
        .iter()
        .find_map(|(_, text)| match prefix(text) {
            Some(IpNet::V4(net)) => Some(net),
            Some(IpNet::V6(_)) | None => None,
        })?;
    let size = 1_u64 << (32 - net.prefix_len());
    let base = u32::from(net.network());
    let at = |offset: u32| Ipv4Addr::from(base + offset);
    (size >= 16).then(|| [[at(12), at(13)], [at(4), at(5)]])
}

pub(super) fn circuits(estate: &Estate, gaps: &mut Vec<Gap>) -> Vec<Circuit> {
    let mut out = Vec::new();
    for resource in estate.of_kind(kinds::CIRCUIT) {
        let doc = Doc::of(resource);
        match circuit(estate, resource, &doc, gaps) {
            Some(circuit) => out.push(circuit),
            None => gap(
                gaps,
                resource,
                "its peering location, provider, bandwidth or tier is not known",
            ),
        }
    }
    out
}

fn circuit(
    estate: &Estate,
    resource: &Resource,
    doc: &Doc<'_>,
    gaps: &mut Vec<Gap>,
) -> Option<Circuit> {
    let at = "/properties/serviceProviderProperties";
    let location = catalogue().location(doc.text(&format!("{at}/peeringLocation"))?)?;
    let provider = doc.text(&format!("{at}/serviceProviderName"))?;
    let bandwidth = doc.number(&format!("{at}/bandwidthInMbps"))?;
    let s_tag = doc.number("/properties/stag")?;
    let peerings = estate
        .children(&resource.id)
        .filter(|c| c.kind.as_str() == kinds::PEERING && super::exists(c));
    Some(Circuit {
        id: resource.id.clone(),
        name: resource.name.clone(),
        location_id: location.location_id.clone(),
        location: location.location.clone(),
        provider: catalogue()
            .provider(provider)
            .unwrap_or(provider)
            .to_owned(),
        bandwidth_mbps: u32::try_from(bandwidth).ok()?,
        tier: tier(doc)?.to_owned(),
        service_key: doc.text("/properties/serviceKey")?.to_owned(),
        provider_state: provider_state(doc),
        enabled: doc.text("/properties/circuitProvisioningState") == Some("Enabled"),
        s_tag: VlanId::new(u16::try_from(s_tag).ok()?)?,
        peerings: peerings
            .filter_map(|p| {
                let read = peering(p);
                if Doc::of(p).is_given("/properties/ipv6PeeringConfig") {
                    gap(gaps, p, "its IPv6 half is not modelled");
                }
                if read.is_none() {
                    gap(gaps, p, "its AS number, VLAN or addresses are not known");
                }
                read
            })
            .collect(),
        phase: resource.phase,
    })
}

/// `Local`, `Standard` or `Premium`, from `sku.tier` or else `sku.name`.
pub(crate) fn tier(doc: &Doc<'_>) -> Option<&'static str> {
    let given = doc.text("/sku/tier").or_else(|| {
        let name = doc.text("/sku/name")?;
        name.split('_').next()
    })?;
    ["Local", "Standard", "Premium"]
        .into_iter()
        .find(|t| t.eq_ignore_ascii_case(given))
}

/// The circuit's provider status.
pub(crate) fn provider_state(doc: &Doc<'_>) -> ProviderState {
    match doc.text("/properties/serviceProviderProvisioningState") {
        Some("Provisioned") => ProviderState::Provisioned,
        Some("Provisioning") => ProviderState::Provisioning,
        Some("Deprovisioning") => ProviderState::Deprovisioning,
        _ => ProviderState::NotProvisioned,
    }
}

fn peering(resource: &Resource) -> Option<Peering> {
    let doc = Doc::of(resource);
    let net = |field: &str| -> Option<Ipv4Net> { doc.parse(&format!("/properties/{field}")) };
    let enabled = doc.text("/properties/state") != Some("Disabled");
    Some(Peering {
        id: resource.id.clone(),
        name: resource.name.clone(),
        peer_asn: Asn(u32::try_from(doc.number("/properties/peerASN")?).ok()?),
        vlan: VlanId::new(u16::try_from(doc.number("/properties/vlanId")?).ok()?)?,
        primary: net("primaryPeerAddressPrefix")?.trunc(),
        secondary: net("secondaryPeerAddressPrefix")?.trunc(),
        shared_key: doc
            .text("/properties/sharedKey")
            .filter(|k| !k.is_empty())
            .map(str::to_owned),
        enabled,
    })
}

pub(super) fn connections(estate: &Estate, gaps: &mut Vec<Gap>) -> Vec<Connection> {
    let mut out = Vec::new();
    for resource in estate.of_kind(kinds::CONNECTION) {
        let doc = Doc::of(resource);
        let ty = doc.text("/properties/connectionType").unwrap_or_default();
        if !ty.eq_ignore_ascii_case("ExpressRoute") {
            gap(gaps, resource, format!("{ty} connections are not modelled"));
            continue;
        }
        let gateway = canonical(
            estate,
            doc.reference("/properties/virtualNetworkGateway1/id"),
        );
        let circuit = canonical(estate, doc.reference("/properties/peer/id"));
        let (Some(gateway), Some(circuit)) = (gateway, circuit) else {
            gap(gaps, resource, "its gateway or circuit is not known");
            continue;
        };
        out.push(connection(resource, (gateway, circuit), gaps));
    }
    out
}

/// A connection of a gateway, in a virtual network or a hub, with a circuit.
pub(super) fn connection(
    resource: &Resource,
    (gateway, circuit): (ResourceId, ResourceId),
    gaps: &mut Vec<Gap>,
) -> Connection {
    let doc = Doc::of(resource);
    for field in ["routingWeight", "expressRouteGatewayBypass"] {
        if doc.is_unknown(&format!("/properties/{field}")) {
            gap(gaps, resource, format!("{field} is not known"));
        }
    }
    let weight = doc.number("/properties/routingWeight").unwrap_or(0);
    Connection {
        id: resource.id.clone(),
        name: resource.name.clone(),
        gateway,
        circuit,
        routing_weight: u16::try_from(weight).unwrap_or(u16::MAX),
        fast_path: doc.flag("/properties/expressRouteGatewayBypass") == Some(true),
        phase: resource.phase,
    }
}
