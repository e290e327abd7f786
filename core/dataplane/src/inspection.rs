//! A firewall's memory and rules: one filter for whatever it forwards.
//!
//! Filters of interface cards see a flow's two directions as "in" and "out"; a firewall may see both come in on
//! one interface, so only who opened the flow tells them apart here. It is strict about TCP: a connection begins
//! with a SYN that the rules allow, and goes on after an answer to it. A firewall that sees one direction only
//! (asymmetric routing) therefore drops, as real ones do.

use std::net::IpAddr;

use skybridge_base::Instant;
use skybridge_blueprint::Access;
use skybridge_wire::protocol::{ICMP, ICMPV6, TCP};
use skybridge_wire::tcp::TcpFlags;
use skybridge_wire::{FiveTuple, PacketInfo};

use crate::{
    CompiledFilter, Decision, Direction, DropReason, FlowRef, FlowTable, Opened, TableIndex,
};

/// What a firewall says about a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inspected {
    /// It belongs to this flow, and its like will as long as the flow lives.
    Known(FlowRef),
    /// It passes; its like will be judged anew: it opened a flow, or the flow is not answered yet.
    Once(Option<Decision>),
    /// It does not pass.
    Refused(DropReason, Option<Decision>),
}

/// Rules and flows of a firewall.
#[derive(Clone, Debug)]
pub struct Inspection {
    filter: CompiledFilter,
    flows: FlowTable,
}

impl Inspection {
    /// A firewall with these rules, which remembers flows in `flows`.
    #[must_use]
    pub const fn new(filter: CompiledFilter, flows: FlowTable) -> Self {
        Self { filter, flows }
    }

    /// New rules. Flows outlive a change of rules.
    pub fn set_filter(&mut self, filter: CompiledFilter) {
        self.filter = filter;
    }

    /// The rules.
    #[must_use]
    pub const fn filter(&self) -> &CompiledFilter {
        &self.filter
    }

    /// The flows.
    #[must_use]
    pub const fn flows(&self) -> &FlowTable {
        &self.flows
    }

    /// Uses a flow that is live for a further packet of the same tuple and direction.
    pub fn touch(&mut self, now: Instant, found: FlowRef, packet: &PacketInfo) {
        self.flows.touch(now, found, packet);
    }

    /// Judges a packet; `quoted` is what an ICMP error quotes, `learned` as in [`CompiledFilter::decide`].
    pub fn inspect(
        &mut self,
        now: Instant,
        packet: &PacketInfo,
        quoted: Option<&FiveTuple>,
        learned: impl Fn(TableIndex, IpAddr) -> bool,
    ) -> Inspected {
        if let Some(found) = self.find(now, packet) {
            if !self.fits(found, packet) {
                return Inspected::Refused(DropReason::OutOfState, None);
            }
            self.flows.touch(now, found, packet);
            return if packet.protocol == TCP && !self.flows.is_answered(found) {
                Inspected::Once(None)
            } else {
                Inspected::Known(found)
            };
        }
        let is_related = |quoted: &FiveTuple| {
            let ways = [Direction::In, Direction::Out];
            let mut ways = ways.into_iter();
            ways.any(|way| self.flows.is_related(now, way, quoted))
        };
        if quoted.is_some_and(is_related) {
            return Inspected::Once(None);
        }
        if !may_open(packet) {
            return Inspected::Refused(DropReason::OutOfState, None);
        }
        let decision = self.filter.decide(packet, learned);
        match decision.access {
            Access::Deny => Inspected::Refused(DropReason::FilterDenied, Some(decision)),
            Access::Allow => match self.flows.open(now, Direction::In, packet) {
                Opened::Yes => Inspected::Once(Some(decision)),
                Opened::Full => Inspected::Refused(DropReason::FlowTableFull, None),
            },
        }
    }

    /// A flow that the packet's sender opened, or that it answers.
    fn find(&self, now: Instant, packet: &PacketInfo) -> Option<FlowRef> {
        let flows = &self.flows;
        let opener = flows.find(now, Direction::In, packet);
        opener.or_else(|| flows.find(now, Direction::Out, packet))
    }

    /// RFC 9293 §3.5: until the SYN is answered the opener has nothing to say but the SYN again, or that it gives
    /// up; and the answer is a SYN of the other side's, or a refusal.
    fn fits(&self, found: FlowRef, packet: &PacketInfo) -> bool {
        packet.protocol != TCP
            || self.flows.is_answered(found)
            || packet.tcp_flags.contains(TcpFlags::SYN)
            || packet.tcp_flags.contains(TcpFlags::RST)
    }
}

/// Whether a packet may begin something: a TCP connection begins with a SYN alone, and a reply is none.
fn may_open(packet: &PacketInfo) -> bool {
    match packet.protocol {
        TCP => {
            packet.tcp_flags.contains(TcpFlags::SYN) && !packet.tcp_flags.contains(TcpFlags::ACK)
        }
        ICMP => packet.icmp.is_none_or(|(kind, _)| kind != 0),
        ICMPV6 => packet.icmp.is_none_or(|(kind, _)| kind != 129),
        _ => true,
    }
}
