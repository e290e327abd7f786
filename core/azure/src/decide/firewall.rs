//! Firewalls, their policies and collections of rules.

use ipnet::IpNet;
use serde_json::json;
use skybridge_estate::{Refusal, Resource, Txn};

use super::interface::{dynamic_address, holder};
use super::put::{Outcome, Request};
use crate::doc::{Doc, prefix, subnet_prefixes};
use crate::kinds;
use crate::rules::refuse;

/// The name that Azure demands.
pub(super) const SUBNET_NAME: &str = "AzureFirewallSubnet";
/// The longest prefix of an AzureFirewallSubnet.
const SUBNET_LEN_MAX: u8 = 26;

pub(super) fn firewall(request: &Request<'_>, txn: &mut Txn) -> Result<Outcome, Refusal> {
    request.reference("/properties/firewallPolicy/id", kinds::FIREWALL_POLICY)?;
    let mut configs = Vec::new();
    let items = request.doc.items("/properties/ipConfigurations");
    for (index, at) in items.iter().enumerate() {
        let public = format!("{at}/properties/publicIPAddress/id");
        request.reference(&public, kinds::PUBLIC_IP)?;
        let pointer = format!("{at}/properties/subnet/id");
        let Some(subnet) = request.reference(&pointer, kinds::SUBNET)? else {
            configs.push(json!({}));
            continue;
        };
        check_subnet(request, subnet, &pointer)?;
        let holder = holder(&request.id, index);
        let address = dynamic_address(request, txn, subnet, &pointer, &holder)?;
        configs.push(match address {
            Some(address) => json!({"properties": {"privateIPAddress": address}}),
            None => json!({}),
        });
    }
    let mut outcome = Outcome::default();
    outcome
        .properties
        .insert("ipConfigurations".to_owned(), json!(configs));
    Ok(outcome)
}

fn check_subnet(request: &Request<'_>, subnet: &Resource, at: &str) -> Result<(), Refusal> {
    if !subnet.name.eq_ignore_ascii_case(SUBNET_NAME) {
        let message = format!(
            "the firewall's subnet is {}, not {SUBNET_NAME}",
            subnet.name
        );
        return Err(refuse("azure.firewall-subnet-name", at, message));
    }
    for (_, text) in subnet_prefixes(&Doc::of(subnet), "") {
        if let Some(IpNet::V4(net)) = prefix(text)
            && net.prefix_len() > SUBNET_LEN_MAX
            && request.existing.is_none()
        {
            let message =
                format!("{SUBNET_NAME} is {net}; it must be a /{SUBNET_LEN_MAX} or larger");
            return Err(refuse("azure.firewall-subnet-size", at, message));
        }
    }
    Ok(())
}

/// A policy, which may inherit from another.
pub(super) fn policy(request: &Request<'_>) -> Result<Outcome, Refusal> {
    let at = "/properties/basePolicy/id";
    request.reference(at, kinds::FIREWALL_POLICY)?;
    Ok(Outcome::default())
}

/// Collections of a firewall: one that has a policy takes none of its own.
pub(super) fn collection(request: &Request<'_>) -> Result<Outcome, Refusal> {
    let parent = request.parent.map(Doc::of);
    if parent.is_some_and(|doc| doc.is_given("/properties/firewallPolicy/id")) {
        let message = format!("{} has a policy: its rules go there", request.id);
        return Err(refuse("azure.firewall-has-policy", "", message));
    }
    Ok(Outcome::default())
}
