//! What a peer is sent: attributes by kind of peer, next hop modes, communities, reflection.
#![allow(
    clippy::unwrap_used,
    reason = "clippy knows only test functions, not their helpers"
)]

mod common;

use std::time::Duration;

use common::*;
use skybridge_bgp::{
    Accept, Attributes, Community, LostBy, NextHopMode, Originate, PeerConfig, Policy, RouteStatus,
    TableId, Verdict, Withheld,
};

const T0: TableId = TableId(0);
const NET: &str = "10.1.0.0/16";

/// 0 (AS 64512) announces to 1 (AS 65001), which hands on to 2 under `change`; 2 is in AS `third`.
fn chain(route: &Originate, third: u32, change: impl FnOnce(&mut PeerConfig)) -> World {
    let mut w = World::new(
        vec![speaker(64512, 1), speaker(65001, 2), speaker(third, 3)],
        1,
    );
    w.link(
        (0, peer("10.0.0.1", "10.0.0.2", 65001)),
        (1, peer("10.0.0.2", "10.0.0.1", 64512)),
    );
    let mut on = peer("10.0.1.1", "10.0.1.2", third);
    change(&mut on);
    w.link((1, on), (2, peer("10.0.1.2", "10.0.1.1", 65001)));
    let now = w.now;
    w.speakers[0].originate(now, T0, net(NET), route).unwrap();
    w.run_for(Duration::from_secs(2));
    w
}

fn arrived(w: &World) -> Option<Attributes> {
    let view = w.speakers[2].route(T0, net(NET))?;
    Some(view.paths[0].attributes.clone())
}

#[test]
fn an_external_peer_gets_our_as_and_address_but_neither_med_nor_preference() {
    let route = Originate {
        med: Some(5),
        local_pref: Some(300),
        communities: vec![Community::new(1, 2)],
        ..Originate::default()
    };
    let w = chain(&route, 65002, |_| ());
    // One AS away the originated MED arrives, two away it does not (RFC 4271 §5.1.4).
    let near = w.speakers[1].route(T0, net(NET)).unwrap();
    assert_eq!(near.paths[0].attributes.med, Some(5));
    let a = arrived(&w).unwrap();
    assert_eq!(a.as_path.to_string(), "65001 64512");
    assert_eq!(a.next_hop, Some(ip("10.0.1.1")));
    assert_eq!((a.med, a.local_pref), (None, None));
    assert_eq!(a.communities, [Community::new(1, 2)]);
}

#[test]
fn an_internal_peer_gets_the_path_unchanged_with_a_preference() {
    let w = chain(&Originate::default(), 65001, |p| {
        p.next_hop = NextHopMode::Unchanged;
    });
    let a = arrived(&w).unwrap();
    assert_eq!(a.as_path.to_string(), "64512");
    assert_eq!(a.next_hop, Some(ip("10.0.0.1")));
    assert_eq!(a.local_pref, Some(100));
}

#[test]
fn an_explicit_next_hop_replaces_ours() {
    let w = chain(&Originate::default(), 65002, |p| {
        p.next_hop = NextHopMode::Explicit(ip("10.0.1.99"));
    });
    assert_eq!(arrived(&w).unwrap().next_hop, Some(ip("10.0.1.99")));
}

#[test]
fn private_numbers_are_removed_where_asked() {
    let w = chain(&Originate::default(), 65002, |p| p.remove_private_as = true);
    assert_eq!(arrived(&w).unwrap().as_path.to_string(), "65001");
}

#[test]
fn export_policy_prepends_sets_med_and_adds_communities() {
    let w = chain(&Originate::default(), 65002, |p| {
        p.export.as_mut().unwrap().policy = Policy {
            rules: Vec::new(),
            default: Verdict::Accept(Accept {
                prepend: 2,
                set_med: Some(9),
                add_communities: vec![Community::new(7, 7)],
                ..Accept::default()
            }),
        };
    });
    let a = arrived(&w).unwrap();
    assert_eq!(a.as_path.to_string(), "65001 65001 65001 64512");
    assert_eq!(a.med, Some(9));
    assert_eq!(a.communities, [Community::new(7, 7)]);
}

#[test]
fn nothing_is_prepended_towards_an_internal_peer_which_would_take_it_for_a_loop() {
    let w = chain(&Originate::default(), 65001, |p| {
        p.export.as_mut().unwrap().policy.default = Verdict::Accept(Accept {
            prepend: 3,
            ..Accept::default()
        });
    });
    assert_eq!(arrived(&w).unwrap().as_path.to_string(), "64512");
    let view = w.speakers[2].route(T0, net(NET)).unwrap();
    assert_eq!(view.paths[0].status, RouteStatus::Best);
}

