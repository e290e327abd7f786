//! What each `azurerm` type is in ARM, and how its arguments become fields.

use serde_json::json;
use skybridge_hcl::Value;

use super::build::Made;
use super::{balancers, hops, hubs};
use crate::kinds;

/// Resource groups hold nothing that the network needs.
pub(super) const RESOURCE_GROUP: &str = "azurerm_resource_group";

/// A resource type with a document of its own.
pub(super) struct Row {
    pub(super) ty: &'static str,
    pub(super) kind: &'static str,
    /// The argument that is the id of what it is nested in; without one, a resource group and names say it.
    pub(super) parent: Option<&'static str>,
    /// The arguments that are the names in its id, or after its parent's.
    pub(super) names: &'static [&'static str],
    pub(super) build: fn(&mut Made<'_>),
}

const NAME: &[&str] = &["name"];

const ROWS: [Row; 18] = [
    Row {
        ty: "azurerm_virtual_network",
        kind: kinds::VNET,
        parent: None,
        names: NAME,
        build: vnet,
    },
    Row {
        ty: "azurerm_subnet",
        kind: kinds::SUBNET,
        parent: None,
        names: &["virtual_network_name", "name"],
        build: subnet,
    },
    Row {
        ty: "azurerm_virtual_network_peering",
        kind: kinds::VNET_PEERING,
        parent: None,
        names: &["virtual_network_name", "name"],
        build: vnet_peering,
    },
    Row {
        ty: "azurerm_network_security_group",
        kind: kinds::NSG,
        parent: None,
        names: NAME,
        build: security_group,
    },
    Row {
        ty: "azurerm_network_security_rule",
        kind: kinds::SECURITY_RULE,
        parent: None,
        names: &["network_security_group_name", "name"],
        build: security_rule,
    },
    Row {
        ty: "azurerm_application_security_group",
        kind: kinds::ASG,
        parent: None,
        names: NAME,
        build: common,
    },
    Row {
        ty: "azurerm_route_table",
        kind: kinds::ROUTE_TABLE,
        parent: None,
        names: NAME,
        build: route_table,
    },
    Row {
        ty: "azurerm_route",
        kind: kinds::ROUTE,
        parent: None,
        names: &["route_table_name", "name"],
        build: route,
    },
    Row {
        ty: "azurerm_public_ip",
        kind: kinds::PUBLIC_IP,
        parent: None,
        names: NAME,
        build: public_ip,
    },
    Row {
        ty: "azurerm_network_interface",
        kind: kinds::NIC,
        parent: None,
        names: NAME,
        build: interface,
    },
    Row {
        ty: "azurerm_linux_virtual_machine",
        kind: kinds::MACHINE,
        parent: None,
        names: NAME,
        build: machine,
    },
    Row {
        ty: "azurerm_windows_virtual_machine",
        kind: kinds::MACHINE,
        parent: None,
        names: NAME,
        build: machine,
    },
    Row {
        ty: "azurerm_virtual_machine",
        kind: kinds::MACHINE,
        parent: None,
        names: NAME,
        build: machine,
    },
    Row {
        ty: "azurerm_virtual_network_gateway",
        kind: kinds::GATEWAY,
        parent: None,
        names: NAME,
        build: gateway,
    },
    Row {
        ty: "azurerm_virtual_network_gateway_connection",
        kind: kinds::CONNECTION,
        parent: None,
        names: NAME,
        build: connection,
    },
    Row {
        ty: "azurerm_express_route_circuit",
        kind: kinds::CIRCUIT,
        parent: None,
        names: NAME,
        build: circuit,
    },
    Row {
        ty: "azurerm_express_route_circuit_peering",
        kind: kinds::PEERING,
        parent: None,
        names: &["express_route_circuit_name", "peering_type"],
        build: peering,
    },
    Row {
        ty: "azurerm_express_route_circuit_authorization",
        kind: kinds::AUTHORIZATION,
        parent: None,
        names: &["express_route_circuit_name", "name"],
        build: common,
    },
];

pub(super) fn row(ty: &str) -> Option<&'static Row> {
    let mut all = (ROWS.iter().chain(&hops::ROWS)).chain(balancers::ROWS.iter().chain(&hubs::ROWS));
    all.find(|r| r.ty == ty)
}

/// A resource that is a field of another one's document.
pub(super) struct Association {
    /// The argument that names the resource with the field.
    pub(super) owner: &'static str,
    /// The argument that names what the field refers to.
    pub(super) used: &'static str,
    /// The field.
    pub(super) property: &'static str,
}

