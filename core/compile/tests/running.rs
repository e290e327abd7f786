//! What the compiler makes, running: sessions, routes and packets in virtual time.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use common::compiled;
use skybridge_base::{Instant, MacAddr};
use skybridge_dataplane::RouteState;
use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent, SessionState};
use skybridge_solve::{Failures, solve};
use skybridge_wire::{ethernet, flow};
use skybridge_world::{CapturePoint, Command, World, WorldEventKind};

fn ping(world: &mut World, from: &str, to: &str) -> Option<Duration> {
    let command = HostCommand::Echo {
        id: ConnectionId(1),
        sequence: 1,
        target: to.parse().unwrap(),
        ttl: 64,
        payload_len: 56,
        dont_fragment: true,
        timeout: Duration::from_secs(1),
        trace: 7,
    };
    let node = from.into();
    world.command(Command::Host { node, command }).unwrap();
    world.run_until(world.now() + Duration::from_secs(2));
    let mut rtt = None;
    while let Some(event) = world.poll_event() {
        if let WorldEventKind::Node(NodeEvent::EchoReply { rtt: time, .. }) = event.kind {
            rtt = Some(time);
        }
    }
    rtt
}

#[test]
fn every_session_establishes_and_hosts_reach_each_other_both_ways() {
    let mut world = World::new(compiled().blueprint, 1).unwrap();
    world.run_until(Instant::from_secs(3));
    let mut established = 0;
    while let Some(event) = world.poll_event() {
        if let WorldEventKind::Node(NodeEvent::Bgp { to, .. }) = event.kind
            && to == SessionState::Established
        {
            established += 1;
        }
    }
    // Two cross-connects, two legs to the DRG, two MSEEs by two instances, two instances to the platform.
    assert_eq!(established, 2 * (2 + 2 + 4 + 2));
    assert!(ping(&mut world, "web", "10.1.10.254").is_some());
    assert!(ping(&mut world, "probe-db-dbs", "10.12.2.4").is_some());
}

#[test]
fn the_solver_finds_the_same_tables() {
    let blueprint = compiled().blueprint;
    let mut world = World::new(blueprint.clone(), 1).unwrap();
    world.run_until(Instant::from_secs(5));
    let tables = solve(&blueprint, &Failures::none());
    assert!(tables.converged);
    for (node, vrf, expected) in tables.iter() {
        let router = world.router(node).unwrap();
        for (prefix, routes) in expected {
            let mut wanted: Vec<_> = routes.iter().map(|r| r.next_hop.clone()).collect();
            wanted.sort();
            let found = router.routes(vrf);
            let mut used: Vec<_> = (found.iter())
                .filter(|r| r.prefix == *prefix && r.state == RouteState::Active)
                .flat_map(|r| r.next_hops.clone())
                .collect();
            used.sort();
            assert_eq!(used, wanted, "{node} {vrf} {prefix}");
        }
    }
}

#[test]
fn the_two_sessions_take_two_paths_with_their_own_stations() {
    let compiled = compiled();
    let mut world = World::new(compiled.blueprint, 1).unwrap();
    let legs = &compiled.index.circuits.values().next().unwrap().legs;
    let captures: Vec<_> = (legs.iter())
        .map(|leg| {
            let point = CapturePoint::Link(leg.link.clone().unwrap());
            world.start_capture(point, 10_000).unwrap()
        })
        .collect();
    world.run_until(Instant::from_secs(3));
    let mut stations: Vec<BTreeSet<MacAddr>> = Vec::new();
    let mut sessions: Vec<BTreeSet<IpAddr>> = Vec::new();
    for id in captures {
        let mut macs = BTreeSet::new();
        let mut ends = BTreeSet::new();
        for frame in world.take_capture(id).unwrap().frames {
            let ethernet = ethernet::parse(&frame.bytes).unwrap();
            // Service tag the circuit, customer tag the peering; Azure wants the VLAN equal on both links.
            assert_eq!(ethernet.tags().to_string(), "S 100 C 200");
            let Ok(packet) = flow::parse(ethernet.payload()) else {
                continue;
            };
            if packet.protocol == 6 && (packet.src_port == 179 || packet.dst_port == 179) {
                macs.extend([ethernet.src(), ethernet.dst()]);
                ends.extend([packet.src, packet.dst]);
            }
        }
        stations.push(macs);
        sessions.push(ends);
    }
    assert_eq!(
        stations.iter().map(BTreeSet::len).collect::<Vec<_>>(),
        [2, 2]
    );
    assert!(stations[0].is_disjoint(&stations[1]), "{stations:?}");
    assert!(sessions[0].is_disjoint(&sessions[1]), "{sessions:?}");
}
