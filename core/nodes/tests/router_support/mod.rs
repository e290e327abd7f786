//! Routers and simple stations joined by links, in virtual time.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tests look for one kind of event"
)]
#![allow(missing_debug_implementations, reason = "a test harness")]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, where a panic is the report"
)]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use skybridge_base::{Instant, MacAddr, VlanId};
use skybridge_blueprint::{
    Interface, InterfaceName, NextHop, NodeKind, Port, RouteSource, Router as Spec, StaticRoute,
    Tagging, Vrf,
};
use skybridge_nodes::{Hop, Node, NodeEvent, Outbox, PortIndex, Router};
use skybridge_wire::arp::ArpRepr;
use skybridge_wire::icmpv4::{self, Icmpv4Kind};
use skybridge_wire::ipv4::{self, Ipv4Repr};
use skybridge_wire::{EtherType, EthernetRepr, Frame, Tags, arp, ethernet, protocol};

pub const DELAY: Duration = Duration::from_millis(1);

/// A station that answers ARP and keeps the packets it gets.
#[derive(Debug)]
pub struct Station {
    pub mac: MacAddr,
    pub ip: Ipv4Addr,
    pub tags: Tags,
    pub at: (usize, PortIndex),
    pub gateway: MacAddr,
    pub received: Vec<Vec<u8>>,
    pub arp_replies: Vec<ArpRepr>,
}

#[derive(Default)]
pub struct Net {
    pub now: Instant,
    pub routers: Vec<Router>,
    links: BTreeMap<(usize, PortIndex), (usize, PortIndex)>,
    pub stations: Vec<Station>,
    flying: BTreeMap<(Instant, u64), (usize, PortIndex, Frame)>,
    sequence: u64,
    pub events: Vec<(Instant, usize, NodeEvent)>,
    /// Links on which frames vanish unseen.
    pub silent: Vec<(usize, PortIndex)>,
    pub frames_seen: Vec<(Instant, usize, Vec<u8>)>,
}

impl Net {
    pub fn router(&mut self, name: &str, spec: &Spec) -> usize {
        self.routers.push(Router::new(name, spec, 42));
        self.routers.len() - 1
    }

    pub fn port(&self, router: usize, name: &str) -> PortIndex {
        self.routers[router].port_index(&name.into()).unwrap()
    }

    pub fn link(&mut self, a: (usize, &str), b: (usize, &str)) {
        let a = (a.0, self.port(a.0, a.1));
        let b = (b.0, self.port(b.0, b.1));
        self.links.insert(a, b);
        self.links.insert(b, a);
        self.set_link(a, true);
    }

    /// Joins a station to a port; gives its number.
    pub fn station(&mut self, at: (usize, &str), ip: [u8; 4], tags: Tags) -> usize {
        let port = self.port(at.0, at.1);
        let gateway = self.routers[at.0].spec().ports[at.1].mac;
        self.stations.push(Station {
            mac: MacAddr::local(900 + self.stations.len() as u64),
            ip: ip.into(),
            tags,
            at: (at.0, port),
            gateway,
            received: Vec::new(),
            arp_replies: Vec::new(),
        });
        self.change(at.0, |r, now, out| r.handle_link(now, port, true, out));
        self.stations.len() - 1
    }

    pub fn set_link(&mut self, a: (usize, PortIndex), up: bool) {
        let b = self.links[&a];
        for (node, port) in [a, b] {
            self.change(node, |r, now, out| r.handle_link(now, port, up, out));
        }
        if !up {
            self.flying
                .retain(|_, (n, p, _)| (*n, *p) != a && (*n, *p) != b);
        }
    }

    pub fn reconfigure(&mut self, router: usize, spec: &Spec) {
        let kind = NodeKind::Router(Box::new(spec.clone()));
        self.change(router, |r, now, out| r.reconfigure(now, &kind, out));
    }

    pub fn change(&mut self, node: usize, act: impl FnOnce(&mut Router, Instant, &mut Outbox)) {
        let mut out = Outbox::default();
        act(&mut self.routers[node], self.now, &mut out);
        for (port, frame) in out.frames {
            self.fly(node, port, frame);
        }
        let now = self.now;
        self.events
            .extend(out.events.into_iter().map(|e| (now, node, e)));
    }

