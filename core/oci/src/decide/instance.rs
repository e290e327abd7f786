//! Instances with their primary VNIC.

use serde_json::{Value as Json, json};
use skybridge_estate::{Phase, Refusal, Resource};

use super::draft::Draft;
use super::vnic::{self, Card};
use crate::kinds;
use crate::wish::Wish;

/// Where the document names the subnet: in the VNIC's details, or in the older field beside them.
fn subnet_pointer(doc: &Json) -> &'static str {
    match doc.pointer("/createVnicDetails/subnetId") {
        Some(v) if !v.is_null() => "/createVnicDetails/subnetId",
        _ => "/subnetId",
    }
}

/// Checks an instance.
pub(super) fn instance(wish: &Wish<'_>) -> Result<Json, Refusal> {
    wish.required("/availabilityDomain")?;
    wish.required("/shape")?;
    let pointer = subnet_pointer(wish.doc);
    wish.required(pointer)?;
    wish.reference(pointer, kinds::SUBNET)?;
    vnic::groups(wish, "/createVnicDetails/nsgIds")?;
    Ok(json!({}))
}

/// The primary VNIC of a new instance, with an address of its subnet.
pub(super) fn add_vnic(
    draft: &mut Draft<'_>,
    instance: &mut Resource,
    region: &str,
) -> Result<(), Refusal> {
    let pointer = subnet_pointer(&instance.doc);
    let details = instance.doc.get("createVnicDetails").cloned();
    let details = details.unwrap_or_else(|| json!({}));
    let subnet = instance.doc.pointer(pointer).and_then(Json::as_str);
    let card = Card {
        instance,
        details: &details,
        subnet: subnet.unwrap_or_default(),
        subnet_pointer: pointer,
        unknown: &instance.unknown,
        origin: instance.origin.clone(),
        attachment: None,
    };
    let (id, address) = vnic::add(draft, region, card)?;
    let address = json!(address.map(|a| a.to_string()));
    super::set(&mut instance.computed, "privateIp", address);
    super::set(&mut instance.computed, "primaryVnicId", json!(id.as_str()));
    Ok(())
}

/// The instance runs: its VNICs answer.
pub(super) fn start(draft: &mut Draft<'_>, instance: &Resource) {
    for vnic in vnic::of_instance(draft, &instance.id) {
        draft.insert(super::with_phase(vnic.clone(), Phase::Ready));
    }
}

/// Fields of the primary VNIC that an update of the instance's document changes in place.
pub(super) fn update_vnic(draft: &mut Draft<'_>, instance: &Resource) {
    let Some(details) = instance.doc.get("createVnicDetails") else {
        return;
    };
    let primary = |v: &&Resource| v.field("/isPrimary") == Some(&json!(true));
    for vnic in vnic::of_instance(draft, &instance.id).filter(primary) {
        vnic::follow(draft, vnic, details);
    }
}
