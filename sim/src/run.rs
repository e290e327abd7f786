//! One seed: faults with invariants watched, then everything mended and convergence demanded.

use std::collections::BTreeMap;
use std::time::Duration;

use skybridge_base::{Instant, Rng};
use skybridge_blueprint::{Blueprint, NodeName};
use skybridge_dataplane::DropReason;
use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent};
use skybridge_solve::{SessionVerdict, solve};
use skybridge_verify::{Pair, failures};
use skybridge_world::{Command, CutMode, Element, World, WorldEventKind};

use crate::checkers::{Watcher, identifier};
use crate::faults::{self, Kind, Swarm};
use crate::network::{self, Options};
use crate::oracle;

/// Virtual time that sessions and routes may take to settle: hold times of up to 180 s, then a retry
/// after 120 s with jitter, then the idle hold of a session that failed again and again.
pub const SETTLING_MAX: Duration = Duration::from_secs(600);

/// How often a settling world is compared with the solver.
const LOOK: Duration = Duration::from_secs(2);

/// How long an echo is waited for.
const ECHO_TIMEOUT: Duration = Duration::from_secs(3);

/// Flows per pair.
const FLOWS: u16 = 4;

/// What came of a seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The trace hash at the end.
    pub hash: u64,
    /// Virtual time that passed.
    pub time: Duration,
    /// Steps of the world.
    pub steps: u64,
    /// How often each kind of action was taken.
    pub actions: BTreeMap<Kind, u32>,
    /// Comparisons with the solver, those under faults included.
    pub comparisons: u32,
    /// The longest that settling took.
    pub settled_in: Duration,
    /// Echoes sent and answered.
    pub echoes: (u64, u64),
    /// What must not be; empty for a seed that passes.
    pub failures: Vec<String>,
}

/// The network of a seed.
#[must_use]
pub fn options(seed: u64) -> Options {
    let mut rng = Rng::new(seed).child("network");
    let delays_us = [0, 100, 2_000, 40_000];
    Options {
        tenants: 1 + usize::from(rng.below(2) == 1),
        bfd: rng.below(2) == 0,
        md5: rng.below(2) == 0,
        delay: Duration::from_micros(rng.choose(&delays_us).copied().unwrap_or(0)),
        jitter: Duration::from_micros(rng.choose(&[0, 0, 300, 20_000]).copied().unwrap_or(0)),
        loss_ppm: rng.choose(&[0, 0, 100, 10_000]).copied().unwrap_or(0),
        reversed: false,
        flow_cache: true,
    }
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64) -> Outcome {
    run_network(seed, &options(seed))
}

/// Runs a seed over a network of one's choice.
///
/// # Panics
/// When the compiler makes a blueprint with faults.
#[must_use]
pub fn run_network(seed: u64, options: &Options) -> Outcome {
    let mut rng = Rng::new(seed);
    let swarm = Swarm::new(&mut rng.child("swarm"));
    let mut run = Run::new(seed, options);
    let mut actions = BTreeMap::new();
    run.pass(Duration::from_millis(rng.below(20_000)));
    for _ in 0..swarm.actions {
        let kind = swarm.next(&mut rng);
        if run.act(kind, &swarm, &mut rng) {
            *actions.entry(kind).or_default() += 1;
        }
        run.send_echoes();
        let pause_ns = u64::try_from(swarm.pause_max.as_nanos()).unwrap_or(u64::MAX);
        run.pass(Duration::from_nanos(rng.below(pause_ns)));
        if !run.problems.is_empty() {
            break;
        }
    }
    run.heal();
    run.finish(actions)
}

/// A world under test.
#[derive(Debug)]
pub struct Run {
    seed: u64,
    /// The world.
    pub world: World,
    options: Options,
    whole: Blueprint,
    pairs: Vec<(usize, Pair)>,
    watcher: Watcher,
    problems: Vec<String>,
    comparisons: u32,
    settled_in: Duration,
    sequence: u16,
    waiting: BTreeMap<(u64, u16), usize>,
    sent: u64,
    answered: u64,
}

/// What became of a round of echoes, by pair: sent and answered.
type Answers = Vec<(u32, u32)>;

