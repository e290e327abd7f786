//! From a frame on a port to a packet on an interface.

use std::net::IpAddr;

use skybridge_base::{Instant, MacAddr};
use skybridge_dataplane::InterfaceIndex;
use skybridge_wire::{
    ChecksumState, EtherType, Frame, ethernet, flow, gso, icmpv4, icmpv6, ipv4, protocol, udp,
};

use super::Router;
use super::control::{BFD_PORT, SessionPacket};
use super::forward::{Egress, Fate, is_icmp_error};
use super::trace::{Refusal, Transit};
use crate::{DropReason, HopVerdict, NodeEvent, Outbox, Passage, PortIndex};

impl Router {
    pub(super) fn on_frame(
        &mut self,
        now: Instant,
        port: PortIndex,
        mut frame: Frame,
        wants_ticket: bool,
        out: &mut Outbox,
    ) -> Option<Passage> {
        let Ok(view) = ethernet::parse(frame.bytes()) else {
            self.discard(DropReason::Malformed, frame);
            return None;
        };
        let (dst, src) = (view.dst(), view.src());
        let (tags, ethertype) = (view.tags(), view.ethertype());
        frame.meta.l3_offset = u16::try_from(view.payload_offset()).unwrap_or(u16::MAX);
        let Some(port) = self.ports.get_mut(usize::from(port.0)) else {
            self.discard(DropReason::UnknownTags, frame);
            return None;
        };
        let Some(index) = port.interface(tags) else {
            port.drops.add(DropReason::UnknownTags);
            self.refuse_frame(now, DropReason::UnknownTags, frame, out);
            return None;
        };
        if dst != port.mac && !dst.is_group() {
            port.drops.add(DropReason::NotForUs);
            self.refuse_frame(now, DropReason::NotForUs, frame, out);
            return None;
        }
        match ethertype {
            EtherType::IPV4 | EtherType::IPV6 => {
                let is_v4 = ethertype == EtherType::IPV4;
                return self.on_packet(now, index, (is_v4, wants_ticket), frame, out);
            }
            EtherType::ARP => {
                self.on_arp(now, index, src, frame.l3(), out);
                self.pool.give(frame);
            }
            _ => self.discard(DropReason::NoListener, frame),
        }
        None
    }

    /// Drops a frame that reached no interface; a traced one leaves a record if it holds a packet.
    fn refuse_frame(&mut self, now: Instant, reason: DropReason, frame: Frame, out: &mut Outbox) {
        if frame.meta.trace != 0
            && let Ok(info) = flow::parse(frame.l3())
        {
            let transit = Transit::new(now, None, info, None);
            let verdict = self.dropped(&reason.into());
            let hop = self.hop(frame.meta.trace, &transit, verdict);
            out.events.push(NodeEvent::Hop(hop));
        }
        self.discard(reason, frame);
    }

    fn on_packet(
        &mut self,
        now: Instant,
        index: InterfaceIndex,
        (is_v4, wants_ticket): (bool, bool),
        mut frame: Frame,
        out: &mut Outbox,
    ) -> Option<Passage> {
        let packet = frame.l3();
        let Ok(info) = flow::parse(packet) else {
            self.discard(DropReason::Malformed, frame);
            return None;
        };
        // RFC 1812 §5.2.2: version and header checksum are verified before anything else.
        let is_sound =
            info.src.is_ipv4() == is_v4 && (!is_v4 || ipv4::is_header_checksum_valid(packet));
        if !is_sound || is_martian(info.src) {
            self.discard(DropReason::Malformed, frame);
            return None;
        }
        // Neighbour discovery is link traffic: no filter of the clouds sees it.
        if info.protocol == protocol::ICMPV6 && matches!(info.icmp, Some((135 | 136, _))) {
            self.on_nd(now, index, packet, out);
            self.pool.give(frame);
            return None;
        }
        let padded = packet.len() > info.total_len;
        if padded {
            let len = usize::from(frame.meta.l3_offset) + info.total_len;
            frame.truncate(len);
        }
        let (segments, bytes) = super::forward::segments(&frame, &info);
        let interface = &mut self.interfaces[usize::from(index.0)];
        interface.counters.count_in(segments, bytes);
        let mut transit = Transit::new(now, Some(index), info, Some(interface.table));
        match self.forward(&mut transit, index, &mut frame) {
            Ok(Fate::Local) => self.deliver_whole(&transit, frame, out),
            Ok(Fate::Out(egress)) => {
                let Some((mac, until)) = self.passes(&transit, egress, &frame) else {
                    self.transmit(&transit, egress, frame, out);
                    return None;
                };
                let ticket = if wants_ticket {
                    self.ticket(&transit, egress, until)
                } else {
                    None
                };
                let port = self.dress(egress.interface, mac, &mut frame, (segments, bytes));
                return Some(Passage {
                    port,
                    frame,
                    ticket,
                });
            }
            Err(refusal) => self.refuse(&transit, &refusal, frame, out),
        }
        None
    }

    /// The neighbour's address, and when it will be old, if the packet leaves as it is and at once.
    fn passes(
        &self,
        transit: &Transit,
        egress: Egress,
        frame: &Frame,
    ) -> Option<(MacAddr, Instant)> {
        let plain = egress.fragment.is_none() && frame.meta.trace == 0;
        if !plain || !self.is_up(egress.interface) {
            return None;
        }
        self.neighbours
            .fresh(transit.now, egress.interface, egress.neighbour)
    }

