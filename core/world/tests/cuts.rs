//! How elements fail and heal.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod common;

use common::{Toy, chain, frame, pair, received, send, vlan, world};
use skybridge_base::Instant;
use skybridge_wire::Tags;
use skybridge_world::{Command, CommandError, CutMode, Element, LinkDrop, World, WorldEventKind};

fn cut(world: &mut World<Toy>, element: Element, mode: CutMode) {
    world.command(Command::Cut { element, mode }).unwrap();
}

fn heal(world: &mut World<Toy>) {
    world.command(Command::Heal { element: None }).unwrap();
}

fn wire() -> Element {
    Element::Link("wire".into())
}

fn up(world: &World<Toy>, node: &str, port: &str) -> Option<bool> {
    world.node(&node.into()).map(|node| node.port_up(port))
}

#[test]
fn a_link_that_goes_down_is_seen_at_both_ends_and_loses_what_is_under_way() {
    let mut world = world(pair());
    send(&mut world, "left", &frame(Tags::Untagged, b"x"));
    cut(&mut world, wire(), CutMode::LinkDown);
    assert_eq!(up(&world, "left", "eth0"), Some(false));
    assert_eq!(up(&world, "right", "eth0"), Some(false));
    send(&mut world, "left", &frame(Tags::Untagged, b"x"));
    world.run_until(Instant::from_secs(1));
    assert!(received(&mut world).is_empty());
    let view = world.link_state(&"wire".into()).unwrap();
    assert_eq!(view.a_to_b.drops[&LinkDrop::LinkDown], 2);
    assert!(!view.a_up && !view.b_up);
    assert_eq!(view.faults, [(wire(), CutMode::LinkDown)]);
    heal(&mut world);
    assert_eq!(up(&world, "left", "eth0"), Some(true));
    send(&mut world, "left", &frame(Tags::Untagged, b"x"));
    world.run_until(Instant::from_secs(2));
    assert_eq!(received(&mut world).len(), 1);
}

#[test]
fn a_silent_cut_is_not_seen() {
    let mut world = world(pair());
    cut(&mut world, wire(), CutMode::Silent);
    assert_eq!(up(&world, "left", "eth0"), Some(true));
    send(&mut world, "left", &frame(Tags::Untagged, b"x"));
    world.run_until(Instant::from_secs(1));
    assert!(received(&mut world).is_empty());
    let view = world.link_state(&"wire".into()).unwrap();
    assert_eq!(view.a_to_b.drops[&LinkDrop::Cut], 1);
}

#[test]
fn a_one_way_cut_keeps_the_other_direction() {
    let mut world = world(pair());
    let towards = "right".into();
    cut(&mut world, wire(), CutMode::OneWay { towards });
    send(&mut world, "left", &frame(Tags::Untagged, b"to right"));
    send(&mut world, "right", &frame(Tags::Untagged, b"to left"));
    world.run_until(Instant::from_secs(1));
    let got = received(&mut world);
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].2[14..], *b"to left");
}

#[test]
fn a_circuit_cut_takes_only_its_outer_tag() {
    let mut world = world(pair());
    let element = Element::Circuit {
        link: "wire".into(),
        s_tag: vlan(5),
    };
    cut(&mut world, element, CutMode::Silent);
    for outer in [4, 5, 6] {
        let tags = Tags::qinq(vlan(outer), vlan(5));
        send(&mut world, "left", &frame(tags, b"x"));
    }
    world.run_until(Instant::from_secs(1));
    assert_eq!(received(&mut world).len(), 2);
    let view = world.link_state(&"wire".into()).unwrap();
    assert_eq!(view.a_to_b.drops[&LinkDrop::CircuitCut], 1);
    heal(&mut world);
    send(
        &mut world,
        "left",
        &frame(Tags::qinq(vlan(5), vlan(5)), b"x"),
    );
    world.run_until(Instant::from_secs(2));
    assert_eq!(received(&mut world).len(), 1);
}

