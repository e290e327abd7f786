//! Instances with their primary VNIC and its private IP.

use std::net::Ipv4Addr;

use ipnet::IpNet;
use serde_json::{Value as Json, json};
use skybridge_estate::{Phase, Refusal, Resource, ResourceId, Write};

use super::draft::Draft;
use super::network::{address_at, usable_offsets};
use crate::kinds;
use crate::limits::limit_value;
use crate::wish::{Wish, invalid, limit, not_implemented};

/// VNICs and private IPs come with their instance; they can be changed, not created.
pub(super) fn part(wish: &Wish<'_>, noun: &str) -> Result<Json, Refusal> {
    match wish.existing {
        Some(_) => {
            groups(wish, "/nsgIds")?;
            Ok(json!({}))
        }
        None => Err(not_implemented(format!(
            "creating a {noun} by itself is not supported: it comes with its instance"
        ))),
    }
}

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
    groups(wish, "/createVnicDetails/nsgIds")?;
    Ok(json!({}))
}

/// At most five network security groups, all of them there.
fn groups(wish: &Wish<'_>, pointer: &str) -> Result<(), Refusal> {
    let groups = wish.items(pointer);
    let most = limit_value(wish.estate, "nsgs_per_vnic");
    if groups.len() as u64 > most {
        let message = format!(
            "{} network security groups; a VNIC takes at most {most}",
            groups.len()
        );
        return Err(limit("oci.nsgs-per-vnic", pointer, message));
    }
    for i in 0..groups.len() {
        wish.reference(&format!("{pointer}/{i}"), kinds::SECURITY_GROUP)?;
    }
    Ok(())
}

/// The primary VNIC of a new instance, with an address of its subnet.
pub(super) fn add_vnic(
    draft: &mut Draft<'_>,
    instance: &mut Resource,
    region: &str,
) -> Result<(), Refusal> {
    let pointer = subnet_pointer(&instance.doc);
    let details = instance
        .doc
        .get("createVnicDetails")
        .cloned()
        .unwrap_or_else(|| json!({}));
    let subnet_id = instance
        .doc
        .pointer(pointer)
        .and_then(Json::as_str)
        .unwrap_or_default();
    let subnet = draft.estate.resource(&ResourceId::from(subnet_id));
    let vnic_id = draft.ocid("vnic", region);
    let address = match subnet {
        Some(subnet) => {
            draft.rest_on(subnet);
            allocate(draft, instance, subnet, &vnic_id)?
        }
        None => None,
    };
    let mut doc = json!({ "subnetId": subnet_id });
    for field in [
        "nsgIds",
        "skipSourceDestCheck",
        "assignPublicIp",
        "hostnameLabel",
        "displayName",
    ] {
        if let Some(value) = details.get(field).filter(|v| !v.is_null()) {
            super::set(&mut doc, field, value.clone());
        }
    }
    let mut rng = draft.estate.draw(&mut draft.txn, "vnic-mac");
    let [_, a, b, c] = rng.next_u32().to_be_bytes();
    let address = address.map(|a| a.to_string());
    let computed = json!({
        "privateIp": address,
        "macAddress": format!("02:00:17:{a:02X}:{b:02X}:{c:02X}"),
        "isPrimary": true,
        "availabilityDomain": instance.doc.get("availabilityDomain"),
        "subnetId": subnet_id,
    });
    let name = doc.get("displayName").and_then(Json::as_str);
    let name = name.unwrap_or(&instance.name).to_owned();
    draft.insert_generated(
        kinds::VNIC,
        vnic_id.clone(),
        name,
        &instance.id,
        doc,
        computed,
    );
    follow_instance(draft, instance);
    let ip_id = draft.ocid("privateip", region);
    let doc = json!({ "vnicId": vnic_id.as_str() });
    let computed = json!({ "ipAddress": address, "isPrimary": true, "subnetId": subnet_id });
    draft.insert_generated(
        kinds::PRIVATE_IP,
        ip_id,
        String::new(),
        &vnic_id,
        doc,
        computed,
    );
    super::set(&mut instance.computed, "privateIp", json!(address));
    super::set(
        &mut instance.computed,
        "primaryVnicId",
        json!(vnic_id.as_str()),
    );
    Ok(())
}

