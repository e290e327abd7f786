//! A router: everything from a provider edge to a cloud's distributed virtual router.
//!
//! Frames come in on a port, their tags choose the sub-interface, the sub-interface its table. The
//! path of a packet is in `ingress` and `forward`, what leaves in `egress`, who has which address in
//! `arp`; `control` runs BGP and BFD through the same ports and tags.
//!
//! Limits: 65,536 neighbours with 16 waiting packets each, 500,000 flows per filtered interface, eight
//! tables walked for one packet, 1,000 ICMP errors a second with bursts of ten.

mod arp;
mod configure;
mod control;
mod egress;
mod forward;
mod ingress;
mod neighbours;
mod observe;
mod ping;
mod state;
mod ticket;
mod trace;

use std::collections::BTreeMap;

use skybridge_base::{Deadline, Instant, Rng, earliest};
use skybridge_blueprint as blueprint;
use skybridge_blueprint::{HopVisibility, InterfaceName, PortName, VrfName, Zone};
use skybridge_dataplane::{
    DropCounters, Inspection, InterfaceIndex, RouteHop, TableIndex, TokenBucket,
};
use skybridge_wire::{Frame, FramePool, flow};

pub use control::{BgpPathObservation, BgpPeerObservation, BgpRouteObservation};
pub use ticket::RouterTicket;

pub use observe::{
    InterfaceObservation, NeighbourObservation, PolicerObservation, RouteObservation,
    RouterCounters,
};

use crate::{Acceptance, DropReason, Like, Node, NodeEvent, Outbox, Passage, PortIndex, Ticket};
pub(crate) use forward::wire_len;
pub(crate) use state::{tag_key, tagging_key, wire_tags};

use control::Control;
use neighbours::Neighbours;
use state::{InterfaceState, PolicerState, PortState, TableState};

/// Buffers kept for reuse.
const FRAMES_POOLED: usize = 64;

/// A router.
#[derive(Debug)]
pub struct Router {
    name: String,
    seed: u64,
    spec: blueprint::Router,
    visibility: HopVisibility,
    ports: Vec<PortState>,
    port_by_name: BTreeMap<PortName, PortIndex>,
    interfaces: Vec<InterfaceState>,
    interface_by_name: BTreeMap<InterfaceName, InterfaceIndex>,
    tables: Vec<TableState>,
    table_by_name: BTreeMap<VrfName, TableIndex>,
    policers: Vec<PolicerState>,
    policer_by_name: BTreeMap<String, usize>,
    forbidden_transit: Vec<(Zone, Zone)>,
    inspection: Option<Inspection>,
    neighbours: Neighbours,
    icmp_budget: TokenBucket,
    ecmp_seed: u64,
    /// Grows with every change of the description or of a link.
    epoch: u64,
    drops: DropCounters,
    pool: FramePool,
    control: Control,
}

