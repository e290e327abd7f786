//! A machine that is slow: work takes time, and what is due meanwhile is not held up by it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../solve/tests/common/mod.rs"]
mod net;

use std::net::Ipv4Addr;
use std::time::Duration;

use net::{Net, net};
use skybridge_base::{Instant, MacAddr};
use skybridge_blueprint::{BfdParameters, NextHop, Originated};
use skybridge_nodes::{NodeEvent, SessionState};
use skybridge_wire::{EtherType, EthernetRepr, Frame, Tags, ipv4, protocol};
use skybridge_world::{Command, CutMode, Element, Logged, World, WorldEvent, WorldEventKind};

/// Steps of one turn.
const STEPS: u32 = 2;
/// What a turn costs, and what each event in it adds: a slow processor.
const TURN: Duration = Duration::from_micros(20);
const EVENT: Duration = Duration::from_micros(10);

/// A world and a processor of its own.
struct Paced {
    world: World,
    now: Instant,
    events: Vec<WorldEvent>,
    longest: Duration,
}

impl Paced {
    fn new(net: &Net) -> Self {
        Self {
            world: World::new(net.blueprint.clone(), 1).unwrap(),
            now: Instant::ZERO,
            events: Vec::new(),
            longest: Duration::ZERO,
        }
    }

    /// Drives the world step by step until `until`, as a driver does whose processor needs time.
    fn run_until(&mut self, until: Instant) {
        self.events
            .extend(std::iter::from_fn(|| self.world.poll_event()));
        while self.now < until {
            if self.world.advance_some(self.now, STEPS) {
                let seen = self.events.len();
                self.events
                    .extend(std::iter::from_fn(|| self.world.poll_event()));
                let news = u32::try_from(self.events.len() - seen).unwrap();
                let cost = TURN + EVENT * news;
                self.longest = self.longest.max(cost);
                self.now += cost;
            } else {
                let due = self.world.poll_timeout().map_or(until, |d| d.at);
                self.now = due.clamp(self.now, until);
                if due > until {
                    return;
                }
            }
        }
    }

    fn late(&self) -> usize {
        let entries = self.world.log().entries.iter();
        entries.filter(|entry| entry.what == Logged::Late).count()
    }
}

/// A feeder with a large table, and two routers behind it that watch each other by BFD.
fn feeder(prefixes: u32) -> Net {
    let mut net = Net::default();
    for (at, name) in (1..).zip(["feeder", "near", "far"]) {
        net.router(name);
        net.bgp(name, u32::from(at), at, &[]);
    }
    net.join("feeder", "near", 1);
    net.join("near", "far", 2);
    net.session("feeder", "near");
    net.session("near", "far");
    let originated = (0..prefixes).map(|n| Originated {
        table: "main".into(),
        prefix: net::net(&format!("{}/24", Ipv4Addr::from((20 << 24) + (n << 8)))),
        communities: Vec::new(),
        source_tag: 0,
    });
    net.bgp_mut("feeder").originated = originated.collect();
    for (own, peer) in [("near", "far"), ("far", "near")] {
        net.peer_mut(own, peer).bfd = Some(BfdParameters {
            interval: Duration::from_millis(20),
            multiplier: 3,
        });
    }
    net
}

fn first_link() -> Element {
    Element::Link("feeder-near".into())
}

fn routes(world: &World, router: &str) -> usize {
    let router = world.router(&router.into()).unwrap();
    let all = router.routes(&"main".into());
    all.iter()
        .filter(|route| route.prefix.addr() >= net("20.0.0.0/8").addr())
        .count()
}