#[test]
fn a_crashed_node_is_seen_down_and_comes_back_empty() {
    let mut world = world(chain());
    world.run_until(Instant::from_millis(100));
    let before = world.node(&"middle".into()).unwrap();
    let (seen, drawn) = (before.seen, before.drawn);
    assert!(seen >= 10);
    world
        .command(Command::Crash {
            node: "middle".into(),
        })
        .unwrap();
    assert!(world.node(&"middle".into()).is_none());
    assert_eq!(up(&world, "right", "eth0"), Some(false));
    assert_eq!(up(&world, "beacon", "eth0"), Some(false));
    received(&mut world);
    world.run_until(Instant::from_millis(200));
    assert!(received(&mut world).is_empty());
    world
        .command(Command::Restart {
            node: "middle".into(),
        })
        .unwrap();
    assert_eq!(up(&world, "right", "eth0"), Some(true));
    assert_eq!(up(&world, "middle", "p0"), Some(true));
    assert_eq!(world.node(&"middle".into()).unwrap().seen, 0);
    assert_ne!(world.node(&"middle".into()).unwrap().drawn, drawn);
    world.run_until(Instant::from_millis(300));
    assert!(received(&mut world).len() >= 9);
}

#[test]
fn a_silently_dead_node_is_not_seen_by_its_neighbours() {
    let mut world = world(chain());
    cut(&mut world, Element::Node("middle".into()), CutMode::Silent);
    assert_eq!(up(&world, "right", "eth0"), Some(true));
    world.run_until(Instant::from_millis(100));
    assert!(received(&mut world).is_empty());
    heal(&mut world);
    assert_eq!(up(&world, "middle", "p1"), Some(true));
    world.run_until(Instant::from_millis(200));
    assert!(received(&mut world).len() >= 9);
}

#[test]
fn restarting_a_running_node_shows_its_neighbours_a_flap() {
    let mut world = world(chain());
    while world.poll_event().is_some() {}
    world
        .command(Command::Restart {
            node: "middle".into(),
        })
        .unwrap();
    let mut flaps = Vec::new();
    while let Some(event) = world.poll_event() {
        if let WorldEventKind::Link { link, a_up, b_up } = event.kind {
            flaps.push((link.to_string(), a_up, b_up));
        }
    }
    assert!(flaps.contains(&("second".to_owned(), false, false)));
    assert_eq!(flaps.last(), Some(&("second".to_owned(), true, true)));
    assert_eq!(up(&world, "right", "eth0"), Some(true));
}

#[test]
fn an_administrative_node_cut_leaves_a_grace_for_farewells() {
    let mut world = world(chain());
    cut(&mut world, Element::Node("middle".into()), CutMode::Admin);
    assert_eq!(world.node(&"middle".into()).unwrap().reconfigured, 1);
    world.run_until(Instant::from_millis(999));
    assert!(world.node(&"middle".into()).is_some());
    world.run_until(Instant::from_millis(1001));
    assert!(world.node(&"middle".into()).is_none());
    assert_eq!(up(&world, "right", "eth0"), Some(false));
    heal(&mut world);
    assert_eq!(up(&world, "right", "eth0"), Some(true));
}

#[test]
fn two_faults_on_one_link_need_two_cures() {
    let mut world = world(pair());
    let port = Element::Port {
        node: "right".into(),
        port: "eth0".into(),
    };
    cut(&mut world, wire(), CutMode::Silent);
    cut(&mut world, port.clone(), CutMode::LinkDown);
    assert_eq!(up(&world, "left", "eth0"), Some(false));
    let element = Some(port);
    world.command(Command::Heal { element }).unwrap();
    assert_eq!(up(&world, "left", "eth0"), Some(true));
    send(&mut world, "left", &frame(Tags::Untagged, b"x"));
    world.run_until(Instant::from_secs(1));
    assert!(received(&mut world).is_empty());
}

#[test]
fn what_cannot_be_cut_is_refused_and_changes_nothing() {
    let mut world = world(pair());
    let mut refuse = |element: Element, mode: CutMode| {
        let steps = world.log().entries.len();
        let error = world.command(Command::Cut { element, mode }).unwrap_err();
        assert_eq!(world.log().entries.len(), steps);
        error
    };
    assert_eq!(
        refuse(Element::Node("nobody".into()), CutMode::Silent),
        CommandError::UnknownNode("nobody".into())
    );
    assert!(matches!(
        refuse(wire(), CutMode::Session),
        CommandError::ModeNotApplicable { .. }
    ));
    let towards = "nobody".into();
    assert!(matches!(
        refuse(wire(), CutMode::OneWay { towards }),
        CommandError::UnknownElement(_)
    ));
    let circuit = Element::Circuit {
        link: "wire".into(),
        s_tag: vlan(1),
    };
    assert!(matches!(
        refuse(circuit, CutMode::LinkDown),
        CommandError::ModeNotApplicable { .. }
    ));
    let heal = Command::Heal {
        element: Some(wire()),
    };
    assert_eq!(
        world.command(heal),
        Err(CommandError::NotCut("link wire".to_owned()))
    );
}
