//! Real routers and hosts against the independent solver: after everything has settled, tables,
//! sessions and reachability must be the same, whatever was cut and changed on the way.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../solve/tests/common/mod.rs"]
mod net;

mod settled;

use net::{Net, accept, all_but};
use proptest::prelude::*;
use settled::{Sessions, check, compare, compare_reachability, fibs, settle};
use skybridge_base::{Asn, Instant};
use skybridge_blueprint::{Blueprint, NextHop};
use skybridge_solve::{Failures, SessionId, solve};
use skybridge_world::{Command, CutMode, Element, World};

/// Four routers in a ring of three autonomous systems, with a host behind each of two.
fn ring() -> Net {
    let mut net = Net::default();
    for (at, (name, asn)) in (1..).zip([("a", 1), ("b", 2), ("c", 3), ("d", 3)]) {
        net.router(name);
        let own = format!("10.{at}.0.0/16");
        net.bgp(name, asn, at, &[&own]);
    }
    for (at, (a, b)) in (1..).zip([("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")]) {
        net.join(a, b, at);
        net.session(a, b);
    }
    net.host("ha", "a", "10.1.0.10/24", "10.1.0.1");
    net.host("hc", "c", "10.3.0.10/24", "10.3.0.1");
    net
}

#[test]
fn a_ring_settles_as_the_solver_says_and_again_after_each_failure() {
    let mut world = World::new(ring().blueprint, 1).unwrap();
    let mut sessions = Sessions::default();
    check(&mut world, &mut sessions, &Failures::none());
    assert_eq!(sessions.established.len(), 8);
    assert_eq!(sessions.echoes.len(), 2);
    for mode in [CutMode::LinkDown, CutMode::Silent] {
        for link in ["a-b", "b-c", "c-d", "d-a"] {
            let element = Element::Link(link.into());
            let mut failures = Failures::none();
            if mode == CutMode::Silent {
                failures.links_silent.insert(link.into());
            } else {
                failures.links_down.insert(link.into());
            }
            let cut = Command::Cut {
                element: element.clone(),
                mode: mode.clone(),
            };
            world.command(cut).unwrap();
            check(&mut world, &mut sessions, &failures);
            let element = Some(element);
            world.command(Command::Heal { element }).unwrap();
            check(&mut world, &mut sessions, &Failures::none());
        }
    }
}

#[test]
fn a_router_that_dies_and_comes_back_leaves_no_trace_in_the_tables() {
    let mut world = World::new(ring().blueprint, 2).unwrap();
    let mut sessions = Sessions::default();
    check(&mut world, &mut sessions, &Failures::none());
    let crash = |node: &str| Command::Crash { node: node.into() };
    let restart = |node: &str| Command::Restart { node: node.into() };
    let mut failures = Failures::none();
    failures.nodes_down.insert("b".into());
    world.command(crash("b")).unwrap();
    check(&mut world, &mut sessions, &failures);
    world.command(restart("b")).unwrap();
    check(&mut world, &mut sessions, &Failures::none());
    world.command(restart("d")).unwrap();
    check(&mut world, &mut sessions, &Failures::none());
}

#[test]
fn a_session_cut_takes_its_session_only() {
    let mut world = World::new(ring().blueprint, 3).unwrap();
    let mut sessions = Sessions::default();
    settle(&mut world, &mut sessions);
    let element = Element::Session {
        node: "a".into(),
        instance: "bgp".to_owned(),
        peer: "b".to_owned(),
    };
    let mode = CutMode::Session;
    world.command(Command::Cut { element, mode }).unwrap();
    let mut failures = Failures::none();
    failures.sessions.insert(SessionId {
        node: "a".into(),
        instance: "bgp".to_owned(),
        peer: "b".to_owned(),
    });
    check(&mut world, &mut sessions, &failures);
    world.command(Command::Heal { element: None }).unwrap();
    check(&mut world, &mut sessions, &Failures::none());
}

#[test]
fn local_preference_inside_an_as_decides_as_the_solver_says() {
    let mut net = ring();
    net.peer_mut("d", "a").import[0].policy = accept(Some(200), 0);
    let mut world = World::new(net.blueprint.clone(), 6).unwrap();
    let mut sessions = Sessions::default();
    check(&mut world, &mut sessions, &Failures::none());
    let table = fibs(&world).remove(&("c".into(), "main".into())).unwrap();
    let by_d = NextHop::Via {
        interface: "d".into(),
        address: net::ip("10.255.3.2"),
    };
    assert_eq!(table[&net::net("10.2.0.0/16")], [by_d]);
    // The policy goes: a soft change that must reach `c` without a session going down.
    sessions.changes.clear();
    world.apply(ring().blueprint).unwrap();
    check(&mut world, &mut sessions, &Failures::none());
    assert!(sessions.changes.is_empty(), "{:?}", sessions.changes);
}

