//! Firewalls with what they judge by: a policy with those that it inherits from, or collections of their own.
//!
//! Network rules come before application rules, whatever their priorities. Among each, the groups of a base policy
//! come before those of a policy that inherits from it, then groups by priority, then collections by priority
//! (Azure Firewall, "rule processing logic").

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Subnets};
use skybridge_estate::{Estate, Phase, Resource, ResourceId};

use super::networks::canonical;
use super::security::{port_range, protocol_number};
use super::{exists, gap};
use crate::doc::Doc;
use crate::kinds;
use crate::model::{Firewall, FirewallRule, Gap, PrivateRanges, RuleAddress};

/// Policies that inherit from one another: Azure knows two levels, placeholders might make more.
const POLICIES_MAX: usize = 8;

/// The private ranges of RFC 1918 and RFC 6598, to which a firewall keeps the source unless told otherwise.
const PRIVATE: [&str; 4] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
];

pub(super) fn firewalls(estate: &Estate, gaps: &mut Vec<Gap>) -> Vec<Firewall> {
    let mut out = Vec::new();
    let ready = |r: &&Resource| matches!(r.phase, Phase::Ready | Phase::Updating | Phase::Deleting);
    for resource in estate.of_kind(kinds::FIREWALL).filter(ready) {
        let doc = Doc::of(resource);
        let at = "/properties/ipConfigurations/0/properties";
        let subnet = canonical(estate, doc.reference(&format!("{at}/subnet/id")));
        let address = doc.parse::<IpAddr>(&format!("{at}/privateIPAddress"));
        let (Some(subnet), Some(address)) = (subnet, address) else {
            gap(gaps, resource, "its subnet or address is not known");
            continue;
        };
        let mut rules = Rules::default();
        let rules_of = if doc.is_given(POLICY) {
            rules.of_policy(estate, &doc, POLICY, gaps, resource)
        } else {
            rules.of_firewall(estate, resource, gaps);
            resource.name.clone()
        };
        out.push(Firewall {
            id: resource.id.clone(),
            name: resource.name.clone(),
            subnet,
            address,
            rules_of,
            rules: rules.in_order(),
            private_ranges: private_ranges(estate, &doc),
        });
    }
    out
}

const POLICY: &str = "/properties/firewallPolicy/id";
const BASE_POLICY: &str = "/properties/basePolicy/id";

/// What the firewall says of itself, else what its policy says, else the private ranges.
fn private_ranges(estate: &Estate, firewall: &Doc<'_>) -> PrivateRanges {
    let policy = firewall.reference(POLICY);
    let policy = policy.and_then(|id| estate.resource(&id)).map(Doc::of);
    for doc in [Some(*firewall), policy].into_iter().flatten() {
        let at = "/properties/privateRanges";
        if doc.has_unknown(at) {
            return PrivateRanges::Unknown;
        }
        if !doc.is_given(at) {
            continue;
        }
        let mut ranges = Vec::new();
        for (_, text) in doc.texts(at) {
            if text.eq_ignore_ascii_case("IANAPrivateRanges") {
                ranges.extend(PRIVATE.iter().filter_map(|p| p.parse::<IpNet>().ok()));
            }
            ranges.extend(networks(text));
        }
        if !ranges.is_empty() {
            return PrivateRanges::Known(ranges);
        }
    }
    PrivateRanges::Known(PRIVATE.iter().filter_map(|p| p.parse().ok()).collect())
}

/// Rules as they are found, network rules apart from application rules.
#[derive(Default)]
struct Rules {
    network: Vec<FirewallRule>,
    application: Vec<FirewallRule>,
}

/// A collection: where it stands, and what its rules have in common.
struct Collection<'a> {
    estate: &'a Estate,
    doc: Doc<'a>,
    at: String,
    name: String,
    allow: bool,
    unknown: bool,
}

impl Rules {
    fn in_order(self) -> Vec<FirewallRule> {
        self.network.into_iter().chain(self.application).collect()
    }

    /// The rules of the policy at `pointer`, those of the policies that it inherits from first. Gives its name.
    fn of_policy(
        &mut self,
        estate: &Estate,
        firewall: &Doc<'_>,
        pointer: &str,
        gaps: &mut Vec<Gap>,
        named_by: &Resource,
    ) -> String {
        let mut chain: Vec<&Resource> = Vec::new();
        let mut next = (firewall.reference(pointer), firewall.is_given(pointer));
        while let (id, true) = next {
            let found = id.and_then(|id| estate.resource(&id));
            let fits = found.filter(|_| chain.len() < POLICIES_MAX);
            let Some(policy) = fits else {
                gap(gaps, named_by, "what its firewall policy says is not known");
                self.network.extend(anything("a policy that is not known"));
                break;
            };
            chain.push(policy);
            let doc = Doc::of(policy);
            next = (doc.reference(BASE_POLICY), doc.is_given(BASE_POLICY));
        }
        for policy in chain.iter().rev() {
            let mut groups: Vec<&Resource> = estate.children(&policy.id).collect();
            groups.retain(|g| g.kind.as_str() == kinds::RULE_GROUP && exists(g));
            groups.sort_by_key(|g| priority(&Doc::of(g)));
            for group in groups {
                self.of_group(estate, group, gaps);
            }
        }
        chain
            .first()
            .map_or_else(|| "a policy".to_owned(), |p| p.name.clone())
    }