/// The field of an interface with the groups that associations put it into, by the groups' names: an
/// interface is in several.
pub(super) const GROUPS: &str = "applicationGroups";

/// The field of an interface with the backend pools that associations put it into, by the names of load balancer
/// and pool.
pub(crate) const POOLS: &str = "loadBalancerPools";

impl Association {
    /// Where in the owner's properties the association stands: the field, or one of its entries.
    pub(super) fn fields(&self, config: &Value) -> Vec<String> {
        let mut fields = vec![self.property.to_owned()];
        if self.property == GROUPS {
            let used = config.str_attr(self.used).unwrap_or_default();
            let name = used.rsplit('/').next().unwrap_or(used);
            fields.push(name.to_ascii_lowercase());
        }
        if self.property == POOLS {
            let used = config.str_attr(self.used).unwrap_or_default();
            let balancer = kinds::segment(used, "loadBalancers").unwrap_or_default();
            let pool = used.rsplit('/').next().unwrap_or(used);
            fields.push(format!("{balancer}.{pool}").to_ascii_lowercase());
        }
        fields
    }

    pub(super) fn of(ty: &str) -> Option<Self> {
        let (owner, used, property) = match ty {
            "azurerm_subnet_network_security_group_association" => (
                "subnet_id",
                "network_security_group_id",
                "networkSecurityGroup",
            ),
            "azurerm_network_interface_security_group_association" => (
                "network_interface_id",
                "network_security_group_id",
                "networkSecurityGroup",
            ),
            "azurerm_subnet_route_table_association" => {
                ("subnet_id", "route_table_id", "routeTable")
            }
            "azurerm_network_interface_application_security_group_association" => (
                "network_interface_id",
                "application_security_group_id",
                GROUPS,
            ),
            "azurerm_network_interface_backend_address_pool_association" => {
                ("network_interface_id", "backend_address_pool_id", POOLS)
            }
            _ => return None,
        };
        Some(Self {
            owner,
            used,
            property,
        })
    }
}

/// Why an instance of a modelled type is not modelled, if it is not.
pub(super) fn left_out(ty: &str, config: &Value) -> Option<String> {
    let differs = |name: &str| {
        let text = config.str_attr(name)?;
        let other = !text.eq_ignore_ascii_case("ExpressRoute");
        other.then(|| text.to_owned())
    };
    match ty {
        "azurerm_firewall" => hops::left_out(config),
        "azurerm_virtual_network_gateway_connection" => {
            differs("type").map(|t| format!("{t} connections are not modelled"))
        }
        "azurerm_express_route_circuit" => config
            .attr("express_route_port_id")
            .filter(|v| !v.is_null() && !v.is_unknown())
            .map(|_| "circuits on ExpressRoute Direct ports are not modelled".to_owned()),
        _ => None,
    }
}

pub(super) fn common(made: &mut Made<'_>) {
    made.value("location", "/location");
    if let Some(tags) = made.config.attr("tags").and_then(Value::as_map) {
        for name in tags.keys().filter(|n| !n.contains(['/', '~', '.', '['])) {
            made.value(&format!("tags.{name}"), &format!("/tags/{name}"));
        }
    }
}

fn vnet(made: &mut Made<'_>) {
    common(made);
    let ranges = "/properties/addressSpace/addressPrefixes";
    if !made.value("address_space", ranges) && made.blocks("ip_address_pool") > 0 {
        made.undecided(ranges);
    }
    let mut count = 0;
    for i in 0..made.blocks("subnet") {
        let (from, to) = (
            format!("subnet[{i}]"),
            format!("/properties/subnets/{count}"),
        );
        // The cloud fills this block in when the configuration has none; what it filled in has an id only.
        if made.value(&format!("{from}.name"), &format!("{to}/name")) {
            subnet_fields(made, &format!("{from}."), &to);
            count += 1;
        }
    }
}

fn subnet(made: &mut Made<'_>) {
    subnet_fields(made, "", "");
}

fn subnet_fields(made: &mut Made<'_>, from: &str, to: &str) {
    let field = |name: &str| format!("{to}/properties/{name}");
    let many = made.value(
        &format!("{from}address_prefixes"),
        &field("addressPrefixes"),
    );
    if !many {
        let one = made.value(&format!("{from}address_prefix"), &field("addressPrefix"));
        if !one && made.blocks(&format!("{from}ip_address_pool")) > 0 {
            made.undecided(&field("addressPrefixes"));
        }
    }
    for argument in [
        "network_security_group_id",
        "network_security_group_id_wo",
        "security_group",
    ] {
        made.value(
            &format!("{from}{argument}"),
            &field("networkSecurityGroup/id"),
        );
    }
    for argument in ["route_table_id", "route_table_id_wo"] {
        made.value(&format!("{from}{argument}"), &field("routeTable/id"));
    }
    // A list of names, and blocks since version 5.0 of the provider.
    for (name, inside) in [("service_endpoints", ""), ("service_endpoint", ".service")] {
        for i in 0..made.blocks(&format!("{from}{name}")) {
            let service = format!("{from}{name}[{i}]{inside}");
            made.value(&service, &field(&format!("serviceEndpoints/{i}/service")));
        }
    }
}

