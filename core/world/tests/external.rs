//! Nodes whose other side is outside the world, and twins in which something stands in for them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::IpAddr;
use std::time::Duration;

use skybridge_base::{Instant, MacAddr};
use skybridge_blueprint::{
    Attached, Blueprint, Change, ChangeClass, Device, Endpoint, External, Host, Link, LinkClass,
    Node, NodeKind, Owner, PortMode, Role, check, diff,
};
use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent};
use skybridge_wire::arp::{self, ArpRepr};
use skybridge_wire::{EtherType, EthernetRepr, Frame, Tags, ethernet, icmpv4, ipv4};
use skybridge_world::{Command, CutMode, Element, ReplayError, World, WorldEventKind};

fn host(last: u8) -> Host {
    Host {
        port: "eth0".into(),
        mac: MacAddr::local(last.into()),
        addresses: vec![format!("10.0.0.{last}/24").parse().unwrap()],
        gateways: Vec::new(),
        mtu: 1500,
        services: Vec::new(),
        synthetic: false,
    }
}

fn node(kind: NodeKind) -> Node {
    Node {
        owner: Owner::Customer,
        role: Role::Host,
        location: String::new(),
        tenant: None,
        kind,
    }
}

fn namespace(last: u8) -> NodeKind {
    NodeKind::External(Box::new(External::Namespace(Box::new(host(last)))))
}

fn attached() -> NodeKind {
    NodeKind::External(Box::new(External::Attached(Box::new(Attached {
        port: "eth0".into(),
        device: Device::Tap { name: "t0".into() },
        mode: PortMode::Access,
        persona: None,
    }))))
}

/// `inner` is an ordinary host, `outer` what is given; 5 ms lie between them.
fn blueprint(outer: NodeKind) -> Blueprint {
    let end = |node: &str| Endpoint {
        node: node.into(),
        port: "eth0".into(),
    };
    let mut blueprint = Blueprint::default();
    let inner = NodeKind::Host(Box::new(host(1)));
    blueprint.nodes.insert("inner".into(), node(inner));
    blueprint.nodes.insert("outer".into(), node(outer));
    blueprint.links.insert(
        "wire".into(),
        Link {
            a: end("inner"),
            b: end("outer"),
            class: LinkClass::Attachment,
            owner: Owner::Customer,
            delay: Some(Duration::from_millis(5)),
            jitter: Duration::ZERO,
            loss_ppm: 0,
            rate_bps: None,
            mtu: 1500,
        },
    );
    blueprint
}

/// What a kernel with address 10.0.0.2 answers to a frame: ARP and ping.
fn kernel(frame: &Frame) -> Option<Frame> {
    let view = ethernet::parse(frame.bytes()).unwrap();
    let payload = match view.ethertype() {
        EtherType::ARP => {
            let request = arp::parse(view.payload()).unwrap();
            let ours: std::net::Ipv4Addr = "10.0.0.2".parse().unwrap();
            let asks = request.operation == arp::ArpOperation::Request;
            (asks && request.target_ip == ours)
                .then(|| request.reply(MacAddr::local(2)).to_bytes().to_vec())?
        }
        _ => icmpv4::echo_reply(view.payload())?,
    };
    let mut answer = Frame::with_headroom(&payload);
    EthernetRepr {
        dst: view.src(),
        src: MacAddr::local(2),
        tags: Tags::Untagged,
        ethertype: view.ethertype(),
    }
    .push(&mut answer);
    Some(answer)
}

/// Runs with a kernel behind `outer`.
fn run(world: &mut World, until: Instant) {
    let port = world
        .external_port(&"outer".into(), &External::OUTSIDE.into())
        .unwrap();
    let mut left = Vec::new();
    while world.now() < until {
        let next = world.now() + Duration::from_millis(1);
        world.run_until(next);
        world.drain_external(&mut left);
        let mut answers: Vec<Frame> = left.drain(..).filter_map(|(_, f)| kernel(&f)).collect();
        world.inject_at(port, &mut answers);
    }
}

fn ping(from: &str, to: u8) -> Command {
    Command::Host {
        node: from.into(),
        command: HostCommand::Echo {
            id: ConnectionId(1),
            sequence: 1,
            target: IpAddr::from([10, 0, 0, to]),
            ttl: 64,
            payload_len: 8,
            dont_fragment: true,
            timeout: Duration::from_secs(1),
            trace: 0,
        },
    }
}

fn replies(world: &mut World) -> usize {
    let mut count = 0;
    while let Some(event) = world.poll_event() {
        count += usize::from(matches!(
            event.kind,
            WorldEventKind::Node(NodeEvent::EchoReply { .. })
        ));
    }
    count
}

