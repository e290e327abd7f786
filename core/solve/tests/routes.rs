//! Tables and sessions of blueprints made by hand.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod common;

use common::{Net, accept, all_but, ip, net};
use skybridge_base::Asn;
use skybridge_blueprint::{
    DropKind, MaxPrefixes, NextHop, NextHopRule, RouteSource, Secret, StaticRoute,
};
use skybridge_solve::{Failures, SessionId, SessionVerdict, Tables, solve};

/// Router names of the next hops of a prefix: peers are joined over interfaces called after them.
fn via(tables: &Tables, router: &str, prefix: &str) -> Vec<String> {
    let table = tables.routes(&router.into(), &"main".into()).unwrap();
    let routes = table.get(&net(prefix)).map_or(&[][..], Vec::as_slice);
    let name = |hop: &NextHop| match hop {
        NextHop::Via { interface, .. } => interface.to_string(),
        NextHop::Connected { interface } => format!("on {interface}"),
        NextHop::Table { vrf } => format!("table {vrf}"),
        NextHop::Drop(kind) => format!("{kind:?}"),
    };
    routes.iter().map(|route| name(&route.next_hop)).collect()
}

fn verdict(tables: &Tables, router: &str, peer: &str) -> SessionVerdict {
    let id = SessionId {
        node: router.into(),
        instance: "bgp".to_owned(),
        peer: peer.to_owned(),
    };
    tables.sessions[&id]
}

fn solved(net: &Net) -> Tables {
    let tables = solve(&net.blueprint, &Failures::none());
    assert!(tables.converged);
    tables
}

/// `left` (AS 1) reaches `right` (AS 4), which originates 10.4.0.0/16, over `up` (AS 2) and `down`
/// (AS 3).
fn diamond() -> Net {
    let mut net = Net::default();
    for (at, name) in (1..).zip(["left", "up", "down", "right"]) {
        net.router(name);
        let own = if name == "right" {
            &["10.4.0.0/16"][..]
        } else {
            &[]
        };
        net.bgp(name, u32::from(at), at, own);
    }
    for (at, (a, b)) in (1..).zip([
        ("left", "up"),
        ("left", "down"),
        ("up", "right"),
        ("down", "right"),
    ]) {
        net.join(a, b, at);
        net.session(a, b);
    }
    net
}

#[test]
fn equal_paths_are_used_together_up_to_the_limit() {
    let mut net = diamond();
    let tables = solved(&net);
    assert_eq!(via(&tables, "left", "10.4.0.0/16"), ["down", "up"]);
    assert_eq!(via(&tables, "up", "10.4.0.0/16"), ["right"]);
    let table = tables.routes(&"left".into(), &"main".into()).unwrap();
    let route = &table[&"10.4.0.0/16".parse().unwrap()][0];
    assert_eq!(route.as_path, [Asn(3), Asn(4)]);
    assert_eq!((route.source, route.preference), (RouteSource::Bgp, 20));
    net.router_mut("left")
        .vrfs
        .get_mut("main")
        .unwrap()
        .ecmp_max = 1;
    // 192.0.2.2 is the lower identifier.
    assert_eq!(via(&solved(&net), "left", "10.4.0.0/16"), ["up"]);
}

#[test]
fn prepending_and_local_preference_choose_the_path() {
    let mut net = diamond();
    net.peer_mut("right", "up").export.as_mut().unwrap().policy = accept(None, 2);
    assert_eq!(via(&solved(&net), "left", "10.4.0.0/16"), ["down"]);
    net.peer_mut("left", "up").import[0].policy = accept(Some(200), 0);
    assert_eq!(via(&solved(&net), "left", "10.4.0.0/16"), ["up"]);
}

#[test]
fn a_refused_prefix_goes_nowhere() {
    let mut net = diamond();
    net.peer_mut("left", "up").import[0].policy = all_but("10.4.0.0/16");
    assert_eq!(via(&solved(&net), "left", "10.4.0.0/16"), ["down"]);
    net.peer_mut("right", "down")
        .export
        .as_mut()
        .unwrap()
        .policy = all_but("10.4.0.0/16");
    let tables = solved(&net);
    assert!(via(&tables, "left", "10.4.0.0/16").is_empty());
    assert!(via(&tables, "down", "10.4.0.0/16").is_empty());
}

