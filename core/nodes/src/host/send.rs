//! What a host sends: routing, ARP requests, echo requests.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;
use skybridge_base::{Instant, MacAddr};
use skybridge_blueprint::{NextHop, RouteSource, Tagging};
use skybridge_wire::arp::ArpRepr;
use skybridge_wire::icmpv4::{self, Icmpv4Kind};
use skybridge_wire::ipv4::{self, MtuCheck};
use skybridge_wire::{EtherType, EthernetRepr, Frame, Tags, flow, protocol};

use super::neighbours::Resolution;
use super::tcp::Owner;
use super::{Host, LOOPBACK_MAX, PORT};
use crate::transport::OutPacket;
use crate::{ConnectionId, DropReason, EchoFault, Hop, HopVerdict, NodeEvent, Outbox};

/// Octets of echo data that fit an IPv4 packet.
const ECHO_DATA_MAX: usize = 65_535 - ipv4::HEADER_LEN - icmpv4::HEADER_LEN;

/// One echo request as commanded.
#[derive(Clone, Copy, Debug)]
pub(super) struct EchoRequest {
    pub(super) id: ConnectionId,
    pub(super) sequence: u16,
    pub(super) target: IpAddr,
    pub(super) ttl: u8,
    pub(super) payload_len: u16,
    pub(super) dont_fragment: bool,
    pub(super) timeout: Duration,
    pub(super) trace: u32,
}

impl Host {
    pub(super) fn send_echo(&mut self, now: Instant, request: &EchoRequest, out: &mut Outbox) {
        let failed = |reason| NodeEvent::EchoFailed {
            id: request.id,
            sequence: request.sequence,
            fault: EchoFault::Unsendable(reason),
        };
        let source = self.source_towards(request.target);
        let (IpAddr::V4(target), Some(IpAddr::V4(source))) = (request.target, source) else {
            self.count(DropReason::NoRoute);
            out.events.push(failed(DropReason::NoRoute));
            return;
        };
        let (id, sequence) = (request.id, request.sequence);
        let Some(key) = self.echoes.add(now, id, sequence, request.timeout) else {
            self.count(DropReason::FlowTableFull);
            out.events.push(failed(DropReason::FlowTableFull));
            return;
        };
        let kind = Icmpv4Kind::EchoRequest {
            identifier: key.0,
            sequence: key.1,
        };
        // A counting pattern, as ping sends.
        let len = usize::from(request.payload_len).min(ECHO_DATA_MAX);
        let data: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
        self.identification = self.identification.wrapping_add(1);
        let mut packet = Vec::with_capacity(ipv4::HEADER_LEN + icmpv4::HEADER_LEN + len);
        ipv4::Ipv4Repr {
            ttl: request.ttl,
            dont_fragment: request.dont_fragment,
            identification: self.identification,
            ..ipv4::Ipv4Repr::new(source, target, protocol::ICMP, len + icmpv4::HEADER_LEN)
        }
        .emit(&mut packet);
        icmpv4::emit(kind, &data, &mut packet);
        self.send_ipv4(now, packet, request.trace, out);
    }

    /// Sends a packet of the TCP stack, under the trace of the connect command or of the request it
    /// answers.
    pub(super) fn send_segment(&mut self, now: Instant, packet: OutPacket, out: &mut Outbox) {
        let mut trace = self.answering;
        if let Some(Owner::Command(client)) = packet.conn.and_then(|c| self.owners.get_mut(&c)) {
            trace = std::mem::take(&mut client.syn_trace);
        }
        self.send_ipv4(now, packet.bytes, trace, out);
    }

    /// The own address for packets to `target`; `None` without a route.
    pub(super) fn source_towards(&self, target: IpAddr) -> Option<IpAddr> {
        let IpAddr::V4(target) = target else {
            return None;
        };
        if self.is_own(target) {
            return Some(target.into());
        }
        let next = self.next_hop(target)?;
        let net = self.nets.iter().find(|net| net.contains(&next));
        let net = net.or_else(|| self.nets.first())?;
        Some(net.addr().into())
    }

