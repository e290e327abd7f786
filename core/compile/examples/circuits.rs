//! What a world of many circuits costs: every circuit with a VNet and its gateway on one side, a VCN
//! and its DRG on the other, all at one location over shared MSEEs and edges.
//!
//! `cargo run --release -p skybridge-compile --example circuits [-- CIRCUITS]`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::net::Ipv4Addr;
use std::time::Duration;

use skybridge_azure::model::AzureModel;
use skybridge_base::{Instant, VlanId};
use skybridge_compile::{Extras, Inputs, compile};
use skybridge_estate::{Estate, Pace};
use skybridge_nodes::{NodeEvent, SessionState};
use skybridge_oci::model::{Mapping, OciModel, RouteTarget};
use skybridge_world::{World, WorldEventKind};

/// Circuit `i` of the model for one, under names, tags and addresses of its own.
fn azure(i: u8) -> AzureModel {
    let mut model = common::azure();
    let own = |name: &str| format!("{name}-{i}");
    let vnet = &mut model.vnets[0];
    (vnet.id, vnet.name) = (own("vnet").as_str().into(), own("app"));
    vnet.address_space = vec![format!("10.{i}.0.0/16").parse().unwrap()];
    for (subnet, third) in vnet.subnets.iter_mut().zip([1, 2]) {
        subnet.id = own(subnet.id.as_str()).as_str().into();
        subnet.prefixes = vec![format!("10.{i}.{third}.0/24").parse().unwrap()];
    }
    let nic = &mut model.interfaces[0];
    (nic.id, nic.name) = (own("nic").as_str().into(), own("nic"));
    nic.subnet = own("apps").as_str().into();
    nic.address = Ipv4Addr::new(10, i, 2, 4).into();
    let machine = nic.machine.as_mut().unwrap();
    (machine.id, machine.name) = (own("vm").as_str().into(), own("web"));
    let gateway = &mut model.gateways[0];
    (gateway.id, gateway.name) = (own("gw").as_str().into(), own("ergw"));
    gateway.vnet = own("vnet").as_str().into();
    gateway.subnet = own("gws").as_str().into();
    gateway.instance_addresses = [12, 13].map(|last| Ipv4Addr::new(10, i, 1, last));
    gateway.msee_addresses = [4, 5].map(|last| Ipv4Addr::new(10, i, 1, last));
    let circuit = &mut model.circuits[0];
    (circuit.id, circuit.name) = (own("er").as_str().into(), own("er"));
    circuit.service_key = own("key");
    circuit.s_tag = VlanId::new(100 + u16::from(i)).unwrap();
    let peering = &mut circuit.peerings[0];
    peering.id = own("peering").as_str().into();
    peering.primary = format!("192.168.{i}.0/30").parse().unwrap();
    peering.secondary = format!("192.168.{i}.24/30").parse().unwrap();
    let connection = &mut model.connections[0];
    (connection.id, connection.name) = (own("conn").as_str().into(), own("conn"));
    connection.gateway = own("gw").as_str().into();
    connection.circuit = own("er").as_str().into();
    model
}

fn oci(i: u8) -> OciModel {
    let mut model = common::oci();
    let own = |name: &str| format!("{name}-{i}");
    let vcn = &mut model.vcns[0];
    (vcn.id, vcn.name) = (own("vcn").as_str().into(), own("db"));
    vcn.cidr_blocks = vec![format!("11.{i}.0.0/16").parse().unwrap()];
    let subnet = &mut vcn.subnets[0];
    (subnet.id, subnet.name) = (own("dbs").as_str().into(), own("dbs"));
    subnet.cidr_block = format!("11.{i}.10.0/24").parse().unwrap();
    subnet.route_table = own("rt").as_str().into();
    subnet.security_lists = vec![own("sl").as_str().into()];
    let table = &mut model.route_tables[0];
    (table.id, table.name) = (own("rt").as_str().into(), own("rt"));
    table.rules[0].destination = format!("10.{i}.0.0/16").parse().unwrap();
    table.rules[0].target = RouteTarget::Drg(own("drg").as_str().into());
    let list = &mut model.security_lists[0];
    (list.id, list.name) = (own("sl").as_str().into(), own("open"));
    let drg = &mut model.drgs[0];
    (drg.id, drg.name) = (own("drg").as_str().into(), own("drg"));
    for table in &mut drg.tables {
        table.id = own(table.id.as_str()).as_str().into();
    }
    for attachment in &mut drg.attachments {
        attachment.id = own(attachment.id.as_str()).as_str().into();
        attachment.name = attachment.id.to_string();
        attachment.network = own(attachment.network.as_str()).as_str().into();
        attachment.table = own(attachment.table.as_str()).as_str().into();
    }
    let circuit = &mut model.virtual_circuits[0];
    (circuit.id, circuit.name) = (own("vc").as_str().into(), own("vc"));
    circuit.drg = Some(own("drg").as_str().into());
    circuit.service_key = Some(own("key"));
    for (mapping, [oracle, customer]) in circuit.mappings.iter_mut().zip([[1, 2], [25, 26]]) {
        *mapping = Mapping {
            oracle: format!("192.168.{i}.{oracle}/30").parse().unwrap(),
            customer: format!("192.168.{i}.{customer}/30").parse().unwrap(),
            ..mapping.clone()
        };
    }
    model
}

