//! The estate: every resource of every cloud, the operations under way on them, and what was allocated.
//!
//! Shape (design §5): a cloud's `decide` is a pure function from the estate and a [`Command`] to a [`Txn`];
//! only [`Estate::apply`] changes state. Each resource keeps the document that the client sent, and beside
//! it what the cloud computed. Nothing here knows a cloud, Terraform, the network or a clock.
//!
//! The loop of an owner:
//! 1. `cloud.decide(&estate, &command, now)` gives a transaction or a [`Refusal`];
//! 2. [`Estate::apply`] commits it and returns its follow-up commands for other parties;
//! 3. at [`Estate::poll_timeout`], [`Estate::due`] names operations whose step is due; the owning cloud's
//!    `step` answers with a transaction, and so on until no operation is left.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod allocations;
mod command;
mod estate;
mod finding;
mod pace;
mod resource;
mod resources;

pub use command::{Command, Party, ProviderAction, PutRequest, Refusal};
pub use estate::{Conflict, Estate, Operation, OperationId, OperationKind, Txn, Write};
pub use finding::{Finding, Grade, Level, Subject};
pub use pace::Pace;
pub use resource::{Cloud, Kind, Origin, Phase, Place, Resource, ResourceId, at_pointer};

use skybridge_base::Instant;

/// What a cloud brings: pure decisions about its own kinds.
pub trait Decide {
    /// What `command` would do, or why it is refused.
    ///
    /// # Errors
    /// A [`Refusal`] with the cloud's own code when its API would refuse the request too.
    fn decide(&self, estate: &Estate, command: &Command, now: Instant) -> Result<Txn, Refusal>;

    /// What the due step of `operation` does.
    fn step(&self, estate: &Estate, operation: &Operation, now: Instant) -> Txn;
}