#[test]
fn failures_move_routes_or_leave_them_as_they_are_seen() {
    let net = diamond();
    let mut failures = Failures::none();
    failures.links_down.insert("left-up".into());
    let tables = solve(&net.blueprint, &failures);
    assert_eq!(via(&tables, "left", "10.4.0.0/16"), ["down"]);
    assert!(via(&tables, "left", "10.255.1.0/30").is_empty());
    assert_eq!(verdict(&tables, "left", "up"), SessionVerdict::LinkDown);
    let mut failures = Failures::none();
    failures.links_silent.insert("left-up".into());
    let tables = solve(&net.blueprint, &failures);
    assert_eq!(via(&tables, "left", "10.4.0.0/16"), ["down"]);
    assert_eq!(via(&tables, "left", "10.255.1.0/30"), ["on up"]);
    assert_eq!(verdict(&tables, "left", "up"), SessionVerdict::PathSilent);
    let mut failures = Failures::none();
    failures.nodes_down.insert("up".into());
    let tables = solve(&net.blueprint, &failures);
    assert_eq!(via(&tables, "left", "10.4.0.0/16"), ["down"]);
    assert_eq!(tables.routes(&"up".into(), &"main".into()), None);
}

#[test]
fn inside_an_as_routes_are_not_passed_on() {
    let mut net = Net::default();
    for (at, (name, asn)) in (1..).zip([("edge", 9), ("a", 1), ("b", 1), ("c", 1)]) {
        net.router(name);
        let own = if name == "edge" {
            &["10.9.0.0/16"][..]
        } else {
            &[]
        };
        net.bgp(name, asn, at, own);
    }
    for (at, (a, b)) in (1..).zip([("edge", "a"), ("a", "b"), ("b", "c")]) {
        net.join(a, b, at);
        net.session(a, b);
    }
    let tables = solved(&net);
    assert_eq!(via(&tables, "b", "10.9.0.0/16"), ["a"]);
    assert!(via(&tables, "c", "10.9.0.0/16").is_empty());
    let table = tables.routes(&"b".into(), &"main".into()).unwrap();
    assert_eq!(table[&"10.9.0.0/16".parse().unwrap()][0].preference, 200);
    // The next hop of the edge is on no network of `b`: the path cannot be used.
    net.peer_mut("a", "b").next_hop = NextHopRule::Unchanged;
    assert!(via(&solved(&net), "b", "10.9.0.0/16").is_empty());
}

#[test]
fn a_route_that_has_passed_the_own_as_is_refused() {
    let mut net = Net::default();
    for (at, (name, asn)) in (1..).zip([("a", 1), ("b", 2), ("c", 1)]) {
        net.router(name);
        let own = if name == "a" {
            &["10.1.0.0/16"][..]
        } else {
            &[]
        };
        net.bgp(name, asn, at, own);
    }
    net.join("a", "b", 1);
    net.join("b", "c", 2);
    net.session("a", "b");
    net.session("b", "c");
    // What is refused still counts against the ceiling.
    let tables = solved(&net);
    assert_eq!(via(&tables, "b", "10.1.0.0/16"), ["a"]);
    assert!(via(&tables, "c", "10.1.0.0/16").is_empty());
    net.peer_mut("c", "b").limits = MaxPrefixes {
        v4: Some(0),
        v6: None,
    };
    let tables = solved(&net);
    assert_eq!(verdict(&tables, "c", "b"), SessionVerdict::MaxPrefixes);
    assert_eq!(verdict(&tables, "b", "c"), SessionVerdict::MaxPrefixes);
    assert_eq!(verdict(&tables, "a", "b"), SessionVerdict::Up);
}

