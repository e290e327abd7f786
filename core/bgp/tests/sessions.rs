//! Two or three speakers in virtual time: bring-up, collision, loss, limits.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows only test functions, not their helpers"
)]

mod common;

use std::time::Duration;

use common::*;
use skybridge_base::{Instant, Machine};
use skybridge_bgp::message::{Capability, Message, Open, RouteRefresh, Update};
use skybridge_bgp::{
    Accept, AsPath, Attributes, ConfigError, ConnId, Export, Family, Import, Input, Match,
    Originate, PeerConfig, PeerId, Policy, PrefixMatch, Reason, RejectReason, RouteStatus, Rule,
    Speaker, StateKind, TableId, Verdict, Withheld,
};

const T0: TableId = TableId(0);

#[test]
fn two_speakers_exchange_routes() {
    let mut w = World::new(vec![speaker(65001, 1), speaker(65002, 2)], 1);
    let (a, b) = w.link(
        (0, peer("10.0.0.1", "10.0.0.2", 65002)),
        (1, peer("10.0.0.2", "10.0.0.1", 65001)),
    );
    w.speakers[0]
        .originate(w.now, T0, net("192.0.2.0/24"), &Originate::default())
        .unwrap();
    w.run_until(Instant::from_millis(300));
    assert_eq!(w.state(0, a), StateKind::Established);
    assert_eq!(w.state(1, b), StateKind::Established);
    assert_eq!(w.nets(1), [net("192.0.2.0/24")]);
    let path = &w.fib[1][&(T0, net("192.0.2.0/24"))][0];
    assert_eq!(path.next_hop, Some(ip("10.0.0.1")));
    w.speakers[0].withdraw_originated(w.now, T0, net("192.0.2.0/24"));
    w.run_for(Duration::from_millis(100));
    assert!(w.nets(1).is_empty());
}

fn pair(seed: u64) -> (World, PeerId, PeerId) {
    let mut w = World::new(vec![speaker(65001, 1), speaker(65002, 2)], seed);
    let (a, b) = w.link(
        (0, peer("10.0.0.1", "10.0.0.2", 65002)),
        (1, peer("10.0.0.2", "10.0.0.1", 65001)),
    );
    (w, a, b)
}

fn originate(w: &mut World, at: usize, text: &str) {
    let now = w.now;
    w.speakers[at]
        .originate(now, T0, net(text), &Originate::default())
        .unwrap();
}

fn ups(w: &World, at: usize) -> usize {
    w.changes
        .iter()
        .filter(|c| c.speaker == at && c.to == StateKind::Established)
        .count()
}

#[test]
fn both_connecting_at_once_leaves_exactly_one_session() {
    for seed in 0..40 {
        let (mut w, a, b) = pair(seed);
        w.delay = Duration::from_millis(1 + seed * 7);
        w.run_until(Instant::from_secs(20));
        assert_eq!(w.state(0, a), StateKind::Established, "seed {seed}");
        assert_eq!(w.state(1, b), StateKind::Established, "seed {seed}");
        assert_eq!(w.open_connections(), 1, "seed {seed}");
        assert_eq!((ups(&w, 0), ups(&w, 1)), (1, 1), "seed {seed}");
    }
}

#[test]
fn the_connection_of_the_higher_identifier_survives_a_collision() {
    let (mut w, _, _) = pair(3);
    w.run_until(Instant::from_secs(2));
    let lost: Vec<_> = w.speakers[0].peers()[0]
        .last_sent
        .clone()
        .into_iter()
        .collect();
    assert_eq!(
        lost[0].to_string(),
        "Cease: Connection Collision Resolution (6/7)"
    );
    // 10.255.0.2 dialled it, so at speaker 0 it was accepted.
    assert_eq!(w.opener(), Some(1));
}

#[test]
fn the_hold_timer_expires_exactly_at_the_negotiated_time() {
    let (mut w, a, _) = pair(5);
    w.run_until(Instant::from_secs(30));
    w.silent = true;
    let heard = w.heard[0];
    w.run_for(Duration::from_secs(12));
    let down = w
        .changes
        .iter()
        .rev()
        .find(|c| c.speaker == 0 && c.peer == a && c.from == StateKind::Established);
    let down = down.unwrap();
    assert_eq!(down.reason, Reason::HoldTimerExpired);
    assert_eq!(down.at, heard + Duration::from_secs(9));
}

