//! A copy of a world, and which of its sessions should be up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use skybridge_base::Instant;
use skybridge_blueprint::Blueprint;
use skybridge_nodes::{NodeEvent, SessionState};
use skybridge_solve::{Failures, SessionId, SessionVerdict, solve};
use skybridge_world::{
    Command, CommandLog, CutMode, Element, ReplayError, World, WorldEvent, WorldEventKind,
};

use crate::trial::CASE_TIME_MAX;

/// Steps of history beyond which twins are not replayed from the beginning.
pub const REPLAY_STEPS_MAX: u64 = 300_000;

/// How often a twin that settles is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Where twins come from.
#[derive(Debug)]
pub(crate) struct Source {
    log: CommandLog,
    at: Instant,
    /// Not the world of the proof but a fresh one of the same blueprint and cuts.
    pub(crate) fresh: bool,
    /// Random loss was switched off.
    pub(crate) had_loss: bool,
}

impl Source {
    /// # Errors
    /// When the log cannot be replayed.
    pub(crate) fn new(log: &CommandLog, at: Instant) -> Result<Self, ReplayError> {
        let mut world = World::replay(log, at)?;
        let fresh = world.steps() > REPLAY_STEPS_MAX;
        if fresh {
            world = afresh(&world, log.seed);
        }
        let had_loss = silence_random_loss(&mut world);
        let mut twin = Twin::of(world);
        twin.settle();
        Ok(Self {
            at: twin.world.now(),
            log: twin.world.log().clone(),
            fresh,
            had_loss,
        })
    }

    /// # Errors
    /// When the log cannot be replayed.
    pub(crate) fn twin(&self) -> Result<Twin, ReplayError> {
        World::replay(&self.log, self.at).map(Twin::of)
    }
}

/// A young world with the blueprint, cuts and faults of an old one.
fn afresh(old: &World, seed: u64) -> World {
    let mut world = World::new(old.blueprint().clone(), seed)
        .expect("the blueprint of a running world has no faults");
    let cuts = old.faults().map(|(element, mode)| Command::Cut {
        element: element.clone(),
        mode: mode.clone(),
    });
    let tags = old.blueprint().links.keys().flat_map(|link| {
        let faults = old.link_state(link).map(|state| state.tag_faults);
        let command = |fault| Command::SetTagFault {
            link: link.clone(),
            fault,
        };
        faults.into_iter().flatten().map(command)
    });
    let carriers = old.blueprint().nodes.iter().flat_map(|(node, spec)| {
        let joined = spec.as_switch().map(|s| s.cross_connects.keys());
        joined.into_iter().flatten().flat_map(|cross_connect| {
            let faults = old.carrier_faults(node, cross_connect).iter();
            faults.map(|fault| Command::SetCarrierFault {
                node: node.clone(),
                cross_connect: cross_connect.clone(),
                fault: *fault,
            })
        })
    });
    for command in cuts.chain(tags).chain(carriers) {
        world
            .command(command)
            .expect("what one world of a blueprint took, another takes");
    }
    world
}

/// True when there was some.
fn silence_random_loss(world: &mut World) -> bool {
    let mut quiet: Blueprint = world.blueprint().clone();
    let mut had_loss = false;
    for link in quiet.links.values_mut() {
        had_loss |= link.loss_ppm > 0;
        link.loss_ppm = 0;
    }
    if had_loss {
        world
            .apply(quiet)
            .expect("the blueprint differs in loss alone");
    }
    had_loss
}

/// A world to break, with an eye on its sessions.
#[derive(Debug)]
pub(crate) struct Twin {
    pub(crate) world: World,
    /// Sessions that are established, by each end.
    established: BTreeSet<SessionId>,
    /// Hold times that were negotiated before the cut, in seconds.
    pub(crate) hold_times_s: BTreeMap<SessionId, u16>,
    /// What the solver expects; `None` when it has no answer.
    expected: Option<BTreeSet<SessionId>>,
}

impl Twin {
    fn of(mut world: World) -> Self {
        world.set_tracing(false);
        while world.poll_event().is_some() {}
        let mut established = BTreeSet::new();
        let mut hold_times_s = BTreeMap::new();
        for node in world.blueprint().nodes.keys() {
            for peer in world.router(node).map(|r| r.bgp()).unwrap_or_default() {
                if peer.state != SessionState::Established {
                    continue;
                }
                let id = SessionId {
                    node: node.clone(),
                    instance: peer.instance,
                    peer: peer.peer,
                };
                if let Some(seconds) = peer.hold_time_s {
                    hold_times_s.insert(id.clone(), seconds);
                }
                established.insert(id);
            }
        }
        let expected = expected_sessions(&world);
        Self {
            world,
            established,
            hold_times_s,
            expected,
        }
    }

    /// Breaks `elements` now. False when one of them cannot fail so; then the twin is of no use.
    pub(crate) fn cut(&mut self, elements: &[Element], mode: &CutMode) -> bool {
        let commands = elements.iter().map(|element| Command::Cut {
            element: element.clone(),
            mode: mode.clone(),
        });
        for command in commands {
            if self.world.command(command).is_err() {
                return false;
            }
        }
        self.expected = expected_sessions(&self.world);
        true
    }

