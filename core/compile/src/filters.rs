//! Network security groups and security lists as packet filters.

use ipnet::IpNet;
use skybridge_azure::model::{
    Firewall, FirewallRule, NetworkInterface, RuleAddress, SecurityRule, Subnet, VirtualNetwork,
};
use skybridge_blueprint::{
    Access, AddressSet, Filter, Protocol, Rule, RuleSet, RuleSetMode, Tracking,
};
use skybridge_estate::ResourceId;
use skybridge_oci::model as oci;

use crate::builder::{Builder, everywhere, host_prefix};
use crate::vnet;

const ICMP: u8 = 1;

/// What a packet from the machine meets: interface NSG, then subnet NSG.
pub(crate) fn azure_outbound(
    builder: &Builder<'_>,
    network: &VirtualNetwork,
    subnet: &Subnet,
    nic: Option<&NetworkInterface>,
) -> Option<Filter> {
    let groups = [
        nic.and_then(|n| n.security_group.as_ref()),
        subnet.security_group.as_ref(),
    ];
    azure_filter(builder, network, groups, false)
}

/// What a packet to the machine meets: subnet NSG, then interface NSG.
pub(crate) fn azure_inbound(
    builder: &Builder<'_>,
    network: &VirtualNetwork,
    subnet: &Subnet,
    nic: Option<&NetworkInterface>,
) -> Option<Filter> {
    let groups = [
        subnet.security_group.as_ref(),
        nic.and_then(|n| n.security_group.as_ref()),
    ];
    azure_filter(builder, network, groups, true)
}

fn azure_filter(
    builder: &Builder<'_>,
    network: &VirtualNetwork,
    groups: [Option<&ResourceId>; 2],
    inbound: bool,
) -> Option<Filter> {
    let sets: Vec<RuleSet> = (groups.into_iter().flatten())
        .filter_map(|id| {
            (builder.inputs.azure.security_groups.iter()).find(|group| &group.id == id)
        })
        .map(|group| RuleSet {
            name: group.name.clone(),
            mode: RuleSetMode::FirstMatch,
            rules: (group.rules.iter())
                .filter(|rule| rule.inbound == inbound)
                .map(|rule| azure_rule(builder, network, rule))
                .collect(),
        })
        .collect();
    // Without any group everything passes.
    (!sets.is_empty()).then_some(Filter { sets })
}

fn azure_rule(builder: &Builder<'_>, network: &VirtualNetwork, rule: &SecurityRule) -> Rule {
    let (sources, source_unknown) = azure_addresses(builder, network, &rule.sources);
    let (destinations, destination_unknown) = azure_addresses(builder, network, &rule.destinations);
    Rule {
        name: rule.name.clone(),
        access: if rule.allow {
            Access::Allow
        } else {
            Access::Deny
        },
        tracking: Tracking::Stateful,
        protocols: protocols(rule.protocol, &rule.source_ports, &rule.destination_ports),
        sources,
        destinations,
        unknown: rule.unknown || source_unknown || destination_unknown,
    }
}

/// What a firewall judges by. A rule of which a part is not known is two: what is known of it decides.
pub(crate) fn firewall(
    builder: &Builder<'_>,
    network: &VirtualNetwork,
    firewall: &Firewall,
) -> Filter {
    let rules = firewall.rules.iter();
    Filter {
        sets: vec![RuleSet {
            name: firewall.rules_of.clone(),
            mode: RuleSetMode::FirstMatch,
            rules: rules
                .flat_map(|rule| firewall_rule(builder, network, rule))
                .collect(),
        }],
    }
}

fn firewall_rule(
    builder: &Builder<'_>,
    network: &VirtualNetwork,
    rule: &FirewallRule,
) -> Vec<Rule> {
    let is_tag = |term: &&RuleAddress| matches!(term, RuleAddress::Tag(_));
    let protocols: Vec<Protocol> = (rule.protocols.iter())
        .flat_map(|number| protocols(*number, &[], &rule.destination_ports))
        .collect();
    // The addresses of service tags are not carried: they could be any.
    let addresses = |terms: &[RuleAddress], tags: bool| {
        let some = terms.iter().filter(|t| tags || !is_tag(t));
        let some = some.map(|t| {
            if is_tag(&t) {
                RuleAddress::Any
            } else {
                t.clone()
            }
        });
        let some: Vec<RuleAddress> = some.collect();
        azure_addresses(builder, network, &some).0
    };
    let with = |tags: bool| {
        let sources = addresses(&rule.sources, tags);
        let destinations = addresses(&rule.destinations, tags);
        Rule {
            name: rule.name.clone(),
            access: if rule.allow {
                Access::Allow
            } else {
                Access::Deny
            },
            tracking: Tracking::Stateful,
            protocols: protocols.clone(),
            sources,
            destinations,
            unknown: rule.unknown || tags,
        }
    };
    let mut terms = rule.sources.iter().chain(&rule.destinations);
    let has_tags = terms.any(|t| is_tag(&t));
    let known = with(false);
    if has_tags {
        vec![known, with(true)]
    } else {
        vec![known]
    }
}

