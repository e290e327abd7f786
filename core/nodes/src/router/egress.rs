//! What leaves: neighbour, tags, Ethernet header; packets that the router makes; ICMP errors.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_base::{Instant, MacAddr};
use skybridge_blueprint::{HopVisibility, Policer};
use skybridge_dataplane::{InterfaceIndex, RouteHop, TableIndex};
use skybridge_wire::icmpv4::{Icmpv4Kind, unreachable};
use skybridge_wire::icmpv6::Icmpv6Kind;
use skybridge_wire::{EtherType, EthernetRepr, Frame, flow, gso, icmpv4, icmpv6, ipv4};

use super::Router;
use super::forward::Egress;
use super::trace::{Refusal, Transit};
use crate::{DropReason, Hop, HopVerdict, NodeEvent, Outbox, PortIndex};

/// ICMP errors are limited (RFC 1812 §4.3.2.8 demands it, RFC 4443 §2.4 (f) proposes a token bucket).
/// 1,000 a second, and ten at once.
pub(super) const ICMP_RATE: Policer = Policer {
    rate_bps: u64::MAX,
    burst_bytes: u64::MAX,
    rate_pps: Some(1000),
    burst_packets: 10,
};

impl Router {
    /// Sends a judged packet to its neighbour, or lets it wait for the neighbour's address.
    pub(super) fn transmit(
        &mut self,
        transit: &Transit,
        egress: Egress,
        frame: Frame,
        out: &mut Outbox,
    ) {
        if !self.is_up(egress.interface) {
            return self.refuse(transit, &DropReason::LinkDown.into(), frame, out);
        }
        let hop = (frame.meta.trace != 0).then(|| {
            let interface = self.interface(egress.interface);
            let verdict = HopVerdict::Forwarded {
                egress: interface.name.clone(),
                tags: interface.tagging,
            };
            self.hop(frame.meta.trace, transit, verdict)
        });
        let Some(mtu) = egress.fragment else {
            return self.send_to(transit.now, egress, frame, hop, out);
        };
        let fragments = ipv4::parse(frame.l3()).map(|view| ipv4::fragment(&view, mtu));
        let mut hop = hop;
        for fragment in fragments.unwrap_or_default() {
            let mut one = self.pool.take(&fragment);
            one.meta.trace = frame.meta.trace;
            // The record of the whole packet goes with its first fragment.
            self.send_to(transit.now, egress, one, hop.take(), out);
        }
        self.pool.give(frame);
    }

    fn send_to(
        &mut self,
        now: Instant,
        egress: Egress,
        frame: Frame,
        hop: Option<Box<Hop>>,
        out: &mut Outbox,
    ) {
        match self
            .neighbours
            .fresh(now, egress.interface, egress.neighbour)
        {
            Some((mac, _)) => self.emit(egress.interface, mac, frame, hop, out),
            None => self.resolve(now, egress.interface, egress.neighbour, frame, hop, out),
        }
    }

    /// Puts the Ethernet header and tags of the interface in front, and sends.
    pub(super) fn emit(
        &mut self,
        index: InterfaceIndex,
        mac: MacAddr,
        mut frame: Frame,
        hop: Option<Box<Hop>>,
        out: &mut Outbox,
    ) {
        if let Some(hop) = hop {
            out.events.push(NodeEvent::Hop(hop));
        }
        let load = match frame.meta.gso_size {
            0 => (1, frame.l3().len()),
            _ => flow::parse(frame.l3()).map_or((1, 0), |i| super::forward::segments(&frame, &i)),
        };
        let port = self.dress(index, mac, &mut frame, load);
        out.frames.push((port, frame));
    }

