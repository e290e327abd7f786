//! A running blueprint: nodes joined by links under one event heap, in virtual time.
//!
//! A [`World`] is built from a [`skybridge_blueprint::Blueprint`] and a seed. It owns the nodes and the links, moves
//! frames between them, fires their timers and reports what they say. It is a pure function of
//! initial blueprint, applied blueprints, seed and commands: [`World::replay`] repeats it from its own
//! [`CommandLog`], to the same [`World::trace_hash`].
//!
//! Two drivers use it:
//! - virtual time: [`World::run_until`] jumps from event to event;
//! - real time: the driver sleeps until [`World::poll_timeout`], then calls [`World::advance_some`] with
//!   the time that really passed, until nothing more is due. Pacing policy (slipping when the machine is busy) is the driver's.
//!
//! Both drain [`World::poll_event`] and, for ports with a world outside, [`World::poll_external`].
//!
//! Order: events are taken by time. Within an instant frames come before timers; frames by the order
//! in which they were sent, those that arrive together on one port in one batch; timers by node, in
//! the order in which the nodes were added. What arrives at a router is taken frame by frame, and a frame
//! that only passes goes straight on over links that do not hold it up, through up to
//! [`NODES_PER_STEP_MAX`] routers, before the next is taken; where it cannot pass, or at a host, it
//! takes its place in this order. Frames on one link are never reordered.
//!
//! Frames of a flow go the way of its earlier ones without being judged again ([`World::set_flow_cache`]),
//! which changes what they cost and nothing else: frames on every link, counters, drops, events and trace hash
//! are those of a world without flow cache.
//!
//! Limits and what happens at them: [`EVENTS_MAX`] (oldest dropped), [`EXTERNAL_FRAMES_MAX`] (newest
//! dropped), [`CAPTURE_OCTETS_MAX`] (newest missed and counted), [`FRAMES_IN_FLIGHT_MAX`] and [`QUEUE_TIME`] (tail drop), [`STEPS_PER_INSTANT_MAX`] (time is
//! moved on and a [`WorldEventKind::Livelock`] reported), [`LOG_ENTRIES_MAX`] (no replay), [`WAYS_MAX`] (a
//! newcomer takes the place of another).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod apply;
mod capture;
mod carrier;
mod command;
mod difference;
mod event;
mod execute;
mod external;
mod flow_cache;
mod link;
mod pace;
mod passing;
pub mod pcapng;
mod real;
mod repeat;
mod slot;
mod stand_in;
mod tap;
mod view;
mod wiring;
mod world;

pub use capture::{
    CAPTURE_OCTETS_MAX, CaptureDirection, CaptureId, CapturePoint, CaptureTake, Captured,
    pcap_bytes,
};
pub use command::{
    Command, CommandError, CommandLog, CutMode, Element, LOG_ENTRIES_MAX, LogEntry, Logged,
    NeighbourPing, TagFault, TagLevel,
};
pub use difference::Difference;
pub use event::{EVENTS_MAX, WorldEvent, WorldEventKind};
pub use execute::ADMIN_GRACE;
pub use external::{EXTERNAL_FRAMES_MAX, ExternalFrame, ExternalPort};
pub use flow_cache::{FlowCacheStats, WAYS_MAX};
pub use link::{FRAMES_IN_FLIGHT_MAX, LinkDrop, QUEUE_TIME};
pub use passing::NODES_PER_STEP_MAX;
pub use real::AnyNode;
pub use slot::Buildable;
pub use view::{DirectionView, LinkView};
pub use world::{Checker, Delivery, ReplayError, STEPS_PER_INSTANT_MAX, World};
