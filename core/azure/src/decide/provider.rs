//! The connectivity provider: it moves a circuit between its provider states.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use skybridge_base::Instant;
use skybridge_catalogue::{LifecycleOp, same_name};
use skybridge_estate::{
    Cloud, Estate, OperationKind, Party, Phase, ProviderAction, Refusal, Resource, Txn, Write,
};

use super::delete::{remove, set_property};
use super::peering::{PRIVATE, computed_properties};
use super::put::computed;
use super::{MANUAL_PROVIDER_TAG, ORACLE_PROVIDER, done_at};
use crate::doc::Doc;
use crate::kinds;
use crate::model::ProviderState;
use crate::read::provider_state;
use crate::rules::refuse;

/// The provider does `action` to the circuit that has `service_key`.
pub(super) fn act(
    estate: &Estate,
    service_key: &str,
    action: &ProviderAction,
    now: Instant,
) -> Result<Txn, Refusal> {
    let has_key = |c: &&Resource| {
        c.text("/properties/serviceKey")
            .is_some_and(|k| k.eq_ignore_ascii_case(service_key))
    };
    let Some(circuit) = estate.of_kind(kinds::CIRCUIT).find(has_key) else {
        let message = format!("no circuit has the service key {service_key}");
        return Err(refuse("azure.service-key", "", message));
    };
    let enabled = circuit.text("/properties/circuitProvisioningState") == Some("Enabled");
    if !enabled {
        let message = format!("circuit {} is not enabled", circuit.name);
        return Err(Refusal {
            retryable: circuit.phase == Phase::Creating,
            ..refuse("azure.provider-state", "", message)
        });
    }
    let mut txn = Txn::default();
    txn.based_on
        .push((circuit.id.clone(), Some(circuit.revision)));
    // Whatever the provider had under way by itself is overtaken.
    for operation in estate.operations() {
        if operation.resource == circuit.id && operation.kind == OperationKind::Provider {
            txn.writes.push(Write::End(operation.id));
        }
    }
    let state = provider_state(&Doc::of(circuit));
    let refused = |need: &str| {
        let message = format!("circuit {} is {state:?}; it must be {need}", circuit.name);
        Err(refuse("azure.provider-state", "", message))
    };
    match action {
        ProviderAction::Begin => match state {
            ProviderState::NotProvisioned | ProviderState::Provisioning => {
                write_state(&mut txn, circuit, "Provisioning");
            }
            ProviderState::Provisioned | ProviderState::Deprovisioning => {
                return refused("NotProvisioned");
            }
        },
        ProviderAction::Provision { peering } => {
            if state == ProviderState::Deprovisioning {
                return refused("NotProvisioned or Provisioning");
            }
            write_state(&mut txn, circuit, "Provisioned");
            if let Some(peering) = peering {
                write_peering(estate, &mut txn, circuit, peering, now)?;
            }
        }
        ProviderAction::Deprovision => {
            if state != ProviderState::NotProvisioned {
                deprovision(estate, &mut txn, circuit, now);
            }
        }
        ProviderAction::Reject => match state {
            ProviderState::NotProvisioned | ProviderState::Provisioning => {
                write_state(&mut txn, circuit, "NotProvisioned");
            }
            ProviderState::Provisioned | ProviderState::Deprovisioning => {
                return refused("Provisioning");
            }
        },
    }
    Ok(txn)
}

fn write_state(txn: &mut Txn, circuit: &Resource, state: &str) {
    let mut circuit = circuit.clone();
    set_property(
        &mut circuit,
        "serviceProviderProvisioningState",
        state.into(),
    );
    txn.writes.push(Write::Put(Box::new(circuit)));
}

/// The peering goes at once, the state some time later: the gap that makes hasty destructions fail.
fn deprovision(estate: &Estate, txn: &mut Txn, circuit: &Resource, now: Instant) {
    for peering in estate.children(&circuit.id) {
        if peering.kind.as_str() == kinds::PEERING {
            remove(estate, peering, txn);
        }
    }
    write_state(txn, circuit, "Deprovisioning");
    let due = done_at(estate, kinds::PEERING, LifecycleOp::Delete, now);
    estate.begin(txn, &circuit.id, Party::Azure, OperationKind::Provider, due);
}

/// The private peering that a provider of layer 3 sets up. `given` is the ARM peering, or its properties
/// alone.
fn write_peering(
    estate: &Estate,
    txn: &mut Txn,
    circuit: &Resource,
    given: &Json,
    now: Instant,
) -> Result<(), Refusal> {
    let mut doc = if given.get("properties").is_some() {
        given.clone()
    } else {
        json!({"properties": given})
    };
    let properties = doc.pointer_mut("/properties").and_then(Json::as_object_mut);
    let Some(properties) = properties else {
        let message = "the provider's peering is no object";
        return Err(refuse("azure.provider-state", "", message));
    };
    properties.insert("peeringType".to_owned(), json!(PRIVATE));
    let id = kinds::child_id(&circuit.id, kinds::PEERING, PRIVATE);
    let existing = estate.resource(&id);
    let unknown = BTreeSet::new();
    let view = Doc::new(&doc, &unknown);
    let mut properties = computed_properties(estate, txn, circuit, &id, &view);
    properties.insert("lastModifiedBy".to_owned(), json!("Provider"));
    let computed = computed(&id, kinds::PEERING, "Succeeded", properties);
    txn.writes.push(Write::Put(Box::new(Resource {
        id,
        cloud: Cloud::Azure,
        kind: kinds::PEERING.into(),
        name: PRIVATE.to_owned(),
        parent: Some(circuit.id.clone()),
        doc,
        computed,
        unknown,
        phase: Phase::Ready,
        revision: 0,
        created_at: existing.map_or(now, |e| e.created_at),
        origin: None,
    })));
    Ok(())
}

/// True when the circuit's provider acts by itself.
pub(super) fn is_automatic(circuit: &Resource) -> bool {
    let provider = circuit.text("/properties/serviceProviderProperties/serviceProviderName");
    let tag = circuit.text(&format!("/tags/{MANUAL_PROVIDER_TAG}"));
    provider.is_some_and(|p| !same_name(p, ORACLE_PROVIDER)) && tag != Some("manual")
}
