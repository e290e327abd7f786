//! Faults of a provider and of operators, on real routers.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../solve/tests/common/mod.rs"]
mod net;
mod settled;

use net::Net;
use settled::{Sessions, check, compare, settle};
use skybridge_base::VlanId;
use skybridge_blueprint::{Interface, Tagging};
use skybridge_solve::{Failures, SessionId};
use skybridge_world::{Command, CutMode, Element, TagFault, TagLevel, World};

fn vlan(id: u16) -> VlanId {
    VlanId::new(id).unwrap()
}

fn end(node: &str, peer: &str) -> SessionId {
    SessionId {
        node: node.into(),
        instance: "bgp".to_owned(),
        peer: peer.to_owned(),
    }
}

/// A customer's router and an edge joined by one cable, over which two circuits run: S-tags 10 and
/// 11, each with C-tag 100.
fn circuits() -> Net {
    let mut net = Net::default();
    for (at, name) in (1..).zip(["ce", "edge"]) {
        net.router(name);
        net.bgp(name, u32::from(at), at, &[&format!("10.{at}.0.0/16")]);
    }
    net.join("ce", "edge", 1);
    for (own, other) in [("ce", "edge"), ("edge", "ce")] {
        let first = net.interface_mut(own, other).clone();
        let tagged = |s_tag: u16, third: u8| {
            let address = first.addresses[0].to_string();
            let address = address.replace("10.255.1.", &format!("10.255.{third}."));
            Interface {
                tagging: Tagging::QinQ {
                    s_tag: vlan(s_tag),
                    c_tag: vlan(100),
                },
                addresses: vec![address.parse().unwrap()],
                ..first.clone()
            }
        };
        let interfaces = &mut net.router_mut(own).interfaces;
        interfaces.clear();
        for (name, s_tag, third) in [("one", 10, 10), ("two", 11, 11)] {
            interfaces.insert(name.into(), tagged(s_tag, third));
        }
    }
    // A session per circuit; the helper makes one between interfaces called after the routers.
    for circuit in ["one", "two"] {
        for (own, other) in [("ce", "edge"), ("edge", "ce")] {
            let interface = net.interface_mut(own, circuit).clone();
            net.router_mut(own)
                .interfaces
                .insert(other.into(), interface);
        }
        net.session("ce", "edge");
        for (own, other) in [("ce", "edge"), ("edge", "ce")] {
            net.router_mut(own).interfaces.remove(other);
            let mut peer = net.bgp_mut(own).peers.remove(other).unwrap();
            peer.interface = circuit.into();
            net.bgp_mut(own).peers.insert(circuit.to_owned(), peer);
        }
    }
    net
}

#[test]
fn a_circuit_that_its_provider_loses_takes_only_its_own_session() {
    let mut world = World::new(circuits().blueprint, 1).unwrap();
    let mut sessions = Sessions::default();
    check(&mut world, &mut sessions, &Failures::none());
    assert_eq!(sessions.established.len(), 4);
    let element = Element::Circuit {
        link: "ce-edge".into(),
        s_tag: vlan(10),
    };
    let mode = CutMode::Silent;
    world.command(Command::Cut { element, mode }).unwrap();
    let mut failures = Failures::none();
    failures.circuits.insert(("ce-edge".into(), vlan(10)));
    check(&mut world, &mut sessions, &failures);
    assert_eq!(sessions.established.len(), 2);
    world.command(Command::Heal { element: None }).unwrap();
    check(&mut world, &mut sessions, &Failures::none());
}

#[test]
fn a_circuit_with_the_wrong_tag_never_comes_up_until_the_provider_mends_it() {
    let mut world = World::new(circuits().blueprint, 2).unwrap();
    let mut sessions = Sessions::default();
    let fault = TagFault {
        level: TagLevel::Outer,
        from: vlan(11),
        to: vlan(12),
    };
    let link = || "ce-edge".into();
    world
        .command(Command::SetTagFault {
            link: link(),
            fault,
        })
        .unwrap();
    settle(&mut world, &mut sessions);
    let up = [end("ce", "one"), end("edge", "one")].into();
    assert_eq!(sessions.established, up);
    let unknown = |world: &World| {
        let counters = world.router(&"edge".into()).unwrap().counters();
        counters
            .drops
            .count(skybridge_dataplane::DropReason::UnknownTags)
    };
    assert!(unknown(&world) > 0, "frames with an unknown tag arrive");
    world
        .command(Command::ClearTagFaults { link: link() })
        .unwrap();
    check(&mut world, &mut sessions, &Failures::none());
}

#[test]
fn a_router_taken_out_of_service_says_farewell_before_its_links_go() {
    let mut world = World::new(circuits().blueprint, 3).unwrap();
    let mut sessions = Sessions::default();
    settle(&mut world, &mut sessions);
    assert_eq!(sessions.established.len(), 4);
    let element = Element::Node("ce".into());
    let mode = CutMode::Admin;
    world.command(Command::Cut { element, mode }).unwrap();
    let until = world.now() + std::time::Duration::from_millis(100);
    world.run_until(until);
    sessions.follow(&mut world);
    assert!(sessions.established.is_empty());
    assert!(world.link_state(&"ce-edge".into()).unwrap().a_up);
    let mut failures = Failures::none();
    failures.nodes_down.insert("ce".into());
    settle(&mut world, &mut sessions);
    compare(&world, &sessions, &failures).unwrap();
    world.command(Command::Heal { element: None }).unwrap();
    check(&mut world, &mut sessions, &Failures::none());
}

#[test]
fn a_one_way_cut_brings_the_session_down_at_both_ends() {
    let mut world = World::new(circuits().blueprint, 4).unwrap();
    let mut sessions = Sessions::default();
    settle(&mut world, &mut sessions);
    let element = Element::Link("ce-edge".into());
    let towards = "edge".into();
    let mode = CutMode::OneWay { towards };
    world.command(Command::Cut { element, mode }).unwrap();
    settle(&mut world, &mut sessions);
    assert!(sessions.established.is_empty());
    world.command(Command::Heal { element: None }).unwrap();
    check(&mut world, &mut sessions, &Failures::none());
}
