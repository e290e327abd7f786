//! BGP and BFD through tagged links: what keeps a session down, what ends it, what survives a change.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, where a panic is the report"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tests look for one kind of event"
)]

mod router_support;

use std::collections::BTreeMap;
use std::time::Duration;

use router_support::{Net, interface, qinq, spec, two, two_specs};
use skybridge_base::{Asn, Instant, TraceHash};
use skybridge_blueprint::{
    Access, AddressSet, BfdParameters, BgpInstance, BgpPeer, ExportPolicy, Filter, ImportTo,
    MaxPrefixes, NextHop, NextHopRule, Originated, PathRole, PolicyAction, PolicyMatch, PolicyRule,
    PrefixMatch, Protocol, RoutePolicy, RouteSource, Router as Spec, Rule, RuleSet, RuleSetMode,
    Secret, Tagging, Tracking,
};
use skybridge_nodes::{DropReason, NodeEvent, SessionState};
use skybridge_wire::Tags;

const SECOND: Duration = Duration::from_secs(1);
const LEFT: usize = 0;
const RIGHT: usize = 1;

fn peer(interface: &str, local: &str, remote: &str, asn: u32) -> BgpPeer {
    BgpPeer {
        interface: interface.into(),
        local: local.parse().unwrap(),
        remote: remote.parse().unwrap(),
        remote_asn: Asn(asn),
        local_asn: None,
        md5: None,
        hold_time_s: 30,
        keepalive_s: 10,
        connect_retry: Duration::from_secs(5),
        passive: false,
        enabled: true,
        bfd: None,
        import: vec![ImportTo {
            table: "main".into(),
            policy: RoutePolicy::ACCEPT_ALL,
        }],
        export: Some(ExportPolicy {
            table: "main".into(),
            policy: RoutePolicy::ACCEPT_ALL,
        }),
        next_hop: NextHopRule::SelfAddress,
        source_tag: 0,
        limits: MaxPrefixes::default(),
        role: PathRole {
            peering: "test".to_owned(),
            path: "primary".to_owned(),
            customer_visible: true,
        },
    }
}

fn instance(asn: u32, id: [u8; 4], prefix: &str, peers: Vec<(&str, BgpPeer)>) -> BgpInstance {
    BgpInstance {
        asn: Asn(asn),
        router_id: id.into(),
        tables: vec!["main".into()],
        originated: vec![Originated {
            table: "main".into(),
            prefix: prefix.parse().unwrap(),
            communities: vec![],
            source_tag: 0,
        }],
        peers: peers
            .into_iter()
            .map(|(name, peer)| (name.to_owned(), peer))
            .collect(),
    }
}

fn bgp_specs() -> [Spec; 2] {
    let mut specs = two_specs();
    for spec in &mut specs {
        spec.vrfs.get_mut("main").unwrap().routes.clear();
    }
    let left = peer("wan", "192.0.2.1", "192.0.2.2", 65002);
    let right = peer("wan", "192.0.2.2", "192.0.2.1", 65001);
    let left = instance(65001, [1, 1, 1, 1], "10.1.0.0/24", vec![("right", left)]);
    let right = instance(65002, [2, 2, 2, 2], "10.2.0.0/24", vec![("left", right)]);
    specs[LEFT].bgp = BTreeMap::from([("main".to_owned(), left)]);
    specs[RIGHT].bgp = BTreeMap::from([("main".to_owned(), right)]);
    specs
}

fn peer_of<'a>(spec: &'a mut Spec, name: &str) -> &'a mut BgpPeer {
    let instance = spec.bgp.get_mut("main").unwrap();
    instance.peers.get_mut(name).unwrap()
}

fn state(net: &Net, router: usize) -> SessionState {
    net.routers[router].bgp()[0].state
}

fn both(net: &Net) -> [SessionState; 2] {
    [state(net, LEFT), state(net, RIGHT)]
}

const UP: [SessionState; 2] = [SessionState::Established; 2];

fn pings(net: &mut Net) -> bool {
    let before = net.stations[RIGHT].received.len();
    let packet = net.echo(0, [10, 2, 0, 9], 64, 8, true);
    net.send(0, &packet, 0);
    net.run_for(Duration::from_millis(500));
    net.stations[RIGHT].received.len() > before
}

/// Time of the first event after `since` for which `which` holds.
fn first(net: &Net, since: Instant, which: impl Fn(&NodeEvent) -> bool) -> Option<Duration> {
    let mut events = net.events.iter().filter(|(at, _, _)| *at >= since);
    events
        .find(|(_, _, event)| which(event))
        .map(|(at, _, _)| at.since(since))
}

