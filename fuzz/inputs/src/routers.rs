//! A whole router fed with frames.

use std::collections::BTreeMap;
use std::time::Duration;

use skybridge_base::{Instant, MacAddr, VlanId};
use skybridge_blueprint::{
    Interface, NextHop, Port, RouteSource, Router as Spec, StaticRoute, Tagging, Vrf,
};
use skybridge_nodes::{Node, Outbox, Router};
use skybridge_wire::Frame;

/// Timeouts that a router may ask for at one instant.
const TIMEOUTS_PER_INSTANT_MAX: u32 = 1_000;

/// Frames at a router with a plain and a double-tagged interface. The first octet of each says where it
/// arrives; its destination is made ours when it is not a group address.
pub fn router(data: &[u8]) {
    let mut router = Router::new("fuzz", &spec(), 1);
    let mut out = Outbox::default();
    let mut now = Instant::ZERO;
    let ports = ["lan", "wan"].map(|name| router.port_index(&name.into()).expect("its port"));
    for port in ports {
        router.handle_link(now, port, true, &mut out);
    }
    let mut rest = data;
    while let Some((&head, after)) = rest.split_first() {
        let (chunk, after) = after.split_at((usize::from(head >> 1) * 2).min(after.len()));
        rest = after;
        let at = usize::from(head & 1);
        let mut bytes = chunk.to_vec();
        if bytes.len() >= 6 && bytes[0] & 1 == 0 {
            bytes[..6].copy_from_slice(&mac(at).0);
        }
        now += Duration::from_millis(100);
        router.handle_frames(now, ports[at], &mut vec![Frame::from_l2(&bytes)], &mut out);
        settle(&mut router, now, &mut out);
    }
}

fn settle(router: &mut Router, now: Instant, out: &mut Outbox) {
    for _ in 0..TIMEOUTS_PER_INSTANT_MAX {
        out.frames.clear();
        out.events.clear();
        if router.poll_timeout().is_none_or(|due| due.at > now) {
            return;
        }
        router.handle_timeout(now, out);
    }
    panic!("the router makes no progress at {now}");
}

fn mac(at: usize) -> MacAddr {
    MacAddr::local(1 + at as u64)
}

fn spec() -> Spec {
    let tags = Tagging::QinQ {
        s_tag: VlanId::new(10).expect("in range"),
        c_tag: VlanId::new(20).expect("in range"),
    };
    let interface = |port: &str, tagging, address: &str| Interface {
        port: port.into(),
        tagging,
        vrf: "main".into(),
        addresses: vec![address.parse().expect("an address")],
        connected_routes: true,
        mtu: 1500,
        proxy_arp: port == "lan",
        filter_in: None,
        filter_out: None,
        policer_in: None,
        policer_out: None,
        zone: None,
        source_check: None,
        tenant: None,
    };
    let route = StaticRoute {
        prefix: "10.2.0.0/16".parse().expect("a prefix"),
        next_hop: NextHop::Via {
            interface: "wan".into(),
            address: "192.0.2.2".parse().expect("an address"),
        },
        preference: 1,
        source: RouteSource::User,
    };
    Spec {
        ports: BTreeMap::from([
            ("lan".into(), Port { mac: mac(0) }),
            ("wan".into(), Port { mac: mac(1) }),
        ]),
        interfaces: BTreeMap::from([
            (
                "lan".into(),
                interface("lan", Tagging::Untagged, "10.1.0.1/24"),
            ),
            ("wan".into(), interface("wan", tags, "192.0.2.1/30")),
        ]),
        vrfs: BTreeMap::from([(
            "main".into(),
            Vrf {
                routes: vec![route],
                ecmp_max: 2,
                symmetric: false,
                label: String::new(),
            },
        )]),
        ..Spec::default()
    }
}