#[test]
fn a_namespace_is_pinged_and_pings_over_its_ordinary_link() {
    let mut world = World::new(blueprint(namespace(2)), 1).unwrap();
    world.command(ping("inner", 2)).unwrap();
    run(&mut world, Instant::from_millis(100));
    assert_eq!(replies(&mut world), 1);
    world.command(ping("outer", 1)).unwrap();
    run(&mut world, Instant::from_millis(200));
    assert_eq!(replies(&mut world), 1);
    let link = world.link_state(&"wire".into()).unwrap();
    assert!(link.a_to_b.frames >= 3 && link.b_to_a.frames >= 3);

    let element = Element::Link("wire".into());
    let mode = CutMode::Silent;
    world.command(Command::Cut { element, mode }).unwrap();
    world.command(ping("inner", 2)).unwrap();
    run(&mut world, Instant::from_millis(400));
    assert_eq!(replies(&mut world), 0);
}

#[test]
fn in_a_twin_an_internal_host_stands_in_for_a_namespace() {
    let mut world = World::new(blueprint(namespace(2)), 1).unwrap();
    world.command(ping("inner", 2)).unwrap();
    run(&mut world, Instant::from_millis(100));
    let mut changed = blueprint(namespace(2));
    changed.links.get_mut("wire").unwrap().delay = Some(Duration::from_millis(50));
    world.apply(changed).unwrap();
    run(&mut world, Instant::from_millis(200));
    let mut twin = World::replay(world.log(), world.now()).unwrap();
    assert!(twin.host(&"outer".into()).is_some());
    assert_eq!(replies(&mut twin), 1);
    for from in ["inner", "outer"] {
        let to = if from == "inner" { 2 } else { 1 };
        twin.command(ping(from, to)).unwrap();
        let end = twin.now() + Duration::from_millis(400);
        twin.run_until(end);
        assert_eq!(replies(&mut twin), 1, "{from}");
    }
    let again: World = World::replay(twin.log(), twin.now()).unwrap();
    assert_eq!(
        again.trace_hash(),
        twin.trace_hash(),
        "a twin's own log is exact"
    );
}

#[test]
fn what_nothing_stands_in_for_is_named() {
    let world = World::new(blueprint(attached()), 1).unwrap();
    let refused = World::replay(world.log(), Instant::ZERO).unwrap_err();
    assert_eq!(refused, ReplayError::NoStandIn(vec!["outer".into()]));
    assert_eq!(refused.to_string(), "nothing stands in for outer");
    let mut world = world;
    assert!(
        world.command(ping("outer", 1)).is_err(),
        "not ours to command"
    );
}

#[test]
fn a_host_that_becomes_a_namespace_is_rebuilt_alone() {
    let inside = blueprint(NodeKind::Host(Box::new(host(2))));
    let outside = blueprint(namespace(2));
    let rebuild = [Change::ChangeNode("outer".into(), ChangeClass::Rebuild)];
    assert_eq!(diff(&inside, &outside), rebuild);
    assert_eq!(diff(&outside, &inside), rebuild);
    let mut world = World::new(inside, 1).unwrap();
    world.apply(outside).unwrap();
    world.command(ping("inner", 2)).unwrap();
    run(&mut world, Instant::from_millis(100));
    assert_eq!(replies(&mut world), 1);
}

#[test]
fn frames_that_nobody_fetches_are_dropped_and_counted() {
    let mut world = World::new(blueprint(attached()), 1).unwrap();
    world.run_until(Instant::from_millis(20));
    let mut left = Vec::new();
    world.drain_external(&mut left);
    // The announcement of the inner host.
    let announcement = ArpRepr::announcement(MacAddr::local(1), "10.0.0.1".parse().unwrap());
    let view = ethernet::parse(left[0].1.bytes()).unwrap();
    assert_eq!(view.payload()[..28], announcement.to_bytes()[..28]);
    assert!(ipv4::parse(view.payload()).is_err());
    assert_eq!(world.external_lost(), 0);
}

#[test]
fn a_blueprint_without_the_port_of_an_external_node_is_faulty() {
    let mut wrong = blueprint(attached());
    wrong.links.get_mut("wire").unwrap().b.port = "eth1".into();
    assert_eq!(check(&wrong).len(), 1);
    let rewire = |wrong: &mut Blueprint, persona| {
        let mut attached = match attached() {
            NodeKind::External(external) => match *external {
                External::Attached(attached) => *attached,
                External::Namespace(_) => panic!("it is attached"),
            },
            NodeKind::Router(_) | NodeKind::Host(_) | NodeKind::Switch(_) => {
                panic!("it is external")
            }
        };
        attached.port = "eth1".into();
        attached.persona = persona;
        let external = External::Attached(Box::new(attached));
        wrong.nodes.get_mut("outer").unwrap().kind = NodeKind::External(Box::new(external));
    };
    rewire(&mut wrong, None);
    assert_eq!(check(&wrong), []);
    rewire(&mut wrong, Some(Box::default()));
    assert_eq!(check(&wrong).len(), 1, "the persona has no such port");
}
