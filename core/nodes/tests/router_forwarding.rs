//! Forwarding through tagged links: addresses, TTL, MTU, filters, policers, traces.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, where a panic is the report"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tests look for one kind of event"
)]

mod router_support;

use std::net::IpAddr;
use std::time::Duration;

use router_support::{Net, interface, qinq, route, spec, two, two_specs, via};
use skybridge_base::MacAddr;
use skybridge_blueprint::{
    Access, AddressSet, DropKind, Filter, HopVisibility, NextHop, Policer, Protocol, Rule, RuleSet,
    RuleSetMode, Tagging, Tracking, Zone,
};
use skybridge_nodes::{DropReason, HopVerdict, NodeEvent};
use skybridge_wire::arp::ArpRepr;
use skybridge_wire::icmpv4::Icmpv4Kind;
use skybridge_wire::{Tags, ipv4};

const SECOND: Duration = Duration::from_secs(1);
const LEFT: usize = 0;
const RIGHT: usize = 1;
const FAR: [u8; 4] = [10, 2, 0, 9];

fn reply() -> Icmpv4Kind {
    Icmpv4Kind::EchoReply {
        identifier: 7,
        sequence: 1,
    }
}

/// Sends an echo request from the left station and gives what the last hop record says.
fn probe(net: &mut Net, dst: [u8; 4]) -> Option<HopVerdict> {
    let packet = net.echo(LEFT, dst, 64, 8, true);
    net.send(LEFT, &packet, 1);
    net.run_for(SECOND);
    let hops = net.hops().into_iter().rev();
    let mut of_probe = hops.filter(|(at, hop)| *at == LEFT && hop.dst == IpAddr::from(dst));
    of_probe.next().map(|(_, hop)| hop.verdict)
}

