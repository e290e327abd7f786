//! The machines of a world: routers, switches, hosts, and ports with a world outside.
//!
//! A node sees frames on its ports, the state of its links, and time. It never sees the world, other
//! nodes, sockets or clocks. The world drives it: hand in frames, a timeout or a link change, then
//! drain the [`Outbox`] and re-arm [`Node::poll_timeout`]. Every handler does bounded work and re-arms at
//! `now` when it has more to do. Order within an instant: frames, BFD, TCP, routing tables.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod event;
mod external;
mod host;
mod node;
mod router;
mod switch;
pub mod transport;

pub use event::{
    ConnectionId, DropReason, EchoFault, Hop, HopVerdict, HostCommand, NodeEvent, SessionState,
};
pub use external::{External, ExternalCounters, OUTSIDE};
pub use host::{Host, HostConnection, HostCounters, HostNeighbour, TestEcho};
pub use node::{Acceptance, Like, Node, Outbox, Passage, PortIndex, Terms, Ticket};
pub use router::{
    BgpPathObservation, BgpPeerObservation, BgpRouteObservation, InterfaceObservation,
    NeighbourObservation, PolicerObservation, RouteObservation, Router, RouterCounters,
    RouterTicket,
};
pub use switch::{Switch, SwitchPortCounters, SwitchTicket};
