//! The Azure–OCI interconnect, from models written by hand.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::net::Ipv4Addr;

use skybridge_azure::model as az;
use skybridge_base::{Asn, VlanId};
use skybridge_blueprint::{Blueprint, Tagging, check};
use skybridge_compile::{Compiled, Extras, Inputs, compile};
use skybridge_estate::{Estate, Pace, Phase};
use skybridge_oci::model as oc;

fn azure() -> az::AzureModel {
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
            }),
        }],
        gateways: vec![az::Gateway {
            id: "gw".into(),
            name: "ergw".into(),
            vnet: "vnet".into(),
            subnet: "gws".into(),
            sku: "UltraPerformance".into(),
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

fn oci() -> oc::OciModel {
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
            rules: vec![oc::RouteRule {
                destination: "10.12.0.0/16".parse().unwrap(),
                target: oc::RouteTarget::Drg("drg".into()),
            }],
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

fn compiled() -> Compiled {
    compile(&Inputs {
        estate: &Estate::new(1, Pace::Instant),
        azure: &azure(),
        oci: &oci(),
        extras: &Extras::default(),
    })
}

fn customer_sessions(blueprint: &Blueprint) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for node in blueprint.nodes.values() {
        for bgp in node.as_router().into_iter().flat_map(|r| r.bgp.values()) {
            for peer in bgp.peers.values().filter(|p| p.role.customer_visible) {
                found.push((peer.local.to_string(), peer.remote.to_string()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_interconnect_is_whole() {
    let compiled = compiled();
    assert_eq!(check(&compiled.blueprint), vec![]);
    assert_eq!(compiled.gaps, vec![]);
    // VNet router, VCN router, two MSEEs, two edges, DRG, two instances, one VM, one probe.
    assert_eq!(compiled.blueprint.nodes.len(), 11);
}

#[test]
fn both_legs_have_a_session_at_both_ends() {
    let ends = customer_sessions(&compiled().blueprint);
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        ends,
        vec![
            pair("192.168.240.1", "192.168.240.2"),
            pair("192.168.240.2", "192.168.240.1"),
            pair("192.168.240.25", "192.168.240.26"),
            pair("192.168.240.26", "192.168.240.25"),
        ]
    );
}

#[test]
fn a_circuit_is_one_service_tag_and_its_peering_one_customer_tag_at_both_ends() {
    let compiled = compiled();
    let tags: Vec<Tagging> = (compiled.blueprint.nodes.values())
        .filter_map(|n| n.as_router())
        .flat_map(|r| r.interfaces.values())
        .map(|i| i.tagging)
        .filter(|t| *t != Tagging::Untagged)
        .collect();
    let expected = Tagging::QinQ {
        s_tag: VlanId::new(100).unwrap(),
        c_tag: VlanId::new(200).unwrap(),
    };
    assert_eq!(tags, vec![expected; 4]);
}

#[test]
fn compiling_twice_gives_the_same_blueprint() {
    assert_eq!(compiled(), compiled());
}

#[test]
fn a_circuit_that_is_not_provisioned_has_no_session() {
    let mut azure = azure();
    azure.circuits[0].provider_state = az::ProviderState::Provisioning;
    let compiled = compile(&Inputs {
        estate: &Estate::new(1, Pace::Instant),
        azure: &azure,
        oci: &oci(),
        extras: &Extras::default(),
    });
    assert_eq!(check(&compiled.blueprint), vec![]);
    assert_eq!(
        compiled
            .index
            .circuits
            .values()
            .map(|c| c.legs.len())
            .sum::<usize>(),
        0
    );
}
