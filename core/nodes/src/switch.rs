//! A carrier's layer 2 device: frames cross from one service point to the other, by their tags.
//!
//! The cross-connect decides the tags that a frame leaves with; its priority bits go with it. Nothing else of
//! the frame is read but its length. A frame that is lost is counted, and nobody is told: layer 2 has no
//! ICMP. A link that goes down at one end is not shown at the other.

use std::collections::BTreeMap;

use skybridge_base::{Deadline, Instant, Rng};
use skybridge_blueprint::{
    self as blueprint, CarrierFault, CrossConnectEnd, CrossConnectName, InterfaceName, NodeKind,
    PortName, ServicePoint, Tagging,
};
use skybridge_dataplane::DropCounters;
use skybridge_wire::{Frame, FramePool, Tag, Tags, ethernet, flow, gso};

use crate::router::{tag_key, tagging_key, wire_len, wire_tags};
use crate::{
    Acceptance, DropReason, Hop, HopVerdict, Like, Node, NodeEvent, Outbox, Passage, PortIndex,
    Terms, Ticket,
};

/// What one port counted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SwitchPortCounters {
    /// Frames that came in, whatever became of them.
    pub frames_in: u64,
    /// Octets of those.
    pub octets_in: u64,
    /// Frames that left.
    pub frames_out: u64,
    /// Octets of those.
    pub octets_out: u64,
    /// Frames that came in and belong to no cross-connect.
    pub drops: DropCounters,
}

#[derive(Debug)]
struct PortState {
    name: PortName,
    up: bool,
    /// `None` once the description no longer has it.
    mtu: Option<usize>,
    counters: SwitchPortCounters,
}

/// One way through a cross-connect.
#[derive(Clone, Copy, Debug)]
struct Way {
    cross_connect: usize,
    towards: CrossConnectEnd,
}

#[derive(Debug)]
struct CrossConnectState {
    name: CrossConnectName,
    /// Where frames leave, by end.
    exits: [Exit; 2],
    mtu: Option<usize>,
    loss_ppm: u32,
    /// The end towards which nothing passes.
    deaf: Option<CrossConnectEnd>,
    rng: Rng,
    drops: DropCounters,
}

#[derive(Clone, Copy, Debug)]
struct Exit {
    port: PortIndex,
    tagging: Tagging,
    tags: Tags,
    /// Octets of the largest packet that gets there.
    mtu: usize,
}

/// A way through a cross-connect that loses nothing, as long as description and links stay.
#[derive(Clone, Debug)]
pub struct SwitchTicket {
    epoch: u64,
    /// Ports of ingress and egress, with the octets in front of a packet there.
    ends: [(PortIndex, u8); 2],
}

impl SwitchPortCounters {
    const fn count_in(&mut self, frames: u64, octets: u64) {
        self.frames_in += frames;
        self.octets_in += octets;
    }

    const fn count_out(&mut self, frames: u64, octets: u64) {
        self.frames_out += frames;
        self.octets_out += octets;
    }
}

/// See the module.
#[derive(Debug)]
pub struct Switch {
    rng: Rng,
    ports: Vec<PortState>,
    port_by_name: BTreeMap<PortName, PortIndex>,
    cross_connects: Vec<CrossConnectState>,
    ways: BTreeMap<(PortIndex, u32), Way>,
    /// Grows with every change of the description or of a link.
    epoch: u64,
}

const fn index(end: CrossConnectEnd) -> usize {
    match end {
        CrossConnectEnd::A => 0,
        CrossConnectEnd::B => 1,
    }
}

impl Switch {
    /// Builds a switch; all its links are down. `seed` decides which frames a fault loses.
    #[must_use]
    pub fn new(spec: &blueprint::Switch, seed: u64) -> Self {
        let mut switch = Self {
            rng: Rng::new(seed),
            ports: Vec::new(),
            port_by_name: BTreeMap::new(),
            cross_connects: Vec::new(),
            ways: BTreeMap::new(),
            epoch: 0,
        };
        switch.configure(spec);
        switch
    }

    /// What each port counted.
    pub fn ports(&self) -> impl Iterator<Item = (&PortName, &SwitchPortCounters)> {
        self.ports.iter().map(|port| (&port.name, &port.counters))
    }

    /// What each cross-connect lost.
    pub fn cross_connects(&self) -> impl Iterator<Item = (&CrossConnectName, &DropCounters)> {
        self.cross_connects.iter().map(|c| (&c.name, &c.drops))
    }

