//! Probes: who is asked how often, and what their answers say about loss.

use std::collections::BTreeMap;
use std::time::Duration;

use skybridge_base::Instant;
use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent};
use skybridge_world::{Command, World, WorldEvent, WorldEventKind};

use crate::claim::Pair;

/// Flows per pair.
pub const FLOWS: usize = 4;

/// The shortest interval between two probes of a flow.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(10);

/// Flows that are probed at [`PROBE_INTERVAL`]; twice as many are probed half as often.
pub const FLOWS_AT_FULL_RATE: usize = 32;

/// After this time without an answer a probe is lost, when nothing is known about the path.
const PATIENCE_MAX: Duration = Duration::from_secs(1);

/// The least patience: a neighbour may have to be resolved on the way.
const PATIENCE_MIN: Duration = Duration::from_millis(100);

/// Patience in round-trip times.
const PATIENCE_RTTS: u32 = 10;

/// Ids of probes have this bit, which no command of a user has (they count from zero).
const PROBE_IDS: u64 = 1 << 62;

/// Who is probed, and how.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Target {
    pub(crate) pair: Pair,
    /// TCP port; `None` is an ICMP echo.
    pub(crate) tcp: Option<u16>,
}

/// What the answers of one series of probes say.
#[derive(Clone, Default, Debug)]
struct Series {
    first_lost: Option<Instant>,
    last_lost: Option<Instant>,
    /// When the answered probes after the last lost one were sent, each with the interval before it.
    answered: BTreeMap<Instant, Duration>,
    pub(crate) answers: u64,
}

impl Series {
    fn on_answer(&mut self, sent_at: Instant, interval: Duration) {
        self.answers += 1;
        if self.last_lost.is_none_or(|lost| lost < sent_at) {
            self.answered.insert(sent_at, interval);
        }
    }

    fn on_loss(&mut self, sent_at: Instant) {
        let first = self.first_lost.unwrap_or(sent_at);
        self.first_lost = Some(first.min(sent_at));
        if self.last_lost.is_none_or(|lost| lost < sent_at) {
            self.last_lost = Some(sent_at);
            self.answered = self.answered.split_off(&sent_at);
            self.answered.remove(&sent_at);
        }
    }

    /// The first probe of the final unbroken run.
    fn first_of_run(&self) -> Option<(Instant, Duration)> {
        let (at, interval) = self.answered.first_key_value()?;
        Some((*at, *interval))
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
    sent_at: Instant,
    interval: Duration,
}

/// Sends probes into a twin and judges their answers.
#[derive(Debug)]
pub(crate) struct Prober<'a> {
    targets: &'a [Target],
    patience: Duration,
    pending: BTreeMap<(ConnectionId, u16), Pending>,
    series: Vec<Vec<Series>>,
    sent: u64,
    round: u16,
    last_round_at: Option<Instant>,
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
            round: 0,
            last_round_at: None,
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
        self.last_round_at = None;
    }

    /// Probes every flow of every target once.
    pub(crate) fn send_round(&mut self, world: &mut World) {
        let now = world.now();
        self.round = self.round.wrapping_add(1);
        let interval = self
            .last_round_at
            .map_or(Duration::ZERO, |at| now.since(at));
        self.last_round_at = Some(now);
        let targets = self.targets;
        for (at, target) in targets.iter().enumerate() {
            for flow in 0..FLOWS {
                let series = if target.tcp.is_some() { 0 } else { flow };
                let number = match target.tcp {
                    Some(_) => (1 << 32) + self.sent,
                    None => u64::try_from(at * FLOWS + flow).unwrap_or(u64::MAX),
                };
                self.sent += 1;
                let id = ConnectionId(PROBE_IDS | number);
                let pending = Pending {
                    target: at,
                    series,
                    sent_at: now,
                    interval,
                };
                let key = self.key(target, id);
                self.pending.insert(key, pending);
                let command = Command::Host {
                    node: target.pair.from.clone(),
                    command: self.command(target, id),
                };
                if world.command(command).is_err() {
                    self.pending.remove(&key);
                    self.series[at][series].on_loss(now);
                }
            }
        }
    }

    const fn key(&self, target: &Target, id: ConnectionId) -> (ConnectionId, u16) {
        match target.tcp {
            Some(_) => (id, 0),
            None => (id, self.round),
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
                sequence: self.round,
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
            | NodeEvent::TcpWritable { .. }
            | NodeEvent::ServiceAccepted { .. } => return false,
        };
        let Some(pending) = self.pending.remove(&(id, sequence)) else {
            return id.0 & PROBE_IDS != 0;
        };
        let series = &mut self.series[pending.target][pending.series];
        match rtt {
            Some(rtt) => {
                self.longest_rtt = self.longest_rtt.max(Some(rtt));
                series.on_answer(pending.sent_at, pending.interval);
            }
            None => series.on_loss(pending.sent_at),
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
        self.series.iter().flatten().all(|series| {
            series.last_lost.is_none_or(|lost| lost < since)
                && series
                    .answered
                    .last_key_value()
                    .is_some_and(|(at, _)| *at >= since)
        })
    }

    /// Since `since`, each series was either always answered or never.
    pub(crate) fn is_steady_since(&self, since: Instant) -> bool {
        self.series.iter().flatten().all(|series| {
            let is_lost_since = series.last_lost.is_some_and(|lost| lost >= since);
            let last_answer = series.answered.last_key_value().map(|(at, _)| *at);
            let is_answered_since = last_answer.is_some_and(|at| at >= since);
            match (is_lost_since, is_answered_since) {
                (false, true) => true,
                (true, false) => series.answered.is_empty(),
                (true, true) | (false, false) => false,
            }
        })
    }

    /// How the target fared until `end`.
    pub(crate) fn fate(&self, target: usize, end: Instant) -> Fate {
        let fate = |series: &Series| {
            let run = series.first_of_run();
            let until = run.map_or(end, |(at, _)| at);
            let loss = series.first_lost.map(|lost| until.since(lost));
            Fate {
                loss: loss.unwrap_or_default(),
                resolution: match (loss, run) {
                    (Some(_), Some((_, interval))) => interval,
                    (None, _) | (_, None) => Duration::ZERO,
                },
                recovered_at: run.map(|(at, _)| at),
                answered: series.answers > 0,
            }
        };
        let worst = self.series[target].iter().map(fate).reduce(|a, b| {
            let answered = a.answered || b.answered;
            let key = |fate: &Fate| (fate.recovered_at.is_none(), fate.loss);
            let worse = if key(&b) > key(&a) { b } else { a };
            Fate { answered, ..worse }
        });
        worst.expect("each target has a series")
    }
}
