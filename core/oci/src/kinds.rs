//! The kinds of OCI resources that an estate holds, and how each lives.

use skybridge_estate::Phase;

/// `oci/vcn`
pub const VCN: &str = "oci/vcn";
/// `oci/subnet`
pub const SUBNET: &str = "oci/subnet";
/// `oci/route-table`
pub const ROUTE_TABLE: &str = "oci/route-table";
/// `oci/security-list`
pub const SECURITY_LIST: &str = "oci/security-list";
/// `oci/dhcp-options`
pub const DHCP_OPTIONS: &str = "oci/dhcp-options";
/// `oci/network-security-group`
pub const SECURITY_GROUP: &str = "oci/network-security-group";
/// One rule of a network security group (the API adds and removes them by action).
pub const SECURITY_GROUP_RULE: &str = "oci/network-security-group-rule";
/// `oci/internet-gateway`
pub const INTERNET_GATEWAY: &str = "oci/internet-gateway";
/// `oci/nat-gateway`
pub const NAT_GATEWAY: &str = "oci/nat-gateway";
/// `oci/service-gateway`
pub const SERVICE_GATEWAY: &str = "oci/service-gateway";
/// `oci/local-peering-gateway`
pub const LOCAL_PEERING_GATEWAY: &str = "oci/local-peering-gateway";
/// `oci/drg`
pub const DRG: &str = "oci/drg";
/// `oci/drg-attachment`
pub const DRG_ATTACHMENT: &str = "oci/drg-attachment";
/// `oci/drg-route-table`
pub const DRG_ROUTE_TABLE: &str = "oci/drg-route-table";
/// One static rule of a DRG route table (the API adds and removes them by action).
pub const DRG_ROUTE_RULE: &str = "oci/drg-route-rule";
/// `oci/drg-route-distribution`
pub const DRG_ROUTE_DISTRIBUTION: &str = "oci/drg-route-distribution";
/// One statement of a DRG route distribution (the API adds and removes them by action).
pub const DRG_ROUTE_DISTRIBUTION_STATEMENT: &str = "oci/drg-route-distribution-statement";
/// `oci/virtual-circuit`
pub const VIRTUAL_CIRCUIT: &str = "oci/virtual-circuit";
/// `oci/instance`
pub const INSTANCE: &str = "oci/instance";
/// `oci/vnic`: made with its instance, or with its attachment to one.
pub const VNIC: &str = "oci/vnic";
/// `oci/vnic-attachment`: of a secondary VNIC. That of the primary one is not kept.
pub const VNIC_ATTACHMENT: &str = "oci/vnic-attachment";
/// `oci/private-ip`: the primary one is made with its VNIC.
pub const PRIVATE_IP: &str = "oci/private-ip";

/// `oci/remote-peering-connection`
pub const REMOTE_PEERING: &str = "oci/remote-peering-connection";
/// `oci/public-ip`: an address of the internet, which is not modelled.
pub const PUBLIC_IP: &str = "oci/public-ip";
/// `oci/cross-connect`
pub const CROSS_CONNECT: &str = "oci/cross-connect";
/// `oci/cross-connect-group`
pub const CROSS_CONNECT_GROUP: &str = "oci/cross-connect-group";
/// `oci/cpe`
pub const CPE: &str = "oci/cpe";
/// `oci/ipsec-connection`: kept; what takes its tunnels is unknown.
pub const IPSEC: &str = "oci/ipsec-connection";
/// `oci/ipsec-tunnel`: made with its connection.
pub const IPSEC_TUNNEL: &str = "oci/ipsec-tunnel";

/// How a kind lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindSpec {
    /// The kind.
    pub(crate) kind: &'static str,
    /// The type in its OCIDs.
    pub(crate) ocid: &'static str,
    /// The field that names its parent, and the parent's kind.
    pub(crate) parent: Option<(&'static str, &'static str)>,
    /// Creation and deletion take time and show as lifecycle states.
    pub(crate) slow: bool,
    /// `lifecycleState` while creating, when ready, while deleting.
    pub(crate) states: [&'static str; 3],
    /// For people.
    pub(crate) noun: &'static str,
}

const USUAL: [&str; 3] = ["PROVISIONING", "AVAILABLE", "TERMINATING"];
const ATTACH: [&str; 3] = ["ATTACHING", "ATTACHED", "DETACHING"];

const fn quick(
    kind: &'static str,
    ocid: &'static str,
    parent: (&'static str, &'static str),
    noun: &'static str,
) -> KindSpec {
    KindSpec {
        kind,
        ocid,
        parent: Some(parent),
        slow: false,
        states: USUAL,
        noun,
    }
}

