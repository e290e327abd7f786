//! What the routing tables of a blueprint must be once everything has settled, and where a packet
//! then goes: computed by rounds until nothing changes, without time, messages or state machines.
//!
//! The solver shares no code with what runs (`bgp`, `dataplane`, `nodes`): it is the oracle of the
//! simulator and the engine of `verify`. It is slow and plain on purpose.
//!
//! What it takes from the blueprint: interfaces, static routes, BGP sessions whose two ends fit,
//! policies, limits, filters, source checks, transit rules. What it leaves out: MTU, rates and
//! policers, the state that stateful rules keep (the forward packet is judged alone), NAT, timers.
//!
//! Limits: [`ROUNDS_MAX`] rounds (then, or when a state comes back, [`Tables::converged`] is false),
//! [`WALKS_MAX`] equal-cost walks of at most [`HOPS_MAX`] hops.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bgp;
mod failures;
mod filter;
mod path;
mod policy;
mod sessions;
mod tables;
mod walk;

pub use bgp::ROUNDS_MAX;
pub use failures::Failures;
pub use filter::Flow;
pub use path::{Path, PathFrom};
pub use sessions::{SessionId, SessionVerdict};
pub use tables::{Route, RouteTable, Tables, solve};
pub use walk::{DropCause, HOPS_MAX, Outcome, WALKS_MAX, Walk, WalkHop, walk, walks};