/// Any protocol with ports given means TCP and UDP with these ports; ICMP has none.
fn protocols(
    number: Option<u8>,
    source_ports: &[(u16, u16)],
    destination_ports: &[(u16, u16)],
) -> Vec<Protocol> {
    let ported = |number| Protocol::Ports {
        number,
        source: source_ports.iter().map(|(a, b)| *a..=*b).collect(),
        destination: destination_ports.iter().map(|(a, b)| *a..=*b).collect(),
    };
    match (
        number,
        source_ports.is_empty() && destination_ports.is_empty(),
    ) {
        (None, true) => vec![Protocol::Any],
        (None, false) => vec![ported(6), ported(17)],
        (Some(number @ (6 | 17)), _) => vec![ported(number)],
        (Some(number), _) => vec![Protocol::Number(number)],
    }
}

/// The addresses that rule terms stand for; the flag says that a term is not known here.
fn azure_addresses(
    builder: &Builder<'_>,
    network: &VirtualNetwork,
    terms: &[RuleAddress],
) -> (AddressSet, bool) {
    let mut set = AddressSet::default();
    let mut unknown = false;
    for term in terms {
        match term {
            RuleAddress::Any => set.prefixes.extend(everywhere()),
            RuleAddress::Prefix(prefix) => set.prefixes.push(*prefix),
            RuleAddress::Group(group) => {
                let members = (builder.inputs.azure.interfaces.iter())
                    .filter(|n| n.application_groups.contains(group))
                    .map(|n| host_prefix(n.address));
                set.prefixes.extend(members);
            }
            RuleAddress::Tag(tag) if tag.eq_ignore_ascii_case("VirtualNetwork") => {
                virtual_network_tag(builder, network, &mut set);
            }
            RuleAddress::Tag(tag) if tag.eq_ignore_ascii_case("Internet") => {
                set.prefixes.extend(public_space());
            }
            RuleAddress::Tag(tag) if tag.eq_ignore_ascii_case("AzureLoadBalancer") => {
                set.prefixes.extend("168.63.129.16/32".parse::<IpNet>());
            }
            // The prefixes of other service tags are not carried: they could be any.
            RuleAddress::Tag(_) => {
                unknown = true;
                set.prefixes.extend(everywhere());
            }
        }
    }
    (set, unknown)
}

/// `VirtualNetwork`: own ranges, what the gateway has learned, prefixes of user routes
/// (service-tags-overview).
fn virtual_network_tag(builder: &Builder<'_>, network: &VirtualNetwork, set: &mut AddressSet) {
    set.prefixes.extend(network.address_space.iter().copied());
    let peers = network.peerings.iter().filter(|p| p.has_access);
    let ranges = peers.flat_map(|p| p.ranges.iter().chain(&p.transit).chain(&p.open_transit));
    set.prefixes.extend(ranges);
    for subnet in &network.subnets {
        let routes = (builder.inputs.azure.route_tables.iter())
            .filter(|t| subnet.route_table.as_ref() == Some(&t.id))
            .flat_map(|t| t.routes.iter());
        set.prefixes.extend(routes.map(|r| r.prefix));
    }
    let borrows = network.peerings.iter().any(|p| p.borrows_gateway);
    set.learned_in = if borrows {
        Some(vnet::borrowed_vrf())
    } else {
        vnet::gateway_subnet(network).map(vnet::subnet_vrf)
    };
}

/// Public IPv4 and global IPv6 space: everything that is not private, shared, local or reserved.
fn public_space() -> Vec<IpNet> {
    let mut left: Vec<IpNet> = everywhere();
    let private = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
        "fc00::/7",
        "fe80::/10",
    ];
    for hole in private.iter().filter_map(|p| p.parse::<IpNet>().ok()) {
        left = left.into_iter().flat_map(|n| without(n, hole)).collect();
    }
    left
}

