//! Toy nodes: hosts that send what they are told and report what they get, routers that flood.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part, and all of it is test code"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use skybridge_base::{Deadline, Instant, MacAddr, Rng, VlanId};
use skybridge_blueprint as blueprint;
use skybridge_blueprint::{
    Blueprint, Endpoint, External, Host, Link, LinkClass, LinkName, NodeKind, NodeName, Owner,
    Port, PortName, Role, Router,
};
use skybridge_nodes::{ConnectionId, HostCommand, Node, NodeEvent, Outbox, PortIndex};
use skybridge_wire::{EtherType, Frame, Tags, ethernet};
use skybridge_world::{Buildable, Command, World, WorldEventKind};

/// A host or flooding router without protocols.
#[derive(Debug)]
pub struct Toy {
    ports: Vec<PortName>,
    up: Vec<bool>,
    is_host: bool,
    /// Sends a numbered frame this often on every port.
    beacon: Option<(Duration, Instant)>,
    /// Frames seen since it was built.
    pub seen: u64,
    /// Times it was configured anew.
    pub reconfigured: u64,
    /// Ever drawn from the seed.
    pub drawn: u64,
    /// Never lets time pass: re-arms at once.
    stuck: bool,
}

impl Toy {
    pub fn port_up(&self, name: &str) -> bool {
        let at = self.ports.iter().position(|p| p.as_str() == name).unwrap();
        self.up[at]
    }

    fn take_spec(&mut self, spec: &NodeKind) {
        let names: Vec<PortName> = match spec {
            NodeKind::Router(router) => router.ports.keys().cloned().collect(),
            NodeKind::Host(host) => vec![host.port.clone()],
            NodeKind::Switch(switch) => switch.ports.keys().cloned().collect(),
            NodeKind::External(external) => {
                vec![external.port().clone(), External::OUTSIDE.into()]
            }
        };
        for name in names {
            if !self.ports.contains(&name) {
                self.ports.push(name);
                self.up.push(false);
            }
        }
    }
}

impl Buildable for Toy {
    fn build(now: Instant, name: &NodeName, spec: &NodeKind, seed: u64) -> Self {
        let mut toy = Self {
            ports: Vec::new(),
            up: Vec::new(),
            is_host: matches!(spec, NodeKind::Host(_)),
            beacon: name
                .as_str()
                .starts_with("beacon")
                .then_some((Duration::from_millis(10), now)),
            seen: 0,
            reconfigured: 0,
            drawn: Rng::new(seed).next_u64(),
            stuck: name.as_str().starts_with("stuck"),
        };
        toy.take_spec(spec);
        toy
    }

    fn command(&mut self, _now: Instant, command: HostCommand, out: &mut Outbox) -> bool {
        if let HostCommand::TcpSend { bytes, .. } = command {
            out.frames.push((PortIndex(0), Frame::from_l2(&bytes)));
        }
        self.is_host
    }
}

