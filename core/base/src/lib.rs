//! What every core crate shares: virtual time, the [`Machine`] contract, seeded randomness, and the
//! small typed names of networking.
//!
//! Nothing here reads a clock, a file, the environment or an operating system's random source.
//!
//! A driver of a [`Machine`] loops: hand in an input or a timeout, poll outputs until `None`, then
//! arm [`Machine::poll_timeout`]. `now` never goes back; early timeouts are harmless.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod hash;
mod names;
mod rng;
mod table;
mod time;

pub use hash::TraceHash;
pub use names::{Asn, MacAddr, ParseNameError, VlanId};
pub use rng::Rng;
pub use table::Table;
pub use time::{Deadline, Instant, WallTime, earliest};

/// A protocol or subsystem without input or output of its own: bytes and events in, values out.
///
/// Contract (style guide §3.2): `now` never goes back; after any `handle_*` the driver polls outputs
/// until `None` and re-arms the timeout; a peer's faults are outputs, never errors.
pub trait Machine {
    /// What the driver hands in; bytes are borrowed.
    type Input<'a>;
    /// What the driver takes out.
    type Output;
    /// Takes one input.
    fn handle_input(&mut self, now: Instant, input: Self::Input<'_>);
    /// Lets time pass; harmless when nothing is due.
    fn handle_timeout(&mut self, now: Instant);
    /// The next output, or `None` when drained.
    fn poll_output(&mut self) -> Option<Self::Output>;
    /// When to call [`Machine::handle_timeout`] next. May change after any `handle_*`.
    fn poll_timeout(&self) -> Option<Deadline>;
}