    /// The sessions are those that the solver expects; false when it has no answer.
    pub(crate) fn is_settled(&self) -> bool {
        self.expected.as_ref() == Some(&self.established)
    }

    /// Keeps the books. True when the event may change where packets go.
    pub(crate) fn follow(&mut self, event: &WorldEvent) -> bool {
        match &event.kind {
            WorldEventKind::Node(NodeEvent::Bgp {
                instance, peer, to, ..
            }) => {
                let Some(node) = event.node.clone() else {
                    return false;
                };
                let id = SessionId {
                    node,
                    instance: instance.clone(),
                    peer: peer.clone(),
                };
                if *to == SessionState::Established {
                    self.established.insert(id)
                } else {
                    self.established.remove(&id)
                }
            }
            WorldEventKind::Stopped => {
                self.established
                    .retain(|id| Some(&id.node) != event.node.as_ref());
                true
            }
            WorldEventKind::Node(NodeEvent::Bfd { .. } | NodeEvent::Route { .. })
            | WorldEventKind::Link { .. }
            | WorldEventKind::Carrier { .. }
            | WorldEventKind::Started => true,
            WorldEventKind::Node(
                NodeEvent::DuplicateAddress { .. }
                | NodeEvent::Hop(_)
                | NodeEvent::EchoReply { .. }
                | NodeEvent::EchoFailed { .. }
                | NodeEvent::TcpConnected { .. }
                | NodeEvent::TcpClosed { .. }
                | NodeEvent::TcpReceived { .. }
                | NodeEvent::TcpFinished { .. }
                | NodeEvent::TcpWritable { .. }
                | NodeEvent::ServiceAccepted { .. },
            )
            | WorldEventKind::Cut { .. }
            | WorldEventKind::Healed { .. }
            | WorldEventKind::Livelock { .. } => false,
        }
    }

    /// Lets a world that is still coming up come up.
    fn settle(&mut self) {
        let end = self.world.now() + CASE_TIME_MAX;
        while !self.is_settled() && self.expected.is_some() && self.world.now() < end {
            let next = self.world.now() + LOOK;
            self.world.run_until(next);
            while let Some(event) = self.world.poll_event() {
                self.follow(&event);
            }
            if self.is_settled() {
                // The last session's routes have a second to get everywhere.
                let next = self.world.now() + Duration::from_secs(1);
                self.world.run_until(next);
                while let Some(event) = self.world.poll_event() {
                    self.follow(&event);
                }
            }
        }
    }
}

/// The ends of sessions that are up once a world under its cuts has settled; `None` when the solver
/// cannot tell.
fn expected_sessions(world: &World) -> Option<BTreeSet<SessionId>> {
    let tables = solve(&world.faulty_blueprint(), &failures(world)?);
    let up = |(id, verdict): (&SessionId, &SessionVerdict)| {
        (*verdict == SessionVerdict::Up).then(|| id.clone())
    };
    tables
        .converged
        .then(|| tables.sessions.iter().filter_map(up).collect())
}

/// What is broken in a world, in the solver's terms; `None` when it has none for something (one-way cuts,
/// changed tags).
#[must_use]
pub fn failures(world: &World) -> Option<Failures> {
    let mut failures = Failures::none();
    for (element, mode) in world.faults() {
        let is_silent = match mode {
            CutMode::LinkDown | CutMode::Admin | CutMode::Session => false,
            CutMode::Silent => true,
            CutMode::OneWay { .. } => return None,
        };
        match element {
            Element::Node(node) if is_silent => failures.nodes_silent.insert(node.clone()),
            Element::Node(node) => failures.nodes_down.insert(node.clone()),
            Element::Link(link) if is_silent => failures.links_silent.insert(link.clone()),
            Element::Link(link) => failures.links_down.insert(link.clone()),
            Element::Port { node, port } => {
                let mut links = world.blueprint().links.iter();
                let (link, _) = links.find(|(_, link)| {
                    let on = |end: &skybridge_blueprint::Endpoint| {
                        end.node == *node && end.port == *port
                    };
                    on(&link.a) || on(&link.b)
                })?;
                if is_silent {
                    failures.links_silent.insert(link.clone())
                } else {
                    failures.links_down.insert(link.clone())
                }
            }
            Element::Circuit { link, s_tag } => failures.circuits.insert((link.clone(), *s_tag)),
            Element::Session {
                node,
                instance,
                peer,
            } => failures.sessions.insert(SessionId {
                node: node.clone(),
                instance: instance.clone(),
                peer: peer.clone(),
            }),
        };
    }
    let mut links = world.blueprint().links.keys();
    let retags = links.any(|link| {
        let state = world.link_state(link);
        state.is_some_and(|state| !state.tag_faults.is_empty())
    });
    (!retags).then_some(failures)
}
