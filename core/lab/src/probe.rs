//! Probes: echo requests and connections between hosts of the world, followed hop by hop.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use skybridge_blueprint::NodeName;
use skybridge_diagnose::Told;
use skybridge_nodes::{
    ConnectionId, DropReason, EchoFault, Hop, HopVerdict, HostCommand, NodeEvent,
};
use skybridge_world::{Command, World};

/// Ids that hosts give to connections of their services have this bit (see `NodeEvent::ServiceAccepted`).
const ACCEPTED: u64 = 1 << 63;
/// Hops kept per probe: more than any path without a loop has.
const HOPS_MAX: usize = 256;

/// What to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Packet {
    /// An echo request.
    Echo {
        payload_len: u16,
        dont_fragment: bool,
    },
    /// A TCP connection to a port, closed when established.
    Tcp(u16),
}

/// A probe to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ProbeSpec {
    pub(crate) from: NodeName,
    pub(crate) to: IpAddr,
    pub(crate) packet: Packet,
    pub(crate) sequence: u16,
    pub(crate) timeout: Duration,
    /// Decided by the first drop of its packets, without waiting for the timeout.
    pub(crate) stop_at_drop: bool,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Answered.
    Answered { rtt: Duration, ttl: Option<u8> },
    /// Reached the host, which refused the connection.
    Refused,
    /// Not answered: why. `unknown`: something not known could have changed it.
    Failed { why: String, unknown: bool },
}

/// A finished probe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    pub(crate) hops: Vec<(NodeName, Hop)>,
    /// The ICMP error that ended it.
    pub(crate) told: Option<Told>,
    /// The world's clock slipped while it was under way: its time says nothing.
    pub(crate) void: bool,
}

/// Names a probe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ProbeId(u64);

#[derive(Debug)]
struct Flight {
    spec: ProbeSpec,
    /// Slips of the clock before it was sent.
    slips: u64,
    trace: u32,
    hops: Vec<(NodeName, Hop)>,
    told: Option<Told>,
}

/// All probes under way.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    next: u64,
    slips: u64,
    flights: BTreeMap<ProbeId, Flight>,
    traces: BTreeMap<u32, ProbeId>,
    finished: BTreeMap<ProbeId, Finished>,
}

impl Probes {
    /// Sends a probe.
    pub(crate) fn send(&mut self, world: &mut World, spec: ProbeSpec) -> ProbeId {
        self.next += 1;
        let id = ProbeId(self.next);
        // Identities of probes wrap after four billion; none lives as long.
        let trace = u32::try_from(self.next % u64::from(u32::MAX)).unwrap_or(0) + 1;
        let command = match spec.packet {
            Packet::Echo {
                payload_len,
                dont_fragment,
            } => HostCommand::Echo {
                id: ConnectionId(id.0),
                sequence: spec.sequence,
                target: spec.to,
                ttl: 64,
                payload_len,
                dont_fragment,
                timeout: spec.timeout,
                trace,
            },
            Packet::Tcp(port) => HostCommand::TcpConnect {
                id: ConnectionId(id.0),
                target: spec.to,
                port,
                timeout: spec.timeout,
                trace,
            },
        };
        let node = spec.from.clone();
        let sent = world.command(Command::Host { node, command });
        self.traces.insert(trace, id);
        self.flights.insert(
            id,
            Flight {
                spec,
                slips: self.slips,
                trace,
                hops: Vec::new(),
                told: None,
            },
        );
        if let Err(error) = sent {
            self.finish(
                id,
                Outcome::Failed {
                    why: error.to_string(),
                    unknown: false,
                },
            );
        }
        id
    }

    /// The world's clock slipped: what is under way is timed in vain.
    pub(crate) const fn note_slip(&mut self) {
        self.slips += 1;
    }

    /// The result, once there is one.
    pub(crate) fn take(&mut self, id: ProbeId) -> Option<Finished> {
        self.finished.remove(&id)
    }

    /// Looks at an event of a node. True when it was a probe's.
    pub(crate) fn on_event(
        &mut self,
        world: &mut World,
        node: &NodeName,
        event: &NodeEvent,
    ) -> bool {
        match event {
            NodeEvent::Hop(hop) => self.on_hop(node, hop),
            NodeEvent::EchoReply { id, rtt, ttl, .. } => self.finish_command(
                *id,
                Outcome::Answered {
                    rtt: *rtt,
                    ttl: Some(*ttl),
                },
            ),
            NodeEvent::EchoFailed { id, fault, .. } => {
                if let Some(flight) = self.flights.get_mut(&ProbeId(id.0)) {
                    flight.told = told(fault);
                }
                let outcome = self.explain_fault(ProbeId(id.0), fault);
                self.finish_command(*id, outcome)
            }
            NodeEvent::TcpConnected { id, rtt } => {
                let known = self.finish_command(
                    *id,
                    Outcome::Answered {
                        rtt: *rtt,
                        ttl: None,
                    },
                );
                if known {
                    let close = Command::Host {
                        node: node.clone(),
                        command: HostCommand::TcpAbort { id: *id },
                    };
                    // The host may have stopped meanwhile; then there is nothing to close.
                    let _stopped = world.command(close).err();
                }
                known
            }
            NodeEvent::TcpClosed { id, reason } => {
                let outcome = if *reason == "refused" {
                    Outcome::Refused
                } else {
                    self.failure(ProbeId(id.0), &format!("TCP: {reason}"))
                };
                self.finish_command(*id, outcome)
            }
            NodeEvent::Bgp { .. }
            | NodeEvent::Bfd { .. }
            | NodeEvent::Route { .. }
            | NodeEvent::DuplicateAddress { .. }
            | NodeEvent::TcpReceived { .. }
            | NodeEvent::TcpFinished { .. }
            | NodeEvent::TcpWritable { .. }
            | NodeEvent::ServiceAccepted { .. } => false,
        }
    }

