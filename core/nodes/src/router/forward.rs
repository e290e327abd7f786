//! What becomes of a packet: checks, lookup, MTU, filters, policers. In this order: source check,
//! policer in, filter in, lookup (own addresses among the routes), inspection, TTL, transit rules, MTU,
//! filter out, policer out.

use std::net::IpAddr;

use skybridge_blueprint::{Access, DropKind, HopVisibility, Tracking};
use skybridge_dataplane::{
    Direction, Inspected, InterfaceIndex, Opened, RouteHop, TableIndex, ecmp,
};
use skybridge_wire::{Frame, PacketInfo, flow, gso, ipv4, ipv6, protocol};

use super::Router;
use super::ticket::FlowUse;
use super::trace::{Refusal, Transit};
use crate::DropReason;

/// Tables walked for one packet.
const TABLES_MAX: usize = 8;

/// Where a packet goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// To the router itself.
    Local,
    /// On.
    Out(Egress),
}

/// How a packet leaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Egress {
    pub(super) interface: InterfaceIndex,
    /// Whose MAC address it gets.
    pub(super) neighbour: IpAddr,
    /// It must be cut for this MTU.
    pub(super) fragment: Option<usize>,
}

impl Router {
    /// Judges a packet that came in on `index`, and lowers its TTL when it goes on.
    pub(super) fn forward(
        &mut self,
        transit: &mut Transit,
        index: InterfaceIndex,
        frame: &mut Frame,
    ) -> Result<Fate, Refusal> {
        let info = transit.info;
        self.check_source(index, &info)?;
        self.police(transit, index, Direction::In, frame)?;
        self.judge(transit, index, Direction::In, frame)?;
        if is_for_many(info.dst) {
            // Nothing is routed to groups.
            return Err(DropReason::NoListener.into());
        }
        let table = self.interface(index).table;
        if is_link_local(info.dst) && self.owns_link_local(index, info.dst) {
            return Ok(Fate::Local);
        }
        let hop = self.lookup(transit, table)?;
        if matches!(hop, RouteHop::Local { .. }) {
            return Ok(Fate::Local);
        }
        self.inspect(transit, frame)?;
        let (out, neighbour) = match hop {
            RouteHop::Local { .. } => return Ok(Fate::Local),
            RouteHop::Via { interface, address } => (interface, address),
            RouteHop::Connected { interface } => (interface, info.dst),
            RouteHop::Table(_) => return Err(DropReason::TableLoop.into()),
            RouteHop::Drop(kind) => return Err(drop_reason(kind).into()),
        };
        // RFC 3927 §7, RFC 4291 §2.5.6: link-local destinations are not forwarded.
        if is_link_local(info.dst) {
            return Err(DropReason::NoRoute.into());
        }
        let counts_ttl = self.counts_ttl();
        if counts_ttl && info.ttl <= 1 {
            return Err(DropReason::TtlExpired.into());
        }
        self.check_transit(index, out)?;
        let fragment = self.check_mtu(out, &info, frame)?;
        self.judge(transit, out, Direction::Out, frame)?;
        self.police(transit, out, Direction::Out, frame)?;
        if counts_ttl {
            match info.dst {
                IpAddr::V4(_) => ipv4::decrement_ttl(frame.l3_mut()),
                IpAddr::V6(_) => ipv6::decrement_hop_limit(frame.l3_mut()),
            };
        }
        Ok(Fate::Out(Egress {
            interface: out,
            neighbour,
            fragment,
        }))
    }

    pub(super) fn counts_ttl(&self) -> bool {
        self.visibility != HopVisibility::Transparent
    }

    /// Walks from `table` to a hop that is no table, and notes it.
    pub(super) fn lookup(
        &self,
        transit: &mut Transit,
        mut table: TableIndex,
    ) -> Result<RouteHop, Refusal> {
        for _ in 0..TABLES_MAX {
            transit.table = Some(table);
            transit.route = None;
            let found = self.table(table).fib.lookup(transit.info.dst);
            let found = found.ok_or(DropReason::NoRoute)?;
            let hop = match found.hops {
                [one] => *one,
                several => {
                    let tuple = transit.info.ecmp_tuple();
                    let tuple = if self.table(table).symmetric {
                        ecmp::either_way(tuple)
                    } else {
                        tuple
                    };
                    let hash = ecmp::hash(self.ecmp_seed, &tuple);
                    let at = ecmp::choose(hash, several.len());
                    *several.get(at).ok_or(DropReason::NoRoute)?
                }
            };
            transit.route = Some((found.prefix, hop, found.source));
            match hop {
                RouteHop::Table(next) => table = next,
                RouteHop::Local { .. }
                | RouteHop::Via { .. }
                | RouteHop::Connected { .. }
                | RouteHop::Drop(_) => return Ok(hop),
            }
        }
        Err(DropReason::TableLoop.into())
    }