fn dropped(verdict: Option<HopVerdict>) -> (DropReason, String, bool) {
    match verdict {
        Some(HopVerdict::Dropped {
            reason,
            detail,
            unknown,
        }) => (reason, detail, unknown),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_echo_crosses_a_qinq_link_and_the_far_router_answers_too() {
    let mut net = two(&two_specs());
    let packet = net.echo(LEFT, FAR, 64, 56, true);
    net.send(LEFT, &packet, 0);
    let to_router = net.echo(LEFT, [192, 0, 2, 2], 64, 56, true);
    net.send(LEFT, &to_router, 0);
    net.run_for(SECOND);
    assert_eq!(net.stations[RIGHT].received.len(), 1);
    let arrived = ipv4::parse(&net.stations[RIGHT].received[0]).unwrap();
    assert_eq!(arrived.ttl(), 62);
    assert!(arrived.is_checksum_valid());
    assert_eq!(net.icmp_at(LEFT), [([192, 0, 2, 2].into(), reply())]);
    let tagged = |bytes: &[u8]| bytes[12..14] == [0x88, 0xa8] && bytes[14..16] == [0, 10];
    assert!(net.frames_seen.iter().any(|(_, _, b)| tagged(b)));
    let rows = net.routers[LEFT].neighbours(net.now);
    let far = rows.iter().find(|r| r.address.to_string() == "192.0.2.2");
    assert_eq!(far.unwrap().mac, Some(MacAddr::local(4)));
    assert!(rows.iter().any(|r| r.is_own));
}

#[test]
fn a_wrong_inner_tag_leaves_an_empty_arp_table_and_counts_unknown_tags() {
    let mut specs = two_specs();
    specs[RIGHT].interfaces.get_mut("wan").unwrap().tagging = qinq(10, 21);
    let mut net = two(&specs);
    let packet = net.echo(LEFT, FAR, 64, 56, true);
    net.send(LEFT, &packet, 9);
    net.run_for(SECOND * 10);
    assert!(net.stations[RIGHT].received.is_empty());
    let rows = net.routers[LEFT].neighbours(net.now);
    assert!(
        rows.iter()
            .all(|r| r.is_own || r.interface.as_str() == "lan")
    );
    let drops = net.routers[RIGHT].counters().drops;
    // Three requests and the announcement of the left router.
    assert_eq!(drops.count(DropReason::UnknownTags), 4);
    let hops = net.hops();
    let (reason, ..) = dropped(Some(hops[0].1.verdict.clone()));
    assert_eq!(reason, DropReason::NeighbourUnresolved);
    let unreachable = Icmpv4Kind::Unreachable {
        code: 1,
        next_hop_mtu: 0,
    };
    assert_eq!(net.icmp_at(LEFT), [([10, 1, 0, 1].into(), unreachable)]);
}

#[test]
fn ttl_runs_out_at_visible_and_silent_routers_but_not_at_transparent_ones() {
    for (visibility, answer, arrives) in [
        (HopVisibility::Visible, true, false),
        (HopVisibility::Silent, false, false),
        (HopVisibility::Transparent, false, true),
    ] {
        let mut specs = two_specs();
        specs[RIGHT].visibility = visibility;
        let mut net = two(&specs);
        let packet = net.echo(LEFT, FAR, 2, 8, true);
        net.send(LEFT, &packet, 5);
        net.run_for(SECOND);
        let got = net.icmp_at(LEFT);
        let expired = ([192, 0, 2, 2].into(), Icmpv4Kind::TimeExceeded { code: 0 });
        assert_eq!(got.contains(&expired), answer, "{visibility:?}");
        assert_eq!(!net.stations[RIGHT].received.is_empty(), arrives);
        if answer {
            // The answer carries the trace of its cause.
            assert!(
                net.hops()
                    .iter()
                    .any(|(n, h)| *n == RIGHT && h.ingress.is_none())
            );
        }
        let to_router = net.echo(LEFT, [192, 0, 2, 2], 64, 8, true);
        net.send(LEFT, &to_router, 0);
        net.run_for(SECOND);
        let answered = net.icmp_at(LEFT).iter().any(|(_, kind)| *kind == reply());
        assert_eq!(answered, visibility == HopVisibility::Visible);
    }
}

#[test]
fn a_packet_too_big_is_refused_with_the_mtu_or_cut() {
    for visibility in [HopVisibility::Visible, HopVisibility::Transparent] {
        let mut specs = two_specs();
        specs[LEFT].visibility = visibility;
        specs[LEFT].interfaces.get_mut("wan").unwrap().mtu = 1400;
        let mut net = two(&specs);
        let packet = net.echo(LEFT, FAR, 64, 1400, true);
        net.send(LEFT, &packet, 3);
        net.run_for(SECOND);
        let too_big = Icmpv4Kind::Unreachable {
            code: 4,
            next_hop_mtu: 1400,
        };
        assert_eq!(net.icmp_at(LEFT), [([10, 1, 0, 1].into(), too_big)]);
        let hops = net.hops();
        let (reason, detail, _) = dropped(Some(hops[0].1.verdict.clone()));
        assert_eq!((reason, detail.as_str()), (DropReason::TooBig, "MTU 1400"));

        let packet = net.echo(LEFT, FAR, 64, 3000, false);
        net.send(LEFT, &packet, 0);
        net.run_for(SECOND);
        let cut = &net.stations[RIGHT].received;
        assert_eq!(cut.len(), 3);
        assert!(cut.iter().all(|p| p.len() <= 1400));
        let payload: usize = cut
            .iter()
            .map(|p| ipv4::parse(p).unwrap().payload().len())
            .sum();
        assert_eq!(payload, 3008);
    }
}

fn allow(name: &str, destination: &str) -> Rule {
    let set = |text: &str| AddressSet {
        prefixes: vec![text.parse().unwrap()],
        learned_in: None,
    };
    Rule {
        name: name.to_owned(),
        access: Access::Allow,
        tracking: Tracking::Stateful,
        protocols: vec![Protocol::Any],
        sources: set("0.0.0.0/0"),
        destinations: set(destination),
        unknown: false,
    }
}

fn filter(rules: Vec<Rule>) -> Filter {
    Filter {
        sets: vec![RuleSet {
            name: "nsg-app".to_owned(),
            mode: RuleSetMode::FirstMatch,
            rules,
        }],
    }
}

#[test]
fn a_stateful_filter_lets_answers_back_and_names_the_rule_that_denies() {
    let mut specs = two_specs();
    let lan = specs[LEFT].interfaces.get_mut("lan").unwrap();
    lan.filter_in = Some(filter(vec![allow("out", "10.2.0.0/16")]));
    lan.filter_out = Some(filter(Vec::new()));
    specs[RIGHT].visibility = HopVisibility::Visible;
    let mut net = two(&specs);
    let verdict = probe(&mut net, [10, 2, 0, 1]);
    assert!(matches!(verdict, Some(HopVerdict::Forwarded { .. })));
    assert_eq!(net.icmp_at(LEFT), [([10, 2, 0, 1].into(), reply())]);

    let from_right = net.echo(RIGHT, [10, 1, 0, 9], 64, 8, true);
    net.send(RIGHT, &from_right, 2);
    net.run_for(SECOND);
    let (reason, detail, unknown) = dropped(net.hops().pop().map(|h| h.1.verdict));
    assert_eq!(reason, DropReason::FilterDenied);
    assert_eq!(detail, "nsg-app: no rule matches (out at lan)");
    assert!(!unknown);

    // An error about an allowed packet is related to its flow; another one is not.
    let packet = net.echo(LEFT, FAR, 2, 8, true);
    net.send(LEFT, &packet, 0);
    net.run_for(SECOND);
    let expired = Icmpv4Kind::TimeExceeded { code: 0 };
    assert_eq!(net.icmp_at(LEFT).last().unwrap().1, expired);

    let mut rule = allow("maybe", "10.1.0.0/16");
    rule.unknown = true;
    let lan = specs[LEFT].interfaces.get_mut("lan").unwrap();
    lan.filter_out = Some(filter(vec![rule]));
    net.reconfigure(LEFT, &specs[LEFT]);
    net.send(RIGHT, &from_right, 2);
    net.run_for(SECOND);
    let (.., unknown) = dropped(net.hops().pop().map(|h| h.1.verdict));
    assert!(unknown);
}

#[test]
fn a_learned_prefix_set_is_empty_without_bgp() {
    let mut specs = two_specs();
    let mut rule = allow("virtual network", "10.1.0.0/16");
    rule.destinations.learned_in = Some("main".into());
    let lan = specs[LEFT].interfaces.get_mut("lan").unwrap();
    lan.filter_in = Some(filter(vec![rule]));
    let mut net = two(&specs);
    let (reason, ..) = dropped(probe(&mut net, FAR));
    assert_eq!(reason, DropReason::FilterDenied);
}

#[test]
fn routes_drop_for_their_reason_and_a_target_not_modelled_is_unknown() {
    for (kind, reason, is_unknown) in [
        (DropKind::None, DropReason::RouteNone, false),
        (DropKind::Internet, DropReason::RouteInternet, false),
        (DropKind::Services, DropReason::RouteServices, false),
        (DropKind::NotModelled, DropReason::RouteNotModelled, true),
        (DropKind::DeadTarget, DropReason::RouteDeadTarget, false),
    ] {
        let mut specs = two_specs();
        let main = specs[LEFT].vrfs.get_mut("main").unwrap();
        main.routes.push(route("10.3.0.0/16", NextHop::Drop(kind)));
        let mut net = two(&specs);
        let (found, _, unknown) = dropped(probe(&mut net, [10, 3, 0, 1]));
        assert_eq!((found, unknown), (reason, is_unknown));
    }
}

#[test]
fn tables_lead_to_tables_but_not_in_circles() {
    let mut specs = two_specs();
    let main = specs[LEFT].vrfs.get("main").unwrap().clone();
    let to = |vrf: &str| {
        let next_hop = NextHop::Table { vrf: vrf.into() };
        let mut table = main.clone();
        table.routes = vec![route("0.0.0.0/0", next_hop)];
        table
    };
    specs[LEFT].vrfs.insert("a".into(), to("main"));
    specs[LEFT].vrfs.insert("loop".into(), to("loop"));
    specs[LEFT].interfaces.get_mut("lan").unwrap().vrf = "a".into();
    let main = specs[LEFT].vrfs.get_mut("main").unwrap();
    let lan = NextHop::Connected {
        interface: "lan".into(),
    };
    main.routes.push(route("10.1.0.0/24", lan));
    let mut net = two(&specs);
    let verdict = probe(&mut net, [10, 2, 0, 1]);
    assert!(matches!(verdict, Some(HopVerdict::Forwarded { .. })));
    assert_eq!(net.icmp_at(LEFT).len(), 1);
    assert_eq!(net.hops()[0].1.vrf.as_ref().unwrap().as_str(), "main");

    specs[LEFT].interfaces.get_mut("lan").unwrap().vrf = "loop".into();
    net.reconfigure(LEFT, &specs[LEFT]);
    let (reason, ..) = dropped(probe(&mut net, FAR));
    assert_eq!(reason, DropReason::TableLoop);
}

#[test]
fn forbidden_zones_and_foreign_sources_do_not_pass() {
    let mut specs = two_specs();
    specs[LEFT].forbidden_transit = vec![(Zone::VirtualCircuit, Zone::VirtualCircuit)];
    for name in ["lan", "wan"] {
        let interface = specs[LEFT].interfaces.get_mut(name).unwrap();
        interface.zone = Some(Zone::VirtualCircuit);
    }
    let mut net = two(&specs);
    let (reason, ..) = dropped(probe(&mut net, FAR));
    assert_eq!(reason, DropReason::ForbiddenTransit);

    specs[LEFT].forbidden_transit.clear();
    specs[LEFT].interfaces.get_mut("lan").unwrap().source_check =
        Some(vec!["10.1.0.8/32".parse().unwrap()]);
    net.reconfigure(LEFT, &specs[LEFT]);
    let (reason, ..) = dropped(probe(&mut net, FAR));
    assert_eq!(reason, DropReason::SourceCheck);
}

#[test]
fn a_policer_shared_by_two_directions_counts_both() {
    let mut specs = two_specs();
    let policer = Policer {
        rate_bps: 8_000,
        burst_bytes: 100,
        rate_pps: None,
        burst_packets: 0,
    };
    specs[LEFT].policers.insert("circuit".to_owned(), policer);
    let lan = specs[LEFT].interfaces.get_mut("lan").unwrap();
    lan.policer_in = Some("circuit".to_owned());
    lan.policer_out = Some("circuit".to_owned());
    let mut net = two(&specs);
    // 36 octets each: request, answer from the far router; a third one is too much.
    let packet = net.echo(LEFT, FAR, 64, 8, true);
    for _ in 0..3 {
        net.send(LEFT, &packet, 0);
    }
    net.run_for(Duration::from_millis(3));
    let policers = net.routers[LEFT].policers();
    assert_eq!(
        (policers[0].passed, policers[0].dropped),
        ((2, 72), (1, 36))
    );
    let drops = net.routers[LEFT].counters().drops;
    assert_eq!(drops.count(DropReason::Policed), 1);
}

#[test]
fn proxy_arp_answers_for_everybody_but_those_on_the_link() {
    let mut specs = two_specs();
    specs[LEFT].interfaces.get_mut("lan").unwrap().proxy_arp = true;
    let mut net = two(&specs);
    let mac = net.stations[LEFT].mac;
    for (target, answered) in [
        ([10, 2, 0, 9], true),
        ([10, 9, 9, 9], true),
        ([10, 1, 0, 77], false),
    ] {
        net.stations[LEFT].arp_replies.clear();
        let request = ArpRepr::request(mac, [10, 1, 0, 9].into(), target.into());
        net.send_arp(LEFT, &request);
        net.run_for(SECOND);
        assert_eq!(
            !net.stations[LEFT].arp_replies.is_empty(),
            answered,
            "{target:?}"
        );
    }
    let claim = ArpRepr::announcement(mac, [10, 1, 0, 1].into());
    net.send_arp(LEFT, &claim);
    net.run_for(SECOND);
    let is_duplicate = |e: &NodeEvent| matches!(e, NodeEvent::DuplicateAddress { .. });
    assert!(net.events.iter().any(|(_, _, e)| is_duplicate(e)));
}

#[test]
fn a_link_that_goes_takes_its_routes_and_neighbours_along() {
    let mut net = two(&two_specs());
    assert!(probe(&mut net, FAR).is_some());
    let wan = (LEFT, net.port(LEFT, "wan"));
    net.set_link(wan, false);
    let (reason, ..) = dropped(probe(&mut net, FAR));
    assert_eq!(reason, DropReason::NoRoute);
    let rows = net.routers[LEFT].neighbours(net.now);
    assert!(
        rows.iter()
            .all(|r| r.is_own || r.interface.as_str() != "wan")
    );
    net.set_link(wan, true);
    let before = net.stations[RIGHT].received.len();
    probe(&mut net, FAR);
    assert_eq!(net.stations[RIGHT].received.len(), before + 1);
}

#[test]
fn equal_routes_spread_flows_over_two_links() {
    let lan = interface("lan", Tagging::Untagged, "10.1.0.1/24");
    let left = spec(
        &[("lan", 1), ("w1", 2), ("w2", 3)],
        &[
            ("lan", lan),
            ("w1", interface("w1", Tagging::Untagged, "192.0.2.1/30")),
            ("w2", interface("w2", Tagging::Untagged, "192.0.2.5/30")),
        ],
        vec![
            route("10.2.0.0/16", via("w1", "192.0.2.2")),
            route("10.2.0.0/16", via("w2", "192.0.2.6")),
        ],
    );
    let mut net = Net::default();
    let router = net.router("left", &left);
    net.station((router, "lan"), [10, 1, 0, 9], Tags::Untagged);
    let one = net.station((router, "w1"), [192, 0, 2, 2], Tags::Untagged);
    let two = net.station((router, "w2"), [192, 0, 2, 6], Tags::Untagged);
    for host in 0..200 {
        let packet = net.echo(LEFT, [10, 2, 0, host], 64, 8, true);
        net.send(LEFT, &packet, 0);
        net.run_for(Duration::from_millis(1));
    }
    let (one, two) = (
        net.stations[one].received.len(),
        net.stations[two].received.len(),
    );
    assert_eq!(one + two, 200);
    assert!(one > 60 && two > 60, "{one} {two}");
}

#[test]
fn an_old_neighbour_is_asked_again_while_its_packets_flow_on() {
    let mut net = two(&two_specs());
    probe(&mut net, FAR);
    net.run_for(SECOND * 60 * 31);
    let mark = net.frames_seen.len();
    let before = net.stations[RIGHT].received.len();
    probe(&mut net, FAR);
    assert_eq!(net.stations[RIGHT].received.len(), before + 1);
    // The left router polls the right one by unicast; ARP is at 22 behind two tags.
    let right = net.routers[RIGHT].spec().ports["wan"].mac;
    let poll = |bytes: &[u8]| bytes[..6] == right.0 && bytes[20..22] == [8, 6];
    let seen = &net.frames_seen[mark..];
    assert_eq!(
        seen.iter()
            .filter(|(_, at, b)| *at == LEFT && poll(b))
            .count(),
        1
    );
    let rows = net.routers[LEFT].neighbours(net.now);
    let far = rows.iter().find(|r| r.address.to_string() == "192.0.2.2");
    assert!(far.unwrap().age <= SECOND, "{far:?}");
}

#[test]
fn sixteen_packets_wait_for_a_neighbour_and_the_next_one_is_dropped() {
    let mut net = two(&two_specs());
    let wan = (LEFT, net.port(LEFT, "wan"));
    // Let the announcements of the link pass.
    net.run_for(Duration::from_millis(10));
    net.silent.push(wan);
    for _ in 0..17 {
        let packet = net.echo(LEFT, FAR, 64, 8, true);
        net.send(LEFT, &packet, 0);
    }
    net.run_for(Duration::from_millis(500));
    let drops = |net: &Net, reason| net.routers[LEFT].counters().drops.count(reason);
    assert_eq!(drops(&net, DropReason::NeighbourQueueFull), 1);
    net.silent.clear();
    net.run_for(SECOND);
    assert_eq!(net.stations[RIGHT].received.len(), 16);
    assert_eq!(drops(&net, DropReason::NeighbourUnresolved), 0);
}

#[test]
fn icmp_errors_are_limited() {
    let mut net = two(&two_specs());
    let packet = net.echo(LEFT, FAR, 1, 8, true);
    for _ in 0..50 {
        net.send(LEFT, &packet, 0);
    }
    net.run_for(Duration::from_millis(5));
    let answers = net.icmp_at(LEFT).len();
    assert_eq!(answers, 10);
    let drops = net.routers[LEFT].counters().drops;
    assert_eq!(drops.count(DropReason::TtlExpired), 50);
}

#[test]
fn a_router_that_was_changed_chooses_as_one_that_was_built_so() {
    let [mut before, _] = two_specs();
    before.vrfs.get_mut("main").unwrap().ecmp_max = 1;
    let mut after = before.clone();
    // A name that sorts first but comes last.
    let first = interface("wan", qinq(10, 30), "192.0.2.5/30");
    after.interfaces.insert("aaa".into(), first);
    let main = after.vrfs.get_mut("main").unwrap();
    main.routes
        .push(route("10.2.0.0/24", via("aaa", "192.0.2.6")));
    let look = |net: &Net| {
        let routes = net.routers[LEFT].routes(&"main".into());
        let mut rows: Vec<_> = routes
            .into_iter()
            .map(|r| {
                (
                    r.prefix,
                    r.preference,
                    r.next_hops,
                    format!("{:?}", r.state),
                )
            })
            .collect();
        rows.sort();
        rows
    };
    let build = |spec: &skybridge_blueprint::Router| {
        let mut net = Net::default();
        let router = net.router("left", spec);
        net.station((router, "lan"), [10, 1, 0, 9], Tags::Untagged);
        net.station((router, "wan"), [192, 0, 2, 2], Tags::Untagged);
        net
    };
    let mut changed = build(&before);
    changed.reconfigure(LEFT, &after);
    let built = build(&after);
    assert_eq!(look(&changed), look(&built));
    let active = |row: &&(ipnet::IpNet, u8, Vec<NextHop>, String)| {
        let (prefix, _, _, state) = row;
        prefix.to_string() == "10.2.0.0/24" && state == "Active"
    };
    let rows = look(&built);
    let used: Vec<_> = rows.iter().filter(active).collect();
    assert_eq!(used.len(), 1);
    assert_eq!(used[0].2, [via("aaa", "192.0.2.6")]);
    changed.reconfigure(LEFT, &before);
    assert_eq!(look(&changed), look(&build(&before)));
}
