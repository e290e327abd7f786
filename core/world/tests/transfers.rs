//! TCP of hosts and of BGP sessions on paths as they are: lossy, narrow, and narrow without a word.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]

#[path = "../../solve/tests/common/mod.rs"]
mod net;

use std::net::Ipv4Addr;
use std::time::Duration;

use net::{Net, ip, net};
use skybridge_base::Instant;
use skybridge_blueprint::{
    Access, AddressSet, BfdParameters, Filter, NextHop, Originated, Protocol, Rule, RuleSet,
    RuleSetMode, Secret, Service, ServiceKind, Tracking,
};
use skybridge_nodes::{ConnectionId, EchoFault, HostCommand, NodeEvent, SessionState};
use skybridge_world::{Command, LinkDrop, World, WorldEventKind};

const CLIENT: ConnectionId = ConnectionId(1);
const PORT: u16 = 5432;

/// `ha` – `a` – `b` – `hb`, a BGP session between the routers, and a server at `hb`.
fn path() -> Net {
    let mut net = Net::default();
    for (name, id) in [("a", 1), ("b", 2)] {
        net.router(name);
        net.bgp(name, id.into(), id, &[&format!("10.{id}.0.0/16")]);
    }
    net.join("a", "b", 1);
    net.session("a", "b");
    net.host("ha", "a", "10.1.0.10/24", "10.1.0.1");
    net.host("hb", "b", "10.2.0.10/24", "10.2.0.1");
    net.host_mut("hb").services = vec![Service {
        name: "db".to_owned(),
        tcp_port: PORT,
        kind: ServiceKind::Bridge {
            target: "outside".to_owned(),
        },
    }];
    net
}

/// What a conversation came to: the client sends all its bytes, the server returns each of them.
#[derive(Debug, Default)]
struct Conversation {
    connected: bool,
    sent: usize,
    at_server: Vec<u8>,
    returned: Vec<u8>,
    closed: Option<&'static str>,
    done_at: Option<Instant>,
}

/// Talks from `ha` to the server at `hb` until everything has come back or `until`.
fn converse(world: &mut World, bytes: &[u8], until: Instant) -> Conversation {
    let tell = |world: &mut World, node: &str, command| {
        let node = node.into();
        world.command(Command::Host { node, command }).unwrap();
    };
    let open = HostCommand::TcpConnect {
        id: CLIENT,
        target: ip("10.2.0.10"),
        port: PORT,
        timeout: Duration::from_secs(30),
        trace: 0,
    };
    tell(world, "ha", open);
    let mut seen = Conversation::default();
    // What the server could not return yet, and how much it may.
    let (mut waiting, mut room) = (Vec::new(), 0);
    while world.now() < until && seen.done_at.is_none() && seen.closed.is_none() {
        assert!(world.step());
        let events = std::iter::from_fn(|| world.poll_event());
        let mut events: Vec<_> = events
            .filter_map(|event| match event.kind {
                WorldEventKind::Node(event) => Some(event),
                _ => None,
            })
            .collect();
        // What is said of room in one step was true before anything is sent in answer to that step.
        events.sort_by_key(|event| !matches!(event, NodeEvent::TcpWritable { .. }));
        for event in events {
            match event {
                NodeEvent::TcpConnected { .. } => seen.connected = true,
                NodeEvent::TcpWritable { id: CLIENT, room } => {
                    let end = bytes.len().min(seen.sent + room);
                    let bytes = bytes[seen.sent..end].to_vec();
                    seen.sent = end;
                    tell(world, "ha", HostCommand::TcpSend { id: CLIENT, bytes });
                }
                NodeEvent::TcpWritable { id, room: more } => {
                    room = more;
                    let bytes: Vec<u8> = waiting.drain(..room.min(waiting.len())).collect();
                    room -= bytes.len();
                    tell(world, "hb", HostCommand::TcpSend { id, bytes });
                }
                NodeEvent::TcpReceived { id: CLIENT, bytes } => seen.returned.extend(bytes),
                NodeEvent::TcpReceived { id, bytes } => {
                    seen.at_server.extend(&bytes);
                    waiting.extend(bytes);
                    let bytes: Vec<u8> = waiting.drain(..room.min(waiting.len())).collect();
                    room -= bytes.len();
                    tell(world, "hb", HostCommand::TcpSend { id, bytes });
                }
                NodeEvent::TcpClosed { id: CLIENT, reason } => seen.closed = Some(reason),
                _ => {}
            }
        }
        if seen.returned.len() == bytes.len() {
            seen.done_at = Some(world.now());
        }
    }
    tell(world, "ha", HostCommand::TcpAbort { id: CLIENT });
    seen
}