    fn configure(&mut self, spec: &blueprint::Switch) {
        self.epoch += 1;
        for port in &mut self.ports {
            port.mtu = spec.ports.get(&port.name).map(|p| usize::from(p.mtu));
        }
        for (name, port) in &spec.ports {
            if self.port_by_name.contains_key(name) {
                continue;
            }
            let Ok(number) = u16::try_from(self.ports.len()) else {
                return;
            };
            self.port_by_name.insert(name.clone(), PortIndex(number));
            self.ports.push(PortState {
                name: name.clone(),
                up: false,
                mtu: Some(usize::from(port.mtu)),
                counters: SwitchPortCounters::default(),
            });
        }
        let mut old: BTreeMap<CrossConnectName, CrossConnectState> = self
            .cross_connects
            .drain(..)
            .map(|c| (c.name.clone(), c))
            .collect();
        self.ways.clear();
        // A wrong tag may claim what is another's: the points as they should be come first.
        let (wrong, right): (Vec<_>, Vec<_>) =
            spec.cross_connects.iter().partition(|(_, c)| is_misset(c));
        for (name, joined) in right.into_iter().chain(wrong) {
            self.join(name, joined, old.remove(name));
        }
    }

    fn join(
        &mut self,
        name: &CrossConnectName,
        joined: &blueprint::CrossConnect,
        old: Option<CrossConnectState>,
    ) {
        let points = [CrossConnectEnd::A, CrossConnectEnd::B].map(|end| joined.point(end));
        let strips = joined.faults.contains(&CarrierFault::StripTag);
        let exit = |point: &ServicePoint| {
            let tags = wire_tags(point.tagging);
            Some(Exit {
                port: *self.port_by_name.get(&point.port)?,
                tagging: point.tagging,
                tags: if strips { stripped(tags) } else { tags },
                mtu: usize::MAX,
            })
        };
        let (Some(a), Some(b)) = (exit(&points[0]), exit(&points[1])) else {
            return;
        };
        let (rng, drops) = match old {
            Some(old) => (old.rng, old.drops),
            None => (self.rng.child(name.as_str()), DropCounters::default()),
        };
        let number = self.cross_connects.len();
        for (exit, towards) in [(a, CrossConnectEnd::B), (b, CrossConnectEnd::A)] {
            self.ways
                .entry((exit.port, tagging_key(exit.tagging)))
                .or_insert(Way {
                    cross_connect: number,
                    towards,
                });
        }
        let mut state = CrossConnectState {
            name: name.clone(),
            exits: [a, b],
            mtu: None,
            loss_ppm: 0,
            deaf: None,
            rng,
            drops,
        };
        for fault in &joined.faults {
            match fault {
                CarrierFault::Mtu(mtu) => state.mtu = Some(usize::from(*mtu)),
                CarrierFault::Loss { ppm } => state.loss_ppm = *ppm,
                CarrierFault::OneWay { towards } => state.deaf = Some(*towards),
                // These are in the tags.
                CarrierFault::StripTag
                | CarrierFault::WrongSTag(_)
                | CarrierFault::WrongCTag(_) => {}
            }
        }
        self.cross_connects.push(state);
    }

    fn on_frame(
        &mut self,
        now: Instant,
        port: PortIndex,
        mut frame: Frame,
        out: &mut Outbox,
    ) -> Option<Passage> {
        let ingress = self.ports.get_mut(usize::from(port.0))?;
        let shape = gso::shape(&frame);
        ingress.counters.count_in(shape.frames, shape.octets);
        let Ok(view) = ethernet::parse(frame.bytes()) else {
            ingress.counters.drops.add(DropReason::Malformed);
            return None;
        };
        let (tags, header_len) = (view.tags(), view.payload_offset());
        frame.meta.l3_offset = u16::try_from(header_len).unwrap_or(u16::MAX);
        let way = tag_key(tags).and_then(|key| self.ways.get(&(port, key)).copied());
        let Some(way) = way else {
            let reason = DropReason::UnknownTags;
            ingress.counters.drops.add_many(reason, shape.frames);
            self.record(now, port, None, &frame, out, |_| {
                dropped(reason, "no cross-connect has these tags")
            });
            return None;
        };
        let loses = self.cross_connects[way.cross_connect].loss_ppm > 0;
        if loses && frame.meta.gso_size > 0 {
            self.carry_apart(now, port, (way, tags), frame, out);
            return None;
        }
        let carried = self.carry(way, tags, &mut frame);
        let exit = carried.ok();
        let passes = exit.filter(|_| frame.meta.trace == 0);
        let Some(exit) = passes else {
            self.settle(now, port, way, (frame, carried), out);
            return None;
        };
        let shape = gso::shape(&frame);
        let egress = &mut self.ports[usize::from(exit.port.0)];
        egress.counters.count_out(shape.frames, shape.octets);
        let ticket = self.ticket(way, exit, (port, header_len));
        Some(Passage {
            port: exit.port,
            frame,
            ticket,
        })
    }

