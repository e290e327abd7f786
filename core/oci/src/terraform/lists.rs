//! Data sources that list resources of the estate, or look at one of them.

use serde_json::Value as Json;
use skybridge_estate::Resource;
use skybridge_hcl::Value;

use super::names::field;
use crate::kinds;

/// A data source of a list: type, the attribute with the list, kind.
const LISTS: [(&str, &str, &str); 26] = [
    ("oci_core_vcns", "virtual_networks", kinds::VCN),
    ("oci_core_virtual_networks", "virtual_networks", kinds::VCN),
    ("oci_core_subnets", "subnets", kinds::SUBNET),
    ("oci_core_route_tables", "route_tables", kinds::ROUTE_TABLE),
    (
        "oci_core_security_lists",
        "security_lists",
        kinds::SECURITY_LIST,
    ),
    ("oci_core_dhcp_options", "options", kinds::DHCP_OPTIONS),
    (
        "oci_core_network_security_groups",
        "network_security_groups",
        kinds::SECURITY_GROUP,
    ),
    (
        "oci_core_network_security_group_security_rules",
        "security_rules",
        kinds::SECURITY_GROUP_RULE,
    ),
    (
        "oci_core_internet_gateways",
        "gateways",
        kinds::INTERNET_GATEWAY,
    ),
    ("oci_core_nat_gateways", "nat_gateways", kinds::NAT_GATEWAY),
    (
        "oci_core_service_gateways",
        "service_gateways",
        kinds::SERVICE_GATEWAY,
    ),
    ("oci_core_drgs", "drgs", kinds::DRG),
    (
        "oci_core_drg_attachments",
        "drg_attachments",
        kinds::DRG_ATTACHMENT,
    ),
    (
        "oci_core_drg_route_distributions",
        "drg_route_distributions",
        kinds::DRG_ROUTE_DISTRIBUTION,
    ),
    (
        "oci_core_drg_route_distribution_statements",
        "drg_route_distribution_statements",
        kinds::DRG_ROUTE_DISTRIBUTION_STATEMENT,
    ),
    (
        "oci_core_virtual_circuits",
        "virtual_circuits",
        kinds::VIRTUAL_CIRCUIT,
    ),
    ("oci_core_instances", "instances", kinds::INSTANCE),
    (
        "oci_core_local_peering_gateways",
        "local_peering_gateways",
        kinds::LOCAL_PEERING_GATEWAY,
    ),
    (
        "oci_core_remote_peering_connections",
        "remote_peering_connections",
        kinds::REMOTE_PEERING,
    ),
    ("oci_core_cpes", "cpes", kinds::CPE),
    ("oci_core_ipsec_connections", "connections", kinds::IPSEC),
    (
        "oci_core_ipsec_connection_tunnels",
        "ip_sec_connection_tunnels",
        kinds::IPSEC_TUNNEL,
    ),
    ("oci_core_private_ips", "private_ips", kinds::PRIVATE_IP),
    ("oci_core_public_ips", "public_ips", kinds::PUBLIC_IP),
    (
        "oci_core_cross_connects",
        "cross_connects",
        kinds::CROSS_CONNECT,
    ),
    (
        "oci_core_cross_connect_groups",
        "cross_connect_groups",
        kinds::CROSS_CONNECT_GROUP,
    ),
];

/// A data source of one resource: type, the argument with its OCID, kind.
const ONES: [(&str, &str, &str); 14] = [
    ("oci_core_vnic", "vnic_id", kinds::VNIC),
    ("oci_core_vcn", "vcn_id", kinds::VCN),
    ("oci_core_subnet", "subnet_id", kinds::SUBNET),
    ("oci_core_instance", "instance_id", kinds::INSTANCE),
    ("oci_core_private_ip", "private_ip_id", kinds::PRIVATE_IP),
    ("oci_core_nat_gateway", "nat_gateway_id", kinds::NAT_GATEWAY),
    (
        "oci_core_network_security_group",
        "network_security_group_id",
        kinds::SECURITY_GROUP,
    ),
    (
        "oci_core_drg_route_table",
        "drg_route_table_id",
        kinds::DRG_ROUTE_TABLE,
    ),
    (
        "oci_core_drg_route_distribution",
        "drg_route_distribution_id",
        kinds::DRG_ROUTE_DISTRIBUTION,
    ),
    (
        "oci_core_virtual_circuit",
        "virtual_circuit_id",
        kinds::VIRTUAL_CIRCUIT,
    ),
    ("oci_core_drg", "drg_id", kinds::DRG),
    (
        "oci_core_ipsec_connection_tunnel",
        "tunnel_id",
        kinds::IPSEC_TUNNEL,
    ),
    (
        "oci_core_cross_connect",
        "cross_connect_id",
        kinds::CROSS_CONNECT,
    ),
    (
        "oci_core_cross_connect_group",
        "cross_connect_group_id",
        kinds::CROSS_CONNECT_GROUP,
    ),
];

/// The attribute with the list, and the kind of what is in it.
pub(super) fn list(ty: &str) -> Option<(&'static str, &'static str)> {
    let row = LISTS.iter().find(|(name, ..)| *name == ty);
    row.map(|(_, attribute, kind)| (*attribute, *kind))
}

/// The argument that says which, and its kind.
pub(super) fn one(ty: &str) -> Option<(&'static str, &'static str)> {
    let row = ONES.iter().find(|(name, ..)| *name == ty);
    row.map(|(_, argument, kind)| (*argument, *kind))
}

/// Whether a resource is what an argument of a list asks for. Compartments are not kept apart.
pub(super) fn is_wanted(resource: &Resource, whole: &Json, name: &str, value: &Value) -> bool {
    let Some(text) = value.as_str().filter(|t| !t.is_empty()) else {
        return true;
    };
    let details = |name: &str| whole.pointer(&format!("/networkDetails/{name}"));
    let own = whole.get(field(name));
    let found = match (resource.kind.as_str(), name) {
        (_, "compartment_id" | "id") => return true,
        (kinds::DRG_ATTACHMENT, "network_id" | "vcn_id") => details("id").or(own),
        (kinds::DRG_ATTACHMENT, "attachment_type") => {
            return text == "ALL" || details("type").and_then(Json::as_str) == Some(text);
        }
        _ => own,
    };
    let parent = resource.parent.as_ref().map(|p| p.as_str());
    match found.and_then(Json::as_str) {
        Some(found) => found.eq_ignore_ascii_case(text),
        None => name.ends_with("_id") && parent == Some(text),
    }
}
