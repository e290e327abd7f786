//! Frames that go the way of an earlier one, by the flow cache.
//!
//! A way is recorded while a frame is judged node by node, and taken by later ones only if every node on
//! it says that it would judge alike: then their counters, flows and policers are charged, the final
//! header is written, and the frame stands at the end of the way. If any node declines, nothing has
//! been charged, and the frame is judged node by node. Those who watch frames on their way (trace hash,
//! checkers) see each on each link in either case.

use skybridge_base::Instant;
use skybridge_nodes::{Acceptance, PortIndex, Terms, Ticket};
use skybridge_wire::Frame;

use crate::flow_cache::{FlowCacheStats, Header, Hop, Key, Packet, Way};
use crate::link::{LinkIndex, LinkState};
use crate::slot::{Buildable, NodeIndex};
use crate::world::{Checker, World};

/// A way as far as it is known.
#[derive(Debug)]
pub(crate) struct Recording(Box<Way>);

impl Recording {
    /// Begins, in the place of a way that no longer stands if there is one.
    fn new(key: Key, wiring: u64, old: Option<Box<Way>>) -> Self {
        let (mut hops, mut headers) = (Vec::new(), Vec::new());
        let mut place = old;
        if let Some(old) = &mut place {
            hops = std::mem::take(&mut old.hops);
            headers = std::mem::take(&mut old.headers);
            hops.clear();
            headers.clear();
        }
        let way = Way {
            key,
            wiring,
            until: Instant::MAX,
            packet_len_max: usize::MAX,
            cuts_padding: false,
            lowered: 0,
            exit: (NodeIndex(0), PortIndex(0)),
            hops,
            headers,
        };
        Self(match place {
            Some(mut place) => {
                *place = way;
                place
            }
            None => Box::new(way),
        })
    }

    /// Adds a node; without its ticket there is nothing to record.
    pub(crate) fn and(
        recording: Option<Self>,
        node: NodeIndex,
        ticket: Option<(Ticket, Terms)>,
    ) -> Option<Self> {
        let mut recording = recording?;
        let way = &mut recording.0;
        let (ticket, terms) = ticket?;
        if ticket.policers().next().is_some() && asks_twice(way, node, &ticket) {
            return None;
        }
        way.until = way.until.min(terms.until);
        way.packet_len_max = way.packet_len_max.min(terms.packet_len_max);
        if way.hops.is_empty() {
            way.cuts_padding = terms.cuts_padding;
        }
        way.lowered += u8::from(terms.lowers_ttl);
        way.hops.push(Hop {
            ticket,
            node,
            onto: None,
            lowers_ttl: terms.lowers_ttl,
            header_len: 0,
        });
        Some(recording)
    }

    /// Notes the link that the frame has gone over, and how it came out.
    pub(crate) fn onto(
        mut self,
        link: &LinkState,
        ahead: (LinkIndex, usize),
        frame: &Frame,
    ) -> Option<Self> {
        let way = &mut self.0;
        let (hop, header) = (way.hops.last_mut()?, Header::of(frame)?);
        let mtu = usize::from(link.properties.mtu);
        way.packet_len_max = way.packet_len_max.min(mtu);
        let (index, side) = ahead;
        hop.onto = Some((index, u8::from(side == 1)));
        hop.header_len = header.len();
        way.headers.push(header);
        Some(self)
    }
}

/// Each policer is asked before any is charged, so that none may be asked twice.
fn asks_twice(way: &Way, node: NodeIndex, ticket: &Ticket) -> bool {
    let again = ticket.policers().any(|at| {
        let mut earlier = way.hops.iter().filter(|hop| hop.node == node);
        earlier.any(|hop| hop.ticket.policers().any(|other| other == at))
    });
    let count = ticket.policers().count();
    again || (count > 1 && ticket.policers().min() == ticket.policers().max())
}

impl<N: Buildable> World<N> {
    /// Whether frames may go the way of earlier ones without being judged again (they may unless told
    /// otherwise). Either way they meet the same, at the same times.
    pub fn set_flow_cache(&mut self, is_on: bool) {
        self.flows.is_on = is_on;
        self.flows.clear();
    }

    /// Makes every way that is remembered stand no more, as a change of any link does.
    pub const fn forget_ways(&mut self) {
        self.rewired();
    }

    /// How the flow cache fares.
    #[must_use]
    pub const fn flow_cache(&self) -> FlowCacheStats {
        self.flows.stats
    }

    /// What is joined to what, or how, has changed: no way stands any more.
    pub(crate) const fn rewired(&mut self) {
        self.flows.wiring += 1;
    }

