//! VNICs: what of them is no part of the network, and the look-up of their attachments.

use serde_json::{Value as Json, json};
use skybridge_estate::{Estate, Resource};
use skybridge_hcl::Value;

use crate::kinds;
use crate::ocid::stable;

/// Why a VNIC or an address is no part of the network; `None` when it is.
pub(super) fn left_out(ty: &str, config: &Value) -> Option<String> {
    // What the cloud would fill in is unknown, and an empty text is none; nobody has asked for it then.
    let is_asked = |v: &&Value| {
        !v.is_null() && v.as_str() != Some("") && (!v.is_unknown() || v.is_placeholder())
    };
    match ty {
        "oci_core_private_ip" if config.attr("vnic_id").filter(is_asked).is_none() => {
            Some("an address that is reserved in a subnet and on no VNIC answers nobody".to_owned())
        }
        "oci_core_vnic_attachment" => {
            let details = config.list_attr("create_vnic_details");
            let vlan = details.first().and_then(|d| d.attr("vlan_id"));
            let vlan = vlan.filter(is_asked);
            vlan.map(|_| "a VNIC in a VLAN is not modelled".to_owned())
        }
        _ => None,
    }
}

/// The attachments of all VNICs, primary ones first, then as they were made.
pub(super) fn attachments(estate: &Estate) -> Vec<Json> {
    let mut vnics: Vec<&Resource> = estate.of_kind(kinds::VNIC).collect();
    vnics.sort_by_key(|v| {
        let secondary = v.text("/vnicAttachmentId").is_some();
        (secondary, v.created_at, v.id.clone())
    });
    vnics.into_iter().map(|v| attachment(estate, v)).collect()
}

fn attachment(estate: &Estate, vnic: &Resource) -> Json {
    let made = vnic.text("/vnicAttachmentId").map(Into::into);
    if let Some(made) = made.and_then(|id| estate.resource(&id)) {
        return super::attributes::whole(made);
    }
    let instance = vnic.parent.as_ref().map(ToString::to_string);
    json!({ "id": stable("vnicattachment", "", vnic.id.as_str()), "vnicId": vnic.id.as_str(),
        "instanceId": instance, "subnetId": vnic.text("/subnetId"),
        "availabilityDomain": vnic.text("/availabilityDomain"), "displayName": vnic.name,
        "lifecycleState": "ATTACHED", "nicIndex": 0 })
}