    fn fly(&mut self, node: usize, port: PortIndex, frame: Frame) {
        self.frames_seen
            .push((self.now, node, frame.bytes().to_vec()));
        if let Some(to) = self.links.get(&(node, port)) {
            if self.silent.contains(&(node, port)) || self.silent.contains(to) {
                return;
            }
            self.sequence += 1;
            let key = (self.now + DELAY, self.sequence);
            self.flying.insert(key, (to.0, to.1, frame));
            return;
        }
        let mut answers = Vec::new();
        for (at, station) in self.stations.iter_mut().enumerate() {
            if station.at == (node, port)
                && let Some(answer) = station.take(&frame)
            {
                answers.push((at, answer));
            }
        }
        for (at, packet) in answers {
            self.send_arp(at, &packet);
        }
    }

    fn inject(
        &mut self,
        station: usize,
        payload: &[u8],
        ethertype: EtherType,
        dst: MacAddr,
        trace: u32,
    ) {
        let station = &self.stations[station];
        let mut frame = Frame::with_headroom(payload);
        let header = EthernetRepr {
            dst,
            src: station.mac,
            tags: station.tags,
            ethertype,
        };
        header.push(&mut frame);
        frame.meta.trace = trace;
        self.sequence += 1;
        let key = (self.now, self.sequence);
        self.flying.insert(key, (station.at.0, station.at.1, frame));
    }

    pub fn send(&mut self, station: usize, packet: &[u8], trace: u32) {
        let gateway = self.stations[station].gateway;
        self.inject(station, packet, EtherType::IPV4, gateway, trace);
    }

    pub fn send_arp(&mut self, station: usize, packet: &ArpRepr) {
        self.inject(
            station,
            &packet.to_bytes(),
            EtherType::ARP,
            MacAddr::BROADCAST,
            0,
        );
    }

    pub fn echo(&self, station: usize, dst: [u8; 4], ttl: u8, len: usize, df: bool) -> Vec<u8> {
        let kind = Icmpv4Kind::EchoRequest {
            identifier: 7,
            sequence: 1,
        };
        let src = self.stations[station].ip;
        let mut message = Vec::new();
        icmpv4::emit(kind, &vec![0xab; len], &mut message);
        let repr = Ipv4Repr {
            ttl,
            dont_fragment: df,
            ..Ipv4Repr::new(src, dst.into(), protocol::ICMP, message.len())
        };
        let mut packet = repr.to_bytes().to_vec();
        packet.extend_from_slice(&message);
        packet
    }

