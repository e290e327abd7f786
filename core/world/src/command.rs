//! What a world can be told, and the log that makes it repeatable.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use skybridge_base::{Instant, VlanId};
use skybridge_blueprint::{
    Blueprint, CarrierFault, CrossConnectName, InterfaceName, LinkName, NodeName, PortName,
};
use skybridge_nodes::HostCommand;

use crate::difference::Difference;

/// Something that can be cut.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Element {
    /// A node.
    Node(NodeName),
    /// A link.
    Link(LinkName),
    /// A port: the link on it, seen from one side.
    Port {
        /// The node.
        node: NodeName,
        /// Its port.
        port: PortName,
    },
    /// The frames of one link with this outer tag.
    Circuit {
        /// The link.
        link: LinkName,
        /// The outer tag.
        s_tag: VlanId,
    },
    /// One BGP session, at this end.
    Session {
        /// The router.
        node: NodeName,
        /// Its BGP instance.
        instance: String,
        /// The peer.
        peer: String,
    },
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node {node}"),
            Self::Link(link) => write!(f, "link {link}"),
            Self::Port { node, port } => write!(f, "port {node}/{port}"),
            Self::Circuit { link, s_tag } => write!(f, "circuit {s_tag} on {link}"),
            Self::Session {
                node,
                instance,
                peer,
            } => write!(f, "session {node}/{instance}/{peer}"),
        }
    }
}

/// How an element fails.
///
/// | element | link-down | silent | admin | one-way | session |
/// |---|---|---|---|---|---|
/// | node | stops, loses its state; neighbours see their link down | stops; neighbours see nothing | BGP sessions are closed orderly, then after [`crate::ADMIN_GRACE`] as link-down | – | – |
/// | link, port | both ends see it; frames under way are lost | frames vanish | as link-down | frames towards one end vanish | – |
/// | circuit | – | its frames vanish | – | its frames towards one end vanish | – |
/// | session | – | – | – | – | the peer is disabled at this end (RFC 4486 subcode 2) |
///
/// What is marked – is refused with [`CommandError::ModeNotApplicable`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CutMode {
    /// Seen at once at both ends.
    LinkDown,
    /// Nobody is told; a carrier in the middle fails so.
    Silent,
    /// Taken out of service by an operator.
    Admin,
    /// Only frames towards this node vanish; for a port, only those towards the port's own node
    /// or its neighbour.
    OneWay {
        /// The node that no longer hears the other.
        towards: NodeName,
    },
    /// A BGP session is closed by its operator.
    Session,
}

impl CutMode {
    /// The name used in reports.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::LinkDown => "link-down",
            Self::Silent => "silent",
            Self::Admin => "admin",
            Self::OneWay { .. } => "one-way",
            Self::Session => "session",
        }
    }
}

/// Which tag of a frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TagLevel {
    /// The first tag.
    Outer,
    /// The second of two.
    Inner,
}

/// A provider's mistake: frames with tag `from` leave the link with tag `to`, in both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TagFault {
    /// Which tag.
    pub level: TagLevel,
    /// The tag that should have been kept.
    pub from: VlanId,
    /// The tag that comes out instead.
    pub to: VlanId,
}

/// An echo request from a router to a neighbour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeighbourPing {
    /// Out of this interface.
    pub interface: InterfaceName,
    /// To this address.
    pub neighbour: IpAddr,
    /// Sequence number.
    pub sequence: u16,
    /// Octets of data after the ICMP header.
    pub payload_len: u16,
}