#[test]
fn ipv6_settles_as_the_solver_says() {
    let mut net = Net::default();
    for (at, name) in (1..).zip(["a", "b", "c"]) {
        net.router(name);
        net.bgp(name, u32::from(at), at, &[&format!("2001:db8:{at}::/48")]);
    }
    for (at, (a, b)) in (1..).zip([("a", "b"), ("b", "c"), ("c", "a")]) {
        net.interface(a, b, &format!("fd00:{at}::1/64"));
        net.interface(b, a, &format!("fd00:{at}::2/64"));
        net.link(&format!("{a}-{b}"), (a, b), (b, a));
        net.session(a, b);
    }
    // Hosts do not speak IPv6: tables and sessions only.
    let mut world = World::new(net.blueprint, 7).unwrap();
    let mut sessions = Sessions::default();
    check(&mut world, &mut sessions, &Failures::none());
    assert_eq!(sessions.established.len(), 6);
    let element = Element::Link("c-a".into());
    let mode = CutMode::Silent;
    world.command(Command::Cut { element, mode }).unwrap();
    let mut failures = Failures::none();
    failures.links_silent.insert("c-a".into());
    check(&mut world, &mut sessions, &failures);
    assert_eq!(sessions.established.len(), 4);
}

#[test]
fn a_real_world_repeats_itself() {
    let run = |world: &mut World| {
        let element = Element::Link("a-b".into());
        let mode = CutMode::Silent;
        world.run_until(Instant::from_secs(20));
        world.command(Command::Cut { element, mode }).unwrap();
        world.run_until(Instant::from_secs(60));
        world.trace_hash()
    };
    let mut one = World::new(ring().blueprint, 4).unwrap();
    let mut two = World::new(ring().blueprint, 4).unwrap();
    assert_eq!(run(&mut one), run(&mut two));
    let twin = World::replay(one.log(), one.now()).unwrap();
    assert_eq!(twin.trace_hash(), one.trace_hash());
    let mut other = World::new(ring().blueprint, 5).unwrap();
    assert_ne!(run(&mut other), one.trace_hash());
}

/// What makes a random network; every number is taken modulo what it chooses from.
#[derive(Clone, Debug)]
struct Recipe {
    asns: Vec<u32>,
    extra_links: Vec<(usize, usize)>,
    /// Per session: prepend on export, refused prefix, fault.
    sessions: Vec<(u8, u8, u8)>,
    shared_prefix: bool,
    ecmp_max: u8,
    statics: Vec<(usize, u8)>,
}

fn recipe() -> impl Strategy<Value = Recipe> {
    (
        prop::collection::vec(1_u32..5, 2..6),
        prop::collection::vec((0_usize..6, 0_usize..6), 0..3),
        prop::collection::vec((0_u8..4, 0_u8..12, 0_u8..24), 8),
        any::<bool>(),
        1_u8..4,
        prop::collection::vec((0_usize..6, 1_u8..7), 0..3),
    )
        .prop_map(
            |(asns, extra_links, sessions, shared_prefix, ecmp_max, statics)| Recipe {
                asns,
                extra_links,
                sessions,
                shared_prefix,
                ecmp_max,
                statics,
            },
        )
}