/// `net` less `hole`, as the fewest prefixes.
fn without(net: IpNet, hole: IpNet) -> Vec<IpNet> {
    if hole.contains(&net) {
        return Vec::new();
    }
    if !net.contains(&hole) {
        return vec![net];
    }
    match net.subnets(net.prefix_len() + 1) {
        Ok(halves) => halves.flat_map(|half| without(half, hole)).collect(),
        Err(_) => Vec::new(),
    }
}

/// The union of all security lists of the subnet and all NSGs of the VNIC, one direction.
pub(crate) fn oci_filter(
    builder: &Builder<'_>,
    subnet: &oci::Subnet,
    groups: &[ResourceId],
    ingress: bool,
) -> Filter {
    let lists = (builder.inputs.oci.security_lists.iter())
        .filter(|l| subnet.security_lists.contains(&l.id))
        .map(|l| (l.name.as_str(), &l.rules));
    let nsgs = (builder.inputs.oci.security_groups.iter())
        .filter(|g| groups.contains(&g.id))
        .map(|g| (g.name.as_str(), &g.rules));
    let rules = lists
        .chain(nsgs)
        .flat_map(|(name, rules)| rules.iter().map(move |rule| (name, rule)))
        .filter(|(_, rule)| rule.ingress == ingress)
        .map(|(name, rule)| oci_rule(builder, name, rule))
        .collect();
    Filter {
        sets: vec![RuleSet {
            name: if ingress { "ingress" } else { "egress" }.to_owned(),
            mode: RuleSetMode::UnionOfAllows,
            rules,
        }],
    }
}

fn oci_rule(builder: &Builder<'_>, owner: &str, rule: &oci::SecurityRule) -> Rule {
    let mut unknown = rule.unknown;
    let peer = match &rule.peer {
        oci::RulePeer::Cidr(prefix) => vec![*prefix],
        oci::RulePeer::Group(group) => (builder.inputs.oci.vnics.iter())
            .filter(|v| v.security_groups.contains(group))
            .flat_map(|v| {
                let secondary = v.secondary.iter().map(|(_, address)| *address);
                std::iter::once(v.address).chain(secondary)
            })
            .map(host_prefix)
            .collect(),
        // Oracle's services have public addresses (Oracle, "Service Gateway"); which, is not known here.
        oci::RulePeer::Service(_) => {
            unknown = true;
            public_space()
        }
    };
    let peer = AddressSet {
        prefixes: peer,
        learned_in: None,
    };
    let any = AddressSet {
        prefixes: everywhere(),
        learned_in: None,
    };
    let (sources, destinations) = if rule.ingress {
        (peer, any)
    } else {
        (any, peer)
    };
    let ports = |range: &Option<(u16, u16)>| range.iter().copied().collect::<Vec<_>>();
    let protocols = match (rule.protocol, rule.icmp) {
        (Some(number @ (ICMP | 58)), Some((icmp_type, code))) => vec![Protocol::Icmp {
            number,
            icmp_type,
            code,
        }],
        (number, _) => protocols(
            number,
            &ports(&rule.source_ports),
            &ports(&rule.destination_ports),
        ),
    };
    Rule {
        name: format!("{owner} {}", rule.name),
        access: Access::Allow,
        tracking: if rule.stateless {
            Tracking::Stateless
        } else {
            Tracking::Stateful
        },
        protocols,
        sources,
        destinations,
        unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_space_leaves_out_private_ranges_and_nothing_else() {
        let space = public_space();
        let inside = |a: &str| {
            let address: std::net::IpAddr = a.parse().unwrap();
            space.iter().any(|p| p.contains(&address))
        };
        for public in [
            "8.8.8.8",
            "11.0.0.1",
            "172.32.0.1",
            "2603::1",
            "223.255.255.255",
        ] {
            assert!(inside(public), "{public}");
        }
        for private in [
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "224.0.0.1",
            "fd00::1",
        ] {
            assert!(!inside(private), "{private}");
        }
    }

    #[test]
    fn any_protocol_with_ports_is_tcp_and_udp() {
        assert_eq!(protocols(None, &[], &[]), vec![Protocol::Any]);
        assert_eq!(protocols(None, &[], &[(80, 80)]).len(), 2);
        assert_eq!(protocols(Some(1), &[], &[]), vec![Protocol::Number(1)]);
    }
}
