//! Probes: who is asked how often, and what their answers say about loss.

use std::collections::BTreeMap;
use std::time::Duration;

use skybridge_base::Instant;
use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent};
use skybridge_world::{Command, World, WorldEvent, WorldEventKind};

use crate::claim::Pair;

/// Flows per pair. A way that one in two flows takes is missed once in 32,000 cases.
pub const FLOWS: usize = 16;

/// Connections per round where a pair is probed by TCP: each round takes fresh ports, hence fresh ways.
const TCP_FLOWS: usize = 4;

/// The shortest interval between two probes of a flow.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(10);

/// Flows that are probed at [`PROBE_INTERVAL`]; twice as many are probed half as often.
pub const FLOWS_AT_FULL_RATE: usize = 64;

/// After this time without an answer a probe is lost, when nothing is known about the path.
const PATIENCE_MAX: Duration = Duration::from_secs(1);

/// The least patience: a neighbour may have to be resolved on the way.
const PATIENCE_MIN: Duration = Duration::from_millis(100);

/// Patience in round-trip times.
const PATIENCE_RTTS: u32 = 10;

/// Intervals of ICMP probes between two probes by TCP.
const TCP_INTERVALS: u32 = 5;

/// Ids of probes have this bit, which no command of a user has (they count from zero).
const PROBE_IDS: u64 = 1 << 62;

/// Who is probed, and how.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Target {
    pub(crate) pair: Pair,
    /// TCP port; `None` is an ICMP echo.
    pub(crate) tcp: Option<u16>,
}

/// Probes of one series that were sent together.
#[derive(Clone, Copy, Debug)]
struct Round {
    sent_at: Instant,
    /// Time since the round before.
    interval: Duration,
    sent: u8,
    answered: u8,
    lost: u8,
}

/// Probes whose fates are judged together, by round in the order of time.
#[derive(Clone, Default, Debug)]
struct Series {
    rounds: Vec<Round>,
}

impl Series {
    /// A connection that fails alone, with every other one around it accepted, met the remains of an
    /// earlier one that was given up half open under the same port: as in the field, and no outage.
    fn is_lost(&self, at: usize) -> bool {
        let lost = |at: usize| self.rounds.get(at).is_some_and(|round| round.lost > 0);
        let Some(round) = self.rounds.get(at) else {
            return false;
        };
        let is_alone = round.sent > 1 && round.lost == 1;
        let has_company = lost(at + 1) || at.checked_sub(1).is_some_and(lost);
        round.lost > 0 && (!is_alone || has_company)
    }

    fn is_answered(&self, at: usize) -> bool {
        let answered = self.rounds.get(at).is_some_and(|round| round.answered > 0);
        answered && !self.is_lost(at)
    }

    /// The rounds since `since`, the latest first.
    fn since(&self, since: Instant) -> impl Iterator<Item = usize> + '_ {
        let rounds = self.rounds.iter().enumerate().rev();
        rounds
            .take_while(move |(_, round)| round.sent_at >= since)
            .map(|(at, _)| at)
    }

    fn is_healthy_since(&self, since: Instant) -> bool {
        let mut answered = false;
        for at in self.since(since) {
            if self.is_lost(at) {
                return false;
            }
            answered |= self.is_answered(at);
        }
        answered
    }

    fn is_dead_since(&self, since: Instant) -> bool {
        let mut lost = false;
        for at in self.since(since) {
            if self.rounds[at].answered > 0 {
                return false;
            }
            lost |= self.is_lost(at);
        }
        lost
    }

    fn fate(&self, end: Instant) -> Fate {
        let all = 0..self.rounds.len();
        let lost: Vec<usize> = all.clone().filter(|at| self.is_lost(*at)).collect();
        let after = lost.last().map_or(0, |last| last + 1);
        let mut run = all.skip(after).filter(|at| self.is_answered(*at));
        let run = run.next().map(|at| self.rounds[at]);
        let first_lost = lost.first().map(|at| self.rounds[*at].sent_at);
        let until = run.map_or(end, |round| round.sent_at);
        Fate {
            loss: first_lost.map_or(Duration::ZERO, |lost| until.since(lost)),
            resolution: match (first_lost, run) {
                (Some(_), Some(round)) => round.interval,
                (None, _) | (_, None) => Duration::ZERO,
            },
            recovered_at: run.map(|round| round.sent_at),
            answered: self.rounds.iter().any(|round| round.answered > 0),
        }
    }
}