impl Node for Toy {
    fn handle_frames(
        &mut self,
        _now: Instant,
        port: PortIndex,
        frames: &mut Vec<Frame>,
        out: &mut Outbox,
    ) {
        // The batch's size is visible in the event's id.
        let count = frames.len() as u64;
        for frame in frames.drain(..) {
            self.seen += 1;
            if self.is_host {
                out.events.push(NodeEvent::TcpReceived {
                    id: ConnectionId(count),
                    bytes: frame.bytes().to_vec(),
                });
            } else {
                for other in 0..self.ports.len() {
                    if other != usize::from(port.0) {
                        let other = PortIndex(u16::try_from(other).unwrap());
                        out.frames.push((other, frame.clone()));
                    }
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        if let Some((every, at)) = &mut self.beacon
            && *at <= now
        {
            *at = now + *every;
            let text = format!("beacon {} {}", self.drawn, now);
            for port in 0..self.ports.len() {
                let port = PortIndex(u16::try_from(port).unwrap());
                out.frames
                    .push((port, frame(Tags::Untagged, text.as_bytes())));
            }
        }
    }

    fn handle_link(&mut self, _now: Instant, port: PortIndex, up: bool, _out: &mut Outbox) {
        assert_ne!(self.up[usize::from(port.0)], up, "told what it knew");
        self.up[usize::from(port.0)] = up;
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if self.stuck {
            return Some(Deadline::new(Instant::ZERO, "stuck"));
        }
        self.beacon.map(|(_, at)| Deadline::new(at, "beacon"))
    }

    fn port_index(&self, name: &PortName) -> Option<PortIndex> {
        let at = self.ports.iter().position(|p| p == name)?;
        Some(PortIndex(u16::try_from(at).unwrap()))
    }

    fn reconfigure(&mut self, _now: Instant, spec: &NodeKind, _out: &mut Outbox) {
        self.reconfigured += 1;
        self.take_spec(spec);
    }
}

pub fn frame(tags: Tags, payload: &[u8]) -> Frame {
    let mut bytes = Vec::new();
    ethernet::emit(
        MacAddr::BROADCAST,
        MacAddr::local(1),
        tags,
        EtherType(0x88b5),
        &mut bytes,
    );
    bytes.extend_from_slice(payload);
    Frame::from_l2(&bytes)
}

pub fn vlan(id: u16) -> VlanId {
    VlanId::new(id).unwrap()
}

fn node(kind: NodeKind) -> blueprint::Node {
    blueprint::Node {
        owner: Owner::Customer,
        role: Role::Host,
        location: String::new(),
        tenant: None,
        kind,
    }
}

pub fn toy_host(mac: u64) -> blueprint::Node {
    node(NodeKind::Host(Box::new(Host {
        port: "eth0".into(),
        mac: MacAddr::local(mac),
        addresses: Vec::new(),
        gateways: Vec::new(),
        mtu: 1500,
        services: Vec::new(),
        synthetic: false,
    })))
}

pub fn toy_router(ports: &[&str]) -> blueprint::Node {
    let ports = ports.iter().enumerate().map(|(at, name)| {
        let mac = MacAddr::local(100 + at as u64);
        (PortName::from(*name), Port { mac })
    });
    node(NodeKind::Router(Box::new(Router {
        ports: ports.collect::<BTreeMap<_, _>>(),
        ..Router::default()
    })))
}

pub fn link(a: (&str, &str), b: (&str, &str)) -> Link {
    let end = |(node, port): (&str, &str)| Endpoint {
        node: node.into(),
        port: port.into(),
    };
    Link {
        a: end(a),
        b: end(b),
        class: LinkClass::CrossConnect,
        owner: Owner::Provider,
        delay: Some(Duration::from_millis(1)),
        jitter: Duration::ZERO,
        loss_ppm: 0,
        rate_bps: None,
        mtu: 1500,
    }
}

/// Two hosts, `left` and `right`, joined by the link `wire`.
pub fn pair() -> Blueprint {
    let mut blueprint = Blueprint::default();
    blueprint.nodes.insert("left".into(), toy_host(1));
    blueprint.nodes.insert("right".into(), toy_host(2));
    blueprint
        .links
        .insert("wire".into(), link(("left", "eth0"), ("right", "eth0")));
    blueprint
}

/// `beacon` – `middle` – `right`, a chain over the links `first` and `second`.
pub fn chain() -> Blueprint {
    let mut blueprint = Blueprint::default();
    blueprint.nodes.insert("beacon".into(), toy_host(1));
    blueprint
        .nodes
        .insert("middle".into(), toy_router(&["p0", "p1"]));
    blueprint.nodes.insert("right".into(), toy_host(2));
    blueprint
        .links
        .insert("first".into(), link(("beacon", "eth0"), ("middle", "p0")));
    blueprint
        .links
        .insert("second".into(), link(("middle", "p1"), ("right", "eth0")));
    blueprint
}

pub fn world(blueprint: Blueprint) -> World<Toy> {
    World::with_nodes(blueprint, 7).unwrap()
}

pub fn link_of<'a>(blueprint: &'a mut Blueprint, name: &str) -> &'a mut Link {
    blueprint.links.get_mut(&LinkName::from(name)).unwrap()
}

/// Makes a host send one frame.
pub fn send(world: &mut World<Toy>, from: &str, frame: &Frame) {
    world
        .command(Command::Host {
            node: from.into(),
            command: HostCommand::TcpSend {
                id: ConnectionId(0),
                bytes: frame.bytes().to_vec(),
            },
        })
        .unwrap();
}

/// What hosts received: time, batch size, bytes.
pub fn received(world: &mut World<Toy>) -> Vec<(Instant, u64, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(event) = world.poll_event() {
        if let WorldEventKind::Node(NodeEvent::TcpReceived { id, bytes }) = event.kind {
            all.push((event.at, id.0, bytes));
        }
    }
    all
}
