//! How frames move: off a link, into a node, through nodes that only hand them on, onto the next link.
//!
//! A frame that a node hands on, and that finds a link ahead on which nothing holds it up, goes straight
//! on to the next such node within the same step: order within an instant is by the frame, not by the
//! hop. It stops where something else happens than passing: at a link that delays, paces or loses, or
//! on which earlier frames are still under way; at a host or a port to the outside; where a node keeps,
//! answers or drops it. There it waits for its place in the order of events as every other frame.

use skybridge_base::Instant;
use skybridge_nodes::{Outbox, PortIndex};
use skybridge_wire::{Frame, gso};

use crate::capture::CaptureDirection;
use crate::event::WorldEventKind;
use crate::link::{LinkDrop, LinkIndex};
use crate::repeat::Recording;
use crate::slot::{Attachment, Buildable, NodeIndex};
use crate::world::{Checker, Delivery, World};

/// Nodes that a frame passes within one step; at the last one it waits as at a link with delay.
pub const NODES_PER_STEP_MAX: usize = 32;

/// Where a frame goes straight on.
#[derive(Clone, Copy)]
struct Ahead {
    link: LinkIndex,
    side: usize,
    node: NodeIndex,
    port: PortIndex,
}

impl<N: Buildable> World<N> {
    /// Hands the frames at the head of a direction to the receiving node.
    pub(crate) fn deliver(
        &mut self,
        sequence: u64,
        index: LinkIndex,
        side: usize,
        mut checker: Option<&mut (dyn Checker + '_)>,
    ) {
        let mut batch = std::mem::take(&mut self.batch);
        let Some(link) = self
            .links
            .get_mut(index.0 as usize)
            .and_then(Option::as_mut)
        else {
            self.batch = batch;
            return;
        };
        let direction = &mut link.directions[side];
        if let Some((at, head)) = direction.head() {
            debug_assert_eq!(head, sequence, "arrivals hold the head of each direction");
            self.arrivals.remove(&(at, sequence, index, side));
        }
        direction.take_head(&mut batch);
        if let Some((at, next)) = direction.head() {
            self.arrivals.insert((at, next, index, side));
        }
        let (node, port) = link.ends[1 - side];
        match self.running(node).map(|running| running.is_transit()) {
            None => {
                for frame in &batch {
                    self.count_drop(index, side, LinkDrop::NodeStopped, frame);
                }
            }
            Some(true) => {
                for frame in batch.drain(..) {
                    self.arrived(index, side, &frame, &mut checker);
                    self.pass_on(node, port, frame, &mut checker);
                }
            }
            Some(false) => {
                for frame in &batch {
                    self.arrived(index, side, frame, &mut checker);
                }
                self.visit(node, |node, now, out| {
                    node.handle_frames(now, port, &mut batch, out);
                });
            }
        }
        batch.clear();
        self.batch = batch;
    }

    /// Counts a frame that a link delivers, and shows it to whoever watches.
    pub(crate) fn arrived(
        &mut self,
        index: LinkIndex,
        side: usize,
        frame: &Frame,
        checker: &mut Option<&mut (dyn Checker + '_)>,
    ) {
        let now = self.now;
        let Some(link) = self
            .links
            .get_mut(index.0 as usize)
            .and_then(Option::as_mut)
        else {
            return;
        };
        let direction = &mut link.directions[side];
        let shape = gso::shape(frame);
        direction.frames += shape.frames;
        direction.bytes += shape.octets;
        if self.tracing {
            self.hash.time(now);
            self.hash.word(u64::from(index.0) << 1 | side as u64);
            self.hash.bytes(frame.bytes());
        }
        if let Some(checker) = checker {
            let (from, to) = (link.sender(side), link.receiver(side));
            checker.delivered(Delivery {
                at: now,
                link: &link.name,
                from,
                to,
                frame,
            });
        }
        if !self.captures.is_empty() {
            self.capture_delivery(index, side, frame);
        }
    }

    /// Hands a frame to a node that hands frames on, and follows it as far as it goes.
    pub(crate) fn pass_on(
        &mut self,
        node: NodeIndex,
        port: PortIndex,
        frame: Frame,
        checker: &mut Option<&mut (dyn Checker + '_)>,
    ) {
        let Some((mut frame, mut recording)) = self.repeat(node, port, frame, checker) else {
            return;
        };
        let (now, mut at) = (self.now, (node, port));
        let mut out = std::mem::take(&mut self.outbox);
        for passed in 1..=NODES_PER_STEP_MAX {
            let Some(running) = self.running_mut(at.0) else {
                break;
            };
            let wants_ticket = recording.is_some();
            let Some(passage) = running.pass(now, at.1, frame, wants_ticket, &mut out) else {
                let deadline = running.poll_timeout().map(|deadline| deadline.at);
                self.carry_off(at.0, deadline, &mut out);
                break;
            };
            frame = passage.frame;
            recording = Recording::and(recording, at.0, passage.ticket);
            let ahead = self.ahead(at.0, passage.port);
            let Some(ahead) = ahead.filter(|_| passed < NODES_PER_STEP_MAX) else {
                // Where only earlier frames are in the way, later ones may find it free.
                let ends_here = passed == NODES_PER_STEP_MAX || !self.leads_on(at.0, passage.port);
                if let Some(recording) = recording.filter(|_| ends_here) {
                    self.finish_recording(recording, at.0, passage.port, &frame);
                }
                self.transmit(at.0, passage.port, frame);
                break;
            };
            if !self.captures.is_empty() {
                self.capture_port(at.0, passage.port, CaptureDirection::Out, &frame);
                recording = recording.filter(|_| !self.is_captured(ahead.link));
            }
            if !self.cross(ahead, &mut frame) {
                break;
            }
            // A loop of routers that do not lower the TTL is a livelock all the same.
            self.steps_here += 1;
            self.arrived(ahead.link, ahead.side, &frame, checker);
            let link = self.link(ahead.link);
            recording = link
                .zip(recording)
                .and_then(|(link, r)| r.onto(link, (ahead.link, ahead.side), &frame));
            at = (ahead.node, ahead.port);
        }
        self.outbox = out;
    }

    /// Where a frame that leaves `port` goes straight on, if it does.
    fn ahead(&self, node: NodeIndex, port: PortIndex) -> Option<Ahead> {
        let Attachment::Link(index, side) = self.slot(node)?.attachment(port) else {
            return None;
        };
        let link = self.link(index)?;
        let (node, port) = link.ends[1 - side];
        let goes = link.is_straight(side)
            && link.is_clear(side)
            && self.running(node).is_some_and(N::is_transit);
        goes.then_some(Ahead {
            link: index,
            side,
            node,
            port,
        })
    }

    /// Whether a frame that leaves `port` goes straight on when nothing is under way.
    fn leads_on(&self, node: NodeIndex, port: PortIndex) -> bool {
        let attachment = self.slot(node).map(|slot| slot.attachment(port));
        let Some(Attachment::Link(index, side)) = attachment else {
            return false;
        };
        self.link(index).is_some_and(|link| {
            let (node, _) = link.ends[1 - side];
            link.is_straight(side) && self.running(node).is_some_and(N::is_transit)
        })
    }

    /// Takes a frame over a link on which nothing holds it up. False when the link loses it.
    fn cross(&mut self, ahead: Ahead, frame: &mut Frame) -> bool {
        let crossed = self
            .link(ahead.link)
            .map_or(Err(LinkDrop::LinkDown), |l| l.admit(ahead.side, frame));
        if let Err(reason) = crossed {
            self.count_drop(ahead.link, ahead.side, reason, frame);
        }
        crossed.is_ok()
    }

    /// Lets a node work, then carries off what it leaves behind and re-arms its timer.
    pub(crate) fn visit(
        &mut self,
        index: NodeIndex,
        work: impl FnOnce(&mut N, Instant, &mut Outbox),
    ) {
        let mut out = std::mem::take(&mut self.outbox);
        let now = self.now;
        if let Some(node) = self.running_mut(index) {
            work(node, now, &mut out);
            let deadline = node.poll_timeout().map(|deadline| deadline.at);
            self.carry_off(index, deadline, &mut out);
        }
        self.outbox = out;
    }

    fn carry_off(&mut self, index: NodeIndex, deadline: Option<Instant>, out: &mut Outbox) {
        self.arm(index, deadline);
        for (port, frame) in out.frames.drain(..) {
            self.transmit(index, port, frame);
        }
        if !out.events.is_empty() {
            let name = self.slot(index).map(|slot| slot.name.clone());
            for event in out.events.drain(..) {
                self.report(name.clone(), WorldEventKind::Node(event));
            }
        }
    }

    /// Puts a frame that a node sent on whatever is on the port; an open port loses it.
    pub(crate) fn transmit(&mut self, from: NodeIndex, port: PortIndex, frame: Frame) {
        let attachment = self.slot(from).map(|slot| slot.attachment(port));
        if !self.captures.is_empty() {
            self.capture_port(from, port, CaptureDirection::Out, &frame);
        }
        match attachment.unwrap_or_default() {
            Attachment::Open => {}
            Attachment::External => self.emit_external(from, port, frame),
            Attachment::Link(index, side) => {
                let looks_closer = self.link(index).is_some_and(|link| link.looks_closer());
                if frame.meta.gso_size == 0 || !looks_closer {
                    return self.offer(index, side, frame);
                }
                let mut segments = Vec::new();
                let whole = frame.clone();
                if gso::split(frame, &mut self.pool, &mut segments).is_err() {
                    return self.offer(index, side, whole);
                }
                for segment in segments {
                    self.offer(index, side, segment);
                }
            }
        }
    }

    fn offer(&mut self, index: LinkIndex, side: usize, frame: Frame) {
        let now = self.now;
        self.sequence += 1;
        let sequence = self.sequence;
        let Some(link) = self
            .links
            .get_mut(index.0 as usize)
            .and_then(Option::as_mut)
        else {
            return;
        };
        if link.offer(now, side, sequence, frame) == Ok(true)
            && let Some((at, sequence)) = link.directions[side].head()
        {
            self.arrivals.insert((at, sequence, index, side));
        }
    }

    fn count_drop(&mut self, index: LinkIndex, side: usize, reason: LinkDrop, frame: &Frame) {
        if let Some(Some(link)) = self.links.get_mut(index.0 as usize) {
            link.directions[side].count_drop(reason, gso::shape(frame).frames);
        }
    }

    pub(crate) fn running(&self, index: NodeIndex) -> Option<&N> {
        self.slots.get(index.0 as usize)?.as_ref()?.node.as_ref()
    }

    pub(crate) fn running_mut(&mut self, index: NodeIndex) -> Option<&mut N> {
        self.slots
            .get_mut(index.0 as usize)?
            .as_mut()?
            .node
            .as_mut()
    }
}
