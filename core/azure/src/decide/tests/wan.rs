//! Refusals about virtual WANs, and the resources of their tests.

use serde_json::{Value as Json, json};
use skybridge_estate::Refusal;

use crate::kinds::{HUB, HUB_CONNECTION, HUB_GATEWAY, HUB_GATEWAY_CONNECTION, PEERING, VNET, WAN};
use crate::testing::{Owner, reference, vnet};

fn hub(prefix: &str) -> Json {
    let wan = reference(WAN, &["x"]);
    json!({"location": "eastus", "properties": {"addressPrefix": prefix, "virtualWan": wan}})
}

fn connection(network: &str) -> Json {
    json!({"properties": {"remoteVirtualNetwork": reference(VNET, &[network])}})
}

fn gateway(units: u8) -> Json {
    json!({"location": "eastus", "properties": {
        "virtualHub": reference(HUB, &["x"]),
        "autoScaleConfiguration": {"bounds": {"min": units}},
    }})
}

fn circuit_connection() -> Json {
    let peering = reference(PEERING, &["er", "AzurePrivatePeering"]);
    json!({"properties": {"expressRouteCircuitPeering": peering}})
}

/// A WAN `x`.
fn wan(o: &mut Owner) {
    o.make(WAN, &["x"], json!({"location": "eastus"}));
}

/// A hub `x` of it.
fn with_hub(o: &mut Owner) {
    wan(o);
    o.make(HUB, &["x"], hub("10.100.0.0/24"));
}

/// A network that is connected to the hub as `c`.
fn with_network(o: &mut Owner) {
    with_hub(o);
    o.make(VNET, &["v"], vnet(&["10.1.0.0/16"]));
    o.make(HUB_CONNECTION, &["x", "c"], connection("v"));
}

/// A gateway `x` in the hub.
fn with_gateway(o: &mut Owner) {
    with_hub(o);
    o.make(HUB_GATEWAY, &["x"], gateway(1));
}

/// The gateway with a circuit, connected as `c`.
fn with_circuit(o: &mut Owner) {
    with_gateway(o);
    o.oracle_circuit();
    o.make(HUB_GATEWAY_CONNECTION, &["x", "c"], circuit_connection());
}

/// Brings about a condition of `data/deletions.csv` and tells the resource's name; `None` for a row that nobody has
/// written a scenario for.
pub(super) fn bring_about(
    o: &mut Owner,
    kind: &str,
    condition: &str,
) -> Option<&'static [&'static str]> {
    match (kind, condition) {
        (WAN, "idle") => wan(o),
        (WAN, "in-use") | (HUB, "idle") => with_hub(o),
        (HUB, "in-use") | (HUB_CONNECTION, "any") => with_network(o),
        (HUB_GATEWAY, "idle") => with_gateway(o),
        (HUB_GATEWAY, "has-connections") | (HUB_GATEWAY_CONNECTION, "any") => with_circuit(o),
        _ => return None,
    }
    let is_child = [HUB_CONNECTION, HUB_GATEWAY_CONNECTION].contains(&kind);
    Some(if is_child { &["x", "c"] } else { &["x"] })
}

type Case = (&'static str, fn(&mut Owner) -> Result<(), Refusal>);

pub(super) const CASES: [Case; 8] = [
    ("azure.hub-prefix-size", |o| {
        wan(o);
        o.put(HUB, &["x"], hub("10.100.0.0/25"))
    }),
    ("azure.hub-connection-twice", |o| {
        with_network(o);
        o.make(HUB, &["y"], hub("10.101.0.0/24"));
        o.put(HUB_CONNECTION, &["y", "c"], connection("v"))
    }),
    ("azure.hub-connection-gateway", |o| {
        with_hub(o);
        o.hub();
        o.gateway("Standard");
        o.put(HUB_CONNECTION, &["x", "c"], connection("hub"))
    }),
    ("azure.hub-overlap", |o| {
        with_hub(o);
        o.make(VNET, &["v"], vnet(&["10.100.0.0/16"]));
        o.put(HUB_CONNECTION, &["x", "c"], connection("v"))
    }),
    ("azure.hub-gateway-one", |o| {
        with_gateway(o);
        o.put(HUB_GATEWAY, &["y"], gateway(1))
    }),
    ("azure.hub-gateway-units", |o| {
        with_hub(o);
        o.put(HUB_GATEWAY, &["x"], gateway(11))
    }),
    ("azure.connection-twice", |o| {
        with_circuit(o);
        o.put(HUB_GATEWAY_CONNECTION, &["x", "d"], circuit_connection())
    }),
    ("azure.connection-weight", |o| {
        with_gateway(o);
        o.oracle_circuit();
        let mut doc = circuit_connection();
        doc["properties"]["routingWeight"] = json!(32_001);
        o.put(HUB_GATEWAY_CONNECTION, &["x", "c"], doc)
    }),
];