const fn slow(
    kind: &'static str,
    ocid: &'static str,
    parent: Option<(&'static str, &'static str)>,
    states: [&'static str; 3],
    noun: &'static str,
) -> KindSpec {
    KindSpec {
        kind,
        ocid,
        parent,
        slow: true,
        states,
        noun,
    }
}

const IN_VCN: (&str, &str) = ("vcnId", VCN);
const IN_DRG: (&str, &str) = ("drgId", DRG);
const CIRCUIT: [&str; 3] = ["PENDING_PROVIDER", "PROVISIONED", "TERMINATING"];
const ASSIGN: [&str; 3] = ["PROVISIONING", "ASSIGNED", "TERMINATING"];
const CABLE: [&str; 3] = ["PENDING_CUSTOMER", "PROVISIONED", "TERMINATING"];
const RUN: [&str; 3] = ["PROVISIONING", "RUNNING", "TERMINATING"];

/// Every kind.
const KINDS: [KindSpec; 29] = [
    slow(VCN, "vcn", None, USUAL, "VCN"),
    slow(SUBNET, "subnet", Some(IN_VCN), USUAL, "subnet"),
    quick(ROUTE_TABLE, "routetable", IN_VCN, "route table"),
    quick(SECURITY_LIST, "securitylist", IN_VCN, "security list"),
    quick(DHCP_OPTIONS, "dhcpoptions", IN_VCN, "DHCP options"),
    quick(
        SECURITY_GROUP,
        "networksecuritygroup",
        IN_VCN,
        "network security group",
    ),
    quick(
        SECURITY_GROUP_RULE,
        "networksecuritygrouprule",
        ("networkSecurityGroupId", SECURITY_GROUP),
        "network security group rule",
    ),
    quick(
        INTERNET_GATEWAY,
        "internetgateway",
        IN_VCN,
        "internet gateway",
    ),
    quick(NAT_GATEWAY, "natgateway", IN_VCN, "NAT gateway"),
    quick(SERVICE_GATEWAY, "servicegateway", IN_VCN, "service gateway"),
    quick(
        LOCAL_PEERING_GATEWAY,
        "localpeeringgateway",
        IN_VCN,
        "local peering gateway",
    ),
    slow(DRG, "drg", None, USUAL, "DRG"),
    slow(
        DRG_ATTACHMENT,
        "drgattachment",
        Some(IN_DRG),
        ATTACH,
        "DRG attachment",
    ),
    quick(DRG_ROUTE_TABLE, "drgroutetable", IN_DRG, "DRG route table"),
    quick(
        DRG_ROUTE_RULE,
        "drgrouterule",
        ("drgRouteTableId", DRG_ROUTE_TABLE),
        "DRG route rule",
    ),
    quick(
        DRG_ROUTE_DISTRIBUTION,
        "drgroutedistribution",
        IN_DRG,
        "DRG route distribution",
    ),
    quick(
        DRG_ROUTE_DISTRIBUTION_STATEMENT,
        "drgroutedistributionstatement",
        ("drgRouteDistributionId", DRG_ROUTE_DISTRIBUTION),
        "DRG route distribution statement",
    ),
    slow(
        VIRTUAL_CIRCUIT,
        "virtualcircuit",
        None,
        CIRCUIT,
        "virtual circuit",
    ),
    slow(INSTANCE, "instance", None, RUN, "instance"),
    quick(VNIC, "vnic", ("instanceId", INSTANCE), "VNIC"),
    slow(
        VNIC_ATTACHMENT,
        "vnicattachment",
        Some(("instanceId", INSTANCE)),
        ATTACH,
        "VNIC attachment",
    ),
    quick(PRIVATE_IP, "privateip", ("vnicId", VNIC), "private IP"),
    quick(
        REMOTE_PEERING,
        "remotepeeringconnection",
        IN_DRG,
        "remote peering connection",
    ),
    KindSpec {
        parent: None,
        ..quick(CPE, "cpe", IN_DRG, "CPE")
    },
    KindSpec {
        parent: None,
        states: ASSIGN,
        ..quick(PUBLIC_IP, "publicip", IN_VCN, "public IP")
    },
    KindSpec {
        parent: None,
        states: CABLE,
        ..quick(CROSS_CONNECT, "crossconnect", IN_VCN, "cross-connect")
    },
    KindSpec {
        parent: None,
        states: CABLE,
        ..quick(
            CROSS_CONNECT_GROUP,
            "crossconnectgroup",
            IN_VCN,
            "cross-connect group",
        )
    },
    quick(IPSEC, "ipsecconnection", IN_DRG, "IPsec connection"),
    quick(
        IPSEC_TUNNEL,
        "ipsectunnel",
        ("ipsecId", IPSEC),
        "IPsec tunnel",
    ),
];

/// How `kind` lives; `None` when OCI's part does not know it.
#[must_use]
pub(crate) fn spec(kind: &str) -> Option<&'static KindSpec> {
    KINDS.iter().find(|s| s.kind == kind)
}

/// The field of a document that names what a resource of `kind` is nested in.
#[must_use]
pub fn parent_field(kind: &str) -> Option<&'static str> {
    spec(kind)?.parent.map(|(field, _)| field)
}

impl KindSpec {
    /// `lifecycleState` in a phase.
    pub(crate) const fn state(&self, phase: Phase) -> &'static str {
        match phase {
            Phase::Creating => self.states[0],
            Phase::Ready | Phase::Updating => self.states[1],
            Phase::Deleting => self.states[2],
            Phase::Failed => "FAILED",
        }
    }
}
