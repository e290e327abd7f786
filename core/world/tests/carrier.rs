//! A carrier between two routers: healthy, and with everything it can do wrong.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../solve/tests/common/mod.rs"]
mod net;
mod settled;

use net::Net;
use settled::{Sessions, check};
use skybridge_base::VlanId;
use skybridge_blueprint::{CarrierFault, CrossConnectEnd, Tagging};
use skybridge_solve::Failures;
use skybridge_world::{Command, CommandError, CutMode, Element, World};

fn vlan(id: u16) -> VlanId {
    VlanId::new(id).unwrap()
}

fn circuit() -> Tagging {
    Tagging::QinQ {
        s_tag: vlan(100),
        c_tag: vlan(10),
    }
}

/// A customer's router without tags, a carrier, and an edge that awaits S-tag 100 and C-tag 10.
fn carried() -> Net {
    let mut net = Net::default();
    for (at, name) in (1..).zip(["ce", "edge"]) {
        net.router(name);
        net.bgp(name, u32::from(at), at, &[&format!("10.{at}.0.0/16")]);
    }
    net.join("ce", "edge", 1);
    net.session("ce", "edge");
    net.interface_mut("edge", "ce").tagging = circuit();
    net.switch("carrier", Tagging::Untagged, circuit());
    net.blueprint.links.clear();
    net.link("access", ("ce", "edge"), ("carrier", "customer"));
    net.link("nni", ("carrier", "cloud"), ("edge", "ce"));
    net.host("hc", "ce", "10.1.0.10/24", "10.1.0.1");
    net.host("he", "edge", "10.2.0.10/24", "10.2.0.1");
    net
}

fn set(fault: CarrierFault) -> Command {
    Command::SetCarrierFault {
        node: "carrier".into(),
        cross_connect: "line".into(),
        fault,
    }
}

fn clear() -> Command {
    Command::ClearCarrierFaults {
        node: "carrier".into(),
        cross_connect: "line".into(),
    }
}

#[test]
fn a_healthy_carrier_is_a_wire() {
    let mut world = World::new(carried().blueprint, 1).unwrap();
    let mut sessions = Sessions::default();
    check(&mut world, &mut sessions, &Failures::none());
    assert_eq!(sessions.established.len(), 2);
    assert_eq!(sessions.echoes.len(), 2);
}

#[test]
fn every_fault_ends_as_the_solver_says_and_clearing_it_restores_the_session() {
    let faults = [
        (CarrierFault::StripTag, false),
        (CarrierFault::WrongSTag(vlan(101)), false),
        (CarrierFault::WrongCTag(vlan(11)), false),
        (CarrierFault::Loss { ppm: 1_000_000 }, false),
        (
            CarrierFault::OneWay {
                towards: CrossConnectEnd::A,
            },
            false,
        ),
        (
            CarrierFault::OneWay {
                towards: CrossConnectEnd::B,
            },
            false,
        ),
        (CarrierFault::Mtu(1000), true),
    ];
    let mut world = World::new(carried().blueprint, 1).unwrap();
    let mut sessions = Sessions::default();
    check(&mut world, &mut sessions, &Failures::none());
    for (fault, survives) in faults {
        world.command(set(fault)).unwrap();
        check(&mut world, &mut sessions, &Failures::none());
        let up = if survives { 2 } else { 0 };
        assert_eq!(sessions.established.len(), up, "{fault}");
        world.command(clear()).unwrap();
        check(&mut world, &mut sessions, &Failures::none());
        assert_eq!(sessions.established.len(), 2, "{fault}");
    }
}

#[test]
fn a_carrier_does_not_show_one_link_to_the_other() {
    let mut world = World::new(carried().blueprint, 1).unwrap();
    let mut sessions = Sessions::default();
    check(&mut world, &mut sessions, &Failures::none());
    let cut = Command::Cut {
        element: Element::Link("access".into()),
        mode: CutMode::LinkDown,
    };
    world.command(cut).unwrap();
    let nni = world.link_state(&"nni".into()).unwrap();
    assert!(nni.a_up && nni.b_up);
    let mut failures = Failures::none();
    failures.links_down.insert("access".into());
    check(&mut world, &mut sessions, &failures);
}

#[test]
fn faults_outlive_a_restart_of_the_switch_and_are_in_the_log() {
    let mut world = World::new(carried().blueprint, 1).unwrap();
    let mut sessions = Sessions::default();
    world.command(set(CarrierFault::StripTag)).unwrap();
    let node = "carrier".into();
    world.command(Command::Restart { node }).unwrap();
    check(&mut world, &mut sessions, &Failures::none());
    assert_eq!(sessions.established.len(), 0);
    let twin = World::replay(world.log(), world.now()).unwrap();
    assert_eq!(twin.trace_hash(), world.trace_hash());
    let faults = twin.carrier_faults(&"carrier".into(), &"line".into());
    assert_eq!(faults, [CarrierFault::StripTag]);
}

#[test]
fn what_is_no_cross_connect_or_has_no_fault_is_refused() {
    let mut world = World::new(carried().blueprint, 1).unwrap();
    let unknown = Command::SetCarrierFault {
        node: "ce".into(),
        cross_connect: "line".into(),
        fault: CarrierFault::StripTag,
    };
    assert!(matches!(
        world.command(unknown),
        Err(CommandError::UnknownElement(_))
    ));
    assert!(matches!(
        world.command(clear()),
        Err(CommandError::NotCut(_))
    ));
}
