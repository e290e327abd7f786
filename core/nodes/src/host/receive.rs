//! What a host receives: ARP, ICMP, UDP, and segments for its TCP stack.

use std::net::Ipv4Addr;
use std::time::Duration;

use skybridge_base::Instant;
use skybridge_wire::arp::{self, ArpOperation};
use skybridge_wire::icmpv4::{self, Icmpv4Kind, Icmpv4View, unreachable};
use skybridge_wire::ipv4::Ipv4View;
use skybridge_wire::tcp::TcpFlags;
use skybridge_wire::{
    ChecksumState, EtherType, Frame, FramePool, ethernet, gso, ipv4, protocol, tcp, udp,
};

use super::Host;
use super::send::dropped;
use crate::{DropReason, EchoFault, HopVerdict, NodeEvent, Outbox};

/// Between two reports, and two defences, of an address in conflict (RFC 5227 §2.4).
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);
/// The echo service (RFC 862).
const UDP_ECHO_PORT: u16 = 7;

impl Host {
    /// A super-frame from a port with offloads is taken as the frames it stands for.
    pub(super) fn on_frame(&mut self, now: Instant, frame: &Frame, out: &mut Outbox) {
        if frame.meta.gso_size > 0 {
            let mut parts = Vec::new();
            if gso::split(frame.clone(), &mut FramePool::new(0), &mut parts).is_err() {
                self.count(DropReason::Malformed);
            }
            for part in parts {
                self.on_frame(now, &part, out);
            }
            return;
        }
        self.counters.frames_in += 1;
        self.counters.octets_in += u64::try_from(frame.len()).unwrap_or(0);
        let Ok(view) = ethernet::parse(frame.bytes()) else {
            self.count(DropReason::Malformed);
            return;
        };
        let reason = if !self.up {
            Some(DropReason::LinkDown)
        } else if view.dst() != self.mac && !view.dst().is_group() {
            Some(DropReason::NotForUs)
        } else if view.tags().count() > 0 {
            Some(DropReason::UnknownTags)
        } else {
            None
        };
        let trace = frame.meta.trace;
        if let Some(reason) = reason {
            self.drop_received(now, trace, view.payload(), reason, out);
            return;
        }
        match view.ethertype() {
            EtherType::ARP => self.on_arp(now, view.payload(), out),
            EtherType::IPV4 if view.dst().is_group() => self.count(DropReason::NotForUs),
            EtherType::IPV4 => match frame.meta.csum {
                ChecksumState::Partial { .. } => {
                    let mut packet = view.payload().to_vec();
                    complete_checksum(&mut packet);
                    self.on_ipv4(now, &packet, trace, out);
                }
                ChecksumState::Unknown | ChecksumState::Valid => {
                    self.on_ipv4(now, view.payload(), trace, out);
                }
            },
            _ => self.count(DropReason::NoListener),
        }
    }

    fn on_arp(&mut self, now: Instant, payload: &[u8], out: &mut Outbox) {
        let Ok(packet) = arp::parse(payload) else {
            self.count(DropReason::Malformed);
            return;
        };
        let (sender, mac) = (packet.sender_ip, packet.sender_mac);
        if self.is_own(sender) {
            if mac != self.mac {
                self.on_conflict(now, sender, out);
            }
            return;
        }
        let for_us = self.is_own(packet.target_ip);
        if !packet.is_probe() && !mac.is_group() && !sender.is_multicast() {
            for frame in self.neighbours.learn(now, sender, mac, for_us) {
                self.transmit_ipv4(now, mac, frame, out);
            }
        }
        if for_us && packet.operation == ArpOperation::Request {
            self.send_arp(mac, &packet.reply(self.mac), out);
        }
    }

    /// Another station uses our address: say so, and defend it (RFC 5227 §2.4 (b)).
    fn on_conflict(&mut self, now: Instant, address: Ipv4Addr, out: &mut Outbox) {
        let quiet = self
            .conflict_told_at
            .is_some_and(|at| now.since(at) < DEFEND_INTERVAL);
        if quiet {
            return;
        }
        self.conflict_told_at = Some(now);
        out.events.push(NodeEvent::DuplicateAddress {
            interface: self.interface.clone(),
            address: address.into(),
        });
        let defence = arp::ArpRepr::announcement(self.mac, address);
        self.send_arp(skybridge_base::MacAddr::BROADCAST, &defence, out);
    }

