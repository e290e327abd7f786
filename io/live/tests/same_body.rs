//! One body on the virtual clock, on a pacer whose clock is made up, and on the paced driver with the machine's
//! real clock: the same events in the same order.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]

#[path = "../../../core/solve/tests/common/mod.rs"]
mod net;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant as MachineInstant};

use net::{Net, ip};
use skybridge_base::{Deadline, Instant, Rng};
use skybridge_blueprint::BfdParameters;
use skybridge_lab::request::Request;
use skybridge_lab::{
    BridgeId, BridgeInput, ClientId, ForwardId, LabOutput, PortId, PortNews, SimulationResult,
};
use skybridge_live::{Ended, Engine, Joints, LATE_MAX, Pacer, spawn};
use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent, SessionState};
use skybridge_wire::Frame;
use skybridge_world::{Command, CutMode, Element, World, WorldEvent, WorldEventKind};

/// A step of the body.
enum Step {
    /// Tells the world something.
    Tell(Command),
    /// Waits for as many such events since the last command.
    Until(usize, fn(&NodeEvent) -> bool),
    /// Lets the world's time pass.
    Rest(Duration),
}

/// Two edges joined by two routers; each link has a session with BFD of 100 ms times 3.
fn interconnect() -> Net {
    let mut net = Net::default();
    for (at, name) in (1..).zip(["a", "b", "m1", "m2"]) {
        net.router(name);
        let own = format!("10.{at}.0.0/16");
        net.bgp(name, u32::from(at), at, &[&own]);
    }
    let links = [("a", "m1"), ("m1", "b"), ("a", "m2"), ("m2", "b")];
    for (at, (one, other)) in (1..).zip(links) {
        net.join(one, other, at);
        net.session(one, other);
        for (own, peer) in [(one, other), (other, one)] {
            let peer = net.peer_mut(own, peer);
            peer.bfd = Some(BfdParameters {
                interval: Duration::from_millis(100),
                multiplier: 3,
            });
            peer.connect_retry = Duration::from_secs(1);
        }
    }
    net.host("ha", "a", "10.1.0.10/24", "10.1.0.1");
    net.host("hb", "b", "10.2.0.10/24", "10.2.0.1");
    net
}

fn ping() -> [Step; 3] {
    // Routes follow sessions.
    let settle = Step::Rest(Duration::from_millis(50));
    let answered = |event: &NodeEvent| matches!(event, NodeEvent::EchoReply { .. });
    let request = Step::Tell(Command::Host {
        node: "ha".into(),
        command: HostCommand::Echo {
            id: ConnectionId(1),
            sequence: 1,
            target: ip("10.2.0.10"),
            ttl: 64,
            payload_len: 56,
            dont_fragment: true,
            timeout: Duration::from_secs(1),
            trace: 0,
        },
    });
    [settle, request, Step::Until(1, answered)]
}

/// Comes up, pings, loses a link that nobody sees fail, heals, loses a router and gets it back.
fn body() -> Vec<Step> {
    let bfd_up = |event: &NodeEvent| matches!(event, NodeEvent::Bfd { up: true, .. });
    let bfd_down = |event: &NodeEvent| matches!(event, NodeEvent::Bfd { up: false, .. });
    let established = |event: &NodeEvent| {
        matches!(
            event,
            NodeEvent::Bgp {
                to: SessionState::Established,
                ..
            }
        )
    };
    let lost = |event: &NodeEvent| {
        matches!(
            event,
            NodeEvent::Bgp {
                from: SessionState::Established,
                ..
            }
        )
    };
    let link = || Element::Link("a-m1".into());
    let cut = Command::Cut {
        element: link(),
        mode: CutMode::Silent,
    };
    let heal = Command::Heal {
        element: Some(link()),
    };
    let up = [Step::Until(8, established), Step::Until(8, bfd_up)];
    let fails = [
        Step::Rest(Duration::from_millis(450)),
        Step::Tell(cut),
        Step::Until(2, bfd_down),
    ];
    let heals = [Step::Tell(heal), Step::Until(2, established)];
    let dies = [
        Step::Tell(Command::Crash { node: "m2".into() }),
        Step::Until(2, lost),
    ];
    let returns = [
        Step::Tell(Command::Restart { node: "m2".into() }),
        Step::Until(4, established),
    ];
    let mut body = Vec::new();
    body.extend(up);
    body.extend(ping());
    body.extend(fails);
    body.extend(ping());
    body.extend(heals);
    body.extend(dies);
    body.extend(ping());
    body.extend(returns);
    body.extend(ping());
    body
}