fn vnet_peering(made: &mut Made<'_>) {
    made.value(
        "remote_virtual_network_id",
        "/properties/remoteVirtualNetwork/id",
    );
    for (argument, field) in [
        ("allow_virtual_network_access", "allowVirtualNetworkAccess"),
        ("allow_forwarded_traffic", "allowForwardedTraffic"),
        ("allow_gateway_transit", "allowGatewayTransit"),
        ("use_remote_gateways", "useRemoteGateways"),
    ] {
        made.value(argument, &format!("/properties/{field}"));
    }
}

fn security_group(made: &mut Made<'_>) {
    common(made);
    for i in 0..made.blocks("security_rule") {
        let from = format!("security_rule[{i}]");
        let to = format!("/properties/securityRules/{i}");
        made.value(&format!("{from}.name"), &format!("{to}/name"));
        rule_fields(made, &format!("{from}."), &to);
    }
}

fn security_rule(made: &mut Made<'_>) {
    rule_fields(made, "", "");
}

fn rule_fields(made: &mut Made<'_>, from: &str, to: &str) {
    for (argument, field) in [
        ("priority", "priority"),
        ("direction", "direction"),
        ("access", "access"),
        ("protocol", "protocol"),
        ("description", "description"),
        ("source_port_range", "sourcePortRange"),
        ("source_port_ranges", "sourcePortRanges"),
        ("destination_port_range", "destinationPortRange"),
        ("destination_port_ranges", "destinationPortRanges"),
        ("source_address_prefix", "sourceAddressPrefix"),
        ("source_address_prefixes", "sourceAddressPrefixes"),
        ("destination_address_prefix", "destinationAddressPrefix"),
        ("destination_address_prefixes", "destinationAddressPrefixes"),
    ] {
        made.value(
            &format!("{from}{argument}"),
            &format!("{to}/properties/{field}"),
        );
    }
    for side in ["source", "destination"] {
        made.references(
            &format!("{from}{side}_application_security_group_ids"),
            &format!("{to}/properties/{side}ApplicationSecurityGroups"),
        );
    }
}

fn route_table(made: &mut Made<'_>) {
    common(made);
    let pointer = "/properties/disableBgpRoutePropagation";
    // The two names say opposite things; the older one, if given, was written by the user.
    if !made.value("disable_bgp_route_propagation", pointer)
        && made.value("bgp_route_propagation_enabled", pointer)
    {
        let enabled = made.config.bool_attr("bgp_route_propagation_enabled");
        made.fixed(pointer, json!(enabled == Some(false)));
    }
    for i in 0..made.blocks("route") {
        let from = format!("route[{i}]");
        let to = format!("/properties/routes/{i}");
        made.value(&format!("{from}.name"), &format!("{to}/name"));
        route_fields(made, &format!("{from}."), &to);
    }
}

fn route(made: &mut Made<'_>) {
    route_fields(made, "", "");
}

fn route_fields(made: &mut Made<'_>, from: &str, to: &str) {
    for (argument, field) in [
        ("address_prefix", "addressPrefix"),
        ("next_hop_type", "nextHopType"),
        ("next_hop_in_ip_address", "nextHopIpAddress"),
    ] {
        made.value(
            &format!("{from}{argument}"),
            &format!("{to}/properties/{field}"),
        );
    }
}

fn public_ip(made: &mut Made<'_>) {
    common(made);
    made.value("allocation_method", "/properties/publicIPAllocationMethod");
    made.value("ip_version", "/properties/publicIPAddressVersion");
    made.value("sku", "/sku/name");
}