/// Bytes in which a piece in the wrong place shows.
fn pattern(len: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_be_bytes).take(len).collect()
}

fn established(world: &World) -> bool {
    let router = |name: &str| world.router(&name.into()).unwrap().bgp();
    let mut peers = router("a").into_iter().chain(router("b"));
    peers.all(|peer| peer.state == SessionState::Established)
}

fn settled(net: Net, seed: u64) -> World {
    let mut world = World::new(net.blueprint, seed).unwrap();
    world.run_until(Instant::from_secs(20));
    assert!(established(&world));
    while world.poll_event().is_some() {}
    world
}

#[test]
fn a_transfer_over_a_lossy_link_is_complete_and_exact() {
    for seed in 1..=8 {
        let mut net = path();
        net.link_mut("a-b").loss_ppm = 10_000;
        let mut world = settled(net, seed);
        let bytes = pattern(1 << 20);
        let seen = converse(&mut world, &bytes, Instant::from_secs(600));
        assert!(seen.done_at.is_some(), "seed {seed}: {:?}", seen.closed);
        assert!(seen.at_server == bytes, "seed {seed}: other bytes arrived");
        assert!(seen.returned == bytes, "seed {seed}: other bytes came back");
        let link = world.link_state(&"a-b".into()).unwrap();
        for direction in [&link.a_to_b, &link.b_to_a] {
            assert!(direction.drops[&LinkDrop::Loss] > 3, "seed {seed}");
        }
    }
}

#[test]
fn a_session_with_a_signature_and_bfd_bears_a_lossy_link_and_carries_its_table() {
    for seed in 1..=4 {
        let mut net = path();
        net.link_mut("a-b").loss_ppm = 10_000;
        net.bgp_mut("a").originated = table(5000);
        for (own, peer) in [("a", "b"), ("b", "a")] {
            let peer = net.peer_mut(own, peer);
            peer.md5 = Some(Secret::new("a key".to_owned()));
            peer.bfd = Some(BfdParameters {
                interval: Duration::from_millis(300),
                multiplier: 3,
            });
        }
        let mut world = settled(net, seed);
        world.run_until(Instant::from_secs(900));
        let mut lost = Vec::new();
        while let Some(event) = world.poll_event() {
            if matches!(
                &event.kind,
                WorldEventKind::Node(NodeEvent::Bgp { .. } | NodeEvent::Bfd { .. })
            ) {
                lost.push(event);
            }
        }
        assert_eq!(lost, [], "seed {seed}");
        let learned = world.router(&"b".into()).unwrap().bgp()[0].prefixes_accepted;
        assert_eq!(learned, 5000, "seed {seed}");
    }
}

/// Prefixes of 20.0.0.0/8 in the table `main`.
fn table(count: u32) -> Vec<Originated> {
    let originated = |n: u32| Originated {
        table: "main".into(),
        prefix: net(&format!("{}/24", Ipv4Addr::from((20 << 24) + (n << 8)))),
        communities: Vec::new(),
        source_tag: 0,
    };
    (0..count).map(originated).collect()
}

/// The same path with a router `r` before `a`, so that errors cross one before they reach the host; the
/// interface from `a` to `b` takes 1400 octets.
fn narrow() -> Net {
    let mut net = path();
    net.interface_mut("a", "b").mtu = 1400;
    net.router("r");
    net.join("r", "a", 2);
    net.host("ha", "r", "10.3.0.10/24", "10.3.0.1");
    let via = |interface: &str, address: &str| NextHop::Via {
        interface: interface.into(),
        address: ip(address),
    };
    net.route("r", "0.0.0.0/0", via("a", "10.255.2.2"));
    net.route("a", "10.3.0.0/16", via("r", "10.255.2.1"));
    net.route("b", "10.3.0.0/16", via("a", "10.255.1.1"));
    net.blueprint.links.remove("a-ha");
    net
}

/// `r` drops the ICMP errors that come from `a`, as careless filters do.
fn filtered() -> Net {
    let mut net = narrow();
    let rule = |name: &str, access, protocols| Rule {
        name: name.to_owned(),
        access,
        tracking: Tracking::Stateless,
        protocols,
        sources: AddressSet {
            prefixes: vec![net::net("0.0.0.0/0")],
            learned_in: None,
        },
        destinations: AddressSet {
            prefixes: vec![net::net("0.0.0.0/0")],
            learned_in: None,
        },
        unknown: false,
    };
    let errors = Protocol::Icmp {
        number: 1,
        icmp_type: 3,
        code: None,
    };
    net.interface_mut("r", "a").filter_in = Some(Filter {
        sets: vec![RuleSet {
            name: "no errors".to_owned(),
            mode: RuleSetMode::FirstMatch,
            rules: vec![
                rule("errors", Access::Deny, vec![errors]),
                rule("rest", Access::Allow, vec![Protocol::Any]),
            ],
        }],
    });
    net
}

