//! Observations from what was watched and from what the network shows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use skybridge_azure::model::{Circuit, ProviderState};
use skybridge_blueprint::{
    Endpoint, LinkName, NextHop, Node, NodeName, Owner, RouteSource, VrfName,
};
use skybridge_compile::{Leg, LegIndex, site_id};
use skybridge_dataplane::RouteState;
use skybridge_diagnose as seen;
use skybridge_diagnose::{Arp, End, HopVerdict, HopView, Observations, Outcome, Segment};
use skybridge_nodes as nodes;
use skybridge_world::CaptureTake;

use super::carried::{Across, carried, sent_with, tagging_words};
use super::paths::{self, Attached, Wire};
use super::watch::{self, State, Watch};
use super::{attached, places, sessions};
use crate::lab::Lab;
use crate::probe::{Finished, Outcome as Came};
use crate::show::gateways::{hop_words, hops_words};

/// Ethernet header with two tags, less than what full-sized packets have more than small ones.
const SLACK: usize = 32;

/// Everything seen.
pub(super) fn observations(lab: &Lab, watch: &Watch) -> Observations {
    let hosts = [host(lab, &watch.from), target(lab, watch)];
    let addresses = [hosts[0].address, hosts[1].address];
    let mut names: BTreeSet<&NodeName> = BTreeSet::new();
    for end in watch.wires.iter().flat_map(|wire| &wire.ends) {
        names.insert(&end.node);
    }
    Observations {
        tcp: watch.tcp,
        circuits: circuits(lab, watch),
        adjacencies: (watch.wires.iter())
            .map(|wire| adjacency(lab, watch, wire, addresses))
            .collect(),
        routers: (names.into_iter())
            .filter_map(|name| Some((name.to_string(), router(lab, name, addresses)?)))
            .collect(),
        probes: by_kind(lab, watch, addresses),
        places: places::all(lab, std::iter::once(&watch.from).chain(&watch.to.ends)),
        hosts,
    }
}

fn host(lab: &Lab, name: &NodeName) -> seen::HostObservation {
    let address = (lab.network.compiled.index.hosts.get(name))
        .map_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), |h| h.address);
    let spec = lab
        .network
        .compiled
        .blueprint
        .nodes
        .get(name)
        .and_then(Node::as_host);
    seen::HostObservation {
        name: name.to_string(),
        address,
        answers: lab.network.world.node(name).is_some(),
        listens: spec
            .map(|h| h.services.iter().map(|s| s.tcp_port).collect())
            .unwrap_or_default(),
        behind: Vec::new(),
    }
}

fn target(lab: &Lab, watch: &Watch) -> seen::HostObservation {
    let target = &watch.to;
    match target.ends.first().filter(|_| !target.is_behind) {
        Some(node) => host(lab, node),
        // Nobody can ask it anything but by packets.
        None => seen::HostObservation {
            name: target.name.clone(),
            address: target.address,
            answers: true,
            listens: Vec::new(),
            behind: target.ends.iter().map(ToString::to_string).collect(),
        },
    }
}

/// Circuits that documents put between the networks of two ends; all of either network's when none does.
fn circuits(lab: &Lab, watch: &Watch) -> Vec<seen::CircuitObservation> {
    let index = &lab.network.compiled.index;
    let asking = index.hosts.get(&watch.from).map(|host| &host.network);
    let networks: Vec<_> = asking.into_iter().chain([&watch.to.network]).collect();
    let azure = &lab.network.azure;
    let touches = |circuit: &Circuit| {
        (azure.connections.iter())
            .filter(|c| c.circuit == circuit.id)
            .filter_map(|c| azure.gateways.iter().find(|g| g.id == c.gateway))
            .any(|gateway| networks.contains(&&gateway.vnet))
    };
    let ends_at = |circuit: &Circuit| {
        let sites = index
            .sites
            .iter()
            .filter(|(name, _)| networks.contains(&&site_id(name)));
        let mut legs = sites
            .flat_map(|(_, site)| site.routers.values())
            .flat_map(|r| &r.legs);
        legs.any(|leg| leg.circuit == circuit.id)
    };
    let reaches = |circuit: &Circuit| {
        let held = (lab.network.oci.virtual_circuits.iter())
            .find(|vc| vc.service_key.as_deref() == Some(&circuit.service_key));
        let drg = held.and_then(|vc| vc.drg.as_ref());
        (lab.network.oci.drgs.iter())
            .filter(|d| Some(&d.id) == drg)
            .flat_map(|d| &d.attachments)
            .any(|attachment| networks.contains(&&attachment.network))
    };
    let of_network: Vec<&Circuit> = azure.circuits.iter().filter(|c| touches(c)).collect();
    let mut joining: Vec<&Circuit> = of_network
        .iter()
        .copied()
        .filter(|c| reaches(c) || ends_at(c))
        .collect();
    if joining.is_empty() {
        joining = of_network;
    }
    joining
        .into_iter()
        .map(|circuit| circuit_view(lab, circuit))
        .collect()
}