#[test]
fn a_session_comes_back_after_a_cut_and_routes_with_it() {
    let (mut w, a, _) = pair(6);
    originate(&mut w, 1, "198.51.100.0/24");
    w.run_until(Instant::from_secs(2));
    assert_eq!(w.nets(0), [net("198.51.100.0/24")]);
    w.silent = true;
    w.run_for(Duration::from_secs(15));
    assert_ne!(w.state(0, a), StateKind::Established);
    assert!(w.nets(0).is_empty());
    w.silent = false;
    w.run_for(Duration::from_secs(30));
    assert_eq!(w.state(0, a), StateKind::Established);
    assert_eq!(w.nets(0), [net("198.51.100.0/24")]);
}

#[test]
fn a_hold_time_of_zero_means_no_keepalives_and_no_expiry() {
    let mut w = World::new(vec![speaker(65001, 1), speaker(65002, 2)], 1);
    let zero = |c: PeerConfig| PeerConfig {
        hold_time_s: 0,
        ..c
    };
    let (a, _) = w.link(
        (0, zero(peer("10.0.0.1", "10.0.0.2", 65002))),
        (1, peer("10.0.0.2", "10.0.0.1", 65001)),
    );
    w.run_until(Instant::from_secs(2));
    let view = w.speakers[0].peer_view(a).unwrap();
    assert_eq!(view.negotiated.unwrap().hold_time_s, 0);
    w.silent = true;
    w.run_for(Duration::from_secs(100_000));
    assert_eq!(w.state(0, a), StateKind::Established);
}

#[test]
fn a_configured_keepalive_is_capped_by_a_third_of_the_hold_time() {
    let mut w = World::new(vec![speaker(65001, 1), speaker(65002, 2)], 1);
    let with = |k, c: PeerConfig| PeerConfig {
        keepalive_s: Some(k),
        ..c
    };
    let (a, b) = w.link(
        (0, with(1, peer("10.0.0.1", "10.0.0.2", 65002))),
        (1, with(60, peer("10.0.0.2", "10.0.0.1", 65001))),
    );
    w.run_until(Instant::from_secs(2));
    let keepalive = |at: usize, p| {
        w.speakers[at]
            .peer_view(p)
            .unwrap()
            .negotiated
            .unwrap()
            .keepalive_s
    };
    assert_eq!((keepalive(0, a), keepalive(1, b)), (1, 3));
}

#[test]
fn a_wrong_as_is_refused_with_bad_peer_as() {
    let mut w = World::new(vec![speaker(65001, 1), speaker(65002, 2)], 1);
    let (a, _) = w.link(
        (0, peer("10.0.0.1", "10.0.0.2", 65099)),
        (1, peer("10.0.0.2", "10.0.0.1", 65001)),
    );
    w.run_until(Instant::from_secs(3));
    let view = w.speakers[0].peer_view(a).unwrap();
    let sent = view.last_sent.unwrap();
    assert_eq!((sent.code, sent.subcode), (2, 2));
    assert_eq!(ups(&w, 0), 0);
}

#[test]
fn too_many_prefixes_end_the_session_and_it_returns_when_there_are_fewer() {
    let mut w = World::new(vec![speaker(65001, 1), speaker(65002, 2)], 1);
    let mut limited = peer("10.0.0.1", "10.0.0.2", 65002);
    limited.limits.v4 = Some(2);
    limited.limits.retry_after = Some(Duration::from_secs(20));
    let (a, b) = w.link((0, limited), (1, peer("10.0.0.2", "10.0.0.1", 65001)));
    for n in 0..3 {
        originate(&mut w, 1, &format!("10.1.{n}.0/24"));
    }
    w.run_until(Instant::from_secs(10));
    assert_eq!(w.state(0, a), StateKind::Idle);
    let view = w.speakers[0].peer_view(a).unwrap();
    assert_eq!(
        view.last_reset,
        Some(Reason::MaxPrefixes {
            family: Family::V4,
            limit: 2
        })
    );
    let received = w.speakers[1].peer_view(b).unwrap().last_received.unwrap();
    assert_eq!((received.code, received.subcode), (6, 1));
    assert_eq!(received.data, [0, 1, 1, 0, 0, 0, 2]);
    assert!(w.nets(0).is_empty());
    let now = w.now;
    w.speakers[1].withdraw_originated(now, T0, net("10.1.0.0/24"));
    w.run_for(Duration::from_secs(60));
    assert_eq!(w.state(0, a), StateKind::Established);
    assert_eq!(w.nets(0).len(), 2);
}