/// What a world can be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Breaks an element; a second cut of the same element replaces the first.
    Cut {
        /// What breaks.
        element: Element,
        /// How.
        mode: CutMode,
    },
    /// Mends an element, or everything that was cut or crashed (not the faults of tags and carriers).
    Heal {
        /// What is mended; `None` is everything.
        element: Option<Element>,
    },
    /// Tells a host something.
    Host {
        /// The host.
        node: NodeName,
        /// What.
        command: HostCommand,
    },
    /// Makes a router send an echo request to a neighbour; a stopped or unknown interface sends nothing.
    Ping {
        /// The router.
        node: NodeName,
        /// From where to whom.
        ping: NeighbourPing,
    },
    /// Power off: the same as a link-down cut of the node.
    Crash {
        /// The node.
        node: NodeName,
    },
    /// Starts a crashed node empty; a running one loses its state and starts again at once, and its
    /// neighbours see their links go down and up.
    Restart {
        /// The node.
        node: NodeName,
    },
    /// Makes a provider change a tag on a link, in the place of the link's earlier fault with the
    /// same level and `from`.
    SetTagFault {
        /// The link.
        link: LinkName,
        /// The mistake.
        fault: TagFault,
    },
    /// Takes every tag fault off a link.
    ClearTagFaults {
        /// The link.
        link: LinkName,
    },
    /// Makes a carrier's switch go wrong on a cross-connect, in the place of an earlier fault of the same kind.
    SetCarrierFault {
        /// The switch.
        node: NodeName,
        /// The cross-connect.
        cross_connect: CrossConnectName,
        /// How.
        fault: CarrierFault,
    },
    /// Takes every carrier fault off a cross-connect.
    ClearCarrierFaults {
        /// The switch.
        node: NodeName,
        /// The cross-connect.
        cross_connect: CrossConnectName,
    },
}

/// Why a command was refused. A refused command changes nothing and is not logged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommandError {
    /// No node of this name.
    #[error("no node {0}")]
    UnknownNode(NodeName),
    /// No link of this name.
    #[error("no link {0}")]
    UnknownLink(LinkName),
    /// No such port, session, or end of the link.
    #[error("no {0}")]
    UnknownElement(String),
    /// The element cannot fail in this mode.
    #[error("{element} cannot fail in mode {mode}")]
    ModeNotApplicable {
        /// The element.
        element: String,
        /// The mode.
        mode: &'static str,
    },
    /// Healed or cleared what is not cut.
    #[error("{0} is not cut")]
    NotCut(String),
    /// A host command for a node that is no host.
    #[error("{0} is not a host")]
    NotAHost(NodeName),
    /// The node does not run.
    #[error("{0} does not run")]
    NodeStopped(NodeName),
    /// The port has a link, so it cannot be external.
    #[error("port {node}/{port} has a link")]
    PortLinked {
        /// The node.
        node: NodeName,
        /// The port.
        port: PortName,
    },
}

/// One thing a world was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Logged {
    /// A command.
    Command(Command),
    /// A new blueprint, as what it changed.
    Apply(Box<Difference>),
    /// Nothing: the machine was so busy that the time of this entry came before everything was done
    /// that was due earlier.
    Late,
}

/// An entry of a [`CommandLog`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// When it was executed.
    pub at: Instant,
    /// How many steps the world had made before: the exact place in the order of events.
    pub after_steps: u64,
    /// What.
    pub what: Logged,
}

/// Everything that a world is a function of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandLog {
    /// The seed.
    pub seed: u64,
    /// What it was built from.
    pub initial: Arc<Blueprint>,
    /// What it was told, in order.
    pub entries: Vec<LogEntry>,
    /// Entries that found the log full, or frames injected from outside: when not zero, the world
    /// cannot be repeated.
    pub missing: u64,
    /// Connections crossed the border to the world outside, whose bytes are not here.
    pub carried: bool,
}

/// Entries a log holds; later ones are counted in [`CommandLog::missing`] only.
pub const LOG_ENTRIES_MAX: usize = 1 << 20;

impl CommandLog {
    pub(crate) const fn new(seed: u64, initial: Arc<Blueprint>) -> Self {
        Self {
            seed,
            initial,
            entries: Vec::new(),
            missing: 0,
            carried: false,
        }
    }

    pub(crate) fn push(&mut self, entry: LogEntry) {
        if self.entries.len() < LOG_ENTRIES_MAX {
            self.entries.push(entry);
        } else {
            self.missing += 1;
        }
    }
}