    fn on_hop(&mut self, node: &NodeName, hop: &Hop) -> bool {
        let Some(id) = self.traces.get(&hop.trace).copied() else {
            return true;
        };
        let Some(flight) = self.flights.get_mut(&id) else {
            return true;
        };
        if flight.hops.len() < HOPS_MAX {
            flight.hops.push((node.clone(), hop.clone()));
        }
        // A host without a listener answers that itself: the packet has reached it.
        let is_lost = matches!(&hop.verdict, HopVerdict::Dropped { reason, .. }
            if *reason != DropReason::NoListener);
        if flight.spec.stop_at_drop && is_lost {
            let outcome = self.failure(id, "no reply");
            self.finish(id, outcome);
        }
        true
    }

    fn finish_command(&mut self, id: ConnectionId, outcome: Outcome) -> bool {
        if id.0 & ACCEPTED != 0 {
            return false;
        }
        let id = ProbeId(id.0);
        if !self.flights.contains_key(&id) {
            // A probe that was decided before its host gave up.
            return id.0 <= self.next;
        }
        self.finish(id, outcome);
        true
    }

    fn finish(&mut self, id: ProbeId, outcome: Outcome) {
        if let Some(flight) = self.flights.remove(&id) {
            self.traces.remove(&flight.trace);
            let finished = Finished {
                outcome,
                hops: flight.hops,
                told: flight.told,
                void: flight.slips != self.slips,
            };
            self.finished.insert(id, finished);
        }
    }

    fn explain_fault(&self, id: ProbeId, fault: &EchoFault) -> Outcome {
        match fault {
            EchoFault::Timeout => self.failure(id, "no reply"),
            EchoFault::Icmp {
                from,
                icmp_type,
                code,
                mtu,
            } => {
                let what = match (icmp_type, code, mtu) {
                    (3, 4, Some(mtu)) => format!("fragmentation needed, MTU {mtu}"),
                    (3, code, _) => format!("unreachable (code {code})"),
                    (11, _, _) => "time to live exceeded".to_owned(),
                    (icmp_type, code, _) => format!("ICMP type {icmp_type} code {code}"),
                };
                self.failure(id, &format!("{what}, says {from}"))
            }
            EchoFault::Unsendable(reason) => self.failure(id, &format!("not sent: {reason:?}")),
        }
    }

    /// A failure in words: the drop that was seen, else `otherwise`.
    fn failure(&self, id: ProbeId, otherwise: &str) -> Outcome {
        let hops = self.flights.get(&id).map_or(&[][..], |f| &f.hops);
        let drop = hops
            .iter()
            .rev()
            .find_map(|(node, hop)| match &hop.verdict {
                HopVerdict::Dropped {
                    reason,
                    detail,
                    unknown,
                } => Some((node, reason, detail, *unknown)),
                HopVerdict::Forwarded { .. } | HopVerdict::Delivered => None,
            });
        let flight = self.flights.get(&id);
        let is_public = flight.is_some_and(|flight| is_public(flight.spec.to));
        match drop {
            // What is out there is not in the lab: it may well answer.
            Some((node, reason, detail, unknown)) => Outcome::Failed {
                why: drop_words(node, *reason, detail),
                unknown: unknown || (leads_out(*reason) && is_public),
            },
            None => {
                let last = hops
                    .last()
                    .map(|(node, _)| format!(", last seen at {node}"));
                Outcome::Failed {
                    why: format!("{otherwise}{}", last.unwrap_or_default()),
                    unknown: false,
                }
            }
        }
    }
}

/// True for drops on the way to the internet or to the cloud's own services.
const fn leads_out(reason: DropReason) -> bool {
    matches!(
        reason,
        DropReason::RouteInternet | DropReason::RouteServices
    )
}

/// True for addresses that the internet or a cloud's services may have: not private, shared, local or reserved ones.
const fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && b & 0xc0 == 64;
            let is_special = v4.is_private() || v4.is_link_local() || v4.is_loopback();
            !(is_shared || is_special || a == 0 || a >= 224)
        }
        // RFC 4291 §2.4: global unicast is what is none of the others; 2000::/3 is what is given out.
        IpAddr::V6(v6) => v6.segments()[0] & 0xe000 == 0x2000,
    }
}

fn told(fault: &EchoFault) -> Option<Told> {
    match fault {
        EchoFault::Icmp {
            from,
            icmp_type,
            code,
            ..
        } => Some(Told {
            from: *from,
            icmp_type: *icmp_type,
            code: *code,
        }),
        EchoFault::Timeout | EchoFault::Unsendable(_) => None,
    }
}

/// A drop in words: `no route at drg/x (…)`.
pub(crate) fn drop_words(node: &NodeName, reason: DropReason, detail: &str) -> String {
    let reason = reason_words(&format!("{reason:?}"));
    if detail.is_empty() {
        format!("{reason} at {node}")
    } else {
        format!("{reason} at {node} ({detail})")
    }
}

/// `FilterDenied` as `filter denied`.
pub(crate) fn reason_words(camel: &str) -> String {
    let mut words = String::new();
    for (index, letter) in camel.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}