#[test]
fn a_route_through_our_own_as_stays_visible_as_rejected() {
    let mut w = World::new(vec![speaker(65001, 1), speaker(65002, 2)], 1);
    w.link(
        (0, peer("10.0.0.1", "10.0.0.2", 65002)),
        (1, peer("10.0.0.2", "10.0.0.1", 65001)),
    );
    let now = w.now;
    let route = Originate {
        as_path: vec![asn(65001), asn(7)],
        ..Originate::default()
    };
    w.speakers[1]
        .originate(now, T0, net("10.9.0.0/16"), &route)
        .unwrap();
    w.run_until(Instant::from_secs(1));
    assert!(w.nets(0).is_empty());
    let view = w.speakers[0].route(T0, net("10.9.0.0/16")).unwrap();
    assert_eq!(
        view.paths[0].status,
        RouteStatus::Rejected(RejectReason::AsLoop)
    );
    assert_eq!(
        view.paths[0].attributes.as_path.to_string(),
        "65002 65001 7"
    );
}

#[test]
fn a_two_octet_peer_hands_four_octet_numbers_through() {
    // 4200000001 - 65002 (no 4-octet capability) - 65003
    let mut w = World::new(
        vec![
            speaker(4_200_000_001, 1),
            speaker(65002, 2),
            speaker(65003, 3),
        ],
        1,
    );
    let old = |c: PeerConfig| PeerConfig {
        four_octet_as: false,
        ..c
    };
    w.link(
        (0, peer("10.0.0.1", "10.0.0.2", 65002)),
        (1, old(peer("10.0.0.2", "10.0.0.1", 23456))),
    );
    w.link(
        (1, peer("10.0.1.1", "10.0.1.2", 65003)),
        (2, peer("10.0.1.2", "10.0.1.1", 65002)),
    );
    originate(&mut w, 0, "10.1.0.0/16");
    w.run_until(Instant::from_secs(5));
    let view = w.speakers[2].route(T0, net("10.1.0.0/16")).unwrap();
    let path = view.paths[0].attributes.as_path.to_string();
    assert_eq!(path, "65002 4200000001");
}

#[test]
fn a_speaker_told_not_to_offer_four_octets_is_heard_as_as_trans() {
    let old = |c: PeerConfig| PeerConfig {
        four_octet_as: false,
        ..c
    };
    let mut w = World::new(
        vec![
            speaker(4_200_000_001, 1),
            speaker(65002, 2),
            speaker(65003, 3),
        ],
        1,
    );
    w.link(
        (0, old(peer("10.0.0.1", "10.0.0.2", 65002))),
        (1, peer("10.0.0.2", "10.0.0.1", 23456)),
    );
    w.link(
        (1, peer("10.0.1.1", "10.0.1.2", 65003)),
        (2, peer("10.0.1.2", "10.0.1.1", 65002)),
    );
    originate(&mut w, 0, "10.1.0.0/16");
    w.run_until(Instant::from_secs(5));
    let view = w.speakers[2].route(T0, net("10.1.0.0/16")).unwrap();
    assert_eq!(
        view.paths[0].attributes.as_path.to_string(),
        "65002 4200000001"
    );
}

#[test]
fn admin_down_tells_the_peer_why_and_admin_up_brings_it_back() {
    let (mut w, a, b) = pair(9);
    w.run_until(Instant::from_secs(1));
    let now = w.now;
    w.speakers[0].admin_down(now, a, "maintenance 42").unwrap();
    w.run_for(Duration::from_secs(30));
    assert_eq!(w.state(0, a), StateKind::Idle);
    let received = w.speakers[1].peer_view(b).unwrap().last_received.unwrap();
    assert_eq!(received.text(), Some("maintenance 42"));
    let now = w.now;
    w.speakers[0].admin_up(now, a).unwrap();
    w.run_for(Duration::from_secs(10));
    assert_eq!(w.state(0, a), StateKind::Established);
}

