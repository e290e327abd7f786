//! Worlds of real nodes.

use skybridge_base::{Deadline, Instant};
use skybridge_blueprint::{Blueprint, Fault, NodeKind, NodeName, PortName};
use skybridge_nodes::{
    Acceptance, External, Host, HostCommand, Like, Node, Outbox, Passage, PortIndex, Router,
    Switch, Ticket,
};
use skybridge_wire::Frame;

use crate::command::{CommandLog, NeighbourPing};
use crate::slot::Buildable;
use crate::world::{ReplayError, World};

/// The machine that a node is.
#[derive(Debug)]
pub enum AnyNode {
    /// Forwards between interfaces.
    Router(Box<Router>),
    /// Ends traffic.
    Host(Box<Host>),
    /// Its other side is outside the world.
    External(Box<External>),
    /// Carries frames between its ports by their tags.
    Switch(Box<Switch>),
}

impl Node for AnyNode {
    fn is_transit(&self) -> bool {
        match self {
            Self::Router(router) => router.is_transit(),
            Self::Switch(switch) => switch.is_transit(),
            Self::Host(_) | Self::External(_) => false,
        }
    }

    fn pass(
        &mut self,
        now: Instant,
        port: PortIndex,
        frame: Frame,
        wants_ticket: bool,
        out: &mut Outbox,
    ) -> Option<Passage> {
        match self {
            Self::Router(router) => router.pass(now, port, frame, wants_ticket, out),
            Self::Host(host) => host.pass(now, port, frame, wants_ticket, out),
            Self::External(external) => external.pass(now, port, frame, wants_ticket, out),
            Self::Switch(switch) => switch.pass(now, port, frame, wants_ticket, out),
        }
    }

    fn accepts(&self, now: Instant, ticket: &Ticket, like: &Like<'_>) -> Acceptance {
        match self {
            Self::Router(router) => router.accepts(now, ticket, like),
            Self::Switch(switch) => switch.accepts(now, ticket, like),
            Self::Host(_) | Self::External(_) => Acceptance::Expired,
        }
    }

    fn charge(&mut self, now: Instant, ticket: &Ticket, like: &Like<'_>) {
        match self {
            Self::Router(router) => router.charge(now, ticket, like),
            Self::Switch(switch) => switch.charge(now, ticket, like),
            Self::Host(_) | Self::External(_) => {}
        }
    }

    fn handle_frames(
        &mut self,
        now: Instant,
        port: PortIndex,
        frames: &mut Vec<Frame>,
        out: &mut Outbox,
    ) {
        match self {
            Self::Router(router) => router.handle_frames(now, port, frames, out),
            Self::Host(host) => host.handle_frames(now, port, frames, out),
            Self::External(external) => external.handle_frames(now, port, frames, out),
            Self::Switch(switch) => switch.handle_frames(now, port, frames, out),
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        match self {
            Self::Router(router) => router.handle_timeout(now, out),
            Self::Host(host) => host.handle_timeout(now, out),
            Self::External(external) => external.handle_timeout(now, out),
            Self::Switch(switch) => switch.handle_timeout(now, out),
        }
    }

    fn handle_link(&mut self, now: Instant, port: PortIndex, up: bool, out: &mut Outbox) {
        match self {
            Self::Router(router) => router.handle_link(now, port, up, out),
            Self::Host(host) => host.handle_link(now, port, up, out),
            Self::External(external) => external.handle_link(now, port, up, out),
            Self::Switch(switch) => switch.handle_link(now, port, up, out),
        }
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        match self {
            Self::Router(router) => router.poll_timeout(),
            Self::Host(host) => host.poll_timeout(),
            Self::External(external) => external.poll_timeout(),
            Self::Switch(switch) => switch.poll_timeout(),
        }
    }

    fn port_index(&self, name: &PortName) -> Option<PortIndex> {
        match self {
            Self::Router(router) => router.port_index(name),
            Self::Host(host) => host.port_index(name),
            Self::External(external) => external.port_index(name),
            Self::Switch(switch) => switch.port_index(name),
        }
    }

    fn reconfigure(&mut self, now: Instant, spec: &NodeKind, out: &mut Outbox) {
        match self {
            Self::Router(router) => router.reconfigure(now, spec, out),
            Self::Host(host) => host.reconfigure(now, spec, out),
            Self::External(external) => external.reconfigure(now, spec, out),
            Self::Switch(switch) => switch.reconfigure(now, spec, out),
        }
    }
}

impl Buildable for AnyNode {
    fn build(_now: Instant, name: &NodeName, spec: &NodeKind, seed: u64) -> Self {
        match spec {
            NodeKind::Router(router) => {
                Self::Router(Box::new(Router::new(name.as_str(), router, seed)))
            }
            NodeKind::Host(host) => Self::Host(Box::new(Host::new(name, host, seed))),
            NodeKind::External(external) => {
                Self::External(Box::new(External::new(name, external, seed)))
            }
            NodeKind::Switch(switch) => Self::Switch(Box::new(Switch::new(switch, seed))),
        }
    }

