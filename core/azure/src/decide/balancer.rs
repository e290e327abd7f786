//! Load balancers and what is nested in them.

use serde_json::{Value as Json, json};
use skybridge_estate::{Refusal, Txn};

use super::interface::ip_config;
use super::put::{Outcome, Request};
use crate::kinds;
use crate::rules::refuse;

/// Frontends in a subnet get addresses there, as interfaces do.
pub(super) fn balancer(request: &Request<'_>, txn: &mut Txn) -> Result<Outcome, Refusal> {
    let mut configs = Vec::new();
    let items = request.doc.items("/properties/frontendIPConfigurations");
    for (index, at) in items.iter().enumerate() {
        let is_private = request.doc.is_given(&format!("{at}/properties/subnet/id"));
        configs.push(if is_private {
            ip_config(request, txn, index, at)?
        } else {
            let public = format!("{at}/properties/publicIPAddress/id");
            request.reference(&public, kinds::PUBLIC_IP)?;
            json!({})
        });
    }
    let mut outcome = Outcome::default();
    outcome
        .properties
        .insert("frontendIPConfigurations".to_owned(), json!(configs));
    Ok(outcome)
}

/// A rule names a frontend of its balancer; one for all protocols has all ports, and a Standard balancer.
pub(super) fn rule(request: &Request<'_>) -> Result<Outcome, Refusal> {
    for at in request.doc.items("/properties/backendAddressPools") {
        request.reference(&format!("{at}/id"), kinds::POOL)?;
    }
    request.reference("/properties/probe/id", kinds::PROBE)?;
    let Some(balancer) = request.parent else {
        return Ok(Outcome::default());
    };
    let field = "/properties/frontendIPConfigurationName";
    if let Some(name) = request.doc.text(field) {
        let list = balancer.doc.pointer("/properties/frontendIPConfigurations");
        let mut names = list
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(|f| f.get("name")?.as_str());
        if !names.any(|n| n.eq_ignore_ascii_case(name)) {
            let message = format!("{} has no frontend {name:?}", balancer.name);
            return Err(refuse("azure.lb-frontend-missing", field, message));
        }
    }
    let protocol = "/properties/protocol";
    let is_all = |text: &str| text.eq_ignore_ascii_case("All");
    let sku = balancer.text("/sku/name").unwrap_or_default();
    if request.doc.text(protocol).is_some_and(is_all) && sku.eq_ignore_ascii_case("Basic") {
        let message = format!("{} is Basic: it has no HA ports", balancer.name);
        return Err(refuse("azure.lb-ha-ports-basic", protocol, message));
    }
    Ok(Outcome::default())
}
