//! Packets through settled tables.
mod common;

use common::{Net, ip, net};
use skybridge_blueprint::{
    Access, AddressSet, DropKind, Filter, HopVisibility, NextHop, Protocol, Rule, RuleSet,
    RuleSetMode, Tracking, Zone,
};
use skybridge_solve::{DropCause, Failures, Flow, Outcome, Walk, solve, walk, walks};

/// `h1` – `r1` – `r2` – `h2`, with static routes.
fn pair() -> Net {
    let mut net = Net::default();
    net.router("r1");
    net.router("r2");
    net.join("r1", "r2", 1);
    net.host("h1", "r1", "10.1.0.10/24", "10.1.0.1");
    net.host("h2", "r2", "10.2.0.10/24", "10.2.0.1");
    let hop = |interface: &str, address: &str| NextHop::Via {
        interface: interface.into(),
        address: ip(address),
    };
    net.route("r1", "10.2.0.0/16", hop("r2", "10.255.1.2"));
    net.route("r2", "10.1.0.0/16", hop("r1", "10.255.1.1"));
    net
}

fn tcp() -> Flow {
    Flow::tcp(ip("10.1.0.10"), ip("10.2.0.10"), 443)
}

fn walked(net: &Net, failures: &Failures, flow: &Flow) -> Walk {
    let tables = solve(&net.blueprint, failures);
    walk(&net.blueprint, failures, &tables, &"h1".into(), flow)
}

fn dropped(net: &Net, flow: &Flow) -> DropCause {
    match walked(net, &Failures::none(), flow).outcome {
        Outcome::Dropped(cause) => cause,
        Outcome::Delivered => panic!("delivered"),
    }
}

fn nodes(walk: &Walk) -> Vec<&str> {
    walk.hops.iter().map(|hop| hop.node.as_str()).collect()
}

#[test]
fn a_packet_takes_the_routes() {
    let walk = walked(&pair(), &Failures::none(), &tcp());
    assert!(walk.delivered() && !walk.unknown);
    assert_eq!(nodes(&walk), ["h1", "r1", "r2", "h2"]);
    assert_eq!(walk.hops[1].ingress, Some("h1".into()));
    assert_eq!(walk.hops[1].egress, Some("r2".into()));
    let own = Flow::echo(ip("10.1.0.10"), ip("10.255.1.2"));
    let walk = walked(&pair(), &Failures::none(), &own);
    assert_eq!(nodes(&walk), ["h1", "r1", "r2"]);
    assert!(walk.delivered());
}

#[test]
fn what_does_not_arrive_says_why() {
    let to = |text: &str| Flow::echo(ip("10.1.0.10"), ip(text));
    assert_eq!(dropped(&pair(), &to("172.16.0.1")), DropCause::NoRoute);
    let nobody = DropCause::NoNeighbour(ip("10.2.0.11"));
    assert_eq!(dropped(&pair(), &to("10.2.0.11")), nobody);
    let spoofed = Flow::echo(ip("10.9.0.1"), ip("10.2.0.10"));
    assert_eq!(dropped(&pair(), &spoofed), DropCause::NoSource);
    let mut net = pair();
    net.route("r1", "172.16.0.0/12", NextHop::Drop(DropKind::NotModelled));
    let walk = walked(&net, &Failures::none(), &to("172.16.0.1"));
    assert!(walk.unknown && !walk.delivered());
    net.route(
        "r1",
        "192.168.0.0/16",
        NextHop::Table { vrf: "main".into() },
    );
    assert_eq!(dropped(&net, &to("192.168.0.1")), DropCause::TableLoop);
    let mut net = pair();
    net.interface_mut("r1", "h1").source_check = Some(vec![common::net("10.1.0.11/32")]);
    assert_eq!(dropped(&net, &tcp()), DropCause::SourceCheck);
    let mut net = pair();
    net.interface_mut("r1", "h1").zone = Some(Zone::Vcn);
    net.interface_mut("r1", "r2").zone = Some(Zone::VirtualCircuit);
    assert!(walked(&net, &Failures::none(), &tcp()).delivered());
    net.router_mut("r1").forbidden_transit = vec![(Zone::VirtualCircuit, Zone::Vcn)];
    assert_eq!(dropped(&net, &tcp()), DropCause::ForbiddenTransit);
}

#[test]
fn a_loop_ends_by_ttl_or_by_the_bound_of_transparent_hops() {
    let mut net = pair();
    for (router, other, address) in [("r1", "r2", "10.255.1.2"), ("r2", "r1", "10.255.1.1")] {
        let hop = NextHop::Via {
            interface: other.into(),
            address: ip(address),
        };
        net.route(router, "172.16.0.0/12", hop);
    }
    let flow = Flow::echo(ip("10.1.0.10"), ip("172.16.0.1"));
    assert_eq!(dropped(&net, &flow), DropCause::TtlExpired);
    for router in ["r1", "r2"] {
        net.router_mut(router).visibility = HopVisibility::Transparent;
    }
    assert_eq!(dropped(&net, &flow), DropCause::TtlExpired);
}