#[test]
fn well_known_communities_hold_routes_back() {
    for (community, inside) in [
        (Community::NO_EXPORT, true),
        (Community::NO_EXPORT_SUBCONFED, true),
        (Community::NO_ADVERTISE, false),
    ] {
        let route = Originate {
            communities: vec![community],
            ..Originate::default()
        };
        // The first speaker must not send it either, so it is tagged by import at the second.
        let tag = |w: &mut World| {
            let peer = w.speakers[1].peers()[0].id;
            let mut config = w.speakers[1].peer_config(peer).unwrap().clone();
            config.import[0].policy.default = Verdict::Accept(Accept {
                add_communities: vec![community],
                ..Accept::default()
            });
            let now = w.now;
            w.speakers[1].update_peer(now, peer, config).unwrap();
            w.run_for(Duration::from_secs(1));
        };
        assert!(arrived(&chain(&route, 65002, |_| ())).is_none());
        let mut outside = chain(&Originate::default(), 65002, |_| ());
        tag(&mut outside);
        assert!(arrived(&outside).is_none(), "{community}");
        let to = outside.speakers[1].peers()[1].id;
        let why = outside.speakers[1].explain_export(to, net(NET));
        assert_eq!(why, Err(Withheld::Community(community)));
        let mut within = chain(&Originate::default(), 65001, |_| ());
        tag(&mut within);
        assert_eq!(arrived(&within).is_some(), inside, "{community}");
    }
}

#[test]
fn nothing_learned_inside_is_handed_on_inside() {
    let mut w = World::new(
        vec![speaker(65001, 1), speaker(65001, 2), speaker(65001, 3)],
        1,
    );
    w.link(
        (0, peer("10.0.0.1", "10.0.0.2", 65001)),
        (1, peer("10.0.0.2", "10.0.0.1", 65001)),
    );
    let (to, _) = w.link(
        (1, peer("10.0.1.1", "10.0.1.2", 65001)),
        (2, peer("10.0.1.2", "10.0.1.1", 65001)),
    );
    let now = w.now;
    w.speakers[0]
        .originate(now, T0, net(NET), &Originate::default())
        .unwrap();
    w.run_for(Duration::from_secs(2));
    assert_eq!(w.nets(1), [net(NET)]);
    assert!(w.nets(2).is_empty());
    let why = w.speakers[1].explain_export(to, net(NET));
    assert_eq!(why, Err(Withheld::InternalToInternal));
}

#[test]
fn the_reason_why_a_path_lost_is_shown_and_a_local_route_wins_by_weight() {
    let mut w = chain(&Originate::default(), 65002, |_| ());
    let now = w.now;
    w.speakers[1]
        .originate(now, T0, net(NET), &Originate::default())
        .unwrap();
    w.run_for(Duration::from_secs(1));
    let view = w.speakers[1].route(T0, net(NET)).unwrap();
    assert_eq!(view.paths[0].weight, 32_768);
    assert_eq!(view.paths[1].status, RouteStatus::Lost(LostBy::Weight));
    assert_eq!(arrived(&w).unwrap().as_path.to_string(), "65001");
    // The age counts from when the path was learned.
    w.run_for(Duration::from_secs(10));
    let view = w.speakers[1].route(T0, net(NET)).unwrap();
    assert!(view.paths[1].age >= Duration::from_secs(8));
}

#[test]
fn a_peer_that_knows_us_by_another_number_gets_that_and_no_route_with_it_comes_back() {
    // 1 is AS 4200000001 towards 2, whose own number among its peers is the same as 1's.
    let mut w = World::new(
        vec![speaker(64512, 1), speaker(65001, 2), speaker(65001, 2)],
        1,
    );
    w.link(
        (0, peer("10.0.0.1", "10.0.0.2", 65001)),
        (1, peer("10.0.0.2", "10.0.0.1", 64512)),
    );
    let named = |local: &str, remote: &str, own: u32, other: u32| PeerConfig {
        local_asn: Some(asn(own)),
        ..peer(local, remote, other)
    };
    let (near, far) = (4_200_000_001, 4_200_000_002);
    w.link(
        (1, named("10.0.1.1", "10.0.1.2", near, far)),
        (2, named("10.0.1.2", "10.0.1.1", far, near)),
    );
    w.link(
        (2, named("10.0.2.2", "10.0.2.1", far, near)),
        (1, named("10.0.2.1", "10.0.2.2", near, far)),
    );
    let now = w.now;
    let route = Originate::default();
    w.speakers[0].originate(now, T0, net(NET), &route).unwrap();
    w.run_for(Duration::from_secs(2));
    let a = arrived(&w).unwrap();
    assert_eq!(a.as_path.to_string(), "4200000001 64512");
    // 2 sends it on over the other link; 1 finds its own number in it.
    let view = w.speakers[1].route(T0, net(NET)).unwrap();
    let usable = view
        .paths
        .iter()
        .filter(|p| matches!(p.status, RouteStatus::Best));
    assert_eq!(usable.count(), 1);
    assert!(view.paths.len() > 1, "{view:?}");
}