/// Routers in a chain with some more links. No local preference: with it, a network can have several
/// stable states, and which one it takes is a matter of timing.
fn cook(recipe: &Recipe) -> Net {
    let mut net = Net::default();
    let count = recipe.asns.len();
    let name = |at: usize| format!("r{at}");
    let number = |at: usize| u8::try_from(at + 1).unwrap();
    for (at, asn) in recipe.asns.iter().enumerate() {
        net.router(&name(at));
        let own = format!("10.{}.0.0/16", number(at));
        let mut originated = vec![own.as_str()];
        if recipe.shared_prefix && (at == 0 || at + 1 == count) {
            originated.push("10.100.0.0/16");
        }
        net.bgp(&name(at), *asn, number(at), &originated);
        let main = net.router_mut(&name(at)).vrfs.get_mut("main").unwrap();
        main.ecmp_max = recipe.ecmp_max;
    }
    let mut pairs: Vec<(usize, usize)> = (1..count).map(|at| (at - 1, at)).collect();
    for (a, b) in &recipe.extra_links {
        let (a, b) = (a % count, b % count);
        let pair = (a.min(b), a.max(b));
        if a != b && !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    for (at, (a, b)) in pairs.iter().enumerate() {
        let (a, b) = (&name(*a), &name(*b));
        net.join(a, b, number(at));
        net.session(a, b);
        let (prepend, refused, fault) = recipe.sessions[at % recipe.sessions.len()];
        let own_asn = net.bgp_mut(a).asn;
        let external = own_asn != net.bgp_mut(b).asn;
        // Towards an internal peer the AS path must stay as it is (RFC 4271 §5.1.2 a).
        if external {
            let export = net.peer_mut(a, b).export.as_mut().unwrap();
            export.policy = accept(None, prepend);
        }
        if refused < 6 {
            let prefix = format!("10.{}.0.0/16", refused + 1);
            net.peer_mut(b, a).import[0].policy = all_but(&prefix);
        }
        match fault {
            0 => net.peer_mut(a, b).remote_asn = Asn(77),
            1 => net.peer_mut(b, a).enabled = false,
            2 => net.peer_mut(a, b).passive = true,
            3 => {
                net.peer_mut(a, b).passive = true;
                net.peer_mut(b, a).passive = true;
            }
            // One session at most: of two that exceed their limits at about the same time, the first
            // to fall may save the other.
            4 if at == 0 => net.peer_mut(b, a).limits.v4 = Some(1),
            5 => net.peer_mut(a, b).md5 = Some(skybridge_blueprint::Secret::new("k".to_owned())),
            6 => {
                let key = || Some(skybridge_blueprint::Secret::new("key".to_owned()));
                net.peer_mut(a, b).md5 = key();
                net.peer_mut(b, a).md5 = key();
            }
            _ => {}
        }
    }
    for (at, to) in &recipe.statics {
        let router = name(at % count);
        let Some((interface, address)) = neighbour(&mut net, &router) else {
            continue;
        };
        let hop = NextHop::Via { interface, address };
        net.route(&router, &format!("10.{to}.0.0/16"), hop);
    }
    for at in [0, count - 1] {
        let (subnet, host) = (number(at), format!("h{at}"));
        let address = format!("10.{subnet}.0.10/24");
        net.host(&host, &name(at), &address, &format!("10.{subnet}.0.1"));
    }
    net
}

/// The first peer's interface and address.
fn neighbour(
    net: &mut Net,
    router: &str,
) -> Option<(skybridge_blueprint::InterfaceName, std::net::IpAddr)> {
    let peer = net.bgp_mut(router).peers.values().next()?;
    Some((peer.interface.clone(), peer.remote))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn random_networks_settle_as_the_solver_says(
        recipe in recipe(),
        seed in any::<u64>(),
        cut in 0_usize..8,
        silent in any::<bool>(),
    ) {
        let net = cook(&recipe);
        let none = Failures::none();
        prop_assume!(solve(&net.blueprint, &none).converged);
        let mut world = World::new(net.blueprint.clone(), seed).unwrap();
        let mut sessions = Sessions::default();
        settle(&mut world, &mut sessions);
        compare(&world, &sessions, &none).map_err(TestCaseError::fail)?;
        compare_reachability(&mut world, &mut sessions, &none).map_err(TestCaseError::fail)?;
        let names: Vec<_> = net.blueprint.links.keys().cloned().collect();
        let link = names[cut % names.len()].clone();
        let mut failures = Failures::none();
        let mode = if silent { CutMode::Silent } else { CutMode::LinkDown };
        if silent {
            failures.links_silent.insert(link.clone());
        } else {
            failures.links_down.insert(link.clone());
        }
        world.command(Command::Cut { element: Element::Link(link), mode }).unwrap();
        settle(&mut world, &mut sessions);
        compare(&world, &sessions, &failures).map_err(TestCaseError::fail)?;
        compare_reachability(&mut world, &mut sessions, &failures).map_err(TestCaseError::fail)?;
        world.command(Command::Heal { element: None }).unwrap();
        settle(&mut world, &mut sessions);
        compare(&world, &sessions, &none).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_changed_world_ends_as_a_fresh_one_and_keeps_what_did_not_change(
        a in recipe(),
        b in recipe(),
        seed in any::<u64>(),
    ) {
        let (a, b) = (cook(&a).blueprint, cook(&b).blueprint);
        prop_assume!(solve(&a, &Failures::none()).converged);
        prop_assume!(solve(&b, &Failures::none()).converged);
        prop_assume!(!passivity_changes(&a, &b));
        let mut world = World::new(a.clone(), seed).unwrap();
        let mut sessions = Sessions::default();
        settle(&mut world, &mut sessions);
        let before = sessions.established.clone();
        sessions.changes.clear();
        world.apply(b.clone()).unwrap();
        settle(&mut world, &mut sessions);
        let mut fresh = World::new(b.clone(), seed).unwrap();
        let mut fresh_sessions = Sessions::default();
        settle(&mut fresh, &mut fresh_sessions);
        let gone = |id: &SessionId| !exists(&b, id);
        sessions.established.retain(|id| !gone(id));
        prop_assert_eq!(&sessions.established, &fresh_sessions.established);
        prop_assert_eq!(fibs(&world), fibs(&fresh));
        for id in before.iter().filter(|id| untouched(&a, &b, id)) {
            prop_assert_eq!(sessions.changes.get(id), None, "{:?} was disturbed", id);
        }
    }
}

/// True when a peer becomes passive or active. `blueprint::diff` calls that a soft change, yet who
/// dials decides how a session comes up and not whether it stays: a waiting router does not begin to
/// dial, and a session that is up between two passive ends stays up.
fn passivity_changes(a: &Blueprint, b: &Blueprint) -> bool {
    a.nodes.iter().any(|(name, node)| {
        node.as_router().is_some_and(|router| {
            router.bgp.iter().any(|(instance, bgp)| {
                bgp.peers.iter().any(|(peer, x)| {
                    let id = SessionId {
                        node: name.clone(),
                        instance: instance.clone(),
                        peer: peer.clone(),
                    };
                    session_of(b, &id).is_some_and(|y| x.passive != y.passive)
                })
            })
        })
    })
}

fn exists(blueprint: &Blueprint, id: &SessionId) -> bool {
    session_of(blueprint, id).is_some()
}

fn session_of<'a>(
    blueprint: &'a Blueprint,
    id: &SessionId,
) -> Option<&'a skybridge_blueprint::BgpPeer> {
    let router = blueprint.nodes.get(&id.node)?.as_router()?;
    router.bgp.get(&id.instance)?.peers.get(&id.peer)
}