    /// The neighbour that packets to `target` go to.
    fn next_hop(&self, target: Ipv4Addr) -> Option<Ipv4Addr> {
        if self.nets.iter().any(|net| net.contains(&target)) {
            return Some(target);
        }
        self.gateway
    }

    /// Sends a whole packet, to itself when the address is its own.
    pub(super) fn send_ipv4(
        &mut self,
        now: Instant,
        packet: Vec<u8>,
        trace: u32,
        out: &mut Outbox,
    ) {
        let Ok(view) = ipv4::parse(&packet) else {
            self.count(DropReason::Malformed);
            return;
        };
        let dst = view.dst();
        if self.is_own(dst) {
            if self.loopback.len() < LOOPBACK_MAX {
                self.loopback.push_back((packet, trace));
            } else {
                self.count(DropReason::NeighbourQueueFull);
            }
            return;
        }
        let mut whole = Frame::with_headroom(view.bytes());
        whole.meta.trace = trace;
        let Some(next) = self.next_hop(dst) else {
            self.refuse(now, &whole, DropReason::NoRoute, out);
            return;
        };
        match ipv4::check_mtu(&view, usize::from(self.mtu)) {
            MtuCheck::Fits => self.send_to(now, next, whole, out),
            MtuCheck::Refuse => self.refuse(now, &whole, DropReason::TooBig, out),
            MtuCheck::MustFragment => {
                // Fragments of one packet are known by its identification (RFC 6864 §4.2).
                self.identification = self.identification.wrapping_add(1);
                let mut numbered = view.bytes().to_vec();
                if let Some(field) = numbered.get_mut(4..6) {
                    field.copy_from_slice(&self.identification.to_be_bytes());
                }
                ipv4::fill_checksum(&mut numbered);
                let Ok(view) = ipv4::parse(&numbered) else {
                    return;
                };
                for fragment in ipv4::fragment(&view, usize::from(self.mtu)) {
                    let mut frame = Frame::with_headroom(&fragment);
                    frame.meta.trace = trace;
                    self.send_to(now, next, frame, out);
                }
            }
        }
    }

    fn send_to(&mut self, now: Instant, next: Ipv4Addr, frame: Frame, out: &mut Outbox) {
        if !self.up {
            self.refuse(now, &frame, DropReason::LinkDown, out);
            return;
        }
        match self.neighbours.resolve(now, next, frame) {
            Resolution::Known { mac, frame, ask } => {
                self.transmit_ipv4(now, mac, frame, out);
                if ask {
                    self.ask(next, out);
                }
            }
            Resolution::Waiting { ask: true } => self.ask(next, out),
            Resolution::Waiting { ask: false } => {}
            Resolution::Failed(frame) => {
                self.refuse(now, &frame, DropReason::NeighbourUnresolved, out);
            }
            Resolution::Full(frame) => {
                self.refuse(now, &frame, DropReason::NeighbourQueueFull, out);
            }
        }
    }

    /// Puts a packet on the wire.
    pub(super) fn transmit_ipv4(
        &mut self,
        now: Instant,
        mac: MacAddr,
        frame: Frame,
        out: &mut Outbox,
    ) {
        let verdict = HopVerdict::Forwarded {
            egress: self.interface.clone(),
            tags: Tagging::Untagged,
        };
        self.hop(now, frame.meta.trace, frame.bytes(), (true, verdict), out);
        self.transmit(mac, EtherType::IPV4, frame, out);
    }

    fn transmit(&mut self, dst: MacAddr, ethertype: EtherType, mut frame: Frame, out: &mut Outbox) {
        let trace = frame.meta.trace;
        EthernetRepr {
            dst,
            src: self.mac,
            tags: Tags::Untagged,
            ethertype,
        }
        .push(&mut frame);
        frame.meta.trace = trace;
        self.counters.frames_out += 1;
        self.counters.octets_out += u64::try_from(frame.len()).unwrap_or(0);
        out.frames.push((PORT, frame));
    }

