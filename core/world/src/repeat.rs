//! Frames that go the way of an earlier one, by the flow cache.
//!
//! A way is recorded while a frame is judged node by node, and taken by later ones only if every node on
//! it says that it would judge alike: then their counters, flows and policers are charged, the final
//! header is written, and the frame stands at the end of the way. If any node declines, nothing has
//! been charged, and the frame is judged node by node. Those who watch frames on their way (trace hash,
//! checkers) see each on each link in either case.

use skybridge_nodes::{PortIndex, Terms, Ticket};
use skybridge_wire::Frame;

use crate::flow_cache::{FlowCacheStats, Header, Hop, Key, Packet, Way};
use crate::link::{LinkIndex, LinkState};
use crate::slot::{Buildable, NodeIndex};
use crate::world::{Checker, World};

/// A way as far as it is known.
#[derive(Debug)]
pub(crate) struct Recording {
    key: Key,
    terms: Terms,
    lowered: u8,
    hops: Vec<Hop>,
    headers: Vec<Header>,
    is_whole: bool,
}

impl Recording {
    const fn new(key: Key) -> Self {
        Self {
            key,
            terms: Terms {
                until: skybridge_base::Instant::MAX,
                packet_len_max: usize::MAX,
                lowers_ttl: false,
                cuts_padding: false,
            },
            lowered: 0,
            hops: Vec::new(),
            headers: Vec::new(),
            is_whole: true,
        }
    }

    /// Adds a node; without its ticket there is nothing to record.
    pub(crate) fn and(
        recording: Option<Self>,
        node: NodeIndex,
        ticket: Option<(Ticket, Terms)>,
    ) -> Option<Self> {
        let mut recording = recording?;
        let (ticket, terms) = ticket?;
        // Each policer is asked before any is charged, so that none may be asked twice.
        let again = ticket.policers().any(|at| {
            let mut earlier = recording.hops.iter().filter(|hop| hop.node == node);
            earlier.any(|hop| hop.ticket.policers().any(|other| other == at))
        });
        let twice =
            ticket.policers().min() == ticket.policers().max() && ticket.policers().count() > 1;
        if again || twice {
            return None;
        }
        let all = &mut recording.terms;
        all.until = all.until.min(terms.until);
        all.packet_len_max = all.packet_len_max.min(terms.packet_len_max);
        if recording.hops.is_empty() {
            all.cuts_padding = terms.cuts_padding;
        }
        recording.lowered += u8::from(terms.lowers_ttl);
        recording.hops.push(Hop {
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
        &mut self,
        index: LinkIndex,
        side: usize,
        frame: &Frame,
        link: Option<&LinkState>,
    ) {
        let (Some(hop), Some(header), Some(link)) = (self.hops.last_mut(), Header::of(frame), link)
        else {
            self.is_whole = false;
            return;
        };
        let mtu = usize::from(link.properties.mtu);
        self.terms.packet_len_max = self.terms.packet_len_max.min(mtu);
        hop.onto = Some((index, u8::from(side == 1)));
        hop.header_len = header.len();
        self.headers.push(header);
    }
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
            return Some((frame, recording.then(|| Recording::new(packet.key))));
        };
        if !self.stands(&way, &packet) {
            self.flows.put_back(at, way);
            self.flows.stats.misses += 1;
            return Some((frame, Some(Recording::new(packet.key))));
        }
        self.flows.stats.hits += 1;
        self.take_way(&way, &packet, &mut frame, checker);
        let (node, port) = way.exit;
        self.flows.put_back(at, way);
        self.transmit(node, port, frame);
        None
    }

    /// Whether a packet would go the way. Charges nothing.
    fn stands(&self, way: &Way, packet: &Packet) -> bool {
        let keeps_terms = way.wiring == self.flows.wiring
            && self.now < way.until
            && packet.info.ttl > way.lowered
            && packet.wire.len_max <= way.packet_len_max
            && (way.cuts_padding || !packet.is_padded);
        let like = packet.like();
        keeps_terms
            && way.hops.iter().all(|hop| {
                let is_clear = hop.onto.is_none_or(|(link, side)| {
                    self.link(link)
                        .is_some_and(|link| link.is_clear(usize::from(side)))
                });
                let accepts = |node: &N| node.accepts(self.now, &hop.ticket, &like);
                is_clear && self.running(hop.node).is_some_and(accepts)
            })
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
        way.header.dress(frame, lowered);
    }

    /// Remembers a way whose end a frame has reached.
    pub(crate) fn finish_recording(
        &mut self,
        recording: Recording,
        node: NodeIndex,
        port: PortIndex,
        frame: &Frame,
    ) {
        if let (true, Some(header)) = (recording.is_whole, Header::of(frame)) {
            self.flows.insert(Way {
                key: recording.key,
                wiring: self.flows.wiring,
                until: recording.terms.until,
                packet_len_max: recording.terms.packet_len_max,
                cuts_padding: recording.terms.cuts_padding,
                lowered: recording.lowered,
                exit: (node, port),
                header,
                hops: recording.hops,
                headers: recording.headers,
            });
        }
    }
}
