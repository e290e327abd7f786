//! VNICs and the private addresses on them.
//!
//! The primary VNIC comes with its instance, each further one with its attachment. A VNIC has one primary private
//! IP, which comes and goes with it, and secondary ones (Oracle, "Virtual Network Interface Cards (VNICs)", "Private
//! IP Addresses").

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::IpNet;
use serde_json::{Value as Json, json};
use skybridge_estate::{Origin, Phase, Refusal, Resource, ResourceId, Write};

use super::draft::Draft;
use super::network::{address_at, usable_offsets};
use crate::kinds;
use crate::limits::limit_value;
use crate::wish::{Wish, invalid, limit, not_implemented, touches};

/// Where an attachment's and an instance's document has what is asked of the VNIC.
const DETAILS: &str = "/createVnicDetails";

/// VNICs come with their instance or attachment; they can be changed, not created.
pub(super) fn vnic(wish: &Wish<'_>) -> Result<Json, Refusal> {
    if wish.existing.is_none() {
        let message = "a VNIC is not created by itself: it comes with its instance or attachment";
        return Err(not_implemented(message.to_owned()));
    }
    groups(wish, "/nsgIds")?;
    Ok(json!({}))
}

/// Checks the attachment of a secondary VNIC.
pub(super) fn attachment(wish: &Wish<'_>) -> Result<Json, Refusal> {
    let subnet = format!("{DETAILS}/subnetId");
    let vlan = format!("{DETAILS}/vlanId");
    if wish.value(&vlan).is_none() {
        wish.required(&subnet)?;
    }
    wish.reference(&subnet, kinds::SUBNET)?;
    groups(wish, &format!("{DETAILS}/nsgIds"))?;
    own_table(wish, &format!("{DETAILS}/routeTableId"), &subnet)?;
    let domain = wish.parent.and_then(|i| i.text("/availabilityDomain"));
    let known = !wish.is_unknown(&subnet);
    Ok(json!({
        "availabilityDomain": domain,
        "subnetId": wish.text(&subnet).filter(|_| known),
        "nicIndex": wish.value("/nicIndex").cloned().unwrap_or_else(|| json!(0)),
    }))
}

/// A route table of its own is one of the subnet's VCN (Oracle, "Per-resource Routing").
fn own_table(wish: &Wish<'_>, pointer: &str, subnet: &str) -> Result<(), Refusal> {
    let table = wish.reference(pointer, kinds::ROUTE_TABLE)?;
    let subnet = wish.reference(subnet, kinds::SUBNET)?;
    if let (Some(table), Some(subnet)) = (table, subnet)
        && table.parent != subnet.parent
    {
        let message = format!(
            "{} is of another VCN than {}",
            table.label(),
            subnet.label()
        );
        return Err(invalid("oci.reference-other-parent", pointer, message));
    }
    Ok(())
}

/// At most five network security groups, all of them there.
pub(super) fn groups(wish: &Wish<'_>, pointer: &str) -> Result<(), Refusal> {
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

/// A VNIC to be made.
pub(super) struct Card<'a> {
    pub(super) instance: &'a Resource,
    /// What was asked: `createVnicDetails` of the instance or of the attachment.
    pub(super) details: &'a Json,
    /// Its subnet, and where the document that asks for it names it.
    pub(super) subnet: &'a str,
    pub(super) subnet_pointer: &'a str,
    /// Placeholders of that document.
    pub(super) unknown: &'a BTreeSet<String>,
    /// Primary VNICs have the origin of their instance.
    pub(super) origin: Option<Origin>,
    /// Secondary VNICs: what attaches them.
    pub(super) attachment: Option<&'a ResourceId>,
}