    /// Sends an ARP request.
    pub(super) fn ask(&mut self, target: Ipv4Addr, out: &mut Outbox) {
        let net = self.nets.iter().find(|net| net.contains(&target));
        let Some(net) = net.or_else(|| self.nets.first()) else {
            return;
        };
        let request = ArpRepr::request(self.mac, net.addr(), target);
        self.send_arp(MacAddr::BROADCAST, &request, out);
    }

    pub(super) fn send_arp(&mut self, dst: MacAddr, repr: &ArpRepr, out: &mut Outbox) {
        let frame = Frame::with_headroom(&repr.to_bytes());
        self.transmit(dst, EtherType::ARP, frame, out);
    }

    /// Announces every own address (RFC 5227 §2.3).
    pub(super) fn announce(&mut self, out: &mut Outbox) {
        for net in self.nets.clone() {
            let announcement = ArpRepr::announcement(self.mac, net.addr());
            self.send_arp(MacAddr::BROADCAST, &announcement, out);
        }
    }

    /// Drops a packet of ours and tells whoever waits for its answer.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        frame: &Frame,
        reason: DropReason,
        out: &mut Outbox,
    ) {
        self.count(reason);
        let verdict = dropped(reason);
        self.hop(now, frame.meta.trace, frame.bytes(), (true, verdict), out);
        let Ok(view) = ipv4::parse_header(frame.bytes()) else {
            return;
        };
        if view.protocol() == protocol::ICMP && view.fragment_offset() == 0 {
            let kind = icmpv4::parse(view.payload()).map(|message| message.kind());
            if let Ok(Icmpv4Kind::EchoRequest {
                identifier,
                sequence,
            }) = kind
                && let Some(pending) = self.echoes.take((identifier, sequence))
            {
                out.events.push(NodeEvent::EchoFailed {
                    id: pending.id,
                    sequence: pending.sequence,
                    fault: EchoFault::Unsendable(reason),
                });
            }
        }
        let hopeless = matches!(
            reason,
            DropReason::NeighbourUnresolved | DropReason::NoRoute
        );
        if view.protocol() == protocol::TCP && hopeless {
            self.stack.fail_opening(now, view.dst().into());
        }
    }

    pub(super) fn count(&mut self, reason: DropReason) {
        *self.counters.drops.entry(reason).or_default() += 1;
    }

    /// Reports a traced packet; `made` is true for the host's own.
    pub(super) fn hop(
        &self,
        now: Instant,
        trace: u32,
        packet: &[u8],
        (made, verdict): (bool, HopVerdict),
        out: &mut Outbox,
    ) {
        if trace == 0 {
            return;
        }
        let Ok(info) = flow::parse(packet) else {
            return;
        };
        out.events.push(NodeEvent::Hop(Box::new(Hop {
            trace,
            at: now,
            ingress: (!made).then(|| self.interface.clone()),
            tags_in: (!made).then_some(Tagging::Untagged),
            vrf: None,
            route: if made { self.route_of(info.dst) } else { None },
            src: info.src,
            dst: info.dst,
            ttl: info.ttl,
            allowed_by: String::new(),
            doubtful: false,
            verdict,
        })));
    }

    fn route_of(&self, dst: IpAddr) -> Option<(IpNet, NextHop, RouteSource)> {
        let IpAddr::V4(v4) = dst else {
            return None;
        };
        if let Some(net) = self.nets.iter().find(|net| net.contains(&v4)) {
            let hop = NextHop::Connected {
                interface: self.interface.clone(),
            };
            return Some((IpNet::V4(net.trunc()), hop, RouteSource::Connected));
        }
        let hop = NextHop::Via {
            interface: self.interface.clone(),
            address: self.gateway?.into(),
        };
        Some((IpNet::V4(Default::default()), hop, RouteSource::System))
    }
}

pub(super) fn dropped(reason: DropReason) -> HopVerdict {
    HopVerdict::Dropped {
        reason,
        detail: String::new(),
        unknown: false,
    }
}