    fn of_group(&mut self, estate: &Estate, group: &Resource, gaps: &mut Vec<Gap>) {
        let doc = Doc::of(group);
        let list = "/properties/ruleCollections";
        if doc.is_unknown(list) || doc.has_unknown("/properties/priority") {
            gap(gaps, group, "its rules or their priority are not known");
            self.network.extend(anything(&group.name));
        }
        let mut items = doc.items(list);
        items.sort_by_key(|at| doc.number(&format!("{at}/priority")));
        for at in items {
            let kind = doc.text(&format!("{at}/ruleCollectionType"));
            if kind.is_some_and(|k| k.contains("Nat")) {
                continue;
            }
            let name = doc.text(&format!("{at}/name")).unwrap_or_default();
            let collection = Collection {
                estate,
                doc,
                name: format!("{}/{name}", group.name),
                allow: allows(&doc, &at),
                unknown: doc.has_unknown(&format!("{at}/priority"))
                    || doc.has_unknown(&format!("{at}/action")),
                at,
            };
            for rule in doc.items(&format!("{}/rules", collection.at)) {
                match doc.text(&format!("{rule}/ruleType")) {
                    Some("ApplicationRule") => {
                        self.application.push(collection.application(&rule));
                    }
                    _ => self.network.push(collection.network(&rule)),
                }
            }
        }
    }

