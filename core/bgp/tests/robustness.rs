//! Any order of inputs, calls and octets leaves the speaker consistent and able to make progress.
#![allow(
    clippy::unwrap_used,
    reason = "clippy knows only test functions, not their helpers"
)]

mod common;

use std::time::Duration;

use common::*;
use proptest::prelude::*;
use skybridge_base::{Instant, Machine, Rng};
use skybridge_bgp::message::{Capability, Message, Open, RouteRefresh, Update};
use skybridge_bgp::{
    AsPath, Attributes, ConnId, Import, Input, Notification, Originate, Output, PeerConfig, PeerId,
    Policy, Speaker, StateKind, TableId,
};

fn config(n: u64) -> PeerConfig {
    let mut c = peer("10.0.0.1", &format!("10.0.0.{}", n + 2), 65002);
    c.passive = n == 1;
    c.fast_first = n != 2;
    if n == 2 {
        c.limits.v4 = Some(3);
        c.import.push(Import {
            table: TableId(1),
            policy: Policy::reject_all("not here"),
        });
    }
    c
}

fn some_net(rng: &mut Rng) -> ipnet::IpNet {
    net(&format!("10.{}.0.0/16", rng.below(6)))
}

fn some_message(rng: &mut Rng) -> Message {
    match rng.below(12) {
        0..=2 => Message::Open(Open {
            my_as: 65002,
            hold_time_s: 9,
            router_id: u32::try_from(rng.below(3) + 0x0aff_0000).unwrap().into(),
            capabilities: vec![
                Capability::FourOctetAs(asn(65002)),
                Capability::RouteRefresh,
            ],
        }),
        3..=5 => Message::Keepalive,
        6 => Message::Notification(Notification::cease(4)),
        7 => Message::RouteRefresh(RouteRefresh { afi: 1, safi: 1 }),
        8 => Message::Update(Box::new(Update {
            withdrawn: vec![some_net(rng)],
            ..Update::default()
        })),
        _ => Message::Update(Box::new(Update {
            nets: vec![some_net(rng), some_net(rng)],
            attributes: Attributes {
                as_path: AsPath::sequence(&[
                    asn(65002),
                    asn(u32::try_from(65000 + rng.below(4)).unwrap()),
                ]),
                next_hop: Some(ip("10.0.0.2")),
                ..Attributes::default()
            },
            ..Update::default()
        })),
    }
}

/// Octets of one message; now and then one of them is wrong, or the end is missing.
fn some_bytes(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    some_message(rng).encode(true, &mut bytes);
    if rng.below(15) == 0 {
        let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap();
        bytes[at] = u8::try_from(rng.below(256)).unwrap();
    }
    if rng.below(25) == 0 {
        bytes.truncate(usize::try_from(rng.below(bytes.len() as u64)).unwrap());
    }
    bytes
}

fn act(s: &mut Speaker, now: Instant, rng: &mut Rng, deep: &mut usize) {
    let peer = PeerId(u16::try_from(rng.below(4)).unwrap());
    let conn = ConnId(rng.below(8));
    match rng.below(24) {
        0 => s.handle_input(
            now,
            Input::Connected {
                peer,
                conn: ConnId(conn.0 + 100 * rng.below(9)),
            },
        ),
        1 => s.handle_input(now, Input::Accepted { peer, conn }),
        2 => s.handle_input(now, Input::ConnectFailed { peer }),
        3 => s.handle_input(now, Input::Closed { conn }),
        4 => s.handle_input(
            now,
            Input::Blocked {
                conn,
                blocked: rng.below(2) == 0,
            },
        ),
        5 => s.handle_input(now, Input::BfdDown { peer }),
        6 if rng.below(6) == 0 => drop(s.admin_down(now, peer, "x")),
        7 => drop(s.admin_up(now, peer)),
        8 if rng.below(6) == 0 => drop(s.reset(now, peer)),
        9 if rng.below(9) == 0 => drop(s.remove_peer(now, peer)),
        10 => drop(s.add_peer(now, config(rng.below(3)))),
        11 => s
            .originate(now, TableId(0), some_net(rng), &Originate::default())
            .unwrap(),
        12 => drop(s.withdraw_originated(now, TableId(0), some_net(rng))),
        13 => {
            if let Some(mut c) = s.peer_config(peer).cloned() {
                match rng.below(4) {
                    0 => c.import.clear(),
                    1 => c.import = config(2).import,
                    2 => c.export = None,
                    _ => c.source_tag += 1,
                }
                s.update_peer(now, peer, c).unwrap();
            }
        }
        // A peer that behaves: accept, OPEN, KEEPALIVE.
        14 => {
            s.handle_input(now, Input::Accepted { peer, conn });
            let mut bytes = Vec::new();
            Message::Open(Open {
                my_as: 65002,
                hold_time_s: 9,
                router_id: [10, 255, 0, 9].into(),
                capabilities: vec![Capability::FourOctetAs(asn(65002))],
            })
            .encode(true, &mut bytes);
            Message::Keepalive.encode(true, &mut bytes);
            s.handle_input(
                now,
                Input::Received {
                    conn,
                    bytes: &bytes,
                },
            );
            *deep += usize::from(s.peer_state(peer) == Some(StateKind::Established));
        }
        _ => {
            let bytes = some_bytes(rng);
            s.handle_input(
                now,
                Input::Received {
                    conn,
                    bytes: &bytes,
                },
            );
        }
    }
}

