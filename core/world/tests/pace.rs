//! A machine that is slow: work takes time, and what is due meanwhile is not held up by it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../solve/tests/common/mod.rs"]
mod net;

use std::net::Ipv4Addr;
use std::time::Duration;

use net::{Net, net};
use skybridge_base::Instant;
use skybridge_blueprint::{BfdParameters, Originated};
use skybridge_nodes::{NodeEvent, SessionState};
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
