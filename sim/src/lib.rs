//! Worlds in virtual time with seeded faults and checkers.
//!
//! A seed chooses a network, a mixture of faults (a swarm: some kinds never happen, the rest are more or
//! less likely) and when they strike. A run has two phases:
//!
//! - *safety*: faults strike; with every frame it is checked that no packet enters another tenant's part;
//!   nodes must let time pass; every echo ends exactly once. In between, the run waits until sessions and
//!   tables are those that the independent solver computes under the same faults, and then demands that
//!   echoes arrive where the solver says and nowhere else, that no packet passes a node twice or dies of
//!   its TTL, and that what hosts and their links count is equal;
//! - *liveness*: everything is mended; within [`SETTLING_MAX`] all sessions must be established and all
//!   pairs reach each other, else the report says what is missing and why.
//!
//! Equal seeds give equal trace hashes. `cargo run -p skybridge-sim --release -- --seeds 100` runs many;
//! `seeds/` holds those that failed once, which the tests repeat.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod checkers;
pub mod exam;
mod faults;
pub mod network;
mod oracle;
mod run;

pub use checkers::{Watcher, identifier};
pub use faults::{Kind, Swarm};
pub use oracle::{differences, established, reaches};
pub use run::{Outcome, Run, SETTLING_MAX, options, run, run_network};
