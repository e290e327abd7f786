//! A site behind a carrier: with every element cut and healed and every fault of the carrier, what runs is
//! what the solver computes on its own.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;
#[allow(
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations,
    reason = "shared helpers of tests"
)]
#[path = "../../world/tests/settled/mod.rs"]
mod settled;

use std::time::Duration;

use common::azure;
use settled::{Sessions, check};
use skybridge_azure::model as az;
use skybridge_base::{Asn, Instant, VlanId};
use skybridge_blueprint::{
    CarrierFault, CrossConnectEnd, Device, InterfaceName, NodeKind, NodeName, Owner, PortMode,
    Tagging,
};
use skybridge_compile::sites::{Carrier, HandOff, Site, SiteBfd, SiteNetwork, SiteRouter};
use skybridge_compile::{Compiled, Extras, Inputs, Leg, compile};
use skybridge_estate::{Estate, Pace};
use skybridge_nodes::{HopVerdict, NodeEvent, SessionState};
use skybridge_oci::model::OciModel;
use skybridge_solve::{Failures, SessionVerdict, solve};
use skybridge_world::{Command, CutMode, Element, World, WorldEventKind};

fn vlan(id: u16) -> VlanId {
    VlanId::new(id).unwrap()
}

/// The circuit of an ordinary provider, with a private peering by hand.
fn ordinary() -> az::AzureModel {
    let mut azure = azure();
    let circuit = &mut azure.circuits[0];
    circuit.provider = "Equinix".into();
    let peering = &mut circuit.peerings[0];
    peering.peer_asn = Asn(65010);
    peering.shared_key = Some("secret".to_owned());
    azure
}

fn router(name: &str, path: Leg) -> SiteRouter {
    SiteRouter {
        name: name.to_owned(),
        circuit: Some("er".into()),
        paths: vec![path],
        attach: None,
        mode: PortMode::Access,
        persona: false,
        vlan: None,
        bfd: SiteBfd::Usual,
        hold_time_s: None,
        keepalive_s: None,
        md5: None,
        local_pref: None,
        prepend: 0,
    }
}

fn site() -> Site {
    Site {
        name: "hq".to_owned(),
        asn: Asn(65010),
        networks: vec![SiteNetwork {
            name: "lan".to_owned(),
            cidr: "192.168.0.0/16".parse().unwrap(),
            hosts: Vec::new(),
        }],
        routers: vec![router("ce1", Leg::Primary), router("ce2", Leg::Secondary)],
    }
}

fn metro(hand_off: HandOff) -> Carrier {
    Carrier {
        name: "metro".to_owned(),
        providers: Vec::new(),
        hand_off,
        delay: Some(Duration::from_millis(1)),
        mtu: None,
    }
}

fn built(site: Site, carriers: Vec<Carrier>) -> Compiled {
    compile(&Inputs {
        estate: &Estate::new(1, Pace::Instant),
        azure: &ordinary(),
        oci: &OciModel::default(),
        extras: &Extras {
            sites: vec![site],
            carriers,
            ..Extras::default()
        },
    })
}

fn redundant() -> Compiled {
    built(site(), vec![metro(HandOff::Redundant)])
}

fn settled_world(compiled: &Compiled) -> (World, Sessions) {
    let mut world = World::new(compiled.blueprint.clone(), 1).unwrap();
    let mut sessions = Sessions::default();
    check(&mut world, &mut sessions, &Failures::none());
    (world, sessions)
}

/// Whether the site and the virtual network reach each other.
fn reaches(compiled: &Compiled, sessions: &mut Sessions, world: &mut World) -> bool {
    let (site, vm) = (NodeName::from("hq-lan"), NodeName::from("web"));
    let answered = |from: &NodeName, to: &NodeName, world: &mut World, sessions: &mut Sessions| {
        let target = compiled.index.hosts[to].address;
        let command = skybridge_nodes::HostCommand::Echo {
            id: skybridge_nodes::ConnectionId(u64::MAX >> 1 | world.now().as_millis()),
            sequence: 1,
            target,
            ttl: 64,
            payload_len: 56,
            dont_fragment: true,
            timeout: Duration::from_secs(1),
            trace: 0,
        };
        sessions.echoes.clear();
        let node = from.clone();
        world.command(Command::Host { node, command }).unwrap();
        world.run_until(world.now() + Duration::from_secs(2));
        sessions.follow(world);
        !sessions.echoes.is_empty()
    };
    answered(&site, &vm, world, sessions) && answered(&vm, &site, world, sessions)
}