#[test]
fn a_silent_cut_swallows_what_a_static_route_still_sends() {
    let mut failures = Failures::none();
    failures.links_silent.insert("r1-r2".into());
    let walk = walked(&pair(), &failures, &tcp());
    assert_eq!(walk.outcome, Outcome::Dropped(DropCause::LinkSilent));
    let mut failures = Failures::none();
    failures.links_down.insert("r1-r2".into());
    let walk = walked(&pair(), &failures, &tcp());
    assert_eq!(walk.outcome, Outcome::Dropped(DropCause::NoRoute));
}

#[test]
fn proxy_arp_answers_for_what_lies_behind() {
    let mut net = pair();
    // The host believes that everything is on its own network.
    match &mut net.blueprint.nodes.get_mut("h1").unwrap().kind {
        skybridge_blueprint::NodeKind::Host(host) => {
            host.addresses = vec![common::net("10.1.0.10/8")];
        }
        skybridge_blueprint::NodeKind::Router(_)
        | skybridge_blueprint::NodeKind::External(_)
        | skybridge_blueprint::NodeKind::Switch(_) => {
            panic!("no host")
        }
    }
    let nobody = DropCause::NoNeighbour(ip("10.2.0.10"));
    assert_eq!(dropped(&net, &tcp()), nobody);
    net.interface_mut("r1", "h1").proxy_arp = true;
    assert!(walked(&net, &Failures::none(), &tcp()).delivered());
}

fn rule(name: &str, access: Access, port: u16, unknown: bool) -> Rule {
    let everywhere = AddressSet {
        prefixes: vec![net("0.0.0.0/0")],
        learned_in: None,
    };
    Rule {
        name: name.to_owned(),
        access,
        tracking: Tracking::Stateful,
        protocols: vec![Protocol::Ports {
            number: 6,
            source: Vec::new(),
            destination: vec![port..=port],
        }],
        sources: everywhere.clone(),
        destinations: everywhere,
        unknown,
    }
}

fn filter(mode: RuleSetMode, rules: Vec<Rule>) -> Filter {
    let name = "nsg".to_owned();
    Filter {
        sets: vec![RuleSet { name, mode, rules }],
    }
}

#[test]
fn filters_judge_the_packet_alone() {
    use Access::{Allow, Deny};
    use RuleSetMode::{FirstMatch, UnionOfAllows};
    let judged = |mode, rules| {
        let mut net = pair();
        net.interface_mut("r2", "h2").filter_out = Some(filter(mode, rules));
        let walk = walked(&net, &Failures::none(), &tcp());
        let rule = match walk.outcome {
            Outcome::Delivered => None,
            Outcome::Dropped(DropCause::Filter { rule, .. }) => Some(rule),
            Outcome::Dropped(other) => panic!("{other:?}"),
        };
        (rule, walk.unknown)
    };
    let deny = || rule("deny", Deny, 443, false);
    let allow = || rule("allow", Allow, 443, false);
    let other = || rule("other", Allow, 80, false);
    let unknown = || rule("unknown", Allow, 443, true);
    let denied = |name: &str| Some(name.to_owned());
    assert_eq!(
        judged(FirstMatch, vec![other(), deny(), allow()]),
        (denied("deny"), false)
    );
    assert_eq!(judged(FirstMatch, vec![allow(), deny()]), (None, false));
    assert_eq!(judged(FirstMatch, vec![other()]), (denied(""), false));
    assert_eq!(
        judged(FirstMatch, vec![unknown(), deny()]),
        (denied("deny"), true)
    );
    assert_eq!(judged(UnionOfAllows, vec![other(), allow()]), (None, false));
    assert_eq!(
        judged(UnionOfAllows, vec![unknown(), allow()]),
        (None, false)
    );
    assert_eq!(
        judged(UnionOfAllows, vec![other(), unknown()]),
        (denied(""), true)
    );
}

#[test]
fn what_bgp_learns_is_part_of_a_set_while_it_is_learned() {
    let mut net = pair();
    net.bgp("r1", 1, 1, &["10.1.0.0/16"]);
    net.bgp("r2", 2, 2, &[]);
    net.session("r1", "r2");
    let mut only = rule("virtual network", Access::Allow, 443, false);
    only.sources = AddressSet {
        prefixes: Vec::new(),
        learned_in: Some("main".into()),
    };
    let filter = filter(RuleSetMode::FirstMatch, vec![only]);
    net.interface_mut("r2", "h2").filter_out = Some(filter);
    assert!(walked(&net, &Failures::none(), &tcp()).delivered());
    net.peer_mut("r1", "r2").export = None;
    assert!(!walked(&net, &Failures::none(), &tcp()).delivered());
}

#[test]
fn every_equal_way_is_walked() {
    let mut net = pair();
    net.router("r3");
    net.join("r1", "r3", 3);
    net.join("r3", "r2", 4);
    let hop = |interface: &str, address: &str| NextHop::Via {
        interface: interface.into(),
        address: ip(address),
    };
    net.route("r1", "10.2.0.0/16", hop("r3", "10.255.3.2"));
    let tables = solve(&net.blueprint, &Failures::none());
    let all = walks(
        &net.blueprint,
        &Failures::none(),
        &tables,
        &"h1".into(),
        &tcp(),
    );
    let ends: Vec<(Vec<&str>, bool)> = all.iter().map(|w| (nodes(w), w.delivered())).collect();
    assert_eq!(
        ends,
        [
            (vec!["h1", "r1", "r2", "h2"], true),
            (vec!["h1", "r1", "r3"], false)
        ]
    );
}
