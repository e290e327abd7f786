//! Expectations of the lab files, on the hosts that the network has.

use std::collections::BTreeMap;
use std::net::IpAddr;

use skybridge_blueprint::NodeName;
use skybridge_compile::site_network_id;
use skybridge_sites as sites;
use skybridge_verify::{Claim, ElementClass, Pair, Proof, Within};

use crate::checks::{Check, Purpose};
use crate::extras::host_ref;
use crate::lab::Lab;
use crate::probe::Packet;

/// Rows of the reachability table at most.
pub(crate) const PAIRS_MAX: usize = 2000;
/// Octets of data of an echo request, as `ping` sends.
const ECHO: Packet = Packet::Echo {
    payload_len: 56,
    dont_fragment: true,
};

/// An expectation with its hosts found.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) name: String,
    stack: String,
    source: sites::Expectation,
    pairs: Vec<(NodeName, NodeName, IpAddr)>,
}

impl Expected {
    /// Why it has no pair to check.
    pub(crate) fn why_unchecked(&self, lab: &Lab) -> String {
        if matches!(self.source.protocol, sites::Protocol::Udp(_)) {
            return "UDP is not probed".to_owned();
        }
        let from = self.source.from.iter().map(|end| (end, true));
        let to = self.source.to.iter().map(|end| (end, false));
        for (end, is_source) in from.chain(to) {
            let found = if is_source {
                find(lab, &self.stack, end)
            } else {
                find_target(lab, &self.stack, end)
            };
            if found.is_empty() {
                return match end {
                    sites::Endpoint::Resource(address) => {
                        format!("{address} is not a running host of this network")
                    }
                    sites::Endpoint::Host(name) => format!("there is no host {name}"),
                    sites::Endpoint::Ip(address) => format!("no host has {address}"),
                    sites::Endpoint::SiteNetwork { site, network } => format!(
                        "site.{site}.{network} has no host in the lab: what is behind the user's own routers is reached, not probed from"
                    ),
                };
            }
        }
        "it has no two ends".to_owned()
    }
}

/// Every expectation, by file.
pub(crate) fn all(lab: &Lab) -> Vec<Expected> {
    lab.lab_files()
        .into_iter()
        .flat_map(|file| file.expectations.iter().map(move |e| (&file.stack, e)))
        .map(|(stack, source)| {
            let mut pairs = Vec::new();
            for (from, _) in source.from.iter().flat_map(|end| find(lab, stack, end)) {
                for (to, address) in source
                    .to
                    .iter()
                    .flat_map(|end| find_target(lab, stack, end))
                {
                    pairs.push((from.clone(), to, address));
                }
            }
            Expected {
                name: source.text.clone(),
                stack: stack.clone(),
                source: source.clone(),
                pairs,
            }
        })
        .collect()
}

/// The hosts that an endpoint of a stack's lab file means, with their addresses.
fn find(lab: &Lab, stack: &str, end: &sites::Endpoint) -> Vec<(NodeName, IpAddr)> {
    let hosts = &lab.network.compiled.index.hosts;
    match end {
        sites::Endpoint::Ip(address) => (hosts.iter()).find(|(_, h)| h.has(*address)).map_or_else(
            || vec![(format!("{address}").into(), *address)],
            |(name, _)| vec![(name.clone(), *address)],
        ),
        sites::Endpoint::SiteNetwork { site, network } => {
            let subnet = site_network_id(site, network);
            (hosts.iter())
                .filter(|(_, h)| h.subnet == subnet)
                .map(|(name, h)| (name.clone(), h.address))
                .collect()
        }
        sites::Endpoint::Resource(_) | sites::Endpoint::Host(_) => {
            let Some(wanted) = host_ref(&lab.control.estate, stack, end) else {
                return Vec::new();
            };
            (hosts.iter())
                .filter_map(|(name, h)| Some((name.clone(), h.address_as(&wanted)?)))
                .collect()
        }
    }
}

