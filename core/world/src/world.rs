//! The world itself: time, the order of events, delivery.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use skybridge_base::{Deadline, Instant, Rng, TraceHash};
use skybridge_blueprint::{
    Blueprint, CarrierFault, CrossConnectName, Endpoint, Fault, LinkName, NodeName, check,
};
use skybridge_nodes::Outbox;
use skybridge_wire::{Frame, FramePool};

use crate::capture::{Capture, CaptureId};
use crate::command::{CommandLog, CutMode, Element, LogEntry, Logged};
use crate::event::{Events, WorldEvent, WorldEventKind, hash_event};
use crate::external::ExternalPort;
use crate::flow_cache::FlowCache;
use crate::link::{LinkIndex, LinkState};
use crate::real::AnyNode;
use crate::slot::{Buildable, NodeIndex, Slot};

/// Steps at one instant after which the world assumes that time will not pass by itself.
pub const STEPS_PER_INSTANT_MAX: u64 = 1_000_000;

/// How far time is moved at the first livelock; doubled at each further one up to a second.
const LIVELOCK_SKIP: Duration = Duration::from_millis(1);

/// Buffers kept for segments of super-frames.
const FRAMES_POOLED: usize = 64;

/// A frame at the moment it is handed to the receiving node.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// When.
    pub at: Instant,
    /// Over which link.
    pub link: &'a LinkName,
    /// Who sent it.
    pub from: &'a Endpoint,
    /// Who receives it.
    pub to: &'a Endpoint,
    /// The frame.
    pub frame: &'a Frame,
}

/// Watches every frame of a run, for invariants that must hold at each step.
pub trait Checker {
    /// A frame is about to be handed over.
    fn delivered(&mut self, delivery: Delivery<'_>);
}

/// Why a log cannot be replayed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log lacks entries, or frames came from outside.
    #[error("{0} inputs are not in the log")]
    Incomplete(u64),
    /// Nobody knows what stands behind these nodes.
    #[error("nothing stands in for {}", names(.0))]
    NoStandIn(Vec<NodeName>),
    /// The log does not fit its blueprint: it was not made by a world.
    #[error("entry {0} does not fit")]
    Mismatch(usize),
}

fn names(names: &[NodeName]) -> String {
    let names: Vec<&str> = names.iter().map(NodeName::as_str).collect();
    names.join(", ")
}

/// A running blueprint. See the crate's documentation for how to drive it.
#[derive(Debug)]
pub struct World<N = AnyNode> {
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    pub(crate) slots: Vec<Option<Slot<N>>>,
    pub(crate) node_index: BTreeMap<NodeName, NodeIndex>,
    pub(crate) links: Vec<Option<LinkState>>,
    pub(crate) link_index: BTreeMap<LinkName, LinkIndex>,
    /// The head of every direction that has frames under way: time, sequence, link, side.
    pub(crate) arrivals: BTreeSet<(Instant, u64, LinkIndex, usize)>,
    pub(crate) deadlines: BTreeSet<(Instant, NodeIndex)>,
    /// Nodes that are powered off when their grace ends.
    pub(crate) graces: BTreeSet<(Instant, NodeName)>,
    /// Nodes cut in mode `admin` whose grace has ended.
    pub(crate) admin_down: BTreeSet<NodeName>,
    pub(crate) sequence: u64,
    pub(crate) steps: u64,
    pub(crate) steps_here: u64,
    skip: Duration,
    pub(crate) faults: BTreeMap<Element, CutMode>,
    pub(crate) carrier_faults: BTreeMap<(NodeName, CrossConnectName), Vec<CarrierFault>>,
    events: Events,
    pub(crate) hash: TraceHash,
    pub(crate) tracing: bool,
    pub(crate) log: CommandLog,
    pub(crate) external: VecDeque<(ExternalPort, Frame)>,
    pub(crate) external_lost: u64,
    pub(crate) captures: BTreeMap<CaptureId, Capture>,
    pub(crate) captures_made: u32,
    /// Since when, by the driver's time, work of one instant holds time up; see [`World::is_behind`].
    pub(crate) behind_since: Option<Instant>,
    /// Frames have come in from outside.
    pub(crate) is_fed: bool,
    pub(crate) outbox: Outbox,
    pub(crate) batch: Vec<Frame>,
    pub(crate) pool: FramePool,
    pub(crate) flows: FlowCache,
}

/// What happens next.
enum Next {
    Arrival(u64, LinkIndex, usize),
    GraceEnds,
    Timeout(NodeIndex),
}

