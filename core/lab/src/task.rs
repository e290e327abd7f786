//! Requests answered while the network runs: at once, or when probes have come back.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use skybridge_base::{Deadline, Instant};
use skybridge_blueprint::NodeName;
use skybridge_verify::Pair;

use crate::diagnose::Watch;
use crate::document::{ErrorDocument, PingReply, PingReport};
use crate::lab::Lab;
use crate::output::ClientId;
use crate::probe::{Finished, Outcome, Packet, ProbeId, ProbeSpec};
use crate::request::{Request, Response};
use crate::simulation::{Failover, SimulationJob};
use crate::{capture, explain, faults, forward, names, provider, show, trace};

/// Requests under way at once.
const TASKS_MAX: usize = 64;
/// Most echo requests of one `ping`.
const COUNT_MAX: u16 = 10_000;
/// How long an echo request waits.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Requests that wait for probes.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: VecDeque<(ClientId, Task)>,
}

#[derive(Debug)]
enum Task {
    Ping(Ping),
    Trace {
        from: NodeName,
        to: String,
        probe: ProbeId,
    },
    Diagnose(Box<Watch>),
}

#[derive(Debug)]
struct Ping {
    spec: ProbeSpec,
    to: String,
    count: u16,
    interval: Duration,
    next_at: Instant,
    probe: Option<ProbeId>,
    /// Slips of the clock before the first.
    slips: u64,
    replies: Vec<PingReply>,
}

impl Tasks {
    /// What a client that has gone waited for.
    pub(crate) fn forget(&mut self, client: ClientId) {
        self.running.retain_mut(|(c, task)| match task {
            // It has captures to end.
            Task::Diagnose(watch) => {
                watch.is_abandoned |= *c == client;
                true
            }
            Task::Ping(_) | Task::Trace { .. } => *c != client,
        });
    }

    /// Takes over what was begun elsewhere.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        self.running.append(&mut other.running);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let next = self.running.iter().filter_map(|(_, task)| match task {
            Task::Ping(ping) if ping.probe.is_none() => Some(ping.next_at),
            Task::Diagnose(watch) => Some(watch.next_at()),
            Task::Ping(_) | Task::Trace { .. } => None,
        });
        next.min().map(|at| Deadline::new(at, "ping interval"))
    }

    /// Moves every task on; the answers of those that are through.
    pub(crate) fn pump(&mut self, lab: &mut Lab) -> Vec<(ClientId, Response)> {
        let mut answers = Vec::new();
        for (client, mut task) in std::mem::take(&mut self.running) {
            let answer = match &mut task {
                Task::Ping(ping) => ping.pump(lab).map(Response::Ping),
                Task::Trace { from, to, probe } => (lab.probes.take(*probe))
                    .map(|done| Response::Trace(trace::report(lab, from, to, &done))),
                Task::Diagnose(watch) => {
                    let found = watch.pump(lab);
                    if found.is_some() && watch.is_abandoned {
                        continue;
                    }
                    found.map(|found| Response::Diagnosis(Box::new(found)))
                }
            };
            match answer {
                Some(answer) => answers.push((client, answer)),
                None => self.running.push_back((client, task)),
            }
        }
        answers
    }
}

impl Ping {
    fn pump(&mut self, lab: &mut Lab) -> Option<PingReport> {
        if let Some(probe) = self.probe {
            let finished = lab.probes.take(probe)?;
            self.probe = None;
            let sequence = u16::try_from(self.replies.len() + 1).unwrap_or(u16::MAX);
            self.replies.push(reply(sequence, &finished));
            self.next_at = self.next_at.max(lab.now);
        }
        if self.replies.len() >= usize::from(self.count) {
            return Some(self.report(lab));
        }
        if lab.now >= self.next_at {
            self.spec.sequence = u16::try_from(self.replies.len() + 1).unwrap_or(u16::MAX);
            self.next_at = lab.now + self.interval;
            self.probe = Some(lab.probes.send(&mut lab.network.world, self.spec.clone()));
        }
        None
    }

    fn report(&self, lab: &Lab) -> PingReport {
        let received = self.replies.iter().filter(|r| r.error.is_none()).count();
        PingReport {
            from: self.spec.from.to_string(),
            to: self.to.clone(),
            address: self.spec.to.to_string(),
            sent: u32::from(self.count),
            received: u32::try_from(received).unwrap_or(u32::MAX),
            replies: self.replies.clone(),
            clock_slips: lab.slips - self.slips,
            note: "times are emulator overhead where no link delay was declared".to_owned(),
        }
    }
}

