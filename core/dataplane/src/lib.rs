//! What a router decides with: forwarding tables, packet filters with flow state, policers, counters.
//!
//! Everything here is a plain table or bucket driven by its owner: no frames are held, nothing is
//! sent, and time is an argument. Lookups on the packet path allocate nothing and walk no names:
//! tables and interfaces are small numbers that the owner gives out ([`TableIndex`],
//! [`InterfaceIndex`]).
//!
//! Limits: [`flows::FlowTable`] holds a stated number of flows and answers `Full` beyond;
//! [`fib::Fib`] is bounded by what its owner installs.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod counters;
mod drop_reason;
pub mod ecmp;
pub mod fib;
pub mod filter;
pub mod flows;
mod inspection;
pub mod lpm;
mod policer;
mod rule_index;

pub use counters::{DropCounters, InterfaceCounters};
pub use drop_reason::DropReason;
pub use fib::{Candidate, Fib, Found, RouteHop, RouteState};
pub use filter::{CompiledFilter, Decision, Place};
pub use flows::{Direction, FlowRef, FlowTable, FlowTimeouts, Opened};
pub use inspection::{Inspected, Inspection};
pub use policer::TokenBucket;

/// A routing table of one router by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TableIndex(pub u16);

/// An interface of one router by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InterfaceIndex(pub u16);