#[test]
fn a_large_table_comes_and_goes_and_bfd_of_twenty_milliseconds_does_not_notice() {
    const PREFIXES: u32 = 100_000;
    let mut paced = Paced::new(&feeder(PREFIXES));
    paced.world.set_tracing(false);
    let mode = CutMode::Silent;
    let element = first_link();
    paced.world.command(Command::Cut { element, mode }).unwrap();
    paced.run_until(Instant::from_secs(10));
    let up = |event: &WorldEvent| {
        matches!(
            &event.kind,
            WorldEventKind::Node(NodeEvent::Bfd { up: true, .. })
        )
    };
    assert_eq!(paced.events.iter().filter(|e| up(e)).count(), 2);
    let late = paced.late();
    paced.run_until(Instant::from_secs(20));
    assert_eq!(paced.late(), late, "an idle world is punctual");
    paced.events.clear();
    // The table comes.
    let element = Some(first_link());
    paced.world.command(Command::Heal { element }).unwrap();
    paced.run_until(Instant::from_secs(40));
    assert!(
        paced.late() > late + 100,
        "the table is more than an instant's work"
    );
    assert_eq!(routes(&paced.world, "far"), PREFIXES as usize);
    // The hold timer takes it away again.
    let element = first_link();
    let mode = CutMode::Silent;
    paced.world.command(Command::Cut { element, mode }).unwrap();
    paced.run_until(Instant::from_secs(70));
    assert_eq!(routes(&paced.world, "far"), 0);
    // A link of the router in the middle comes and goes.
    paced
        .world
        .command(Command::Heal { element: None })
        .unwrap();
    paced.run_until(Instant::from_secs(90));
    let element = first_link();
    let mode = CutMode::LinkDown;
    paced.world.command(Command::Cut { element, mode }).unwrap();
    paced.run_until(Instant::from_secs(100));
    assert_eq!(routes(&paced.world, "far"), 0);
    let lost = paced.events.iter().find(|event| {
        let WorldEventKind::Node(event) = &event.kind else {
            return false;
        };
        matches!(event, NodeEvent::Bfd { up: false, .. })
            || matches!(event, NodeEvent::Bgp { from: SessionState::Established, peer, .. }
                if peer == "far")
    });
    assert_eq!(lost, None);
    // Two steps, each with no more than 512 decisions and 512 routes resolved again.
    let most = TURN + EVENT * (2 * 1024 + 100);
    assert!(paced.longest < most, "{:?}", paced.longest);
}

#[test]
fn a_world_that_was_late_is_replayed_to_the_same_trace() {
    let mut paced = Paced::new(&feeder(3000));
    paced.run_until(Instant::from_secs(5));
    assert!(paced.late() > 0);
    let end = paced.world.now();
    let twin = World::replay(paced.world.log(), end).unwrap();
    assert_eq!(twin.trace_hash(), paced.world.trace_hash());
    assert_eq!(twin.steps(), paced.world.steps());
}

/// Eight routers in a row without delay, and a host behind the last.
fn row() -> Net {
    let mut net = Net::default();
    let name = |n: u8| format!("r{n}");
    for n in 0..8 {
        net.router(&name(n));
    }
    for n in 0..7 {
        let (a, b) = (name(n), name(n + 1));
        net.join(&a, &b, n);
        net.link_mut(&format!("{a}-{b}")).delay = None;
        let via = NextHop::Via {
            interface: b.as_str().into(),
            address: net::ip(&format!("10.255.{n}.2")),
        };
        net.route(&a, "198.51.100.0/24", via);
    }
    net.interface("r0", "outside", "10.1.0.1/24");
    net.host("sink", "r7", "198.51.100.1/24", "198.51.100.254");
    net.link_mut("r7-sink").delay = None;
    net
}

fn datagram(to: MacAddr) -> Frame {
    let (src, dst) = ([10, 1, 0, 2].into(), [198, 51, 100, 1].into());
    let mut packet = Vec::new();
    ipv4::Ipv4Repr::new(src, dst, protocol::UDP, 8).emit(&mut packet);
    packet.extend([0x30, 0x39, 0, 9, 0, 8, 0, 0]);
    let mut frame = Frame::with_headroom(&packet);
    EthernetRepr {
        dst: to,
        src: MacAddr::local(0xf00),
        tags: Tags::Untagged,
        ethertype: EtherType::IPV4,
    }
    .push(&mut frame);
    frame
}

#[test]
fn a_flood_from_outside_that_goes_on_for_long_is_no_livelock() {
    const BURSTS: u64 = 2500;
    let net = row();
    let mut world = World::new(net.blueprint.clone(), 1).unwrap();
    world.set_tracing(false);
    let (r0, outside) = ("r0".into(), "outside".into());
    world.open_external(&r0, &outside).unwrap();
    world.run_until(Instant::from_secs(1));
    let to = net.blueprint.nodes[&r0].as_router().unwrap().ports[&outside].mac;
    let port = world.external_port(&r0, &outside).unwrap();
    while world.poll_event().is_some() {}
    for burst in 0..BURSTS {
        let now = Instant::from_secs(1) + Duration::from_micros(64 * burst);
        world.approach(now);
        let mut frames: Vec<Frame> = (0..64).map(|_| datagram(to)).collect();
        world.inject_at(port, &mut frames);
        while world.advance_some(now, 64) {}
        assert_eq!(world.now(), now, "burst {burst}");
    }
    let events: Vec<_> = std::iter::from_fn(|| world.poll_event()).collect();
    let livelock = events
        .iter()
        .find(|event| matches!(event.kind, WorldEventKind::Livelock { .. }));
    assert_eq!(livelock, None);
    let last = world.link_state(&"r7-sink".into()).unwrap();
    assert!(last.a_to_b.frames + 1000 > 64 * BURSTS);
}