    fn command(&mut self, now: Instant, command: HostCommand, out: &mut Outbox) -> bool {
        match self {
            Self::Router(_) | Self::Switch(_) => false,
            Self::Host(host) => {
                host.command(now, command, out);
                true
            }
            Self::External(external) => external.command(now, command, out),
        }
    }

    fn ping(&mut self, now: Instant, ping: &NeighbourPing, out: &mut Outbox) -> bool {
        match self {
            Self::Router(router) => router.ping(
                now,
                &ping.interface,
                ping.neighbour,
                (ping.sequence, ping.payload_len),
                out,
            ),
            Self::Host(_) | Self::External(_) | Self::Switch(_) => false,
        }
    }
}

impl World<AnyNode> {
    /// A world of real routers and hosts at time zero: links up, nothing sent yet.
    ///
    /// # Errors
    /// The faults that `blueprint::check` finds.
    pub fn new(blueprint: Blueprint, seed: u64) -> Result<Self, Vec<Fault>> {
        Self::with_nodes(blueprint, seed)
    }

    /// The world that `log` describes, at `until`: a twin that can be cut without touching the
    /// original.
    ///
    /// Nodes with a world outside are replaced by their stand-ins; then times are those of the log, and the
    /// order within an instant is the twin's own.
    ///
    /// # Errors
    /// When the log is incomplete or was not made by a world, or a node has no stand-in.
    pub fn replay(log: &CommandLog, until: Instant) -> Result<Self, ReplayError> {
        Self::replay_with_nodes(log, until)
    }

    /// A running router.
    #[must_use]
    pub fn router(&self, name: &NodeName) -> Option<&Router> {
        match self.node(name)? {
            AnyNode::Router(router) => Some(router),
            AnyNode::Host(_) | AnyNode::External(_) | AnyNode::Switch(_) => None,
        }
    }

    /// A running host.
    #[must_use]
    pub fn host(&self, name: &NodeName) -> Option<&Host> {
        match self.node(name)? {
            AnyNode::Host(host) => Some(host),
            AnyNode::Router(_) | AnyNode::External(_) | AnyNode::Switch(_) => None,
        }
    }

    /// A running port with a world outside.
    #[must_use]
    pub fn external(&self, name: &NodeName) -> Option<&External> {
        match self.node(name)? {
            AnyNode::External(external) => Some(external),
            AnyNode::Router(_) | AnyNode::Host(_) | AnyNode::Switch(_) => None,
        }
    }

    /// A running switch.
    #[must_use]
    pub fn switch(&self, name: &NodeName) -> Option<&Switch> {
        match self.node(name)? {
            AnyNode::Switch(switch) => Some(switch),
            AnyNode::Router(_) | AnyNode::Host(_) | AnyNode::External(_) => None,
        }
    }
}
