//! Hop records of traced packets.

use ipnet::IpNet;
use skybridge_base::Instant;
use skybridge_blueprint::{NextHop, RouteSource};
use skybridge_dataplane::{Direction, InterfaceIndex, Place, RouteHop, TableIndex};
use skybridge_wire::PacketInfo;

use super::Router;
use super::ticket::FlowUse;
use crate::{DropReason, Hop, HopVerdict};

/// A packet on its way through, with what was decided so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transit {
    pub(super) now: Instant,
    /// `None` for packets that the router made.
    pub(super) ingress: Option<InterfaceIndex>,
    pub(super) info: PacketInfo,
    pub(super) table: Option<TableIndex>,
    pub(super) route: Option<(IpNet, RouteHop, RouteSource)>,
    /// What the flows of ingress and egress said, and those of the inspection.
    pub(super) flows: [FlowUse; 3],
    /// The rule of the inspection that allowed it.
    pub(super) allowed: Option<Place>,
    /// An unknown rule could have denied what was allowed.
    pub(super) doubtful: bool,
}

impl Transit {
    /// A packet about which nothing is decided, that came in on an interface or was made here.
    pub(super) const fn new(
        now: Instant,
        ingress: Option<InterfaceIndex>,
        info: PacketInfo,
        table: Option<TableIndex>,
    ) -> Self {
        Self {
            now,
            ingress,
            info,
            table,
            route: None,
            flows: [FlowUse::Unfiltered; 3],
            allowed: None,
            doubtful: false,
        }
    }
}

/// Why a packet goes no further, with what a hop record says about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub(super) reason: DropReason,
    /// The rule that denied: of an interface, or of the inspection.
    pub(super) rule: Option<(Option<(InterfaceIndex, Direction)>, Place)>,
    /// An unknown rule or a route that is not modelled could have changed it.
    pub(super) unknown: bool,
    /// MTU ahead for [`DropReason::TooBig`].
    pub(super) mtu: usize,
}

impl From<DropReason> for Refusal {
    fn from(reason: DropReason) -> Self {
        Self {
            reason,
            rule: None,
            unknown: reason == DropReason::RouteNotModelled,
            mtu: 0,
        }
    }
}

impl Router {
    /// The hop record of a packet with `verdict`.
    pub(super) fn hop(&self, trace: u32, transit: &Transit, verdict: HopVerdict) -> Box<Hop> {
        let ingress = transit.ingress.map(|index| self.interface(index));
        Box::new(Hop {
            trace,
            at: transit.now,
            ingress: ingress.map(|i| i.name.clone()),
            tags_in: ingress.map(|i| i.tagging),
            vrf: transit.table.map(|t| self.table(t).name.clone()),
            route: transit
                .route
                .and_then(|(prefix, hop, source)| Some((prefix, self.next_hop(hop)?, source))),
            src: transit.info.src,
            dst: transit.info.dst,
            ttl: transit.info.ttl,
            allowed_by: transit
                .allowed
                .map_or_else(String::new, |place| self.inspected_words(place)),
            doubtful: transit.doubtful,
            verdict,
        })
    }

    pub(super) fn dropped(&self, refusal: &Refusal) -> HopVerdict {
        HopVerdict::Dropped {
            reason: refusal.reason,
            detail: self.detail(refusal),
            unknown: refusal.unknown,
        }
    }

    /// The rule of the inspection in words.
    fn inspected_words(&self, place: Place) -> String {
        let names = self
            .inspection
            .as_ref()
            .and_then(|i| i.filter().names(place));
        match names {
            Some((set, Some(rule))) => format!("{set}: {rule}"),
            Some((set, None)) => format!("{set}: no rule allows it"),
            None => String::new(),
        }
    }

    fn detail(&self, refusal: &Refusal) -> String {
        if let Some((None, place)) = refusal.rule {
            return self.inspected_words(place);
        }
        if let Some((Some((interface, direction)), place)) = refusal.rule {
            let interface = self.interface(interface);
            let way = match direction {
                Direction::In => "in",
                Direction::Out => "out",
            };
            let names = interface.filter(direction).and_then(|f| f.names(place));
            return match names {
                Some((set, Some(rule))) => {
                    format!("{set}: {rule} ({way} at {})", interface.name)
                }
                Some((set, None)) => {
                    format!("{set}: no rule matches ({way} at {})", interface.name)
                }
                None => String::new(),
            };
        }
        if refusal.reason == DropReason::TooBig {
            return format!("MTU {}", refusal.mtu);
        }
        String::new()
    }

    /// A hop in the blueprint's terms. An own address is "connected" on its interface.
    pub(super) fn next_hop(&self, hop: RouteHop) -> Option<NextHop> {
        Some(match hop {
            RouteHop::Local { interface } | RouteHop::Connected { interface } => {
                NextHop::Connected {
                    interface: self.interface(interface).name.clone(),
                }
            }
            RouteHop::Via { interface, address } => NextHop::Via {
                interface: self.interface(interface).name.clone(),
                address,
            },
            RouteHop::Table(table) => NextHop::Table {
                vrf: self.tables.get(usize::from(table.0))?.name.clone(),
            },
            RouteHop::Drop(kind) => NextHop::Drop(kind),
        })
    }
}