    /// Counts, reports and sends a frame of which it is known whether it was carried.
    fn settle(
        &mut self,
        now: Instant,
        port: PortIndex,
        way: Way,
        (frame, carried): (Frame, Result<Exit, DropReason>),
        out: &mut Outbox,
    ) {
        let shape = gso::shape(&frame);
        match carried {
            Ok(exit) => {
                self.record(now, port, Some(way), &frame, out, |switch| {
                    HopVerdict::Forwarded {
                        egress: switch.name_of(exit.port),
                        tags: exit.tagging,
                    }
                });
                let egress = &mut self.ports[usize::from(exit.port.0)];
                egress.counters.count_out(shape.frames, shape.octets);
                out.frames.push((exit.port, frame));
            }
            Err(reason) => {
                let state = &mut self.cross_connects[way.cross_connect];
                let name = state.name.to_string();
                state.drops.add_many(reason, shape.frames);
                self.record(now, port, Some(way), &frame, out, |_| {
                    dropped(reason, &name)
                });
            }
        }
    }

    /// The frames of a super-frame one by one, where chance decides about each.
    fn carry_apart(
        &mut self,
        now: Instant,
        port: PortIndex,
        (way, tags): (Way, Tags),
        frame: Frame,
        out: &mut Outbox,
    ) {
        let mut frames = Vec::new();
        let trace = frame.meta.trace;
        if gso::split(frame, &mut FramePool::new(0), &mut frames).is_err() {
            let drops = &mut self.ports[usize::from(port.0)].counters.drops;
            return drops.add(DropReason::Malformed);
        }
        for mut frame in frames {
            frame.meta.trace = trace;
            let carried = self.carry(way, tags, &mut frame);
            self.settle(now, port, way, (frame, carried), out);
        }
    }

    /// `None` where chance decides about each frame.
    fn ticket(
        &self,
        way: Way,
        exit: Exit,
        (port, header_len): (PortIndex, usize),
    ) -> Option<(Ticket, Terms)> {
        if self.cross_connects[way.cross_connect].loss_ppm > 0 {
            return None;
        }
        let header = |len: usize| u8::try_from(len).ok();
        let ticket = SwitchTicket {
            epoch: self.epoch,
            ends: [
                (port, header(header_len)?),
                (exit.port, header(ethernet::header_len(exit.tags))?),
            ],
        };
        let terms = Terms {
            until: Instant::MAX,
            packet_len_max: exit.mtu,
            lowers_ttl: false,
            cuts_padding: false,
        };
        Some((Ticket::Switch(ticket), terms))
    }

    /// Gives a frame the tags of the far end; or why it does not get there.
    fn carry(&mut self, way: Way, tags: Tags, frame: &mut Frame) -> Result<Exit, DropReason> {
        let state = &mut self.cross_connects[way.cross_connect];
        let exit = state.exits[index(way.towards)];
        if state.deaf == Some(way.towards)
            || (state.loss_ppm > 0 && state.rng.chance_ppm(state.loss_ppm))
        {
            return Err(DropReason::CarrierLoss);
        }
        let egress = &self.ports[usize::from(exit.port.0)];
        let Some(mtu) = egress.mtu.filter(|_| egress.up) else {
            return Err(DropReason::LinkDown);
        };
        let mtu = state.mtu.map_or(mtu, |less| less.min(mtu));
        if frame.len() > usize::from(frame.meta.l3_offset) + mtu && packet_len(frame) > mtu {
            return Err(DropReason::TooBig);
        }
        let pcp = tags.outer().map_or(0, |tag: Tag| tag.pcp);
        ethernet::retag(frame, exit.tags.with_pcp(pcp)).map_err(|_| DropReason::Malformed)?;
        Ok(Exit { mtu, ..exit })
    }

    fn name_of(&self, port: PortIndex) -> InterfaceName {
        InterfaceName::from(self.ports[usize::from(port.0)].name.as_str())
    }

