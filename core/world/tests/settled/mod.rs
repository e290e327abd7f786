//! Worlds that have settled, compared with the solver.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part, and all of it is test code"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::IpNet;
use skybridge_blueprint::{NextHop, NodeName, VrfName};
use skybridge_dataplane::RouteState;
use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent, SessionState};
use skybridge_solve::{Failures, Flow, SessionId, SessionVerdict, Tables, solve, walks};
use skybridge_world::{Command, World, WorldEventKind};

/// Long enough for hold timers of 9 s, retries of 5 s and everything after them.
pub const SETTLING: Duration = Duration::from_secs(90);

pub type Fibs = BTreeMap<(NodeName, VrfName), BTreeMap<IpNet, Vec<NextHop>>>;

/// The next hops in use, of every router that runs.
pub fn fibs(world: &World) -> Fibs {
    let mut fibs = Fibs::new();
    for (name, node) in &world.blueprint().nodes {
        let (Some(spec), Some(router)) = (node.as_router(), world.router(name)) else {
            continue;
        };
        for vrf in spec.vrfs.keys() {
            let table = fibs.entry((name.clone(), vrf.clone())).or_default();
            for route in router.routes(vrf) {
                if route.state == RouteState::Active {
                    let hops: &mut Vec<NextHop> = table.entry(route.prefix).or_default();
                    hops.extend(route.next_hops);
                }
            }
            for hops in table.values_mut() {
                hops.sort();
                hops.dedup();
            }
        }
    }
    fibs
}

pub fn expected(tables: &Tables) -> Fibs {
    let mut fibs = Fibs::new();
    for (node, vrf, table) in tables.iter() {
        let hops = table.iter().map(|(prefix, routes)| {
            let hops = routes.iter().map(|route| route.next_hop.clone());
            (*prefix, hops.collect::<Vec<_>>())
        });
        fibs.insert((node.clone(), vrf.clone()), hops.collect());
    }
    fibs
}

/// The state of each session after everything that the events say; sessions begin idle.
#[derive(Default)]
pub struct Sessions {
    pub established: BTreeSet<SessionId>,
    pub changes: BTreeMap<SessionId, u32>,
    pub echoes: BTreeSet<u64>,
    pub log: Vec<String>,
}

impl Sessions {
    pub fn follow(&mut self, world: &mut World) {
        while let Some(event) = world.poll_event() {
            match (event.node, event.kind) {
                (
                    Some(node),
                    WorldEventKind::Node(NodeEvent::Bgp {
                        instance,
                        peer,
                        from,
                        to,
                        reason,
                    }),
                ) => {
                    let id = SessionId {
                        node,
                        instance,
                        peer,
                    };
                    self.log
                        .push(format!("{} {id:?} {from:?} {to:?} {reason}", event.at));
                    if to == SessionState::Established {
                        self.established.insert(id.clone());
                        *self.changes.entry(id).or_default() += 1;
                    } else if self.established.remove(&id) {
                        *self.changes.entry(id).or_default() += 1;
                    }
                }
                (_, WorldEventKind::Node(NodeEvent::EchoReply { id, .. })) => {
                    self.echoes.insert(id.0);
                }
                (Some(node), WorldEventKind::Stopped) => {
                    self.established.retain(|id| id.node != node);
                }
                (node, WorldEventKind::Livelock { .. }) => panic!("livelock at {node:?}"),
                _ => {}
            }
        }
    }
}

/// Compares a settled world with the solver.
pub fn compare(world: &World, sessions: &Sessions, failures: &Failures) -> Result<(), String> {
    let tables = solve(&world.faulty_blueprint(), failures);
    let up: BTreeSet<SessionId> = tables
        .sessions
        .iter()
        .filter(|(_, verdict)| **verdict == SessionVerdict::Up)
        .map(|(id, _)| id.clone())
        .collect();
    if up != sessions.established {
        let wrong: Vec<String> = up
            .symmetric_difference(&sessions.established)
            .map(|id| {
                let seen = sessions.established.contains(id);
                format!(
                    "{id:?}: established {seen}, solver {:?}",
                    tables.sessions.get(id)
                )
            })
            .collect();
        let log = sessions.log.iter().rev().take(20).cloned();
        return Err(format!(
            "sessions {wrong:#?}\n{:#?}",
            log.collect::<Vec<_>>()
        ));
    }
    let (seen, expected) = (fibs(world), expected(&tables));
    for ((node, vrf), table) in &expected {
        let seen = seen.get(&(node.clone(), vrf.clone()));
        if seen != Some(table) {
            return Err(format!("{node}/{vrf}: world {seen:#?}\nsolver {table:#?}"));
        }
    }
    if seen.len() != expected.len() {
        return Err("not the same routers run".to_owned());
    }
    Ok(())
}

pub fn settle(world: &mut World, sessions: &mut Sessions) {
    let until = world.now() + SETTLING;
    world.run_until(until);
    sessions.follow(world);
}

/// Pings between every two hosts and compares with the solver's walks, both ways.
pub fn compare_reachability(
    world: &mut World,
    sessions: &mut Sessions,
    failures: &Failures,
) -> Result<(), String> {
    let blueprint = world.faulty_blueprint();
    let tables = solve(&blueprint, failures);
    let hosts: Vec<(NodeName, std::net::IpAddr)> = blueprint
        .nodes
        .iter()
        .filter_map(|(name, node)| Some((name.clone(), node.as_host()?.addresses[0].addr())))
        .filter(|(name, _)| world.host(name).is_some())
        .collect();
    let mut wanted = BTreeMap::new();
    let mut id = world.now().as_millis() * 1000;
    for (from, src) in &hosts {
        for (to, dst) in &hosts {
            if from == to {
                continue;
            }
            let there = walks(&blueprint, failures, &tables, from, &Flow::echo(*src, *dst));
            let back = walks(&blueprint, failures, &tables, to, &Flow::echo(*dst, *src));
            let mut ways = there.iter().chain(&back);
            let first = ways.clone().all(skybridge_solve::Walk::delivered);
            // Where only some of the equal ways arrive, the hash decides: no verdict.
            let none = !there.iter().any(skybridge_solve::Walk::delivered)
                || !back.iter().any(skybridge_solve::Walk::delivered);
            if first || (none && ways.next().is_some()) {
                id += 1;
                wanted.insert(id, (first, from.clone(), to.clone()));
                world
                    .command(Command::Host {
                        node: from.clone(),
                        command: HostCommand::Echo {
                            id: ConnectionId(id),
                            sequence: 1,
                            target: *dst,
                            ttl: 64,
                            payload_len: 32,
                            dont_fragment: true,
                            timeout: Duration::from_secs(5),
                            trace: 0,
                        },
                    })
                    .map_err(|error| error.to_string())?;
            }
        }
    }
    let until = world.now() + Duration::from_secs(6);
    world.run_until(until);
    sessions.follow(world);
    for (id, (reached, from, to)) in wanted {
        if sessions.echoes.contains(&id) != reached {
            return Err(format!("{from} to {to}: solver says {reached}"));
        }
    }
    Ok(())
}

pub fn check(world: &mut World, sessions: &mut Sessions, failures: &Failures) {
    settle(world, sessions);
    compare(world, sessions, failures).unwrap();
    compare_reachability(world, sessions, failures).unwrap();
}