fn interface(made: &mut Made<'_>) {
    common(made);
    let forwarding = ["ip_forwarding_enabled", "enable_ip_forwarding"]
        .iter()
        .any(|a| made.config.bool_attr(a) == Some(true));
    made.fixed("/properties/enableIPForwarding", json!(forwarding));
    made.value(
        "network_security_group_id",
        "/properties/networkSecurityGroup/id",
    );
    for i in 0..made.blocks("ip_configuration") {
        let from = |a: &str| format!("ip_configuration[{i}].{a}");
        let to = format!("/properties/ipConfigurations/{i}");
        made.value(&from("name"), &format!("{to}/name"));
        for (argument, field) in [
            ("subnet_id", "subnet/id"),
            ("public_ip_address_id", "publicIPAddress/id"),
            ("private_ip_address_allocation", "privateIPAllocationMethod"),
            ("private_ip_address_version", "privateIPAddressVersion"),
            ("primary", "primary"),
        ] {
            made.value(&from(argument), &format!("{to}/properties/{field}"));
        }
        // A dynamic address is the cloud's to choose, also when the last one is repeated here.
        let method = made.config.at(&from("private_ip_address_allocation"));
        let method = method.and_then(Value::as_str).unwrap_or_default();
        if method.eq_ignore_ascii_case("Static") {
            let field = format!("{to}/properties/privateIPAddress");
            made.value(&from("private_ip_address"), &field);
        }
    }
}

fn machine(made: &mut Made<'_>) {
    common(made);
    for argument in ["size", "vm_size"] {
        made.value(argument, "/properties/hardwareProfile/vmSize");
    }
    made.references(
        "network_interface_ids",
        "/properties/networkProfile/networkInterfaces",
    );
}

fn gateway(made: &mut Made<'_>) {
    common(made);
    made.value("type", "/properties/gatewayType");
    made.value("vpn_type", "/properties/vpnType");
    made.value("active_active", "/properties/activeActive");
    made.value("sku", "/properties/sku/name");
    made.value("sku", "/properties/sku/tier");
    made.value("bgp_settings[0].asn", "/properties/bgpSettings/asn");
    made.value(
        "remote_vnet_traffic_enabled",
        "/properties/allowRemoteVnetTraffic",
    );
    for i in 0..made.blocks("ip_configuration") {
        let from = |a: &str| format!("ip_configuration[{i}].{a}");
        let to = format!("/properties/ipConfigurations/{i}");
        made.value(&from("name"), &format!("{to}/name"));
        made.value(&from("subnet_id"), &format!("{to}/properties/subnet/id"));
        made.value(
            &from("public_ip_address_id"),
            &format!("{to}/properties/publicIPAddress/id"),
        );
    }
}

fn connection(made: &mut Made<'_>) {
    common(made);
    for (argument, pointer) in [
        ("type", "/properties/connectionType"),
        (
            "virtual_network_gateway_id",
            "/properties/virtualNetworkGateway1/id",
        ),
        ("express_route_circuit_id", "/properties/peer/id"),
        ("routing_weight", "/properties/routingWeight"),
        (
            "express_route_gateway_bypass",
            "/properties/expressRouteGatewayBypass",
        ),
        ("authorization_key", "/properties/authorizationKey"),
    ] {
        made.value(argument, pointer);
    }
}

fn circuit(made: &mut Made<'_>) {
    common(made);
    let at = "/properties/serviceProviderProperties";
    made.value(
        "service_provider_name",
        &format!("{at}/serviceProviderName"),
    );
    made.value("peering_location", &format!("{at}/peeringLocation"));
    made.value("bandwidth_in_mbps", &format!("{at}/bandwidthInMbps"));
    made.value(
        "allow_classic_operations",
        "/properties/allowClassicOperations",
    );
    made.value("sku[0].tier", "/sku/tier");
    made.value("sku[0].family", "/sku/family");
    let part = |path: &str| {
        let found = made.config.at(path).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let name = format!("{}_{}", part("sku[0].tier"), part("sku[0].family"));
    made.fixed("/sku/name", json!(name));
}

fn peering(made: &mut Made<'_>) {
    for (argument, pointer) in [
        ("peering_type", "/properties/peeringType"),
        ("vlan_id", "/properties/vlanId"),
        ("peer_asn", "/properties/peerASN"),
        (
            "primary_peer_address_prefix",
            "/properties/primaryPeerAddressPrefix",
        ),
        (
            "secondary_peer_address_prefix",
            "/properties/secondaryPeerAddressPrefix",
        ),
        ("shared_key", "/properties/sharedKey"),
        ("route_filter_id", "/properties/routeFilter/id"),
        (
            "microsoft_peering_config[0].advertised_public_prefixes",
            "/properties/microsoftPeeringConfig/advertisedPublicPrefixes",
        ),
        (
            "ipv6[0].primary_peer_address_prefix",
            "/properties/ipv6PeeringConfig/primaryPeerAddressPrefix",
        ),
    ] {
        made.value(argument, pointer);
    }
    if made.config.bool_attr("ipv4_enabled") == Some(false) {
        made.fixed("/properties/state", json!("Disabled"));
    }
}