fn circuit_view(lab: &Lab, circuit: &Circuit) -> seen::CircuitObservation {
    let label = lab.network.compiled.index.circuits.get(&circuit.id);
    seen::CircuitObservation {
        name: label.map_or_else(|| circuit.name.clone(), |c| c.label.clone()),
        provider: circuit.provider.clone(),
        provider_state: format!("{:?}", circuit.provider_state),
        is_provisioned: circuit.provider_state == ProviderState::Provisioned,
        is_enabled: circuit.enabled,
        has_peering: circuit
            .peerings
            .iter()
            .any(|p| p.name == "AzurePrivatePeering"),
    }
}

/// The circuit and leg that an end belongs to.
fn leg_of(lab: &Lab, end: &Attached) -> Option<(String, Leg)> {
    let spec = lab
        .network
        .compiled
        .blueprint
        .nodes
        .get(&end.node)?
        .as_router()?;
    let vrf = &spec.interfaces.get(end.interface.as_ref()?)?.vrf;
    let index = &lab.network.compiled.index;
    let is_it = |leg: &LegIndex| leg.node == end.node && leg.vrf == *vrf;
    for circuit in index.circuits.values() {
        let found = circuit
            .legs
            .iter()
            .zip(Leg::BOTH)
            .find(|(leg, _)| is_it(leg));
        if let Some((_, leg)) = found {
            return Some((circuit.label.clone(), leg));
        }
    }
    for (id, legs) in &index.virtual_circuits {
        let Some((_, leg)) = legs.iter().zip(Leg::BOTH).find(|(leg, _)| is_it(leg)) else {
            continue;
        };
        let vc = lab
            .network
            .oci
            .virtual_circuits
            .iter()
            .find(|vc| vc.id == *id)?;
        let circuit = (lab.network.azure.circuits.iter())
            .find(|c| vc.service_key.as_deref() == Some(&c.service_key))?;
        return Some((index.circuits.get(&circuit.id)?.label.clone(), leg));
    }
    None
}

fn adjacency(lab: &Lab, watch: &Watch, wire: &Wire, hosts: [IpAddr; 2]) -> seen::Adjacency {
    let [a, b] = &wire.ends;
    let leg = leg_of(lab, a).or_else(|| leg_of(lab, b));
    let is_circuit = leg_of(lab, a).is_some() && leg_of(lab, b).is_some()
        || wire.links.len() > 1 && leg.is_some();
    let ends = [end(lab, watch, a, b), end(lab, watch, b, a)];
    let is_access = a.interface.is_none() || b.interface.is_none();
    let segments = segments(lab, watch, wire, &ends);
    seen::Adjacency {
        leg: (leg.as_ref()).map_or_else(String::new, |(circuit, leg)| {
            format!("{circuit} {}", leg.label())
        }),
        circuit: leg
            .filter(|_| is_circuit)
            .map_or_else(String::new, |(circuit, _)| circuit),
        is_access,
        sessions: [sessions::at(lab, a, hosts), sessions::at(lab, b, hosts)],
        ends,
        segments,
    }
}

fn end(lab: &Lab, watch: &Watch, near: &Attached, far: &Attached) -> End {
    let node = lab.network.compiled.blueprint.nodes.get(&near.node);
    let attached = attached::seen(lab, watch, &near.node);
    let tagging = paths::router(lab, &near.node)
        .and_then(|router| router.interfaces.get(near.interface.as_ref()?))
        .map(|interface| interface.tagging);
    let port = Endpoint {
        node: near.node.clone(),
        port: near.port.clone(),
    };
    End {
        node: near.node.to_string(),
        role: node.map_or("", |n| n.role.label()).to_owned(),
        owner: node.map_or(Owner::Customer, |n| n.owner),
        answers: lab.network.world.node(&near.node).is_some(),
        interface: near
            .interface
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        address: watch::address(lab, near),
        tags: tagging.map_or_else(|| "untagged".to_owned(), tagging_words),
        arp: match &attached {
            Some(_) => Arp::Unseen,
            None => arp(lab, near, far),
        },
        unknown_tags: turned_away(lab, watch, &port),
        mtu: watch::mtu(lab, near),
        attached,
    }
}

