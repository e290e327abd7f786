//! Nodes behind whose port something outside the world stands.

use serde::{Deserialize, Serialize};

use crate::{Host, NodeKind, PortName, Router, Switch};

/// A node with one port whose other side is not ours: a network namespace in which the user's programs
/// run, or the user's own router or device. Its link is an ordinary link.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum External {
    /// A host that is a network namespace of the kernel. The description is the host's own: its
    /// interface gets these addresses, and an internal host of the same description stands in for
    /// it where the world is repeated.
    Namespace(Box<Host>),
    /// A router or device that the user brings.
    Attached(Box<Attached>),
}

/// A router or device that the user brings.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attached {
    /// Its only port in the world.
    pub port: PortName,
    /// What it hangs on.
    pub device: Device,
    /// Which frames pass.
    pub mode: PortMode,
    /// The router that stands in for it where the world is repeated; it has a port called `port`.
    /// Without one, nothing is known of what it would do, and a verdict that needs it is unknown.
    pub persona: Option<Box<Router>>,
}

/// What an attached router or device hangs on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// A TAP interface in a network namespace that has a name in `/run/netns`, or else in one that we
    /// make and that `exec` enters by this name.
    Namespace {
        /// The namespace.
        name: String,
    },
    /// A TAP interface in the namespace of the lab itself.
    Tap {
        /// The interface.
        name: String,
    },
    /// Packets of an interface of the lab's namespace that stays what it is, such as one end of a
    /// veth pair.
    Packet {
        /// The interface.
        interface: String,
    },
    /// A whole interface of the lab's namespace: as `Packet`, and what the kernel itself would do
    /// with its frames is suppressed.
    Interface {
        /// The interface.
        interface: String,
    },
}

/// Which frames pass a port with a world outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortMode {
    /// Frames without tags; others are dropped and counted.
    Access,
    /// All, with their tags.
    Trunk,
}

impl External {
    /// The side towards the world outside, by the name that captures use. The other side is
    /// [`External::port`].
    pub const OUTSIDE: &'static str = "outside";

    /// Its only port in the world.
    #[must_use]
    pub fn port(&self) -> &PortName {
        match self {
            Self::Namespace(host) => &host.port,
            Self::Attached(attached) => &attached.port,
        }
    }

    /// What takes its place in a world that is repeated.
    #[must_use]
    pub fn stand_in(&self) -> Option<NodeKind> {
        match self {
            Self::Namespace(host) => Some(NodeKind::Host(host.clone())),
            Self::Attached(attached) => attached.persona.clone().map(NodeKind::Router),
        }
    }
}

/// A machine whose behaviour is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Machine<'a> {
    /// Forwards between interfaces.
    Router(&'a Router),
    /// Ends traffic.
    Host(&'a Host),
    /// Carries frames by their tags.
    Switch(&'a Switch),
}

impl NodeKind {
    /// What is known of the node's behaviour: its own description, or that of its stand-in.
    #[must_use]
    pub fn machine(&self) -> Option<Machine<'_>> {
        match self {
            Self::Router(router) => Some(Machine::Router(router)),
            Self::Host(host) => Some(Machine::Host(host)),
            Self::External(external) => match &**external {
                External::Namespace(host) => Some(Machine::Host(host)),
                External::Attached(attached) => attached.persona.as_deref().map(Machine::Router),
            },
            Self::Switch(switch) => Some(Machine::Switch(switch)),
        }
    }

    /// True when the node has a port of this name.
    #[must_use]
    pub fn has_port(&self, port: &PortName) -> bool {
        match self {
            Self::Router(router) => router.ports.contains_key(port),
            Self::Host(host) => host.port == *port,
            Self::External(external) => external.port() == port,
            Self::Switch(switch) => switch.ports.contains_key(port),
        }
    }
}
