//! The shape every node has.

use skybridge_base::{Deadline, Instant};
use skybridge_blueprint as blueprint;
use skybridge_wire::{Frame, PacketInfo};

use crate::NodeEvent;
use crate::router::RouterTicket;
use crate::switch::SwitchTicket;

/// A port of one node by number; the node gives the number for a name once and never reuses it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PortIndex(pub u16);

/// What a handler leaves behind: frames to send, in order, and events for observers.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Frames leaving, with their port.
    pub frames: Vec<(PortIndex, Frame)>,
    /// What happened.
    pub events: Vec<NodeEvent>,
}

/// A frame that passes a node, and nothing else happened.
#[derive(Debug)]
pub struct Passage {
    /// The port it leaves by.
    pub port: PortIndex,
    /// The frame as it leaves.
    pub frame: Frame,
    /// What lets its like pass again, where that was asked for and is possible.
    pub ticket: Option<(Ticket, Terms)>,
}

/// What the way of a packet through a node rested on: while it stands, the like of that packet takes the
/// same way.
#[derive(Clone, Debug)]
pub enum Ticket {
    /// A router's.
    Router(RouterTicket),
    /// A switch's.
    Switch(SwitchTicket),
}

impl Ticket {
    /// The policers of the node that it takes tokens of, by number.
    pub fn policers(&self) -> impl Iterator<Item = u16> {
        let policers = match self {
            Self::Router(ticket) => ticket.policers(),
            Self::Switch(_) => [None; 2],
        };
        policers.into_iter().flatten()
    }
}

/// What a packet must keep to for a ticket to stand for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// The ticket stands before this time.
    pub until: Instant,
    /// Octets of the largest IP packet, of one segment of a super-frame.
    pub packet_len_max: usize,
    /// The TTL is lowered by one, and must be more than one.
    pub lowers_ttl: bool,
    /// Octets behind the packet are cut off; else there must be none.
    pub cuts_padding: bool,
}

/// What a node says about a packet like one that has a ticket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acceptance {
    /// It would pass as the ticket's packet did.
    Accepted,
    /// Not this one now: a policer refuses it. Others may pass.
    NotNow,
    /// The ticket no longer stands.
    Expired,
}

/// A packet like one that has a ticket.
#[derive(Clone, Copy, Debug)]
pub struct Like<'a> {
    /// What it says.
    pub info: &'a PacketInfo,
    /// Packets that it is on the wire.
    pub packets: u64,
    /// Layer 3 octets of those.
    pub bytes: usize,
}

/// A machine with ports.
pub trait Node {
    /// Whether the node hands frames on: it then gets each by [`Node::pass`], not in batches.
    fn is_transit(&self) -> bool {
        false
    }
    /// Takes one frame that arrived on `port` at `now`. When it passes and nothing else happens, it is
    /// given back and the node's timeout is what it was; `wants_ticket` asks for what its like would
    /// need. Else, what there is to send and to tell is in `out`.
    fn pass(
        &mut self,
        now: Instant,
        port: PortIndex,
        frame: Frame,
        wants_ticket: bool,
        out: &mut Outbox,
    ) -> Option<Passage> {
        let _ = wants_ticket;
        self.handle_frames(now, port, &mut vec![frame], out);
        None
    }
    /// Whether a packet that keeps to the terms of `ticket` would pass as the ticket's did. Changes nothing.
    fn accepts(&self, now: Instant, ticket: &Ticket, like: &Like<'_>) -> Acceptance {
        let _ = (now, ticket, like);
        Acceptance::Expired
    }
    /// Counts and charges a packet that passes by `ticket`, which was accepted.
    fn charge(&mut self, now: Instant, ticket: &Ticket, like: &Like<'_>) {
        let _ = (now, ticket, like);
    }
    /// Takes the frames that arrived on `port` at `now`, in order; `frames` is drained.
    fn handle_frames(
        &mut self,
        now: Instant,
        port: PortIndex,
        frames: &mut Vec<Frame>,
        out: &mut Outbox,
    );
    /// Lets time pass.
    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox);
    /// A link came up or went down, and the port can see it. Ports start without a link.
    fn handle_link(&mut self, now: Instant, port: PortIndex, up: bool, out: &mut Outbox);
    /// When to call [`Node::handle_timeout`] next.
    fn poll_timeout(&self) -> Option<Deadline>;
    /// The number of the port called `name`.
    fn port_index(&self, name: &blueprint::PortName) -> Option<PortIndex>;
    /// Takes over a changed description, disturbing no more than `blueprint::diff` says.
    fn reconfigure(&mut self, now: Instant, spec: &blueprint::NodeKind, out: &mut Outbox);
}