/// Makes a VNIC with an address of its subnet and its primary private IP. Gives its id and its address, which is
/// absent when nobody knows the subnet.
pub(super) fn add(
    draft: &mut Draft<'_>,
    region: &str,
    card: Card<'_>,
) -> Result<(ResourceId, Option<Ipv4Addr>), Refusal> {
    let subnet = draft.estate.resource(&ResourceId::from(card.subnet));
    let vnic_id = draft.ocid("vnic", region);
    let pointer = format!("{DETAILS}/privateIp");
    let wanted = Wanted {
        asked: card.details.get("privateIp").and_then(Json::as_str),
        is_unknown: touches(card.unknown, &pointer) || touches(card.unknown, card.subnet_pointer),
        pointer: &pointer,
        key: &vnic_id,
    };
    let address = match subnet {
        Some(subnet) => {
            draft.rest_on(subnet);
            allocate(draft, subnet, &wanted)?
        }
        None => None,
    };
    let mut doc = json!({ "subnetId": card.subnet });
    for field in CARRIED {
        if let Some(value) = card.details.get(field).filter(|v| !v.is_null()) {
            super::set(&mut doc, field, value.clone());
        }
    }
    let mut rng = draft.estate.draw(&mut draft.txn, "vnic-mac");
    let [_, a, b, c] = rng.next_u32().to_be_bytes();
    let text = address.map(|a| a.to_string());
    let computed = json!({
        "privateIp": text,
        "macAddress": format!("02:00:17:{a:02X}:{b:02X}:{c:02X}"),
        "isPrimary": card.attachment.is_none(),
        "vnicAttachmentId": card.attachment.map(ResourceId::as_str),
        "availabilityDomain": card.instance.doc.get("availabilityDomain"),
        "subnetId": card.subnet,
    });
    let name = doc.get("displayName").and_then(Json::as_str);
    let name = name.unwrap_or(&card.instance.name).to_owned();
    let host = doc.get("hostnameLabel").cloned();
    let parent = &card.instance.id;
    let (kind, id) = (kinds::VNIC, vnic_id.clone());
    draft.insert_generated(kind, id, name.clone(), parent, doc, computed);
    if let Some(Write::Put(vnic)) = draft.txn.writes.last_mut() {
        vnic.phase = Phase::Creating;
        vnic.origin = card.origin;
        let details = card.unknown.iter().filter_map(|p| p.strip_prefix(DETAILS));
        vnic.unknown = details.map(str::to_owned).collect();
        if touches(card.unknown, card.subnet_pointer) {
            vnic.unknown.insert("/subnetId".to_owned());
        }
    }
    let ip_id = draft.ocid("privateip", region);
    let doc = json!({ "vnicId": vnic_id.as_str() });
    let computed = json!({ "ipAddress": text, "isPrimary": true, "subnetId": card.subnet,
        "hostnameLabel": host });
    // The primary private IP is called as its VNIC is; directories look it up by that.
    let kind = kinds::PRIVATE_IP;
    draft.insert_generated(kind, ip_id, name, &vnic_id, doc, computed);
    Ok((vnic_id, address))
}

/// What a VNIC takes over from what was asked.
const CARRIED: [&str; 6] = [
    "nsgIds",
    "skipSourceDestCheck",
    "assignPublicIp",
    "hostnameLabel",
    "displayName",
    "routeTableId",
];

/// The secondary VNIC of a new attachment.
pub(super) fn attach(
    draft: &mut Draft<'_>,
    attachment: &mut Resource,
    region: &str,
) -> Result<(), Refusal> {
    let instance = attachment.parent.as_ref();
    let Some(instance) = instance.and_then(|id| draft.estate.resource(id)) else {
        return Ok(());
    };
    let details = attachment.doc.pointer(DETAILS).cloned();
    let details = details.unwrap_or_else(|| json!({}));
    let pointer = format!("{DETAILS}/subnetId");
    let subnet = details.get("subnetId").and_then(Json::as_str);
    let card = Card {
        instance,
        details: &details,
        subnet: subnet.unwrap_or_default(),
        subnet_pointer: &pointer,
        unknown: &attachment.unknown,
        origin: None,
        attachment: Some(&attachment.id),
    };
    let (id, address) = add(draft, region, card)?;
    let address = json!(address.map(|a| a.to_string()));
    super::set(&mut attachment.computed, "vnicId", json!(id.as_str()));
    super::set(&mut attachment.computed, "privateIp", address);
    Ok(())
}

/// An address to be had.
struct Wanted<'a> {
    asked: Option<&'a str>,
    /// Nobody knows which, or of which subnet.
    is_unknown: bool,
    pointer: &'a str,
    /// Who has it.
    key: &'a ResourceId,
}

/// The address that was asked for, or the lowest free one; `None` when nobody knows the subnet.
fn allocate(
    draft: &mut Draft<'_>,
    subnet: &Resource,
    wanted: &Wanted<'_>,
) -> Result<Option<Ipv4Addr>, Refusal> {
    let unknown = wanted.is_unknown || touches(&subnet.unknown, "/cidrBlock");
    let net = subnet
        .text("/cidrBlock")
        .and_then(|t| t.parse::<IpNet>().ok());
    let Some((net, offsets)) = net.filter(|_| !unknown).and_then(usable_offsets) else {
        return Ok(None);
    };
    let range = match wanted.asked {
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
                    invalid("oci.private-ip", wanted.pointer, message)
                })?;
            offset..=offset
        }
    };
    let pool = format!("address/{}", subnet.id);
    let key = wanted.key.as_str();
    match (draft.estate).allocate(&mut draft.txn, &pool, key, range) {
        Some(offset) => Ok(Some(address_at(net, offset))),
        None if wanted.asked.is_some() => {
            let message = format!("private IP {} is in use", wanted.asked.unwrap_or_default());
            Err(invalid("oci.private-ip", wanted.pointer, message))
        }
        None => {
            let message = format!("subnet {} has no free address", subnet.label());
            Err(limit("oci.subnet-full", wanted.pointer, message))
        }
    }
}

