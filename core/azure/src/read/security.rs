//! Network security groups.

use ipnet::IpNet;
use skybridge_estate::{Estate, Resource};

use super::{exists, gap};
use crate::doc::Doc;
use crate::kinds;
use crate::model::{Gap, RuleAddress, SecurityGroup, SecurityRule};

pub(super) fn groups(estate: &Estate, gaps: &mut Vec<Gap>) -> Vec<SecurityGroup> {
    let mut out = Vec::new();
    for resource in estate.of_kind(kinds::NSG).filter(|r| exists(r)) {
        let doc = Doc::of(resource);
        let mut rules: Vec<SecurityRule> = Vec::new();
        for item in doc.items("/properties/securityRules") {
            rules.extend(rule(resource, &doc, &item, gaps));
        }
        for child in estate.children(&resource.id).filter(|c| exists(c)) {
            rules.extend(rule(child, &Doc::of(child), "", gaps));
        }
        rules.extend(default_rules());
        // Inbound first, then by priority; both are unique per direction.
        rules.sort_by_key(|r| (!r.inbound, r.priority));
        out.push(SecurityGroup {
            id: resource.id.clone(),
            name: resource.name.clone(),
            rules,
        });
    }
    out
}

/// The six rules that no one can delete.
pub(crate) fn default_rules() -> [SecurityRule; 6] {
    let tag = |t: &str| RuleAddress::Tag(t.to_owned());
    let any = || RuleAddress::Any;
    let rule = |name: &str, priority, inbound, allow, source, destination| SecurityRule {
        name: name.to_owned(),
        priority,
        inbound,
        allow,
        protocol: None,
        source_ports: Vec::new(),
        destination_ports: Vec::new(),
        sources: vec![source],
        destinations: vec![destination],
        unknown: false,
    };
    let (vnet, balancer, internet) = ("VirtualNetwork", "AzureLoadBalancer", "Internet");
    [
        rule("AllowVnetInBound", 65000, true, true, tag(vnet), tag(vnet)),
        rule(
            "AllowAzureLoadBalancerInBound",
            65001,
            true,
            true,
            tag(balancer),
            any(),
        ),
        rule("DenyAllInBound", 65500, true, false, any(), any()),
        rule(
            "AllowVnetOutBound",
            65000,
            false,
            true,
            tag(vnet),
            tag(vnet),
        ),
        rule(
            "AllowInternetOutBound",
            65001,
            false,
            true,
            any(),
            tag(internet),
        ),
        rule("DenyAllOutBound", 65500, false, false, any(), any()),
    ]
}

/// One rule: at `at` in the document of its group, or a resource of its own.
fn rule(resource: &Resource, doc: &Doc<'_>, at: &str, gaps: &mut Vec<Gap>) -> Option<SecurityRule> {
    let name = doc.text(&format!("{at}/name")).unwrap_or(&resource.name);
    let field = |f: &str| format!("{at}/properties/{f}");
    let unknown = doc.has_unknown(&format!("{at}/properties"));
    let priority = doc.number(&field("priority"));
    let direction = doc.text(&field("direction"));
    let access = doc.text(&field("access"));
    let (Some(priority), Some(direction), Some(access)) = (priority, direction, access) else {
        gap(
            gaps,
            resource,
            format!("rule {name} lacks priority, direction or access"),
        );
        return None;
    };
    let protocol = doc.text(&field("protocol")).unwrap_or("*");
    let parsed_protocol = protocol_number(protocol);
    if parsed_protocol.is_none() && !unknown {
        gap(
            gaps,
            resource,
            format!("rule {name}: protocol {protocol:?}"),
        );
        return None;
    }
    Some(SecurityRule {
        name: name.to_owned(),
        priority: u16::try_from(priority).ok()?,
        inbound: direction.eq_ignore_ascii_case("inbound"),
        allow: access.eq_ignore_ascii_case("allow"),
        protocol: parsed_protocol.flatten(),
        source_ports: ports(doc, &field("sourcePortRange")),
        destination_ports: ports(doc, &field("destinationPortRange")),
        sources: addresses(doc, at, "source"),
        destinations: addresses(doc, at, "destination"),
        unknown,
    })
}

/// `Some(None)` is any protocol, `None` is a name that Azure does not know.
pub(crate) fn protocol_number(name: &str) -> Option<Option<u8>> {
    match name.to_ascii_lowercase().as_str() {
        "*" | "any" => Some(None),
        "tcp" => Some(Some(6)),
        "udp" => Some(Some(17)),
        "icmp" => Some(Some(1)),
        "esp" => Some(Some(50)),
        "ah" => Some(Some(51)),
        _ => None,
    }
}

/// A port or range of ports; `None` when it is neither.
pub(crate) fn port_range(text: &str) -> Option<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let low = low.trim().parse().ok()?;
    let high = high.trim().parse().ok()?;
    (low <= high).then_some((low, high))
}

/// The ranges of `<one>` and `<one>s`; empty is any.
fn ports(doc: &Doc<'_>, one: &str) -> Vec<(u16, u16)> {
    let many = doc.texts(&format!("{one}s"));
    let texts = doc
        .text(one)
        .into_iter()
        .chain(many.iter().map(|(_, t)| *t));
    let texts: Vec<&str> = texts.collect();
    if texts.contains(&"*") {
        return Vec::new();
    }
    texts.into_iter().filter_map(port_range).collect()
}

fn addresses(doc: &Doc<'_>, at: &str, side: &str) -> Vec<RuleAddress> {
    let one = format!("{at}/properties/{side}AddressPrefix");
    let mut out: Vec<RuleAddress> = doc.text(&one).map(address).into_iter().collect();
    let many = doc.texts(&format!("{one}es"));
    out.extend(many.iter().map(|(_, text)| address(text)));
    let groups = format!("{at}/properties/{side}ApplicationSecurityGroups");
    for item in doc.items(&groups) {
        let id = doc.reference(&format!("{item}/id"));
        out.extend(id.map(RuleAddress::Group));
    }
    // What nobody knows could be anything.
    if [&one, &format!("{one}es"), &groups]
        .into_iter()
        .any(|f| doc.has_unknown(f))
    {
        out.push(RuleAddress::Any);
    }
    out
}

/// An address expression: `*` and `0.0.0.0/0` differ only in family, so the second stays a prefix.
fn address(text: &str) -> RuleAddress {
    if text == "*" || text.eq_ignore_ascii_case("any") {
        return RuleAddress::Any;
    }
    if let Ok(net) = text.parse::<IpNet>() {
        return RuleAddress::Prefix(net.trunc());
    }
    match text.parse::<std::net::IpAddr>() {
        Ok(address) => RuleAddress::Prefix(IpNet::from(address)),
        Err(_) => RuleAddress::Tag(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_any_prefix_or_tag() {
        assert_eq!(address("*"), RuleAddress::Any);
        assert_eq!(
            address("10.0.0.4"),
            RuleAddress::Prefix("10.0.0.4/32".parse().unwrap())
        );
        assert_eq!(address("Internet"), RuleAddress::Tag("Internet".into()));
    }

    #[test]
    fn port_ranges_are_read_and_reversed_ones_are_not() {
        assert_eq!(port_range("22"), Some((22, 22)));
        assert_eq!(port_range("80-90"), Some((80, 90)));
        assert_eq!(port_range("90-80"), None);
        assert_eq!(port_range("70000"), None);
    }
}