    /// A packet for the router itself; of a super-frame each segment, as a network card without
    /// offload hands them up.
    fn deliver_whole(&mut self, transit: &Transit, frame: Frame, out: &mut Outbox) {
        let is_partial = matches!(frame.meta.csum, ChecksumState::Partial { .. });
        if frame.meta.gso_size == 0 && !is_partial {
            return self.deliver(transit, frame, out);
        }
        let mut frames = Vec::new();
        if gso::split(frame, &mut self.pool, &mut frames).is_err() {
            self.drops.add(DropReason::Malformed);
        }
        for frame in frames {
            if let Ok(info) = flow::parse(frame.l3()) {
                let transit = Transit { info, ..*transit };
                self.deliver(&transit, frame, out);
            }
        }
    }

    /// Drops a packet, records it and, where one is due, answers with an ICMP error.
    pub(super) fn refuse(
        &mut self,
        transit: &Transit,
        refusal: &Refusal,
        frame: Frame,
        out: &mut Outbox,
    ) {
        self.record(transit, &frame, out, |router| router.dropped(refusal));
        self.send_error(transit, refusal, &frame, out);
        self.discard(refusal.reason, frame);
    }

    /// Reports a hop of a traced packet.
    pub(super) fn record(
        &self,
        transit: &Transit,
        frame: &Frame,
        out: &mut Outbox,
        verdict: impl FnOnce(&Self) -> HopVerdict,
    ) {
        if frame.meta.trace != 0 {
            let hop = self.hop(frame.meta.trace, transit, verdict(self));
            out.events.push(NodeEvent::Hop(hop));
        }
    }

    /// A packet for the router itself.
    fn deliver(&mut self, transit: &Transit, frame: Frame, out: &mut Outbox) {
        let info = &transit.info;
        let kind = info.icmp.map(|(kind, _)| kind);
        match (info.protocol, kind) {
            (protocol::ICMP, Some(8)) if self.answers_pings() => {
                self.answer_echo(transit, icmpv4::echo_reply(frame.l3()), frame, out);
            }
            (protocol::ICMPV6, Some(128)) if self.answers_pings() => {
                self.answer_echo(transit, icmpv6::echo_reply(frame.l3()), frame, out);
            }
            // The answer to a request of `Router::ping`: whoever asked watches the port.
            (protocol::ICMP, Some(0)) => {
                self.record(transit, &frame, out, |_| HopVerdict::Delivered);
                self.pool.give(frame);
            }
            (protocol::TCP, _) => self.deliver_to_session(transit, frame, out),
            // Errors about our own connections.
            _ if is_icmp_error(info) => self.deliver_to_session(transit, frame, out),
            (protocol::UDP, _) if info.dst_port == BFD_PORT => {
                self.deliver_to_bfd(transit, frame, out);
            }
            _ => self.refuse(transit, &DropReason::NoListener.into(), frame, out),
        }
    }

    fn deliver_to_session(&mut self, transit: &Transit, frame: Frame, out: &mut Outbox) {
        let (Some(table), Some(ingress)) = (transit.table, transit.ingress) else {
            return self.pool.give(frame);
        };
        let (now, src) = (transit.now, transit.info.src);
        let taken = self.on_session_packet(now, (table, ingress), src, frame.l3(), out);
        match taken {
            SessionPacket::Taken => {
                self.record(transit, &frame, out, |_| HopVerdict::Delivered);
                self.pool.give(frame);
            }
            SessionPacket::Md5 => self.refuse(transit, &DropReason::Md5.into(), frame, out),
            SessionPacket::NoListener => {
                self.refuse(transit, &DropReason::NoListener.into(), frame, out);
            }
        }
    }

    fn deliver_to_bfd(&mut self, transit: &Transit, frame: Frame, out: &mut Outbox) {
        let info = &transit.info;
        let datagram = frame.l3().get(info.l4_offset..info.total_len);
        let valid = datagram.and_then(|bytes| {
            let view = udp::parse(bytes).ok()?;
            let valid = view.is_checksum_valid(info.src, info.dst);
            valid.then_some(view.payload())
        });
        let taken = match (valid, transit.ingress) {
            (Some(payload), Some(ingress)) => {
                let from = (info.src, info.ttl);
                self.on_bfd_packet(transit.now, ingress, from, payload, out)
            }
            (_, _) => false,
        };
        if taken {
            self.record(transit, &frame, out, |_| HopVerdict::Delivered);
            self.pool.give(frame);
        } else {
            self.refuse(transit, &DropReason::NoListener.into(), frame, out);
        }
    }

    fn answer_echo(
        &mut self,
        transit: &Transit,
        reply: Option<Vec<u8>>,
        frame: Frame,
        out: &mut Outbox,
    ) {
        self.record(transit, &frame, out, |_| HopVerdict::Delivered);
        let trace = frame.meta.trace;
        if let (Some(reply), Some(table)) = (reply, transit.table) {
            self.send_packet(transit.now, table, &reply, trace, out);
        }
        self.pool.give(frame);
    }
}

/// Sources that no packet on a wire may have (RFC 1812 §5.3.7).
fn is_martian(src: IpAddr) -> bool {
    match src {
        IpAddr::V4(a) => a.is_multicast() || a.is_broadcast() || a.is_loopback(),
        IpAddr::V6(a) => a.is_multicast() || a.is_loopback(),
    }
}
