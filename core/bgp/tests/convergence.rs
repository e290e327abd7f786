//! Random networks, operations and faults against a naive model of the routes.
#![allow(
    clippy::unwrap_used,
    reason = "clippy knows only test functions, not their helpers"
)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::*;
use ipnet::IpNet;
use proptest::prelude::*;
use skybridge_base::Rng;
use skybridge_bgp::{Originate, PeerId, RouteStatus, Source, StateKind, TableId};

const T0: TableId = TableId(0);

/// A chain or mesh of `n` external speakers; AS 65000 + i, identifier i + 1.
fn network(
    n: usize,
    edges: &[(usize, usize)],
    seed: u64,
) -> (World, BTreeMap<(usize, usize), PeerId>) {
    let number = |i: usize| u32::try_from(65000 + i).unwrap();
    let id = |i: usize| u8::try_from(i + 1).unwrap();
    let mut w = World::new((0..n).map(|i| speaker(number(i), id(i))).collect(), seed);
    let mut peers = BTreeMap::new();
    for (k, (a, b)) in edges.iter().copied().enumerate() {
        let (x, y) = (format!("10.{k}.0.1"), format!("10.{k}.0.2"));
        let (pa, pb) = w.link((a, peer(&x, &y, number(b))), (b, peer(&y, &x, number(a))));
        peers.insert((a, b), pa);
        peers.insert((b, a), pb);
    }
    (w, peers)
}

/// The fixed point by rounds: every speaker takes the shortest loop-free path that a neighbour holds,
/// then the lower neighbour. Gives the AS path per speaker and prefix.
fn model(
    n: usize,
    edges: &[(usize, usize)],
    origin: &BTreeMap<(usize, IpNet), ()>,
) -> Vec<BTreeMap<IpNet, Vec<usize>>> {
    let mut held: Vec<BTreeMap<IpNet, Vec<usize>>> = vec![BTreeMap::new(); n];
    for _ in 0..=2 * n {
        let mut next: Vec<BTreeMap<IpNet, Vec<usize>>> = vec![BTreeMap::new(); n];
        for (at, net) in origin.keys() {
            next[*at].insert(*net, Vec::new());
        }
        for (a, b) in edges.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]) {
            for (net, path) in &held[a] {
                let offered: Vec<usize> = std::iter::once(a).chain(path.iter().copied()).collect();
                // What b already gave a comes back through a's path and is a loop at b.
                if offered.contains(&b) || origin.contains_key(&(b, *net)) {
                    continue;
                }
                let better = next[b]
                    .get(net)
                    .is_none_or(|old| (offered.len(), offered[0]) < (old.len(), old[0]));
                if better {
                    next[b].insert(*net, offered);
                }
            }
        }
        held = next;
    }
    held
}

fn check(
    w: &World,
    n: usize,
    expected: &[BTreeMap<IpNet, Vec<usize>>],
) -> Result<(), TestCaseError> {
    for (at, expected) in expected.iter().enumerate().take(n) {
        let mut actual = BTreeMap::new();
        for route in w.speakers[at].routes(T0) {
            let best = route.paths.iter().filter(|p| p.status == RouteStatus::Best);
            for path in best {
                let asns = path.attributes.as_path.iter();
                let hops: Vec<usize> = asns
                    .map(|a| usize::try_from(a.0 - 65000).unwrap())
                    .collect();
                actual.insert(route.net, hops);
            }
        }
        prop_assert_eq!(&actual, expected, "speaker {}", at);
        let fed: Vec<IpNet> = w.nets(at);
        let all: Vec<IpNet> = expected.keys().copied().collect();
        prop_assert_eq!(fed, all, "forwarding feed of speaker {}", at);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn routes_converge_to_the_naive_fixed_point(seed in any::<u64>(), n in 2..6_usize) {
        let mut rng = Rng::new(seed);
        let mut edges: Vec<(usize, usize)> = (1..n)
            .map(|b| (usize::try_from(rng.below(b as u64)).unwrap(), b))
            .collect();
        for a in 0..n {
            for b in a + 1..n {
                if !edges.contains(&(a, b)) && rng.below(3) == 0 {
                    edges.push((a, b));
                }
            }
        }
        let (mut w, peers) = network(n, &edges, seed);
        let mut origin = BTreeMap::new();
        for step in 0..40 {
            let at = usize::try_from(rng.below(n as u64)).unwrap();
            let net = net(&format!("10.200.{}.0/24", rng.below(12)));
            let now = w.now;
            match rng.below(10) {
                0..=5 => {
                    let route = Originate::default();
                    w.speakers[at].originate(now, T0, net, &route).unwrap();
                    origin.insert((at, net), ());
                }
                6 | 7 => {
                    let had = w.speakers[at].withdraw_originated(now, T0, net);
                    prop_assert_eq!(had, origin.remove(&(at, net)).is_some());
                }
                8 => {
                    let (_, peer) = peers.iter().nth(usize::try_from(rng.below(peers.len() as u64)).unwrap()).unwrap();
                    let _ = w.speakers[at].reset(now, *peer);
                }
                _ => {
                    let (end, peer) = peers.iter().nth(usize::try_from(rng.below(peers.len() as u64)).unwrap()).unwrap();
                    w.speakers[end.0].bfd_down(now, *peer);
                }
            }
            if step % 7 == 0 {
                w.silent = rng.below(3) == 0;
            }
            w.run_for(Duration::from_millis(rng.below(400)));
        }
        w.silent = false;
        // Hold time 9 s, idle hold and retry 5 s at most: three rounds of them are enough.
        w.run_for(Duration::from_secs(60));
        for ((at, _), peer) in &peers {
            prop_assert_eq!(w.state(*at, *peer), StateKind::Established);
        }
        for ((a, b), peer) in &peers {
            let back = peers[&(*b, *a)];
            let sent: Vec<IpNet> = w.speakers[*a].adj_rib_out(*peer).into_iter().map(|r| r.net).collect();
            let held: Vec<IpNet> = w.speakers[*b]
                .routes(T0)
                .into_iter()
                .filter(|r| r.paths.iter().any(|p| p.source == Source::Peer(back)))
                .map(|r| r.net)
                .collect();
            prop_assert_eq!(sent, held, "what {} sent {} is what it holds", a, b);
        }
        check(&w, n, &model(n, &edges, &origin))?;
        for at in 0..n {
            let (nets, _, _) = w.speakers[at].table_size(T0);
            prop_assert_eq!(nets, w.speakers[at].routes(T0).len(), "nets without paths are freed");
        }
    }

    #[test]
    fn one_seed_gives_one_history(seed in any::<u64>()) {
        let run = || {
            let (mut w, _) = network(3, &[(0, 1), (1, 2), (0, 2)], seed);
            let now = w.now;
            w.speakers[0].originate(now, T0, net("10.0.0.0/8"), &Originate::default()).unwrap();
            w.run_for(Duration::from_secs(30));
            w.sent.clone()
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn a_route_is_not_sent_back_to_where_it_came_from() {
    let (mut w, peers) = network(2, &[(0, 1)], 1);
    let now = w.now;
    w.speakers[0]
        .originate(now, T0, net("10.0.0.0/8"), &Originate::default())
        .unwrap();
    w.run_for(Duration::from_secs(1));
    let view = w.speakers[1].route(T0, net("10.0.0.0/8")).unwrap();
    assert_eq!(view.paths[0].source, Source::Peer(peers[&(1, 0)]));
    assert!(w.speakers[1].adj_rib_out(peers[&(1, 0)]).is_empty());
    assert_eq!(w.speakers[0].adj_rib_out(peers[&(0, 1)]).len(), 1);
}
