//! Live checks: expectations and reachability on packets of the running world.
//!
//! While the network comes up, a check that should succeed is tried again until it does. Once everything
//! is settled one more failure decides. What must not be reachable is tried only then.

use std::net::IpAddr;
use std::time::Duration;

use skybridge_base::{Deadline, Instant};
use skybridge_blueprint::NodeName;
use skybridge_world::World;

use crate::document::Verdict;
use crate::probe::{Finished, Outcome, Packet, ProbeId, ProbeSpec, Probes};

/// Between two tries.
const RETRY: Duration = Duration::from_millis(10);
/// How long a probe waits for its answer.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait for a probe's result at all: its host has stopped when it never says.
const LOST: Duration = Duration::from_secs(3);
/// Quiet time after the last change of a route or session before the network counts as settled.
const QUIET: Duration = Duration::from_millis(30);
/// Checks under way at once.
const UNDER_WAY_MAX: usize = 512;

/// What a check is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// The expectation with this index.
    Expectation(usize),
    /// A row of the reachability table.
    Reachability,
}

/// One thing to try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Check {
    pub(crate) purpose: Purpose,
    pub(crate) from: NodeName,
    pub(crate) to: NodeName,
    pub(crate) address: IpAddr,
    pub(crate) packet: Packet,
    /// It should succeed.
    pub(crate) wanted: bool,
}

/// A decided check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Decided {
    pub(crate) reached: Verdict,
    pub(crate) rtt: Option<Duration>,
    pub(crate) why: String,
}

#[derive(Debug)]
enum State {
    Waiting(Instant),
    Running {
        id: ProbeId,
        since: Instant,
        last: bool,
    },
    Decided(Decided),
}

/// A set of checks being decided.
#[derive(Debug)]
pub(crate) struct Checks {
    items: Vec<(Check, State)>,
    /// When to give up waiting for the network to settle.
    settle_by: Instant,
    changed_at: Instant,
    pumped_at: Instant,
    settled: bool,
}

impl Checks {
    pub(crate) fn new(now: Instant, checks: Vec<Check>, patience: Duration) -> Self {
        Self {
            items: checks
                .into_iter()
                .map(|c| (c, State::Waiting(now)))
                .collect(),
            settle_by: now + patience,
            changed_at: now,
            pumped_at: now,
            settled: false,
        }
    }

    fn under_way(&self) -> usize {
        self.items
            .iter()
            .filter(|(_, s)| matches!(s, State::Running { .. }))
            .count()
    }

    /// True once nothing more is awaited.
    pub(crate) const fn is_settled(&self) -> bool {
        self.settled
    }

    /// A route or session changed.
    pub(crate) const fn note_change(&mut self, now: Instant) {
        self.changed_at = now;
    }

    pub(crate) fn is_done(&self) -> bool {
        self.items
            .iter()
            .all(|(_, s)| matches!(s, State::Decided(_)))
    }

    pub(crate) fn results(&self) -> impl Iterator<Item = (&Check, &Decided)> {
        self.items.iter().filter_map(|(check, state)| match state {
            State::Decided(decided) => Some((check, decided)),
            State::Waiting(_) | State::Running { .. } => None,
        })
    }

    /// Sends what is to be sent and takes in what is decided. `awaited_sessions_up`: every session that
    /// can come up has.
    pub(crate) fn pump(
        &mut self,
        now: Instant,
        world: &mut World,
        probes: &mut Probes,
        awaited_sessions_up: bool,
    ) {
        self.pumped_at = now;
        let quiet = now >= self.changed_at + QUIET;
        self.settled |= now >= self.settle_by || (awaited_sessions_up && quiet);
        let mut under_way = self.under_way();
        for (check, state) in &mut self.items {
            if let State::Running { id, since, last } = state {
                let finished = probes.take(*id).or_else(|| {
                    (now >= *since + LOST).then(|| Finished {
                        outcome: Outcome::Failed {
                            why: format!("{} says nothing", check.from),
                            unknown: false,
                        },
                        hops: Vec::new(),
                        told: None,
                        void: false,
                    })
                });
                if let Some(finished) = finished {
                    under_way -= 1;
                    *state = decide(now, check, finished, *last);
                }
            }
            let due =
                matches!(state, State::Waiting(at) if now >= *at) && (check.wanted || self.settled);
            if due && under_way < UNDER_WAY_MAX {
                under_way += 1;
                let id = probes.send(
                    world,
                    ProbeSpec {
                        from: check.from.clone(),
                        to: check.address,
                        packet: check.packet,
                        sequence: 1,
                        timeout: TIMEOUT,
                        stop_at_drop: true,
                    },
                );
                *state = State::Running {
                    id,
                    since: now,
                    last: self.settled,
                };
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        // While as many as may be are under way, the others wait for one of them and not for a time.
        let is_full = self.under_way() >= UNDER_WAY_MAX;
        let waiting = self
            .items
            .iter()
            .filter_map(|(check, state)| match state {
                State::Waiting(_) if is_full => None,
                State::Waiting(at) if check.wanted || self.settled => Some(*at),
                // Quiet comes first; if the sessions are not up by then, only they or the patience end it.
                State::Waiting(_) if self.changed_at + QUIET > self.pumped_at => {
                    Some(self.changed_at + QUIET)
                }
                State::Waiting(_) => Some(self.settle_by),
                State::Running { since, .. } => Some(*since + LOST),
                State::Decided(_) => None,
            })
            .min();
        waiting.map(|at| Deadline::new(at, "check"))
    }
}

fn decide(now: Instant, check: &Check, finished: Finished, last: bool) -> State {
    let doubtful = finished.hops.iter().find(|(_, hop)| hop.doubtful);
    let (reached, rtt, why) = match finished.outcome {
        Outcome::Answered { .. } | Outcome::Refused if doubtful.is_some() => {
            let node = doubtful.map_or("", |(node, _)| node.as_str());
            let why = format!("answered, but a rule at {node} that is not known could deny it");
            (Verdict::Unknown, None, why)
        }
        Outcome::Answered { .. } if finished.void => (
            Verdict::Holds,
            None,
            "answered; no time is given, since the world's clock slipped meanwhile".to_owned(),
        ),
        Outcome::Answered { rtt, .. } => (Verdict::Holds, Some(rtt), String::new()),
        Outcome::Refused => (
            Verdict::Holds,
            None,
            "the host answers; nothing listens on that port in the lab".to_owned(),
        ),
        Outcome::Failed { why, unknown: true } => (Verdict::Unknown, None, why),
        Outcome::Failed { why, .. } => (Verdict::Fails, None, why),
    };
    if reached != Verdict::Holds && check.wanted && !last {
        return State::Waiting(now + RETRY);
    }
    State::Decided(Decided { reached, rtt, why })
}
