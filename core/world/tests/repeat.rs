//! A world is a pure function of blueprints, seed and commands; it changes by the difference.
mod common;

use std::time::Duration;

use common::{Toy, chain, frame, link, link_of, pair, received, send, toy_host, toy_router, world};
use proptest::prelude::*;
use skybridge_base::Instant;
use skybridge_blueprint::{Blueprint, Change, ChangeClass, NodeName};
use skybridge_nodes::{ConnectionId, HostCommand};
use skybridge_wire::Tags;
use skybridge_world::{
    Checker, Command, CutMode, Delivery, Element, ReplayError, World, WorldEventKind,
};

fn noisy() -> Blueprint {
    let mut blueprint = chain();
    for name in ["first", "second"] {
        let link = link_of(&mut blueprint, name);
        link.loss_ppm = 100_000;
        link.jitter = Duration::from_millis(2);
    }
    blueprint
}

#[test]
fn two_runs_give_the_same_trace_and_another_seed_another_one() {
    let run = |seed| {
        let mut world: World<Toy> = World::with_nodes(noisy(), seed).unwrap();
        world.run_until(Instant::from_secs(2));
        world.trace_hash()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn how_time_is_cut_into_calls_does_not_matter() {
    let mut one = world(noisy());
    one.run_until(Instant::from_secs(1));
    let mut many = world(noisy());
    for millis in 0..=1000 {
        many.advance(Instant::from_millis(millis));
    }
    assert_eq!(one.trace_hash(), many.trace_hash());
    assert_eq!(one.now(), many.now());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_replay_gives_the_same_trace(
        seed in any::<u64>(),
        script in prop::collection::vec((0_u64..40, 0_u8..8), 0..25),
    ) {
        let mut world: World<Toy> = World::with_nodes(noisy(), seed).unwrap();
        for (millis, what) in script {
            world.run_until(world.now() + Duration::from_millis(millis));
            // Refused commands are part of the game: they must leave no trace.
            let cut = |element, mode| Command::Cut { element, mode };
            match what {
                0 => drop(world.command(cut(Element::Link("first".into()), CutMode::Silent))),
                1 => drop(world.command(cut(Element::Node("middle".into()), CutMode::LinkDown))),
                2 => drop(world.command(Command::Heal { element: None })),
                3 => drop(world.command(Command::Restart { node: "middle".into() })),
                4 => send(&mut world, "right", &frame(Tags::Untagged, b"script")),
                5 => {
                    let mut next = noisy();
                    next.nodes.insert("extra".into(), toy_host(9));
                    world.apply(next).unwrap();
                }
                6 => { world.apply(noisy()).unwrap(); }
                _ => { world.step(); }
            }
        }
        let end = world.now() + Duration::from_millis(50);
        world.run_until(end);
        let twin: World<Toy> = World::replay_with_nodes(world.log(), end).unwrap();
        prop_assert_eq!(twin.trace_hash(), world.trace_hash());
        prop_assert_eq!(twin.steps(), world.steps());
        prop_assert_eq!(twin.log(), world.log());
    }
}

#[test]
fn a_world_that_took_frames_from_outside_refuses_to_be_replayed() {
    let mut blueprint = chain();
    blueprint
        .nodes
        .insert("middle".into(), toy_router(&["p0", "p1", "tap"]));
    let mut world = world(blueprint);
    let (middle, tap) = ("middle".into(), "tap".into());
    assert!(world.inject(&middle, &tap, &mut Vec::new()).is_err());
    assert!(world.open_external(&middle, &"p0".into()).is_err());
    world.open_external(&middle, &tap).unwrap();
    let sent = frame(Tags::Untagged, b"from outside");
    world
        .inject(&middle, &tap, &mut vec![sent.clone()])
        .unwrap();
    world.run_until(Instant::from_millis(2));
    let got = received(&mut world);
    assert!(got.iter().any(|(_, _, bytes)| bytes == sent.bytes()));
    // The beacon is flooded out of the external port too, also after a restart.
    let out = world.poll_external().unwrap();
    assert_eq!((out.node, out.port), (middle.clone(), tap.clone()));
    world.command(Command::Restart { node: middle }).unwrap();
    while world.poll_external().is_some() {}
    world.run_until(Instant::from_millis(30));
    assert!(world.poll_external().is_some());
    assert!(matches!(
        World::<Toy>::replay_with_nodes(world.log(), Instant::ZERO),
        Err(ReplayError::Incomplete(_))
    ));
}

#[test]
fn bytes_of_the_world_outside_are_in_no_log_and_a_twin_does_without_them() {
    let mut world = world(chain());
    world.run_until(Instant::from_millis(5));
    let bytes = frame(Tags::Untagged, b"of a client").bytes().to_vec();
    let id = ConnectionId(0);
    let carried = HostCommand::TcpSend { id, bytes };
    world.carry(&"right".into(), carried.clone()).unwrap();
    assert!(world.carry(&"middle".into(), carried).is_err(), "no host");
    world.run_until(Instant::from_millis(50));
    let reached = |world: &mut World<Toy>| {
        let got = received(world);
        got.iter()
            .any(|(_, _, bytes)| bytes.ends_with(b"of a client"))
    };
    assert!(reached(&mut world));
    assert!(world.log().entries.is_empty());
    let mut twin: World<Toy> = World::replay_with_nodes(world.log(), world.now()).unwrap();
    assert_eq!(twin.now(), world.now());
    assert!(!reached(&mut twin));
}

#[test]
fn applying_a_blueprint_touches_the_difference_only() {
    let mut world = world(chain());
    world.run_until(Instant::from_millis(100));
    let mut next = chain();
    next.nodes
        .insert("middle".into(), toy_router(&["p0", "p1", "p2"]));
    next.nodes.insert("third".into(), toy_host(3));
    next.links
        .insert("new".into(), link(("middle", "p2"), ("third", "eth0")));
    link_of(&mut next, "first").delay = None;
    let changes = world.apply(next.clone()).unwrap();
    assert!(changes.contains(&Change::ChangeNode("middle".into(), ChangeClass::Live)));
    let node = |world: &World<Toy>, name: &str| world.node(&NodeName::from(name)).unwrap().seen;
    assert!(node(&world, "middle") > 0, "not rebuilt");
    world.run_until(Instant::from_millis(200));
    assert!(node(&world, "third") >= 9);
    assert!(world.node(&"third".into()).unwrap().port_up("eth0"));
    assert_eq!(world.apply(next).unwrap(), []);
    world.apply(chain()).unwrap();
    assert!(world.node(&"third".into()).is_none());
    assert!(world.link_state(&"new".into()).is_none());
    world.run_until(Instant::from_millis(300));
    assert!(node(&world, "right") >= 28);
}

#[test]
fn a_blueprint_with_faults_is_refused() {
    let mut broken = pair();
    broken.nodes.remove(&NodeName::from("right"));
    assert!(World::<Toy>::with_nodes(broken.clone(), 1).is_err());
    let mut world = world(pair());
    assert!(world.apply(broken).is_err());
    assert_eq!(world.blueprint(), &pair());
}

#[test]
fn faults_of_what_stays_stay_over_a_change() {
    let mut world = world(pair());
    for name in ["left", "right"] {
        let element = Element::Node(name.into());
        let mode = CutMode::Silent;
        world.command(Command::Cut { element, mode }).unwrap();
    }
    let mut next = Blueprint::default();
    next.nodes.insert("left".into(), toy_host(5));
    world.apply(next).unwrap();
    let cut: Vec<String> = world
        .faults()
        .map(|(element, _)| element.to_string())
        .collect();
    assert_eq!(cut, ["node left"]);
    assert!(world.node(&"left".into()).is_none());
}

#[test]
fn a_node_that_never_lets_time_pass_is_reported_and_the_rest_goes_on() {
    let mut blueprint = chain();
    blueprint.nodes.insert("stuck".into(), toy_host(8));
    let mut world = world(blueprint);
    let steps = 2_500_000;
    for _ in 0..steps {
        assert!(world.step());
    }
    let mut culprits = Vec::new();
    while let Some(event) = world.poll_event() {
        if let WorldEventKind::Livelock { .. } = event.kind {
            culprits.push(event.node.unwrap());
        }
    }
    assert_eq!(culprits, [NodeName::from("stuck"), NodeName::from("stuck")]);
    assert_eq!(world.now(), Instant::from_millis(3));
    assert!(world.node(&"right".into()).unwrap().seen > 0);
}

#[test]
fn a_checker_sees_every_delivery() {
    struct Count(Vec<String>);
    impl Checker for Count {
        fn delivered(&mut self, delivery: Delivery<'_>) {
            let Delivery { link, from, to, .. } = delivery;
            self.0.push(format!("{link} {} {}", from.node, to.node));
        }
    }
    let mut world = world(chain());
    let mut count = Count(Vec::new());
    world.run_until_checked(Instant::from_millis(5), &mut count);
    assert_eq!(count.0, ["first beacon middle", "second middle right"]);
}