fn arp(lab: &Lab, near: &Attached, far: &Attached) -> Arp {
    let (Some(router), Some(interface)) = (
        lab.network.world.router(&near.node),
        near.interface.as_ref(),
    ) else {
        return Arp::Absent;
    };
    let wanted = watch::neighbour(lab, near, far);
    let mut rows = router.neighbours(lab.now).into_iter();
    let row =
        rows.find(|row| !row.is_own && row.interface == *interface && Some(row.address) == wanted);
    match row.map(|row| row.mac.is_some()) {
        Some(true) => Arp::Known,
        Some(false) => Arp::Incomplete,
        None => Arp::Absent,
    }
}

/// The links of a wire, and between two links the switch that joins them. What belongs to the adjacency is
/// known by its tags where it enters; further on, whatever its tags, by what it holds.
fn segments(lab: &Lab, watch: &Watch, wire: &Wire, ends: &[End; 2]) -> Vec<Segment> {
    let empty = CaptureTake::default();
    let take = |end: &Endpoint| {
        let key = (end.node.clone(), end.port.clone());
        watch.seen.get(&key).unwrap_or(&empty)
    };
    let (Some((_, [first, _])), Some((_, [_, last]))) = (wire.links.first(), wire.links.last())
    else {
        return Vec::new();
    };
    let ours = [
        sent_with(take(first), &ends[0].tags),
        sent_with(take(last), &ends[1].tags),
    ];
    let mtu = usize::from(ends[0].mtu.min(ends[1].mtu));
    let big_len = mtu.saturating_sub(SLACK);
    let both = |across: Across, near: &Endpoint, far: &Endpoint| {
        let (near, far) = (take(near), take(far));
        [
            carried(lab.now, across, (near, far), &ours[0], big_len),
            carried(lab.now, across, (far, near), &ours[1], big_len),
        ]
    };
    let mut segments: Vec<Segment> = Vec::new();
    let mut entered: Option<&Endpoint> = None;
    for (name, [near, far]) in &wire.links {
        if let Some(before) = entered {
            let owner = owner(lab, &near.node);
            let port = || seen::SegmentEnd {
                node: near.node.to_string(),
                owner,
                answers: lab.network.world.node(&near.node).is_some(),
                up: None,
            };
            let [there, back] = both(Across::Device, before, near);
            segments.push(Segment {
                link: near.node.to_string(),
                is_device: true,
                owner,
                ends: [port(), port()],
                there,
                back,
                turned_away: [before, near].map(|port| turned_away(lab, watch, port)),
            });
        }
        entered = Some(far);
        let [there, back] = both(Across::Link, near, far);
        let link = lab.network.compiled.blueprint.links.get(name);
        segments.push(Segment {
            link: name.to_string(),
            is_device: false,
            owner: link.map_or(Owner::Customer, |l| l.owner),
            ends: ports(lab, name, [near, far]),
            there,
            back,
            turned_away: [0; 2],
        });
    }
    segments
}

/// Frames that a port took for nobody's meanwhile.
fn turned_away(lab: &Lab, watch: &Watch, end: &Endpoint) -> u64 {
    let key = (end.node.clone(), end.port.clone());
    let before = watch.unknown_tags.get(&key).copied().unwrap_or(0);
    watch::unknown_tags(lab, &end.node, &end.port).saturating_sub(before)
}

fn owner(lab: &Lab, node: &NodeName) -> Owner {
    (lab.network.compiled.blueprint.nodes.get(node)).map_or(Owner::Customer, |n| n.owner)
}

/// The ports of a link as their devices see them.
fn ports(lab: &Lab, link: &LinkName, ends: [&Endpoint; 2]) -> [seen::SegmentEnd; 2] {
    let view = lab.network.world.link_state(link);
    let spec = lab.network.compiled.blueprint.links.get(link);
    ends.map(|end| {
        let answers = lab.network.world.node(&end.node).is_some();
        let is_a = spec.is_some_and(|link| link.a == *end);
        let up = view.as_ref().map(|v| if is_a { v.a_up } else { v.b_up });
        seen::SegmentEnd {
            node: end.node.to_string(),
            owner: owner(lab, &end.node),
            answers,
            up: up.filter(|_| answers),
        }
    })
}

