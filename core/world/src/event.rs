//! What a world reports.

use std::collections::VecDeque;
use std::fmt::{self, Write};

use skybridge_base::{Instant, TraceHash};
use skybridge_blueprint::{CarrierFault, CrossConnectName, LinkName, NodeName};
use skybridge_nodes::NodeEvent;

use crate::command::{CutMode, Element};

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorldEvent {
    /// When.
    pub at: Instant,
    /// The node concerned, when it is one.
    pub node: Option<NodeName>,
    /// What.
    pub kind: WorldEventKind,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WorldEventKind {
    /// A node reports something.
    Node(NodeEvent),
    /// The ends of a link see it up or down.
    Link {
        /// The link.
        link: LinkName,
        /// Up at the `a` end.
        a_up: bool,
        /// Up at the `b` end.
        b_up: bool,
    },
    /// An element was cut on command.
    Cut {
        /// What.
        element: Element,
        /// How.
        mode: CutMode,
    },
    /// An element was mended on command.
    Healed {
        /// What.
        element: Element,
    },
    /// A carrier's cross-connect was given these faults on command; none is a healthy one.
    Carrier {
        /// The cross-connect.
        cross_connect: CrossConnectName,
        /// All of its faults.
        faults: Vec<CarrierFault>,
    },
    /// A node stopped and lost its state.
    Stopped,
    /// A node started, empty.
    Started,
    /// Nodes kept working without time passing: a bug in the node named, or traffic over links
    /// without delay and rate that feeds itself. Time was moved on by `skipped_ns`.
    Livelock {
        /// Steps made at the one instant.
        steps: u64,
        /// How far time was moved, nanoseconds.
        skipped_ns: u64,
    },
}

/// Events kept for whoever polls them; beyond, the oldest is dropped and counted.
pub const EVENTS_MAX: usize = 1 << 18;

/// Bounded buffer of events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: VecDeque<WorldEvent>,
    pub(crate) lost: u64,
}

impl Events {
    pub(crate) fn push(&mut self, event: WorldEvent) {
        if self.queue.len() >= EVENTS_MAX {
            self.queue.pop_front();
            self.lost += 1;
        }
        self.queue.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<WorldEvent> {
        self.queue.pop_front()
    }
}

/// Adds an event to a running hash.
pub(crate) fn hash_event(hash: &mut TraceHash, event: &WorldEvent) {
    hash.time(event.at);
    if let Some(node) = &event.node {
        hash.bytes(node.as_str().as_bytes());
    }
    if let WorldEventKind::Node(NodeEvent::TcpReceived { id, bytes }) = &event.kind {
        // Formatting payload would cost more than carrying it.
        hash.word(id.0);
        hash.bytes(bytes);
        return;
    }
    // Writing into a hash cannot fail.
    let _ = write!(Sink(hash), "{:?}", event.kind);
}

struct Sink<'a>(&'a mut TraceHash);

impl Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.bytes(text.as_bytes());
        Ok(())
    }
}