#[test]
fn bfd_down_drops_an_established_session_at_once() {
    let (mut w, a, _) = pair(9);
    originate(&mut w, 1, "10.1.0.0/16");
    w.run_until(Instant::from_secs(1));
    let now = w.now;
    w.speakers[0].bfd_down(now, a);
    w.run_until(now);
    assert_eq!(w.changes.last().unwrap().reason, Reason::BfdDown);
    assert!(w.nets(0).is_empty());
}

#[test]
fn a_policy_change_takes_effect_without_touching_the_session() {
    let (mut w, a, b) = pair(2);
    originate(&mut w, 1, "10.1.0.0/16");
    originate(&mut w, 1, "10.2.0.0/16");
    w.run_until(Instant::from_secs(1));
    assert_eq!(w.nets(0).len(), 2);
    let only = |text: &str| Policy {
        rules: vec![Rule {
            matches: Match {
                prefixes: vec![PrefixMatch::or_longer(net(text))],
                ..Match::default()
            },
            action: Verdict::Accept(Accept {
                set_local_pref: Some(250),
                ..Accept::default()
            }),
        }],
        default: Verdict::Reject {
            reason: "not ours".into(),
        },
    };
    let mut config = w.speakers[0].peer_config(a).unwrap().clone();
    config.import[0].policy = only("10.1.0.0/16");
    let now = w.now;
    w.speakers[0].update_peer(now, a, config).unwrap();
    w.run_for(Duration::from_secs(1));
    assert_eq!(w.nets(0), [net("10.1.0.0/16")]);
    let refused = w.speakers[0].route(T0, net("10.2.0.0/16")).unwrap();
    let why = RouteStatus::Rejected(RejectReason::Policy("not ours".into()));
    assert_eq!(refused.paths[0].status, why);
    let kept = w.speakers[0].route(T0, net("10.1.0.0/16")).unwrap();
    assert_eq!(kept.paths[0].attributes.local_pref, Some(250));

    let mut config = w.speakers[1].peer_config(b).unwrap().clone();
    config.export.as_mut().unwrap().policy = only("10.2.0.0/16");
    let now = w.now;
    w.speakers[1].update_peer(now, b, config).unwrap();
    w.run_for(Duration::from_secs(1));
    assert!(w.nets(0).is_empty());
    assert_eq!(w.speakers[1].adj_rib_out(b).len(), 1);
    assert_eq!(ups(&w, 0), 1);
    assert_eq!(w.speakers[0].peer_view(a).unwrap().counters.resets, 0);
}

#[test]
fn a_change_of_addresses_or_as_requires_a_reset() {
    let (mut w, a, _) = pair(2);
    let mut config = w.speakers[0].peer_config(a).unwrap().clone();
    config.remote_asn = asn(1);
    let now = w.now;
    assert_eq!(
        w.speakers[0].update_peer(now, a, config),
        Err(ConfigError::RequiresReset)
    );
}

#[test]
fn routes_enter_several_tables_and_leave_from_one_under_tags() {
    let two = |c: &mut skybridge_bgp::SpeakerConfig| c.tables = 2;
    let mut w = World::new(
        vec![
            speaker_with(65001, 1, two),
            speaker(65002, 2),
            speaker(65003, 3),
        ],
        4,
    );
    let mut left = peer("10.0.0.1", "10.0.0.2", 65002);
    left.source_tag = 7;
    left.import.push(Import {
        table: TableId(1),
        policy: Policy::accept_all(),
    });
    let mut right = peer("10.0.1.1", "10.0.1.2", 65003);
    let rule = Rule {
        matches: Match {
            source_tags: vec![7],
            ..Match::default()
        },
        action: Verdict::Reject {
            reason: "no transit".into(),
        },
    };
    right.export = Some(Export {
        table: TableId(1),
        policy: Policy {
            rules: vec![rule],
            default: Verdict::Accept(Accept::default()),
        },
    });
    w.link((0, left), (1, peer("10.0.0.2", "10.0.0.1", 65001)));
    let (right, _) = w.link((0, right), (2, peer("10.0.1.2", "10.0.1.1", 65001)));
    originate(&mut w, 1, "10.1.0.0/16");
    let now = w.now;
    w.speakers[0]
        .originate(now, TableId(1), net("10.5.0.0/16"), &Originate::default())
        .unwrap();
    w.run_until(Instant::from_secs(2));
    assert_eq!(w.speakers[0].routes(T0).len(), 1);
    assert_eq!(w.speakers[0].routes(TableId(1)).len(), 2);
    assert_eq!(w.nets(2), [net("10.5.0.0/16")]);
    assert_eq!(
        w.speakers[0].explain_export(right, net("10.1.0.0/16")),
        Err(Withheld::Policy("no transit".into()))
    );
}

