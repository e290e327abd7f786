//! Which layer of a path is broken, whose it is, and what mends it.
//!
//! [`diagnose`] is a pure walk over [`Observations`]: what an operator of the network can see. Documents of
//! the clouds and of the provider, states of ports, frames counted at both ends of a link during some
//! seconds of real probes, ARP, sessions with their last reset, routes sent, heard and used, drop counters,
//! and the hops of probes that crossed the data path. It has no other input: whatever a simulator keeps about faults that were injected
//! cannot reach it, because no type here could hold it.
//!
//! | file | judges |
//! |---|---|
//! | `adjacency.rs` | two routers and what lies between them: device, link, tags, loss, ARP, MTU |
//! | `attached.rs` | a router of the user's own, from what its port shows of it |
//! | `session.rs` | the BGP and BFD between them |
//! | `routes.rs` | why a router has no route: sessions, what was sent, what was refused, whose table lacks it |
//! | `probe.rs` | why a probe failed, from its last hop |
//! | `walk.rs` | all together: causes first, consequences below them, what is only degraded behind |
//!
//! Packets decide: `healthy` and `degraded` come only from probes that were answered by the right host.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod adjacency;
mod attached;
mod fault;
mod finding;
mod layer;
mod observation;
mod probe;
mod routes;
mod session;
mod walk;

#[cfg(test)]
mod tests;

pub use finding::{Condition, Diagnosis, Finding, LayerRow, LegState, Mark, ProbeRow};
pub use layer::{Layer, owner_words};
pub use observation::{
    Adjacency, Arp, Attached, Carried, CircuitObservation, End, HopVerdict, HopView,
    HostObservation, Observations, Outcome, Packet, Place, Probe, RouterView, Segment, SegmentEnd,
    SessionEnd, TableView, Told, Towards,
};
pub use walk::diagnose;