/// The VNIC just written carries the placeholders and the origin of its instance.
fn follow_instance(draft: &mut Draft<'_>, instance: &Resource) {
    if let Some(Write::Put(vnic)) = draft.txn.writes.last_mut() {
        vnic.phase = Phase::Creating;
        vnic.origin.clone_from(&instance.origin);
        vnic.unknown = instance
            .unknown
            .iter()
            .filter_map(|p| p.strip_prefix("/createVnicDetails"))
            .map(str::to_owned)
            .chain(
                instance
                    .unknown
                    .contains("/subnetId")
                    .then(|| "/subnetId".to_owned()),
            )
            .collect();
    }
}

/// The address that was asked for, or the lowest free one; `None` when nobody knows the subnet.
fn allocate(
    draft: &mut Draft<'_>,
    instance: &Resource,
    subnet: &Resource,
    vnic: &ResourceId,
) -> Result<Option<Ipv4Addr>, Refusal> {
    let pointer = "/createVnicDetails/privateIp";
    let unknown = crate::wish::touches(&subnet.unknown, "/cidrBlock")
        || crate::wish::touches(&instance.unknown, pointer)
        || crate::wish::touches(&instance.unknown, subnet_pointer(&instance.doc));
    let net = subnet
        .text("/cidrBlock")
        .and_then(|t| t.parse::<IpNet>().ok());
    let Some((net, offsets)) = net.filter(|_| !unknown).and_then(usable_offsets) else {
        return Ok(None);
    };
    let asked = instance.doc.pointer(pointer).and_then(Json::as_str);
    let range = match asked {
        None => offsets.clone(),
        Some(text) => {
            let offset = text
                .parse::<Ipv4Addr>()
                .ok()
                .and_then(|a| u32::from(a).checked_sub(u32::from(net.network())))
                .map(u64::from)
                .filter(|o| offsets.contains(o))
                .ok_or_else(|| {
                    let message = format!(
                        "private IP {text} is not an address of subnet {net} that VNICs may have \
                         (the first two and the last are reserved)"
                    );
                    invalid("oci.private-ip", pointer, message)
                })?;
            offset..=offset
        }
    };
    let pool = format!("address/{}", subnet.id);
    match draft
        .estate
        .allocate(&mut draft.txn, &pool, vnic.as_str(), range)
    {
        Some(offset) => Ok(Some(address_at(net, offset))),
        None if asked.is_some() => {
            let message = format!("private IP {} is in use", asked.unwrap_or_default());
            Err(invalid("oci.private-ip", pointer, message))
        }
        None => {
            let message = format!("subnet {} has no free address", subnet.label());
            Err(limit("oci.subnet-full", pointer, message))
        }
    }
}

/// VNICs of an instance.
pub(super) fn vnics<'a>(
    draft: &Draft<'a>,
    instance: &ResourceId,
) -> impl Iterator<Item = &'a Resource> + use<'a> {
    let instance = instance.clone();
    draft
        .estate
        .of_kind(kinds::VNIC)
        .filter(move |v| v.parent.as_ref() == Some(&instance))
}

/// The instance runs: its VNICs answer.
pub(super) fn start(draft: &mut Draft<'_>, instance: &Resource) {
    for vnic in vnics(draft, &instance.id) {
        draft.insert(super::with_phase(vnic.clone(), Phase::Ready));
    }
}

/// Fields of the primary VNIC that an update of the instance's document changes in place.
pub(super) fn update_vnic(draft: &mut Draft<'_>, instance: &Resource) {
    let Some(details) = instance.doc.get("createVnicDetails") else {
        return;
    };
    for vnic in vnics(draft, &instance.id) {
        let mut changed = vnic.clone();
        for field in ["nsgIds", "skipSourceDestCheck"] {
            match details.get(field).filter(|v| !v.is_null()) {
                Some(value) => super::set(&mut changed.doc, field, value.clone()),
                None => {
                    if let Some(map) = changed.doc.as_object_mut() {
                        map.remove(field);
                    }
                }
            }
        }
        if changed.doc != vnic.doc {
            draft.insert(changed);
        }
    }
}