fn reply(sequence: u16, finished: &Finished) -> PingReply {
    match &finished.outcome {
        Outcome::Answered { rtt, ttl } => PingReply {
            sequence,
            rtt_us: (!finished.void).then(|| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
            void: finished.void,
            ttl: *ttl,
            error: None,
        },
        Outcome::Refused => PingReply {
            sequence,
            rtt_us: None,
            void: finished.void,
            ttl: None,
            error: Some("refused".to_owned()),
        },
        Outcome::Failed { why, .. } => PingReply {
            sequence,
            rtt_us: None,
            void: finished.void,
            ttl: None,
            error: Some(why.clone()),
        },
    }
}

/// Answers at once, or begins a task and answers later (`None`).
pub(crate) fn answer(
    lab: &mut Lab,
    client: ClientId,
    request: Request,
) -> Result<Option<Response>, ErrorDocument> {
    match request {
        Request::Show(table) => show::show(lab, &table).map(Some),
        Request::Explain { prefix, at } => {
            explain::explain(lab, &prefix, &at).map(|e| Some(Response::Explain(e)))
        }
        Request::Diagnose { from, to, tcp } => {
            has_room(lab)?;
            let watch = Watch::new(lab, &from, &to, tcp)?;
            begin(lab, client, Task::Diagnose(Box::new(watch)))
        }
        Request::Failover { from, to } => failover(lab, client, &from, &to).map(|()| None),
        Request::Cut {
            element,
            mode,
            towards,
        } => faults::cut(lab, &element, mode, towards.as_deref()).map(|r| Some(Response::Fault(r))),
        Request::Heal { element } => {
            faults::heal(lab, element.as_deref()).map(|r| Some(Response::Fault(r)))
        }
        Request::Provider(order) => provider::answer(lab, client, &order),
        Request::Ping {
            from,
            to,
            count,
            size,
            dont_fragment,
            interval_ms,
        } => {
            let packet = Packet::Echo {
                payload_len: size,
                dont_fragment,
            };
            let ping = Ping {
                spec: probe(lab, &from, &to, packet)?,
                to,
                count: count.clamp(1, COUNT_MAX),
                interval: Duration::from_millis(interval_ms),
                next_at: lab.now,
                probe: None,
                slips: lab.slips,
                replies: Vec::new(),
            };
            begin(lab, client, Task::Ping(ping))
        }
        Request::Trace { from, to, tcp } => {
            let packet = tcp.map_or(
                Packet::Echo {
                    payload_len: 56,
                    dont_fragment: true,
                },
                Packet::Tcp,
            );
            let spec = ProbeSpec {
                stop_at_drop: true,
                ..probe(lab, &from, &to, packet)?
            };
            let from = spec.from.clone();
            let probe = lab.probes.send(&mut lab.network.world, spec);
            begin(lab, client, Task::Trace { from, to, probe })
        }
        Request::Capture {
            point,
            count,
            duration_ms,
        } => capture::begin(lab, client, &point, (count, duration_ms)).map(|()| None),
        Request::Forward(order) => forward::answer(lab, client, order),
        Request::Status
        | Request::Up(_)
        | Request::Plan(_)
        | Request::Outputs { .. }
        | Request::Down { .. }
        | Request::Enter { .. }
        | Request::Stop => Ok(None),
    }
}

/// Has what each failure costs two hosts measured on a twin; the answer comes with its result.
fn failover(lab: &mut Lab, client: ClientId, from: &str, to: &str) -> Result<(), ErrorDocument> {
    let from = names::host(lab, from)?;
    let (to, address) = names::host_at(lab, to)?;
    let sessions = show::sessions::bfd(lab);
    let up = sessions.iter().filter(|row| row.state == "up");
    let job = Failover {
        log: lab.network.world.log().clone(),
        at: lab.network.world.now(),
        pair: Pair { from, to, address },
        bfd_sessions_up: u32::try_from(up.count()).unwrap_or(u32::MAX),
    };
    lab.simulate(SimulationJob::failover(client, job));
    Ok(())
}

fn begin(lab: &mut Lab, client: ClientId, task: Task) -> Result<Option<Response>, ErrorDocument> {
    has_room(lab)?;
    lab.tasks_mut().running.push_back((client, task));
    Ok(None)
}

fn has_room(lab: &mut Lab) -> Result<(), ErrorDocument> {
    if lab.tasks_mut().running.len() < TASKS_MAX {
        return Ok(());
    }
    Err(ErrorDocument {
        message: format!("{TASKS_MAX} pings, traces and diagnoses are under way already"),
        help: Some("wait for one of them to end".to_owned()),
        diagnostics: Vec::new(),
    })
}

fn probe(lab: &Lab, from: &str, to: &str, packet: Packet) -> Result<ProbeSpec, ErrorDocument> {
    let from = names::host(lab, from)?;
    let to: IpAddr = match to.parse() {
        Ok(address) => address,
        Err(_) => names::host_at(lab, to)?.1,
    };
    Ok(ProbeSpec {
        from,
        to,
        packet,
        sequence: 1,
        timeout: TIMEOUT,
        stop_at_drop: false,
    })
}
