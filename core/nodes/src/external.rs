//! Ports with a world outside: what passes between a link and a network namespace, router or device.
//!
//! An [`External`] has two ports: the one of its description, and [`OUTSIDE`]. What comes in at one leaves
//! at the other. A network namespace is also probed *from*: its node keeps an internal [`Host`] that shares the
//! namespace's station and addresses. That host sends what commands say and bridges services with a target;
//! it takes the answers to its own packets and leaves everything else, ARP requests included, to the
//! kernel. Both hear ARP replies.
//!
//! Limits: 64 traced packets whose answer is awaited, the oldest is forgotten.

use std::collections::{BTreeMap, VecDeque};

use skybridge_base::{Deadline, Instant};
use skybridge_blueprint::{
    self as blueprint, InterfaceName, NodeKind, NodeName, PortMode, PortName, ServiceKind, Tagging,
};
use skybridge_wire::{EtherType, EthernetView, FiveTuple, Frame, ethernet, flow};

use crate::{DropReason, Hop, HopVerdict, Host, HostCommand, Node, NodeEvent, Outbox, PortIndex};

/// The port of the description.
const LINK: PortIndex = PortIndex(0);
/// The side towards the world outside.
pub const OUTSIDE: PortIndex = PortIndex(1);
/// Traced packets whose answer is awaited.
const AWAITED_MAX: usize = 64;

/// What an external port counts.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ExternalCounters {
    /// Frames from the link to the world outside.
    pub frames_out: u64,
    /// Octets of those.
    pub octets_out: u64,
    /// Frames from the world outside to the link.
    pub frames_in: u64,
    /// Octets of those.
    pub octets_in: u64,
    /// Frames of either direction that did not pass, by reason.
    pub drops: BTreeMap<DropReason, u64>,
}

/// A port with a world outside; see the module.
#[derive(Debug)]
pub struct External {
    port: PortName,
    interface: InterfaceName,
    mode: PortMode,
    up: bool,
    prober: Option<Box<Host>>,
    /// Answers to expect from outside, and the trace of what they answer.
    awaited: VecDeque<(FiveTuple, u32)>,
    counters: ExternalCounters,
    scratch: Vec<Frame>,
    inner: Outbox,
}

/// Who receives a frame from the link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Receiver {
    Outside,
    Prober,
    Both,
}

impl External {
    /// A port without a link.
    #[must_use]
    pub fn new(name: &NodeName, spec: &blueprint::External, seed: u64) -> Self {
        let (mode, prober) = match spec {
            blueprint::External::Namespace(host) => {
                let prober = Host::new(name, &bridged_only(host), seed);
                (PortMode::Access, Some(Box::new(prober)))
            }
            blueprint::External::Attached(attached) => (attached.mode, None),
        };
        Self {
            port: spec.port().clone(),
            interface: InterfaceName::from(spec.port().as_str()),
            mode,
            up: false,
            prober,
            awaited: VecDeque::new(),
            counters: ExternalCounters::default(),
            scratch: Vec::new(),
            inner: Outbox::default(),
        }
    }

    /// Everything counted so far.
    #[must_use]
    pub const fn counters(&self) -> &ExternalCounters {
        &self.counters
    }

    /// The host that sends probes in a namespace's name.
    #[must_use]
    pub fn prober(&self) -> Option<&Host> {
        self.prober.as_deref()
    }

    /// Tells the prober something. False when there is none: an attached router is not ours to command.
    pub fn command(&mut self, now: Instant, command: HostCommand, out: &mut Outbox) -> bool {
        self.probe(out, |prober, inner| prober.command(now, command, inner))
    }

    /// Lets the prober work. Its port is the link's.
    fn probe(&mut self, out: &mut Outbox, work: impl FnOnce(&mut Host, &mut Outbox)) -> bool {
        let Some(prober) = &mut self.prober else {
            return false;
        };
        work(prober, &mut self.inner);
        for (_, frame) in self.inner.frames.drain(..) {
            out.frames.push((LINK, frame));
        }
        out.events.append(&mut self.inner.events);
        true
    }

    fn take_from_link(&mut self, now: Instant, frames: &mut Vec<Frame>, out: &mut Outbox) {
        for frame in frames.drain(..) {
            let receiver = match self.receiver(&frame) {
                Ok(receiver) => receiver,
                Err(reason) => {
                    self.count(reason);
                    continue;
                }
            };
            if receiver != Receiver::Outside {
                let copy = match receiver {
                    Receiver::Both => Some(frame.clone()),
                    Receiver::Prober | Receiver::Outside => None,
                };
                let mut one = std::mem::take(&mut self.scratch);
                one.push(frame);
                self.probe(out, |prober, inner| {
                    prober.handle_frames(now, LINK, &mut one, inner);
                });
                one.clear();
                self.scratch = one;
                if let Some(copy) = copy {
                    self.leave(now, copy, out);
                }
                continue;
            }
            self.leave(now, frame, out);
        }
    }

    /// Hands a frame to the world outside.
    fn leave(&mut self, now: Instant, mut frame: Frame, out: &mut Outbox) {
        if frame.meta.trace != 0 {
            self.note_traced(now, &frame, out);
            frame.meta.trace = 0;
        }
        self.counters.frames_out += 1;
        self.counters.octets_out += frame.len() as u64;
        out.frames.push((OUTSIDE, frame));
    }

