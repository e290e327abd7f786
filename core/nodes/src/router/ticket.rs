//! Tickets: what a packet's way through the router rested on, so that its like can take the same way
//! without being judged again.
//!
//! A ticket is for packets that agree in every field that filters, routes and ECMP read: addresses,
//! protocol, ports, ICMP type, identifier, tags. It stands as long as its stamp does, a sum of numbers
//! that only grow: the router's own (description, links), the neighbours' and those of the tables that
//! were read. What changes with every packet is looked at each time: flows and policers.

use skybridge_base::Instant;
use skybridge_dataplane::{Direction, FlowRef, Inspection, InterfaceIndex, TableIndex};

use super::Router;
use super::forward::Egress;
use super::trace::Transit;
use crate::node::{Acceptance, Like, Terms, Ticket};

/// What filter and flows of an interface had to do with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum FlowUse {
    /// Nothing: there is no filter.
    #[default]
    Unfiltered,
    /// It belonged to this flow.
    Known(FlowRef),
    /// It belonged to no flow; a stateless rule let it pass.
    Absent,
    /// It opened a flow, or was an error about one: its like will be judged otherwise.
    Once,
}

/// No policer, or every table.
const NONE: u16 = u16::MAX;

/// See the module.
#[derive(Clone, Debug)]
pub struct RouterTicket {
    stamp: u64,
    /// What the flows of ingress, egress and inspection said, when a filter asked them.
    flows: Option<Box<[FlowUse; 3]>>,
    ingress: InterfaceIndex,
    egress: InterfaceIndex,
    /// The only table read, or [`NONE`] for several.
    table: u16,
    policers: [u16; 2],
}

impl RouterTicket {
    pub(crate) fn policers(&self) -> [Option<u16>; 2] {
        self.policers.map(|at| (at != NONE).then_some(at))
    }
}

impl Router {
    /// The ticket of a packet that passes by `egress`, and its terms; `until` is when the neighbour's
    /// address is old. `None` when its like would be judged otherwise.
    pub(super) fn ticket(
        &self,
        transit: &Transit,
        egress: Egress,
        until: Instant,
    ) -> Option<(Ticket, Terms)> {
        let ingress = transit.ingress?;
        let (from, to) = (self.interface(ingress), self.interface(egress.interface));
        if transit.flows.contains(&FlowUse::Once) {
            return None;
        }
        let absent = transit.flows.contains(&FlowUse::Absent);
        // A rule without state may have asked any table for what BGP learned.
        let only = transit.table == Some(from.table) && !absent;
        let table = if only { from.table.0 } else { NONE };
        let number = |at: Option<usize>| at.map_or(Some(NONE), |at| u16::try_from(at).ok());
        let policers = [number(from.policer_in)?, number(to.policer_out)?];
        let unfiltered = transit.flows == [FlowUse::Unfiltered; 3];
        let ticket = RouterTicket {
            stamp: self.stamp(table),
            flows: (!unfiltered).then(|| Box::new(transit.flows)),
            ingress,
            egress: egress.interface,
            table,
            policers,
        };
        let terms = Terms {
            until,
            packet_len_max: to.mtu,
            lowers_ttl: self.counts_ttl(),
            cuts_padding: true,
        };
        Some((Ticket::Router(ticket), terms))
    }

    fn stamp(&self, table: u16) -> u64 {
        let own = self.epoch.wrapping_add(self.neighbours.generation());
        let tables = if table == NONE {
            let all = self.tables.iter().map(|table| table.fib.generation());
            all.fold(0, u64::wrapping_add)
        } else {
            self.table(TableIndex(table)).fib.generation()
        };
        own.wrapping_add(tables)
    }

    /// Whether the ticket still stands for a packet, and nothing that it would be charged to refuses.
    /// Charges nothing.
    pub(super) fn accepts_ticket(
        &self,
        now: Instant,
        ticket: &RouterTicket,
        like: &Like<'_>,
    ) -> Acceptance {
        if self.stamp(ticket.table) != ticket.stamp {
            return Acceptance::Expired;
        }
        if let Some(flows) = &ticket.flows {
            let flows_of = |interface| self.interface(interface).flows.as_ref();
            let ways = [
                (flows[0], flows_of(ticket.ingress), Direction::In),
                (flows[1], flows_of(ticket.egress), Direction::Out),
                (
                    flows[2],
                    self.inspection.as_ref().map(Inspection::flows),
                    Direction::In,
                ),
            ];
            for (flow, table, direction) in ways {
                let same = match flow {
                    FlowUse::Unfiltered => true,
                    FlowUse::Known(found) => table.is_some_and(|t| t.is_live(now, found)),
                    FlowUse::Absent => {
                        table.is_some_and(|t| t.find(now, direction, like.info).is_none())
                    }
                    FlowUse::Once => false,
                };
                if !same {
                    return Acceptance::Expired;
                }
            }
        }
        let allows = |at: u16| {
            let policer = self.policers.get(usize::from(at));
            policer.is_some_and(|p| p.bucket.allows(now, like.packets, like.bytes))
        };
        if ticket.policers().into_iter().flatten().all(allows) {
            Acceptance::Accepted
        } else {
            Acceptance::NotNow
        }
    }

    /// Charges a packet for which the ticket stands.
    pub(super) fn charge_ticket(&mut self, now: Instant, ticket: &RouterTicket, like: &Like<'_>) {
        let from = &mut self.interfaces[usize::from(ticket.ingress.0)];
        from.counters.count_in(like.packets, like.bytes);
        let to = &mut self.interfaces[usize::from(ticket.egress.0)];
        to.counters.count_out(like.packets, like.bytes);
        if let Some(flows) = &ticket.flows {
            for (flow, interface) in [(flows[0], ticket.ingress), (flows[1], ticket.egress)] {
                let table = self.interfaces[usize::from(interface.0)].flows.as_mut();
                if let (FlowUse::Known(found), Some(table)) = (flow, table) {
                    table.touch(now, found, like.info);
                }
            }
            if let (FlowUse::Known(found), Some(inspection)) = (flows[2], &mut self.inspection) {
                inspection.touch(now, found, like.info);
            }
        }
        for at in ticket.policers().into_iter().flatten() {
            if let Some(policer) = self.policers.get_mut(usize::from(at)) {
                policer.bucket.take(now, like.packets, like.bytes);
            }
        }
    }
}
