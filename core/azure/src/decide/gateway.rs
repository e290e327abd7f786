//! Virtual network gateways.

use ipnet::IpNet;
use serde_json::json;
use skybridge_catalogue::catalogue;
use skybridge_estate::{Estate, Refusal, Resource};

use super::interface::configurations;
use super::put::{Outcome, Request};
use crate::doc::{Doc, prefix, subnet_prefixes};
use crate::kinds;
use crate::read::{gateway_addresses, is_expressroute};
use crate::rules::refuse;

/// The name that Azure demands.
pub(super) const SUBNET_NAME: &str = "GatewaySubnet";

/// The longest prefix of a GatewaySubnet that a new ExpressRoute gateway accepts.
const SUBNET_LEN_MAX: u8 = 27;

pub(super) fn gateway(request: &Request<'_>) -> Result<Outcome, Refusal> {
    let doc = &request.doc;
    request.require("/properties/gatewayType")?;
    if !is_expressroute(doc) {
        // A VPN gateway is kept and reported as not modelled; its addresses are nobody's concern here.
        return Ok(Outcome::default());
    }
    let sku = "/properties/sku/name";
    request.require(sku)?;
    if let Some(name) = doc.text(sku)
        && catalogue().gateway_sku("expressroute", name).is_none()
    {
        let message = format!("{name:?} is no ExpressRoute gateway SKU");
        return Err(refuse("azure.gateway-sku", sku, message));
    }
    let at = "/properties/ipConfigurations/0/properties/subnet/id";
    request.require(at)?;
    let Some(subnet) = request.reference(at, kinds::SUBNET)? else {
        return Ok(Outcome::default());
    };
    check_subnet(request, subnet, at)?;
    let mut outcome = Outcome::default();
    if let Some([instances, _]) = gateway_addresses(subnet) {
        let peers = format!("{},{}", instances[0], instances[1]);
        let asn = doc.number("/properties/bgpSettings/asn").unwrap_or(65515);
        let settings = json!({"asn": asn, "bgpPeeringAddress": peers, "peerWeight": 0});
        outcome
            .properties
            .insert("bgpSettings".to_owned(), settings);
    }
    Ok(outcome)
}

fn check_subnet(request: &Request<'_>, subnet: &Resource, at: &str) -> Result<(), Refusal> {
    if !subnet.name.eq_ignore_ascii_case(SUBNET_NAME) {
        let message = format!("the gateway's subnet is {}, not {SUBNET_NAME}", subnet.name);
        return Err(refuse("azure.gateway-subnet-name", at, message));
    }
    for (_, text) in subnet_prefixes(&Doc::of(subnet), "") {
        if let Some(IpNet::V4(net)) = prefix(text)
            && net.prefix_len() > SUBNET_LEN_MAX
            && request.existing.is_none()
        {
            let message =
                format!("{SUBNET_NAME} is {net}; it must be a /{SUBNET_LEN_MAX} or larger");
            return Err(refuse("azure.gateway-subnet-size", at, message));
        }
    }
    let other = request
        .estate
        .of_kind(kinds::GATEWAY)
        .filter(|g| g.id != request.id && is_expressroute(&Doc::of(g)))
        .find(|g| sits_in(g, subnet));
    match other {
        Some(other) => Err(refuse(
            "azure.gateway-one-per-vnet",
            at,
            format!("{} is the ExpressRoute gateway of this network", other.name),
        )),
        None => Ok(()),
    }
}

/// True when something's IP configurations or frontends are in `subnet`.
pub(crate) fn sits_in(gateway: &Resource, subnet: &Resource) -> bool {
    let doc = Doc::of(gateway);
    configurations(&doc)
        .iter()
        .filter_map(|at| doc.reference(&format!("{at}/properties/subnet/id")))
        .any(|id| kinds::same_id(&id, &subnet.id))
}

/// True when a route table has a user route for everything.
pub(super) fn has_default_route(estate: &Estate, table: &Resource) -> bool {
    let doc = Doc::of(table);
    let inline = doc.items("/properties/routes");
    let inline = inline
        .iter()
        .filter_map(|at| doc.text(&format!("{at}/properties/addressPrefix")));
    let own = estate
        .children(&table.id)
        .filter_map(|r| r.doc.pointer("/properties/addressPrefix")?.as_str());
    inline.chain(own).any(|p| p.trim() == "0.0.0.0/0")
}
