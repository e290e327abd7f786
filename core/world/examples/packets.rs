//! What a packet costs in memory: two external ports joined by six routers, `QinQ` tags between
//! them, a table per customer, a security group of 20 rules at the last hop, 1,000 flows, no flow
//! cache. Frames go in by 64 and come out at the far end.
//!
//! `cargo run --release -p skybridge-world --example packets [-- PACKETS]`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::collections::BTreeMap;
use std::time::Duration;

use skybridge_base::{MacAddr, VlanId};
use skybridge_blueprint::{
    Access, AddressSet, Blueprint, Endpoint, Filter, Interface, Link, LinkClass, NextHop, Node,
    NodeKind, NodeName, Owner, Port, PortName, Protocol, Role, RouteSource, Router, Rule, RuleSet,
    RuleSetMode, StaticRoute, Tagging, Tracking, Vrf,
};
use skybridge_wire::arp::{ArpOperation, ArpRepr};
use skybridge_wire::ipv4::Ipv4Repr;
use skybridge_wire::udp::UdpRepr;
use skybridge_wire::{EtherType, EthernetRepr, Frame, Tags, ethernet, protocol};
use skybridge_world::World;

const HOPS: u8 = 6;
const BATCH: usize = 64;
const FLOWS: u16 = 1000;
const SENDER: MacAddr = MacAddr::local(900);
const RECEIVER: MacAddr = MacAddr::local(901);

fn any() -> AddressSet {
    AddressSet {
        prefixes: vec!["0.0.0.0/0".parse().unwrap()],
        learned_in: None,
    }
}

/// Twenty rules; the last one allows what is sent here.
fn group() -> Filter {
    let rules = (0..20).map(|i| Rule {
        name: format!("rule {i}"),
        access: Access::Allow,
        tracking: Tracking::Stateful,
        protocols: vec![Protocol::Ports {
            number: if i == 19 {
                protocol::UDP
            } else {
                protocol::TCP
            },
            source: vec![],
            destination: if i == 19 {
                vec![]
            } else {
                vec![1000 + i..=1000 + i]
            },
        }],
        sources: any(),
        destinations: any(),
        unknown: false,
    });
    Filter {
        sets: vec![RuleSet {
            name: "nsg".to_owned(),
            mode: RuleSetMode::FirstMatch,
            rules: rules.collect(),
        }],
    }
}

fn interface(port: &str, tagging: Tagging, address: &str) -> Interface {
    Interface {
        port: port.into(),
        tagging,
        vrf: "customer".into(),
        addresses: vec![address.parse().unwrap()],
        connected_routes: true,
        mtu: 1500,
        proxy_arp: false,
        filter_in: None,
        filter_out: None,
        policer_in: None,
        policer_out: None,
        zone: None,
        source_check: None,
        tenant: None,
    }
}

fn to(prefix: &str, interface: &str, address: String) -> StaticRoute {
    StaticRoute {
        prefix: prefix.parse().unwrap(),
        next_hop: NextHop::Via {
            interface: interface.into(),
            address: address.parse().unwrap(),
        },
        preference: 1,
        source: RouteSource::User,
    }
}

/// Router `n` of the chain; between `n` and `n + 1` is 192.0.2.(4n)/30.
fn router(n: u8, filtered: bool) -> Router {
    let tagged = Tagging::QinQ {
        s_tag: VlanId::new(100).unwrap(),
        c_tag: VlanId::new(200).unwrap(),
    };
    let mut left = match n {
        0 => interface("left", Tagging::Untagged, "10.1.0.1/24"),
        _ => interface("left", tagged, &format!("192.0.2.{}/30", 4 * (n - 1) + 2)),
    };
    let mut right = match n {
        _ if n == HOPS - 1 => interface("right", Tagging::Untagged, "10.2.0.1/24"),
        _ => interface("right", tagged, &format!("192.0.2.{}/30", 4 * n + 1)),
    };
    if filtered && n == HOPS - 1 {
        right.filter_out = Some(group());
        right.filter_in = Some(group());
    }
    left.vrf = "customer".into();
    let mut routes = Vec::new();
    if n > 0 {
        routes.push(to(
            "10.1.0.0/24",
            "left",
            format!("192.0.2.{}", 4 * (n - 1) + 1),
        ));
    }
    if n < HOPS - 1 {
        routes.push(to("10.2.0.0/24", "right", format!("192.0.2.{}", 4 * n + 2)));
    }
    let mac = |side| Port {
        mac: MacAddr::local(u64::from(n) * 2 + side + 1),
    };
    Router {
        ports: BTreeMap::from([("left".into(), mac(0)), ("right".into(), mac(1))]),
        interfaces: BTreeMap::from([("left".into(), left), ("right".into(), right)]),
        vrfs: BTreeMap::from([(
            "customer".into(),
            Vrf {
                routes,
                ecmp_max: 4,
                label: String::new(),
            },
        )]),
        ..Router::default()
    }
}

fn name(n: u8) -> NodeName {
    format!("r{n}").as_str().into()
}

fn blueprint(filtered: bool) -> Blueprint {
    let mut blueprint = Blueprint::default();
    for n in 0..HOPS {
        let node = Node {
            owner: Owner::Customer,
            role: Role::CustomerEdge,
            location: String::new(),
            tenant: None,
            kind: NodeKind::Router(Box::new(router(n, filtered))),
        };
        blueprint.nodes.insert(name(n), node);
    }
    for n in 0..HOPS - 1 {
        let end = |node, port: &str| Endpoint {
            node,
            port: port.into(),
        };
        let link = Link {
            a: end(name(n), "right"),
            b: end(name(n + 1), "left"),
            class: LinkClass::Backbone,
            owner: Owner::Customer,
            delay: None,
            jitter: Duration::ZERO,
            loss_ppm: 0,
            rate_bps: None,
            mtu: 1500,
        };
        blueprint
            .links
            .insert(format!("l{n}").as_str().into(), link);
    }
    blueprint
}