#[test]
fn a_site_and_a_virtual_network_reach_each_other_over_both_paths() {
    let compiled = redundant();
    let (mut world, mut sessions) = settled_world(&compiled);
    let site = &compiled.index.sites["hq"];
    for name in ["ce1", "ce2"] {
        let leg = &site.routers[name].legs[0];
        let node = &site.routers[name].node;
        let bgp = world.router(node).unwrap().bgp();
        let peer = bgp.iter().find(|p| p.peer == leg.peer).unwrap();
        assert_eq!(peer.state, SessionState::Established);
        assert!(leg.cross_connect.is_some());
    }
    assert!(reaches(&compiled, &mut sessions, &mut world));
    let carried = &compiled.index.circuits.values().next().unwrap().carried;
    assert_eq!(carried.len(), 2);
    assert_ne!(carried[0].switch, carried[1].switch);
    let owner = |name: &NodeName| compiled.blueprint.nodes[name].owner;
    assert_eq!(owner(&carried[0].switch), Owner::Provider);
    assert_eq!(owner(&site.routers["ce1"].node), Owner::Customer);
}

#[test]
fn a_single_hand_off_has_one_switch_that_takes_both_paths_with_it() {
    let compiled = built(site(), vec![metro(HandOff::Single)]);
    let (mut world, mut sessions) = settled_world(&compiled);
    let switch: NodeName = "metro@washington-dc".into();
    let mut failures = Failures::none();
    failures.nodes_down.insert(switch.clone());
    let cut = Command::Cut {
        element: Element::Node(switch.clone()),
        mode: CutMode::LinkDown,
    };
    world.command(cut).unwrap();
    check(&mut world, &mut sessions, &failures);
    assert!(!reaches(&compiled, &mut sessions, &mut world));
    let element = Some(Element::Node(switch));
    world.command(Command::Heal { element }).unwrap();
    check(&mut world, &mut sessions, &Failures::none());
    assert!(reaches(&compiled, &mut sessions, &mut world));
}

#[test]
fn no_single_cut_of_edge_line_or_switch_parts_the_site_from_the_cloud() {
    let compiled = redundant();
    let (mut world, mut sessions) = settled_world(&compiled);
    let mut elements = Vec::new();
    for (name, link) in &compiled.blueprint.links {
        if link.owner == Owner::Provider {
            elements.push(Element::Link(name.clone()));
        }
    }
    for (name, node) in &compiled.blueprint.nodes {
        let is_edge = node.role == skybridge_blueprint::Role::CustomerEdge;
        if node.owner == Owner::Provider || is_edge {
            elements.push(Element::Node(name.clone()));
        }
    }
    assert_eq!(elements.len(), 4 + 4);
    for element in elements {
        for mode in [CutMode::LinkDown, CutMode::Silent] {
            let mut failures = Failures::none();
            let silent = mode == CutMode::Silent;
            match &element {
                Element::Link(link) if silent => failures.links_silent.insert(link.clone()),
                Element::Link(link) => failures.links_down.insert(link.clone()),
                Element::Node(node) if silent => failures.nodes_silent.insert(node.clone()),
                Element::Node(node) => failures.nodes_down.insert(node.clone()),
                Element::Port { .. } | Element::Circuit { .. } | Element::Session { .. } => {
                    unreachable!("only links and nodes are cut here")
                }
            };
            let cut = Command::Cut {
                element: element.clone(),
                mode,
            };
            world.command(cut).unwrap();
            check(&mut world, &mut sessions, &failures);
            assert!(reaches(&compiled, &mut sessions, &mut world), "{element}");
            let element = Some(element.clone());
            world.command(Command::Heal { element }).unwrap();
            check(&mut world, &mut sessions, &Failures::none());
        }
    }
}