    /// Counts a packet that leaves (`segments` of `bytes` octets together) and gives it the Ethernet
    /// header and tags of its interface. Gives the port.
    pub(super) fn dress(
        &mut self,
        index: InterfaceIndex,
        mac: MacAddr,
        frame: &mut Frame,
        (segments, bytes): (u64, usize),
    ) -> PortIndex {
        let is_v4 = frame.l3().first().is_some_and(|b| b >> 4 == 4);
        let interface = &mut self.interfaces[usize::from(index.0)];
        interface.counters.count_out(segments, bytes);
        let header = EthernetRepr {
            dst: mac,
            src: interface.mac,
            tags: interface.tags,
            ethertype: if is_v4 {
                EtherType::IPV4
            } else {
                EtherType::IPV6
            },
        };
        let port = interface.port;
        frame.pop_front(usize::from(frame.meta.l3_offset));
        header.push(frame);
        port
    }

    /// Sends a frame that holds no IP packet.
    pub(super) fn emit_raw(
        &mut self,
        index: InterfaceIndex,
        dst: MacAddr,
        ethertype: EtherType,
        payload: &[u8],
        out: &mut Outbox,
    ) {
        let mut frame = self.pool.take(payload);
        let interface = self.interface(index);
        let header = EthernetRepr {
            dst,
            src: interface.mac,
            tags: interface.tags,
            ethertype,
        };
        header.push(&mut frame);
        out.frames.push((interface.port, frame));
    }

    /// Routes a packet that the router made, starting in `table`. Filters and policers are for
    /// traffic of others.
    pub(super) fn send_packet(
        &mut self,
        now: Instant,
        table: TableIndex,
        packet: &[u8],
        trace: u32,
        out: &mut Outbox,
    ) {
        let Ok(info) = flow::parse(packet) else {
            return;
        };
        let mut frame = self.pool.take(packet);
        frame.meta.trace = trace;
        let mut transit = Transit::new(now, None, info, Some(table));
        let egress = self.lookup(&mut transit, table).and_then(|hop| {
            let (interface, neighbour) = match hop {
                RouteHop::Via { interface, address } => (interface, address),
                RouteHop::Connected { interface } => (interface, info.dst),
                RouteHop::Local { .. } | RouteHop::Table(_) | RouteHop::Drop(_) => {
                    return Err(DropReason::NoRoute.into());
                }
            };
            let fragment = self.check_mtu(interface, &info, &frame)?;
            Ok(Egress {
                interface,
                neighbour,
                fragment,
            })
        });
        match egress {
            Ok(egress) => self.transmit(&transit, egress, frame, out),
            Err(refusal) => {
                self.record(&transit, &frame, out, |router| router.dropped(&refusal));
                self.discard(refusal.reason, frame);
            }
        }
    }

    /// Sends a packet that the router made to a neighbour on a given interface, whatever the routes
    /// say: BGP and BFD belong to their interface.
    pub(super) fn send_on(
        &mut self,
        now: Instant,
        interface: InterfaceIndex,
        neighbour: IpAddr,
        packet: &[u8],
        out: &mut Outbox,
    ) {
        if !self.is_up(interface) {
            self.drops.add(DropReason::LinkDown);
            return;
        }
        let frame = self.pool.take(packet);
        let egress = Egress {
            interface,
            neighbour,
            fragment: None,
        };
        self.send_to(now, egress, frame, None, out);
    }

    pub(super) fn answers_pings(&self) -> bool {
        self.visibility == HopVisibility::Visible
    }

