//! Types and names of the `oci` provider against those of the API.

use crate::kinds;

/// What a resource type acts on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// A resource of its own.
    Own,
    /// The default object that this argument names.
    Default(&'static str),
    /// The route table of a subnet.
    SubnetTable,
    /// An attachment that OCI made.
    Attachment,
    /// Nothing: it lists the attachments of a DRG.
    Attachments,
}

/// A resource type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    ty: &'static str,
    pub(super) kind: &'static str,
    pub(super) act: Place,
}

const MANAGE: Place = Place::Default("manage_default_resource_id");

const fn own(ty: &'static str, kind: &'static str) -> Row {
    let act = Place::Own;
    Row { ty, kind, act }
}

const fn act(ty: &'static str, kind: &'static str, act: Place) -> Row {
    Row { ty, kind, act }
}

const ROWS: [Row; 38] = [
    own("oci_core_vcn", kinds::VCN),
    own("oci_core_virtual_network", kinds::VCN),
    own("oci_core_subnet", kinds::SUBNET),
    own("oci_core_route_table", kinds::ROUTE_TABLE),
    act("oci_core_default_route_table", kinds::ROUTE_TABLE, MANAGE),
    act(
        "oci_core_route_table_attachment",
        kinds::SUBNET,
        Place::SubnetTable,
    ),
    own("oci_core_security_list", kinds::SECURITY_LIST),
    act(
        "oci_core_default_security_list",
        kinds::SECURITY_LIST,
        MANAGE,
    ),
    own("oci_core_network_security_group", kinds::SECURITY_GROUP),
    own(
        "oci_core_network_security_group_security_rule",
        kinds::SECURITY_GROUP_RULE,
    ),
    own("oci_core_internet_gateway", kinds::INTERNET_GATEWAY),
    own("oci_core_nat_gateway", kinds::NAT_GATEWAY),
    own("oci_core_service_gateway", kinds::SERVICE_GATEWAY),
    own("oci_core_dhcp_options", kinds::DHCP_OPTIONS),
    act("oci_core_default_dhcp_options", kinds::DHCP_OPTIONS, MANAGE),
    own("oci_core_drg", kinds::DRG),
    own("oci_core_drg_attachment", kinds::DRG_ATTACHMENT),
    act(
        "oci_core_drg_attachment_management",
        kinds::DRG_ATTACHMENT,
        Place::Attachment,
    ),
    own("oci_core_drg_route_table", kinds::DRG_ROUTE_TABLE),
    own("oci_core_drg_route_table_route_rule", kinds::DRG_ROUTE_RULE),
    own(
        "oci_core_drg_route_distribution",
        kinds::DRG_ROUTE_DISTRIBUTION,
    ),
    own(
        "oci_core_drg_route_distribution_statement",
        kinds::DRG_ROUTE_DISTRIBUTION_STATEMENT,
    ),
    own("oci_core_virtual_circuit", kinds::VIRTUAL_CIRCUIT),
    own("oci_core_instance", kinds::INSTANCE),
    own("oci_core_vnic_attachment", kinds::VNIC_ATTACHMENT),
    own("oci_core_private_ip", kinds::PRIVATE_IP),
    own("oci_core_public_ip", kinds::PUBLIC_IP),
    own("oci_core_cross_connect", kinds::CROSS_CONNECT),
    own("oci_core_cross_connect_group", kinds::CROSS_CONNECT_GROUP),
    act(
        "oci_core_default_drg_route_table",
        kinds::DRG_ROUTE_TABLE,
        MANAGE,
    ),
    act(
        "oci_core_drg_attachments_list",
        kinds::DRG,
        Place::Attachments,
    ),
    own(DB_SYSTEM, kinds::INSTANCE),
    own(AUTONOMOUS, kinds::INSTANCE),
    own(
        "oci_core_local_peering_gateway",
        kinds::LOCAL_PEERING_GATEWAY,
    ),
    own("oci_core_remote_peering_connection", kinds::REMOTE_PEERING),
    own("oci_core_cpe", kinds::CPE),
    own("oci_core_ipsec", kinds::IPSEC),
    act(
        "oci_core_ipsec_connection_tunnel_management",
        kinds::IPSEC_TUNNEL,
        Place::Default("tunnel_id"),
    ),
];

/// Databases are hosts of their subnet: instances that nobody chose a shape or a domain for.
pub(super) const DB_SYSTEM: &str = "oci_database_db_system";
/// See [`DB_SYSTEM`]; without a subnet it is no part of the network.
pub(super) const AUTONOMOUS: &str = "oci_database_autonomous_database";

/// The row of a type; `None` when it is not modelled.
pub(super) fn row(ty: &str) -> Option<&'static Row> {
    ROWS.iter().find(|r| r.ty == ty)
}

/// The field of the API behind an argument: `vcn_id` is `vcnId`, with these exceptions.
pub(super) fn field(name: &str) -> String {
    match name {
        "stateless" => return "isStateless".to_owned(),
        "enabled" => return "isEnabled".to_owned(),
        "state" => return "lifecycleState".to_owned(),
        "bgp_md5auth_key" => return "bgpMd5AuthKey".to_owned(),
        "is_ipv6enabled" => return "isIpv6Enabled".to_owned(),
        "ipv4cidr_blocks" => return "ipv4CidrBlocks".to_owned(),
        "ipv6cidr_block" => return "ipv6CidrBlock".to_owned(),
        "ipv6cidr_blocks" => return "ipv6CidrBlocks".to_owned(),
        _ => {}
    }
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

/// The fields below an object that an argument of a block stands for: the ports of a security list's
/// rule are those of the destination.
pub(super) fn fields(ty: &str, block: &str, name: &str) -> Vec<String> {
    let list = ty == "oci_core_security_list" || ty == "oci_core_default_security_list";
    let options = block == "tcp_options" || block == "udp_options";
    if list && options && (name == "min" || name == "max") {
        return vec!["destinationPortRange".to_owned(), name.to_owned()];
    }
    vec![field(name)]
}