#[test]
fn every_fault_of_the_carrier_costs_its_path_and_clearing_it_gives_it_back() {
    let compiled = redundant();
    let (mut world, mut sessions) = settled_world(&compiled);
    let up = sessions.established.len();
    let carried = &compiled.index.circuits.values().next().unwrap().carried[0];
    let (node, cross_connect) = (carried.switch.clone(), carried.cross_connect.clone());
    for fault in [
        CarrierFault::StripTag,
        CarrierFault::WrongSTag(vlan(101)),
        CarrierFault::WrongCTag(vlan(201)),
        CarrierFault::Loss { ppm: 1_000_000 },
        CarrierFault::OneWay {
            towards: CrossConnectEnd::A,
        },
        CarrierFault::OneWay {
            towards: CrossConnectEnd::B,
        },
    ] {
        let set = Command::SetCarrierFault {
            node: node.clone(),
            cross_connect: cross_connect.clone(),
            fault,
        };
        world.command(set).unwrap();
        check(&mut world, &mut sessions, &Failures::none());
        assert_eq!(sessions.established.len(), up - 2, "{fault}");
        assert!(reaches(&compiled, &mut sessions, &mut world), "{fault}");
        let clear = Command::ClearCarrierFaults {
            node: node.clone(),
            cross_connect: cross_connect.clone(),
        };
        world.command(clear).unwrap();
        check(&mut world, &mut sessions, &Failures::none());
        assert_eq!(sessions.established.len(), up, "{fault}");
    }
}

#[test]
fn a_trunk_carries_the_customers_own_tag() {
    let mut site = site();
    for router in &mut site.routers {
        router.mode = PortMode::Trunk;
    }
    let compiled = built(site.clone(), Vec::new());
    let edge = compiled.blueprint.nodes[&NodeName::from("ce1@hq")]
        .as_router()
        .unwrap();
    let tagging = edge.interfaces[&InterfaceName::from("wan.200")].tagging;
    assert_eq!(tagging, Tagging::Dot1q(vlan(200)));
    settled_world(&compiled);
    // A tag that is not the peering's arrives at the MSEE as it is, and is nobody's there.
    site.routers[0].vlan = Some(vlan(300));
    let compiled = built(site, Vec::new());
    let tables = solve(&compiled.blueprint, &Failures::none());
    let down: Vec<_> = (tables.sessions.values())
        .filter(|verdict| **verdict == SessionVerdict::TagMismatch)
        .collect();
    assert_eq!(down.len(), 2);
    settled_world(&compiled);
}

#[test]
fn one_router_may_end_both_paths() {
    let mut site = site();
    let mut both = router("ce", Leg::Primary);
    both.paths = Leg::BOTH.to_vec();
    site.routers = vec![both];
    let compiled = built(site, Vec::new());
    let (mut world, mut sessions) = settled_world(&compiled);
    assert!(reaches(&compiled, &mut sessions, &mut world));
    let legs = &compiled.index.sites["hq"].routers["ce"].legs;
    assert_eq!(legs.len(), 2);
    // Without a carrier in the lab file the provider itself stands there.
    assert_eq!(legs[0].switch.as_str(), "equinix-1@washington-dc");
}

#[test]
fn a_local_preference_and_a_prepended_path_prefer_the_primary_both_ways() {
    let mut site = site();
    site.routers[0].local_pref = Some(200);
    site.routers[1].prepend = 2;
    let compiled = built(site, Vec::new());
    let (world, _) = settled_world(&compiled);
    let hops = |node: &str, vrf: &str, prefix: &str| {
        let routes = world.router(&node.into()).unwrap().routes(&vrf.into());
        let found = routes.into_iter().find(|r| {
            r.prefix == prefix.parse().unwrap()
                && r.state == skybridge_dataplane::RouteState::Active
        });
        found.map_or(0, |r| r.next_hops.len())
    };
    assert_eq!(hops("lan@hq", "main", "10.12.0.0/16"), 1);
    let plain = redundant();
    let (world, _) = settled_world(&plain);
    let routes = world
        .router(&"lan@hq".into())
        .unwrap()
        .routes(&"main".into());
    let route = routes
        .iter()
        .find(|r| r.prefix == "10.12.0.0/16".parse().unwrap());
    assert_eq!(
        route.unwrap().next_hops.len(),
        2,
        "equal without preference"
    );
}