fn falls(event: &NodeEvent) -> bool {
    matches!(
        event,
        NodeEvent::Bgp {
            from: SessionState::Established,
            ..
        }
    )
}

#[test]
fn a_session_over_a_tagged_link_brings_routes_and_packets_follow_them() {
    let mut net = two(&bgp_specs());
    net.run_for(SECOND * 2);
    assert_eq!(both(&net), UP);
    let up = first(&net, Instant::ZERO, |e| {
        matches!(
            e,
            NodeEvent::Bgp {
                to: SessionState::Established,
                ..
            }
        )
    });
    assert!(up.unwrap() < Duration::from_millis(300), "{up:?}");
    assert!(pings(&mut net));
    let routes = net.routers[LEFT].routes(&"main".into());
    let learned = routes
        .iter()
        .find(|r| r.source == RouteSource::Bgp)
        .unwrap();
    assert_eq!(learned.prefix.to_string(), "10.2.0.0/24");
    assert_eq!(learned.preference, 20);
    let via = NextHop::Via {
        interface: "wan".into(),
        address: "192.0.2.2".parse().unwrap(),
    };
    assert_eq!(learned.next_hops, [via]);
    let peers = net.routers[LEFT].bgp();
    assert_eq!((peers[0].prefixes_received, peers[0].prefixes_sent), (1, 1));
    assert_eq!(peers[0].hold_time_s, Some(30));
    let rib = net.routers[LEFT].bgp_routes("main", &"main".into());
    let names: Vec<_> = rib.iter().map(|r| r.paths[0].peer.as_deref()).collect();
    assert_eq!(names, [None, Some("right")]);
    // The session's packets carry CS6, TTL 1 and the link's tags.
    let syn = net
        .frames_seen
        .iter()
        .find(|(_, _, b)| b.len() > 22 + 20 && b[22 + 9] == 6);
    let bytes = &syn.unwrap().2;
    assert_eq!(bytes[12..14], [0x88, 0xa8]);
    assert_eq!((bytes[22 + 1] >> 2, bytes[22 + 8]), (48, 1));
    // Nothing happens but keepalives: the session stays up.
    let before = net.routers[LEFT].bgp()[0].since;
    net.run_for(SECOND * 300);
    assert_eq!(both(&net), UP);
    assert_eq!(net.routers[LEFT].bgp()[0].since, before);
}

#[test]
fn wrong_tags_wrong_keys_and_wrong_numbers_keep_a_session_down() {
    let secret = |text: &str| Some(Secret::new(text.to_owned()));
    for fault in ["tags", "key", "no key", "asn"] {
        let mut specs = bgp_specs();
        match fault {
            "tags" => specs[RIGHT].interfaces.get_mut("wan").unwrap().tagging = qinq(10, 21),
            "key" => {
                peer_of(&mut specs[LEFT], "right").md5 = secret("one");
                peer_of(&mut specs[RIGHT], "left").md5 = secret("two");
            }
            "no key" => peer_of(&mut specs[LEFT], "right").md5 = secret("one"),
            _ => specs[RIGHT].bgp.get_mut("main").unwrap().asn = Asn(65009),
        }
        let mut net = two(&specs);
        net.run_for(SECOND * 60);
        let up = |e: &NodeEvent| {
            matches!(
                e,
                NodeEvent::Bgp {
                    to: SessionState::Established,
                    ..
                }
            )
        };
        assert_eq!(first(&net, Instant::ZERO, up), None, "{fault}");
        let drops = net.routers[RIGHT].counters().drops;
        match fault {
            "tags" => assert!(drops.count(DropReason::UnknownTags) > 0),
            "key" | "no key" => assert!(drops.count(DropReason::Md5) > 0, "{fault}"),
            _ => {
                let reset = net.routers[LEFT].bgp()[0].last_reset.clone().unwrap();
                assert!(reset.starts_with("notification"), "{reset}");
            }
        }
        assert!(!pings(&mut net));
    }
}

#[test]
fn matching_keys_work() {
    let mut specs = bgp_specs();
    let secret = || Some(Secret::new("same".to_owned()));
    peer_of(&mut specs[LEFT], "right").md5 = secret();
    peer_of(&mut specs[RIGHT], "left").md5 = secret();
    let mut net = two(&specs);
    net.run_for(SECOND * 2);
    assert_eq!(both(&net), UP);
    assert!(pings(&mut net));
}