/// How a target fared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fate {
    /// From the first lost probe to the final run; to the end when there is none.
    pub(crate) loss: Duration,
    /// How much too large that may be.
    pub(crate) resolution: Duration,
    /// When the final run began; `None` when traffic did not flow at the end.
    pub(crate) recovered_at: Option<Instant>,
    /// Some probe was answered.
    pub(crate) answered: bool,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    target: usize,
    series: usize,
    round: usize,
}

/// Sends probes into a twin and judges their answers.
#[derive(Debug)]
pub(crate) struct Prober<'a> {
    targets: &'a [Target],
    patience: Duration,
    pending: BTreeMap<(ConnectionId, u16), Pending>,
    series: Vec<Vec<Series>>,
    sent: u64,
    sequence: u16,
    longest_rtt: Option<Duration>,
}

impl<'a> Prober<'a> {
    pub(crate) fn new(targets: &'a [Target]) -> Self {
        // Connections of a host take whatever port is free, hence any path: they are one series.
        let series = targets.iter().map(|target| {
            let count = if target.tcp.is_some() { 1 } else { FLOWS };
            vec![Series::default(); count]
        });
        Self {
            targets,
            patience: PATIENCE_MAX,
            pending: BTreeMap::new(),
            series: series.collect(),
            sent: 0,
            sequence: 0,
            longest_rtt: None,
        }
    }

    /// The factor by which all intervals are stretched.
    pub(crate) fn stretch(&self) -> u32 {
        let flows = self.targets.len() * FLOWS;
        u32::try_from(flows.div_ceil(FLOWS_AT_FULL_RATE))
            .unwrap_or(u32::MAX)
            .max(1)
    }

    /// Forgets what was measured, and fits the patience to the round-trip times seen.
    pub(crate) fn begin(&mut self) {
        for series in self.series.iter_mut().flatten() {
            *series = Series::default();
        }
        self.pending.clear();
        if let Some(rtt) = self.longest_rtt {
            let patience = rtt * PATIENCE_RTTS;
            self.patience = patience.clamp(PATIENCE_MIN, PATIENCE_MAX);
        }
    }

    /// Probes every flow of every target once; those by TCP only when their last probe is
    /// [`TCP_INTERVALS`] times `interval` ago, since each leaves something behind in hosts.
    pub(crate) fn send_round(&mut self, world: &mut World, interval: Duration) {
        self.sequence = self.sequence.wrapping_add(1);
        let targets = self.targets;
        for (at, target) in targets.iter().enumerate() {
            if target.tcp.is_some() {
                let last = self.series[at][0].rounds.last();
                let age = last.map(|round| world.now().since(round.sent_at));
                if age.is_none_or(|age| age >= interval * TCP_INTERVALS) {
                    for _ in 0..TCP_FLOWS {
                        self.send(world, (at, target), 0, (1 << 32) + self.sent);
                    }
                }
            } else {
                for flow in 0..FLOWS {
                    let number = u64::try_from(at * FLOWS + flow).unwrap_or(u64::MAX);
                    self.send(world, (at, target), flow, number);
                }
            }
        }
    }

    fn send(
        &mut self,
        world: &mut World,
        (at, target): (usize, &Target),
        series: usize,
        number: u64,
    ) {
        self.sent += 1;
        let id = ConnectionId(PROBE_IDS | number);
        let now = world.now();
        let rounds = &mut self.series[at][series].rounds;
        let interval = match rounds.last_mut() {
            Some(round) if round.sent_at == now => {
                round.sent += 1;
                None
            }
            Some(round) => Some(now.since(round.sent_at)),
            None => Some(Duration::ZERO),
        };
        if let Some(interval) = interval {
            rounds.push(Round {
                sent_at: now,
                interval,
                sent: 1,
                answered: 0,
                lost: 0,
            });
        }
        let round = rounds.len() - 1;
        let pending = Pending {
            target: at,
            series,
            round,
        };
        let key = self.key(target, id);
        self.pending.insert(key, pending);
        let command = Command::Host {
            node: target.pair.from.clone(),
            command: self.command(target, id),
        };
        if world.command(command).is_err() {
            self.pending.remove(&key);
            self.series[at][series].rounds[round].lost += 1;
        }
    }

