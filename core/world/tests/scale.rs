//! A network of the size that one laptop must carry: 400 sessions over 800 nodes.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../solve/tests/common/mod.rs"]
mod net;

use net::Net;
use skybridge_base::Instant;
use skybridge_nodes::{NodeEvent, SessionState};
use skybridge_world::{World, WorldEventKind};

const CIRCUITS: u16 = 200;

/// Two hubs; each of 200 sites joins both by a router of its own and has a host behind the first.
fn network() -> Net {
    let mut net = Net::default();
    for (hub, id) in [("hub1", 251), ("hub2", 252)] {
        net.router(hub);
        net.bgp(hub, 12076, id, &[]);
    }
    for site in 0..CIRCUITS {
        let low = u8::try_from(site).unwrap();
        for (plane, hub) in [(1_u8, "hub1"), (2, "hub2")] {
            let router = format!("ce{plane}-{site}");
            net.router(&router);
            let own = format!("10.{site}.0.0/16");
            net.bgp(&router, 64512 + u32::from(site), low, &[&own]);
            // Identifiers need to differ only between peers, but 0 is not one.
            net.bgp_mut(&router).router_id = [192, 0, plane, low].into();
            net.interface(hub, &router, &format!("172.16.{site}.{}/30", plane * 8 + 1));
            net.interface(&router, hub, &format!("172.16.{site}.{}/30", plane * 8 + 2));
            net.link(&format!("{hub}-{router}"), (hub, &router), (&router, hub));
            net.session(hub, &router);
            for (own, peer) in [(hub, router.as_str()), (router.as_str(), hub)] {
                let peer = net.peer_mut(own, peer);
                (peer.hold_time_s, peer.keepalive_s) = (180, 60);
            }
        }
        let (host, router) = (format!("h{site}"), format!("ce1-{site}"));
        let (address, gateway) = (format!("10.{site}.0.10/24"), format!("10.{site}.0.1"));
        net.host(&host, &router, &address, &gateway);
    }
    net
}

#[test]
fn four_hundred_idle_sessions_cost_their_keepalives_and_little_more() {
    let mut world = World::new(network().blueprint, 1).unwrap();
    let mut established = 0;
    for millis in 0..6_000 {
        // 80,000 route changes would overflow the buffer of events.
        world.run_until(Instant::from_millis(millis * 10));
        while let Some(event) = world.poll_event() {
            if let WorldEventKind::Node(NodeEvent::Bgp { to, .. }) = event.kind {
                established += u32::from(to == SessionState::Established);
            }
        }
    }
    assert_eq!(world.events_lost(), 0);
    assert_eq!(established, 4 * u32::from(CIRCUITS));
    let table = world
        .router(&"ce2-7".into())
        .unwrap()
        .routes(&"main".into());
    assert!(table.len() >= usize::from(CIRCUITS));
    let before = world.steps();
    world.run_until(Instant::from_secs(660));
    let per_minute = (world.steps() - before) / 10;
    // Of each of 800 ends a minute: a keepalive, its acknowledgement, and the timers of both.
    assert!(per_minute < 800 * 12, "{per_minute} steps a minute");
}