fn with_bfd(specs: &mut [Spec; 2]) {
    let bfd = Some(BfdParameters {
        interval: Duration::from_millis(300),
        multiplier: 3,
    });
    peer_of(&mut specs[LEFT], "right").bfd = bfd;
    peer_of(&mut specs[RIGHT], "left").bfd = bfd;
}

#[test]
fn bfd_ends_a_session_over_a_silent_link_in_three_intervals() {
    let mut specs = bgp_specs();
    with_bfd(&mut specs);
    let mut net = two(&specs);
    net.run_for(SECOND * 10);
    assert_eq!(both(&net), UP);
    assert_eq!(net.routers[LEFT].bgp()[0].bfd, Some(SessionState::Up));
    let wan = (LEFT, net.port(LEFT, "wan"));
    let cut = net.now;
    net.silent.push(wan);
    net.run_for(SECOND * 2);
    let down = |e: &NodeEvent| matches!(e, NodeEvent::Bfd { up: false, .. });
    let detected = first(&net, cut, down).unwrap();
    assert!(detected <= Duration::from_millis(905), "{detected:?}");
    assert!(detected >= Duration::from_millis(600), "{detected:?}");
    assert_eq!(first(&net, cut, falls), Some(detected));
    let reset = net.routers[LEFT].bgp()[0].last_reset.clone();
    assert_eq!(reset.as_deref(), Some("BFD down"));
    assert!(!pings(&mut net));
    net.silent.clear();
    net.run_for(SECOND * 30);
    assert_eq!(both(&net), UP);
    assert!(pings(&mut net));
}

#[test]
fn without_bfd_a_silent_link_is_found_by_the_hold_timer() {
    let mut net = two(&bgp_specs());
    net.run_for(SECOND * 5);
    let cut = net.now;
    let wan = (LEFT, net.port(LEFT, "wan"));
    net.silent.push(wan);
    net.run_for(SECOND * 40);
    let detected = first(&net, cut, falls).unwrap();
    assert!(
        detected <= SECOND * 30 && detected >= SECOND * 20,
        "{detected:?}"
    );
    let reset = net.routers[LEFT].bgp()[0].last_reset.clone().unwrap();
    assert!(reset.contains("hold timer"), "{reset}");
}

#[test]
fn bfd_that_never_came_up_does_not_hold_a_session_back() {
    let mut specs = bgp_specs();
    with_bfd(&mut specs);
    peer_of(&mut specs[RIGHT], "left").bfd = None;
    let mut net = two(&specs);
    net.run_for(SECOND * 20);
    assert_eq!(both(&net), UP);
    assert_eq!(net.routers[LEFT].bgp()[0].bfd, Some(SessionState::Down));
}