fn router(lab: &Lab, name: &NodeName, hosts: [IpAddr; 2]) -> Option<seen::RouterView> {
    let node = lab.network.compiled.blueprint.nodes.get(name)?;
    let running = lab.network.world.router(name)?;
    let tables = node
        .as_router()?
        .vrfs
        .iter()
        .map(|(vrf, table)| seen::TableView {
            name: vrf.to_string(),
            label: if table.label.is_empty() {
                vrf.to_string()
            } else {
                table.label.clone()
            },
            route: hosts.map(|address| route(running, vrf, address)),
        });
    Some(seen::RouterView {
        role: node.role.label().to_owned(),
        owner: node.owner,
        tables: tables.collect(),
    })
}

/// The route that a table has for an address, in words.
fn route(router: &nodes::Router, vrf: &VrfName, address: IpAddr) -> Option<String> {
    let routes = router.routes(vrf);
    let best = (routes.iter())
        .filter(|r| r.state == RouteState::Active && r.prefix.contains(&address))
        .max_by_key(|r| r.prefix.prefix_len())
        .filter(|r| {
            !r.next_hops
                .iter()
                .all(|hop| matches!(hop, NextHop::Drop(_)))
        })?;
    let source = format!("{:?}", best.source).to_ascii_lowercase();
    Some(format!(
        "{} {} ({source})",
        best.prefix,
        hops_words(&best.next_hops)
    ))
}

/// Probes of one kind stand together.
fn by_kind(lab: &Lab, watch: &Watch, hosts: [IpAddr; 2]) -> Vec<seen::Probe> {
    let mut kinds: BTreeMap<u8, Vec<seen::Probe>> = BTreeMap::new();
    for (packet, state) in &watch.probes {
        let kind = match packet {
            seen::Packet::Tcp(_) => 0,
            seen::Packet::Echo { is_full: false, .. } => 1,
            seen::Packet::Echo { is_full: true, .. } => 2,
        };
        kinds
            .entry(kind)
            .or_default()
            .push(probe(lab, *packet, state, hosts));
    }
    kinds.into_values().flatten().collect()
}

fn probe(lab: &Lab, packet: seen::Packet, state: &State, hosts: [IpAddr; 2]) -> seen::Probe {
    let State::Done(Finished {
        outcome,
        hops,
        told,
        ..
    }) = state
    else {
        return seen::Probe {
            packet,
            outcome: Outcome::Failed("the host says nothing of it".to_owned()),
            there: Vec::new(),
            back: Vec::new(),
            told: None,
        };
    };
    let towards = |address: IpAddr| {
        (hops.iter())
            .filter(|(node, hop)| hop.dst == address && !is_switch(lab, node))
            .map(|(node, hop)| hop_view(lab, node, hop))
            .collect()
    };
    seen::Probe {
        packet,
        outcome: match outcome {
            Came::Answered { .. } => Outcome::Answered,
            Came::Refused => Outcome::Refused,
            Came::Failed { why, .. } => Outcome::Failed(why.clone()),
        },
        there: towards(hosts[1]),
        back: towards(hosts[0]),
        told: *told,
    }
}

/// Nobody sees packets pass inside a carrier.
fn is_switch(lab: &Lab, node: &NodeName) -> bool {
    let node = lab.network.compiled.blueprint.nodes.get(node);
    node.is_some_and(|n| n.as_switch().is_some())
}

fn hop_view(lab: &Lab, node: &NodeName, hop: &nodes::Hop) -> HopView {
    let spec = lab.network.compiled.blueprint.nodes.get(node);
    let route_interface = hop.route.as_ref().and_then(|(_, next, _)| match next {
        NextHop::Via { interface, .. } | NextHop::Connected { interface } => {
            Some(interface.to_string())
        }
        NextHop::Table { .. } | NextHop::Drop(_) => None,
    });
    HopView {
        node: node.to_string(),
        owner: spec.map_or(Owner::Customer, |n| n.owner),
        role: spec.map_or("", |n| n.role.label()).to_owned(),
        table: hop
            .vrf
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        route_interface,
        route: hop
            .route
            .as_ref()
            .map_or_else(String::new, |(prefix, next, source)| {
                let source = format!("{source:?}").to_ascii_lowercase();
                format!("{prefix} {} ({source})", hop_words(next))
            }),
        is_user_route: matches!(&hop.route, Some((_, _, RouteSource::User))),
        verdict: match &hop.verdict {
            nodes::HopVerdict::Forwarded { egress, .. } => {
                HopVerdict::Forwarded(egress.to_string())
            }
            nodes::HopVerdict::Delivered => HopVerdict::Delivered,
            nodes::HopVerdict::Dropped { reason, detail, .. } => {
                HopVerdict::Dropped(*reason, detail.clone())
            }
        },
    }
}
