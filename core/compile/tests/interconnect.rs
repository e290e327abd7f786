//! The Azure–OCI interconnect, from models written by hand.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::{azure, compiled, oci};
use skybridge_azure::model as az;
use skybridge_base::VlanId;
use skybridge_blueprint::{Blueprint, Tagging, check};
use skybridge_compile::{Extras, Inputs, compile};
use skybridge_estate::{Estate, Pace};

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