#[test]
fn ipv6_prefixes_carry_a_link_local_next_hop_when_configured() {
    let mut w = World::new(vec![speaker(65001, 1), speaker(65002, 2)], 1);
    let mut first = peer("2001:db8::1", "2001:db8::2", 65002);
    first.link_local = Some("fe80::1".parse().unwrap());
    w.link((0, first), (1, peer("2001:db8::2", "2001:db8::1", 65001)));
    originate(&mut w, 0, "2001:db8:1::/48");
    w.run_until(Instant::from_secs(1));
    let path = w.fib[1][&(T0, net("2001:db8:1::/48"))][0];
    assert_eq!(path.next_hop, Some(ip("2001:db8::1")));
    assert_eq!(path.link_local, Some("fe80::1".parse().unwrap()));
}

#[test]
fn two_equal_paths_are_both_in_the_forwarding_set_and_one_is_sent_on() {
    let multi = |c: &mut skybridge_bgp::SpeakerConfig| c.multipath_max = 4;
    let mut w = World::new(
        vec![
            speaker_with(65001, 1, multi),
            speaker(65002, 2),
            speaker(65002, 3),
        ],
        4,
    );
    w.link(
        (0, peer("10.0.0.1", "10.0.0.2", 65002)),
        (1, peer("10.0.0.2", "10.0.0.1", 65001)),
    );
    let (second, _) = w.link(
        (0, peer("10.0.1.1", "10.0.1.2", 65002)),
        (2, peer("10.0.1.2", "10.0.1.1", 65001)),
    );
    originate(&mut w, 1, "10.1.0.0/16");
    originate(&mut w, 2, "10.1.0.0/16");
    w.run_until(Instant::from_secs(1));
    let hops = |w: &World| -> Vec<_> {
        w.fib[0][&(T0, net("10.1.0.0/16"))]
            .iter()
            .filter_map(|p| p.next_hop)
            .collect()
    };
    assert_eq!(hops(&w), [ip("10.0.0.2"), ip("10.0.1.2")]);
    let now = w.now;
    w.speakers[0].bfd_down(now, second);
    w.run_until(now);
    assert_eq!(hops(&w), [ip("10.0.0.2")]);
}

/// A peer driven by hand: handshake, then raw octets.
fn by_hand() -> (Speaker, PeerId, ConnId) {
    let mut s = speaker(65001, 1);
    let mut config = peer("10.0.0.1", "10.0.0.2", 65002);
    config.passive = true;
    let id = s.add_peer(Instant::ZERO, config).unwrap();
    let conn = ConnId(1);
    s.handle_input(Instant::ZERO, Input::Accepted { peer: id, conn });
    let open = Open {
        my_as: 65002,
        hold_time_s: 9,
        router_id: [2, 2, 2, 2].into(),
        capabilities: vec![Capability::FourOctetAs(asn(65002))],
    };
    for message in [Message::Open(open), Message::Keepalive] {
        feed(&mut s, conn, &message);
    }
    assert_eq!(s.peer_state(id), Some(StateKind::Established));
    (s, id, conn)
}

fn feed(s: &mut Speaker, conn: ConnId, message: &Message) {
    let mut bytes = Vec::new();
    message.encode(true, &mut bytes);
    feed_bytes(s, conn, &bytes);
}

