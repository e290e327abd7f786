//! The shape every node has.

use skybridge_base::{Deadline, Instant};
use skybridge_blueprint as blueprint;
use skybridge_wire::Frame;

use crate::NodeEvent;

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

/// A machine with ports.
pub trait Node {
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
