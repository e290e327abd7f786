//! Steps of operations that are due.

use serde_json::json;
use skybridge_base::Instant;
use skybridge_catalogue::{LifecycleOp, catalogue};
use skybridge_estate::{Estate, Operation, OperationKind, Party, Phase, Resource, Txn, Write};

use super::delete::{fails, remove, set_property, set_state};
use super::provider::is_automatic;
use super::put::again;
use crate::doc::Doc;
use crate::kinds;
use crate::model::ProviderState;
use crate::read::provider_state;

pub(super) fn step(estate: &Estate, operation: &Operation, now: Instant) -> Txn {
    let mut txn = Txn::default();
    let Some(resource) = estate.resource(&operation.resource) else {
        txn.writes.push(Write::End(operation.id));
        return txn;
    };
    txn.based_on
        .push((resource.id.clone(), Some(resource.revision)));
    match operation.kind {
        OperationKind::Create | OperationKind::Update => {
            txn.writes.push(Write::End(operation.id));
            settle(estate, resource, &mut txn, now);
        }
        OperationKind::Delete => {
            txn.writes.push(Write::End(operation.id));
            // A provider that plays itself also lets go by itself when its customer deletes the circuit.
            if fails(estate, resource) && !is_automatic(resource) {
                fail_deletion(resource, &mut txn);
            } else {
                remove(estate, resource, &mut txn);
            }
        }
        OperationKind::Provider if resource.phase == Phase::Deleting => {
            txn.writes.push(Write::End(operation.id));
        }
        OperationKind::Provider => provide(estate, resource, operation, &mut txn, now),
    }
    txn
}

/// Creation and change end well.
fn settle(estate: &Estate, resource: &Resource, txn: &mut Txn, now: Instant) {
    let was = resource.phase;
    let mut resource = resource.clone();
    resource.phase = Phase::Ready;
    set_state(&mut resource, "Succeeded");
    let id = resource.id.clone();
    let is_circuit = resource.kind.as_str() == kinds::CIRCUIT;
    if is_circuit {
        set_property(&mut resource, "circuitProvisioningState", json!("Enabled"));
    }
    let provider_begins = is_circuit && was == Phase::Creating && is_automatic(&resource);
    txn.writes.push(Write::Put(Box::new(resource)));
    if provider_begins {
        let due = now + provider_share(estate, 1);
        estate.begin(txn, &id, Party::Azure, OperationKind::Provider, due);
    }
}

/// A part of the provider's time: a quarter before it begins, three until it is done.
fn provider_share(estate: &Estate, quarters: u32) -> std::time::Duration {
    let whole = catalogue().lifecycle(kinds::CIRCUIT, LifecycleOp::Provider);
    estate.pace().scale(whole) * quarters / 4
}

/// The deletion was accepted and does not go through: the resource stays, failed.
fn fail_deletion(resource: &Resource, txn: &mut Txn) {
    let mut resource = resource.clone();
    resource.phase = Phase::Failed;
    set_state(&mut resource, "Failed");
    let message = "The circuit is not deprovisioned; ask the service provider to deprovision it.";
    let error = json!({"code": "ConflictError", "message": message});
    if let Some(computed) = resource.computed.as_object_mut() {
        computed.insert("error".to_owned(), error);
    }
    txn.writes.push(Write::Put(Box::new(resource)));
}

/// The provider's own progress: each state leads to the next.
fn provide(
    estate: &Estate,
    circuit: &Resource,
    operation: &Operation,
    txn: &mut Txn,
    now: Instant,
) {
    let (next, more) = match provider_state(&Doc::of(circuit)) {
        ProviderState::NotProvisioned => ("Provisioning", Some(provider_share(estate, 3))),
        ProviderState::Provisioning | ProviderState::Provisioned => ("Provisioned", None),
        ProviderState::Deprovisioning => ("NotProvisioned", None),
    };
    let mut circuit = circuit.clone();
    set_property(
        &mut circuit,
        "serviceProviderProvisioningState",
        json!(next),
    );
    txn.writes.push(Write::Put(Box::new(circuit)));
    txn.writes.push(match more {
        Some(more) => again(operation, now + more),
        None => Write::End(operation.id),
    });
}
