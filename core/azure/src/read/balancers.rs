//! Load balancers with their pools and rules.

use std::net::IpAddr;

use skybridge_estate::{Estate, Resource, ResourceId};

use super::networks::canonical;
use super::{exists, gap};
use crate::doc::Doc;
use crate::kinds;
use crate::model::{BalancingRule, Frontend, Gap, LoadBalancer};
use crate::terraform::POOLS;

pub(super) fn balancers(estate: &Estate, gaps: &mut Vec<Gap>) -> Vec<LoadBalancer> {
    let mut out = Vec::new();
    for resource in estate.of_kind(kinds::BALANCER).filter(|r| exists(r)) {
        let doc = Doc::of(resource);
        let mut frontends = Vec::new();
        for at in doc.items("/properties/frontendIPConfigurations") {
            let subnet = format!("{at}/properties/subnet/id");
            if !doc.is_given(&subnet) {
                continue;
            }
            let address = doc.parse(&format!("{at}/properties/privateIPAddress"));
            let subnet = canonical(estate, doc.reference(&subnet));
            let (Some(subnet), Some(address)) = (subnet, address) else {
                gap(
                    gaps,
                    resource,
                    "the subnet or address of a frontend is not known",
                );
                continue;
            };
            frontends.push(Frontend {
                name: doc
                    .text(&format!("{at}/name"))
                    .unwrap_or_default()
                    .to_owned(),
                subnet,
                address,
            });
        }
        let children = estate.children(&resource.id);
        let rules = children.filter(|c| c.kind.as_str() == kinds::BALANCING_RULE && exists(c));
        let rules: Vec<BalancingRule> = rules.map(|rule| balancing_rule(estate, rule)).collect();
        for rule in rules.iter().filter(|rule| rule.unknown) {
            let what = format!("rule {} rests on what is not known", rule.name);
            gap(gaps, resource, what);
        }
        out.push(LoadBalancer {
            id: resource.id.clone(),
            name: resource.name.clone(),
            frontends,
            rules,
        });
    }
    out
}

fn balancing_rule(estate: &Estate, rule: &Resource) -> BalancingRule {
    let doc = Doc::of(rule);
    let text = |name: &str| doc.text(&format!("/properties/{name}")).unwrap_or_default();
    let port = |name: &str| {
        let port = doc.number(&format!("/properties/{name}"));
        port.and_then(|p| u16::try_from(p).ok()).unwrap_or(0)
    };
    let mut members = Vec::new();
    let mut unknown = doc.has_unknown("/properties");
    for at in doc.items("/properties/backendAddressPools") {
        match doc.reference(&format!("{at}/id")) {
            Some(pool) => unknown |= !pool_members(estate, &pool, &mut members),
            None => unknown = true,
        }
    }
    members.sort();
    members.dedup();
    BalancingRule {
        name: rule.name.clone(),
        frontend: text("frontendIPConfigurationName").to_owned(),
        protocol: match text("protocol").to_ascii_lowercase().as_str() {
            "tcp" => Some(6),
            "udp" => Some(17),
            _ => None,
        },
        frontend_port: port("frontendPort"),
        backend_port: port("backendPort"),
        members,
        unknown,
    }
}

/// The addresses in a pool: of interfaces that associations put into it, and given ones. False when one of them is
/// not known.
fn pool_members(estate: &Estate, pool: &ResourceId, members: &mut Vec<IpAddr>) -> bool {
    let Some(pool) = estate.resource(pool) else {
        return false;
    };
    let mut known = true;
    for child in estate.children(&pool.id).filter(|c| exists(c)) {
        match Doc::of(child).parse::<IpAddr>("/properties/ipAddress") {
            Some(address) => members.push(address),
            None => known = false,
        }
    }
    for user in estate.naming(&pool.id) {
        if user.kind.as_str() != kinds::NIC || !exists(user) || !is_in(user, &pool.id) {
            continue;
        }
        let at = "/properties/ipConfigurations/0/properties/privateIPAddress";
        match Doc::of(user).parse::<IpAddr>(at) {
            Some(address) => members.push(address),
            None => known = false,
        }
    }
    known
}

/// True when an association puts an interface into a pool.
fn is_in(interface: &Resource, pool: &ResourceId) -> bool {
    let pools = interface.doc.pointer(&format!("/properties/{POOLS}"));
    let pools = pools.and_then(serde_json::Value::as_object);
    let mut ids = pools
        .into_iter()
        .flatten()
        .filter_map(|(_, entry)| entry.get("id")?.as_str());
    ids.any(|id| id.eq_ignore_ascii_case(pool.as_str()))
}