/// A world with a body to go through: what every driver drives.
struct Subject {
    world: World,
    body: VecDeque<Step>,
    /// When the rest under way is over.
    rested_at: Option<Instant>,
    events: Vec<WorldEvent>,
    /// Events before the last command.
    told: usize,
    slips: u32,
    done: Sender<Outcome>,
    stopped: bool,
}

/// What a driver made of the body.
#[derive(Debug)]
struct Outcome {
    events: Vec<WorldEvent>,
    slips: u32,
    ended_at: Instant,
}

impl Subject {
    fn new(done: Sender<Outcome>) -> Self {
        Self {
            world: World::new(interconnect().blueprint, 1).unwrap(),
            body: body().into(),
            rested_at: None,
            events: Vec::new(),
            told: 0,
            slips: 0,
            done,
            stopped: false,
        }
    }

    /// Takes in what has happened and goes on with the body as far as that allows.
    fn go_on(&mut self) {
        self.take_events();
        while let Some(step) = self.body.front() {
            match step {
                Step::Until(count, wanted) => {
                    let new = &self.events[self.told..];
                    let is_wanted = |event: &&WorldEvent| matches!(&event.kind, WorldEventKind::Node(node) if wanted(node));
                    if new.iter().filter(is_wanted).count() < *count {
                        return;
                    }
                }
                Step::Rest(duration) => {
                    let until = *self
                        .rested_at
                        .get_or_insert_with(|| self.world.now() + *duration);
                    if self.world.now() < until {
                        return;
                    }
                    self.rested_at = None;
                }
                Step::Tell(command) => {
                    self.told = self.events.len();
                    self.world.command(command.clone()).unwrap();
                    self.take_events();
                }
            }
            self.body.pop_front();
        }
        self.finish();
    }

    fn take_events(&mut self) {
        self.events
            .extend(std::iter::from_fn(|| self.world.poll_event()));
    }

    fn finish(&mut self) {
        if !self.stopped {
            self.stopped = true;
            let outcome = Outcome {
                events: std::mem::take(&mut self.events),
                slips: self.slips,
                ended_at: self.world.now(),
            };
            self.done.send(outcome).unwrap();
        }
    }
}

impl Engine for Subject {
    fn advance_some(&mut self, now: Instant) -> bool {
        // Step by step, so that the body goes on at the very event that it waits for.
        let until = self.poll_timeout().map_or(now, |due| due.at.min(now));
        let more = self.world.advance_some(until, 1);
        self.go_on();
        more || self.poll_timeout().is_some_and(|due| due.at <= now)
    }
    fn poll_timeout(&self) -> Option<Deadline> {
        let rested = self.rested_at.map(|at| Deadline::new(at, "rest"));
        if self.stopped {
            return None;
        }
        skybridge_base::earliest(self.world.poll_timeout(), rested)
    }
    fn poll_output(&mut self) -> Option<LabOutput> {
        std::mem::take(&mut self.stopped).then_some(LabOutput::Stopped)
    }
    fn note_slip(&mut self, _slip: Duration) {
        self.slips += 1;
    }
    fn request(&mut self, _now: Instant, _client: ClientId, _request: Request) {}
    fn forget(&mut self, _client: ClientId) {}
    fn drained(&mut self, _client: ClientId) {}
    fn bridge(&mut self, _now: Instant, _id: BridgeId, _input: BridgeInput) {}
    fn bridge_room(&self, _id: BridgeId) -> usize {
        0
    }
    fn listening(&mut self, _now: Instant, _id: ForwardId, _result: Result<SocketAddr, String>) {}
    fn accepted(&mut self, _now: Instant, _id: ForwardId) -> Option<BridgeId> {
        None
    }
    fn port(&mut self, _now: Instant, _id: PortId, _news: PortNews) {}
    fn take_frames(&mut self, _now: Instant, _id: PortId, _frames: &mut Vec<Frame>) {}
    fn give_frames(&mut self, _frames: &mut Vec<(PortId, Frame)>) {}
    fn simulated(&mut self, _now: Instant, _result: SimulationResult) {}
}