/// What this thread has spent on a processor: a busy machine does not count against it.
fn cpu() -> Duration {
    Duration::from_nanos(number("/proc/thread-self/schedstat", 0))
}

/// Resident memory in KiB.
fn resident_kib() -> u64 {
    number("/proc/self/statm", 1) * 4
}

fn number(path: &str, field: usize) -> u64 {
    #[allow(clippy::disallowed_methods, reason = "a measurement")]
    let text = std::fs::read_to_string(path).unwrap();
    text.split_whitespace().nth(field).unwrap().parse().unwrap()
}

fn main() {
    let circuits = std::env::args().nth(1).and_then(|a| a.parse().ok());
    let circuits: u8 = circuits.unwrap_or(200);
    let (mut all_azure, mut all_oci) = (AzureModel::default(), OciModel::default());
    for i in 0..circuits {
        let (a, o) = (azure(i), oci(i));
        all_azure.vnets.extend(a.vnets);
        all_azure.interfaces.extend(a.interfaces);
        all_azure.gateways.extend(a.gateways);
        all_azure.circuits.extend(a.circuits);
        all_azure.connections.extend(a.connections);
        all_oci.vcns.extend(o.vcns);
        all_oci.route_tables.extend(o.route_tables);
        all_oci.security_lists.extend(o.security_lists);
        all_oci.drgs.extend(o.drgs);
        all_oci.virtual_circuits.extend(o.virtual_circuits);
    }
    let start = cpu();
    let compiled = compile(&Inputs {
        estate: &Estate::new(1, Pace::Instant),
        azure: &all_azure,
        oci: &all_oci,
        extras: &Extras::default(),
    });
    let blueprint = compiled.blueprint;
    let ends: usize = (blueprint.nodes.values())
        .filter_map(|node| node.as_router())
        .flat_map(|router| router.bgp.values())
        .map(|bgp| bgp.peers.len())
        .sum();
    println!(
        "{circuits} circuits: {} nodes, {} links, {ends} session ends; compiled in {:.2?}",
        blueprint.nodes.len(),
        blueprint.links.len(),
        cpu() - start
    );
    let before = resident_kib();
    let start = cpu();
    let mut world = World::new(blueprint, 1).unwrap();
    let built = resident_kib() - before;
    println!("built in {:.2?}, {built} KiB", cpu() - start);
    let start = cpu();
    let mut established = 0;
    let mut until = Instant::ZERO;
    while established < ends && until < Instant::from_secs(120) {
        until += Duration::from_millis(100);
        world.run_until(until);
        while let Some(event) = world.poll_event() {
            if let WorldEventKind::Node(NodeEvent::Bgp { from, to, .. }) = event.kind {
                established += usize::from(to == SessionState::Established);
                established -= usize::from(from == SessionState::Established);
            }
        }
    }
    println!(
        "{established} ends established after {until}, {:.2?} of processor, {} steps, {} events lost",
        cpu() - start,
        world.steps(),
        world.events_lost()
    );
    for (name, seconds) in [("settling", 10_u32), ("idle", 60), ("idle", 60)] {
        let (start, steps) = (cpu(), world.steps());
        until += Duration::from_secs(seconds.into());
        world.run_until(until);
        while world.poll_event().is_some() {}
        println!(
            "{name}: {:.2?} of processor and {} steps a virtual second",
            (cpu() - start) / seconds,
            (world.steps() - steps) / u64::from(seconds)
        );
    }
    let used = resident_kib() - before;
    println!("{used} KiB, {} KiB a circuit", used / u64::from(circuits));
}