    pub(super) fn on_ipv4(&mut self, now: Instant, packet: &[u8], trace: u32, out: &mut Outbox) {
        let Some(view) = ipv4::parse(packet).ok().filter(Ipv4View::is_checksum_valid) else {
            self.drop_received(now, trace, packet, DropReason::Malformed, out);
            return;
        };
        if !self.is_own(view.dst()) {
            self.drop_received(now, trace, packet, DropReason::NotForUs, out);
            return;
        }
        if view.is_fragment() {
            if let Some((whole, trace)) = self.reassembly.add(now, &view, trace)
                && let Ok(view) = ipv4::parse(&whole)
            {
                self.on_whole(now, &view, trace, out);
            }
            return;
        }
        self.on_whole(now, &view, trace, out);
    }

    fn on_whole(&mut self, now: Instant, view: &Ipv4View<'_>, trace: u32, out: &mut Outbox) {
        let before = out.events.len();
        let refused = match view.protocol() {
            protocol::ICMP => self.on_icmp(now, view, trace, out),
            protocol::TCP => self.on_tcp(now, view, trace),
            protocol::UDP => self.on_udp(now, view, trace, out),
            _ => {
                self.answer_unreachable(now, view, (unreachable::PROTOCOL, trace), out);
                Some(DropReason::NoListener)
            }
        };
        let verdict = refused.map_or(HopVerdict::Delivered, dropped);
        if let Some(reason) = refused {
            self.count(reason);
        }
        let answered = out.events.len();
        self.hop(now, trace, view.bytes(), (false, verdict), out);
        // The arrival is told before the answer to it.
        if out.events.len() > answered
            && let Some(told) = out.events.get_mut(before..)
        {
            told.rotate_right(1);
        }
    }

    fn on_icmp(
        &mut self,
        now: Instant,
        view: &Ipv4View<'_>,
        trace: u32,
        out: &mut Outbox,
    ) -> Option<DropReason> {
        let message = icmpv4::parse(view.payload()).ok();
        let Some(message) = message.filter(Icmpv4View::is_checksum_valid) else {
            return Some(DropReason::Malformed);
        };
        match message.kind() {
            Icmpv4Kind::EchoRequest { .. } => {
                if let Some(reply) = icmpv4::echo_reply(view.bytes()) {
                    self.send_ipv4(now, reply, trace, out);
                }
            }
            Icmpv4Kind::EchoReply {
                identifier,
                sequence,
            } => {
                if let Some(pending) = self.echoes.take((identifier, sequence)) {
                    out.events.push(NodeEvent::EchoReply {
                        id: pending.id,
                        sequence: pending.sequence,
                        from: view.src().into(),
                        ttl: view.ttl(),
                        rtt: now - pending.sent_at,
                    });
                }
            }
            Icmpv4Kind::Unreachable { .. }
            | Icmpv4Kind::TimeExceeded { .. }
            | Icmpv4Kind::Other { .. } => self.on_icmp_error(now, view, &message, out),
        }
        None
    }

    fn on_icmp_error(
        &mut self,
        now: Instant,
        view: &Ipv4View<'_>,
        message: &Icmpv4View<'_>,
        out: &mut Outbox,
    ) {
        if !message.kind().is_error() {
            return;
        }
        let Ok(quoted) = ipv4::parse_header(message.payload()) else {
            return;
        };
        if !self.is_own(quoted.src()) {
            return;
        }
        if quoted.protocol() == protocol::TCP {
            self.stack.handle_packet(now, None, view.bytes());
            return;
        }
        if quoted.protocol() != protocol::ICMP || quoted.fragment_offset() != 0 {
            return;
        }
        let request = icmpv4::parse(quoted.payload()).map(|quoted| quoted.kind());
        let Ok(Icmpv4Kind::EchoRequest {
            identifier,
            sequence,
        }) = request
        else {
            return;
        };
        let Some(pending) = self.echoes.take((identifier, sequence)) else {
            return;
        };
        let mtu = match message.kind() {
            Icmpv4Kind::Unreachable {
                code: unreachable::FRAGMENTATION_NEEDED,
                next_hop_mtu,
            } => Some(next_hop_mtu),
            Icmpv4Kind::Unreachable { .. }
            | Icmpv4Kind::TimeExceeded { .. }
            | Icmpv4Kind::EchoRequest { .. }
            | Icmpv4Kind::EchoReply { .. }
            | Icmpv4Kind::Other { .. } => None,
        };
        out.events.push(NodeEvent::EchoFailed {
            id: pending.id,
            sequence: pending.sequence,
            fault: EchoFault::Icmp {
                from: view.src().into(),
                icmp_type: message.kind_u8(),
                code: message.code(),
                mtu,
            },
        });
    }

