//! A world against the independent solver: sessions, tables, reachability.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use skybridge_blueprint::{NextHop, NodeName, VrfName};
use skybridge_dataplane::RouteState;
use skybridge_nodes::SessionState;
use skybridge_solve::{Failures, Flow, SessionId, SessionVerdict, Tables, walks};
use skybridge_verify::Pair;
use skybridge_world::World;

/// Differences that are told.
const TOLD_MAX: usize = 6;

/// Every session that is established, by each end.
#[must_use]
pub fn established(world: &World) -> BTreeSet<SessionId> {
    let mut found = BTreeSet::new();
    for node in world.blueprint().nodes.keys() {
        let peers = world.router(node).map(|router| router.bgp());
        for peer in peers.unwrap_or_default() {
            if peer.state == SessionState::Established {
                found.insert(SessionId {
                    node: node.clone(),
                    instance: peer.instance,
                    peer: peer.peer,
                });
            }
        }
    }
    found
}

/// Where a running world differs from what the solver expects; empty when it does not.
#[must_use]
pub fn differences(world: &World, tables: &Tables) -> Vec<String> {
    let mut found = Vec::new();
    let up = |(id, verdict): (&SessionId, &SessionVerdict)| {
        (*verdict == SessionVerdict::Up).then(|| id.clone())
    };
    let expected: BTreeSet<SessionId> = tables.sessions.iter().filter_map(up).collect();
    let seen = established(world);
    for id in expected.difference(&seen) {
        found.push(format!("{} is down: {}", show(id), why_down(world, id)));
    }
    for id in seen.difference(&expected) {
        let verdict = tables.sessions.get(id);
        found.push(format!("{} is up, the solver says {verdict:?}", show(id)));
    }
    for (node, vrf, table) in tables.iter() {
        let hops = table.iter().map(|(prefix, routes)| {
            let hops: BTreeSet<NextHop> = routes.iter().map(|r| r.next_hop.clone()).collect();
            (*prefix, hops)
        });
        let expected: BTreeMap<IpNet, BTreeSet<NextHop>> = hops.collect();
        let seen = used(world, node, vrf);
        if seen != expected {
            found.push(format!(
                "{node}/{vrf}: {}",
                first_difference(&seen, &expected)
            ));
        }
    }
    found.truncate(TOLD_MAX);
    found
}

fn show(id: &SessionId) -> String {
    format!("session {}/{}/{}", id.node, id.instance, id.peer)
}

/// What the router itself says of a session.
fn why_down(world: &World, id: &SessionId) -> String {
    let peers = world.router(&id.node).map(|router| router.bgp());
    let mut peers = peers.unwrap_or_default().into_iter();
    let peer = peers.find(|peer| peer.instance == id.instance && peer.peer == id.peer);
    match peer {
        None => "its router does not run".to_owned(),
        Some(peer) => format!(
            "{:?} since {}, last reset {:?}",
            peer.state, peer.since, peer.last_reset
        ),
    }
}

fn used(world: &World, node: &NodeName, vrf: &VrfName) -> BTreeMap<IpNet, BTreeSet<NextHop>> {
    let mut used: BTreeMap<IpNet, BTreeSet<NextHop>> = BTreeMap::new();
    for route in world
        .router(node)
        .map(|r| r.routes(vrf))
        .unwrap_or_default()
    {
        if route.state == RouteState::Active {
            used.entry(route.prefix)
                .or_default()
                .extend(route.next_hops);
        }
    }
    used
}

fn first_difference(
    seen: &BTreeMap<IpNet, BTreeSet<NextHop>>,
    expected: &BTreeMap<IpNet, BTreeSet<NextHop>>,
) -> String {
    let prefixes: BTreeSet<&IpNet> = seen.keys().chain(expected.keys()).collect();
    let mut wrong = prefixes
        .into_iter()
        .filter(|prefix| seen.get(prefix) != expected.get(prefix));
    wrong.next().map_or_else(String::new, |prefix| {
        format!(
            "{prefix} is {:?}, the solver says {:?}",
            seen.get(prefix),
            expected.get(prefix)
        )
    })
}

/// Whether an echo of `pair` is answered: `None` when the hash among equal paths decides.
#[must_use]
pub fn reaches(world: &World, failures: &Failures, tables: &Tables, pair: &Pair) -> Option<bool> {
    let blueprint = world.blueprint();
    let source = blueprint.nodes.get(&pair.from)?.as_host()?;
    let source = source.addresses.first()?.addr();
    let there = Flow::echo(source, pair.address);
    let back = Flow::echo(pair.address, source);
    let there = walks(blueprint, failures, tables, &pair.from, &there);
    let back = walks(blueprint, failures, tables, &pair.to, &back);
    let all = |walks: &[skybridge_solve::Walk]| walks.iter().all(skybridge_solve::Walk::delivered);
    let any = |walks: &[skybridge_solve::Walk]| walks.iter().any(skybridge_solve::Walk::delivered);
    if all(&there) && all(&back) {
        Some(true)
    } else if !any(&there) || !any(&back) {
        Some(false)
    } else {
        None
    }
}