    const fn key(&self, target: &Target, id: ConnectionId) -> (ConnectionId, u16) {
        match target.tcp {
            Some(_) => (id, 0),
            None => (id, self.sequence),
        }
    }

    fn command(&self, target: &Target, id: ConnectionId) -> HostCommand {
        match target.tcp {
            Some(port) => HostCommand::TcpConnect {
                id,
                target: target.pair.address,
                port,
                timeout: self.patience,
                trace: 0,
            },
            None => HostCommand::Echo {
                id,
                sequence: self.sequence,
                target: target.pair.address,
                ttl: 64,
                payload_len: 16,
                dont_fragment: true,
                timeout: self.patience,
                trace: 0,
            },
        }
    }

    /// Takes an event of the twin. True when it was about a probe.
    pub(crate) fn follow(&mut self, world: &mut World, event: &WorldEvent) -> bool {
        let WorldEventKind::Node(event) = &event.kind else {
            return false;
        };
        let (id, sequence, rtt) = match event {
            NodeEvent::EchoReply {
                id, sequence, rtt, ..
            } => (*id, *sequence, Some(*rtt)),
            NodeEvent::EchoFailed { id, sequence, .. } => (*id, *sequence, None),
            NodeEvent::TcpConnected { id, rtt } => (*id, 0, Some(*rtt)),
            NodeEvent::TcpClosed { id, .. } => (*id, 0, None),
            NodeEvent::Bgp { .. }
            | NodeEvent::Bfd { .. }
            | NodeEvent::Route { .. }
            | NodeEvent::DuplicateAddress { .. }
            | NodeEvent::Hop(_)
            | NodeEvent::TcpReceived { .. }
            | NodeEvent::TcpFinished { .. }
            | NodeEvent::TcpWritable { .. }
            | NodeEvent::ServiceAccepted { .. } => return false,
        };
        let Some(pending) = self.pending.remove(&(id, sequence)) else {
            return id.0 & PROBE_IDS != 0;
        };
        let round = &mut self.series[pending.target][pending.series].rounds[pending.round];
        match rtt {
            Some(rtt) => {
                self.longest_rtt = self.longest_rtt.max(Some(rtt));
                round.answered += 1;
            }
            None => round.lost += 1,
        }
        let target = &self.targets[pending.target];
        if rtt.is_some() && target.tcp.is_some() {
            let command = Command::Host {
                node: target.pair.from.clone(),
                command: HostCommand::TcpAbort { id },
            };
            // The host answered, so it runs; were it gone, so would be the connection.
            drop(world.command(command));
        }
        true
    }

    /// How long an answer is waited for.
    pub(crate) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Every probe has been answered or given up.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Nothing was lost since `since`, and of every series something sent since was answered.
    pub(crate) fn is_healthy_since(&self, since: Instant) -> bool {
        let mut all = self.series.iter().flatten();
        all.all(|series| series.is_healthy_since(since))
    }

    /// Since `since`, each series was either always answered or never.
    pub(crate) fn is_steady_since(&self, since: Instant) -> bool {
        let mut all = self.series.iter().flatten();
        all.all(|series| series.is_healthy_since(since) || series.is_dead_since(since))
    }

    /// How the target fared until `end`: as its worst series.
    pub(crate) fn fate(&self, target: usize, end: Instant) -> Fate {
        let fates = self.series[target].iter().map(|series| series.fate(end));
        let worst = fates.reduce(|a, b| {
            let answered = a.answered || b.answered;
            let key = |fate: &Fate| (fate.recovered_at.is_none(), fate.loss);
            let worse = if key(&b) > key(&a) { b } else { a };
            Fate { answered, ..worse }
        });
        worst.expect("each target has a series")
    }
}
