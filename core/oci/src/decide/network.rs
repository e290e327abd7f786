//! VCNs and what is nested in them.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use serde_json::{Value as Json, json};
use skybridge_estate::{Refusal, Resource};

use super::draft::Draft;
use crate::kinds;
use crate::limits::limit_value;
use crate::wish::{Wish, conflict, invalid, limit, usable};

/// CIDR blocks of a VCN as its document names them: `cidrBlocks`, or the older `cidrBlock`.
pub(crate) fn vcn_blocks(doc: &Json) -> Vec<String> {
    let many = doc.get("cidrBlocks").and_then(Json::as_array);
    let many = many.filter(|m| !m.is_empty());
    let one = doc.get("cidrBlock");
    many.map_or_else(
        || one.into_iter().cloned().collect::<Vec<_>>(),
        Clone::clone,
    )
    .iter()
    .filter_map(|v| v.as_str().map(str::to_owned))
    .collect()
}

/// Checks a VCN.
pub(super) fn vcn(_: &mut Draft<'_>, wish: &Wish<'_>) -> Result<Json, Refusal> {
    if wish.value("/cidrBlocks").is_none() {
        wish.required("/cidrBlock")?;
    }
    let single = wish.items("/cidrBlocks").is_empty();
    let count = if single {
        1
    } else {
        wish.items("/cidrBlocks").len()
    };
    let mut seen: Vec<Ipv4Net> = Vec::new();
    for i in 0..count {
        let pointer = if single {
            "/cidrBlock".to_owned()
        } else {
            format!("/cidrBlocks/{i}")
        };
        let Some(net) = wish.cidr_v4(&pointer)? else {
            continue;
        };
        if !(16..=30).contains(&net.prefix_len()) {
            let message = format!("VCN CIDR block {net} must be between /16 and /30");
            return Err(invalid("oci.vcn-cidr-size", &pointer, message));
        }
        if let Some(other) = seen.iter().find(|o| overlap(**o, net)) {
            let message = format!("CIDR block {net} overlaps with {other} of the same VCN");
            return Err(invalid("oci.vcn-cidr-overlap", &pointer, message));
        }
        seen.push(net);
    }
    if let Some(existing) = wish.existing.filter(|_| !wish.is_unknown("/cidrBlocks")) {
        for subnet in subnets(wish, existing) {
            if let Some(IpNet::V4(net)) = subnet.prefixes().next()
                && !seen.is_empty()
                && !seen.iter().any(|block| block.contains(&net))
            {
                let message = format!(
                    "subnet {} ({net}) would lie outside the VCN",
                    subnet.label()
                );
                return Err(conflict(Some("oci.subnet-outside-vcn"), message));
            }
        }
    }
    let blocks = vcn_blocks(wish.doc);
    let mut computed = json!({ "cidrBlocks": blocks, "cidrBlock": blocks.first() });
    if let Some(label) = wish.text("/dnsLabel") {
        super::set(
            &mut computed,
            "vcnDomainName",
            json!(format!("{label}.oraclevcn.com")),
        );
    }
    Ok(computed)
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

fn subnets<'a>(wish: &Wish<'a>, vcn: &'a Resource) -> impl Iterator<Item = &'a Resource> {
    wish.estate
        .children(&vcn.id)
        .filter(|r| r.kind.as_str() == kinds::SUBNET)
}

/// The default route table, security list and DHCP options that every VCN begins with.
pub(super) fn add_defaults(draft: &mut Draft<'_>, vcn: &mut Resource, region: &str) {
    let any = "0.0.0.0/0";
    let mut ingress = vec![
        json!({ "protocol": "6", "source": any, "sourceType": "CIDR_BLOCK", "isStateless": false,
            "tcpOptions": { "destinationPortRange": { "min": 22, "max": 22 } } }),
        json!({ "protocol": "1", "source": any, "sourceType": "CIDR_BLOCK", "isStateless": false,
            "icmpOptions": { "type": 3, "code": 4 } }),
    ];
    for block in vcn_blocks(&vcn.doc) {
        ingress.push(
            json!({ "protocol": "1", "source": block, "sourceType": "CIDR_BLOCK",
            "isStateless": false, "icmpOptions": { "type": 3 } }),
        );
    }
    let egress = json!([{ "protocol": "all", "destination": any, "destinationType": "CIDR_BLOCK",
        "isStateless": false }]);
    let options = json!([{ "type": "DomainNameServer", "serverType": "VcnLocalPlusInternet" }]);
    let objects = [
        (
            "defaultRouteTableId",
            kinds::ROUTE_TABLE,
            "routetable",
            "Route Table",
            json!({ "routeRules": [] }),
        ),
        (
            "defaultSecurityListId",
            kinds::SECURITY_LIST,
            "securitylist",
            "Security List",
            json!({ "ingressSecurityRules": ingress, "egressSecurityRules": egress }),
        ),
        (
            "defaultDhcpOptionsId",
            kinds::DHCP_OPTIONS,
            "dhcpoptions",
            "DHCP Options",
            json!({ "options": options }),
        ),
    ];
    for (field, kind, ty, what, mut doc) in objects {
        let id = draft.ocid(ty, region);
        super::set(&mut doc, "vcnId", json!(vcn.id.as_str()));
        super::set(&mut vcn.computed, field, json!(id.as_str()));
        let name = format!("Default {what} for {}", vcn.name);
        draft.insert_generated(kind, id, name, &vcn.id, doc, json!({}));
    }
}

/// Checks a subnet and fills in the defaults of its VCN.
pub(super) fn subnet(draft: &mut Draft<'_>, wish: &Wish<'_>) -> Result<Json, Refusal> {
    let vcn = wish.parent.expect("a subnet has a VCN");
    wish.required("/cidrBlock")?;
    let net = wish.cidr_v4("/cidrBlock")?;
    if let Some(net) = net {
        fits(wish, vcn, net)?;
    }
    let table = wish.sibling("/routeTableId", kinds::ROUTE_TABLE)?;
    let lists = wish.items("/securityListIds");
    let most = limit_value(wish.estate, "security_lists_per_subnet");
    if lists.len() as u64 > most {
        let message = format!(
            "{} security lists; a subnet takes at most {most}",
            lists.len()
        );
        return Err(limit(
            "oci.security-lists-per-subnet",
            "/securityListIds",
            message,
        ));
    }
    for i in 0..lists.len() {
        wish.sibling(&format!("/securityListIds/{i}"), kinds::SECURITY_LIST)?;
    }
    wish.sibling("/dhcpOptionsId", kinds::DHCP_OPTIONS)?;
    let mut computed = json!({});
    if !wish.is_unknown("/routeTableId") {
        let default = vcn.text("/defaultRouteTableId").unwrap_or_default();
        let id = table.map_or(default, |t| t.id.as_str());
        super::set(&mut computed, "routeTableId", json!(id));
    }
    if !wish.is_unknown("/securityListIds") {
        let default = json!([vcn.text("/defaultSecurityListId")]);
        let ids = if lists.is_empty() {
            default
        } else {
            json!(lists)
        };
        super::set(&mut computed, "securityListIds", ids);
    }
    if !wish.is_unknown("/dhcpOptionsId") {
        let default = vcn.text("/defaultDhcpOptionsId");
        let id = wish.text("/dhcpOptionsId").or(default);
        super::set(&mut computed, "dhcpOptionsId", json!(id));
    }
    if let (Some(label), Some(domain)) = (wish.text("/dnsLabel"), vcn.text("/vcnDomainName")) {
        super::set(
            &mut computed,
            "subnetDomainName",
            json!(format!("{label}.{domain}")),
        );
    }
    if let Some(net) = net {
        let router = net.hosts().next().unwrap_or_else(|| net.network());
        super::set(&mut computed, "virtualRouterIp", json!(router.to_string()));
    }
    if wish.existing.is_none() {
        let mut rng = draft.estate.draw(&mut draft.txn, "virtual-router-mac");
        let [_, a, b, c] = rng.next_u32().to_be_bytes();
        let mac = format!("00:00:17:{a:02X}:{b:02X}:{c:02X}");
        super::set(&mut computed, "virtualRouterMac", json!(mac));
    }
    Ok(computed)
}

/// The subnet lies in a block of its VCN and beside its siblings.
fn fits(wish: &Wish<'_>, vcn: &Resource, net: Ipv4Net) -> Result<(), Refusal> {
    let pointer = "/cidrBlock";
    if net.prefix_len() > 30 {
        let message = format!("subnet {net} is smaller than /30");
        return Err(invalid("oci.subnet-size", pointer, message));
    }
    let unknown = ["/cidrBlocks", "/cidrBlock"]
        .iter()
        .any(|p| crate::wish::touches(&vcn.unknown, p));
    let blocks = vcn_blocks(&vcn.computed);
    let inside = blocks
        .iter()
        .filter_map(|b| b.parse::<Ipv4Net>().ok())
        .any(|b| b.contains(&net));
    if !inside && !unknown {
        let message = format!(
            "subnet {net} is not contained in the CIDR blocks of its VCN ({})",
            blocks.join(", ")
        );
        return Err(invalid("oci.subnet-outside-vcn", pointer, message));
    }
    let is_other = |r: &Resource| {
        r.kind.as_str() == kinds::SUBNET && wish.existing.is_none_or(|e| e.id != r.id)
    };
    let mut taking = wish.estate.taking(&vcn.id, net.into());
    match taking.find(|(_, r)| is_other(r)) {
        Some((theirs, other)) => {
            let message = format!("subnet {net} overlaps with {} ({theirs})", other.label());
            Err(invalid("oci.subnet-overlap", pointer, message))
        }
        None => Ok(()),
    }
}

/// Kinds that a route rule may point at.
const TARGETS: [&str; 6] = [
    kinds::DRG,
    kinds::INTERNET_GATEWAY,
    kinds::NAT_GATEWAY,
    kinds::SERVICE_GATEWAY,
    kinds::LOCAL_PEERING_GATEWAY,
    kinds::PRIVATE_IP,
];

/// Checks a route table of a VCN.
pub(super) fn route_table(wish: &Wish<'_>) -> Result<Json, Refusal> {
    let vcn = wish.parent.expect("a route table has a VCN");
    let mut seen: Vec<&str> = Vec::new();
    for i in 0..wish.items("/routeRules").len() {
        let rule = format!("/routeRules/{i}");
        let target = format!("{rule}/networkEntityId");
        wish.required(&target)?;
        let field = if wish.text(&format!("{rule}/destination")).is_some() {
            "destination"
        } else {
            "cidrBlock"
        };
        let destination = format!("{rule}/{field}");
        wish.required(&destination)?;
        let kind = wish
            .text(&format!("{rule}/destinationType"))
            .unwrap_or("CIDR_BLOCK");
        match kind {
            "CIDR_BLOCK" => {
                wish.cidr(&destination)?;
            }
            "SERVICE_CIDR_BLOCK" => {}
            other => {
                let message = format!("destinationType \"{other}\" is not known");
                return Err(invalid(
                    "oci.route-rule",
                    &format!("{rule}/destinationType"),
                    message,
                ));
            }
        }
        if let Some(text) = wish
            .text(&destination)
            .filter(|_| !wish.is_unknown(&destination))
        {
            if seen.contains(&text) {
                let message = format!("two route rules have the destination {text}");
                return Err(invalid("oci.route-rule-duplicate", &destination, message));
            }
            seen.push(text);
        }
        let Some(id) = wish.text(&target).filter(|_| !wish.is_unknown(&target)) else {
            continue;
        };
        let found = usable(wish.estate, id, Some(&target))?;
        if !TARGETS.contains(&found.kind.as_str()) {
            let message = format!("{} cannot be the target of a route rule", found.label());
            return Err(invalid("oci.route-target", &target, message));
        }
        let of_vcn = !matches!(found.kind.as_str(), kinds::DRG | kinds::PRIVATE_IP);
        if of_vcn && found.parent.as_ref() != Some(&vcn.id) {
            let message = format!("{} does not belong to VCN {}", found.label(), vcn.label());
            return Err(invalid("oci.route-target", &target, message));
        }
    }
    Ok(json!({}))
}

/// Checks a security list.
pub(super) fn security_list(wish: &Wish<'_>) -> Result<Json, Refusal> {
    let most = limit_value(wish.estate, "rules_per_security_list_direction");
    for (field, peer) in [
        ("ingressSecurityRules", "source"),
        ("egressSecurityRules", "destination"),
    ] {
        let count = wish.items(&format!("/{field}")).len();
        if count as u64 > most {
            let message = format!("{count} {field}; a security list takes at most {most}");
            return Err(limit(
                "oci.security-list-rules",
                &format!("/{field}"),
                message,
            ));
        }
        for i in 0..count {
            security_rule(wish, &format!("/{field}/{i}"), peer)?;
        }
    }
    Ok(json!({}))
}

/// Checks one security rule at `pointer`.
fn security_rule(wish: &Wish<'_>, pointer: &str, peer: &str) -> Result<(), Refusal> {
    wish.required(&format!("{pointer}/protocol"))?;
    let protocol = format!("{pointer}/protocol");
    if let Some(text) = wish.text(&protocol).filter(|_| !wish.is_unknown(&protocol))
        && !text.eq_ignore_ascii_case("all")
        && text.parse::<u8>().is_err()
    {
        let message = format!("protocol \"{text}\" is neither \"all\" nor an IP protocol number");
        return Err(invalid("oci.security-rule-protocol", &protocol, message));
    }
    let address = format!("{pointer}/{peer}");
    let kind = wish
        .text(&format!("{pointer}/{peer}Type"))
        .unwrap_or("CIDR_BLOCK");
    match kind {
        "CIDR_BLOCK" => {
            wish.required(&address)?;
            wish.cidr(&address)?;
        }
        "NETWORK_SECURITY_GROUP" => {
            wish.required(&address)?;
            wish.reference(&address, kinds::SECURITY_GROUP)?;
        }
        "SERVICE_CIDR_BLOCK" => wish.required(&address)?,
        other => {
            let message = format!("{peer}Type \"{other}\" is not known");
            return Err(invalid(
                "oci.security-rule-peer",
                &format!("{pointer}/{peer}Type"),
                message,
            ));
        }
    }
    for options in ["tcpOptions", "udpOptions"] {
        for range in ["sourcePortRange", "destinationPortRange"] {
            port_range(wish, &format!("{pointer}/{options}/{range}"))?;
        }
    }
    Ok(())
}

fn port_range(wish: &Wish<'_>, pointer: &str) -> Result<(), Refusal> {
    if wish.value(pointer).is_none() || wish.is_unknown(pointer) {
        return Ok(());
    }
    let port = |name: &str| {
        wish.value(&format!("{pointer}/{name}"))
            .and_then(Json::as_u64)
            .filter(|p| (1..=65535).contains(p))
    };
    match (port("min"), port("max")) {
        (Some(min), Some(max)) if min <= max => Ok(()),
        _ => {
            let message =
                "a port range needs min and max from 1 to 65535, min not above max".to_owned();
            Err(invalid("oci.security-rule-ports", pointer, message))
        }
    }
}

/// Checks a network security group.
pub(super) fn security_group(wish: &Wish<'_>) -> Result<Json, Refusal> {
    let vcn = wish.parent.expect("a network security group has a VCN");
    let groups = wish
        .estate
        .children(&vcn.id)
        .filter(|r| r.kind.as_str() == kinds::SECURITY_GROUP)
        .count();
    let most = limit_value(wish.estate, "nsgs_per_vcn");
    if wish.existing.is_none() && groups as u64 >= most {
        let message = format!("VCN {} has {most} network security groups", vcn.label());
        return Err(limit("oci.nsgs-per-vcn", "", message));
    }
    Ok(json!({}))
}

/// Checks a rule of a network security group.
pub(super) fn security_group_rule(wish: &Wish<'_>) -> Result<Json, Refusal> {
    let group = wish.parent.expect("a rule has a network security group");
    let most = limit_value(wish.estate, "rules_per_nsg");
    let rules = wish.estate.children(&group.id).count();
    if wish.existing.is_none() && rules as u64 >= most {
        let message = format!("network security group {} has {most} rules", group.label());
        return Err(limit("oci.nsg-rules", "", message));
    }
    wish.required("/direction")?;
    match wish.text("/direction") {
        Some("INGRESS") => security_rule(wish, "", "source")?,
        Some("EGRESS") => security_rule(wish, "", "destination")?,
        Some(other) if !wish.is_unknown("/direction") => {
            let message = format!("direction \"{other}\" is neither INGRESS nor EGRESS");
            return Err(invalid(
                "oci.security-rule-direction",
                "/direction",
                message,
            ));
        }
        _ => {}
    }
    Ok(json!({ "isValid": true }))
}

/// Checks an internet gateway: one per VCN.
pub(super) fn internet_gateway(wish: &Wish<'_>) -> Result<Json, Refusal> {
    let vcn = wish.parent.expect("an internet gateway has a VCN");
    let other = wish
        .estate
        .children(&vcn.id)
        .find(|r| r.kind.as_str() == kinds::INTERNET_GATEWAY);
    if let Some(other) = other.filter(|_| wish.existing.is_none()) {
        let message = format!(
            "VCN {} has an internet gateway: {}",
            vcn.label(),
            other.label()
        );
        return Err(limit("oci.one-internet-gateway", "", message));
    }
    Ok(json!({ "isEnabled": wish.flag("/isEnabled").unwrap_or(true) }))
}

/// The addresses of a subnet that VNICs may have: OCI keeps the first two and the last.
pub(crate) fn usable_offsets(net: IpNet) -> Option<(Ipv4Net, std::ops::RangeInclusive<u64>)> {
    let IpNet::V4(net) = net else { return None };
    let size = 1u64 << (32 - u32::from(net.prefix_len()));
    (size >= 4).then(|| (net, 2..=size - 2))
}

/// The address at an offset in a network.
pub(crate) fn address_at(net: Ipv4Net, offset: u64) -> Ipv4Addr {
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    Ipv4Addr::from(u32::from(net.network()).saturating_add(offset))
}
