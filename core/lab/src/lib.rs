//! One running estate with its stacks and its world: the machine behind every front door.
//!
//! A driver loops: [`Lab::advance`] to the present, drain [`Lab::poll_output`], sleep until
//! [`Lab::poll_timeout`] or until something comes in ([`Lab::request`], [`Lab::bridge`],
//! [`Lab::simulated`]). In virtual time the same loop jumps from timeout to timeout.
//!
//! An `up` goes through `preparation.rs` (read and rehearse, `rehearsal.rs`, `rules.rs`), then as a `job.rs`
//! through `run.rs` per stack (Terraform's actions to the clouds by `dialect.rs` and `control.rs`), while
//! `network.rs` keeps the world at what the estate means; then `checks.rs` on live packets and
//! `simulation.rs` on a twin; `report.rs` says what came of it.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod adoption;
mod bridge;
mod capture;
mod carrier;
mod ce_config;
mod checks;
mod control;
mod diagnose;
mod diagnostics;
mod dialect;
pub mod document;
mod doubles;
mod expectation;
mod explain;
mod extras;
mod faults;
mod forward;
mod job;
mod lab;
mod loose_ends;
mod names;
mod network;
mod output;
mod outside;
mod plan;
mod premises;
mod preparation;
mod probe;
mod provider;
mod rehearsal;
mod report;
pub mod request;
mod rules;
mod run;
mod show;
mod siblings;
mod simulation;
mod site_rules;
pub mod socks;
mod sources;
mod stub;
mod task;
mod trace;

pub use lab::{Hosts, Lab, LabConfig};
pub use output::{BridgeId, BridgeInput, ClientId, ForwardId, LabOutput, PortId, PortNews};
pub use simulation::{SimulationJob, SimulationResult};