impl Router {
    /// Builds a router called `name`; all its links are down. `seed` decides hashes and session
    /// numbers: the same seed and inputs give the same frames.
    #[must_use]
    pub fn new(name: &str, spec: &blueprint::Router, seed: u64) -> Self {
        let rng = Rng::new(seed).child(name);
        let mut router = Self {
            name: name.to_owned(),
            seed: rng.child("control").next_u64(),
            spec: blueprint::Router::default(),
            visibility: spec.visibility,
            ports: Vec::new(),
            port_by_name: BTreeMap::new(),
            interfaces: Vec::new(),
            interface_by_name: BTreeMap::new(),
            tables: Vec::new(),
            table_by_name: BTreeMap::new(),
            policers: Vec::new(),
            policer_by_name: BTreeMap::new(),
            forbidden_transit: Vec::new(),
            inspection: None,
            neighbours: Neighbours::new(rng.child("neighbours").next_u64()),
            icmp_budget: TokenBucket::new(egress::ICMP_RATE, Instant::ZERO),
            ecmp_seed: rng.child("ecmp").next_u64(),
            epoch: 0,
            drops: DropCounters::default(),
            pool: FramePool::new(FRAMES_POOLED),
            control: Control::default(),
        };
        router.configure(Instant::ZERO, spec, &mut Outbox::default());
        router
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The description it runs.
    #[must_use]
    pub const fn spec(&self) -> &blueprint::Router {
        &self.spec
    }

    fn interface(&self, index: InterfaceIndex) -> &InterfaceState {
        &self.interfaces[usize::from(index.0)]
    }

    fn table(&self, index: TableIndex) -> &TableState {
        &self.tables[usize::from(index.0)]
    }

    fn interfaces_of(&self, port: PortIndex) -> Vec<InterfaceIndex> {
        (0_u16..)
            .zip(&self.interfaces)
            .filter(|(_, i)| i.alive && i.port == port)
            .map(|(index, _)| InterfaceIndex(index))
            .collect()
    }

    fn is_up(&self, interface: InterfaceIndex) -> bool {
        let state = self.interface(interface);
        let port = self.ports.get(usize::from(state.port.0));
        state.alive && port.is_some_and(|port| port.up)
    }

    /// Counts a drop, for each frame that it is on the wire, and takes the buffer back.
    fn discard(&mut self, reason: DropReason, frame: Frame) {
        self.drops.add_many(reason, self.wire_frames(&frame));
        self.pool.give(frame);
    }

    /// Frames on the wire that a frame is, whether or not it still has its Ethernet header.
    fn wire_frames(&self, frame: &Frame) -> u64 {
        if frame.meta.gso_size == 0 {
            return 1;
        }
        flow::parse(frame.l3()).map_or(1, |info| forward::segments(frame, &info).0)
    }

    /// Reports the routes of `table` that changed.
    fn routes_changed(&self, table: TableIndex, changed: &[ipnet::IpNet], out: &mut Outbox) {
        for prefix in changed {
            let found = self.table(table).fib.exact(*prefix);
            let hops = found.map_or(&[][..], |f| f.hops);
            // Own addresses are not routes to anybody.
            let is_local = |hop: &RouteHop| matches!(hop, RouteHop::Local { .. });
            if !hops.is_empty() && hops.iter().all(is_local) {
                continue;
            }
            let next_hops: Vec<_> = hops.iter().filter_map(|hop| self.next_hop(*hop)).collect();
            out.events.push(NodeEvent::Route {
                vrf: self.table(table).name.clone(),
                prefix: *prefix,
                next_hops,
            });
        }
    }
}

impl Node for Router {
    fn handle_frames(
        &mut self,
        now: Instant,
        port: PortIndex,
        frames: &mut Vec<Frame>,
        out: &mut Outbox,
    ) {
        for frame in frames.drain(..) {
            if let Some(passage) = self.on_frame(now, port, frame, false, out) {
                out.frames.push((passage.port, passage.frame));
            }
        }
    }

    fn is_transit(&self) -> bool {
        true
    }

    fn pass(
        &mut self,
        now: Instant,
        port: PortIndex,
        frame: Frame,
        wants_ticket: bool,
        out: &mut Outbox,
    ) -> Option<Passage> {
        self.on_frame(now, port, frame, wants_ticket, out)
    }

    fn accepts(&self, now: Instant, ticket: &Ticket, like: &Like<'_>) -> Acceptance {
        match ticket {
            Ticket::Router(ticket) => self.accepts_ticket(now, ticket, like),
            Ticket::Switch(_) => Acceptance::Expired,
        }
    }

    fn charge(&mut self, now: Instant, ticket: &Ticket, like: &Like<'_>) {
        if let Ticket::Router(ticket) = ticket {
            self.charge_ticket(now, ticket, like);
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        self.on_neighbour_timers(now, out);
        self.on_session_timers(now, out);
    }

    fn handle_link(&mut self, now: Instant, port: PortIndex, up: bool, out: &mut Outbox) {
        let Some(state) = self.ports.get_mut(usize::from(port.0)) else {
            return;
        };
        if state.up == up {
            return;
        }
        state.up = up;
        self.epoch += 1;
        let interfaces = self.interfaces_of(port);
        for interface in &interfaces {
            self.set_routes_usable(*interface, up, out);
            if up {
                self.announce_addresses(*interface, out);
            } else {
                self.forget_neighbours(now, *interface, out);
            }
        }
        self.on_session_link(now, &interfaces, up, out);
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let neighbours = self.neighbours.next_due();
        let neighbours = neighbours.map(|at| Deadline::new(at, "neighbour"));
        earliest(neighbours, self.session_deadline())
    }

    fn port_index(&self, name: &PortName) -> Option<PortIndex> {
        self.port_by_name.get(name).copied()
    }

    fn reconfigure(&mut self, now: Instant, spec: &blueprint::NodeKind, out: &mut Outbox) {
        match spec {
            blueprint::NodeKind::Router(spec) => self.configure(now, spec, out),
            // A node that changes its kind is built anew by its owner.
            blueprint::NodeKind::Host(_)
            | blueprint::NodeKind::External(_)
            | blueprint::NodeKind::Switch(_) => {}
        }
    }
}
