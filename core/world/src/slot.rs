//! The place of a node in a world, and what the world asks of a node.

use skybridge_base::Instant;
use skybridge_blueprint::{NodeKind, NodeName, PortName};
use skybridge_nodes::{HostCommand, Node, Outbox, PortIndex};

use crate::command::NeighbourPing;
use crate::link::LinkIndex;

/// A node by number. Numbers are given in order and never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct NodeIndex(pub(crate) u32);

/// A node that a world can build and command. Implemented by the real nodes; tests bring toys.
pub trait Buildable: Node + Sized {
    /// A fresh node at time `now`: no link is up, nothing is learned.
    fn build(now: Instant, name: &NodeName, spec: &NodeKind, seed: u64) -> Self;

    /// Tells a host something. False when the node is no host.
    fn command(&mut self, now: Instant, command: HostCommand, out: &mut Outbox) -> bool;

    /// Makes a router send an echo request to a neighbour. False when it cannot.
    fn ping(&mut self, _now: Instant, _ping: &NeighbourPing, _out: &mut Outbox) -> bool {
        false
    }
}

/// What is on a port.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Attachment {
    /// Nothing.
    #[default]
    Open,
    /// This end of a link.
    Link(LinkIndex, usize),
    /// The outside: frames leave through `poll_external`.
    External,
}

/// A node's place.
#[derive(Debug)]
pub(crate) struct Slot<N> {
    pub(crate) name: NodeName,
    /// `None` while stopped.
    pub(crate) node: Option<N>,
    /// How often it was built; its randomness differs each time.
    pub(crate) boots: u64,
    /// By port number.
    pub(crate) ports: Vec<Attachment>,
    /// Ports marked external, to find them again after a restart.
    pub(crate) external: Vec<PortName>,
    /// The deadline that is registered with the world.
    pub(crate) deadline: Option<Instant>,
}

impl<N> Slot<N> {
    pub(crate) fn attachment(&self, port: PortIndex) -> Attachment {
        self.ports
            .get(usize::from(port.0))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn attach(&mut self, port: PortIndex, attachment: Attachment) {
        let at = usize::from(port.0);
        if self.ports.len() <= at {
            self.ports.resize(at + 1, Attachment::Open);
        }
        self.ports[at] = attachment;
    }
}
