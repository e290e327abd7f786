//! Models of an interconnect, written by hand.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses its own part, and all of it is test code"
)]

use std::net::Ipv4Addr;

use skybridge_azure::model as az;
use skybridge_base::{Asn, VlanId};
use skybridge_compile::{Compiled, Extras, Inputs, compile};
use skybridge_estate::{Estate, Pace, Phase};
use skybridge_oci::model as oc;

pub(crate) fn azure() -> az::AzureModel {
    let vnet = az::VirtualNetwork {
        id: "vnet".into(),
        name: "app".into(),
        location: "eastus".into(),
        address_space: vec!["10.12.0.0/16".parse().unwrap()],
        subnets: vec![
            az::Subnet {
                id: "gws".into(),
                name: "GatewaySubnet".into(),
                prefixes: vec!["10.12.1.0/24".parse().unwrap()],
                security_group: None,
                route_table: None,
            },
            az::Subnet {
                id: "apps".into(),
                name: "apps".into(),
                prefixes: vec!["10.12.2.0/24".parse().unwrap()],
                security_group: None,
                route_table: None,
            },
        ],
        is_open: false,
        hub: None,
        peerings: Vec::new(),
    };
    az::AzureModel {
        vnets: vec![vnet],
        interfaces: vec![az::NetworkInterface {
            id: "nic".into(),
            name: "nic".into(),
            subnet: "apps".into(),
            address: "10.12.2.4".parse().unwrap(),
            security_group: None,
            application_groups: vec![],
            ip_forwarding: false,
            machine: Some(az::Machine {
                id: "vm".into(),
                name: "web".into(),
                is_first: true,
            }),
        }],
        gateways: vec![az::Gateway {
            id: "gw".into(),
            name: "ergw".into(),
            vnet: "vnet".into(),
            subnet: "gws".into(),
            sku: "UltraPerformance".into(),
            scale_units: 1,
            asn: Asn(65515),
            instance_addresses: [Ipv4Addr::new(10, 12, 1, 12), Ipv4Addr::new(10, 12, 1, 13)],
            msee_addresses: [Ipv4Addr::new(10, 12, 1, 4), Ipv4Addr::new(10, 12, 1, 5)],
            phase: Phase::Ready,
        }],
        circuits: vec![az::Circuit {
            id: "er".into(),
            name: "er".into(),
            location_id: "washington-dc".into(),
            location: "Washington DC".into(),
            provider: "Oracle Cloud FastConnect".into(),
            bandwidth_mbps: 1000,
            tier: "Standard".into(),
            service_key: "key".into(),
            provider_state: az::ProviderState::Provisioned,
            enabled: true,
            s_tag: VlanId::new(100).unwrap(),
            peerings: vec![az::Peering {
                id: "peering".into(),
                name: "AzurePrivatePeering".into(),
                peer_asn: Asn(31898),
                vlan: VlanId::new(200).unwrap(),
                primary: "192.168.240.0/30".parse().unwrap(),
                secondary: "192.168.240.24/30".parse().unwrap(),
                shared_key: None,
                enabled: true,
            }],
            phase: Phase::Ready,
        }],
        connections: vec![az::Connection {
            id: "conn".into(),
            name: "conn".into(),
            gateway: "gw".into(),
            circuit: "er".into(),
            routing_weight: 0,
            fast_path: false,
            phase: Phase::Ready,
        }],
        ..az::AzureModel::default()
    }
}

pub(crate) fn oci() -> oc::OciModel {
    oc::OciModel {
        vcns: vec![oc::Vcn {
            id: "vcn".into(),
            name: "db".into(),
            region: "us-ashburn-1".into(),
            cidr_blocks: vec!["10.1.0.0/16".parse().unwrap()],
            subnets: vec![oc::Subnet {
                id: "dbs".into(),
                name: "dbs".into(),
                cidr_block: "10.1.10.0/24".parse().unwrap(),
                route_table: "rt".into(),
                security_lists: vec!["sl".into()],
            }],
        }],
        route_tables: vec![oc::RouteTable {
            id: "rt".into(),
            name: "rt".into(),
            services: Vec::new(),
            rules: vec![oc::RouteRule {
                destination: "10.12.0.0/16".parse().unwrap(),
                target: oc::RouteTarget::Drg("drg".into()),
            }],
        }],
        security_lists: vec![oc::SecurityList {
            id: "sl".into(),
            name: "open".into(),
            rules: [true, false].map(open).to_vec(),
        }],
        drgs: vec![oc::Drg {
            id: "drg".into(),
            name: "drg".into(),
            region: "us-ashburn-1".into(),
            tables: vec![
                oc::DrgTable {
                    id: "t-vcn".into(),
                    name: "for VCNs".into(),
                    ecmp: false,
                    imports: vec![oc::ImportStatement::MatchAll],
                    static_rules: vec![],
                },
                oc::DrgTable {
                    id: "t-other".into(),
                    name: "for the rest".into(),
                    ecmp: false,
                    imports: vec![oc::ImportStatement::Type(oc::AttachmentType::Vcn)],
                    static_rules: vec![],
                },
            ],
            attachments: vec![
                attachment("a-vcn", oc::AttachmentType::Vcn, "vcn", "t-vcn"),
                attachment("a-vc", oc::AttachmentType::VirtualCircuit, "vc", "t-other"),
            ],
        }],
        virtual_circuits: vec![oc::VirtualCircuit {
            id: "vc".into(),
            name: "vc".into(),
            region: "us-ashburn-1".into(),
            private: true,
            drg: Some("drg".into()),
            lifecycle_state: "PROVISIONED".into(),
            provider: Some("Microsoft Azure".to_owned()),
            is_layer2: true,
            service_key: Some("key".into()),
            bandwidth_mbps: 1000,
            mappings: [
                ("192.168.240.1/30", "192.168.240.2/30"),
                ("192.168.240.25/30", "192.168.240.26/30"),
            ]
            .map(|(oracle, customer)| oc::Mapping {
                oracle: oracle.parse().unwrap(),
                customer: customer.parse().unwrap(),
                vlan: None,
                md5: None,
            })
            .to_vec(),
            customer_asn: Asn(12076),
            oracle_asn: Asn(31898),
            bfd: true,
            mtu: 1500,
            bgp_enabled: true,
            phase: Phase::Ready,
        }],
        ..oc::OciModel::default()
    }
}

fn attachment(id: &str, kind: oc::AttachmentType, network: &str, table: &str) -> oc::DrgAttachment {
    oc::DrgAttachment {
        id: id.into(),
        name: id.into(),
        kind,
        network: network.into(),
        table: table.into(),
        vcn_route_table: None,
        announces_vcn_cidrs: false,
    }
}

pub(crate) fn compiled() -> Compiled {
    compiled_with(&oci())
}

/// With another OCI side.
pub(crate) fn compiled_with(oci: &oc::OciModel) -> Compiled {
    compile(&Inputs {
        estate: &Estate::new(1, Pace::Instant),
        azure: &azure(),
        oci,
        extras: &Extras::default(),
    })
}

fn open(ingress: bool) -> oc::SecurityRule {
    oc::SecurityRule {
        name: "all".into(),
        ingress,
        stateless: false,
        protocol: None,
        source_ports: None,
        destination_ports: None,
        icmp: None,
        peer: oc::RulePeer::Cidr("0.0.0.0/0".parse().unwrap()),
        unknown: false,
    }
}
