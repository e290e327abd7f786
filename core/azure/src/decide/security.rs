//! Network security groups and route tables, with rules and routes inside or on their own.

use std::collections::BTreeMap;
use std::net::IpAddr;

use skybridge_estate::{Refusal, Resource};

use super::gateway::{SUBNET_NAME, has_default_route};
use super::network::checked_prefix;
use super::put::{Outcome, Request};
use crate::doc::Doc;
use crate::kinds;
use crate::read::{port_range, protocol_number};
use crate::rules::refuse;

/// Rules per group and routes per table (`data/reference/sources.csv`: msdocs-vnet-limits-2022-12-05).
const RULES_MAX: usize = 1000;
const ROUTES_MAX: usize = 400;

/// Priorities in use: direction (inbound) and priority to the rule's name.
type Priorities = BTreeMap<(bool, u64), String>;

pub(super) fn group(request: &Request<'_>) -> Result<Outcome, Refusal> {
    let mut taken = Priorities::new();
    for child in request.estate.children(&request.id) {
        note(&mut taken, &Doc::of(child), "", &child.name)?;
    }
    for at in request.doc.items("/properties/securityRules") {
        let name = request.doc.text(&format!("{at}/name")).unwrap_or_default();
        check_rule(&request.doc, &at, name)?;
        note(&mut taken, &request.doc, &at, name)?;
    }
    count(taken.len(), RULES_MAX, "azure.security-rule-count")?;
    Ok(Outcome::default())
}

pub(super) fn rule(request: &Request<'_>) -> Result<Outcome, Refusal> {
    let mut taken = Priorities::new();
    if let Some(group) = request.parent {
        let doc = Doc::of(group);
        for at in doc.items("/properties/securityRules") {
            let name = doc.text(&format!("{at}/name")).unwrap_or_default();
            if !name.eq_ignore_ascii_case(request.id.leaf()) {
                note(&mut taken, &doc, &at, name)?;
            }
        }
        for child in request.estate.children(&group.id) {
            if child.id != request.id {
                note(&mut taken, &Doc::of(child), "", &child.name)?;
            }
        }
    }
    check_rule(&request.doc, "", request.id.leaf())?;
    note(&mut taken, &request.doc, "", request.id.leaf())?;
    count(taken.len(), RULES_MAX, "azure.security-rule-count")?;
    Ok(Outcome::default())
}

fn count(len: usize, len_max: usize, rule: &'static str) -> Result<(), Refusal> {
    if len > len_max {
        return Err(refuse(
            rule,
            "/properties",
            format!("{len} where {len_max} fit"),
        ));
    }
    Ok(())
}

fn note(taken: &mut Priorities, doc: &Doc<'_>, at: &str, name: &str) -> Result<(), Refusal> {
    let pointer = format!("{at}/properties/priority");
    let direction = doc.text(&format!("{at}/properties/direction"));
    let (Some(priority), Some(direction)) = (doc.number(&pointer), direction) else {
        return Ok(());
    };
    let inbound = direction.eq_ignore_ascii_case("inbound");
    match taken.insert((inbound, priority), name.to_owned()) {
        Some(other) => Err(refuse(
            "azure.security-rule-clash",
            &pointer,
            format!("rules {other} and {name} both have priority {priority}, {direction}"),
        )),
        None => Ok(()),
    }
}

fn check_rule(doc: &Doc<'_>, at: &str, name: &str) -> Result<(), Refusal> {
    let field = |f: &str| format!("{at}/properties/{f}");
    let bad = |f: &str, value: &str| {
        let message = format!("rule {name}: {f} {value:?}");
        Err(refuse("azure.security-rule-field", &field(f), message))
    };
    for required in ["priority", "direction", "access", "protocol"] {
        if !doc.is_given(&field(required)) {
            return bad(required, "is missing");
        }
    }
    if let Some(priority) = doc.number(&field("priority"))
        && !(100..=4096).contains(&priority)
    {
        let message = format!("rule {name} has priority {priority}");
        return Err(refuse(
            "azure.security-rule-priority",
            &field("priority"),
            message,
        ));
    }
    for (f, allowed) in [
        ("direction", ["inbound", "outbound"]),
        ("access", ["allow", "deny"]),
    ] {
        if let Some(text) = doc.text(&field(f))
            && !allowed.contains(&text.to_ascii_lowercase().as_str())
        {
            return bad(f, text);
        }
    }
    if let Some(text) = doc.text(&field("protocol"))
        && protocol_number(text).is_none()
    {
        return bad("protocol", text);
    }
    for f in ["sourcePortRange", "destinationPortRange"] {
        let single = doc.text(&field(f)).map(|t| (field(f), t));
        let many = doc.texts(&field(&format!("{f}s")));
        for (_, text) in single.into_iter().chain(many) {
            if text != "*" && port_range(text).is_none() {
                return bad(f, text);
            }
        }
    }
    Ok(())
}

