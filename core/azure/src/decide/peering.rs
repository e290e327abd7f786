//! Peerings of a circuit, configured by the customer or made by the provider.

use ipnet::Ipv4Net;
use serde_json::{Map, Value as Json, json};
use skybridge_catalogue::catalogue;
use skybridge_estate::{Estate, Refusal, Resource, ResourceId, Txn};

use super::put::{Outcome, Request};
use crate::doc::Doc;
use crate::model::ProviderState;
use crate::read::provider_state;
use crate::rules::refuse;

/// The name of a circuit's private peering.
pub(super) const PRIVATE: &str = "AzurePrivatePeering";

/// VLAN ids that the provider gives.
const C_TAGS: std::ops::RangeInclusive<u64> = 100..=4094;

pub(super) fn peering(request: &Request<'_>, txn: &mut Txn) -> Result<Outcome, Refusal> {
    let name = request.id.leaf();
    if ![PRIVATE, "MicrosoftPeering"]
        .iter()
        .any(|n| n.eq_ignore_ascii_case(name))
    {
        let message = format!("{name:?} is no type of peering");
        return Err(refuse(
            "azure.peering-type",
            "/properties/peeringType",
            message,
        ));
    }
    let Some(circuit) = request.parent else {
        return Err(refuse(
            "azure.parent-missing",
            "",
            "a peering belongs to a circuit",
        ));
    };
    if provider_state(&Doc::of(circuit)) != ProviderState::Provisioned {
        let message = format!(
            "circuit {} is not provisioned by its provider",
            circuit.name
        );
        return Err(Refusal {
            retryable: true,
            ..refuse("azure.peering-not-provisioned", "", message)
        });
    }
    check_asn(&request.doc)?;
    check_prefixes(request.estate, circuit, &request.id, &request.doc)?;
    check_vlan(request.estate, circuit, &request.id, &request.doc)?;
    check_shared_key(request.estate, &request.doc)?;
    let vlan = "/properties/vlanId";
    request.require(vlan)?;
    let properties = computed_properties(request.estate, txn, circuit, &request.id, &request.doc);
    Ok(Outcome {
        doc: None,
        properties,
    })
}

/// What Azure adds to a peering; a VLAN id when nobody gave one.
pub(super) fn computed_properties(
    estate: &Estate,
    txn: &mut Txn,
    circuit: &Resource,
    id: &ResourceId,
    doc: &Doc<'_>,
) -> Map<String, Json> {
    let mut properties = Map::new();
    let mut set = |k: &str, v: Json| properties.insert(k.to_owned(), v);
    let msee = catalogue().behaviour("azure_default_asn");
    set("azureASN", json!(msee.map_or(12076, |b| b.value)));
    if !doc.is_given("/properties/state") {
        set("state", json!("Enabled"));
    }
    let site = circuit
        .text("/properties/serviceProviderProperties/peeringLocation")
        .unwrap_or_default();
    set("primaryAzurePort", json!(format!("{site} primary MSEE")));
    set(
        "secondaryAzurePort",
        json!(format!("{site} secondary MSEE")),
    );
    if !doc.is_given("/properties/vlanId") {
        let pool = format!("c-tag/{}", circuit.id);
        let vlan = estate.allocate(txn, &pool, id.as_str(), C_TAGS);
        set("vlanId", json!(vlan));
    }
    properties
}

fn check_asn(doc: &Doc<'_>) -> Result<(), Refusal> {
    let pointer = "/properties/peerASN";
    let Some(asn) = doc.number(pointer) else {
        if doc.is_unknown(pointer) {
            return Ok(());
        }
        let message = "a peering needs the peer's AS number";
        return Err(refuse("azure.peering-asn", pointer, message));
    };
    let reserved = matches!(asn, 0 | 12076 | 23456 | 65515..=65520 | 65535 | 4_294_967_295..);
    if reserved {
        let message = format!("AS {asn} is reserved");
        return Err(refuse("azure.peering-asn", pointer, message));
    }
    Ok(())
}

const NETWORKS: [&str; 2] = [
    "/properties/primaryPeerAddressPrefix",
    "/properties/secondaryPeerAddressPrefix",
];

fn check_prefixes(
    estate: &Estate,
    circuit: &Resource,
    id: &ResourceId,
    doc: &Doc<'_>,
) -> Result<(), Refusal> {
    let mut taken: Vec<(String, Ipv4Net)> = Vec::new();
    for other in estate.children(&circuit.id).filter(|o| o.id != *id) {
        for pointer in NETWORKS {
            let net: Option<Ipv4Net> = Doc::of(other).parse(pointer);
            taken.extend(net.map(|n| (other.name.clone(), n)));
        }
    }
    for pointer in NETWORKS {
        let Some(text) = doc.text(pointer) else {
            if doc.is_unknown(pointer) {
                continue;
            }
            let message = "a peering needs a primary and a secondary /30";
            return Err(refuse("azure.peering-prefix", pointer, message));
        };
        let net: Option<Ipv4Net> = text.parse().ok();
        let bad = |message: String| Err(refuse("azure.peering-prefix", pointer, message));
        let Some(net) = net else {
            return bad(format!("{text:?} is not an IPv4 prefix"));
        };
        if net.prefix_len() != 30 {
            return bad(format!("{net} is a /{}, not a /30", net.prefix_len()));
        }
        if net.trunc() != net {
            return bad(format!(
                "{text} has host bits; the network is {}",
                net.trunc()
            ));
        }
        if let Some((who, other)) = taken.iter().find(|(_, n)| *n == net) {
            let message = format!("{net} is also {other} of {who}");
            return Err(refuse("azure.peering-prefixes-overlap", pointer, message));
        }
        taken.push(("this peering".to_owned(), net));
    }
    Ok(())
}

fn check_vlan(
    estate: &Estate,
    circuit: &Resource,
    id: &ResourceId,
    doc: &Doc<'_>,
) -> Result<(), Refusal> {
    let pointer = "/properties/vlanId";
    let Some(vlan) = doc.number(pointer) else {
        return Ok(());
    };
    if !(1..=4094).contains(&vlan) {
        let message = format!("VLAN id {vlan} is not in 1 to 4094");
        return Err(refuse("azure.peering-vlan", pointer, message));
    }
    let clash = estate
        .children(&circuit.id)
        .find(|o| o.id != *id && Doc::of(o).number(pointer) == Some(vlan));
    match clash {
        Some(other) => {
            let message = format!("VLAN id {vlan} is that of {}", other.name);
            Err(refuse("azure.peering-vlan", pointer, message))
        }
        None => Ok(()),
    }
}

fn check_shared_key(estate: &Estate, doc: &Doc<'_>) -> Result<(), Refusal> {
    let pointer = "/properties/sharedKey";
    let Some(key) = doc.text(pointer) else {
        return Ok(());
    };
    let len_max = catalogue().limit_in(estate, "azure", "md5_key_max_chars", "");
    if let Some(len_max) = len_max.filter(|len_max| key.len() as u64 > *len_max) {
        let message = format!("the key has {} characters; {len_max} fit", key.len());
        return Err(refuse("azure.peering-shared-key", pointer, message));
    }
    if !key.chars().all(|c| c.is_ascii_alphanumeric()) {
        let message = "the key has characters that are neither letters nor digits";
        return Err(refuse("azure.peering-shared-key", pointer, message));
    }
    Ok(())
}