#[test]
fn a_link_that_goes_ends_its_session_at_once_and_one_that_comes_starts_it_at_once() {
    let mut net = two(&bgp_specs());
    net.run_for(SECOND * 5);
    let wan = (LEFT, net.port(LEFT, "wan"));
    let cut = net.now;
    net.set_link(wan, false);
    assert_eq!(both(&net), [SessionState::Idle; 2]);
    let reset = net.routers[RIGHT].bgp()[0].last_reset.clone();
    assert_eq!(reset.as_deref(), Some("link down"));
    net.run_for(Duration::ZERO);
    let routes = net.routers[LEFT].routes(&"main".into());
    assert!(routes.iter().all(|r| r.source != RouteSource::Bgp));
    let gone =
        |e: &NodeEvent| matches!(e, NodeEvent::Route { next_hops, .. } if next_hops.is_empty());
    assert_eq!(first(&net, cut, gone), Some(Duration::ZERO));
    net.run_for(SECOND * 60);
    let back = net.now;
    net.set_link(wan, true);
    net.run_for(SECOND * 2);
    assert_eq!(both(&net), UP);
    let up = |e: &NodeEvent| {
        matches!(
            e,
            NodeEvent::Bgp {
                to: SessionState::Established,
                ..
            }
        )
    };
    let took = first(&net, back, up).unwrap();
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[test]
fn policies_and_filters_change_under_a_session_that_stays_up() {
    let mut specs = bgp_specs();
    let mut net = two(&specs);
    net.run_for(SECOND * 5);
    let since = net.routers[LEFT].bgp()[0].since;
    let refuse = RoutePolicy {
        rules: vec![PolicyRule {
            matches: PolicyMatch {
                prefixes: vec![PrefixMatch {
                    net: "10.2.0.0/16".parse().unwrap(),
                    len_min: 16,
                    len_max: 32,
                }],
                source_tags: vec![],
            },
            action: PolicyAction::Reject {
                reason: "overlaps the virtual network".to_owned(),
            },
        }],
        default_accept: true,
    };
    peer_of(&mut specs[LEFT], "right").import[0].policy = refuse;
    net.reconfigure(LEFT, &specs[LEFT]);
    net.run_for(SECOND);
    let rib = net.routers[LEFT].bgp_routes("main", &"main".into());
    let refused = rib.iter().find_map(|r| r.paths[0].refused.clone());
    assert_eq!(refused.as_deref(), Some("overlaps the virtual network"));
    assert!(!pings(&mut net));

    peer_of(&mut specs[LEFT], "right").import[0].policy = RoutePolicy::ACCEPT_ALL;
    specs[RIGHT].bgp.get_mut("main").unwrap().originated[0].prefix = "10.2.0.0/16".parse().unwrap();
    net.reconfigure(LEFT, &specs[LEFT]);
    net.reconfigure(RIGHT, &specs[RIGHT]);
    net.run_for(SECOND);
    assert!(pings(&mut net));
    let rib = net.routers[LEFT].bgp_routes("main", &"main".into());
    let prefixes: Vec<_> = rib.iter().map(|r| r.prefix.to_string()).collect();
    assert_eq!(prefixes, ["10.1.0.0/24", "10.2.0.0/16"]);
    assert_eq!(net.routers[LEFT].bgp()[0].since, since);

    // Another key resets the session; the right key brings it back.
    for (at, name) in [(LEFT, "right"), (RIGHT, "left")] {
        peer_of(&mut specs[at], name).md5 = Some(Secret::new("new".to_owned()));
        net.reconfigure(at, &specs[at]);
        net.run_for(SECOND);
    }
    net.run_for(SECOND * 20);
    assert_eq!(both(&net), UP);
    assert!(net.routers[LEFT].bgp()[0].since > since);

    // A session that is described no more goes, with its routes.
    specs[LEFT].bgp.clear();
    net.reconfigure(LEFT, &specs[LEFT]);
    net.run_for(SECOND);
    assert!(net.routers[LEFT].bgp().is_empty());
    assert!(!pings(&mut net));
}

#[test]
fn a_withdrawn_prefix_falls_out_of_the_learned_address_set() {
    let mut specs = bgp_specs();
    let set = |learned| AddressSet {
        prefixes: vec!["10.1.0.0/16".parse().unwrap()],
        learned_in: learned,
    };
    let rule = Rule {
        name: "AllowVnetInBound".to_owned(),
        access: Access::Allow,
        tracking: Tracking::Stateful,
        protocols: vec![Protocol::Any],
        sources: set(None),
        destinations: set(Some("main".into())),
        unknown: false,
    };
    specs[LEFT].interfaces.get_mut("lan").unwrap().filter_in = Some(Filter {
        sets: vec![RuleSet {
            name: "nsg".to_owned(),
            mode: RuleSetMode::FirstMatch,
            rules: vec![rule],
        }],
    });
    let mut net = two(&specs);
    net.run_for(SECOND * 2);
    assert!(pings(&mut net));
    specs[RIGHT].bgp.get_mut("main").unwrap().originated.clear();
    net.reconfigure(RIGHT, &specs[RIGHT]);
    // The flow that is open outlives the rule, but not its timeout.
    net.run_for(SECOND * 20);
    assert!(!pings(&mut net));
    let drops = net.routers[LEFT].counters().drops;
    assert_eq!(drops.count(DropReason::FilterDenied), 1);
}

/// Two routers joined by two links, with a session over each and a host behind each.
fn doubly_joined(change: impl Fn(&mut Spec)) -> (Net, [Spec; 2]) {
    let side = |asn: u32, remote: u32, ports: u64, end: [u8; 2], lan: &str, prefix: &str| {
        let address = |base: u8, host: u8| format!("192.0.2.{}", base + host);
        let link = |name: &str, base: u8| {
            let local = address(base, end[0]);
            interface(name, Tagging::Untagged, &format!("{local}/30"))
        };
        let mut spec = spec(
            &[("lan", ports), ("w1", ports + 1), ("w2", ports + 2)],
            &[
                ("lan", interface("lan", Tagging::Untagged, lan)),
                ("w1", link("w1", 0)),
                ("w2", link("w2", 4)),
            ],
            vec![],
        );
        let session = |name: &str, base: u8| {
            peer(name, &address(base, end[0]), &address(base, end[1]), remote)
        };
        let id = [9, 9, 9, end[0]];
        let peers = vec![("one", session("w1", 0)), ("two", session("w2", 4))];
        spec.bgp
            .insert("main".to_owned(), instance(asn, id, prefix, peers));
        spec
    };
    let mut net = Net::default();
    let mut a_spec = side(65001, 65002, 10, [1, 2], "10.1.0.1/24", "10.1.0.0/24");
    change(&mut a_spec);
    let b_spec = side(65002, 65001, 20, [2, 1], "10.2.0.1/24", "10.2.0.0/24");
    let a = net.router("a", &a_spec);
    let b = net.router("b", &b_spec);
    net.link((a, "w1"), (b, "w1"));
    net.link((a, "w2"), (b, "w2"));
    net.station((a, "lan"), [10, 1, 0, 9], Tags::Untagged);
    net.station((b, "lan"), [10, 2, 0, 9], Tags::Untagged);
    net.run_for(SECOND * 5);
    (net, [a_spec, b_spec])
}

/// Next hops in use of the left router's BGP route.
fn learned_hops(net: &Net) -> usize {
    let routes = net.routers[LEFT].routes(&"main".into());
    let active = |r: &&skybridge_nodes::RouteObservation| {
        r.source == RouteSource::Bgp && r.state == skybridge_dataplane::RouteState::Active
    };
    routes
        .iter()
        .filter(active)
        .map(|r| r.next_hops.len())
        .sum()
}

#[test]
fn two_sessions_give_two_next_hops_and_one_failure_leaves_one() {
    let (mut net, _) = doubly_joined(|_| ());
    assert_eq!(learned_hops(&net), 2);
    net.set_link((LEFT, net.port(LEFT, "w1")), false);
    net.run_for(Duration::from_millis(1));
    assert_eq!(learned_hops(&net), 1);
    assert!(pings(&mut net));
    let states: Vec<_> = net.routers[LEFT].bgp().iter().map(|p| p.state).collect();
    assert_eq!(states, [SessionState::Idle, SessionState::Established]);
}

#[test]
fn another_multipath_limit_changes_the_next_hops_and_keeps_the_sessions() {
    let (mut net, [mut spec, _]) = doubly_joined(|_| ());
    let since = |net: &Net| -> Vec<_> { net.routers[LEFT].bgp().iter().map(|p| p.since).collect() };
    let before = since(&net);
    for (limit, hops) in [(1, 1), (4, 2)] {
        spec.vrfs.get_mut("main").unwrap().ecmp_max = limit;
        net.reconfigure(LEFT, &spec);
        net.run_for(SECOND);
        assert_eq!(learned_hops(&net), hops);
        assert_eq!(since(&net), before);
    }
}

#[test]
fn two_instances_feed_one_table_and_each_takes_only_its_own_routes_away() {
    let split = |spec: &mut Spec| {
        let main = spec.bgp.get_mut("main").unwrap();
        let two = main.peers.remove("two").unwrap();
        let mut second = main.clone();
        (second.peers, second.originated) = (BTreeMap::from([("two".to_owned(), two)]), vec![]);
        spec.bgp.insert("second".to_owned(), second);
    };
    let (mut net, [mut spec, _]) = doubly_joined(split);
    let up = |net: &Net| {
        net.routers[LEFT]
            .bgp()
            .iter()
            .all(|p| p.state == SessionState::Established)
    };
    assert!(up(&net));
    assert_eq!(learned_hops(&net), 2);
    net.set_link((LEFT, net.port(LEFT, "w2")), false);
    net.run_for(SECOND);
    assert_eq!(learned_hops(&net), 1);
    net.set_link((LEFT, net.port(LEFT, "w2")), true);
    net.run_for(SECOND * 20);
    assert_eq!(learned_hops(&net), 2);
    spec.bgp.remove("main");
    net.reconfigure(LEFT, &spec);
    net.run_for(SECOND);
    assert_eq!(learned_hops(&net), 1);
}

#[test]
fn a_waiting_peer_that_becomes_active_dials() {
    let mut specs = bgp_specs();
    for (at, name) in [(LEFT, "right"), (RIGHT, "left")] {
        peer_of(&mut specs[at], name).passive = true;
    }
    let mut net = two(&specs);
    net.run_for(SECOND * 20);
    assert_eq!(both(&net), [SessionState::Active; 2]);
    peer_of(&mut specs[LEFT], "right").passive = false;
    net.reconfigure(LEFT, &specs[LEFT]);
    net.run_for(SECOND);
    assert_eq!(both(&net), UP);
}

#[test]
fn the_same_seed_gives_the_same_frames() {
    let run = || {
        let mut specs = bgp_specs();
        with_bfd(&mut specs);
        let mut net = two(&specs);
        net.run_for(SECOND * 3);
        pings(&mut net);
        let mut hash = TraceHash::default();
        for (at, _, bytes) in &net.frames_seen {
            hash.time(*at);
            hash.bytes(bytes);
        }
        (hash.value(), net.frames_seen.len())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_session_over_ipv6_finds_its_neighbour_and_brings_ipv6_routes() {
    let mut specs = bgp_specs();
    let ends = ["2001:db8::1", "2001:db8::2"];
    for (at, name) in [(LEFT, "right"), (RIGHT, "left")] {
        let wan = specs[at].interfaces.get_mut("wan").unwrap();
        wan.addresses = vec![format!("{}/126", ends[at]).parse().unwrap()];
        // The peer is on the link even when the link's network is no route.
        wan.connected_routes = false;
        let peer = peer_of(&mut specs[at], name);
        peer.local = ends[at].parse().unwrap();
        peer.remote = ends[1 - at].parse().unwrap();
        let prefix = format!("2001:db8:{}::/48", at + 1);
        let instance = specs[at].bgp.get_mut("main").unwrap();
        instance.originated[0].prefix = prefix.parse().unwrap();
    }
    with_bfd(&mut specs);
    let mut net = two(&specs);
    net.run_for(SECOND * 5);
    assert_eq!(both(&net), UP);
    assert_eq!(net.routers[LEFT].bgp()[0].bfd, Some(SessionState::Up));
    let routes = net.routers[LEFT].routes(&"main".into());
    let learned: Vec<_> = routes
        .iter()
        .filter(|r| r.source == RouteSource::Bgp)
        .collect();
    assert_eq!(learned.len(), 1);
    assert_eq!(learned[0].prefix.to_string(), "2001:db8:2::/48");
    let rows = net.routers[LEFT].neighbours(net.now);
    let far = rows.iter().find(|r| r.address.to_string() == ends[1]);
    assert_eq!(
        far.unwrap().mac,
        Some(net.routers[RIGHT].spec().ports["wan"].mac)
    );
}

#[test]
fn interfaces_and_peers_come_and_go_without_touching_the_others() {
    let mut specs = bgp_specs();
    let mut net = two(&specs);
    net.run_for(SECOND * 5);
    let since = net.routers[LEFT].bgp()[0].since;
    for (at, name, local, remote, asn) in [
        (LEFT, "second", "192.0.2.5", "192.0.2.6", 65002),
        (RIGHT, "second", "192.0.2.6", "192.0.2.5", 65001),
    ] {
        let added = interface("wan", qinq(10, 30), &format!("{local}/30"));
        specs[at].interfaces.insert("extra".into(), added);
        let instance = specs[at].bgp.get_mut("main").unwrap();
        let added = peer("extra", local, remote, asn);
        instance.peers.insert(name.to_owned(), added);
        net.reconfigure(at, &specs[at]);
    }
    net.run_for(SECOND * 2);
    let states = |net: &Net| -> Vec<_> {
        let peers = net.routers[LEFT].bgp();
        peers.iter().map(|p| (p.peer.clone(), p.state)).collect()
    };
    let up = |name: &str| (name.to_owned(), SessionState::Established);
    assert_eq!(states(&net), [up("right"), up("second")]);
    let bgp_hops = |net: &Net| {
        let routes = net.routers[LEFT].routes(&"main".into());
        let learned = routes.iter().find(|r| r.source == RouteSource::Bgp);
        learned.map_or(0, |r| r.next_hops.len())
    };
    assert_eq!(bgp_hops(&net), 2);
    for spec in &mut specs {
        spec.interfaces.remove("extra");
        spec.bgp.get_mut("main").unwrap().peers.remove("second");
    }
    net.reconfigure(LEFT, &specs[LEFT]);
    net.run_for(SECOND);
    assert_eq!(states(&net), [up("right")]);
    assert_eq!(bgp_hops(&net), 1);
    assert_eq!(net.routers[LEFT].bgp()[0].since, since);
    let counters = net.routers[LEFT].counters();
    assert_eq!(counters.interfaces.len(), 2);
    assert!(pings(&mut net));
}
