//! One running estate with its stacks and its world: the machine behind every front door.
//!
//! A driver loops: [`Lab::advance`] to the present, drain [`Lab::poll_output`], sleep until
//! [`Lab::poll_timeout`] or until something comes in ([`Lab::request`], [`Lab::bridge`], [`Lab::simulated`]).
//! In virtual time the same loop jumps from timeout to timeout.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod document;
mod output;
pub mod request;
mod simulation;

pub use output::{BridgeId, BridgeInput, ClientId, LabOutput};
pub use simulation::{SimulationJob, SimulationResult};

use std::collections::VecDeque;
use std::time::Duration;

use skybridge_base::{Deadline, Instant};
use skybridge_estate::Pace;

use crate::request::Request;

/// How a lab is set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabConfig {
    /// Seed of the world: jitter, loss, initial sequence numbers.
    pub seed: u64,
    /// Seed of ids and service keys: from the operating system where the lab is served to someone.
    pub secret_seed: u64,
    /// How fast lifecycles run.
    pub pace: Pace,
}

/// One running estate with its stacks and its world.
#[derive(Debug)]
pub struct Lab {
    outputs: VecDeque<LabOutput>,
}

impl Lab {
    /// An empty lab at time zero.
    #[must_use]
    pub fn new(_config: LabConfig) -> Self {
        Self {
            outputs: VecDeque::new(),
        }
    }

    /// Takes a request; the answers come out of [`Lab::poll_output`].
    pub fn request(&mut self, _now: Instant, _client: ClientId, _request: Request) {}

    /// The client has gone: what it waited for is not answered any more.
    pub fn forget(&mut self, _client: ClientId) {}

    /// Processes everything due up to `now`.
    pub fn advance(&mut self, _now: Instant) {}

    /// When to call [`Lab::advance`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        None
    }

    /// The next thing for the driver to do.
    pub fn poll_output(&mut self) -> Option<LabOutput> {
        self.outputs.pop_front()
    }

    /// News of a bridge connection.
    pub fn bridge(&mut self, _now: Instant, _id: BridgeId, _input: BridgeInput) {}

    /// How many bytes a bridge connection can take from the server at present.
    #[must_use]
    pub fn bridge_room(&self, _id: BridgeId) -> usize {
        0
    }

    /// The result of a simulation.
    pub fn simulated(&mut self, _now: Instant, _result: SimulationResult) {}

    /// The driver was late by `_slip` and has moved the world's clock back by as much.
    pub fn note_slip(&mut self, _slip: Duration) {}
}