    fn receiver(&self, frame: &Frame) -> Result<Receiver, DropReason> {
        if self.mode == PortMode::Trunk && self.prober.is_none() {
            return Ok(Receiver::Outside);
        }
        let view = ethernet::parse(frame.bytes()).map_err(|_| DropReason::Malformed)?;
        if self.mode == PortMode::Access && view.tags().count() > 0 {
            return Err(DropReason::UnknownTags);
        }
        let Some(prober) = &self.prober else {
            return Ok(Receiver::Outside);
        };
        Ok(match view.ethertype() {
            EtherType::ARP if is_arp_reply(&view) => Receiver::Both,
            EtherType::IPV4 if prober.claims(view.payload()) => Receiver::Prober,
            _ => Receiver::Outside,
        })
    }

    /// A traced packet has reached the world outside: its answer will carry its trace on.
    fn note_traced(&mut self, now: Instant, frame: &Frame, out: &mut Outbox) {
        let Ok(view) = ethernet::parse(frame.bytes()) else {
            return;
        };
        let trace = frame.meta.trace;
        self.hop(now, (trace, view.payload()), HopVerdict::Delivered, out);
        if let Some(tuple) = flow::five_tuple(view.payload()) {
            if self.awaited.len() >= AWAITED_MAX {
                self.awaited.pop_front();
            }
            self.awaited.push_back((tuple.reversed(), trace));
        }
    }

    fn take_from_outside(&mut self, now: Instant, frames: &mut Vec<Frame>, out: &mut Outbox) {
        for mut frame in frames.drain(..) {
            if !self.up {
                self.count(DropReason::LinkDown);
                continue;
            }
            if self.mode == PortMode::Access {
                let tags = ethernet::parse(frame.bytes()).map(|view| view.tags().count());
                let reason = match tags {
                    Ok(0) => None,
                    Ok(_) => Some(DropReason::UnknownTags),
                    Err(_) => Some(DropReason::Malformed),
                };
                if let Some(reason) = reason {
                    self.count(reason);
                    continue;
                }
            }
            if !self.awaited.is_empty() {
                self.trace_answer(now, &mut frame, out);
            }
            self.counters.frames_in += 1;
            self.counters.octets_in += frame.len() as u64;
            out.frames.push((LINK, frame));
        }
    }

    /// Gives the answer to a traced packet that packet's trace.
    fn trace_answer(&mut self, now: Instant, frame: &mut Frame, out: &mut Outbox) {
        let Ok(view) = ethernet::parse(frame.bytes()) else {
            return;
        };
        let Some(tuple) = flow::five_tuple(view.payload()) else {
            return;
        };
        let Some(at) = self.awaited.iter().position(|(of, _)| *of == tuple) else {
            return;
        };
        let Some((_, trace)) = self.awaited.remove(at) else {
            return;
        };
        let verdict = HopVerdict::Forwarded {
            egress: self.interface.clone(),
            tags: Tagging::Untagged,
        };
        self.hop(now, (trace, view.payload()), verdict, out);
        frame.meta.trace = trace;
    }

    fn hop(
        &self,
        now: Instant,
        (trace, packet): (u32, &[u8]),
        verdict: HopVerdict,
        out: &mut Outbox,
    ) {
        let Ok(info) = flow::parse(packet) else {
            return;
        };
        let made = matches!(verdict, HopVerdict::Forwarded { .. });
        out.events.push(NodeEvent::Hop(Box::new(Hop {
            trace,
            at: now,
            ingress: (!made).then(|| self.interface.clone()),
            tags_in: (!made).then_some(Tagging::Untagged),
            vrf: None,
            route: None,
            src: info.src,
            dst: info.dst,
            ttl: info.ttl,
            allowed_by: String::new(),
            doubtful: false,
            verdict,
        })));
    }

    fn count(&mut self, reason: DropReason) {
        *self.counters.drops.entry(reason).or_default() += 1;
    }
}

impl Node for External {
    fn handle_frames(
        &mut self,
        now: Instant,
        port: PortIndex,
        frames: &mut Vec<Frame>,
        out: &mut Outbox,
    ) {
        match port {
            LINK => self.take_from_link(now, frames, out),
            OUTSIDE => self.take_from_outside(now, frames, out),
            PortIndex(_) => frames.clear(),
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        self.probe(out, |prober, inner| prober.handle_timeout(now, inner));
    }

    fn handle_link(&mut self, now: Instant, port: PortIndex, up: bool, out: &mut Outbox) {
        if port == LINK {
            self.up = up;
            self.probe(out, |prober, inner| {
                prober.handle_link(now, LINK, up, inner);
            });
        }
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.prober
            .as_ref()
            .and_then(|prober| prober.poll_timeout())
    }

    fn port_index(&self, name: &PortName) -> Option<PortIndex> {
        if *name == self.port {
            Some(LINK)
        } else {
            (name.as_str() == blueprint::External::OUTSIDE).then_some(OUTSIDE)
        }
    }

    fn reconfigure(&mut self, now: Instant, spec: &NodeKind, out: &mut Outbox) {
        let NodeKind::External(spec) = spec else {
            return;
        };
        match &**spec {
            blueprint::External::Namespace(host) => {
                let host = NodeKind::Host(Box::new(bridged_only(host)));
                self.probe(out, |prober, inner| prober.reconfigure(now, &host, inner));
            }
            blueprint::External::Attached(attached) => self.mode = attached.mode,
        }
    }
}

/// A namespace's host as its prober is: what answers on the other services is the program in the namespace.
fn bridged_only(host: &blueprint::Host) -> blueprint::Host {
    let mut prober = host.clone();
    prober.services.retain(|service| match &service.kind {
        ServiceKind::Bridge { .. } => true,
        ServiceKind::Echo => false,
    });
    prober
}

fn is_arp_reply(view: &EthernetView<'_>) -> bool {
    use skybridge_wire::arp::{self, ArpOperation};
    arp::parse(view.payload()).is_ok_and(|packet| packet.operation == ArpOperation::Reply)
}

#[cfg(test)]
mod tests;