pub(super) fn route_table(request: &Request<'_>) -> Result<Outcome, Refusal> {
    let mut prefixes: BTreeMap<String, String> = BTreeMap::new();
    for child in request.estate.children(&request.id) {
        note_prefix(&mut prefixes, &Doc::of(child), "", &child.name)?;
    }
    for at in request.doc.items("/properties/routes") {
        let name = request.doc.text(&format!("{at}/name")).unwrap_or_default();
        check_route(request, &at, name)?;
        note_prefix(&mut prefixes, &request.doc, &at, name)?;
    }
    count(prefixes.len(), ROUTES_MAX, "azure.route-count")?;
    if prefixes.contains_key("0.0.0.0/0") {
        refuse_on_gateway_subnet(request, &request.id)?;
    }
    Ok(Outcome::default())
}

pub(super) fn route(request: &Request<'_>) -> Result<Outcome, Refusal> {
    check_route(request, "", request.id.leaf())?;
    let mut prefixes: BTreeMap<String, String> = BTreeMap::new();
    if let Some(table) = request.parent {
        let doc = Doc::of(table);
        for at in doc.items("/properties/routes") {
            let name = doc.text(&format!("{at}/name")).unwrap_or_default();
            if !name.eq_ignore_ascii_case(request.id.leaf()) {
                note_prefix(&mut prefixes, &doc, &at, name)?;
            }
        }
        for child in request.estate.children(&table.id) {
            if child.id != request.id {
                note_prefix(&mut prefixes, &Doc::of(child), "", &child.name)?;
            }
        }
        note_prefix(&mut prefixes, &request.doc, "", request.id.leaf())?;
        if prefixes.contains_key("0.0.0.0/0") && !has_default_route(request.estate, table) {
            refuse_on_gateway_subnet(request, &table.id)?;
        }
    }
    count(prefixes.len(), ROUTES_MAX, "azure.route-count")?;
    Ok(Outcome::default())
}

fn note_prefix(
    taken: &mut BTreeMap<String, String>,
    doc: &Doc<'_>,
    at: &str,
    name: &str,
) -> Result<(), Refusal> {
    let pointer = format!("{at}/properties/addressPrefix");
    let Some(prefix) = doc.text(&pointer) else {
        return Ok(());
    };
    match taken.insert(prefix.trim().to_owned(), name.to_owned()) {
        Some(other) => Err(refuse(
            "azure.route-twice",
            &pointer,
            format!("routes {other} and {name} are both for {prefix}"),
        )),
        None => Ok(()),
    }
}

fn check_route(request: &Request<'_>, at: &str, name: &str) -> Result<(), Refusal> {
    let doc = &request.doc;
    let field = |f: &str| format!("{at}/properties/{f}");
    request.require(&field("addressPrefix"))?;
    request.require(&field("nextHopType"))?;
    let pointer = field("addressPrefix");
    if let Some(text) = doc.text(&pointer)
        && text.contains('/')
    {
        checked_prefix(&pointer, text)?;
    }
    let Some(kind) = doc.text(&field("nextHopType")) else {
        return Ok(());
    };
    let bad = |f: &str, what: String| {
        let message = format!("route {name}: {what}");
        Err(refuse("azure.route-next-hop", &field(f), message))
    };
    match kind.to_ascii_lowercase().as_str() {
        "virtualappliance" => {
            let ip = field("nextHopIpAddress");
            let valid = doc.is_unknown(&ip) || doc.parse::<IpAddr>(&ip).is_some();
            if !valid {
                return bad(
                    "nextHopIpAddress",
                    "VirtualAppliance needs an address".to_owned(),
                );
            }
            Ok(())
        }
        "virtualnetworkgateway" | "vnetlocal" | "internet" | "none" => {
            let given = doc.text(&field("nextHopIpAddress")).unwrap_or_default();
            if !given.is_empty() {
                return bad("nextHopIpAddress", format!("{kind} takes no address"));
            }
            Ok(())
        }
        _ => bad("nextHopType", format!("{kind:?} is no next hop type")),
    }
}

/// A table with a default route is not for GatewaySubnet, also when the route comes second.
fn refuse_on_gateway_subnet(
    request: &Request<'_>,
    table: &skybridge_estate::ResourceId,
) -> Result<(), Refusal> {
    let uses = |subnet: &&Resource| {
        subnet.name.eq_ignore_ascii_case(SUBNET_NAME)
            && Doc::of(subnet)
                .reference("/properties/routeTable/id")
                .is_some_and(|id| kinds::same_id(&id, table))
    };
    let mut subnets = (request.estate.naming(table)).filter(|r| r.kind.as_str() == kinds::SUBNET);
    match subnets.find(uses) {
        Some(subnet) => Err(refuse(
            "azure.gateway-subnet-default-route",
            "/properties/addressPrefix",
            format!("{} uses this route table", subnet.id),
        )),
        None => Ok(()),
    }
}