/// Neither of the two ends, nor the link between, differs in anything that needs a new session.
fn untouched(a: &Blueprint, b: &Blueprint, id: &SessionId) -> bool {
    let far = SessionId {
        node: id.peer.as_str().into(),
        peer: id.node.to_string(),
        instance: id.instance.clone(),
    };
    let ends_kept = [id, &far].into_iter().all(|end| {
        let (Some(x), Some(y)) = (session_of(a, end), session_of(b, end)) else {
            return false;
        };
        let router = |blueprint: &Blueprint| {
            let router = blueprint.nodes[&end.node].as_router().unwrap().clone();
            let bgp = &router.bgp[&end.instance];
            // A router's multipath limit is given to its BGP at the start: changing it restarts the
            // sessions, although `blueprint::diff` calls it a live change.
            let ecmp_max = router.vrfs["main"].ecmp_max;
            let fixed = (bgp.asn, bgp.router_id, ecmp_max);
            (fixed, router.ports, router.interfaces)
        };
        let ((fixed_a, ports_a, of_a), (fixed_b, ports_b, of_b)) = (router(a), router(b));
        // A port that stays with another address rebuilds the router.
        let rebuilt = ports_a
            .iter()
            .any(|(name, port)| ports_b.get(name).is_some_and(|other| other != port));
        let transport = |peer: &skybridge_blueprint::BgpPeer| skybridge_blueprint::BgpPeer {
            import: Vec::new(),
            export: None,
            ..peer.clone()
        };
        !rebuilt
            && fixed_a == fixed_b
            && of_a[&x.interface] == of_b[&y.interface]
            && transport(x) == transport(y)
    });
    let joins = |link: &skybridge_blueprint::Link| {
        let nodes = [&link.a.node, &link.b.node];
        nodes.contains(&&id.node) && nodes.contains(&&far.node)
    };
    ends_kept
        && a.links
            .iter()
            .any(|(name, link)| joins(link) && b.links.get(name) == Some(link))
}
