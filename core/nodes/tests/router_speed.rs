//! What a hop costs. `cargo test --release -p skybridge-nodes --test router_speed -- --ignored
//! --nocapture`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

mod router_support;

use router_support::{Net, interface, qinq, route, spec, via};
use skybridge_base::Instant;
use skybridge_blueprint::{
    Access, AddressSet, Filter, Protocol, Router as Spec, Rule, RuleSet, RuleSetMode, Tagging,
    Tracking,
};
use skybridge_nodes::{Node, Outbox};
use skybridge_wire::{EtherType, EthernetRepr, Frame, Tags, ethernet};

const FRAMES: u32 = 2_000_000;
const BATCH: u32 = 32;

fn filter() -> Filter {
    let rule = |name: String, port: u16| Rule {
        name,
        access: Access::Allow,
        tracking: Tracking::Stateful,
        protocols: vec![Protocol::Ports {
            number: 6,
            source: vec![],
            destination: vec![port..=port],
        }],
        sources: AddressSet {
            prefixes: vec!["0.0.0.0/0".parse().unwrap()],
            learned_in: None,
        },
        destinations: AddressSet {
            prefixes: vec!["0.0.0.0/0".parse().unwrap()],
            learned_in: None,
        },
        unknown: false,
    };
    let mut rules: Vec<_> = (0..20).map(|i| rule(format!("r{i}"), 1000 + i)).collect();
    rules.push(Rule {
        protocols: vec![Protocol::Any],
        ..rule("all".to_owned(), 0)
    });
    Filter {
        sets: vec![RuleSet {
            name: "nsg".to_owned(),
            mode: RuleSetMode::FirstMatch,
            rules,
        }],
    }
}

fn router(prefixes: u32) -> Spec {
    let routes = (0..prefixes).map(|i| {
        let prefix = format!("10.{}.{}.0/24", 2 + i / 250, i % 250);
        route(&prefix, via("wan", "192.0.2.2"))
    });
    spec(
        &[("lan", 1), ("wan", 2)],
        &[
            ("lan", interface("lan", Tagging::Untagged, "10.1.0.1/24")),
            ("wan", interface("wan", qinq(10, 20), "192.0.2.1/30")),
        ],
        routes.collect(),
    )
}

fn measure(name: &str, spec: &Spec, len: usize) {
    let mut net = Net::default();
    let at = net.router("r", spec);
    net.station((at, "lan"), [10, 1, 0, 9], Tags::Untagged);
    let wan = Tags::qinq(
        skybridge_base::VlanId::new(10).unwrap(),
        skybridge_base::VlanId::new(20).unwrap(),
    );
    net.station((at, "wan"), [192, 0, 2, 2], wan);
    let packet = net.echo(0, [10, 2, 0, 9], 64, len, true);
    net.send(0, &packet, 0);
    net.run_for(std::time::Duration::from_secs(1));
    assert_eq!(net.stations[1].received.len(), 1);
    let port = net.port(at, "lan");
    let (dst, src) = (net.stations[0].gateway, net.stations[0].mac);
    let router = &mut net.routers[at];
    let header = EthernetRepr {
        dst,
        src,
        tags: Tags::Untagged,
        ethertype: EtherType::IPV4,
    };
    let mut frames: Vec<Frame> = (0..BATCH)
        .map(|_| {
            let mut frame = Frame::with_headroom(&packet);
            header.push(&mut frame);
            frame
        })
        .collect();
    let mut out = Outbox::default();
    #[allow(
        clippy::disallowed_types,
        reason = "a measurement needs the machine's clock"
    )]
    let start = std::time::Instant::now();
    for _ in 0..FRAMES / BATCH {
        router.handle_frames(Instant::from_secs(2), port, &mut frames, &mut out);
        // Back to the start: TTL and header as before.
        for (_, mut frame) in out.frames.drain(..) {
            let l3 = ethernet::parse(frame.bytes()).unwrap().payload_offset();
            frame.pop_front(l3);
            frame.bytes_mut()[8..12].copy_from_slice(&packet[8..12]);
            header.push(&mut frame);
            frames.push(frame);
        }
        assert_eq!(frames.len(), BATCH as usize);
    }
    let spent = start.elapsed();
    println!("{name}: {} ns a hop", spent.as_nanos() / u128::from(FRAMES));
}

#[test]
#[ignore = "a measurement, in release only"]
fn a_hop_costs() {
    let plain = router(1);
    measure("plain, 64 octets", &plain, 8);
    measure("plain, 1500 octets", &plain, 1400);
    measure("10,000 routes", &router(10_000), 8);
    let mut filtered = router(1);
    let lan = filtered.interfaces.get_mut("lan").unwrap();
    lan.filter_in = Some(filter());
    measure("stateful filter", &filtered, 8);
}