#[test]
fn a_session_that_does_not_fit_stays_down_for_its_reason() {
    let session = |change: &dyn Fn(&mut Net)| {
        let mut net = diamond();
        change(&mut net);
        verdict(&solved(&net), "left", "up")
    };
    let tagged = skybridge_blueprint::Tagging::Dot1q(skybridge_base::VlanId::new(5).unwrap());
    assert_eq!(session(&|_| ()), SessionVerdict::Up);
    assert_eq!(
        session(&|n| n.peer_mut("left", "up").remote_asn = Asn(7)),
        SessionVerdict::AsnMismatch
    );
    assert_eq!(
        session(&|n| n.peer_mut("up", "left").remote_asn = Asn(7)),
        SessionVerdict::AsnMismatch
    );
    assert_eq!(
        session(&|n| n.peer_mut("left", "up").md5 = Some(Secret::new("k".to_owned()))),
        SessionVerdict::Md5Mismatch
    );
    assert_eq!(
        session(&|n| n.interface_mut("up", "left").tagging = tagged),
        SessionVerdict::TagMismatch
    );
    assert_eq!(
        session(&|n| n.peer_mut("left", "up").remote = ip("10.255.1.3")),
        SessionVerdict::AddressMismatch
    );
    assert_eq!(
        session(&|n| n.peer_mut("left", "up").enabled = false),
        SessionVerdict::Disabled
    );
    assert_eq!(
        session(&|n| n.peer_mut("up", "left").enabled = false),
        SessionVerdict::DisabledAcross
    );
    assert_eq!(
        session(&|n| {
            n.peer_mut("up", "left").passive = true;
            n.peer_mut("left", "up").passive = true;
        }),
        SessionVerdict::BothPassive
    );
    assert_eq!(
        session(&|n| {
            n.bgp_mut("up").peers.remove("left");
        }),
        SessionVerdict::NoPeerAcross
    );
}

#[test]
fn configured_routes_follow_their_preference_and_their_link() {
    let mut net = diamond();
    let hop = |interface: &str, address: &str| NextHop::Via {
        interface: interface.into(),
        address: ip(address),
    };
    net.route("left", "10.4.0.0/16", hop("down", "10.255.2.2"));
    assert_eq!(via(&solved(&net), "left", "10.4.0.0/16"), ["down"]);
    let mut failures = Failures::none();
    failures.links_down.insert("left-down".into());
    let tables = solve(&net.blueprint, &failures);
    assert_eq!(via(&tables, "left", "10.4.0.0/16"), ["up"]);
    let floating = StaticRoute {
        prefix: "10.4.0.0/16".parse().unwrap(),
        next_hop: NextHop::Drop(DropKind::None),
        preference: 250,
        source: RouteSource::User,
    };
    let table = net.router_mut("right").vrfs.get_mut("main").unwrap();
    table.routes.push(floating);
    // What a router announces itself it does not forward along.
    assert_eq!(via(&solved(&net), "right", "10.4.0.0/16"), ["None"]);
}

#[test]
fn preferences_without_a_stable_state_are_reported() {
    // Bad gadget (Griffin, Shepherd, Wilfong 2002 §III): three routers around a fourth, each of which
    // prefers the way over its neighbour to its own.
    let mut net = Net::default();
    net.router("o");
    net.bgp("o", 100, 100, &["10.0.0.0/8"]);
    for (at, name) in (1..).zip(["a", "b", "c"]) {
        net.router(name);
        net.bgp(name, u32::from(at), at, &[]);
        net.join("o", name, at);
        net.session("o", name);
    }
    for name in ["a", "b", "c"] {
        net.peer_mut(name, "o").source_tag = 1;
    }
    for (at, (a, b)) in (11..).zip([("a", "b"), ("b", "c"), ("c", "a")]) {
        net.join(a, b, at);
        net.session(a, b);
        net.peer_mut(a, b).import[0].policy = accept(Some(200), 0);
        // Only the neighbour's own way is offered, not the one over its neighbour.
        let mut direct = accept(None, 0);
        direct.rules[0].matches.source_tags = vec![1];
        net.peer_mut(b, a).export.as_mut().unwrap().policy = direct;
        net.peer_mut(a, b).export = None;
    }
    let tables = solve(&net.blueprint, &Failures::none());
    assert!(!tables.converged);
}