fn header(dst: MacAddr, src: MacAddr, ethertype: EtherType) -> EthernetRepr {
    EthernetRepr {
        dst,
        src,
        tags: Tags::Untagged,
        ethertype,
    }
}

/// An UDP packet of flow `flow`, as IP.
fn packet(flow: u16, len: usize) -> Vec<u8> {
    let (src, dst) = ([10, 1, 0, 9].into(), [10, 2, 0, 9].into());
    let mut bytes = Vec::new();
    Ipv4Repr::new(src, dst, protocol::UDP, 8 + len).emit(&mut bytes);
    let udp = UdpRepr {
        src_port: 20_000 + flow,
        dst_port: 5000,
    };
    udp.emit(src.into(), dst.into(), &vec![7; len], &mut bytes);
    bytes
}

struct Bench {
    world: World,
    ports: [(NodeName, PortName); 2],
    gateway: MacAddr,
}

impl Bench {
    fn new(filtered: bool, tracing: bool) -> Self {
        let mut world = World::new(blueprint(filtered), 1).unwrap();
        world.set_tracing(tracing);
        let ports = [(name(0), "left".into()), (name(HOPS - 1), "right".into())];
        for (node, port) in &ports {
            world.open_external(node, port).unwrap();
        }
        // The receiver says who it is, so that the last router need not ask.
        let here = ArpRepr {
            operation: ArpOperation::Request,
            sender_mac: RECEIVER,
            sender_ip: [10, 2, 0, 9].into(),
            target_mac: MacAddr([0; 6]),
            target_ip: [10, 2, 0, 1].into(),
        };
        let mut frame = Frame::with_headroom(&here.to_bytes());
        header(MacAddr([0xff; 6]), RECEIVER, EtherType::ARP).push(&mut frame);
        world
            .inject(&ports[1].0, &ports[1].1, &mut vec![frame])
            .unwrap();
        let gateway = MacAddr::local(1);
        Self {
            world,
            ports,
            gateway,
        }
    }

    /// Sends `count` packets; gives nanoseconds and steps a packet.
    fn measure(&mut self, len: usize, count: u64) -> (f64, f64) {
        let packets: Vec<_> = (0..FLOWS).map(|flow| packet(flow, len)).collect();
        let head = header(self.gateway, SENDER, EtherType::IPV4);
        let mut spare: Vec<Frame> = Vec::new();
        let mut batch: Vec<Frame> = Vec::with_capacity(BATCH);
        let (mut sent, mut received, mut at) = (0_u64, 0_u64, 0);
        // Neighbours resolve and flows open before the clock starts.
        for round in 0..200 {
            self.turn(&packets, head, &mut spare, &mut batch, &mut at);
            if round > 2 {
                continue;
            }
            self.world
                .run_until(self.world.now() + Duration::from_millis(10));
        }
        let steps = self.world.steps();
        let before = cpu_nanos();
        for _ in 0..count / BATCH as u64 {
            received += self.turn(&packets, head, &mut spare, &mut batch, &mut at);
            sent += BATCH as u64;
        }
        let spent = cpu_nanos() - before;
        assert_eq!(received, sent, "every packet arrives");
        let nanos = spent as f64 / received as f64;
        (nanos, (self.world.steps() - steps) as f64 / received as f64)
    }

    /// One batch in, through, and out.
    fn turn(
        &mut self,
        packets: &[Vec<u8>],
        head: EthernetRepr,
        spare: &mut Vec<Frame>,
        batch: &mut Vec<Frame>,
        at: &mut usize,
    ) -> u64 {
        for _ in 0..BATCH {
            let mut frame = spare.pop().unwrap_or_default();
            frame.refill(&packets[*at % packets.len()]);
            *at += 1;
            head.push(&mut frame);
            batch.push(frame);
        }
        let (node, port) = &self.ports[0];
        self.world.inject(node, port, batch).unwrap();
        self.world
            .run_until(self.world.now() + Duration::from_micros(100));
        let mut received = 0;
        while let Some(left) = self.world.poll_external() {
            if ethernet::parse(left.frame.bytes()).unwrap().ethertype() == EtherType::IPV4 {
                received += 1;
            }
            spare.push(left.frame);
        }
        received
    }
}

/// What this thread has spent on a processor: a busy machine does not count against it.
fn cpu_nanos() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "a measurement")]
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

fn main() {
    let count = std::env::args().nth(1).and_then(|a| a.parse().ok());
    let count = count.unwrap_or(2_000_000);
    for (what, filtered, tracing, len) in [
        ("64 octets", true, false, 22),
        ("64 octets, traced", true, true, 22),
        ("64 octets, no filter", false, false, 22),
        ("1500 octets", true, false, 1472),
        ("1500 octets, traced", true, true, 1472),
    ] {
        let mut bench = Bench::new(filtered, tracing);
        let (nanos, steps) = bench.measure(len, count);
        println!(
            "{what:22} {:6.3} Mpps, {nanos:5.0} ns a packet, {:4.0} ns a hop, {steps:.3} steps a packet",
            1e3 / nanos,
            nanos / f64::from(HOPS),
        );
    }
}