    /// The ICMP error about a dropped packet, where one is due: from visible routers, and "too big"
    /// also from transparent ones. Never about errors, groups or later fragments (RFC 1812
    /// §4.3.2.7); wire decides that.
    pub(super) fn send_error(
        &mut self,
        transit: &Transit,
        refusal: &Refusal,
        frame: &Frame,
        out: &mut Outbox,
    ) {
        let Some(ingress) = transit.ingress else {
            return;
        };
        let too_big = refusal.reason == DropReason::TooBig;
        let speaks = match self.visibility {
            HopVisibility::Visible => true,
            HopVisibility::Silent => false,
            HopVisibility::Transparent => too_big,
        };
        if !speaks {
            return;
        }
        // Whoever sent a train of packets is told of the first one.
        let first = if frame.meta.gso_size > 0 {
            gso::first(frame).ok()
        } else {
            None
        };
        let quoted = first.as_ref().unwrap_or(frame).l3();
        let error = match transit.info.dst {
            IpAddr::V4(_) => error_v4(refusal, transit).and_then(|kind| {
                let src = self.error_source(ingress, true)?;
                let IpAddr::V4(src) = src else { return None };
                icmpv4::error_packet(src, kind, quoted)
            }),
            IpAddr::V6(_) => error_v6(refusal).and_then(|kind| {
                let src = self.error_source(ingress, false)?;
                let IpAddr::V6(src) = src else { return None };
                icmpv6::error_packet(src, kind, quoted)
            }),
        };
        let Some(error) = error else { return };
        if !self.icmp_budget.take(transit.now, 1, 0) {
            return;
        }
        let table = self.interface(ingress).table;
        self.send_packet(transit.now, table, &error, frame.meta.trace, out);
    }

    /// The ingress interface's address of the family, else any of the router.
    fn error_source(&self, ingress: InterfaceIndex, v4: bool) -> Option<IpAddr> {
        let fits = |net: &&IpNet| net.addr().is_ipv4() == v4;
        let own = self.interface(ingress).addresses.iter().find(fits);
        let any = || {
            let alive = self.interfaces.iter().filter(|i| i.alive);
            alive.flat_map(|i| &i.addresses).find(fits)
        };
        own.or_else(any).map(IpNet::addr)
    }
}

fn error_v4(refusal: &Refusal, transit: &Transit) -> Option<Icmpv4Kind> {
    let code = match refusal.reason {
        DropReason::TtlExpired => return Some(Icmpv4Kind::TimeExceeded { code: 0 }),
        DropReason::TooBig => {
            return Some(Icmpv4Kind::Unreachable {
                code: unreachable::FRAGMENTATION_NEEDED,
                next_hop_mtu: u16::try_from(refusal.mtu).unwrap_or(u16::MAX),
            });
        }
        DropReason::NoRoute => unreachable::NET,
        DropReason::NeighbourUnresolved => unreachable::HOST,
        DropReason::NoListener if transit.info.protocol == skybridge_wire::protocol::UDP => {
            unreachable::PORT
        }
        DropReason::Malformed
        | DropReason::NotForUs
        | DropReason::UnknownTags
        | DropReason::LinkDown
        | DropReason::RouteNone
        | DropReason::RouteInternet
        | DropReason::RouteServices
        | DropReason::RouteNotModelled
        | DropReason::RouteDeadTarget
        | DropReason::RouteNotForwarding
        | DropReason::OutOfState
        | DropReason::NeighbourQueueFull
        | DropReason::FilterDenied
        | DropReason::Policed
        | DropReason::ForbiddenTransit
        | DropReason::SourceCheck
        | DropReason::FlowTableFull
        | DropReason::NoListener
        | DropReason::TableLoop
        | DropReason::Md5
        | DropReason::CarrierLoss => return None,
    };
    Some(Icmpv4Kind::Unreachable {
        code,
        next_hop_mtu: 0,
    })
}

fn error_v6(refusal: &Refusal) -> Option<Icmpv6Kind> {
    if refusal.reason == DropReason::TtlExpired {
        return Some(Icmpv6Kind::TimeExceeded { code: 0 });
    }
    if refusal.reason == DropReason::TooBig {
        let mtu = u32::try_from(refusal.mtu).unwrap_or(u32::MAX);
        return Some(Icmpv6Kind::PacketTooBig { mtu });
    }
    // RFC 4443 §3.1: code 0 no route, 3 address unreachable.
    let code = if refusal.reason == DropReason::NoRoute {
        0
    } else if refusal.reason == DropReason::NeighbourUnresolved {
        3
    } else {
        return None;
    };
    Some(Icmpv6Kind::Unreachable { code })
}