fn echo(world: &mut World, payload_len: u16, dont_fragment: bool) -> NodeEvent {
    let command = HostCommand::Echo {
        id: CLIENT,
        sequence: 1,
        target: ip("10.2.0.10"),
        ttl: 64,
        payload_len,
        dont_fragment,
        timeout: Duration::from_secs(2),
        trace: 0,
    };
    let node = "ha".into();
    world.command(Command::Host { node, command }).unwrap();
    world.run_until(world.now() + Duration::from_secs(3));
    let events = std::iter::from_fn(|| world.poll_event());
    let mut answers = events.filter_map(|event| match event.kind {
        WorldEventKind::Node(
            event @ (NodeEvent::EchoReply { .. } | NodeEvent::EchoFailed { .. }),
        ) => Some(event),
        _ => None,
    });
    answers.next().unwrap()
}

#[test]
fn a_narrow_path_tells_the_sender_and_the_sender_adapts() {
    let mut world = settled(narrow(), 1);
    // 1372 octets of data, 28 of headers.
    assert!(matches!(
        echo(&mut world, 1372, true),
        NodeEvent::EchoReply { .. }
    ));
    let NodeEvent::EchoFailed { fault, .. } = echo(&mut world, 1373, true) else {
        panic!("one octet more fits");
    };
    let told = EchoFault::Icmp {
        from: ip("10.255.2.2"),
        icmp_type: 3,
        code: 4,
        mtu: Some(1400),
    };
    assert_eq!(fault, told);
    let bytes = pattern(200_000);
    let until = world.now() + Duration::from_secs(60);
    let seen = converse(&mut world, &bytes, until);
    assert!(seen.done_at.is_some(), "{:?}", seen.closed);
    assert!(seen.at_server == bytes && seen.returned == bytes);
    let link = world.link_state(&"a-b".into()).unwrap();
    assert_eq!(link.a_to_b.drops.get(&LinkDrop::TooBig), None);
}

#[test]
fn without_the_errors_the_path_is_a_black_hole_for_full_segments() {
    let mut world = settled(filtered(), 1);
    assert!(matches!(
        echo(&mut world, 1372, true),
        NodeEvent::EchoReply { .. }
    ));
    let NodeEvent::EchoFailed { fault, .. } = echo(&mut world, 1373, true) else {
        panic!("it does not fit");
    };
    assert_eq!(fault, EchoFault::Timeout);
    // A small conversation works, so that the path looks healthy.
    let until = world.now() + Duration::from_secs(60);
    let small = converse(&mut world, &pattern(1000), until);
    assert_eq!(small.returned.len(), 1000);
    let until = world.now() + Duration::from_secs(120);
    let large = converse(&mut world, &pattern(100_000), until);
    assert!(large.connected && large.at_server.is_empty(), "{large:?}");
}

#[test]
fn a_carrier_with_a_smaller_mtu_lets_a_session_up_and_starves_it_of_its_table() {
    let mut net = path();
    // Both ends believe in 1500 octets; what is longer is lost on the way without a word.
    net.link_mut("a-b").mtu = 1400;
    net.bgp_mut("a").originated = table(2000);
    let mut world = World::new(net.blueprint, 1).unwrap();
    world.run_until(Instant::from_secs(120));
    let mut reasons = Vec::new();
    while let Some(event) = world.poll_event() {
        if let WorldEventKind::Node(NodeEvent::Bgp {
            from: SessionState::Established,
            reason,
            ..
        }) = event.kind
        {
            reasons.push(reason);
        }
    }
    // It comes up again and again, and each time the hold timer of the end that waits ends it.
    assert!(reasons.len() >= 4, "{reasons:?}");
    assert!(
        reasons.iter().any(|reason| reason.contains("hold")),
        "{reasons:?}"
    );
    assert_eq!(
        world.router(&"b".into()).unwrap().bgp()[0].prefixes_accepted,
        0
    );
    let link = world.link_state(&"a-b".into()).unwrap();
    assert!(link.a_to_b.drops[&LinkDrop::TooBig] > 10);
}
