//! Worlds of real nodes.

use skybridge_base::Instant;
use skybridge_blueprint::{Blueprint, Fault, NodeKind, NodeName};
use skybridge_nodes::{AnyNode, Host, HostCommand, Outbox, Router};

use crate::command::CommandLog;
use crate::slot::Buildable;
use crate::world::{ReplayError, World};

impl Buildable for AnyNode {
    fn build(_now: Instant, name: &NodeName, spec: &NodeKind, seed: u64) -> Self {
        match spec {
            NodeKind::Router(router) => Self::Router(Box::new(Router::new(name, router, seed))),
            NodeKind::Host(host) => Self::Host(Box::new(Host::new(name, host, seed))),
        }
    }

    fn command(&mut self, now: Instant, command: HostCommand, out: &mut Outbox) -> bool {
        match self {
            Self::Router(_) => false,
            Self::Host(host) => {
                host.command(now, command, out);
                true
            }
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
    /// # Errors
    /// When the log is incomplete or was not made by a world.
    pub fn replay(log: &CommandLog, until: Instant) -> Result<Self, ReplayError> {
        Self::replay_with_nodes(log, until)
    }

    /// A running router.
    #[must_use]
    pub fn router(&self, name: &NodeName) -> Option<&Router> {
        match self.node(name)? {
            AnyNode::Router(router) => Some(router),
            AnyNode::Host(_) => None,
        }
    }

    /// A running host.
    #[must_use]
    pub fn host(&self, name: &NodeName) -> Option<&Host> {
        match self.node(name)? {
            AnyNode::Host(host) => Some(host),
            AnyNode::Router(_) => None,
        }
    }
}