/// As [`find`], where packets go: a network that is wholly behind the user's own routers is reached at its
/// first address.
fn find_target(lab: &Lab, stack: &str, end: &sites::Endpoint) -> Vec<(NodeName, IpAddr)> {
    let found = find(lab, stack, end);
    let sites::Endpoint::SiteNetwork { site, network } = end else {
        return found;
    };
    if !found.is_empty() {
        return found;
    }
    let sites = lab.network.extras.sites.iter();
    let networks = sites.filter(|s| s.name == *site).flat_map(|s| &s.networks);
    let cidr = networks.filter(|n| n.name == *network).map(|n| n.cidr);
    cidr.filter_map(|cidr| cidr.hosts().next())
        .map(|address| (format!("{address}").into(), IpAddr::V4(address)))
        .collect()
}

/// What is to be tried on live packets: every expectation, then reachability between networks.
pub(crate) fn checks(lab: &Lab) -> Vec<Check> {
    let mut checks = Vec::new();
    for (index, expected) in all(lab).iter().enumerate() {
        let packet = match expected.source.protocol {
            sites::Protocol::Tcp(port) => Packet::Tcp(port),
            sites::Protocol::Icmp => ECHO,
            sites::Protocol::Udp(_) => continue,
        };
        for (from, to, address) in &expected.pairs {
            checks.push(Check {
                purpose: Purpose::Expectation(index),
                from: from.clone(),
                to: to.clone(),
                address: *address,
                packet,
                wanted: expected.source.reachable,
            });
        }
    }
    let hosts = &lab.network.compiled.index.hosts;
    for (from, source) in hosts {
        for (to, target) in hosts {
            if source.network != target.network && checks.len() < PAIRS_MAX {
                checks.push(Check {
                    purpose: Purpose::Reachability,
                    from: from.clone(),
                    to: to.clone(),
                    address: target.address,
                    packet: ECHO,
                    wanted: true,
                });
            }
        }
    }
    checks
}

/// What is to be proved on a twin; `None` when no expectation asks for it.
pub(crate) fn proof(lab: &Lab) -> Option<Proof> {
    let claims: Vec<Claim> = all(lab)
        .into_iter()
        .filter(|e| e.source.survives > 0 || e.source.within.is_some())
        .filter_map(|expected| {
            let tcp = match expected.source.protocol {
                sites::Protocol::Tcp(port) => Some(port),
                sites::Protocol::Icmp => None,
                sites::Protocol::Udp(_) => return None,
            };
            Some(Claim {
                name: expected.name,
                pairs: expected
                    .pairs
                    .into_iter()
                    .map(|(from, to, address)| Pair { from, to, address })
                    .collect(),
                tcp,
                reachable: expected.source.reachable,
                survives: expected.source.survives.max(1),
                within: within(expected.source.within.as_ref()),
            })
        })
        .collect();
    (!claims.is_empty()).then(|| Proof {
        log: lab.network.world.log().clone(),
        at: lab.network.world.now(),
        claims,
    })
}

fn within(within: Option<&sites::Within>) -> Within {
    match within {
        None => Within::default(),
        Some(sites::Within::Any(duration)) => Within {
            default: Some(*duration),
            by_class: BTreeMap::new(),
        },
        Some(sites::Within::PerElement(durations)) => Within {
            default: None,
            by_class: durations
                .iter()
                .map(|(element, duration)| (class(*element), *duration))
                .collect(),
        },
    }
}

const fn class(element: sites::Element) -> ElementClass {
    match element {
        sites::Element::Link => ElementClass::Link,
        sites::Element::Port => ElementClass::Port,
        sites::Element::Router => ElementClass::Router,
        sites::Element::Gateway => ElementClass::Gateway,
        sites::Element::Circuit => ElementClass::Circuit,
        sites::Element::Location => ElementClass::Location,
        sites::Element::Provider => ElementClass::Provider,
    }
}