/// The VNIC that a private IP's document names, when it may have it.
fn bearer<'a>(wish: &Wish<'a>) -> Result<&'a Resource, Refusal> {
    let named = wish.reference("/vnicId", kinds::VNIC)?.or(wish.parent);
    let vnic = named.expect("a private IP has a VNIC");
    let has = |ip: &&Resource| Some(&ip.id) != wish.existing.map(|e| &e.id);
    let count = wish.estate.children(&vnic.id).filter(has).count() as u64;
    let most = limit_value(wish.estate, "private_ips_per_vnic");
    if count >= most {
        let message = format!("VNIC {} has {most} private IPs", vnic.label());
        return Err(limit("oci.private-ips-per-vnic", "/vnicId", message));
    }
    Ok(vnic)
}

/// Checks a private IP: secondary ones are made, and moved to another VNIC of the same subnet.
pub(super) fn private_ip(wish: &Wish<'_>) -> Result<Json, Refusal> {
    let vnic = bearer(wish)?;
    let subnet = vnic.text("/subnetId").unwrap_or_default();
    let Some(existing) = wish.existing else {
        return Ok(json!({ "isPrimary": false, "subnetId": subnet }));
    };
    let primary = existing.field("/isPrimary") == Some(&json!(true));
    let moves = existing.parent.as_ref() != Some(&vnic.id);
    if moves && (primary || existing.text("/subnetId") != Some(subnet)) {
        let message = if primary {
            format!("the primary private IP of {} stays with it", vnic.label())
        } else {
            let label = existing.label();
            format!("{label} is of another subnet than VNIC {}", vnic.label())
        };
        return Err(invalid("oci.private-ip-moved", "/vnicId", message));
    }
    Ok(json!({}))
}

/// Gives a new secondary private IP its address.
pub(super) fn add_address(draft: &mut Draft<'_>, ip: &mut Resource) -> Result<(), Refusal> {
    let subnet = ip.text("/subnetId").unwrap_or_default();
    let vnic = ip.parent.as_ref().and_then(|id| draft.estate.resource(id));
    let pointer = "/ipAddress";
    let wanted = Wanted {
        asked: ip.doc.pointer(pointer).and_then(Json::as_str),
        is_unknown: touches(&ip.unknown, pointer)
            || vnic.is_none_or(|v| touches(&v.unknown, "/subnetId")),
        pointer,
        key: &ip.id,
    };
    let address = match draft.estate.resource(&ResourceId::from(subnet)) {
        Some(subnet) => {
            draft.rest_on(subnet);
            allocate(draft, subnet, &wanted)?
        }
        None => None,
    };
    let address = json!(address.map(|a| a.to_string()));
    super::set(&mut ip.computed, "ipAddress", address);
    Ok(())
}

/// The VNIC that a private IP is on after a change.
pub(super) fn move_address(ip: &mut Resource) {
    if let Some(vnic) = ip.doc.get("vnicId").and_then(Json::as_str) {
        ip.parent = Some(vnic.into());
    }
}

/// VNICs of an instance.
pub(super) fn of_instance<'a>(
    draft: &Draft<'a>,
    instance: &ResourceId,
) -> impl Iterator<Item = &'a Resource> + use<'a> {
    let children = draft.estate.children(instance);
    children.filter(|r| r.kind.as_str() == kinds::VNIC)
}

/// The VNIC that an attachment has made.
pub(super) fn of_attachment<'a>(draft: &Draft<'a>, attachment: &Resource) -> Option<&'a Resource> {
    let id = attachment.text("/vnicId")?;
    draft.estate.resource(&ResourceId::from(id))
}

/// Fields of a VNIC that a change of `createVnicDetails` changes in place.
pub(super) fn follow(draft: &mut Draft<'_>, vnic: &Resource, details: &Json) {
    let mut changed = vnic.clone();
    for field in ["nsgIds", "skipSourceDestCheck", "routeTableId"] {
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

#[cfg(test)]
mod tests;