fn feed_bytes(s: &mut Speaker, conn: ConnId, bytes: &[u8]) {
    s.handle_input(Instant::ZERO, Input::Received { conn, bytes });
    s.handle_timeout(Instant::ZERO);
}

fn announcement(text: &str) -> Message {
    Message::Update(Box::new(Update {
        nets: vec![net(text)],
        attributes: Attributes {
            as_path: AsPath::sequence(&[asn(65002)]),
            next_hop: Some(ip("10.0.0.2")),
            ..Attributes::default()
        },
        ..Update::default()
    }))
}

#[test]
fn a_malformed_attribute_withdraws_the_prefix_and_keeps_the_session() {
    let (mut s, id, conn) = by_hand();
    feed(&mut s, conn, &announcement("10.1.0.0/16"));
    feed(&mut s, conn, &announcement("10.2.0.0/16"));
    assert_eq!(s.routes(T0).len(), 2);
    let mut bytes = Vec::new();
    announcement("10.1.0.0/16").encode(true, &mut bytes);
    // ORIGIN is the first attribute: flags, type, length, then the value.
    bytes[26] = 7;
    feed_bytes(&mut s, conn, &bytes);
    let left: Vec<_> = s.routes(T0).iter().map(|r| r.net).collect();
    assert_eq!(left, [net("10.2.0.0/16")]);
    let view = s.peer_view(id).unwrap();
    assert_eq!(view.state, StateKind::Established);
    assert_eq!(view.counters.treated_as_withdraw, 1);
}

#[test]
fn an_unreadable_prefix_resets_the_session_and_takes_the_routes() {
    let (mut s, id, conn) = by_hand();
    feed(&mut s, conn, &announcement("10.1.0.0/16"));
    let mut bytes = Vec::new();
    announcement("10.2.0.0/16").encode(true, &mut bytes);
    let at = bytes.len() - 3;
    bytes[at] = 33;
    feed_bytes(&mut s, conn, &bytes);
    assert!(s.routes(T0).is_empty());
    let sent = s.peer_view(id).unwrap().last_sent.unwrap();
    assert_eq!((sent.code, sent.subcode), (3, 10));
}

#[test]
fn a_route_refresh_sends_everything_again() {
    let (mut s, id, conn) = by_hand();
    s.originate(Instant::ZERO, T0, net("10.7.0.0/16"), &Originate::default())
        .unwrap();
    s.handle_timeout(Instant::ZERO);
    s.handle_timeout(Instant::ZERO);
    let before = s.peer_view(id).unwrap().counters.updates_out;
    feed(
        &mut s,
        conn,
        &Message::RouteRefresh(RouteRefresh { afi: 1, safi: 1 }),
    );
    s.handle_timeout(Instant::ZERO);
    let after = s.peer_view(id).unwrap().counters;
    // The prefix and the End-of-RIB.
    assert_eq!(after.updates_out - before, 2);
    assert_eq!(after.v4.prefixes_sent, 1);
}

#[test]
fn while_the_transport_is_blocked_changes_wait_and_only_the_last_is_sent() {
    let (mut s, id, conn) = by_hand();
    s.handle_timeout(Instant::ZERO);
    s.handle_input(
        Instant::ZERO,
        Input::Blocked {
            conn,
            blocked: true,
        },
    );
    let before = s.peer_view(id).unwrap().counters.updates_out;
    for _ in 0..5 {
        s.originate(Instant::ZERO, T0, net("10.7.0.0/16"), &Originate::default())
            .unwrap();
        s.handle_timeout(Instant::ZERO);
        s.withdraw_originated(Instant::ZERO, T0, net("10.7.0.0/16"));
        s.handle_timeout(Instant::ZERO);
    }
    s.originate(Instant::ZERO, T0, net("10.7.0.0/16"), &Originate::default())
        .unwrap();
    s.handle_timeout(Instant::ZERO);
    assert_eq!(s.peer_view(id).unwrap().counters.updates_out, before);
    assert_ne!(s.poll_timeout().map(|d| d.reason), Some("bgp table"));
    s.handle_input(
        Instant::ZERO,
        Input::Blocked {
            conn,
            blocked: false,
        },
    );
    s.handle_timeout(Instant::ZERO);
    assert_eq!(s.peer_view(id).unwrap().counters.updates_out, before + 1);
}