    /// Reports the hop of a traced packet.
    fn record(
        &self,
        now: Instant,
        port: PortIndex,
        way: Option<Way>,
        frame: &Frame,
        out: &mut Outbox,
        verdict: impl FnOnce(&Self) -> HopVerdict,
    ) {
        if frame.meta.trace == 0 {
            return;
        }
        let l3 = ethernet::parse(frame.bytes()).map(|view| view.payload_offset());
        let packet = l3.ok().and_then(|offset| frame.bytes().get(offset..));
        let Some(Ok(info)) = packet.map(flow::parse) else {
            return;
        };
        let tags_in = way.map(|way| {
            let state = &self.cross_connects[way.cross_connect];
            state.exits[index(way.towards.other())].tagging
        });
        out.events.push(NodeEvent::Hop(Box::new(Hop {
            trace: frame.meta.trace,
            at: now,
            ingress: Some(self.name_of(port)),
            tags_in,
            vrf: None,
            route: None,
            src: info.src,
            dst: info.dst,
            ttl: info.ttl,
            allowed_by: String::new(),
            doubtful: false,
            verdict: verdict(self),
        })));
    }
}

/// True when the carrier set wrong tags.
fn is_misset(joined: &blueprint::CrossConnect) -> bool {
    joined.faults.iter().any(|fault| match fault {
        CarrierFault::WrongSTag(_) | CarrierFault::WrongCTag(_) => true,
        CarrierFault::StripTag
        | CarrierFault::Mtu(_)
        | CarrierFault::Loss { .. }
        | CarrierFault::OneWay { .. } => false,
    })
}

/// Without the innermost tag.
const fn stripped(tags: Tags) -> Tags {
    match tags {
        Tags::Untagged | Tags::One(_) => Tags::Untagged,
        Tags::Two(outer, _) => Tags::One(outer),
    }
}

/// Octets of the largest packet that a frame is on the wire.
fn packet_len(frame: &Frame) -> usize {
    match flow::parse(frame.l3()) {
        Ok(info) => wire_len(frame, &info),
        Err(_) => frame.l3().len(),
    }
}

fn dropped(reason: DropReason, detail: &str) -> HopVerdict {
    HopVerdict::Dropped {
        reason,
        detail: detail.to_owned(),
        unknown: false,
    }
}

impl Node for Switch {
    fn handle_frames(
        &mut self,
        now: Instant,
        port: PortIndex,
        frames: &mut Vec<Frame>,
        out: &mut Outbox,
    ) {
        for frame in frames.drain(..) {
            if let Some(passage) = self.pass(now, port, frame, false, out) {
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
        _wants_ticket: bool,
        out: &mut Outbox,
    ) -> Option<Passage> {
        self.on_frame(now, port, frame, out)
    }

    fn accepts(&self, _now: Instant, ticket: &Ticket, _like: &Like<'_>) -> Acceptance {
        match ticket {
            Ticket::Switch(ticket) if ticket.epoch == self.epoch => Acceptance::Accepted,
            Ticket::Switch(_) | Ticket::Router(_) => Acceptance::Expired,
        }
    }

    fn charge(&mut self, _now: Instant, ticket: &Ticket, like: &Like<'_>) {
        let Ticket::Switch(ticket) = ticket else {
            return;
        };
        let [octets_in, octets_out] = ticket
            .ends
            .map(|(_, header)| like.bytes as u64 + like.packets * u64::from(header));
        let [ingress, egress] = ticket.ends.map(|(port, _)| usize::from(port.0));
        self.ports[ingress]
            .counters
            .count_in(like.packets, octets_in);
        self.ports[egress]
            .counters
            .count_out(like.packets, octets_out);
    }

    fn handle_timeout(&mut self, _now: Instant, _out: &mut Outbox) {}

    fn handle_link(&mut self, _now: Instant, port: PortIndex, up: bool, _out: &mut Outbox) {
        if let Some(state) = self.ports.get_mut(usize::from(port.0)) {
            state.up = up;
            self.epoch += 1;
        }
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        None
    }

    fn port_index(&self, name: &PortName) -> Option<PortIndex> {
        self.port_by_name.get(name).copied()
    }

    fn reconfigure(&mut self, _now: Instant, spec: &NodeKind, _out: &mut Outbox) {
        match spec {
            NodeKind::Switch(spec) => self.configure(spec),
            // A node that changes its kind is built anew by its owner.
            NodeKind::Router(_) | NodeKind::Host(_) | NodeKind::External(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