/// In virtual time: from deadline to deadline.
fn virtually() -> Outcome {
    let (done, outcome) = mpsc::channel();
    let mut subject = Subject::new(done);
    while !subject.stopped {
        let due = subject.poll_timeout().unwrap();
        assert!(due.at < Instant::from_secs(60), "the body does not end");
        subject.advance_some(due.at);
    }
    outcome.recv().unwrap()
}

/// On a pacer with a clock that is made up: it wakes up late, and now and then much too late.
fn made_up(seed: u64) -> Outcome {
    let (done, outcome) = mpsc::channel();
    let mut subject = Subject::new(done);
    let (mut pacer, mut rng) = (Pacer::new(), Rng::new(seed));
    let mut elapsed = Duration::ZERO;
    while !subject.stopped {
        let asked = pacer.sleep(elapsed, subject.poll_timeout()).unwrap();
        let late = match rng.below(100) {
            0 => Duration::from_micros(rng.below(3_000_000)),
            1..10 => Duration::from_micros(rng.below(18_000)),
            _ => Duration::from_micros(rng.below(200)),
        };
        elapsed += asked + late;
        let (now, slip) = pacer.wake(elapsed);
        assert!(now < Instant::from_secs(60), "the body does not end");
        if let Some(slip) = slip {
            assert!(slip > LATE_MAX);
            subject.note_slip(slip);
        }
        while !subject.stopped && subject.advance_some(now) {}
    }
    outcome.recv().unwrap()
}

/// On the driver of a live lab.
fn really() -> Outcome {
    let (done, outcome) = mpsc::channel();
    let began = MachineInstant::now();
    let running = spawn(Joints::default(), move || Subject::new(done)).unwrap();
    let outcome = outcome.recv_timeout(Duration::from_secs(60)).unwrap();
    let took = began.elapsed();
    assert!(matches!(running.join(), Ended::Stopped));
    assert!(
        Instant::ZERO + took >= outcome.ended_at,
        "{took:?} is less than the world's time"
    );
    outcome
}

/// What happened to whom, without when.
fn order(outcome: &Outcome) -> Vec<String> {
    let events = outcome.events.iter();
    let words = |event: &WorldEvent| {
        let kind = match &event.kind {
            // Round-trip times are figures of the driver.
            WorldEventKind::Node(NodeEvent::EchoReply { from, .. }) => format!("answer of {from}"),
            other => format!("{other:?}"),
        };
        format!("{:?} {kind}", event.node)
    };
    events.map(words).collect()
}

#[test]
fn a_pacer_that_wakes_up_late_or_slips_gives_the_events_of_virtual_time() {
    let expected = virtually();
    assert!(order(&expected).len() > 100);
    let mut slips = 0;
    for seed in 1..=20 {
        let outcome = made_up(seed);
        assert_eq!(order(&outcome), order(&expected), "seed {seed}");
        assert_eq!(outcome.ended_at, expected.ended_at);
        slips += outcome.slips;
    }
    assert!(slips > 20, "{slips} slips");
}

#[test]
fn the_paced_driver_gives_the_events_of_virtual_time_in_their_order() {
    let expected = virtually();
    let outcome = really();
    assert_eq!(order(&outcome), order(&expected));
    println!(
        "{} events over {}, {} slips",
        outcome.events.len(),
        outcome.ended_at,
        outcome.slips
    );
}