    /// Runs until `until`, every event in order.
    pub fn run_until(&mut self, until: Instant) {
        for _ in 0..2_000_000 {
            let frame_at = self.flying.first_key_value().map(|((at, _), _)| *at);
            let timer = (0..self.routers.len())
                .filter_map(|n| Some((self.routers[n].poll_timeout()?.at, n)))
                .min();
            let next = [frame_at, timer.map(|t| t.0)].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            if frame_at.is_some_and(|at| at <= self.now) {
                let (_, (node, port, frame)) = self.flying.pop_first().unwrap();
                let mut frames = vec![frame];
                self.change(node, |r, now, out| {
                    r.handle_frames(now, port, &mut frames, out)
                });
            } else if let Some((_, node)) = timer {
                self.change(node, |r, now, out| r.handle_timeout(now, out));
            }
        }
        panic!("no progress at {}", self.now);
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// The hop records so far.
    pub fn hops(&self) -> Vec<(usize, Hop)> {
        self.events
            .iter()
            .filter_map(|(_, node, event)| match event {
                NodeEvent::Hop(hop) => Some((*node, (**hop).clone())),
                _ => None,
            })
            .collect()
    }

    /// Kinds of the ICMP messages that a station got, with their senders.
    pub fn icmp_at(&self, station: usize) -> Vec<(Ipv4Addr, Icmpv4Kind)> {
        self.stations[station]
            .received
            .iter()
            .filter_map(|packet| {
                let ip = ipv4::parse(packet).unwrap();
                assert!(ip.is_checksum_valid());
                if ip.is_fragment() {
                    return None;
                }
                let icmp = icmpv4::parse(ip.payload()).unwrap();
                assert!(icmp.is_checksum_valid());
                Some((ip.src(), icmp.kind()))
            })
            .collect()
    }
}

impl Station {
    fn take(&mut self, frame: &Frame) -> Option<ArpRepr> {
        let view = ethernet::parse(frame.bytes()).unwrap();
        if view.tags() != self.tags || (view.dst() != self.mac && !view.dst().is_group()) {
            return None;
        }
        match view.ethertype() {
            EtherType::ARP => {
                let packet = arp::parse(view.payload()).unwrap();
                if packet.operation == arp::ArpOperation::Reply {
                    self.arp_replies.push(packet);
                    return None;
                }
                (packet.target_ip == self.ip).then(|| packet.reply(self.mac))
            }
            _ => {
                self.received.push(view.payload().to_vec());
                None
            }
        }
    }
}

pub fn port(n: u64) -> Port {
    Port {
        mac: MacAddr::local(n),
    }
}

pub fn qinq(s: u16, c: u16) -> Tagging {
    Tagging::QinQ {
        s_tag: VlanId::new(s).unwrap(),
        c_tag: VlanId::new(c).unwrap(),
    }
}

pub fn interface(port: &str, tagging: Tagging, address: &str) -> Interface {
    Interface {
        port: port.into(),
        tagging,
        vrf: "main".into(),
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

pub fn route(prefix: &str, next_hop: NextHop) -> StaticRoute {
    StaticRoute {
        prefix: prefix.parse().unwrap(),
        next_hop,
        preference: 1,
        source: RouteSource::User,
    }
}

pub fn via(interface: &str, address: &str) -> NextHop {
    NextHop::Via {
        interface: interface.into(),
        address: address.parse().unwrap(),
    }
}

pub fn spec(
    ports: &[(&str, u64)],
    interfaces: &[(&str, Interface)],
    routes: Vec<StaticRoute>,
) -> Spec {
    Spec {
        ports: ports
            .iter()
            .map(|(name, n)| ((*name).into(), port(*n)))
            .collect(),
        interfaces: interfaces
            .iter()
            .map(|(name, i)| (InterfaceName::from(*name), i.clone()))
            .collect(),
        vrfs: BTreeMap::from([(
            "main".into(),
            Vrf {
                routes,
                ecmp_max: 4,
                symmetric: false,
                label: String::new(),
            },
        )]),
        ..Spec::default()
    }
}

/// Router 0 with LAN 10.1.0.0/24, router 1 with LAN 10.2.0.0/24, joined by a tagged link
/// 192.0.2.0/30; station 0 is 10.1.0.9 and station 1 is 10.2.0.9.
pub fn two_specs() -> [Spec; 2] {
    let lan = Tagging::Untagged;
    let left = spec(
        &[("lan", 1), ("wan", 2)],
        &[
            ("lan", interface("lan", lan, "10.1.0.1/24")),
            ("wan", interface("wan", qinq(10, 20), "192.0.2.1/30")),
        ],
        vec![route("10.2.0.0/24", via("wan", "192.0.2.2"))],
    );
    let right = spec(
        &[("lan", 3), ("wan", 4)],
        &[
            ("lan", interface("lan", lan, "10.2.0.1/24")),
            ("wan", interface("wan", qinq(10, 20), "192.0.2.2/30")),
        ],
        vec![route("10.1.0.0/24", via("wan", "192.0.2.1"))],
    );
    [left, right]
}

pub fn two(specs: &[Spec; 2]) -> Net {
    let mut net = Net::default();
    let a = net.router("left", &specs[0]);
    let b = net.router("right", &specs[1]);
    net.link((a, "wan"), (b, "wan"));
    net.station((a, "lan"), [10, 1, 0, 9], Tags::Untagged);
    net.station((b, "lan"), [10, 2, 0, 9], Tags::Untagged);
    net
}