fn run(seed: u64, deep: &mut usize) {
    let mut rng = Rng::new(seed);
    let mut s = speaker_with(65001, 1, |c| {
        c.tables = 2;
        c.multipath_max = 2;
        c.paths_max = 12;
    });
    let mut now = Instant::ZERO;
    for n in 0..3 {
        s.add_peer(now, config(n)).unwrap();
    }
    let mut fed = std::collections::BTreeSet::new();
    for _ in 0..300 {
        act(&mut s, now, &mut rng, deep);
        if rng.below(4) == 0 {
            now += Duration::from_millis(rng.below(3000));
        }
        for spin in 0.. {
            while let Some(output) = s.poll_output() {
                if let Output::BestChanged { table, net, paths } = output {
                    if paths.is_empty() {
                        fed.remove(&(table, net));
                    } else {
                        fed.insert((table, net));
                    }
                }
            }
            if s.poll_timeout().is_none_or(|d| d.at > now) {
                break;
            }
            assert!(spin < 100, "no progress: {:?}", s.poll_timeout());
            s.handle_timeout(now);
        }
        check(&s, &fed);
    }
}

/// What is shown agrees with what was fed and with the peers' states.
fn check(s: &Speaker, fed: &std::collections::BTreeSet<(TableId, ipnet::IpNet)>) {
    let mut best = std::collections::BTreeSet::new();
    for table in [TableId(0), TableId(1)] {
        for route in s.routes(table) {
            for path in &route.paths {
                if let skybridge_bgp::Source::Peer(id) = path.source {
                    assert_eq!(s.peer_state(id), Some(StateKind::Established));
                }
                if path.status == skybridge_bgp::RouteStatus::Best {
                    best.insert((table, route.net));
                }
            }
        }
    }
    assert_eq!(&best, fed);
    for view in s.peers() {
        let c = view.counters;
        assert!(c.v4.prefixes_accepted <= c.v4.prefixes_received, "{c:?}");
        let out = s.adj_rib_out(view.id);
        if !view.blocked {
            let sent = usize::try_from(c.v4.prefixes_sent).unwrap();
            assert_eq!(sent, out.len(), "{view:?}");
        }
        if let Some(first) = s.peer_config(view.id).unwrap().import.first() {
            let own = skybridge_bgp::Source::Peer(view.id);
            let routes = s.routes(first.table);
            let held = routes
                .iter()
                .filter(|r| r.paths.iter().any(|p| p.source == own))
                .count();
            assert_eq!(
                usize::try_from(c.v4.prefixes_received).unwrap(),
                held,
                "{view:?}"
            );
        }
        if view.state != StateKind::Established {
            assert!(out.is_empty(), "{view:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_history_leaves_the_speaker_consistent(seed in any::<u64>()) {
        run(seed, &mut 0);
    }
}

#[test]
fn the_histories_reach_established_often() {
    let mut deep = 0;
    (0..20).for_each(|seed| run(seed, &mut deep));
    assert!(deep > 40, "only {deep}");
}