    /// The collections of a firewall without policy.
    fn of_firewall(&mut self, estate: &Estate, firewall: &Resource, gaps: &mut Vec<Gap>) {
        let mut children: Vec<&Resource> = estate.children(&firewall.id).collect();
        children.retain(|c| exists(c));
        children.sort_by_key(|c| priority(&Doc::of(c)));
        for child in children {
            let doc = Doc::of(child);
            let unknown = ["priority", "action"]
                .iter()
                .any(|f| doc.has_unknown(&format!("/properties/{f}")));
            if unknown {
                gap(gaps, child, "its priority or action is not known");
            }
            let collection = Collection {
                estate,
                doc,
                at: "/properties".to_owned(),
                name: child.name.clone(),
                allow: allows(&doc, "/properties"),
                unknown,
            };
            for rule in doc.items("/properties/rules") {
                match child.kind.as_str() {
                    kinds::NETWORK_RULES => self.network.push(collection.network(&rule)),
                    kinds::APPLICATION_RULES => {
                        self.application.push(collection.application(&rule));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn priority(doc: &Doc<'_>) -> u64 {
    doc.number("/properties/priority").unwrap_or(u64::MAX)
}

fn allows(doc: &Doc<'_>, at: &str) -> bool {
    let action = doc.text(&format!("{at}/action/type"));
    action.is_some_and(|a| a.eq_ignore_ascii_case("Allow"))
}

/// Two rules that could be anything.
fn anything(name: &str) -> [FirewallRule; 2] {
    [true, false].map(|allow| FirewallRule {
        name: name.to_owned(),
        allow,
        protocols: vec![None],
        destination_ports: Vec::new(),
        sources: vec![RuleAddress::Any],
        destinations: vec![RuleAddress::Any],
        unknown: true,
    })
}

impl Collection<'_> {
    fn name(&self, rule: &str) -> String {
        let rule = self.doc.text(&format!("{rule}/name")).unwrap_or_default();
        format!("{}/{rule}", self.name)
    }

    fn network(&self, rule: &str) -> FirewallRule {
        let field = |name: &str| format!("{rule}/{name}");
        let mut terms = Terms::default();
        let sources = terms.addresses(self, rule, "source");
        let destinations = terms.addresses(self, rule, "destination");
        let protocols = self.doc.texts(&field("ipProtocols"));
        let ports = self.doc.texts(&field("destinationPorts"));
        let any_port = ports.iter().any(|(_, p)| *p == "*");
        let unknown = terms.unknown || self.unknown || self.doc.has_unknown(rule);
        let all_protocols = self.doc.has_unknown(&field("ipProtocols"));
        let all_ports = any_port || self.doc.has_unknown(&field("destinationPorts"));
        FirewallRule {
            name: self.name(rule),
            allow: self.allow,
            protocols: if all_protocols {
                vec![None]
            } else {
                let numbers = protocols.iter().filter_map(|(_, p)| protocol_number(p));
                numbers.collect()
            },
            destination_ports: if all_ports {
                Vec::new()
            } else {
                ports.iter().filter_map(|(_, p)| port_range(p)).collect()
            },
            sources,
            destinations,
            unknown,
        }
    }

    /// What an application rule lets pass hangs on the name that a client asks for inside its connection.
    fn application(&self, rule: &str) -> FirewallRule {
        let mut terms = Terms::default();
        let sources = terms.addresses(self, rule, "source");
        let at = format!("{rule}/protocols");
        let mut ports: Vec<(u16, u16)> = Vec::new();
        for protocol in self.doc.items(&at) {
            let usual = match self.doc.text(&format!("{protocol}/protocolType")) {
                Some(t) if t.eq_ignore_ascii_case("http") => 80,
                Some(t) if t.eq_ignore_ascii_case("mssql") => 1433,
                _ => 443,
            };
            let port = self.doc.number(&format!("{protocol}/port"));
            let port = port.and_then(|p| u16::try_from(p).ok()).unwrap_or(usual);
            ports.push((port, port));
        }
        // Without protocols it has a tag, whose names are asked for by HTTP and HTTPS.
        if ports.is_empty() {
            ports = vec![(80, 80), (443, 443)];
        }
        FirewallRule {
            name: self.name(rule),
            allow: self.allow,
            protocols: vec![Some(6)],
            destination_ports: if self.doc.has_unknown(&at) {
                Vec::new()
            } else {
                ports
            },
            sources,
            destinations: vec![RuleAddress::Any],
            unknown: true,
        }
    }
}

/// Address expressions of a rule, and whether one of them is not known.
#[derive(Default)]
struct Terms {
    unknown: bool,
}

impl Terms {
    fn addresses(
        &mut self,
        collection: &Collection<'_>,
        rule: &str,
        side: &str,
    ) -> Vec<RuleAddress> {
        let doc = &collection.doc;
        let field = |name: &str| format!("{rule}/{side}{name}");
        let mut out = Vec::new();
        for (_, text) in doc.texts(&field("Addresses")) {
            Self::term(text, &mut out);
        }
        for (_, id) in doc.texts(&field("IpGroups")) {
            self.group(collection.estate, &id.into(), &mut out);
        }
        let names = ["Fqdns", "FqdnTags"].map(field);
        let unknown = ["Addresses", "IpGroups"]
            .map(field)
            .iter()
            .any(|f| doc.has_unknown(f));
        if unknown || names.iter().any(|f| doc.is_given(f)) {
            self.unknown = true;
            out.push(RuleAddress::Any);
        }
        out
    }

    fn term(text: &str, out: &mut Vec<RuleAddress>) {
        let found = networks(text);
        if text == "*" {
            out.push(RuleAddress::Any);
        } else if found.is_empty() {
            // A service tag: its addresses are not carried.
            out.push(RuleAddress::Tag(text.to_owned()));
        } else {
            out.extend(found.into_iter().map(RuleAddress::Prefix));
        }
    }

    fn group(&mut self, estate: &Estate, id: &ResourceId, out: &mut Vec<RuleAddress>) {
        let group = estate.resource(id);
        let at = "/properties/ipAddresses";
        match group.map(Doc::of) {
            Some(doc) if !doc.has_unknown(at) => {
                for (_, text) in doc.texts(at) {
                    Self::term(text, out);
                }
            }
            Some(_) | None => {
                self.unknown = true;
                out.push(RuleAddress::Any);
            }
        }
    }
}

/// An address, a prefix or a range of addresses as prefixes; empty for what is none of these.
fn networks(text: &str) -> Vec<IpNet> {
    let text = text.trim();
    if let Ok(net) = text.parse::<IpNet>() {
        return vec![net.trunc()];
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return vec![IpNet::from(address)];
    }
    let ends = text.split_once('-');
    let ends = ends.and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    match ends {
        Some((first, last)) if first <= last => {
            Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect()
        }
        Some(_) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_addresses_is_the_prefixes_that_cover_it_exactly() {
        let nets = |text: &str| {
            let found = networks(text).into_iter();
            found.map(|n| n.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(nets("10.0.0.4-10.0.0.7"), ["10.0.0.4/30"]);
        assert_eq!(nets("10.0.0.7-10.0.0.8"), ["10.0.0.7/32", "10.0.0.8/32"]);
        assert_eq!(nets("10.0.0.9"), ["10.0.0.9/32"]);
        assert!(nets("10.0.0.9-10.0.0.1").is_empty());
        assert!(nets("AzureCloud").is_empty());
    }
}