impl Run {
    /// A world that has just begun.
    ///
    /// # Panics
    /// When the compiler makes a blueprint with faults.
    #[must_use]
    pub fn new(seed: u64, options: &Options) -> Self {
        let whole = network::blueprint(options);
        let mut world =
            World::new(whole.clone(), seed).expect("compiled blueprints have no faults");
        world.set_flow_cache(options.flow_cache);
        Self {
            seed,
            watcher: Watcher::new(&whole),
            pairs: network::pairs(options),
            options: *options,
            world,
            whole,
            problems: Vec::new(),
            comparisons: 0,
            settled_in: Duration::ZERO,
            sequence: 0,
            waiting: BTreeMap::new(),
            sent: 0,
            answered: 0,
        }
    }

    /// What must not be, so far.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut all = self.problems.clone();
        all.extend(self.watcher.violations.iter().cloned());
        all
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let until = self.world.now() + time;
        self.world.run_until_checked(until, &mut self.watcher);
        let mut answers = vec![(0, 0); self.pairs.len()];
        self.drain(&mut answers);
    }

    fn drain(&mut self, answers: &mut Answers) {
        while let Some(event) = self.world.poll_event() {
            let (id, sequence, answered) = match event.kind {
                WorldEventKind::Node(NodeEvent::EchoReply { id, sequence, .. }) => {
                    (id, sequence, true)
                }
                WorldEventKind::Node(NodeEvent::EchoFailed { id, sequence, .. }) => {
                    (id, sequence, false)
                }
                WorldEventKind::Livelock { steps, .. } => {
                    let who = event.node.map_or_else(String::new, |node| node.to_string());
                    let at = event.at;
                    self.problems
                        .push(format!("{at}: livelock at {who} after {steps} steps"));
                    continue;
                }
                WorldEventKind::Node(_)
                | WorldEventKind::Link { .. }
                | WorldEventKind::Cut { .. }
                | WorldEventKind::Healed { .. }
                | WorldEventKind::Carrier { .. }
                | WorldEventKind::Stopped
                | WorldEventKind::Started => continue,
            };
            match self.waiting.remove(&(id.0, sequence)) {
                None => self.problems.push(format!(
                    "{}: echo {}/{sequence} ended twice",
                    event.at, id.0
                )),
                Some(pair) if answered => {
                    self.answered += 1;
                    answers[pair].1 += 1;
                }
                Some(_) => {}
            }
        }
    }

    /// Sends an echo over each flow of each pair.
    fn send_echoes(&mut self) -> Answers {
        self.sequence = self.sequence.wrapping_add(1);
        let mut answers = vec![(0, 0); self.pairs.len()];
        for (at, (tenant, pair)) in self.pairs.iter().enumerate() {
            for flow in 0..FLOWS {
                let number = u16::try_from(at).unwrap_or(0) * FLOWS + flow;
                let id = identifier(*tenant, number);
                let command = HostCommand::Echo {
                    id: ConnectionId(id),
                    sequence: self.sequence,
                    target: pair.address,
                    ttl: 64,
                    payload_len: 32,
                    dont_fragment: true,
                    timeout: ECHO_TIMEOUT,
                    trace: 0,
                };
                let node = pair.from.clone();
                self.waiting.insert((id, self.sequence), at);
                if self.world.command(Command::Host { node, command }).is_ok() {
                    self.sent += 1;
                    answers[at].0 += 1;
                } else {
                    self.waiting.remove(&(id, self.sequence));
                }
            }
        }
        answers
    }

    /// Carries out an action. False when there was nothing to do it to.
    fn act(&mut self, kind: Kind, swarm: &Swarm, rng: &mut Rng) -> bool {
        let may_cut = self.world.faults().count() < swarm.cuts_max;
        let blueprint = self.world.blueprint().clone();
        let command = match kind {
            Kind::CutLink if may_cut => faults::cut_link(&self.world, rng),
            Kind::CutNode if may_cut => faults::cut_node(&self.world, rng),
            Kind::CutCircuit if may_cut => faults::cut_circuit(&self.world, rng),
            Kind::CutSession if may_cut => faults::cut_session(&self.world, rng),
            Kind::CutLink | Kind::CutNode | Kind::CutCircuit | Kind::CutSession => None,
            Kind::WrongTag => faults::wrong_tag(&self.world, rng),
            Kind::Restart => {
                faults::machine(&self.world, rng).map(|node| Command::Restart { node })
            }
            Kind::HealAll => Some(Command::Heal { element: None }),
            Kind::HealOne => {
                let cut: Vec<Element> = self.world.faults().map(|(e, _)| e.clone()).collect();
                let element = rng.choose(&cut).cloned();
                element.map(|element| Command::Heal {
                    element: Some(element),
                })
            }
            Kind::Flap => return self.flap(rng),
            Kind::Tenant => return self.apply(self.other_tenants()),
            Kind::WrongKey => return self.apply(faults::wrong_key(&blueprint, rng)),
            Kind::WrongVlan => return self.apply(faults::wrong_vlan(&blueprint, rng)),
            Kind::Quiet => {
                self.quiet();
                return true;
            }
        };
        command.is_some_and(|command| self.world.command(command).is_ok())
    }

    /// The network without its second tenant, or with it when it is gone.
    fn other_tenants(&self) -> Option<Blueprint> {
        if self.options.tenants < 2 {
            return None;
        }
        let is_whole = self.world.blueprint().nodes.len() == self.whole.nodes.len();
        let tenants = if is_whole { 1 } else { 2 };
        Some(network::blueprint(&Options {
            tenants,
            ..self.options
        }))
    }

    fn flap(&mut self, rng: &mut Rng) -> bool {
        let Some(link) = faults::cross_connect(self.world.blueprint(), rng) else {
            return false;
        };
        let element = Element::Link(link);
        if self.world.faults().any(|(cut, _)| *cut == element) {
            return false;
        }
        for _ in 0..3 + rng.below(5) {
            let mode = CutMode::LinkDown;
            let cut = Command::Cut {
                element: element.clone(),
                mode,
            };
            let heal = Command::Heal {
                element: Some(element.clone()),
            };
            for command in [cut, heal] {
                self.tell(command);
                self.pass(Duration::from_millis(rng.below(3_000)));
            }
        }
        true
    }

    /// Gives a command that cannot be refused.
    pub fn tell(&mut self, command: Command) {
        let text = format!("{command:?}");
        if let Err(error) = self.world.command(command) {
            self.problems.push(format!("{text}: {error}"));
        }
    }

    /// Changes to another blueprint. False when there is none.
    pub fn apply(&mut self, blueprint: Option<Blueprint>) -> bool {
        let Some(blueprint) = blueprint else {
            return false;
        };
        self.watcher.changed(&blueprint);
        if let Err(faults) = self.world.apply(blueprint) {
            self.problems.push(format!("refused blueprint: {faults:?}"));
        }
        // A host that is gone takes its open echoes with it.
        let (world, pairs) = (&self.world, &self.pairs);
        self.waiting
            .retain(|_, pair| world.host(&pairs[*pair].1.from).is_some());
        true
    }

    /// Waits until the world is as the solver says under its faults, then compares what echoes reach.
    /// Faults that the solver has no terms for are mended first.
    ///
    /// Returns whether it settled.
    pub fn quiet(&mut self) -> bool {
        self.mend_unsolvable();
        let Some(failures) = failures(&self.world) else {
            self.problems
                .push("faults that the solver cannot take stay".to_owned());
            return false;
        };
        let tables = solve(self.world.blueprint(), &failures);
        if !tables.converged {
            self.problems
                .push("the solver does not converge".to_owned());
            return false;
        }
        let begun = self.world.now();
        let mut differences = oracle::differences(&self.world, &tables);
        while !differences.is_empty() && self.world.now().since(begun) < SETTLING_MAX {
            self.pass(LOOK);
            differences = oracle::differences(&self.world, &tables);
        }
        self.comparisons += 1;
        if !differences.is_empty() {
            let at = self.world.now();
            let told = differences.join("; ");
            self.problems
                .push(format!("{at}: not settled after {SETTLING_MAX:?}: {told}"));
            return false;
        }
        self.settled_in = self.settled_in.max(self.world.now().since(begun));
        // Earlier echoes end before the quiet ones begin; neighbours are resolved by a first round.
        self.pass(ECHO_TIMEOUT);
        self.send_echoes();
        self.pass(ECHO_TIMEOUT);
        self.watcher.set_quiet(true);
        let expired = self.expired();
        let before = self.books();
        let mut answers = self.send_echoes();
        let until = self.world.now() + ECHO_TIMEOUT;
        self.world.run_until_checked(until, &mut self.watcher);
        self.drain(&mut answers);
        self.watcher.set_quiet(false);
        if self.expired() != expired {
            self.problems
                .push("a packet's TTL expired after routes had settled".to_owned());
        }
        self.balance(&before);
        for (at, (_, pair)) in self.pairs.iter().enumerate() {
            let (sent, answered) = answers[at];
            let expected = match oracle::reaches(&self.world, &failures, &tables, pair) {
                None => continue,
                Some(true) => sent,
                Some(false) => 0,
            };
            // Where links lose frames at random, echoes are lost too.
            let is_expected = match expected {
                0 => answered == 0,
                _ if self.options.loss_ppm > 0 => answered > 0,
                _ => answered == expected,
            };
            if !is_expected {
                let now = self.world.now();
                self.problems.push(format!(
                    "{now}: {pair}: {answered} of {sent} echoes answered, the solver says {expected}"
                ));
            }
        }
        if !self.waiting.is_empty() {
            let missing = self.waiting.len();
            self.problems
                .push(format!("{missing} echoes neither answered nor failed"));
            self.waiting.clear();
        }
        true
    }

    fn mend_unsolvable(&mut self) {
        let one_way: Vec<Element> = (self.world.faults())
            .filter(|(_, mode)| matches!(mode, CutMode::OneWay { .. }))
            .map(|(element, _)| element.clone())
            .collect();
        for element in one_way {
            let element = Some(element);
            self.tell(Command::Heal { element });
        }
        self.clear_tags();
    }

    fn clear_tags(&mut self) {
        let links: Vec<_> = self.world.blueprint().links.keys().cloned().collect();
        for link in links {
            let state = self.world.link_state(&link);
            if state.is_some_and(|state| !state.tag_faults.is_empty()) {
                self.tell(Command::ClearTagFaults { link });
            }
        }
    }

    /// Packets whose TTL expired, of all routers that run.
    fn expired(&self) -> u64 {
        let routers = self.world.blueprint().nodes.keys();
        let drops = routers.filter_map(|node| self.world.router(node));
        drops
            .map(|router| router.counters().drops.count(DropReason::TtlExpired))
            .sum()
    }

    /// Of each host: frames it counts as sent and received, frames its link counts towards and from it
    /// (delivered, dropped or under way).
    fn books(&self) -> BTreeMap<NodeName, [u64; 4]> {
        let mut books = BTreeMap::new();
        for link in self.world.blueprint().links.keys() {
            let Some(state) = self.world.link_state(link) else {
                continue;
            };
            let ends = &self.world.blueprint().links[link];
            let directions = [
                (&ends.a.node, &state.a_to_b, &state.b_to_a),
                (&ends.b.node, &state.b_to_a, &state.a_to_b),
            ];
            for (node, out, into) in directions {
                if let Some(host) = self.world.host(node) {
                    let counters = host.counters();
                    let dropped: u64 = out.drops.values().sum();
                    let offered = out.frames + dropped + out.in_flight as u64;
                    let book = [
                        counters.frames_out,
                        offered,
                        counters.frames_in,
                        into.frames,
                    ];
                    books.insert(node.clone(), book);
                }
            }
        }
        books
    }

    /// What hosts count and what links count has grown alike since `before`.
    fn balance(&mut self, before: &BTreeMap<NodeName, [u64; 4]>) {
        for (node, now) in self.books() {
            let Some(then) = before.get(&node) else {
                continue;
            };
            let grown: Vec<u64> = now.iter().zip(then).map(|(n, t)| n - t).collect();
            if grown[0] != grown[1] || grown[2] != grown[3] {
                self.problems.push(format!(
                    "{node}: sent {}, its link took {}; its link gave {}, received {}",
                    grown[0], grown[1], grown[3], grown[2]
                ));
            }
        }
    }

    /// Mends everything and demands that all sessions and pairs come back.
    pub fn heal(&mut self) {
        self.tell(Command::Heal { element: None });
        self.clear_tags();
        let whole = self.whole.clone();
        self.apply(Some(whole));
        if !self.quiet() {
            return;
        }
        let tables = solve(&self.whole, &skybridge_solve::Failures::none());
        for (id, verdict) in &tables.sessions {
            if *verdict != SessionVerdict::Up {
                self.problems
                    .push(format!("{id:?} of the whole network: {verdict:?}"));
            }
        }
        for (_, pair) in &self.pairs {
            let none = skybridge_solve::Failures::none();
            if oracle::reaches(&self.world, &none, &tables, pair) != Some(true) {
                self.problems
                    .push(format!("{pair} is not reached in the whole network"));
            }
        }
    }

    /// Ends the run.
    #[must_use]
    pub fn finish(self, actions: BTreeMap<Kind, u32>) -> Outcome {
        Outcome {
            seed: self.seed,
            hash: self.world.trace_hash(),
            time: self.world.now().since(Instant::ZERO),
            steps: self.world.steps(),
            actions,
            comparisons: self.comparisons,
            settled_in: self.settled_in,
            echoes: (self.sent, self.answered),
            failures: self.problems(),
        }
    }
}
