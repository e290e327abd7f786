//! Virtual WANs: hubs, their gateways, and what is connected to them.

use serde_json::json;
use skybridge_estate::Estate;
use skybridge_hcl::Value;

use super::build::Made;
use super::types::{Row, common};
use crate::kinds;

pub(super) const ROWS: [Row; 5] = [
    Row {
        ty: "azurerm_virtual_wan",
        kind: kinds::WAN,
        parent: None,
        names: &["name"],
        build: wan,
    },
    Row {
        ty: "azurerm_virtual_hub",
        kind: kinds::HUB,
        parent: None,
        names: &["name"],
        build: hub,
    },
    Row {
        ty: "azurerm_virtual_hub_connection",
        kind: kinds::HUB_CONNECTION,
        parent: Some("virtual_hub_id"),
        names: &["name"],
        build: connection,
    },
    Row {
        ty: "azurerm_express_route_gateway",
        kind: kinds::HUB_GATEWAY,
        parent: None,
        names: &["name"],
        build: gateway,
    },
    Row {
        ty: "azurerm_express_route_connection",
        kind: kinds::HUB_GATEWAY_CONNECTION,
        parent: Some("express_route_gateway_id"),
        names: &["name"],
        build: gateway_connection,
    },
];

/// Why an instance is not modelled, if it is not: what it belongs to is elsewhere.
pub(super) fn left_out(estate: &Estate, ty: &str, config: &Value) -> Option<String> {
    let is_here = |argument: &str| {
        let id = config.str_attr(argument);
        id.is_some_and(|id| estate.resource(&id.into()).is_some())
    };
    let missing = match ty {
        "azurerm_virtual_hub" => {
            let wan = config.attr("virtual_wan_id").filter(|v| !v.is_null());
            return wan
                .is_none()
                .then(|| "a hub outside a virtual WAN is not modelled".to_owned());
        }
        "azurerm_virtual_hub_connection" | "azurerm_express_route_gateway" => {
            (!is_here("virtual_hub_id")).then_some("hub")
        }
        "azurerm_express_route_connection" => {
            let gateway = (!is_here("express_route_gateway_id")).then_some("gateway");
            let peering = !is_here("express_route_circuit_peering_id");
            if routes_otherwise(config) {
                let why = "route tables and route maps of a circuit's connection are not modelled";
                return Some(why.to_owned());
            }
            gateway.or_else(|| peering.then_some("circuit peering"))
        }
        _ => None,
    };
    missing.map(|what| format!("its {what} is not in this network"))
}

/// True when what a connection learns and announces is not what the default route table has.
fn routes_otherwise(config: &Value) -> bool {
    let given = |path: &str| {
        let value = config.at(&format!("routing[0].{path}"))?;
        let for_the_cloud = value.is_unknown() && !value.is_placeholder();
        (!value.is_null() && !for_the_cloud).then_some(value)
    };
    let is_default = |value: &Value, name: &str| {
        let text = value.as_str().unwrap_or_default();
        text.rsplit('/')
            .next()
            .is_some_and(|last| last.eq_ignore_ascii_case(name))
    };
    let all_default = |path: &str, name: &str| {
        given(path).is_none_or(|list| list.children().all(|value| is_default(value, name)))
    };
    let table = "defaultRouteTable";
    let maps = ["inbound_route_map_id", "outbound_route_map_id"];
    maps.iter().any(|map| given(map).is_some())
        || given("associated_route_table_id").is_some_and(|id| !is_default(id, table))
        || !all_default("propagated_route_table[0].labels", "default")
        || !all_default("propagated_route_table[0].route_table_ids", table)
}

fn wan(made: &mut Made<'_>) {
    common(made);
    made.value("type", "/properties/type");
    made.value(
        "allow_branch_to_branch_traffic",
        "/properties/allowBranchToBranchTraffic",
    );
}

fn hub(made: &mut Made<'_>) {
    common(made);
    made.value("virtual_wan_id", "/properties/virtualWan/id");
    made.value("address_prefix", "/properties/addressPrefix");
    made.value("sku", "/properties/sku");
    made.value("hub_routing_preference", "/properties/hubRoutingPreference");
    for i in 0..made.blocks("route") {
        let to = format!("/properties/routeTable/routes/{i}");
        for (argument, field) in [
            ("address_prefixes", "addressPrefixes"),
            ("next_hop_ip_address", "nextHopIpAddress"),
        ] {
            made.value(&format!("route[{i}].{argument}"), &format!("{to}/{field}"));
        }
    }
}

fn connection(made: &mut Made<'_>) {
    made.value(
        "remote_virtual_network_id",
        "/properties/remoteVirtualNetwork/id",
    );
    made.value(
        "internet_security_enabled",
        "/properties/enableInternetSecurity",
    );
    routing(made);
    for i in 0..made.blocks("routing[0].static_vnet_route") {
        let from = format!("routing[0].static_vnet_route[{i}]");
        let to = format!("/properties/routingConfiguration/vnetRoutes/staticRoutes/{i}");
        for (argument, field) in [
            ("name", "name"),
            ("address_prefixes", "addressPrefixes"),
            ("next_hop_ip_address", "nextHopIpAddress"),
        ] {
            made.value(&format!("{from}.{argument}"), &format!("{to}/{field}"));
        }
    }
}

fn routing(made: &mut Made<'_>) {
    let to = "/properties/routingConfiguration";
    for (argument, field) in [
        ("associated_route_table_id", "associatedRouteTable/id"),
        ("inbound_route_map_id", "inboundRouteMap/id"),
        ("outbound_route_map_id", "outboundRouteMap/id"),
        (
            "propagated_route_table[0].labels",
            "propagatedRouteTables/labels",
        ),
    ] {
        made.value(&format!("routing[0].{argument}"), &format!("{to}/{field}"));
    }
    made.references(
        "routing[0].propagated_route_table[0].route_table_ids",
        &format!("{to}/propagatedRouteTables/ids"),
    );
}

fn gateway(made: &mut Made<'_>) {
    common(made);
    made.value("virtual_hub_id", "/properties/virtualHub/id");
    made.value(
        "scale_units",
        "/properties/autoScaleConfiguration/bounds/min",
    );
    let others = made.config.bool_attr("allow_non_virtual_wan_traffic");
    made.fixed(
        "/properties/allowNonVirtualWanTraffic",
        json!(others == Some(true)),
    );
}

fn gateway_connection(made: &mut Made<'_>) {
    for (argument, field) in [
        (
            "express_route_circuit_peering_id",
            "expressRouteCircuitPeering/id",
        ),
        ("routing_weight", "routingWeight"),
        ("authorization_key", "authorizationKey"),
        (
            "express_route_gateway_bypass_enabled",
            "expressRouteGatewayBypass",
        ),
    ] {
        made.value(argument, &format!("/properties/{field}"));
    }
    routing(made);
}