impl<N: Buildable> World<N> {
    /// A world of nodes of type `N` at time zero: nodes built, links up, nothing sent. Real worlds
    /// come from [`World::new`].
    ///
    /// # Errors
    /// The faults that `blueprint::check` finds.
    pub fn with_nodes(blueprint: Blueprint, seed: u64) -> Result<Self, Vec<Fault>> {
        let faults = check(&blueprint);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self::assemble(Arc::new(blueprint), seed))
    }

    pub(crate) fn assemble(blueprint: Arc<Blueprint>, seed: u64) -> Self {
        let mut world = Self {
            now: Instant::ZERO,
            rng: Rng::new(seed),
            slots: Vec::new(),
            node_index: BTreeMap::new(),
            links: Vec::new(),
            link_index: BTreeMap::new(),
            arrivals: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            graces: BTreeSet::new(),
            admin_down: BTreeSet::new(),
            sequence: 0,
            steps: 0,
            steps_here: 0,
            skip: LIVELOCK_SKIP,
            faults: BTreeMap::new(),
            carrier_faults: BTreeMap::new(),
            events: Events::default(),
            hash: TraceHash::default(),
            tracing: true,
            log: CommandLog::new(seed, Arc::clone(&blueprint)),
            external: VecDeque::new(),
            external_lost: 0,
            captures: BTreeMap::new(),
            captures_made: 0,
            outbox: Outbox::default(),
            batch: Vec::new(),
            behind_since: None,
            is_fed: false,
            pool: FramePool::new(FRAMES_POOLED),
            flows: FlowCache::new(seed),
            blueprint: Arc::clone(&blueprint),
        };
        for name in blueprint.nodes.keys() {
            world.add_node(name);
        }
        for (name, link) in &blueprint.links {
            world.add_link(name, link);
        }
        world
    }

    /// The world that `log` describes, at `until`: a twin that can be cut without touching the
    /// original. Nodes with a world outside are replaced by their stand-ins.
    ///
    /// # Errors
    /// When the log is incomplete or was not made by a world, or a node has no stand-in.
    pub fn replay_with_nodes(log: &CommandLog, until: Instant) -> Result<Self, ReplayError> {
        if log.missing > 0 {
            return Err(ReplayError::Incomplete(log.missing));
        }
        if log.has_external() || log.carried {
            return Self::replay_with_stand_ins(log, until);
        }
        let mut world = Self::assemble(Arc::clone(&log.initial), log.seed);
        for (number, entry) in log.entries.iter().enumerate() {
            let mismatch = ReplayError::Mismatch(number);
            while world.steps < entry.after_steps {
                if !world.step() {
                    return Err(mismatch);
                }
            }
            if world.now > entry.at {
                return Err(mismatch);
            }
            world.now = entry.at;
            match &entry.what {
                Logged::Command(command) => {
                    world.command(command.clone()).map_err(|_| mismatch)?;
                }
                Logged::Apply(difference) => {
                    let blueprint = difference.applied(&world.blueprint);
                    world.apply(blueprint).map_err(|_| mismatch)?;
                }
                Logged::Late => world.fall_behind(entry.at),
            }
        }
        world.run_until(until);
        Ok(world)
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Steps made: one per batch of frames delivered or timer fired.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// When the world has something to do next, and what.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.next().map(|(at, next)| {
            let reason = match next {
                Next::Arrival(..) => "frame",
                Next::GraceEnds => "admin grace",
                Next::Timeout(index) => self
                    .slot(index)
                    .and_then(|slot| slot.node.as_ref())
                    .and_then(skybridge_nodes::Node::poll_timeout)
                    .map_or("timer", |deadline| deadline.reason),
            };
            Deadline::new(at, reason)
        })
    }

    fn next(&self) -> Option<(Instant, Next)> {
        // What is overdue is due now; at equal times the earlier of these three goes first.
        let arrival = self
            .arrivals
            .first()
            .map(|&(at, sequence, link, side)| (at, Next::Arrival(sequence, link, side)));
        let grace = self.graces.first().map(|(at, _)| (*at, Next::GraceEnds));
        let timeout = self
            .deadlines
            .first()
            .map(|&(at, index)| (at, Next::Timeout(index)));
        [arrival, grace, timeout]
            .into_iter()
            .flatten()
            .map(|(at, next)| (at.max(self.now), next))
            .reduce(|best, other| if other.0 < best.0 { other } else { best })
    }

    /// Does the next thing, jumping to its time. False when nothing is left to do.
    pub fn step(&mut self) -> bool {
        self.step_until(Instant::MAX, None)
    }

    /// Does everything that is due up to `until`, and makes that the time.
    pub fn run_until(&mut self, until: Instant) {
        while self.step_until(until, None) {}
        self.pass_time(until);
    }

    /// As [`World::run_until`], showing every frame to `checker`.
    pub fn run_until_checked(&mut self, until: Instant, checker: &mut dyn Checker) {
        while self.step_until(until, Some(checker)) {}
        self.pass_time(until);
    }

    /// Lets the time that really passed pass. A `now` in the past does nothing.
    pub fn advance(&mut self, now: Instant) {
        self.run_until(now);
    }

    pub(crate) fn step_until(&mut self, until: Instant, checker: Option<&mut dyn Checker>) -> bool {
        let Some((at, next)) = self.next() else {
            return false;
        };
        if at > until {
            return false;
        }
        self.pass_time(at);
        self.steps += 1;
        self.steps_here += 1;
        match next {
            Next::Arrival(sequence, link, side) => self.deliver(sequence, link, side, checker),
            Next::GraceEnds => self.end_grace(),
            Next::Timeout(index) => self.visit(index, |node, now, out| {
                node.handle_timeout(now, out);
            }),
        }
        if self.steps_here >= STEPS_PER_INSTANT_MAX {
            self.break_livelock(&match next {
                Next::Arrival(_, link, side) => {
                    self.link(link).map(|l| l.receiver(side).node.clone())
                }
                Next::GraceEnds => None,
                Next::Timeout(index) => self.slot(index).map(|slot| slot.name.clone()),
            });
        }
        true
    }

    /// Lets time pass up to `at`, if that is later. The steps of an instant end with it, whoever moves time.
    pub(crate) fn pass_time(&mut self, at: Instant) {
        if at > self.now {
            self.now = at;
            self.steps_here = 0;
        }
    }

    fn break_livelock(&mut self, node: &Option<NodeName>) {
        let kind = WorldEventKind::Livelock {
            steps: self.steps_here,
            skipped_ns: u64::try_from(self.skip.as_nanos()).unwrap_or(u64::MAX),
        };
        self.report(node.clone(), kind);
        self.pass_time(self.now + self.skip);
        self.skip = (self.skip * 2).min(Duration::from_secs(1));
    }

    /// Registers the time at which a node wants its timeout.
    pub(crate) fn arm(&mut self, index: NodeIndex, deadline: Option<Instant>) {
        let Some(slot) = self
            .slots
            .get_mut(index.0 as usize)
            .and_then(Option::as_mut)
        else {
            return;
        };
        if slot.deadline == deadline {
            return;
        }
        if let Some(old) = slot.deadline {
            self.deadlines.remove(&(old, index));
        }
        slot.deadline = deadline;
        if let Some(new) = deadline {
            self.deadlines.insert((new, index));
        }
    }

    /// Queues an event for observers and adds it to the trace.
    pub(crate) fn report(&mut self, node: Option<NodeName>, kind: WorldEventKind) {
        let event = WorldEvent {
            at: self.now,
            node,
            kind,
        };
        if self.tracing {
            hash_event(&mut self.hash, &event);
        }
        self.events.push(event);
    }

    /// The next event, or `None` when drained.
    pub fn poll_event(&mut self) -> Option<WorldEvent> {
        self.events.pop()
    }

    /// Events dropped because nobody polled them.
    #[must_use]
    pub const fn events_lost(&self) -> u64 {
        self.events.lost
    }

    /// A hash over every delivered frame (time, link, direction, bytes) and every event, in order.
    #[must_use]
    pub const fn trace_hash(&self) -> u64 {
        self.hash.value()
    }

    /// Whether frames and events enter the trace hash (they do unless told otherwise). Reading every
    /// byte costs throughput, which a live network may want back.
    pub const fn set_tracing(&mut self, tracing: bool) {
        self.tracing = tracing;
    }

    /// What the world was told.
    #[must_use]
    pub const fn log(&self) -> &CommandLog {
        &self.log
    }

    pub(crate) fn record(&mut self, what: Logged) {
        let entry = LogEntry {
            at: self.now,
            after_steps: self.steps,
            what,
        };
        self.log.push(entry);
    }

    pub(crate) fn slot(&self, index: NodeIndex) -> Option<&Slot<N>> {
        self.slots.get(index.0 as usize)?.as_ref()
    }

    pub(crate) fn slot_mut(&mut self, index: NodeIndex) -> Option<&mut Slot<N>> {
        self.slots.get_mut(index.0 as usize)?.as_mut()
    }

    pub(crate) fn link(&self, index: LinkIndex) -> Option<&LinkState> {
        self.links.get(index.0 as usize)?.as_ref()
    }
}