    /// Lets a frame that comes in on a port go a remembered way. One that has none comes back, with what
    /// is to record its way if it is worth it.
    pub(crate) fn repeat(
        &mut self,
        node: NodeIndex,
        port: PortIndex,
        mut frame: Frame,
        checker: &mut Option<&mut (dyn Checker + '_)>,
    ) -> Option<(Frame, Option<Recording>)> {
        if !self.flows.is_on {
            return Some((frame, None));
        }
        let Some(packet) = Packet::read(node, port, &frame) else {
            return Some((frame, None));
        };
        let hash = self.flows.hash(&packet.key);
        let found = self.flows.find(hash, &packet.key);
        let Some((at, way)) = found.and_then(|at| Some((at, self.flows.take(at)?))) else {
            self.flows.stats.misses += 1;
            let recording = self.flows.comes_again(hash);
            return Some((
                frame,
                recording.then(|| Recording::new(packet.key, self.flows.wiring, None)),
            ));
        };
        let acceptance = self.acceptance(&way, &packet);
        if acceptance != Acceptance::Accepted {
            self.flows.put_back(at, way);
            self.flows.stats.misses += 1;
            let recording = (acceptance == Acceptance::Expired).then(|| {
                let old = self.flows.forget(at);
                Recording::new(packet.key, self.flows.wiring, old)
            });
            return Some((frame, recording));
        }
        self.flows.stats.hits += 1;
        self.take_way(&way, &packet, &mut frame, checker);
        let (node, port) = way.exit;
        self.flows.put_back(at, way);
        self.transmit(node, port, frame);
        None
    }

    /// Whether a packet would go the way. Charges nothing.
    fn acceptance(&self, way: &Way, packet: &Packet) -> Acceptance {
        if way.wiring != self.flows.wiring || self.now >= way.until {
            return Acceptance::Expired;
        }
        let keeps_terms = packet.info.ttl > way.lowered
            && packet.wire.len_max <= way.packet_len_max
            && (way.cuts_padding || !packet.is_padded);
        if !keeps_terms {
            return Acceptance::NotNow;
        }
        let like = packet.like();
        let mut all = Acceptance::Accepted;
        for hop in &way.hops {
            let one = self.running(hop.node).map_or(Acceptance::Expired, |node| {
                node.accepts(self.now, &hop.ticket, &like)
            });
            match one {
                Acceptance::Accepted => {}
                Acceptance::NotNow => all = Acceptance::NotNow,
                Acceptance::Expired => return Acceptance::Expired,
            }
            let is_clear = hop.onto.is_none_or(|(link, side)| {
                self.link(link)
                    .is_some_and(|link| link.is_clear(usize::from(side)))
            });
            if !is_clear {
                all = Acceptance::NotNow;
            }
        }
        all
    }

    /// Charges everybody on the way, and leaves the frame as it is at the end of it.
    fn take_way(
        &mut self,
        way: &Way,
        packet: &Packet,
        frame: &mut Frame,
        checker: &mut Option<&mut (dyn Checker + '_)>,
    ) {
        let (now, like) = (self.now, packet.like());
        frame.meta.l3_offset = u16::try_from(packet.l3_at).unwrap_or(u16::MAX);
        // Whatever pads the packet stays at the first node, if there may be any.
        frame.truncate(packet.l3_at + packet.info.total_len);
        let watched = self.tracing || checker.is_some();
        let mut headers = way.headers.iter();
        for hop in &way.hops {
            if let Some(node) = self.running_mut(hop.node) {
                node.charge(now, &hop.ticket, &like);
            }
            let Some((index, side)) = hop.onto else {
                continue;
            };
            let side = usize::from(side);
            self.steps_here += 1;
            if let (true, Some(header)) = (watched, headers.next()) {
                header.dress(frame, u8::from(hop.lowers_ttl));
                self.arrived(index, side, frame, checker);
            } else if let Some(Some(link)) = self.links.get_mut(index.0 as usize) {
                let octets = like.bytes as u64 + like.packets * u64::from(hop.header_len);
                link.directions[side].frames += like.packets;
                link.directions[side].bytes += octets;
            }
        }
        let last = way.hops.last().is_some_and(|hop| hop.lowers_ttl);
        let lowered = if watched { u8::from(last) } else { way.lowered };
        if let Some(header) = way.headers.last() {
            header.dress(frame, lowered);
        }
    }

    /// Remembers a way whose end a frame has reached.
    pub(crate) fn finish_recording(
        &mut self,
        recording: Recording,
        node: NodeIndex,
        port: PortIndex,
        frame: &Frame,
    ) {
        let mut way = recording.0;
        if let Some(header) = Header::of(frame) {
            way.exit = (node, port);
            way.headers.push(header);
            self.flows.insert(way);
        }
    }
}
