//! What resources that nobody models join: a verdict about packets that may go their way is unknown.

use skybridge_compile::LooseEnd;
use skybridge_estate::{Estate, ResourceId};
use skybridge_hcl::Value;
use skybridge_terraform::{Mode, Schemas, StackState};

/// In place of the name of an attribute: what a policy chooses, which may be any network of Azure.
const EVERYWHERE: &str = "*";

const VIRTUAL_NETWORK: &str = "Microsoft.Network/virtualNetworks";

/// The networks, gateways and circuits to which resources that are not modelled lead, in order.
pub(crate) fn loose_ends<'a>(
    estate: &Estate,
    schemas: &Schemas,
    states: impl Iterator<Item = &'a StackState>,
) -> Vec<LooseEnd> {
    let mut ends = Vec::new();
    for state in states {
        for (address, instance) in &state.instances {
            if address.mode != Mode::Managed || !instance.placeholder {
                continue;
            }
            let mut leads_to = Vec::new();
            match schemas.find(address.mode, &address.ty) {
                Some(schema) if schema.carries.iter().any(|c| c == EVERYWHERE) => {
                    let all = estate.of_kind(VIRTUAL_NETWORK);
                    ends.extend(all.map(|network| LooseEnd {
                        network: network.id.clone(),
                        by: address.to_string(),
                    }));
                }
                Some(schema) => named(&instance.attributes, &schema.carries, &mut leads_to),
                // What it does is not known at all: it may carry packets to all that it names.
                None => texts(&instance.attributes, &mut leads_to),
            }
            for text in leads_to {
                if let Some(network) = network_of(estate, text) {
                    ends.push(LooseEnd {
                        network,
                        by: address.to_string(),
                    });
                }
            }
        }
    }
    ends.sort();
    ends.dedup();
    ends
}

/// The texts of the attributes with one of these names, at any depth.
fn named<'v>(value: &'v Value, names: &[String], found: &mut Vec<&'v str>) {
    if names.is_empty() {
        return;
    }
    for (name, child) in value.as_map().into_iter().flatten() {
        if names.contains(name) {
            texts(child, found);
        } else {
            named(child, names, found);
        }
    }
    for child in value.as_slice().into_iter().flatten() {
        named(child, names, found);
    }
}

fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value.as_str() {
        Some(text) => found.push(text),
        None => value.children().for_each(|child| texts(child, found)),
    }
}

/// The network that an id names, or the one that holds what it names: the virtual network of a subnet, the
/// circuit of a peering.
fn network_of(estate: &Estate, text: &str) -> Option<ResourceId> {
    let mut resource = nearest(estate, text)?;
    // A gateway is in its hub, and not nested in it.
    if let Some(hub) = resource.text("/properties/virtualHub/id") {
        resource = estate.resource(&hub.into())?;
    }
    loop {
        if is_network(resource.kind.as_str()) {
            return Some(resource.id.clone());
        }
        resource = estate.resource(resource.parent.as_ref()?)?;
    }
}

/// The resource that an id names, or of an ARM id the nearest one around what it names, such as the hub of a
/// route table that nobody models.
fn nearest<'a>(estate: &'a Estate, text: &str) -> Option<&'a skybridge_estate::Resource> {
    if !text.starts_with('/') {
        let is_id = text.starts_with("ocid1.");
        return is_id.then(|| estate.resource(&text.into())).flatten();
    }
    let mut rest = text;
    loop {
        if let Some(found) = estate.resource(&rest.into()) {
            return Some(found);
        }
        let (around, _) = rest.rsplit_once('/')?;
        rest = around.rsplit_once('/')?.0;
    }
}

fn is_network(kind: &str) -> bool {
    const NETWORKS: [&str; 5] = [
        VIRTUAL_NETWORK,
        "Microsoft.Network/virtualHubs",
        "Microsoft.Network/expressRouteCircuits",
        "oci/vcn",
        "oci/drg",
    ];
    NETWORKS.contains(&kind)
}
