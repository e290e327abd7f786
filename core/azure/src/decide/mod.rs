//! Azure's control plane as pure decisions.
//!
//! A PUT is checked ([`put`]), a DELETE follows `data/deletions.csv` ([`delete`]), a provider moves
//! circuits ([`provider`]), and due operations take their step ([`step`]).

mod balancer;
mod circuit;
mod connection;
mod delete;
mod firewall;
mod gateway;
mod hub;
mod interface;
mod merge;
mod network;
mod peering;
mod provider;
mod put;
mod security;
mod step;
mod vnet_peering;

use skybridge_base::Instant;
use skybridge_catalogue::{LifecycleOp, catalogue};
use skybridge_estate::{
    Command, Decide, Estate, Operation, OperationKind, Refusal, ResourceId, Txn,
};

use crate::rules::refuse;

pub(crate) use merge::{as_patch, keeping};

/// Circuits of this provider are provisioned only by an OCI virtual circuit that holds their key.
pub const ORACLE_PROVIDER: &str = "Oracle Cloud FastConnect";

/// A circuit with this tag set to `manual` waits for its provider to be played by hand; other circuits of
/// ordinary providers are provisioned by themselves after a while.
pub const MANUAL_PROVIDER_TAG: &str = "skybridge-provider";

/// Azure's part of the estate.
///
/// Provisioning by the provider, unless the circuit is Oracle's or tagged [`MANUAL_PROVIDER_TAG`], begins
/// by itself when the circuit is enabled; such a provider also lets go by itself when the circuit is
/// deleted, where `data/deletions.csv` says that the deletion of a provisioned circuit fails. A refusal because a circuit is not provisioned yet, or a gateway
/// not ready, is marked retryable: the same request passes once the other party is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Azure;

impl Decide for Azure {
    fn decide(&self, estate: &Estate, command: &Command, now: Instant) -> Result<Txn, Refusal> {
        match command {
            Command::Put(put) => put::put(estate, put, now),
            Command::Delete { id, .. } => delete::delete(estate, id, now),
            Command::Provider {
                service_key,
                action,
            } => provider::act(estate, service_key, action, now),
        }
    }

    fn step(&self, estate: &Estate, operation: &Operation, now: Instant) -> Txn {
        step::step(estate, operation, now)
    }
}

/// When an operation on `kind` that starts at `now` is done, at the estate's pace.
fn done_at(estate: &Estate, kind: &str, operation: LifecycleOp, now: Instant) -> Instant {
    now + estate.pace().scale(catalogue().lifecycle(kind, operation))
}

/// Refuses while a write to `id`, to its parent, or to anything nested in either is under way. A
/// provider's work on a circuit is no write.
fn refuse_when_busy(
    estate: &Estate,
    id: &ResourceId,
    parent: Option<&ResourceId>,
) -> Result<(), Refusal> {
    let in_the_way = estate.operations().find(|o| {
        let nested_in = estate.resource(&o.resource).and_then(|r| r.parent.as_ref());
        o.kind != OperationKind::Provider
            && (&o.resource == id
                || parent == Some(&o.resource)
                || nested_in.is_some_and(|p| p == id || Some(p) == parent))
    });
    let Some(operation) = in_the_way else {
        return Ok(());
    };
    let message = format!(
        "operation {} on {} is in progress",
        operation.id.0, operation.resource
    );
    Err(Refusal {
        retryable: true,
        ..refuse("azure.one-write-per-parent", "", message)
    })
}

#[cfg(test)]
mod tests;
