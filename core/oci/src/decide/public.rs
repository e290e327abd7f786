//! Public IPs, and the physical ports of FastConnect.

use serde_json::{Value as Json, json};
use skybridge_estate::{Refusal, Resource};

use super::draft::Draft;
use crate::kinds;
use crate::wish::{Wish, conflict, invalid};

/// Our public addresses come from 198.51.100.0/24, which is for documentation (RFC 5737 §3).
const PUBLIC_NET: &str = "198.51.100.";

/// Checks a public IP.
pub(super) fn public_ip(wish: &Wish<'_>) -> Result<Json, Refusal> {
    let (pointer, assigned) = ("/lifetime", "/privateIpId");
    wish.required(pointer)?;
    let lifetime = wish.text(pointer).filter(|_| !wish.is_unknown(pointer));
    match lifetime {
        Some("EPHEMERAL") => wish.required(assigned)?,
        Some("RESERVED") | None => {}
        Some(other) => {
            let message = format!("lifetime \"{other}\" is neither EPHEMERAL nor RESERVED");
            return Err(invalid("oci.public-ip", pointer, message));
        }
    }
    let private = wish.reference(assigned, kinds::PRIVATE_IP)?;
    let is_primary = |ip: &Resource| ip.field("/isPrimary") == Some(&json!(true));
    if lifetime == Some("EPHEMERAL") && private.is_some_and(|ip| !is_primary(ip)) {
        let message = "an ephemeral public IP is assigned to a primary private IP only".to_owned();
        return Err(invalid("oci.public-ip", assigned, message));
    }
    if let Some(private) = private {
        let me = wish.existing.map(|e| &e.id);
        let mut others = wish.estate.of_kind(kinds::PUBLIC_IP);
        let other = others.find(|o| {
            let named = o.doc.get("privateIpId").and_then(Json::as_str);
            Some(&o.id) != me && named == Some(private.id.as_str())
        });
        if let Some(other) = other {
            let message = format!("the private IP has the public IP {} already", other.label());
            return Err(conflict(Some("oci.public-ip"), message));
        }
    }
    let ephemeral = lifetime == Some("EPHEMERAL");
    Ok(json!({
        "scope": if ephemeral { "AVAILABILITY_DOMAIN" } else { "REGION" },
        "assignedEntityId": private.map(|ip| ip.id.as_str()),
        "assignedEntityType": private.map(|_| "PRIVATE_IP"),
    }))
}

/// Gives a new public IP its address; nobody gets one when all of ours are given out.
pub(super) fn add_address(draft: &mut Draft<'_>, ip: &mut Resource) {
    let key = ip.id.as_str();
    let number = (draft.estate).allocate(&mut draft.txn, "public-address/oci", key, 1..=254);
    let address = number.map(|n| format!("{PUBLIC_NET}{n}"));
    super::set(&mut ip.computed, "ipAddress", json!(address));
}

/// Checks a cross-connect: it may be part of a group.
pub(super) fn cross_connect(wish: &Wish<'_>) -> Result<Json, Refusal> {
    wish.required("/locationName")?;
    wish.required("/portSpeedShapeName")?;
    wish.reference("/crossConnectGroupId", kinds::CROSS_CONNECT_GROUP)?;
    Ok(json!({}))
}