    fn on_tcp(&mut self, now: Instant, view: &Ipv4View<'_>, trace: u32) -> Option<DropReason> {
        // What answers the peer's SYN carries its trace; later segments stand for themselves.
        let opens = tcp::parse(view.payload()).is_ok_and(|segment| {
            let flags = segment.flags();
            flags.contains(TcpFlags::SYN) && !flags.contains(TcpFlags::ACK)
        });
        self.answering = if opens { trace } else { 0 };
        let before = self.stack.counters();
        self.stack.handle_packet(now, None, view.bytes());
        let after = self.stack.counters();
        // A reset without a connection is nobody's; what the stack answers by one has no listener.
        if after.no_listener > before.no_listener {
            return Some(DropReason::NoListener);
        }
        let broken = after.checksum > before.checksum || after.malformed > before.malformed;
        broken.then_some(DropReason::Malformed)
    }

    fn on_udp(
        &mut self,
        now: Instant,
        view: &Ipv4View<'_>,
        trace: u32,
        out: &mut Outbox,
    ) -> Option<DropReason> {
        let (src, dst) = (view.src(), view.dst());
        let datagram = udp::parse(view.payload()).ok();
        let datagram = datagram.filter(|d| d.is_checksum_valid(src.into(), dst.into()));
        let Some(datagram) = datagram else {
            return Some(DropReason::Malformed);
        };
        // Two echo services must not keep each other busy for ever.
        if datagram.dst_port() != UDP_ECHO_PORT || datagram.src_port() == UDP_ECHO_PORT {
            self.answer_unreachable(now, view, (unreachable::PORT, trace), out);
            return Some(DropReason::NoListener);
        }
        let mut answer = Vec::new();
        udp::UdpRepr {
            src_port: UDP_ECHO_PORT,
            dst_port: datagram.src_port(),
        }
        .emit(dst.into(), src.into(), datagram.payload(), &mut answer);
        let mut packet = Vec::with_capacity(ipv4::HEADER_LEN + answer.len());
        self.identification = self.identification.wrapping_add(1);
        ipv4::Ipv4Repr {
            dont_fragment: false,
            identification: self.identification,
            ..ipv4::Ipv4Repr::new(dst, src, protocol::UDP, answer.len())
        }
        .emit(&mut packet);
        packet.extend_from_slice(&answer);
        self.send_ipv4(now, packet, trace, out);
        None
    }

    /// RFC 1122 §3.2.2.1: what nobody listens to is answered.
    fn answer_unreachable(
        &mut self,
        now: Instant,
        view: &Ipv4View<'_>,
        (code, trace): (u8, u32),
        out: &mut Outbox,
    ) {
        let kind = Icmpv4Kind::Unreachable {
            code,
            next_hop_mtu: 0,
        };
        if let Some(error) = icmpv4::error_packet(view.dst(), kind, view.bytes()) {
            self.send_ipv4(now, error, trace, out);
        }
    }

    fn drop_received(
        &mut self,
        now: Instant,
        trace: u32,
        packet: &[u8],
        reason: DropReason,
        out: &mut Outbox,
    ) {
        self.count(reason);
        self.hop(now, trace, packet, (false, dropped(reason)), out);
    }
}

/// Fills a transport checksum that the sender left to its interface card.
fn complete_checksum(packet: &mut [u8]) {
    let Ok(view) = ipv4::parse(packet) else {
        return;
    };
    let (src, dst) = (view.src().into(), view.dst().into());
    let (protocol, range) = (
        view.protocol(),
        view.header_len()..usize::from(view.total_len()),
    );
    let Some(segment) = packet.get_mut(range) else {
        return;
    };
    match protocol {
        protocol::TCP => tcp::fill_checksum(src, dst, segment),
        protocol::UDP => udp::fill_checksum(src, dst, segment),
        _ => {}
    }
}