#[test]
fn an_attached_router_has_a_stand_in_only_where_a_persona_is_named() {
    for (persona, twins) in [(true, true), (false, false)] {
        let mut site = site();
        for router in &mut site.routers {
            router.attach = Some(Device::Namespace {
                name: router.name.clone(),
            });
            router.persona = persona;
        }
        let compiled = built(site, Vec::new());
        let node = &compiled.blueprint.nodes[&NodeName::from("ce1@hq")];
        assert!(matches!(node.kind, NodeKind::External(_)));
        assert!(compiled.index.sites["hq"].lan.is_none());
        let world = World::new(compiled.blueprint.clone(), 1).unwrap();
        let twin = World::replay(world.log(), Instant::from_secs(20));
        assert_eq!(twin.is_ok(), twins);
        let Ok(mut twin) = twin else { continue };
        let command = skybridge_nodes::HostCommand::Echo {
            id: skybridge_nodes::ConnectionId(5),
            sequence: 1,
            target: "192.168.0.1".parse().unwrap(),
            ttl: 64,
            payload_len: 56,
            dont_fragment: true,
            timeout: Duration::from_secs(1),
            trace: 9,
        };
        while twin.poll_event().is_some() {}
        let node = "web".into();
        twin.command(Command::Host { node, command }).unwrap();
        twin.run_until(Instant::from_secs(22));
        let mut hops = Vec::new();
        let mut answered = false;
        while let Some(event) = twin.poll_event() {
            let WorldEventKind::Node(event_of_node) = event.kind else {
                continue;
            };
            answered |= matches!(event_of_node, NodeEvent::EchoReply { .. });
            if let NodeEvent::Hop(hop) = event_of_node {
                hops.push((event.node.unwrap().to_string(), hop.verdict));
            }
        }
        assert!(answered, "{hops:#?}");
        let through = hops.iter().any(|(node, verdict)| {
            node.starts_with("equinix-") && matches!(verdict, HopVerdict::Forwarded { .. })
        });
        assert!(through, "{hops:#?}");
    }
}

#[test]
fn a_carrier_of_two_providers_has_a_line_to_each_of_their_ports() {
    let mut azure = ordinary();
    let mut other = azure.circuits[0].clone();
    other.id = "er2".into();
    other.name = "er2".into();
    other.provider = "Megaport".into();
    other.service_key = "key2".into();
    other.s_tag = vlan(101);
    other.peerings[0].id = "peering2".into();
    other.peerings[0].primary = "192.168.241.0/30".parse().unwrap();
    other.peerings[0].secondary = "192.168.241.4/30".parse().unwrap();
    azure.circuits.push(other);
    let mut site = site();
    let mut third = router("ce3", Leg::Primary);
    third.circuit = Some("er2".into());
    site.routers.push(third);
    let compiled = compile(&Inputs {
        estate: &Estate::new(1, Pace::Instant),
        azure: &azure,
        oci: &OciModel::default(),
        extras: &Extras {
            sites: vec![site],
            carriers: vec![metro(HandOff::Redundant)],
            ..Extras::default()
        },
    });
    let (world, _) = settled_world(&compiled);
    for name in ["ce1", "ce2", "ce3"] {
        let index = &compiled.index.sites["hq"].routers[name];
        let bgp = world.router(&index.node).unwrap().bgp();
        let peer = bgp.iter().find(|p| p.peer == index.legs[0].peer).unwrap();
        assert_eq!(peer.state, SessionState::Established, "{name}");
    }
}