    fn check_source(&self, index: InterfaceIndex, info: &PacketInfo) -> Result<(), Refusal> {
        match &self.interface(index).source_check {
            Some(prefixes) if !prefixes.iter().any(|p| p.contains(&info.src)) => {
                Err(DropReason::SourceCheck.into())
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_transit(&self, from: InterfaceIndex, to: InterfaceIndex) -> Result<(), Refusal> {
        if self.forbidden_transit.is_empty() {
            return Ok(());
        }
        let (Some(a), Some(b)) = (self.interface(from).zone, self.interface(to).zone) else {
            return Ok(());
        };
        let forbidden = |pair: &(_, _)| *pair == (a, b) || *pair == (b, a);
        if self.forbidden_transit.iter().any(forbidden) {
            return Err(DropReason::ForbiddenTransit.into());
        }
        Ok(())
    }

    /// The MTU to cut the packet for, if it must be cut.
    pub(super) fn check_mtu(
        &self,
        out: InterfaceIndex,
        info: &PacketInfo,
        frame: &Frame,
    ) -> Result<Option<usize>, Refusal> {
        let mtu = self.interface(out).mtu;
        if wire_len(frame, info) <= mtu {
            return Ok(None);
        }
        let may_fragment = frame.meta.gso_size == 0
            && ipv4::parse(frame.l3()).is_ok_and(|view| !view.dont_fragment());
        if may_fragment {
            return Ok(Some(mtu));
        }
        Err(Refusal {
            mtu,
            ..DropReason::TooBig.into()
        })
    }

    fn police(
        &mut self,
        transit: &Transit,
        index: InterfaceIndex,
        direction: Direction,
        frame: &Frame,
    ) -> Result<(), Refusal> {
        let interface = self.interface(index);
        let policer = match direction {
            Direction::In => interface.policer_in,
            Direction::Out => interface.policer_out,
        };
        let Some(policer) = policer.and_then(|at| self.policers.get_mut(at)) else {
            return Ok(());
        };
        let (packets, bytes) = segments(frame, &transit.info);
        if policer.bucket.take(transit.now, packets, bytes) {
            Ok(())
        } else {
            Err(DropReason::Policed.into())
        }
    }

    /// Filter and flow state of one interface in one direction.
    fn judge(
        &mut self,
        transit: &mut Transit,
        index: InterfaceIndex,
        direction: Direction,
        frame: &Frame,
    ) -> Result<(), Refusal> {
        let interface = &mut self.interfaces[usize::from(index.0)];
        let doubtful = &mut transit.doubtful;
        let [flow_in, flow_out, _] = &mut transit.flows;
        let (filter, used) = match direction {
            Direction::In => (&interface.filter_in, flow_in),
            Direction::Out => (&interface.filter_out, flow_out),
        };
        let (Some(filter), Some(flows)) = (filter, &mut interface.flows) else {
            return Ok(());
        };
        let (now, info) = (transit.now, &transit.info);
        if let Some(found) = flows.admit(now, direction, info) {
            *used = FlowUse::Known(found);
            return Ok(());
        }
        *used = FlowUse::Once;
        if is_icmp_error(info)
            && let Some(quoted) = flow::related(frame.l3())
            && flows.is_related(now, direction, &quoted)
        {
            return Ok(());
        }
        let tables = &self.tables;
        let decision = filter.decide(info, |table, address| {
            tables
                .get(usize::from(table.0))
                .is_some_and(|table| table.fib.is_learned(address))
        });
        *doubtful |= decision.access == Access::Allow && decision.could_change;
        match (decision.access, decision.tracking) {
            (Access::Allow, Tracking::Stateful) => match flows.open(now, direction, info) {
                Opened::Yes => Ok(()),
                Opened::Full => Err(DropReason::FlowTableFull.into()),
            },
            (Access::Allow, Tracking::Stateless) => {
                *used = FlowUse::Absent;
                Ok(())
            }
            (Access::Deny, _) => Err(Refusal {
                rule: decision
                    .place
                    .map(|place| (Some((index, direction)), place)),
                unknown: decision.could_change,
                ..DropReason::FilterDenied.into()
            }),
        }
    }

    /// What a firewall says about a packet that it is to forward.
    fn inspect(&mut self, transit: &mut Transit, frame: &Frame) -> Result<(), Refusal> {
        let Some(inspection) = &mut self.inspection else {
            return Ok(());
        };
        let info = &transit.info;
        let quoted = is_icmp_error(info)
            .then(|| flow::related(frame.l3()))
            .flatten();
        let tables = &self.tables;
        let learned = |table: TableIndex, address| {
            let table = tables.get(usize::from(table.0));
            table.is_some_and(|table| table.fib.is_learned(address))
        };
        let [.., used] = &mut transit.flows;
        match inspection.inspect(transit.now, info, quoted.as_ref(), learned) {
            Inspected::Known(found) => *used = FlowUse::Known(found),
            Inspected::Once(decision) => {
                *used = FlowUse::Once;
                transit.allowed = decision.and_then(|d| d.place);
                transit.doubtful |= decision.is_some_and(|d| d.could_change);
            }
            Inspected::Refused(reason, decision) => {
                return Err(Refusal {
                    rule: decision.and_then(|d| Some((None, d.place?))),
                    unknown: decision.is_some_and(|d| d.could_change),
                    ..reason.into()
                });
            }
        }
        Ok(())
    }

    fn owns_link_local(&self, index: InterfaceIndex, address: IpAddr) -> bool {
        let interface = self.interface(index);
        interface.owns(address) || address == IpAddr::V6(super::state::link_local(interface.mac))
    }

    /// The interface by which a packet for `address` would leave, if it would.
    pub(super) fn egress_of(&self, table: TableIndex, address: IpAddr) -> Option<InterfaceIndex> {
        let mut table = table;
        for _ in 0..TABLES_MAX {
            let found = self.table(table).fib.lookup(address)?;
            match found.hops.first()? {
                RouteHop::Table(next) => table = *next,
                RouteHop::Via { interface, .. } | RouteHop::Connected { interface } => {
                    return Some(*interface);
                }
                RouteHop::Local { .. } | RouteHop::Drop(_) => return None,
            }
        }
        None
    }
}

const fn drop_reason(kind: DropKind) -> DropReason {
    match kind {
        DropKind::None => DropReason::RouteNone,
        DropKind::Internet => DropReason::RouteInternet,
        DropKind::Services => DropReason::RouteServices,
        DropKind::NotModelled => DropReason::RouteNotModelled,
        DropKind::DeadTarget => DropReason::RouteDeadTarget,
        DropKind::NotForwarding => DropReason::RouteNotForwarding,
    }
}

pub(super) fn is_icmp_error(info: &PacketInfo) -> bool {
    match (info.protocol, info.icmp) {
        // RFC 792: unreachable, source quench, redirect, time exceeded, parameter problem.
        (protocol::ICMP, Some((kind, _))) => matches!(kind, 3 | 4 | 5 | 11 | 12),
        // RFC 4443 §2.1: error messages have the high bit clear.
        (protocol::ICMPV6, Some((kind, _))) => kind < 128,
        _ => false,
    }
}

const fn is_for_many(dst: IpAddr) -> bool {
    match dst {
        IpAddr::V4(a) => a.is_multicast() || a.is_broadcast() || a.is_unspecified(),
        IpAddr::V6(a) => a.is_multicast() || a.is_unspecified(),
    }
}

const fn is_link_local(dst: IpAddr) -> bool {
    match dst {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    }
}

/// Bytes of the largest packet on the wire.
pub(crate) fn wire_len(frame: &Frame, info: &PacketInfo) -> usize {
    gso::packets(frame.l3(), info, frame.meta.gso_size).len_max
}

/// Packets and layer 3 octets that a frame is on the wire.
pub(super) fn segments(frame: &Frame, info: &PacketInfo) -> (u64, usize) {
    let packets = gso::packets(frame.l3(), info, frame.meta.gso_size);
    (packets.count, packets.octets)
}
