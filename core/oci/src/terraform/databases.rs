//! Databases as hosts of their subnets.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use skybridge_hcl::Value;

use super::Made;
use super::names::{AUTONOMOUS, DB_SYSTEM};

/// True for types that are databases.
pub(super) fn is_database(ty: &str) -> bool {
    ty == DB_SYSTEM || ty == AUTONOMOUS
}

/// Why a database is no part of the network; `None` when it is.
pub(super) fn left_out(ty: &str, config: &Value) -> Option<String> {
    // What the cloud would fill in is unknown; nobody has asked for a subnet then.
    let is_asked = |s: &&Value| !s.is_null() && (!s.is_unknown() || s.is_placeholder());
    let subnet = config.attr("subnet_id").filter(is_asked);
    (ty == AUTONOMOUS && subnet.is_none()).then(|| {
        "an autonomous database without a subnet is reached over the internet, which is not modelled"
            .to_owned()
    })
}

/// Where what a database says of its network stands in the document of an instance.
const MOVED: [(&str, &str); 4] = [
    ("/subnetId", "/createVnicDetails/subnetId"),
    ("/nsgIds", "/createVnicDetails/nsgIds"),
    ("/privateIp", "/createVnicDetails/privateIp"),
    ("/privateEndpointIp", "/createVnicDetails/privateIp"),
];

/// The document of an instance that stands for a database.
pub(super) fn as_instance(made: Made) -> Made {
    let text = |name: &str| made.doc.get(name).cloned();
    let mut doc = json!({
        "isDatabase": true,
        "shape": text("shape").unwrap_or_else(|| json!("database")),
        "availabilityDomain": text("availabilityDomain").unwrap_or_else(|| json!("regional")),
        "createVnicDetails": {},
    });
    for name in [
        "compartmentId",
        "displayName",
        "dbName",
        "freeformTags",
        "definedTags",
    ] {
        if let Some(value) = text(name) {
            crate::decide::set(&mut doc, name, value);
        }
    }
    if let Some(name) = text("dbName").filter(|_| text("displayName").is_none()) {
        crate::decide::set(&mut doc, "displayName", name);
    }
    for (from, to) in MOVED {
        let value = made.doc.pointer(from).filter(|v| !v.is_null()).cloned();
        let details = doc.get_mut("createVnicDetails");
        if let (Some(value), Some(details)) = (value, details) {
            let name = to.rsplit('/').next().unwrap_or_default();
            crate::decide::set(details, name, value);
        }
    }
    let moved = |pointer: &str| {
        let found = MOVED.iter().find_map(|(from, to)| {
            let rest = pointer.strip_prefix(from)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
        });
        found.unwrap_or_else(|| pointer.to_owned())
    };
    let places: BTreeMap<_, _> = (made.places.into_iter())
        .map(|(pointer, place)| (moved(&pointer), place))
        .collect();
    Made {
        unknown: made.unknown.iter().map(|p| moved(p)).collect(),
        places,
        doc,
    }
}

/// The attributes that the network knows of a database.
pub(super) fn with_addresses(ty: &str, computed: &Json, out: Value) -> Value {
    let Some(address) = computed.get("privateIp").and_then(Json::as_str) else {
        return out;
    };
    let name = if ty == AUTONOMOUS {
        "private_endpoint_ip"
    } else {
        "private_ip"
    };
    out.with_attr(name, Value::string(address))
}
